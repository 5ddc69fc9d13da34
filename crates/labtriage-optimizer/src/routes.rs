//! Where can a tube go, and when does it arrive? The courier network, laid out in time.
//!
//! Sites and couriers form a graph; every simple path of at most two couriers between two sites is
//! followed through the timetable: each departure of the first courier, and the first departure of
//! the second that it reaches.

use labtriage_core::capacity::Departure;
use labtriage_core::catalogue::Condition;
use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::{CourierIx, DepartureIx, Ix, SiteIx};
use labtriage_core::time::Instant;
use petgraph::algo::all_simple_paths;
use petgraph::graph::{DiGraph, NodeIndex};

/// The most couriers a tube changes through.
const LEGS_MAX: usize = 2;

/// One way to get from a site to another: one or two departures.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Itinerary {
    /// When the first courier leaves.
    pub leaves: Instant,
    /// When the last courier arrives.
    pub arrives: Instant,
    first: DepartureIx,
    second: Option<DepartureIx>,
    carries: u8,
}

impl Itinerary {
    /// The departures in order.
    pub fn legs(&self) -> impl Iterator<Item = DepartureIx> + use<> {
        [Some(self.first), self.second].into_iter().flatten()
    }

    /// Whether every courier on the way carries tubes kept in this condition.
    pub fn carries(&self, condition: Condition) -> bool {
        self.carries & (1 << condition as u8) != 0
    }
}

/// All itineraries between all sites, in order of arrival.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Routes {
    sites: usize,
    itineraries: Vec<Vec<Itinerary>>,
    destinations: Vec<Vec<SiteIx>>,
    by_dry_ice: Vec<Vec<SiteIx>>,
}

impl Routes {
    /// The itineraries of a snapshot's couriers within its horizon.
    ///
    /// Complexity: paths of at most two couriers between each pair of sites × departures.
    pub fn new(snapshot: &Snapshot) -> Self {
        let network = &snapshot.network;
        let sites = network.sites.len();
        let timetable = Timetable::new(snapshot);
        let mut graph = DiGraph::<SiteIx, CourierIx>::new();
        let nodes: Vec<NodeIndex> = network.sites.indices().map(|site| graph.add_node(site)).collect();
        for (courier, facts) in network.couriers.enumerate() {
            graph.add_edge(nodes[facts.from.row()], nodes[facts.to.row()], courier);
        }
        let mut itineraries = vec![Vec::new(); sites * sites];
        for (from, &start) in nodes.iter().enumerate() {
            for (to, &end) in nodes.iter().enumerate().filter(|(to, _)| *to != from) {
                let mut paths: Vec<Vec<NodeIndex>> =
                    all_simple_paths::<Vec<_>, _, std::hash::RandomState>(&graph, start, end, 0, Some(LEGS_MAX - 1))
                        .collect();
                paths.sort_unstable();
                paths.dedup();
                let between = &mut itineraries[from * sites + to];
                for path in paths {
                    let couriers = |a, b| graph.edges_connecting(a, b).map(|edge| *edge.weight());
                    match path[..] {
                        [a, b] => couriers(a, b).for_each(|courier| timetable.direct(courier, between)),
                        [a, b, c] => {
                            for first in couriers(a, b) {
                                couriers(b, c).for_each(|second| timetable.change(first, second, between));
                            }
                        }
                        _ => {}
                    }
                }
                between.sort_unstable_by_key(|way| (way.arrives, std::cmp::Reverse(way.leaves), way.second, way.first));
            }
        }
        let reached = |from: usize| {
            (0..sites).filter(|to| !itineraries[from * sites + to].is_empty()).map(SiteIx::from_row).collect()
        };
        let destinations = (0..sites).map(reached).collect();
        let only_frozen = |way: &Itinerary| way.carries == 1 << Condition::Frozen as u8;
        let iced = |from: usize| {
            let reached = |to: &usize| itineraries[from * sites + to].iter().any(only_frozen);
            (0..sites).filter(reached).map(SiteIx::from_row).collect()
        };
        Self { sites, by_dry_ice: (0..sites).map(iced).collect(), itineraries, destinations }
    }

    /// The itineraries from a site to another, in order of arrival.
    pub fn between(&self, from: SiteIx, to: SiteIx) -> &[Itinerary] {
        &self.itineraries[from.row() * self.sites + to.row()]
    }

    /// The sites that can be reached from a site, in order.
    pub fn destinations(&self, from: SiteIx) -> &[SiteIx] {
        &self.destinations[from.row()]
    }

    /// The sites that can be reached from a site by couriers that carry nothing but what is frozen, in order.
    pub fn by_dry_ice(&self, from: SiteIx) -> &[SiteIx] {
        &self.by_dry_ice[from.row()]
    }
}

/// Departures by courier, in order of time, with what each courier carries.
struct Timetable {
    departures: Vec<Vec<(DepartureIx, Departure)>>,
    carries: Vec<u8>,
}

impl Timetable {
    fn new(snapshot: &Snapshot) -> Self {
        let couriers = &snapshot.network.couriers;
        let mut departures = vec![Vec::new(); couriers.len()];
        for (index, departure) in snapshot.departures.enumerate() {
            departures[departure.courier.row()].push((index, *departure));
        }
        for of_courier in &mut departures {
            of_courier.sort_by_key(|(_, departure)| departure.leaves);
        }
        let mask = |carries: &[Condition]| carries.iter().fold(0, |mask, condition| mask | 1 << *condition as u8);
        Self { departures, carries: couriers.iter().map(|courier| mask(&courier.carries)).collect() }
    }

    fn direct(&self, courier: CourierIx, found: &mut Vec<Itinerary>) {
        found.extend(self.departures[courier.row()].iter().map(|&(first, departure)| Itinerary {
            leaves: departure.leaves,
            arrives: departure.arrives,
            first,
            second: None,
            carries: self.carries[courier.row()],
        }));
    }

    fn change(&self, first: CourierIx, second: CourierIx, found: &mut Vec<Itinerary>) {
        let carries = self.carries[first.row()] & self.carries[second.row()];
        let onward = &self.departures[second.row()];
        for &(leg, departure) in self.departures[first.row()].iter().filter(|_| carries != 0) {
            let next = onward.partition_point(|(_, next)| next.leaves < departure.arrives);
            if let Some(&(second, next)) = onward.get(next) {
                let (leaves, arrives) = (departure.leaves, next.arrives);
                found.push(Itinerary { leaves, arrives, first: leg, second: Some(second), carries });
            }
        }
    }
}
