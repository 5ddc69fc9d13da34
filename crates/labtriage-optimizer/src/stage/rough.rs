//! What would prices be if everybody queued? First prices for the ascent, from a greedy plan.
//!
//! Where a resource is used up from the first slot until some later one, whoever gets a unit in an
//! early slot is spared the rest of the queue: the unit is worth the mean weight of who waits, times
//! the time until the queue ends. Behind a longer queue at the same site a shorter one is worth only
//! what it adds.

use labtriage_core::plan::{Disposition, Run};
use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::{CellIx, Ix, LineIx, SampleIx, SiteIx, SlotIx};
use labtriage_core::time::Instant;

use crate::greedy::Planner;

/// A cell counts as used up from this share of its limit on, in percent.
const USED_UP: u64 = 85;

/// What waits for the cells of a resource: Σ weight per minute and Σ use.
#[derive(Clone, Copy, Default)]
struct Waiting {
    rate: f64,
    use_: f64,
}

/// First prices of a stage's cells, in thousandths of a weighted day per unit, from a plan of its
/// lines by a greedy rule on what was left before.
pub(crate) fn first_prices(rough: &Planner<'_>, lines: &[LineIx]) -> Vec<f64> {
    let snapshot = rough.snapshot;
    let queues = Queues { snapshot, rough };
    let cells = snapshot.capacity.len();
    let mut waiting = vec![Waiting::default(); cells];
    for &line in lines {
        queues.wait(line, &mut waiting);
    }
    let mut prices = vec![0.0; cells];
    let capacity = &snapshot.capacity;
    for site in snapshot.network.sites.indices() {
        let by_slot = |cell: &dyn Fn(SlotIx) -> CellIx| queues.slots(|slot| cell(slot));
        let reporting = by_slot(&|slot| capacity.reporting(site, slot));
        let behind = queues.price(&reporting, &waiting, None, &mut prices);
        let reception = by_slot(&|slot| capacity.reception(site, slot));
        queues.price(&reception, &waiting, behind, &mut prices);
        for (analyser, _) in snapshot.network.analysers.enumerate().filter(|(_, facts)| facts.site == site) {
            let time = by_slot(&|slot| capacity.analyser_time(analyser, slot));
            queues.price(&time, &waiting, behind, &mut prices);
        }
    }
    for point in snapshot.network.collection_points.indices() {
        let days = queues.days(|day| capacity.visits(point, day));
        queues.price(&days, &waiting, None, &mut prices);
    }
    prices
}

struct Queues<'q, 'p> {
    snapshot: &'q Snapshot,
    rough: &'q Planner<'p>,
}

impl Queues<'_, '_> {
    fn slots(&self, cell: impl Fn(SlotIx) -> CellIx) -> Vec<(CellIx, Instant, Instant)> {
        let grid = &self.snapshot.grid;
        grid.slots().map(|slot| (cell(slot), grid.start(slot), grid.end(slot))).collect()
    }

    fn days(&self, cell: impl Fn(labtriage_core::time::Day) -> Option<CellIx>) -> Vec<(CellIx, Instant, Instant)> {
        let (grid, zone) = (&self.snapshot.grid, self.snapshot.network.zone);
        let day = |n: usize| grid.first_day().plus_days(i32::try_from(n).unwrap_or(0));
        let days = (0..grid.day_count()).map(day);
        days.filter_map(|day| Some((cell(day)?, zone.at(day, 0), zone.at(day.plus_days(1), 0)))).collect()
    }

