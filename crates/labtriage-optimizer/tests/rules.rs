//! What the greedy rules decide in small cases that a person can follow.

mod common;

use labtriage_core::catalogue::State;
use labtriage_core::fixture::Fixture;
use labtriage_core::flags::FlagSet;
use labtriage_core::overrides::Action;
use labtriage_core::plan::Rule;
use labtriage_core::table::SiteIx;
use labtriage_core::units::Percent;

/// Plans a fixture by a rule, audits it, and compares every line.
fn check(fixture: &Fixture, rule: Rule, expected: &[&str]) {
    let snapshot = fixture.snapshot();
    assert_eq!(common::describe(&snapshot, &common::lawful(&snapshot, rule)), expected);
}

#[test]
fn a_fresh_tube_is_spun_booked_in_and_run_within_the_hour() {
    let mut fixture = Fixture::new();
    fixture.sample("A1", "P1", "SST", &["CRP"]);
    check(
        &fixture,
        Rule::BandEdf,
        &["A1 CRP: run HUB-CHEM 03 08:00 out 03 08:00 after spin 03 08:00, book in 03 08:00"],
    );
}

#[test]
fn a_lost_line_is_recalled_while_the_rest_of_its_panel_is_run() {
    let mut fixture = Fixture::new();
    fixture.network.collection_points.as_mut_slice()[0].delivers[0].arrives = 13 * 60;
    let cold = [(20, State::PrimaryAmbient), (19, State::PrimaryRefrigerated), (12, State::SeparatedRefrigerated)];
    fixture.sample("A1", "P1", "SST", &["UE"]).collected_hours_ago(20).history(&cold);
    check(
        &fixture,
        Rule::BandEdf,
        &[
            "A1 NA: run HUB-CHEM 03 08:00 out 03 08:00 after book in 03 08:00",
            "A1 K: recall on 2024-06-04, HUB-CHEM 04 12:00 out 04 12:00",
        ],
    );
}

