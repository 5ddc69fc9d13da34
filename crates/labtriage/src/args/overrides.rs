//! What did the user ask for, where a person decides about planning?

use clap::{Args, Subcommand, ValueEnum};

use super::{LookArguments, named_user};

pub(super) const OVERRIDES_EXAMPLES: &str = "\
Examples:
  labtriage overrides list --ledger lab.ledger
  labtriage overrides set --ledger lab.ledger --action force-test --accession 24A0001234 --caution 'six hours over' \\
      --by 'B. Scientist' --why 'the only sample' --until 2026-11-28T09:00
  labtriage overrides set --ledger lab.ledger --action cap --requester Z00001 --lines-per-day 50 --by 'A. Manager' \\
      --why 'agreed by telephone' --until 2026-12-01T00:00
  labtriage overrides end O-7 --ledger lab.ledger --by 'A. Manager' --why 'the analyser is back'

Actions, targets and checks are those of overrides.toml.";

#[derive(Subcommand, Debug)]
pub(crate) enum OverridesCommand {
    /// Show the overrides in force, with their age.
    #[command(after_help = OVERRIDES_EXAMPLES)]
    List(OverridesListArguments),
    /// Set an override.
    #[command(after_help = OVERRIDES_EXAMPLES)]
    Set(Box<SetArguments>),
    /// End overrides before their time.
    #[command(after_help = OVERRIDES_EXAMPLES)]
    End(EndArguments),
}

#[derive(Args, Debug)]
pub(crate) struct OverridesListArguments {
    #[command(flatten)]
    pub(crate) look: LookArguments,
    /// Show ended ones too, and how they ended.
    #[arg(long)]
    pub(crate) all: bool,
    /// Print those in force as an overrides.toml.
    #[arg(long, conflicts_with_all = ["json", "all"])]
    pub(crate) toml: bool,
}

/// What an override asks for, by the words of overrides.toml.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Debug)]
pub(crate) enum ActionName {
    /// Run at a site or analyser, or by a time.
    Pin,
    /// Neither test nor discard.
    Hold,
    /// Test although expired; needs --caution.
    ForceTest,
    /// Propose for discard although it could be tested.
    ForceDiscard,
    /// Never propose for discard; tests and recalls go their way.
    Keep,
    /// Give the request another band.
    Band,
    /// Send to a partner.
    Route,
    /// Limit a requester's lines in a day.
    Cap,
}

impl ActionName {
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Pin => "pin",
            Self::Hold => "hold",
            Self::ForceTest => "force-test",
            Self::ForceDiscard => "force-discard",
            Self::Keep => "keep",
            Self::Band => "band",
            Self::Route => "route",
            Self::Cap => "cap",
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct SetArguments {
    #[command(flatten)]
    pub(crate) look: LookArguments,
    /// What it asks for.
    #[arg(long, value_enum)]
    pub(crate) action: ActionName,
    /// The tube it is about.
    #[arg(long, value_name = "ACCESSION")]
    pub(crate) accession: Option<String>,
    /// The request it is about.
    #[arg(long, value_name = "REQUEST")]
    pub(crate) request: Option<String>,
    /// Only this test.
    #[arg(long, value_name = "TEST")]
    pub(crate) test: Option<String>,
    /// What must stand on worklist and report.
    #[arg(long, value_name = "TEXT")]
    pub(crate) caution: Option<String>,
    /// The band to give.
    #[arg(long, value_name = "BAND")]
    pub(crate) band: Option<String>,
    /// The site or partner.
    #[arg(long, value_name = "SITE")]
    pub(crate) site: Option<String>,
    /// The analyser.
    #[arg(long, value_name = "ANALYSER")]
    pub(crate) analyser: Option<String>,
    /// By when it must have been run.
    #[arg(long, value_name = "TIME")]
    pub(crate) run_by: Option<String>,
    /// Whose lines are limited.
    #[arg(long, value_name = "ODS")]
    pub(crate) requester: Option<String>,
    /// How many in a local day.
    #[arg(long, value_name = "N")]
    pub(crate) lines_per_day: Option<u32>,
    /// Who decides.
    #[arg(long, value_name = "USER", value_parser = named_user)]
    pub(crate) by: String,
    /// The second person, where two are needed.
    #[arg(long, value_name = "USER", value_parser = named_user)]
    pub(crate) second: Option<String>,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    pub(crate) why: String,
    /// Until when it holds.
    #[arg(long, value_name = "TIME")]
    pub(crate) until: String,
}

#[derive(Args, Debug)]
pub(crate) struct EndArguments {
    #[command(flatten)]
    pub(crate) look: LookArguments,
    /// Numbers of overrides, as `overrides list` shows them.
    #[arg(value_name = "NUMBER", required = true)]
    pub(crate) numbers: Vec<String>,
    /// Who ends them.
    #[arg(long, value_name = "USER", value_parser = named_user)]
    pub(crate) by: String,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    pub(crate) why: String,
}
