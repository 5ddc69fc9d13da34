//! What does the smallest network look like that breaks every law? Tiny snapshots for tests.
//!
//! A hub, a hospital and a partner, a handful of tests, one collection point, a practice and a
//! ward, on a Monday at eight. Everything is named by its code; every part can be changed before
//! [`Fixture::snapshot`]. The figures are made up. A wrong code or an impossible part panics: this
//! is for tests only.

use chrono::NaiveDate;

use crate::backlog::{Backlog, BacklogBuilder, HistoryStep, Pseudonym, SampleRow};
use crate::calendar::Calendar;
use crate::catalogue::{
    Basis, Catalogue, Condition, Figure, Handling, Limit, Phase, Profile, Protocol, ProtocolStep, Source, Specimen,
    State, Test, TestFlags,
};
use crate::duplicates::ResultRow;
use crate::finding::Finding;
use crate::flags::{FlagSet, FlagVocabulary};
use crate::network::{
    Analyser, CollectionPoint, Courier, Delivery, Departs, Network, NetworkParts, Partner, Requester, RequesterKind,
    Site, SiteKind,
};
use crate::overrides::{Action, Override, Target};
use crate::plan::{Disposition, Plan, Rule, SamplePlan};
use crate::policy::{Band, Modifiers, Policy, PolicyParts, SlotStretch, StepPrices, UnknownRule};
use crate::published::PublishedRun;
use crate::snapshot::{Inputs, Snapshot};
use crate::table::{
    AnalyserIx, BandIx, CalendarIx, CollectionPointIx, Ix, LineIx, RequesterIx, SampleIx, SiteIx, SpecimenIx, Table,
    TestIx,
};
use crate::time::{Day, Instant, Minutes, Zone};
use crate::units::{AnalyserTime, Cost, Microlitres, Percent, Weight};

/// A snapshot in the making.
#[derive(Clone, Debug)]
pub struct Fixture {
    /// Monday 3 June 2024, 08:00 in London.
    pub now: Instant,
    /// Tests `K NA CRP TSH UE` (a panel of `NA K`) on `SST`, `FBC` on `EDTA`, `CSFC` on `CSF`.
    pub catalogue: Catalogue,
    /// Sites `HUB HOSP PARTNER`, analysers `HUB-CHEM HUB-HAEM HOSP-CHEM HOSP-HAEM PART-CHEM`,
    /// couriers `HOSP-HUB HUB-HOSP HUB-PARTNER`, collection point `POINT`, requesters `G1 W1`,
    /// calendars `always weekdays tue-thu`.
    pub network: NetworkParts,
    /// Bands `immediate` and `urgent` (strict) and `routine` (the default); no rules, no margin,
    /// no limit on fairness.
    pub policy: PolicyParts,
    /// In order of their file.
    pub overrides: Vec<Override>,
    /// Results that are already there.
    pub results: Vec<ResultRow>,
    rows: Vec<Row>,
    published: Vec<(String, String, String, PublishedRun)>,
}

/// A row of the fixture's backlog; each call changes one fact of it.
#[derive(Clone, Debug)]
pub struct Row {
    accession: String,
    request: String,
    patient: String,
    requester: String,
    specimen: String,
    site: String,
    band: Option<String>,
    flags: FlagSet,
    requested: Option<Instant>,
    collected: Instant,
    collected_unknown: bool,
    history: Vec<HistoryStep>,
    volume: Option<Microlitres>,
    irreplaceable: bool,
    tests: Vec<(String, bool)>,
    now: Instant,
}

impl Row {
    /// Collected so many hours ago and kept at room temperature since.
    pub fn collected_hours_ago(&mut self, hours: i32) -> &mut Self {
        self.collected = self.now.minus(Minutes::from_hours(hours));
        self.history = vec![HistoryStep { from: self.collected, state: State::PrimaryAmbient }];
        self
    }

    /// Kept in this state: since collection when primary, since half an hour after it when separated.
    pub fn state(&mut self, state: State) -> &mut Self {
        self.history = vec![HistoryStep { from: self.collected, state: State::PrimaryAmbient }];
        if state.phase() == Phase::Primary {
            self.history[0].state = state;
        } else {
            self.history.push(HistoryStep { from: self.collected.plus(Minutes::new(30)).min(self.now), state });
        }
        self
    }

