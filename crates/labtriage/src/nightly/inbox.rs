//! Which extract is tonight's, and is it whole? One folder per night, named by its time, sealed by its manifest.

use std::fs::{self, File};
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

    /// Checks every file against the manifest: all that is wrong at once.
    pub(crate) fn verify(&self) -> Result<(), Vec<Finding>> {
        let files = &self.manifest.files;
        let named = |name: &str| files.iter().any(|file| file.name == name);
        let unnamed = READ.iter().filter(|name| !named(name) && (**name == BACKLOG || self.folder.join(name).exists()));
        let mut findings: Vec<Finding> = unnamed
            .map(|name| self.differs(name, format!("the manifest does not name `{name}`, which is read from here")))
            .collect();
        findings.extend(files.iter().filter_map(|file| self.verify_file(file).err()));
        if findings.is_empty() { Ok(()) } else { Err(findings) }
    }

    fn verify_file(&self, file: &ManifestFile) -> Result<(), Finding> {
        let path = self.folder.join(&file.name);
        let bytes = fs::metadata(&path)
            .map_err(|error| unfinished(format!("`{}` cannot be read: {}", file.name, error.kind()), &self.folder))?
            .len();
        if bytes < file.bytes {
            let message = format!("`{}` has {bytes} of {} bytes", file.name, file.bytes);
            return Err(unfinished(message, &self.folder));
        }
        let (rows, sha256) = digest_of(&path, file.name == BACKLOG)
            .map_err(|error| unfinished(format!("`{}` cannot be read: {error}", file.name), &self.folder))?;
        if sha256 != file.sha256 {
            return Err(self.differs(&file.name, format!("its digest is {sha256}, expected {}", file.sha256)));
        }
        match rows {
            Some(rows) if rows != self.manifest.rows => Err(self
                .differs(&file.name, format!("it has {rows} rows, expected {}", self.manifest.rows))
                .hint("the LIMS wrote fewer or more rows than it says: export again")),
            _ => Ok(()),
        }
    }

    fn differs(&self, name: &str, message: String) -> Finding {
        found(Code::ExtractDiffers, message, &self.folder.join(name)).hint("export again, and write the manifest last")
    }

    /// What the manifest says the digest of a file is.
    pub(crate) fn stated(&self, name: &str) -> Option<&str> {
        self.manifest.files.iter().find(|file| file.name == name).map(|file| file.sha256.as_str())
    }
}

/// The digest of a file, with the number of its rows if they are to be counted.
pub(crate) fn digest_of(path: &Path, counting: bool) -> io::Result<(Option<u64>, String)> {
    let file = File::open(path)?;
    if !counting {
        return Ok((None, digest::of_reader(file)?));
    }
    let (rows, sha256) = manifest::count_rows(file).map_err(io::Error::from)?;
    Ok((Some(rows), sha256))
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
