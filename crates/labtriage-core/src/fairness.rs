//! Does a group wait much longer than its band? Mean weighted waits, held against the limit of the policy.
//!
//! A line waits from now until its result; without one in the horizon until a tail after it, as in
//! [`crate::cost`]. Left out are cancelled lines, which need no result, and those that a person must decide
//! about first, which no plan can make wait less. The mean weighs each line by its weight, Σ weight × wait ÷
//! Σ weight, so a group is not above its band for being the more pressing.

use std::collections::BTreeSet;
use std::fmt;

use crate::network::{Network, Requester, RequesterKind};
use crate::plan::{Disposition, Hold, Plan};
use crate::policy::{FairnessLimit, GroupBy};
use crate::snapshot::Snapshot;
use crate::table::{BandIx, GroupIx, Ix, LineIx, RequesterIx, Table};
use crate::time::{Instant, Minutes};
use crate::units::{Cost, Percent, Weight};

/// The groups of a network.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Groups {
    /// Their names, in order: a borough, an ODS code, a kind of requester.
    pub names: Table<GroupIx, String>,
    of: Table<RequesterIx, Option<GroupIx>>,
}

impl Groups {
    /// The groups that requesters form.
    pub fn new(network: &Network, by: GroupBy) -> Self {
        let requesters = || network.requesters.iter().map(|requester| name(requester, by));
        let names: BTreeSet<&str> = requesters().flatten().collect();
        let names: Vec<&str> = names.into_iter().collect();
        let find = |name: Option<&str>| names.binary_search(&name?).ok().map(GroupIx::from_row);
        let of = requesters().map(find).collect();
        Self { names: names.into_iter().map(str::to_owned).collect(), of }
    }

    /// The group of who asked for a line; none when it belongs to none.
    pub fn of(&self, snapshot: &Snapshot, line: LineIx) -> Option<GroupIx> {
        let request = snapshot.backlog.request_of(line);
        self.of[snapshot.backlog.requests[request].requester]
    }
}

fn name(requester: &Requester, by: GroupBy) -> Option<&str> {
    match by {
        GroupBy::Borough => Some(&requester.borough),
        GroupBy::Practice => (requester.kind == RequesterKind::Practice).then_some(&requester.ods),
        GroupBy::Kind => Some(requester.kind.text()),
    }
}

/// A mean wait in whole seconds, rounded down.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MeanWait(u64);

impl MeanWait {
    /// So many seconds.
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(seconds)
    }

    /// The seconds.
    pub const fn seconds(self) -> u64 {
        self.0
    }

    /// How far above another it is, in thousandths of the other, rounded up; negative when it is below.
    pub fn above_permille(self, other: Self) -> i64 {
        let (this, other) = (i128::from(self.0), i128::from(other.0.max(1)));
        let above = -((other - this) * 1000).div_euclid(other);
        i64::try_from(above).unwrap_or(i64::MAX)
    }
}

impl fmt::Display for MeanWait {
    /// As [`Minutes`], rounded down: `2 d 4 h`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Minutes::new(i32::try_from(self.0 / 60).unwrap_or(i32::MAX)).fmt(f)
    }
}

/// How long a group waits in a band.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GroupWait {
    /// Which.
    pub group: GroupIx,
    /// Its lines in the band that count.
    pub lines: u64,
    /// Their mean weighted wait.
    pub mean: MeanWait,
    /// How far that lies above the mean of the band, in thousandths of it, rounded up.
    pub above_permille: i64,
    /// What it waits beyond the limit, weighted, rounded down; nothing within the limit, and else not less than the
    /// smallest cost there is.
    pub excess: Cost,
}

/// How long a band waits, and those of its groups that are judged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BandWait {
    /// Which.
    pub band: BandIx,
    /// Its lines that count: of all requesters, judged or not.
    pub lines: u64,
    /// Their mean weighted wait.
    pub mean: MeanWait,
    /// The groups that have enough lines, in order.
    pub groups: Vec<GroupWait>,
}

impl BandWait {
    /// The group that lies farthest above, the first of several; none when none is judged.
    pub fn worst(&self) -> Option<&GroupWait> {
        self.groups.iter().min_by_key(|group| -group.above_permille)
    }
}

