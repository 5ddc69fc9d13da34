//! How is a ledger saved and brought back? As a file of its entries, the same for both databases.
//!
//! UTF-8 lines of JSON: `{"labtriage_ledger":1}`, then per entry
//! `[seq, at, kind, subject, body or null, body digest or null, digest]`, then
//! `{"seq":…,"digest":"…"}` of the last entry. A restore checks the chain and builds the present state anew.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use futures_util::TryStreamExt;
use labtriage_core::time::Instant;
use serde::{Deserialize, Serialize};

use crate::check::{ENTRIES, verified};
use crate::entry::{Body, Entry, Head, Projected};
use crate::error::LedgerError;
use crate::records::Kind;
use crate::store::entry_of;
use crate::verify::{Chain, Fault};
use crate::writer::Writer;
use crate::{Address, Ledger, Verified};

const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct First {
    labtriage_ledger: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Last {
    seq: i64,
    digest: String,
}

type Row = (i64, i64, String, String, Option<String>, Option<String>, String);

impl Ledger {
    /// Saves all entries as they are at this moment, while others may write. The chain is followed on
    /// the way, so what cannot be restored is not saved. The file appears whole or not at all; an
    /// earlier one there is replaced. Returns the last entry saved.
    ///
    /// # Errors
    /// [`LedgerError::Dump`] when the file cannot be written, [`LedgerError::Fault`] when the chain does
    /// not hold, and those of the database.
    pub fn backup(&mut self, file: &Path) -> Result<Head, LedgerError> {
        let failed = |error: io::Error| unusable(file, format!("cannot be written: {}", error.kind()));
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
        let mut temporary = tempfile::Builder::new().prefix(".labtriage-").tempfile_in(folder).map_err(failed)?;
        let head = self.save(&mut BufWriter::with_capacity(1 << 18, temporary.as_file_mut()), file)?;
        temporary.as_file().sync_all().map_err(failed)?;
        temporary.persist(file).map_err(|error| failed(error.error))?;
        // Else a loss of power may take back that the file is there, where the system lets folders be opened.
        if cfg!(unix) {
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
        }
        Ok(head)
    }

    fn save(&mut self, out: &mut impl Write, file: &Path) -> Result<Head, LedgerError> {
        let failed = |error: io::Error| unusable(file, format!("cannot be written: {}", error.kind()));
        line(out, &First { labtriage_ledger: FORMAT }).map_err(failed)?;
        let mut open = self.store.reading()?;
        let head = open.head()?;
        let mut chain = Chain::new(None);
        let mut stopped = None;
        open.run(async |connection| {
            let mut rows = sqlx::query(ENTRIES).fetch(connection);
            while let Some(row) = rows.try_next().await? {
                let entry = entry_of(&row)?;
                let held = chain.next(&entry).map_err(LedgerError::from);
                if let Err(error) = held.and_then(|()| line(out, &row_of(entry)).map_err(failed)) {
                    stopped = Some(error);
                    break;
                }
            }
            Ok(())
        })?;
        stopped.map_or(Ok(()), Err)?;
        chain.finish(&head)?;
        let last = Last { seq: head.seq, digest: head.digest.clone() };
        line(out, &last).and_then(|()| out.flush()).map_err(failed)?;
        Ok(head)
    }
}

/// Restores a backup into a ledger that is not there yet or holds nothing, and verifies it before it stands. When it
/// fails, nothing of it is recorded: an empty ledger may be left, into which another backup can be restored.
///
/// # Errors
/// [`LedgerError::NotEmpty`], [`LedgerError::Dump`] for a file that is no whole backup,
/// [`LedgerError::Fault`] when its chain does not hold, and those of the database.
pub fn restore(file: &Path, to: &Address) -> Result<Verified, LedgerError> {
    let opened = File::open(file).map_err(|error| unusable(file, format!("cannot be read: {}", error.kind())))?;
    let mut lines = BufReader::with_capacity(1 << 18, opened).lines();
    let first: First = next(&mut lines, file)?;
    if first.labtriage_ledger != FORMAT {
        return Err(unusable(file, format!("has format {}, this version reads {FORMAT}", first.labtriage_ledger)));
    }
    let mut ledger = Ledger::create(to)?;
    let entries = ledger.head()?.seq;
    if entries != 0 {
        return Err(LedgerError::NotEmpty { address: to.to_string(), entries });
    }
    // The moment is that of the entries; a restore records nothing of its own.
    ledger.write(Instant::from_epoch_minutes(0), |writer| {
        fill(writer, &mut lines, file)?;
        writer.settle()?;
        verified(&mut writer.open(), None)
    })
}

fn fill(
    writer: &mut Writer<'_>,
    lines: &mut impl Iterator<Item = io::Result<String>>,
    file: &Path,
) -> Result<(), LedgerError> {
    let mut chain = Chain::new(None);
    loop {
        let text = text(lines, file)?;
        if let Ok(last) = serde_json::from_str::<Last>(&text) {
            chain.finish(&Head { seq: last.seq, digest: last.digest })?;
            return match lines.next() {
                None => Ok(()),
                Some(_) => Err(unusable(file, "goes on after its last line".to_owned())),
            };
        }
        let row: Row = parse(&text, file)?;
        let entry = entry_from(row, file)?;
        chain.next(&entry)?;
        let projected = projected(&entry)?;
        writer.push(entry, projected)?;
    }
}

fn projected(entry: &Entry) -> Result<Projected, LedgerError> {
    let unreadable = || Fault::Unreadable { seq: entry.seq, kind: entry.kind.clone() };
    let kind = Kind::from_text(&entry.kind).ok_or_else(unreadable)?;
    match entry.body.text() {
        Some(body) => Projected::of_body(kind, body).map_err(|_| unreadable().into()),
        None => Ok(Projected::default()),
    }
}

fn row_of(entry: Entry) -> Row {
    let Entry { seq, at, kind, subject, body, digest } = entry;
    match body {
        Body::Kept(body) => (seq, at, kind, subject, Some(body), None, digest),
        Body::Dropped(dropped) => (seq, at, kind, subject, None, Some(dropped), digest),
    }
}

fn entry_from(row: Row, file: &Path) -> Result<Entry, LedgerError> {
    let (seq, at, kind, subject, body, dropped, digest) = row;
    let body = match (body, dropped) {
        (Some(body), None) => Body::Kept(body),
        (None, Some(dropped)) => Body::Dropped(dropped),
        _ => return Err(unusable(file, format!("entry {seq} must have either a body or its digest"))),
    };
    Ok(Entry { seq, at, kind, subject, body, digest })
}

fn line(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

fn next<T: for<'de> Deserialize<'de>>(
    lines: &mut impl Iterator<Item = io::Result<String>>,
    file: &Path,
) -> Result<T, LedgerError> {
    parse(&text(lines, file)?, file)
}

fn text(lines: &mut impl Iterator<Item = io::Result<String>>, file: &Path) -> Result<String, LedgerError> {
    match lines.next() {
        Some(Ok(text)) => Ok(text),
        Some(Err(error)) => Err(unusable(file, format!("cannot be read: {}", error.kind()))),
        None => Err(unusable(file, "ends before its last line: it was cut off".to_owned())),
    }
}

fn parse<T: for<'de> Deserialize<'de>>(text: &str, file: &Path) -> Result<T, LedgerError> {
    serde_json::from_str(text).map_err(|_| unusable(file, "holds a line that is none of a ledger's backup".to_owned()))
}

fn unusable(file: &Path, what: String) -> LedgerError {
    LedgerError::Dump { file: file.display().to_string(), what }
}
