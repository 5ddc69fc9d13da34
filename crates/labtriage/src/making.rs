//! Which plan leaves the program? Of the optimizer's and the greedy ones the cheapest that is lawful; where the policy
//! limits how long groups wait, the one that `fair` keeps.

use std::time::{Duration, Instant};

use labtriage_core::audit::{Violation, audit};
use labtriage_core::certificate::Certificate;
use labtriage_core::cost::{cost, gap};
use labtriage_core::plan::{CostSplit, Plan, Rule};
use labtriage_core::policy::FairnessLimit;
use labtriage_core::snapshot::Snapshot;
use labtriage_core::units::Cost;
use labtriage_formats::plan_json::{Bound, Stopped};
use labtriage_optimizer::engine::{Settings, Why};
use labtriage_optimizer::optimise::{Optimised, optimise, settings};

use crate::failure::Failure;
use crate::fair;
use crate::proof::{rehearse, strongest};
use crate::terminal::{self, Bar, Timings};

/// A plan that the audit has passed, and how it came to be.
pub(crate) struct Made {
    pub(crate) plan: Plan,
    pub(crate) cost: CostSplit,
    /// What first in, first out costs.
    pub(crate) fifo: CostSplit,
    /// What band-edf costs, where prices were to make the plan.
    pub(crate) band_edf: Option<Cost>,
    pub(crate) bound: Option<Bound>,
    /// How much more it costs than the cheapest that was found, where a limit on fairness had a say.
    pub(crate) extra_cost: Option<Cost>,
    pub(crate) stopped: Stopped,
    /// The plan that was asked for broke a law.
    pub(crate) only_floor: bool,
}

/// How long to search, and how near the best.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Search {
    /// When everything was read.
    pub(crate) began: Instant,
    /// The time for planning, proof and audit; none: until the work is done.
    pub(crate) limit: Option<Duration>,
    /// How far above the bound the plan may be, in percent of the bound.
    pub(crate) gap: f64,
}

impl Search {
    /// The engine looks at (cost − bound) ÷ cost instead.
    fn settings(&self) -> Settings {
        let gap = self.gap / 100.0;
        settings(gap / (1.0 + gap))
    }

    /// Whether a cost is as near to a bound as was asked.
    pub(crate) fn within(&self, cost: Cost, bound: Cost) -> bool {
        gap(cost, bound).is_some_and(|gap| gap as f64 <= self.gap * 10_000.0)
    }
}

/// A plan with what the audit says of it.
pub(crate) struct Candidate {
    pub(crate) plan: Plan,
    pub(crate) cost: CostSplit,
    broken: Vec<Violation>,
    /// The prices that made it, where they were learned at other weights.
    certificate: Option<Certificate>,
}

impl Candidate {
    fn judge(snapshot: &Snapshot, plan: Plan) -> Self {
        let (broken, cost) = rayon::join(|| audit(snapshot, &plan), || cost(snapshot, &plan));
        Self { plan, cost, broken, certificate: None }
    }

    /// Whether it may leave the program; if not, this is said.
    fn lawful(&self) -> bool {
        if !self.broken.is_empty() {
            let rule = self.plan.rule.text();
            terminal::words(&format!(
                "the plan of the rule {rule} broke a law and was dropped; this is a bug, please report it:"
            ));
            terminal::violations(&self.broken);
        }
        self.broken.is_empty()
    }
}

/// Those of these plans that are lawful, at least one, and whether the first was dropped.
fn lawful(snapshot: &Snapshot, candidates: Vec<Candidate>) -> Result<(Vec<Candidate>, bool), Failure> {
    let lawful: Vec<bool> = candidates.iter().map(Candidate::lawful).collect();
    let dropped = lawful.first() == Some(&false);
    let mut broken = Vec::new();
    let mut left = Vec::new();
    for (candidate, lawful) in candidates.into_iter().zip(lawful) {
        if lawful { left.push(candidate) } else { broken = candidate.broken }
    }
    if left.is_empty() {
        let last = Candidate::judge(snapshot, labtriage_optimizer::plan(snapshot, Rule::Fifo, &|_, _| {}));
        left.extend(last.broken.is_empty().then_some(last));
    }
    if left.is_empty() { Err(Failure::OurPlanIsUnlawful(broken)) } else { Ok((left, dropped)) }
}

