//! Is the optimum of the exact model the cost of the best lawful plan? Tiny snapshots, enumerated whole.
//!
//! The enumeration tries steps, dispositions, new tubes and visits patient by patient and lets the audit
//! judge; it shares nothing with the model but the snapshot.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use good_lp::{Expression, ProblemVariables, Solution as _, SolverModel, variable};
use labtriage_core::audit::audit;
use labtriage_core::certificate::bounds;
use labtriage_core::cost::cost;
use labtriage_core::fixture::{Fixture, plan_of_one};
use labtriage_core::plan::{Disposition, Hold, Plan, Recollection, Run, SamplePlan, Step, Visit};
use labtriage_core::policy::SlotStretch;
use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::{DepartureIx, Ix, LineIx, PatientIx, SampleIx, SlotIx, Table};
use labtriage_core::time::Minutes;
use labtriage_core::trace::Trace;
use labtriage_core::units::{Cost, Percent};
use labtriage_optimizer::engine::Settings;
use labtriage_optimizer::model::{Model, Sense, VARIABLES_MAX, lp, mps};
use labtriage_optimizer::optimise::optimise;
use proptest::prelude::*;

/// A day in slots of so many hours without strict bands, couriers or visits.
fn tiny(hours: i32) -> Fixture {
    let mut fixture = Fixture::new();
    fixture.policy.slots = vec![SlotStretch { until: Minutes::from_days(1), length: Minutes::from_hours(hours) }];
    for band in fixture.policy.bands.as_mut_slice() {
        band.strict = false;
    }
    fixture.network.couriers = Table::default();
    for point in fixture.network.collection_points.as_mut_slice() {
        point.visits_per_day = 0;
    }
    fixture
}

/// The model solved to proof.
fn solved(model: &Model) -> i64 {
    least(model, true).round() as i64
}

/// The optimum of the model, or of its linear relaxation.
fn least(model: &Model, whole: bool) -> f64 {
    let mut variables = ProblemVariables::new();
    let kind = |integer| if integer && whole { variable().binary() } else { variable().min(0.0).max(1.0) };
    let columns: Vec<_> = model.variables.iter().map(|of| variables.add(kind(of.integer))).collect();
    let sum = |terms: &mut dyn Iterator<Item = (usize, i64)>| {
        let mut sum = Expression::default();
        terms.for_each(|(column, amount)| sum.add_mul(amount as f64, columns[column]));
        sum
    };
    let costs = model.variables.iter().map(|of| of.cost.thousandths()).enumerate();
    let mut problem = variables.minimise(sum(&mut costs.into_iter())).using(good_lp::solvers::microlp::microlp);
    for row in &model.rows {
        let left = sum(&mut row.terms.iter().map(|&(column, amount)| (column as usize, amount)));
        let limit = row.limit as f64;
        problem.add_constraint(if row.sense == Sense::Exactly { left.eq(limit) } else { left.leq(limit) });
    }
    let solution = problem.solve().unwrap();
    let values = columns.iter().map(|column| solution.value(*column));
    let costs = values.zip(&model.variables).map(|(value, of)| value * of.cost.thousandths() as f64);
    costs.sum::<f64>()
}

/// Everything that may happen to one patient.
#[derive(Clone)]
struct Choice {
    cost: i64,
    samples: Vec<(SampleIx, Vec<Step>, Option<Recollection>)>,
    lines: Vec<(LineIx, Disposition)>,
    visit: Option<Visit>,
}

struct Enumeration<'a> {
    snapshot: &'a Snapshot,
    base: Plan,
    floor: i64,
}

impl<'a> Enumeration<'a> {
    fn new(snapshot: &'a Snapshot) -> Self {
        let lines = snapshot.backlog.lines.indices().map(|line| left_out(snapshot, line)[0]).collect();
        let base = Plan { lines, ..plan_of_one(snapshot, Disposition::Recall(None)) };
        assert_eq!(audit(snapshot, &base), []);
        let floor = cost(snapshot, &base).total().thousandths();
        Self { snapshot, base, floor }
    }

