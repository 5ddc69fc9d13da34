//! Is a plan lawful? One function per law, none of them shared with what made the plan.
//!
//! `shape` comes first, for a plan read from a file may contain anything; then each sample is
//! replayed once and judged by every law about one sample (`running`, `standing`, `orders`,
//! `retests`); then the laws about what samples share judge all of them together (`capacity`,
//! `visits`, `strict`, `frozen`).

use std::fmt;

use crate::plan::Plan;
use crate::snapshot::Snapshot;
use crate::table::{LineIx, SampleIx};
use crate::trace::Trace;

mod capacity;
mod case;
mod frozen;
mod orders;
mod retests;
mod room;
mod running;
mod shape;
mod standing;
mod strict;
mod visits;

use case::{Case, Known};

/// The most violations that an audit reports.
pub const VIOLATIONS_MAX: usize = 1000;

macro_rules! laws {
    ($($name:ident $code:literal $title:literal;)+) => {
        /// A law of plans. Each code stands in `docs/errors.md` with cause and action.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Law {
            $(#[doc = $title] $name,)+
        }

        impl Law {
            /// Every law there is, in order.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The code as shown: `A007`.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// One line saying what the law demands.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)+ }
            }
        }
    };
}

laws! {
    Shape "A001" "a plan has one decision per line and sample, and names only what exists";
    Steps "A002" "each step of a container is possible where and when it is taken";
    BookedIn "A003" "a run takes place after the container has arrived and is booked in at its site";
    Open "A004" "a run takes place while the analyser works and on a run day of the test";
    Menu "A005" "an analyser runs the tests of its menu";
    Phase "A006" "a test is run on the material it takes: as collected before, separated after spinning, never frozen";
    Viability "A007" "a run ends inside the viability window of its line";
    OneSite "A008" "a container is tested at one site";
    Volume "A009" "the runs on a sample, with dead volume, use no more than there is";
    Capacity "A010" "no resource is used over its limit";
    PartnerBands "A011" "a partner tests only the bands it accepts";
    CutOff "A012" "what reaches a partner after its cut-off is booked in on a later day";
    Reporting "A013" "a result is reported after its run";
    ResultHeld "A014" "a result that is there is only reported, and nothing is reported without a run";
    Cancels "A015" "a line is cancelled only when another line or a result answers it";
    Superseded "A016" "a line whose result is there is cancelled";
    Holds "A017" "a line is held only for a reason that is true";
    MustHold "A018" "a line that needs a person's decision is held";
    Pins "A019" "pins, routes and forced tests are kept, or reported as impossible";
    ForcedDiscards "A020" "a forced discard is kept, or reported as impossible";
    Discards "A021" "a sample is discarded only when nothing needs it and it is lost for long enough";
    NeverRecalled "A022" "no recall of the dead, the deregistered, or what cannot be collected again";
    Visits "A023" "a recalled patient has one visit, and nobody else has any";
    VisitPlaces "A024" "a visit is at the patient's collection point, on a day it can see the patient";
    Retests "A025" "a re-test follows its visit, delivery and booking in, while the new tube keeps";
    StrictBands "A026" "no line of a strict band is left out for lines of lower bands";
    Frozen "A027" "a published run inside the frozen window is kept where it can be";
}

/// A law that a plan breaks.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Violation {
    /// The law.
    pub law: Law,
    /// The line that breaks it, when it is one.
    pub line: Option<LineIx>,
    /// The sample that breaks it, when it is one.
    pub sample: Option<SampleIx>,
    /// What was found and what was expected.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.law.code(), self.message)
    }
}

/// A law that judges one sample.
type SampleLaw = fn(&Case<'_>, &mut Found);

/// The laws that judge one sample, in order.
const OF_A_SAMPLE: [SampleLaw; 21] = [
    running::steps,
    running::booked_in,
    running::open,
    running::menu,
    running::phase,
    running::viability,
    running::one_site,
    running::volume,
    running::partner_bands,
    running::cut_off,
    running::reporting,
    running::result_held,
    standing::cancels,
    standing::superseded,
    standing::holds,
    standing::must_hold,
    standing::discards,
    standing::never_recalled,
    orders::pins,
    orders::forced_discards,
    retests::retests,
];

/// Gathers violations, at most [`VIOLATIONS_MAX`] of each law.
struct Found {
    by_law: Vec<Vec<Violation>>,
}

impl Found {
    fn new() -> Self {
        Self { by_law: vec![Vec::new(); Law::ALL.len()] }
    }

    fn push(&mut self, law: Law, line: Option<LineIx>, sample: Option<SampleIx>, message: impl FnOnce() -> String) {
        let of_law = &mut self.by_law[law as usize];
        if of_law.len() < VIOLATIONS_MAX {
            of_law.push(Violation { law, line, sample, message: message() });
        }
    }

    fn is_empty(&self) -> bool {
        self.by_law.iter().all(Vec::is_empty)
    }

    fn finish(self) -> Vec<Violation> {
        let mut all: Vec<Violation> = self.by_law.into_iter().flatten().collect();
        all.sort();
        all.truncate(VIOLATIONS_MAX);
        all
    }
}

/// Every law that a plan breaks, in order of law and line; empty when it is lawful.
///
/// At most [`VIOLATIONS_MAX`] are reported. When the plan does not have the shape of the snapshot,
/// nothing else can be judged and only that is reported. Time and memory grow linearly with lines
/// and capacity cells.
pub fn audit(snapshot: &Snapshot, plan: &Plan) -> Vec<Violation> {
    let mut found = Found::new();
    shape::shape(snapshot, plan, &mut found);
    if !found.is_empty() {
        return found.finish();
    }
    let known = Known::new(snapshot, plan);
    let mut trace = Trace::default();
    for sample in snapshot.backlog.samples.indices() {
        let case = Case::open(snapshot, plan, &known, sample, &mut trace);
        for law in OF_A_SAMPLE {
            law(&case, &mut found);
        }
    }
    orders::reported(snapshot, plan, &mut found);
    capacity::capacity(snapshot, plan, &mut found);
    visits::visits(snapshot, plan, &known, &mut found);
    visits::visit_places(snapshot, plan, &known, &mut found);
    strict::strict_bands(snapshot, plan, &known, &mut found);
    frozen::frozen(snapshot, plan, &known, &mut found);
    found.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_numbered_in_order() {
        for (n, law) in Law::ALL.iter().enumerate() {
            assert_eq!(law.code(), format!("A{:03}", n + 1));
            assert!(!law.title().is_empty());
        }
    }
}
