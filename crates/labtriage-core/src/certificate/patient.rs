//! What is the least that a patient's lines of a stage can cost, at given prices?
//!
//! Either the patient is not recalled, or recalled without a date, or recalled to a visit on one
//! day; the burden is paid once, the visit is shared by all samples.

use crate::certificate::facts::VisitDay;
use crate::certificate::sample::{Anew, Handling, Least, LineCase, Ran, SampleCase, push_results};
use crate::certificate::stage::{Before, PatientSamples};
use crate::certificate::tables::Tables;
use crate::certificate::{NEVER, Scaled, scaled};
use crate::cost::burden;
use crate::table::{CellIx, CollectionPointIx, Ix, PatientIx, SampleIx, SiteIx, SlotIx};

/// What a patient uses is told to this.
pub type Add<'a> = &'a mut dyn FnMut(CellIx, u64);

/// Working memory of one thread.
#[derive(Default)]
pub struct Scratch {
    cases: Vec<SampleCase>,
    opened: usize,
    days: Vec<OnDay>,
    /// Per sample: where its lines are run when the patient is not recalled.
    kept: Vec<Ran>,
    /// Per sample: its open lines at the least, run or re-tested on whatever day.
    rest: Vec<Least>,
    /// What was found of each sample on the days looked at closely, one day after the other.
    found: Vec<OfSample>,
    /// What each line of a sample costs when it is not run from the sample.
    otherwise: Vec<Scaled>,
    ever: Vec<Scaled>,
}

/// A visit, with a lower bound on what everything costs then.
#[derive(Clone, Copy, Debug)]
struct OnDay {
    point: CollectionPointIx,
    day: usize,
    visit: Scaled,
    cost: Scaled,
    /// Once nothing is left out of the cost: where among all that was found that of its samples begins.
    exact: Option<usize>,
}

/// How a patient's lines cost least.
#[derive(Clone, Copy, Debug)]
enum Way {
    NotRecalled,
    WithoutDate,
    Visit { point: CollectionPointIx, day: usize, found: usize },
}

/// The least cost of the lines of a patient in the stage, with all that its uses cost at these
/// prices; `add` is told what is used then.
pub fn minimum(
    tables: &Tables<'_>,
    samples: &PatientSamples,
    patient: PatientIx,
    scratch: &mut Scratch,
    add: Option<Add<'_>>,
) -> Scaled {
    if !scratch.open(tables, samples.of(patient)) {
        return 0;
    }
    let (cost, way) = scratch.cheapest(tables, patient);
    if let Some(add) = add {
        scratch.charge(tables, patient, way, add);
    }
    cost
}

impl Scratch {
    /// Opens the samples that have lines of the stage.
    fn open(&mut self, tables: &Tables<'_>, samples: &[SampleIx]) -> bool {
        self.opened = 0;
        for &sample in samples {
            if self.cases.len() == self.opened {
                self.cases.push(SampleCase::default());
            }
            if self.cases[self.opened].open(tables, sample, tables.before.stage) {
                self.opened += 1;
            }
        }
        self.opened > 0
    }

    fn cheapest(&mut self, tables: &Tables<'_>, patient: PatientIx) -> (Scaled, Way) {
        let recalled = tables.before.recalled[patient.row()];
        let fixed: Scaled = self.cases[..self.opened].iter().map(|case| case.fixed).sum();
        // A line that is neither open nor kept has its patient recalled.
        let lost = self.lines().any(|line| line.held >= NEVER && !line.open());
        let not = if recalled || lost { NEVER } else { fixed + self.run_or(tables) };
        let burden = if recalled { 0 } else { scaled(burden(tables.facts.snapshot, patient)) };
        let mut least = (not.min(NEVER), Way::NotRecalled);
        let recallable = self.cases[..self.opened].iter().any(|case| case.recallable && !case.lines.is_empty());
        let lowest = |line: &LineCase| line.lowest.min(line.left_out);
        let at_best: Scaled = self.lines().map(lowest).sum();
        if !recalled && (!recallable || not <= fixed + burden + at_best) {
            return least;
        }
        let alone = |case: &mut SampleCase| case.alone(tables).cost;
        let without_date = fixed + burden + self.cases[..self.opened].iter_mut().map(alone).sum::<Scaled>().min(NEVER);
        if without_date < least.0 {
            least = (without_date, Way::WithoutDate);
        }
        self.visits(tables, patient, (fixed + burden, at_best), &mut least);
        least
    }

