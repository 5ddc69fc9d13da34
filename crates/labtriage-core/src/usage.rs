//! How much of everything does a plan use? Every resource in every cell, summed.

use crate::plan::{Disposition, Plan, Run, Step, Visit};
use crate::snapshot::Snapshot;
use crate::table::{CellIx, LineIx, SampleIx, SiteIx, SlotIx, Table};
use crate::trace::places;

/// Everything a plan uses, cell by cell.
pub fn usage(snapshot: &Snapshot, plan: &Plan) -> Table<CellIx, u64> {
    let mut used = Table::filled(0, snapshot.capacity.len());
    let mut add = |cell: CellIx, amount: u64| used[cell] += amount;
    for sample in snapshot.backlog.samples.indices() {
        of_way(snapshot, plan, sample, &mut add);
        of_new_tube(snapshot, plan, sample, &mut add);
    }
    of_lines(snapshot, plan, |_| true, &mut add);
    for visit in &plan.visits {
        of_visit(snapshot, *visit, &mut add);
    }
    used
}

/// What running a line from its sample uses, when the sample goes this way: the steps, which all its
/// lines share, and apart the run with its report.
pub fn of_option(snapshot: &Snapshot, line: LineIx, run: Run, steps: &[Step]) -> [Vec<(CellIx, u64)>; 2] {
    let (mut way, mut own) = (Vec::new(), Vec::new());
    of_steps(snapshot, snapshot.backlog.lines[line].sample, steps, &mut |cell, amount| way.push((cell, amount)));
    of_run_of_tube(snapshot, line, run, &mut |cell, amount| own.push((cell, amount)));
    [way, own]
}

/// What a re-test uses: the visit and the booking in of the new tube, which others share, and apart
/// the run with its report.
pub fn of_retest(snapshot: &Snapshot, plan: &Plan, line: LineIx, run: Run) -> [Vec<(CellIx, u64)>; 2] {
    let (mut shared, mut own) = (Vec::new(), Vec::new());
    let mut add = |cell, amount| shared.push((cell, amount));
    if let Some(visit) = plan.visit_of(snapshot.backlog.patient_of(line)) {
        of_visit(snapshot, visit, &mut add);
    }
    of_new_tube(snapshot, plan, snapshot.backlog.lines[line].sample, &mut add);
    of_run(snapshot, line, run, &mut |cell, amount| own.push((cell, amount)));
    [shared, own]
}

/// What a visit uses: its collection point's and the network's day.
pub(crate) fn of_visit(snapshot: &Snapshot, visit: Visit, add: &mut impl FnMut(CellIx, u64)) {
    let cells = [snapshot.capacity.visits(visit.point, visit.day), snapshot.capacity.recall_cap(visit.day)];
    cells.into_iter().flatten().for_each(|cell| add(cell, 1));
}

/// What the steps of a sample use.
pub(crate) fn of_way(snapshot: &Snapshot, plan: &Plan, sample: SampleIx, add: &mut impl FnMut(CellIx, u64)) {
    of_steps(snapshot, sample, plan.steps_of(sample), add);
}

fn of_steps(snapshot: &Snapshot, sample: SampleIx, steps: &[Step], add: &mut impl FnMut(CellIx, u64)) {
    let capacity = &snapshot.capacity;
    for (step, site) in places(snapshot, sample, steps) {
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
}

/// What booking in the new tube of a sample uses.
pub(crate) fn of_new_tube(snapshot: &Snapshot, plan: &Plan, sample: SampleIx, add: &mut impl FnMut(CellIx, u64)) {
    if let Some(new) = plan.samples[sample].recollection {
        of_booking_in(snapshot, new.site, new.booked_in, add);
    }
}

/// What booking in a tube uses: reception, and a partner's quota.
pub(crate) fn of_booking_in(snapshot: &Snapshot, site: SiteIx, slot: SlotIx, add: &mut impl FnMut(CellIx, u64)) {
    add(snapshot.capacity.reception(site, slot), 1);
    if let Some(quota) = snapshot.capacity.quota(site, snapshot.grid.day(slot)) {
        add(quota, 1);
    }
}

/// What the runs and re-tests of these lines use.
pub(crate) fn of_lines(
    snapshot: &Snapshot,
    plan: &Plan,
    wanted: impl Fn(LineIx) -> bool,
    add: &mut impl FnMut(CellIx, u64),
) {
    for (line, disposition) in plan.lines.enumerate().filter(|(line, _)| wanted(*line)) {
        match *disposition {
            Disposition::Run(run) => of_run_of_tube(snapshot, line, run, add),
            Disposition::Recall(Some(run)) => of_run(snapshot, line, run, add),
            Disposition::Recall(None) | Disposition::Cancel(_) | Disposition::Hold(_) => {}
        }
    }
}

/// What a run from a tube that is there uses: also of its requester's cap.
fn of_run_of_tube(snapshot: &Snapshot, line: LineIx, run: Run, add: &mut impl FnMut(CellIx, u64)) {
    of_run(snapshot, line, run, add);
    let request = &snapshot.backlog.requests[snapshot.backlog.request_of(line)];
    if let Some(cap) = snapshot.capacity.requester_cap(request.requester, snapshot.grid.day(run.slot)) {
        add(cap, 1);
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
