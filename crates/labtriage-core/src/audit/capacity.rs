//! How much of everything does a plan use? Every resource in every cell, summed and compared.

use super::{Found, Law};
use crate::capacity::{Resource, When};
use crate::plan::{Disposition, Plan, Run, Step};
use crate::snapshot::Snapshot;
use crate::table::{BandIx, CellIx, LineIx, SampleIx, SiteIx, SlotIx, Table};
use crate::trace::places;

/// No cell is used over its limit.
pub(super) fn capacity(snapshot: &Snapshot, plan: &Plan, found: &mut Found) {
    let used = usage(snapshot, plan);
    for (cell, &used) in used.enumerate() {
        let limit = snapshot.capacity.limit(cell);
        if used > limit {
            found.push(Law::Capacity, None, None, || {
                format!("{}: {used} are used, the limit is {limit}", describe(snapshot, cell))
            });
        }
    }
}

/// Everything a plan uses, cell by cell.
fn usage(snapshot: &Snapshot, plan: &Plan) -> Table<CellIx, u64> {
    let mut used = Table::filled(0, snapshot.capacity.len());
    let mut add = |cell: CellIx, amount: u64| used[cell] += amount;
    for sample in snapshot.backlog.samples.indices() {
        of_steps(snapshot, plan, sample, &mut add);
    }
    of_lines(snapshot, plan, |_| true, &mut add);
    for visit in &plan.visits {
        let cells = [snapshot.capacity.visits(visit.point, visit.day), snapshot.capacity.recall_cap(visit.day)];
        cells.into_iter().flatten().for_each(|cell| add(cell, 1));
    }
    used
}

/// What the steps of a sample and the booking in of its new tube use.
fn of_steps(snapshot: &Snapshot, plan: &Plan, sample: SampleIx, add: &mut impl FnMut(CellIx, u64)) {
    let capacity = &snapshot.capacity;
    for (step, site) in places(snapshot, sample, plan.steps_of(sample)) {
        match step {
            Step::Spin(slot) => add(capacity.centrifuge(site, slot), 1),
            Step::Freeze(slot) => {
                add(capacity.aliquoting(site, slot), 1);
                add(capacity.freezer(site), 1);
            }
            Step::Aliquot(slot) => add(capacity.aliquoting(site, slot), 1),
            Step::Send(departure) => add(capacity.courier(departure), 1),
            Step::BookIn(slot) => of_booking_in(snapshot, site, slot, add),
            Step::Refrigerate | Step::Thaw(_) => {}
        }
    }
    if let Some(new) = plan.samples[sample].recollection {
        of_booking_in(snapshot, new.site, new.booked_in, add);
    }
}

/// What booking in a tube uses: reception, and a partner's quota.
pub(super) fn of_booking_in(snapshot: &Snapshot, site: SiteIx, slot: SlotIx, add: &mut impl FnMut(CellIx, u64)) {
    add(snapshot.capacity.reception(site, slot), 1);
    if let Some(quota) = snapshot.capacity.quota(site, snapshot.grid.day(slot)) {
        add(quota, 1);
    }
}

/// What the runs and re-tests of lines in these bands use.
pub(super) fn of_lines(
    snapshot: &Snapshot,
    plan: &Plan,
    wanted: impl Fn(BandIx) -> bool,
    add: &mut impl FnMut(CellIx, u64),
) {
    for (line, disposition) in plan.lines.enumerate().filter(|(line, _)| wanted(snapshot.bands[*line])) {
        match *disposition {
            Disposition::Run(run) => {
                of_run(snapshot, line, run, add);
                let request = &snapshot.backlog.requests[snapshot.backlog.request_of(line)];
                let day = snapshot.grid.day(run.slot);
                if let Some(cap) = snapshot.capacity.requester_cap(request.requester, day) {
                    add(cap, 1);
                }
            }
            Disposition::Recall(Some(run)) => of_run(snapshot, line, run, add),
            Disposition::Recall(None) | Disposition::Cancel(_) | Disposition::Hold(_) => {}
        }
    }
}

