//! What does each command do?

mod charged;
pub(crate) mod check;
pub(crate) mod explain;
pub(crate) mod generate;
pub(crate) mod identities;
pub(crate) mod import;
pub(crate) mod ledger;
pub(crate) mod model;
pub(crate) mod plan;
pub(crate) mod recalls;