    fn lines(&self) -> impl Iterator<Item = &LineCase> {
        self.cases[..self.opened].iter().flat_map(|case| &case.lines)
    }

    /// Each line is run or held.
    fn run_or(&mut self, tables: &Tables<'_>) -> Scaled {
        let mut total: Scaled = 0;
        self.kept.clear();
        for case in &mut self.cases[..self.opened] {
            self.otherwise.clear();
            self.otherwise.extend(case.lines.iter().map(|line| line.held));
            let least = case.least(tables, &self.otherwise);
            self.kept.push(least.ran);
            total += least.cost;
        }
        total.min(NEVER)
    }

    /// Tries every visit; a visit is looked at closely only when it may be the best. Given what is paid with every
    /// visit, and what all lines cost at the best.
    fn visits(
        &mut self,
        tables: &Tables<'_>,
        patient: PatientIx,
        (base, at_best): (Scaled, Scaled),
        least: &mut (Scaled, Way),
    ) {
        self.possible_visits(tables, patient);
        let mut days = std::mem::take(&mut self.days);
        days.retain(|on| base + on.visit + at_best < least.0);
        self.run_or_ever_anew(tables, &days);
        for on in &mut days {
            on.cost = base + on.visit + self.roughly(tables, on);
        }
        self.found.clear();
        while let Some(on) = days.iter_mut().min_by_key(|on| on.cost) {
            if on.cost >= least.0 {
                break;
            }
            if let Some(found) = on.exact {
                *least = (on.cost, Way::Visit { point: on.point, day: on.day, found });
                break;
            }
            on.exact = Some(self.found.len());
            on.cost = base + on.visit + self.exactly(tables, on);
        }
        self.days = days;
    }

    /// The visits that the patient may have, each with its price.
    fn possible_visits(&mut self, tables: &Tables<'_>, patient: PatientIx) {
        let snapshot = tables.facts.snapshot;
        self.days.clear();
        let given = tables.before.visit_of(patient);
        let mut points: Vec<CollectionPointIx> = Vec::with_capacity(2);
        for case in &self.cases[..self.opened] {
            let Some(sample) = case.sample.filter(|_| case.recallable) else { continue };
            let requester = snapshot.backlog.requests[snapshot.backlog.samples[sample].request].requester;
            let point = snapshot.network.requesters[requester].collection_point;
            if !points.contains(&point) {
                points.push(point);
            }
        }
        if let Some(visit) = given {
            points = vec![visit.point];
        }
        for point in points {
            for (day, facts) in tables.facts.visit_days[point.row()].iter().enumerate() {
                let visit = match given {
                    Some(given) if given.day == facts.day => 0,
                    Some(_) => NEVER,
                    None => tables.visit(point, facts.day),
                };
                if visit < NEVER {
                    self.days.push(OnDay { point, day, visit, cost: NEVER, exact: None });
                }
            }
        }
    }

    /// Per sample: what its open lines cost at the least, run or re-tested on whatever day.
    fn run_or_ever_anew(&mut self, tables: &Tables<'_>, days: &[OnDay]) {
        self.rest.clear();
        for case in &mut self.cases[..self.opened] {
            if days.is_empty() || !case.recallable || !case.has_open() {
                self.rest.push(Least { cost: 0, ran: Ran::Nothing });
                continue;
            }
            self.ever.clear();
            self.ever.resize(case.lines.len(), NEVER);
            for on in days {
                case.each_anew(tables, on.facts(tables), &mut self.ever);
            }
            self.otherwise.clear();
            let each = case.lines.iter().zip(&self.ever);
            self.otherwise.extend(each.map(|(line, &ever)| if line.open() { ever.min(line.left_out) } else { 0 }));
            self.rest.push(case.least(tables, &self.otherwise));
        }
    }

