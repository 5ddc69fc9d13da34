//! Who decides about a discard, and what is written of it? Several at once, whole or not at all.

use std::fs::File;

use labtriage_core::finding::{Code, Finding};
use labtriage_core::time::Instant;
use labtriage_formats::outputs::{FolderKind, OutputFolder, write_discard_records};
use labtriage_formats::signed::{Signed, read_signed};
use labtriage_ledger::records::{Authorisation, Decision, Sample};
use labtriage_ledger::{LedgerError, Writer};
use serde_json::json;

use crate::args::{AuthoriseArguments, DisposeArguments, LookArguments, RejectArguments, TubesArguments};
use crate::desk::Desk;
use crate::failure::Failure;
use crate::terminal;

/// Records that proposed discards may be done.
pub(super) fn authorise(arguments: &AuthoriseArguments) -> Result<u8, Failure> {
    let decision = |accession: &str| Authorisation {
        accession: accession.to_owned(),
        discard: String::new(),
        decision: Decision::Authorise,
        who: arguments.by.clone().unwrap_or_default(),
        second: arguments.second.clone(),
        why: arguments.why.clone(),
    };
    // The people are those who have signed, and the one who hands the list in is none of them.
    let from_list = |row: &Signed| Authorisation {
        discard: row.discard.clone(),
        who: row.authorised_by.clone(),
        second: row.second.clone(),
        why: row.why.clone().or_else(|| arguments.why.clone()),
        ..decision(&row.accession)
    };
    let asked = Asked::read(&arguments.tubes, true, decision, from_list)?;
    carry_out(&arguments.look, &arguments.tubes, &asked, None)
}

/// Records that proposed discards must not be done.
pub(super) fn reject(arguments: &RejectArguments) -> Result<u8, Failure> {
    let decision = |accession: &str| Authorisation {
        accession: accession.to_owned(),
        discard: String::new(),
        decision: Decision::Reject,
        who: arguments.by.clone(),
        second: None,
        why: Some(arguments.why.clone()),
    };
    let from_list = |row: &Signed| Authorisation { discard: row.discard.clone(), ..decision(&row.accession) };
    let asked = Asked::read(&arguments.tubes, false, decision, from_list)?;
    carry_out(&arguments.look, &arguments.tubes, &asked, None)
}

/// Records that authorised discards were done.
pub(super) fn dispose(arguments: &DisposeArguments) -> Result<u8, Failure> {
    let decision = |accession: &str| Authorisation {
        accession: accession.to_owned(),
        discard: String::new(),
        decision: Decision::Dispose,
        who: arguments.by.clone(),
        second: None,
        why: None,
    };
    let from_list = |row: &Signed| Authorisation { discard: row.discard.clone(), ..decision(&row.accession) };
    let asked = Asked::read(&arguments.tubes, true, decision, from_list)?;
    carry_out(&arguments.look, &arguments.tubes, &asked, arguments.notified_via.as_deref())
}

/// What is asked for, tube by tube.
struct Asked {
    decisions: Vec<Authorisation>,
    /// Rows of a list that nobody has signed; they are left.
    unsigned: usize,
}

impl Asked {
    /// From accession numbers, or from a list; with `signed`, of the list only the rows that somebody has signed.
    fn read(
        tubes: &TubesArguments,
        signed: bool,
        decision: impl Fn(&str) -> Authorisation,
        from_list: impl Fn(&Signed) -> Authorisation,
    ) -> Result<Self, Failure> {
        let Some(path) = &tubes.from else {
            let decisions = tubes.accessions.iter().map(|accession| decision(accession)).collect();
            return Ok(Self { decisions, unsigned: 0 });
        };
        let name = path.display().to_string();
        let file = File::open(path).map_err(|error| {
            Finding::new(Code::FileUnreadable, format!("cannot read this file: {}", error.kind())).at(&name, 0, 0)
        })?;
        let rows = read_signed(file, &name)?;
        let taken: Vec<&Signed> = rows.iter().filter(|row| !signed || !row.authorised_by.is_empty()).collect();
        if taken.is_empty() {
            let finding = Finding::new(Code::MissingValue, "nobody has signed a row of this list").at(&name, 0, 0);
            return Err(finding.hint("`authorised_by` names the person who authorises the row's discard").into());
        }
        let unsigned = rows.len() - taken.len();
        Ok(Self { decisions: taken.into_iter().map(from_list).collect(), unsigned })
    }
}

