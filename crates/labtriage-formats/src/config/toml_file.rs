//! What does a TOML file say, and what is wrong with it, all of it at once?
//!
//! A [`TomlFile`] parses a text once and collects findings. A [`Cursor`] walks one table and takes
//! its keys one by one; [`Cursor::finish`] reports the keys that nobody took. A [`Value`] is one
//! value with its place. Every reader returns `None` after it has reported what is wrong, so that
//! an entry is read to its end before it is given up:
//!
//! ```
//! use labtriage_formats::config::toml_file::{TomlFile, Value};
//!
//! let file = TomlFile::parse("site.toml", "code = 7\nrate = 2");
//! let mut root = file.root();
//! let (code, name) = (root.required("code", Value::code), root.required("name", Value::text));
//! root.finish();
//! let findings = file.finish(code.zip(name)).unwrap_err();
//! assert_eq!(findings.len(), 3); // no `name`, `code` is no text, `rate` is not known
//! ```

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use labtriage_core::finding::{Code, Finding, nearest};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The most findings of one file that are kept; the last says how many more there are.
pub const FINDINGS_MAX: usize = 1000;
/// The longest code, in characters.
pub const CODE_MAX: usize = 24;
/// The longest text, in bytes.
const TEXT_MAX: usize = 2000;

/// A parsed TOML file and the findings about it.
#[derive(Debug)]
pub struct TomlFile<'t> {
    name: &'t str,
    text: &'t str,
    line_starts: Vec<usize>,
    root: Spanned<DeTable<'t>>,
    findings: RefCell<Vec<Finding>>,
    /// Findings beyond [`FINDINGS_MAX`], which are only counted: a hostile file has no end of them.
    more: Cell<usize>,
}

impl<'t> TomlFile<'t> {
    /// Parses a text; what is not TOML becomes findings, and the rest can still be read.
    pub fn parse(name: &'t str, text: &'t str) -> Self {
        let (root, errors) = DeTable::parse_recoverable(text);
        let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let file = Self { name, text, line_starts, root, findings: RefCell::default(), more: Cell::new(0) };
        for error in errors {
            let at = error.span().map_or(0, |span| span.start);
            file.report(at, Finding::new(Code::Syntax, error.message()));
        }
        file
    }

    /// The table that is the file itself.
    pub fn root(&self) -> Cursor<'_> {
        Cursor { file: self, table: self.root.get_ref(), at: 0, name: String::new(), taken: Vec::new() }
    }

    /// The value, when nothing was found.
    ///
    /// # Errors
    /// [`TomlFile::into_findings`].
    pub fn finish<T>(self, value: Option<T>) -> Result<T, Vec<Finding>> {
        let nameless = Finding::new(Code::WrongValue, "the file was refused without a reason; this is likely a bug");
        let nameless = nameless.at(self.name, 0, 0);
        let findings = self.into_findings();
        match value {
            Some(value) if findings.is_empty() => Ok(value),
            None if findings.is_empty() => Err(vec![nameless]),
            _ => Err(findings),
        }
    }

    /// All findings in order of place, without repeats. Where the syntax is broken, findings that
    /// may only be consequences of it (a key or a name that is not there) are left out.
    pub fn into_findings(self) -> Vec<Finding> {
        let mut findings = self.findings.into_inner();
        leave_out_consequences(&mut findings);
        findings.sort();
        findings.dedup();
        if let (more @ 1.., Some(last)) = (self.more.get(), findings.last_mut()) {
            last.hint = Some(format!("{more} more findings in this file are not shown"));
        }
        findings
    }

    /// Line and column (in characters) of a byte, from 1.
    fn place(&self, at: usize) -> (u32, u32) {
        let at = at.min(self.text.len());
        let line = self.line_starts.partition_point(|start| *start <= at);
        let start = self.line_starts[line.saturating_sub(1)];
        let column = self.text.get(start..at).map_or(0, |before| before.chars().count()) + 1;
        (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
    }

    fn report(&self, at: usize, finding: Finding) {
        if self.findings.borrow().len() == FINDINGS_MAX {
            self.more.set(self.more.get() + 1);
            return;
        }
        let (line, column) = self.place(at);
        self.findings.borrow_mut().push(finding.at(self.name, line, column));
    }
}

/// A broken line hides keys and names; that they are missing then says nothing.
fn leave_out_consequences(findings: &mut Vec<Finding>) {
    let line = |finding: &Finding| finding.place.as_ref().map(|place| place.line);
    let syntax = |finding: &Finding| finding.code == Code::Syntax;
    let broken: BTreeSet<_> = findings.iter().filter(|f| syntax(f)).map(line).collect();
    if !broken.is_empty() {
        let own = |f: &Finding| matches!(f.code, Code::UnknownKey | Code::WrongValue | Code::DuplicateCode);
        findings.retain(|finding| syntax(finding) || own(finding) && !broken.contains(&line(finding)));
    }
}

