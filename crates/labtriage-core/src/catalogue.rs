//! What can be tested, on what, and for how long does a specimen keep?
//!
//! Every stability figure carries its sources. A figure that is not there is *unknown*, never
//! unlimited; zero is *forbidden*.

use petgraph::algo::tarjan_scc;
use petgraph::graph::DiGraph;
use thiserror::Error;

use crate::table::{DisciplineIx, Ix, ProtocolIx, SourceIx, SpecimenIx, Table, TestIx};
use crate::time::Minutes;
use crate::units::{AnalyserTime, Microlitres, Percent};

/// What has been done to a specimen.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Phase {
    /// As collected.
    Primary,
    /// Cells and liquid apart.
    Separated,
}

/// How warm a specimen is kept, as stability tables know it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Condition {
    /// Room temperature.
    Ambient,
    /// 2–8 °C.
    Refrigerated,
    /// −20 °C or colder.
    Frozen,
}

impl Condition {
    /// All conditions.
    pub const ALL: [Self; 3] = [Self::Ambient, Self::Refrigerated, Self::Frozen];

    /// The word used in files.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Ambient => "ambient",
            Self::Refrigerated => "refrigerated",
            Self::Frozen => "frozen",
        }
    }
}

/// How a specimen stands: phase and storage. Thawed material ages as ambient and is never frozen again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum State {
    /// As collected, at room temperature.
    PrimaryAmbient,
    /// As collected, at 2–8 °C.
    PrimaryRefrigerated,
    /// As collected, frozen: seen in histories, never planned.
    PrimaryFrozen,
    /// Separated, at room temperature.
    SeparatedAmbient,
    /// Separated, at 2–8 °C.
    SeparatedRefrigerated,
    /// Separated, frozen.
    SeparatedFrozen,
    /// Separated, thawed once.
    SeparatedThawed,
}

impl State {
    /// All states.
    pub const ALL: [Self; 7] = [
        Self::PrimaryAmbient,
        Self::PrimaryRefrigerated,
        Self::PrimaryFrozen,
        Self::SeparatedAmbient,
        Self::SeparatedRefrigerated,
        Self::SeparatedFrozen,
        Self::SeparatedThawed,
    ];

    /// What has been done to it.
    pub const fn phase(self) -> Phase {
        match self {
            Self::PrimaryAmbient | Self::PrimaryRefrigerated | Self::PrimaryFrozen => Phase::Primary,
            _ => Phase::Separated,
        }
    }

    /// How warm it is kept.
    pub const fn condition(self) -> Condition {
        match self {
            Self::PrimaryAmbient | Self::SeparatedAmbient | Self::SeparatedThawed => Condition::Ambient,
            Self::PrimaryRefrigerated | Self::SeparatedRefrigerated => Condition::Refrigerated,
            Self::PrimaryFrozen | Self::SeparatedFrozen => Condition::Frozen,
        }
    }

    /// The state of a phase kept in a condition, never thawed.
    pub const fn of(phase: Phase, condition: Condition) -> Self {
        match (phase, condition) {
            (Phase::Primary, Condition::Ambient) => Self::PrimaryAmbient,
            (Phase::Primary, Condition::Refrigerated) => Self::PrimaryRefrigerated,
            (Phase::Primary, Condition::Frozen) => Self::PrimaryFrozen,
            (Phase::Separated, Condition::Ambient) => Self::SeparatedAmbient,
            (Phase::Separated, Condition::Refrigerated) => Self::SeparatedRefrigerated,
            (Phase::Separated, Condition::Frozen) => Self::SeparatedFrozen,
        }
    }

    /// The words used in files: `separated refrigerated`.
    pub const fn text(self) -> &'static str {
        match self {
            Self::PrimaryAmbient => "primary ambient",
            Self::PrimaryRefrigerated => "primary refrigerated",
            Self::PrimaryFrozen => "primary frozen",
            Self::SeparatedAmbient => "separated ambient",
            Self::SeparatedRefrigerated => "separated refrigerated",
            Self::SeparatedFrozen => "separated frozen",
            Self::SeparatedThawed => "separated thawed",
        }
    }

    /// The state of these words.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.text() == text)
    }
}

/// Something done to a tube that changes its state.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Handling {
    /// Centrifuged: primary to separated.
    Spin,
    /// Moved to 2–8 °C.
    Refrigerate,
    /// Aliquoted and frozen.
    Freeze,
    /// Thawed, once.
    Thaw,
}

impl Handling {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Spin, Self::Refrigerate, Self::Freeze, Self::Thaw];

    /// The word used in files.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Spin => "spin",
            Self::Refrigerate => "refrigerate",
            Self::Freeze => "freeze",
            Self::Thaw => "thaw",
        }
    }
}

