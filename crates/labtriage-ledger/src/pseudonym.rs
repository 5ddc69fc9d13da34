//! Whose is it? A patient's pseudonym that outlives the backlog it came from.

use std::fmt;

use labtriage_core::backlog::Pseudonym;
use serde::{Deserialize, Serialize};

/// A patient's pseudonym. It has no `Display`, and its `Debug` says nothing.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OwnedPseudonym(String);

impl OwnedPseudonym {
    /// A pseudonym of this text. That it is no NHS number is checked when it is recorded.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the ledger and for the files that are meant to hold pseudonyms.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<Pseudonym<'_>> for OwnedPseudonym {
    fn from(pseudonym: Pseudonym<'_>) -> Self {
        Self(pseudonym.expose().to_owned())
    }
}

impl fmt::Debug for OwnedPseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnedPseudonym(redacted)")
    }
}

/// Whether a text holds an NHS number: ten digits, perhaps in groups, whose last one is the check
/// digit of the others (Modulus 11, NHS Data Dictionary). Digits next to letters belong to a code.
pub(crate) fn holds_nhs_number(text: &str) -> bool {
    let bytes = text.as_bytes();
    (0..bytes.len()).filter(|&at| at == 0 || !bytes[at - 1].is_ascii_alphanumeric()).any(|at| begins_nhs(&bytes[at..]))
}

fn begins_nhs(bytes: &[u8]) -> bool {
    let mut digits = [0_u8; 10];
    let mut found = 0;
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'0'..=b'9' if found == 10 => return false,
            b'0'..=b'9' => {
                digits[found] = byte - b'0';
                found += 1;
            }
            b' ' | b'-' if at > 0 && found < 10 => {}
            other => return found == 10 && !other.is_ascii_alphabetic() && checks(digits),
        }
    }
    found == 10 && checks(digits)
}

fn checks(digits: [u8; 10]) -> bool {
    let sum: u32 = digits[..9].iter().zip((2..=10).rev()).map(|(&digit, weight)| u32::from(digit) * weight).sum();
    let check = (11 - sum % 11) % 11;
    check == u32::from(digits[9])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_says_nothing() {
        assert_eq!(format!("{:?}", OwnedPseudonym::new("PSEUDO-77")), "OwnedPseudonym(redacted)");
    }

    #[track_caller]
    fn check(text: &str, expected: bool) {
        assert_eq!(holds_nhs_number(text), expected, "{text}");
    }

    #[test]
    fn nhs_numbers_are_seen_in_every_dress() {
        check("9434765919", true);
        check("943 476 5919", true);
        check("call 943-476-5919, please", true);
        check("(9434765919)", true);
        check("9434765918", false);
        check("94347659190", false);
        check("A9434765919", false);
        check("9434765919B", false);
        check("P000000000042", false);
        check("24A0001234", false);
        check("", false);
    }
}
