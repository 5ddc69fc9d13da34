//! What the engine promises, on problems small enough to try everything.

use labtriage_optimizer::engine::solver::{Answer, Backend, LinearSolver, Program};
use labtriage_optimizer::engine::table::{Offer, Table};
use labtriage_optimizer::engine::{Problem, Settings, Solution, Why, solve, solve_with};
use proptest::prelude::*;

fn settings() -> Settings {
    Settings { gap: 0.0, neighbourhoods: 40, chain_calls: 50_000, ..Settings::default() }
}

fn solved(table: &Table) -> Solution<usize> {
    solve(table, &settings(), &|| false, &|_| ())
}

/// The least cost of a lawful plan, by trying all.
fn optimum(table: &Table) -> Option<i64> {
    fn from(table: &Table, item: usize, left: &mut Vec<u64>) -> Option<i64> {
        let Some(offers) = table.offers.get(item) else { return Some(0) };
        let mut best = None;
        for offer in offers {
            if offer.uses.iter().all(|(resource, amount)| left[*resource] >= *amount) {
                offer.uses.iter().for_each(|(resource, amount)| left[*resource] -= amount);
                let rest = from(table, item + 1, left).map(|rest| rest + offer.cost);
                offer.uses.iter().for_each(|(resource, amount)| left[*resource] += amount);
                best = [best, rest].into_iter().flatten().min();
            }
        }
        best
    }
    from(table, 0, &mut table.limits.clone())
}

/// Counts a solution again: nothing over a limit, and the cost it states.
fn check_lawful(table: &Table, solution: &Solution<usize>) {
    let mut left = table.limits.clone();
    let mut cost = 0;
    for (item, choice) in solution.choices.iter().enumerate() {
        let Some(choice) = choice else { continue };
        cost += table.cost(item, choice);
        table.uses(item, choice, &mut |resource, amount| {
            assert!(left[resource] >= amount, "resource {resource} is overdrawn by item {item}");
            left[resource] -= amount;
        });
    }
    assert_eq!(cost, solution.cost);
    assert_eq!(solution.open, solution.choices.iter().filter(|choice| choice.is_none()).count());
    assert!(solution.prices.iter().all(|price| price.is_finite() && *price >= 0.0));
}

/// Offers of the given costs and uses; the last uses nothing, if `free`.
fn tables(items: std::ops::Range<usize>, free: bool) -> impl Strategy<Value = Table> {
    let offer = (0..40_i64, prop::collection::btree_map(0..3_usize, 1..6_u64, 1..3));
    let offers = prop::collection::vec(prop::collection::vec(offer, 1..4), items);
    (offers, prop::collection::vec(3..14_u64, 3)).prop_map(move |(offers, limits)| {
        let written = |offers: Vec<(i64, std::collections::BTreeMap<usize, u64>)>| {
            let scarce = offers.into_iter().map(|(cost, uses)| Offer { cost, uses: uses.into_iter().collect() });
            scarce.chain(free.then(|| Offer { cost: 60, uses: Vec::new() })).collect()
        };
        Table { offers: offers.into_iter().map(written).collect(), limits }
    })
}

/// Forty items that compete for four resources.
fn crowded() -> Table {
    let offer = |item: usize, resource: usize| Offer {
        cost: ((item * 373 + resource * 1013) % 499) as i64,
        uses: vec![(resource, 3 + ((item * 13 + resource * 7) % 9) as u64)],
    };
    let out = |item: usize| Offer { cost: 800 + 13 * (item % 7) as i64, uses: Vec::new() };
    let offers = (0..40).map(|item| (0..4).map(|resource| offer(item, resource)).chain([out(item)]).collect());
    Table { offers: offers.collect(), limits: vec![60, 45, 50, 40] }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn bound_optimum_cost(table in tables(1..7, true)) {
        let solution = solved(&table);
        check_lawful(&table, &solution);
        let optimum = optimum(&table).unwrap();
        prop_assert_eq!(solution.open, 0);
        prop_assert!(solution.bound <= optimum as f64 + 1e-6);
        prop_assert_eq!(solution.cost, optimum);
    }

    #[test]
    fn what_has_no_way_out_is_lawful_too(table in tables(1..6, false)) {
        let solution = solved(&table);
        check_lawful(&table, &solution);
        match optimum(&table) {
            Some(optimum) => {
                prop_assert!(solution.bound <= optimum as f64 + 1e-6);
                prop_assert!(solution.open > 0 || solution.cost >= optimum);
            }
            None => prop_assert!(solution.open > 0),
        }
    }

    #[test]
    fn more_capacity_never_raises_the_bound(table in tables(2..12, true), resource in 0..3_usize) {
        let less = solved(&table).bound;
        let mut richer = table;
        richer.limits[resource] += 4;
        prop_assert!(solved(&richer).bound <= less + 1e-4 * less.abs().max(1.0));
    }
}

