//! Is what staff already work by kept? The law of the frozen window.

use super::case::{Known, name};
use super::room::Room;
use super::{Found, Law};
use crate::plan::Plan;
use crate::published::PublishedSlots;
use crate::snapshot::Snapshot;
use crate::table::LineIx;

/// A frozen run is kept, unless it could not have been run where its sample stands, as it is kept,
/// beside the frozen runs that are kept.
pub(super) fn frozen(snapshot: &Snapshot, plan: &Plan, known: &Known, found: &mut Found) {
    let runs = snapshot.backlog.lines.indices().filter_map(|line| Some((line, snapshot.frozen_run(line)?)));
    let moved: Vec<(LineIx, PublishedSlots)> = runs.filter(|(line, run)| !run.kept_by(plan.lines[*line])).collect();
    if moved.is_empty() {
        return;
    }
    let room = Room::beside(snapshot, plan, known, |line| kept(snapshot, plan, line));
    for (line, run) in moved {
        let Some(slot) = room.as_published(line, run) else { continue };
        found.push(Law::Frozen, Some(line), Some(snapshot.backlog.lines[line].sample), || {
            let (code, start) = (&snapshot.network.analysers[run.analyser].code, snapshot.grid.start(slot));
            format!(
                "{} is moved away from `{code}` inside the frozen window, but could be run there as published \
                 in the slot of {start}",
                name(snapshot, line)
            )
        });
    }
}

/// Whether a line is frozen and run as published.
pub(super) fn kept(snapshot: &Snapshot, plan: &Plan, line: LineIx) -> bool {
    snapshot.frozen_run(line).is_some_and(|run| run.kept_by(plan.lines[line]))
}
