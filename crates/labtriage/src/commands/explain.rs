//! `labtriage explain`: why was each line of a sample, request or patient decided as it was?

use std::fmt::Write as _;

use labtriage_core::capacity::{Resource, When};
use labtriage_core::catalogue::{Limit, State};
use labtriage_core::finding::{Code, Finding};
use labtriage_core::plan::{Cancel, Disposition, Hold, Plan, Rule, Run, Step};
use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::{CellIx, LineIx, SampleIx, SlotIx};
use labtriage_core::time::Instant;
use labtriage_core::viability::{Clock, LostBy};
use labtriage_optimizer::explain::{Alternative, Change, Explanation, Lacking, Obstacle, Place, Stop, explain as why};
use serde_json::json;

use crate::args::ExplainArguments;
use crate::commands::charged::{Charge, Charges, words};
use crate::commands::check::{Opened, open};
use crate::failure::Failure;
use crate::terminal;

/// Explains lines; returns the exit code.
pub(crate) fn explain(arguments: &ExplainArguments) -> Result<u8, Failure> {
    let Opened { header, night, plan } = open(&arguments.plan)?;
    let snapshot = &night.snapshot;
    let certificate = header.document.bound.map(|bound| bound.certificate(snapshot)).transpose()?;
    let lines = lines_of(snapshot, &arguments.what);
    if lines.is_empty() {
        let message = "no sample, request or patient of this name is in the plan";
        let hint = "an accession number that was set aside stands in quarantine.csv";
        return Err(Finding::new(Code::NotInPlan, message).hint(hint).into());
    }
    // A greedy plan has not looked at prices, even where they prove how good it is.
    let certificate = certificate.as_ref().filter(|_| plan.rule == Rule::Priced);
    let charges = certificate.map(|certificate| Charges { snapshot, plan: &plan, certificate });
    let in_words = Words { snapshot, plan: &plan, charges };
    let mut all = Vec::new();
    for line in lines {
        let explanation = why(snapshot, &plan, line);
        if arguments.json {
            all.push(in_words.json(&explanation));
        } else {
            terminal::data(&in_words.text(&explanation));
        }
    }
    if arguments.json {
        terminal::data(&format!("{}\n", serde_json::Value::Array(all)));
    }
    Ok(0)
}

fn lines_of(snapshot: &Snapshot, what: &str) -> Vec<LineIx> {
    let backlog = &snapshot.backlog;
    let of_samples = |fits: &dyn Fn(SampleIx) -> bool| {
        backlog
            .samples
            .indices()
            .filter(|&sample| fits(sample))
            .flat_map(|sample| backlog.samples[sample].lines())
            .collect()
    };
    if let Some(sample) = backlog.find_sample(what) {
        return backlog.samples[sample].lines().collect();
    }
    if let Some(request) = backlog.find_request(what) {
        return of_samples(&|sample| backlog.samples[sample].request == request);
    }
    match backlog.find_patient(what) {
        Some(patient) => of_samples(&|sample| backlog.requests[backlog.samples[sample].request].patient == patient),
        None => Vec::new(),
    }
}

/// Where a line was stopped, and by what.
fn places(obstacle: &Obstacle) -> &[Place] {
    if let Obstacle::Stopped { places, .. } = obstacle { places } else { &[] }
}

/// What would have saved a line.
fn change(obstacle: &Obstacle) -> Option<&Change> {
    if let Obstacle::Stopped { change, .. } = obstacle { change.as_ref() } else { None }
}

/// Puts an explanation into words.
struct Words<'a> {
    snapshot: &'a Snapshot,
    plan: &'a Plan,
    /// Where prices have made the plan.
    charges: Option<Charges<'a>>,
}

