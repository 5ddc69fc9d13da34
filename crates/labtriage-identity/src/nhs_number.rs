//! Is it an NHS number? Ten digits whose last is the check digit (Modulus 11, NHS Data Dictionary).

use std::fmt;

use thiserror::Error;

/// Why a text is not an NHS number. Says nothing of the text.
#[derive(Error, Clone, Copy, PartialEq, Eq, Debug)]
pub enum BadNumber {
    /// Not ten digits, with blanks or hyphens between them at most.
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
    /// Reads ten digits; blanks (also those that do not break) and hyphens may stand between and around them.
    ///
    /// # Errors
    /// [`BadNumber`], which does not repeat the text.
    pub fn parse(text: &str) -> Result<Self, BadNumber> {
        let mut digits = [0; 10];
        let mut count = 0;
        for char in text.chars().filter(|char| !matches!(char, ' ' | '-' | '\u{a0}')) {
            let digit = char.to_digit(10).and_then(|digit| u8::try_from(digit).ok()).ok_or(BadNumber::Shape)?;
            *digits.get_mut(count).ok_or(BadNumber::Shape)? = digit;
            count += 1;
        }
        if count < 10 {
            return Err(BadNumber::Shape);
        }
        if digits.iter().all(|digit| *digit == digits[0]) {
            return Err(BadNumber::Placeholder);
        }
        if check_digit(&digits) != Some(digits[9]) {
            return Err(BadNumber::CheckDigit);
        }
        Ok(Self(digits.map(|digit| b'0' + digit)))
    }

    /// The ten digits: the only way to them. For the store, a pseudonym and a recall list only.
    pub fn expose_digits(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// The digit that makes the first nine a number; `None` when none does (10).
fn check_digit(digits: &[u8; 10]) -> Option<u8> {
    let sum: u32 = digits[..9].iter().zip((2..=10).rev()).map(|(digit, factor)| u32::from(*digit) * factor).sum();
    u8::try_from((11 - sum % 11) % 11).ok().filter(|digit| *digit < 10)
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
        for text in ["9434765919", "943 476 5919", "943-476-5919", " 9434765919 ", "943\u{a0}476\u{a0}5919"] {
            check(text, Ok("9434765919"));
        }
        check("972 771 0638", Ok("9727710638"));
        // A leading nought is a digit like any other; 0 is also the check digit of 11.
        check("0123456789", Ok("0123456789"));
        check("0103450130", Ok("0103450130"));
    }

    #[test]
    fn what_is_no_number_is_refused_with_the_reason() {
        for text in ["", "943476591", "94347659190", "943.476.5919", "P9434765919", "943476591x", "٩434765919"] {
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
    fn one_wrong_digit_and_two_swapped_neighbours_never_pass() {
        let right: Vec<u8> = b"9434765919".to_vec();
        for at in 0..10 {
            for digit in b'0'..=b'9' {
                let mut wrong = right.clone();
                wrong[at] = digit;
                let passes = NhsNumber::parse(std::str::from_utf8(&wrong).unwrap()).is_ok();
                assert_eq!(passes, digit == right[at], "digit {at}");
            }
            let mut swapped = right.clone();
            if at < 9 && right[at] != right[at + 1] {
                swapped.swap(at, at + 1);
                assert!(NhsNumber::parse(std::str::from_utf8(&swapped).unwrap()).is_err(), "swapped at {at}");
            }
        }
    }

    #[test]
    fn debug_says_nothing() {
        assert_eq!(format!("{:?}", NhsNumber::parse("9434765919").unwrap()), "NhsNumber(redacted)");
    }
}
