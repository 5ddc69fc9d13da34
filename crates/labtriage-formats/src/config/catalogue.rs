//! What does `catalogue.toml` say? Sources, protocols, specimens, tests and panels.

use labtriage_core::catalogue::{
    Basis, Catalogue, CatalogueError, Condition, Figure, Handling, Limit, Phase, Profile, Protocol, ProtocolStep,
    Source, Specimen, State, Test, TestFlags,
};
use labtriage_core::finding::{Code, Finding};
use labtriage_core::table::{DisciplineIx, Ix, ProtocolIx, SourceIx, SpecimenIx, Table, TestIx};
use labtriage_core::time::Minutes;
use labtriage_core::units::Percent;

use super::ConfigFile;
use super::names::Names;
use super::quantity::duration;
use super::toml_file::{Cursor, TomlFile, Value, all};

/// The disciplines there are; a catalogue numbers those it uses in order of first use.
const DISCIPLINES: [&str; 10] = [
    "chemistry",
    "immunoassay",
    "haematology",
    "coagulation",
    "transfusion",
    "virology",
    "microbiology",
    "immunology",
    "specialist",
    "cellular",
];

const PROFILES: [(&str, Profile); 2] = [("stability", Profile::Stability), ("add-on", Profile::AddOn)];
const BASES: [(&str, Basis); 3] =
    [("sourced", Basis::Sourced), ("judgement", Basis::Judgement), ("add-on", Basis::AddOn)];
const PHASES: [(&str, Phase); 2] = [("primary", Phase::Primary), ("separated", Phase::Separated)];

/// Sets one flag.
type SetFlag = fn(&mut TestFlags);

const FLAGS: [(&str, SetFlag); 7] = [
    ("irreplaceable", |flags| flags.irreplaceable = true),
    ("light_sensitive", |flags| flags.light_sensitive = true),
    ("ice", |flags| flags.ice = true),
    ("stabilised", |flags| flags.stabilised = true),
    ("gestation_window", |flags| flags.gestation_window = true),
    ("container_rule", |flags| flags.container_rule = true),
    ("time_critical", |flags| flags.time_critical = true),
];

/// Reads a catalogue.
///
/// # Errors
/// Everything that is wrong with the file, in order of place.
pub fn catalogue(file: &ConfigFile) -> Result<Catalogue, Vec<Finding>> {
    let toml = TomlFile::parse(&file.name, &file.text);
    let catalogue = read(toml.root());
    toml.finish(catalogue)
}

/// The names that entries of the file refer to.
struct Known {
    sources: Names<SourceIx>,
    protocols: Names<ProtocolIx>,
    specimens: Names<SpecimenIx>,
    tests: Names<TestIx>,
}

fn read(mut root: Cursor<'_>) -> Option<Catalogue> {
    let version = root.required("version", Value::text);
    let sources = root.some_tables("source");
    let protocols = root.some_tables("protocol");
    let specimens = root.some_tables("specimen");
    let tests = root.some_tables("test");
    let panels = root.tables("panel");
    root.finish();
    let known = Known {
        sources: Names::declare("source", &sources, "id", usize::from(u16::MAX)),
        protocols: Names::declare("protocol", &protocols, "name", usize::from(u8::MAX)),
        specimens: Names::declare("specimen", &specimens, "code", usize::from(u8::MAX)),
        // Tests and panels share one numbering, panels last.
        tests: Names::declare("test", tests.iter().chain(&panels), "code", usize::from(u16::MAX)),
    };
    let singles = tests.len();
    let mut disciplines = Table::default();
    let sources = all(sources.into_iter().map(source));
    let protocols = all(protocols.into_iter().map(protocol));
    let specimens = all(specimens.into_iter().map(|entry| specimen(entry, &known)));
    let tests = all(tests.into_iter().map(|entry| test(entry, &known, &mut disciplines)));
    let panels: Vec<_> = panels.into_iter().map(|entry| (entry.clone(), panel(entry, &known, singles))).collect();
    let mut catalogue = Catalogue {
        version: version?,
        disciplines,
        sources: Table::new(sources?),
        protocols: Table::new(protocols?),
        specimens: Table::new(specimens?),
        tests: Table::new(tests?),
    };
    let pushed = panels.into_iter().map(|(entry, panel)| push_panel(&mut catalogue, &entry, panel?));
    all(pushed).map(|_| catalogue)
}

fn source(mut entry: Cursor<'_>) -> Option<Source> {
    let id = entry.required("id", Value::word);
    let title = entry.required("title", Value::text);
    let address = entry.optional("address", Value::text);
    entry.finish();
    Some(Source { id: id?, title: title?, address: address? })
}

