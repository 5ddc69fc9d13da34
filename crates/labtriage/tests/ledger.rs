//! What does a person see of `labtriage ledger`? Standard output, standard error and exit code.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::process::Command;

use labtriage_core::time::Instant;
use labtriage_ledger::records::{Query, Run};
use labtriage_ledger::{Address, Ledger, LedgerError};

/// A folder with a ledger of two entries in it.
struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        let mut ledger = Ledger::create(&Address::File(bench.folder.path().join("lab.ledger"))).unwrap();
        let run = Run {
            digest: "11".repeat(32),
            now: Instant::from_epoch_minutes(29_000_000),
            inputs: Vec::new(),
            options: Vec::new(),
            version: "0.1.0".to_owned(),
            cost: 1,
            bound: None,
            stop: "done".to_owned(),
            samples: 0,
            lines: 0,
            quarantined: 0,
        };
        let query = Query { who: "B".to_owned(), sample: None, request: None, patient: None, practice: None, found: 0 };
        let written: Result<(), LedgerError> = ledger.write(run.now, |writer| {
            writer.run(&run)?;
            writer.query(&query)
        });
        written.unwrap();
        bench
    }

    fn run(&self, arguments: &[&str]) -> String {
        let run = Command::new(env!("CARGO_BIN_EXE_labtriage"))
            .arg("ledger")
            .args(arguments)
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        format!("exit {}\n{}---\n{}", run.status.code().unwrap(), text(&run.stdout), text(&run.stderr))
    }
}

const HEAD: &str = "2:e207725504b4e4dd8b456dc7ec1cd0c69e5b04c1e6d24ad89d915eb964023b80";

#[test]
fn a_ledger_is_verified_saved_and_restored() {
    let bench = Bench::new();
    let verified = bench.run(&["verify", "--ledger", "lab.ledger"]);
    let holds = "the chain of 2 entries holds, and 1 present states follow from it; 0 bodies were dropped by vacuums";
    assert_eq!(verified, format!("exit 0\n{holds}\nhead {HEAD}\n---\n"));
    let saved = bench.run(&["backup", "--ledger", "lab.ledger", "--out", "saved.jsonl"]);
    assert_eq!(saved, format!("exit 0\n2 entries are saved in saved.jsonl\nhead {HEAD}\n---\n"));
    let restored = bench.run(&["restore", "saved.jsonl", "--ledger", "new.ledger", "--json"]);
    assert_eq!(restored, format!("exit 0\n{{\"entries\":2,\"head\":\"{HEAD}\",\"present\":1}}\n---\n"));
    let anchored = bench.run(&["verify", "--ledger", "new.ledger", "--anchor", HEAD, "--quiet"]);
    assert_eq!(anchored, "exit 0\n---\n");
    let dropped = bench.run(&["vacuum", "--ledger", "new.ledger", "--before", "2030-01-01", "--by", "A", "--json"]);
    assert!(dropped.starts_with("exit 0\n{\"dropped\":1,\"head\":\"3:"), "{dropped}");
    let anchored = bench.run(&["verify", "--ledger", "new.ledger", "--anchor", HEAD]);
    assert!(
        anchored.contains("3 entries holds") && anchored.contains("1 bodies were dropped by vacuums"),
        "{anchored}"
    );
}

#[test]
fn what_is_wrong_is_said_with_code_and_hint() {
    let bench = Bench::new();
    let missing = bench.run(&["verify", "--ledger", "none.ledger"]);
    let hint = "check the path; the first `nightly` or a `ledger restore` makes a ledger";
    assert_eq!(missing, format!("exit 2\n---\nL002 there is no ledger at none.ledger\n  hint: {hint}\n"));
    fs::write(bench.folder.path().join("saved.jsonl"), "{\"labtriage_ledger\":1}\n").unwrap();
    let cut = bench.run(&["restore", "saved.jsonl", "--ledger", "new.ledger"]);
    assert!(cut.starts_with("exit 2\n---\nL013 saved.jsonl: ends before its last line"), "{cut}");
    let full = bench.run(&["restore", "saved.jsonl", "--ledger", "lab.ledger"]);
    assert!(full.starts_with("exit 2\n---\nL014 lab.ledger holds 2 entries already\n"), "{full}");
    let forged = format!("1:{}", "0".repeat(64));
    let rewritten = bench.run(&["verify", "--ledger", "lab.ledger", "--anchor", &forged]);
    assert!(rewritten.contains("L011 entry 1 is not the one that the anchor names"), "{rewritten}");
    let url = bench.run(&["verify", "--ledger", "mysql://x:secret@y/z"]);
    assert!(url.starts_with("exit 2\n---\nL001 the ledger's address is a URL") && !url.contains("secret"), "{url}");
    let nobody = bench.run(&["vacuum", "--ledger", "lab.ledger", "--before", "2030-01-01", "--by", " "]);
    assert!(nobody.starts_with("exit 2\n") && nobody.contains("name the person, on one line"), "{nobody}");
    let date = bench.run(&["vacuum", "--ledger", "lab.ledger", "--before", "June", "--by", "A"]);
    assert!(date.contains("write a date as 2026-06-01"), "{date}");
}
