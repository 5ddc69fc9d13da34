//! What are the options of one sample, and which costs least?
//!
//! For each line, site and slot the cost of a test is worked out once: the cheapest analyser, then
//! the cheapest slot to report in. Each way of the sample then only looks up sums.

use std::ops::Range;

use labtriage_core::catalogue::State;
use labtriage_core::certificate::Scaled;
use labtriage_core::cost::unserved_cost;
use labtriage_core::duplicates::Repeat;
use labtriage_core::table::{Ix, LineIx, SampleIx, SiteIx, SlotIx, SpecimenIx, TestIx};

use super::market::{Market, NEVER, scaled};
use super::offers::Offer;
use super::problem::{Stage, VisitDay};
use super::split::Splits;
use super::ways::Candidate;
use crate::way::Way;

/// One line of a sample, with what it costs to leave it out.
#[derive(Clone, Copy, Debug)]
pub(super) struct LineCase {
    pub(super) line: LineIx,
    pub(super) test: TestIx,
    /// Held or waiting, its patient not recalled for it; [`NEVER`] when it cannot.
    pub(super) held: Scaled,
    /// Left out in the cheapest way, its patient recalled.
    pub(super) left_out: Scaled,
    pub(super) weight: u32,
    /// The result is there: reported at the sample's site.
    pub(super) reported: bool,
    /// Can be run from the sample in one of its ways.
    pub(super) open: bool,
    /// Its requester has a cap.
    capped: bool,
    pub(super) specimen: SpecimenIx,
    /// What a test takes, in microlitres.
    volume: u32,
}

/// Which offer, booked in in which slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Picked {
    pub(super) offer: usize,
    pub(super) from: usize,
    /// A second container: its way, and the slot in which that is booked in.
    pub(super) second: Option<(usize, usize)>,
}

/// The least cost found, and where the sample goes for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Least {
    pub(super) cost: Scaled,
    pub(super) picked: Option<Picked>,
}

/// A new tube: which arrival of its day, booked in in this slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Anew {
    pub(super) arrival: usize,
    pub(super) from: usize,
}

/// One sample with its lines of the stage; its buffers are used again from sample to sample.
#[derive(Default)]
pub(super) struct SampleCase {
    pub(super) sample: Option<SampleIx>,
    pub(super) lines: Vec<LineCase>,
    pub(super) recallable: bool,
    pub(super) offers: Vec<Offer>,
    pub(super) splits: Splits,
    tested: Vec<Scaled>,
    lowest: Vec<Scaled>,
    results: Vec<Scaled>,
    best: Vec<Scaled>,
    pub(super) totals: Vec<Scaled>,
    until: Vec<usize>,
    pub(super) found: Vec<Candidate>,
    /// What there is of it, in microlitres, and whether that may be too little for all of its lines.
    pub(super) there: u32,
    scant: bool,
    order: Vec<(Scaled, Scaled, u32, usize)>,
    alone: Option<Least>,
}

impl SampleCase {
    /// Opens a sample for the lines that the stage decides; `false` when it has none.
    pub(super) fn open(&mut self, stage: &Stage<'_>, market: &Market<'_>, sample: SampleIx) -> bool {
        let snapshot = market.snapshot;
        let facts = &snapshot.backlog.samples[sample];
        self.sample = Some(sample);
        self.lines.clear();
        self.offers.clear();
        self.splits.clear();
        let patient = snapshot.backlog.requests[facts.request].patient;
        let never = snapshot.backlog.patients[patient].never_recalled();
        self.recallable = !facts.irreplaceable && !never;
        for line in facts.lines().filter(|&line| stage.decides(line)) {
            self.add(market, line, never);
        }
        if self.lines.is_empty() {
            return false;
        }
        self.test(market);
        self.offer(stage, market, sample);
        self.there = facts.volume.get().saturating_sub(stage.planner.tubes[sample].used.get());
        self.scant = self.scant(market);
        self.alone = None;
        true
    }

    /// Whether what there is may be too little for all lines, wherever they are run.
    fn scant(&self, market: &Market<'_>) -> bool {
        let dead = market.snapshot.network.sites.indices().map(|site| self.most_dead(market, site)).max();
        self.volume().saturating_add(dead.unwrap_or(0)) > self.there
    }

    /// What all lines take that can be run from it, in microlitres.
    pub(super) fn volume(&self) -> u32 {
        self.lines.iter().filter(|line| line.open).map(|line| line.volume).sum()
    }

    /// What is lost at the most when any of the lines is run at a site, in microlitres.
    pub(super) fn most_dead(&self, market: &Market<'_>, site: SiteIx) -> u32 {
        let open = self.lines.iter().filter(|line| line.open);
        open.flat_map(|line| market.menu.of(site, line.test)).map(|runs| runs.dead_volume).max().unwrap_or(0)
    }