#[test]
fn the_same_for_any_number_of_threads() {
    let table = crowded();
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| solved(&table))
    };
    let one = with(1);
    check_lawful(&table, &one);
    assert_eq!(one, with(2));
    assert_eq!(one, with(5));
}

/// A solver that answers as it is told.
struct Told<R, W>(R, W);

impl<R, W> LinearSolver for Told<R, W>
where
    R: Fn(&Program) -> Option<Answer> + Sync,
    W: Fn(&Program) -> Option<Vec<f64>> + Sync,
{
    fn relaxed(&self, program: &Program) -> Option<Answer> {
        (self.0)(program)
    }

    fn whole(&self, program: &Program, _start: &[f64], _nodes: u64) -> Option<Vec<f64>> {
        (self.1)(program)
    }
}

/// Whatever a solver says, the plan is lawful, whole, and between the bound and what greed gives.
fn check_solver(solver: &dyn LinearSolver) {
    let table = crowded();
    let honest = solved(&table);
    let solution = solve_with(&table, None, &settings(), solver, &|| false, &|_| ());
    check_lawful(&table, &solution);
    assert_eq!(solution.open, 0);
    assert!(solution.bound <= honest.cost as f64 + 1e-6, "{} is no bound", solution.bound);
    assert!(solution.bound >= honest.bound * 0.95, "{} is far from {}", solution.bound, honest.bound);
    assert!(solution.cost as f64 <= honest.cost as f64 * 1.05, "{} is far from {}", solution.cost, honest.cost);
}

#[test]
fn a_solver_that_says_nothing() {
    check_solver(&Told(|_: &Program| None, |_: &Program| None));
}

#[test]
fn a_solver_that_talks_nonsense() {
    for number in [f64::NAN, f64::INFINITY, -1e12, 1e12, 0.0, 1.0] {
        let answer = move |program: &Program| Answer {
            values: vec![number; program.costs.len()],
            duals: vec![number; program.rows.len()],
        };
        check_solver(&Told(
            move |program: &Program| Some(answer(program)),
            move |program: &Program| Some(vec![number; program.costs.len()]),
        ));
    }
}

#[test]
fn a_solver_that_answers_another_question() {
    let short = |_: &Program| Some(Answer { values: vec![1.0], duals: vec![1.0; 3] });
    check_solver(&Told(short, |_: &Program| Some(vec![1.0])));
}

#[test]
fn a_solver_that_is_slightly_off() {
    let relaxed = |program: &Program| {
        let mut answer = Backend.relaxed(program)?;
        answer.values.iter_mut().for_each(|value| *value += 1e-4);
        answer.duals.iter_mut().for_each(|dual| *dual = *dual * 1.001 + 1e-4);
        Some(answer)
    };
    // A bit more of everything than there is.
    let whole = |program: &Program| {
        let mut roomy = program.clone();
        roomy.rows.iter_mut().filter(|row| !row.equal).for_each(|row| row.limit += 1.0);
        Backend.whole(&roomy, &[], 200)
    };
    check_solver(&Told(relaxed, whole));
}

#[test]
fn a_solver_that_is_too_late() {
    let late = std::sync::atomic::AtomicBool::new(false);
    let table = crowded();
    let solver = Told(
        |program: &Program| Backend.relaxed(program),
        |program: &Program| {
            late.store(true, std::sync::atomic::Ordering::Relaxed);
            Backend.whole(program, &[], 200)
        },
    );
    let stop = || late.load(std::sync::atomic::Ordering::Relaxed);
    let solution = solve_with(&table, None, &settings(), &solver, &stop, &|_| ());
    check_lawful(&table, &solution);
    assert_eq!((solution.open, solution.stopped), (0, Why::Stopped));
}

#[test]
fn stopped_at_once_the_floor_is_kept() {
    let table = crowded();
    let floor = vec![4; 40];
    let solution = solve_with(&table, Some(floor.clone()), &settings(), &Backend, &|| true, &|_| ());
    check_lawful(&table, &solution);
    assert_eq!(solution.choices, floor.into_iter().map(Some).collect::<Vec<_>>());
    let solution = solve_with(&table, Some(vec![4; 40]), &settings(), &Backend, &|| false, &|_| ());
    check_lawful(&table, &solution);
    assert!(solution.cost < 40 * 800);
}

#[test]
fn exact_neighbourhoods_reach_the_optimum() {
    let mut table = crowded();
    table.offers.truncate(9);
    table.limits = vec![14, 11, 12, 10];
    let settings = Settings { chain_calls: 0, freed_min: 9, ..settings() };
    let solution = solve(&table, &settings, &|| false, &|_| ());
    assert_eq!(Some(solution.cost), optimum(&table));
}
