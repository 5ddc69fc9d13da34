//! The shipped configuration as a world, and a backlog read without any reader of extracts.

use chrono::NaiveDateTime;
use labtriage_core::backlog::{Backlog, BacklogBuilder, HistoryStep, Pseudonym, SampleRow};
use labtriage_core::catalogue::{Catalogue, Condition, Phase, State};
use labtriage_core::flags::FlagSet;
use labtriage_core::network::Network;
use labtriage_core::policy::Policy;
use labtriage_core::table::TestIx;
use labtriage_core::time::{Instant, LocalInstant, Minutes, Zone};
use labtriage_formats::config::defaults;
use labtriage_simulator::{ExtractRow, Generated, Request, Scenario, World, generate};

/// The shipped configuration.
pub(crate) struct Shipped {
    pub(crate) catalogue: Catalogue,
    pub(crate) network: Network,
    pub(crate) policy: Policy,
}

impl Shipped {
    pub(crate) fn load() -> Self {
        Self::read(defaults::load(None, None).unwrap())
    }

    /// With the disruptions and the capacity of a scenario.
    pub(crate) fn disrupted(generated: &Generated) -> Self {
        let mut configuration = defaults::load(None, None).unwrap();
        let text = &mut configuration.network.file.text;
        assert!(text.contains("\ncapacity_percent = 100 "));
        let percent = format!("\ncapacity_percent = {} ", generated.capacity_percent);
        *text = text.replacen("\ncapacity_percent = 100 ", &percent, 1) + "\n" + &generated.disruptions;
        Self::read(configuration)
    }

    fn read(configuration: defaults::Configuration) -> Self {
        let (catalogue, network, policy) = configuration.read().unwrap();
        Self { catalogue, network, policy }
    }

    pub(crate) fn world(&self) -> World<'_> {
        World { catalogue: &self.catalogue, network: &self.network, policy: &self.policy }
    }
}

pub(crate) fn request(scenario: Scenario, samples: u32, seed: u64) -> Request {
    Request { scenario, samples, seed, hostile: false }
}

/// The rows of a tame backlog as text.
pub(crate) fn rows(shipped: &Shipped, wanted: Request) -> (Vec<[String; 17]>, Generated) {
    let mut rows = Vec::new();
    let generated = generate(shipped.world(), wanted, &mut |row: &ExtractRow| {
        assert!(row.raw().is_none());
        rows.push(row.fields().map(|field| String::from_utf8(field.to_vec()).unwrap()));
    });
    (rows, generated)
}

/// An instant of a local reading that must be there and occur once.
pub(crate) fn instant(text: &str) -> Instant {
    let local = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M").unwrap();
    match Zone::LONDON.instant(local) {
        LocalInstant::Unique(instant) => instant,
        other => panic!("{text} is {other:?}"),
    }
}

fn optional(text: &str) -> Option<Instant> {
    (!text.is_empty()).then(|| instant(text))
}

/// What a row says, every code looked up; panics on anything that is not valid.
pub(crate) struct Parsed<'a> {
    pub(crate) sample: SampleRow<'a>,
    pub(crate) ward: bool,
}

/// Looks up every code of a row and checks what one row can show.
pub(crate) fn parse<'a>(
    shipped: &Shipped,
    fields: &'a [String; 17],
    now: Instant,
    history: &'a mut Vec<HistoryStep>,
    tests: &'a mut Vec<(TestIx, bool)>,
) -> Parsed<'a> {
    let [
        accession,
        request,
        patient,
        requester,
        band,
        flags,
        requested,
        collected,
        received,
        separated,
        specimen,
        site,
        condition,
        given,
        volume,
        asked,
        sample_flags,
    ] = fields;
    let Shipped { catalogue, network, policy } = shipped;
    let specimen = catalogue.specimen(specimen).unwrap();
    let requester = network.requester(requester).unwrap();
    let flag = |name: &str| policy.flags.find(name).unwrap();
    let flags = flags.split(';').filter(|name| !name.is_empty()).map(flag).fold(FlagSet::EMPTY, FlagSet::with);
    assert!(given.is_empty() && (sample_flags.is_empty() || sample_flags == "irreplaceable"));
    tests.clear();
    for code in asked.split(';') {
        let held = code.ends_with('*');
        let test = catalogue.test(code.trim_end_matches('*')).unwrap();
        assert!(catalogue.tests[test].specimens.contains(&specimen), "{code}");
        assert!(!tests.iter().any(|(other, _)| *other == test), "{asked}");
        tests.push((test, held));
    }
    let (collected, received, separated) = (optional(collected), instant(received), optional(separated));
    let requested = instant(requested);
    assert!(requested < received && received < now);
    assert!(collected.is_none_or(|collected| requested < collected && collected < received));
    assert!(separated.is_none_or(|separated| received < separated && separated < now));
    let known = collected.unwrap_or(received.minus(Minutes::from_hours(8)));
    let condition = Condition::ALL.into_iter().find(|known| known.text() == condition).unwrap();
    history.clear();
    history.push(HistoryStep { from: known, state: State::PrimaryAmbient });
    let phase = if separated.is_some() { Phase::Separated } else { Phase::Primary };
    if separated.is_some() || condition != Condition::Ambient {
        history.push(HistoryStep { from: separated.unwrap_or(received), state: State::of(phase, condition) });
    }
    let protocol = &catalogue.protocols[catalogue.specimens[specimen].protocol];
    let can = |state: State| state == State::PrimaryAmbient || protocol.steps().iter().any(|step| step.to == state);
    // Serum may come into the refrigerator unspun, which no protocol plans.
    assert!(history.iter().all(|step| can(step.state) || step.state == State::PrimaryRefrigerated));
    let volume = if volume.is_empty() { 0 } else { volume.parse().unwrap() };
    let sample = SampleRow {
        line: 0,
        accession,
        request,
        patient: Pseudonym::new(patient),
        requester,
        band: (!band.is_empty()).then(|| policy.band(band).unwrap()),
        flags,
        requested,
        collected: known,
        collected_unknown: collected.is_none(),
        received: Some(received),
        specimen,
        site: network.site(site).unwrap(),
        history,
        volume: labtriage_core::units::Microlitres::new(volume),
        irreplaceable: sample_flags == "irreplaceable",
        tests,
    };
    let ward = network.requesters[requester].kind == labtriage_core::network::RequesterKind::Ward;
    Parsed { sample, ward }
}

/// The backlog of tame rows; nothing in it may contradict.
pub(crate) fn backlog(shipped: &Shipped, rows: &[[String; 17]], now: Instant) -> Backlog {
    let mut builder = BacklogBuilder::default();
    let (mut history, mut tests) = (Vec::new(), Vec::new());
    for (line, fields) in (2..).zip(rows) {
        let mut sample = parse(shipped, fields, now, &mut history, &mut tests).sample;
        sample.line = line;
        builder.push(&sample);
    }
    let finished = builder.finish();
    assert!(finished.rejected.is_empty(), "{:?}", finished.rejected.first());
    assert!(finished.remarks.is_empty(), "{:?}", finished.remarks.first());
    finished.backlog
}
