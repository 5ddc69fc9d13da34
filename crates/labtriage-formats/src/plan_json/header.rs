//! What does the head of a plan file look like? Raw shapes, and the way to and from the real ones.

use std::collections::BTreeMap;

use chrono::NaiveDateTime;
use labtriage_core::plan::{CostSplit, Plan, Rule};
use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::{Ix, SlotIx};
use labtriage_core::time::Instant;
use labtriage_core::units::Cost;
use serde::{Deserialize, Serialize};

use super::bound::RawBound;
use super::fairness::RawFairness;
use super::{Counts, Document, Header, Input, Stopped};

/// The unit of every cost in the file.
const UNIT: &str = "thousandths of a weighted day";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawInput {
    role: String,
    path: String,
    sha256: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCost {
    unit: String,
    waiting: i64,
    lateness: i64,
    unserved: i64,
    recalls: i64,
    losses: i64,
    handling: i64,
    /// Missing in plans of programs that knew no published plan.
    #[serde(default)]
    moved: i64,
    total: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFloor {
    fifo: Option<i64>,
    own: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawStopped {
    why: String,
    holds: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCounts {
    samples: u64,
    lines: u64,
    requests: u64,
    patients: u64,
    visits: u64,
}

/// Every part of the head, each under its own key; missing until it has been read.
#[derive(Default)]
pub(super) struct RawHeader {
    pub(super) program: Option<String>,
    pub(super) now: Option<String>,
    pub(super) zone: Option<String>,
    pub(super) rule: Option<String>,
    pub(super) options: Option<BTreeMap<String, String>>,
    pub(super) inputs: Option<Vec<RawInput>>,
    pub(super) cost: Option<RawCost>,
    pub(super) floor: Option<RawFloor>,
    pub(super) bound: Option<Option<RawBound>>,
    /// Missing where the policy sets no limit.
    pub(super) fairness: Option<RawFairness>,
    pub(super) stopped: Option<RawStopped>,
    pub(super) slots: Option<Vec<String>>,
    pub(super) counts: Option<RawCounts>,
    pub(super) quarantined: Option<u64>,
}

impl RawHeader {
    /// The head of a plan about to be written.
    pub(super) fn of(document: &Document, snapshot: &Snapshot, plan: &Plan) -> Self {
        let input = |input: &Input| RawInput {
            role: input.role.clone(),
            path: input.path.clone(),
            sha256: input.sha256.clone(),
        };
        let slots = bounds(snapshot).iter().map(Instant::to_string).collect();
        let count = |len: usize| len as u64;
        Self {
            program: Some(document.program.clone()),
            now: Some(snapshot.now.to_string()),
            zone: Some(snapshot.network.zone.name().to_owned()),
            rule: Some(plan.rule.text().to_owned()),
            options: Some(document.options.clone()),
            inputs: Some(document.inputs.iter().map(input).collect()),
            cost: Some(RawCost::of(&document.cost)),
            floor: Some(RawFloor { fifo: document.fifo.map(Cost::thousandths), own: document.own.thousandths() }),
            bound: Some(document.bound.as_ref().map(|bound| RawBound::of(bound, document.cost.total()))),
            fairness: document.fairness.as_ref().map(RawFairness::of),
            stopped: Some(RawStopped { why: document.stopped.why.clone(), holds: document.stopped.holds.clone() }),
            slots: Some(slots),
            counts: Some(RawCounts {
                samples: count(snapshot.backlog.samples.len()),
                lines: count(snapshot.backlog.lines.len()),
                requests: count(snapshot.backlog.requests.len()),
                patients: count(snapshot.backlog.patients.len()),
                visits: count(plan.visits.len()),
            }),
            quarantined: Some(document.quarantined),
        }
    }

    /// The head that was read, or what is wrong with it.
    pub(super) fn finish(self) -> Result<Header, String> {
        let now = self.now.ok_or_else(|| missing("now"))?;
        let rule = self.rule.ok_or_else(|| missing("rule"))?;
        let slots = self.slots.ok_or_else(|| missing("slots"))?;
        let slots: Option<Vec<Instant>> = slots.iter().map(|bound| instant(bound)).collect();
        let slots = slots.ok_or("a bound in `slots` is no time such as `2026-11-23T02:30Z`")?;
        if slots.len() < 2 || slots.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err("the bounds in `slots` must be at least two, each after the one before".to_owned());
        }
        let inputs = self.inputs.ok_or_else(|| missing("inputs"))?;
        let floor = self.floor.ok_or_else(|| missing("floor"))?;
        let stopped = self.stopped.ok_or_else(|| missing("stopped"))?;
        let counts = self.counts.ok_or_else(|| missing("counts"))?;
        let cost = self.cost.ok_or_else(|| missing("cost"))?.finish()?;
        let bound = self.bound.ok_or_else(|| missing("bound"))?.map(|bound| bound.finish(cost.total())).transpose()?;
        let document = Document {
            program: self.program.ok_or_else(|| missing("program"))?,
            options: self.options.ok_or_else(|| missing("options"))?,
            inputs: inputs
                .into_iter()
                .map(|input| Input { role: input.role, path: input.path, sha256: input.sha256 })
                .collect(),
            cost,
            fifo: floor.fifo.map(Cost::from_thousandths),
            own: Cost::from_thousandths(floor.own),
            bound,
            fairness: self.fairness.map(RawFairness::finish).transpose()?,
            stopped: Stopped { why: stopped.why, holds: stopped.holds },
            quarantined: self.quarantined.ok_or_else(|| missing("quarantined"))?,
        };
        let RawCounts { samples, lines, requests, patients, visits } = counts;
        Ok(Header {
            document,
            now: instant(&now).ok_or("`now` is no time such as `2026-11-23T02:30Z`")?,
            zone: self.zone.ok_or_else(|| missing("zone"))?,
            rule: Rule::MAKERS
                .into_iter()
                .find(|known| known.text() == rule)
                .ok_or("`rule` is none of fifo, edf, band-edf, priced")?,
            slots,
            counts: Counts { samples, lines, requests, patients, visits },
        })
    }
}

impl RawCost {
    fn of(cost: &CostSplit) -> Self {
        Self {
            unit: UNIT.to_owned(),
            waiting: cost.waiting.thousandths(),
            lateness: cost.lateness.thousandths(),
            unserved: cost.unserved.thousandths(),
            recalls: cost.recalls.thousandths(),
            losses: cost.losses.thousandths(),
            handling: cost.handling.thousandths(),
            moved: cost.moved.thousandths(),
            total: cost.total().thousandths(),
        }
    }

    fn finish(self) -> Result<CostSplit, String> {
        let cost = CostSplit {
            waiting: Cost::from_thousandths(self.waiting),
            lateness: Cost::from_thousandths(self.lateness),
            unserved: Cost::from_thousandths(self.unserved),
            recalls: Cost::from_thousandths(self.recalls),
            losses: Cost::from_thousandths(self.losses),
            handling: Cost::from_thousandths(self.handling),
            moved: Cost::from_thousandths(self.moved),
        };
        match (self.unit == UNIT, cost.total().thousandths() == self.total) {
            (true, true) => Ok(cost),
            (false, _) => Err(format!("`cost` is not in {UNIT}")),
            (_, false) => Err("the `total` of `cost` is not the sum of its parts".to_owned()),
        }
    }
}

fn missing(key: &str) -> String {
    format!("missing key `{key}`")
}

/// The bounds of a snapshot's slots.
pub(super) fn bounds(snapshot: &Snapshot) -> Vec<Instant> {
    let grid = &snapshot.grid;
    grid.slots().map(|slot: SlotIx| grid.start(slot)).chain([grid.horizon_end()]).collect()
}

/// The instant of a text such as `2026-11-23T02:30Z`.
pub(super) fn instant(text: &str) -> Option<Instant> {
    let reading = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%MZ").ok()?;
    Instant::from_utc(reading.and_utc())
}

/// A slot, when the grid has it.
pub(super) fn slot(snapshot: &Snapshot, slot: u16) -> Option<SlotIx> {
    (usize::from(slot) < snapshot.grid.len()).then(|| SlotIx::from_row(usize::from(slot)))
}
