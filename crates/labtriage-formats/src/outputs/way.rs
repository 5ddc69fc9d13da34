//! Where is a container, and how is it kept, at every step of its plan? One walk for every list.

use labtriage_core::catalogue::{Handling, State};
use labtriage_core::plan::{Plan, Run, Step};
use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::{DepartureIx, LineIx, SampleIx, SiteIx};
use labtriage_core::time::Instant;
use labtriage_core::trace::{Trace, Way, places};
use labtriage_core::viability::Clock;

/// One step of a container, with where it is done.
pub(super) struct Moment {
    /// The step.
    pub(super) step: Step,
    /// 0 for the tube itself, 1 for its aliquot.
    pub(super) container: usize,
    /// Where it is done.
    pub(super) site: SiteIx,
    /// The state before it.
    pub(super) state: State,
    /// When what comes before it is done.
    pub(super) from: Instant,
}

/// Tells each step of a sample, in order.
pub(super) fn moments(snapshot: &Snapshot, plan: &Plan, sample: SampleIx, mut tell: impl FnMut(&Moment)) {
    let specimen = snapshot.backlog.samples[sample].specimen;
    let protocol = &snapshot.catalogue.protocols[snapshot.catalogue.specimens[specimen].protocol];
    let (mut state, mut from, mut container) = (snapshot.backlog.state(sample), snapshot.now, 0);
    for (step, site) in places(snapshot, sample, plan.steps_of(sample)) {
        tell(&Moment { step, container, site, state, from });
        match step {
            Step::Spin(slot) | Step::Freeze(slot) | Step::Thaw(slot) | Step::BookIn(slot) | Step::Aliquot(slot) => {
                from = snapshot.grid.end(slot);
            }
            Step::Refrigerate => {}
            Step::Send(departure) => from = snapshot.departures[departure].arrives,
        }
        container |= usize::from(matches!(step, Step::Aliquot(_)));
        let change = handling(step).and_then(|handling| protocol.step(handling, state));
        state = change.map_or(state, |change| change.to);
    }
}

fn handling(step: Step) -> Option<Handling> {
    match step {
        Step::Spin(_) => Some(Handling::Spin),
        Step::Refrigerate => Some(Handling::Refrigerate),
        Step::Freeze(_) => Some(Handling::Freeze),
        Step::Thaw(_) => Some(Handling::Thaw),
        Step::Send(_) | Step::BookIn(_) | Step::Aliquot(_) => None,
    }
}

/// Walks samples one after the other, reusing its memory, and says how their containers end.
pub(super) struct Walk<'a> {
    snapshot: &'a Snapshot,
    steps: &'a [Step],
    trace: Trace,
    changed: bool,
}

impl<'a> Walk<'a> {
    pub(super) fn new(snapshot: &'a Snapshot) -> Self {
        Self { snapshot, steps: &[], trace: Trace::default(), changed: false }
    }

    /// Walks a sample's steps. The audit has passed the plan, so every step is possible.
    pub(super) fn walk(&mut self, plan: &'a Plan, sample: SampleIx) {
        self.steps = plan.steps_of(sample);
        self.changed = self.steps.iter().any(|step| handling(*step).is_some());
        let replayed = self.trace.replay(self.snapshot, sample, self.steps);
        debug_assert!(replayed.is_ok(), "the audit lets no impossible step pass");
    }

    /// The tube itself.
    pub(super) fn tube(&self) -> &Way {
        self.trace.main()
    }

    /// The container that a run is done from, with the courier it came by: the one that ends where
    /// the analyser stands, the tube itself first.
    pub(super) fn container_for(&self, run: Run) -> (&Way, Option<DepartureIx>) {
        let site = run.analyser.map(|analyser| self.snapshot.network.analysers[analyser].site);
        let split = self.steps.iter().position(|step| matches!(step, Step::Aliquot(_)));
        let of_tube = &self.steps[..split.unwrap_or(self.steps.len())];
        let last = |steps: &[Step]| {
            steps.iter().rev().find_map(|step| match *step {
                Step::Send(departure) => Some(departure),
                _ => None,
            })
        };
        match self.trace.second() {
            Some(second) if site == Some(second.site) && site != Some(self.tube().site) => (second, last(self.steps)),
            _ => (self.tube(), last(of_tube)),
        }
    }

    /// Until when a line may be run from a container.
    pub(super) fn clock(&self, line: LineIx, container: &Way) -> Clock {
        if self.changed { self.snapshot.clock_in(line, &container.stays) } else { self.snapshot.clocks[line] }
    }
}
