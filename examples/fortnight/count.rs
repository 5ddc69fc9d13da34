//! What do the raw files say? A count of extracts, plans and notes that shares nothing with `labtriage kpi`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use labtriage_formats::config::defaults;
use serde_json::Value;

use crate::laboratory::tests;
use crate::scene::{NIGHTS, Scene, day, name, rows};

/// Figures by `section|night|by|group|measure`, as `kpi --csv` names them.
pub(crate) type Counted = BTreeMap<String, i64>;

/// Everything that can be counted.
pub(crate) fn count(scene: &Scene) -> Counted {
    let mut counted = Counted::new();
    let tubes = tubes(scene, NIGHTS);
    set(&mut counted, "now||all||samples", tubes.len());
    for tube in tubes.values() {
        *counted.entry(format!("now||requester|{}|samples", tube["requester"])).or_default() += 1;
    }
    let mut seen = BTreeSet::new();
    for night in 0..NIGHTS {
        of_night(scene, night, &mut seen, &mut counted);
    }
    of_results(scene, &tubes, &mut counted);
    of_people(scene, &mut counted);
    counted
}

fn set(counted: &mut Counted, name: &str, count: usize) {
    counted.insert(name.to_owned(), i64::try_from(count).unwrap());
}

/// Every tube that was in the extract of one of the first nights, as the last one of these has it.
pub(crate) fn tubes(scene: &Scene, nights: u32) -> BTreeMap<String, BTreeMap<String, String>> {
    let extracts = (0..nights).map(|night| scene.path("inbox").join(name(night)).join("backlog.csv"));
    extracts.flat_map(|extract| rows(&extract)).map(|row| (row["accession"].clone(), row)).collect()
}

fn of_night(scene: &Scene, night: u32, seen: &mut BTreeSet<String>, counted: &mut Counted) {
    let folder = scene.path("plans").join(name(night));
    let plan: Value = serde_json::from_slice(&fs::read(folder.join("plan.json")).unwrap()).unwrap();
    let all = |measure: &str| format!("night|{}T20:00|all||{measure}", day(night));
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut lines, mut arrived) = (0, 0);
    for sample in plan["samples"].as_array().unwrap() {
        let of_sample = sample["lines"].as_array().unwrap();
        lines += of_sample.len();
        for line in of_sample {
            *kinds.entry(line[1].as_str().unwrap()).or_default() += 1;
        }
        if seen.insert(sample["sample"].as_str().unwrap().to_owned()) {
            // Two panels of a tube may share a member, which the ledger has once.
            arrived += of_sample.iter().map(|line| line[0].as_str().unwrap()).collect::<BTreeSet<_>>().len();
        }
    }
    set(counted, &all("backlog"), lines);
    for (kind, measure) in [("recall", "recalled"), ("cancel", "cancelled")] {
        set(counted, &all(measure), kinds.get(kind).copied().unwrap_or(0));
    }
    if night > 0 {
        set(counted, &all("arrived"), arrived);
    }
    set(counted, &all("saved"), worklist_rows(&folder));
    set(counted, &all("discards proposed"), rows(&folder.join("discards.csv")).len());
    set(counted, &all("samples"), plan["samples"].as_array().unwrap().len());
    if night == 0 {
        set(counted, &all("recalls sent"), called(&folder).len());
    }
}

/// Runs of tubes that are there; a re-test has no accession number yet.
fn worklist_rows(folder: &Path) -> usize {
    let lists = fs::read_dir(folder.join("worklists")).unwrap();
    lists.flat_map(|list| rows(&list.unwrap().path())).filter(|row| !row["accession"].is_empty()).count()
}

/// Patients on any list of a night.
fn called(folder: &Path) -> BTreeSet<String> {
    let lists = fs::read_dir(folder.join("recalls")).unwrap();
    lists.flat_map(|list| rows(&list.unwrap().path())).map(|row| row["patient"].clone()).collect()
}

