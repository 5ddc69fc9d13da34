//! Who has been called before, and which files are leaving? What an export asks the ledger and tells it.
//!
//! A line is left out when a recall notice covers its test: one that an earlier list has sent and the practice has not
//! answered; one whose visit is booked; or one for which new samples were taken, if the line's tube was collected before
//! them or less than the test's retest interval after. Calls and bookings stand for the retest interval, and a week at least.
//! What was declined is not asked for again from the same tube, and nobody goes again to a practice that has answered
//! `not ours`. What a notice covers is what it asked for when the practice last heard of it; what was added since goes out.

use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::LineIx;
use labtriage_core::time::{Instant, Minutes};
use labtriage_formats::recalls::exported::ExportedList;
use labtriage_formats::recalls::{LeftOutBecause, Notice};
use labtriage_ledger::records::{Export, Notice as Recorded, Wanted};
use labtriage_ledger::states::NoticeState;
use labtriage_ledger::{Address, Known, Ledger, LedgerError, OwnedPseudonym, Writer};

use super::export::Exported;
use crate::args::RecordArguments;
use crate::failure::Failure;

/// How long a call without an answer, and a booked visit of which nothing more is heard, stand at least: practices take
/// days to answer, and retest intervals can be hours. Judgement.
const STANDS: Minutes = Minutes::from_days(7);

/// The ledger of an export, and who exports.
pub(super) struct Register {
    pub(super) ledger: Ledger,
    pub(super) by: String,
}

impl Register {
    /// The ledger that was named, if one was.
    pub(super) fn open(arguments: &RecordArguments) -> Result<Option<Self>, Failure> {
        let (Some(address), Some(by)) = (&arguments.ledger, &arguments.by) else { return Ok(None) };
        let ledger = Ledger::open(&Address::parse(address)?)?;
        Ok(Some(Self { ledger, by: by.clone() }))
    }

    /// Takes the lines out of the notices that need no further call, and notices that have none left; returns the
    /// lines, with the reason of each.
    pub(super) fn leave_out(
        &mut self,
        snapshot: &Snapshot,
        plan: &str,
        at: Instant,
        called: &mut Vec<Notice>,
    ) -> Result<Vec<(LeftOutBecause, LineIx)>, Failure> {
        let mut out = Vec::new();
        for notice in called.iter_mut() {
            let patient = OwnedPseudonym::from(snapshot.backlog.pseudonym(notice.patient));
            let standing = self.standing(&patient, plan)?;
            notice.lines.retain(|&line| {
                let because = standing.iter().find_map(|one| one.covers(snapshot, line, at));
                out.extend(because.map(|because| (because, line)));
                because.is_none()
            });
            if let Some(band) = notice.lines.iter().map(|&line| snapshot.bands[line]).min() {
                notice.band = band;
            }
        }
        called.retain(|notice| !notice.lines.is_empty());
        called.sort_by_key(|notice| (notice.requester, notice.band, notice.patient));
        Ok(out)
    }

    /// What a patient's practices have been told, lists of this plan aside: those may be written again.
    fn standing(&mut self, patient: &OwnedPseudonym, plan: &str) -> Result<Vec<Standing>, LedgerError> {
        let notices = self.ledger.notices_of(patient)?;
        if notices.is_empty() {
            return Ok(Vec::new());
        }
        let exports = self.ledger.exports_naming(patient)?;
        let sent = exports.iter().rfind(|export| export.record.plan.as_deref() != Some(plan));
        let mut standing = Vec::new();
        for known in notices {
            let versions = self.ledger.history::<Recorded>(&known.record.id)?;
            standing.extend(Standing::of(&known, &versions, sent));
        }
        Ok(standing)
    }

    /// Registers every list, all or none.
    pub(super) fn note(&mut self, exported: &Exported) -> Result<(), LedgerError> {
        let Self { ledger, by } = self;
        let note = |writer: &mut Writer<'_>| {
            exported.lists.iter().try_for_each(|list| writer.export(&export(exported, list, by)))
        };
        ledger.write(exported.at, note)
    }
}

