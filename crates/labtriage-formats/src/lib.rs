//! Every file shape of LabTriage, in and out.

pub mod config;
pub mod digest;
pub mod extract;
pub mod identified;
pub mod import;
pub mod manifest;
pub mod outputs;
pub mod plan_json;
pub mod recalls;
pub mod results;
pub mod scenario;
pub mod signed;
