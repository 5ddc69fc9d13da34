//! What does a plan cost? Priority-weighted days of delay, in one unit throughout.

use crate::plan::{CostSplit, Disposition, Hold, Plan, Run, Step};
use crate::snapshot::Snapshot;
use crate::table::{Ix, LineIx, PatientIx};
use crate::time::{Instant, Minutes};
use crate::units::{Cost, Percent};

/// Cost of a line's result at `at`: weight × days from now, and the excess beyond the band's
/// target × (lateness factor − 1). Returns waiting and lateness apart.
pub fn result_cost(snapshot: &Snapshot, line: LineIx, at: Instant) -> (Cost, Cost) {
    let weight = snapshot.weights[line];
    let late = at.since(snapshot.due[line]).max(Minutes::ZERO);
    let lateness = snapshot.policy.bands[snapshot.bands[line]].lateness.get().saturating_sub(100);
    (weight.over(at.since(snapshot.now)), weight.over(late).times(Percent::new(lateness)))
}

/// Cost of a line without a result within the horizon: as if it came a tail after the horizon.
pub fn unserved_cost(snapshot: &Snapshot, line: LineIx) -> Cost {
    let (waiting, lateness) = result_cost(snapshot, line, snapshot.beyond());
    waiting + lateness
}

/// Cost of a step of a container's way.
pub fn step_cost(snapshot: &Snapshot, step: Step) -> Cost {
    let prices = &snapshot.policy.prices;
    match step {
        Step::Spin(_) => prices.spin,
        Step::Refrigerate => prices.refrigerate,
        Step::Freeze(_) => prices.freeze,
        Step::Send(_) => prices.courier_tube,
        Step::Aliquot(_) => prices.aliquot,
        Step::Thaw(_) | Step::BookIn(_) => Cost::ZERO,
    }
}

/// Burden of recalling a patient, once.
pub fn burden(snapshot: &Snapshot, patient: PatientIx) -> Cost {
    snapshot.policy.burden(snapshot.backlog.patients[patient].flags)
}

/// Price of moving a line against the published plan. A line that needs no test any more is not moved.
pub fn moved_cost(snapshot: &Snapshot, line: LineIx, disposition: Disposition) -> Cost {
    let needed = !matches!(disposition, Disposition::Cancel(_));
    let moved = snapshot.published_slots(line).is_some_and(|published| needed && !published.kept_by(disposition));
    if moved { snapshot.policy.moved_line } else { Cost::ZERO }
}

/// The cost of a plan, by component.
pub fn cost(snapshot: &Snapshot, plan: &Plan) -> CostSplit {
    let mut split = CostSplit::default();
    let mut recalled = vec![false; snapshot.backlog.patients.len()];
    for (line, disposition) in plan.lines.enumerate() {
        match *disposition {
            Disposition::Run(run) | Disposition::Recall(Some(run)) => add_result(&mut split, snapshot, line, run),
            Disposition::Recall(None) => split.unserved += unserved_cost(snapshot, line),
            Disposition::Hold(hold) => {
                split.unserved += unserved_cost(snapshot, line);
                if hold == Hold::Irreplaceable {
                    split.losses += snapshot.policy.irreplaceable_loss;
                }
            }
            Disposition::Cancel(_) => {}
        }
        if matches!(disposition, Disposition::Recall(_)) {
            recalled[snapshot.backlog.patient_of(line).row()] = true;
        }
        split.moved += moved_cost(snapshot, line, *disposition);
    }
    for patient in snapshot.backlog.patients.indices().filter(|&patient| recalled[patient.row()]) {
        split.recalls += burden(snapshot, patient);
    }
    split.handling = plan.steps.iter().map(|&step| step_cost(snapshot, step)).sum();
    split
}

fn add_result(split: &mut CostSplit, snapshot: &Snapshot, line: LineIx, run: Run) {
    let (waiting, lateness) = result_cost(snapshot, line, snapshot.grid.end(run.reported));
    split.waiting += waiting;
    split.lateness += lateness;
}
