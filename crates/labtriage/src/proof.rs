//! How near the best is a plan, provably? Worked out from the inputs and the prices alone.
//!
//! `plan` states what is found here, and `check` finds it again: the optimizer has no part in it.

use std::time::{Duration, Instant};

use labtriage_core::certificate::facts::Facts;
use labtriage_core::certificate::stage::{Before, PatientSamples, count};
use labtriage_core::certificate::tables::Tables;
use labtriage_core::certificate::{Certificate, Prices, minima, stage_bound};
use labtriage_core::cost::cost;
use labtriage_core::finding::{Code, Finding};
use labtriage_core::plan::{CostSplit, Plan};
use labtriage_core::snapshot::Snapshot;
use labtriage_core::units::Cost;
use labtriage_formats::plan_json::{Bound, FILE};
use rayon::prelude::*;

/// Patients whose minima one thread sums up at a time.
const RANGE: usize = 256;

/// What a plan costs, and the least that any plan does.
pub(crate) struct Proof {
    /// What its decisions cost.
    pub(crate) cost: CostSplit,
    /// The bounds of all stages; none when the plan has no prices.
    pub(crate) bounds: Option<Vec<Cost>>,
}

impl Proof {
    /// Works out the cost of a plan, and its bounds from prices.
    ///
    /// # Errors
    /// `P006` when the bound is above the cost.
    pub(crate) fn of(snapshot: &Snapshot, plan: &Plan, certificate: Option<&Certificate>) -> Result<Self, Finding> {
        let prove = || certificate.map(|certificate| bounds(snapshot, plan, certificate));
        let (bounds, cost) = rayon::join(prove, || cost(snapshot, plan));
        let this = Self { cost, bounds };
        match this.bound() {
            Some(bound) if bound > cost.total() => {
                let message = format!("the prices prove a bound of {bound}, the plan costs {}", cost.total());
                Err(Finding::new(Code::BoundAboveCost, message).at(FILE, 0, 0).hint("this is a bug: please report it"))
            }
            _ => Ok(this),
        }
    }

    /// No lawful plan costs less, given what its earlier stages decide.
    pub(crate) fn bound(&self) -> Option<Cost> {
        self.bounds.as_ref().map(|bounds| bounds.iter().copied().sum())
    }

    /// Compares what was worked out with what a plan file states.
    ///
    /// # Errors
    /// `P003` when the cost is another, `P005` when a bound is.
    pub(crate) fn holds(&self, stated: &CostSplit, bound: Option<&Bound>) -> Result<(), Finding> {
        if self.cost != *stated {
            let (stated, found) = (stated.total(), self.cost.total());
            let message = format!("the plan states a cost of {stated}, its decisions cost {found}");
            return Err(Finding::new(Code::PlanMismatch, message).at(FILE, 0, 0));
        }
        let stated = bound.iter().flat_map(|bound| bound.stages.iter().map(|stage| stage.bound));
        let mut pairs = (1..).zip(stated.zip(self.bounds.iter().flatten()));
        match pairs.find(|(_, (stated, found))| stated != *found) {
            Some((stage, (stated, found))) => {
                let (stated, found) = (stated.thousandths(), found.thousandths());
                let message =
                    format!("the plan states a bound of {stated} for stage {stage}, its prices prove {found}");
                Err(Finding::new(Code::BoundDiffers, message).at(FILE, 0, 0))
            }
            None => Ok(()),
        }
    }
}

/// What certificates prove of a plan, each stage by the prices of the one that proves most there; nothing without any.
///
/// # Errors
/// As [`Proof::of`].
pub(crate) fn strongest(
    snapshot: &Snapshot,
    plan: &Plan,
    certificates: &[Certificate],
) -> Result<Option<Bound>, Finding> {
    let mut strongest: Option<Bound> = None;
    for certificate in certificates {
        let Some(bounds) = Proof::of(snapshot, plan, Some(certificate))?.bounds else { continue };
        let proven = Bound::new(certificate, &bounds);
        strongest = Some(match strongest {
            Some(before) => before.stronger(proven),
            None => proven,
        });
    }
    Ok(strongest)
}

/// As `certificate::bounds` in the core, with the patients shared out among threads: fixed ranges,
/// sums of whole numbers in order.
fn bounds(snapshot: &Snapshot, plan: &Plan, certificate: &Certificate) -> Vec<Cost> {
    let (facts, samples) = (Facts::new(snapshot), PatientSamples::new(&snapshot.backlog));
    let of_stage = |(stage, prices): (usize, &Prices)| {
        let before = Before::stage(snapshot, plan, stage);
        let tables = Tables::new(&facts, &before, prices.clone());
        stage_bound(all_minima(snapshot, &tables, &samples), prices.charge(&before))
    };
    certificate.stages.iter().enumerate().map(of_stage).collect()
}

