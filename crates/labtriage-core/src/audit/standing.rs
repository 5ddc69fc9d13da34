//! May this line be cancelled, held or recalled, this sample be discarded? Laws about what is not run.

use super::case::Case;
use super::{Found, Law};
use crate::duplicates::Repeat;
use crate::plan::{Cancel, Discard, Disposition, Hold};
use crate::policy::UnknownRule;
use crate::table::LineIx;
use crate::time::Instant;
use crate::viability::Clock;

/// A line is cancelled only when another line or a result answers it.
pub(super) fn cancels(case: &Case<'_>, found: &mut Found) {
    for (line, disposition) in case.decisions() {
        let Disposition::Cancel(cancel) = disposition else { continue };
        let what = match (cancel, case.snapshot.repeats[line]) {
            (Cancel::Superseded, Repeat::Resulted) => continue,
            (Cancel::Superseded, _) => "is cancelled as superseded, but no result is there",
            (Cancel::Duplicate(of), Repeat::Of(survivor)) if of == survivor => {
                if !matches!(case.plan.lines[of], Disposition::Cancel(_)) {
                    continue;
                }
                "is cancelled as the repeat of a line that is cancelled too"
            }
            (Cancel::Duplicate(_), _) => "is cancelled as the repeat of a line that it does not repeat",
        };
        found.push(Law::Cancels, Some(line), Some(case.sample), || format!("{} {what}", case.name(line)));
    }
}

/// A line whose result is there is cancelled, unless a person holds it or wants it tested again.
pub(super) fn superseded(case: &Case<'_>, found: &mut Found) {
    let overrides = &case.snapshot.overrides;
    for (line, disposition) in case.decisions().filter(|(line, _)| case.snapshot.repeats[*line] == Repeat::Resulted) {
        let lawful = match disposition {
            Disposition::Cancel(_) => true,
            Disposition::Hold(Hold::Override(_)) => true,
            Disposition::Run(_) => overrides.pins(line).next().is_some(),
            Disposition::Hold(_) | Disposition::Recall(_) => false,
        };
        if !lawful {
            found.push(Law::Superseded, Some(line), Some(case.sample), || {
                format!("{} is not cancelled although its result is there", case.name(line))
            });
        }
    }
}

/// A line is held only for a reason that is true.
pub(super) fn holds(case: &Case<'_>, found: &mut Found) {
    let snapshot = case.snapshot;
    for (line, disposition) in case.decisions() {
        let Disposition::Hold(hold) = disposition else { continue };
        let (lawful, what) = match hold {
            Hold::UnknownStability => {
                (snapshot.must_hold(line) == Some(hold), "for unknown stability, which is not its case")
            }
            Hold::UnknownTime => {
                (snapshot.must_hold(line) == Some(hold), "for an unknown collection time, which is not its case")
            }
            Hold::Override(about) => {
                (snapshot.overrides.of(line).any(|(index, _)| index == about), "by an override that is not about it")
            }
            Hold::Irreplaceable => {
                (snapshot.backlog.samples[case.sample].irreplaceable, "as irreplaceable, which it is not")
            }
            Hold::NotRecallable => {
                (never_recalled_patient(case), "because the patient must not be recalled, who may be")
            }
            Hold::Waiting => (keeps(case, line), "for capacity, but does not keep beyond the horizon"),
        };
        if !lawful {
            found.push(Law::Holds, Some(line), Some(case.sample), || format!("{} is held {what}", case.name(line)));
        }
    }
}

/// Whether a line is still open at the end of the horizon; whatever its steps if they are impossible.
fn keeps(case: &Case<'_>, line: LineIx) -> bool {
    let end = case.snapshot.grid.horizon_end();
    case.snapshot.backlog.lines[line].result_held
        || case.broken.is_some()
        || case.ways().iter().any(|way| case.snapshot.viable(line, &way.stays, end))
}

