//! A generated backlog in memory, and the snapshot of it: what every bench begins with.

use labtriage_core::catalogue::Catalogue;
use labtriage_core::duplicates::ResultRow;
use labtriage_core::network::Network;
use labtriage_core::overrides::Override;
use labtriage_core::policy::Policy;
use labtriage_core::snapshot::{Inputs, Snapshot};
use labtriage_core::time::{Instant, LocalInstant};
use labtriage_formats::config::{ConfigFile, defaults, network, overrides, quantity};
use labtriage_formats::extract::{COLUMNS, Context, Extract, read_extract};
use labtriage_formats::import::Import;
use labtriage_formats::results;
use labtriage_simulator::{ExtractRow, Generated, Request, World, generate};

/// A backlog as bytes, and what it is read against.
pub(crate) struct Night {
    csv: Vec<u8>,
    results: Vec<ResultRow>,
    overrides: Vec<Override>,
    catalogue: Catalogue,
    network: Network,
    policy: Policy,
    import: Import,
    now: Instant,
}

impl Night {
    /// So many samples, on the shipped network at the size and with the disruptions that belong to them.
    pub(crate) fn of(request: Request) -> Self {
        let (catalogue, shipped, policy) =
            defaults::load(None, None).and_then(|files| files.read()).expect("the shipped configuration");
        let import = Import::read("import.toml", defaults::IMPORT).expect("the shipped import");
        let world = World { catalogue: &catalogue, network: &shipped, policy: &policy };
        let mut csv = csv::Writer::from_writer(Vec::new());
        csv.write_record(COLUMNS).expect("memory can be written to");
        let made = generate(world, request, &mut |row: &ExtractRow| {
            csv.write_record(row.fields()).expect("memory can be written to");
        });
        let network = scaled(&made, &catalogue, &policy);
        let local = quantity::reading(&made.now_local).expect("a local time");
        let LocalInstant::Unique(now) = network.zone.instant(local) else {
            panic!("planned in the hour of a clock change")
        };
        let csv = csv.into_inner().expect("memory can be written to");
        let overrides = overrides::overrides(&made.overrides, "overrides.toml", &catalogue, &network, &policy)
            .expect("overrides of the simulator");
        let mut night = Self { csv, results: Vec::new(), overrides, catalogue, network, policy, import, now };
        night.results = night.read_results(&made);
        night
    }

    fn context(&self) -> Context<'_> {
        Context {
            import: &self.import,
            catalogue: &self.catalogue,
            network: &self.network,
            policy: &self.policy,
            now: self.now,
            progress: None,
        }
    }

    fn read_results(&self, made: &Generated) -> Vec<ResultRow> {
        let mut csv = csv::Writer::from_writer(Vec::new());
        csv.write_record(results::COLUMNS).expect("memory can be written to");
        for result in &made.results {
            let fields = [result.accession.as_str(), &result.patient, result.test, &result.resulted_at];
            csv.write_record(fields).expect("memory can be written to");
        }
        let csv = csv.into_inner().expect("memory can be written to");
        results::read_results(csv.as_slice(), "results.csv", &self.context()).expect("readable results").rows
    }

    /// Reads the backlog.
    pub(crate) fn read(&self) -> Extract {
        read_extract(self.csv.as_slice(), "backlog.csv", &self.context()).expect("a readable extract")
    }

    /// What a snapshot is made of.
    pub(crate) fn inputs(&self, extract: Extract) -> Inputs {
        Inputs {
            now: self.now,
            catalogue: self.catalogue.clone(),
            network: self.network.clone(),
            policy: self.policy.clone(),
            backlog: extract.backlog,
            overrides: self.overrides.clone(),
            results: self.results.clone(),
        }
    }

    /// The snapshot.
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot::new(self.inputs(self.read())).expect("inputs that fit").0
    }
}

/// The shipped network at the scenario's size, with its disruptions.
fn scaled(made: &Generated, catalogue: &Catalogue, policy: &Policy) -> Network {
    let scaled = format!("capacity_percent = {}", made.capacity_percent);
    let lines = defaults::NETWORK.lines().map(|line| if line.starts_with("capacity_percent") { &scaled } else { line });
    let text = lines.chain([made.disruptions.as_str()]).collect::<Vec<_>>().join("\n");
    let file = ConfigFile { name: "network.toml".to_owned(), text };
    network::network(&file, catalogue, policy).expect("the shipped network, scaled")
}
