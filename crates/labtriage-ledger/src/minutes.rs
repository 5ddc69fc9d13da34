//! How is a moment written in a body? As whole minutes since 1970-01-01T00:00Z.

use labtriage_core::time::Instant;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// For `#[serde(with = "minutes")]`.
pub(crate) fn serialize<S: Serializer>(at: &Instant, to: S) -> Result<S::Ok, S::Error> {
    at.epoch_minutes().serialize(to)
}

/// For `#[serde(with = "minutes")]`.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Instant, D::Error> {
    i32::deserialize(from).map(Instant::from_epoch_minutes)
}

/// The same for moments that may be missing.
pub(crate) mod option {
    use super::{Deserialize, Deserializer, Instant, Serialize, Serializer};

    /// For `#[serde(with = "minutes::option")]`.
    #[expect(clippy::ref_option, reason = "serde passes a reference to the field")]
    pub(crate) fn serialize<S: Serializer>(at: &Option<Instant>, to: S) -> Result<S::Ok, S::Error> {
        at.map(Instant::epoch_minutes).serialize(to)
    }

    /// For `#[serde(with = "minutes::option")]`.
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Instant>, D::Error> {
        Ok(Option::<i32>::deserialize(from)?.map(Instant::from_epoch_minutes))
    }
}
