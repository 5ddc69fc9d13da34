//! When does a laboratory say it was? Its own date formats, tried in order, read without guessing.
//!
//! A format names year, month, day, hour and minute. Seconds may follow the minutes and are cut
//! off. A reading with a trailing `Z` or offset is that instant; any other is the laboratory's
//! clock on the wall, with its two clock changes a year.

use std::fmt::Write;

use chrono::format::{Item, StrftimeItems};
use chrono::{Datelike, NaiveDate, NaiveDateTime};
use labtriage_core::time::{Instant, LocalInstant, Minutes, Zone};

/// Years outside this range are misreadings, not times of samples.
const YEARS: std::ops::RangeInclusive<i32> = 1970..=2199;

/// What a text says about when it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TimeRead {
    /// One instant.
    At(Instant),
    /// In the hour that the clock change repeats; this is the earlier instant.
    Doubled(Instant),
    /// In the hour that the clock change skips.
    MissingHour,
    /// No format fits.
    Unreadable,
}

/// The time zone and formats of a laboratory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct TimeFormats {
    pub(crate) zone: Zone,
    pub(crate) formats: Vec<TimeFormat>,
}

impl TimeFormats {
    /// The instant of a text that is already trimmed.
    pub(crate) fn read(&self, text: &str) -> TimeRead {
        if let Some(local) = self.civil(text) {
            return match self.zone.instant(local) {
                LocalInstant::Unique(instant) => TimeRead::At(instant),
                LocalInstant::Twice { earlier, .. } => TimeRead::Doubled(earlier),
                LocalInstant::Missing => TimeRead::MissingHour,
            };
        }
        let instant = split_offset(text)
            .and_then(|(civil, offset)| Some((self.civil(civil)?, offset)))
            .and_then(|(utc, offset)| Some(Instant::from_utc(utc.and_utc())?.minus(offset)));
        instant.map_or(TimeRead::Unreadable, TimeRead::At)
    }

    fn civil(&self, text: &str) -> Option<NaiveDateTime> {
        self.formats.iter().find_map(|format| format.read(text)).filter(|time| YEARS.contains(&time.year()))
    }
}

/// The reading before a trailing `Z`, `+01:00` or `+0100`, and that offset.
fn split_offset(text: &str) -> Option<(&str, Minutes)> {
    if let Some(civil) = text.strip_suffix(['Z', 'z']) {
        return Some((civil.trim_end(), Minutes::ZERO));
    }
    let at = text.rfind(['+', '-'])?;
    let (civil, offset) = text.split_at(at);
    let digits: Vec<i32> =
        offset[1..].chars().filter_map(|c| c.to_digit(10)).filter_map(|d| d.try_into().ok()).collect();
    let [h1, h2, m1, m2] = digits[..] else { return None };
    let shape = offset.len() == 5 || offset.len() == 6 && offset.as_bytes()[3] == b':';
    let minutes = (h1 * 10 + h2) * 60 + m1 * 10 + m2;
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    (shape && minutes <= 14 * 60 && m1 < 6).then(|| (civil.trim_end(), Minutes::new(sign * minutes)))
}

/// One date format, in the notation of `strftime`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct TimeFormat {
    text: String,
    /// The same with seconds, for chrono.
    with_seconds: String,
    /// The parts of a format made of numbers only, which are read here; others are left to chrono.
    parts: Option<Vec<Part>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    Literal(u8),
}

impl TimeFormat {
    /// A format; `None` unless it can say year, month, day, hour and minute.
    pub(crate) fn new(text: &str) -> Option<Self> {
        let parts = numeric_parts(text);
        let format = Self { text: text.to_owned(), with_seconds: text.replace("%M", "%M:%S%.f"), parts };
        let sample = NaiveDate::from_ymd_opt(2024, 11, 23)?.and_hms_opt(14, 37, 0)?;
        if StrftimeItems::new(text).any(|item| item == Item::Error) {
            return None;
        }
        let mut written = String::new();
        write!(written, "{}", sample.format(text)).ok()?;
        (format.read(&written) == Some(sample)).then_some(format)
    }

    fn read(&self, text: &str) -> Option<NaiveDateTime> {
        match &self.parts {
            Some(parts) => read_numeric(parts, text.as_bytes()),
            None => {
                let parse = |format| NaiveDateTime::parse_from_str(text, format).ok();
                parse(&self.text).or_else(|| parse(&self.with_seconds))
            }
        }
    }
}

fn numeric_parts(text: &str) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        parts.push(match byte {
            b'%' => match bytes.next()? {
                b'Y' => Part::Year,
                b'm' => Part::Month,
                b'd' => Part::Day,
                b'H' => Part::Hour,
                b'M' => Part::Minute,
                b'S' => Part::Second,
                _ => return None,
            },
            literal => Part::Literal(literal),
        });
    }
    Some(parts)
}

