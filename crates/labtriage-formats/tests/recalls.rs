//! Do practices get lists that their systems can read, and are their answers understood?

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use labtriage_core::backlog::Pseudonym;
use labtriage_core::fixture::{Fixture, line_of, plan_of_one};
use labtriage_core::flags::FlagSet;
use labtriage_core::plan::{Cancel, Disposition, Hold, Plan, Visit};
use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::{CollectionPointIx, Ix};
use labtriage_core::time::Day;
use labtriage_formats::recalls::acknowledge::{Acknowledgements, Known, RejectReason, read_acknowledgements};
use labtriage_formats::recalls::profile::{Contact, Profile, list};
use labtriage_formats::recalls::{LeftOutBecause, Notice, left_out, notices};
use proptest::prelude::*;

/// Two patients of the practice `G1`, one of the ward `W1`, and three who are left out.
fn recalled() -> (Snapshot, Plan) {
    let mut fixture = Fixture::new();
    fixture.sample("A1", "PA", "SST", &["K", "NA"]).collected_hours_ago(100).request("R1");
    fixture.sample("A2", "PA", "EDTA", &["FBC"]).collected_hours_ago(100).request("R2");
    fixture.sample("A3", "PB", "SST", &["CRP"]).collected_hours_ago(200).request("=R3").band("urgent");
    fixture.sample("A4", "PC", "EDTA", &["FBC"]).collected_hours_ago(90).requester("W1").request("R4");
    fixture.sample("A5", "PD", "SST", &["TSH"]).request("R5").flags(FlagSet::DECEASED);
    fixture.sample("A6", "PE", "SST", &["TSH"]).request("R6").flags(FlagSet::DEREGISTERED);
    fixture.sample("A7", "PB", "SST", &["K"]).request("R7");
    let snapshot = fixture.snapshot();
    let mut plan = plan_of_one(&snapshot, Disposition::Hold(Hold::Waiting));
    for (accession, test, decision) in [
        ("A1", "K", Disposition::Recall(None)),
        ("A1", "NA", Disposition::Recall(None)),
        ("A2", "FBC", Disposition::Recall(None)),
        ("A3", "CRP", Disposition::Recall(None)),
        ("A4", "FBC", Disposition::Recall(None)),
        ("A5", "TSH", Disposition::Hold(Hold::NotRecallable)),
        ("A6", "TSH", Disposition::Hold(Hold::NotRecallable)),
        ("A7", "K", Disposition::Cancel(Cancel::Duplicate(line_of(&snapshot, "A1", "K")))),
    ] {
        plan.lines[line_of(&snapshot, accession, test)] = decision;
    }
    let point = CollectionPointIx::from_row(0);
    let patient = snapshot.backlog.find_patient("PA").unwrap();
    plan.visits = vec![Visit { patient, point, day: snapshot.first_visit[point] }];
    (snapshot, plan)
}

