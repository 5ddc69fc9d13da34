//! What would such a night look like? A seed becomes a backlog, row by row.
//!
//! Everything here is invented: patients, practices, times and results. The shape follows what was
//! published about the incidents named in [`Scenario::about`]; the rest is judgement.
//!
//! The same scenario, size and seed give the same rows on any machine: whole numbers only, and a
//! stream of random numbers that does not change between versions. Rows are made one at a time, so
//! memory does not grow with their number.
//!
//! Reading order: [`scenario`] (which incidents there are), `words` and `demand` (what is asked
//! for), `story` (when and where), `generator` (requests become tubes become rows), [`row`] (what a
//! row is), [`hostile`] (how a row is spoilt).

mod clock;
mod demand;
mod dice;
mod generator;
pub mod hostile;
pub mod row;
pub mod scenario;
mod story;
mod words;

pub use generator::{Generated, NIGHTS_MAX, Request, Resulted, World, generate};
pub use hostile::Spoil;
pub use row::{COLUMNS, ExtractRow};
pub use scenario::Scenario;