fn read_numeric(parts: &[Part], text: &[u8]) -> Option<NaiveDateTime> {
    let mut rest = text;
    let (mut year, mut month, mut day, mut hour, mut minute) = (0, 0, 0, u32::MAX, u32::MAX);
    let without_seconds = !parts.contains(&Part::Second);
    for part in parts {
        match part {
            Part::Year => year = number(&mut rest, 4, 4)?,
            Part::Month => month = number(&mut rest, 1, 2)?,
            Part::Day => day = number(&mut rest, 1, 2)?,
            Part::Hour => hour = number(&mut rest, 1, 2)?,
            Part::Minute => {
                minute = number(&mut rest, 2, 2)?;
                if without_seconds && let Some(after) = rest.strip_prefix(b":") {
                    rest = after;
                    seconds(&mut rest)?;
                }
            }
            Part::Second => seconds(&mut rest)?,
            Part::Literal(byte) => rest = rest.strip_prefix(std::slice::from_ref(byte))?,
        }
    }
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
    rest.is_empty().then(|| date.and_hms_opt(hour, minute, 0)).flatten()
}

/// Takes seconds and their decimals, which are checked and cut off.
fn seconds(rest: &mut &[u8]) -> Option<()> {
    number(rest, 2, 2).filter(|seconds| *seconds < 60)?;
    if let Some(after) = rest.strip_prefix(b".") {
        *rest = after;
        number(rest, 1, 9)?;
    }
    Some(())
}

/// Takes a number of so many digits, as many as there are.
fn number(rest: &mut &[u8], least: usize, most: usize) -> Option<u32> {
    let digits = rest.iter().take(most).take_while(|byte| byte.is_ascii_digit()).count();
    if digits < least {
        return None;
    }
    let (found, after) = rest.split_at(digits);
    *rest = after;
    Some(found.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(formats: &[&str], text: &str, expected: &str) {
        let formats = formats.iter().map(|format| TimeFormat::new(format).unwrap()).collect();
        let found = match (TimeFormats { zone: Zone::LONDON, formats }).read(text) {
            TimeRead::At(instant) => instant.to_string(),
            TimeRead::Doubled(instant) => format!("{instant} doubled"),
            TimeRead::MissingHour => "missing hour".to_owned(),
            TimeRead::Unreadable => "unreadable".to_owned(),
        };
        assert_eq!(found, expected, "{text}");
    }

    const ISO: &[&str] = &["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%d/%m/%Y %H:%M"];

    #[test]
    fn local_readings_become_instants() {
        check(ISO, "2024-06-03T09:00", "2024-06-03T08:00Z");
        check(ISO, "2024-12-03 09:00", "2024-12-03T09:00Z");
        check(ISO, "03/06/2024 09:05", "2024-06-03T08:05Z");
        check(ISO, "3/6/2024 9:05", "2024-06-03T08:05Z");
    }

    #[test]
    fn seconds_are_cut_off() {
        check(ISO, "2024-06-03T09:00:59", "2024-06-03T08:00Z");
        check(ISO, "2024-06-03 09:00:59.123", "2024-06-03T08:00Z");
        check(ISO, "2024-06-03 09:00:61", "unreadable");
        check(&["%Y%m%d%H%M%S"], "20240603090059", "2024-06-03T08:00Z");
    }

    #[test]
    fn offsets_are_obeyed() {
        check(ISO, "2024-06-03T09:00Z", "2024-06-03T09:00Z");
        check(ISO, "2024-06-03T09:00:30+01:00", "2024-06-03T08:00Z");
        check(ISO, "2024-06-03T09:00 -0530", "2024-06-03T14:30Z");
        check(ISO, "2024-06-03T09:00+25:00", "unreadable");
        check(ISO, "2024-03-31T01:30Z", "2024-03-31T01:30Z");
    }

    #[test]
    fn both_clock_changes_show() {
        check(ISO, "2024-03-31T01:30", "missing hour");
        check(ISO, "2024-10-27T01:30", "2024-10-27T00:30Z doubled");
    }

    #[test]
    fn what_is_no_time_is_not_guessed() {
        for text in
            ["", "yesterday", "2024-06-03", "2024-02-30T09:00", "2024-06-03T24:00", "0204-06-03T09:00", "é", "+"]
        {
            check(ISO, text, "unreadable");
        }
        check(ISO, "2024-06-03T09:00x", "unreadable");
    }

    #[test]
    fn names_of_months_are_left_to_chrono() {
        check(&["%d-%b-%Y %H:%M"], "03-Jun-2024 09:00", "2024-06-03T08:00Z");
        check(&["%d-%b-%Y %H:%M"], "03-Jun-2024 09:00:30", "2024-06-03T08:00Z");
        check(&["%d/%m/%Y %I:%M %p"], "03/06/2024 02:10 PM", "2024-06-03T13:10Z");
    }

    #[test]
    fn a_format_that_cannot_say_a_minute_is_refused() {
        for text in ["%Y-%m-%d", "%H:%M", "%Q", "", "%d %H:%M", "%Y-%m-%d %H"] {
            assert_eq!(TimeFormat::new(text), None, "{text}");
        }
    }
}
