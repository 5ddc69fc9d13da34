//! Where could a sample go, handled how? Ways up to the booking in, on what is left.
//!
//! A sample is kept as it is or refrigerated, spun first if its lines need that, and stays or takes
//! a courier: the first that it can, or a later one that costs less than all before it.

use labtriage_core::catalogue::{Phase, State};
use labtriage_core::certificate::Scaled;
use labtriage_core::cost::step_cost;
use labtriage_core::table::{Ix, SampleIx, SiteIx, SlotIx};
use labtriage_core::viability::{Clock, Stay};

use super::market::{Market, NEVER, scaled};
use crate::routes::{Itinerary, Routes};
use crate::uses;
use crate::way::Way;

/// A way up to the booking in.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) way: Way,
    /// The first slot in which it can be booked in.
    pub(super) from: usize,
    /// Its steps and what they use.
    pub(super) price: Scaled,
    /// Which preparation: the same number means the same storage.
    pub(super) preparation: usize,
}

/// How a sample is prepared where it stands.
#[derive(Clone, Debug)]
pub(super) struct Preparation {
    pub(super) way: Way,
    /// Still to be spun, on arrival.
    pub(super) spin_there: bool,
}

/// How many slots count as near: nothing is kept unspun for long.
const SLOTS_NEAR: usize = 8;

/// Slots in which a step may be done, at the most.
const SLOTS_MAX: usize = 6;

/// The slot with room that costs least among the first and those near to it.
pub(super) fn thrifty_slot(from: usize, slots: usize, price: impl Fn(usize) -> Scaled) -> Option<SlotIx> {
    let first = (from..slots).find(|&slot| price(slot) < NEVER)?;
    let near = first..slots.min(first + SLOTS_NEAR);
    near.min_by_key(|&slot| (price(slot), slot)).map(SlotIx::from_row)
}

/// Ways of doing a step that takes a slot: as soon as there is room, and in each later slot that costs
/// clearly less than all before it. `step` is given where room is.
fn stepped<'m>(
    way: &'m Way,
    slots: usize,
    price: impl Fn(usize) -> Scaled + 'm,
    step: impl Fn(&mut Way, &dyn Fn(SlotIx) -> Option<SlotIx>) -> Option<()> + 'm,
) -> impl Iterator<Item = Way> + 'm {
    let mut next = Some((way.slot.row(), NEVER));
    let once = move || {
        let (from, dearest) = next.take()?;
        let mut way = way.clone();
        let cheaper = |first: SlotIx| (first.row().max(from)..slots).find(|&slot| price(slot) < dearest);
        step(&mut way, &|first| cheaper(first).map(SlotIx::from_row))?;
        let paid = price(way.slot.row());
        next = (paid > 0).then_some((way.slot.row() + 1, paid / 4 * 3));
        Some(way)
    };
    std::iter::from_fn(once).take(SLOTS_MAX)
}

/// Centrifuged where it is.
fn spun<'m>(market: &'m Market<'_>, way: &'m Way) -> impl Iterator<Item = Way> + 'm {
    let (snapshot, site) = (market.snapshot, way.site);
    let price = move |slot| market.price(snapshot.capacity.centrifuge(site, SlotIx::from_row(slot)), 1);
    stepped(way, snapshot.grid.len(), price, |way, room| way.spin_where(snapshot, room))
}

/// Split where it is; what follows is about the second container.
pub(super) fn aliquoted<'m>(market: &'m Market<'_>, way: &'m Way) -> impl Iterator<Item = Way> + 'm {
    let (snapshot, site) = (market.snapshot, way.site);
    let price = move |slot| market.price(snapshot.capacity.aliquoting(site, SlotIx::from_row(slot)), 1);
    stepped(way, snapshot.grid.len(), price, |way, room| way.aliquot_where(snapshot, room))
}

fn refrigerated(market: &Market<'_>, way: &Way) -> Option<Way> {
    let mut way = way.clone();
    way.refrigerate(market.snapshot)?;
    Some(way)
}

/// Frozen where it stands, to be thawed for its runs.
pub(super) fn frozen(market: &Market<'_>, way: &Way) -> Option<Way> {
    let (snapshot, site) = (market.snapshot, way.site);
    let slots = snapshot.grid.len();
    let price = |slot| market.price(snapshot.capacity.aliquoting(site, SlotIx::from_row(slot)), 1);
    let mut way = way.clone();
    if market.price(snapshot.capacity.freezer(site), 1) >= NEVER || way.state() == State::SeparatedFrozen {
        return None;
    }
    way.freeze_where(snapshot, |from| thrifty_slot(from.row(), slots, price))?;
    Some(way)
}

