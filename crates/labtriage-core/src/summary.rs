//! How does a plan stand? The figures of a summary; the words for them are put together elsewhere.

use std::collections::BTreeMap;

use crate::capacity::{Resource, When};
use crate::fairness::Fairness;
use crate::plan::{CostSplit, Discard, Disposition, Hold, Plan, Run, Step};
use crate::snapshot::Snapshot;
use crate::table::{BandIx, CellIx, CourierIx, Ix, LineIx, Table};
use crate::time::{Instant, Minutes};
use crate::units::Cost;
use crate::usage::usage;
use crate::viability::Clock;

/// How many strict-band lines that are not met a summary names.
pub const UNMET_MAX: usize = 20;

/// How many resources a summary names.
pub const TIGHTEST_MAX: usize = 10;

/// Within how many hours of now a summary counts what expires.
pub const EXPIRY_HOURS: [i32; 5] = [4, 12, 24, 48, 72];

/// Lines held, by reason.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Held {
    /// No stability limit is known.
    pub unknown_stability: u64,
    /// The collection time is unknown.
    pub unknown_time: u64,
    /// A person's override.
    pub by_override: u64,
    /// No capacity within the horizon; the sample keeps.
    pub waiting: u64,
    /// The sample cannot be collected again.
    pub irreplaceable: u64,
    /// The patient must not be recalled.
    pub not_recallable: u64,
}

impl Held {
    /// All of them.
    pub const fn total(&self) -> u64 {
        self.unknown_stability
            + self.unknown_time
            + self.by_override
            + self.waiting
            + self.irreplaceable
            + self.not_recallable
    }

    fn add(&mut self, hold: Hold) {
        let count = match hold {
            Hold::UnknownStability => &mut self.unknown_stability,
            Hold::UnknownTime => &mut self.unknown_time,
            Hold::Override(_) => &mut self.by_override,
            Hold::Waiting => &mut self.waiting,
            Hold::Irreplaceable => &mut self.irreplaceable,
            Hold::NotRecallable => &mut self.not_recallable,
        };
        *count += 1;
    }
}

/// Lines of a band.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct BandLines {
    /// All of them.
    pub total: u64,
    /// Run, or only reported.
    pub run: u64,
    /// Those of `run` whose result exists and only waits to be reported.
    pub report_only: u64,
    /// Recalled, with a re-test within the horizon.
    pub recalled_retested: u64,
    /// Recalled, without a re-test within the horizon.
    pub recalled_open: u64,
    /// Held, by reason.
    pub held: Held,
    /// Cancelled.
    pub cancelled: u64,
    /// Those run or re-tested whose result comes after it is due.
    pub late: u64,
    /// In a strict band, and neither run nor cancelled.
    pub not_met: u64,
}

impl BandLines {
    /// Recalled, with or without a re-test within the horizon.
    pub const fn recalled(&self) -> u64 {
        self.recalled_retested + self.recalled_open
    }

    /// The figures of both.
    #[must_use]
    pub const fn with(mut self, other: &Self) -> Self {
        self.total += other.total;
        self.run += other.run;
        self.report_only += other.report_only;
        self.recalled_retested += other.recalled_retested;
        self.recalled_open += other.recalled_open;
        self.held.unknown_stability += other.held.unknown_stability;
        self.held.unknown_time += other.held.unknown_time;
        self.held.by_override += other.held.by_override;
        self.held.waiting += other.held.waiting;
        self.held.irreplaceable += other.held.irreplaceable;
        self.held.not_recallable += other.held.not_recallable;
        self.cancelled += other.cancelled;
        self.late += other.late;
        self.not_met += other.not_met;
        self
    }
}

/// Open lines whose window closes soon if their sample stays as it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Expiring {
    /// Within so many hours of now.
    pub hours: i32,
    /// How many; cancelled lines and results that only wait to be reported aside.
    pub lines: u64,
    /// How many of them the plan runs; a lawful run is in time.
    pub run: u64,
}

