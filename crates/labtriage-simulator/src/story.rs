//! When were the tubes of a scenario taken, and how have they been kept?

use crate::clock::{DAY, Reading, day_of, weekday};
use crate::dice::Dice;
use crate::scenario::Scenario;
use crate::words::Tube;

/// The figures of a scenario. Shares are per thousand, times of day in minutes after midnight.
pub(crate) struct Story {
    /// The moment of planning.
    pub(crate) now: Reading,
    /// Requests that come from wards.
    pub(crate) wards: u32,
    /// Days before today on which practices bled, with weights.
    days: &'static [(u32, i32)],
    /// When practices bleed.
    bleeding: (i32, i32),
    /// When their vans arrive.
    arrival: (i32, i32),
    /// How many minutes after receipt serum is spun.
    spun_after: (i32, i32),
    /// Serum that goes into the refrigerator as it came.
    never_spun: u32,
    /// Spun serum, and blood, kept in the refrigerator.
    refrigerated: u32,
    /// Tubes without a collection time.
    collection_unknown: u32,
    /// Blood counts of practices that are analysed but not reportable.
    pub(crate) held: u32,
    /// The oldest tube of a ward, in minutes.
    ward_age: i32,
}

/// When a patient was asked for, bled, and the tubes received.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Visit {
    pub(crate) requested: Reading,
    pub(crate) collected: Reading,
    pub(crate) received: Reading,
}

/// How a tube has been kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Kept {
    pub(crate) separated: Option<Reading>,
    pub(crate) refrigerated: bool,
    /// When it came into the refrigerator, if that was long after separation.
    pub(crate) chilled: Option<Reading>,
    /// Whether its collection time is on record.
    pub(crate) collection_known: bool,
}

impl Story {
    /// The story of a scenario.
    pub(crate) const fn of(scenario: Scenario) -> Self {
        let evening = Self {
            now: scenario.now(),
            wards: 90,
            days: &[(1, 0)],
            bleeding: (8 * 60, 16 * 60 + 30),
            arrival: (10 * 60 + 30, 18 * 60 + 45),
            spun_after: (15, 120),
            never_spun: 4,
            refrigerated: 400,
            collection_unknown: 6,
            held: 4,
            ward_age: 12 * 60,
        };
        match scenario {
            Scenario::SynnovisWeek1 => Self {
                wards: 42,
                // Monday 3 to Friday 7 June, and Monday 10 June.
                days: &[(17, 7), (17, 6), (17, 5), (17, 4), (16, 3), (16, 0)],
                bleeding: (8 * 60, 12 * 60 + 30),
                arrival: (14 * 60, 19 * 60),
                spun_after: (60, 180),
                never_spun: 120,
                refrigerated: 1000,
                collection_unknown: 20,
                held: 1000,
                ward_age: 20 * 60,
                ..evening
            },
            Scenario::PlannedReduction => {
                Self { days: &[(1, 0), (1, 1)], refrigerated: 250, ward_age: 36 * 60, ..evening }
            }
            Scenario::AnalyserDown => Self { ward_age: 24 * 60, ..evening },
            Scenario::NormalNight => evening,
        }
    }

    /// The story of a later evening: what has arrived since the one before. Practices rest at weekends.
    pub(crate) fn on(scenario: Scenario, night: u32) -> Self {
        let first = Self::of(scenario);
        if night == 0 {
            return first;
        }
        let now = first.now + i32::try_from(night).unwrap_or(0) * DAY;
        let weekend = matches!(weekday(day_of(now)), 5 | 6);
        let wards = if weekend { 1000 } else { first.wards };
        Self { now, wards, days: &[(1, 0)], ward_age: first.ward_age.min(DAY), ..first }
    }

    /// A visit to a practice.
    pub(crate) fn practice(&self, dice: &mut Dice) -> Visit {
        let day = day_of(self.now) - dice.pick(self.days);
        self.practice_on(day, dice)
    }

