//! Was a pressing line left out for less pressing ones? The law of strict bands.

use super::case::{Known, name};
use super::frozen::kept;
use super::room::Room;
use super::{Found, Law};
use crate::plan::{Disposition, Plan};
use crate::snapshot::Snapshot;
use crate::table::{BandIx, Ix, LineIx};

/// A line of a strict band is recalled only if it could not have been run where its sample stands,
/// as it is kept, beside what lines of its own and more pressing bands use, and what is published
/// and frozen.
///
/// This is less than the law demands of a planner: what a spin or a courier could have saved is
/// not judged here.
pub(super) fn strict_bands(snapshot: &Snapshot, plan: &Plan, known: &Known, found: &mut Found) {
    let mut left_out: Vec<Vec<LineIx>> = vec![Vec::new(); snapshot.policy.bands.len()];
    for (line, disposition) in plan.lines.enumerate() {
        if matches!(disposition, Disposition::Recall(_)) && snapshot.strict(line) {
            left_out[snapshot.bands[line].row()].push(line);
        }
    }
    for (row, lines) in left_out.into_iter().enumerate().filter(|(_, lines)| !lines.is_empty()) {
        let counts = |line| snapshot.bands[line] <= BandIx::from_row(row) || kept(snapshot, plan, line);
        let room = Room::beside(snapshot, plan, known, counts);
        for line in lines {
            let Some((analyser, slot)) = room.of(line) else { continue };
            let sample = snapshot.backlog.lines[line].sample;
            found.push(Law::StrictBands, Some(line), Some(sample), || {
                let band = &snapshot.policy.bands[snapshot.bands[line]].code;
                let place = analyser.map_or_else(
                    || "reported".to_owned(),
                    |analyser| format!("run on `{}`", snapshot.network.analysers[analyser].code),
                );
                let start = snapshot.grid.start(slot);
                format!(
                    "{} of strict band `{band}` is recalled, but could be {place} in the slot of {start} \
                     beside its own and more pressing bands",
                    name(snapshot, line)
                )
            });
        }
    }
}
