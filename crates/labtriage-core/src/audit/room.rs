//! Could a line have been run beside some others? What is left, and what a tube has left to give.
//!
//! Only what could be run where the sample stands, as it is kept, is judged: what a spin or a
//! courier could have saved is the planner's duty.

use std::ops::RangeInclusive;

use super::capacity::{holds, usage_of};
use super::case::Known;
use crate::catalogue::State;
use crate::plan::{Discard, Disposition, Plan, Step};
use crate::policy::UnknownRule;
use crate::published::PublishedSlots;
use crate::snapshot::Snapshot;
use crate::table::{AnalyserIx, CellIx, Ix, LineIx, SampleIx, SiteIx, SlotIx, Table};
use crate::time::Instant;

/// What is left beside some lines.
pub(super) struct Room<'a> {
    snapshot: &'a Snapshot,
    plan: &'a Plan,
    known: &'a Known,
    used: Table<CellIx, u64>,
    /// Per site: the first slot in which another sample can be booked in.
    books_in: Table<SiteIx, Option<SlotIx>>,
    /// Per site: the last slot in which another result can leave.
    reports: Table<SiteIx, Option<SlotIx>>,
}

/// What a sample's own lines and steps leave for one more line.
struct Tube {
    booked_in: Option<SlotIx>,
    volume: u64,
    dead: u64,
}

impl<'a> Room<'a> {
    /// What is left beside these lines of a plan.
    pub(super) fn beside(
        snapshot: &'a Snapshot,
        plan: &'a Plan,
        known: &'a Known,
        lines: impl Fn(LineIx) -> bool,
    ) -> Self {
        let used = usage_of(snapshot, plan, lines);
        let (capacity, grid) = (&snapshot.capacity, &snapshot.grid);
        let free = |cell| holds(snapshot, &used, cell, 1);
        let sites = || snapshot.network.sites.indices();
        let books_in = |site| {
            grid.slots().find(|&slot| {
                free(capacity.reception(site, slot)) && capacity.quota(site, grid.day(slot)).is_none_or(free)
            })
        };
        let reports = |site| grid.slots().rev().find(|&slot| free(capacity.reporting(site, slot)));
        let (books_in, reports) = (sites().map(books_in).collect(), sites().map(reports).collect());
        Self { snapshot, plan, known, used, books_in, reports }
    }

    /// On what and when a line that is left out could have been run; on nothing when its result is there.
    pub(super) fn of(&self, line: LineIx) -> Option<(Option<AnalyserIx>, SlotIx)> {
        let snapshot = self.snapshot;
        let facts = snapshot.backlog.lines[line];
        let site = snapshot.backlog.samples[facts.sample].site;
        let decided = matches!(self.plan.samples[facts.sample].discard, Some(Discard::Override(_)))
            || snapshot.overrides.pins(line).next().is_some();
        if decided {
            return None;
        }
        if facts.result_held {
            let slot = snapshot.grid.slots().find(|&slot| self.reports_in(line, site, slot))?;
            return Some((None, slot));
        }
        let (closes, tube) = self.ready(line)?;
        let within = tube.booked_in.or(self.books_in[site])?..=self.reports[site]?;
        let analysers = snapshot.network.analysers.enumerate().filter(|(_, facts)| facts.site == site);
        let mut runs = analysers.filter_map(|(analyser, _)| {
            let slot = self.on(line, analyser, &tube, within.clone(), closes)?;
            Some((Some(analyser), slot))
        });
        runs.next()
    }

    /// When a line could have been run as it was published.
    pub(super) fn as_published(&self, line: LineIx, published: PublishedSlots) -> Option<SlotIx> {
        let site = self.snapshot.backlog.samples[self.snapshot.backlog.lines[line].sample].site;
        if self.snapshot.network.analysers[published.analyser].site != site {
            return None;
        }
        let (closes, tube) = self.ready(line)?;
        let from = tube.booked_in.or(self.books_in[site])?.max(published.first);
        let until = self.reports[site]?.min(published.last);
        self.on(line, published.analyser, &tube, from..=until, closes)
    }

