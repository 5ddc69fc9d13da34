//! From a snapshot to a plan near the optimum, with the prices that prove how near.
//!
//! Stage by stage: strict bands in order, then all others. What is published and frozen, and what
//! people have decided about lines, is planned first, by the greedy rule; everything else of a stage
//! is one problem for the engine. Whatever time is left, every line is decided.

use labtriage_core::audit::audit;
use labtriage_core::certificate::stage::{Before, PatientSamples, count};
use labtriage_core::certificate::{Certificate, Prices};
use labtriage_core::plan::{Disposition, Plan, Rule, Run, Step};
use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::{Ix, LineIx, SampleIx};

use crate::engine::{self, Gone, Settings, Why};
use crate::greedy::Planner;
use crate::order;
use crate::stage::choice::{Choice, SampleChoice};
use crate::stage::{Ground, Stage, first_prices, whole_prices};
use crate::uses;
use crate::way::Way;

/// How far the optimizer is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// The stage, from 0, and how many there are.
    pub stage: (usize, usize),
    /// What the engine says about the stage: cost and bound of the stage in thousandths of a weighted day.
    pub engine: engine::Progress,
}

/// A plan with the certificate of its bound.
#[derive(Clone, Debug)]
pub struct Optimised {
    /// The plan.
    pub plan: Plan,
    /// The prices of each stage.
    pub certificate: Certificate,
    /// Why the search stopped, by stage.
    pub stopped: Vec<Why>,
}

/// How hard to try with a backlog, until a plan costs at most `gap` more than the bound, relatively to its cost.
pub fn settings(gap: f64) -> Settings {
    // An answer of the oracle takes some hundred microseconds: what needs many of them per patient is left out.
    Settings {
        gap,
        relaxations: 1,
        relaxed_items_max: 0,
        chain_calls: 0,
        ruin_calls: 12_000,
        neighbourhoods: 0,
        ..Settings::default()
    }
}

/// Plans a snapshot.
///
/// While no time is gone, the plan is the same for any number of threads and any order of rows. The time that is
/// left is shared out among stages by their lines. Time grows linearly with the patients.
pub fn optimise(snapshot: &Snapshot, settings: &Settings, gone: Gone<'_>, progress: &dyn Fn(Progress)) -> Optimised {
    let ground = Ground::new(snapshot);
    let mut aside = people(snapshot);
    let mut found = attempt(snapshot, &ground, &aside, settings, gone, progress);
    for _ in 1..ATTEMPTS {
        let broken = audit(snapshot, &found.plan);
        let patients = broken.iter().filter_map(|violation| {
            let sample = violation.line.map(|line| snapshot.backlog.lines[line].sample).or(violation.sample)?;
            Some(snapshot.backlog.requests[snapshot.backlog.samples[sample].request].patient)
        });
        let mut again = false;
        for patient in patients {
            again |= !std::mem::replace(&mut aside[patient.row()], true);
        }
        if !again {
            break;
        }
        found = attempt(snapshot, &ground, &aside, settings, gone, progress);
    }
    found
}

/// How often patients with whom a plan broke a law are left to the greedy rule.
const ATTEMPTS: usize = 3;

