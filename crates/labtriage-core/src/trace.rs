//! Where was the container, when, and how was it kept? A history and a plan's steps, replayed.
//!
//! Each container has two clocks. `earliest` is the first moment at which its last step can have
//! ended, `latest` the moment at which it counts as done; both start at `now`. A step in a slot
//! must be able to end within it; a courier takes only what is done before it leaves. Whatever is
//! uncertain within a slot counts against the sample: the old state lasts until the slot's end and
//! the new one begins as early as it can.

use thiserror::Error;

use crate::catalogue::{Condition, Handling, Phase, State};
use crate::plan::Step;
use crate::snapshot::Snapshot;
use crate::table::{DepartureIx, Ix, SampleIx, SiteIx, SlotIx};
use crate::time::{Instant, Minutes};
use crate::viability::Stay;

/// The way of one container: of the sample itself, or of the second one after [`Step::Aliquot`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Way {
    /// How it was and will be kept since collection; the last stay is open-ended.
    pub stays: Vec<Stay>,
    /// The state it ends in.
    pub state: State,
    /// The site where it ends.
    pub site: SiteIx,
    /// When the last courier brought it there; none when it has not travelled.
    pub arrived: Option<Instant>,
    /// In which slot it is booked in there.
    pub booked_in: Option<SlotIx>,
    /// The slot of its last step that has one.
    pub last_slot: Option<SlotIx>,
    /// The first moment at which its last step can have ended.
    pub earliest: Instant,
    /// The moment at which its last step counts as done.
    pub latest: Instant,
}

/// Why a step is impossible.
#[derive(Clone, Copy, PartialEq, Eq, Error, Debug)]
pub enum Fault {
    /// The protocol of the specimen does not have it.
    #[error("a specimen kept {} cannot be handled by `{}`", .from.text(), .handling.text())]
    NotInProtocol {
        /// What was to be done.
        handling: Handling,
        /// The state before.
        from: State,
    },
    /// It lies before a step that comes first.
    #[error("its slot lies before that of an earlier step")]
    OutOfOrder,
    /// It cannot end within its slot.
    #[error("it cannot be done before its slot ends at {ends}: ready at {ready}, takes {takes}")]
    TooLate {
        /// When the container is ready for it.
        ready: Instant,
        /// How long it takes.
        takes: Minutes,
        /// The end of its slot.
        ends: Instant,
    },
    /// The courier leaves from another site.
    #[error("the courier leaves from another site than where the container stands")]
    NotThere(DepartureIx),
    /// The courier has left.
    #[error("the courier leaves at {leaves}, the container is ready at {ready}")]
    Missed {
        /// When the courier leaves.
        leaves: Instant,
        /// When the container is ready.
        ready: Instant,
    },
    /// The courier does not carry this condition.
    #[error("the courier carries nothing {}", .0.text())]
    NotCarried(Condition),
    /// The container is booked in and stays where it is.
    #[error("the container is booked in already")]
    BookedIn,
    /// The specimen may not be split, or is not separated and liquid.
    #[error("a specimen kept {} cannot be split", .0.text())]
    NotDivisible(State),
    /// A sample is split once.
    #[error("the sample is split already")]
    SplitTwice,
}

/// The step of a sample's strip that is impossible, from 0, and why.
#[derive(Clone, Copy, PartialEq, Eq, Error, Debug)]
#[error("step {} is impossible: {fault}", .step + 1)]
pub struct Broken {
    /// Its place in the strip.
    pub step: usize,
    /// What is wrong with it.
    pub fault: Fault,
}

/// The containers of one sample; its buffers are used again from sample to sample.
#[derive(Clone, Debug)]
pub struct Trace {
    ways: [Way; 2],
    split: bool,
}

impl Default for Trace {
    fn default() -> Self {
        Self { ways: [Way::new(), Way::new()], split: false }
    }
}

impl Trace {
    /// The sample's own container.
    pub const fn main(&self) -> &Way {
        &self.ways[0]
    }

