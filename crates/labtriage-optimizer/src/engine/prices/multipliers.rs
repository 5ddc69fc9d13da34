//! Which prices does the whole problem have?
//!
//! The method of multipliers (Hestenes, 1969; Powell, 1969) on the options seen so far. Items are asked
//! in parts, spread evenly, for their cheapest options at the present prices; then all known options
//! are mixed anew at prices that rise where the mix uses more than there is, and these become the
//! present prices. The mix nears the optimum of the linear relaxation from above, the dual value from
//! below: where both meet, the prices are those of the relaxation, and the mix says which option each
//! item has in it. Prices that follow a mix do not swing between nearly tied options as prices that
//! follow single answers do.

use super::super::Problem;
use super::super::columns::{Ask, Columns, Steering};
use super::super::rng::{Random, Stride};
use super::super::scratch::{Pool, worth};

/// Parts of a round: prices move so often while all items are asked once.
const PARTS: usize = 32;
/// Items of all sweeps over the columns after each part, about, and the most sweeps.
const SWEPT: (usize, usize) = (6_000, 5);
/// By how much of itself a price may move after a part: at first, at the least and at the most.
const REACH: (f64, f64, f64) = (0.1, 0.01, 0.5);
/// How the reach changes when a price goes on the same way, and when it turns back.
const ON_AND_BACK: (f64, f64) = (1.4, 0.5);
/// Mix and dual value this near to each other, relatively, end the rounds.
const MET: f64 = 2e-4;
/// Columns of all items, about, and the fewest and most of one.
const COLUMNS: (usize, usize, usize) = (300_000, 8, 30);
/// Items up to which prices are compared over all of them.
const JUDGED_MAX: usize = 4_000;

/// Prices with the options that led to them.
pub(super) struct Multipliers<C> {
    pub(super) prices: Vec<f64>,
    /// About the dual value of the prices, if every answer is the cheapest option that there is.
    pub(super) value: f64,
    /// None when not every item was asked.
    pub(super) columns: Option<Columns<C>>,
}

/// Where the prices are.
struct Climb<'p, P: Problem> {
    pool: &'p Pool<'p, P>,
    ask: Ask,
    scale: &'p [f64],
    columns: Columns<P::Choice>,
    centre: Vec<f64>,
    /// How far each price may move, as a share of itself, and how it moved last.
    reach: Vec<f64>,
    moved: Vec<f64>,
}

/// One round over all items.
struct Round {
    /// The mean of the prices.
    mean: Vec<f64>,
    /// About the dual value of the mean.
    value: f64,
}

/// Climbs from start prices, of which the scale is known too, in at most so many rounds.
/// O(rounds × (items calls of the oracle + sweeps × columns)).
pub(super) fn climb<P: Problem>(
    pool: &Pool<'_, P>,
    ask: Ask,
    start: (&[f64], &[f64]),
    rounds: usize,
    random: &mut Random,
    stop: &(dyn Fn() -> bool + Sync),
) -> Multipliers<P::Choice> {
    let (items, limits) = (pool.problem.items(), pool.problem.limits());
    let (all, fewest, most) = COLUMNS;
    let columns = Columns::new(pool.problem, (all / items.max(1)).clamp(fewest, most));
    let (reach, moved) = (vec![REACH.0; limits.len()], vec![0.0; limits.len()]);
    let mut climb = Climb { pool, ask, scale: start.1, columns, centre: start.0.to_vec(), reach, moved };
    let mut best: Option<Round> = None;
    for _ in 0..rounds {
        let Some(round) = climb.round(&Stride::new(items, random), stop) else { break };
        let (cost, over) = (climb.columns.cost(), climb.columns.overdrawn(&climb.centre));
        let apart = (cost - round.value).abs() + over;
        let known = best.as_ref().map_or(f64::NEG_INFINITY, |best| best.value);
        if round.value > known {
            best = Some(round);
        }
        if apart <= MET * cost.abs() {
            break;
        }
    }
    let columns = best.is_some().then_some(climb.columns);
    let value = best.as_ref().map_or(f64::NEG_INFINITY, |best| best.value);
    let candidates = [Some(climb.centre), best.map(|best| best.mean)].into_iter().flatten();
    Multipliers { prices: Judge::new(pool, random).best(candidates), value, columns }
}

