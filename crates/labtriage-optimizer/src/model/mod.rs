//! What would a general solver have to solve? The exact model of a small snapshot.
//!
//! [`Model::of`] writes every decision about a snapshot as variables between 0 and 1 and every law
//! as rows, for solvers that know nothing of tubes; [`mps`] and [`lp`] put it into their formats. It
//! is meant for comparison: it has thousands of variables a sample, [`optimise`](crate::optimise)
//! has a few hundred bytes.
//!
//! **All lines are one problem; strictness is left out.** A plan is made band after band, and what a
//! strict band takes is never weighed against the bands below. The model weighs everything at once,
//! so where a policy has strict bands its optimum may be less than any plan costs that keeps the
//! law of strict bands (`A026`). Without strict bands both are the same problem. The law of the
//! frozen window (`A027`) is left out likewise; the price of a moved line is in.
//!
//! Variables, per sample unless said otherwise; *by* marks sums over slots up to one, which keep rows short:
//!
//! | name | meaning |
//! |---|---|
//! | `way` | how it is prepared where it stands: each order of refrigerating, spinning and freezing, each with its slots |
//! | `thaw`, `spin` | thawed in a slot; centrifuged on arrival at a site in a slot |
//! | `go` | the itinerary it takes; none when it stays |
//! | `book` | booked in at a site in a slot |
//! | `split`, `onward`, `rebook` | an aliquot taken at a site in a slot, its itinerary, its booking in |
//! | `run` | a line on an analyser in a slot |
//! | `report` | a line's result leaving a site in a slot |
//! | `wait`, `held`, `recall` | a line that keeps; that a person decides; that is recalled and not re-tested |
//! | `burden`, `visit` | per patient: recalled; seen at a collection point on a day |
//! | `tube`, `retest` | the new tube booked in at a site in a slot; a line re-tested on an analyser in a slot |
//!
//! Repeats are cancelled, and what must be held is held: their cost is one variable, `fixed`. Lawful
//! but left out, because it costs more or is rare:
//!
//! - more than two couriers, itineraries that come back, and changes to a later courier than the
//!   first one reached, as in [`routes`](crate::routes);
//! - refrigerating, freezing or thawing after a courier; spinning after a courier where the sample's own site
//!   has a centrifuge;
//! - freezing in other than the first [`FREEZE_SLOTS`] slots after the sample is ready for it;
//! - handling a second container; splitting a thawed or frozen sample; a second container where the
//!   first is tested;
//! - running a pinned line elsewhere than it is pinned to, or a line of a sample whose discard is forced
//!   (both lawful when reported as impossible), and running a line that repeats another;
//! - ways that are never better than another that uses the same.

mod build;
mod lines;
pub mod lp;
pub mod mps;
mod numbers;
mod patient;
mod prepare;
mod sample;
mod second;

use labtriage_core::snapshot::Snapshot;
use labtriage_core::units::Cost;
use thiserror::Error;

pub use prepare::FREEZE_SLOTS;

/// The most variables that [`Model::of`] makes: beyond, files have gigabytes and solvers give up.
pub const VARIABLES_MAX: usize = 2_000_000;

/// A variable, by its place in [`Model::variables`].
pub type Var = u32;

/// A variable between 0 and 1.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Variable {
    /// Letters, digits and `_`; names nobody: numbers are rows of the snapshot's tables.
    pub name: String,
    /// Cost of the whole, in thousandths of a weighted day.
    pub cost: Cost,
    /// Whether it must be 0 or 1; the others are whole as soon as these are.
    pub integer: bool,
}

/// How the sum of a row compares with its limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sense {
    /// At most.
    AtMost,
    /// Exactly.
    Exactly,
}

/// Σ coefficient × variable, compared with a limit; in the unit of the cell when the row is a capacity cell's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// Letters, digits and `_`.
    pub name: String,
    /// Each variable at most once, with its coefficient.
    pub terms: Vec<(Var, i64)>,
    /// How the sum compares.
    pub sense: Sense,
    /// With what.
    pub limit: i64,
}

/// Minimise Σ cost × variable under rows.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Model {
    /// In order of sample, then of what they decide.
    pub variables: Vec<Variable>,
    /// What must hold.
    pub rows: Vec<Row>,
}

/// The snapshot is too large to be written as one model.
#[derive(Clone, Copy, PartialEq, Eq, Error, Debug)]
#[error("the model has more than {limit} variables: sample {reached} of {samples} is where it was given up")]
pub struct TooLarge {
    /// The most variables that were allowed.
    pub limit: usize,
    /// Samples that had been written when the limit was passed.
    pub reached: usize,
    /// Samples of the snapshot.
    pub samples: usize,
}

impl Model {
    /// The model of a snapshot, with at most `limit` variables (see [`VARIABLES_MAX`]).
    ///
    /// Time and memory: samples × (lines × analysers × slots + itineraries).
    ///
    /// # Errors
    /// [`TooLarge`] as soon as the limit is passed.
    pub fn of(snapshot: &Snapshot, limit: usize) -> Result<Self, TooLarge> {
        build::build(snapshot, limit)
    }

    /// How many coefficients the rows have.
    pub fn entries(&self) -> usize {
        self.rows.iter().map(|row| row.terms.len()).sum()
    }
}
