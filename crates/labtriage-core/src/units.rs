//! How much? Quantities whose unit is their type.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub};

use crate::time::Minutes;

/// A volume in microlitres.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Microlitres(u32);

impl Microlitres {
    /// A number of microlitres.
    pub const fn new(microlitres: u32) -> Self {
        Self(microlitres)
    }
    /// The number of microlitres.
    pub const fn get(self) -> u32 {
        self.0
    }
    /// The sum, held at the largest value.
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
    /// What is left, or `None` when there is not enough.
    pub const fn checked_minus(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(left) => Some(Self(left)),
            None => None,
        }
    }
}

/// Work of a reference analyser module, in milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct AnalyserTime(u32);

impl AnalyserTime {
    /// A number of milliseconds.
    pub const fn from_millis(millis: u32) -> Self {
        Self(millis)
    }
    /// The number of milliseconds.
    pub const fn millis(self) -> u32 {
        self.0
    }
    /// The sum, held at the largest value.
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

/// A factor in percent: 100 changes nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Percent(u32);

impl Percent {
    /// One, the factor that changes nothing.
    pub const ALL: Self = Self(100);
    /// Zero.
    pub const NONE: Self = Self(0);
    /// A number of percent.
    pub const fn new(percent: u32) -> Self {
        Self(percent)
    }
    /// The number of percent.
    pub const fn get(self) -> u32 {
        self.0
    }
    /// This share of an amount, rounded down.
    pub const fn of(self, amount: u64) -> u64 {
        amount.saturating_mul(self.0 as u64) / 100
    }
}

/// A weight: thousandths of a weighted day per day of delay.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Weight(u32);

impl Weight {
    /// So many thousandths.
    pub const fn from_thousandths(thousandths: u32) -> Self {
        Self(thousandths)
    }
    /// The thousandths.
    pub const fn thousandths(self) -> u32 {
        self.0
    }
    /// The weight times a factor, rounded down, held at the largest value.
    pub fn times(self, factor: Percent) -> Self {
        Self(u32::try_from(factor.of(u64::from(self.0))).unwrap_or(u32::MAX))
    }
    /// What a delay of this length costs at this weight, rounded down.
    pub fn over(self, delay: Minutes) -> Cost {
        Cost(i64::from(self.0) * i64::from(delay.get()) / 1440)
    }
}

/// Cost in thousandths of a weighted day: the one unit of every comparison.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Cost(i64);

impl Cost {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// More than any plan costs.
    pub const MAX: Self = Self(i64::MAX);
    /// So many thousandths of a weighted day.
    pub const fn from_thousandths(thousandths: i64) -> Self {
        Self(thousandths)
    }
    /// The thousandths of a weighted day.
    pub const fn thousandths(self) -> i64 {
        self.0
    }
    /// The cost times a factor, rounded down.
    pub const fn times(self, factor: Percent) -> Self {
        Self(self.0.saturating_mul(factor.0 as i64) / 100)
    }
    /// The cost so many times.
    pub const fn repeated(self, times: u64) -> Self {
        Self(self.0.saturating_mul(times as i64))
    }
}

impl Add for Cost {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Cost {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Cost {
    fn sum<I: Iterator<Item = Self>>(costs: I) -> Self {
        costs.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for Cost {
    /// Weighted days with one decimal: `1234.5`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let tenths = (self.0.unsigned_abs() + 50) / 100;
        write!(f, "{sign}{}.{}", tenths / 10, tenths % 10)
    }
}

impl fmt::Debug for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_at_weight_one_costs_one_weighted_day() {
        let cost = Weight::from_thousandths(1000).over(Minutes::from_days(1));
        assert_eq!(cost.to_string(), "1.0");
        assert_eq!(cost.times(Percent::new(250)).to_string(), "2.5");
    }

    #[test]
    fn sums_hold_at_the_ends_instead_of_wrapping() {
        assert_eq!(Cost::MAX + Cost::from_thousandths(1), Cost::MAX);
        assert_eq!(Microlitres::new(5).checked_minus(Microlitres::new(6)), None);
    }
}
