//! What if a few items that compete are taken out and put back otherwise?
//!
//! Ruin and recreate (Schrimpf et al., 2000) with simulated annealing: an item is moved to another
//! good option, those in its way are taken out and put back where they are cheapest at prices moved
//! at random, and all that were touched look for short ejection chains. A plan that costs more is
//! kept now and then, the less so the longer a cycle lasts; a cycle ends with the best plan it has
//! seen.

use super::super::Problem;
use super::super::rng::Random;
use super::super::state::State;
use super::chains::{ANYTHING, Chains};

/// Sets of moved prices of a cycle.
const MOVED: usize = 32;
/// How far prices move, as factors.
const MOVE: (f64, f64) = (0.0, 1.6);
/// Options of an item that are tried, cheapest at the prices first.
const OPTIONS: usize = 5;
/// Items taken out at most for one that moves.
const OUT_MAX: usize = 8;
/// Items taken out besides.
const EXTRA_MAX: usize = 1;
/// Items that may be ejected for one that finds no place.
const DEPTH: usize = 1;
/// Items that may be ejected for each item that was touched, once all have a place.
const POLISH: usize = 2;
/// The temperature at the end of a cycle, as a share of that at its beginning.
const COOLED: f64 = 0.02;

/// One cycle.
pub(super) struct Cycle<'a> {
    pub(super) prices: &'a [f64],
    /// Steps of the cycle.
    pub(super) steps: usize,
    /// The excess in cost that is kept about one time in three at first; at 0 none is.
    pub(super) warmth: f64,
    pub(super) seed: u64,
}

/// The best plan of a cycle that begins at a whole plan, and the last; without warmth both are the last.
pub(super) fn anneal<'p, P: Problem>(
    state: &State<'p, P>,
    cycle: &Cycle<'_>,
    stop: &(dyn Fn() -> bool + Sync),
    scratch: &mut P::Scratch,
) -> (State<'p, P>, State<'p, P>) {
    let mut random = Random::new(cycle.seed);
    let moved: Vec<Vec<f64>> =
        (0..MOVED).map(|_| cycle.prices.iter().map(|price| price * random.between(MOVE.0, MOVE.1)).collect()).collect();
    // Without warmth the current plan is the best one, and very large plans are not copied.
    let (mut current, mut best) = (state.clone(), state.clone());
    let mut chains = Chains::new(&mut current, cycle.prices, u64::MAX);
    for step in 0..cycle.steps {
        if step % 64 == 0 && stop() {
            break;
        }
        let before = chains.state.cost();
        chains.state.mark();
        recreate(&mut chains, &moved[random.below(MOVED)], &mut random, scratch);
        let warmth = cycle.warmth * COOLED.powf(step as f64 / cycle.steps as f64);
        let most = before as f64 - warmth * random.between(f64::MIN_POSITIVE, 1.0).ln();
        if chains.state.open() > 0 || chains.state.cost() as f64 > most {
            chains.state.undo();
        } else if cycle.warmth > 0.0 && chains.state.cost() < best.cost() {
            best = chains.state.clone();
        }
    }
    if cycle.warmth > 0.0 { (best, current) } else { (current.clone(), current) }
}

/// Moves an item to another good option, takes out whoever stands in its way and a few more, and puts
/// those back where they are cheapest at some prices. Then each of them
/// looks for something better. Some may stay open.
fn recreate<P: Problem>(chains: &mut Chains<'_, '_, P>, prices: &[f64], random: &mut Random, scratch: &mut P::Scratch) {
    let item = random.below(chains.state.problem.items());
    let Some(option) = chains.another(item, 1 + random.below(OPTIONS), scratch) else { return };
    chains.state.take(item);
    let mut out = eject(chains, item, &option, random);
    let touched: Vec<usize> = out.iter().copied().chain([item]).collect();
    if !chains.state.put(item, option) {
        return;
    }
    while !out.is_empty() {
        let item = out.swap_remove(random.below(out.len()));
        let found = chains.state.problem.cheapest(item, prices, Some(chains.state.left()), scratch);
        let put = found.is_some_and(|choice| chains.state.put(item, choice));
        if !put && !chains.settle(item, ANYTHING, DEPTH, scratch) {
            return;
        }
    }
    for item in touched {
        chains.start(item, POLISH, scratch);
    }
}

/// Takes out users of what an option lacks until it fits, at random, and now and then one more.
fn eject<P: Problem>(
    chains: &mut Chains<'_, '_, P>,
    item: usize,
    option: &P::Choice,
    random: &mut Random,
) -> Vec<usize> {
    let mut out = Vec::new();
    for _ in 0..OUT_MAX {
        let lacks = chains.state.lacks(item, option);
        let Some((resource, _)) = lacks.first() else { break };
        let users = &chains.users[*resource];
        if users.is_empty() {
            break;
        }
        let user = users[random.below(users.len())];
        if user != item && chains.state.used(user, *resource) > 0 && chains.state.take(user).is_some() {
            out.push(user);
        }
    }
    for _ in 0..random.below(EXTRA_MAX + 1) {
        let user = random.below(chains.state.problem.items());
        if user != item && chains.state.take(user).is_some() {
            out.push(user);
        }
    }
    out
}
