//! Which options the optimizer finds in small cases that a person can follow.

use labtriage_core::audit::audit;
use labtriage_core::catalogue::{Condition, State};
use labtriage_core::certificate::bounds;
use labtriage_core::cost::cost;
use labtriage_core::fixture::{Fixture, line_of, sample_of};
use labtriage_core::plan::{Disposition, Plan, Rule, Step};
use labtriage_core::snapshot::Snapshot;
use labtriage_core::units::{Cost, Microlitres};
use labtriage_optimizer::optimise::{Optimised, optimise, settings};

/// Plans a snapshot; the plan is lawful and costs no less than its prices prove.
fn planned(snapshot: &Snapshot) -> (Plan, Cost) {
    let (plan, total, _) = proven(snapshot);
    (plan, total)
}

/// The same with what its prices prove.
fn proven(snapshot: &Snapshot) -> (Plan, Cost, Cost) {
    let Optimised { plan, certificate, .. } = optimise(snapshot, &settings(0.0), &|| 0.0, &|_| {});
    assert_eq!(audit(snapshot, &plan), vec![]);
    let bound: Cost = bounds(snapshot, &plan, &certificate).into_iter().sum();
    let total = cost(snapshot, &plan).total();
    assert!(bound <= total, "the bound {bound} is above the cost {total}");
    (plan, total, bound)
}

/// The site at which a line is run.
fn run_at<'s>(snapshot: &'s Snapshot, plan: &Plan, accession: &str, test: &str) -> Option<&'s str> {
    let Disposition::Run(run) = plan.lines[line_of(snapshot, accession, test)] else { return None };
    let analyser = &snapshot.network.analysers[run.analyser?];
    Some(&snapshot.network.sites[analyser.site].code)
}

#[test]
fn a_little_volume_is_enough_for_an_analyser_that_loses_little() {
    let mut fixture = Fixture::new();
    let csf = fixture.catalogue.test("CSFC").unwrap();
    let wasteful = fixture.analyser("HOSP-HAEM");
    let analyser = &mut fixture.network.analysers[wasteful];
    analyser.menu.push((csf, None));
    analyser.menu.sort_unstable();
    analyser.disciplines.push(fixture.catalogue.tests[csf].discipline);
    analyser.dead_volume = Microlitres::new(500);
    let row = fixture.sample("A1", "P1", "CSF", &["CSFC"]);
    row.site("HOSP").collected_hours_ago(1).state(State::PrimaryRefrigerated).volume(260);
    let snapshot = fixture.snapshot();
    let (plan, _) = planned(&snapshot);
    assert_eq!(run_at(&snapshot, &plan, "A1", "CSFC"), Some("HUB"));
}

#[test]
fn tubes_are_split_between_two_sites_before_a_line_is_in_need() {
    let mut fixture = Fixture::new();
    let hub = fixture.analyser("HUB-CHEM");
    // One TSH or two CRP in an hour, so that both tests of all tubes take until the night.
    fixture.network.analysers[hub].rate_permille = 3;
    let tubes: Vec<String> = (0..12).map(|n| format!("A{n}")).collect();
    for tube in &tubes {
        let row = fixture.sample(tube, &format!("P{tube}"), "SST", &["TSH", "CRP"]);
        row.state(State::SeparatedRefrigerated).band("urgent");
    }
    let snapshot = fixture.snapshot();
    let (plan, total) = planned(&snapshot);
    let split: Vec<&String> = tubes
        .iter()
        .filter(|tube| {
            let steps = plan.steps_of(sample_of(&snapshot, tube));
            steps.iter().any(|step| matches!(step, Step::Aliquot(_)))
                && run_at(&snapshot, &plan, tube, "TSH") == Some("HUB")
                && run_at(&snapshot, &plan, tube, "CRP") == Some("HOSP")
        })
        .collect();
    assert!(split.len() >= 3, "only {split:?} are split");
    let by_hand = cost(&snapshot, &labtriage_optimizer::plan(&snapshot, Rule::BandEdf, &|_, _| {})).total();
    assert!(total < by_hand, "{total} is no less than {by_hand}");
}

/// A serum at the hub whose CRP only the hospital runs, which couriers reach that carry so.
fn to_the_hospital(carries: Condition) -> (Snapshot, Plan, Cost, Cost) {
    let mut fixture = Fixture::new();
    let crp = fixture.catalogue.test("CRP");
    let hospital = fixture.site("HOSP");
    for analyser in fixture.network.analysers.indices() {
        let analyser = &mut fixture.network.analysers[analyser];
        let kept = analyser.site == hospital;
        analyser.menu.retain(|(test, _)| kept || Some(*test) != crp);
    }
    for courier in fixture.network.couriers.indices() {
        let courier = &mut fixture.network.couriers[courier];
        if courier.to == hospital {
            courier.carries = vec![carries];
        }
    }
    fixture.sample("A1", "P1", "SST", &["CRP"]).state(State::SeparatedRefrigerated).band("urgent");
    let snapshot = fixture.snapshot();
    let (plan, total, bound) = proven(&snapshot);
    (snapshot, plan, total, bound)
}

#[test]
fn what_is_frozen_travels_on_dry_ice() {
    let (snapshot, plan, ..) = to_the_hospital(Condition::Frozen);
    assert_eq!(run_at(&snapshot, &plan, "A1", "CRP"), Some("HOSP"));
    let steps = plan.steps_of(sample_of(&snapshot, "A1"));
    let place = |wanted: fn(&Step) -> bool| steps.iter().position(wanted).unwrap();
    let frozen = place(|step| matches!(step, Step::Freeze(_)));
    let sent = place(|step| matches!(step, Step::Send(_)));
    assert!(frozen < sent && sent < place(|step| matches!(step, Step::Thaw(_))), "{steps:?}");
}

#[test]
fn the_bound_knows_that_liquid_tubes_do_not_travel_on_dry_ice() {
    let (.., liquid, _) = to_the_hospital(Condition::Refrigerated);
    let (.., iced, bound) = to_the_hospital(Condition::Frozen);
    assert!(liquid < iced, "{liquid} liquid, {iced} frozen");
    assert!(bound > liquid, "the bound {bound} takes the tube to be sent liquid for {liquid}");
}
