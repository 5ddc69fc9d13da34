//! Is any resource used over its limit? What the plan uses, compared cell by cell.

use super::{Found, Law};
use crate::capacity::{Resource, When};
use crate::plan::{Disposition, Plan, Step};
use crate::snapshot::Snapshot;
use crate::table::{CellIx, LineIx, SiteIx, Table};
use crate::trace::places;
use crate::usage::{of_booking_in, of_lines, usage};

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

/// What these lines use: their runs and reports, and the booking in of samples that one of them needs.
pub(super) fn usage_of(snapshot: &Snapshot, plan: &Plan, wanted: impl Fn(LineIx) -> bool) -> Table<CellIx, u64> {
    let mut used = Table::filled(0, snapshot.capacity.len());
    let mut add = |cell: CellIx, amount: u64| used[cell] += amount;
    of_lines(snapshot, plan, &wanted, &mut add);
    for (sample, facts) in snapshot.backlog.samples.enumerate() {
        let counts = |retested: bool| {
            facts.lines().any(|line| {
                wanted(line)
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
    use crate::table::SlotIx;

    #[test]
    fn a_cell_is_described_by_what_and_when() {
        let snapshot = crate::fixture::Fixture::new().snapshot();
        let cell = snapshot.capacity.reception(SiteIx::from_row(0), SlotIx::from_row(0));
        assert_eq!(describe(&snapshot, cell), "samples booked in at `HUB` in the slot of 2024-06-03T07:00Z");
    }
}
