//! LabTriage: which waiting samples to test, where and when, and whom to call back.
//!
//! The binary is arguments, files, the clock and the terminal; everything else lives in the
//! library crates. Reading order: `args` (what was asked), `inputs` (from files to a snapshot),
//! `commands` (what is done), `terminal` (what is shown), `failure` (what went wrong).

mod args;
mod commands;
mod failure;
mod inputs;
mod terminal;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::args::{Arguments, Command};
use crate::failure::{Failure, OUR_BUG};

fn main() -> ExitCode {
    // A panic is our bug; its words could quote the input, so only its place is shown.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(String::new, |place| format!(" at {}:{}", place.file(), place.line()));
        terminal::words(&format!("this is a bug in LabTriage{place}: please report it; nothing was written"));
    }));
    match std::panic::catch_unwind(|| run(&Arguments::parse())) {
        Ok(Ok(code)) => ExitCode::from(code),
        Ok(Err(failure)) => {
            show(&failure);
            ExitCode::from(failure.exit_code())
        }
        Err(_) => ExitCode::from(OUR_BUG),
    }
}

fn run(arguments: &Arguments) -> Result<u8, Failure> {
    match &arguments.command {
        Command::Plan(arguments) => commands::plan::plan(arguments),
        Command::Check(arguments) => commands::check::check(arguments),
        Command::Explain(arguments) => commands::explain::explain(arguments),
        Command::Generate(arguments) => commands::generate::generate(arguments),
        Command::Model(arguments) => commands::model::model(arguments),
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
        Failure::Output(error) => terminal::words(&error.to_string()),
        Failure::Unlawful(broken) => {
            terminal::words("the plan breaks laws:");
            terminal::violations(broken);
        }
        Failure::OurPlanIsUnlawful(broken) => {
            terminal::words("this is a bug in LabTriage, please report it: the plan breaks laws; nothing was written");
            terminal::violations(broken);
        }
        Failure::Bug(what) => terminal::words(&format!("this is a bug in LabTriage, please report it: {what}")),
    }
}
