//! Which prices does the whole problem have?
//!
//! Mini-batch stochastic dual ascent. The dual function Σ minimum − Σ price × limit is concave, and
//! use − limit is one of its subgradients; a batch of items with its share of the limits estimates
//! it. After each batch every price moves towards the running mean of (use ÷ share of the limit) − 1, in
//! units of that figure's own spread (Kingma and Ba, 2015): rarely used resources are noisy. The step is
//! a share of the price itself, or of its scale where that is more. The prices of a pass are averaged
//! (Polyak and Juditsky, 1992), and the best average is kept.

use super::super::rng::{Random, Stride};
use super::super::scratch::{Pool, worth};
use super::super::{Problem, Settings};
use super::master::Start;

/// Items of a batch.
const BATCH: usize = 128;
/// Items up to which the bound is evaluated over all of them after each pass.
const EVALUATED_MAX: usize = 50_000;
/// The step of the first batch and of the last, as shares of the price.
const STEP: (f64, f64) = (0.1, 0.003);
/// How much of the running means of the excess and of its square stays from batch to batch.
const MEMORY: (f64, f64) = (0.8, 0.98);
/// How often the bound is evaluated on the way, at the most.
const EVALUATIONS: usize = 8;

/// Climbs from start prices; the best prices and the bound they prove over all items.
/// O(passes × (items + items ÷ 128 × resources)).
pub(super) fn climb<P: Problem>(
    pool: &Pool<'_, P>,
    start: &Start,
    settings: &Settings,
    random: &mut Random,
    stop: &(dyn Fn() -> bool + Sync),
) -> (Vec<f64>, f64) {
    let items = pool.problem.items();
    let judge = Judge::new(pool, random);
    let mut best = judge.better(vec![0.0; start.prices.len()], &start.prices);
    let passes = settings.passes(items);
    let mut climber = Climber::new(pool, start, passes * items.div_ceil(BATCH));
    for pass in 0..passes {
        let Some(average) = climber.pass(Stride::new(items, random), stop) else { break };
        // Towards the end it is likely to be the best yet.
        if pass + 1 == passes || (pass + 1) % passes.div_ceil(EVALUATIONS) == 0 {
            best = judge.keep(best, average);
        }
    }
    let bound = pool.bound(&best.1);
    (best.1, bound)
}

/// Compares prices by their bound over all items, or over a fixed sample of very many.
struct Judge<'p, P: Problem> {
    pool: &'p Pool<'p, P>,
    sample: Vec<usize>,
}

impl<'p, P: Problem> Judge<'p, P> {
    fn new(pool: &'p Pool<'p, P>, random: &mut Random) -> Self {
        let items = pool.problem.items();
        let sample = Stride::new(items, random).stretch(0, items.min(EVALUATED_MAX));
        Self { pool, sample }
    }

    fn bound(&self, prices: &[f64]) -> f64 {
        let share = self.sample.len() as f64 / self.pool.problem.items().max(1) as f64;
        self.pool.minima(&self.sample, prices) - share * worth(prices, self.pool.problem.limits())
    }

    fn better(&self, one: Vec<f64>, other: &[f64]) -> (f64, Vec<f64>) {
        self.keep((self.bound(&one), one), other.to_vec())
    }

    fn keep(&self, best: (f64, Vec<f64>), prices: Vec<f64>) -> (f64, Vec<f64>) {
        let bound = self.bound(&prices);
        if bound > best.0 { (bound, prices) } else { best }
    }
}

/// The prices on their way.
struct Climber<'p, P: Problem> {
    pool: &'p Pool<'p, P>,
    prices: Vec<f64>,
    scale: Vec<f64>,
    used: Vec<u64>,
    /// Running means of the excess and of its square, per resource.
    drift: Vec<(f64, f64)>,
    done: usize,
    batches: usize,
}

impl<'p, P: Problem> Climber<'p, P> {
    fn new(pool: &'p Pool<'p, P>, start: &Start, batches: usize) -> Self {
        let used = vec![0; start.prices.len()];
        let drift = vec![(0.0, 0.0); used.len()];
        Self { pool, prices: start.prices.clone(), scale: start.scale.clone(), used, drift, done: 0, batches }
    }

    /// One pass over all items; the mean of the prices on its way, or none when stopped.
    fn pass(&mut self, order: Stride, stop: &(dyn Fn() -> bool + Sync)) -> Option<Vec<f64>> {
        let items = self.pool.problem.items();
        let mut sum = vec![0.0; self.prices.len()];
        for from in (0..items).step_by(BATCH) {
            if stop() {
                return None;
            }
            let batch = order.stretch(from, from + BATCH);
            self.batch(&batch);
            for (sum, price) in sum.iter_mut().zip(&self.prices) {
                *sum += price;
            }
        }
        let batches = items.div_ceil(BATCH) as f64;
        Some(sum.into_iter().map(|sum| sum / batches).collect())
    }

    fn batch(&mut self, batch: &[usize]) {
        self.used.fill(0);
        for (resource, amount) in self.pool.demand(batch, &self.prices).uses {
            self.used[resource] += amount;
        }
        let share = batch.len() as f64 / self.pool.problem.items() as f64;
        let step = self.step();
        self.done += 1;
        // What the means have not seen yet must not pull them to nothing.
        let seen = |memory: f64| 1.0 - memory.powf(self.done as f64);
        let (seen_mean, seen_square) = (seen(MEMORY.0), seen(MEMORY.1));
        for (resource, limit) in self.pool.problem.limits().iter().enumerate() {
            // Where there is nothing, one unit stands for it: the price rises with any use.
            let lawful = share * (*limit).max(1) as f64;
            let excess = self.used[resource] as f64 / lawful - 1.0;
            let (mean, square) = &mut self.drift[resource];
            *mean = MEMORY.0 * *mean + (1.0 - MEMORY.0) * excess;
            *square = MEMORY.1 * *square + (1.0 - MEMORY.1) * excess * excess;
            let towards = (*mean / seen_mean) / ((*square / seen_square).sqrt() + 1e-3);
            let scale = self.scale[resource].max(self.prices[resource]);
            self.prices[resource] = (self.prices[resource] + step * scale * towards).max(0.0);
        }
    }

    /// Falls geometrically over all batches.
    fn step(&self) -> f64 {
        let (first, last) = STEP;
        first * (last / first).powf(self.done as f64 / self.batches.max(1) as f64)
    }
}
