//! What do samples and notices say? States now; results, discards and recalls within the period.

use std::collections::BTreeMap;

use labtriage_core::time::Instant;
use labtriage_ledger::Known;
use labtriage_ledger::records::{Authorisation, Codes, Counted, CountedLine, Decision, Notice};
use labtriage_ledger::states::{LineState, NoticeState, SampleState};

use super::Period;
use super::gather::{By, Kpi, Scope, Section};
use crate::figures::turnaround;
use crate::names::{NameIx, Names};

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

/// Band and requester of a sample.
type Whose = (NameIx, NameIx);

/// Results of a band, requester and discipline within the period.
#[derive(Default)]
struct Results {
    reported: i64,
    timed: i64,
    in_target: i64,
    minutes: i64,
    longest: i64,
}

/// Counts, one sample or notice after the other. Samples are many and their groups few, so a sample touches numbers
/// only; [`Counter::finish`] gives them their names.
pub(super) struct Counter<'a> {
    span: Period,
    /// Moments of the nights of the ledger, in order.
    nights: Vec<Instant>,
    codes: &'a Codes,
    /// Targets of bands, in minutes.
    targets: BTreeMap<&'a str, i64>,
    /// The panels that a test is a member of.
    panels_of: BTreeMap<&'a str, Vec<&'a str>>,
    /// Decisions about discards within the period, by accession.
    decisions: BTreeMap<&'a str, Vec<&'static str>>,
    names: Names,
    samples: BTreeMap<(Whose, SampleState), i64>,
    discards: BTreeMap<(Whose, &'static str), i64>,
    lines: BTreeMap<(Whose, NameIx, LineState), i64>,
    results: BTreeMap<(Whose, NameIx), Results>,
    recalls: BTreeMap<(Whose, Section, NoticeState), i64>,
    /// Recalls that came into a state until a night, since the one before.
    by_night: BTreeMap<(Instant, NoticeState), i64>,
    /// Whether every recall entry can still be read.
    recalls_known: bool,
}

impl<'a> Counter<'a> {
    /// Nothing counted yet; of the decisions about discards, those within the period will be.
    pub(super) fn new(
        span: Period,
        nights: impl IntoIterator<Item = Instant>,
        codes: &'a Codes,
        decided: &'a [Known<Option<Authorisation>>],
    ) -> Self {
        let mut nights: Vec<Instant> = nights.into_iter().collect();
        nights.sort_unstable();
        let mut panels_of: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (panel, member) in codes.panels.iter().flat_map(|(panel, all)| all.iter().map(move |one| (panel, one))) {
            panels_of.entry(member).or_default().push(panel);
        }
        let mut decisions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let within = decided.iter().filter(|entry| span.holds(entry.at)).filter_map(|entry| entry.record.as_ref());
        for decision in within {
            decisions.entry(&decision.accession).or_default().push(match decision.decision {
                Decision::Authorise => "discards authorised",
                Decision::Reject => "discards rejected",
                Decision::Dispose => "discards disposed",
            });
        }
        Self {
            span,
            nights,
            codes,
            targets: codes.bands.iter().map(|band| (band.band.as_str(), i64::from(band.target))).collect(),
            panels_of,
            decisions,
            names: Names::default(),
            samples: BTreeMap::new(),
            discards: BTreeMap::new(),
            lines: BTreeMap::new(),
            results: BTreeMap::new(),
            recalls: BTreeMap::new(),
            by_night: BTreeMap::new(),
            recalls_known: true,
        }
    }

    fn whose(&mut self, band: &str, requester: &str) -> Whose {
        (self.names.of(band), self.names.of(requester))
    }

