//! Which scenario is this folder? The optional `scenario.toml`: a name and the moment of planning.

use labtriage_core::finding::Finding;
use labtriage_core::time::{Instant, Zone};

use crate::config::ConfigFile;
use crate::config::toml_file::TomlFile;

/// The name of the file in a scenario folder.
pub const FILE_NAME: &str = "scenario.toml";

/// What a scenario folder says about itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScenarioFile {
    /// Its name.
    pub name: String,
    /// What it is about.
    pub about: String,
    /// The moment of planning.
    pub now: Instant,
}

/// Reads a `scenario.toml`: `name`, `about` and `now` (local time).
///
/// # Errors
/// All findings of the file.
pub fn read(file: &ConfigFile, zone: Zone) -> Result<ScenarioFile, Vec<Finding>> {
    let parsed = TomlFile::parse(&file.name, &file.text);
    let value = {
        let mut root = parsed.root();
        let name = root.required("name", |value| value.text());
        let about = root.or("about", String::new(), |value| value.text());
        let now = root.required("now", |value| value.instant(zone));
        root.finish();
        name.zip(about).zip(now).map(|((name, about), now)| ScenarioFile { name, about, now })
    };
    parsed.finish(value)
}

/// Writes a `scenario.toml`; `now` is local time, to the minute.
pub fn write(name: &str, about: &str, now: &str) -> String {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    format!(
        "# What this scenario folder is. `labtriage plan` takes the moment of planning from here unless --now is given.\n\
         name = {}\nabout = {}\nnow = {}\n",
        quoted(name),
        quoted(about),
        quoted(now)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ScenarioFile, Vec<String>> {
        let file = ConfigFile { name: "scenario.toml".into(), text: text.into() };
        read(&file, Zone::LONDON).map_err(|findings| findings.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn what_is_written_is_read() {
        let text = write("a \"quoted\" name", "about", "2024-06-10 20:00");
        let scenario = parse(&text).unwrap();
        assert_eq!(scenario.name, "a \"quoted\" name");
        assert_eq!(scenario.now.to_string(), "2024-06-10T19:00Z");
    }

    #[test]
    fn a_scenario_without_a_moment_is_refused() {
        let findings = parse("name = \"x\"\n").unwrap_err();
        assert!(findings[0].contains("C004") && findings[0].contains("`now`"), "{findings:?}");
    }
}
