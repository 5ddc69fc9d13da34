//! How is the database reached? Connecting, the schema, transactions, and what its errors mean.
//!
//! One code path for SQLite and PostgreSQL: all statements are written for both, and what differs
//! (how to connect, how to lock, how to read one state of things) stands in this file.

use std::future::Future;
use std::path::Path;
use std::sync::LazyLock;

use sqlx::any::{AnyConnectOptions, AnyRow};
use sqlx::migrate::Migrator;
use sqlx::{Any, AnyConnection, ConnectOptions, Connection, Row, SqlStr, Transaction};
use tokio::runtime::Runtime;

use crate::address::Address;
use crate::entry::{Body, Entry, Head};
use crate::error::LedgerError;

/// The schema, step by step; one for both databases.
static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// The database library keeps one list of drivers per process.
static DRIVERS: LazyLock<()> = LazyLock::new(sqlx::any::install_default_drivers);

/// SQLite: every commit survives a loss of power, and a big night finds room in memory (in KiB).
const SQLITE_SETTINGS: [&str; 3] =
    ["PRAGMA synchronous = FULL", "PRAGMA cache_size = -131072", "PRAGMA busy_timeout = 5000"];

/// PostgreSQL: as long as SQLite waits for another writer, no notices on stderr, and a statement planned anew each time:
/// a plan that was kept from when a table was empty reads the whole of it for every batch of a night.
const POSTGRES_SETTINGS: [&str; 3] =
    ["SET lock_timeout = '5s'", "SET client_min_messages = 'warning'", "SET plan_cache_mode = 'force_custom_plan'"];

/// A connection, with the small runtime that serves it.
pub(crate) struct Store {
    pub(crate) runtime: Runtime,
    pub(crate) connection: AnyConnection,
    pub(crate) address: Address,
}

