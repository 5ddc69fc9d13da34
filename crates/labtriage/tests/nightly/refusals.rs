//! What is refused leaves yesterday's plan as it was, and says why.

use std::fs;

use labtriage_ledger::{Address, Ledger, LedgerError};

use crate::common::{Bench, moment, night, sound};

/// A laboratory with one published night of four samples.
fn one_night() -> Bench {
    let bench = Bench::new();
    bench.extract(0, &(1..=4).map(sound).collect::<Vec<_>>());
    bench.check_published(0);
    bench
}

fn rows() -> Vec<String> {
    (1..=4).map(sound).collect()
}

#[test]
fn an_empty_inbox_is_refused() {
    let bench = Bench::new();
    bench.check_refused(&[], "N001");
    fs::create_dir(bench.path("inbox/tonight")).unwrap();
    bench.check_refused(&[], "N001");
}

#[test]
fn an_extract_without_its_manifest_is_still_being_copied() {
    let bench = one_night();
    bench.unsealed(1, &rows());
    bench.check_refused(&[], "N002");
    assert_eq!(bench.current(), night(0));
    let health = bench.health();
    assert_eq!((health["code"].as_i64(), health["status"].as_str()), (Some(2), Some("refused")));
    assert_eq!(health["findings"][0], "N002");
    assert!(health["last_success"].is_string());
}

#[test]
fn a_file_that_is_cut_off_is_seen() {
    let bench = one_night();
    let folder = bench.extract(1, &rows());
    let backlog = fs::read(folder.join("backlog.csv")).unwrap();
    fs::write(folder.join("backlog.csv"), &backlog[..backlog.len() / 2]).unwrap();
    bench.check_refused(&[], "N002");
    fs::remove_file(folder.join("backlog.csv")).unwrap();
    bench.check_refused(&[], "N002");
}

#[test]
fn a_file_that_was_changed_is_seen() {
    let bench = one_night();
    let folder = bench.extract(1, &rows());
    let changed = fs::read_to_string(folder.join("backlog.csv")).unwrap().replace("A1,R1", "A9,R1");
    fs::write(folder.join("backlog.csv"), changed).unwrap();
    bench.check_refused(&[], "N005");
    let bench = one_night();
    let folder = bench.extract(1, &rows());
    fs::write(folder.join("results.csv"), "accession,patient,test,resulted_at\n").unwrap();
    bench.check_refused(&[], "N005");
}

#[test]
fn every_file_of_the_manifest_is_checked_by_what_was_read() {
    let results = "accession,patient,test,resulted_at\nA1,PT1,UE,2026-11-23T20:00\n";
    let unread = "not read by anybody\n";
    for (name, from, to) in [
        ("backlog.csv", "UE;CRP", "NO;SUC"),
        ("results.csv", "A1,PT1", "A2,PT2"),
        ("scenario.toml", "test", "tost"),
        ("note.txt", "anybody", "someone"),
    ] {
        let bench = one_night();
        let folder = bench.unsealed(1, &rows());
        fs::write(folder.join("results.csv"), results).unwrap();
        bench.seal(&folder);
        fs::write(folder.join("note.txt"), unread).unwrap();
        let manifest = folder.join("manifest.toml");
        let entry = format!(
            "\n[[file]]\nname = \"note.txt\"\nbytes = {}\nsha256 = \"{}\"\n",
            unread.len(),
            labtriage_formats::digest::of_bytes(unread.as_bytes())
        );
        fs::write(&manifest, fs::read_to_string(&manifest).unwrap() + &entry).unwrap();
        let whole = fs::read_to_string(folder.join(name)).unwrap();
        fs::write(folder.join(name), whole.replace(from, to)).unwrap();
        bench.check_refused(&[], "N005");
        assert!(bench.run(&[]).1.contains(name), "{name} is named");
        fs::write(folder.join(name), whole).unwrap();
        bench.check_published(1);
    }
}

#[test]
fn fewer_rows_than_the_lims_has_are_seen() {
    let bench = one_night();
    let folder = bench.extract(1, &rows());
    let manifest = folder.join("manifest.toml");
    let said = fs::read_to_string(&manifest).unwrap().replace("rows = 4", "rows = 40");
    fs::write(&manifest, said).unwrap();
    bench.check_refused(&[], "N005");
    assert!(bench.run(&[]).1.contains("it has 4 rows, expected 40"));
}

#[test]
fn far_fewer_samples_than_last_night_need_a_person() {
    let bench = one_night();
    bench.extract(1, &[sound(1)]);
    bench.check_refused(&[], "N006");
    let (code, words) = bench.run(&["--max-drop", "80"]);
    assert_eq!(code, 0, "{words}");
    assert_eq!(bench.current(), night(1));
}

