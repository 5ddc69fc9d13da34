//! What do the configuration files say? TOML in, the core's nouns out, all findings at once.

mod analyser;
pub mod catalogue;
pub mod defaults;
mod names;
pub mod network;
pub mod overrides;
pub mod policy;
pub mod quantity;
pub mod toml_file;

/// A configuration file: its name for findings, and its text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigFile {
    /// The file, as findings name it.
    pub name: String,
    /// All of it.
    pub text: String,
}
