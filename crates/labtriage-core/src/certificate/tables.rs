//! What does a use cost at given prices? Prices of cells, gathered into what a sample could do.
//!
//! All amounts here are [`Scaled`]. A cell of which less is left than a use takes cannot be used:
//! its price is more than anything costs.

use crate::certificate::facts::Facts;
use crate::certificate::sample::ANYWHERE;
use crate::certificate::stage::Before;
use crate::certificate::travel::Travel;
use crate::certificate::{NEVER, Prices, Scaled, scaled};
use crate::table::{AnalyserIx, CalendarIx, CellIx, CollectionPointIx, Ix, SiteIx, SlotIx, TestIx};
use crate::time::Day;

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
    /// Per site and slot: centrifuged there.
    centrifuge: Vec<Scaled>,
    /// Per origin and slot: centrifuged somewhere else, once it can be there.
    spun_away: Vec<Scaled>,
    /// The cheapest place to freeze, and which that is.
    pub(super) freeze: Scaled,
    freezes_at: Option<(SiteIx, SlotIx)>,
    /// Per site and slot: aliquoted there.
    aliquot: Vec<Scaled>,
    /// By couriers that carry what is not frozen; and by all, where some carry nothing else.
    travels: Vec<Travel>,
    /// Per origin: the sites, one bit each, to which freezing a tube pays for the couriers that carry nothing else.
    iced_to: Vec<u64>,
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
            centrifuge: Vec::new(),
            spun_away: Vec::new(),
            freeze: NEVER,
            freezes_at: None,
            aliquot: Vec::new(),
            travels: Vec::new(),
            iced_to: Vec::new(),
        };
        this.gather_sites();
        this.gather_runs();
        this.travels = (0..=usize::from(facts.dry_ice)).map(|frozen| Travel::new(&this, frozen > 0)).collect();
        this.spun_away = this.gather_spun_away();
        this.iced_to = match &this.travels[..] {
            // Of two containers each may gain by them, and freezing is paid once.
            [liquid, any] => any.pays_to(liquid, this.freeze / 2),
            _ => vec![0; facts.snapshot.network.sites.len()],
        };
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
            let mut aliquoting = (NEVER, snapshot.first_slot());
            for slot in grid.slots() {
                let quota = capacity.quota(site, grid.day(slot)).map_or(0, |cell| self.price(cell, 1));
                self.book.push(NEVER.min(self.price(capacity.reception(site, slot), 1) + quota));
                self.report.push(self.price(capacity.reporting(site, slot), 1));
                let aliquot = self.price(capacity.aliquoting(site, slot), 1);
                aliquoting = aliquoting.min((aliquot, slot));
                self.aliquot.push(NEVER.min(aliquot + scaled(policy.prices.aliquot)));
                let spun = self.price(capacity.centrifuge(site, slot), 1) + scaled(policy.prices.spin);
                self.centrifuge.push(NEVER.min(spun));
            }
            let place = self.price(capacity.freezer(site), 1);
            if aliquoting.0 + place < self.freeze {
                (self.freeze, self.freezes_at) = (aliquoting.0 + place, Some((site, aliquoting.1)));
            }
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

    fn gather_spun_away(&self) -> Vec<Scaled> {
        let sites = || self.facts.snapshot.network.sites.indices();
        let mut away = vec![NEVER; sites().len() * self.facts.slots];
        for from in sites() {
            for there in sites().filter(|&there| there != from) {
                for slot in self.travel(true).first_reached(from, there)..self.facts.slots {
                    let cell = &mut away[from.row() * self.facts.slots + slot];
                    *cell = self.centrifuge[there.row() * self.facts.slots + slot].min(*cell);
                }
            }
        }
        away
    }

    /// What freezing uses where it is cheapest.
    pub(super) fn freezing(&self) -> impl Iterator<Item = CellIx> {
        let capacity = &self.facts.snapshot.capacity;
        let cells = |(site, slot)| [capacity.aliquoting(site, slot), capacity.freezer(site)];
        self.freezes_at.map(cells).into_iter().flatten()
    }

    /// How tubes travel by couriers that carry what is not frozen, or by any.
    pub(super) fn travel(&self, frozen: bool) -> &Travel {
        &self.travels[usize::from(frozen && self.facts.dry_ice)]
    }

    /// Per slot: aliquoted at a site.
    pub(super) fn aliquot(&self, site: SiteIx) -> &[Scaled] {
        self.of_site(&self.aliquot, site)
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

    /// The sites, one bit each, to which a tube from a site had better be centrifuged elsewhere in some slots: where that
    /// costs less, or it gets there by couriers that leave before it could be centrifuged where it stands.
    pub(super) fn spun_away_to(&self, from: SiteIx, within: std::ops::Range<usize>) -> u64 {
        let (here, away) = (self.of_site(&self.centrifuge, from), self.of_site(&self.spun_away, from));
        let cheaper = within.clone().any(|slot| away[slot] < here[slot]);
        if cheaper { ANYWHERE } else { self.travels.iter().fold(0, |sites, travel| sites | travel.sooner_to(from)) }
    }

    /// The sites, one bit each, to which freezing a tube pays that is kept no longer by it.
    pub(super) fn iced_to(&self, from: SiteIx) -> u64 {
        self.iced_to[from.row()]
    }

    /// The least price of centrifuging a tube in some slots after a courier has brought it elsewhere,
    /// and back if it is tested where it stands.
    pub(super) fn spun_away(&self, from: SiteIx, to: SiteIx, within: std::ops::Range<usize>) -> Scaled {
        let back = if from == to { 2 * scaled(self.facts.snapshot.policy.prices.courier_tube) } else { 0 };
        let first = from.row() * self.facts.slots;
        within.map(|slot| NEVER.min(self.spun_away[first + slot] + back)).min().unwrap_or(NEVER)
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
