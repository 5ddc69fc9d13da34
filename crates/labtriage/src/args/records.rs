//! What did the user ask of the record of what happened?

use chrono::NaiveDate;
use clap::Args;

use super::{LedgerArguments, named_user};

pub(super) const STATUS_EXAMPLES: &str = "\
Examples:
  labtriage status --ledger lab.ledger --sample 24A0001234 --by 'A. Clerk'
  labtriage status --ledger lab.ledger --request RQ0000042 --as-practice G85001 --by 'A. Receptionist'
  labtriage status --ledger lab.ledger --practice G85001 --by 'A. Receptionist' --json

Every question is recorded with who asked. With --practice or --as-practice, whatever belongs to another requester is
answered as if it did not exist. Exit code 2 and L018: the ledger knows nothing of that name, or not for that practice.";

pub(super) const KPI_EXAMPLES: &str = "\
Examples:
  labtriage kpi --ledger lab.ledger
  labtriage kpi --ledger lab.ledger --from 2024-06-10 --to 2024-06-23 --csv > fortnight.csv

What a figure counts, and where its definition comes from, stands in docs/kpi.md. What was not counted is `unknown`, never 0.";

#[derive(Args, Debug)]
pub(crate) struct StatusArguments {
    #[command(flatten)]
    pub(crate) asked: Asked,
    /// Answer as this practice or ward may know it, by ODS code.
    #[arg(long, value_name = "ODS", conflicts_with = "practice")]
    pub(crate) as_practice: Option<String>,
    /// Who asks; it is recorded.
    #[arg(long, value_name = "USER", value_parser = named_user)]
    pub(crate) by: String,
    /// The moment of the question, local time or with offset [default: the clock].
    #[arg(long, value_name = "TIME")]
    pub(crate) now: Option<String>,
    #[command(flatten)]
    pub(crate) ledger: LedgerArguments,
}

/// What is asked about: exactly one.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub(crate) struct Asked {
    /// An accession number.
    #[arg(long, value_name = "ACCESSION")]
    pub(crate) sample: Option<String>,
    /// A request code.
    #[arg(long, value_name = "ID")]
    pub(crate) request: Option<String>,
    /// A patient's pseudonym.
    #[arg(long, value_name = "PSEUDONYM")]
    pub(crate) patient: Option<String>,
    /// A practice or ward, by ODS code.
    #[arg(long, value_name = "ODS")]
    pub(crate) practice: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct KpiArguments {
    #[command(flatten)]
    pub(crate) ledger: LedgerArguments,
    /// The first night, by its local day [default: the first of all].
    #[arg(long, value_name = "DATE", value_parser = date)]
    pub(crate) from: Option<NaiveDate>,
    /// The last night, by its local day [default: the last of all].
    #[arg(long, value_name = "DATE", value_parser = date)]
    pub(crate) to: Option<NaiveDate>,
    /// Print every figure as a row of CSV.
    #[arg(long, conflicts_with_all = ["json", "quiet"])]
    pub(crate) csv: bool,
}

fn date(typed: &str) -> Result<NaiveDate, String> {
    typed.parse().map_err(|_| "write a date as 2024-06-10".to_owned())
}
