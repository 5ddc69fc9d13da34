//! What is one option of a patient? Everything that happens to its lines in a stage.

use labtriage_core::cost::{burden, moved_cost, result_cost, step_cost, unserved_cost};
use labtriage_core::plan::{Disposition, Hold, Recollection, Step, Visit};
use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::{CellIx, LineIx, PatientIx, SampleIx};

use crate::uses;

/// What happens to a patient's lines of a stage.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Choice {
    /// The visit that this stage gives.
    pub(crate) visit: Option<Visit>,
    pub(crate) samples: Box<[SampleChoice]>,
}

/// What happens to the lines of one sample.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct SampleChoice {
    pub(crate) sample: SampleIx,
    /// The steps that this stage adds to the sample's way.
    pub(crate) steps: Box<[Step]>,
    /// The new tube that this stage adds.
    pub(crate) recollection: Option<Recollection>,
    /// The lines of the stage, in order, with what happens to each.
    pub(crate) lines: Box<[(LineIx, Disposition)]>,
}

impl Choice {
    /// Cost in thousandths of a weighted day, as the plan counts it; the burden only when no earlier
    /// stage has recalled the patient.
    pub(crate) fn cost(&self, snapshot: &Snapshot, patient: PatientIx, recalled: bool) -> i64 {
        let mut total: i64 = self.samples.iter().map(|sample| sample.cost(snapshot)).sum();
        if self.recalls() && !recalled {
            total += burden(snapshot, patient).thousandths();
        }
        total
    }

    /// Whether any line is recalled.
    pub(crate) fn recalls(&self) -> bool {
        let mut lines = self.samples.iter().flat_map(|sample| sample.lines.iter());
        lines.any(|(_, disposition)| matches!(disposition, Disposition::Recall(_)))
    }

    /// Tells every use, cell by cell.
    pub(crate) fn uses(&self, snapshot: &Snapshot, add: &mut dyn FnMut(CellIx, u64)) {
        if let Some(visit) = self.visit {
            let cells = [snapshot.capacity.visits(visit.point, visit.day), snapshot.capacity.recall_cap(visit.day)];
            cells.into_iter().flatten().for_each(|cell| add(cell, 1));
        }
        for sample in &self.samples {
            sample.uses(snapshot, add);
        }
    }
}

impl SampleChoice {
    fn cost(&self, snapshot: &Snapshot) -> i64 {
        let steps: i64 = self.steps.iter().map(|&step| step_cost(snapshot, step).thousandths()).sum();
        steps + self.lines.iter().map(|&(line, disposition)| line_cost(snapshot, line, disposition)).sum::<i64>()
    }

    pub(crate) fn uses(&self, snapshot: &Snapshot, add: &mut dyn FnMut(CellIx, u64)) {
        uses::of_steps(snapshot, self.sample, &self.steps, add);
        if let Some(new) = self.recollection {
            uses::of_booking_in(snapshot, new.site, new.booked_in, add);
        }
        for &(line, disposition) in &self.lines {
            match disposition {
                Disposition::Run(run) => uses::of_run(snapshot, line, run, true, add),
                Disposition::Recall(Some(run)) => uses::of_run(snapshot, line, run, false, add),
                Disposition::Recall(None) | Disposition::Cancel(_) | Disposition::Hold(_) => {}
            }
        }
    }
}

/// What a line costs, the burden of its patient aside.
pub(crate) fn line_cost(snapshot: &Snapshot, line: LineIx, disposition: Disposition) -> i64 {
    let moved = moved_cost(snapshot, line, disposition).thousandths();
    moved
        + match disposition {
            Disposition::Run(run) | Disposition::Recall(Some(run)) => {
                let (waiting, lateness) = result_cost(snapshot, line, snapshot.grid.end(run.reported));
                (waiting + lateness).thousandths()
            }
            Disposition::Recall(None) => unserved_cost(snapshot, line).thousandths(),
            Disposition::Hold(hold) => {
                let loss =
                    if hold == Hold::Irreplaceable { snapshot.policy.irreplaceable_loss.thousandths() } else { 0 };
                unserved_cost(snapshot, line).thousandths() + loss
            }
            Disposition::Cancel(_) => 0,
        }
}
