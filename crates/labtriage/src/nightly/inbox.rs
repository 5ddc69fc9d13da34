//! Which extract is tonight's, and is it whole? One folder per night, named by its time, sealed by its manifest.

use std::cmp::Ordering;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use chrono::{NaiveDate, NaiveDateTime};
use labtriage_core::finding::{Code, Finding};
use labtriage_core::time::{Instant, Minutes};
use labtriage_formats::config::defaults;
use labtriage_formats::digest;
use labtriage_formats::manifest::{self, BACKLOG, Manifest, ManifestFile, READ};

use crate::failure::Failure;

/// An extract whose manifest was read.
#[derive(Debug)]
pub(crate) struct Extract {
    /// The night, as its folder is named: `2024-06-10` or `2024-06-10T2000`.
    pub(crate) night: String,
    pub(crate) folder: PathBuf,
    pub(crate) manifest: Manifest,
    /// SHA-256 of the manifest: the same extract has the same one.
    pub(crate) digest: String,
}

/// Whether a folder is named as a night. Such names are in order of time.
pub(crate) fn is_night(name: &str) -> bool {
    let day = |text: &str| text.len() == 10 && NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok();
    let time = |text: &str| text.len() == 15 && NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H%M").is_ok();
    day(name) || time(name)
}

/// The newest extract of an inbox.
pub(crate) fn newest(inbox: &Path) -> Result<Extract, Failure> {
    let entries = fs::read_dir(inbox).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let entries = entries.map_err(|error| {
        let message = format!("the inbox cannot be read: {}", error.kind());
        found(Code::NoExtract, message, inbox).hint("check `--inbox` and the rights to it")
    })?;
    let folders = entries.iter().filter(|entry| entry.path().is_dir());
    let names = folders.filter_map(|entry| entry.file_name().into_string().ok());
    let Some(night) = names.filter(|name| is_night(name)).max() else {
        let finding = found(Code::NoExtract, "no folder here is named as a night", inbox);
        return Err(finding.hint("name it by its time: `2024-06-10` or `2024-06-10T2000`").into());
    };
    let folder = inbox.join(&night);
    let path = folder.join(manifest::FILE_NAME);
    if !path.is_file() {
        let message = format!("it has no `{}` yet", manifest::FILE_NAME);
        return Err(unfinished(message, &folder).into());
    }
    if !folder.join(BACKLOG).is_file() {
        return Err(unfinished(format!("it has no `{BACKLOG}`"), &folder).into());
    }
    let file = defaults::from_path(&path)?;
    let manifest = manifest::read(&file.file)?;
    Ok(Extract { night, folder, manifest, digest: file.digest })
}

impl Extract {
    /// Refuses an extract that was taken too long ago, or later than now.
    pub(crate) fn is_fresh(&self, now: Instant, age_max: Minutes) -> Result<(), Finding> {
        let taken = self.manifest.taken;
        let age = now.since(taken);
        let message = if age < Minutes::ZERO {
            format!("it was taken at {taken}, after the moment of planning, {now}")
        } else if age > age_max {
            format!("it was taken at {taken}, {age} before {now}, expected at most {age_max}")
        } else {
            return Ok(());
        };
        let hint = "find out why no newer one came; `--max-age` sets the limit";
        Err(found(Code::ExtractStale, message, &self.folder).hint(hint))
    }

    /// Checks against the manifest what can be told without reading: which files there are, and how long they are. All
    /// that is wrong at once.
    pub(crate) fn is_whole(&self) -> Result<(), Vec<Finding>> {
        let files = &self.manifest.files;
        let named = |name: &str| files.iter().any(|file| file.name == name);
        let unnamed = READ.iter().filter(|name| !named(name) && (**name == BACKLOG || self.folder.join(name).exists()));
        let mut findings: Vec<Finding> = unnamed
            .map(|name| self.differs(name, format!("the manifest does not name `{name}`, which is read from here")))
            .collect();
        findings.extend(files.iter().filter_map(|file| self.has_its_length(file).err()));
        if findings.is_empty() { Ok(()) } else { Err(findings) }
    }

    fn has_its_length(&self, file: &ManifestFile) -> Result<(), Finding> {
        let facts = fs::metadata(self.folder.join(&file.name)).map_err(|error| self.unreadable(file, &error))?;
        let message = format!("`{}` has {} of {} bytes", file.name, facts.len(), file.bytes);
        match facts.len().cmp(&file.bytes) {
            Ordering::Less => Err(unfinished(message, &self.folder)),
            Ordering::Equal => Ok(()),
            Ordering::Greater => Err(self.differs(&file.name, message)),
        }
    }

    /// Checks every file that the manifest names by what was `read` of it: paths and digests, and the rows of the backlog,
    /// where it could be read at all. What nobody has read to its end is read here. All that is wrong at once.
    pub(crate) fn is_as_read(&self, read: &[(PathBuf, String)], rows: Option<u64>) -> Result<(), Vec<Finding>> {
        let mut findings: Vec<Finding> =
            self.manifest.files.iter().filter_map(|file| self.has_its_digest(file, read).err()).collect();
        if let Some(rows) = rows.filter(|rows| findings.is_empty() && *rows != self.manifest.rows) {
            let differs = self.differs(BACKLOG, format!("it has {rows} rows, expected {}", self.manifest.rows));
            findings.push(differs.hint("the LIMS wrote fewer or more rows than it says: export again"));
        }
        if findings.is_empty() { Ok(()) } else { Err(findings) }
    }

    fn has_its_digest(&self, file: &ManifestFile, read: &[(PathBuf, String)]) -> Result<(), Finding> {
        let path = self.folder.join(&file.name);
        let digest = match read.iter().find(|(of, _)| *of == path) {
            Some((_, digest)) => digest.clone(),
            None => digest::of_file(&path).map_err(|error| self.unreadable(file, &error))?,
        };
        if digest == file.sha256 {
            return Ok(());
        }
        Err(self.differs(&file.name, format!("its digest is {digest}, expected {}", file.sha256)))
    }

    fn unreadable(&self, file: &ManifestFile, error: &io::Error) -> Finding {
        unfinished(format!("`{}` cannot be read: {}", file.name, error.kind()), &self.folder)
    }

    fn differs(&self, name: &str, message: String) -> Finding {
        found(Code::ExtractDiffers, message, &self.folder.join(name)).hint("export again, and write the manifest last")
    }
}

fn unfinished(message: String, folder: &Path) -> Finding {
    let hint = "wait until it is copied, or copy it again; the manifest comes last";
    found(Code::ExtractUnfinished, message, folder).hint(hint)
}

fn found(code: Code, message: impl Into<String>, place: &Path) -> Finding {
    Finding::new(code, message).at(&place.display().to_string(), 0, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nights_are_named_by_their_time() {
        for name in ["2024-06-10", "2024-06-10T2000"] {
            assert!(is_night(name), "{name}");
        }
        for name in ["2024-06-31", "2024-6-10", "2024-06-10T20", "2024-06-10T2460", ".2024-06-10", "2024-06-10.tmp", ""]
        {
            assert!(!is_night(name), "{name}");
        }
        assert!("2024-06-10" < "2024-06-10T2000" && "2024-06-10T2000" < "2024-06-11");
    }
}