/// How the groups of a plan wait.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fairness {
    /// What the policy asks for.
    pub limit: FairnessLimit,
    /// Names of the groups.
    pub names: Table<GroupIx, String>,
    /// The bands that are judged, in order; those without a line of any weight are left out.
    pub bands: Vec<BandWait>,
}

impl Fairness {
    /// How the groups of a plan wait; `None` where the policy sets no limit.
    pub fn of(snapshot: &Snapshot, plan: &Plan) -> Option<Self> {
        snapshot.policy.fairness.clone().map(|limit| Self::judge(snapshot, plan, limit))
    }

    /// How the groups of a plan wait, held against a limit.
    pub fn judge(snapshot: &Snapshot, plan: &Plan, limit: FairnessLimit) -> Self {
        let groups = Groups::new(&snapshot.network, limit.by);
        let sums = sums(snapshot, plan, &groups);
        let bands = limit.bands.iter().filter_map(|&band| sums[band].finish(band, &limit)).collect();
        Self { limit, names: groups.names, bands }
    }

    /// What all groups wait beyond the limit, weighted: nothing where it holds.
    pub fn excess(&self) -> Cost {
        self.bands.iter().flat_map(|band| &band.groups).map(|group| group.excess).sum()
    }

    /// Whether no group lies farther above its band than the policy allows.
    pub fn holds(&self) -> bool {
        self.excess() == Cost::ZERO
    }
}

const SECONDS_OF_A_DAY: u128 = 86_400;

/// Waits of lines, added up.
#[derive(Clone, Copy, Default)]
struct Sum {
    lines: u64,
    /// Thousandths.
    weight: u128,
    /// Thousandths × minutes.
    weighted: u128,
}

impl Sum {
    fn add(&mut self, weight: Weight, wait: Minutes) {
        let (weight, wait) = (u128::from(weight.thousandths()), u128::from(wait.get().max(0).unsigned_abs()));
        self.lines += 1;
        self.weight += weight;
        self.weighted += weight * wait;
    }

    /// None when nothing has any weight.
    fn mean(&self) -> Option<MeanWait> {
        let seconds = (self.weighted * 60).checked_div(self.weight)?;
        Some(MeanWait(u64::try_from(seconds).unwrap_or(u64::MAX)))
    }

    /// A group in a band of this mean; none when nothing has any weight.
    fn finish(&self, group: GroupIx, band: MeanWait, max_above: Percent) -> Option<GroupWait> {
        let mean = self.mean()?;
        let above_permille = mean.above_permille(band);
        let allowed = u128::from(band.0) * (100 + u128::from(max_above.get())) / 100;
        let beyond = u128::from(mean.0).saturating_sub(allowed) * self.weight / SECONDS_OF_A_DAY;
        let excess = Cost::from_thousandths(i64::try_from(beyond).unwrap_or(i64::MAX).max(1));
        let within = above_permille <= i64::from(max_above.get()) * 10;
        let excess = if within { Cost::ZERO } else { excess };
        Some(GroupWait { group, lines: self.lines, mean, above_permille, excess })
    }
}

/// Waits of a band, and of its groups.
#[derive(Clone)]
struct BandSums {
    all: Sum,
    groups: Table<GroupIx, Sum>,
}

impl BandSums {
    fn finish(&self, band: BandIx, limit: &FairnessLimit) -> Option<BandWait> {
        let mean = self.all.mean()?;
        let judged = self.groups.enumerate().filter(|(_, sum)| sum.lines >= u64::from(limit.min_lines));
        let groups = judged.filter_map(|(group, sum)| sum.finish(group, mean, limit.max_above)).collect();
        Some(BandWait { band, lines: self.all.lines, mean, groups })
    }
}

fn sums(snapshot: &Snapshot, plan: &Plan, groups: &Groups) -> Table<BandIx, BandSums> {
    let none = BandSums { all: Sum::default(), groups: Table::filled(Sum::default(), groups.names.len()) };
    let mut sums = Table::filled(none, snapshot.policy.bands.len());
    for (line, &disposition) in plan.lines.enumerate() {
        let Some(result) = result(snapshot, disposition) else { continue };
        let (weight, wait) = (snapshot.weights[line], result.since(snapshot.now));
        let band = &mut sums[snapshot.bands[line]];
        band.all.add(weight, wait);
        if let Some(group) = groups.of(snapshot, line) {
            band.groups[group].add(weight, wait);
        }
    }
    sums
}