    /// When the window of a line closes, and its tube, if it can be run there without handling.
    fn ready(&self, line: LineIx) -> Option<(Instant, Tube)> {
        let snapshot = self.snapshot;
        let facts = snapshot.backlog.lines[line];
        let closes = self.closes(line)?;
        let state = snapshot.backlog.state(facts.sample);
        let taken = snapshot.catalogue.tests[facts.test].run_in == state.phase() && state != State::SeparatedFrozen;
        let accepts = snapshot.network.accepts(snapshot.backlog.samples[facts.sample].site, snapshot.bands[line]);
        let tube = self.tube(facts.sample).filter(|_| taken && accepts)?;
        Some((closes, tube))
    }

    /// The first of these slots in which an analyser can run a line from its tube.
    fn on(
        &self,
        line: LineIx,
        analyser: AnalyserIx,
        tube: &Tube,
        within: RangeInclusive<SlotIx>,
        closes: Instant,
    ) -> Option<SlotIx> {
        let snapshot = self.snapshot;
        let facts = snapshot.backlog.lines[line];
        self.known.menu(analyser, facts.test)?;
        let dead = tube.dead.max(u64::from(snapshot.network.analysers[analyser].dead_volume.get()));
        let volume = tube.volume + u64::from(snapshot.catalogue.tests[facts.test].volume.get());
        let suffices = volume + dead <= u64::from(snapshot.backlog.samples[facts.sample].volume.get());
        if suffices { self.slot(line, analyser, within, closes) } else { None }
    }

    /// Whether a result that is there can leave in a slot.
    fn reports_in(&self, line: LineIx, site: SiteIx, slot: SlotIx) -> bool {
        let (capacity, used) = (&self.snapshot.capacity, &self.used);
        let requester = self.snapshot.backlog.requests[self.snapshot.backlog.request_of(line)].requester;
        let cells =
            [Some(capacity.reporting(site, slot)), capacity.requester_cap(requester, self.snapshot.grid.day(slot))];
        cells.into_iter().flatten().all(|cell| holds(self.snapshot, used, cell, 1))
    }

    /// When the window of a line closes, if it is open now.
    fn closes(&self, line: LineIx) -> Option<Instant> {
        let sample = &self.snapshot.backlog.samples[self.snapshot.backlog.lines[line].sample];
        let excluded = sample.collected_unknown && self.snapshot.policy.unknown_time == UnknownRule::Exclude;
        self.snapshot.clocks[line].closes().filter(|_| !excluded)
    }

    /// What a sample's lines use of it; none when it is handled, sent or run elsewhere.
    fn tube(&self, sample: SampleIx) -> Option<Tube> {
        let snapshot = self.snapshot;
        let facts = &snapshot.backlog.samples[sample];
        let mut tube = Tube { booked_in: None, volume: 0, dead: 0 };
        for step in self.plan.steps_of(sample) {
            match step {
                Step::BookIn(slot) => tube.booked_in = Some(*slot),
                _ => return None,
            }
        }
        for line in facts.lines() {
            let Disposition::Run(run) = self.plan.lines[line] else { continue };
            let Some(analyser) = run.analyser else { continue };
            let analyser = &snapshot.network.analysers[analyser];
            if analyser.site != facts.site {
                return None;
            }
            tube.volume += u64::from(snapshot.catalogue.tests[snapshot.backlog.lines[line].test].volume.get());
            tube.dead = tube.dead.max(u64::from(analyser.dead_volume.get()));
        }
        Some(tube)
    }

    /// The first slot in which an analyser has room for a line before its window closes.
    fn slot(
        &self,
        line: LineIx,
        analyser: AnalyserIx,
        within: RangeInclusive<SlotIx>,
        closes: Instant,
    ) -> Option<SlotIx> {
        let snapshot = self.snapshot;
        let (capacity, grid) = (&snapshot.capacity, &snapshot.grid);
        let test = snapshot.backlog.lines[line].test;
        let work = u64::from(snapshot.catalogue.tests[test].analyser_time.millis());
        let requester = snapshot.backlog.requests[snapshot.backlog.request_of(line)].requester;
        let free = |cell| holds(snapshot, &self.used, cell, 1);
        if !capacity.stock(analyser, test).all(free) {
            return None;
        }
        (within.start().row()..=within.end().row())
            .map(SlotIx::from_row)
            .take_while(|&slot| grid.end(slot) <= closes)
            .find(|&slot| {
                self.known.runs(snapshot, analyser, test, slot)
                    && holds(snapshot, &self.used, capacity.analyser_time(analyser, slot), work)
                    && capacity.requester_cap(requester, grid.day(slot)).is_none_or(free)
            })
    }
}
