//! Until when may a line be tested? Storage history and planned storage become a window.
//!
//! In each phase, spent life adds up: `Σ time in condition ÷ limit in condition`. At one the line
//! is lost. The separated phase starts its own clock. All rounding shortens the window.

use crate::catalogue::{Limit, Limits, Phase, State};
use crate::time::{Instant, Minutes};

/// A stretch of storage, half-open. Stretches of a history may overlap: both then count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stay {
    /// From when.
    pub from: Instant,
    /// Until when; [`Instant::FAR`] for the last one.
    pub until: Instant,
    /// In which state.
    pub state: State,
}

/// Why a line is lost.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum LostBy {
    /// The time in this state used up what was left.
    Expiry(State),
    /// This state spoils the specimen for the test at once.
    Forbidden(State),
    /// Frozen or thawed more than once.
    FrozenTwice,
    /// Already separated, but the analyser takes the specimen as collected.
    AlreadySeparated,
}

/// How long a line still has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Clock {
    /// It may be tested until then (a run must end by it), safety margin taken off.
    Until(Instant),
    /// It was lost at that moment.
    Lost(Instant, LostBy),
    /// No limit is known for this state.
    Unknown(State),
}

impl Clock {
    /// The end of the window, when there is one.
    pub const fn closes(self) -> Option<Instant> {
        match self {
            Self::Until(closes) => Some(closes),
            _ => None,
        }
    }

    /// Whether a run that ends at `end` is inside the window.
    pub fn allows(self, end: Instant) -> bool {
        matches!(self, Self::Until(closes) if end <= closes)
    }
}

/// One whole life, in the parts in which spent life is counted.
const LIFE: i64 = 1_000_000_000;

/// Until when a line with these limits may be tested, if the sample is kept as the stays say.
///
/// The stays are in order of time, at least one, the last one open-ended. A run in the primary
/// phase of a sample that is spun comes too late. A run in the separated phase of a sample that
/// is not spun yet has the window in which it must be spun.
pub fn clock(limits: &Limits, run_in: Phase, stays: &[Stay], margin: Minutes) -> Clock {
    let mut spent = 0i64;
    let mut phase = Phase::Primary;
    let mut freezes = 0;
    let mut before = None;
    let mut closes = Instant::FAR;
    for stay in stays {
        if stay.state.phase() != phase {
            phase = stay.state.phase();
            spent = 0;
        }
        if before != Some(stay.state) && matches!(stay.state, State::SeparatedFrozen | State::PrimaryFrozen) {
            freezes += 1;
        }
        if freezes > 1 || (before == Some(State::SeparatedThawed) && stay.state == State::SeparatedFrozen) {
            return Clock::Lost(stay.from, LostBy::FrozenTwice);
        }
        before = Some(stay.state);
        if stay.until <= stay.from {
            continue;
        }
        let limit = match limits.of(stay.state) {
            Limit::Forbidden => return Clock::Lost(stay.from, LostBy::Forbidden(stay.state)),
            Limit::Unknown => return Clock::Unknown(stay.state),
            Limit::Within(limit) => i64::from(limit.get().max(1)),
        };
        let left = Minutes::new(i32::try_from((LIFE - spent).max(0) * limit / LIFE).unwrap_or(i32::MAX));
        closes = stay.from.plus(left);
        if stay.until != Instant::FAR {
            if stay.until > closes {
                return Clock::Lost(closes, LostBy::Expiry(stay.state));
            }
            let length = i64::from(stay.until.since(stay.from).get());
            spent += (length * LIFE + limit - 1) / limit;
        }
    }
    if run_in == Phase::Primary && phase == Phase::Separated {
        let separated = stays.iter().find(|stay| stay.state.phase() == Phase::Separated);
        return Clock::Lost(separated.map_or(closes, |stay| stay.from), LostBy::AlreadySeparated);
    }
    Clock::Until(closes.minus(margin))
}

/// How soon after its arrival a fresh tube is separated: reception spins the day's tubes first.
pub const FRESH_SPIN: Minutes = Minutes::from_hours(1);

/// Until when a re-test may be run on a tube bled at `collected` that reaches the laboratory at `arrives`.
///
/// Separated within [`FRESH_SPIN`] of arrival and kept in the better of ambient and refrigerated.
/// Where no figure is known, a fresh tube is given a day from collection.
pub fn fresh_clock(limits: &Limits, run_in: Phase, collected: Instant, arrives: Instant, margin: Minutes) -> Clock {
    let primary = match limits.of(State::PrimaryAmbient) {
        Limit::Within(limit) => Some(collected.plus(limit)),
        Limit::Unknown => None,
        Limit::Forbidden => return Clock::Lost(collected, LostBy::Forbidden(State::PrimaryAmbient)),
    };
    let day = collected.plus(Minutes::from_days(1));
    if run_in == Phase::Primary {
        return Clock::Until(primary.unwrap_or(day).minus(margin));
    }
    if let Some(closes) = primary.filter(|closes| *closes < arrives.plus(FRESH_SPIN)) {
        return Clock::Lost(closes, LostBy::Expiry(State::PrimaryAmbient));
    }
    let kept = [State::SeparatedAmbient, State::SeparatedRefrigerated].map(|state| match limits.of(state) {
        Limit::Within(limit) => Some(arrives.plus(limit)),
        Limit::Unknown | Limit::Forbidden => None,
    });
    let closes = kept.into_iter().flatten().max().unwrap_or(day);
    Clock::Until(closes.minus(margin))
}

