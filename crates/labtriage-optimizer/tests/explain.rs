//! Are the reasons true? Explanations of small plans, each change tried on the audit.

mod common;

use labtriage_core::capacity::Resource;
use labtriage_core::fixture::{Fixture, line_of};
use labtriage_core::plan::Rule;
use labtriage_core::table::Table;
use labtriage_optimizer::explain::{Alternative, Explanation, Obstacle, explain};

/// Explains a line of the plan that band-edf makes of a fixture.
fn explained(fixture: &Fixture, accession: &str, test: &str) -> Explanation {
    let snapshot = fixture.snapshot();
    let plan = common::lawful(&snapshot, Rule::BandEdf);
    assert_eq!(common::describe(&snapshot, &plan).len(), snapshot.backlog.lines.len());
    explain(&snapshot, &plan, line_of(&snapshot, accession, test))
}

/// One haemogram can be run before both expire.
fn one_place_for_two() -> Fixture {
    let mut fixture = Fixture::new();
    fixture.network.couriers = Table::default();
    for analyser in fixture.network.analysers.as_mut_slice() {
        analyser.rate_permille = 11;
    }
    fixture.sample("A1", "P1", "EDTA", &["FBC"]).collected_hours_ago(23).band("urgent");
    fixture.sample("A2", "P2", "EDTA", &["FBC"]).collected_hours_ago(23);
    fixture.policy.prices.refrigerate = labtriage_core::units::Cost::ZERO;
    let fbc = fixture.test("FBC");
    let ambient = labtriage_core::catalogue::Condition::Ambient;
    fixture.catalogue.tests[fbc].figures.retain(|figure| figure.condition == ambient);
    fixture
}

#[test]
fn a_line_without_room_names_the_resource_the_verified_change_and_who_outranked_it() {
    let fixture = one_place_for_two();
    let Some(Obstacle::Full { lacking, verified, used_by, .. }) = explained(&fixture, "A2", "FBC").obstacle else {
        panic!("capacity stopped it: {:?}", explained(&fixture, "A2", "FBC"))
    };
    let snapshot = fixture.snapshot();
    let analyser = fixture.analyser("HUB-HAEM");
    assert!(verified);
    assert_eq!(snapshot.capacity.describe(lacking[0].cell).0, Resource::AnalyserTime(analyser));
    assert_eq!(used_by, [line_of(&snapshot, "A1", "FBC")]);
}

#[test]
fn a_line_that_is_run_has_a_next_best_choice_that_costs_more() {
    let explanation = explained(&one_place_for_two(), "A1", "FBC");
    assert_eq!(explanation.obstacle, None);
    let Some((Alternative::AfterHorizon, extra)) = explanation.next_best else { panic!("{explanation:?}") };
    assert!(extra.thousandths() > 0);
}

#[test]
fn a_lost_line_was_stopped_by_its_clock() {
    let mut fixture = Fixture::new();
    fixture.sample("A1", "P1", "EDTA", &["FBC"]).collected_hours_ago(60);
    assert_eq!(explained(&fixture, "A1", "FBC").obstacle, Some(Obstacle::Lost));
}

#[test]
fn a_repeated_line_was_settled_by_a_rule() {
    let mut fixture = Fixture::new();
    fixture.sample("A1", "P1", "SST", &["TSH"]);
    fixture.result("A1", "TSH");
    assert_eq!(explained(&fixture, "A1", "TSH").obstacle, Some(Obstacle::Settled));
}