impl Store {
    /// Connects to a ledger; makes one when asked to and nothing is there.
    pub(crate) fn open(address: &Address, create: bool) -> Result<Self, LedgerError> {
        LazyLock::force(&DRIVERS);
        if let Address::File(path) = address {
            look(path, address, create)?;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
            LedgerError::Unreachable { address: address.to_string(), what: error.kind().to_string() }
        })?;
        let connection = runtime.block_on(connect(address, create)).map_err(|error| failure(address, &error))?;
        let mut store = Self { runtime, connection, address: address.clone() };
        store.prepare(create)?;
        Ok(store)
    }

    /// Checks what is there, and brings its schema up to date.
    fn prepare(&mut self, create: bool) -> Result<(), LedgerError> {
        let postgres = self.address.is_postgres();
        for setting in if postgres { &POSTGRES_SETTINGS[..] } else { &SQLITE_SETTINGS } {
            self.run(async |connection| sqlx::raw_sql(*setting).execute(connection).await.map(drop))?;
        }
        let tables = self.tables()?;
        let address = self.address.to_string();
        let has = |name: &str| tables.iter().any(|table| table == name);
        // A program that was killed while it made a ledger leaves nothing, or the list of steps of the schema.
        let begun = tables.iter().all(|table| table == "_sqlx_migrations");
        if has("entry") && has("head") && has("_sqlx_migrations") {
            self.known_schema()?;
        } else if has("entry") || has("head") || !(begun || postgres) {
            return Err(LedgerError::NotALedger { address, found: "a database with other tables" });
        } else if !create {
            return Err(LedgerError::NotALedger { address, found: "an empty database" });
        } else if !postgres {
            self.run(async |connection| {
                sqlx::raw_sql("PRAGMA journal_mode = WAL").execute(connection).await.map(drop)
            })?;
        }
        self.migrate()
    }

    fn tables(&mut self) -> Result<Vec<String>, LedgerError> {
        let sql = if self.address.is_postgres() {
            "SELECT CAST(table_name AS TEXT) FROM information_schema.tables WHERE table_schema = current_schema()"
        } else {
            "SELECT name FROM sqlite_master WHERE type = 'table'"
        };
        self.run(async |connection| {
            let rows = sqlx::query(sql).fetch_all(connection).await?;
            rows.iter().map(|row| row.try_get(0)).collect()
        })
    }

    fn known_schema(&mut self) -> Result<(), LedgerError> {
        let found = self.schema()?;
        let known = newest_schema();
        if found > known {
            return Err(LedgerError::Newer { address: self.address.to_string(), found, known });
        }
        Ok(())
    }

    fn schema(&mut self) -> Result<i64, LedgerError> {
        self.run(async |connection| {
            let row = sqlx::query("SELECT MAX(version) FROM _sqlx_migrations").fetch_one(connection).await?;
            Ok(row.try_get::<Option<i64>, _>(0)?.unwrap_or(0))
        })
    }

    fn migrate(&mut self) -> Result<(), LedgerError> {
        let up_to_date = self.tables()?.iter().any(|table| table == "_sqlx_migrations");
        if up_to_date && self.schema()? == newest_schema() {
            return Ok(());
        }
        let Self { runtime, connection, address } = self;
        runtime.block_on(MIGRATIONS.run(connection)).map_err(|error| match error {
            sqlx::migrate::MigrateError::Execute(error) | sqlx::migrate::MigrateError::ExecuteMigration(error, _) => {
                failure(address, &error)
            }
            other => LedgerError::Damaged { address: address.to_string(), what: other.to_string() },
        })
    }

    /// Runs statements on the connection.
    pub(crate) fn run<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut AnyConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, LedgerError> {
        let Self { runtime, connection, address } = self;
        runtime.block_on(work(connection)).map_err(|error| failure(address, &error))
    }

    /// Frees the room of bodies that were dropped. SQLite builds the file anew, without what was forgotten, and then
    /// takes it over, which a reader can keep it from; PostgreSQL keeps the room for later entries.
    pub(crate) fn free_room(&mut self) -> Result<(), LedgerError> {
        let postgres = self.address.is_postgres();
        let sql = if postgres { "VACUUM entry" } else { "VACUUM" };
        self.run(async |connection| sqlx::raw_sql(sql).execute(connection).await.map(drop))?;
        if postgres {
            return Ok(());
        }
        let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
        let kept: i64 = self.run(async |connection| sqlx::query(checkpoint).fetch_one(connection).await?.try_get(0))?;
        if kept == 0 { Ok(()) } else { Err(LedgerError::Locked { address: self.address.to_string() }) }
    }

    /// Begins to read one state of things, whatever others write meanwhile.
    pub(crate) fn reading(&mut self) -> Result<Open<'_>, LedgerError> {
        let begin =
            if self.address.is_postgres() { "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" } else { "BEGIN" };
        let Self { runtime, connection, address } = self;
        let transaction = wait(runtime, address, connection.begin_with(begin))?;
        Ok(Open { runtime, address, transaction })
    }

    /// Begins to write: waits for other writers, then locks them out until the end.
    pub(crate) fn writing(&mut self) -> Result<(Open<'_>, Head), LedgerError> {
        let Self { runtime, connection, address } = self;
        let transaction = wait(runtime, address, connection.begin())?;
        let mut open = Open { runtime, address, transaction };
        // A write comes first: SQLite then never has to turn a reader into a writer.
        open.run(async |connection| sqlx::query("UPDATE head SET seq = seq WHERE one = 1").execute(connection).await)?;
        let head = open.head()?;
        Ok((open, head))
    }
}

/// An open transaction; dropped, it is rolled back.
pub(crate) struct Open<'a> {
    runtime: &'a Runtime,
    address: &'a Address,
    transaction: Transaction<'a, Any>,
}

impl Open<'_> {
    /// Runs statements within the transaction.
    pub(crate) fn run<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut AnyConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, LedgerError> {
        let Self { runtime, address, transaction } = self;
        runtime.block_on(work(transaction)).map_err(|error| failure(address, &error))
    }

    /// How a statement names values row by row.
    pub(crate) fn places(&self) -> Places {
        Places { numbered: self.address.is_postgres() }
    }

    /// The ledger's note of its last entry.
    pub(crate) fn head(&mut self) -> Result<Head, LedgerError> {
        self.run(async |connection| {
            let row = sqlx::query("SELECT seq, digest FROM head WHERE one = 1").fetch_one(connection).await?;
            Ok(Head { seq: row.try_get(0)?, digest: row.try_get(1)? })
        })
    }

    /// Everything stands, or nothing.
    pub(crate) fn commit(self) -> Result<(), LedgerError> {
        wait(self.runtime, self.address, self.transaction.commit())
    }
}

