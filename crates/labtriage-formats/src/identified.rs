//! How does a file that names patients become one that does not? Row by row, nothing lost.
//!
//! Columns of identities, and those that the import ignores, are left out. The column `patient` gets what the
//! caller gives for the person, and everything else is copied as it stands. A row is either written or set aside
//! with its reasons. No message shows a value of a column of identities.
//!
//! This module makes no pseudonyms and holds no keys: the caller does.

mod decisions;
mod elsewhere;
mod people;

use std::fmt;
use std::io::{Read, Write};

use chrono::NaiveDate;
use csv::{ByteRecord, StringRecord};
use labtriage_core::finding::{Code, Finding};
use labtriage_core::nhs;

use crate::extract::{self, Found, Layout, Notes, QuarantinedRow, Rows, Wanted, Warnings, usable_code};
use crate::import::Import;
use crate::results;

use elsewhere::{Column, Elsewhere};
pub use people::People;

/// The columns that name a patient; a laboratory's own headers are mapped onto them in `[identities]`.
pub const COLUMNS: [&str; 3] = ["nhs_number", "date_of_birth", "name"];

const NHS_NUMBER: usize = 0;
const DATE_OF_BIRTH: usize = 1;
const NAME: usize = 2;
/// `accession` and `patient` are columns of both kinds of file.
const ACCESSION: &str = "accession";
const PATIENT: &str = "patient";
/// Columns of codes that may be ten digits, where the laboratory says so.
const CODES: [&str; 2] = [ACCESSION, "request"];
/// Columns that hold times.
const TIMES: [&str; 6] = ["requested_at", "collected_at", "received_at", "separated_at", "history", "resulted_at"];

/// The kinds of file that may name patients.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// An extract of the backlog.
    Backlog,
    /// Results that are there.
    Results,
}

impl Kind {
    fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Backlog => &extract::COLUMNS,
            Self::Results => &results::COLUMNS,
        }
    }

    fn headers(self, import: &Import) -> &[String] {
        match self {
            Self::Backlog => &import.columns,
            Self::Results => &import.result_columns,
        }
    }
}

/// Whom a row names. It has no `Display`, and its `Debug` says nothing.
#[derive(Clone, Copy)]
pub struct Named<'r> {
    /// As typed, trimmed; empty when the row has none.
    pub nhs_number: &'r str,
    /// The date, if a format of the import fits.
    pub date_of_birth: Option<NaiveDate>,
    /// Whether a date of birth was given that no format fits.
    pub date_unreadable: bool,
    /// As typed, trimmed; empty when the row has none.
    pub name: &'r str,
    /// The pseudonym that the row has already; empty when it has none.
    pub patient: &'r str,
}

impl fmt::Debug for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Named(redacted)")
    }
}

