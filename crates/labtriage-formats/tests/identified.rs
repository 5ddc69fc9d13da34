//! Does a file lose its identities, and nothing else?

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use labtriage_core::finding::Code;
use labtriage_formats::identified::{Answer, Kind, Named, Stripped, strip};
use labtriage_formats::import::Import;
use proptest::prelude::*;

/// Whether a text is ten digits, perhaps as 3-3-4, of which the last is right: by the words between its separators,
/// not by the code under test.
fn holds_number_apart(text: &str) -> bool {
    let separator = |c: char| matches!(c, ' ' | '-' | '.' | '\u{a0}');
    text.split(|c: char| !c.is_alphanumeric() && !separator(c)).any(|piece| {
        let words: Vec<&str> = piece.split(separator).collect();
        [1, 3].into_iter().any(|count| words.windows(count).any(is_number))
    })
}

fn is_number(words: &[&str]) -> bool {
    let lengths: Vec<usize> = words.iter().map(|word| word.chars().count()).collect();
    let grouped = [&[10][..], &[3, 3, 4]].contains(&lengths.as_slice());
    let digits: Option<Vec<u32>> = words.concat().chars().map(|c| c.to_digit(10)).collect();
    // Modulus 11 the other way about: weighed 10 to 1, all ten digits together come to a multiple of 11.
    let sum = |digits: Vec<u32>| (1..=10).rev().zip(digits).map(|(weight, digit)| weight * digit).sum::<u32>();
    grouped && digits.is_some_and(|digits| sum(digits) % 11 == 0)
}

/// Strips a file, with `K` and the length of the number as the pseudonym; what was written, and what became of it.
fn stripped(import: &str, kind: Kind, text: &[u8]) -> Result<(String, Stripped), String> {
    let import = Import::read("import.toml", import).unwrap();
    let mut out = Vec::new();
    let mut who = |named: &Named<'_>| {
        assert_eq!(format!("{named:?}"), "Named(redacted)");
        let born = named.date_of_birth.map_or_else(String::new, |date| date.to_string());
        Answer::Write(
            format!("K{}{born}{}", named.nhs_number.len(), if named.date_unreadable { "?" } else { "" }),
            None,
        )
    };
    let found = strip(text, "backlog.csv", kind, &import, &mut who, &mut out);
    let found = found.map_err(|findings| findings[0].to_string())?;
    Ok((String::from_utf8(out).unwrap(), found))
}

fn check(import: &str, kind: Kind, text: &str, expected: &str) {
    assert_eq!(stripped(import, kind, text.as_bytes()).map(|found| found.0), Ok(expected.to_owned()), "{text}");
}

#[test]
fn identities_go_and_the_rest_stays_in_its_place() {
    let text = "nhs_number,accession,patient,date_of_birth,tests\n9434765919,A1,old,28/02/1950,\"UE;\"\"CRP\"\"\"\n";
    check("", Kind::Backlog, text, "accession,patient,tests\nA1,K101950-02-28,\"UE;\"\"CRP\"\"\"\n");
    check("", Kind::Backlog, "accession,nhs_number\nA1,9434765919\n", "accession,patient\nA1,K10\n");
}

