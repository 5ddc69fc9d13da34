//! Where are plans published, and what did a killed run leave there?
//!
//! A night is prepared in a hidden folder, then recorded in the ledger with the digest of its plan, then renamed into
//! its place, then pointed to by `current`. The ledger decides: a hidden folder that it names is put in its place by the
//! next run, any other is deleted. So whatever instant a run is killed at, `current` names a whole night.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use labtriage_core::finding::{Code, Finding};
use labtriage_formats::digest;
use labtriage_formats::outputs::{FolderKind, OutputError, OutputFolder, sync_folder};
use labtriage_formats::plan_json;
use labtriage_ledger::records::Published;
use serde::{Deserialize, Serialize};

use super::inbox::is_night;
use crate::failure::Failure;
use crate::lock;

/// Held while a nightly works; the system takes it away with the process.
const LOCK: &str = ".nightly.lock";

/// What points to the published night.
pub(crate) const CURRENT: &str = "current";

/// What a night says of itself, in its folder.
pub(crate) const FACTS: &str = "night.json";

const PREPARED: &str = ".prepared";

/// What a night says of itself.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Facts {
    /// Its name.
    pub(crate) night: String,
    /// SHA-256 of the manifest of its extract.
    pub(crate) extract: String,
    /// Digest of its run.
    pub(crate) run: String,
    /// How the command that made it ended.
    pub(crate) exit: u8,
    pub(crate) samples: u64,
    pub(crate) lines: u64,
    pub(crate) quarantined: u64,
}

/// The folder in which nights are published, locked.
#[derive(Debug)]
pub(crate) struct Nights {
    out: PathBuf,
    _lock: File,
}

impl Nights {
    /// Makes the folder if it is not there, and locks it.
    pub(crate) fn open(out: &Path) -> Result<Self, Failure> {
        fs::create_dir_all(out).map_err(refused("create", out))?;
        let out = out.canonicalize().map_err(refused("look at", out))?;
        let path = out.join(LOCK);
        match lock::take(&path) {
            Ok(lock) => Ok(Self { out, _lock: lock }),
            Err(TryLockError::WouldBlock) => {
                let finding = Finding::new(Code::NightBusy, "another nightly holds the lock");
                let place = finding.at(&path.display().to_string(), 0, 0);
                Err(place.hint("wait until it has ended; the lock goes with its process").into())
            }
            Err(TryLockError::Error(error)) => Err(refused("lock", &path)(error).into()),
        }
    }

    /// Where a night is published.
    pub(crate) fn folder(&self, night: &str) -> PathBuf {
        self.out.join(night)
    }

    fn prepared(&self, night: &str) -> PathBuf {
        self.out.join(format!(".{night}{PREPARED}"))
    }

    /// Completes what a killed run has recorded, and deletes what it has not; returns whether there was anything to
    /// complete, and how many folders were deleted.
    pub(crate) fn complete(&self, published: Option<&Published>) -> Result<(bool, usize), Failure> {
        let mut completed = false;
        if let Some(published) = published {
            let (folder, prepared) = (self.folder(&published.folder), self.prepared(&published.folder));
            if !folder.exists() && self.holds(&prepared, published) {
                self.put_in_place(&published.folder)?;
                completed = true;
            }
            if !self.holds(&folder, published) {
                let message = "the plan that the ledger says is published is not here";
                let finding = Finding::new(Code::NightLost, message).at(&folder.display().to_string(), 0, 0);
                return Err(finding.hint("give the same `--out` as before, or put the folder back").into());
            }
            if !self.points_to(&published.folder) {
                self.point_to(&published.folder)?;
                completed = true;
            }
        }
        Ok((completed, self.sweep()?))
    }

    /// Whether a night was published here, whatever a ledger says.
    pub(crate) fn has_published(&self) -> bool {
        fs::symlink_metadata(self.out.join(CURRENT)).is_ok()
    }

    /// What is published here is not of this ledger: to go on would begin its history anew.
    pub(crate) fn is_unknown_to(&self, ledger: &str) -> Finding {
        let message = format!("a night is published here, but the ledger `{ledger}` knows of none");
        let finding = Finding::new(Code::NightLost, message).at(&self.out.join(CURRENT).display().to_string(), 0, 0);
        finding.hint(
            "give the same `--ledger` as before, or restore it from the backup; to begin without history on purpose, \
             give a new `--out`",
        )
    }

    fn holds(&self, folder: &Path, published: &Published) -> bool {
        digest::of_file(&folder.join(plan_json::FILE)).is_ok_and(|digest| digest == published.plan)
    }

    /// Deletes the hidden folders that no run has recorded; the lock says that nobody is at work in them.
    fn sweep(&self) -> Result<usize, Failure> {
        let entries = fs::read_dir(&self.out).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let mut swept = 0;
        for entry in entries.map_err(refused("read", &self.out))? {
            if entry.file_name().to_str().is_some_and(is_prepared) {
                fs::remove_dir_all(entry.path()).map_err(refused("delete", &entry.path()))?;
                swept += 1;
            }
        }
        Ok(swept)
    }

    /// Refuses a night whose place is taken by a folder that the ledger does not know.
    pub(crate) fn is_free(&self, night: &str) -> Result<(), Finding> {
        let folder = self.folder(night);
        match fs::symlink_metadata(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(refused("look at", &folder)(error)),
            Ok(_) => {
                let finding = Finding::new(Code::NightInTheWay, "the ledger does not know what is here");
                let hint = "move it away; it may be of a night after the backup that the ledger was restored from";
                Err(finding.at(&folder.display().to_string(), 0, 0).hint(hint))
            }
        }
    }

