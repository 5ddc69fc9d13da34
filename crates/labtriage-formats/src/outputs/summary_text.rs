//! How does the night stand, in thirty seconds? The summary as words, and the same for machines.

use std::fmt::Write as _;

use labtriage_core::capacity::Resource;
use labtriage_core::certificate::stage::count;
use labtriage_core::cost::gap;
use labtriage_core::fairness::{BandWait, Fairness};
use labtriage_core::plan::Rule;
use labtriage_core::policy::GroupBy;
use labtriage_core::snapshot::Snapshot;
use labtriage_core::summary::{BandLines, Group, Summary, Tightness};
use labtriage_core::time::{Instant, Minutes};
use labtriage_core::units::Cost;

use super::cells::LocalTimes;

/// How many strict-band lines at risk are named; the rest is counted.
const NAMED_MAX: usize = 5;

/// What the figures of a summary do not say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Extras {
    /// The rule that made the plan.
    pub rule: Rule,
    /// Rows of the extract that were set aside.
    pub quarantined: u64,
    /// What the plan of `band-edf` costs, where prices were to make the plan.
    pub band_edf: Option<Cost>,
    /// No plan costs less, where there is a proof.
    pub bound: Option<Cost>,
    /// How much more the plan costs than the cheapest that was found, for the limit on fairness; none
    /// where there is no limit, or a rule made the plan.
    pub extra_cost: Option<Cost>,
}

/// The summary a manager reads: aligned plain text, at most about forty-five lines.
pub fn summary_text(summary: &Summary, snapshot: &Snapshot, extras: Extras) -> String {
    let mut out = String::with_capacity(4096);
    headline(&mut out, summary, snapshot, extras);
    bands(&mut out, summary, snapshot);
    expiring(&mut out, summary);
    samples(&mut out, summary);
    tightest(&mut out, summary, snapshot);
    cost(&mut out, summary, extras);
    proof(&mut out, summary, snapshot, extras);
    if let Some(fairness) = &summary.fairness {
        self::fairness(&mut out, fairness, snapshot, extras.extra_cost);
    }
    if extras.quarantined > 0 {
        let rows = if extras.quarantined == 1 { "row" } else { "rows" };
        let _ = writeln!(out, "Quarantine  {} {rows} of the extract set aside: see quarantine.csv", extras.quarantined);
    } else {
        out.push_str("Quarantine  no row of the extract was set aside\n");
    }
    out.push_str("\nShipped stability figures are examples: a laboratory must replace them by its own.\n");
    out.push_str("Discards are proposals: nothing is discarded before a person has authorised it.\n");
    out
}

fn local(snapshot: &Snapshot, instant: Instant) -> String {
    let text = LocalTimes::new(snapshot.network.zone).text(instant);
    String::from_utf8_lossy(&text).into_owned()
}

fn headline(out: &mut String, summary: &Summary, snapshot: &Snapshot, extras: Extras) {
    let all = summary.all_bands();
    let _ = writeln!(out, "{}, {} (rule {})", snapshot.network.name, local(snapshot, snapshot.now), extras.rule.text());
    if all.not_met == 0 {
        out.push_str("Strict bands: every line is run or needs no run.\n\n");
        return;
    }
    let lines = if all.not_met == 1 { "LINE" } else { "LINES" };
    let _ = writeln!(out, "STRICT BANDS: {} {lines} AT RISK, neither run nor cancelled:", all.not_met);
    for &line in summary.unmet.iter().take(NAMED_MAX) {
        let facts = &snapshot.backlog.lines[line];
        let band = &snapshot.policy.bands[snapshot.bands[line]].code;
        let test = &snapshot.catalogue.tests[facts.test].code;
        let _ = writeln!(out, "  {}  {test}  {band}", snapshot.backlog.accession(facts.sample));
    }
    let more = all.not_met.saturating_sub(NAMED_MAX.min(summary.unmet.len()) as u64);
    if more > 0 {
        let _ = writeln!(out, "  and {more} more: see holds.csv and recalls/");
    }
    out.push('\n');
}

