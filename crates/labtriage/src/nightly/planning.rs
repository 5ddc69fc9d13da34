//! How does a night go, from reading the extract to publishing its plan?

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use labtriage_core::finding::{Code, Finding};
use labtriage_core::snapshot::Snapshot;
use labtriage_core::summary::Summary;
use labtriage_core::time::Instant;
use labtriage_core::units::Cost;
use labtriage_formats::digest;
use labtriage_formats::outputs::{OutputFolder, grouped};
use labtriage_formats::plan_json::{Bound, Input};
use labtriage_ledger::records::{Figures, Notice, Override, Published, Run, Sample};
use labtriage_ledger::states::LineState;
use labtriage_ledger::{Head, Ledger, LedgerError, Recorded, Writer};
use serde_json::json;

use super::decisions::{self, Decisions};
use super::inbox::Extract;
use super::journal::{Journal, Phase};
use super::known::{Known, open_states};
use super::nights::{CURRENT, FACTS, Facts, Nights, refused, unwritten};
use super::notices::Lines;
use super::record::{Changes, Recorder, Results, by_tube};
use crate::args::NightlyArguments;
use crate::commands::plan::{Asked, Written, options, write};
use crate::failure::{Failure, ONLY_FLOOR};
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
    /// Path and digest of every small file, as it was read.
    pub(crate) texts: Vec<(PathBuf, String)>,
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
        let read = self.sources.read(&Now::Known(self.now), self.arguments.max_quarantine, &bar, &mut timings);
        // Where the copy is not what was sent, what its rows seem to be is no news.
        self.is_as_sent(read.as_ref().ok())?;
        let mut night = read?;
        self.has_not_shrunk(&night, before)?;
        self.warn(&night);
        let results = by_tube(std::mem::take(&mut night.results));
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
        let planned = Planned { night: &night, written: &written, run: &run, published: &published, results: &results };
        let recorded = self.record(ledger, planned)?;
        journal.phase(Phase::Publish);
        self.nights.publish(&self.extract.night)?;
        journal.phase(Phase::Done);
        self.tell(&facts, &recorded, (&night, &written), journal);
        Ok(facts.exit)
    }

    /// Refuses an extract of which something else was read than its manifest says.
    fn is_as_sent(&self, night: Option<&Night>) -> Result<(), Vec<Finding>> {
        let streamed = night.into_iter().flat_map(Night::streamed);
        let read: Vec<(PathBuf, String)> = self.texts.iter().cloned().chain(streamed).collect();
        self.extract.is_as_read(&read, night.map(|night| night.rows_read))
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
    fn record(&self, ledger: &mut Ledger, planned: Planned<'_>) -> Result<Outcome, Failure> {
        for _ in 0..RECORD_TRIES {
            let head = ledger.head()?;
            let known = Known::of(ledger)?;
            let gone = gone(ledger, planned.night)?;
            if let Some(outcome) = self.record_after(ledger, &head, (&known, &gone), planned)? {
                return Ok(outcome);
            }
        }
        Err(LedgerError::Locked { address: ledger.address().to_string() }.into())
    }

    /// Records the night unless something was recorded after `head`. Samples go by one after the other: a million of
    /// them, twice, would not fit.
    fn record_after(
        &self,
        ledger: &mut Ledger,
        head: &Head,
        (known, gone): (&Known, &[String]),
        Planned { night, written, run, published, results }: Planned<'_>,
    ) -> Result<Option<Outcome>, Failure> {
        let snapshot = &night.snapshot;
        let plan = &written.made.plan;
        let recorder = Recorder { snapshot, plan, run: &run.digest, known, decisions: &self.decisions, results };
        let mut accessions: Vec<&str> = recorder.accessions().chain(gone.iter().map(String::as_str)).collect();
        accessions.sort_unstable();
        let mut seen = Seen::new(known, snapshot);
        ledger.write(self.now, |writer| {
            if writer.head() != head {
                return Ok(None);
            }
            writer.run(run)?;
            let recorded = writer.samples_after(accessions, |accession, before| {
                let after = recorder.next(accession, before)?;
                seen.sample(before, &after, recorder.is_gone(accession));
                Some(after)
            })?;
            let Seen { changes, happened, lines, wanted } = seen;
            let lines = with_others(lines, &wanted, writer)?;
            let notices = recorder.notices(&lines);
            let new_notices = new(known, &notices).count() as u64;
            let figures = figures_of(run, night, written, known, happened, &notices);
            let notices = writer.notices(&notices)?;
            let over = writer.end_overrides_that_ran_out()?;
            writer.published(published)?;
            writer.figures(&figures)?;
            Ok(Some(Outcome { recorded, notices, new_notices, first: !known.night, over, changes }))
        })
    }

    fn tell(&self, facts: &Facts, outcome: &Outcome, (night, written): (&Night, &Written), journal: &mut Journal) {
        if !self.arguments.quiet {
            terminal::findings(&night.not_kept(&written.made.plan));
        }
        for over in &outcome.over {
            let words = format!("the `{}` number {} has run out", over.action, over.id);
            journal.says("override ended", &words, json!({}));
        }
        let Outcome { recorded, notices, changes, .. } = outcome;
        let words = self.words(facts, outcome, &written.summary);
        let told = json!({
            "night": facts.night, "run": facts.run, "changed": true, "samples": facts.samples, "lines": facts.lines,
            "quarantined": facts.quarantined, "arrived": changes.arrived, "resulted": changes.resulted,
            "missing": changes.missing, "recorded_new": recorded.new, "recorded_changed": recorded.changed,
            "recorded_unchanged": recorded.unchanged, "notices": notices, "new_notices": outcome.new_notices,
        });
        journal.says("published", &words, told);
    }

    /// What somebody reads of the night in the morning: where the plan is, what is wrong, what has happened, and what
    /// waits for a person. What there is nothing of is left out.
    fn words(&self, facts: &Facts, outcome: &Outcome, summary: &Summary) -> String {
        let current = self.arguments.out.join(CURRENT);
        let Outcome { changes: Changes { arrived, resulted, missing }, new_notices, first, .. } = *outcome;
        let discards = summary.samples.discards();
        let (all, floor) = (summary.all_bands(), facts.exit == ONLY_FLOOR);
        let mut words = format!(
            "the night of {} is published: {} samples with {} lines, in {}",
            facts.night,
            grouped(facts.samples),
            grouped(facts.lines),
            current.display()
        );
        let mut add = |is: bool, line: String| {
            if is {
                words.push_str("\n  ");
                words.push_str(&line);
            }
        };
        let law = "a plan of ours broke a law and was dropped: this is the greedy one, which is lawful; report the bug";
        add(floor, law.to_owned());
        let at_risk = grouped(all.not_met);
        add(all.not_met > 0, format!("LINES OF STRICT BANDS AT RISK: {at_risk}; `summary.txt` begins with them"));
        let since = format!("{} arrived, {} have all their results", grouped(arrived), grouped(resulted));
        add(!first, format!("samples since the night before: {since}, {} are missing", grouped(missing)));
        let look = "they left the extract without a result: look for the tubes, or for their results";
        add(missing > 0, format!("samples missing: {}; {look}", grouped(missing)));
        let aside = grouped(facts.quarantined);
        add(facts.quarantined > 0, format!("rows set aside: {aside}; `quarantine.csv` says what to mend in the LIMS"));
        let (patients, new) = (grouped(summary.recalled_patients), grouped(new_notices));
        let calls = format!(
            "patients to call back: {patients}, new notices: {new}; `labtriage recalls export` writes the lists"
        );
        add(summary.recalled_patients > 0, calls);
        let proposed = grouped(discards);
        add(discards > 0, format!("proposed discards: {proposed}; `labtriage discards list` says who must decide"));
        let held = all.held.total() - all.held.waiting;
        add(held > 0, format!("lines held for a person: {}; `holds.csv` says why", grouped(held)));
        words
    }
}