/// What a run and its report use.
fn of_run(snapshot: &Snapshot, line: LineIx, run: Run, add: &mut impl FnMut(CellIx, u64)) {
    let facts = &snapshot.backlog.lines[line];
    let capacity = &snapshot.capacity;
    let site = match run.analyser {
        Some(analyser) => {
            let work = snapshot.catalogue.tests[facts.test].analyser_time.millis();
            add(capacity.analyser_time(analyser, run.slot), u64::from(work));
            for stock in capacity.stock(analyser, facts.test) {
                add(stock, 1);
            }
            snapshot.network.analysers[analyser].site
        }
        None => snapshot.backlog.samples[facts.sample].site,
    };
    add(capacity.reporting(site, run.reported), 1);
}

/// A cell in words.
fn describe(snapshot: &Snapshot, cell: CellIx) -> String {
    let network = &snapshot.network;
    let (resource, when) = snapshot.capacity.describe(cell);
    let site = |site: SiteIx| network.sites[site].code.as_str();
    let what = match resource {
        Resource::AnalyserTime(analyser) => format!("milliseconds of analyser `{}`", network.analysers[analyser].code),
        Resource::Reception(at) => format!("samples booked in at `{}`", site(at)),
        Resource::Centrifuge(at) => format!("tubes centrifuged at `{}`", site(at)),
        Resource::Aliquoting(at) => format!("tubes aliquoted or frozen at `{}`", site(at)),
        Resource::Reporting(at) => format!("results reported at `{}`", site(at)),
        Resource::Freezer(at) => format!("freezer places at `{}`", site(at)),
        Resource::Courier(departure) => {
            format!("tubes with courier `{}`", network.couriers[snapshot.departures[departure].courier].code)
        }
        Resource::Quota(at) => format!("samples booked in at partner `{}`", site(at)),
        Resource::Stock(analyser, test) => {
            let (analyser, test) = (&network.analysers[analyser].code, &snapshot.catalogue.tests[test].code);
            format!("reagent for test `{test}` on analyser `{analyser}`")
        }
        Resource::Visits(point) => format!("visits at `{}`", network.collection_points[point].code),
        Resource::RecallCap => "visits in the network".to_owned(),
        Resource::RequesterCap(requester) => format!("lines run for requester `{}`", network.requesters[requester].ods),
    };
    match when {
        When::Slot(slot) => format!("{what} in the slot of {}", snapshot.grid.start(slot)),
        When::Day(day) => format!("{what} on {day}"),
        When::Departure(departure) => format!("{what} leaving at {}", snapshot.departures[departure].leaves),
        When::Horizon => format!("{what} within the horizon"),
    }
}

/// What lines of these bands use, as the law of strict bands counts it: their runs and reports, and
/// the booking in of samples whose most pressing line is of these bands.
pub(super) fn usage_of_bands(snapshot: &Snapshot, plan: &Plan, last: BandIx) -> Table<CellIx, u64> {
    let mut used = Table::filled(0, snapshot.capacity.len());
    let mut add = |cell: CellIx, amount: u64| used[cell] += amount;
    of_lines(snapshot, plan, |band| band <= last, &mut add);
    for (sample, facts) in snapshot.backlog.samples.enumerate() {
        let counts = |retested: bool| {
            facts.lines().any(|line| {
                snapshot.bands[line] <= last
                    && match plan.lines[line] {
                        Disposition::Run(run) => !retested && run.analyser.is_some(),
                        Disposition::Recall(Some(_)) => retested,
                        _ => false,
                    }
            })
        };
        if plan.samples[sample].steps > 0 && counts(false) {
            for (step, site) in places(snapshot, sample, plan.steps_of(sample)) {
                if let Step::BookIn(slot) = step {
                    of_booking_in(snapshot, site, slot, &mut add);
                }
            }
        }
        if let Some(new) = plan.samples[sample].recollection.filter(|_| counts(true)) {
            of_booking_in(snapshot, new.site, new.booked_in, &mut add);
        }
    }
    used
}

/// Whether a cell still holds so much beside what is used.
pub(super) fn holds(snapshot: &Snapshot, used: &Table<CellIx, u64>, cell: CellIx, amount: u64) -> bool {
    used[cell].saturating_add(amount) <= snapshot.capacity.limit(cell)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Ix;

    #[test]
    fn a_cell_is_described_by_what_and_when() {
        let snapshot = crate::fixture::Fixture::new().snapshot();
        let cell = snapshot.capacity.reception(SiteIx::from_row(0), SlotIx::from_row(0));
        assert_eq!(describe(&snapshot, cell), "samples booked in at `HUB` in the slot of 2024-06-03T07:00Z");
    }
}