    fn plan(&self, choices: &[&Choice]) -> Plan {
        let mut plan = self.base.clone();
        for choice in choices {
            for (sample, steps, recollection) in &choice.samples {
                let first_step = u32::try_from(plan.steps.len()).unwrap();
                let steps_len = u8::try_from(steps.len()).unwrap();
                plan.samples[*sample] =
                    SamplePlan { first_step, steps: steps_len, recollection: *recollection, ..SamplePlan::default() };
                plan.steps.extend(steps);
            }
            choice.lines.iter().for_each(|&(line, disposition)| plan.lines[line] = disposition);
            plan.visits.extend(choice.visit);
        }
        plan
    }

    /// Everything lawful that may happen to a patient while nobody else is served, the cheapest first.
    fn choices(&self, patient: PatientIx) -> Vec<Choice> {
        let backlog = &self.snapshot.backlog;
        let of_patient = |sample: &SampleIx| backlog.requests[backlog.samples[*sample].request].patient == patient;
        let samples: Vec<SampleIx> = backlog.samples.indices().filter(of_patient).collect();
        let mut visits = vec![None];
        for point in self.snapshot.network.collection_points.indices() {
            let days = (0..self.snapshot.grid.day_count()).map(|n| self.snapshot.grid.first_day().plus_days(n as i32));
            visits.extend(days.map(|day| Some(Visit { patient, point, day })));
        }
        let mut found = Vec::new();
        for visit in visits {
            let open = Choice { cost: 0, samples: Vec::new(), lines: Vec::new(), visit };
            self.extend(&samples, open, &mut found);
        }
        found.sort_by_key(|choice| choice.cost);
        found
    }

    fn extend(&self, samples: &[SampleIx], choice: Choice, found: &mut Vec<Choice>) {
        let Some((&sample, rest)) = samples.split_first() else {
            let plan = self.plan(&[&choice]);
            if audit(self.snapshot, &plan).is_empty() {
                let cost = cost(self.snapshot, &plan).total().thousandths() - self.floor;
                found.push(Choice { cost, ..choice });
            }
            return;
        };
        let lines: Vec<LineIx> = self.snapshot.backlog.samples[sample].lines().collect();
        let slots = self.snapshot.grid.slots();
        let site = self.snapshot.network.site("HUB").unwrap();
        let anew = slots.map(|booked_in| Some(Recollection { site, booked_in })).filter(|_| choice.visit.is_some());
        for recollection in [None].into_iter().chain(anew) {
            for steps in strips(self.snapshot, sample) {
                let mut choice = choice.clone();
                choice.samples.push((sample, steps, recollection));
                self.extend_lines(&lines, rest, choice, found);
            }
        }
    }

    fn extend_lines(&self, lines: &[LineIx], rest: &[SampleIx], choice: Choice, found: &mut Vec<Choice>) {
        let Some((&line, others)) = lines.split_first() else { return self.extend(rest, choice, found) };
        let (sample, steps, recollection) = choice.samples.last().unwrap();
        let mut trace = Trace::default();
        trace.replay(self.snapshot, *sample, steps).unwrap();
        let mut dispositions = left_out(self.snapshot, line);
        // What no lawful plan can hold is not tried: a test before its tube is booked in, or elsewhere.
        for run in runs(self.snapshot, line) {
            let site = run.analyser.map(|analyser| self.snapshot.network.analysers[analyser].site).unwrap();
            let ways = trace.ways().iter().filter(|way| way.site == site);
            let booked = ways.filter_map(|way| way.booked_in).any(|slot| slot <= run.slot);
            let anew = recollection.is_some_and(|new| new.site == site && new.booked_in <= run.slot);
            dispositions.extend(booked.then_some(Disposition::Run(run)));
            dispositions.extend(anew.then_some(Disposition::Recall(Some(run))));
        }
        for disposition in dispositions {
            let mut choice = choice.clone();
            choice.lines.push((line, disposition));
            self.extend_lines(others, rest, choice, found);
        }
    }

    /// The cost of the cheapest lawful plan.
    fn best(&self) -> i64 {
        let patients = self.snapshot.backlog.patients.indices();
        let choices: Vec<Vec<Choice>> = patients.map(|patient| self.choices(patient)).collect();
        let mut found = i64::MAX;
        self.combine(&choices, &mut Vec::new(), self.floor, &mut found);
        found
    }

