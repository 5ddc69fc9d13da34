//! What does a practice, and a laboratory, see of `labtriage status`? Never another practice's patient.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

use labtriage_core::time::{Instant, Minutes};
use labtriage_ledger::records::{Answer, Line, Notice, Query, Run, Sample, Wanted};
use labtriage_ledger::states::{LineState, NoticeState, SampleState};
use labtriage_ledger::{Address, Ledger, LedgerError, OwnedPseudonym, Writer};
use serde_json::Value;

/// Monday 10 June 2024, 20:00 in London.
const EVENING: Instant = Instant::from_epoch_minutes(28_634_100);

/// What only the neighbour may see: its code, its patients' samples, requests, tests and notices.
const NEIGHBOUR: [&str; 8] = ["G2", "A-NEXT", "R-NEXT", "NEXTTEST", "N-NEXT", "A-BOTH-2", "A-THEIRS", "next door"];

/// No pseudonym is ever printed.
const PSEUDONYMS: [&str; 3] = ["PSEUDO-OURS", "PSEUDO-NEXT", "PSEUDO-BOTH"];

struct Bench {
    folder: tempfile::TempDir,
}

fn sample(accession: &str, request: &str, patient: &str, requester: &str, line: Line) -> Sample {
    Sample {
        accession: accession.to_owned(),
        request: request.to_owned(),
        patient: OwnedPseudonym::new(patient),
        requester: requester.to_owned(),
        specimen: "SST".to_owned(),
        site: "HUB".to_owned(),
        band: "urgent".to_owned(),
        state: SampleState::Waiting,
        irreplaceable: false,
        received: Some(EVENING.minus(Minutes::from_days(1))),
        because: None,
        lines: vec![line],
        discard: None,
    }
}

fn notice(id: &str, patient: &str, requester: &str, accession: &str, test: &str, reason: &str) -> Notice {
    Notice {
        id: id.to_owned(),
        patient: OwnedPseudonym::new(patient),
        requester: requester.to_owned(),
        band: "urgent".to_owned(),
        wanted: vec![Wanted { accession: accession.to_owned(), test: test.to_owned(), specimen: "SST".to_owned() }],
        book_by: Some(EVENING.plus(Minutes::from_days(3))),
        visit: Some(EVENING.plus(Minutes::from_days(2))),
        point: Some("CLINIC".to_owned()),
        reason: reason.to_owned(),
        state: NoticeState::Open,
        answer: None,
    }
}

/// A line of ours whose reason was written for the laboratory, and names whatever is the neighbour's.
fn told(test: &str, state: LineState) -> Line {
    let because = Some("A-BOTH-2 (R-NEXT, N-NEXT of G2) answers the same, see A-NEXT.".to_owned());
    Line { because, ..Line::new(test, state) }
}

fn first_night(writer: &mut Writer<'_>) -> Result<(), LedgerError> {
    writer.samples([
        sample("A-OURS", "R1", "PSEUDO-OURS", "G1", Line::new("CRP", LineState::Waiting)),
        sample("A-NEXT", "R-NEXT", "PSEUDO-NEXT", "G2", Line::new("NEXTTEST", LineState::Waiting)),
        // The same request code in both practices, and a patient who has been to both.
        sample("A-BOTH-1", "R2", "PSEUDO-BOTH", "G1", told("TSH", LineState::Recalled)),
        // The neighbour calls this patient for us, and we call one of ours for the neighbour.
        sample("A-ELSE", "R4", "PSEUDO-BOTH", "G1", Line::new("FT4", LineState::Recalled)),
        sample("A-THEIRS", "R-NEXT", "PSEUDO-OURS", "G2", Line::new("CRP", LineState::Recalled)),
        sample("A-BOTH-2", "R2", "PSEUDO-BOTH", "G2", Line::new("NEXTTEST", LineState::Recalled)),
        // A label that was put right: the tube was taken for the neighbour's first.
        sample("A-MIXED", "R-NEXT", "PSEUDO-NEXT", "G2", Line::new("CRP", LineState::Waiting)),
    ])?;
    let mut ours = notice("N-OURS", "PSEUDO-OURS", "G1", "A-OURS", "CRP", "the sample was too old");
    ours.wanted.push(Wanted { accession: "A-THEIRS".to_owned(), ..ours.wanted[0].clone() });
    let mut theirs = notice("N-NEXT", "PSEUDO-BOTH", "G2", "A-BOTH-2", "NEXTTEST", "next door");
    theirs.wanted.push(Wanted { accession: "A-ELSE".to_owned(), test: "FT4".to_owned(), specimen: "SST".to_owned() });
    writer.notices(&[ours, theirs])?;
    Ok(())
}

