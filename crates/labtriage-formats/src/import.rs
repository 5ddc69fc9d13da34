//! How does a laboratory's extract say what ours says? Its headers, dates, lists and codes.

use chrono::NaiveDate;
use chrono::format::{Item, StrftimeItems};
use labtriage_core::catalogue::Condition;
use labtriage_core::finding::Finding;
use labtriage_core::time::Zone;

use crate::config::toml_file::{Cursor, TomlFile, Value};
use crate::extract::COLUMNS;
use crate::extract::times::{TimeFormat, TimeFormats};
use crate::{identified, results};

/// The formats that count when `[times] formats` is not there.
const FORMATS: [&str; 3] = ["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%d/%m/%Y %H:%M"];
/// The formats of a date of birth that count when `[identities] date_formats` is not there.
const DATE_FORMATS: [&str; 2] = ["%Y-%m-%d", "%d/%m/%Y"];
/// The most entries of a list, and the longest code of a laboratory in bytes.
const LIST_MAX: usize = 100;
const CODE_BYTES_MAX: usize = 64;

/// A kind of code that a laboratory may have words of its own for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CodeKind {
    /// Tests and panels.
    Test,
    /// Specimen types.
    Specimen,
    /// Laboratories.
    Site,
    /// Practices and wards, by ODS code.
    Requester,
    /// Bands.
    Band,
    /// Clinical flags and sample flags.
    Flag,
    /// Storage conditions.
    Condition,
}

impl CodeKind {
    const ALL: [Self; 7] =
        [Self::Test, Self::Specimen, Self::Site, Self::Requester, Self::Band, Self::Flag, Self::Condition];

    /// The word used in messages.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Specimen => "specimen",
            Self::Site => "site",
            Self::Requester => "requester",
            Self::Band => "band",
            Self::Flag => "flag",
            Self::Condition => "condition",
        }
    }

    const fn section(self) -> &'static str {
        match self {
            Self::Test => "tests",
            Self::Specimen => "specimens",
            Self::Site => "sites",
            Self::Requester => "requesters",
            Self::Band => "bands",
            Self::Flag => "flags",
            Self::Condition => "conditions",
        }
    }
}

/// A code of the laboratory and what we call it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Mapped {
    pub(crate) theirs: String,
    pub(crate) ours: String,
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// The mapping of a laboratory's extract onto ours: what `import.toml` says.
///
/// Codes are checked against catalogue, network and policy when an extract is read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Import {
    name: String,
    pub(crate) delimiter: u8,
    /// Accessions and requests of ten digits are codes of the laboratory.
    pub(crate) ten_digit_codes: bool,
    pub(crate) times: TimeFormats,
    pub(crate) separator: char,
    pub(crate) held_mark: String,
    pub(crate) default_condition: Condition,
    pub(crate) columns: Vec<String>,
    pub(crate) result_columns: Vec<String>,
    pub(crate) ignore: Vec<String>,
    pub(crate) identity_columns: Vec<String>,
    pub(crate) date_formats: Vec<String>,
    codes: [Vec<Mapped>; 7],
}

impl Default for Import {
    /// Our own columns, codes and dates.
    fn default() -> Self {
        let own = |columns: &[&str]| columns.iter().map(|&column| column.to_owned()).collect();
        Self {
            name: "import.toml".to_owned(),
            delimiter: b',',
            ten_digit_codes: false,
            times: TimeFormats {
                zone: Zone::LONDON,
                formats: FORMATS.iter().filter_map(|format| TimeFormat::new(format)).collect(),
            },
            separator: ';',
            held_mark: "*".to_owned(),
            default_condition: Condition::Ambient,
            columns: own(&COLUMNS),
            result_columns: own(&results::COLUMNS),
            ignore: Vec::new(),
            identity_columns: own(&identified::COLUMNS),
            date_formats: own(&DATE_FORMATS),
            codes: Default::default(),
        }
    }
}

