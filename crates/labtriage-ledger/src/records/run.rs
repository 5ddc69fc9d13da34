//! What did a night plan, from what, and how well?

use labtriage_core::time::Instant;
use serde::{Deserialize, Serialize};

use super::sealed::Sealed;
use super::{Keys, Kind, Record};
use crate::minutes;

/// A planning run. Its digest names it: the same inputs, options and moment are the same run.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// SHA-256 over the digests of inputs, options and `now`, as 64 hexadecimal digits.
    pub digest: String,
    /// The moment of planning.
    #[serde(with = "minutes")]
    pub now: Instant,
    /// Digests of the input files, by the name of each, in order of name.
    pub inputs: Vec<(String, String)>,
    /// Options of the run, by name, in order of name.
    pub options: Vec<(String, String)>,
    /// The version of the program.
    pub version: String,
    /// Cost of the plan, in thousandths of a weighted day.
    pub cost: i64,
    /// The bound on any plan's cost, in the same unit, where one was proven.
    pub bound: Option<i64>,
    /// Why the search stopped.
    pub stop: String,
    /// Samples planned.
    pub samples: u64,
    /// Lines planned.
    pub lines: u64,
    /// Rows set aside.
    pub quarantined: u64,
}

impl Record for Run {
    const KIND: Kind = Kind::Run;

    fn subject(&self) -> &str {
        &self.digest
    }
}

impl Sealed for Run {}

/// A plan that people work by from now on.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// Digest of its run.
    pub run: String,
    /// SHA-256 of its `plan.json`, as 64 hexadecimal digits.
    pub plan: String,
    /// Where it lies, as the caller wants to find it again.
    pub folder: String,
}

impl Record for Published {
    const KIND: Kind = Kind::Published;

    /// There is one published plan at a time.
    fn subject(&self) -> &'static str {
        "plan"
    }
}

impl Sealed for Published {
    #[expect(private_interfaces, reason = "the trait cannot be named outside this crate")]
    fn keys(&self) -> Keys {
        Keys::default()
    }
}
