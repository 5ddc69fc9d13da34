//! How could a sample be prepared? Every order of handling steps in every slot, replayed by the core.
//!
//! Booking in comes before, between or after handling and changes nothing about how a tube is kept, so
//! a way and its booking in are chosen apart.

use labtriage_core::catalogue::{Handling, Phase, State};
use labtriage_core::cost::step_cost;
use labtriage_core::plan::Step;
use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::{Ix, LineIx, SampleIx, SiteIx, SlotIx};
use labtriage_core::time::Instant;
use labtriage_core::trace::{Trace, Way};
use labtriage_core::units::Cost;

use super::build::Uses;

/// A sample is frozen in one of the first so many slots in which that is possible.
pub const FREEZE_SLOTS: usize = 4;

/// A way of preparing a sample, and what it means for each of its lines.
#[derive(Clone, Debug)]
pub(super) struct Preparation {
    pub(super) steps: Vec<Step>,
    pub(super) cost: Cost,
    pub(super) uses: Uses,
    pub(super) state: State,
    /// From when it can leave.
    pub(super) latest: Instant,
    /// The first slot in which it can be run.
    pub(super) first: usize,
    /// The slot of its last step that has one.
    last_slot: usize,
    /// Per line: the slot before which runs must end.
    pub(super) until: Vec<usize>,
    /// Per line: whether it keeps beyond the horizon.
    pub(super) keeps: Vec<bool>,
}

impl Preparation {
    /// Separated and liquid as it was spun: it may be split.
    pub(super) fn divisible(&self) -> bool {
        matches!(self.state, State::SeparatedAmbient | State::SeparatedRefrigerated)
    }

    pub(super) fn frozen(&self) -> bool {
        self.state == State::SeparatedFrozen
    }

    /// Whether it serves nobody.
    fn useless(&self) -> bool {
        !self.steps.is_empty()
            && !self.frozen()
            && self.until.iter().all(|&until| until <= self.first)
            && !self.keeps.contains(&true)
    }

    /// Whether another way that uses the same is never worse.
    fn beaten_by(&self, other: &Self) -> bool {
        self.uses == other.uses
            && self.state.condition() == other.state.condition()
            && self.frozen() == other.frozen()
            && other.cost <= self.cost
            && other.latest <= self.latest
            && other.first <= self.first
            && self.until.iter().zip(&other.until).all(|(own, theirs)| own <= theirs)
            && self.keeps.iter().zip(&other.keeps).all(|(own, theirs)| own <= theirs)
    }
}

/// The lines of a sample, replayed.
pub(super) struct Replay<'a> {
    snapshot: &'a Snapshot,
    sample: SampleIx,
    lines: &'a [LineIx],
    trace: Trace,
}

