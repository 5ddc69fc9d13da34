//! Who can do what, where, and how fast? Sites, analysers, couriers, partners, requesters.

use petgraph::algo::tarjan_scc;
use petgraph::graph::DiGraph;
use thiserror::Error;

use crate::calendar::Calendar;
use crate::catalogue::{Catalogue, Condition};
use crate::table::{
    AnalyserIx, BandIx, CalendarIx, CollectionPointIx, CourierIx, DisciplineIx, Ix, RequesterIx, SiteIx, Table, TestIx,
};
use crate::time::{Instant, Minutes, Zone};
use crate::units::{Microlitres, Percent};

/// What kind of laboratory a site is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SiteKind {
    /// The network's central laboratory.
    Hub,
    /// A hospital laboratory.
    Hospital,
    /// A laboratory of mutual aid.
    Partner,
}

/// What a partner laboratory takes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Partner {
    /// Bands it accepts.
    pub bands: Vec<BandIx>,
    /// Samples a local day.
    pub quota_per_day: u32,
    /// Minutes after local midnight; a sample that arrives later is booked in on a later day.
    pub cut_off: i32,
}

/// A laboratory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Site {
    /// Code.
    pub code: String,
    /// Name.
    pub name: String,
    /// Kind.
    pub kind: SiteKind,
    /// When reception, centrifuges and reporting work.
    pub calendar: CalendarIx,
    /// Samples booked in per open hour.
    pub reception_per_hour: u32,
    /// Tubes centrifuged per open hour.
    pub centrifuge_per_hour: u32,
    /// Tubes aliquoted or frozen per open hour.
    pub aliquot_per_hour: u32,
    /// Results reported per open hour.
    pub report_per_hour: u32,
    /// Tubes the freezers still hold, over the whole horizon.
    pub freezer_places: u32,
    /// Set for partners.
    pub partner: Option<Partner>,
}

/// Reagent left for a test on an analyser, over the whole horizon.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stock {
    /// The test.
    pub test: TestIx,
    /// How many can still be run.
    pub tests: u32,
}

/// A line of equipment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Analyser {
    /// Code, unique in the network.
    pub code: String,
    /// Where it stands.
    pub site: SiteIx,
    /// Name.
    pub name: String,
    /// The tests it runs, in order, each with the calendar of its run days if it has one.
    pub menu: Vec<(TestIx, Option<CalendarIx>)>,
    /// The disciplines of its menu, in order.
    pub disciplines: Vec<DisciplineIx>,
    /// Reference modules working in parallel, in thousandths.
    pub rate_permille: u32,
    /// When it works.
    pub calendar: CalendarIx,
    /// Material lost per container, once.
    pub dead_volume: Microlitres,
    /// Reagent limits.
    pub stock: Vec<Stock>,
}

/// A weekly departure: weekday (Monday = 0) and minutes after local midnight.
pub type Departs = (u8, i32);

/// A timetabled run between two sites.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Courier {
    /// Code.
    pub code: String,
    /// Where it leaves.
    pub from: SiteIx,
    /// Where it goes.
    pub to: SiteIx,
    /// Its weekly departures, in order.
    pub departs: Vec<Departs>,
    /// Time on the road.
    pub transit: Minutes,
    /// Tubes per departure.
    pub tubes: u32,
    /// Conditions it can carry; a tube travels in the condition it is kept in.
    pub carries: Vec<Condition>,
}

/// Where and when a collection point's tubes reach a laboratory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Delivery {
    /// The laboratory.
    pub site: SiteIx,
    /// Minutes after local midnight of the day of the visit.
    pub arrives: i32,
}

/// A place where recalled patients are bled.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CollectionPoint {
    /// Code.
    pub code: String,
    /// Name.
    pub name: String,
    /// Recall visits a day.
    pub visits_per_day: u32,
    /// Days on which it bleeds.
    pub calendar: CalendarIx,
    /// Working days between the plan and its first visit.
    pub lead_time_days: u32,
    /// Minutes after local midnight: the earliest a patient is bled.
    pub opens: i32,
    /// Where its tubes go.
    pub delivers: Vec<Delivery>,
}

/// What kind of requester it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RequesterKind {
    /// A GP practice.
    Practice,
    /// A hospital ward, clinic or emergency department.
    Ward,
}

impl RequesterKind {
    /// The word used in files.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Practice => "practice",
            Self::Ward => "ward",
        }
    }
}

/// A practice or ward that asks for tests.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Requester {
    /// ODS code.
    pub ods: String,
    /// Name.
    pub name: String,
    /// Kind.
    pub kind: RequesterKind,
    /// Borough.
    pub borough: String,
    /// Registered patients; 0 for a ward.
    pub list_size: u32,
    /// Where its recalled patients are bled.
    pub collection_point: CollectionPointIx,
}

