//! What did the ledger know before tonight? What people and practices have decided, and whose notices are open.
//!
//! Samples are not kept here, for there may be a million: each is read when it is recorded anew.

use std::collections::{BTreeMap, BTreeSet};

use labtriage_core::time::{Instant, Minutes};
use labtriage_ledger::records::{Notice, Override, Sample};
use labtriage_ledger::states::{NoticeState, SampleState};
use labtriage_ledger::{Ledger, LedgerError, Lookup, OwnedPseudonym};

use crate::commands::overrides::in_force;

/// How long after a disposal an extract may still hold the sample.
const DISPOSED_RECENTLY: Minutes = Minutes::from_days(62);

/// What a practice may answer.
const ANSWERS: [NoticeState; 4] = [NoticeState::Booked, NoticeState::Done, NoticeState::Declined, NoticeState::NotOurs];

/// States in which something is still to come of a sample.
pub(crate) fn open_states() -> Vec<SampleState> {
    let closed =
        |state: SampleState| matches!(state, SampleState::Reported | SampleState::Disposed | SampleState::Missing);
    SampleState::ALL.iter().copied().filter(|state| !closed(*state)).collect()
}

/// Lines that a practice has answered, and how: by accession, then test.
#[derive(Clone, Default, Debug)]
pub(crate) struct Answered(pub(super) BTreeMap<String, BTreeMap<String, NoticeState>>);

impl Answered {
    pub(crate) fn contains(&self, accession: &str, test: &str) -> bool {
        self.0.get(accession).is_some_and(|tests| tests.contains_key(test))
    }

    pub(crate) fn insert(&mut self, notice: &Notice) {
        for wanted in &notice.wanted {
            self.0.entry(wanted.accession.clone()).or_default().insert(wanted.test.clone(), notice.state);
        }
    }

    /// All of them, in order.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (&str, &str, NoticeState)> {
        self.0.iter().flat_map(|(accession, tests)| {
            tests.iter().map(move |(test, &state)| (accession.as_str(), test.as_str(), state))
        })
    }
}

/// A sample, as far as a hold must know it.
#[derive(Clone, Debug)]
pub(crate) struct Tube {
    pub(crate) accession: String,
    pub(crate) request: String,
    pub(crate) tests: Vec<String>,
}

impl From<Sample> for Tube {
    fn from(sample: Sample) -> Self {
        let tests = sample.lines.into_iter().map(|line| line.test).collect();
        Self { accession: sample.accession, request: sample.request, tests }
    }
}

/// What people and practices have decided that bears on the plan.
#[derive(Debug, Default)]
pub(crate) struct People {
    /// Overrides in force, in order of their setting.
    pub(crate) overrides: Vec<Override>,
    pub(crate) answered: Answered,
    /// Requests of the samples that have an answered line and may be in tonight's extract, by accession.
    pub(crate) requests: BTreeMap<String, String>,
    /// Samples whose discard is authorised.
    pub(crate) authorised: Vec<Tube>,
    /// Samples that were disposed of lately.
    pub(crate) disposed: Vec<Tube>,
    /// Samples whose discard was rejected.
    pub(crate) rejected: Vec<Tube>,
    /// Booked visits whose collection point is known, with their moments.
    pub(crate) booked: Vec<(String, Instant)>,
}

impl People {
    /// Asks the ledger.
    pub(crate) fn of(ledger: &mut Ledger, now: Instant) -> Result<Self, LedgerError> {
        let mut people = Self { overrides: in_force(ledger, now)?, ..Self::default() };
        for state in ANSWERS {
            for notice in ledger.notices(state, None)?.into_iter().map(|known| known.record) {
                people.answered.insert(&notice);
                let visit = notice.answer.as_ref().and_then(|answer| answer.visit).or(notice.visit);
                let booked = notice.point.zip(visit).filter(|_| state == NoticeState::Booked);
                people.booked.extend(booked);
            }
        }
        if !people.answered.0.is_empty() {
            // One that is missing, or was reported, may be in tonight's extract again.
            let there: Vec<_> =
                SampleState::ALL.iter().copied().filter(|state| *state != SampleState::Disposed).collect();
            ledger.each_in(&there, |accession, request| {
                if people.answered.0.contains_key(accession) {
                    people.requests.insert(accession.to_owned(), request.to_owned());
                }
            })?;
            people.answered.0.retain(|accession, _| people.requests.contains_key(accession));
        }
        let authorised = ledger.samples(&Lookup::State(SampleState::DiscardAuthorised), None)?;
        people.authorised = authorised.into_iter().map(|known| known.record.into()).collect();
        let rejected = ledger.samples(&Lookup::State(SampleState::DiscardRejected), None)?;
        people.rejected = rejected.into_iter().map(|known| known.record.into()).collect();
        let disposed = ledger.samples_since(SampleState::Disposed, now.minus(DISPOSED_RECENTLY))?;
        people.disposed = disposed.into_iter().map(|known| known.record.into()).collect();
        Ok(people)
    }
}

/// What the ledger knew when the night was recorded.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// A night was published before.
    pub(crate) night: bool,
    /// Notices whose patients are waited for, in order of number.
    pub(crate) notices: Vec<Notice>,
    pub(crate) answered: Answered,
    /// Which of the notices waits for its patient.
    by_patient: BTreeMap<OwnedPseudonym, usize>,
}

impl Known {
    /// Asks the ledger.
    pub(crate) fn of(ledger: &mut Ledger) -> Result<Self, LedgerError> {
        let mut known = Self { night: ledger.published()?.is_some(), ..Self::default() };
        for &state in NoticeState::ALL.iter().filter(|state| state.is_open() || ANSWERS.contains(state)) {
            let notices = ledger.notices(state, None)?.into_iter().map(|known| known.record);
            for notice in notices {
                if ANSWERS.contains(&state) {
                    known.answered.insert(&notice);
                }
                known.notices.extend(state.is_open().then_some(notice));
            }
        }
        known.notices.sort_by(|a, b| a.id.cmp(&b.id));
        // Keys may have been rotated since a notice was recorded: it is found by every pseudonym of its patient.
        let names = ledger.names(&known.notices.iter().map(|notice| &notice.patient).collect::<Vec<_>>())?;
        let notices = known.notices.iter().enumerate();
        known.by_patient = notices
            .flat_map(|(at, notice)| names.of(&notice.patient).iter().map(move |name| (name.clone(), at)))
            .collect();
        Ok(known)
    }

    /// The notice of a patient that is not answered yet, or booked.
    pub(crate) fn open_notice(&self, patient: &OwnedPseudonym) -> Option<&Notice> {
        self.by_patient.get(patient).map(|&at| &self.notices[at])
    }

    /// The samples that open notices want something of.
    pub(crate) fn wanted(&self) -> BTreeSet<&str> {
        self.notices.iter().flat_map(|notice| &notice.wanted).map(|wanted| wanted.accession.as_str()).collect()
    }
}
