//! What matters more? Bands, weights, burdens and margins: the planner's own figures.

use thiserror::Error;

use crate::catalogue::Profile;
use crate::flags::{FlagSet, FlagVocabulary};
use crate::network::RequesterKind;
use crate::table::{BandIx, DisciplineIx, Ix, Table, TestIx};
use crate::time::Minutes;
use crate::units::{Cost, Percent, Weight};

/// A clinical priority class.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Band {
    /// Code used in files.
    pub code: String,
    /// Name.
    pub name: String,
    /// Weight of a line.
    pub weight: Weight,
    /// From request to result.
    pub target: Minutes,
    /// Never outranked by volume.
    pub strict: bool,
    /// Weight of the time beyond the target.
    pub lateness: Percent,
    /// Where the class comes from.
    pub source: String,
}

/// Gives a request its band when the extract has none; every condition that is not empty must match.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BandRule {
    /// The band it gives.
    pub band: BandIx,
    /// Any of these flags.
    pub flags: FlagSet,
    /// Any of these tests.
    pub tests: Vec<TestIx>,
    /// Nothing but these tests.
    pub only_tests: Vec<TestIx>,
    /// Any of these kinds of requester.
    pub requesters: Vec<RequesterKind>,
}

/// A stretch of the horizon with slots of one length.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SlotStretch {
    /// Until so long after now.
    pub until: Minutes,
    /// Length of its slots, a divisor of a day.
    pub length: Minutes,
}

/// What to do where a figure is unknown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UnknownRule {
    /// Keep the sample and let a person decide.
    Hold,
    /// Treat the line as lost.
    Exclude,
    /// Use this figure, and say so.
    Assume(Minutes),
}

/// Analyser time kept free for urgent arrivals.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reserve {
    /// Of analysers that run this discipline.
    pub discipline: DisciplineIx,
    /// From so many minutes after local midnight.
    pub from: i32,
    /// Until so many minutes after local midnight.
    pub until: i32,
    /// This share.
    pub share: Percent,
}

/// Multiplies the weight of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Modifiers {
    /// By flag.
    pub flags: Vec<(FlagSet, Percent)>,
    /// By kind of requester.
    pub requesters: Vec<(RequesterKind, Percent)>,
    /// Added per whole day already waited.
    pub waited_per_day: Percent,
    /// The most that waiting can make of it.
    pub waited_max: Percent,
}

/// Small prices of handling.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StepPrices {
    /// Per tube spun.
    pub spin: Cost,
    /// Per tube refrigerated.
    pub refrigerate: Cost,
    /// Per tube aliquoted and frozen (thawing included).
    pub freeze: Cost,
    /// Per tube sent.
    pub courier_tube: Cost,
    /// Per tube aliquoted for a second site.
    pub aliquot: Cost,
}

/// What makes lines a group whose waits are compared with those of the whole band.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GroupBy {
    /// The borough of who asked.
    Borough,
    /// The practice that asked; wards belong to none.
    Practice,
    /// The kind of requester.
    Kind,
}

impl GroupBy {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Borough, Self::Practice, Self::Kind];

    /// The word used in files.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Borough => "borough",
            Self::Practice => "practice",
            Self::Kind => "kind",
        }
    }
}

/// How far the mean weighted wait of a group may lie above that of its whole band.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FairnessLimit {
    /// What makes a group.
    pub by: GroupBy,
    /// So far above at most.
    pub max_above: Percent,
    /// Groups with fewer lines in a band are not judged there.
    pub min_lines: u32,
    /// The bands that are judged, in order.
    pub bands: Vec<BandIx>,
}

/// The planner's figures.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PolicyParts {
    /// Version, as the file states it.
    pub version: String,
    /// The planning grid.
    pub slots: Vec<SlotStretch>,
    /// Added to the horizon for what is not done within it.
    pub tail: Minutes,
    /// Bands, the most pressing first.
    pub bands: Table<BandIx, Band>,
    /// The band when no rule matches.
    pub default_band: BandIx,
    /// Rules; the most pressing band that matches wins.
    pub rules: Vec<BandRule>,
    /// Flags the policy knows.
    pub flags: FlagVocabulary,
    /// Weight factors.
    pub modifiers: Modifiers,
    /// Cost of recalling a patient, once.
    pub recall_burden: Cost,
    /// Factors of the burden by flag.
    pub recall_burden_factors: Vec<(FlagSet, Percent)>,
    /// The network's daily recall cap.
    pub recalls_per_day: u32,
    /// Which stability figures count.
    pub profile: Profile,
    /// Taken off every window.
    pub safety_margin: Minutes,
    /// What to do where stability is unknown.
    pub unknown_stability: UnknownRule,
    /// What to do where the collection time is unknown; the figure is the allowance before receipt.
    pub unknown_time: UnknownRule,
    /// How long an expired sample is kept.
    pub minimum_hold: Minutes,
    /// Cost of losing an irreplaceable sample.
    pub irreplaceable_loss: Cost,
    /// Whether repeated lines are cancelled.
    pub cancel_duplicates: bool,
    /// Capacity kept free.
    pub reserves: Vec<Reserve>,
    /// Nothing published inside this window from now is moved.
    pub frozen_window: Minutes,
    /// Price of a line moved against the published plan.
    pub moved_line: Cost,
    /// Prices of handling.
    pub prices: StepPrices,
    /// No group may wait much longer than its band; none: waits of groups are not looked at.
    pub fairness: Option<FairnessLimit>,
}

