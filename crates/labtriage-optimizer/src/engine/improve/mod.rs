//! How is a lawful plan made cheaper?
//!
//! `chains` moves a few items at a time, `anneal` takes some out and puts them back otherwise, `exact` re-solves some dozens together, which `select`
//! chooses. A plan only ever becomes cheaper.

mod anneal;
mod chains;
mod exact;
mod ruin;
mod select;

use rayon::prelude::*;

pub(super) use ruin::by_ruins;

use super::columns::Columns;
use super::rng::Random;
use super::scratch::Pool;
use super::solver::LinearSolver;
use super::state::State;
use super::{Problem, Settings};

/// Neighbourhoods that are solved side by side, whatever the number of threads.
const SIDE_BY_SIDE: usize = 4;

/// Steps of a cycle of annealing.
const STEPS: usize = 500;
/// The temperature of annealing at first, in mean losses per item against the bound.
const WARMTH: f64 = 2.0;
/// Items up to which a plan may become dearer for a while.
const WARM_ITEMS_MAX: usize = 20_000;
/// Items times rounds.
const SWEPT_MAX: usize = 5_000_000;

/// What the improvement works with.
pub(super) struct Ground<'a, 'p, P: Problem> {
    pub(super) pool: &'a Pool<'p, P>,
    pub(super) prices: &'a [f64],
    /// The options that were seen while prices were learned.
    pub(super) columns: Option<&'a Columns<P::Choice>>,
    /// What no plan can cost less than.
    pub(super) bound: f64,
    /// Items that the relaxation splits.
    pub(super) split: &'a [usize],
    pub(super) settings: &'a Settings,
    pub(super) solver: &'a dyn LinearSolver,
    pub(super) stop: &'a (dyn Fn() -> bool + Sync),
}

impl<P: Problem> Ground<'_, '_, P> {
    /// Whether nothing is left to do.
    pub(super) fn done(&self, state: &State<'_, P>) -> bool {
        (self.stop)() || self.near(state)
    }

    /// Whether a plan is whole and near enough to the bound.
    pub(super) fn near(&self, state: &State<'_, P>) -> bool {
        state.open() == 0 && super::near(state.cost(), self.bound, self.settings.gap)
    }
}

/// Chains until they gain nothing; those items first that lose most against their cheapest option.
pub(super) fn by_chains<P: Problem>(ground: &Ground<'_, '_, P>, state: &mut State<'_, P>) {
    let mut calls = ground.settings.chain_calls;
    while calls > 0 && !ground.done(state) {
        let before = state.rank();
        let losses = losses(ground, state);
        let mut order: Vec<usize> = (0..losses.len()).filter(|item| losses[*item] > 0.0).collect();
        order.sort_by(|one, other| losses[*other].total_cmp(&losses[*one]).then(one.cmp(other)));
        calls = calls.saturating_sub(losses.len() as u64);
        calls = chains::chains(ground.pool, state, ground.prices, &order, calls, ground.stop);
        if state.rank() == before {
            return;
        }
    }
}

/// What each item loses against its cheapest option without prices: what it could gain at most.
fn losses<P: Problem>(ground: &Ground<'_, '_, P>, state: &State<'_, P>) -> Vec<f64> {
    let items: Vec<usize> = (0..ground.pool.problem.items()).collect();
    let free = vec![0.0; ground.prices.len()];
    ground.pool.each(&items, |item, scratch| {
        let Some(choice) = state.choice(item) else { return f64::INFINITY };
        let cost = state.problem.cost(item, choice);
        let best = state.problem.cheapest(item, &free, None, scratch);
        best.map_or(0.0, |best| (cost - state.problem.cost(item, &best)) as f64)
    })
}