/// The cheapest of some plans, the first of several.
fn cheapest(candidates: Vec<Candidate>) -> Result<Candidate, Failure> {
    let best = candidates.into_iter().min_by_key(|candidate| candidate.cost.total());
    best.ok_or_else(|| Failure::Bug("there is no plan to choose".to_owned()))
}

/// Makes the plan of a greedy rule and that of first in, first out side by side.
pub(crate) fn by_rule(snapshot: &Snapshot, rule: Rule, bar: &Bar, timings: &mut Timings) -> Result<Made, Failure> {
    bar.phase("planning", snapshot.backlog.lines.len() as u64);
    let progress = |done: usize, _total: usize| bar.at(done as u64);
    let fifo = || (rule != Rule::Fifo).then(|| labtriage_optimizer::plan(snapshot, Rule::Fifo, &|_, _| {}));
    let (plan, fifo) = rayon::join(|| labtriage_optimizer::plan(snapshot, rule, &progress), fifo);
    timings.phase("plan");
    bar.phase("auditing", 1);
    let judge = || Candidate::judge(snapshot, plan);
    let (own, fifo) = rayon::join(judge, || fifo.map(|fifo| cost(snapshot, &fifo)));
    let fifo = fifo.unwrap_or(own.cost);
    let (left, only_floor) = lawful(snapshot, vec![own])?;
    let Candidate { plan, cost, .. } = cheapest(left)?;
    timings.phase("audit");
    let holds = format!("greedy plan ({})", plan.rule.text());
    let stopped = Stopped { why: "complete".to_owned(), holds };
    Ok(Made { plan, cost, fifo, band_edf: None, bound: None, extra_cost: None, stopped, only_floor })
}

/// Makes the plan of the optimizer and, before it, that of band-edf, which is the floor.
pub(crate) fn by_prices(
    snapshot: &Snapshot,
    search: &Search,
    bar: &Bar,
    timings: &mut Timings,
) -> Result<Made, Failure> {
    bar.phase("planning", snapshot.backlog.lines.len() as u64);
    let progress = |done: usize, _total: usize| bar.at(done as u64);
    let began = Instant::now();
    let (floor, fifo) = rayon::join(
        || Candidate::judge(snapshot, labtriage_optimizer::plan(snapshot, Rule::BandEdf, &progress)),
        || cost(snapshot, &labtriage_optimizer::plan(snapshot, Rule::Fifo, &|_, _| {})),
    );
    timings.phase("floor");
    let time = Time::new(snapshot, search, began.elapsed());
    let found = time.optimised(snapshot, bar);
    timings.phase("search");
    conclude(snapshot, &time, found, (floor, fifo), bar, timings)
}

/// Of what the optimizer found and the floor the cheapest that is lawful, or the one that `fair` keeps, with its proof.
fn conclude(
    snapshot: &Snapshot,
    time: &Time<'_>,
    found: Option<Optimised>,
    (floor, fifo): (Candidate, CostSplit),
    bar: &Bar,
    timings: &mut Timings,
) -> Result<Made, Failure> {
    let band_edf = floor.cost.total();
    bar.phase("auditing", 1);
    let Searched { left, dropped, certificate, why } = judged(snapshot, found, floor)?;
    timings.phase("audit");
    let (best, extra_cost, why) = match &snapshot.policy.fairness {
        Some(limit) if !dropped => {
            let (best, extra_cost, why) = fairest(snapshot, limit, time, left, why, bar)?;
            timings.phase("fairness");
            (best, Some(extra_cost), why)
        }
        _ => (cheapest(left)?, None, why),
    };
    let Candidate { plan, cost, certificate: reweighed, .. } = best;
    let certificates: Vec<Certificate> = reweighed.into_iter().chain(certificate).collect();
    let bound = prove(snapshot, &plan, &certificates);
    timings.phase("proof");
    let holds = holds(&plan, cost.total(), bound.as_ref().map(Bound::total), time.search);
    let stopped = Stopped { why: why.to_owned(), holds };
    Ok(Made { plan, cost, fifo, band_edf: Some(band_edf), bound, extra_cost, stopped, only_floor: dropped })
}