    /// What all samples cost at the least with this visit, open lines re-tested on whatever day.
    fn roughly(&mut self, tables: &Tables<'_>, on: &OnDay) -> Scaled {
        let day = on.facts(tables);
        let mut total: Scaled = 0;
        for (case, &rest) in self.cases[..self.opened].iter_mut().zip(&self.rest) {
            total += of_sample(tables, case, day, &mut self.otherwise, |_, _, _| rest).cost;
        }
        total.min(NEVER)
    }

    /// What all samples cost at the least with this visit; what is found of each is kept.
    fn exactly(&mut self, tables: &Tables<'_>, on: &OnDay) -> Scaled {
        let day = on.facts(tables);
        let mut total: Scaled = 0;
        for (case, rest) in self.cases[..self.opened].iter_mut().zip(&self.rest) {
            let found = of_sample(tables, case, day, &mut self.otherwise, |case, otherwise, limit| {
                open_or_anew(tables, case, day, otherwise, (limit, rest))
            });
            self.found.push(found);
            total += found.cost;
        }
        total.min(NEVER)
    }

    /// Tells what the cheapest way uses.
    fn charge(&mut self, tables: &Tables<'_>, patient: PatientIx, way: Way, add: Add<'_>) {
        if let Way::Visit { point, day, .. } = way {
            let facts = &tables.facts.visit_days[point.row()][day];
            let capacity = &tables.facts.snapshot.capacity;
            let given = tables.before.visit_of(patient).is_some();
            let cells = [capacity.visits(point, facts.day), capacity.recall_cap(facts.day)];
            cells.into_iter().flatten().filter(|_| !given).for_each(|cell| add(cell, 1));
        }
        for (number, case) in self.cases[..self.opened].iter_mut().enumerate() {
            let out = |line: &LineCase| if matches!(way, Way::NotRecalled) { line.held } else { line.left_out };
            self.otherwise.clear();
            self.otherwise.extend(case.lines.iter().map(out));
            let (ran, anew) = match way {
                Way::NotRecalled => (self.kept[number], None),
                Way::WithoutDate => (case.alone(tables).ran, None),
                Way::Visit { point, day, found } => {
                    let (day, found) = (&tables.facts.visit_days[point.row()][day], self.found[found + number]);
                    (found.ran, found.anew.map(|anew| Retests { day, anew, mixed: found.mixed }))
                }
            };
            charge_sample(tables, case, ran, anew, &self.otherwise, add);
        }
    }
}

impl OnDay {
    fn facts<'t>(&self, tables: &Tables<'t>) -> &'t VisitDay {
        &tables.facts.visit_days[self.point.row()][self.day]
    }
}

/// The least cost of a sample with a visit, and how it comes about.
#[derive(Clone, Copy, Debug)]
struct OfSample {
    cost: Scaled,
    ran: Ran,
    anew: Option<Anew>,
    /// Some lines are run, others re-tested.
    mixed: bool,
}

/// How lines are re-tested.
#[derive(Clone, Copy)]
struct Retests<'d> {
    day: &'d VisitDay,
    anew: Anew,
    /// Some lines are run, others re-tested.
    mixed: bool,
}

/// All lines run or left out; all re-tested or left out; or some run and some re-tested, where
/// `open` says how the open ones cost least, if that is below a limit.
fn of_sample(
    tables: &Tables<'_>,
    case: &mut SampleCase,
    day: &VisitDay,
    otherwise: &mut Vec<Scaled>,
    open: impl FnOnce(&mut SampleCase, &mut Vec<Scaled>, Scaled) -> Least,
) -> OfSample {
    otherwise.clear();
    otherwise.extend(case.lines.iter().map(|line| line.left_out));
    let run = case.alone(tables);
    let mut least = OfSample { cost: run.cost, ran: run.ran, anew: None, mixed: false };
    if !case.recallable {
        return least;
    }
    let (all, anew) = case.anew(tables, day, otherwise, |_| true);
    if all < least.cost {
        least = OfSample { cost: all, ran: Ran::Nothing, anew, mixed: false };
    }
    if case.has_open() {
        let (lost, anew) = case.anew(tables, day, otherwise, |line| !line.open());
        if lost < least.cost {
            let open = open(case, otherwise, least.cost - lost);
            if lost + open.cost < least.cost {
                least = OfSample { cost: lost + open.cost, ran: open.ran, anew, mixed: true };
            }
        }
    }
    least
}

