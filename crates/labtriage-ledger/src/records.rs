//! What does an entry say? One type per kind; what is read is what was written.
//!
//! A record says the whole of what is true of its subject from then on, so the latest entry of a
//! subject is its present state, and any older one can be forgotten without loss to the present.
//! Codes (tests, sites, requesters) are those of the run's files: a record outlives its snapshot.

mod discard;
mod figures;
mod person;
mod recall;
mod run;
mod sample;

pub use discard::{Collected, Discard, HistoryStep, Limit, RecallAction};
pub use figures::{BandCode, Bench, Codes, Figures, Group, Measure};
pub(crate) use person::CODES;
pub use person::{Authorisation, Decision, Override, Query, Renamed, Vacuumed};
pub use recall::{Answer, Export, Notice, Wanted};
pub use run::{Published, Run};
pub use sample::{Counted, CountedDiscard, CountedLine, Line, Sample};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::pseudonym::OwnedPseudonym;

/// The kinds of entries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// A planning run.
    Run,
    /// A plan that people work by.
    Published,
    /// A container and its lines.
    Sample,
    /// A person's decision about planning.
    Override,
    /// A person's decision about a discard.
    Authorisation,
    /// A patient to be called back, and what became of it.
    Notice,
    /// A file with identities that left.
    Export,
    /// The figures of a night.
    Figures,
    /// A question about a sample, request, patient or practice.
    Query,
    /// Bodies of old entries were dropped.
    Vacuumed,
    /// A patient has got another pseudonym.
    Renamed,
}

impl Kind {
    /// Every kind there is.
    pub const ALL: [Self; 11] = [
        Self::Run,
        Self::Published,
        Self::Sample,
        Self::Override,
        Self::Authorisation,
        Self::Notice,
        Self::Export,
        Self::Figures,
        Self::Query,
        Self::Vacuumed,
        Self::Renamed,
    ];

    /// The word used in the ledger.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Published => "published",
            Self::Sample => "sample",
            Self::Override => "override",
            Self::Authorisation => "authorisation",
            Self::Notice => "notice",
            Self::Export => "export",
            Self::Figures => "figures",
            Self::Query => "query",
            Self::Vacuumed => "vacuumed",
            Self::Renamed => "renamed",
        }
    }

    /// The kind of a word.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.text() == text)
    }

    /// Whether its subjects have a present state, which the latest entry holds.
    pub const fn has_present(self) -> bool {
        matches!(
            self,
            Self::Run | Self::Published | Self::Sample | Self::Override | Self::Notice | Self::Export | Self::Renamed
        )
    }

    /// Whether an old body may be dropped once a later entry of its subject has taken its place;
    /// a query has no successor and may always be.
    pub const fn may_be_dropped(self) -> bool {
        matches!(self, Self::Sample | Self::Override | Self::Notice | Self::Query | Self::Renamed)
    }
}

/// The keys a present state is found by; empty where a kind has none.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct Keys {
    pub(crate) state: &'static str,
    pub(crate) request: String,
    pub(crate) patient: String,
    pub(crate) requester: String,
}

/// A record: what an entry of a kind says of its subject.
pub trait Record: Serialize + DeserializeOwned + sealed::Sealed {
    /// Its kind.
    const KIND: Kind;

    /// What it is about; empty where the kind has one subject only.
    fn subject(&self) -> &str;
}

pub(crate) mod sealed {
    use super::{Keys, OwnedPseudonym};

    /// What the ledger itself asks of a record.
    pub trait Sealed {
        /// The keys of the present state.
        #[expect(private_interfaces, reason = "the trait cannot be named outside this crate")]
        fn keys(&self) -> Keys {
            Keys::default()
        }

        /// Texts that people have written.
        fn free_texts(&self) -> Vec<&str> {
            Vec::new()
        }

        /// Patients that it names.
        fn patients(&self) -> &[OwnedPseudonym] {
            &[]
        }
    }
}