fn bands(out: &mut String, summary: &Summary, snapshot: &Snapshot) {
    let widest = snapshot.policy.bands.iter().map(|band| band.code.chars().count()).max().unwrap_or(0).max(10);
    let titles = ["lines", "run", "recalled", "held", "cancelled", "late"];
    let _ = write!(out, "{:widest$}", "Band");
    for title in titles {
        let _ = write!(out, " {title:>10}");
    }
    out.push('\n');
    let mut row = |name: &str, lines: &BandLines| {
        let _ = write!(out, "{name:widest$}");
        for number in [lines.total, lines.run, lines.recalled(), lines.held.total(), lines.cancelled, lines.late] {
            let _ = write!(out, " {:>10}", grouped(number));
        }
        out.push('\n');
    };
    for (band, lines) in summary.bands.enumerate() {
        let facts = &snapshot.policy.bands[band];
        row(&facts.code, lines);
    }
    let all = summary.all_bands();
    row("all", &all);
    out.push('\n');
    let held = [
        (all.held.waiting, "wait for capacity"),
        (all.held.unknown_stability, "stability unknown"),
        (all.held.unknown_time, "collection time unknown"),
        (all.held.by_override, "by a person"),
        (all.held.irreplaceable, "irreplaceable"),
        (all.held.not_recallable, "not recallable"),
    ];
    listed(out, "Held", &held);
    if all.report_only > 0 {
        let _ = writeln!(
            out,
            "Reports     {} results exist already and only wait to be reported",
            grouped(all.report_only)
        );
    }
}

/// The counts that are not zero, on one line.
fn listed(out: &mut String, title: &str, counts: &[(u64, &str)]) {
    let words: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, words)| format!("{} {words}", grouped(*count)))
        .collect();
    if !words.is_empty() {
        let _ = writeln!(out, "{title:11} {}", words.join(" · "));
    }
}

fn expiring(out: &mut String, summary: &Summary) {
    let _ = write!(out, "{:11}", "Expires in");
    for within in &summary.expiring {
        let _ = write!(out, " {:>9}", format!("{} h", within.hours));
    }
    let _ = write!(out, "\n{:11}", "  lines");
    for within in &summary.expiring {
        let _ = write!(out, " {:>9}", grouped(within.lines));
    }
    let _ = write!(out, "\n{:11}", "  run");
    for within in &summary.expiring {
        let _ = write!(out, " {:>9}", grouped(within.run));
    }
    let _ = writeln!(out, "\n  lost before now: {} lines\n", grouped(summary.already_lost));
}

fn samples(out: &mut String, summary: &Summary) {
    let samples = &summary.samples;
    let words =
        |count: u64, words: &str| if count > 0 { format!(" · {} {words}", grouped(count)) } else { String::new() };
    let _ = writeln!(
        out,
        "Samples     {} in all{}{}",
        grouped(samples.total),
        words(samples.stabilised, "to stabilise"),
        words(samples.transferred, "to transfer")
    );
    let _ = writeln!(
        out,
        "Discards    {} proposed, for a person to authorise{}{}{}",
        grouped(samples.discards()),
        words(samples.discard_expired, "expired"),
        words(samples.discard_storage, "improper storage"),
        words(samples.discard_forced, "by a person")
    );
    let published = &summary.published;
    let counts = [
        (published.kept, "runs kept"),
        (published.moved, "moved"),
        (published.frozen_moved, "frozen ones that could not be kept"),
    ];
    listed(out, "Published", &counts);
    let _ = writeln!(
        out,
        "Recalls     {} patients, {} with a visit\n",
        grouped(summary.recalled_patients),
        grouped(summary.visits)
    );
}

fn tightest(out: &mut String, summary: &Summary, snapshot: &Snapshot) {
    if summary.tightest.is_empty() {
        return;
    }
    let names: Vec<String> = summary.tightest.iter().map(|tight| group_words(snapshot, tight.group)).collect();
    let widest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    out.push_str("Tightest resources over the horizon\n");
    for (tight, name) in summary.tightest.iter().zip(names) {
        let _ = writeln!(out, "  {name:widest$} {:>7}   {}", percent(tight.permille()), free_words(tight));
    }
    out.push('\n');
}

fn free_words(tight: &Tightness) -> String {
    match tight.free_after {
        Some(Minutes::ZERO) => "free now".to_owned(),
        Some(after) => format!("free in {after}"),
        None => "full to the end".to_owned(),
    }
}

fn cost(out: &mut String, summary: &Summary, extras: Extras) {
    let total = summary.cost.total();
    let _ = write!(out, "Cost        {} weighted days", grouped_cost(total));
    match summary.saved_permille() {
        Some(0) if extras.rule == Rule::Fifo => out.push_str(" (this is the plan first in, first out)"),
        Some(saved) => {
            let _ = write!(out, ", {} first in, first out", less(saved));
        }
        None => {}
    }
    if let Some(saved) = extras.band_edf.and_then(|other| summary.saved_on(other)) {
        let _ = write!(out, " and {} band-edf", less(saved));
    }
    out.push('\n');
}

