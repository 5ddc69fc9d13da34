//! Who is called back, what did the practice answer, and which files left?

use std::collections::{BTreeMap, BTreeSet};

use crate::error::LedgerError;
use crate::names::Names;
use crate::records::{Answer, Export, Kind, Notice, Sample, Wanted};
use crate::states::{LineState, NoticeState};
use crate::transitions::{self, Rule};
use crate::writer::Writer;

/// Notices looked up together.
const BATCH: usize = 500;

/// What an answer has changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answered {
    /// The notice as it is now.
    pub notice: Notice,
    /// Lines that went another way meanwhile and were left as they are: their container was tested
    /// after all, or their result came. A person should look.
    pub left: Vec<Wanted>,
}

impl Writer<'_> {
    /// Records recall notices as the plan has them. A notice that is as it was is not recorded again;
    /// what a practice has answered is kept.
    ///
    /// # Errors
    /// [`LedgerError::Notice`] when its state may not follow; [`LedgerError::SecondNotice`] when its patient has
    /// another open notice; [`LedgerError::Contradiction`] when it wants nothing, or its number is that of another
    /// patient's; [`LedgerError::Identity`], and those of the database.
    pub fn notices(&mut self, notices: &[Notice]) -> Result<u64, LedgerError> {
        let mut recorded = 0;
        for batch in notices.chunks(BATCH) {
            let patients: Vec<_> = batch.iter().map(|notice| &notice.patient).collect();
            let names = self.names(&patients)?;
            let patients: Vec<&str> =
                patients.into_iter().flat_map(|patient| names.of(patient)).map(|name| name.expose()).collect();
            let ids: Vec<&str> = batch.iter().map(|notice| notice.id.as_str()).collect();
            // By number: those that are meant, whosever they are, and those that stand in the way.
            let mut there = BTreeMap::new();
            for (column, values) in [("patient", &patients), ("subject", &ids)] {
                for (id, body) in self.bodies(Kind::Notice, column, values)? {
                    there.insert(id, read(&body)?);
                }
            }
            for notice in batch {
                let before = there.get(&notice.id);
                let notice = Notice { answer: before.and_then(|before| before.answer.clone()), ..notice.clone() };
                if before == Some(&notice) {
                    continue;
                }
                check(&notice, before, there.values(), &names)?;
                self.record(&notice)?;
                there.insert(notice.id.clone(), notice);
                recorded += 1;
            }
        }
        Ok(recorded)
    }

    /// Records a practice's answer to a notice, and what it makes of the lines: booked, re-bled,
    /// cancelled, or held when the patient is not of this practice. A later answer corrects the one
    /// before: lines that `declined` cancelled, or `not ours` held, are called back again first.
    ///
    /// # Errors
    /// [`LedgerError::Unknown`] when the practice has no notice of this number, be there one of another;
    /// [`LedgerError::Notice`] when it cannot be answered so any more; [`LedgerError::SecondNotice`] when the answer
    /// would open it again beside another one of its patient; and those of the database.
    pub fn answer(
        &mut self,
        practice: &str,
        id: &str,
        state: NoticeState,
        answer: &Answer,
    ) -> Result<Answered, LedgerError> {
        let before: Option<Notice> = self.latest(id)?;
        let Some(before) = before.filter(|before| before.requester == practice) else {
            return Err(LedgerError::Unknown { what: "recall notice of this practice", name: id.to_owned() });
        };
        let notice = Notice { state, answer: Some(answer.clone()), ..before.clone() };
        if notice == before {
            return Ok(Answered { notice, left: Vec::new() });
        }
        follows(&notice, Some(&before))?;
        if notice.state.is_open() && !before.state.is_open() {
            let names = self.names(&[&notice.patient])?;
            let mut of_patient: Vec<Notice> = Vec::new();
            for name in names.of(&notice.patient) {
                of_patient.extend(self.by_key("patient", name.expose())?);
            }
            is_the_only_open(&notice, of_patient.iter(), &names)?;
        }
        self.record(&notice)?;
        if matches!(before.state, NoticeState::Declined | NoticeState::NotOurs) && notice.state != before.state {
            self.call_again(&before)?;
        }
        let left = self.lines_after(&notice, answer)?;
        Ok(Answered { notice, left })
    }

    /// Lines that an answer has cancelled or held are recalled, so that another answer can reach them.
    fn call_again(&mut self, answered: &Notice) -> Result<(), LedgerError> {
        let from = transitions::line_after(answered.state);
        for accession in accessions(answered) {
            let Some(mut sample) = self.latest::<Sample>(accession)? else { continue };
            for wanted in answered.wanted.iter().filter(|wanted| wanted.accession == *accession) {
                if let Some(line) = sample.line_mut(&wanted.test).filter(|line| line.state == from) {
                    line.state = LineState::Recalled;
                }
            }
            self.samples([sample])?;
        }
        Ok(())
    }

    /// Changes the lines of a notice as its answer says; returns those that went another way.
    fn lines_after(&mut self, notice: &Notice, answer: &Answer) -> Result<Vec<Wanted>, LedgerError> {
        let to = transitions::line_after(notice.state);
        let mut left = Vec::new();
        for accession in accessions(notice) {
            let Some(mut sample) = self.latest::<Sample>(accession)? else { continue };
            for wanted in notice.wanted.iter().filter(|wanted| wanted.accession == *accession) {
                match sample.line_mut(&wanted.test) {
                    Some(line) if line.state.is_recall() && transitions::line(Some(line.state), to) == Rule::Free => {
                        line.state = to;
                        line.at = answer.visit.or(line.at);
                        line.because = answer.note.clone().or(line.because.take());
                    }
                    _ => left.push(wanted.clone()),
                }
            }
            self.samples([sample])?;
        }
        Ok(left)
    }

    /// Registers a file with identities that leaves. To be committed before the file is handed over.
    ///
    /// # Errors
    /// [`LedgerError::Contradiction`] when it names nobody, has no recipient or no user;
    /// [`LedgerError::Identity`], and those of the database.
    pub fn export(&mut self, export: &Export) -> Result<(), LedgerError> {
        let nameless = export.who.trim().is_empty() || export.recipient.trim().is_empty();
        if nameless || export.patients.is_empty() {
            return Err(LedgerError::Contradiction {
                subject: format!("export {}", export.file),
                what: "an export needs a user, a recipient and patients",
            });
        }
        self.record(export)
    }
}

