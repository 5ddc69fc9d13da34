//! What do the files say, and what must never be in them? Tiny snapshots with plans made by hand.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use labtriage_core::catalogue::State;
use labtriage_core::certificate::stage::count;
use labtriage_core::certificate::{Certificate, Prices, bounds};
use labtriage_core::cost::{cost, gap};
use labtriage_core::fairness::Fairness;
use labtriage_core::finding::Code;
use labtriage_core::fixture::{Fixture, line_of, sample_of};
use labtriage_core::flags::FlagSet;
use labtriage_core::overrides::Action;
use labtriage_core::plan::{
    Cancel, Discard, Disposition, Hold, Impossible, Plan, Recollection, Rule, Run, SamplePlan, Step, Visit,
};
use labtriage_core::policy::{FairnessLimit, GroupBy};
use labtriage_core::published::PublishedRun;
use labtriage_core::snapshot::Snapshot;
use labtriage_core::summary::Summary;
use labtriage_core::table::{CellIx, CollectionPointIx, DepartureIx, Ix, OverrideIx, SlotIx, Table};
use labtriage_core::units::{Cost, Percent};
use labtriage_formats::outputs::{
    Extras, FolderKind, OutputError, OutputFolder, Outputs, QuarantineEntry, file_names, summary_json, summary_text,
    write_outputs,
};
use labtriage_formats::plan_json::{
    Bound, Document, Input, StageBound, StatedFairness, Stopped, read_plan, write_plan,
};

/// A valid NHS number (test range), planted wherever a person can type.
const NHS_NUMBER: &str = "943 476 5919";

fn slot(row: usize) -> SlotIx {
    SlotIx::from_row(row)
}

fn document(snapshot: &Snapshot, plan: &Plan) -> Document {
    let cost = cost(snapshot, plan);
    Document {
        program: "0.1.0".to_owned(),
        options: BTreeMap::from([("rule".to_owned(), "band-edf".to_owned())]),
        inputs: vec![Input { role: "backlog".to_owned(), path: "../backlog.csv".to_owned(), sha256: "00".repeat(32) }],
        cost,
        fifo: Some(Cost::from_thousandths(9_000_000_000)),
        own: cost.total(),
        bound: None,
        fairness: None,
        stopped: Stopped { why: "complete".to_owned(), holds: "greedy plan".to_owned() },
        quarantined: 2,
    }
}

/// A plan in which every line waits.
fn waiting(snapshot: &Snapshot) -> Plan {
    Plan {
        rule: Rule::BandEdf,
        lines: Table::filled(Disposition::Hold(Hold::Waiting), snapshot.backlog.lines.len()),
        samples: Table::filled(SamplePlan::default(), snapshot.backlog.samples.len()),
        steps: Vec::new(),
        visits: Vec::new(),
        impossible: Vec::new(),
    }
}

fn set_steps(snapshot: &Snapshot, plan: &mut Plan, accession: &str, steps: &[Step]) {
    let facts = &mut plan.samples[sample_of(snapshot, accession)];
    facts.first_step = u32::try_from(plan.steps.len()).unwrap();
    facts.steps = u8::try_from(steps.len()).unwrap();
    plan.steps.extend_from_slice(steps);
}

fn departure(snapshot: &Snapshot, courier: &str) -> DepartureIx {
    snapshot.departures.position(|facts| snapshot.network.couriers[facts.courier].code == courier).unwrap()
}

