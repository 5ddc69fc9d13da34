//! How does a row become a record again? What reading and recording both look up.

use std::collections::BTreeMap;

use labtriage_core::time::Instant;
use serde::de::DeserializeOwned;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row, SqlStr};

use crate::error::LedgerError;
use crate::read::Known;
use crate::records::{Kind, Record};
use crate::store::{own_sql, places};
use crate::verify::Fault;
use crate::writer::Writer;

/// Subjects asked for with one statement; numbered values, which SQLite looks up one by one, hence so few.
const BATCH: usize = 100;

/// Present states, with what the condition `p.… ` selects.
pub(crate) const PRESENT: &str = "SELECT e.seq, e.at, e.body FROM present p JOIN entry e ON e.seq = p.seq WHERE ";

impl Writer<'_> {
    /// Whether a subject has a present state.
    pub(crate) fn known(&mut self, kind: Kind, subject: &str) -> Result<bool, LedgerError> {
        self.flush()?;
        let subject = subject.to_owned();
        self.open().run(async |connection| {
            let sql = "SELECT seq FROM present WHERE kind = $1 AND subject = $2";
            let row = sqlx::query(sql).bind(kind.text()).bind(subject).fetch_optional(connection).await?;
            Ok(row.is_some())
        })
    }

    /// The present state of a subject.
    pub(crate) fn latest<R: Record>(&mut self, subject: &str) -> Result<Option<R>, LedgerError> {
        Ok(self.by_key("subject", subject)?.pop())
    }

    /// Present states of a kind in a state.
    pub(crate) fn in_state<R: Record>(&mut self, state: &str) -> Result<Vec<R>, LedgerError> {
        self.by_key("state", state)
    }

    /// Present states of a kind, by one of the keys.
    pub(crate) fn by_key<R: Record>(&mut self, column: &'static str, value: &str) -> Result<Vec<R>, LedgerError> {
        self.flush()?;
        let (sql, value) = (present_sql(column), value.to_owned());
        let rows = self.open().run(async |connection| present_rows(connection, sql, R::KIND, value).await)?;
        rows.iter().map(|row| known(row).map(|known| known.record)).collect()
    }

    /// Bodies of the present states of many subjects, by subject.
    pub(crate) fn bodies(
        &mut self,
        kind: Kind,
        column: &'static str,
        values: &[&str],
    ) -> Result<BTreeMap<String, String>, LedgerError> {
        self.flush()?;
        let mut found = BTreeMap::new();
        for part in values.chunks(BATCH) {
            let sql = own_sql(bodies_sql(column, part.len()));
            let rows = self.open().run(async |connection| {
                let query = sqlx::query(sql).bind(kind.text());
                part.iter().fold(query, |query, value| query.bind(*value)).fetch_all(connection).await
            })?;
            for row in &rows {
                let (subject, body) = two_texts(row)?;
                found.insert(subject, body);
            }
        }
        Ok(found)
    }
}

pub(crate) fn present_sql(column: &'static str) -> SqlStr {
    own_sql(format!("{PRESENT} {} AND p.{column} = $2 ORDER BY e.seq", of_kind(column)))
}

fn bodies_sql(column: &'static str, values: usize) -> String {
    format!(
        "SELECT p.subject, e.body FROM present p JOIN entry e ON e.seq = p.seq WHERE {} AND p.{column} IN ({})",
        of_kind(column),
        places(2, values)
    )
}

/// The condition on the kind beside one on a key. SQLite would else find the notices of a few patients by an index that
/// begins with the kind, and read all notices for them; what is computed it cannot look up.
fn of_kind(column: &str) -> &'static str {
    match column {
        "subject" | "state" => "p.kind = $1",
        _ => "p.kind || '' = $1",
    }
}

pub(crate) async fn present_rows(
    connection: &mut AnyConnection,
    sql: SqlStr,
    kind: Kind,
    value: String,
) -> Result<Vec<AnyRow>, sqlx::Error> {
    sqlx::query(sql).bind(kind.text()).bind(value).fetch_all(connection).await
}

fn two_texts(row: &AnyRow) -> Result<(String, String), LedgerError> {
    let both = row.try_get(0).and_then(|first| Ok((first, row.try_get(1)?)));
    both.map_err(|_| unreadable(0))
}

/// A record from the columns `seq, at, body`.
pub(crate) fn known<R: DeserializeOwned>(row: &AnyRow) -> Result<Known<R>, LedgerError> {
    let Known { seq, at, record } = known_or_dropped(row)?;
    record.map(|record| Known { seq, at, record }).ok_or_else(|| unreadable(seq))
}

pub(crate) fn known_or_dropped<R: DeserializeOwned>(row: &AnyRow) -> Result<Known<Option<R>>, LedgerError> {
    let seq: i64 = row.try_get(0).map_err(|_| unreadable(0))?;
    let at: i64 = row.try_get(1).map_err(|_| unreadable(seq))?;
    let at = i32::try_from(at).map(Instant::from_epoch_minutes).map_err(|_| unreadable(seq))?;
    let body: Option<String> = row.try_get(2).map_err(|_| unreadable(seq))?;
    let record = body.map(|body| serde_json::from_str(&body)).transpose().map_err(|_| unreadable(seq))?;
    Ok(Known { seq, at, record })
}

pub(crate) fn unreadable(seq: i64) -> LedgerError {
    LedgerError::Fault(Fault::Unreadable { seq, kind: "readable".to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;
    use crate::names::renamed_sql;
    use crate::store::Store;

    /// By which index SQLite finds present states of many values of a key.
    #[track_caller]
    fn check_index(column: &'static str, expected: &str) {
        check_plan(&bodies_sql(column, BATCH), BATCH + 1, expected);
    }

    #[track_caller]
    fn check_plan(sql: &str, values: usize, expected: &str) {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(&Address::File(folder.path().join("lab.ledger")), true).unwrap();
        let explain = own_sql(format!("EXPLAIN QUERY PLAN {sql}"));
        let steps: Vec<String> = store
            .run(async |connection| {
                let query = (0..values).fold(sqlx::query(explain), |query, _| query.bind("x"));
                query.fetch_all(connection).await?.iter().map(|row| row.try_get(3)).collect()
            })
            .unwrap();
        assert!(steps.iter().any(|step| step.contains(expected)), "{sql}: {steps:?}");
    }

    #[test]
    fn every_key_is_found_by_its_own_index() {
        check_index("subject", "(kind=? AND subject=?)");
        check_index("state", "present_state (kind=? AND state=?)");
        check_index("patient", "present_patient (patient=?)");
        check_index("request", "present_request (request=?)");
        check_index("requester", "present_requester (requester=?)");
        check_plan(&renamed_sql(BATCH), 2 * BATCH, "present_request (request=?)");
        check_plan(&renamed_sql(BATCH), 2 * BATCH, "present_patient (patient=?)");
    }
}
