//! How does a night go, from reading the extract to publishing its plan?

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;

use labtriage_core::finding::{Code, Finding};
use labtriage_core::time::Instant;
use labtriage_core::units::Cost;
use labtriage_formats::digest;
use labtriage_formats::manifest::BACKLOG;
use labtriage_formats::outputs::OutputFolder;
use labtriage_formats::plan_json::{Bound, Input};
use labtriage_ledger::records::{Notice, Override, Published, Run, Sample};
use labtriage_ledger::{Head, Ledger, LedgerError, Recorded};
use serde_json::json;

use super::decisions::{self, Decisions};
use super::inbox::Extract;
use super::journal::{Journal, Phase};
use super::known::Known;
use super::nights::{FACTS, Facts, Nights, refused, unwritten};
use super::record::{Changes, Recorder, Results, by_tube};
use crate::args::NightlyArguments;
use crate::commands::plan::{Asked, Written, options, write};
use crate::failure::Failure;
use crate::figures::{Happened, figures};
use crate::inputs::{Night, Now, Sources};
use crate::terminal::{self, Bar, Timings};

/// How often the ledger is read again because somebody has recorded something meanwhile.
const RECORD_TRIES: usize = 10;

/// A night in the making.
pub(crate) struct Planning<'a> {
    pub(crate) arguments: &'a NightlyArguments,
    pub(crate) nights: &'a Nights,
    pub(crate) extract: &'a Extract,
    pub(crate) sources: &'a Sources,
    pub(crate) now: Instant,
    pub(crate) decisions: Decisions,
}

