//! Does a file lose its identities, and nothing else?

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use labtriage_core::finding::Code;
use labtriage_formats::identified::{Answer, Kind, Named, Stripped, strip};
use labtriage_formats::import::Import;
use proptest::prelude::*;

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
    #[test]
    fn no_row_is_lost_or_made_up(text in "([A-Za-z0-9 é,;\"]|\n|\r|9434765919|1950-02-28){0,80}", tail in any::<Vec<u8>>()) {
        let text = [b"accession,nhs_number,date_of_birth,name\n", text.as_bytes(), &tail].concat();
        if let Ok((out, found)) = stripped("", Kind::Backlog, &text) {
            let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(out.as_bytes());
            let written: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
            prop_assert_eq!(written.len() as u64 + found.quarantine.len() as u64, found.rows_read);
            prop_assert!(written.iter().all(|row| row.len() == 2), "{out:?}");
            prop_assert!(!out.contains("9434765919"), "{out:?}");
        }
    }
}