    /// The second container, when the sample is split.
    pub const fn second(&self) -> Option<&Way> {
        if self.split { Some(&self.ways[1]) } else { None }
    }

    /// The containers there are: the sample's own, then the second.
    pub fn ways(&self) -> &[Way] {
        &self.ways[..=usize::from(self.split)]
    }

    /// Replays a sample's history and then these steps.
    ///
    /// # Errors
    /// The first step that is impossible; the trace then ends before it.
    ///
    /// # Panics
    /// When a step names a slot or departure that the snapshot does not have.
    pub fn replay(&mut self, snapshot: &Snapshot, sample: SampleIx, steps: &[Step]) -> Result<(), Broken> {
        self.split = false;
        self.ways[0].begin(snapshot, sample);
        for (at, &step) in steps.iter().enumerate() {
            self.take(snapshot, sample, step).map_err(|fault| Broken { step: at, fault })?;
        }
        Ok(())
    }

    fn take(&mut self, snapshot: &Snapshot, sample: SampleIx, step: Step) -> Result<(), Fault> {
        let way = &mut self.ways[usize::from(self.split)];
        match step {
            Step::Spin(slot) => way.handle(snapshot, sample, Handling::Spin, slot),
            Step::Freeze(slot) => way.handle(snapshot, sample, Handling::Freeze, slot),
            Step::Thaw(slot) => way.handle(snapshot, sample, Handling::Thaw, slot),
            Step::Refrigerate => way.refrigerate(snapshot, sample),
            Step::Send(departure) => way.send(snapshot, departure),
            Step::BookIn(slot) => way.book_in(snapshot, slot),
            Step::Aliquot(slot) => self.split_at(snapshot, sample, slot),
        }
    }

    fn split_at(&mut self, snapshot: &Snapshot, sample: SampleIx, slot: SlotIx) -> Result<(), Fault> {
        if self.split {
            return Err(Fault::SplitTwice);
        }
        let [main, second] = &mut self.ways;
        let specimen = &snapshot.catalogue.specimens[snapshot.backlog.samples[sample].specimen];
        let liquid = main.state.phase() == Phase::Separated && main.state.condition() != Condition::Frozen;
        if !specimen.aliquots || !liquid {
            return Err(Fault::NotDivisible(main.state));
        }
        second.continue_from(main);
        second.spend(snapshot, slot, Minutes::ZERO)?;
        self.split = true;
        Ok(())
    }
}

impl Way {
    fn new() -> Self {
        Self {
            stays: Vec::new(),
            state: State::PrimaryAmbient,
            site: SiteIx::from_row(0),
            arrived: None,
            booked_in: None,
            last_slot: None,
            earliest: Instant::FAR,
            latest: Instant::FAR,
        }
    }

    fn begin(&mut self, snapshot: &Snapshot, sample: SampleIx) {
        snapshot.stays(sample, &mut self.stays);
        self.state = snapshot.backlog.state(sample);
        self.site = snapshot.backlog.samples[sample].site;
        self.arrived = None;
        self.booked_in = None;
        self.last_slot = None;
        self.earliest = snapshot.now;
        self.latest = snapshot.now;
    }

    fn continue_from(&mut self, main: &Self) {
        self.stays.clear();
        self.stays.extend_from_slice(&main.stays);
        self.state = main.state;
        self.site = main.site;
        self.arrived = main.arrived;
        self.booked_in = None;
        self.last_slot = main.last_slot;
        self.earliest = main.earliest;
        self.latest = main.latest;
    }

    /// A step that takes so long within a slot.
    fn spend(&mut self, snapshot: &Snapshot, slot: SlotIx, takes: Minutes) -> Result<(), Fault> {
        if self.last_slot.is_some_and(|last| slot < last) {
            return Err(Fault::OutOfOrder);
        }
        let (starts, ends) = (snapshot.grid.start(slot), snapshot.grid.end(slot));
        if self.earliest.plus(takes) > ends || self.earliest >= ends {
            return Err(Fault::TooLate { ready: self.earliest, takes, ends });
        }
        // A slot shorter than the step cannot move the clock past its own end.
        self.earliest = self.earliest.max(starts).plus(takes).min(ends);
        self.latest = ends;
        self.last_slot = Some(slot);
        Ok(())
    }

