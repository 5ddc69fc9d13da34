//! When is it open? Weekly opening windows in local time, less closed days.

use crate::time::{Day, Instant, Minutes, Zone};

/// Opening windows of a week.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Calendar {
    /// Name.
    pub name: String,
    /// Windows of each weekday, Monday first: minutes after local midnight, half-open, in order.
    pub windows: [Vec<(i32, i32)>; 7],
    /// Days on which it stays closed, in order.
    pub closed: Vec<Day>,
}

impl Calendar {
    /// The windows of a day, as minutes after local midnight.
    pub fn windows_on(&self, day: Day) -> &[(i32, i32)] {
        if self.closed.binary_search(&day).is_ok() { &[] } else { &self.windows[usize::from(day.weekday())] }
    }

    /// Whether it opens at all on a day.
    pub fn opens_on(&self, day: Day) -> bool {
        !self.windows_on(day).is_empty()
    }

    /// How long it is open between two instants.
    pub fn open_between(&self, zone: Zone, from: Instant, until: Instant) -> Minutes {
        let mut open = Minutes::ZERO;
        if from >= until {
            return open;
        }
        let (first, last) = (zone.day(from), zone.day(until));
        for ahead in 0..=last.days_since(first) {
            let day = first.plus_days(ahead);
            for &(opens, closes) in self.windows_on(day) {
                let starts = zone.at(day, opens).max(from);
                let ends = zone.at(day, closes).min(until);
                if ends > starts {
                    open = open.plus(ends.since(starts));
                }
            }
        }
        open
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::NaiveDate;

    fn day(year: i32, month: u32, day: u32) -> Day {
        Day::from_date(NaiveDate::from_ymd_opt(year, month, day).unwrap())
    }

    fn all_day() -> Calendar {
        Calendar { name: "always".into(), windows: std::array::from_fn(|_| vec![(0, 1440)]), closed: Vec::new() }
    }

    #[test]
    fn a_day_of_clock_change_is_an_hour_shorter_or_longer() {
        let zone = Zone::LONDON;
        for (date, hours) in [(day(2024, 3, 31), 23), (day(2024, 6, 3), 24), (day(2024, 10, 27), 25)] {
            let (from, until) = (zone.at(date, 0), zone.at(date.plus_days(1), 0));
            assert_eq!(all_day().open_between(zone, from, until), Minutes::from_hours(hours));
        }
    }

    #[test]
    fn closed_days_and_windows_count() {
        let zone = Zone::LONDON;
        let mut calendar = all_day();
        calendar.windows[0] = vec![(9 * 60, 12 * 60), (13 * 60, 17 * 60)];
        calendar.closed = vec![day(2024, 6, 4)];
        let monday = day(2024, 6, 3);
        let (from, until) = (zone.at(monday, 10 * 60), zone.at(monday.plus_days(2), 0));
        assert_eq!(calendar.open_between(zone, from, until), Minutes::from_hours(6));
        assert!(!calendar.opens_on(monday.plus_days(1)));
    }
}
