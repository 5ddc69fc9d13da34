//! What the engine promises, on problems small enough to try everything.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use labtriage_optimizer::engine::solver::{Answer, Backend, LinearSolver, Program, Row};
use labtriage_optimizer::engine::table::{Offer, Table};
use labtriage_optimizer::engine::{Problem, Progress, Settings, Solution, Why, solve, solve_with};
use proptest::prelude::*;

fn settings() -> Settings {
    Settings { gap: 0.0, neighbourhoods: 40, chain_calls: 50_000, ..Settings::default() }
}

fn solved(table: &Table) -> Solution<usize> {
    solve(table, &settings(), &|| 0.0, &|_| ())
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

/// The choices of a solution that leaves no item open.
fn all(solution: &Solution<usize>) -> Vec<usize> {
    solution.choices.iter().copied().collect::<Option<_>>().expect("a choice of each item")
}

fn floor_cost(table: &Table, floor: &[usize]) -> i64 {
    floor.iter().enumerate().map(|(item, choice)| table.cost(item, choice)).sum()
}

/// Whatever a solver says, the plan is lawful, whole, never dearer than a moment before nor than the best
/// floor there is, and near to what an honest one gives.
fn check_solver(solver: &dyn LinearSolver) {
    let table = crowded();
    let honest = solved(&table);
    let floor = all(&honest);
    let least = Cell::new(honest.cost);
    let never_dearer = |progress: Progress| {
        let cost = progress.cost.unwrap_or(least.get());
        assert!(cost <= least.replace(cost), "{cost} after less");
    };
    let kept = solve_with(&table, Some(floor), &settings(), solver, &|| 0.0, &never_dearer);
    check_lawful(&table, &kept);
    assert!(kept.open == 0 && kept.cost <= honest.cost, "{} is above the floor {}", kept.cost, honest.cost);
    let solution = solve_with(&table, None, &settings(), solver, &|| 0.0, &|_| ());
    check_lawful(&table, &solution);
    assert_eq!(solution.open, 0);
    assert!(solution.bound <= solution.cost as f64 + 1e-6, "{} is above {}", solution.bound, solution.cost);
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

/// The cheapest option of each item, as if nothing were scarce.
fn without_limits(program: &Program) -> Option<Vec<f64>> {
    let rows = program.rows.iter().filter(|row| row.equal).cloned().collect();
    Backend.whole(&Program { costs: program.costs.clone(), rows }, &[], 200)
}

#[test]
fn a_solver_that_forgets_the_limits() {
    check_solver(&Told(|program: &Program| Backend.relaxed(program), without_limits));
}

#[test]
fn nothing_to_choose_costs_nothing() {
    let table = Table { offers: Vec::new(), limits: vec![3, 5] };
    for relaxed_items_max in [0, 1500] {
        let solution = solve(&table, &Settings { relaxed_items_max, ..settings() }, &|| 0.0, &|_| ());
        assert_eq!((solution.choices.len(), solution.open, solution.cost), (0, 0, 0));
        assert!(solution.bound <= 0.0);
    }
}

proptest! {
    #[test]
    fn prices_of_a_sample_give_a_lawful_plan_of_all(table in tables(20..40, true)) {
        let few = Settings { relaxed_items_max: 0, learned_items_max: 15, sampled_items: 10, ..settings() };
        let solution = solve(&table, &few, &|| 0.0, &|_| ());
        check_lawful(&table, &solution);
        prop_assert_eq!(solution.open, 0);
        // What only a sample was asked for proves nothing of all.
        prop_assert_eq!(solution.bound, f64::NEG_INFINITY);
    }
}

#[test]
fn a_price_below_nothing_proves_nothing() {
    // Who takes little takes of what nobody wants: a gift for each unit of it would pay for all that is left.
    let offers = vec![Offer { cost: 5, uses: vec![(0, 5)] }, Offer { cost: 15, uses: vec![(1, 4)] }];
    let table = Table { offers: vec![offers; 3], limits: vec![1000, 11] };
    let gift = |program: &Program| {
        Some(Answer { values: vec![0.5; program.costs.len()], duals: vec![0.5; program.rows.len()] })
    };
    let solver = Told(gift, |_: &Program| None);
    let solution = solve_with(&table, None, &settings(), &solver, &|| 0.0, &|_| ());
    check_lawful(&table, &solution);
    assert!(solution.cost == 15 && solution.bound <= 15.0 + 1e-6, "{} is above {}", solution.bound, solution.cost);
}

/// Honest about relaxations; of whole answers it gives the dearest that differs from the start in one item.
struct Wasteful;

impl LinearSolver for Wasteful {
    fn relaxed(&self, program: &Program) -> Option<Answer> {
        Backend.relaxed(program)
    }

    fn whole(&self, program: &Program, start: &[f64], _nodes: u64) -> Option<Vec<f64>> {
        let items = program.rows.iter().filter(|row| row.equal);
        let moved = items.flat_map(|row| row.terms.iter().map(|&(variable, _)| moved(row, start, variable)));
        // The last row asks for less than now.
        let (_, limits) = program.rows.split_last()?;
        let cost = |values: &[f64]| sum(program.costs.iter().copied().enumerate(), values);
        moved.filter(|values| limits.iter().all(|row| holds(row, values))).max_by(|a, b| cost(a).total_cmp(&cost(b)))
    }
}

/// The start, but one item has another option.
fn moved(row: &Row, start: &[f64], option: usize) -> Vec<f64> {
    let mut values = start.to_vec();
    row.terms.iter().for_each(|&(variable, _)| values[variable] = f64::from(u8::from(variable == option)));
    values
}

fn sum(terms: impl Iterator<Item = (usize, f64)>, values: &[f64]) -> f64 {
    terms.map(|(variable, coefficient)| coefficient * values[variable]).sum()
}

fn holds(row: &Row, values: &[f64]) -> bool {
    let sum = sum(row.terms.iter().copied(), values);
    if row.equal { sum == row.limit } else { sum <= row.limit }
}

#[test]
fn a_solver_that_wastes() {
    check_solver(&Wasteful);
}

/// Time is over when the solver gives its first relaxation, or its first whole answer.
fn check_late(late_when_whole: bool) {
    let late = AtomicBool::new(false);
    let table = crowded();
    let solver = Told(
        |program: &Program| {
            late.fetch_or(!late_when_whole, Ordering::Relaxed);
            Backend.relaxed(program)
        },
        |program: &Program| {
            late.store(true, Ordering::Relaxed);
            Backend.whole(program, &[], 200)
        },
    );
    let gone = || f64::from(u8::from(late.load(Ordering::Relaxed)));
    let best = all(&solved(&table));
    for floor in [vec![4; 40], best] {
        let dear = floor_cost(&table, &floor);
        late.store(false, Ordering::Relaxed);
        let solution = solve_with(&table, Some(floor.clone()), &settings(), &solver, &gone, &|_| ());
        check_lawful(&table, &solution);
        assert_eq!((solution.open, solution.stopped), (0, Why::Stopped));
        assert!(
            solution.cost <= dear && solution.bound <= solution.cost as f64 + 1e-6,
            "{} after {dear}",
            solution.cost
        );
        if !late_when_whole {
            assert_eq!(solution.choices, floor.into_iter().map(Some).collect::<Vec<_>>());
        }
    }
}

#[test]
fn a_relaxation_that_is_too_late_leaves_the_floor() {
    check_late(false);
}

#[test]
fn a_whole_answer_that_is_too_late_leaves_what_is_there() {
    check_late(true);
}

#[test]
fn a_backend_that_panics_has_no_answer() {
    // A row about a variable that does not exist.
    let row = Row { terms: vec![(7, 1.0)], limit: 1.0, equal: false };
    let program = Program { costs: vec![1.0], rows: vec![row] };
    assert_eq!(Backend.relaxed(&program), None);
    assert_eq!(Backend.whole(&program, &[0.0], 10), None);
}

/// What a solver may say that is no number, no share, or no price.
const LIES: [f64; 12] =
    [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, -1e300, 1e9, -1e9, 0.6, 0.9, 1.0, -1.0, 1e-300];

/// A solver that says these lies by turns, too many or too few of them where `length` is not 0.
fn liar(lies: Vec<usize>, length: isize) -> impl LinearSolver {
    let says = move |wanted: usize| -> Vec<f64> {
        let wanted = wanted.saturating_add_signed(length);
        lies.iter().map(|lie| LIES[*lie]).cycle().take(wanted).collect()
    };
    let whole = says.clone();
    Told(
        move |program: &Program| Some(Answer { values: says(program.costs.len()), duals: says(program.rows.len()) }),
        move |program: &Program| Some(whole(program.costs.len())),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn lies_cost_quality_and_never_the_plan(
        table in tables(1..7, true),
        lies in prop::collection::vec(0..LIES.len(), 1..9),
        length in prop_oneof![Just(0_isize), -2..3_isize],
    ) {
        let left_out: Vec<usize> = table.offers.iter().map(|offers| offers.len() - 1).collect();
        let best = optimum(&table).unwrap();
        let honest = all(&solved(&table));
        for floor in [None, Some(left_out), Some(honest)] {
            let dear = floor.as_deref().map_or(i64::MAX, |floor| floor_cost(&table, floor));
            let solver = liar(lies.clone(), length);
            let solution = solve_with(&table, floor, &settings(), &solver, &|| 0.0, &|_| ());
            check_lawful(&table, &solution);
            prop_assert_eq!(solution.open, 0);
            prop_assert!(solution.bound <= best as f64 + 1e-6, "{} is above {best}", solution.bound);
            prop_assert!(best <= solution.cost && solution.cost <= dear, "{} after {dear}", solution.cost);
        }
    }
}

#[test]
fn stopped_at_once_the_floor_is_kept() {
    let table = crowded();
    let floor = vec![4; 40];
    let solution = solve_with(&table, Some(floor.clone()), &settings(), &Backend, &|| 1.0, &|_| ());
    check_lawful(&table, &solution);
    assert_eq!(solution.choices, floor.into_iter().map(Some).collect::<Vec<_>>());
    let solution = solve_with(&table, Some(vec![4; 40]), &settings(), &Backend, &|| 0.0, &|_| ());
    check_lawful(&table, &solution);
    assert!(solution.cost < 40 * 800);
}

#[test]
fn exact_neighbourhoods_reach_the_optimum() {
    let mut table = crowded();
    table.offers.truncate(9);
    table.limits = vec![14, 11, 12, 10];
    let settings = Settings { chain_calls: 0, freed_min: 9, ..settings() };
    let solution = solve(&table, &settings, &|| 0.0, &|_| ());
    assert_eq!(Some(solution.cost), optimum(&table));
}

#[test]
fn who_regrets_most_chooses_again() {
    let table = crowded();
    let without = Settings { chain_calls: 0, neighbourhoods: 0, reinsertions: 0, relaxed_items_max: 0, ..settings() };
    let with = Settings { ruin_calls: 20_000, ..without.clone() };
    let solve = |settings: &Settings| solve(&table, settings, &|| 0.0, &|_| ());
    let (before, after) = (solve(&without), solve(&with));
    check_lawful(&table, &after);
    assert!((after.open, after.cost) < (before.open, before.cost), "{} without, {} with", before.cost, after.cost);
    let with_threads = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| solve(&with).choices)
    };
    assert_eq!(with_threads(1), with_threads(3));
}

/// Items that each want one of four slots, the earlier the better, or none for more; there is room for half of them.
fn queue(items: i64) -> Table {
    let offers = |item: i64| {
        let weight = 1 + item * 7919 % 97;
        let slot = |slot: usize| Offer { cost: weight * slot as i64, uses: vec![(slot, 1)] };
        (0..4).map(slot).chain([Offer { cost: weight * 10, uses: Vec::new() }]).collect()
    };
    Table { offers: (0..items).map(offers).collect(), limits: vec![items.unsigned_abs() / 8; 4] }
}

#[test]
fn what_is_known_when_time_is_over_is_given_out() {
    let table = queue(400);
    let settings = Settings { relaxed_items_max: 0, relaxations: 1, ..settings() };
    let stopped_after = |looks: usize| {
        let asked = AtomicUsize::new(0);
        let gone = || asked.fetch_add(1, Ordering::Relaxed) as f64 / looks as f64;
        solve(&table, &settings, &gone, &|_| ())
    };
    let (never, early) = (stopped_after(usize::MAX), stopped_after(300));
    check_lawful(&table, &early);
    assert_eq!(early.stopped, Why::Stopped);
    assert!(early.open * 20 <= table.offers.len(), "{} of {} are open", early.open, table.offers.len());
    let dearest: i64 = table.offers.iter().map(|offers| offers[4].cost).sum();
    assert!(early.cost - never.cost < (dearest - never.cost) / 5, "{} then, {} later", early.cost, never.cost);
    // Without any time nothing is given out.
    assert_eq!(stopped_after(1).open, table.offers.len());
}
