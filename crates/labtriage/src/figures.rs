//! Which figures of a night are kept? Counts of its plan, and of what happened since the night before.
//!
//! `docs/kpi.md` defines each of them, with its source.

use std::collections::{BTreeMap, BTreeSet};

use labtriage_core::capacity::Resource;
use labtriage_core::fairness::Fairness;
use labtriage_core::plan::{Disposition, Hold, Plan, Run};
use labtriage_core::snapshot::Snapshot;
use labtriage_core::summary::Summary;
use labtriage_core::table::{AnalyserIx, LineIx, SampleIx, Table};
use labtriage_core::time::Instant;
use labtriage_core::usage::usage;
use labtriage_core::viability::Clock;
use labtriage_ledger::records::{BandCode, Bench, Codes, Figures, Group, Line, Measure, Notice, Sample};
use labtriage_ledger::states::{LineState, SampleState};

use crate::names::{NameIx, Names};

type Counts = BTreeMap<Measure, i64>;

/// Counts by band, discipline and requester.
#[derive(Clone, Default, Debug)]
struct Groups {
    names: Names,
    counts: BTreeMap<[NameIx; 3], Counts>,
}

impl Groups {
    /// The counts of a group.
    fn of(&mut self, band: &str, discipline: &str, requester: &str) -> &mut Counts {
        let key = [band, discipline, requester].map(|name| self.names.of(name));
        self.counts.entry(key).or_default()
    }

    /// The counts of the group that a line of the night belongs to.
    fn of_line(&mut self, snapshot: &Snapshot, line: LineIx) -> &mut Counts {
        let backlog = &snapshot.backlog;
        let test = &snapshot.catalogue.tests[backlog.lines[line].test];
        let requester = backlog.requests[backlog.request_of(line)].requester;
        self.of(
            &snapshot.policy.bands[snapshot.bands[line]].code,
            &snapshot.catalogue.disciplines[test.discipline],
            &snapshot.network.requesters[requester].ods,
        )
    }

    /// The groups of which something was counted, in order of their names.
    fn into_records(self) -> Vec<Group> {
        let Self { names, counts } = self;
        let counted = counts.into_iter().filter(|(_, counts)| !counts.is_empty());
        let mut groups: Vec<Group> = counted
            .map(|(key, counts)| {
                let [band, discipline, requester] = key.map(|name| names.text(name).to_owned());
                Group { band, discipline, requester, counts }
            })
            .collect();
        groups.sort_by(|a, b| (&a.band, &a.discipline, &a.requester).cmp(&(&b.band, &b.discipline, &b.requester)));
        groups
    }
}

/// Hours from now, and what expires within them.
const EXPIRY: [(i32, Measure); 5] = [
    (4, Measure::Expiring4h),
    (12, Measure::Expiring12h),
    (24, Measure::Expiring24h),
    (48, Measure::Expiring48h),
    (72, Measure::Expiring72h),
];

/// What only a comparison with the night before can tell.
const SINCE: [Measure; 8] = [
    Measure::Arrived,
    Measure::Gone,
    Measure::Tested,
    Measure::Reported,
    Measure::Timed,
    Measure::ReportedInTarget,
    Measure::TurnaroundMinutes,
    Measure::RecallsSent,
];

/// The figures of a night; `run` is the digest of its run. Without `happened`, as on the first night,
/// what happened since the night before is unknown.
pub(crate) fn figures(
    run: &str,
    snapshot: &Snapshot,
    plan: &Plan,
    summary: &Summary,
    happened: Option<&Happened>,
) -> Figures {
    let mut groups = happened.map_or_else(Groups::default, |happened| happened.groups.clone());
    for (line, &disposition) in plan.lines.enumerate() {
        count_line(snapshot, line, disposition, groups.of_line(snapshot, line));
    }
    for sample in snapshot.backlog.samples.indices().filter(|&sample| plan.samples[sample].discard.is_some()) {
        count_discard(snapshot, sample, &mut groups);
    }
    let known = |measure: &Measure| happened.is_some() || !SINCE.contains(measure);
    let counted = Measure::ALL.iter().copied().filter(known);
    Figures {
        run: run.to_owned(),
        counted: counted.collect::<BTreeSet<_>>(),
        groups: groups.into_records(),
        benches: benches(snapshot, plan),
        unfairness: summary.fairness.as_ref().and_then(unfairness),
        codes: Some(codes(snapshot)),
    }
}

