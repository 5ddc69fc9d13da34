//! `labtriage plan`: the main job, from files to files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use labtriage_core::finding::{Code, Finding};
use labtriage_core::plan::Rule;
use labtriage_core::snapshot::Snapshot;
use labtriage_core::summary::Summary;
use labtriage_formats::outputs::{
    Extras, FolderKind, OutputFolder, Outputs, summary_json, summary_text, write_outputs,
};
use labtriage_formats::plan_json::{Bound, Document, StatedFairness};

use crate::args::{PlanArguments, RuleName, SearchArguments};
use crate::failure::{Failure, ONLY_FLOOR, STRICT_NOT_MET};
use crate::inputs::{Night, Now, Sources};
use crate::making::{Made, Search, by_prices, by_rule};
use crate::terminal::{self, Bar, Timings};

/// Plans a backlog; returns the exit code.
pub(crate) fn plan(arguments: &PlanArguments) -> Result<u8, Failure> {
    let mut timings = Timings::start();
    let bar = Bar::new(arguments.output.quiet);
    let sources = Sources::find(&arguments.input.input, arguments.input.config.as_deref())?;
    let out = arguments.out.clone().unwrap_or_else(|| default_out(&arguments.input.input));
    let previous = arguments.previous.as_deref();
    let sources = sources.after(previous);
    refuse_to_replace(previous, &out)?;
    // Refused before an hour of planning, not after.
    let folder = OutputFolder::create(&out, FolderKind::Plan)?;
    if folder.swept() > 0 && !arguments.output.quiet {
        let (count, place) = (folder.swept(), out.display());
        terminal::words(&format!("deleted {count} hidden folders that killed runs had left beside {place}"));
    }
    let now = Now::Typed(arguments.input.now.as_deref());
    let night = sources.read(&now, arguments.input.max_quarantine, &bar, &mut timings)?;
    let asked = Asked { search: &arguments.search, max_quarantine: arguments.input.max_quarantine };
    let written = write(&night, asked, &folder, &out, &bar, &mut timings)?;
    folder.finish()?;
    bar.clear();
    timings.phase("write");
    show(arguments, &night, &written, &out)?;
    if arguments.timings {
        timings.print();
    }
    Ok(written.exit_code())
}

/// The options that have a say in a plan.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) search: &'a SearchArguments,
    pub(crate) max_quarantine: f64,
}

/// A plan that was made and written, and what there is to say of it.
pub(crate) struct Written {
    pub(crate) made: Made,
    pub(crate) summary: Summary,
    words: String,
    extras: Extras,
}

impl Written {
    /// What the plan tells a script.
    pub(crate) fn exit_code(&self) -> u8 {
        exit_code(self.made.only_floor, self.summary.all_bands().not_met)
    }
}

/// Plans a night and writes every file into a folder in the making, which will stand at `out`.
pub(crate) fn write(
    night: &Night,
    asked: Asked<'_>,
    folder: &OutputFolder,
    out: &Path,
    bar: &Bar,
    timings: &mut Timings,
) -> Result<Written, Failure> {
    let made = make(&night.snapshot, asked.search, bar, timings)?;
    let summary = Summary::of(&night.snapshot, &made.plan, made.cost, Some(made.fifo));
    let quarantined = night.quarantine.len() as u64;
    let bound = made.bound.as_ref().map(Bound::total);
    let Made { band_edf, extra_cost, .. } = made;
    let extras = Extras { rule: made.plan.rule, quarantined, band_edf, bound, extra_cost };
    let words = summary_text(&summary, &night.snapshot, extras);
    let document = document(night, &made, &summary, out, asked);
    bar.phase("writing", 1);
    let outputs = Outputs {
        snapshot: &night.snapshot,
        plan: &made.plan,
        document: &document,
        summary: &words,
        quarantine: &night.quarantine,
    };
    write_outputs(folder, &outputs)?;
    Ok(Written { made, summary, words, extras })
}

