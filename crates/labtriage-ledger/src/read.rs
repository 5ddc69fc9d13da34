//! What does the ledger know? Every question that has an answer in it.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::TryStreamExt;
use labtriage_core::time::Instant;
use sqlx::Row;

use crate::Ledger;
use crate::error::LedgerError;
use crate::pseudonym::OwnedPseudonym;
use crate::records::{Codes, Counted, Export, Figures, Notice, Override, Published, Record, Run, Sample};
use crate::rows::{PRESENT, known, known_or_dropped, present_sql, unreadable};
use crate::states::{NoticeState, OverrideState, SampleState};
use crate::store::own_sql;

/// A record, with the number and moment of its entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Known<R> {
    /// The number of its entry.
    pub seq: i64,
    /// When it was recorded.
    pub at: Instant,
    /// What it says.
    pub record: R,
}

impl<R> Known<Option<R>> {
    /// The same, unless `vacuum` has dropped what it said.
    pub fn kept(self) -> Option<Known<R>> {
        let Self { seq, at, record } = self;
        Some(Known { seq, at, record: record? })
    }
}

/// What samples to look for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Lookup {
    /// The one of an accession number.
    Sample(String),
    /// All of a request.
    Request(String),
    /// All of a patient, also under the pseudonyms before and after a rotation.
    Patient(OwnedPseudonym),
    /// All of a practice or ward: ODS code.
    Practice(String),
    /// All in a state.
    State(SampleState),
}

/// A night that was recorded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Night {
    /// Its run.
    pub run: Known<Run>,
    /// Its figures, where it has recorded them.
    pub figures: Option<Figures>,
}

const HISTORY: &str = "SELECT seq, at, body FROM entry WHERE kind = $1 AND subject = $2 ORDER BY seq";

impl Ledger {
    /// Samples as they are now, in order of their last entry. With `within`, only those of that
    /// practice: what belongs to another one is as if it were not there.
    ///
    /// # Errors
    /// Those of the database.
    pub fn samples(&mut self, lookup: &Lookup, within: Option<&str>) -> Result<Vec<Known<Sample>>, LedgerError> {
        let mut samples = match lookup {
            Lookup::Sample(accession) => self.present("subject", accession),
            Lookup::Request(code) => self.present("request", code),
            Lookup::Patient(pseudonym) => self.present_of(pseudonym),
            Lookup::Practice(ods) => self.present("requester", ods),
            Lookup::State(state) => self.present("state", state.text()),
        }?;
        samples.retain(|known: &Known<Sample>| within.is_none_or(|practice| known.record.requester == practice));
        Ok(samples)
    }

    /// Samples in a state whose last entry is of this moment or later, in order of that entry.
    ///
    /// # Errors
    /// Those of the database.
    pub fn samples_since(&mut self, state: SampleState, since: Instant) -> Result<Vec<Known<Sample>>, LedgerError> {
        let sql = own_sql(format!("{PRESENT} p.kind = 'sample' AND p.state = $1 AND e.at >= $2 ORDER BY e.seq"));
        let rows = self.store.run(async |connection| {
            sqlx::query(sql).bind(state.text()).bind(since.epoch_minutes()).fetch_all(connection).await
        })?;
        rows.iter().map(known).collect()
    }

    /// A sample as it is now.
    ///
    /// # Errors
    /// Those of the database.
    pub fn sample(&mut self, accession: &str) -> Result<Option<Known<Sample>>, LedgerError> {
        Ok(self.samples(&Lookup::Sample(accession.to_owned()), None)?.pop())
    }