/// One allowed step of a protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProtocolStep {
    /// What is done.
    pub handling: Handling,
    /// The state before.
    pub from: State,
    /// The state after.
    pub to: State,
    /// How long it takes.
    pub time: Minutes,
}

/// How a kind of specimen may be handled: a directed acyclic graph of states.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Protocol {
    name: String,
    steps: Vec<ProtocolStep>,
}

impl Protocol {
    /// A protocol of these steps.
    ///
    /// # Errors
    /// [`CatalogueError::ProtocolCycle`] when steps lead back to a state, naming the whole loop.
    pub fn new(name: String, steps: Vec<ProtocolStep>) -> Result<Self, CatalogueError> {
        let mut graph = DiGraph::<State, ()>::new();
        let nodes = State::ALL.map(|state| graph.add_node(state));
        for step in &steps {
            graph.add_edge(nodes[step.from as usize], nodes[step.to as usize], ());
        }
        let cycle =
            tarjan_scc(&graph).into_iter().find(|loop_| loop_.len() > 1 || graph.contains_edge(loop_[0], loop_[0]));
        if let Some(cycle) = cycle {
            let mut states: Vec<State> = cycle.into_iter().map(|node| graph[node]).collect();
            states.sort_unstable();
            let states: Vec<&str> = states.into_iter().map(State::text).collect();
            return Err(CatalogueError::ProtocolCycle { protocol: name, states: states.join(" -> ") });
        }
        Ok(Self { name, steps })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its steps.
    pub fn steps(&self) -> &[ProtocolStep] {
        &self.steps
    }

    /// The step that this handling is, from this state, if allowed.
    pub fn step(&self, handling: Handling, from: State) -> Option<ProtocolStep> {
        self.steps.iter().copied().find(|step| step.handling == handling && step.from == from)
    }
}

/// Where figures come from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Source {
    /// Short name used in figures.
    pub id: String,
    /// Title.
    pub title: String,
    /// Web address or catalogue number.
    pub address: Option<String>,
}

/// A specimen type.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Specimen {
    /// Local code.
    pub code: String,
    /// Name.
    pub name: String,
    /// How it may be handled.
    pub protocol: ProtocolIx,
    /// Whether separated material may be split between two sites.
    pub aliquots: bool,
    /// Usable volume assumed when the extract gives none.
    pub volume: Microlitres,
    /// SNOMED CT concept.
    pub snomed: Option<String>,
}

/// How long a specimen keeps for a test, in one state.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Limit {
    /// No figure is known.
    Unknown,
    /// The state spoils the specimen for this test at once.
    Forbidden,
    /// So long.
    Within(Minutes),
}

impl Limit {
    /// The stricter of two: forbidden, then unknown, then the shorter.
    pub fn stricter(self, other: Self) -> Self {
        match (self, other) {
            (Self::Forbidden, _) | (_, Self::Forbidden) => Self::Forbidden,
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::Within(a), Self::Within(b)) => Self::Within(a.min(b)),
        }
    }
}

/// How firm a figure is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Basis {
    /// A source states it.
    Sourced,
    /// Judgement of the catalogue's makers.
    Judgement,
    /// A laboratory's operational add-on limit.
    AddOn,
}

/// Which figures count.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Profile {
    /// Stability figures only.
    Stability,
    /// The shorter of stability and add-on figures.
    AddOn,
}

/// One figure: in this state the specimen keeps so long, says this source.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Figure {
    /// Phase it applies to.
    pub phase: Phase,
    /// Condition it applies to.
    pub condition: Condition,
    /// The limit; never [`Limit::Unknown`].
    pub limit: Limit,
    /// Where it comes from.
    pub sources: Vec<SourceIx>,
    /// How firm it is.
    pub basis: Basis,
    /// The profile that uses it.
    pub profile: Profile,
    /// The specimens it is limited to; empty = all of the test's.
    pub specimens: Vec<SpecimenIx>,
}

/// Properties of a test that change how its samples are treated or shown.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct TestFlags {
    /// Cannot be collected again: never discarded, never recalled without a person.
    pub irreplaceable: bool,
    /// Keep dark.
    pub light_sensitive: bool,
    /// Keep on ice.
    pub ice: bool,
    /// Preserved by its container.
    pub stabilised: bool,
    /// Depends on the week of pregnancy.
    pub gestation_window: bool,
    /// The container decides before the clock does.
    pub container_rule: bool,
    /// Never waits in a backlog.
    pub time_critical: bool,
}

