//! `labtriage model`: the exact model of a small backlog, as a file for a general solver.

use std::fmt;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use labtriage_core::finding::{Code, Finding};
use labtriage_formats::outputs::{Readers, WholeFile};
use labtriage_optimizer::model::{Model, VARIABLES_MAX, lp, mps};

use crate::args::{ModelArguments, ModelFormat};
use crate::failure::Failure;
use crate::inputs::{Now, Sources};
use crate::terminal::{self, Bar, Timings};

/// Writes a model; returns the exit code.
pub(crate) fn model(arguments: &ModelArguments) -> Result<u8, Failure> {
    let bar = Bar::new(arguments.quiet);
    let sources = Sources::find(&arguments.input.input, arguments.input.config.as_deref())?;
    let now = Now::Typed(arguments.input.now.as_deref());
    let night = sources.read(&now, arguments.input.max_quarantine, &bar, &mut Timings::start())?;
    bar.phase("modelling", 1);
    let model = Model::of(&night.snapshot, VARIABLES_MAX).map_err(|refused| {
        let finding = Finding::new(Code::WrongValue, refused.to_string());
        finding.hint("give a smaller backlog, for example one of `labtriage generate --samples 100`")
    })?;
    bar.phase("writing", 1);
    write(&arguments.out, &model, arguments.format).map_err(|error| {
        let finding = Finding::new(Code::FileUnreadable, format!("cannot write this file: {}", error.kind()));
        Failure::from(finding.at(&arguments.out.display().to_string(), 0, 0))
    })?;
    bar.clear();
    if !arguments.quiet {
        terminal::findings(&night.warnings);
        let whole = model.variables.iter().filter(|variable| variable.integer).count();
        terminal::words(&format!(
            "{} variables ({whole} whole), {} rows, {} entries are in {}",
            model.variables.len(),
            model.rows.len(),
            model.entries(),
            arguments.out.display()
        ));
    }
    Ok(0)
}

/// Writes into a file beside the target, then puts it in its place.
fn write(out: &Path, model: &Model, format: ModelFormat) -> io::Result<()> {
    let parent = out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    fs::create_dir_all(parent)?;
    let mut file = WholeFile::create(out, Readers::Anybody)?;
    let mut text = Text { out: BufWriter::with_capacity(1 << 18, &mut file), failed: None };
    let written = match format {
        ModelFormat::Mps => mps::write(model, &mut text),
        ModelFormat::Lp => lp::write(model, &mut text),
    };
    text.finish(written)?;
    file.finish()
}

/// Text on its way into a file; the system's own error is kept, for `fmt::Error` says nothing.
struct Text<'a> {
    out: BufWriter<&'a mut WholeFile>,
    failed: Option<io::Error>,
}

impl Text<'_> {
    fn finish(mut self, written: fmt::Result) -> io::Result<()> {
        match (written, self.failed.take()) {
            (_, Some(error)) => Err(error),
            (Err(fmt::Error), None) => Err(io::Error::other("the model could not be written as text")),
            (Ok(()), None) => self.out.flush(),
        }
    }
}

impl fmt::Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.out.write_all(text.as_bytes()).map_err(|error| {
            self.failed = Some(error);
            fmt::Error
        })
    }
}
