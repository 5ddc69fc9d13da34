//! Who comes first? The order in which a rule looks at the lines.

use labtriage_core::plan::Rule;
use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::{Ix, LineIx};
use labtriage_core::time::Instant;

/// Lines that are planned together before anything of less rank: each strict band in order, then the rest.
pub(crate) type Stage = Vec<LineIx>;

/// The stages of a rule over the given lines; within a stage, pinned lines first, then the rule's own order.
pub(crate) fn stages(snapshot: &Snapshot, rule: Rule, lines: impl Iterator<Item = LineIx>) -> Vec<Stage> {
    let strict = snapshot.policy.bands.iter().take_while(|band| band.strict).count();
    let mut stages: Vec<Vec<(u64, LineIx)>> = vec![Vec::new(); strict + 1];
    for line in lines {
        let stage = snapshot.bands[line].row().min(strict);
        stages[stage].push((rank(snapshot, rule, line), line));
    }
    let in_order = |mut stage: Vec<(u64, LineIx)>| {
        stage.sort_unstable();
        stage.into_iter().map(|(_, line)| line).collect()
    };
    stages.into_iter().map(in_order).collect()
}

/// Smaller is sooner: pinned, then band if the rule asks for it, then time.
fn rank(snapshot: &Snapshot, rule: Rule, line: LineIx) -> u64 {
    let unpinned = u64::from(snapshot.overrides.pins(line).next().is_none());
    let sample = &snapshot.backlog.samples[snapshot.backlog.lines[line].sample];
    let expiry = snapshot.clocks[line].closes().unwrap_or(Instant::FAR);
    let (band, time) = match rule {
        Rule::Fifo => (0, sample.received.unwrap_or(sample.collected)),
        Rule::Edf => (0, expiry),
        Rule::BandEdf | Rule::Priced => (snapshot.bands[line].row() as u64, expiry),
    };
    // Shifted so that instants before 1970 keep their order.
    let minutes = u64::from(time.epoch_minutes().cast_unsigned() ^ (1 << 31));
    unpinned << 48 | band << 40 | minutes
}
