//! Has every recalled patient one open notice, and does an answer reach the lines?

use crate::common::{at, notice, on_both, patient, record, sample, with_lines};
use labtriage_ledger::records::{Answer, Export, Notice, Sample};
use labtriage_ledger::states::{LineState, NoticeState, SampleState};
use labtriage_ledger::{Code, Ledger};

fn recalled(ledger: &mut Ledger) {
    let lost = with_lines(sample("24A1"), SampleState::Expired, LineState::Recalled);
    let other = with_lines(sample("24A2"), SampleState::Expired, LineState::Recalled);
    record(ledger, 0, |writer| {
        writer.samples([lost, other])?;
        writer.notices(&[notice("N1", "24A1"), notice("N2", "24A2")])
    })
    .unwrap();
}

fn answer(visit: Option<i32>) -> Answer {
    Answer { visit: visit.map(at), who: "reception".to_owned(), note: None }
}

#[test]
fn an_answer_reaches_the_lines_it_is_about() {
    on_both("answer", |place| {
        let mut ledger = place.create();
        recalled(&mut ledger);
        let line = |ledger: &mut Ledger, test: &str| {
            ledger.sample("24A1").unwrap().unwrap().record.line(test).unwrap().clone()
        };
        for (state, expected) in [(NoticeState::Booked, LineState::Booked), (NoticeState::Done, LineState::ReBled)] {
            let answered =
                record(&mut ledger, 5, |writer| writer.answer("G85001", "N1", state, &answer(Some(2000)))).unwrap();
            assert_eq!((answered.notice.state, answered.left), (state, vec![]));
            assert_eq!((line(&mut ledger, "K").state, line(&mut ledger, "K").at), (expected, Some(at(2000))));
            assert_eq!(line(&mut ledger, "TSH").state, LineState::Recalled);
        }
        let head = ledger.head().unwrap();
        record(&mut ledger, 6, |writer| writer.answer("G85001", "N1", NoticeState::Done, &answer(Some(2000)))).unwrap();
        assert_eq!(ledger.head().unwrap(), head, "the same answer again is recorded again");
        let error =
            record(&mut ledger, 6, |writer| writer.answer("G85001", "N1", NoticeState::Declined, &answer(None)));
        assert_eq!(
            error.unwrap_err().to_string(),
            "recall notice N1: done cannot become declined: the patient has been bled again"
        );
        let foreign =
            record(&mut ledger, 6, |writer| writer.answer("G85999", "N2", NoticeState::Booked, &answer(None)));
        assert_eq!(foreign.unwrap_err().code(), Code::Unknown);
        record(&mut ledger, 6, |writer| writer.answer("G85001", "N2", NoticeState::NotOurs, &answer(None))).unwrap();
        assert_eq!(ledger.sample("24A2").unwrap().unwrap().record.line("K").unwrap().state, LineState::Held);
        ledger.verify(None).unwrap();
    });
}

#[test]
fn a_later_answer_corrects_the_one_before() {
    on_both("corrected", |place| {
        let mut ledger = place.create();
        recalled(&mut ledger);
        let mut answered = |minutes: i32, state, visit| {
            record(&mut ledger, minutes, |writer| writer.answer("G85001", "N1", state, &answer(visit))).unwrap();
            let line = ledger.sample("24A1").unwrap().unwrap().record.line("K").unwrap().clone();
            (line.state, line.at)
        };
        assert_eq!(answered(1, NoticeState::Declined, None).0, LineState::Cancelled);
        assert_eq!(answered(2, NoticeState::Booked, Some(90)), (LineState::Booked, Some(at(90))));
        assert_eq!(answered(3, NoticeState::NotOurs, None).0, LineState::Held);
        assert_eq!(answered(4, NoticeState::Declined, None).0, LineState::Cancelled);
        assert_eq!(answered(5, NoticeState::Done, Some(95)), (LineState::ReBled, Some(at(95))));
        ledger.verify(None).unwrap();
    });
}

