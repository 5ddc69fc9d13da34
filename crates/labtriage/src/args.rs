//! What did the user ask for? The command line, as typed.

mod discards;
mod exports;
mod identities;
mod look;
mod nightly;
mod overrides;
mod records;

use std::path::PathBuf;
use std::time::Duration;

use chrono::{NaiveDate, NaiveTime};
use clap::{Args, Parser, Subcommand, ValueEnum};
use labtriage_core::plan::Rule;
use labtriage_core::time::Instant;
use labtriage_ledger::Head;
use labtriage_simulator::NIGHTS_MAX;

pub(crate) use discards::{
    AuthoriseArguments, DiscardsCommand, DiscardsListArguments, DisposeArguments, RejectArguments, ReportArguments,
    TubesArguments,
};
pub(crate) use exports::{ExportsCommand, ExportsListArguments, WhoseArguments};
pub(crate) use identities::{
    AcknowledgeArguments, ExportArguments, IdentitiesCommand, ImportArguments, KeysArguments, LockArguments,
    RecallsCommand, RecordArguments, RotateArguments, UnlockArguments,
};
pub(crate) use look::LookArguments;
pub(crate) use overrides::{EndArguments, OverridesCommand, OverridesListArguments, SetArguments};

pub(crate) use nightly::{LogFormat, ManifestArguments, NightlyArguments};
pub(crate) use records::{Asked, KpiArguments, StatusArguments};

/// Exit codes, as shown in `--help` and in the README.
const EXIT_CODES: &str = "\
Exit codes:
  0   plan made, or the check passed
  1   plan made, but a strict-band line is not met
  2   bad arguments or input; nothing was written
  3   plan made, but only the greedy floor: a plan of ours broke a law
  70  a bug in LabTriage: please report it";

const PLAN_EXAMPLES: &str = "\
Examples:
  labtriage plan examples/south-east-london
  labtriage plan tonight/backlog.csv --now 2024-06-10T20:00 --out tonight/plan
  labtriage plan tonight --config our-laboratory --time-limit 60 --gap 0.5
  labtriage plan tonight --rule edf --json
  labtriage plan tonight --previous last-night/plan";

const CHECK_EXAMPLES: &str = "\
Examples:
  labtriage check examples/south-east-london
  labtriage check --plan examples/south-east-london/plan";

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  labtriage explain 24A0001234 --plan tonight/plan
  labtriage explain RQ0000042 --plan tonight/plan --json";

const MODEL_EXAMPLES: &str = "\
Examples:
  labtriage model --format mps tonight --out tonight.mps
  labtriage model --format lp tonight/backlog.csv --now 2024-06-10T20:00 --out tonight.lp

The model is exact and large: some thousand variables a sample. It is meant for small backlogs, to compare
LabTriage with a general solver. All lines are one problem: strict bands are weighed, not planned first.";

const GENERATE_EXAMPLES: &str = "\
Examples:
  labtriage generate --scenario synnovis-week-1 --samples 11000 --seed 1 --out week-1
  labtriage generate --scenario normal-night --samples 1000000 --seed 7 --out big --hostile
  labtriage generate --scenario synnovis-week-1 --samples 400 --seed 1 --night 3 --out third-evening";

const LEDGER_EXAMPLES: &str = "\
Examples:
  labtriage ledger verify --ledger lab.ledger
  labtriage ledger backup --ledger postgres://lab@db.example/lab --out lab-2026-11-23.jsonl
  labtriage ledger restore lab-2026-11-23.jsonl --ledger new.ledger
  labtriage ledger vacuum --ledger lab.ledger --before 2026-06-01 --by 'A. Manager'

A password in a URL can be seen by other users of the machine: PGPASSWORD or a password file (PGPASSFILE) hide it.";

