//! What has a killed run left behind? Hidden folders and files with pseudonyms, which the next run deletes.
//!
//! A run holds a lock on what it has hidden until that is in its place or deleted; the system takes the lock
//! away when the process ends, however it ends. So what can be locked belongs to nobody any more.
//! Where the system cannot lock it, nothing is ever deleted.

use std::ffi::OsStr;
use std::fs::{self, File, Metadata, TryLockError};
use std::io;
use std::path::Path;

use super::folder::FolderKind;

/// What a hidden sibling of an output folder is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// It is being written.
    New,
    /// It was replaced, and is about to be deleted.
    Old,
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Old => "old",
        }
    }
}

/// The hidden siblings of a target of one kind begin so.
fn prefix(target: &Path, kind: Kind) -> String {
    let name = target.file_name().map_or_else(|| "output".into(), |name| name.to_string_lossy().into_owned());
    format!(".{name}.labtriage-{}-", kind.word())
}

/// The name of a hidden sibling that this process makes.
pub(super) fn name(target: &Path, kind: Kind, tries: u32) -> String {
    format!("{}{}-{tries}", prefix(target, kind), std::process::id())
}

/// Locks a folder or file for as long as the file is kept.
pub(super) fn lock(folder: &Path) -> Result<File, TryLockError> {
    let handle = File::open(folder).map_err(TryLockError::Error)?;
    handle.try_lock()?;
    // It may have been deleted between opening and locking.
    fs::symlink_metadata(folder).map_err(TryLockError::Error)?;
    Ok(handle)
}

/// Deletes what killed runs have left beside a target; returns how many folders that were.
///
/// Only a folder of our own kind of name, that is older than the one that this run has `made`, is owned by
/// the same user, holds nothing but what this program writes, and is locked by nobody. The earlier output
/// that a killed run has moved aside is left where nothing is in its place, for it is then the only one.
pub(super) fn sweep(target: &Path, made: &Path, what: FolderKind) -> usize {
    let parent = made.parent().unwrap_or(made);
    let (Ok(entries), Ok(own)) = (fs::read_dir(parent), fs::symlink_metadata(made)) else { return 0 };
    let names: Vec<_> = entries.filter_map(|entry| entry.ok().map(|entry| entry.file_name())).collect();
    let replaced = fs::symlink_metadata(target).is_ok();
    let kinds: &[Kind] = if replaced { &[Kind::New, Kind::Old] } else { &[Kind::New] };
    let ours = names.iter().filter(|name| kinds.iter().any(|kind| is_ours(name, &prefix(target, *kind))));
    ours.filter(|name| delete(&parent.join(name), &own, what).is_ok_and(|deleted| deleted)).count()
}

/// Deletes the files that killed runs have left beside a target, in the same way as folders.
pub(super) fn sweep_files(target: &Path, made: &Path) {
    let parent = made.parent().unwrap_or(made);
    let (Ok(entries), Ok(own)) = (fs::read_dir(parent), fs::symlink_metadata(made)) else { return };
    let names = entries.filter_map(|entry| entry.ok().map(|entry| entry.file_name()));
    let prefix = prefix(target, Kind::New);
    for path in names.filter(|name| is_ours(name, &prefix)).map(|name| parent.join(name)) {
        // What cannot be deleted stands in nobody's way.
        let _ = delete_file(&path, &own);
    }
}

fn delete_file(path: &Path, own: &Metadata) -> io::Result<()> {
    let facts = fs::symlink_metadata(path)?;
    if !facts.is_file() || facts.modified()? >= own.modified()? || !same_owner(&facts, own) {
        return Ok(());
    }
    match lock(path) {
        Ok(_locked) => fs::remove_file(path),
        Err(_) => Ok(()),
    }
}

/// Whether a name is the prefix, a number of a process and a number of a try.
fn is_ours(name: &OsStr, prefix: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let rest = name.to_str().and_then(|name| name.strip_prefix(prefix));
    rest.and_then(|rest| rest.split_once('-')).is_some_and(|(process, tries)| number(process) && number(tries))
}

/// Deletes a folder if it is stale; returns whether it was.
fn delete(folder: &Path, own: &Metadata, what: FolderKind) -> io::Result<bool> {
    let facts = fs::symlink_metadata(folder)?;
    let older = facts.modified()? < own.modified()?;
    if !facts.is_dir() || !older || !same_owner(&facts, own) || !only_outputs(folder, what)? {
        return Ok(false);
    }
    let Ok(_locked) = lock(folder) else { return Ok(false) };
    fs::remove_dir_all(folder)?;
    Ok(true)
}

fn only_outputs(folder: &Path, what: FolderKind) -> io::Result<bool> {
    for entry in fs::read_dir(folder)? {
        if !entry?.file_name().to_str().is_some_and(|name| what.top_level().contains(&name)) {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(unix)]
fn same_owner(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    one.uid() == other.uid()
}

/// Without owners, nothing can be told.
#[cfg(not(unix))]
fn same_owner(_one: &Metadata, _other: &Metadata) -> bool {
    false
}
