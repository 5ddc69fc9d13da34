//! How good could any plan be? A lower bound on the cost of every lawful plan, from prices alone.
//!
//! Put a price ≥ 0 on every capacity cell. Let each patient choose what costs least with those
//! prices added, on its own: the sum of these minima, less Σ price × what is left of each cell, is at
//! most the cost of any lawful plan (weak duality). So the prices are the certificate, and whoever
//! has the inputs can work out the bound again without a solver.
//!
//! Everything is in whole numbers: costs and prices in 1/65536 of a thousandth of a weighted day,
//! sums in 128 bits. Nothing is rounded but the end, and that downwards.
//!
//! Strict bands are planned one after the other, each on what the earlier ones left, and so each
//! stage has prices and a bound of its own, on what the stages before it left. Bounds of stages add up.
//!
//! Reading order: [`stage`] (what a stage decides, on what) · `window` (until when) · [`facts`]
//! (what prices do not change) · [`tables`] and `travel` (prices, gathered) · `sample`, `runs`, `least`, `volume`,
//! `patient`
//! (the least cost).

pub mod facts;
mod least;
pub mod patient;
mod runs;
mod sample;
pub mod stage;
pub mod tables;
mod travel;
mod volume;
mod window;

use crate::plan::Plan;
use crate::snapshot::Snapshot;
use crate::table::{CellIx, Ix, PatientIx, Table};
use crate::units::Cost;

use facts::Facts;
use patient::{Scratch, minimum};
use stage::{Before, PatientSamples};
use tables::Tables;

/// Cost and price in 1/65536 of a thousandth of a weighted day.
pub type Scaled = i64;

/// How many bits finer than a thousandth of a weighted day.
pub const SHIFT: u32 = 16;

/// More than anything costs; sums of a few hundred of these still fit.
pub(crate) const NEVER: Scaled = 1 << 54;

pub(crate) const fn scaled(cost: Cost) -> Scaled {
    cost.thousandths() << SHIFT
}

/// The most that a single use is priced at, well below [`NEVER`]: capping a price lowers the bound.
const DEAREST: Scaled = 1 << 48;

/// A price of every cell, per unit of the cell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Prices(Table<CellIx, Scaled>);

impl Prices {
    /// Nothing costs anything.
    pub fn free(cells: usize) -> Self {
        Self(Table::filled(0, cells))
    }

    /// These prices; what is negative counts as nothing.
    pub fn new(mut prices: Table<CellIx, Scaled>) -> Self {
        for price in prices.as_mut_slice() {
            *price = (*price).clamp(0, DEAREST);
        }
        Self(prices)
    }

    /// The price of using so much of a cell.
    pub fn of(&self, cell: CellIx, amount: u64) -> Scaled {
        let amount = i64::try_from(amount).unwrap_or(i64::MAX);
        self.0[cell].saturating_mul(amount).min(DEAREST)
    }

    /// Every price in order of cell.
    pub fn all(&self) -> &Table<CellIx, Scaled> {
        &self.0
    }

    /// What all that is left costs at these prices.
    pub fn charge(&self, before: &Before) -> i128 {
        let each = before.left.iter().zip(self.0.iter());
        each.map(|(&left, &price)| i128::from(left) * i128::from(price)).sum()
    }
}

/// The prices that prove how good a plan is: one set a stage.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Certificate {
    /// Prices by stage.
    pub stages: Vec<Prices>,
}

/// The sum of the minima of some patients, by row.
pub fn minima(tables: &Tables<'_>, samples: &PatientSamples, patients: std::ops::Range<usize>) -> i128 {
    let mut scratch = Scratch::default();
    let least = |row| i128::from(minimum(tables, samples, PatientIx::from_row(row), &mut scratch, None));
    patients.map(least).sum()
}

/// The bound of a stage: the sum of all minima less what all that is left costs, rounded down,
/// never below nothing.
pub fn stage_bound(minima: i128, charge: i128) -> Cost {
    let whole = (minima - charge).max(0) >> SHIFT;
    Cost::from_thousandths(i64::try_from(whole).unwrap_or(i64::MAX))
}

/// The bounds of all stages, each on what the stages before it have left in this plan.
///
/// Their sum is at most the cost of the plan, and of every plan that decides the same in the
/// earlier stages. Time: stages × patients × lines × sites × slots.
pub fn bounds(snapshot: &Snapshot, plan: &Plan, certificate: &Certificate) -> Vec<Cost> {
    let facts = Facts::new(snapshot);
    let samples = PatientSamples::new(&snapshot.backlog);
    let of_stage = |(stage, prices): (usize, &Prices)| {
        let before = Before::stage(snapshot, plan, stage);
        let tables = Tables::new(&facts, &before, prices.clone());
        let minima = minima(&tables, &samples, 0..snapshot.backlog.patients.len());
        stage_bound(minima, prices.charge(&before))
    };
    certificate.stages.iter().enumerate().map(of_stage).collect()
}
