//! What would a sample cost if it went to two sites? Its second container is split off once the first
//! is booked in, and sent on.
//!
//! Only for ways that could gain by it even if the second container got there for nothing.

use std::ops::Range;

use labtriage_core::certificate::Scaled;
use labtriage_core::table::{Ix, SiteIx, SlotIx};

use super::market::{Market, NEVER, scaled};
use super::offers::Offer;
use super::sample::{Least, LineCase, Picked, SampleCase};
use super::ways::{Candidate, Preparation, aliquoted, candidates, runs_until, thrifty_slot};

/// Ways on which a second container is tried, the most promising ones.
const MAINS_MAX: usize = 3;

/// A way for two containers, with the slots in which lines can be run from the second.
#[derive(Clone, Debug)]
pub(super) struct Split {
    /// The way of the second container, which begins with that of the first up to its booking in.
    pub(super) candidate: Candidate,
    /// Per line: until which slot, from the first.
    pub(super) until: Vec<usize>,
}

/// Ways for two containers of one sample, worked out when they are first of use.
#[derive(Default)]
pub(super) struct Splits {
    known: Vec<Split>,
    /// Offers whose ways are known, each with where they stand.
    tried: Vec<(usize, Range<usize>)>,
    found: Vec<Candidate>,
    mains: Vec<(Scaled, usize, usize)>,
    first: Vec<Scaled>,
}

impl Splits {
    pub(super) fn clear(&mut self) {
        self.known.clear();
        self.tried.clear();
    }

    pub(super) fn get(&self, number: usize) -> &Split {
        &self.known[number]
    }
}

impl SampleCase {
    /// Looks for two containers that cost less than the least found so far.
    pub(super) fn in_two(&mut self, market: &Market<'_>, otherwise: &[Scaled], offers: &[Offer], least: &mut Least) {
        if self.lines.iter().filter(|line| line.open).count() < 2 {
            return;
        }
        let mut splits = std::mem::take(&mut self.splits);
        let mut mains = std::mem::take(&mut splits.mains);
        mains.clear();
        let each = offers.iter().enumerate();
        let below = least.cost;
        mains.extend(
            each.filter_map(|(number, offer)| self.main(market, otherwise, (number, offer), below, &mut splits.first)),
        );
        mains.sort_unstable();
        for &(at_best, number, from) in mains.iter().take(MAINS_MAX) {
            if at_best >= least.cost {
                break;
            }
            let offer = &offers[number];
            self.run_first(market, otherwise, offer, from, &mut splits.first);
            let known = self.split(market, number, offer, from, &mut splits);
            self.of_splits(market, otherwise, (number, offer.candidate.way.site, from), (&mut splits, known), least);
        }
        splits.mains = mains;
        self.splits = splits;
    }

    /// A way that the second container may be split off on, if all can cost less than a limit: what it costs at
    /// the best, the number of the way, and the slot in which the first is booked in.
    fn main(
        &self,
        market: &Market<'_>,
        otherwise: &[Scaled],
        (number, offer): (usize, &Offer),
        below: Scaled,
        first: &mut Vec<Scaled>,
    ) -> Option<(Scaled, usize, usize)> {
        let undivided = offer.booked || offer.thawed.is_some();
        if undivided || !self.divides(market, &offer.candidate.way) {
            return None;
        }
        let site = offer.candidate.way.site;
        let booking = |slot| market.booking(site, slot);
        let from = thrifty_slot(offer.candidate.from, market.snapshot.grid.len(), booking)?.row();
        self.run_first(market, otherwise, offer, from, first);
        let at_best = offer.candidate.price + booking(from) + self.at_best_beside(site, first);
        // Looked up only where it can matter: it goes over all slots.
        let at_best = if at_best < below { at_best + self.aliquot(market, site, from) } else { return None };
        (at_best < below).then_some((at_best, number, from))
    }

    /// What each line costs when it is run from the first container, or not at all.
    fn run_first(
        &self,
        market: &Market<'_>,
        otherwise: &[Scaled],
        offer: &Offer,
        first: usize,
        costs: &mut Vec<Scaled>,
    ) {
        let site = offer.candidate.way.site;
        let cost = |(row, &otherwise): (usize, &Scaled)| {
            let run = self.tested(market, row, site).get(first..offer.until[row]);
            run.and_then(|slots| slots.iter().min()).map_or(otherwise, |&run| run.min(otherwise))
        };
        costs.clear();
        costs.extend(otherwise.iter().enumerate().map(cost));
    }