impl<'a> Replay<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, sample: SampleIx, lines: &'a [LineIx]) -> Self {
        Self { snapshot, sample, lines, trace: Trace::default() }
    }

    /// Every way of preparing the sample where it stands; the first has no steps.
    pub(super) fn preparations(&mut self) -> Vec<Preparation> {
        let mut found = Vec::new();
        let site = self.snapshot.backlog.samples[self.sample].site;
        self.extend(&mut Vec::new(), site, &[Handling::Refrigerate, Handling::Spin, Handling::Freeze], &mut found);
        found.retain(|way| !way.useless());
        drop_beaten(&mut found);
        drop_needless_freezing(self, &mut found);
        found
    }

    /// Centrifuged, and refrigerated or not, after these steps, the last of which is a courier.
    pub(super) fn spun_there(&mut self, steps: &[Step], site: SiteIx) -> Vec<Preparation> {
        let mut found = Vec::new();
        self.extend(&mut steps.to_vec(), site, &[Handling::Spin, Handling::Refrigerate], &mut found);
        found.retain(|way| way.state.phase() == Phase::Separated && !way.useless());
        found
    }

    /// These steps and all that can follow them.
    fn extend(&mut self, steps: &mut Vec<Step>, site: SiteIx, allowed: &[Handling], found: &mut Vec<Preparation>) {
        let Some(preparation) = self.judge(steps, site) else { return };
        let spoilt = !self.lines.is_empty() && self.spoilt();
        if spoilt && !steps.is_empty() {
            return;
        }
        let from = preparation.last_slot;
        found.push(preparation);
        for &handling in allowed {
            match handling {
                Handling::Refrigerate => self.extend_by(Step::Refrigerate, steps, site, allowed, found),
                Handling::Spin => self.in_each(Step::Spin, usize::MAX, from, steps, site, allowed, found),
                Handling::Freeze => self.in_each(Step::Freeze, FREEZE_SLOTS, from, steps, site, allowed, found),
                Handling::Thaw => {}
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one step of a recursion that carries its whole state")]
    fn in_each(
        &mut self,
        step: fn(SlotIx) -> Step,
        most: usize,
        from: usize,
        steps: &mut Vec<Step>,
        site: SiteIx,
        allowed: &[Handling],
        found: &mut Vec<Preparation>,
    ) {
        let mut taken = 0;
        for slot in from..self.snapshot.grid.len() {
            let before = found.len();
            self.extend_by(step(SlotIx::from_row(slot)), steps, site, allowed, found);
            taken += usize::from(found.len() > before);
            if taken >= most {
                break;
            }
        }
    }

    fn extend_by(
        &mut self,
        step: Step,
        steps: &mut Vec<Step>,
        site: SiteIx,
        allowed: &[Handling],
        found: &mut Vec<Preparation>,
    ) {
        steps.push(step);
        self.extend(steps, site, allowed, found);
        steps.pop();
    }

    /// Whether every line is lost, whatever comes next.
    fn spoilt(&self) -> bool {
        let way = self.trace.main();
        let kept = |&line: &LineIx| {
            self.snapshot.overrides.caution(line).is_some()
                || self.snapshot.backlog.lines[line].result_held
                || self.snapshot.clock_in(line, &way.stays).closes().is_some()
        };
        !self.lines.iter().any(kept)
    }

    /// What these steps mean for each line; none when they are impossible or use what is not there.
    fn judge(&mut self, steps: &[Step], site: SiteIx) -> Option<Preparation> {
        let snapshot = self.snapshot;
        self.trace.replay(snapshot, self.sample, steps).ok()?;
        let uses = uses(snapshot, steps, site);
        if uses.iter().any(|&(cell, amount)| snapshot.capacity.limit(cell) < amount) {
            return None;
        }
        let way = self.trace.main();
        let end = snapshot.grid.horizon_end();
        Some(Preparation {
            cost: steps.iter().map(|&step| step_cost(snapshot, step)).sum(),
            uses,
            state: way.state,
            latest: way.latest,
            first: first_run(snapshot, way),
            last_slot: way.last_slot.map_or(0, Ix::row),
            until: self.lines.iter().map(|&line| runs_until(snapshot, line, way)).collect(),
            keeps: self.lines.iter().map(|&line| keeps(snapshot, line, way, end)).collect(),
            steps: steps.to_vec(),
        })
    }

    /// A frozen way thawed in a later slot; none when it cannot be.
    pub(super) fn thawed(&mut self, frozen: &Preparation, slot: usize) -> Option<Preparation> {
        if !frozen.steps.is_empty() && slot <= frozen.last_slot {
            return None;
        }
        let site = self.snapshot.backlog.samples[self.sample].site;
        let steps = [&frozen.steps[..], &[Step::Thaw(SlotIx::from_row(slot))]].concat();
        self.judge(&steps, site)
    }
}

fn drop_beaten(found: &mut Vec<Preparation>) {
    let beaten: Vec<bool> = (0..found.len())
        .map(|own| {
            // Of two equal ways the first stays.
            let better = |other: usize| {
                other != own
                    && found[own].beaten_by(&found[other])
                    && (other < own || !found[other].beaten_by(&found[own]))
            };
            (0..found.len()).any(better)
        })
        .collect();
    let mut beaten = beaten.into_iter();
    found.retain(|_| !beaten.next().unwrap_or(false));
}

/// Freezing only helps a line that it lets run later than the same way without it.
fn drop_needless_freezing(replay: &mut Replay<'_>, found: &mut Vec<Preparation>) {
    let slots = replay.snapshot.grid.len();
    let spun = |way: &Preparation| way.steps.iter().find(|step| matches!(step, Step::Spin(_))).copied();
    let short = |frozen: &Preparation, line: usize| {
        let alike = found.iter().filter(|way| !way.frozen() && spun(way) == spun(frozen));
        alike.map(|way| way.until[line]).max().unwrap_or(0) < slots
    };
    let helped: Vec<bool> = found
        .iter()
        .map(|way| !way.frozen() || way.steps.is_empty() || (0..way.until.len()).any(|line| short(way, line)))
        .collect();
    let mut helped = helped.into_iter();
    found.retain(|_| helped.next().unwrap_or(true));
    let thaws = |replay: &mut Replay<'_>, way: &Preparation| {
        (0..slots).any(|slot| replay.thawed(way, slot).is_some_and(|thawed| !thawed.useless()))
    };
    found.retain(|way| !way.frozen() || way.steps.is_empty() || way.keeps.contains(&true) || thaws(replay, way));
}

/// What handling at a site uses.
fn uses(snapshot: &Snapshot, steps: &[Step], site: SiteIx) -> Uses {
    let capacity = &snapshot.capacity;
    let mut uses = Uses::new();
    for step in steps {
        match *step {
            Step::Spin(slot) => uses.push((capacity.centrifuge(site, slot), 1)),
            Step::Freeze(slot) => uses.extend([(capacity.aliquoting(site, slot), 1), (capacity.freezer(site), 1)]),
            _ => {}
        }
    }
    uses
}

fn first_run(snapshot: &Snapshot, way: &Way) -> usize {
    let from = way.last_slot.map_or(0, Ix::row);
    let slots = snapshot.grid.len();
    (from..slots).find(|&slot| way.earliest < snapshot.grid.end(SlotIx::from_row(slot))).unwrap_or(slots)
}

/// The slot before which a run of a line must end, on material kept like this.
fn runs_until(snapshot: &Snapshot, line: LineIx, way: &Way) -> usize {
    let facts = &snapshot.backlog.lines[line];
    let forced = snapshot.overrides.caution(line).is_some();
    let takes = match snapshot.catalogue.tests[facts.test].run_in {
        Phase::Separated => way.state.phase() == Phase::Separated && way.state != State::SeparatedFrozen,
        Phase::Primary => {
            let before = snapshot.backlog.state(facts.sample).phase() == Phase::Separated;
            way.state.phase() == Phase::Primary || (forced && before)
        }
    };
    if !takes || !snapshot.viable(line, &way.stays, snapshot.now) {
        return 0;
    }
    if forced {
        return snapshot.grid.len();
    }
    snapshot.clock_in(line, &way.stays).closes().map_or(0, |closes| snapshot.grid.ended_by(closes))
}

fn keeps(snapshot: &Snapshot, line: LineIx, way: &Way, end: Instant) -> bool {
    snapshot.backlog.lines[line].result_held || snapshot.viable(line, &way.stays, end)
}
