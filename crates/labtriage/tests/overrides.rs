//! Are overrides of the ledger checked, shown with their age, and planned with? And does a caution reach the bench?

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod desk;

use desk::Bench;
use labtriage_ledger::records::Sample;

const LEDGER: &str = "--ledger lab.ledger --now 2026-11-24T09:00";
const BY: &str = "--by B._Scientist --why the_only_one --until 2026-11-28T09:00";

fn set(bench: &Bench, what: &str) -> String {
    bench.done(&format!("overrides set {what} {BY} {LEDGER}"), 0)
}

#[test]
fn a_caution_travels_from_the_command_into_the_worklist() {
    let bench = Bench::new();
    bench.refused(&format!("overrides set --action force-test --accession A5 {BY} {LEDGER}"), &["C004", "caution"]);
    let done = set(&bench, "--action force-test --accession A5 --caution =13_days_old,_doubtful");
    assert!(done.contains("override O-1 is set: force-test until 2026-11-28 09:00"), "{done}");
    let toml = bench.done(&format!("overrides list --toml {LEDGER}"), 0);
    assert!(
        toml.contains("caution = \"=13 days old, doubtful\"") && toml.contains("until = \"2026-11-28T09:00Z\""),
        "{toml}"
    );
    bench.write("tonight/overrides.toml", &toml);
    bench.done("plan tonight --quiet --rule band-edf --out forced", 0);
    let worklist = bench.read("forced/worklists/HUB.csv");
    let row = worklist.lines().find(|row| row.contains(",A5,")).unwrap();
    assert!(row.contains("\"'=13 days old, doubtful\""), "{row}");
    assert!(!bench.read("forced/discards.csv").contains("A5"));
}

#[test]
fn overrides_are_shown_with_their_age_ended_by_name_and_fall_away() {
    let bench = Bench::new();
    set(&bench, "--action hold --accession A3");
    bench.done(&format!("overrides set --action cap --requester Z00001 --lines-per-day 50 --by A._Manager --why agreed --until 2026-11-24T12:00 {LEDGER}"), 0);
    let later = "--ledger lab.ledger --now 2026-11-26T10:00";
    let text = bench.done(&format!("overrides list {later}"), 0);
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines[1].starts_with("O-1") && lines[1].contains("2 d 1 h") && lines[1].contains("1 d 23 h left"),
        "{text}"
    );
    assert!(lines[2].contains("ran out 2026-11-24 12:00, falls away"), "{text}");
    assert_eq!(lines[3], "1 overrides in force, 1 ran out");
    bench.refused(&format!("overrides end O-1 O-9 --by A._Manager --why over {later}"), &["L018", "O-9"]);
    bench.refused(&format!("overrides end O-1 --by _ --why over {later}"), &["name the person"]);
    let ended = bench.done(&format!("overrides end O-1 --by A._Manager --why analyser_is_back {later}"), 0);
    assert!(ended.contains("override O-2 (cap) ran out at 2026-11-24T12:00Z and fell away"), "{ended}");
    let json: serde_json::Value =
        serde_json::from_str(&bench.done(&format!("overrides list --all --json {later}"), 0)).unwrap();
    let ended: Vec<&str> =
        json["overrides"].as_array().unwrap().iter().map(|one| one["ended"].as_str().unwrap()).collect();
    assert_eq!(ended, ["ended by A. Manager: analyser is back", "its time was over"]);
    assert_eq!(bench.done(&format!("overrides list --toml {later}"), 0), "");
    let next = bench.done(&format!("overrides set --action hold --accession A3 {BY} {later}"), 0);
    assert!(next.contains("O-3"), "{next}");
}

#[test]
fn what_a_plan_would_refuse_cannot_be_set() {
    let bench = Bench::new();
    let once = bench.ledger().sample("A1").unwrap().unwrap().record;
    bench.record(1, |writer| writer.samples([Sample { irreplaceable: true, ..once }]));
    let check = |what: &str, expected: &[&str]| {
        bench.refused(&format!("overrides set {what} {BY} {LEDGER}"), expected);
    };
    check("--action force-discard --accession A1", &["C017", "needs a second person"]);
    check("--action force-discard --accession A1 --second b._scientist", &["C017"]);
    check("--action band --accession A3 --band defer", &["C017"]);
    check("--action band --accession A3 --band nonsense", &["C006"]);
    check("--action hold --accession A9", &["L018 the ledger knows no sample A9"]);
    check("--action hold", &["C004"]);
    check("--action hold --accession A3 --site HUB", &["C002"]);
    check("--action route --accession A3 --site HUB", &["C015"]);
    check("--action pin --accession A3 --analyser HUB-HAEM", &["C0"]);
    bench.refused(
        &format!("overrides set --action hold --accession A3 --by B --why x --until 2026-11-24T08:00 {LEDGER}"),
        &["L020"],
    );
    bench.refused(
        &format!(
            "overrides set --action hold --accession A3 --by B --why 943_476_5919 --until 2026-11-25T08:00 {LEDGER}"
        ),
        &["L019"],
    );
    set(&bench, "--action force-discard --accession A1 --second C._Chief");
    set(&bench, "--action band --accession A3 --band urgent");
    check("--action hold --request R1", &["C015", "contradicts override O-1"]);
    set(&bench, "--action hold --request R3");
    check("--action keep --accession A1", &["C015", "contradicts override O-1"]);
    set(&bench, "--action keep --accession A3");
}
