//! Is every file that left with identities known, is nobody called twice, and does an answer reach the ledger?

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod desk;

use std::fs;

use desk::{Bench, after, files, silent};
use labtriage_ledger::records::{Answer, Notice, Wanted};
use labtriage_ledger::states::{LineState, NoticeState, SampleState};
use serde_json::Value;

const EXPORT: &str =
    "recalls export --plan tonight/plan --all --profile generic --store store.age --unlock keys/store.secret";
const LEDGER: &str = "--ledger lab.ledger --by A._Manager --now 2026-11-23T20:30";
const LOOK: &str = "--ledger lab.ledger --now 2026-11-24T09:00";

fn pseudonym(bench: &Bench, request: &str) -> String {
    bench.notices().into_iter().find(|notice| notice.id == format!("N-{request}")).unwrap().patient.expose().to_owned()
}

fn answer(bench: &Bench, request: &str, practice: &str, state: NoticeState, visit: Option<i32>) {
    let answer = Answer { visit: visit.map(after), who: "reception".to_owned(), note: None };
    bench.record(60, |writer| writer.answer(practice, &format!("N-{request}"), state, &answer));
}

#[test]
fn every_file_that_leaves_is_registered_and_tells_later_whom_it_names() {
    let bench = Bench::new();
    bench.done("identities keys --id p --out practice", 0);
    let recipient = bench.read("practice/store.recipients").trim().to_owned();
    let words = bench.done(&format!("{EXPORT} {LEDGER} --recipient Z00001={recipient} --out lists"), 0);
    assert!(!words.contains("nothing was registered"), "{words}");
    // As it left, locked or not; and what was in the locked one.
    let whose = |file: &str| bench.done(&format!("exports whose {file} {LOOK}"), 0);
    let found = whose("lists/practices/Z00002.csv");
    assert!(
        found
            .contains("2026-11-23 20:30 Z00002.csv for Z00002, by A. Manager, profile generic, 2 patients: as it left"),
        "{found}"
    );
    assert!(found.contains(&pseudonym(&bench, "R3")) && found.contains(&pseudonym(&bench, "R5")), "{found}");
    assert!(!found.contains(&pseudonym(&bench, "R4")), "{found}");
    assert!(whose("lists/practices/Z00001.csv.age").contains("it reveals 1 patients"));
    let locked = fs::read(bench.path("lists/practices/Z00001.csv.age")).unwrap();
    let secret = labtriage_identity::Unlock::from_file(&bench.path("practice/store.secret")).unwrap();
    fs::write(bench.path("decrypted.csv"), &*secret.open(&locked).unwrap()).unwrap();
    assert!(whose("decrypted.csv").contains("what was in it before it was locked"));
    // Who they are, where somebody may know.
    let words = bench.done(
        &format!("exports whose decrypted.csv {LOOK} --store store.age --unlock keys/store.secret --out persons.csv"),
        0,
    );
    silent("what was printed", words.as_bytes());
    let persons = bench.read("persons.csv");
    assert!(persons.contains("9434765919,1950-02-28,") && persons.lines().count() == 2, "{persons}");
    // A file that nobody has registered.
    bench.write("other.csv", "nhs_number\n");
    assert!(bench.done(&format!("exports whose other.csv {LOOK}"), 1).contains("no file with this content"));
    let json: Value = serde_json::from_str(&bench.done(&format!("exports list --json {LOOK}"), 0)).unwrap();
    let all = json["exports"].as_array().unwrap();
    assert_eq!((all.len(), all[0]["recipient"].as_str()), (2, Some(recipient.as_str())));
    assert_eq!(all[1]["recipient"].as_str(), Some("Z00002, not locked"));
    // The same list again is the same file, and has left twice.
    bench.done(&format!("{EXPORT} {LEDGER} --recipient Z00001={recipient} --out again"), 0);
    let listed = bench.done(&format!("exports list --practice Z00002 {LOOK}"), 0);
    assert!(listed.ends_with("2 files\n"), "{listed}");
    assert_eq!(whose("lists/practices/Z00002.csv").matches(": as it left").count(), 2);
}

