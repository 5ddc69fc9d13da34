//! Who is called back, where and when? Laws about visits.

use super::case::Known;
use super::{Found, Law};
use crate::plan::{Disposition, Plan, Visit};
use crate::snapshot::Snapshot;
use crate::table::LineIx;
use crate::time::Day;

/// Whether a day is one of the horizon's.
pub(super) fn within_horizon(snapshot: &Snapshot, day: Day) -> bool {
    let ahead = day.days_since(snapshot.grid.first_day());
    usize::try_from(ahead).is_ok_and(|ahead| ahead < snapshot.grid.day_count())
}

/// A recalled patient has at most one visit, nobody else has any, and they stand in order of patient.
pub(super) fn visits(snapshot: &Snapshot, plan: &Plan, known: &Known, found: &mut Found) {
    let lines = first_lines(snapshot, plan, known);
    // A message must not name the patient: a recalled sample stands in.
    let whose = |visit: &Visit| {
        let line = known.visit_row(visit.patient).and_then(|row| lines[row]);
        line.map_or_else(
            || "nobody who is recalled".to_owned(),
            |line| format!("the patient of sample `{}`", accession(snapshot, line)),
        )
    };
    for pair in plan.visits.windows(2).filter(|pair| pair[0].patient >= pair[1].patient) {
        let same = pair[0].patient == pair[1].patient;
        let what = if same { "one visit too many" } else { "a visit out of order" };
        found.push(Law::Visits, None, None, || format!("{} has {what} on {}", whose(&pair[1]), pair[1].day));
    }
    for (row, visit) in plan.visits.iter().enumerate().filter(|(row, _)| lines[*row].is_none()) {
        // A further visit of a patient is reported above.
        if known.visit_row(visit.patient) == Some(row) {
            found.push(Law::Visits, None, None, || {
                let point = &snapshot.network.collection_points[visit.point].code;
                format!("a visit at `{point}` on {} is of a patient of whom no line is recalled", visit.day)
            });
        }
    }
}

/// The first recalled line of each visit's patient, by row of the patient's first visit.
fn first_lines(snapshot: &Snapshot, plan: &Plan, known: &Known) -> Vec<Option<LineIx>> {
    let mut lines = vec![None; plan.visits.len()];
    for (line, row) in recalled_lines(snapshot, plan, known) {
        lines[row].get_or_insert(line);
    }
    lines
}

fn accession(snapshot: &Snapshot, line: LineIx) -> &str {
    snapshot.backlog.accession(snapshot.backlog.lines[line].sample)
}

/// The recalled lines of patients with a visit, each with the row of the visit.
fn recalled_lines<'a>(
    snapshot: &'a Snapshot,
    plan: &'a Plan,
    known: &'a Known,
) -> impl Iterator<Item = (LineIx, usize)> + 'a {
    plan.lines
        .enumerate()
        .filter(|(_, disposition)| matches!(disposition, Disposition::Recall(_)))
        .filter_map(|(line, _)| Some((line, known.visit_row(snapshot.backlog.patient_of(line))?)))
}

/// A visit is at a collection point of the patient's recalled requests, on a day it can see the patient.
pub(super) fn visit_places(snapshot: &Snapshot, plan: &Plan, known: &Known, found: &mut Found) {
    let mut fits = vec![false; plan.visits.len()];
    let lines = first_lines(snapshot, plan, known);
    for (line, row) in recalled_lines(snapshot, plan, known) {
        let request = &snapshot.backlog.requests[snapshot.backlog.request_of(line)];
        let point = snapshot.network.requesters[request.requester].collection_point;
        fits[row] |= point == plan.visits[row].point;
    }
    for (row, visit) in plan.visits.iter().enumerate() {
        let Some(line) = lines[row] else { continue };
        let facts = &snapshot.network.collection_points[visit.point];
        let what = if !within_horizon(snapshot, visit.day) {
            "outside the horizon"
        } else if !fits[row] {
            "at a point where the requester's patients are not bled"
        } else if visit.day < snapshot.first_visit[visit.point] {
            "before the first day on which the point sees recalled patients"
        } else if !snapshot.network.calendars[facts.calendar].opens_on(visit.day) {
            "on a day on which the point does not bleed"
        } else {
            continue;
        };
        let sample = snapshot.backlog.lines[line].sample;
        found.push(Law::VisitPlaces, Some(line), Some(sample), || {
            let accession = accession(snapshot, line);
            format!("the visit for sample `{accession}` at `{}` on {} is {what}", facts.code, visit.day)
        });
    }
}