/// One more of a measure.
fn one(counts: &mut Counts, measure: Measure) {
    *counts.entry(measure).or_default() += 1;
}

fn count_line(snapshot: &Snapshot, line: LineIx, disposition: Disposition, counts: &mut Counts) {
    one(counts, Measure::Backlog);
    let facts = &snapshot.backlog.lines[line];
    let decided = match disposition {
        Disposition::Run(_) => Measure::Scheduled,
        Disposition::Recall(_) => Measure::Recalled,
        Disposition::Cancel(_) => {
            one(counts, Measure::Cancelled);
            return;
        }
        Disposition::Hold(Hold::Waiting) => Measure::Waiting,
        Disposition::Hold(_) => Measure::Held,
    };
    one(counts, decided);
    let measures = [
        (facts.result_held, Measure::NotReportable),
        (snapshot.backlog.samples[facts.sample].collected_unknown, Measure::AssumedTime),
        (snapshot.strict(line) && !in_target(snapshot, line, disposition), Measure::CriticalAtRisk),
        (decided == Measure::Scheduled, Measure::Saved),
        (elsewhere(snapshot, line, disposition), Measure::Transferred),
    ];
    measures.into_iter().filter(|(is, _)| *is).for_each(|(_, measure)| one(counts, measure));
    let requested = snapshot.backlog.requests[snapshot.backlog.request_of(line)].requested;
    let waited = counts.entry(Measure::OldestWaitingMinutes).or_default();
    *waited = i64::from(snapshot.now.since(requested).get()).max(*waited);
    let expired = !facts.result_held && count_clock(snapshot, line, counts);
    let held = matches!(disposition, Disposition::Hold(_));
    if expired && held {
        one(counts, Measure::ExpiredNotActioned);
    }
    if decided == Measure::Recalled || (expired && held) {
        one(counts, Measure::Lost);
    }
}

/// Counts how soon a line expires as it is kept now; returns whether it has.
fn count_clock(snapshot: &Snapshot, line: LineIx, counts: &mut Counts) -> bool {
    match snapshot.clocks[line] {
        Clock::Until(closes) if closes > snapshot.now => {
            let left = closes.since(snapshot.now).get();
            EXPIRY.iter().filter(|(hours, _)| left <= hours * 60).for_each(|&(_, measure)| one(counts, measure));
            false
        }
        Clock::Until(_) | Clock::Lost(..) => true,
        Clock::Unknown(_) => {
            one(counts, Measure::UnknownStability);
            false
        }
    }
}

/// Whether a line's result is planned to be out when it is due; what is due already must be run at once.
fn in_target(snapshot: &Snapshot, line: LineIx, disposition: Disposition) -> bool {
    match disposition {
        Disposition::Run(run) | Disposition::Recall(Some(run)) => snapshot.grid.end(run.reported) <= snapshot.due[line],
        Disposition::Recall(None) | Disposition::Hold(_) => false,
        Disposition::Cancel(_) => true,
    }
}

fn elsewhere(snapshot: &Snapshot, line: LineIx, disposition: Disposition) -> bool {
    let Disposition::Run(Run { analyser: Some(analyser), .. }) = disposition else { return false };
    let sample = snapshot.backlog.lines[line].sample;
    snapshot.network.analysers[analyser].site != snapshot.backlog.samples[sample].site
}

/// A sample counts where its first line does.
fn count_discard(snapshot: &Snapshot, sample: SampleIx, groups: &mut Groups) {
    if let Some(line) = snapshot.backlog.samples[sample].lines().next() {
        one(groups.of_line(snapshot, line), Measure::DiscardsProposed);
    }
}