    /// What is lost at the least when any of the lines is run at a site, in microlitres.
    fn dead(&self, market: &Market<'_>, site: SiteIx) -> u32 {
        let open = self.lines.iter().filter(|line| line.open);
        let runs = open.flat_map(|line| market.menu.of(site, line.test));
        runs.map(|runs| runs.dead_volume).min().unwrap_or(0)
    }

    /// The least cost of its lines when each may also be left out, its patient recalled.
    pub(super) fn alone(&mut self, market: &Market<'_>) -> Least {
        if let Some(alone) = self.alone {
            return alone;
        }
        let otherwise: Vec<Scaled> = self.lines.iter().map(|line| line.left_out).collect();
        let alone = self.least(market, &otherwise);
        self.alone = Some(alone);
        alone
    }

    /// What it costs to leave out those lines for which there is too little volume: those first that
    /// gain least for what they take.
    pub(super) fn short_of_volume(&mut self, there: u32, best: &[Scaled], otherwise: &[Scaled]) -> Scaled {
        self.order.clear();
        for (row, line) in self.lines.iter().enumerate().filter(|(row, _)| best[*row] < otherwise[*row]) {
            let loss = otherwise[row] - best[row];
            self.order.push((loss / Scaled::from(line.volume.max(1)), loss, line.volume, row));
        }
        self.order.sort_unstable_by(|a, b| b.cmp(a));
        let (mut left, mut lost) = (there, 0);
        for &(_, loss, volume, _) in &self.order {
            match left.checked_sub(volume) {
                Some(rest) => left = rest,
                None => lost += loss,
            }
        }
        lost
    }

