//! How do people write a duration, a volume, a time of day, a date? And what does it mean?
//!
//! The functions read one text and know no file, so that other readers can use them; the methods
//! of [`Value`] add place and words.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use labtriage_core::finding::{Code, Finding};
use labtriage_core::time::{Day, Instant, LocalInstant, Minutes, Zone};
use labtriage_core::units::{AnalyserTime, Microlitres, Percent};

use super::toml_file::Value;

const MINUTE: u64 = 60_000;
const DAY: u64 = 1440 * MINUTE;

/// Units of time in milliseconds.
const TIMES: &[(&[&str], u64)] = &[
    (&["ms"], 1),
    (&["s", "sec", "second", "seconds"], 1000),
    (&["min", "minute", "minutes"], MINUTE),
    (&["h", "hour", "hours"], 60 * MINUTE),
    (&["d", "day", "days"], DAY),
    (&["w", "week", "weeks"], 7 * DAY),
];

/// Units of volume in microlitres.
const VOLUMES: &[(&[&str], u64)] = &[(&["uL", "ul", "µL"], 1), (&["mL", "ml"], 1000)];

const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// A duration of whole minutes: `36h`, `15 min`, `8 weeks`, `120s`.
pub fn duration(text: &str) -> Option<Minutes> {
    let millis = amount(text, TIMES)?;
    let minutes = i32::try_from(millis / MINUTE).ok()?;
    millis.is_multiple_of(MINUTE).then(|| Minutes::new(minutes))
}

/// Time on an analyser, down to the millisecond: `1.8s`.
pub fn analyser_time(text: &str) -> Option<AnalyserTime> {
    u32::try_from(amount(text, TIMES)?).ok().map(AnalyserTime::from_millis)
}

/// A volume of whole microlitres: `300 uL`, `1.5 mL`.
pub fn volume(text: &str) -> Option<Microlitres> {
    u32::try_from(amount(text, VOLUMES)?).ok().map(Microlitres::new)
}

/// A local time of day as minutes after midnight; `24:00` is the end of the day.
pub fn clock(text: &str) -> Option<i32> {
    let (hours, minutes) = text.split_once(':')?;
    let two_digits = |part: &str| {
        (part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit())).then(|| part.parse::<i32>().ok()).flatten()
    };
    let (hours, minutes) = (two_digits(hours)?, two_digits(minutes)?);
    (minutes < 60 && hours * 60 + minutes <= 1440).then_some(hours * 60 + minutes)
}

/// A stretch of a day, `08:00-20:00`, as minutes after midnight; it ends after it begins.
pub fn hours(text: &str) -> Option<(i32, i32)> {
    let (from, until) = text.split_once('-')?;
    let (from, until) = (clock(from.trim())?, clock(until.trim())?);
    (from < until).then_some((from, until))
}

/// Days of the week, Monday = 0: `tue`, `mon-fri`, `sat-mon`.
pub fn weekdays(text: &str) -> Option<Vec<u8>> {
    let number = |name: &str| WEEKDAYS.iter().position(|day| *day == name);
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (number(first)?, number(last)?);
    let length = (last + 7 - first) % 7 + 1;
    (first..first + length).map(|day| u8::try_from(day % 7).ok()).collect()
}

/// Days of the week and what follows them: `mon-fri 09:30`.
pub fn on_weekdays<T>(text: &str, rest: impl FnOnce(&str) -> Option<T>) -> Option<(Vec<u8>, T)> {
    let (days, after) = text.split_once(' ')?;
    Some((weekdays(days)?, rest(after.trim_start())?))
}

/// The name of a weekday, Monday = 0.
pub fn weekday_name(day: u8) -> &'static str {
    WEEKDAYS[usize::from(day) % 7]
}

/// A date: `2026-12-25`.
pub fn date(text: &str) -> Option<Day> {
    // chrono would also take `2026-1-5`, which people read in two ways.
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    (text.len() == 10).then(|| Day::from_date(date))
}

/// A reading of the local clock: `2026-11-23 08:00` or with a `T` between.
pub fn reading(text: &str) -> Option<NaiveDateTime> {
    let (day, time) = text.split_once([' ', 'T'])?;
    let time = u32::try_from(clock(time)?).ok()?;
    let time = NaiveTime::from_hms_opt(time / 60, time % 60, 0)?;
    Some(date(day)?.date().and_time(time))
}

/// A number with a unit, in the smallest unit; `None` when it is not a whole number of those.
fn amount(text: &str, units: &[(&[&str], u64)]) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = (text.get(..end)?, text.get(end..)?.trim_start_matches(' '));
    let &(_, factor) = units.iter().find(|(names, _)| names.contains(&unit))?;
    let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || decimals.is_empty() || decimals.len() > 6 || decimals.contains('.') {
        return None;
    }
    let scale = 10u64.checked_pow(u32::try_from(decimals.len()).ok()?)?;
    let all = whole.parse::<u64>().ok()?.checked_mul(scale)?.checked_add(decimals.parse().ok()?)?;
    let scaled = all.checked_mul(factor)?;
    scaled.is_multiple_of(scale).then_some(scaled / scale)
}

const DURATION: &str = "a duration of whole minutes such as `15 min`, `36h`, `10 days` or `8 weeks`";

