//! What does the clock on the wall say? Local readings in minutes, and their text.
//!
//! No scenario reaches across a clock change, so a local reading is a plain number of minutes since
//! local midnight of 1970-01-01, and no time zone is needed.

use labtriage_core::time::Instant;

/// A local reading: minutes since local midnight of 1970-01-01.
pub(crate) type Reading = i32;

/// Minutes of a day.
pub(crate) const DAY: i32 = 1440;

/// The reading of a date and a time of day.
pub(crate) const fn reading(year: i32, month: i32, day: i32, hour: i32, minute: i32) -> Reading {
    // Days since 1970-01-01 of a Gregorian date; years begin in March, so that leap days come last.
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let leap_days = year / 4 - year / 100 + year / 400;
    let days = year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1 - 719_468;
    days * DAY + hour * 60 + minute
}

/// The local day of a reading, in days since 1970-01-01.
pub(crate) const fn day_of(reading: Reading) -> i32 {
    reading.div_euclid(DAY)
}

/// Monday = 0 … Sunday = 6.
pub(crate) const fn weekday(day: i32) -> i32 {
    (day + 3).rem_euclid(7)
}

/// Writes readings as `2024-06-10T20:00`, dates from a table made once.
pub(crate) struct Almanac {
    first: i32,
    dates: Vec<String>,
}

impl Almanac {
    /// The dates from `before` days before a day until `after` days after it.
    pub(crate) fn new(day: i32, before: i32, after: i32) -> Self {
        Self { first: day - before, dates: (day - before..=day + after).map(date).collect() }
    }

    /// Appends a reading.
    pub(crate) fn write(&self, reading: Reading, text: &mut Vec<u8>) {
        let day = day_of(reading);
        match usize::try_from(day - self.first).ok().and_then(|row| self.dates.get(row)) {
            Some(known) => text.extend_from_slice(known.as_bytes()),
            None => text.extend_from_slice(date(day).as_bytes()),
        }
        let minute = u32::try_from(reading.rem_euclid(DAY)).unwrap_or(0);
        text.push(b'T');
        two_digits(minute / 60, text);
        text.push(b':');
        two_digits(minute % 60, text);
    }

    /// The year of a reading.
    pub(crate) fn year(&self, reading: Reading) -> u32 {
        self.text(reading).get(..4).and_then(|year| year.parse().ok()).unwrap_or(0)
    }

    /// A reading as text.
    pub(crate) fn text(&self, reading: Reading) -> String {
        let mut text = Vec::with_capacity(16);
        self.write(reading, &mut text);
        String::from_utf8(text).unwrap_or_default()
    }
}

fn date(day: i32) -> String {
    let mut text = Instant::from_epoch_minutes(day.saturating_mul(DAY)).to_string();
    text.truncate(10);
    text
}

fn two_digits(n: u32, text: &mut Vec<u8>) {
    for digit in [n / 10, n % 10] {
        text.push(b'0' + u8::try_from(digit).unwrap_or(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(at: Reading, expected: &str) {
        assert_eq!(Almanac::new(day_of(at), 1, 1).text(at), expected);
        assert_eq!(Almanac::new(0, 0, 0).text(at), expected);
    }

    #[test]
    fn readings_are_written_as_people_write_them() {
        check(reading(2024, 6, 10, 20, 0), "2024-06-10T20:00");
        check(reading(2024, 2, 29, 0, 5), "2024-02-29T00:05");
        check(reading(2024, 3, 1, 23, 59), "2024-03-01T23:59");
        check(reading(1970, 1, 1, 0, 0), "1970-01-01T00:00");
        check(reading(2026, 12, 31, 12, 30), "2026-12-31T12:30");
    }

    #[test]
    fn the_third_of_june_2024_was_a_monday() {
        assert_eq!(weekday(day_of(reading(2024, 6, 3, 9, 0))), 0);
        assert_eq!(weekday(day_of(reading(2024, 6, 9, 9, 0))), 6);
    }
}
