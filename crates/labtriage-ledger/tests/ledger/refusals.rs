//! Is it said clearly why a ledger cannot be used?

use std::fs;

use labtriage_ledger::{Address, Code, Ledger, LedgerError};

use crate::common::{Place, file, on_both, record, sample, server};

#[track_caller]
fn check(found: Result<Ledger, LedgerError>, code: Code, words: &str) {
    let error = found.err().unwrap();
    assert_eq!(error.code(), code, "{error}");
    assert!(error.to_string().contains(words), "{error}");
    assert!(!error.hint().is_empty());
}

#[test]
fn what_is_no_ledger_is_said_so() {
    let place = file();
    let there = |name: &str| Address::File(place.path(name));
    check(Ledger::open(&there("none")), Code::Missing, "there is no ledger at");
    check(Ledger::open(&Address::File(place.folder.path().to_owned())), Code::NotALedger, "a folder");
    fs::write(place.path("text"), "accession,tests\n".repeat(100)).unwrap();
    check(Ledger::open(&there("text")), Code::NotALedger, "not a SQLite file");
    check(Ledger::create(&there("text")), Code::NotALedger, "not a SQLite file");
    fs::write(place.path("empty"), "").unwrap();
    check(Ledger::open(&there("empty")), Code::NotALedger, "an empty database");
    check(Ledger::create(&there("no/such/folder")), Code::ReadOnly, "cannot be written");
    place.raw_new("CREATE TABLE people (id BIGINT)");
    check(Ledger::open(&place.address), Code::NotALedger, "other tables");
    check(Ledger::create(&place.address), Code::NotALedger, "other tables");
}

#[test]
fn a_newer_ledger_is_left_alone() {
    on_both("newer", |place| {
        drop(place.create());
        place.raw("UPDATE _sqlx_migrations SET version = 999");
        check(Ledger::open(&place.address), Code::Newer, "has schema 999, this version knows schemas up to 1");
        check(Ledger::create(&place.address), Code::Newer, "schema 999");
    });
}

#[test]
fn a_second_writer_waits_and_is_refused_in_the_end() {
    on_both("second_writer", |place: &Place| {
        let mut ledger = place.create();
        let mut other = place.open();
        let error = record(&mut ledger, 0, |writer| {
            writer.samples([sample("24A1")])?;
            // A reader is never kept out.
            assert_eq!(other.sample("24A1").unwrap(), None);
            Ok(record(&mut other, 0, |writer| writer.samples([sample("24A2")])).unwrap_err())
        })
        .unwrap();
        assert_eq!(error.code(), Code::Locked, "{error}");
        record(&mut other, 1, |writer| writer.samples([sample("24A2")])).unwrap();
        assert_eq!(ledger.verify(None).unwrap().head.seq, 2);
    });
}

#[test]
fn a_server_that_is_not_there_is_named_without_its_password() {
    let address = Address::parse("postgres://lab:hidden@127.0.0.1:1/lab").unwrap();
    check(Ledger::open(&address), Code::Unreachable, "postgres://127.0.0.1:1/lab cannot be reached");
    let error = Ledger::open(&address).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hidden"));
    if let Some(server) = server() {
        let place = server.split('?').next().unwrap().rsplit_once('/').unwrap().0.to_owned();
        let address = Address::parse(&format!("{place}/no_such_database")).unwrap();
        check(Ledger::open(&address), Code::Unreachable, "there is no such database");
    }
}
