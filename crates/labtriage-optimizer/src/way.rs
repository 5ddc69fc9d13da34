//! What does a tube go through before it can be run? Ways, built step by step on what is left.
//!
//! A way looks for the earliest slot of each step but takes no capacity; [`Way::take`] does, once
//! a way has been chosen.

use labtriage_core::catalogue::{Handling, Phase, State};
use labtriage_core::plan::Step;
use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::{Ix, SampleIx, SiteIx, SlotIx};
use labtriage_core::time::Instant;
use labtriage_core::viability::Stay;

use crate::remaining::Remaining;
use crate::routes::Itinerary;
use crate::uses;

/// The most steps that any way has.
pub(crate) const STEPS_MAX: usize = 12;

/// How a tube stands part-way.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    pub(crate) sample: SampleIx,
    /// Where it is.
    pub(crate) site: SiteIx,
    /// The slot of its last step: nothing may come before.
    pub(crate) slot: SlotIx,
    steps: [Step; STEPS_MAX],
    len: usize,
    earliest: Instant,
    latest: Instant,
    arrived_by_courier: bool,
    /// How it has been and will be kept; the last stay is open-ended.
    pub(crate) stays: Vec<Stay>,
}

impl Way {
    /// The way that has not begun: the tube stands where it stands now.
    pub(crate) fn start(snapshot: &Snapshot, sample: SampleIx) -> Self {
        let mut stays = Vec::with_capacity(6);
        snapshot.stays(sample, &mut stays);
        Self {
            sample,
            site: snapshot.backlog.samples[sample].site,
            slot: snapshot.first_slot(),
            steps: [Step::Refrigerate; STEPS_MAX],
            len: 0,
            earliest: snapshot.now,
            latest: snapshot.now,
            arrived_by_courier: false,
            stays,
        }
    }

    /// The way that these steps make; they are known to be possible.
    pub(crate) fn replay(snapshot: &Snapshot, sample: SampleIx, steps: &[Step]) -> Self {
        let mut way = Self::start(snapshot, sample);
        for &step in steps {
            way.apply(snapshot, step);
        }
        way
    }

    /// The steps so far.
    pub(crate) fn steps(&self) -> &[Step] {
        &self.steps[..self.len]
    }

    /// The state the tube ends in.
    pub(crate) fn state(&self) -> State {
        self.stays.last().map_or(State::PrimaryAmbient, |stay| stay.state)
    }

    fn push(&mut self, step: Step) -> Option<()> {
        *self.steps.get_mut(self.len)? = step;
        self.len += 1;
        Some(())
    }

    fn handled(&self, snapshot: &Snapshot, handling: Handling) -> Option<(State, labtriage_core::time::Minutes)> {
        let specimen = snapshot.backlog.samples[self.sample].specimen;
        let protocol = snapshot.catalogue.specimens[specimen].protocol;
        let step = snapshot.catalogue.protocols[protocol].step(handling, self.state())?;
        Some((step.to, step.time))
    }

    /// Records a step that takes place in a slot.
    fn in_slot(&mut self, snapshot: &Snapshot, slot: SlotIx, takes: labtriage_core::time::Minutes, to: Option<State>) {
        let begins = self.earliest.max(snapshot.grid.start(slot));
        let ends = snapshot.grid.end(slot);
        if let Some(state) = to {
            self.change(ends, begins, state);
        }
        self.earliest = begins.plus(takes);
        self.latest = ends;
        self.slot = slot;
    }

    fn change(&mut self, until: Instant, from: Instant, state: State) {
        if let Some(last) = self.stays.last_mut() {
            last.until = until;
        }
        self.stays.push(Stay { from, until: Instant::FAR, state });
    }

