//! `labtriage generate`: a scenario folder of any size, from a seed.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use labtriage_core::finding::{Code, Finding, nearest};
use labtriage_formats::config::defaults;
use labtriage_formats::extract::COLUMNS;
use labtriage_formats::results;
use labtriage_formats::scenario;
use labtriage_simulator::{ExtractRow, Generated, Request, Scenario, World, generate as make};

use crate::args::GenerateArguments;
use crate::failure::Failure;
use crate::terminal;

/// Writes a scenario folder; returns the exit code.
pub(crate) fn generate(arguments: &GenerateArguments) -> Result<u8, Failure> {
    let Some(scenario) = Scenario::from_name(&arguments.scenario) else {
        let names = Scenario::ALL.iter().map(|scenario| scenario.name());
        let known: Vec<&str> = names.clone().collect();
        let finding = Finding::new(Code::WrongValue, format!("there is no scenario `{}`", arguments.scenario));
        return Err(finding
            .hint(match nearest(&arguments.scenario, names) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there are {}", known.join(", ")),
            })
            .into());
    };
    let out = &arguments.out;
    if out.exists() && fs::read_dir(out).map_or(true, |mut entries| entries.next().is_some()) {
        return Err(Finding::new(Code::FileUnreadable, "this is in the way, expected a new or empty folder")
            .at(&out.display().to_string(), 0, 0)
            .into());
    }
    let (catalogue, network, policy) = defaults::load(None, None)?.read()?;
    let world = World { catalogue: &catalogue, network: &network, policy: &policy };
    let GenerateArguments { samples, seed, night, hostile, .. } = *arguments;
    let request = Request { scenario, samples, seed, night, hostile };
    let made = write_folder(out, world, request).map_err(|error| {
        let finding = Finding::new(Code::FileUnreadable, format!("cannot write this folder: {}", error.kind()));
        Failure::from(finding.at(&out.display().to_string(), 0, 0))
    })?;
    if !arguments.quiet {
        terminal::words(&format!(
            "{} samples of {} at {} are in {}",
            arguments.samples,
            scenario.name(),
            made.now_local,
            out.display()
        ));
    }
    Ok(0)
}

/// Writes into a folder beside the target, then puts it in its place.
fn write_folder(out: &Path, world: World<'_>, request: Request) -> io::Result<Generated> {
    let parent = out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    fs::create_dir_all(parent)?;
    let temporary = tempfile::Builder::new().prefix(".labtriage-").tempdir_in(parent)?;
    let made = write_backlog(&temporary.path().join("backlog.csv"), world, request)?;
    let text = |name: &str, text: &str| fs::write(temporary.path().join(name), text);
    text(scenario::FILE_NAME, &scenario::write(request.scenario.name(), &made.about, &made.now_local))?;
    text("network.toml", &network(&made))?;
    if !made.results.is_empty() {
        write_results(&temporary.path().join("results.csv"), &made)?;
    }
    if !made.overrides.is_empty() {
        text("overrides.toml", &made.overrides)?;
    }
    if out.exists() {
        fs::remove_dir(out)?;
    }
    #[cfg(unix)]
    fs::set_permissions(temporary.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    fs::rename(temporary.keep(), out)?;
    Ok(made)
}

/// The shipped network at the scenario's size, with its disruptions.
fn network(made: &Generated) -> String {
    let scaled = format!("capacity_percent = {}", made.capacity_percent);
    let shipped =
        defaults::NETWORK.lines().map(|line| if line.starts_with("capacity_percent") { &scaled } else { line });
    let mut text: String = shipped.flat_map(|line| [line, "\n"]).collect();
    text.push('\n');
    text.push_str(&made.disruptions);
    text
}

fn write_backlog(path: &Path, world: World<'_>, request: Request) -> io::Result<Generated> {
    let mut out =
        csv::WriterBuilder::new().flexible(true).from_writer(BufWriter::with_capacity(1 << 18, File::create(path)?));
    out.write_record(COLUMNS)?;
    let mut failed = None;
    let made = make(world, request, &mut |row: &ExtractRow| {
        let written = match row.raw() {
            Some(raw) => out.flush().and_then(|()| {
                let mut verbatim: &File = out.get_ref().get_ref();
                verbatim.write_all(raw).and_then(|()| verbatim.write_all(b"\n"))
            }),
            None => out.write_record(row.fields()).map_err(io::Error::from),
        };
        if let Err(error) = written {
            failed.get_or_insert(error);
        }
    });
    out.flush()?;
    failed.map_or(Ok(made), Err)
}

fn write_results(path: &Path, made: &Generated) -> io::Result<()> {
    let mut out = csv::Writer::from_writer(BufWriter::new(File::create(path)?));
    out.write_record(results::COLUMNS)?;
    for result in &made.results {
        out.write_record([result.accession.as_str(), &result.patient, result.test, &result.resulted_at])?;
    }
    out.flush()
}
