//! How do the parts work together?

use rayon::prelude::*;

use super::columns::Columns;
use super::improve::{Ground, by_chains, by_neighbourhoods, by_ruins};
use super::prices::Priced;
use super::rng::{Random, Stride};
use super::scratch::Pool;
use super::solver::{Backend, LinearSolver};
use super::state::State;
use super::{Gone, LEARNING, Problem, Settings, assign, near, prices};

/// What the engine is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Learning prices.
    Prices,
    /// Giving each item an option.
    Assign,
    /// Moving a few items at a time.
    Chains,
    /// Solving neighbourhoods exactly.
    Neighbourhoods,
}

/// How far the engine is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// What it is doing.
    pub phase: Phase,
    /// Cost of the best whole plan so far.
    pub cost: Option<i64>,
    /// The lower bound, once known.
    pub bound: Option<f64>,
}

/// Why the engine stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The plan is as near to the bound as was asked.
    Gap,
    /// The work was done.
    Limits,
    /// Time was over for a part of it.
    Stopped,
}

/// What the engine found.
#[derive(Clone, Debug, PartialEq)]
pub struct Solution<C> {
    /// A choice per item; none where nothing that fits was found.
    pub choices: Vec<Option<C>>,
    /// Items without a choice.
    pub open: usize,
    /// Σ cost of the choices.
    pub cost: i64,
    /// No lawful plan costs less, up to the rounding of sums of `f64`; minus infinity when stopped
    /// before prices were known, and for more items than prices are learned from.
    pub bound: f64,
    /// Cost per unit of each resource, at least 0; they prove the bound.
    pub prices: Vec<f64>,
    /// Why it stopped.
    pub stopped: Why,
}

/// Chooses one option per item. See [`solve_with`], which this calls without a floor and with the
/// [`Backend`] of the build.
pub fn solve<P: Problem>(
    problem: &P,
    settings: &Settings,
    gone: Gone<'_>,
    progress: &dyn Fn(Progress),
) -> Solution<P::Choice> {
    solve_with(problem, None, settings, &Backend, gone, progress)
}

/// Chooses one option per item.
///
/// `floor` is a plan that is returned, or improved, when no better one is found. While no time is
/// gone, the answer is the same for any number of threads. Work is linear in the items, times the
/// rounds and passes of the settings.
pub fn solve_with<P: Problem>(
    problem: &P,
    floor: Option<Vec<P::Choice>>,
    settings: &Settings,
    solver: &dyn LinearSolver,
    gone: Gone<'_>,
    progress: &dyn Fn(Progress),
) -> Solution<P::Choice> {
    if problem.items() == 0 {
        let prices = vec![0.0; problem.limits().len()];
        return Solution { choices: Vec::new(), open: 0, cost: 0, bound: 0.0, prices, stopped: Why::Gap };
    }
    let stop: &(dyn Fn() -> bool + Sync) = &|| gone() >= 1.0;
    let pool = Pool::new(problem);
    progress(Progress { phase: Phase::Prices, cost: None, bound: None });
    let priced = prices::learn(&pool, settings, solver, &|| gone() >= LEARNING);
    let tell = |phase, state: &State<'_, P>| {
        let cost = (state.open() == 0).then(|| state.cost());
        progress(Progress { phase, cost, bound: Some(priced.bound) });
    };
    let floor = floor.map(|choices| State::from(problem, choices));
    let mut state = first(&pool, &priced, floor, settings, stop);
    tell(Phase::Assign, &state);
    let (bound, prices, split) = (priced.bound, &priced.prices, &priced.split);
    let columns = priced.columns.as_ref();
    let ground = Ground { pool: &pool, prices, columns, bound, split, settings, solver, stop };
    let unmoved = state.rank();
    by_ruins(&ground, &mut state);
    by_chains(&ground, &mut state);
    tell(Phase::Chains, &state);
    by_neighbourhoods(&ground, &mut state, &|state| tell(Phase::Neighbourhoods, state));
    if state.rank() != unmoved {
        // What the moves have freed may suit somebody.
        let all: Vec<usize> = (0..problem.items()).collect();
        assign::reinsert(&pool, &mut state, &all, settings.reinsertions.min(1), stop);
    }
    let stopped = why(&state, &priced, settings, stop);
    let (open, cost) = state.rank();
    Solution { choices: state.into_choices(), open, cost, bound: priced.bound, prices: priced.proof, stopped }
}

