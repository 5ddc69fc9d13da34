//! Who works with which memory? Threads borrow from a pool; sums are taken in the order of the items.

use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use super::Problem;

/// Items that one thread works through at a time. Fixed, so that sums do not depend on the threads.
const CHUNK: usize = 4;
/// Items whose answers are held at a time.
const BLOCK: usize = 16_384;

/// A problem with the working memory of its threads.
pub(super) struct Pool<'p, P: Problem> {
    pub(super) problem: &'p P,
    idle: Mutex<Vec<P::Scratch>>,
}

impl<'p, P: Problem> Pool<'p, P> {
    pub(super) fn new(problem: &'p P) -> Self {
        Self { problem, idle: Mutex::new(Vec::new()) }
    }

    /// Runs with memory of its own.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut P::Scratch) -> T) -> T {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let borrowed = idle().pop();
        let mut scratch = borrowed.unwrap_or_else(|| self.problem.scratch());
        let result = work(&mut scratch);
        idle().push(scratch);
        result
    }

    /// One answer per item, in their order.
    pub(super) fn each<T: Send>(&self, items: &[usize], answer: impl Fn(usize, &mut P::Scratch) -> T + Sync) -> Vec<T> {
        self.each_with(items, || (), |item, (), scratch| answer(item, scratch))
    }

    /// One answer per item, in their order, with something that a few items share one after the other.
    pub(super) fn each_with<S, T: Send>(
        &self,
        items: &[usize],
        share: impl Fn() -> S + Sync,
        answer: impl Fn(usize, &mut S, &mut P::Scratch) -> T + Sync,
    ) -> Vec<T> {
        let chunk = |chunk: &[usize]| -> Vec<T> {
            let mut shared = share();
            self.with(|scratch| chunk.iter().map(|item| answer(*item, &mut shared, scratch)).collect())
        };
        let parts: Vec<Vec<T>> = items.par_chunks(CHUNK).map(chunk).collect();
        parts.into_iter().flatten().collect()
    }

    /// Σ minimum of some items under prices. O(items) calls of the oracle.
    pub(super) fn minima(&self, items: &[usize], prices: &[f64]) -> f64 {
        let minimum = |item, scratch: &mut P::Scratch| self.problem.minimum(item, prices, scratch, &mut |_, _| ());
        items.chunks(BLOCK).map(|block| self.each(block, minimum).into_iter().sum::<f64>()).sum()
    }

    /// The lower bound that prices prove: Σ minimum − Σ price × limit.
    pub(super) fn bound(&self, prices: &[f64]) -> f64 {
        let items: Vec<usize> = (0..self.problem.items()).collect();
        self.minima(&items, prices) - worth(prices, self.problem.limits())
    }
}

/// Σ price × limit.
pub(super) fn worth(prices: &[f64], limits: &[u64]) -> f64 {
    prices.iter().zip(limits).map(|(price, limit)| price * *limit as f64).sum()
}
