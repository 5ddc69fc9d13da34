//! What does a use cost at the prices, and is it still there?

use labtriage_core::calendar::Calendar;
use labtriage_core::capacity::Departure;
use labtriage_core::certificate::{SHIFT, Scaled};
use labtriage_core::plan::Step;
use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::{AnalyserIx, CalendarIx, CellIx, Ix, LineIx, SiteIx, SlotIx, TestIx};
use labtriage_core::time::Instant;
use labtriage_core::units::Cost;

use crate::routes::Routes;
use crate::way::{Way, booked_in_from};

/// More than anything costs: what cannot be had.
pub(super) const NEVER: Scaled = 1 << 54;

/// The most that a single use is priced at, well below [`NEVER`].
const DEAREST: Scaled = NEVER >> 6;

pub(super) const fn scaled(cost: Cost) -> Scaled {
    cost.thousandths() << SHIFT
}

/// How an analyser runs a test.
pub(super) struct Runs {
    pub(super) analyser: AnalyserIx,
    /// On which days.
    run_days: Option<CalendarIx>,
    /// Module work of one test, in milliseconds.
    work: u64,
    /// The cell of its time in the first slot; those of the other slots follow.
    first: usize,
    /// Reagents of which a test takes one each.
    stock: Box<[CellIx]>,
    /// What it loses of a sample, in microlitres.
    pub(super) dead_volume: u32,
}

/// Who runs what and when, whatever it costs.
pub(crate) struct Menu {
    tests: usize,
    /// By site and test.
    runs: Vec<Vec<Runs>>,
    open: Vec<Vec<bool>>,
    /// Minutes from now to the end of each slot.
    pub(super) minutes: Vec<i64>,
    /// Per slot: when the local day on which it begins is over.
    midnights: Vec<Instant>,
    /// Per departure: the first slot in which what it brings can be booked in, if any.
    delivered: Vec<Option<SlotIx>>,
}

impl Menu {
    pub(crate) fn new(snapshot: &Snapshot) -> Self {
        let (network, grid) = (&snapshot.network, &snapshot.grid);
        let tests = snapshot.catalogue.tests.len();
        let mut runs: Vec<Vec<Runs>> = (0..network.sites.len() * tests).map(|_| Vec::new()).collect();
        for (analyser, facts) in network.analysers.enumerate() {
            for &(test, run_days) in &facts.menu {
                runs[facts.site.row() * tests + test.row()].push(Runs {
                    analyser,
                    run_days,
                    work: u64::from(snapshot.catalogue.tests[test].analyser_time.millis()),
                    first: snapshot.capacity.analyser_time(analyser, SlotIx::from_row(0)).row(),
                    stock: snapshot.capacity.stock(analyser, test).collect(),
                    dead_volume: facts.dead_volume.get(),
                });
            }
        }
        let opens = |calendar: &Calendar| {
            let open = |slot| calendar.open_between(network.zone, grid.start(slot), grid.end(slot)).get() > 0;
            grid.slots().map(open).collect()
        };
        let delivered = |departure: &Departure| {
            let site = network.couriers[departure.courier].to;
            booked_in_from(snapshot, site, departure.arrives, true)
        };
        Self {
            tests,
            runs,
            open: network.calendars.iter().map(opens).collect(),
            minutes: grid.slots().map(|slot| i64::from(grid.end(slot).since(snapshot.now).get())).collect(),
            midnights: grid.slots().map(|slot| network.zone.at(grid.day(slot).plus_days(1), 0)).collect(),
            delivered: snapshot.departures.iter().map(delivered).collect(),
        }
    }

    /// The first slot in which a tube on its way can be booked in where it is.
    pub(super) fn first_booking(&self, snapshot: &Snapshot, way: &Way) -> Option<usize> {
        let from = if let Some(Step::Send(departure)) = way.steps().last() {
            self.delivered[departure.row()]
        } else if way.by_courier() && snapshot.network.sites[way.site].partner.is_some() {
            booked_in_from(snapshot, way.site, way.earliest(), true)
        } else {
            // As that, without a look at the calendar: a slot in which a day ends takes nothing that comes on the next.
            let slot = snapshot.grid.slot_at(way.earliest())?.row();
            let slot = slot + usize::from(way.earliest() >= self.midnights[slot]);
            (slot < snapshot.grid.len()).then(|| SlotIx::from_row(slot))
        };
        from.map(|from| from.max(way.slot).row())
    }