fn accessions(notice: &Notice) -> BTreeSet<&String> {
    notice.wanted.iter().map(|wanted| &wanted.accession).collect()
}

fn read(body: &str) -> Result<Notice, LedgerError> {
    serde_json::from_str(body).map_err(|_| LedgerError::Contradiction {
        subject: "recall notices".to_owned(),
        what: "an earlier notice cannot be read; verify the ledger",
    })
}

fn check<'a>(
    notice: &Notice,
    before: Option<&Notice>,
    others: impl Iterator<Item = &'a Notice>,
    names: &Names,
) -> Result<(), LedgerError> {
    let wrong = if notice.wanted.is_empty() {
        Some("it wants nothing")
    } else if before.is_some_and(|before| !names.are_one(&before.patient, &notice.patient)) {
        Some("its number is that of another patient's")
    } else {
        None
    };
    if let Some(what) = wrong {
        return Err(LedgerError::Contradiction { subject: format!("recall notice {}", notice.id), what });
    }
    is_the_only_open(notice, others, names)?;
    follows(notice, before)
}

/// Refuses an open notice of a patient who has another one: both would call.
fn is_the_only_open<'a>(
    notice: &Notice,
    mut others: impl Iterator<Item = &'a Notice>,
    names: &Names,
) -> Result<(), LedgerError> {
    let in_the_way = |other: &&Notice| {
        other.id != notice.id && names.are_one(&other.patient, &notice.patient) && other.state.is_open()
    };
    match others.find(in_the_way).filter(|_| notice.state.is_open()) {
        Some(other) => Err(LedgerError::SecondNotice { id: notice.id.clone(), other: other.id.clone() }),
        None => Ok(()),
    }
}

fn follows(notice: &Notice, before: Option<&Notice>) -> Result<(), LedgerError> {
    let from = before.map(|before| before.state);
    transitions::notice(from, notice.state).map_err(|why| LedgerError::Notice {
        id: notice.id.clone(),
        from: from.map_or("nothing", NoticeState::text),
        to: notice.state.text(),
        why,
    })
}
