//! What is one more unit of each resource worth?
//!
//! `master` finds start prices from a sample; for small problems the sample is everything and the
//! prices are those of the linear relaxation. `multipliers` carries them over to all items.

mod master;
mod multipliers;

use super::columns::{Ask, Columns};
use super::rng::Random;
use super::scratch::{Pool, worth};
use super::solver::LinearSolver;
use super::{Problem, Settings};
use master::Start;
pub(super) use multipliers::slopes;
use multipliers::{Judge, Multipliers, climb};

/// Prices and what they prove.
pub(super) struct Priced<C> {
    /// Cost per unit of each resource, at least 0.
    pub(super) prices: Vec<f64>,
    /// Prices that prove the bound; others only where minima come from options that are relaxed.
    pub(super) proof: Vec<f64>,
    /// A typical price of each resource, above 0.
    pub(super) scale: Vec<f64>,
    /// Σ minimum − Σ price × limit at the prices of the proof, over all items.
    pub(super) bound: f64,
    /// Items that the relaxation splits between options; empty when it saw a sample only.
    pub(super) split: Vec<usize>,
    /// The options that were seen on the way; none where the relaxation was solved outright or not every item
    /// was asked.
    pub(super) columns: Option<Columns<C>>,
    /// The relaxation of all items was solved.
    pub(super) outright: bool,
    /// Time was over before all was learned.
    pub(super) cut: bool,
}

/// Items of a sample otherwise.
const SAMPLE_ITEMS: usize = 300;

/// Learns prices. Whatever the solver says, the bound is evaluated by the oracle.
pub(super) fn learn<P: Problem>(
    pool: &Pool<'_, P>,
    settings: &Settings,
    solver: &dyn LinearSolver,
    stop: &(dyn Fn() -> bool + Sync),
) -> Priced<P::Choice> {
    let mut random = Random::new(settings.seed);
    let items = pool.problem.items();
    let whole = items <= settings.relaxed_items_max;
    let sample = master::sample(items, if whole { items } else { SAMPLE_ITEMS }, &mut random);
    let mut start = master::relax(pool, &sample, settings.relaxations, solver, stop);
    if whole && start.exact {
        let bound = pool.bound(&start.prices);
        let proof = start.prices.clone();
        let Start { prices, scale, split, .. } = start;
        return Priced { prices, proof, scale, bound, split, columns: None, outright: true, cut: stop() };
    }
    if let Some(first) = pool.problem.first_prices() {
        start.offer(first);
    }
    let few = if items <= settings.learned_items_max { items } else { settings.sampled_items };
    let judge = Judge::new(pool, &mut random);
    let from = (start.prices.as_slice(), start.scale.as_slice());
    let found = climb(&judge, Ask::Cheapest, few, from, settings.rounds, &mut random, stop);
    let (proven, proof) = proof(&judge, &found, (few, &start.scale), settings, &mut random, stop);
    // Over very many items this takes long, and nobody is left who would stop at a gap.
    let cut = stop();
    let bound = match proven {
        _ if cut || few < items => f64::NEG_INFINITY,
        proven if judge.sees_all() => proven,
        _ => pool.bound(&proof),
    };
    let split = if whole { start.split } else { Vec::new() };
    let Multipliers { prices, columns, .. } = found;
    Priced { prices, proof, scale: start.scale, bound, split, columns, outright: false, cut }
}

/// A bound this much below the dual value, relatively, is worth prices of its own.
const LOOSE: f64 = 1e-3;

/// Prices that prove more than those that options were learned at, where minima lie far below the
/// cheapest options; with about the bound that they prove.
fn proof<P: Problem>(
    judge: &Judge<'_, P>,
    learned: &Multipliers<P::Choice>,
    (few, scale): (usize, &[f64]),
    settings: &Settings,
    random: &mut Random,
    stop: &(dyn Fn() -> bool + Sync),
) -> (f64, Vec<f64>) {
    let known = || (learned.proven, learned.prices.clone());
    if learned.value - learned.proven <= LOOSE * learned.value.abs() || stop() {
        return known();
    }
    let found = climb(judge, Ask::Minimum, few, (&learned.prices, scale), settings.proof_rounds, random, stop);
    if found.proven >= learned.proven { (found.proven, found.prices) } else { known() }
}

/// Prices that can be used: finite and not negative. Nothing else that a solver says is believed.
fn sane(price: f64) -> f64 {
    if price.is_finite() { price.max(0.0) } else { 0.0 }
}

/// The bound that prices prove on a share of the items and of the limits.
fn bound_of(minima: f64, prices: &[f64], limits: &[u64], share: f64) -> f64 {
    minima - share * worth(prices, limits)
}

#[cfg(test)]
mod tests;