fn benches(snapshot: &Snapshot, plan: &Plan) -> Vec<Bench> {
    let used = usage(snapshot, plan);
    let mut sums: Table<AnalyserIx, (u64, u64)> = Table::filled((0, 0), snapshot.network.analysers.len());
    for (cell, &limit) in snapshot.capacity.limits().enumerate() {
        if let (Resource::AnalyserTime(analyser), _) = snapshot.capacity.describe(cell) {
            let (use_, there) = sums[analyser];
            sums[analyser] = (use_ + used[cell], there + limit);
        }
    }
    let mut benches: Vec<Bench> = sums.enumerate().map(|(analyser, &sum)| bench(snapshot, analyser, sum)).collect();
    benches.sort_by(|a, b| (&a.site, &a.analyser).cmp(&(&b.site, &b.analyser)));
    benches
}

fn bench(snapshot: &Snapshot, analyser: AnalyserIx, (used, limit): (u64, u64)) -> Bench {
    let facts = &snapshot.network.analysers[analyser];
    let whole = |amount: u64| i64::try_from(amount).unwrap_or(i64::MAX);
    Bench {
        site: snapshot.network.sites[facts.site].code.clone(),
        analyser: facts.code.clone(),
        used: whole(used),
        limit: whole(limit),
    }
}

/// How far the worst group of any band lies above it, in millionths of the band's mean wait.
fn unfairness(fairness: &Fairness) -> Option<i64> {
    let worst = fairness.bands.iter().filter_map(|band| band.worst());
    worst.map(|group| group.above_permille.saturating_mul(1000)).max()
}

fn codes(snapshot: &Snapshot) -> Codes {
    let bands = snapshot.policy.bands.iter().map(|band| BandCode {
        band: band.code.clone(),
        target: band.target.get(),
        strict: band.strict,
    });
    let catalogue = &snapshot.catalogue;
    let discipline =
        |test: &labtriage_core::catalogue::Test| (test.code.clone(), catalogue.disciplines[test.discipline].clone());
    let panel = |test: &labtriage_core::catalogue::Test| {
        let members = test.members.iter().map(|&member| catalogue.tests[member].code.clone());
        (test.code.clone(), members.collect())
    };
    let practices = snapshot.network.requesters.iter().filter(|requester| requester.list_size > 0);
    Codes {
        zone: snapshot.network.zone.name().to_owned(),
        bands: bands.collect(),
        disciplines: catalogue.tests.iter().map(discipline).collect(),
        panels: catalogue.tests.iter().filter(|test| !test.members.is_empty()).map(panel).collect(),
        list_sizes: practices.map(|practice| (practice.ods.clone(), practice.list_size)).collect(),
    }
}

/// What happened since the night before, told sample by sample and notice by notice as they are recorded.
#[derive(Clone, Debug)]
pub(crate) struct Happened {
    codes: Codes,
    groups: Groups,
}

impl Happened {
    /// Nothing yet; bands and disciplines are those of the night's snapshot.
    pub(crate) fn new(snapshot: &Snapshot) -> Self {
        Self { codes: codes(snapshot), groups: Groups::default() }
    }

    /// A sample as it was before this night (`None`: it is new) and as it is now.
    pub(crate) fn sample(&mut self, before: Option<&Sample>, after: &Sample) {
        let gone = after.state == SampleState::Missing && before.is_some_and(|was| was.state != SampleState::Missing);
        for line in &after.lines {
            let was = before.and_then(|before| before.line(&line.test)).map(|line| line.state);
            let ran = |state: LineState| {
                matches!(state, LineState::Tested | LineState::ProcessedNotReportable | LineState::Reported)
            };
            let mut found = Vec::new();
            if before.is_none() {
                found.push((Measure::Arrived, 1));
            }
            if gone {
                found.push((Measure::Gone, 1));
            }
            if ran(line.state) && !was.is_some_and(ran) {
                found.push((Measure::Tested, 1));
            }
            if line.state == LineState::Reported && was != Some(LineState::Reported) {
                found.push((Measure::Reported, 1));
                found.extend(self.turnaround(after, line));
            }
            self.add(&after.band, &line.test, &after.requester, found);
        }
    }