/// A test that can be requested: single, or a panel run and reported as one line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Test {
    /// Local code.
    pub code: String,
    /// Name.
    pub name: String,
    /// Discipline.
    pub discipline: DisciplineIx,
    /// Specimen types it can be done on.
    pub specimens: Vec<SpecimenIx>,
    /// The phase the analyser takes.
    pub run_in: Phase,
    /// Material used, without dead volume.
    pub volume: Microlitres,
    /// Work on a reference analyser module.
    pub analyser_time: AnalyserTime,
    /// Minimum interval before it makes sense to repeat it, with its source.
    pub retest_interval: Option<(Minutes, SourceIx)>,
    /// Weight factor of the test.
    pub criticality: Percent,
    /// Special properties.
    pub flags: TestFlags,
    /// Stability figures; a panel has none of its own.
    pub figures: Vec<Figure>,
    /// The tests of a panel; empty for a single test.
    pub members: Vec<TestIx>,
    /// SNOMED CT concept.
    pub snomed: Option<String>,
    /// LOINC code.
    pub loinc: Option<String>,
}

/// A limit per phase and condition, for one test on one specimen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits([Limit; 6]);

impl Limits {
    /// Nothing known.
    pub const UNKNOWN: Self = Self([Limit::Unknown; 6]);

    /// The limit in a phase and condition.
    pub const fn get(&self, phase: Phase, condition: Condition) -> Limit {
        self.0[phase as usize * 3 + condition as usize]
    }

    /// The limit in a state.
    pub const fn of(&self, state: State) -> Limit {
        self.get(state.phase(), state.condition())
    }

    /// Sets the limit in a phase and condition.
    pub const fn set(&mut self, phase: Phase, condition: Condition, limit: Limit) {
        self.0[phase as usize * 3 + condition as usize] = limit;
    }

    /// The stricter limit in every state.
    #[must_use]
    pub fn stricter(mut self, other: &Self) -> Self {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine = mine.stricter(theirs);
        }
        self
    }
}

/// Why a catalogue cannot be.
#[derive(Clone, PartialEq, Eq, Error, Debug)]
pub enum CatalogueError {
    /// Protocol steps lead back to where they began.
    #[error("the steps of protocol `{protocol}` form a cycle: {states}")]
    ProtocolCycle {
        /// The protocol.
        protocol: String,
        /// The states on the loop.
        states: String,
    },
    /// Tests of a panel differ in a way that forbids running them as one line.
    #[error("tests `{first}` and `{second}` of panel `{panel}` differ in {what}")]
    PanelInconsistent {
        /// The panel.
        panel: String,
        /// The first test.
        first: String,
        /// The test that differs from it.
        second: String,
        /// What differs.
        what: &'static str,
    },
    /// A panel names no test.
    #[error("panel `{panel}` has no tests")]
    PanelEmpty {
        /// The panel.
        panel: String,
    },
}

/// Tests, panels, specimens, protocols and sources.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Catalogue {
    /// Version, as the file states it.
    pub version: String,
    /// Disciplines by name, in order of first use.
    pub disciplines: Table<DisciplineIx, String>,
    /// Sources.
    pub sources: Table<SourceIx, Source>,
    /// Protocols.
    pub protocols: Table<ProtocolIx, Protocol>,
    /// Specimen types.
    pub specimens: Table<SpecimenIx, Specimen>,
    /// Tests; panels after the tests they are made of.
    pub tests: Table<TestIx, Test>,
}

impl Catalogue {
    /// The test or panel of a code.
    pub fn test(&self, code: &str) -> Option<TestIx> {
        self.tests.position(|test| test.code == code)
    }

    /// The specimen type of a code.
    pub fn specimen(&self, code: &str) -> Option<SpecimenIx> {
        self.specimens.position(|specimen| specimen.code == code)
    }

    /// The discipline of a name.
    pub fn discipline(&self, name: &str) -> Option<DisciplineIx> {
        self.disciplines.position(|discipline| discipline == name)
    }

