//! `labtriage import`: from an extract that names patients to one that does not, and an encrypted store.

mod register;

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use chrono::NaiveDate;
use labtriage_core::finding::{Code, Finding};
use labtriage_formats::config::defaults;
use labtriage_formats::extract::check_set_aside;
use labtriage_formats::identified::{Kind, People, Stripped, strip};
use labtriage_formats::import::Import;
use labtriage_formats::outputs::{FolderKind, OutputError, OutputFolder, QuarantineEntry, write_quarantine};
use labtriage_identity::{Lock, Vault};
use serde_json::json;

use crate::args::ImportArguments;
use crate::failure::Failure;
use crate::inputs::{Now, Sources, entries, shown};
use crate::{secrets, terminal};
use register::{At, Reading, Register};

/// Imports an extract; returns the exit code.
pub(crate) fn import(arguments: &ImportArguments) -> Result<u8, Failure> {
    let sources = Sources::find(&arguments.input, arguments.config.as_deref())?;
    let import = sources.import()?;
    let today = sources.now(&Now::Typed(arguments.now.as_deref()), import.zone())?;
    let today = import.zone().day(today).date();
    let ring = secrets::keys(&arguments.keys)?;
    let lock = secrets::lock(&arguments.lock)?;
    // Held to the end: what another import adds meanwhile would be lost.
    let held = secrets::hold(&arguments.store)?;
    let store = earlier_store(&held.path, arguments)?;
    let folder = OutputFolder::create(&arguments.out, FolderKind::Import)?;
    let mut register = Register::new(&ring, today, &store, sources.overrides.is_some());
    let rows = Rows { sources: &sources, import: &import, folder: &folder };
    let done = rows.import(&mut register)?;
    if let Some(finding) = check_set_aside(&done.backlog.quarantine, done.backlog.rows_read, arguments.max_quarantine) {
        return Err(refused(finding, &sources, &done.backlog));
    }
    beside(&sources, &register.people, &import, &folder)?;
    let (persons, notes) = (register.vault.len(), done.notes(&sources));
    write_quarantine(&folder, "import-quarantine.csv", &notes)?;
    // First the store: a folder of pseudonyms that nobody can look up must never be there.
    save(&held.path, store, register.vault, &lock)?;
    folder.finish()?;
    show(arguments, &sources, &done, persons, today);
    Ok(0)
}

/// The store that is there already, which is added to.
fn earlier_store(path: &Path, arguments: &ImportArguments) -> Result<Vault, Failure> {
    if !path.exists() {
        return Ok(Vault::default());
    }
    let hint = "the store is there already: give `--unlock FILE` to add to it, or name a new one with `--store`";
    Ok(Vault::open(path, &secrets::unlock(&arguments.unlock, hint)?)?)
}

fn save(path: &Path, mut store: Vault, newer: Vault, lock: &Lock) -> Result<(), Failure> {
    store.merge(newer);
    Ok(secrets::write(path, &store.sealed(lock)?)?)
}

/// What became of the files.
struct Done {
    backlog: Stripped,
    results: Option<Stripped>,
}

impl Done {
    /// The rows that were set aside, of both files.
    fn notes(&self, sources: &Sources) -> Vec<QuarantineEntry> {
        let mut notes = Vec::new();
        entries(&sources.backlog.display().to_string(), &self.backlog.quarantine, &mut notes);
        if let (Some(path), Some(results)) = (&sources.results, &self.results) {
            entries(&path.display().to_string(), &results.quarantine, &mut notes);
        }
        notes
    }
}

/// Both files on their way.
struct Rows<'a> {
    sources: &'a Sources,
    import: &'a Import,
    folder: &'a OutputFolder,
}