/// Why a policy cannot be.
#[derive(Clone, PartialEq, Eq, Error, Debug)]
pub enum PolicyError {
    /// No band at all.
    #[error("the policy has no bands")]
    NoBands,
    /// A strict band stands below one that is not.
    #[error("strict band `{strict}` stands below band `{above}`, which is not strict")]
    StrictBelow {
        /// The strict band.
        strict: String,
        /// The band above it.
        above: String,
    },
    /// The slots cannot be laid out.
    #[error("{0}")]
    Horizon(&'static str),
}

/// A policy that makes sense; it reads like its [`PolicyParts`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Policy(PolicyParts);

impl std::ops::Deref for Policy {
    type Target = PolicyParts;
    fn deref(&self) -> &PolicyParts {
        &self.0
    }
}

/// The longest horizon that can be planned.
pub const HORIZON_MAX: Minutes = Minutes::from_days(62);

impl Policy {
    /// A policy of these parts.
    ///
    /// # Errors
    /// [`PolicyError`] when there is no band, strict bands do not come first, or slots are out of order.
    pub fn new(parts: PolicyParts) -> Result<Self, PolicyError> {
        if parts.bands.is_empty() {
            return Err(PolicyError::NoBands);
        }
        let bands = parts.bands.as_slice();
        if let Some(pair) = bands.windows(2).find(|pair| pair[1].strict && !pair[0].strict) {
            return Err(PolicyError::StrictBelow { strict: pair[1].code.clone(), above: pair[0].code.clone() });
        }
        let mut until = Minutes::ZERO;
        for stretch in &parts.slots {
            if stretch.until <= until {
                return Err(PolicyError::Horizon("each stretch of slots must end after the one before"));
            }
            if stretch.length < Minutes::new(15) || 1440 % stretch.length.get() != 0 {
                return Err(PolicyError::Horizon("a slot must be at least 15 min long and divide a day evenly"));
            }
            until = stretch.until;
        }
        if until <= Minutes::ZERO || until > HORIZON_MAX {
            return Err(PolicyError::Horizon("the horizon must be longer than nothing and at most 62 days"));
        }
        Ok(Self(parts))
    }

    /// The band of a code.
    pub fn band(&self, code: &str) -> Option<BandIx> {
        self.bands.position(|band| band.code == code)
    }

    /// The band that the rules give a request, `critical` aside.
    pub fn assign(&self, flags: FlagSet, tests: &[TestIx], requester: RequesterKind) -> BandIx {
        let matches = |rule: &&BandRule| {
            (rule.flags.is_empty() || rule.flags.meets(flags))
                && (rule.tests.is_empty() || rule.tests.iter().any(|test| tests.contains(test)))
                && (rule.only_tests.is_empty() || tests.iter().all(|test| rule.only_tests.contains(test)))
                && (rule.requesters.is_empty() || rule.requesters.contains(&requester))
        };
        self.rules.iter().filter(matches).map(|rule| rule.band).min().unwrap_or(self.default_band)
    }

    /// The band a request has: the extract's, else the rules'; the clinician's `critical` only raises it.
    pub fn band_of(
        &self,
        stated: Option<BandIx>,
        flags: FlagSet,
        tests: &[TestIx],
        requester: RequesterKind,
    ) -> BandIx {
        let band = stated.unwrap_or_else(|| self.assign(flags, tests, requester));
        if flags.meets(FlagSet::CRITICAL) { band.min(BandIx::from_row(0)) } else { band }
    }

    /// The weight of a line: band × flags × requester × criticality of the test × days waited.
    pub fn weight(
        &self,
        band: BandIx,
        flags: FlagSet,
        requester: RequesterKind,
        criticality: Percent,
        waited: Minutes,
    ) -> Weight {
        let by_flags = self.modifiers.flags.iter().filter(|(flag, _)| flag.meets(flags)).map(|&(_, factor)| factor);
        let by_requester =
            self.modifiers.requesters.iter().filter(|(kind, _)| *kind == requester).map(|&(_, factor)| factor);
        let days = u32::try_from(waited.get() / 1440).unwrap_or(0);
        let waiting = Percent::new(100u32.saturating_add(self.modifiers.waited_per_day.get().saturating_mul(days)));
        by_flags
            .chain(by_requester)
            .chain([criticality, waiting.min(self.modifiers.waited_max.max(Percent::ALL))])
            .fold(self.bands[band].weight, Weight::times)
    }

    /// The burden of recalling a patient with these flags, once.
    pub fn burden(&self, flags: FlagSet) -> Cost {
        let factors = self.recall_burden_factors.iter().filter(|(flag, _)| flag.meets(flags));
        factors.fold(self.recall_burden, |burden, &(_, factor)| burden.times(factor))
    }

    /// From now to the end of the last slot stretch.
    pub fn horizon(&self) -> Minutes {
        self.slots.last().map_or(Minutes::ZERO, |stretch| stretch.until)
    }
}
