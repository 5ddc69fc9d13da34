//! What does the ledger learn of a night? Every sample of the extract as the plan has it, and those that have gone.
//!
//! What a person or a practice has decided is kept; a change that is unusual (see `labtriage_ledger::transitions`) gets
//! its reason here.

use std::collections::{BTreeMap, BTreeSet};

use labtriage_core::duplicates::ResultRow;
use labtriage_core::plan::{Cancel, Disposition, Hold, Plan};
use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::{LineIx, SampleIx, TestIx};
use labtriage_core::time::Instant;
use labtriage_core::viability::Clock;
use labtriage_ledger::records::{Line, Sample};
use labtriage_ledger::states::{LineState, SampleState};
use labtriage_ledger::transitions::{self, Rule};

use super::decisions::Decisions;
use super::known::Known;

/// Why something is opened again that was closed, or done late.
const AGAIN: &str = "the extract holds it again, and the plan decided so";
const SPLIT: &str = "split into its members, because one of them is lost";

/// When results of a tube came, by accession, then test.
pub(crate) type Results = BTreeMap<String, BTreeMap<TestIx, Instant>>;

/// The results that name their tube.
pub(crate) fn by_tube(rows: Vec<ResultRow>) -> Results {
    let mut results = Results::new();
    for row in rows {
        let Some(accession) = row.accession else { continue };
        results.entry(accession).or_default().insert(row.test, row.resulted);
    }
    results
}

/// How many samples went which way.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Changes {
    /// In the extract for the first time.
    pub(crate) arrived: u64,
    /// Not in the extract any more, their results known.
    pub(crate) resulted: u64,
    /// Not in the extract any more, and nobody knows why.
    pub(crate) missing: u64,
}

/// Turns a planned night into records.
#[derive(Clone, Copy)]
pub(crate) struct Recorder<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) plan: &'a Plan,
    /// Digest of the run.
    pub(crate) run: &'a str,
    pub(crate) known: &'a Known,
    pub(crate) decisions: &'a Decisions,
    pub(crate) results: &'a Results,
}

impl Changes {
    /// A sample as it was and as it is; `gone` when the extract does not have it any more.
    pub(crate) fn count(&mut self, before: Option<&Sample>, after: &Sample, gone: bool) {
        self.arrived += u64::from(before.is_none());
        self.resulted += u64::from(gone && after.state == SampleState::Reported);
        self.missing += u64::from(gone && after.state == SampleState::Missing);
    }
}