/// A night that is planned and written, to be recorded.
#[derive(Clone, Copy)]
struct Planned<'a> {
    night: &'a Night,
    written: &'a Written,
    run: &'a Run,
    published: &'a Published,
    results: &'a Results,
}

/// Accessions of samples of which something is still to come, and which the extract does not have any more. A row that
/// was set aside is in the extract, though nobody could read it.
fn gone(ledger: &mut Ledger, night: &Night) -> Result<Vec<String>, LedgerError> {
    let set_aside: BTreeSet<&str> = night.quarantine.iter().map(|row| row.accession.as_str()).collect();
    let backlog = &night.snapshot.backlog;
    let mut gone = Vec::new();
    ledger.each_in(&open_states(), |accession, _| {
        if backlog.find_sample(accession).is_none() && !set_aside.contains(accession) {
            gone.push(accession.to_owned());
        }
    })?;
    Ok(gone)
}

/// What is kept of the samples that go by.
struct Seen<'a> {
    changes: Changes,
    /// On the first night nothing is known of what happened before.
    happened: Option<Happened>,
    /// Lines of the samples that open notices want something of.
    lines: Lines,
    wanted: BTreeSet<&'a str>,
}

impl<'a> Seen<'a> {
    fn new(known: &'a Known, snapshot: &Snapshot) -> Self {
        let happened = known.night.then(|| Happened::new(snapshot));
        Self { changes: Changes::default(), happened, lines: Lines::new(), wanted: known.wanted() }
    }

