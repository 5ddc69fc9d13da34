//! What has left with identities in it? What somebody must be able to look up when a file is found where it should
//! not be.

use labtriage_core::table::{PatientIx, RequesterIx};

use super::profile::Profile;

/// A list of one practice that was written, as it is to be registered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExportedList {
    /// Whose.
    pub requester: RequesterIx,
    /// Its path inside the folder.
    pub path: String,
    /// For which system.
    pub profile: Profile,
    /// SHA-256 of the file as it was written, in hexadecimal.
    pub digest: String,
    /// SHA-256 of the list before it was locked; the same as `digest` when it is not locked.
    pub plain_digest: String,
    /// The age recipient that it is locked for.
    pub recipient: Option<String>,
    /// Whom it names, in order.
    pub patients: Vec<PatientIx>,
}
