//! Which state may follow which? The rules, and nothing but the rules.
//!
//! A change is free, or needs a reason in the record (`because`, or a caution), or belongs to a
//! person, or can never be. A correction is a change with a reason: nothing is taken back.

use crate::error::LedgerError;
use crate::records::{Line, Sample};
use crate::states::{LineState, NoticeState, SampleState};

/// What a change of state needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rule {
    /// Nothing.
    Free,
    /// A reason in the record; why one is needed.
    Reason(&'static str),
    /// A person's decision, by [`crate::Writer::decide`]; no plan can make it.
    Person,
    /// It cannot be; why.
    Never(&'static str),
}

const LATE: &str = "what has expired is run only with a caution, or because a limit was corrected";
const AGAIN: &str = "what has been run is run again only for a reason";
const OPEN_AGAIN: &str = "what has been reported is opened again only for a reason";
const FOUND: &str = "what was disposed of can only be found again, which needs a reason";
const TAKEN_BACK: &str = "what a person has authorised is taken back only for a reason";
const NO_RECALL: &str = "only a recalled line is booked or bled again";
const NOT_TESTED: &str = "a line that is to be bled again is not run from the old container";

/// What a line needs to come into a state, from another or (`None`) from nothing.
pub const fn line(from: Option<LineState>, to: LineState) -> Rule {
    use LineState as S;
    let Some(from) = from else {
        return match to {
            S::Booked | S::ReBled => Rule::Never(NO_RECALL),
            _ => Rule::Free,
        };
    };
    match (from, to) {
        (S::Recalled | S::Booked, S::Booked | S::ReBled) | (S::ReBled, S::ReBled) => Rule::Free,
        (_, S::Booked | S::ReBled) => Rule::Never(NO_RECALL),
        (S::Reported, S::Reported) => Rule::Free,
        (S::Reported, _) => Rule::Reason(OPEN_AGAIN),
        (S::ReBled, S::Reported | S::Recalled | S::Cancelled) => Rule::Free,
        (S::ReBled, _) => Rule::Never(NOT_TESTED),
        (S::Tested | S::ProcessedNotReportable, S::Tested | S::ProcessedNotReportable | S::Reported) => Rule::Free,
        (S::Tested | S::ProcessedNotReportable, _) => Rule::Reason(AGAIN),
        (S::Expired, S::Received | S::Waiting | S::Scheduled | S::Transferred | S::Tested) => Rule::Reason(LATE),
        _ => Rule::Free,
    }
}

/// What a container needs to come into a state, from another or (`None`) from nothing.
pub const fn sample(from: Option<SampleState>, to: SampleState) -> Rule {
    use SampleState as S;
    let Some(from) = from else {
        return match to {
            S::DiscardAuthorised | S::DiscardRejected => Rule::Never("nothing was proposed"),
            S::Disposed => Rule::Never("no discard was authorised"),
            _ => Rule::Free,
        };
    };
    match (from, to) {
        (S::DiscardAuthorised, S::DiscardAuthorised)
        | (S::DiscardRejected, S::DiscardRejected)
        | (S::Disposed, S::Disposed) => Rule::Free,
        (S::DiscardProposed, S::DiscardAuthorised | S::DiscardRejected) => Rule::Person,
        (S::DiscardAuthorised, S::Disposed) => Rule::Person,
        (_, S::Disposed) => Rule::Never("no discard was authorised"),
        (_, S::DiscardAuthorised | S::DiscardRejected) => Rule::Never("nothing was proposed"),
        (S::Disposed, S::Held) => Rule::Reason(FOUND),
        (S::Disposed, _) => Rule::Never(FOUND),
        (S::DiscardAuthorised, S::Reported | S::Missing) => Rule::Free,
        (S::DiscardAuthorised, _) => Rule::Reason(TAKEN_BACK),
        (S::Reported, S::Reported) => Rule::Free,
        (S::Reported, _) => Rule::Reason(OPEN_AGAIN),
        (S::Tested, S::Tested | S::Reported | S::Held | S::Missing) => Rule::Free,
        (S::Tested, _) => Rule::Reason(AGAIN),
        (S::Expired, S::Received | S::Waiting | S::Scheduled) => Rule::Reason(LATE),
        _ => Rule::Free,
    }
}

/// Whether a notice may go from one state to another; why not.
///
/// # Errors
/// The reason, when it may not.
pub const fn notice(from: Option<NoticeState>, to: NoticeState) -> Result<(), &'static str> {
    use NoticeState as S;
    match (from, to) {
        (None, S::Open) => Ok(()),
        (None, _) => Err("a notice begins as open"),
        (Some(S::Done), S::Done) | (Some(S::Withdrawn), S::Withdrawn) => Ok(()),
        (Some(S::Done), _) => Err("the patient has been bled again"),
        (Some(S::Withdrawn), _) => Err("the notice was withdrawn; a new one has a number of its own"),
        (Some(S::Declined | S::NotOurs), S::Done | S::Booked | S::Declined | S::NotOurs | S::Withdrawn) => Ok(()),
        (Some(S::Declined | S::NotOurs), S::Open) => Err("the practice has answered"),
        (Some(S::Open | S::Booked), _) => Ok(()),
    }
}

