//! What can go wrong with keys and stores? Never said with anything of a person or a key in it.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a key, a store or a lock could not be used.
#[derive(Error, Debug)]
pub enum IdentityError {
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
    /// Another program changes the store.
    #[error(
        "another program is changing the identity store `{}`\n  hint: wait until it has ended; its lock goes with it", .path.display()
    )]
    Busy {
        /// The store.
        path: PathBuf,
    },
    /// A file of keys that holds none.
    #[error(
        "there is no pseudonym key in {place}, expected a line `<key id> <64 hexadecimal digits>`\n  hint: `labtriage identities keys --out DIR` makes one"
    )]
    NoKey {
        /// Where keys were looked for.
        place: String,
    },
    /// A line of a file of keys that is none.
    #[error("line {line} of {place} is no pseudonym key, expected `<key id> <64 hexadecimal digits>`: {what}")]
    BadKey {
        /// Where keys were looked for.
        place: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Two keys of one id.
    #[error("two pseudonym keys in {place} have the id `{id}`, expected each id once")]
    KeyTwice {
        /// Where keys were looked for.
        place: String,
        /// The id.
        id: String,
    },
    /// A recipient that cannot be read.
    #[error("this is no age recipient, expected one that begins with `age1`{place}")]
    BadRecipient {
        /// ` (line 3 of recipients.txt)`, or nothing.
        place: String,
    },
    /// A file of secret age identities that holds none, or something else.
    #[error("`{}` holds no age identity, expected a line that begins with `AGE-SECRET-KEY-1`", .path.display())]
    BadSecret {
        /// The file.
        path: PathBuf,
    },
    /// Nothing was given to lock or unlock with.
    #[error("nothing was given to {what} the identity store with\n  hint: {hint}")]
    NoLock {
        /// `lock` or `unlock`.
        what: &'static str,
        /// What to give.
        hint: &'static str,
    },
    /// The store was locked for somebody else.
    #[error(
        "the identity store cannot be unlocked with this key: it was locked for another\n  hint: give the age identity (or the passphrase) that belongs to what it was locked with"
    )]
    WrongKey,
    /// The store was cut off or changed.
    #[error(
        "the identity store is damaged: it was cut off or changed after it was written\n  hint: restore it, or import the extract again"
    )]
    Damaged,
    /// The file is no store.
    #[error("this is no identity store: {what}")]
    NotAStore {
        /// What it is instead.
        what: &'static str,
    },
    /// Encryption failed.
    #[error("cannot encrypt: {0}")]
    Encrypt(&'static str),
}