    fn apply(&mut self, snapshot: &Snapshot, step: Step) {
        let minutes = labtriage_core::time::Minutes::ZERO;
        match step {
            Step::Spin(slot) | Step::Freeze(slot) | Step::Thaw(slot) => {
                let handling = match step {
                    Step::Spin(_) => Handling::Spin,
                    Step::Freeze(_) => Handling::Freeze,
                    _ => Handling::Thaw,
                };
                if let Some((to, takes)) = self.handled(snapshot, handling) {
                    self.in_slot(snapshot, slot, takes, Some(to));
                }
            }
            Step::Refrigerate => {
                if let Some((to, _)) = self.handled(snapshot, Handling::Refrigerate) {
                    self.change(self.latest, self.latest, to);
                }
            }
            Step::BookIn(slot) | Step::Aliquot(slot) => self.in_slot(snapshot, slot, minutes, None),
            Step::Send(departure) => {
                let facts = &snapshot.departures[departure];
                self.site = snapshot.network.couriers[facts.courier].to;
                (self.earliest, self.latest) = (facts.arrives, facts.arrives);
                self.arrived_by_courier = true;
            }
        }
        let pushed = self.push(step);
        debug_assert!(pushed.is_some(), "a way has at most {STEPS_MAX} steps");
    }

    /// The first slot in which a step that takes so long still fits, given where room is.
    fn slot_for(
        &self,
        snapshot: &Snapshot,
        takes: labtriage_core::time::Minutes,
        mut room: impl FnMut(SlotIx) -> Option<SlotIx>,
    ) -> Option<SlotIx> {
        let mut from = snapshot.grid.slot_at(self.earliest)?.max(self.slot);
        loop {
            let slot = room(from)?;
            if self.earliest.max(snapshot.grid.start(slot)).plus(takes) <= snapshot.grid.end(slot) {
                return Some(slot);
            }
            from = SlotIx::from_row(slot.row() + 1);
            if from.row() >= snapshot.grid.len() {
                return None;
            }
        }
    }

    /// Centrifuged where it stands, as soon as there is room.
    pub(crate) fn spin(&mut self, snapshot: &Snapshot, remaining: &mut Remaining<'_>) -> Option<()> {
        let site = self.site;
        self.spin_where(snapshot, |from| remaining.centrifuge_slot(site, from))
    }

    /// Centrifuged where it stands, in the slot that `room` names from a slot on.
    pub(crate) fn spin_where(&mut self, snapshot: &Snapshot, room: impl FnMut(SlotIx) -> Option<SlotIx>) -> Option<()> {
        let (_, takes) = self.handled(snapshot, Handling::Spin)?;
        let slot = self.slot_for(snapshot, takes, room)?;
        self.apply(snapshot, Step::Spin(slot));
        Some(())
    }

    /// Put into the refrigerator.
    pub(crate) fn refrigerate(&mut self, snapshot: &Snapshot) -> Option<()> {
        self.handled(snapshot, Handling::Refrigerate)?;
        self.apply(snapshot, Step::Refrigerate);
        Some(())
    }

    /// Aliquoted and frozen where it stands, while there are places.
    pub(crate) fn freeze(&mut self, snapshot: &Snapshot, remaining: &mut Remaining<'_>) -> Option<()> {
        let site = self.site;
        if remaining.left(snapshot.capacity.freezer(site)) == 0 {
            return None;
        }
        self.freeze_where(snapshot, |from| remaining.aliquoting_slot(site, from))
    }

    /// Aliquoted and frozen where it stands, in the slot that `room` names from a slot on.
    pub(crate) fn freeze_where(
        &mut self,
        snapshot: &Snapshot,
        room: impl FnMut(SlotIx) -> Option<SlotIx>,
    ) -> Option<()> {
        let (_, takes) = self.handled(snapshot, Handling::Freeze)?;
        let slot = self.slot_for(snapshot, takes, room)?;
        self.apply(snapshot, Step::Freeze(slot));
        Some(())
    }

    /// The slots from one on in which it can be thawed to be run in the same: some of that must be left for the run
    /// itself.
    pub(crate) fn thaws_from(&self, snapshot: &Snapshot, first: usize) -> impl Iterator<Item = usize> {
        let grid = &snapshot.grid;
        let within = move |takes, slot| self.earliest.max(grid.start(slot)).plus(takes) < grid.end(slot);
        self.handled(snapshot, Handling::Thaw).into_iter().flat_map(move |(_, takes)| {
            (first.max(self.slot.row())..grid.len()).filter(move |&slot| within(takes, SlotIx::from_row(slot)))
        })
    }

    /// Thawed in the slot in which it is run.
    pub(crate) fn thaw_in(&mut self, snapshot: &Snapshot, slot: SlotIx) -> Option<()> {
        let fits = self.thaws_from(snapshot, slot.row()).next() == Some(slot.row());
        fits.then(|| self.apply(snapshot, Step::Thaw(slot)))
    }

