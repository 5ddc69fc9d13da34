//! Does `docs/errors.md` say of every code of the ledger what the program says, and of no other?

use std::collections::BTreeMap;

use labtriage_ledger::Code;

const PAGE: &str = include_str!("../../../docs/errors.md");

#[test]
fn page_and_program_say_the_same() {
    let mut rows = BTreeMap::new();
    for line in PAGE.lines().filter(|line| line.starts_with("| `L")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        assert_eq!(cells.len(), 4, "{line}");
        assert!(cells.iter().all(|cell| !cell.is_empty()), "{line}");
        assert!(rows.insert(cells[0].trim_matches('`'), cells[1]).is_none(), "{} has two rows", cells[0]);
    }
    let expected: BTreeMap<_, _> = Code::ALL.iter().map(|code| (code.text(), code.title())).collect();
    assert_eq!(rows, expected);
    assert_eq!(expected.len(), Code::ALL.len());
}
