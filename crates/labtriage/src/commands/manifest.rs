//! `labtriage manifest`: an extract is whole, says whoever sends it.

use std::fs::{self, File};

use labtriage_core::finding::{Code, Finding};
use labtriage_core::time::Instant;
use labtriage_formats::digest;
use labtriage_formats::manifest::{BACKLOG, FILE_NAME, Manifest, ManifestFile, READ, count_rows, write};
use labtriage_formats::outputs::{Readers, write_whole};

use crate::args::ManifestArguments;
use crate::failure::Failure;
use crate::inputs::{Now, Sources};
use crate::nightly::nights::refused;
use crate::terminal;

/// Writes the manifest of an extract; returns the exit code.
pub(crate) fn manifest(arguments: &ManifestArguments) -> Result<u8, Failure> {
    let folder = &arguments.folder;
    let unreadable = |name: &str, why: std::io::ErrorKind| {
        let finding = Finding::new(Code::FileUnreadable, format!("cannot read this file: {why}"));
        finding.at(&folder.join(name).display().to_string(), 0, 0)
    };
    let import = Sources::find(folder, arguments.config.as_deref())?.import()?;
    let mut manifest = Manifest { taken: taken(arguments)?, rows: 0, files: Vec::new() };
    for name in READ.into_iter().filter(|name| *name == BACKLOG || folder.join(name).exists()) {
        let path = folder.join(name);
        let facts = fs::metadata(&path).map_err(|error| unreadable(name, error.kind()))?;
        let file = File::open(&path).map_err(|error| unreadable(name, error.kind()))?;
        let sha256 = if name == BACKLOG {
            let (rows, sha256) = count_rows(file, &path.display().to_string(), &import)?;
            manifest.rows = rows;
            sha256
        } else {
            digest::of_reader(file).map_err(|error| unreadable(name, error.kind()))?
        };
        manifest.files.push(ManifestFile { name: name.to_owned(), bytes: facts.len(), sha256 });
    }
    if let Some(rows) = arguments.rows.filter(|rows| *rows != manifest.rows) {
        let message = format!("it has {} rows, expected {rows}", manifest.rows);
        let finding = Finding::new(Code::ExtractDiffers, message).at(&folder.join(BACKLOG).display().to_string(), 0, 0);
        return Err(finding.hint("the LIMS wrote fewer or more rows than it says: export again").into());
    }
    let path = folder.join(FILE_NAME);
    write_whole(&path, Readers::Anybody, write(&manifest).as_bytes()).map_err(refused("write", &path))?;
    if !arguments.quiet {
        let (rows, files) = (manifest.rows, manifest.files.len());
        terminal::words(&format!("{rows} rows and {files} files, taken at {}, are sealed", manifest.taken));
    }
    Ok(0)
}

/// When the LIMS was read: as typed, as the scenario says, or now.
fn taken(arguments: &ManifestArguments) -> Result<Instant, Failure> {
    if let Some(taken) = arguments.taken {
        return Ok(taken);
    }
    let sources = Sources::find(&arguments.folder, None)?;
    let (_, network, _) = sources.configuration.read()?;
    sources.now(&Now::Typed(None), network.zone)
}