    /// A recall notice that was not there before this night.
    pub(crate) fn new_notice(&mut self, notice: &Notice) {
        if let Some(wanted) = notice.wanted.first() {
            self.add(&notice.band, &wanted.test, &notice.requester, vec![(Measure::RecallsSent, 1)]);
        }
    }

    fn turnaround(&self, sample: &Sample, line: &Line) -> Vec<(Measure, i64)> {
        let Some(minutes) = turnaround(sample.received, line.at) else { return Vec::new() };
        let band = self.codes.bands.iter().find(|band| band.band == sample.band);
        let in_target = band.is_some_and(|band| minutes <= i64::from(band.target));
        let mut found = vec![(Measure::Timed, 1), (Measure::TurnaroundMinutes, minutes)];
        found.extend(in_target.then_some((Measure::ReportedInTarget, 1)));
        found
    }

    fn add(&mut self, band: &str, test: &str, requester: &str, found: Vec<(Measure, i64)>) {
        if found.is_empty() {
            return;
        }
        let discipline = self.codes.disciplines.get(test).map_or("", String::as_str);
        let counts = self.groups.of(band, discipline, requester);
        for (measure, count) in found {
            *counts.entry(measure).or_default() += count;
        }
    }
}

/// Minutes from receipt to result; `None` where one is unknown, or the result is older than the receipt.
pub(crate) fn turnaround(received: Option<Instant>, resulted: Option<Instant>) -> Option<i64> {
    let minutes = i64::from(resulted?.since(received?).get());
    (minutes >= 0).then_some(minutes)
}

#[cfg(test)]
mod tests {
    use labtriage_core::cost::cost;
    use labtriage_core::fixture::{Fixture, line_of, plan_of_one};
    use labtriage_core::plan::Cancel;
    use labtriage_core::table::{Ix, SlotIx};
    use labtriage_core::time::Minutes;
    use labtriage_ledger::OwnedPseudonym;

    use super::*;

    fn figures_of(snapshot: &Snapshot, plan: &Plan, happened: Option<&Happened>) -> Figures {
        figures("run", snapshot, plan, &Summary::of(snapshot, plan, cost(snapshot, plan), None), happened)
    }

    /// All groups of a measure, summed.
    fn sum(figures: &Figures, measure: Measure) -> Option<i64> {
        figures.counted.contains(&measure).then(|| figures.groups.iter().filter_map(|g| g.counts.get(&measure)).sum())
    }

