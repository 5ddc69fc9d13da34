//! What did the ledger know before tonight? Samples that may still change, and notices.

use std::collections::{BTreeMap, BTreeSet};

use labtriage_core::backlog::Backlog;
use labtriage_core::time::{Instant, Minutes};
use labtriage_ledger::records::{Notice, Override, Sample, Wanted};
use labtriage_ledger::states::{NoticeState, OverrideState, SampleState};
use labtriage_ledger::{Ledger, LedgerError, Lookup, OwnedPseudonym};

use super::decisions::why_held;

/// How long after a disposal an extract may still hold the sample.
const DISPOSED_RECENTLY: Minutes = Minutes::from_days(62);

/// Lines that a practice has answered: tests by accession.
#[derive(Clone, Default, Debug)]
pub(crate) struct Answered(BTreeMap<String, BTreeSet<String>>);

impl Answered {
    pub(crate) fn contains(&self, accession: &str, test: &str) -> bool {
        self.0.get(accession).is_some_and(|tests| tests.contains(test))
    }

    fn insert(&mut self, wanted: &Wanted) {
        self.0.entry(wanted.accession.clone()).or_default().insert(wanted.test.clone());
    }
}

/// What the ledger knew.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Samples of which something is still to come, by accession.
    pub(crate) samples: BTreeMap<String, Sample>,
    /// Samples that were disposed of lately.
    pub(crate) disposed: Vec<Sample>,
    /// All notices but withdrawn ones, in order of number.
    pub(crate) notices: Vec<Notice>,
    /// Lines that a practice has answered.
    pub(crate) answered: Answered,
    /// Overrides in force, in order of number.
    pub(crate) overrides: Vec<Override>,
    /// Which of the notices waits for its patient.
    pub(crate) open: BTreeMap<OwnedPseudonym, usize>,
}

/// States after which nothing is expected.
const fn is_closed(state: SampleState) -> bool {
    matches!(state, SampleState::Reported | SampleState::Disposed | SampleState::Missing)
}

impl Known {
    /// Asks the ledger.
    pub(crate) fn of(ledger: &mut Ledger, now: Instant) -> Result<Self, LedgerError> {
        let mut known = Self::default();
        for &state in SampleState::ALL.iter().filter(|state| !is_closed(**state)) {
            let found = ledger.samples(&Lookup::State(state), None)?;
            known.samples.extend(found.into_iter().map(|known| (known.record.accession.clone(), known.record)));
        }
        let disposed = ledger.samples(&Lookup::State(SampleState::Disposed), None)?;
        let recently = now.minus(DISPOSED_RECENTLY);
        known.disposed = disposed.into_iter().filter(|known| known.at >= recently).map(|known| known.record).collect();
        for &state in NoticeState::ALL.iter().filter(|state| **state != NoticeState::Withdrawn) {
            known.notices.extend(ledger.notices(state, None)?.into_iter().map(|known| known.record));
        }
        known.notices.sort_by(|a, b| a.id.cmp(&b.id));
        let answered = known.notices.iter().filter(|notice| why_held(notice.state).is_some());
        answered.flat_map(|notice| &notice.wanted).for_each(|wanted| known.answered.insert(wanted));
        let open = known.notices.iter().enumerate().filter(|(_, notice)| notice.state.is_open());
        known.open = open.map(|(at, notice)| (notice.patient.clone(), at)).collect();
        known.overrides = ledger.overrides(OverrideState::InForce)?.into_iter().map(|known| known.record).collect();
        known.overrides.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(known)
    }

    /// Adds the samples of a backlog that were closed: a result was taken back, or a missing one was found.
    pub(crate) fn with_closed(mut self, ledger: &mut Ledger, backlog: &Backlog) -> Result<Self, LedgerError> {
        let counts = ledger.counts()?;
        if !SampleState::ALL.iter().any(|state| is_closed(*state) && counts.contains_key(state.text())) {
            return Ok(self);
        }
        for sample in backlog.samples.indices() {
            let accession = backlog.accession(sample);
            if !self.samples.contains_key(accession)
                && let Some(found) = ledger.sample(accession)?
            {
                self.samples.insert(accession.to_owned(), found.record);
            }
        }
        Ok(self)
    }

    /// The notice of a patient that is not answered yet, or booked.
    pub(crate) fn open_notice(&self, patient: &OwnedPseudonym) -> Option<&Notice> {
        self.open.get(patient).map(|&at| &self.notices[at])
    }
}
