//! Does a cell hold an identity that should not be in it? An NHS number, or the row's own name or date of birth.
//!
//! Of a number that nobody is known to have, digits inside a longer run of letters and digits are a code. A patient's own
//! number is found wherever it is.

use chrono::NaiveDate;
use labtriage_core::nhs;

use super::people::People;
use crate::import::Import;

/// The fewest digits of a date: 28-Feb-50.
const DATE_DIGITS_MIN: usize = 4;

/// What a column holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Column {
    /// Times, where the date of birth of a newborn child may well stand.
    Times,
    /// Codes of the laboratory, that may be ten digits.
    TenDigits,
    /// Anything else.
    Other,
}

/// What a row's own person may not be found by in another column.
pub(super) struct Elsewhere {
    /// Ten digits, or nothing when the row names no number.
    number: String,
    person: People,
}

impl Elsewhere {
    pub(super) fn new(nhs_number: &str, born: Option<NaiveDate>, name: &str) -> Self {
        let mut number: String = nhs_number.chars().filter(char::is_ascii_digit).collect();
        if number.len() != nhs::DIGITS {
            number.clear();
        }
        let mut person = People::default();
        person.add_date(born);
        person.add_name(name);
        Self { number, person }
    }

    /// Whether an identity is in a cell; `known` says whether a patient has a number.
    pub(super) fn is_in(
        &self,
        cell: &str,
        column: Column,
        import: &Import,
        known: impl Fn(&[u8; nhs::DIGITS]) -> bool,
    ) -> bool {
        // Most cells are codes and times, of which a look at their digits and letters is enough.
        let digits = cell.bytes().filter(u8::is_ascii_digit).count();
        if digits >= nhs::DIGITS {
            let code = column == Column::TenDigits && nhs::is_ten_digits(cell.trim());
            let stranger = |found: &nhs::Found| !code && found.is_number();
            if self.has_own_number(cell) || nhs::all(cell).any(|found| stranger(&found) || known(&found.digits)) {
                return true;
            }
        }
        let dated = digits >= DATE_DIGITS_MIN && column != Column::Times;
        dated && self.person.dates_in(cell, import).next().is_some() || !self.person.names_in(cell).is_empty()
    }

    fn has_own_number(&self, cell: &str) -> bool {
        let together = || cell.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
        !self.number.is_empty() && together().contains(&self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rows_own_person_is_found_in_other_columns() {
        let born = NaiveDate::from_ymd_opt(1950, 2, 28);
        let known = |digits: &[u8; 10]| *digits == [9, 9, 9, 0, 0, 0, 0, 0, 1, 8];
        let check = |cell: &str, expected: bool| {
            let elsewhere = Elsewhere::new("943 476 5919", born, "BYRON, Ada");
            assert_eq!(elsewhere.is_in(cell, Column::Other, &Import::default(), known), expected, "{cell}");
        };
        for cell in [
            "972 771 0638",
            "9434765919",
            "A9434765919",
            "24-943476 5919.1",
            "A9990000018",
            "1950-02-28",
            "DOB 28/02/1950",
            "seen 28021950",
            "28 Feb 1950",
            "Byron Ada",
            "ada;byron",
            "for BYRON, ADA",
        ] {
            check(cell, true);
        }
        for cell in ["", "UE;CRP", "1950-02-281", "Byron", "A28021950", "A9727710638", "97277106381"] {
            check(cell, false);
        }
        let newborn = Elsewhere::new("", born, "");
        let time = newborn.is_in("1950-02-28T09:00", Column::Times, &Import::default(), known);
        assert!(!time, "a newborn's tubes must not be set aside");
    }

    #[test]
    fn codes_of_ten_digits_are_told_apart_by_who_is_known() {
        let known = |digits: &[u8; 10]| *digits == [9, 9, 9, 0, 0, 0, 0, 0, 1, 8];
        let check = |cell: &str, column: Column, expected: bool| {
            assert_eq!(
                Elsewhere::new("9434765919", None, "").is_in(cell, column, &Import::default(), known),
                expected,
                "{cell}"
            );
        };
        check("9727710638", Column::TenDigits, false);
        check(" 9727710638 ", Column::TenDigits, false);
        check("9727710638", Column::Other, true);
        for identity in ["972 771 0638", "9990000018", "9434765919", "X 9727710638"] {
            check(identity, Column::TenDigits, true);
        }
    }
}
