//! What do samples and notices say? States now; results, discards and recalls within the period.

use std::collections::BTreeMap;

use labtriage_core::time::Instant;
use labtriage_ledger::Known;
use labtriage_ledger::records::{Authorisation, Codes, Decision, Line, Notice, Sample};
use labtriage_ledger::states::{LineState, NoticeState, SampleState};

use super::Period;
use super::gather::{By, Kpi, Scope, Section};
use crate::figures::turnaround;

/// A group that nothing is known of.
const UNKNOWN: &str = "unknown";

/// What recalls are counted within a period.
const RECALLS: [(&str, NoticeState); 6] = [
    ("recalls sent", NoticeState::Open),
    ("recalls booked", NoticeState::Booked),
    ("recalls done", NoticeState::Done),
    ("recalls declined", NoticeState::Declined),
    ("recalls not ours", NoticeState::NotOurs),
    ("recalls withdrawn", NoticeState::Withdrawn),
];

/// Counts, one sample or notice after the other.
pub(super) struct Counter<'a> {
    span: Period,
    /// Moments of the nights of the ledger, in order.
    nights: &'a [Instant],
    codes: &'a Codes,
    counts: BTreeMap<(Scope, String), i64>,
    longest: BTreeMap<Scope, i64>,
    /// Band and requester of every sample that was ever proposed for discard.
    discarded: BTreeMap<String, (String, String)>,
    /// Recalls that came into a state until a night, since the one before.
    by_night: BTreeMap<(Instant, NoticeState), i64>,
    /// Whether every recall entry can still be read.
    recalls_known: bool,
}

impl<'a> Counter<'a> {
    /// Nothing counted yet.
    pub(super) fn new(span: Period, nights: &'a [Instant], codes: &'a Codes) -> Self {
        let mut this = Self {
            span,
            nights,
            codes,
            counts: BTreeMap::new(),
            longest: BTreeMap::new(),
            discarded: BTreeMap::new(),
            by_night: BTreeMap::new(),
            recalls_known: true,
        };
        this.begin();
        this
    }

    /// What is counted of all begins at 0, so that nothing found is 0 and not unknown.
    fn begin(&mut self) {
        let now = Scope::new(Section::Now, By::All, "");
        let states = SampleState::ALL.iter().map(|state| format!("samples {state}"));
        let lines = LineState::ALL.iter().map(|state| format!("lines {state}"));
        let notices = NoticeState::ALL.iter().map(|state| format!("recalls {state}"));
        let wholes = ["samples", "lines", "recalls"].map(str::to_owned);
        for measure in wholes.into_iter().chain(states).chain(lines).chain(notices) {
            self.counts.insert((now.clone(), measure), 0);
        }
        let period = Scope::new(Section::Period, By::All, "");
        let discards = ["discards proposed", "discards authorised", "discards rejected", "discards disposed"];
        let results = ["reported", "timed", "reported in target", "turnaround minutes"];
        for measure in discards.into_iter().chain(results) {
            self.counts.insert((period.clone(), measure.to_owned()), 0);
        }
    }

    /// A sample as it is now.
    pub(super) fn sample(&mut self, sample: &Sample) {
        for by in [By::All, By::Band, By::Requester] {
            let group = group(sample, "", by);
            self.one(Scope::new(Section::Now, by, group), "samples");
            self.one(Scope::new(Section::Now, by, group), &format!("samples {}", sample.state));
            if sample.discard.as_ref().is_some_and(|discard| self.span.holds(discard.proposed)) {
                self.one(Scope::new(Section::Period, by, group), "discards proposed");
            }
        }
        if sample.discard.is_some() {
            let group = (sample.band.clone(), sample.requester.clone());
            self.discarded.insert(sample.accession.clone(), group);
        }
        for line in &sample.lines {
            self.line(sample, line);
        }
    }

