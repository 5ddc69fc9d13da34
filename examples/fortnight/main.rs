//! A fortnight of a laboratory in trouble: does every sample, discard, recall and figure add up at the end?
//!
//! Fourteen nights of `synnovis-week-1` are planned by `labtriage nightly`, with arrivals, results that come back,
//! overrides, authorisations, practices' answers, two kills and one broken extract. At the end every sample ever
//! received has one state, every discard an authorisation, every recalled patient one open visit at most, the chain
//! verifies, and `labtriage kpi` agrees with a count of the raw files. It needs the built program beside it
//! (`cargo build --release`), or in `LABTRIAGE_PROGRAM`. Everything goes into a temporary folder, or into the new one that is
//! named as an argument, which stays. The test `fortnight` of the program plays the same on both databases.

#![expect(clippy::unwrap_used, reason = "an example that checks itself fails by panicking")]
#![expect(clippy::print_stdout, reason = "an example prints what it found")]

mod check;
mod count;
mod laboratory;
mod people;
mod scene;
mod story;

use std::path::PathBuf;
use std::time::Instant;

fn main() {
    let program = std::env::var_os("LABTRIAGE_PROGRAM").map_or_else(beside, PathBuf::from);
    assert!(program.is_file(), "there is no {}: run `cargo build --release` first", program.display());
    let temporary = tempfile::tempdir().unwrap();
    let folder = std::env::args_os().nth(1).map_or_else(|| temporary.path().to_owned(), PathBuf::from);
    let began = Instant::now();
    let figures = story::play(&folder, &folder.join("lab.ledger").display().to_string(), &program);
    println!("{} nights, {figures} figures agree, {:.1} s", scene::NIGHTS, began.elapsed().as_secs_f64());
}

/// The program of the same build: an example stands in a folder beside it.
fn beside() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let build = own.parent().and_then(|examples| examples.parent()).unwrap();
    build.join(format!("labtriage{}", std::env::consts::EXE_SUFFIX))
}
