//! What may stand in a cell? Texts that no spreadsheet runs, and times by the clock on the wall.

use std::fs::File;
use std::path::{Path, PathBuf};

use chrono::{Datelike, NaiveDate};
use labtriage_core::nhs;
use labtriage_core::snapshot::Snapshot;
use labtriage_core::time::{Day, Instant, LocalInstant, Zone};
use rustc_hash::FxHashMap;

use super::folder::{OutputError, OutputFolder};
use crate::plan_json::push_number;

/// The buffer of a file that is being written.
const BUFFER: usize = 1 << 17;

/// A CSV file in the making: cell by cell, then [`Self::end`].
pub(super) struct Sheet {
    path: PathBuf,
    writer: csv::Writer<File>,
    scratch: Vec<u8>,
}

impl Sheet {
    /// A file with this header.
    pub(super) fn create(folder: &OutputFolder, name: &str, header: &[&str]) -> Result<Self, OutputError> {
        let writer = csv::WriterBuilder::new().buffer_capacity(BUFFER).from_writer(folder.file(name)?);
        let mut sheet = Self { path: PathBuf::from(name), writer, scratch: Vec::new() };
        for title in header {
            sheet.cell(title.as_bytes())?;
        }
        sheet.end()?;
        Ok(sheet)
    }

    /// A cell that is safe as it stands.
    pub(super) fn cell(&mut self, cell: &[u8]) -> Result<(), OutputError> {
        self.writer.write_field(cell).map_err(|error| write_error(&self.path, error))
    }

    /// A cell of our own words.
    pub(super) fn word(&mut self, word: &str) -> Result<(), OutputError> {
        self.cell(word.as_bytes())
    }