    fn line(&mut self, sample: &Sample, line: &Line) {
        let discipline = self.codes.disciplines.get(&line.test).map_or(UNKNOWN, String::as_str);
        let answered = self.answered(sample, line);
        for by in [By::All, By::Band, By::Discipline, By::Requester] {
            let group = group(sample, discipline, by);
            self.one(Scope::new(Section::Now, by, group), "lines");
            self.one(Scope::new(Section::Now, by, group), &format!("lines {}", line.state));
            if let Some(at) = answered {
                self.reported(sample, at, &Scope::new(Section::Period, by, group));
            }
        }
    }

    /// Whether, and when, a test was answered as it was requested: a panel that was split once all of its members
    /// were, and no member of a panel for itself.
    fn answered(&self, sample: &Sample, line: &Line) -> Option<Option<Instant>> {
        let reported = |line: &Line| (line.state == LineState::Reported).then_some(line.at);
        let has = |members: &Vec<String>| members.contains(&line.test);
        if self.codes.panels.iter().any(|(panel, members)| has(members) && sample.line(panel).is_some()) {
            return None;
        }
        reported(line).or_else(|| {
            let members = self.codes.panels.get(&line.test)?;
            let each = members.iter().map(|member| reported(sample.line(member)?));
            let each = each.collect::<Option<Vec<_>>>()?;
            // Complete with its last member; when one of them came at an unknown time, so did the panel.
            if each.contains(&None) { Some(None) } else { each.into_iter().max() }
        })
    }

    /// A result counts when it came within the period; one of unknown time only where all time is meant.
    fn reported(&mut self, sample: &Sample, at: Option<Instant>, scope: &Scope) {
        if !at.map_or(self.span.is_all(), |at| self.span.holds(at)) {
            return;
        }
        self.one(scope.clone(), "reported");
        let Some(minutes) = turnaround(sample.received, at) else { return };
        self.one(scope.clone(), "timed");
        self.more(scope.clone(), "turnaround minutes", minutes);
        let longest = self.longest.entry(scope.clone()).or_default();
        *longest = minutes.max(*longest);
        let band = self.codes.bands.iter().find(|band| band.band == sample.band);
        if band.is_some_and(|band| minutes <= i64::from(band.target)) {
            self.one(scope.clone(), "reported in target");
        }
    }

    /// What people have decided about discards, entry by entry.
    pub(super) fn decisions(&mut self, entries: &[Known<Option<Authorisation>>]) {
        let span = self.span;
        for entry in entries.iter().filter(|entry| span.holds(entry.at)) {
            let Some(decision) = &entry.record else { continue };
            let measure = match decision.decision {
                Decision::Authorise => "discards authorised",
                Decision::Reject => "discards rejected",
                Decision::Dispose => "discards disposed",
            };
            let (band, requester) = self.discarded.get(&decision.accession).cloned().unwrap_or_default();
            for (by, group) in [(By::All, ""), (By::Band, &band), (By::Requester, &requester)] {
                self.one(Scope::new(Section::Period, by, group), measure);
            }
        }
    }

    /// All entries of recall notices, in order: a notice counts once for each state that it came into.
    pub(super) fn notices(&mut self, entries: &[Known<Option<Notice>>]) {
        let mut last: BTreeMap<&str, &Notice> = BTreeMap::new();
        for entry in entries {
            let Some(notice) = &entry.record else {
                self.recalls_known = false;
                continue;
            };
            let before = last.insert(&notice.id, notice);
            if before.map(|before| before.state) != Some(notice.state) && self.span.holds(entry.at) {
                let measure = RECALLS.iter().find(|(_, state)| *state == notice.state).map_or("", |(name, _)| name);
                self.recall(notice, Section::Period, measure);
            }
            if before.map(|before| before.state) != Some(notice.state)
                && let Some(&night) = self.nights.iter().find(|night| entry.at <= **night)
            {
                *self.by_night.entry((night, notice.state)).or_default() += 1;
            }
        }
        for notice in last.into_values() {
            self.recall(notice, Section::Now, "recalls");
            self.recall(notice, Section::Now, &format!("recalls {}", notice.state));
        }
    }

