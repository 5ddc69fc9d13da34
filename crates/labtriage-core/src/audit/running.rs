//! May this line be tested there and then? Laws about runs and the steps before them.

use super::case::Case;
use super::{Found, Law};
use crate::catalogue::{Phase, State};
use crate::plan::Disposition;
use crate::table::{LineIx, SlotIx};
use crate::trace::Way;
use crate::viability::Clock;

/// Each step is possible where and when it is taken.
pub(super) fn steps(case: &Case<'_>, found: &mut Found) {
    if let Some(broken) = case.broken {
        found.push(Law::Steps, None, Some(case.sample), || format!("{} of {}", broken, case.sample_name()));
    }
}

/// A run takes place after its container has arrived and is booked in at the analyser's site.
pub(super) fn booked_in(case: &Case<'_>, found: &mut Found) {
    let nowhere = case.ways().iter().all(|way| way.booked_in.is_none());
    for (line, run, analyser) in case.runs().filter(|_| !case.ways().is_empty()) {
        let site = case.site(analyser);
        let what = match case.container(site) {
            Some(way) if !ready(case, way, run.slot) => "is run before its container is there and booked in",
            None if nowhere => "is run, but no container is booked in",
            // Booked in at another site: that is the law of one site.
            Some(_) | None => continue,
        };
        found.push(Law::BookedIn, Some(line), Some(case.sample), || {
            let (code, slot) = (&case.snapshot.network.sites[site].code, case.snapshot.grid.start(run.slot));
            format!("{} {what} (at `{code}`, in the slot of {slot})", case.name(line))
        });
    }
}

/// Whether a container's steps are done by the time of a run.
fn ready(case: &Case<'_>, way: &Way, slot: SlotIx) -> bool {
    way.booked_in.is_some_and(|booked_in| booked_in <= slot)
        && way.last_slot.is_none_or(|last| last <= slot)
        && way.earliest < case.snapshot.grid.end(slot)
}

/// A run takes place while the analyser works and on a run day of the test.
pub(super) fn open(case: &Case<'_>, found: &mut Found) {
    for (line, run, analyser) in case.tests() {
        let test = case.snapshot.backlog.lines[line].test;
        if !case.known.runs(case.snapshot, analyser, test, run.slot) {
            found.push(Law::Open, Some(line), Some(case.sample), || {
                let code = &case.snapshot.network.analysers[analyser].code;
                let start = case.snapshot.grid.start(run.slot);
                format!("{} is run on `{code}` in the slot of {start}, when it is not run there", case.name(line))
            });
        }
    }
}

/// An analyser runs the tests of its menu.
pub(super) fn menu(case: &Case<'_>, found: &mut Found) {
    for (line, _, analyser) in case.tests() {
        if case.known.menu(analyser, case.snapshot.backlog.lines[line].test).is_none() {
            found.push(Law::Menu, Some(line), Some(case.sample), || {
                let code = &case.snapshot.network.analysers[analyser].code;
                format!("{} is not on the menu of analyser `{code}`", case.name(line))
            });
        }
    }
}

/// A test is run on the material it takes.
pub(super) fn phase(case: &Case<'_>, found: &mut Found) {
    for (line, _, analyser) in case.runs() {
        let Some(way) = case.container(case.site(analyser)) else { continue };
        if !takes(case, line, way) {
            found.push(Law::Phase, Some(line), Some(case.sample), || {
                let run_in = case.snapshot.catalogue.tests[case.snapshot.backlog.lines[line].test].run_in;
                let wanted = match run_in {
                    Phase::Primary => "as collected",
                    Phase::Separated => "separated and not frozen",
                };
                format!("{} is run on a specimen kept {}, not {wanted}", case.name(line), way.state.text())
            });
        }
    }
}

/// Whether the material of a container is what a line's test takes.
fn takes(case: &Case<'_>, line: LineIx, way: &Way) -> bool {
    let snapshot = case.snapshot;
    match snapshot.catalogue.tests[snapshot.backlog.lines[line].test].run_in {
        Phase::Separated => way.state.phase() == Phase::Separated && way.state != State::SeparatedFrozen,
        // Who forces a test on what was separated before accepts that; the plan itself must not separate it.
        Phase::Primary => {
            way.state.phase() == Phase::Primary
                || (snapshot.overrides.caution(line).is_some()
                    && snapshot.backlog.state(case.sample).phase() == Phase::Separated)
        }
    }
}

