//! Was a pressing line left out for less pressing ones? The law of strict bands.

use super::capacity::{holds, usage_of_bands};
use super::case::{Known, name};
use super::{Found, Law};
use crate::catalogue::State;
use crate::plan::{Discard, Disposition, Plan, Step};
use crate::policy::UnknownRule;
use crate::snapshot::Snapshot;
use crate::table::{AnalyserIx, BandIx, CellIx, Ix, LineIx, SampleIx, SiteIx, SlotIx, Table};
use crate::time::Instant;

/// A line of a strict band is recalled only if it could not have been run where its sample stands,
/// as it is kept, beside what lines of its own and more pressing bands use.
///
/// This is less than the law demands of a planner: what a spin or a courier could have saved is
/// not judged here.
pub(super) fn strict_bands(snapshot: &Snapshot, plan: &Plan, known: &Known, found: &mut Found) {
    let mut left_out: Vec<Vec<LineIx>> = vec![Vec::new(); snapshot.policy.bands.len()];
    for (line, disposition) in plan.lines.enumerate() {
        if matches!(disposition, Disposition::Recall(_)) && snapshot.strict(line) {
            left_out[snapshot.bands[line].row()].push(line);
        }
    }
    for (row, lines) in left_out.into_iter().enumerate().filter(|(_, lines)| !lines.is_empty()) {
        let room = Room::beside(snapshot, plan, known, BandIx::from_row(row));
        for line in lines {
            let Some((analyser, slot)) = room.of(line) else { continue };
            let sample = snapshot.backlog.lines[line].sample;
            found.push(Law::StrictBands, Some(line), Some(sample), || {
                let band = &snapshot.policy.bands[snapshot.bands[line]].code;
                let place = analyser.map_or_else(
                    || "reported".to_owned(),
                    |analyser| format!("run on `{}`", snapshot.network.analysers[analyser].code),
                );
                let start = snapshot.grid.start(slot);
                format!(
                    "{} of strict band `{band}` is recalled, but could be {place} in the slot of {start} \
                     beside its own and more pressing bands",
                    name(snapshot, line)
                )
            });
        }
    }
}

/// What is left beside the lines of some bands.
struct Room<'a> {
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
    fn beside(snapshot: &'a Snapshot, plan: &'a Plan, known: &'a Known, band: BandIx) -> Self {
        let used = usage_of_bands(snapshot, plan, band);
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
    fn of(&self, line: LineIx) -> Option<(Option<AnalyserIx>, SlotIx)> {
        let snapshot = self.snapshot;
        let facts = snapshot.backlog.lines[line];
        let sample = &snapshot.backlog.samples[facts.sample];
        let decided = matches!(self.plan.samples[facts.sample].discard, Some(Discard::Override(_)))
            || snapshot.overrides.pins(line).next().is_some();
        let reports = self.reports[sample.site]?;
        if decided {
            return None;
        }
        if facts.result_held {
            let slot = snapshot.grid.slots().find(|&slot| self.reports_in(line, sample.site, slot))?;
            return Some((None, slot));
        }
        let closes = self.closes(line)?;
        let state = snapshot.backlog.state(facts.sample);
        let taken = snapshot.catalogue.tests[facts.test].run_in == state.phase() && state != State::SeparatedFrozen;
        if !taken || !snapshot.network.accepts(sample.site, snapshot.bands[line]) {
            return None;
        }
        let tube = self.tube(facts.sample)?;
        let from = tube.booked_in.or(self.books_in[sample.site])?;
        let analysers = snapshot.network.analysers.enumerate().filter(|(analyser, facts_of)| {
            facts_of.site == sample.site && self.known.menu(*analyser, facts.test).is_some()
        });
        let volume = tube.volume + u64::from(snapshot.catalogue.tests[facts.test].volume.get());
        for (analyser, facts_of) in analysers {
            let dead = tube.dead.max(u64::from(facts_of.dead_volume.get()));
            if volume + dead > u64::from(sample.volume.get()) {
                continue;
            }
            if let Some(slot) = self.slot(line, analyser, from..=reports, closes) {
                return Some((Some(analyser), slot));
            }
        }
        None
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
        within: std::ops::RangeInclusive<SlotIx>,
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
