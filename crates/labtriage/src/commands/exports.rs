//! `labtriage exports`: which files have left with identities, and whom does a found one reveal?

use std::collections::BTreeSet;
use std::io::Read;

use labtriage_core::finding::{Code, Finding};
use labtriage_formats::digest::of_file;
use labtriage_formats::recalls::persons::{Revealed, persons_csv};
use labtriage_identity::{IdentityError, Name, NhsNumber, Vault};
use labtriage_ledger::records::Export;
use labtriage_ledger::{Known, OwnedPseudonym};
use serde_json::{Value, json};

use crate::args::{ExportsCommand, ExportsListArguments, WhoseArguments};
use crate::desk::Desk;
use crate::failure::Failure;
use crate::{secrets, terminal};

/// Exit code: no file of this content has been registered, or none that was asked for.
const NOT_FOUND: u8 = 1;

/// A number on standard input is no longer than this, in bytes.
const NUMBER_MAX: u64 = 64;

/// Does what was asked about exports; returns the exit code.
pub(crate) fn exports(command: &ExportsCommand) -> Result<u8, Failure> {
    match command {
        ExportsCommand::Whose(arguments) => whose(arguments),
        ExportsCommand::List(arguments) => list(arguments),
    }
}

fn whose(arguments: &WhoseArguments) -> Result<u8, Failure> {
    let mut desk = Desk::open(&arguments.look)?;
    let digest = of_file(&arguments.file).map_err(|error| {
        let finding = Finding::new(Code::FileUnreadable, format!("cannot read this file: {}", error.kind()));
        finding.at(&arguments.file.display().to_string(), 0, 0)
    })?;
    let found = desk.ledger.exports_of_file(&digest)?;
    let patients: BTreeSet<&OwnedPseudonym> = found.iter().flat_map(|known| &known.record.patients).collect();
    if let (Some(store), Some(out)) = (&arguments.store, &arguments.out) {
        let hint = "give `--unlock FILE` with the store's age secret, or set LABTRIAGE_STORE_PASSPHRASE";
        let vault = Vault::open(store, &secrets::unlock(&arguments.unlock, hint)?)?;
        secrets::write(out, &persons(&vault, &patients))?;
    }
    show_whose(arguments, &desk, &digest, &found, &patients);
    Ok(if found.is_empty() { NOT_FOUND } else { 0 })
}

/// Who the pseudonyms are, as CSV; those whom the store does not know stand there by pseudonym only.
fn persons(vault: &Vault, patients: &BTreeSet<&OwnedPseudonym>) -> Vec<u8> {
    let rows: Vec<Revealed<'_>> = patients
        .iter()
        .map(|patient| {
            let person = vault.find(patient.expose());
            Revealed {
                pseudonym: patient.expose(),
                nhs_number: person.map_or("", |person| person.nhs_number.expose_digits()),
                date_of_birth: person.and_then(|person| person.date_of_birth).map(|date| date.expose_date()),
                name: person.and_then(|person| person.name.as_ref()).map_or("", Name::expose_text),
            }
        })
        .collect();
    persons_csv(&rows)
}

fn show_whose(
    arguments: &WhoseArguments,
    desk: &Desk,
    digest: &str,
    found: &[Known<Export>],
    patients: &BTreeSet<&OwnedPseudonym>,
) {
    if arguments.look.output.quiet {
        return;
    }
    if arguments.look.output.json {
        let patients: Vec<&str> = patients.iter().map(|patient| patient.expose()).collect();
        let exports: Vec<Value> = found.iter().map(|known| facts(known, digest)).collect();
        terminal::data(&format!("{}\n", json!({ "sha256": digest, "exports": exports, "patients": patients })));
        return;
    }
    for known in found {
        let locked = if known.record.digest == digest { "as it left" } else { "what was in it before it was locked" };
        terminal::data(&format!("{}: {locked}\n", sentence(desk, known)));
    }
    if found.is_empty() {
        terminal::data("no file with this content has been registered\n");
        terminal::words("  hint: a file that was changed, even by saving it again, has another digest");
        return;
    }
    terminal::data(&format!("it reveals {} patients\n", patients.len()));
    match &arguments.out {
        Some(out) => terminal::words(&format!("who they are is in {}: it names patients", out.display())),
        None => patients.iter().for_each(|patient| terminal::data(&format!("{}\n", patient.expose()))),
    }
}

fn list(arguments: &ExportsListArguments) -> Result<u8, Failure> {
    let mut desk = Desk::open(&arguments.look)?;
    let mut found = match patients(arguments)? {
        Some(patients) => {
            let mut found = Vec::new();
            for patient in patients {
                found.extend(desk.ledger.exports_naming(&patient)?);
            }
            found.sort_by_key(|known| known.seq);
            found.dedup_by_key(|known| known.seq);
            found
        }
        None => desk.ledger.exports()?,
    };
    found.retain(|known| arguments.practice.as_ref().is_none_or(|practice| known.record.practice == *practice));
    if arguments.look.output.json {
        let all: Vec<Value> = found.iter().map(|known| facts(known, "")).collect();
        terminal::data(&format!("{}\n", json!({ "exports": all })));
    } else if !arguments.look.output.quiet {
        found.iter().for_each(|known| terminal::data(&format!("{}\n", sentence(&desk, known))));
        terminal::data(&format!("{} files\n", found.len()));
    }
    Ok(if found.is_empty() { NOT_FOUND } else { 0 })
}

/// Whom the list is to be about; `None` for everybody.
fn patients(arguments: &ExportsListArguments) -> Result<Option<Vec<OwnedPseudonym>>, Failure> {
    if !arguments.nhs_number {
        return Ok(arguments.patient.as_ref().map(|patient| vec![OwnedPseudonym::new(patient)]));
    }
    let ring = secrets::keys(&arguments.keys)?;
    let mut typed = String::new();
    let read = std::io::stdin().lock().take(NUMBER_MAX).read_to_string(&mut typed);
    read.map_err(|source| IdentityError::Io { what: "read", path: "standard input".into(), source })?;
    let Ok(number) = NhsNumber::parse(typed.trim()) else {
        let finding = Finding::new(Code::BadNhsNumber, "what stands on standard input is no NHS number");
        return Err(finding.hint("give ten digits and nothing else").into());
    };
    Ok(Some(ring.every_pseudonym(&number).map(|one| OwnedPseudonym::new(one.expose())).collect()))
}

/// `2026-11-23 20:05 practices/Z00001.csv.age for Z00001, by A. Manager, profile generic, 12 patients`.
fn sentence(desk: &Desk, known: &Known<Export>) -> String {
    let Export { file, practice, who, profile, patients, .. } = &known.record;
    let (at, count) = (desk.local(known.at), patients.len());
    format!("{at} {file} for {practice}, by {who}, profile {profile}, {count} patients")
}

fn facts(known: &Known<Export>, digest: &str) -> Value {
    let Export { digest: left, plain_digest, file, practice, recipient, who, profile, plan, patients } = &known.record;
    json!({
        "at": known.at.to_string(), "file": file, "practice": practice, "recipient": recipient, "who": who,
        "profile": profile, "plan": plan, "patients": patients.len(), "sha256": left, "plain_sha256": plain_digest,
        "as_it_left": (!digest.is_empty()).then_some(left == digest),
    })
}
