//! What of the vault stands in a text that people typed? Names and dates of birth of the persons in it.
//!
//! NHS numbers need no vault to be found; they are taken out where any text is written.

use std::collections::BTreeSet;

use chrono::NaiveDate;

use crate::person::Name;
use crate::vault::Vault;

/// A name of more words than this is not looked for.
const WORDS_MAX: usize = 6;
/// What stands in the place of a name or date.
const TAKEN_OUT: &str = "[taken out]";
/// How a person may type a date.
const DATE_FORMATS: [&str; 4] = ["%Y-%m-%d", "%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y"];

/// The names and dates of birth that are taken out of texts. It has no `Debug`.
#[derive(Default)]
pub struct Redactor {
    /// Words in small letters with one blank between them, from any word of the name on.
    names: BTreeSet<String>,
    dates: BTreeSet<NaiveDate>,
}

impl Redactor {
    /// For the persons of a vault. Names of one word are not looked for: they may be any word.
    pub fn of(vault: &Vault) -> Self {
        let mut all = Self::default();
        for person in vault.persons() {
            all.dates.extend(person.date_of_birth.map(|date| date.expose_date()));
            let name = person.name.as_ref().map_or("", Name::expose_text);
            let name: Vec<String> = words(name).map(|(from, to)| name[from..to].to_lowercase()).collect();
            if (2..=WORDS_MAX).contains(&name.len()) {
                all.names.extend((0..name.len()).map(|turn| [&name[turn..], &name[..turn]].concat().join(" ")));
            }
        }
        all
    }

    /// The text of a file of overrides without them. Lines that begin with `until` or `by` hold times, where a date
    /// of birth may well stand.
    pub fn clean(&self, text: &str) -> String {
        text.split_inclusive('\n').map(|line| self.clean_line(line)).collect()
    }

    fn clean_line(&self, line: &str) -> String {
        let found: Vec<(usize, usize)> = words(line).collect();
        let times = ["until", "by"].iter().any(|key| line.trim_start().starts_with(key));
        let mut out = String::with_capacity(line.len());
        let (mut copied, mut at) = (0, 0);
        while let Some(&(from, _)) = found.get(at) {
            let date = if times { None } else { self.date_at(line, from).map(|to| (to, 1)) };
            let Some((to, taken)) = date.or_else(|| self.name_at(line, &found[at..])) else {
                at += 1;
                continue;
            };
            out.push_str(&line[copied..from]);
            out.push_str(TAKEN_OUT);
            copied = to;
            at += taken;
            at += found[at..].iter().take_while(|(start, _)| *start < to).count();
        }
        out.push_str(&line[copied..]);
        out
    }

    /// Where the longest name that the words begin with ends, and of how many words it is.
    fn name_at(&self, line: &str, words: &[(usize, usize)]) -> Option<(usize, usize)> {
        (2..=WORDS_MAX.min(words.len())).rev().find_map(|count| {
            let name: Vec<String> = words[..count].iter().map(|(from, to)| line[*from..*to].to_lowercase()).collect();
            self.names.contains(&name.join(" ")).then(|| (words[count - 1].1, count))
        })
    }

    /// Where the date of birth that begins at a byte ends.
    fn date_at(&self, line: &str, from: usize) -> Option<usize> {
        let length = line[from..].find(|c: char| !(c.is_ascii_digit() || "-/.".contains(c)));
        let text = line[from..from + length.unwrap_or(line.len() - from)].trim_end_matches(['.', '-', '/']);
        let read = DATE_FORMATS.iter().find_map(|format| NaiveDate::parse_from_str(text, format).ok())?;
        self.dates.contains(&read).then_some(from + text.len())
    }
}

/// Start and end of each word in bytes.
fn words(text: &str) -> impl Iterator<Item = (usize, usize)> {
    let part = |c: char| c.is_alphanumeric() || c == '\'' || c == '’';
    let mut rest = 0;
    std::iter::from_fn(move || {
        let from = rest + text[rest..].find(part)?;
        let to = text[from..].find(|c: char| !part(c)).map_or(text.len(), |length| from + length);
        rest = to;
        Some((from, to))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::OwnedPseudonym;
    use crate::nhs_number::NhsNumber;
    use crate::person::{DateOfBirth, Person};

    fn check(text: &str, expected: &str) {
        let mut vault = Vault::default();
        let person = Person {
            nhs_number: NhsNumber::parse("9434765919").unwrap(),
            date_of_birth: DateOfBirth::new("1950-02-28".parse().unwrap(), "2026-11-23".parse().unwrap()),
            name: Name::new("BYRON, Ada"),
        };
        vault.note(person, OwnedPseudonym::new("k1-b"));
        assert_eq!(Redactor::of(&vault).clean(text), expected);
    }

    #[test]
    fn names_and_dates_of_birth_are_taken_out() {
        check("why = \"Ada Byron called\"\n", "why = \"[taken out] called\"\n");
        check("why = \"call Mrs BYRON, ADA.\"", "why = \"call Mrs [taken out].\"");
        check("why = \"born 28/02/1950, or 28.02.1950.\"", "why = \"born [taken out], or [taken out].\"");
        check("who = \"é Ada\"\nwhy = \"1950-02-28\"", "who = \"é Ada\"\nwhy = \"[taken out]\"");
    }

    #[test]
    fn other_words_dates_and_times_stay() {
        for text in ["accession = \"A1\"\nuntil = 1950-02-28T09:00\n", "why = \"Ada, not Byron: 1950-03-28\"", ""] {
            check(text, text);
        }
    }
}
