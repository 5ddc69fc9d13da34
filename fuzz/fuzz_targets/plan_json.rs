//! Can a plan file stop the program? A plan that fits must be judged, and survive a round trip.
#![no_main]

use std::sync::LazyLock;

use labtriage_core::audit::audit;
use labtriage_core::snapshot::Snapshot;
use labtriage_formats::plan_json::{read_plan, write_plan};
use labtriage_fuzz::tiny;
use libfuzzer_sys::fuzz_target;

static TINY: LazyLock<Snapshot> = LazyLock::new(tiny);

fuzz_target!(|bytes: &[u8]| {
    let Ok((header, raw)) = read_plan(bytes) else { return };
    let _ = raw.published(&TINY);
    let Ok(plan) = raw.resolve(&TINY) else { return };
    let _ = audit(&TINY, &plan);
    let mut written = Vec::new();
    write_plan(&mut written, &header.document, &TINY, &plan).expect("memory can be written to");
    let again = read_plan(&written[..]).and_then(|(_, raw)| raw.resolve(&TINY));
    assert_eq!(again.as_ref(), Ok(&plan), "a plan is not the same after a round trip");
});
