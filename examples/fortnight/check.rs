//! Does everything add up at the end?

use std::collections::{BTreeMap, BTreeSet};

use labtriage_ledger::LedgerError;
use labtriage_ledger::records::{Authorisation, Decision, Query, Sample};
use labtriage_ledger::states::{NoticeState, SampleState};

use crate::count::{count, tubes};
use crate::scene::{NIGHTS, Scene};

/// Checks all of it; returns how many figures were compared.
pub(crate) fn check(scene: &Scene) -> usize {
    every_sample_has_one_state(scene);
    every_discard_is_authorised(scene);
    nobody_has_two_open_visits(scene);
    scene.data(&["ledger", "verify", "--ledger", &scene.ledger]);
    let asked = scene.open().entries::<Query>().unwrap().len();
    assert_eq!(asked, NIGHTS as usize - 1, "every question is recorded");
    assert_eq!(scene.open().runs().unwrap().len(), NIGHTS as usize, "each night is recorded once");
    figures_agree(scene)
}

fn samples(scene: &Scene) -> Vec<Sample> {
    let mut samples = Vec::new();
    let read: Result<(), LedgerError> = scene.open().each_sample(|known| {
        samples.push(known.record);
        Ok(())
    });
    read.unwrap();
    samples
}

fn every_sample_has_one_state(scene: &Scene) {
    let samples = samples(scene);
    let known: BTreeSet<&str> = samples.iter().map(|sample| sample.accession.as_str()).collect();
    assert_eq!(known.len(), samples.len(), "a sample has two states");
    let tubes = tubes(scene, NIGHTS);
    let received: BTreeSet<&str> = tubes.keys().map(String::as_str).collect();
    assert_eq!(known, received, "the ledger has other samples than have arrived");
}

fn every_discard_is_authorised(scene: &Scene) {
    let mut ledger = scene.open();
    let mut discards = 0;
    for sample in samples(scene) {
        let decided = matches!(sample.state, SampleState::DiscardAuthorised | SampleState::Disposed);
        let decisions = ledger.history::<Authorisation>(&sample.accession).unwrap();
        let mut decisions = decisions.into_iter().filter_map(|known| known.record);
        let authorised = decisions.any(|one| one.decision == Decision::Authorise && !one.who.is_empty());
        assert_eq!(authorised, decided, "{} is {}", sample.accession, sample.state);
        discards += usize::from(decided);
    }
    assert!(discards > 0, "nothing was ever discarded");
}

fn nobody_has_two_open_visits(scene: &Scene) {
    let mut ledger = scene.open();
    let mut open: BTreeMap<String, usize> = BTreeMap::new();
    for state in [NoticeState::Open, NoticeState::Booked] {
        for known in ledger.notices(state, None).unwrap() {
            *open.entry(known.record.patient.expose().to_owned()).or_default() += 1;
        }
    }
    assert!(!open.is_empty(), "nobody is called back");
    assert!(open.values().all(|&visits| visits == 1), "a patient has two open visits");
}

/// The figures of `kpi` are those of the raw files.
fn figures_agree(scene: &Scene) -> usize {
    let said = scene.data(&["kpi", "--ledger", &scene.ledger, "--csv"]);
    let mut told: BTreeMap<String, String> = BTreeMap::new();
    for row in csv::Reader::from_reader(said.as_bytes()).records() {
        let row = row.unwrap();
        told.insert(row.iter().take(5).collect::<Vec<_>>().join("|"), row[5].to_owned());
    }
    let counted = count(scene);
    let differs: Vec<String> = counted
        .iter()
        .filter(|(name, count)| told.get(*name).map(String::as_str) != Some(count.to_string().as_str()))
        .map(|(name, count)| format!("{name}: kpi says {:?}, the files {count}", told.get(name)))
        .collect();
    assert!(differs.is_empty(), "{} of {} figures differ:\n{}", differs.len(), counted.len(), differs.join("\n"));
    counted.len()
}
