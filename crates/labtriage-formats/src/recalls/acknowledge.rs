//! What does a practice answer? Booked, done, declined or not ours, each row checked against its list.
//!
//! A practice sends its list back with two columns filled in: `answer` (`booked`, `done`, `declined`, `not ours`)
//! and `answer_day`, which `booked` and `done` need. A row names its patient by `requests`, `patient` or
//! `nhs_number`, whichever the list had; other columns are not read. Rows without an answer are counted and left.
//! Nothing that is said of a row repeats what stands in it.

use std::collections::BTreeMap;
use std::io::Read;

use chrono::NaiveDate;
use csv::StringRecord;
use labtriage_core::finding::{Code, Finding};
use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::{PatientIx, RequesterIx};
use labtriage_core::time::Day;

use super::Notice;
use crate::extract::{Found, Rows};

/// What a practice says of a patient on its list.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Answer {
    /// A visit is booked on this day.
    Booked(Day),
    /// New samples were taken on this day.
    Done(Day),
    /// The patient, or the practice, wants no new samples.
    Declined,
    /// The patient is not this practice's.
    NotOurs,
}

impl Answer {
    /// The word used in files.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Booked(_) => "booked",
            Self::Done(_) => "done",
            Self::Declined => "declined",
            Self::NotOurs => "not ours",
        }
    }

    /// The day of the visit.
    pub const fn day(self) -> Option<Day> {
        match self {
            Self::Booked(day) | Self::Done(day) => Some(day),
            Self::Declined | Self::NotOurs => None,
        }
    }
}

/// An answer about one patient on the list of one practice: parsed and checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Acknowledgement {
    /// Who answers.
    pub requester: RequesterIx,
    /// About whom.
    pub patient: PatientIx,
    /// What.
    pub answer: Answer,
    /// Line in the file, from 1.
    pub line: u32,
}

/// Why a row is given back.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum RejectReason {
    /// It cannot be read as a row of this file.
    Unreadable,
    /// It names nobody.
    NamesNobody,
    /// It names nobody who is on this practice's list.
    NotOnTheList,
    /// Its columns name different patients.
    SeveralPatients,
    /// Its answer is none of the four.
    UnknownAnswer,
    /// `booked` or `done` without a day.
    DayMissing,
    /// The day cannot be read.
    DayUnreadable,
    /// Booked or done before the list was made, or done after today.
    DayImpossible,
    /// Another row says something else of the same patient; all of them are given back.
    Contradiction,
    /// The ledger has no recall of this patient by this practice.
    NotRecorded,
    /// New samples were taken already: only their day may be corrected.
    Done,
    /// The recall was withdrawn.
    Withdrawn,
    /// The recall is closed, and the patient has been called back by another one since.
    CalledAgain,
}

impl RejectReason {
    /// The reason in plain words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Unreadable => {
                "the row cannot be read: not UTF-8, too long, or with more or fewer fields than the header"
            }
            Self::NamesNobody => "the row names nobody: requests, patient or nhs_number must be filled in",
            Self::NotOnTheList => "the row names nobody who is on this practice's list",
            Self::SeveralPatients => "the columns of the row name different patients",
            Self::UnknownAnswer => "the answer is none of: booked, done, declined, not ours",
            Self::DayMissing => "`booked` and `done` need a day in `answer_day`",
            Self::DayUnreadable => "the day is written neither 2024-06-03 nor 03/06/2024",
            Self::DayImpossible => "the day is before the list was made, or a visit that is done lies in the future",
            Self::Contradiction => "another row says something else of the same patient",
            Self::NotRecorded => "the ledger has no recall of this patient by this practice",
            Self::Done => "the ledger says that new samples were taken already: only their day can be corrected",
            Self::Withdrawn => "the recall was withdrawn: nobody waits for this answer",
            Self::CalledAgain => "the patient is called back by another recall by now: this one cannot be opened again",
        }
    }
}