    fn sample(&mut self, before: Option<&Sample>, after: &Sample, gone: bool) {
        self.changes.count(before, after, gone);
        if let Some(happened) = &mut self.happened {
            happened.sample(before, after);
        }
        if self.wanted.contains(after.accession.as_str()) {
            self.lines.insert(after.accession.clone(), states(after));
        }
    }
}

fn states(sample: &Sample) -> Vec<(String, LineState)> {
    sample.lines.iter().map(|line| (line.test.clone(), line.state)).collect()
}

/// With the lines of the wanted samples that did not go by: they are closed, or their rows were set aside.
fn with_others(mut lines: Lines, wanted: &BTreeSet<&str>, writer: &mut Writer<'_>) -> Result<Lines, LedgerError> {
    for &accession in wanted {
        if !lines.contains_key(accession)
            && let Some(sample) = writer.sample(accession)?
        {
            lines.insert(accession.to_owned(), states(&sample));
        }
    }
    Ok(lines)
}

/// The notices that were not there before this night.
fn new<'a>(known: &'a Known, notices: &'a [Notice]) -> impl Iterator<Item = &'a Notice> {
    let before: BTreeSet<&str> = known.notices.iter().map(|notice| notice.id.as_str()).collect();
    notices.iter().filter(move |notice| !before.contains(notice.id.as_str()))
}

fn figures_of(
    run: &Run,
    night: &Night,
    written: &Written,
    known: &Known,
    mut happened: Option<Happened>,
    notices: &[Notice],
) -> Figures {
    if let Some(happened) = &mut happened {
        new(known, notices).for_each(|notice| happened.new_notice(notice));
    }
    figures(&run.digest, &night.snapshot, &written.made.plan, &written.summary, happened.as_ref())
}

/// What was recorded.
struct Outcome {
    recorded: Recorded,
    /// Notices that were recorded, new or changed.
    notices: u64,
    new_notices: u64,
    /// No night was published before.
    first: bool,
    over: Vec<Override>,
    changes: Changes,
}

fn of_output(failure: Failure) -> Failure {
    match failure {
        Failure::Output(error) => unwritten(error),
        other => other,
    }
}