/// Samples, by what happens to them.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct SampleCounts {
    /// All of them.
    pub total: u64,
    /// Proposed for discard because every line expired (`EX`).
    pub discard_expired: u64,
    /// Proposed for discard because of improper storage (`RR`).
    pub discard_storage: u64,
    /// Proposed for discard because a person forced it.
    pub discard_forced: u64,
    /// Spun, refrigerated or frozen.
    pub stabilised: u64,
    /// Sent with a courier.
    pub transferred: u64,
}

impl SampleCounts {
    /// All proposals to discard.
    pub const fn discards(&self) -> u64 {
        self.discard_expired + self.discard_storage + self.discard_forced
    }
}

/// Resources that are summed up as one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Group {
    /// All cells of a resource.
    Of(Resource),
    /// All departures of a courier.
    Courier(CourierIx),
}

/// How much of a resource the plan uses over the horizon.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tightness {
    /// Which.
    pub group: Group,
    /// Used, in the resource's own unit.
    pub used: u64,
    /// There is so much.
    pub limit: u64,
    /// From now until the first cell of which a twentieth is still free; `None` when there is none.
    pub free_after: Option<Minutes>,
}

impl Tightness {
    /// Used, in thousandths of the limit, rounded down.
    pub fn permille(&self) -> u64 {
        let share = u128::from(self.used) * 1000 / u128::from(self.limit.max(1));
        u64::try_from(share).unwrap_or(u64::MAX)
    }
}

/// What became of the runs that are published; cancelled lines aside.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct PublishedCounts {
    /// Run where and when they were published.
    pub kept: u64,
    /// Decided otherwise.
    pub moved: u64,
    /// Of the kept, those that are frozen.
    pub frozen_kept: u64,
    /// Of the moved, those that are frozen but could not be kept.
    pub frozen_moved: u64,
}

impl PublishedCounts {
    fn add(&mut self, snapshot: &Snapshot, line: LineIx, disposition: Disposition) {
        let Some(published) = snapshot.published_slots(line) else { return };
        if matches!(disposition, Disposition::Cancel(_)) {
            return;
        }
        let frozen = u64::from(snapshot.frozen_run(line).is_some());
        if published.kept_by(disposition) {
            self.kept += 1;
            self.frozen_kept += frozen;
        } else {
            self.moved += 1;
            self.frozen_moved += frozen;
        }
    }
}

/// The figures of a plan's summary.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Summary {
    /// Lines by band.
    pub bands: Table<BandIx, BandLines>,
    /// The first [`UNMET_MAX`] lines of strict bands that are neither run nor cancelled, by band, then in order.
    pub unmet: Vec<LineIx>,
    /// What expires within each of [`EXPIRY_HOURS`].
    pub expiring: [Expiring; EXPIRY_HOURS.len()],
    /// Lines that were lost before now; cancelled lines and results that only wait to be reported aside.
    pub already_lost: u64,
    /// Samples by what happens to them.
    pub samples: SampleCounts,
    /// Runs that are published, by what became of them.
    pub published: PublishedCounts,
    /// Patients with a recalled line.
    pub recalled_patients: u64,
    /// Visits given within the horizon.
    pub visits: u64,
    /// The tightest resources, most used first.
    pub tightest: Vec<Tightness>,
    /// What the plan costs.
    pub cost: CostSplit,
    /// What the plan of the rule first in, first out costs, when it was made.
    pub fifo: Option<CostSplit>,
    /// How the groups wait, where the policy sets a limit.
    pub fairness: Option<Fairness>,
}

impl Summary {
    /// The figures of a plan.
    pub fn of(snapshot: &Snapshot, plan: &Plan, cost: CostSplit, fifo: Option<CostSplit>) -> Self {
        let used = usage(snapshot, plan);
        let mut this = Self {
            bands: Table::filled(BandLines::default(), snapshot.policy.bands.len()),
            unmet: Vec::new(),
            expiring: EXPIRY_HOURS.map(|hours| Expiring { hours, lines: 0, run: 0 }),
            already_lost: 0,
            samples: SampleCounts::default(),
            published: PublishedCounts::default(),
            recalled_patients: 0,
            visits: plan.visits.len() as u64,
            tightest: tightest(snapshot, &used),
            cost,
            fifo,
            fairness: Fairness::of(snapshot, plan),
        };
        this.count_lines(snapshot, plan);
        this.count_samples(snapshot, plan);
        this
    }

