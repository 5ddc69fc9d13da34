//! `labtriage recalls`: lists with identities for practices, and their answers.

mod acknowledge;
mod export;
mod register;

use std::path::{Path, PathBuf};

use labtriage_core::finding::{Code, Finding, nearest};
use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::RequesterIx;

use crate::args::RecallsCommand;
use crate::failure::Failure;

/// Does what was asked; returns the exit code.
pub(crate) fn recalls(command: &RecallsCommand) -> Result<u8, Failure> {
    match command {
        RecallsCommand::Export(arguments) => export::export(arguments),
        RecallsCommand::Acknowledge(arguments) => acknowledge::acknowledge(arguments),
    }
}

/// The folder of a plan that was named by its folder or its file.
fn plan_folder(named: &Path) -> PathBuf {
    match named.parent() {
        Some(parent) if named.is_file() => parent.to_owned(),
        _ => named.to_owned(),
    }
}

/// The requester of an ODS code.
fn requester(snapshot: &Snapshot, ods: &str) -> Result<RequesterIx, Finding> {
    let network = &snapshot.network;
    network.requester(ods).ok_or_else(|| {
        let finding = Finding::new(Code::UnknownReference, "a practice that the network of the plan does not have");
        match nearest(ods, network.requesters.iter().map(|requester| requester.ods.as_str())) {
            Some(near) => finding.hint(format!("did you mean `{near}`?")),
            None => finding.hint("give the ODS code as it stands in network.toml"),
        }
    })
}
