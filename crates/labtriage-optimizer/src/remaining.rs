//! What capacity is left, and which is the first slot that still has room?
//!
//! Room is only ever taken, never given back, so the first slot of a row that still has room moves
//! one way only: it is remembered, and full stretches are never looked at twice.

use labtriage_core::plan::Run;
use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::{AnalyserIx, CalendarIx, CellIx, Ix, LineIx, SampleIx, SiteIx, SlotIx, Table, TestIx};
use labtriage_core::time::Instant;
use labtriage_core::units::Microlitres;

use crate::uses;

/// No limit on what is lost.
pub(crate) const ANY_VOLUME: Microlitres = Microlitres::new(u32::MAX);

/// What a run must keep to, besides capacity.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunRequest {
    pub(crate) line: LineIx,
    pub(crate) site: SiteIx,
    /// Not before this slot.
    pub(crate) from: SlotIx,
    /// The run must have ended by then.
    pub(crate) closes: Instant,
    /// Only on this analyser.
    pub(crate) analyser: Option<AnalyserIx>,
    /// No analyser that loses more than this.
    pub(crate) dead_volume_max: Microlitres,
    /// Whether it counts against the requester's cap.
    pub(crate) capped: bool,
}

/// A row of cells, one a slot, with the first that still has room for the least amount.
#[derive(Clone, Debug)]
struct Row {
    first_cell: usize,
    least: u64,
    first_open: usize,
}

/// The capacity that is left while a plan is made.
#[derive(Clone, Debug)]
pub(crate) struct Remaining<'a> {
    snapshot: &'a Snapshot,
    left: Table<CellIx, u64>,
    reception: Vec<Row>,
    reporting: Vec<Row>,
    centrifuge: Vec<Row>,
    aliquoting: Vec<Row>,
    analysers: Vec<Row>,
    /// Analysers by site and test, with the calendar of their run days.
    menu: Vec<Vec<(AnalyserIx, Option<CalendarIx>)>>,
    open: Table<CalendarIx, Vec<bool>>,
    capped: bool,
}

impl<'a> Remaining<'a> {
    /// Everything is left.
    pub(crate) fn new(snapshot: &'a Snapshot) -> Self {
        let (network, capacity, grid) = (&snapshot.network, &snapshot.capacity, &snapshot.grid);
        let slot = snapshot.first_slot();
        let row = |cell: CellIx, least| Row { first_cell: cell.row(), least, first_open: 0 };
        let tests = snapshot.catalogue.tests.len();
        let mut menu = vec![Vec::new(); network.sites.len() * tests];
        for (analyser, facts) in network.analysers.enumerate() {
            for &(test, run_days) in &facts.menu {
                menu[facts.site.row() * tests + test.row()].push((analyser, run_days));
            }
        }
        let least_work = |analyser: AnalyserIx| {
            let menu = network.analysers[analyser].menu.iter();
            menu.map(|(test, _)| u64::from(snapshot.catalogue.tests[*test].analyser_time.millis()))
                .min()
                .unwrap_or(1)
                .max(1)
        };
        let is_open = |calendar: &labtriage_core::calendar::Calendar| {
            let opens = |slot| calendar.open_between(network.zone, grid.start(slot), grid.end(slot)).get() > 0;
            grid.slots().map(opens).collect()
        };
        let sites = || network.sites.indices();
        Self {
            snapshot,
            left: capacity.limits().clone(),
            reception: sites().map(|site| row(capacity.reception(site, slot), 1)).collect(),
            reporting: sites().map(|site| row(capacity.reporting(site, slot), 1)).collect(),
            centrifuge: sites().map(|site| row(capacity.centrifuge(site, slot), 1)).collect(),
            aliquoting: sites().map(|site| row(capacity.aliquoting(site, slot), 1)).collect(),
            analysers: network
                .analysers
                .indices()
                .map(|a| row(capacity.analyser_time(a, slot), least_work(a)))
                .collect(),
            menu,
            open: network.calendars.iter().map(is_open).collect(),
            capped: snapshot
                .overrides
                .all
                .iter()
                .any(|about| matches!(about.action, labtriage_core::overrides::Action::Cap { .. })),
        }
    }

