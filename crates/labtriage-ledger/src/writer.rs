//! How is something recorded? In one transaction, entry and present state together.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use labtriage_core::nhs;
use labtriage_core::time::Instant;

use crate::entry::{Entry, Head, Projected};
use crate::error::LedgerError;
use crate::records::{CODES, Figures, Kind, Override, Published, Query, Record, Run, Sample};
use crate::scribe::{BATCH, Batch, Scribe, Shared, own};
use crate::states::OverrideState;
use crate::store::Open;

/// Records things, all of them or none. Got from [`crate::Ledger::write`].
pub struct Writer<'a> {
    open: Shared<'a>,
    scribe: Scribe,
    at: Instant,
    head: Head,
    pending: Batch,
}

impl<'a> Writer<'a> {
    /// Records what `work` does in an open transaction; then everything stands, or, when anything fails, nothing.
    pub(crate) fn write<T, E: From<LedgerError>>(
        open: Open<'a>,
        head: Head,
        at: Instant,
        work: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let open = Arc::new(Mutex::new(open));
        let given = std::thread::scope(|scope| {
            let scribe = Scribe::start(scope, Arc::clone(&open));
            let mut writer = Self { open: Arc::clone(&open), scribe, at, head, pending: Vec::new() };
            let given = work(&mut writer)?;
            writer.settle()?;
            Ok::<_, E>(given)
        })?;
        let Some(open) = Arc::into_inner(open) else {
            let subject = "transaction".to_owned();
            return Err(LedgerError::Contradiction { subject, what: "it is still in use" }.into());
        };
        open.into_inner().unwrap_or_else(PoisonError::into_inner).commit()?;
        Ok(given)
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
        if self.pending.len() >= BATCH { self.hand_over() } else { Ok(()) }
    }

    /// Has what is pending written, and waits until it is, so that statements see it.
    pub(crate) fn flush(&mut self) -> Result<(), LedgerError> {
        self.hand_over()?;
        self.scribe.wait()
    }

    /// Has what is pending written meanwhile.
    fn hand_over(&mut self) -> Result<(), LedgerError> {
        self.scribe.write(std::mem::take(&mut self.pending))
    }

    /// The transaction, to run statements in.
    pub(crate) fn open(&self) -> MutexGuard<'_, Open<'a>> {
        own(&self.open)
    }

    /// Writes what is left, and notes the last entry.
    pub(crate) fn settle(&mut self) -> Result<(), LedgerError> {
        self.flush()?;
        let Head { seq, digest } = self.head.clone();
        self.open().run(async |connection| {
            let note = sqlx::query("UPDATE head SET seq = $1, digest = $2 WHERE one = 1").bind(seq).bind(digest);
            note.execute(connection).await
        })?;
        Ok(())
    }
}

/// The canonical body of a record: its fields in the order of its type, what is missing left out.
pub(crate) fn body_of<R: Record>(record: &R) -> Result<String, LedgerError> {
    serde_json::to_string(record).map_err(|_| LedgerError::Contradiction {
        subject: format!("{} {}", R::KIND.text(), record.subject()),
        what: "the record cannot be written as JSON",
    })
}
