//! Which entry does a name mean? Codes of one kind, declared once and referred to from elsewhere.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use labtriage_core::catalogue::Catalogue;
use labtriage_core::finding::{Code, Finding, nearest};
use labtriage_core::table::{DisciplineIx, Ix, TestIx};

use super::toml_file::{Cursor, Value};

/// The names of one kind of entry and the rows they mean.
#[derive(Clone, Debug)]
pub(super) struct Names<I> {
    /// What is named, for findings: `test`.
    what: &'static str,
    rows: BTreeMap<String, usize>,
    /// The file that declares them could not be read: every name counts as known.
    lenient: bool,
    index: PhantomData<fn() -> I>,
}

impl<I: Ix> Names<I> {
    /// The names that entries of a file declare under `key`, in rows of their order.
    ///
    /// Names that stand twice are reported with both places, and so are more than `most` entries.
    pub(super) fn declare<'e, 'f: 'e>(
        what: &'static str,
        entries: impl IntoIterator<Item = &'e Cursor<'f>>,
        key: &'static str,
        most: usize,
    ) -> Self {
        let mut names = Self { what, rows: BTreeMap::new(), lenient: false, index: PhantomData };
        let mut first: BTreeMap<&str, Value<'f>> = BTreeMap::new();
        for (row, entry) in entries.into_iter().enumerate() {
            if row == most {
                let message = format!("there are more than {most} entries `{what}`, the most there can be");
                entry.report(Finding::new(Code::TooMany, message));
            }
            let Some((value, name)) = entry.peek(key).and_then(|value| Some((value, value.str()?))) else { continue };
            if let Some(earlier) = first.get(name) {
                let message = format!("{what} `{name}` is defined twice, first at {}", earlier.place_text());
                value.report(Finding::new(Code::DuplicateCode, message).hint("rename or remove one of the two"));
                continue;
            }
            first.insert(name, value);
            names.rows.insert(name.to_owned(), row);
        }
        names
    }

    /// Names that are known already, in rows of their order; without any, every name counts as known.
    pub(super) fn known<'a>(what: &'static str, known: Option<impl Iterator<Item = &'a str>>) -> Self {
        let lenient = known.is_none();
        let rows = known.into_iter().flatten().enumerate().map(|(row, name)| (name.to_owned(), row)).collect();
        Self { what, rows, lenient, index: PhantomData }
    }

    /// The row that a value names; a name that nothing declares is reported with the nearest that is.
    pub(super) fn find(&self, value: Value<'_>) -> Option<I> {
        let Some(name) = value.str() else {
            return value.wrong_kind(&format!("the name of a {} in quotes", self.what));
        };
        if self.lenient {
            return Some(I::from_row(0));
        }
        let found = self.rows.get(name);
        if found.is_none() {
            let short: String = name.chars().take(40).collect();
            let finding = Finding::new(Code::UnknownReference, format!("unknown {} `{short}`", self.what));
            value.report(match nearest(name, self.rows.keys().map(String::as_str)) {
                Some(near) => finding.hint(format!("did you mean `{near}`?")),
                None => finding,
            });
        }
        found.map(|&row| I::from_row(row))
    }

    /// The rows that a list names, in its order; a name that stands twice is reported.
    pub(super) fn find_all(&self, value: Value<'_>) -> Option<Vec<I>> {
        let mut seen = Vec::new();
        value.list(|item| {
            let found = self.find(item)?;
            if seen.contains(&item.str()) {
                let message = format!("{} `{}` stands twice in this list", self.what, item.str().unwrap_or_default());
                item.report(Finding::new(Code::DuplicateCode, message));
            }
            seen.push(item.str());
            Some(found)
        })
    }

    /// The same, where at least one must be named.
    pub(super) fn find_some(&self, value: Value<'_>) -> Option<Vec<I>> {
        let found = self.find_all(value)?;
        if found.is_empty() { value.wrong_kind(&format!("at least one {}", self.what)) } else { Some(found) }
    }
}

/// The tests and panels of a catalogue; every name when there is none.
pub(super) fn tests_of(catalogue: Option<&Catalogue>) -> Names<TestIx> {
    Names::known("test", catalogue.map(|known| known.tests.iter().map(|test| test.code.as_str())))
}

/// The disciplines of a catalogue; every name when there is none.
pub(super) fn disciplines_of(catalogue: Option<&Catalogue>) -> Names<DisciplineIx> {
    Names::known("discipline", catalogue.map(|known| known.disciplines.iter().map(String::as_str)))
}
