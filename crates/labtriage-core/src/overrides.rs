//! What has a person decided? Pins, holds and forced actions, each with who, why and until when.

use crate::table::{AnalyserIx, BandIx, LineIx, OverrideIx, RequesterIx, SiteIx, Table, TestIx};
use crate::time::Instant;

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
}

impl Action {
    /// The word used in files.
    pub const fn text(&self) -> &'static str {
        match self {
            Self::Pin { .. } => "pin",
            Self::Hold => "hold",
            Self::ForceTest { .. } => "force-test",
            Self::ForceDiscard => "force-discard",
            Self::SetBand(_) => "band",
            Self::Route(_) => "route",
            Self::Cap { .. } => "cap",
        }
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
    /// What it is about; empty for a cap.
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
