//! Is it a patient's NHS number? One that `labtriage_core::nhs` finds valid, and no placeholder.

use std::fmt;

use labtriage_core::nhs;
use thiserror::Error;

/// Why a text is not an NHS number. Says nothing of the text.
#[derive(Error, Clone, Copy, PartialEq, Eq, Debug)]
pub enum BadNumber {
    /// Not ten digits, with blanks, hyphens or dots between them at most.
    #[error("no ten digits")]
    Shape,
    /// Its last digit is not the check digit of the others.
    #[error("the check digit is wrong")]
    CheckDigit,
    /// Ten times the same digit: what is typed where a number is not known. Some of these pass the check, and
    /// would make one patient of many.
    #[error("ten times the same digit")]
    Placeholder,
}

/// A valid NHS number. It has no `Display`, and its `Debug` says nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NhsNumber([u8; 10]);

impl NhsNumber {
    /// Reads ten digits; blanks (also those that do not break), hyphens and dots may stand between and around them.
    ///
    /// # Errors
    /// [`BadNumber`], which does not repeat the text.
    pub fn parse(text: &str) -> Result<Self, BadNumber> {
        let digits = nhs::digits_of(text).ok_or(BadNumber::Shape)?;
        if digits.iter().all(|digit| *digit == digits[0]) {
            return Err(BadNumber::Placeholder);
        }
        if !nhs::is_valid(&digits) {
            return Err(BadNumber::CheckDigit);
        }
        Ok(Self(digits.map(|digit| b'0' + digit)))
    }

    /// The ten digits: the only way to them. For the store, a pseudonym and a recall list only.
    pub fn expose_digits(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for NhsNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NhsNumber(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, BadNumber>) {
        let found = NhsNumber::parse(text);
        assert_eq!(found.as_ref().map(NhsNumber::expose_digits), expected.as_ref().copied(), "{text}");
    }

    #[test]
    fn published_test_numbers_are_read_in_any_spelling() {
        for text in
            ["9434765919", "943 476 5919", "943-476-5919", "943.476.5919", " 9434765919 ", "943\u{a0}476\u{a0}5919"]
        {
            check(text, Ok("9434765919"));
        }
        check("972 771 0638", Ok("9727710638"));
        // A leading nought is a digit like any other; 0 is also the check digit of 11.
        check("0123456789", Ok("0123456789"));
        check("0103450130", Ok("0103450130"));
    }

    #[test]
    fn what_is_no_number_is_refused_with_the_reason() {
        for text in ["", "943476591", "94347659190", "943/476/5919", "P9434765919", "943476591x", "٩434765919"] {
            check(text, Err(BadNumber::Shape));
        }
        check("9434765918", Err(BadNumber::CheckDigit));
        // The check digit of 100000001 would be 10.
        for last in 0..10 {
            check(&format!("100000001{last}"), Err(BadNumber::CheckDigit));
        }
        for text in ["0000000000", "1111111111", "9999999999"] {
            check(text, Err(BadNumber::Placeholder));
        }
    }

    #[test]
    fn debug_says_nothing() {
        assert_eq!(format!("{:?}", NhsNumber::parse("9434765919").unwrap()), "NhsNumber(redacted)");
    }
}
