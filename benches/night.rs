//! How long does a night take? Each step from an extract's bytes to a plan's bytes, and how
//! planning and audit grow with the backlog.
//!
//! The backlog is the first week after the attack of June 2024, generated in memory. Run with
//! `cargo bench -p labtriage-benches`, or with `-- --test` to run everything once.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use labtriage_core::audit::audit;
use labtriage_core::cost::cost;
use labtriage_core::plan::{Plan, Rule};
use labtriage_core::snapshot::Snapshot;
use labtriage_formats::plan_json::{Document, Stopped, write_plan};
use labtriage_simulator::{Request, Scenario};

mod backlog;

use backlog::Night;

/// Samples of the published week.
const WEEK: u32 = 11_000;

/// The published week at so many samples.
fn night(samples: u32) -> Night {
    Night::of(Request { scenario: Scenario::SynnovisWeek1, samples, seed: 1, night: 0, hostile: false })
}

fn plan(snapshot: &Snapshot, rule: Rule) -> Plan {
    labtriage_optimizer::plan(snapshot, rule, &|_, _| {})
}

fn document(snapshot: &Snapshot, plan: &Plan) -> Document {
    let cost = cost(snapshot, plan);
    Document {
        program: "labtriage benches".to_owned(),
        options: BTreeMap::new(),
        inputs: Vec::new(),
        cost,
        fifo: None,
        own: cost.total(),
        bound: None,
        fairness: None,
        stopped: Stopped { why: "complete".to_owned(), holds: "greedy plan".to_owned() },
        quarantined: 0,
    }
}

/// Each step of a night of 11,000 samples.
fn steps(criterion: &mut Criterion) {
    let night = night(WEEK);
    let mut group = criterion.benchmark_group("night");
    group.sample_size(10);
    group.bench_function("read_extract", |bencher| bencher.iter(|| night.read()));
    group.bench_function("snapshot", |bencher| {
        let inputs = night.inputs(night.read());
        bencher.iter_with_setup(|| inputs.clone(), |inputs| Snapshot::new(inputs).expect("inputs that fit"));
    });
    let snapshot = night.snapshot();
    for rule in Rule::ALL {
        let id = BenchmarkId::new("plan", rule.text());
        group.bench_function(id, |bencher| bencher.iter(|| plan(&snapshot, rule)));
    }
    let made = plan(&snapshot, Rule::BandEdf);
    assert!(audit(&snapshot, &made).is_empty(), "only lawful plans are worth measuring");
    group.bench_function("audit", |bencher| bencher.iter(|| audit(&snapshot, black_box(&made))));
    let document = document(&snapshot, &made);
    group.bench_function("write_plan", |bencher| {
        bencher.iter(|| write_plan(&mut io::sink(), &document, &snapshot, &made).expect("a sink takes everything"));
    });
    group.finish();
}

/// Time must grow in proportion to the backlog, or nearly so.
fn growth(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("growth");
    group.sample_size(10);
    for samples in [2_000, WEEK, 50_000] {
        let snapshot = night(samples).snapshot();
        group.throughput(Throughput::Elements(snapshot.backlog.lines.len() as u64));
        group.bench_function(BenchmarkId::new("plan and audit", samples), |bencher| {
            bencher.iter(|| {
                let made = plan(&snapshot, Rule::BandEdf);
                assert!(audit(&snapshot, &made).is_empty(), "only lawful plans are worth measuring");
                made
            });
        });
    }
    group.finish();
}

criterion_group!(benches, steps, growth);
criterion_main!(benches);
