//! Are the backlogs what was published, and is every row of them valid?

#![expect(clippy::unwrap_used, reason = "in helpers of tests, too, what is not there is a failure")]

mod common;

use std::collections::BTreeMap;

use common::{Shipped, csv, instant, request, rows, snapshot};
use labtriage_core::catalogue::Catalogue;
use labtriage_core::duplicates::Repeat;
use labtriage_core::finding::Code;
use labtriage_core::network::{RequesterKind, SiteKind};
use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::LineIx;
use labtriage_core::time::{Instant, Minutes};
use labtriage_core::viability::Clock;
use labtriage_formats::config::overrides::overrides;
use labtriage_simulator::{ExtractRow, Request, Scenario, Spoil, World, generate};

/// Every byte of a backlog mixed into one number, and its rows.
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
fn rows_do_not_stand_in_order_of_accession() {
    let (rows, _) = rows(&Shipped::load(), request(Scenario::NormalNight, 5_000, 3));
    let descents = rows.windows(2).filter(|pair| pair[1][0] < pair[0][0]).count();
    assert!((2_200..2_800).contains(&descents), "{descents}");
}

#[test]
fn every_row_is_valid_and_disruptions_can_be_read() {
    let shipped = Shipped::load();
    for scenario in Scenario::ALL {
        let (_, generated) = shipped.backlog(request(scenario, 11_000, 5));
        let disrupted = Shipped::disrupted(&generated);
        assert_eq!(disrupted.network.disruptions.is_empty(), scenario == Scenario::NormalNight);
        assert_eq!(disrupted.network.capacity.get(), scenario.capacity_percent(11_000));
    }
}

#[test]
fn proportions_are_those_published() {
    let shipped = Shipped::load();
    let share = |part: usize, whole: usize| part as f64 / whole as f64;
    for scenario in Scenario::ALL {
        let (backlog, _) = shipped.backlog(request(scenario, 11_000, 6));
        let mut specimens: BTreeMap<&str, usize> = BTreeMap::new();
        for sample in backlog.samples.iter() {
            *specimens.entry(&shipped.catalogue.specimens[sample.specimen].code).or_default() += 1;
        }
        let from_ward =
            |request| shipped.network.requesters[backlog.requests[request].requester].kind == RequesterKind::Ward;
        let ward_samples = backlog.samples.iter().filter(|sample| from_ward(sample.request)).count();
        assert!(specimens["CSF"] > 1, "{specimens:?}");
        let held = backlog.lines.iter().filter(|line| line.result_held).count();
        let (mut of_practices, mut top_four) = (0, 0);
        for line in backlog.lines.indices().filter(|&line| !from_ward(backlog.request_of(line))) {
            let code = shipped.catalogue.tests[backlog.lines[line].test].code.as_str();
            of_practices += 1;
            top_four += usize::from(["FBC", "UE", "LFT", "LIPID"].contains(&code));
        }
        let (lines, top_four) = (share(backlog.lines.len(), 11_000), share(top_four, of_practices));
        assert!((2.7..3.2).contains(&lines), "{scenario:?}: {lines} lines per tube");
        assert!((0.78..0.83).contains(&top_four), "{scenario:?}: {top_four}");
        if scenario == Scenario::SynnovisWeek1 {
            assert!((7_500..8_100).contains(&specimens["SST"]), "{specimens:?}");
            assert!((2_750..3_150).contains(&specimens["EDTA"]), "{specimens:?}");
            assert!((2_450..3_050).contains(&held), "{held} held");
            assert!((550..880).contains(&ward_samples), "{ward_samples} of wards");
        } else {
            assert!(held < 60 && (1_200..2_000).contains(&ward_samples), "{held} held, {ward_samples} of wards");
        }
    }
}

/// Results that can leave the sites of these kinds in the slots that end by then.
fn reports(snapshot: &Snapshot, kinds: &[SiteKind], by: Instant) -> u64 {
    let grid = &snapshot.grid;
    let of_site = |site| {
        let slots = grid.slots().take_while(|&slot| grid.end(slot) <= by);
        slots.map(|slot| snapshot.capacity.limit(snapshot.capacity.reporting(site, slot))).sum::<u64>()
    };
    let sites = snapshot.network.sites.enumerate().filter(|(_, facts)| kinds.contains(&facts.kind));
    sites.map(|(site, _)| of_site(site)).sum()
}

/// Lines that a run in the first slot still serves: held results, and windows open at its end.
///
/// A window binds the run, not the report: what is run in time may be reported at any time, so the
/// length of the slots after the first plays no part.
fn in_time(snapshot: &Snapshot) -> u64 {
    let ends = snapshot.grid.end(snapshot.first_slot());
    let open = |line: &LineIx| {
        let runs = matches!(snapshot.clocks[*line], Clock::Until(closes) if closes >= ends);
        snapshot.repeats[*line] == Repeat::Survives && (snapshot.backlog.lines[*line].result_held || runs)
    };
    u64::try_from(snapshot.backlog.lines.indices().filter(open).count()).unwrap()
}

