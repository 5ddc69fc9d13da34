//! Which offer of a sample costs least, and what would a new tube cost?
//!
//! Whoever is booked in later runs nothing sooner: of the slots from the first on, only those count in which
//! booking in costs less than in all before.

use std::ops::Range;

use labtriage_core::certificate::Scaled;
use labtriage_core::table::{Ix, SiteIx};

use super::market::{Market, NEVER};
use super::memo::{Bookings, Memo, RunsAt};
use super::offers::Offer;
use super::problem::VisitDay;
use super::sample::{LineCase, SampleCase};

/// Which offer, booked in in which slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Picked {
    pub(super) offer: usize,
    pub(super) from: usize,
    /// A second container: its way, and the slot in which that is booked in.
    pub(super) second: Option<(usize, usize)>,
}

/// The least cost found, and where the sample goes for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Least {
    pub(super) cost: Scaled,
    pub(super) picked: Option<Picked>,
}

/// A new tube: which arrival of its day, booked in in this slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Anew {
    pub(super) arrival: usize,
    pub(super) from: usize,
}

/// What all lines cost, each otherwise or run.
pub(super) fn or_run(otherwise: &[Scaled], run: &[Scaled]) -> Scaled {
    otherwise.iter().zip(run).map(|(other, run)| *other.min(run)).sum()
}

impl SampleCase {
    /// The least cost of its lines when each may also be left out at its price in `otherwise`, if that is below a
    /// limit; otherwise the limit.
    pub(super) fn least(&mut self, market: &Market<'_>, otherwise: &[Scaled], limit: Scaled) -> Least {
        let mut least = Least { cost: otherwise.iter().sum::<Scaled>().min(limit), picked: None };
        let (offers, mut memo) = (std::mem::take(&mut self.offers), std::mem::take(&mut self.memo));
        for (number, offer) in offers.iter().enumerate() {
            self.of_offer(market, &mut memo, otherwise, (number, offer), &mut least);
        }
        self.in_two(market, &mut memo, otherwise, &offers, &mut least);
        (self.offers, self.memo) = (offers, memo);
        least
    }

    /// The least cost of its lines when each may also be left out, its patient recalled.
    pub(super) fn alone(&mut self, market: &Market<'_>) -> Least {
        if let Some(alone) = self.alone {
            return alone;
        }
        let otherwise: Vec<Scaled> = self.lines.iter().map(|line| line.left_out).collect();
        let alone = self.least(market, &otherwise, NEVER);
        self.alone = Some(alone);
        alone
    }

    /// What its lines cost when they are run where the least of them at other prices was found.
    pub(super) fn cost_of(&mut self, market: &Market<'_>, otherwise: &[Scaled], picked: Option<Picked>) -> Scaled {
        let Some(Picked { offer, from, second }) = picked else { return otherwise.iter().sum() };
        let (offers, mut memo) = (std::mem::take(&mut self.offers), std::mem::take(&mut self.memo));
        let offer = &offers[offer];
        let site = offer.candidate.way.site;
        let known = self.runs_at(market, &mut memo, site, offer.span);
        memo.work_out_booking(market, site);
        let first = memo.runs(known).from(offer.thawed.unwrap_or(from));
        let cost = match second {
            None => {
                let booked = if offer.booked { 0 } else { memo.bookings(site).each[from] };
                let short = self.first_short(market, otherwise, first, site);
                offer.candidate.price + booked + or_run(otherwise, first) + short
            }
            Some((split, from)) => {
                let each: Vec<Scaled> = otherwise.iter().zip(first).map(|(other, run)| *other.min(run)).collect();
                self.cost_of_split(market, &mut memo, otherwise, (split, from), (site, &each))
            }
        };
        (self.offers, self.memo) = (offers, memo);
        cost
    }

    /// What lines cost at a site, each in its span.
    pub(super) fn runs_at(&self, market: &Market<'_>, memo: &mut Memo, site: SiteIx, span: usize) -> usize {
        memo.work_out((site, span), |row| self.tested(market, row, site))
    }

    fn of_offer(
        &mut self,
        market: &Market<'_>,
        memo: &mut Memo,
        otherwise: &[Scaled],
        (number, offer): (usize, &Offer),
        least: &mut Least,
    ) {
        let (site, price) = (offer.candidate.way.site, offer.candidate.price);
        if price + self.at_best(site, otherwise) >= least.cost {
            return;
        }
        let first = offer.thawed.unwrap_or(offer.candidate.from);
        let known = self.runs_at(market, memo, site, offer.span);
        memo.work_out_booking(market, site);
        let (runs, bookings) = (memo.runs(known), memo.bookings(site));
        if runs.until <= first {
            return;
        }
        if offer.booked || offer.thawed.is_some() {
            // It is run from that slot on, and booked in before.
            let slots = offer.candidate.from..=first;
            let booked = slots.map(|slot| (bookings.each[slot], slot)).min().filter(|_| !offer.booked);
            let (booked, from) = booked.unwrap_or((0, first));
            let total = price + booked + or_run(otherwise, runs.from(first));
            let short =
                if total < least.cost { self.first_short(market, otherwise, runs.from(first), site) } else { 0 };
            if total + short < least.cost {
                *least = Least { cost: total + short, picked: Some(Picked { offer: number, from, second: None }) };
            }
            return;
        }
        let mut cost = least.cost - price;
        let short = |case: &mut Self, run: &[Scaled]| case.first_short(market, otherwise, run, site);
        if let Some(from) = self.booking_slot(otherwise, (runs, bookings), first..runs.until, &mut cost, short) {
            *least = Least { cost: price + cost, picked: Some(Picked { offer: number, from, second: None }) };
        }
    }