fn protocol(mut entry: Cursor<'_>) -> Option<Protocol> {
    let name = entry.required("name", Value::word);
    let steps = entry.list("steps", step);
    entry.finish();
    let (name, steps) = (name?, steps?);
    for (n, step) in steps.iter().enumerate() {
        if steps[..n].iter().any(|earlier| (earlier.handling, earlier.from) == (step.handling, step.from)) {
            let message = format!("step `{}` from `{}` stands twice", step.handling.text(), step.from.text());
            entry.report(Finding::new(Code::DuplicateCode, message));
        }
    }
    match Protocol::new(name, steps) {
        Ok(protocol) => Some(protocol),
        Err(error) => {
            let hint = "a tube goes one way: remove the step that leads back";
            entry.report(Finding::new(Code::ProtocolCycle, error.to_string()).hint(hint));
            None
        }
    }
}

fn step(value: Value<'_>) -> Option<ProtocolStep> {
    let mut entry = value.table()?;
    let handling = entry.required("step", |value| value.choice(&Handling::ALL.map(|step| (step.text(), step))));
    let from = entry.required("from", state);
    let to = entry.required("to", state);
    let time = entry.required("time", Value::duration);
    entry.finish();
    let step = ProtocolStep { handling: handling?, from: from?, to: to?, time: time? };
    if !leads_there(&step) {
        let (handling, from, to) = (step.handling.text(), step.from.text(), step.to.text());
        entry.report(Finding::new(Code::WrongValue, format!("step `{handling}` cannot lead from `{from}` to `{to}`")));
    }
    Some(step)
}

/// Whether a step does what its name says. Steps that lead back are left to the protocol to find.
fn leads_there(step: &ProtocolStep) -> bool {
    let (from, to) = (step.from, step.to);
    match step.handling {
        Handling::Spin => {
            from.phase() == Phase::Primary && matches!(to, State::SeparatedAmbient | State::SeparatedRefrigerated)
        }
        Handling::Refrigerate => to == State::of(from.phase(), Condition::Refrigerated),
        Handling::Freeze => from.phase() == Phase::Separated && to == State::SeparatedFrozen,
        Handling::Thaw => from == State::SeparatedFrozen && to == State::SeparatedThawed,
    }
}

/// A state that handling can lead to; primary material is never frozen on purpose.
fn state(value: Value<'_>) -> Option<State> {
    let planned = State::ALL.into_iter().filter(|state| *state != State::PrimaryFrozen);
    value.choice(&planned.map(|state| (state.text(), state)).collect::<Vec<_>>())
}

fn specimen(mut entry: Cursor<'_>, known: &Known) -> Option<Specimen> {
    let code = entry.required("code", Value::code);
    let name = entry.required("name", Value::text);
    let protocol = entry.required("protocol", |value| known.protocols.find(value));
    let aliquots = entry.required("aliquots", Value::boolean);
    let volume = entry.required("volume", Value::volume);
    let snomed = entry.optional("snomed", Value::text);
    entry.finish();
    Some(Specimen {
        code: code?,
        name: name?,
        protocol: protocol?,
        aliquots: aliquots?,
        volume: volume?,
        snomed: snomed?,
    })
}

fn test(mut entry: Cursor<'_>, known: &Known, disciplines: &mut Table<DisciplineIx, String>) -> Option<Test> {
    let code = entry.required("code", Value::code);
    let name = entry.required("name", Value::text);
    let discipline = entry.required("discipline", |value| discipline(value, disciplines));
    let specimens = entry.required("specimens", |value| known.specimens.find_some(value));
    let run_in = entry.required("run_in", |value| value.choice(&PHASES));
    let volume = entry.required("volume", Value::volume);
    let analyser_time = entry.required("analyser_time", Value::analyser_time);
    let retest_interval = retest_interval(&mut entry, known);
    let criticality = entry.or("criticality_percent", Percent::ALL, |value| value.percent(1..=10_000));
    let flags = entry.list("flags", |value| value.choice(&FLAGS));
    let figures = entry.list("stability", |value| figure(value, known, specimens.as_deref()));
    let snomed = entry.optional("snomed", Value::text);
    let loinc = entry.optional("loinc", Value::text);
    entry.finish();
    Some(Test {
        code: code?,
        name: name?,
        discipline: discipline?,
        specimens: specimens?,
        run_in: run_in?,
        volume: volume?,
        analyser_time: analyser_time?,
        retest_interval: retest_interval?,
        criticality: criticality?,
        flags: flags?.into_iter().fold(TestFlags::default(), |mut flags, set| {
            set(&mut flags);
            flags
        }),
        figures: without_repeats(&entry, figures?),
        members: Vec::new(),
        snomed: snomed?,
        loinc: loinc?,
    })
}

