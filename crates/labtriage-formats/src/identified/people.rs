//! Who must not be found in what an import writes? Numbers, names and dates of birth, and where they stand in a text.

use std::collections::BTreeSet;

use chrono::{Months, NaiveDate};
use labtriage_core::nhs;

use crate::import::Import;

/// The ways a date of birth is written beside those of the laboratory, months in full or in short. In order of length,
/// for the longest that fits is taken.
const DATE_FORMATS: [&str; 12] = [
    "%d %B %Y", "%d-%B-%Y", "%Y-%m-%d", "%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y", "%Y%m%d", "%d%m%Y", "%d-%B-%y", "%d/%m/%y",
    "%d-%m-%y", "%d.%m.%y",
];

/// A year of two digits is of this century or of the one before.
const CENTURY: Months = Months::new(1200);

/// What people are known by. It has no `Debug`.
#[derive(Default)]
pub struct People {
    numbers: BTreeSet<[u8; nhs::DIGITS]>,
    /// The words of a name in small letters and in order of the alphabet, so that their order does not matter.
    names: BTreeSet<Vec<String>>,
    dates: BTreeSet<NaiveDate>,
    /// The most words that a name has.
    words_max: usize,
    /// The fewest letters that a name has.
    letters_min: usize,
}

impl People {
    /// Adds whoever has this number, as typed: ten digits, right or wrong.
    pub fn add_number(&mut self, nhs_number: &str) {
        let digits: Vec<u8> = nhs_number.bytes().filter(u8::is_ascii_digit).map(|digit| digit - b'0').collect();
        self.numbers.extend(<[u8; nhs::DIGITS]>::try_from(digits));
    }

    /// Adds whoever was born on this day.
    pub fn add_date(&mut self, born: Option<NaiveDate>) {
        self.dates.extend(born);
    }

    /// Adds whoever is called so. Names of one word are not looked for: they may be any word, or a code.
    pub fn add_name(&mut self, name: &str) {
        let words = sorted(words(name).map(|(from, to)| &name[from..to]));
        if words.len() < 2 {
            return;
        }
        let letters = letters(name);
        self.letters_min = if self.names.is_empty() { letters } else { self.letters_min.min(letters) };
        self.words_max = self.words_max.max(words.len());
        self.names.insert(words);
    }

    /// Whether somebody has this number.
    pub fn has_number(&self, digits: &[u8; nhs::DIGITS]) -> bool {
        self.numbers.contains(digits)
    }

    /// Where dates of birth stand that are no part of a longer word or number, in bytes.
    pub(super) fn dates_in<'t>(
        &'t self,
        text: &'t str,
        import: &'t Import,
    ) -> impl Iterator<Item = (usize, usize)> + 't {
        let starts = words(text).filter(|_| !self.dates.is_empty());
        starts.filter_map(|(from, _)| Some((from, self.date_at(text, from, import)?)))
    }

    /// Where names stand, in bytes: the longest that begins with a word.
    pub(super) fn names_in(&self, text: &str) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        if self.names.is_empty() || letters(text) < self.letters_min {
            return found;
        }
        let all: Vec<(usize, usize)> = words(text).collect();
        let mut at = 0;
        while at < all.len() {
            let most = self.words_max.min(all.len() - at);
            let count = (2..=most).rev().find(|count| {
                self.names.contains(&sorted(all[at..at + count].iter().map(|&(from, to)| &text[from..to])))
            });
            if let Some(count) = count {
                found.push((all[at].0, all[at + count - 1].1));
            }
            at += count.unwrap_or(1);
        }
        found
    }

    /// Where the date of birth that begins at a byte ends.
    fn date_at(&self, text: &str, from: usize, import: &Import) -> Option<usize> {
        // Most words are no dates, and most cells have many words.
        let number = text.as_bytes()[from].is_ascii_digit();
        let fits = |format: &&str| number != (format.starts_with("%b") || format.starts_with("%B"));
        let formats = import.date_formats.iter().map(String::as_str).chain(DATE_FORMATS);
        formats.filter(fits).find_map(|format| {
            let (read, rest) = NaiveDate::parse_and_remainder(&text[from..], format).ok()?;
            let born = self.dates.contains(&read)
                || format.ends_with("%y")
                    && read.checked_sub_months(CENTURY).is_some_and(|date| self.dates.contains(&date));
            // A time may follow: 1950-02-28T09:00.
            let ends = rest.chars().next().is_none_or(|next| !next.is_alphanumeric() || next == 'T');
            (born && ends).then(|| text.len() - rest.len())
        })
    }
}

/// Start and end of each word in bytes.
fn words(text: &str) -> impl Iterator<Item = (usize, usize)> {
    // An apostrophe is no part of a word: it may be a quote, and it is typed in two ways.
    let part = char::is_alphanumeric;
    let mut rest = 0;
    std::iter::from_fn(move || {
        let from = rest + text[rest..].find(part)?;
        let to = text[from..].find(|c: char| !part(c)).map_or(text.len(), |length| from + length);
        rest = to;
        Some((from, to))
    })
}

fn sorted<'w>(words: impl Iterator<Item = &'w str>) -> Vec<String> {
    let mut words: Vec<String> = words.map(str::to_lowercase).collect();
    words.sort_unstable();
    words
}

fn letters(text: &str) -> usize {
    text.chars().filter(|c| c.is_alphabetic()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people() -> People {
        let mut people = People::default();
        people.add_date(NaiveDate::from_ymd_opt(1950, 2, 28));
        people.add_name("BYRON, Ada Mary");
        people.add_name("Li Wu");
        people.add_name("Niamh O'Hara");
        people.add_name("Cher");
        people
    }

    #[test]
    fn names_are_found_in_any_order_of_their_words() {
        let check = |text: &str, expected: &[&str]| {
            let found: Vec<&str> = people().names_in(text).into_iter().map(|(from, to)| &text[from..to]).collect();
            assert_eq!(found, expected, "{text}");
        };
        check("for Mrs Mary ADA Byron.", &["Mary ADA Byron"]);
        check("byron;ada-mary, Wu Li", &["byron;ada-mary", "Wu Li"]);
        check("Ada Byron, Cher, Liwu", &[]);
        check("é Li Wu", &["Li Wu"]);
        check("'Li Wu' or Li Wu's or O’Hara, Niamh", &["Li Wu", "Li Wu", "O’Hara, Niamh"]);
    }

    #[test]
    fn dates_are_found_in_any_format() {
        let check = |text: &str, expected: &[&str]| {
            let people = people();
            let import =
                Import::read("import.toml", "[identities]\ndate_formats = [\"%d%b%Y\", \"%B %d %Y\"]").unwrap();
            let found: Vec<&str> = people.dates_in(text, &import).map(|(from, to)| &text[from..to]).collect();
            assert_eq!(found, expected, "{text}");
        };
        check("born 28/02/1950, or 28.02.1950.", &["28/02/1950", "28.02.1950"]);
        check("28-02-1950 28 Feb 1950 28-feb-1950", &["28-02-1950", "28 Feb 1950", "28-feb-1950"]);
        check("19500228;28021950;28/02/50;28/2/1950", &["19500228", "28021950", "28/02/50", "28/2/1950"]);
        check("'28/02/1950' 28 February 1950 28-Feb-50", &["28/02/1950", "28 February 1950", "28-Feb-50"]);
        check("28FEB1950 February 28 1950 28.02.50", &["28FEB1950", "February 28 1950", "28.02.50"]);
        check("seen 1950-02-28T09:00", &["1950-02-28"]);
        check("1950-02-281 A28021950 1950-03-28 280219501 28/02/19501", &[]);
    }
}
