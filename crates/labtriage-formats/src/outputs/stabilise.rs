//! What buys time, and where? Tubes to spin, refrigerate, freeze, thaw or aliquot, site by site.

use labtriage_core::plan::{Disposition, Step};
use labtriage_core::table::{Ix, SampleIx, SiteIx, SlotIx};
use labtriage_core::time::Instant;

use super::Outputs;
use super::cells::{LocalTimes, Sheet};
use super::codes::Codes;
use super::folder::{OutputError, OutputFolder};
use super::transfers::CONTAINERS;
use super::way::moments;

const HEADER: [&str; 8] = ["site", "start", "end", "what", "accession", "container", "specimen", "reason"];

/// One handling, in the order of the list.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    site: SiteIx,
    /// When it may begin at the earliest: its slot's start, or the end of the step before.
    start: Instant,
    what: &'static str,
    sample: SampleIx,
    container: usize,
    slot: Option<SlotIx>,
}

/// Writes `stabilise.csv`.
pub(super) fn write(folder: &OutputFolder, outputs: &Outputs<'_>) -> Result<(), OutputError> {
    let snapshot = outputs.snapshot;
    let mut entries = Vec::new();
    for sample in snapshot.backlog.samples.indices() {
        let handled = |step: &Step| !matches!(step, Step::Send(_) | Step::BookIn(_));
        if !outputs.plan.steps_of(sample).iter().any(handled) {
            continue;
        }
        moments(snapshot, outputs.plan, sample, |moment| {
            if let Some((what, slot)) = handling(moment.step) {
                let start = slot.map_or(moment.from, |slot| snapshot.grid.start(slot));
                entries.push(Entry { site: moment.site, start, what, sample, container: moment.container, slot });
            }
        });
    }
    entries.sort_unstable();
    let codes = Codes::new(snapshot);
    let mut times = LocalTimes::new(snapshot.network.zone);
    let slots = times.slots(snapshot);
    let mut sheet = Sheet::create(folder, "stabilise.csv", &HEADER)?;
    let mut scratch = Vec::new();
    for entry in &entries {
        sheet.cell(&codes.sites[entry.site.row()])?;
        match entry.slot {
            Some(slot) => {
                sheet.cell(&slots[slot.row()].0)?;
                sheet.cell(&slots[slot.row()].1)?;
            }
            None => {
                scratch.clear();
                times.push(&mut scratch, entry.start);
                sheet.cell(&scratch)?;
                sheet.word("at once")?;
            }
        }
        sheet.word(entry.what)?;
        sheet.text(snapshot.backlog.accession(entry.sample))?;
        sheet.word(CONTAINERS[entry.container])?;
        sheet.cell(&codes.specimens[snapshot.backlog.samples[entry.sample].specimen.row()])?;
        reason(outputs, &codes, entry.sample, &mut scratch);
        sheet.cell(&scratch)?;
        sheet.end()?;
    }
    sheet.finish()
}

fn handling(step: Step) -> Option<(&'static str, Option<SlotIx>)> {
    match step {
        Step::Spin(slot) => Some(("spin", Some(slot))),
        Step::Refrigerate => Some(("refrigerate", None)),
        Step::Freeze(slot) => Some(("freeze", Some(slot))),
        Step::Thaw(slot) => Some(("thaw", Some(slot))),
        Step::Aliquot(slot) => Some(("aliquot", Some(slot))),
        Step::Send(_) | Step::BookIn(_) => None,
    }
}

/// What a sample is handled for: `to run K UE; keeps TSH`.
fn reason(outputs: &Outputs<'_>, codes: &Codes, sample: SampleIx, out: &mut Vec<u8>) {
    let backlog = &outputs.snapshot.backlog;
    out.clear();
    for (words, wanted) in [("to run", true), ("keeps", false)] {
        let fits = |decision: Disposition| match decision {
            Disposition::Run(run) => wanted && run.analyser.is_some(),
            Disposition::Hold(_) => !wanted,
            Disposition::Recall(_) | Disposition::Cancel(_) => false,
        };
        let mut first = true;
        for line in backlog.samples[sample].lines().filter(|line| fits(outputs.plan.lines[*line])) {
            if first {
                out.extend_from_slice(if out.is_empty() { b"" } else { b"; " });
                out.extend_from_slice(words.as_bytes());
                first = false;
            }
            out.push(b' ');
            out.extend_from_slice(&codes.tests[backlog.lines[line].test.row()]);
        }
    }
}
