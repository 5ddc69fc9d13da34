//! What of people's identities stands in the decisions beside an extract? It is taken out of a copy of `overrides.toml`.

use std::ops::Range;

use labtriage_core::nhs;

use super::people::People;
use crate::config::overrides::{Written, written};
use crate::import::Import;

/// What stands in the place of a name or date.
const TAKEN_OUT: &str = "[taken out]";

/// What stands in the place of a whole value.
const QUOTED: &str = "\"[taken out]\"";

impl People {
    /// The text of an `overrides.toml` without their numbers, names and dates of birth, and without any other NHS
    /// number that stands apart. A day or time (`until`, `by`, `day`) may be anybody's date of birth, and an accession or
    /// request of ten digits is no stranger's number where the laboratory has such codes. Of a value that says more of
    /// people than its letters do (`Ada\u0020Byron`) nothing is left.
    pub fn taken_out_of(&self, overrides: &str, import: &Import) -> String {
        let values = written(overrides);
        let value_at = |at: usize| values.iter().find(|value| value.place.contains(&at));
        let is_code = |value: &Written| {
            value.is_code() && value.text.as_ref().is_some_and(|text| nhs::is_ten_digits(text.trim()))
        };
        let is_time_at = |at: usize| value_at(at).is_some_and(Written::is_time);
        let is_code_at = |at: usize| value_at(at).is_some_and(is_code);
        let mut out: Vec<(Range<usize>, &str)> = self.found_in(overrides, import, &is_time_at, &is_code_at);
        let hidden = |value: &&Written| {
            let Some(text) = &value.text else { return false };
            let inside = self.found_in(text, import, &|_| value.is_time(), &|_| is_code(value));
            inside.len() > out.iter().filter(|(found, _)| value.place.contains(&found.start)).count()
        };
        let hidden: Vec<Range<usize>> = values.iter().filter(hidden).map(|value| value.place.clone()).collect();
        out.extend(hidden.into_iter().map(|place| (place, QUOTED)));
        out.sort_by_key(|(place, _)| place.start);
        without(overrides, &out)
    }

    /// Where in a text somebody's number, name or date of birth stands, or a stranger's NHS number, with the words for it.
    fn found_in(
        &self,
        text: &str,
        import: &Import,
        is_time: &dyn Fn(usize) -> bool,
        is_code: &dyn Fn(usize) -> bool,
    ) -> Vec<(Range<usize>, &'static str)> {
        let numbers = nhs::all(text).filter(|found| {
            let stranger = || found.is_number() && !(import.ten_digit_codes && is_code(found.start));
            self.has_number(&found.digits) || stranger()
        });
        let dates = self.dates_in(text, import).filter(|(start, _)| !is_time(*start));
        let others = dates.chain(self.names_in(text)).map(|(start, end)| (start..end, TAKEN_OUT));
        numbers.map(|found| (found.start..found.end, nhs::TAKEN_OUT)).chain(others).collect()
    }
}

/// A text with other words in some places, which are in order; of two that overlap, the first counts for both.
fn without(text: &str, places: &[(Range<usize>, &str)]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    for (place, words) in places {
        if place.start >= copied {
            out.push_str(&text[copied..place.start]);
            out.push_str(words);
        }
        copied = copied.max(place.end);
    }
    out.push_str(&text[copied..]);
    out
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::*;

    #[track_caller]
    fn check(ten_digits: bool, text: &str, expected: &str) {
        let mut people = People::default();
        people.add_number("943 476 5919");
        people.add_date(NaiveDate::from_ymd_opt(1950, 2, 28));
        people.add_name("BYRON, Ada");
        let mut import = Import::default();
        import.ten_digit_codes = ten_digits;
        let head = "[[override]]\n";
        assert_eq!(people.taken_out_of(&format!("{head}{text}\n"), &import), format!("{head}{expected}\n"));
    }

    #[test]
    fn numbers_names_and_dates_of_birth_are_taken_out() {
        check(false, "why = \"Ada Byron called\"", "why = \"[taken out] called\"");
        check(false, "why = \"call Mrs BYRON, ADA.\" # Ada Byron", "why = \"call Mrs [taken out].\" # [taken out]");
        check(false, "why = \"born 28/02/1950, or 28.02.1950.\"", "why = \"born [taken out], or [taken out].\"");
        check(false, "who = \"é Ada\"\nwhy = \"1950-02-28\"", "who = \"é Ada\"\nwhy = \"[taken out]\"");
        check(false, "why = \"972 771 0638, NHS9434765919\"", "why = \"[number taken out], NHS[number taken out]\"");
        check(false, "by_phone = \"28/02/1950\"", "by_phone = \"[taken out]\"");
        check(false, "why = \"until 1950-02-28\"", "why = \"until [taken out]\"");
    }

    #[test]
    fn quotes_and_escapes_hide_nobody() {
        check(false, "why = 'Ada Byron called'", "why = '[taken out] called'");
        check(false, "why = '28/02/1950'", "why = '[taken out]'");
        check(false, "why = \"Ada Byron's sister\"", "why = \"[taken out]'s sister\"");
        check(false, r#"why = "Ada\nByron""#, "why = \"[taken out]\"");
        check(false, r#"why = "Ada\u0020Byron, 28/02/1950""#, "why = \"[taken out]\"");
        check(false, r#"why = "943\u0020476 5919""#, "why = \"[taken out]\"");
        check(false, r#"why = "a\n9727710638""#, "why = \"[taken out]\"");
    }

    #[test]
    fn other_words_codes_and_whole_times_stay() {
        for text in [
            "accession = \"A1\"\nuntil = \"1950-02-28T09:00\"",
            "action = \"pin\"\nby = \"1950-02-28 09:00\"",
            "until = 1950-02-28T09:00:00Z",
            "action = \"visits\"\nday = \"1950-02-28\"",
            "why = 'Ada, not Byron'",
            "why = \"Ada, not Byron: 1950-03-28\"",
            "accession = \"A9727710638\"",
            "accession = \"97277106380\"",
        ] {
            check(false, text, text);
        }
        check(false, "until = \"1950-02-28 Ada Byron\"", "until = \"[taken out] [taken out]\"");
    }

    #[test]
    fn a_code_of_ten_digits_stays_only_where_the_laboratory_has_such_codes() {
        check(true, "accession = \"9727710638\"", "accession = \"9727710638\"");
        check(false, "accession = \"9727710638\"", "accession = \"[number taken out]\"");
        check(true, "why = \"9727710638\"", "why = \"[number taken out]\"");
        check(true, "accession = \"9434765919\"", "accession = \"[number taken out]\"");
        check(true, "accession = \"972 771 0638\"", "accession = \"[number taken out]\"");
    }
}