impl Import {
    /// Reads `import.toml`; what it leaves out is as in [`Import::default`].
    ///
    /// # Errors
    /// All findings at once, in order of place.
    pub fn read(name: &str, text: &str) -> Result<Self, Vec<Finding>> {
        let file = TomlFile::parse(name, text);
        let mut root = file.root();
        let import = read_root(name, &mut root);
        root.finish();
        file.finish(import)
    }

    /// The file it was read from, as the user named it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The time zone of the laboratory's clock.
    pub fn zone(&self) -> Zone {
        self.times.zone
    }

    /// The laboratory's own codes of a kind, in order of the file.
    pub(crate) fn mapped(&self, kind: CodeKind) -> &[Mapped] {
        &self.codes[kind as usize]
    }
}

fn read_root(name: &str, root: &mut Cursor<'_>) -> Option<Import> {
    let own = Import::default();
    let file = section(root, "file", |file| {
        let delimiter = file.or("delimiter", own.delimiter, delimiter);
        delimiter.zip(file.or("ten_digit_codes", own.ten_digit_codes, Value::boolean))
    });
    let times = section(root, "times", |times| {
        let zone = times
            .or("zone", own.times.zone, |value| value.parsed("a time zone such as `Europe/London`", Zone::from_name));
        let formats = times.or("formats", own.times.formats.clone(), formats);
        Some(TimeFormats { zone: zone?, formats: formats? })
    });
    let lists = section(root, "lists", |lists| {
        let separator = lists.or("separator", own.separator, separator);
        let mark = lists.or("held_mark", own.held_mark.clone(), held_mark);
        separator.zip(mark)
    });
    let conditions = Condition::ALL.map(|condition| (condition.text(), condition));
    let condition = section(root, "defaults", |defaults| {
        defaults.or("condition", own.default_condition, |value| value.choice(&conditions))
    });
    let columns = section(root, "columns", |columns| {
        let ignore = columns.list("ignore", |value| header(value));
        headers(columns, &COLUMNS).zip(ignore)
    });
    let result_columns = section(root, "results", |columns| headers(columns, &results::COLUMNS));
    let identities = section(root, "identities", |columns| {
        let formats = columns.or("date_formats", own.date_formats.clone(), date_formats);
        headers(columns, &identified::COLUMNS).zip(formats)
    });
    let codes = section(root, "codes", |codes| {
        let maps = CodeKind::ALL.map(|kind| codes.or(kind.section(), Vec::new(), mapping));
        let mut all: [Vec<Mapped>; 7] = Default::default();
        for (all, map) in all.iter_mut().zip(maps) {
            *all = map?;
        }
        Some(all)
    });
    let ((separator, held_mark), (columns, ignore)) = lists.zip(columns)?;
    let ((delimiter, ten_digit_codes), (identity_columns, date_formats)) = file.zip(identities)?;
    apart(root, &identity_columns, columns.iter().chain(result_columns.as_ref()?))?;
    Some(Import {
        name: name.to_owned(),
        delimiter,
        ten_digit_codes,
        times: times?,
        separator,
        held_mark,
        default_condition: condition?,
        columns,
        result_columns: result_columns?,
        ignore,
        identity_columns,
        date_formats,
        codes: codes?,
    })
}

/// Reads a section to its end; one that is not there reads as an empty one.
fn section<T>(root: &mut Cursor<'_>, key: &'static str, read: impl FnOnce(&mut Cursor<'_>) -> Option<T>) -> Option<T> {
    match root.optional(key, Value::table)? {
        Some(mut table) => {
            let found = read(&mut table);
            table.finish();
            found
        }
        None => read(&mut TomlFile::parse("", "").root()),
    }
}

/// The header of each of our columns: what the table says, else our own name.
fn headers(table: &mut Cursor<'_>, ours: &[&'static str]) -> Option<Vec<String>> {
    let named: Vec<_> = ours.iter().map(|&column| table.or(column, column.to_owned(), header)).collect();
    let named: Vec<String> = named.into_iter().collect::<Option<_>>()?;
    for (n, header) in named.iter().enumerate() {
        if let Some(first) = named[..n].iter().position(|other| other == header) {
            let message = format!("`{}` and `{}` are both read from one column of the file", ours[first], ours[n]);
            table.report(Finding::new(labtriage_core::finding::Code::DuplicateCode, message));
            return None;
        }
    }
    Some(named)
}

