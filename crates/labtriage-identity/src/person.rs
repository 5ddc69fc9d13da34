//! What is a person known by, beside the number? Date of birth and name; neither is ever printed.

use std::fmt;

use chrono::{Datelike, NaiveDate};

use crate::nhs_number::NhsNumber;

/// Nobody is taken to have been born before this year.
const EARLIEST_YEAR: i32 = 1880;
/// The most characters of a name that are kept.
const NAME_CHARS_MAX: usize = 200;

/// A date of birth. It has no `Display`, and its `Debug` says nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DateOfBirth(NaiveDate);

impl DateOfBirth {
    /// A date on which somebody can have been born who is bled today: from 1880 to `today`.
    pub fn new(date: NaiveDate, today: NaiveDate) -> Option<Self> {
        (date.year() >= EARLIEST_YEAR && date <= today).then_some(Self(date))
    }

    /// The date: the only way to it. For the store and a recall list only.
    pub fn expose_date(self) -> NaiveDate {
        self.0
    }

    /// As a store has it, checked when it was written.
    pub(crate) fn from_store(text: &str) -> Option<Self> {
        NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(Self)
    }
}

impl fmt::Debug for DateOfBirth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DateOfBirth(redacted)")
    }
}

/// A person's name, as the laboratory has it. It has no `Display`, and its `Debug` says nothing.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

impl Name {
    /// A name: one blank where there were several or a control character, cut after 200 characters; `None` for
    /// nothing.
    pub fn new(text: &str) -> Option<Self> {
        let plain = text.replace(char::is_control, " ");
        let words: Vec<&str> = plain.split_whitespace().collect();
        let name: String = words.join(" ").chars().take(NAME_CHARS_MAX).collect();
        (!name.is_empty()).then_some(Self(name))
    }

    /// The name: the only way to it. For the store and a recall list only.
    pub fn expose_text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Name(redacted)")
    }
}

/// A person, by number.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Person {
    /// Who it is.
    pub nhs_number: NhsNumber,
    /// When born, if the extract said it and could be believed.
    pub date_of_birth: Option<DateOfBirth>,
    /// What called, if the extract said it.
    pub name: Option<Name>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_possible_dates_of_birth_are_believed() {
        let date = |text: &str| text.parse::<NaiveDate>().unwrap();
        let check = |text: &str, expected: bool| {
            assert_eq!(DateOfBirth::new(date(text), date("2026-11-23")).is_some(), expected, "{text}");
        };
        check("1950-02-28", true);
        check("2026-11-23", true);
        check("2026-11-24", false);
        check("1879-12-31", false);
    }

    #[test]
    fn names_are_one_line_and_short() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(Name::new(text).as_ref().map(Name::expose_text), expected);
        };
        check(" Zoë \t O'Hara\n", Some("Zoë O'Hara"));
        check(" \u{7} ", None);
        assert_eq!(Name::new(&"ö".repeat(300)).unwrap().expose_text().chars().count(), 200);
    }

    #[test]
    fn debug_of_a_person_says_nothing() {
        let person = Person {
            nhs_number: NhsNumber::parse("9434765919").unwrap(),
            date_of_birth: DateOfBirth::new("1950-02-28".parse().unwrap(), "2026-11-23".parse().unwrap()),
            name: Name::new("Ada Byron"),
        };
        let text = format!("{person:?} {person:#?}");
        for planted in ["9434765919", "943 476", "1950", "Ada", "Byron"] {
            assert!(!text.contains(planted), "{text}");
        }
    }
}