/// What the lines of a notice become when a practice answers it.
pub const fn line_after(answer: NoticeState) -> LineState {
    match answer {
        NoticeState::Open => LineState::Recalled,
        NoticeState::Booked => LineState::Booked,
        NoticeState::Done => LineState::ReBled,
        NoticeState::Declined | NoticeState::Withdrawn => LineState::Cancelled,
        // Whose patient it is, a person has to find out.
        NoticeState::NotOurs => LineState::Held,
    }
}

/// The state to record when a plan asks for one: what a person has decided about a discard stands
/// when the plan proposes the same again, and a rejection also while the plan does nothing else with the tube.
pub const fn settled(now: Option<SampleState>, planned: SampleState) -> SampleState {
    match (now, planned) {
        (
            Some(decided @ (SampleState::DiscardAuthorised | SampleState::DiscardRejected)),
            SampleState::DiscardProposed | SampleState::Expired,
        )
        | (Some(decided @ SampleState::DiscardRejected), SampleState::Held | SampleState::Transferred) => decided,
        (_, planned) => planned,
    }
}

/// Checks that a container may become what a plan or an extract says of it.
///
/// # Errors
/// [`LedgerError::Transition`] names the first change that may not be.
pub(crate) fn check(before: Option<&Sample>, after: &Sample) -> Result<(), LedgerError> {
    let rule = sample(before.map(|before| before.state), after.state);
    let refuse = |test: Option<&str>, from: Option<&str>, to: &str, why: &str| LedgerError::Transition {
        accession: after.accession.clone(),
        test: test.map(str::to_owned),
        from: from.unwrap_or("nothing").to_owned(),
        to: to.to_owned(),
        why: why.to_owned(),
    };
    if let Some(why) = missing(rule, after.because.is_some()) {
        return Err(refuse(None, before.map(|before| before.state.text()), after.state.text(), why));
    }
    for line in &after.lines {
        let from = before.and_then(|before| before.line(&line.test)).map(|line| line.state);
        if let Some(why) = missing(self::line(from, line.state), has_reason(line)) {
            return Err(refuse(Some(&line.test), from.map(LineState::text), line.state.text(), why));
        }
    }
    let lost = before.and_then(|before| before.lines.iter().find(|line| after.line(&line.test).is_none()));
    match lost {
        Some(line) => Err(refuse(Some(&line.test), Some(line.state.text()), "nothing", "no line is ever taken away")),
        None => Ok(()),
    }
}

fn has_reason(line: &Line) -> bool {
    line.because.is_some() || line.caution.is_some()
}

