//! Whatever is tried in whatever order: is the present what was accepted last, and does the chain hold?

use std::collections::BTreeMap;

use labtriage_ledger::dump::restore;
use labtriage_ledger::records::{Decision, Sample};
use labtriage_ledger::states::{LineState, SampleState};
use proptest::prelude::*;

use crate::common::{at, decision, file, proposed, record, with_lines};

/// What somebody tries to record of one of three samples.
#[derive(Clone, Debug)]
enum Tried {
    States(usize, SampleState, LineState, bool),
    Decision(usize, Decision, bool),
    Vacuum,
}

fn tried() -> impl Strategy<Value = Tried> {
    let states =
        (0..3_usize, prop::sample::select(SampleState::ALL), prop::sample::select(LineState::ALL), any::<bool>());
    let decisions = prop::sample::select(&[Decision::Authorise, Decision::Reject, Decision::Dispose][..]);
    prop_oneof![
        8 => states.prop_map(|(which, sample, line, reason)| Tried::States(which, sample, line, reason)),
        4 => (0..3_usize, decisions, any::<bool>()).prop_map(|(which, decision, two)| Tried::Decision(which, decision, two)),
        1 => Just(Tried::Vacuum),
    ]
}

const ACCESSIONS: [&str; 3] = ["24A1", "24A2", "24A3"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_present_is_what_was_accepted_last(steps in prop::collection::vec(tried(), 1..40)) {
        let place = file();
        let mut ledger = place.create();
        let mut present: BTreeMap<&str, Sample> = BTreeMap::new();
        for (step, minutes) in steps.iter().zip(1..) {
            match step {
                Tried::States(which, state, lines, reason) => {
                    let accession = ACCESSIONS[*which];
                    let mut next = with_lines(proposed(accession, 20), *state, *lines);
                    // The last one cannot be collected again.
                    next.irreplaceable = *which == 2;
                    next.because = reason.then(|| "a correction".to_owned());
                    next.lines.iter_mut().for_each(|line| line.because = next.because.clone());
                    if record(&mut ledger, minutes, |writer| writer.samples([next.clone()])).is_ok() {
                        let person = |state| matches!(state, SampleState::DiscardAuthorised | SampleState::DiscardRejected | SampleState::Disposed);
                        prop_assert!(!person(*state) || present.get(accession).is_some_and(|was| was.state == *state));
                        present.insert(accession, next);
                    }
                }
                Tried::Decision(which, decided, two) => {
                    let accession = ACCESSIONS[*which];
                    let tried = decision(accession, *decided, "A", two.then_some("B"));
                    if let Ok(after) = record(&mut ledger, minutes, |writer| writer.decide(&tried)) {
                        let was = &present[accession];
                        let from = if *decided == Decision::Dispose { SampleState::DiscardAuthorised } else { SampleState::DiscardProposed };
                        prop_assert_eq!(was.state, from);
                        prop_assert!(*decided == Decision::Reject || minutes >= 20, "the minimum hold was not kept");
                        prop_assert!(*decided != Decision::Authorise || *two || !was.irreplaceable, "one person was enough");
                        present.insert(accession, after);
                    }
                }
                Tried::Vacuum => drop(ledger.vacuum(at(minutes), at(minutes), "A").unwrap()),
            }
        }
        for accession in ACCESSIONS {
            prop_assert_eq!(ledger.sample(accession).unwrap().map(|known| known.record), present.get(accession).cloned());
        }
        let verified = ledger.verify(None).unwrap();
        prop_assert_eq!(verified.present, present.len() as i64);
        let saved = place.path("saved.jsonl");
        ledger.backup(&saved).unwrap();
        prop_assert_eq!(restore(&saved, &file().address).unwrap(), verified);
    }
}
