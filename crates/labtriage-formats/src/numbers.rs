//! Does a text hold an NHS number? Ten digits together, or three, three and four with a blank, hyphen or dot
//! between them, whose last is the right check digit. Other groups are not looked for: dates with times have them.

/// What stands in the place of an NHS number.
const TAKEN_OUT: &str = "[number taken out]";

/// Whether a cell holds an NHS number that is no part of a longer word: an accession number of a letter and ten
/// digits is none.
pub fn holds_nhs_number(text: &str) -> bool {
    next(text, 0, char::is_alphanumeric).is_some()
}

/// The text with something else in the place of every NHS number, even of one that follows a letter.
pub fn without_nhs_numbers(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    while let Some((start, end)) = next(text, from, |c| c.is_ascii_digit()) {
        out.push_str(&text[from..start]);
        out.push_str(TAKEN_OUT);
        from = end;
    }
    out.push_str(&text[from..]);
    out
}

/// Start and end of the first NHS number that begins at a byte or after it and has nothing beside it that `joins`.
fn next(text: &str, from: usize, joins: impl Fn(char) -> bool) -> Option<(usize, usize)> {
    let mut before = text[..from].chars().next_back();
    for (at, char) in text[from..].char_indices() {
        let start = from + at;
        if char.is_ascii_digit() && !before.is_some_and(&joins) {
            let end = end(&text[start..]).map(|length| start + length);
            if let Some(end) = end.filter(|end| !text[*end..].starts_with(&joins)) {
                return Some((start, end));
            }
        }
        before = Some(char);
    }
    None
}

/// How long the NHS number is that a text begins with, in bytes.
fn end(text: &str) -> Option<usize> {
    let mut digits = [0_u32; 10];
    let mut rest = text;
    for (n, digit) in digits.iter_mut().enumerate() {
        if n == 3 || n == 6 {
            rest = rest.strip_prefix([' ', '-', '.', '\u{a0}']).unwrap_or(rest);
        }
        *digit = rest.chars().next()?.to_digit(10)?;
        rest = &rest[1..];
    }
    let sum: u32 = digits[..9].iter().zip((2..=10).rev()).map(|(digit, factor)| digit * factor).sum();
    ((11 - sum % 11) % 11 == digits[9]).then_some(text.len() - rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_in_any_spelling() {
        for text in [
            "9434765919",
            "no 943 476 5919.",
            "943-476-5919",
            "943.476.5919",
            "x 943\u{a0}476\u{a0}5919",
            "19 9434765919",
        ] {
            assert!(holds_nhs_number(text), "{text}");
        }
        for text in ["9434765918", "A9434765919", "94347659190", "943  476 5919", "2024-06-03T09:00", "", "é943", "943"]
        {
            assert!(!holds_nhs_number(text), "{text}");
        }
    }

    #[test]
    fn no_moment_of_a_century_is_taken_for_a_number() {
        let start = chrono::NaiveDate::from_ymd_opt(1950, 1, 1).and_then(|day| day.and_hms_opt(0, 7, 0));
        let moments = (0..36_525).filter_map(|day| start?.checked_add_signed(chrono::TimeDelta::minutes(day * 1447)));
        for moment in moments {
            for format in ["%Y-%m-%d %H:%M", "%d/%m/%Y %H:%M", "%d-%b-%Y %H:%M", "%Y-%m-%dT%H:%M:%S"] {
                let text = moment.format(format).to_string();
                assert!(!holds_nhs_number(&text), "{text}");
            }
        }
    }

    #[test]
    fn numbers_in_free_text_are_taken_out() {
        let check = |text: &str, expected: &str| assert_eq!(without_nhs_numbers(text), expected);
        check("call 943 476 5919 now", "call [number taken out] now");
        check("9434765919", TAKEN_OUT);
        check("NHS9434765919x", "NHS[number taken out]x");
        check("x 943-476-5919, 9727710638.", "x [number taken out], [number taken out].");
        check("order 9434765918 of 2024-06-03", "order 9434765918 of 2024-06-03");
        check("Zoë, slot 12", "Zoë, slot 12");
    }
}
