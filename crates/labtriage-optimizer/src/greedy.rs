//! What does a rule decide, line by line?
//!
//! What is published and frozen is kept first. Then lines are looked at in the rule's order. The first line of a tube that can be run chooses the
//! tube's way: the place where its result is out first. Later lines of the tube follow it there,
//! or go with an aliquot to a second site. What cannot be run goes to `recall`. Each stage (a
//! strict band, or all the others) is run and recalled whole before the next one begins.

use labtriage_core::duplicates::Repeat;
use labtriage_core::plan::{Cancel, Disposition, Plan, Recollection, Rule, Run, Step};
use labtriage_core::published::PublishedSlots;
use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::{Ix, LineIx, SampleIx, SiteIx, SlotIx, Table};
use labtriage_core::trace::Trace;
use labtriage_core::units::Microlitres;

use crate::order::stages;
use crate::place::Container;
use crate::recall::Visits;
use crate::remaining::Remaining;
use crate::routes::Routes;
use crate::within::Within;

/// Called now and then with how many lines of how many have been decided.
pub type Progress<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// How often progress is reported, in lines.
const PROGRESS_EVERY: usize = 8192;

/// The plan of a rule: always lawful, whatever capacity there is.
///
/// Complexity: O(n log n) in the lines, times the number of sites a tube can reach.
pub fn plan(snapshot: &Snapshot, rule: Rule, progress: Progress<'_>) -> Plan {
    let mut planner = Planner::new(snapshot);
    let open: Vec<LineIx> = snapshot.backlog.lines.indices().filter(|&line| planner.settle(line).is_none()).collect();
    let total = open.len();
    planner.keep_published(rule, &open);
    let open: Vec<LineIx> = open.into_iter().filter(|line| !planner.decided[line.row()]).collect();
    let mut done = total - open.len();
    for stage in stages(snapshot, rule, open.into_iter()) {
        let mut left = Vec::new();
        for &line in &stage {
            match planner.run(line) {
                Some(run) => planner.lines[line] = Disposition::Run(run),
                None => left.push(line),
            }
            done += 1;
            if done.is_multiple_of(PROGRESS_EVERY) {
                progress(done, total);
            }
        }
        for line in left {
            planner.lines[line] = planner.not_run(line);
        }
    }
    progress(total, total);
    planner.finish(rule)
}

/// What has been decided about a tube so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tube {
    pub(crate) first_step: u32,
    pub(crate) steps: u8,
    /// Where it is run and from which slot on, once it has a way.
    pub(crate) placed: Option<(SiteIx, SlotIx)>,
    /// The second container's site and slot, after an aliquot.
    pub(crate) second: Option<(SiteIx, SlotIx)>,
    pub(crate) used: Microlitres,
    pub(crate) dead: [Microlitres; 2],
    pub(crate) recollection: Option<Recollection>,
}

#[derive(Clone)]
pub(crate) struct Planner<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) remaining: Remaining<'a>,
    pub(crate) routes: Routes,
    pub(crate) tubes: Table<SampleIx, Tube>,
    pub(crate) steps: Vec<Step>,
    pub(crate) lines: Table<LineIx, Disposition>,
    pub(crate) decided: Vec<bool>,
    pub(crate) visits: Visits,
}

impl<'a> Planner<'a> {
    pub(crate) fn new(snapshot: &'a Snapshot) -> Self {
        let tube = Tube {
            first_step: 0,
            steps: 0,
            placed: None,
            second: None,
            used: Microlitres::default(),
            dead: [Microlitres::default(); 2],
            recollection: None,
        };
        Self {
            snapshot,
            remaining: Remaining::new(snapshot),
            routes: Routes::new(snapshot),
            tubes: Table::filled(tube, snapshot.backlog.samples.len()),
            steps: Vec::with_capacity(snapshot.backlog.samples.len()),
            lines: Table::filled(Disposition::Recall(None), snapshot.backlog.lines.len()),
            decided: vec![false; snapshot.backlog.lines.len()],
            visits: Visits::new(snapshot),
        }
    }