    pub(super) fn of(&self, site: SiteIx, test: TestIx) -> &[Runs] {
        &self.runs[site.row() * self.tests + test.row()]
    }

    pub(super) fn runs(&self, site: SiteIx, test: TestIx) -> bool {
        !self.of(site, test).is_empty()
    }

    fn works(&self, run_days: Option<CalendarIx>, slot: usize) -> bool {
        run_days.is_none_or(|days| self.open[days.row()][slot])
    }

    /// The slots that have ended so many minutes from now.
    pub(super) fn ended_by(&self, minutes: i64) -> usize {
        self.minutes.partition_point(|&end| end <= minutes)
    }
}

/// Prices, and what is left.
#[derive(Clone, Copy)]
pub(super) struct Market<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) menu: &'a Menu,
    pub(super) routes: &'a Routes,
    pub(super) prices: &'a [Scaled],
    pub(super) left: &'a [u64],
    /// What was worked out for many.
    pub(super) shared: &'a Shared,
}

/// What prices alone say, as long as there is as much left as a stage began with. Empty until it is worked out.
#[derive(Default)]
pub(super) struct Shared {
    /// Per site and slot: booking in.
    booked: Vec<Scaled>,
    /// Per site, test and slot: the cheapest analyser.
    work: Vec<Scaled>,
}

/// Nothing worked out.
pub(super) static NOTHING_SHARED: Shared = Shared { booked: Vec::new(), work: Vec::new() };

impl Shared {
    pub(super) fn clear(&mut self) {
        self.booked.clear();
        self.work.clear();
    }

    /// Works out what is not yet known, on a market that knows nothing.
    pub(super) fn work_out(&mut self, market: &Market<'_>) {
        if !self.booked.is_empty() {
            return;
        }
        let slots = market.menu.minutes.len();
        for site in market.snapshot.network.sites.indices() {
            self.booked.extend((0..slots).map(|slot| market.work_out_booking(site, slot)));
            for test in market.snapshot.catalogue.tests.indices() {
                let first = self.work.len();
                self.work.resize(first + slots, NEVER);
                market.work_by_slot(site, test, &mut self.work[first..]);
            }
        }
    }
}

/// What one patient has already taken while its own choice is put together.
#[derive(Default, Clone)]
pub(super) struct Taken(Vec<(usize, u64)>);

impl Taken {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn take(&mut self, cell: CellIx, amount: u64) {
        match self.0.iter_mut().find(|(taken, _)| *taken == cell.row()) {
            Some((_, sum)) => *sum += amount,
            None => self.0.push((cell.row(), amount)),
        }
    }

    /// Whether there is enough for all of it.
    pub(super) fn fits(&self, market: &Market<'_>) -> bool {
        self.0.iter().all(|&(cell, amount)| market.left[cell] >= amount)
    }

    fn of(&self, cell: usize) -> u64 {
        self.0.iter().find(|(taken, _)| *taken == cell).map_or(0, |(_, sum)| *sum)
    }
}

