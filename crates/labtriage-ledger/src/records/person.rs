//! Who decided or asked what, and why?

use labtriage_core::time::Instant;
use serde::{Deserialize, Serialize};

use super::sealed::Sealed;
use super::{Keys, Kind, Record};
use crate::entry::digest_of;
use crate::minutes;
use crate::pseudonym::OwnedPseudonym;
use crate::states::OverrideState;

/// The keys of an override's details that name what it is about.
pub(crate) const CODES: [&str; 2] = ["accession", "request"];

/// A person's decision about planning, in force or ended.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// Its number.
    pub id: String,
    /// What it asks for: the word of `overrides.toml`, such as `hold`.
    pub action: String,
    /// What else belongs to it, by the key of `overrides.toml`, in order of key.
    pub details: Vec<(String, String)>,
    /// Who decided.
    pub who: String,
    /// Why.
    pub why: String,
    /// The second person, where two are needed.
    pub second: Option<String>,
    /// When it was set.
    #[serde(with = "minutes")]
    pub set: Instant,
    /// Until when it holds.
    #[serde(with = "minutes")]
    pub until: Instant,
    /// Whether it is in force.
    pub state: OverrideState,
    /// How it ended: by whom and why, or that its time was over.
    pub ended: Option<String>,
}

impl Record for Override {
    const KIND: Kind = Kind::Override;

    fn subject(&self) -> &str {
        &self.id
    }
}

impl Sealed for Override {
    #[expect(private_interfaces, reason = "the trait cannot be named outside this crate")]
    fn keys(&self) -> Keys {
        Keys { state: self.state.text(), ..Keys::default() }
    }

    fn free_texts(&self) -> Vec<&str> {
        // Codes are looked up when an override is set: see `Writer::set_override`.
        let details = self.details.iter().filter(|(key, _)| !CODES.contains(&key.as_str())).map(|(_, value)| value);
        let texts = [&self.who, &self.why].into_iter().chain(&self.second).chain(&self.ended);
        texts.chain(details).map(String::as_str).collect()
    }
}

/// What a person decides about a discard.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Debug)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It may be thrown away.
    Authorise,
    /// It must not.
    Reject,
    /// It has been thrown away.
    Dispose,
}

/// A person's decision about a discard.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Authorisation {
    /// Accession number.
    pub accession: String,
    /// The discard decided about.
    pub discard: String,
    /// What was decided.
    pub decision: Decision,
    /// By whom.
    pub who: String,
    /// The second person, where two are needed.
    pub second: Option<String>,
    /// Why, where a person says so; a rejection always does.
    pub why: Option<String>,
}

impl Record for Authorisation {
    const KIND: Kind = Kind::Authorisation;

    fn subject(&self) -> &str {
        &self.accession
    }
}

impl Sealed for Authorisation {
    fn free_texts(&self) -> Vec<&str> {
        [&self.who].into_iter().chain(&self.second).chain(&self.why).map(String::as_str).collect()
    }
}

/// A question that somebody asked, so that it is known who looked.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// Who asked.
    pub who: String,
    /// The accession asked about.
    pub sample: Option<String>,
    /// The request asked about.
    pub request: Option<String>,
    /// The patient asked about.
    pub patient: Option<OwnedPseudonym>,
    /// The practice asked about, or on whose behalf: ODS code.
    pub practice: Option<String>,
    /// How many samples the answer named.
    pub found: u64,
}

impl Record for Query {
    const KIND: Kind = Kind::Query;

    fn subject(&self) -> &'static str {
        ""
    }
}

impl Sealed for Query {
    fn free_texts(&self) -> Vec<&str> {
        // What was found is an accession or a request, whatever its digits.
        let codes = if self.found == 0 { [&self.sample, &self.request] } else { [&None, &None] };
        codes.into_iter().chain([&self.practice]).flatten().chain([&self.who]).map(String::as_str).collect()
    }

    fn patients(&self) -> &[OwnedPseudonym] {
        self.patient.as_slice()
    }
}

/// Bodies of old entries were dropped; their digests stay.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Vacuumed {
    /// Entries before this moment were looked at.
    #[serde(with = "minutes")]
    pub before: Instant,
    /// How many bodies were dropped.
    pub dropped: u64,
    /// Who did it.
    pub who: String,
}

impl Record for Vacuumed {
    const KIND: Kind = Kind::Vacuumed;

    fn subject(&self) -> &'static str {
        ""
    }
}

impl Sealed for Vacuumed {
    fn free_texts(&self) -> Vec<&str> {
        vec![&self.who]
    }
}

/// A patient has got another pseudonym, as keys were rotated. It names nobody.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Renamed {
    /// SHA-256 of the pseudonym before, as no message may show a pseudonym.
    pub id: String,
    /// The pseudonym before.
    pub before: OwnedPseudonym,
    /// The pseudonym from now on.
    pub patient: OwnedPseudonym,
    /// Who rotated.
    pub who: String,
}

impl Renamed {
    /// The record of a pair.
    pub fn new(before: OwnedPseudonym, patient: OwnedPseudonym, who: &str) -> Self {
        Self { id: digest_of(before.expose()), before, patient, who: who.to_owned() }
    }
}

impl Record for Renamed {
    const KIND: Kind = Kind::Renamed;

    fn subject(&self) -> &str {
        &self.id
    }
}

impl Sealed for Renamed {
    #[expect(private_interfaces, reason = "the trait cannot be named outside this crate")]
    fn keys(&self) -> Keys {
        let (request, patient) = (self.before.expose().to_owned(), self.patient.expose().to_owned());
        Keys { request, patient, ..Keys::default() }
    }

    fn free_texts(&self) -> Vec<&str> {
        vec![self.before.expose(), &self.who]
    }

    fn patients(&self) -> &[OwnedPseudonym] {
        std::slice::from_ref(&self.patient)
    }
}
