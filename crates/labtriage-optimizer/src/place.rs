//! Where is a line run? The choice of a tube's way, of an aliquot, and of the run itself.

use labtriage_core::catalogue::{Handling, Phase, State};
use labtriage_core::plan::{Run, Step};
use labtriage_core::table::{AnalyserIx, Ix, LineIx, SampleIx, SiteIx, SlotIx};
use labtriage_core::time::Instant;
use labtriage_core::units::Microlitres;
use labtriage_core::viability::Stay;

use crate::greedy::Planner;
use crate::remaining::{ANY_VOLUME, RunRequest};
use crate::way::Way;
use crate::within::Within;

/// Where on a tube a run takes its material.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Container {
    Main,
    Second,
}

/// A way with the run it leads to.
pub(crate) struct Choice {
    way: Way,
    pub(crate) run: Run,
}

impl Choice {
    /// Sooner out is better, then sooner run, then fewer steps.
    fn rank(&self) -> (SlotIx, SlotIx, usize) {
        (self.run.reported, self.run.slot, self.way.steps().len())
    }
}

impl Planner<'_> {
    /// Until when a line may be run on a tube kept like this; `None` when it may not be run at all.
    fn closes(&self, line: LineIx, stays: &[Stay]) -> Option<Instant> {
        let test = &self.snapshot.catalogue.tests[self.snapshot.backlog.lines[line].test];
        let state = stays.last().map(|stay| stay.state)?;
        let takes = match test.run_in {
            Phase::Primary => state.phase() == Phase::Primary,
            Phase::Separated => state.phase() == Phase::Separated,
        };
        if !takes || !self.snapshot.viable(line, stays, self.snapshot.now) {
            return None;
        }
        if self.snapshot.overrides.caution(line).is_some() {
            return Some(Instant::FAR);
        }
        self.snapshot.clock_in(line, stays).closes()
    }

    /// Runs a line where the tube already goes.
    pub(crate) fn follow(&mut self, line: LineIx, sample: SampleIx, within: Within) -> Option<Run> {
        let tube = self.tubes[sample];
        let steps = self.steps_of(sample);
        let split = steps.iter().position(|step| matches!(step, Step::Aliquot(_)));
        let main = Way::replay(self.snapshot, sample, &steps[..split.unwrap_or(steps.len())]);
        let second = split.map(|_| Way::replay(self.snapshot, sample, steps));
        let containers = [(Container::Main, tube.placed, Some(main)), (Container::Second, tube.second, second)];
        let mut best: Option<(Run, RunRequest, Container)> = None;
        for (container, place, way) in containers {
            let (Some((site, from)), Some(way)) = (place, way) else { continue };
            let Some(request) = self.request(line, container, site, from, &way.stays, within) else { continue };
            let Some(run) = self.remaining.find_run(&request) else { continue };
            let sooner = best.as_ref().is_none_or(|(other, ..)| run.reported < other.reported);
            if sooner {
                best = Some((run, request, container));
            }
        }
        let (run, request, container) = best?;
        self.remaining.take_run(&request, run);
        self.use_volume(line, sample, run, container);
        Some(run)
    }

    /// What a run at a site must keep to, if the site takes the line at all.
    fn request(
        &self,
        line: LineIx,
        container: Container,
        site: SiteIx,
        from: SlotIx,
        stays: &[Stay],
        within: Within,
    ) -> Option<RunRequest> {
        let accepted = within.site.is_none_or(|only| only == site)
            && self.snapshot.network.accepts(site, self.snapshot.bands[line])
            && self.remaining.runs(site, self.snapshot.backlog.lines[line].test);
        if !accepted {
            return None;
        }
        let closes = self.closes(line, stays)?.min(within.by.unwrap_or(Instant::FAR));
        Some(RunRequest {
            line,
            site,
            from: from.max(within.from),
            closes,
            analyser: within.analyser,
            dead_volume_max: self.dead_volume_max(line, container)?,
            capped: true,
        })
    }

    /// Takes an aliquot of a placed tube to a second site.
    pub(crate) fn split(&mut self, line: LineIx, sample: SampleIx, within: Within) -> Option<Run> {
        let tube = self.tubes[sample];
        let specimen = self.snapshot.backlog.samples[sample].specimen;
        if tube.second.is_some() || !self.snapshot.catalogue.specimens[specimen].aliquots {
            return None;
        }
        let main = Way::replay(self.snapshot, sample, self.steps_of(sample));
        if !main.separated() || matches!(main.state(), State::SeparatedThawed | State::SeparatedFrozen) {
            return None;
        }
        self.closes(line, &main.stays)?;
        let mut aliquot = main.clone();
        aliquot.aliquot(self.snapshot, &mut self.remaining)?;
        let mut best: Option<Choice> = None;
        for to in self.routes.destinations(main.site).to_vec() {
            self.better(&mut best, line, to, within, |planner| planner.onward(aliquot.clone(), to));
        }
        let choice = best?;
        self.commit(line, sample, &choice, Container::Second);
        Some(choice.run)
    }

    fn onward(&mut self, mut way: Way, to: SiteIx) -> Option<Way> {
        if way.site != to {
            let itineraries = self.routes.between(way.site, to);
            way.send(self.snapshot, &self.remaining, itineraries)?;
        }
        way.book_in(self.snapshot, &mut self.remaining)?;
        Some(way)
    }

    /// Keeps the better of what is known and what this way to a site leads to.
    fn better(
        &mut self,
        best: &mut Option<Choice>,
        line: LineIx,
        to: SiteIx,
        within: Within,
        way: impl FnOnce(&mut Self) -> Option<Way>,
    ) {
        let test = self.snapshot.backlog.lines[line].test;
        let wanted = within.site.is_none_or(|only| only == to)
            && self.remaining.runs(to, test)
            && self.snapshot.network.accepts(to, self.snapshot.bands[line]);
        let Some(way) = wanted.then(|| way(self)).flatten() else { return };
        // A result cannot be out before the tube is booked in.
        if best.as_ref().is_some_and(|best| way.slot > best.run.reported) {
            return;
        }
        let Some(choice) = self.arrived(line, way, within) else { return };
        if best.as_ref().is_none_or(|best| choice.rank() < best.rank()) {
            *best = Some(choice);
        }
    }

    /// The run that a way leads to; frozen material is thawed in the slot of its run.
    fn arrived(&mut self, line: LineIx, way: Way, within: Within) -> Option<Choice> {
        // A tube that has its way already can only be followed by an aliquot.
        let placed = self.tubes[way.sample].placed.is_some();
        let container = if placed { Container::Second } else { Container::Main };
        let mut request = self.request(line, container, way.site, way.slot, &way.stays, within)?;
        if way.state() != State::SeparatedFrozen {
            let run = self.remaining.find_run(&request)?;
            return Some(Choice { way, run });
        }
        loop {
            let run = self.remaining.find_run(&request)?;
            let mut thawed = way.clone();
            let fits = thawed.thaw_in(self.snapshot, run.slot).is_some()
                && self.closes(line, &thawed.stays).is_some_and(|closes| self.snapshot.grid.end(run.slot) <= closes);
            if fits {
                return Some(Choice { way: thawed, run });
            }
            request.from = SlotIx::from_row(run.slot.row() + 1);
        }
    }

    /// The way of a tube that has none yet on which the line's result is out first.
    pub(crate) fn best_way(&mut self, line: LineIx, sample: SampleIx, within: Within) -> Option<Choice> {
        let start = Way::start(self.snapshot, sample);
        let spins = self.snapshot.catalogue.tests[self.snapshot.backlog.lines[line].test].run_in == Phase::Separated
            && !start.separated();
        if spins && self.needed_as_collected(sample) {
            return None;
        }
        let mut best = None;
        for refrigerated in self.storages(&start, spins) {
            for to in std::iter::once(start.site).chain(self.routes.destinations(start.site).to_vec()) {
                self.better(&mut best, line, to, within, |planner| planner.prepared(&start, to, spins, refrigerated));
            }
            if best.is_some() {
                break;
            }
        }
        best
    }

    /// The way to a site: spun before it leaves where there is a centrifuge, else on arrival.
    pub(crate) fn prepared(&mut self, start: &Way, to: SiteIx, spins: bool, refrigerated: bool) -> Option<Way> {
        let mut way = start.clone();
        let spun_here = spins && way.spin(self.snapshot, &mut self.remaining).is_some();
        if refrigerated && (spun_here || !spins) {
            way.refrigerate(self.snapshot)?;
        }
        if way.site != to {
            way.send(self.snapshot, &self.remaining, self.routes.between(start.site, to))?;
        }
        if spins && !spun_here {
            if way.site == start.site {
                return None;
            }
            way.spin(self.snapshot, &mut self.remaining)?;
            if refrigerated {
                way.refrigerate(self.snapshot)?;
            }
        }
        way.book_in(self.snapshot, &mut self.remaining)?;
        Some(way)
    }

    /// The last resort: aliquoted and frozen here, thawed for its run.
    pub(crate) fn frozen_way(&mut self, line: LineIx, sample: SampleIx, within: Within) -> Option<Choice> {
        let mut way = Way::start(self.snapshot, sample);
        if way.state() == State::SeparatedFrozen
            || !self.remaining.runs(way.site, self.snapshot.backlog.lines[line].test)
        {
            return None;
        }
        if !way.separated() {
            if self.needed_as_collected(sample) {
                return None;
            }
            way.spin(self.snapshot, &mut self.remaining)?;
        }
        way.freeze(self.snapshot, &mut self.remaining)?;
        way.book_in(self.snapshot, &mut self.remaining)?;
        self.arrived(line, way, within)
    }

    /// Whether a line that is not decided yet needs the tube as it was collected.
    fn needed_as_collected(&self, sample: SampleIx) -> bool {
        self.snapshot.backlog.samples[sample].lines().any(|line| {
            let test = self.snapshot.backlog.lines[line].test;
            let primary = self.snapshot.catalogue.tests[test].run_in == Phase::Primary;
            primary && !self.decided[line.row()] && self.may_ever_run(line)
        })
    }

    /// Whether to refrigerate the tube now: what keeps its lines longer, weighed, comes first.
    fn storages(&self, start: &Way, spins: bool) -> impl Iterator<Item = bool> + use<> {
        let state = if spins { State::SeparatedAmbient } else { start.state() };
        let specimen = self.snapshot.backlog.samples[start.sample].specimen;
        let protocol = &self.snapshot.catalogue.protocols[self.snapshot.catalogue.specimens[specimen].protocol];
        let cold = protocol.step(Handling::Refrigerate, state).map(|step| step.to);
        let now = self.snapshot.now;
        let kept = |state: State, line: LineIx| {
            let mut stays = start.stays.clone();
            if let Some(last) = stays.last_mut().filter(|last| last.state != state) {
                last.until = now;
                stays.push(Stay { from: now, until: Instant::FAR, state });
            }
            let closes = self.snapshot.clock_in(line, &stays).closes().unwrap_or(now);
            let useful = closes.min(self.snapshot.grid.horizon_end()).since(now).get();
            i64::from(useful) * i64::from(self.snapshot.weights[line].thousandths())
        };
        let gain = cold.map(|cold| {
            let lines = self.snapshot.backlog.samples[start.sample].lines();
            lines.map(|line| kept(cold, line) - kept(state, line)).sum::<i64>()
        });
        match gain {
            None => [Some(false), None],
            Some(gain) if gain > 0 => [Some(true), Some(false)],
            Some(_) => [Some(false), Some(true)],
        }
        .into_iter()
        .flatten()
    }

    /// The most that an analyser may lose if the line is run from a container; `None` when there is
    /// not even enough for the test.
    pub(crate) fn dead_volume_max(&self, line: LineIx, container: Container) -> Option<Microlitres> {
        let facts = &self.snapshot.backlog.lines[line];
        let tube = &self.tubes[facts.sample];
        let other = tube.dead[1 - container as usize];
        let needs = tube.used.plus(self.snapshot.catalogue.tests[facts.test].volume).plus(other);
        let left = self.snapshot.backlog.samples[facts.sample].volume.checked_minus(needs)?;
        (left >= tube.dead[container as usize]).then_some(left)
    }

    /// Counts what a run takes from a container.
    pub(crate) fn use_volume(&mut self, line: LineIx, sample: SampleIx, run: Run, container: Container) {
        let loses = |analyser: AnalyserIx| self.snapshot.network.analysers[analyser].dead_volume;
        let test = self.snapshot.backlog.lines[line].test;
        let tube = &mut self.tubes[sample];
        let dead = &mut tube.dead[container as usize];
        *dead = (*dead).max(run.analyser.map_or(Microlitres::default(), loses));
        tube.used = tube.used.plus(self.snapshot.catalogue.tests[test].volume);
    }

    /// Takes what a choice uses and remembers the tube's way.
    pub(crate) fn commit(&mut self, line: LineIx, sample: SampleIx, choice: &Choice, container: Container) {
        let before = usize::from(self.tubes[sample].steps);
        choice.way.take(self.snapshot, &mut self.remaining, before);
        let request = RunRequest {
            line,
            site: choice.way.site,
            from: choice.way.slot,
            closes: Instant::FAR,
            analyser: None,
            dead_volume_max: ANY_VOLUME,
            capped: true,
        };
        self.remaining.take_run(&request, choice.run);
        self.use_volume(line, sample, choice.run, container);
        let tube = &mut self.tubes[sample];
        tube.first_step = u32::try_from(self.steps.len()).unwrap_or(u32::MAX);
        tube.steps = u8::try_from(choice.way.steps().len()).unwrap_or(u8::MAX);
        self.steps.extend_from_slice(choice.way.steps());
        let place = Some((choice.way.site, choice.way.slot));
        match container {
            Container::Main => tube.placed = place,
            Container::Second => tube.second = place,
        }
    }

    /// The stays of a tube on the way it has so far.
    pub(crate) fn stays(&self, sample: SampleIx) -> Vec<Stay> {
        Way::replay(self.snapshot, sample, self.main_steps(sample)).stays
    }
}
