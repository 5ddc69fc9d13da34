//! Does the re-test follow the visit? The law of new tubes.

use super::case::Case;
use super::{Found, Law};
use crate::plan::{Recollection, Run, Visit};
use crate::table::{LineIx, SiteIx, SlotIx};
use crate::time::Instant;
use crate::viability::fresh_clock;

/// A new tube on its way.
pub(super) struct Delivered {
    /// The visit at which it is collected.
    visit: Visit,
    /// The laboratory it goes to.
    pub(super) site: SiteIx,
    /// When it is there.
    pub(super) arrives: Instant,
    /// When it is booked in.
    pub(super) booked_in: SlotIx,
}

/// The new tube of a sample, when its visit is within the horizon and its point delivers there.
pub(super) fn delivered(case: &Case<'_>) -> Option<Delivered> {
    let Recollection { site, booked_in } = case.decided.recollection?;
    let visit = case.visit().filter(|visit| super::visits::within_horizon(case.snapshot, visit.day))?;
    let point = &case.snapshot.network.collection_points[visit.point];
    let delivery = point.delivers.iter().find(|delivery| delivery.site == site)?;
    let arrives = case.snapshot.network.zone.at(visit.day, delivery.arrives);
    Some(Delivered { visit, site, arrives, booked_in })
}

/// A re-test follows its visit, delivery and booking in, while the new tube keeps.
pub(super) fn retests(case: &Case<'_>, found: &mut Found) {
    let wanted = case.retests().next().is_some();
    let of_sample = match (case.decided.recollection, case.visit(), delivered(case)) {
        (None, _, _) if wanted => "is re-tested, but no new tube is booked in",
        (None, _, _) => return,
        (Some(_), _, _) if !wanted => "has a new tube that nothing is re-tested from",
        (Some(_), None, _) => "has a new tube, but its patient has no visit",
        // A visit beyond the horizon is the business of the law of visit places.
        (Some(_), Some(visit), None) if !super::visits::within_horizon(case.snapshot, visit.day) => return,
        (Some(_), Some(_), None) => "has a new tube that its collection point does not deliver to that site",
        (Some(_), Some(_), Some(new)) if !booked_in_after_delivery(case, &new) => {
            "has a new tube that is booked in before it can be there"
        }
        (Some(_), Some(_), Some(new)) => return runs(case, &new, found),
    };
    found.push(Law::Retests, None, Some(case.sample), || format!("{} {of_sample}", case.sample_name()));
}

fn booked_in_after_delivery(case: &Case<'_>, new: &Delivered) -> bool {
    let grid = &case.snapshot.grid;
    grid.end(new.booked_in) > new.arrives && grid.day(new.booked_in) >= new.visit.day
}

fn runs(case: &Case<'_>, new: &Delivered, found: &mut Found) {
    for (line, run) in case.retests() {
        if let Some(what) = unlawful(case, new, line, run) {
            found.push(Law::Retests, Some(line), Some(case.sample), || {
                format!("the re-test of {} {what}", case.name(line))
            });
        }
    }
}

fn unlawful(case: &Case<'_>, new: &Delivered, line: LineIx, run: Run) -> Option<&'static str> {
    let snapshot = case.snapshot;
    let Some(analyser) = run.analyser else { return Some("names no analyser") };
    if case.site(analyser) != new.site {
        return Some("is at another site than its new tube");
    }
    if run.slot < new.booked_in {
        return Some("takes place before its new tube is booked in");
    }
    let opens = snapshot.network.collection_points[new.visit.point].opens;
    let run_in = snapshot.catalogue.tests[snapshot.backlog.lines[line].test].run_in;
    let keeps = fresh_clock(
        snapshot.limits_of(line),
        run_in,
        snapshot.network.zone.at(new.visit.day, opens),
        new.arrives,
        snapshot.policy.safety_margin,
    );
    (!keeps.allows(snapshot.grid.end(run.slot))).then_some("ends after its new tube has expired")
}
