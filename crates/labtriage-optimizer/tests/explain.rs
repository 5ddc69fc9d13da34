//! Are the reasons true? Explanations of small plans, each change tried on the audit.

mod common;

use labtriage_core::capacity::Resource;
use labtriage_core::catalogue::{Condition, State};
use labtriage_core::fixture::{Fixture, line_of};
use labtriage_core::overrides::Action;
use labtriage_core::plan::{Disposition, Rule};
use labtriage_core::table::{LineIx, Table};
use labtriage_core::time::Minutes;
use labtriage_optimizer::explain::{Alternative, Change, Explanation, Obstacle, Place, Stop, explain};

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

/// The change that would have saved a line, what each site stopped it by, and what was explained.
fn stopped(fixture: &Fixture, accession: &str, test: &str) -> (Option<Change>, Vec<(String, String)>) {
    let snapshot = fixture.snapshot();
    let Some(Obstacle::Stopped { places, change }) = explained(fixture, accession, test).obstacle else {
        panic!("something else stopped it: {:?}", explained(fixture, accession, test))
    };
    let words = |place: &Place| {
        let stop = match &place.stop {
            Stop::Law(law) => format!("{law:?}"),
            Stop::Lacking(lacking) => {
                let resources = lacking.iter().map(|lacks| snapshot.capacity.describe(lacks.cell).0);
                format!("{:?}", resources.collect::<Vec<_>>())
            }
        };
        (snapshot.network.sites[place.site].code.clone(), stop)
    };
    (change, places.iter().map(words).collect())
}

/// A line that one more unit of one resource would have saved, and who has what there is of it.
fn check_saved(
    fixture: &Fixture,
    line: (&str, &str),
    wanted: impl Fn(&Fixture, Resource) -> bool,
    used_by: (&str, &str),
) {
    let snapshot = fixture.snapshot();
    let (change, places) = stopped(fixture, line.0, line.1);
    let change = change.unwrap_or_else(|| panic!("nothing saves it: {places:?}"));
    let resources: Vec<Resource> =
        change.lacking.iter().map(|lacks| snapshot.capacity.describe(lacks.cell).0).collect();
    assert!(resources.len() == 1 && wanted(fixture, resources[0]), "{resources:?}");
    assert_eq!(change.used_by, [line_of(&snapshot, used_by.0, used_by.1)]);
    // The rule itself, given the change, saves the line.
    let more = snapshot.with_extra_capacity(change.lacking[0].cell, change.lacking[0].amount);
    let plan = common::lawful(&more, Rule::BandEdf);
    assert!(matches!(plan.lines[line_of(&more, line.0, line.1)], Disposition::Run(_)));
}

#[test]
fn a_line_without_room_names_the_resource_the_verified_change_and_who_outranked_it() {
    let haematology = |fixture: &Fixture, resource| resource == Resource::AnalyserTime(fixture.analyser("HUB-HAEM"));
    check_saved(&one_place_for_two(), ("A2", "FBC"), haematology, ("A1", "FBC"));
}

#[test]
fn one_more_tube_in_the_centrifuge_saves_a_line() {
    let mut fixture = Fixture::new();
    let hub = fixture.site("HUB");
    fixture.network.sites[hub].centrifuge_per_hour = 1;
    fixture.network.couriers = Table::default();
    fixture.sample("A1", "P1", "SST", &["K"]).collected_hours_ago(5).band("urgent");
    fixture.sample("A2", "P2", "SST", &["K"]).collected_hours_ago(5);
    check_saved(&fixture, ("A2", "K"), |_, resource| resource == Resource::Centrifuge(hub), ("A1", "K"));
}

/// Two thyroid tests at the hospital, which cannot run them; four hours are left of each.
fn two_to_send() -> Fixture {
    let mut fixture = Fixture::new();
    let tsh = fixture.test("TSH");
    fixture.catalogue.tests[tsh].figures.retain(|figure| figure.condition == Condition::Ambient);
    let kept = [(20, State::PrimaryAmbient), (20, State::SeparatedAmbient)];
    fixture.sample("A1", "P1", "SST", &["TSH"]).history(&kept).site("HOSP").band("urgent");
    fixture.sample("A2", "P2", "SST", &["TSH"]).history(&kept).site("HOSP");
    fixture
}

#[test]
fn one_more_place_with_the_courier_saves_a_line() {
    let mut fixture = two_to_send();
    let to_hub = fixture.network.couriers.position(|courier| courier.code == "HOSP-HUB").expect("a courier");
    fixture.network.couriers[to_hub].tubes = 1;
    check_saved(&fixture, ("A2", "TSH"), |_, resource| matches!(resource, Resource::Courier(_)), ("A1", "TSH"));
}