/// What becomes of a row. It has no `Debug`: it may hold a pseudonym.
pub enum Answer {
    /// It is written under this pseudonym, maybe with a remark.
    Write(String, Option<(Code, &'static str)>),
    /// It is set aside.
    SetAside(Code, &'static str),
}

/// Who says what becomes of the rows of a file. A function of what a row names is one that knows nobody.
pub trait Reception {
    /// Told whom a row names, whatever becomes of it; of a row whose columns cannot be told apart, each field as a
    /// number, a date and a name.
    fn see(&mut self, _named: &Named<'_>) {}

    /// Whether a patient has this number.
    fn knows(&self, _digits: &[u8; nhs::DIGITS]) -> bool {
        false
    }

    /// What becomes of a row with which nothing else is wrong.
    fn answer(&mut self, named: &Named<'_>) -> Answer;
}

impl<F: FnMut(&Named<'_>) -> Answer> Reception for F {
    fn answer(&mut self, named: &Named<'_>) -> Answer {
        self(named)
    }
}

/// What became of a file.
#[derive(Clone, Debug)]
pub struct Stripped {
    /// Rows set aside, in order of line.
    pub quarantine: Vec<QuarantinedRow>,
    /// Remarks on rows that were written.
    pub warnings: Warnings,
    /// Rows in the file, header and blank lines aside.
    pub rows_read: u64,
    /// SHA-256 of the bytes that were read, in hexadecimal.
    pub digest: String,
}

/// Copies a file without its identities; `name` is the file as the user named it.
///
/// Takes time in proportion to the rows and memory for those set aside.
///
/// # Errors
/// What stops the import: a file that cannot be read or names nobody, a column that is unknown, a copy that cannot
/// be written.
pub fn strip(
    reader: impl Read,
    name: &str,
    kind: Kind,
    import: &Import,
    reception: &mut dyn Reception,
    out: impl Write,
) -> Result<Stripped, Vec<Finding>> {
    let mut rows = Rows::new(reader, name, import.delimiter, None);
    let (line, header) = rows.header()?;
    let places = Places::new(&header, kind, import)
        .map_err(|findings| findings.into_iter().map(|finding| finding.at(name, line, 0)).collect::<Vec<_>>())?;
    let writer = csv::WriterBuilder::new().delimiter(import.delimiter).from_writer(out);
    let mut copy =
        Copy { places, import, reception, writer, notes: Notes::new(name), quarantine: Vec::new(), failed: false };
    copy.header(&header);
    let rows_read = rows.each(|line, found| copy.row(line, &found))?;
    if copy.writer.flush().is_err() || copy.failed {
        let finding =
            Finding::new(Code::FileUnreadable, "the copy without identities cannot be written: is the disk full?");
        return Err(vec![finding.at(name, 0, 0)]);
    }
    copy.quarantine.sort_by_key(|row| row.line);
    let Copy { quarantine, notes, .. } = copy;
    Ok(Stripped { quarantine, warnings: notes.warnings, rows_read, digest: rows.digest() })
}

/// Where everything stands in a row.
struct Places {
    layout: Layout,
    /// In [`Layout`]: the columns of identities follow those of the kind.
    identities: usize,
    accession: usize,
    patient: usize,
    /// The column that is added because the file has none for pseudonyms, though it names patients.
    added: Option<String>,
    /// What is copied, in order of the file: position, what it holds, and the header.
    kept: Vec<(usize, Column, String)>,
}

impl Places {
    fn new(header: &StringRecord, kind: Kind, import: &Import) -> Result<Self, Vec<Finding>> {
        let own = kind.columns().iter().zip(kind.headers(import));
        let all = own.chain(COLUMNS.iter().zip(&import.identity_columns));
        let wanted: Vec<Wanted<'_>> = all.map(|(&canonical, header)| Wanted { canonical, header }).collect();
        let identities = kind.columns().len();
        // Results may go by accession alone; a backlog that names nobody needs no import.
        let number = [identities + NHS_NUMBER];
        let obligatory: &[&[usize]] = if kind == Kind::Backlog { &[&number] } else { &[] };
        let layout = Layout::new(header, &wanted, import, obligatory)?;
        let copied = |column: usize| {
            let Wanted { canonical, header } = wanted[column];
            let holds = match canonical {
                _ if TIMES.contains(&canonical) => Column::Times,
                _ if import.ten_digit_codes && CODES.contains(&canonical) => Column::TenDigits,
                _ => Column::Other,
            };
            Some((layout.position(column)?, holds, header.to_owned()))
        };
        let mut kept: Vec<(usize, Column, String)> = (0..identities).filter_map(copied).collect();
        kept.sort_unstable();
        let column = |name: &str| kind.columns().iter().position(|column| *column == name).unwrap_or(0);
        let patient = column(PATIENT);
        let names_patients = layout.position(identities + NHS_NUMBER).is_some();
        let lacking = names_patients && layout.position(patient).is_none();
        let added = lacking.then(|| kind.headers(import)[patient].clone());
        Ok(Self { layout, identities, accession: column(ACCESSION), patient, added, kept })
    }

    fn identity<'r>(&self, record: &'r StringRecord, column: usize) -> &'r str {
        self.layout.field(record, self.identities + column)
    }

    fn named<'r>(&self, record: &'r StringRecord, import: &Import) -> Named<'r> {
        let born = self.identity(record, DATE_OF_BIRTH);
        let date_of_birth = date(born, import);
        Named {
            nhs_number: self.identity(record, NHS_NUMBER),
            date_of_birth,
            date_unreadable: date_of_birth.is_none() && !born.is_empty(),
            name: self.identity(record, NAME),
            patient: self.layout.field(record, self.patient),
        }
    }
}

/// A copy in the making.
struct Copy<'a, W: Write> {
    places: Places,
    import: &'a Import,
    reception: &'a mut dyn Reception,
    writer: csv::Writer<W>,
    notes: Notes,
    quarantine: Vec<QuarantinedRow>,
    /// Whether the output could not be written.
    failed: bool,
}