/// One of everything: runs after a courier, an aliquot, a recall with and without a visit, a
/// duplicate, holds of each kind, discards, an override that could not be kept.
fn everything() -> (Snapshot, Plan) {
    let mut fixture = Fixture::new();
    fixture.sample("A1", "P1", "SST", &["K", "CRP", "TSH"]).site("HOSP").band("urgent");
    fixture.sample("A2", "P2", "SST", &["K", "NA"]).collected_hours_ago(100);
    fixture.sample("A3", "P3", "EDTA", &["FBC"]).collected_hours_ago(90).requester("W1").band("immediate");
    fixture.sample("A4", "P1", "SST", &["TSH"]);
    fixture.sample("A5", "P4", "CSF", &["CSFC"]);
    fixture.sample("A6", "P5", "SST", &["CRP"]).flags(FlagSet::DECEASED);
    fixture.sample("A7", "P6", "SST", &["UE", "K"]).state(State::PrimaryRefrigerated);
    fixture.sample("A8", "P7", "EDTA", &["FBC"]).result_held("FBC");
    fixture.override_("A6", Action::Hold).why = format!("ring {NHS_NUMBER} first");
    fixture.override_("A4", Action::ForceTest { caution: format!("=old sample of {NHS_NUMBER}") });
    let snapshot = fixture.snapshot();
    let mut plan = waiting(&snapshot);
    let analyser = |code: &str| Some(snapshot.network.analyser(code).unwrap());
    let run = |code: &str, at: usize| {
        Disposition::Run(Run { analyser: analyser(code), slot: slot(at), reported: slot(at + 1) })
    };
    let to_hub = departure(&snapshot, "HOSP-HUB");
    set_steps(
        &snapshot,
        &mut plan,
        "A1",
        &[
            Step::Spin(slot(0)),
            Step::BookIn(slot(0)),
            Step::Aliquot(slot(1)),
            Step::Refrigerate,
            Step::Send(to_hub),
            Step::BookIn(slot(4)),
        ],
    );
    let set = |plan: &mut Plan, accession: &str, test: &str, decision| {
        plan.lines[line_of(&snapshot, accession, test)] = decision
    };
    set(&mut plan, "A1", "TSH", run("HUB-CHEM", 5));
    set(&mut plan, "A1", "CRP", run("HOSP-CHEM", 2));
    set(&mut plan, "A1", "K", run("HOSP-CHEM", 2));
    set(
        &mut plan,
        "A2",
        "K",
        Disposition::Recall(Some(Run { analyser: analyser("HUB-CHEM"), slot: slot(19), reported: slot(19) })),
    );
    set(&mut plan, "A2", "NA", Disposition::Recall(None));
    set(&mut plan, "A3", "FBC", Disposition::Recall(None));
    set(&mut plan, "A4", "TSH", Disposition::Cancel(Cancel::Duplicate(line_of(&snapshot, "A1", "TSH"))));
    set(&mut plan, "A5", "CSFC", Disposition::Hold(Hold::Irreplaceable));
    set(&mut plan, "A6", "CRP", Disposition::Hold(Hold::Override(OverrideIx::from_row(0))));
    let last = snapshot.backlog.samples[sample_of(&snapshot, "A7")].lines().next_back().unwrap();
    plan.lines[last] = Disposition::Cancel(Cancel::Superseded);
    set(&mut plan, "A8", "FBC", Disposition::Run(Run { analyser: None, slot: slot(1), reported: slot(1) }));
    plan.samples[sample_of(&snapshot, "A2")].discard = Some(Discard::Expired);
    plan.samples[sample_of(&snapshot, "A3")].discard = Some(Discard::Expired);
    plan.samples[sample_of(&snapshot, "A4")].discard = Some(Discard::Override(OverrideIx::from_row(1)));
    let hub = snapshot.network.site("HUB").unwrap();
    plan.samples[sample_of(&snapshot, "A2")].recollection = Some(Recollection { site: hub, booked_in: slot(18) });
    let point = CollectionPointIx::from_row(0);
    plan.visits =
        vec![Visit { patient: snapshot.backlog.find_patient("P2").unwrap(), point, day: snapshot.first_visit[point] }];
    plan.impossible = vec![Impossible {
        override_: OverrideIx::from_row(1),
        line: line_of(&snapshot, "A4", "TSH"),
        reason: "a \"quoted\" reason".to_owned(),
    }];
    (snapshot, plan)
}

fn written(snapshot: &Snapshot, plan: &Plan) -> Vec<u8> {
    let mut out = Vec::new();
    write_plan(&mut out, &document(snapshot, plan), snapshot, plan).unwrap();
    out
}

/// Writes the folder of `everything` and returns its files by path.
fn files(snapshot: &Snapshot, plan: &Plan) -> BTreeMap<String, String> {
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("out");
    write_to(&target, snapshot, plan);
    let mut found = BTreeMap::new();
    collect(&target, &target, &mut found);
    found
}

fn write_to(target: &Path, snapshot: &Snapshot, plan: &Plan) {
    let folder = OutputFolder::create(target, FolderKind::Plan).unwrap();
    let document = document(snapshot, plan);
    let summary = Summary::of(snapshot, plan, document.cost, None);
    let summary = summary_text(
        &summary,
        snapshot,
        Extras { rule: plan.rule, quarantined: 2, band_edf: None, bound: None, extra_cost: None },
    );
    let quarantine = [QuarantineEntry {
        file: "backlog.csv".to_owned(),
        line: 7,
        accession: NHS_NUMBER.to_owned(),
        codes: "B008 B009".to_owned(),
        message: "@unknown test".to_owned(),
        hint: String::new(),
    }];
    let outputs = Outputs { snapshot, plan, document: &document, summary: &summary, quarantine: &quarantine };
    write_outputs(&folder, &outputs).unwrap();
    folder.finish().unwrap();
}

fn collect(root: &Path, folder: &Path, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, found);
        } else {
            let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            found.insert(name, fs::read_to_string(&path).unwrap());
        }
    }
}

/// The cell of a column in the row whose accession or first cell is this one.
fn cell(file: &str, row: &str, column: &str) -> String {
    let mut reader = csv::Reader::from_reader(file.as_bytes());
    let headers = reader.headers().unwrap().clone();
    let at = headers
        .iter()
        .position(|title| title.split(" (").next() == Some(column))
        .unwrap_or_else(|| panic!("no `{column}`"));
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let found = rows.iter().find(|record| record.iter().any(|cell| cell == row));
    found.unwrap_or_else(|| panic!("no row `{row}` in {file}"))[at].to_owned()
}

#[test]
fn a_plan_comes_back_as_it_was_written() {
    let (snapshot, plan) = everything();
    let text = written(&snapshot, &plan);
    let (header, raw) = read_plan(&text[..]).unwrap();
    assert_eq!(raw.resolve(&snapshot).unwrap(), plan);
    assert_eq!(header.document, document(&snapshot, &plan));
    assert_eq!((header.now, header.rule, header.zone.as_str()), (snapshot.now, plan.rule, "Europe/London"));
    assert_eq!(header.slots.len(), snapshot.grid.len() + 1);
    assert_eq!(header.counts.lines, snapshot.backlog.lines.len() as u64);
    assert_eq!(written(&snapshot, &plan), text, "the same plan gives the same bytes");
}

