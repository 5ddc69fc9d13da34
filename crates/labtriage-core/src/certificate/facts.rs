//! What about a snapshot do prices not change? Who runs what and when, which events couriers make, and
//! when recalled patients can be bled.

use crate::certificate::travel::has_dry_ice;
use crate::certificate::window::Reachable;
use crate::snapshot::Snapshot;
use crate::table::{AnalyserIx, CalendarIx, CollectionPointIx, Ix, SiteIx, SlotIx, SpecimenIx, TestIx};
use crate::time::{Day, Instant};
use crate::viability::fresh_clock;

/// A new tube that a collection point delivers: where, when, and from which slot on it can be booked in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    pub(super) site: SiteIx,
    arrives: Instant,
    pub(super) from: usize,
}

/// What a collection point can do on a day of the horizon.
#[derive(Clone, Debug)]
pub(super) struct VisitDay {
    pub(super) day: Day,
    pub(super) arrivals: Vec<Arrival>,
    /// Per arrival and pair of test and specimen: until which slot a test can be run on it.
    until: Vec<Vec<u16>>,
}

impl VisitDay {
    /// Until which slot a test can be run on a new tube, from the first.
    pub(super) fn until(&self, arrival: usize, pair: u32) -> usize {
        usize::from(self.until[arrival][pair as usize])
    }
}

/// What does not change with prices: who runs what and when, and which events couriers make.
pub struct Facts<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) reachable: Reachable,
    /// A courier carries nothing but what is frozen.
    pub(super) dry_ice: bool,
    pub(super) slots: usize,
    /// Minutes from now to the end of each slot.
    pub(super) minutes: Vec<i64>,
    /// Analysers by site and test, with the calendar of the test's run days.
    menu: Vec<Vec<(AnalyserIx, Option<CalendarIx>)>>,
    open: Vec<Vec<bool>>,
    /// Departures and arrivals in order of time.
    pub(super) events: Vec<Event>,
    /// Per test and specimen: the number of the pair, for those that the catalogue has.
    pairs: Vec<u32>,
    /// Per collection point: the days on which it may see a recalled patient.
    pub(super) visit_days: Vec<Vec<VisitDay>>,
    /// Per site and test: what the least wasteful analyser loses, in microlitres.
    dead: Vec<u32>,
    /// Per test: the least of these where it is run.
    dead_anywhere: Vec<u32>,
}

/// Something about a courier's departure.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    Leaves { departure: usize, from: SiteIx },
    Arrives { departure: usize, to: SiteIx, slot: usize },
}

impl<'a> Facts<'a> {
    /// Everything about a snapshot that prices do not change.
    pub fn new(snapshot: &'a Snapshot) -> Self {
        let (network, grid) = (&snapshot.network, &snapshot.grid);
        let tests = snapshot.catalogue.tests.len();
        let mut menu = vec![Vec::new(); network.sites.len() * tests];
        for (analyser, facts) in network.analysers.enumerate() {
            for &(test, run_days) in &facts.menu {
                menu[facts.site.row() * tests + test.row()].push((analyser, run_days));
            }
        }
        let opens = |calendar: &crate::calendar::Calendar| {
            let open = |slot| calendar.open_between(network.zone, grid.start(slot), grid.end(slot)).get() > 0;
            grid.slots().map(open).collect()
        };
        let dead = |analysers: &Vec<(AnalyserIx, Option<CalendarIx>)>| {
            let loses = analysers.iter().map(|(analyser, _)| network.analysers[*analyser].dead_volume.get());
            loses.min().unwrap_or(0)
        };
        let (pairs, known) = pairs(snapshot);
        let visit_days = |point| visit_days(snapshot, point, &known);
        let dead: Vec<u32> = menu.iter().map(dead).collect();
        let run_at = |test: usize| (test..menu.len()).step_by(tests.max(1)).filter(|&row| !menu[row].is_empty());
        let dead_anywhere = |test| run_at(test).map(|row| dead[row]).min().unwrap_or(0);
        Self {
            dead_anywhere: (0..tests).map(dead_anywhere).collect(),
            dead,
            pairs,
            visit_days: network.collection_points.indices().map(visit_days).collect(),
            snapshot,
            reachable: Reachable::new(snapshot),
            dry_ice: has_dry_ice(snapshot),
            slots: grid.len(),
            minutes: grid.slots().map(|slot| i64::from(grid.end(slot).since(snapshot.now).get())).collect(),
            menu,
            open: network.calendars.iter().map(opens).collect(),
            events: events(snapshot),
        }
    }

    /// The number of a pair of test and specimen that the catalogue has.
    pub(super) fn pair(&self, test: TestIx, specimen: SpecimenIx) -> u32 {
        self.pairs[test.row() * self.snapshot.catalogue.specimens.len() + specimen.row()]
    }

    /// What at least is lost when a test is run wherever it can be, in microlitres.
    pub(super) fn dead_anywhere(&self, test: TestIx) -> u32 {
        self.dead_anywhere[test.row()]
    }

    /// What at least is lost when a test is run at a site, in microlitres.
    pub(super) fn dead(&self, site: SiteIx, test: TestIx) -> u32 {
        self.dead[site.row() * self.snapshot.catalogue.tests.len() + test.row()]
    }

    /// The analysers of a site that run a test, each with the calendar of its run days.
    pub(super) fn analysers(&self, site: SiteIx, test: TestIx) -> &[(AnalyserIx, Option<CalendarIx>)] {
        &self.menu[site.row() * self.snapshot.catalogue.tests.len() + test.row()]
    }