/// Tests that are answered: by a result of their own, of the panel that was asked for, or of all of a panel. A panel
/// that a plan has ever had as one line stands for its members.
fn of_results(scene: &Scene, tubes: &BTreeMap<String, BTreeMap<String, String>>, counted: &mut Counted) {
    let results = rows(&scene.path("inbox").join(name(NIGHTS - 1)).join("results.csv"));
    let results: BTreeMap<(&str, &str), i64> = results
        .iter()
        .map(|row| ((row["accession"].as_str(), row["test"].as_str()), minute(&row["resulted_at"])))
        .collect();
    let panels = panels();
    let (mut reported, mut sum, mut longest) = (0, 0, 0);
    for (accession, lines) in lines_ever(scene) {
        let tube = &tubes[&accession];
        let of = |test: &str| results.get(&(accession.as_str(), test)).copied();
        for test in &lines {
            let mut of_it = panels.iter().filter(|(_, members)| members.contains(test));
            if of_it.clone().any(|(panel, _)| lines.contains(panel)) {
                continue;
            }
            let asked = |panel: &str| tests(&tube["tests"]).any(|test| test == panel);
            let by_panel = || of_it.find_map(|(panel, _)| of(panel).filter(|_| asked(panel)));
            let of_all = || {
                let each = panels.get(test)?.iter().map(|member| of(member));
                each.collect::<Option<Vec<_>>>()?.into_iter().max()
            };
            let Some(at) = of(test).or_else(of_all).or_else(by_panel) else { continue };
            let minutes = at - minute(&tube["received_at"]);
            reported += 1;
            sum += minutes;
            longest = minutes.max(longest);
        }
    }
    set(counted, "period||all||reported", reported);
    counted.insert("period||all||turnaround minutes".to_owned(), sum);
    counted.insert("period||all||longest turnaround minutes".to_owned(), longest);
}

/// The lines that any plan had of each tube, until its discard was authorised.
fn lines_ever(scene: &Scene) -> BTreeMap<String, BTreeSet<String>> {
    let notes = rows(&scene.path("people.csv"));
    let authorised: BTreeMap<&str, &str> = notes
        .iter()
        .filter(|note| note["what"] == "authorised")
        .map(|note| (note["about"].as_str(), note["day"].as_str()))
        .collect();
    let mut ever: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for night in 0..NIGHTS {
        let plan = fs::read(scene.path("plans").join(name(night)).join("plan.json")).unwrap();
        let plan: Value = serde_json::from_slice(&plan).unwrap();
        for sample in plan["samples"].as_array().unwrap() {
            let accession = sample["sample"].as_str().unwrap();
            if authorised.get(accession).is_none_or(|morning| *morning > day(night).as_str()) {
                let lines = sample["lines"].as_array().unwrap().iter().map(|line| line[0].as_str().unwrap().to_owned());
                ever.entry(accession.to_owned()).or_default().extend(lines);
            }
        }
    }
    ever
}

/// The tests of each panel of the shipped catalogue.
fn panels() -> BTreeMap<String, Vec<String>> {
    let (catalogue, ..) = defaults::load(None, None).unwrap().read().unwrap();
    let code = |test| catalogue.tests[test].code.clone();
    let panels = catalogue.tests.iter().filter(|test| !test.members.is_empty());
    panels.map(|test| (test.code.clone(), test.members.iter().map(|&member| code(member)).collect())).collect()
}

/// Minutes since the first of May 2024, in which all of it happens.
fn minute(text: &str) -> i64 {
    let number = |from: usize, until: usize| text[from..until].parse::<i64>().unwrap();
    let days = number(8, 10) + if number(5, 7) == 6 { 31 } else { 0 };
    days * 1440 + number(11, 13) * 60 + number(14, 16)
}

/// What people have noted.
fn of_people(scene: &Scene, counted: &mut Counted) {
    for (noted, measure) in [
        ("authorised", "discards authorised"),
        ("rejected", "discards rejected"),
        ("disposed", "discards disposed"),
        ("booked", "recalls booked"),
        ("done", "recalls done"),
        ("declined", "recalls declined"),
        ("not ours", "recalls not ours"),
    ] {
        let count = rows(&scene.path("people.csv")).iter().filter(|row| row["what"] == noted).count();
        set(counted, &format!("period||all||{measure}"), count);
    }
}