    /// A visit to a practice on a day. Most patients come in the later morning, and vans bring the
    /// tubes two to four and a half hours later.
    pub(crate) fn practice_on(&self, day: i32, dice: &mut Dice) -> Visit {
        let midnight = day * DAY;
        let collected = midnight + dice.late(self.bleeding.0, self.bleeding.1);
        let arrives = collected + dice.between(120, 270);
        let received = arrives.clamp(midnight + self.arrival.0, midnight + self.arrival.1).min(self.now - 5);
        let requested = if dice.chance(500) {
            collected - dice.between(1, 30)
        } else {
            // Asked for at an earlier appointment.
            (day - dice.between(1, 8)) * DAY + dice.between(9 * 60, 17 * 60 + 30)
        };
        Visit { requested, collected, received }
    }

    /// A round on a ward; recent ones more often.
    pub(crate) fn ward(&self, dice: &mut Dice) -> Visit {
        let collected = self.now - dice.early(20, self.ward_age);
        self.ward_at(collected, dice)
    }

    /// Blood taken on a ward at a time, now at the latest.
    pub(crate) fn ward_at(&self, collected: Reading, dice: &mut Dice) -> Visit {
        let collected = collected.min(self.now - 20);
        let received = (collected + dice.between(10, 60)).min(self.now - 5);
        Visit { requested: collected - dice.between(1, 60), collected, received }
    }

    /// How a tube of a visit has been kept. Whole blood is never spun here.
    pub(crate) fn kept(&self, tube: Tube, visit: Visit, from_ward: bool, dice: &mut Dice) -> Kept {
        let collection_known = !dice.chance(self.collection_unknown);
        let refrigerated = dice.chance(self.refrigerated);
        let kept = |separated, refrigerated| Kept { separated, refrigerated, chilled: None, collection_known };
        match tube {
            Tube::Serum if !from_ward && dice.chance(self.never_spun) => kept(None, true),
            Tube::Serum => {
                let after = if from_ward { (15, 60) } else { self.spun_after };
                let spun = visit.received + dice.early(after.0, after.1);
                if spun >= self.now {
                    return kept(None, false);
                }
                let cold = refrigerated && !from_ward;
                // A few racks are left standing; their rows have a history.
                let chilled = spun + dice.between(60, 300);
                let left_standing = cold && collection_known && chilled < self.now && dice.chance(30);
                Kept { chilled: left_standing.then_some(chilled), ..kept(Some(spun), cold) }
            }
            // Blood counts keep longer cold, and most laboratories do not have the room for all.
            Tube::Edta => kept(None, refrigerated && !from_ward && dice.chance(700)),
            Tube::Boric => kept(None, refrigerated),
            Tube::Csf => kept(None, true),
            Tube::Citrate | Tube::Fluoride => kept(None, false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::weekday;

    #[test]
    fn times_stand_in_order_and_never_in_the_future() {
        for scenario in Scenario::ALL {
            let (story, mut dice) = (Story::of(scenario), Dice::new(11));
            for round in 0..20_000 {
                let from_ward = round % 2 == 0;
                let visit = if from_ward { story.ward(&mut dice) } else { story.practice(&mut dice) };
                assert!(visit.requested < visit.collected, "{visit:?}");
                assert!(visit.collected < visit.received && visit.received < story.now, "{visit:?}");
                let kept = story.kept(Tube::Serum, visit, from_ward, &mut dice);
                assert!(kept.separated.is_none_or(|at| visit.received < at && at < story.now), "{kept:?}");
            }
        }
    }

    #[test]
    fn practices_bleed_on_weekdays_only() {
        for scenario in Scenario::ALL {
            let today = day_of(scenario.now());
            for (_, before) in Story::of(scenario).days {
                assert!(weekday(today - before) < 5, "{scenario:?} {before}");
            }
        }
    }

    #[test]
    fn in_week_1_most_serum_is_spun_and_all_of_it_is_cold() {
        let (story, mut dice) = (Story::of(Scenario::SynnovisWeek1), Dice::new(5));
        let (mut spun, mut warm) = (0, 0);
        for _ in 0..10_000 {
            let visit = story.practice(&mut dice);
            let kept = story.kept(Tube::Serum, visit, false, &mut dice);
            spun += i32::from(kept.separated.is_some());
            warm += i32::from(!kept.refrigerated);
        }
        assert!((8_200..9_000).contains(&spun), "{spun}");
        // Only those of tonight that still wait for a centrifuge.
        assert!(warm < 400, "{warm}");
    }
}
