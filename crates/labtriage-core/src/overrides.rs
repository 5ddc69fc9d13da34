//! What has a person decided? Pins, holds and forced actions, each with who, why and until when.

use crate::network::Network;
use crate::table::{AnalyserIx, BandIx, CollectionPointIx, LineIx, OverrideIx, RequesterIx, SiteIx, Table, TestIx};
use crate::time::{Day, Instant};

/// What an override asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// Run at a site or analyser, or by a time, or both.
    Pin {
        /// Where.
        site: Option<SiteIx>,
        /// On which analyser.
        analyser: Option<AnalyserIx>,
        /// By when its run must have ended.
        by: Option<Instant>,
    },
    /// Neither test nor discard.
    Hold,
    /// Test although expired; the caution travels into the worklist and the report.
    ForceTest {
        /// The caution text.
        caution: String,
    },
    /// Propose for discard although it could be tested.
    ForceDiscard,
    /// Never propose for discard. It says nothing of tests and recalls.
    Keep,
    /// Give the request another band.
    SetBand(BandIx),
    /// Send to a partner.
    Route(SiteIx),
    /// At most so many lines of a requester are run in a local day.
    Cap {
        /// Whose.
        requester: RequesterIx,
        /// How many.
        lines_per_day: u32,
    },
    /// So many visits of a local day at a collection point are booked: no plan can give them to others.
    Visits {
        /// Where.
        point: CollectionPointIx,
        /// When.
        day: Day,
        /// How many.
        visits: u32,
    },
}

impl Action {
    /// The word used in files.
    pub const fn text(&self) -> &'static str {
        match self {
            Self::Pin { .. } => "pin",
            Self::Hold => "hold",
            Self::ForceTest { .. } => "force-test",
            Self::ForceDiscard => "force-discard",
            Self::Keep => "keep",
            Self::SetBand(_) => "band",
            Self::Route(_) => "route",
            Self::Cap { .. } => "cap",
            Self::Visits { .. } => "visits",
        }
    }
}

impl Action {
    /// Whether it is about a requester or a collection point, and no sample.
    pub const fn is_of_no_sample(&self) -> bool {
        matches!(self, Self::Cap { .. } | Self::Visits { .. })
    }

    /// Whether it is about a whole tube, whatever test it names.
    pub const fn is_of_the_tube(&self) -> bool {
        matches!(self, Self::ForceDiscard | Self::Keep)
    }

    /// Where it wants a line run; `None` for an action that names no place.
    fn place(&self) -> Option<(Option<SiteIx>, Option<AnalyserIx>)> {
        match *self {
            Self::Pin { site, analyser, .. } => Some((site, analyser)),
            Self::Route(site) => Some((Some(site), None)),
            _ => None,
        }
    }

    /// Whether no plan can do both what this and another action ask for one line.
    pub fn clashes(&self, other: &Self, network: &Network) -> bool {
        let does = |action: &Self| {
            matches!(action, Self::Pin { .. } | Self::Route(_) | Self::ForceTest { .. } | Self::ForceDiscard)
        };
        let place = |action: &Self| {
            let (site, analyser) = action.place().unwrap_or_default();
            (site.or(analyser.map(|analyser| network.analysers[analyser].site)), analyser)
        };
        match (self, other) {
            (Self::Hold, acts) | (acts, Self::Hold) => does(acts),
            (Self::Keep, other) | (other, Self::Keep) => *other == Self::ForceDiscard,
            (Self::ForceDiscard, runs) | (runs, Self::ForceDiscard) => does(runs) && *runs != Self::ForceDiscard,
            _ => {
                let ((site, analyser), (other_site, other_analyser)) = (place(self), place(other));
                (site.is_some() && other_site.is_some() && site != other_site)
                    || (analyser.is_some() && other_analyser.is_some() && analyser != other_analyser)
            }
        }
    }