    /// Every sample as it is now, one after the other, in order of their last entry.
    ///
    /// # Errors
    /// Those of the database, and the first one that `each` gives.
    pub fn each_sample<E: From<LedgerError>>(
        &mut self,
        mut each: impl FnMut(Known<Sample>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut failed = None;
        self.store.run(async |connection| {
            let sql = own_sql(format!("{PRESENT} p.kind = 'sample' ORDER BY e.seq"));
            let mut rows = sqlx::query(sql).fetch(connection);
            while let Some(row) = rows.try_next().await? {
                let given = known(&row).map_err(E::from).and_then(&mut each);
                if let Err(error) = given {
                    failed = Some(error);
                    break;
                }
            }
            Ok(())
        })?;
        failed.map_or(Ok(()), Err)
    }

    /// Shows accession and request of every sample in one of these states, without reading what else is known of it.
    ///
    /// # Errors
    /// Those of the database.
    pub fn each_in(&mut self, states: &[SampleState], mut each: impl FnMut(&str, &str)) -> Result<(), LedgerError> {
        let states: Vec<String> = states.iter().map(|state| format!("'{}'", state.text())).collect();
        let sql = "SELECT subject, request FROM present WHERE kind = 'sample' AND state IN";
        let sql = own_sql(format!("{sql} ({})", states.join(", ")));
        self.store.run(async |connection| {
            let mut rows = sqlx::query(sql).fetch(connection);
            while let Some(row) = rows.try_next().await? {
                let (accession, request): (String, String) = (row.try_get(0)?, row.try_get(1)?);
                each(&accession, &request);
            }
            Ok(())
        })
    }

    /// What is counted of every sample as it is now, one after the other, in no order.
    ///
    /// # Errors
    /// Those of the database.
    pub fn each_counted(&mut self, mut each: impl FnMut(Counted<'_>)) -> Result<(), LedgerError> {
        let sql = "SELECT e.seq, e.body FROM present p JOIN entry e ON e.seq = p.seq WHERE p.kind = 'sample'";
        let mut failed = None;
        self.store.run(async |connection| {
            let mut rows = sqlx::query(sql).fetch(connection);
            while let Some(row) = rows.try_next().await? {
                let body: &str = row.try_get(1)?;
                match serde_json::from_str(body) {
                    Ok(counted) => each(counted),
                    Err(_) => {
                        failed = Some(unreadable(row.try_get(0)?));
                        break;
                    }
                }
            }
            Ok(())
        })?;
        failed.map_or(Ok(()), Err)
    }

    /// What was recorded of a subject, in order; where `vacuum` has dropped a body, the moment only.
    ///
    /// # Errors
    /// Those of the database.
    pub fn history<R: Record>(&mut self, subject: &str) -> Result<Vec<Known<Option<R>>>, LedgerError> {
        let rows = self.store.run(async |connection| {
            sqlx::query(HISTORY).bind(R::KIND.text()).bind(subject.to_owned()).fetch_all(connection).await
        })?;
        rows.iter().map(known_or_dropped).collect()
    }

    /// Everything that was recorded of a kind, in order; where `vacuum` has dropped a body, the moment only.
    /// All of them are held at once: it is for kinds that have few. Of a kind without present states the whole ledger is
    /// read once.
    ///
    /// # Errors
    /// Those of the database.
    pub fn entries<R: Record>(&mut self) -> Result<Vec<Known<Option<R>>>, LedgerError> {
        // By way of their subjects, of which there is an index: most of a ledger is of other kinds.
        let sql = if R::KIND.has_present() {
            "SELECT e.seq, e.at, e.body FROM present p JOIN entry e ON e.kind = p.kind AND e.subject = p.subject \
             WHERE p.kind = $1 ORDER BY e.seq"
        } else {
            "SELECT seq, at, body FROM entry WHERE kind = $1 ORDER BY seq"
        };
        let rows =
            self.store.run(async |connection| sqlx::query(sql).bind(R::KIND.text()).fetch_all(connection).await)?;
        rows.iter().map(known_or_dropped).collect()
    }

    /// How many samples are in each state.
    ///
    /// # Errors
    /// Those of the database.
    pub fn counts(&mut self) -> Result<BTreeMap<String, i64>, LedgerError> {
        self.store.run(async |connection| {
            let sql = "SELECT state, COUNT(*) FROM present WHERE kind = 'sample' GROUP BY state";
            let rows = sqlx::query(sql).fetch_all(connection).await?;
            rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
        })
    }

    /// The run of a digest.
    ///
    /// # Errors
    /// Those of the database.
    pub fn run(&mut self, digest: &str) -> Result<Option<Known<Run>>, LedgerError> {
        Ok(self.present("subject", digest)?.pop())
    }

    /// All runs, the oldest first.
    ///
    /// # Errors
    /// Those of the database.
    pub fn runs(&mut self) -> Result<Vec<Known<Run>>, LedgerError> {
        self.all()
    }

    /// The plan that people work by.
    ///
    /// # Errors
    /// Those of the database.
    pub fn published(&mut self) -> Result<Option<Known<Published>>, LedgerError> {
        Ok(self.all()?.pop())
    }

    /// All nights with their figures, the oldest first.
    ///
    /// # Errors
    /// Those of the database.
    pub fn nights(&mut self) -> Result<Vec<Night>, LedgerError> {
        let mut nights = Vec::new();
        for run in self.runs()? {
            // A night is recorded once, so its figures are there at most once.
            let figures = self.history::<Figures>(&run.record.digest)?.pop().and_then(|known| known.record);
            nights.push(Night { run, figures });
        }
        Ok(nights)
    }

    /// What the configuration of the last night with figures says of the codes in the ledger, if it says so.
    ///
    /// # Errors
    /// Those of the database.
    pub fn codes(&mut self) -> Result<Option<Codes>, LedgerError> {
        for run in self.runs()?.iter().rev() {
            let figures = self.history::<Figures>(&run.record.digest)?.pop().and_then(|known| known.record);
            if let Some(figures) = figures {
                return Ok(figures.codes);
            }
        }
        Ok(None)
    }

    /// Overrides in a state, in order of their last entry.
    ///
    /// # Errors
    /// Those of the database.
    pub fn overrides(&mut self, state: OverrideState) -> Result<Vec<Known<Override>>, LedgerError> {
        self.present("state", state.text())
    }

    /// Recall notices in a state, in order of their last entry; with `within`, only those of that practice.
    ///
    /// # Errors
    /// Those of the database.
    pub fn notices(&mut self, state: NoticeState, within: Option<&str>) -> Result<Vec<Known<Notice>>, LedgerError> {
        let mut notices = self.present("state", state.text())?;
        notices.retain(|known: &Known<Notice>| within.is_none_or(|practice| known.record.requester == practice));
        Ok(notices)
    }

    /// The recall notice of a number.
    ///
    /// # Errors
    /// Those of the database.
    pub fn notice(&mut self, id: &str) -> Result<Option<Known<Notice>>, LedgerError> {
        Ok(self.present("subject", id)?.pop())
    }

    /// All recall notices of a patient, also under the pseudonyms before and after a rotation, in order of their last
    /// entry.
    ///
    /// # Errors
    /// Those of the database.
    pub fn notices_of(&mut self, patient: &OwnedPseudonym) -> Result<Vec<Known<Notice>>, LedgerError> {
        self.present_of(patient)
    }

    /// The exports of a file, by its digest before or after encryption.
    ///
    /// # Errors
    /// Those of the database.
    pub fn exports_of_file(&mut self, digest: &str) -> Result<Vec<Known<Export>>, LedgerError> {
        let locked: Vec<Known<Export>> = self.present("request", digest)?;
        let left: BTreeSet<String> = locked.into_iter().map(|known| known.record.digest).collect();
        let mut found = Vec::new();
        // The same file may have left more than once; its present state is the last time.
        for digest in left.iter().map(String::as_str).chain([digest].into_iter().filter(|one| !left.contains(*one))) {
            found.extend(self.history::<Export>(digest)?.into_iter().filter_map(Known::kept));
        }
        found.sort_by_key(|known| known.seq);
        Ok(found)
    }

    /// The exports that name a patient, also by the pseudonyms before and after a rotation, the oldest first.
    ///
    /// # Errors
    /// Those of the database.
    pub fn exports_naming(&mut self, patient: &OwnedPseudonym) -> Result<Vec<Known<Export>>, LedgerError> {
        let sql = "SELECT e.seq, e.at, e.body FROM named n JOIN entry e ON e.seq = n.seq \
                   WHERE n.patient = $1 ORDER BY e.seq";
        let mut exports = Vec::new();
        for name in self.names(&[patient])?.of(patient) {
            let name = name.expose().to_owned();
            let rows = self.store.run(async |connection| sqlx::query(sql).bind(name).fetch_all(connection).await)?;
            exports.extend(rows.iter().map(known).collect::<Result<Vec<Known<Export>>, _>>()?);
        }
        exports.sort_by_key(|known| known.seq);
        exports.dedup_by_key(|known| known.seq);
        Ok(exports)
    }

    /// Whether a word names a sample, request, recall notice or practice of another requester than this one, or a
    /// patient: what a practice may not read. A request code that both have used is this one's too.
    ///
    /// # Errors
    /// Those of the database.
    pub fn is_anothers(&mut self, word: &str, practice: &str) -> Result<bool, LedgerError> {
        let sql = "SELECT p.kind FROM present p WHERE p.patient = $1 \
                   OR (p.requester = $1 AND p.requester <> $2) \
                   OR (p.kind IN ('sample', 'notice') AND p.subject = $1 AND p.requester <> $2) \
                   OR (p.kind = 'sample' AND p.request = $1 AND p.requester <> $2 AND NOT EXISTS \
                   (SELECT 1 FROM present o WHERE o.kind || '' = 'sample' AND o.request = $1 AND o.requester || '' = $2)) LIMIT 1";
        let (word, practice) = (word.to_owned(), practice.to_owned());
        self.store.run(async |connection| {
            Ok(sqlx::query(sql).bind(word).bind(practice).fetch_optional(connection).await?.is_some())
        })
    }

    /// All exports, the oldest first: a file that left twice is there twice.
    ///
    /// # Errors
    /// Those of the database.
    pub fn exports(&mut self) -> Result<Vec<Known<Export>>, LedgerError> {
        Ok(self.entries()?.into_iter().filter_map(Known::kept).collect())
    }

    /// Present states of a kind, by one of the keys.
    fn present<R: Record>(&mut self, column: &'static str, value: &str) -> Result<Vec<Known<R>>, LedgerError> {
        let (sql, value) = (present_sql(column), value.to_owned());
        let (mut found, mut failed) = (Vec::new(), None);
        // One row after the other: a row of the database takes much more room than the record.
        self.store.run(async |connection| {
            let mut rows = sqlx::query(sql).bind(R::KIND.text()).bind(value).fetch(connection);
            while let Some(row) = rows.try_next().await? {
                match known(&row) {
                    Ok(record) => found.push(record),
                    Err(error) => {
                        failed = Some(error);
                        break;
                    }
                }
            }
            Ok(())
        })?;
        failed.map_or(Ok(found), Err)
    }

    /// Present states of a kind that are a patient's, in order of their last entry.
    fn present_of<R: Record>(&mut self, patient: &OwnedPseudonym) -> Result<Vec<Known<R>>, LedgerError> {
        let mut found = Vec::new();
        for name in self.names(&[patient])?.of(patient) {
            found.extend(self.present("patient", name.expose())?);
        }
        found.sort_by_key(|known: &Known<R>| known.seq);
        Ok(found)
    }

    fn all<R: Record>(&mut self) -> Result<Vec<Known<R>>, LedgerError> {
        let sql = own_sql(format!("{PRESENT} p.kind = $1 ORDER BY e.seq"));
        let rows =
            self.store.run(async |connection| sqlx::query(sql).bind(R::KIND.text()).fetch_all(connection).await)?;
        rows.iter().map(known).collect()
    }
}
