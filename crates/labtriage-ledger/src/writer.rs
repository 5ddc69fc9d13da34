//! How is something recorded? In one transaction, entry and present state together.

use std::collections::BTreeMap;

use labtriage_core::nhs;
use labtriage_core::time::Instant;
use sqlx::SqlStr;

use crate::entry::{Entry, Head, Projected};
use crate::error::LedgerError;
use crate::records::{CODES, Figures, Keys, Kind, Override, Published, Query, Record, Run, Sample};
use crate::states::OverrideState;
use crate::store::{Open, own_sql, places};

/// Entries written with one statement. Few: SQLite looks each numbered value up among all of its
/// statement, so a statement ten times as long takes a hundred times as long.
const BATCH: usize = 50;

const ENTRY_COLUMNS: usize = 7;
const PRESENT_COLUMNS: usize = 7;

/// Records things, all of them or none. Got from [`crate::Ledger::write`].
pub struct Writer<'a> {
    pub(crate) open: Open<'a>,
    at: Instant,
    head: Head,
    pending: Vec<(Entry, Projected)>,
    /// The statements of a full batch, which is nearly always the one that is written.
    full: (SqlStr, SqlStr, SqlStr),
}

impl<'a> Writer<'a> {
    pub(crate) fn new(open: Open<'a>, head: Head, at: Instant) -> Self {
        let present = |same| own_sql(present_sql(BATCH, same));
        let full = (own_sql(entry_sql(BATCH)), present(false), present(true));
        Self { open, at, head, pending: Vec::new(), full }
    }

    /// The moment at which everything here is recorded.
    pub const fn at(&self) -> Instant {
        self.at
    }

    /// The last entry so far: before anything is recorded here, the one that was there when this writer began. It
    /// tells whether what was read before is still true.
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// Records a planning run. Returns whether it is new: the same run is recorded once, and the
    /// caller leaves everything else of the night as it is.
    ///
    /// # Errors
    /// Those of the database.
    pub fn run(&mut self, run: &Run) -> Result<bool, LedgerError> {
        if self.known(Kind::Run, &run.digest)? {
            return Ok(false);
        }
        self.record(run)?;
        Ok(true)
    }

    /// Records that people work by a plan from now on.
    ///
    /// # Errors
    /// [`LedgerError::Unknown`] when its run is not recorded, and those of the database.
    pub fn published(&mut self, plan: &Published) -> Result<(), LedgerError> {
        if !self.known(Kind::Run, &plan.run)? {
            return Err(LedgerError::Unknown { what: "run", name: plan.run.clone() });
        }
        self.record(plan)
    }

    /// Records the figures of a night.
    ///
    /// # Errors
    /// Those of the database.
    pub fn figures(&mut self, figures: &Figures) -> Result<(), LedgerError> {
        self.record(figures)
    }

    /// Records that somebody asked.
    ///
    /// # Errors
    /// [`LedgerError::Identity`] when the question holds an NHS number, and those of the database.
    pub fn query(&mut self, query: &Query) -> Result<(), LedgerError> {
        self.record(query)
    }

    /// Records a person's decision about planning, in force from now on.
    ///
    /// # Errors
    /// [`LedgerError::Contradiction`] when an override of this number is there, has no reason or no
    /// user, or is over already; [`LedgerError::Identity`], and those of the database.
    pub fn set_override(&mut self, decided: &Override) -> Result<(), LedgerError> {
        for (key, code) in decided.details.iter().filter(|(key, _)| CODES.contains(&key.as_str())) {
            let column = if key == "request" { "request" } else { "subject" };
            // What reads as an NHS number is one, unless a sample of that number is known.
            if nhs::holds(code) && self.by_key::<Sample>(column, code)?.is_empty() {
                return Err(LedgerError::Identity { kind: Kind::Override.text(), subject: decided.id.clone() });
            }
        }
        let wrong = if decided.who.trim().is_empty() || decided.why.trim().is_empty() {
            Some("an override needs a named user and a reason")
        } else if decided.state != OverrideState::InForce || decided.until <= self.at {
            Some("the override is over before it begins")
        } else if self.known(Kind::Override, &decided.id)? {
            Some("an override of this number is there already")
        } else {
            None
        };
        match wrong {
            Some(what) => Err(LedgerError::Contradiction { subject: format!("override {}", decided.id), what }),
            None => self.record(decided),
        }
    }

    /// Ends an override; returns it as it was. `how` says by whom and why.
    ///
    /// # Errors
    /// [`LedgerError::Unknown`] when none of this number is in force, and those of the database.
    pub fn end_override(&mut self, id: &str, how: &str) -> Result<Override, LedgerError> {
        let before: Option<Override> = self.latest(id)?;
        let Some(before) = before.filter(|before| before.state == OverrideState::InForce) else {
            return Err(LedgerError::Unknown { what: "override in force", name: id.to_owned() });
        };
        let ended = Override { state: OverrideState::Ended, ended: Some(how.to_owned()), ..before.clone() };
        self.record(&ended)?;
        Ok(before)
    }

    /// Ends every override whose time is over; returns them in order of number.
    ///
    /// # Errors
    /// Those of the database.
    pub fn end_overrides_that_ran_out(&mut self) -> Result<Vec<Override>, LedgerError> {
        let at = self.at;
        let mut over: Vec<Override> = self.in_state(OverrideState::InForce.text())?;
        over.retain(|decided| decided.until <= at);
        over.sort_by(|a, b| a.id.cmp(&b.id));
        for decided in &over {
            self.end_override(&decided.id, "its time was over")?;
        }
        Ok(over)
    }

