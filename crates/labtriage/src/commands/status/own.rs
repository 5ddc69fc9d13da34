//! What may a practice not read? Names of other requesters' samples, requests, recalls and patients in what was written
//! for the laboratory, as in `sample 24A0001234 answers the same question`.

use std::collections::BTreeMap;

use labtriage_ledger::records::{Notice, Sample};
use labtriage_ledger::{Ledger, LedgerError};

/// What stands in the place of such a name.
const ANOTHERS: &str = "(another requester's)";

/// A reader who sees one practice's names only.
pub(super) struct Reader<'a> {
    ledger: &'a mut Ledger,
    practice: &'a str,
    /// Words that were looked up, and whether each is another's name.
    seen: BTreeMap<String, bool>,
}

impl<'a> Reader<'a> {
    /// Nothing is looked up yet.
    pub(super) fn new(ledger: &'a mut Ledger, practice: &'a str) -> Self {
        Self { ledger, practice, seen: BTreeMap::new() }
    }

    /// Takes others' names out of all that is told of a sample.
    pub(super) fn sample(&mut self, sample: &mut Sample) -> Result<(), LedgerError> {
        let decided = sample.discard.as_mut().map(|discard| &mut discard.decided_because);
        let lines = sample.lines.iter_mut().flat_map(|line| [&mut line.because, &mut line.caution]);
        for text in lines.chain([&mut sample.because]).chain(decided).flatten() {
            *text = self.text(text)?;
        }
        Ok(())
    }

    /// The same for a recall notice: it may ask for tubes of another practice's request too, for the patient comes once.
    pub(super) fn notice(&mut self, notice: &mut Notice) -> Result<(), LedgerError> {
        notice.reason = self.text(&notice.reason)?;
        for wanted in &mut notice.wanted {
            wanted.accession = self.text(&wanted.accession)?;
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<String, LedgerError> {
        let mut told = String::with_capacity(text.len());
        // A word ends where something stands that is in no code.
        for part in text.split_inclusive(|c: char| !in_a_code(c)) {
            let word = part.trim_end_matches(|c: char| !in_a_code(c) || c == '.');
            told.push_str(if self.is_anothers(word)? { ANOTHERS } else { word });
            told.push_str(&part[word.len()..]);
        }
        Ok(told)
    }

    fn is_anothers(&mut self, word: &str) -> Result<bool, LedgerError> {
        if word.is_empty() {
            return Ok(false);
        }
        if let Some(&known) = self.seen.get(word) {
            return Ok(known);
        }
        let found = self.ledger.is_anothers(word, self.practice)?;
        self.seen.insert(word.to_owned(), found);
        Ok(found)
    }
}

fn in_a_code(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/')
}
