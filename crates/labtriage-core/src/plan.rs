//! What was decided? Dispositions of lines and samples, in flat tables beside the snapshot.
//!
//! **Times of a plan.** A step in a slot takes place within it: it can begin once the step before
//! it can have ended, it counts as done at the slot's end, and several steps may share a slot when
//! they fit into it. A courier leaves at its time and takes only what was done before. A run
//! counts as ended at the end of its slot, a result as out at the end of its reporting slot.

use crate::table::{
    AnalyserIx, CollectionPointIx, DepartureIx, LineIx, OverrideIx, PatientIx, SampleIx, SiteIx, SlotIx, Table,
};
use crate::time::Day;
use crate::units::Cost;

/// A test and the report of its result.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Run {
    /// Where it is run; none when the result exists and only waits to be reported.
    pub analyser: Option<AnalyserIx>,
    /// In which slot it is run (the reporting slot when only reported).
    pub slot: SlotIx,
    /// In which slot the result leaves, at the site of the analyser (of the sample when only reported).
    pub reported: SlotIx,
}

/// Why a line needs no test of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Cancel {
    /// The other line answers the same question within the retest interval.
    Duplicate(LineIx),
    /// A result is already there.
    Superseded,
}

/// Why a line waits for a person or for capacity.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Hold {
    /// No stability limit is known and the policy says hold.
    UnknownStability,
    /// The collection time is unknown and the policy says hold.
    UnknownTime,
    /// An override holds it.
    Override(OverrideIx),
    /// No capacity within the horizon, but the sample keeps beyond it.
    Waiting,
    /// The sample cannot be collected again: a person decides.
    Irreplaceable,
    /// The patient must not be recalled (deceased or deregistered): a person decides.
    NotRecallable,
}

/// What happens to a line.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Disposition {
    /// Tested (or only reported) from the sample.
    Run(Run),
    /// The patient is bled again; the re-test, when capacity allows one within the horizon.
    Recall(Option<Run>),
    /// No test is needed.
    Cancel(Cancel),
    /// A person decides, or it waits.
    Hold(Hold),
}

/// One step of a container's way.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Step {
    /// Centrifuged where it stands.
    Spin(SlotIx),
    /// Moved to the refrigerator, as soon as the step before is done.
    Refrigerate,
    /// Aliquoted and frozen where it stands.
    Freeze(SlotIx),
    /// Thawed where it stands.
    Thaw(SlotIx),
    /// Sent with a courier.
    Send(DepartureIx),
    /// Booked in where it stands: needed before a run there.
    BookIn(SlotIx),
    /// Split where it stands; the steps that follow are those of the second container.
    Aliquot(SlotIx),
}

/// Why a sample should be discarded (HL7 table 0490).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Discard {
    /// `EX`: every line that still needed it has expired.
    Expired,
    /// `RR`: improper storage has spoilt it for every line that still needed it.
    ImproperStorage,
    /// A person forced it.
    Override(OverrideIx),
}

/// The new tube that takes the place of a sample whose lines are recalled.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Recollection {
    /// The laboratory it goes to.
    pub site: SiteIx,
    /// When it is booked in there.
    pub booked_in: SlotIx,
}

/// What happens to a sample.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct SamplePlan {
    /// First of its steps in [`Plan::steps`].
    pub first_step: u32,
    /// How many steps it has.
    pub steps: u8,
    /// Proposed for discard; a person authorises it.
    pub discard: Option<Discard>,
    /// The tube collected anew for its recalled lines, when a re-test fits into the horizon.
    pub recollection: Option<Recollection>,
}

/// A recalled patient's one visit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Visit {
    /// Who.
    pub patient: PatientIx,
    /// Where.
    pub point: CollectionPointIx,
    /// On which local day.
    pub day: Day,
}

/// What made the plan: a greedy rule, or prices.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Rule {
    /// First in, first out.
    Fifo,
    /// Earliest expiry first.
    Edf,
    /// Band, then earliest expiry.
    BandEdf,
    /// Each patient at its cheapest under prices of what is scarce.
    Priced,
}

impl Rule {
    /// The greedy rules.
    pub const ALL: [Self; 3] = [Self::Fifo, Self::Edf, Self::BandEdf];

    /// Everything that makes plans, the optimizer among them.
    pub const MAKERS: [Self; 4] = [Self::Fifo, Self::Edf, Self::BandEdf, Self::Priced];

    /// The word used on the command line and in files.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Fifo => "fifo",
            Self::Edf => "edf",
            Self::BandEdf => "band-edf",
            Self::Priced => "priced",
        }
    }
}

/// An override that the plan could not keep, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Impossible {
    /// The override.
    pub override_: OverrideIx,
    /// The line it was meant for.
    pub line: LineIx,
    /// Why, in words.
    pub reason: String,
}

/// Every decision about a snapshot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// The rule that made it.
    pub rule: Rule,
    /// One disposition per line.
    pub lines: Table<LineIx, Disposition>,
    /// One entry per sample.
    pub samples: Table<SampleIx, SamplePlan>,
    /// The steps of all samples, one after the other.
    pub steps: Vec<Step>,
    /// One visit per recalled patient who gets one within the horizon, in order of patient.
    pub visits: Vec<Visit>,
    /// Overrides that could not be kept, in order.
    pub impossible: Vec<Impossible>,
}

impl Plan {
    /// The steps of a sample.
    pub fn steps_of(&self, sample: SampleIx) -> &[Step] {
        let plan = &self.samples[sample];
        let first = plan.first_step as usize;
        self.steps.get(first..first + usize::from(plan.steps)).unwrap_or(&[])
    }

    /// The visit of a patient.
    pub fn visit_of(&self, patient: PatientIx) -> Option<Visit> {
        self.visits.binary_search_by_key(&patient, |visit| visit.patient).ok().map(|at| self.visits[at])
    }
}

/// Cost by component; the total is the sum.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct CostSplit {
    /// Waiting for results that come within the horizon, re-tests included.
    pub waiting: Cost,
    /// The excess over the bands' targets.
    pub lateness: Cost,
    /// Lines with no result within the horizon.
    pub unserved: Cost,
    /// Burden of recalled patients.
    pub recalls: Cost,
    /// Irreplaceable samples whose lines are lost.
    pub losses: Cost,
    /// Handling and transport.
    pub handling: Cost,
    /// Lines moved against the published plan.
    pub moved: Cost,
}

impl CostSplit {
    /// The cost of the plan.
    pub fn total(&self) -> Cost {
        self.waiting + self.lateness + self.unserved + self.recalls + self.losses + self.handling + self.moved
    }
}
