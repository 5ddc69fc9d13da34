//! What is one stage to the engine? Patients are items, capacity cells are resources.

use labtriage_core::capacity::Resource;
use labtriage_core::certificate::facts::Facts;
use labtriage_core::certificate::stage::{Before, PatientSamples, of_line};
use labtriage_core::certificate::tables::Tables;
use labtriage_core::certificate::{Prices, SHIFT, Scaled, patient};
use labtriage_core::duplicates::Repeat;
use labtriage_core::plan::Step;
use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::{
    CellIx, CollectionPointIx, Ix, LineIx, PatientIx, SampleIx, SiteIx, SpecimenIx, Table, TestIx,
};
use labtriage_core::time::{Day, Instant};
use labtriage_core::viability::fresh_clock;

use super::choice::{Choice, line_cost};
use super::market::{Market, Menu, NOTHING_SHARED, Shared};
use super::patient::Chooser;
use crate::engine::Problem;
use crate::greedy::Planner;
use crate::way::{Way, booked_in_from};

/// A new tube that a collection point delivers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    pub(super) site: SiteIx,
    arrives: Instant,
    /// The first slot in which it can be booked in.
    pub(super) from: usize,
}

/// What a collection point can do on a day.
#[derive(Clone, Debug)]
pub(super) struct VisitDay {
    pub(super) day: Day,
    pub(super) arrivals: Vec<Arrival>,
    /// Per arrival, test and specimen: until which slot a test can be run on the new tube.
    until: Vec<Vec<u16>>,
    specimens: usize,
}

impl VisitDay {
    /// Until which slot a test can be run on a new tube, from the first.
    pub(super) fn until(&self, arrival: usize, test: TestIx, specimen: SpecimenIx) -> usize {
        usize::from(self.until[arrival][test.row() * self.specimens + specimen.row()])
    }
}

/// Whether a sample's way is decided already.
pub(super) enum Standing {
    /// It stands where it stands.
    Free,
    /// It is booked in: its containers, each with the slot from which on it can be run.
    Placed(Vec<(Way, usize)>),
}

/// What does not change from stage to stage.
pub(crate) struct Ground<'a> {
    pub(crate) facts: Facts<'a>,
    pub(crate) samples: PatientSamples,
    menu: Menu,
    /// Per collection point: the days on which it may see a recalled patient.
    days: Vec<Vec<VisitDay>>,
}

impl<'a> Ground<'a> {
    pub(crate) fn new(snapshot: &'a Snapshot) -> Self {
        Self {
            facts: Facts::new(snapshot),
            samples: PatientSamples::new(&snapshot.backlog),
            menu: Menu::new(snapshot),
            days: snapshot.network.collection_points.indices().map(|point| visit_days(snapshot, point)).collect(),
        }
    }
}

fn visit_days(snapshot: &Snapshot, point: CollectionPointIx) -> Vec<VisitDay> {
    let (zone, grid) = (snapshot.network.zone, &snapshot.grid);
    let facts = &snapshot.network.collection_points[point];
    let calendar = &snapshot.network.calendars[facts.calendar];
    let arrival = |site, arrives: Instant| {
        Some(Arrival { site, arrives, from: booked_in_from(snapshot, site, arrives, true)?.row() })
    };
    let days = (0..grid.day_count()).map(|n| grid.first_day().plus_days(i32::try_from(n).unwrap_or(0)));
    let on = |day: Day| {
        let delivered = facts.delivers.iter();
        let arrivals: Vec<Arrival> =
            delivered.filter_map(|delivery| arrival(delivery.site, zone.at(day, delivery.arrives))).collect();
        let opens = zone.at(day, facts.opens);
        let until = arrivals.iter().map(|arrival| fresh_until(snapshot, opens, arrival.arrives)).collect();
        VisitDay { day, arrivals, until, specimens: snapshot.catalogue.specimens.len() }
    };
    days.filter(|&day| day >= snapshot.first_visit[point] && calendar.opens_on(day)).map(on).collect()
}