/// The least cost of the open lines of a sample, each run or re-tested on a day as it comes cheapest, if that is below
/// a limit; given what they cost at the least on whatever day.
fn open_or_anew(
    tables: &Tables<'_>,
    case: &mut SampleCase,
    day: &VisitDay,
    otherwise: &mut Vec<Scaled>,
    (limit, ever): (Scaled, &Least),
) -> Least {
    if ever.cost >= limit {
        return Least { cost: limit, ran: Ran::Nothing };
    }
    let mut each = vec![NEVER; case.lines.len()];
    case.each_anew(tables, day, &mut each);
    otherwise.clear();
    otherwise
        .extend(case.lines.iter().zip(each).map(|(line, anew)| if line.open() { anew.min(line.left_out) } else { 0 }));
    // What is best on whatever day mostly is on this one.
    let same = case.cost_of(tables, otherwise, ever.ran);
    if same <= ever.cost {
        return Least { cost: same, ran: ever.ran };
    }
    case.least_below(tables, otherwise, limit.min(same + 1))
}

/// Tells what the lines of a sample use, each where it costs least.
fn charge_sample(
    tables: &Tables<'_>,
    case: &SampleCase,
    ran: Ran,
    anew: Option<Retests<'_>>,
    otherwise: &[Scaled],
    add: Add<'_>,
) {
    let mut charge = Charge { tables, case, ran_at: [None; 2], used_anew: false };
    for (row, line) in case.lines.iter().enumerate() {
        let run = charge.run_of(row, ran);
        let retest = anew.and_then(|anew| charge.retest_of(row, anew));
        let cheapest = [run, retest].into_iter().flatten().min();
        match cheapest {
            Some((cost, site, booked, slot, fresh)) if cost < otherwise[row] => {
                charge.used_anew |= fresh;
                if !fresh {
                    charge.booked_at(site, booked);
                }
                charge.result(line, site, slot, true, add);
            }
            _ if line.reported => charge.report_of(line, add),
            _ => {}
        }
    }
    charge.shared(ran, anew, add);
}

struct Charge<'c, 't> {
    tables: &'c Tables<'t>,
    case: &'c SampleCase,
    /// Where one or two containers are booked in, by the lines run from them.
    ran_at: [Option<(SiteIx, usize)>; 2],
    used_anew: bool,
}

/// Cost, site, slot of the booking in, slot of the run, and whether it is of a new tube.
type At = (Scaled, SiteIx, usize, usize, bool);

impl Charge<'_, '_> {
    fn run_of(&self, row: usize, ran: Ran) -> Option<At> {
        let slot = |site, way: Handling, from: usize| {
            let until = self.case.until_of(row, way);
            self.case
                .slot_of(self.tables, row, site, from.max(way.spun.0)..until)
                .map(|(cost, slot)| (cost, site, from, slot, false))
        };
        match ran {
            Ran::Nothing => None,
            Ran::OneSite { way, site, from } => slot(site, way, from),
            Ran::TwoSites { first, second } => {
                [first, second].into_iter().filter_map(|(way, site, from)| slot(site, way, from)).min()
            }
        }
    }

    /// Open lines that are re-tested beside others that are run go to whichever new tube is cheapest.
    fn retest_of(&self, row: usize, Retests { day, anew, mixed }: Retests<'_>) -> Option<At> {
        let line = &self.case.lines[row];
        let on = |arrival: usize, from: usize| {
            let site = day.arrivals[arrival].site;
            let found = self.case.slot_of(self.tables, row, site, from..day.until(arrival, line.pair));
            found.map(|(cost, slot)| (cost, site, from, slot, true))
        };
        if mixed && line.open() {
            return (0..day.arrivals.len()).filter_map(|arrival| on(arrival, day.arrivals[arrival].from)).min();
        }
        on(anew.arrival, anew.from)
    }