/// A column that names patients is no other column too.
fn apart<'a>(root: &Cursor<'_>, identities: &[String], mut others: impl Iterator<Item = &'a String>) -> Option<()> {
    let Some(both) = others.find(|other| identities.contains(other)) else { return Some(()) };
    let message = format!("`{both}` is a column of `[identities]` and of `[columns]` or `[results]`");
    root.report(Finding::new(labtriage_core::finding::Code::DuplicateCode, message));
    None
}

fn header(value: Value<'_>) -> Option<String> {
    let trimmed = |text: &str| {
        let text = text.trim();
        (!text.is_empty() && text.len() <= 200 && !text.contains(char::is_control)).then(|| text.to_owned())
    };
    value.parsed("a column's header of 1 to 200 characters", trimmed)
}

fn delimiter(value: Value<'_>) -> Option<u8> {
    value.parsed("one character such as `,`, `;`, `|` or a tab", |text| match text.as_bytes() {
        [byte @ (b'\t' | b' '..=b'~')] if *byte != b'"' && !byte.is_ascii_alphanumeric() => Some(*byte),
        _ => None,
    })
}

fn separator(value: Value<'_>) -> Option<char> {
    value.parsed("one character such as `;`", |text| {
        let mut chars = text.chars();
        chars.next().filter(|c| !c.is_alphanumeric() && !c.is_control() && *c != '"' && chars.next().is_none())
    })
}

fn held_mark(value: Value<'_>) -> Option<String> {
    let fits = |text: &str| (1..=8).contains(&text.len()) && text == text.trim();
    value.parsed("1 to 8 characters such as `*`", |text| fits(text).then(|| text.to_owned()))
}

fn formats(value: Value<'_>) -> Option<Vec<TimeFormat>> {
    let expected = "a format of year, month, day, hour and minute such as `%d/%m/%Y %H:%M`";
    let formats = value.list(|value| value.parsed(expected, TimeFormat::new))?;
    if formats.is_empty() || formats.len() > LIST_MAX {
        return value.wrong_kind("a list of 1 to 100 formats");
    }
    Some(formats)
}

fn date_formats(value: Value<'_>) -> Option<Vec<String>> {
    let expected = "a format of year, month and day such as `%d/%m/%Y`";
    let formats = value.list(|value| value.parsed(expected, |text| says_a_date(text).then(|| text.to_owned())))?;
    if formats.is_empty() || formats.len() > LIST_MAX {
        return value.wrong_kind("a list of 1 to 100 formats");
    }
    Some(formats)
}

/// Whether a format says a whole date, and nothing that a date cannot say.
fn says_a_date(format: &str) -> bool {
    use std::fmt::Write;
    let Some(sample) = NaiveDate::from_ymd_opt(2024, 11, 23) else { return false };
    let mut written = String::new();
    let sound = !format.contains("%y") && StrftimeItems::new(format).all(|item| item != Item::Error);
    sound
        && write!(written, "{}", sample.format(format)).is_ok()
        && NaiveDate::parse_from_str(&written, format) == Ok(sample)
}

/// Line and column of a value, from 1.
fn place(value: Value<'_>) -> (u32, u32) {
    let text = value.place_text();
    let mut numbers = text.rsplit(':').map(|number| number.parse().unwrap_or(0));
    let column = numbers.next().unwrap_or(0);
    (numbers.next().unwrap_or(0), column)
}