    /// Whether an analyser where it wants a line run has the test on its menu; true for an action without a place.
    pub fn can_run(&self, test: TestIx, network: &Network) -> bool {
        let Some((site, analyser)) = self.place() else { return true };
        network.analysers.enumerate().any(|(index, facts)| {
            site.is_none_or(|site| facts.site == site)
                && analyser.is_none_or(|analyser| index == analyser)
                && facts.menu.binary_search_by_key(&test, |(on_menu, _)| *on_menu).is_ok()
        })
    }
}

/// What an override is about: a sample, a request or everything of a patient; one test of it or all.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Target {
    /// Accession number.
    pub accession: Option<String>,
    /// Request code.
    pub request: Option<String>,
    /// Only this test.
    pub test: Option<TestIx>,
}

/// A person's decision.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Override {
    /// What it asks for.
    pub action: Action,
    /// What it is about; empty where it is about no sample.
    pub target: Target,
    /// Who decided.
    pub who: String,
    /// Why.
    pub why: String,
    /// Until when it holds.
    pub until: Instant,
    /// The second person, where two are needed.
    pub second: Option<String>,
    /// Line in its file, for findings.
    pub line: u32,
}

impl Override {
    /// Whether one person may not decide this alone, of a sample that can or cannot be collected again and whose request
    /// would have `band` without it.
    pub fn needs_second(&self, irreplaceable: bool, band: BandIx) -> bool {
        match self.action {
            Action::ForceDiscard => irreplaceable,
            Action::SetBand(set) => set > band,
            _ => false,
        }
    }

    /// Whether a second, different person has agreed.
    pub fn has_second(&self) -> bool {
        let same = |name: &str| name.trim().to_lowercase() == self.who.trim().to_lowercase();
        self.second.as_deref().is_some_and(|second| !second.trim().is_empty() && !same(second))
    }
}

/// All overrides of a run, with the lines each is about.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Overrides {
    /// The overrides in force, in order of their file.
    pub all: Table<OverrideIx, Override>,
    /// Lines and the overrides about them, in order of line.
    pub by_line: Vec<(LineIx, OverrideIx)>,
}

impl Overrides {
    /// The overrides about a line, in order.
    pub fn of(&self, line: LineIx) -> impl Iterator<Item = (OverrideIx, &Override)> {
        let from = self.by_line.partition_point(|(other, _)| *other < line);
        self.by_line[from..]
            .iter()
            .take_while(move |(other, _)| *other == line)
            .map(|&(_, index)| (index, &self.all[index]))
    }

    /// The hold on a line.
    pub fn hold(&self, line: LineIx) -> Option<OverrideIx> {
        self.of(line).find(|(_, about)| about.action == Action::Hold).map(|(index, _)| index)
    }

    /// The forced discard of a line's sample.
    pub fn force_discard(&self, line: LineIx) -> Option<OverrideIx> {
        self.of(line).find(|(_, about)| about.action == Action::ForceDiscard).map(|(index, _)| index)
    }

    /// Whether the sample of a line must not be proposed for discard.
    pub fn keeps(&self, line: LineIx) -> bool {
        self.of(line).any(|(_, about)| about.action == Action::Keep)
    }

    /// The caution with which a line is tested although expired.
    pub fn caution(&self, line: LineIx) -> Option<&str> {
        self.of(line).find_map(|(_, about)| match &about.action {
            Action::ForceTest { caution } => Some(caution.as_str()),
            _ => None,
        })
    }

    /// Where, on what and by when a line must be run; `None` when nothing is said.
    pub fn pins(&self, line: LineIx) -> impl Iterator<Item = (OverrideIx, Pin)> {
        self.of(line).filter_map(|(index, about)| match about.action {
            Action::Pin { site, analyser, by } => Some((index, Pin { site, analyser, by })),
            Action::Route(site) => Some((index, Pin { site: Some(site), analyser: None, by: None })),
            Action::ForceTest { .. } => Some((index, Pin { site: None, analyser: None, by: None })),
            _ => None,
        })
    }
}

/// Where, on what and by when a line must be run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pin {
    /// Where.
    pub site: Option<SiteIx>,
    /// On which analyser.
    pub analyser: Option<AnalyserIx>,
    /// By when its run must have ended.
    pub by: Option<Instant>,
}
