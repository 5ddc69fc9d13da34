//! Plans of tiny snapshots, written as a person would say them.

use labtriage_core::audit::audit;
use labtriage_core::plan::{Cancel, Disposition, Plan, Rule, Run, Step};
use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::{LineIx, SlotIx};
use labtriage_optimizer::plan;

/// The plan of a rule, which the audit has passed.
pub(crate) fn lawful(snapshot: &Snapshot, rule: Rule) -> Plan {
    let made = plan(snapshot, rule, &|_, _| {});
    let broken: Vec<String> = audit(snapshot, &made).iter().map(ToString::to_string).collect();
    assert!(broken.is_empty(), "{} breaks laws: {broken:#?}\n{}", rule.text(), describe(snapshot, &made).join("\n"));
    made
}

/// One line of text a test line: what was decided, when, where.
pub(crate) fn describe(snapshot: &Snapshot, plan: &Plan) -> Vec<String> {
    plan.lines.enumerate().map(|(line, disposition)| describe_line(snapshot, plan, line, *disposition)).collect()
}

fn describe_line(snapshot: &Snapshot, plan: &Plan, line: LineIx, disposition: Disposition) -> String {
    let facts = &snapshot.backlog.lines[line];
    let name = |line: LineIx| {
        let facts = &snapshot.backlog.lines[line];
        format!("{} {}", snapshot.backlog.accession(facts.sample), snapshot.catalogue.tests[facts.test].code)
    };
    let steps: Vec<String> = plan.steps_of(facts.sample).iter().map(|step| describe_step(snapshot, *step)).collect();
    let what = match disposition {
        Disposition::Run(run) => format!("run {} after {}", describe_run(snapshot, run), steps.join(", ")),
        Disposition::Recall(None) => "recall".to_owned(),
        Disposition::Recall(Some(run)) => {
            let visit = plan.visit_of(snapshot.backlog.patient_of(line)).expect("a re-test has a visit");
            format!("recall on {}, {}", visit.day, describe_run(snapshot, run))
        }
        Disposition::Cancel(Cancel::Duplicate(of)) => format!("cancel for {}", name(of)),
        Disposition::Cancel(Cancel::Superseded) => "cancel, resulted".to_owned(),
        Disposition::Hold(hold) => format!("hold {hold:?}"),
    };
    format!("{}: {what}", name(line))
}

fn hour(snapshot: &Snapshot, slot: SlotIx) -> String {
    snapshot.network.zone.local(snapshot.grid.start(slot)).format("%d %H:%M").to_string()
}

fn describe_run(snapshot: &Snapshot, run: Run) -> String {
    let place = run.analyser.map_or("report", |analyser| &snapshot.network.analysers[analyser].code);
    format!("{place} {} out {}", hour(snapshot, run.slot), hour(snapshot, run.reported))
}

fn describe_step(snapshot: &Snapshot, step: Step) -> String {
    match step {
        Step::Spin(slot) => format!("spin {}", hour(snapshot, slot)),
        Step::Refrigerate => "refrigerate".to_owned(),
        Step::Freeze(slot) => format!("freeze {}", hour(snapshot, slot)),
        Step::Thaw(slot) => format!("thaw {}", hour(snapshot, slot)),
        Step::Send(departure) => {
            format!("send {}", snapshot.network.couriers[snapshot.departures[departure].courier].code)
        }
        Step::BookIn(slot) => format!("book in {}", hour(snapshot, slot)),
        Step::Aliquot(slot) => format!("aliquot {}", hour(snapshot, slot)),
    }
}
