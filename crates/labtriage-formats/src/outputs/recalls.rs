//! Whom does each practice call, by pseudonym? One list per requester, with its own patients only.

use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::Ix;
use labtriage_core::time::Day;

use super::Outputs;
use super::cells::{Sheet, guarded, push_day};
use super::codes::Codes;
use super::folder::{OutputError, OutputFolder, file_names};
use crate::recalls::{LeftOut, Notice, OPEN, notices};

const HEADER: [&str; 9] =
    ["patient", "requests", "tests", "tubes", "band", "visit_point", "visit_day", "book_by", "reason"];

/// Writes `recalls/<ODS>.csv` for every requester that has a patient to call.
pub(super) fn write(folder: &OutputFolder, outputs: &Outputs<'_>) -> Result<(), OutputError> {
    let snapshot = outputs.snapshot;
    // All requesters are named, so that a file has the same name whoever is recalled.
    let names = file_names(snapshot.network.requesters.iter().map(|requester| requester.ods.as_str()));
    let codes = Codes::new(snapshot);
    for group in notices(snapshot, outputs.plan, &[]).chunk_by(|a, b| a.requester == b.requester) {
        let mut sheet = Sheet::create(folder, &format!("recalls/{}.csv", names[group[0].requester.row()]), &HEADER)?;
        for notice in group {
            row(&mut sheet, snapshot, &codes, notice)?;
        }
        sheet.finish()?;
    }
    Ok(())
}

fn row(sheet: &mut Sheet, snapshot: &Snapshot, codes: &Codes, notice: &Notice) -> Result<(), OutputError> {
    sheet.text(snapshot.backlog.pseudonym(notice.patient).expose())?;
    sheet.text(&notice.request_words(&snapshot.backlog))?;
    sheet.text(&notice.test_words(snapshot))?;
    sheet.text(&notice.tube_words(snapshot))?;
    sheet.cell(&codes.bands[notice.band.row()])?;
    sheet.cell(&guarded(&notice.point_words(snapshot)))?;
    match notice.visit {
        Some(visit) => sheet.cell(&day(visit.day))?,
        None => sheet.word(OPEN)?,
    }
    sheet.cell(&day(notice.book_by))?;
    sheet.word(&notice.reason_words(snapshot))?;
    sheet.end()
}

fn day(day: Day) -> Vec<u8> {
    let mut out = Vec::with_capacity(10);
    push_day(&mut out, day);
    out
}

/// Writes `left-out.csv`: for which requests nobody is called, and why. It names nobody, but is of all practices.
///
/// # Errors
/// [`OutputError`] when the system refuses.
pub fn write_left_out(folder: &OutputFolder, snapshot: &Snapshot, all: &[LeftOut]) -> Result<(), OutputError> {
    let mut sheet = Sheet::create(folder, "left-out.csv", &["requester", "request", "tests", "reason"])?;
    for one in all {
        sheet.text(&snapshot.network.requesters[one.requester].ods)?;
        sheet.text(snapshot.backlog.request_code(one.request))?;
        sheet.text(&one.test_words(snapshot))?;
        sheet.word(one.because.words())?;
        sheet.end()?;
    }
    sheet.finish()
}
