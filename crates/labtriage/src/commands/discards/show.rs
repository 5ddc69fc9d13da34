//! What does a person see of the discards that wait? A table, JSON or CSV, in one order.

use labtriage_core::time::Instant;
use labtriage_formats::outputs::{DiscardRecord, records_csv};
use serde_json::{Value, json};

use crate::args::DiscardsListArguments;
use crate::desk::Desk;
use crate::terminal;

const TITLES: [&str; 9] =
    ["accession", "state", "reason", "proposed", "hold", "irreplaceable", "requester", "tests", "decided"];

/// Prints discards in the order given.
pub(super) fn list(arguments: &DiscardsListArguments, desk: &Desk, records: &[DiscardRecord]) {
    if arguments.csv {
        terminal::data(&String::from_utf8_lossy(&records_csv(records, desk.zone())));
    } else if arguments.look.output.json {
        let all: Vec<Value> = records.iter().map(|record| facts(desk, record)).collect();
        terminal::data(&format!("{}\n", json!({ "now": desk.at.to_string(), "discards": all })));
    } else if !arguments.look.output.quiet {
        let rows = records.iter().map(|record| row(desk, record)).collect::<Vec<_>>();
        terminal::data(&terminal::table(&TITLES, &rows));
        terminal::data(&sum(desk, records));
    }
}

fn row(desk: &Desk, record: &DiscardRecord) -> Vec<String> {
    let tests: Vec<&str> = record.lines.iter().map(|(test, _)| test.as_str()).collect();
    let by = record.override_id.as_ref().map_or_else(String::new, |id| format!(" ({id})"));
    vec![
        record.accession.clone(),
        record.state.clone(),
        format!("{} {}{by}", record.reason_code, record.reason).trim().to_owned(),
        format!("{} ago", desk.age(record.proposed)),
        hold(desk, record),
        if record.irreplaceable { "yes, needs two people" } else { "" }.to_owned(),
        record.requester.clone(),
        tests.join(" "),
        decided(record),
    ]
}

/// `A. Manager and B. Chief: still wanted`; nothing while nobody has decided.
fn decided(record: &DiscardRecord) -> String {
    let people: Vec<&str> = [&record.decided_by, &record.second].into_iter().flatten().map(String::as_str).collect();
    let why = record.decision_reason.as_ref().map_or_else(String::new, |why| format!(": {why}"));
    format!("{}{why}", people.join(" and "))
}

fn hold(desk: &Desk, record: &DiscardRecord) -> String {
    match record.hold_until {
        Some(until) if until > desk.at => format!("until {}", desk.local(until)),
        Some(_) => "over".to_owned(),
        None => "none".to_owned(),
    }
}

fn facts(desk: &Desk, record: &DiscardRecord) -> Value {
    let text = |at: Option<Instant>| at.map(|at| at.to_string());
    let lines: Vec<Value> = record.lines.iter().map(|(test, state)| json!({ "test": test, "state": state })).collect();
    json!({
        "accession": record.accession, "request": record.request, "requester": record.requester,
        "discard": record.id, "state": record.state, "lines": lines, "irreplaceable": record.irreplaceable,
        "reason_code": record.reason_code, "reason": record.reason, "override": record.override_id,
        "proposed_at": record.proposed.to_string(), "age_minutes": desk.age(record.proposed).get(),
        "expired_at": text(record.expired), "hold_until": text(record.hold_until),
        "hold_over": record.hold_until.is_none_or(|until| until <= desk.at),
        "decided_at": text(record.decided), "decided_by": record.decided_by, "second": record.second,
        "decision_reason": record.decision_reason,
        "disposed_at": text(record.disposed), "disposed_by": record.disposed_by,
        "report_issued": record.report_issued,
    })
}

fn sum(desk: &Desk, records: &[DiscardRecord]) -> String {
    let held = records.iter().filter(|record| record.hold_until.is_some_and(|until| until > desk.at)).count();
    let two = records.iter().filter(|record| record.irreplaceable).count();
    format!(
        "{} discards, {two} of samples that cannot be collected again, {held} still under the minimum hold\n",
        records.len()
    )
}
