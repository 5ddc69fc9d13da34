//! Is this extract whole? The `manifest.toml` of an extract, which whoever sends it writes last.
//!
//! ```toml
//! taken = "2024-06-10T19:00Z" # when the LIMS was read, in UTC
//! rows = 11000                # rows of backlog.csv, its header aside
//!
//! [[file]]
//! name = "backlog.csv"
//! bytes = 1834223
//! sha256 = "…"
//! ```

use std::fmt::Write as _;
use std::io::Read;

use chrono::NaiveDateTime;
use labtriage_core::finding::Finding;
use labtriage_core::time::Instant;

use crate::config::ConfigFile;
use crate::config::quantity::reading;
use crate::config::toml_file::{Cursor, TomlFile, Value, all};
use crate::extract::Rows;
use crate::import::Import;
use crate::{results, scenario};

/// The name of the file in the folder of an extract.
pub const FILE_NAME: &str = "manifest.toml";

/// The extract itself.
pub const BACKLOG: &str = "backlog.csv";

/// Every file of an extract that is read, and that a manifest must therefore name where it is there.
pub const READ: [&str; 8] = [
    BACKLOG,
    results::FILE_NAME,
    "overrides.toml",
    scenario::FILE_NAME,
    "import.toml",
    "catalogue.toml",
    "network.toml",
    "policy.toml",
];

/// What the sender of an extract says of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Manifest {
    /// When the LIMS was read.
    pub taken: Instant,
    /// Rows of the backlog, its header aside.
    pub rows: u64,
    /// Every file that belongs to it, in the order of the manifest.
    pub files: Vec<ManifestFile>,
}

/// A file of an extract.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ManifestFile {
    /// Its name, without folder.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of its bytes, as 64 hexadecimal digits.
    pub sha256: String,
}

/// Reads a manifest.
///
/// # Errors
/// Everything that is wrong with it, in order of place.
pub fn read(file: &ConfigFile) -> Result<Manifest, Vec<Finding>> {
    let parsed = TomlFile::parse(&file.name, &file.text);
    let value = {
        let mut root = parsed.root();
        let taken = root.required("taken", utc);
        let rows = root.required("rows", |value| value.whole(0..=u32::MAX));
        let files = all(root.tables("file").into_iter().map(entry));
        root.finish();
        taken.zip(rows).zip(files).map(|((taken, rows), files)| Manifest { taken, rows: u64::from(rows), files })
    };
    parsed.finish(value)
}

fn entry(mut entry: Cursor<'_>) -> Option<ManifestFile> {
    let name = entry.required("name", |value| value.parsed("the name of a file in this folder", plain));
    let bytes = entry.required("bytes", |value| value.whole(0..=u32::MAX));
    let sha256 = entry.required("sha256", |value| value.parsed("64 lower-case hexadecimal digits", hexadecimal));
    entry.finish();
    Some(ManifestFile { name: name?, bytes: u64::from(bytes?), sha256: sha256? })
}

fn utc(value: Value<'_>) -> Option<Instant> {
    value.parsed("a time in UTC such as `2024-06-10T19:00Z`", |text| {
        let time: NaiveDateTime = reading(text.strip_suffix('Z')?)?;
        Instant::from_utc(time.and_utc())
    })
}

fn plain(text: &str) -> Option<String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    (!text.is_empty() && !text.starts_with('.') && text.chars().all(fits)).then(|| text.to_owned())
}

fn hexadecimal(text: &str) -> Option<String> {
    let fits = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    (text.len() == 64 && text.bytes().all(fits)).then(|| text.to_owned())
}

/// Writes a manifest.
pub fn write(manifest: &Manifest) -> String {
    let mut text = format!(
        "# What belongs to this extract. Written last: without it, the extract is still being copied.\n\
         taken = \"{}\"\nrows = {}\n",
        manifest.taken, manifest.rows
    );
    for ManifestFile { name, bytes, sha256 } in &manifest.files {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n[[file]]\nname = \"{name}\"\nbytes = {bytes}\nsha256 = \"{sha256}\"\n");
    }
    text
}

/// Counts the rows of a backlog as they are counted when it is read, its header aside, and works out its digest, in one
/// reading; `name` is the file as findings should name it.
///
/// # Errors
/// When it is empty or cannot be read.
pub fn count_rows(reader: impl Read, name: &str, import: &Import) -> Result<(u64, String), Vec<Finding>> {
    let mut rows = Rows::new(reader, name, import.delimiter, None);
    rows.header()?;
    let count = rows.each(|_, _| {})?;
    Ok((count, rows.digest()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Manifest, Vec<String>> {
        let file = ConfigFile { name: "manifest.toml".into(), text: text.into() };
        read(&file).map_err(|findings| findings.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn what_is_written_is_read() {
        let file = ManifestFile { name: BACKLOG.into(), bytes: 12, sha256: "ab".repeat(32) };
        let manifest =
            Manifest { taken: Instant::from_epoch_minutes(29_000_000), rows: 3, files: vec![file.clone(), file] };
        assert_eq!(parse(&write(&manifest)).unwrap(), manifest);
    }

    #[track_caller]
    fn check_refused(text: &str, expected: &str) {
        let findings = parse(text).unwrap_err();
        assert!(findings.iter().any(|finding| finding.contains(expected)), "{findings:?}");
    }

    #[test]
    fn what_could_mislead_is_refused() {
        check_refused("rows = 1\n", "`taken`");
        check_refused("taken = \"2024-06-10T19:00\"\nrows = 1\n", "a time in UTC");
        check_refused("taken = \"2024-06-10T19:00Z\"\n", "`rows`");
        let entry = |name: &str, digest: &str| {
            format!(
                "taken = \"2024-06-10T19:00Z\"\nrows = 1\n[[file]]\nname = \"{name}\"\nbytes = 1\nsha256 = \"{digest}\"\n"
            )
        };
        check_refused(&entry("../backlog.csv", &"ab".repeat(32)), "the name of a file");
        check_refused(&entry("backlog.csv", "AB"), "hexadecimal");
    }

    #[test]
    fn rows_are_counted_with_their_quotes_and_ends() {
        let import = Import::read("import.toml", crate::config::defaults::IMPORT).unwrap();
        let count = |text: &str| count_rows(text.as_bytes(), "backlog.csv", &import).unwrap();
        assert_eq!(count("a,b\n1,2\n\"x\ny\",2\n3\n").0, 3);
        assert_eq!(count("a,b\n1,2").0, 1);
        assert_eq!(count("a,b\n").0, 0);
        assert!(count_rows(&b""[..], "backlog.csv", &import).is_err());
        assert_eq!(count("a\n1\n").1, crate::digest::of_bytes(b"a\n1\n"));
    }
}