/// The lawful plans after the search, that of the optimizer first.
struct Searched {
    left: Vec<Candidate>,
    /// The optimizer's plan broke a law.
    dropped: bool,
    certificate: Option<Certificate>,
    why: &'static str,
}

fn judged(snapshot: &Snapshot, found: Option<Optimised>, floor: Candidate) -> Result<Searched, Failure> {
    let (own, certificate, why) = match found {
        Some(found) => {
            let why = why(&found);
            (Some(Candidate::judge(snapshot, found.plan)), Some(found.certificate), why)
        }
        None => (None, None, TIME_LIMIT),
    };
    let (left, dropped) = lawful(snapshot, own.into_iter().chain([floor]).collect())?;
    Ok(Searched { left, dropped, certificate, why })
}

/// The plan that `fair` keeps, how much more it costs than the cheapest that was found, and why the search stopped,
/// given why the first did.
fn fairest(
    snapshot: &Snapshot,
    limit: &FairnessLimit,
    time: &Time<'_>,
    left: Vec<Candidate>,
    mut why: &'static str,
    bar: &Bar,
) -> Result<(Candidate, Cost, &'static str), Failure> {
    let mut again = |reweighed: &Snapshot| {
        let found = if time.is_for_another() { time.optimised(reweighed, bar) } else { None };
        if found.as_ref().is_none_or(|found| found.stopped.contains(&Why::Stopped)) {
            why = TIME_LIMIT;
        }
        let Optimised { plan, certificate, .. } = found?;
        let candidate = Candidate { certificate: Some(certificate), ..Candidate::judge(snapshot, plan) };
        candidate.lawful().then_some(candidate)
    };
    let kept = fair::keep(snapshot, limit, time.search, left, &mut again);
    let kept = kept.ok_or_else(|| Failure::Bug("there is no plan to choose".to_owned()))?;
    let extra_cost = kept.best.cost.total() - kept.cheapest;
    if kept.best.certificate.is_some() && why == GAP {
        // Its stages were within the gap at other weights, if at all.
        why = DONE;
    }
    Ok((kept.best, extra_cost, why))
}

/// Why the search stopped when its time was over.
const TIME_LIMIT: &str = "time limit";

/// Why it stopped when every stage was within the gap.
const GAP: &str = "gap";

/// Why it stopped when its work was done.
const DONE: &str = "done";

fn why(found: &Optimised) -> &'static str {
    if found.stopped.contains(&Why::Stopped) {
        TIME_LIMIT
    } else if found.stopped.iter().all(|why| *why == Why::Gap) {
        GAP
    } else {
        DONE
    }
}

/// Which share of the time from a beginning to an end is gone.
fn share(now: Duration, began: Duration, end: Duration) -> f64 {
    match end.saturating_sub(began) {
        Duration::ZERO => 1.0,
        whole => now.saturating_sub(began).as_secs_f64() / whole.as_secs_f64(),
    }
}

/// The time that searches have.
struct Time<'a> {
    search: &'a Search,
    /// The end of the last search, from when everything was read; none: when the work is done.
    until: Option<Duration>,
    /// What planning by a rule and its audit took.
    floor: Duration,
    /// Whether more searches may follow the first.
    shared: bool,
}

impl<'a> Time<'a> {
    fn new(snapshot: &Snapshot, search: &'a Search, floor: Duration) -> Self {
        // After the search the rest is planned, and all of it is audited, proven and written. At prices that are
        // not nothing a proof takes some eight times as long; a plan from other weights is proven twice.
        let shared = snapshot.policy.fairness.is_some();
        let proofs = if shared { 16 } else { 8 };
        let until = search.limit.map(|limit| limit.saturating_sub(2 * floor + proofs * rehearse(snapshot)));
        Self { search, until, floor, shared }
    }