    /// Adds a panel made of tests that are already there.
    ///
    /// It takes the sum of their work and volume, the strictest of their limits, the longest
    /// retest interval and the highest criticality.
    ///
    /// # Errors
    /// [`CatalogueError`] when the tests differ in discipline or phase, or share no specimen type.
    pub fn push_panel(&mut self, code: String, name: String, members: Vec<TestIx>) -> Result<TestIx, CatalogueError> {
        let Some((&first, others)) = members.split_first() else {
            return Err(CatalogueError::PanelEmpty { panel: code });
        };
        let mut panel =
            Test { code, name, figures: Vec::new(), snomed: None, loinc: None, ..self.tests[first].clone() };
        for &other in others {
            let member = &self.tests[other];
            panel.specimens.retain(|specimen| member.specimens.contains(specimen));
            let differs = [
                (panel.discipline != member.discipline, "discipline"),
                (panel.run_in != member.run_in, "the phase they are run in"),
                (panel.specimens.is_empty(), "specimen types"),
            ];
            if let Some((_, what)) = differs.into_iter().find(|(differs, _)| *differs) {
                return Err(CatalogueError::PanelInconsistent {
                    panel: panel.code,
                    first: self.tests[first].code.clone(),
                    second: member.code.clone(),
                    what,
                });
            }
            panel.volume = panel.volume.plus(member.volume);
            panel.analyser_time = panel.analyser_time.plus(member.analyser_time);
            panel.criticality = panel.criticality.max(member.criticality);
            panel.retest_interval = panel.retest_interval.max(member.retest_interval);
            panel.flags = panel.flags.with(member.flags);
        }
        panel.members = members;
        Ok(self.tests.push(panel))
    }

    /// The limits of a test on a specimen under a profile; of a panel, the strictest of its tests'.
    pub fn limits(&self, test: TestIx, specimen: SpecimenIx, profile: Profile) -> Limits {
        let this = &self.tests[test];
        if let Some((&first, others)) = this.members.split_first() {
            return others.iter().fold(self.limits(first, specimen, profile), |limits, &member| {
                limits.stricter(&self.limits(member, specimen, profile))
            });
        }
        let mut limits = Limits::UNKNOWN;
        for figure in this.figures_for(specimen, profile) {
            let known = limits.get(figure.phase, figure.condition);
            let limit = if known == Limit::Unknown { figure.limit } else { known.stricter(figure.limit) };
            limits.set(figure.phase, figure.condition, limit);
        }
        limits
    }

    /// The figure (and the test that has it) that sets the limit of a test in a state.
    pub fn deciding_figure(
        &self,
        test: TestIx,
        specimen: SpecimenIx,
        profile: Profile,
        state: State,
    ) -> Option<(TestIx, &Figure)> {
        let this = &self.tests[test];
        let tests = if this.members.is_empty() { std::slice::from_ref(&test) } else { &this.members };
        tests
            .iter()
            .flat_map(|&single| self.tests[single].figures_for(specimen, profile).map(move |figure| (single, figure)))
            .filter(|(_, figure)| figure.phase == state.phase() && figure.condition == state.condition())
            .min_by_key(|(_, figure)| match figure.limit {
                Limit::Within(limit) => limit,
                Limit::Forbidden | Limit::Unknown => Minutes::ZERO,
            })
    }
}

impl Test {
    fn figures_for(&self, specimen: SpecimenIx, profile: Profile) -> impl Iterator<Item = &Figure> {
        self.figures.iter().filter(move |figure| {
            figure.profile <= profile && (figure.specimens.is_empty() || figure.specimens.contains(&specimen))
        })
    }
}

impl TestFlags {
    /// The flags of either.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self {
            irreplaceable: self.irreplaceable || other.irreplaceable,
            light_sensitive: self.light_sensitive || other.light_sensitive,
            ice: self.ice || other.ice,
            stabilised: self.stabilised || other.stabilised,
            gestation_window: self.gestation_window || other.gestation_window,
            container_rule: self.container_rule || other.container_rule,
            time_critical: self.time_critical || other.time_critical,
        }
    }
}

/// The dense table of limits that planning reads: every test on every specimen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LimitTable {
    specimens: usize,
    limits: Vec<Limits>,
}

impl LimitTable {
    /// The limits of a catalogue under a profile; an unknown limit becomes `assumed` when a
    /// policy gives a figure.
    pub fn new(catalogue: &Catalogue, profile: Profile, assumed: Option<Minutes>) -> Self {
        let specimens = catalogue.specimens.len();
        let mut limits = Vec::with_capacity(catalogue.tests.len() * specimens);
        for test in catalogue.tests.indices() {
            for specimen in catalogue.specimens.indices() {
                let mut found = catalogue.limits(test, specimen, profile);
                for limit in &mut found.0 {
                    if let (Limit::Unknown, Some(assumed)) = (*limit, assumed) {
                        *limit = Limit::Within(assumed);
                    }
                }
                limits.push(found);
            }
        }
        Self { specimens, limits }
    }

    /// The limits of a test on a specimen.
    pub fn get(&self, test: TestIx, specimen: SpecimenIx) -> &Limits {
        &self.limits[test.row() * self.specimens + specimen.row()]
    }
}
