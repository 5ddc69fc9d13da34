//! Does nobody discard a tube alone where two are needed, too early, or unasked?

use crate::common::{at, decision, on_both, proposed, record, sample};
use labtriage_ledger::records::{Authorisation, Decision, Discard, Sample};
use labtriage_ledger::states::SampleState;
use labtriage_ledger::{Code, Ledger, Lookup};

#[test]
fn a_discard_goes_from_proposal_to_disposal() {
    on_both("discard", |place| {
        let mut ledger = place.create();
        record(&mut ledger, 0, |writer| writer.samples([proposed("24A1", 0)])).unwrap();
        assert_eq!(ledger.samples(&Lookup::State(SampleState::DiscardProposed), None).unwrap().len(), 1);
        let after = record(&mut ledger, 5, |writer| {
            writer.decide(&Authorisation {
                why: Some("nobody wants it".to_owned()),
                ..decision("24A1", Decision::Authorise, "A. Manager", None)
            })
        })
        .unwrap();
        assert_eq!(after.state, SampleState::DiscardAuthorised);
        // The next night proposes it again, and changes nothing; nor may it change who decided.
        let again = record(&mut ledger, 6, |writer| writer.samples([after.clone()])).unwrap();
        assert_eq!(again.unchanged, 1);
        let forge: [fn(&mut Discard); 2] =
            [|discard| discard.decided_by = Some("nobody".to_owned()), |discard| discard.decided_because = None];
        for forge in forge {
            let mut forged = after.clone();
            forge(forged.discard.as_mut().unwrap());
            let refused = record(&mut ledger, 6, |writer| writer.samples([forged])).unwrap_err();
            assert_eq!(refused.code(), Code::Contradiction);
        }

        let gone =
            record(&mut ledger, 9, |writer| writer.decide(&decision("24A1", Decision::Dispose, "C. Porter", None)))
                .unwrap();
        let discard = gone.discard.as_deref().unwrap();
        assert_eq!(gone.state, SampleState::Disposed);
        assert_eq!((discard.decided_by.as_deref(), discard.decided), (Some("A. Manager"), Some(at(5))));
        assert_eq!((discard.disposed_by.as_deref(), discard.disposed), (Some("C. Porter"), Some(at(9))));
        let said = ledger.history::<Authorisation>("24A1").unwrap();
        let said: Vec<_> = said.into_iter().map(|known| known.record.unwrap()).collect();
        assert_eq!(said.iter().map(|said| said.decision).collect::<Vec<_>>(), [Decision::Authorise, Decision::Dispose]);
        assert!(said.iter().all(|said| said.discard == "D-24A1"));
        assert_eq!(discard.decided_because.as_deref(), Some("nobody wants it"), "the reason outlives the disposal");
        ledger.verify(None).unwrap();
    });
}

#[track_caller]
fn check(prepare: &[Authorisation], tried: &Authorisation, expected: &str) {
    on_both(&format!("discard_{}", std::panic::Location::caller().line()), |place| {
        let mut ledger = place.create();
        record(&mut ledger, 0, |writer| {
            let once = Sample { irreplaceable: true, ..proposed("24A2", 0) };
            writer.samples([proposed("24A1", 0), once, proposed("24A3", 60), sample("24A4")])
        })
        .unwrap();
        for decision in prepare {
            record(&mut ledger, 1, |writer| writer.decide(decision)).unwrap();
        }
        let before = ledger.head().unwrap();
        let found = decide(&mut ledger, tried);
        assert_eq!(found, expected);
        assert_eq!(ledger.head().unwrap() == before, expected != "decided");
    });
}

fn decide(ledger: &mut Ledger, tried: &Authorisation) -> String {
    match record(ledger, 2, |writer| writer.decide(tried)) {
        Ok(_) => "decided".to_owned(),
        Err(error) => error.code().text().to_owned(),
    }
}

#[test]
fn an_irreplaceable_sample_needs_two_different_people() {
    use Decision::Authorise;
    check(&[], &decision("24A2", Authorise, "A", None), "L016");
    check(&[], &decision("24A2", Authorise, "A", Some(" ")), "L016");
    check(&[], &decision("24A2", Authorise, "A", Some(" a ")), "L016");
    check(&[], &decision("24A2", Authorise, "A", Some("B")), "decided");
    check(&[], &decision("24A1", Authorise, "A", None), "decided");
    check(&[], &decision("24A1", Authorise, "A", Some("A")), "L016");
    check(&[], &decision("24A1", Authorise, " ", None), "L020");
}

#[test]
fn the_minimum_hold_is_kept_and_only_proposals_are_decided() {
    check(&[], &decision("24A3", Decision::Authorise, "A", None), "L017");
    check(&[], &decision("24A3", Decision::Reject, "A", None), "decided");
    check(&[], &Authorisation { why: None, ..decision("24A3", Decision::Reject, "A", None) }, "L020");
    check(&[], &decision("24A4", Decision::Authorise, "A", None), "L015");
    check(&[], &decision("24A1", Decision::Dispose, "A", None), "L015");
    check(&[], &decision("24A9", Decision::Authorise, "A", None), "L018");
    check(
        &[],
        &Authorisation { discard: "D-other".to_owned(), ..decision("24A1", Decision::Authorise, "A", None) },
        "L020",
    );
    let authorised = decision("24A1", Decision::Authorise, "A", None);
    check(std::slice::from_ref(&authorised), &authorised, "L015");
    let rejected = decision("24A1", Decision::Reject, "A", None);
    check(&[rejected], &decision("24A1", Decision::Dispose, "A", None), "L015");
}

#[test]
fn a_plan_cannot_authorise() {
    on_both("plan_cannot", |place| {
        let mut ledger = place.create();
        record(&mut ledger, 0, |writer| writer.samples([proposed("24A1", 0)])).unwrap();
        for state in [SampleState::DiscardAuthorised, SampleState::DiscardRejected, SampleState::Disposed] {
            let forged = Sample { state, because: Some("a plan".to_owned()), ..proposed("24A1", 0) };
            assert_eq!(record(&mut ledger, 1, |writer| writer.samples([forged])).unwrap_err().code(), Code::Transition);
        }
    });
}
