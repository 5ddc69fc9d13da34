//! What may the one who asks see? The ledger's answer, cut to a practice where one asks.

use std::collections::BTreeSet;

use labtriage_ledger::records::{Notice, Sample};
use labtriage_ledger::states::NoticeState;
use labtriage_ledger::{Known, Ledger, LedgerError, Lookup, OwnedPseudonym};

use crate::args::Asked;

/// A sample, with what was recorded of it.
pub(super) struct Seen {
    /// As it is now.
    pub(super) sample: Known<Sample>,
    /// As it was, the oldest first, itself included; empty where only an overview was asked for.
    pub(super) history: Vec<Known<Option<Sample>>>,
}

/// What was found.
pub(super) struct Found {
    /// Samples, in order of their last entry.
    pub(super) samples: Vec<Seen>,
    /// Recall notices about them, or about all of the patient or practice, in order of number.
    pub(super) notices: Vec<Known<Notice>>,
    /// Whether a practice asks: names of laboratory staff are then left out.
    pub(super) for_practice: bool,
    /// Whether only an overview was asked for.
    pub(super) overview: bool,
}

impl Found {
    /// Whether there is nothing to tell.
    pub(super) fn is_empty(&self) -> bool {
        self.samples.is_empty() && self.notices.is_empty()
    }
}

/// Looks up what was asked for. With `within`, what belongs to another requester is as if it were not there.
pub(super) fn find(ledger: &mut Ledger, asked: &Asked, within: Option<&str>) -> Result<Found, LedgerError> {
    let overview = asked.practice.is_some();
    let mut samples = Vec::new();
    for sample in ledger.samples(&lookup(asked), within)? {
        let history = if overview { Vec::new() } else { history(ledger, &sample.record, within)? };
        samples.push(Seen { sample, history });
    }
    let mut notices = match (&asked.practice, &asked.patient) {
        (Some(practice), _) => of_practice(ledger, practice)?,
        (_, Some(patient)) => ledger.notices_of(&OwnedPseudonym::new(patient))?,
        _ => about(ledger, &samples)?,
    };
    notices.retain(|known| within.is_none_or(|practice| known.record.requester == practice));
    notices.sort_by(|a, b| a.record.id.cmp(&b.record.id));
    // Samples from before and after a rotation lead to the same notices of their patient.
    notices.dedup_by(|a, b| a.record.id == b.record.id);
    Ok(Found { samples, notices, for_practice: within.is_some(), overview })
}

fn lookup(asked: &Asked) -> Lookup {
    match (&asked.sample, &asked.request, &asked.practice, &asked.patient) {
        (Some(accession), ..) => Lookup::Sample(accession.clone()),
        (_, Some(request), ..) => Lookup::Request(request.clone()),
        (_, _, Some(practice), _) => Lookup::Practice(practice.clone()),
        (.., patient) => Lookup::Patient(OwnedPseudonym::new(patient.clone().unwrap_or_default())),
    }
}

/// What was recorded of a sample. A label that was corrected may have named another practice's
/// patient before: a practice does not see what was recorded then. A pseudonym before a rotation is the same patient.
fn history(ledger: &mut Ledger, now: &Sample, within: Option<&str>) -> Result<Vec<Known<Option<Sample>>>, LedgerError> {
    let mut history = ledger.history::<Sample>(&now.accession)?;
    if within.is_some() {
        let names = ledger.names(&[&now.patient])?;
        let same = |was: &Sample| was.requester == now.requester && names.are_one(&now.patient, &was.patient);
        history.retain(|known| known.record.as_ref().is_some_and(same));
    }
    Ok(history)
}

fn of_practice(ledger: &mut Ledger, practice: &str) -> Result<Vec<Known<Notice>>, LedgerError> {
    let mut notices = Vec::new();
    for &state in NoticeState::ALL {
        notices.extend(ledger.notices(state, Some(practice))?);
    }
    Ok(notices)
}

/// The notices of the samples' patients that want one of these samples again.
fn about(ledger: &mut Ledger, samples: &[Seen]) -> Result<Vec<Known<Notice>>, LedgerError> {
    let patients: BTreeSet<_> = samples.iter().map(|seen| &seen.sample.record.patient).collect();
    let accessions: BTreeSet<_> = samples.iter().map(|seen| &seen.sample.record.accession).collect();
    let mut notices = Vec::new();
    for patient in patients {
        notices.extend(ledger.notices_of(patient)?);
    }
    notices.retain(|known| known.record.wanted.iter().any(|wanted| accessions.contains(&wanted.accession)));
    Ok(notices)
}
