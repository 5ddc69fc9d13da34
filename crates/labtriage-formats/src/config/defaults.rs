//! Where does each configuration file come from? A scenario folder, a directory, or the defaults
//! that are built in.

use std::fs;
use std::path::Path;

use labtriage_core::catalogue::Catalogue;
use labtriage_core::finding::{Code, Finding};
use labtriage_core::network::Network;
use labtriage_core::policy::Policy;

use super::ConfigFile;
use super::{catalogue, network, policy};
use crate::digest;

macro_rules! shipped {
    ($file:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/", $file))
    };
}

/// The shipped catalogue.
pub const CATALOGUE: &str = shipped!("catalogue.toml");
/// The shipped network.
pub const NETWORK: &str = shipped!("network.toml");
/// The shipped policy.
pub const POLICY: &str = shipped!("policy.toml");
/// The shipped mapping of extracts.
pub const IMPORT: &str = shipped!("import.toml");

/// The origin of a file that is built in.
pub const BUILT_IN: &str = "built in";

/// A file that is built in, under the name that findings use.
pub fn built_in(name: &str, text: &str) -> SourcedFile {
    from_text(name, BUILT_IN, text.to_owned())
}

const NAMES: [&str; 4] = ["catalogue.toml", "network.toml", "policy.toml", "import.toml"];

/// The largest configuration file that is read, in bytes.
pub const SIZE_MAX: u64 = 16 << 20;

/// A configuration file with where it came from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SourcedFile {
    /// Name for findings and text.
    pub file: ConfigFile,
    /// Where it came from: the path of the file, or `built in`.
    pub origin: String,
    /// SHA-256 of its bytes.
    pub digest: String,
}

/// The four configuration files of a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Configuration {
    /// Tests and stability.
    pub catalogue: SourcedFile,
    /// Laboratories.
    pub network: SourcedFile,
    /// Weights.
    pub policy: SourcedFile,
    /// How an extract is to be read.
    pub import: SourcedFile,
}

/// Takes each file from the scenario `folder`, else from `dir`, else from what is built in.
///
/// # Errors
/// [`Code::FileUnreadable`] and [`Code::NotUtf8`], for all files at once. A file that is not there
/// is no error, but a `dir` that is not there or holds none of the files is.
pub fn load(dir: Option<&Path>, folder: Option<&Path>) -> Result<Configuration, Vec<Finding>> {
    let mut findings = Vec::new();
    for place in [dir, folder].into_iter().flatten().filter(|place| !place.is_dir()) {
        let message = "this is not a directory, expected one with configuration files";
        findings.push(Finding::new(Code::FileUnreadable, message).at(&place.display().to_string(), 0, 0));
    }
    if let Some(empty) = dir.filter(|dir| dir.is_dir() && !NAMES.iter().any(|name| stands(&dir.join(name)))) {
        let message = format!("this directory holds none of {}", NAMES.join(", "));
        findings.push(Finding::new(Code::FileUnreadable, message).at(&empty.display().to_string(), 0, 0));
    }
    let mut take = |name: &str, shipped: &str| {
        let found = [folder, dir].into_iter().flatten().map(|place| place.join(name)).find(|path| stands(path));
        let taken = match found {
            Some(path) => from_path(&path),
            None => Ok(built_in(name, shipped)),
        };
        taken.map_err(|finding| findings.push(finding)).ok()
    };
    let (catalogue, network) = (take("catalogue.toml", CATALOGUE), take("network.toml", NETWORK));
    let (policy, import) = (take("policy.toml", POLICY), take("import.toml", IMPORT));
    match (catalogue, network, policy, import) {
        (Some(catalogue), Some(network), Some(policy), Some(import)) if findings.is_empty() => {
            Ok(Configuration { catalogue, network, policy, import })
        }
        _ => Err(findings),
    }
}

/// Whether something stands at a path, even if it cannot be read: only what is not there at all
/// is taken from elsewhere.
fn stands(path: &Path) -> bool {
    !matches!(fs::symlink_metadata(path), Err(error) if error.kind() == std::io::ErrorKind::NotFound)
}

/// Reads one file as text.
///
/// # Errors
/// [`Code::FileUnreadable`] or [`Code::NotUtf8`], with the path as its place.
pub fn from_path(path: &Path) -> Result<SourcedFile, Finding> {
    let name = path.display().to_string();
    let unreadable = |why: String| Finding::new(Code::FileUnreadable, why).at(&name, 0, 0);
    let size =
        fs::metadata(path).map_err(|error| unreadable(format!("cannot read this file: {}", error.kind())))?.len();
    if size > SIZE_MAX {
        return Err(unreadable(format!("this file has {size} bytes, expected at most {SIZE_MAX}")));
    }
    let bytes = fs::read(path).map_err(|error| unreadable(format!("cannot read this file: {}", error.kind())))?;
    String::from_utf8(bytes).map(|text| from_text(&name, &name, text)).map_err(|error| not_utf8(&name, &error))
}

fn from_text(name: &str, origin: &str, text: String) -> SourcedFile {
    let digest = digest::of_bytes(text.as_bytes());
    SourcedFile { file: ConfigFile { name: name.to_owned(), text }, origin: origin.to_owned(), digest }
}

fn not_utf8(name: &str, error: &std::string::FromUtf8Error) -> Finding {
    let valid = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
    let line = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
    let finding = Finding::new(Code::NotUtf8, "this line is not UTF-8");
    finding.at(name, u32::try_from(line).unwrap_or(u32::MAX), 0).hint("save the file as UTF-8")
}

impl Configuration {
    /// Catalogue, network and policy.
    ///
    /// # Errors
    /// Everything that is wrong with any of the three. Where the catalogue or the policy cannot be
    /// read, the other files are still checked, except for the names that would stand there.
    pub fn read(&self) -> Result<(Catalogue, Network, Policy), Vec<Finding>> {
        let catalogue = catalogue::catalogue(&self.catalogue.file);
        let policy = policy::read(&self.policy.file, catalogue.as_ref().ok());
        if let (Ok(catalogue), Ok(policy)) = (&catalogue, &policy) {
            let network = network::network(&self.network.file, catalogue, policy)?;
            return Ok((catalogue.clone(), network, policy.clone()));
        }
        let network = network::check(&self.network.file, catalogue.as_ref().ok(), policy.as_ref().ok());
        Err([catalogue.err(), Some(network), policy.err()].into_iter().flatten().flatten().collect())
    }
}
