//! Whom does each practice call? One list per requester, with its own patients only.

use labtriage_core::backlog::Backlog;
use labtriage_core::plan::Disposition;
use labtriage_core::policy::UnknownRule;
use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::{BandIx, Ix, LineIx, PatientIx, RequesterIx, SampleIx};
use labtriage_core::time::Day;
use labtriage_core::viability::{Clock, LostBy};

use super::Outputs;
use super::cells::{Sheet, guarded, push_day};
use super::codes::Codes;
use super::folder::{OutputError, OutputFolder, file_names};

const HEADER: [&str; 9] =
    ["patient", "requests", "tests", "tubes", "band", "visit_point", "visit_day", "book_by", "reason"];

/// What stands for a visit that the horizon has no room for.
const OPEN: &str = "to be arranged";

/// A recalled line, in the order of the lists.
type Entry = (RequesterIx, PatientIx, LineIx);

/// Writes `recalls/<ODS>.csv` for every requester that has a patient to call.
pub(super) fn write(folder: &OutputFolder, outputs: &Outputs<'_>) -> Result<(), OutputError> {
    let snapshot = outputs.snapshot;
    let backlog = &snapshot.backlog;
    let recalled = outputs.plan.lines.enumerate().filter(|(_, decision)| matches!(decision, Disposition::Recall(_)));
    let mut entries: Vec<Entry> = recalled
        .map(|(line, _)| {
            let request = &backlog.requests[backlog.request_of(line)];
            (request.requester, request.patient, line)
        })
        .collect();
    entries.sort_unstable();
    // All requesters are named, so that a file has the same name whoever is recalled.
    let names = file_names(snapshot.network.requesters.iter().map(|requester| requester.ods.as_str()));
    let writer = Writer { outputs, codes: Codes::new(snapshot), points: points(snapshot) };
    for group in entries.chunk_by(|a, b| a.0 == b.0) {
        let mut sheet = Sheet::create(folder, &format!("recalls/{}.csv", names[group[0].0.row()]), &HEADER)?;
        let mut patients: Vec<(BandIx, &[Entry])> = group
            .chunk_by(|a, b| a.1 == b.1)
            .map(|lines| {
                (lines.iter().map(|entry| snapshot.bands[entry.2]).min().unwrap_or(snapshot.policy.default_band), lines)
            })
            .collect();
        patients.sort_by_key(|(band, lines)| (*band, lines[0].1));
        for (band, lines) in patients {
            writer.row(&mut sheet, band, lines)?;
        }
        sheet.finish()?;
    }
    Ok(())
}

/// Names and codes of the collection points, safe for a cell.
fn points(snapshot: &Snapshot) -> Vec<Vec<u8>> {
    let words = |name: &str, code: &str| if name == code { code.to_owned() } else { format!("{name} ({code})") };
    snapshot.network.collection_points.iter().map(|point| guarded(&words(&point.name, &point.code))).collect()
}

struct Writer<'a> {
    outputs: &'a Outputs<'a>,
    codes: Codes,
    points: Vec<Vec<u8>>,
}

impl Writer<'_> {
    fn row(&self, sheet: &mut Sheet, band: BandIx, lines: &[Entry]) -> Result<(), OutputError> {
        let snapshot = self.outputs.snapshot;
        let backlog = &snapshot.backlog;
        let patient = lines[0].1;
        sheet.text(backlog.pseudonym(patient).expose())?;
        let requests = lines.iter().map(|entry| backlog.request_of(entry.2));
        sheet.text(&distinct(requests, |request| backlog.request_code(request).to_owned()))?;
        let tests = lines.iter().map(|entry| backlog.lines[entry.2].test);
        sheet.text(&distinct(tests, |test| {
            let facts = &snapshot.catalogue.tests[test];
            if facts.name == facts.code { facts.code.clone() } else { format!("{} ({})", facts.name, facts.code) }
        }))?;
        sheet.text(&self.tubes(backlog, lines))?;
        sheet.cell(&self.codes.bands[band.row()])?;
        let visit = self.outputs.plan.visit_of(patient);
        match visit {
            Some(visit) => {
                sheet.cell(&self.points[visit.point.row()])?;
                sheet.cell(&day(visit.day))?;
            }
            None => {
                sheet.word(OPEN)?;
                sheet.word(OPEN)?;
            }
        }
        sheet.cell(&day(self.book_by(visit.map(|visit| visit.day), lines)))?;
        sheet.word(&reasons(snapshot, lines))?;
        sheet.end()
    }

    /// How many tubes of each kind are needed: `1 x EDTA; 2 x SST`.
    fn tubes(&self, backlog: &Backlog, lines: &[Entry]) -> String {
        let mut samples: Vec<SampleIx> = lines.iter().map(|entry| backlog.lines[entry.2].sample).collect();
        samples.dedup();
        let mut specimens: Vec<_> = samples.into_iter().map(|sample| backlog.samples[sample].specimen).collect();
        specimens.sort_unstable();
        let words = specimens.chunk_by(|a, b| a == b).map(|same| {
            let code = &self.outputs.snapshot.catalogue.specimens[same[0]].code;
            format!("{} x {code}", same.len())
        });
        words.collect::<Vec<_>>().join("; ")
    }

    /// The day before the visit; without one, the day its results are due; never before today.
    fn book_by(&self, visit: Option<Day>, lines: &[Entry]) -> Day {
        let snapshot = self.outputs.snapshot;
        let zone = snapshot.network.zone;
        let due = lines.iter().map(|entry| zone.day(snapshot.due[entry.2])).min();
        let day = visit.map(|day| day.plus_days(-1)).or(due);
        day.unwrap_or(snapshot.grid.first_day()).max(snapshot.grid.first_day())
    }
}

fn day(day: Day) -> Vec<u8> {
    let mut out = Vec::with_capacity(10);
    push_day(&mut out, day);
    out
}

/// Distinct values in order, as words.
fn distinct<T: Ord + Copy>(values: impl Iterator<Item = T>, words: impl Fn(T) -> String) -> String {
    let mut values: Vec<T> = values.collect();
    values.sort_unstable();
    values.dedup();
    values.into_iter().map(words).collect::<Vec<_>>().join("; ")
}

/// Why new samples are needed, in plain words.
fn reasons(snapshot: &Snapshot, lines: &[Entry]) -> String {
    let mut reasons: Vec<&str> = lines.iter().map(|entry| reason(snapshot, entry.2)).collect();
    reasons.sort_unstable();
    reasons.dedup();
    format!("A new sample is needed: {}.", reasons.join("; "))
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
