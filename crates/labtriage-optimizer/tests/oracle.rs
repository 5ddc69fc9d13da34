//! Is a rule's plan ever better than the best there is? Tiny snapshots, enumerated whole.
//!
//! The oracle tries every combination of steps and dispositions at one site and lets the audit
//! judge; it shares nothing with the planner.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use labtriage_core::audit::audit;
use labtriage_core::cost::cost;
use labtriage_core::fixture::{Fixture, plan_of_one};
use labtriage_core::plan::{Disposition, Hold, Plan, Rule, Run, SamplePlan, Step};
use labtriage_core::policy::SlotStretch;
use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::{Ix, LineIx, SampleIx, SlotIx, Table};
use labtriage_core::time::Minutes;
use labtriage_core::units::Cost;

/// A day in five slots, no couriers, no visits within it: small enough to try everything.
fn tiny() -> Fixture {
    let mut fixture = Fixture::new();
    fixture.policy.slots = vec![SlotStretch { until: Minutes::from_days(1), length: Minutes::from_hours(6) }];
    fixture.network.couriers = Table::default();
    for point in fixture.network.collection_points.as_mut_slice() {
        point.visits_per_day = 0;
    }
    fixture
}

/// Every way of preparing a tube at its own site.
fn preparations(snapshot: &Snapshot, sample: SampleIx) -> Vec<Vec<Step>> {
    let spins = snapshot.catalogue.specimens[snapshot.backlog.samples[sample].specimen].aliquots;
    let slots: Vec<SlotIx> = snapshot.grid.slots().collect();
    let mut found = vec![Vec::new()];
    for &booked in &slots {
        found.push(vec![Step::BookIn(booked)]);
        for &spun in slots.iter().filter(|spun| spins && **spun <= booked) {
            found.push(vec![Step::Spin(spun), Step::BookIn(booked)]);
            found.push(vec![Step::Spin(spun), Step::Refrigerate, Step::BookIn(booked)]);
        }
    }
    found
}

/// Every disposition of a line at the hub.
fn dispositions(snapshot: &Snapshot, line: LineIx) -> Vec<Disposition> {
    let test = snapshot.backlog.lines[line].test;
    let mut found = vec![Disposition::Recall(None), Disposition::Hold(Hold::Waiting)];
    for (analyser, facts) in snapshot.network.analysers.enumerate() {
        if facts.site.row() != 0 || facts.menu.binary_search_by_key(&test, |(on_menu, _)| *on_menu).is_err() {
            continue;
        }
        for slot in snapshot.grid.slots() {
            for reported in snapshot.grid.slots().filter(|reported| *reported >= slot) {
                found.push(Disposition::Run(Run { analyser: Some(analyser), slot, reported }));
            }
        }
    }
    found
}

/// The cheapest lawful plan there is.
fn best(snapshot: &Snapshot) -> Cost {
    let mut plan = plan_of_one(snapshot, Disposition::Recall(None));
    let samples: Vec<SampleIx> = snapshot.backlog.samples.indices().collect();
    let mut found = Cost::MAX;
    try_samples(snapshot, &mut plan, &samples, &mut found);
    found
}

fn try_samples(snapshot: &Snapshot, plan: &mut Plan, samples: &[SampleIx], found: &mut Cost) {
    let Some((&sample, rest)) = samples.split_first() else {
        let price = cost(snapshot, plan).total();
        if price < *found && audit(snapshot, plan).is_empty() {
            *found = price;
        }
        return;
    };
    let lines: Vec<LineIx> = snapshot.backlog.samples[sample].lines().collect();
    for steps in preparations(snapshot, sample) {
        let before = plan.steps.len();
        plan.samples[sample] = SamplePlan {
            first_step: u32::try_from(before).unwrap(),
            steps: u8::try_from(steps.len()).unwrap(),
            ..SamplePlan::default()
        };
        plan.steps.extend(steps);
        try_lines(snapshot, plan, &lines, rest, found);
        plan.steps.truncate(before);
        plan.samples[sample] = SamplePlan::default();
    }
}

fn try_lines(snapshot: &Snapshot, plan: &mut Plan, lines: &[LineIx], rest: &[SampleIx], found: &mut Cost) {
    let Some((&line, others)) = lines.split_first() else {
        return try_samples(snapshot, plan, rest, found);
    };
    // What no lawful plan can hold is not tried: a run before its tube is booked in.
    let booked = plan.steps.last().and_then(|step| if let Step::BookIn(slot) = step { Some(*slot) } else { None });
    let booked = booked.filter(|_| plan.samples[snapshot.backlog.lines[line].sample].steps > 0);
    for disposition in dispositions(snapshot, line) {
        if let Disposition::Run(run) = disposition
            && booked.is_none_or(|booked| run.slot < booked)
        {
            continue;
        }
        plan.lines[line] = disposition;
        try_lines(snapshot, plan, others, rest, found);
    }
}

fn check(fixture: &Fixture, expect_best: bool) {
    let snapshot = fixture.snapshot();
    let optimum = best(&snapshot);
    for rule in Rule::ALL {
        let price = cost(&snapshot, &common::lawful(&snapshot, rule)).total();
        assert!(price >= optimum, "{} costs {price}, below the enumerated best {optimum}", rule.text());
        if expect_best {
            assert_eq!(price, optimum, "{}", rule.text());
        }
    }
}

#[test]
fn with_room_for_everything_every_rule_finds_the_best() {
    let mut fixture = tiny();
    fixture.policy.prices.refrigerate = Cost::ZERO;
    fixture.sample("A1", "P1", "SST", &["CRP"]);
    fixture.sample("A2", "P2", "EDTA", &["FBC"]).band("immediate");
    check(&fixture, true);
}

#[test]
fn scarce_reporting_never_makes_a_rule_better_than_the_best() {
    let mut fixture = tiny();
    for site in fixture.network.sites.as_mut_slice() {
        site.report_per_hour = 1;
        site.reception_per_hour = 1;
    }
    fixture.network.capacity = labtriage_core::units::Percent::new(17);
    fixture.sample("A1", "P1", "EDTA", &["FBC"]).collected_hours_ago(12);
    fixture.sample("A2", "P2", "EDTA", &["FBC"]).collected_hours_ago(20).band("urgent");
    fixture.sample("A3", "P3", "EDTA", &["FBC"]).collected_hours_ago(2);
    check(&fixture, false);
}

#[test]
fn lost_and_kept_lines_of_one_tube_are_decided_apart() {
    let mut fixture = tiny();
    fixture.policy.slots[0].length = Minutes::from_hours(8);
    fixture.sample("A1", "P1", "SST", &["K", "TSH"]).collected_hours_ago(5);
    check(&fixture, false);
}
