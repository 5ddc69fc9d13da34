//! What would a tenth more capacity save? The same backlog, planned twice.
//!
//! ```sh
//! cargo run -p labtriage-examples --example what_is_an_hour_worth
//! ```
#![expect(clippy::print_stdout, reason = "an example talks")]

use labtriage_core::audit::audit;
use labtriage_core::backlog::Backlog;
use labtriage_core::catalogue::Catalogue;
use labtriage_core::cost::cost;
use labtriage_core::finding::Finding;
use labtriage_core::network::Network;
use labtriage_core::plan::Rule;
use labtriage_core::policy::Policy;
use labtriage_core::snapshot::{Inputs, Snapshot};
use labtriage_core::summary::{BandLines, Summary};
use labtriage_core::time::{Instant, LocalInstant};
use labtriage_core::units::Percent;
use labtriage_formats::config::{ConfigFile, defaults, network, quantity};
use labtriage_formats::extract::{COLUMNS, Context, read_extract};
use labtriage_formats::import::Import;
use labtriage_simulator::{ExtractRow, Generated, Request, Scenario, World, generate};

/// How many samples wait.
const SAMPLES: u32 = 1100;

fn main() -> Result<(), Vec<Finding>> {
    let night = Night::generate()?;
    let capacity = night.network.capacity.get();
    let more = capacity + capacity.div_ceil(10);
    let (before, after) = (night.plan(capacity)?, night.plan(more)?);
    println!("{SAMPLES} samples, capacity {capacity} % against {more} %\n");
    println!("{:<10} {:>6} {:>16} {:>16} {:>8}", "band", "lines", "unserved before", "unserved after", "fewer");
    for (band, facts) in night.policy.bands.enumerate() {
        let (was, is) = (&before.bands[band], &after.bands[band]);
        let fewer = i128::from(unserved(was)) - i128::from(unserved(is));
        println!("{:<10} {:>6} {:>16} {:>16} {fewer:>8}", facts.code, was.total, unserved(was), unserved(is));
    }
    let (was, is) = (before.cost.total(), after.cost.total());
    println!("\ncost {was} against {is} weighted days");
    // A greedy rule may leave out a line more for being sooner with others: cost is what counts.
    assert!(is <= was, "{is} weighted days with more capacity, {was} with less");
    Ok(())
}

/// Lines without a result within the horizon.
fn unserved(lines: &BandLines) -> u64 {
    lines.total - lines.run - lines.recalled_retested - lines.cancelled
}

/// A generated backlog and what it is planned against.
struct Night {
    catalogue: Catalogue,
    network: Network,
    policy: Policy,
    backlog: Backlog,
    now: Instant,
}

impl Night {
    /// The first week after the attack of June 2024, at a tenth of its size.
    fn generate() -> Result<Self, Vec<Finding>> {
        let (catalogue, shipped, policy) = defaults::load(None, None)?.read()?;
        let import = Import::read("import.toml", defaults::IMPORT)?;
        let world = World { catalogue: &catalogue, network: &shipped, policy: &policy };
        let request =
            Request { scenario: Scenario::SynnovisWeek1, samples: SAMPLES, seed: 1, night: 0, hostile: false };
        let mut csv = csv::Writer::from_writer(Vec::new());
        csv.write_record(COLUMNS).expect("memory can be written to");
        let made = generate(world, request, &mut |row: &ExtractRow| {
            csv.write_record(row.fields()).expect("memory can be written to");
        });
        let network = disrupted(&made, &catalogue, &policy)?;
        let now = now(&made, &network);
        let context =
            Context { import: &import, catalogue: &catalogue, network: &network, policy: &policy, now, progress: None };
        let csv = csv.into_inner().expect("memory can be written to");
        let backlog = read_extract(csv.as_slice(), "backlog.csv", &context)?.backlog;
        Ok(Self { catalogue, network, policy, backlog, now })
    }

    /// A lawful plan at so many percent of the shipped capacity, in figures.
    fn plan(&self, capacity: u32) -> Result<Summary, Vec<Finding>> {
        let mut parts = (*self.network).clone();
        parts.capacity = Percent::new(capacity);
        let inputs = Inputs {
            now: self.now,
            catalogue: self.catalogue.clone(),
            network: Network::new(parts).expect("its couriers made sense before"),
            policy: self.policy.clone(),
            backlog: self.backlog.clone(),
            overrides: Vec::new(),
            results: Vec::new(),
        };
        let (snapshot, _) = Snapshot::new(inputs)?;
        let plan = labtriage_optimizer::plan(&snapshot, Rule::BandEdf, &|_, _| {});
        assert_eq!(audit(&snapshot, &plan), [], "a plan at {capacity} % breaks a law");
        Ok(Summary::of(&snapshot, &plan, cost(&snapshot, &plan), None))
    }
}

/// The shipped network at the backlog's size, with the incident's disruptions.
fn disrupted(made: &Generated, catalogue: &Catalogue, policy: &Policy) -> Result<Network, Vec<Finding>> {
    let scaled = format!("capacity_percent = {}", made.capacity_percent);
    let lines = defaults::NETWORK.lines().map(|line| if line.starts_with("capacity_percent") { &scaled } else { line });
    let text = lines.chain([made.disruptions.as_str()]).collect::<Vec<_>>().join("\n");
    network::network(&ConfigFile { name: "network.toml".to_owned(), text }, catalogue, policy)
}

fn now(made: &Generated, network: &Network) -> Instant {
    let local = quantity::reading(&made.now_local).expect("a local time");
    match network.zone.instant(local) {
        LocalInstant::Unique(now) => now,
        LocalInstant::Twice { .. } | LocalInstant::Missing => {
            unreachable!("no scenario is in the hour of a clock change")
        }
    }
}
