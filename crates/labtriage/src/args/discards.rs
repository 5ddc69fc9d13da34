//! What did the user ask for, where a person decides about discards?

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use labtriage_ledger::states::SampleState;

use super::{LookArguments, named_user};

pub(super) const DISCARDS_EXAMPLES: &str = "\
Examples:
  labtriage discards list --ledger lab.ledger
  labtriage discards authorise 24A0001234 24A0001235 --ledger lab.ledger --by 'A. Manager' --out records
  labtriage discards authorise --from signed/discards.csv --ledger lab.ledger
  labtriage discards reject 24A0001234 --ledger lab.ledger --by 'A. Manager' --why 'still wanted for research'
  labtriage discards dispose 24A0001234 --ledger lab.ledger --by 'C. Porter' --out records
  labtriage discards report 24A0001234 --ledger lab.ledger --out records-again

Several tubes are decided whole or not at all; every refusal is listed with its code. A sample that cannot be collected
again needs --second, and nothing is authorised or disposed of before the policy's minimum hold is over.";

#[derive(Subcommand, Debug)]
pub(crate) enum DiscardsCommand {
    /// Show proposed discards, or those in another state.
    #[command(after_help = DISCARDS_EXAMPLES)]
    List(DiscardsListArguments),
    /// Allow proposed discards.
    #[command(after_help = DISCARDS_EXAMPLES)]
    Authorise(AuthoriseArguments),
    /// Refuse proposed discards; the tubes are kept.
    #[command(after_help = DISCARDS_EXAMPLES)]
    Reject(RejectArguments),
    /// Record that authorised discards have been done.
    #[command(after_help = DISCARDS_EXAMPLES)]
    Dispose(DisposeArguments),
    /// Write records and reports of discards again.
    #[command(after_help = DISCARDS_EXAMPLES)]
    Report(ReportArguments),
}

/// The states of a discard by the names of the command line.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Debug)]
pub(crate) enum DiscardState {
    /// Waiting for a person.
    Proposed,
    /// Allowed, not done yet.
    Authorised,
    /// Refused: the tube is kept.
    Rejected,
    /// Done.
    Disposed,
    /// All of these.
    All,
}

impl DiscardState {
    pub(crate) const fn states(self) -> &'static [SampleState] {
        match self {
            Self::Proposed => &[SampleState::DiscardProposed],
            Self::Authorised => &[SampleState::DiscardAuthorised],
            Self::Rejected => &[SampleState::DiscardRejected],
            Self::Disposed => &[SampleState::Disposed],
            Self::All => &[
                SampleState::DiscardProposed,
                SampleState::DiscardAuthorised,
                SampleState::DiscardRejected,
                SampleState::Disposed,
            ],
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct DiscardsListArguments {
    #[command(flatten)]
    pub(crate) look: LookArguments,
    /// Which discards.
    #[arg(long, value_enum, default_value = "proposed")]
    pub(crate) state: DiscardState,
    /// Only those of this practice or ward, by ODS code.
    #[arg(long, value_name = "ODS")]
    pub(crate) practice: Option<String>,
    /// Print the records as CSV: a person may sign in it, and `authorise --from` reads it.
    #[arg(long, conflicts_with = "json")]
    pub(crate) csv: bool,
}

/// Which tubes.
#[derive(Args, Debug)]
pub(crate) struct TubesArguments {
    /// Accession numbers.
    #[arg(value_name = "ACCESSION", required_unless_present = "from")]
    pub(crate) accessions: Vec<String>,
    /// A list of tubes: `discards.csv` of a plan, or what `discards list --csv` prints.
    #[arg(long, value_name = "CSV", conflicts_with = "accessions")]
    pub(crate) from: Option<PathBuf>,
    /// Folder for records and reports to the requesters; it must not exist or be empty.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct AuthoriseArguments {
    #[command(flatten)]
    pub(crate) look: LookArguments,
    #[command(flatten)]
    pub(crate) tubes: TubesArguments,
    /// Who authorises; with `--from`, those who signed in `authorised_by` and `second_checker` do.
    #[arg(long, value_name = "USER", value_parser = named_user, required_unless_present = "from", conflicts_with = "from")]
    pub(crate) by: Option<String>,
    /// The second person, for samples that cannot be collected again.
    #[arg(long, value_name = "USER", value_parser = named_user, conflicts_with = "from")]
    pub(crate) second: Option<String>,
    /// Why, if there is something to say.
    #[arg(long, value_name = "TEXT")]
    pub(crate) why: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct RejectArguments {
    #[command(flatten)]
    pub(crate) look: LookArguments,
    #[command(flatten)]
    pub(crate) tubes: TubesArguments,
    /// Who rejects.
    #[arg(long, value_name = "USER", value_parser = named_user)]
    pub(crate) by: String,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    pub(crate) why: String,
}

#[derive(Args, Debug)]
pub(crate) struct DisposeArguments {
    #[command(flatten)]
    pub(crate) look: LookArguments,
    #[command(flatten)]
    pub(crate) tubes: TubesArguments,
    /// Who has thrown them away.
    #[arg(long, value_name = "USER", value_parser = named_user)]
    pub(crate) by: String,
    /// How the requester was told, if that has been done.
    #[arg(long, value_name = "TEXT")]
    pub(crate) notified_via: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct ReportArguments {
    #[command(flatten)]
    pub(crate) look: LookArguments,
    /// Accession numbers.
    #[arg(value_name = "ACCESSION", required = true)]
    pub(crate) accessions: Vec<String>,
    /// Folder for records and reports to the requesters; it must not exist or be empty.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
}
