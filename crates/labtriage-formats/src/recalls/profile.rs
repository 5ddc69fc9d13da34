//! How does a practice's own system want its list? Four profiles of CSV, each with identities in it.
//!
//! | profile | columns | dates |
//! |---|---|---|
//! | `generic` | everything, and two empty columns for the practice's answer | `2024-06-03` |
//! | `accurx-emis` | NHS Number, EMIS Number | none |
//! | `accurx-systmone` | NHS Number, Mobile/Telecom Number, Date of Birth, Name | `03/06/2024` |
//! | `no-header` | NHS number, date of birth | `03/06/2024` |
//!
//! Columns of the last three are those of the targets' help pages (Accurx 4890999 and 6867494; appt-health). A
//! laboratory knows neither mobile nor EMIS numbers: these columns are empty, and the practice joins them. NHS
//! numbers are text: in `generic` three, three and four digits, as the NHS Data Dictionary displays them, which no
//! spreadsheet takes for a number; else ten digits.

use std::fmt;

use chrono::NaiveDate;
use labtriage_core::snapshot::Snapshot;
use labtriage_core::time::Day;

use super::{Notice, OPEN};
use crate::outputs::guarded;

/// For which system a list is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Profile {
    /// For people and spreadsheets.
    Generic,
    /// A batch of Accurx in a practice with EMIS.
    AccurxEmis,
    /// A batch of Accurx in a practice with SystmOne.
    AccurxSystmone,
    /// Number and date of birth, without a header.
    NoHeader,
}

impl Profile {
    /// All profiles.
    pub const ALL: [Self; 4] = [Self::Generic, Self::AccurxEmis, Self::AccurxSystmone, Self::NoHeader];

    /// The word used on the command line.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Generic => "generic",
            Self::AccurxEmis => "accurx-emis",
            Self::AccurxSystmone => "accurx-systmone",
            Self::NoHeader => "no-header",
        }
    }

    /// The titles of the columns; none without a header.
    pub const fn header(self) -> &'static [&'static str] {
        match self {
            Self::Generic => &[
                "nhs_number",
                "name",
                "date_of_birth",
                "requests",
                "tests",
                "tubes",
                "band",
                "visit_point",
                "visit_day",
                "book_by",
                "reason",
                "answer",
                "answer_day",
            ],
            Self::AccurxEmis => &["NHS Number", "EMIS Number"],
            Self::AccurxSystmone => &["NHS Number", "Mobile/Telecom Number", "Date of Birth", "Name"],
            Self::NoHeader => &[],
        }
    }

    /// The cells of a row.
    fn cells(self, snapshot: &Snapshot, who: &Contact<'_>, notice: &Notice) -> Vec<String> {
        let born = |format: &str| who.date_of_birth.map_or_else(String::new, |date| date.format(format).to_string());
        let number = who.nhs_number.to_owned();
        match self {
            Self::Generic => generic(snapshot, who, born("%Y-%m-%d"), notice),
            Self::AccurxEmis => vec![number, String::new()],
            Self::AccurxSystmone => vec![number, String::new(), born("%d/%m/%Y"), who.name.to_owned()],
            Self::NoHeader => vec![number, born("%d/%m/%Y")],
        }
    }
}

fn generic(snapshot: &Snapshot, who: &Contact<'_>, born: String, notice: &Notice) -> Vec<String> {
    let day = |day: Day| day.date().format("%Y-%m-%d").to_string();
    vec![
        spaced(who.nhs_number),
        who.name.to_owned(),
        born,
        notice.request_words(&snapshot.backlog),
        notice.test_words(snapshot),
        notice.tube_words(snapshot),
        snapshot.policy.bands[notice.band].code.clone(),
        notice.point_words(snapshot),
        notice.visit.map_or_else(|| OPEN.to_owned(), |visit| day(visit.day)),
        day(notice.book_by),
        notice.reason_words(snapshot),
        String::new(),
        String::new(),
    ]
}

/// Three, three and four digits.
fn spaced(number: &str) -> String {
    match (number.get(..3), number.get(3..6), number.get(6..)) {
        (Some(first), Some(second), Some(third)) => format!("{first} {second} {third}"),
        _ => number.to_owned(),
    }
}

/// Who is called, exposed for the list that a practice gets. It has no `Display`, and its `Debug` says nothing.
#[derive(Clone, Copy)]
pub struct Contact<'a> {
    /// Ten digits.
    pub nhs_number: &'a str,
    /// If known.
    pub date_of_birth: Option<NaiveDate>,
    /// Empty when not known.
    pub name: &'a str,
}

impl fmt::Debug for Contact<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Contact(redacted)")
    }
}

/// A practice's list as bytes: UTF-8, with a byte order mark for old spreadsheets if asked for. No cell runs as a
/// formula.
pub fn list(profile: Profile, bom: bool, snapshot: &Snapshot, rows: &[(Contact<'_>, &Notice)]) -> Vec<u8> {
    let out = if bom { b"\xEF\xBB\xBF".to_vec() } else { Vec::new() };
    let mut writer = csv::WriterBuilder::new().from_writer(out);
    // Writing to memory cannot fail, and all rows have as many cells as the header.
    if !profile.header().is_empty() {
        let _ = writer.write_record(profile.header());
    }
    for (who, notice) in rows {
        let cells = profile.cells(snapshot, who, notice);
        let _ = writer.write_record(cells.iter().map(|cell| guarded(cell)));
    }
    writer.into_inner().unwrap_or_default()
}
