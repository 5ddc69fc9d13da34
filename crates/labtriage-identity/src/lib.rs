//! Who does a pseudonym stand for? The vault: the only place that can say.
//!
//! Identities come in with an extract and leave in a recall list for a practice; between the two they are in
//! one encrypted file. No planner command needs a key of this crate.
//!
//! Reading order: [`nhs_number`], [`person`] (what a person is known by) · [`keys`] (pseudonyms, and the keys
//! they are made with) · [`vault`] (persons by pseudonym) · [`seal`] (how a file is locked and unlocked) · [`error`].
//!
//! No type of this crate has a `Display`, and what it prints for `Debug` says nothing about a person or a key.

pub mod error;
pub mod keys;
pub mod nhs_number;
pub mod person;
pub mod seal;
pub mod vault;

pub use error::IdentityError;
pub use keys::{KeyRing, OwnedPseudonym};
pub use nhs_number::{BadNumber, NhsNumber};
pub use person::{DateOfBirth, Name, Person};
pub use seal::{Lock, Unlock, new_identity};
pub use vault::{Rotated, Vault};