#[test]
fn one_more_place_in_the_freezer_saves_a_line() {
    let mut fixture = Fixture::new();
    let (tue_thu, hub) = (fixture.calendar("tue-thu"), fixture.site("HUB"));
    let (chemistry, tsh) = (fixture.analyser("HUB-CHEM"), fixture.test("TSH"));
    for entry in &mut fixture.network.analysers[chemistry].menu {
        entry.1 = (entry.0 == tsh).then_some(tue_thu);
    }
    fixture.network.couriers = Table::default();
    fixture.network.sites[hub].freezer_places = 1;
    fixture.catalogue.tests[tsh].figures.retain(|figure| figure.condition != Condition::Refrigerated);
    // Ten hours are left of the separated clock: not enough for Tuesday, unless frozen.
    let kept = [(20, State::PrimaryAmbient), (14, State::SeparatedAmbient)];
    fixture.sample("A1", "P1", "SST", &["TSH"]).history(&kept).band("urgent");
    fixture.sample("A2", "P2", "SST", &["TSH"]).history(&kept);
    check_saved(&fixture, ("A2", "TSH"), |_, resource| resource == Resource::Freezer(hub), ("A1", "TSH"));
}

#[test]
fn a_tube_that_was_booked_in_too_late_is_planned_again_with_all_its_lines() {
    let mut fixture = Fixture::new();
    let (hub, urgent) = (fixture.site("HUB"), fixture.band("urgent"));
    let (potassium, crp) = (fixture.test("K"), fixture.test("CRP"));
    fixture.network.couriers = Table::default();
    fixture.network.sites[hub].reception_per_hour = 1;
    fixture.catalogue.tests[crp].figures.retain(|figure| figure.condition == Condition::Ambient);
    let kept = |hours| [(hours + 1, State::PrimaryAmbient), (hours, State::SeparatedAmbient)];
    fixture.sample("A1", "P1", "SST", &["K"]).history(&kept(300)).band("urgent");
    // An hour is left for one line, three days for the other, which is more pressing and chose the way.
    fixture.sample("A2", "P2", "SST", &["K", "CRP"]).history(&kept(263));
    fixture.override_("A2", Action::SetBand(urgent)).target.test = Some(potassium);
    check_saved(&fixture, ("A2", "CRP"), |_, resource| resource == Resource::Reception(hub), ("A1", "K"));
    let (change, _) = stopped(&fixture, "A2", "CRP");
    let others: Vec<LineIx> = change.expect("a change").others.iter().map(|(line, _)| *line).collect();
    assert_eq!(others, [line_of(&fixture.snapshot(), "A2", "K")]);
}

#[test]
fn each_site_says_what_stopped_the_line_there() {
    let mut fixture = two_to_send();
    for courier in fixture.network.couriers.as_mut_slice() {
        courier.transit = Minutes::from_hours(6);
    }
    let (change, places) = stopped(&fixture, "A2", "TSH");
    assert_eq!(change, None);
    let expected = [("HOSP", "Menu"), ("HUB", "Viability"), ("PARTNER", "PartnerBands")];
    assert_eq!(places, expected.map(|(site, stop)| (site.to_owned(), stop.to_owned())));
}

#[test]
fn a_test_that_needs_more_than_the_tube_holds_is_stopped_by_its_volume() {
    let mut fixture = one_place_for_two();
    let fbc = fixture.test("FBC");
    fixture.catalogue.tests[fbc].volume = labtriage_core::units::Microlitres::new(2001);
    let (change, places) = stopped(&fixture, "A2", "FBC");
    assert_eq!((change, places), (None, vec![("HUB".to_owned(), "Volume".to_owned())]));
}

#[test]
fn what_lacks_two_things_names_both() {
    let mut fixture = one_place_for_two();
    let hub = fixture.site("HUB");
    fixture.network.sites[hub].reception_per_hour = 1;
    let (change, _) = stopped(&fixture, "A2", "FBC");
    let snapshot = fixture.snapshot();
    let lacking = change.expect("a change").lacking;
    let resources: Vec<Resource> = lacking.iter().map(|lacks| snapshot.capacity.describe(lacks.cell).0).collect();
    assert_eq!(resources, [Resource::AnalyserTime(fixture.analyser("HUB-HAEM")), Resource::Reception(hub)]);
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
