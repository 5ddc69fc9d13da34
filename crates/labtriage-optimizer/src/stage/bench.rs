//! Where do the lines of one sample find their slots? One line after the other, on what is left
//! beside what the patient itself has taken.

use labtriage_core::certificate::Scaled;
use labtriage_core::cost::unserved_cost;
use labtriage_core::plan::{Recollection, Run, Step};
use labtriage_core::table::{Ix, SampleIx, SiteIx, SlotIx};
use labtriage_core::units::Microlitres;
use labtriage_core::viability::Stay;

use super::least::Picked;
use super::market::{Market, NEVER, Runs, Taken, scaled};
use super::offers::Offer;
use super::problem::{Stage, Standing, VisitDay};
use super::sample::{LineCase, SampleCase};
use super::ways::{Candidate, Preparation, candidates, price_of, runs_until};
use crate::uses;
use crate::way::Way;

/// One sample while its lines find their slots.
pub(super) struct Bench<'b> {
    stage: &'b Stage<'b>,
    market: &'b Market<'b>,
    taken: &'b mut Taken,
    results: &'b mut Vec<Scaled>,
    /// The way, with its booking in.
    way: Option<Way>,
    /// The slot from which on lines can be run from it.
    from: usize,
    booked: bool,
    ran: bool,
    /// The new tube, and whether an earlier stage or a line has booked it in.
    recollection: Option<Recollection>,
    collected: bool,
    volume: u32,
    dead: [u32; 2],
    /// The second container, with the slot from which on lines can be run from it.
    aliquot: Option<(Way, usize)>,
    /// A line is run from it.
    divided: bool,
}

impl<'b> Bench<'b> {
    pub(super) fn new(
        stage: &'b Stage<'b>,
        market: &'b Market<'b>,
        taken: &'b mut Taken,
        results: &'b mut Vec<Scaled>,
    ) -> Self {
        Self {
            stage,
            market,
            taken,
            results,
            way: None,
            from: 0,
            booked: false,
            ran: false,
            recollection: None,
            collected: false,
            volume: 0,
            dead: [0; 2],
            aliquot: None,
            divided: false,
        }
    }

    /// Puts a sample on the bench, to go where it goes.
    pub(super) fn open(&mut self, case: &SampleCase, sample: SampleIx, going: Option<Picked>) {
        let tube = &self.stage.planner.tubes[sample];
        self.volume = tube.used.get();
        self.dead = tube.dead.map(Microlitres::get);
        self.recollection = tube.recollection;
        self.collected = tube.recollection.is_some();
        if let Some(picked) = going {
            self.take_way(&case.offers[picked.offer], picked);
            self.aliquot = picked.second.map(|(split, from)| {
                let mut way = case.splits.get(split).candidate.way.clone();
                way.book_in_at(self.market.snapshot, SlotIx::from_row(from));
                (way, from)
            });
        }
    }

    fn take_way(&mut self, offer: &Offer, picked: Picked) {
        let snapshot = self.market.snapshot;
        let mut way = offer.candidate.way.clone();
        self.booked = offer.booked;
        self.from = offer.thawed.unwrap_or(picked.from);
        if !offer.booked {
            way.book_in_at(snapshot, SlotIx::from_row(picked.from));
            if let Some(slot) = offer.thawed {
                let thawed = way.thaw_in(snapshot, SlotIx::from_row(slot));
                debug_assert!(thawed.is_some(), "it was tried when the offer was made");
            }
        }
        self.way = Some(way);
    }