/// Why a change may not be; `None` when it may.
const fn missing(rule: Rule, reason: bool) -> Option<&'static str> {
    match rule {
        Rule::Free => None,
        Rule::Reason(_) if reason => None,
        Rule::Reason(why) | Rule::Never(why) => Some(why),
        Rule::Person => Some("only a named person decides that"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use LineState as L;
    use SampleState as S;

    #[track_caller]
    fn check_line(from: Option<LineState>, to: LineState, expected: &str) {
        assert_eq!(word(line(from, to)), expected, "{from:?} to {to:?}");
    }

    #[track_caller]
    fn check_sample(from: Option<SampleState>, to: SampleState, expected: &str) {
        assert_eq!(word(sample(from, to)), expected, "{from:?} to {to:?}");
    }

    fn word(rule: Rule) -> &'static str {
        match rule {
            Rule::Free => "free",
            Rule::Reason(_) => "reason",
            Rule::Person => "person",
            Rule::Never(_) => "never",
        }
    }

    #[test]
    fn a_line_goes_its_way() {
        check_line(None, L::Scheduled, "free");
        check_line(None, L::Booked, "never");
        check_line(Some(L::Waiting), L::Scheduled, "free");
        check_line(Some(L::Scheduled), L::Expired, "free");
        check_line(Some(L::Expired), L::Recalled, "free");
        check_line(Some(L::Expired), L::Scheduled, "reason");
        check_line(Some(L::Recalled), L::Booked, "free");
        check_line(Some(L::Booked), L::ReBled, "free");
        check_line(Some(L::Waiting), L::ReBled, "never");
        check_line(Some(L::ReBled), L::Reported, "free");
        check_line(Some(L::ReBled), L::Scheduled, "never");
        check_line(Some(L::Tested), L::ProcessedNotReportable, "free");
        check_line(Some(L::Tested), L::Scheduled, "reason");
        check_line(Some(L::Reported), L::Waiting, "reason");
        check_line(Some(L::Cancelled), L::Waiting, "free");
    }

    #[test]
    fn a_discard_is_a_persons() {
        check_sample(None, S::DiscardProposed, "free");
        check_sample(None, S::Disposed, "never");
        check_sample(Some(S::DiscardProposed), S::DiscardAuthorised, "person");
        check_sample(Some(S::DiscardProposed), S::DiscardRejected, "person");
        check_sample(Some(S::DiscardProposed), S::Disposed, "never");
        check_sample(Some(S::Expired), S::DiscardAuthorised, "never");
        check_sample(Some(S::DiscardAuthorised), S::Disposed, "person");
        check_sample(Some(S::DiscardAuthorised), S::Waiting, "reason");
        check_sample(Some(S::DiscardRejected), S::Disposed, "never");
        check_sample(Some(S::Disposed), S::Waiting, "never");
        check_sample(Some(S::Disposed), S::Held, "reason");
        check_sample(Some(S::Missing), S::Waiting, "free");
    }

    #[test]
    fn every_state_can_be_kept_and_no_plan_reaches_a_persons_states() {
        for &state in LineState::ALL {
            check_line(Some(state), state, "free");
        }
        for &state in SampleState::ALL {
            check_sample(Some(state), state, "free");
            for to in [S::DiscardAuthorised, S::DiscardRejected, S::Disposed] {
                assert!(state == to || matches!(sample(Some(state), to), Rule::Person | Rule::Never(_)));
            }
        }
    }

    #[test]
    fn a_plan_does_not_undo_what_a_person_decided() {
        assert_eq!(settled(Some(S::DiscardAuthorised), S::DiscardProposed), S::DiscardAuthorised);
        assert_eq!(settled(Some(S::DiscardRejected), S::DiscardProposed), S::DiscardRejected);
        assert_eq!(settled(Some(S::DiscardRejected), S::Held), S::DiscardRejected);
        assert_eq!(settled(Some(S::DiscardRejected), S::Transferred), S::DiscardRejected);
        assert_eq!(settled(Some(S::DiscardAuthorised), S::Held), S::Held);
        assert_eq!(settled(Some(S::DiscardRejected), S::Scheduled), S::Scheduled);
        assert_eq!(settled(None, S::DiscardProposed), S::DiscardProposed);
    }

    #[test]
    fn a_notice_is_answered_and_never_reopened() {
        assert!(notice(None, NoticeState::Open).is_ok());
        assert!(notice(None, NoticeState::Booked).is_err());
        assert!(notice(Some(NoticeState::Open), NoticeState::Done).is_ok());
        assert!(notice(Some(NoticeState::Done), NoticeState::Open).is_err());
        assert!(notice(Some(NoticeState::Declined), NoticeState::Open).is_err());
        assert!(notice(Some(NoticeState::Withdrawn), NoticeState::Booked).is_err());
    }
}