impl Recorder<'_> {
    /// Accessions of tonight's samples.
    pub(crate) fn accessions(&self) -> impl Iterator<Item = &str> {
        let backlog = &self.snapshot.backlog;
        let samples = backlog.samples.indices().filter(|&sample| backlog.samples[sample].lines().len() > 0);
        samples.map(|sample| backlog.accession(sample))
    }

    /// Whether the extract does not have a sample any more.
    pub(crate) fn is_gone(&self, accession: &str) -> bool {
        self.snapshot.backlog.find_sample(accession).is_none()
    }

    /// A sample from tonight on; `before` is what the ledger knows of it.
    pub(crate) fn next(&self, accession: &str, before: Option<&Sample>) -> Option<Sample> {
        match self.snapshot.backlog.find_sample(accession) {
            Some(sample) => Some(self.present(sample, before)),
            None => before.map(|before| self.gone(before)),
        }
    }

    fn present(&self, sample: SampleIx, before: Option<&Sample>) -> Sample {
        let snapshot = self.snapshot;
        let decided = |state| matches!(state, SampleState::DiscardAuthorised | SampleState::Disposed);
        if let Some(before) = before.filter(|before| decided(before.state)) {
            return before.clone();
        }
        let (backlog, network) = (&snapshot.backlog, &snapshot.network);
        let facts = &backlog.samples[sample];
        let request = &backlog.requests[facts.request];
        let lines = self.lines(sample, before);
        let planned = self.state(sample, &lines);
        let state = transitions::settled(before.map(|before| before.state), planned);
        let rule = transitions::sample(before.map(|before| before.state), state);
        let discard = before.and_then(|before| before.discard.clone());
        let discard = match self.plan.samples[sample].discard {
            Some(proposal) if before.map(|before| before.state) != Some(state) => {
                Some(Box::new(self.discard(sample, proposal)))
            }
            _ => discard,
        };
        let band = facts.lines().map(|line| snapshot.bands[line]).min().unwrap_or(snapshot.policy.default_band);
        Sample {
            accession: backlog.accession(sample).to_owned(),
            request: backlog.request_code(facts.request).to_owned(),
            patient: backlog.pseudonym(request.patient).into(),
            requester: network.requesters[request.requester].ods.clone(),
            specimen: snapshot.catalogue.specimens[facts.specimen].code.clone(),
            site: network.sites[facts.site].code.clone(),
            band: snapshot.policy.bands[band].code.clone(),
            state,
            irreplaceable: facts.irreplaceable,
            received: facts.received,
            because: matches!(rule, Rule::Reason(_)).then(|| AGAIN.to_owned()),
            lines,
            discard,
        }
    }

    /// What a sample is by what its lines are.
    fn state(&self, sample: SampleIx, lines: &[Line]) -> SampleState {
        let facts = &self.snapshot.backlog.samples[sample];
        let any = |state: LineState| lines.iter().any(|line| line.state == state);
        let closed = |line: &Line| matches!(line.state, LineState::Reported | LineState::Cancelled | LineState::ReBled);
        // What a practice has answered is held each night, for which its sample must not be closed.
        let accession = self.snapshot.backlog.accession(sample);
        let answered = lines.iter().any(|line| self.is_answered(accession, &line.test));
        let lost = |line: LineIx| match self.snapshot.clocks[line] {
            Clock::Until(closes) => closes <= self.snapshot.now,
            Clock::Lost(..) => true,
            Clock::Unknown(_) => false,
        };
        if self.plan.samples[sample].discard.is_some() {
            SampleState::DiscardProposed
        } else if lines.iter().all(closed) && !answered {
            SampleState::Reported
        } else if self.snapshot.network.sites[facts.site].partner.is_some() {
            SampleState::Transferred
        } else if any(LineState::Scheduled) {
            SampleState::Scheduled
        } else if any(LineState::ProcessedNotReportable) {
            SampleState::Tested
        } else if any(LineState::Waiting) {
            SampleState::Waiting
        } else if any(LineState::Held) || !facts.lines().all(lost) {
            SampleState::Held
        } else {
            SampleState::Expired
        }
    }

    /// Lines in order of test: tonight's, and those that only the ledger knows.
    fn lines(&self, sample: SampleIx, before: Option<&Sample>) -> Vec<Line> {
        let backlog = &self.snapshot.backlog;
        let accession = backlog.accession(sample);
        let mut lines: BTreeMap<String, Line> = BTreeMap::new();
        for line in backlog.samples[sample].lines() {
            let planned = self.line(line);
            let was = before.and_then(|before| before.line(&planned.test));
            let settled = self.settled(accession, was, planned);
            // Two panels may share a member: what is still to be done says what becomes of it.
            match lines.get(&settled.test) {
                Some(other) if other.state != LineState::Cancelled => {}
                _ => {
                    lines.insert(settled.test.clone(), settled);
                }
            }
        }
        let split: BTreeSet<&str> = backlog.samples[sample]
            .lines()
            .filter_map(|line| backlog.lines[line].split_from)
            .map(|panel| self.snapshot.catalogue.tests[panel].code.as_str())
            .collect();
        for was in before.iter().flat_map(|before| &before.lines) {
            if !lines.contains_key(&was.test) {
                let left = if split.contains(was.test.as_str()) { split_line(was) } else { self.left(accession, was) };
                lines.insert(was.test.clone(), left);
            }
        }
        lines.into_values().collect()
    }

    /// A line as tonight's plan has it.
    fn line(&self, line: LineIx) -> Line {
        let snapshot = self.snapshot;
        let facts = &snapshot.backlog.lines[line];
        let test = &snapshot.catalogue.tests[facts.test].code;
        let said = |state| Line { expires: self.expires(line), ..Line::new(test, state) };
        let held = |why: &str| Line { because: Some(why.to_owned()), ..said(LineState::Held) };
        match self.plan.lines[line] {
            Disposition::Run(run) => match run.analyser {
                Some(analyser) => Line {
                    at: Some(snapshot.grid.start(run.slot)),
                    place: Some(snapshot.network.analysers[analyser].code.clone()),
                    caution: snapshot.overrides.caution(line).map(str::to_owned),
                    ..said(LineState::Scheduled)
                },
                None => Line { at: Some(snapshot.grid.start(run.reported)), ..said(LineState::ProcessedNotReportable) },
            },
            Disposition::Recall(_) => {
                let visit = self.plan.visit_of(snapshot.backlog.patient_of(line));
                Line {
                    at: visit.map(|visit| snapshot.network.zone.at(visit.day, 0)),
                    place: visit.map(|visit| snapshot.network.collection_points[visit.point].code.clone()),
                    ..said(LineState::Recalled)
                }
            }
            Disposition::Cancel(cancel) => self.cancelled(line, cancel, said(LineState::Cancelled)),
            Disposition::Hold(Hold::Waiting) => said(LineState::Waiting),
            Disposition::Hold(Hold::Override(by)) => held(&snapshot.overrides.all[by].why),
            Disposition::Hold(Hold::UnknownStability) => held("it is not known how long it keeps"),
            Disposition::Hold(Hold::UnknownTime) => held("it is not known when it was collected"),
            Disposition::Hold(Hold::Irreplaceable) => held("it cannot be collected again: a person decides"),
            Disposition::Hold(Hold::NotRecallable) => held("the patient must not be recalled: a person decides"),
        }
    }

    fn cancelled(&self, line: LineIx, cancel: Cancel, cancelled: Line) -> Line {
        let backlog = &self.snapshot.backlog;
        let facts = &backlog.lines[line];
        let because = match cancel {
            Cancel::Duplicate(other) => Line::answered_by(backlog.accession(backlog.lines[other].sample)),
            Cancel::Superseded => {
                let own = self.results.get(backlog.accession(facts.sample));
                let result = own.and_then(|own| own.get(&facts.test).or_else(|| own.get(&facts.split_from?)));
                if let Some(&at) = result {
                    return Line { state: LineState::Reported, at: Some(at), ..cancelled };
                }
                "a result of the patient is already there".to_owned()
            }
        };
        Line { because: Some(because), ..cancelled }
    }

    fn expires(&self, line: LineIx) -> Option<Instant> {
        match self.snapshot.clocks[line] {
            Clock::Until(at) | Clock::Lost(at, _) => Some(at),
            Clock::Unknown(_) => None,
        }
    }

    /// What is recorded of a line: what the plan says, unless a practice has answered or the plan cannot undo it.
    fn settled(&self, accession: &str, was: Option<&Line>, planned: Line) -> Line {
        let Some(was) = was else { return planned };
        if self.is_answered(accession, &planned.test) && self.leaves_answered(accession, &planned) {
            return was.clone();
        }
        match transitions::line(Some(was.state), planned.state) {
            Rule::Free => planned,
            Rule::Reason(_) if planned.because.is_none() && planned.caution.is_none() => {
                Line { because: Some(AGAIN.to_owned()), ..planned }
            }
            Rule::Reason(_) => planned,
            Rule::Never(_) | Rule::Person => was.clone(),
        }
    }

    /// Whether a practice has answered, be it only since the plan was made.
    pub(super) fn is_answered(&self, accession: &str, test: &str) -> bool {
        self.known.answered.contains(accession, test)
    }

    /// Whether what is planned of an answered line leaves the answer as it is: a hold and a recall do; a run does
    /// where the plan did not know of the answer, else a person has asked for it. A result or a cancellation goes
    /// before the answer.
    fn leaves_answered(&self, accession: &str, planned: &Line) -> bool {
        match planned.state {
            LineState::Held | LineState::Recalled => true,
            LineState::Scheduled | LineState::Waiting | LineState::ProcessedNotReportable => {
                !self.decisions.answered.contains(accession, &planned.test)
            }
            _ => false,
        }
    }
}

fn split_line(was: &Line) -> Line {
    match transitions::line(Some(was.state), LineState::Cancelled) {
        Rule::Free => {
            Line { state: LineState::Cancelled, at: None, place: None, because: Some(SPLIT.to_owned()), ..was.clone() }
        }
        _ => was.clone(),
    }
}
