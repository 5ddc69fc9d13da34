//! How does a tube get from site to site, and at what price? Couriers in order of time, and second containers.
//!
//! Every chain of couriers counts, however long, and whatever they carry as long as a tube in the state
//! at hand could be among it.

use std::collections::BTreeMap;

use crate::catalogue::Condition;
use crate::certificate::facts::{Event, Facts};
use crate::certificate::sample::bit;
use crate::certificate::tables::Tables;
use crate::certificate::{NEVER, Scaled, scaled};
use crate::snapshot::Snapshot;
use crate::table::{DepartureIx, Ix, SiteIx};
use crate::time::Instant;

/// The sites of two containers, each with the first slot in which it can be booked in there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    pub(super) first: (SiteIx, usize),
    pub(super) second: (SiteIx, usize),
    /// Couriers to the first and booking it in, at the least.
    pub(super) there: Scaled,
    /// The aliquot, couriers to the second and booking it in, at the least.
    pub(super) sent: Scaled,
}

/// Second containers: aliquoted at a site from a slot on, and sent on once that slot has ended.
#[derive(Default)]
struct Splits {
    /// Per origin and site of the aliquot: the number of its rows.
    number: Vec<u32>,
    /// Per number, destination and slot: the aliquot and couriers that it can be booked in after.
    onward: Vec<Scaled>,
}

/// Something about a tube on its way.
#[derive(Clone, Copy)]
enum Ride {
    /// It takes a departure, after another one unless it begins there.
    Boards { departure: usize, by: Option<usize> },
    /// It arrives, for so much, and can be booked in in a slot.
    Arrives { departure: usize, to: usize, slot: usize, price: Scaled },
}

/// All ways between sites by some of the couriers.
#[derive(Default)]
pub(super) struct Travel {
    sites: usize,
    slots: usize,
    /// Per departure: a tube on it.
    legs: Vec<Scaled>,
    /// Per origin, destination and slot: the cheapest couriers that a tube can be booked in after.
    reach: Vec<Scaled>,
    /// As `reach`, by couriers that leave after the first slot.
    onward: Vec<Scaled>,
    /// Per origin and destination: the first slot with couriers in `reach`.
    reached_from: Vec<u16>,
    splits: Splits,
    /// Per origin: the sites, one bit each, to which couriers that leave in the first slot are of use.
    sooner_to: Vec<u64>,
    /// By couriers that leave at any time, or after the first slot; per origin and destination: couriers and booking
    /// in, at the least.
    there: [Vec<Scaled>; 2],
    /// By couriers that leave at any time, or after the first slot; per origin.
    pairs: [Vec<Vec<Pair>>; 2],
}

/// Whether a courier carries something that is not frozen.
fn carries_liquid(snapshot: &Snapshot, departure: DepartureIx) -> bool {
    let carries = &snapshot.network.couriers[snapshot.departures[departure].courier].carries;
    carries.iter().any(|condition| *condition != Condition::Frozen)
}

/// Whether there is a courier that carries nothing but what is frozen.
pub(super) fn has_dry_ice(snapshot: &Snapshot) -> bool {
    snapshot.departures.indices().any(|departure| !carries_liquid(snapshot, departure))
}

impl Travel {
    /// By couriers that carry what is not frozen, or by any. Time: departures × sites × sites at the most.
    pub(super) fn new(tables: &Tables<'_>, frozen: bool) -> Self {
        let facts = tables.facts;
        let sites = || facts.snapshot.network.sites.indices();
        let legs = legs(tables, frozen);
        let mut this = Self { sites: sites().len(), slots: facts.slots, legs, ..Self::default() };
        this.reach = this.gather_reach(facts, at_origin(facts, false));
        let first = |slots: &[Scaled]| slots.partition_point(|&price| price >= NEVER);
        let reached = this.reach.chunks(facts.slots).map(|slots| u16::try_from(first(slots)).unwrap_or(u16::MAX));
        this.reached_from = reached.collect();
        this.onward = this.gather_reach(facts, at_origin(facts, true));
        let sooner = |from: SiteIx, to: SiteIx| this.reach(from, to, false) != this.reach(from, to, true);
        let sooner_to = |from| sites().filter(|&to| sooner(from, to)).fold(0, |sites, to| sites | bit(to));
        this.sooner_to = sites().map(sooner_to).collect();
        this.splits = this.gather_splits(tables);
        this.there = [false, true].map(|later| this.gather_there(tables, later));
        this.pairs = [false, true].map(|later| sites().map(|from| this.gather_pairs(tables, from, later)).collect());
        this
    }