/// An entry from the columns `seq, at, kind, subject, body, body_digest, digest`.
pub(crate) fn entry_of(row: &AnyRow) -> Result<Entry, sqlx::Error> {
    let body: Option<String> = row.try_get(4)?;
    let dropped: Option<String> = row.try_get(5)?;
    Ok(Entry {
        seq: row.try_get(0)?,
        at: row.try_get(1)?,
        kind: row.try_get(2)?,
        subject: row.try_get(3)?,
        body: body.map_or_else(|| Body::Dropped(dropped.unwrap_or_default()), Body::Kept),
        digest: row.try_get(6)?,
    })
}

fn newest_schema() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0)
}

async fn connect(address: &Address, create: bool) -> Result<AnyConnection, sqlx::Error> {
    let url = address.url(create).map_err(|error| sqlx::Error::Configuration(error.into()))?;
    // Statements are logged without their values, but nobody asked for a log at all.
    let options: AnyConnectOptions = url.parse()?;
    options.disable_statement_logging().connect().await
}

fn wait<T>(
    runtime: &Runtime,
    address: &Address,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, LedgerError> {
    runtime.block_on(work).map_err(|error| failure(address, &error))
}

/// What a file at the address is, before SQLite is asked.
fn look(path: &Path, address: &Address, create: bool) -> Result<(), LedgerError> {
    let address = address.to_string();
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(LedgerError::NotALedger { address, found: "a folder" }),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && create => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(LedgerError::Missing { address }),
        Err(_) => Err(LedgerError::ReadOnly { address }),
    }
}

/// What an error of the database means for its user.
pub(crate) fn failure(address: &Address, error: &sqlx::Error) -> LedgerError {
    let place = address.to_string();
    match error {
        sqlx::Error::Database(said) => {
            let code = said.code().unwrap_or_default().into_owned();
            if address.is_postgres() { of_postgres(place, code) } else { of_sqlite(place, code) }
        }
        sqlx::Error::Configuration(_) => LedgerError::BadAddress("cannot be read as a URL"),
        sqlx::Error::Io(error) => LedgerError::Unreachable { address: place, what: error.kind().to_string() },
        sqlx::Error::Tls(_) => LedgerError::Unreachable { address: place, what: "no secure connection".to_owned() },
        sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => {
            LedgerError::Unreachable { address: place, what: "the connection broke".to_owned() }
        }
        sqlx::Error::RowNotFound => LedgerError::Damaged { address: place, what: "a row is missing".to_owned() },
        _ => LedgerError::Damaged { address: place, what: "a row has another shape than expected".to_owned() },
    }
}

/// Result codes of SQLite (sqlite.org/rescode.html); the low byte is the primary one.
fn of_sqlite(address: String, code: String) -> LedgerError {
    match code.parse::<u32>().map(|code| code & 0xff) {
        Ok(5 | 6) => LedgerError::Locked { address },
        Ok(3 | 8 | 14 | 23) => LedgerError::ReadOnly { address },
        Ok(13) => LedgerError::Full { address },
        Ok(26) => LedgerError::NotALedger { address, found: "not a SQLite file" },
        Ok(10) => LedgerError::Damaged { address, what: "the disk does not read or write".to_owned() },
        Ok(11) => LedgerError::Damaged { address, what: "a page of the file is malformed".to_owned() },
        _ => LedgerError::Backend { address, code },
    }
}

/// Error codes of PostgreSQL (appendix A of its manual).
fn of_postgres(address: String, code: String) -> LedgerError {
    let unreachable = |address, what: &str| LedgerError::Unreachable { address, what: what.to_owned() };
    match code.as_str() {
        "55P03" | "40001" | "40P01" => LedgerError::Locked { address },
        "25006" | "42501" => LedgerError::ReadOnly { address },
        "53100" => LedgerError::Full { address },
        "28000" | "28P01" => unreachable(address, "user or password are refused"),
        "3D000" => unreachable(address, "there is no such database"),
        "53300" => unreachable(address, "the server has too many connections"),
        code if code.starts_with("08") || code.starts_with("57P") => unreachable(address, "the connection broke"),
        code if code.starts_with("XX") => LedgerError::Damaged { address, what: "a page or index".to_owned() },
        _ => LedgerError::Backend { address, code },
    }
}

