//! Can a practice's answer stop the program, or be made up?
#![no_main]

use std::sync::LazyLock;

use labtriage_core::fixture::plan_of_one;
use labtriage_core::plan::Disposition;
use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::{Ix, RequesterIx};
use labtriage_formats::recalls::acknowledge::{Known, read_acknowledgements};
use labtriage_formats::recalls::{Notice, notices};
use labtriage_fuzz::tiny;
use libfuzzer_sys::fuzz_target;

static TINY: LazyLock<(Snapshot, Vec<Notice>)> = LazyLock::new(|| {
    let snapshot = tiny();
    let all = notices(&snapshot, &plan_of_one(&snapshot, Disposition::Recall(None)), &[]);
    (snapshot, all)
});

fuzz_target!(|bytes: &[u8]| {
    let (snapshot, notices) = &*TINY;
    let requester = RequesterIx::from_row(0);
    let pseudonyms = |number: &str| vec![number.to_owned()];
    let today = snapshot.grid.first_day();
    let known = Known { snapshot, requester, notices, pseudonyms: &pseudonyms, today };
    if let Ok(found) = read_acknowledgements(bytes, "back.csv", &known) {
        assert!(found.accepted.len() as u64 + found.rejects.len() as u64 + found.unanswered <= found.rows_read);
        let on_list = |patient| notices.iter().any(|one| one.requester == requester && one.patient == patient);
        assert!(found.accepted.iter().all(|one| on_list(one.patient)), "an answer about somebody else's patient");
    }
});
