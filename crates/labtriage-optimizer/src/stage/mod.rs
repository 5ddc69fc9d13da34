//! How does a stage become cheap? Its patients' choices, priced together by the engine.
//!
//! Reading order: `choice` (what one option is) · `market` (prices, and what is left) · `ways` (where
//! a sample can go) · `offers` (on which its lines can be run until when) ·
//! `sample` (what its lines cost there) · `memo` (what was worked out of it) · `least` (the cheapest of them) ·
//! `split` (and from two containers) · `patient` (the cheapest option) ·
//! `bench` (the option, line by line) · `problem` (a stage, as the engine sees it) · `rough` (first prices).

mod bench;
pub(crate) mod choice;
mod least;
mod market;
mod memo;
mod offers;
mod patient;
mod problem;
mod rough;
mod sample;
mod split;
mod ways;

pub(crate) use problem::{Ground, Stage, whole_prices};
pub(crate) use rough::first_prices;