/// What the plan that was made tells a script; that only the floor is left is the worst of it.
const fn exit_code(only_floor: bool, not_met: u64) -> u8 {
    match (only_floor, not_met) {
        (true, _) => ONLY_FLOOR,
        (false, 0) => 0,
        (false, _) => STRICT_NOT_MET,
    }
}

fn make(snapshot: &Snapshot, asked: &SearchArguments, bar: &Bar, timings: &mut Timings) -> Result<Made, Failure> {
    match asked.rule {
        Some(rule) => by_rule(snapshot, rule.rule(), bar, timings),
        None => {
            let search = Search { began: Instant::now(), limit: asked.time_limit, gap: asked.gap };
            by_prices(snapshot, &search, bar, timings)
        }
    }
}

/// The options of the run that have a say in the plan.
pub(crate) fn options(asked: Asked<'_>) -> BTreeMap<String, String> {
    let Asked { search, max_quarantine } = asked;
    let rule = search.rule.map_or(Rule::Priced, RuleName::rule);
    let mut options = BTreeMap::from([
        ("rule".to_owned(), rule.text().to_owned()),
        ("max-quarantine".to_owned(), max_quarantine.to_string()),
    ]);
    if rule == Rule::Priced {
        options.insert("gap".to_owned(), search.gap.to_string());
        let limit = search.time_limit.map(|limit| limit.as_secs_f64().to_string());
        options.extend(limit.map(|limit| ("time-limit".to_owned(), limit)));
    }
    options
}

fn document(night: &Night, made: &Made, summary: &Summary, out: &Path, asked: Asked<'_>) -> Document {
    let fairness = summary.fairness.as_ref();
    Document {
        program: concat!("labtriage ", env!("CARGO_PKG_VERSION")).to_owned(),
        options: options(asked),
        inputs: night.inputs_for(out),
        cost: made.cost,
        fifo: Some(made.fifo.total()),
        own: made.band_edf.unwrap_or_else(|| made.cost.total()),
        bound: made.bound.clone(),
        fairness: fairness.map(|found| StatedFairness::new(&night.snapshot, found, made.extra_cost)),
        stopped: made.stopped.clone(),
        quarantined: night.quarantine.len() as u64,
    }
}

fn show(arguments: &PlanArguments, night: &Night, written: &Written, out: &Path) -> Result<(), Failure> {
    let Written { made, summary, words, extras } = written;
    if arguments.output.quiet {
        return Ok(());
    }
    terminal::findings(&night.warnings);
    terminal::findings(&night.not_kept(&made.plan));
    if arguments.output.json {
        let json = summary_json(summary, &night.snapshot, *extras).map_err(|error| Failure::Bug(error.to_string()))?;
        terminal::data(&format!("{json}\n"));
    } else {
        terminal::data(words);
    }
    terminal::words(&format!("the plan is in {}", out.display()));
    Ok(())
}

/// The published plan must stay for `check --plan`, which reads it again.
fn refuse_to_replace(previous: Option<&Path>, out: &Path) -> Result<(), Failure> {
    let real = |path: &Path| path.canonicalize().ok();
    let same = previous.is_some_and(|previous| real(previous).is_some() && real(previous) == real(out));
    if same {
        let message = "the previous plan is in the folder that this plan would replace";
        return Err(Finding::new(Code::WrongValue, message).hint("give another folder with `--out`").into());
    }
    Ok(())
}

/// `plan` inside a folder, `<name>-plan` beside a CSV.
fn default_out(input: &Path) -> PathBuf {
    if input.is_dir() {
        return input.join("plan");
    }
    let stem = input.file_stem().map_or_else(|| "backlog".into(), |stem| stem.to_string_lossy().into_owned());
    input.with_file_name(format!("{stem}-plan"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_tell_the_floor_from_strict_lines_that_are_not_met() {
        assert_eq!([exit_code(false, 0), exit_code(false, 2), exit_code(true, 0), exit_code(true, 2)], [0, 1, 3, 3]);
    }
}
