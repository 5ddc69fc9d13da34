//! Does a plan file fit its inputs? Every word is found again in the snapshot, or reported.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use labtriage_core::finding::{Code, Finding};
use labtriage_core::plan::{
    Cancel, Discard, Disposition, Hold, Impossible, Plan, Recollection, Run, SamplePlan, Step, Visit,
};
use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::{
    AnalyserIx, CollectionPointIx, CourierIx, DepartureIx, LineIx, OverrideIx, SampleIx, SiteIx, SlotIx, Table, TestIx,
};
use labtriage_core::time::{Day, Instant};

use super::FILE;
use super::header::{bounds, instant, slot};
use super::read::{
    LineName, OverrideName, RawDecision, RawDiscard, RawHold, RawPlan, RawRun, RawSample, RawStep, Word,
};
use super::words::{line_at, override_names};

/// How many findings are worth telling; a plan of other inputs would have one per line.
const FINDINGS_MAX: usize = 20;

impl RawPlan {
    /// The plan, held against the snapshot of its inputs.
    ///
    /// # Errors
    /// Findings `P003`: the first twenty places where plan and inputs do not fit, with how many more there are.
    pub fn resolve(&self, snapshot: &Snapshot) -> Result<Plan, Vec<Finding>> {
        let mut findings = Findings::default();
        if self.slots != bounds(snapshot) {
            findings.add("the slots of the plan are not those of its inputs: `now` or the policy differs");
            return Err(findings.finish());
        }
        let resolver = Resolver::new(self, snapshot);
        let samples = resolver.samples(&mut findings);
        let visits = resolver.visits(&mut findings);
        let impossible = resolver.impossible(&mut findings);
        match samples {
            Some((lines, samples, steps)) if findings.count == 0 => Ok(Plan {
                rule: self.rule,
                lines: Table::new(lines),
                samples: Table::new(samples),
                steps,
                visits,
                impossible,
            }),
            _ => Err(findings.finish()),
        }
    }
}

/// The first findings, and how many there were.
#[derive(Default)]
struct Findings {
    told: Vec<Finding>,
    count: usize,
}

impl Findings {
    fn add(&mut self, message: impl Into<String>) {
        self.count += 1;
        if self.told.len() < FINDINGS_MAX {
            self.told.push(Finding::new(Code::PlanMismatch, message).at(FILE, 0, 0));
        }
    }

    fn finish(mut self) -> Vec<Finding> {
        let more = self.count - self.told.len();
        if more > 0 {
            let message = format!("{more} more places where the plan does not fit its inputs");
            self.told.push(Finding::new(Code::PlanMismatch, message).at(FILE, 0, 0));
        }
        self.told
    }
}

struct Resolver<'a> {
    raw: &'a RawPlan,
    snapshot: &'a Snapshot,
    tests: Vec<Option<TestIx>>,
    analysers: Vec<Option<AnalyserIx>>,
    sites: Vec<Option<SiteIx>>,
    couriers: Vec<Option<CourierIx>>,
    points: Vec<Option<CollectionPointIx>>,
    instants: Vec<Option<Instant>>,
    departures: BTreeMap<(CourierIx, Instant), DepartureIx>,
    overrides: BTreeMap<OverrideName, OverrideIx>,
}

/// Lines, samples and steps of a plan.
type Parts = (Vec<Disposition>, Vec<SamplePlan>, Vec<Step>);

