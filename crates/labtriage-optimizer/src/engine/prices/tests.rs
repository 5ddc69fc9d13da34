use super::*;
use crate::engine::solver::Backend;

/// Items that may go to one of some slots, each later and dearer, or be left out for more.
struct Slots {
    items: usize,
    slots: usize,
    kinds: usize,
    limits: Vec<u64>,
}

impl Slots {
    fn new(items: usize, kinds: usize, slots: usize) -> Self {
        let limits = vec![(items as u64 * 35 * 3 / 5) / (kinds * slots) as u64; kinds * slots];
        Self { items, slots, kinds, limits }
    }

    fn facts(&self, item: usize) -> (usize, usize, u64, f64) {
        let mut bits = (item as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        bits ^= bits >> 29;
        bits = bits.wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits ^= bits >> 32;
        let kind = (bits % self.kinds as u64) as usize;
        let last = 1 + (bits >> 8) as usize % self.slots;
        (kind, last, 10 + (bits >> 16) % 50, (10 + (bits >> 24) % 990) as f64)
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
        let (kind, last, uses, weight) = self.facts(item);
        let mut best = (weight * self.slots as f64 * 2.0, self.slots);
        for slot in 0..last {
            let cell = kind * self.slots + slot;
            let priced = weight * slot as f64 + prices[cell] * uses as f64;
            if priced < best.0 && left.is_none_or(|left| left[cell] >= uses) {
                best = (priced, slot);
            }
        }
        Some(best.1)
    }

    fn cost(&self, item: usize, slot: &usize) -> i64 {
        let weight = self.facts(item).3 as i64;
        if *slot == self.slots { weight * self.slots as i64 * 2 } else { weight * *slot as i64 }
    }

    fn uses(&self, item: usize, slot: &usize, add: &mut dyn FnMut(usize, u64)) {
        let (kind, _, uses, _) = self.facts(item);
        if *slot < self.slots {
            add(kind * self.slots + slot, uses);
        }
    }
}

fn learned(problem: &Slots) -> Priced {
    learn(&Pool::new(problem), &Settings::default(), &Backend, &|| false)
}

#[test]
fn ascent_comes_near_the_relaxation() {
    let problem = Slots::new(1400, 4, 14);
    let pool = Pool::new(&problem);
    let exact = learned(&problem);
    let mut random = Random::new(1);
    let sample = master::sample(1400, 300, &mut random);
    let start = master::relax(&pool, &sample, &Backend, &|| false);
    let (_, bound) = ascent::climb(&pool, &start, &Settings::default(), &mut random, &|| false);
    println!("exact {} start {} ascent {bound}", exact.bound, pool.bound(&start.prices));
    assert!(bound <= exact.bound * (1.0 + 1e-6));
    assert!(bound >= exact.bound * 0.99);
}

#[test]
#[ignore = "takes seconds; says how near large problems come"]
fn large() {
    for items in [3_000, 11_000, 200_000, 1_000_000] {
        let problem = Slots::new(items, 64, 14);
        let pool = Pool::new(&problem);
        let began = std::time::Instant::now();
        let sample = master::sample(items, 300, &mut Random::new(1));
        let start = master::relax(&pool, &sample, &Backend, &|| false);
        let sampled = began.elapsed();
        let (_, bound) = ascent::climb(&pool, &start, &Settings::default(), &mut Random::new(1), &|| false);
        println!(
            "{items}: start {:.0} in {sampled:?}, ascent {bound:.0} in {:?}",
            pool.bound(&start.prices),
            began.elapsed()
        );
    }
}
