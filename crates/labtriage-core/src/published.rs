//! What has been published? The runs of an earlier plan, by which people already work.
//!
//! Only runs of tubes on an analyser count: they stand on a bench's worklist. A recall, a hold, a
//! report and a re-test of a tube that is not there yet bind nothing.

use crate::duplicates::Repeat;
use crate::overrides::Action;
use crate::plan::Disposition;
use crate::snapshot::Snapshot;
use crate::table::{AnalyserIx, Ix, LineIx, SlotIx};
use crate::time::{Instant, Minutes};
use crate::viability::Clock;

/// A published run of a line: on what, and from when until when by the slots of that plan, half-open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PublishedRun {
    /// On which analyser.
    pub analyser: AnalyserIx,
    /// The start of its slot.
    pub starts: Instant,
    /// The end of its slot.
    pub ends: Instant,
}

/// A published run on the slots of today's grid, which may be cut finer or coarser.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PublishedSlots {
    /// On which analyser.
    pub analyser: AnalyserIx,
    /// The slot that holds its start; the first one when it has begun.
    pub first: SlotIx,
    /// The slot that holds its last minute, or the last of the horizon.
    pub last: SlotIx,
}

impl PublishedSlots {
    /// Whether a decision runs the line where and when it was published.
    pub fn kept_by(self, disposition: Disposition) -> bool {
        let Disposition::Run(run) = disposition else { return false };
        run.analyser == Some(self.analyser) && self.first <= run.slot && run.slot <= self.last
    }

    /// The slots in order.
    pub fn slots(self) -> impl Iterator<Item = SlotIx> {
        (self.first.row()..=self.last.row()).map(SlotIx::from_row)
    }
}

impl Snapshot {
    /// The published run of a line, if its slot has not ended and begins within the horizon.
    pub fn published_slots(&self, line: LineIx) -> Option<PublishedSlots> {
        let run = (*self.published.get(line)?)?;
        if run.ends <= self.now {
            return None;
        }
        let first = self.grid.slot_at(run.starts.max(self.now))?;
        let last = self.grid.slot_at(run.ends.minus(Minutes::new(1)));
        let last = last.unwrap_or_else(|| SlotIx::from_row(self.grid.len() - 1)).max(first);
        Some(PublishedSlots { analyser: run.analyser, first, last })
    }

    /// The published run of a line that must not be moved: it is under way or begins inside the
    /// frozen window, the line still needs it, no person has decided something else, and the
    /// analyser still works then.
    pub fn frozen_run(&self, line: LineIx) -> Option<PublishedSlots> {
        let run = (*self.published.get(line)?)?;
        if run.starts >= self.now.plus(self.policy.frozen_window) {
            return None;
        }
        let needed = self.repeats[line] == Repeat::Survives && !self.backlog.lines[line].result_held;
        let open = matches!(self.clocks[line], Clock::Until(closes) if closes > self.now);
        let decided = |action: &Action| !matches!(action, Action::SetBand(_) | Action::Cap { .. } | Action::Keep);
        let free = self.must_hold(line).is_none() && !self.overrides.of(line).any(|(_, about)| decided(&about.action));
        let slots = self.published_slots(line).filter(|_| needed && open && free)?;
        let works = |slot| self.capacity.limit(self.capacity.analyser_time(slots.analyser, slot)) > 0;
        slots.slots().any(works).then_some(slots)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Fixture, line_of};
    use crate::units::Percent;

    /// The slots of a run that was published from so many until so many minutes from now.
    fn slots(from: i32, until: i32) -> Option<(usize, usize)> {
        let mut fixture = Fixture::new();
        fixture.sample("A1", "P1", "SST", &["K"]);
        fixture.published("A1", "K", "HUB-CHEM", (from, until));
        let snapshot = fixture.snapshot();
        let slots = snapshot.published_slots(line_of(&snapshot, "A1", "K"))?;
        Some((slots.first.row(), slots.last.row()))
    }

    #[test]
    fn a_published_slot_is_found_again_on_a_finer_or_coarser_grid() {
        assert_eq!(slots(60, 120), Some((1, 1)));
        assert_eq!(slots(90, 150), Some((1, 2)));
        assert_eq!(slots(0, 240), Some((0, 3)));
        // Twelve hours on, slots are four hours long.
        assert_eq!(slots(13 * 60, 14 * 60), Some((12, 12)));
        assert_eq!(slots(-60, 60), Some((0, 0)));
        assert_eq!(slots(-60, 0), None);
        assert_eq!(slots(119 * 60, 130 * 60).map(|(first, last)| last - first), Some(0));
        assert_eq!(slots(140 * 60, 141 * 60), None);
    }

    /// Whether a run published for 09:00 is frozen in a window of two hours after a change.
    fn frozen(change: impl Fn(&mut Fixture)) -> bool {
        let mut fixture = Fixture::new();
        fixture.sample("A1", "P1", "SST", &["TSH"]);
        fixture.published("A1", "TSH", "HUB-CHEM", (60, 120));
        fixture.policy.frozen_window = Minutes::from_hours(2);
        change(&mut fixture);
        let snapshot = fixture.snapshot();
        snapshot.frozen_run(line_of(&snapshot, "A1", "TSH")).is_some()
    }

    #[test]
    fn a_run_is_frozen_inside_the_window_unless_something_has_come_between() {
        assert!(frozen(|_| ()));
        assert!(!frozen(|fixture| fixture.policy.frozen_window = Minutes::from_hours(1)));
        assert!(!frozen(|fixture| {
            fixture.result("A1", "TSH");
        }));
        let overridden = |action: Action| {
            frozen(|fixture| {
                fixture.override_("A1", action.clone());
            })
        };
        assert!(!overridden(Action::Hold) && !overridden(Action::ForceDiscard));
        assert!(overridden(Action::SetBand(Fixture::new().band("urgent"))));
        assert!(!frozen(|fixture| fixture.network.capacity = Percent::NONE));
        assert!(!frozen(|fixture| fixture.now = fixture.now.plus(Minutes::from_hours(30))));
    }
}
