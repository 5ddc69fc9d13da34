//! How are the samples of a night recorded? One entry each, and only where something changed.

use std::collections::BTreeMap;

use labtriage_core::time::Instant;

use crate::error::LedgerError;
use crate::records::{Discard, Kind, Sample};
use crate::states::SampleState;
use crate::transitions;
use crate::writer::{Writer, body_of};

/// Samples looked up and written together.
const BATCH: usize = 500;

/// What became of samples that were given to be recorded.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Recorded {
    /// Samples seen for the first time.
    pub new: u64,
    /// Samples of which something changed.
    pub changed: u64,
    /// Samples that are as they were: nothing was recorded of them.
    pub unchanged: u64,
}

impl Writer<'_> {
    /// Records samples as a plan or an extract has them. Samples that are not given stay as they are.
    ///
    /// # Errors
    /// [`LedgerError::Transition`] when a state may not follow the one before, or only a person can
    /// decide it; [`LedgerError::Contradiction`] when a discard is without its record, or a decided one
    /// differs from what was decided; [`LedgerError::Identity`], and those of the database.
    pub fn samples(&mut self, samples: impl IntoIterator<Item = Sample>) -> Result<Recorded, LedgerError> {
        let mut recorded = Recorded::default();
        let mut batch = Vec::with_capacity(BATCH);
        for sample in samples {
            batch.push(sample);
            if batch.len() == BATCH {
                self.batch(&mut batch, &mut recorded)?;
            }
        }
        self.batch(&mut batch, &mut recorded)?;
        Ok(recorded)
    }

    fn batch(&mut self, batch: &mut Vec<Sample>, recorded: &mut Recorded) -> Result<(), LedgerError> {
        let accessions: Vec<&str> = batch.iter().map(|sample| sample.accession.as_str()).collect();
        let mut before = self.bodies(Kind::Sample, "subject", &accessions)?;
        for sample in batch.drain(..) {
            self.one(&sample, &mut before, recorded)?;
        }
        Ok(())
    }

    fn one(
        &mut self,
        sample: &Sample,
        before: &mut BTreeMap<String, String>,
        recorded: &mut Recorded,
    ) -> Result<(), LedgerError> {
        let body = body_of(sample)?;
        match before.get(&sample.accession) {
            Some(was) if *was == body => {
                recorded.unchanged += 1;
                return Ok(());
            }
            Some(was) => {
                let was: Sample = serde_json::from_str(was)
                    .map_err(|_| contradiction(sample, "its last entry cannot be read; verify the ledger"))?;
                check(Some(&was), sample)?;
                recorded.changed += 1;
            }
            None => {
                check(None, sample)?;
                recorded.new += 1;
            }
        }
        before.insert(sample.accession.clone(), body.clone());
        self.record_body(sample, body)
    }
}

fn check(before: Option<&Sample>, after: &Sample) -> Result<(), LedgerError> {
    if after.lines.is_empty() {
        return Err(contradiction(after, "a sample has at least one line"));
    }
    transitions::check(before, after)?;
    let discard = after.discard.as_deref();
    match after.state {
        SampleState::DiscardProposed => match discard {
            None => Err(contradiction(after, "a proposed discard needs its record")),
            Some(proposed) if decided(proposed) != Decided::default() => {
                Err(contradiction(after, "a proposed discard is not decided yet"))
            }
            Some(_) => Ok(()),
        },
        SampleState::DiscardAuthorised | SampleState::DiscardRejected | SampleState::Disposed => {
            let was = before.and_then(|before| before.discard.as_deref());
            let same = discard.map(|discard| (&discard.id, decided(discard)))
                == was.map(|discard| (&discard.id, decided(discard)));
            let why = "the record of a decided discard differs from what was decided";
            if same { Ok(()) } else { Err(contradiction(after, why)) }
        }
        _ => Ok(()),
    }
}

/// Who has said what of a discard, in order of the record's fields; and when it was decided and done.
type Decided<'a> = ([Option<&'a str>; 4], [Option<Instant>; 2]);

fn decided(discard: &Discard) -> Decided<'_> {
    let Discard { decided_by, second, decided, decided_because, disposed, disposed_by, .. } = discard;
    ([decided_by, second, decided_because, disposed_by].map(Option::as_deref), [*decided, *disposed])
}

pub(crate) fn contradiction(sample: &Sample, what: &'static str) -> LedgerError {
    LedgerError::Contradiction { subject: format!("sample {}", sample.accession), what }
}
