//! What people have decided, and what has happened to samples, bears on the nights that follow.

use std::fs;

use labtriage_ledger::records::{Answer, Authorisation, Decision, Notice, Override};
use labtriage_ledger::states::{LineState, NoticeState, OverrideState, SampleState};
use labtriage_ledger::{LedgerError, OwnedPseudonym};

use crate::common::{Bench, moment, night as night_name, sound, too_old};

/// A night with a recalled patient, published.
fn with_recall() -> (Bench, Notice) {
    let bench = Bench::new();
    bench.extract(0, &[sound(1), too_old(7)]);
    bench.check_published(0);
    let notice = notices(&bench).pop().unwrap();
    assert_eq!((notice.state, notice.requester.as_str()), (NoticeState::Open, "Z00001"));
    assert_eq!(bench.sample("A7").lines[0].state, LineState::Recalled);
    (bench, notice)
}

fn notices(bench: &Bench) -> Vec<Notice> {
    let all = bench.ledger().notices_of(&OwnedPseudonym::new("PT7")).unwrap();
    all.into_iter().map(|known| known.record).collect()
}

/// Has the practice answer, then plans the next night with the same samples.
#[track_caller]
fn check_answer(state: NoticeState, line: LineState) {
    let (bench, notice) = with_recall();
    let answer = Answer { visit: Some(moment(600)), who: "B. Manager".to_owned(), note: None };
    let answered: Result<_, LedgerError> =
        bench.ledger().write(moment(0), |writer| writer.answer("Z00001", &notice.id, state, &answer));
    assert!(answered.unwrap().left.is_empty());
    for minute in 1..=3 {
        bench.extract(minute, &[sound(1), too_old(7)]);
        bench.check_published(minute);
    }
    let after = notices(&bench);
    assert_eq!(after.iter().map(|notice| notice.state).collect::<Vec<_>>(), [state], "one notice, as answered");
    assert_eq!(bench.sample("A7").lines[0].state, line);
    let recalls = bench.path("plans/current/recalls/Z00001.csv");
    let listed = fs::read_to_string(recalls).unwrap_or_default();
    assert!(!listed.contains("PT7"), "the next night asks again: {listed}");
    bench.ledger().verify(None).unwrap();
}

#[test]
fn an_answered_recall_is_not_asked_again() {
    check_answer(NoticeState::Booked, LineState::Booked);
    check_answer(NoticeState::Done, LineState::ReBled);
    check_answer(NoticeState::Declined, LineState::Cancelled);
    check_answer(NoticeState::NotOurs, LineState::Held);
}

#[test]
fn a_booked_visit_takes_its_place_at_the_collection_point() {
    // Every point sees one patient a day.
    let network = include_str!("../../../../config/network.toml");
    let network: Vec<&str> = network
        .lines()
        .map(|line| if line.starts_with("visits_per_day") { "visits_per_day = 1" } else { line })
        .collect();
    let bench = Bench::new();
    let night = |minute: usize, rows: &[String]| {
        let folder = bench.unsealed(minute, rows);
        fs::write(folder.join("network.toml"), network.join("\n")).unwrap();
        bench.seal(&folder);
        bench.check_published(minute);
    };
    night(0, &[too_old(7)]);
    let offered = notices(&bench).pop().unwrap();
    let answer = Answer { visit: offered.visit, who: "B. Manager".to_owned(), note: None };
    let booked: Result<_, LedgerError> =
        bench.ledger().write(moment(0), |writer| writer.answer("Z00001", &offered.id, NoticeState::Booked, &answer));
    booked.unwrap();
    night(1, &[too_old(7), too_old(8)]);
    let beside = fs::read_to_string(bench.path("plans/current/inputs/overrides.toml")).unwrap();
    assert!(beside.contains("action = \"visits\"") && beside.contains("visits = 1"), "{beside}");
    let other = bench.sample("A8").lines[0].clone();
    assert_eq!(other.state, LineState::Recalled);
    assert!(other.at.is_some(), "there are other days and points");
    assert_ne!((other.at, other.place), (offered.visit, offered.point), "two patients for one visit");
    assert_eq!(bench.sample("A7").lines[0].state, LineState::Booked);
}