/// Plans all stages; patients set aside are planned by the greedy rule, before the others of a stage.
fn attempt(
    snapshot: &Snapshot,
    ground: &Ground<'_>,
    aside: &[bool],
    settings: &Settings,
    gone: Gone<'_>,
    progress: &dyn Fn(Progress),
) -> Optimised {
    let mut planner = Planner::new(snapshot);
    let open: Vec<LineIx> = snapshot.backlog.lines.indices().filter(|&line| planner.settle(line).is_none()).collect();
    planner.keep_published(Rule::BandEdf, &open);
    let stages = count(snapshot);
    let mut solved = Vec::with_capacity(stages);
    let mut left = open.len();
    for (number, lines) in order::stages(snapshot, Rule::BandEdf, open.into_iter()).into_iter().enumerate() {
        let part = lines.len() as f64 / left.max(1) as f64;
        left -= lines.len();
        let tell = |engine| progress(Progress { stage: (number, stages), engine });
        let theirs = lines.iter().copied().filter(|&line| aside[snapshot.backlog.patient_of(line).row()]);
        planner.decide(theirs);
        let began = gone();
        let gone = || (gone() - began) / ((1.0 - began) * part).max(f64::MIN_POSITIVE);
        solved.push(plan_stage(ground, &mut planner, number, &lines, settings, &gone, &tell));
    }
    let (stages, stopped): (Vec<Prices>, Vec<Why>) = solved.into_iter().unzip();
    Optimised { plan: planner.finish(Rule::Priced), certificate: Certificate { stages }, stopped }
}

/// Decides the lines of a stage; its prices, and why the engine stopped.
fn plan_stage(
    ground: &Ground<'_>,
    planner: &mut Planner<'_>,
    number: usize,
    lines: &[LineIx],
    settings: &Settings,
    gone: Gone<'_>,
    progress: &dyn Fn(engine::Progress),
) -> (Prices, Why) {
    let snapshot = planner.snapshot;
    let before = planner.before(number);
    let mut rough = planner.clone();
    rough.decide(lines.iter().copied());
    let first = first_prices(&rough, lines, before.left.as_slice());
    drop(rough);
    let solution = engine::solve(&Stage::new(planner, ground, &before, first), settings, gone, progress);
    for choice in solution.choices.iter().flatten() {
        planner.adopt(choice);
    }
    // What the engine had no time for; then strict lines that find room after all.
    planner.decide(lines.iter().copied());
    for &line in lines.iter().filter(|line| snapshot.strict(**line)) {
        planner.run_recalled(line, &ground.samples);
    }
    (whole_prices(&solution.prices), solution.stopped)
}

/// Patients about whose lines people have decided something.
fn people(snapshot: &Snapshot) -> Vec<bool> {
    let mut about = vec![false; snapshot.backlog.patients.len()];
    for &(line, _) in &snapshot.overrides.by_line {
        about[snapshot.backlog.patient_of(line).row()] = true;
    }
    about
}

