//! What does a use cost at given prices? Prices of cells, gathered into what a sample could do.
//!
//! All amounts here are [`Scaled`]. A cell of which less is left than a use takes cannot be used:
//! its price is more than anything costs.

use std::collections::BTreeMap;

use crate::certificate::facts::{Event, Facts};
use crate::certificate::stage::Before;
use crate::certificate::{NEVER, Prices, Scaled, scaled};
use crate::table::{AnalyserIx, CalendarIx, CellIx, CollectionPointIx, DepartureIx, Ix, SiteIx, SlotIx, TestIx};
use crate::time::{Day, Instant};

/// The sites of two containers, each with the first slot in which it can be booked in there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    pub(super) first: (SiteIx, usize),
    pub(super) second: (SiteIx, usize),
    /// Couriers to the first and booking it in, at the least.
    pub(super) there: Scaled,
    /// The aliquot, couriers to the second and booking it in, at the least.
    pub(super) sent: Scaled,
}

/// Second containers: aliquoted at a site from a slot on, and sent on once that slot has ended.
#[derive(Default)]
struct Splits {
    /// Per origin and site of the aliquot: the number of its rows.
    number: Vec<u32>,
    /// Per number, destination and slot: the aliquot and couriers that it can be booked in after.
    onward: Vec<Scaled>,
}

/// The prices of a stage, gathered.
pub struct Tables<'a> {
    pub(super) facts: &'a Facts<'a>,
    pub(super) before: &'a Before,
    prices: Prices,
    /// Per site, test and slot: the cheapest analyser.
    run: Vec<Scaled>,
    /// Per site and slot.
    pub(super) report: Vec<Scaled>,
    /// Per site and slot: reception and quota.
    pub(super) book: Vec<Scaled>,
    /// Per departure: a tube on it.
    legs: Vec<Scaled>,
    /// Per origin, destination and slot: the cheapest couriers that a tube can be booked in after.
    reach: Vec<Scaled>,
    /// Per site and slot: centrifuged there.
    centrifuge: Vec<Scaled>,
    /// Per origin and slot: centrifuged somewhere else, once it can be there.
    spun_away: Vec<Scaled>,
    /// The cheapest place to freeze.
    pub(super) freeze: Scaled,
    /// Per site and slot: aliquoted there.
    aliquot: Vec<Scaled>,
    splits: Splits,
    /// As `reach`, by couriers that leave after the first slot.
    onward: Vec<Scaled>,
    /// Per origin and destination: the first slot with couriers in `reach`.
    reached_from: Vec<u16>,
    /// By couriers that leave at any time, or after the first slot; per origin.
    pairs: [Vec<Vec<Pair>>; 2],
}

impl<'a> Tables<'a> {
    /// The tables of a stage at these prices.
    ///
    /// Time: sites × tests × slots, and twice the departures per site.
    pub fn new(facts: &'a Facts<'a>, before: &'a Before, prices: Prices) -> Self {
        let mut this = Self {
            facts,
            before,
            prices,
            run: Vec::new(),
            report: Vec::new(),
            book: Vec::new(),
            legs: Vec::new(),
            reach: Vec::new(),
            centrifuge: Vec::new(),
            spun_away: Vec::new(),
            freeze: NEVER,
            aliquot: Vec::new(),
            splits: Splits::default(),
            onward: Vec::new(),
            reached_from: Vec::new(),
            pairs: [Vec::new(), Vec::new()],
        };
        this.gather_sites();
        this.gather_runs();
        this.legs = this.gather_legs();
        this.reach = this.gather_reach(|_| 0);
        let first = |slots: &[Scaled]| slots.partition_point(|&price| price >= NEVER);
        let reached = this.reach.chunks(facts.slots).map(|slots| u16::try_from(first(slots)).unwrap_or(u16::MAX));
        this.reached_from = reached.collect();
        this.spun_away = this.gather_spun_away();
        let first_ends = facts.snapshot.grid.end(facts.snapshot.first_slot());
        this.onward = this.gather_reach(|leaves| if leaves >= first_ends { 0 } else { NEVER });
        this.splits = this.gather_splits();
        let sites = || facts.snapshot.network.sites.indices();
        this.pairs = [false, true].map(|later| sites().map(|from| this.gather_pairs(from, later)).collect());
        this
    }