/// A row that is given back.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Reject {
    /// Line in the file, from 1.
    pub line: u32,
    /// Why.
    pub reason: RejectReason,
}

/// What a practice has sent back.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Acknowledgements {
    /// Answers, one per patient, in order of patient.
    pub accepted: Vec<Acknowledgement>,
    /// Rows given back, in order of line.
    pub rejects: Vec<Reject>,
    /// Rows without an answer.
    pub unanswered: u64,
    /// Rows in the file, header and blank lines aside.
    pub rows_read: u64,
    /// SHA-256 of the file's bytes, in hexadecimal.
    pub digest: String,
}

/// Against what answers are checked.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// The plan's inputs.
    pub snapshot: &'a Snapshot,
    /// Whose answers these are.
    pub requester: RequesterIx,
    /// The notices of the plan; those of others are passed over.
    pub notices: &'a [Notice],
    /// Pseudonyms that an NHS number may have, as typed; none without the key.
    pub pseudonyms: &'a dyn Fn(&str) -> Vec<String>,
    /// The local day on which the file is read.
    pub today: Day,
}

/// Reads what a practice has sent back; `name` is the file as the user named it.
///
/// # Errors
/// What stops it: a file that cannot be read, without rows, or without the columns that are needed.
pub fn read_acknowledgements(
    reader: impl Read,
    name: &str,
    known: &Known<'_>,
) -> Result<Acknowledgements, Vec<Finding>> {
    let mut rows = Rows::new(reader, name, b',', None);
    let (line, header) = rows.header()?;
    let columns = Columns::find(&header).map_err(|finding| vec![finding.at(name, line, 0)])?;
    let mut read: Vec<Acknowledgement> = Vec::new();
    let mut found = Acknowledgements::default();
    let list = List::new(known);
    found.rows_read = rows.each(|line, row| match columns.answer(&row, &list) {
        Ok(Some((patient, answer))) => {
            read.push(Acknowledgement { requester: known.requester, patient, answer, line });
        }
        Ok(None) => found.unanswered += 1,
        Err(reason) => found.rejects.push(Reject { line, reason }),
    })?;
    read.sort_by_key(|one| (one.patient, one.line));
    for same in read.chunk_by(|a, b| a.patient == b.patient) {
        if same.iter().all(|one| one.answer == same[0].answer) {
            found.accepted.push(same[0].clone());
        } else {
            let back = same.iter().map(|one| Reject { line: one.line, reason: RejectReason::Contradiction });
            found.rejects.extend(back);
        }
    }
    found.rejects.sort_unstable();
    found.digest = rows.digest();
    Ok(found)
}

/// Where in a row everything stands.
struct Columns {
    fields: usize,
    requests: Option<usize>,
    patient: Option<usize>,
    nhs_number: Option<usize>,
    answer: usize,
    day: Option<usize>,
}

impl Columns {
    fn find(header: &StringRecord) -> Result<Self, Finding> {
        let place = |names: &[&str]| {
            header.iter().position(|title| names.iter().any(|name| title.trim().eq_ignore_ascii_case(name)))
        };
        let (requests, patient) = (place(&["requests", "request"]), place(&["patient"]));
        let nhs_number = place(&["nhs_number", "nhs number"]);
        let missing = |what: &str| {
            let hint =
                "send the practice's own list back, as CSV with commas, with `answer` and `answer_day` filled in";
            Finding::new(Code::MissingColumn, format!("missing column {what}")).hint(hint)
        };
        if requests.is_none() && patient.is_none() && nhs_number.is_none() {
            return Err(missing("`requests`, `patient` or `nhs_number`"));
        }
        let answer = place(&["answer"]).ok_or_else(|| missing("`answer`"))?;
        Ok(Self {
            fields: header.len(),
            requests,
            patient,
            nhs_number,
            answer,
            day: place(&["answer_day", "answer day"]),
        })
    }