impl Words<'_> {
    fn text(&self, explanation: &Explanation) -> String {
        let mut out = String::new();
        let mut row = |label: &str, text: &str| {
            let _ = writeln!(out, "  {label:<12} {text}");
        };
        row("decided", &self.disposition(explanation.disposition, explanation.line));
        if let Some(published) = self.published(explanation) {
            row("published", &published);
        }
        row("clock", &self.clock(explanation));
        row("history", &self.history(explanation.line));
        row("cost", &self.cost(explanation));
        for charge in self.charged(explanation.line) {
            row("charged", &words(&charge, &self.cell(charge.cell)));
        }
        if let Some(obstacle) = &explanation.obstacle {
            row("stopped by", &self.obstacle(obstacle, explanation));
            if let Some(saved) = self.saved_by(obstacle) {
                row("saved by", &saved);
            }
            for charge in self.would_be_charged(explanation) {
                row("would charge", &words(&charge, &self.cell(charge.cell)));
            }
            if let Some(outranked) = self.outranked_by(obstacle) {
                row("outranked by", &outranked);
            }
            for words in self.by_stop(places(obstacle)) {
                row("places", &words);
            }
        }
        format!("{}\n{out}", self.head(explanation.line))
    }

    fn json(&self, explanation: &Explanation) -> serde_json::Value {
        let obstacle = explanation.obstacle.as_ref();
        json!({
            "line": self.name(explanation.line),
            "band": self.snapshot.policy.bands[self.snapshot.bands[explanation.line]].code,
            "decided": self.disposition(explanation.disposition, explanation.line),
            "published": self.published(explanation),
            "clock": self.clock(explanation),
            "history": self.history(explanation.line),
            "cost_thousandths": explanation.cost.thousandths(),
            "charged": self.charges_json(&self.charged(explanation.line)),
            "would_be_charged": self.charges_json(&self.would_be_charged(explanation)),
            "next_best": explanation.next_best.map(|(alternative, extra)| json!({
                "choice": self.alternative(alternative), "extra_cost_thousandths": extra.thousandths() })),
            "stopped_by": obstacle.map(|obstacle| self.obstacle(obstacle, explanation)),
            "saved_by": obstacle.and_then(|obstacle| self.saved_by(obstacle)),
            "outranked_by": obstacle.and_then(|obstacle| self.outranked_by(obstacle)),
            "places": obstacle.map_or(&[][..], places).iter().map(|place| json!({
                "site": self.snapshot.network.sites[place.site].code,
                "stopped_by": self.stop(&place.stop) })).collect::<Vec<_>>(),
        })
    }

    /// What the line is charged for what it uses.
    fn charged(&self, line: LineIx) -> Vec<Charge> {
        self.charges.as_ref().map_or_else(Vec::new, |charges| charges.of(line))
    }

    /// What the change that would have saved the line would be charged for what it uses.
    fn would_be_charged(&self, explanation: &Explanation) -> Vec<Charge> {
        let saved = explanation.obstacle.as_ref().and_then(change);
        let charges = self.charges.as_ref().zip(saved);
        charges.map_or_else(Vec::new, |(charges, saved)| charges.would_be(explanation.line, saved.run, &saved.steps))
    }

    fn charges_json(&self, charges: &[Charge]) -> Vec<serde_json::Value> {
        let one = |charge: &Charge| {
            json!({ "of": self.cell(charge.cell), "amount": charge.amount,
                "cost_thousandths": charge.cost.thousandths(), "shared": charge.shared })
        };
        charges.iter().map(one).collect()
    }

    fn name(&self, line: LineIx) -> String {
        let facts = &self.snapshot.backlog.lines[line];
        format!("{} {}", self.snapshot.backlog.accession(facts.sample), self.snapshot.catalogue.tests[facts.test].code)
    }

    fn head(&self, line: LineIx) -> String {
        let facts = &self.snapshot.backlog.lines[line];
        let test = &self.snapshot.catalogue.tests[facts.test].name;
        let band = &self.snapshot.policy.bands[self.snapshot.bands[line]];
        let weight = self.snapshot.weights[line].thousandths();
        let split = facts
            .split_from
            .map_or_else(String::new, |panel| format!(", split from {}", self.snapshot.catalogue.tests[panel].code));
        format!(
            "{} ({test}{split}): band {}, weight {}.{}",
            self.name(line),
            band.code,
            weight / 1000,
            weight % 1000 / 100
        )
    }

    fn time(&self, instant: Instant) -> String {
        self.snapshot.network.zone.local(instant).format("%a %-d %b %Y %H:%M").to_string()
    }

    fn slot(&self, slot: SlotIx) -> String {
        let zone = self.snapshot.network.zone;
        let (start, end) = (zone.local(self.snapshot.grid.start(slot)), zone.local(self.snapshot.grid.end(slot)));
        format!("{}–{}", start.format("%a %-d %b %H:%M"), end.format("%H:%M"))
    }

    fn run(&self, run: Run) -> String {
        let reported = self.time(self.snapshot.grid.end(run.reported));
        match run.analyser {
            Some(analyser) => {
                let facts = &self.snapshot.network.analysers[analyser];
                let site = &self.snapshot.network.sites[facts.site].code;
                format!("{} at {site}, {}, result out by {reported}", facts.code, self.slot(run.slot))
            }
            None => format!("the result exists; reported by {reported}"),
        }
    }

    fn disposition(&self, disposition: Disposition, line: LineIx) -> String {
        match disposition {
            Disposition::Run(run) => format!("run: {}{}", self.run(run), self.way(line)),
            Disposition::Recall(run) => self.recall(run, line),
            Disposition::Cancel(Cancel::Duplicate(of)) => {
                format!("cancelled: {} answers the same question", self.name(of))
            }
            Disposition::Cancel(Cancel::Superseded) => "cancelled: a result is already there".to_owned(),
            Disposition::Hold(hold) => format!("held: {}", self.hold(hold)),
        }
    }

    /// What the plan before this one has published for a line, and whether that is kept.
    fn published(&self, explanation: &Explanation) -> Option<String> {
        let Explanation { line, disposition, .. } = *explanation;
        let run = self.snapshot.published_slots(line)?;
        let frozen = self.snapshot.frozen_run(line).is_some();
        let what = match (run.kept_by(disposition), frozen) {
            (true, true) => "frozen, and kept",
            (true, false) => "kept",
            (false, true) => "moved, for it could not be kept",
            (false, false) => "moved",
        };
        let (start, zone) = (self.snapshot.grid.start(run.first), self.snapshot.network.zone);
        let end = zone.local(self.snapshot.grid.end(run.last)).format("%H:%M");
        let analyser = &self.snapshot.network.analysers[run.analyser].code;
        Some(format!("{analyser}, {}–{end}: {what}", zone.local(start).format("%a %-d %b %H:%M")))
    }

    fn way(&self, line: LineIx) -> String {
        self.after(self.plan.steps_of(self.snapshot.backlog.lines[line].sample))
    }

    fn after(&self, steps: &[Step]) -> String {
        let words: Vec<String> = steps.iter().map(|step| self.step(*step)).collect();
        if words.is_empty() { String::new() } else { format!(" (after: {})", words.join("; ")) }
    }

    fn step(&self, step: Step) -> String {
        match step {
            Step::Spin(slot) => format!("spin {}", self.slot(slot)),
            Step::Refrigerate => "refrigerate".to_owned(),
            Step::Freeze(slot) => format!("aliquot and freeze {}", self.slot(slot)),
            Step::Thaw(slot) => format!("thaw {}", self.slot(slot)),
            Step::BookIn(slot) => format!("book in {}", self.slot(slot)),
            Step::Aliquot(slot) => format!("aliquot for a second site {}", self.slot(slot)),
            Step::Send(departure) => {
                let facts = &self.snapshot.departures[departure];
                let courier = &self.snapshot.network.couriers[facts.courier].code;
                format!("courier {courier} leaving {}", self.time(facts.leaves))
            }
        }
    }

    fn recall(&self, run: Option<Run>, line: LineIx) -> String {
        let visit = self.plan.visit_of(self.snapshot.backlog.patient_of(line));
        match (run, visit) {
            (Some(run), Some(visit)) => {
                let point = &self.snapshot.network.collection_points[visit.point].code;
                format!("recalled: visit at {point} on {}; re-test on {}", visit.day, self.run(run))
            }
            _ => "recalled: no re-test fits into the horizon; the practice is asked to arrange one".to_owned(),
        }
    }

    fn hold(&self, hold: Hold) -> String {
        match hold {
            Hold::UnknownStability => "no stability limit is known as stored; a person decides".to_owned(),
            Hold::UnknownTime => "the collection time is unknown; a person decides".to_owned(),
            Hold::Override(by) => {
                let about = &self.snapshot.overrides.all[by];
                format!("by override until {}: {}", self.time(about.until), about.why)
            }
            Hold::Waiting => "it waits: no capacity within the horizon, but the sample keeps beyond it".to_owned(),
            Hold::Irreplaceable => "it cannot be collected again; a person decides".to_owned(),
            Hold::NotRecallable => "the patient must not be recalled; a person decides".to_owned(),
        }
    }

    fn clock(&self, explanation: &Explanation) -> String {
        let now = self.snapshot.now;
        let held = self.snapshot.backlog.lines[explanation.line].result_held;
        if held {
            return "none: the result exists".to_owned();
        }
        match explanation.clock {
            Clock::Until(closes) => {
                let state = self.snapshot.backlog.state(self.snapshot.backlog.lines[explanation.line].sample);
                let left = closes.since(now);
                format!(
                    "closes {} ({left} left) if kept as now; {}",
                    self.time(closes),
                    self.limit(explanation.line, state)
                )
            }
            Clock::Lost(at, LostBy::Expiry(state)) => {
                format!("ran out {}; {}", self.time(at), self.limit(explanation.line, state))
            }
            Clock::Lost(at, LostBy::Forbidden(state)) => {
                format!(
                    "lost {} when it was put to {}; {}",
                    self.time(at),
                    state.text(),
                    self.limit(explanation.line, state)
                )
            }
            Clock::Lost(at, LostBy::FrozenTwice) => format!("lost {}: frozen or thawed twice", self.time(at)),
            Clock::Lost(at, LostBy::AlreadySeparated) => {
                format!("lost {}: separated, but run on the specimen as collected", self.time(at))
            }
            Clock::Unknown(state) => format!("no limit is known for {}", state.text()),
        }
    }

    /// The figure that decides in a state, with its source.
    fn limit(&self, line: LineIx, state: State) -> String {
        let facts = &self.snapshot.backlog.lines[line];
        let specimen = self.snapshot.backlog.samples[facts.sample].specimen;
        let catalogue = &self.snapshot.catalogue;
        let Some((test, figure)) = catalogue.deciding_figure(facts.test, specimen, self.snapshot.policy.profile, state)
        else {
            return "limit assumed by the policy".to_owned();
        };
        let limit = match figure.limit {
            Limit::Within(limit) => limit.to_string(),
            Limit::Forbidden => "forbidden".to_owned(),
            Limit::Unknown => "unknown".to_owned(),
        };
        let sources: Vec<&str> = figure.sources.iter().map(|source| catalogue.sources[*source].id.as_str()).collect();
        let of = if test == facts.test { String::new() } else { format!(" of {}", catalogue.tests[test].code) };
        format!(
            "limit{of} {}: {limit} (example figure; source {}; catalogue {})",
            state.text(),
            sources.join(", "),
            catalogue.version
        )
    }

    fn history(&self, line: LineIx) -> String {
        let sample = self.snapshot.backlog.lines[line].sample;
        let assumed = if self.snapshot.backlog.samples[sample].collected_unknown { " (time assumed)" } else { "" };
        let steps = self.snapshot.backlog.history(sample).iter();
        let words: Vec<String> = steps.map(|step| format!("{} {}", self.time(step.from), step.state.text())).collect();
        format!("{}{assumed}", words.join(" > "))
    }

    fn cost(&self, explanation: &Explanation) -> String {
        let next = explanation.next_best.map_or_else(String::new, |(alternative, extra)| {
            format!("; next best: {}, {extra} more", self.alternative(alternative))
        });
        format!("{} weighted days{next}", explanation.cost)
    }

    fn alternative(&self, alternative: Alternative) -> String {
        match alternative {
            Alternative::Run(run) => self.run(run),
            Alternative::AfterHorizon => "left for after the horizon".to_owned(),
        }
    }

    fn obstacle(&self, obstacle: &Obstacle, explanation: &Explanation) -> String {
        match obstacle {
            Obstacle::Lost => match explanation.clock.closes() {
                None => {
                    "its clock: it was lost before this plan began; no capacity could have saved it tonight".to_owned()
                }
                Some(_) => "its clock".to_owned(),
            },
            Obstacle::Unknown => "its clock: no limit is known, and the policy allows no guess".to_owned(),
            Obstacle::Settled => "a rule about repeats, holds or the patient; capacity plays no part".to_owned(),
            Obstacle::Stopped { change: Some(change), .. } => self.room(&change.lacking),
            Obstacle::Stopped { places, change: None } => match places.as_slice() {
                [only] => self.stop(&only.stop),
                _ => "a law or lacking capacity at every site that its tube can reach".to_owned(),
            },
        }
    }

    /// What stopped a line at one site.
    fn stop(&self, stop: &Stop) -> String {
        match stop {
            Stop::Law(law) => format!("{}: {}", law.code(), law.title()),
            Stop::Lacking(lacking) => self.room(lacking),
        }
    }

    /// What stopped a line, each with the sites where it did, in order of the first of them.
    fn by_stop(&self, places: &[Place]) -> Vec<String> {
        let mut groups: Vec<(&Stop, Vec<&str>)> = Vec::new();
        for place in places {
            let site = self.snapshot.network.sites[place.site].code.as_str();
            match groups.iter_mut().find(|(stop, _)| **stop == place.stop) {
                Some((_, sites)) => sites.push(site),
                None => groups.push((&place.stop, vec![site])),
            }
        }
        groups.into_iter().map(|(stop, sites)| format!("{}: {}", sites.join(", "), self.stop(stop))).collect()
    }

    fn room(&self, lacking: &[Lacking]) -> String {
        if lacking.is_empty() {
            return "the order of the rule: there is room, but not when its turn came".to_owned();
        }
        let cells: Vec<String> = lacking.iter().map(|lacks| self.cell(lacks.cell)).collect();
        format!("capacity: no room in {}", cells.join(" and "))
    }

    fn saved_by(&self, obstacle: &Obstacle) -> Option<String> {
        let Change { lacking, run, others, steps, .. } = change(obstacle)?;
        let more: Vec<String> = lacking.iter().map(|lacks| self.more(*lacks)).collect();
        let more = if more.is_empty() { "a later turn".to_owned() } else { more.join(" and ") };
        let tube = match others.len() {
            0 => "",
            _ => ", the tube's other lines planned again with it",
        };
        Some(format!("{more}: then {}{}{tube} (tried, and passed by the audit)", self.run(*run), self.after(steps)))
    }

    fn outranked_by(&self, obstacle: &Obstacle) -> Option<String> {
        let bands = |line: &LineIx| &self.snapshot.policy.bands[self.snapshot.bands[*line]].code;
        let name = |line: &LineIx| format!("{} ({})", self.name(*line), bands(line));
        let lines: Vec<String> = change(obstacle)?.used_by.iter().map(name).collect();
        (!lines.is_empty()).then(|| lines.join(", "))
    }

    fn more(&self, lacks: Lacking) -> String {
        let (resource, _) = self.snapshot.capacity.describe(lacks.cell);
        let amount = match resource {
            Resource::AnalyserTime(_) => format!("{} s more", lacks.amount.div_ceil(1000)),
            _ => format!("{} more", lacks.amount),
        };
        format!("{amount} of {}", self.cell(lacks.cell))
    }

    /// What a cell limits, and when, in words.
    fn cell(&self, cell: CellIx) -> String {
        let network = &self.snapshot.network;
        let (resource, when) = self.snapshot.capacity.describe(cell);
        let site = |site| network.sites[site].code.as_str();
        let what = match resource {
            Resource::AnalyserTime(analyser) => format!("analyser time of {}", network.analysers[analyser].code),
            Resource::Reception(at) => format!("booking in at {}", site(at)),
            Resource::Centrifuge(at) => format!("centrifuges at {}", site(at)),
            Resource::Aliquoting(at) => format!("aliquoting at {}", site(at)),
            Resource::Reporting(at) => format!("reporting at {}", site(at)),
            Resource::Freezer(at) => format!("freezer places at {}", site(at)),
            Resource::Courier(departure) => {
                format!("boxes of {}", network.couriers[self.snapshot.departures[departure].courier].code)
            }
            Resource::Quota(at) => format!("daily quota of {}", site(at)),
            Resource::Stock(analyser, test) => {
                format!(
                    "reagent for {} on {}",
                    self.snapshot.catalogue.tests[test].code, network.analysers[analyser].code
                )
            }
            Resource::Visits(point) => format!("visits at {}", network.collection_points[point].code),
            Resource::RecallCap => "recall visits in the network".to_owned(),
            Resource::RequesterCap(requester) => format!("the cap of {}", network.requesters[requester].ods),
        };
        match when {
            When::Slot(slot) => format!("{what} {}", self.slot(slot)),
            When::Day(day) => format!("{what} on {day}"),
            When::Departure(departure) => {
                format!("{what} leaving {}", self.time(self.snapshot.departures[departure].leaves))
            }
            When::Horizon => what,
        }
    }
}