#[test]
fn files_are_found_by_patient_number_and_practice() {
    let bench = Bench::new();
    bench.done(&format!("{EXPORT} {LEDGER} --out lists"), 0);
    let list = |more: &str, code: i32| bench.done(&format!("exports list {LOOK} {more}"), code);
    assert!(list("--practice Z00001", 0).contains("1 files"));
    let patient = pseudonym(&bench, "R3");
    assert!(list(&format!("--patient {patient}"), 0).contains("Z00002.csv for Z00002"));
    assert!(list("--patient nobody", 1).contains("0 files"));
    let by_number =
        |number: &str| bench.run_with(&format!("exports list {LOOK} --nhs-number --keys keys/pseudonym.keys"), number);
    let (code, text) = by_number("943 476 5919\n");
    assert!(code == 0 && text.contains("Z00001.csv for Z00001") && text.contains("1 files"), "{text}");
    let (code, text) = by_number("943 476 5918\n");
    assert!(code == 2 && text.contains("B033") && !text.contains("5918"), "{text}");
    let (code, text) = bench.run_with(&format!("exports list {LOOK} --nhs-number"), "9434765919");
    assert!(code == 2 && text.contains("no pseudonym key"), "{text}");
}

#[test]
fn nothing_leaves_that_is_not_registered() {
    let bench = Bench::new();
    let words = bench.done(&format!("{EXPORT} --out free"), 0);
    assert!(words.contains("nothing was registered") && bench.path("free/practices/Z00001.csv").exists(), "{words}");
    assert_eq!(bench.ledger().exports().unwrap().len(), 0);
    bench.refused(&format!("{EXPORT} --ledger none.ledger --by A --out x"), &["L002"]);
    bench.refused(&format!("{EXPORT} --ledger lab.ledger --out x"), &["--by"]);
    bench.refused(&format!("{EXPORT} --ledger lab.ledger --by _ --out x"), &["name the person"]);
    bench.refused(&format!("{EXPORT} --ledger lab.ledger --by 9434765919 --out x"), &["L019"]);
    assert!(!bench.path("x").exists(), "a list left without being registered");
}

/// What the lists of an export hold, and what is left out.
fn called(bench: &Bench, plan: &str, moment: &str, out: &str) -> (Vec<&'static str>, String) {
    bench.done(
        &format!("{} --ledger lab.ledger --by A --now {moment} --out {out}", EXPORT.replace("tonight/plan", plan)),
        0,
    );
    let lists: String = files(&bench.path(out))
        .iter()
        .filter(|path| !path.ends_with("left-out.csv"))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let called = ["R3", "R4", "R5"].into_iter().filter(|request| lists.contains(&format!(",{request},"))).collect();
    (called, bench.read(&format!("{out}/left-out.csv")))
}

#[test]
fn nobody_is_called_twice_within_the_retest_interval() {
    let bench = Bench::new();
    assert_eq!(called(&bench, "tonight/plan", "2026-11-23T20:30", "one").0, ["R3", "R4", "R5"]);
    // The same plan may be exported again, as for another system; another one calls nobody again.
    assert_eq!(called(&bench, "tonight/plan", "2026-11-23T20:40", "two").0, ["R3", "R4", "R5"]);
    bench.write("tonight/scenario.toml", "name = \"test\"\nnow = \"2026-11-23 21:00\"\n");
    bench.done("plan tonight --quiet --rule edf --out next", 0);
    let (nobody, left) = called(&bench, "next", "2026-11-23T21:10", "three");
    assert_eq!(nobody, [""; 0]);
    assert_eq!(left.matches("has not answered yet").count(), 3, "{left}");
    answer(&bench, "R3", "Z00002", NoticeState::Booked, Some(2000));
    answer(&bench, "R4", "Z00001", NoticeState::Done, Some(60));
    answer(&bench, "R5", "Z00002", NoticeState::Declined, None);
    let (again, left) = called(&bench, "next", "2026-11-24T09:00", "four");
    assert_eq!(again, [""; 0]);
    assert!(left.contains("Z00002,R5,") && left.contains("has declined new samples"), "{left}");
    assert!(left.contains("Z00002,R3,") && left.contains("has booked a visit for it"), "{left}");
    assert!(left.contains("Z00001,R4,") && left.contains("new samples were taken for it"), "{left}");
    // A booked visit of which nothing more is heard does not stand for ever; samples that were taken answer for older ones.
    assert_eq!(called(&bench, "next", "2026-12-02T01:00", "five").0, [""; 0]);
    assert_eq!(called(&bench, "next", "2026-12-02T08:00", "six").0, ["R3"]);
    answer(&bench, "R5", "Z00002", NoticeState::NotOurs, None);
    assert!(called(&bench, "next", "2026-12-02T08:30", "not-ours").1.contains("is not its own: find out whose"));
    answer(&bench, "R4", "Z00001", NoticeState::Done, Some(-24_000));
    assert!(called(&bench, "next", "2026-12-02T09:00", "seven").0.contains(&"R4"), "bled before the tube was taken");
}

