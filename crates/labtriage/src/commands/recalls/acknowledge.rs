//! `labtriage recalls acknowledge`: what a practice answers, checked against its list.

use std::fs::File;

use labtriage_core::finding::{Code, Finding};
use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::RequesterIx;
use labtriage_formats::recalls::acknowledge::{Acknowledgements, Known, Reject, read_acknowledgements};
use labtriage_formats::recalls::{Notice, notices};
use labtriage_identity::{KeyRing, NhsNumber, write_whole};
use serde_json::{Value, json};

use super::{plan_folder, requester};
use crate::args::AcknowledgeArguments;
use crate::commands::check::{Opened, open};
use crate::failure::Failure;
use crate::inputs::{Now, Sources};
use crate::{secrets, terminal};

/// Rejects printed at most; `--rejects` has all.
const REJECTS_SHOWN: usize = 20;

/// Reads a practice's answers; returns the exit code.
pub(super) fn acknowledge(arguments: &AcknowledgeArguments) -> Result<u8, Failure> {
    let answered = read(arguments)?;
    // These are checked answers; the ledger records them at this point.
    if let Some(path) = &arguments.rejects {
        write_whole(path, &rejects(&answered.found.rejects))?;
    }
    show(arguments, &answered);
    Ok(0)
}

/// A practice's answers, and what they are about.
struct Answered {
    snapshot: Snapshot,
    requester: RequesterIx,
    notices: Vec<Notice>,
    found: Acknowledgements,
}

fn read(arguments: &AcknowledgeArguments) -> Result<Answered, Failure> {
    let ring = secrets::some_keys(&arguments.keys)?;
    let folder = plan_folder(&arguments.plan);
    let Opened { header, night, plan } = open(&folder)?;
    let snapshot = night.snapshot;
    let requester = requester(&snapshot, &arguments.practice)?;
    let zone = snapshot.network.zone;
    let today = Sources::of_plan(&folder, &header)?.now(&Now::Typed(arguments.now.as_deref()), zone)?;
    let notices = notices(&snapshot, &plan, &[]);
    let name = arguments.file.display().to_string();
    let file = File::open(&arguments.file).map_err(|error| {
        Finding::new(Code::FileUnreadable, format!("cannot read this file: {}", error.kind())).at(&name, 0, 0)
    })?;
    let pseudonyms = |number: &str| pseudonyms(ring.as_ref(), number);
    let known =
        Known { snapshot: &snapshot, requester, notices: &notices, pseudonyms: &pseudonyms, today: zone.day(today) };
    let found = read_acknowledgements(file, &name, &known)?;
    Ok(Answered { snapshot, requester, notices, found })
}

/// The pseudonyms that a number may have in a plan.
fn pseudonyms(ring: Option<&KeyRing>, number: &str) -> Vec<String> {
    let (Some(ring), Ok(number)) = (ring, NhsNumber::parse(number)) else { return Vec::new() };
    ring.every_pseudonym(&number).map(|pseudonym| pseudonym.expose().to_owned()).collect()
}

/// The rows that are given back, as CSV: line and reason.
fn rejects(all: &[Reject]) -> Vec<u8> {
    let mut text = String::from("line,reason\n");
    for one in all {
        text.push_str(&format!("{},\"{}\"\n", one.line, one.reason.words()));
    }
    text.into_bytes()
}

fn show(arguments: &AcknowledgeArguments, answered: &Answered) {
    if arguments.output.quiet {
        return;
    }
    let found = &answered.found;
    if arguments.output.json {
        let accepted: Vec<Value> = found
            .accepted
            .iter()
            .map(|one| {
                let of_patient =
                    |notice: &&Notice| notice.requester == answered.requester && notice.patient == one.patient;
                let notice = answered.notices.iter().find(of_patient);
                let requests =
                    notice.map_or_else(String::new, |notice| notice.request_words(&answered.snapshot.backlog));
                let day = one.answer.day().map(|day| day.date().to_string());
                json!({ "requests": requests, "answer": one.answer.text(), "day": day, "line": one.line })
            })
            .collect();
        let back: Vec<Value> =
            found.rejects.iter().map(|one| json!({ "line": one.line, "reason": one.reason.words() })).collect();
        let facts = json!({ "rows": found.rows_read, "accepted": accepted, "rejects": back,
            "unanswered": found.unanswered, "sha256": found.digest });
        terminal::data(&format!("{facts}\n"));
        return;
    }
    for one in found.rejects.iter().take(REJECTS_SHOWN) {
        terminal::words(&format!("{}:{}: {}", arguments.file.display(), one.line, one.reason.words()));
    }
    let count = |word: &str| found.accepted.iter().filter(|one| one.answer.text() == word).count();
    terminal::data(&format!(
        "{} rows: {} booked, {} done, {} declined, {} not ours, {} without an answer, {} given back\n",
        found.rows_read,
        count("booked"),
        count("done"),
        count("declined"),
        count("not ours"),
        found.unanswered,
        found.rejects.len()
    ));
}
