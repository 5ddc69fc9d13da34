//! How is a ledger verified? Every entry is read; the present state is compared with what follows from it.

use std::collections::BTreeSet;

use futures_util::TryStreamExt;
use sqlx::Row;

use crate::Ledger;
use crate::entry::{Head, Projected};
use crate::error::LedgerError;
use crate::records::Kind;
use crate::store::{Open, entry_of, own_sql};
use crate::verify::{Chain, Fault, Verified};

pub(crate) const ENTRIES: &str = "SELECT seq, at, kind, subject, body, body_digest, digest FROM entry ORDER BY seq";

impl Ledger {
    /// Checks the whole chain, and the present state against it, while others may write. The anchor is
    /// the head of an earlier time, as it was written down elsewhere.
    ///
    /// # Errors
    /// [`LedgerError::Fault`] names the first entry that does not hold; and those of the database.
    pub fn verify(&mut self, anchor: Option<Head>) -> Result<Verified, LedgerError> {
        verified(&mut self.store.reading()?, anchor)
    }
}

/// The same, within a transaction.
pub(crate) fn verified(open: &mut Open<'_>, anchor: Option<Head>) -> Result<Verified, LedgerError> {
    let head = open.head()?;
    let mut chain = Chain::new(anchor);
    let exports = entries(open, &mut chain)?;
    let dropped = chain.finish(&head)?;
    latest(open)?;
    let present = keys(open)?;
    named(open, exports)?;
    Ok(Verified { head, dropped, present })
}

/// Follows the chain; returns whom each export names.
fn entries(open: &mut Open<'_>, chain: &mut Chain) -> Result<Vec<(i64, Vec<String>)>, LedgerError> {
    let mut exports = Vec::new();
    let fault = open.run(async |connection| {
        let mut rows = sqlx::query(ENTRIES).fetch(connection);
        while let Some(row) = rows.try_next().await? {
            let entry = entry_of(&row)?;
            if let Err(fault) = chain.next(&entry) {
                return Ok(Some(fault));
            }
            if entry.kind == Kind::Export.text() {
                let body = entry.body.text();
                match body.map(|body| Projected::of_body(Kind::Export, body)) {
                    Some(Ok(projected)) => exports.push((entry.seq, projected.named)),
                    // A spoilt entry is named as such, once its successor has been seen.
                    _ if chain.suspects() => {}
                    _ => return Ok(Some(Fault::Unreadable { seq: entry.seq, kind: entry.kind })),
                }
            }
        }
        Ok(None)
    })?;
    fault.map_or(Ok(exports), |fault| Err(fault.into()))
}

/// Every subject's present state is that of its latest entry, and there is no other.
fn latest(open: &mut Open<'_>) -> Result<(), LedgerError> {
    let kinds: Vec<_> =
        Kind::ALL.iter().filter(|kind| kind.has_present()).map(|kind| format!("'{}'", kind.text())).collect();
    let behind = format!(
        "SELECT e.kind, e.subject, e.seq FROM entry e LEFT JOIN present p ON p.kind = e.kind AND p.subject = e.subject \
         WHERE e.kind IN ({}) AND (p.seq IS NULL OR p.seq < e.seq) ORDER BY e.seq LIMIT 1",
        kinds.join(", ")
    );
    let baseless = "SELECT p.kind, p.subject, p.seq FROM present p LEFT JOIN entry e ON e.seq = p.seq \
                    WHERE e.seq IS NULL OR e.kind <> p.kind OR e.subject <> p.subject OR e.body IS NULL \
                    ORDER BY p.seq LIMIT 1";
    for sql in [own_sql(behind), own_sql(baseless.to_owned())] {
        let found = open.run(async |connection| {
            let row = sqlx::query(sql).fetch_optional(connection).await?;
            row.map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))).transpose()
        })?;
        if let Some((kind, subject, seq)) = found {
            return Err(Fault::Present { kind, subject, seq }.into());
        }
    }
    Ok(())
}

/// The keys of every present state are those that its record gives; returns how many there are.
fn keys(open: &mut Open<'_>) -> Result<i64, LedgerError> {
    let sql = "SELECT p.kind, p.subject, p.seq, p.state, p.request, p.patient, p.requester, e.body \
               FROM present p JOIN entry e ON e.seq = p.seq ORDER BY p.seq";
    let mut present = 0;
    let fault = open.run(async |connection| {
        let mut rows = sqlx::query(sql).fetch(connection);
        while let Some(row) = rows.try_next().await? {
            let text = |column: usize| row.try_get::<String, _>(column);
            let (kind, seq, body) = (text(0)?, row.try_get(2)?, text(7)?);
            let Some(Ok(projected)) = Kind::from_text(&kind).map(|kind| Projected::of_body(kind, &body)) else {
                return Ok(Some(Fault::Unreadable { seq, kind }));
            };
            let keys = projected.keys;
            let same = [keys.state, &keys.request, &keys.patient, &keys.requester];
            if same != [text(3)?.as_str(), &text(4)?, &text(5)?, &text(6)?] {
                return Ok(Some(Fault::Present { kind, subject: text(1)?, seq }));
            }
            present += 1;
        }
        Ok(None)
    })?;
    fault.map_or(Ok(present), |fault| Err(fault.into()))
}

/// The index of patients has what the exports name, and nothing else.
fn named(open: &mut Open<'_>, exports: Vec<(i64, Vec<String>)>) -> Result<(), LedgerError> {
    let mut expected: BTreeSet<(i64, String)> = BTreeSet::new();
    for (seq, patients) in exports {
        expected.extend(patients.into_iter().map(|patient| (seq, patient)));
    }
    let found: BTreeSet<(i64, String)> = open.run(async |connection| {
        let rows = sqlx::query("SELECT seq, patient FROM named").fetch_all(connection).await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    })?;
    match expected.symmetric_difference(&found).next() {
        Some((seq, _)) => Err(Fault::Named { seq: *seq }.into()),
        None => Ok(()),
    }
}