/// Walks one table: takes keys one by one, and in the end reports those that nobody took.
#[derive(Clone, Debug)]
pub struct Cursor<'f> {
    file: &'f TomlFile<'f>,
    table: &'f DeTable<'f>,
    at: usize,
    /// The key it stands under; empty for the file itself.
    name: String,
    taken: Vec<&'static str>,
}

impl<'f> Cursor<'f> {
    /// A key that must be there.
    pub fn required<T>(&mut self, key: &'static str, read: impl FnOnce(Value<'f>) -> Option<T>) -> Option<T> {
        match self.take(key) {
            Some(value) => read(value),
            None => {
                self.report(Finding::new(Code::MissingKey, format!("missing key `{key}`{}", self.inside())));
                None
            }
        }
    }

    /// A key that may be there: `Some(None)` when it is not, `None` when it is there but wrong.
    pub fn optional<T>(&mut self, key: &'static str, read: impl FnOnce(Value<'f>) -> Option<T>) -> Option<Option<T>> {
        match self.take(key) {
            Some(value) => read(value).map(Some),
            None => Some(None),
        }
    }

    /// A key that may be there, with what counts when it is not.
    pub fn or<T>(&mut self, key: &'static str, absent: T, read: impl FnOnce(Value<'f>) -> Option<T>) -> Option<T> {
        match self.take(key) {
            Some(value) => read(value),
            None => Some(absent),
        }
    }

    /// A list that may be there; empty when it is not.
    pub fn list<T>(&mut self, key: &'static str, read: impl FnMut(Value<'f>) -> Option<T>) -> Option<Vec<T>> {
        self.or(key, Vec::new(), |value| value.list(read))
    }

    /// A list that must be there and hold something.
    pub fn some_list<T>(&mut self, key: &'static str, read: impl FnMut(Value<'f>) -> Option<T>) -> Option<Vec<T>> {
        self.required(key, |value| {
            let items = value.list(read)?;
            if items.is_empty() { value.wrong_kind("a list of at least one entry") } else { Some(items) }
        })
    }

    /// A table that must be there.
    pub fn table(&mut self, key: &'static str) -> Option<Self> {
        self.required(key, Value::table)
    }

    /// The entries of an array of tables, `[[key]]` or `key = [{ … }]`; none when it is not there.
    pub fn tables(&mut self, key: &'static str) -> Vec<Self> {
        self.list(key, |value| value.table().map(Some).or(Some(None))).into_iter().flatten().flatten().collect()
    }

    /// The same, where there must be at least one.
    pub fn some_tables(&mut self, key: &'static str) -> Vec<Self> {
        let entries = self.tables(key);
        if self.peek(key).is_none() {
            self.report(Finding::new(Code::MissingKey, format!("no entry `[[{key}]]`, expected at least one")));
        }
        entries
    }

    /// Every key and value of a table whose keys are names, in order of the file.
    pub fn entries(&mut self) -> Vec<(&'f str, Value<'f>)> {
        let mut entries: Vec<_> = self.table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let value = |key: &'f str, value: &'f Spanned<DeValue<'f>>| Value::new(self.file, key, value);
        entries.into_iter().map(|(key, found)| (&**key.get_ref(), value(key.get_ref(), found))).collect()
    }

    /// A key without taking it.
    pub fn peek(&self, key: &'static str) -> Option<Value<'f>> {
        self.table.get_key_value(key).map(|(_, found)| Value::new(self.file, key, found))
    }

    /// Reports the keys that nobody took.
    pub fn finish(&self) {
        for key in self.table.keys().filter(|key| !self.taken.contains(&&**key.get_ref())) {
            let found = shortened(key.get_ref());
            let finding = Finding::new(Code::UnknownKey, format!("unknown key `{found}`{}", self.inside()));
            let hint = match nearest(key.get_ref(), self.taken.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known keys: {}", self.taken.join(", ")),
            };
            self.file.report(key.span().start, finding.hint(hint));
        }
    }

    /// Reports something about the table as a whole.
    pub fn report(&self, finding: Finding) {
        self.file.report(self.at, finding);
    }

    /// The line of the table, from 1.
    pub fn line(&self) -> u32 {
        self.file.place(self.at).0
    }

    fn take(&mut self, key: &'static str) -> Option<Value<'f>> {
        self.taken.push(key);
        self.peek(key)
    }

    fn inside(&self) -> String {
        if self.name.is_empty() { String::new() } else { format!(" in `{}`", self.name) }
    }
}

/// One value with its key and place.
#[derive(Clone, Copy, Debug)]
pub struct Value<'f> {
    file: &'f TomlFile<'f>,
    key: &'f str,
    value: &'f DeValue<'f>,
    at: usize,
}

