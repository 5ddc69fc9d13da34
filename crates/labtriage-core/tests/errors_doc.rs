//! Does `docs/errors.md` say of every code what the program says, and of nothing else?
//!
//! The ledger's codes (`L…`) are not of the core; the ledger has such a test of its own.

use std::collections::BTreeMap;

use labtriage_core::audit::Law;
use labtriage_core::finding::{Code, Severity};

const PAGE: &str = include_str!("../../../docs/errors.md");

/// The table rows of the page by code: the cells after the code.
fn rows() -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut rows = BTreeMap::new();
    for line in PAGE.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let code = cells[0].trim_matches('`');
        if code.starts_with('L') {
            continue;
        }
        assert!(cells[1..].iter().all(|cell| !cell.is_empty()), "`{code}` has an empty cell");
        assert!(rows.insert(code, cells[1..].to_vec()).is_none(), "`{code}` has two rows");
    }
    rows
}

const fn effect(severity: Severity) -> &'static str {
    match severity {
        Severity::Fatal => "stops",
        Severity::Quarantine => "row aside",
        Severity::Warning => "look",
    }
}

/// What the program says: the first cells of each row after its code.
fn expected() -> BTreeMap<&'static str, Vec<&'static str>> {
    let findings = Code::ALL.iter().map(|code| (code.text(), vec![effect(code.severity()), code.title()]));
    let laws = Law::ALL.iter().map(|law| (law.code(), vec![law.title()]));
    findings.chain(laws).collect()
}

#[test]
fn every_code_has_its_row() {
    let rows = rows();
    for (code, says) in expected() {
        let Some(cells) = rows.get(code) else { panic!("`{code}` ({}) has no row in docs/errors.md", says.join(", ")) };
        assert_eq!(cells[..says.len()], says[..], "the row of `{code}` in docs/errors.md differs from the program");
        assert_eq!(cells.len(), says.len() + 2, "the row of `{code}` must end in cause and action");
    }
}

#[test]
fn every_row_has_its_code() {
    let expected = expected();
    for code in rows().into_keys() {
        assert!(expected.contains_key(code), "docs/errors.md explains `{code}`, which the program does not have");
    }
}