    /// A sample as it is now.
    pub(super) fn sample(&mut self, sample: &Counted<'_>) {
        let whose = self.whose(&sample.band, &sample.requester);
        *self.samples.entry((whose, sample.state)).or_default() += 1;
        if let Some(discard) = &sample.discard {
            let proposed = self.span.holds(discard.proposed).then_some("discards proposed");
            let decided = self.decisions.remove(&*sample.accession).unwrap_or_default();
            for measure in proposed.into_iter().chain(decided) {
                *self.discards.entry((whose, measure)).or_default() += 1;
            }
        }
        for line in &sample.lines {
            let discipline = self.codes.disciplines.get(&*line.test).map_or(UNKNOWN, String::as_str);
            let discipline = self.names.of(discipline);
            *self.lines.entry((whose, discipline, line.state)).or_default() += 1;
            if let Some(at) = self.answered(sample, line) {
                self.reported(sample, at, (whose, discipline));
            }
        }
    }

    /// Whether, and when, a test was answered as it was requested: a panel that was split once all of its members
    /// were, and no member of a panel for itself.
    fn answered(&self, sample: &Counted<'_>, line: &CountedLine<'_>) -> Option<Option<Instant>> {
        let reported = |line: &CountedLine<'_>| (line.state == LineState::Reported).then_some(line.at);
        let panels = self.panels_of.get(&*line.test);
        if panels.is_some_and(|panels| panels.iter().any(|panel| sample.line(panel).is_some())) {
            return None;
        }
        reported(line).or_else(|| {
            let members = self.codes.panels.get(&*line.test)?;
            let each = members.iter().map(|member| reported(sample.line(member)?));
            let each = each.collect::<Option<Vec<_>>>()?;
            // Complete with its last member; when one of them came at an unknown time, so did the panel.
            if each.contains(&None) { Some(None) } else { each.into_iter().max() }
        })
    }

    /// A result counts when it came within the period; one of unknown time only where all time is meant.
    fn reported(&mut self, sample: &Counted<'_>, at: Option<Instant>, group: (Whose, NameIx)) {
        if !at.map_or(self.span.is_all(), |at| self.span.holds(at)) {
            return;
        }
        let target = self.targets.get(&*sample.band);
        let results = self.results.entry(group).or_default();
        results.reported += 1;
        let Some(minutes) = turnaround(sample.received, at) else { return };
        results.timed += 1;
        results.minutes += minutes;
        results.longest = results.longest.max(minutes);
        results.in_target += i64::from(target.is_some_and(|target| minutes <= *target));
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
            if before.map(|before| before.state) == Some(notice.state) {
                continue;
            }
            if self.span.holds(entry.at) {
                self.recall(notice, Section::Period);
            }
            let next = self.nights.partition_point(|night| *night < entry.at);
            if let Some(&night) = self.nights.get(next) {
                *self.by_night.entry((night, notice.state)).or_default() += 1;
            }
        }
        for notice in last.into_values() {
            self.recall(notice, Section::Now);
        }
    }

    fn recall(&mut self, notice: &Notice, section: Section) {
        let whose = self.whose(&notice.band, &notice.requester);
        *self.recalls.entry((whose, section, notice.state)).or_default() += 1;
    }

    /// Puts everything into the table.
    pub(super) fn finish(mut self, kpi: &mut Kpi) {
        begin(kpi);
        self.recalls_of_nights(kpi);
        // Nobody knows of which band the sample was; the decision counts all the same.
        let nobodys = self.whose("", "");
        for measure in std::mem::take(&mut self.decisions).into_values().flatten() {
            *self.discards.entry((nobodys, measure)).or_default() += 1;
        }
        self.states_now(kpi);
        self.within_the_period(kpi);
        if self.codes.bands.is_empty() {
            kpi.set(Scope::new(Section::Period, By::All, ""), "reported in target", None);
        }
        fairness(kpi, self.codes);
    }

    /// The groups that a count of a band and requester belongs to.
    fn groups(&self, (band, requester): Whose) -> [(By, &str); 3] {
        [(By::All, ""), (By::Band, self.names.text(band)), (By::Requester, self.names.text(requester))]
    }

    fn states_now(&self, kpi: &mut Kpi) {
        let mut add = |by: By, group: &str, measure: &str, count: i64| {
            kpi.add(Scope::new(Section::Now, by, group), measure, count);
        };
        for ((whose, state), &count) in &self.samples {
            for (by, group) in self.groups(*whose) {
                add(by, group, "samples", count);
                add(by, group, &format!("samples {state}"), count);
            }
        }
        for ((whose, discipline, state), &count) in &self.lines {
            for (by, group) in self.groups(*whose).into_iter().chain([(By::Discipline, self.names.text(*discipline))]) {
                add(by, group, "lines", count);
                add(by, group, &format!("lines {state}"), count);
            }
        }
        for ((whose, _, state), &count) in self.recalls.iter().filter(|((_, section, _), _)| *section == Section::Now) {
            for (by, group) in self.groups(*whose) {
                add(by, group, "recalls", count);
                add(by, group, &format!("recalls {state}"), count);
            }
        }
    }

    fn within_the_period(&self, kpi: &mut Kpi) {
        let scope = |by: By, group: &str| Scope::new(Section::Period, by, group);
        for ((whose, measure), &count) in &self.discards {
            for (by, group) in self.groups(*whose) {
                kpi.add(scope(by, group), measure, count);
            }
        }
        for ((whose, section, state), &count) in &self.recalls {
            let measure = RECALLS.iter().find(|(_, of)| of == state).map_or("", |(name, _)| name);
            if *section == Section::Period && self.recalls_known {
                self.groups(*whose).into_iter().for_each(|(by, group)| kpi.add(scope(by, group), measure, count));
            }
        }
        for (measure, _) in RECALLS {
            let all = kpi.get(&scope(By::All, ""), measure).unwrap_or(0);
            kpi.set(scope(By::All, ""), measure, self.recalls_known.then_some(all));
        }
        let mut longest: BTreeMap<Scope, i64> = BTreeMap::new();
        for ((whose, discipline), results) in &self.results {
            for (by, group) in self.groups(*whose).into_iter().chain([(By::Discipline, self.names.text(*discipline))]) {
                results.add(kpi, &scope(by, group));
                if results.timed > 0 {
                    let here = longest.entry(scope(by, group)).or_default();
                    *here = results.longest.max(*here);
                }
            }
        }
        kpi.set(scope(By::All, ""), "longest turnaround minutes", None);
        for (scope, minutes) in longest {
            kpi.set(scope, "longest turnaround minutes", Some(minutes));
        }
        means(kpi);
    }

    /// Recalls of each night of the period, in place of what the night itself could count.
    fn recalls_of_nights(&self, kpi: &mut Kpi) {
        for &night in self.nights.iter().filter(|night| self.span.holds(**night)) {
            for (measure, state) in RECALLS {
                let count = self.by_night.get(&(night, state)).copied().unwrap_or(0);
                kpi.set(Scope::of_night(night, By::All, ""), measure, self.recalls_known.then_some(count));
            }
        }
    }
}