fn second_night(writer: &mut Writer<'_>) -> Result<(), LedgerError> {
    let at = Some(EVENING.plus(Minutes::from_hours(30)));
    let planned = Line { at, place: Some("HUB-CHEM".to_owned()), ..Line::new("CRP", LineState::Scheduled) };
    let mixed = sample("A-MIXED", "R3", "PSEUDO-OURS", "G1", planned.clone());
    let ours = sample("A-OURS", "R1", "PSEUDO-OURS", "G1", planned);
    writer.samples([mixed, ours].map(|sample| Sample { state: SampleState::Scheduled, ..sample }))?;
    Ok(())
}

impl Bench {
    fn new() -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        let mut ledger = Ledger::create(&bench.address()).unwrap();
        ledger.write(EVENING, first_night).unwrap();
        ledger.write(EVENING.plus(Minutes::from_days(1)), second_night).unwrap();
        bench
    }

    fn address(&self) -> Address {
        Address::File(self.folder.path().join("lab.ledger"))
    }

    fn ledger(&self) -> Ledger {
        Ledger::open(&self.address()).unwrap()
    }

    /// Exit code, standard output and standard error.
    fn ask(&self, arguments: &[&str]) -> (i32, String, String) {
        let run = Command::new(env!("CARGO_BIN_EXE_labtriage"))
            .args(["status", "--ledger", "lab.ledger", "--now", "2024-06-11T21:00"])
            .args(if arguments.contains(&"--by") { &[][..] } else { &["--by", "A. Clerk"] })
            .args(arguments)
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, words) = (text(&run.stdout), text(&run.stderr));
        for pseudonym in PSEUDONYMS {
            assert!(!out.contains(pseudonym) && !words.contains(pseudonym), "{arguments:?} names a pseudonym: {out}");
        }
        (run.status.code().unwrap(), out, words)
    }
}

#[test]
fn a_sample_is_told_in_plain_words() {
    let bench = Bench::new();
    let (code, out, words) = bench.ask(&["--sample", "A-OURS"]);
    let expected = "\
sample A-OURS: has a time for at least one test
  request R1 of G1, band urgent, SST at HUB, received Sun 9 Jun 2024 20:00
  CRP        to be run at HUB-CHEM from Wed 12 Jun 2024 02:00
  what happened:
    Mon 10 Jun 2024 20:00  waiting; CRP waits for capacity
    Tue 11 Jun 2024 20:00  scheduled; CRP to be run at HUB-CHEM from Wed 12 Jun 2024 02:00
what the practice must do:
  call the patient for a new sample by Thu 13 Jun 2024: CRP; a visit is offered on Wed 12 Jun 2024 at CLINIC \
(notice N-OURS: the sample was too old)
";
    assert_eq!((code, out.as_str(), words.as_str()), (0, expected, ""));
}

#[test]
fn a_patient_of_two_pseudonyms_has_every_notice_once() {
    let bench = Bench::new();
    let (before, now) = (OwnedPseudonym::new("PSEUDO-OURS"), OwnedPseudonym::new("PSEUDO-OURS-2"));
    let later = sample("A-LATER", "R1", now.expose(), "G1", Line::new("TSH", LineState::Waiting));
    let rotated = |writer: &mut Writer<'_>| {
        writer.renamed(&[(before.clone(), now.clone())], "A. Manager")?;
        writer.samples([later])
    };
    bench.ledger().write(EVENING.plus(Minutes::from_days(1)), rotated).unwrap();
    for asked in [["--request", "R1"], ["--patient", "PSEUDO-OURS"], ["--patient", "PSEUDO-OURS-2"]] {
        let (_, out, _) = bench.ask(&[&asked[..], &["--json"]].concat());
        let found: Value = serde_json::from_str(&out).unwrap();
        assert!(found["samples"].as_array().unwrap().len() > 1, "{out}");
        assert_eq!(found["notices"].as_array().unwrap().len(), 1, "{out}");
    }
}

