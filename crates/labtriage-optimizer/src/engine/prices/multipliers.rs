//! Which prices does the whole problem have?
//!
//! The method of multipliers (Hestenes, 1969; Powell, 1969) on the options seen so far. Items are asked
//! in parts, spread evenly, for their cheapest options at the present prices; then all known options
//! are mixed anew at prices that rise where the mix uses more than there is, and these become the
//! present prices. First a few items are asked, on their share of what there is, then a few times as
//! many, until all are: most of the way is gone with few. The mix nears the optimum of the linear
//! relaxation from above, the dual value from below: where both meet, the prices are those of the
//! relaxation, and the mix says which option each item has in it. Prices that follow a mix do not swing
//! between nearly tied options as prices that follow single answers do.

use super::super::Problem;
use super::super::columns::{Ask, Columns, Steering};
use super::super::rng::{Random, Stride};
use super::super::scratch::{Pool, worth};

/// Parts of a round: prices move so often while all items are asked once.
const PARTS: usize = 32;
/// Columns of items are mixed anew after each part: of all items, several times where that makes so many of them, and so
/// often at the most; of so many items of very many.
const SWEPT: (usize, usize, usize) = (6_000, 5, 16_000);
/// By how much of itself a price may move after a part: at first, at the least and at the most.
const REACH: (f64, f64, f64) = (0.1, 0.01, 0.5);
/// How the reach changes when a price goes on the same way, and when it turns back.
const ON_AND_BACK: (f64, f64) = (1.4, 0.5);
/// The most in the first round over more items, when most have but one option; twice as much from round to round.
const WARY: f64 = 0.03;
/// By how much at the most the prices that new items are asked at differ from the present ones.
const APART: f64 = 0.05;
/// What is kept of earlier answers when the latest are compared with the mix.
const KEPT: f64 = 0.75;
/// Items that prices are learned from first, at the least, and how many times as many next.
const LEVELS: (usize, usize) = (100, 4);
/// Rounds over fewer items than all, at the most, and when mix and dual value are near enough there.
const BELOW: (usize, f64) = (6, 2e-3);
/// Mix and dual value this near to each other, relatively, or a mix that changes no more, end the rounds: of options
/// that a plan is made of, and of those that only prove a bound.
const MET: (f64, f64) = (1e-4, 2e-4);
/// Columns of all items, about, and the fewest and most of one.
const COLUMNS: (usize, usize, usize) = (300_000, 8, 30);
/// Items that prices are compared over, at the most.
const JUDGED_MAX: usize = 1_000;

/// Prices with the options that led to them.
pub(super) struct Multipliers<C> {
    pub(super) prices: Vec<f64>,
    /// About the dual value of the prices, if every answer is the cheapest option that there is.
    pub(super) value: f64,
    /// About the bound that they prove.
    pub(super) proven: f64,
    /// None when not every item was asked.
    pub(super) columns: Option<Columns<C>>,
}

/// Where the prices are.
struct Climb<'p, P: Problem> {
    pool: &'p Pool<'p, P>,
    ask: Ask,
    scale: &'p [f64],
    columns: Columns<P::Choice>,
    order: Stride,
    /// How many of the items are asked, the first of the order.
    level: usize,
    /// No fewer were asked before.
    first: bool,
    /// Whose columns are mixed next.
    swept: usize,
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

/// Climbs from start prices, of which the scale is known too, in at most so many rounds over so many of the
/// items. O(rounds × (items calls of the oracle + sweeps × columns)).
pub(super) fn climb<P: Problem>(
    judge: &Judge<'_, P>,
    ask: Ask,
    few: usize,
    start: (&[f64], &[f64]),
    rounds: usize,
    random: &mut Random,
    stop: &(dyn Fn() -> bool + Sync),
) -> Multipliers<P::Choice> {
    let pool = judge.pool;
    let (items, limits) = (pool.problem.items(), pool.problem.limits());
    let (all, fewest, most) = COLUMNS;
    let columns = Columns::new(pool.problem, (all / few.max(1)).clamp(fewest, most));
    let (reach, moved) = (vec![REACH.0; limits.len()], vec![0.0; limits.len()]);
    let order = Stride::new(items, random);
    let mut climb = Climb {
        pool,
        ask,
        scale: start.1,
        columns,
        order,
        level: 0,
        first: true,
        swept: 0,
        centre: start.0.to_vec(),
        reach,
        moved,
    };
    let mut best: Option<Round> = None;
    for level in levels(few) {
        if !climb.enter(level, random, stop) {
            break;
        }
        let last = level == few;
        let met = if ask == Ask::Cheapest { MET.0 } else { MET.1 };
        let (rounds, met) = if last { (rounds, met) } else { BELOW };
        let mut before = f64::INFINITY;
        for number in 0..rounds {
            let Some(round) = climb.round(number, stop) else { break };
            let (cost, over) = (climb.columns.cost(), climb.columns.overdrawn(&climb.centre));
            // Answers that are not quite the cheapest never meet the mix; it is then enough that it rests.
            let apart = (cost - round.value).abs().min((before - cost).abs()) + over;
            before = cost;
            if last && round.value > best.as_ref().map_or(f64::NEG_INFINITY, |best| best.value) {
                best = Some(round);
            }
            if apart <= met * cost.abs() {
                break;
            }
        }
    }
    let columns = (climb.level == items).then_some(climb.columns);
    let value = best.as_ref().map_or(f64::NEG_INFINITY, |best| best.value);
    let candidates = [Some(climb.centre), best.map(|best| best.mean)].into_iter().flatten();
    let (proven, prices) = judge.best(candidates);
    Multipliers { prices, value, proven, columns }
}

