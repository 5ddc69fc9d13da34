//! Whom does each practice call, and whom not? Notices in plain words, by requester.
//!
//! [`notices`] says who is called back; [`left_out`] who is not, and why. The lists of a plan hold them by
//! pseudonym; [`profile`] writes them for a practice's own system once somebody who may has said who is who;
//! [`acknowledge`] reads what a practice sends back.

pub mod acknowledge;
pub mod exported;
pub mod persons;
pub mod profile;

use labtriage_core::backlog::Backlog;
use labtriage_core::flags::FlagSet;
use labtriage_core::plan::{Cancel, Disposition, Hold, Plan, Visit};
use labtriage_core::policy::UnknownRule;
use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::{BandIx, LineIx, PatientIx, RequestIx, RequesterIx, SampleIx};
use labtriage_core::time::Day;
use labtriage_core::viability::{Clock, LostBy};

/// What stands for a visit that the horizon has no room for.
pub(crate) const OPEN: &str = "to be arranged";

/// One patient whom one requester calls.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notice {
    /// Who calls.
    pub requester: RequesterIx,
    /// Who is called.
    pub patient: PatientIx,
    /// The most pressing band of the lines.
    pub band: BandIx,
    /// Every test to repeat, in order of line.
    pub lines: Vec<LineIx>,
    /// The one visit, if the plan has room for one.
    pub visit: Option<Visit>,
    /// By when the visit should be booked: the day before it; without one, the day its results are due; never
    /// before the first day of the plan.
    pub book_by: Day,
}

/// Who is called back: one notice per requester and patient, in order of requester, band and patient. Lines whose
/// result is there by now are left out.
///
/// `resulted` has a mark for each line; an empty one marks none.
pub fn notices(snapshot: &Snapshot, plan: &Plan, resulted: &[bool]) -> Vec<Notice> {
    let backlog = &snapshot.backlog;
    let recalled = plan
        .lines
        .enumerate()
        .filter(|(line, decision)| matches!(decision, Disposition::Recall(_)) && !is_marked(resulted, *line));
    let mut entries: Vec<(RequesterIx, PatientIx, LineIx)> = recalled
        .map(|(line, _)| {
            let request = &backlog.requests[backlog.request_of(line)];
            (request.requester, request.patient, line)
        })
        .collect();
    entries.sort_unstable();
    let groups = entries.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1));
    let mut notices: Vec<Notice> = groups.map(|group| notice(snapshot, plan, group)).collect();
    notices.sort_by_key(|notice| (notice.requester, notice.band, notice.patient));
    notices
}

fn notice(snapshot: &Snapshot, plan: &Plan, group: &[(RequesterIx, PatientIx, LineIx)]) -> Notice {
    let (requester, patient, _) = group[0];
    let lines: Vec<LineIx> = group.iter().map(|entry| entry.2).collect();
    let band = lines.iter().map(|&line| snapshot.bands[line]).min().unwrap_or(snapshot.policy.default_band);
    let visit = plan.visit_of(patient);
    let due = lines.iter().map(|&line| snapshot.network.zone.day(snapshot.due[line])).min();
    let first = snapshot.grid.first_day();
    let book_by = visit.map(|visit| visit.day.plus_days(-1)).or(due).unwrap_or(first).max(first);
    Notice { requester, patient, band, lines, visit, book_by }
}

fn is_marked(marks: &[bool], line: LineIx) -> bool {
    use labtriage_core::table::Ix;
    marks.get(line.row()).copied().unwrap_or(false)
}

impl Notice {
    /// Its requests, in order.
    pub fn requests(&self, backlog: &Backlog) -> Vec<RequestIx> {
        let mut requests: Vec<RequestIx> = self.lines.iter().map(|&line| backlog.request_of(line)).collect();
        requests.sort_unstable();
        requests.dedup();
        requests
    }

    /// The codes of its requests: `R1; R2`.
    pub fn request_words(&self, backlog: &Backlog) -> String {
        let codes: Vec<&str> =
            self.requests(backlog).into_iter().map(|request| backlog.request_code(request)).collect();
        codes.join("; ")
    }

    /// The tests to repeat: `Potassium (K); TSH`.
    pub fn test_words(&self, snapshot: &Snapshot) -> String {
        test_words(snapshot, &self.lines)
    }

    /// How many tubes of each kind are needed: `1 x EDTA; 2 x SST`.
    pub fn tube_words(&self, snapshot: &Snapshot) -> String {
        let backlog = &snapshot.backlog;
        let mut samples: Vec<SampleIx> = self.lines.iter().map(|&line| backlog.lines[line].sample).collect();
        samples.dedup();
        let mut specimens: Vec<_> = samples.into_iter().map(|sample| backlog.samples[sample].specimen).collect();
        specimens.sort_unstable();
        let words = specimens
            .chunk_by(|a, b| a == b)
            .map(|same| format!("{} x {}", same.len(), snapshot.catalogue.specimens[same[0]].code));
        words.collect::<Vec<_>>().join("; ")
    }

    /// Where the visit is: `Lister Health Centre (LISTER)`.
    pub fn point_words(&self, snapshot: &Snapshot) -> String {
        let Some(visit) = self.visit else { return OPEN.to_owned() };
        let point = &snapshot.network.collection_points[visit.point];
        if point.name == point.code { point.code.clone() } else { format!("{} ({})", point.name, point.code) }
    }

    /// Why new samples are needed, in plain words.
    pub fn reason_words(&self, snapshot: &Snapshot) -> String {
        let mut reasons: Vec<&str> = self.lines.iter().map(|&line| reason(snapshot, line)).collect();
        reasons.sort_unstable();
        reasons.dedup();
        format!("A new sample is needed: {}.", reasons.join("; "))
    }
}