impl Market<'_> {
    /// The price of using so much of a cell; [`NEVER`] when less is left.
    pub(super) fn price(&self, cell: CellIx, amount: u64) -> Scaled {
        if self.left[cell.row()] < amount { NEVER } else { self.value(cell, amount) }
    }

    fn value(&self, cell: CellIx, amount: u64) -> Scaled {
        self.prices[cell.row()].saturating_mul(i64::try_from(amount).unwrap_or(i64::MAX)).min(DEAREST)
    }

    /// The same beside what the patient itself has taken.
    pub(super) fn price_beside(&self, taken: &Taken, cell: CellIx, amount: u64) -> Scaled {
        let left = self.left[cell.row()].saturating_sub(taken.of(cell.row()));
        if left < amount { NEVER } else { self.value(cell, amount) }
    }

    /// Reception, and a partner's quota.
    pub(super) fn booking(&self, site: SiteIx, slot: usize) -> Scaled {
        let known = self.shared.booked.get(site.row() * self.menu.minutes.len() + slot);
        known.copied().unwrap_or_else(|| self.work_out_booking(site, slot))
    }

    fn work_out_booking(&self, site: SiteIx, slot: usize) -> Scaled {
        let slot = SlotIx::from_row(slot);
        let capacity = &self.snapshot.capacity;
        let quota = capacity.quota(site, self.snapshot.grid.day(slot)).map_or(0, |cell| self.price(cell, 1));
        NEVER.min(self.price(capacity.reception(site, slot), 1) + quota)
    }

    /// The price of a test on an analyser in a slot.
    pub(super) fn work(&self, runs: &Runs, slot: usize, price: impl Fn(CellIx, u64) -> Scaled) -> Scaled {
        if !self.menu.works(runs.run_days, slot) {
            return NEVER;
        }
        let time = price(CellIx::from_row(runs.first + slot), runs.work);
        let stock: Scaled = runs.stock.iter().map(|&cell| price(cell, 1)).sum();
        NEVER.min(time + stock)
    }

    /// The price of a test on the cheapest analyser of a site in every slot.
    pub(super) fn work_by_slot(&self, site: SiteIx, test: TestIx, least: &mut [Scaled]) {
        let first = (site.row() * self.menu.tests + test.row()) * least.len();
        match self.shared.work.get(first..first + least.len()) {
            Some(known) => least.copy_from_slice(known),
            None => self.menu.of(site, test).iter().for_each(|runs| self.work_on_by_slot(runs, least)),
        }
    }

    /// The same on an analyser, where it is less than in `least`.
    fn work_on_by_slot(&self, runs: &Runs, least: &mut [Scaled]) {
        if runs.run_days.is_some() {
            for (slot, least) in least.iter_mut().enumerate() {
                *least = self.work(runs, slot, |cell, amount| self.price(cell, amount)).min(*least);
            }
            return;
        }
        let stock: Scaled = runs.stock.iter().map(|&cell| self.price(cell, 1)).sum();
        let cells = runs.first..runs.first + least.len();
        let (prices, left) = (&self.prices[cells.clone()], &self.left[cells]);
        let work = i64::try_from(runs.work).unwrap_or(i64::MAX);
        // Where the product would be too much, it is as much as there is.
        let dearest = DEAREST / work.max(1);
        for ((least, &price), &left) in least.iter_mut().zip(prices).zip(left) {
            let time = if left < runs.work { NEVER } else { price.min(dearest) * work };
            *least = (time + stock).min(*least);
        }
    }

    /// The price of a report at a site in each slot.
    pub(super) fn reporting(&self, site: SiteIx) -> impl DoubleEndedIterator<Item = Scaled> + ExactSizeIterator {
        let first = self.snapshot.capacity.reporting(site, SlotIx::from_row(0)).row();
        let cells = first..first + self.menu.minutes.len();
        let each = self.prices[cells.clone()].iter().zip(&self.left[cells]);
        each.map(|(&price, &left)| if left < 1 { NEVER } else { price.min(DEAREST) })
    }

    /// The cost of a line's result that is out at the end of each slot.
    pub(super) fn results(&self, line: LineIx, results: &mut Vec<Scaled>) {
        let snapshot = self.snapshot;
        let weight = i64::from(snapshot.weights[line].thousandths());
        let due = i64::from(snapshot.due[line].since(snapshot.now).get());
        let lateness = snapshot.policy.bands[snapshot.bands[line]].lateness.get().saturating_sub(100);
        results.clear();
        results.extend(self.menu.minutes.iter().map(|&minutes| {
            let late = weight * (minutes - due).max(0) / 1440;
            (weight * minutes / 1440 + late * i64::from(lateness) / 100) << SHIFT
        }));
    }
}
