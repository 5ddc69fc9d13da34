//! How does a folder appear whole or not at all? Written beside its place, then renamed into it.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::stale::{self, Kind};
use crate::plan_json;

/// What an output folder is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FolderKind {
    /// The plan of a night. It takes the place of an earlier one.
    Plan,
    /// An extract without its identities, and what lay beside it. It takes the place of nothing.
    Import,
    /// Recall lists with identities, for its owner's eyes only. It takes the place of nothing: what has left must
    /// stay to be looked up.
    RecallExport,
    /// Records of discards, and what their requesters read. It takes the place of nothing.
    DiscardRecords,
}

impl FolderKind {
    /// What this program writes into the top of such a folder; a folder with anything else in it is never
    /// replaced or deleted.
    pub const fn top_level(self) -> &'static [&'static str] {
        match self {
            Self::Plan => &[
                plan_json::FILE,
                "worklists",
                "recalls",
                "transfers.csv",
                "stabilise.csv",
                "discards.csv",
                "holds.csv",
                "quarantine.csv",
                "summary.txt",
                "inputs",
                "night.json",
            ],
            Self::Import => &[
                "backlog.csv",
                "results.csv",
                "import-quarantine.csv",
                "overrides.toml",
                "scenario.toml",
                "import.toml",
                "catalogue.toml",
                "network.toml",
                "policy.toml",
            ],
            Self::RecallExport => &["practices", "left-out.csv"],
            Self::DiscardRecords => &["records.csv", "reports"],
        }
    }
}

/// Why an output folder could not be written.
#[derive(Error, Debug)]
pub enum OutputError {
    /// The target is there, and is not the output of an earlier run.
    #[error("`{}` is in the way: {what}\n  hint: name a new folder, an empty one, or the output of an earlier run", .target.display())]
    NotOurs {
        /// The target.
        target: PathBuf,
        /// What was found there.
        what: String,
    },
    /// The file system refused.
    #[error("cannot {what} `{}`: {source}", .path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl OutputError {
    pub(super) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { what, path: path.to_owned(), source }
    }
}

/// An output folder in the making; dropped before [`Self::finish`], it leaves nothing behind.
#[derive(Debug)]
pub struct OutputFolder {
    kind: FolderKind,
    target: PathBuf,
    /// Where it is written until it is finished; `None` afterwards.
    temporary: Option<PathBuf>,
    /// Tells other runs that the temporary folder is in use; the system takes it away with the process.
    lock: Option<File>,
    /// Hidden folders of killed runs that were deleted.
    swept: usize,
}

impl OutputFolder {
    /// Begins an output folder of a kind that is to appear at `target`, and deletes what killed runs into the same
    /// place have left behind.
    ///
    /// # Errors
    /// [`OutputError::NotOurs`] when something else is at the target, [`OutputError::Io`] when its
    /// parent cannot be written to.
    pub fn create(target: &Path, kind: FolderKind) -> Result<Self, OutputError> {
        // A link is followed, so that what it points to is replaced and not the link itself.
        let target = match fs::canonicalize(target) {
            Ok(real) => real,
            Err(_) => target.to_owned(),
        };
        check_target(&target, kind)?;
        let parent = parent(&target);
        fs::create_dir_all(parent).map_err(OutputError::io("create", parent))?;
        let (temporary, lock) = begin(&target)?;
        if kind == FolderKind::RecallExport {
            for_its_owner_only(&temporary)?;
        }
        let swept = stale::sweep(&target, &temporary, kind);
        Ok(Self { kind, target, temporary: Some(temporary), lock, swept })
    }

    /// Where the folder will appear.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// How many hidden folders of killed runs into the same place were deleted.
    pub fn swept(&self) -> usize {
        self.swept
    }

    /// Creates a file by its path inside the folder, and the folders on the way.
    ///
    /// # Errors
    /// [`OutputError`] when the path could leave the folder or the system refuses.
    pub fn file(&self, relative: &str) -> Result<File, OutputError> {
        let inside = relative.split('/').all(is_plain);
        let path = self.path().join(relative);
        if !inside {
            let source = io::Error::new(io::ErrorKind::InvalidInput, "not a plain path inside the output folder");
            return Err(OutputError::Io { what: "create", path: PathBuf::from(relative), source });
        }
        let folder = parent(&path);
        fs::create_dir_all(folder).map_err(OutputError::io("create", folder))?;
        File::create(&path).map_err(OutputError::io("create", &path))
    }

    /// Puts the folder in its place: an earlier output there is moved aside, this one takes its
    /// place, and only then is the earlier one deleted.
    ///
    /// # Errors
    /// [`OutputError`]; an earlier output is then still, or again, in its place.
    pub fn finish(mut self) -> Result<(), OutputError> {
        check_target(&self.target, self.kind)?;
        let temporary = self.path().to_owned();
        // It goes with the folder that is moved aside, so that no other run deletes that meanwhile.
        let _earlier = stale::lock(&self.target);
        let aside = match fs::symlink_metadata(&self.target) {
            Ok(_) => Some(sibling(&self.target, Kind::Old, |aside| move_aside(&self.target, aside))?),
            Err(_) => None,
        };
        if let Err(source) = fs::rename(&temporary, &self.target) {
            if let Some(aside) = &aside {
                fs::rename(aside, &self.target).map_err(OutputError::io("put back", &self.target))?;
            }
            return Err(OutputError::Io { what: "put the output in place at", path: self.target.clone(), source });
        }
        self.temporary = None;
        self.lock = None;
        match aside {
            Some(aside) => fs::remove_dir_all(&aside).map_err(OutputError::io("delete the earlier output at", &aside)),
            None => Ok(()),
        }
    }

