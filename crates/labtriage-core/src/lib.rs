//! The nouns and laws of a laboratory backlog.
//!
//! This crate is pure: no files, clock, terminal, threads, randomness or solver. It says what a
//! sample, a clock, a limit and a lawful plan *are*; others decide, read, write and show.
//!
//! Reading order: [`time`], [`units`], [`table`] (the alphabet) · [`catalogue`], [`network`],
//! [`policy`], [`backlog`], [`overrides`] (the nouns) · [`viability`], [`duplicates`],
//! [`capacity`] (the laws of nature) · [`snapshot`], [`published`] (all of it, cross-checked; what an
//! earlier plan promised) · [`plan`], [`trace`], [`usage`], [`cost`], [`fairness`], [`audit`], [`summary`]
//! (what was decided, what it uses and costs, who waits longest, whether it is lawful). Apart stands [`nhs`]: what no
//! text may hold.

pub mod audit;
pub mod backlog;
pub mod calendar;
pub mod capacity;
pub mod catalogue;
pub mod certificate;
pub mod cost;
pub mod duplicates;
pub mod fairness;
pub mod finding;
#[cfg(any(test, feature = "fixture"))]
pub mod fixture;
pub mod flags;
pub mod grid;
pub mod network;
pub mod nhs;
pub mod overrides;
pub mod plan;
pub mod policy;
pub mod published;
pub mod snapshot;
pub mod summary;
pub mod table;
pub mod time;
pub mod trace;
pub mod units;
pub mod usage;
pub mod viability;
