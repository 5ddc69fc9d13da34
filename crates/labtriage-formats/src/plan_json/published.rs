//! What has a plan file published for the lines of another night? Runs, found again by accession and test.

use std::collections::BTreeMap;

use labtriage_core::published::PublishedRun;
use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::{AnalyserIx, LineIx, TestIx};

use super::read::{RawDecision, RawPlan, RawRun, Word};
use super::words::line_at;

impl RawPlan {
    /// The runs on analysers that this plan decided for lines of a snapshot, in order of this plan.
    ///
    /// Whatever is not found again (a sample that has gone, a panel that has been split since, an
    /// analyser that has been given up) is simply not published.
    pub fn published(&self, snapshot: &Snapshot) -> Vec<(LineIx, PublishedRun)> {
        let finder = Finder::new(self, snapshot);
        let mut found = Vec::new();
        let mut first = 0;
        for raw in &self.body.samples {
            let lines = &self.body.lines[first..raw.lines_end as usize];
            first = raw.lines_end as usize;
            let Some(sample) = snapshot.backlog.find_sample(self.body.texts.get(raw.accession)) else { continue };
            for (n, &(test, decision)) in lines.iter().enumerate() {
                let RawDecision::Run(run) = decision else { continue };
                let (Some(run), Some(test_ix)) = (finder.run(run), finder.tests[test.0 as usize]) else { continue };
                let before = lines[..n].iter().filter(|(other, _)| *other == test).count();
                let line = line_at(snapshot, sample, test_ix, u16::try_from(before).unwrap_or(u16::MAX));
                found.extend(line.map(|line| (line, run)));
            }
        }
        found
    }
}

/// The words of a plan file as tests and analysers of a snapshot.
struct Finder<'a> {
    raw: &'a RawPlan,
    tests: Vec<Option<TestIx>>,
    analysers: Vec<Option<AnalyserIx>>,
}

impl<'a> Finder<'a> {
    fn new(raw: &'a RawPlan, snapshot: &Snapshot) -> Self {
        let (tests, analysers) = (&snapshot.catalogue.tests, &snapshot.network.analysers);
        let tests: BTreeMap<&str, TestIx> =
            tests.enumerate().map(|(index, test)| (test.code.as_str(), index)).collect();
        let analysers: BTreeMap<&str, AnalyserIx> =
            analysers.enumerate().map(|(index, facts)| (facts.code.as_str(), index)).collect();
        let words = &raw.body.words.list;
        Self {
            raw,
            tests: words.iter().map(|word| tests.get(&**word).copied()).collect(),
            analysers: words.iter().map(|word| analysers.get(&**word).copied()).collect(),
        }
    }

    /// A run on an analyser that is still there; the grid that its slot is of is the plan's own.
    fn run(&self, run: RawRun) -> Option<PublishedRun> {
        let Word(analyser) = run.analyser?;
        let bounds = self.raw.slots.get(usize::from(run.slot)..)?;
        let &[starts, ends, ..] = bounds else { return None };
        Some(PublishedRun { analyser: self.analysers[analyser as usize]?, starts, ends })
    }
}
