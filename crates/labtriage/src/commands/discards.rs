//! `labtriage discards`: a proposal waits until a named person decides, and every discard leaves a record.

mod decide;
mod record;
mod show;

use std::collections::BTreeSet;

use labtriage_formats::outputs::{DiscardRecord, FolderKind, OutputFolder, write_discard_records};
use labtriage_ledger::records::Sample;
use labtriage_ledger::{LedgerError, Lookup};

use crate::args::{DiscardsCommand, DiscardsListArguments, ReportArguments};
use crate::desk::Desk;
use crate::failure::Failure;
use crate::terminal;

/// Does what was asked about discards; returns the exit code.
pub(crate) fn discards(command: &DiscardsCommand) -> Result<u8, Failure> {
    match command {
        DiscardsCommand::List(arguments) => list(arguments),
        DiscardsCommand::Authorise(arguments) => decide::authorise(arguments),
        DiscardsCommand::Reject(arguments) => decide::reject(arguments),
        DiscardsCommand::Dispose(arguments) => decide::dispose(arguments),
        DiscardsCommand::Report(arguments) => report(arguments),
    }
}

fn list(arguments: &DiscardsListArguments) -> Result<u8, Failure> {
    let mut desk = Desk::open(&arguments.look)?;
    let mut records = Vec::new();
    for state in arguments.state.states() {
        let found = desk.ledger.samples(&Lookup::State(*state), arguments.practice.as_deref())?;
        records.extend(found.iter().filter_map(|known| record::of(&known.record)));
    }
    // What may be decided first comes first.
    records.sort_by(|a, b| (a.hold_until, &a.accession).cmp(&(b.hold_until, &b.accession)));
    show::list(arguments, &desk, &records);
    Ok(0)
}

fn report(arguments: &ReportArguments) -> Result<u8, Failure> {
    let mut desk = Desk::open(&arguments.look)?;
    let (mut samples, mut unknown) = (Vec::new(), Vec::new());
    // Named twice, it is still one discard.
    for accession in arguments.accessions.iter().collect::<BTreeSet<_>>() {
        match desk.ledger.sample(accession)?.filter(|known| known.record.discard.is_some()) {
            Some(known) => samples.push(known.record),
            None => unknown.push(LedgerError::Unknown { what: "discard of sample", name: accession.clone() }),
        }
    }
    if !unknown.is_empty() {
        return Err(Failure::Refused(unknown));
    }
    let folder = OutputFolder::create(&arguments.out, FolderKind::DiscardRecords)?;
    let records = records(&samples);
    write_discard_records(&folder, &records, desk.zone())?;
    folder.finish()?;
    if !arguments.look.output.quiet {
        terminal::words(&format!("{} records and their reports are in {}", records.len(), arguments.out.display()));
    }
    Ok(0)
}

/// Records of samples, in order of accession.
fn records(samples: &[Sample]) -> Vec<DiscardRecord> {
    let mut records: Vec<DiscardRecord> = samples.iter().filter_map(record::of).collect();
    records.sort_by(|a, b| a.accession.cmp(&b.accession));
    records
}
