//! From a snapshot to a lawful plan.
//!
//! [`plan`] serves the greedy rules: lines in the rule's order, each at the place whose result is
//! out first on the capacity that is left; what cannot be run is recalled, held or waits. Reading
//! order: [`routes`] (where tubes can go) · `remaining` (what is left) · `uses` (what a decision
//! uses) · `way` (what a tube goes through) · `order` (who comes first) · `within` (where and when a
//! line may be run) · `greedy` (line by line), `place` (where a line is run), `recall` (what happens
//! to the others), `finish` (the plan put together) · [`explain`] (why). [`engine`] stands apart: a
//! general optimizer that knows nothing of tubes; `stage` poses it a stage of a snapshot,
//! [`optimise`] plans all stages so.

pub mod engine;
pub mod explain;
mod finish;
mod greedy;
pub mod model;
pub mod optimise;
mod order;
mod place;
mod recall;
mod remaining;
pub mod routes;
mod stage;
mod uses;
mod way;
mod within;

pub use greedy::{Progress, plan};
