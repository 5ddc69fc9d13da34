//! How is the limit on fairness kept? By planning again, with larger weights for groups that wait too long.
//!
//! Only the search sees those weights: laws, cost and bound stay those of the snapshot as it is. Of all plans
//! that were found the one leaves that is least above the limit; of those that keep it, the cheapest.

use labtriage_core::fairness::{Fairness, Groups};
use labtriage_core::policy::FairnessLimit;
use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::{BandIx, GroupIx, LineIx, Table};
use labtriage_core::units::{Cost, Percent, Weight};

use crate::making::{Candidate, Search};

/// How often the night is planned again at most.
const ROUNDS: usize = 6;

/// The most that a weight is multiplied by.
const FACTOR_MAX: u64 = 1600;

/// The plan that leaves, and what it is compared with.
pub(crate) struct Kept {
    pub(crate) best: Candidate,
    /// What the cheapest lawful plan costs that was found.
    pub(crate) cheapest: Cost,
}

/// Keeps the limit, or comes as near as it can, from plans that are lawful; the first is searched on from.
///
/// `again` plans with other weights: it returns nothing when there is no time left, or the plan is unlawful.
pub(crate) fn keep(
    snapshot: &Snapshot,
    limit: &FairnessLimit,
    search: &Search,
    candidates: Vec<Candidate>,
    again: &mut dyn FnMut(&Snapshot) -> Option<Candidate>,
) -> Option<Kept> {
    let groups = Groups::new(&snapshot.network, limit.by);
    let mut field = Field { snapshot, kept: None };
    let mut first = None;
    for candidate in candidates {
        let fairness = field.enter(candidate);
        first = first.or(fairness);
    }
    let mut between = Between { small: Factors::none(snapshot, &groups), fairness: first?, large: None };
    let mut reweighed = None;
    for _ in 0..ROUNDS {
        if field.is_done(search) {
            break;
        }
        let Some(factors) = between.next() else { break };
        let weights = factors.weights(snapshot, &groups);
        let searched = reweighed.take().unwrap_or_else(|| snapshot.clone()).with_weights(weights);
        let Some(fairness) = again(&searched).and_then(|candidate| field.enter(candidate)) else { break };
        between.learn(factors, fairness);
        reweighed = Some(searched);
    }
    field.kept.map(|(_, kept)| kept)
}

/// The plans so far: the one that leaves, with how far above the limit it is.
struct Field<'a> {
    snapshot: &'a Snapshot,
    kept: Option<(i64, Kept)>,
}

impl Field<'_> {
    /// One more plan; how its groups wait.
    fn enter(&mut self, candidate: Candidate) -> Option<Fairness> {
        let fairness = Fairness::of(self.snapshot, &candidate.plan)?;
        let (excess, cost) = (fairness.excess_permille(), candidate.cost.total());
        self.kept = match self.kept.take() {
            None => Some((excess, Kept { best: candidate, cheapest: cost })),
            Some((before, kept)) => {
                let cheapest = kept.cheapest.min(cost);
                if (excess, cost) < (before, kept.best.cost.total()) {
                    Some((excess, Kept { best: candidate, cheapest }))
                } else {
                    Some((before, Kept { cheapest, ..kept }))
                }
            }
        };
        Some(fairness)
    }

    /// Whether the limit holds at a cost as near to the cheapest as plans are to their bounds.
    fn is_done(&self, search: &Search) -> bool {
        let near = |(excess, kept): &(i64, Kept)| *excess == 0 && search.within(kept.best.cost.total(), kept.cheapest);
        self.kept.as_ref().is_some_and(near)
    }
}

/// What weights are multiplied by in a search, by band and group of a line.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Factors(Table<BandIx, Table<GroupIx, Percent>>);

impl Factors {
    fn none(snapshot: &Snapshot, groups: &Groups) -> Self {
        Self(Table::filled(Table::filled(Percent::ALL, groups.names.len()), snapshot.policy.bands.len()))
    }

    /// Larger ones for the groups that lie too far above their bands.
    fn raised(&self, fairness: &Fairness) -> Self {
        let mut raised = self.clone();
        for band in &fairness.bands {
            for group in band.groups.iter().filter(|group| fairness.is_above(group)) {
                let factor = &mut raised.0[band.band][group.group];
                *factor = larger(*factor, group.above_permille, fairness.allowed_permille());
            }
        }
        raised
    }

    /// In the middle of these and others.
    fn middle(&self, other: &Self) -> Self {
        let mean = |one: &Percent, other: &Percent| Percent::new(u32::midpoint(one.get(), other.get()));
        let bands = self.0.iter().zip(other.0.iter());
        Self(
            bands
                .map(|(one, other)| one.iter().zip(other.iter()).map(|(one, other)| mean(one, other)).collect())
                .collect(),
        )
    }

    fn weights(&self, snapshot: &Snapshot, groups: &Groups) -> Table<LineIx, Weight> {
        let factor = |line| groups.of(snapshot, line).map_or(Percent::ALL, |group| self.0[snapshot.bands[line]][group]);
        snapshot.weights.enumerate().map(|(line, weight)| weight.times(factor(line))).collect()
    }
}

/// A factor for a group this far above its band: times the square of how far its wait is from the longest that is
/// allowed, by a quarter at least and fourfold at most.
fn larger(factor: Percent, above_permille: i64, allowed_permille: i64) -> Percent {
    let (wait, longest) = (
        above_permille.saturating_add(1000).max(0).unsigned_abs(),
        allowed_permille.saturating_add(1000).max(1).unsigned_abs(),
    );
    let ratio = (wait.saturating_mul(100) / longest).min(1000);
    let step = (ratio * ratio / 100).clamp(125, 400);
    let larger = (u64::from(factor.get()) * step / 100).min(FACTOR_MAX);
    Percent::new(u32::try_from(larger).unwrap_or(u32::MAX))
}

/// Factors that are too small to keep the limit, and, once there are any, larger ones that keep it.
struct Between {
    small: Factors,
    /// How the groups wait at these.
    fairness: Fairness,
    large: Option<Factors>,
}

impl Between {
    /// The factors to try next: larger ones until the limit holds, then the middle. Nothing when that is nothing new.
    fn next(&self) -> Option<Factors> {
        let next = match &self.large {
            None => self.small.raised(&self.fairness),
            Some(large) => self.small.middle(large),
        };
        (next != self.small && Some(&next) != self.large.as_ref()).then_some(next)
    }

    fn learn(&mut self, factors: Factors, fairness: Fairness) {
        if fairness.holds() {
            self.large = Some(factors);
        } else {
            (self.small, self.fairness) = (factors, fairness);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_farther_above_the_larger_the_factor() {
        let check = |factor, above, allowed, expected| {
            assert_eq!(
                larger(Percent::new(factor), above, allowed),
                Percent::new(expected),
                "{factor} {above} {allowed}"
            );
        };
        check(100, 201, 200, 125);
        check(100, 500, 200, 156);
        check(125, 500, 200, 195);
        check(100, 5000, 0, 400);
        check(100, i64::MAX, 0, 400);
        check(800, 5000, 0, 1600);
        check(1600, 5000, 0, 1600);
    }
}