    /// Runs a line, or reports its result if that is there, where it costs least; none when that is
    /// no less than it costs otherwise.
    pub(super) fn run_or_report(
        &mut self,
        case: &SampleCase,
        row: usize,
        going: Option<Picked>,
        otherwise: Scaled,
    ) -> Option<Run> {
        if case.lines[row].reported {
            return self.report(&case.lines[row]);
        }
        let picked = going?;
        let offer = &case.offers[picked.offer];
        let site = self.way.as_ref()?.site;
        let first = self.best_run(case, row, site, self.from..case.until(offer.span, row), Some(0));
        let second = picked.second.and_then(|(split, from)| {
            let split = case.splits.get(split);
            self.best_run(case, row, split.candidate.way.site, from..case.until(split.span, row), Some(1))
        });
        let containers = [first, second].into_iter().enumerate();
        let found = containers.filter_map(|(container, found)| found.map(|(cost, run)| (cost, container, run)));
        let (cost, container, run) = found.min_by_key(|&(cost, container, _)| (cost, container))?;
        (cost < otherwise).then(|| {
            self.take_run(case, row, run, container);
            run
        })
    }

    fn report(&mut self, line: &LineCase) -> Option<Run> {
        let snapshot = self.market.snapshot;
        let site = snapshot.backlog.samples[snapshot.backlog.lines[line.line].sample].site;
        self.market.results(line.line, self.results);
        let price = |slot: usize| {
            let cell = snapshot.capacity.reporting(site, SlotIx::from_row(slot));
            let report = self.market.price_beside(self.taken, cell, 1);
            let cap = line.cap(self.market, slot).map_or(0, |cell| self.market.price_beside(self.taken, cell, 1));
            self.results[slot] + report + cap
        };
        let (cost, slot) = (0..self.results.len()).map(|slot| (price(slot), slot)).min()?;
        if cost >= scaled(unserved_cost(snapshot, line.line)) {
            return None;
        }
        let slot = SlotIx::from_row(slot);
        let run = Run { analyser: None, slot, reported: slot };
        uses::of_run(snapshot, line.line, run, true, &mut |cell, amount| self.taken.take(cell, amount));
        Some(run)
    }

    /// Books the new tube in for the lines that are left, where that costs least.
    pub(super) fn collect_anew(&mut self, case: &mut SampleCase, day: &VisitDay, left: &[usize]) {
        if self.recollection.is_some() || left.is_empty() || !case.recallable {
            return;
        }
        let otherwise: Vec<Scaled> = case.lines.iter().map(|line| line.left_out).collect();
        let wanted: Vec<_> = left.iter().map(|&row| case.lines[row].line).collect();
        let (_, anew) = case.anew(self.market, day, &otherwise, |line| wanted.contains(&line.line));
        self.recollection = anew
            .map(|anew| Recollection { site: day.arrivals[anew.arrival].site, booked_in: SlotIx::from_row(anew.from) });
    }

    /// Re-tests a line from the new tube, if that costs less than leaving it out.
    pub(super) fn retest(&mut self, case: &SampleCase, row: usize, day: &VisitDay, otherwise: Scaled) -> Option<Run> {
        let new = self.recollection.filter(|_| case.recallable)?;
        let arrival = day.arrivals.iter().position(|arrival| arrival.site == new.site)?;
        let line = &case.lines[row];
        let until = day.until(arrival, line.test, line.specimen);
        let (cost, run) = self.best_run(case, row, new.site, new.booked_in.row()..until, None)?;
        if cost >= otherwise {
            return None;
        }
        let snapshot = self.market.snapshot;
        let taken = &mut *self.taken;
        if !self.collected {
            uses::of_booking_in(snapshot, new.site, new.booked_in, &mut |cell, amount| taken.take(cell, amount));
        }
        self.collected = true;
        uses::of_run(snapshot, line.line, run, false, &mut |cell, amount| taken.take(cell, amount));
        Some(run)
    }