    fn handle(&mut self, snapshot: &Snapshot, sample: SampleIx, handling: Handling, slot: SlotIx) -> Result<(), Fault> {
        let (to, takes) = self.protocol_step(snapshot, sample, handling)?;
        let begins = self.earliest.max(snapshot.grid.start(slot));
        self.spend(snapshot, slot, takes)?;
        self.enter(to, begins, snapshot.grid.end(slot));
        Ok(())
    }

    fn refrigerate(&mut self, snapshot: &Snapshot, sample: SampleIx) -> Result<(), Fault> {
        let (to, _) = self.protocol_step(snapshot, sample, Handling::Refrigerate)?;
        self.enter(to, self.latest, self.latest);
        Ok(())
    }

    fn protocol_step(
        &self,
        snapshot: &Snapshot,
        sample: SampleIx,
        handling: Handling,
    ) -> Result<(State, Minutes), Fault> {
        let catalogue = &snapshot.catalogue;
        let specimen = &catalogue.specimens[snapshot.backlog.samples[sample].specimen];
        let step = catalogue.protocols[specimen.protocol].step(handling, self.state);
        step.map(|step| (step.to, step.time)).ok_or(Fault::NotInProtocol { handling, from: self.state })
    }

    /// The old state ends at `until`, the new one begins at `from`.
    fn enter(&mut self, state: State, from: Instant, until: Instant) {
        if let Some(last) = self.stays.last_mut() {
            last.until = until;
        }
        self.stays.push(Stay { from, until: Instant::FAR, state });
        self.state = state;
    }

    fn send(&mut self, snapshot: &Snapshot, departure: DepartureIx) -> Result<(), Fault> {
        let facts = snapshot.departures[departure];
        let courier = &snapshot.network.couriers[facts.courier];
        if self.booked_in.is_some() {
            return Err(Fault::BookedIn);
        }
        if courier.from != self.site {
            return Err(Fault::NotThere(departure));
        }
        if self.latest > facts.leaves {
            return Err(Fault::Missed { leaves: facts.leaves, ready: self.latest });
        }
        let condition = self.state.condition();
        if !courier.carries.contains(&condition) {
            return Err(Fault::NotCarried(condition));
        }
        self.site = courier.to;
        self.arrived = Some(facts.arrives);
        self.earliest = facts.arrives;
        self.latest = facts.arrives;
        Ok(())
    }

    fn book_in(&mut self, snapshot: &Snapshot, slot: SlotIx) -> Result<(), Fault> {
        if self.booked_in.is_some() {
            return Err(Fault::BookedIn);
        }
        self.spend(snapshot, slot, Minutes::ZERO)?;
        self.booked_in = Some(slot);
        Ok(())
    }
}