    /// Kept in these states since so many hours ago each; the first is at collection.
    pub fn history(&mut self, steps: &[(i32, State)]) -> &mut Self {
        let from = |hours: i32| self.now.minus(Minutes::from_hours(hours));
        self.history = steps.iter().map(|&(hours, state)| HistoryStep { from: from(hours), state }).collect();
        self.collected = self.history[0].from;
        self
    }

    /// The extract gives no collection time.
    pub fn collected_unknown(&mut self) -> &mut Self {
        self.collected_unknown = true;
        self
    }

    /// The band stated in the extract.
    pub fn band(&mut self, code: &str) -> &mut Self {
        self.band = Some(code.to_owned());
        self
    }

    /// Flags of the request and its patient.
    pub fn flags(&mut self, flags: FlagSet) -> &mut Self {
        self.flags = self.flags.with(flags);
        self
    }

    /// The request it belongs to; one of its own by default.
    pub fn request(&mut self, code: &str) -> &mut Self {
        self.request = code.to_owned();
        self
    }

    /// Who asked; practice `G1` by default.
    pub fn requester(&mut self, ods: &str) -> &mut Self {
        self.requester = ods.to_owned();
        self
    }

    /// Requested so many hours ago; at collection by default.
    pub fn requested_hours_ago(&mut self, hours: i32) -> &mut Self {
        self.requested = Some(self.now.minus(Minutes::from_hours(hours)));
        self
    }

    /// Where it stands; `HUB` by default.
    pub fn site(&mut self, code: &str) -> &mut Self {
        self.site = code.to_owned();
        self
    }

    /// Usable volume in microlitres; the specimen's by default.
    pub fn volume(&mut self, microlitres: u32) -> &mut Self {
        self.volume = Some(Microlitres::new(microlitres));
        self
    }

    /// It cannot be collected again.
    pub fn irreplaceable(&mut self) -> &mut Self {
        self.irreplaceable = true;
        self
    }

    /// The result of this test exists and could not be reported.
    pub fn result_held(&mut self, test: &str) -> &mut Self {
        for (code, held) in &mut self.tests {
            *held |= code == test;
        }
        self
    }
}

impl Default for Fixture {
    fn default() -> Self {
        Self::new()
    }
}

impl Fixture {
    /// The tiny network with an empty backlog.
    pub fn new() -> Self {
        let monday = Day::from_date(NaiveDate::from_ymd_opt(2024, 6, 3).expect("a date"));
        let catalogue = catalogue();
        Self {
            now: Zone::LONDON.at(monday, 8 * 60),
            network: network(&catalogue),
            policy: policy(),
            catalogue,
            overrides: Vec::new(),
            results: Vec::new(),
            rows: Vec::new(),
            published: Vec::new(),
        }
    }

    /// Adds a sample: collected an hour ago, kept at room temperature at `HUB`, asked for by `G1`.
    pub fn sample(&mut self, accession: &str, patient: &str, specimen: &str, tests: &[&str]) -> &mut Row {
        let collected = self.now.minus(Minutes::from_hours(1));
        self.rows.push(Row {
            accession: accession.to_owned(),
            request: format!("R-{accession}"),
            patient: patient.to_owned(),
            requester: "G1".to_owned(),
            specimen: specimen.to_owned(),
            site: "HUB".to_owned(),
            band: None,
            flags: FlagSet::EMPTY,
            requested: None,
            collected,
            collected_unknown: false,
            history: vec![HistoryStep { from: collected, state: State::PrimaryAmbient }],
            volume: None,
            irreplaceable: false,
            tests: tests.iter().map(|&code| (code.to_owned(), false)).collect(),
            now: self.now,
        });
        self.rows.last_mut().expect("just pushed")
    }

