//! Does a plan fit its snapshot at all? Everything else may index without fear after this.

use super::{Found, Law};
use crate::network::NetworkParts;
use crate::plan::{Cancel, Discard, Disposition, Hold, Plan, Run, SamplePlan, Step};
use crate::snapshot::Snapshot;
use crate::table::{Ix, LineIx, SampleIx, SlotIx};

/// One decision per line and sample; steps in range, each of one sample; every index exists.
pub(super) fn shape(snapshot: &Snapshot, plan: &Plan, found: &mut Found) {
    let (lines, samples) = (snapshot.backlog.lines.len(), snapshot.backlog.samples.len());
    if plan.lines.len() != lines || plan.samples.len() != samples {
        let (of_lines, of_samples) = (plan.lines.len(), plan.samples.len());
        found.push(Law::Shape, None, None, || {
            format!("the plan decides {of_lines} lines and {of_samples} samples, the backlog has {lines} and {samples}")
        });
        return;
    }
    let range = Range::new(snapshot);
    for (line, disposition) in plan.lines.enumerate() {
        if !range.has_disposition(*disposition) {
            let sample = snapshot.backlog.lines[line].sample;
            found.push(Law::Shape, Some(line), Some(sample), || {
                format!("{} names something that does not exist", super::case::name(snapshot, line))
            });
        }
    }
    for sample in plan.samples.indices().filter(|&sample| !range.has_sample(&plan.samples[sample])) {
        push_sample(snapshot, sample, "names something that does not exist", found);
    }
    strips(snapshot, plan, &range, found);
    let visits = plan.visits.iter().all(|visit| {
        visit.patient.row() < snapshot.backlog.patients.len()
            && visit.point.row() < snapshot.network.collection_points.len()
    });
    if !visits {
        found.push(Law::Shape, None, None, || "a visit names a patient or point that does not exist".to_owned());
    }
    let impossible = |line: LineIx, about| line.row() < lines && range.overrides > Ix::row(about);
    if !plan.impossible.iter().all(|entry| impossible(entry.line, entry.override_)) {
        let message = "an override reported as impossible, or its line, does not exist";
        found.push(Law::Shape, None, None, || message.to_owned());
    }
}

fn push_sample(snapshot: &Snapshot, sample: SampleIx, what: &str, found: &mut Found) {
    found.push(Law::Shape, None, Some(sample), || format!("sample `{}` {what}", snapshot.backlog.accession(sample)));
}

/// Every step belongs to one sample and names a slot or departure that exists.
fn strips(snapshot: &Snapshot, plan: &Plan, range: &Range<'_>, found: &mut Found) {
    let mut owned = vec![false; plan.steps.len()];
    for (sample, of_sample) in plan.samples.enumerate() {
        let first = of_sample.first_step as usize;
        let Some(strip) = owned.get_mut(first..first + usize::from(of_sample.steps)) else {
            // A sample without steps may say that they begin anywhere.
            if of_sample.steps > 0 {
                push_sample(snapshot, sample, "has steps that the plan does not hold", found);
            }
            continue;
        };
        if strip.contains(&true) {
            push_sample(snapshot, sample, "has steps that belong to another sample", found);
        }
        strip.fill(true);
        if !plan.steps_of(sample).iter().all(|&step| range.has_step(step)) {
            push_sample(snapshot, sample, "has a step in a slot or on a departure that does not exist", found);
        }
    }
    if owned.contains(&false) {
        found.push(Law::Shape, None, None, || "the plan holds steps that belong to no sample".to_owned());
    }
}

/// What exists.
struct Range<'a> {
    slots: usize,
    departures: usize,
    lines: usize,
    overrides: usize,
    network: &'a NetworkParts,
}

impl<'a> Range<'a> {
    fn new(snapshot: &'a Snapshot) -> Self {
        Self {
            slots: snapshot.grid.len(),
            departures: snapshot.departures.len(),
            lines: snapshot.backlog.lines.len(),
            overrides: snapshot.overrides.all.len(),
            network: &snapshot.network,
        }
    }

    fn has_slot(&self, slot: SlotIx) -> bool {
        slot.row() < self.slots
    }

    fn has_run(&self, run: Run) -> bool {
        run.analyser.is_none_or(|analyser| analyser.row() < self.network.analysers.len())
            && self.has_slot(run.slot)
            && self.has_slot(run.reported)
    }

    fn has_disposition(&self, disposition: Disposition) -> bool {
        match disposition {
            Disposition::Run(run) => self.has_run(run),
            Disposition::Recall(run) => run.is_none_or(|run| self.has_run(run)),
            Disposition::Cancel(Cancel::Duplicate(of)) => of.row() < self.lines,
            Disposition::Hold(Hold::Override(about)) => about.row() < self.overrides,
            Disposition::Cancel(Cancel::Superseded) | Disposition::Hold(_) => true,
        }
    }

    fn has_sample(&self, plan: &SamplePlan) -> bool {
        let discard = match plan.discard {
            Some(Discard::Override(about)) => about.row() < self.overrides,
            _ => true,
        };
        discard
            && plan.recollection.is_none_or(|recollection| {
                recollection.site.row() < self.network.sites.len() && self.has_slot(recollection.booked_in)
            })
    }

    fn has_step(&self, step: Step) -> bool {
        match step {
            Step::Spin(slot) | Step::Freeze(slot) | Step::Thaw(slot) | Step::BookIn(slot) | Step::Aliquot(slot) => {
                self.has_slot(slot)
            }
            Step::Send(departure) => departure.row() < self.departures,
            Step::Refrigerate => true,
        }
    }
}
