//! Can a file of results stop the program, or lose a row?
#![no_main]

use labtriage_formats::results::read_results;
use labtriage_fuzz::SHIPPED;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let rows = bytes.split(|byte| *byte == b'\n').count();
    if let Ok(results) = read_results(bytes, "results.csv", &SHIPPED.context()) {
        // A lone carriage return ends a row too, so there may be more rows than lines.
        let lines = rows + bytes.iter().filter(|byte| **byte == b'\r').count();
        assert!(results.rows.len() + results.quarantine.len() < lines, "a row was made up");
    }
});