    /// Adds an override about all lines of a sample (about none for an empty accession), in force
    /// for the whole horizon, with a second person.
    pub fn override_(&mut self, accession: &str, action: Action) -> &mut Override {
        self.overrides.push(Override {
            action,
            target: Target { accession: (!accession.is_empty()).then(|| accession.to_owned()), ..Target::default() },
            who: "first person".to_owned(),
            why: "test".to_owned(),
            until: self.now.plus(Minutes::from_days(60)),
            second: Some("second person".to_owned()),
            line: u32::try_from(self.overrides.len() + 1).expect("few overrides"),
        });
        self.overrides.last_mut().expect("just pushed")
    }

    /// Adds a result of a sample's test, out an hour ago.
    pub fn result(&mut self, accession: &str, test: &str) -> &mut ResultRow {
        self.results.push(ResultRow {
            accession: Some(accession.to_owned()),
            patient: None,
            test: self.test(test),
            resulted: self.now.minus(Minutes::from_hours(1)),
            line: u32::try_from(self.results.len() + 2).expect("few results"),
        });
        self.results.last_mut().expect("just pushed")
    }

    /// Says that an earlier plan has published a run, in a slot from so many until so many minutes
    /// after [`Self::now`] as it is now.
    pub fn published(&mut self, accession: &str, test: &str, analyser: &str, (from, until): (i32, i32)) {
        let at = |minutes| self.now.plus(Minutes::new(minutes));
        let run = PublishedRun { analyser: AnalyserIx::from_row(0), starts: at(from), ends: at(until) };
        self.published.push((accession.to_owned(), test.to_owned(), analyser.to_owned(), run));
    }

    /// The snapshot.
    ///
    /// # Panics
    /// When the parts do not fit.
    pub fn snapshot(&self) -> Snapshot {
        match self.try_snapshot() {
            Ok((snapshot, _)) => snapshot,
            Err(findings) => panic!("the fixture does not fit: {findings:?}"),
        }
    }

    /// The snapshot with its warnings.
    ///
    /// # Errors
    /// The findings of [`Snapshot::new`].
    ///
    /// # Panics
    /// When a code is unknown or rows contradict each other.
    pub fn try_snapshot(&self) -> Result<(Snapshot, Vec<Finding>), Vec<Finding>> {
        let (snapshot, warnings) = Snapshot::new(self.inputs())?;
        let find = |(accession, test, analyser, run): &(String, String, String, PublishedRun)| {
            (line_of(&snapshot, accession, test), PublishedRun { analyser: self.analyser(analyser), ..*run })
        };
        let published: Vec<(LineIx, PublishedRun)> = self.published.iter().map(find).collect();
        let snapshot = if published.is_empty() { snapshot } else { snapshot.with_published(published) };
        Ok((snapshot, warnings))
    }

    /// What the snapshot is made of.
    ///
    /// # Panics
    /// When a code is unknown or rows contradict each other.
    pub fn inputs(&self) -> Inputs {
        Inputs {
            now: self.now,
            catalogue: self.catalogue.clone(),
            network: Network::new(self.network.clone()).expect("a network that makes sense"),
            policy: Policy::new(self.policy.clone()).expect("a policy that makes sense"),
            backlog: self.backlog(),
            overrides: self.overrides.clone(),
            results: self.results.clone(),
        }
    }

    /// The test of a code.
    pub fn test(&self, code: &str) -> TestIx {
        self.catalogue.test(code).unwrap_or_else(|| panic!("no test `{code}`"))
    }

    /// The specimen type of a code.
    pub fn specimen(&self, code: &str) -> SpecimenIx {
        self.catalogue.specimen(code).unwrap_or_else(|| panic!("no specimen `{code}`"))
    }

    /// The site of a code.
    pub fn site(&self, code: &str) -> SiteIx {
        self.network.sites.position(|site| site.code == code).unwrap_or_else(|| panic!("no site `{code}`"))
    }

    /// The analyser of a code.
    pub fn analyser(&self, code: &str) -> AnalyserIx {
        self.network.analysers.position(|facts| facts.code == code).unwrap_or_else(|| panic!("no analyser `{code}`"))
    }

