//! What does `labtriage kpi` count, and what does it say it does not know?

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::process::Command;

use labtriage_core::time::{Instant, Minutes};
use labtriage_ledger::records::{
    Answer, BandCode, Bench as Use, Codes, Figures, Group, Line, Measure, Notice, Run, Sample, Wanted,
};
use labtriage_ledger::states::{LineState, NoticeState, SampleState};
use labtriage_ledger::{Address, Ledger, LedgerError, OwnedPseudonym};
use serde_json::Value;

/// Monday 10 June 2024, 20:00 in London.
const EVENING: Instant = Instant::from_epoch_minutes(28_634_100);

struct Bench {
    folder: tempfile::TempDir,
}

fn run(night: i32) -> Run {
    Run {
        digest: format!("{night:064}"),
        now: EVENING.plus(Minutes::from_days(night)),
        inputs: Vec::new(),
        options: Vec::new(),
        version: "0.1.0".to_owned(),
        cost: 1000 + i64::from(night),
        bound: (night > 0).then_some(900),
        stop: "done".to_owned(),
        samples: 3,
        lines: 3,
        quarantined: 0,
    }
}

fn figures(night: i32) -> Figures {
    let group = |band: &str, requester: &str, counts: &[(Measure, i64)]| Group {
        band: band.to_owned(),
        discipline: "chemistry".to_owned(),
        requester: requester.to_owned(),
        counts: counts.iter().copied().collect(),
    };
    let first = [Measure::Backlog, Measure::Waiting, Measure::Scheduled, Measure::Held, Measure::Recalled];
    let counted = first.into_iter().chain([Measure::OldestWaitingMinutes, Measure::CriticalAtRisk]);
    let later = [Measure::Arrived, Measure::Tested].into_iter().filter(|_| night > 0);
    Figures {
        run: run(night).digest,
        counted: counted.chain(later).collect(),
        groups: vec![
            group("urgent", "G1", &[(Measure::Backlog, 4), (Measure::Waiting, 4), (Measure::OldestWaitingMinutes, 90)]),
            group("routine", "G1", &[(Measure::Backlog, 2), (Measure::Scheduled, 2), (Measure::Tested, 3)]),
            group("routine", "G2", &[(Measure::Backlog, 1), (Measure::Held, 1), (Measure::OldestWaitingMinutes, 5)]),
        ],
        benches: vec![Use { site: "HUB".to_owned(), analyser: "HUB-CHEM".to_owned(), used: 30, limit: 40 }],
        unfairness: None,
        codes: Some(Codes {
            zone: "Europe/London".to_owned(),
            bands: [("urgent", 240), ("routine", 2880)]
                .map(|(band, target)| BandCode { band: band.to_owned(), target, strict: false })
                .to_vec(),
            disciplines: [("CRP".to_owned(), "chemistry".to_owned())].into(),
            panels: [("UE".to_owned(), vec!["NA".to_owned(), "K".to_owned()])].into(),
            list_sizes: [("G1".to_owned(), 5000), ("G2".to_owned(), 10_000)].into(),
        }),
    }
}

fn sample(accession: &str, requester: &str, state: SampleState, lines: Vec<Line>) -> Sample {
    Sample {
        accession: accession.to_owned(),
        request: format!("R-{accession}"),
        patient: OwnedPseudonym::new(format!("P-{accession}")),
        requester: requester.to_owned(),
        specimen: "SST".to_owned(),
        site: "HUB".to_owned(),
        band: "urgent".to_owned(),
        state,
        irreplaceable: false,
        received: Some(EVENING),
        because: None,
        lines,
        discard: None,
    }
}

fn reported(test: &str, after: Option<i32>) -> Line {
    let at = after.map(|minutes| EVENING.plus(Minutes::new(minutes)));
    Line { at, ..Line::new(test, LineState::Reported) }
}

