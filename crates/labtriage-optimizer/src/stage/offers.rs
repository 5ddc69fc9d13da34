//! Which ways has one sample, and until when can its lines be run on each?

use labtriage_core::catalogue::Phase;
use labtriage_core::table::{Ix, SampleIx, SiteIx, SlotIx};

use super::market::{Market, NEVER};
use super::memo::Span;
use super::problem::{Stage, Standing};
use super::sample::{LineCase, SampleCase};
use super::ways::{Candidate, Preparation, arrived, candidates, frozen, preparations, runs_until};
use crate::way::Way;

/// Slots in which what comes on dry ice is thawed, at the most.
const THAWS_MAX: usize = 4;

/// A way with the slots in which its lines can be run.
#[derive(Clone, Debug)]
pub(super) struct Offer {
    pub(super) candidate: Candidate,
    /// Until which slot each line can be run.
    pub(super) span: Span,
    /// Frozen until this slot, thawed in it.
    pub(super) thawed: Option<usize>,
    /// Booked in before.
    pub(super) booked: bool,
}

impl SampleCase {
    /// All ways of the sample in which any of its lines can be run.
    pub(super) fn offer(&mut self, stage: &Stage<'_>, market: &Market<'_>, sample: SampleIx) {
        let snapshot = market.snapshot;
        let run_in = |line: &LineCase| snapshot.catalogue.tests[line.test].run_in;
        let hopeful = |line: &&LineCase| !line.reported;
        if let Standing::Placed(places) = stage.standing(sample) {
            for (way, from) in places {
                let candidate = Candidate { way, from, price: 0, preparation: 0 };
                self.push_offer(market, candidate, true);
            }
            return;
        }
        let unspun = self.lines.iter().filter(hopeful).any(|line| run_in(line) == Phase::Primary);
        let spins = self.lines.iter().filter(hopeful).any(|line| run_in(line) == Phase::Separated);
        if !unspun && !spins || stage.forced_discard(sample) {
            return;
        }
        let prepared = preparations(market, sample, unspun, spins);
        let mut found = std::mem::take(&mut self.found);
        for (number, preparation) in prepared.iter().enumerate() {
            found.clear();
            let wanted = |site| self.lines.iter().any(|line| market.menu.runs(site, line.test));
            candidates(market, market.routes, preparation, number, wanted, &mut found);
            for candidate in found.drain(..) {
                self.push_offer(market, candidate, false);
            }
        }
        self.found = found;
        self.offer_frozen(market, &prepared.iter().map(|prepared| prepared.way.clone()).collect::<Vec<_>>());
    }

    fn push_offer(&mut self, market: &Market<'_>, candidate: Candidate, booked: bool) {
        // The same storage has the same windows, wherever it leads.
        let known = self.offers.last().filter(|offer| {
            !booked
                && offer.candidate.preparation == candidate.preparation
                && offer.candidate.way.stays == candidate.way.stays
        });
        let span = match known {
            Some(offer) => offer.span,
            None => self.span(market, &candidate.way),
        };
        self.admit(Offer { candidate, span, thawed: None, booked });
    }

    /// Until which slot each line can be run on a way.
    fn span(&mut self, market: &Market<'_>, way: &Way) -> Span {
        self.until.clear();
        let until = |line: &LineCase| if line.reported { 0 } else { runs_until(market, line.line, &way.stays) };
        self.until.extend(self.lines.iter().map(until));
        self.memo.span(&self.until)
    }

    fn admit(&mut self, offer: Offer) {
        let mut any = false;
        for (line, &until) in self.lines.iter_mut().zip(self.memo.until(offer.span)) {
            if until > offer.candidate.from {
                line.open = true;
                any = true;
            }
        }
        if any {
            self.offers.push(offer);
        }
    }

    /// Frozen where it stands: thawed there for lines whose other windows close within the horizon, or sent by
    /// couriers that carry nothing else.
    fn offer_frozen(&mut self, market: &Market<'_>, prepared: &[Way]) {
        let slots = market.snapshot.grid.len();
        let longest = |row: usize| self.offers.iter().map(|offer| self.until(offer.span, row)).max().unwrap_or(0);
        let kept: Vec<usize> = (0..self.lines.len()).map(longest).collect();
        let short = self.lines.iter().zip(&kept).any(|(line, &kept)| !line.reported && kept < slots);
        let Some(way) = prepared.iter().find(|way| way.separated()) else { return };
        let by_dry_ice = market.routes.by_dry_ice(way.site);
        if !short && by_dry_ice.is_empty() {
            return;
        }
        let Some(way) = frozen(market, way) else { return };
        if short && self.is_run_at(market, way.site) {
            // Before that it is run unfrozen, and thawed too soon nothing keeps longer than unfrozen.
            let first = kept.iter().copied().min().unwrap_or(0);
            if let Some(candidate) = arrived(market, way.clone(), usize::MAX) {
                self.offer_thawed(market, &candidate, first, &kept, usize::MAX);
            }
        }
        let mut found = std::mem::take(&mut self.found);
        found.clear();
        let prepared = Preparation { way, spin_there: false };
        let wanted = |site| by_dry_ice.contains(&site) && self.is_run_at(market, site);
        candidates(market, market.routes, &prepared, usize::MAX, wanted, &mut found);
        let never = vec![0; self.lines.len()];
        for candidate in found.drain(..) {
            self.offer_thawed(market, &candidate, 0, &never, THAWS_MAX);
        }
        self.found = found;
    }

    fn is_run_at(&self, market: &Market<'_>, site: SiteIx) -> bool {
        self.lines.iter().any(|line| !line.reported && market.menu.runs(site, line.test))
    }

    /// Thawed, so often at the most, in slots that suit a line or all lines best, where that keeps a line longer than
    /// it keeps otherwise.
    fn offer_thawed(&mut self, market: &Market<'_>, frozen: &Candidate, first: usize, kept: &[usize], most: usize) {
        let mut number = 0;
        for slot in self.thaw_slots(market, &frozen.way, first.max(frozen.from), kept) {
            let mut way = frozen.way.clone();
            if way.thaw_in(market.snapshot, SlotIx::from_row(slot)).is_none() {
                continue;
            }
            let span = self.span(market, &way);
            let until = self.memo.until(span);
            if number == most || until.iter().all(|&until| until <= slot) {
                break;
            }
            if until.iter().zip(kept).all(|(until, kept)| until <= kept) {
                continue;
            }
            number += 1;
            self.admit(Offer { candidate: frozen.clone(), span, thawed: Some(slot), booked: false });
        }
    }

    /// The slot from one on in which each line costs least when it is thawed in it and keeps no longer, and in which all
    /// do.
    fn thaw_slots(&self, market: &Market<'_>, way: &Way, first: usize, kept: &[usize]) -> Vec<usize> {
        let thaws: Vec<usize> = way.thaws_from(market.snapshot, first).collect();
        let mut all = vec![0; thaws.len()];
        let mut found = Vec::with_capacity(self.lines.len() + 1);
        for (row, line) in self.lines.iter().enumerate().filter(|(_, line)| !line.reported) {
            let tested = self.tested(market, row, way.site);
            all.iter_mut().zip(&thaws).for_each(|(all, &slot)| *all += tested[slot].min(line.left_out));
            let run = thaws.iter().copied().filter(|&slot| slot >= kept[row] && tested[slot] < NEVER);
            found.extend(run.min_by_key(|&slot| tested[slot]));
        }
        found.extend(thaws.iter().zip(&all).min_by_key(|&(_, all)| *all).map(|(&slot, _)| slot));
        found.sort_unstable();
        found.dedup();
        found
    }
}
