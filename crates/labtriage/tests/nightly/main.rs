//! Does a night do what it promises, whatever comes between? Extracts, refusals, kills and what people decide.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
mod kills;
mod people;
mod refusals;