    fn combine<'c>(&self, left: &'c [Vec<Choice>], taken: &mut Vec<&'c Choice>, total: i64, found: &mut i64) {
        // What is too much already is too much with others as well.
        if !audit(self.snapshot, &self.plan(taken)).is_empty() {
            return;
        }
        let Some((choices, rest)) = left.split_first() else {
            *found = total;
            return;
        };
        let least: i64 = rest.iter().map(|choices| choices[0].cost).sum();
        for choice in choices {
            if total + choice.cost + least >= *found {
                break;
            }
            taken.push(choice);
            self.combine(rest, taken, total + choice.cost, found);
            taken.pop();
        }
    }
}

/// How a line may be left out; the first is lawful alone.
fn left_out(snapshot: &Snapshot, line: LineIx) -> Vec<Disposition> {
    let facts = &snapshot.backlog.lines[line];
    let patient = &snapshot.backlog.patients[snapshot.backlog.patient_of(line)];
    let first = match (patient.never_recalled(), snapshot.backlog.samples[facts.sample].irreplaceable) {
        (true, _) => Disposition::Hold(Hold::NotRecallable),
        (false, true) => Disposition::Hold(Hold::Irreplaceable),
        (false, false) => Disposition::Recall(None),
    };
    vec![first, Disposition::Hold(Hold::Waiting)]
}

fn runs(snapshot: &Snapshot, line: LineIx) -> Vec<Run> {
    let test = snapshot.backlog.lines[line].test;
    let runs = |facts: &labtriage_core::network::Analyser| facts.menu.iter().any(|(on_menu, _)| *on_menu == test);
    let analysers =
        snapshot.network.analysers.enumerate().filter(|(_, facts)| runs(facts)).map(|(analyser, _)| analyser);
    let mut found = Vec::new();
    for analyser in analysers {
        for slot in snapshot.grid.slots() {
            let reports = snapshot.grid.slots().filter(|reported| *reported >= slot);
            found.extend(reports.map(|reported| Run { analyser: Some(analyser), slot, reported }));
        }
    }
    found
}

/// Every possible strip: handling, at most one courier, booking in, an aliquot sent on.
fn strips(snapshot: &Snapshot, sample: SampleIx) -> Vec<Vec<Step>> {
    let (mut found, mut trace) = (Vec::new(), Trace::default());
    lengthen(snapshot, sample, &mut Vec::new(), &mut trace, &mut found);
    found
}

fn lengthen(
    snapshot: &Snapshot,
    sample: SampleIx,
    steps: &mut Vec<Step>,
    trace: &mut Trace,
    found: &mut Vec<Vec<Step>>,
) {
    if trace.replay(snapshot, sample, steps).is_err() {
        return;
    }
    let has = |wanted: fn(&Step) -> bool| steps.iter().any(wanted);
    let split = has(|step| matches!(step, Step::Aliquot(_)));
    let second = trace.second().is_none_or(|second| second.booked_in.is_some());
    if second {
        found.push(steps.clone());
    }
    let sent = steps.iter().filter(|step| matches!(step, Step::Send(_))).count();
    let slots: Vec<SlotIx> = snapshot.grid.slots().collect();
    let departures: Vec<DepartureIx> = snapshot.departures.indices().collect();
    let mut next = Vec::new();
    if !split {
        next.push(Step::Refrigerate);
        next.extend(slots.iter().flat_map(|&slot| [Step::Spin(slot), Step::Freeze(slot), Step::Thaw(slot)]));
        next.extend(
            slots.iter().filter(|_| has(|step| matches!(step, Step::BookIn(_)))).map(|&slot| Step::Aliquot(slot)),
        );
    }
    if sent == 0 || (split && sent < 2) {
        next.extend(departures.into_iter().map(Step::Send));
    }
    next.extend(slots.into_iter().map(Step::BookIn));
    for step in next {
        steps.push(step);
        lengthen(snapshot, sample, steps, trace, found);
        steps.pop();
    }
}

