//! Can a configuration file stop the program? Each reader has a look at each text.
#![no_main]

use labtriage_core::backlog::BacklogBuilder;
use labtriage_core::grid::Grid;
use labtriage_core::snapshot::{Inputs, Snapshot};
use labtriage_formats::config::{catalogue, network, overrides, policy};
use labtriage_formats::import::Import;
use labtriage_formats::scenario;
use labtriage_fuzz::{SHIPPED, file};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let shipped = &*SHIPPED;
    let findings =
        |result: Option<Vec<_>>| assert!(result.is_none_or(|found| !found.is_empty()), "refused without a word");
    findings(catalogue::catalogue(&file("catalogue.toml", text)).err());
    findings(Import::read("import.toml", text).err());
    findings(scenario::read(&file("scenario.toml", text), shipped.network.zone).err());
    findings(overrides::overrides(text, "overrides.toml", &shipped.catalogue, &shipped.network, &shipped.policy).err());
    match policy::policy(&file("policy.toml", text), &shipped.catalogue) {
        Ok(policy) => assert!(!Grid::new(shipped.now, shipped.network.zone, &policy).is_empty()),
        Err(found) => findings(Some(found)),
    }
    match network::network(&file("network.toml", text), &shipped.catalogue, &shipped.policy) {
        Ok(network) => {
            let inputs = Inputs {
                now: shipped.now,
                catalogue: shipped.catalogue.clone(),
                network,
                policy: shipped.policy.clone(),
                backlog: BacklogBuilder::default().finish().backlog,
                overrides: Vec::new(),
                results: Vec::new(),
            };
            findings(Snapshot::new(inputs).err());
        }
        Err(found) => findings(Some(found)),
    }
});