    fn path(&self) -> &Path {
        self.temporary.as_deref().unwrap_or(&self.target)
    }
}

impl Drop for OutputFolder {
    fn drop(&mut self) {
        if let Some(temporary) = self.temporary.take() {
            // Nothing can be said here; a folder that stays behind is named as unfinished.
            let _ = fs::remove_dir_all(temporary);
        }
    }
}

pub(super) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes the folder that is written first, and locks it where the system can.
fn begin(target: &Path) -> Result<(PathBuf, Option<File>), OutputError> {
    for _ in 0..10 {
        let temporary = sibling(target, Kind::New, |path| fs::create_dir(path))?;
        // Another run may take it for a killed one's before it is locked; that run then has it.
        match stale::lock(&temporary) {
            Ok(lock) => return Ok((temporary, Some(lock))),
            Err(TryLockError::Error(_)) if fs::symlink_metadata(&temporary).is_ok() => return Ok((temporary, None)),
            Err(_) => {}
        }
    }
    Err(OutputError::io("create", target)(io::ErrorKind::Interrupted.into()))
}

/// Makes a hidden sibling of the target, of a name that nothing has yet.
fn sibling(target: &Path, kind: Kind, make: impl Fn(&Path) -> io::Result<()>) -> Result<PathBuf, OutputError> {
    let mut tries = 0;
    loop {
        let path = parent(target).join(stale::name(target, kind, tries));
        match make(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && tries < 100 => tries += 1,
            Err(error) => return Err(OutputError::io("create", &path)(error)),
        }
    }
}

fn move_aside(target: &Path, aside: &Path) -> io::Result<()> {
    if fs::symlink_metadata(aside).is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    fs::rename(target, aside)
}

/// Takes everybody else's rights to a folder away, where the system has such rights.
#[cfg(unix)]
fn for_its_owner_only(folder: &Path) -> Result<(), OutputError> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).map_err(OutputError::io("protect", folder))
}

#[cfg(not(unix))]
fn for_its_owner_only(_folder: &Path) -> Result<(), OutputError> {
    Ok(())
}

/// Refuses a target that is neither absent, nor empty, nor (of a plan) the output of an earlier run.
fn check_target(target: &Path, kind: FolderKind) -> Result<(), OutputError> {
    let not_ours = |what: String| OutputError::NotOurs { target: target.to_owned(), what };
    match fs::symlink_metadata(target) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(OutputError::io("look at", target)(error)),
        Ok(facts) if !facts.is_dir() => return Err(not_ours("it is not a folder".to_owned())),
        Ok(_) => {}
    }
    let read = fs::read_dir(target).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let entries = read.map_err(OutputError::io("read", target))?;
    if entries.is_empty() {
        return Ok(());
    }
    if kind != FolderKind::Plan {
        return Err(not_ours("it is not empty, and what it holds must not be replaced".to_owned()));
    }
    let mut names: Vec<String> = entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort_unstable();
    if let Some(foreign) = names.iter().find(|name| !kind.top_level().contains(&name.as_str())) {
        return Err(not_ours(format!("it holds `{foreign}`, which this program did not write")));
    }
    let ours = names.iter().any(|name| name == plan_json::FILE) && is_plan(&target.join(plan_json::FILE));
    if ours { Ok(()) } else { Err(not_ours("it holds no plan of this program".to_owned())) }
}

/// Whether a file begins like a plan of this program.
fn is_plan(path: &Path) -> bool {
    use std::io::Read;
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(64).read_to_end(&mut start));
    read.is_ok() && String::from_utf8_lossy(&start).starts_with(&format!("{{\"format\":\"{}\"", plan_json::FORMAT))
}

fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    !name.is_empty() && !name.starts_with('.') && name.bytes().all(plain)
}

/// The most characters of a code that a file name keeps.
const NAME_MAX: usize = 64;

/// A file name for each code, in order: only letters, digits, `_` and `-`, and no name twice, even
/// where capitals do not count.
pub fn file_names<'a>(codes: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut taken = std::collections::BTreeSet::new();
    let mut name_of = |code: &str| {
        let keep = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
        let mut plain: String = code.chars().take(NAME_MAX).map(keep).collect();
        if plain.is_empty() {
            plain.push('_');
        }
        let mut name = plain.clone();
        let mut copy = 1;
        while !taken.insert(name.to_ascii_lowercase()) {
            copy += 1;
            name = format!("{plain}-{copy}");
        }
        name
    };
    codes.map(&mut name_of).collect()
}