fn discipline(value: Value<'_>, disciplines: &mut Table<DisciplineIx, String>) -> Option<DisciplineIx> {
    let name = value.choice(&DISCIPLINES.map(|name| (name, name)))?;
    let known = disciplines.position(|known| known == name);
    Some(known.unwrap_or_else(|| disciplines.push(name.to_owned())))
}

/// An interval and its source stand together or not at all.
fn retest_interval(entry: &mut Cursor<'_>, known: &Known) -> Option<Option<(Minutes, SourceIx)>> {
    let alone = entry.peek("retest_interval").is_some() != entry.peek("retest_source").is_some();
    if alone {
        let message = "`retest_interval` and `retest_source` stand together or not at all";
        entry.report(Finding::new(Code::MissingKey, message).hint("every figure names its source"));
    }
    let interval = entry.optional("retest_interval", Value::some_time)?;
    let source = entry.optional("retest_source", |value| known.sources.find(value))?;
    Some(interval.zip(source))
}

fn figure(value: Value<'_>, known: &Known, of_test: Option<&[SpecimenIx]>) -> Option<Figure> {
    let mut entry = value.table()?;
    // Thawed material is looked up as separated ambient, so it has no figures of its own.
    let kept = State::ALL.into_iter().filter(|state| *state != State::SeparatedThawed);
    let state =
        entry.required("in", |value| value.choice(&kept.map(|state| (state.text(), state)).collect::<Vec<_>>()));
    let limit = entry.required("limit", limit);
    let sources = entry.list("sources", |value| known.sources.find(value));
    let basis = entry.required("basis", |value| value.choice(&BASES));
    let profile = entry.or("profile", Profile::Stability, |value| value.choice(&PROFILES));
    let specimens = entry.or("specimens", Vec::new(), |value| {
        let named = known.specimens.find_all(value)?;
        if of_test.is_some_and(|of_test| named.iter().any(|specimen| !of_test.contains(specimen))) {
            let message = "`specimens` names a specimen that this test is not done on";
            value.report(Finding::new(Code::WrongValue, message).hint("add it to the test, or remove it here"));
        }
        Some(named)
    });
    entry.finish();
    let (state, sources, basis) = (state?, sources?, basis?);
    if sources.is_empty() && basis != Basis::Judgement {
        entry.report(Finding::new(Code::MissingKey, "a figure that is no judgement names at least one source"));
    }
    let (phase, condition) = (state.phase(), state.condition());
    Some(Figure { phase, condition, limit: limit?, sources, basis, profile: profile?, specimens: specimens? })
}

/// `forbidden` or a duration; no time at all is forbidden too.
fn limit(value: Value<'_>) -> Option<Limit> {
    value.parsed("`forbidden` or a duration such as `36h` or `8 weeks`", |text| match duration(text) {
        _ if text == "forbidden" => Some(Limit::Forbidden),
        Some(Minutes::ZERO) => Some(Limit::Forbidden),
        length => length.map(Limit::Within),
    })
}

/// Reports figures of one state, profile and choice of specimens that stand twice.
fn without_repeats(entry: &Cursor<'_>, figures: Vec<Figure>) -> Vec<Figure> {
    let about = |figure: &Figure| (figure.phase, figure.condition, figure.profile, figure.specimens.clone());
    for (n, figure) in figures.iter().enumerate() {
        if figures[..n].iter().any(|earlier| about(earlier) == about(figure)) {
            let state = State::of(figure.phase, figure.condition).text();
            let message = format!("the stability of this test in `{state}` is stated twice");
            entry.report(Finding::new(Code::DuplicateCode, message).hint("keep the one that counts"));
        }
    }
    figures
}

/// Code, name and tests of a panel.
type PanelParts = (String, String, Vec<TestIx>);

fn panel(mut entry: Cursor<'_>, known: &Known, singles: usize) -> Option<PanelParts> {
    let code = entry.required("code", Value::code);
    let name = entry.required("name", Value::text);
    let tests = entry.required("tests", |value| {
        let tests = known.tests.find_all(value)?;
        if tests.iter().any(|test| test.row() >= singles) {
            value.report(Finding::new(Code::PanelInconsistent, "a panel cannot be part of a panel"));
            return None;
        }
        Some(tests)
    });
    entry.finish();
    Some((code?, name?, tests?))
}

fn push_panel(catalogue: &mut Catalogue, entry: &Cursor<'_>, (code, name, tests): PanelParts) -> Option<TestIx> {
    catalogue
        .push_panel(code, name, tests)
        .map_err(|error: CatalogueError| {
            let finding = Finding::new(Code::PanelInconsistent, error.to_string());
            entry.report(finding.hint("request and run these tests apart, or correct the test that differs"));
        })
        .ok()
}
