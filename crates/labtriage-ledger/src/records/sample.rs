//! What is a container, and what are its lines?

use std::borrow::Cow;

use labtriage_core::nhs;
use labtriage_core::time::Instant;
use serde::{Deserialize, Serialize};

use super::sealed::Sealed;
use super::{Discard, Keys, Kind, Record};
use crate::minutes;
use crate::pseudonym::OwnedPseudonym;
use crate::states::{LineState, SampleState};

/// The words of [`Line::answered_by`], before and after the accession.
const SAMPLE: &str = "sample ";
const ANSWERS: &str = " answers the same question";

/// A container with all its lines, as it is from an entry on.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// Accession number.
    pub accession: String,
    /// Request code.
    pub request: String,
    /// Whose it is.
    pub patient: OwnedPseudonym,
    /// Who asked: ODS code.
    pub requester: String,
    /// Specimen type.
    pub specimen: String,
    /// Where it stands.
    pub site: String,
    /// The band of its request.
    pub band: String,
    /// What it is.
    pub state: SampleState,
    /// Cannot be collected again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub irreplaceable: bool,
    /// When it was received by the laboratory.
    #[serde(default, with = "minutes::option", skip_serializing_if = "Option::is_none")]
    pub received: Option<Instant>,
    /// Why it is so; needed where a change is unusual (see [`crate::transitions`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// Its lines, in order of test. At least one.
    pub lines: Vec<Line>,
    /// What is known of its discard, once one was proposed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discard: Option<Box<Discard>>,
}

/// A test line, as it is from an entry on.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Test code.
    pub test: String,
    /// What it is.
    pub state: LineState,
    /// When that happens or happened: start of the slot, day of the visit, time of the result.
    #[serde(default, with = "minutes::option", skip_serializing_if = "Option::is_none")]
    pub at: Option<Instant>,
    /// Where that happens: analyser, laboratory or collection point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Until when it can be run from this container, where a limit is known.
    #[serde(default, with = "minutes::option", skip_serializing_if = "Option::is_none")]
    pub expires: Option<Instant>,
    /// Why it is so; needed where a change is unusual, such as a test of an expired line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// The caution that must stand on worklist and report when it is tested although expired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caution: Option<String>,
}

impl Line {
    /// A line of which only its state is known.
    pub fn new(test: impl Into<String>, state: LineState) -> Self {
        Self { test: test.into(), state, at: None, place: None, expires: None, because: None, caution: None }
    }

    /// Why a line is cancelled that another sample answers. An accession of ten digits in these words, which no person has
    /// typed, is not taken for an NHS number.
    pub fn answered_by(accession: &str) -> String {
        format!("{SAMPLE}{accession}{ANSWERS}")
    }

    /// Why it is so, unless in those words.
    fn typed_reason(&self) -> Option<&String> {
        let accession = |because: &str| Some(nhs::is_ten_digits(because.strip_prefix(SAMPLE)?.strip_suffix(ANSWERS)?));
        self.because.as_ref().filter(|because| accession(because) != Some(true))
    }
}

impl Sample {
    /// The line of a test.
    pub fn line(&self, test: &str) -> Option<&Line> {
        self.lines.iter().find(|line| line.test == test)
    }

    /// The line of a test, to be changed.
    pub fn line_mut(&mut self, test: &str) -> Option<&mut Line> {
        self.lines.iter_mut().find(|line| line.test == test)
    }
}

/// What is counted of a sample, borrowed from its body: a ledger may hold a million of them.
#[derive(Deserialize, Debug)]
pub struct Counted<'a> {
    /// Accession number.
    #[serde(borrow)]
    pub accession: Cow<'a, str>,
    /// Who asked: ODS code.
    #[serde(borrow)]
    pub requester: Cow<'a, str>,
    /// The band of its request.
    #[serde(borrow)]
    pub band: Cow<'a, str>,
    /// What it is.
    pub state: SampleState,
    /// When it was received by the laboratory.
    #[serde(default, with = "minutes::option")]
    pub received: Option<Instant>,
    /// Its lines, in order of test.
    #[serde(borrow)]
    pub lines: Vec<CountedLine<'a>>,
    /// What is counted of its discard, once one was proposed.
    pub discard: Option<CountedDiscard>,
}

/// What is counted of a test line.
#[derive(Deserialize, Debug)]
pub struct CountedLine<'a> {
    /// Test code.
    #[serde(borrow)]
    pub test: Cow<'a, str>,
    /// What it is.
    pub state: LineState,
    /// When that happens or happened.
    #[serde(default, with = "minutes::option")]
    pub at: Option<Instant>,
}

/// What is counted of a discard.
#[derive(Deserialize, Debug)]
pub struct CountedDiscard {
    /// When it was proposed.
    #[serde(with = "minutes")]
    pub proposed: Instant,
}

impl<'a> Counted<'a> {
    /// The line of a test.
    pub fn line(&self, test: &str) -> Option<&CountedLine<'a>> {
        self.lines.iter().find(|line| line.test == test)
    }
}

impl Record for Sample {
    const KIND: Kind = Kind::Sample;

    fn subject(&self) -> &str {
        &self.accession
    }
}

impl Sealed for Sample {
    #[expect(private_interfaces, reason = "the trait cannot be named outside this crate")]
    fn keys(&self) -> Keys {
        Keys {
            state: self.state.text(),
            request: self.request.clone(),
            patient: self.patient.expose().to_owned(),
            requester: self.requester.clone(),
        }
    }

    fn free_texts(&self) -> Vec<&str> {
        let lines = self.lines.iter().flat_map(|line| [line.typed_reason(), line.caution.as_ref()]);
        let discard = self.discard.iter().flat_map(|discard| discard.free_texts());
        lines.chain([self.because.as_ref()]).flatten().map(String::as_str).chain(discard).collect()
    }

    fn patients(&self) -> &[OwnedPseudonym] {
        std::slice::from_ref(&self.patient)
    }
}
