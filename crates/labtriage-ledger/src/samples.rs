//! How are the samples of a night recorded? One entry each, and only where something changed.

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
        let mut samples = samples.into_iter().peekable();
        while samples.peek().is_some() {
            let batch: Vec<Sample> = samples.by_ref().take(BATCH).collect();
            let accessions: Vec<&str> = batch.iter().map(|sample| sample.accession.as_str()).collect();
            let mut before = self.bodies(Kind::Sample, "subject", &accessions)?;
            for sample in &batch {
                let was = before.get(&sample.accession);
                let was = was.map(|body| Ok::<_, LedgerError>((body.as_str(), parse(&sample.accession, body)?)));
                let body = self.one(sample, was.transpose()?, &mut recorded)?;
                before.insert(sample.accession.clone(), body);
            }
        }
        Ok(recorded)
    }

    /// Records what `next` makes of samples, each told as it is now, `None` for one that is new; nothing where it gives
    /// nothing. Few of them are in memory at a time, so that a night of a million can be recorded. Each accession is given
    /// once.
    ///
    /// # Errors
    /// Those of [`Writer::samples`].
    pub fn samples_after<'s>(
        &mut self,
        accessions: impl IntoIterator<Item = &'s str>,
        mut next: impl FnMut(&str, Option<&Sample>) -> Option<Sample>,
    ) -> Result<Recorded, LedgerError> {
        let mut recorded = Recorded::default();
        let mut accessions = accessions.into_iter().peekable();
        while accessions.peek().is_some() {
            let batch: Vec<&str> = accessions.by_ref().take(BATCH).collect();
            let before = self.bodies(Kind::Sample, "subject", &batch)?;
            for accession in batch {
                let body = before.get(accession).map(String::as_str);
                let was = body.map(|body| parse(accession, body)).transpose()?;
                if let Some(sample) = next(accession, was.as_ref()) {
                    self.one(&sample, body.zip(was), &mut recorded)?;
                }
            }
        }
        Ok(recorded)
    }

    /// A sample as it is now.
    ///
    /// # Errors
    /// Those of the database.
    pub fn sample(&mut self, accession: &str) -> Result<Option<Sample>, LedgerError> {
        self.latest(accession)
    }

    /// Records a sample unless it is as it was; returns its body.
    fn one(
        &mut self,
        sample: &Sample,
        was: Option<(&str, Sample)>,
        recorded: &mut Recorded,
    ) -> Result<String, LedgerError> {
        let body = body_of(sample)?;
        if was.as_ref().is_some_and(|(was, _)| *was == body) {
            recorded.unchanged += 1;
            return Ok(body);
        }
        let was = was.map(|(_, was)| was);
        check(was.as_ref(), sample)?;
        let count = if was.is_some() { &mut recorded.changed } else { &mut recorded.new };
        *count += 1;
        self.record_body(sample, body.clone(), was.as_ref())?;
        Ok(body)
    }
}

fn parse(accession: &str, body: &str) -> Result<Sample, LedgerError> {
    serde_json::from_str(body).map_err(|_| LedgerError::Contradiction {
        subject: format!("sample {accession}"),
        what: "its last entry cannot be read; verify the ledger",
    })
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