#[test]
fn an_open_recall_keeps_its_number() {
    let (bench, notice) = with_recall();
    bench.extract(1, &[sound(1), too_old(7)]);
    bench.check_published(1);
    let after = notices(&bench);
    assert_eq!(after.iter().map(|notice| &notice.id).collect::<Vec<_>>(), [&notice.id]);
}

/// Has the practice answer when the next night is planned and written, but not recorded.
#[track_caller]
fn check_late_answer(state: NoticeState, line: LineState) {
    let (bench, notice) = with_recall();
    bench.extract(1, &[sound(1), too_old(7)]);
    let answer = Answer { visit: Some(moment(600)), who: "B. Manager".to_owned(), note: None };
    let mut night = None;
    let answered: Result<_, LedgerError> = bench.ledger().write(moment(0), |writer| {
        night = Some(bench.spawn());
        // The night waits for the ledger then.
        bench.wait_until_prepared(1);
        writer.answer("Z00001", &notice.id, state, &answer)
    });
    let answered = answered.unwrap().notice;
    assert!(matches!(night.unwrap().wait().unwrap().code(), Some(0 | 1)));
    assert_eq!(bench.current(), night_name(1));
    assert_eq!(notices(&bench), [answered], "the answer stands, and nobody is asked again");
    assert_eq!(bench.sample("A7").lines[0].state, line);
    bench.ledger().verify(None).unwrap();
}

#[test]
fn an_answer_that_comes_while_a_night_is_planned_is_not_lost() {
    check_late_answer(NoticeState::Booked, LineState::Booked);
    check_late_answer(NoticeState::Done, LineState::ReBled);
    check_late_answer(NoticeState::Declined, LineState::Cancelled);
    check_late_answer(NoticeState::NotOurs, LineState::Held);
}

#[test]
fn the_words_at_the_end_say_what_waits_for_whom() {
    let bench = Bench::new();
    bench.extract(0, &[sound(1), sound(2), too_old(7)]);
    let (_, words) = bench.run(&[]);
    assert!(words.contains("3 samples with 5 lines, in plans/current"), "{words}");
    assert!(words.contains("patients to call back: 1, new notices: 1"), "{words}");
    assert!(!words.contains("since the night before") && !words.contains("missing"), "{words}");
    bench.extract(1, &[sound(1), sound(3), too_old(7)]);
    let (_, words) = bench.run(&[]);
    assert!(words.contains("1 arrived, 0 have all their results, 1 are missing"), "{words}");
    assert!(words.contains("samples missing: 1; they left"), "{words}");
    assert!(words.contains("patients to call back: 1, new notices: 0"), "{words}");
}

#[test]
fn a_recall_outlives_the_tube_that_was_thrown_away_and_takes_in_another() {
    let (bench, notice) = with_recall();
    let other = too_old(8).replace("PT8", "PT7");
    bench.extract(1, &[sound(1), other]);
    bench.check_published(1);
    let after = notices(&bench);
    assert_eq!(after.iter().map(|notice| &notice.id).collect::<Vec<_>>(), [&notice.id], "one visit");
    let wanted: Vec<&str> = after[0].wanted.iter().map(|wanted| wanted.accession.as_str()).collect();
    assert_eq!(wanted, ["A7", "A8"]);
    assert_eq!(bench.sample("A7").state, SampleState::Missing);
}