impl<'f> Value<'f> {
    fn new(file: &'f TomlFile<'f>, key: &'f str, found: &'f Spanned<DeValue<'f>>) -> Self {
        Self { file, key, value: found.get_ref(), at: found.span().start }
    }

    /// Reports something about this value.
    pub fn report(self, finding: Finding) {
        self.file.report(self.at, finding);
    }

    /// Line and column, from 1.
    pub fn place(self) -> (u32, u32) {
        self.file.place(self.at)
    }

    /// `file:line:column`, for a finding elsewhere that names this place too.
    pub fn place_text(self) -> String {
        let (line, column) = self.place();
        format!("{}:{line}:{column}", self.file.name)
    }

    /// Reports that the value is not what was expected, and shows it.
    pub fn wrong<T>(self, expected: &str) -> Option<T> {
        self.report(self.finding(expected));
        None
    }

    /// Reports that the value is not what was expected, without showing it.
    pub fn wrong_kind<T>(self, expected: &str) -> Option<T> {
        let message = format!("`{}` is {}, expected {expected}", self.key, self.kind());
        self.report(Finding::new(Code::WrongValue, message));
        None
    }

    /// The finding of [`Value::wrong`], for adding a hint.
    pub fn finding(self, expected: &str) -> Finding {
        Finding::new(Code::WrongValue, format!("`{}` is {}, expected {expected}", self.key, self.shown()))
    }

    /// The text, silently; `None` when it is none.
    pub fn str(self) -> Option<&'f str> {
        self.value.as_str()
    }

    /// A text that a reader of texts understands.
    pub fn parsed<T>(self, expected: &str, read: impl FnOnce(&'f str) -> Option<T>) -> Option<T> {
        match self.str() {
            Some(text) => read(text).or_else(|| self.wrong(expected)),
            None => self.wrong_kind(&format!("{expected}, in quotes")),
        }
    }

    /// Words for people: not empty, without control characters, at most 2,000 bytes. Never shown
    /// in a finding.
    pub fn text(self) -> Option<String> {
        let fits = |text: &&str| {
            !text.trim().is_empty() && text.len() <= TEXT_MAX && !text.chars().any(|c| c.is_control() && c != '\n')
        };
        match self.str() {
            Some(text) if fits(&text) => Some(text.to_owned()),
            Some(_) => self.wrong_kind("1 to 2000 characters, none of them a control character"),
            None => self.wrong_kind("text in quotes"),
        }
    }

    /// A code: upper-case letters, digits, `-`, `_`, at most 24 characters.
    pub fn code(self) -> Option<String> {
        let fits = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || "-_".contains(c);
        self.named("a code of at most 24 upper-case letters, digits, `-` and `_`", fits)
    }

    /// A name that other entries refer to: letters, digits, `-`, `_`, at most 24 characters.
    pub fn word(self) -> Option<String> {
        let fits = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        self.named("a name of at most 24 letters, digits, `-` and `_`", fits)
    }

    fn named(self, expected: &str, fits: impl Fn(char) -> bool) -> Option<String> {
        let whole = |text: &'f str| (1..=CODE_MAX).contains(&text.len()) && text.chars().all(fits);
        self.parsed(expected, |text| whole(text).then(|| text.to_owned()))
    }

    /// `true` or `false`.
    pub fn boolean(self) -> Option<bool> {
        self.value.as_bool().or_else(|| self.wrong("`true` or `false`"))
    }

    /// A whole number in a range.
    pub fn whole(self, range: RangeInclusive<u32>) -> Option<u32> {
        let number = self.value.as_integer().and_then(|found| u32::from_str_radix(found.as_str(), found.radix()).ok());
        number
            .filter(|number| range.contains(number))
            .or_else(|| self.wrong(&format!("a whole number from {} to {}", range.start(), range.end())))
    }

    /// A number with up to three decimals, in a range of whole numbers; in thousandths.
    pub fn thousandths(self, range: RangeInclusive<u32>) -> Option<u64> {
        let text = match self.value {
            DeValue::Integer(found) if found.radix() == 10 => found.as_str(),
            DeValue::Float(found) => found.as_str(),
            _ => "",
        };
        let (least, most) = (u64::from(*range.start()) * 1000, u64::from(*range.end()) * 1000);
        thousandths_of(text).filter(|found| (least..=most).contains(found)).or_else(|| {
            self.wrong(&format!("a number from {} to {} with at most three decimals", range.start(), range.end()))
        })
    }

    /// One of a few words.
    pub fn choice<T: Copy>(self, known: &[(&'static str, T)]) -> Option<T> {
        let words = known.iter().map(|(word, _)| *word);
        let found = self.str().and_then(|text| known.iter().find(|(word, _)| *word == text));
        if found.is_none() {
            let list: Vec<String> = words.clone().map(|word| format!("`{word}`")).collect();
            let finding = self.finding(&format!("one of {}", list.join(", ")));
            let near = self.str().and_then(|text| nearest(text, words));
            self.report(match near {
                Some(near) => finding.hint(format!("did you mean `{near}`?")),
                None => finding,
            });
        }
        found.map(|&(_, value)| value)
    }

    /// A list, each entry read alike; `None` when any is wrong, after all have been read.
    pub fn list<T>(self, mut read: impl FnMut(Self) -> Option<T>) -> Option<Vec<T>> {
        let Some(items) = self.value.as_array() else {
            return self.wrong_kind("a list in square brackets");
        };
        all(items.iter().map(|item| read(Self::new(self.file, self.key, item))))
    }

    /// A table.
    pub fn table(self) -> Option<Cursor<'f>> {
        let Some(table) = self.value.as_table() else {
            return self.wrong_kind("a table");
        };
        let name = self.key.to_owned();
        Some(Cursor { file: self.file, table, at: self.at, name, taken: Vec::new() })
    }

    fn kind(self) -> &'static str {
        match self.value {
            DeValue::String(_) => "text",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "`true` or `false`",
            DeValue::Datetime(_) => "a date or time without quotes",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        }
    }

    fn shown(self) -> String {
        match self.value {
            DeValue::String(text) => format!("{:?}", shortened(text)),
            DeValue::Integer(number) => number.to_string(),
            DeValue::Float(number) => number.to_string(),
            DeValue::Boolean(value) => value.to_string(),
            _ => self.kind().to_owned(),
        }
    }
}

