//! Which option does each item get, at given prices, on what is left?

use super::Problem;
use super::columns::Columns;
use super::options::Options;
use super::prices::{Priced, slopes};
use super::rng::Stride;
use super::scratch::Pool;
use super::state::State;

/// Items that are assigned between two looks at `stop`.
const PIECE: usize = 256;
/// Items after which prices follow the use.
const BATCH: usize = 128;
/// How far prices follow, as a share of their scale.
const STEP: f64 = 0.0002;

/// A price above this share of its scale makes a resource scarce.
const SCARCE: f64 = 0.02;

/// All items, those first that lose most per unit of scarce worth: what the best option without any
/// scarce resource costs more, over what the cheapest one pays for what is scarce. Items that the
/// relaxation splits come last: without them it fits. Two calls of the oracle per item, three where
/// there is no option without scarce resources.
pub(super) fn by_gain<P: Problem>(pool: &Pool<'_, P>, priced: &Priced<P::Choice>) -> Vec<usize> {
    let problem = pool.problem;
    let items: Vec<usize> = (0..problem.items()).collect();
    let scarce = priced.prices.iter().zip(&priced.scale).map(|(price, scale)| *price > SCARCE * *scale);
    let closed: Vec<u64> =
        problem.limits().iter().zip(scarce).map(|(limit, scarce)| if scarce { 0 } else { *limit }).collect();
    let all_open = || Options::new(problem.limits());
    let gains = pool.each_with(&items, all_open, |item, options, scratch| {
        gain(problem, item, &priced.prices, (&closed, options), scratch)
    });
    let key = |(gain, item): (f64, usize)| (priced.split.binary_search(&item).is_ok(), gain, item);
    let mut order: Vec<(bool, f64, usize)> = gains.into_iter().zip(items).map(key).collect();
    order.sort_by(|one, other| one.0.cmp(&other.0).then(other.1.total_cmp(&one.1)).then(one.2.cmp(&other.2)));
    order.into_iter().map(|(_, _, item)| item).collect()
}

/// Without anything scarce an item hinders nobody and can wait.
fn gain<P: Problem>(
    problem: &P,
    item: usize,
    prices: &[f64],
    (closed, options): (&[u64], &mut Options),
    scratch: &mut P::Scratch,
) -> f64 {
    let Some(choice) = problem.cheapest(item, prices, None, scratch) else { return f64::NEG_INFINITY };
    let mut paid = 0.0;
    problem.uses(item, &choice, &mut |resource, amount| paid += prices[resource] * amount as f64);
    if paid <= 0.0 {
        return f64::NEG_INFINITY;
    }
    match problem.cheapest(item, prices, Some(closed), scratch) {
        Some(other) => (problem.cost(item, &other) - problem.cost(item, &choice)) as f64 / paid,
        None => displaced(problem, item, prices, options, scratch),
    }
}

/// What an item that always needs something scarce loses if it gets none of what it would take.
fn displaced<P: Problem>(
    problem: &P,
    item: usize,
    prices: &[f64],
    options: &mut Options,
    scratch: &mut P::Scratch,
) -> f64 {
    let two = options.of(problem, item, prices, 2, scratch);
    let paid = |choice: &P::Choice| {
        let mut paid = 0.0;
        problem.uses(item, choice, &mut |resource, amount| paid += prices[resource] * amount as f64);
        paid
    };
    let priced = |choice: &P::Choice| problem.cost(item, choice) as f64 + paid(choice);
    match two.as_slice() {
        [first, second, ..] => (priced(second) - priced(first)) / paid(first),
        _ => f64::INFINITY,
    }
}

/// Sweeps in which whole options are chosen from the mix, and how much steeper prices are from one to
/// the next: at the end what is overdrawn costs more than anything. One after the other is tried, as
/// none is best for every problem.
pub(super) const WHOLE: [(usize, f64); 6] = [(30, 1.5), (60, 1.25), (120, 1.12), (15, 2.0), (40, 1.4), (80, 1.18)];

/// The one that is tried when time is over.
pub(super) const WHOLE_LATE: (usize, f64) = (6, 6.0);

/// Gives each item the option that comes nearest to the mix, as far as they fit; all items, those first
/// that had most to lose. No call of the oracle.
pub(super) fn settle<P: Problem>(
    state: &mut State<'_, P>,
    priced: &Priced<P::Choice>,
    columns: &Columns<P::Choice>,
    steepening: (usize, f64),
) -> Vec<usize> {
    let prices = &priced.prices;
    let slope = slopes(prices, &priced.scale, state.problem.limits());
    let loss = |(item, chosen): (usize, Option<usize>)| {
        let Some(chosen) = chosen.map(|chosen| &columns.of(item)[chosen]) else {
            return (f64::NEG_INFINITY, item, None);
        };
        let dearest = columns.of(item).iter().map(|column| column.priced(prices)).fold(f64::NEG_INFINITY, f64::max);
        (dearest - chosen.priced(prices), item, chosen.choice.as_ref())
    };
    let chosen = columns.whole(prices, &slope, steepening);
    let mut order: Vec<(f64, usize, Option<&P::Choice>)> = chosen.into_iter().enumerate().map(loss).collect();
    order.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));
    for (_, item, choice) in &order {
        if let Some(choice) = choice {
            state.put(*item, P::Choice::clone(choice));
        }
    }
    order.into_iter().map(|(_, item, _)| item).collect()
}

