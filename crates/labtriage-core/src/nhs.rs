//! Does a text hold an NHS number? Ten digits whose last is the check digit of the others (Modulus 11, NHS Data
//! Dictionary), together or as three, three and four.
//!
//! This is the one place that knows what such a number looks like. It says nothing of whose it is, and cannot: one in
//! eleven numbers of ten digits passes the check, so an accession of ten digits may read as an NHS number. Each caller
//! says how it tells the two apart:
//!
//! - columns of accessions and requests take ten digits together for a code only where the laboratory's `import.toml` says
//!   that its codes have ten digits (`[file] ten_digit_codes`), and an import never where a patient of the extract has
//!   that number; everywhere else such a number is taken for a person's;
//! - the ledger takes the number of a sample that it holds for an accession;
//! - free text has no such help: there the number goes.
//!
//! Groups other than 3-3-4 are not looked for, since dates with times have them (`2026-11-23 12:30`, `231126 1230`).

/// Digits of an NHS number.
pub const DIGITS: usize = 10;

/// What stands in the place of an NHS number that was taken out.
pub const TAKEN_OUT: &str = "[number taken out]";

/// Where in a text ten digits stand that may be an NHS number.
#[derive(Clone, Copy)]
pub struct Found {
    /// Where they begin, in bytes.
    pub start: usize,
    /// Where they end, in bytes.
    pub end: usize,
    /// The digits, as numbers from 0 to 9.
    pub digits: [u8; DIGITS],
    /// Whether no letter or digit is beside them.
    pub apart: bool,
}

impl Found {
    /// Whether they are an NHS number, as far as anybody can tell who does not know the patients: they stand apart, for
    /// digits beside letters or other digits belong to a code, and the check digit is right.
    pub fn is_number(&self) -> bool {
        self.apart && is_valid(&self.digits)
    }
}

/// Whether the last of ten digits is the check digit of the others.
pub fn is_valid(digits: &[u8; DIGITS]) -> bool {
    let sum: u32 = digits[..9].iter().zip((2..=10).rev()).map(|(&digit, weight)| u32::from(digit) * weight).sum();
    (11 - sum % 11) % 11 == u32::from(digits[9])
}

/// What may stand between digits of a number: a blank, one that does not break, a hyphen or a dot.
fn is_separator(c: char) -> bool {
    matches!(c, ' ' | '\u{a0}' | '-' | '.')
}

/// The ten digits that a whole text consists of, whatever separators stand between and around them.
pub fn digits_of(text: &str) -> Option<[u8; DIGITS]> {
    let mut digits = [0; DIGITS];
    let mut count = 0;
    for c in text.chars().filter(|c| !is_separator(*c)) {
        *digits.get_mut(count)? = value(c)?;
        count += 1;
    }
    (count == DIGITS).then_some(digits)
}

