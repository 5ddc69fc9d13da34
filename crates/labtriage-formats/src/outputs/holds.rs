//! What waits, and for whom? Lines that are held, with the reason and what a person must do.

use labtriage_core::plan::{Disposition, Hold};
use labtriage_core::table::Ix;
use labtriage_core::time::Instant;
use labtriage_core::viability::Clock;

use super::Outputs;
use super::cells::{LocalTimes, Sheet, free_text};
use super::codes::{Codes, hold_words};
use super::folder::{OutputError, OutputFolder};
use super::way::Walk;

const HEADER: [&str; 9] = [
    "accession",
    "specimen",
    "site",
    "test",
    "name",
    "band",
    "reason",
    "what_to_do",
    "window_closes (by example figures)",
];

/// Writes `holds.csv`.
pub(super) fn write(folder: &OutputFolder, outputs: &Outputs<'_>) -> Result<(), OutputError> {
    let snapshot = outputs.snapshot;
    let codes = Codes::new(snapshot);
    let mut times = LocalTimes::new(snapshot.network.zone);
    let mut sheet = Sheet::create(folder, "holds.csv", &HEADER)?;
    let mut scratch = Vec::new();
    let mut walk = Walk::new(snapshot);
    for (sample, facts) in snapshot.backlog.samples.enumerate() {
        if !facts.lines().any(|line| matches!(outputs.plan.lines[line], Disposition::Hold(_))) {
            continue;
        }
        walk.walk(outputs.plan, sample);
        for line in facts.lines() {
            let Disposition::Hold(hold) = outputs.plan.lines[line] else { continue };
            let test = snapshot.backlog.lines[line].test;
            let closes = match walk.clock(line, walk.tube()) {
                Clock::Until(closes) | Clock::Lost(closes, _) => closes,
                Clock::Unknown(_) => Instant::FAR,
            };
            sheet.text(snapshot.backlog.accession(sample))?;
            sheet.cell(&codes.specimens[facts.specimen.row()])?;
            sheet.cell(&codes.sites[facts.site.row()])?;
            sheet.cell(&codes.tests[test.row()])?;
            sheet.cell(&codes.test_names[test.row()])?;
            sheet.cell(&codes.bands[snapshot.bands[line].row()])?;
            let (reason, to_do) = hold_words(hold);
            match hold {
                Hold::Override(by) => {
                    let about = &snapshot.overrides.all[by];
                    sheet.word(&format!("{reason}: {} (line {})", free_text(&about.why), about.line))?;
                }
                _ => sheet.word(reason)?,
            }
            sheet.word(to_do)?;
            scratch.clear();
            times.push(&mut scratch, closes);
            sheet.cell(&scratch)?;
            sheet.end()?;
        }
    }
    sheet.finish()
}
