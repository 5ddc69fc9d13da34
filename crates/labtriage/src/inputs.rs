//! Which files is a night made of, and what do they hold? From paths to a snapshot.

use std::fs::File;
use std::path::{Path, PathBuf};

use labtriage_core::duplicates::ResultRow;
use labtriage_core::finding::{Code, Finding};
use labtriage_core::plan::Plan;
use labtriage_core::snapshot::{Inputs, Snapshot};
use labtriage_core::time::{Instant, LocalInstant, Zone};
use labtriage_formats::config::defaults::{self, Configuration, SourcedFile};
use labtriage_formats::config::{overrides, quantity};
use labtriage_formats::digest::Digesting;
use labtriage_formats::extract::{Context, QuarantinedRow, check_quarantine, read_extract};
use labtriage_formats::import::Import;
use labtriage_formats::outputs::QuarantineEntry;
use labtriage_formats::plan_json::{self, Header, Input, RawPlan, read_plan};
use labtriage_formats::results::{Results, read_results};
use labtriage_formats::scenario;

use crate::failure::Failure;
use crate::terminal::{Bar, Timings};

/// How a built-in configuration file is named in a plan.
const EMBEDDED: &str = "embedded";

/// The file of overrides in a scenario folder.
const OVERRIDES: &str = "overrides.toml";

/// The results that are there, in a scenario folder.
const RESULTS: &str = "results.csv";

/// The files of a run.
pub(crate) struct Sources {
    pub(crate) backlog: PathBuf,
    pub(crate) results: Option<PathBuf>,
    pub(crate) overrides: Option<SourcedFile>,
    pub(crate) scenario: Option<SourcedFile>,
    /// The plan file of an earlier night.
    previous: Option<PathBuf>,
    pub(crate) configuration: Configuration,
}

/// What the files hold.
pub(crate) struct Night {
    pub(crate) snapshot: Snapshot,
    pub(crate) quarantine: Vec<QuarantineEntry>,
    /// Warnings to show: of the rows, by code with their number, then of everything else.
    pub(crate) warnings: Vec<Finding>,
    pub(crate) rows_read: u64,
    /// Results that are already there.
    pub(crate) results: Vec<ResultRow>,
    inputs: Vec<(&'static str, Option<PathBuf>, String)>,
    /// The file of overrides, as the user named it.
    overrides_name: Option<String>,
}

/// The moment of planning.
pub(crate) enum Now<'a> {
    /// As typed; else the scenario's; else the clock's.
    Typed(Option<&'a str>),
    /// As a plan says.
    Known(Instant),
}

fn unreadable(path: &Path, why: &str) -> Finding {
    Finding::new(Code::FileUnreadable, why).at(&path.display().to_string(), 0, 0)
}

impl Sources {
    /// The files of a scenario folder, or a backlog with the configuration beside the defaults.
    pub(crate) fn find(input: &Path, config: Option<&Path>) -> Result<Self, Failure> {
        if input.is_dir() {
            let backlog = input.join("backlog.csv");
            if !backlog.is_file() {
                let finding = unreadable(&backlog, "there is no backlog here");
                return Err(finding.hint("a scenario folder holds at least a `backlog.csv`").into());
            }
            let beside = |name: &str| Some(input.join(name)).filter(|path| path.is_file());
            let text = |name: &str| beside(name).map(|path| defaults::from_path(&path)).transpose();
            return Ok(Self {
                backlog,
                results: beside(RESULTS),
                overrides: text(OVERRIDES)?,
                scenario: text(scenario::FILE_NAME)?,
                previous: None,
                configuration: defaults::load(config, Some(input))?,
            });
        }
        if !input.is_file() {
            return Err(unreadable(input, "no such file or folder").into());
        }
        let configuration = defaults::load(config, None)?;
        let backlog = input.to_owned();
        Ok(Self { backlog, results: None, overrides: None, scenario: None, previous: None, configuration })
    }

    /// With the plan that an earlier night has published, by its folder.
    pub(crate) fn after(self, previous: Option<&Path>) -> Self {
        Self { previous: previous.map(|folder| folder.join(plan_json::FILE)), ..self }
    }

    /// Path and digest of every file that is read at once.
    pub(crate) fn texts(&self) -> Vec<(PathBuf, String)> {
        let Configuration { catalogue, network, policy, import } = &self.configuration;
        let texts = [&self.overrides, &self.scenario].into_iter().flatten().chain([catalogue, network, policy, import]);
        texts.map(|file| (PathBuf::from(&file.origin), file.digest.clone())).collect()
    }