impl Planning<'_> {
    /// Plans, publishes and records; returns the exit code.
    pub(crate) fn night(
        &self,
        ledger: &mut Ledger,
        before: Option<&Facts>,
        journal: &mut Journal,
    ) -> Result<u8, Failure> {
        // Refused before an hour of planning, not after.
        let folder = self.nights.begin(&self.extract.night)?;
        journal.phase(Phase::Read);
        let (bar, mut timings) = (Bar::new(self.arguments.quiet), Timings::start());
        let night = self.sources.read(&Now::Known(self.now), self.arguments.max_quarantine, &bar, &mut timings)?;
        self.is_as_verified(&night)?;
        self.has_not_shrunk(&night, before)?;
        self.warn(&night);
        let results = self.results(&night)?;
        journal.phase(Phase::Plan);
        let out = self.nights.folder(&self.extract.night);
        let asked = Asked { search: &self.arguments.search, max_quarantine: self.arguments.max_quarantine };
        let written = write(&night, asked, &folder, &out, &bar, &mut timings).map_err(of_output)?;
        bar.clear();
        journal.phase(Phase::Write);
        let run = self.run(&night, &written, asked, &out);
        let facts = self.facts(&run, &written);
        self.write_own(&folder, &facts)?;
        folder.finish().map_err(unwritten)?;
        let plan = self.nights.settle(&self.extract.night)?;
        journal.phase(Phase::Record);
        let published = Published { run: run.digest.clone(), plan, folder: self.extract.night.clone() };
        let recorded = self.record(ledger, &night, &written, &run, &published, &results)?;
        journal.phase(Phase::Publish);
        self.nights.publish(&self.extract.night)?;
        journal.phase(Phase::Done);
        self.tell(&facts, &recorded, journal);
        Ok(facts.exit)
    }

    /// Refuses an extract that was changed between checking and reading it.
    fn is_as_verified(&self, night: &Night) -> Result<(), Finding> {
        let inputs = night.inputs_for(Path::new("."));
        let read = inputs.iter().find(|input| input.role == "backlog").map(|input| input.sha256.as_str());
        if read == self.extract.stated(BACKLOG) {
            return Ok(());
        }
        let finding = Finding::new(Code::ExtractDiffers, "it was changed while it was read");
        Err(finding.at(&self.extract.folder.join(BACKLOG).display().to_string(), 0, 0).hint("run again"))
    }

    /// Refuses an extract that has lost too many of the samples of the night before.
    fn has_not_shrunk(&self, night: &Night, before: Option<&Facts>) -> Result<(), Finding> {
        let Some(before) = before else { return Ok(()) };
        let samples = night.snapshot.backlog.samples.len() as u64;
        let least = before.samples as f64 * (1.0 - self.arguments.max_drop / 100.0);
        if samples as f64 >= least {
            return Ok(());
        }
        let message = format!(
            "it holds {samples} samples, the night of {} held {}; expected at least {:.0}",
            before.night,
            before.samples,
            least.ceil()
        );
        let finding = Finding::new(Code::ExtractShrunk, message).at(&self.extract.folder.display().to_string(), 0, 0);
        Err(finding.hint("look at the extract; if it is right, run once with a larger `--max-drop`"))
    }

    /// The first warning of each kind, and how many more there are. That a hold of the ledger is about a sample
    /// that has gone is no news.
    fn warn(&self, night: &Night) {
        if self.arguments.quiet {
            return;
        }
        let ours = |finding: &&Finding| {
            finding.code == Code::OverrideUnmatched
                && finding.place.as_ref().is_some_and(|place| place.line >= self.decisions.first_hold)
        };
        let mut by_code: BTreeMap<Code, (Finding, u64)> = BTreeMap::new();
        for finding in night.warnings.iter().filter(|finding| !ours(finding)) {
            by_code.entry(finding.code).or_insert_with(|| (finding.clone(), 0)).1 += 1;
        }
        let told = by_code.into_values().map(|(mut first, count)| {
            if count > 1 {
                first.message = format!("{} ({} more of {})", first.message, count - 1, first.code.text());
            }
            first
        });
        terminal::findings(&told.collect::<Vec<_>>());
    }

    fn results(&self, night: &Night) -> Result<Results, Failure> {
        let Some(path) = &self.sources.results else { return Ok(Results::new()) };
        Ok(by_tube(self.sources.results_at(path, &night.snapshot, self.now)?.rows))
    }

    /// The run, named by everything that it was made from.
    fn run(&self, night: &Night, written: &Written, asked: Asked<'_>, out: &Path) -> Run {
        let inputs = night.inputs_for(out).into_iter().map(|Input { role, sha256, .. }| (role, sha256));
        let mut inputs: Vec<(String, String)> = inputs.collect();
        inputs.push(("manifest".to_owned(), self.extract.digest.clone()));
        inputs.sort();
        let mut options: Vec<(String, String)> = options(asked).into_iter().collect();
        options.push(("night".to_owned(), self.extract.night.clone()));
        options.sort();
        let pairs = inputs.iter().chain(&options).map(|(name, value)| format!("{name}={value}\n"));
        let named: String = pairs.chain([format!("now={}\n", self.now)]).collect();
        let made = &written.made;
        Run {
            digest: digest::of_bytes(named.as_bytes()),
            now: self.now,
            inputs,
            options,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            cost: made.cost.total().thousandths(),
            bound: made.bound.as_ref().map(Bound::total).map(Cost::thousandths),
            stop: made.stopped.why.clone(),
            samples: made.plan.samples.len() as u64,
            lines: made.plan.lines.len() as u64,
            quarantined: night.quarantine.len() as u64,
        }
    }

    fn facts(&self, run: &Run, written: &Written) -> Facts {
        Facts {
            night: self.extract.night.clone(),
            extract: self.extract.digest.clone(),
            run: run.digest.clone(),
            exit: written.exit_code(),
            samples: run.samples,
            lines: run.lines,
            quarantined: run.quarantined,
        }
    }

    /// The files that only a night has: what it says of itself, and the overrides that it was made with.
    fn write_own(&self, folder: &OutputFolder, facts: &Facts) -> Result<(), Failure> {
        let facts = serde_json::to_string(facts).map_err(|error| Failure::Bug(error.to_string()))?;
        let overrides = self.decisions.file.as_ref().map(|file| (decisions::FILE, file.file.text.clone()));
        for (name, text) in [Some((FACTS, format!("{facts}\n"))), overrides].into_iter().flatten() {
            let mut file = folder.file(name).map_err(unwritten)?;
            file.write_all(text.as_bytes()).map_err(refused("write", Path::new(name)))?;
        }
        Ok(())
    }

    /// Records everything of the night in one transaction. Planning takes its time, and so may waiting for another
    /// writer: what people have decided meanwhile is read again until nothing comes between.
    fn record(
        &self,
        ledger: &mut Ledger,
        night: &Night,
        written: &Written,
        run: &Run,
        published: &Published,
        results: &Results,
    ) -> Result<Outcome, Failure> {
        for _ in 0..RECORD_TRIES {
            let head = ledger.head()?;
            let known = Known::of(ledger, self.now)?.with_closed(ledger, &night.snapshot.backlog)?;
            let outcome = self.record_after(ledger, &head, &known, (night, written, run, published), results)?;
            if let Some(outcome) = outcome {
                return Ok(outcome);
            }
        }
        Err(LedgerError::Locked { address: ledger.address().to_string() }.into())
    }

    /// Records the night unless something was recorded after `head`.
    fn record_after(
        &self,
        ledger: &mut Ledger,
        head: &Head,
        known: &Known,
        (night, written, run, published): (&Night, &Written, &Run, &Published),
        results: &Results,
    ) -> Result<Option<Outcome>, LedgerError> {
        let set_aside: BTreeSet<&str> = night.quarantine.iter().map(|entry| entry.accession.as_str()).collect();
        let recorder = Recorder {
            snapshot: &night.snapshot,
            plan: &written.made.plan,
            run: &run.digest,
            known,
            decisions: &self.decisions,
            results,
            set_aside: &set_aside,
        };
        let (samples, changes) = recorder.samples();
        let notices = recorder.notices(&samples);
        let happened = happened(night, known, &samples, &notices);
        let figures = figures(&run.digest, &night.snapshot, &written.made.plan, &written.summary, happened.as_ref());
        ledger.write(self.now, |writer| {
            if writer.head() != head {
                return Ok(None);
            }
            writer.run(run)?;
            let recorded = writer.samples(samples.into_values())?;
            let notices = writer.notices(&notices)?;
            let over = writer.end_overrides_that_ran_out()?;
            writer.published(published)?;
            writer.figures(&figures)?;
            Ok(Some(Outcome { recorded, notices, over, changes }))
        })
    }

    fn tell(&self, facts: &Facts, outcome: &Outcome, journal: &mut Journal) {
        for over in &outcome.over {
            let words = format!("the `{}` number {} has run out", over.action, over.id);
            journal.says("override ended", &words, json!({}));
        }
        let Outcome { recorded, notices, changes, .. } = outcome;
        let words = format!(
            "the night of {} is published: {} samples, {} lines; {} arrived, {} resulted, {} missing; {} set aside",
            facts.night,
            facts.samples,
            facts.lines,
            changes.arrived,
            changes.resulted,
            changes.missing,
            facts.quarantined
        );
        let told = json!({
            "night": facts.night, "run": facts.run, "changed": true, "samples": facts.samples, "lines": facts.lines,
            "quarantined": facts.quarantined, "arrived": changes.arrived, "resulted": changes.resulted,
            "missing": changes.missing, "recorded_new": recorded.new, "recorded_changed": recorded.changed,
            "recorded_unchanged": recorded.unchanged, "notices": notices,
        });
        journal.says("published", &words, told);
    }
}

/// What happened since the night before; on the first one nothing is known of it.
fn happened(night: &Night, known: &Known, samples: &BTreeMap<String, Sample>, notices: &[Notice]) -> Option<Happened> {
    if known.samples.is_empty() && known.notices.is_empty() {
        return None;
    }
    let mut happened = Happened::new(&night.snapshot);
    for sample in samples.values() {
        happened.sample(known.samples.get(&sample.accession), sample);
    }
    let numbers: BTreeSet<&str> = known.notices.iter().map(|notice| notice.id.as_str()).collect();
    for notice in notices.iter().filter(|notice| !numbers.contains(notice.id.as_str())) {
        happened.new_notice(notice);
    }
    Some(happened)
}

/// What was recorded.
struct Outcome {
    recorded: Recorded,
    notices: u64,
    over: Vec<Override>,
    changes: Changes,
}

fn of_output(failure: Failure) -> Failure {
    match failure {
        Failure::Output(error) => unwritten(error),
        other => other,
    }
}
