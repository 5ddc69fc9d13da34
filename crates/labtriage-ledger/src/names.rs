//! Which pseudonyms are one patient's? Those that a rotation of keys has replaced, and those that took their place.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{AnyConnection, Row};

use crate::Ledger;
use crate::error::LedgerError;
use crate::pseudonym::OwnedPseudonym;
use crate::records::{Kind, Renamed};
use crate::store::{own_sql, places};
use crate::writer::Writer;

/// Pseudonyms asked for with one statement; numbered values, which SQLite looks up one by one, hence so few.
const BATCH: usize = 100;

/// The pseudonyms of patients who have several.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Names {
    groups: BTreeMap<OwnedPseudonym, Vec<OwnedPseudonym>>,
}

impl Names {
    /// All pseudonyms of a patient, in order, itself among them.
    pub fn of<'n>(&'n self, patient: &'n OwnedPseudonym) -> &'n [OwnedPseudonym] {
        self.groups.get(patient).map_or(std::slice::from_ref(patient), Vec::as_slice)
    }

    /// Whether two pseudonyms are one patient's.
    pub fn are_one(&self, one: &OwnedPseudonym, other: &OwnedPseudonym) -> bool {
        self.of(one).contains(other)
    }
}

impl Ledger {
    /// The pseudonyms of patients, before and after rotations.
    ///
    /// # Errors
    /// Those of the database.
    pub fn names(&mut self, patients: &[&OwnedPseudonym]) -> Result<Names, LedgerError> {
        self.store.run(async |connection| names(connection, patients).await)
    }
}

impl Writer<'_> {
    /// The same, with what is pending.
    pub(crate) fn names(&mut self, patients: &[&OwnedPseudonym]) -> Result<Names, LedgerError> {
        self.flush()?;
        self.open().run(async |connection| names(connection, patients).await)
    }

    /// Records that patients have got other pseudonyms: pairs of the one before and the one from now on. What is
    /// recorded already is not recorded again. Returns how many pairs were new.
    ///
    /// # Errors
    /// [`LedgerError::Contradiction`] without a user; [`LedgerError::Identity`], and those of the database.
    pub fn renamed(&mut self, pairs: &[(OwnedPseudonym, OwnedPseudonym)], who: &str) -> Result<u64, LedgerError> {
        if who.trim().is_empty() {
            let subject = "rotation of pseudonyms".to_owned();
            return Err(LedgerError::Contradiction { subject, what: "it needs a named user" });
        }
        let mut recorded = 0;
        for part in pairs.chunks(BATCH) {
            let all: Vec<Renamed> =
                part.iter().map(|(before, now)| Renamed::new(before.clone(), now.clone(), who)).collect();
            let ids: Vec<&str> = all.iter().map(|one| one.id.as_str()).collect();
            let there = self.bodies(Kind::Renamed, "subject", &ids)?;
            for one in &all {
                let known = there.get(&one.id).and_then(|body| serde_json::from_str::<Renamed>(body).ok());
                if known.is_none_or(|known| known.patient != one.patient) {
                    self.record(one)?;
                    recorded += 1;
                }
            }
        }
        Ok(recorded)
    }
}

/// Pairs in which one of so many pseudonyms is the one before or the one from then on, found by the indexes of both:
/// see [`crate::rows`] on conditions on the kind.
pub(crate) fn renamed_sql(names: usize) -> String {
    let (before, now) = (places(1, names), places(names + 1, names));
    let either = format!("request IN ({before}) OR patient IN ({now})");
    format!("SELECT request, patient FROM present WHERE kind || '' = 'renamed' AND ({either})")
}

async fn names(connection: &mut AnyConnection, patients: &[&OwnedPseudonym]) -> Result<Names, sqlx::Error> {
    // Most ledgers have seen no rotation.
    let any = sqlx::query("SELECT seq FROM present WHERE kind = 'renamed' LIMIT 1");
    if patients.is_empty() || any.fetch_optional(&mut *connection).await?.is_none() {
        return Ok(Names::default());
    }
    let mut beside: BTreeMap<OwnedPseudonym, BTreeSet<OwnedPseudonym>> = BTreeMap::new();
    let mut asked: BTreeSet<OwnedPseudonym> = patients.iter().map(|patient| (*patient).clone()).collect();
    let mut ask: Vec<OwnedPseudonym> = asked.iter().cloned().collect();
    while !ask.is_empty() {
        let mut found = Vec::new();
        for part in ask.chunks(BATCH) {
            let sql = own_sql(renamed_sql(part.len()));
            let query = part.iter().chain(part).fold(sqlx::query(sql), |query, name| query.bind(name.expose()));
            for row in query.fetch_all(&mut *connection).await? {
                let (before, now) = (
                    OwnedPseudonym::new(row.try_get::<String, _>(0)?),
                    OwnedPseudonym::new(row.try_get::<String, _>(1)?),
                );
                beside.entry(before.clone()).or_default().insert(now.clone());
                beside.entry(now.clone()).or_default().insert(before.clone());
                found.extend([before, now]);
            }
        }
        ask = found.into_iter().filter(|name| asked.insert(name.clone())).collect();
    }
    Ok(Names { groups: groups(&beside) })
}

/// Everybody who can be reached from each.
fn groups(
    beside: &BTreeMap<OwnedPseudonym, BTreeSet<OwnedPseudonym>>,
) -> BTreeMap<OwnedPseudonym, Vec<OwnedPseudonym>> {
    let mut groups: BTreeMap<OwnedPseudonym, Vec<OwnedPseudonym>> = BTreeMap::new();
    for name in beside.keys() {
        if groups.contains_key(name) {
            continue;
        }
        let (mut group, mut open) = (BTreeSet::from([name]), vec![name]);
        while let Some(next) = open.pop() {
            open.extend(beside.get(next).into_iter().flatten().filter(|other| group.insert(*other)));
        }
        let all: Vec<OwnedPseudonym> = group.iter().map(|name| (*name).clone()).collect();
        groups.extend(group.into_iter().map(|name| (name.clone(), all.clone())));
    }
    groups
}