    fn recall(&mut self, notice: &Notice, section: Section, measure: &str) {
        for (by, group) in [(By::All, ""), (By::Band, &notice.band), (By::Requester, &notice.requester)] {
            self.one(Scope::new(section, by, group), measure);
        }
    }

    fn one(&mut self, scope: Scope, measure: &str) {
        self.more(scope, measure, 1);
    }

    fn more(&mut self, scope: Scope, measure: &str, more: i64) {
        *self.counts.entry((scope, measure.to_owned())).or_default() += more;
    }

    /// Recalls of each night of the period, in place of what the night itself could count.
    fn nights(&self, kpi: &mut Kpi) {
        for &night in self.nights.iter().filter(|night| self.span.holds(**night)) {
            let scope = Scope { night: Some(kpi.zone.local(night).date()), ..Scope::new(Section::Night, By::All, "") };
            for (measure, state) in RECALLS {
                let count = self.by_night.get(&(night, state)).copied().unwrap_or(0);
                kpi.set(scope.clone(), measure, self.recalls_known.then_some(count));
            }
        }
    }

    /// Puts everything into the table.
    pub(super) fn finish(self, kpi: &mut Kpi) {
        self.nights(kpi);
        let Self { codes, counts, longest, recalls_known, .. } = self;
        let all = || Scope::new(Section::Period, By::All, "");
        for (measure, _) in RECALLS {
            kpi.set(all(), measure, recalls_known.then_some(0));
        }
        for ((scope, measure), count) in counts {
            let hidden = scope.section == Section::Period && measure.starts_with("recalls") && !recalls_known;
            if !hidden {
                kpi.add(scope, &measure, count);
            }
        }
        kpi.set(all(), "longest turnaround minutes", None);
        for (scope, minutes) in longest {
            kpi.set(scope, "longest turnaround minutes", Some(minutes));
        }
        means(kpi);
        if codes.bands.is_empty() {
            kpi.set(all(), "reported in target", None);
        }
        fairness(kpi, codes);
    }
}

fn group<'a>(sample: &'a Sample, discipline: &'a str, by: By) -> &'a str {
    match by {
        By::All | By::Bench => "",
        By::Band => &sample.band,
        By::Discipline => discipline,
        By::Requester => &sample.requester,
    }
}

/// Mean turnaround, rounded down; unknown where no result has both times.
fn means(kpi: &mut Kpi) {
    for (_, measures) in kpi.figures.iter_mut().filter(|(scope, _)| scope.section == Section::Period) {
        let get = |measure: &str| measures.get(measure).copied().flatten();
        if get("reported").is_some() {
            let mean = get("turnaround minutes").zip(get("timed")).and_then(|(sum, timed)| sum.checked_div(timed));
            measures.insert("mean turnaround minutes".to_owned(), mean);
        }
    }
}

/// Lines reported per 10,000 registered patients, of the practices that have lines in the ledger: the
/// lowest, the highest, and the highest over the lowest in thousandths; unknown without list sizes.
fn fairness(kpi: &mut Kpi, codes: &Codes) {
    let mut served = Vec::new();
    for (practice, &size) in &codes.list_sizes {
        if kpi.figures.contains_key(&Scope::new(Section::Now, By::Requester, practice)) && size > 0 {
            let scope = Scope::new(Section::Period, By::Requester, practice);
            let reported = kpi.get(&scope, "reported").unwrap_or(0);
            served.push(reported * 10_000 / i64::from(size));
        }
    }
    let (low, high) = (served.iter().min().copied(), served.iter().max().copied());
    let ratio = high.zip(low).and_then(|(high, low)| (high * 1000).checked_div(low));
    let all = || Scope::new(Section::Period, By::All, "");
    kpi.set(all(), "lowest reported per 10,000 patients", low);
    kpi.set(all(), "highest reported per 10,000 patients", high);
    kpi.set(all(), "highest over lowest in thousandths", ratio);
}
