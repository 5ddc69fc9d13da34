//! Who may decide about a discard, and when?

use labtriage_core::time::Instant;

use crate::error::LedgerError;
use crate::records::{Authorisation, Decision, Discard, Sample};
use crate::samples::contradiction;
use crate::states::SampleState;
use crate::transitions::{self, Rule};
use crate::writer::Writer;

impl Writer<'_> {
    /// Records a person's decision about a discard, and what the sample is then. The discard's number
    /// may be left empty: then the present one is meant.
    ///
    /// # Errors
    /// [`LedgerError::Unknown`] for a sample the ledger does not know; [`LedgerError::Transition`] when
    /// nothing was proposed, or nothing authorised; [`LedgerError::Contradiction`] without a named user,
    /// a reason for a rejection, or when another discard than the present one is meant;
    /// [`LedgerError::SecondPerson`] when an irreplaceable sample is authorised by one person or twice by
    /// the same; [`LedgerError::HoldNotOver`] before the minimum hold is over; and those of the database.
    pub fn decide(&mut self, decision: &Authorisation) -> Result<Sample, LedgerError> {
        let before: Option<Sample> = self.latest(&decision.accession)?;
        let Some(before) = before else {
            return Err(LedgerError::Unknown { what: "sample", name: decision.accession.clone() });
        };
        let state = state_after(decision.decision);
        allowed(&before, state)?;
        let Some(discard) = before.discard.as_deref() else {
            return Err(contradiction(&before, "its discard has no record"));
        };
        let decision = Authorisation { discard: named(&before, discard, decision)?, ..decision.clone() };
        people(&before, &decision)?;
        if decision.decision != Decision::Reject {
            hold_is_over(&before, discard, self.at())?;
        }
        let discard = Box::new(decided(discard, &decision, self.at()));
        // Why stands in the discard: there it outlives the disposal and the nights to come.
        let after = Sample { state, because: None, discard: Some(discard), ..before };
        self.record(&decision)?;
        self.record(&after)?;
        Ok(after)
    }
}

const fn state_after(decision: Decision) -> SampleState {
    match decision {
        Decision::Authorise => SampleState::DiscardAuthorised,
        Decision::Reject => SampleState::DiscardRejected,
        Decision::Dispose => SampleState::Disposed,
    }
}

fn allowed(before: &Sample, to: SampleState) -> Result<(), LedgerError> {
    let why = match transitions::sample(Some(before.state), to) {
        Rule::Person => return Ok(()),
        Rule::Never(why) | Rule::Reason(why) => why,
        Rule::Free => "that was decided before",
    };
    Err(LedgerError::Transition {
        accession: before.accession.clone(),
        test: None,
        from: before.state.text().to_owned(),
        to: to.text().to_owned(),
        why: why.to_owned(),
    })
}

fn named(sample: &Sample, discard: &Discard, decision: &Authorisation) -> Result<String, LedgerError> {
    if decision.discard.is_empty() || decision.discard == discard.id {
        return Ok(discard.id.clone());
    }
    Err(contradiction(sample, "another discard of it is proposed than the one decided about"))
}

/// Whether enough different people have decided.
fn people(sample: &Sample, decision: &Authorisation) -> Result<(), LedgerError> {
    let who = decision.who.trim();
    if who.is_empty() {
        return Err(contradiction(sample, "a decision needs a named user"));
    }
    if decision.decision == Decision::Reject && decision.why.as_deref().is_none_or(|why| why.trim().is_empty()) {
        return Err(contradiction(sample, "a rejection needs a reason"));
    }
    let refuse = |found| Err(LedgerError::SecondPerson { accession: sample.accession.clone(), found });
    match decision.second.as_deref().map(str::trim) {
        Some(second) if second.to_lowercase() == who.to_lowercase() => refuse("the same person twice"),
        None | Some("") if decision.decision == Decision::Authorise && sample.irreplaceable => refuse("one"),
        _ => Ok(()),
    }
}

fn hold_is_over(sample: &Sample, discard: &Discard, at: Instant) -> Result<(), LedgerError> {
    match discard.keep_until {
        Some(until) if until > at => Err(LedgerError::HoldNotOver { accession: sample.accession.clone(), until, at }),
        _ => Ok(()),
    }
}

fn decided(discard: &Discard, decision: &Authorisation, at: Instant) -> Discard {
    let discard = discard.clone();
    let who = Some(decision.who.clone());
    match decision.decision {
        Decision::Dispose => Discard { disposed: Some(at), disposed_by: who, ..discard },
        Decision::Authorise | Decision::Reject => {
            let (second, decided_because) = (decision.second.clone(), decision.why.clone());
            Discard { decided: Some(at), decided_by: who, second, decided_because, ..discard }
        }
    }
}
