//! Which rows does a file hold? Header, rows with their lines, and a digest of every byte.

use std::fmt::Write;
use std::io::{BufReader, Read};

use csv::{ByteRecord, ReaderBuilder, StringRecord, Terminator};
use labtriage_core::finding::{Code, Finding};
use sha2::{Digest, Sha256};

use super::guard::{Guard, ROW_BYTES_MAX, Refusal};

/// Bytes read at once, and between two words of progress.
const CHUNK: usize = 256 * 1024;

/// Told how many bytes have been read so far.
pub type Progress<'p> = &'p dyn Fn(u64);

/// A row as it was found.
pub(crate) enum Found<'r> {
    /// Fields of text.
    Text(&'r StringRecord),
    /// Fields that are not all UTF-8.
    NotUtf8(&'r ByteRecord),
    /// No fields could be told apart.
    Refused(Refusal),
}

/// The rows of one file.
pub(crate) struct Rows<'p, R> {
    name: &'p str,
    reader: csv::Reader<Guard<BufReader<Tally<'p, R>>>>,
}

impl<'p, R: Read> Rows<'p, R> {
    pub(crate) fn new(input: R, name: &'p str, delimiter: u8, progress: Option<Progress<'p>>) -> Self {
        let tally = Tally { input, digest: Sha256::new(), bytes: 0, progress };
        let guard = Guard::new(BufReader::with_capacity(CHUNK, tally), delimiter);
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .terminator(Terminator::Any(b'\n'))
            .buffer_capacity(ROW_BYTES_MAX)
            .from_reader(guard);
        Self { name, reader }
    }

    /// The first row and its line.
    pub(crate) fn header(&mut self) -> Result<(u32, StringRecord), Vec<Finding>> {
        let mut record = ByteRecord::new();
        let found = self.next_record(&mut record)?;
        let refused = self.reader.get_ref().first_refused();
        if let Some(line) = refused.filter(|line| found.is_none_or(|header| *line < header)) {
            let message = "no columns: the header is too long or opens a quote that is never closed";
            return Err(vec![Finding::new(Code::UnknownColumn, message).at(self.name, line, 0)]);
        }
        let Some(line) = found else {
            let message = "the file is empty, a header and rows were expected";
            return Err(vec![Finding::new(Code::EmptyFile, message).at(self.name, 0, 0)]);
        };
        let header = StringRecord::from_byte_record(record).map_err(|_| {
            let finding = Finding::new(Code::NotUtf8, "the header is not UTF-8").at(self.name, line, 0);
            vec![finding.hint("save the extract as CSV in UTF-8")]
        })?;
        Ok((line, header))
    }

    /// Shows every row after the header, in order of the file but for refused lines, which may come
    /// late by some rows; returns how many there were.
    pub(crate) fn each(&mut self, mut show: impl FnMut(u32, Found<'_>)) -> Result<u64, Vec<Finding>> {
        let mut count = 0;
        let mut record = ByteRecord::new();
        loop {
            let line = self.next_record(&mut record)?;
            for (line, refusal) in self.reader.get_mut().take_refused() {
                count += 1;
                show(line, Found::Refused(refusal));
            }
            let Some(line) = line else { return Ok(count) };
            count += 1;
            record = match StringRecord::from_byte_record(record) {
                Ok(text) => {
                    show(line, Found::Text(&text));
                    text.into_byte_record()
                }
                Err(error) => {
                    let record = error.into_byte_record();
                    show(line, Found::NotUtf8(&record));
                    record
                }
            };
        }
    }

    /// SHA-256 of every byte read, in hexadecimal.
    pub(crate) fn digest(self) -> String {
        let tally = self.reader.into_inner().into_input().into_inner();
        if let Some(progress) = tally.progress {
            progress(tally.bytes);
        }
        tally.digest.finalize().iter().fold(String::with_capacity(64), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    fn next_record(&mut self, record: &mut ByteRecord) -> Result<Option<u32>, Vec<Finding>> {
        let more = self.reader.read_byte_record(record).map_err(|error| {
            // Only reading can fail: rows of any length and any bytes are let through.
            let message = format!("the file cannot be read to its end: {error}");
            vec![Finding::new(Code::FileUnreadable, message).at(self.name, 0, 0)]
        })?;
        let start = record.position().map_or(0, csv::Position::byte);
        Ok(more.then(|| self.reader.get_mut().line_of(start)))
    }
}

/// Counts and digests what is read.
struct Tally<'p, R> {
    input: R,
    digest: Sha256,
    bytes: u64,
    progress: Option<Progress<'p>>,
}

impl<R: Read> Read for Tally<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.digest.update(&buffer[..count]);
        let before = self.bytes / CHUNK as u64;
        self.bytes += count as u64;
        if let Some(progress) = self.progress
            && self.bytes / (CHUNK as u64) > before
        {
            progress(self.bytes);
        }
        Ok(count)
    }
}

impl Refusal {
    /// The code and words of a line that was refused.
    pub(crate) fn words(self) -> (Code, &'static str) {
        match self {
            Self::LineTooLong => (Code::RowTooLong, "the row is longer than 65,536 bytes"),
            Self::QuoteTooLong => {
                (Code::RowTooLong, "a quote opens on this line and is not closed within 65,536 bytes")
            }
            Self::QuoteNeverClosed => (Code::FieldCount, "a quote opens on this line and is never closed"),
        }
    }
}
