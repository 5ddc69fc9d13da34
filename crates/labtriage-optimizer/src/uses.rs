//! What does a decision use? Every cell of capacity, told one by one, and how much of it.
//!
//! The audit sums up a plan by [`labtriage_core::usage`], which shares nothing with this.

use labtriage_core::plan::{Run, Step};
use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::{CellIx, LineIx, SampleIx, SiteIx, SlotIx};

/// What the steps of a sample use, from where it stands.
pub(crate) fn of_steps<F>(snapshot: &Snapshot, sample: SampleIx, steps: &[Step], add: &mut F)
where
    F: FnMut(CellIx, u64) + ?Sized,
{
    of_more_steps(snapshot, sample, steps, 0, add);
}

/// What the steps of a sample from the `from`th on use.
pub(crate) fn of_more_steps<F>(snapshot: &Snapshot, sample: SampleIx, steps: &[Step], from: usize, add: &mut F)
where
    F: FnMut(CellIx, u64) + ?Sized,
{
    let capacity = &snapshot.capacity;
    let mut site = snapshot.backlog.samples[sample].site;
    for (n, &step) in steps.iter().enumerate() {
        if let Step::Send(departure) = step {
            site = snapshot.network.couriers[snapshot.departures[departure].courier].to;
        }
        match step {
            _ if n < from => {}
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
}

/// What booking in a tube uses: reception, and a partner's quota.
pub(crate) fn of_booking_in<F>(snapshot: &Snapshot, site: SiteIx, slot: SlotIx, add: &mut F)
where
    F: FnMut(CellIx, u64) + ?Sized,
{
    add(snapshot.capacity.reception(site, slot), 1);
    if let Some(quota) = snapshot.capacity.quota(site, snapshot.grid.day(slot)) {
        add(quota, 1);
    }
}

/// What a run and its report use; a run from the sample itself counts against its requester's cap.
pub(crate) fn of_run<F>(snapshot: &Snapshot, line: LineIx, run: Run, capped: bool, add: &mut F)
where
    F: FnMut(CellIx, u64) + ?Sized,
{
    let facts = &snapshot.backlog.lines[line];
    let capacity = &snapshot.capacity;
    let site = match run.analyser {
        Some(analyser) => {
            let work = u64::from(snapshot.catalogue.tests[facts.test].analyser_time.millis());
            add(capacity.analyser_time(analyser, run.slot), work);
            capacity.stock(analyser, facts.test).for_each(|cell| add(cell, 1));
            snapshot.network.analysers[analyser].site
        }
        None => snapshot.backlog.samples[facts.sample].site,
    };
    add(capacity.reporting(site, run.reported), 1);
    if capped {
        let requester = snapshot.backlog.requests[snapshot.backlog.request_of(line)].requester;
        if let Some(cap) = capacity.requester_cap(requester, snapshot.grid.day(run.slot)) {
            add(cap, 1);
        }
    }
}
