//! How much of what is there, and when? Every limit of the network, cell by cell.
//!
//! A resource is cut into cells: slots for machines and hands, local days for quotas and visits,
//! single departures for couriers, the whole horizon for reagent and freezers. Who uses a cell is
//! the plan's business; how much a cell holds is said here and nowhere else.

use std::collections::BTreeMap;

use crate::calendar::Calendar;
use crate::catalogue::Catalogue;
use crate::grid::Grid;
use crate::network::{Disrupted, Network};
use crate::overrides::{Action, Overrides};
use crate::policy::Policy;
use crate::table::{
    AnalyserIx, CellIx, CollectionPointIx, CourierIx, DepartureIx, DisciplineIx, Ix, RequesterIx, SiteIx, SlotIx,
    Table, TestIx,
};
use crate::time::{Day, Instant, Minutes};
use crate::units::Percent;

/// One departure of a courier.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Departure {
    /// The courier.
    pub courier: CourierIx,
    /// When it leaves.
    pub leaves: Instant,
    /// When it arrives.
    pub arrives: Instant,
}

/// What a cell limits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Resource {
    /// Milliseconds of reference module work, per slot.
    AnalyserTime(AnalyserIx),
    /// Samples booked in, per slot.
    Reception(SiteIx),
    /// Tubes centrifuged, per slot.
    Centrifuge(SiteIx),
    /// Tubes aliquoted or frozen, per slot.
    Aliquoting(SiteIx),
    /// Results reported, per slot.
    Reporting(SiteIx),
    /// Tubes frozen, over the horizon.
    Freezer(SiteIx),
    /// Tubes on one departure.
    Courier(DepartureIx),
    /// Samples booked in at a partner, per local day.
    Quota(SiteIx),
    /// Tests that reagent is left for, over the horizon.
    Stock(AnalyserIx, TestIx),
    /// Recall visits at a collection point, per local day.
    Visits(CollectionPointIx),
    /// Recall visits in the network, per local day.
    RecallCap,
    /// Lines run for a requester under a cap, per local day.
    RequesterCap(RequesterIx),
}

/// When a cell applies.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum When {
    /// In a slot.
    Slot(SlotIx),
    /// On a local day.
    Day(Day),
    /// At a departure.
    Departure(DepartureIx),
    /// Over the whole horizon.
    Horizon,
}

/// All cells and their limits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Capacity {
    limits: Table<CellIx, u64>,
    blocks: Vec<(usize, Resource)>,
    first_day: Day,
    days: usize,
    analyser_time: Vec<usize>,
    reception: Vec<usize>,
    centrifuge: Vec<usize>,
    aliquoting: Vec<usize>,
    reporting: Vec<usize>,
    freezer: usize,
    departures: usize,
    quota: Vec<Option<usize>>,
    stock: Vec<Vec<(TestIx, usize)>>,
    visits: Vec<usize>,
    recall_cap: usize,
    requester_caps: BTreeMap<RequesterIx, usize>,
}

/// What the limits are worked out from.
struct Source<'a> {
    network: &'a Network,
    policy: &'a Policy,
    grid: &'a Grid,
}

impl Capacity {
    /// The cells of a network under a policy and its overrides.
    pub fn new(
        catalogue: &Catalogue,
        network: &Network,
        policy: &Policy,
        grid: &Grid,
        departures: &Table<DepartureIx, Departure>,
        overrides: &Overrides,
    ) -> Self {
        let source = Source { network, policy, grid };
        let mut this = Self::empty(grid);
        for analyser in network.analysers.indices() {
            let limits = grid.slots().map(|slot| source.analyser_millis(analyser, slot)).collect();
            let first = this.block(Resource::AnalyserTime(analyser), limits);
            this.analyser_time.push(first);
        }
        this.add_site_rates(&source);
        this.add_horizon_limits(&source, catalogue);
        for (index, departure) in departures.enumerate() {
            let tubes = network.capacity.of(u64::from(network.couriers[departure.courier].tubes));
            let first = this.block(Resource::Courier(index), vec![tubes]);
            if index.row() == 0 {
                this.departures = first;
            }
        }
        this.add_visits(&source);
        for about in overrides.all.iter() {
            match about.action {
                Action::Cap { requester, lines_per_day } => {
                    let limits = vec![u64::from(lines_per_day); this.days];
                    let first = this.block(Resource::RequesterCap(requester), limits);
                    this.requester_caps.insert(requester, first);
                }
                Action::Visits { point, day, visits } => this.book(point, day, u64::from(visits)),
                _ => {}
            }
        }
        this
    }