/// Which waiting samples to test, where and when, and whom to call back.
#[derive(Parser, Debug)]
#[command(name = "labtriage", version, about, after_help = EXIT_CODES, propagate_version = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Plan a backlog: worklists, transfers, discards to authorise, recall lists, and why.
    #[command(after_help = PLAN_EXAMPLES)]
    Plan(PlanArguments),
    /// Plan the newest extract of an inbox, publish it and record it: one command for a timer.
    #[command(after_help = nightly::NIGHTLY_EXAMPLES)]
    Nightly(NightlyArguments),
    /// Seal an extract with its manifest, so that `nightly` knows that it is whole.
    #[command(after_help = nightly::MANIFEST_EXAMPLES)]
    Manifest(ManifestArguments),
    /// Check the inputs of a folder, or audit a plan against its inputs.
    #[command(after_help = CHECK_EXAMPLES)]
    Check(CheckArguments),
    /// Say why the lines of a sample, request or patient were decided as they were.
    #[command(after_help = EXPLAIN_EXAMPLES)]
    Explain(ExplainArguments),
    /// Make a scenario folder of any size from a seed.
    #[command(after_help = GENERATE_EXAMPLES)]
    Generate(GenerateArguments),
    /// Write the exact mixed-integer model of a small backlog, for a general solver.
    #[command(after_help = MODEL_EXAMPLES)]
    Model(ModelArguments),
    /// Verify, save, restore or slim the ledger of what happened.
    #[command(after_help = LEDGER_EXAMPLES)]
    Ledger {
        #[command(subcommand)]
        command: LedgerCommand,
    },
    /// Make pseudonyms of an extract that names patients, and keep who is who in an encrypted store.
    #[command(after_help = identities::IMPORT_EXAMPLES)]
    Import(ImportArguments),
    /// Make keys, or give the store's patients new pseudonyms.
    #[command(subcommand, after_help = identities::IDENTITIES_EXAMPLES)]
    Identities(IdentitiesCommand),
    /// Write practices' lists with identities, and read their answers.
    #[command(subcommand, after_help = identities::RECALLS_EXAMPLES)]
    Recalls(RecallsCommand),
    /// Authorise, reject or record discards: nothing is thrown away without a named person.
    #[command(subcommand, after_help = discards::DISCARDS_EXAMPLES)]
    Discards(DiscardsCommand),
    /// Show, set or end what people have decided about planning.
    #[command(subcommand, after_help = overrides::OVERRIDES_EXAMPLES)]
    Overrides(OverridesCommand),
    /// Say which files have left with identities, and whose.
    #[command(subcommand, after_help = exports::EXPORTS_EXAMPLES)]
    Exports(ExportsCommand),
    /// Say what became of a sample, request, patient or practice, and what the practice must do.
    #[command(after_help = records::STATUS_EXAMPLES)]
    Status(StatusArguments),
    /// Count what the ledger holds: backlog, expiry, saved and lost, recalls, turnaround, fairness, use of benches.
    #[command(after_help = records::KPI_EXAMPLES)]
    Kpi(KpiArguments),
    /// Print completions for a shell.
    #[command(after_help = "Examples:\n  labtriage completions bash > /etc/bash_completion.d/labtriage")]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Args, Debug)]
pub(crate) struct InputArguments {
    /// A scenario folder, or a backlog CSV.
    #[arg(value_name = "FOLDER|BACKLOG.csv")]
    pub(crate) input: PathBuf,
    /// Folder with network.toml, catalogue.toml, policy.toml or import.toml in place of the defaults.
    #[arg(long, value_name = "DIR")]
    pub(crate) config: Option<PathBuf>,
    /// The moment of planning, local time or with offset [default: that of the folder, else the clock].
    #[arg(long, value_name = "TIME")]
    pub(crate) now: Option<String>,
    /// Stop when more than this share of the rows is unusable, in percent.
    #[arg(long, value_name = "PERCENT", value_parser = percent, default_value = "5")]
    pub(crate) max_quarantine: f64,
}