    /// The files that a plan names, each checked against its digest.
    pub(crate) fn of_plan(out: &Path, header: &Header) -> Result<Self, Failure> {
        let mut findings = Vec::new();
        let input = |role: &str| header.document.inputs.iter().find(|input| input.role == role);
        let mut text = |role: &str, shipped: Option<&str>| -> Option<SourcedFile> {
            let named = input(role)?;
            let read = match (named.path.as_str(), shipped) {
                (EMBEDDED, Some(shipped)) => Ok(defaults::built_in(&format!("{role}.toml"), shipped)),
                (path, _) => defaults::from_path(&out.join(path)),
            };
            let file = read.map_err(|finding| findings.push(finding)).ok()?;
            if file.digest != named.sha256 {
                findings.push(changed(named));
            }
            Some(file)
        };
        let configuration = [
            text("catalogue", Some(defaults::CATALOGUE)),
            text("network", Some(defaults::NETWORK)),
            text("policy", Some(defaults::POLICY)),
            text("import", Some(defaults::IMPORT)),
        ];
        let overrides = text("overrides", None);
        if !findings.is_empty() {
            return Err(findings.into());
        }
        let [Some(catalogue), Some(network), Some(policy), Some(import)] = configuration else {
            return Err(Finding::new(Code::PlanUnreadable, "the plan does not name all its configuration files").into());
        };
        let Some(backlog) = input("backlog") else {
            return Err(Finding::new(Code::PlanUnreadable, "the plan does not name its backlog").into());
        };
        Ok(Self {
            backlog: out.join(&backlog.path),
            results: input("results").map(|results| out.join(&results.path)),
            overrides,
            scenario: None,
            previous: input("previous").map(|previous| out.join(&previous.path)),
            configuration: Configuration { catalogue, network, policy, import },
        })
    }

    /// Reads everything and cross-checks it.
    pub(crate) fn read(
        &self,
        now: &Now<'_>,
        max_quarantine: f64,
        bar: &Bar,
        timings: &mut Timings,
    ) -> Result<Night, Failure> {
        let (catalogue, network, policy) = self.configuration.read()?;
        let import = self.import()?;
        let now = self.now(now, network.zone)?;
        let open = |path: &Path| {
            File::open(path).map_err(|error| unreadable(path, &format!("cannot read this file: {}", error.kind())))
        };
        let file = open(&self.backlog)?;
        bar.phase("reading", file.metadata().map_or(0, |facts| facts.len()));
        let progress = |bytes: u64| bar.at(bytes);
        let context = Context {
            import: &import,
            catalogue: &catalogue,
            network: &network,
            policy: &policy,
            now,
            progress: Some(&progress),
        };
        let name = file_name(&self.backlog);
        let extract = read_extract(file, &name, &context)?;
        let mut quarantine = Vec::new();
        entries(&name, &extract.quarantine, &mut quarantine);
        if let Some(finding) = check_quarantine(&extract, max_quarantine) {
            let mut findings = vec![finding.at(&name, 0, 0)];
            findings
                .extend(extract.quarantine.iter().take(20).flat_map(|row| row.findings_at(&name).collect::<Vec<_>>()));
            return Err(findings.into());
        }
        let mut warnings = shown(&name, &extract.warnings);
        let mut inputs = vec![("backlog", Some(self.backlog.clone()), extract.digest.clone())];
        let mut results = Vec::new();
        if let Some(path) = &self.results {
            let name = file_name(path);
            let read = read_results(open(path)?, &name, &Context { progress: None, ..context })?;
            entries(&name, &read.quarantine, &mut quarantine);
            warnings.extend(shown(&name, &read.warnings));
            inputs.push(("results", Some(path.clone()), read.digest));
            results = read.rows;
        }
        let overrides = match &self.overrides {
            Some(file) => {
                inputs.push(("overrides", Some(PathBuf::from(&file.origin)), file.digest.clone()));
                overrides::overrides(&file.file.text, &file.file.name, &catalogue, &network, &policy)?
            }
            None => Vec::new(),
        };
        inputs.extend(self.configured());
        let previous = self.previous.as_deref().map(|path| published(path, now)).transpose()?;
        timings.phase("read");
        let rows_read = extract.rows_read;
        let inputs_of =
            Inputs { now, catalogue, network, policy, backlog: extract.backlog, overrides, results: results.clone() };
        let named = |findings: Vec<Finding>| self.named(findings);
        let (mut snapshot, more) = Snapshot::new(inputs_of).map_err(named)?;
        if let Some((plan, digest)) = previous {
            inputs.push(("previous", self.previous.clone(), digest));
            let runs = plan.published(&snapshot);
            snapshot = snapshot.with_published(runs);
        }
        warnings.extend(self.named(more));
        timings.phase("snapshot");
        let overrides_name = self.overrides.as_ref().map(|file| file.file.name.clone());
        Ok(Night { snapshot, quarantine, warnings, rows_read, results, inputs, overrides_name })
    }

