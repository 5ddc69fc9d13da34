//! Who is called back from tonight on? One notice per patient, the same from night to night until it is closed.

use std::collections::{BTreeMap, BTreeSet};

use labtriage_core::table::PatientIx;
use labtriage_formats::recalls::{self, Notice as Planned};
use labtriage_ledger::records::{Notice, Wanted};
use labtriage_ledger::states::{LineState, NoticeState};

use super::record::Recorder;

/// Tests of samples with what they are, by accession.
pub(crate) type Lines = BTreeMap<String, Vec<(String, LineState)>>;

impl Recorder<'_> {
    /// The notices of tonight's plan, and the open ones that it makes needless, in order of number. `lines` are those of
    /// the samples that open notices want something of, as they are from tonight on.
    pub(crate) fn notices(&self, lines: &Lines) -> Vec<Notice> {
        let mut by_patient: BTreeMap<PatientIx, Vec<Planned>> = BTreeMap::new();
        for planned in recalls::notices(self.snapshot, self.plan, &self.answered()) {
            by_patient.entry(planned.patient).or_default().push(planned);
        }
        let mut notices = Vec::new();
        let mut kept = BTreeSet::new();
        for (n, (patient, planned)) in by_patient.into_iter().enumerate() {
            let before = self.known.open_notice(&self.snapshot.backlog.pseudonym(patient).into());
            kept.extend(before.map(|before| before.id.clone()));
            let id = before.map_or_else(|| format!("N-{}-{:05}", &self.run[..8], n + 1), |before| before.id.clone());
            notices.extend(self.notice(id, planned, before, lines));
        }
        let open = self.known.notices.iter().filter(|notice| !kept.contains(&notice.id));
        notices.extend(open.filter_map(|notice| shrunk(notice, lines)));
        notices.sort_by(|a, b| a.id.cmp(&b.id));
        notices
    }

    /// A mark for each line that a practice has answered, be it only since the plan was made: nobody asks again.
    fn answered(&self) -> Vec<bool> {
        let backlog = &self.snapshot.backlog;
        let lines = backlog.lines.iter().map(|line| {
            let tests = [Some(line.test), line.split_from].into_iter().flatten();
            let mut codes = tests.map(|test| &self.snapshot.catalogue.tests[test].code);
            codes.any(|test| self.is_answered(backlog.accession(line.sample), test))
        });
        lines.collect()
    }

    /// The notice of a patient. Where several practices ask for a visit, the one with the most pressing line calls:
    /// the patient comes once.
    fn notice(&self, id: String, mut planned: Vec<Planned>, before: Option<&Notice>, lines: &Lines) -> Option<Notice> {
        planned.sort_by_key(|planned| (planned.band, planned.requester));
        let first = planned.first()?;
        let (snapshot, network) = (self.snapshot, &self.snapshot.network);
        let booked = before.filter(|before| before.state == NoticeState::Booked);
        let mut wanted: BTreeSet<Wanted> = planned.iter().flat_map(|planned| self.wanted(planned)).collect();
        // What was wanted before and is not planned tonight (it is booked, or its tube has gone) is still to be bled.
        let still = before.iter().flat_map(|before| &before.wanted).filter(|wanted| is_wanted(wanted, lines));
        wanted.extend(still.cloned());
        let midnight = |day| network.zone.at(day, 0);
        let (visit, point) = match booked {
            Some(booked) => (booked.visit, booked.point.clone()),
            None => (
                first.visit.map(|visit| midnight(visit.day)),
                first.visit.map(|visit| network.collection_points[visit.point].code.clone()),
            ),
        };
        Some(Notice {
            id,
            patient: snapshot.backlog.pseudonym(first.patient).into(),
            // An open notice stays with the practice that has it.
            requester: before.map_or_else(|| network.requesters[first.requester].ods.clone(), |b| b.requester.clone()),
            band: snapshot.policy.bands[first.band].code.clone(),
            wanted: wanted.into_iter().collect(),
            book_by: planned.iter().map(|planned| midnight(planned.book_by)).min(),
            visit,
            point,
            reason: first.reason_words(snapshot),
            state: booked.map_or(NoticeState::Open, |booked| booked.state),
            answer: before.and_then(|before| before.answer.clone()),
        })
    }

    fn wanted(&self, planned: &Planned) -> Vec<Wanted> {
        let (backlog, catalogue) = (&self.snapshot.backlog, &self.snapshot.catalogue);
        let wanted = planned.lines.iter().map(|&line| {
            let facts = &backlog.lines[line];
            Wanted {
                accession: backlog.accession(facts.sample).to_owned(),
                test: catalogue.tests[facts.test].code.clone(),
                specimen: catalogue.specimens[backlog.samples[facts.sample].specimen].code.clone(),
            }
        });
        wanted.collect()
    }
}

/// An open notice that the plan does not ask for any more: without the lines that went another way, or withdrawn.
fn shrunk(notice: &Notice, lines: &Lines) -> Option<Notice> {
    let wanted: Vec<Wanted> = notice.wanted.iter().filter(|wanted| is_wanted(wanted, lines)).cloned().collect();
    match wanted.len() {
        0 => Some(Notice { state: NoticeState::Withdrawn, ..notice.clone() }),
        left if left == notice.wanted.len() => None,
        _ => Some(Notice { wanted, ..notice.clone() }),
    }
}

/// Whether a line that was wanted is still to be bled, as far as anybody knows.
fn is_wanted(wanted: &Wanted, lines: &Lines) -> bool {
    let line = lines.get(&wanted.accession).and_then(|lines| lines.iter().find(|(test, _)| *test == wanted.test));
    line.is_none_or(|(_, state)| state.is_recall())
}