    /// The price of using so much of a cell; [`NEVER`] when less is left.
    pub(super) fn price(&self, cell: CellIx, amount: u64) -> Scaled {
        if self.before.left[cell] < amount { NEVER } else { self.prices.of(cell, amount) }
    }

    fn gather_sites(&mut self) {
        let snapshot = self.facts.snapshot;
        let (capacity, grid, policy) = (&snapshot.capacity, &snapshot.grid, &snapshot.policy);
        for site in snapshot.network.sites.indices() {
            let mut aliquoting = NEVER;
            for slot in grid.slots() {
                let quota = capacity.quota(site, grid.day(slot)).map_or(0, |cell| self.price(cell, 1));
                self.book.push(NEVER.min(self.price(capacity.reception(site, slot), 1) + quota));
                self.report.push(self.price(capacity.reporting(site, slot), 1));
                let aliquot = self.price(capacity.aliquoting(site, slot), 1);
                aliquoting = aliquoting.min(aliquot);
                self.aliquot.push(NEVER.min(aliquot + scaled(policy.prices.aliquot)));
                let spun = self.price(capacity.centrifuge(site, slot), 1) + scaled(policy.prices.spin);
                self.centrifuge.push(NEVER.min(spun));
            }
            let place = self.price(capacity.freezer(site), 1);
            self.freeze = self.freeze.min(aliquoting + place);
        }
        self.freeze = NEVER.min(self.freeze + scaled(policy.prices.freeze));
    }

    fn gather_runs(&mut self) {
        let facts = self.facts;
        let snapshot = facts.snapshot;
        let (tests, slots) = (snapshot.catalogue.tests.len(), facts.slots);
        self.run = vec![NEVER; snapshot.network.sites.len() * tests * slots];
        for site in snapshot.network.sites.indices() {
            for test in snapshot.catalogue.tests.indices() {
                let first = (site.row() * tests + test.row()) * slots;
                for &(analyser, run_days) in facts.analysers(site, test) {
                    for slot in 0..slots {
                        let price = self.analyser(analyser, run_days, test, slot);
                        let best = &mut self.run[first + slot];
                        *best = price.min(*best);
                    }
                }
            }
        }
    }

    fn analyser(&self, analyser: AnalyserIx, run_days: Option<CalendarIx>, test: TestIx, slot: usize) -> Scaled {
        let snapshot = self.facts.snapshot;
        if !self.facts.works(analyser, run_days, slot) {
            return NEVER;
        }
        let work = u64::from(snapshot.catalogue.tests[test].analyser_time.millis());
        let time = self.price(snapshot.capacity.analyser_time(analyser, SlotIx::from_row(slot)), work);
        let stock: Scaled = snapshot.capacity.stock(analyser, test).map(|cell| self.price(cell, 1)).sum();
        NEVER.min(time + stock)
    }

    /// The analyser whose price at a site in a slot is the least.
    pub(super) fn cheapest_analyser(&self, site: SiteIx, test: TestIx, slot: usize) -> Option<AnalyserIx> {
        let at_price = |&(analyser, run_days): &(AnalyserIx, Option<CalendarIx>)| {
            (self.analyser(analyser, run_days, test, slot), analyser)
        };
        self.facts.analysers(site, test).iter().map(at_price).min().map(|(_, analyser)| analyser)
    }

    fn gather_legs(&self) -> Vec<Scaled> {
        let snapshot = self.facts.snapshot;
        let tube = scaled(snapshot.policy.prices.courier_tube);
        let price = |departure| NEVER.min(self.price(snapshot.capacity.courier(departure), 1) + tube);
        snapshot.departures.indices().map(price).collect()
    }

    /// What becomes of a tube of each site once it can be at another and is aliquoted there.
    fn gather_splits(&self) -> Splits {
        let (sites, slots) = (self.facts.snapshot.network.sites.len(), self.facts.slots);
        let mut splits = Splits::default();
        let mut known: BTreeMap<(usize, usize), u32> = BTreeMap::new();
        for row in 0..sites * sites {
            let (first, from) = (row % sites, usize::from(self.reached_from[row]));
            let number = *known.entry((first, from)).or_insert_with(|| {
                let done = splits.onward.len();
                splits.onward.resize(done + sites * slots, NEVER);
                let by = self.aliquoted_by(first, from);
                let ended = |leaves| self.facts.snapshot.grid.ended_by(leaves);
                let ready = |leaves| ended(leaves).checked_sub(1).map_or(NEVER, |last| by[last]);
                self.reach_from(first, ready, &mut splits.onward[done..]);
                u32::try_from(done / (sites * slots)).unwrap_or(u32::MAX)
            });
            splits.number.push(number);
        }
        splits
    }

