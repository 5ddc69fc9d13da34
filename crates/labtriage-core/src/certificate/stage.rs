//! What does a stage decide, and on what? Lines of one strict band (or of all others), on what the
//! stages before it left.

use crate::backlog::Backlog;
use crate::plan::{Disposition, Plan, Visit};
use crate::snapshot::Snapshot;
use crate::table::{BandIx, CellIx, Ix, LineIx, PatientIx, SampleIx, Table};
use crate::usage;

/// How many stages a snapshot is planned in: one for each strict band, one for all others.
pub fn count(snapshot: &Snapshot) -> usize {
    snapshot.policy.bands.iter().take_while(|band| band.strict).count() + 1
}

/// The stage of a band.
pub fn of_band(snapshot: &Snapshot, band: BandIx) -> usize {
    band.row().min(count(snapshot) - 1)
}

/// The stage of a line.
pub fn of_line(snapshot: &Snapshot, line: LineIx) -> usize {
    of_band(snapshot, snapshot.bands[line])
}

/// The samples of each patient.
#[derive(Clone, Debug)]
pub struct PatientSamples {
    first: Vec<u32>,
    samples: Vec<SampleIx>,
}

impl PatientSamples {
    /// Samples by patient, in order of both.
    pub fn new(backlog: &Backlog) -> Self {
        let patient = |sample: SampleIx| backlog.requests[backlog.samples[sample].request].patient.row();
        let mut first = vec![0u32; backlog.patients.len() + 1];
        for sample in backlog.samples.indices() {
            first[patient(sample) + 1] += 1;
        }
        for row in 1..first.len() {
            first[row] += first[row - 1];
        }
        let mut next = first.clone();
        let mut samples = vec![SampleIx::from_row(0); backlog.samples.len()];
        for sample in backlog.samples.indices() {
            let at = &mut next[patient(sample)];
            samples[*at as usize] = sample;
            *at += 1;
        }
        Self { first, samples }
    }

    /// The samples of a patient, in order.
    pub fn of(&self, patient: PatientIx) -> &[SampleIx] {
        &self.samples[self.first[patient.row()] as usize..self.first[patient.row() + 1] as usize]
    }
}

/// What the stages before a stage have decided, as far as it concerns the stage.
#[derive(Clone, Debug)]
pub struct Before {
    /// Which stage comes now.
    pub stage: usize,
    /// What is left of every cell.
    pub left: Table<CellIx, u64>,
    /// Samples whose way is decided.
    pub placed: Vec<bool>,
    /// Samples whose new tube is decided.
    pub recollected: Vec<bool>,
    /// Patients who are recalled already: their burden is paid.
    pub recalled: Vec<bool>,
    /// Visits that are decided, in order of patient.
    pub visits: Vec<Visit>,
}

impl Before {
    /// Before the first stage nothing is decided.
    pub fn nothing(snapshot: &Snapshot) -> Self {
        let backlog = &snapshot.backlog;
        Self {
            stage: 0,
            left: snapshot.capacity.limits().clone(),
            placed: vec![false; backlog.samples.len()],
            recollected: vec![false; backlog.samples.len()],
            recalled: vec![false; backlog.patients.len()],
            visits: Vec::new(),
        }
    }

    /// What a whole plan has decided before a stage.
    ///
    /// The way of a sample belongs to the first stage that runs a line from it, its new tube and its
    /// patient's visit to the first stage that re-tests one. Time is linear in the plan.
    pub fn stage(snapshot: &Snapshot, plan: &Plan, stage: usize) -> Self {
        let mut this = Self { stage, ..Self::nothing(snapshot) };
        if stage == 0 {
            return this;
        }
        let backlog = &snapshot.backlog;
        let mut visited = vec![false; backlog.patients.len()];
        for (line, disposition) in plan.lines.enumerate() {
            if of_line(snapshot, line) >= stage {
                continue;
            }
            let (sample, patient) = (backlog.lines[line].sample.row(), backlog.patient_of(line).row());
            match disposition {
                Disposition::Run(run) => this.placed[sample] |= run.analyser.is_some(),
                Disposition::Recall(run) => {
                    this.recalled[patient] = true;
                    this.recollected[sample] |= run.is_some();
                    visited[patient] |= run.is_some();
                }
                Disposition::Cancel(_) | Disposition::Hold(_) => {}
            }
        }
        this.visits = plan.visits.iter().copied().filter(|visit| visited[visit.patient.row()]).collect();
        this.take(snapshot, plan);
        this
    }

    fn take(&mut self, snapshot: &Snapshot, plan: &Plan) {
        let (placed, recollected) = (&self.placed, &self.recollected);
        let left = &mut self.left;
        // A plan that uses more than there is is the audit's business; nothing is left then.
        let mut take = |cell: CellIx, amount: u64| left[cell] = left[cell].saturating_sub(amount);
        for sample in snapshot.backlog.samples.indices() {
            if placed[sample.row()] {
                usage::of_way(snapshot, plan, sample, &mut take);
            }
            if recollected[sample.row()] {
                usage::of_new_tube(snapshot, plan, sample, &mut take);
            }
        }
        let stage = self.stage;
        usage::of_lines(snapshot, plan, |line| of_line(snapshot, line) < stage, &mut take);
        for visit in &self.visits {
            usage::of_visit(snapshot, *visit, &mut take);
        }
    }

    /// The visit that a patient has already.
    pub fn visit_of(&self, patient: PatientIx) -> Option<Visit> {
        self.visits.binary_search_by_key(&patient, |visit| visit.patient).ok().map(|at| self.visits[at])
    }
}
