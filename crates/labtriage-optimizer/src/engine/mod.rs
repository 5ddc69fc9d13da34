//! How is one option chosen per item, at the least cost, when options share scarce resources?
//!
//! The engine knows nothing of tubes. A [`Problem`] is an oracle: under given prices it names an
//! item's cheapest option. [`solve`] goes through three parts, each a module:
//!
//! 1. `prices`: a price on each resource, from the linear relaxation of a sample, then from all
//!    items by the method of multipliers. Prices prove a lower bound.
//! 2. `assign`: each item at its cheapest option at those prices, on what is left.
//! 3. `improve`: chains of moves, and small neighbourhoods solved exactly.
//!
//! Nothing that a linear solver answers is believed: bounds are evaluated by the oracle and costs
//! are counted in whole numbers. The engine reads no clock, and gives the same answer for any number
//! of threads; only what [`Gone`] says may end it early.

mod assign;
mod columns;
mod improve;
mod options;
mod prices;
mod rng;
mod scratch;
mod solve;
pub mod solver;
mod state;
pub mod table;

pub use solve::{Phase, Progress, Solution, Why, solve, solve_with};

/// How hard to try. Limits count work and never time.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Stop when (cost − bound) ÷ cost is at most this.
    pub gap: f64,
    /// Linear programs of the relaxation that start prices come from.
    pub relaxations: usize,
    /// Items up to which the relaxation is solved for all of them, not for a sample.
    pub relaxed_items_max: usize,
    /// Rounds in which all items are asked for options, while prices are learned.
    pub rounds: usize,
    /// Items up to which prices are learned from all of them, and options mixed of all.
    pub learned_items_max: usize,
    /// Items that prices are learned from where there are more: a sample, on its share of what there is.
    pub sampled_items: usize,
    /// Rounds for the prices of the proof alone, where they are worth it.
    pub proof_rounds: usize,
    /// Passes that take each item out and put it back.
    pub reinsertions: usize,
    /// Calls of the oracle for ejection chains, about.
    pub chain_calls: u64,
    /// Calls of the oracle for taking a few competing items out and putting them back.
    pub ruin_calls: usize,
    /// Neighbourhoods that are solved exactly.
    pub neighbourhoods: usize,
    /// Items of the first neighbourhoods.
    pub freed_min: usize,
    /// Items of the last neighbourhoods, when smaller ones gain nothing.
    pub freed_max: usize,
    /// Nodes of branch and bound per neighbourhood.
    pub nodes: u64,
    /// Seed of everything arbitrary.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            gap: 0.001,
            relaxations: 60,
            relaxed_items_max: 1500,
            rounds: 16,
            learned_items_max: 60_000,
            sampled_items: 12_000,
            proof_rounds: 8,
            reinsertions: 4,
            chain_calls: 4_000_000,
            ruin_calls: 0,
            neighbourhoods: 400,
            freed_min: 24,
            freed_max: 60,
            nodes: 200,
            seed: 1,
        }
    }
}

/// The share of the time that is gone: from 0, over at 1; always 0 where there is no limit. Asked between small
/// pieces of work, from any thread.
pub type Gone<'g> = &'g (dyn Fn() -> f64 + Sync);

/// The share of the time after which nothing more is learned: what is known must still be given out.
const LEARNING: f64 = 0.6;

/// Whether a cost is within a gap of a bound. Costs are whole, so less than one is nothing.
fn near(cost: i64, bound: f64, gap: f64) -> bool {
    let above = cost as f64 - bound;
    above <= gap * (cost as f64).abs() || above < 1.0 - 1e-6
}

/// Items with options that use resources; see the [module](self).
///
/// An option's cost and uses depend on nothing but the problem. The working memory must not carry
/// anything from one call to the next that changes an answer.
pub trait Problem: Sync {
    /// One option of an item.
    type Choice: Clone + PartialEq + Send + Sync;
    /// Working memory of one thread.
    type Scratch: Send;

    /// New working memory.
    fn scratch(&self) -> Self::Scratch;

    /// How many items there are; they are numbered from 0.
    fn items(&self) -> usize;

    /// How much of each resource there is.
    fn limits(&self) -> &[u64];

    /// The option with the least cost + Σ price × use among those that fit into `left` (all options
    /// when there is no `left`); none when none fits. Without `left` there always is one.
    fn cheapest(
        &self,
        item: usize,
        prices: &[f64],
        left: Option<&[u64]>,
        scratch: &mut Self::Scratch,
    ) -> Option<Self::Choice>;

    /// The option with the least cost among those that fit into `left`, if that is below `below`. By default
    /// whatever [`Problem::cheapest`] names without prices.
    fn cheaper(&self, item: usize, below: i64, left: &[u64], scratch: &mut Self::Scratch) -> Option<Self::Choice> {
        let free = vec![0.0; left.len()];
        let found = self.cheapest(item, &free, Some(left), scratch)?;
        (self.cost(item, &found) < below).then_some(found)
    }

    /// What an option costs.
    fn cost(&self, item: usize, choice: &Self::Choice) -> i64;

    /// Tells what an option uses, as (resource, amount).
    fn uses(&self, item: usize, choice: &Self::Choice, add: &mut dyn FnMut(usize, u64));

    /// Whether a price on a resource can change what [`Problem::cheapest`] answers. What cannot be
    /// steered is only watched when options are given out.
    fn steers(&self, _resource: usize) -> bool {
        true
    }

    /// Prices to begin with, if the problem knows some that are of the right size.
    fn first_prices(&self) -> Option<&[f64]> {
        None
    }

    /// A lower bound on cost + Σ price × use of every option of an item, and what the (possibly
    /// relaxed) option that attains it uses. By default the item's cheapest option.
    fn minimum(
        &self,
        item: usize,
        prices: &[f64],
        scratch: &mut Self::Scratch,
        add: &mut dyn FnMut(usize, u64),
    ) -> f64 {
        // No option at all: nothing can be said, which is a bound too.
        let Some(choice) = self.cheapest(item, prices, None, scratch) else { return f64::NEG_INFINITY };
        let mut priced = self.cost(item, &choice) as f64;
        self.uses(item, &choice, &mut |resource, amount| {
            priced += prices[resource] * amount as f64;
            add(resource, amount);
        });
        priced
    }
}