/// How near the best the plan is, where that is proven.
fn proof(out: &mut String, summary: &Summary, snapshot: &Snapshot, extras: Extras) {
    let Some(bound) = extras.bound else { return };
    let first = if count(snapshot) > 1 { ", strict bands first" } else { "" };
    let near = match gap(summary.cost.total(), bound) {
        Some(gap) => format!("at most {} above the best possible", percent_of_millionths(gap)),
        None => "no part of the cost is proven to be needed".to_owned(),
    };
    let _ = writeln!(out, "Proof       {near}{first} (bound {} weighted days)", grouped_cost(bound));
}

/// Whether no group waits much longer than its band, what that cost, and who waits longest.
fn fairness(out: &mut String, fairness: &Fairness, snapshot: &Snapshot, extra: Option<Cost>) {
    let (by, percent) = (group_word(fairness.limit.by), fairness.limit.max_above.get());
    let holds = if fairness.holds() {
        format!("holds: no {by} waits more than {percent} % longer than its band")
    } else {
        format!("DOES NOT HOLD: a {by} waits more than {percent} % longer than its band")
    };
    let _ = writeln!(out, "Fairness    {holds}");
    if let Some(extra) = extra {
        let _ = writeln!(out, "  {} weighted days dearer than the cheapest plan found", grouped_cost(extra));
    }
    for band in &fairness.bands {
        let _ = writeln!(out, "  {}: {}", snapshot.policy.bands[band.band].code, worst_words(fairness, band));
    }
}

/// `mean 2 d 4 h, longest Lambeth with 2 d 9 h (+9.1 %), 6 judged`.
fn worst_words(fairness: &Fairness, band: &BandWait) -> String {
    let word = group_word(fairness.limit.by);
    let Some(worst) = band.worst() else { return format!("mean {}, no {word} judged", band.mean) };
    let sign = if worst.above_permille < 0 { "-" } else { "+" };
    let above = percent(worst.above_permille.unsigned_abs());
    let (name, judged) = (&fairness.names[worst.group], band.groups.len());
    format!("mean {}, longest {name} with {} ({sign}{above}), {judged} judged", band.mean, worst.mean)
}

const fn group_word(by: GroupBy) -> &'static str {
    match by {
        GroupBy::Borough | GroupBy::Practice => by.text(),
        GroupBy::Kind => "kind of requester",
    }
}

/// `12.3 % less than`, of thousandths.
fn less(saved: i64) -> String {
    let word = if saved >= 0 { "less" } else { "MORE" };
    format!("{} {word} than", percent(saved.unsigned_abs()))
}

/// `0.12 %` of millionths, rounded up.
pub fn percent_of_millionths(millionths: u64) -> String {
    let hundredths = millionths.div_ceil(100);
    format!("{}.{:02} %", hundredths / 100, hundredths % 100)
}

/// `12.3 %` of thousandths.
fn percent(permille: u64) -> String {
    format!("{}.{} %", permille / 10, permille % 10)
}

/// `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn grouped_cost(cost: Cost) -> String {
    let text = cost.to_string();
    let (sign, text) = text.strip_prefix('-').map_or(("", text.as_str()), |rest| ("-", rest));
    match text.split_once('.').and_then(|(whole, tenth)| Some((whole.parse::<u64>().ok()?, tenth))) {
        Some((whole, tenth)) => format!("{sign}{}.{tenth}", grouped(whole)),
        None => format!("{sign}{text}"),
    }
}

pub(super) fn group_words(snapshot: &Snapshot, group: Group) -> String {
    let network = &snapshot.network;
    let site = |site| network.sites[site].code.as_str();
    match group {
        Group::Courier(courier) => format!("courier {}", network.couriers[courier].code),
        Group::Of(resource) => match resource {
            Resource::AnalyserTime(analyser) => format!("analyser {}", network.analysers[analyser].code),
            Resource::Reception(at) => format!("reception {}", site(at)),
            Resource::Centrifuge(at) => format!("centrifuges {}", site(at)),
            Resource::Aliquoting(at) => format!("aliquoting {}", site(at)),
            Resource::Reporting(at) => format!("reporting {}", site(at)),
            Resource::Freezer(at) => format!("freezers {}", site(at)),
            Resource::Quota(at) => format!("quota {}", site(at)),
            Resource::Stock(analyser, test) => {
                format!("reagent {} on {}", snapshot.catalogue.tests[test].code, network.analysers[analyser].code)
            }
            Resource::Visits(point) => format!("visits {}", network.collection_points[point].code),
            Resource::RecallCap => "recall cap of the network".to_owned(),
            Resource::RequesterCap(requester) => format!("cap of {}", network.requesters[requester].ods),
            Resource::Courier(departure) => {
                format!("courier {}", network.couriers[snapshot.departures[departure].courier].code)
            }
        },
    }
}
