//! Does nobody discard a tube alone, too early or without a record? What a person sees of `labtriage discards`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod desk;

use desk::{Bench, after, files};
use labtriage_ledger::records::Sample;
use labtriage_ledger::states::SampleState;

const LEDGER: &str = "--ledger lab.ledger --now 2026-11-24T09:00";

/// The bench, with A4 as a sample that cannot be collected again and the hold of A5 not over.
fn bench() -> Bench {
    let bench = Bench::new();
    let mut ledger = bench.ledger();
    let of = |ledger: &mut labtriage_ledger::Ledger, accession: &str| ledger.sample(accession).unwrap().unwrap().record;
    let once = Sample { irreplaceable: true, ..of(&mut ledger, "A4") };
    let mut early = of(&mut ledger, "A5");
    early.discard.as_mut().unwrap().keep_until = Some(after(5000));
    bench.record(1, |writer| writer.samples([once, early]));
    bench
}

fn state(bench: &Bench, accession: &str) -> SampleState {
    bench.ledger().sample(accession).unwrap().unwrap().record.state
}

#[test]
fn what_waits_is_shown_with_age_reason_hold_and_who_is_needed() {
    let bench = bench();
    let text = bench.done(&format!("discards list {LEDGER}"), 0);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 5, "{text}");
    assert!(lines[1].starts_with("A3 ") && lines[1].contains("13 h ago") && lines[1].contains("over"), "{text}");
    assert!(lines[2].starts_with("A4 ") && lines[2].contains("yes, needs two people"), "{text}");
    assert!(lines[3].starts_with("A5 ") && lines[3].contains("until 2026-11-27 07:20"), "{text}");
    assert_eq!(lines[4], "3 discards, 1 of samples that cannot be collected again, 1 still under the minimum hold");
    let json: serde_json::Value =
        serde_json::from_str(&bench.done(&format!("discards list --json {LEDGER}"), 0)).unwrap();
    let all = json["discards"].as_array().unwrap();
    assert_eq!(all.len(), 3);
    assert_eq!((all[1]["irreplaceable"].as_bool(), all[2]["hold_over"].as_bool()), (Some(true), Some(false)));
    assert_eq!((all[0]["age_minutes"].as_i64(), all[0]["reason_code"].as_str()), (Some(780), Some("RR")));
    let one = bench.done(&format!("discards list --practice Z00001 --csv {LEDGER}"), 0);
    assert!(
        one.lines().count() == 2 && one.lines().next().unwrap().starts_with("discard_id,run_id,accession"),
        "{one}"
    );
    let none = bench.done(&format!("discards list --state disposed {LEDGER}"), 0);
    assert!(none.starts_with("0 discards,"), "{none}");
}

#[test]
fn several_tubes_are_decided_whole_or_not_at_all() {
    let bench = bench();
    let all = bench.refused(
        &format!("discards authorise A3 A4 A5 A1 A9 --by A._Manager --out records {LEDGER}"),
        &[
            "nothing was recorded",
            "L016 sample A4",
            "L017 sample A5",
            "L015 sample A1",
            "L018 the ledger knows no sample A9",
        ],
    );
    assert!(!all.contains("sample A3"), "{all}");
    assert!(!bench.path("records").exists());
    bench.refused(&format!("discards authorise A4 --by A._Manager --second a._manager {LEDGER}"), &["L016"]);
    bench.refused(&format!("discards authorise A3 A3 --by A._Manager {LEDGER}"), &["L015"]);
    bench.refused(&format!("discards dispose A3 --by C._Porter {LEDGER}"), &["L015"]);
    bench.refused(&format!("discards reject A3 --by A._Manager --why _ {LEDGER}"), &["L020"]);
    let done =
        bench.done(&format!("discards authorise A3 A4 --by A._Manager --second B._Chief --out records {LEDGER}"), 0);
    assert!(done.contains("2 discards authorised"), "{done}");
    assert_eq!(state(&bench, "A3"), SampleState::DiscardAuthorised);
    bench.refused(&format!("discards dispose A3 --by C._Porter --out records {LEDGER}"), &["is not empty"]);
}

