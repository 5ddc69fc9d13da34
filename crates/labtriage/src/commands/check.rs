//! `labtriage check`: are the inputs sound, is a plan lawful?

use std::fs::File;
use std::path::Path;

use labtriage_core::audit::audit;
use labtriage_core::cost::gap;
use labtriage_core::fairness::Fairness;
use labtriage_core::finding::{Code, Finding};
use labtriage_core::plan::Plan;
use labtriage_core::snapshot::Snapshot;
use labtriage_core::units::Cost;
use labtriage_formats::outputs::percent_of_millionths as percent;
use labtriage_formats::plan_json::{self, Header, StatedFairness, read_plan};
use serde_json::json;

use crate::args::{CheckArguments, OutputArguments};
use crate::failure::Failure;
use crate::inputs::{Night, Now, Sources};
use crate::proof::Proof;
use crate::terminal::{self, Bar, Timings};

/// Checks inputs or a plan; returns the exit code.
pub(crate) fn check(arguments: &CheckArguments) -> Result<u8, Failure> {
    match (&arguments.plan, &arguments.input) {
        (Some(plan), _) => check_plan(plan, &arguments.output),
        (None, Some(input)) => check_inputs(input, arguments),
        (None, None) => Err(Failure::Bug("neither a folder nor a plan was given".to_owned())),
    }
}

fn check_inputs(input: &Path, arguments: &CheckArguments) -> Result<u8, Failure> {
    let bar = Bar::new(arguments.output.quiet);
    let sources = Sources::find(input, arguments.config.as_deref())?;
    let now = Now::Typed(arguments.now.as_deref());
    let night = sources.read(&now, arguments.max_quarantine, &bar, &mut Timings::start())?;
    bar.clear();
    if arguments.output.quiet {
        return Ok(0);
    }
    terminal::findings(&night.warnings);
    for entry in night.quarantine.iter().take(20) {
        terminal::words(&format!("{}:{}: {} (set aside)", entry.file, entry.line, entry.message));
    }
    let backlog = &night.snapshot.backlog;
    let (samples, lines, requests, patients) =
        (backlog.samples.len(), backlog.lines.len(), backlog.requests.len(), backlog.patients.len());
    let (rows, aside) = (night.rows_read, night.quarantine.len());
    if arguments.output.json {
        let facts = json!({ "rows": rows, "quarantined": aside, "samples": samples, "lines": lines, "requests": requests,
            "patients": patients, "warnings": night.warnings.len() });
        terminal::data(&format!("{facts}\n"));
    } else {
        terminal::data(&format!(
            "inputs are sound: {rows} rows, {aside} set aside\n{samples} samples, {lines} test lines, {requests} requests, {patients} patients\n"
        ));
    }
    Ok(0)
}

/// A plan folder with what it was made from.
pub(crate) struct Opened {
    pub(crate) header: Header,
    pub(crate) night: Night,
    pub(crate) plan: Plan,
}

/// Opens a plan and its inputs, refusing what has changed since.
pub(crate) fn open(out: &Path) -> Result<Opened, Failure> {
    let path = out.join(plan_json::FILE);
    let file = File::open(&path).map_err(|error| {
        let finding = Finding::new(Code::FileUnreadable, format!("cannot read this plan: {}", error.kind()));
        finding.at(&path.display().to_string(), 0, 0).hint("name the folder that `labtriage plan` wrote")
    })?;
    let (header, raw) = read_plan(file)?;
    let sources = Sources::of_plan(out, &header)?;
    let bar = Bar::new(true);
    // The plan was made with its quarantine; checking it again is not a reason to refuse.
    let night = sources.read(&Now::Known(header.now), 100.0, &bar, &mut Timings::start())?;
    let changed = night.changed_since(&header);
    if !changed.is_empty() {
        return Err(changed.into());
    }
    let plan = raw.resolve(&night.snapshot)?;
    Ok(Opened { header, night, plan })
}

fn check_plan(out: &Path, output: &OutputArguments) -> Result<u8, Failure> {
    let Opened { header, night, plan } = open(out)?;
    let broken = audit(&night.snapshot, &plan);
    if !broken.is_empty() {
        return Err(Failure::Unlawful(broken));
    }
    let proof = prove(&header, &night.snapshot, &plan)?;
    let fairness = header.document.fairness.as_ref();
    compare_waits(fairness, &night.snapshot, &plan)?;
    if output.quiet {
        return Ok(0);
    }
    terminal::data(&if output.json { facts(&plan, &proof, fairness) } else { sentence(&plan, &proof, fairness) });
    Ok(0)
}

/// Works out cost, bounds and gap again, and refuses a plan that states others.
fn prove(header: &Header, snapshot: &Snapshot, plan: &Plan) -> Result<Proof, Finding> {
    let stated = header.document.bound.as_ref();
    let certificate = stated.map(|bound| bound.certificate(snapshot)).transpose()?;
    let proof = Proof::of(snapshot, plan, certificate.as_ref())?;
    proof.holds(&header.document.cost, stated)?;
    Ok(proof)
}

/// Works out again how the groups wait, and refuses a plan that states otherwise. What it cost to come there cannot be
/// worked out from one plan.
fn compare_waits(stated: Option<&StatedFairness>, snapshot: &Snapshot, plan: &Plan) -> Result<(), Finding> {
    let extra_cost = stated.and_then(|stated| stated.extra_cost);
    let found = Fairness::of(snapshot, plan).map(|found| StatedFairness::new(snapshot, &found, extra_cost));
    let message = match (stated, &found) {
        (stated, found) if stated == found.as_ref() => return Ok(()),
        (Some(stated), Some(found)) => stated.difference(found),
        (None, _) => "the plan does not say how its groups wait, for which its policy sets a limit".to_owned(),
        (_, None) => "the plan says how its groups wait, for which its policy sets no limit".to_owned(),
    };
    Err(Finding::new(Code::FairnessDiffers, message).at(plan_json::FILE, 0, 0))
}

fn facts(plan: &Plan, proof: &Proof, fairness: Option<&StatedFairness>) -> String {
    let (cost, bound) = (proof.cost.total(), proof.bound());
    let mut facts = json!({
        "lawful": true,
        "samples": plan.samples.len(),
        "lines": plan.lines.len(),
        "rule": plan.rule.text(),
        "cost_thousandths": cost.thousandths(),
        "bound_thousandths": bound.map(Cost::thousandths),
        "gap_ppm": bound.and_then(|bound| gap(cost, bound)),
    });
    if let Some(stated) = fairness {
        facts["fairness_holds"] = stated.holds.into();
    }
    format!("{facts}\n")
}

fn sentence(plan: &Plan, proof: &Proof, fairness: Option<&StatedFairness>) -> String {
    let (samples, lines, rule) = (plan.samples.len(), plan.lines.len(), plan.rule.text());
    let cost = proof.cost.total();
    let lawful = format!(
        "the plan is lawful: {lines} lines of {samples} samples, rule {rule}, cost {cost} weighted days as stated\n"
    );
    let proven = proof.bound().map_or_else(String::new, |bound| {
        let gap = gap(cost, bound).map_or_else(String::new, |gap| format!(", gap {}", percent(gap)));
        format!("its prices prove the bound that it states: {bound} weighted days{gap}\n")
    });
    let fair = fairness.map_or_else(String::new, |stated| {
        let holds = if stated.holds { "holds" } else { "does not hold" };
        format!("its groups wait as it states: the limit on fairness {holds}\n")
    });
    format!("{lawful}{proven}{fair}")
}
