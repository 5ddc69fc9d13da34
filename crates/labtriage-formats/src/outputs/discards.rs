//! What should be discarded, and why? Proposals only: a person authorises each of them.

use std::fmt::Write as _;

use labtriage_core::catalogue::State;
use labtriage_core::plan::{Cancel, Discard, Disposition, Hold};
use labtriage_core::table::{Ix, LineIx, SampleIx};
use labtriage_core::time::Instant;
use labtriage_core::viability::{Clock, LostBy};

use super::Outputs;
use super::cells::{LocalTimes, Sheet, free_text, guarded, push_day};
use super::codes::{Codes, LIMIT_TITLE, LimitBook};
use super::folder::{OutputError, OutputFolder};

const HEADER: [&str; 21] = [
    "accession",
    "specimen",
    "site",
    "collected",
    "collected_is",
    "received",
    "lines",
    "reason_code (HL7 table 0490)",
    "reason",
    LIMIT_TITLE,
    "limit_test",
    "limit_state",
    "limit_sources",
    "limit_basis",
    "catalogue_version",
    "hold_ended",
    "requester",
    "patient",
    "recall",
    "authorised_by",
    "second_checker",
];

/// Writes `discards.csv`.
pub(super) fn write(folder: &OutputFolder, outputs: &Outputs<'_>) -> Result<(), OutputError> {
    let mut sheet = Sheet::create(folder, "discards.csv", &HEADER)?;
    let snapshot = outputs.snapshot;
    let mut writer = Writer {
        outputs,
        codes: Codes::new(snapshot),
        limits: LimitBook::default(),
        times: LocalTimes::new(snapshot.network.zone),
        version: guarded(&snapshot.catalogue.version),
        text: String::new(),
    };
    for sample in snapshot.backlog.samples.indices() {
        if let Some(discard) = outputs.plan.samples[sample].discard {
            writer.row(&mut sheet, sample, discard)?;
        }
    }
    sheet.finish()
}

struct Writer<'a> {
    outputs: &'a Outputs<'a>,
    codes: Codes,
    limits: LimitBook,
    times: LocalTimes,
    version: Vec<u8>,
    text: String,
}

