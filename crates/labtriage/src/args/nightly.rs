//! What was asked of a night?

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use labtriage_core::time::{Instant, Minutes};

use super::{SearchArguments, percent};

pub(super) const NIGHTLY_EXAMPLES: &str = "\
Examples:
  labtriage nightly --inbox inbox --out plans --ledger lab.ledger --config our-laboratory
  labtriage nightly --inbox inbox --out plans --ledger postgres://lab@db.example/lab --time-limit 600 --log json

An extract is a folder of the inbox that is named by its time (2024-06-10 or 2024-06-10T2000) and holds a
manifest.toml, which `labtriage manifest` writes. The plan is published in a folder of that name in --out, and `current`
there points to it. Whenever the exit code is 2 or 70, the plan that was published before stands.";

#[derive(Args, Debug)]
pub(crate) struct NightlyArguments {
    /// Where extracts arrive: one folder per night.
    #[arg(long, value_name = "DIR")]
    pub(crate) inbox: PathBuf,
    /// Where nights are published; made if it is not there.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// The ledger: a SQLite file, which the first night makes, or the URL of a PostgreSQL database.
    #[arg(long, value_name = "FILE|postgres://…")]
    pub(crate) ledger: String,
    /// Folder with network.toml, catalogue.toml, policy.toml or import.toml in place of the defaults.
    #[arg(long, value_name = "DIR")]
    pub(crate) config: Option<PathBuf>,
    /// The moment of planning, local time or with offset [default: that of the extract, else the clock].
    #[arg(long, value_name = "TIME")]
    pub(crate) now: Option<String>,
    /// Refuse an extract that was taken longer ago, in hours.
    #[arg(long, value_name = "HOURS", value_parser = hours, default_value = "12")]
    pub(crate) max_age: Minutes,
    /// Refuse an extract that has lost more than this share of the samples of the night before, in percent.
    #[arg(long, value_name = "PERCENT", value_parser = percent, default_value = "50")]
    pub(crate) max_drop: f64,
    /// Stop when more than this share of the rows is unusable, in percent.
    #[arg(long, value_name = "PERCENT", value_parser = percent, default_value = "5")]
    pub(crate) max_quarantine: f64,
    #[command(flatten)]
    pub(crate) search: SearchArguments,
    /// Where to say how the night went, for a monitor [default: `health.json` in --out].
    #[arg(long, value_name = "FILE")]
    pub(crate) health: Option<PathBuf>,
    /// How to write what happens to stderr.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) log: LogFormat,
    /// Print nothing but errors.
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

pub(super) const MANIFEST_EXAMPLES: &str = "\
Examples:
  labtriage manifest inbox/2024-06-10T2000 --rows 11000
  labtriage manifest inbox/2024-06-10 --taken 2024-06-10T19:00Z";

#[derive(Args, Debug)]
pub(crate) struct ManifestArguments {
    /// The folder of the extract, complete but for its manifest.
    #[arg(value_name = "FOLDER")]
    pub(crate) folder: PathBuf,
    /// When the LIMS was read, in UTC [default: the moment of its scenario.toml, else the clock].
    #[arg(long, value_name = "TIME", value_parser = utc)]
    pub(crate) taken: Option<Instant>,
    /// Folder of configuration files, as `nightly` is given [default: that of the extract].
    #[arg(long, value_name = "DIR")]
    pub(crate) config: Option<PathBuf>,
    /// How many rows the LIMS says it has written [default: as many as are there].
    #[arg(long, value_name = "N")]
    pub(crate) rows: Option<u64>,
    /// Print nothing but errors.
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

/// How events are written.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Debug)]
pub(crate) enum LogFormat {
    /// Words for people.
    Text,
    /// One JSON object a line.
    Json,
}

fn hours(typed: &str) -> Result<Minutes, String> {
    let minutes = typed.parse::<f64>().ok().map(|hours| hours * 60.0);
    let minutes = minutes.filter(|minutes| (0.0..=1_000_000.0).contains(minutes));
    minutes.map(|minutes| Minutes::new(minutes as i32)).ok_or_else(|| "write hours as 12 or 1.5".to_owned())
}

fn utc(typed: &str) -> Result<Instant, String> {
    let reading = typed.strip_suffix('Z').and_then(labtriage_formats::config::quantity::reading);
    let instant = reading.and_then(|reading| Instant::from_utc(reading.and_utc()));
    instant.ok_or_else(|| "write a time in UTC as 2024-06-10T19:00Z".to_owned())
}