/// Per test and specimen: until which slot a test can be run on a new tube.
fn fresh_until(snapshot: &Snapshot, opens: Instant, arrives: Instant) -> Vec<u16> {
    let catalogue = &snapshot.catalogue;
    let mut until = vec![0; catalogue.tests.len() * catalogue.specimens.len()];
    for (test, facts) in catalogue.tests.enumerate() {
        for &specimen in &facts.specimens {
            let limits = snapshot.limits.get(test, specimen);
            let clock = fresh_clock(limits, facts.run_in, opens, arrives, snapshot.policy.safety_margin);
            let slots = clock.closes().map_or(0, |closes| snapshot.grid.ended_by(closes));
            until[test.row() * catalogue.specimens.len() + specimen.row()] = u16::try_from(slots).unwrap_or(u16::MAX);
        }
    }
    until
}

/// The undecided lines of one stage, by patient, on what earlier stages have left.
pub(crate) struct Stage<'a> {
    pub(super) planner: &'a Planner<'a>,
    ground: &'a Ground<'a>,
    pub(super) before: &'a Before,
    patients: Vec<PatientIx>,
    /// Cost of the lines of each patient that are decided without capacity.
    fixed: Vec<i64>,
    limits: Vec<u64>,
    first_prices: Vec<f64>,
}

impl<'a> Stage<'a> {
    pub(crate) fn new(
        planner: &'a Planner<'a>,
        ground: &'a Ground<'a>,
        before: &'a Before,
        first_prices: Vec<f64>,
    ) -> Self {
        let snapshot = planner.snapshot;
        let limits = snapshot.capacity.limits().indices().map(|cell| planner.remaining.left(cell)).collect();
        let mut this = Self { planner, ground, before, patients: Vec::new(), fixed: Vec::new(), limits, first_prices };
        for patient in snapshot.backlog.patients.indices() {
            let lines =
                || ground.samples.of(patient).iter().flat_map(|&sample| snapshot.backlog.samples[sample].lines());
            if lines().any(|line| this.decides(line)) {
                let decided = lines().filter(|&line| of_line(snapshot, line) == before.stage && !this.decides(line));
                let fixed = decided.map(|line| line_cost(snapshot, line, planner.lines[line])).sum();
                this.patients.push(patient);
                this.fixed.push(fixed);
            }
        }
        this
    }

    /// Whether a line is for this stage to decide.
    pub(super) fn decides(&self, line: LineIx) -> bool {
        let snapshot = self.planner.snapshot;
        !self.planner.decided[line.row()]
            && of_line(snapshot, line) == self.before.stage
            && snapshot.repeats[line] == Repeat::Survives
    }

    pub(super) fn forced_discard(&self, sample: SampleIx) -> bool {
        self.planner.forced_discard(sample).is_some()
    }

    pub(super) fn samples_of(&self, patient: PatientIx) -> &[SampleIx] {
        self.ground.samples.of(patient)
    }

    pub(super) fn days(&self, point: CollectionPointIx) -> &[VisitDay] {
        &self.ground.days[point.row()]
    }

    /// The containers of a sample whose way an earlier stage has decided.
    pub(super) fn standing(&self, sample: SampleIx) -> Standing {
        let tube = &self.planner.tubes[sample];
        let Some((_, from)) = tube.placed else { return Standing::Free };
        let snapshot = self.planner.snapshot;
        let steps = self.planner.steps_of(sample);
        let split = steps.iter().position(|step| matches!(step, Step::Aliquot(_)));
        let main = Way::replay(snapshot, sample, &steps[..split.unwrap_or(steps.len())]);
        let mut places = vec![(main, from.row())];
        if let Some((_, from)) = tube.second {
            places.push((Way::replay(snapshot, sample, steps), from.row()));
        }
        Standing::Placed(places)
    }

    pub(super) fn market<'m>(&'m self, prices: &'m [Scaled], left: &'m [u64]) -> Market<'m> {
        let (snapshot, routes) = (self.planner.snapshot, &self.planner.routes);
        Market { snapshot, menu: &self.ground.menu, routes, prices, left, shared: &NOTHING_SHARED }
    }
}

/// Working memory of one thread, with what it last worked out from prices.
pub(crate) struct Scratch<'a> {
    chooser: Chooser,
    minimum: patient::Scratch,
    /// The prices that all the rest is of.
    seen: Vec<f64>,
    whole: Prices,
    shared: Shared,
    tables: Option<Tables<'a>>,
    /// No prices at all.
    free: Vec<Scaled>,
}