    /// Per slot: the cheapest couriers from a site to another that a tube can be booked in after;
    /// those that leave at any time, or after the first slot.
    pub(super) fn reach(&self, from: SiteIx, to: SiteIx, later: bool) -> &[Scaled] {
        let first = (from.row() * self.sites + to.row()) * self.slots;
        if later { &self.onward[first..first + self.slots] } else { &self.reach[first..first + self.slots] }
    }

    /// The sites, one bit each, that a tube gets to cheaper or sooner when a courier may take it in the first slot.
    pub(super) fn sooner_to(&self, from: SiteIx) -> u64 {
        self.sooner_to[from.row()]
    }

    /// Per origin: the sites, one bit each, that these couriers reach, or reach with a second container, for so much
    /// less than fewer couriers.
    pub(super) fn pays_to(&self, fewer: &Self, less: Scaled) -> Vec<u64> {
        let sites = || (0..self.sites).map(SiteIx::from_row);
        let pays =
            |these: &[Scaled], fewer: &[Scaled]| these.iter().zip(fewer).any(|(these, fewer)| these + less < *fewer);
        let reached = |from, to| {
            [false, true].iter().any(|&later| pays(self.reach(from, to, later), fewer.reach(from, to, later)))
        };
        let sent = |from, to| sites().any(|first| pays(self.split(from, first, to), fewer.split(from, first, to)));
        let to = |from| sites().filter(|&to| reached(from, to) || sent(from, to)).fold(0, |sites, to| sites | bit(to));
        sites().map(to).collect()
    }

    /// Couriers from a site to another and booking in there, at the least.
    pub(super) fn there(&self, from: SiteIx, to: SiteIx, later: bool) -> Scaled {
        self.there[usize::from(later)][from.row() * self.sites + to.row()]
    }

    /// The first slot in which a tube from a site can be booked in at another; beyond the last when in none.
    pub(super) fn first_reached(&self, from: SiteIx, to: SiteIx) -> usize {
        usize::from(self.reached_from[from.row() * self.sites + to.row()])
    }

    /// Every two sites that two containers of a tube from a site can go to, at once or after the
    /// first slot.
    pub(super) fn pairs(&self, from: SiteIx, later: bool) -> &[Pair] {
        &self.pairs[usize::from(later)][from.row()]
    }

    /// Per slot: the cheapest aliquot of a tube from a site at another, with couriers to a third that the second
    /// container can be booked in after.
    pub(super) fn split(&self, from: SiteIx, first: SiteIx, second: SiteIx) -> &[Scaled] {
        let number = self.splits.number[from.row() * self.sites + first.row()] as usize;
        let row = (number * self.sites + second.row()) * self.slots;
        &self.splits.onward[row..row + self.slots]
    }

    /// Per origin, destination and slot: the cheapest couriers that a tube can be booked in after, with
    /// what it costs to be ready at the origin when one leaves.
    fn gather_reach(&self, facts: &Facts<'_>, ready: impl Fn(Instant) -> Scaled) -> Vec<Scaled> {
        let mut reached = vec![NEVER; self.sites * self.sites * self.slots];
        for (origin, reach) in reached.chunks_mut((self.sites * self.slots).max(1)).enumerate() {
            self.reach_from(facts, origin, &ready, reach);
            reach[origin * self.slots..(origin + 1) * self.slots].fill(0);
        }
        reached
    }

