//! What does a person see on the terminal? Standard output, standard error and exit code of every command.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// A folder of a test's own, with one sound night in `night/`.
struct Bench {
    folder: tempfile::TempDir,
}

const HEADER: &str = "accession,request,patient,requester,band,clinical_flags,requested_at,collected_at,received_at,\
                      separated_at,specimen,site,condition,history,volume_ul,tests,sample_flags\n";
const ROWS: &str = "\
A1,R1,PTA,Z00001,,two_week_wait,2026-11-23T08:00,2026-11-23T09:00,2026-11-23T13:00,2026-11-23T14:00,SST,HUB,refrigerated,,,UE;CRP,
A2,R2,PTB,Z00002,,symptomatic,2026-11-22T08:00,2026-11-22T09:00,2026-11-22T13:00,,EDTA,HUB,refrigerated,,,FBC*,
A3,R3,PTC,Z00002,,monitoring_due,2026-11-18T08:00,2026-11-18T09:00,2026-11-18T13:00,,SST,HUB,refrigerated,,,UE;CRP,
A4,R4,PTD,Z9A01,,emergency,2026-11-23T17:00,2026-11-23T17:10,2026-11-23T17:40,,EDTA,KINGS,ambient,,,FBC,
";

impl Bench {
    fn new() -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        bench.night("night", ROWS);
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn night(&self, name: &str, rows: &str) {
        fs::create_dir(self.path(name)).unwrap();
        fs::write(self.path(name).join("backlog.csv"), format!("{HEADER}{rows}")).unwrap();
        let scenario = "name = \"test\"\nnow = \"2026-11-23 20:00\"\n";
        fs::write(self.path(name).join("scenario.toml"), scenario).unwrap();
    }

    /// Runs a command inside the folder: arguments, exit code, output and words in one text.
    fn run(&self, arguments: &[&str]) -> String {
        let run = Command::new(env!("CARGO_BIN_EXE_labtriage"))
            .args(arguments)
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let code = run.status.code().unwrap();
        let shown = format!(
            "$ labtriage {}\nexit {code}\n--- stdout\n{}--- stderr\n{}",
            arguments.join(" "),
            text(&run.stdout),
            text(&run.stderr)
        );
        shown.replace(&*self.folder.path().to_string_lossy(), "FOLDER")
    }
}