#[test]
fn every_discard_leaves_a_record_and_a_report() {
    let bench = bench();
    bench.done(&format!("discards authorise A3 A4 --by A._Manager --second B._Chief --why too_old {LEDGER}"), 0);
    bench.done(&format!("discards dispose A4 A3 --by C._Porter --notified-via telephone --out gone {LEDGER}"), 0);
    bench.done(&format!("discards reject A5 --by A._Manager --why =still_wanted --out kept {LEDGER}"), 0);
    // Why it was decided so is kept, whatever happens to the sample afterwards.
    let rejected = bench.done(&format!("discards list --state all {LEDGER}"), 0);
    assert!(rejected.contains("A. Manager: =still wanted") && rejected.contains("and B. Chief: too old"), "{rejected}");
    let json: serde_json::Value =
        serde_json::from_str(&bench.done(&format!("discards list --state rejected --json {LEDGER}"), 0)).unwrap();
    assert_eq!(json["discards"][0]["decision_reason"], "=still wanted");
    let status = bench.done(&format!("status --sample A4 --by A {LEDGER}"), 0);
    assert!(status.starts_with("sample A4: disposed of, by C. Porter (too old)\n"), "{status}");
    let mut reader = csv::Reader::from_path(bench.path("gone/records.csv")).unwrap();
    let header = reader.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let cell = |row: usize, title: &str| rows[row].get(header.iter().position(|one| one == title).unwrap()).unwrap();
    assert_eq!((cell(0, "accession"), cell(1, "accession")), ("A3", "A4"));
    for (title, expected) in [
        ("discard_id", "D-A4"),
        ("state", "disposed"),
        ("test_lines", "UE recalled"),
        ("irreplaceable", "yes"),
        ("collected_is", "known"),
        ("storage_history", "2026-11-10 09:00 primary refrigerated"),
        ("limit_test", "UE"),
        ("reason_code (HL7 table 0490)", "RR"),
        ("decision_reason", "too old"),
        ("proposed_by", "system"),
        ("authorised_by", "A. Manager"),
        ("second_checker", "B. Chief"),
        ("decided_at", "2026-11-24 09:00"),
        ("requester", "Z00001"),
        ("recall_action", "required"),
        ("notified_via", "telephone"),
        ("disposed_at", "2026-11-24 09:00"),
        ("disposed_by", "C. Porter"),
        ("report_issued", "yes"),
    ] {
        assert_eq!(cell(1, title), expected, "{title}");
    }
    let report = bench.read("gone/reports/Z00001.txt");
    assert!(report.starts_with("To Z00001: sample A4 of request R4\n"), "{report}");
    assert!(report.contains("  It was decided so because: too old.\n"), "{report}");
    assert!(
        report.contains("disposed of on 2026-11-24 09:00") && report.contains("a new sample is needed"),
        "{report}"
    );
    assert!(!report.contains("A3") && bench.read("gone/reports/Z00002.txt").contains("A3"));
    let kept = bench.read("kept/records.csv");
    assert!(kept.contains("'=still wanted") && kept.contains("discard rejected"), "no formula, and who: {kept}");
    assert!(bench.read("kept/reports/Z00002.txt").contains("that was rejected, and it is kept"));
    // The ledger holds the same, and writes it again.
    let kept = bench.ledger().sample("A4").unwrap().unwrap().record.discard.unwrap();
    assert!(
        kept.report_issued && kept.notified == Some(after(780)) && kept.notified_via.as_deref() == Some("telephone")
    );
    let again = bench.done(&format!("discards report A4 A3 A4 --out again {LEDGER}"), 0);
    assert!(again.contains("2 records"), "{again}");
    for file in files(&bench.path("gone")) {
        let name = file.strip_prefix(bench.path("gone")).unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), std::fs::read(bench.path("again").join(name)).unwrap());
    }
    bench.refused(
        &format!("discards report A1 A3 --out more {LEDGER}"),
        &["L018 the ledger knows no discard of sample A1"],
    );
    bench.ledger().verify(None).unwrap();
}

#[test]
fn a_signed_list_counts_by_its_signatures() {
    let bench = bench();
    let list = bench.read("tonight/plan/discards.csv");
    bench.write("unsigned.csv", &list);
    bench.refused(&format!("discards authorise --from unsigned.csv {LEDGER}"), &["nobody has signed a row"]);
    let sign = |who: [&str; 3]| {
        let rows = list
            .lines()
            .skip(1)
            .zip(who)
            .map(|(row, who)| format!("{}{who}\n", row.strip_suffix(',').unwrap().strip_suffix(',').unwrap()));
        let header = list.lines().next().unwrap();
        bench.write("signed.csv", &format!("{header}\n{}", rows.collect::<String>()));
    };
    sign([",A. Manager,", ",A. Manager,", ",,"]);
    bench.refused(&format!("discards authorise --from signed.csv {LEDGER}"), &["L016 sample A4"]);
    sign([",A. Manager,", ",A. Manager,B. Chief", ",,"]);
    let done = bench.done(&format!("discards authorise --from signed.csv {LEDGER}"), 0);
    assert!(done.contains("2 discards authorised, 1 rows without a signature left"), "{done}");
    let kept = bench.ledger().sample("A4").unwrap().unwrap().record.discard.unwrap();
    assert_eq!((kept.decided_by.as_deref(), kept.second.as_deref()), (Some("A. Manager"), Some("B. Chief")));
    bench.refused(&format!("discards authorise --from signed.csv {LEDGER}"), &["L015 sample A3", "L015 sample A4"]);
    let done = bench.done(&format!("discards dispose --from signed.csv --by C._Porter {LEDGER}"), 0);
    assert!(done.contains("2 discards disposed of"), "{done}");
    assert_eq!((state(&bench, "A4"), state(&bench, "A5")), (SampleState::Disposed, SampleState::DiscardProposed));
    // What the ledger itself lists may be signed as well.
    let own = bench.done(&format!("discards list --csv {LEDGER}"), 0);
    bench.write("own.csv", &own);
    let done = bench.done(&format!("discards reject --from own.csv --by A._Manager --why kept {LEDGER}"), 0);
    assert!(done.contains("1 discards rejected"), "{done}");
    bench.write("cut.csv", "accession,authorised_by\nA5,A. Manager\nA5\n");
    bench.refused(&format!("discards authorise --from cut.csv {LEDGER}"), &["cut.csv:3: B006"]);
}
