//! What does a laboratory's extract hold? One row per sample, read as a stream, nothing lost.
//!
//! A row is either in the backlog or in the quarantine, with everything that is wrong with it.
//! Memory is bounded by the rows that are kept, and by about 200 bytes for a row set aside.
//! Messages show codes of tests, specimens, sites and the like, never a patient's, a request's or
//! an accession's.
//!
//! Reading order: `rows` (bytes to rows; `guard` keeps them sane) · `header` (columns) ·
//! `codes` (what codes stand for) · `row` (one row) · [`QuarantinedRow`] and [`Warnings`].

mod codes;
mod guard;
mod header;
mod quarantine;
mod row;
mod rows;
mod shown;
pub(crate) mod times;

use std::io::Read;

use labtriage_core::backlog::{Backlog, BacklogBuilder};
use labtriage_core::catalogue::Catalogue;
use labtriage_core::finding::{Code, Finding};
use labtriage_core::network::Network;
use labtriage_core::policy::Policy;
use labtriage_core::time::Instant;

use crate::import::Import;

pub(crate) use codes::Codes;
pub use guard::ROW_BYTES_MAX;
pub(crate) use header::{Layout, Wanted};
pub(crate) use quarantine::Notes;
pub use quarantine::{Counted, QuarantinedRow, RowFinding, Warnings};
use row::RowReader;
pub(crate) use row::{check_identifier, instant, usable_code};
pub use rows::Progress;
pub(crate) use rows::{Found, Rows};

/// The columns of a backlog; a laboratory's own headers are mapped onto them.
pub const COLUMNS: [&str; 17] = [
    "accession",
    "request",
    "patient",
    "requester",
    "band",
    "clinical_flags",
    "requested_at",
    "collected_at",
    "received_at",
    "separated_at",
    "specimen",
    "site",
    "condition",
    "history",
    "volume_ul",
    "tests",
    "sample_flags",
];

/// A column, in the order of [`COLUMNS`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Column {
    Accession,
    Request,
    Patient,
    Requester,
    Band,
    ClinicalFlags,
    RequestedAt,
    CollectedAt,
    ReceivedAt,
    SeparatedAt,
    Specimen,
    Site,
    Condition,
    History,
    Volume,
    Tests,
    SampleFlags,
}

impl Column {
    const ALL: [Self; 17] = [
        Self::Accession,
        Self::Request,
        Self::Patient,
        Self::Requester,
        Self::Band,
        Self::ClinicalFlags,
        Self::RequestedAt,
        Self::CollectedAt,
        Self::ReceivedAt,
        Self::SeparatedAt,
        Self::Specimen,
        Self::Site,
        Self::Condition,
        Self::History,
        Self::Volume,
        Self::Tests,
        Self::SampleFlags,
    ];

    /// Of each group at least one column must be there.
    const OBLIGATORY: [&[usize]; 8] = [
        &[Self::Accession as usize],
        &[Self::Request as usize],
        &[Self::Patient as usize],
        &[Self::Requester as usize],
        &[Self::CollectedAt as usize, Self::ReceivedAt as usize],
        &[Self::Specimen as usize],
        &[Self::Site as usize],
        &[Self::Tests as usize],
    ];
}

/// The most bytes of accessions, requests and pseudonyms together; a backlog holds 4 GiB of text.
const TEXT_BYTES_MAX: u64 = u32::MAX as u64;

/// What an extract is read against.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// How the laboratory writes.
    pub import: &'a Import,
    /// Tests and specimens.
    pub catalogue: &'a Catalogue,
    /// Sites and requesters.
    pub network: &'a Network,
    /// Bands, flags, and what to do about an unknown time of collection.
    pub policy: &'a Policy,
    /// The moment of planning; nothing may have happened after it.
    pub now: Instant,
    /// Told now and then how many bytes have been read.
    pub progress: Option<Progress<'a>>,
}

/// An extract that was read.
#[derive(Clone, Debug)]
pub struct Extract {
    /// What can be planned.
    pub backlog: Backlog,
    /// Rows set aside, in order of line.
    pub quarantine: Vec<QuarantinedRow>,
    /// Remarks on rows that were kept.
    pub warnings: Warnings,
    /// Rows in the file, header and blank lines aside.
    pub rows_read: u64,
    /// SHA-256 of the file's bytes, in hexadecimal.
    pub digest: String,
}