    /// Whom a row is about and what it says; `None` without an answer.
    fn answer(&self, row: &Found<'_>, list: &List<'_>) -> Result<Option<(PatientIx, Answer)>, RejectReason> {
        let Found::Text(record) = row else { return Err(RejectReason::Unreadable) };
        if record.len() != self.fields {
            return Err(RejectReason::Unreadable);
        }
        let field = |at: Option<usize>| at.and_then(|at| record.get(at)).map_or("", str::trim);
        if field(Some(self.answer)).is_empty() && field(self.day).is_empty() {
            return Ok(None);
        }
        let patient = list.patient(field(self.requests), field(self.patient), field(self.nhs_number))?;
        Ok(Some((patient, list.answer(field(Some(self.answer)), field(self.day))?)))
    }
}

/// A cell without the apostrophe that keeps it from being run; `None` for an empty one.
fn named(cell: &str) -> Option<&str> {
    Some(cell.strip_prefix('\'').unwrap_or(cell)).filter(|text| !text.is_empty())
}

/// The list of the practice, by what its rows may be named by.
struct List<'a> {
    known: &'a Known<'a>,
    patients: BTreeMap<&'a str, PatientIx>,
    requests: BTreeMap<&'a str, PatientIx>,
}

impl<'a> List<'a> {
    fn new(known: &'a Known<'a>) -> Self {
        let backlog = &known.snapshot.backlog;
        let mut list = Self { known, patients: BTreeMap::new(), requests: BTreeMap::new() };
        for notice in known.notices.iter().filter(|notice| notice.requester == known.requester) {
            list.patients.insert(backlog.pseudonym(notice.patient).expose(), notice.patient);
            let requests = notice.requests(backlog).into_iter();
            list.requests.extend(requests.map(|request| (backlog.request_code(request), notice.patient)));
        }
        list
    }

    /// The one patient that all filled columns of a row name.
    fn patient(&self, requests: &str, patient: &str, number: &str) -> Result<PatientIx, RejectReason> {
        let mut found: Vec<Option<PatientIx>> = Vec::new();
        let codes = requests.split(';').map(str::trim).filter_map(named);
        found.extend(codes.map(|code| self.requests.get(code).copied()));
        found.extend(named(patient).map(|pseudonym| self.patients.get(pseudonym).copied()));
        found.extend(named(number).map(|number| self.by_number(number)));
        let Some(first) = found.first().copied() else { return Err(RejectReason::NamesNobody) };
        let all: Option<Vec<PatientIx>> = found.into_iter().collect();
        let (Some(first), Some(all)) = (first, all) else { return Err(RejectReason::NotOnTheList) };
        if all.iter().any(|other| *other != first) { Err(RejectReason::SeveralPatients) } else { Ok(first) }
    }

    fn by_number(&self, number: &str) -> Option<PatientIx> {
        (self.known.pseudonyms)(number).iter().find_map(|pseudonym| self.patients.get(pseudonym.as_str()).copied())
    }

    fn answer(&self, answer: &str, day: &str) -> Result<Answer, RejectReason> {
        let plain = answer.to_lowercase().replace(['_', '-'], " ");
        match plain.as_str() {
            "booked" => self.day(day, false).map(Answer::Booked),
            "done" => self.day(day, true).map(Answer::Done),
            "declined" => Ok(Answer::Declined),
            "not ours" => Ok(Answer::NotOurs),
            _ => Err(RejectReason::UnknownAnswer),
        }
    }

    fn day(&self, text: &str, done: bool) -> Result<Day, RejectReason> {
        if text.is_empty() {
            return Err(RejectReason::DayMissing);
        }
        let read = ["%Y-%m-%d", "%d/%m/%Y"].iter().find_map(|format| NaiveDate::parse_from_str(text, format).ok());
        let day = Day::from_date(read.ok_or(RejectReason::DayUnreadable)?);
        let known = self.known;
        let possible = day >= known.snapshot.grid.first_day() && (!done || day <= known.today);
        if possible { Ok(day) } else { Err(RejectReason::DayImpossible) }
    }
}