#[test]
fn a_line_that_was_rescued_meanwhile_is_left_and_named() {
    on_both("rescued", |place| {
        let mut ledger = place.create();
        recalled(&mut ledger);
        let tested = with_lines(sample("24A1"), SampleState::Reported, LineState::Reported);
        record(&mut ledger, 1, |writer| writer.samples([tested.clone()])).unwrap();
        let answered =
            record(&mut ledger, 2, |writer| writer.answer("G85001", "N1", NoticeState::Booked, &answer(None))).unwrap();
        assert_eq!(answered.left, notice("N1", "24A1").wanted);
        assert_eq!(ledger.sample("24A1").unwrap().unwrap().record, tested);
    });
}

#[test]
fn a_patient_has_one_open_notice() {
    on_both("one_open", |place| {
        let mut ledger = place.create();
        recalled(&mut ledger);
        let second = Notice { id: "N3".to_owned(), ..notice("N1", "24A1") };
        let error = record(&mut ledger, 1, |writer| writer.notices(std::slice::from_ref(&second))).unwrap_err();
        assert_eq!(error.to_string(), "recall notice N3: its patient has another open notice, N1");
        let both = [Notice { state: NoticeState::Withdrawn, ..notice("N1", "24A1") }, second];
        assert_eq!(record(&mut ledger, 1, |writer| writer.notices(&both)).unwrap(), 2);
        assert_eq!(record(&mut ledger, 2, |writer| writer.notices(&both)).unwrap(), 0);
        assert_eq!(ledger.notices_of(&patient("1")).unwrap().len(), 2);
        assert_eq!(ledger.notices(NoticeState::Open, None).unwrap().len(), 2);
        assert_eq!(ledger.notices(NoticeState::Open, Some("G85002")).unwrap(), []);
    });
}

#[test]
fn a_correction_opens_no_second_notice() {
    on_both("no_second", |place| {
        let mut ledger = place.create();
        recalled(&mut ledger);
        let answered = |ledger: &mut Ledger, id: &str, state| {
            record(ledger, 1, |writer| writer.answer("G85001", id, state, &answer(None))).map(drop)
        };
        answered(&mut ledger, "N1", NoticeState::Declined).unwrap();
        // The patient is called back again, for another tube; then the first answer is to be corrected.
        let second = Notice { id: "N3".to_owned(), ..notice("N1", "24A1") };
        record(&mut ledger, 2, |writer| writer.notices(std::slice::from_ref(&second))).unwrap();
        let error = answered(&mut ledger, "N1", NoticeState::Booked).unwrap_err();
        assert_eq!(error.to_string(), "recall notice N1: its patient has another open notice, N3");
        answered(&mut ledger, "N1", NoticeState::NotOurs).unwrap();
        // The nights go on, and once the second one is closed the first may be corrected.
        let next = Notice { book_by: Some(at(9)), ..second };
        record(&mut ledger, 3, |writer| writer.notices(&[next])).unwrap();
        answered(&mut ledger, "N3", NoticeState::Declined).unwrap();
        answered(&mut ledger, "N1", NoticeState::Booked).unwrap();
    });
}

#[test]
fn a_notice_of_another_patient_is_not_overwritten() {
    on_both("another_patient", |place| {
        let mut ledger = place.create();
        recalled(&mut ledger);
        let before = ledger.head().unwrap();
        record(&mut ledger, 1, |writer| writer.answer("G85001", "N1", NoticeState::Declined, &answer(None))).unwrap();
        let stolen = notice("N1", "24A3");
        let error = record(&mut ledger, 1, |writer| writer.notices(&[stolen])).unwrap_err();
        assert_eq!(error.to_string(), "recall notice N1: its number is that of another patient's");
        assert_ne!(ledger.head().unwrap(), before);
        assert_eq!(ledger.notice("N1").unwrap().unwrap().record.patient, patient("1"));
    });
}