fn export(exported: &Exported, list: &ExportedList, by: &str) -> Export {
    let snapshot = &exported.snapshot;
    let practice = snapshot.network.requesters[list.requester].ods.clone();
    let locked = list.recipient.clone();
    Export {
        digest: list.digest.clone(),
        plain_digest: Some(list.plain_digest.clone()),
        file: list.path.rsplit('/').next().unwrap_or_default().to_owned(),
        recipient: locked.unwrap_or_else(|| format!("{practice}, not locked")),
        practice,
        who: by.to_owned(),
        profile: list.profile.text().to_owned(),
        plan: Some(exported.plan.clone()),
        patients: list.patients.iter().map(|&patient| snapshot.backlog.pseudonym(patient).into()).collect(),
    }
}

/// A notice as its practice knows it.
struct Standing {
    because: LeftOutBecause,
    /// Whose it is: ODS code.
    requester: String,
    /// What it asked for when the practice last heard of it or answered.
    told: Vec<Wanted>,
    /// From when it counts: the list or the day of the visit that it offers, the booked visit, or the new samples.
    since: Instant,
}

impl Standing {
    /// `None` for a notice that keeps nobody from being called.
    fn of(known: &Known<Recorded>, versions: &[Known<Option<Recorded>>], sent: Option<&Known<Export>>) -> Option<Self> {
        let notice = &known.record;
        let visit = notice.answer.as_ref().and_then(|answer| answer.visit);
        let (because, since) = match notice.state {
            NoticeState::Open => (LeftOutBecause::Called, sent?.at.max(notice.visit.unwrap_or(sent?.at))),
            NoticeState::Booked => (LeftOutBecause::Booked, visit.unwrap_or(known.at)),
            NoticeState::Done => (LeftOutBecause::Bled, visit.unwrap_or(known.at)),
            NoticeState::Declined => (LeftOutBecause::Declined, known.at),
            NoticeState::NotOurs => (LeftOutBecause::NotOurs, known.at),
            NoticeState::Withdrawn => return None,
        };
        let there = || versions.iter().filter_map(|one| Some((one.seq, one.record.as_ref()?)));
        // A later plan changes what a notice asks for and keeps the answer: the first with it was the answered one.
        let answered = notice.answer.as_ref().and_then(|answer| {
            there().find(|(_, version)| version.answer.as_ref() == Some(answer)).map(|(seq, _)| seq)
        });
        let heard = sent.map(|export| export.seq).max(answered)?;
        let told = there().rfind(|(seq, _)| *seq <= heard)?.1.wanted.clone();
        Some(Self { because, requester: notice.requester.clone(), told, since })
    }

    /// Why a line needs no call; `None` when it does.
    fn covers(&self, snapshot: &Snapshot, line: LineIx, at: Instant) -> Option<LeftOutBecause> {
        let facts = &snapshot.backlog.lines[line];
        let accession = snapshot.backlog.accession(facts.sample);
        let requester = snapshot.backlog.requests[snapshot.backlog.request_of(line)].requester;
        let code = |test| snapshot.catalogue.tests[test].code.as_str();
        let asked = [Some(facts.test), facts.split_from].into_iter().flatten().map(code);
        let told = |wanted: &&Wanted| self.because != LeftOutBecause::Declined || wanted.accession == accession;
        let covered = asked.into_iter().any(|code| self.told.iter().filter(told).any(|wanted| wanted.test == code));
        let collected = snapshot.backlog.samples[facts.sample].collected;
        let interval =
            snapshot.catalogue.tests[facts.test].retest_interval.map_or(Minutes::ZERO, |(interval, _)| interval);
        let lasts = match self.because {
            // An identity does not go again to a practice that has said that it is none of its own.
            LeftOutBecause::NotOurs => {
                return (self.requester == snapshot.network.requesters[requester].ods).then_some(self.because);
            }
            LeftOutBecause::Declined => true,
            LeftOutBecause::Bled => collected <= self.since.plus(interval),
            _ => at < self.since.plus(interval.max(STANDS)),
        };
        (covered && lasts).then_some(self.because)
    }
}