impl<W: Write> Copy<'_, W> {
    fn header(&mut self, header: &StringRecord) {
        let fields: Vec<&str> = self.places.kept.iter().filter_map(|(at, ..)| header.get(*at)).collect();
        let added = self.places.added.as_deref();
        self.failed |= self.writer.write_record(fields.into_iter().chain(added)).is_err();
    }

    fn row(&mut self, line: u32, found: &Found<'_>) {
        self.notes.begin(line);
        let accession = match found {
            Found::Text(record) => {
                if let Some(pseudonym) = self.judge(record)
                    && self.notes.is_clean()
                {
                    self.write(record, &pseudonym);
                    self.notes.keep();
                    return;
                }
                usable_code(&self.places.layout, record.as_byte_record(), self.places.accession)
            }
            Found::NotUtf8(record) => {
                self.see_bytes(record);
                self.notes.refuse(Code::RowNotUtf8, "the row is not UTF-8");
                usable_code(&self.places.layout, record, self.places.accession)
            }
            Found::Refused(refusal) => {
                let (code, words) = refusal.words();
                self.notes.refuse(code, words);
                ""
            }
        };
        // A row that is out of step may have a name or a date where its accession should be.
        let sound = matches!(found, Found::Text(record) if record.len() == self.places.layout.fields);
        let elsewhere = self.notes.findings.iter().any(|finding| finding.code == Code::IdentityElsewhere);
        let accession = if sound && !elsewhere { accession } else { "" };
        self.quarantine.push(self.notes.set_aside(accession));
    }

    /// The pseudonym that a row is written under; `None` when it is set aside.
    fn judge(&mut self, record: &StringRecord) -> Option<String> {
        let places = &self.places;
        if record.len() != places.layout.fields {
            let message = format!("{} fields where the header has {}", record.len(), places.layout.fields);
            self.notes.refuse(Code::FieldCount, message);
            self.see_fields(record);
            return None;
        }
        let named = places.named(record, self.import);
        self.reception.see(&named);
        let elsewhere = Elsewhere::new(named.nhs_number, named.date_of_birth, named.name);
        let patient_at = places.layout.position(places.patient);
        for &(at, column, ref header) in &places.kept {
            // With an NHS number, what stands under `patient` is not written.
            let unused = Some(at) == patient_at && !named.nhs_number.is_empty();
            let known = |digits: &[u8; nhs::DIGITS]| self.reception.knows(digits);
            if !unused && elsewhere.is_in(record.get(at).unwrap_or_default(), column, self.import, known) {
                self.notes.refuse(Code::IdentityElsewhere, format!("`{header}` holds an identity"));
            }
        }
        if self.notes.is_clean() && named.nhs_number.is_empty() && named.patient.contains(char::is_whitespace) {
            self.notes.refuse(Code::IdentityElsewhere, "the pseudonym has blanks in it: it may be a name");
        }
        if !self.notes.is_clean() {
            return None;
        }
        match self.reception.answer(&named) {
            Answer::Write(pseudonym, remark) => {
                if let Some((code, words)) = remark {
                    self.notes.remark(code, || words.to_owned());
                }
                Some(pseudonym)
            }
            Answer::SetAside(code, words) => {
                self.notes.refuse(code, words);
                None
            }
        }
    }

    /// A row that is not UTF-8 is most likely in Windows' or ISO's western code, in which a byte is a character.
    fn see_bytes(&mut self, record: &ByteRecord) {
        let text = |field: &'_ [u8]| match std::str::from_utf8(field) {
            Ok(text) => text.to_owned(),
            Err(_) => field.iter().map(|&byte| char::from(byte)).collect(),
        };
        let record: StringRecord = record.iter().map(text).collect();
        if record.len() == self.places.layout.fields {
            self.reception.see(&self.places.named(&record, self.import));
        } else {
            self.see_fields(&record);
        }
    }

    /// Of a row that is out of step, any field may be a number, a date or a name.
    fn see_fields(&mut self, record: &StringRecord) {
        for field in record.iter().map(str::trim) {
            let words = |c: char| c.is_alphabetic() || c.is_whitespace() || ",.;'’-".contains(c);
            let name = if field.chars().all(words) { field } else { "" };
            let date_of_birth = date(field, self.import);
            // Codes of ten digits are no numbers of patients; most of them fail the check.
            let code = |digits: &[u8; nhs::DIGITS]| self.import.ten_digit_codes && !nhs::is_valid(digits);
            let nhs_number = if nhs::digits_of(field).is_some_and(|digits| code(&digits)) { "" } else { field };
            let named = Named { nhs_number, date_of_birth, date_unreadable: false, name, patient: "" };
            self.reception.see(&named);
        }
    }

    fn write(&mut self, record: &StringRecord, pseudonym: &str) {
        let patient_at = self.places.layout.position(self.places.patient);
        let cell = |at: usize| if Some(at) == patient_at { pseudonym } else { record.get(at).unwrap_or_default() };
        let added = self.places.added.as_ref().map(|_| pseudonym);
        let cells = self.places.kept.iter().map(|(at, ..)| cell(*at));
        self.failed |= self.writer.write_record(cells.chain(added)).is_err();
    }
}

fn date(text: &str, import: &Import) -> Option<NaiveDate> {
    import.date_formats.iter().find_map(|format| NaiveDate::parse_from_str(text, format).ok())
}
