//! How is the limit on fairness kept? By planning again, with larger weights for groups that wait too long.
//!
//! Only the search sees those weights: laws, cost and bound stay those of the snapshot as it is. Of all plans that
//! were found the cheapest leaves that keeps the limit. Where none does, a weighted day that groups wait beyond the
//! limit counts as one of cost, and the least sum of both leaves: a limit that cannot be kept is not paid for at any
//! price.

use std::collections::BTreeMap;

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

/// Keeps the limit, or comes as near as is worth it, from plans that are lawful; the search goes on from the first.
/// Nothing without any.
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
    let shares = shares(snapshot, &groups);
    let mut field = Field { snapshot, limit, kept: None };
    let mut first = None;
    for candidate in candidates {
        let fairness = field.enter(candidate);
        first = first.or(Some(fairness));
    }
    let mut between = Between { small: Factors::none(snapshot, &groups), fairness: first?, large: None };
    let mut reweighed = None;
    for _ in 0..ROUNDS {
        if field.is_done(search) {
            break;
        }
        let Some(factors) = between.next() else { break };
        let weights = factors.weights(snapshot, &groups, &shares);
        let searched = reweighed.take().unwrap_or_else(|| snapshot.clone()).with_weights(weights);
        let Some(candidate) = again(&searched) else { break };
        between.learn(factors, field.enter(candidate));
        reweighed = Some(searched);
    }
    field.kept.map(|(_, kept)| kept)
}

/// Least is best: whether the limit is not kept, then cost, where it is not with what groups wait beyond it.
type Standing = (bool, Cost);

fn standing(fairness: &Fairness, cost: Cost) -> Standing {
    (!fairness.holds(), cost + fairness.excess())
}

/// The plans so far: the one that leaves, with its standing.
struct Field<'a> {
    snapshot: &'a Snapshot,
    limit: &'a FairnessLimit,
    kept: Option<(Standing, Kept)>,
}

