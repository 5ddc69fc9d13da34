//! What was set aside, and what deserves a look? Kept small: an extract may be bad in every row.

use std::collections::BTreeMap;

use labtriage_core::finding::{Code, Finding, Severity};

use super::shown::cut;

/// The most characters of all messages of a row together.
const MESSAGES_MAX: usize = 120;
/// The most findings of one row; further ones are kept only while their code is new.
const FINDINGS_MAX: usize = 12;
/// So many warnings of a code are kept whole, the others are counted.
const WARNINGS_KEPT: usize = 20;

/// Something wrong with a row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RowFinding {
    /// What kind.
    pub code: Code,
    /// What was found; the title of the code where the messages of a row would grow too long.
    pub message: Box<str>,
}

/// A row that was set aside.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QuarantinedRow {
    /// Line in the file, from 1.
    pub line: u32,
    /// Accession; empty when it is unusable or looks like an identity.
    pub accession: String,
    /// Everything that is wrong with it, at least one.
    pub findings: Box<[RowFinding]>,
}

impl QuarantinedRow {
    pub(crate) fn new(line: u32, accession: &str, findings: &mut Vec<RowFinding>) -> Self {
        let mut left = MESSAGES_MAX;
        let mut first = true;
        for finding in findings.iter_mut() {
            if finding.message.len() > left {
                let short = if first { cut(&finding.message, MESSAGES_MAX) } else { "" };
                finding.message = short.into();
            }
            left = left.saturating_sub(finding.message.len());
            first = false;
        }
        Self { line, accession: accession.to_owned(), findings: findings.drain(..).collect() }
    }

    pub(crate) fn of(line: u32, accession: &str, code: Code, message: &str) -> Self {
        Self::new(line, accession, &mut vec![RowFinding { code, message: message.into() }])
    }

    /// The same as findings with a place.
    pub fn findings_at(&self, file: &str) -> impl Iterator<Item = Finding> {
        self.findings.iter().map(move |found| Finding::new(found.code, found.words()).at(file, self.line, 0))
    }

    /// Codes and messages in one line: `B008 unknown test `FBX`; B013 …`.
    pub fn text(&self) -> String {
        let words: Vec<String> =
            self.findings.iter().map(|found| format!("{} {}", found.code.text(), found.words())).collect();
        words.join("; ")
    }
}

impl RowFinding {
    /// The message, or the title of the code where the message was left out.
    pub fn words(&self) -> &str {
        if self.message.is_empty() { self.code.title() } else { &self.message }
    }
}

/// The warnings of one code.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Counted {
    /// How many there are.
    pub count: u64,
    /// The first twenty, in order of line.
    pub first: Vec<Finding>,
}

/// Warnings about rows that were kept, counted per code.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Warnings {
    by_code: BTreeMap<Code, Counted>,
}

impl Warnings {
    /// Each code with its warnings, in order of code.
    pub fn iter(&self) -> impl Iterator<Item = (Code, &Counted)> {
        self.by_code.iter().map(|(code, counted)| (*code, counted))
    }

    /// How many warnings of a code there are.
    pub fn count(&self, code: Code) -> u64 {
        self.by_code.get(&code).map_or(0, |counted| counted.count)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_code.is_empty()
    }

    pub(crate) fn add(&mut self, code: Code, finding: impl FnOnce() -> Finding) {
        let counted = self.by_code.entry(code).or_default();
        counted.count += 1;
        if counted.first.len() < WARNINGS_KEPT {
            counted.first.push(finding());
        }
    }
}

/// What is being found about the row at hand.
#[derive(Default, Debug)]
pub(crate) struct Notes {
    pub(crate) file: String,
    pub(crate) line: u32,
    pub(crate) findings: Vec<RowFinding>,
    /// Remarks on the row; they count only once the row is kept.
    remarks: Vec<(Code, String)>,
    pub(crate) warnings: Warnings,
}

impl Notes {
    pub(crate) fn new(file: &str) -> Self {
        Self { file: file.to_owned(), ..Self::default() }
    }

    /// Begins a row.
    pub(crate) fn begin(&mut self, line: u32) {
        self.line = line;
        self.findings.clear();
        self.remarks.clear();
    }

    /// Sets the row aside.
    pub(crate) fn refuse(&mut self, code: Code, message: impl Into<Box<str>>) {
        debug_assert_eq!(code.severity(), Severity::Quarantine, "{code:?} does not set a row aside");
        let finding = RowFinding { code, message: message.into() };
        let full = self.findings.len() >= FINDINGS_MAX && self.findings.iter().any(|found| found.code == code);
        if !full && !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    /// Says something about the row, which is kept.
    pub(crate) fn remark(&mut self, code: Code, message: impl FnOnce() -> String) {
        let said = if self.warnings.count(code) < WARNINGS_KEPT as u64 { message() } else { String::new() };
        self.remarks.push((code, said));
    }

    /// Whether nothing is wrong with the row so far.
    pub(crate) fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// Ends a row that is kept: its remarks become warnings.
    pub(crate) fn keep(&mut self) {
        for (code, message) in self.remarks.drain(..) {
            self.warnings.add(code, || Finding::new(code, message).at(&self.file, self.line, 0));
        }
    }

    /// Ends a row that is set aside.
    pub(crate) fn set_aside(&mut self, accession: &str) -> QuarantinedRow {
        QuarantinedRow::new(self.line, accession, &mut self.findings)
    }
}