/// With analysers, couriers and re-tests left out, what limits is how many results can leave: at
/// the least those of the hub, at the most those of every site.
#[test]
fn in_week_1_three_fifths_of_the_lines_can_be_run_but_few_of_them_soon_at_any_size() {
    for samples in [2_000, 11_000, 40_000] {
        let (snapshot, _) = snapshot(request(Scenario::SynnovisWeek1, samples, 1), |_, _| Vec::new());
        let all = [SiteKind::Hub, SiteKind::Hospital, SiteKind::Partner];
        let by = |kinds: &[_], by| reports(&snapshot, kinds, by).min(in_time(&snapshot));
        let share = |lines| lines as f64 / snapshot.backlog.lines.len() as f64;
        let (horizon, day) = (snapshot.grid.horizon_end(), snapshot.now.plus(Minutes::from_days(1)));
        let (least, most) = (share(by(&[SiteKind::Hub], horizon)), share(by(&all, horizon)));
        assert!(0.55 < least && least <= most && most < 0.65, "{samples}: {least} to {most}");
        let soon = share(by(&all, day));
        assert!((0.02..0.06).contains(&soon), "{samples}: {soon} in a day");
    }
}

#[test]
fn a_few_lines_repeat_others_within_the_retest_interval() {
    for scenario in Scenario::ALL {
        let (snapshot, _) = snapshot(request(scenario, 11_000, 4), |_, _| Vec::new());
        let repeats = snapshot.repeats.iter().filter(|repeat| matches!(repeat, Repeat::Of(_))).count();
        let share = repeats as f64 / snapshot.repeats.len() as f64;
        assert!((0.015..0.04).contains(&share), "{scenario:?}: {share}");
    }
}

#[test]
fn later_evenings_bring_what_has_arrived_since_the_one_before() {
    let shipped = Shipped::load();
    let mut seen = std::collections::BTreeSet::new();
    let mut before = None;
    for night in 0..14 {
        let wanted = Request { night, ..request(Scenario::SynnovisWeek1, 300, 4) };
        let (rows, generated) = rows(&shipped, wanted);
        assert_eq!(rows, self::rows(&shipped, wanted).0);
        let now = instant(&generated.now_local);
        assert_eq!(before.map(|before| now.since(before).get()), before.map(|_| 1440));
        for row in &rows {
            assert!(seen.insert(row[0].clone()), "accession {} comes twice", row[0]);
            let received = instant(&row[8]);
            assert!(received < now && (night == 0 || now.since(received).get() <= 1500), "night {night}: {row:?}");
        }
        before = Some(now);
    }
    assert_eq!(seen.len(), 14 * 300);
}

#[test]
fn overrides_can_be_read_and_are_about_the_backlog() {
    let wanted = request(Scenario::SynnovisWeek1, 2_000, 12);
    let (snapshot, _) = snapshot(wanted, |shipped, generated| {
        let Shipped { catalogue, network, policy } = shipped;
        overrides(&generated.overrides, "overrides.toml", catalogue, network, policy).unwrap()
    });
    assert_eq!(snapshot.overrides.all.len(), 3);
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
fn a_hostile_backlog_is_the_tame_one_with_every_kind_of_bad_row() {
    let shipped = Shipped::load();
    let wanted = request(Scenario::SynnovisWeek1, 11_000, 8);
    let (tame, _) = rows(&shipped, wanted);
    let (mut at, mut raw, mut changed, mut not_text, mut longest) = (0, 0, 0, 0, 0);
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
fn the_reader_of_extracts_finds_every_kind_of_bad_row_and_loses_none() {
    let shipped = Shipped::load();
    let wanted = Request { hostile: true, ..request(Scenario::PlannedReduction, 11_000, 10) };
    let (file, generated) = csv(&shipped, wanted);
    let extract = shipped.extract(&file, &generated);
    assert_eq!(extract.rows_read, 11_000);
    let merged = usize::try_from(extract.warnings.count(Code::RepeatedRow)).unwrap();
    assert_eq!(extract.backlog.samples.len() + extract.quarantine.len() + merged, 11_000);
    for (kind, count) in generated.spoilt {
        let Some(code) = kind.code() else { continue };
        let refused = extract.quarantine.iter().filter(|row| row.findings.iter().any(|finding| finding.code == code));
        let found = u64::try_from(refused.count()).unwrap() + extract.warnings.count(code);
        assert!(found >= u64::from(count), "{kind:?}: {count} rows, {} found {found} times", code.text());
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