impl Rows<'_> {
    /// Reads both files once to find out who is in them and which numbers stand for two people, then writes what is left.
    fn import(&self, register: &mut Register<'_>) -> Result<Done, Failure> {
        let backlog = (self.sources.backlog.as_path(), Kind::Backlog);
        let results = self.sources.results.as_deref().map(|path| (path, Kind::Results));
        let seen = self.strip(backlog, At(register, Reading::Look), io::sink())?;
        let results_seen = results.map(|file| self.strip(file, At(register, Reading::LookAside), io::sink()));
        let results_seen = results_seen.transpose()?;
        let out = self.folder.file("backlog.csv")?;
        let backlog = self.again(backlog, &seen, At(register, Reading::Note), &out)?;
        let (Some(file), Some(seen)) = (results, results_seen) else { return Ok(Done { backlog, results: None }) };
        let out = self.folder.file("results.csv")?;
        let results = self.again(file, &seen, At(register, Reading::Name), &out)?;
        Ok(Done { backlog, results: Some(results) })
    }

    /// The second reading of a file, which must be the same.
    fn again(
        &self,
        file: (&Path, Kind),
        seen: &Stripped,
        register: At<'_, '_>,
        out: impl Write,
    ) -> Result<Stripped, Failure> {
        let read = self.strip(file, register, out)?;
        if seen.digest != read.digest {
            let finding = Finding::new(Code::FileUnreadable, "this file has changed while it was read");
            return Err(finding.at(&file.0.display().to_string(), 0, 0).hint("wait until it is whole").into());
        }
        Ok(read)
    }

    fn strip(
        &self,
        (path, kind): (&Path, Kind),
        mut register: At<'_, '_>,
        out: impl Write,
    ) -> Result<Stripped, Failure> {
        let name = path.display().to_string();
        let file = File::open(path).map_err(|error| {
            Finding::new(Code::FileUnreadable, format!("cannot read this file: {}", error.kind())).at(&name, 0, 0)
        })?;
        Ok(strip(file, &name, kind, self.import, &mut register, out)?)
    }
}

/// Copies what lies beside the extract; overrides without the identities in them.
fn beside(sources: &Sources, people: &People, import: &Import, folder: &OutputFolder) -> Result<(), Failure> {
    let write = |name: &str, text: &str| -> Result<(), Failure> {
        let written = folder.file(name)?.write_all(text.as_bytes());
        written.map_err(|source| OutputError::Io { what: "write", path: name.into(), source }.into())
    };
    if let Some(file) = &sources.overrides {
        write("overrides.toml", &people.taken_out_of(&file.file.text, import))?;
    }
    if let Some(file) = &sources.scenario {
        write("scenario.toml", &file.file.text)?;
    }
    let configuration = &sources.configuration;
    let files = [
        ("import.toml", &configuration.import),
        ("catalogue.toml", &configuration.catalogue),
        ("network.toml", &configuration.network),
        ("policy.toml", &configuration.policy),
    ];
    for (name, file) in files.into_iter().filter(|(_, file)| file.origin != defaults::BUILT_IN) {
        write(name, &file.file.text)?;
    }
    Ok(())
}

fn refused(finding: Finding, sources: &Sources, stripped: &Stripped) -> Failure {
    let name = sources.backlog.display().to_string();
    let mut findings = vec![finding.at(&name, 0, 0)];
    findings.extend(stripped.quarantine.iter().take(20).flat_map(|row| row.findings_at(&name).collect::<Vec<_>>()));
    findings.into()
}

fn show(arguments: &ImportArguments, sources: &Sources, done: &Done, persons: usize, today: NaiveDate) {
    if arguments.output.quiet {
        return;
    }
    let Done { backlog, results } = done;
    terminal::findings(&shown(&sources.backlog.display().to_string(), &backlog.warnings));
    if let (Some(path), Some(results)) = (&sources.results, results) {
        terminal::findings(&shown(&path.display().to_string(), &results.warnings));
    }
    let aside = backlog.quarantine.len() + results.as_ref().map_or(0, |results| results.quarantine.len());
    let rows = backlog.rows_read + results.as_ref().map_or(0, |results| results.rows_read);
    if arguments.output.json {
        let facts = json!({ "rows": rows, "quarantined": aside, "persons": persons, "day": today.to_string() });
        terminal::data(&format!("{facts}\n"));
    } else {
        terminal::data(&format!("{rows} rows, {aside} set aside, {persons} persons\n"));
    }
    let (out, store) = (arguments.out.display(), arguments.store.display());
    terminal::words(&format!("the extract without identities is in {out}, who is who in {store}"));
}