    /// Split where it stands; what follows is about the second container.
    pub(crate) fn aliquot(&mut self, snapshot: &Snapshot, remaining: &mut Remaining<'_>) -> Option<()> {
        let site = self.site;
        self.aliquot_where(snapshot, |from| remaining.aliquoting_slot(site, from))
    }

    /// Split where it stands, in the slot that `room` names from a slot on.
    pub(crate) fn aliquot_where(
        &mut self,
        snapshot: &Snapshot,
        room: impl FnMut(SlotIx) -> Option<SlotIx>,
    ) -> Option<()> {
        let slot = self.slot_for(snapshot, labtriage_core::time::Minutes::ZERO, room)?;
        self.apply(snapshot, Step::Aliquot(slot));
        self.arrived_by_courier = false;
        Some(())
    }

    /// Whether it can still catch an itinerary, kept as it is.
    pub(crate) fn reaches(&self, itinerary: &Itinerary) -> bool {
        itinerary.leaves >= self.latest && itinerary.carries(self.state().condition())
    }

    /// Sent by an itinerary that it reaches.
    pub(crate) fn ride(&mut self, snapshot: &Snapshot, itinerary: &Itinerary) {
        itinerary.legs().for_each(|leg| self.apply(snapshot, Step::Send(leg)));
    }

    /// Booked in where it stands in a slot that it can be booked in in.
    pub(crate) fn book_in_at(&mut self, snapshot: &Snapshot, slot: SlotIx) {
        self.apply(snapshot, Step::BookIn(slot));
    }

    /// The first moment at which its last step can have ended.
    pub(crate) const fn earliest(&self) -> Instant {
        self.earliest
    }

    /// Whether a courier brought it where it is.
    pub(crate) const fn by_courier(&self) -> bool {
        self.arrived_by_courier
    }

    /// Sent by the first of the itineraries that it can reach and that has room.
    pub(crate) fn send(
        &mut self,
        snapshot: &Snapshot,
        remaining: &Remaining<'_>,
        itineraries: &[Itinerary],
    ) -> Option<()> {
        let fits = |way: &&Itinerary| {
            self.reaches(way) && way.legs().all(|leg| remaining.left(snapshot.capacity.courier(leg)) > 0)
        };
        let chosen = *itineraries.iter().find(fits)?;
        self.ride(snapshot, &chosen);
        Some(())
    }

    /// Booked in where it stands, as soon as there is room; at a partner, by cut-off and quota.
    pub(crate) fn book_in(&mut self, snapshot: &Snapshot, remaining: &mut Remaining<'_>) -> Option<()> {
        let site = self.site;
        let from = booked_in_from(snapshot, site, self.earliest, self.arrived_by_courier)?.max(self.slot);
        let slot = remaining.book_in_slot(site, from)?;
        self.apply(snapshot, Step::BookIn(slot));
        Some(())
    }

    /// Takes what the steps from the `from`th on use.
    pub(crate) fn take(&self, snapshot: &Snapshot, remaining: &mut Remaining<'_>, from: usize) {
        uses::of_more_steps(snapshot, self.sample, self.steps(), from, &mut |cell, amount| {
            remaining.take(cell, amount)
        });
    }

    /// Whether the tube is spun by the end of the way.
    pub(crate) fn separated(&self) -> bool {
        self.state().phase() == Phase::Separated
    }
}

/// The first slot in which a tube that is at a site from then on can be booked in: not on a day before, and at a partner
/// on the next where a courier brings it after the cut-off; none beyond the horizon.
pub(crate) fn booked_in_from(snapshot: &Snapshot, site: SiteIx, from: Instant, by_courier: bool) -> Option<SlotIx> {
    let (zone, grid) = (snapshot.network.zone, &snapshot.grid);
    let partner = snapshot.network.sites[site].partner.as_ref().filter(|_| by_courier);
    let late = partner.is_some_and(|partner| zone.minute_of_day(from) > partner.cut_off);
    let first_day = zone.day(from).plus_days(i32::from(late));
    let slot = grid.slot_at(from)?;
    (slot.row()..grid.len()).map(SlotIx::from_row).find(|&slot| grid.day(slot) >= first_day)
}