    /// The slot in which booking in makes lines cost less than they do so far, if any does; `short` says what the lack
    /// of volume costs when lines are run for so much.
    pub(super) fn booking_slot(
        &mut self,
        otherwise: &[Scaled],
        (runs, bookings): (RunsAt<'_>, Bookings<'_>),
        slots: Range<usize>,
        least: &mut Scaled,
        short: impl Fn(&mut Self, &[Scaled]) -> Scaled,
    ) -> Option<usize> {
        let (mut cheapest, mut found) = (NEVER, None);
        for slot in slots.clone() {
            let booked = bookings.each[slot];
            if booked >= cheapest {
                continue;
            }
            cheapest = booked;
            let run = or_run(otherwise, runs.from(slot));
            // Later nothing costs less.
            if bookings.least + run >= *least {
                break;
            }
            let mut total = booked + run;
            if total < *least {
                total += short(self, runs.from(slot));
            }
            if total < *least {
                (*least, found) = (total, Some(slot));
            }
            if booked <= bookings.least {
                break;
            }
        }
        // Of equals the latest, as it hinders nobody.
        let same = |slot: &usize| bookings.each[*slot] + or_run(otherwise, runs.from(*slot)) == *least;
        found.map(|soonest| (soonest + 1..slots.end).rev().find(same).unwrap_or(soonest))
    }

    /// What its lines cost at the least at a site, each run whenever it likes or left out at its price.
    fn at_best(&self, site: SiteIx, otherwise: &[Scaled]) -> Scaled {
        otherwise.iter().zip(self.lowest_run()).map(|(&otherwise, sites)| sites[site.row()].min(otherwise)).sum()
    }

    /// What the lack of volume costs when lines are run at a site for so much.
    fn first_short(&mut self, market: &Market<'_>, otherwise: &[Scaled], run: &[Scaled], site: SiteIx) -> Scaled {
        if !self.scant {
            return 0;
        }
        let there = self.there.saturating_sub(self.dead(market, site));
        self.short_of_volume(there, run, otherwise)
    }

    /// What it costs to leave out those lines for which there is too little volume: those first that
    /// gain least for what they take.
    pub(super) fn short_of_volume(&mut self, there: u32, run: &[Scaled], otherwise: &[Scaled]) -> Scaled {
        self.order.clear();
        for (row, line) in self.lines.iter().enumerate().filter(|(row, _)| run[*row] < otherwise[*row]) {
            let loss = otherwise[row] - run[row];
            self.order.push((loss / Scaled::from(line.volume.max(1)), loss, line.volume, row));
        }
        self.order.sort_unstable_by(|a, b| b.cmp(a));
        let (mut left, mut lost) = (there, 0);
        for &(_, loss, volume, _) in &self.order {
            match left.checked_sub(volume) {
                Some(rest) => left = rest,
                None => lost += loss,
            }
        }
        lost
    }

    /// Per slot: what all lines cost when they may be run at a site from that slot on, each until a slot of its own
    /// and given with what it costs otherwise.
    fn totals(
        &self,
        market: &Market<'_>,
        (site, slots): (SiteIx, Range<usize>),
        each: impl Iterator<Item = (Scaled, usize)>,
        totals: &mut Vec<Scaled>,
    ) {
        totals.clear();
        totals.resize(slots.len(), 0);
        let mut base = 0;
        for (row, (otherwise, until)) in each.enumerate() {
            base += otherwise;
            let Some(tested) = self.tested(market, row, site).get(slots.start..until) else { continue };
            let mut best = otherwise;
            for (total, tested) in totals.iter_mut().zip(tested).rev() {
                best = best.min(*tested);
                *total += best - otherwise;
            }
        }
        totals.iter_mut().for_each(|total| *total += base);
    }

    /// The least cost of re-testing the wanted lines from one new tube of a day.
    pub(super) fn anew(
        &mut self,
        market: &Market<'_>,
        day: &VisitDay,
        otherwise: &[Scaled],
        wanted: impl Fn(&LineCase) -> bool,
    ) -> (Scaled, Option<Anew>) {
        let mut least = (NEVER, None);
        let mut totals = std::mem::take(&mut self.totals);
        for (arrival, tube) in day.arrivals.iter().enumerate() {
            let until = |line: &LineCase| day.until(arrival, line.test, line.specimen);
            let last = self.lines.iter().map(until).max().unwrap_or(0);
            if last <= tube.from {
                continue;
            }
            // Who is not wanted costs nothing and is not run.
            let each = |(line, &otherwise): (&LineCase, &Scaled)| {
                if wanted(line) { (otherwise, until(line)) } else { (0, 0) }
            };
            let each = self.lines.iter().zip(otherwise).map(each);
            self.totals(market, (tube.site, tube.from..last), each, &mut totals);
            for (from, &total) in (tube.from..last).zip(&totals).rev() {
                if total < least.0 {
                    let total = total + market.booking(tube.site, from);
                    if total < least.0 {
                        least = (total, Some(Anew { arrival, from }));
                    }
                }
            }
        }
        self.totals = totals;
        least
    }

    /// The least cost of re-testing each line on a day, whatever the others do and without booking in.
    pub(super) fn each_anew(&self, market: &Market<'_>, day: &VisitDay, least: &mut [Scaled]) {
        for (arrival, tube) in day.arrivals.iter().enumerate() {
            for (row, line) in self.lines.iter().enumerate() {
                let until = day.until(arrival, line.test, line.specimen);
                if let Some(slots) = self.tested(market, row, tube.site).get(tube.from..until) {
                    least[row] = slots.iter().copied().min().unwrap_or(NEVER).min(least[row]);
                }
            }
        }
    }
}
