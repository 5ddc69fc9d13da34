//! Why did it not work? Failures with their exit codes; words are theirs, printing is not.

use labtriage_core::audit::Violation;
use labtriage_core::finding::Finding;
use labtriage_formats::outputs::OutputError;
use labtriage_identity::IdentityError;
use labtriage_ledger::LedgerError;

/// Exit code: made, but a strict-band line is not met.
pub(crate) const STRICT_NOT_MET: u8 = 1;
/// Exit code: bad arguments or input.
pub(crate) const BAD_INPUT: u8 = 2;
/// Exit code: made, but only the first-in-first-out floor.
pub(crate) const ONLY_FLOOR: u8 = 3;
/// Exit code: our bug.
pub(crate) const OUR_BUG: u8 = 70;

/// Why a command ended without doing what was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Something is wrong with the input.
    Findings(Vec<Finding>),
    /// The outputs could not be written.
    Output(OutputError),
    /// The ledger did not do what was asked.
    Ledger(LedgerError),
    /// The ledger refused parts of what was asked, so all of it was left: every refusal.
    Refused(Vec<LedgerError>),
    /// A key or a store of identities could not be used.
    Identity(IdentityError),
    /// A plan file that was to be checked breaks laws.
    Unlawful(Vec<Violation>),
    /// A plan of ours breaks laws: a bug.
    OurPlanIsUnlawful(Vec<Violation>),
    /// Something that cannot happen.
    Bug(String),
}

impl Failure {
    pub(crate) const fn exit_code(&self) -> u8 {
        match self {
            Self::Findings(_)
            | Self::Output(_)
            | Self::Identity(_)
            | Self::Ledger(_)
            | Self::Refused(_)
            | Self::Unlawful(_) => BAD_INPUT,
            Self::OurPlanIsUnlawful(_) | Self::Bug(_) => OUR_BUG,
        }
    }
}

impl From<Finding> for Failure {
    fn from(finding: Finding) -> Self {
        Self::Findings(vec![finding])
    }
}

impl From<Vec<Finding>> for Failure {
    fn from(findings: Vec<Finding>) -> Self {
        Self::Findings(findings)
    }
}

impl From<OutputError> for Failure {
    fn from(error: OutputError) -> Self {
        Self::Output(error)
    }
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

impl From<IdentityError> for Failure {
    fn from(error: IdentityError) -> Self {
        Self::Identity(error)
    }
}