    /// Begins the hidden folder of a night.
    pub(crate) fn begin(&self, night: &str) -> Result<OutputFolder, Failure> {
        OutputFolder::create(&self.prepared(night), FolderKind::Plan).map_err(unwritten)
    }

    /// Makes sure that a prepared night survives a loss of power, so that it can be recorded; returns the digest of
    /// its plan.
    pub(crate) fn settle(&self, night: &str) -> Result<String, Failure> {
        let prepared = self.prepared(night);
        sync(&prepared).map_err(refused("write", &prepared))?;
        sync_folder(&self.out).map_err(refused("write", &self.out))?;
        let plan = prepared.join(plan_json::FILE);
        Ok(digest::of_file(&plan).map_err(refused("read", &plan))?)
    }

    /// Publishes a prepared and recorded night.
    pub(crate) fn publish(&self, night: &str) -> Result<(), Failure> {
        self.put_in_place(night)?;
        self.point_to(night)
    }

    fn put_in_place(&self, night: &str) -> Result<(), Failure> {
        let folder = self.folder(night);
        fs::rename(self.prepared(night), &folder).map_err(refused("put in place", &folder))?;
        Ok(sync_folder(&self.out).map_err(refused("write", &self.out))?)
    }

    /// What a published night says of itself.
    pub(crate) fn facts(&self, night: &str) -> Result<Facts, Failure> {
        let path = self.folder(night).join(FACTS);
        let read = fs::read(&path).map_err(refused("read", &path))?;
        serde_json::from_slice(&read).map_err(|_| {
            let finding = Finding::new(Code::NightLost, "what the night says of itself cannot be read");
            finding.at(&path.display().to_string(), 0, 0).hint("put the folder back from the backup").into()
        })
    }
}

#[cfg(unix)]
impl Nights {
    fn points_to(&self, night: &str) -> bool {
        fs::read_link(self.out.join(CURRENT)).is_ok_and(|target| target == Path::new(night))
    }

    /// Moves the pointer in one step: a new link is renamed over the old one.
    fn point_to(&self, night: &str) -> Result<(), Failure> {
        let (new, current) = (self.out.join(".current.new"), self.out.join(CURRENT));
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(refused("delete", &new)(error).into()),
            _ => {}
        }
        std::os::unix::fs::symlink(night, &new).map_err(refused("create", &new))?;
        fs::rename(&new, &current).map_err(refused("put in place", &current))?;
        Ok(sync_folder(&self.out).map_err(refused("write", &self.out))?)
    }
}

#[cfg(not(unix))]
impl Nights {
    fn points_to(&self, night: &str) -> bool {
        fs::read_to_string(self.out.join(CURRENT)).is_ok_and(|target| target == night)
    }

    /// Moves the pointer in one step: a file with the name of the night takes the place of the old one.
    fn point_to(&self, night: &str) -> Result<(), Failure> {
        let (new, current) = (self.out.join(".current.new"), self.out.join(CURRENT));
        fs::write(&new, night).map_err(refused("create", &new))?;
        Ok(fs::rename(&new, &current).map_err(refused("put in place", &current))?)
    }
}

/// Whether a hidden folder is a prepared night, or one in the making.
fn is_prepared(name: &str) -> bool {
    let name = name.strip_prefix('.').unwrap_or_default();
    let name = name.strip_prefix('.').unwrap_or(name);
    let Some((night, rest)) = name.split_once(PREPARED) else { return false };
    is_night(night) && (rest.is_empty() || rest.starts_with(".labtriage-"))
}

fn sync(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { sync(&path)? } else { File::open(&path)?.sync_all()? }
    }
    sync_folder(folder)
}

/// What the file system refused, as a finding.
pub(crate) fn refused(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Finding {
    move |error| {
        let kind = error.kind();
        let full = matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        let (code, hint) = if full {
            (Code::NoRoom, "make room, then run again; the published plan stands")
        } else {
            (Code::NightUnwritable, "check who owns the folder and whether its disk can be written to")
        };
        let message = format!("cannot {what} this: {kind}");
        Finding::new(code, message).at(&path.display().to_string(), 0, 0).hint(hint)
    }
}

/// The same, of an output folder.
pub(crate) fn unwritten(error: OutputError) -> Failure {
    match error {
        OutputError::Io { what, path, source } => refused(what, &path)(source).into(),
        other @ OutputError::NotOurs { .. } => Failure::Output(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_hidden_folders_are_deleted() {
        for name in [".2024-06-10.prepared", ".2024-06-10T2000.prepared", "..2024-06-10.prepared.labtriage-new-7-0"] {
            assert!(is_prepared(name), "{name}");
        }
        for name in ["2024-06-10", ".2024-06-10", "current", ".mine.prepared", ".2024-06-10.prepared.bak", LOCK] {
            assert!(!is_prepared(name), "{name}");
        }
    }

    #[test]
    fn a_full_disk_is_told_from_missing_rights() {
        let code = |kind: io::ErrorKind| refused("write", Path::new("x"))(kind.into()).code;
        assert_eq!(code(io::ErrorKind::StorageFull), Code::NoRoom);
        assert_eq!(code(io::ErrorKind::QuotaExceeded), Code::NoRoom);
        assert_eq!(code(io::ErrorKind::PermissionDenied), Code::NightUnwritable);
        assert_eq!(code(io::ErrorKind::ReadOnlyFilesystem), Code::NightUnwritable);
    }
}