    /// Findings of the cross-check know these files by their kind only.
    fn named(&self, mut findings: Vec<Finding>) -> Vec<Finding> {
        for place in findings.iter_mut().filter_map(|finding| finding.place.as_mut()) {
            let name = match place.file.as_str() {
                OVERRIDES => self.overrides.as_ref().map(|file| file.file.name.clone()),
                RESULTS => self.results.as_deref().map(file_name),
                _ => None,
            };
            place.file = name.unwrap_or_else(|| std::mem::take(&mut place.file));
        }
        findings
    }

    /// The configuration files as inputs; without a path where they are built in.
    fn configured(&self) -> impl Iterator<Item = (&'static str, Option<PathBuf>, String)> {
        let Configuration { catalogue, network, policy, import } = &self.configuration;
        let files = [("catalogue", catalogue), ("network", network), ("policy", policy), ("import", import)];
        files.into_iter().map(|(role, file)| {
            let path = (file.origin != defaults::BUILT_IN).then(|| PathBuf::from(&file.origin));
            (role, path, file.digest.clone())
        })
    }

    /// How the laboratory writes its files.
    pub(crate) fn import(&self) -> Result<Import, Failure> {
        Ok(Import::read(&self.configuration.import.file.name, &self.configuration.import.file.text)?)
    }

    /// Results in a file of their own, which may have come after the plan was made but not after `now`.
    pub(crate) fn results_at(&self, path: &Path, snapshot: &Snapshot, now: Instant) -> Result<Results, Failure> {
        let import = self.import()?;
        let (catalogue, network, policy) = (&snapshot.catalogue, &snapshot.network, &snapshot.policy);
        let context = Context { import: &import, catalogue, network, policy, now, progress: None };
        let file =
            File::open(path).map_err(|error| unreadable(path, &format!("cannot read this file: {}", error.kind())))?;
        Ok(read_results(file, &file_name(path), &context)?)
    }

    /// The moment that was asked for.
    pub(crate) fn now(&self, now: &Now<'_>, zone: Zone) -> Result<Instant, Failure> {
        match now {
            Now::Known(now) => Ok(*now),
            Now::Typed(Some(typed)) => parse_now(typed, zone),
            Now::Typed(None) => match &self.scenario {
                Some(file) => Ok(scenario::read(&file.file, zone)?.now),
                None => moment(None, zone),
            },
        }
    }
}

impl Night {
    /// The overrides that a plan could not keep; accessions are in the plan.
    pub(crate) fn not_kept(&self, plan: &Plan) -> Vec<Finding> {
        let snapshot = &self.snapshot;
        let name = self.overrides_name.as_deref().unwrap_or(OVERRIDES);
        let told = plan.impossible.iter().map(|about| {
            let override_ = &snapshot.overrides.all[about.override_];
            let test = &snapshot.catalogue.tests[snapshot.backlog.lines[about.line].test].code;
            let message = format!("this `{}` is not kept for test `{test}`: {}", override_.action.text(), about.reason);
            Finding::new(Code::OverrideNotKept, message).at(name, override_.line, 1)
        });
        let mut told: Vec<Finding> = told.collect();
        told.dedup();
        told
    }

    /// What was read, in order of role, with paths relative to the output folder.
    pub(crate) fn inputs_for(&self, out: &Path) -> Vec<Input> {
        let mut inputs: Vec<Input> = self
            .inputs
            .iter()
            .map(|(role, path, sha256)| Input {
                role: (*role).to_owned(),
                path: path.as_deref().map_or_else(|| EMBEDDED.to_owned(), |path| relative(path, out)),
                sha256: sha256.clone(),
            })
            .collect();
        inputs.sort();
        inputs
    }

    /// Path and digest of the files of the extract that are read row by row.
    pub(crate) fn streamed(&self) -> impl Iterator<Item = (PathBuf, String)> {
        let streamed = self.inputs.iter().filter(|(role, ..)| matches!(*role, "backlog" | "results"));
        streamed.filter_map(|(_, path, digest)| Some((path.clone()?, digest.clone())))
    }

