//! Which results are out already? They answer lines of the backlog, which are then cancelled.

use std::io::Read;

use csv::StringRecord;
use labtriage_core::duplicates::ResultRow;
use labtriage_core::finding::{Code, Finding};

use crate::extract::{
    Codes, Context, Found, Layout, Notes, QuarantinedRow, Rows, Wanted, Warnings, check_identifier, instant,
    usable_code,
};

/// The name of the file in a scenario folder.
pub const FILE_NAME: &str = "results.csv";

/// The columns of a file of results; a row has an accession or a patient, or both.
pub const COLUMNS: [&str; 4] = ["accession", "patient", "test", "resulted_at"];

const ACCESSION: usize = 0;
const PATIENT: usize = 1;
const TEST: usize = 2;
const RESULTED_AT: usize = 3;
const OBLIGATORY: [&[usize]; 3] = [&[ACCESSION, PATIENT], &[TEST], &[RESULTED_AT]];

/// Results that were read.
#[derive(Clone, Debug)]
pub struct Results {
    /// Results, in order of line.
    pub rows: Vec<ResultRow>,
    /// Rows set aside, in order of line.
    pub quarantine: Vec<QuarantinedRow>,
    /// Remarks on rows that were kept.
    pub warnings: Warnings,
    /// SHA-256 of the file's bytes, in hexadecimal.
    pub digest: String,
}

/// Reads a file of results; `name` is the file as the user named it. A file without rows is fine.
///
/// # Errors
/// What stops the run: a file that cannot be read, a column that is unknown or missing, a mapping
/// of the import to a code that we do not have.
pub fn read_results(reader: impl Read, name: &str, context: &Context<'_>) -> Result<Results, Vec<Finding>> {
    let import = context.import;
    let codes = Codes::new(context)?;
    let mut rows = Rows::new(reader, name, import.delimiter, context.progress);
    let (line, header) = rows.header()?;
    let wanted: Vec<Wanted<'_>> =
        COLUMNS.iter().zip(&import.result_columns).map(|(&canonical, header)| Wanted { canonical, header }).collect();
    let layout = Layout::new(&header, &wanted, import, &OBLIGATORY)
        .map_err(|findings| findings.into_iter().map(|finding| finding.at(name, line, 0)).collect::<Vec<_>>())?;
    let mut results = Vec::new();
    let mut quarantine = Vec::new();
    let mut notes = Notes::new(name);
    rows.each(|line, found| {
        notes.begin(line);
        let (accession, result) = match found {
            Found::Text(record) => (
                usable_code(&layout, record.as_byte_record(), ACCESSION),
                read_row(record, &layout, &codes, context, &mut notes),
            ),
            Found::NotUtf8(record) => {
                notes.refuse(Code::RowNotUtf8, "the row is not UTF-8");
                (usable_code(&layout, record, ACCESSION), None)
            }
            Found::Refused(refusal) => {
                let (code, words) = refusal.words();
                notes.refuse(code, words);
                ("", None)
            }
        };
        match result.filter(|_| notes.is_clean()) {
            Some(result) => {
                notes.keep();
                results.push(result);
            }
            None => quarantine.push(notes.set_aside(accession)),
        }
    })?;
    quarantine.sort_by_key(|row| row.line);
    Ok(Results { rows: results, quarantine, warnings: notes.warnings, digest: rows.digest() })
}

fn read_row(
    record: &StringRecord,
    layout: &Layout,
    codes: &Codes,
    context: &Context<'_>,
    notes: &mut Notes,
) -> Option<ResultRow> {
    if record.len() != layout.fields {
        notes.refuse(Code::FieldCount, format!("{} fields where the header has {}", record.len(), layout.fields));
        return None;
    }
    let name = |column: usize| context.import.result_columns[column].as_str();
    let [accession, patient] = [ACCESSION, PATIENT].map(|column| {
        let text = layout.field(record, column);
        check_identifier(text, name(column), column == ACCESSION && layout.ten_digit_codes, notes);
        (!text.is_empty()).then(|| text.to_owned())
    });
    if accession.is_none() && patient.is_none() {
        notes.refuse(Code::MissingValue, format!("`{}` and `{}` are both empty", name(ACCESSION), name(PATIENT)));
    }
    let [code, time] = [TEST, RESULTED_AT].map(|column| {
        let text = layout.field(record, column);
        if text.is_empty() {
            notes.refuse(Code::MissingValue, format!("`{}` is empty", name(column)));
        }
        (!text.is_empty()).then_some(text)
    });
    let test = code.and_then(|code| codes.tests.find(code));
    if let (Some(code), None) = (code, test) {
        notes.refuse(Code::UnknownTest, codes.tests.unknown(code));
    }
    let resulted = time.and_then(|text| instant(context, text, name(RESULTED_AT), notes));
    Some(ResultRow { accession, patient, test: test?, resulted: resulted?, line: notes.line })
}