    /// What an aliquot at a site costs at the least from a slot on.
    fn aliquot(&self, market: &Market<'_>, site: SiteIx, from: usize) -> Scaled {
        let snapshot = market.snapshot;
        let price = |slot| market.price(snapshot.capacity.aliquoting(site, SlotIx::from_row(slot)), 1);
        let least = (from..snapshot.grid.len()).map(price).min().unwrap_or(NEVER);
        least + scaled(snapshot.policy.prices.aliquot)
    }

    /// What all lines cost if those that gain by it were run at one site, whenever.
    fn at_best_at(&self, site: SiteIx, first: &[Scaled]) -> Scaled {
        first.iter().zip(self.lowest_by_site()).map(|(&first, sites)| sites[site.row()].min(first)).sum()
    }

    /// What all lines cost if those that gain by it were run at any other site, whenever.
    fn at_best_beside(&self, site: SiteIx, first: &[Scaled]) -> Scaled {
        let elsewhere = |sites: &[Scaled]| {
            let others = sites.iter().enumerate().filter(|(other, _)| *other != site.row());
            others.map(|(_, &lowest)| lowest).min().unwrap_or(NEVER)
        };
        first.iter().zip(self.lowest_by_site()).map(|(&first, sites)| elsewhere(sites).min(first)).sum()
    }

    /// The ways that begin with an offer, booked in in a slot.
    fn split(
        &self,
        market: &Market<'_>,
        number: usize,
        offer: &Offer,
        first: usize,
        splits: &mut Splits,
    ) -> Range<usize> {
        if let Some((_, known)) = splits.tried.iter().find(|(tried, _)| *tried == number) {
            return known.clone();
        }
        let known = splits.known.len();
        let site = offer.candidate.way.site;
        let mut main = offer.candidate.way.clone();
        main.book_in_at(market.snapshot, SlotIx::from_row(first));
        let wanted =
            |to: SiteIx| to != site && self.lines.iter().any(|line| line.open && market.menu.runs(to, line.test));
        for way in aliquoted(market, &main) {
            let prepared = Preparation { way, spin_there: false };
            candidates(market, market.routes, &prepared, 0, wanted, &mut splits.found);
        }
        // What is there no sooner than another for no less is of no use.
        splits.found.sort_by_key(|candidate| (candidate.way.site, candidate.price, candidate.from));
        let mut soonest: Option<(SiteIx, usize)> = None;
        for candidate in splits.found.drain(..) {
            if soonest.is_some_and(|(site, from)| site == candidate.way.site && candidate.from >= from) {
                continue;
            }
            soonest = Some((candidate.way.site, candidate.from));
            let stays = &candidate.way.stays;
            let until = |line: &LineCase| if line.open { runs_until(market, line.line, stays) } else { 0 };
            let until: Vec<usize> = self.lines.iter().map(until).collect();
            if until.iter().any(|&until| until > candidate.from) {
                splits.known.push(Split { candidate, until });
            }
        }
        splits.tried.push((number, known..splits.known.len()));
        known..splits.known.len()
    }

    /// The least cost of the ways that begin with an offer, its site and the slot of its booking in: each line
    /// from the container that costs less.
    fn of_splits(
        &mut self,
        market: &Market<'_>,
        otherwise: &[Scaled],
        (number, main, first): (usize, SiteIx, usize),
        (splits, known): (&mut Splits, Range<usize>),
        least: &mut Least,
    ) {
        for split in known {
            let facts = &splits.known[split];
            let site = facts.candidate.way.site;
            if facts.candidate.price + self.at_best_at(site, &splits.first) >= least.cost {
                continue;
            }
            // Each container loses something.
            let there = self.there.saturating_sub(self.most_dead(market, main) + self.most_dead(market, site));
            let last = facts.until.iter().copied().max().unwrap_or(0);
            let slots = facts.candidate.from..last;
            if slots.is_empty() {
                continue;
            }
            let each = splits.first.iter().copied().zip(facts.until.iter().copied());
            let mut totals = std::mem::take(&mut self.totals);
            if self.volume() > there {
                let limit = least.cost - facts.candidate.price;
                self.scant_totals(market, (site, slots.clone(), there), otherwise, each, limit, &mut totals);
            } else {
                self.totals(market, (site, slots.clone()), each, &mut totals);
            }
            for (from, &total) in slots.zip(&totals).rev() {
                let total = total + facts.candidate.price;
                let cost = if total < least.cost { total + market.booking(site, from) } else { continue };
                if cost < least.cost {
                    let picked = Picked { offer: number, from: first, second: Some((split, from)) };
                    *least = Least { cost, picked: Some(picked) };
                }
            }
            self.totals = totals;
        }
    }
}
