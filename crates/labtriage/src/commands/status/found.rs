//! What may the one who asks see? The ledger's answer, cut to a practice where one asks.

use std::collections::BTreeSet;

use labtriage_ledger::records::{Notice, Sample};
use labtriage_ledger::states::{LineState, NoticeState};
use labtriage_ledger::{Known, Ledger, LedgerError, Lookup, OwnedPseudonym};

use super::own::Reader;
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
    /// Recalled lines, by accession and test, for which another requester calls the patient back.
    pub(super) elsewhere: BTreeSet<(String, String)>,
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

    /// Takes out what a practice may not read.
    fn cut_to(&mut self, reader: &mut Reader<'_>) -> Result<(), LedgerError> {
        for seen in &mut self.samples {
            let versions = seen.history.iter_mut().filter_map(|known| known.record.as_mut());
            versions.chain([&mut seen.sample.record]).try_for_each(|sample| reader.sample(sample))?;
        }
        self.notices.iter_mut().try_for_each(|known| reader.notice(&mut known.record))
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
    let mut found = Found { samples, notices, elsewhere: BTreeSet::new(), for_practice: within.is_some(), overview };
    if let Some(practice) = within {
        found.elsewhere = elsewhere(ledger, &found, practice)?;
        found.cut_to(&mut Reader::new(ledger, practice))?;
    }
    Ok(found)
}

/// Where several practices ask for a visit of a patient, one of them calls: what it asks for beside its own is told
/// here, without saying who it is.
fn elsewhere(ledger: &mut Ledger, found: &Found, practice: &str) -> Result<BTreeSet<(String, String)>, LedgerError> {
    let waits = |seen: &&Seen| seen.sample.record.lines.iter().any(|line| line.state == LineState::Recalled);
    let patients: BTreeSet<_> = found.samples.iter().filter(waits).map(|seen| &seen.sample.record.patient).collect();
    let mut elsewhere = BTreeSet::new();
    for patient in patients {
        let open = ledger.notices_of(patient)?.into_iter().map(|known| known.record);
        let others = open.filter(|notice| notice.requester != practice && notice.state.is_open());
        let wanted = others.flat_map(|notice| notice.wanted).map(|wanted| (wanted.accession, wanted.test));
        elsewhere.extend(wanted);
    }
    Ok(elsewhere)
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