/// Each of these steps with the site where it begins, possible or not.
pub fn places<'a>(
    snapshot: &'a Snapshot,
    sample: SampleIx,
    steps: &'a [Step],
) -> impl Iterator<Item = (Step, SiteIx)> + 'a {
    let mut site = snapshot.backlog.samples[sample].site;
    steps.iter().map(move |&step| {
        let here = site;
        if let Step::Send(departure) = step {
            site = snapshot.network.couriers[snapshot.departures[departure].courier].to;
        }
        (step, here)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Fixture, sample_of};
    use State::{PrimaryAmbient as PA, SeparatedAmbient as SA, SeparatedRefrigerated as SR};

    fn slot(n: usize) -> SlotIx {
        SlotIx::from_row(n)
    }

    /// A state, and from when until when in hours from now.
    type Kept = (State, i32, Option<i32>);

    /// The first departure of a courier.
    fn first(snapshot: &Snapshot, courier: &str) -> Step {
        let of = |departure: &DepartureIx| {
            snapshot.network.couriers[snapshot.departures[*departure].courier].code == courier
        };
        Step::Send(snapshot.departures.indices().find(of).unwrap())
    }

    /// A serum of three hours ago at the hub goes through these steps: its own container's stays in
    /// hours from now, and the faults.
    fn check(steps: impl Fn(&Snapshot) -> Vec<Step>, expected: Result<&[Kept], Fault>) {
        let mut fixture = Fixture::new();
        fixture.sample("A1", "P1", "SST", &["K"]).collected_hours_ago(3);
        let snapshot = fixture.snapshot();
        let mut trace = Trace::default();
        let replayed = trace.replay(&snapshot, sample_of(&snapshot, "A1"), &steps(&snapshot));
        let hours = |at: Instant| at.since(snapshot.now).get() / 60;
        let stays = trace
            .main()
            .stays
            .iter()
            .map(|stay| (stay.state, hours(stay.from), (stay.until != Instant::FAR).then(|| hours(stay.until))));
        let stays: Vec<_> = stays.collect();
        assert_eq!(replayed.map(|()| stays.as_slice()).map_err(|broken| broken.fault), expected);
    }

    #[test]
    fn both_states_count_within_a_slot() {
        check(|_| vec![Step::Spin(slot(1))], Ok(&[(PA, -3, Some(2)), (SA, 1, None)]));
        let kept = [(PA, -3, Some(1)), (SA, 0, Some(1)), (SR, 1, None)];
        check(|_| vec![Step::Spin(slot(0)), Step::Refrigerate], Ok(&kept));
    }

    #[test]
    fn the_second_container_goes_on_from_the_first() {
        let mut fixture = Fixture::new();
        fixture.sample("A1", "P1", "SST", &["K"]);
        let snapshot = fixture.snapshot();
        let send = first(&snapshot, "HUB-HOSP");
        let steps = [
            Step::Spin(slot(0)),
            Step::BookIn(slot(0)),
            Step::Aliquot(slot(1)),
            Step::Refrigerate,
            send,
            Step::BookIn(slot(4)),
        ];
        let mut trace = Trace::default();
        trace.replay(&snapshot, sample_of(&snapshot, "A1"), &steps).unwrap();
        let (main, second) = (trace.main(), trace.second().unwrap());
        assert_eq!((main.state, main.booked_in, main.arrived), (SA, Some(slot(0)), None));
        assert_eq!((second.state, second.booked_in), (SR, Some(slot(4))));
        assert_eq!(second.site, fixture.site("HOSP"));
        assert_eq!(second.arrived.map(|at| at.since(snapshot.now).get()), Some(225)); // 11:00 and 45 min on the road
        assert_eq!(&second.stays[..1], &main.stays[..1]);
    }

    #[test]
    fn what_cannot_be_is_named() {
        check(|_| vec![Step::Thaw(slot(0))], Err(Fault::NotInProtocol { handling: Handling::Thaw, from: PA }));
        check(|_| vec![Step::BookIn(slot(1)), Step::Spin(slot(0))], Err(Fault::OutOfOrder));
        check(|_| vec![Step::BookIn(slot(1)), Step::BookIn(slot(1))], Err(Fault::BookedIn));
        check(|_| vec![Step::Aliquot(slot(0))], Err(Fault::NotDivisible(PA)));
        let twice = vec![Step::Spin(slot(0)), Step::Aliquot(slot(0)), Step::Aliquot(slot(0))];
        check(move |_| twice.clone(), Err(Fault::SplitTwice));
        let frozen =
            |snapshot: &Snapshot| vec![Step::Spin(slot(0)), Step::Freeze(slot(0)), first(snapshot, "HUB-HOSP")];
        check(frozen, Err(Fault::NotCarried(Condition::Frozen)));
    }
}
