//! How is it said to machines? The same answer as JSON; moments in UTC, patients not named.

use labtriage_core::time::{Instant, Zone};
use labtriage_ledger::Known;
use labtriage_ledger::records::{Line, Notice, Sample};
use serde_json::{Map, Value, json};

use super::found::{Found, Seen};
use super::words::{of_line, of_sample, steps, to_do};

/// The whole answer.
pub(super) fn answer(found: &Found, zone: Zone, now: Instant) -> Value {
    let samples: Vec<Value> = found.samples.iter().map(|seen| sample(seen, found, zone)).collect();
    let notices: Vec<Value> = found.notices.iter().map(notice).collect();
    json!({
        "asked": now.to_string(),
        "found": found.samples.len(),
        "samples": samples,
        "notices": notices,
        "practice_must": to_do(found, zone),
    })
}

fn sample(seen: &Seen, found: &Found, zone: Zone) -> Value {
    let Sample { accession, request, requester, band, specimen, site, state, irreplaceable, received, lines, .. } =
        &seen.sample.record;
    let history =
        steps(&seen.history, zone).into_iter().map(|(at, what)| json!({ "at": at.to_string(), "what": what }));
    let mut value = json!({
        "accession": accession,
        "request": request,
        "requester": requester,
        "band": band,
        "specimen": specimen,
        "site": site,
        "irreplaceable": irreplaceable,
        "received": optional(*received),
        "state": state.text(),
        "since": seen.sample.at.to_string(),
        "words": of_sample(&seen.sample.record, found.for_practice),
        "lines": lines.iter().map(|one| line(one, zone)).collect::<Vec<_>>(),
    });
    if !found.overview {
        value["history"] = history.collect();
    }
    value
}

fn line(line: &Line, zone: Zone) -> Value {
    let mut value = Map::new();
    value.insert("test".to_owned(), json!(line.test));
    value.insert("state".to_owned(), json!(line.state.text()));
    value.insert("at".to_owned(), optional(line.at));
    value.insert("place".to_owned(), json!(line.place));
    value.insert("expires".to_owned(), optional(line.expires));
    value.insert("because".to_owned(), json!(line.because));
    value.insert("caution".to_owned(), json!(line.caution));
    value.insert("words".to_owned(), json!(of_line(line, zone)));
    Value::Object(value)
}

fn notice(known: &Known<Notice>) -> Value {
    let Notice { id, requester, band, wanted, book_by, visit, point, reason, state, answer, .. } = &known.record;
    let wanted = wanted
        .iter()
        .map(|wanted| json!({ "accession": wanted.accession, "test": wanted.test, "specimen": wanted.specimen }));
    json!({
        "id": id,
        "requester": requester,
        "band": band,
        "state": state.text(),
        "since": known.at.to_string(),
        "wanted": wanted.collect::<Vec<_>>(),
        "book_by": optional(*book_by),
        "visit": optional(answer.as_ref().and_then(|answer| answer.visit).or(*visit)),
        "point": point,
        "reason": reason,
    })
}

/// What is not known is `null`.
fn optional(at: Option<Instant>) -> Value {
    at.map_or(Value::Null, |at| Value::String(at.to_string()))
}