#[test]
fn a_recall_whose_result_came_is_withdrawn() {
    let (bench, _) = with_recall();
    let folder = bench.unsealed(1, &[sound(1), too_old(7)]);
    let results = "accession,patient,test,resulted_at\nA7,PT7,FBC,2026-11-23T20:00\n";
    fs::write(folder.join("results.csv"), results).unwrap();
    bench.seal(&folder);
    bench.check_published(1);
    assert_eq!(notices(&bench).pop().unwrap().state, NoticeState::Withdrawn);
    let sample = bench.sample("A7");
    assert_eq!((sample.state, sample.lines[0].state), (SampleState::Reported, LineState::Reported));
}

#[test]
fn a_sample_that_has_gone_is_reported_or_missing_and_comes_back() {
    let bench = Bench::new();
    bench.extract(0, &[sound(1), sound(2), sound(3), sound(4)]);
    bench.check_published(0);
    let folder = bench.unsealed(1, &[sound(1), sound(4).replace("UE;CRP", "NOSUCHTEST")]);
    let results = "accession,patient,test,resulted_at\nA2,PT2,UE,2026-11-23T20:00\nA2,PT2,CRP,2026-11-23T20:00\n\
                   A3,PT3,UE,2026-11-23T20:00\n";
    fs::write(folder.join("results.csv"), results).unwrap();
    bench.seal(&folder);
    let (code, words) = bench.run(&["--max-quarantine", "60", "--max-drop", "90"]);
    assert!(matches!(code, 0 | 1), "{words}");
    assert_eq!(bench.sample("A1").state, SampleState::Scheduled);
    assert_eq!(bench.sample("A2").state, SampleState::Reported);
    assert_eq!(bench.sample("A3").state, SampleState::Missing);
    assert_eq!(bench.sample("A3").line("UE").unwrap().state, LineState::Reported);
    assert_eq!(bench.sample("A3").line("CRP").unwrap().state, LineState::Held);
    assert_eq!(bench.sample("A4").state, SampleState::Scheduled, "its row could not be read, but it is there");
    bench.extract(2, &[sound(1), sound(2), sound(3), sound(4)]);
    bench.check_published(2);
    for accession in ["A1", "A2", "A3", "A4"] {
        assert_eq!(bench.sample(accession).state, SampleState::Scheduled, "{accession}");
    }
    assert!(bench.sample("A2").because.is_some(), "what is opened again has a reason");
}

fn hold(until: usize) -> Override {
    Override {
        id: "V1".to_owned(),
        action: "hold".to_owned(),
        details: vec![("accession".to_owned(), "A1".to_owned())],
        who: "A. Manager".to_owned(),
        why: "the ward \"asked\"".to_owned(),
        second: None,
        set: moment(0),
        until: moment(until),
        state: OverrideState::InForce,
        ended: None,
    }
}

#[test]
fn an_override_of_the_ledger_is_kept_until_it_runs_out() {
    let bench = Bench::new();
    bench.extract(0, &[sound(1), sound(2)]);
    bench.check_published(0);
    bench.ledger().write(moment(0), |writer| writer.set_override(&hold(2))).unwrap();
    bench.extract(1, &[sound(1), sound(2)]);
    bench.check_published(1);
    assert_eq!(bench.sample("A1").state, SampleState::Held);
    let beside = fs::read_to_string(bench.path("plans/current/inputs/overrides.toml")).unwrap();
    assert!(beside.contains("A. Manager"), "{beside}");
    bench.extract(2, &[sound(1), sound(2)]);
    let (_, words) = bench.run(&[]);
    assert!(words.contains("has run out"), "{words}");
    assert_eq!(bench.sample("A1").state, SampleState::Scheduled);
    assert!(bench.ledger().overrides(OverrideState::InForce).unwrap().is_empty());
}

