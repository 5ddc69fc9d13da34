//! Where could a sample go, handled how? Ways up to the booking in, on what is left.
//!
//! A sample is kept as it is or refrigerated, spun first if its lines need that, and stays or takes
//! a courier: the first that it can, or a later one that costs less than all before it.

use labtriage_core::catalogue::{Phase, State};
use labtriage_core::certificate::Scaled;
use labtriage_core::cost::step_cost;
use labtriage_core::table::{Ix, SampleIx, SiteIx, SlotIx};
use labtriage_core::time::Instant;
use labtriage_core::viability::Stay;

use super::market::{Market, NEVER, scaled};
use crate::routes::{Itinerary, Routes};
use crate::uses;
use crate::way::{Way, cut_off_day};

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

/// The first slot with room, or, of those that are near to it, the one that costs least.
fn slot_with_room(from: usize, slots: usize, thrifty: bool, price: impl Fn(usize) -> Scaled) -> Option<SlotIx> {
    let first = (from..slots).find(|&slot| price(slot) < NEVER)?;
    if !thrifty {
        return Some(SlotIx::from_row(first));
    }
    let near = first..slots.min(first + SLOTS_NEAR);
    near.min_by_key(|&slot| (price(slot), slot)).map(SlotIx::from_row)
}

/// How many slots count as near: nothing is kept unspun for long.
const SLOTS_NEAR: usize = 8;

/// Centrifuged where it is, as soon as there is room or as cheaply as there is near to that.
fn spun(market: &Market<'_>, mut way: Way, thrifty: bool) -> Option<Way> {
    let (snapshot, site) = (market.snapshot, way.site);
    let slots = snapshot.grid.len();
    let price = |slot| market.price(snapshot.capacity.centrifuge(site, SlotIx::from_row(slot)), 1);
    way.spin_where(snapshot, |from| slot_with_room(from.row(), slots, thrifty, price))?;
    Some(way)
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
    way.freeze_where(snapshot, |from| slot_with_room(from.row(), slots, true, price))?;
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
        let first = spun(market, start.clone(), false);
        let thrifty =
            spun(market, start.clone(), true).filter(|way| Some(way.slot) != first.as_ref().map(|way| way.slot));
        for way in [first, thrifty].into_iter().flatten() {
            add(&way, false);
        }
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
            let way = if prepared.spin_there { spun(market, way, false) } else { Some(way) };
            found.extend(way.and_then(|way| arrived(market, way, preparation)));
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
    let from = first_booking(market, &way)?;
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

/// The first slot in which a tube on its way can be booked in where it is.
pub(super) fn first_booking(market: &Market<'_>, way: &Way) -> Option<usize> {
    let snapshot = market.snapshot;
    let first_day = cut_off_day(snapshot, way.site, way.earliest(), way.by_courier());
    let from = snapshot.grid.slot_at(way.earliest())?.max(way.slot).row();
    (from..snapshot.grid.len()).find(|&slot| snapshot.grid.day(SlotIx::from_row(slot)) >= first_day)
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
    if !takes || !snapshot.viable(line, stays, snapshot.now) {
        return 0;
    }
    let closes = snapshot.clock_in(line, stays).closes().unwrap_or(Instant::FAR);
    market.menu.ended_by(i64::from(closes.since(snapshot.now).get()))
}
