//! What holds for every backlog? Generated ones, all rules.

mod common;

use labtriage_core::audit::audit;
use labtriage_core::capacity::Resource;
use labtriage_core::catalogue::State;
use labtriage_core::certificate::facts::Facts;
use labtriage_core::certificate::patient::{Scratch, minimum};
use labtriage_core::certificate::stage::{Before, PatientSamples};
use labtriage_core::certificate::tables::Tables;
use labtriage_core::certificate::{Certificate, Prices, bounds, stage};
use labtriage_core::cost::cost;
use labtriage_core::fixture::Fixture;
use labtriage_core::flags::FlagSet;
use labtriage_core::plan::{Disposition, Plan, Rule, Run};
use labtriage_core::published::PublishedRun;
use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::{CellIx, LineIx};
use labtriage_core::time::Minutes;
use labtriage_core::units::{Cost, Percent};
use labtriage_optimizer::explain::{Obstacle, Stop, explain};
use labtriage_optimizer::optimise::{optimise, settings};
use proptest::prelude::*;

/// A sample in a few small numbers.
#[derive(Clone, Debug)]
struct Tube {
    patient: u8,
    specimen: usize,
    tests: Vec<usize>,
    hours: i32,
    state: usize,
    band: Option<usize>,
    site: usize,
    flags: u8,
    volume: u32,
    held: bool,
}

const SPECIMENS: [(&str, &[&str]); 3] =
    [("SST", &["K", "NA", "CRP", "TSH", "UE"]), ("EDTA", &["FBC"]), ("CSF", &["CSFC"])];
const STATES: [State; 5] = [
    State::PrimaryAmbient,
    State::PrimaryRefrigerated,
    State::SeparatedAmbient,
    State::SeparatedRefrigerated,
    State::SeparatedFrozen,
];

fn tube() -> impl Strategy<Value = Tube> {
    let facts = (0..6u8, 0..3usize, proptest::collection::vec(0..5usize, 1..4), 1..80i32, 0..5usize);
    let more =
        (proptest::option::of(0..3usize), 0..3usize, 0..16u8, prop_oneof![Just(2000u32), 60..300u32], any::<bool>());
    (facts, more).prop_map(|((patient, specimen, tests, hours, state), (band, site, flags, volume, held))| Tube {
        patient,
        specimen,
        tests,
        hours,
        state,
        band,
        site,
        flags,
        volume,
        held: held && flags % 5 == 0,
    })
}

fn fixture(tubes: &[Tube], capacity: u32, order: &[usize]) -> Fixture {
    let mut fixture = Fixture::new();
    fixture.network.capacity = Percent::new(capacity);
    for site in fixture.network.sites.as_mut_slice() {
        site.report_per_hour = 100;
    }
    for &n in order {
        let tube = &tubes[n];
        let (specimen, codes) = SPECIMENS[tube.specimen];
        let mut tests: Vec<&str> = tube.tests.iter().map(|test| codes[test % codes.len()]).collect();
        tests.sort_unstable();
        tests.dedup();
        let held = tube.held.then(|| tests[0]);
        let row = fixture.sample(&format!("A{n:02}"), &format!("P{}", tube.patient), specimen, &tests);
        row.collected_hours_ago(tube.hours).volume(tube.volume).site(["HUB", "HOSP", "PARTNER"][tube.site]);
        if let Some(test) = held {
            row.result_held(test);
        }
        let state = STATES[if specimen == "SST" { tube.state } else { tube.state % 2 }];
        if state != State::PrimaryAmbient {
            row.history(&[(tube.hours, State::PrimaryAmbient), (tube.hours - tube.hours / 2, state)]);
        }
        if let Some(band) = tube.band {
            row.band(["immediate", "urgent", "routine"][band]);
        }
        match tube.flags {
            0 => drop(row.flags(FlagSet::DECEASED)),
            1 => drop(row.flags(FlagSet::CRITICAL)),
            2 => drop(row.flags(FlagSet::HARD_TO_BLEED)),
            3 => drop(row.irreplaceable()),
            _ => {}
        }
    }
    fixture
}

/// Prices of all sizes on some of the cells, from a seed.
fn prices(snapshot: &Snapshot, seed: u64, dear: u32) -> Prices {
    let mut bits = seed | 1;
    let mut next = || {
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        bits
    };
    let price = |_| {
        let (some, size) = (next(), next());
        if some % 3 == 0 { i64::try_from(size >> (63 - dear)).unwrap_or(0) } else { 0 }
    };
    Prices::new(snapshot.capacity.limits().indices().map(price).collect())
}

/// The minimum of every patient with a line of a stage, and what it is told to use.
fn minima_and_uses(snapshot: &Snapshot, before: &Before, prices: &Prices) -> Vec<(i64, Vec<(CellIx, u64)>)> {
    let (facts, samples) = (Facts::new(snapshot), PatientSamples::new(&snapshot.backlog));
    let tables = Tables::new(&facts, before, prices.clone());
    let mut scratch = Scratch::default();
    let of = |patient| {
        let mut uses = Vec::new();
        let mut add = |cell, amount| uses.push((cell, amount));
        (minimum(&tables, &samples, patient, &mut scratch, Some(&mut add)), uses)
    };
    snapshot.backlog.patients.indices().map(of).collect()
}