    /// Takes booked visits out of what is left of a day; a day beyond the horizon has no cells.
    fn book(&mut self, point: CollectionPointIx, day: Day, visits: u64) {
        for cell in [self.visits(point, day), self.recall_cap(day)].into_iter().flatten() {
            self.limits[cell] = self.limits[cell].saturating_sub(visits);
        }
    }

    fn empty(grid: &Grid) -> Self {
        Self {
            limits: Table::default(),
            blocks: Vec::new(),
            first_day: grid.first_day(),
            days: grid.day_count(),
            analyser_time: Vec::new(),
            reception: Vec::new(),
            centrifuge: Vec::new(),
            aliquoting: Vec::new(),
            reporting: Vec::new(),
            freezer: 0,
            departures: 0,
            quota: Vec::new(),
            stock: Vec::new(),
            visits: Vec::new(),
            recall_cap: 0,
            requester_caps: BTreeMap::new(),
        }
    }

    fn block(&mut self, resource: Resource, limits: Vec<u64>) -> usize {
        let first = self.limits.len();
        self.blocks.push((first, resource));
        for limit in limits {
            self.limits.push(limit);
        }
        first
    }

    fn add_site_rates(&mut self, source: &Source<'_>) {
        for site in source.network.sites.indices() {
            let facts = &source.network.sites[site];
            let rate = |disrupted, per_hour| -> Vec<u64> {
                source.grid.slots().map(|slot| source.site_rate(site, disrupted, per_hour, slot)).collect()
            };
            let first = self.block(Resource::Reception(site), rate(Disrupted::Reception, facts.reception_per_hour));
            self.reception.push(first);
            let first = self.block(Resource::Centrifuge(site), rate(Disrupted::Centrifuge, facts.centrifuge_per_hour));
            self.centrifuge.push(first);
            let first = self.block(Resource::Aliquoting(site), rate(Disrupted::Centrifuge, facts.aliquot_per_hour));
            self.aliquoting.push(first);
            let first = self.block(Resource::Reporting(site), rate(Disrupted::Reporting, facts.report_per_hour));
            self.reporting.push(first);
            let quota =
                facts.partner.as_ref().map(|partner| source.network.capacity.of(u64::from(partner.quota_per_day)));
            let first = quota.map(|quota| self.block(Resource::Quota(site), vec![quota; self.days]));
            self.quota.push(first);
        }
    }

    fn add_horizon_limits(&mut self, source: &Source<'_>, catalogue: &Catalogue) {
        let scaled = |amount: u32| source.network.capacity.of(u64::from(amount));
        for (site, facts) in source.network.sites.enumerate() {
            let first = self.block(Resource::Freezer(site), vec![scaled(facts.freezer_places)]);
            if site.row() == 0 {
                self.freezer = first;
            }
        }
        for (analyser, facts) in source.network.analysers.enumerate() {
            let mut cells = Vec::new();
            for stock in &facts.stock {
                let cell = self.block(Resource::Stock(analyser, stock.test), vec![scaled(stock.tests)]);
                let panels = catalogue.tests.enumerate().filter(|(_, panel)| panel.members.contains(&stock.test));
                cells.extend(panels.map(|(panel, _)| panel).chain([stock.test]).map(|test| (test, cell)));
            }
            self.stock.push(cells);
        }
    }

    fn add_visits(&mut self, source: &Source<'_>) {
        let network = source.network;
        for (point, facts) in network.collection_points.enumerate() {
            let visits = network.capacity.of(u64::from(facts.visits_per_day));
            let calendar = &network.calendars[facts.calendar];
            let limits = (0..self.days).map(|n| if calendar.opens_on(self.day(n)) { visits } else { 0 }).collect();
            let first = self.block(Resource::Visits(point), limits);
            self.visits.push(first);
        }
        let cap = network.capacity.of(u64::from(source.policy.recalls_per_day));
        self.recall_cap = self.block(Resource::RecallCap, vec![cap; self.days]);
    }

    fn day(&self, n: usize) -> Day {
        self.first_day.plus_days(i32::try_from(n).unwrap_or(0))
    }

    fn day_offset(&self, day: Day) -> Option<usize> {
        usize::try_from(day.days_since(self.first_day)).ok().filter(|n| *n < self.days)
    }

    fn slot_cell(base: &[usize], row: usize, slot: SlotIx) -> CellIx {
        CellIx::from_row(base[row] + slot.row())
    }

    /// How many cells there are.
    pub fn len(&self) -> usize {
        self.limits.len()
    }

    /// Never: there is always the recall cap.
    pub fn is_empty(&self) -> bool {
        self.limits.is_empty()
    }

    /// How much a cell holds.
    pub fn limit(&self, cell: CellIx) -> u64 {
        self.limits[cell]
    }

    /// All limits in order of cell.
    pub fn limits(&self) -> &Table<CellIx, u64> {
        &self.limits
    }

