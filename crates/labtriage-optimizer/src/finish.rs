//! What does the finished plan say? Steps in order of sample, discards proposed, broken pins listed.

use labtriage_core::overrides::Pin;
use labtriage_core::plan::{Discard, Disposition, Hold, Impossible, Plan, Rule, SamplePlan, Visit};
use labtriage_core::table::{Ix, LineIx, OverrideIx, SampleIx};
use labtriage_core::time::Instant;
use labtriage_core::viability::{Clock, LostBy};

use crate::greedy::Planner;

impl Planner<'_> {
    /// Puts the plan together: steps in order of sample, discards proposed, broken pins listed.
    pub(crate) fn finish(mut self, rule: Rule) -> Plan {
        for line in self.snapshot.backlog.lines.indices() {
            if self.lines[line] == Disposition::Hold(Hold::Waiting) && !self.keeps_beyond(line) {
                self.lines[line] = self.without_waiting(line);
            }
        }
        let mut steps = Vec::with_capacity(self.steps.len());
        let samples = self.tubes.enumerate().map(|(sample, tube)| {
            let own = &self.steps[tube.first_step as usize..tube.first_step as usize + usize::from(tube.steps)];
            let first_step = u32::try_from(steps.len()).unwrap_or(u32::MAX);
            steps.extend_from_slice(own);
            let discard = self.proposed_discard(sample);
            SamplePlan { first_step, steps: tube.steps, discard, recollection: tube.recollection }
        });
        let samples = samples.collect();
        let impossible = self.broken_pins();
        let mut recalled = vec![false; self.snapshot.backlog.patients.len()];
        for (line, disposition) in self.lines.enumerate() {
            recalled[self.snapshot.backlog.patient_of(line).row()] |= matches!(disposition, Disposition::Recall(_));
        }
        let mut visits: Vec<Visit> = self.visits.into_list();
        visits.retain(|visit| recalled[visit.patient.row()]);
        visits.sort_unstable();
        Plan { rule, lines: self.lines, samples, steps, visits, impossible }
    }

    /// Overrides that ask for a run which the plan does not have, with the reason.
    fn broken_pins(&self) -> Vec<Impossible> {
        let mut broken = Vec::new();
        for &(line, _) in self.snapshot.overrides.by_line.chunk_by(|a, b| a.0 == b.0).filter_map(<[_]>::first) {
            for (index, pin) in self.snapshot.overrides.pins(line) {
                if !self.keeps_pin(line, pin) {
                    broken.push(Impossible { override_: index, line, reason: self.why_broken(line) });
                }
            }
        }
        broken.sort_by_key(|entry: &Impossible| (entry.override_, entry.line));
        broken
    }

    fn keeps_pin(&self, line: LineIx, pin: Pin) -> bool {
        let Disposition::Run(run) = self.lines[line] else { return false };
        let site = match run.analyser {
            Some(analyser) => self.snapshot.network.analysers[analyser].site,
            None => self.snapshot.backlog.samples[self.snapshot.backlog.lines[line].sample].site,
        };
        pin.site.is_none_or(|only| only == site)
            && pin.analyser.is_none_or(|only| run.analyser == Some(only))
            && pin.by.is_none_or(|by| self.snapshot.grid.end(run.slot) <= by)
    }

    fn why_broken(&self, line: LineIx) -> String {
        match (self.lines[line], self.snapshot.clocks[line]) {
            (Disposition::Cancel(_), _) => "another line or a result answers the same question".to_owned(),
            (_, Clock::Lost(at, _)) if self.snapshot.overrides.caution(line).is_none() => {
                format!("the sample was lost for this test at {at}")
            }
            _ if self.forced_discard(self.snapshot.backlog.lines[line].sample).is_some() => {
                "the discard of its sample is forced".to_owned()
            }
            (Disposition::Hold(Hold::UnknownStability | Hold::UnknownTime), _) => {
                "it is not known how long the sample keeps, and a person must decide".to_owned()
            }
            _ => "no capacity is left within its window at the place and time it is pinned to".to_owned(),
        }
    }

    /// The override that forces a sample's discard.
    pub(crate) fn forced_discard(&self, sample: SampleIx) -> Option<OverrideIx> {
        self.snapshot.backlog.samples[sample].lines().find_map(|line| self.snapshot.overrides.force_discard(line))
    }

    /// Whether a sample is proposed for discard: nothing can be run from it any more, it has been kept for the
    /// policy's minimum hold, and nobody has decided to keep it.
    fn proposed_discard(&self, sample: SampleIx) -> Option<Discard> {
        if let Some(forced) = self.forced_discard(sample) {
            return Some(Discard::Override(forced));
        }
        let facts = &self.snapshot.backlog.samples[sample];
        if facts.irreplaceable || facts.lines().any(|line| self.snapshot.overrides.keeps(line)) {
            return None;
        }
        let mut latest: Option<Instant> = None;
        let mut improper = true;
        for line in self.snapshot.backlog.samples[sample].lines() {
            match (self.lines[line], self.snapshot.clocks[line]) {
                (Disposition::Cancel(_), _) => {}
                (Disposition::Recall(_), Clock::Lost(at, why)) => {
                    latest = latest.max(Some(at));
                    improper &= !matches!(why, LostBy::Expiry(_));
                }
                _ => return None,
            }
        }
        let held = latest?.plus(self.snapshot.policy.minimum_hold) <= self.snapshot.now;
        held.then_some(if improper { Discard::ImproperStorage } else { Discard::Expired })
    }
}