/// Enumeration, model, bound and optimizer agree; returns the optimum in thousandths of a weighted day.
fn check(fixture: &Fixture) -> i64 {
    let snapshot = fixture.snapshot();
    let model = Model::of(&snapshot, VARIABLES_MAX).unwrap();
    for row in &model.rows {
        let named: std::collections::BTreeSet<u32> = row.terms.iter().map(|(variable, _)| *variable).collect();
        assert_eq!(named.len(), row.terms.len(), "{} names a variable twice", row.name);
    }
    let optimum = solved(&model);
    assert_eq!(
        optimum,
        Enumeration::new(&snapshot).best(),
        "{} variables\n{}",
        model.variables.len(),
        lp::text(&model)
    );
    let made = optimise(&snapshot, &Settings::default(), &|| 0.0, &|_| {});
    assert!(audit(&snapshot, &made.plan).is_empty());
    let price = cost(&snapshot, &made.plan).total().thousandths();
    let bound: Cost = bounds(&snapshot, &made.plan, &made.certificate).into_iter().sum();
    assert!(bound.thousandths() <= optimum, "bound {} above the optimum {optimum}", bound.thousandths());
    assert!(price >= optimum, "the optimizer's {price} is below the optimum {optimum}");
    optimum
}

#[test]
fn room_for_everything() {
    let mut fixture = tiny(8);
    fixture.sample("A1", "P1", "SST", &["CRP"]);
    fixture.sample("A2", "P2", "EDTA", &["FBC"]).band("immediate");
    check(&fixture);
}

#[test]
fn scarce_reception_and_reporting() {
    let mut fixture = tiny(6);
    for site in fixture.network.sites.as_mut_slice() {
        site.report_per_hour = 1;
        site.reception_per_hour = 1;
    }
    fixture.network.capacity = Percent::new(17);
    fixture.sample("A1", "P1", "EDTA", &["FBC"]).collected_hours_ago(12);
    fixture.sample("A2", "P2", "EDTA", &["FBC"]).collected_hours_ago(5).band("urgent");
    fixture.sample("A3", "P3", "EDTA", &["FBC"]).collected_hours_ago(2);
    check(&fixture);
}

#[test]
fn spun_kept_and_lost_lines_of_one_tube() {
    let mut fixture = tiny(12);
    fixture.sample("A1", "P1", "SST", &["K", "TSH"]).collected_hours_ago(5);
    fixture.sample("A2", "P2", "SST", &["TSH"]).collected_hours_ago(23);
    check(&fixture);
}

#[test]
fn too_little_volume_for_both_lines() {
    let mut fixture = tiny(12);
    fixture.sample("A1", "P1", "SST", &["CRP", "TSH"]).volume(105);
    let short = check(&fixture);
    fixture = tiny(12);
    fixture.sample("A1", "P1", "SST", &["CRP", "TSH"]).volume(110);
    assert!(check(&fixture) < short);
}

#[test]
fn a_courier_to_a_site_with_room() {
    let mut fixture = tiny(8);
    fixture.network.couriers = Fixture::new().network.couriers;
    fixture.network.couriers.as_mut_slice()[1].tubes = 1;
    fixture.network.sites.as_mut_slice()[0].reception_per_hour = 0;
    fixture.sample("A1", "P1", "EDTA", &["FBC"]);
    fixture.sample("A2", "P2", "EDTA", &["FBC"]).band("urgent");
    check(&fixture);
}

#[test]
fn an_aliquot_to_a_second_site() {
    let mut fixture = tiny(12);
    fixture.network.couriers = Fixture::new().network.couriers;
    fixture.network.couriers.as_mut_slice()[1].departs.iter_mut().for_each(|departs| departs.1 = 20 * 60);
    let without_crp = fixture.test("CRP");
    fixture.network.analysers.as_mut_slice()[0].menu.retain(|(test, _)| *test != without_crp);
    fixture.sample("A1", "P1", "SST", &["CRP", "TSH"]).band("urgent");
    let with = check(&fixture);
    fixture.network.couriers = Table::default();
    assert!(with < check(&fixture), "the second container is worth its price");
}