#[test]
fn machines_get_the_same_answer() {
    let bench = Bench::new();
    let (code, out, _) = bench.ask(&["--request", "R1", "--json"]);
    let found: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, 0);
    assert_eq!(found["found"], 1);
    assert_eq!(found["samples"][0]["state"], "scheduled");
    assert_eq!(found["samples"][0]["lines"][0]["at"], "2024-06-12T01:00Z");
    assert_eq!(found["samples"][0]["lines"][0]["expires"], Value::Null);
    assert_eq!(found["samples"][0]["history"].as_array().unwrap().len(), 2);
    assert_eq!(found["notices"][0]["wanted"][0]["test"], "CRP");
}

/// Everything that practice G1 may ask, in words and as JSON.
const ASKED: [&[&str]; 9] = [
    &["--practice", "G1"],
    &["--sample", "A-OURS", "--as-practice", "G1"],
    &["--sample", "A-MIXED", "--as-practice", "G1"],
    &["--sample", "A-BOTH-1", "--as-practice", "G1"],
    &["--sample", "A-ELSE", "--as-practice", "G1"],
    &["--request", "R2", "--as-practice", "G1"],
    &["--request", "R3", "--as-practice", "G1"],
    &["--patient", "PSEUDO-BOTH", "--as-practice", "G1"],
    &["--patient", "PSEUDO-OURS", "--as-practice", "G1"],
];

#[test]
fn a_practice_never_sees_its_neighbours_patients() {
    let bench = Bench::new();
    for asked in ASKED {
        for json in [&[][..], &["--json"]] {
            let (code, out, words) = bench.ask(&[asked, json].concat());
            assert_eq!(code, 0, "{asked:?}: {words}");
            for planted in NEIGHBOUR {
                assert!(!out.contains(planted) && !words.contains(planted), "{asked:?} shows {planted}: {out}");
            }
        }
    }
    // The neighbour sees its own, so what is planted would be seen.
    let all: String = [&["--practice", "G2"][..], &["--request", "R-NEXT"], &["--sample", "A-MIXED"]]
        .map(|asked| bench.ask(asked).1)
        .concat();
    for planted in NEIGHBOUR {
        assert!(all.contains(planted), "{planted} is nowhere");
    }
}

#[test]
fn what_was_written_for_the_laboratory_is_cut_for_a_practice() {
    let bench = Bench::new();
    let (_, out, _) = bench.ask(&["--sample", "A-BOTH-1", "--as-practice", "G1"]);
    let anothers = "(another requester's)";
    let cut = format!("({anothers} ({anothers}, {anothers} of {anothers}) answers the same, see {anothers}.)");
    assert!(out.contains(&cut), "{out}");
    assert!(out.ends_with("  nothing yet for A-BOTH-1 (TSH): the recall list is still to come\n"), "{out}");
    // The laboratory reads it as it is.
    assert!(bench.ask(&["--sample", "A-BOTH-1"]).1.contains("(A-BOTH-2 (R-NEXT, N-NEXT of G2) answers the same"));
    let expected = "  nothing for A-ELSE (FT4): another requester calls the patient back for it\n";
    let (_, out, _) = bench.ask(&["--sample", "A-ELSE", "--as-practice", "G1"]);
    assert!(out.ends_with(expected), "{out}");
    assert!(bench.ask(&["--practice", "G1"]).1.contains(expected));
}

#[test]
fn somebody_must_ask() {
    let bench = Bench::new();
    for by in ["", "  ", "A\nB"] {
        let (code, _, words) = bench.ask(&["--sample", "A-OURS", "--by", by]);
        assert!(code == 2 && words.contains("name the person, on one line"), "{words}");
    }
    assert!(bench.ledger().entries::<Query>().unwrap().is_empty());
}