    /// The same from one origin, per destination and slot.
    fn reach_from(&self, facts: &Facts<'_>, origin: usize, ready: impl Fn(Instant) -> Scaled, reach: &mut [Scaled]) {
        self.ride(facts, origin, ready, |ride| {
            if let Ride::Arrives { to, slot, price, .. } = ride
                && slot < self.slots
            {
                let cell = &mut reach[to * self.slots + slot];
                *cell = price.min(*cell);
            }
        });
        for reach in reach.chunks_mut(self.slots.max(1)) {
            for slot in 1..reach.len() {
                reach[slot] = reach[slot].min(reach[slot - 1]);
            }
        }
    }

    /// Tells how a tube from one origin gets on at the least price, in order of time.
    fn ride(&self, facts: &Facts<'_>, origin: usize, ready: impl Fn(Instant) -> Scaled, mut tell: impl FnMut(Ride)) {
        // Per site: the price of being there, and the departure that brought the tube.
        let mut there = vec![(NEVER, None); self.sites];
        let mut aboard = vec![NEVER; self.legs.len()];
        for event in &facts.events {
            match *event {
                Event::Leaves { departure, from } => {
                    if from.row() == origin {
                        let leaves = facts.snapshot.departures[DepartureIx::from_row(departure)].leaves;
                        let ready = ready(leaves);
                        if ready < there[origin].0 {
                            there[origin] = (ready, None);
                        }
                    }
                    let (price, by) = there[from.row()];
                    let price = NEVER.min(price + self.legs[departure]);
                    if price < aboard[departure] {
                        aboard[departure] = price;
                        tell(Ride::Boards { departure, by });
                    }
                }
                Event::Arrives { departure, to, slot } => {
                    let (to, price) = (to.row(), aboard[departure]);
                    if price < there[to].0 {
                        there[to] = (price, Some(departure));
                    }
                    tell(Ride::Arrives { departure, to, slot, price });
                }
            }
        }
    }

    /// The couriers of which `reach` has the price.
    pub(super) fn reached_by(
        &self,
        facts: &Facts<'_>,
        (from, to): (SiteIx, SiteIx),
        slot: usize,
        later: bool,
    ) -> Vec<DepartureIx> {
        self.path(facts, (from.row(), to.row()), slot, at_origin(facts, later))
    }

    /// The couriers of a second container that is split off at a site from a slot on.
    pub(super) fn sent_by(
        &self,
        tables: &Tables<'_>,
        (from, to): (SiteIx, SiteIx),
        split_from: usize,
        slot: usize,
    ) -> Vec<DepartureIx> {
        self.path(tables.facts, (from.row(), to.row()), slot, split_off(tables, from, split_from))
    }

    /// The cheapest couriers from a site to another that a tube can be booked in after in a slot.
    fn path(
        &self,
        facts: &Facts<'_>,
        (from, to): (usize, usize),
        slot: usize,
        ready: impl Fn(Instant) -> Scaled,
    ) -> Vec<DepartureIx> {
        let mut before = vec![None; self.legs.len()];
        let mut last = (NEVER, None);
        if from != to {
            self.ride(facts, from, ready, |ride| match ride {
                Ride::Boards { departure, by } => before[departure] = by,
                Ride::Arrives { departure, to: at, slot: arrived, price } => {
                    if at == to && arrived <= slot && price < last.0 {
                        last = (price, Some(departure));
                    }
                }
            });
        }
        let legs = std::iter::successors(last.1, |&departure| before[departure]).take(self.sites);
        legs.map(DepartureIx::from_row).collect()
    }

