//! What can happen to a line? Run and reported, re-tested, waiting, held or recalled: exactly one.

use std::collections::BTreeMap;

use labtriage_core::cost::{moved_cost, result_cost, unserved_cost};
use labtriage_core::plan::{Disposition, Hold, Run};
use labtriage_core::table::{AnalyserIx, CalendarIx, Ix, LineIx, SiteIx, SlotIx, TestIx};
use labtriage_core::units::Cost;

use super::build::{Builder, BySlot, Uses};
use super::patient::Patient;
use super::sample::Tube;
use super::{Sense, Var};

/// Until when a line can be run on what was thawed in a slot.
pub(super) struct AfterThaw {
    /// The line, by its place in its tube.
    pub(super) row: usize,
    pub(super) slot: usize,
    pub(super) thaw: Var,
    /// The ways of freezing it by the slot before which runs end then.
    pub(super) limits: BTreeMap<usize, Vec<Var>>,
    /// The ways after which it does not keep beyond the horizon.
    pub(super) waits: Vec<Var>,
}

/// A line in the making.
pub(super) struct OpenLine {
    /// Its place in its tube.
    pub(super) row: usize,
    pub(super) line: LineIx,
    pub(super) test: TestIx,
    pub(super) analysers: Vec<(AnalyserIx, Option<CalendarIx>)>,
    /// Runs from the tube, each with its analyser and slot.
    pub(super) runs: Vec<(AnalyserIx, usize, Var)>,
    /// Runs and re-tests by site and slot: what is to be reported.
    tested: BTreeMap<SiteIx, Vec<Vec<Var>>>,
    /// Everything that decides it.
    outcomes: Vec<Var>,
    /// What recalls its patient.
    recalls: Vec<Var>,
}

impl OpenLine {
    /// A test at a site in a slot, whose result must be reported.
    fn tested(&mut self, site: SiteIx, slot: usize, slots: usize, test: Var) {
        self.tested.entry(site).or_insert_with(|| vec![Vec::new(); slots])[slot].push(test);
        self.outcomes.push(test);
    }

    /// A re-test, for which the patient is recalled.
    pub(super) fn retested(&mut self, site: SiteIx, slot: usize, slots: usize, test: Var) {
        self.tested(site, slot, slots, test);
        self.recalls.push(test);
    }
}