/// Records all decisions and writes what is to be written of them, or neither.
fn carry_out(
    look: &LookArguments,
    tubes: &TubesArguments,
    asked: &Asked,
    notified_via: Option<&str>,
) -> Result<u8, Failure> {
    let mut desk = Desk::open(look)?;
    let (at, zone) = (desk.at, desk.zone());
    let folder = tubes.out.as_deref().map(|out| OutputFolder::create(out, FolderKind::DiscardRecords)).transpose()?;
    let told = Told { at, report: folder.is_some(), via: notified_via };
    desk.ledger.write(at, |writer| {
        let samples = decide_all(writer, &asked.decisions)?;
        let samples = told.note(writer, samples)?;
        match &folder {
            Some(folder) => Ok(write_discard_records(folder, &super::records(&samples), zone)?),
            None => Ok::<(), Failure>(()),
        }
    })?;
    // What is recorded can be written again with `discards report`; what is written cannot be recorded again.
    folder.map(OutputFolder::finish).transpose()?;
    show(look, tubes, asked);
    Ok(0)
}

/// Every decision; when one is refused, all refusals.
fn decide_all(writer: &mut Writer<'_>, decisions: &[Authorisation]) -> Result<Vec<Sample>, Failure> {
    let (mut samples, mut refused) = (Vec::new(), Vec::new());
    for decision in decisions {
        match writer.decide(decision) {
            Ok(sample) => samples.push(sample),
            Err(error) if is_refusal(&error) => refused.push(error),
            Err(error) => return Err(error.into()),
        }
    }
    if refused.is_empty() { Ok(samples) } else { Err(Failure::Refused(refused)) }
}

/// Whether the ledger has judged a decision, rather than failed.
const fn is_refusal(error: &LedgerError) -> bool {
    matches!(
        error,
        LedgerError::Transition { .. }
            | LedgerError::SecondPerson { .. }
            | LedgerError::HoldNotOver { .. }
            | LedgerError::Unknown { .. }
            | LedgerError::Identity { .. }
            | LedgerError::Contradiction { .. }
    )
}

/// What the requester is told.
struct Told<'a> {
    at: Instant,
    report: bool,
    via: Option<&'a str>,
}

impl Told<'_> {
    /// Records it with the discards.
    fn note(&self, writer: &mut Writer<'_>, mut samples: Vec<Sample>) -> Result<Vec<Sample>, LedgerError> {
        for discard in samples.iter_mut().filter_map(|sample| sample.discard.as_mut()) {
            discard.report_issued |= self.report;
            if let Some(via) = self.via {
                discard.notified = Some(self.at);
                discard.notified_via = Some(via.to_owned());
            }
        }
        writer.samples(samples.iter().cloned())?;
        Ok(samples)
    }
}

fn show(look: &LookArguments, tubes: &TubesArguments, asked: &Asked) {
    if look.output.quiet {
        return;
    }
    let word = match asked.decisions.first().map(|decision| decision.decision) {
        Some(Decision::Authorise) => "authorised",
        Some(Decision::Reject) => "rejected",
        Some(Decision::Dispose) | None => "disposed of",
    };
    let (count, unsigned) = (asked.decisions.len(), asked.unsigned);
    if look.output.json {
        let accessions: Vec<&str> = asked.decisions.iter().map(|decision| decision.accession.as_str()).collect();
        terminal::data(&format!("{}\n", json!({ "decision": word, "accessions": accessions, "unsigned": unsigned })));
    } else {
        let left = if unsigned > 0 { format!(", {unsigned} rows without a signature left") } else { String::new() };
        terminal::data(&format!("{count} discards {word}{left}\n"));
    }
    if let Some(out) = &tubes.out {
        terminal::words(&format!("records and reports are in {}", out.display()));
    }
}
