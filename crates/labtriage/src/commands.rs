//! What does each command do?

mod charged;
pub(crate) mod check;
pub(crate) mod discards;
pub(crate) mod explain;
pub(crate) mod exports;
pub(crate) mod generate;
pub(crate) mod identities;
pub(crate) mod import;
pub(crate) mod kpi;
pub(crate) mod ledger;
pub(crate) mod manifest;
pub(crate) mod model;
pub(crate) mod nightly;
pub(crate) mod overrides;
pub(crate) mod plan;
pub(crate) mod recalls;
pub(crate) mod status;