    /// The same capacity with more in one cell, for asking what it would be worth.
    #[must_use]
    pub fn with_extra(mut self, cell: CellIx, extra: u64) -> Self {
        self.limits[cell] = self.limits[cell].saturating_add(extra);
        self
    }

    /// Milliseconds of module work of an analyser in a slot.
    pub fn analyser_time(&self, analyser: AnalyserIx, slot: SlotIx) -> CellIx {
        Self::slot_cell(&self.analyser_time, analyser.row(), slot)
    }

    /// Samples booked in at a site in a slot.
    pub fn reception(&self, site: SiteIx, slot: SlotIx) -> CellIx {
        Self::slot_cell(&self.reception, site.row(), slot)
    }

    /// Tubes centrifuged at a site in a slot.
    pub fn centrifuge(&self, site: SiteIx, slot: SlotIx) -> CellIx {
        Self::slot_cell(&self.centrifuge, site.row(), slot)
    }

    /// Tubes aliquoted or frozen at a site in a slot.
    pub fn aliquoting(&self, site: SiteIx, slot: SlotIx) -> CellIx {
        Self::slot_cell(&self.aliquoting, site.row(), slot)
    }

    /// Results leaving a site in a slot.
    pub fn reporting(&self, site: SiteIx, slot: SlotIx) -> CellIx {
        Self::slot_cell(&self.reporting, site.row(), slot)
    }

    /// Freezer places of a site.
    pub fn freezer(&self, site: SiteIx) -> CellIx {
        CellIx::from_row(self.freezer + site.row())
    }

    /// Tubes on a departure.
    pub fn courier(&self, departure: DepartureIx) -> CellIx {
        CellIx::from_row(self.departures + departure.row())
    }

    /// Samples a partner books in on a day; none for a site without quota or a day beyond the horizon.
    pub fn quota(&self, site: SiteIx, day: Day) -> Option<CellIx> {
        Some(CellIx::from_row(self.quota[site.row()]? + self.day_offset(day)?))
    }

    /// The reagents of an analyser that a test uses up, one of each; of a panel, those of its tests.
    pub fn stock(&self, analyser: AnalyserIx, test: TestIx) -> impl Iterator<Item = CellIx> {
        let stock = self.stock[analyser.row()].iter();
        stock.filter(move |(of, _)| *of == test).map(|&(_, cell)| CellIx::from_row(cell))
    }

    /// Visits at a collection point on a day within the horizon.
    pub fn visits(&self, point: CollectionPointIx, day: Day) -> Option<CellIx> {
        Some(CellIx::from_row(self.visits[point.row()] + self.day_offset(day)?))
    }

    /// Visits in the network on a day within the horizon.
    pub fn recall_cap(&self, day: Day) -> Option<CellIx> {
        Some(CellIx::from_row(self.recall_cap + self.day_offset(day)?))
    }

    /// Lines run for a requester on a day; none without a cap.
    pub fn requester_cap(&self, requester: RequesterIx, day: Day) -> Option<CellIx> {
        Some(CellIx::from_row(self.requester_caps.get(&requester)? + self.day_offset(day)?))
    }

    /// What a cell limits, and when.
    pub fn describe(&self, cell: CellIx) -> (Resource, When) {
        let block = self.blocks.partition_point(|(first, _)| *first <= cell.row()) - 1;
        let (first, resource) = self.blocks[block];
        let offset = cell.row() - first;
        let when = match resource {
            Resource::AnalyserTime(_)
            | Resource::Reception(_)
            | Resource::Centrifuge(_)
            | Resource::Aliquoting(_)
            | Resource::Reporting(_) => When::Slot(SlotIx::from_row(offset)),
            Resource::Quota(_) | Resource::Visits(_) | Resource::RecallCap | Resource::RequesterCap(_) => {
                When::Day(self.day(offset))
            }
            Resource::Courier(departure) => When::Departure(departure),
            Resource::Freezer(_) | Resource::Stock(..) => When::Horizon,
        };
        (resource, when)
    }
}