    /// Appends an entry; it is written with the next full batch.
    pub(crate) fn record<R: Record>(&mut self, record: &R) -> Result<(), LedgerError> {
        self.record_body(record, body_of(record)?, None)
    }

    /// The same, with a body that was put together before, and the record as it was where that is known.
    pub(crate) fn record_body<R: Record>(
        &mut self,
        record: &R,
        body: String,
        was: Option<&R>,
    ) -> Result<(), LedgerError> {
        let texts = record.free_texts().into_iter();
        if texts.chain(record.patients().iter().map(|patient| patient.expose())).any(nhs::holds) {
            return Err(LedgerError::Identity { kind: R::KIND.text(), subject: record.subject().to_owned() });
        }
        let at = i64::from(self.at.epoch_minutes());
        let entry = Entry::after(&self.head, at, R::KIND, record.subject().to_owned(), body);
        let mut projected = Projected::of(record);
        projected.same_keys = was.is_some_and(|was| was.keys() == projected.keys);
        self.push(entry, projected)
    }

    /// Appends an entry that follows the last one.
    pub(crate) fn push(&mut self, entry: Entry, projected: Projected) -> Result<(), LedgerError> {
        self.head = entry.head();
        self.pending.push((entry, projected));
        if self.pending.len() >= BATCH { self.flush() } else { Ok(()) }
    }

    /// Writes what is pending, so that statements see it.
    pub(crate) fn flush(&mut self) -> Result<(), LedgerError> {
        let batch = std::mem::take(&mut self.pending);
        if batch.is_empty() {
            return Ok(());
        }
        let sql = if batch.len() == BATCH { self.full.0.clone() } else { own_sql(entry_sql(batch.len())) };
        self.write_present(&batch)?;
        self.write_named(&batch)?;
        self.open.run(async |connection| {
            let mut insert = sqlx::query(sql);
            for (entry, _) in batch {
                let body = entry.body.text().map(str::to_owned);
                let dropped = body.is_none().then(|| entry.body.digest());
                insert = insert.bind(entry.seq).bind(entry.at).bind(entry.kind).bind(entry.subject);
                insert = insert.bind(body).bind(dropped).bind(entry.digest);
            }
            insert.execute(connection).await
        })?;
        Ok(())
    }

    /// The latest entry of each subject takes the place of the one before. A dropped body has no
    /// keys, and always a successor that has.
    fn write_present(&mut self, batch: &[(Entry, Projected)]) -> Result<(), LedgerError> {
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
            let whole = rows.len() == BATCH;
            let sql = match same {
                false if whole => self.full.1.clone(),
                true if whole => self.full.2.clone(),
                _ => own_sql(present_sql(rows.len(), same)),
            };
            self.open.run(async |connection| {
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

    fn write_named(&mut self, batch: &[(Entry, Projected)]) -> Result<(), LedgerError> {
        for (entry, projected) in batch {
            for part in projected.named.chunks(BATCH) {
                let rows: Vec<_> = (0..part.len()).map(|row| format!("({})", places(2 * row + 1, 2))).collect();
                let sql = format!(
                    "INSERT INTO named (patient, seq) VALUES {} ON CONFLICT (patient, seq) DO NOTHING",
                    rows.join(", ")
                );
                self.open.run(async |connection| {
                    let insert = part.iter().fold(sqlx::query(own_sql(sql)), |insert, patient| {
                        insert.bind(patient.as_str()).bind(entry.seq)
                    });
                    insert.execute(connection).await
                })?;
            }
        }
        Ok(())
    }

    /// Writes what is left, and notes the last entry.
    pub(crate) fn settle(&mut self) -> Result<(), LedgerError> {
        self.flush()?;
        let Head { seq, digest } = self.head.clone();
        self.open.run(async |connection| {
            let note = sqlx::query("UPDATE head SET seq = $1, digest = $2 WHERE one = 1").bind(seq).bind(digest);
            note.execute(connection).await
        })?;
        Ok(())
    }

    /// Everything stands.
    pub(crate) fn finish(mut self) -> Result<(), LedgerError> {
        self.settle()?;
        self.open.commit()
    }
}

/// The canonical body of a record: its fields in the order of its type, what is missing left out.
pub(crate) fn body_of<R: Record>(record: &R) -> Result<String, LedgerError> {
    serde_json::to_string(record).map_err(|_| LedgerError::Contradiction {
        subject: format!("{} {}", R::KIND.text(), record.subject()),
        what: "the record cannot be written as JSON",
    })
}

fn entry_sql(rows: usize) -> String {
    let rows = value_rows(rows, ENTRY_COLUMNS);
    format!("INSERT INTO entry (seq, at, kind, subject, body, body_digest, digest) VALUES {rows}")
}

/// With the same keys only the number of the entry is set: SQLite writes every index anew of which a column is set, be
/// it to what it was.
fn present_sql(rows: usize, same_keys: bool) -> String {
    let rows = value_rows(rows, PRESENT_COLUMNS);
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

fn value_rows(rows: usize, columns: usize) -> String {
    let rows: Vec<_> = (0..rows).map(|row| format!("({})", places(row * columns + 1, columns))).collect();
    rows.join(", ")
}
