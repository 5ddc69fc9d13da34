//! What must be known of a discard? The record that a laboratory keeps of each.
//!
//! Accession, lines, specimen, requester, patient and irreplaceability stand in the
//! [`super::Sample`] that holds the record.

use labtriage_core::time::Instant;
use serde::{Deserialize, Serialize};

use crate::minutes;

/// A proposed, authorised, rejected or done discard.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Discard {
    /// Its number, the same from proposal to disposal.
    pub id: String,
    /// Digest of the run that proposed it.
    pub run: String,
    /// The kind of container.
    pub container: String,
    /// When it was collected.
    pub collected: Collected,
    /// How it was kept, in order of time.
    pub history: Vec<HistoryStep>,
    /// The limit that the last fit line has passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Limit>,
    /// When its last fit line was lost; none for a discard that a person forced.
    #[serde(default, with = "minutes::option", skip_serializing_if = "Option::is_none")]
    pub expired: Option<Instant>,
    /// Until when it must be kept: `expired` and the policy's minimum hold. Nobody can authorise
    /// or dispose before; none for a discard that a person forced.
    #[serde(default, with = "minutes::option", skip_serializing_if = "Option::is_none")]
    pub keep_until: Option<Instant>,
    /// When it was proposed.
    #[serde(with = "minutes")]
    pub proposed: Instant,
    /// HL7 table 0490: `EX`, `RR`, …
    pub reason_code: String,
    /// The reason in words.
    pub reason: String,
    /// `system`, or the user who forced it.
    pub proposed_by: String,
    /// The override that forced it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub override_id: Option<String>,
    /// Whether the patient is called back.
    pub recall: RecallAction,
    /// Who authorised or rejected it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
    /// The second person; only for irreplaceable samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second: Option<String>,
    /// When it was authorised or rejected.
    #[serde(default, with = "minutes::option", skip_serializing_if = "Option::is_none")]
    pub decided: Option<Instant>,
    /// What was given as a reason when it was authorised or rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_because: Option<String>,
    /// When the requester was told.
    #[serde(default, with = "minutes::option", skip_serializing_if = "Option::is_none")]
    pub notified: Option<Instant>,
    /// How the requester was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notified_via: Option<String>,
    /// When it was thrown away.
    #[serde(default, with = "minutes::option", skip_serializing_if = "Option::is_none")]
    pub disposed: Option<Instant>,
    /// Who threw it away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disposed_by: Option<String>,
    /// Whether the report to the requester was issued.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub report_issued: bool,
}

impl Discard {
    pub(super) fn free_texts(&self) -> impl Iterator<Item = &str> {
        let people = [&self.decided_by, &self.second, &self.decided_because, &self.disposed_by, &self.notified_via];
        let recall = match &self.recall {
            RecallAction::Required => None,
            RecallAction::NotRequired { reason } => Some(reason.as_str()),
        };
        let people = people.into_iter().flatten().map(String::as_str);
        people.chain([self.reason.as_str(), self.proposed_by.as_str()]).chain(recall)
    }
}

/// When a container was collected, and whether that is known.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Collected {
    /// When.
    #[serde(with = "minutes")]
    pub at: Instant,
    /// Whether that is an assumption of the policy.
    pub assumed: bool,
}

/// From when a container was kept in a state.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct HistoryStep {
    /// From when.
    #[serde(with = "minutes")]
    pub from: Instant,
    /// In which state, such as `primary refrigerated`.
    pub state: String,
}

/// A stability limit, as the catalogue states it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// Of which test.
    pub test: String,
    /// In which state of the container.
    pub state: String,
    /// How long, in minutes.
    pub minutes: i32,
    /// Where the figure comes from.
    pub source: String,
    /// The version of the catalogue.
    pub catalogue: String,
}

/// Whether a patient is called back for a discarded sample.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RecallAction {
    /// Yes.
    Required,
    /// No, and why.
    NotRequired {
        /// Why not.
        reason: String,
    },
}
