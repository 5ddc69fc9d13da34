//! Which proposed discards has a person signed? `discards.csv` of a plan, or the ledger's own list, filled in.
//!
//! A row counts by `accession`, `authorised_by`, `second_checker` and, where the file has them, `discard_id` and `why`;
//! other columns are not read. Nothing that is said of a row repeats what stands in it.

use std::io::Read;

use csv::StringRecord;
use labtriage_core::finding::{Code, Finding};

use crate::extract::{Found, Rows};

/// A row of a signed list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signed {
    /// Accession number.
    pub accession: String,
    /// The number of the discard; empty where the file has none.
    pub discard: String,
    /// Who authorises; empty for a row that nobody has signed.
    pub authorised_by: String,
    /// The second person.
    pub second: Option<String>,
    /// Why, where a person says so.
    pub why: Option<String>,
    /// Line in the file, from 1.
    pub line: u32,
}

/// Reads a signed list, signed rows and others, in order of the file; `name` is the file as the user named it.
///
/// # Errors
/// Every row that cannot be read: a list is taken whole or not at all. Also a file without the columns `accession`
/// and `authorised_by`, or without rows.
pub fn read_signed(reader: impl Read, name: &str) -> Result<Vec<Signed>, Vec<Finding>> {
    let mut rows = Rows::new(reader, name, b',', None);
    let (line, header) = rows.header()?;
    let columns = Columns::find(&header).map_err(|finding| vec![finding.at(name, line, 0)])?;
    let (mut signed, mut wrong) = (Vec::new(), Vec::new());
    rows.each(|line, row| match columns.row(line, &row) {
        Ok(row) => signed.push(row),
        Err(finding) => wrong.push(finding.at(name, line, 0)),
    })?;
    if signed.is_empty() && wrong.is_empty() {
        wrong.push(Finding::new(Code::EmptyFile, "the file has a header and no rows").at(name, 0, 0));
    }
    if wrong.is_empty() { Ok(signed) } else { Err(wrong) }
}

struct Columns {
    fields: usize,
    accession: usize,
    authorised_by: usize,
    second: Option<usize>,
    discard: Option<usize>,
    why: Option<usize>,
}

impl Columns {
    fn find(header: &StringRecord) -> Result<Self, Finding> {
        let place = |name: &str| header.iter().position(|title| title.trim().eq_ignore_ascii_case(name));
        let missing = |name: &str| {
            let hint =
                "give `discards.csv` of a plan, or what `labtriage discards list --csv` prints, as CSV with commas";
            Finding::new(Code::MissingColumn, format!("missing column `{name}`")).hint(hint)
        };
        Ok(Self {
            fields: header.len(),
            accession: place("accession").ok_or_else(|| missing("accession"))?,
            authorised_by: place("authorised_by").ok_or_else(|| missing("authorised_by"))?,
            second: place("second_checker"),
            discard: place("discard_id"),
            why: place("why"),
        })
    }

    fn row(&self, line: u32, row: &Found<'_>) -> Result<Signed, Finding> {
        let record = match row {
            Found::Text(record) => record,
            Found::NotUtf8(_) => return Err(Finding::new(Code::RowNotUtf8, "the row is not UTF-8")),
            Found::Refused(_) => return Err(Finding::new(Code::RowTooLong, "the row cannot be read")),
        };
        if record.len() != self.fields {
            let message = format!("{} fields, expected {}", record.len(), self.fields);
            return Err(Finding::new(Code::FieldCount, message));
        }
        let field = |at: usize| plain(record.get(at).unwrap_or_default());
        let optional = |at: Option<usize>| at.map(field).filter(|text| !text.is_empty());
        let accession = field(self.accession);
        if accession.is_empty() {
            return Err(Finding::new(Code::MissingValue, "no accession number"));
        }
        let (second, why) = (optional(self.second), optional(self.why));
        let discard = optional(self.discard).unwrap_or_default();
        Ok(Signed { accession, discard, authorised_by: field(self.authorised_by), second, why, line })
    }
}

/// A cell without the apostrophe that keeps it from being run.
fn plain(cell: &str) -> String {
    let cell = cell.trim();
    let guarded = cell.strip_prefix('\'').filter(|rest| rest.starts_with(['=', '+', '-', '@']));
    guarded.unwrap_or(cell).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signed_and_unsigned_rows_are_read() {
        let text = "accession,reason,authorised_by,second_checker\nA1,EX,A. Manager,B. Chief\n'=A2,EX,,\n";
        let rows = read_signed(text.as_bytes(), "discards.csv").unwrap();
        let found: Vec<_> = rows.iter().map(|row| (row.accession.as_str(), row.authorised_by.as_str())).collect();
        assert_eq!(found, [("A1", "A. Manager"), ("=A2", "")]);
        assert_eq!((rows[0].second.as_deref(), rows[0].line), (Some("B. Chief"), 2));
    }

    #[track_caller]
    fn check(text: &[u8], expected: &[&str]) {
        let found = read_signed(text, "d.csv").unwrap_err();
        assert_eq!(found.iter().map(|finding| finding.code.text()).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_list_with_a_bad_row_is_not_taken_in_part() {
        check(b"accession,authorised_by\nA1,A\nA2\n,A\nA3,A\n", &["B006", "B007"]);
        check(b"accession,authorised_by\nA1\xff,A\n", &["B004"]);
        check(b"accession,authorised_by\n", &["B001"]);
        check(b"accession\nA1\n", &["B003"]);
    }
}