#[test]
fn a_laboratorys_own_headers_and_dates_are_read_and_what_it_ignores_is_left_out() {
    let import = "
        [file]
        delimiter = \";\"
        [columns]
        accession = \"Lab No\"
        patient = \"Pseudo\"
        ignore = [\"Comment\"]
        [identities]
        nhs_number = \"NHS\"
        date_of_birth = \"DOB\"
        date_formats = [\"%d-%b-%Y\"]
    ";
    let text = "Lab No;NHS;DOB;Comment\nA1;943 476 5919;28-Feb-1950;call Ada Byron\nA2;;1950;\n";
    check(import, Kind::Backlog, text, "Lab No;Pseudo\nA1;K121950-02-28\nA2;K0?\n");
}

#[test]
fn results_may_go_by_accession_alone() {
    let text = "accession,test,resulted_at\nA1,UE,2024-06-03T09:00\n";
    check("", Kind::Results, text, text);
    let error = stripped("", Kind::Backlog, b"accession,tests\nA1,UE\n").unwrap_err();
    assert!(error.contains("B003 missing column `nhs_number`"), "{error}");
    let error = stripped("", Kind::Backlog, b"nhs_number,ward\n,\n").unwrap_err();
    assert!(error.contains("B002 unknown column `ward`"), "{error}");
}

#[test]
fn a_newborn_childs_tubes_are_kept() {
    let text = "accession,nhs_number,date_of_birth,collected_at\nA1,9434765919,2024-06-03,2024-06-03T09:00\n";
    check("", Kind::Backlog, text, "accession,collected_at,patient\nA1,2024-06-03T09:00,K102024-06-03\n");
}

#[test]
fn an_identity_in_another_column_sets_the_row_aside() {
    let head = "accession,request,nhs_number,date_of_birth,name\n";
    for row in
        ["A1,943-476-5919,,,", "A1,R 28/02/1950,9434765919,1950-02-28,", "Ada Byron,R1,9434765919,,\"BYRON, Ada\""]
    {
        let (out, found) = stripped("", Kind::Backlog, format!("{head}{row}\n").as_bytes()).unwrap();
        assert_eq!(out, "accession,request,patient\n", "{row}");
        assert_eq!((found.quarantine.len(), found.quarantine[0].findings[0].code), (1, Code::IdentityElsewhere));
        assert!(found.quarantine[0].accession.is_empty() && !format!("{found:?}").contains("Byron"), "{found:?}");
    }
}

proptest! {
    /// A number in a longer run of letters and digits is a code, except the row's own, which is known.
    #[test]
    fn no_row_is_lost_or_made_up_and_no_number_that_stands_apart_is_left(
        text in "([A-Za-z0-9 é,;.\"-]|\n|\r|9434765919|943 476 5919|972-771.0638|1950-02-28){0,80}",
        tail in any::<Vec<u8>>(),
    ) {
        let text = [b"accession,nhs_number,date_of_birth,name\n", text.as_bytes(), &tail].concat();
        let import = Import::read("import.toml", "").unwrap();
        let (mut out, mut own) = (Vec::new(), Vec::new());
        let mut who = |named: &Named<'_>| {
            own.push(named.nhs_number.chars().filter(char::is_ascii_digit).collect::<String>());
            Answer::Write("K".to_owned(), None)
        };
        if let Ok(found) = strip(text.as_slice(), "backlog.csv", Kind::Backlog, &import, &mut who, &mut out) {
            let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(out.as_slice());
            let written: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
            prop_assert_eq!(written.len() as u64 + found.quarantine.len() as u64, found.rows_read);
            prop_assert_eq!(written.len(), own.len());
            for (row, own) in written.iter().zip(&own) {
                prop_assert!(row.len() == 2 && !holds_number_apart(&row[0]), "{row:?}");
                let together: String = row[0].chars().filter(|c| c.is_alphanumeric()).collect();
                prop_assert!(own.len() != 10 || !together.contains(own.as_str()), "{row:?}");
            }
            for row in &found.quarantine {
                prop_assert!(!holds_number_apart(&row.accession), "{row:?}");
            }
        }
    }
}

#[test]
fn a_number_in_a_longer_run_of_digits_is_a_code_unless_it_is_the_rows_own() {
    let head = "accession,nhs_number\n";
    for (row, written) in [
        ("94347659199434765919,", true),
        ("A9434765919,972 771 0638", true),
        ("94347659199434765919,9434765919", false),
        ("A943-476-5919,943 476 5919", false),
    ] {
        let (out, found) = stripped("", Kind::Backlog, format!("{head}{row}\n").as_bytes()).unwrap();
        assert_eq!((out.lines().count() == 2, found.quarantine.is_empty()), (written, written), "{row}");
    }
}