#[test]
fn a_plan_publishes_its_runs_for_another_night() {
    let (snapshot, plan) = everything();
    let (_, raw) = read_plan(&written(&snapshot, &plan)[..]).unwrap();
    // Tomorrow some tubes are gone, others are new, and the grid is another one.
    let mut tomorrow = Fixture::new();
    tomorrow.now = tomorrow.now.plus(labtriage_core::time::Minutes::new(150));
    tomorrow.sample("A0", "P0", "SST", &["K"]);
    tomorrow.sample("A1", "P1", "SST", &["CRP", "NA", "TSH"]).site("HOSP");
    tomorrow.sample("A2", "P2", "SST", &["K"]);
    let tomorrow = tomorrow.snapshot();
    let at = |minutes| snapshot.now.plus(labtriage_core::time::Minutes::new(minutes));
    let run = |test: &str, analyser: &str, from: i32| {
        let analyser = tomorrow.network.analyser(analyser).unwrap();
        (line_of(&tomorrow, "A1", test), PublishedRun { analyser, starts: at(from), ends: at(from + 60) })
    };
    // In the order of the plan; recalls, holds, reports and what is not found again publish nothing.
    assert_eq!(raw.published(&tomorrow), [run("CRP", "HOSP-CHEM", 120), run("TSH", "HUB-CHEM", 300)]);
}

