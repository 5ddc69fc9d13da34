//! How is a discard's record written? One row, forty columns.

use labtriage_core::time::{Instant, Zone};

use super::{DiscardRecord, REJECTED};
use crate::outputs::cells::{LocalTimes, free_text, guarded};

const HEADER: [&str; 40] = [
    "discard_id",
    "run_id",
    "accession",
    "request",
    "state",
    "test_lines",
    "specimen",
    "container",
    "irreplaceable",
    "collected_at",
    "collected_is",
    "received_at",
    "storage_history",
    "limit_h",
    "limit_test",
    "limit_state",
    "limit_source",
    "catalogue_version",
    "expired_at",
    "hold_until",
    "proposed_at",
    "reason_code (HL7 table 0490)",
    "reason",
    "proposed_by",
    "override_id",
    "decided_at",
    "authorised_by",
    "second_checker",
    "rejected_by",
    "decision_reason",
    "requester",
    "patient",
    "recall_action",
    "recall_reason",
    "notified_at",
    "notified_via",
    "disposed_at",
    "disposed_by",
    "report_issued",
    "why",
];

/// The records as CSV, in their order; times by the clock on the wall. The columns `authorised_by`, `second_checker`
/// and `why` may be filled in by a person and read back by [`crate::signed`].
pub fn records_csv(records: &[DiscardRecord], zone: Zone) -> Vec<u8> {
    let mut times = LocalTimes::new(zone);
    let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
    // Writing to memory cannot fail, and every row has as many cells as the header.
    let _ = writer.write_record(HEADER);
    for record in records {
        let _ = writer.write_record(cells(record, &mut times));
    }
    writer.into_inner().unwrap_or_default()
}

fn cells(record: &DiscardRecord, times: &mut LocalTimes) -> Vec<Vec<u8>> {
    let mut cells: Vec<Vec<u8>> = Vec::with_capacity(HEADER.len());
    container(record, times, &mut cells);
    decisions(record, times, &mut cells);
    cells
}

/// What the container was, and the limit that it has passed.
fn container(record: &DiscardRecord, times: &mut LocalTimes, cells: &mut Vec<Vec<u8>>) {
    let lines: Vec<String> = record.lines.iter().map(|(test, state)| format!("{test} {state}")).collect();
    for text in [&record.id, &record.run, &record.accession, &record.request, &record.state] {
        cells.push(guarded(text));
    }
    cells.push(guarded(&lines.join("; ")));
    cells.push(guarded(&record.specimen));
    cells.push(guarded(&record.container));
    cells.push(yes(record.irreplaceable));
    cells.push(times.text(record.collected));
    cells.push(if record.collected_assumed { b"assumed".to_vec() } else { b"known".to_vec() });
    cells.push(moment(record.received, times));
    let history: Vec<String> = record
        .history
        .iter()
        .map(|(from, state)| format!("{} {state}", String::from_utf8_lossy(&times.text(*from))))
        .collect();
    cells.push(guarded(&history.join("; ")));
    match &record.limit {
        Some(limit) => {
            cells.push(limit.hours().into_bytes());
            cells.extend([&limit.test, &limit.state, &limit.source, &limit.catalogue].map(|text| guarded(text)));
        }
        None => cells.extend(std::iter::repeat_n(Vec::new(), 5)),
    }
    cells.push(moment(record.expired, times));
    cells.push(moment(record.hold_until, times));
}

/// Who decided what, and what the requester was told.
fn decisions(record: &DiscardRecord, times: &mut LocalTimes, cells: &mut Vec<Vec<u8>>) {
    cells.push(times.text(record.proposed));
    cells.push(guarded(&record.reason_code));
    cells.push(free_text(&record.reason).into_bytes());
    cells.push(free_text(&record.proposed_by).into_bytes());
    cells.push(text(record.override_id.as_deref()));
    cells.push(moment(record.decided, times));
    let rejected = record.state == REJECTED;
    let by = record.decided_by.as_deref();
    cells.push(text(by.filter(|_| !rejected)));
    cells.push(text(record.second.as_deref()));
    cells.push(text(by.filter(|_| rejected)));
    cells.push(text(record.decision_reason.as_deref()));
    cells.push(guarded(&record.requester));
    cells.push(guarded(&record.patient));
    cells.push(if record.no_recall_because.is_none() { b"required".to_vec() } else { b"not required".to_vec() });
    cells.push(text(record.no_recall_because.as_deref()));
    cells.push(moment(record.notified, times));
    cells.push(text(record.notified_via.as_deref()));
    cells.push(moment(record.disposed, times));
    cells.push(text(record.disposed_by.as_deref()));
    cells.push(yes(record.report_issued));
    cells.push(Vec::new());
}

fn yes(is: bool) -> Vec<u8> {
    if is { b"yes".to_vec() } else { Vec::new() }
}

fn text(text: Option<&str>) -> Vec<u8> {
    text.map_or_else(Vec::new, |text| free_text(text).into_bytes())
}

fn moment(at: Option<Instant>, times: &mut LocalTimes) -> Vec<u8> {
    at.map_or_else(Vec::new, |at| times.text(at))
}