impl Field<'_> {
    /// One more plan; how its groups wait. Of several of one standing the first is kept.
    fn enter(&mut self, candidate: Candidate) -> Fairness {
        let fairness = Fairness::judge(self.snapshot, &candidate.plan, self.limit.clone());
        let cost = candidate.cost.total();
        let new = standing(&fairness, cost);
        self.kept = Some(match self.kept.take() {
            Some((before, kept)) if before <= new => (before, Kept { cheapest: kept.cheapest.min(cost), ..kept }),
            Some((_, kept)) => (new, Kept { best: candidate, cheapest: kept.cheapest.min(cost) }),
            None => (new, Kept { best: candidate, cheapest: cost }),
        });
        fairness
    }

    /// Whether the limit holds at a cost as near to the cheapest as plans are to their bounds.
    fn is_done(&self, search: &Search) -> bool {
        let near = |kept: &Kept| search.within(kept.best.cost.total(), kept.cheapest);
        self.kept.as_ref().is_some_and(|((above, _), kept)| !above && near(kept))
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
            for group in band.groups.iter().filter(|group| group.excess > Cost::ZERO) {
                let factor = &mut raised.0[band.band][group.group];
                *factor = larger(*factor, group.above_permille, fairness.limit.max_above);
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

    /// The weights of a search: each line's times its share of what the factor adds.
    fn weights(&self, snapshot: &Snapshot, groups: &Groups, shares: &Table<LineIx, u64>) -> Table<LineIx, Weight> {
        let weight = |(line, weight): (LineIx, &Weight)| {
            let Some(group) = groups.of(snapshot, line) else { return *weight };
            let added = u64::from(self.0[snapshot.bands[line]][group].get().saturating_sub(100)) * shares[line];
            let raised = u64::from(weight.thousandths()) * (100 * WHOLE + added) / (100 * WHOLE);
            Weight::from_thousandths(u32::try_from(raised).unwrap_or(u32::MAX))
        };
        snapshot.weights.enumerate().map(weight).collect()
    }
}

/// A share of one.
const WHOLE: u64 = 1000;

/// How much of a factor each line gets, in thousandths: of a group and band the line that was requested first all of
/// it, the others in turn less. So a group gains line by line as its factor grows: with one factor for all, lines of
/// equal weight would go from last to first together.
fn shares(snapshot: &Snapshot, groups: &Groups) -> Table<LineIx, u64> {
    let mut members: BTreeMap<(BandIx, GroupIx), Vec<LineIx>> = BTreeMap::new();
    for line in snapshot.backlog.lines.indices() {
        if let Some(group) = groups.of(snapshot, line) {
            members.entry((snapshot.bands[line], group)).or_default().push(line);
        }
    }
    let requested = |line: LineIx| snapshot.backlog.requests[snapshot.backlog.request_of(line)].requested;
    let mut shares = Table::filled(0, snapshot.backlog.lines.len());
    for mut lines in members.into_values() {
        lines.sort_unstable_by_key(|&line| (requested(line), line));
        let count = lines.len() as u64;
        for (line, left) in lines.into_iter().zip((1..=count).rev()) {
            shares[line] = WHOLE * left / count;
        }
    }
    shares
}

/// A factor for a group this far above its band: times the square of how far its wait is from the longest that is
/// allowed, by a quarter at least and fourfold at most.
fn larger(factor: Percent, above_permille: i64, max_above: Percent) -> Percent {
    let wait = above_permille.saturating_add(1000).max(0).unsigned_abs();
    let longest = 1000 + 10 * u64::from(max_above.get());
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
    use labtriage_core::fixture::{Fixture, line_of};
    use labtriage_core::plan::Rule;
    use labtriage_core::policy::GroupBy;
    use labtriage_core::table::Ix;

    use super::*;

    /// Three samples of the ward and one of the practice, the latest accession requested first.
    fn night() -> Snapshot {
        let mut fixture = Fixture::new();
        for (n, ods) in ["W1", "W1", "W1", "G1"].into_iter().enumerate() {
            let row = fixture.sample(&format!("A{n}"), &format!("P{n}"), "SST", &["CRP"]).requester(ods);
            row.requested_hours_ago(i32::try_from(n).unwrap() + 2);
        }
        fixture.snapshot()
    }

    #[test]
    fn who_asked_first_is_raised_most_and_other_groups_are_not() {
        let snapshot = night();
        let groups = Groups::new(&snapshot.network, GroupBy::Kind);
        let mut factors = Factors::none(&snapshot, &groups);
        let ward = groups.of(&snapshot, line_of(&snapshot, "A0", "CRP")).unwrap();
        let band = snapshot.bands[line_of(&snapshot, "A0", "CRP")];
        let weights = |factors: &Factors| -> Vec<u32> {
            let weights = factors.weights(&snapshot, &groups, &shares(&snapshot, &groups));
            weights.iter().map(|weight| weight.thousandths()).collect()
        };
        assert_eq!(weights(&factors), [1000; 4]);
        factors.0[band][ward] = Percent::new(400);
        // All, two thirds and one third of what the factor adds, from the last sample of the ward to its first.
        assert_eq!(weights(&factors), [1999, 2998, 4000, 1000]);
    }

    #[test]
    fn factors_grow_until_the_limit_holds_and_then_meet_in_the_middle() {
        let snapshot = night();
        let groups = Groups::new(&snapshot.network, GroupBy::Kind);
        let plan = labtriage_optimizer::plan(&snapshot, Rule::BandEdf, &|_, _| {});
        let limit = |max_above| FairnessLimit {
            by: GroupBy::Kind,
            max_above: Percent::new(max_above),
            min_lines: 1,
            bands: snapshot.policy.bands.indices().collect(),
        };
        let holds = Fairness::judge(&snapshot, &plan, limit(1000));
        let none = Factors::none(&snapshot, &groups);
        let mut between = Between { small: none.clone(), fairness: holds.clone(), large: None };
        assert_eq!(between.next(), None, "nobody is above, so nobody is raised");
        let mut large = none.clone();
        for factor in large.0.as_mut_slice().iter_mut().flat_map(Table::as_mut_slice) {
            *factor = Percent::new(300);
        }
        between.learn(large.clone(), holds);
        assert_eq!(between.next(), Some(none.middle(&large)));
        assert_eq!(none.middle(&large).0[BandIx::from_row(0)][GroupIx::from_row(0)], Percent::new(200));
    }

    #[test]
    fn the_farther_above_the_larger_the_factor() {
        let check = |factor, above, max_above, expected| {
            let found = larger(Percent::new(factor), above, Percent::new(max_above));
            assert_eq!(found, Percent::new(expected), "{factor} {above} {max_above}");
        };
        check(100, 201, 20, 125);
        check(100, 500, 20, 156);
        check(125, 500, 20, 195);
        check(100, 5000, 0, 400);
        check(100, i64::MAX, 0, 400);
        check(800, 5000, 0, 1600);
        check(1600, 5000, 0, 1600);
    }
}
