//! What would prices be if everybody queued? First prices for the ascent, from a greedy plan.
//!
//! Where a resource is used up from the first slot until some later one, whoever gets a unit in an
//! early slot is spared the rest of the queue: the unit is worth the mean weight of who waits, times
//! the time until the queue ends. Behind a longer queue at the same site a shorter one is worth only
//! what it adds.

use labtriage_core::cost::unserved_cost;
use labtriage_core::plan::Disposition;
use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::{CellIx, Ix, LineIx, SampleIx, SiteIx, SlotIx};
use labtriage_core::time::Instant;

use crate::greedy::Planner;

/// A cell counts as used up from this share of its limit on, in percent.
const USED_UP: u64 = 85;

/// First prices of a stage's cells, in thousandths of a weighted day per unit, from a plan of its
/// lines by a greedy rule on what was left before.
pub(crate) fn first_prices(rough: &Planner<'_>, lines: &[LineIx], before: &[u64]) -> Vec<f64> {
    let snapshot = rough.snapshot;
    let queues = Queues { snapshot, rough, before };
    let cells = snapshot.capacity.len();
    let mut waiting = vec![0.0; cells];
    for &line in lines {
        queues.wait(line, &mut waiting);
    }
    let mut prices = vec![0.0; cells];
    let capacity = &snapshot.capacity;
    for site in snapshot.network.sites.indices() {
        let by_slot = |cell: &dyn Fn(SlotIx) -> CellIx| queues.slots(cell);
        let reporting = by_slot(&|slot| capacity.reporting(site, slot));
        let behind = queues.price(&reporting, &waiting, None, &mut prices);
        let reception = by_slot(&|slot| capacity.reception(site, slot));
        queues.price(&reception, &waiting, behind, &mut prices);
        for (analyser, _) in snapshot.network.analysers.enumerate().filter(|(_, facts)| facts.site == site) {
            let time = by_slot(&|slot| capacity.analyser_time(analyser, slot));
            queues.price(&time, &waiting, behind, &mut prices);
        }
    }
    let left_out = queues.left_out(lines);
    for point in snapshot.network.collection_points.indices() {
        let days = queues.days(|day| capacity.visits(point, day));
        queues.price(&days, &waiting, None, &mut prices);
        // Whoever found no day at all would have paid for the days that are used up.
        for (cell, ..) in days {
            let price = &mut prices[cell.row()];
            *price += if *price > 0.0 { left_out[point.row()] } else { 0.0 };
        }
    }
    prices
}

struct Queues<'q, 'p> {
    snapshot: &'q Snapshot,
    /// What was left before these lines were planned.
    before: &'q [u64],
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

    /// Adds the weight per minute of a line to whatever it waits for.
    fn wait(&self, line: LineIx, waiting: &mut [f64]) {
        let (Disposition::Run(run) | Disposition::Recall(Some(run))) = self.rough.lines[line] else { return };
        let snapshot = self.snapshot;
        let fresh = matches!(self.rough.lines[line], Disposition::Recall(_));
        let band = &snapshot.policy.bands[snapshot.bands[line]];
        let late = snapshot.grid.end(run.reported) > snapshot.due[line];
        let factor = if late { f64::from(band.lateness.get()) / 100.0 } else { 1.0 };
        let rate = f64::from(snapshot.weights[line].thousandths()) / 1440.0 * factor;
        let facts = &snapshot.backlog.lines[line];
        let mut add = |cell: CellIx| waiting[cell.row()] += rate;
        let site = match run.analyser {
            Some(analyser) => {
                add(snapshot.capacity.analyser_time(analyser, run.slot));
                snapshot.network.analysers[analyser].site
            }
            None => snapshot.backlog.samples[facts.sample].site,
        };
        add(snapshot.capacity.reporting(site, run.reported));
        if let Some((site, slot)) = self.booked(facts.sample, fresh) {
            add(snapshot.capacity.reception(site, slot));
        }
        let visit = self.rough.visits.of(snapshot.backlog.patient_of(line)).filter(|_| fresh);
        if let Some(cell) = visit.and_then(|visit| snapshot.capacity.visits(visit.point, visit.day)) {
            add(cell);
        }
    }

    /// Per collection point: what a patient without a date costs in the mean, in thousandths of a
    /// weighted day.
    fn left_out(&self, lines: &[LineIx]) -> Vec<f64> {
        let backlog = &self.snapshot.backlog;
        let mut sums = vec![(0.0, 0.0); self.snapshot.network.collection_points.len()];
        let without = lines.iter().copied().filter(|&line| self.rough.lines[line] == Disposition::Recall(None));
        let mut seen = vec![false; backlog.patients.len()];
        for line in without {
            let request = &backlog.requests[backlog.request_of(line)];
            let (cost, patients) =
                &mut sums[self.snapshot.network.requesters[request.requester].collection_point.row()];
            *cost += unserved_cost(self.snapshot, line).thousandths() as f64;
            *patients += f64::from(u8::from(!std::mem::replace(&mut seen[request.patient.row()], true)));
        }
        sums.into_iter().map(|(cost, patients)| if patients > 0.0 { cost / patients } else { 0.0 }).collect()
    }

    /// Where and when the tube that a line is tested from is booked in.
    fn booked(&self, sample: SampleIx, fresh: bool) -> Option<(SiteIx, SlotIx)> {
        let tube = &self.rough.tubes[sample];
        if fresh { tube.recollection.map(|new| (new.site, new.booked_in)) } else { tube.placed }
    }

    /// The cells from the first that is used at all that are used up, taken together, the last of them
    /// by itself too; what earlier stages have used counts.
    fn queue(&self, cells: impl Iterator<Item = CellIx>) -> std::ops::Range<usize> {
        let (mut used, mut limits, mut queue) = (0, 0, 0..0);
        for (n, cell) in cells.enumerate() {
            let limit = self.snapshot.capacity.limit(cell);
            let taken = limit - self.rough.remaining.left(cell).min(limit);
            if used + taken == 0 {
                queue = n + 1..n + 1;
                continue;
            }
            (used, limits) = (used + taken, limits + limit);
            if taken * 100 >= limit * USED_UP && used * 100 >= limits * USED_UP {
                queue.end = n + 1;
            }
        }
        queue
    }

    /// Prices the cells of one resource in order of time, behind a queue that ends then; when its own
    /// queue ends.
    fn price(
        &self,
        cells: &[(CellIx, Instant, Instant)],
        waiting: &[f64],
        behind: Option<Instant>,
        prices: &mut [f64],
    ) -> Option<Instant> {
        let open: Vec<_> = cells.iter().filter(|(cell, ..)| self.snapshot.capacity.limit(*cell) > 0).collect();
        let queue = self.queue(open.iter().map(|(cell, ..)| *cell));
        let queue = open.get(queue).filter(|queue| !queue.is_empty())?;
        let ends = queue.last()?.2;
        let queued = || queue.iter().map(|(cell, ..)| cell.row());
        let rate: f64 = queued().map(|row| waiting[row]).sum();
        let left = |row| self.rough.remaining.left(CellIx::from_row(row));
        let used: u64 = queued().map(|row| self.before[row].saturating_sub(left(row))).sum();
        if used > 0 {
            for (cell, starts, _) in queue {
                let from = behind.map_or(*starts, |behind| behind.max(*starts));
                prices[cell.row()] = rate / used as f64 * f64::from(ends.since(from).get().max(0));
            }
        }
        Some(ends)
    }
}
