//! What would a sample cost if it went to two sites? Its second container is split off once the first
//! is booked in, and sent on.
//!
//! Only for ways that could gain by it even if the second container got there for nothing.

use std::ops::Range;

use labtriage_core::certificate::Scaled;
use labtriage_core::table::{Ix, SiteIx, SlotIx};

use super::least::{Least, Picked, or_run};
use super::market::{Market, NEVER, scaled};
use super::memo::{Memo, Span};
use super::offers::Offer;
use super::sample::{LineCase, SampleCase};
use super::ways::{Candidate, Preparation, aliquoted, candidates, runs_until, thrifty_slot};

/// Ways on which a second container is tried, the most promising ones.
const MAINS_MAX: usize = 3;

/// A way for two containers, with the slots in which lines can be run from the second.
#[derive(Clone, Debug)]
pub(super) struct Split {
    /// The way of the second container, which begins with that of the first up to its booking in.
    pub(super) candidate: Candidate,
    /// Until which slot each line can be run.
    pub(super) span: Span,
}

/// Ways for two containers of one sample, worked out when they are first of use.
#[derive(Default)]
pub(super) struct Splits {
    known: Vec<Split>,
    /// Offers whose ways are known, each with where they stand.
    tried: Vec<(usize, Range<usize>)>,
    found: Vec<Candidate>,
    /// Ways that the second container may be split off on, once they are known.
    mains: Option<Vec<Main>>,
    promising: Vec<(Scaled, usize)>,
    first: Vec<Scaled>,
    until: Vec<usize>,
}

/// A way that a second container may be split off on.
#[derive(Clone, Copy, Debug)]
struct Main {
    offer: usize,
    site: SiteIx,
    /// The slot in which the first container is booked in.
    from: usize,
    /// Its way, its booking in and an aliquot there.
    paid: Scaled,
    /// What its lines cost, as the memo numbers it.
    runs: usize,
}

impl Splits {
    pub(super) fn clear(&mut self) {
        self.known.clear();
        self.tried.clear();
        self.mains = None;
    }

    pub(super) fn get(&self, number: usize) -> &Split {
        &self.known[number]
    }
}

impl SampleCase {
    /// Looks for two containers that cost less than the least found so far.
    pub(super) fn in_two(
        &mut self,
        market: &Market<'_>,
        memo: &mut Memo,
        otherwise: &[Scaled],
        offers: &[Offer],
        least: &mut Least,
    ) {
        if self.lines.iter().filter(|line| line.open).count() < 2 {
            return;
        }
        let mut splits = std::mem::take(&mut self.splits);
        let mains = splits.mains.take().unwrap_or_else(|| self.mains(market, memo, offers));
        let mut promising = std::mem::take(&mut splits.promising);
        promising.clear();
        let anywhere: Scaled =
            otherwise.iter().zip(self.lowest_run()).map(|(&other, sites)| lowest(sites).min(other)).sum();
        for (number, main) in mains.iter().enumerate().filter(|(_, main)| main.paid + anywhere < least.cost) {
            run_first(memo, main, otherwise, &mut splits.first);
            let at_best = main.paid + self.at_best_beside(main.site, &splits.first);
            if at_best < least.cost {
                promising.push((at_best, number));
            }
        }
        promising.sort_unstable();
        for &(at_best, number) in promising.iter().take(MAINS_MAX) {
            if at_best >= least.cost {
                break;
            }
            let main = &mains[number];
            run_first(memo, main, otherwise, &mut splits.first);
            let known = self.split(market, memo, (main, &offers[main.offer]), &mut splits);
            self.of_splits(market, memo, otherwise, main, (&mut splits, known), least);
        }
        (splits.mains, splits.promising) = (Some(mains), promising);
        self.splits = splits;
    }

    /// The ways that the second container may be split off on.
    fn mains(&self, market: &Market<'_>, memo: &mut Memo, offers: &[Offer]) -> Vec<Main> {
        let slots = market.snapshot.grid.len();
        let mut main = |(number, offer): (usize, &Offer)| {
            let undivided = offer.booked || offer.thawed.is_some();
            if undivided || !self.divides(market, &offer.candidate.way) {
                return None;
            }
            let site = offer.candidate.way.site;
            memo.work_out_booking(market, site);
            let booking = |slot: usize| memo.bookings(site).each[slot];
            let from = thrifty_slot(offer.candidate.from, slots, booking)?.row();
            let paid = offer.candidate.price + booking(from) + self.aliquot(market, site, from);
            let runs = self.runs_at(market, memo, site, offer.span);
            (paid < NEVER).then_some(Main { offer: number, site, from, paid, runs })
        };
        offers.iter().enumerate().filter_map(&mut main).collect()
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
        first.iter().zip(self.lowest_run()).map(|(&first, sites)| sites[site.row()].min(first)).sum()
    }