/// Whether a text is ten digits together and nothing else: an NHS number or a code.
pub fn is_ten_digits(text: &str) -> bool {
    text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a text holds an NHS number that stands apart.
pub fn holds(text: &str) -> bool {
    all(text).any(|found| found.is_number())
}

/// The text with other words in the place of every NHS number that stands apart.
pub fn without(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    for found in all(text).filter(Found::is_number) {
        out.push_str(&text[copied..found.start]);
        out.push_str(TAKEN_OUT);
        copied = found.end;
    }
    out.push_str(&text[copied..]);
    out
}

/// Everywhere in a text where ten digits begin that are together or in groups of three, three and four, also inside
/// longer runs of digits; in order, and overlapping where they do.
pub fn all(text: &str) -> impl Iterator<Item = Found> {
    let mut before = None;
    text.char_indices().filter_map(move |(start, c)| {
        let follows = before.replace(c);
        let (digits, end) = ten_from(text, start)?;
        let beside = follows.into_iter().chain(text[end..].chars().next());
        Some(Found { start, end, digits, apart: !beside.into_iter().any(char::is_alphanumeric) })
    })
}

/// The ten digits that begin at a byte, and where they end.
fn ten_from(text: &str, start: usize) -> Option<([u8; DIGITS], usize)> {
    let mut digits = [0; DIGITS];
    let mut rest = text[start..].chars();
    let mut grouped = false;
    for (n, digit) in digits.iter_mut().enumerate() {
        let mut c = rest.next()?;
        if n == 3 && is_separator(c) {
            grouped = true;
            c = rest.next()?;
        } else if n == 6 && grouped {
            c = is_separator(c).then(|| rest.next())??;
        }
        *digit = value(c)?;
    }
    Some((digits, text.len() - rest.as_str().len()))
}

fn value(c: char) -> Option<u8> {
    c.to_digit(10).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_in_any_spelling() {
        for text in [
            "9434765919",
            "943 476 5919",
            "no 943 476 5919.",
            "call 943-476-5919, please",
            "(943.476.5919)",
            "x 943\u{a0}476\u{a0}5919",
            "943-476 5919",
            "19 9434765919",
            "ref_9434765919",
            "0123456789",
        ] {
            assert!(holds(text), "{text}");
        }
    }

    #[test]
    fn codes_dates_and_wrong_numbers_are_none() {
        for text in [
            "9434765918",
            "A9434765919",
            "9434765919B",
            "é9434765919",
            "94347659190",
            "94347659199434765919",
            "943  476 5919",
            "943476 5919",
            "943 4765919",
            "94 347 65919",
            "P000000000042",
            "24A0001234",
            "",
            "943",
        ] {
            assert!(!holds(text), "{text}");
        }
    }

    #[test]
    fn no_moment_of_a_century_is_taken_for_a_number() {
        let start = chrono::NaiveDate::from_ymd_opt(1950, 1, 1).and_then(|day| day.and_hms_opt(0, 7, 0));
        let moments = (0..36_525).filter_map(|day| start?.checked_add_signed(chrono::TimeDelta::minutes(day * 1447)));
        let formats = [
            "%Y-%m-%d %H:%M",
            "%d/%m/%Y %H:%M",
            "%d.%m.%Y %H:%M",
            "%d-%b-%Y %H:%M",
            "%Y-%m-%dT%H:%M:%S",
            "%Y-%m-%d %H%M",
            "%Y%m%d %H%M",
            "%y%m%d %H%M",
            "%d%m%y-%H%M",
            "%Y%m%d%H%M",
        ];
        for moment in moments {
            for text in formats.map(|format| moment.format(format).to_string()) {
                assert!(!holds(&text), "{text}");
            }
        }
    }

    #[test]
    fn one_wrong_digit_and_two_swapped_neighbours_never_pass() {
        let right = [9, 4, 3, 4, 7, 6, 5, 9, 1, 9];
        for at in 0..DIGITS {
            for digit in 0..10 {
                let mut wrong = right;
                wrong[at] = digit;
                assert_eq!(is_valid(&wrong), digit == right[at], "digit {at}");
            }
            let mut swapped = right;
            if at < 9 && right[at] != right[at + 1] {
                swapped.swap(at, at + 1);
                assert!(!is_valid(&swapped), "swapped at {at}");
            }
        }
        // The check digit of 100000001 would be 10: no digit makes it a number.
        assert!(!(0..10).any(|last| is_valid(&[1, 0, 0, 0, 0, 0, 0, 0, 1, last])));
    }

    #[test]
    fn numbers_in_free_text_are_taken_out() {
        let check = |text: &str, expected: &str| assert_eq!(without(text), expected);
        check("call 943 476 5919 now", "call [number taken out] now");
        check("9434765919", TAKEN_OUT);
        check("x 943-476-5919, 9727710638.", "x [number taken out], [number taken out].");
        check("order 9434765918 of 2024-06-03, tube A9434765919", "order 9434765918 of 2024-06-03, tube A9434765919");
        check("Zoë, slot 12", "Zoë, slot 12");
    }

    #[test]
    fn a_whole_text_of_ten_digits_is_read() {
        for text in ["9434765919", " 94-34 765919 ", "943.476\u{a0}5919"] {
            assert_eq!(digits_of(text), Some([9, 4, 3, 4, 7, 6, 5, 9, 1, 9]), "{text}");
        }
        for text in ["", "943476591", "94347659190", "P9434765919", "٩434765919", "943/476/5919"] {
            assert_eq!(digits_of(text), None, "{text}");
        }
        assert!(is_ten_digits("9434765918") && !is_ten_digits("943 476 5919") && !is_ten_digits("é43476591"));
    }
}