    #[test]
    fn lines_are_counted_by_what_is_planned_and_how_soon_they_expire() {
        let mut fixture = Fixture::new();
        fixture.sample("A1", "P1", "SST", &["CRP"]).band("immediate");
        fixture.sample("A2", "P2", "SST", &["CRP"]).collected_hours_ago(2000).requested_hours_ago(2001);
        fixture.sample("A3", "P3", "SST", &["CRP"]).collected_hours_ago(2000).requester("W1");
        fixture.sample("A4", "P4", "SST", &["CRP"]);
        fixture.sample("A5", "P5", "SST", &["CRP"]).collected_unknown();
        let snapshot = fixture.snapshot();
        let mut plan = plan_of_one(&snapshot, Disposition::Hold(Hold::Waiting));
        let slot = SlotIx::from_row(0);
        let run = Run { analyser: snapshot.network.analyser("HUB-CHEM"), slot, reported: slot };
        for (accession, disposition) in [
            ("A1", Disposition::Run(run)),
            ("A2", Disposition::Hold(Hold::Irreplaceable)),
            ("A3", Disposition::Recall(None)),
            ("A4", Disposition::Cancel(Cancel::Superseded)),
        ] {
            plan.lines[line_of(&snapshot, accession, "CRP")] = disposition;
        }
        let found = figures_of(&snapshot, &plan, None);
        let check = |measure, expected| assert_eq!(sum(&found, measure), expected, "{measure:?}");
        check(Measure::Backlog, Some(5));
        check(Measure::Scheduled, Some(1));
        check(Measure::Saved, Some(1));
        check(Measure::Lost, Some(2));
        check(Measure::ExpiredNotActioned, Some(1));
        check(Measure::Recalled, Some(1));
        check(Measure::Cancelled, Some(1));
        check(Measure::Waiting, Some(1));
        check(Measure::Held, Some(1));
        check(Measure::AssumedTime, Some(1));
        check(Measure::CriticalAtRisk, Some(0));
        check(Measure::Arrived, None);
        let oldest = found.groups.iter().filter_map(|group| group.counts.get(&Measure::OldestWaitingMinutes)).max();
        assert_eq!(oldest, Some(&(2001 * 60)));
        assert!(found.groups.iter().any(|group| group.requester == "W1" && group.counts[&Measure::Lost] == 1));
        let bench = found.benches.iter().find(|bench| bench.analyser == "HUB-CHEM").unwrap();
        assert!(bench.used > 0 && bench.used < bench.limit, "{bench:?}");
        plan.lines[line_of(&snapshot, "A1", "CRP")] = Disposition::Hold(Hold::Waiting);
        assert_eq!(sum(&figures_of(&snapshot, &plan, None), Measure::CriticalAtRisk), Some(1));
    }

    fn sample(state: SampleState, line: Line, received: Option<Instant>) -> Sample {
        Sample {
            accession: "A1".to_owned(),
            request: "R1".to_owned(),
            patient: OwnedPseudonym::new("P1"),
            requester: "G1".to_owned(),
            specimen: "SST".to_owned(),
            site: "HUB".to_owned(),
            band: "immediate".to_owned(),
            state,
            irreplaceable: false,
            received,
            because: None,
            lines: vec![line],
            discard: None,
        }
    }

    #[test]
    fn what_happened_since_the_night_before_is_counted_once() {
        let mut fixture = Fixture::new();
        fixture.sample("A9", "P9", "SST", &["CRP"]);
        let snapshot = fixture.snapshot();
        let plan = plan_of_one(&snapshot, Disposition::Hold(Hold::Waiting));
        let target = snapshot.policy.bands.iter().find(|band| band.code == "immediate").unwrap().target;
        let received = Some(snapshot.now.minus(Minutes::from_days(2)));
        let waiting = sample(SampleState::Waiting, Line::new("CRP", LineState::Waiting), received);
        let reported = |after: Minutes| {
            let at = received.map(|received| received.plus(after));
            sample(SampleState::Reported, Line { at, ..Line::new("CRP", LineState::Reported) }, received)
        };
        let late = target.plus(Minutes::new(1));
        let mut happened = Happened::new(&snapshot);
        happened.sample(None, &waiting);
        happened.sample(Some(&waiting), &waiting);
        happened.sample(Some(&waiting), &reported(target));
        happened.sample(Some(&waiting), &reported(late));
        happened.sample(Some(&reported(late)), &reported(late));
        happened.sample(Some(&waiting), &sample(SampleState::Reported, Line::new("CRP", LineState::Reported), None));
        let missing = sample(SampleState::Missing, Line::new("CRP", LineState::Waiting), received);
        happened.sample(Some(&waiting), &missing);
        happened.sample(Some(&missing), &missing);
        let found = figures_of(&snapshot, &plan, Some(&happened));
        let check = |measure, expected| assert_eq!(sum(&found, measure), Some(expected), "{measure:?}");
        check(Measure::Arrived, 1);
        check(Measure::Reported, 3);
        check(Measure::Timed, 2);
        check(Measure::ReportedInTarget, 1);
        check(Measure::TurnaroundMinutes, i64::from(target.plus(late).get()));
        check(Measure::Tested, 3);
        check(Measure::Gone, 1);
    }
}
