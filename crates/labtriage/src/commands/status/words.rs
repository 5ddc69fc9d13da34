//! How is it said in plain words?

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use labtriage_core::time::{Instant, Zone};
use labtriage_ledger::Known;
use labtriage_ledger::records::{Line, Notice, Sample};
use labtriage_ledger::states::{LineState, NoticeState, SampleState};

use super::found::{Found, Seen};

/// The whole answer.
pub(super) fn answer(found: &Found, zone: Zone) -> String {
    let mut text = String::new();
    if found.overview {
        overview(found, &mut text);
    }
    for seen in &found.samples {
        sample(seen, found, zone, &mut text);
    }
    text.push_str("what the practice must do:\n");
    for word in to_do(found, zone) {
        let _ = writeln!(text, "  {word}");
    }
    text
}

/// How many samples are in each state.
fn overview(found: &Found, text: &mut String) {
    let mut states: BTreeMap<SampleState, usize> = BTreeMap::new();
    for seen in &found.samples {
        *states.entry(seen.sample.record.state).or_default() += 1;
    }
    let _ = writeln!(text, "{} samples", found.samples.len());
    for (state, count) in states {
        let _ = writeln!(text, "  {count:>6} {state}");
    }
}

fn sample(seen: &Seen, found: &Found, zone: Zone, text: &mut String) {
    let Sample { accession, request, requester, band, specimen, site, .. } = &seen.sample.record;
    let received =
        seen.sample.record.received.map_or("receipt unknown".to_owned(), |at| format!("received {}", moment(at, zone)));
    let _ = writeln!(text, "sample {accession}: {}", of_sample(&seen.sample.record, found.for_practice));
    let _ = writeln!(text, "  request {request} of {requester}, band {band}, {specimen} at {site}, {received}");
    for line in &seen.sample.record.lines {
        let _ = writeln!(text, "  {:<10} {}", line.test, of_line(line, zone));
    }
    if !seen.history.is_empty() {
        text.push_str("  what happened:\n");
        for (at, step) in steps(&seen.history, zone) {
            let _ = writeln!(text, "    {}  {step}", moment(at, zone));
        }
    }
}

/// What a sample is now, with the reason where one was recorded.
pub(super) fn of_sample(sample: &Sample, for_practice: bool) -> String {
    let words = match sample.state {
        SampleState::Received => "received; nothing is planned yet",
        SampleState::Waiting => "waits for capacity, and keeps",
        SampleState::Held => "held until a person decides",
        SampleState::Scheduled => "has a time for at least one test",
        SampleState::Transferred => "sent to another laboratory",
        SampleState::Tested => "tested; results are not all out",
        SampleState::Reported => "reported: every test is answered",
        SampleState::Expired => "expired: no test can be run from it any more; it is kept for now",
        SampleState::DiscardProposed => "expired or spoilt, and proposed for discard: a person has to decide",
        SampleState::DiscardAuthorised => "its discard is authorised; it is still there",
        SampleState::DiscardRejected => "its discard was refused; it is kept",
        SampleState::Disposed => "disposed of",
        SampleState::Missing => "not in the laboratory's list any more: a person has to look for it",
    };
    let by = if for_practice { None } else { decided_by(sample) };
    let by = by.map_or_else(String::new, |by| format!(", by {by}"));
    let because = [sample.because.as_deref(), decided_because(sample)].into_iter().flatten();
    let because: String = because.map(|why| format!(" ({why})")).collect();
    format!("{words}{by}{because}")
}

/// What the person gave as a reason who decided about its discard, as long as that stands.
fn decided_because(sample: &Sample) -> Option<&str> {
    let stands =
        matches!(sample.state, SampleState::DiscardAuthorised | SampleState::DiscardRejected | SampleState::Disposed);
    sample.discard.as_deref().filter(|_| stands)?.decided_because.as_deref()
}

fn decided_by(sample: &Sample) -> Option<String> {
    let discard = sample.discard.as_deref()?;
    match sample.state {
        SampleState::DiscardAuthorised | SampleState::DiscardRejected => {
            let people: Vec<&str> =
                [&discard.decided_by, &discard.second].into_iter().flatten().map(String::as_str).collect();
            (!people.is_empty()).then(|| people.join(" and "))
        }
        SampleState::Disposed => discard.disposed_by.clone(),
        _ => None,
    }
}

/// What a line is now, and what is planned for it.
pub(super) fn of_line(line: &Line, zone: Zone) -> String {
    let visit = line.state.is_recall();
    let at = line.at.map(|at| if visit { day(at, zone) } else { moment(at, zone) });
    let on = |word: &str| at.as_deref().map_or_else(String::new, |at| format!("{word}{at}"));
    let place = line.place.as_deref().map_or_else(String::new, |place| format!(" at {place}"));
    let words = match line.state {
        LineState::Received => "received; nothing is planned yet".to_owned(),
        LineState::Waiting => "waits for capacity".to_owned(),
        LineState::Held => "waits until a person decides".to_owned(),
        LineState::Scheduled => format!("to be run{place}{}", on(" from ")),
        LineState::Transferred => format!("to be run by another laboratory{place}{}", on(" from ")),
        LineState::Tested => format!("run{}; the result is not out", on(" ")),
        LineState::ProcessedNotReportable => "run; the result exists but cannot be sent yet".to_owned(),
        LineState::Reported => format!("reported{}", on(" ")),
        LineState::Expired => "cannot be run any more".to_owned(),
        LineState::Recalled => {
            format!("needs a new sample{}{}", on("; a visit is planned for "), if at.is_some() { &place } else { "" })
        }
        LineState::Booked => format!("needs a new sample; a visit is booked{}{place}", on(" for ")),
        LineState::ReBled => format!("a new sample was taken{}; it has a record of its own", on(" ")),
        LineState::Cancelled => "needs no test of its own".to_owned(),
    };
    let open = matches!(line.state, LineState::Received | LineState::Waiting | LineState::Held | LineState::Scheduled);
    let until =
        line.expires.filter(|_| open).map_or_else(String::new, |at| format!("; usable until {}", moment(at, zone)));
    let because = line.because.as_deref().map_or_else(String::new, |why| format!(" ({why})"));
    let caution = line.caution.as_deref().map_or_else(String::new, |caution| format!(" caution: {caution}"));
    format!("{words}{until}{because}{caution}")
}

