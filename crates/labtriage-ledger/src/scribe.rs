//! Who writes entries while the next ones are put together? A thread beside, within the same transaction.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::Scope;

use sqlx::SqlStr;

use crate::entry::{Entry, Projected};
use crate::error::LedgerError;
use crate::records::{Keys, Kind};
use crate::store::{Open, Places, own_sql};

/// Entries written with one statement; samples come in a few times as many.
pub(crate) const BATCH: usize = 250;

/// Batches that wait to be written, at the most.
const WAITING: usize = 8;

const ENTRY_COLUMNS: usize = 7;
const PRESENT_COLUMNS: usize = 7;

/// Entries in their order, each with what the projections keep of it.
pub(crate) type Batch = Vec<(Entry, Projected)>;

/// An open transaction that a writer and its scribe use in turn.
pub(crate) type Shared<'a> = Arc<Mutex<Open<'a>>>;

/// The transaction, for oneself until the guard is dropped.
pub(crate) fn own<'s, 'a>(shared: &'s Shared<'a>) -> MutexGuard<'s, Open<'a>> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The end of a scribe's work that its writer holds; dropped, the scribe stops.
pub(crate) struct Scribe {
    batches: SyncSender<Batch>,
    written: Receiver<Result<(), LedgerError>>,
    /// Batches of which the scribe has not yet said what became of them.
    unheard: usize,
    /// What went wrong, once it was heard: nothing is written after it.
    failed: Option<LedgerError>,
}

impl Scribe {
    /// A scribe that writes into a transaction, in a thread of its own.
    pub(crate) fn start<'scope, 'a: 'scope>(scope: &'scope Scope<'scope, '_>, shared: Shared<'a>) -> Self {
        let (batches, given) = sync_channel::<Batch>(WAITING);
        // It never waits to be heard.
        let (tell, written) = std::sync::mpsc::channel();
        scope.spawn(move || {
            let statements = Statements::new(own(&shared).places());
            for batch in given {
                let result = statements.write(&mut own(&shared), &batch);
                // After some errors SQLite rolls back by itself: what came after them would stand alone.
                let failed = result.is_err();
                if tell.send(result).is_err() || failed {
                    return;
                }
            }
        });
        Self { batches, written, unheard: 0, failed: None }
    }

    /// Has a batch written after those before. What failed meanwhile is said here, or when [`Scribe::wait`] is called.
    pub(crate) fn write(&mut self, batch: Batch) -> Result<(), LedgerError> {
        while let Ok(result) = self.written.try_recv() {
            self.hear(result);
        }
        self.failed.clone().map_or(Ok(()), Err)?;
        if !batch.is_empty() && self.batches.send(batch).is_ok() {
            self.unheard += 1;
        }
        Ok(())
    }

    /// Waits until all is written.
    pub(crate) fn wait(&mut self) -> Result<(), LedgerError> {
        while self.unheard > 0 && self.failed.is_none() {
            // The scribe ends only after its writer; should it panic, that is passed on where its thread is joined.
            let Ok(result) = self.written.recv() else { break };
            self.hear(result);
        }
        self.failed.clone().map_or(Ok(()), Err)
    }

    fn hear(&mut self, result: Result<(), LedgerError>) {
        self.unheard -= 1;
        self.failed = self.failed.take().or(result.err());
    }
}

/// What is written with, and the statements of a full batch once there is one: nearly always that is written.
struct Statements {
    places: Places,
    entries: OnceCell<SqlStr>,
    /// Present states whose keys may be others, and those whose keys are the same.
    present: [OnceCell<SqlStr>; 2],
}

impl Statements {
    fn new(places: Places) -> Self {
        Self { places, entries: OnceCell::new(), present: [OnceCell::new(), OnceCell::new()] }
    }

    fn entries(&self, rows: usize) -> SqlStr {
        full(&self.entries, rows, || entry_sql(&self.places.rows(rows, ENTRY_COLUMNS)))
    }