    /// When a search that begins now must end: one that others may follow after half of the time that is left.
    fn end(&self) -> Option<Duration> {
        let gone = self.search.began.elapsed();
        self.until.map(|until| if self.shared { gone + until.saturating_sub(gone) / 2 } else { until })
    }

    /// Whether half of the time that is left is enough to plan the rest after another search, and to audit it.
    fn is_for_another(&self) -> bool {
        self.until.is_none_or(|until| until.saturating_sub(self.search.began.elapsed()) >= 4 * self.floor)
    }

    /// What the optimizer finds in its time; nothing when there is none left.
    fn optimised(&self, snapshot: &Snapshot, bar: &Bar) -> Option<Optimised> {
        let (began, end) = (self.search.began.elapsed(), self.end());
        let gone = || end.map_or(0.0, |end| share(self.search.began.elapsed(), began, end));
        if gone() >= 1.0 {
            return None;
        }
        Some(optimise(snapshot, &self.search.settings(), &gone, &|progress| bar.search(&progress)))
    }
}

/// What the prices prove of a plan. A proof that cannot be is left out: the plan is lawful without it.
fn prove(snapshot: &Snapshot, plan: &Plan, certificates: &[Certificate]) -> Option<Bound> {
    match strongest(snapshot, plan, certificates) {
        Ok(bound) => bound,
        Err(finding) => {
            terminal::words("the proof of the plan does not hold and was left out; this is a bug, please report it:");
            terminal::findings(&[finding]);
            None
        }
    }
}