#[test]
fn what_is_anothers_is_answered_as_if_it_did_not_exist() {
    let bench = Bench::new();
    for (kind, theirs, nobodys) in [
        ("--sample", "A-NEXT", "A-NONE"),
        ("--request", "R-NEXT", "R-NONE"),
        ("--patient", "PSEUDO-NEXT", "PSEUDO-NONE"),
    ] {
        let of_theirs = bench.ask(&[kind, theirs, "--as-practice", "G1"]);
        let (code, out, words) = bench.ask(&[kind, nobodys, "--as-practice", "G1"]);
        assert_eq!(of_theirs, (code, out, words.replace(nobodys, theirs)), "{kind}");
        assert_eq!(code, 2);
    }
    let (code, _, words) = bench.ask(&["--practice", "G9"]);
    assert_eq!(code, 2);
    assert!(words.starts_with("L018 the ledger knows no sample of practice G9\n"), "{words}");
}

#[test]
fn every_question_is_recorded() {
    let bench = Bench::new();
    bench.ask(&["--sample", "A-NEXT", "--as-practice", "G1"]);
    bench.ask(&["--patient", "PSEUDO-BOTH"]);
    let queries: Vec<Query> =
        bench.ledger().entries().unwrap().into_iter().map(|known| known.record.unwrap()).collect();
    let of = |query: &Query| (query.who.clone(), query.practice.clone(), query.found);
    assert_eq!(of(&queries[0]), ("A. Clerk".to_owned(), Some("G1".to_owned()), 0));
    assert_eq!(queries[0].sample.as_deref(), Some("A-NEXT"));
    assert_eq!(of(&queries[1]), ("A. Clerk".to_owned(), None, 3));
    assert_eq!(queries[1].patient, Some(OwnedPseudonym::new("PSEUDO-BOTH")));
    bench.ledger().verify(None).unwrap();
}

#[test]
fn an_nhs_number_is_refused_and_not_repeated() {
    let bench = Bench::new();
    let (code, out, words) = bench.ask(&["--patient", "943 476 5919"]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(words.starts_with("L019 ") && !words.contains("943"), "{words}");
    assert!(bench.ledger().entries::<Query>().unwrap().is_empty());
}

#[test]
fn what_a_practice_must_do_follows_its_answer() {
    let bench = Bench::new();
    let check = |state, expected: &str| {
        let answer = Answer { visit: Some(EVENING.plus(Minutes::from_days(4))), who: "A".to_owned(), note: None };
        bench.ledger().write(EVENING, |writer| writer.answer("G1", "N-OURS", state, &answer).map(drop)).unwrap();
        let (_, out, _) = bench.ask(&["--sample", "A-OURS"]);
        let (_, told) = out.split_once("what the practice must do:\n").unwrap();
        assert_eq!(told, expected);
    };
    let (_, out, _) = bench.ask(&["--sample", "A-BOTH-1"]);
    assert!(out.ends_with("  nothing yet for A-BOTH-1 (TSH): the recall list is still to come\n"), "{out}");
    check(
        NoticeState::Booked,
        "  take the new sample at the visit that is booked on Fri 14 Jun 2024: CRP (notice N-OURS)\n",
    );
    check(NoticeState::Done, "  nothing\n");
}

#[test]
fn one_thing_is_asked_at_a_time() {
    let bench = Bench::new();
    for asked in [&[][..], &["--sample", "A", "--request", "R"], &["--practice", "G1", "--as-practice", "G1"]] {
        assert_eq!(bench.ask(asked).0, 2, "{asked:?}");
    }
    let run = Run {
        digest: "11".repeat(32),
        now: EVENING,
        inputs: Vec::new(),
        options: Vec::new(),
        version: "0.1.0".to_owned(),
        cost: 1,
        bound: None,
        stop: "done".to_owned(),
        samples: 0,
        lines: 0,
        quarantined: 0,
    };
    // A night without figures leaves the laboratory's zone unknown; London is taken.
    bench.ledger().write(EVENING, |writer| writer.run(&run)).unwrap();
    assert_eq!(bench.ask(&["--sample", "A-OURS"]).0, 0);
}