    /// The cheapest test and report of a line at a site, beside what the patient has taken.
    fn best_run(
        &mut self,
        case: &SampleCase,
        row: usize,
        site: SiteIx,
        within: std::ops::Range<usize>,
        container: Option<usize>,
    ) -> Option<(Scaled, Run)> {
        let line = &case.lines[row];
        let (market, snapshot) = (self.market, self.market.snapshot);
        if within.is_empty() || !snapshot.network.accepts(site, snapshot.bands[line.line]) {
            return None;
        }
        market.results(line.line, self.results);
        // From the last slot backwards: the cheapest report from each slot on.
        let mut out: (Scaled, usize) = (NEVER, 0);
        let mut best: Option<(Scaled, Run)> = None;
        for slot in (within.start..self.results.len()).rev() {
            let cell = snapshot.capacity.reporting(site, SlotIx::from_row(slot));
            let report = self.results[slot] + market.price_beside(self.taken, cell, 1);
            if report <= out.0 {
                out = (report, slot);
            }
            if slot >= within.end || out.0 >= NEVER {
                continue;
            }
            for runs in market.menu.of(site, line.test) {
                if container.is_some_and(|container| !self.enough(case, line, runs, container)) {
                    continue;
                }
                let price = |cell, amount| market.price_beside(self.taken, cell, amount);
                let cap = container.and_then(|_| line.cap(market, slot)).map_or(0, |cell| price(cell, 1));
                let cost = out.0 + cap + market.work(runs, slot, price);
                if cost < NEVER && best.as_ref().is_none_or(|(least, _)| cost <= *least) {
                    let (slot, reported) = (SlotIx::from_row(slot), SlotIx::from_row(out.1));
                    best = Some((cost, Run { analyser: Some(runs.analyser), slot, reported }));
                }
            }
        }
        best
    }

    /// Whether the sample holds enough for one more test, with what the analyser loses.
    fn enough(&self, case: &SampleCase, line: &LineCase, runs: &Runs, container: usize) -> bool {
        let snapshot = self.market.snapshot;
        let Some(sample) = case.sample else { return false };
        let dead = self.dead[container].max(runs.dead_volume).saturating_add(self.dead[1 - container]);
        let needs = self.volume.saturating_add(snapshot.catalogue.tests[line.test].volume.get()).saturating_add(dead);
        needs <= snapshot.backlog.samples[sample].volume.get()
    }

    fn take_run(&mut self, case: &SampleCase, row: usize, run: Run, container: usize) {
        let snapshot = self.market.snapshot;
        let taken = &mut *self.taken;
        if let (false, false, Some(way), Some(sample)) = (self.ran, self.booked, &self.way, case.sample) {
            uses::of_steps(snapshot, sample, way.steps(), &mut |cell, amount| taken.take(cell, amount));
        }
        self.ran = true;
        if container == 1 {
            self.divide(case);
        }
        self.take_test(case, row, run, container);
    }

    fn take_test(&mut self, case: &SampleCase, row: usize, run: Run, container: usize) {
        let snapshot = self.market.snapshot;
        let line = &case.lines[row];
        let taken = &mut *self.taken;
        uses::of_run(snapshot, line.line, run, true, &mut |cell, amount| taken.take(cell, amount));
        let loses = run.analyser.map_or(0, |analyser| snapshot.network.analysers[analyser].dead_volume.get());
        self.dead[container] = self.dead[container].max(loses);
        self.volume = self.volume.saturating_add(snapshot.catalogue.tests[line.test].volume.get());
    }

    /// Takes an aliquot to a second site for a line that found no place; none when that is no less
    /// than it costs otherwise.
    pub(super) fn second(&mut self, case: &SampleCase, row: usize, otherwise: Scaled) -> Option<Run> {
        let apart = scaled(self.market.snapshot.policy.prices.aliquot);
        if !self.ran || self.booked || case.lines[row].reported || case.lowest_run_of(row) + apart >= otherwise {
            return None;
        }
        if self.aliquot.is_some() {
            return self.follow_aliquot(case, row, otherwise);
        }
        let main = self.way.clone().filter(|way| case.divides(self.market, way))?;
        let (cost, way, run) = self.best_aliquot(case, row, &main)?;
        if cost >= otherwise {
            return None;
        }
        let from = way.slot.row();
        self.aliquot = Some((way, from));
        self.take_run(case, row, run, 1);
        Some(run)
    }

