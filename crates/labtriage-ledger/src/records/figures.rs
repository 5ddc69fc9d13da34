//! Which figures of a night are kept, so that trends can be told later?

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::sealed::Sealed;
use super::{Kind, Record};

macro_rules! measures {
    ($($variant:ident $word:literal $doc:literal,)+) => {
        /// What is counted of a night. Counts are of test lines unless they say otherwise.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        pub enum Measure {
            $(#[doc = $doc] #[serde(rename = $word)] $variant,)+
        }

        impl Measure {
            /// Every measure there is, in order.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The word used in the ledger and in files.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }
    };
}

measures! {
    Backlog "backlog" "In the backlog of the night.",
    Arrived "arrived" "New since the night before.",
    Gone "gone" "Gone from the extract without result or disposal.",
    Scheduled "scheduled" "With a slot.",
    Waiting "waiting" "Without a slot, keeping.",
    Held "held" "Held for a person.",
    Tested "tested" "Run since the night before.",
    Reported "reported" "Reported since the night before.",
    Timed "timed" "Of the reported, with known times of receipt and result.",
    ReportedInTarget "reported in target" "Of the timed, within the target of their band from receipt.",
    TurnaroundMinutes "turnaround minutes" "Sum over the timed, from receipt to result.",
    NotReportable "not reportable" "With a result that cannot be reported.",
    Expiring4h "expiring in 4 h" "Unfit within 4 hours.",
    Expiring12h "expiring in 12 h" "Unfit within 12 hours, those of 4 included.",
    Expiring24h "expiring in 24 h" "Unfit within 24 hours, those of 12 included.",
    Expiring48h "expiring in 48 h" "Unfit within 48 hours, those of 24 included.",
    Expiring72h "expiring in 72 h" "Unfit within 72 hours, those of 48 included.",
    ExpiredNotActioned "expired not actioned" "Expired, and neither run, recalled nor cancelled.",
    CriticalAtRisk "critical at risk" "Of a strict band, and not planned within its target.",
    Saved "saved" "Planned to be run from the tube that is there.",
    Lost "lost" "Not to be run from the tube that is there any more.",
    Recalled "recalled" "Recalled.",
    Cancelled "cancelled" "Cancelled.",
    Transferred "transferred" "Planned at another laboratory.",
    UnknownStability "unknown stability" "Without a known limit as stored.",
    AssumedTime "assumed time" "Of a sample with an assumed collection time.",
    OldestWaitingMinutes "oldest waiting minutes" "The longest wait of any since its request, not a count.",
    DiscardsProposed "discards proposed" "Samples proposed for discard.",
    RecallsSent "recalls sent" "Recall notices given out since the night before.",
}

/// The figures of a night.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Figures {
    /// Digest of the night's run.
    pub run: String,
    /// What was counted: any other measure is unknown for this night, not 0.
    #[serde(default)]
    pub counted: BTreeSet<Measure>,
    /// Counts per band, discipline and requester that occur, in that order; sums over groups give
    /// any coarser figure (of [`Measure::OldestWaitingMinutes`] the largest counts).
    pub groups: Vec<Group>,
    /// Use of benches, in order of site and analyser.
    pub benches: Vec<Bench>,
    /// How much longer the worst group waits than its band, in millionths of the band's mean wait,
    /// where the policy looks at it.
    pub unfairness: Option<i64>,
    /// What the night's configuration says of the codes in the ledger.
    #[serde(default)]
    pub codes: Option<Codes>,
}

/// What a night's configuration says of codes, so that the ledger can be read without it.
#[derive(Default, Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Codes {
    /// The laboratory's time zone, by its IANA name.
    pub zone: String,
    /// The bands, the most pressing first.
    pub bands: Vec<BandCode>,
    /// Discipline of each test.
    pub disciplines: BTreeMap<String, String>,
    /// The tests of each panel: a ledger has a panel that was split beside its members.
    #[serde(default)]
    pub panels: BTreeMap<String, Vec<String>>,
    /// Registered patients of each practice, by ODS code.
    pub list_sizes: BTreeMap<String, u32>,
}

/// A band.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct BandCode {
    /// Its code.
    pub band: String,
    /// Its target in minutes.
    pub target: i32,
    /// Whether volume never outranks it.
    pub strict: bool,
}

/// The lines of one band, discipline and requester.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Band.
    pub band: String,
    /// Discipline.
    pub discipline: String,
    /// Requester: ODS code.
    pub requester: String,
    /// What was counted; what is 0 is left out.
    pub counts: BTreeMap<Measure, i64>,
}

/// How much of an analyser the plan uses within the horizon.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Bench {
    /// Site.
    pub site: String,
    /// Analyser.
    pub analyser: String,
    /// Used, in the unit of its capacity.
    pub used: i64,
    /// There to be used, in the same unit.
    pub limit: i64,
}

impl Record for Figures {
    const KIND: Kind = Kind::Figures;

    fn subject(&self) -> &str {
        &self.run
    }
}

impl Sealed for Figures {}