    /// Lines of all bands.
    pub fn all_bands(&self) -> BandLines {
        self.bands.iter().fold(BandLines::default(), BandLines::with)
    }

    /// How much less the plan costs than first in, first out, in thousandths of the latter;
    /// negative when it costs more, `None` when there is nothing to compare.
    pub fn saved_permille(&self) -> Option<i64> {
        self.saved_on(self.fifo?.total())
    }

    /// How much less the plan costs than another, in thousandths of the other, rounded towards 0;
    /// negative when it costs more, `None` when the other costs nothing.
    pub fn saved_on(&self, other: Cost) -> Option<i64> {
        let other = i128::from(other.thousandths());
        let saved = other - i128::from(self.cost.total().thousandths());
        (other > 0).then(|| i64::try_from(saved * 1000 / other).unwrap_or(i64::MIN))
    }

    fn count_lines(&mut self, snapshot: &Snapshot, plan: &Plan) {
        let mut recalled = vec![false; snapshot.backlog.patients.len()];
        let mut unmet: Vec<Vec<LineIx>> = vec![Vec::new(); snapshot.policy.bands.len()];
        for (line, &disposition) in plan.lines.enumerate() {
            let band = snapshot.bands[line];
            let counts = &mut self.bands[band];
            counts.total += 1;
            let late = |run: Run| u64::from(snapshot.grid.end(run.reported) > snapshot.due[line]);
            match disposition {
                Disposition::Run(run) => {
                    counts.run += 1;
                    counts.report_only += u64::from(run.analyser.is_none());
                    counts.late += late(run);
                }
                Disposition::Recall(Some(run)) => {
                    counts.recalled_retested += 1;
                    counts.late += late(run);
                }
                Disposition::Recall(None) => counts.recalled_open += 1,
                Disposition::Cancel(_) => counts.cancelled += 1,
                Disposition::Hold(hold) => counts.held.add(hold),
            }
            if matches!(disposition, Disposition::Recall(_)) {
                recalled[snapshot.backlog.patient_of(line).row()] = true;
            }
            self.published.add(snapshot, line, disposition);
            let met = matches!(disposition, Disposition::Run(_) | Disposition::Cancel(_));
            if !met && snapshot.strict(line) {
                counts.not_met += 1;
                unmet[band.row()].push(line);
            }
            if !snapshot.backlog.lines[line].result_held && !matches!(disposition, Disposition::Cancel(_)) {
                self.count_expiry(snapshot, line, matches!(disposition, Disposition::Run(_)));
            }
        }
        self.recalled_patients = recalled.into_iter().filter(|&is| is).count() as u64;
        self.unmet = unmet.into_iter().flatten().take(UNMET_MAX).collect();
    }

    fn count_expiry(&mut self, snapshot: &Snapshot, line: LineIx, run: bool) {
        let closes = match snapshot.clocks[line] {
            Clock::Until(closes) if closes > snapshot.now => closes,
            Clock::Until(_) | Clock::Lost(..) => {
                self.already_lost += 1;
                return;
            }
            Clock::Unknown(_) => return,
        };
        let left = closes.since(snapshot.now);
        for within in self.expiring.iter_mut().filter(|within| left <= Minutes::from_hours(within.hours)) {
            within.lines += 1;
            within.run += u64::from(run);
        }
    }

    fn count_samples(&mut self, snapshot: &Snapshot, plan: &Plan) {
        let counts = &mut self.samples;
        counts.total = snapshot.backlog.samples.len() as u64;
        for sample in snapshot.backlog.samples.indices() {
            match plan.samples[sample].discard {
                Some(Discard::Expired) => counts.discard_expired += 1,
                Some(Discard::ImproperStorage) => counts.discard_storage += 1,
                Some(Discard::Override(_)) => counts.discard_forced += 1,
                None => {}
            }
            let steps = plan.steps_of(sample);
            let stabilises = |step: &Step| matches!(step, Step::Spin(_) | Step::Refrigerate | Step::Freeze(_));
            counts.stabilised += u64::from(steps.iter().any(stabilises));
            counts.transferred += u64::from(steps.iter().any(|step| matches!(step, Step::Send(_))));
        }
    }
}