fn test_words(snapshot: &Snapshot, lines: &[LineIx]) -> String {
    let mut tests: Vec<_> = lines.iter().map(|&line| snapshot.backlog.lines[line].test).collect();
    tests.sort_unstable();
    tests.dedup();
    let words = tests.into_iter().map(|test| {
        let facts = &snapshot.catalogue.tests[test];
        if facts.name == facts.code { facts.code.clone() } else { format!("{} ({})", facts.name, facts.code) }
    });
    words.collect::<Vec<_>>().join("; ")
}

fn reason(snapshot: &Snapshot, line: LineIx) -> &'static str {
    let sample = snapshot.backlog.lines[line].sample;
    let untimed =
        snapshot.backlog.samples[sample].collected_unknown && snapshot.policy.unknown_time == UnknownRule::Exclude;
    match snapshot.clocks[line] {
        _ if untimed => "it is not known when the first one was collected",
        Clock::Lost(_, LostBy::Forbidden(_) | LostBy::FrozenTwice | LostBy::AlreadySeparated) => {
            "the first one could not be kept in the right way for this test"
        }
        Clock::Unknown(_) => "it is not known how long the first one keeps for this test",
        Clock::Until(closes) if closes > snapshot.now => "the laboratory cannot test the first one in time",
        Clock::Lost(_, LostBy::Expiry(_)) | Clock::Until(_) => "the first one is too old for a reliable result",
    }
}

/// Why nobody is called for a test.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum LeftOutBecause {
    /// Another sample answers the same question within the retest interval.
    Duplicate,
    /// A result was there when the plan was made.
    Tested,
    /// A result has come since the plan was made.
    TestedSince,
    /// The patient has died.
    Deceased,
    /// The patient has left the practice.
    Deregistered,
    /// The identity store does not know the patient.
    NotInStore,
    /// An earlier list called the patient for it, and the practice has not answered yet.
    Called,
    /// The practice has booked a visit for it.
    Booked,
    /// New samples were taken for it within the retest interval.
    Bled,
    /// The patient or the practice has declined new samples for this tube.
    Declined,
    /// The practice has answered that the patient is not its own.
    NotOurs,
}

impl LeftOutBecause {
    /// The reason in plain words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Duplicate => "another sample answers the same question within the retest interval",
            Self::Tested => "a result was already there when the plan was made",
            Self::TestedSince => "a result has come since the plan was made",
            Self::Deceased => "the patient is marked as deceased",
            Self::Deregistered => "the patient is marked as no longer registered",
            Self::NotInStore => "the identity store does not know the patient: find out by the request who it is",
            Self::Called => "an earlier list has called the patient for it, and the practice has not answered yet",
            Self::Booked => "the practice has booked a visit for it",
            Self::Bled => "new samples were taken for it within the retest interval",
            Self::Declined => "the patient or the practice has declined new samples for it",
            Self::NotOurs => "the practice has answered that the patient is not its own: find out whose",
        }
    }
}

/// Tests of a request for which nobody is called.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LeftOut {
    /// Who asked.
    pub requester: RequesterIx,
    /// In which request.
    pub request: RequestIx,
    /// Why nobody is called.
    pub because: LeftOutBecause,
    /// For which tests, in order of line.
    pub lines: Vec<LineIx>,
}

impl LeftOut {
    /// The tests: `Potassium (K); TSH`.
    pub fn test_words(&self, snapshot: &Snapshot) -> String {
        test_words(snapshot, &self.lines)
    }
}

/// Who is not called back and why, in order of requester, request and reason. `resulted` as for [`notices`];
/// `others` are lines of notices that were not sent for a reason that the plan does not know.
pub fn left_out(
    snapshot: &Snapshot,
    plan: &Plan,
    resulted: &[bool],
    others: &[(LeftOutBecause, LineIx)],
) -> Vec<LeftOut> {
    let backlog = &snapshot.backlog;
    let decided = plan
        .lines
        .enumerate()
        .filter_map(|(line, decision)| Some((because(snapshot, line, decision, is_marked(resulted, line))?, line)));
    let mut entries: Vec<_> = decided
        .chain(others.iter().copied())
        .map(|(because, line)| {
            let request = backlog.request_of(line);
            (backlog.requests[request].requester, request, because, line)
        })
        .collect();
    entries.sort_unstable();
    let groups = entries.chunk_by(|a, b| (a.0, a.1, a.2) == (b.0, b.1, b.2));
    groups
        .map(|group| {
            let (requester, request, because, _) = group[0];
            LeftOut { requester, request, because, lines: group.iter().map(|entry| entry.3).collect() }
        })
        .collect()
}

fn because(snapshot: &Snapshot, line: LineIx, decision: &Disposition, resulted: bool) -> Option<LeftOutBecause> {
    match decision {
        Disposition::Recall(_) if resulted => Some(LeftOutBecause::TestedSince),
        Disposition::Cancel(Cancel::Duplicate(_)) => Some(LeftOutBecause::Duplicate),
        Disposition::Cancel(Cancel::Superseded) => Some(LeftOutBecause::Tested),
        Disposition::Hold(Hold::NotRecallable) => {
            let patient = &snapshot.backlog.patients[snapshot.backlog.patient_of(line)];
            let died = patient.flags.meets(FlagSet::DECEASED);
            Some(if died { LeftOutBecause::Deceased } else { LeftOutBecause::Deregistered })
        }
        _ => None,
    }
}
