//! What did the user ask for, where patients are named?

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use labtriage_formats::recalls::profile::Profile;

use super::{OutputArguments, named_user, percent};

pub(super) const IMPORT_EXAMPLES: &str = "\
Examples:
  labtriage import extract --keys pseudonym.keys --lock store.recipients --store store.age --out tonight
  labtriage import extract/backlog.csv --config our-laboratory --keys pseudonym.keys --lock store.recipients \\
      --unlock store.secret --store store.age --out tonight

Reads nhs_number, date_of_birth and name as `[identities]` of import.toml maps them, and writes a folder without them,
which `labtriage plan` reads. Keys may stand in LABTRIAGE_PSEUDONYM_KEYS instead of a file, and a passphrase for the
store in LABTRIAGE_STORE_PASSPHRASE. A store that is there already is added to, which needs --unlock.";

pub(super) const EXPORT_EXAMPLES: &str = "\
Examples:
  labtriage recalls export --plan tonight/plan --all --profile generic --store store.age --unlock store.secret --out recalls
  labtriage recalls export --plan tonight/plan --practice Z00001 --profile accurx-systmone --store store.age \\
      --unlock store.secret --recipient Z00001=age1… --ledger lab.ledger --by 'A. Manager' --out for-Z00001

With --ledger every file is registered before the folder appears (`labtriage exports whose` finds it again), and patients
whom an earlier list has called are left out.";

pub(super) const ACKNOWLEDGE_EXAMPLES: &str = "\
Examples:
  labtriage recalls acknowledge Z00001.csv --plan tonight/plan --practice Z00001
  labtriage recalls acknowledge back.csv --plan tonight/plan --practice Z00001 --keys pseudonym.keys \\
      --ledger lab.ledger --by 'C. Clerk' --rejects returned.csv

The file is the practice's own list with `answer` (booked, done, declined, not ours) and `answer_day` filled in.
Rows that name their patient by NHS number only need the keys. With --ledger the answers are recorded: a later one
corrects the one before, until new samples were taken.";

/// Where the keys of pseudonyms are.
#[derive(Args, Debug)]
pub(crate) struct KeysArguments {
    /// File of pseudonym keys, the one that writes first [default: LABTRIAGE_PSEUDONYM_KEYS].
    #[arg(long, value_name = "FILE")]
    pub(crate) keys: Option<PathBuf>,
}

/// How the store is locked.
#[derive(Args, Debug)]
pub(crate) struct LockArguments {
    /// File of age recipients that the store is locked for [default: LABTRIAGE_STORE_PASSPHRASE].
    #[arg(long, value_name = "FILE")]
    pub(crate) lock: Option<PathBuf>,
}