#[test]
fn an_extract_that_is_too_old_is_refused_and_the_published_one_too() {
    let bench = one_night();
    bench.check_refused(&["--now", "2026-11-24T20:00"], "N003");
    bench.check_refused(&["--now", "2026-11-23T19:00"], "N003");
    bench.extract(1, &rows());
    bench.check_refused(&["--now", "2026-11-24T20:00"], "N003");
    bench.check_refused(&["--max-age", "1", "--now", "2026-11-23T21:02"], "N003");
}

#[test]
fn an_older_extract_or_another_of_the_same_name_is_refused() {
    let bench = one_night();
    bench.extract(1, &rows());
    bench.check_published(1);
    fs::remove_dir_all(bench.path("inbox").join(night(1))).unwrap();
    bench.check_refused(&[], "N004");
    bench.extract(1, &rows()[..3]);
    bench.check_refused(&[], "N004");
}

#[test]
fn two_nights_at_once_are_refused() {
    let bench = one_night();
    let health = bench.health();
    bench.extract(1, &rows());
    let lock = fs::File::options().write(true).open(bench.path("plans/.nightly.lock")).unwrap();
    lock.lock().unwrap();
    bench.check_refused(&[], "N007");
    assert_eq!(bench.health(), health, "the one that holds the lock says how it went");
    drop(lock);
    bench.check_published(1);
}

#[test]
fn a_ledger_that_another_program_writes_is_named() {
    let bench = one_night();
    bench.extract(1, &rows());
    let mut ledger = bench.ledger();
    let held: Result<(), LedgerError> = ledger.write(moment(1), |_| {
        let (code, words) = bench.run(&[]);
        assert_eq!(code, 2, "{words}");
        assert!(words.contains("L005"), "{words}");
        Ok(())
    });
    held.unwrap();
    assert_eq!(bench.current(), night(0));
    assert_eq!(bench.health()["findings"][0], "L005");
    bench.check_published(1);
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let bench = Bench::new();
    bench.extract(0, &rows());
    fs::write(bench.path("plans"), "").unwrap();
    let (code, words) = bench.run(&["--health", "health.json"]);
    assert_eq!(code, 2);
    assert!(words.contains("N008"), "{words}");
}

#[test]
#[cfg(unix)]
#[expect(clippy::print_stderr, reason = "a test that is left out says so")]
fn a_read_only_folder_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let bench = one_night();
    bench.extract(1, &rows());
    let set = |mode| fs::set_permissions(bench.path("plans"), fs::Permissions::from_mode(mode)).unwrap();
    set(0o555);
    // The superuser writes where nobody may.
    if fs::write(bench.path("plans/probe"), "").is_ok() {
        fs::remove_file(bench.path("plans/probe")).unwrap();
        set(0o755);
        eprintln!("left out: the superuser writes where nobody may");
        return;
    }
    bench.check_refused(&[], "N008");
    set(0o755);
    bench.check_published(1);
}

#[test]
fn another_folder_than_the_ledgers_is_refused() {
    let bench = one_night();
    bench.extract(1, &rows());
    fs::rename(bench.path("plans").join(night(0)), bench.path("elsewhere")).unwrap();
    bench.check_refused(&[], "N010");
    fs::rename(bench.path("elsewhere"), bench.path("plans").join(night(0))).unwrap();
    fs::create_dir(bench.path("plans").join(night(1))).unwrap();
    bench.check_refused(&[], "N011");
    fs::remove_dir(bench.path("plans").join(night(1))).unwrap();
    bench.check_published(1);
}

#[test]
fn a_ledger_that_knows_nothing_of_the_published_night_is_refused() {
    let bench = one_night();
    bench.extract(1, &rows());
    bench.check_refused(&["--ledger", "lap.ledger"], "N010");
    assert!(!bench.path("lap.ledger").exists(), "a wrong name has begun a ledger");
    Ledger::create(&Address::File(bench.path("lap.ledger"))).unwrap();
    bench.check_refused(&["--ledger", "lap.ledger"], "N010");
    bench.check_published(1);
    let (code, words) = bench.run(&["--ledger", "lap.ledger", "--out", "anew"]);
    assert!(matches!(code, 0 | 1), "{words}");
}

#[test]
fn a_log_for_machines_is_json_and_names_nobody() {
    let bench = Bench::new();
    bench.extract(0, &rows());
    let (_, log) = bench.run(&["--log", "json"]);
    bench.unsealed(1, &rows());
    let (_, refused) = bench.run(&["--log", "json"]);
    for line in log.lines().chain(refused.lines()) {
        let said: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(said["at"].is_string() && said["level"].is_string(), "{line}");
        assert!(!line.contains("PT1"), "{line}");
    }
    assert!(log.lines().any(|line| line.contains("\"event\":\"published\"")), "{log}");
    assert!(refused.lines().any(|line| line.contains("\"code\":\"N002\"")), "{refused}");
    let health = fs::read_to_string(bench.path("plans/health.json")).unwrap();
    assert!(!health.contains("PT1") && !health.contains("A1"), "{health}");
}
