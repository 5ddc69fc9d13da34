//! How does a file appear whole or not at all? Written beside its place, then renamed into it.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::folder::parent;
use super::stale::{self, Kind};

/// Who may read a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Readers {
    /// Whom the system lets by default.
    Anybody,
    /// Its owner only, where the system has such rights.
    Owner,
}

/// A file in the making; dropped before [`Self::finish`], it leaves nothing behind.
#[derive(Debug)]
pub struct WholeFile {
    target: PathBuf,
    /// Where it is written until it is finished; `None` afterwards.
    temporary: Option<PathBuf>,
    /// Locked, which tells other runs that somebody is at work on it.
    file: File,
}

impl WholeFile {
    /// Begins a file that is to appear at `target`, and deletes what killed runs have left beside it.
    ///
    /// # Errors
    /// Those of the system, as when the folder is not there or cannot be written to.
    pub fn create(target: &Path, readers: Readers) -> io::Result<Self> {
        let (temporary, file) = begin(target, readers)?;
        let this = Self { target: target.to_owned(), temporary: Some(temporary), file };
        if let Some(made) = &this.temporary {
            stale::sweep_files(target, made);
        }
        Ok(this)
    }

    /// Puts it in its place, in that of an earlier one if need be, so that a loss of power leaves one of the two whole.
    ///
    /// # Errors
    /// Those of the system; an earlier file is then still in its place.
    pub fn finish(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        if let Some(temporary) = &self.temporary {
            fs::rename(temporary, &self.target)?;
        }
        self.temporary = None;
        sync_folder(parent(&self.target))
    }
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for WholeFile {
    fn drop(&mut self) {
        if let Some(temporary) = self.temporary.take() {
            // Nothing can be said here; the next run deletes what stays behind.
            let _ = fs::remove_file(temporary);
        }
    }
}

/// Writes a file whole or not at all.
///
/// # Errors
/// Those of the system; an earlier file is then still in its place.
pub fn write_whole(target: &Path, readers: Readers, bytes: &[u8]) -> io::Result<()> {
    let mut file = WholeFile::create(target, readers)?;
    file.write_all(bytes)?;
    file.finish()
}

/// Writes down which files a folder holds, where the system lets folders be opened.
///
/// # Errors
/// Those of the system.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Makes the file that is written first, and locks it where the system can.
fn begin(target: &Path, readers: Readers) -> io::Result<(PathBuf, File)> {
    for tries in 0..100 {
        let path = parent(target).join(stale::name(target, Kind::New, tries));
        let file = match options(readers).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            opened => opened?,
        };
        // Another run may take it for a killed one's before it is locked; that run then deletes it.
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => {}
            _ if fs::symlink_metadata(&path).is_err() => {}
            _ => return Ok((path, file)),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

fn options(readers: Readers) -> fs::OpenOptions {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if readers == Readers::Owner {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_appears_whole_and_an_unfinished_one_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("health.json");
        write_whole(&path, Readers::Anybody, b"one").unwrap();
        let mut half = WholeFile::create(&path, Readers::Anybody).unwrap();
        half.write_all(b"half").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one");
        drop(half);
        write_whole(&path, Readers::Anybody, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(names(folder.path()), ["health.json"]);
        assert!(write_whole(&folder.path().join("nowhere/x"), Readers::Anybody, b"").is_err());
    }

    #[test]
    #[cfg(unix)]
    fn what_a_killed_run_has_left_is_deleted_and_what_another_writes_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("health.json");
        fs::write(folder.path().join(".health.json.labtriage-new-7-0"), "half").unwrap();
        fs::write(folder.path().join(".health.json.labtriage-new-mine"), "not ours").unwrap();
        std::thread::sleep(std::time::Duration::from_millis(20));
        let at_work = WholeFile::create(&path, Readers::Anybody).unwrap();
        write_whole(&path, Readers::Anybody, b"one").unwrap();
        at_work.finish().unwrap();
        assert_eq!(names(folder.path()), [".health.json.labtriage-new-mine", "health.json"]);
    }

    #[test]
    #[cfg(unix)]
    fn what_is_for_its_owner_nobody_else_reads() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        fs::write(&path, "earlier").unwrap();
        write_whole(&path, Readers::Owner, b"secret").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