impl Value<'_> {
    /// A duration, zero included.
    pub fn duration(self) -> Option<Minutes> {
        self.parsed(DURATION, duration)
    }

    /// A duration longer than nothing.
    pub fn some_time(self) -> Option<Minutes> {
        let read = |text: &str| duration(text).filter(|length| *length > Minutes::ZERO);
        self.parsed("a duration of at least one minute such as `15 min`, `36h` or `8 weeks`", read)
    }

    /// Time on an analyser, longer than nothing.
    pub fn analyser_time(self) -> Option<AnalyserTime> {
        let read = |text: &str| analyser_time(text).filter(|time| time.millis() > 0);
        self.parsed("a time longer than nothing such as `1.8s` or `30 min`", read)
    }

    /// A volume, zero included.
    pub fn volume(self) -> Option<Microlitres> {
        self.parsed("a volume of whole microlitres such as `300 uL` or `1.5 mL`", volume)
    }

    /// A local time of day, `24:00` included.
    pub fn clock(self) -> Option<i32> {
        self.parsed("a local time of day such as `16:00`", clock)
    }

    /// A stretch of a day.
    pub fn hours(self) -> Option<(i32, i32)> {
        self.parsed("hours of one day such as `08:00-20:00`", hours)
    }

    /// A date.
    pub fn date(self) -> Option<Day> {
        self.parsed("a date such as `2026-12-25`", date)
    }

    /// A moment: a reading of the clock of `zone`, or of UTC when it ends in `Z`. A reading in the
    /// missing or the doubled hour of a clock change is refused.
    pub fn instant(self, zone: Zone) -> Option<Instant> {
        let utc = self.str().is_some_and(|text| text.ends_with('Z'));
        let expected = "a local time such as `2026-11-23 08:00`";
        let local = self.parsed(expected, |text| reading(text.strip_suffix('Z').unwrap_or(text)))?;
        let why = match zone.instant(local) {
            _ if utc => return Instant::from_utc(local.and_utc()).or_else(|| self.wrong(expected)),
            LocalInstant::Unique(instant) => return Some(instant),
            LocalInstant::Twice { .. } => "repeats",
            LocalInstant::Missing => "skips",
        };
        let shown = local.format("%Y-%m-%d %H:%M");
        let message = format!("{shown} is in the hour that the clock change of {} {why}", zone.name());
        self.report(Finding::new(Code::WrongValue, message).hint("give it in UTC, with a `Z` at its end"));
        None
    }

    /// A whole number of percent in a range.
    pub fn percent(self, range: std::ops::RangeInclusive<u32>) -> Option<Percent> {
        self.whole(range).map(Percent::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let check =
            |text: &str, expected: Option<i32>| assert_eq!(duration(text).map(Minutes::get), expected, "{text}");
        check("15 min", Some(15));
        check("36h", Some(2160));
        check("1.5 h", Some(90));
        check("120s", Some(2));
        check("0 min", Some(0));
        check("10 days", Some(14_400));
        check("1 week", Some(10_080));
        check("8 weeks", Some(80_640));
        let odd = ["90s", "36", "h", "", " 36h", "-1h", "1,5 h", "1.2.3 h", "1. h", ".5 h", "36 H", "36  parsecs"];
        odd.into_iter().for_each(|text| check(text, None));
        check("99999999999999999999 weeks", None);
        check("9999999 weeks", None);
        check("1.00000001 h", None);
    }

    #[test]
    fn analyser_times_and_volumes() {
        assert_eq!(analyser_time("1.8s"), Some(AnalyserTime::from_millis(1800)));
        assert_eq!(analyser_time("2 min"), Some(AnalyserTime::from_millis(120_000)));
        assert_eq!(analyser_time("1.8001s"), None);
        assert_eq!(analyser_time("50 days"), None);
        assert_eq!(volume("300 uL"), Some(Microlitres::new(300)));
        assert_eq!(volume("1.5 mL"), Some(Microlitres::new(1500)));
        assert_eq!(volume("7 µL"), Some(Microlitres::new(7)));
        assert_eq!(volume("1.5 uL"), None);
        assert_eq!(volume("5 L"), None);
    }

    #[test]
    fn times_of_day_and_weekdays() {
        assert_eq!(clock("16:05"), Some(965));
        assert_eq!(clock("24:00"), Some(1440));
        for odd in ["24:01", "9:00", "09:60", "+9:00", "0900", "09:00:00", ""] {
            assert_eq!(clock(odd), None, "{odd}");
        }
        assert_eq!(hours("08:00-20:00"), Some((480, 1200)));
        assert_eq!(hours("20:00-08:00"), None);
        assert_eq!(weekdays("tue"), Some(vec![1]));
        assert_eq!(weekdays("mon-sun"), Some(vec![0, 1, 2, 3, 4, 5, 6]));
        assert_eq!(weekdays("sat-mon"), Some(vec![5, 6, 0]));
        assert_eq!(weekdays("Mon"), None);
        assert_eq!(on_weekdays("mon-tue 09:30", clock), Some((vec![0, 1], 570)));
        assert_eq!(on_weekdays("09:30", clock), None);
    }

    #[test]
    fn dates_and_readings() {
        assert_eq!(date("2026-12-25").map(|day| day.to_string()), Some("2026-12-25".into()));
        for odd in ["2026-1-05", "2026-02-30", "25.12.2026", "02026-12-5"] {
            assert_eq!(date(odd), None, "{odd}");
        }
        assert_eq!(reading("2026-11-23 08:00"), reading("2026-11-23T08:00"));
        assert_eq!(reading("2026-11-23 24:00"), None);
        assert_eq!(reading("2026-11-23"), None);
    }
}