    /// Per slot: the least price of an aliquot that is taken at a site by then, from a slot on.
    fn aliquoted_by(&self, site: usize, from: usize) -> Vec<Scaled> {
        let prices = self.aliquot[site * self.facts.slots..(site + 1) * self.facts.slots].iter().enumerate();
        let least = |least: &mut Scaled, (slot, &price): (usize, &Scaled)| {
            *least = if slot < from { *least } else { price.min(*least) };
            Some(*least)
        };
        prices.scan(NEVER, least).collect()
    }

    /// Per origin, destination and slot: the cheapest couriers that a tube can be booked in after, with
    /// what it costs to be ready at the origin when one leaves.
    fn gather_reach(&self, ready: impl Fn(Instant) -> Scaled) -> Vec<Scaled> {
        let (sites, slots) = (self.facts.snapshot.network.sites.len(), self.facts.slots);
        let mut reached = vec![NEVER; sites * sites * slots];
        for (origin, reach) in reached.chunks_mut((sites * slots).max(1)).enumerate() {
            self.reach_from(origin, &ready, reach);
            reach[origin * slots..(origin + 1) * slots].fill(0);
        }
        reached
    }

    /// The same from one origin, per destination and slot.
    fn reach_from(&self, origin: usize, ready: impl Fn(Instant) -> Scaled, reach: &mut [Scaled]) {
        let snapshot = self.facts.snapshot;
        let (sites, slots) = (snapshot.network.sites.len(), self.facts.slots);
        let mut there = vec![NEVER; sites];
        let mut aboard = vec![NEVER; self.legs.len()];
        for event in &self.facts.events {
            match *event {
                Event::Leaves { departure, from } => {
                    if from.row() == origin {
                        let leaves = snapshot.departures[DepartureIx::from_row(departure)].leaves;
                        there[origin] = there[origin].min(ready(leaves));
                    }
                    aboard[departure] = aboard[departure].min(NEVER.min(there[from.row()] + self.legs[departure]));
                }
                Event::Arrives { departure, to, slot } => {
                    let at = to.row();
                    there[at] = there[at].min(aboard[departure]);
                    if slot < slots {
                        let cell = &mut reach[at * slots + slot];
                        *cell = aboard[departure].min(*cell);
                    }
                }
            }
        }
        for reach in reach.chunks_mut(slots.max(1)) {
            for slot in 1..reach.len() {
                reach[slot] = reach[slot].min(reach[slot - 1]);
            }
        }
    }

    fn gather_spun_away(&self) -> Vec<Scaled> {
        let sites = || self.facts.snapshot.network.sites.indices();
        let mut away = vec![NEVER; sites().len() * self.facts.slots];
        for from in sites() {
            for there in sites().filter(|&there| there != from) {
                for slot in self.first_reached(from, there)..self.facts.slots {
                    let cell = &mut away[from.row() * self.facts.slots + slot];
                    *cell = self.centrifuge[there.row() * self.facts.slots + slot].min(*cell);
                }
            }
        }
        away
    }

    /// The cheapest slot of some in which a tube is centrifuged where it stands, with its price.
    pub(super) fn spun_here(&self, from: SiteIx, within: std::ops::Range<usize>) -> (Scaled, usize) {
        let first = from.row() * self.facts.slots;
        within.map(|slot| (self.centrifuge[first + slot], slot)).min().unwrap_or((NEVER, 0))
    }

    /// The first of some slots in which a tube from a site is centrifuged, where it stands or elsewhere, for
    /// clearly less than in the first of them; the end when there is none.
    pub(super) fn cheaper_spin(&self, from: SiteIx, away: bool, within: std::ops::Range<usize>) -> usize {
        let prices = self.of_site(if away { &self.spun_away } else { &self.centrifuge }, from);
        let first = prices[within.start];
        let cheaper = |slot: &usize| prices[*slot] < first / 4 * 3;
        (within.start + 1..within.end).find(cheaper).unwrap_or(within.end)
    }