/// A decimal number without exponent, in thousandths; more decimals are refused, not rounded.
fn thousandths_of(text: &str) -> Option<u64> {
    let (whole, decimals) = text.trim_start_matches('+').split_once('.').unwrap_or((text, ""));
    let decimals = decimals.trim_end_matches('0');
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(decimals) || decimals.len() > 3 {
        return None;
    }
    let fraction: u64 = format!("{decimals:0<3}").parse().ok()?;
    whole.parse::<u64>().ok()?.checked_mul(1000)?.checked_add(fraction)
}

/// All of them, or nothing, after every one has been read and reported on.
pub(crate) fn all<T>(read: impl IntoIterator<Item = Option<T>>) -> Option<Vec<T>> {
    let read: Vec<Option<T>> = read.into_iter().collect();
    read.into_iter().collect()
}

/// At most 40 characters of what was found.
fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(40).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let file = TomlFile::parse("f", text);
        let mut root = file.root();
        let name = root.required("name", Value::text);
        let list = root.list("list", |value| value.whole(1..=9));
        root.finish();
        let found = file.finish(name.zip(list)).err().unwrap_or_default();
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn places_count_characters_from_one() {
        check("name = 'a'\nlist = [1, 2]", &[]);
        check("", &["f:1:1: C004 missing key `name`"]);
        let out_of_range = "C003 `list` is 10, expected a whole number from 1 to 9";
        check("name = 'a'\r\nlist = [ 1, 10 ]", &[&format!("f:2:13: {out_of_range}")]);
        check("\u{feff}# äö\nlist = [10]\nname = 'a'", &[&format!("f:2:9: {out_of_range}")]);
        check("list = [1, # ä\n2]\nname = 'äöü' ä", &["f:3:14: C001 unexpected key or value, expected newline, `#`"]);
    }

    #[test]
    fn a_key_twice_and_a_broken_line_are_findings_of_their_own() {
        check("name = 'a'\nname = 'b'", &["f:2:1: C001 duplicate key"]);
        let broken = "f:1:7: C001 string values must be quoted, expected literal string";
        check("nam = \nlist = [0]", &[broken, "f:2:9: C003 `list` is 0, expected a whole number from 1 to 9"]);
    }

    #[test]
    fn decimals_are_never_rounded() {
        for (text, thousandths) in
            [("1", 1000), ("0.05", 50), ("250.5", 250_500), ("1.000", 1000), ("+2.125", 2125), ("0", 0)]
        {
            assert_eq!(thousandths_of(text), Some(thousandths), "{text}");
        }
        for text in ["", ".5", "-1", "1e3", "1.0005", "nan", "inf", "99999999999999999999"] {
            assert_eq!(thousandths_of(text), None, "{text}");
        }
    }
}