fn all_minima(snapshot: &Snapshot, tables: &Tables<'_>, samples: &PatientSamples) -> i128 {
    let patients = snapshot.backlog.patients.len();
    let range = |n: usize| n * RANGE..patients.min((n + 1) * RANGE);
    let ranges = (0..patients.div_ceil(RANGE)).into_par_iter();
    let sums: Vec<i128> = ranges.map(|n| minima(tables, samples, range(n))).collect();
    sums.into_iter().sum()
}

/// About how long [`Proof::of`] will take: some patients from the middle, at prices of nothing.
pub(crate) fn rehearse(snapshot: &Snapshot) -> Duration {
    let began = Instant::now();
    let (facts, samples, before) =
        (Facts::new(snapshot), PatientSamples::new(&snapshot.backlog), Before::nothing(snapshot));
    let tables = Tables::new(&facts, &before, Prices::free(snapshot.capacity.len()));
    let (patients, ready) = (snapshot.backlog.patients.len(), began.elapsed());
    let first = (patients / 2).saturating_sub(RANGE / 2);
    let some = first..patients.min(first + RANGE);
    let ranges = patients.div_ceil(RANGE).div_ceil(rayon::current_num_threads());
    // Only the time is of interest, not the sum.
    std::hint::black_box(minima(&tables, &samples, some));
    let one = began.elapsed() - ready;
    (ready + one * u32::try_from(ranges).unwrap_or(u32::MAX)) * u32::try_from(count(snapshot)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use labtriage_core::certificate;
    use labtriage_core::fixture::Fixture;
    use labtriage_core::plan::{Cancel, Disposition, Rule, SamplePlan};
    use labtriage_core::table::{CellIx, Table};

    use super::*;
    use crate::failure::{BAD_INPUT, Failure};

    /// More patients than a range has, some of whom the most pressing stage concerns.
    fn night() -> Snapshot {
        let mut fixture = Fixture::new();
        for n in 0..3 * RANGE / 2 {
            let band = if n % 5 == 0 { "immediate" } else { "urgent" };
            fixture.sample(&format!("A{n}"), &format!("P{n}"), "SST", &["K", "CRP"]).band(band);
        }
        fixture.snapshot()
    }

    #[test]
    fn threads_find_the_bounds_that_the_core_finds() {
        let snapshot = night();
        let plan = labtriage_optimizer::plan(&snapshot, Rule::BandEdf, &|_, _| {});
        for price in [0, 1 << 10, 1 << 16] {
            let prices: Table<CellIx, i64> =
                (0..snapshot.capacity.len()).map(|cell| price * i64::try_from(cell % 7).unwrap()).collect();
            let certificate = Certificate { stages: vec![Prices::new(prices); count(&snapshot)] };
            let proof = Proof::of(&snapshot, &plan, Some(&certificate)).unwrap();
            let expected = certificate::bounds(&snapshot, &plan, &certificate);
            assert_eq!(proof.bounds.as_ref(), Some(&expected));
            assert_eq!(proof.cost, cost(&snapshot, &plan));
            let stated = Bound::new(&certificate, &expected);
            assert!(proof.holds(&proof.cost, Some(&stated)).is_ok());
            let another = CostSplit { waiting: proof.cost.waiting + Cost::from_thousandths(1), ..proof.cost };
            assert_eq!(proof.holds(&another, Some(&stated)).unwrap_err().code, Code::PlanMismatch);
        }
    }

    #[test]
    fn a_plan_that_costs_less_than_its_prices_prove_is_refused() {
        let snapshot = night();
        let mut plan = labtriage_optimizer::plan(&snapshot, Rule::BandEdf, &|_, _| {});
        let certificate = Certificate { stages: vec![Prices::free(snapshot.capacity.len()); count(&snapshot)] };
        let lawful = Proof::of(&snapshot, &plan, Some(&certificate)).ok().unwrap();
        assert!(lawful.bound().unwrap() > Cost::ZERO && lawful.bound().unwrap() <= lawful.cost.total());
        // No lawful plan can: everything is cancelled as if its result were there.
        plan.lines.as_mut_slice().fill(Disposition::Cancel(Cancel::Superseded));
        plan.samples = Table::filled(SamplePlan::default(), plan.samples.len());
        plan.steps.clear();
        let refused = Proof::of(&snapshot, &plan, Some(&certificate)).err().unwrap();
        let bound: Cost = certificate::bounds(&snapshot, &plan, &certificate).into_iter().sum();
        let words = format!("plan.json: P006 the prices prove a bound of {bound}, the plan costs {}", Cost::ZERO);
        assert_eq!(refused.to_string(), format!("{words}\n  hint: this is a bug: please report it"));
        assert_eq!(Failure::from(refused).exit_code(), BAD_INPUT);
        // Without prices nothing is proven, and nothing refused.
        assert!(Proof::of(&snapshot, &plan, None).is_ok_and(|proof| proof.bound().is_none()));
    }
}