    /// What all lines cost if those that gain by it were run at any other site, whenever.
    fn at_best_beside(&self, site: SiteIx, first: &[Scaled]) -> Scaled {
        let elsewhere = |sites: &[Scaled]| {
            let others = sites.iter().enumerate().filter(|(other, _)| *other != site.row());
            others.map(|(_, &lowest)| lowest).min().unwrap_or(NEVER)
        };
        first.iter().zip(self.lowest_run()).map(|(&first, sites)| elsewhere(sites).min(first)).sum()
    }

    /// The ways that begin with an offer, booked in in a slot.
    fn split(
        &self,
        market: &Market<'_>,
        memo: &mut Memo,
        (main, offer): (&Main, &Offer),
        splits: &mut Splits,
    ) -> Range<usize> {
        if let Some((_, known)) = splits.tried.iter().find(|(tried, _)| *tried == main.offer) {
            return known.clone();
        }
        let known = splits.known.len();
        let mut way = offer.candidate.way.clone();
        way.book_in_at(market.snapshot, SlotIx::from_row(main.from));
        let wanted =
            |to: SiteIx| to != main.site && self.lines.iter().any(|line| line.open && market.menu.runs(to, line.test));
        for way in aliquoted(market, &way) {
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
            splits.until.clear();
            splits.until.extend(self.lines.iter().map(until));
            if splits.until.iter().any(|&until| until > candidate.from) {
                splits.known.push(Split { candidate, span: memo.span(&splits.until) });
            }
        }
        splits.tried.push((main.offer, known..splits.known.len()));
        known..splits.known.len()
    }

    /// The least cost of the ways that begin with an offer: each line from the container that costs less.
    fn of_splits(
        &mut self,
        market: &Market<'_>,
        memo: &mut Memo,
        otherwise: &[Scaled],
        main: &Main,
        (splits, known): (&mut Splits, Range<usize>),
        least: &mut Least,
    ) {
        for split in known {
            let facts = &splits.known[split];
            let (site, price) = (facts.candidate.way.site, facts.candidate.price);
            if price + self.at_best_at(site, &splits.first) >= least.cost {
                continue;
            }
            let there = self.there_in_two(market, main.site, site);
            let number = self.runs_at(market, memo, site, facts.span);
            memo.work_out_booking(market, site);
            let (runs, bookings) = (memo.runs(number), memo.bookings(site));
            let first = &splits.first;
            let short = |case: &mut Self, second: &[Scaled]| case.second_short(there, otherwise, first, second);
            let mut cost = least.cost - price;
            let slots = facts.candidate.from..runs.until;
            if let Some(from) = self.booking_slot(first, (runs, bookings), slots, &mut cost, short) {
                let picked = Picked { offer: main.offer, from: main.from, second: Some((split, from)) };
                *least = Least { cost: price + cost, picked: Some(picked) };
            }
        }
    }

    /// What there is in two containers, each of which loses something, in microlitres.
    fn there_in_two(&self, market: &Market<'_>, one: SiteIx, other: SiteIx) -> u32 {
        self.there.saturating_sub(self.most_dead(market, one) + self.most_dead(market, other))
    }

    /// What the lack of volume costs when lines are run from the second container for so much, or from the first for
    /// less.
    fn second_short(&mut self, there: u32, otherwise: &[Scaled], first: &[Scaled], second: &[Scaled]) -> Scaled {
        if self.volume() <= there {
            return 0;
        }
        let run: Vec<Scaled> = first.iter().zip(second).map(|(first, second)| *first.min(second)).collect();
        self.short_of_volume(there, &run, otherwise)
    }

    /// What lines cost when the second container is booked in in a slot; given the site of the first, and what each line
    /// costs otherwise or from that.
    pub(super) fn cost_of_split(
        &mut self,
        market: &Market<'_>,
        memo: &mut Memo,
        otherwise: &[Scaled],
        (split, from): (usize, usize),
        (main, first): (SiteIx, &[Scaled]),
    ) -> Scaled {
        let facts = self.splits.get(split);
        let (site, price, span) = (facts.candidate.way.site, facts.candidate.price, facts.span);
        let known = self.runs_at(market, memo, site, span);
        memo.work_out_booking(market, site);
        let second = memo.runs(known).from(from);
        let short = self.second_short(self.there_in_two(market, main, site), otherwise, first, second);
        price + memo.bookings(site).each[from] + or_run(first, second) + short
    }
}

/// What each line costs when it is run from the first container, or not at all.
fn run_first(memo: &Memo, main: &Main, otherwise: &[Scaled], costs: &mut Vec<Scaled>) {
    costs.clear();
    let runs = memo.runs(main.runs);
    costs.extend(otherwise.iter().zip(runs.from(main.from)).map(|(other, run)| *other.min(run)));
}

/// The least that a line costs, given what it costs at each site.
fn lowest(sites: &[Scaled]) -> Scaled {
    sites.iter().copied().min().unwrap_or(NEVER)
}