    /// Its lines, those first that choose first.
    pub(super) fn in_order_of_claim(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.lines.len()).collect();
        let scant = self.scant;
        order.sort_by_key(|&row| (std::cmp::Reverse(self.lines[row].claim(scant)), row));
        order
    }

    fn add(&mut self, market: &Market<'_>, line: LineIx, never: bool) {
        let snapshot = market.snapshot;
        debug_assert_eq!(snapshot.repeats[line], Repeat::Survives);
        let facts = &snapshot.backlog.lines[line];
        let sample = &snapshot.backlog.samples[facts.sample];
        let unserved = scaled(unserved_cost(snapshot, line));
        let (mut held, mut left_out) = (NEVER, unserved);
        if facts.result_held {
            held = self.reported(market, line, sample.site).min(unserved);
            left_out = held;
        } else if never || self.keeps_as_it_is(market, line) {
            held = unserved;
        } else if sample.irreplaceable {
            held = unserved + scaled(snapshot.policy.irreplaceable_loss);
        }
        if !self.recallable {
            left_out = held;
        }
        let requester = snapshot.backlog.requests[sample.request].requester;
        let capped = snapshot.capacity.requester_cap(requester, snapshot.grid.first_day()).is_some();
        self.lines.push(LineCase {
            line,
            test: facts.test,
            held,
            left_out,
            weight: snapshot.weights[line].thousandths(),
            reported: facts.result_held,
            open: false,
            capped,
            specimen: sample.specimen,
            volume: snapshot.catalogue.tests[facts.test].volume.get(),
        });
    }

    fn keeps_as_it_is(&self, market: &Market<'_>, line: LineIx) -> bool {
        let snapshot = market.snapshot;
        let end = snapshot.grid.horizon_end();
        snapshot.clocks[line].closes().is_some_and(|closes| closes > end)
    }

    fn reported(&mut self, market: &Market<'_>, line: LineIx, site: SiteIx) -> Scaled {
        market.results(line, &mut self.results);
        let capacity = &market.snapshot.capacity;
        let price = |slot| market.price(capacity.reporting(site, SlotIx::from_row(slot)), 1);
        (0..self.results.len()).map(|slot| self.results[slot] + price(slot)).min().unwrap_or(NEVER)
    }

    /// Works out what a test of each line costs at each site and slot.
    fn test(&mut self, market: &Market<'_>) {
        let snapshot = market.snapshot;
        let (sites, slots) = (snapshot.network.sites.len(), snapshot.grid.len());
        self.tested.clear();
        self.tested.resize(self.lines.len() * sites * slots, NEVER);
        self.lowest.clear();
        self.lowest.resize(self.lines.len() * sites, NEVER);
        for (row, case) in self.lines.iter().enumerate() {
            market.results(case.line, &mut self.results);
            let band = snapshot.bands[case.line];
            for site in snapshot.network.sites.indices() {
                if case.reported && !self.recallable || !snapshot.network.accepts(site, band) {
                    continue;
                }
                let first = (row * sites + site.row()) * slots;
                let tested = &mut self.tested[first..first + slots];
                let runs = market.menu.of(site, case.test);
                if runs.is_empty() {
                    continue;
                }
                runs.iter().for_each(|runs| market.work_by_slot(runs, tested));
                let (mut out, mut lowest) = (NEVER, NEVER);
                for ((tested, report), result) in tested.iter_mut().zip(market.reporting(site)).zip(&self.results).rev()
                {
                    out = out.min(result + report);
                    *tested = NEVER.min(*tested + out);
                    lowest = lowest.min(*tested);
                }
                self.lowest[row * sites + site.row()] = lowest;
            }
        }
    }

    /// What a test costs a line at a site, per slot.
    pub(super) fn tested(&self, market: &Market<'_>, row: usize, site: SiteIx) -> &[Scaled] {
        let (sites, slots) = (market.snapshot.network.sites.len(), market.snapshot.grid.len());
        let first = (row * sites + site.row()) * slots;
        &self.tested[first..first + slots]
    }

    /// The least that a line costs at each site, whenever it is run.
    pub(super) fn lowest_by_site(&self) -> impl Iterator<Item = &[Scaled]> {
        self.lowest.chunks((self.lowest.len() / self.lines.len().max(1)).max(1))
    }

    /// The least that its lines can cost, wherever and whenever.
    pub(super) fn lowest(&self) -> Scaled {
        let each = self.lines.iter().zip(self.lowest_by_site());
        each.map(|(line, sites)| sites.iter().copied().min().unwrap_or(NEVER).min(line.left_out)).sum()
    }

    /// What its lines cost at the least at a site, each run whenever it likes or left out at its price.
    fn at_best(&self, site: SiteIx, otherwise: &[Scaled]) -> Scaled {
        otherwise.iter().zip(self.lowest_by_site()).map(|(&otherwise, sites)| sites[site.row()].min(otherwise)).sum()
    }

    /// The least cost of its lines when each may also be left out at its price in `otherwise`.
    pub(super) fn least(&mut self, market: &Market<'_>, otherwise: &[Scaled]) -> Least {
        let mut least = Least { cost: otherwise.iter().sum::<Scaled>().min(NEVER), picked: None };
        let offers = std::mem::take(&mut self.offers);
        for (number, offer) in offers.iter().enumerate() {
            self.of_offer(market, otherwise, number, offer, &mut least);
        }
        self.in_two(market, otherwise, &offers, &mut least);
        self.offers = offers;
        least
    }

    fn of_offer(&mut self, market: &Market<'_>, otherwise: &[Scaled], number: usize, offer: &Offer, least: &mut Least) {
        let site = offer.candidate.way.site;
        if offer.candidate.price + self.at_best(site, otherwise) >= least.cost {
            return;
        }
        let last = offer.until.iter().copied().max().unwrap_or(0);
        let first = offer.thawed.unwrap_or(offer.candidate.from);
        if last <= first {
            return;
        }
        let mut totals = std::mem::take(&mut self.totals);
        let each = otherwise.iter().copied().zip(offer.until.iter().copied());
        if self.scant {
            let there = self.there.saturating_sub(self.dead(market, site));
            let limit = least.cost - offer.candidate.price;
            self.scant_totals(market, (site, first..last, there), otherwise, each, limit, &mut totals);
        } else {
            self.totals(market, (site, first..last), each, &mut totals);
        }
        for (from, &total) in (first..last).zip(&totals).rev() {
            let total = total + offer.candidate.price;
            if total >= least.cost || offer.thawed.is_some() && from > first {
                continue;
            }
            let booked = match (offer.booked, offer.thawed) {
                (true, _) => (0, from),
                (false, None) => (market.booking(site, from), from),
                (false, Some(slot)) => {
                    let slots = offer.candidate.from..=slot;
                    slots.map(|slot| (market.booking(site, slot), slot)).min().unwrap_or((NEVER, 0))
                }
            };
            if total + booked.0 < least.cost {
                *least = Least {
                    cost: total + booked.0,
                    picked: Some(Picked { offer: number, from: booked.1, second: None }),
                };
            }
        }
        self.totals = totals;
    }

    /// Per slot: what all lines cost when they may be run at a site from that slot on, each until a slot of its own
    /// and given with what it costs otherwise.
    pub(super) fn totals(
        &self,
        market: &Market<'_>,
        (site, slots): (SiteIx, Range<usize>),
        each: impl Iterator<Item = (Scaled, usize)>,
        totals: &mut Vec<Scaled>,
    ) {
        totals.clear();
        totals.resize(slots.len(), 0);
        let mut base = 0;
        for (row, (otherwise, until)) in each.enumerate() {
            base += otherwise;
            let Some(tested) = self.tested(market, row, site).get(slots.start..until) else { continue };
            let mut best = otherwise;
            for (total, tested) in totals.iter_mut().zip(tested).rev() {
                best = best.min(*tested);
                *total += best - otherwise;
            }
        }
        totals.iter_mut().for_each(|total| *total += base);
    }

    /// The same where there is too little for all lines, with what it costs to leave some out; that is not looked
    /// at in slots in which they cost more than a limit anyway.
    pub(super) fn scant_totals(
        &mut self,
        market: &Market<'_>,
        (site, slots, there): (SiteIx, Range<usize>, u32),
        otherwise: &[Scaled],
        each: impl Iterator<Item = (Scaled, usize)>,
        limit: Scaled,
        totals: &mut Vec<Scaled>,
    ) {
        let (mut best, mut until) = (std::mem::take(&mut self.best), std::mem::take(&mut self.until));
        best.clear();
        until.clear();
        for (cost, slots) in each {
            best.push(cost);
            until.push(slots);
        }
        totals.clear();
        totals.resize(slots.len(), NEVER);
        for (from, total) in slots.zip(totals.iter_mut()).rev() {
            for (row, best) in best.iter_mut().enumerate() {
                if from < until[row] {
                    *best = self.tested(market, row, site)[from].min(*best);
                }
            }
            *total = best.iter().sum();
            if *total < limit {
                *total += self.short_of_volume(there, &best, otherwise);
            }
        }
        (self.best, self.until) = (best, until);
    }

    /// The least cost of re-testing the wanted lines from one new tube of a day.
    pub(super) fn anew(
        &mut self,
        market: &Market<'_>,
        day: &VisitDay,
        otherwise: &[Scaled],
        wanted: impl Fn(&LineCase) -> bool,
    ) -> (Scaled, Option<Anew>) {
        let mut least = (NEVER, None);
        let mut totals = std::mem::take(&mut self.totals);
        for (arrival, tube) in day.arrivals.iter().enumerate() {
            let until = |line: &LineCase| day.until(arrival, line.test, line.specimen);
            let last = self.lines.iter().map(until).max().unwrap_or(0);
            if last <= tube.from {
                continue;
            }
            // Who is not wanted costs nothing and is not run.
            let each = |(line, &otherwise): (&LineCase, &Scaled)| {
                if wanted(line) { (otherwise, until(line)) } else { (0, 0) }
            };
            let each = self.lines.iter().zip(otherwise).map(each);
            self.totals(market, (tube.site, tube.from..last), each, &mut totals);
            for (from, &total) in (tube.from..last).zip(&totals).rev() {
                if total < least.0 {
                    let total = total + market.booking(tube.site, from);
                    if total < least.0 {
                        least = (total, Some(Anew { arrival, from }));
                    }
                }
            }
        }
        self.totals = totals;
        least
    }

    /// The least cost of re-testing each line on a day, whatever the others do and without booking in.
    pub(super) fn each_anew(&self, market: &Market<'_>, day: &VisitDay, least: &mut [Scaled]) {
        for (arrival, tube) in day.arrivals.iter().enumerate() {
            for (row, line) in self.lines.iter().enumerate() {
                let until = day.until(arrival, line.test, line.specimen);
                if let Some(slots) = self.tested(market, row, tube.site).get(tube.from..until) {
                    least[row] = slots.iter().copied().min().unwrap_or(NEVER).min(least[row]);
                }
            }
        }
    }

    pub(super) fn has_open(&self) -> bool {
        self.lines.iter().any(|line| line.open)
    }

    /// Whether the sample may go with an aliquot to a second site on a way.
    pub(super) fn divides(&self, market: &Market<'_>, way: &Way) -> bool {
        let Some(sample) = self.sample else { return false };
        let specimen = market.snapshot.backlog.samples[sample].specimen;
        market.snapshot.catalogue.specimens[specimen].aliquots
            && way.separated()
            && !matches!(way.state(), State::SeparatedThawed | State::SeparatedFrozen)
    }
}

impl LineCase {
    /// Who chooses first: by weight, and where volume is scant by weight for what a test takes.
    fn claim(&self, scant: bool) -> u64 {
        let per = if scant { u64::from(self.volume.max(1)) } else { 1 };
        u64::from(self.weight) * 1000 / per
    }

    /// The cell of its requester's cap in a slot.
    pub(super) fn cap(&self, market: &Market<'_>, slot: usize) -> Option<labtriage_core::table::CellIx> {
        let snapshot = market.snapshot;
        let requester = snapshot.backlog.requests[snapshot.backlog.request_of(self.line)].requester;
        let day = snapshot.grid.day(SlotIx::from_row(slot));
        snapshot.capacity.requester_cap(requester, day).filter(|_| self.capped)
    }
}
