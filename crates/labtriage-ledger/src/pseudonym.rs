//! Whose is it? A patient's pseudonym that outlives the backlog it came from.

use std::fmt;

use labtriage_core::backlog::Pseudonym;
use serde::{Deserialize, Serialize};

/// A patient's pseudonym. It has no `Display`, and its `Debug` says nothing.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OwnedPseudonym(String);

impl OwnedPseudonym {
    /// A pseudonym of this text. That it is no NHS number is checked when it is recorded.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the ledger and for the files that are meant to hold pseudonyms.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<Pseudonym<'_>> for OwnedPseudonym {
    fn from(pseudonym: Pseudonym<'_>) -> Self {
        Self(pseudonym.expose().to_owned())
    }
}

impl fmt::Debug for OwnedPseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnedPseudonym(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_says_nothing() {
        assert_eq!(format!("{:?}", OwnedPseudonym::new("PSEUDO-77")), "OwnedPseudonym(redacted)");
    }
}