#[test]
fn a_test_that_was_added_since_the_last_list_goes_out() {
    let bench = Bench::new();
    let mut asked: Notice = bench.notices().into_iter().find(|notice| notice.id == "N-R3").unwrap();
    let wanted = asked.wanted.clone();
    asked.wanted = vec![Wanted { test: "TSH".to_owned(), ..wanted[0].clone() }];
    bench.record(1, |writer| writer.notices(std::slice::from_ref(&asked)));
    called(&bench, "tonight/plan", "2026-11-23T20:30", "one");
    asked.wanted.extend(wanted);
    bench.record(40, |writer| writer.notices(std::slice::from_ref(&asked)));
    bench.write("tonight/scenario.toml", "name = \"test\"\nnow = \"2026-11-23 21:00\"\n");
    bench.done("plan tonight --quiet --rule edf --out next", 0);
    assert_eq!(called(&bench, "next", "2026-11-23T21:10", "two").0, ["R3"]);
}

#[test]
fn answers_are_recorded_once_corrected_by_time_and_given_back_where_they_cannot_be() {
    let bench = Bench::new();
    let acknowledge = |rows: &str, practice: &str, code: i32| {
        bench.write("back.csv", &format!("requests,answer,answer_day\n{rows}"));
        bench.done(&format!("recalls acknowledge back.csv --plan tonight/plan --practice {practice} --now 2026-11-26T09:00 --ledger lab.ledger --by C._Clerk --rejects back-rejects.csv"), code)
    };
    let notice = |id: &str| bench.ledger().notice(id).unwrap().unwrap().record;
    let line = |accession: &str| bench.ledger().sample(accession).unwrap().unwrap().record.line("UE").unwrap().state;
    let said = acknowledge("R3,booked,2026-11-25\nR5,declined,\nR9,booked,2026-11-25\n", "Z00002", 0);
    assert!(
        said.contains("3 rows: 1 booked, 0 done, 1 declined, 0 not ours, 0 without an answer, 1 given back"),
        "{said}"
    );
    assert!(said.contains("2 answers recorded, 0 were there already"), "{said}");
    assert_eq!((notice("N-R3").state, line("A3")), (NoticeState::Booked, LineState::Booked));
    assert_eq!((notice("N-R5").state, line("A5")), (NoticeState::Declined, LineState::Cancelled));
    let head = bench.ledger().head().unwrap();
    let said = acknowledge("R3,booked,25/11/2026\nR5,declined,\n", "Z00002", 0);
    assert!(said.contains("0 answers recorded, 2 were there already"), "{said}");
    assert_eq!(bench.ledger().head().unwrap(), head, "the same answers again changed something");
    // Later answers correct earlier ones, until samples were taken.
    acknowledge("R3,booked,2026-11-27\nR5,booked,2026-11-28\n", "Z00002", 0);
    assert_eq!((notice("N-R3").answer.unwrap().visit, line("A5")), (Some(after(3 * 1440 + 240)), LineState::Booked));
    acknowledge("R3,done,2026-11-25\n", "Z00002", 0);
    let said = acknowledge("R3,declined,\nR5,not ours,\n", "Z00002", 0);
    assert!(said.contains("1 answers recorded") && said.contains("1 given back"), "{said}");
    assert!(bench.read("back-rejects.csv").contains("2,\"the ledger says that new samples were taken already"));
    assert_eq!((notice("N-R3").state, line("A3")), (NoticeState::Done, LineState::ReBled));
    assert_eq!((notice("N-R5").state, line("A5")), (NoticeState::NotOurs, LineState::Held));
    // The patient is called again for another tube: the first answer cannot be turned into a second open recall.
    acknowledge("R5,declined,\n", "Z00002", 0);
    let again = Notice {
        id: "N-AGAIN".to_owned(),
        requester: "Z00001".to_owned(),
        ..bench.notices().into_iter().find(|one| one.id == "N-R5").unwrap()
    };
    bench.record(2900, |writer| writer.notices(std::slice::from_ref(&again)));
    acknowledge("R5,booked,2026-11-28\n", "Z00002", 0);
    assert!(bench.read("back-rejects.csv").contains("the patient is called back by another recall by now"));
    bench.record(2950, |writer| writer.notices(&[again]));
    // A recall that is not needed any more, and one that no night has recorded.
    let withdrawn =
        Notice { state: NoticeState::Withdrawn, ..bench.notices().into_iter().find(|one| one.id == "N-R4").unwrap() };
    bench.record(3000, |writer| writer.notices(&[withdrawn]));
    acknowledge("R4,booked,2026-11-25\n", "Z00001", 0);
    assert!(bench.read("back-rejects.csv").contains("the recall was withdrawn"));
    labtriage_ledger::Ledger::create(
        &labtriage_ledger::Address::parse(&bench.path("new.ledger").to_string_lossy()).unwrap(),
    )
    .unwrap();
    let words = bench.done("recalls acknowledge back.csv --plan tonight/plan --practice Z00001 --now 2026-11-26T09:00 --ledger new.ledger --by C --json", 0);
    assert!(words.contains("the ledger has no recall of this patient"), "{words}");
    let words =
        bench.done("recalls acknowledge back.csv --plan tonight/plan --practice Z00001 --now 2026-11-26T09:00", 0);
    assert!(words.contains("nothing was recorded"), "{words}");
    bench.ledger().verify(None).unwrap();
}