impl Builder<'_> {
    /// Adds the lines of a tube.
    pub(super) fn lines(&mut self, tube: &Tube, patient: &mut Patient) {
        let mut lines = Vec::with_capacity(tube.lines.len());
        let recollection = patient.recollect(self, tube);
        for (row, &(line, test)) in tube.lines.iter().enumerate() {
            let mut open = OpenLine {
                row,
                line,
                test,
                analysers: self.analysers(line, test),
                runs: Vec::new(),
                tested: BTreeMap::new(),
                outcomes: Vec::new(),
                recalls: Vec::new(),
            };
            if self.snapshot.backlog.lines[line].result_held {
                self.report_only(&mut open);
            } else {
                self.run(tube, &mut open);
            }
            patient.retest(self, tube, &mut open, &recollection);
            self.report(&open);
            self.leave_out(tube, &mut open, patient.recallable(self, tube));
            let terms = open.outcomes.iter().map(|&outcome| (outcome, 1)).collect();
            self.row("one_outcome", &[line.row()], terms, Sense::Exactly, 1);
            patient.recalled(self, line, &open.recalls);
            lines.push(open);
        }
        patient.needed(self, tube, &recollection, lines.iter().flat_map(|open| open.recalls.iter().copied()));
        self.volume(tube, &lines);
    }

    /// When each result would be out, as a cost.
    fn result_out(&self, line: LineIx, slot: usize) -> Cost {
        let (waiting, lateness) = result_cost(self.snapshot, line, self.snapshot.grid.end(SlotIx::from_row(slot)));
        waiting + lateness
    }

    /// What running a line from its tube uses.
    fn running(&self, line: LineIx, analyser: AnalyserIx, slot: usize) -> Uses {
        let snapshot = self.snapshot;
        let request = snapshot.backlog.request_of(line);
        let requester = snapshot.backlog.requests[request].requester;
        let day = snapshot.grid.day(SlotIx::from_row(slot));
        let mut uses = self.testing(snapshot.backlog.lines[line].test, analyser, slot);
        uses.extend(snapshot.capacity.requester_cap(requester, day).map(|cell| (cell, 1)));
        uses
    }

    /// What a test uses of its analyser.
    pub(super) fn testing(&self, test: TestIx, analyser: AnalyserIx, slot: usize) -> Uses {
        let capacity = &self.snapshot.capacity;
        let work = u64::from(self.snapshot.catalogue.tests[test].analyser_time.millis());
        let time = (capacity.analyser_time(analyser, SlotIx::from_row(slot)), work);
        [time].into_iter().chain(capacity.stock(analyser, test).map(|cell| (cell, 1))).collect()
    }

    /// Whether people allow a run there and then.
    fn allowed(&self, line: LineIx, analyser: AnalyserIx, slot: usize) -> bool {
        let site = self.snapshot.network.analysers[analyser].site;
        let ends = self.snapshot.grid.end(SlotIx::from_row(slot));
        let mut pins = self.snapshot.overrides.pins(line);
        pins.all(|(_, pin)| {
            pin.site.is_none_or(|only| only == site)
                && pin.analyser.is_none_or(|only| only == analyser)
                && pin.by.is_none_or(|by| ends <= by)
        })
    }

    /// Runs from the tube: while it is booked in, and kept so that the line survives.
    fn run(&mut self, tube: &Tube, open: &mut OpenLine) {
        if self.snapshot.overrides.force_discard(open.line).is_some() {
            return;
        }
        let kept = self.kept(tube, open);
        let mut by_slot: Vec<Vec<Var>> = vec![Vec::new(); self.slots];
        for (site, analysers) in self.by_site(open) {
            let booked = [tube.booked.get(&site), tube.rebooked.get(&site)];
            for slot in (0..self.slots).filter(|&slot| kept[slot].is_some()) {
                let there: Vec<Var> = booked.iter().flatten().filter_map(|booked| booked[slot]).collect();
                if there.is_empty() {
                    continue;
                }
                let runs = self.run_in(open, site, &analysers, slot);
                by_slot[slot].extend(&runs);
                self.only_if("run_booked", &[open.line.row(), site.row(), slot], runs, there);
            }
        }
        for (slot, runs) in by_slot.into_iter().enumerate() {
            self.only_if("run_kept", &[open.line.row(), slot], runs, kept[slot]);
        }
        self.run_thawed(tube, open);
    }

    fn by_site(&self, open: &OpenLine) -> BTreeMap<SiteIx, Vec<(AnalyserIx, Option<CalendarIx>)>> {
        let mut by_site: BTreeMap<SiteIx, Vec<_>> = BTreeMap::new();
        for &(analyser, days) in &open.analysers {
            by_site.entry(self.snapshot.network.analysers[analyser].site).or_default().push((analyser, days));
        }
        by_site
    }

    fn run_in(
        &mut self,
        open: &mut OpenLine,
        site: SiteIx,
        analysers: &[(AnalyserIx, Option<CalendarIx>)],
        slot: usize,
    ) -> Vec<Var> {
        let mut runs = Vec::new();
        for &(analyser, days) in analysers {
            if !self.works((analyser, days), slot) || !self.allowed(open.line, analyser, slot) {
                continue;
            }
            let index = SlotIx::from_row(slot);
            let run = Run { analyser: Some(analyser), slot: index, reported: index };
            let cost = moved_cost(self.snapshot, open.line, Disposition::Run(run));
            let uses = self.running(open.line, analyser, slot);
            if let Some(run) = self.decision("run", &[open.line.row(), analyser.row(), slot], cost, &uses) {
                open.tested(site, slot, self.slots, run);
                open.runs.push((analyser, slot, run));
                runs.push(run);
            }
        }
        runs
    }

    /// Per slot: the ways after which the line can be run in it.
    fn kept(&mut self, tube: &Tube, open: &OpenLine) -> BySlot {
        let ways = tube.ways.iter().chain(&tube.spun);
        let ways = ways.map(|chosen| (chosen.variable, chosen.way.first, chosen.way.until[open.row]));
        let thawed = tube.thawed.iter().map(|&(_, variable, first)| (variable, first, self.slots));
        let all: Vec<_> = ways.chain(thawed).collect();
        self.by_slot("kept_by", &[open.line.row()], &all)
    }

    /// Not after what was thawed has expired, nor as collected once it is spun elsewhere.
    fn run_thawed(&mut self, tube: &Tube, open: &OpenLine) {
        if !tube.after_thaw.is_empty() {
            let runs: Vec<_> = open.runs.iter().map(|&(_, slot, run)| (run, slot)).collect();
            let run_from = self.later_by_slot("run_from", &[open.line.row()], &runs);
            for after in tube.after_thaw.iter().filter(|after| after.row == open.row) {
                self.thawed_until(open, after, &run_from);
            }
        }
        let spoilt: Vec<Var> =
            tube.spun.iter().filter(|chosen| chosen.way.until[open.row] == 0).map(|chosen| chosen.variable).collect();
        if !spoilt.is_empty() && !open.runs.is_empty() {
            let runs = open.runs.iter().map(|(.., run)| *run);
            self.at_most_one("run_unspun", &[open.line.row()], runs.chain(spoilt));
        }
    }

    fn thawed_until(&mut self, open: &OpenLine, after: &AfterThaw, run_from: &BySlot) {
        for &until in after.limits.keys() {
            // What runs before the thawing is stopped elsewhere.
            let Some(late) = run_from.get(until.max(after.slot)).copied().flatten() else { continue };
            // The ways that end here or before.
            let ending = after.limits.range(..=until).flat_map(|(_, ways)| ways);
            let terms = ending.chain([&after.thaw, &late]).map(|&variable| (variable, 1)).collect();
            self.row("thawed_until", &[open.line.row(), after.slot, until], terms, Sense::AtMost, 2);
        }
    }

    /// A result that is there is only reported, where its sample stands.
    fn report_only(&mut self, open: &mut OpenLine) {
        if self.snapshot.overrides.force_discard(open.line).is_some() {
            return;
        }
        let backlog = &self.snapshot.backlog;
        let site = backlog.samples[backlog.lines[open.line].sample].site;
        let requester = backlog.requests[backlog.request_of(open.line)].requester;
        for slot in (0..self.slots).rev() {
            let index = SlotIx::from_row(slot);
            let run = Run { analyser: None, slot: index, reported: index };
            let day = self.snapshot.grid.day(index);
            let cap = self.snapshot.capacity.requester_cap(requester, day).map(|cell| (cell, 1));
            let uses = [(self.snapshot.capacity.reporting(site, index), 1)].into_iter().chain(cap).collect();
            let cost = self.result_out(open.line, slot) + moved_cost(self.snapshot, open.line, Disposition::Run(run));
            let numbers = [open.line.row(), site.row(), slot];
            open.outcomes.extend(self.decision("report_held", &numbers, cost, &uses));
        }
    }

    /// Each result is reported at the site of its test, in its slot or later.
    fn report(&mut self, open: &OpenLine) {
        for (site, tests) in &open.tested {
            let mut waiting: Option<Var> = None;
            for (slot, tests) in tests.iter().enumerate() {
                let mut terms: Vec<(Var, i64)> = tests.iter().map(|&test| (test, 1)).collect();
                terms.extend(waiting.map(|waiting| (waiting, 1)));
                if terms.is_empty() {
                    continue;
                }
                let numbers = [open.line.row(), site.row(), slot];
                let uses = vec![(self.snapshot.capacity.reporting(*site, SlotIx::from_row(slot)), 1)];
                let report = self.decision("report", &numbers, self.result_out(open.line, slot), &uses);
                terms.extend(report.map(|report| (report, -1)));
                waiting = (slot + 1 < self.slots).then(|| self.derived("unreported", &numbers));
                terms.extend(waiting.map(|waiting| (waiting, -1)));
                self.row("reported", &numbers, terms, Sense::Exactly, 0);
            }
        }
    }

    /// Waiting, held, or recalled without a date.
    fn leave_out(&mut self, tube: &Tube, open: &mut OpenLine, recallable: bool) {
        let snapshot = self.snapshot;
        let (line, numbers) = (open.line, [open.line.row()]);
        let cost = unserved_cost(snapshot, line) + moved_cost(snapshot, line, Disposition::Recall(None));
        if recallable {
            let recall = self.free("recall", &numbers, cost);
            open.outcomes.push(recall);
            open.recalls.push(recall);
        } else {
            let request = &snapshot.backlog.requests[snapshot.backlog.request_of(line)];
            let never = snapshot.backlog.patients[request.patient].never_recalled();
            let loss = if never { Cost::ZERO } else { snapshot.policy.irreplaceable_loss };
            open.outcomes.push(self.free("held", &numbers, cost + loss));
        }
        self.wait(tube, open);
    }

    fn wait(&mut self, tube: &Tube, open: &mut OpenLine) {
        let keeps = |chosen: &&super::sample::Chosen| chosen.way.keeps[open.row];
        let keeping: Vec<Var> =
            tube.ways.iter().chain(&tube.spun).filter(keeps).map(|chosen| chosen.variable).collect();
        if keeping.is_empty() {
            return;
        }
        let (line, numbers) = (open.line, [open.line.row()]);
        let moved = moved_cost(self.snapshot, line, Disposition::Hold(Hold::Waiting));
        let wait = self.free("wait", &numbers, unserved_cost(self.snapshot, line) + moved);
        open.outcomes.push(wait);
        if self.snapshot.backlog.lines[line].result_held {
            return;
        }
        self.only_if("wait_kept", &numbers, [wait], keeping);
        let spoilt = tube.spun.iter().filter(|chosen| !keeps(chosen)).map(|chosen| chosen.variable);
        self.at_most_one("wait_unspun", &numbers, spoilt.chain([wait]));
        for after in tube.after_thaw.iter().filter(|after| after.row == open.row) {
            let terms = after.waits.iter().chain([&after.thaw, &wait]).map(|&variable| (variable, 1)).collect();
            self.row("wait_thawed", &[line.row(), after.slot], terms, Sense::AtMost, 2);
        }
    }

    /// What is run takes no more than there is, with what the worst analyser of each site loses.
    fn volume(&mut self, tube: &Tube, lines: &[OpenLine]) {
        let there = i64::from(self.snapshot.backlog.samples[tube.sample].volume.get());
        let of_test = |open: &OpenLine| i64::from(self.snapshot.catalogue.tests[open.test].volume.get());
        let loses = |analyser: AnalyserIx| i64::from(self.snapshot.network.analysers[analyser].dead_volume.get());
        let runs =
            || lines.iter().flat_map(|open| open.runs.iter().map(move |&(analyser, _, run)| (open, analyser, run)));
        let dead = runs().map(|(_, analyser, _)| loses(analyser)).max().unwrap_or(0);
        let containers = if tube.rebooked.is_empty() { 1 } else { 2 };
        if lines.iter().filter(|open| !open.runs.is_empty()).map(of_test).sum::<i64>() + containers * dead <= there {
            return;
        }
        let mut terms: Vec<(Var, i64)> = runs().map(|(open, _, run)| (run, of_test(open))).collect();
        let mut levels: BTreeMap<(SiteIx, i64), BTreeMap<LineIx, Vec<Var>>> = BTreeMap::new();
        for (open, analyser, run) in runs() {
            let site = self.snapshot.network.analysers[analyser].site;
            levels.entry((site, loses(analyser))).or_default().entry(open.line).or_default().push(run);
        }
        let known: Vec<(SiteIx, i64)> = levels.keys().copied().filter(|(_, level)| *level > 0).collect();
        for &(site, level) in &known {
            let below = known.iter().filter(|(other, lower)| *other == site && *lower < level).map(|(_, lower)| *lower);
            let numbers = [tube.sample.row(), site.row(), usize::try_from(level).unwrap_or(0)];
            let lost = self.derived("lost", &numbers);
            terms.push((lost, level - below.max().unwrap_or(0)));
            for (line, runs) in levels.range((site, level)..=(site, i64::MAX)).flat_map(|(_, by_line)| by_line) {
                let numbers = [line.row(), site.row(), usize::try_from(level).unwrap_or(0)];
                self.only_if("run_loses", &numbers, runs.iter().copied(), [lost]);
            }
        }
        self.row("volume", &[tube.sample.row()], terms, Sense::AtMost, there);
    }
}
