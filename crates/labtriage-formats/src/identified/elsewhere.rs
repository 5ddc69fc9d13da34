//! Does a cell hold an identity that should not be in it? An NHS number, or the row's own number, name or date of birth.
//!
//! A stranger's number must stand apart: digits inside a longer run of letters and digits are a code. The row's own
//! number, which is known, is found wherever it is.

use chrono::NaiveDate;

use crate::numbers::holds_nhs_number;

/// The ways a date of birth is written.
const DATE_FORMATS: [&str; 9] =
    ["%Y-%m-%d", "%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y", "%d/%m/%y", "%Y%m%d", "%d%m%Y", "%d %b %Y", "%d-%b-%Y"];

/// Digits of an NHS number, and the fewest of a date.
const NUMBER_DIGITS: usize = 10;
const DATE_DIGITS_MIN: usize = 6;

/// What a row's own person may not be found by in another column.
pub(super) struct Elsewhere {
    /// Ten digits, or nothing when the row names no number.
    number: String,
    dates: Vec<String>,
    /// In small letters, its words parted by one blank, from any word of it on; only names of several words, for codes
    /// may be words too.
    names: Vec<String>,
}

impl Elsewhere {
    pub(super) fn new(nhs_number: &str, born: Option<NaiveDate>, name: &str) -> Self {
        let mut number: String = nhs_number.chars().filter(char::is_ascii_digit).collect();
        if number.len() != NUMBER_DIGITS {
            number.clear();
        }
        let dates = born
            .into_iter()
            .flat_map(|born| DATE_FORMATS.iter().map(move |format| born.format(format).to_string().to_lowercase()));
        let words = words(name);
        let turns = if words.len() > 1 { words.len() } else { 0 };
        let names = (0..turns).map(|turn| [&words[turn..], &words[..turn]].concat().join(" "));
        Self { number, dates: dates.collect(), names: names.collect() }
    }

    /// Whether an identity is in a cell; dates are not looked for among times.
    pub(super) fn is_in(&self, cell: &str, times: bool) -> bool {
        // Most cells are codes and times, of which a look at their digits and blanks is enough.
        let digits = cell.bytes().filter(u8::is_ascii_digit).count();
        if digits >= NUMBER_DIGITS && (self.has_own_number(cell) || holds_nhs_number(cell)) {
            return true;
        }
        let dated = digits >= DATE_DIGITS_MIN && !times;
        dated && self.has_date(cell) || cell.contains(is_between) && self.has_name(cell)
    }

    fn has_own_number(&self, cell: &str) -> bool {
        let together = || cell.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
        !self.number.is_empty() && together().contains(&self.number)
    }

    fn has_date(&self, cell: &str) -> bool {
        let plain = cell.to_lowercase();
        self.dates.iter().any(|date| stands_alone(&plain, date))
    }

    fn has_name(&self, cell: &str) -> bool {
        let spaced = words(cell).join(" ");
        self.names.iter().any(|name| stands_alone(&spaced, name))
    }
}

/// What may stand between two words of a name.
fn is_between(c: char) -> bool {
    c.is_whitespace() || matches!(c, ',' | ';' | '.' | '(' | ')')
}

/// The words of a text in small letters, without commas and the like.
fn words(text: &str) -> Vec<String> {
    text.split(is_between).filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

/// Whether a text holds another that is no part of a longer word or number.
fn stands_alone(text: &str, part: &str) -> bool {
    text.match_indices(part).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + part.len()..].chars().next();
        !before.into_iter().chain(after).any(char::is_alphanumeric)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rows_own_person_is_found_in_other_columns() {
        let born = NaiveDate::from_ymd_opt(1950, 2, 28);
        let check = |cell: &str, expected: bool| {
            let elsewhere = Elsewhere::new("943 476 5919", born, "BYRON, Ada");
            assert_eq!(elsewhere.is_in(cell, false), expected, "{cell}");
        };
        for cell in [
            "972 771 0638",
            "9434765919",
            "A9434765919",
            "24-943476 5919.1",
            "1950-02-28",
            "DOB 28/02/1950",
            "28.02.1950",
            "seen 28021950",
            "28 Feb 1950",
            "Byron Ada",
            "Ada Byron",
            "ada;byron",
            "for BYRON, ADA",
        ] {
            check(cell, true);
        }
        for cell in ["", "UE;CRP", "1950-02-281", "Byron", "A28021950", "A9727710638", "97277106381"] {
            check(cell, false);
        }
        assert!(
            !Elsewhere::new("", born, "").is_in("1950-02-28T09:00", true),
            "a newborn's tubes must not be set aside"
        );
    }
}