    /// The requester of an ODS code.
    pub fn requester(&self, ods: &str) -> RequesterIx {
        self.network.requesters.position(|facts| facts.ods == ods).unwrap_or_else(|| panic!("no requester `{ods}`"))
    }

    /// The band of a code.
    pub fn band(&self, code: &str) -> BandIx {
        self.policy.bands.position(|band| band.code == code).unwrap_or_else(|| panic!("no band `{code}`"))
    }

    /// The calendar of a name.
    pub fn calendar(&self, name: &str) -> CalendarIx {
        self.network.calendars.position(|facts| facts.name == name).unwrap_or_else(|| panic!("no calendar `{name}`"))
    }

    fn backlog(&self) -> Backlog {
        let mut builder = BacklogBuilder::default();
        for (n, row) in self.rows.iter().enumerate() {
            let tests: Vec<(TestIx, bool)> = row.tests.iter().map(|(code, held)| (self.test(code), *held)).collect();
            let specimen = self.specimen(&row.specimen);
            let irreplaceable =
                row.irreplaceable || tests.iter().any(|(test, _)| self.catalogue.tests[*test].flags.irreplaceable);
            builder.push(&SampleRow {
                line: u32::try_from(n + 2).expect("few rows"),
                accession: &row.accession,
                request: &row.request,
                patient: Pseudonym::new(&row.patient),
                requester: self.requester(&row.requester),
                band: row.band.as_deref().map(|code| self.band(code)),
                flags: row.flags,
                requested: row.requested.unwrap_or(row.collected),
                collected: row.collected,
                collected_unknown: row.collected_unknown,
                received: None,
                specimen,
                site: self.site(&row.site),
                history: &row.history,
                volume: row.volume.unwrap_or(self.catalogue.specimens[specimen].volume),
                irreplaceable,
                tests: &tests,
            });
        }
        let finished = builder.finish();
        assert!(finished.rejected.is_empty(), "rows contradict each other: {:?}", finished.rejected);
        finished.backlog
    }
}

/// The sample of an accession number.
///
/// # Panics
/// When there is none.
pub fn sample_of(snapshot: &Snapshot, accession: &str) -> SampleIx {
    snapshot.backlog.find_sample(accession).unwrap_or_else(|| panic!("no sample `{accession}`"))
}

/// The line of a test on a sample.
///
/// # Panics
/// When there is none.
pub fn line_of(snapshot: &Snapshot, accession: &str, test: &str) -> LineIx {
    let mut lines = snapshot.backlog.samples[sample_of(snapshot, accession)].lines();
    let is = |line: &LineIx| snapshot.catalogue.tests[snapshot.backlog.lines[*line].test].code == test;
    lines.find(is).unwrap_or_else(|| panic!("no test `{test}` on sample `{accession}`"))
}

/// A plan in which the same happens to every line and nothing to any sample.
pub fn plan_of_one(snapshot: &Snapshot, disposition: Disposition) -> Plan {
    Plan {
        rule: Rule::Fifo,
        lines: Table::filled(disposition, snapshot.backlog.lines.len()),
        samples: Table::filled(SamplePlan::default(), snapshot.backlog.samples.len()),
        steps: Vec::new(),
        visits: Vec::new(),
        impossible: Vec::new(),
    }
}

/// A protocol's steps: what is done, the state before and after, minutes.
type Steps = [(Handling, State, State, i32)];

const SERUM: &Steps = &[
    (Handling::Spin, State::PrimaryAmbient, State::SeparatedAmbient, 20),
    (Handling::Spin, State::PrimaryRefrigerated, State::SeparatedAmbient, 20),
    (Handling::Refrigerate, State::SeparatedAmbient, State::SeparatedRefrigerated, 0),
    (Handling::Freeze, State::SeparatedAmbient, State::SeparatedFrozen, 30),
    (Handling::Freeze, State::SeparatedRefrigerated, State::SeparatedFrozen, 30),
    (Handling::Thaw, State::SeparatedFrozen, State::SeparatedThawed, 60),
];
const WHOLE: &Steps = &[(Handling::Refrigerate, State::PrimaryAmbient, State::PrimaryRefrigerated, 0)];

