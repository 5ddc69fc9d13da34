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

/// How much more a plan costs than the least that any plan can cost, at the most: (cost − bound) ÷
/// bound in millionths, rounded up. `None` where the bound says nothing.
pub fn gap(cost: Cost, bound: Cost) -> Option<u64> {
    let (cost, bound) = (i128::from(cost.thousandths()), i128::from(bound.thousandths()));
    let above = (cost - bound).max(0) * 1_000_000;
    match (above, bound) {
        (0, _) => Some(0),
        (_, 1..) => Some(u64::try_from((above + bound - 1) / bound).unwrap_or(u64::MAX)),
        _ => None,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gap_is_relative_to_the_bound_and_rounded_up() {
        let check = |cost, bound, expected| {
            assert_eq!(gap(Cost::from_thousandths(cost), Cost::from_thousandths(bound)), expected, "{cost} {bound}");
        };
        check(1_001_000, 1_000_000, Some(1000));
        check(3_000_001, 3_000_000, Some(1));
        check(5, 5, Some(0));
        check(0, 0, Some(0));
        check(4, 5, Some(0));
        check(5, 0, None);
        check(i64::MAX, 1, Some(u64::MAX));
    }
}