/// Every file below a folder, in order, as (path, bytes).
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push((path.strip_prefix(folder).unwrap().to_owned(), fs::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a_night_from_plan_to_explanation() {
    let bench = Bench::new();
    insta::assert_snapshot!("plan", bench.run(&["plan", "night"]));
    insta::assert_snapshot!("check_plan", bench.run(&["check", "--plan", "night/plan"]));
    insta::assert_snapshot!("explain_run_and_held_result", bench.run(&["explain", "A2", "--plan", "night/plan"]));
    insta::assert_snapshot!("explain_recalled", bench.run(&["explain", "PTC", "--plan", "night/plan"]));
    insta::assert_snapshot!("explain_json", bench.run(&["explain", "R1", "--plan", "night/plan", "--json"]));
    insta::assert_snapshot!("explain_unknown", bench.run(&["explain", "A9", "--plan", "night/plan"]));
}

#[test]
fn a_line_that_was_stopped_says_where_by_what_and_what_would_have_saved_it() {
    let bench = Bench::new();
    let shipped = include_str!("../../../config/network.toml");
    assert!(shipped.contains("\ncapacity_percent = 100 "));
    let nothing = shipped.replacen("\ncapacity_percent = 100 ", "\ncapacity_percent = 0 ", 1);
    fs::write(bench.path("night/network.toml"), nothing).unwrap();
    bench.run(&["plan", "night", "--quiet"]);
    insta::assert_snapshot!("explain_stopped", bench.run(&["explain", "A4", "--plan", "night/plan"]));
}

#[test]
fn inputs_are_checked_without_planning() {
    let bench = Bench::new();
    insta::assert_snapshot!("check_inputs", bench.run(&["check", "night"]));
    insta::assert_snapshot!("check_inputs_json", bench.run(&["check", "night", "--json"]));
    assert!(!bench.path("night/plan").exists());
}

#[test]
fn bad_arguments_and_inputs_are_refused_and_nothing_is_written() {
    let bench = Bench::new();
    bench.night("broken", "A1,R1,PTA,Z00001,,,yesterday,2026-11-23T09:00,,,SSX,HBU,warm,,x,FBX,\n");
    bench.night("empty", "");
    insta::assert_snapshot!("no_such_folder", bench.run(&["plan", "nowhere"]));
    insta::assert_snapshot!("broken_extract", bench.run(&["plan", "broken"]));
    insta::assert_snapshot!("empty_extract", bench.run(&["plan", "empty"]));
    insta::assert_snapshot!("bad_now", bench.run(&["plan", "night", "--now", "2026-10-25T01:30"]));
    insta::assert_snapshot!("bad_rule", bench.run(&["plan", "night", "--rule", "best"]));
    insta::assert_snapshot!("unknown_scenario", bench.run(&["generate", "--scenario", "synnovis", "--out", "x"]));
    for percent in ["101", "-1", "nan", "inf", "x"] {
        let refused = bench.run(&["plan", "night", &format!("--max-quarantine={percent}")]);
        assert!(refused.contains("exit 2") && refused.contains("write a percentage from 0 to 100"), "{refused}");
    }
    insta::assert_snapshot!("bad_gap", bench.run(&["plan", "night", "--gap", "101"]));
    insta::assert_snapshot!("rule_without_limit", bench.run(&["plan", "night", "--time-limit", "2", "--rule", "fifo"]));
    fs::write(bench.path("night/policy.toml"), "version = \"x\"\nbandz = 1\n").unwrap();
    insta::assert_snapshot!("broken_policy", bench.run(&["plan", "night"]));
    assert!(["broken/plan", "empty/plan", "night/plan", "x"].iter().all(|name| !bench.path(name).exists()));
}

#[test]
fn people_who_contradict_each_other_or_the_night_are_told() {
    let bench = Bench::new();
    let decided = |action: &str, accession: &str| {
        let who = "who = \"w\"\nwhy = \"y\"\nuntil = \"2026-11-30 20:00\"\n";
        format!("[[override]]\naccession = \"{accession}\"\ntest = \"CRP\"\n{action}\n{who}")
    };
    let run = |decisions: &[&str], accession: &str| {
        let text: String = decisions.iter().map(|action| decided(action, accession)).collect();
        fs::write(bench.path("night/overrides.toml"), text).unwrap();
        bench.run(&["plan", "night", "--rule", "band-edf"])
    };
    let (hub, kings) = ("action = \"pin\"\nanalyser = \"HUB-CHEM\"", "action = \"pin\"\nsite = \"KINGS\"");
    for pair in [[hub, kings], [hub, "action = \"force-discard\""], ["action = \"hold\"", kings]] {
        let shown = run(&pair, "A1");
        assert!(shown.contains("exit 2") && shown.contains("night/overrides.toml:"), "{shown}");
        assert!(shown.contains(": C015 a `") && shown.contains(" are about the same line"), "{shown}");
    }
    assert!(run(&[hub, "action = \"pin\"\nsite = \"HUB\""], "A1").contains("exit 0"));
    let early = run(&["action = \"pin\"\nby = \"2026-11-23 20:01\""], "A1");
    assert!(early.contains("night/overrides.toml:1:1: C021 this `pin` is not kept for test `CRP`: "), "{early}");
}

#[test]
fn a_published_plan_is_kept_named_and_read_again() {
    let bench = Bench::new();
    bench.run(&["plan", "night", "--quiet"]);
    // An emergency has come in since; what is on the worklists for the next hours stays there.
    let urgent = "A0,R0,PTE,Z9A01,,emergency,2026-11-23T19:00,2026-11-23T19:10,2026-11-23T19:40,2026-11-23T20:00,SST,HUB,ambient,,,UE,\n";
    bench.night("later", &format!("{ROWS}{urgent}"));
    let again = ["plan", "later", "--now", "2026-11-23T20:00", "--previous", "night/plan"];
    insta::assert_snapshot!("plan_after_another", bench.run(&again));
    let runs = |folder: &str| {
        let plan = fs::read_to_string(bench.path(folder).join("plan.json")).unwrap();
        plan.lines()
            .filter(|line| line.contains("\"A1\""))
            .map(|line| line.trim_end_matches(',').to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(runs("later/plan"), runs("night/plan"));
    let plan = fs::read_to_string(bench.path("later/plan/plan.json")).unwrap();
    assert!(plan.contains("{\"role\":\"previous\",\"path\":\"../../night/plan/plan.json\",\"sha256\":\""), "{plan}");
    assert!(plan.contains("\"moved\":0,"), "{plan}");
    assert!(bench.run(&["check", "--plan", "later/plan"]).contains("the plan is lawful"));
    let explained = bench.run(&["explain", "A1", "--plan", "later/plan"]);
    assert!(explained.contains("published    HUB-CHEM, Mon 23 Nov 20:00–21:00: frozen, and kept"), "{explained}");
    // Moved away from where it is published, it is found out, and so is another published plan.
    let path = bench.path("later/plan/plan.json");
    let moved = plan.replace("[\"HUB-CHEM\",0,0]", "[\"HUB-CHEM\",1,1]");
    assert_ne!(moved, plan);
    fs::write(&path, moved).unwrap();
    insta::assert_snapshot!("moved_against_another", bench.run(&["check", "--plan", "later/plan"]));
    fs::write(&path, &plan).unwrap();
    let published = bench.path("night/plan/plan.json");
    let other = fs::read_to_string(&published).unwrap().replacen("\"quarantined\":0", "\"quarantined\":1", 1);
    fs::write(&published, other).unwrap();
    insta::assert_snapshot!("another_has_changed", bench.run(&["check", "--plan", "later/plan"]));
}

#[test]
fn a_previous_plan_that_cannot_be_is_refused_and_nothing_is_written() {
    let bench = Bench::new();
    let after = |folder: &str, more: &[&str]| {
        let mut arguments = vec!["plan", "night", "--previous", folder];
        arguments.extend_from_slice(more);
        bench.run(&arguments)
    };
    insta::assert_snapshot!("previous_missing", after("nowhere", &[]));
    assert!(!bench.path("night/plan").exists());
    bench.run(&["plan", "night", "--quiet"]);
    insta::assert_snapshot!("previous_replaced", after("night/plan", &[]));
    insta::assert_snapshot!("previous_later", after("night/plan", &["--now", "2026-11-23T19:59", "--out", "x"]));
    let path = bench.path("night/plan/plan.json");
    let plan = fs::read_to_string(&path).unwrap();
    fs::write(&path, &plan[..plan.len() / 2]).unwrap();
    insta::assert_snapshot!("previous_broken", after("night/plan", &["--out", "x"]));
    assert!(!bench.path("x").exists());
}

#[test]
fn a_folder_that_is_not_ours_is_left_alone() {
    let bench = Bench::new();
    fs::create_dir(bench.path("precious")).unwrap();
    fs::write(bench.path("precious/thesis.txt"), "years of work").unwrap();
    insta::assert_snapshot!("not_ours", bench.run(&["plan", "night", "--out", "precious"]));
    assert_eq!(fs::read_to_string(bench.path("precious/thesis.txt")).unwrap(), "years of work");
}

#[test]
fn a_plan_of_changed_inputs_is_refused() {
    let bench = Bench::new();
    bench.run(&["plan", "night", "--quiet"]);
    let rows = ROWS.replace("PTA", "PTZ");
    fs::write(bench.path("night/backlog.csv"), format!("{HEADER}{rows}")).unwrap();
    insta::assert_snapshot!("changed_inputs", bench.run(&["check", "--plan", "night/plan"]));
}

#[test]
fn a_tampered_plan_is_found_out() {
    let bench = Bench::new();
    bench.run(&["plan", "night", "--quiet"]);
    let path = bench.path("night/plan/plan.json");
    let plan = fs::read_to_string(&path).unwrap();
    assert!(plan.contains("\"book-in\""), "{plan}");
    fs::write(&path, plan.replacen("[[\"book-in\",0]]", "[]", 1)).unwrap();
    insta::assert_snapshot!("tampered_plan", bench.run(&["check", "--plan", "night/plan"]));
    fs::write(&path, &plan[..plan.len() / 2]).unwrap();
    assert!(bench.run(&["check", "--plan", "night/plan"]).contains("P002"));
}

/// A night of sixteen blood counts for which there is hardly room.
fn scarce_night(bench: &Bench) {
    let row = |n: usize| {
        format!(
            "C{n},R{n},P{n},Z9A01,,emergency,2026-11-23T13:00,2026-11-23T13:40,2026-11-23T14:00,,EDTA,KINGS,ambient,,,FBC,\n"
        )
    };
    bench.night("scarce", &(0..16).map(row).collect::<String>());
    let shipped = include_str!("../../../config/network.toml");
    let scarce = shipped.replacen("\ncapacity_percent = 100 ", "\ncapacity_percent = 1 ", 1);
    assert_ne!(scarce, shipped);
    fs::write(bench.path("scarce/network.toml"), scarce).unwrap();
}

#[test]
fn what_is_scarce_has_a_price_that_explain_names() {
    let bench = Bench::new();
    scarce_night(&bench);
    assert!(bench.run(&["plan", "scarce", "--time-limit", "2"]).contains("\nProof       at most "));
    let explained: String =
        (0..16).map(|n| bench.run(&["explain", &format!("C{n}"), "--plan", "scarce/plan"])).collect();
    let row = |label: &str, words: &str| {
        let found = explained.lines().any(|line| line.starts_with(label) && line.contains(words));
        assert!(found, "{label} {words}: {explained}");
    };
    row("  charged  ", " weighted days for booking in at KINGS Mon 23 Nov 20:00–21:00, once for all that share it");
    row("  would charge ", " weighted days for boxes of KINGS-HUB leaving ");
    let json: String =
        (0..16).map(|n| bench.run(&["explain", &format!("C{n}"), "--plan", "scarce/plan", "--json"])).collect();
    assert!(json.contains("\"of\":\"booking in at KINGS Mon 23 Nov 20:00–21:00\",\"shared\":true"), "{json}");
    assert!(json.contains("\"would_be_charged\":[{\"amount\":"), "{json}");
    // Rules look at no prices.
    bench.run(&["plan", "scarce", "--rule", "band-edf"]);
    assert!(!bench.run(&["explain", "C0", "--plan", "scarce/plan"]).contains("charged"));
}

#[test]
fn a_plan_that_states_what_it_does_not_hold_is_refused() {
    let bench = Bench::new();
    scarce_night(&bench);
    let refused = |arguments: &[&str], change: fn(&mut Value)| {
        fs::remove_dir_all(bench.path("x")).unwrap_or_default();
        bench.run(&[&["plan", "scarce", "--out", "x", "--quiet"], arguments].concat());
        let path = bench.path("x/plan.json");
        let mut plan: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        change(&mut plan);
        fs::write(&path, plan.to_string()).unwrap();
        bench.run(&["check", "--plan", "x"])
    };
    insta::assert_snapshot!(
        "another_cost",
        refused(&["--rule", "edf"], |plan| {
            for part in ["waiting", "total"] {
                let cost = &mut plan["cost"][part];
                *cost = (cost.as_i64().unwrap() - 1000).into();
            }
        })
    );
    let bound = refused(&["--time-limit", "1"], |plan| {
        let bound = plan["bound"]["total"].as_i64().unwrap() - 1;
        let first = plan["bound"]["stages"][0]["bound"].as_i64().unwrap() - 1;
        let above = plan["cost"]["total"].as_i64().unwrap() - bound;
        plan["bound"]["total"] = bound.into();
        plan["bound"]["stages"][0]["bound"] = first.into();
        plan["bound"]["gap_ppm"] = ((above * 1_000_000 + bound - 1) / bound).into();
    });
    assert!(bound.contains("exit 2") && bound.contains("P005 the plan states a bound of "), "{bound}");
    let priced = refused(&["--time-limit", "1"], |plan| {
        let price = &mut plan["bound"]["stages"][0]["prices"][0][1];
        *price = (price.as_i64().unwrap() * 2).into();
    });
    assert!(priced.contains("exit 2") && priced.contains("P005"), "{priced}");
    let stages = refused(&["--time-limit", "1"], |plan| {
        plan["bound"]["stages"].as_array_mut().unwrap().push(serde_json::json!({ "bound": 0, "prices": [] }));
    });
    assert!(stages.contains("exit 2") && stages.contains("P003"), "{stages}");
}

/// A night of sixty tubes for which there is hardly room; half of them are of frail patients of one borough,
/// whose weight is larger. The policy sets a limit on fairness where it is given.
fn unequal_night(bench: &Bench, name: &str, limit: &str) {
    let row = |n: usize| {
        let (requester, flags) =
            if n.is_multiple_of(2) { ("Z00095", "symptomatic") } else { ("Z00001", "symptomatic;frail") };
        format!(
            "C{n:02},R{n},P{n},{requester},,{flags},2026-11-23T08:00,2026-11-23T09:00,2026-11-23T13:00,2026-11-23T14:00,SST,HUB,refrigerated,,,CRP,\n"
        )
    };
    bench.night(name, &(0..60).map(row).collect::<String>());
    let network = include_str!("../../../config/network.toml");
    let scarce = network.replacen("\ncapacity_percent = 100 ", "\ncapacity_percent = 1 ", 1);
    fs::write(bench.path(name).join("network.toml"), scarce).unwrap();
    let policy = include_str!("../../../config/policy.toml");
    fs::write(bench.path(name).join("policy.toml"), format!("{policy}\n{limit}")).unwrap();
}

const LIMIT: &str = "[fairness]\nby = \"borough\"\nmax_above_percent = 10\nmin_lines = 5\n";

/// The plan of a folder.
fn plan_of(bench: &Bench, folder: &str) -> Value {
    serde_json::from_slice(&fs::read(bench.path(folder).join("plan.json")).unwrap()).unwrap()
}

#[test]
fn a_limit_on_fairness_is_kept_and_said_to_be_at_what_cost() {
    let bench = Bench::new();
    unequal_night(&bench, "free", "");
    unequal_night(&bench, "lax", &LIMIT.replace("= 10", "= 10000"));
    unequal_night(&bench, "fair", LIMIT);
    let shown = ["free", "lax", "fair"].map(|name| bench.run(&["plan", name]));
    assert!(!shown[0].contains("Fairness"), "{}", shown[0]);
    let [free, lax, fair] = ["free/plan", "lax/plan", "fair/plan"].map(|folder| plan_of(&bench, folder));
    assert_eq!(free["fairness"], Value::Null);
    // A limit that everything keeps changes nothing, and says who waits longest.
    assert_eq!((&lax["samples"], &lax["bound"]), (&free["samples"], &free["bound"]));
    assert_eq!((&lax["fairness"]["holds"], &lax["fairness"]["extra_cost"]), (&true.into(), &0.into()));
    let above = |plan: &Value| plan["fairness"]["bands"][0]["worst"]["above_permille"].as_i64().unwrap();
    assert!(above(&lax) > 100, "{}", lax["fairness"]);
    assert_eq!(
        (&lax["fairness"]["bands"][0]["worst"]["group"], &lax["fairness"]["bands"][0]["band"]),
        (&"Lambeth".into(), &"soon".into())
    );
    assert!(above(&fair) <= 100 && fair["fairness"]["holds"] == true, "{}", fair["fairness"]);
    let (cost, without) = (fair["cost"]["total"].as_i64().unwrap(), free["cost"]["total"].as_i64().unwrap());
    let extra = fair["fairness"]["extra_cost"].as_i64().unwrap();
    assert!(extra > 0 && extra >= cost - without, "{extra} {cost} {without}");
    assert!(fair["bound"]["total"].as_i64().unwrap() > 0);
    assert!(
        shown[2].contains("\nFairness    holds: no borough waits more than 10 % longer than its band\n"),
        "{}",
        shown[2]
    );
    let checked = bench.run(&["check", "--plan", "fair/plan"]);
    assert!(checked.contains("its groups wait as it states: the limit on fairness holds\n"), "{checked}");
    // The same again, and by a rule only said.
    bench.run(&["plan", "fair", "--out", "again", "--quiet"]);
    let samples = |plan: &Value| (plan["samples"].clone(), plan["bound"].clone(), plan["fairness"].clone());
    assert_eq!(samples(&plan_of(&bench, "again")), samples(&fair));
    bench.run(&["plan", "lax", "--rule", "fifo", "--out", "rule", "--quiet"]);
    assert_eq!(plan_of(&bench, "rule")["fairness"]["extra_cost"], Value::Null);
    // In no time at all there is one plan, and it says what it holds.
    assert!(bench.run(&["plan", "fair", "--time-limit", "0"]).contains("(rule band-edf)"));
}

#[test]
fn a_plan_that_states_other_waits_than_it_has_is_refused() {
    let bench = Bench::new();
    unequal_night(&bench, "fair", &LIMIT.replace("= 10", "= 0"));
    let check = |change: fn(&mut Value), expected: &str| {
        fs::remove_dir_all(bench.path("fair/plan")).unwrap_or_default();
        bench.run(&["plan", "fair", "--rule", "fifo", "--quiet"]);
        let mut plan = plan_of(&bench, "fair/plan");
        change(&mut plan);
        fs::write(bench.path("fair/plan/plan.json"), plan.to_string()).unwrap();
        let checked = bench.run(&["check", "--plan", "fair/plan"]);
        assert!(checked.contains(expected), "{checked}");
    };
    check(|_| {}, "exit 0");
    let other = "exit 2\n--- stdout\n--- stderr\nplan.json: P007 the plan states that its limit on fairness holds";
    check(|plan| plan["fairness"]["holds"] = true.into(), other);
    check(
        |plan| plan["fairness"]["bands"][0]["worst"]["group"] = "Bromley".into(),
        "P007 the groups of band `soon` wait",
    );
    check(|plan| plan["fairness"]["max_above_percent"] = 5.into(), "P007 the plan states another limit");
    check(
        |plan| drop(plan.as_object_mut().unwrap().remove("fairness")),
        "P007 the plan does not say how its groups wait",
    );
}

#[test]
fn when_there_is_no_time_the_greedy_plan_leaves() {
    let bench = Bench::new();
    let planned = bench.run(&["plan", "night", "--time-limit", "0"]);
    assert!(planned.contains("exit 0") && planned.contains("(rule band-edf)"), "{planned}");
    let plan = fs::read_to_string(bench.path("night/plan/plan.json")).unwrap();
    assert!(plan.contains("\"stopped\":{\"why\":\"time limit\",\"holds\":\"greedy plan (band-edf)\"}"), "{plan}");
    assert!(bench.run(&["check", "--plan", "night/plan"]).contains("the plan is lawful"));
}

#[test]
fn help_has_examples_and_exit_codes() {
    let bench = Bench::new();
    assert!(bench.run(&["--help"]).contains("Exit codes:"));
    for command in ["plan", "check", "explain", "generate", "model"] {
        assert!(bench.run(&[command, "--help"]).contains("Examples:"), "{command}");
    }
    assert!(bench.run(&["completions", "bash"]).contains("_labtriage"));
}

#[test]
fn a_model_is_written_whole_or_not_at_all() {
    let bench = Bench::new();
    for (format, begins, ends) in [("mps", "NAME", "ENDATA\n"), ("lp", "\\", "End\n")] {
        let out = format!("models/night.{format}");
        let written = bench.run(&["model", "--format", format, "night", "--out", &out]);
        assert!(written.contains("exit 0") && written.contains(" variables ("), "{written}");
        let text = fs::read_to_string(bench.path(&out)).unwrap();
        assert!(text.starts_with(begins) && text.ends_with(ends), "{format}");
        assert!(!text.contains("A1") && !text.contains("PTA"), "a model names nobody");
    }
    assert_eq!(files(&bench.path("models")).len(), 2);
    assert!(bench.run(&["model", "--format", "mps", "nowhere", "--out", "x.mps"]).contains("exit 2"));
    bench.run(&["generate", "--scenario", "normal-night", "--samples", "4000", "--out", "big"]);
    let refused = bench.run(&["model", "--format", "mps", "big", "--out", "x.mps"]);
    assert!(refused.contains("exit 2") && refused.contains("more than 2000000 variables"), "{refused}");
    assert!(!bench.path("x.mps").exists());
}

#[test]
fn every_scenario_is_planned_lawfully_by_every_rule_and_by_prices() {
    let bench = Bench::new();
    for scenario in ["synnovis-week-1", "planned-reduction", "analyser-down", "normal-night"] {
        for hostile in [false, true] {
            let out = format!("{scenario}-{hostile}");
            let mut arguments =
                vec!["generate", "--scenario", scenario, "--samples", "1500", "--seed", "3", "--out", &out];
            arguments.extend(hostile.then_some("--hostile"));
            assert!(bench.run(&arguments).contains("exit 0"));
            let rules = ["fifo", "edf", "band-edf"].map(|rule| ["--rule", rule]);
            for how in rules.into_iter().chain([["--time-limit", "0.5"]]) {
                let planned = bench.run(&[&["plan", &out, "--quiet"][..], &how].concat());
                assert!(planned.contains("exit 0") || planned.contains("exit 1"), "{planned}");
                let checked = bench.run(&["check", "--plan", &format!("{out}/plan")]);
                assert!(checked.contains("the plan is lawful"), "{checked}");
            }
        }
    }
}

#[test]
fn the_same_input_gives_the_same_files_whatever_the_order_of_rows() {
    let bench = Bench::new();
    let turned: String = ROWS.lines().rev().flat_map(|row| [row, "\n"]).collect();
    bench.night("turned", &turned);
    for name in ["night", "turned"] {
        bench.run(&["plan", name, "--quiet"]);
    }
    let without_digest = |name: &str| -> Vec<(PathBuf, String)> {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let lines = |text: String| text.lines().filter(|line| !line.contains("sha256")).collect::<Vec<_>>().join("\n");
        files(&bench.path(name).join("plan")).into_iter().map(|(path, bytes)| (path, lines(text(bytes)))).collect()
    };
    assert_eq!(without_digest("night"), without_digest("turned"));
}

#[test]
fn planted_identities_reach_no_output() {
    let bench = Bench::new();
    let planted = ["943 476 5919", "9434765919", "Margaret Planted", "1950-02-29"];
    let rows = "\
        A5,R5,943 476 5919,Z00001,,,2026-11-23T08:00,2026-11-23T09:00,2026-11-23T13:00,,SST,HUB,ambient,,,CRP,\n\
        9434765919,R6,PTF,Z00001,,,2026-11-23T08:00,2026-11-23T09:00,2026-11-23T13:00,,SST,HUB,ambient,,,CRP,\n\
        A7,R7,PTG,Z00001,,Margaret Planted,2026-11-23T08:00,2026-11-23T09:00,2026-11-23T13:00,,SST,HUB,ambient,,,CRP,\n\
        A8,R8,PTH,Z00001,,,1950-02-29,2026-11-23T09:00,2026-11-23T13:00,,SST,HUB,ambient,,,9434765919,\n";
    bench.night("planted", &format!("{ROWS}{rows}"));
    let shown = bench.run(&["plan", "planted", "--max-quarantine", "90"]);
    let checked = bench.run(&["check", "planted", "--max-quarantine", "90"]);
    let refused = bench.run(&["plan", "planted"]);
    let outputs = files(&bench.path("planted/plan"));
    assert!(outputs.len() > 5);
    for secret in planted {
        for text in [&shown, &checked, &refused] {
            assert!(!text.contains(secret), "`{secret}` is shown:\n{text}");
        }
        for (path, bytes) in &outputs {
            assert!(!String::from_utf8_lossy(bytes).contains(secret), "`{secret}` is in {}", path.display());
        }
    }
}