    /// The least price of centrifuging a tube in some slots after a courier has brought it elsewhere,
    /// and back if it is tested where it stands.
    pub(super) fn spun_away(&self, from: SiteIx, to: SiteIx, within: std::ops::Range<usize>) -> Scaled {
        let back = if from == to { 2 * scaled(self.facts.snapshot.policy.prices.courier_tube) } else { 0 };
        let first = from.row() * self.facts.slots;
        within.map(|slot| NEVER.min(self.spun_away[first + slot] + back)).min().unwrap_or(NEVER)
    }

    /// Every two sites that two containers of a tube from a site can go to.
    fn gather_pairs(&self, from: SiteIx, later: bool) -> Vec<Pair> {
        let sites = || self.facts.snapshot.network.sites.indices();
        sites().flat_map(|first| sites().filter_map(move |second| self.pair(from, first, second, later))).collect()
    }

    fn pair(&self, from: SiteIx, first: SiteIx, second: SiteIx, later: bool) -> Option<Pair> {
        let (split, reach) = (self.split(from, first, second), self.reach(from, first, later));
        let booked =
            |ways: &[Scaled], at| ways.iter().zip(self.of_site(&self.book, at)).map(|(way, book)| way + book).min();
        let (there, sent) = (booked(reach, first)?, booked(split, second)?);
        let from = |slots: &[Scaled]| slots.partition_point(|&price| price >= NEVER);
        let reached = first != second && sent < NEVER && there < NEVER;
        reached.then(|| Pair { first: (first, from(reach)), second: (second, from(split)), there, sent })
    }

    /// Every two sites that two containers of a tube from a site can go to, at once or after the
    /// first slot.
    pub(super) fn pairs(&self, from: SiteIx, later: bool) -> &[Pair] {
        &self.pairs[usize::from(later)][from.row()]
    }

    /// Per slot: the cheapest aliquot of a tube from a site at another, with couriers to a third that the second
    /// container can be booked in after.
    pub(super) fn split(&self, from: SiteIx, first: SiteIx, second: SiteIx) -> &[Scaled] {
        let (sites, slots) = (self.facts.snapshot.network.sites.len(), self.facts.slots);
        let number = self.splits.number[from.row() * sites + first.row()] as usize;
        let row = (number * sites + second.row()) * slots;
        &self.splits.onward[row..row + slots]
    }

    /// Per slot: the cheapest couriers from a site to another that a tube can be booked in after;
    /// those that leave at any time, or after the first slot.
    pub(super) fn reach(&self, from: SiteIx, to: SiteIx, later: bool) -> &[Scaled] {
        let (sites, slots) = (self.facts.snapshot.network.sites.len(), self.facts.slots);
        let first = (from.row() * sites + to.row()) * slots;
        if later { &self.onward[first..first + slots] } else { &self.reach[first..first + slots] }
    }

    /// The first slot in which a tube from a site can be booked in at another; beyond the last when in none.
    pub(super) fn first_reached(&self, from: SiteIx, to: SiteIx) -> usize {
        usize::from(self.reached_from[from.row() * self.facts.snapshot.network.sites.len() + to.row()])
    }

    /// Per slot: the cheapest analyser of a site for a test.
    pub(super) fn run(&self, site: SiteIx, test: TestIx) -> &[Scaled] {
        let first = (site.row() * self.facts.snapshot.catalogue.tests.len() + test.row()) * self.facts.slots;
        &self.run[first..first + self.facts.slots]
    }

    /// Per slot, from a flat table by site.
    pub(super) fn of_site<'b>(&self, table: &'b [Scaled], site: SiteIx) -> &'b [Scaled] {
        &table[site.row() * self.facts.slots..(site.row() + 1) * self.facts.slots]
    }

    /// The price of a visit.
    pub(super) fn visit(&self, point: CollectionPointIx, day: Day) -> Scaled {
        let capacity = &self.facts.snapshot.capacity;
        let cells = [capacity.visits(point, day), capacity.recall_cap(day)];
        NEVER.min(cells.into_iter().map(|cell| cell.map_or(NEVER, |cell| self.price(cell, 1))).sum())
    }
}