    /// Starts again with so much left.
    pub(crate) fn refill(&mut self, left: &Table<CellIx, u64>) {
        self.left.clone_from(left);
        let rates = [&mut self.reception, &mut self.reporting, &mut self.centrifuge, &mut self.aliquoting];
        let rows = rates.into_iter().chain([&mut self.analysers]).flatten();
        rows.for_each(|row| row.first_open = 0);
    }

    /// How much of a cell is left.
    pub(crate) fn left(&self, cell: CellIx) -> u64 {
        self.left[cell]
    }

    /// Takes from a cell what was found to be there.
    pub(crate) fn take(&mut self, cell: CellIx, amount: u64) {
        debug_assert!(self.left[cell] >= amount, "taken more than there is");
        self.left[cell] = self.left[cell].saturating_sub(amount);
    }

    /// Gives back to a cell what was taken. The first slots with room are not looked for again, so a
    /// rule may not find it; nothing is ever given out twice.
    pub(crate) fn give(&mut self, cell: CellIx, amount: u64) {
        self.left[cell] += amount;
    }

    /// Whether a site has an analyser for a test.
    pub(crate) fn runs(&self, site: SiteIx, test: TestIx) -> bool {
        !self.analysers_for(site, test).is_empty()
    }

    fn analysers_for(&self, site: SiteIx, test: TestIx) -> &[(AnalyserIx, Option<CalendarIx>)] {
        &self.menu[site.row() * self.snapshot.catalogue.tests.len() + test.row()]
    }

    fn advance(row: &mut Row, left: &Table<CellIx, u64>, slots: usize) -> usize {
        while row.first_open < slots && left[CellIx::from_row(row.first_cell + row.first_open)] < row.least {
            row.first_open += 1;
        }
        row.first_open
    }

    fn first_with_room(row: &mut Row, left: &Table<CellIx, u64>, slots: usize, from: SlotIx) -> Option<SlotIx> {
        let first = Self::advance(row, left, slots).max(from.row());
        (first..slots).find(|slot| left[CellIx::from_row(row.first_cell + slot)] >= row.least).map(SlotIx::from_row)
    }

    /// The first slot from `from` on in which a tube can be centrifuged at a site.
    pub(crate) fn centrifuge_slot(&mut self, site: SiteIx, from: SlotIx) -> Option<SlotIx> {
        Self::first_with_room(&mut self.centrifuge[site.row()], &self.left, self.snapshot.grid.len(), from)
    }

    /// The first slot from `from` on in which a tube can be aliquoted or frozen at a site.
    pub(crate) fn aliquoting_slot(&mut self, site: SiteIx, from: SlotIx) -> Option<SlotIx> {
        Self::first_with_room(&mut self.aliquoting[site.row()], &self.left, self.snapshot.grid.len(), from)
    }

    /// The first slot from `from` on in which a result can leave a site.
    pub(crate) fn reporting_slot(&mut self, site: SiteIx, from: SlotIx) -> Option<SlotIx> {
        Self::first_with_room(&mut self.reporting[site.row()], &self.left, self.snapshot.grid.len(), from)
    }

    /// The first slot from `from` on in which a sample can be booked in at a site; at a partner,
    /// within its daily quota.
    pub(crate) fn book_in_slot(&mut self, site: SiteIx, from: SlotIx) -> Option<SlotIx> {
        let slots = self.snapshot.grid.len();
        let mut from = from;
        loop {
            let slot = Self::first_with_room(&mut self.reception[site.row()], &self.left, slots, from)?;
            let day = self.snapshot.grid.day(slot);
            match self.snapshot.capacity.quota(site, day) {
                Some(quota) if self.left[quota] == 0 => {
                    let next =
                        (slot.row() + 1..slots).find(|next| self.snapshot.grid.day(SlotIx::from_row(*next)) > day)?;
                    from = SlotIx::from_row(next);
                }
                _ => return Some(slot),
            }
        }
    }

