//! `labtriage recalls acknowledge`: what a practice answers, checked against its list.

use std::fs::File;

use labtriage_core::finding::{Code, Finding};
use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::RequesterIx;
use labtriage_core::time::{Instant, Zone};
use labtriage_formats::recalls::acknowledge::{
    Acknowledgement, Acknowledgements, Answer, Known, Reject, RejectReason, read_acknowledgements,
};
use labtriage_formats::recalls::{Notice, notices};
use labtriage_identity::{KeyRing, NhsNumber};
use labtriage_ledger::records::{Answer as Said, Notice as Recalled, Wanted};
use labtriage_ledger::states::NoticeState;
use labtriage_ledger::{Known as Ledgered, LedgerError, Writer};
use serde_json::{Value, json};

use super::register::Register;
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
    let mut answered = read(arguments)?;
    if let Some(register) = Register::open(&arguments.record)? {
        record(register, &mut answered)?;
    }
    // Written last: the rows that the ledger gives back are among them, and the same file may be read again.
    if let Some(path) = &arguments.rejects {
        secrets::write(path, &rejects(&answered.found.rejects))?;
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
    at: Instant,
    /// What became of the answers in the ledger, if one was named.
    recorded: Option<Recorded>,
}

/// What became of answers in the ledger.
#[derive(Default)]
struct Recorded {
    /// Answers that were new, or corrected the one before.
    new: usize,
    /// Answers that were there already.
    same: usize,
    /// Lines that went another way meanwhile: a person should look.
    left: Vec<Wanted>,
}

/// Records the answers; those that the ledger does not take are given back like bad rows. A later answer corrects the
/// one before, until new samples were taken.
fn record(register: Register, answered: &mut Answered) -> Result<(), Failure> {
    let Register { mut ledger, by } = register;
    let practice = answered.snapshot.network.requesters[answered.requester].ods.clone();
    // Looked up first: the practice's own notice of each patient, the open one before any other.
    let mut notices = Vec::with_capacity(answered.found.accepted.len());
    for one in &answered.found.accepted {
        let patient = answered.snapshot.backlog.pseudonym(one.patient).into();
        notices.push(latest_of(ledger.notices_of(&patient)?, &practice));
    }
    let (mut recorded, mut back) = (Recorded::default(), Vec::new());
    let pairs: Vec<_> = answered.found.accepted.drain(..).zip(notices).collect();
    let zone = answered.snapshot.network.zone;
    let kept = ledger.write(answered.at, |writer| {
        let mut kept = Vec::new();
        for (one, notice) in pairs {
            match note(writer, &practice, zone, &by, &one, notice, &mut recorded)? {
                None => kept.push(one),
                Some(reason) => back.push(Reject { line: one.line, reason }),
            }
        }
        Ok::<_, LedgerError>(kept)
    })?;
    answered.found.accepted = kept;
    answered.found.rejects.extend(back);
    answered.found.rejects.sort_unstable();
    answered.recorded = Some(recorded);
    Ok(())
}

/// The notice that a practice answers: the one that waits for an answer or a visit, else its last.
fn latest_of(mut notices: Vec<Ledgered<Recalled>>, practice: &str) -> Option<Recalled> {
    notices.retain(|known| known.record.requester == practice);
    notices.sort_by_key(|known| (known.record.state.is_open(), known.seq));
    notices.pop().map(|known| known.record)
}

/// Records one answer; returns why it is given back, if it is.
fn note(
    writer: &mut Writer<'_>,
    practice: &str,
    zone: Zone,
    by: &str,
    one: &Acknowledgement,
    notice: Option<Recalled>,
    recorded: &mut Recorded,
) -> Result<Option<RejectReason>, LedgerError> {
    let Some(notice) = notice else { return Ok(Some(RejectReason::NotRecorded)) };
    let state = state_of(one.answer);
    let visit = one.answer.day().map(|day| zone.at(day, 0));
    // The same answer from another hand is no other answer.
    if notice.state == state && notice.answer.as_ref().is_some_and(|answer| answer.visit == visit) {
        recorded.same += 1;
        return Ok(None);
    }
    let answer = Said { visit, who: by.to_owned(), note: None };
    match writer.answer(practice, &notice.id, state, &answer) {
        Ok(answered) => {
            recorded.new += 1;
            recorded.left.extend(answered.left);
            Ok(None)
        }
        Err(LedgerError::Notice { .. }) if notice.state == NoticeState::Done => Ok(Some(RejectReason::Done)),
        Err(LedgerError::Notice { .. }) => Ok(Some(RejectReason::Withdrawn)),
        Err(LedgerError::SecondNotice { .. }) => Ok(Some(RejectReason::CalledAgain)),
        Err(error) => Err(error),
    }
}

const fn state_of(answer: Answer) -> NoticeState {
    match answer {
        Answer::Booked(_) => NoticeState::Booked,
        Answer::Done(_) => NoticeState::Done,
        Answer::Declined => NoticeState::Declined,
        Answer::NotOurs => NoticeState::NotOurs,
    }
}

fn read(arguments: &AcknowledgeArguments) -> Result<Answered, Failure> {
    let ring = secrets::some_keys(&arguments.keys)?;
    let folder = plan_folder(&arguments.plan);
    let Opened { header, night, plan } = open(&folder)?;
    let snapshot = night.snapshot;
    let requester = requester(&snapshot, &arguments.practice)?;
    let zone = snapshot.network.zone;
    let at = Sources::of_plan(&folder, &header)?.now(&Now::Typed(arguments.now.as_deref()), zone)?;
    let notices = notices(&snapshot, &plan, &[]);
    let name = arguments.file.display().to_string();
    let file = File::open(&arguments.file).map_err(|error| {
        Finding::new(Code::FileUnreadable, format!("cannot read this file: {}", error.kind())).at(&name, 0, 0)
    })?;
    let pseudonyms = |number: &str| pseudonyms(ring.as_ref(), number);
    let known =
        Known { snapshot: &snapshot, requester, notices: &notices, pseudonyms: &pseudonyms, today: zone.day(at) };
    let found = read_acknowledgements(file, &name, &known)?;
    Ok(Answered { snapshot, requester, notices, found, at, recorded: None })
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
        let recorded = answered.recorded.as_ref().map(|one| {
            let left: Vec<Value> =
                one.left.iter().map(|line| json!({ "accession": line.accession, "test": line.test })).collect();
            json!({ "new": one.new, "same": one.same, "left": left })
        });
        let facts = json!({ "rows": found.rows_read, "accepted": accepted, "rejects": back,
            "unanswered": found.unanswered, "sha256": found.digest, "recorded": recorded });
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
    let Some(recorded) = &answered.recorded else {
        terminal::words("nothing was recorded: name the ledger with --ledger and yourself with --by");
        return;
    };
    terminal::data(&format!("{} answers recorded, {} were there already\n", recorded.new, recorded.same));
    for line in &recorded.left {
        terminal::words(&format!(
            "sample {}, test {}: it went another way meanwhile, look at it",
            line.accession, line.test
        ));
    }
}
