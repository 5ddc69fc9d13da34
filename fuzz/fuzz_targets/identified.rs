//! Can a file that names patients stop the import, lose a row, or keep an identity?
#![no_main]

use labtriage_formats::identified::{Answer, Kind, Named, People, strip};
use labtriage_fuzz::SHIPPED;
use labtriage_identity::NhsNumber;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let mut people = People::default();
    text.lines().for_each(|line| people.add_name(line));
    people.add_number("9434765919");
    let _ = people.taken_out_of(&text, &SHIPPED.import);
    for kind in [Kind::Backlog, Kind::Results] {
        let mut written = 0;
        let mut who = |named: &Named<'_>| {
            if NhsNumber::parse(named.nhs_number).is_err() && !named.nhs_number.is_empty() {
                return Answer::SetAside(labtriage_core::finding::Code::BadNhsNumber, "no number");
            }
            written += 1;
            Answer::Write("k1-b".to_owned(), None)
        };
        let mut out = Vec::new();
        let found = strip(bytes, "backlog.csv", kind, &SHIPPED.import, &mut who, &mut out);
        if let Ok(found) = found {
            assert_eq!(written + found.quarantine.len() as u64, found.rows_read, "a row was lost");
        }
    }
});
