//! What does chance say? One seeded stream of whole numbers, the same on every machine.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A seeded stream.
pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    /// The stream of a seed. Its 256 bits come from `SplitMix64`, written out here so that no
    /// version of a library can change them.
    pub(crate) fn new(seed: u64) -> Self {
        let mut state = seed;
        let mut bytes = [0; 32];
        for word in bytes.chunks_exact_mut(8) {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            word.copy_from_slice(&mix(state).to_le_bytes());
        }
        Self(ChaCha8Rng::from_seed(bytes))
    }

    /// A number below `n`; 0 when `n` is 0.
    pub(crate) fn below(&mut self, n: u32) -> u32 {
        let wide = u64::from(self.0.next_u32()) * u64::from(n);
        u32::try_from(wide >> 32).unwrap_or(0)
    }

    /// A row of a table of `n` rows.
    pub(crate) fn row(&mut self, n: usize) -> usize {
        self.below(u32::try_from(n).unwrap_or(u32::MAX)) as usize
    }

    /// True so many times in a thousand.
    pub(crate) fn chance(&mut self, permille: u32) -> bool {
        self.below(1000) < permille
    }

    /// A number from `from` up to but not including `until`; `from` when the range is empty.
    pub(crate) fn between(&mut self, from: i32, until: i32) -> i32 {
        let span = u32::try_from(until.saturating_sub(from)).unwrap_or(0);
        from.saturating_add(i32::try_from(self.below(span)).unwrap_or(0))
    }

    /// Like [`Dice::between`], the small numbers more often.
    pub(crate) fn early(&mut self, from: i32, until: i32) -> i32 {
        self.between(from, until).min(self.between(from, until))
    }

    /// Like [`Dice::between`], the large numbers more often.
    pub(crate) fn late(&mut self, from: i32, until: i32) -> i32 {
        self.between(from, until).max(self.between(from, until))
    }

    /// One of the choices, each as often as its weight says. There must be one.
    pub(crate) fn pick<T: Copy>(&mut self, choices: &[(u32, T)]) -> T {
        let mut at = self.below(choices.iter().map(|(weight, _)| weight).sum());
        for &(weight, choice) in choices {
            if at < weight {
                return choice;
            }
            at -= weight;
        }
        choices[choices.len() - 1].1
    }

    /// Puts a table into a random order.
    pub(crate) fn shuffle<T>(&mut self, table: &mut [T]) {
        for last in (1..table.len()).rev() {
            let other = self.row(last + 1);
            table.swap(last, other);
        }
    }
}

/// Spreads a number over 64 bits (the finaliser of `SplitMix64`).
fn mix(state: u64) -> u64 {
    let a = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let b = (a ^ (a >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    b ^ (b >> 31)
}

/// A table from which rows are drawn by weight.
pub(crate) struct Weighted<T> {
    ends: Vec<u32>,
    rows: Vec<T>,
}

impl<T: Copy> Weighted<T> {
    /// A table of rows and their weights; a weight of 0 counts as 1.
    pub(crate) fn new(rows: impl Iterator<Item = (u32, T)>) -> Self {
        let mut total = 0u32;
        let (ends, rows) = rows
            .map(|(weight, row)| {
                total = total.saturating_add(weight.max(1));
                (total, row)
            })
            .unzip();
        Self { ends, rows }
    }

    /// A row; `None` when there is none.
    pub(crate) fn draw(&self, dice: &mut Dice) -> Option<T> {
        let at = dice.below(*self.ends.last()?);
        self.rows.get(self.ends.partition_point(|end| *end <= at)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_of_a_seed_never_changes() {
        let mut dice = Dice::new(7);
        let drawn: Vec<u32> = (0..6).map(|_| dice.below(1000)).collect();
        assert_eq!(drawn, [314, 400, 616, 774, 895, 507]);
    }

    #[test]
    fn numbers_stay_in_range() {
        let mut dice = Dice::new(1);
        for _ in 0..10_000 {
            assert!((-5..9).contains(&dice.between(-5, 9)));
            assert!(dice.early(3, 4) == 3 && dice.late(3, 4) == 3);
        }
        assert_eq!(dice.between(4, 4), 4);
        assert_eq!(dice.below(0), 0);
    }

    #[test]
    fn weights_are_kept() {
        let mut dice = Dice::new(2);
        let table = Weighted::new([(1, 'a'), (3, 'b')].into_iter());
        let b = (0..40_000).filter(|_| table.draw(&mut dice) == Some('b')).count();
        assert!((29_300..30_700).contains(&b), "{b}");
        let b = (0..40_000).filter(|_| dice.pick(&[(1, 'a'), (3, 'b')]) == 'b').count();
        assert!((29_300..30_700).contains(&b), "{b}");
        assert_eq!(Weighted::<char>::new(std::iter::empty()).draw(&mut dice), None);
    }

    #[test]
    fn a_shuffle_keeps_every_row() {
        let mut table: Vec<u32> = (0..100).collect();
        Dice::new(3).shuffle(&mut table);
        assert_ne!(table, (0..100).collect::<Vec<_>>());
        table.sort_unstable();
        assert_eq!(table, (0..100).collect::<Vec<_>>());
    }
}