    /// A cell whose text comes from outside.
    pub(super) fn text(&mut self, text: &str) -> Result<(), OutputError> {
        if !is_formula(text.as_bytes()) {
            return self.cell(text.as_bytes());
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        guard_onto(&mut scratch, text);
        let written = self.cell(&scratch);
        self.scratch = scratch;
        written
    }

    /// A number.
    pub(super) fn number(&mut self, number: u64) -> Result<(), OutputError> {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        push_number(&mut scratch, number);
        let written = self.cell(&scratch);
        self.scratch = scratch;
        written
    }

    /// Ends the row.
    pub(super) fn end(&mut self) -> Result<(), OutputError> {
        self.writer.write_record(None::<&[u8]>).map_err(|error| write_error(&self.path, error))
    }

    /// Ends the file.
    pub(super) fn finish(mut self) -> Result<(), OutputError> {
        self.writer.flush().map_err(OutputError::io("write", &self.path))
    }
}

fn write_error(path: &Path, error: csv::Error) -> OutputError {
    OutputError::io("write", path)(std::io::Error::other(error))
}

/// Whether a spreadsheet would take a text for a formula.
fn is_formula(text: &[u8]) -> bool {
    matches!(text.first(), Some(b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r' | b'\n'))
}

fn guard_onto(out: &mut Vec<u8>, text: &str) {
    if is_formula(text.as_bytes()) {
        out.push(b'\'');
    }
    out.extend_from_slice(text.as_bytes());
}

/// A text from outside, made safe for a cell.
pub(crate) fn guarded(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 1);
    guard_onto(&mut out, text);
    out
}

/// A free text written by a person: safe for a cell, and with anything that reads as an NHS number taken out.
pub(super) fn free_text(text: &str) -> String {
    let clean = nhs::without(text);
    if is_formula(clean.as_bytes()) { format!("'{clean}") } else { clean }
}

/// Times by the clock on the wall, remembered by the quarter of an hour.
pub(super) struct LocalTimes {
    zone: Zone,
    /// Minutes to add to UTC, and whether the reading comes twice.
    quarters: FxHashMap<i32, (i32, bool)>,
}

impl LocalTimes {
    pub(super) fn new(zone: Zone) -> Self {
        Self { zone, quarters: FxHashMap::default() }
    }

    /// Adds `2024-06-03 09:30`; in the doubled hour with its distance from UTC; nothing for never.
    pub(super) fn push(&mut self, out: &mut Vec<u8>, instant: Instant) {
        if instant == Instant::FAR {
            return;
        }
        let zone = self.zone;
        let quarter = instant.epoch_minutes().div_euclid(15);
        let (ahead, twice) = *self.quarters.entry(quarter).or_insert_with(|| quarter_of(zone, quarter));
        let local = instant.epoch_minutes().saturating_add(ahead);
        push_date(out, date_of(local.div_euclid(1440)));
        let minute = local.rem_euclid(1440);
        out.push(b' ');
        push_two(out, minute / 60);
        out.push(b':');
        push_two(out, minute % 60);
        if twice {
            out.push(if ahead < 0 { b'-' } else { b'+' });
            push_two(out, ahead.abs() / 60);
            out.push(b':');
            push_two(out, ahead.abs() % 60);
        }
    }

    /// The same as a text of its own.
    pub(super) fn text(&mut self, instant: Instant) -> Vec<u8> {
        let mut out = Vec::with_capacity(16);
        self.push(&mut out, instant);
        out
    }

    /// The local start and end of every slot.
    pub(super) fn slots(&mut self, snapshot: &Snapshot) -> Vec<(Vec<u8>, Vec<u8>)> {
        let grid = &snapshot.grid;
        grid.slots().map(|slot| (self.text(grid.start(slot)), self.text(grid.end(slot)))).collect()
    }
}

fn quarter_of(zone: Zone, quarter: i32) -> (i32, bool) {
    let instant = Instant::from_epoch_minutes(quarter.saturating_mul(15));
    let local = zone.local(instant);
    let ahead = local.signed_duration_since(instant.to_utc().naive_utc()).num_minutes();
    (i32::try_from(ahead).unwrap_or(0), matches!(zone.instant(local), LocalInstant::Twice { .. }))
}

/// The date so many days after 1970-01-01.
fn date_of(days: i32) -> NaiveDate {
    const EPOCH_FROM_CE: i32 = 719_163;
    NaiveDate::from_num_days_from_ce_opt(days.saturating_add(EPOCH_FROM_CE)).unwrap_or(NaiveDate::MAX)
}

/// Adds `2024-06-03`.
pub(super) fn push_day(out: &mut Vec<u8>, day: Day) {
    push_date(out, day.date());
}

fn push_date(out: &mut Vec<u8>, date: NaiveDate) {
    let year = date.year();
    push_two(out, year / 100);
    push_two(out, year % 100);
    out.push(b'-');
    push_two(out, i32::try_from(date.month()).unwrap_or(0));
    out.push(b'-');
    push_two(out, i32::try_from(date.day()).unwrap_or(0));
}

fn push_two(out: &mut Vec<u8>, number: i32) {
    let number = u8::try_from(number.rem_euclid(100)).unwrap_or(0);
    out.extend_from_slice(&[b'0' + number / 10, b'0' + number % 10]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_guard(text: &str, expected: &str) {
        assert_eq!(String::from_utf8(guarded(text)).unwrap(), expected);
    }

    #[test]
    fn a_text_that_a_spreadsheet_would_run_gets_an_apostrophe() {
        for text in ["=1+1", "+44", "-5", "@SUM(A1)", "\tx", "\rx"] {
            check_guard(text, &format!("'{text}"));
        }
        for text in ["", "A1", "1-2", "a=b"] {
            check_guard(text, text);
        }
    }

    #[test]
    fn times_are_local_and_the_doubled_hour_is_told_apart() {
        let mut times = LocalTimes::new(Zone::LONDON);
        let mut check = |utc: &str, expected: &str| {
            let instant = Instant::from_utc(utc.parse().unwrap()).unwrap();
            assert_eq!(String::from_utf8(times.text(instant)).unwrap(), expected);
        };
        check("2024-06-03T08:30:00Z", "2024-06-03 09:30");
        check("2024-12-03T23:59:00Z", "2024-12-03 23:59");
        check("2024-06-03T23:30:00Z", "2024-06-04 00:30");
        check("2024-10-27T00:30:00Z", "2024-10-27 01:30+01:00");
        check("2024-10-27T01:30:00Z", "2024-10-27 01:30+00:00");
        check("2024-10-27T02:00:00Z", "2024-10-27 02:00");
    }
}