/// A line that needs a person's decision is held, unless it is cancelled or its sample is discarded by force.
pub(super) fn must_hold(case: &Case<'_>, found: &mut Found) {
    for (line, disposition) in case.decisions() {
        if matches!(disposition, Disposition::Hold(_) | Disposition::Cancel(_)) {
            continue;
        }
        let forced = matches!(case.decided.discard, Some(Discard::Override(_)))
            && matches!(disposition, Disposition::Recall(_))
            && case.snapshot.overrides.hold(line).is_none();
        if let Some(hold) = case.snapshot.must_hold(line).filter(|_| !forced) {
            let why = match hold {
                Hold::Override(_) => "an override holds it",
                Hold::UnknownTime => "its collection time is unknown",
                _ => "its stability is unknown",
            };
            found.push(Law::MustHold, Some(line), Some(case.sample), || {
                format!("{} is not held, but {why}", case.name(line))
            });
        }
    }
}

/// A sample is discarded only when nothing needs it and everything on it is lost for long enough.
pub(super) fn discards(case: &Case<'_>, found: &mut Found) {
    let Some(discard) = case.decided.discard else { return };
    let snapshot = case.snapshot;
    let forced = matches!(discard, Discard::Override(_));
    let mut refuse = |what: &str| {
        found.push(Law::Discards, None, Some(case.sample), || {
            format!("{} is discarded, but {what}", case.sample_name())
        });
    };
    let needs = |disposition| match disposition {
        Disposition::Run(_) => true,
        // Who forces the discard has decided about what is held too.
        Disposition::Hold(_) => !forced,
        Disposition::Recall(_) | Disposition::Cancel(_) => false,
    };
    if case.decisions().any(|(_, disposition)| needs(disposition)) {
        return refuse("a line still needs it");
    }
    if forced {
        return;
    }
    if snapshot.backlog.samples[case.sample].irreplaceable {
        return refuse("it is irreplaceable");
    }
    if case.decisions().any(|(line, _)| snapshot.overrides.keeps(line)) {
        return refuse("a person has decided to keep it");
    }
    let mut last_loss = FOREVER;
    for (line, _) in case.decisions().filter(|(_, disposition)| !matches!(disposition, Disposition::Cancel(_))) {
        match lost_since(case, line) {
            Some(loss) => last_loss = last_loss.max(loss),
            None => return refuse("not all of its lines are lost"),
        }
    }
    if last_loss.plus(snapshot.policy.minimum_hold) > snapshot.now {
        refuse(&format!("its last line was lost at {last_loss}, less than the minimum hold ago"));
    }
}

/// Before anything was collected.
const FOREVER: Instant = Instant::from_epoch_minutes(i32::MIN);

/// Since when a line is lost as its sample is kept; none while it is open.
fn lost_since(case: &Case<'_>, line: LineIx) -> Option<Instant> {
    let snapshot = case.snapshot;
    let unknown_time = snapshot.backlog.samples[case.sample].collected_unknown;
    match snapshot.clocks[line] {
        Clock::Lost(at, _) => Some(at),
        Clock::Until(closes) if closes <= snapshot.now => Some(closes),
        Clock::Unknown(_) if snapshot.policy.unknown_stability == UnknownRule::Exclude => Some(FOREVER),
        _ if unknown_time && snapshot.policy.unknown_time == UnknownRule::Exclude => Some(FOREVER),
        Clock::Until(_) | Clock::Unknown(_) => None,
    }
}

/// No recall of the dead, the deregistered, or of what cannot be collected again.
pub(super) fn never_recalled(case: &Case<'_>, found: &mut Found) {
    let patient = never_recalled_patient(case);
    let irreplaceable = case.snapshot.backlog.samples[case.sample].irreplaceable;
    if !patient && !irreplaceable {
        return;
    }
    let what = if patient { "the patient must not be recalled" } else { "it cannot be collected again" };
    for (line, _) in case.decisions().filter(|(_, disposition)| matches!(disposition, Disposition::Recall(_))) {
        found.push(Law::NeverRecalled, Some(line), Some(case.sample), || {
            format!("{} is recalled, but {what}", case.name(line))
        });
    }
}

fn never_recalled_patient(case: &Case<'_>) -> bool {
    let backlog = &case.snapshot.backlog;
    let request = &backlog.requests[backlog.samples[case.sample].request];
    backlog.patients[request.patient].never_recalled()
}