    /// Takes what the second container uses besides the first.
    fn divide(&mut self, case: &SampleCase) {
        let (Some(main), Some((way, _)), Some(sample)) = (&self.way, &self.aliquot, case.sample) else { return };
        if std::mem::replace(&mut self.divided, true) {
            return;
        }
        let snapshot = self.market.snapshot;
        let (mut known, mut number) = (0, 0);
        let taken = &mut *self.taken;
        uses::of_steps(snapshot, sample, main.steps(), &mut |_, _| known += 1);
        uses::of_steps(snapshot, sample, way.steps(), &mut |cell, amount| {
            number += 1;
            if number > known {
                taken.take(cell, amount);
            }
        });
    }

    fn follow_aliquot(&mut self, case: &SampleCase, row: usize, otherwise: Scaled) -> Option<Run> {
        let (way, from) = self.aliquot.as_ref()?;
        let (site, from, until) = (way.site, *from, runs_until(self.market, case.lines[row].line, &way.stays));
        let (cost, run) = self.best_run(case, row, site, from..until, Some(1))?;
        (cost < otherwise).then(|| {
            self.take_run(case, row, run, 1);
            run
        })
    }

    fn best_aliquot(&mut self, case: &SampleCase, row: usize, main: &Way) -> Option<(Scaled, Way, Run)> {
        let (market, snapshot) = (self.market, self.market.snapshot);
        let slots = snapshot.grid.len();
        let mut way = main.clone();
        way.aliquot_where(snapshot, |from| {
            let cell = |slot| snapshot.capacity.aliquoting(main.site, SlotIx::from_row(slot));
            (from.row()..slots).find(|&slot| market.price(cell(slot), 1) < NEVER).map(SlotIx::from_row)
        })?;
        let prepared = Preparation { way, spin_there: false };
        let line = &case.lines[row];
        let mut found: Vec<Candidate> = Vec::new();
        let wanted = |site: SiteIx| site != main.site && market.menu.runs(site, line.test);
        candidates(market, market.routes, &prepared, 0, wanted, &mut found);
        let paid = price_of(market, main);
        let mut best: Option<(Scaled, Way, Run)> = None;
        for candidate in found {
            let booked = (candidate.from..slots).map(|slot| (market.booking(candidate.way.site, slot), slot));
            let Some((booking, slot)) = booked.min().filter(|(booking, _)| *booking < NEVER) else { continue };
            let until = runs_until(market, line.line, &candidate.way.stays);
            let Some((cost, run)) = self.best_run(case, row, candidate.way.site, slot..until, Some(1)) else {
                continue;
            };
            let cost = cost + booking + candidate.price - paid;
            if best.as_ref().is_none_or(|(least, ..)| cost < *least) {
                let mut way = candidate.way;
                way.book_in_at(snapshot, SlotIx::from_row(slot));
                best = Some((cost, way, run));
            }
        }
        best
    }

    /// The steps of the sample, the new tube that this stage adds, and how the sample is kept.
    pub(super) fn finish(self, case: &SampleCase) -> (Vec<Step>, Option<Recollection>, Vec<Stay>) {
        let snapshot = self.market.snapshot;
        let known = case.sample.is_some_and(|sample| self.stage.planner.tubes[sample].recollection.is_some());
        let recollection = self.recollection.filter(|_| self.collected && !known);
        let stays = match (&self.way, case.sample) {
            (Some(way), _) if self.ran || self.booked => way.stays.clone(),
            (_, Some(sample)) => match self.stage.standing(sample) {
                Standing::Placed(places) => places.into_iter().next().map_or(Vec::new(), |(way, _)| way.stays),
                Standing::Free => Way::start(snapshot, sample).stays,
            },
            (_, None) => Vec::new(),
        };
        let way = self.aliquot.filter(|_| self.divided).map(|(way, _)| way).or(self.way);
        let steps = way.filter(|_| self.ran && !self.booked).map_or(Vec::new(), |way| way.steps().to_vec());
        (steps, recollection, stays)
    }
}