    /// A planner for one sample of a plan that is there: everything else is decided. What is left
    /// must be given by [`Remaining::refill`].
    pub(crate) fn resume(snapshot: &'a Snapshot, plan: &Plan, sample: SampleIx) -> Self {
        let mut this = Self::new(snapshot);
        this.decided.fill(true);
        this.steps = plan.steps_of(sample).to_vec();
        let mut trace = Trace::default();
        // The steps of a lawful plan are possible; of any other, what is possible counts.
        let _ = trace.replay(snapshot, sample, &this.steps);
        let place = |way: &labtriage_core::trace::Way| {
            way.booked_in.map(|booked_in| (way.site, way.last_slot.unwrap_or(booked_in)))
        };
        let tube = &mut this.tubes[sample];
        tube.steps = plan.samples[sample].steps;
        tube.placed = place(trace.main());
        tube.second = trace.second().and_then(place);
        for line in snapshot.backlog.samples[sample].lines() {
            let Disposition::Run(run) = plan.lines[line] else { continue };
            let Some(analyser) = run.analyser else { continue };
            let at_second = trace.main().site != snapshot.network.analysers[analyser].site;
            this.use_volume(line, sample, run, if at_second { Container::Second } else { Container::Main });
        }
        this
    }

    /// The steps of a sample so far.
    pub(crate) fn steps_of(&self, sample: SampleIx) -> &[Step] {
        let tube = &self.tubes[sample];
        &self.steps[tube.first_step as usize..tube.first_step as usize + usize::from(tube.steps)]
    }

    /// The steps of a sample's own container, those of an aliquot aside.
    pub(crate) fn main_steps(&self, sample: SampleIx) -> &[Step] {
        let steps = self.steps_of(sample);
        let main = steps.iter().position(|step| matches!(step, Step::Aliquot(_))).unwrap_or(steps.len());
        &steps[..main]
    }

    /// Decides what needs no capacity: repeats are cancelled, lines that must wait are held.
    pub(crate) fn settle(&mut self, line: LineIx) -> Option<Disposition> {
        let disposition = match self.snapshot.repeats[line] {
            Repeat::Of(survivor) => Disposition::Cancel(Cancel::Duplicate(survivor)),
            Repeat::Resulted => Disposition::Cancel(Cancel::Superseded),
            Repeat::Survives => Disposition::Hold(self.snapshot.must_hold(line)?),
        };
        self.lines[line] = disposition;
        self.decided[line.row()] = true;
        Some(disposition)
    }

    /// Runs what is published and frozen as it was published, before anything else takes the room.
    /// What cannot be kept stays open.
    pub(crate) fn keep_published(&mut self, rule: Rule, open: &[LineIx]) {
        let snapshot = self.snapshot;
        let frozen = open.iter().copied().filter(|&line| snapshot.frozen_run(line).is_some());
        let in_order = stages(snapshot, rule, frozen).into_iter().flatten();
        let mut runs: Vec<(LineIx, PublishedSlots)> =
            in_order.filter_map(|line| Some((line, snapshot.frozen_run(line)?))).collect();
        // What runs first is booked in and spun first; within a slot the order of the rule stays.
        runs.sort_by_key(|(_, published)| published.last);
        for (line, published) in runs {
            let sample = snapshot.backlog.lines[line].sample;
            if let Some(run) = self.run_within(line, sample, Within::published(snapshot, published)) {
                self.lines[line] = Disposition::Run(run);
                self.decided[line.row()] = true;
            }
        }
    }

    /// Runs a line where its result is out first, and takes the capacity.
    pub(crate) fn run(&mut self, line: LineIx) -> Option<Run> {
        self.decided[line.row()] = true;
        if self.snapshot.overrides.force_discard(line).is_some() {
            return None;
        }
        let sample = self.snapshot.backlog.lines[line].sample;
        if self.snapshot.backlog.lines[line].result_held {
            return self.remaining.report_held(line, sample);
        }
        let pinned = Within::pins(self.snapshot, line).and_then(|within| self.run_within(line, sample, within));
        pinned.or_else(|| self.run_within(line, sample, Within::anywhere()))
    }

    /// Runs a line within bounds, by the way its tube has or one that it chooses, and takes the capacity.
    pub(crate) fn run_within(&mut self, line: LineIx, sample: SampleIx, within: Within) -> Option<Run> {
        if self.tubes[sample].placed.is_some() {
            return self.follow(line, sample, within).or_else(|| self.split(line, sample, within));
        }
        if !self.may_ever_run(line) {
            return None;
        }
        let choice = self.best_way(line, sample, within).or_else(|| self.frozen_way(line, sample, within))?;
        self.commit(line, sample, &choice, Container::Main);
        Some(choice.run)
    }

    /// A line that is lost as its tube stands is not mended by any way, unless a person forces it.
    pub(crate) fn may_ever_run(&self, line: LineIx) -> bool {
        self.snapshot.overrides.caution(line).is_some()
            || self.snapshot.clocks[line].closes().is_some_and(|closes| closes > self.snapshot.now)
    }
}