/// The best of the floor and of what prices assign.
fn first<'p, P: Problem>(
    pool: &Pool<'p, P>,
    priced: &Priced<P::Choice>,
    floor: Option<State<'p, P>>,
    settings: &Settings,
    stop: &(dyn Fn() -> bool + Sync),
) -> State<'p, P> {
    let found = match &priced.columns {
        Some(columns) => [Some(from_mix(pool, priced, columns, settings, stop)), None],
        None if priced.outright => from_prices(pool, priced, settings, stop).map(Some),
        None => [Some(following(pool, priced, settings.reinsertions.min(1), settings, stop)), None],
    };
    let found = found.into_iter().chain([floor]).flatten();
    found.min_by_key(State::rank).unwrap_or_else(|| State::new(pool.problem))
}

/// Items of all tries at whole options, about: few items are worth several.
const TRIED: usize = 16_000;

/// What comes nearest to the mix of known options, the best of a few tries. It is worth having even
/// when time is over, and takes no oracle then.
fn from_mix<'p, P: Problem>(
    pool: &Pool<'p, P>,
    priced: &Priced<P::Choice>,
    columns: &Columns<P::Choice>,
    settings: &Settings,
    stop: &(dyn Fn() -> bool + Sync),
) -> State<'p, P> {
    let tries = (TRIED / pool.problem.items().max(1)).clamp(1, assign::WHOLE.len());
    let steepenings = if stop() { &[assign::WHOLE_LATE][..] } else { &assign::WHOLE[..tries] };
    let once = |steepening: &(usize, f64)| {
        let mut state = State::new(pool.problem);
        let order = assign::settle(&mut state, priced, columns, *steepening);
        assign::fill(pool, &mut state, &order, &priced.prices, stop);
        (state, order)
    };
    let tried: Vec<(State<'p, P>, Vec<usize>)> = steepenings.par_iter().map(once).collect();
    let best = tried.into_iter().min_by_key(|(state, _)| state.rank());
    let Some((mut state, order)) = best else { return State::new(pool.problem) };
    // Only the best is worth the passes, which ask every item.
    assign::reinsert(pool, &mut state, &order, settings.reinsertions, stop);
    state
}

/// What prices assign in order of gain, and what prices that follow the use assign.
fn from_prices<'p, P: Problem>(
    pool: &Pool<'p, P>,
    priced: &Priced<P::Choice>,
    settings: &Settings,
    stop: &(dyn Fn() -> bool + Sync),
) -> [State<'p, P>; 2] {
    let mut by_gain = State::new(pool.problem);
    let order = assign::by_gain(pool, priced);
    assign::fill(pool, &mut by_gain, &order, &priced.prices, stop);
    assign::reinsert(pool, &mut by_gain, &order, settings.reinsertions, stop);
    [by_gain, following(pool, priced, settings.reinsertions, settings, stop)]
}

/// What prices that follow the use assign, in an order that spreads all kinds of items evenly.
fn following<'p, P: Problem>(
    pool: &Pool<'p, P>,
    priced: &Priced<P::Choice>,
    reinsertions: usize,
    settings: &Settings,
    stop: &(dyn Fn() -> bool + Sync),
) -> State<'p, P> {
    let mut state = State::new(pool.problem);
    let spread = Stride::new(pool.problem.items(), &mut Random::new(settings.seed));
    assign::follow(pool, &mut state, &spread, (&priced.prices, &priced.scale), stop);
    let all = spread.stretch(0, pool.problem.items());
    assign::reinsert(pool, &mut state, &all, reinsertions, stop);
    state
}

fn why<P: Problem>(
    state: &State<'_, P>,
    priced: &Priced<P::Choice>,
    settings: &Settings,
    stop: &(dyn Fn() -> bool + Sync),
) -> Why {
    if state.open() == 0 && near(state.cost(), priced.bound, settings.gap) {
        Why::Gap
    } else if priced.cut || stop() {
        Why::Stopped
    } else {
        Why::Limits
    }
}
