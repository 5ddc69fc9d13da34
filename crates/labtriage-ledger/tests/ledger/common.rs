//! A ledger of each kind for every test, and records to put into it.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

use labtriage_core::time::Instant;
use labtriage_ledger::records::{
    Authorisation, Collected, Decision, Discard, HistoryStep, Line, Notice, Published, RecallAction, Run, Sample,
    Wanted,
};
use labtriage_ledger::states::{LineState, NoticeState, SampleState};
use labtriage_ledger::{Address, Ledger, LedgerError, OwnedPseudonym, Writer};
use sqlx::Connection;

/// The variable that names a PostgreSQL server for tests.
const POSTGRES: &str = "LABTRIAGE_TEST_POSTGRES";

/// A place for a ledger, empty at first.
pub(crate) struct Place {
    pub(crate) address: Address,
    /// As the database library takes it, to look behind the ledger's back.
    url: String,
    /// Where files of the test may go.
    pub(crate) folder: tempfile::TempDir,
}

impl Place {
    fn file() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("lab.ledger");
        Self { url: format!("sqlite://{}", file.display()), address: Address::File(file), folder }
    }

    /// A schema of its own on the server, which is left there: the gate counts them.
    fn on_server(server: &str, test: &str) -> Self {
        let schema = format!("labtriage_test_{test}_{}", std::process::id());
        let place = Self {
            url: server.to_owned(),
            address: Address::parse(server).unwrap(),
            folder: tempfile::tempdir().unwrap(),
        };
        place.raw(&format!("CREATE SCHEMA {schema}"));
        let separator = if server.contains('?') { '&' } else { '?' };
        let url = format!("{server}{separator}options=-c%20search_path%3D{schema}");
        Self { address: Address::parse(&url).unwrap(), url, ..place }
    }

    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self.address, Address::Postgres(_))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn create(&self) -> Ledger {
        Ledger::create(&self.address).unwrap()
    }

    pub(crate) fn open(&self) -> Ledger {
        Ledger::open(&self.address).unwrap()
    }

    /// Runs statements where no ledger is yet.
    pub(crate) fn raw_new(&self, sql: &str) {
        Self {
            url: format!("{}?mode=rwc", self.url),
            address: self.address.clone(),
            folder: tempfile::tempdir().unwrap(),
        }
        .raw(sql);
    }

    /// While it is there, somebody reads the ledger as it is now.
    pub(crate) fn reader(&self) -> (tokio::runtime::Runtime, sqlx::AnyConnection) {
        sqlx::any::install_default_drivers();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let connection = runtime.block_on(async {
            let mut connection = sqlx::AnyConnection::connect(&self.url).await.unwrap();
            sqlx::raw_sql("BEGIN; SELECT COUNT(*) FROM entry").execute(&mut connection).await.unwrap();
            connection
        });
        (runtime, connection)
    }

    /// Runs statements behind the ledger's back.
    pub(crate) fn raw(&self, sql: &str) {
        sqlx::any::install_default_drivers();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut connection = sqlx::AnyConnection::connect(&self.url).await.unwrap();
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        });
    }
}

/// A place of the other kind, where a server is named; else a new file.
pub(crate) fn other(place: &Place) -> Place {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    match server() {
        Some(server) if !place.is_postgres() => {
            Place::on_server(&server, &format!("other_{}", COUNT.fetch_add(1, Ordering::Relaxed)))
        }
        _ => Place::file(),
    }
}

/// Runs a test with a SQLite ledger, and with a PostgreSQL one where a server is named.
pub(crate) fn on_both(test: &str, check: impl Fn(&Place)) {
    check(&Place::file());
    match server() {
        Some(server) => check(&Place::on_server(&server, test)),
        None => say_once(),
    }
}

/// A SQLite place, for what does not depend on the database.
pub(crate) fn file() -> Place {
    Place::file()
}

pub(crate) fn server() -> Option<String> {
    std::env::var(POSTGRES).ok().filter(|server| !server.is_empty())
}

fn say_once() {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        // Straight to stderr: what tests print is only shown when they fail.
        let _ = writeln!(
            std::io::stderr(),
            "LEFT OUT: the ledger was not tested on PostgreSQL, as {POSTGRES} names no server"
        );
    });
}