impl Writer<'_> {
    fn row(&mut self, sheet: &mut Sheet, sample: SampleIx, discard: Discard) -> Result<(), OutputError> {
        let snapshot = self.outputs.snapshot;
        let facts = &snapshot.backlog.samples[sample];
        let request = &snapshot.backlog.requests[facts.request];
        sheet.text(snapshot.backlog.accession(sample))?;
        sheet.cell(&self.codes.specimens[facts.specimen.row()])?;
        sheet.cell(&self.codes.sites[facts.site.row()])?;
        sheet.cell(&self.times.text(facts.collected))?;
        sheet.word(if facts.collected_unknown { "assumed" } else { "known" })?;
        sheet.cell(&facts.received.map_or_else(Vec::new, |received| self.times.text(received)))?;
        self.lines(sample);
        sheet.word(&self.text)?;
        self.reason(sheet, discard)?;
        self.limit(sheet, sample)?;
        sheet.text(&snapshot.network.requesters[request.requester].ods)?;
        sheet.text(snapshot.backlog.pseudonym(request.patient).expose())?;
        self.recall(sample);
        sheet.word(&self.text)?;
        sheet.word("")?;
        sheet.word("")?;
        sheet.end()
    }

    /// What each line came to: `K lost 2024-06-03 09:00 (expired, primary ambient); UE cancelled`.
    fn lines(&mut self, sample: SampleIx) {
        let snapshot = self.outputs.snapshot;
        self.text.clear();
        for line in snapshot.backlog.samples[sample].lines() {
            if !self.text.is_empty() {
                self.text.push_str("; ");
            }
            let code = &self.codes.tests[snapshot.backlog.lines[line].test.row()];
            self.text.push_str(&String::from_utf8_lossy(code));
            if let Disposition::Cancel(_) = self.outputs.plan.lines[line] {
                self.text.push_str(" cancelled");
                continue;
            }
            match loss(self.outputs, line) {
                Some((at, how)) => {
                    let at = self.times.text(at);
                    let _ = write!(self.text, " unfit from {} ({})", String::from_utf8_lossy(&at), loss_words(how));
                }
                None => self.text.push_str(" still fit"),
            }
        }
    }

    fn reason(&self, sheet: &mut Sheet, discard: Discard) -> Result<(), OutputError> {
        match discard {
            Discard::Expired => {
                sheet.word("EX")?;
                sheet.word("expired")
            }
            Discard::ImproperStorage => {
                sheet.word("RR")?;
                sheet.word("improper storage")
            }
            Discard::Override(by) => {
                let about = &self.outputs.snapshot.overrides.all[by];
                sheet.word("")?;
                sheet.word(&format!("a person's decision: {} (line {})", free_text(&about.why), about.line))
            }
        }
    }

    /// The limit of the line that stayed fit longest, and when the minimum hold after it ended.
    fn limit(&mut self, sheet: &mut Sheet, sample: SampleIx) -> Result<(), OutputError> {
        let snapshot = self.outputs.snapshot;
        let facts = &snapshot.backlog.samples[sample];
        let open = facts.lines().filter(|line| !matches!(self.outputs.plan.lines[*line], Disposition::Cancel(_)));
        let last = open.filter_map(|line| loss(self.outputs, line).map(|(at, how)| (at, line, how))).max();
        let Some((at, line, how)) = last else {
            (0..5).try_for_each(|_| sheet.word(""))?;
            sheet.cell(&self.version)?;
            return sheet.word("");
        };
        let test = snapshot.backlog.lines[line].test;
        match how {
            Lost::Of(state) => {
                let limit = self.limits.of(snapshot, test, facts.specimen, state);
                sheet.cell(&limit.hours)?;
                sheet.cell(&self.codes.tests[test.row()])?;
                sheet.word(state.text())?;
                sheet.cell(&limit.sources)?;
                sheet.word(limit.basis)?;
            }
            Lost::FrozenTwice | Lost::AlreadySeparated => {
                sheet.word("")?;
                sheet.cell(&self.codes.tests[test.row()])?;
                sheet.word(loss_words(how))?;
                sheet.word("")?;
                sheet.word("rule")?;
            }
        }
        sheet.cell(&self.version)?;
        sheet.cell(&self.times.text(at.plus(snapshot.policy.minimum_hold)))
    }

    /// Whether the patient is recalled for the sample's lines, and when, or why not.
    fn recall(&mut self, sample: SampleIx) {
        let (snapshot, plan) = (self.outputs.snapshot, self.outputs.plan);
        let facts = &snapshot.backlog.samples[sample];
        let patient = snapshot.backlog.requests[facts.request].patient;
        self.text.clear();
        if facts.lines().any(|line| matches!(plan.lines[line], Disposition::Recall(_))) {
            self.text.push_str("required: ");
            match plan.visit_of(patient) {
                Some(visit) => {
                    let mut day = Vec::new();
                    push_day(&mut day, visit.day);
                    let point = &snapshot.network.collection_points[visit.point].code;
                    let _ = write!(self.text, "visit {point} {}", String::from_utf8_lossy(&day));
                }
                None => self.text.push_str("to be arranged"),
            }
            return;
        }
        self.text.push_str("not required: ");
        let mut reasons: Vec<&str> = facts.lines().map(|line| no_recall(plan.lines[line])).collect();
        reasons.dedup();
        self.text.push_str(&reasons.join("; "));
    }
}

fn no_recall(decision: Disposition) -> &'static str {
    match decision {
        Disposition::Cancel(Cancel::Duplicate(_)) => "another sample answers the same question",
        Disposition::Cancel(Cancel::Superseded) => "a result is already there",
        Disposition::Hold(Hold::NotRecallable) => "the patient must not be recalled, a person decides",
        Disposition::Hold(_) => "a line is held, a person decides",
        Disposition::Run(_) | Disposition::Recall(_) => "a line of it is run",
    }
}

/// How a line became unfit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Lost {
    /// By the limit of a state, zero included.
    Of(State),
    FrozenTwice,
    AlreadySeparated,
}

/// When and how a line became unfit, if it has.
fn loss(outputs: &Outputs<'_>, line: LineIx) -> Option<(Instant, Lost)> {
    let snapshot = outputs.snapshot;
    match snapshot.clocks[line] {
        Clock::Until(closes) if closes <= snapshot.now => {
            Some((closes, Lost::Of(snapshot.backlog.state(snapshot.backlog.lines[line].sample))))
        }
        Clock::Lost(at, LostBy::Expiry(state) | LostBy::Forbidden(state)) => Some((at, Lost::Of(state))),
        Clock::Lost(at, LostBy::FrozenTwice) => Some((at, Lost::FrozenTwice)),
        Clock::Lost(at, LostBy::AlreadySeparated) => Some((at, Lost::AlreadySeparated)),
        Clock::Until(_) | Clock::Unknown(_) => None,
    }
}

fn loss_words(how: Lost) -> &'static str {
    match how {
        Lost::Of(state) => state.text(),
        Lost::FrozenTwice => "frozen twice",
        Lost::AlreadySeparated => "already separated",
    }
}
