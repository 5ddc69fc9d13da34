//! Where do arbitrary but repeatable choices come from?

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// Repeatable random numbers.
pub(super) struct Random(ChaCha8Rng);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// Any whole number.
    pub(super) fn next(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A whole number below `end`, which is at least 1. The bias is below `end` in 2⁶⁴.
    pub(super) fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.next()) * end.max(1) as u128) >> 64) as usize
    }

    /// A number from `low` up to `high`.
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        let unit = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        low + (high - low) * unit
    }
}

/// All numbers below `len`, once each, neighbours far apart: a stride near the golden section.
/// Every stretch of it is spread evenly, which makes a better sample than a random one.
#[derive(Clone, Copy)]
pub(super) struct Stride {
    len: usize,
    step: usize,
    offset: usize,
}

impl Stride {
    pub(super) fn new(len: usize, random: &mut Random) -> Self {
        let mut step = ((len as f64 * 0.618_033_988_749_894_9) as usize).max(1);
        while divisor(step, len.max(1)) != 1 {
            step += 1;
        }
        Self { len, step, offset: random.below(len) }
    }

    pub(super) fn at(&self, position: usize) -> usize {
        let far = position as u128 * self.step as u128 + self.offset as u128;
        (far % self.len.max(1) as u128) as usize
    }

    /// The numbers at positions `from..to`.
    pub(super) fn stretch(&self, from: usize, to: usize) -> Vec<usize> {
        (from..to.min(self.len)).map(|position| self.at(position)).collect()
    }
}

fn divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stride_visits_everything_once() {
        for len in [1, 2, 3, 10, 97, 100, 1000] {
            let mut seen = Stride::new(len, &mut Random::new(7)).stretch(0, len);
            seen.sort_unstable();
            assert_eq!(seen, (0..len).collect::<Vec<_>>());
        }
    }
}