impl Planner<'_> {
    /// What is decided so far, as the bound sees it.
    fn before(&self, stage: usize) -> Before {
        let backlog = &self.snapshot.backlog;
        let mut recalled = vec![false; backlog.patients.len()];
        for (line, disposition) in self.lines.enumerate() {
            let decided = self.decided[line.row()] && matches!(disposition, Disposition::Recall(_));
            recalled[backlog.patient_of(line).row()] |= decided;
        }
        Before {
            stage,
            left: self.snapshot.capacity.limits().indices().map(|cell| self.remaining.left(cell)).collect(),
            placed: self.tubes.iter().map(|tube| tube.placed.is_some()).collect(),
            recollected: self.tubes.iter().map(|tube| tube.recollection.is_some()).collect(),
            recalled,
            visits: self.visits.sorted(),
        }
    }

    /// Decides what is not decided yet of these lines, in order.
    fn decide(&mut self, lines: impl Iterator<Item = LineIx>) {
        let mut left = Vec::new();
        for line in lines {
            if self.decided[line.row()] {
                continue;
            }
            match self.run(line) {
                Some(run) => self.lines[line] = Disposition::Run(run),
                None => left.push(line),
            }
        }
        for line in left {
            self.lines[line] = self.not_run(line);
        }
    }

    /// Runs a recalled line for which there is room after all, and gives back what its re-test took.
    fn run_recalled(&mut self, line: LineIx, samples: &PatientSamples) {
        let Disposition::Recall(retest) = self.lines[line] else { return };
        if !self.visit_stays_due(line, samples) {
            return;
        }
        let Some(run) = self.run(line) else { return };
        self.lines[line] = Disposition::Run(run);
        let Some(retest) = retest else { return };
        uses::of_run(self.snapshot, line, retest, false, &mut |cell, amount| self.remaining.give(cell, amount));
        let sample = self.snapshot.backlog.lines[line].sample;
        let retested = |line| matches!(self.lines[line], Disposition::Recall(Some(_)));
        if self.snapshot.backlog.samples[sample].lines().any(retested) {
            return;
        }
        if let Some(new) = self.tubes[sample].recollection.take() {
            uses::of_booking_in(self.snapshot, new.site, new.booked_in, &mut |cell, amount| {
                self.remaining.give(cell, amount)
            });
        }
    }

    /// Whether the visit of a line's patient is still where a recalled line wants it, or nobody's, when
    /// the line itself is recalled no more.
    fn visit_stays_due(&self, line: LineIx, samples: &PatientSamples) -> bool {
        let backlog = &self.snapshot.backlog;
        let patient = backlog.patient_of(line);
        let Some(visit) = self.visits.of(patient) else { return true };
        let point = |line: LineIx| {
            let requester = backlog.requests[backlog.request_of(line)].requester;
            self.snapshot.network.requesters[requester].collection_point
        };
        let lines = samples.of(patient).iter().flat_map(|&sample| backlog.samples[sample].lines());
        let recalled = |other: &LineIx| *other != line && matches!(self.lines[*other], Disposition::Recall(_));
        let others: Vec<LineIx> = lines.filter(recalled).collect();
        others.is_empty() || others.into_iter().any(|other| point(other) == visit.point)
    }

    /// Takes a choice over, with all that it uses.
    fn adopt(&mut self, choice: &Choice) {
        choice.uses(self.snapshot, &mut |cell, amount| self.remaining.take(cell, amount));
        if let Some(visit) = choice.visit {
            self.visits.give(visit);
        }
        for sample in &choice.samples {
            self.adopt_sample(sample);
        }
    }

    fn adopt_sample(&mut self, choice: &SampleChoice) {
        let sample = choice.sample;
        if !choice.steps.is_empty() {
            self.adopt_steps(sample, &choice.steps);
        }
        if choice.recollection.is_some() {
            self.tubes[sample].recollection = choice.recollection;
        }
        for &(line, disposition) in &choice.lines {
            self.lines[line] = disposition;
            self.decided[line.row()] = true;
            if let Disposition::Run(run) = disposition {
                self.adopt_run(line, sample, run);
            }
        }
    }

    fn adopt_steps(&mut self, sample: SampleIx, steps: &[Step]) {
        let split = steps.iter().position(|step| matches!(step, Step::Aliquot(_)));
        let main = Way::replay(self.snapshot, sample, &steps[..split.unwrap_or(steps.len())]);
        let second = split.map(|_| Way::replay(self.snapshot, sample, steps));
        let tube = &mut self.tubes[sample];
        tube.first_step = u32::try_from(self.steps.len()).unwrap_or(u32::MAX);
        tube.steps = u8::try_from(steps.len()).unwrap_or(u8::MAX);
        tube.placed = Some((main.site, main.slot));
        tube.second = second.map(|second| (second.site, second.slot));
        self.steps.extend_from_slice(steps);
    }

    fn adopt_run(&mut self, line: LineIx, sample: SampleIx, run: Run) {
        let Some(analyser) = run.analyser else { return };
        let facts = &self.snapshot.network.analysers[analyser];
        let volume = self.snapshot.catalogue.tests[self.snapshot.backlog.lines[line].test].volume;
        let tube = &mut self.tubes[sample];
        let at = |place: Option<(_, _)>| place.is_some_and(|(site, _)| site == facts.site);
        let dead = &mut tube.dead[usize::from(at(tube.second) && !at(tube.placed))];
        *dead = (*dead).max(facts.dead_volume);
        tube.used = tube.used.plus(volume);
    }
}