/// How the store is unlocked.
#[derive(Args, Debug)]
pub(crate) struct UnlockArguments {
    /// File with the secret age identity of the store [default: LABTRIAGE_STORE_PASSPHRASE].
    #[arg(long, value_name = "FILE")]
    pub(crate) unlock: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct ImportArguments {
    /// A scenario folder or a backlog CSV that names patients.
    #[arg(value_name = "FOLDER|BACKLOG.csv")]
    pub(crate) input: PathBuf,
    /// Folder with import.toml and other configuration in place of the defaults.
    #[arg(long, value_name = "DIR")]
    pub(crate) config: Option<PathBuf>,
    /// The day of the import, for dates of birth [default: that of the folder, else the clock].
    #[arg(long, value_name = "TIME")]
    pub(crate) now: Option<String>,
    /// Stop when more than this share of the rows is unusable, in percent.
    #[arg(long, value_name = "PERCENT", value_parser = percent, default_value = "5")]
    pub(crate) max_quarantine: f64,
    /// The encrypted store of identities; made if it is not there.
    #[arg(long, value_name = "FILE")]
    pub(crate) store: PathBuf,
    #[command(flatten)]
    pub(crate) keys: KeysArguments,
    #[command(flatten)]
    pub(crate) lock: LockArguments,
    #[command(flatten)]
    pub(crate) unlock: UnlockArguments,
    /// Where the folder without identities goes; it must not exist or be empty.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

pub(super) const IDENTITIES_EXAMPLES: &str = "\
Examples:
  labtriage identities keys --out keys
  labtriage identities rotate --store store.age --keys pseudonym.keys --lock store.recipients --unlock store.secret \\
      --ledger lab.ledger --by 'A. Manager'

A new key is the first line of the ring; the lines below it are still recognised. With --ledger, the recalls, answers and
samples that it holds under an old pseudonym are found under the new one.";

pub(super) const RECALLS_EXAMPLES: &str = "\
Examples:
  labtriage recalls export --plan tonight/plan --all --profile generic --store store.age --unlock store.secret --out recalls
  labtriage recalls acknowledge Z00001.csv --plan tonight/plan --practice Z00001 --ledger lab.ledger --by 'C. Clerk'";

#[derive(Subcommand, Debug)]
pub(crate) enum IdentitiesCommand {
    /// Make a new key of pseudonyms, and a new secret and recipient for the store.
    #[command(after_help = IDENTITIES_EXAMPLES)]
    Keys {
        /// Id of the pseudonym key: small letters and digits.
        #[arg(long, default_value = "k1")]
        id: String,
        /// Folder for pseudonym.keys, store.secret and store.recipients; none of them may be there.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Give everybody in the store a pseudonym under the first key of the ring.
    #[command(after_help = IDENTITIES_EXAMPLES)]
    Rotate(RotateArguments),
}

#[derive(Args, Debug)]
pub(crate) struct RotateArguments {
    /// The encrypted store of identities.
    #[arg(long, value_name = "FILE")]
    pub(crate) store: PathBuf,
    #[command(flatten)]
    pub(crate) keys: KeysArguments,
    #[command(flatten)]
    pub(crate) lock: LockArguments,
    #[command(flatten)]
    pub(crate) unlock: UnlockArguments,
    /// Forget pseudonyms of keys that are not in the ring: plans made with them name nobody any more.
    #[arg(long)]
    pub(crate) forget_old: bool,
    /// The moment that the ledger records [default: the clock].
    #[arg(long, value_name = "TIME")]
    pub(crate) now: Option<String>,
    #[command(flatten)]
    pub(crate) record: RecordArguments,
}

#[derive(Subcommand, Debug)]
pub(crate) enum RecallsCommand {
    /// Write each practice's list with its patients' identities.
    #[command(after_help = EXPORT_EXAMPLES)]
    Export(ExportArguments),
    /// Read what a practice answers to its list.
    #[command(after_help = ACKNOWLEDGE_EXAMPLES)]
    Acknowledge(AcknowledgeArguments),
}

#[derive(Args, Debug)]
pub(crate) struct ExportArguments {
    /// The plan folder, or its plan.json.
    #[arg(long, value_name = "DIR|plan.json")]
    pub(crate) plan: PathBuf,
    /// Only this practice or ward, by ODS code.
    #[arg(long, value_name = "ODS", required_unless_present = "all", conflicts_with = "all")]
    pub(crate) practice: Option<String>,
    /// Every practice and ward that has somebody to call.
    #[arg(long)]
    pub(crate) all: bool,
    /// The system that reads the list.
    #[arg(long, value_enum)]
    pub(crate) profile: ProfileName,
    /// The encrypted store of identities.
    #[arg(long, value_name = "FILE")]
    pub(crate) store: PathBuf,
    #[command(flatten)]
    pub(crate) unlock: UnlockArguments,
    /// Results that have come since the plan: patients whose tests are all answered are left out.
    #[arg(long, value_name = "CSV")]
    pub(crate) results: Option<PathBuf>,
    /// The moment of the export [default: the clock].
    #[arg(long, value_name = "TIME")]
    pub(crate) now: Option<String>,
    /// Begin each list with a byte order mark, for spreadsheets that need one.
    #[arg(long)]
    pub(crate) bom: bool,
    /// Lock a practice's list for its own age recipient; may be given several times.
    #[arg(long, value_name = "ODS=AGE1…", value_parser = pair)]
    pub(crate) recipient: Vec<(String, String)>,
    /// File with a line `ODS age1…` for each practice whose list is locked.
    #[arg(long, value_name = "FILE")]
    pub(crate) recipients: Option<PathBuf>,
    /// Where the folder goes; it must not exist or be empty.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) record: RecordArguments,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

/// Which ledger remembers it, and who did it.
#[derive(Args, Debug)]
pub(crate) struct RecordArguments {
    /// The ledger: a SQLite file, or the URL of a PostgreSQL database.
    #[arg(long, value_name = "FILE|postgres://…", requires = "by")]
    pub(crate) ledger: Option<String>,
    /// Who does it; it is recorded.
    #[arg(long, value_name = "USER", value_parser = named_user, requires = "ledger")]
    pub(crate) by: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct AcknowledgeArguments {
    /// What the practice has sent back, as CSV.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The plan folder, or its plan.json.
    #[arg(long, value_name = "DIR|plan.json")]
    pub(crate) plan: PathBuf,
    /// Who answers, by ODS code.
    #[arg(long, value_name = "ODS")]
    pub(crate) practice: String,
    #[command(flatten)]
    pub(crate) keys: KeysArguments,
    /// The moment of reading [default: the clock].
    #[arg(long, value_name = "TIME")]
    pub(crate) now: Option<String>,
    /// Where the rows that are given back go, with the reason of each.
    #[arg(long, value_name = "CSV")]
    pub(crate) rejects: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) record: RecordArguments,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

/// The profiles by the names of the command line.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Debug)]
pub(crate) enum ProfileName {
    /// For people and spreadsheets: everything, and room for the answer.
    Generic,
    /// Accurx batch in a practice with EMIS.
    AccurxEmis,
    /// Accurx batch in a practice with SystmOne.
    AccurxSystmone,
    /// NHS number and date of birth, no header.
    NoHeader,
}

impl ProfileName {
    pub(crate) const fn profile(self) -> Profile {
        match self {
            Self::Generic => Profile::Generic,
            Self::AccurxEmis => Profile::AccurxEmis,
            Self::AccurxSystmone => Profile::AccurxSystmone,
            Self::NoHeader => Profile::NoHeader,
        }
    }
}

fn pair(typed: &str) -> Result<(String, String), String> {
    let (ods, recipient) = typed.split_once('=').ok_or("write the practice and its recipient as Z00001=age1…")?;
    Ok((ods.trim().to_owned(), recipient.trim().to_owned()))
}
