//! What did the user ask for, where files with identities are looked up?

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{KeysArguments, LookArguments, UnlockArguments};

pub(super) const EXPORTS_EXAMPLES: &str = "\
Examples:
  labtriage exports whose found-on-the-internet.csv --ledger lab.ledger
  labtriage exports whose found.csv --ledger lab.ledger --store store.age --unlock store.secret --out persons.csv
  labtriage exports list --ledger lab.ledger --practice Z00001
  labtriage exports list --ledger lab.ledger --nhs-number --keys pseudonym.keys < number.txt

A file is found by its digest as it left, or by that of what was in it before it was locked.";

#[derive(Subcommand, Debug)]
pub(crate) enum ExportsCommand {
    /// Say which patients a file reveals that left with identities.
    #[command(after_help = EXPORTS_EXAMPLES)]
    Whose(WhoseArguments),
    /// Show files that have left with identities.
    #[command(after_help = EXPORTS_EXAMPLES)]
    List(ExportsListArguments),
}

#[derive(Args, Debug)]
pub(crate) struct WhoseArguments {
    /// The file that was found.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) look: LookArguments,
    /// The encrypted store of identities: says who the pseudonyms are, into --out.
    #[arg(long, value_name = "FILE", requires = "out")]
    pub(crate) store: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) unlock: UnlockArguments,
    /// Where the list of persons goes, for its owner's eyes only; an earlier file there is replaced.
    #[arg(long, value_name = "CSV", requires = "store")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct ExportsListArguments {
    #[command(flatten)]
    pub(crate) look: LookArguments,
    /// Only files that name this patient.
    #[arg(long, value_name = "PSEUDONYM")]
    pub(crate) patient: Option<String>,
    /// Only files that name the patient whose NHS number stands on standard input; needs the pseudonym keys.
    #[arg(long, conflicts_with = "patient")]
    pub(crate) nhs_number: bool,
    #[command(flatten)]
    pub(crate) keys: KeysArguments,
    /// Only files for this practice or ward, by ODS code.
    #[arg(long, value_name = "ODS")]
    pub(crate) practice: Option<String>,
}