#[test]
fn what_a_practice_answered_outlives_the_next_plan() {
    on_both("outlives", |place| {
        let mut ledger = place.create();
        recalled(&mut ledger);
        record(&mut ledger, 1, |writer| writer.answer("G85001", "N1", NoticeState::Booked, &answer(Some(9)))).unwrap();
        let replanned = Notice { state: NoticeState::Booked, book_by: Some(at(100)), ..notice("N1", "24A1") };
        record(&mut ledger, 2, |writer| writer.notices(&[replanned])).unwrap();
        let kept = ledger.notice("N1").unwrap().unwrap().record;
        assert_eq!((kept.book_by, kept.answer), (Some(at(100)), Some(answer(Some(9)))));
    });
}

#[test]
fn a_practice_may_not_read_others_names() {
    on_both("anothers", |place| {
        let mut ledger = place.create();
        recalled(&mut ledger);
        let shared = Sample { requester: "G85002".to_owned(), request: "RQ1".to_owned(), ..sample("24A7") };
        let theirs = Sample { requester: "G85002".to_owned(), ..sample("24A8") };
        record(&mut ledger, 1, |writer| {
            writer.samples([shared, theirs])?;
            writer.notices(&[Notice { requester: "G85002".to_owned(), ..notice("N8", "24A8") }])
        })
        .unwrap();
        for (word, expected) in [
            ("24A1", false),
            ("24A8", true),
            ("RQ1", false),
            ("RQ8", true),
            ("N1", false),
            ("N8", true),
            ("G85001", false),
            ("G85002", true),
            ("pseudo-1", true),
            ("sample", false),
        ] {
            assert_eq!(ledger.is_anothers(word, "G85001").unwrap(), expected, "{word}");
        }
    });
}

fn export(digest: &str, patients: &[&str]) -> Export {
    Export {
        digest: digest.to_owned(),
        plain_digest: Some(format!("plain-{digest}")),
        file: "recalls-G85001.csv.age".to_owned(),
        practice: "G85001".to_owned(),
        recipient: "age1recipient".to_owned(),
        who: "A. Manager".to_owned(),
        profile: "generic".to_owned(),
        plan: None,
        patients: patients.iter().map(|name| patient(name)).collect(),
    }
}

#[test]
fn a_leaked_file_tells_whom_it_names() {
    on_both("exports", |place| {
        let mut ledger = place.create();
        let many: Vec<String> = (0..1203).map(|number| number.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        record(&mut ledger, 0, |writer| {
            writer.export(&export("d1", &many))?;
            writer.export(&export("d2", &["1", "9999"]))
        })
        .unwrap();
        for digest in ["d1", "plain-d1"] {
            let found = ledger.exports_of_file(digest).unwrap();
            assert_eq!((found.len(), found[0].record.patients.len()), (1, 1203));
        }
        assert_eq!(ledger.exports_of_file("d9").unwrap(), []);
        assert_eq!(ledger.exports_naming(&patient("1")).unwrap().len(), 2);
        assert_eq!(ledger.exports_naming(&patient("9999")).unwrap()[0].record.digest, "d2");
        assert_eq!(ledger.exports_naming(&patient("none")).unwrap(), []);
        assert_eq!(ledger.exports().unwrap().len(), 2);
        // The same file leaves again: both times are known, by either digest.
        record(&mut ledger, 1, |writer| writer.export(&Export { who: "B".to_owned(), ..export("d2", &["1", "9999"]) }))
            .unwrap();
        assert_eq!(ledger.exports().unwrap().len(), 3);
        for digest in ["d2", "plain-d2"] {
            let found = ledger.exports_of_file(digest).unwrap();
            assert_eq!(found.iter().map(|known| known.record.who.as_str()).collect::<Vec<_>>(), ["A. Manager", "B"]);
        }
        let nobody = record(&mut ledger, 1, |writer| writer.export(&export("d3", &[])));
        assert_eq!(nobody.unwrap_err().code(), Code::Contradiction);
        ledger.verify(None).unwrap();
    });
}