    /// Whether a site has an analyser for a test.
    pub(super) fn runs(&self, site: SiteIx, test: TestIx) -> bool {
        !self.analysers(site, test).is_empty()
    }

    /// Whether an analyser runs a test in a slot.
    pub(super) fn works(&self, analyser: AnalyserIx, run_days: Option<CalendarIx>, slot: usize) -> bool {
        let calendar = self.snapshot.network.analysers[analyser].calendar;
        self.open[calendar.row()][slot] && run_days.is_none_or(|days| self.open[days.row()][slot])
    }
}

/// The first slot in which a tube that arrives at a site then can be booked in; beyond the last when none.
fn booked_from(snapshot: &Snapshot, site: SiteIx, arrives: Instant) -> usize {
    let grid = &snapshot.grid;
    let (zone, day) = (snapshot.network.zone, snapshot.network.zone.day(arrives));
    let partner = snapshot.network.sites[site].partner.as_ref();
    let late = partner.is_some_and(|partner| zone.minute_of_day(arrives) > partner.cut_off);
    let from = grid.slot_at(arrives).map_or(grid.len(), Ix::row);
    if late {
        (from..grid.len()).find(|&slot| grid.day(SlotIx::from_row(slot)) > day).unwrap_or(grid.len())
    } else {
        from
    }
}

fn events(snapshot: &Snapshot) -> Vec<Event> {
    let mut events = Vec::with_capacity(snapshot.departures.len() * 2);
    for (departure, facts) in snapshot.departures.enumerate() {
        let courier = &snapshot.network.couriers[facts.courier];
        let slot = booked_from(snapshot, courier.to, facts.arrives);
        let row = departure.row();
        events.push((facts.arrives, 0, row, Event::Arrives { departure: row, to: courier.to, slot }));
        events.push((facts.leaves, 1, row, Event::Leaves { departure: row, from: courier.from }));
        // A courier that takes no time arrives after it left, and may be changed from at once.
        if facts.arrives <= facts.leaves {
            for round in 0..snapshot.network.sites.len() {
                events.push((
                    facts.leaves,
                    2 + 2 * round,
                    row,
                    Event::Arrives { departure: row, to: courier.to, slot },
                ));
                events.push((facts.leaves, 3 + 2 * round, row, Event::Leaves { departure: row, from: courier.from }));
            }
        }
    }
    events.sort_by_key(|&(time, order, row, _)| (time, order, row));
    events.into_iter().map(|(.., event)| event).collect()
}

/// Every test on each of its specimens, numbered; and the pairs in order of their number. A pair
/// that the catalogue does not have is numbered as the last, which nothing can be run on.
fn pairs(snapshot: &Snapshot) -> (Vec<u32>, Vec<(TestIx, SpecimenIx)>) {
    let catalogue = &snapshot.catalogue;
    let mut known = Vec::new();
    for line in snapshot.backlog.lines.iter() {
        known.push((line.test, snapshot.backlog.samples[line.sample].specimen));
        // Few pairs, many lines: sorted out now and then.
        if known.len() > 100_000 {
            known.sort_unstable();
            known.dedup();
        }
    }
    known.sort_unstable();
    known.dedup();
    let mut numbers = vec![0; catalogue.tests.len() * catalogue.specimens.len()];
    for (number, (test, specimen)) in known.iter().enumerate() {
        numbers[test.row() * catalogue.specimens.len() + specimen.row()] = u32::try_from(number).unwrap_or(0);
    }
    (numbers, known)
}

fn visit_days(snapshot: &Snapshot, point: CollectionPointIx, pairs: &[(TestIx, SpecimenIx)]) -> Vec<VisitDay> {
    let zone = snapshot.network.zone;
    let facts = &snapshot.network.collection_points[point];
    let calendar = &snapshot.network.calendars[facts.calendar];
    let days =
        (0..snapshot.grid.day_count()).map(|n| snapshot.grid.first_day().plus_days(i32::try_from(n).unwrap_or(0)));
    let on = |day: Day| {
        let arrivals = facts.delivers.iter().map(|delivery| {
            let arrives = zone.at(day, delivery.arrives);
            let from = booked_from(snapshot, delivery.site, arrives);
            let of_day = (0..snapshot.grid.len()).find(|&slot| snapshot.grid.day(SlotIx::from_row(slot)) >= day);
            Arrival { site: delivery.site, arrives, from: from.max(of_day.unwrap_or(snapshot.grid.len())) }
        });
        let arrivals: Vec<Arrival> = arrivals.collect();
        let opens = zone.at(day, facts.opens);
        let until =
            |tube: &Arrival| pairs.iter().map(|&pair| fresh_until(snapshot, pair, opens, tube.arrives)).collect();
        VisitDay { day, until: arrivals.iter().map(until).collect(), arrivals }
    };
    days.filter(|&day| day >= snapshot.first_visit[point] && calendar.opens_on(day)).map(on).collect()
}

fn fresh_until(snapshot: &Snapshot, (test, specimen): (TestIx, SpecimenIx), opens: Instant, arrives: Instant) -> u16 {
    let run_in = snapshot.catalogue.tests[test].run_in;
    let limits = snapshot.limits.get(test, specimen);
    let clock = fresh_clock(limits, run_in, opens, arrives, snapshot.policy.safety_margin);
    let until = clock.closes().map_or(0, |closes| snapshot.grid.ended_by(closes));
    u16::try_from(until).unwrap_or(u16::MAX)
}
