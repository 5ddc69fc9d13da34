//! Is a patient found under every pseudonym, whatever key made it?

use crate::common::{at, notice, on_both, other, patient, record, sample};
use labtriage_ledger::records::{Answer, Notice, Renamed, Sample};
use labtriage_ledger::states::NoticeState;
use labtriage_ledger::{Code, Ledger, Lookup, OwnedPseudonym, dump};

fn renamed(ledger: &mut Ledger, before: &str, now: &str) -> u64 {
    record(ledger, 1, |writer| writer.renamed(&[(patient(before), patient(now))], "A. Manager")).unwrap()
}

/// Accessions and notices that are found under a pseudonym.
fn found(ledger: &mut Ledger, name: &str) -> (Vec<String>, Vec<String>) {
    let samples = ledger.samples(&Lookup::Patient(patient(name)), None).unwrap();
    let notices = ledger.notices_of(&patient(name)).unwrap();
    (
        samples.into_iter().map(|known| known.record.accession).collect(),
        notices.into_iter().map(|known| known.record.id).collect(),
    )
}

#[test]
fn a_patient_is_found_under_every_pseudonym_after_two_rotations() {
    on_both("names", |place| {
        let mut ledger = place.create();
        record(&mut ledger, 0, |writer| {
            writer.samples([sample("24A1"), sample("24A2")])?;
            writer.notices(&[notice("N1", "24A1"), notice("N2", "24A2")])
        })
        .unwrap();
        assert_eq!(renamed(&mut ledger, "1", "one"), 1);
        assert_eq!(renamed(&mut ledger, "1", "one"), 0, "the same is recorded once");
        let next = Sample { patient: patient("uno"), ..sample("24A3") };
        record(&mut ledger, 2, |writer| writer.samples([next])).unwrap();
        assert_eq!(renamed(&mut ledger, "one", "uno"), 1);
        let everything = (vec!["24A1".to_owned(), "24A3".to_owned()], vec!["N1".to_owned()]);
        for name in ["1", "one", "uno"] {
            assert_eq!(found(&mut ledger, name), everything, "{name}");
        }
        assert_eq!(found(&mut ledger, "2"), (vec!["24A2".to_owned()], vec!["N2".to_owned()]));
        let names = ledger.names(&[&patient("1"), &patient("2")]).unwrap();
        assert!(names.are_one(&patient("uno"), &patient("1")) && !names.are_one(&patient("uno"), &patient("2")));
        assert_eq!(names.of(&patient("2")), [patient("2")]);
        // Two old pseudonyms of one patient may both have got the newest.
        assert_eq!(renamed(&mut ledger, "1", "uno"), 1);
        assert_eq!(found(&mut ledger, "one"), everything);

        ledger.verify(None).unwrap();
        let folder = tempfile::tempdir().unwrap();
        ledger.backup(&folder.path().join("saved")).unwrap();
        let restored = other(place);
        dump::restore(&folder.path().join("saved"), &restored.address).unwrap();
        assert_eq!(found(&mut restored.open(), "1"), everything);
        ledger.vacuum(at(9), at(9), "A. Manager").unwrap();
        assert_eq!(found(&mut ledger, "1"), everything);
        ledger.verify(None).unwrap();
    });
}

#[test]
fn a_notice_goes_on_under_the_new_pseudonym_and_a_second_one_is_refused() {
    on_both("names_notice", |place| {
        let mut ledger = place.create();
        record(&mut ledger, 0, |writer| {
            writer.samples([sample("24A1")])?;
            writer.notices(&[notice("N1", "24A1")])
        })
        .unwrap();
        let now = Notice { patient: patient("one"), ..notice("N1", "24A1") };
        let second = Notice { id: "N9".to_owned(), ..now.clone() };
        renamed(&mut ledger, "1", "one");
        let error = record(&mut ledger, 2, |writer| writer.notices(std::slice::from_ref(&second))).unwrap_err();
        assert!(error.to_string().contains("has another open notice"), "{error}");
        let answer = Answer { visit: Some(at(2000)), who: "reception".to_owned(), note: None };
        record(&mut ledger, 2, |writer| writer.answer("G85001", "N1", NoticeState::Booked, &answer)).unwrap();
        let booked = Notice { state: NoticeState::Booked, ..now };
        assert_eq!(record(&mut ledger, 3, |writer| writer.notices(std::slice::from_ref(&booked))).unwrap(), 1);
        let kept = ledger.notice("N1").unwrap().unwrap().record;
        assert_eq!((kept.patient, kept.answer), (patient("one"), Some(answer)));
        assert_eq!(ledger.notices_of(&patient("1")).unwrap().len(), 1);
        ledger.verify(None).unwrap();
    });
}

#[test]
fn a_rotation_without_a_user_or_with_numbers_is_refused() {
    on_both("names_refused", |place| {
        let mut ledger = place.create();
        let pair = [(patient("1"), patient("one"))];
        let error = record(&mut ledger, 0, |writer| writer.renamed(&pair, " ")).unwrap_err();
        assert_eq!(error.code(), Code::Contradiction);
        for pair in [("9434765919", "k1-b"), ("k1-b", "943 476 5919")] {
            let pair = [(OwnedPseudonym::new(pair.0), OwnedPseudonym::new(pair.1))];
            let error = record(&mut ledger, 0, |writer| writer.renamed(&pair, "A")).unwrap_err();
            assert!(error.code() == Code::Identity && !error.to_string().contains("5919"), "{error}");
        }
        let shown = format!("{:?}", Renamed::new(patient("1"), patient("one"), "A"));
        assert!(!shown.contains("pseudo-"), "{shown}");
        assert_eq!(ledger.head().unwrap().seq, 0);
    });
}