#[test]
fn spun_where_the_courier_takes_it() {
    let mut fixture = tiny(8);
    fixture.network.couriers = Fixture::new().network.couriers;
    fixture.network.sites.as_mut_slice()[0].centrifuge_per_hour = 0;
    fixture.sample("A1", "P1", "SST", &["CRP"]);
    let there = check(&fixture);
    fixture.network.sites.as_mut_slice()[1].centrifuge_per_hour = 0;
    assert!(there < check(&fixture), "spinning there is worth its price");
}

#[test]
fn a_re_test_on_the_new_tube() {
    let mut fixture = tiny(12);
    fixture.policy.slots = vec![SlotStretch { until: Minutes::from_days(2), length: Minutes::from_hours(12) }];
    for point in fixture.network.collection_points.as_mut_slice() {
        point.visits_per_day = 1;
    }
    fixture.sample("A1", "P1", "EDTA", &["FBC"]).collected_hours_ago(30);
    fixture.sample("A2", "P2", "EDTA", &["FBC"]).collected_hours_ago(30).band("urgent");
    check(&fixture);
}

#[test]
fn one_visit_for_two_tubes_of_a_patient() {
    let mut fixture = tiny(12);
    fixture.policy.slots = vec![SlotStretch { until: Minutes::from_days(2), length: Minutes::from_hours(24) }];
    fixture.network.collection_points.as_mut_slice()[0].visits_per_day = 5;
    fixture.sample("A1", "P1", "EDTA", &["FBC"]).collected_hours_ago(30);
    fixture.sample("A2", "P1", "CSF", &["CSFC"]).collected_hours_ago(2);
    check(&fixture);
}

#[test]
fn frozen_until_the_analyser_works() {
    let mut fixture = tiny(12);
    fixture.policy.slots = vec![SlotStretch { until: Minutes::from_hours(52), length: Minutes::from_hours(12) }];
    let tsh = fixture.test("TSH");
    let figures = &mut fixture.catalogue.tests[tsh].figures;
    figures.retain(|figure| figure.condition != labtriage_core::catalogue::Condition::Refrigerated);
    // Only from Wednesday on.
    let closed = fixture.calendar("tue-thu");
    fixture.network.calendars.as_mut_slice()[closed.row()].windows =
        std::array::from_fn(|weekday| if weekday == 2 { vec![(0, 1440)] } else { Vec::new() });
    for analyser in fixture.network.analysers.as_mut_slice() {
        analyser.calendar = closed;
    }
    fixture.sample("A1", "P1", "SST", &["TSH"]).band("urgent");
    let frozen = check(&fixture);
    fixture.network.sites.as_mut_slice()[0].freezer_places = 0;
    assert!(frozen < check(&fixture), "freezing is worth its price");
}

#[test]
fn what_must_be_held_and_what_cannot_be_recalled() {
    let mut fixture = tiny(12);
    fixture.network.capacity = Percent::NONE;
    fixture.sample("A1", "P1", "EDTA", &["FBC"]).flags(labtriage_core::flags::FlagSet::DECEASED);
    fixture.sample("A2", "P2", "CSF", &["CSFC"]);
    fixture.sample("A3", "P3", "SST", &["CRP"]);
    check(&fixture);
}

#[test]
fn a_model_that_is_too_large_is_refused() {
    let mut fixture = tiny(6);
    fixture.sample("A1", "P1", "EDTA", &["FBC"]);
    fixture.sample("A2", "P2", "EDTA", &["FBC"]);
    let refused = Model::of(&fixture.snapshot(), 10).unwrap_err();
    assert_eq!((refused.limit, refused.reached, refused.samples), (10, 1, 2));
}

#[test]
fn both_formats_name_the_same() {
    let mut fixture = tiny(12);
    fixture.sample("A1", "P1", "EDTA", &["FBC"]);
    let model = Model::of(&fixture.snapshot(), VARIABLES_MAX).unwrap();
    let (mps, lp) = (mps::text(&model), lp::text(&model));
    for variable in &model.variables {
        assert!(mps.contains(&format!(" {} cost ", variable.name)) && lp.contains(&variable.name), "{}", variable.name);
    }
    for row in &model.rows {
        assert!(mps.contains(&format!(" {}\n", row.name)) && lp.contains(&format!(" {}:", row.name)), "{}", row.name);
    }
    assert!(mps.ends_with("ENDATA\n") && lp.ends_with("End\n"));
    let names: std::collections::BTreeSet<&str> = model.variables.iter().map(|of| of.name.as_str()).collect();
    assert_eq!(names.len(), model.variables.len());
}

