//! Who is to be called back, what did the practice answer, and which files named patients?

use labtriage_core::time::Instant;
use serde::{Deserialize, Serialize};

use super::sealed::Sealed;
use super::{Keys, Kind, Record};
use crate::minutes;
use crate::pseudonym::OwnedPseudonym;
use crate::states::NoticeState;

/// A patient to be called back, and what has become of it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Notice {
    /// Its number, the same from notice to visit.
    pub id: String,
    /// Who is called back.
    pub patient: OwnedPseudonym,
    /// Whose patient: ODS code.
    pub requester: String,
    /// The most pressing band of its lines.
    pub band: String,
    /// What is to be taken again, in order of accession and test. At least one.
    pub wanted: Vec<Wanted>,
    /// By when the visit should be.
    #[serde(default, with = "minutes::option", skip_serializing_if = "Option::is_none")]
    pub book_by: Option<Instant>,
    /// The visit that the plan offers: start of its day, and where.
    #[serde(default, with = "minutes::option", skip_serializing_if = "Option::is_none")]
    pub visit: Option<Instant>,
    /// The collection point of the visit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub point: Option<String>,
    /// Why, in plain words.
    pub reason: String,
    /// What has become of it.
    pub state: NoticeState,
    /// What the practice answered last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
}

/// A line that needs a new tube.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// The container that was lost.
    pub accession: String,
    /// Test code.
    pub test: String,
    /// Specimen type of the new tube.
    pub specimen: String,
}

/// A practice's answer.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// When the visit is or was, where the answer says so.
    #[serde(default, with = "minutes::option", skip_serializing_if = "Option::is_none")]
    pub visit: Option<Instant>,
    /// Who entered it.
    pub who: String,
    /// What else the practice says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Record for Notice {
    const KIND: Kind = Kind::Notice;

    fn subject(&self) -> &str {
        &self.id
    }
}

impl Sealed for Notice {
    #[expect(private_interfaces, reason = "the trait cannot be named outside this crate")]
    fn keys(&self) -> Keys {
        Keys {
            state: self.state.text(),
            request: String::new(),
            patient: self.patient.expose().to_owned(),
            requester: self.requester.clone(),
        }
    }

    fn free_texts(&self) -> Vec<&str> {
        let answer = self.answer.iter().flat_map(|answer| [Some(&answer.who), answer.note.as_ref()]).flatten();
        answer.chain([&self.reason]).map(String::as_str).collect()
    }

    fn patients(&self) -> &[OwnedPseudonym] {
        std::slice::from_ref(&self.patient)
    }
}

/// A file with identities that left.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Export {
    /// SHA-256 of the file as it left, as 64 hexadecimal digits.
    pub digest: String,
    /// SHA-256 of the file before it was encrypted, when it was.
    pub plain_digest: Option<String>,
    /// Its name, without folder.
    pub file: String,
    /// For which practice: ODS code.
    pub practice: String,
    /// Who received it: a name or the practice's public key.
    pub recipient: String,
    /// Who exported it.
    pub who: String,
    /// Which profile it has.
    pub profile: String,
    /// Digest of the plan whose recalls it lists, where that is known: the same plan may be exported again, as for
    /// another system of the practice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// Whom it names, in order.
    pub patients: Vec<OwnedPseudonym>,
}

impl Record for Export {
    const KIND: Kind = Kind::Export;

    fn subject(&self) -> &str {
        &self.digest
    }
}

impl Sealed for Export {
    #[expect(private_interfaces, reason = "the trait cannot be named outside this crate")]
    fn keys(&self) -> Keys {
        // The digest before encryption finds a leaked file that somebody has decrypted.
        let request = self.plain_digest.clone().unwrap_or_default();
        Keys { state: "left", request, patient: String::new(), requester: self.practice.clone() }
    }

    fn free_texts(&self) -> Vec<&str> {
        vec![&self.recipient, &self.who, &self.file]
    }

    fn patients(&self) -> &[OwnedPseudonym] {
        &self.patients
    }
}
