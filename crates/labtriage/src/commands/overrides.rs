//! `labtriage overrides`: what people have decided about planning, kept in the ledger with its age.
//!
//! An override is kept by the words of `overrides.toml`, and read back through it ([`as_toml`], [`read`]), so that one
//! code checks both. A night plans with those in force as if they stood in its own file.

mod check;

use labtriage_core::overrides::Override as Planned;
use labtriage_core::time::Instant;
use labtriage_formats::config::overrides::{Entry, overrides as read_toml, overrides_toml};
use labtriage_ledger::records::Override;
use labtriage_ledger::states::OverrideState;
use labtriage_ledger::{Known, Ledger, LedgerError, Writer};
use serde_json::{Value, json};

use crate::args::{EndArguments, OverridesCommand, OverridesListArguments, SetArguments};
use crate::desk::Desk;
use crate::failure::Failure;
use crate::terminal;

/// Findings about overrides of the ledger name this as their file.
const PLACE: &str = "overrides of the ledger";

/// Does what was asked about overrides; returns the exit code.
pub(crate) fn overrides(command: &OverridesCommand) -> Result<u8, Failure> {
    match command {
        OverridesCommand::List(arguments) => list(arguments),
        OverridesCommand::Set(arguments) => set(arguments),
        OverridesCommand::End(arguments) => end(arguments),
    }
}

/// The ledger's overrides that are in force at a moment, in order of their setting.
pub(crate) fn in_force(ledger: &mut Ledger, at: Instant) -> Result<Vec<Override>, LedgerError> {
    let all = ledger.overrides(OverrideState::InForce)?.into_iter().map(|known| known.record);
    Ok(all.filter(|decided| decided.until > at).collect())
}

/// Overrides as an `overrides.toml`, which a plan can name among its inputs; empty without any.
pub(crate) fn as_toml(decided: &[Override]) -> String {
    let until: Vec<String> = decided.iter().map(|one| one.until.to_string()).collect();
    let entries = decided.iter().zip(&until).map(|(one, until)| Entry {
        action: &one.action,
        details: &one.details,
        who: &one.who,
        why: &one.why,
        until,
        second: one.second.as_deref(),
        comment: &one.id,
    });
    overrides_toml(&entries.collect::<Vec<_>>())
}

/// Overrides as the core plans with them.
fn read(desk: &Desk, decided: &[Override]) -> Result<Vec<Planned>, Failure> {
    Ok(read_toml(&as_toml(decided), PLACE, &desk.catalogue, &desk.network, &desk.policy)?)
}

fn list(arguments: &OverridesListArguments) -> Result<u8, Failure> {
    let mut desk = Desk::open(&arguments.look)?;
    if arguments.toml {
        terminal::data(&as_toml(&in_force(&mut desk.ledger, desk.at)?));
        return Ok(0);
    }
    let mut all = desk.ledger.overrides(OverrideState::InForce)?;
    if arguments.all {
        all.extend(desk.ledger.overrides(OverrideState::Ended)?);
    }
    // The oldest first: it is the one that somebody may have forgotten.
    all.sort_by(|a, b| (a.record.set, number(&a.record.id)).cmp(&(b.record.set, number(&b.record.id))));
    if arguments.look.output.json {
        let all: Vec<Value> = all.iter().map(|known| facts(&desk, &known.record)).collect();
        terminal::data(&format!("{}\n", json!({ "now": desk.at.to_string(), "overrides": all })));
    } else if !arguments.look.output.quiet {
        let rows: Vec<Vec<String>> = all.iter().map(|known| row(&desk, &known.record)).collect();
        terminal::data(&terminal::table(&["number", "action", "about", "age", "until", "who", "why"], &rows));
        terminal::data(&sum(&desk, &all));
    }
    Ok(0)
}

/// The number of an id, so that `O-10` follows `O-9`.
fn number(id: &str) -> (u64, &str) {
    (id.rsplit('-').next().and_then(|digits| digits.parse().ok()).unwrap_or(u64::MAX), id)
}