/// The resources of which the largest share is used, most used first; those that are not there at all are left out.
fn tightest(snapshot: &Snapshot, used: &Table<CellIx, u64>) -> Vec<Tightness> {
    let mut groups: BTreeMap<Group, Tightness> = BTreeMap::new();
    for (cell, &limit) in snapshot.capacity.limits().enumerate() {
        let (resource, when) = snapshot.capacity.describe(cell);
        let group = match resource {
            Resource::Courier(departure) => Group::Courier(snapshot.departures[departure].courier),
            other => Group::Of(other),
        };
        let sum = groups.entry(group).or_insert(Tightness { group, used: 0, limit: 0, free_after: None });
        sum.used += used[cell];
        sum.limit += limit;
        let free = limit.saturating_sub(used[cell]);
        if sum.free_after.is_none() && limit > 0 && free.saturating_mul(20) >= limit {
            sum.free_after = Some(begins(snapshot, when).since(snapshot.now).max(Minutes::ZERO));
        }
    }
    let mut tight: Vec<Tightness> = groups.into_values().filter(|sum| sum.used > 0).collect();
    tight.sort_by_key(|sum| (std::cmp::Reverse(sum.permille()), sum.group));
    tight.truncate(TIGHTEST_MAX);
    tight
}

fn begins(snapshot: &Snapshot, when: When) -> Instant {
    match when {
        When::Slot(slot) => snapshot.grid.start(slot),
        When::Day(day) => snapshot.network.zone.at(day, 0),
        When::Departure(departure) => snapshot.departures[departure].leaves,
        When::Horizon => snapshot.now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::cost;
    use crate::fixture::{Fixture, line_of, plan_of_one, sample_of};
    use crate::plan::{Cancel, Recollection, Visit};
    use crate::table::SlotIx;
    use crate::table::{CollectionPointIx, DepartureIx};

    fn slot(row: usize) -> SlotIx {
        SlotIx::from_row(row)
    }

    /// A plan in which every line waits.
    fn waiting(snapshot: &Snapshot) -> Plan {
        plan_of_one(snapshot, Disposition::Hold(Hold::Waiting))
    }

    fn run(snapshot: &Snapshot, analyser: &str, at: usize) -> Disposition {
        Disposition::Run(Run { analyser: snapshot.network.analyser(analyser), slot: slot(at), reported: slot(at) })
    }

    fn summary(snapshot: &Snapshot, plan: &Plan) -> Summary {
        Summary::of(snapshot, plan, cost(snapshot, plan), None)
    }

    fn check_used(snapshot: &Snapshot, plan: &Plan, expected: &[(CellIx, u64)]) {
        let used = usage(snapshot, plan);
        let found: Vec<_> = used.enumerate().filter(|(_, used)| **used > 0).map(|(cell, &used)| (cell, used)).collect();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(found, expected);
    }

    #[test]
    fn lines_are_counted_by_band_and_decision() {
        let mut fixture = Fixture::new();
        fixture.sample("A1", "P1", "SST", &["K", "CRP"]).band("urgent");
        fixture.sample("A2", "P2", "EDTA", &["FBC"]).band("immediate").requested_hours_ago(3);
        fixture.sample("A3", "P3", "SST", &["TSH"]);
        let snapshot = fixture.snapshot();
        let mut plan = waiting(&snapshot);
        plan.lines[line_of(&snapshot, "A1", "K")] = run(&snapshot, "HUB-CHEM", 1);
        plan.lines[line_of(&snapshot, "A2", "FBC")] = run(&snapshot, "HUB-HAEM", 2);
        plan.lines[line_of(&snapshot, "A3", "TSH")] = Disposition::Cancel(Cancel::Superseded);
        let summary = summary(&snapshot, &plan);
        let band = |code: &str| summary.bands[fixture.band(code)];
        assert_eq!((band("urgent").total, band("urgent").run, band("urgent").not_met), (2, 1, 1));
        assert_eq!((band("immediate").run, band("immediate").late), (1, 1));
        assert_eq!((band("routine").cancelled, band("routine").not_met), (1, 0));
        assert_eq!(summary.unmet, [line_of(&snapshot, "A1", "CRP")]);
        assert_eq!(summary.all_bands().held.waiting, 1);
    }

    #[test]
    fn published_runs_are_counted_by_what_became_of_them() {
        let mut fixture = Fixture::new();
        for accession in ["A1", "A2", "A3", "A4"] {
            fixture.sample(accession, accession, "SST", &["CRP"]);
        }
        let window = [("A1", (60, 120)), ("A2", (60, 120)), ("A3", (300, 360))];
        window.into_iter().for_each(|(accession, slot)| fixture.published(accession, "CRP", "HUB-CHEM", slot));
        fixture.policy.frozen_window = Minutes::from_hours(4);
        let snapshot = fixture.snapshot();
        let mut plan = waiting(&snapshot);
        plan.lines[line_of(&snapshot, "A1", "CRP")] = run(&snapshot, "HUB-CHEM", 1);
        let counts = |plan: &Plan| summary(&snapshot, plan).published;
        let moved = PublishedCounts { kept: 1, moved: 2, frozen_kept: 1, frozen_moved: 1 };
        assert_eq!(counts(&plan), moved);
        plan.lines[line_of(&snapshot, "A2", "CRP")] = Disposition::Cancel(Cancel::Superseded);
        assert_eq!(counts(&plan), PublishedCounts { moved: 1, frozen_moved: 0, ..moved });
    }

    #[test]
    fn what_expires_soon_and_what_was_lost_are_told_apart() {
        let mut fixture = Fixture::new();
        // Potassium keeps 6 h unspun: 3 h are left. Sodium keeps 12 h: lost an hour ago.
        fixture.sample("A1", "P1", "SST", &["K"]).collected_hours_ago(3);
        fixture.sample("A2", "P2", "SST", &["NA"]).collected_hours_ago(13);
        fixture.sample("A3", "P3", "EDTA", &["FBC"]).collected_hours_ago(30).result_held("FBC");
        fixture.sample("A4", "P4", "EDTA", &["FBC"]);
        let snapshot = fixture.snapshot();
        let mut plan = waiting(&snapshot);
        plan.lines[line_of(&snapshot, "A1", "K")] = run(&snapshot, "HUB-CHEM", 1);
        let summary = summary(&snapshot, &plan);
        assert_eq!(summary.expiring.map(|within| within.lines), [1, 1, 2, 2, 2]);
        assert_eq!(summary.expiring.map(|within| within.run), [1, 1, 1, 1, 1]);
        assert_eq!(summary.already_lost, 1);
    }

    #[test]
    fn a_plan_uses_what_its_steps_and_runs_need() {
        let mut fixture = Fixture::new();
        fixture.sample("A1", "P1", "SST", &["K"]).site("HOSP");
        let snapshot = fixture.snapshot();
        let (hub, hosp) = (fixture.site("HUB"), fixture.site("HOSP"));
        let mut plan = waiting(&snapshot);
        let to_hub = DepartureIx::from_row(0);
        plan.steps = vec![Step::Spin(slot(0)), Step::Aliquot(slot(1)), Step::Send(to_hub), Step::BookIn(slot(4))];
        plan.samples[sample_of(&snapshot, "A1")].steps = 4;
        let line = line_of(&snapshot, "A1", "K");
        plan.lines[line] = run(&snapshot, "HUB-CHEM", 5);
        let capacity = &snapshot.capacity;
        check_used(
            &snapshot,
            &plan,
            &[
                (capacity.centrifuge(hosp, slot(0)), 1),
                (capacity.courier(to_hub), 1),
                (capacity.reception(hub, slot(4)), 1),
                (capacity.aliquoting(hosp, slot(1)), 1),
                (capacity.analyser_time(fixture.analyser("HUB-CHEM"), slot(5)), 2000),
                (capacity.reporting(hub, slot(5)), 1),
            ],
        );
        let summary = summary(&snapshot, &plan);
        assert_eq!((summary.samples.stabilised, summary.samples.transferred), (1, 1));
    }

    #[test]
    fn a_recall_uses_a_visit_and_the_new_tube_a_place_at_reception() {
        let mut fixture = Fixture::new();
        fixture.sample("A1", "P1", "SST", &["K"]).collected_hours_ago(40);
        let snapshot = fixture.snapshot();
        let mut plan = waiting(&snapshot);
        let Disposition::Run(retest) = run(&snapshot, "HUB-CHEM", 19) else { panic!("a run") };
        plan.lines[line_of(&snapshot, "A1", "K")] = Disposition::Recall(Some(retest));
        let facts = &mut plan.samples[sample_of(&snapshot, "A1")];
        facts.discard = Some(Discard::Expired);
        facts.recollection = Some(Recollection { site: fixture.site("HUB"), booked_in: slot(18) });
        let point = CollectionPointIx::from_row(0);
        let day = snapshot.first_visit[point];
        let patient = snapshot.backlog.patient_of(line_of(&snapshot, "A1", "K"));
        plan.visits = vec![Visit { patient, point, day }];
        let capacity = &snapshot.capacity;
        check_used(
            &snapshot,
            &plan,
            &[
                (capacity.visits(point, day).unwrap(), 1),
                (capacity.recall_cap(day).unwrap(), 1),
                (capacity.reception(fixture.site("HUB"), slot(18)), 1),
                (capacity.analyser_time(fixture.analyser("HUB-CHEM"), slot(19)), 2000),
                (capacity.reporting(fixture.site("HUB"), slot(19)), 1),
            ],
        );
        let summary = summary(&snapshot, &plan);
        assert_eq!((summary.recalled_patients, summary.visits, summary.samples.discard_expired), (1, 1, 1));
        assert_eq!(summary.all_bands().recalled_retested, 1);
    }

    #[test]
    fn the_tightest_resource_stands_first_with_when_it_is_free_again() {
        let mut fixture = Fixture::new();
        fixture.sample("A1", "P1", "SST", &["K"]);
        fixture.sample("A2", "P2", "SST", &["K"]);
        let hub = fixture.site("HUB");
        fixture.network.sites[hub].report_per_hour = 1;
        let snapshot = fixture.snapshot();
        let mut plan = waiting(&snapshot);
        plan.lines[line_of(&snapshot, "A1", "K")] = run(&snapshot, "HUB-CHEM", 0);
        plan.lines[line_of(&snapshot, "A2", "K")] = run(&snapshot, "HUB-CHEM", 1);
        let tightest = summary(&snapshot, &plan).tightest;
        let expected = Tightness {
            group: Group::Of(Resource::Reporting(hub)),
            used: 2,
            limit: 120,
            free_after: Some(Minutes::from_hours(2)),
        };
        assert_eq!(tightest[0], expected);
        assert_eq!(tightest[0].permille(), 16);
        assert_eq!(tightest.len(), 2);
    }

    #[test]
    fn savings_are_told_in_thousandths_of_first_in_first_out() {
        use crate::units::Cost;
        let fixture = Fixture::new();
        let snapshot = fixture.snapshot();
        let plan = waiting(&snapshot);
        let split = |waiting| CostSplit { waiting: Cost::from_thousandths(waiting), ..CostSplit::default() };
        let check = |own, fifo: Option<i64>, expected| {
            let summary = Summary::of(&snapshot, &plan, split(own), fifo.map(split));
            assert_eq!(summary.saved_permille(), expected);
        };
        check(750, Some(1000), Some(250));
        check(1250, Some(1000), Some(-250));
        check(0, Some(0), None);
        check(1, None, None);
    }
}