fn notice(id: &str, requester: &str) -> Notice {
    Notice {
        id: id.to_owned(),
        patient: OwnedPseudonym::new(id),
        requester: requester.to_owned(),
        band: "urgent".to_owned(),
        wanted: vec![Wanted { accession: "A3".to_owned(), test: "CRP".to_owned(), specimen: "SST".to_owned() }],
        book_by: None,
        visit: None,
        point: None,
        reason: "expired".to_owned(),
        state: NoticeState::Open,
        answer: None,
    }
}

impl Bench {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn record(&self, night: i32, work: impl FnOnce(&mut labtriage_ledger::Writer<'_>) -> Result<(), LedgerError>) {
        let address = Address::File(self.folder.path().join("lab.ledger"));
        Ledger::create(&address).unwrap().write(run(night).now, work).unwrap();
    }

    /// Two nights, in which two results come and a patient is called back.
    fn two_nights() -> Self {
        let bench = Self::new();
        bench.record(0, |writer| {
            writer.run(&run(0))?;
            writer.samples([
                sample("A1", "G1", SampleState::Waiting, vec![Line::new("CRP", LineState::Waiting)]),
                sample("A2", "G2", SampleState::Waiting, vec![Line::new("CRP", LineState::Waiting)]),
                sample("A3", "G1", SampleState::Expired, vec![Line::new("CRP", LineState::Recalled)]),
            ])?;
            writer.notices(&[notice("N1", "G1"), notice("N2", "G2")])?;
            writer.figures(&figures(0))
        });
        bench.record(1, |writer| {
            writer.run(&run(1))?;
            let lines = vec![reported("CRP", Some(180)), reported("ODD", Some(1440))];
            writer.samples([
                sample("A1", "G1", SampleState::Reported, lines),
                sample("A2", "G2", SampleState::Reported, vec![reported("CRP", None)]),
            ])?;
            let answer = Answer { visit: None, who: "B".to_owned(), note: None };
            writer.answer("G1", "N1", NoticeState::Booked, &answer)?;
            writer.answer("G1", "N1", NoticeState::Done, &answer)?;
            writer.figures(&figures(1))
        });
        bench
    }

    fn ask(&self, arguments: &[&str]) -> String {
        let run = Command::new(env!("CARGO_BIN_EXE_labtriage"))
            .args(["kpi", "--ledger", "lab.ledger"])
            .args(arguments)
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert_eq!(run.status.code(), Some(0), "{}", text(&run.stderr));
        text(&run.stdout)
    }

    /// Values by section, night, by, group and measure.
    fn rows(&self, arguments: &[&str]) -> BTreeMap<String, String> {
        let text = self.ask(&[arguments, &["--csv"]].concat());
        let mut rows = BTreeMap::new();
        for row in csv::Reader::from_reader(text.as_bytes()).records() {
            let row = row.unwrap();
            let (name, value) = (row.iter().take(5).collect::<Vec<_>>().join("|"), row[5].to_owned());
            assert!(rows.insert(name, value).is_none(), "{row:?} comes twice");
        }
        rows
    }
}

#[track_caller]
fn check(rows: &BTreeMap<String, String>, name: &str, expected: &str) {
    assert_eq!(rows.get(name).map(String::as_str), Some(expected), "{name}");
}

#[test]
fn nights_are_summed_and_the_last_one_is_told_by_group() {
    let rows = Bench::two_nights().rows(&[]);
    check(&rows, "night|2024-06-10T20:00|all||backlog", "7");
    check(&rows, "night|2024-06-11T20:00|all||backlog", "7");
    check(&rows, "night|2024-06-11T20:00|all||oldest waiting minutes", "90");
    check(&rows, "night|2024-06-11T20:00|all||critical at risk", "0");
    check(&rows, "night|2024-06-11T20:00|band|routine|backlog", "3");
    check(&rows, "night|2024-06-11T20:00|requester|G1|backlog", "6");
    check(&rows, "night|2024-06-11T20:00|discipline|chemistry|waiting", "4");
    check(&rows, "night|2024-06-11T20:00|bench|HUB HUB-CHEM|used", "30");
    // 7 open lines at 3 a night.
    check(&rows, "night|2024-06-11T20:00|all||tenths of days of backlog", "24");
    check(&rows, "night|2024-06-11T20:00|all||bound", "900");
    assert!(!rows.contains_key("night|2024-06-10T20:00|band|routine|backlog"));
}

#[test]
fn two_nights_of_a_day_are_two_nights() {
    let bench = Bench::two_nights();
    let again = Run { now: EVENING.plus(Minutes::from_hours(27)), cost: 77, ..run(2) };
    bench.record(1, |writer| {
        writer.run(&again)?;
        let answer = Answer { visit: None, who: "B".to_owned(), note: None };
        writer.answer("G2", "N2", NoticeState::Booked, &answer)?;
        let mut late = figures(2);
        late.groups.truncate(1);
        writer.figures(&late)
    });
    let rows = bench.rows(&[]);
    check(&rows, "night|2024-06-11T20:00|all||backlog", "7");
    check(&rows, "night|2024-06-11T23:00|all||backlog", "4");
    check(&rows, "night|2024-06-11T20:00|all||cost", "1001");
    check(&rows, "night|2024-06-11T23:00|all||cost", "77");
    check(&rows, "night|2024-06-11T20:00|all||recalls booked", "2");
    check(&rows, "night|2024-06-11T23:00|all||recalls booked", "0");
    let text = bench.ask(&["--from", "2024-06-11"]);
    assert!(text.starts_with("2 nights, Tue 11 Jun 2024 20:00 to Tue 11 Jun 2024 23:00\n"), "{text}");
    assert_eq!(text.lines().filter(|line| line.starts_with("Tue 11 Jun 2024")).count(), 2, "{text}");
}

#[test]
fn what_was_not_counted_is_unknown_and_not_0() {
    let rows = Bench::two_nights().rows(&[]);
    check(&rows, "night|2024-06-10T20:00|all||arrived", "unknown");
    check(&rows, "night|2024-06-11T20:00|all||arrived", "0");
    check(&rows, "night|2024-06-11T20:00|all||lost", "unknown");
    check(&rows, "night|2024-06-10T20:00|all||bound", "unknown");
    check(&rows, "night|2024-06-11T20:00|all||unfairness in millionths", "unknown");
    let none = Bench::new();
    none.record(0, |writer| writer.run(&run(0)).map(drop));
    let rows = none.rows(&[]);
    check(&rows, "now||all||samples", "0");
    check(&rows, "period||all||reported in target", "unknown");
    check(&rows, "period||all||mean turnaround minutes", "unknown");
    check(&rows, "period||all||lowest reported per 10,000 patients", "unknown");
    assert!(!rows.contains_key("night|2024-06-10T20:00|all||backlog"));
}

#[test]
fn samples_and_lines_are_counted_as_they_are() {
    let rows = Bench::two_nights().rows(&[]);
    check(&rows, "now||all||samples", "3");
    check(&rows, "now||all||samples reported", "2");
    check(&rows, "now||all||samples missing", "0");
    check(&rows, "now||all||lines re-bled", "1");
    check(&rows, "now||requester|G1|lines", "3");
    check(&rows, "now||discipline|unknown|lines reported", "1");
    check(&rows, "now||all||recalls open", "1");
    check(&rows, "now||all||recalls done", "1");
}

#[test]
fn results_are_held_against_the_target_of_their_band() {
    let rows = Bench::two_nights().rows(&[]);
    check(&rows, "period||all||reported", "3");
    check(&rows, "period||all||timed", "2");
    check(&rows, "period||band|urgent|reported in target", "1");
    check(&rows, "period||all||mean turnaround minutes", "810");
    check(&rows, "period||all||longest turnaround minutes", "1440");
    check(&rows, "period||all||lowest reported per 10,000 patients", "1");
    check(&rows, "period||all||highest reported per 10,000 patients", "4");
    check(&rows, "period||all||highest over lowest in thousandths", "4000");
}

#[test]
fn a_split_panel_is_answered_once_when_all_of_it_is() {
    let bench = Bench::two_nights();
    let check_with = |accession: &str, lines: Vec<Line>, expected: &str| {
        bench.record(1, |writer| writer.samples([sample(accession, "G1", SampleState::Tested, lines)]).map(drop));
        check(&bench.rows(&[]), "period||all||reported", expected);
    };
    let split = || Line::new("UE", LineState::Cancelled);
    check_with("S1", vec![Line::new("K", LineState::Waiting), reported("NA", Some(10)), split()], "3");
    check_with("S2", vec![reported("K", Some(9)), reported("NA", Some(10)), split()], "4");
    check_with("S3", vec![reported("K", Some(9)), reported("NA", Some(10)), reported("UE", Some(8))], "5");
    check_with("S4", vec![reported("K", Some(9))], "6");
    check(&bench.rows(&[]), "period||all||turnaround minutes", &(180 + 1440 + 10 + 8 + 9).to_string());
}

#[test]
fn recalls_count_once_for_each_state_that_they_came_into() {
    let bench = Bench::two_nights();
    let rows = bench.rows(&[]);
    check(&rows, "period||all||recalls sent", "2");
    check(&rows, "period||all||recalls booked", "1");
    check(&rows, "period||requester|G1|recalls done", "1");
    check(&rows, "period||all||recalls declined", "0");
    check(&rows, "night|2024-06-10T20:00|all||recalls sent", "2");
    check(&rows, "night|2024-06-11T20:00|all||recalls sent", "0");
    check(&rows, "night|2024-06-11T20:00|all||recalls done", "1");
    let second = bench.rows(&["--from", "2024-06-11"]);
    check(&second, "period||all||recalls sent", "0");
    check(&second, "period||all||recalls done", "1");
    // The result of unknown time belongs to no day.
    check(&second, "period||all||reported", "1");
    assert!(!second.contains_key("night|2024-06-10T20:00|all||backlog"));
    let first = bench.rows(&["--to", "2024-06-10"]);
    check(&first, "period||all||recalls sent", "2");
    check(&first, "period||all||recalls done", "0");
    check(&first, "night|2024-06-10T20:00|band|urgent|waiting", "4");
}

#[test]
fn forgotten_recall_entries_make_recalls_unknown() {
    let bench = Bench::two_nights();
    let address = Address::File(bench.folder.path().join("lab.ledger"));
    let later = EVENING.plus(Minutes::from_days(9));
    assert!(Ledger::open(&address).unwrap().vacuum(later, later, "A").unwrap().dropped > 0);
    let rows = bench.rows(&[]);
    check(&rows, "period||all||recalls sent", "unknown");
    check(&rows, "now||all||recalls", "2");
}

#[test]
fn a_person_reads_tables_and_a_machine_json() {
    let bench = Bench::two_nights();
    let text = bench.ask(&[]);
    for told in [
        "2 nights, Mon 10 Jun 2024 20:00 to Tue 11 Jun 2024 20:00",
        "       0 lines critical at risk",
        " unknown lines expired, not actioned",
        "     2.4 days of backlog",
        "recalls: 2 sent, 1 booked, 1 done, 0 declined, 0 not ours, 0 withdrawn",
        "HUB HUB-CHEM                    75.0 %",
    ] {
        assert!(text.contains(told), "{told} is not in\n{text}");
    }
    let bands: Vec<_> = text.lines().filter(|line| line.starts_with("urgent") || line.starts_with("routine")).collect();
    assert!(bands[0].starts_with("urgent"), "the most pressing band comes first: {bands:?}");
    let json: Value = serde_json::from_str(&bench.ask(&["--json"])).unwrap();
    assert_eq!(json["nights"], 2);
    let arrived = json["figures"].as_array().unwrap().iter().find(|row| row["measure"] == "arrived").unwrap();
    assert_eq!((&arrived["night"], &arrived["value"]), (&Value::from("2024-06-10T20:00"), &Value::Null));
}

#[test]
fn an_empty_period_is_said_so() {
    let text = Bench::two_nights().ask(&["--from", "2025-01-01"]);
    assert!(text.starts_with("no night of this period is in the ledger"), "{text}");
}
