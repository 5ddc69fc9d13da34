//! A night that is killed at any instant is completed or undone by the next, and nothing is lost or doubled.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::common::{Bench, night, sound};

/// Kills at random instants, shared out among workers, each with a laboratory of its own.
const KILLS: usize = 200;
const WORKERS: usize = 4;

/// The variable that names a PostgreSQL server for tests.
const POSTGRES: &str = "LABTRIAGE_TEST_POSTGRES";

/// Samples of a night, of which one arrives and one goes each time.
const SAMPLES: usize = 6;

#[test]
fn two_hundred_kills_at_random_lose_and_double_nothing() {
    std::thread::scope(|scope| {
        let workers: Vec<_> =
            (0..WORKERS).map(|worker| scope.spawn(move || kills(worker as u64, KILLS / WORKERS))).collect();
        let left: usize = workers.into_iter().map(|worker| worker.join().unwrap()).sum();
        // Were all runs killed before they had begun, or after they had ended, nothing would be tested.
        assert!((KILLS / 10..KILLS).contains(&left), "{left} of {KILLS} kills found a night unfinished");
    });
}

/// Kills nights at random instants; returns how many were not published then.
fn kills(seed: u64, count: usize) -> usize {
    let bench = Bench::new();
    let mut seen = BTreeSet::new();
    let mut extract = |minute: usize| {
        let rows: Vec<String> = (minute..minute + SAMPLES).map(sound).collect();
        seen.extend((minute..minute + SAMPLES).map(|n| format!("A{n}")));
        bench.extract(minute, &rows);
        seen.clone()
    };
    extract(0);
    let began = Instant::now();
    bench.check_published(0);
    let whole = began.elapsed();
    let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(1);
    let mut left = 0;
    for minute in 1..=count {
        let samples = extract(minute);
        let mut child = bench.spawn();
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let share = (random >> 33) as f64 / f64::from(1_u32 << 31);
        std::thread::sleep(Duration::from_secs_f64(whole.as_secs_f64() * share));
        child.kill().unwrap();
        child.wait().unwrap();
        let current = bench.current();
        assert!(current == night(minute) || current == night(minute - 1), "{current} after kill {minute}");
        left += usize::from(current == night(minute - 1));
        bench.check_published(minute);
        bench.check_ledger(&samples, minute + 1);
        assert_eq!(hidden(&bench), [".nightly.lock"], "after kill {minute}");
    }
    left
}

/// The phases of a night, in order, but for the last, after which nothing is left to be killed.
const PHASES: [&str; 8] = ["lock", "complete", "choose", "read", "plan", "write", "record", "publish"];

/// Kills a night once after each of its phases: on a server, whose transaction outlives the program that began it.
fn killed_after_every_phase(bench: &Bench) {
    let mut seen = BTreeSet::new();
    bench.extract(0, &[sound(0)]);
    // The first night makes the ledger; a killed one is no obstacle.
    bench.killed_after("choose");
    bench.check_published(0);
    for (minute, phase) in PHASES.iter().enumerate().map(|(at, phase)| (at + 1, phase)) {
        let tubes = minute..minute + SAMPLES;
        seen.extend(tubes.clone().map(|n| format!("A{n}")));
        bench.extract(minute, &tubes.map(sound).collect::<Vec<_>>());
        bench.killed_after(phase);
        let current = bench.current();
        assert!(current == night(minute) || current == night(minute - 1), "{current} after `{phase}`");
        bench.check_published(minute);
        let all: BTreeSet<String> = seen.iter().cloned().chain(["A0".to_owned()]).collect();
        bench.check_ledger(&all, minute + 1);
        assert_eq!(hidden(bench), [".nightly.lock"], "after `{phase}`");
    }
}

#[test]
fn a_night_killed_after_any_phase_loses_nothing() {
    killed_after_every_phase(&Bench::new());
}

#[test]
fn a_night_killed_after_any_phase_loses_nothing_on_postgresql() {
    let Some(server) = std::env::var(POSTGRES).ok().filter(|server| !server.is_empty()) else {
        // Straight to stderr: what tests print is only shown when they fail.
        let said = format!("LEFT OUT: nights were not killed on PostgreSQL, as {POSTGRES} names no server");
        writeln!(std::io::stderr(), "{said}").unwrap();
        return;
    };
    killed_after_every_phase(&Bench::on_server(&server, "kills"));
}