/// Commands by which people decide, with a number wherever somebody may type one.
fn decisions(number: &str) -> Vec<String> {
    vec![
        format!("discards list {LOOK}"),
        format!("discards list --json {LOOK}"),
        format!("discards list --csv {LOOK}"),
        format!("discards list --practice {number} {LOOK}"),
        format!("discards authorise {number} --by A {LOOK}"),
        format!("discards authorise A3 --by {number} {LOOK}"),
        format!("discards authorise A3 --by A --why asked_{number} {LOOK}"),
        format!("discards authorise A3 A4 --by A --out records {LOOK}"),
        format!("discards reject A5 --by A --why patient_{number} {LOOK}"),
        format!("discards dispose A3 --by A --notified-via {number} {LOOK}"),
        format!("discards dispose A3 --by C --out gone {LOOK}"),
        format!("discards report A3 {number} --out more {LOOK}"),
        format!("overrides set --action hold --accession A1 --by B --why {number} --until 2026-12-01T09:00 {LOOK}"),
        format!("overrides set --action hold --accession {number} --by B --why x --until 2026-12-01T09:00 {LOOK}"),
        format!(
            "overrides set --action hold --accession A1 --test {number} --by B --why x --until 2026-12-01T09:00 {LOOK}"
        ),
        format!(
            "overrides set --action force-test --accession A1 --caution {number} --by B --why x --until 2026-12-01T09:00 {LOOK}"
        ),
        format!(
            "overrides set --action cap --requester {number} --lines-per-day 1 --by B --why x --until 2026-12-01T09:00 {LOOK}"
        ),
        format!("overrides set --action hold --accession A1 --by B --why x --until {number} {LOOK}"),
        format!("overrides set --action hold --accession A1 --by B --why x --until 2026-12-01T09:00 {LOOK}"),
        format!("overrides list {LOOK}"),
        format!("overrides list --json {LOOK}"),
        format!("overrides end {number} --by B --why x {LOOK}"),
        format!("overrides end O-1 --by B --why {number} {LOOK}"),
    ]
}

