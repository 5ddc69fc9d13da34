//! From a snapshot to a lawful plan.
//!
//! [`plan`] serves the greedy rules: lines in the rule's order, each at the place whose result is
//! out first on the capacity that is left; what cannot be run is recalled, held or waits. Reading
//! order: [`routes`] (where tubes can go) · `remaining` (what is left) · `way` (what a tube goes
//! through) · `order` (who comes first) · `greedy` and `recall` (the decisions) · [`explain`] (why).

mod finish;
mod greedy;
mod order;
mod place;
mod recall;
mod remaining;
pub mod routes;
mod way;

pub mod explain;

pub use greedy::{Progress, plan};
