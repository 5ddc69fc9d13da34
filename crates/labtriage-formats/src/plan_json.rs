//! What does a plan look like as a file? `plan.json`: versioned, streamed, the same byte for byte.
//!
//! Everything is named by its code, never by a row number; only slots are numbers, and their
//! bounds stand in the header. One sample stands on one line of text, so that a plan can be read
//! with the eye, searched with `grep` and compared with `diff`. It holds no clock reading of its
//! own, no absolute path, and nobody's identity: only pseudonyms.
//!
//! `bound` is `null`, or the certificate: per stage its lower bound in thousandths of a weighted day
//! and the prices that prove it, as `[cell, price]` pairs in order of cell; cells that are not named
//! have the price 0. Prices are in 1/65536 of a thousandth of a weighted day per unit of the cell.
//!
//! `fairness` is there where the policy limits how long groups wait: how they do, by band, and what it cost.

mod bound;
mod fairness;
mod header;
mod parse;
mod published;
mod read;
mod resolve;
mod words;
mod write;

use std::collections::BTreeMap;

use labtriage_core::plan::{CostSplit, Rule};
use labtriage_core::time::Instant;
use labtriage_core::units::Cost;

pub use bound::{Bound, StageBound};
pub(crate) use fairness::RawFairness;
pub use fairness::{StatedBand, StatedFairness, StatedGroup};
pub use read::{RawPlan, read_plan};
pub(crate) use words::push_number;
pub use write::write_plan;

/// The name of the file in an output folder.
pub const FILE: &str = "plan.json";

/// What stands under `format`.
pub const FORMAT: &str = "labtriage-plan";

/// The version this program writes, and the only one it reads.
pub const VERSION: u32 = 1;

/// One file that a plan was made from.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Input {
    /// What it is: `backlog`, `network`, `policy`…
    pub role: String,
    /// Its path relative to the output folder, or `embedded`; never absolute.
    pub path: String,
    /// Digest of its bytes, in hexadecimal.
    pub sha256: String,
}

/// Why planning stopped, and what it holds: two values, never one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stopped {
    /// Why it stopped: `gap` (every stage is as near to its bound as was asked), `done` (the work was
    /// done), `time limit`; `complete` for greedy rules.
    pub why: String,
    /// What it holds: `plan within the gap`, `plan with proof`, `plan without proof` or
    /// `greedy plan (band-edf)`, with the rule.
    pub holds: String,
}

/// What neither the snapshot nor the plan knows about how the plan came to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Document {
    /// Version of the program.
    pub program: String,
    /// Options of the run, by name; no absolute paths.
    pub options: BTreeMap<String, String>,
    /// Everything that was read, in order of role.
    pub inputs: Vec<Input>,
    /// What the plan costs.
    pub cost: CostSplit,
    /// What the plan of the rule first in, first out costs, when it was made.
    pub fifo: Option<Cost>,
    /// What the plan of the floor's own rule costs: of `band-edf` where prices were to make the plan.
    pub own: Cost,
    /// Proven lower bounds on the cost of any plan by stage, when there are any.
    pub bound: Option<Bound>,
    /// How its groups wait, where the policy sets a limit.
    pub fairness: Option<StatedFairness>,
    /// Why it stopped and what it holds.
    pub stopped: Stopped,
    /// Rows of the extract that were set aside.
    pub quarantined: u64,
}

/// How much a plan is about.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counts {
    /// Samples.
    pub samples: u64,
    /// Test lines.
    pub lines: u64,
    /// Requests.
    pub requests: u64,
    /// Patients.
    pub patients: u64,
    /// Visits given.
    pub visits: u64,
}

/// The head of a plan file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Header {
    /// How the plan came to be.
    pub document: Document,
    /// The moment of planning.
    pub now: Instant,
    /// The laboratory's time zone.
    pub zone: String,
    /// The rule that made it.
    pub rule: Rule,
    /// The bounds of the slots: one more than there are slots.
    pub slots: Vec<Instant>,
    /// How much it is about.
    pub counts: Counts,
}
