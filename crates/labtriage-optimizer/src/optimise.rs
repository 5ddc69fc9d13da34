//! From a snapshot to a plan near the optimum, with the prices that prove how near.
//!
//! Stage by stage: strict bands in order, then all others. What people have decided about lines is
//! planned first, by the greedy rule; everything else of a stage is one problem for the engine.

use labtriage_core::certificate::stage::{Before, count, of_line};
use labtriage_core::certificate::{Certificate, Prices};
use labtriage_core::plan::{Disposition, Plan, Rule};
use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::{Ix, LineIx, SampleIx, SlotIx};

use crate::engine::{self, Settings};
use crate::greedy::Planner;
use crate::order;
use crate::stage::choice::{Choice, SampleChoice};
use crate::stage::{Ground, Stage, whole_prices};
use crate::way::Way;

/// A plan with the certificate of its bound.
#[derive(Clone, Debug)]
pub struct Optimised {
    /// The plan.
    pub plan: Plan,
    /// The prices of each stage.
    pub certificate: Certificate,
}

/// Plans a snapshot.
pub fn optimise(snapshot: &Snapshot, settings: &Settings, stop: &(dyn Fn() -> bool + Sync)) -> Optimised {
    let ground = Ground::new(snapshot);
    let mut planner = Planner::new(snapshot);
    for line in snapshot.backlog.lines.indices() {
        planner.settle(line);
    }
    let open: Vec<LineIx> = snapshot.backlog.lines.indices().filter(|line| !planner.decided[line.row()]).collect();
    planner.keep_published(Rule::BandEdf, &open);
    let mut stages = Vec::new();
    for number in 0..count(snapshot) {
        by_people(snapshot, &mut planner, number);
        let before = planner.before(number);
        let t = std::time::Instant::now();
        let (choices, prices) = {
            let stage = Stage::new(&planner, &ground, &before);
            eprintln!("stage {number}: {} patients", stage.patients().len());
            let solved = engine::solve(&stage, settings, stop, &|progress| eprintln!("{:?} {:?}", t.elapsed(), progress));
            eprintln!("stage {number}: cost {} bound {} gap {:.4} % open {}", solved.cost, solved.bound, (solved.cost as f64 / solved.bound - 1.0) * 100.0, solved.open);
            if std::env::var("LT_DEBUG").is_ok() {
                use crate::engine::Problem;
                let mut scratch = stage.scratch();
                let mut worst: Vec<(i64, usize)> = solved.choices.iter().enumerate().filter_map(|(item, choice)| {
                    let cost = stage.cost(item, choice.as_ref()?);
                    let least = stage.minimum(item, &solved.prices, &mut scratch, &mut |_, _| {});
                    Some((cost - least as i64, item))
                }).collect();
                worst.sort();
                for &(loss, item) in worst.iter().rev().take(6) {
                    let choice = solved.choices[item].as_ref();
                    eprintln!("loss {loss} {choice:?}");
                    for sample in choice.map(|c| &c.samples).into_iter().flatten() {
                        let facts = &snapshot.backlog.samples[sample.sample];
                        eprintln!("  {} at {} {:?} state {:?} vol {:?}", snapshot.backlog.accession(sample.sample), snapshot.network.sites[facts.site].code, snapshot.catalogue.specimens[facts.specimen].code, snapshot.backlog.state(sample.sample), facts.volume);
                        for (line, d) in &sample.lines {
                            eprintln!("    {} {:?} clock {:?}", snapshot.catalogue.tests[snapshot.backlog.lines[*line].test].code, d, snapshot.clocks[*line]);
                        }
                    }
                    let mut uses = vec![];
                    stage.minimum(item, &solved.prices, &mut scratch, &mut |cell, amount| uses.push((cell, amount)));
                    for (cell, amount) in uses { let cell: labtriage_core::table::CellIx = Ix::from_row(cell); let price = solved.prices[cell.row()]; eprintln!("      {:?} x {amount} at {price}", snapshot.capacity.describe(cell)); }
                }
            }
            (solved.choices, solved.prices)
        };
        stages.push(whole_prices(&prices));
        for choice in choices.into_iter().flatten() {
            planner.adopt(&choice);
        }
        let rest = order::stages(snapshot, Rule::BandEdf, snapshot.backlog.lines.indices()).swap_remove(number);
        planner.decide(rest.into_iter());
    }
    let certificate = Certificate { stages: stages.into_iter().map(|prices: Prices| prices).collect() };
    Optimised { plan: planner.finish(Rule::BandEdf), certificate }
}

/// Lines of patients about whom people have decided something.
fn by_people(snapshot: &Snapshot, planner: &mut Planner<'_>, number: usize) {
    let mut about = vec![false; snapshot.backlog.patients.len()];
    for &(line, _) in &snapshot.overrides.by_line {
        about[snapshot.backlog.patient_of(line).row()] = true;
    }
    let lines = order::stages(snapshot, Rule::BandEdf, snapshot.backlog.lines.indices()).swap_remove(number);
    let theirs = lines.into_iter().filter(|&line| about[snapshot.backlog.patient_of(line).row()]);
    debug_assert!(theirs.clone().all(|line| of_line(snapshot, line) == number));
    planner.decide(theirs);
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
        for line in lines.filter(|line| !self.decided[line.row()]).collect::<Vec<_>>() {
            match self.run(line) {
                Some(run) => self.lines[line] = Disposition::Run(run),
                None => left.push(line),
            }
        }
        for line in left {
            self.lines[line] = self.not_run(line);
        }
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
            self.adopt_steps(sample, choice);
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

    fn adopt_steps(&mut self, sample: SampleIx, choice: &SampleChoice) {
        let tube = &mut self.tubes[sample];
        tube.first_step = u32::try_from(self.steps.len()).unwrap_or(u32::MAX);
        tube.steps = u8::try_from(choice.steps.len()).unwrap_or(u8::MAX);
        self.steps.extend_from_slice(&choice.steps);
        let split = choice.steps.iter().position(|step| matches!(step, labtriage_core::plan::Step::Aliquot(_)));
        let main = Way::replay(self.snapshot, sample, &choice.steps[..split.unwrap_or(choice.steps.len())]);
        tube.placed = Some((main.site, main.slot));
        if split.is_some() {
            let second = Way::replay(self.snapshot, sample, &choice.steps);
            self.tubes[sample].second = Some((second.site, second.slot));
        }
    }

    fn adopt_run(&mut self, line: LineIx, sample: SampleIx, run: labtriage_core::plan::Run) {
        let Some(analyser) = run.analyser else { return };
        let facts = &self.snapshot.network.analysers[analyser];
        let volume = self.snapshot.catalogue.tests[self.snapshot.backlog.lines[line].test].volume;
        let tube = &mut self.tubes[sample];
        let second = tube.second.is_some_and(|(site, _)| site == facts.site)
            && tube.placed.is_none_or(|(site, _): (_, SlotIx)| site != facts.site);
        let dead = &mut tube.dead[usize::from(second)];
        *dead = (*dead).max(facts.dead_volume);
        tube.used = tube.used.plus(volume);
    }
}