fn protocol(name: &str, steps: &Steps) -> Protocol {
    let step = |&(handling, from, to, time): &_| ProtocolStep { handling, from, to, time: Minutes::new(time) };
    Protocol::new(name.to_owned(), steps.iter().map(step).collect()).expect("an acyclic protocol")
}

/// A test's facts: code, discipline, specimen, phase, microlitres, seconds, retest interval in
/// days (0 for none), limits in hours (0 for forbidden).
type TestRow<'a> = (&'a str, usize, usize, Phase, u32, u32, i32, &'a [(Phase, Condition, i32)]);

fn catalogue() -> Catalogue {
    use Condition::{Ambient as A, Frozen as Z, Refrigerated as F};
    use Phase::{Primary as P, Separated as S};
    let mut catalogue = Catalogue { version: "fixture".to_owned(), ..Catalogue::default() };
    for name in ["chemistry", "haematology", "microbiology"] {
        catalogue.disciplines.push(name.to_owned());
    }
    catalogue.sources.push(Source { id: "T".to_owned(), title: "made up for tests".to_owned(), address: None });
    let serum = catalogue.protocols.push(protocol("serum", SERUM));
    let whole = catalogue.protocols.push(protocol("whole", WHOLE));
    for (code, protocol, aliquots) in [("SST", serum, true), ("EDTA", whole, false), ("CSF", whole, false)] {
        catalogue.specimens.push(Specimen {
            code: code.to_owned(),
            name: code.to_owned(),
            protocol,
            aliquots,
            volume: Microlitres::new(2000),
            snomed: None,
        });
    }
    let rows: [TestRow<'_>; 6] = [
        ("K", 0, 0, S, 10, 2, 0, &[(P, A, 6), (P, F, 0), (S, A, 336), (S, F, 336), (S, Z, 8760)]),
        ("NA", 0, 0, S, 10, 2, 0, &[(P, A, 12), (P, F, 12), (S, A, 96), (S, F, 168), (S, Z, 4380)]),
        ("CRP", 0, 0, S, 10, 4, 0, &[(P, A, 72), (P, F, 72), (S, A, 264), (S, F, 504), (S, Z, 8760)]),
        ("TSH", 0, 0, S, 50, 10, 28, &[(P, A, 24), (P, F, 24), (S, A, 24), (S, F, 72), (S, Z, 2160)]),
        ("FBC", 1, 1, P, 150, 36, 0, &[(P, A, 24), (P, F, 48), (P, Z, 0)]),
        ("CSFC", 2, 2, P, 200, 60, 0, &[(P, A, 12), (P, F, 24)]),
    ];
    for row in rows {
        catalogue.tests.push(test(row));
    }
    let csf = catalogue.test("CSFC").expect("pushed");
    catalogue.tests[csf].flags.irreplaceable = true;
    let members = ["NA", "K"].map(|code| catalogue.test(code).expect("pushed")).to_vec();
    catalogue.push_panel("UE".to_owned(), "UE".to_owned(), members).expect("a panel");
    catalogue
}

fn test((code, discipline, specimen, run_in, volume, seconds, retest, limits): TestRow<'_>) -> Test {
    let source = Ix::from_row(0);
    let figure = |&(phase, condition, hours): &(Phase, Condition, i32)| Figure {
        phase,
        condition,
        limit: if hours == 0 { Limit::Forbidden } else { Limit::Within(Minutes::from_hours(hours)) },
        sources: vec![source],
        basis: Basis::Sourced,
        profile: Profile::Stability,
        specimens: Vec::new(),
    };
    Test {
        code: code.to_owned(),
        name: code.to_owned(),
        discipline: Ix::from_row(discipline),
        specimens: vec![SpecimenIx::from_row(specimen)],
        run_in,
        volume: Microlitres::new(volume),
        analyser_time: AnalyserTime::from_millis(seconds * 1000),
        retest_interval: (retest > 0).then(|| (Minutes::from_days(retest), source)),
        criticality: Percent::ALL,
        flags: TestFlags::default(),
        figures: limits.iter().map(figure).collect(),
        members: Vec::new(),
        snomed: None,
        loinc: None,
    }
}