#[test]
fn bands_rule_before_expiry_and_strict_bands_before_any_rule() {
    let mut fixture = Fixture::new();
    // One haemogram an hour: 36 s of work, 40 s of module time.
    for analyser in fixture.network.analysers.as_mut_slice() {
        analyser.rate_permille = 11;
    }
    fixture.network.couriers = labtriage_core::table::Table::default();
    fixture.sample("A1", "P1", "EDTA", &["FBC"]).collected_hours_ago(20);
    fixture.sample("A2", "P2", "EDTA", &["FBC"]).collected_hours_ago(2).band("immediate");
    fixture.sample("A3", "P3", "EDTA", &["FBC"]).collected_hours_ago(10);
    let first = |rule| {
        let snapshot = fixture.snapshot();
        let plan = common::lawful(&snapshot, rule);
        common::describe(&snapshot, &plan)
            .iter()
            .map(|line| line.split(" after ").next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    for rule in Rule::ALL {
        assert!(first(rule)[1].starts_with("A2 FBC: run HUB-HAEM 03 08:00"), "{}: {:?}", rule.text(), first(rule));
    }
    assert_eq!(first(Rule::Edf)[0], "A1 FBC: run HUB-HAEM 03 09:00 out 03 09:00");
}

#[test]
fn a_tube_travels_when_the_test_is_done_elsewhere() {
    let mut fixture = Fixture::new();
    fixture.sample("A1", "P1", "SST", &["TSH"]).site("HOSP");
    check(
        &fixture,
        Rule::BandEdf,
        &[
            "A1 TSH: run HUB-CHEM 03 10:00 out 03 10:00 after spin 03 08:00, refrigerate, send HOSP-HUB, book in 03 10:00",
        ],
    );
}

#[test]
fn an_aliquot_goes_to_a_second_site() {
    let mut fixture = Fixture::new();
    fixture.sample("A1", "P1", "SST", &["K", "TSH"]).site("HOSP");
    let snapshot = fixture.snapshot();
    let plan = common::lawful(&snapshot, Rule::Edf);
    let lines = common::describe(&snapshot, &plan);
    assert!(lines[0].starts_with("A1 K: run HOSP-CHEM 03 08:00"), "{lines:?}");
    assert!(lines[1].starts_with("A1 TSH: run HUB-CHEM 03 10:00"), "{lines:?}");
    assert!(lines[1].ends_with("aliquot 03 08:00, send HOSP-HUB, book in 03 10:00"), "{lines:?}");
}

#[test]
fn material_is_frozen_when_nothing_else_saves_it() {
    let mut fixture = Fixture::new();
    let tue_thu = fixture.calendar("tue-thu");
    let (hub, tsh) = (fixture.analyser("HUB-CHEM"), fixture.test("TSH"));
    for entry in &mut fixture.network.analysers[hub].menu {
        entry.1 = (entry.0 == tsh).then_some(tue_thu);
    }
    fixture.network.couriers = labtriage_core::table::Table::default();
    // Ten hours are left of the separated clock: not enough for Tuesday, unless frozen.
    let kept = [(20, State::PrimaryAmbient), (14, State::SeparatedAmbient)];
    fixture.sample("A1", "P1", "SST", &["TSH"]).collected_hours_ago(20).history(&kept);
    let cold_does_not_help = fixture.test("TSH");
    fixture.catalogue.tests[cold_does_not_help]
        .figures
        .retain(|figure| figure.condition != labtriage_core::catalogue::Condition::Refrigerated);
    check(
        &fixture,
        Rule::BandEdf,
        &["A1 TSH: run HUB-CHEM 04 00:00 out 04 00:00 after freeze 03 08:00, book in 03 08:00, thaw 04 00:00"],
    );
}

#[test]
fn held_results_only_need_reporting() {
    let mut fixture = Fixture::new();
    fixture.sample("A1", "P1", "EDTA", &["FBC"]).collected_hours_ago(90).result_held("FBC");
    check(&fixture, Rule::Fifo, &["A1 FBC: run report 03 08:00 out 03 08:00 after "]);
}

#[test]
fn repeats_are_cancelled_before_anything_is_run() {
    let mut fixture = Fixture::new();
    fixture.sample("A1", "P1", "SST", &["TSH"]);
    fixture.sample("A2", "P1", "SST", &["TSH"]).collected_hours_ago(9);
    fixture.sample("A3", "P2", "SST", &["TSH"]);
    fixture.result("A3", "TSH");
    let snapshot = fixture.snapshot();
    let lines = common::describe(&snapshot, &common::lawful(&snapshot, Rule::Fifo));
    assert_eq!(lines[1..], ["A2 TSH: cancel for A1 TSH", "A3 TSH: cancel, resulted"]);
}

#[test]
fn nobody_who_must_not_be_is_recalled() {
    let mut fixture = Fixture::new();
    fixture.sample("A1", "P1", "EDTA", &["FBC"]).collected_hours_ago(30).flags(FlagSet::DECEASED);
    fixture.sample("A2", "P2", "CSF", &["CSFC"]).collected_hours_ago(30);
    fixture.sample("A3", "P3", "EDTA", &["FBC"]).collected_hours_ago(30).flags(FlagSet::DEREGISTERED);
    check(
        &fixture,
        Rule::BandEdf,
        &["A1 FBC: hold NotRecallable", "A2 CSFC: hold Irreplaceable", "A3 FBC: hold NotRecallable"],
    );
}

#[test]
fn a_patient_is_recalled_once() {
    let mut fixture = Fixture::new();
    for accession in ["A1", "A2"] {
        fixture.sample(accession, "P1", "EDTA", &["FBC"]).collected_hours_ago(if accession == "A1" { 30 } else { 90 });
    }
    fixture.sample("A3", "P1", "SST", &["K"]).collected_hours_ago(30);
    let snapshot = fixture.snapshot();
    assert_eq!(common::lawful(&snapshot, Rule::BandEdf).visits.len(), 1);
}

#[test]
fn pins_routes_and_holds_are_kept() {
    let mut fixture = Fixture::new();
    fixture.sample("A1", "P1", "SST", &["CRP"]);
    fixture.sample("A2", "P2", "SST", &["CRP"]).band("urgent");
    fixture.sample("A3", "P3", "EDTA", &["FBC"]);
    fixture.sample("A4", "P4", "EDTA", &["FBC"]).collected_hours_ago(40);
    let hospital = fixture.site("HOSP");
    fixture.override_("A1", Action::Pin { site: Some(hospital), analyser: None, by: None });
    let partner: SiteIx = fixture.site("PARTNER");
    fixture.override_("A2", Action::Route(partner));
    fixture.override_("A3", Action::Hold);
    fixture.override_("A4", Action::ForceTest { caution: "expired: interpret with care".to_owned() });
    let snapshot = fixture.snapshot();
    let plan = common::lawful(&snapshot, Rule::BandEdf);
    let lines = common::describe(&snapshot, &plan);
    assert!(lines[0].contains("run HOSP-CHEM") && lines[1].contains("run PART-CHEM"), "{lines:?}");
    assert!(lines[2].contains("hold Override") && lines[3].contains("run HUB-HAEM"), "{lines:?}");
    assert!(plan.impossible.is_empty());
}

#[test]
fn what_is_published_and_frozen_is_run_where_and_when_it_was_published() {
    let mut fixture = Fixture::new();
    fixture.sample("A1", "P1", "SST", &["CRP"]);
    fixture.sample("A2", "P2", "SST", &["CRP"]).band("immediate");
    fixture.published("A1", "CRP", "HUB-CHEM", (120, 180));
    fixture.policy.frozen_window = labtriage_core::time::Minutes::from_hours(3);
    let kept = [
        "A1 CRP: run HUB-CHEM 03 10:00 out 03 10:00 after spin 03 08:00, book in 03 08:00",
        "A2 CRP: run HUB-CHEM 03 08:00 out 03 08:00 after spin 03 08:00, book in 03 08:00",
    ];
    check(&fixture, Rule::BandEdf, &kept);
    fixture.policy.frozen_window = labtriage_core::time::Minutes::from_hours(2);
    let free = "A1 CRP: run HUB-CHEM 03 08:00 out 03 08:00 after spin 03 08:00, book in 03 08:00";
    check(&fixture, Rule::BandEdf, &[free, kept[1]]);
    // Later, moving it has its price.
    let snapshot = fixture.snapshot();
    let split = labtriage_core::cost::cost(&snapshot, &common::lawful(&snapshot, Rule::BandEdf));
    assert_eq!(split.moved, snapshot.policy.moved_line);
}

#[test]
fn a_frozen_run_goes_before_a_pressing_line_and_gives_way_to_a_person() {
    let mut fixture = Fixture::new();
    // One haemogram an hour.
    for analyser in fixture.network.analysers.as_mut_slice() {
        analyser.rate_permille = 11;
    }
    fixture.network.couriers = labtriage_core::table::Table::default();
    fixture.sample("A1", "P1", "EDTA", &["FBC"]);
    fixture.sample("A2", "P2", "EDTA", &["FBC"]).band("immediate");
    fixture.published("A1", "FBC", "HUB-HAEM", (0, 60));
    fixture.policy.frozen_window = labtriage_core::time::Minutes::from_hours(4);
    let runs = |fixture: &Fixture| {
        let snapshot = fixture.snapshot();
        let lines = common::describe(&snapshot, &common::lawful(&snapshot, Rule::BandEdf));
        lines.iter().map(|line| line.split(" out ").next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(runs(&fixture), ["A1 FBC: run HUB-HAEM 03 08:00", "A2 FBC: run HUB-HAEM 03 09:00"]);
    let pin = Action::Pin { site: Some(fixture.site("HUB")), analyser: None, by: None };
    fixture.override_("A2", pin.clone());
    fixture.override_("A1", pin);
    assert_eq!(runs(&fixture), ["A1 FBC: run HUB-HAEM 03 09:00", "A2 FBC: run HUB-HAEM 03 08:00"]);
}

#[test]
fn a_pin_that_cannot_be_kept_is_reported_and_the_line_still_served() {
    let mut fixture = Fixture::new();
    fixture.sample("A1", "P1", "SST", &["CRP"]);
    let by = Some(fixture.now);
    fixture.override_("A1", Action::Pin { site: None, analyser: None, by });
    let snapshot = fixture.snapshot();
    let plan = common::lawful(&snapshot, Rule::BandEdf);
    assert_eq!(plan.impossible.len(), 1);
    assert!(common::describe(&snapshot, &plan)[0].contains("run HUB-CHEM"));
}

#[test]
fn a_cap_spreads_the_lines_of_a_practice() {
    let mut fixture = Fixture::new();
    for accession in ["A1", "A2", "A3"] {
        fixture.sample(accession, accession, "SST", &["CRP"]);
    }
    let requester = fixture.requester("G1");
    fixture.override_("", Action::Cap { requester, lines_per_day: 1 });
    let snapshot = fixture.snapshot();
    let lines = common::describe(&snapshot, &common::lawful(&snapshot, Rule::BandEdf));
    for (line, day) in lines.iter().zip(["03", "04", "05"]) {
        assert!(line.contains(&format!("HUB-CHEM {day} ")), "{lines:?}");
    }
}

#[test]
fn without_any_capacity_everything_is_still_decided() {
    let mut fixture = Fixture::new();
    fixture.sample("A1", "P1", "SST", &["UE", "CRP", "TSH"]);
    fixture.sample("A2", "P2", "EDTA", &["FBC"]).band("immediate");
    fixture.network.capacity = Percent::NONE;
    let snapshot = fixture.snapshot();
    for rule in Rule::ALL {
        let plan = common::lawful(&snapshot, rule);
        assert_eq!(plan.lines.len(), snapshot.backlog.lines.len());
        assert!(plan.visits.is_empty() && plan.samples.indices().all(|sample| plan.samples[sample].steps == 0));
    }
}
