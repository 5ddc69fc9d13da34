//! Where do keys come from? A file that was named, else the environment; never the command line itself. And who may
//! change the store that they open: one program at a time.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use labtriage_formats::outputs::{Readers, write_whole};
use labtriage_identity::{IdentityError, KeyRing, Lock, Unlock};

use crate::args::{KeysArguments, LockArguments, UnlockArguments};
use crate::lock;

/// The environment's pseudonym keys, as in a file.
const KEYS: &str = "LABTRIAGE_PSEUDONYM_KEYS";
/// The environment's passphrase of the store.
const PASSPHRASE: &str = "LABTRIAGE_STORE_PASSPHRASE";

fn from_environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

/// The keys of pseudonyms, if any were given.
pub(crate) fn some_keys(arguments: &KeysArguments) -> Result<Option<KeyRing>, IdentityError> {
    match (&arguments.keys, from_environment(KEYS)) {
        (Some(path), _) => KeyRing::from_file(path).map(Some),
        (None, Some(text)) => KeyRing::parse(&text, KEYS).map(Some),
        (None, None) => Ok(None),
    }
}

/// The keys of pseudonyms.
pub(crate) fn keys(arguments: &KeysArguments) -> Result<KeyRing, IdentityError> {
    some_keys(arguments)?.ok_or(IdentityError::NoKey { place: format!("`--keys` or {KEYS}") })
}

/// What the store is locked with.
pub(crate) fn lock(arguments: &LockArguments) -> Result<Lock, IdentityError> {
    if let Some(path) = &arguments.lock {
        return Lock::recipients(&read(path, "read the age recipients in")?, &path.display().to_string());
    }
    let hint = "give `--lock FILE` with age recipients, or set LABTRIAGE_STORE_PASSPHRASE";
    from_environment(PASSPHRASE).map(Lock::passphrase).ok_or(IdentityError::NoLock { what: "lock", hint })
}

/// What the store is unlocked with.
pub(crate) fn unlock(arguments: &UnlockArguments, hint: &'static str) -> Result<Unlock, IdentityError> {
    if let Some(path) = &arguments.unlock {
        return Unlock::from_file(path);
    }
    from_environment(PASSPHRASE).map(Unlock::passphrase).ok_or(IdentityError::NoLock { what: "unlock", hint })
}

/// The text of a file that holds no secrets.
pub(crate) fn read(path: &Path, what: &'static str) -> Result<String, IdentityError> {
    fs::read_to_string(path).map_err(|source| IdentityError::Io { what, path: path.to_owned(), source })
}

/// A store that nobody else changes as long as this is there: `STORE.lock` beside it is locked.
pub(crate) struct Held {
    /// Where it is, or will be. A link is followed: who names the store by it and who does not hold the same lock, and
    /// what it points to is replaced, not the link.
    pub(crate) path: PathBuf,
    _lock: File,
}

/// Takes hold of a store that is to be read, changed and written.
pub(crate) fn hold(store: &Path) -> Result<Held, IdentityError> {
    let io = |what, path: &Path| {
        let path = path.to_owned();
        move |source| IdentityError::Io { what, path, source }
    };
    // A link to nothing is refused: it is not where a new store belongs.
    let path = match store.symlink_metadata() {
        Ok(_) => store.canonicalize().map_err(io("open the identity store", store))?,
        Err(_) => store.to_owned(),
    };
    let mut beside = path.as_os_str().to_owned();
    beside.push(".lock");
    let lock = lock::take(Path::new(&beside)).map_err(|error| match error {
        TryLockError::WouldBlock => IdentityError::Busy { path: store.to_owned() },
        TryLockError::Error(source) => io("lock", Path::new(&beside))(source),
    })?;
    Ok(Held { path, _lock: lock })
}

/// Writes a file with keys or identities whole or not at all, for its owner's eyes only.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), IdentityError> {
    write_whole(path, Readers::Owner, bytes).map_err(|source| IdentityError::Io {
        what: "write",
        path: path.to_owned(),
        source,
    })
}
