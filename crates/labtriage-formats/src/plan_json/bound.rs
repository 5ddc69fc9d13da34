//! What does a plan file claim about how near the best it is? Bounds, and the prices that prove them.

use labtriage_core::certificate::stage::count;
use labtriage_core::certificate::{Certificate, Prices, Scaled};
use labtriage_core::cost::gap;
use labtriage_core::finding::{Code, Finding};
use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::{CellIx, Ix, Table};
use labtriage_core::units::Cost;
use serde::{Deserialize, Serialize};

use super::FILE;

/// The unit of every price in the file; bounds are in the unit of costs.
const PRICE_UNIT: &str = "1/65536 thousandth of a weighted day per unit of the cell";

/// The bound of one stage, with its proof.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StageBound {
    /// The lines of this stage cost at least so much, whatever is decided for them.
    pub bound: Cost,
    /// Cells that have a price, with it: in 1/65536 of a thousandth of a weighted day per unit, in order of cell.
    pub prices: Vec<(u32, Scaled)>,
}

/// The bounds of all stages, in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bound {
    /// One a stage.
    pub stages: Vec<StageBound>,
}

impl Bound {
    /// What a certificate proves. `bounds` has one bound for each of its stages.
    pub fn new(certificate: &Certificate, bounds: &[Cost]) -> Self {
        let stages = certificate.stages.iter().zip(bounds);
        Self { stages: stages.map(|(prices, &bound)| StageBound { bound, prices: sparse(prices) }).collect() }
    }

    /// The bound on the cost of a plan: the sum over the stages.
    pub fn total(&self) -> Cost {
        self.stages.iter().map(|stage| stage.bound).sum()
    }

    /// Of two proofs about one plan the stages that prove more, the first where both prove the same. The bound of a
    /// stage rests on its own prices alone.
    #[must_use]
    pub fn stronger(self, other: Self) -> Self {
        let pairs = self.stages.into_iter().zip(other.stages);
        Self { stages: pairs.map(|(one, other)| if other.bound > one.bound { other } else { one }).collect() }
    }

    /// The prices of all stages, ready to prove the bounds.
    ///
    /// # Errors
    /// `P003` when there are other stages, or fewer cells, than the snapshot has.
    pub fn certificate(&self, snapshot: &Snapshot) -> Result<Certificate, Finding> {
        let misfit = |message: &str| Finding::new(Code::PlanMismatch, message).at(FILE, 0, 0);
        if self.stages.len() != count(snapshot) {
            return Err(misfit("the plan has bounds of other stages than its inputs have"));
        }
        let dense = |stage: &StageBound| dense(&stage.prices, snapshot.capacity.len());
        let stages: Option<Vec<Prices>> = self.stages.iter().map(dense).collect();
        let stages = stages.ok_or_else(|| misfit("the plan has a price for a cell that its inputs do not have"))?;
        Ok(Certificate { stages })
    }
}

fn sparse(prices: &Prices) -> Vec<(u32, Scaled)> {
    let cells = prices.all().iter().zip(0u32..);
    cells.filter(|(price, _)| **price > 0).map(|(&price, cell)| (cell, price)).collect()
}

fn dense(prices: &[(u32, Scaled)], cells: usize) -> Option<Prices> {
    let mut all: Table<CellIx, Scaled> = Table::filled(0, cells);
    for &(cell, price) in prices {
        let row = usize::try_from(cell).ok().filter(|row| *row < cells)?;
        all[CellIx::from_row(row)] = price;
    }
    Some(Prices::new(all))
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStage {
    bound: i64,
    prices: Vec<(u32, i64)>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawBound {
    total: i64,
    gap_ppm: Option<u64>,
    price_unit: String,
    stages: Vec<RawStage>,
}

impl RawBound {
    /// What is written of the bound of a plan that costs so much.
    pub(super) fn of(bound: &Bound, cost: Cost) -> Self {
        let stage = |stage: &StageBound| RawStage { bound: stage.bound.thousandths(), prices: stage.prices.clone() };
        Self {
            total: bound.total().thousandths(),
            gap_ppm: gap(cost, bound.total()),
            price_unit: PRICE_UNIT.to_owned(),
            stages: bound.stages.iter().map(stage).collect(),
        }
    }

    /// The bound that was read, or what is wrong with it.
    pub(super) fn finish(self, cost: Cost) -> Result<Bound, String> {
        let ordered = |stage: &RawStage| stage.prices.windows(2).all(|pair| pair[0].0 < pair[1].0);
        let positive = |stage: &RawStage| stage.prices.iter().all(|(_, price)| *price > 0);
        if !self.stages.iter().all(|stage| ordered(stage) && positive(stage)) {
            return Err("the prices of `bound` must be above 0, in order of cell, each cell once".to_owned());
        }
        let stage = |stage: RawStage| StageBound { bound: Cost::from_thousandths(stage.bound), prices: stage.prices };
        let bound = Bound { stages: self.stages.into_iter().map(stage).collect() };
        let total = bound.total();
        match (self.price_unit == PRICE_UNIT, total.thousandths() == self.total, gap(cost, total) == self.gap_ppm) {
            (true, true, true) => Ok(bound),
            (false, ..) => Err(format!("the prices of `bound` are not in {PRICE_UNIT}")),
            (_, false, _) => Err("the `total` of `bound` is not the sum of its stages".to_owned()),
            (.., false) => Err("the `gap_ppm` of `bound` is not that of its total and the cost".to_owned()),
        }
    }
}
