//! Are the backlogs what was published, and is every row of them valid?

mod common;

use std::collections::BTreeMap;

use common::{Shipped, backlog, instant, parse, request, rows};
use labtriage_core::catalogue::Catalogue;
use labtriage_core::duplicates::Repeat;
use labtriage_core::network::SiteKind;
use labtriage_core::snapshot::{Inputs, Snapshot};
use labtriage_core::viability::Clock;
use labtriage_simulator::{ExtractRow, Request, Scenario, Spoil, World, generate};

/// Every byte of a backlog, mixed into one number.
fn digest(shipped: &Shipped, wanted: Request) -> (u64, u32) {
    let (mut hash, mut count) = (0xcbf2_9ce4_8422_2325_u64, 0);
    generate(shipped.world(), wanted, &mut |row: &ExtractRow| {
        count += 1;
        for field in row.raw().map_or_else(|| row.fields().to_vec(), |line| vec![line]) {
            for byte in field.iter().chain(b",") {
                hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
    });
    (hash, count)
}

#[test]
fn a_seed_gives_the_same_rows_and_another_seed_others() {
    let shipped = Shipped::load();
    for scenario in Scenario::ALL {
        for hostile in [false, true] {
            let of = |seed| digest(&shipped, Request { hostile, ..request(scenario, 3_000, seed) });
            assert_eq!(of(1), of(1));
            assert_ne!(of(1).0, of(2).0);
            assert_eq!(of(1).1, 3_000);
        }
    }
}

#[test]
fn every_size_has_exactly_so_many_rows() {
    let shipped = Shipped::load();
    for samples in [0, 1, 2, 4_095, 4_096, 4_097, 10_001] {
        assert_eq!(digest(&shipped, request(Scenario::NormalNight, samples, 3)).1, samples);
    }
}

#[test]
fn every_row_is_valid_and_none_contradicts_another() {
    let shipped = Shipped::load();
    for scenario in Scenario::ALL {
        let (rows, generated) = rows(&shipped, request(scenario, 11_000, 5));
        backlog(&shipped, &rows, instant(&generated.now_local));
        let disrupted = Shipped::disrupted(&generated);
        assert_eq!(disrupted.network.disruptions.is_empty(), scenario == Scenario::NormalNight);
        assert_eq!(disrupted.network.capacity.get(), scenario.capacity_percent(11_000));
    }
}

#[test]
fn proportions_are_those_published() {
    let shipped = Shipped::load();
    for scenario in Scenario::ALL {
        let (rows, generated) = rows(&shipped, request(scenario, 11_000, 6));
        let now = instant(&generated.now_local);
        let (mut history, mut tests) = (Vec::new(), Vec::new());
        let mut specimens: BTreeMap<&str, u32> = BTreeMap::new();
        let (mut lines, mut practice_lines, mut top_four, mut ward_samples, mut held) = (0, 0, 0, 0, 0);
        for fields in &rows {
            let parsed = parse(&shipped, fields, now, &mut history, &mut tests);
            *specimens.entry(&fields[10]).or_default() += 1;
            ward_samples += u32::from(parsed.ward);
            for &(test, result_held) in parsed.sample.tests {
                lines += 1;
                held += u32::from(result_held);
                if !parsed.ward {
                    practice_lines += 1;
                    let code = shipped.catalogue.tests[test].code.as_str();
                    top_four += u32::from(["FBC", "UE", "LFT", "LIPID"].contains(&code));
                }
            }
        }
        let share = |part: u32, whole: u32| f64::from(part) / f64::from(whole);
        assert!((2.7..3.2).contains(&share(lines, 11_000)), "{scenario:?}: {lines} lines");
        assert!((0.78..0.83).contains(&share(top_four, practice_lines)), "{scenario:?}: {top_four}/{practice_lines}");
        if scenario == Scenario::SynnovisWeek1 {
            assert!((7_500..8_100).contains(&specimens["SST"]), "{specimens:?}");
            assert!((2_750..3_150).contains(&specimens["EDTA"]), "{specimens:?}");
            assert!((2_450..3_050).contains(&held), "{held} held");
            assert!((550..880).contains(&ward_samples), "{ward_samples} of wards");
        }
    }
}

/// A rough floor and ceiling of what can be run: results leave at the sites of these kinds, one pool
/// for all, earliest expiry first; analysers, couriers and re-tests are left out.
fn can_be_reported(snapshot: &Snapshot, kinds: &[SiteKind]) -> usize {
    let mut closes = Vec::new();
    let mut held = 0;
    for (line, facts) in snapshot.backlog.lines.enumerate() {
        match snapshot.clocks[line] {
            _ if snapshot.repeats[line] != Repeat::Survives => {}
            _ if facts.result_held => held += 1,
            Clock::Until(at) => closes.push(at),
            Clock::Lost(..) | Clock::Unknown(_) => {}
        }
    }
    closes.sort_unstable();
    let (mut done, mut next) = (0, 0);
    for slot in snapshot.grid.slots() {
        let sites = snapshot.network.sites.indices().filter(|&site| kinds.contains(&snapshot.network.sites[site].kind));
        let results = sites.map(|site| snapshot.capacity.limit(snapshot.capacity.reporting(site, slot))).sum::<u64>();
        let mut left = usize::try_from(results).unwrap();
        while left > 0 && next < closes.len() {
            if closes[next] >= snapshot.grid.end(slot) {
                (done, left) = (done + 1, left - 1);
            }
            next += 1;
        }
        let reported = left.min(held);
        (done, held) = (done + reported, held - reported);
    }
    done
}

#[test]
fn in_week_1_a_quarter_of_the_lines_can_be_run_at_any_size() {
    let undisrupted = Shipped::load();
    for samples in [2_000, 11_000, 40_000] {
        let (rows, generated) = rows(&undisrupted, request(Scenario::SynnovisWeek1, samples, 1));
        let now = instant(&generated.now_local);
        let backlog = backlog(&undisrupted, &rows, now);
        let Shipped { catalogue, network, policy } = Shipped::disrupted(&generated);
        let inputs = Inputs { now, catalogue, network, policy, backlog, overrides: Vec::new(), results: Vec::new() };
        let (snapshot, _) = Snapshot::new(inputs).unwrap();
        let lines = snapshot.backlog.lines.len();
        let least = can_be_reported(&snapshot, &[SiteKind::Hub]) as f64 / lines as f64;
        let most =
            can_be_reported(&snapshot, &[SiteKind::Hub, SiteKind::Hospital, SiteKind::Partner]) as f64 / lines as f64;
        assert!(0.15 < least && least <= most && most < 0.35, "{samples}: {least} to {most} of {lines}");
    }
}

#[test]
fn a_hostile_backlog_has_every_kind_of_bad_row() {
    let shipped = Shipped::load();
    let wanted = request(Scenario::SynnovisWeek1, 11_000, 8);
    let (tame, _) = rows(&shipped, wanted);
    let (mut raw, mut changed, mut not_text, mut longest) = (0, 0, 0, 0);
    let mut at = 0;
    let generated = generate(shipped.world(), Request { hostile: true, ..wanted }, &mut |row: &ExtractRow| {
        let same = row.raw().is_none() && row.fields().iter().zip(&tame[at]).all(|(a, b)| *a == b.as_bytes());
        at += 1;
        changed += u32::from(!same);
        raw += u32::from(row.raw().is_some());
        not_text += u32::from(row.fields().iter().any(|field| std::str::from_utf8(field).is_err()));
        longest = longest.max(row.fields().iter().map(|field| field.len()).max().unwrap());
    });
    assert_eq!(at, 11_000);
    assert!((160..290).contains(&changed), "{changed} changed");
    assert!(raw > 10 && not_text > 4 && longest == 10_000_000);
    assert_eq!(generated.spoilt.len(), Spoil::ALL.len());
    assert!(generated.spoilt.iter().all(|(_, count)| *count > 2), "{:?}", generated.spoilt);
}

#[test]
fn results_name_tubes_or_patients_of_the_backlog() {
    let shipped = Shipped::load();
    let (rows, generated) = rows(&shipped, request(Scenario::SynnovisWeek1, 11_000, 9));
    let now = instant(&generated.now_local);
    assert!((30..90).contains(&generated.results.len()), "{}", generated.results.len());
    for result in &generated.results {
        assert!(result.accession.is_empty() != result.patient.is_empty());
        assert!(rows.iter().any(|row| row[0] == result.accession || row[2] == result.patient));
        assert!(shipped.catalogue.test(result.test).is_some());
        assert!(instant(&result.resulted_at) < now);
    }
}

#[test]
fn a_world_without_tests_gives_no_rows() {
    let shipped = Shipped::load();
    let world = World { catalogue: &Catalogue::default(), ..shipped.world() };
    let mut count = 0;
    generate(world, request(Scenario::NormalNight, 100, 1), &mut |_: &ExtractRow| count += 1);
    assert_eq!(count, 0);
}

#[test]
fn a_few_requests_ask_again_within_the_retest_interval() {
    let shipped = Shipped::load();
    let (rows, generated) = rows(&shipped, request(Scenario::NormalNight, 11_000, 4));
    let now = instant(&generated.now_local);
    let backlog = backlog(&shipped, &rows, now);
    let Shipped { catalogue, network, policy } = Shipped::disrupted(&generated);
    let inputs = Inputs { now, catalogue, network, policy, backlog, overrides: Vec::new(), results: Vec::new() };
    let (snapshot, _) = Snapshot::new(inputs).unwrap();
    let lines = snapshot.repeats.len() as f64;
    let repeats = snapshot.repeats.iter().filter(|repeat| matches!(repeat, Repeat::Of(_))).count() as f64;
    assert!((0.02..0.04).contains(&(repeats / lines)), "{repeats} of {lines}");
}