impl<'a> Scratch<'a> {
    /// Takes note of prices; most calls come with the same ones as the last.
    fn see(&mut self, prices: &[f64]) {
        if !same(&self.seen, prices) {
            self.seen.clear();
            self.seen.extend_from_slice(prices);
            self.whole = whole_prices(prices);
            self.shared.clear();
            self.tables = None;
        }
    }

    fn tables(&mut self, stage: &Stage<'a>) -> (&Tables<'a>, &mut patient::Scratch) {
        let whole = &self.whole;
        let tables = self.tables.get_or_insert_with(|| Tables::new(&stage.ground.facts, stage.before, whole.clone()));
        (tables, &mut self.minimum)
    }
}

impl<'a> Problem for Stage<'a> {
    type Choice = Choice;
    type Scratch = Scratch<'a>;

    fn scratch(&self) -> Scratch<'a> {
        Scratch {
            chooser: Chooser::default(),
            minimum: patient::Scratch::default(),
            seen: Vec::new(),
            whole: Prices::free(0),
            shared: Shared::default(),
            tables: None,
            free: vec![0; self.limits.len()],
        }
    }

    fn items(&self) -> usize {
        self.patients.len()
    }

    fn limits(&self) -> &[u64] {
        &self.limits
    }

    fn cheapest(&self, item: usize, prices: &[f64], left: Option<&[u64]>, scratch: &mut Scratch<'a>) -> Option<Choice> {
        scratch.see(prices);
        let Scratch { chooser, whole, shared, .. } = scratch;
        let mut market = self.market(whole.all().as_slice(), left.unwrap_or(&self.limits));
        if left.is_none() {
            shared.work_out(&market);
            market.shared = shared;
        }
        chooser.choose(self, &market, self.patients[item], Scaled::MAX)
    }

    fn cheaper(&self, item: usize, below: i64, left: &[u64], scratch: &mut Scratch<'a>) -> Option<Choice> {
        let market = self.market(&scratch.free, left);
        let open = below.saturating_sub(self.fixed[item]);
        let found = scratch.chooser.choose(self, &market, self.patients[item], open.saturating_mul(1 << SHIFT))?;
        (self.cost(item, &found) < below).then_some(found)
    }

    /// A requester's cap is looked at only when lines are given their slots.
    fn steers(&self, resource: usize) -> bool {
        !matches!(self.planner.snapshot.capacity.describe(CellIx::from_row(resource)).0, Resource::RequesterCap(_))
    }

    fn first_prices(&self) -> Option<&[f64]> {
        Some(&self.first_prices)
    }

    /// With what is decided of the patient anyway.
    fn cost(&self, item: usize, choice: &Choice) -> i64 {
        let patient = self.patients[item];
        self.fixed[item] + choice.cost(self.planner.snapshot, patient, self.before.recalled[patient.row()])
    }

    fn uses(&self, _: usize, choice: &Choice, add: &mut dyn FnMut(usize, u64)) {
        choice.uses(self.planner.snapshot, &mut |cell, amount| add(cell.row(), amount));
    }

    /// By the certificate's own arithmetic, so that prices are learned for the bound that they prove.
    fn minimum(&self, item: usize, prices: &[f64], scratch: &mut Scratch<'a>, add: &mut dyn FnMut(usize, u64)) -> f64 {
        scratch.see(prices);
        let (tables, memory) = scratch.tables(self);
        let mut add = |cell: CellIx, amount| add(cell.row(), amount);
        let least = patient::minimum(tables, &self.ground.samples, self.patients[item], memory, Some(&mut add));
        least as f64 / f64::from(1u32 << SHIFT)
    }
}

/// Whether prices are the same, bit by bit; looked at in pieces, as most calls find them equal to the end.
fn same(one: &[f64], other: &[f64]) -> bool {
    let differ = |one: &[f64], other: &[f64]| {
        one.iter().zip(other).fold(0, |bits, (one, other)| bits | (one.to_bits() ^ other.to_bits())) != 0
    };
    one.len() == other.len() && !one.chunks(256).zip(other.chunks(256)).any(|(one, other)| differ(one, other))
}

/// Prices per unit as the certificate counts them, from prices in thousandths of a weighted day.
pub(crate) fn whole_prices(prices: &[f64]) -> Prices {
    let whole = |price: &f64| (price * f64::from(1u32 << SHIFT)).round() as Scaled;
    Prices::new(Table::new(prices.iter().map(whole).collect()))
}