    /// What a test in a slot and the report of its result use.
    fn result(&self, line: &LineCase, site: SiteIx, slot: usize, tested: bool, add: Add<'_>) {
        let snapshot = self.tables.facts.snapshot;
        if let Some(analyser) = self.tables.cheapest_analyser(site, line.test, slot).filter(|_| tested) {
            let work = u64::from(snapshot.catalogue.tests[line.test].analyser_time.millis());
            add(snapshot.capacity.analyser_time(analyser, SlotIx::from_row(slot)), work);
            snapshot.capacity.stock(analyser, line.test).for_each(|cell| add(cell, 1));
        }
        let mut results = Vec::with_capacity(self.tables.facts.slots);
        push_results(self.tables, line.line, &mut results);
        let report = self.tables.of_site(&self.tables.report, site);
        let out = (slot..results.len()).min_by_key(|&slot| (results[slot] + report[slot], slot));
        if let Some(out) = out {
            add(snapshot.capacity.reporting(site, SlotIx::from_row(out)), 1);
        }
    }

    fn report_of(&self, line: &LineCase, add: Add<'_>) {
        let Some(sample) = self.case.sample else { return };
        let site = self.tables.facts.snapshot.backlog.samples[sample].site;
        self.result(line, site, 0, false, add);
    }

    /// What the sample's way and its new tube use. The spinning of what is spun elsewhere is left out: its use is
    /// only needed to learn prices.
    fn shared(&self, ran: Ran, anew: Option<Retests<'_>>, add: Add<'_>) {
        let Some(sample) = self.case.sample else { return };
        let before: &Before = self.tables.before;
        if !before.placed[sample.row()] {
            self.containers(ran, add);
        }
        if let Some(Retests { day, anew, .. }) = anew.filter(|_| self.used_anew && !before.recollected[sample.row()]) {
            self.book(day.arrivals[anew.arrival].site, anew.from, add);
        }
    }

    fn booked_at(&mut self, site: SiteIx, slot: usize) {
        let known = self.ran_at.iter_mut().find(|at| at.is_none_or(|(other, _)| other == site));
        if let Some(at) = known {
            *at = Some((site, at.map_or(slot, |(_, first)| first.min(slot))));
        }
    }

    /// Books each container in, and takes the aliquot for a second.
    fn containers(&self, ran: Ran, add: Add<'_>) {
        for (site, slot) in self.ran_at.into_iter().flatten() {
            self.book(site, slot, add);
        }
        if self.ran_at[0].is_none() {
            return;
        }
        self.spin(ran, add);
        let (tables, capacity) = (self.tables, &self.tables.facts.snapshot.capacity);
        let (Ran::OneSite { way, site, from } | Ran::TwoSites { first: (way, site, from), .. }) = ran else { return };
        let origin = self.case.origin(tables);
        let legs = self.case.travel(tables, way).reached_by(tables.facts, (origin, site), from, way.later());
        legs.into_iter().for_each(|leg| add(capacity.courier(leg), 1));
        let mut last = way;
        if let (Ran::TwoSites { second: (way, to, sent), .. }, [Some(_), Some(_)]) = (ran, self.ran_at) {
            let cell = |slot| capacity.aliquoting(site, SlotIx::from_row(slot));
            if let Some(slot) = (from..sent).min_by_key(|&slot| (tables.price(cell(slot), 1), slot)) {
                add(cell(slot), 1);
            }
            let legs = self.case.travel(tables, way).sent_by(tables, (site, to), from, sent);
            legs.into_iter().for_each(|leg| add(capacity.courier(leg), 1));
            last = way;
        }
        if last.frozen() {
            tables.freezing().for_each(|cell| add(cell, 1));
        }
    }

    /// What spinning it where it stands uses. Spun elsewhere, only the price is known.
    fn spin(&self, ran: Ran, add: Add<'_>) {
        let (Ran::OneSite { way, .. } | Ran::TwoSites { first: (way, ..), .. }) = ran else { return };
        if way.later() {
            let from = self.case.origin(self.tables);
            let (_, slot) = self.tables.spun_here(from, way.spun.0..way.spun.1);
            add(self.tables.facts.snapshot.capacity.centrifuge(from, SlotIx::from_row(slot)), 1);
        }
    }

    fn book(&self, site: SiteIx, slot: usize, add: Add<'_>) {
        let mut add = |cell, amount| add(cell, amount);
        crate::usage::of_booking_in(self.tables.facts.snapshot, site, SlotIx::from_row(slot), &mut add);
    }
}
