//! The shipped configuration as a world, and backlogs as files and as read from them.

use chrono::NaiveDateTime;
use labtriage_core::backlog::Backlog;
use labtriage_core::catalogue::Catalogue;
use labtriage_core::finding::Code;
use labtriage_core::network::Network;
use labtriage_core::overrides::Override;
use labtriage_core::policy::Policy;
use labtriage_core::snapshot::{Inputs, Snapshot};
use labtriage_core::time::{Instant, LocalInstant, Zone};
use labtriage_formats::config::defaults;
use labtriage_formats::extract::{Context, Extract, read_extract};
use labtriage_formats::import::Import;
use labtriage_simulator::{COLUMNS, ExtractRow, Generated, Request, Scenario, World, generate};

/// The shipped configuration.
pub(crate) struct Shipped {
    pub(crate) catalogue: Catalogue,
    pub(crate) network: Network,
    pub(crate) policy: Policy,
}

impl Shipped {
    pub(crate) fn load() -> Self {
        Self::read(&defaults::load(None, None).unwrap())
    }

    /// With the disruptions and the capacity of a scenario.
    pub(crate) fn disrupted(generated: &Generated) -> Self {
        let mut configuration = defaults::load(None, None).unwrap();
        let text = &mut configuration.network.file.text;
        assert!(text.contains("\ncapacity_percent = 100 "));
        let percent = format!("\ncapacity_percent = {} ", generated.capacity_percent);
        *text = text.replacen("\ncapacity_percent = 100 ", &percent, 1) + "\n" + &generated.disruptions;
        Self::read(&configuration)
    }

    fn read(configuration: &defaults::Configuration) -> Self {
        let (catalogue, network, policy) = configuration.read().unwrap();
        Self { catalogue, network, policy }
    }

    pub(crate) fn world(&self) -> World<'_> {
        World { catalogue: &self.catalogue, network: &self.network, policy: &self.policy }
    }

    /// What the reader of extracts makes of a file.
    pub(crate) fn extract(&self, file: &[u8], generated: &Generated) -> Extract {
        let import = Import::default();
        let Self { catalogue, network, policy } = self;
        let now = instant(&generated.now_local);
        let context = Context { import: &import, catalogue, network, policy, now, progress: None };
        read_extract(file, "backlog.csv", &context).unwrap()
    }

    /// A tame backlog; every row of it must be valid.
    pub(crate) fn backlog(&self, wanted: Request) -> (Backlog, Generated) {
        let (file, generated) = csv(self, wanted);
        let extract = self.extract(&file, &generated);
        assert_eq!(extract.quarantine.first(), None);
        let others: Vec<_> = extract.warnings.iter().filter(|(code, _)| *code != Code::TimeAssumed).collect();
        assert!(others.is_empty(), "{others:?}");
        assert_eq!(extract.backlog.samples.len(), wanted.samples as usize);
        (extract.backlog, generated)
    }
}

/// The snapshot of a tame backlog under the disruptions of its scenario.
pub(crate) fn snapshot(
    wanted: Request,
    overrides: impl Fn(&Shipped, &Generated) -> Vec<Override>,
) -> (Snapshot, Generated) {
    let (backlog, generated) = Shipped::load().backlog(wanted);
    let disrupted = Shipped::disrupted(&generated);
    let (now, overrides) = (instant(&generated.now_local), overrides(&disrupted, &generated));
    let Shipped { catalogue, network, policy } = disrupted;
    let inputs = Inputs { now, catalogue, network, policy, backlog, overrides, results: Vec::new() };
    (Snapshot::new(inputs).unwrap().0, generated)
}

pub(crate) fn request(scenario: Scenario, samples: u32, seed: u64) -> Request {
    Request { scenario, samples, seed, night: 0, hostile: false }
}

/// The rows of a tame backlog as text.
pub(crate) fn rows(shipped: &Shipped, wanted: Request) -> (Vec<[String; 17]>, Generated) {
    let mut rows = Vec::new();
    let generated = generate(shipped.world(), wanted, &mut |row: &ExtractRow| {
        assert!(row.raw().is_none());
        rows.push(row.fields().map(|field| String::from_utf8(field.to_vec()).unwrap()));
    });
    (rows, generated)
}

/// A CSV file of a backlog, as a program would write it.
pub(crate) fn csv(shipped: &Shipped, wanted: Request) -> (Vec<u8>, Generated) {
    let mut file = COLUMNS.join(",").into_bytes();
    file.push(b'\n');
    let generated = generate(shipped.world(), wanted, &mut |row: &ExtractRow| {
        if let Some(line) = row.raw() {
            file.extend_from_slice(line);
            file.push(b'\n');
        } else {
            let mut writer = csv::Writer::from_writer(&mut file);
            writer.write_record(row.fields()).unwrap();
            writer.flush().unwrap();
        }
    });
    (file, generated)
}

/// An instant of a local reading that must be there and occur once.
pub(crate) fn instant(text: &str) -> Instant {
    let local = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M").unwrap();
    match Zone::LONDON.instant(local) {
        LocalInstant::Unique(instant) => instant,
        other => panic!("{text} is {other:?}"),
    }
}
