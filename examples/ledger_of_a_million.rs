//! How long does a night take to be recorded, and a question to be answered?
//!
//! Records two nights of a backlog in a new ledger, asks it, verifies, saves and restores it, and prints
//! seconds. `LABTRIAGE_SAMPLES` says how many samples (11,000 unless told; 1,000,000 for the figures in
//! `docs/benchmarks.md`), `LABTRIAGE_LEDGER` where (a temporary SQLite file unless told; it must be empty).

#![expect(clippy::print_stdout, reason = "an example prints what it measures")]

use std::error::Error;
use std::time::Instant as Clock;

use labtriage_core::time::{Instant, Minutes};
use labtriage_ledger::records::{Line, Published, Run, Sample};
use labtriage_ledger::states::{LineState, SampleState};
use labtriage_ledger::{Address, Ledger, LedgerError, Lookup, OwnedPseudonym, dump};

/// Lines of ten samples: 4.5 each on average, as in `synnovis-week-1`.
const LINES: [usize; 10] = [2, 3, 4, 4, 5, 5, 5, 5, 6, 6];
const TESTS: [&str; 6] = ["CRP", "HBA1C", "K", "LFT", "TSH", "UE"];

fn main() -> Result<(), Box<dyn Error>> {
    let count: u32 = std::env::var("LABTRIAGE_SAMPLES").map_or(Ok(11_000), |typed| typed.parse())?;
    let folder = tempfile::tempdir()?;
    let address = match std::env::var("LABTRIAGE_LEDGER") {
        Ok(typed) => Address::parse(&typed)?,
        Err(_) => Address::File(folder.path().join("lab.ledger")),
    };
    let mut ledger = Ledger::create(&address)?;
    let now = Instant::from_epoch_minutes(29_000_000);
    timed("a first night, all samples new", || night(&mut ledger, now, count, 0))?;
    let next = now.plus(Minutes::from_days(1));
    timed("a second night, every line moved", || night(&mut ledger, next, count, 1))?;
    timed("the second night again", || night(&mut ledger, next, count, 1))?;
    questions(&mut ledger, count)?;
    let mut seen = 0;
    timed("all samples read", || {
        ledger.each_sample(|_| {
            seen += 1;
            Ok::<_, LedgerError>(())
        })
    })?;
    assert_eq!(seen, count);
    let head = ledger.head()?;
    timed("verified", || ledger.verify(Some(head)))?;
    let saved = folder.path().join("saved.jsonl");
    timed("saved", || ledger.backup(&saved))?;
    timed("restored and verified", || dump::restore(&saved, &Address::File(folder.path().join("again.ledger"))))?;
    timed("vacuumed", || ledger.vacuum(next, next, "example"))?;
    Ok(())
}

/// A night in which every sample is scheduled; another day moves all of them.
fn night(ledger: &mut Ledger, now: Instant, count: u32, day: u32) -> Result<(), LedgerError> {
    let run = Run {
        digest: format!("{day:064}"),
        now,
        inputs: Vec::new(),
        options: Vec::new(),
        version: "example".to_owned(),
        cost: 0,
        bound: None,
        stop: "done".to_owned(),
        samples: u64::from(count),
        lines: 0,
        quarantined: 0,
    };
    ledger.write(now, |writer| {
        if writer.run(&run)? {
            writer.samples((0..count).map(|number| sample(number, now)))?;
            let plan = Published { run: run.digest.clone(), plan: run.digest, folder: "plan".to_owned() };
            writer.published(&plan)?;
        }
        Ok(())
    })
}

fn sample(number: u32, now: Instant) -> Sample {
    // Patients and requests come in another order than accessions, as they do in life.
    let mixed = number.wrapping_mul(2_654_435_761) % 700_000_000;
    let line = |test: &&str| {
        let at = Some(now.plus(Minutes::new(480)));
        Line { at, place: Some("HUB-CHEM-1".to_owned()), ..Line::new(*test, LineState::Scheduled) }
    };
    Sample {
        accession: format!("24A{number:07}"),
        request: format!("RQ{mixed:09}"),
        patient: OwnedPseudonym::new(format!("P{mixed:09}")),
        requester: format!("G{:05}", mixed % 200),
        specimen: "SST".to_owned(),
        site: "HUB".to_owned(),
        band: "routine".to_owned(),
        state: SampleState::Scheduled,
        irreplaceable: false,
        received: Some(now),
        because: None,
        lines: TESTS[..LINES[number as usize % LINES.len()]].iter().map(line).collect(),
        discard: None,
    }
}

fn questions(ledger: &mut Ledger, count: u32) -> Result<(), LedgerError> {
    let wanted = sample(count / 2, Instant::from_epoch_minutes(0));
    for (name, lookup) in [
        ("status of a sample", Lookup::Sample(wanted.accession.clone())),
        ("status of a request", Lookup::Request(wanted.request)),
        ("status of a patient", Lookup::Patient(wanted.patient)),
        ("status of a practice", Lookup::Practice(wanted.requester)),
    ] {
        let found = timed(name, || ledger.samples(&lookup, None))?;
        println!("  {} samples", found.len());
    }
    timed("history of a sample", || ledger.history::<Sample>(&wanted.accession))?;
    Ok(())
}

fn timed<T>(what: &str, work: impl FnOnce() -> Result<T, LedgerError>) -> Result<T, LedgerError> {
    let began = Clock::now();
    let given = work()?;
    println!("{what:<34} {:>10.4} s", began.elapsed().as_secs_f64());
    Ok(given)
}