impl Results {
    /// What there is none of has no row.
    fn add(&self, kpi: &mut Kpi, scope: &Scope) {
        let Self { reported, timed, in_target, minutes, .. } = *self;
        let timed_too = timed > 0;
        for (measure, count, is_there) in [
            ("reported", reported, true),
            ("timed", timed, timed_too),
            ("turnaround minutes", minutes, timed_too),
            ("reported in target", in_target, in_target > 0),
        ] {
            if is_there {
                kpi.add(scope.clone(), measure, count);
            }
        }
    }
}

/// What is counted of all begins at 0, so that nothing found is 0 and not unknown.
fn begin(kpi: &mut Kpi) {
    let states = SampleState::ALL.iter().map(|state| format!("samples {state}"));
    let lines = LineState::ALL.iter().map(|state| format!("lines {state}"));
    let notices = NoticeState::ALL.iter().map(|state| format!("recalls {state}"));
    let wholes = ["samples", "lines", "recalls"].map(str::to_owned);
    for measure in wholes.into_iter().chain(states).chain(lines).chain(notices) {
        kpi.add(Scope::new(Section::Now, By::All, ""), &measure, 0);
    }
    let discards = ["discards proposed", "discards authorised", "discards rejected", "discards disposed"];
    let results = ["reported", "timed", "reported in target", "turnaround minutes"];
    for measure in discards.into_iter().chain(results) {
        kpi.add(Scope::new(Section::Period, By::All, ""), measure, 0);
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