/// A tube of a tiny backlog: how many of [`TESTS`] are asked for, hours since its collection, its band.
type Tube = (usize, i32, usize);

const TESTS: [&str; 2] = ["CSFC", "FBC"];

fn tubes() -> impl Strategy<Value = Vec<Tube>> {
    prop::collection::vec((1..=TESTS.len(), 1..20_i32, 0..3_usize), 1..4)
}

/// Two slots with room for a few tubes, by the percent of what the network can do, and tubes by number.
fn few(tubes: impl IntoIterator<Item = (usize, Tube)>, capacity: u32) -> Fixture {
    let mut fixture = tiny(12);
    fixture.network.capacity = Percent::new(capacity);
    for site in fixture.network.sites.as_mut_slice() {
        (site.reception_per_hour, site.report_per_hour) = (1, 1);
    }
    let (second, tube) = (fixture.test("CSFC"), fixture.specimen("EDTA"));
    let second = &mut fixture.catalogue.tests[second];
    (second.specimens, second.flags.irreplaceable) = (vec![tube], false);
    for (number, (tests, hours, band)) in tubes {
        let row = fixture.sample(&format!("A{number}"), &format!("P{number}"), "EDTA", &TESTS[..tests]);
        row.collected_hours_ago(hours).band(["immediate", "urgent", "routine"][band]);
    }
    fixture
}

fn numbered(tubes: &[Tube]) -> impl Iterator<Item = (usize, Tube)> {
    tubes.iter().copied().enumerate()
}

/// The cost of the best lawful plan, by enumeration.
fn optimum(fixture: &Fixture) -> i64 {
    Enumeration::new(&fixture.snapshot()).best()
}

/// What the linear relaxation proves of every lawful plan.
fn relaxation(fixture: &Fixture) -> f64 {
    least(&Model::of(&fixture.snapshot(), VARIABLES_MAX).unwrap(), false)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn more_capacity_never_raises_the_optimum(tubes in tubes(), capacity in 0..30_u32, more in 1..40_u32) {
        let (less, rich) = (few(numbered(&tubes), capacity), few(numbered(&tubes), capacity + more));
        let (with_less, with_more) = (optimum(&less), optimum(&rich));
        prop_assert!(with_more <= with_less, "{with_more} with more, {with_less} with less");
        let (bound_less, bound_more) = (relaxation(&less), relaxation(&rich));
        prop_assert!(bound_more <= bound_less + 1e-3, "{bound_more} with more, {bound_less} with less");
        prop_assert!(bound_less <= with_less as f64 + 1e-3 && bound_more <= with_more as f64 + 1e-3);
    }

    #[test]
    fn a_line_less_never_raises_the_optimum(
        tubes in tubes(), capacity in 0..60_u32, gone in any::<prop::sample::Index>(),
    ) {
        let all = optimum(&few(numbered(&tubes), capacity));
        let mut fewer = tubes.clone();
        fewer[gone.index(tubes.len())].0 -= 1;
        let fewer = optimum(&few(numbered(&fewer).filter(|(_, (tests, ..))| *tests > 0), capacity));
        prop_assert!(fewer <= all, "{fewer} with a line less, {all} with all");
    }

    #[test]
    fn the_order_of_rows_changes_neither_optimum_nor_plan(
        (tubes, shuffled) in tubes().prop_flat_map(|tubes| {
            let shuffled = Just(numbered(&tubes).collect::<Vec<_>>()).prop_shuffle();
            (Just(tubes), shuffled)
        }),
        capacity in 0..60_u32,
    ) {
        let (one, other) = (few(numbered(&tubes), capacity), few(shuffled, capacity));
        prop_assert_eq!(optimum(&one), optimum(&other));
        let made = |fixture: &Fixture| optimise(&fixture.snapshot(), &Settings::default(), &|| 0.0, &|_| {});
        let (one, other) = (made(&one), made(&other));
        prop_assert_eq!(one.plan, other.plan);
        prop_assert_eq!(one.certificate, other.certificate);
    }
}
