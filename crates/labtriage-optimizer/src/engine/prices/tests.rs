use super::*;
use crate::engine::solver::Backend;

/// Items that may go to one of some slots, each later and dearer, or be left out for more.
struct Slots {
    items: usize,
    kinds: usize,
    slots: usize,
    limits: Vec<u64>,
}

/// What is known of one item.
struct Facts {
    kind: usize,
    last: usize,
    work: u64,
    weight: i64,
}

impl Slots {
    /// Capacity for about three fifths of the work.
    fn new(items: usize, kinds: usize, slots: usize) -> Self {
        let limits = vec![(items as u64 * 35 * 3 / 5) / (kinds * slots) as u64; kinds * slots];
        Self { items, kinds, slots, limits }
    }

    fn facts(&self, item: usize) -> Facts {
        let mut bits = (item as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        bits = (bits ^ (bits >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits ^= bits >> 32;
        Facts {
            kind: (bits % self.kinds as u64) as usize,
            last: 1 + (bits >> 8) as usize % self.slots,
            work: 10 + (bits >> 16) % 50,
            weight: (10 + (bits >> 24) % 990) as i64,
        }
    }
}

impl Problem for Slots {
    type Choice = usize;
    type Scratch = ();

    fn scratch(&self) {}

    fn items(&self) -> usize {
        self.items
    }

    fn limits(&self) -> &[u64] {
        &self.limits
    }

    fn cheapest(&self, item: usize, prices: &[f64], left: Option<&[u64]>, (): &mut ()) -> Option<usize> {
        let Facts { kind, last, work, weight } = self.facts(item);
        let mut best = ((weight * self.slots as i64 * 2) as f64, self.slots);
        for slot in 0..last {
            let cell = kind * self.slots + slot;
            let priced = (weight * slot as i64) as f64 + prices[cell] * work as f64;
            if priced < best.0 && left.is_none_or(|left| left[cell] >= work) {
                best = (priced, slot);
            }
        }
        Some(best.1)
    }

    fn cost(&self, item: usize, slot: &usize) -> i64 {
        let left_out = *slot == self.slots;
        self.facts(item).weight * if left_out { 2 * self.slots } else { *slot } as i64
    }

    fn uses(&self, item: usize, slot: &usize, add: &mut dyn FnMut(usize, u64)) {
        let Facts { kind, work, .. } = self.facts(item);
        if *slot < self.slots {
            add(kind * self.slots + slot, work);
        }
    }
}

/// The bounds of learned prices, and of the prices of the sample that they started from.
fn climbed(problem: &Slots, rounds: usize) -> (f64, f64) {
    let pool = Pool::new(problem);
    let mut random = Random::new(1);
    let sample = master::sample(problem.items, 300, &mut random);
    let start = master::relax(&pool, &sample, 60, &Backend, &|| false);
    let judge = Judge::new(&pool, &mut random);
    let climbed = multipliers::climb(
        &judge,
        Ask::Cheapest,
        problem.items,
        (&start.prices, &start.scale),
        rounds,
        &mut random,
        &|| false,
    );
    (pool.bound(&climbed.prices), pool.bound(&start.prices))
}

#[test]
fn multipliers_come_near_the_relaxation() {
    let problem = Slots::new(1400, 4, 14);
    let exact = learn(&Pool::new(&problem), &Settings::default(), &Backend, &|| false).bound;
    let (bound, start) = climbed(&problem, 16);
    assert!(bound <= exact * (1.0 + 1e-6), "{bound} is above the relaxation {exact}");
    assert!(bound >= exact * 0.9995, "{bound} is far below the relaxation {exact}");
    assert!(bound > start, "{bound} is no better than the sample's prices {start}");
}

#[test]
fn few_rounds_are_enough_for_many_items() {
    let problem = Slots::new(60_000, 8, 14);
    let ((few, _), (many, _)) = (climbed(&problem, 6), climbed(&problem, 30));
    assert!(few >= many * 0.999, "{few} after few rounds, {many} after many");
}

#[test]
fn the_relaxation_is_not_raised_by_more_of_anything() {
    let mut problem = Slots::new(300, 3, 6);
    let mut last = f64::INFINITY;
    for _ in 0..4 {
        let bound = learn(&Pool::new(&problem), &Settings::default(), &Backend, &|| false).bound;
        assert!(bound <= last * (1.0 + 1e-6) + 1e-6, "{bound} with more, {last} with less");
        last = bound;
        problem.limits.iter_mut().for_each(|limit| *limit += *limit / 3);
    }
}

#[test]
fn the_same_prices_for_any_number_of_threads() {
    let problem = Slots::new(3000, 4, 8);
    let settings = Settings { rounds: 4, ..Settings::default() };
    let with = |threads| {
        let threads = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let priced = threads.install(|| learn(&Pool::new(&problem), &settings, &Backend, &|| false));
        (priced.bound.to_bits(), priced.prices.iter().map(|price| price.to_bits()).collect::<Vec<_>>())
    };
    assert_eq!(with(1), with(2));
    assert_eq!(with(1), with(3));
}