/// What changed with each entry, in words.
pub(super) fn steps(history: &[Known<Option<Sample>>], zone: Zone) -> Vec<(Instant, String)> {
    let mut before: Option<&Sample> = None;
    let mut steps = Vec::new();
    for known in history {
        let Some(sample) = &known.record else {
            steps.push((known.at, "recorded; the details were forgotten since (`ledger vacuum`)".to_owned()));
            continue;
        };
        steps.push((known.at, step(before, sample, zone)));
        before = Some(sample);
    }
    steps
}

fn step(before: Option<&Sample>, after: &Sample, zone: Zone) -> String {
    let mut words = Vec::new();
    if before.map(|before| before.state) != Some(after.state) {
        words.push(after.state.text().to_owned());
    }
    for line in &after.lines {
        let was = before.and_then(|before| before.line(&line.test));
        let told = |line: &Line| (line.state, line.at, line.place.clone());
        if was.map(told) != Some(told(line)) {
            words.push(format!("{} {}", line.test, of_line(line, zone)));
        }
    }
    if words.is_empty() { "details were corrected".to_owned() } else { words.join("; ") }
}

/// What the practice must do, at least one line.
pub(super) fn to_do(found: &Found, zone: Zone) -> Vec<String> {
    let mut words: Vec<String> = found.notices.iter().filter_map(|known| of_notice(&known.record, zone)).collect();
    let told: BTreeSet<_> = found.notices.iter().flat_map(|known| &known.record.wanted).collect();
    let told = |accession: &str, test: &str| told.iter().any(|want| want.accession == accession && want.test == test);
    for seen in &found.samples {
        let Sample { accession, lines, .. } = &seen.sample.record;
        let untold = |line: &&Line| line.state == LineState::Recalled && !told(accession, &line.test);
        let (elsewhere, tests): (Vec<&str>, Vec<&str>) = lines
            .iter()
            .filter(untold)
            .map(|line| line.test.as_str())
            .partition(|test| found.elsewhere.contains(&(accession.clone(), (*test).to_owned())));
        if !elsewhere.is_empty() {
            let tests = elsewhere.join(", ");
            words.push(format!("nothing for {accession} ({tests}): another requester calls the patient back for it"));
        }
        if !tests.is_empty() {
            words.push(format!("nothing yet for {accession} ({}): the recall list is still to come", tests.join(", ")));
        }
    }
    if words.is_empty() {
        words.push("nothing".to_owned());
    }
    words
}

/// What a notice asks of the practice; nothing when it is over.
fn of_notice(notice: &Notice, zone: Zone) -> Option<String> {
    let tests: BTreeSet<&str> = notice.wanted.iter().map(|wanted| wanted.test.as_str()).collect();
    let tests = tests.into_iter().collect::<Vec<_>>().join(", ");
    let id = &notice.id;
    let day = |at: Instant| day(at, zone);
    let booked = notice.answer.as_ref().and_then(|answer| answer.visit).or(notice.visit);
    match notice.state {
        NoticeState::Open => {
            let by = notice.book_by.map_or_else(String::new, |at| format!(" by {}", day(at)));
            let point = notice.point.as_deref().map_or_else(String::new, |point| format!(" at {point}"));
            let visit =
                notice.visit.map_or_else(String::new, |at| format!("; a visit is offered on {}{point}", day(at)));
            Some(format!("call the patient for a new sample{by}: {tests}{visit} (notice {id}: {})", notice.reason))
        }
        NoticeState::Booked => {
            let on = booked.map_or_else(String::new, |at| format!(" on {}", day(at)));
            Some(format!("take the new sample at the visit that is booked{on}: {tests} (notice {id})"))
        }
        NoticeState::Withdrawn => Some(format!("do not call the patient any more: notice {id} was withdrawn")),
        NoticeState::NotOurs => {
            Some(format!("nothing: the laboratory has to find out whose patient it is (notice {id})"))
        }
        NoticeState::Done | NoticeState::Declined => None,
    }
}

/// `Mon 3 Jun 2024 20:00`, by the clock on the laboratory's wall.
pub(super) fn moment(at: Instant, zone: Zone) -> String {
    zone.local(at).format("%a %-d %b %Y %H:%M").to_string()
}

/// `Mon 3 Jun 2024`: visits are told by their day.
fn day(at: Instant, zone: Zone) -> String {
    zone.local(at).format("%a %-d %b %Y").to_string()
}
