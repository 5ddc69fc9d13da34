//! When is it? Instants, durations and local days, all in whole minutes.
//!
//! Inside, time is a UTC instant; the laboratory's own clock appears only at the edges, through
//! [`Zone`], which makes the two clock changes of the year visible instead of guessing.

use std::fmt;

use chrono::{DateTime, Datelike, LocalResult, NaiveDate, NaiveDateTime, TimeDelta, Timelike, Utc};
use chrono_tz::Tz;

/// A length of time in whole minutes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Minutes(i32);

impl Minutes {
    /// No time at all.
    pub const ZERO: Self = Self(0);
    /// Longer than any horizon: about four thousand years.
    pub const MAX: Self = Self(i32::MAX);

    /// A number of minutes.
    pub const fn new(minutes: i32) -> Self {
        Self(minutes)
    }

    /// A number of hours.
    pub const fn from_hours(hours: i32) -> Self {
        Self(hours.saturating_mul(60))
    }

    /// A number of days of 24 hours.
    pub const fn from_days(days: i32) -> Self {
        Self(days.saturating_mul(1440))
    }

    /// The number of minutes.
    pub const fn get(self) -> i32 {
        self.0
    }

    /// The sum, held at the largest value when it would overflow.
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, held at the smallest value when it would overflow.
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl fmt::Display for Minutes {
    /// Days, hours and minutes, the two largest that matter: `2 d 4 h`, `7 h`, `25 min`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let all = self.0.unsigned_abs();
        let (days, hours, minutes) = (all / 1440, all % 1440 / 60, all % 60);
        match (days, hours, minutes) {
            (0, 0, m) => write!(f, "{sign}{m} min"),
            (0, h, 0) => write!(f, "{sign}{h} h"),
            (0, h, m) => write!(f, "{sign}{h} h {m} min"),
            (d, 0, _) => write!(f, "{sign}{d} d"),
            (d, h, _) => write!(f, "{sign}{d} d {h} h"),
        }
    }
}

impl fmt::Debug for Minutes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A moment: whole minutes since 1970-01-01T00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(i32);

impl Instant {
    /// Later than any planned moment.
    pub const FAR: Self = Self(i32::MAX);

    /// The moment so many minutes after 1970-01-01T00:00Z.
    pub const fn from_epoch_minutes(minutes: i32) -> Self {
        Self(minutes)
    }

    /// Minutes since 1970-01-01T00:00Z.
    pub const fn epoch_minutes(self) -> i32 {
        self.0
    }

    /// This moment in UTC, seconds cut off; `None` outside the years 1970 ± 4000.
    pub fn from_utc(time: DateTime<Utc>) -> Option<Self> {
        i32::try_from(time.timestamp().div_euclid(60)).ok().map(Self)
    }