fn mapping(value: Value<'_>) -> Option<Vec<Mapped>> {
    let code = |text: &str| {
        let text = text.trim();
        ((1..=CODE_BYTES_MAX).contains(&text.len()) && !text.contains(char::is_control)).then(|| text.to_owned())
    };
    let entry = |(theirs, value): (&str, Value<'_>)| {
        let ours = value.parsed("one of our codes", code);
        let Some(theirs) = code(theirs) else {
            return value.wrong_kind("a code of the laboratory of 1 to 64 bytes as its key");
        };
        let (line, column) = place(value);
        Some(Mapped { theirs, ours: ours?, line, column })
    };
    let mut table = value.table()?;
    let entries: Vec<Option<Mapped>> = table.entries().into_iter().map(entry).collect();
    entries.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let found: Vec<String> = match Import::read("import.toml", text) {
            Ok(_) => Vec::new(),
            Err(findings) => findings.iter().map(ToString::to_string).collect(),
        };
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.contains(expected), "{found:?} does not contain {expected:?}");
        }
    }

    #[test]
    fn the_shipped_file_says_what_an_empty_one_says() {
        let shipped = include_str!("../../../config/import.toml");
        assert_eq!(Import::read("import.toml", shipped), Ok(Import::default()));
        assert_eq!(Import::read("import.toml", ""), Ok(Import::default()));
    }

    #[test]
    fn the_worked_example_of_the_shipped_file_can_be_read() {
        let shipped = include_str!("../../../config/import.toml");
        let (_, example) = shipped.split_once("# --8<-- example\n").unwrap();
        let example: Vec<&str> = example.lines().map(|line| line.strip_prefix("#| ").unwrap_or("")).collect();
        let import = Import::read("import.toml", &example.join("\n")).unwrap();
        assert_eq!(import.columns[0], "Lab No");
        assert_eq!(import.mapped(CodeKind::Specimen)[0].ours, "SST");
    }

    #[test]
    fn every_section_is_read() {
        let text = "
            [file]
            delimiter = \"\\t\"
            ten_digit_codes = true
            [times]
            zone = \"UTC\"
            formats = [\"%d-%b-%Y %H:%M\"]
            [lists]
            separator = \"|\"
            held_mark = \"(held)\"
            [defaults]
            condition = \"refrigerated\"
            [columns]
            accession = \"Lab No\"
            ignore = [\"Comment\"]
            [results]
            accession = \"Lab No\"
            [codes.tests]
            FBCP = \"FBC\"
            [identities]
            name = \"Surname, First name\"
            date_formats = [\"%d-%b-%Y\"]
        ";
        let import = Import::read("import.toml", text).unwrap();
        assert_eq!((import.delimiter, import.separator, import.held_mark.as_str()), (b'\t', '|', "(held)"));
        assert!(import.ten_digit_codes);
        assert_eq!(import.default_condition, Condition::Refrigerated);
        assert_eq!((import.columns[0].as_str(), import.columns[1].as_str()), ("Lab No", "request"));
        assert_eq!(import.ignore, ["Comment"]);
        assert_eq!(import.identity_columns, ["nhs_number", "date_of_birth", "Surname, First name"]);
        assert_eq!(import.date_formats, ["%d-%b-%Y"]);
        assert_eq!(
            (import.mapped(CodeKind::Test)[0].ours.as_str(), import.mapped(CodeKind::Test)[0].line),
            ("FBC", 19)
        );
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        check(
            "[file]\ndelimiter = \"ab\"\n[times]\nzone = \"Mars\"\nformats = [\"%Q\"]",
            &["one character", "time zone", "format"],
        );
        check("[columns]\naccesion = \"Lab No\"", &["unknown key `accesion`"]);
        check("[columns]\naccession = \"request\"", &["both read from one column"]);
        check("[times]\nformats = []", &["1 to 100 formats"]);
        check("[codes.tests]\n\"\" = \"FBC\"\nX = 3", &["of the laboratory", "in quotes"]);
        check("[identities]\ndate_formats = [\"%d/%m\", \"%d/%m/%y\"]", &["year, month and day"; 2]);
        check("[identities]\nname = \"patient\"", &["`patient` is a column of `[identities]`"]);
        check("[identities]\nname = \"nhs_number\"", &["both read from one column"]);
        check("[colour]", &["unknown key `colour`"]);
    }
}