/// A run ends inside the window of its line, as its container was and will be kept.
pub(super) fn viability(case: &Case<'_>, found: &mut Found) {
    for (line, run, analyser) in case.runs() {
        let Some(way) = case.container(case.site(analyser)) else { continue };
        let ends = case.snapshot.grid.end(run.slot);
        // The wrong material is the business of the law of phases.
        if takes(case, line, way) && !case.snapshot.viable(line, &way.stays, ends) {
            found.push(Law::Viability, Some(line), Some(case.sample), || {
                let clock = match case.snapshot.clock_in(line, &way.stays) {
                    Clock::Until(closes) => format!("its window closes at {closes}"),
                    Clock::Lost(at, _) => format!("it is lost since {at}"),
                    Clock::Unknown(state) => {
                        format!("no limit is known for material kept {}", state.text())
                    }
                };
                format!("the run of {} ends at {ends}; {clock}", case.name(line))
            });
        }
    }
}

/// A container is tested where it is booked in, and nowhere else.
pub(super) fn one_site(case: &Case<'_>, found: &mut Found) {
    if case.ways().iter().all(|way| way.booked_in.is_none()) {
        return;
    }
    for (line, _, analyser) in case.runs() {
        let site = case.site(analyser);
        if case.container(site).is_none() {
            found.push(Law::OneSite, Some(line), Some(case.sample), || {
                let code = &case.snapshot.network.sites[site].code;
                format!("{} is run at `{code}`, its containers are booked in elsewhere", case.name(line))
            });
        }
    }
}

/// The runs on both containers, with the largest dead volume on each, use no more than there is.
pub(super) fn volume(case: &Case<'_>, found: &mut Found) {
    let (mut runs, mut dead) = (0u64, [0u64; 2]);
    let second = case.ways().get(1).map(|way| way.site);
    for (line, _, analyser) in case.runs() {
        let facts = &case.snapshot.network.analysers[analyser];
        let on_second = second == Some(facts.site) && case.ways()[0].site != facts.site;
        let dead = &mut dead[usize::from(on_second)];
        *dead = (*dead).max(u64::from(facts.dead_volume.get()));
        runs += u64::from(case.snapshot.catalogue.tests[case.snapshot.backlog.lines[line].test].volume.get());
    }
    let used = runs + dead[0] + dead[1];
    let there = u64::from(case.snapshot.backlog.samples[case.sample].volume.get());
    if used > there {
        found.push(Law::Volume, None, Some(case.sample), || {
            format!("the runs on {} use {used} uL with dead volume, it holds {there} uL", case.sample_name())
        });
    }
}

/// A partner tests only the bands it accepts.
pub(super) fn partner_bands(case: &Case<'_>, found: &mut Found) {
    for (line, _, analyser) in case.tests() {
        let (site, band) = (case.site(analyser), case.snapshot.bands[line]);
        if !case.snapshot.network.accepts(site, band) {
            found.push(Law::PartnerBands, Some(line), Some(case.sample), || {
                let (code, band) = (&case.snapshot.network.sites[site].code, &case.snapshot.policy.bands[band].code);
                format!("{} is of band `{band}`, which `{code}` does not accept", case.name(line))
            });
        }
    }
}

/// What reaches a partner after its cut-off is booked in on a later local day.
pub(super) fn cut_off(case: &Case<'_>, found: &mut Found) {
    let snapshot = case.snapshot;
    let arrivals = case.ways().iter().filter_map(|way| Some((way.site, way.arrived?, way.booked_in?)));
    let anew = super::retests::delivered(case).map(|new| (new.site, new.arrives, new.booked_in));
    for (site, arrives, booked_in) in arrivals.chain(anew) {
        let Some(partner) = &snapshot.network.sites[site].partner else { continue };
        let zone = snapshot.network.zone;
        let late = zone.minute_of_day(arrives) > partner.cut_off;
        if late && snapshot.grid.day(booked_in) <= zone.day(arrives) {
            found.push(Law::CutOff, None, Some(case.sample), || {
                let code = &snapshot.network.sites[site].code;
                format!(
                    "{} reaches `{code}` at {arrives}, after its cut-off, and is booked in that day",
                    case.sample_name()
                )
            });
        }
    }
}

/// A result is reported in the slot of its run or later.
pub(super) fn reporting(case: &Case<'_>, found: &mut Found) {
    for (line, disposition) in case.decisions() {
        let (Disposition::Run(run) | Disposition::Recall(Some(run))) = disposition else { continue };
        if run.reported < run.slot {
            found.push(Law::Reporting, Some(line), Some(case.sample), || {
                format!("{} is reported before its run", case.name(line))
            });
        }
    }
}

/// A result that is there is only reported, and nothing is reported without a run.
pub(super) fn result_held(case: &Case<'_>, found: &mut Found) {
    for (line, disposition) in case.decisions() {
        let Disposition::Run(run) = disposition else { continue };
        let what = match (run.analyser, case.snapshot.backlog.lines[line].result_held) {
            (Some(_), true) => "is run although its result is there",
            (None, false) => "is reported without a run",
            _ => continue,
        };
        found.push(Law::ResultHeld, Some(line), Some(case.sample), || format!("{} {what}", case.name(line)));
    }
}