    /// Takes what booking a sample in uses.
    pub(crate) fn take_book_in(&mut self, site: SiteIx, slot: SlotIx) {
        uses::of_booking_in(self.snapshot, site, slot, &mut |cell, amount| self.take(cell, amount));
    }

    /// The run whose result is out first, at a site, from a slot on, ended before the window closes.
    pub(crate) fn find_run(&mut self, request: &RunRequest) -> Option<Run> {
        let test = self.snapshot.backlog.lines[request.line].test;
        let slots = self.snapshot.grid.len();
        let first_report = Self::advance(&mut self.reporting[request.site.row()], &self.left, slots);
        if first_report >= slots {
            return None;
        }
        let mut best: Option<Run> = None;
        for position in 0..self.analysers_for(request.site, test).len() {
            let (analyser, run_days) = self.analysers_for(request.site, test)[position];
            let loses = self.snapshot.network.analysers[analyser].dead_volume;
            if loses > request.dead_volume_max || request.analyser.is_some_and(|only| only != analyser) {
                continue;
            }
            let Some(slot) = self.run_slot(request, analyser, run_days, test) else { continue };
            let Some(reported) = self.reporting_slot(request.site, slot) else { continue };
            if best.is_none_or(|best| (reported, slot) < (best.reported, best.slot)) {
                best = Some(Run { analyser: Some(analyser), slot, reported });
            }
        }
        best
    }

    fn run_slot(
        &mut self,
        request: &RunRequest,
        analyser: AnalyserIx,
        run_days: Option<CalendarIx>,
        test: TestIx,
    ) -> Option<SlotIx> {
        let snapshot = self.snapshot;
        if snapshot.capacity.stock(analyser, test).any(|stock| self.left[stock] == 0) {
            return None;
        }
        let work = u64::from(snapshot.catalogue.tests[test].analyser_time.millis());
        let slots = snapshot.grid.len();
        let row = &mut self.analysers[analyser.row()];
        let first = Self::advance(row, &self.left, slots).max(request.from.row());
        let first_cell = row.first_cell;
        let calendar = run_days.map(|calendar| self.open[calendar].as_slice());
        for slot in first..slots {
            let index = SlotIx::from_row(slot);
            if snapshot.grid.end(index) > request.closes {
                return None;
            }
            let room = self.left[CellIx::from_row(first_cell + slot)] >= work;
            if room && calendar.is_none_or(|open| open[slot]) && self.within_cap(request, index) {
                return Some(index);
            }
        }
        None
    }

    fn within_cap(&self, request: &RunRequest, slot: SlotIx) -> bool {
        !(self.capped && request.capped) || self.cap_cell(request.line, slot).is_none_or(|cell| self.left[cell] > 0)
    }

    fn cap_cell(&self, line: LineIx, slot: SlotIx) -> Option<CellIx> {
        let requester = self.snapshot.backlog.requests[self.snapshot.backlog.request_of(line)].requester;
        self.snapshot.capacity.requester_cap(requester, self.snapshot.grid.day(slot))
    }

    /// Takes what a run found by [`Self::find_run`] uses.
    pub(crate) fn take_run(&mut self, request: &RunRequest, run: Run) {
        uses::of_run(self.snapshot, request.line, run, request.capped, &mut |cell, amount| self.take(cell, amount));
    }

    /// The report of a result that exists already, at the site of its sample, and its cost in capacity.
    pub(crate) fn report_held(&mut self, line: LineIx, sample: SampleIx) -> Option<Run> {
        let site = self.snapshot.backlog.samples[sample].site;
        let mut from = self.snapshot.first_slot();
        let request = RunRequest {
            line,
            site,
            from,
            closes: Instant::FAR,
            analyser: None,
            dead_volume_max: ANY_VOLUME,
            capped: true,
        };
        loop {
            let slot = self.reporting_slot(site, from)?;
            if self.within_cap(&request, slot) {
                let run = Run { analyser: None, slot, reported: slot };
                self.take_run(&request, run);
                return Some(run);
            }
            from = SlotIx::from_row(slot.row() + 1);
        }
    }
}
