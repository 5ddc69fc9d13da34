//! What is an entry, and how does it chain to the one before?
//!
//! `body digest = SHA-256(body)` and
//! `digest = SHA-256("{digest before}\n{seq}\n{at}\n{kind}\n{bytes of subject}:{subject}\n{body digest}")`,
//! all digests as 64 hexadecimal digits, `at` in minutes since 1970-01-01T00:00Z; the digest before
//! the first entry is 64 zeros. So a body may be dropped, and the chain still holds.

use sha2::{Digest, Sha256};

use crate::records::{
    Authorisation, Export, Figures, Keys, Kind, Notice, Override, Published, Query, Record, Renamed, Run, Sample,
    Vacuumed,
};

/// The digest before the first entry.
pub(crate) const BEGINNING: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The last entry of a ledger: written down elsewhere, it proves later that nothing before it has
/// been changed or cut off.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Head {
    /// Its number, from 1; 0 for an empty ledger.
    pub seq: i64,
    /// Its digest, as 64 hexadecimal digits.
    pub digest: String,
}

impl Head {
    /// That of an empty ledger.
    pub(crate) fn beginning() -> Self {
        Self { seq: 0, digest: BEGINNING.to_owned() }
    }
}

/// A body, or the digest that took its place.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Body {
    Kept(String),
    Dropped(String),
}

impl Body {
    pub(crate) fn digest(&self) -> String {
        match self {
            Self::Kept(body) => digest_of(body),
            Self::Dropped(digest) => digest.clone(),
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Kept(body) => Some(body),
            Self::Dropped(_) => None,
        }
    }
}

/// An entry as it is stored.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) seq: i64,
    pub(crate) at: i64,
    pub(crate) kind: String,
    pub(crate) subject: String,
    pub(crate) body: Body,
    pub(crate) digest: String,
}

impl Entry {
    /// The entry that follows.
    pub(crate) fn after(head: &Head, at: i64, kind: Kind, subject: String, body: String) -> Self {
        let body = Body::Kept(body);
        let kind = kind.text().to_owned();
        let mut entry = Self { seq: head.seq + 1, at, kind, subject, body, digest: String::new() };
        entry.digest = entry.digest_after(&head.digest);
        entry
    }

    /// Its digest, if it follows an entry of this digest.
    pub(crate) fn digest_after(&self, before: &str) -> String {
        let Self { seq, at, kind, subject, .. } = self;
        let bytes = subject.len();
        digest_of(&format!("{before}\n{seq}\n{at}\n{kind}\n{bytes}:{subject}\n{}", self.body.digest()))
    }

    pub(crate) fn head(&self) -> Head {
        Head { seq: self.seq, digest: self.digest.clone() }
    }
}

pub(crate) fn digest_of(text: &str) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let digest = Sha256::digest(text.as_bytes());
    // A night has two million of them: pushed, not formatted.
    let digits = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| DIGITS[usize::from(digit)]).collect()
}

/// What the projections keep of a record.
#[derive(Default)]
pub(crate) struct Projected {
    pub(crate) keys: Keys,
    /// Whom an export names; empty for every other kind.
    pub(crate) named: Vec<String>,
    /// The keys are known to be those of the present state.
    pub(crate) same_keys: bool,
}

impl Projected {
    pub(crate) fn of<R: Record>(record: &R) -> Self {
        let export = matches!(R::KIND, Kind::Export);
        let named = if export { record.patients() } else { &[] };
        let named = named.iter().map(|patient| patient.expose().to_owned()).collect();
        Self { keys: record.keys(), named, same_keys: false }
    }

    /// That of a stored body.
    pub(crate) fn of_body(kind: Kind, body: &str) -> Result<Self, serde_json::Error> {
        match kind {
            Kind::Run => Self::read::<Run>(body),
            Kind::Published => Self::read::<Published>(body),
            Kind::Sample => Self::read::<Sample>(body),
            Kind::Override => Self::read::<Override>(body),
            Kind::Authorisation => Self::read::<Authorisation>(body),
            Kind::Notice => Self::read::<Notice>(body),
            Kind::Export => Self::read::<Export>(body),
            Kind::Figures => Self::read::<Figures>(body),
            Kind::Query => Self::read::<Query>(body),
            Kind::Vacuumed => Self::read::<Vacuumed>(body),
            Kind::Renamed => Self::read::<Renamed>(body),
        }
    }

    fn read<R: Record>(body: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str::<R>(body).map(|record| Self::of(&record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_is_the_published_one() {
        // printf '%s\n1\n60\nquery\n0:\n%s' 000…0 "$(printf '{}' | sha256sum | cut -c1-64)" | sha256sum
        let entry = Entry::after(&Head::beginning(), 60, Kind::Query, String::new(), "{}".to_owned());
        assert_eq!(entry.body.digest(), "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
        assert_eq!(entry.digest, "2509829acf931893b6a3f554b1cb64a6168c114184e9f7b1893e47a246400652");
    }

    #[test]
    fn a_dropped_body_keeps_the_digest() {
        let mut entry = Entry::after(&Head::beginning(), 0, Kind::Sample, "24A1".to_owned(), "{\"a\":1}".to_owned());
        entry.body = Body::Dropped(entry.body.digest());
        assert_eq!(entry.digest_after(BEGINNING), entry.digest);
        entry.subject = "24A2".to_owned();
        assert_ne!(entry.digest_after(BEGINNING), entry.digest);
    }
}