/// The state whose limit decides [`fresh_clock`] once the tube has arrived.
pub fn fresh_state(limits: &Limits, run_in: Phase) -> State {
    let keeps = |state: State| match limits.of(state) {
        Limit::Within(limit) => limit,
        Limit::Unknown | Limit::Forbidden => Minutes::ZERO,
    };
    match run_in {
        Phase::Primary => State::PrimaryAmbient,
        Phase::Separated if keeps(State::SeparatedRefrigerated) > keeps(State::SeparatedAmbient) => {
            State::SeparatedRefrigerated
        }
        Phase::Separated => State::SeparatedAmbient,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Condition;

    fn limits(rows: &[(State, i32)]) -> Limits {
        let mut limits = Limits::UNKNOWN;
        for &(state, hours) in rows {
            let limit = if hours == 0 { Limit::Forbidden } else { Limit::Within(Minutes::from_hours(hours)) };
            limits.set(state.phase(), state.condition(), limit);
        }
        limits
    }

    fn at(hours: i32) -> Instant {
        Instant::from_epoch_minutes(hours * 60)
    }

    fn stays(rows: &[(i32, State)]) -> Vec<Stay> {
        let until = |next: Option<&(i32, State)>| next.map_or(Instant::FAR, |(hours, _)| at(*hours));
        rows.iter()
            .enumerate()
            .map(|(n, &(from, state))| Stay { from: at(from), until: until(rows.get(n + 1)), state })
            .collect()
    }

    fn check(limits_in: &[(State, i32)], run_in: Phase, kept: &[(i32, State)], expected: Clock) {
        assert_eq!(clock(&limits(limits_in), run_in, &stays(kept), Minutes::ZERO), expected);
    }

    use State::{
        PrimaryAmbient as PA, PrimaryRefrigerated as PR, SeparatedAmbient as SA, SeparatedFrozen as SF,
        SeparatedRefrigerated as SR, SeparatedThawed as ST,
    };

    #[test]
    fn spent_fractions_add_up_within_a_phase() {
        // Half of 8 h ambient, then half of 48 h refrigerated is left.
        check(&[(PA, 8), (PR, 48)], Phase::Primary, &[(0, PA), (4, PR)], Clock::Until(at(4 + 24)));
    }

    #[test]
    fn separation_starts_a_clock_of_its_own() {
        check(&[(PA, 6), (SA, 24)], Phase::Separated, &[(0, PA), (5, SA)], Clock::Until(at(29)));
    }

    #[test]
    fn a_primary_clock_that_ran_out_is_not_mended_by_spinning() {
        check(&[(PA, 6), (SA, 24)], Phase::Separated, &[(0, PA), (7, SA)], Clock::Lost(at(6), LostBy::Expiry(PA)));
    }

    #[test]
    fn a_forbidden_state_loses_the_line_when_it_begins() {
        check(&[(PA, 6), (PR, 0)], Phase::Separated, &[(0, PA), (1, PR)], Clock::Lost(at(1), LostBy::Forbidden(PR)));
    }

    #[test]
    fn an_unknown_limit_is_never_unlimited() {
        check(&[(PA, 6)], Phase::Primary, &[(0, PA), (1, PR)], Clock::Unknown(PR));
    }

    #[test]
    fn one_freeze_and_thaw_at_most() {
        let known = [(PA, 6), (SA, 24), (SF, 100), (SR, 100)];
        check(&known, Phase::Separated, &[(0, PA), (1, SF), (51, ST)], Clock::Until(at(51 + 12)));
        check(
            &known,
            Phase::Separated,
            &[(0, PA), (1, SF), (51, ST), (52, SF)],
            Clock::Lost(at(52), LostBy::FrozenTwice),
        );
    }

    #[test]
    fn spun_blood_cannot_be_counted() {
        check(&[(PA, 24), (SA, 24)], Phase::Primary, &[(0, PA), (2, SA)], Clock::Lost(at(2), LostBy::AlreadySeparated));
    }

    #[test]
    fn the_margin_shortens_the_window() {
        let found = clock(&limits(&[(PA, 6)]), Phase::Primary, &stays(&[(0, PA)]), Minutes::new(30));
        assert_eq!(found, Clock::Until(at(6).minus(Minutes::new(30))));
    }

    #[test]
    fn a_fresh_tube_must_arrive_before_it_spoils() {
        let known = limits(&[(PA, 6), (SR, 48)]);
        let fresh = |arrives| fresh_clock(&known, Phase::Separated, at(9), at(arrives), Minutes::ZERO);
        assert_eq!(fresh(14), Clock::Until(at(14 + 48)));
        assert_eq!(fresh(15), Clock::Lost(at(15), LostBy::Expiry(PA)));
        assert_eq!(limits(&[]).get(Phase::Primary, Condition::Frozen), Limit::Unknown);
    }

    #[test]
    fn a_fresh_tube_is_kept_in_the_better_condition() {
        let state = |rows: &[(State, i32)], run_in| fresh_state(&limits(rows), run_in);
        assert_eq!(state(&[(PA, 6), (SR, 48)], Phase::Separated), SR);
        assert_eq!(state(&[(PA, 6), (SA, 24), (SR, 0)], Phase::Separated), SA);
        assert_eq!(state(&[(PA, 6), (SR, 48)], Phase::Primary), PA);
    }
}