/// Dearer visits: of what tubes use, shares and ways of handling are told in part only.
fn dearer(snapshot: &Snapshot, prices: &Prices, more: &Prices) -> Prices {
    let told = |cell| match snapshot.capacity.describe(cell).0 {
        Resource::Visits(_) | Resource::RecallCap => more.of(cell, 1),
        _ => 0,
    };
    Prices::new(snapshot.capacity.limits().indices().map(|cell| prices.of(cell, 1) + told(cell)).collect())
}

/// The runs of a plan, for the lines of another snapshot that have the same accession and test.
fn published(old: &Snapshot, plan: &Plan, new: &Snapshot) -> Vec<(LineIx, PublishedRun)> {
    let run = |(line, disposition): (LineIx, &Disposition)| {
        let Disposition::Run(Run { analyser: Some(analyser), slot, .. }) = *disposition else { return None };
        let facts = &old.backlog.lines[line];
        let sample = new.backlog.find_sample(old.backlog.accession(facts.sample))?;
        let same = |line: &LineIx| new.backlog.lines[*line].test == facts.test;
        let line = new.backlog.samples[sample].lines().find(same)?;
        Some((line, PublishedRun { analyser, starts: old.grid.start(slot), ends: old.grid.end(slot) }))
    };
    plan.lines.enumerate().filter_map(run).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_rule_is_lawful_and_decides_every_line(
        tubes in proptest::collection::vec(tube(), 1..25),
        capacity in prop_oneof![Just(0u32), 1..6u32, Just(100u32)],
        days in 1..6i32,
    ) {
        let order: Vec<usize> = (0..tubes.len()).collect();
        let mut fixture = fixture(&tubes, capacity, &order);
        fixture.policy.slots.retain(|stretch| stretch.until <= Minutes::from_days(days.max(2)));
        let snapshot = fixture.snapshot();
        for rule in Rule::ALL {
            let plan = common::lawful(&snapshot, rule);
            prop_assert_eq!(plan.lines.len(), snapshot.backlog.lines.len());
        }
    }

    #[test]
    fn no_prices_prove_more_than_a_lawful_plan_costs(
        tubes in proptest::collection::vec(tube(), 1..25),
        capacity in prop_oneof![1..6u32, Just(20u32), Just(100u32)],
        seed in any::<u64>(),
        dear in 0..40u32,
    ) {
        let order: Vec<usize> = (0..tubes.len()).collect();
        let snapshot = fixture(&tubes, capacity, &order).snapshot();
        let certificate = Certificate {
            stages: (0..stage::count(&snapshot)).map(|stage| prices(&snapshot, seed ^ stage as u64, dear)).collect(),
        };
        for rule in Rule::ALL {
            let plan = common::lawful(&snapshot, rule);
            let bound: Cost = bounds(&snapshot, &plan, &certificate).into_iter().sum();
            let price = cost(&snapshot, &plan).total();
            prop_assert!(bound <= price, "{} costs {price}, below the bound {bound}", rule.text());
        }
    }

    #[test]
    fn a_minimum_grows_by_no_more_than_its_visit_becomes_dearer(
        tubes in proptest::collection::vec(tube(), 1..25),
        capacity in prop_oneof![1..6u32, Just(20u32), Just(100u32)],
        seed in any::<u64>(),
        dear in 0..40u32,
    ) {
        // Where volume is scant a line may be run in part, and is told as a whole or not at all.
        let tubes: Vec<Tube> = tubes.into_iter().map(|tube| Tube { volume: 2000, ..tube }).collect();
        let order: Vec<usize> = (0..tubes.len()).collect();
        let snapshot = fixture(&tubes, capacity, &order).snapshot();
        let plan = common::lawful(&snapshot, Rule::BandEdf);
        let low = prices(&snapshot, seed, dear);
        let high = dearer(&snapshot, &low, &prices(&snapshot, !seed, dear));
        for stage in 0..stage::count(&snapshot) {
            let before = Before::stage(&snapshot, &plan, stage);
            let (low_minima, high_minima) =
                (minima_and_uses(&snapshot, &before, &low), minima_and_uses(&snapshot, &before, &high));
            for ((least, uses), (most, _)) in low_minima.into_iter().zip(high_minima) {
                let dearer: i64 = uses.iter().map(|&(cell, amount)| high.of(cell, amount) - low.of(cell, amount)).sum();
                prop_assert!(most <= least + dearer, "{least} and {dearer}, but {most}");
            }
        }
    }

    #[test]
    fn a_priced_plan_is_lawful_and_costs_no_less_than_its_bound(
        tubes in proptest::collection::vec(tube(), 1..20),
        capacity in prop_oneof![1..6u32, Just(20u32)],
    ) {
        let order: Vec<usize> = (0..tubes.len()).collect();
        let turned: Vec<usize> = order.iter().rev().copied().collect();
        let snapshot = fixture(&tubes, capacity, &order).snapshot();
        let found = optimise(&snapshot, &settings(0.001), &|| 0.0, &|_| {});
        prop_assert_eq!(audit(&snapshot, &found.plan), vec![]);
        let bound: Cost = bounds(&snapshot, &found.plan, &found.certificate).into_iter().sum();
        let price = cost(&snapshot, &found.plan).total();
        prop_assert!(bound <= price, "costs {price}, below the bound {bound}");
        for rule in Rule::ALL {
            let plan = common::lawful(&snapshot, rule);
            let bound: Cost = bounds(&snapshot, &plan, &found.certificate).into_iter().sum();
            prop_assert!(bound <= cost(&snapshot, &plan).total());
        }
        let turned = fixture(&tubes, capacity, &turned).snapshot();
        let again = optimise(&turned, &settings(0.001), &|| 0.0, &|_| {});
        prop_assert_eq!(again.plan, found.plan);
    }

    #[test]
    fn the_order_of_rows_does_not_matter(tubes in proptest::collection::vec(tube(), 1..20), capacity in 1..8u32) {
        let order: Vec<usize> = (0..tubes.len()).collect();
        let turned: Vec<usize> = order.iter().rev().copied().collect();
        let (a, b) = (fixture(&tubes, capacity, &order).snapshot(), fixture(&tubes, capacity, &turned).snapshot());
        for rule in Rule::ALL {
            prop_assert_eq!(common::lawful(&a, rule), common::lawful(&b, rule));
        }
    }

    #[test]
    fn a_published_plan_is_kept_as_far_as_it_can_be(
        tubes in proptest::collection::vec(tube(), 1..20),
        capacity in prop_oneof![1..8u32, Just(100u32)],
        left in prop_oneof![Just(100u32), 0..100u32],
        later in prop_oneof![Just(0i32), 1..600i32],
        window in prop_oneof![Just(0i32), 1..24i32],
    ) {
        let order: Vec<usize> = (0..tubes.len()).collect();
        let before = fixture(&tubes, capacity, &order);
        let (old, mut after) = (before.snapshot(), before);
        let plan = common::lawful(&old, Rule::BandEdf);
        after.now = after.now.plus(Minutes::new(later));
        after.network.capacity = Percent::new(capacity * left / 100);
        after.policy.frozen_window = Minutes::from_hours(window);
        for rule in Rule::ALL {
            let snapshot = after.snapshot();
            let runs = published(&old, &plan, &snapshot);
            let snapshot = snapshot.with_published(runs);
            let new = common::lawful(&snapshot, rule);
            for line in snapshot.backlog.lines.indices().filter(|_| later == 0 && left == 100) {
                prop_assert!(snapshot.frozen_run(line).is_none_or(|run| run.kept_by(new.lines[line])));
            }
        }
    }

    #[test]
    fn what_is_published_and_planned_again_at_once_costs_nothing_to_move(
        tubes in proptest::collection::vec(tube(), 1..20), capacity in 1..8u32,
    ) {
        let order: Vec<usize> = (0..tubes.len()).collect();
        let snapshot = fixture(&tubes, capacity, &order).snapshot();
        let plan = common::lawful(&snapshot, Rule::BandEdf);
        let runs = published(&snapshot, &plan, &snapshot);
        let snapshot = snapshot.with_published(runs);
        prop_assert_eq!(cost(&snapshot, &plan).moved, labtriage_core::units::Cost::ZERO);
        prop_assert_eq!(common::lawful(&snapshot, Rule::BandEdf), plan);
    }

    #[test]
    fn every_line_is_explained(tubes in proptest::collection::vec(tube(), 1..12), capacity in 0..8u32) {
        let order: Vec<usize> = (0..tubes.len()).collect();
        let snapshot = fixture(&tubes, capacity, &order).snapshot();
        let plan = common::lawful(&snapshot, Rule::BandEdf);
        for line in snapshot.backlog.lines.indices() {
            let found = explain(&snapshot, &plan, line);
            let run = matches!(plan.lines[line], Disposition::Run(_));
            prop_assert_eq!(found.obstacle.is_none(), run);
            if let Some(Obstacle::Stopped { places, change }) = &found.obstacle {
                let saves = places.iter().any(|place| matches!(place.stop, Stop::Lacking(_)));
                prop_assert!(!places.is_empty() && (saves || change.is_none()));
            }
        }
    }

    #[test]
    fn with_no_capacity_nothing_is_run_and_nothing_costs_more(tubes in proptest::collection::vec(tube(), 1..15)) {
        let order: Vec<usize> = (0..tubes.len()).collect();
        let (none, all) = (fixture(&tubes, 0, &order).snapshot(), fixture(&tubes, 100, &order).snapshot());
        for rule in Rule::ALL {
            let (idle, busy) = (common::lawful(&none, rule), common::lawful(&all, rule));
            prop_assert!(!idle.lines.iter().any(|line| matches!(line, Disposition::Run(_))));
            let unserved = |plan: &Plan| cost(&all, plan).unserved;
            prop_assert!(unserved(&busy) <= cost(&none, &idle).unserved);
        }
    }
}