#[derive(Args, Debug)]
pub(crate) struct OutputArguments {
    /// Print the result as JSON for machines.
    #[arg(long)]
    pub(crate) json: bool,
    /// Print nothing but errors.
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

/// How a plan is searched for.
#[derive(Args, Debug)]
pub(crate) struct SearchArguments {
    /// Plan by a greedy rule, without the optimizer and without a proof.
    #[arg(long, value_enum)]
    pub(crate) rule: Option<RuleName>,
    /// End the search so that the plan is there after so many seconds, reading aside [default: when it is done].
    #[arg(long, value_name = "SECONDS", value_parser = seconds, conflicts_with = "rule")]
    pub(crate) time_limit: Option<Duration>,
    /// End the search of a stage when its plan is proven to be at most so far above the best, in percent.
    #[arg(long, value_name = "PERCENT", value_parser = percent, default_value = "0.1", conflicts_with = "rule")]
    pub(crate) gap: f64,
}

#[derive(Args, Debug)]
pub(crate) struct PlanArguments {
    #[command(flatten)]
    pub(crate) input: InputArguments,
    #[command(flatten)]
    pub(crate) search: SearchArguments,
    /// Where the plan goes [default: `plan` inside the folder, or beside the CSV].
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Folder of the plan that is published: its runs inside the frozen window are kept, moved ones have a price.
    #[arg(long, value_name = "DIR")]
    pub(crate) previous: Option<PathBuf>,
    /// Print how long each phase took, on stderr.
    #[arg(long)]
    pub(crate) timings: bool,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

#[derive(Args, Debug)]
pub(crate) struct CheckArguments {
    /// A scenario folder, or a backlog CSV.
    #[arg(value_name = "FOLDER|BACKLOG.csv", required_unless_present = "plan", conflicts_with = "plan")]
    pub(crate) input: Option<PathBuf>,
    /// A plan folder: audit it against its inputs, from the files alone.
    #[arg(long, value_name = "OUT")]
    pub(crate) plan: Option<PathBuf>,
    /// Folder with configuration files in place of the defaults.
    #[arg(long, value_name = "DIR")]
    pub(crate) config: Option<PathBuf>,
    /// The moment of planning, local time or with offset [default: that of the folder, else the clock].
    #[arg(long, value_name = "TIME", conflicts_with = "plan")]
    pub(crate) now: Option<String>,
    /// Fail when more than this share of the rows is unusable, in percent.
    #[arg(long, value_name = "PERCENT", value_parser = percent, default_value = "5")]
    pub(crate) max_quarantine: f64,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

#[derive(Args, Debug)]
pub(crate) struct ExplainArguments {
    /// An accession number, a request code or a patient pseudonym.
    #[arg(value_name = "ACCESSION|REQUEST|PATIENT")]
    pub(crate) what: String,
    /// The plan folder.
    #[arg(long, value_name = "OUT")]
    pub(crate) plan: PathBuf,
    /// Print the explanation as JSON for machines.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct GenerateArguments {
    /// The scenario: synnovis-week-1, planned-reduction, analyser-down or normal-night.
    #[arg(long, value_name = "NAME")]
    pub(crate) scenario: String,
    /// How many samples, up to 1,000,000.
    #[arg(long, value_name = "N", default_value_t = 11_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) samples: u32,
    /// The seed: the same seed makes the same folder.
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Evenings after the scenario's own: the folder then holds what has arrived since the evening before.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=i64::from(NIGHTS_MAX)))]
    pub(crate) night: u32,
    /// Where the folder goes; it must not exist or be empty.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Put every kind of bad row among the good ones.
    #[arg(long)]
    pub(crate) hostile: bool,
    /// Print nothing but errors.
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

#[derive(Args, Debug)]
pub(crate) struct ModelArguments {
    #[command(flatten)]
    pub(crate) input: InputArguments,
    /// The file's format.
    #[arg(long, value_enum)]
    pub(crate) format: ModelFormat,
    /// Where the file goes; an earlier file there is replaced.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Print nothing but errors.
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

#[derive(Subcommand, Debug)]
pub(crate) enum LedgerCommand {
    /// Check that nothing that was recorded has been changed, taken out or put in.
    #[command(after_help = LEDGER_EXAMPLES)]
    Verify(VerifyArguments),
    /// Save all entries to a file, also while a night is being recorded.
    #[command(after_help = LEDGER_EXAMPLES)]
    Backup(BackupArguments),
    /// Build a ledger from a backup; there must be none at its address, or an empty one.
    #[command(after_help = LEDGER_EXAMPLES)]
    Restore(RestoreArguments),
    /// Forget old entries that later ones have replaced, and old questions; their digests stay.
    #[command(after_help = LEDGER_EXAMPLES)]
    Vacuum(VacuumArguments),
}

#[derive(Args, Debug)]
pub(crate) struct LedgerArguments {
    /// The ledger: a SQLite file, or the URL of a PostgreSQL database.
    #[arg(long, value_name = "FILE|postgres://…")]
    pub(crate) ledger: String,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

#[derive(Args, Debug)]
pub(crate) struct VerifyArguments {
    #[command(flatten)]
    pub(crate) ledger: LedgerArguments,
    /// The head that an earlier `verify` or `backup` printed: it shows that nothing was cut off since.
    #[arg(long, value_name = "NUMBER:DIGEST", value_parser = head)]
    pub(crate) anchor: Option<Head>,
}

#[derive(Args, Debug)]
pub(crate) struct BackupArguments {
    #[command(flatten)]
    pub(crate) ledger: LedgerArguments,
    /// Where the backup goes; an earlier file there is replaced.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct RestoreArguments {
    /// The backup.
    #[arg(value_name = "BACKUP")]
    pub(crate) backup: PathBuf,
    #[command(flatten)]
    pub(crate) ledger: LedgerArguments,
}

#[derive(Args, Debug)]
pub(crate) struct VacuumArguments {
    #[command(flatten)]
    pub(crate) ledger: LedgerArguments,
    /// Entries recorded before this day (UTC) may be forgotten.
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub(crate) before: Instant,
    /// Who decides that; it is recorded.
    #[arg(long, value_name = "USER", value_parser = named_user)]
    pub(crate) by: String,
}

/// How a model is written.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Debug)]
pub(crate) enum ModelFormat {
    /// Free MPS: HiGHS, CBC, SCIP, OR-Tools.
    Mps,
    /// CPLEX LP: readable by people, and by most solvers.
    Lp,
}

/// The rules by the names of the command line.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Debug)]
pub(crate) enum RuleName {
    /// First in, first out.
    Fifo,
    /// Earliest expiry first.
    Edf,
    /// Band, then earliest expiry.
    BandEdf,
}

fn seconds(typed: &str) -> Result<Duration, String> {
    let seconds = typed.parse().ok().and_then(|seconds: f64| Duration::try_from_secs_f64(seconds).ok());
    seconds.ok_or_else(|| "write seconds as 60 or 2.5".to_owned())
}

fn head(typed: &str) -> Result<Head, String> {
    let (seq, digest) = typed.split_once(':').ok_or("write NUMBER:DIGEST, as `ledger verify` prints it")?;
    let seq = seq.parse().map_err(|_| "the part before the colon must be a whole number")?;
    if digest.len() != 64 || !digest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return Err("the part after the colon must be a digest of 64 hexadecimal digits".to_owned());
    }
    Ok(Head { seq, digest: digest.to_owned() })
}

fn day(typed: &str) -> Result<Instant, String> {
    let date = typed.parse::<NaiveDate>().ok();
    let midnight = date.and_then(|date| Instant::from_utc(date.and_time(NaiveTime::MIN).and_utc()));
    midnight.ok_or_else(|| "write a date as 2026-06-01".to_owned())
}

/// A person by name, without blanks around it: whatever is recorded of a person needs somebody to ask.
fn named_user(typed: &str) -> Result<String, String> {
    let name = typed.trim();
    if name.is_empty() || name.chars().any(char::is_control) {
        return Err("name the person, on one line".to_owned());
    }
    Ok(name.to_owned())
}

fn percent(typed: &str) -> Result<f64, String> {
    let percent = typed.parse().ok().filter(|percent| (0.0..=100.0).contains(percent));
    percent.ok_or_else(|| "write a percentage from 0 to 100, such as 0.1".to_owned())
}

impl RuleName {
    pub(crate) const fn rule(self) -> Rule {
        match self {
            Self::Fifo => Rule::Fifo,
            Self::Edf => Rule::Edf,
            Self::BandEdf => Rule::BandEdf,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Arguments;

    fn without_example(command: &clap::Command, path: &str, missing: &mut Vec<String>) {
        for inner in command.get_subcommands() {
            let path = format!("{path} {}", inner.get_name());
            let help = inner.get_after_help().map(ToString::to_string).unwrap_or_default();
            if !help.starts_with("Examples:\n") || !help.contains(&format!("labtriage{path}")) {
                missing.push(path.clone());
            }
            without_example(inner, &path, missing);
        }
    }

    #[test]
    fn the_help_of_every_command_has_an_example_of_it() {
        let mut missing = Vec::new();
        without_example(&Arguments::command(), "", &mut missing);
        assert_eq!(missing, Vec::<String>::new());
    }
}
