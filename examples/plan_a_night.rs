//! How do six tubes become a plan? The whole way through the library: extract, snapshot, plan, audit, cost.
//!
//! ```sh
//! cargo run -p labtriage-examples --example plan_a_night
//! ```
#![expect(clippy::print_stdout, reason = "an example talks")]

use labtriage_core::audit::audit;
use labtriage_core::cost::cost;
use labtriage_core::finding::Finding;
use labtriage_core::network::Network;
use labtriage_core::plan::{Disposition, Plan, Rule};
use labtriage_core::snapshot::{Inputs, Snapshot};
use labtriage_core::time::{Instant, LocalInstant};
use labtriage_core::units::Cost;
use labtriage_formats::config::{defaults, quantity};
use labtriage_formats::extract::{Context, read_extract};
use labtriage_formats::import::Import;

/// Everything is invented. The fifth tube is too old for its potassium; the sixth row names no known test.
const EXTRACT: &str = "\
accession,request,patient,requester,band,collected_at,specimen,site,condition,tests
T1,R1,P1,Z00001,routine,2024-06-03T08:30,SST,HUB,ambient,UE;CRP
T2,R1,P1,Z00001,routine,2024-06-03T08:30,EDTA,HUB,ambient,FBC
T3,R2,P2,Z00002,urgent,2024-06-03T15:00,SST,KINGS,ambient,K
T4,R3,P3,Z00003,soon,2024-06-03T11:00,SST,HUB,ambient,TSH
T5,R4,P4,Z00022,routine,2024-06-01T11:00,SST,HUB,ambient,K
T6,R5,P5,Z00022,routine,2024-06-03T11:00,SST,HUB,ambient,NO-SUCH-TEST
";

fn main() -> Result<(), Vec<Finding>> {
    let snapshot = snapshot()?;
    println!(
        "now {}, {} lines of {} samples",
        snapshot.now,
        snapshot.backlog.lines.len(),
        snapshot.backlog.samples.len()
    );
    let costs = Rule::ALL.map(|rule| decide(&snapshot, rule));
    let [fifo, _, band_edf] = costs;
    assert!(band_edf <= fifo, "band and expiry cost {band_edf}, first in, first out {fifo}");
    Ok(())
}

/// The six rows on the shipped network, on a Monday evening on which results are typed by hand.
fn snapshot() -> Result<Snapshot, Vec<Finding>> {
    let (catalogue, network, policy) = defaults::load(None, None)?.read()?;
    let import = Import::read("import.toml", defaults::IMPORT)?;
    let network = typed_by_hand(&network);
    let now = evening(&network);
    let context =
        Context { import: &import, catalogue: &catalogue, network: &network, policy: &policy, now, progress: None };
    let extract = read_extract(EXTRACT.as_bytes(), "backlog.csv", &context)?;
    for row in &extract.quarantine {
        for finding in row.findings_at("backlog.csv") {
            println!("set aside: {finding}");
        }
    }
    // Nothing is lost: a row that cannot be planned is set aside with its reasons.
    assert_eq!((extract.backlog.samples.len(), extract.quarantine.len()), (5, 1));
    let backlog = extract.backlog;
    let inputs = Inputs { now, catalogue, network, policy, backlog, overrides: Vec::new(), results: Vec::new() };
    let (snapshot, warnings) = Snapshot::new(inputs)?;
    for warning in warnings {
        println!("warning: {warning}");
    }
    Ok(snapshot)
}

/// The same laboratories, each with one result an hour: without scarcity every rule plans the same.
fn typed_by_hand(network: &Network) -> Network {
    let mut parts = (**network).clone();
    for site in parts.sites.as_mut_slice() {
        site.report_per_hour = 1;
    }
    Network::new(parts).expect("its couriers made sense before")
}

fn evening(network: &Network) -> Instant {
    let local = quantity::reading("2024-06-03T20:00").expect("a local time");
    match network.zone.instant(local) {
        LocalInstant::Unique(now) => now,
        LocalInstant::Twice { .. } | LocalInstant::Missing => unreachable!("no clock changes in June"),
    }
}

/// Plans by a rule, proves the plan lawful, shows it and returns its cost.
fn decide(snapshot: &Snapshot, rule: Rule) -> Cost {
    let plan = labtriage_optimizer::plan(snapshot, rule, &|_, _| {});
    assert_eq!(audit(snapshot, &plan), [], "a plan of {} breaks a law", rule.text());
    let total = cost(snapshot, &plan).total();
    println!("\n{}: {total} weighted days", rule.text());
    show(snapshot, &plan);
    total
}

fn show(snapshot: &Snapshot, plan: &Plan) {
    for (line, disposition) in plan.lines.enumerate() {
        let facts = &snapshot.backlog.lines[line];
        let (tube, test) = (snapshot.backlog.accession(facts.sample), &snapshot.catalogue.tests[facts.test].code);
        let what = match disposition {
            Disposition::Run(run) => {
                let analyser = run.analyser.map_or("nowhere", |analyser| &snapshot.network.analysers[analyser].code);
                format!("run on {analyser}, result by {}", snapshot.grid.end(run.reported))
            }
            Disposition::Recall(_) => match plan.visit_of(snapshot.backlog.patient_of(line)) {
                Some(visit) => format!("recall, bled again on {}", visit.day),
                None => "recall, no visit within the horizon".to_owned(),
            },
            other => format!("{other:?}"),
        };
        println!("  {tube} {test}: {what}");
    }
}