    /// This moment as a UTC date and time.
    pub fn to_utc(self) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(i64::from(self.0))
    }

    /// The moment a while later, held at the ends of the range.
    pub const fn plus(self, length: Minutes) -> Self {
        Self(self.0.saturating_add(length.0))
    }

    /// The moment a while earlier, held at the ends of the range.
    pub const fn minus(self, length: Minutes) -> Self {
        Self(self.0.saturating_sub(length.0))
    }

    /// How long after `earlier` this is; negative when it is before.
    pub const fn since(self, earlier: Self) -> Minutes {
        Minutes(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Instant {
    /// UTC, ISO 8601, to the minute: `2026-11-23T02:34Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_utc().format("%Y-%m-%dT%H:%MZ"))
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A local calendar day, counted from the first of January of year 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(i32);

impl Day {
    /// The day of a date.
    pub fn from_date(date: NaiveDate) -> Self {
        Self(date.num_days_from_ce())
    }

    /// The date of this day.
    pub fn date(self) -> NaiveDate {
        NaiveDate::from_num_days_from_ce_opt(self.0).unwrap_or(NaiveDate::MAX)
    }

    /// The day so many days later.
    pub const fn plus_days(self, days: i32) -> Self {
        Self(self.0.saturating_add(days))
    }

    /// How many days after `earlier` this is.
    pub const fn days_since(self, earlier: Self) -> i32 {
        self.0.saturating_sub(earlier.0)
    }

    /// Monday = 0 … Sunday = 6.
    pub fn weekday(self) -> u8 {
        // Day 1 (0001-01-01) was a Monday in the proleptic calendar.
        u8::try_from((self.0 - 1).rem_euclid(7)).unwrap_or(0)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.date().format("%Y-%m-%d"))
    }
}

impl fmt::Debug for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a local clock reading means as an instant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LocalInstant {
    /// One instant, as on nearly every day.
    Unique(Instant),
    /// The doubled hour in autumn: two instants, an hour apart.
    Twice {
        /// The reading before the clocks went back.
        earlier: Instant,
        /// The reading after the clocks went back.
        later: Instant,
    },
    /// The missing hour in spring, or a year out of range: no such instant.
    Missing,
}

/// The laboratory's time zone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Zone(Tz);

impl Zone {
    /// Greenwich summer and winter time.
    pub const LONDON: Self = Self(Tz::Europe__London);

    /// The zone of an IANA name such as `Europe/London`.
    pub fn from_name(name: &str) -> Option<Self> {
        name.parse().ok().map(Self)
    }

    /// The IANA name.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// The instant of a local reading, to the minute.
    pub fn instant(self, local: NaiveDateTime) -> LocalInstant {
        let minutes = |time: DateTime<Tz>| Instant::from_utc(time.with_timezone(&Utc));
        match local.and_local_timezone(self.0) {
            LocalResult::Single(time) => minutes(time).map_or(LocalInstant::Missing, LocalInstant::Unique),
            LocalResult::Ambiguous(first, second) => match (minutes(first), minutes(second)) {
                (Some(a), Some(b)) => LocalInstant::Twice { earlier: a.min(b), later: a.max(b) },
                _ => LocalInstant::Missing,
            },
            LocalResult::None => LocalInstant::Missing,
        }
    }

    /// The instant of so many minutes after local midnight of `day`; in a doubled hour the
    /// earlier one, in a missing hour the first instant after it.
    pub fn at(self, day: Day, minutes_after_midnight: i32) -> Instant {
        let midnight = day.date().and_hms_opt(0, 0, 0).unwrap_or(NaiveDateTime::MAX);
        let mut local = midnight.checked_add_signed(TimeDelta::minutes(i64::from(minutes_after_midnight)));
        for _ in 0..=24 {
            match local.map(|reading| self.instant(reading)) {
                Some(LocalInstant::Unique(instant)) => return instant,
                Some(LocalInstant::Twice { earlier, .. }) => return earlier,
                Some(LocalInstant::Missing) => {
                    // No zone has skipped more than a day; quarter hours find the first reading after a gap.
                    local = local.and_then(|l| l.checked_add_signed(TimeDelta::minutes(60)));
                }
                None => return Instant::FAR,
            }
        }
        Instant::FAR
    }

    /// The local reading of an instant.
    pub fn local(self, instant: Instant) -> NaiveDateTime {
        instant.to_utc().with_timezone(&self.0).naive_local()
    }

    /// The local day of an instant.
    pub fn day(self, instant: Instant) -> Day {
        Day::from_date(self.local(instant).date())
    }

    /// Minutes since local midnight by the clock on the wall.
    pub fn minute_of_day(self, instant: Instant) -> i32 {
        let local = self.local(instant);
        i32::try_from(local.hour() * 60 + local.minute()).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(text: &str) -> NaiveDateTime {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap()
    }

    #[test]
    fn a_summer_reading_is_an_hour_behind_utc() {
        let LocalInstant::Unique(instant) = Zone::LONDON.instant(reading("2024-06-03 09:00")) else {
            panic!("one instant")
        };
        assert_eq!(instant.to_string(), "2024-06-03T08:00Z");
        assert_eq!(Zone::LONDON.local(instant), reading("2024-06-03 09:00"));
    }

    #[test]
    fn the_spring_hour_is_missing() {
        assert_eq!(Zone::LONDON.instant(reading("2024-03-31 01:30")), LocalInstant::Missing);
        let after = Zone::LONDON.at(Day::from_date(reading("2024-03-31 00:00").date()), 90);
        assert_eq!(after.to_string(), "2024-03-31T01:30Z");
    }

    #[test]
    fn the_autumn_hour_comes_twice() {
        let LocalInstant::Twice { earlier, later } = Zone::LONDON.instant(reading("2024-10-27 01:30")) else {
            panic!("two instants")
        };
        assert_eq!(later.since(earlier), Minutes::from_hours(1));
    }

    #[test]
    fn days_know_their_weekday() {
        let monday = Day::from_date(NaiveDate::from_ymd_opt(2024, 6, 3).unwrap());
        assert_eq!(monday.weekday(), 0);
        assert_eq!(monday.plus_days(6).weekday(), 6);
        assert_eq!(monday.to_string(), "2024-06-03");
    }

    #[test]
    fn minutes_are_written_as_people_say_them() {
        for (minutes, words) in [(25, "25 min"), (420, "7 h"), (90, "1 h 30 min"), (3120, "2 d 4 h")] {
            assert_eq!(Minutes::new(minutes).to_string(), words);
        }
    }
}