/// When the result is there, or is taken to be; `None` for a line that does not count.
fn result(snapshot: &Snapshot, disposition: Disposition) -> Option<Instant> {
    match disposition {
        Disposition::Run(run) | Disposition::Recall(Some(run)) => Some(snapshot.grid.end(run.reported)),
        Disposition::Hold(Hold::UnknownStability | Hold::UnknownTime | Hold::Override(_)) => None,
        Disposition::Recall(None) | Disposition::Hold(_) => Some(snapshot.beyond()),
        Disposition::Cancel(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Fixture, line_of, plan_of_one};
    use crate::flags::FlagSet;
    use crate::plan::{Cancel, Run};
    use crate::table::SlotIx;

    /// A fixture with a limit for all bands, and a third requester: practice `G2` in borough `Elsewhere`.
    fn fixture(by: GroupBy, max_above: u32, min_lines: u32) -> Fixture {
        let mut fixture = Fixture::new();
        let mut other = fixture.network.requesters[fixture.requester("G1")].clone();
        (other.ods, other.borough) = ("G2".to_owned(), "Elsewhere".to_owned());
        fixture.network.requesters.push(other);
        let bands = fixture.policy.bands.indices().collect();
        fixture.policy.fairness = Some(FairnessLimit { by, max_above: Percent::new(max_above), min_lines, bands });
        fixture
    }

    /// A plan in which each sample's lines are reported in a slot; slot n of the first twelve ends after n + 1 hours.
    fn reported(snapshot: &Snapshot, slots: &[(&str, usize)]) -> Plan {
        let mut plan = plan_of_one(snapshot, Disposition::Hold(Hold::Waiting));
        for &(accession, slot) in slots {
            let slot = SlotIx::from_row(slot);
            let run = Run { analyser: snapshot.network.analyser("HUB-CHEM"), slot, reported: slot };
            plan.lines[line_of(snapshot, accession, "CRP")] = Disposition::Run(run);
        }
        plan
    }

    /// Two samples of `G1`, `W1` and `G2` each.
    fn six(fixture: &mut Fixture) -> Snapshot {
        for (n, requester) in ["G1", "G1", "W1", "W1", "G2", "G2"].into_iter().enumerate() {
            fixture.sample(&format!("A{n}"), &format!("P{n}"), "SST", &["CRP"]).requester(requester);
        }
        fixture.snapshot()
    }

    /// Results after 1, 3, 2, 4, 6 and 6 h: 3 h 40 min in the mean.
    const ALL: [(&str, usize); 6] = [("A0", 0), ("A1", 2), ("A2", 1), ("A3", 3), ("A4", 5), ("A5", 5)];

    /// Name, mean in minutes and how far above the band in thousandths, of each group that is judged.
    fn groups(fairness: &Fairness) -> Vec<(String, u64, i64)> {
        let groups = fairness.bands.iter().flat_map(|band| &band.groups);
        let facts = |one: &GroupWait| (fairness.names[one.group].clone(), one.mean.seconds() / 60, one.above_permille);
        groups.map(facts).collect()
    }

    #[test]
    fn groups_are_boroughs_practices_or_kinds_of_requester() {
        let check = |by: GroupBy, expected: [(&str, u64, i64); 2]| {
            let snapshot = six(&mut fixture(by, 50, 1));
            let fairness = Fairness::of(&snapshot, &reported(&snapshot, &ALL)).unwrap();
            assert_eq!(fairness.bands.len(), 1, "bands without lines are left out");
            assert_eq!((fairness.bands[0].lines, fairness.bands[0].mean.seconds()), (6, 220 * 60));
            let expected = expected.map(|(name, mean, above)| (name.to_owned(), mean, above));
            assert_eq!(groups(&fairness), expected, "{by:?}");
        };
        check(GroupBy::Borough, [("Anywhere", 150, -318), ("Elsewhere", 360, 637)]);
        check(GroupBy::Practice, [("G1", 120, -454), ("G2", 360, 637)]);
        check(GroupBy::Kind, [("practice", 240, 91), ("ward", 180, -181)]);
    }

    #[test]
    fn a_group_may_lie_as_far_above_its_band_as_the_limit_says() {
        let check = |max_above, min_lines, excess: i64| {
            let snapshot = six(&mut fixture(GroupBy::Borough, max_above, min_lines));
            let fairness = Fairness::of(&snapshot, &reported(&snapshot, &ALL)).unwrap();
            let expected = (Cost::from_thousandths(excess), excess == 0);
            assert_eq!((fairness.excess(), fairness.holds()), expected, "{max_above} {min_lines}");
        };
        // Two lines of weight 1 wait 140 min more than the mean, 1.4 min more than 63 % above it.
        check(0, 1, 194);
        check(63, 1, 1);
        check(64, 1, 0);
        // `Elsewhere` has two lines, and then nobody else is above.
        check(0, 2, 194);
        check(0, 3, 0);
        check(0, 7, 0);
    }

    #[test]
    fn lines_count_by_their_weight_until_a_tail_after_the_horizon_or_not_at_all() {
        let mut fixture = fixture(GroupBy::Practice, 50, 1);
        fixture.policy.modifiers.flags = vec![(FlagSet::CRITICAL, Percent::new(300))];
        fixture.policy.bands[BandIx::from_row(0)].weight = Weight::from_thousandths(0);
        fixture.sample("A1", "P1", "SST", &["CRP"]);
        fixture.sample("A2", "P2", "SST", &["CRP"]).requester("G2").band("urgent");
        fixture.sample("A3", "P3", "SST", &["CRP"]).requester("G2");
        fixture.sample("A4", "P4", "SST", &["CRP"]).flags(FlagSet::CRITICAL);
        let snapshot = fixture.snapshot();
        assert_eq!(snapshot.bands[line_of(&snapshot, "A4", "CRP")], BandIx::from_row(0));
        let mut plan = reported(&snapshot, &[("A1", 0), ("A2", 3)]);
        let fairness = Fairness::of(&snapshot, &plan).unwrap();
        // Horizon and tail are five days each; the band of no weight has nothing to compare.
        assert_eq!(fairness.bands.len(), 2);
        let means: Vec<_> = groups(&fairness).into_iter().map(|(name, mean, _)| (name, mean)).collect();
        let beyond = 10 * 1440;
        let named = |name: &str, mean| (name.to_owned(), mean);
        assert_eq!(means, [named("G2", 240), named("G1", 60), named("G2", beyond)]);
        let nobody = [Disposition::Cancel(Cancel::Superseded), Disposition::Hold(Hold::UnknownStability)];
        for decision in nobody {
            plan.lines[line_of(&snapshot, "A3", "CRP")] = decision;
            assert_eq!(groups(&Fairness::of(&snapshot, &plan).unwrap()).len(), 2, "{decision:?}");
        }
    }

    #[test]
    fn the_heavier_line_counts_more() {
        let mut fixture = fixture(GroupBy::Practice, 50, 1);
        fixture.policy.modifiers.flags = vec![(FlagSet::HARD_TO_BLEED, Percent::new(300))];
        fixture.sample("A1", "P1", "SST", &["CRP"]);
        fixture.sample("A2", "P2", "SST", &["CRP"]).flags(FlagSet::HARD_TO_BLEED);
        let snapshot = fixture.snapshot();
        let fairness = Fairness::of(&snapshot, &reported(&snapshot, &[("A1", 0), ("A2", 4)])).unwrap();
        // (1 × 1 h + 3 × 5 h) ÷ 4.
        assert_eq!(groups(&fairness), [("G1".to_owned(), 240, 0)]);
        assert_eq!(fairness.bands[0].worst().map(|group| group.lines), Some(2));
    }

    #[test]
    fn without_a_limit_nothing_is_said() {
        let mut fixture = fixture(GroupBy::Borough, 50, 1);
        fixture.policy.fairness = None;
        let snapshot = six(&mut fixture);
        assert_eq!(Fairness::of(&snapshot, &reported(&snapshot, &ALL)), None);
    }
}
