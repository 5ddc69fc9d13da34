//! What do people get to work with? One folder: the plan, lists for each bench, courier and
//! practice, what a person must decide, and a summary.
//!
//! The folder appears whole or not at all. No cell runs in a spreadsheet, no file name leaves the
//! folder, and nobody is named: patients are pseudonyms everywhere.

mod cells;
mod codes;
mod discards;
mod disposal;
mod folder;
mod holds;
mod quarantine;
mod recalls;
mod stabilise;
mod stale;
mod summary_json;
mod summary_text;
mod transfers;
mod way;
mod whole;
mod worklists;

use std::io::{self, Write};

use labtriage_core::plan::Plan;
use labtriage_core::snapshot::Snapshot;

pub(crate) use cells::guarded;
pub use disposal::{DiscardRecord, LimitApplied, records_csv, report, write_discard_records};
pub use folder::{FolderKind, OutputError, OutputFolder, file_names};
pub use quarantine::{QuarantineEntry, write_quarantine};
pub use recalls::write_left_out;
pub use summary_json::summary_json;
pub use summary_text::{Extras, grouped, percent_of_millionths, summary_text};
pub use whole::{Readers, WholeFile, sync_folder, write_whole};

use crate::plan_json::{self, Document, write_plan};

/// Everything that an output folder is made of.
#[derive(Clone, Copy, Debug)]
pub struct Outputs<'a> {
    /// What was known.
    pub snapshot: &'a Snapshot,
    /// What was decided.
    pub plan: &'a Plan,
    /// How the plan came to be.
    pub document: &'a Document,
    /// The summary, as words.
    pub summary: &'a str,
    /// Rows of the extract that were set aside.
    pub quarantine: &'a [QuarantineEntry],
}

/// Writes every file of an output folder; [`OutputFolder::finish`] then puts it in its place.
///
/// The worklists are written by a second thread; the bytes do not depend on it.
///
/// # Errors
/// [`OutputError`] when the system refuses.
pub fn write_outputs(folder: &OutputFolder, outputs: &Outputs<'_>) -> Result<(), OutputError> {
    let (lists, rest) = std::thread::scope(|scope| {
        let lists = scope.spawn(|| worklists::write(folder, outputs));
        let rest = write_rest(folder, outputs);
        (lists.join(), rest)
    });
    match lists {
        Ok(lists) => lists.and(rest),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

fn write_rest(folder: &OutputFolder, outputs: &Outputs<'_>) -> Result<(), OutputError> {
    let written = |name: &str, written: io::Result<()>| written.map_err(OutputError::io("write", name.as_ref()));
    let mut file = folder.file(plan_json::FILE)?;
    written(plan_json::FILE, write_plan(&mut file, outputs.document, outputs.snapshot, outputs.plan))?;
    transfers::write(folder, outputs)?;
    stabilise::write(folder, outputs)?;
    discards::write(folder, outputs)?;
    recalls::write(folder, outputs)?;
    holds::write(folder, outputs)?;
    write_quarantine(folder, "quarantine.csv", outputs.quarantine)?;
    let mut file = folder.file("summary.txt")?;
    written("summary.txt", file.write_all(outputs.summary.as_bytes()))
}