    /// What becomes of a tube of each site once it can be at another and is aliquoted there.
    fn gather_splits(&self, tables: &Tables<'_>) -> Splits {
        let rows = self.sites * self.slots;
        let mut splits = Splits::default();
        let mut known: BTreeMap<(usize, usize), u32> = BTreeMap::new();
        for (row, &from) in self.reached_from.iter().enumerate() {
            let (first, from) = (row % self.sites, usize::from(from));
            let number = *known.entry((first, from)).or_insert_with(|| {
                let done = splits.onward.len();
                splits.onward.resize(done + rows, NEVER);
                let ready = split_off(tables, SiteIx::from_row(first), from);
                self.reach_from(tables.facts, first, ready, &mut splits.onward[done..]);
                u32::try_from(done / rows).unwrap_or(u32::MAX)
            });
            splits.number.push(number);
        }
        splits
    }

    fn gather_there(&self, tables: &Tables<'_>, later: bool) -> Vec<Scaled> {
        let sites = || (0..self.sites).map(SiteIx::from_row);
        let of = |from| sites().map(move |to| booked(tables, self.reach(from, to, later), to));
        sites().flat_map(of).collect()
    }

    /// Those that cost least come first.
    fn gather_pairs(&self, tables: &Tables<'_>, from: SiteIx, later: bool) -> Vec<Pair> {
        let sites = || (0..self.sites).map(SiteIx::from_row);
        let of = |first| sites().filter_map(move |second| self.pair(tables, from, (first, second), later));
        let mut pairs: Vec<Pair> = sites().flat_map(of).collect();
        pairs.sort_by_key(|pair| pair.there + pair.sent);
        pairs
    }

    fn pair(&self, tables: &Tables<'_>, from: SiteIx, (first, second): (SiteIx, SiteIx), later: bool) -> Option<Pair> {
        let (split, reach) = (self.split(from, first, second), self.reach(from, first, later));
        let (there, sent) = (self.there(from, first, later), booked(tables, split, second));
        let from = |slots: &[Scaled]| slots.partition_point(|&price| price >= NEVER);
        let reached = first != second && sent < NEVER && there < NEVER;
        reached.then(|| Pair { first: (first, from(reach)), second: (second, from(split)), there, sent })
    }
}

/// The least of ways to a site in each slot with booking in there.
fn booked(tables: &Tables<'_>, ways: &[Scaled], at: SiteIx) -> Scaled {
    let each = ways.iter().zip(tables.of_site(&tables.book, at)).map(|(way, book)| way + book);
    each.min().unwrap_or(NEVER)
}

fn legs(tables: &Tables<'_>, frozen: bool) -> Vec<Scaled> {
    let snapshot = tables.facts.snapshot;
    let tube = scaled(snapshot.policy.prices.courier_tube);
    let leg = |departure: DepartureIx| {
        if frozen || carries_liquid(snapshot, departure) {
            NEVER.min(tables.price(snapshot.capacity.courier(departure), 1) + tube)
        } else {
            NEVER
        }
    };
    snapshot.departures.indices().map(leg).collect()
}

/// What it costs to be ready where it stands when a courier leaves, at any time or after the first slot: nothing.
fn at_origin(facts: &Facts<'_>, later: bool) -> impl Fn(Instant) -> Scaled {
    let first_ends = facts.snapshot.grid.end(facts.snapshot.first_slot());
    move |leaves| if later && leaves < first_ends { NEVER } else { 0 }
}

/// The same of a second container: an aliquot that is taken at a site from a slot on, the slot ended.
fn split_off<'t>(tables: &'t Tables<'_>, site: SiteIx, from: usize) -> impl Fn(Instant) -> Scaled + 't {
    let least = |least: &mut Scaled, (slot, &price): (usize, &Scaled)| {
        *least = if slot < from { *least } else { price.min(*least) };
        Some(*least)
    };
    let by: Vec<Scaled> = tables.aliquot(site).iter().enumerate().scan(NEVER, least).collect();
    let ended = |leaves| tables.facts.snapshot.grid.ended_by(leaves);
    move |leaves| ended(leaves).checked_sub(1).map_or(NEVER, |last| by[last])
}