    fn present(&self, rows: usize, same_keys: bool) -> SqlStr {
        let sql = || present_sql(&self.places.rows(rows, PRESENT_COLUMNS), same_keys);
        full(&self.present[usize::from(same_keys)], rows, sql)
    }

    fn write(&self, open: &mut Open<'_>, batch: &[(Entry, Projected)]) -> Result<(), LedgerError> {
        self.write_present(open, batch)?;
        self.write_named(open, batch)?;
        let sql = self.entries(batch.len());
        open.run(async |connection| {
            let mut insert = sqlx::query(sql);
            for (entry, _) in batch {
                let body = entry.body.text();
                let dropped = body.is_none().then(|| entry.body.digest());
                insert = insert.bind(entry.seq).bind(entry.at).bind(&entry.kind).bind(&entry.subject);
                insert = insert.bind(body).bind(dropped).bind(&entry.digest);
            }
            insert.execute(connection).await
        })?;
        Ok(())
    }

    /// The latest entry of each subject takes the place of the one before. A dropped body has no
    /// keys, and always a successor that has.
    fn write_present(&self, open: &mut Open<'_>, batch: &[(Entry, Projected)]) -> Result<(), LedgerError> {
        let present = batch.iter().filter(|(entry, _)| {
            entry.body.text().is_some() && Kind::from_text(&entry.kind).is_some_and(Kind::has_present)
        });
        let mut latest: BTreeMap<(&str, &str), (i64, &Keys, bool)> = BTreeMap::new();
        for (entry, projected) in present {
            let subject = (entry.kind.as_str(), entry.subject.as_str());
            let same = projected.same_keys && latest.get(&subject).is_none_or(|(.., same)| *same);
            latest.insert(subject, (entry.seq, &projected.keys, same));
        }
        for same in [false, true] {
            let rows: Vec<_> = latest.iter().filter(|(_, (.., other))| *other == same).collect();
            if rows.is_empty() {
                continue;
            }
            let sql = self.present(rows.len(), same);
            open.run(async |connection| {
                let mut upsert = sqlx::query(sql);
                for ((kind, subject), (seq, keys, _)) in rows {
                    upsert = upsert.bind(*kind).bind(*subject).bind(*seq).bind(keys.state);
                    upsert = upsert.bind(&keys.request).bind(&keys.patient).bind(&keys.requester);
                }
                upsert.execute(connection).await
            })?;
        }
        Ok(())
    }

    fn write_named(&self, open: &mut Open<'_>, batch: &[(Entry, Projected)]) -> Result<(), LedgerError> {
        for (entry, projected) in batch {
            for part in projected.named.chunks(BATCH) {
                let rows = self.places.rows(part.len(), 2);
                let sql =
                    format!("INSERT INTO named (patient, seq) VALUES {rows} ON CONFLICT (patient, seq) DO NOTHING");
                open.run(async |connection| {
                    let insert = part.iter().fold(sqlx::query(own_sql(sql)), |insert, patient| {
                        insert.bind(patient.as_str()).bind(entry.seq)
                    });
                    insert.execute(connection).await
                })?;
            }
        }
        Ok(())
    }
}

/// A statement of so many rows; that of a full batch is put together once.
fn full(known: &OnceCell<SqlStr>, rows: usize, sql: impl Fn() -> String) -> SqlStr {
    let fresh = || own_sql(sql());
    if rows == BATCH { known.get_or_init(fresh).clone() } else { fresh() }
}

fn entry_sql(rows: &str) -> String {
    format!("INSERT INTO entry (seq, at, kind, subject, body, body_digest, digest) VALUES {rows}")
}

/// With the same keys only the number of the entry is set: SQLite writes every index anew of which a column is set, be
/// it to what it was.
fn present_sql(rows: &str, same_keys: bool) -> String {
    let keys = if same_keys {
        ""
    } else {
        ", state = excluded.state, request = excluded.request, patient = excluded.patient, \
         requester = excluded.requester"
    };
    format!(
        "INSERT INTO present (kind, subject, seq, state, request, patient, requester) VALUES {rows} \
         ON CONFLICT (kind, subject) DO UPDATE SET seq = excluded.seq{keys}"
    )
}
