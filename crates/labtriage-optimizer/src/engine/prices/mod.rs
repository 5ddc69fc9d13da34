//! What is one more unit of each resource worth?
//!
//! `master` finds start prices from a sample; for small problems the sample is everything and the
//! prices are those of the linear relaxation. `ascent` carries them over to all items.

mod ascent;
mod master;

use super::rng::Random;
use super::scratch::{Pool, worth};
use super::solver::LinearSolver;
use super::{Problem, Settings};

/// Prices and what they prove.
pub(super) struct Priced {
    /// Cost per unit of each resource, at least 0.
    pub(super) prices: Vec<f64>,
    /// A typical price of each resource, above 0.
    pub(super) scale: Vec<f64>,
    /// Σ minimum − Σ price × limit at these prices, over all items.
    pub(super) bound: f64,
    /// Items that the relaxation splits between options; empty when it saw a sample only.
    pub(super) split: Vec<usize>,
}

/// Items up to which the relaxation sees all of them.
const WHOLE_ITEMS_MAX: usize = 1500;
/// Items of a sample otherwise.
const SAMPLE_ITEMS: usize = 300;

/// Learns prices. Whatever the solver says, the bound is evaluated by the oracle.
pub(super) fn learn<P: Problem>(
    pool: &Pool<'_, P>,
    settings: &Settings,
    solver: &dyn LinearSolver,
    stop: &(dyn Fn() -> bool + Sync),
) -> Priced {
    let mut random = Random::new(settings.seed);
    let items = pool.problem.items();
    let whole = items <= WHOLE_ITEMS_MAX;
    let sample = master::sample(items, if whole { items } else { SAMPLE_ITEMS }, &mut random);
    let mut start = master::relax(pool, &sample, settings.relaxations, solver, stop);
    if whole && start.exact {
        let bound = pool.bound(&start.prices);
        return Priced { prices: start.prices, scale: start.scale, bound, split: start.split };
    }
    if let Some(first) = pool.problem.first_prices() {
        start.offer(first);
    }
    let (prices, bound) = ascent::climb(pool, &start, settings, &mut random, stop);
    Priced { prices, scale: start.scale, bound, split: if whole { start.split } else { Vec::new() } }
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