/// Every way of keeping a sample where it stands: as it is, and spun if `spins`, each also refrigerated.
pub(super) fn preparations(market: &Market<'_>, sample: SampleIx, unspun: bool, spins: bool) -> Vec<Preparation> {
    let start = Way::start(market.snapshot, sample);
    let mut found = Vec::with_capacity(4);
    let mut add = |way: &Way, spin_there: bool| {
        let cold = refrigerated(market, way);
        found.push(Preparation { way: way.clone(), spin_there });
        found.extend(cold.map(|way| Preparation { way, spin_there }));
    };
    if unspun || start.separated() {
        add(&start, false);
    }
    if spins && !start.separated() {
        spun(market, &start).for_each(|way| add(&way, false));
        add(&start, true);
    }
    found
}

/// Where a prepared sample can be booked in: where it stands, and at every site that a courier reaches.
pub(super) fn candidates(
    market: &Market<'_>,
    routes: &Routes,
    prepared: &Preparation,
    preparation: usize,
    wanted: impl Fn(SiteIx) -> bool,
    found: &mut Vec<Candidate>,
) {
    let site = prepared.way.site;
    if wanted(site) && !prepared.spin_there {
        found.extend(arrived(market, prepared.way.clone(), preparation));
    }
    for &to in routes.destinations(site).iter().filter(|&&to| wanted(to)) {
        for itinerary in couriers(market, &prepared.way, routes.between(site, to)) {
            let mut way = prepared.way.clone();
            way.ride(market.snapshot, itinerary);
            if prepared.spin_there {
                found.extend(spun(market, &way).filter_map(|way| arrived(market, way, preparation)));
            } else {
                found.extend(arrived(market, way, preparation));
            }
        }
    }
}

/// The first itinerary with room, and each later one that costs less than all before it.
fn couriers<'r>(market: &'r Market<'_>, way: &'r Way, between: &'r [Itinerary]) -> impl Iterator<Item = &'r Itinerary> {
    let price = |itinerary: &Itinerary| -> Scaled {
        itinerary.legs().map(|leg| market.price(market.snapshot.capacity.courier(leg), 1)).sum()
    };
    let mut least = NEVER;
    between
        .iter()
        .filter(|itinerary| way.reaches(itinerary))
        .map_while(move |itinerary| {
            // Nothing costs less than nothing.
            let price = if least > 0 { price(itinerary) } else { return None };
            let cheaper = price < least;
            least = least.min(price);
            Some(cheaper.then_some(itinerary))
        })
        .flatten()
}

/// A way that is at its site, with the first slot in which it can be booked in.
pub(super) fn arrived(market: &Market<'_>, way: Way, preparation: usize) -> Option<Candidate> {
    let from = market.menu.first_booking(market.snapshot, &way)?;
    let price = price_of(market, &way);
    (price < NEVER).then_some(Candidate { way, from, price, preparation })
}

/// What the steps of a way cost, with their uses at their prices.
pub(super) fn price_of(market: &Market<'_>, way: &Way) -> Scaled {
    let snapshot = market.snapshot;
    let mut price: Scaled = way.steps().iter().map(|&step| scaled(step_cost(snapshot, step))).sum();
    uses::of_steps(snapshot, way.sample, way.steps(), &mut |cell, amount| price += market.price(cell, amount));
    price
}

/// Until which slot a line can be run on a tube kept like this, from the first.
pub(super) fn runs_until(market: &Market<'_>, line: labtriage_core::table::LineIx, stays: &[Stay]) -> usize {
    let snapshot = market.snapshot;
    let Some(state) = stays.last().map(|stay| stay.state) else { return 0 };
    let run_in = snapshot.catalogue.tests[snapshot.backlog.lines[line].test].run_in;
    let takes = match run_in {
        Phase::Primary => state.phase() == Phase::Primary,
        Phase::Separated => state.phase() == Phase::Separated && state != State::SeparatedFrozen,
    };
    if !takes {
        return 0;
    }
    if snapshot.overrides.caution(line).is_some() {
        return snapshot.grid.len();
    }
    match snapshot.clock_in(line, stays) {
        Clock::Until(closes) if closes >= snapshot.now && !snapshot.excludes(line) => {
            market.menu.ended_by(i64::from(closes.since(snapshot.now).get()))
        }
        _ => 0,
    }
}
