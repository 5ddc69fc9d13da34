//! What did the scarce things that a line uses charge it? Prices of a plan's certificate × use.

use std::fmt::Write as _;

use labtriage_core::certificate::stage::of_line;
use labtriage_core::certificate::{Certificate, SHIFT};
use labtriage_core::plan::{Disposition, Plan, Run, Step};
use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::{CellIx, LineIx};
use labtriage_core::units::Cost;
use labtriage_core::usage::{of_option, of_retest};

/// What one cell charges a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Charge {
    /// The cell.
    pub(crate) cell: CellIx,
    /// How much of it is used, in the cell's unit.
    pub(crate) amount: u64,
    /// Price × use, to the nearest thousandth.
    pub(crate) cost: Cost,
    /// Charged once for the tube, or the patient's visit, whatever number of lines share it.
    pub(crate) shared: bool,
}

/// Charges at the prices of a plan.
pub(crate) struct Charges<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) plan: &'a Plan,
    pub(crate) certificate: &'a Certificate,
}

impl Charges<'_> {
    /// What a line is charged as it is decided; nothing where nothing that it uses is scarce.
    pub(crate) fn of(&self, line: LineIx) -> Vec<Charge> {
        match self.plan.lines[line] {
            Disposition::Run(run) => {
                let steps = self.plan.steps_of(self.snapshot.backlog.lines[line].sample);
                self.of_run(line, run, steps, self.first_stage(line))
            }
            Disposition::Recall(Some(run)) => {
                self.priced(line, of_retest(self.snapshot, self.plan, line, run), self.first_stage(line))
            }
            Disposition::Recall(None) | Disposition::Cancel(_) | Disposition::Hold(_) => Vec::new(),
        }
    }

    /// What a line that is not run would be charged for a run, its tube going this way.
    pub(crate) fn would_be(&self, line: LineIx, run: Run, steps: &[Step]) -> Vec<Charge> {
        self.of_run(line, run, steps, of_line(self.snapshot, line))
    }

    fn of_run(&self, line: LineIx, run: Run, steps: &[Step], stage: usize) -> Vec<Charge> {
        self.priced(line, of_option(self.snapshot, line, run, steps), stage)
    }

    /// The stage that has decided the way of a line's tube, or of its new tube: the first that runs,
    /// or re-tests, a line of the sample.
    fn first_stage(&self, line: LineIx) -> usize {
        let sample = self.snapshot.backlog.lines[line].sample;
        let alike = |other: &LineIx| {
            matches!(
                (self.plan.lines[line], self.plan.lines[*other]),
                (Disposition::Run(_), Disposition::Run(_)) | (Disposition::Recall(_), Disposition::Recall(Some(_)))
            )
        };
        let lines = self.snapshot.backlog.samples[sample].lines().filter(alike);
        lines.map(|line| of_line(self.snapshot, line)).min().unwrap_or_default()
    }

    /// Uses that are shared, at the prices of a stage, and a line's own at those of its own stage.
    fn priced(&self, line: LineIx, [shared, own]: [Vec<(CellIx, u64)>; 2], stage: usize) -> Vec<Charge> {
        let own = own.into_iter().map(|(cell, amount)| self.charge(cell, amount, of_line(self.snapshot, line), false));
        let shared = shared.into_iter().map(|(cell, amount)| self.charge(cell, amount, stage, true));
        own.chain(shared).filter(|charge| charge.cost > Cost::ZERO).collect()
    }

    fn charge(&self, cell: CellIx, amount: u64, stage: usize, shared: bool) -> Charge {
        let price = self.certificate.stages.get(stage).map_or(0, |prices| prices.of(cell, amount));
        let cost = Cost::from_thousandths((price + (1 << (SHIFT - 1))) >> SHIFT);
        Charge { cell, amount, cost, shared }
    }
}

/// Charges as words: `12.5 weighted days for analyser time of HUB-CHEM …`.
pub(crate) fn words(charge: &Charge, cell: &str) -> String {
    let mut words = format!("{} weighted days for {cell}", charge.cost);
    if charge.shared {
        let _ = write!(words, ", once for all that share it");
    }
    words
}
