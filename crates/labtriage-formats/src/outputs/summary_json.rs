//! How does the night stand, for machines? The figures of a summary as JSON.

use labtriage_core::cost::gap;
use labtriage_core::snapshot::Snapshot;
use labtriage_core::summary::{BandLines, Summary};
use labtriage_core::table::LineIx;
use labtriage_core::time::Minutes;
use labtriage_core::units::Cost;
use serde::Serialize;

use super::summary_text::{Extras, group_words};
use crate::plan_json::{RawFairness, StatedFairness};

#[derive(Serialize)]
struct JsonSummary<'a> {
    network: &'a str,
    now: String,
    rule: &'static str,
    lines: JsonLines,
    bands: Vec<JsonBand<'a>>,
    strict_not_met: Vec<JsonLine<'a>>,
    expiring: Vec<JsonExpiring>,
    already_lost: u64,
    samples: JsonSamples,
    published: JsonPublished,
    recalled_patients: u64,
    visits: u64,
    tightest: Vec<JsonTight>,
    cost: JsonCost,
    cost_fifo: Option<i64>,
    saved_permille: Option<i64>,
    cost_band_edf: Option<i64>,
    saved_on_band_edf_permille: Option<i64>,
    bound: Option<i64>,
    gap_ppm: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fairness: Option<RawFairness>,
    quarantined: u64,
    figures: &'static str,
}

#[derive(Serialize)]
struct JsonBand<'a> {
    band: &'a str,
    strict: bool,
    lines: JsonLines,
}

#[derive(Serialize)]
struct JsonLines {
    total: u64,
    run: u64,
    report_only: u64,
    recalled_with_retest: u64,
    recalled_without_retest: u64,
    held: JsonHeld,
    cancelled: u64,
    late: u64,
    strict_not_met: u64,
}

#[derive(Serialize)]
struct JsonHeld {
    waiting: u64,
    unknown_stability: u64,
    unknown_time: u64,
    by_override: u64,
    irreplaceable: u64,
    not_recallable: u64,
}

#[derive(Serialize)]
struct JsonLine<'a> {
    accession: &'a str,
    test: &'a str,
    band: &'a str,
}

#[derive(Serialize)]
struct JsonExpiring {
    hours: i32,
    lines: u64,
    run: u64,
}

#[derive(Serialize)]
struct JsonSamples {
    total: u64,
    discards_expired: u64,
    discards_improper_storage: u64,
    discards_forced: u64,
    stabilised: u64,
    transferred: u64,
}

#[derive(Serialize)]
struct JsonPublished {
    kept: u64,
    moved: u64,
    frozen_kept: u64,
    frozen_moved: u64,
}

#[derive(Serialize)]
struct JsonTight {
    resource: String,
    used: u64,
    limit: u64,
    permille: u64,
    free_after_minutes: Option<i32>,
}

#[derive(Serialize)]
struct JsonCost {
    unit: &'static str,
    waiting: i64,
    lateness: i64,
    unserved: i64,
    recalls: i64,
    losses: i64,
    handling: i64,
    moved: i64,
    total: i64,
}

/// The summary for machines.
///
/// # Errors
/// None is known: all keys are texts and all values finite.
pub fn summary_json(
    summary: &Summary,
    snapshot: &Snapshot,
    extras: Extras,
) -> Result<serde_json::Value, serde_json::Error> {
    let cost = &summary.cost;
    let bands = summary.bands.enumerate().map(|(band, lines)| {
        let facts = &snapshot.policy.bands[band];
        JsonBand { band: &facts.code, strict: facts.strict, lines: json_lines(lines) }
    });
    let tightest = summary.tightest.iter().map(|tight| JsonTight {
        resource: group_words(snapshot, tight.group),
        used: tight.used,
        limit: tight.limit,
        permille: tight.permille(),
        free_after_minutes: tight.free_after.map(Minutes::get),
    });
    let expiring = summary.expiring.iter();
    let fairness = summary.fairness.as_ref().map(|found| StatedFairness::new(snapshot, found, extras.extra_cost));
    serde_json::to_value(JsonSummary {
        network: &snapshot.network.name,
        now: snapshot.now.to_string(),
        rule: extras.rule.text(),
        lines: json_lines(&summary.all_bands()),
        bands: bands.collect(),
        strict_not_met: summary.unmet.iter().map(|&line| json_line(snapshot, line)).collect(),
        expiring: expiring.map(|one| JsonExpiring { hours: one.hours, lines: one.lines, run: one.run }).collect(),
        already_lost: summary.already_lost,
        samples: JsonSamples {
            total: summary.samples.total,
            discards_expired: summary.samples.discard_expired,
            discards_improper_storage: summary.samples.discard_storage,
            discards_forced: summary.samples.discard_forced,
            stabilised: summary.samples.stabilised,
            transferred: summary.samples.transferred,
        },
        published: JsonPublished {
            kept: summary.published.kept,
            moved: summary.published.moved,
            frozen_kept: summary.published.frozen_kept,
            frozen_moved: summary.published.frozen_moved,
        },
        recalled_patients: summary.recalled_patients,
        visits: summary.visits,
        tightest: tightest.collect(),
        cost: JsonCost {
            unit: "thousandths of a weighted day",
            waiting: cost.waiting.thousandths(),
            lateness: cost.lateness.thousandths(),
            unserved: cost.unserved.thousandths(),
            recalls: cost.recalls.thousandths(),
            losses: cost.losses.thousandths(),
            handling: cost.handling.thousandths(),
            moved: cost.moved.thousandths(),
            total: cost.total().thousandths(),
        },
        cost_fifo: summary.fifo.map(|fifo| fifo.total().thousandths()),
        saved_permille: summary.saved_permille(),
        cost_band_edf: extras.band_edf.map(Cost::thousandths),
        saved_on_band_edf_permille: extras.band_edf.and_then(|other| summary.saved_on(other)),
        bound: extras.bound.map(Cost::thousandths),
        gap_ppm: extras.bound.and_then(|bound| gap(cost.total(), bound)),
        fairness: fairness.as_ref().map(RawFairness::of),
        quarantined: extras.quarantined,
        figures: "shipped stability figures are examples: a laboratory must replace them by its own",
    })
}

fn json_lines(lines: &BandLines) -> JsonLines {
    JsonLines {
        total: lines.total,
        run: lines.run,
        report_only: lines.report_only,
        recalled_with_retest: lines.recalled_retested,
        recalled_without_retest: lines.recalled_open,
        held: JsonHeld {
            waiting: lines.held.waiting,
            unknown_stability: lines.held.unknown_stability,
            unknown_time: lines.held.unknown_time,
            by_override: lines.held.by_override,
            irreplaceable: lines.held.irreplaceable,
            not_recallable: lines.held.not_recallable,
        },
        cancelled: lines.cancelled,
        late: lines.late,
        strict_not_met: lines.not_met,
    }
}

fn json_line(snapshot: &Snapshot, line: LineIx) -> JsonLine<'_> {
    let facts = &snapshot.backlog.lines[line];
    JsonLine {
        accession: snapshot.backlog.accession(facts.sample),
        test: &snapshot.catalogue.tests[facts.test].code,
        band: &snapshot.policy.bands[snapshot.bands[line]].code,
    }
}