/// How many items prices are learned from, one level after the other: each a few times as many as the last.
fn levels(items: usize) -> Vec<usize> {
    let (first, times) = LEVELS;
    let mut levels = vec![items];
    while let Some(last) = levels.last().copied().filter(|last| *last >= first * times) {
        levels.push(last / times);
    }
    levels.reverse();
    levels
}

impl<P: Problem> Climb<'_, P> {
    fn share(&self) -> f64 {
        self.level as f64 / self.pool.problem.items().max(1) as f64
    }

    /// Goes on with more items. The new ones are asked before any price moves, as prices that follow what a
    /// few of them use would run away, and each part of them at prices a little apart, so that not all take
    /// the same of several nearly tied options. `false` when stopped.
    fn enter(&mut self, level: usize, random: &mut Random, stop: &(dyn Fn() -> bool + Sync)) -> bool {
        let (from, fresh) = (self.level, level - self.level);
        for part in 0..PARTS {
            if stop() {
                return false;
            }
            let asked = self.order.stretch(from + part * fresh / PARTS, from + (part + 1) * fresh / PARTS);
            let mut apart = |price: &f64, scale: &f64| price + price.max(APART * scale) * random.between(-APART, APART);
            let prices: Vec<f64> =
                self.centre.iter().zip(self.scale).map(|(price, scale)| apart(price, scale).max(0.0)).collect();
            self.columns.ask(self.pool, self.ask, &asked, &prices);
        }
        self.first = from == 0;
        self.level = level;
        self.columns.share(self.share());
        self.columns.forget();
        self.reach.fill(REACH.0);
        self.moved.fill(0.0);
        true
    }

    /// Asks every item of the level once; none when stopped.
    fn round(&mut self, number: usize, stop: &(dyn Fn() -> bool + Sync)) -> Option<Round> {
        let wary = WARY * f64::from(1_u32 << number.min(16));
        let most = if self.first { REACH.2 } else { wary.min(REACH.2) };
        let mut round = Round { mean: vec![0.0; self.centre.len()], value: 0.0 };
        for part in 0..PARTS {
            if stop() {
                return None;
            }
            let asked = self.order.stretch(part * self.level / PARTS, (part + 1) * self.level / PARTS);
            let share = asked.len() as f64 / self.pool.problem.items().max(1) as f64;
            let priced = self.columns.ask(self.pool, self.ask, &asked, &self.centre);
            self.columns.hear(KEPT, share);
            round.value += priced - share * worth(&self.centre, self.pool.problem.limits());
            self.follow(most);
            round.mean.iter_mut().zip(&self.centre).for_each(|(mean, price)| *mean += price / PARTS as f64);
        }
        Some(round)
    }

    /// Moves the prices to those of the mix, each by so much of itself at the most; hardly at all where the
    /// latest answers say that it has gone far enough, and only old ones still keep the mix where it is.
    fn follow(&mut self, most: f64) {
        let share = self.share();
        let slope = slopes(&self.centre, self.scale, self.pool.problem.limits());
        let slope: Vec<f64> = slope.into_iter().map(|slope| slope / share).collect();
        let reach = |(resource, reach): (usize, &f64)| {
            let reach = if self.columns.agree(resource) { reach.min(most) } else { REACH.1 };
            reach * self.centre[resource].max(self.scale[resource])
        };
        let reach: Vec<f64> = self.reach.iter().enumerate().map(reach).collect();
        let steering = Steering { centre: &self.centre, slope: &slope, reach: &reach };
        // In order of the items, as they lie in memory, and of very many only some, in turn.
        let (several, times, most) = SWEPT;
        let (level, items) = (self.level, self.pool.problem.items());
        let swept = (level * (several / level).clamp(1, times)).min(most) * items / level;
        let prices = self.columns.mix(&steering, (self.swept..self.swept + swept).map(|item| item % items));
        self.swept = (self.swept + swept) % items;
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

/// Compares prices by their bound over all items, or over a fixed sample of many.
pub(super) struct Judge<'p, P: Problem> {
    pool: &'p Pool<'p, P>,
    sample: Vec<usize>,
}

impl<'p, P: Problem> Judge<'p, P> {
    pub(super) fn new(pool: &'p Pool<'p, P>, random: &mut Random) -> Self {
        let items = pool.problem.items();
        Self { pool, sample: Stride::new(items, random).stretch(0, items.min(JUDGED_MAX)) }
    }

    /// The prices with the best bound, and that; the last of equals.
    fn best(&self, candidates: impl Iterator<Item = Vec<f64>>) -> (f64, Vec<f64>) {
        let rated = candidates.map(|prices| (self.bound(&prices), prices));
        rated.max_by(|one, other| one.0.total_cmp(&other.0)).unwrap_or((f64::NEG_INFINITY, Vec::new()))
    }

    /// Whether all items are judged, so that the bound is proven.
    pub(super) fn sees_all(&self) -> bool {
        self.sample.len() == self.pool.problem.items()
    }

    /// About the bound that prices prove.
    fn bound(&self, prices: &[f64]) -> f64 {
        let share = self.sample.len() as f64 / self.pool.problem.items().max(1) as f64;
        self.pool.minima(&self.sample, prices) / share - worth(prices, self.pool.problem.limits())
    }
}
