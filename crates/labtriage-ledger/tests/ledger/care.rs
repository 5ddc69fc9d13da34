//! Is every change found, and does a ledger come back from its backup?

use std::fs;

use sha2::{Digest, Sha256};

use labtriage_ledger::dump::restore;
use labtriage_ledger::records::{Decision, Query, Sample, Vacuumed};
use labtriage_ledger::states::{LineState, NoticeState, SampleState};
use labtriage_ledger::{Address, Code, Head, Ledger, LedgerError, Vacuum, Verified};

use crate::common::{
    Place, at, decision, file, notice, on_both, patient, proposed, published, record, run, sample, with_lines,
};

/// Three nights with a bit of everything: 13 entries.
fn filled(place: &Place) -> Ledger {
    let mut ledger = place.create();
    record(&mut ledger, 0, |writer| {
        writer.run(&run("run-1"))?;
        writer.samples([sample("24A1"), sample("24A2"), proposed("24A3", 0)])?;
        writer.published(&published("run-1"))
    })
    .unwrap();
    record(&mut ledger, 10, |writer| {
        writer.decide(&decision("24A3", Decision::Authorise, "A", None))?;
        writer.samples([with_lines(sample("24A1"), SampleState::Expired, LineState::Recalled)])?;
        writer.notices(&[notice("N1", "24A1")])?;
        writer.query(&Query {
            who: "B".to_owned(),
            sample: None,
            request: None,
            patient: Some(patient("1")),
            practice: None,
            found: 1,
        })
    })
    .unwrap();
    record(&mut ledger, 20, |writer| {
        let answer = labtriage_ledger::records::Answer { visit: None, who: "C".to_owned(), note: None };
        writer.answer("G85001", "N1", NoticeState::Booked, &answer)?;
        writer.export(&export())
    })
    .unwrap();
    ledger
}

fn export() -> labtriage_ledger::records::Export {
    labtriage_ledger::records::Export {
        digest: "e1".to_owned(),
        plain_digest: None,
        file: "recalls.csv".to_owned(),
        practice: "G85001".to_owned(),
        recipient: "practice".to_owned(),
        who: "A".to_owned(),
        profile: "generic".to_owned(),
        plan: None,
        patients: vec![patient("1"), patient("2")],
    }
}

/// Entries of [`filled`].
const FILLED: i64 = 13;

#[track_caller]
fn check(spoil: &str, expected: &str) {
    on_both(&format!("spoilt_{}", std::panic::Location::caller().line()), |place| {
        let mut ledger = filled(place);
        let verified = ledger.verify(None).unwrap();
        assert_eq!((verified.head.seq, verified.dropped, verified.present), (FILLED, 0, 7));
        drop(ledger);
        place.raw(spoil);
        let error = place.open().verify(None).unwrap_err();
        assert_eq!(error.to_string(), expected, "{spoil}");
    });
}

#[test]
fn every_change_of_an_entry_is_found() {
    let changed = |seq| format!("entry {seq} was changed, or the one before it was rewritten together with its digest");
    check("UPDATE entry SET body = replace(body, 'waiting', 'reported') WHERE seq = 2", &changed(2));
    check("UPDATE entry SET at = at - 1 WHERE seq = 7", &changed(7));
    check("UPDATE entry SET subject = '24A2' WHERE seq = 8", &changed(8));
    check("UPDATE entry SET kind = 'query' WHERE seq = 1", &changed(1));
    check("UPDATE entry SET body_digest = body, body = NULL WHERE seq = 4", &changed(4));
    check(
        "UPDATE entry SET digest = body_digest WHERE FALSE; UPDATE entry SET body = NULL WHERE seq = 13",
        &changed(13),
    );
    check("DELETE FROM entry WHERE seq = 3", "entry 3 is missing");
    check("DELETE FROM entry WHERE seq <= 3", "entry 1 is missing");
    check(
        "DELETE FROM entry WHERE seq = 13",
        "the last entry should be 13, but it is 12: the end was changed or cut off",
    );
    check(
        "INSERT INTO entry SELECT 14, at, kind, subject, body, body_digest, digest FROM entry WHERE seq = 13",
        "entry 13 was inserted",
    );
    check(
        "UPDATE entry SET digest = '00' WHERE seq IN (4, 5)",
        "entry 4 does not follow from the one before: one of the two was rewritten, or others between them were taken out",
    );
}

/// Bodies of these entries are blanked by hand, with the right digest in the place of each, after a vacuum of what was
/// recorded before a moment.
#[track_caller]
fn check_blanked(test: &str, vacuumed_before: Option<i32>, blanked: &[i64], expected: &str) {
    on_both(&format!("blanked_{test}"), |place| {
        let mut ledger = filled(place);
        if let Some(before) = vacuumed_before {
            ledger.vacuum(at(before), at(100), "A").unwrap();
        }
        let saved = place.path("saved.jsonl");
        ledger.backup(&saved).unwrap();
        let saved = fs::read_to_string(&saved).unwrap();
        for seq in blanked {
            let row: Vec<serde_json::Value> =
                serde_json::from_str(saved.lines().nth(usize::try_from(*seq).unwrap()).unwrap()).unwrap();
            let digest: String = Sha256::digest(row[4].as_str().unwrap()).iter().map(|b| format!("{b:02x}")).collect();
            place.raw(&format!("UPDATE entry SET body = NULL, body_digest = '{digest}' WHERE seq = {seq}"));
        }
        let found =
            |result: Result<(), LedgerError>| result.map_or_else(|error| error.to_string(), |()| "holds".to_owned());
        assert_eq!(found(ledger.verify(None).map(drop)), expected);
        // What cannot be restored is not saved.
        assert_eq!(found(ledger.backup(&place.path("again.jsonl")).map(drop)), expected);
    });
}

