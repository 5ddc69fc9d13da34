//! What does a plan file claim about how its groups wait? Whether the limit holds, and what it cost.

use labtriage_core::fairness::{BandWait, Fairness, GroupWait, MeanWait};
use labtriage_core::policy::GroupBy;
use labtriage_core::snapshot::Snapshot;
use labtriage_core::units::{Cost, Percent};
use serde::{Deserialize, Serialize};

/// The group of a band that waits longest, named by its code.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StatedGroup {
    /// A borough, an ODS code or a kind of requester.
    pub name: String,
    /// Its lines in the band that count.
    pub lines: u64,
    /// Their mean weighted wait.
    pub mean: MeanWait,
    /// How far that lies above the mean of the band, in thousandths of it, rounded up.
    pub above_permille: i64,
}

/// How a band and its groups wait.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StatedBand {
    /// Its code.
    pub band: String,
    /// Its lines that count.
    pub lines: u64,
    /// Their mean weighted wait.
    pub mean: MeanWait,
    /// How many groups have enough lines to be judged.
    pub judged: u64,
    /// How many of them lie farther above the band than the limit allows.
    pub above: u64,
    /// The judged group that lies farthest above.
    pub worst: Option<StatedGroup>,
}

/// Whether the policy's limit on fairness holds, and what that cost.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StatedFairness {
    /// What makes a group.
    pub by: GroupBy,
    /// How far above its band a group may lie.
    pub max_above: Percent,
    /// Groups with fewer lines in a band are not judged there.
    pub min_lines: u32,
    /// Whether no group lies farther above its band.
    pub holds: bool,
    /// How much more the plan costs than the cheapest that was found; none where a rule made the plan,
    /// which does not look at the limit.
    pub extra_cost: Option<Cost>,
    /// The bands that are judged, in order.
    pub bands: Vec<StatedBand>,
}

impl StatedFairness {
    /// What is stated of the groups of a plan, with what it cost to come there.
    pub fn new(snapshot: &Snapshot, fairness: &Fairness, extra_cost: Option<Cost>) -> Self {
        let group = |group: &GroupWait| StatedGroup {
            name: fairness.names[group.group].clone(),
            lines: group.lines,
            mean: group.mean,
            above_permille: group.above_permille,
        };
        let band = |band: &BandWait| StatedBand {
            band: snapshot.policy.bands[band.band].code.clone(),
            lines: band.lines,
            mean: band.mean,
            judged: band.groups.len() as u64,
            above: band.groups.iter().filter(|group| group.excess > Cost::ZERO).count() as u64,
            worst: band.worst().map(group),
        };
        Self {
            by: fairness.limit.by,
            max_above: fairness.limit.max_above,
            min_lines: fairness.limit.min_lines,
            holds: fairness.holds(),
            extra_cost,
            bands: fairness.bands.iter().map(band).collect(),
        }
    }
}

impl StatedFairness {
    /// What is stated otherwise than it is, in words without any value of the file.
    pub fn difference(&self, found: &Self) -> String {
        let says = |holds| if holds { "holds" } else { "does not hold" };
        if self.holds != found.holds {
            let (stated, found) = (says(self.holds), says(found.holds));
            return format!("the plan states that its limit on fairness {stated}, by its decisions it {found}");
        }
        let differs = found.bands.iter().zip(&self.bands).find(|(found, stated)| found != stated);
        match differs {
            Some((found, _)) => format!("the groups of band `{}` wait otherwise than the plan states", found.band),
            None => "the plan states another limit on fairness or other bands than its policy has".to_owned(),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGroup {
    group: String,
    lines: u64,
    mean_wait_seconds: u64,
    above_permille: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBand {
    band: String,
    lines: u64,
    mean_wait_seconds: u64,
    groups_judged: u64,
    groups_above: u64,
    worst: Option<RawGroup>,
}

/// As in the file, and in the summary for machines.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawFairness {
    by: String,
    max_above_percent: u32,
    min_lines: u32,
    holds: bool,
    extra_cost: Option<i64>,
    bands: Vec<RawBand>,
}

impl RawFairness {
    pub(crate) fn of(stated: &StatedFairness) -> Self {
        let group = |group: &StatedGroup| RawGroup {
            group: group.name.clone(),
            lines: group.lines,
            mean_wait_seconds: group.mean.seconds(),
            above_permille: group.above_permille,
        };
        let band = |band: &StatedBand| RawBand {
            band: band.band.clone(),
            lines: band.lines,
            mean_wait_seconds: band.mean.seconds(),
            groups_judged: band.judged,
            groups_above: band.above,
            worst: band.worst.as_ref().map(group),
        };
        Self {
            by: stated.by.text().to_owned(),
            max_above_percent: stated.max_above.get(),
            min_lines: stated.min_lines,
            holds: stated.holds,
            extra_cost: stated.extra_cost.map(Cost::thousandths),
            bands: stated.bands.iter().map(band).collect(),
        }
    }

    /// What was read, or what is wrong with it.
    pub(super) fn finish(self) -> Result<StatedFairness, String> {
        let by = GroupBy::ALL.into_iter().find(|by| by.text() == self.by);
        let by = by.ok_or("`by` of `fairness` is none of borough, practice, kind")?;
        if self.extra_cost.is_some_and(|extra_cost| extra_cost < 0) {
            return Err("the `extra_cost` of `fairness` must not be below 0".to_owned());
        }
        Ok(StatedFairness {
            by,
            max_above: Percent::new(self.max_above_percent),
            min_lines: self.min_lines,
            holds: self.holds,
            extra_cost: self.extra_cost.map(Cost::from_thousandths),
            bands: self.bands.into_iter().map(RawBand::finish).collect(),
        })
    }
}

impl RawBand {
    fn finish(self) -> StatedBand {
        let worst = |group: RawGroup| StatedGroup {
            name: group.group,
            lines: group.lines,
            mean: MeanWait::from_seconds(group.mean_wait_seconds),
            above_permille: group.above_permille,
        };
        StatedBand {
            band: self.band,
            lines: self.lines,
            mean: MeanWait::from_seconds(self.mean_wait_seconds),
            judged: self.groups_judged,
            above: self.groups_above,
            worst: self.worst.map(worst),
        }
    }
}
