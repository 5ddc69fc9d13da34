//! Can a laboratory's extract stop the program, or lose a row?
#![no_main]

use labtriage_formats::extract::read_extract;
use labtriage_fuzz::SHIPPED;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(extract) = read_extract(bytes, "backlog.csv", &SHIPPED.context()) {
        let kept = extract.backlog.samples.len() + extract.quarantine.len();
        assert_eq!(kept as u64, extract.rows_read, "a row was lost");
    }
});