/// Gives each item without a choice its cheapest option on what is left. Items for which nothing
/// fits stay open. One call of the oracle per item.
pub(super) fn fill<P: Problem>(
    pool: &Pool<'_, P>,
    state: &mut State<'_, P>,
    order: &[usize],
    prices: &[f64],
    stop: &(dyn Fn() -> bool + Sync),
) {
    for piece in order.chunks(PIECE) {
        // An item may stay open when time is up; the floor or nothing takes its place.
        if stop() {
            return;
        }
        place(pool, state, piece, prices);
    }
}

/// Gives items their cheapest options on what is left before them: found side by side, then put in one after
/// the other; who finds its option gone looks again.
fn place<P: Problem>(pool: &Pool<'_, P>, state: &mut State<'_, P>, items: &[usize], prices: &[f64]) {
    let open: Vec<usize> = items.iter().copied().filter(|item| state.choice(*item).is_none()).collect();
    let problem = state.problem;
    let found = pool.each(&open, |item, scratch| problem.cheapest(item, prices, Some(state.left()), scratch));
    for (item, choice) in open.into_iter().zip(found) {
        let Some(choice) = choice else { continue };
        if !state.put(item, choice)
            && let Some(other) = pool.with(|scratch| problem.cheapest(item, prices, Some(state.left()), scratch))
        {
            state.put(item, other);
        }
    }
}

/// Gives each item its cheapest option on what is left, at prices that follow the use: after each
/// batch, in an order that spreads all kinds of items evenly, a price moves in proportion to (use ÷
/// share of what was left) − 1. At fixed prices many items want the same of several nearly tied
/// resources; prices that follow share them out. One call of the oracle per item.
pub(super) fn follow<P: Problem>(
    pool: &Pool<'_, P>,
    state: &mut State<'_, P>,
    order: &Stride,
    (prices, scale): (&[f64], &[f64]),
    stop: &(dyn Fn() -> bool + Sync),
) {
    let items = state.problem.items();
    let mut prices = prices.to_vec();
    for from in (0..items).step_by(BATCH) {
        if stop() {
            return;
        }
        let batch = order.stretch(from, from + BATCH);
        let before = state.left().to_vec();
        place(pool, state, &batch, &prices);
        let share = batch.len() as f64 / (items - from) as f64;
        // What few items are left can no longer be steered.
        let step = STEP * (1.0 - from as f64 / items as f64).sqrt();
        for (resource, before) in before.into_iter().enumerate().filter(|(_, before)| *before > 0) {
            let excess = (before - state.left()[resource]) as f64 / (share * before as f64) - 1.0;
            prices[resource] = (prices[resource] + step * scale[resource] * excess).max(0.0);
        }
    }
}

/// Takes each item out and puts it back where it costs least, until a pass gains nothing or
/// `passes` are done. Never costs more. One call of the oracle per item and pass.
pub(super) fn reinsert<P: Problem>(
    pool: &Pool<'_, P>,
    state: &mut State<'_, P>,
    order: &[usize],
    passes: usize,
    stop: &(dyn Fn() -> bool + Sync),
) {
    for _ in 0..passes {
        let before = state.rank();
        for piece in order.chunks(PIECE) {
            if stop() {
                return;
            }
            replace(pool, state, piece);
        }
        if state.rank() == before {
            return;
        }
    }
}

/// Looks for something cheaper for items, each without itself: found side by side, then exchanged one after
/// the other. What another has taken meanwhile is not looked for again before the next pass.
fn replace<P: Problem>(pool: &Pool<'_, P>, state: &mut State<'_, P>, items: &[usize]) {
    let seen = &*state;
    let better = |item: usize, left: &mut Vec<u64>, scratch: &mut P::Scratch| {
        let problem = seen.problem;
        let old = seen.choice(item);
        let below = old.map_or(i64::MAX, |old| problem.cost(item, old));
        old.inspect(|old| problem.uses(item, old, &mut |resource, amount| left[resource] += amount));
        let found = problem.cheaper(item, below, left, scratch);
        old.inspect(|old| problem.uses(item, old, &mut |resource, amount| left[resource] -= amount));
        found
    };
    let found = pool.each_with(items, || seen.left().to_vec(), better);
    for (item, choice) in items.iter().copied().zip(found) {
        let Some(choice) = choice else { continue };
        let old = state.take(item);
        if !state.put(item, choice)
            && let Some(old) = old
        {
            state.put(item, old);
        }
    }
}