#[test]
fn a_body_that_was_blanked_by_hand_is_found() {
    let gone = |seq, kind: &str| format!("the body of entry {seq} is gone, a {kind} record: no vacuum has dropped it");
    check_blanked("none", Some(1000), &[], "holds");
    check_blanked("run", None, &[1], &gone(1, "run"));
    check_blanked("authorisation", Some(1000), &[6], &gone(6, "authorisation"));
    check_blanked("export", Some(1000), &[13], &gone(13, "export"));
    // Of a kind that a vacuum drops, but there was none, or only an earlier one, or it has dropped fewer.
    check_blanked("query", None, &[10], &gone(10, "query"));
    check_blanked("later", Some(5), &[10], &gone(10, "query"));
    check_blanked("more", Some(5), &[3], "3 bodies are gone, but the vacuums have dropped 2");
}

#[test]
fn every_change_of_the_present_state_is_found() {
    let follows = |what: &str, seq| format!("the present state of {what} does not follow from entry {seq}");
    check("UPDATE present SET state = 'reported' WHERE subject = '24A2'", &follows("sample 24A2", 3));
    check("UPDATE present SET requester = 'G85999' WHERE subject = '24A2'", &follows("sample 24A2", 3));
    check("UPDATE present SET patient = 'x' WHERE subject = 'N1'", &follows("notice N1", 11));
    check("UPDATE present SET seq = 2 WHERE subject = '24A1'", &follows("sample 24A1", 8));
    check("UPDATE present SET seq = 2 WHERE subject = '24A2'", &follows("sample 24A2", 3));
    check("DELETE FROM present WHERE subject = '24A3'", &follows("sample 24A3", 4));
    check(
        "INSERT INTO present SELECT kind, '24A9', seq, state, request, patient, requester FROM present WHERE subject = '24A2'",
        &follows("sample 24A9", 3),
    );
    let differ = "the patients named by export entry 13 differ from the index of patients";
    check("DELETE FROM named WHERE patient = 'pseudo-1'", differ);
    check("INSERT INTO named VALUES ('pseudo-3', 13)", differ);
}

#[test]
fn an_anchor_shows_what_was_cut_off_or_rewritten() {
    let place = file();
    let mut ledger = filled(&place);
    let anchor = ledger.head().unwrap();
    assert!(ledger.verify(Some(anchor.clone())).is_ok());
    let other = file();
    let mut rewritten = other.create();
    record(&mut rewritten, 0, |writer| writer.samples([sample("24A1")])).unwrap();
    assert!(rewritten.verify(None).is_ok());
    assert_eq!(rewritten.verify(Some(anchor)).unwrap_err().code(), Code::Changed);
    let first = Head { seq: 1, digest: "00".to_owned() };
    assert!(rewritten.verify(Some(first)).unwrap_err().to_string().starts_with("entry 1 is not the one"));
}

/// Where a backup is restored to: the other kind of database where both are there.
fn restored(place: &Place, file: &std::path::Path) -> (Place, Result<Verified, LedgerError>) {
    let other = crate::common::other(place);
    let verified = restore(file, &other.address);
    (other, verified)
}

#[test]
fn a_backup_comes_back_in_either_database() {
    on_both("backup", |place| {
        let mut ledger = filled(place);
        let saved = place.path("saved.jsonl");
        let head = ledger.backup(&saved).unwrap();
        assert_eq!(head, ledger.head().unwrap());
        // What is recorded after the backup is not in it.
        record(&mut ledger, 30, |writer| writer.samples([sample("24A7")])).unwrap();
        let (other, verified) = restored(place, &saved);
        assert_eq!(verified.unwrap(), Verified { head, dropped: 0, present: 7 });
        let mut back = other.open();
        assert_eq!(back.sample("24A7").unwrap(), None);
        assert_eq!(back.sample("24A3").unwrap(), ledger.sample("24A3").unwrap());
        assert_eq!(back.notice("N1").unwrap(), ledger.notice("N1").unwrap());
        assert_eq!(back.exports_naming(&patient("2")).unwrap(), ledger.exports_naming(&patient("2")).unwrap());
        record(&mut back, 40, |writer| writer.samples([sample("24A8")])).unwrap();
        back.verify(None).unwrap();
        let again = back.backup(&place.path("again.jsonl")).unwrap();
        assert_eq!(again, back.head().unwrap());
        assert_eq!(restore(&saved, &other.address).unwrap_err().code(), Code::NotEmpty);
        assert_eq!(
            fs::read_dir(place.folder.path()).unwrap().filter(|found| hidden(found.as_ref().unwrap())).count(),
            0
        );
    });
}

