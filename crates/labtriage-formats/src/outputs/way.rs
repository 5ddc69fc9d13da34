//! Where is a container, and how is it kept, at every step of its plan? One walk for every list.

use labtriage_core::catalogue::{Handling, State};
use labtriage_core::plan::{Disposition, Plan, Run, Step};
use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::{DepartureIx, LineIx, SampleIx, SiteIx};
use labtriage_core::time::Instant;
use labtriage_core::viability::{Clock, Stay};

/// A container at the end of its way.
#[derive(Default)]
pub(super) struct Container {
    /// Where it ends.
    pub(super) site: Option<SiteIx>,
    /// The last courier that brought it there.
    pub(super) came_by: Option<DepartureIx>,
    /// How it is kept, planned steps included; the last stay is open-ended.
    pub(super) stays: Vec<Stay>,
    moves: Vec<(Instant, DepartureIx)>,
    changed: bool,
}

impl Container {
    /// The state it is in at the end.
    pub(super) fn state(&self) -> State {
        self.stays.last().map_or(State::PrimaryAmbient, |stay| stay.state)
    }

    fn turn(&mut self, state: State, at: Instant) {
        if let Some(last) = self.stays.last_mut() {
            last.until = at;
        }
        self.stays.push(Stay { from: at, until: Instant::FAR, state });
        self.changed = true;
    }

    /// Takes this container back to how it stood at a moment.
    fn copy_at(&self, moment: Instant, start: SiteIx, snapshot: &Snapshot, into: &mut Self) {
        into.stays.clear();
        into.stays.extend(self.stays.iter().filter(|stay| stay.from < moment || stay.from <= snapshot.now));
        if let Some(last) = into.stays.last_mut() {
            last.until = Instant::FAR;
        }
        into.changed = self.changed;
        into.moves.clear();
        into.moves.extend(self.moves.iter().filter(|(leaves, _)| *leaves < moment));
        into.came_by = into.moves.last().map(|&(_, departure)| departure);
        let to = |departure| snapshot.network.couriers[snapshot.departures[departure].courier].to;
        into.site = Some(into.came_by.map_or(start, to));
    }
}

/// One step of a container, with where and when it is done.
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

/// Walks samples one after the other, reusing its memory.
pub(super) struct Walk<'a> {
    snapshot: &'a Snapshot,
    plan: &'a Plan,
    containers: [Container; 2],
    count: usize,
}

impl<'a> Walk<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, plan: &'a Plan) -> Self {
        Self { snapshot, plan, containers: Default::default(), count: 0 }
    }

    /// Walks a sample's steps, telling each; the containers then stand as they end.
    pub(super) fn walk(&mut self, sample: SampleIx, mut tell: impl FnMut(&Moment)) {
        let (snapshot, start) = (self.snapshot, self.snapshot.backlog.samples[sample].site);
        let [main, _] = &mut self.containers;
        snapshot.stays(sample, &mut main.stays);
        (main.site, main.came_by, main.changed) = (Some(start), None, false);
        main.moves.clear();
        self.count = 1;
        let specimen = snapshot.backlog.samples[sample].specimen;
        let protocol = &snapshot.catalogue.protocols[snapshot.catalogue.specimens[specimen].protocol];
        let mut done = snapshot.now;
        for &step in self.plan.steps_of(sample) {
            if let (Step::Aliquot(slot), 1) = (step, self.count) {
                let [main, second] = &mut self.containers;
                main.copy_at(snapshot.grid.end(slot), start, snapshot, second);
                self.count = 2;
            }
            let container = &mut self.containers[self.count - 1];
            let site = container.site.unwrap_or(start);
            tell(&Moment { step, container: self.count - 1, site, state: container.state(), from: done });
            let handling = match step {
                Step::Spin(_) => Some(Handling::Spin),
                Step::Refrigerate => Some(Handling::Refrigerate),
                Step::Freeze(_) => Some(Handling::Freeze),
                Step::Thaw(_) => Some(Handling::Thaw),
                Step::Send(_) | Step::BookIn(_) | Step::Aliquot(_) => None,
            };
            match step {
                Step::Spin(slot) | Step::Freeze(slot) | Step::Thaw(slot) | Step::BookIn(slot) | Step::Aliquot(slot) => {
                    done = snapshot.grid.end(slot);
                }
                Step::Refrigerate => {}
                Step::Send(departure) => {
                    let facts = &snapshot.departures[departure];
                    container.moves.push((facts.leaves, departure));
                    container.came_by = Some(departure);
                    container.site = Some(snapshot.network.couriers[facts.courier].to);
                    done = facts.arrives;
                }
            }
            let change = handling.and_then(|handling| protocol.step(handling, container.state()));
            if let Some(change) = change {
                container.turn(change.to, done);
            }
        }
    }

    /// The containers of the sample walked last: the tube, and its aliquot if it has one.
    pub(super) fn containers(&self) -> &[Container] {
        &self.containers[..self.count]
    }

    /// The container that a run is done from: the one that ends where the analyser stands, the tube first.
    pub(super) fn container_for(&self, run: Run) -> &Container {
        let site = run.analyser.map(|analyser| self.snapshot.network.analysers[analyser].site);
        let fits = |container: &&Container| site.is_some() && container.site == site;
        self.containers().iter().find(fits).unwrap_or(&self.containers[0])
    }

    /// Until when a line may be run from a container.
    pub(super) fn clock(&self, line: LineIx, container: &Container) -> Clock {
        if container.changed { self.snapshot.clock_in(line, &container.stays) } else { self.snapshot.clocks[line] }
    }

    /// What is decided about a line.
    pub(super) fn decision(&self, line: LineIx) -> Disposition {
        self.plan.lines[line]
    }
}