fn calendar(name: &str, open: impl Fn(usize) -> bool) -> Calendar {
    let windows = std::array::from_fn(|weekday| if open(weekday) { vec![(0, 1440)] } else { Vec::new() });
    Calendar { name: name.to_owned(), windows, closed: Vec::new() }
}

fn site(code: &str, kind: SiteKind, partner: Option<Partner>) -> Site {
    Site {
        code: code.to_owned(),
        name: code.to_owned(),
        kind,
        calendar: CalendarIx::from_row(0),
        reception_per_hour: 100,
        centrifuge_per_hour: 100,
        aliquot_per_hour: 20,
        report_per_hour: 200,
        freezer_places: 10,
        partner,
    }
}

/// An analyser with a menu of codes, each with whether it runs on Tuesdays and Thursdays only.
fn analyser(catalogue: &Catalogue, code: &str, site: usize, menu: &[(&str, bool)]) -> Analyser {
    let entry = |&(code, tue_thu): &(&str, bool)| {
        (catalogue.test(code).expect("a test of the fixture"), tue_thu.then(|| CalendarIx::from_row(2)))
    };
    let mut menu: Vec<(TestIx, Option<CalendarIx>)> = menu.iter().map(entry).collect();
    menu.sort_unstable();
    let mut disciplines: Vec<_> = menu.iter().map(|(test, _)| catalogue.tests[*test].discipline).collect();
    disciplines.sort_unstable();
    disciplines.dedup();
    Analyser {
        code: code.to_owned(),
        site: SiteIx::from_row(site),
        name: code.to_owned(),
        menu,
        disciplines,
        rate_permille: 1000,
        calendar: CalendarIx::from_row(0),
        dead_volume: Microlitres::new(50),
        stock: Vec::new(),
    }
}

fn courier(code: &str, from: usize, to: usize, hours: &[i32], transit: i32) -> Courier {
    let departs: Vec<Departs> = (0..7).flat_map(|weekday| hours.iter().map(move |hour| (weekday, hour * 60))).collect();
    Courier {
        code: code.to_owned(),
        from: SiteIx::from_row(from),
        to: SiteIx::from_row(to),
        departs,
        transit: Minutes::new(transit),
        tubes: 50,
        carries: vec![Condition::Ambient, Condition::Refrigerated],
    }
}