/// Cycles of annealing side by side from the same plan; the best of what they end with. Cost per
/// round: O(items) to copy and to list, and [`STEPS`] steps each.
fn anneal_round<P: Problem>(ground: &Ground<'_, '_, P>, state: &mut State<'_, P>, random: &mut Random) -> bool {
    if ground.done(state) || state.open() > 0 {
        return false;
    }
    let items = state.problem.items();
    let loss = (state.cost() as f64 - ground.bound) / items as f64;
    let warmth = if items > WARM_ITEMS_MAX || !loss.is_finite() { 0.0 } else { WARMTH * loss };
    let seeds: Vec<u64> = (0..SIDE_BY_SIDE).map(|_| random.next()).collect();
    let seen: &State<'_, P> = state;
    let cycle = |seed: &u64| {
        let cycle = anneal::Cycle { prices: ground.prices, steps: STEPS, warmth, seed: *seed };
        ground.pool.with(|scratch| anneal::anneal(seen, &cycle, ground.stop, scratch))
    };
    let (mut found, last): (Vec<State<'_, P>>, Vec<State<'_, P>>) = seeds.par_iter().map(cycle).unzip();
    if let Some(merged) = merged(ground, seen, &last, items) {
        found.push(merged);
    }
    let best = found.into_iter().min_by_key(State::rank).filter(|best| best.rank() < state.rank());
    let gained = best.is_some();
    if let Some(best) = best {
        *state = best;
    }
    gained
}

/// What the ends of cycles have in common is kept, where they differ the best of each is taken.
fn merged<'p, P: Problem>(
    ground: &Ground<'_, '_, P>,
    state: &State<'p, P>,
    ends: &[State<'p, P>],
    items: usize,
) -> Option<State<'p, P>> {
    if items > WARM_ITEMS_MAX || (ground.stop)() {
        return None;
    }
    let nodes = ground.settings.nodes * SIDE_BY_SIDE as u64;
    let better = exact::merge(state, ends, ground.prices, ground.solver, nodes)?;
    let mut merged = state.clone();
    exact::accept(&mut merged, better).then_some(merged)
}

/// Rounds of exact neighbourhoods and of annealing by turns, within the limits of the settings.
pub(super) fn by_neighbourhoods<P: Problem>(
    ground: &Ground<'_, '_, P>,
    state: &mut State<'_, P>,
    progress: &dyn Fn(&State<'_, P>),
) {
    let mut random = Random::new(ground.settings.seed ^ 0x5EED);
    let mut size = ground.settings.freed_min;
    let mut barren = 0;
    let rounds = ground.settings.neighbourhoods.div_ceil(SIDE_BY_SIDE);
    // A round looks at every item; of very many items it improves little.
    for _ in 0..rounds.min(SWEPT_MAX / state.problem.items().max(1)) {
        if ground.done(state) {
            return;
        }
        let solved = exact_round(ground, state, size, &mut random);
        let annealed = anneal_round(ground, state, &mut random);
        progress(state);
        barren = if solved || annealed { 0 } else { barren + 1 };
        // What small neighbourhoods no longer find, larger ones may.
        if barren >= 6 {
            size = (size * 5 / 4).min(ground.settings.freed_max.max(ground.settings.freed_min));
            barren = 0;
        }
    }
}

/// Some neighbourhoods side by side from the same plan, taken over one after the other.
fn exact_round<P: Problem>(
    ground: &Ground<'_, '_, P>,
    state: &mut State<'_, P>,
    size: usize,
    random: &mut Random,
) -> bool {
    let seen: &State<'_, P> = state;
    let losses = losses(ground, seen);
    let users = chains::users(seen);
    let scarce: Vec<usize> = (0..users.len()).filter(|resource| ground.prices[*resource] > 0.0).collect();
    let open = (0..losses.len()).filter(|item| seen.choice(*item).is_none());
    let undecided: Vec<usize> = open.chain(ground.split.iter().copied()).collect();
    let field = select::Field { users: &users, scarce: &scarce, losses: &losses, undecided: &undecided };
    let jobs: Vec<(Vec<usize>, u64)> = (0..SIDE_BY_SIDE)
        .map(|_| (select::select(seen, &field, size.min(losses.len()), random), random.next()))
        .collect();
    let solve = |(freed, seed): &(Vec<usize>, u64)| {
        let mut random = Random::new(*seed);
        ground.pool.with(|scratch| {
            exact::resolve(seen, freed, ground.prices, ground.solver, ground.settings.nodes, &mut random, scratch)
        })
    };
    let found: Vec<_> = jobs.par_iter().map(solve).collect();
    let taken: Vec<bool> = found.into_iter().flatten().map(|better| exact::accept(state, better)).collect();
    taken.contains(&true)
}
