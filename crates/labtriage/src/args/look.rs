//! Which ledger, whose configuration, and when? What every command shares that asks or tells the ledger.

use std::path::PathBuf;

use clap::Args;

use super::OutputArguments;

/// Where the ledger is, and by which clock.
#[derive(Args, Debug)]
pub(crate) struct LookArguments {
    /// The ledger: a SQLite file, or the URL of a PostgreSQL database.
    #[arg(long, value_name = "FILE|postgres://…")]
    pub(crate) ledger: String,
    /// Folder with configuration files in place of the defaults.
    #[arg(long, value_name = "DIR")]
    pub(crate) config: Option<PathBuf>,
    /// The moment, local time or with offset [default: the clock].
    #[arg(long, value_name = "TIME")]
    pub(crate) now: Option<String>,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}
