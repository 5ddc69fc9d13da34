//! Which slot is it? The planning grid: short slots at first, longer ones later.

use crate::policy::Policy;
use crate::table::{Ix, SlotIx};
use crate::time::{Day, Instant, Zone};

/// The slots of the horizon. Slots are half-open, follow each other without gaps, start at `now`
/// and never straddle a local midnight.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grid {
    bounds: Vec<Instant>,
    days: Vec<Day>,
}

impl Grid {
    /// The grid of a policy from `now` on: boundaries at whole multiples of the slot length after
    /// local midnight.
    pub fn new(now: Instant, zone: Zone, policy: &Policy) -> Self {
        let end = now.plus(policy.horizon());
        let mut bounds = vec![now];
        let mut from = now;
        for stretch in &policy.slots {
            let until = now.plus(stretch.until);
            let length = stretch.length.get();
            while from < until {
                let day = zone.day(from);
                let next = (0..=1440 / length)
                    .map(|n| zone.at(day, n * length))
                    .find(|bound| *bound > from)
                    .unwrap_or_else(|| zone.at(day.plus_days(1), 0))
                    .min(zone.at(day.plus_days(1), 0))
                    .min(end);
                bounds.push(next);
                from = next;
            }
        }
        let days = bounds[..bounds.len() - 1].iter().map(|&from| zone.day(from)).collect();
        Self { bounds, days }
    }

    /// How many slots there are.
    pub fn len(&self) -> usize {
        self.days.len()
    }

    /// Never: a policy has a horizon.
    pub fn is_empty(&self) -> bool {
        self.days.is_empty()
    }

    /// The slots in order.
    pub fn slots(&self) -> impl DoubleEndedIterator<Item = SlotIx> + use<> {
        (0..self.days.len()).map(SlotIx::from_row)
    }

    /// When a slot begins.
    pub fn start(&self, slot: SlotIx) -> Instant {
        self.bounds[slot.row()]
    }

    /// When a slot ends: what is done in it counts as done then.
    pub fn end(&self, slot: SlotIx) -> Instant {
        self.bounds[slot.row() + 1]
    }

    /// The local day of a slot.
    pub fn day(&self, slot: SlotIx) -> Day {
        self.days[slot.row()]
    }

    /// The end of the horizon.
    pub fn horizon_end(&self) -> Instant {
        self.bounds[self.days.len()]
    }

    /// The slot that holds an instant.
    pub fn slot_at(&self, instant: Instant) -> Option<SlotIx> {
        let after = self.bounds.partition_point(|bound| *bound <= instant);
        (after > 0 && after < self.bounds.len()).then(|| SlotIx::from_row(after - 1))
    }

    /// How many slots have ended by an instant: the row of the first that has not.
    pub fn ended_by(&self, instant: Instant) -> usize {
        self.bounds[1..].partition_point(|end| *end <= instant)
    }

    /// The first local day of the horizon.
    pub fn first_day(&self) -> Day {
        self.days[0]
    }

    /// How many local days the horizon touches.
    pub fn day_count(&self) -> usize {
        let last = self.days[self.days.len() - 1];
        usize::try_from(last.days_since(self.days[0]) + 1).unwrap_or(1)
    }
}