    /// Adds a line to whatever it waits for.
    fn wait(&self, line: LineIx, waiting: &mut [Waiting]) {
        let (Disposition::Run(run) | Disposition::Recall(Some(run))) = self.rough.lines[line] else { return };
        let snapshot = self.snapshot;
        let fresh = matches!(self.rough.lines[line], Disposition::Recall(_));
        let band = &snapshot.policy.bands[snapshot.bands[line]];
        let late = snapshot.grid.end(run.reported) > snapshot.due[line];
        let factor = if late { f64::from(band.lateness.get()) / 100.0 } else { 1.0 };
        let rate = f64::from(snapshot.weights[line].thousandths()) / 1440.0 * factor;
        let mut add = |cell: CellIx, rate: f64, use_: f64| {
            let waiting = &mut waiting[cell.row()];
            waiting.rate += rate;
            waiting.use_ += use_;
        };
        let sample = snapshot.backlog.lines[line].sample;
        let site = self.tested(line, run, &mut add, rate);
        add(snapshot.capacity.reporting(site, run.reported), rate, 1.0);
        let first = snapshot.backlog.samples[sample].lines().next() == Some(line);
        if let Some((site, slot)) = self.booked(sample, fresh) {
            add(snapshot.capacity.reception(site, slot), rate, f64::from(u8::from(first)));
        }
        let visit = self.rough.visits.of(snapshot.backlog.patient_of(line)).filter(|_| fresh);
        if let Some(cell) = visit.and_then(|visit| snapshot.capacity.visits(visit.point, visit.day)) {
            add(cell, rate, f64::from(u8::from(first)));
        }
    }

    fn tested(&self, line: LineIx, run: Run, add: &mut impl FnMut(CellIx, f64, f64), rate: f64) -> SiteIx {
        let snapshot = self.snapshot;
        let facts = &snapshot.backlog.lines[line];
        let Some(analyser) = run.analyser else { return snapshot.backlog.samples[facts.sample].site };
        let work = f64::from(snapshot.catalogue.tests[facts.test].analyser_time.millis());
        add(snapshot.capacity.analyser_time(analyser, run.slot), rate, work);
        snapshot.network.analysers[analyser].site
    }

    /// Where and when the tube that a line is tested from is booked in.
    fn booked(&self, sample: SampleIx, fresh: bool) -> Option<(SiteIx, SlotIx)> {
        let tube = &self.rough.tubes[sample];
        if fresh { tube.recollection.map(|new| (new.site, new.booked_in)) } else { tube.placed }
    }

    /// How many cells from the first are used up, taken together, the last of them by itself too;
    /// what earlier stages have used counts.
    fn queue(&self, cells: impl Iterator<Item = CellIx>) -> usize {
        let (mut used, mut limits, mut queue) = (0, 0, 0);
        for (n, cell) in cells.enumerate() {
            let limit = self.snapshot.capacity.limit(cell);
            let taken = limit - self.rough.remaining.left(cell).min(limit);
            (used, limits) = (used + taken, limits + limit);
            if taken * 100 >= limit * USED_UP && used * 100 >= limits * USED_UP {
                queue = n + 1;
            }
        }
        queue
    }

    /// Prices the cells of one resource in order of time, behind a queue that ends then; when its own
    /// queue ends.
    fn price(
        &self,
        cells: &[(CellIx, Instant, Instant)],
        waiting: &[Waiting],
        behind: Option<Instant>,
        prices: &mut [f64],
    ) -> Option<Instant> {
        let open: Vec<_> = cells.iter().filter(|(cell, ..)| self.snapshot.capacity.limit(*cell) > 0).collect();
        let queue = self.queue(open.iter().map(|(cell, ..)| *cell));
        let ends = open.get(queue.checked_sub(1)?)?.2;
        let sum =
            |of: fn(&Waiting) -> f64| open[..queue].iter().map(|(cell, ..)| of(&waiting[cell.row()])).sum::<f64>();
        let (rate, use_) = (sum(|waiting| waiting.rate), sum(|waiting| waiting.use_));
        if use_ > 0.0 {
            for (cell, starts, _) in &open[..queue] {
                let from = behind.map_or(*starts, |behind| behind.max(*starts));
                prices[cell.row()] = rate / use_ * f64::from(ends.since(from).get().max(0));
            }
        }
        Some(ends)
    }
}