#[test]
fn a_rejected_discard_is_not_proposed_again_and_its_recall_stands() {
    let old = too_old(7).replace("2026-11-18", "2026-09-18");
    let bench = Bench::new();
    bench.extract(0, &[sound(1), old.clone()]);
    bench.check_published(0);
    let listed = |bench: &Bench| fs::read_to_string(bench.path("plans/current/discards.csv")).unwrap();
    assert!(listed(&bench).contains("A7,"));
    let notice = notices(&bench).pop().unwrap();
    let rejected = Authorisation {
        accession: "A7".to_owned(),
        discard: String::new(),
        decision: Decision::Reject,
        who: "A. Manager".to_owned(),
        second: None,
        why: Some("still wanted".to_owned()),
    };
    bench.ledger().write(moment(0), |writer| writer.decide(&rejected)).unwrap();
    let decided = bench.sample("A7");
    for minute in 1..=2 {
        bench.extract(minute, &[sound(1), old.clone()]);
        bench.check_published(minute);
        assert!(!listed(&bench).contains("A7,"), "{}", listed(&bench));
        let after = bench.sample("A7");
        assert_eq!((after.state, &after.discard), (SampleState::DiscardRejected, &decided.discard));
        assert_eq!(after.lines[0].state, LineState::Recalled);
        let open = notices(&bench);
        assert_eq!((open.len(), &open[0].id, open[0].state), (1, &notice.id, NoticeState::Open));
        assert!(fs::read_to_string(bench.path("plans/current/recalls/Z00001.csv")).unwrap().contains("PT7"));
    }
    let beside = fs::read_to_string(bench.path("plans/current/inputs/overrides.toml")).unwrap();
    assert!(beside.contains("action = \"keep\"") && beside.contains("its discard was rejected"), "{beside}");
}

#[test]
fn a_decided_discard_stands_whatever_the_plan_says() {
    // Long enough ago that the minimum hold is over too.
    let old = too_old(7).replace("2026-11-18", "2026-09-18");
    let bench = Bench::new();
    bench.extract(0, &[sound(1), old.clone()]);
    bench.check_published(0);
    let proposed = bench.sample("A7");
    assert_eq!(proposed.state, SampleState::DiscardProposed);
    let decide = |decision, minute| {
        let decision = Authorisation {
            accession: "A7".to_owned(),
            discard: proposed.discard.as_ref().unwrap().id.clone(),
            decision,
            who: "A. Manager".to_owned(),
            second: None,
            why: None,
        };
        bench.ledger().write(moment(minute), |writer| writer.decide(&decision)).unwrap();
    };
    bench.extract(1, &[sound(1), old.clone()]);
    bench.check_published(1);
    assert_eq!(bench.sample("A7"), proposed, "proposed again, it is the same proposal");
    decide(Decision::Authorise, 1);
    bench.extract(2, &[sound(1), old.clone()]);
    bench.check_published(2);
    assert_eq!(bench.sample("A7").state, SampleState::DiscardAuthorised);
    // The LIMS may forget it before anybody has thrown it away.
    bench.extract(3, &[sound(1)]);
    bench.check_published(3);
    assert_eq!(bench.sample("A7").state, SampleState::DiscardAuthorised);
    decide(Decision::Dispose, 3);
    bench.extract(4, &[sound(1), old]);
    bench.check_published(4);
    assert_eq!(bench.sample("A7").state, SampleState::Disposed);
    bench.extract(5, &[sound(1)]);
    bench.check_published(5);
    assert_eq!(bench.sample("A7").state, SampleState::Disposed);
}

#[test]
fn a_published_night_can_be_checked_from_its_files() {
    let (bench, _) = with_recall();
    bench.ledger().write(moment(0), |writer| writer.set_override(&hold(900))).unwrap();
    bench.extract(1, &[sound(1), too_old(7)]);
    bench.check_published(1);
    let plan = fs::read_to_string(bench.path("plans/current/plan.json")).unwrap();
    assert!(plan.contains("\"role\":\"previous\""), "it is planned after the published plan");
    let check = std::process::Command::new(env!("CARGO_BIN_EXE_labtriage"))
        .args(["check", "--plan"])
        .arg(bench.path("plans/current"))
        .output()
        .unwrap();
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
}
