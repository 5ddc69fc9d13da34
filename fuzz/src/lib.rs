//! What do the fuzz targets read against? The shipped configuration, and a tiny snapshot.

use std::sync::LazyLock;

use labtriage_core::catalogue::Catalogue;
use labtriage_core::fixture::Fixture;
use labtriage_core::network::Network;
use labtriage_core::overrides::Action;
use labtriage_core::policy::Policy;
use labtriage_core::snapshot::Snapshot;
use labtriage_core::time::Instant;
use labtriage_formats::config::{ConfigFile, defaults};
use labtriage_formats::extract::Context;
use labtriage_formats::import::Import;

/// The shipped configuration, read.
#[derive(Debug)]
pub struct Shipped {
    /// Tests and stability.
    pub catalogue: Catalogue,
    /// Laboratories.
    pub network: Network,
    /// Weights.
    pub policy: Policy,
    /// How an extract is read.
    pub import: Import,
    /// The moment of planning.
    pub now: Instant,
}

/// The shipped configuration, read once.
pub static SHIPPED: LazyLock<Shipped> = LazyLock::new(|| {
    let (catalogue, network, policy) =
        defaults::load(None, None).and_then(|files| files.read()).expect("the shipped configuration");
    let import = Import::read("import.toml", defaults::IMPORT).expect("the shipped import");
    Shipped { catalogue, network, policy, import, now: Fixture::new().now }
});

impl Shipped {
    /// What an extract is read against.
    pub fn context(&self) -> Context<'_> {
        Context {
            import: &self.import,
            catalogue: &self.catalogue,
            network: &self.network,
            policy: &self.policy,
            now: self.now,
            progress: None,
        }
    }
}

/// A configuration file of this text.
pub fn file(name: &str, text: &str) -> ConfigFile {
    ConfigFile { name: name.to_owned(), text: text.to_owned() }
}

/// A snapshot small enough to be searched in an instant, with something of everything: two tubes
/// of one patient, a repeat, a tube elsewhere, an irreplaceable one, an expired one, an override.
pub fn tiny() -> Snapshot {
    let mut fixture = Fixture::new();
    fixture.sample("A1", "P1", "SST", &["K", "CRP", "TSH"]).collected_hours_ago(3).band("urgent");
    fixture.sample("A2", "P1", "EDTA", &["FBC"]);
    fixture.sample("A3", "P2", "SST", &["UE", "TSH"]).site("HOSP");
    fixture.sample("A4", "P3", "CSF", &["CSFC"]).requester("W1");
    fixture.sample("A5", "P4", "SST", &["K", "K"]).collected_hours_ago(30);
    fixture.sample("A6", "P2", "SST", &["TSH"]).collected_hours_ago(2);
    fixture.override_("A2", Action::Hold);
    fixture.snapshot()
}
