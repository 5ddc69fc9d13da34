//! Has the plan done what people decided? Laws about pins, routes and forced actions.

use super::case::{Case, name};
use super::{Found, Law};
use crate::overrides::{Action, Pin};
use crate::plan::{Discard, Disposition, Plan};
use crate::snapshot::Snapshot;
use crate::table::LineIx;

/// Pins, routes and forced tests are kept, or reported as impossible.
pub(super) fn pins(case: &Case<'_>, found: &mut Found) {
    for (line, disposition) in case.decisions() {
        for (index, pin) in case.snapshot.overrides.pins(line) {
            if kept(case, disposition, pin) || case.known.impossible(line, index) {
                continue;
            }
            let about = &case.snapshot.overrides.all[index];
            found.push(Law::Pins, Some(line), Some(case.sample), || {
                let (action, place) = (about.action.text(), about.line);
                format!("{} does not keep the `{action}` of overrides line {place}", case.name(line))
            });
        }
    }
}

/// Whether a decision keeps a pin. A result that is there has no place any more, only a time.
fn kept(case: &Case<'_>, disposition: Disposition, pin: Pin) -> bool {
    let Disposition::Run(run) = disposition else { return false };
    let in_place = run.analyser.is_none_or(|analyser| {
        pin.site.is_none_or(|site| case.site(analyser) == site) && pin.analyser.is_none_or(|wanted| wanted == analyser)
    });
    in_place && pin.by.is_none_or(|by| case.snapshot.grid.end(run.slot) <= by)
}

/// A forced discard is kept, or reported as impossible; and no other discard calls itself forced.
pub(super) fn forced_discards(case: &Case<'_>, found: &mut Found) {
    let overrides = &case.snapshot.overrides;
    let mut authorised = false;
    for line in case.lines() {
        for (index, about) in overrides.of(line).filter(|(_, about)| about.action == Action::ForceDiscard) {
            authorised |= case.decided.discard == Some(Discard::Override(index));
            let kept = matches!(case.decided.discard, Some(Discard::Override(_)));
            if !kept && !case.known.impossible(line, index) {
                found.push(Law::ForcedDiscards, Some(line), Some(case.sample), || {
                    format!("{} does not keep the `force-discard` of overrides line {}", case.name(line), about.line)
                });
            }
        }
    }
    if matches!(case.decided.discard, Some(Discard::Override(_))) && !authorised {
        found.push(Law::ForcedDiscards, None, Some(case.sample), || {
            format!("{} is discarded by an override that does not say so", case.sample_name())
        });
    }
}

/// What is reported as impossible is an override about that line, with a reason.
pub(super) fn reported(snapshot: &Snapshot, plan: &Plan, found: &mut Found) {
    for entry in &plan.impossible {
        let about = snapshot.overrides.by_line.binary_search(&(entry.line, entry.override_)).is_ok();
        if about && !entry.reason.trim().is_empty() {
            continue;
        }
        let (line, sample): (LineIx, _) = (entry.line, snapshot.backlog.lines[entry.line].sample);
        found.push(Law::Pins, Some(line), Some(sample), || {
            let what = if about { "without a reason" } else { "that is not about it" };
            format!("{} is reported with an impossible override {what}", name(snapshot, line))
        });
    }
}
