//! Which rows were set aside, and why? Nothing of them is lost: each is named by its place.

use super::cells::{Sheet, free_text};
use super::folder::{OutputError, OutputFolder};

/// A row of the extract that was set aside.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QuarantineEntry {
    /// The file it stands in, as the user named it.
    pub file: String,
    /// Its line there, from 1.
    pub line: u32,
    /// Its accession, when that could be read.
    pub accession: String,
    /// The codes of its findings.
    pub codes: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it; may be empty.
    pub hint: String,
}

/// Writes the rows that were set aside.
///
/// # Errors
/// [`OutputError`] when the system refuses.
pub fn write_quarantine(folder: &OutputFolder, name: &str, entries: &[QuarantineEntry]) -> Result<(), OutputError> {
    let header = ["file", "line", "accession", "codes", "message", "hint"];
    let mut sheet = Sheet::create(folder, name, &header)?;
    for entry in entries {
        // A row that is out of place may hold an identity in any of its columns.
        sheet.word(&free_text(&entry.file))?;
        sheet.number(u64::from(entry.line))?;
        sheet.word(&free_text(&entry.accession))?;
        sheet.word(&free_text(&entry.codes))?;
        sheet.word(&free_text(&entry.message))?;
        sheet.word(&free_text(&entry.hint))?;
        sheet.end()?;
    }
    sheet.finish()
}