/// A statement put together from our own texts only; values are always bound.
pub(crate) fn own_sql(sql: String) -> SqlStr {
    use sqlx::SqlSafeStr;
    sqlx::AssertSqlSafe(sql).into_sql_str()
}

/// The places of values in a statement of many rows. SQLite looks each number up among all of its statement, and
/// PostgreSQL knows no others.
#[derive(Clone, Copy)]
pub(crate) struct Places {
    numbered: bool,
}

impl Places {
    /// `(…), (…), …` for so many rows of so many values.
    pub(crate) fn rows(self, rows: usize, columns: usize) -> String {
        let row = |row: usize| match self.numbered {
            true => format!("({})", places(row * columns + 1, columns)),
            false => format!("({})", vec!["?"; columns].join(", ")),
        };
        (0..rows).map(row).collect::<Vec<_>>().join(", ")
    }
}

/// `$1, $2, …` for so many values, from a number on.
pub(crate) fn places(from: usize, count: usize) -> String {
    (from..from + count).map(|place| format!("${place}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    #[track_caller]
    fn check(found: &LedgerError, expected: Code) {
        assert_eq!(found.code(), expected, "{found}");
    }

    #[test]
    fn codes_of_both_databases_are_understood() {
        let sqlite = |code: &str| of_sqlite("lab.ledger".to_owned(), code.to_owned());
        check(&sqlite("5"), Code::Locked);
        check(&sqlite("517"), Code::Locked);
        check(&sqlite("8"), Code::ReadOnly);
        check(&sqlite("1544"), Code::ReadOnly);
        check(&sqlite("14"), Code::ReadOnly);
        check(&sqlite("13"), Code::Full);
        check(&sqlite("26"), Code::NotALedger);
        check(&sqlite("11"), Code::Damaged);
        check(&sqlite("10"), Code::Damaged);
        check(&sqlite("1555"), Code::Backend);
        let postgres = |code: &str| of_postgres("postgres://db/lab".to_owned(), code.to_owned());
        check(&postgres("55P03"), Code::Locked);
        check(&postgres("25006"), Code::ReadOnly);
        check(&postgres("42501"), Code::ReadOnly);
        check(&postgres("53100"), Code::Full);
        check(&postgres("28P01"), Code::Unreachable);
        check(&postgres("57P01"), Code::Unreachable);
        check(&postgres("3D000"), Code::Unreachable);
        check(&postgres("XX001"), Code::Damaged);
        check(&postgres("23505"), Code::Backend);
    }

    /// A ledger on which SQLite then has a limit, and what writing 2,000 queries to it gives.
    fn limited(limit: &'static str) -> (tempfile::TempDir, LedgerError) {
        use crate::records::Query;
        let folder = tempfile::tempdir().unwrap();
        let address = Address::File(folder.path().join("lab.ledger"));
        let mut ledger = crate::Ledger { store: Store::open(&address, true).unwrap() };
        ledger.store.run(async |connection| sqlx::raw_sql(limit).execute(connection).await.map(drop)).unwrap();
        let query = Query { who: "A".to_owned(), sample: None, request: None, patient: None, practice: None, found: 0 };
        let at = labtriage_core::time::Instant::from_epoch_minutes(0);
        let failed = ledger.write(at, |writer| (0..2000).try_for_each(|_| writer.query(&query)));
        drop(ledger);
        let mut again = crate::Ledger::open(&address).unwrap();
        assert_eq!(again.verify(None).unwrap().head.seq, 0);
        again.write(at, |writer| writer.query(&query)).unwrap();
        (folder, failed.unwrap_err())
    }

    #[test]
    fn a_full_disk_and_a_read_only_file_are_said_so_and_spoil_nothing() {
        check(&limited("PRAGMA max_page_count = 40").1, Code::Full);
        check(&limited("PRAGMA query_only = 1").1, Code::ReadOnly);
    }
}
