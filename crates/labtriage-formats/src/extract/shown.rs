//! What of an extract may a message show? Codes that look like codes, and nothing else.

use labtriage_core::nhs;

/// The most characters of a value that are shown.
const SHOWN_MAX: usize = 24;
/// A value with so many digits may be a person's number.
const DIGITS_MIN: usize = 9;

/// Whether a code looks like a person's number: any ten digits in one piece, as NHS numbers with a wrong digit are, unless
/// the laboratory says that its codes have ten (`[file] ten_digit_codes`), or a text that holds an NHS number otherwise.
pub(crate) fn looks_like_identity(text: &str, ten_digit_codes: bool) -> bool {
    let text = text.trim();
    if nhs::is_ten_digits(text) { !ten_digit_codes } else { nhs::holds(text) }
}

/// Whether a value may be shown at all: one word made of what codes are made of, for words with
/// spaces between them may be a name.
pub(crate) fn may_be_shown(value: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_./&-".contains(c);
    value.bytes().filter(u8::is_ascii_digit).count() < DIGITS_MIN && value.chars().all(plain)
}

/// The value in backticks, cut short, or words that say that it is not shown.
pub(crate) fn shown(value: &str) -> String {
    if may_be_shown(value) { format!("`{}`", cut(value, SHOWN_MAX)) } else { "a value that is not shown".to_owned() }
}

/// At most so many characters of a text.
pub(crate) fn cut(text: &str, most: usize) -> &str {
    text.char_indices().nth(most).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_persons_are_known() {
        for text in ["9434765919", "943 476 5919", "943-476-5919", "943.476.5919", " 9434765919 ", "1234567890"] {
            assert!(looks_like_identity(text, false), "{text}");
        }
        for text in ["943 476 5918", "943476591", "94347659190", "P9434765919", "24A1234567890", "", "é"] {
            assert!(!looks_like_identity(text, false), "{text}");
        }
        for (text, expected) in [("9434765919", false), ("1234567890", false), ("943 476 5919", true)] {
            assert_eq!(looks_like_identity(text, true), expected, "{text}");
        }
    }

    #[test]
    fn only_what_looks_like_a_code_is_shown() {
        assert_eq!(shown("FBX"), "`FBX`");
        assert_eq!(shown("VIT-B12/FOL"), "`VIT-B12/FOL`");
        assert_eq!(shown("ABCDEFGHIJKLMNOPQRSTUVWXYZ"), "`ABCDEFGHIJKLMNOPQRSTUVWX`");
        for hidden in ["943 476 591", "<script>", "Zoë", "a\u{7}b", "A,B"] {
            assert_eq!(shown(hidden), "a value that is not shown");
        }
    }
}