fn network(catalogue: &Catalogue) -> NetworkParts {
    let partner = Partner { bands: [0, 1].map(BandIx::from_row).to_vec(), quota_per_day: 50, cut_off: 16 * 60 };
    let plain = |codes: &[&'static str]| codes.iter().map(|&code| (code, false)).collect::<Vec<_>>();
    let requester = |ods: &str, kind, list_size| Requester {
        ods: ods.to_owned(),
        name: ods.to_owned(),
        kind,
        borough: "Anywhere".to_owned(),
        list_size,
        collection_point: CollectionPointIx::from_row(0),
    };
    NetworkParts {
        name: "fixture".to_owned(),
        zone: Zone::LONDON,
        capacity: Percent::ALL,
        calendars: Table::new(vec![
            calendar("always", |_| true),
            calendar("weekdays", |weekday| weekday < 5),
            calendar("tue-thu", |weekday| weekday == 1 || weekday == 3),
        ]),
        sites: Table::new(vec![
            site("HUB", SiteKind::Hub, None),
            site("HOSP", SiteKind::Hospital, None),
            site("PARTNER", SiteKind::Partner, Some(partner)),
        ]),
        analysers: Table::new(vec![
            analyser(catalogue, "HUB-CHEM", 0, &plain(&["K", "NA", "UE", "CRP", "TSH"])),
            analyser(catalogue, "HUB-HAEM", 0, &plain(&["FBC", "CSFC"])),
            analyser(catalogue, "HOSP-CHEM", 1, &plain(&["K", "NA", "UE", "CRP"])),
            analyser(catalogue, "HOSP-HAEM", 1, &plain(&["FBC"])),
            analyser(catalogue, "PART-CHEM", 2, &[("K", false), ("NA", false), ("CRP", false), ("TSH", true)]),
        ]),
        couriers: Table::new(vec![
            courier("HOSP-HUB", 1, 0, &[10, 16], 45),
            courier("HUB-HOSP", 0, 1, &[11], 45),
            courier("HUB-PARTNER", 0, 2, &[12], 60),
        ]),
        collection_points: Table::new(vec![CollectionPoint {
            code: "POINT".to_owned(),
            name: "POINT".to_owned(),
            visits_per_day: 20,
            calendar: CalendarIx::from_row(1),
            lead_time_days: 1,
            opens: 9 * 60,
            delivers: vec![Delivery { site: SiteIx::from_row(0), arrives: 17 * 60 }],
        }]),
        requesters: Table::new(vec![
            requester("G1", RequesterKind::Practice, 9000),
            requester("W1", RequesterKind::Ward, 0),
        ]),
        disruptions: Vec::new(),
    }
}

fn policy() -> PolicyParts {
    let band = |code: &str, weight, target, strict| Band {
        code: code.to_owned(),
        name: code.to_owned(),
        weight: Weight::from_thousandths(weight),
        target: Minutes::from_hours(target),
        strict,
        lateness: Percent::new(200),
        source: "made up for tests".to_owned(),
    };
    let stretch =
        |until, length| SlotStretch { until: Minutes::from_hours(until), length: Minutes::from_hours(length) };
    let price = Cost::from_thousandths;
    PolicyParts {
        version: "fixture".to_owned(),
        slots: vec![stretch(12, 1), stretch(48, 4), stretch(120, 24)],
        tail: Minutes::from_days(5),
        bands: Table::new(vec![
            band("immediate", 64_000, 4, true),
            band("urgent", 16_000, 24, true),
            band("routine", 1000, 72, false),
        ]),
        default_band: BandIx::from_row(2),
        rules: Vec::new(),
        flags: FlagVocabulary::default(),
        modifiers: Modifiers {
            flags: Vec::new(),
            requesters: Vec::new(),
            waited_per_day: Percent::NONE,
            waited_max: Percent::ALL,
        },
        recall_burden: price(3000),
        recall_burden_factors: vec![(FlagSet::HARD_TO_BLEED, Percent::new(300))],
        recalls_per_day: 100,
        profile: Profile::Stability,
        safety_margin: Minutes::ZERO,
        unknown_stability: UnknownRule::Hold,
        unknown_time: UnknownRule::Hold,
        minimum_hold: Minutes::from_days(2),
        irreplaceable_loss: price(1_000_000),
        cancel_duplicates: true,
        reserves: Vec::new(),
        frozen_window: Minutes::ZERO,
        moved_line: price(1),
        prices: StepPrices {
            spin: price(1),
            refrigerate: price(1),
            freeze: price(5),
            courier_tube: price(5),
            aliquot: price(5),
        },
        fairness: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::SlotIx;
    use crate::viability::Clock;

    #[test]
    fn the_fixture_fits() {
        let mut fixture = Fixture::new();
        fixture.sample("A1", "P1", "SST", &["K", "CRP"]).collected_hours_ago(3).band("urgent");
        fixture.sample("A2", "P2", "CSF", &["CSFC"]);
        fixture
            .sample("A3", "P3", "SST", &["UE"])
            .history(&[(20, State::PrimaryAmbient), (19, State::PrimaryRefrigerated)]);
        let snapshot = fixture.snapshot();
        assert_eq!(snapshot.now.to_string(), "2024-06-03T07:00Z");
        assert_eq!(
            snapshot.clocks[line_of(&snapshot, "A1", "K")],
            Clock::Until(fixture.now.plus(Minutes::from_hours(3)))
        );
        assert!(snapshot.strict(line_of(&snapshot, "A1", "K")));
        assert!(snapshot.backlog.samples[sample_of(&snapshot, "A2")].irreplaceable);
        assert_eq!(snapshot.grid.end(SlotIx::from_row(0)).since(snapshot.now), Minutes::from_hours(1));
        assert_eq!(snapshot.first_visit[CollectionPointIx::from_row(0)].to_string(), "2024-06-04");
    }
}
