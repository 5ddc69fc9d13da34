//! Where is the ledger? A file, or a PostgreSQL database.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::LedgerError;

/// The address of a ledger. Neither `Display` nor `Debug` shows user or password.
#[derive(Clone, PartialEq, Eq)]
pub enum Address {
    /// A SQLite file.
    File(PathBuf),
    /// A `postgres://` URL.
    Postgres(String),
}

impl Address {
    /// Reads what a user has typed: a path, or a URL of PostgreSQL.
    ///
    /// # Errors
    /// [`LedgerError::BadAddress`] for an empty text or a URL of anything else.
    pub fn parse(typed: &str) -> Result<Self, LedgerError> {
        if typed.is_empty() {
            return Err(LedgerError::BadAddress("is empty"));
        }
        match typed.split_once("://") {
            Some(("postgres" | "postgresql", _)) => Ok(Self::Postgres(typed.to_owned())),
            Some(_) => Err(LedgerError::BadAddress("is a URL, but not of PostgreSQL")),
            None => Ok(Self::File(PathBuf::from(typed))),
        }
    }

    /// Whether it is a server's.
    pub(crate) const fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// The URL that the database library takes.
    pub(crate) fn url(&self, create: bool) -> Result<String, LedgerError> {
        match self {
            Self::Postgres(url) => Ok(url.clone()),
            Self::File(path) => {
                let path = std::path::absolute(path).map_err(|_| LedgerError::BadAddress("is no usable path"))?;
                let mode = if create { "rwc" } else { "rw" };
                Ok(format!("sqlite://{}?mode={mode}", escaped(&path)?))
            }
        }
    }
}

/// A path as it may stand in a URL: everything but plain letters is escaped.
fn escaped(path: &Path) -> Result<String, LedgerError> {
    let text = path.to_str().ok_or(LedgerError::BadAddress("is a path that is not UTF-8"))?;
    let mut url = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => url.push(char::from(byte)),
            _ => url.push_str(&format!("%{byte:02X}")),
        }
    }
    Ok(url)
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Postgres(url) => {
                let rest = url.split_once("://").map_or("", |(_, rest)| rest);
                let (place, options) = rest.split_once('?').unwrap_or((rest, ""));
                if options.contains('@') {
                    // The password may hold a `?`: then nothing shows where it ends.
                    return f.write_str("a PostgreSQL database");
                }
                let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
                write!(f, "postgres://{place}")
            }
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_file_and_a_url_a_server() {
        assert_eq!(Address::parse("a/b.ledger").unwrap(), Address::File("a/b.ledger".into()));
        assert!(Address::parse("postgres://localhost/lab").unwrap().is_postgres());
        assert!(Address::parse("postgresql://localhost/lab").unwrap().is_postgres());
        assert!(Address::parse("mysql://localhost/lab").is_err());
        assert!(Address::parse("").is_err());
    }

    #[test]
    fn nobody_sees_the_password() {
        let odd = Address::parse("postgres://lab:se/c?r@et@db.example/lab?password=secret").unwrap();
        assert_eq!(odd.to_string(), "a PostgreSQL database");
        let address = Address::parse("postgres://lab:se/cr@et@db.example/lab?password=secret").unwrap();
        assert_eq!(address.to_string(), "postgres://db.example/lab");
        assert_eq!(format!("{address:?}"), "Address(postgres://db.example/lab)");
    }

    #[test]
    fn odd_paths_are_escaped() {
        let url = Address::File("/tmp/my ledger?#%.db".into()).url(true).unwrap();
        assert_eq!(url, "sqlite:///tmp/my%20ledger%3F%23%25.db?mode=rwc");
    }
}