    /// The streamed inputs that have changed since a plan was made from them.
    pub(crate) fn changed_since(&self, header: &Header) -> Vec<Finding> {
        let same = |role: &str, digest: &str| {
            header.document.inputs.iter().any(|input| input.role == role && input.sha256 == digest)
        };
        let streamed = self.inputs.iter().filter(|(role, ..)| matches!(*role, "backlog" | "results" | "previous"));
        let named = |role: &str| header.document.inputs.iter().find(|input| input.role == role);
        streamed
            .filter(|(role, _, digest)| !same(role, digest))
            .filter_map(|(role, ..)| named(role).map(changed))
            .collect()
    }
}

/// What a plan file has published, with its digest.
fn published(path: &Path, now: Instant) -> Result<(RawPlan, String), Failure> {
    let file = File::open(path).map_err(|error| {
        unreadable(path, &format!("cannot read the previous plan: {}", error.kind()))
            .hint("name the folder that `labtriage plan` wrote")
    })?;
    let mut reader = Digesting::new(file);
    let place = |finding: Finding| {
        let (line, column) = finding.place.as_ref().map_or((0, 0), |place| (place.line, place.column));
        finding.at(&path.display().to_string(), line, column)
    };
    let read = read_plan(&mut reader);
    let (header, plan) = read.map_err(|findings| findings.into_iter().map(place).collect::<Vec<_>>())?;
    if header.now > now {
        let message = format!("the previous plan was made at {}, after the moment of planning", header.now);
        return Err(place(Finding::new(Code::WrongValue, message)).hint("name an earlier plan").into());
    }
    Ok((plan, reader.finish()))
}

fn changed(input: &Input) -> Finding {
    let what = if input.role == "previous" { "previous plan" } else { input.role.as_str() };
    Finding::new(Code::StalePlanInput, format!("the {what} has changed since the plan was made"))
        .at(&input.path, 0, 0)
        .hint("plan again, or put the file back as it was")
}

/// `to` as seen from inside the folder `from`, which need not exist yet.
fn relative(to: &Path, from: &Path) -> String {
    let whole = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| whole(path));
    // The folder itself may be about to be made: its parent tells where it really is.
    let from = match (whole(from).parent(), whole(from).file_name()) {
        (Some(parent), Some(name)) if !from.exists() => real(parent).join(name),
        _ => real(from),
    };
    let relative = pathdiff::diff_paths(real(to), from).unwrap_or_else(|| to.to_owned());
    relative.to_string_lossy().replace('\\', "/")
}

fn file_name(path: &Path) -> String {
    path.display().to_string()
}

/// The moment that was typed, else the clock's.
pub(crate) fn moment(typed: Option<&str>, zone: Zone) -> Result<Instant, Failure> {
    match typed {
        Some(typed) => parse_now(typed, zone),
        None => Instant::from_utc(std::time::SystemTime::now().into())
            .ok_or_else(|| Failure::Bug("the system clock is out of range".to_owned())),
    }
}

fn parse_now(typed: &str, zone: Zone) -> Result<Instant, Failure> {
    if let Ok(time) = chrono::DateTime::parse_from_rfc3339(typed) {
        return Instant::from_utc(time.to_utc()).ok_or_else(|| bad_now(typed).into());
    }
    let utc = typed.strip_suffix('Z');
    let reading = quantity::reading(utc.unwrap_or(typed)).ok_or_else(|| bad_now(typed))?;
    if utc.is_some() {
        return Instant::from_utc(reading.and_utc()).ok_or_else(|| bad_now(typed).into());
    }
    match zone.instant(reading) {
        LocalInstant::Unique(instant) => Ok(instant),
        LocalInstant::Twice { .. } | LocalInstant::Missing => {
            let message = format!("--now `{typed}` is in the hour of a clock change");
            Err(Finding::new(Code::WrongValue, message).hint("give it in UTC: 2024-10-27T00:30Z").into())
        }
    }
}

fn bad_now(typed: &str) -> Finding {
    Finding::new(Code::WrongValue, format!("--now `{typed}` is no time"))
        .hint("write 2024-06-10T20:00 or 2024-06-10T19:00Z")
}

pub(crate) fn entries(file: &str, rows: &[QuarantinedRow], found: &mut Vec<QuarantineEntry>) {
    found.extend(rows.iter().map(|row| {
        let codes: Vec<&str> = row.findings.iter().map(|finding| finding.code.text()).collect();
        let words: Vec<&str> = row.findings.iter().map(|finding| finding.words()).collect();
        QuarantineEntry {
            file: file.to_owned(),
            line: row.line,
            accession: row.accession.clone(),
            codes: codes.join(" "),
            message: words.join("; "),
            hint: row.findings.first().map_or_else(String::new, |finding| {
                format!("see {} in docs/errors.md: {}", finding.code.text(), finding.code.title())
            }),
        }
    }));
}

/// Warnings of one file: the first of each code, and how many more there are.
pub(crate) fn shown(name: &str, warnings: &labtriage_formats::extract::Warnings) -> Vec<Finding> {
    let each = warnings.iter().filter_map(|(code, counted)| {
        let first = counted.first.first()?;
        if counted.count == 1 {
            return Some(first.clone());
        }
        let message = format!("{} ({} rows, the first: {})", code.title(), counted.count, first.message);
        let line = first.place.as_ref().map_or(0, |place| place.line);
        Some(Finding { message, ..Finding::new(code, "").at(name, line, 0) })
    });
    each.collect()
}