#[test]
fn a_sample_stands_on_one_line_of_text() {
    let (snapshot, plan) = everything();
    let text = String::from_utf8(written(&snapshot, &plan)).unwrap();
    let check =
        |expected: &str| assert!(text.lines().any(|line| line.trim_end_matches(',') == expected), "{expected}\n{text}");
    check(
        r#"{"sample":"A1","steps":[["spin",0],["book-in",0],["aliquot",1],["refrigerate"],["send","HOSP-HUB","2024-06-03T09:00Z"],["book-in",4]],"lines":[["K","run",["HOSP-CHEM",2,3]],["CRP","run",["HOSP-CHEM",2,3]],["TSH","run",["HUB-CHEM",5,6]]]}"#,
    );
    check(
        r#"{"sample":"A2","discard":"EX","recollection":["HUB",18],"lines":[["K","recall",["HUB-CHEM",19,19]],["NA","recall",null]]}"#,
    );
    check(r#"{"sample":"A4","discard":["override",2],"lines":[["TSH","cancel","duplicate","A1","TSH"]]}"#);
    check(r#"{"sample":"A6","lines":[["CRP","hold","override",1]]}"#);
    check(r#"{"sample":"A8","lines":[["FBC","run",[null,1,1]]]}"#);
    check(r#"{"patient":"P2","point":"POINT","day":"2024-06-04"}"#);
}

#[test]
fn a_split_panel_beside_one_of_its_tests_is_told_apart() {
    let mut fixture = Fixture::new();
    // Potassium is spoilt by the refrigerator, sodium is not: the panel is split beside a single K.
    fixture.sample("A1", "P1", "SST", &["UE", "K"]).state(State::PrimaryRefrigerated);
    fixture.sample("A2", "P1", "SST", &["K"]);
    fixture.policy.cancel_duplicates = false;
    let snapshot = fixture.snapshot();
    let lines: Vec<_> = snapshot.backlog.samples[sample_of(&snapshot, "A1")].lines().collect();
    assert_eq!(lines.len(), 3);
    for &of in &lines {
        let mut plan = waiting(&snapshot);
        plan.lines[line_of(&snapshot, "A2", "K")] = Disposition::Cancel(Cancel::Duplicate(of));
        let (_, raw) = read_plan(&written(&snapshot, &plan)[..]).unwrap();
        assert_eq!(raw.resolve(&snapshot).unwrap(), plan);
    }
}

/// A change of the written plan, and part of the message that it must lead to.
fn check_unreadable(change: impl Fn(String) -> String, expected: &str) {
    let (snapshot, plan) = everything();
    let text = change(String::from_utf8(written(&snapshot, &plan)).unwrap());
    let findings = read_plan(text.as_bytes()).err().unwrap_or_else(|| panic!("read: {text}"));
    assert_eq!(findings[0].code, Code::PlanUnreadable);
    assert!(findings[0].message.contains(expected), "{:?} lacks {expected:?}", findings[0].message);
    assert!(!format!("{findings:?}").contains("943"), "{findings:?}");
}

fn replaced(from: &'static str, to: &'static str) -> impl Fn(String) -> String {
    move |text| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    }
}

#[test]
fn malformed_plans_are_findings() {
    check_unreadable(|_| String::new(), "ends in the middle");
    check_unreadable(|_| "[]".to_owned(), "expected a plan");
    check_unreadable(|_| "{}".to_owned(), "no plan of this program");
    check_unreadable(|text| text[..text.len() / 2].to_owned(), "ends in the middle");
    check_unreadable(|text| text + "x", "not valid JSON");
    check_unreadable(replaced("labtriage-plan", "other"), "no plan of this program");
    check_unreadable(replaced("\"version\":1", "\"version\":2"), "not of version 1");
    check_unreadable(replaced("\"version\":1", "\"version\":\"943 476 5919\""), "invalid type, expected u32");
    check_unreadable(replaced("\"program\":", "\"943\":"), "unknown word");
    check_unreadable(replaced("\"program\":\"0.1.0\",", ""), "missing key `program`");
    check_unreadable(replaced("\"rule\":\"band-edf\"", "\"rule\":\"best\""), "`rule` is none of");
    check_unreadable(replaced("\"bound\":null", "\"bound\":\"943\""), "invalid type, expected");
    check_unreadable(replaced("\"total\":", "\"total\":1"), "not the sum");
    check_unreadable(replaced("\"moved\":0", "\"moved\":1"), "not the sum");
    check_unreadable(replaced("[\"spin\",0]", "[\"spin\"]"), "ends too early");
    check_unreadable(replaced("[\"spin\",0]", "[\"spin\",70000]"), "invalid value, expected u16");
    check_unreadable(replaced("[\"spin\",0]", "[\"spin\",-1]"), "invalid value, expected u16");
    check_unreadable(replaced("[\"spin\",0]", "[\"shake\",0]"), "unknown word");
    check_unreadable(replaced("[\"refrigerate\"]", "[\"refrigerate\",943]"), "not valid JSON");
    check_unreadable(replaced("{\"sample\":\"A1\"", "{\"sample\":943"), "invalid type, expected a text");
    check_unreadable(replaced("{\"sample\":\"A1\"", "{\"name\":\"A1\""), "unknown word");
    check_unreadable(replaced("{\"sample\":\"A1\",", "{"), "missing field `sample`");
    check_unreadable(replaced("\"discard\":\"EX\"", "\"discard\":\"EX\",\"discard\":\"EX\""), "duplicate field");
    check_unreadable(replaced("\"discard\":\"EX\"", "\"discard\":\"QS\""), "unknown word");
    check_unreadable(replaced("\"patient\":\"P2\"", "\"patient\":943"), "invalid type, expected a text");
    check_unreadable(replaced("[\"HOSP-CHEM\",2,3]", "null"), "a run is missing");
    check_unreadable(replaced("\"samples\":[", "\"visits\":["), "duplicate field");
    check_unreadable(replaced("\"options\":{", "\"options\":{\"a\":[["), "invalid type");
    check_unreadable(|text| text.replace("\"visits\":", &format!("\"visits\":{}", "[".repeat(5000))), "");
}

/// The document of a plan with prices of two cells in each stage, and the bounds that they prove.
fn proven(snapshot: &Snapshot, plan: &Plan) -> (Document, Certificate) {
    let mut prices = Table::filled(0, snapshot.capacity.len());
    prices[CellIx::from_row(2)] = 7;
    prices[CellIx::from_row(5)] = 943;
    let certificate = Certificate { stages: vec![Prices::new(prices); count(snapshot)] };
    let bounds = bounds(snapshot, plan, &certificate);
    (Document { bound: Some(Bound::new(&certificate, &bounds)), ..document(snapshot, plan) }, certificate)
}

fn written_proven(snapshot: &Snapshot, plan: &Plan) -> String {
    let mut out = Vec::new();
    write_plan(&mut out, &proven(snapshot, plan).0, snapshot, plan).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn prices_and_bounds_come_back_as_they_were_written() {
    let (snapshot, plan) = everything();
    let (document, certificate) = proven(&snapshot, &plan);
    let text = written_proven(&snapshot, &plan);
    assert!(text.contains("\"prices\":[[2,7],[5,943]]"), "{text}");
    let (header, _) = read_plan(text.as_bytes()).unwrap();
    assert_eq!(header.document, document);
    let bound = header.document.bound.unwrap();
    assert_eq!(bound.certificate(&snapshot).unwrap(), certificate);
    assert!(bound.total() <= document.cost.total());
    let check = |bound: Bound| assert_eq!(bound.certificate(&snapshot).unwrap_err().code, Code::PlanMismatch);
    check(Bound { stages: bound.stages[1..].to_vec() });
    let beyond = StageBound { prices: vec![(u32::MAX, 1)], ..bound.stages[0].clone() };
    check(Bound { stages: vec![beyond; bound.stages.len()] });
}

/// How the kinds of requester wait in a plan, held against a limit.
fn waits(snapshot: &Snapshot, plan: &Plan) -> Fairness {
    let bands = snapshot.policy.bands.indices().collect();
    Fairness::judge(
        snapshot,
        plan,
        FairnessLimit { by: GroupBy::Kind, max_above: Percent::new(5), min_lines: 1, bands },
    )
}

#[test]
fn what_is_stated_of_groups_comes_back_as_it_was_written() {
    let (snapshot, plan) = everything();
    let stated = StatedFairness::new(&snapshot, &waits(&snapshot, &plan), Some(Cost::from_thousandths(943)));
    let document = Document { fairness: Some(stated.clone()), ..document(&snapshot, &plan) };
    let mut out = Vec::new();
    write_plan(&mut out, &document, &snapshot, &plan).unwrap();
    let text = String::from_utf8(out).unwrap();
    let begins =
        "\"fairness\":{\"by\":\"kind\",\"max_above_percent\":5,\"min_lines\":1,\"holds\":true,\"extra_cost\":943,";
    assert!(text.contains(begins), "{text}");
    assert!(text.contains("\"worst\":{\"group\":\"practice\","), "{text}");
    assert_eq!(read_plan(text.as_bytes()).unwrap().0.document, document);
    let check = |from: &'static str, to: &'static str, expected: &str| {
        let findings = read_plan(replaced(from, to)(text.clone()).as_bytes()).unwrap_err();
        assert_eq!(findings[0].code, Code::PlanUnreadable);
        assert!(findings[0].message.contains(expected), "{:?} lacks {expected:?}", findings[0].message);
    };
    check("\"by\":\"kind\"", "\"by\":\"town\"", "none of borough, practice, kind");
    check("\"extra_cost\":943", "\"extra_cost\":-943", "must not be below 0");
    check("\"min_lines\":1", "\"min_lines\":1,\"min_lines\":1", "duplicate field");
    check("\"holds\":true", "\"holds\":943", "invalid type");
    let other = StatedFairness { holds: false, ..stated.clone() };
    let words = "the plan states that its limit on fairness does not hold, by its decisions it holds";
    assert_eq!(other.difference(&stated), words);
    // Without a limit the file says nothing.
    let silent = Document { fairness: None, ..document };
    let mut out = Vec::new();
    write_plan(&mut out, &silent, &snapshot, &plan).unwrap();
    assert!(!String::from_utf8(out).unwrap().contains("fairness"));
}

#[test]
fn the_summary_says_who_waits_longest_and_what_the_limit_cost() {
    let (snapshot, plan) = everything();
    let mut summary = Summary::of(&snapshot, &plan, cost(&snapshot, &plan), None);
    summary.fairness = Some(waits(&snapshot, &plan));
    let extra_cost = Some(Cost::from_thousandths(12_345));
    let extras = Extras { rule: Rule::Priced, quarantined: 0, band_edf: None, bound: None, extra_cost };
    let text = summary_text(&summary, &snapshot, extras);
    for expected in [
        "\nFairness    holds: no kind of requester waits more than 5 % longer than its band\n",
        "\n  12.3 weighted days dearer than the cheapest plan found\n",
        "\n  immediate: mean 10 d, longest ward with 10 d (+0.0 %), 1 judged\n",
    ] {
        assert!(text.contains(expected), "{text} lacks {expected}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 100 && line.trim_end() == line), "{text}");
    let json = summary_json(&summary, &snapshot, extras).unwrap();
    assert_eq!((&json["fairness"]["holds"], &json["fairness"]["extra_cost"]), (&true.into(), &12_345.into()));
    assert_eq!(json["fairness"]["bands"][0]["worst"]["group"], "ward");
}

#[test]
fn malformed_bounds_are_findings() {
    let (snapshot, plan) = everything();
    let text = written_proven(&snapshot, &plan);
    let check = |from: &'static str, to: &'static str, expected: &str| {
        let findings = read_plan(replaced(from, to)(text.clone()).as_bytes()).unwrap_err();
        assert_eq!(findings[0].code, Code::PlanUnreadable);
        assert!(findings[0].message.contains(expected), "{:?} lacks {expected:?}", findings[0].message);
        assert!(!format!("{findings:?}").contains("943"), "{findings:?}");
    };
    check("[2,7],[5,943]", "[5,943],[2,7]", "in order of cell");
    check("[2,7],[5,943]", "[2,7],[2,943]", "in order of cell");
    check("[2,7]", "[2,0]", "above 0");
    check("[2,7]", "[2,-943]", "above 0");
    check("[2,7]", "[2,7.943]", "invalid type, expected i64");
    check("[2,7]", "[2]", "invalid length");
    check("\"gap_ppm\":", "\"gap_ppm\":1", "`gap_ppm` of `bound`");
    check("\"bound\":{\"total\":", "\"bound\":{\"total\":1", "`total` of `bound`");
    check("1/65536 thousandth", "943 thousandths", "not in 1/65536");
    check("\"price_unit\":", "\"943\":", "unknown field");
}

/// A change of the written plan that can be read, and part of what does not fit.
fn check_mismatch(change: impl Fn(String) -> String, expected: &str) {
    let (snapshot, plan) = everything();
    let text = change(String::from_utf8(written(&snapshot, &plan)).unwrap());
    let (_, raw) = read_plan(text.as_bytes()).unwrap();
    let findings = raw.resolve(&snapshot).unwrap_err();
    assert_eq!(findings[0].code, Code::PlanMismatch);
    assert!(findings[0].message.contains(expected), "{:?} lacks {expected:?}", findings[0].message);
}

#[test]
fn a_plan_of_other_inputs_is_a_finding() {
    check_mismatch(replaced("\"sample\":\"A1\"", "\"sample\":\"A0\""), "sample `A1` of the inputs is not in its place");
    check_mismatch(replaced("[\"TSH\",\"run\"", "[\"NA\",\"run\""), "its tests are not those");
    check_mismatch(replaced("\"HOSP-CHEM\"", "\"HOSP-X\""), "an analyser that the network does not have");
    check_mismatch(replaced("[\"spin\",0]", "[\"spin\",999]"), "beyond the horizon");
    check_mismatch(replaced("\"HOSP-HUB\"", "\"HOSP-X\""), "a courier that the network does not have");
    check_mismatch(replaced("\"HOSP-HUB\",\"2024-06-03T09:00Z\"", "\"HOSP-HUB\",\"2024-06-03T09:01Z\""), "timetable");
    check_mismatch(replaced("[\"HUB\",18]", "[\"HUX\",18]"), "a site that the network does not have");
    check_mismatch(replaced("\"override\",2]", "\"override\",9]"), "not in force");
    check_mismatch(replaced("\"A1\",\"TSH\"]", "\"A9\",\"TSH\"]"), "a line that the inputs do not have");
    check_mismatch(replaced("{\"patient\":\"P2\"", "{\"patient\":\"P9\""), "a patient that the inputs do not have");
    check_mismatch(replaced("\"point\":\"POINT\"", "\"point\":\"X\""), "a collection point");
    check_mismatch(replaced("\"day\":\"2024-06-04\"", "\"day\":\"x\""), "the day of a visit");
    check_mismatch(
        replaced("{\"sample\":\"A5\",\"lines\":[[\"CSFC\",\"hold\",\"irreplaceable\"]]},\n", ""),
        "the plan has 7 samples",
    );
    check_mismatch(replaced("\"2024-06-03T08:00Z\"", "\"2024-06-03T08:01Z\""), "the slots of the plan");
}

#[test]
fn every_list_says_what_to_do() {
    let (snapshot, plan) = everything();
    let files = files(&snapshot, &plan);
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "discards.csv",
            "holds.csv",
            "plan.json",
            "quarantine.csv",
            "recalls/G1.csv",
            "recalls/W1.csv",
            "stabilise.csv",
            "summary.txt",
            "transfers.csv",
            "worklists/HOSP.csv",
            "worklists/HUB.csv",
            "worklists/PARTNER.csv",
        ]
    );
    let check = |file: &str, row: &str, column: &str, expected: &str| {
        assert_eq!(cell(&files[file], row, column), expected, "{file} {row} {column}");
    };
    check("worklists/HUB.csv", "TSH", "analyser", "HUB-CHEM");
    check("worklists/HUB.csv", "TSH", "start", "2024-06-03 13:00");
    check("worklists/HUB.csv", "TSH", "comes_from", "HOSP");
    check("worklists/HUB.csv", "TSH", "arrives", "2024-06-03 10:45");
    check("worklists/HUB.csv", "TSH", "limit_hours", "72");
    check("worklists/HUB.csv", "TSH", "limit_state", "separated refrigerated");
    check("worklists/HUB.csv", "TSH", "limit_sources", "T");
    check("worklists/HUB.csv", "TSH", "limit_basis", "sourced");
    // Spun from 08:00 on, a twelfth of the 24 h at room temperature until 10:00, then eleven twelfths of 72 h.
    check("worklists/HUB.csv", "TSH", "window_closes", "2024-06-06 03:59");
    check("worklists/HUB.csv", "A8", "analyser", "report only");
    check("worklists/HUB.csv", "A8", "reported", "2024-06-03 10:00");
    check("worklists/HOSP.csv", "K", "comes_from", "here");
    check("worklists/HOSP.csv", "K", "new_tube", "");
    check("transfers.csv", "A1", "departs", "2024-06-03 10:00");
    check("transfers.csv", "A1", "condition", "refrigerated");
    check("transfers.csv", "A1", "container", "aliquot");
    check("stabilise.csv", "spin", "site", "HOSP");
    check("stabilise.csv", "spin", "reason", "to run K CRP TSH");
    check("stabilise.csv", "refrigerate", "start", "2024-06-03 10:00");
    check("stabilise.csv", "aliquot", "site", "HOSP");
    check("discards.csv", "A2", "reason_code", "EX");
    check("discards.csv", "A2", "limit_test", "NA");
    check("discards.csv", "A2", "limit_hours", "12");
    check(
        "discards.csv",
        "A2",
        "lines",
        "K unfit from 2024-05-30 10:00 (primary ambient); NA unfit from 2024-05-30 16:00 (primary ambient)",
    );
    check("discards.csv", "A2", "hold_ended", "2024-06-01 16:00");
    check("discards.csv", "A2", "recall", "required: visit POINT 2024-06-04");
    check("discards.csv", "A3", "recall", "required: to be arranged");
    check("discards.csv", "A4", "recall", "not required: another sample answers the same question");
    check("discards.csv", "A4", "reason", "a person's decision: test (line 2)");
    check("discards.csv", "A4", "authorised_by", "");
    check("recalls/G1.csv", "P2", "tests", "K; NA");
    check("recalls/G1.csv", "P2", "tubes", "1 x SST");
    check("recalls/G1.csv", "P2", "visit_day", "2024-06-04");
    check("recalls/G1.csv", "P2", "book_by", "2024-06-03");
    check("recalls/G1.csv", "P2", "reason", "A new sample is needed: the first one is too old for a reliable result.");
    check("recalls/W1.csv", "P3", "visit_point", "to be arranged");
    check("holds.csv", "A6", "reason", "a person's override holds it: ring [number taken out] first (line 1)");
    check("quarantine.csv", "7", "message", "'@unknown test");
}

#[test]
fn the_bench_expects_the_new_tubes_of_recalled_patients() {
    let (snapshot, mut plan) = everything();
    // Potassium would be spoilt before the van arrives; sodium keeps.
    let (potassium, sodium) = (line_of(&snapshot, "A2", "K"), line_of(&snapshot, "A2", "NA"));
    (plan.lines[potassium], plan.lines[sodium]) = (plan.lines[sodium], plan.lines[potassium]);
    let files = files(&snapshot, &plan);
    let rows: Vec<&str> = files["worklists/HUB.csv"].lines().collect();
    assert!(rows[0].ends_with(",reported,new_tube,replaces"), "{}", rows[0]);
    // The pseudonym of the patient stands on the recall list only; the old tube's number ties the two together.
    assert_eq!(
        rows[1..],
        [
            "HUB-CHEM,2024-06-03 13:00,2024-06-03 14:00,A1,SST,TSH,TSH,urgent,HOSP,2024-06-03 10:45,2024-06-06 03:59,72,\
             separated refrigerated,T,sourced,50,,,2024-06-03 15:00,,",
            "HUB-CHEM,2024-06-05 00:00,2024-06-05 04:00,,SST,NA,NA,routine,POINT,2024-06-04 17:00,2024-06-11 17:00,168,\
             separated refrigerated,T,sourced,10,,,2024-06-05 04:00,visit 2024-06-04,A2",
            "report only,2024-06-03 09:00,2024-06-03 10:00,A8,EDTA,FBC,FBC,routine,here,,,,,,,,,,2024-06-03 10:00,,",
        ]
    );
    assert!(!files["worklists/HOSP.csv"].contains("visit"), "a re-test stands where it is run, and only there");
}

#[test]
fn a_practice_sees_its_own_patients_only() {
    let (snapshot, plan) = everything();
    let files = files(&snapshot, &plan);
    assert!(files["recalls/G1.csv"].contains("P2") && !files["recalls/G1.csv"].contains("P3"));
    assert!(files["recalls/W1.csv"].contains("P3") && !files["recalls/W1.csv"].contains("P2"));
    let all = files.iter().filter(|(name, _)| name.starts_with("recalls/"));
    for (name, text) in all {
        assert!(!text.to_lowercase().contains("lost"), "{name}: {text}");
    }
}

#[test]
fn a_planted_nhs_number_is_in_no_output() {
    let (snapshot, plan) = everything();
    for (name, text) in files(&snapshot, &plan) {
        let digits: String = text.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
        assert!(!digits.contains("9434765919"), "{name}: {text}");
    }
}

#[test]
fn every_file_with_a_stability_figure_says_that_it_is_an_example() {
    let (snapshot, plan) = everything();
    let files = files(&snapshot, &plan);
    for name in ["worklists/HUB.csv", "worklists/HOSP.csv", "discards.csv", "holds.csv", "summary.txt"] {
        assert!(files[name].contains("example"), "{name}");
    }
}

#[test]
fn no_cell_runs_in_a_spreadsheet() {
    let mut fixture = Fixture::new();
    fixture.sample("=cmd|' /C calc'!A0", "+P1", "SST", &["K"]).request("@R1");
    fixture.sample("-A2", "-P2", "SST", &["CRP"]).collected_hours_ago(100).request("\tR2");
    fixture.override_("-A2", Action::ForceTest { caution: "=HYPERLINK(\"x\")".to_owned() });
    fixture.catalogue.tests[labtriage_core::table::TestIx::from_row(0)].name = "=name".to_owned();
    let snapshot = fixture.snapshot();
    let mut plan = waiting(&snapshot);
    let analyser = snapshot.network.analyser("HUB-CHEM");
    let run = Disposition::Run(Run { analyser, slot: slot(1), reported: slot(1) });
    for (line, decision) in [(0, Disposition::Recall(None)), (1, run)] {
        plan.lines[labtriage_core::table::LineIx::from_row(line)] = decision;
    }
    let hub = departure(&snapshot, "HUB-HOSP");
    set_steps(&snapshot, &mut plan, "-A2", &[Step::Spin(slot(0)), Step::BookIn(slot(0)), Step::Send(hub)]);
    plan.samples[sample_of(&snapshot, "-A2")].discard = Some(Discard::Override(OverrideIx::from_row(0)));
    for (name, text) in files(&snapshot, &plan).iter().filter(|(name, _)| name.ends_with(".csv")) {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        for record in reader.records() {
            for cell in &record.unwrap() {
                assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{name}: {cell}");
            }
        }
    }
}

#[test]
fn file_names_stay_inside_and_apart() {
    let names = file_names(["G1", "../../etc/passwd", "a/b", "a_b", "A_B", "", "é"].into_iter());
    assert_eq!(names, ["G1", "______etc_passwd", "a_b", "a_b-2", "A_B-3", "_", "_-2"]);
}

/// The names in a folder, hidden ones too.
fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

#[test]
fn a_folder_dropped_before_it_is_finished_leaves_nothing() {
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("out");
    let folder = OutputFolder::create(&target, FolderKind::Plan).unwrap();
    folder.file("worklists/HUB.csv").unwrap();
    drop(folder);
    assert!(names_in(place.path()).is_empty());
    let panicked = std::panic::catch_unwind(|| {
        let folder = OutputFolder::create(&target, FolderKind::Plan).unwrap();
        folder.file(plan_name()).unwrap();
        panic!("in the middle");
    });
    assert!(panicked.is_err());
    assert!(names_in(place.path()).is_empty());
}

#[cfg(unix)]
#[test]
fn what_killed_runs_left_is_deleted_and_nothing_else() {
    let (snapshot, plan) = everything();
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("out");
    let old_age = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
    let left = |name: &str, inside: &str, old: bool| {
        let folder = place.path().join(name);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join(inside), "PSEUDO1").unwrap();
        let age = if old { old_age } else { old_age + std::time::Duration::from_secs(10_000_000_000) };
        fs::File::open(&folder).unwrap().set_modified(age).unwrap();
    };
    left(".out.labtriage-new-12-0", plan_name(), true);
    left(".out.labtriage-new-4242-3", "discards.csv", true);
    left(".out.labtriage-old-12-0", plan_name(), true);
    let others = [
        (".out.labtriage-new-13-0", plan_name(), false),
        (".out.labtriage-new-14-0", "thesis.txt", true),
        (".out.labtriage-new-mine-0", plan_name(), true),
        (".out.labtriage-new-15-0-copy", plan_name(), true),
        (".other.labtriage-new-12-0", plan_name(), true),
        ("out.labtriage-new-12-0", plan_name(), true),
    ];
    others.iter().for_each(|(name, inside, old)| left(name, inside, *old));
    fs::write(place.path().join(".out.labtriage-new-16-0"), "a file").unwrap();
    std::os::unix::fs::symlink("out.labtriage-new-12-0", place.path().join(".out.labtriage-new-17-0")).unwrap();
    let mut kept: Vec<&str> = others.iter().map(|(name, ..)| *name).collect();
    kept.extend([".out.labtriage-new-16-0", ".out.labtriage-new-17-0"]);
    let there = |more: &[&str]| {
        let mut names: Vec<String> = kept.iter().chain(more).map(|name| (*name).to_owned()).collect();
        names.sort_unstable();
        names
    };
    // A run that is still at work, however long, keeps its folder; nothing is in the place of the earlier output yet.
    let slow = OutputFolder::create(&target, FolderKind::Plan).unwrap();
    assert_eq!(slow.swept(), 2);
    let names = names_in(place.path());
    let at_work = names.iter().find(|name| name.contains(&format!("-new-{}-", std::process::id()))).unwrap();
    fs::File::open(place.path().join(at_work)).unwrap().set_modified(old_age).unwrap();
    write_to(&target, &snapshot, &plan);
    assert_eq!(names_in(place.path()), there(&["out", ".out.labtriage-old-12-0", at_work]));
    drop(slow);
    assert_eq!(OutputFolder::create(&target, FolderKind::Plan).unwrap().swept(), 1);
    assert_eq!(names_in(place.path()), there(&["out"]));
    assert_eq!(fs::read_to_string(place.path().join("out.labtriage-new-12-0").join(plan_name())).unwrap(), "PSEUDO1");
}

fn plan_name() -> &'static str {
    labtriage_formats::plan_json::FILE
}

#[test]
fn an_earlier_output_is_replaced_whole() {
    let (snapshot, plan) = everything();
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("deep/out");
    write_to(&target, &snapshot, &plan);
    let old = names_in(&target.join("recalls"));
    assert_eq!(old, ["G1.csv", "W1.csv"]);
    write_to(&target, &snapshot, &waiting(&snapshot));
    assert_eq!(names_in(&place.path().join("deep")), ["out"]);
    assert!(!target.join("recalls").exists());
}

#[test]
fn what_is_not_ours_is_refused_and_left_alone() {
    let refused = |prepare: &dyn Fn(&Path)| {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("out");
        prepare(&target);
        let error = OutputFolder::create(&target, FolderKind::Plan).unwrap_err();
        assert!(matches!(error, OutputError::NotOurs { .. }), "{error}");
        assert_eq!(names_in(place.path()), ["out"]);
        error.to_string()
    };
    let message = refused(&|target| {
        fs::create_dir(target).unwrap();
        fs::write(target.join("backlog.csv"), "mine").unwrap();
    });
    assert!(message.contains("it holds `backlog.csv`"), "{message}");
    let message = refused(&|target| fs::write(target, "a file").unwrap());
    assert!(message.contains("not a folder"), "{message}");
    let message = refused(&|target| {
        fs::create_dir(target).unwrap();
        fs::write(target.join("plan.json"), "{\"format\":\"other\"}").unwrap();
    });
    assert!(message.contains("no plan of this program"), "{message}");
    // Something may turn up while the output is being written.
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("out");
    let folder = OutputFolder::create(&target, FolderKind::Plan).unwrap();
    fs::create_dir(&target).unwrap();
    fs::write(target.join("notes.txt"), "mine").unwrap();
    assert!(folder.finish().is_err());
    assert_eq!(names_in(place.path()), ["out"]);
    assert_eq!(names_in(&target), ["notes.txt"]);
}

#[test]
fn an_empty_folder_is_used_and_paths_stay_inside() {
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("out");
    fs::create_dir(&target).unwrap();
    let folder = OutputFolder::create(&target, FolderKind::Plan).unwrap();
    for path in ["../x", "/etc/x", "a//b", "", ".", "a/../b", "a/.b", "a\\b"] {
        assert!(folder.file(path).is_err(), "{path}");
    }
    folder.file("worklists/A-1_b.csv").unwrap();
    folder.finish().unwrap();
    assert_eq!(names_in(&target), ["worklists"]);
    assert_eq!(names_in(place.path()), ["out"]);
}

#[test]
fn the_summary_is_short_and_opens_with_what_is_at_risk() {
    let (snapshot, plan) = everything();
    let cost = cost(&snapshot, &plan);
    let mut fifo = cost;
    fifo.waiting += cost.total();
    let summary = Summary::of(&snapshot, &plan, cost, Some(fifo));
    let bound = Cost::from_thousandths(cost.total().thousandths() * 1000 / 1012);
    let extras = Extras {
        rule: Rule::Priced,
        quarantined: 2,
        band_edf: Some(cost.total()),
        bound: Some(bound),
        extra_cost: None,
    };
    let text = summary_text(&summary, &snapshot, extras);
    assert!(text.lines().count() <= 45, "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 100 && line.trim_end() == line), "{text}");
    assert_eq!(text.lines().nth(1), Some("STRICT BANDS: 1 LINE AT RISK, neither run nor cancelled:"));
    assert_eq!(text.lines().nth(2), Some("  A3  FBC  immediate"));
    let proof = "Proof       at most 1.21 % above the best possible, strict bands first (bound ";
    for expected in [
        "50.0 % less than first in, first out and 0.0 % less than band-edf\n",
        proof,
        "2 rows of the extract",
        "examples",
        "3 proposed",
    ] {
        assert!(text.contains(expected), "{text} lacks {expected}");
    }
    let json = summary_json(&summary, &snapshot, extras).unwrap();
    assert_eq!(json["strict_not_met"][0]["accession"], "A3");
    assert_eq!(json["saved_permille"], 500);
    assert_eq!(json["saved_on_band_edf_permille"], 0);
    assert_eq!(json["bound"], bound.thousandths());
    assert_eq!(json["gap_ppm"], gap(cost.total(), bound).unwrap());
    let plain = Extras { rule: Rule::BandEdf, band_edf: None, bound: None, ..extras };
    let text = summary_text(&summary, &snapshot, plain);
    assert!(text.contains("50.0 % less than first in, first out\n") && !text.contains("Proof"), "{text}");
    assert_eq!(json["lines"]["total"], snapshot.backlog.lines.len());
}
