//! Whom does a file reveal that should not have been seen? A list of persons for whoever has to tell them.

use std::fmt;

use chrono::NaiveDate;

use crate::outputs::guarded;

/// A person whom a file reveals. It has no `Display`, and its `Debug` says nothing.
#[derive(Clone, Copy)]
pub struct Revealed<'a> {
    /// As the ledger knows the person.
    pub pseudonym: &'a str,
    /// Ten digits; empty when the store does not know the person.
    pub nhs_number: &'a str,
    /// If known.
    pub date_of_birth: Option<NaiveDate>,
    /// Empty when not known.
    pub name: &'a str,
}

impl fmt::Debug for Revealed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Revealed(redacted)")
    }
}

/// Persons as CSV, in the order given. No cell runs as a formula.
pub fn persons_csv(rows: &[Revealed<'_>]) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
    // Writing to memory cannot fail, and all rows have as many cells as the header.
    let _ = writer.write_record(["patient", "nhs_number", "date_of_birth", "name"]);
    for row in rows {
        let born = row.date_of_birth.map_or_else(String::new, |date| date.format("%Y-%m-%d").to_string());
        let cells = [row.pseudonym, row.nhs_number, born.as_str(), row.name];
        let _ = writer.write_record(cells.map(guarded));
    }
    writer.into_inner().unwrap_or_default()
}