pub(crate) fn at(minutes: i32) -> Instant {
    Instant::from_epoch_minutes(29_000_000 + minutes)
}

pub(crate) fn record<T>(
    ledger: &mut Ledger,
    minutes: i32,
    work: impl FnOnce(&mut Writer<'_>) -> Result<T, LedgerError>,
) -> Result<T, LedgerError> {
    ledger.write(at(minutes), work)
}

pub(crate) fn patient(name: &str) -> OwnedPseudonym {
    OwnedPseudonym::new(format!("pseudo-{name}"))
}

/// A waiting sample of request `RQ…`, patient `pseudo-…`, practice `G8…`, with two lines.
pub(crate) fn sample(accession: &str) -> Sample {
    let number = &accession[3..];
    Sample {
        accession: accession.to_owned(),
        request: format!("RQ{number}"),
        patient: patient(number),
        requester: "G85001".to_owned(),
        specimen: "serum".to_owned(),
        site: "KCH".to_owned(),
        band: "soon".to_owned(),
        state: SampleState::Waiting,
        irreplaceable: false,
        received: Some(at(-600)),
        because: None,
        lines: vec![Line::new("K", LineState::Waiting), Line::new("TSH", LineState::Waiting)],
        discard: None,
    }
}

pub(crate) fn with_lines(mut sample: Sample, state: SampleState, lines: LineState) -> Sample {
    sample.state = state;
    for line in &mut sample.lines {
        line.state = lines;
    }
    sample
}

/// A sample proposed for discard, to be kept until a moment.
pub(crate) fn proposed(accession: &str, keep_until: i32) -> Sample {
    let discard = Discard {
        id: format!("D-{accession}"),
        run: "run-1".to_owned(),
        container: "SST".to_owned(),
        collected: Collected { at: at(-6000), assumed: false },
        history: vec![HistoryStep { from: at(-6000), state: "primary ambient".to_owned() }],
        limit: None,
        expired: Some(at(keep_until - 2880)),
        keep_until: Some(at(keep_until)),
        proposed: at(0),
        reason_code: "EX".to_owned(),
        reason: "every line has expired".to_owned(),
        proposed_by: "system".to_owned(),
        override_id: None,
        recall: RecallAction::Required,
        decided_by: None,
        second: None,
        decided: None,
        decided_because: None,
        notified: None,
        notified_via: None,
        disposed: None,
        disposed_by: None,
        report_issued: false,
    };
    let sample = with_lines(sample(accession), SampleState::DiscardProposed, LineState::Recalled);
    Sample { discard: Some(Box::new(discard)), ..sample }
}

pub(crate) fn decision(accession: &str, decision: Decision, who: &str, second: Option<&str>) -> Authorisation {
    Authorisation {
        accession: accession.to_owned(),
        discard: String::new(),
        decision,
        who: who.to_owned(),
        second: second.map(str::to_owned),
        why: (decision == Decision::Reject).then(|| "there is still enough".to_owned()),
    }
}

pub(crate) fn run(digest: &str) -> Run {
    Run {
        digest: digest.to_owned(),
        now: at(0),
        inputs: vec![("backlog.csv".to_owned(), "ab".repeat(32))],
        options: vec![("gap".to_owned(), "0.1".to_owned())],
        version: "0.1.0".to_owned(),
        cost: 1000,
        bound: Some(990),
        stop: "gap".to_owned(),
        samples: 2,
        lines: 4,
        quarantined: 0,
    }
}

pub(crate) fn published(run: &str) -> Published {
    Published { run: run.to_owned(), plan: "cd".repeat(32), folder: format!("plans/{run}") }
}

/// A notice for the patient of a sample, about its test `K`.
pub(crate) fn notice(id: &str, accession: &str) -> Notice {
    let of = sample(accession);
    let wanted = Wanted { accession: accession.to_owned(), test: "K".to_owned(), specimen: "serum".to_owned() };
    Notice {
        id: id.to_owned(),
        patient: of.patient,
        requester: of.requester,
        band: of.band,
        wanted: vec![wanted],
        book_by: Some(at(9000)),
        visit: None,
        point: None,
        reason: "the tube has expired before it could be tested".to_owned(),
        state: NoticeState::Open,
        answer: None,
    }
}
