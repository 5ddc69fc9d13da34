//! What is kept of a discard? From the ledger's sample to the record that people read.

use labtriage_formats::outputs::{DiscardRecord, LimitApplied};
use labtriage_ledger::records::{Limit, RecallAction, Sample};

/// The record of a sample's discard; `None` for a sample without one.
pub(super) fn of(sample: &Sample) -> Option<DiscardRecord> {
    let discard = sample.discard.as_deref()?;
    let no_recall_because = match &discard.recall {
        RecallAction::Required => None,
        RecallAction::NotRequired { reason } => Some(reason.clone()),
    };
    Some(DiscardRecord {
        id: discard.id.clone(),
        run: discard.run.clone(),
        accession: sample.accession.clone(),
        request: sample.request.clone(),
        state: sample.state.text().to_owned(),
        lines: sample.lines.iter().map(|line| (line.test.clone(), line.state.text().to_owned())).collect(),
        specimen: sample.specimen.clone(),
        container: discard.container.clone(),
        irreplaceable: sample.irreplaceable,
        collected: discard.collected.at,
        collected_assumed: discard.collected.assumed,
        received: sample.received,
        history: discard.history.iter().map(|step| (step.from, step.state.clone())).collect(),
        limit: discard.limit.as_ref().map(limit),
        expired: discard.expired,
        hold_until: discard.keep_until,
        proposed: discard.proposed,
        reason_code: discard.reason_code.clone(),
        reason: discard.reason.clone(),
        proposed_by: discard.proposed_by.clone(),
        override_id: discard.override_id.clone(),
        decided: discard.decided,
        decided_by: discard.decided_by.clone(),
        second: discard.second.clone(),
        decision_reason: discard.decided_because.clone(),
        requester: sample.requester.clone(),
        patient: sample.patient.expose().to_owned(),
        no_recall_because,
        notified: discard.notified,
        notified_via: discard.notified_via.clone(),
        disposed: discard.disposed,
        disposed_by: discard.disposed_by.clone(),
        report_issued: discard.report_issued,
    })
}

fn limit(limit: &Limit) -> LimitApplied {
    LimitApplied {
        test: limit.test.clone(),
        state: limit.state.clone(),
        minutes: limit.minutes,
        source: limit.source.clone(),
        catalogue: limit.catalogue.clone(),
    }
}