impl<P: Problem> Climb<'_, P> {
    /// Asks every item once; none when stopped.
    fn round(&mut self, order: &Stride, stop: &(dyn Fn() -> bool + Sync)) -> Option<Round> {
        let items = self.pool.problem.items();
        let mut round = Round { mean: vec![0.0; self.centre.len()], value: 0.0 };
        for part in 0..PARTS {
            if stop() {
                return None;
            }
            let asked = order.stretch(part * items / PARTS, (part + 1) * items / PARTS);
            let share = asked.len() as f64 / items.max(1) as f64;
            let priced = self.columns.ask(self.pool, self.ask, &asked, &self.centre);
            round.value += priced - share * worth(&self.centre, self.pool.problem.limits());
            self.follow();
            round.mean.iter_mut().zip(&self.centre).for_each(|(mean, price)| *mean += price / PARTS as f64);
        }
        Some(round)
    }

    /// Moves the prices to those of the mix.
    fn follow(&mut self) {
        let slope = slopes(&self.centre, self.scale, self.pool.problem.limits());
        let size = self.centre.iter().zip(self.scale).map(|(price, scale)| price.max(*scale));
        let reach: Vec<f64> = size.zip(&self.reach).map(|(size, reach)| reach * size).collect();
        let steering = Steering { centre: &self.centre, slope: &slope, reach: &reach };
        let sweeps = (SWEPT.0 / self.pool.problem.items().max(1)).clamp(1, SWEPT.1);
        let prices = self.columns.mix(&steering, sweeps);
        self.adapt(&prices);
        self.centre = prices;
    }

    /// A price that goes on the same way may go further (Riedmiller and Braun, 1993).
    fn adapt(&mut self, prices: &[f64]) {
        let (_, least, most) = REACH;
        let (on, back) = ON_AND_BACK;
        for (resource, price) in prices.iter().enumerate() {
            let moved = price - self.centre[resource];
            let turn = moved * self.moved[resource];
            let factor = if turn > 0.0 {
                on
            } else if turn < 0.0 {
                back
            } else {
                1.0
            };
            self.reach[resource] = (self.reach[resource] * factor).clamp(least, most);
            self.moved[resource] = moved;
        }
    }
}

/// By how much prices rise per unit of excess: by themselves, or by their scale where that is more,
/// when twice as much is used as there is.
pub(in crate::engine) fn slopes(prices: &[f64], scale: &[f64], limits: &[u64]) -> Vec<f64> {
    let each = prices.iter().zip(scale).zip(limits);
    each.map(|((price, scale), limit)| price.max(*scale) / (*limit).max(1) as f64).collect()
}

/// Compares prices by their bound over all items, or over a fixed sample of very many.
pub(super) struct Judge<'p, P: Problem> {
    pool: &'p Pool<'p, P>,
    sample: Vec<usize>,
}

impl<'p, P: Problem> Judge<'p, P> {
    pub(super) fn new(pool: &'p Pool<'p, P>, random: &mut Random) -> Self {
        let items = pool.problem.items();
        Self { pool, sample: Stride::new(items, random).stretch(0, items.min(JUDGED_MAX)) }
    }

    /// The prices with the best bound; the last of equals.
    pub(super) fn best(&self, candidates: impl Iterator<Item = Vec<f64>>) -> Vec<f64> {
        let rated = candidates.map(|prices| (self.bound(&prices), prices));
        rated.max_by(|one, other| one.0.total_cmp(&other.0)).map_or_else(Vec::new, |(_, prices)| prices)
    }

    /// About the bound that prices prove.
    pub(super) fn bound(&self, prices: &[f64]) -> f64 {
        let share = self.sample.len() as f64 / self.pool.problem.items().max(1) as f64;
        self.pool.minima(&self.sample, prices) / share - worth(prices, self.pool.problem.limits())
    }
}