/// Reads an extract; `name` is the file as the user named it.
///
/// Takes time and memory in proportion to the rows; no row takes more than [`ROW_BYTES_MAX`].
///
/// # Errors
/// What stops the run, all of it at once: a mapping of the import to a code that we do not have, a
/// file that is empty or cannot be read, a column that is unknown or missing.
pub fn read_extract(reader: impl Read, name: &str, context: &Context<'_>) -> Result<Extract, Vec<Finding>> {
    let import = context.import;
    let codes = Codes::new(context)?;
    let mut rows = Rows::new(reader, name, import.delimiter, context.progress);
    let (line, header) = rows.header()?;
    let wanted: Vec<Wanted<'_>> =
        COLUMNS.iter().zip(&import.columns).map(|(&canonical, header)| Wanted { canonical, header }).collect();
    let layout = Layout::new(&header, &wanted, import, &Column::OBLIGATORY)
        .map_err(|findings| findings.into_iter().map(|finding| finding.at(name, line, 0)).collect::<Vec<_>>())?;
    let mut row_reader = RowReader::new(context, codes, layout);
    let mut gathered = Gathered { notes: Notes::new(name), ..Gathered::default() };
    let rows_read = rows.each(|line, found| gathered.add(line, &found, &mut row_reader))?;
    if rows_read == 0 {
        let finding = Finding::new(Code::EmptyFile, "the file holds a header and no rows").at(name, 0, 0);
        return Err(vec![finding]);
    }
    if gathered.text_bytes > TEXT_BYTES_MAX {
        let message = "the accessions, requests and pseudonyms take more than 4 GiB";
        return Err(vec![Finding::new(Code::TooMany, message).at(name, 0, 0)]);
    }
    Ok(gathered.finish(rows_read, rows.digest()))
}

/// What the rows so far have come to.
#[derive(Default)]
struct Gathered {
    builder: BacklogBuilder,
    notes: Notes,
    quarantine: Vec<QuarantinedRow>,
    text_bytes: u64,
}

impl Gathered {
    fn add(&mut self, line: u32, found: &Found<'_>, reader: &mut RowReader<'_>) {
        self.notes.begin(line);
        let accession = match found {
            Found::Text(record) => {
                reader.read(record, &mut self.notes, &mut self.builder);
                if self.notes.is_clean() {
                    // All fields together: more than the three that are kept, and known at once.
                    self.text_bytes += record.as_slice().len() as u64;
                    return;
                }
                reader.accession(record.as_byte_record())
            }
            Found::NotUtf8(record) => {
                self.notes.refuse(Code::RowNotUtf8, "the row is not UTF-8");
                reader.accession(record)
            }
            Found::Refused(refusal) => {
                let (code, words) = refusal.words();
                self.notes.refuse(code, words);
                ""
            }
        };
        self.quarantine.push(self.notes.set_aside(accession));
    }

    /// Builds the backlog; the rows that contradict each other join the quarantine.
    fn finish(self, rows_read: u64, digest: String) -> Extract {
        let Self { builder, mut notes, mut quarantine, .. } = self;
        let finished = builder.finish();
        quarantine.extend(finished.rejected.into_iter().map(|rejected| {
            QuarantinedRow::of(rejected.line, &rejected.accession, rejected.finding.code, &rejected.finding.message)
        }));
        quarantine.sort_by_key(|row| row.line);
        quarantine.shrink_to_fit();
        for (line, finding) in finished.remarks {
            notes.warnings.add(finding.code, || finding.at(&notes.file, line, 0));
        }
        Extract { backlog: finished.backlog, quarantine, warnings: notes.warnings, rows_read, digest }
    }
}

/// The finding that stops a run when more than so many percent of the rows were set aside.
pub fn check_quarantine(extract: &Extract, max_percent: f64) -> Option<Finding> {
    check_set_aside(&extract.quarantine, extract.rows_read, max_percent)
}

/// The same of the rows of any file, of which so many were read.
pub fn check_set_aside(quarantine: &[QuarantinedRow], rows_read: u64, max_percent: f64) -> Option<Finding> {
    let (aside, all) = (quarantine.len(), rows_read);
    let percent = aside as f64 * 100.0 / all.max(1) as f64;
    // Written so that a limit that is no number stops the run.
    if percent <= max_percent {
        return None;
    }
    let mut counts = vec![0_u64; Code::ALL.len()];
    for finding in quarantine.iter().flat_map(|row| row.findings.iter()) {
        counts[finding.code as usize] += 1;
    }
    let (most, count) = Code::ALL.iter().zip(counts).max_by_key(|(code, count)| (*count, std::cmp::Reverse(**code)))?;
    let message = format!("{aside} of {all} rows ({percent:.1} %) were set aside, more than {max_percent} %");
    let hint = format!("most often {} ({count} times): {}", most.text(), most.title());
    Some(Finding::new(Code::TooManyQuarantined, message).hint(hint))
}