fn hidden(found: &fs::DirEntry) -> bool {
    found.file_name().to_string_lossy().starts_with(".labtriage-")
}

#[test]
fn a_spoilt_backup_is_refused_and_leaves_nothing() {
    on_both("spoilt_backup", |place| {
        let saved = place.path("saved.jsonl");
        filled(place).backup(&saved).unwrap();
        let whole = fs::read_to_string(&saved).unwrap();
        let lines: Vec<&str> = whole.lines().collect();
        let without = |gone: usize| {
            let kept = lines.iter().enumerate().filter(|(at, _)| *at != gone);
            kept.map(|(_, line)| format!("{line}\n")).collect::<String>()
        };
        let (other, _) = (crate::common::other(place), ());
        for (spoilt, code) in [
            (whole.replacen("waiting", "reported", 1), Code::Changed),
            (without(5), Code::Changed),
            (without(lines.len() - 1), Code::Dump),
            (without(0), Code::Dump),
            (whole[..whole.len() / 2].to_owned(), Code::Dump),
            (format!("{whole}{{}}\n"), Code::Dump),
            (String::new(), Code::Dump),
            ("{\"labtriage_ledger\":2}\n".to_owned(), Code::Dump),
        ] {
            fs::write(&saved, spoilt).unwrap();
            assert_eq!(restore(&saved, &other.address).unwrap_err().code(), code);
        }
        fs::write(&saved, &whole).unwrap();
        restore(&saved, &other.address).unwrap();
    });
}

#[test]
fn a_broken_ledger_is_not_saved() {
    let place = file();
    drop(filled(&place));
    place.raw("UPDATE entry SET at = 0 WHERE seq = 2");
    let saved = place.path("saved.jsonl");
    assert_eq!(place.open().backup(&saved).unwrap_err().code(), Code::Changed);
    assert!(!saved.exists());
}

#[test]
fn a_vacuum_forgets_only_what_was_replaced() {
    on_both("vacuum", |place| {
        let mut ledger = filled(place);
        let before = ledger.head().unwrap();
        assert_eq!(ledger.vacuum(at(0), at(90), "A").unwrap().dropped, 0);
        // Replaced: 24A1 twice, 24A3 and N1 once; and the query.
        assert_eq!(ledger.vacuum(at(1000), at(100), "A").unwrap(), Vacuum { dropped: 5, room_kept: None });
        let verified = ledger.verify(Some(before)).unwrap();
        assert_eq!((verified.head.seq, verified.dropped, verified.present), (FILLED + 2, 5, 7));
        let history = ledger.history::<Sample>("24A1").unwrap();
        assert_eq!(history.iter().map(|known| known.record.is_some()).collect::<Vec<_>>(), [false, false, true]);
        assert_eq!(ledger.notice("N1").unwrap().unwrap().record.state, NoticeState::Booked);
        assert_eq!(ledger.exports_naming(&patient("1")).unwrap().len(), 1);
        assert_eq!(ledger.history::<Vacuumed>("").unwrap()[1].record.as_ref().unwrap().dropped, 5);
        let said = ledger.history::<labtriage_ledger::records::Authorisation>("24A3").unwrap();
        assert!(said[0].record.is_some(), "an authorisation was forgotten");
        assert_eq!(ledger.vacuum(at(1000), at(110), "A").unwrap().dropped, 0);

        let saved = place.path("saved.jsonl");
        ledger.backup(&saved).unwrap();
        let (other, verified) = restored(place, &saved);
        assert_eq!(verified.unwrap().dropped, 5);
        assert_eq!(other.open().sample("24A1").unwrap(), ledger.sample("24A1").unwrap());
    });
}

#[test]
fn a_vacuum_says_when_a_reader_keeps_what_was_forgotten_in_the_file() {
    let place = file();
    let mut ledger = filled(&place);
    let reader = place.reader();
    let vacuum = ledger.vacuum(at(1000), at(100), "A").unwrap();
    assert_eq!((vacuum.dropped, vacuum.room_kept.map(|why| why.code())), (5, Some(Code::Locked)));
    drop(reader);
    assert_eq!(ledger.vacuum(at(1000), at(110), "A").unwrap().room_kept, None);
}

#[test]
fn a_backup_runs_while_another_program_writes() {
    on_both("while_writing", |place| {
        let mut ledger = filled(place);
        let mut other = place.open();
        let head = ledger.head().unwrap();
        record(&mut ledger, 30, |writer| {
            writer.samples((0..1000).map(|number| sample(&format!("24B{number}"))))?;
            assert_eq!(other.backup(&place.path("saved.jsonl")).unwrap(), head);
            assert_eq!(other.verify(None).unwrap().head, head);
            Ok(())
        })
        .unwrap();
        assert_eq!(other.head().unwrap().seq, FILLED + 1000);
        assert_eq!(other.address(), &place.address);
        assert!(matches!(place.address, Address::File(_)) != place.is_postgres());
    });
}