#[test]
fn what_is_planted_is_in_the_exports_and_the_list_of_persons_and_nowhere_else() {
    let bench = Bench::new();
    let number = "943_476_5919";
    let mut said = vec![
        bench.done(&format!("{EXPORT} {LEDGER} --out lists"), 0),
        bench.done(&format!("{EXPORT} {LEDGER} --json --out lists-json"), 0),
        bench.run(&format!("{EXPORT} --ledger lab.ledger --by {number} --out x")).1,
        bench.done(&format!("exports whose lists/practices/Z00002.csv {LOOK}"), 0),
        bench.done(&format!("exports whose lists/practices/Z00002.csv {LOOK} --json"), 0),
        bench.done(&format!("exports whose lists/practices/Z00002.csv {LOOK} --store store.age --unlock keys/store.secret --out persons.csv"), 0),
        bench.done(&format!("exports list {LOOK}"), 0),
        bench.run(&format!("exports list {LOOK} --patient {number}")).1,
        bench.run_with(&format!("exports list {LOOK} --nhs-number --keys keys/pseudonym.keys"), "943 476 5919").1,
        bench.run_with(&format!("exports list {LOOK} --nhs-number --keys keys/pseudonym.keys"), "Ada Byron 9434765919").1,
    ];
    bench.write("back.csv", "nhs_number,name,answer,answer_day\n972 771 0638,Alan Turing,booked,2026-11-25\n012 345 6789,Hopper,done,2026-11-24\n943 476 5919,Ada Byron,done,1950-02-28\n");
    let acknowledge = "recalls acknowledge back.csv --plan tonight/plan --practice Z00002 --keys keys/pseudonym.keys --now 2026-11-26T09:00 --rejects rejects.csv";
    said.push(bench.done(&format!("{acknowledge} --ledger lab.ledger --by C"), 0));
    said.push(bench.done(&format!("{acknowledge} --ledger lab.ledger --by C --json"), 0));
    said.push(bench.run(&format!("{acknowledge} --ledger lab.ledger --by {number}")).1);
    said.extend(decisions(number).iter().map(|line| bench.run(line).1));
    said.iter().for_each(|text| silent("what was printed", text.as_bytes()));
    let mut ledger = bench.ledger();
    assert_eq!(ledger.counts().unwrap().get(SampleState::Disposed.text()), Some(&1), "the commands did their work");
    assert_eq!(ledger.notice("N-R3").unwrap().unwrap().record.state, NoticeState::Booked);
    let debug = format!(
        "{:?}{:?}{:?}{:?}",
        ledger.exports().unwrap(),
        ledger.notices(NoticeState::Booked, None).unwrap(),
        ledger.sample("A3").unwrap(),
        ledger
    );
    silent("Debug", debug.as_bytes());
    let pseudonyms: Vec<String> = bench.notices().iter().map(|notice| notice.patient.expose().to_owned()).collect();
    assert!(pseudonyms.iter().all(|pseudonym| !debug.contains(pseudonym)), "Debug says a pseudonym");
    ledger.verify(None).unwrap();
    drop(ledger);
    let (mut looked_at, mut named) = (0, String::new());
    for path in files(bench.root()) {
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            // SQLite takes its journal away when the last connection closes.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => panic!("{}: {error}", path.display()),
        };
        if path.components().any(|part| part.as_os_str() == "practices") || path.ends_with("persons.csv") {
            named.push_str(&String::from_utf8(bytes).unwrap().to_lowercase());
        } else if !path.starts_with(bench.path("extract")) && !path.ends_with("back.csv") {
            silent(&path.display().to_string(), &bytes);
            looked_at += 1;
        }
    }
    assert!(looked_at > 20 && bench.path("lab.ledger").exists(), "only {looked_at} files were looked at");
    for planted in ["943 476 5919", "9727710638", "0123456789", "byron", "hopper"] {
        assert!(named.contains(planted), "{planted} is on no list:\n{named}");
    }
}
