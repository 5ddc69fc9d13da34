//! `labtriage status`: what became of it, what is planned, and what must the practice do?

mod found;
mod json;
mod own;
mod words;

use labtriage_core::time::{Instant, Zone};
use labtriage_ledger::records::Query;
use labtriage_ledger::{Address, Ledger, LedgerError, OwnedPseudonym};

use crate::args::{Asked, StatusArguments};
use crate::desk;
use crate::failure::Failure;
use crate::inputs::moment;
use crate::terminal;

use found::{Found, find};

/// Answers a question, and records that it was asked; returns the exit code.
pub(crate) fn status(arguments: &StatusArguments) -> Result<u8, Failure> {
    let asked = &arguments.asked;
    let within = asked.practice.as_deref().or(arguments.as_practice.as_deref());
    let mut ledger = Ledger::open(&Address::parse(&arguments.ledger.ledger)?)?;
    let zone = desk::zone(ledger.codes()?.as_ref(), Zone::LONDON);
    let now = moment(arguments.now.as_deref(), zone)?;
    let found = find(&mut ledger, asked, within)?;
    // Recorded before it is shown: nobody looks without a trace.
    record(&mut ledger, arguments, within, now, found.samples.len())?;
    if found.is_empty() {
        return Err(unknown(asked, within.is_some()).into());
    }
    show(arguments, &found, zone, now);
    Ok(0)
}

fn record(
    ledger: &mut Ledger,
    arguments: &StatusArguments,
    within: Option<&str>,
    now: Instant,
    found: usize,
) -> Result<(), LedgerError> {
    let asked = &arguments.asked;
    let query = Query {
        who: arguments.by.clone(),
        sample: asked.sample.clone(),
        request: asked.request.clone(),
        patient: asked.patient.as_deref().map(OwnedPseudonym::new),
        practice: within.map(str::to_owned),
        found: found as u64,
    };
    ledger.write(now, |writer| writer.query(&query))
}

/// The same words whether it is not there or another practice's.
fn unknown(asked: &Asked, scoped: bool) -> LedgerError {
    let (what, scoped_what, name) = match (&asked.sample, &asked.request, &asked.practice) {
        (Some(sample), ..) => ("sample", "sample of this practice", sample.as_str()),
        (_, Some(request), _) => ("request", "request of this practice", request.as_str()),
        (.., Some(practice)) => ("sample of practice", "sample of practice", practice.as_str()),
        _ => ("patient", "patient of this practice", "of this pseudonym"),
    };
    LedgerError::Unknown { what: if scoped { scoped_what } else { what }, name: name.to_owned() }
}

fn show(arguments: &StatusArguments, found: &Found, zone: Zone, now: Instant) {
    let output = &arguments.ledger.output;
    if output.json {
        terminal::data(&format!("{}\n", json::answer(found, zone, now)));
    } else if !output.quiet {
        terminal::data(&words::answer(found, zone));
    }
}