impl<'a> Resolver<'a> {
    fn new(raw: &'a RawPlan, snapshot: &'a Snapshot) -> Self {
        let (network, words) = (&snapshot.network, &raw.body.words.list);
        fn by_code<'c, I: Copy>(words: &[Box<str>], codes: impl Iterator<Item = (I, &'c str)>) -> Vec<Option<I>> {
            // Backwards, so that of equal codes the first one counts, as everywhere.
            let known: BTreeMap<&str, I> =
                codes.collect::<Vec<_>>().into_iter().rev().map(|(ix, code)| (code, ix)).collect();
            words.iter().map(|word| known.get(&**word).copied()).collect()
        }
        let departures = snapshot.departures.enumerate().map(|(index, facts)| ((facts.courier, facts.leaves), index));
        let overrides = snapshot.overrides.all.indices().zip(override_names(&snapshot.overrides));
        Self {
            raw,
            snapshot,
            tests: by_code(words, snapshot.catalogue.tests.enumerate().map(|(ix, test)| (ix, test.code.as_str()))),
            analysers: by_code(words, network.analysers.enumerate().map(|(ix, facts)| (ix, facts.code.as_str()))),
            sites: by_code(words, network.sites.enumerate().map(|(ix, facts)| (ix, facts.code.as_str()))),
            couriers: by_code(words, network.couriers.enumerate().map(|(ix, facts)| (ix, facts.code.as_str()))),
            points: by_code(words, network.collection_points.enumerate().map(|(ix, facts)| (ix, facts.code.as_str()))),
            instants: words.iter().map(|word| instant(word)).collect(),
            departures: departures.collect(),
            overrides: overrides.map(|(index, name)| (name, index)).collect(),
        }
    }

    /// All samples with their lines and steps; `None` when they are not those of the inputs.
    fn samples(&self, findings: &mut Findings) -> Option<Parts> {
        let (backlog, body) = (&self.snapshot.backlog, &self.raw.body);
        if body.samples.len() != backlog.samples.len() || body.lines.len() != backlog.lines.len() {
            findings.add(format!(
                "the plan has {} samples with {} lines, its inputs have {} with {}",
                body.samples.len(),
                body.lines.len(),
                backlog.samples.len(),
                backlog.lines.len()
            ));
            return None;
        }
        let mut lines = Vec::with_capacity(body.lines.len());
        let mut samples = Vec::with_capacity(body.samples.len());
        let mut steps = Vec::with_capacity(body.steps.len());
        let (mut first_step, mut first_line) = (0, 0);
        for (sample, raw) in backlog.samples.indices().zip(&body.samples) {
            let accession = backlog.accession(sample);
            if body.texts.get(raw.accession) != accession {
                findings.add(format!("sample `{accession}` of the inputs is not in its place in the plan"));
                return None;
            }
            let raw_steps = &body.steps[first_step..raw.steps_end as usize];
            let raw_lines = &body.lines[first_line..raw.lines_end as usize];
            (first_step, first_line) = (raw.steps_end as usize, raw.lines_end as usize);
            let wrong = |what: &str| format!("sample `{accession}`: {what}");
            match self.sample(raw, raw_steps, &mut steps) {
                Ok(plan) => samples.push(plan),
                Err(what) => findings.add(wrong(what)),
            }
            match self.lines(sample, raw_lines, &mut lines) {
                Ok(()) => {}
                Err(what) => findings.add(wrong(what)),
            }
        }
        Some((lines, samples, steps))
    }

    fn sample(
        &self,
        raw: &RawSample,
        raw_steps: &[RawStep],
        steps: &mut Vec<Step>,
    ) -> Result<SamplePlan, &'static str> {
        let first_step = if raw_steps.is_empty() { 0 } else { steps.len() };
        for &step in raw_steps {
            steps.push(self.step(step)?);
        }
        let discard = match raw.discard {
            None => None,
            Some(RawDiscard::Expired) => Some(Discard::Expired),
            Some(RawDiscard::ImproperStorage) => Some(Discard::ImproperStorage),
            Some(RawDiscard::Override(by)) => Some(Discard::Override(self.override_(by)?)),
        };
        let recollection = match raw.recollection {
            None => None,
            Some((site, booked_in)) => {
                let site =
                    self.sites[site.0 as usize].ok_or("its new tube goes to a site that the network does not have")?;
                Some(Recollection { site, booked_in: self.slot(booked_in)? })
            }
        };
        Ok(SamplePlan {
            first_step: u32::try_from(first_step).map_err(|_| "it has too many steps")?,
            steps: u8::try_from(raw_steps.len()).map_err(|_| "it has more than 255 steps")?,
            discard,
            recollection,
        })
    }

    fn slot(&self, raw: u16) -> Result<SlotIx, &'static str> {
        slot(self.snapshot, raw).ok_or("a slot is beyond the horizon")
    }

    fn override_(&self, name: OverrideName) -> Result<OverrideIx, &'static str> {
        self.overrides.get(&name).copied().ok_or("an override is not in force in the inputs")
    }

    fn step(&self, step: RawStep) -> Result<Step, &'static str> {
        Ok(match step {
            RawStep::Spin(slot) => Step::Spin(self.slot(slot)?),
            RawStep::Refrigerate => Step::Refrigerate,
            RawStep::Freeze(slot) => Step::Freeze(self.slot(slot)?),
            RawStep::Thaw(slot) => Step::Thaw(self.slot(slot)?),
            RawStep::BookIn(slot) => Step::BookIn(self.slot(slot)?),
            RawStep::Aliquot(slot) => Step::Aliquot(self.slot(slot)?),
            RawStep::Send(Word(courier), Word(leaves)) => {
                let courier =
                    self.couriers[courier as usize].ok_or("it goes by a courier that the network does not have")?;
                let leaves = self.instants[leaves as usize].ok_or("the time of a departure cannot be read")?;
                let departure = self.departures.get(&(courier, leaves));
                Step::Send(*departure.ok_or("it goes by a departure that the timetable does not have")?)
            }
        })
    }

    fn lines(
        &self,
        sample: SampleIx,
        raw: &[(Word, RawDecision)],
        lines: &mut Vec<Disposition>,
    ) -> Result<(), &'static str> {
        let expected = self.snapshot.backlog.samples[sample].lines();
        if expected.len() != raw.len() {
            return Err("it does not have the lines of its inputs");
        }
        for (line, &(test, decision)) in expected.zip(raw) {
            if self.tests[test.0 as usize] != Some(self.snapshot.backlog.lines[line].test) {
                return Err("its tests are not those of the inputs");
            }
            lines.push(self.decision(decision)?);
        }
        Ok(())
    }

    fn decision(&self, raw: RawDecision) -> Result<Disposition, &'static str> {
        Ok(match raw {
            RawDecision::Run(run) => Disposition::Run(self.run(run)?),
            RawDecision::Recall(None) => Disposition::Recall(None),
            RawDecision::Recall(Some(run)) => Disposition::Recall(Some(self.run(run)?)),
            RawDecision::Superseded => Disposition::Cancel(Cancel::Superseded),
            RawDecision::Duplicate(of) => Disposition::Cancel(Cancel::Duplicate(self.line(of)?)),
            RawDecision::Hold(RawHold::Override(by)) => Disposition::Hold(Hold::Override(self.override_(by)?)),
            RawDecision::Hold(RawHold::Plain(word)) => Disposition::Hold(match word {
                0 => Hold::UnknownStability,
                1 => Hold::UnknownTime,
                3 => Hold::Waiting,
                4 => Hold::Irreplaceable,
                _ => Hold::NotRecallable,
            }),
        })
    }

    fn run(&self, raw: RawRun) -> Result<Run, &'static str> {
        let analyser = match raw.analyser {
            None => None,
            Some(word) => {
                Some(self.analysers[word.0 as usize].ok_or("it is run on an analyser that the network does not have")?)
            }
        };
        Ok(Run { analyser, slot: self.slot(raw.slot)?, reported: self.slot(raw.reported)? })
    }

    fn line(&self, name: LineName) -> Result<LineIx, &'static str> {
        let sample = self.snapshot.backlog.find_sample(self.raw.body.texts.get(name.accession));
        let line = sample.zip(self.tests[name.test.0 as usize]);
        line.and_then(|(sample, test)| line_at(self.snapshot, sample, test, name.before))
            .ok_or("it names a line that the inputs do not have")
    }

    fn visits(&self, findings: &mut Findings) -> Vec<Visit> {
        let mut visits: Vec<Visit> = Vec::with_capacity(self.raw.body.visits.len());
        for raw in &self.raw.body.visits {
            let patient = self.snapshot.backlog.find_patient(self.raw.body.texts.get(raw.patient));
            let point = self.points[raw.point.0 as usize];
            let day = self.raw.body.words.list[raw.day.0 as usize].parse::<NaiveDate>().ok().map(Day::from_date);
            match (patient, point, day) {
                (Some(patient), Some(point), Some(day)) if visits.last().is_none_or(|last| last.patient < patient) => {
                    visits.push(Visit { patient, point, day });
                }
                (Some(_), Some(_), Some(_)) => findings.add("a visit is out of order, or a patient has two"),
                (None, ..) => findings.add("a visit is of a patient that the inputs do not have"),
                (_, None, _) => findings.add("a visit is at a collection point that the network does not have"),
                (.., None) => findings.add("the day of a visit cannot be read"),
            }
        }
        visits
    }

    fn impossible(&self, findings: &mut Findings) -> Vec<Impossible> {
        let mut found = Vec::with_capacity(self.raw.body.impossible.len());
        for raw in &self.raw.body.impossible {
            match (self.override_(raw.override_), self.line(raw.line)) {
                (Ok(override_), Ok(line)) => found.push(Impossible { override_, line, reason: raw.reason.clone() }),
                (Err(what), _) | (_, Err(what)) => findings.add(format!("an override not kept: {what}")),
            }
        }
        found
    }
}