impl Source<'_> {
    /// Minutes open in a slot, cut into pieces where a factor changes: `(minutes, piece start)`.
    fn pieces(&self, calendar: &Calendar, slot: SlotIx, mut cuts: Vec<Instant>) -> Vec<(Minutes, Instant)> {
        let (start, end) = (self.grid.start(slot), self.grid.end(slot));
        cuts.retain(|cut| *cut > start && *cut < end);
        cuts.extend([start, end]);
        cuts.sort_unstable();
        cuts.windows(2).map(|piece| (calendar.open_between(self.network.zone, piece[0], piece[1]), piece[0])).collect()
    }

    fn step_times(&self) -> Vec<Instant> {
        self.network.disruptions.iter().flat_map(|disruption| disruption.steps.iter().map(|(from, _)| *from)).collect()
    }

    fn strikes_site(&self, named: Option<SiteIx>, analyser: Option<AnalyserIx>, site: SiteIx) -> bool {
        match (named, analyser) {
            (Some(named), _) => named == site,
            (None, Some(_)) => false,
            (None, None) => self.network.sites[site].partner.is_none(),
        }
    }

    fn analyser_millis(&self, analyser: AnalyserIx, slot: SlotIx) -> u64 {
        let facts = &self.network.analysers[analyser];
        let reserves: Vec<_> =
            self.policy.reserves.iter().filter(|reserve| facts.disciplines.contains(&reserve.discipline)).collect();
        let day = self.grid.day(slot);
        let zone = self.network.zone;
        let hours = reserves.iter().flat_map(|reserve| [zone.at(day, reserve.from), zone.at(day, reserve.until)]);
        let cuts = self.step_times().into_iter().chain(hours).collect();
        let struck = |disciplines: &[DisciplineIx], named: Option<DisciplineIx>| {
            named.is_none_or(|one| disciplines.contains(&one))
        };
        let work = self.pieces(&self.network.calendars[facts.calendar], slot, cuts).into_iter().map(|(open, from)| {
            let disrupted = self.network.disruptions.iter().filter(|disruption| {
                disruption.limits.contains(&Disrupted::Analyser)
                    && disruption.analyser.is_none_or(|named| named == analyser)
                    && (disruption.analyser.is_some() || self.strikes_site(disruption.site, None, facts.site))
                    && struck(&facts.disciplines, disruption.discipline)
            });
            let kept_free = reserves
                .iter()
                .filter(|reserve| zone.at(day, reserve.from) <= from && from < zone.at(day, reserve.until))
                .map(|reserve| reserve.share.get().min(100))
                .max()
                .unwrap_or(0);
            let millis = u64::try_from(open.get()).unwrap_or(0) * 60 * u64::from(facts.rate_permille);
            disrupted
                .map(|disruption| disruption.left_at(from))
                .chain([self.network.capacity, Percent::new(100 - kept_free)])
                .fold(millis, |work, share| share.of(work))
        });
        work.sum()
    }

    fn site_rate(&self, site: SiteIx, disrupted: Disrupted, per_hour: u32, slot: SlotIx) -> u64 {
        let calendar = &self.network.calendars[self.network.sites[site].calendar];
        let pieces = self.pieces(calendar, slot, self.step_times()).into_iter();
        let rate = pieces.map(|(open, from)| {
            let cut = self.network.disruptions.iter().filter(|disruption| {
                disruption.limits.contains(&disrupted) && self.strikes_site(disruption.site, disruption.analyser, site)
            });
            // Thousandths of a unit, so that slow rates are not rounded away piece by piece.
            let amount = u64::try_from(open.get()).unwrap_or(0) * u64::from(per_hour) * 1000 / 60;
            cut.map(|disruption| disruption.left_at(from))
                .chain([self.network.capacity])
                .fold(amount, |rate, share| share.of(rate))
        });
        rate.sum::<u64>() / 1000
    }
}

/// Every departure that leaves from `now` on and arrives within the horizon, in order of courier and time.
pub fn departures(network: &Network, grid: &Grid) -> Table<DepartureIx, Departure> {
    let now = grid.start(SlotIx::from_row(0));
    let mut found = Table::default();
    for (courier, facts) in network.couriers.enumerate() {
        for ahead in 0..grid.day_count() {
            let day = grid.first_day().plus_days(i32::try_from(ahead).unwrap_or(0));
            for &(weekday, minute) in facts.departs.iter().filter(|(weekday, _)| *weekday == day.weekday()) {
                debug_assert_eq!(weekday, day.weekday());
                let leaves = network.zone.at(day, minute);
                let arrives = leaves.plus(facts.transit);
                if leaves >= now && arrives < grid.horizon_end() {
                    found.push(Departure { courier, leaves, arrives });
                }
            }
        }
    }
    found
}

/// The first local day on which a collection point may see a recalled patient: its so-manieth
/// open day after today (today itself at no lead time).
pub fn first_visit_day(network: &Network, point: CollectionPointIx, today: Day) -> Day {
    let facts = &network.collection_points[point];
    let calendar = &network.calendars[facts.calendar];
    let mut day = today;
    let mut left = facts.lead_time_days;
    // A year without an open day means that the point never opens; its visits are then 0 anyway.
    for _ in 0..366 {
        if left == 0 {
            break;
        }
        day = day.plus_days(1);
        left -= u32::from(calendar.opens_on(day));
    }
    day
}