fn row(desk: &Desk, one: &Override) -> Vec<String> {
    let about: Vec<String> = one.details.iter().map(|(key, value)| format!("{key} {value}")).collect();
    let second = one.second.as_ref().map_or_else(String::new, |second| format!(", {second}"));
    let until = match &one.ended {
        Some(how) => how.clone(),
        None if one.until <= desk.at => format!("ran out {}, falls away", desk.local(one.until)),
        None => format!("{} ({} left)", desk.local(one.until), one.until.since(desk.at)),
    };
    vec![
        one.id.clone(),
        one.action.clone(),
        about.join(", "),
        desk.age(one.set).to_string(),
        until,
        format!("{}{second}", one.who),
        one.why.clone(),
    ]
}

fn facts(desk: &Desk, one: &Override) -> Value {
    let details: serde_json::Map<String, Value> =
        one.details.iter().map(|(key, value)| (key.clone(), Value::String(value.clone()))).collect();
    json!({
        "number": one.id, "action": one.action, "details": details, "who": one.who, "second": one.second,
        "why": one.why, "set_at": one.set.to_string(), "age_minutes": desk.age(one.set).get(),
        "until": one.until.to_string(), "ran_out": one.ended.is_none() && one.until <= desk.at,
        "state": one.state.text(), "ended": one.ended,
    })
}

fn sum(desk: &Desk, all: &[Known<Override>]) -> String {
    let open = |known: &&Known<Override>| known.record.state == OverrideState::InForce;
    let over = all.iter().filter(open).filter(|known| known.record.until <= desk.at).count();
    format!("{} overrides in force, {over} ran out\n", all.iter().filter(open).count() - over)
}

fn set(arguments: &SetArguments) -> Result<u8, Failure> {
    let mut desk = Desk::open(&arguments.look)?;
    let decided = check::checked(&mut desk, arguments)?;
    let over = desk.ledger.write(desk.at, |writer| {
        let over = writer.end_overrides_that_ran_out()?;
        writer.set_override(&decided)?;
        Ok::<_, LedgerError>(over)
    })?;
    say_what_ran_out(&over);
    if arguments.look.output.json {
        terminal::data(&format!("{}\n", facts(&desk, &decided)));
    } else if !arguments.look.output.quiet {
        let (id, action) = (&decided.id, &decided.action);
        terminal::data(&format!("override {id} is set: {action} until {}\n", desk.local(decided.until)));
    }
    Ok(0)
}

fn end(arguments: &EndArguments) -> Result<u8, Failure> {
    let mut desk = Desk::open(&arguments.look)?;
    let how = format!("ended by {}: {}", arguments.by, arguments.why.trim());
    if arguments.why.trim().is_empty() {
        let what = "its end needs a reason";
        return Err(LedgerError::Contradiction { subject: "override".to_owned(), what }.into());
    }
    let over = desk.ledger.write(desk.at, |writer| {
        let over = writer.end_overrides_that_ran_out()?;
        end_all(writer, &arguments.numbers, &how)?;
        Ok::<_, Failure>(over)
    })?;
    say_what_ran_out(&over);
    if !arguments.look.output.quiet {
        terminal::data(&format!("{} overrides ended\n", arguments.numbers.len()));
    }
    Ok(0)
}

fn end_all(writer: &mut Writer<'_>, numbers: &[String], how: &str) -> Result<(), Failure> {
    let mut refused = Vec::new();
    for id in numbers {
        match writer.end_override(id, how) {
            Ok(_) => {}
            Err(error @ LedgerError::Unknown { .. }) => refused.push(error),
            Err(error) => return Err(error.into()),
        }
    }
    if refused.is_empty() { Ok(()) } else { Err(Failure::Refused(refused)) }
}

/// Says which overrides have fallen away because their time was over.
pub(crate) fn say_what_ran_out(over: &[Override]) {
    for one in over {
        terminal::words(&format!("override {} ({}) ran out at {} and fell away", one.id, one.action, one.until));
    }
}
