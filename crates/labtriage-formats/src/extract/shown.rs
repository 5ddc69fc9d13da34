//! What of an extract may a message show? Codes that look like codes, and nothing else.

/// The most characters of a value that are shown.
const SHOWN_MAX: usize = 24;
/// A value with so many digits may be a person's number.
const DIGITS_MIN: usize = 9;

/// Whether a code looks like an NHS number: any ten digits in one piece, or ten digits with spaces
/// or dashes between them whose check digit (Modulus 11) is right.
pub(crate) fn looks_like_identity(text: &str) -> bool {
    let mut digits = [0; 10];
    let mut count = 0;
    let mut pieces = 1;
    for byte in text.trim().bytes() {
        match byte {
            b'0'..=b'9' if count < 10 => {
                digits[count] = u32::from(byte - b'0');
                count += 1;
            }
            b' ' | b'-' => pieces += 1,
            _ => return false,
        }
    }
    count == 10 && (pieces == 1 || passes_modulus_11(&digits))
}

/// The check of the NHS Data Dictionary: digits 1 to 9 times 10 down to 2; 11 less the rest is the tenth.
fn passes_modulus_11(digits: &[u32; 10]) -> bool {
    let sum: u32 = digits[..9].iter().zip((2..=10).rev()).map(|(digit, weight)| digit * weight).sum();
    (11 - sum % 11) % 11 == digits[9]
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
        for text in ["9434765919", "943 476 5919", "943-476-5919", " 9434765919 ", "1234567890"] {
            assert!(looks_like_identity(text), "{text}");
        }
        for text in ["943 476 5918", "943476591", "94347659190", "P9434765919", "24A1234567890", "", "é"] {
            assert!(!looks_like_identity(text), "{text}");
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