/// The practice's list with these names and dates of birth for its patients, in order.
fn written(profile: Profile, bom: bool, names: [&str; 2]) -> String {
    let (snapshot, plan) = recalled();
    let all = notices(&snapshot, &plan, &[]);
    let numbers = ["9727710638", "0123456789"];
    let who = names.into_iter().zip(numbers).map(|(name, nhs_number)| Contact {
        nhs_number,
        date_of_birth: (name != "Zoë O'Hara").then(|| "1950-02-28".parse().unwrap()),
        name,
    });
    let rows: Vec<(Contact<'_>, &Notice)> = who.zip(&all).collect();
    String::from_utf8(list(profile, bom, &snapshot, &rows)).unwrap()
}

#[test]
fn profiles_are_what_they_were() {
    for profile in Profile::ALL {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/profiles/{}.csv", profile.text()));
        let found = written(profile, false, ["=SUM(A1) Byron", "Zoë O'Hara"]);
        if std::env::var_os("UPDATE_PROFILES").is_some() {
            std::fs::write(&path, &found).unwrap();
        }
        assert_eq!(found, std::fs::read_to_string(&path).unwrap(), "{}", path.display());
        assert_eq!(written(profile, true, ["=SUM(A1) Byron", "Zoë O'Hara"]), format!("\u{feff}{found}"));
    }
}

#[test]
fn a_notice_is_one_row_with_all_that_is_needed() {
    let (snapshot, plan) = recalled();
    let all = notices(&snapshot, &plan, &[]);
    let words: Vec<[String; 4]> = all
        .iter()
        .map(|one| {
            let ods = &snapshot.network.requesters[one.requester].ods;
            let who = snapshot.backlog.pseudonym(one.patient).expose();
            [
                format!("{ods} {who}"),
                one.request_words(&snapshot.backlog),
                one.test_words(&snapshot),
                one.tube_words(&snapshot),
            ]
        })
        .collect();
    // The most pressing band first; a patient of two requests is one row.
    assert_eq!(words[0], ["G1 PB", "=R3", "CRP", "1 x SST"]);
    assert_eq!(words[1], ["G1 PA", "R1; R2", "K; NA; FBC", "1 x SST; 1 x EDTA"]);
    assert_eq!(words[2], ["W1 PC", "R4", "FBC", "1 x EDTA"]);
    assert_eq!(words.len(), 3);
}

#[test]
fn who_is_left_out_is_said_with_the_reason() {
    let (snapshot, plan) = recalled();
    let mut resulted = vec![false; snapshot.backlog.lines.len()];
    for test in ["K", "NA"] {
        resulted[line_of(&snapshot, "A1", test).row()] = true;
    }
    let called = notices(&snapshot, &plan, &resulted);
    assert_eq!(called[1].request_words(&snapshot.backlog), "R2", "only the test without a result is repeated");
    let unknown: Vec<_> = called[2].lines.iter().map(|&line| (LeftOutBecause::NotInStore, line)).collect();
    let left = left_out(&snapshot, &plan, &resulted, &unknown);
    let words: Vec<String> = left
        .iter()
        .map(|one| {
            format!(
                "{} {}: {}",
                snapshot.backlog.request_code(one.request),
                one.test_words(&snapshot),
                one.because.words()
            )
        })
        .collect();
    assert_eq!(
        words,
        [
            "R1 K; NA: a result has come since the plan was made",
            "R5 TSH: the patient is marked as deceased",
            "R6 TSH: the patient is marked as no longer registered",
            "R7 K: another sample answers the same question within the retest interval",
            "R4 FBC: the identity store does not know the patient: find out by the request who it is",
        ]
    );
}

#[test]
fn debug_of_a_contact_says_nothing() {
    let contact = Contact { nhs_number: "9434765919", date_of_birth: None, name: "Ada Byron" };
    assert_eq!(format!("{contact:?} {:?}", Pseudonym::new("PA")), "Contact(redacted) Pseudonym(redacted)");
}

proptest! {
    #[test]
    fn a_list_read_back_has_the_cells_that_were_written(one in "\\PC{0,20}", other in "[-=+@\t\r\n\",;'\\pL ]{0,12}") {
        for profile in [Profile::Generic, Profile::AccurxSystmone] {
            let text = written(profile, false, [&one, &other]);
            let mut reader = csv::Reader::from_reader(text.as_bytes());
            let column = reader.headers().unwrap().iter().position(|title| title.eq_ignore_ascii_case("name")).unwrap();
            let found: Vec<String> = reader.records().map(|row| row.unwrap()[column].to_owned()).collect();
            for (found, name) in found.iter().zip([&one, &other]) {
                prop_assert!(found == name || found.strip_prefix('\'') == Some(name), "{found:?} was {name:?}");
                prop_assert!(!found.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']), "{found:?} runs");
            }
            prop_assert_eq!(found.len(), 2);
        }
    }

    #[test]
    fn every_row_of_an_answer_is_accepted_given_back_or_unanswered(text in "(requests|patient|nhs_number|x|answer|answer_day|R1|PA|booked|done|2024-06-04|,|;|\n|\"){0,40}") {
        let text = format!("requests,answer,answer_day\n{text}");
        if let Ok(found) = answers(&text) {
            let repeated = found.rows_read - found.unanswered - found.rejects.len() as u64;
            prop_assert!(found.accepted.len() as u64 <= repeated, "{text:?}: {found:?}");
            prop_assert!(repeated == 0 || !found.accepted.is_empty(), "{text:?}: {found:?}");
        }
    }
}

fn answers(text: &str) -> Result<Acknowledgements, Vec<labtriage_core::finding::Finding>> {
    let (snapshot, plan) = recalled();
    let notices = notices(&snapshot, &plan, &[]);
    let pseudonyms = |number: &str| if number == "943 476 5919" { vec!["PA".to_owned()] } else { Vec::new() };
    let known = Known {
        snapshot: &snapshot,
        requester: snapshot.network.requester("G1").unwrap(),
        notices: &notices,
        pseudonyms: &pseudonyms,
        today: Day::from_date("2024-06-05".parse().unwrap()),
    };
    read_acknowledgements(text.as_bytes(), "back.csv", &known)
}

/// A row under these columns, and what is found: patient, answer and day, or the reason.
fn check(row: &str, expected: Result<&str, RejectReason>) {
    let found = answers(&format!("Requests,patient,NHS number,note,answer,answer day\n{row}\n")).unwrap();
    let (snapshot, _) = recalled();
    let read = match (&found.accepted[..], &found.rejects[..]) {
        ([one], []) => {
            let day = one.answer.day().map_or_else(String::new, |day| format!(" {}", day.date()));
            Ok(format!("{} {}{day}", snapshot.backlog.pseudonym(one.patient).expose(), one.answer.text()))
        }
        ([], [one]) => Err(one.reason),
        _ => panic!("{row}: {found:?}"),
    };
    assert_eq!(read, expected.map(str::to_owned), "{row}");
}

#[test]
fn answers_are_read_however_their_patient_is_named() {
    check("R1; R2,,,,booked,2024-06-04", Ok("PA booked 2024-06-04"));
    check("R2,PA,943 476 5919,x,Done,05/06/2024", Ok("PA done 2024-06-05"));
    check(",,943 476 5919,,DECLINED,", Ok("PA declined"));
    check("'=R3,,,,not_ours,", Ok("PB not ours"));
    check(",PB,,,booked,2024-09-01", Ok("PB booked 2024-09-01"));
}

#[test]
fn bad_answers_are_given_back_by_reason() {
    check(",,,,booked,2024-06-04", Err(RejectReason::NamesNobody));
    check("R4,,,,booked,2024-06-04", Err(RejectReason::NotOnTheList));
    check(",PC,,,declined,", Err(RejectReason::NotOnTheList));
    check(",,943 476 5918,,declined,", Err(RejectReason::NotOnTheList));
    check("R1,PB,,,declined,", Err(RejectReason::SeveralPatients));
    check("R1; =R3,,,,declined,", Err(RejectReason::SeveralPatients));
    check("R1; R4,,,,declined,", Err(RejectReason::NotOnTheList));
    check("R1,,,,soon,", Err(RejectReason::UnknownAnswer));
    check("R1,,,,,2024-06-04", Err(RejectReason::UnknownAnswer));
    check("R1,,,,booked,", Err(RejectReason::DayMissing));
    check("R1,,,,booked,June", Err(RejectReason::DayUnreadable));
    check("R1,,,,booked,2024-06-02", Err(RejectReason::DayImpossible));
    check("R1,,,,done,2024-06-06", Err(RejectReason::DayImpossible));
    check("R1,,,booked,2024-06-04", Err(RejectReason::Unreadable));
}

#[test]
fn rows_that_agree_are_one_answer_and_rows_that_do_not_are_all_given_back() {
    let head = "requests,answer,answer_day\n";
    let found = answers(&format!("{head}R1,booked,2024-06-04\nR2,booked,04/06/2024\n=R3,,\n")).unwrap();
    assert_eq!((found.accepted.len(), found.accepted[0].line, found.unanswered, found.rows_read), (1, 2, 1, 3));
    let found = answers(&format!("{head}R1,booked,2024-06-04\nR2,declined,\n")).unwrap();
    assert_eq!(found.accepted, []);
    assert_eq!(
        found.rejects.iter().map(|one| (one.line, one.reason)).collect::<Vec<_>>(),
        [(2, RejectReason::Contradiction), (3, RejectReason::Contradiction),]
    );
    for (text, expected) in
        [("answer\nbooked\n", "missing column `requests`"), ("patient\nPA\n", "missing column `answer`"), ("", "empty")]
    {
        let findings = answers(text).unwrap_err();
        assert!(findings[0].to_string().contains(expected), "{findings:?}");
    }
}