/// Kinds of capacity that a disruption can cut.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Disrupted {
    /// Analyser time.
    Analyser,
    /// Booking in.
    Reception,
    /// Centrifuges and aliquoting.
    Centrifuge,
    /// Results leaving the laboratory.
    Reporting,
}

/// Capacity cut in steps.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Disruption {
    /// Name.
    pub name: String,
    /// The site it strikes; with no site and no analyser, every site that is no partner.
    pub site: Option<SiteIx>,
    /// The discipline it strikes; all when absent.
    pub discipline: Option<DisciplineIx>,
    /// The analyser it strikes; all when absent.
    pub analyser: Option<AnalyserIx>,
    /// What it cuts.
    pub limits: Vec<Disrupted>,
    /// From when how much is left, in order of time.
    pub steps: Vec<(Instant, Percent)>,
}

impl Disruption {
    /// What is left at an instant.
    pub fn left_at(&self, instant: Instant) -> Percent {
        self.steps.iter().rev().find(|(from, _)| *from <= instant).map_or(Percent::ALL, |&(_, left)| left)
    }
}

/// Why a network cannot be.
#[derive(Clone, PartialEq, Eq, Error, Debug)]
pub enum NetworkError {
    /// Couriers that take no time lead in a circle.
    #[error("couriers without transit time lead in a circle: {sites}")]
    CourierCycle {
        /// The sites on the loop.
        sites: String,
    },
}

/// The parts a network is made of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NetworkParts {
    /// Name.
    pub name: String,
    /// Time zone.
    pub zone: Zone,
    /// Multiplies every capacity.
    pub capacity: Percent,
    /// Calendars.
    pub calendars: Table<CalendarIx, Calendar>,
    /// Laboratories.
    pub sites: Table<SiteIx, Site>,
    /// Analysers.
    pub analysers: Table<AnalyserIx, Analyser>,
    /// Couriers.
    pub couriers: Table<CourierIx, Courier>,
    /// Collection points.
    pub collection_points: Table<CollectionPointIx, CollectionPoint>,
    /// Practices and wards.
    pub requesters: Table<RequesterIx, Requester>,
    /// Capacity cuts.
    pub disruptions: Vec<Disruption>,
}

/// Sites, analysers, couriers, partners, collection points, requesters and disruptions.
///
/// It reads like its [`NetworkParts`]; that it exists means that its couriers make sense.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Network(NetworkParts);

impl std::ops::Deref for Network {
    type Target = NetworkParts;
    fn deref(&self) -> &NetworkParts {
        &self.0
    }
}

impl Network {
    /// A network of these parts.
    ///
    /// # Errors
    /// [`NetworkError::CourierCycle`] when couriers without transit time lead in a circle.
    pub fn new(parts: NetworkParts) -> Result<Self, NetworkError> {
        let mut graph = DiGraph::<SiteIx, ()>::new();
        let nodes: Vec<_> = parts.sites.indices().map(|site| graph.add_node(site)).collect();
        for courier in parts.couriers.iter().filter(|courier| courier.transit <= Minutes::ZERO) {
            graph.add_edge(nodes[courier.from.row()], nodes[courier.to.row()], ());
        }
        let cycle =
            tarjan_scc(&graph).into_iter().find(|sites| sites.len() > 1 || graph.contains_edge(sites[0], sites[0]));
        if let Some(cycle) = cycle {
            let mut sites: Vec<SiteIx> = cycle.into_iter().map(|node| graph[node]).collect();
            sites.sort_unstable();
            let names: Vec<&str> = sites.into_iter().map(|site| parts.sites[site].code.as_str()).collect();
            return Err(NetworkError::CourierCycle { sites: names.join(" -> ") });
        }
        Ok(Self(parts))
    }

    /// The site of a code.
    pub fn site(&self, code: &str) -> Option<SiteIx> {
        self.sites.position(|site| site.code == code)
    }

    /// The analyser of a code.
    pub fn analyser(&self, code: &str) -> Option<AnalyserIx> {
        self.analysers.position(|analyser| analyser.code == code)
    }

    /// The requester of an ODS code.
    pub fn requester(&self, ods: &str) -> Option<RequesterIx> {
        self.requesters.position(|requester| requester.ods == ods)
    }

    /// Whether a site takes samples of a band: always, unless it is a partner that does not.
    pub fn accepts(&self, site: SiteIx, band: BandIx) -> bool {
        self.sites[site].partner.as_ref().is_none_or(|partner| partner.bands.contains(&band))
    }

    /// Tests of the catalogue that no analyser runs, in order.
    pub fn tests_without_analyser(&self, catalogue: &Catalogue) -> Vec<TestIx> {
        let mut known = vec![false; catalogue.tests.len()];
        for analyser in self.analysers.iter() {
            for (test, _) in &analyser.menu {
                known[test.row()] = true;
            }
        }
        catalogue.tests.indices().filter(|test| !known[test.row()]).collect()
    }
}
