//! What must be on record of a proposed discard?

use labtriage_core::catalogue::{Limit as Figure, State};
use labtriage_core::plan::{Cancel, Discard as Proposal, Disposition, Hold};
use labtriage_core::table::{LineIx, SampleIx};
use labtriage_core::time::Instant;
use labtriage_core::viability::{Clock, LostBy};
use labtriage_ledger::records::{Collected, Discard, HistoryStep, Limit, RecallAction};

use super::record::Recorder;

impl Recorder<'_> {
    /// The record of a discard that tonight's plan proposes for the first time.
    pub(super) fn discard(&self, sample: SampleIx, proposal: Proposal) -> Discard {
        let (snapshot, facts) = (self.snapshot, &self.snapshot.backlog.samples[sample]);
        let history = snapshot.backlog.history(sample).iter();
        let lost = self.last_lost(sample);
        let by = match proposal {
            Proposal::Override(by) => Some(&snapshot.overrides.all[by]),
            Proposal::Expired | Proposal::ImproperStorage => None,
        };
        let expired = lost.map(|(at, ..)| at).filter(|_| by.is_none());
        let (reason_code, reason) = match proposal {
            Proposal::Expired => ("EX", "expired"),
            Proposal::ImproperStorage => ("RR", "improper storage"),
            Proposal::Override(_) => ("", "a person's decision"),
        };
        Discard {
            id: format!("D-{}-{}", &self.run[..8], snapshot.backlog.accession(sample)),
            run: self.run.to_owned(),
            container: snapshot.catalogue.specimens[facts.specimen].name.clone(),
            collected: Collected { at: facts.collected, assumed: facts.collected_unknown },
            history: history.map(|step| HistoryStep { from: step.from, state: step.state.text().to_owned() }).collect(),
            limit: lost.and_then(|(_, line, state)| self.limit(sample, line, state?)),
            expired,
            keep_until: expired.map(|at| at.plus(snapshot.policy.minimum_hold)),
            proposed: snapshot.now,
            reason_code: reason_code.to_owned(),
            reason: by.map_or_else(|| reason.to_owned(), |by| format!("{reason}: {}", by.why)),
            proposed_by: by.map_or_else(|| "system".to_owned(), |by| by.who.clone()),
            override_id: by.and_then(|by| self.decisions.number_at(by.line)).map(str::to_owned),
            recall: self.recall(sample),
            decided_by: None,
            second: None,
            decided: None,
            decided_because: None,
            notified: None,
            notified_via: None,
            disposed: None,
            disposed_by: None,
            report_issued: false,
        }
    }

    /// The line that stayed fit longest, when it was lost, and in which state.
    fn last_lost(&self, sample: SampleIx) -> Option<(Instant, LineIx, Option<State>)> {
        let open = self.snapshot.backlog.samples[sample].lines();
        let open = open.filter(|line| !matches!(self.plan.lines[*line], Disposition::Cancel(_)));
        open.filter_map(|line| self.lost(line).map(|(at, state)| (at, line, state))).max()
    }

    fn lost(&self, line: LineIx) -> Option<(Instant, Option<State>)> {
        match self.snapshot.clocks[line] {
            Clock::Until(closes) if closes <= self.snapshot.now => {
                Some((closes, Some(self.snapshot.backlog.state(self.snapshot.backlog.lines[line].sample))))
            }
            Clock::Lost(at, LostBy::Expiry(state) | LostBy::Forbidden(state)) => Some((at, Some(state))),
            Clock::Lost(at, LostBy::FrozenTwice | LostBy::AlreadySeparated) => Some((at, None)),
            Clock::Until(_) | Clock::Unknown(_) => None,
        }
    }

    fn limit(&self, sample: SampleIx, line: LineIx, state: State) -> Option<Limit> {
        let (snapshot, catalogue) = (self.snapshot, &self.snapshot.catalogue);
        let (test, specimen) = (snapshot.backlog.lines[line].test, snapshot.backlog.samples[sample].specimen);
        let minutes = match snapshot.limits.get(test, specimen).of(state) {
            Figure::Unknown => return None,
            Figure::Forbidden => 0,
            Figure::Within(limit) => limit.get(),
        };
        let figure = catalogue.deciding_figure(test, specimen, snapshot.policy.profile, state);
        let sources = figure.iter().flat_map(|(_, figure)| &figure.sources);
        let sources: Vec<&str> = sources.map(|&source| catalogue.sources[source].id.as_str()).collect();
        Some(Limit {
            test: catalogue.tests[test].code.clone(),
            state: state.text().to_owned(),
            minutes,
            source: sources.join(" "),
            catalogue: catalogue.version.clone(),
        })
    }

    fn recall(&self, sample: SampleIx) -> RecallAction {
        let lines = || self.snapshot.backlog.samples[sample].lines().map(|line| self.plan.lines[line]);
        if lines().any(|decision| matches!(decision, Disposition::Recall(_))) {
            return RecallAction::Required;
        }
        let mut reasons: Vec<&str> = lines().map(no_recall).collect();
        reasons.dedup();
        RecallAction::NotRequired { reason: reasons.join("; ") }
    }
}

const fn no_recall(decision: Disposition) -> &'static str {
    match decision {
        Disposition::Cancel(Cancel::Duplicate(_)) => "another sample answers the same question",
        Disposition::Cancel(Cancel::Superseded) => "a result is already there",
        Disposition::Hold(Hold::NotRecallable) => "the patient must not be recalled, a person decides",
        Disposition::Hold(_) => "a line is held, a person decides",
        Disposition::Run(_) | Disposition::Recall(_) => "a line of it is run",
    }
}
