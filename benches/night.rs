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
use labtriage_core::catalogue::Catalogue;
use labtriage_core::cost::cost;
use labtriage_core::network::Network;
use labtriage_core::plan::{Plan, Rule};
use labtriage_core::policy::Policy;
use labtriage_core::snapshot::{Inputs, Snapshot};
use labtriage_core::time::{Instant, LocalInstant};
use labtriage_formats::config::{ConfigFile, defaults, network, quantity};
use labtriage_formats::extract::{COLUMNS, Context, Extract, read_extract};
use labtriage_formats::import::Import;
use labtriage_formats::plan_json::{Document, Stopped, write_plan};
use labtriage_simulator::{ExtractRow, Request, Scenario, World, generate};

/// Samples of the published week.
const WEEK: u32 = 11_000;

/// A backlog as bytes, and what it is read against.
struct Night {
    csv: Vec<u8>,
    catalogue: Catalogue,
    network: Network,
    policy: Policy,
    import: Import,
    now: Instant,
}

impl Night {
    /// So many samples, on the shipped network at the size and with the disruptions that belong to them.
    fn of(samples: u32) -> Self {
        let (catalogue, shipped, policy) =
            defaults::load(None, None).and_then(|files| files.read()).expect("the shipped configuration");
        let import = Import::read("import.toml", defaults::IMPORT).expect("the shipped import");
        let world = World { catalogue: &catalogue, network: &shipped, policy: &policy };
        let request = Request { scenario: Scenario::SynnovisWeek1, samples, seed: 1, hostile: false };
        let mut csv = csv::Writer::from_writer(Vec::new());
        csv.write_record(COLUMNS).expect("memory can be written to");
        let made = generate(world, request, &mut |row: &ExtractRow| {
            csv.write_record(row.fields()).expect("memory can be written to");
        });
        let scaled = format!("capacity_percent = {}", made.capacity_percent);
        let lines =
            defaults::NETWORK.lines().map(|line| if line.starts_with("capacity_percent") { &scaled } else { line });
        let text = lines.chain([made.disruptions.as_str()]).collect::<Vec<_>>().join("\n");
        let file = ConfigFile { name: "network.toml".to_owned(), text };
        let network = network::network(&file, &catalogue, &policy).expect("the shipped network, scaled");
        let local = quantity::reading(&made.now_local).expect("a local time");
        let LocalInstant::Unique(now) = network.zone.instant(local) else {
            panic!("planned in the hour of a clock change")
        };
        let csv = csv.into_inner().expect("memory can be written to");
        Self { csv, catalogue, network, policy, import, now }
    }

    fn read(&self) -> Extract {
        let context = Context {
            import: &self.import,
            catalogue: &self.catalogue,
            network: &self.network,
            policy: &self.policy,
            now: self.now,
            progress: None,
        };
        read_extract(self.csv.as_slice(), "backlog.csv", &context).expect("a readable extract")
    }

    fn inputs(&self, extract: Extract) -> Inputs {
        Inputs {
            now: self.now,
            catalogue: self.catalogue.clone(),
            network: self.network.clone(),
            policy: self.policy.clone(),
            backlog: extract.backlog,
            overrides: Vec::new(),
            results: Vec::new(),
        }
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot::new(self.inputs(self.read())).expect("inputs that fit").0
    }
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
        stopped: Stopped { why: "complete".to_owned(), holds: "greedy plan".to_owned() },
        quarantined: 0,
    }
}

/// Each step of a night of 11,000 samples.
fn steps(criterion: &mut Criterion) {
    let night = Night::of(WEEK);
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
        let snapshot = Night::of(samples).snapshot();
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
