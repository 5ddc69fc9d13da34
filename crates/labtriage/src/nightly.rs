//! What does a night consist of? The parts that `commands::nightly` puts together.
//!
//! Reading order: `inbox` (which extract), `nights` (where plans are published, and how a killed run is completed),
//! `decisions` (what people have decided since), `known` (what the ledger knew), `record`, `gone`, `discard`, `notices` (what it
//! will know), `journal` (what a machine is told), `planning` (a night from reading to publishing).

pub(crate) mod decisions;
mod discard;
mod gone;
pub(crate) mod inbox;
pub(crate) mod journal;
pub(crate) mod known;
pub(crate) mod nights;
mod notices;
pub(crate) mod planning;
pub(crate) mod record;
