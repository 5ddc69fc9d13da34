//! LabTriage: which waiting samples to test, where and when, and whom to call back.
//!
//! The binary is arguments, files, the clock and the terminal; everything else lives in the
//! library crates. Reading order: `args` (what was asked), `inputs` (from files to a snapshot),
//! `commands` (what is done), `making` (which plan leaves the program), `fair` (how the limit on fairness is kept),
//! `proof` (how near the best it is), `nightly` (what a night consists of), `figures` (what is counted of it),
//! `desk` (which ledger, and when), `secrets` (where keys come from), `lock` (who else is at work), `terminal` (what is shown), `failure` (what went
//! wrong).

mod args;
mod commands;
mod desk;
mod failure;
mod fair;
mod figures;
mod inputs;
mod lock;
mod making;
mod names;
mod nightly;
mod proof;
mod secrets;
mod terminal;

use std::panic::Location;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use clap::{CommandFactory, Parser};

use crate::args::{Arguments, Command};
use crate::failure::{Failure, OUR_BUG};

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        *PANICKED_AT.lock().unwrap_or_else(PoisonError::into_inner) = panic.location().map(place);
    }));
    match std::panic::catch_unwind(|| run(&Arguments::parse())) {
        Ok(Ok(code)) => ExitCode::from(code),
        Ok(Err(failure)) => {
            show(&failure);
            ExitCode::from(failure.exit_code())
        }
        Err(_) => {
            let place = PANICKED_AT.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default();
            let words = format!("this is a bug in LabTriage{place}: please report it; nothing was written");
            terminal::error(None, &words, None);
            ExitCode::from(OUR_BUG)
        }
    }
}

/// Where the last panic was. Its words could quote the input, so only the place is kept; and it is
/// only shown when nothing has caught it, as the optimizer does with those of its solver.
static PANICKED_AT: Mutex<Option<String>> = Mutex::new(None);

/// A place in our own sources; in those of others the name of the file, for the rest is a path of the
/// machine that built the program.
fn place(location: &Location<'_>) -> String {
    let file = Path::new(location.file());
    let file = if file.is_absolute() { file.file_name().map_or(file, Path::new) } else { file };
    format!(" at {}:{}", file.display(), location.line())
}

fn run(arguments: &Arguments) -> Result<u8, Failure> {
    match &arguments.command {
        Command::Plan(arguments) => commands::plan::plan(arguments),
        Command::Nightly(arguments) => commands::nightly::nightly(arguments),
        Command::Manifest(arguments) => commands::manifest::manifest(arguments),
        Command::Check(arguments) => commands::check::check(arguments),
        Command::Explain(arguments) => commands::explain::explain(arguments),
        Command::Generate(arguments) => commands::generate::generate(arguments),
        Command::Model(arguments) => commands::model::model(arguments),
        Command::Ledger { command } => commands::ledger::ledger(command),
        Command::Import(arguments) => commands::import::import(arguments),
        Command::Identities(command) => commands::identities::identities(command),
        Command::Recalls(command) => commands::recalls::recalls(command),
        Command::Discards(command) => commands::discards::discards(command),
        Command::Overrides(command) => commands::overrides::overrides(command),
        Command::Exports(command) => commands::exports::exports(command),
        Command::Status(arguments) => commands::status::status(arguments),
        Command::Kpi(arguments) => commands::kpi::kpi(arguments),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Arguments::command(), "labtriage", &mut script);
            terminal::data(&String::from_utf8_lossy(&script));
            Ok(0)
        }
    }
}

fn show(failure: &Failure) {
    match failure {
        Failure::Findings(findings) => terminal::findings(findings),
        Failure::Ledger(error) => terminal::ledger_error(error),
        Failure::Refused(errors) => {
            terminal::error(None, "nothing was recorded:", None);
            errors.iter().for_each(terminal::ledger_error);
        }
        Failure::Output(error) => terminal::error(None, &error.to_string(), None),
        Failure::Identity(error) => terminal::error(None, &error.to_string(), None),
        Failure::Unlawful(broken) => {
            terminal::words("the plan breaks laws:");
            terminal::violations(broken);
        }
        Failure::OurPlanIsUnlawful(broken) => {
            terminal::words("this is a bug in LabTriage, please report it: the plan breaks laws; nothing was written");
            terminal::violations(broken);
        }
        Failure::Bug(what) => {
            terminal::error(None, &format!("this is a bug in LabTriage, please report it: {what}"), None);
        }
    }
}