#[test]
fn a_first_night_that_is_killed_is_no_obstacle() {
    for step in 0..40 {
        let bench = Bench::new();
        bench.extract(0, &[sound(1)]);
        let mut child = bench.spawn();
        // Dense where the ledger is made, which takes a few thousandths of a second.
        std::thread::sleep(Duration::from_micros(step * step * 60));
        child.kill().unwrap();
        child.wait().unwrap();
        bench.check_published(0);
        bench.check_ledger(&["A1".to_owned()].into(), 1);
    }
}

#[test]
fn what_a_killed_first_night_has_left_is_deleted_and_said() {
    let bench = Bench::new();
    bench.extract(0, &[sound(1)]);
    fs::create_dir_all(bench.path("plans").join(format!(".{}.prepared", night(0)))).unwrap();
    let (code, words) = bench.run(&[]);
    assert!(matches!(code, 0 | 1), "{words}");
    assert!(words.contains("deleted 1 unfinished"), "{words}");
}

/// Everything hidden in the folder of plans.
fn hidden(bench: &Bench) -> Vec<String> {
    let entries = fs::read_dir(bench.path("plans")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut hidden: Vec<String> = names.filter(|name| name.starts_with('.')).collect();
    hidden.sort();
    hidden
}

/// Two nights, published.
fn two_nights() -> Bench {
    let bench = Bench::new();
    for minute in 0..2 {
        bench.extract(minute, &[sound(1), sound(2)]);
        bench.check_published(minute);
    }
    bench
}

#[cfg(unix)]
fn point_to(bench: &Bench, minute: usize) {
    fs::remove_file(bench.path("plans/current")).unwrap();
    std::os::unix::fs::symlink(night(minute), bench.path("plans/current")).unwrap();
}

/// Runs the same night again, which must end as if nothing had happened to it.
#[track_caller]
fn check_completed(bench: &Bench, expected: &std::collections::BTreeMap<std::path::PathBuf, Vec<u8>>) {
    let head = bench.ledger().head().unwrap();
    let (code, words) = bench.run(&[]);
    assert!(matches!(code, 0 | 1), "{words}");
    assert!(words.contains("completed the night"), "{words}");
    assert_eq!(bench.everything(), *expected);
    assert_eq!(bench.ledger().head().unwrap(), head);
}

#[test]
#[cfg(unix)]
fn a_night_killed_between_ledger_and_folder_is_put_in_its_place() {
    let bench = two_nights();
    let whole = bench.everything();
    let prepared = format!("plans/.{}.prepared", night(1));
    fs::rename(bench.path("plans").join(night(1)), bench.path(&prepared)).unwrap();
    point_to(&bench, 0);
    check_completed(&bench, &whole);
    assert_eq!(bench.current(), night(1));
}

#[test]
#[cfg(unix)]
fn a_night_killed_between_folder_and_pointer_is_pointed_to() {
    let bench = two_nights();
    let whole = bench.everything();
    point_to(&bench, 0);
    std::os::unix::fs::symlink("half", bench.path("plans/.current.new")).unwrap();
    check_completed(&bench, &whole);
    assert_eq!(bench.current(), night(1));
}

#[test]
fn a_night_killed_before_the_ledger_knew_it_is_deleted_and_planned_again() {
    let bench = two_nights();
    for name in [format!(".{}.prepared", night(2)), format!("..{}.prepared.labtriage-new-7-0", night(2))] {
        copy(&bench.path("plans").join(night(1)), &bench.path("plans").join(name));
    }
    bench.extract(2, &[sound(1), sound(2)]);
    bench.check_published(2);
    assert_eq!(hidden(&bench), [".nightly.lock"]);
    bench.check_ledger(&["A1", "A2"].map(str::to_owned).into(), 3);
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, &to).unwrap();
        }
    }
}

#[test]
fn the_same_night_again_changes_nothing_and_ends_the_same() {
    let bench = two_nights();
    let (whole, head, (code, _)) = (bench.everything(), bench.ledger().head().unwrap(), bench.run(&[]));
    for _ in 0..2 {
        let (again, words) = bench.run(&[]);
        assert_eq!(again, code);
        assert!(words.contains("nothing has changed"), "{words}");
    }
    assert_eq!(bench.everything(), whole);
    assert_eq!(bench.ledger().head().unwrap(), head);
    assert_eq!(bench.health()["changed"], false);
}