fn holds(plan: &Plan, cost: Cost, bound: Option<Cost>, search: &Search) -> String {
    match bound {
        _ if plan.rule != Rule::Priced => format!("greedy plan ({})", plan.rule.text()),
        Some(bound) if search.within(cost, bound) => "plan within the gap".to_owned(),
        Some(_) => "plan with proof".to_owned(),
        None => "plan without proof".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use labtriage_core::fixture::Fixture;
    use labtriage_core::plan::{Cancel, Disposition, SamplePlan};
    use labtriage_core::table::Table;
    use labtriage_core::units::Percent;
    use proptest::prelude::*;

    use super::*;

    /// A tube: its patient, which of [`TESTS`], hours since its collection, its band.
    type Tube = (u8, usize, i32, usize);

    const TESTS: [(&str, &[&str]); 4] =
        [("SST", &["K", "CRP"]), ("SST", &["TSH"]), ("EDTA", &["FBC"]), ("CSF", &["CSFC"])];

    fn night(tubes: &[Tube], capacity: u32) -> Snapshot {
        let mut fixture = Fixture::new();
        fixture.network.capacity = Percent::new(capacity);
        for (number, &(patient, tests, hours, band)) in tubes.iter().enumerate() {
            let (specimen, tests) = TESTS[tests];
            let row = fixture.sample(&format!("A{number}"), &format!("P{patient}"), specimen, tests);
            row.collected_hours_ago(hours).band(["immediate", "urgent", "routine"][band]);
        }
        fixture.snapshot()
    }

    fn crowded() -> Snapshot {
        night(&[(0, 0, 3, 2), (1, 1, 5, 2), (1, 2, 9, 1), (2, 2, 2, 0), (3, 3, 1, 2), (4, 2, 20, 2)], 1)
    }

    fn search() -> Search {
        Search { began: Instant::now(), limit: None, gap: 0.1 }
    }

    fn by(snapshot: &Snapshot, rule: Rule) -> Plan {
        labtriage_optimizer::plan(snapshot, rule, &|_, _| {})
    }

    /// The plan with everything cancelled as if its result were there: unlawful, and cheaper than any lawful one.
    fn broken(mut plan: Plan) -> Plan {
        plan.lines.as_mut_slice().fill(Disposition::Cancel(Cancel::Superseded));
        plan.samples = Table::filled(SamplePlan::default(), plan.samples.len());
        plan.steps.clear();
        plan.visits.clear();
        plan
    }

    fn found(snapshot: &Snapshot) -> Optimised {
        optimise(snapshot, &search().settings(), &|| 0.0, &|_| ())
    }

    fn concluded(snapshot: &Snapshot, found: Option<Optimised>) -> Made {
        let floor = Candidate::judge(snapshot, by(snapshot, Rule::BandEdf));
        let fifo = cost(snapshot, &by(snapshot, Rule::Fifo));
        let search = search();
        let time = Time::new(snapshot, &search, Duration::ZERO);
        conclude(snapshot, &time, found, (floor, fifo), &Bar::new(true), &mut Timings::start()).unwrap()
    }

    #[test]
    fn a_priced_plan_that_breaks_a_law_is_dropped_and_the_floor_is_kept() {
        let snapshot = crowded();
        let mut unlawful = found(&snapshot);
        unlawful.plan = broken(unlawful.plan);
        let made = concluded(&snapshot, Some(unlawful));
        assert!(made.only_floor);
        assert_eq!(made.plan, by(&snapshot, Rule::BandEdf));
        assert_eq!(Some(made.cost.total()), made.band_edf);
        assert_eq!(made.stopped.holds, "greedy plan (band-edf)");
        // The prices still prove how good the floor is.
        let bound = made.bound.unwrap().total();
        assert!(Cost::ZERO < bound && bound <= made.cost.total());
    }

    #[test]
    fn a_lawful_plan_is_no_floor_and_neither_is_one_for_which_there_was_no_time() {
        let snapshot = crowded();
        let made = concluded(&snapshot, Some(found(&snapshot)));
        assert!(!made.only_floor && made.plan.rule == Rule::Priced);
        let made = concluded(&snapshot, None);
        assert!(!made.only_floor && made.bound.is_none() && made.plan.rule == Rule::BandEdf);
        assert_eq!(made.stopped.why, TIME_LIMIT);
    }

    #[test]
    fn of_candidates_the_cheapest_lawful_one_leaves() {
        let snapshot = crowded();
        let fifo = || by(&snapshot, Rule::Fifo);
        let chosen = |plans: Vec<Plan>| {
            let candidates = plans.into_iter().map(|plan| Candidate::judge(&snapshot, plan)).collect();
            let (left, dropped) = lawful(&snapshot, candidates).unwrap();
            (cheapest(left).unwrap().plan, dropped)
        };
        assert_eq!(chosen(vec![broken(fifo()), fifo()]), (fifo(), true));
        assert_eq!(chosen(vec![fifo(), broken(fifo())]), (fifo(), false));
        // Where all are unlawful, first in, first out is planned once more.
        assert_eq!(chosen(vec![broken(found(&snapshot).plan), broken(fifo())]), (fifo(), true));
        let priced = found(&snapshot).plan;
        assert!(cost(&snapshot, &priced).total() < cost(&snapshot, &fifo()).total());
        assert_eq!(chosen(vec![fifo(), priced.clone()]), (priced, false));
    }

    #[test]
    fn a_proof_that_does_not_hold_is_left_out() {
        let snapshot = crowded();
        let Optimised { plan, certificate, .. } = found(&snapshot);
        assert!(prove(&snapshot, &plan, std::slice::from_ref(&certificate)).is_some());
        assert_eq!(prove(&snapshot, &broken(plan), &[certificate]), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

        #[test]
        fn the_plan_that_leaves_is_lawful_and_between_its_bound_and_the_floor(
            tubes in proptest::collection::vec((0..6_u8, 0..TESTS.len(), 1..30_i32, 0..3_usize), 1..16),
            capacity in prop_oneof![0..6_u32, Just(20_u32), Just(100_u32)],
        ) {
            let snapshot = night(&tubes, capacity);
            let made = by_prices(&snapshot, &search(), &Bar::new(true), &mut Timings::start()).unwrap();
            prop_assert_eq!(audit(&snapshot, &made.plan), vec![]);
            prop_assert!(!made.only_floor);
            let (bound, price, floor) = (made.bound.unwrap().total(), made.cost.total(), made.band_edf.unwrap());
            prop_assert!(bound <= price && price <= floor, "bound {bound}, cost {price}, floor {floor}");
            prop_assert_eq!(made.cost, cost(&snapshot, &made.plan));
            prop_assert_eq!(floor, cost(&snapshot, &by(&snapshot, Rule::BandEdf)).total());
        }
    }
}
