//! Which option of a patient costs least, on what is left?
//!
//! Not recalled, recalled without a date, or recalled to a visit on one day: each is priced from
//! sums that the samples work out, then the best is put together line by line, on what is left
//! beside what the patient itself takes.

use labtriage_core::certificate::Scaled;
use labtriage_core::cost::burden;
use labtriage_core::plan::{Disposition, Hold, Recollection, Run, Step, Visit};
use labtriage_core::table::{AnalyserIx, CollectionPointIx, Ix, LineIx, PatientIx, SampleIx, SiteIx, SlotIx};
use labtriage_core::units::Microlitres;

use super::choice::{Choice, SampleChoice, book_in_uses, steps_use};
use super::market::{Market, NEVER, Taken, scaled};
use super::problem::{Stage, VisitDay};
use super::sample::{Anew, LineCase, Offer, Picked, SampleCase};
use super::ways::{Candidate, candidates, runs_until, Preparation};
use crate::way::Way;

/// Working memory of one thread.
#[derive(Default)]
pub(crate) struct Chooser {
    cases: Vec<SampleCase>,
    opened: usize,
    otherwise: Vec<Scaled>,
    ever: Vec<Scaled>,
    days: Vec<OnDay>,
    taken: Taken,
    results: Vec<Scaled>,
}

/// A visit with what everything costs then; exact once nothing is left out of it.
#[derive(Clone, Copy, Debug)]
struct OnDay {
    point: CollectionPointIx,
    day: usize,
    visit: Scaled,
    given: bool,
    cost: Scaled,
    exact: bool,
}

/// What a patient does.
#[derive(Clone, Copy, Debug)]
enum Doing {
    NotRecalled,
    WithoutDate,
    Visit(OnDay),
}

/// Where the lines of a sample go.
#[derive(Clone, Copy, Debug, Default)]
struct Going {
    picked: Option<Picked>,
    anew: Option<Anew>,
}

impl Chooser {
    /// The cheapest choice of a patient; none only when nothing is for the stage to decide.
    pub(super) fn choose(&mut self, stage: &Stage<'_>, market: &Market<'_>, patient: PatientIx) -> Option<Choice> {
        self.opened = 0;
        for &sample in stage.samples_of(patient) {
            if self.cases.len() == self.opened {
                self.cases.push(SampleCase::default());
            }
            self.opened += usize::from(self.cases[self.opened].open(stage, market, sample));
        }
        if self.opened == 0 {
            return None;
        }
        let doing = self.best(stage, market, patient);
        let choice = self.assemble(stage, market, patient, doing);
        choice.or_else(|| self.assemble(stage, market, patient, Doing::WithoutDate))
    }

    fn best(&mut self, stage: &Stage<'_>, market: &Market<'_>, patient: PatientIx) -> Doing {
        let recalled = stage.before.recalled[patient.row()];
        // A line that is neither open nor kept has its patient recalled.
        let lost = |case: &SampleCase| case.lines.iter().any(|line| line.held >= NEVER && !line.open);
        let lost = self.cases[..self.opened].iter().any(lost);
        let not = if recalled || lost { NEVER } else { self.run_or_held(market) };
        let recallable = self.cases[..self.opened].iter().any(|case| case.recallable);
        let burden = if recalled { 0 } else { scaled(burden(market.snapshot, patient)) };
        let lowest: Scaled = self.cases[..self.opened].iter().map(SampleCase::lowest).sum();
        if !recallable || !recalled && not <= burden + lowest {
            return Doing::NotRecalled;
        }
        let alone = |case: &mut SampleCase| case.alone(market).cost;
        let without = burden + self.cases[..self.opened].iter_mut().map(alone).sum::<Scaled>().min(NEVER);
        let mut least = if without < not { (without, Doing::WithoutDate) } else { (not, Doing::NotRecalled) };
        self.visits(stage, market, patient, burden, &mut least);
        least.1
    }

    fn run_or_held(&mut self, market: &Market<'_>) -> Scaled {
        let mut total: Scaled = 0;
        for case in &mut self.cases[..self.opened] {
            self.otherwise.clear();
            self.otherwise.extend(case.lines.iter().map(|line| line.held));
            total += case.least(market, &self.otherwise).cost;
        }
        total.min(NEVER)
    }

    /// Tries every visit; a visit is looked at closely only when it may be the best.
    fn visits(
        &mut self,
        stage: &Stage<'_>,
        market: &Market<'_>,
        patient: PatientIx,
        burden: Scaled,
        least: &mut (Scaled, Doing),
    ) {
        self.possible_visits(stage, market, patient);
        let mut days = std::mem::take(&mut self.days);
        let rest = self.run_or_ever_anew(stage, market, &days);
        for on in &mut days {
            on.cost = burden + on.visit;
            if on.cost < least.0 {
                let day = on.facts(stage);
                for (case, &rest) in self.cases[..self.opened].iter_mut().zip(&rest) {
                    on.cost += of_sample(market, case, day, &mut self.otherwise, |_, _| rest).0;
                }
            }
        }
        while let Some(on) = days.iter_mut().min_by_key(|on| on.cost) {
            if on.cost >= least.0 {
                break;
            }
            if on.exact {
                *least = (on.cost, Doing::Visit(*on));
                break;
            }
            on.cost = burden + on.visit;
            on.exact = true;
            let day = on.facts(stage);
            for case in &mut self.cases[..self.opened] {
                on.cost += of_sample(market, case, day, &mut self.otherwise, |case, otherwise| {
                    open_or_anew(market, case, day, otherwise).0
                })
                .0;
            }
        }
        self.days = days;
    }

    fn possible_visits(&mut self, stage: &Stage<'_>, market: &Market<'_>, patient: PatientIx) {
        let snapshot = market.snapshot;
        self.days.clear();
        let given = stage.before.visit_of(patient);
        let mut points: Vec<CollectionPointIx> = Vec::with_capacity(2);
        for case in &self.cases[..self.opened] {
            let Some(sample) = case.sample.filter(|_| case.recallable) else { continue };
            let requester = snapshot.backlog.requests[snapshot.backlog.samples[sample].request].requester;
            let point = snapshot.network.requesters[requester].collection_point;
            if !points.contains(&point) && given.is_none_or(|given| given.point == point) {
                points.push(point);
            }
        }
        for point in points {
            for (day, facts) in stage.days(point).iter().enumerate() {
                let cells = [snapshot.capacity.visits(point, facts.day), snapshot.capacity.recall_cap(facts.day)];
                let price = || cells.iter().map(|cell| cell.map_or(NEVER, |cell| market.price(cell, 1))).sum();
                let visit = match given {
                    Some(given) if given.day == facts.day => 0,
                    Some(_) => NEVER,
                    None => price(),
                };
                if visit < NEVER {
                    let given = given.is_some();
                    self.days.push(OnDay { point, day, visit, given, cost: NEVER, exact: false });
                }
            }
        }
    }

    fn run_or_ever_anew(&mut self, stage: &Stage<'_>, market: &Market<'_>, days: &[OnDay]) -> Vec<Scaled> {
        let mut rest = Vec::with_capacity(self.opened);
        for case in &mut self.cases[..self.opened] {
            if !case.recallable || !case.has_open() {
                rest.push(0);
                continue;
            }
            self.ever.clear();
            self.ever.resize(case.lines.len(), NEVER);
            for on in days {
                case.each_anew(market, on.facts(stage), &mut self.ever);
            }
            self.otherwise.clear();
            let each = case.lines.iter().zip(&self.ever);
            self.otherwise.extend(each.map(|(line, &ever)| if line.open { ever.min(line.left_out) } else { 0 }));
            rest.push(case.least(market, &self.otherwise).cost);
        }
        rest
    }

    /// Puts a choice together; none when a line that may not be left out finds no place.
    fn assemble(&mut self, stage: &Stage<'_>, market: &Market<'_>, patient: PatientIx, doing: Doing) -> Option<Choice> {
        self.taken.clear();
        let mut samples = Vec::with_capacity(self.opened);
        let recalled = !matches!(doing, Doing::NotRecalled) || stage.before.recalled[patient.row()];
        for number in 0..self.opened {
            let going = self.going(stage, market, number, doing, recalled);
            samples.push(self.assemble_sample(stage, market, number, doing, going, recalled)?);
        }
        let mut choice = Choice { visit: None, samples: samples.into_boxed_slice() };
        let retests = choice.samples.iter().any(|sample| sample.recollection.is_some());
        if let Doing::Visit(on) = doing
            && retests
            && !on.given
        {
            choice.visit = Some(Visit { patient, point: on.point, day: on.facts(stage).day });
        }
        Some(choice)
    }

    fn going(&mut self, stage: &Stage<'_>, market: &Market<'_>, number: usize, doing: Doing, recalled: bool) -> Going {
        let case = &mut self.cases[number];
        if let Doing::Visit(on) = doing {
            let day = on.facts(stage);
            let (_, mut going, mixed) = of_sample(market, case, day, &mut self.otherwise, |case, otherwise| {
                open_or_anew(market, case, day, otherwise).0
            });
            if mixed {
                going.picked = open_or_anew(market, case, day, &mut self.otherwise).1;
            }
            return going;
        }
        if recalled {
            return Going { picked: case.alone(market).picked, anew: None };
        }
        self.otherwise.clear();
        self.otherwise.extend(case.lines.iter().map(|line| line.held));
        Going { picked: case.least(market, &self.otherwise).picked, anew: None }
    }

    fn assemble_sample(
        &mut self,
        stage: &Stage<'_>,
        market: &Market<'_>,
        number: usize,
        doing: Doing,
        going: Going,
        recalled: bool,
    ) -> Option<SampleChoice> {
        let case = &self.cases[number];
        let sample = case.sample?;
        let day = match doing {
            Doing::Visit(on) => Some(on.facts(stage)),
            _ => None,
        };
        let mut bench = Bench::new(stage, market, case, &mut self.taken, &mut self.results);
        bench.open(sample, going, day);
        let mut order: Vec<usize> = (0..case.lines.len()).collect();
        let scant = case.is_scant();
        order.sort_by_key(|&row| (std::cmp::Reverse(case.lines[row].claim(scant)), row));
        let mut lines: Vec<(LineIx, Disposition)> =
            case.lines.iter().map(|line| (line.line, Disposition::Recall(None))).collect();
        let mut left = Vec::new();
        for row in order {
            let otherwise = if recalled { case.lines[row].left_out } else { case.lines[row].held };
            match bench.place(row, going, day, otherwise) {
                Some(disposition) => lines[row].1 = disposition,
                None => left.push(row),
            }
        }
        left.retain(|&row| match bench.second(row) {
            Some(disposition) => {
                lines[row].1 = disposition;
                false
            }
            None => true,
        });
        let (steps, recollection, stays) = bench.finish();
        for row in left {
            lines[row].1 = leave_out(market, case, row, &stays, recalled)?;
        }
        Some(SampleChoice { sample, steps: steps.into_boxed_slice(), recollection, lines: lines.into_boxed_slice() })
    }
}

/// What happens to a line that is neither run nor re-tested; none when it must be recalled and may not.
fn leave_out(
    market: &Market<'_>,
    case: &SampleCase,
    row: usize,
    stays: &[labtriage_core::viability::Stay],
    recalled: bool,
) -> Option<Disposition> {
    let snapshot = market.snapshot;
    let line = case.lines[row].line;
    let end = snapshot.grid.horizon_end();
    let lost = snapshot.clocks[line].closes().is_none();
    if case.lines[row].reported || !lost && snapshot.clock_in(line, stays).closes().is_some_and(|closes| closes > end) {
        return Some(Disposition::Hold(Hold::Waiting));
    }
    let sample = &snapshot.backlog.samples[snapshot.backlog.lines[line].sample];
    if sample.irreplaceable {
        return Some(Disposition::Hold(Hold::Irreplaceable));
    }
    if snapshot.backlog.patients[snapshot.backlog.patient_of(line)].never_recalled() {
        return Some(Disposition::Hold(Hold::NotRecallable));
    }
    recalled.then_some(Disposition::Recall(None))
}

impl OnDay {
    fn facts<'s>(&self, stage: &'s Stage<'_>) -> &'s VisitDay {
        &stage.days(self.point)[self.day]
    }
}

/// The least cost of a sample with a visit, where its lines go, and whether some are run and some re-tested.
fn of_sample(
    market: &Market<'_>,
    case: &mut SampleCase,
    day: &VisitDay,
    otherwise: &mut Vec<Scaled>,
    open: impl FnOnce(&mut SampleCase, &mut Vec<Scaled>) -> Scaled,
) -> (Scaled, Going, bool) {
    otherwise.clear();
    otherwise.extend(case.lines.iter().map(|line| line.left_out));
    let run = case.alone(market);
    let mut least = (run.cost, Going { picked: run.picked, anew: None }, false);
    if !case.recallable {
        return least;
    }
    let (all, anew) = case.anew(market, day, otherwise, |_| true);
    if all < least.0 {
        least = (all, Going { picked: None, anew }, false);
    }
    if case.has_open() {
        let (lost, anew) = case.anew(market, day, otherwise, |line| !line.open);
        if lost < least.0 {
            let mixed = lost + open(case, otherwise);
            if mixed < least.0 {
                least = (mixed, Going { picked: None, anew }, true);
            }
        }
    }
    least
}

/// The least cost of the open lines, each run or re-tested on a day as it comes cheapest.
fn open_or_anew(
    market: &Market<'_>,
    case: &mut SampleCase,
    day: &VisitDay,
    otherwise: &mut Vec<Scaled>,
) -> (Scaled, Option<Picked>) {
    let mut each = vec![NEVER; case.lines.len()];
    case.each_anew(market, day, &mut each);
    otherwise.clear();
    otherwise.extend(case.lines.iter().zip(each).map(|(line, anew)| if line.open { anew.min(line.left_out) } else { 0 }));
    let least = case.least(market, otherwise);
    (least.cost, least.picked)
}

/// Where the lines of one sample find their slots, one after the other.
struct Bench<'b> {
    stage: &'b Stage<'b>,
    market: &'b Market<'b>,
    case: &'b SampleCase,
    taken: &'b mut Taken,
    results: &'b mut Vec<Scaled>,
    /// The way so far, with its booking in.
    way: Option<Way>,
    /// The slot from which on lines can be run from it.
    from: usize,
    booked: bool,
    ran: bool,
    retested: bool,
    recollection: Option<Recollection>,
    volume: u32,
    dead: [u32; 2],
    /// The second container, with the slot from which on lines can be run from it.
    aliquot: Option<(Way, usize)>,
}

impl<'b> Bench<'b> {
    fn new(
        stage: &'b Stage<'b>,
        market: &'b Market<'b>,
        case: &'b SampleCase,
        taken: &'b mut Taken,
        results: &'b mut Vec<Scaled>,
    ) -> Self {
        Self {
            stage,
            market,
            case,
            taken,
            results,
            way: None,
            from: 0,
            booked: false,
            ran: false,
            retested: false,
            recollection: None,
            volume: 0,
            dead: [0; 2],
            aliquot: None,
        }
    }

    fn open(&mut self, sample: SampleIx, going: Going, day: Option<&VisitDay>) {
        let tube = &self.stage.planner.tubes[sample];
        self.volume = tube.used.get();
        self.dead = tube.dead.map(Microlitres::get);
        if let Some((offer, picked)) = going.picked.map(|picked| (&self.case.offers[picked.offer], picked)) {
            self.take_way(offer, picked);
        }
        let known = tube.recollection;
        self.recollection = match (day, going.anew) {
            (Some(day), Some(anew)) => Some(Recollection {
                site: day.arrivals[anew.arrival].site,
                booked_in: SlotIx::from_row(anew.from),
            }),
            _ => None,
        };
        if known.is_some() {
            self.recollection = None;
        }
    }

    fn take_way(&mut self, offer: &Offer, picked: Picked) {
        let snapshot = self.market.snapshot;
        let mut way = offer.candidate.way.clone();
        self.booked = offer.booked;
        self.from = offer.thawed.unwrap_or(picked.from);
        if !offer.booked {
            way.book_in_at(snapshot, SlotIx::from_row(picked.from));
            if let Some(slot) = offer.thawed {
                // It was tried when the offer was made.
                let _ = way.thaw_in(snapshot, SlotIx::from_row(slot));
            }
        }
        self.way = Some(way);
    }

    /// Runs or re-tests a line where it costs least, if that is less than leaving it out.
    fn place(&mut self, row: usize, going: Going, day: Option<&VisitDay>, otherwise: Scaled) -> Option<Disposition> {
        let line = &self.case.lines[row];
        if line.reported {
            return self.report(line, otherwise);
        }
        let run = self.run(row, going);
        let retest = day.and_then(|day| self.retest(row, going, day));
        match (run, retest) {
            (Some((cost, run)), retest) if cost < otherwise && retest.is_none_or(|(other, _)| cost <= other) => {
                self.take_run(row, run);
                Some(Disposition::Run(run))
            }
            (_, Some((cost, run))) if cost < otherwise => {
                self.take_retest(row, run);
                Some(Disposition::Recall(Some(run)))
            }
            _ => None,
        }
    }

    fn report(&mut self, line: &LineCase, otherwise: Scaled) -> Option<Disposition> {
        let snapshot = self.market.snapshot;
        let site = snapshot.backlog.samples[snapshot.backlog.lines[line.line].sample].site;
        self.market.results(line.line, self.results);
        let price = |slot: usize| {
            let report = self.market.price_beside(self.taken, snapshot.capacity.reporting(site, SlotIx::from_row(slot)), 1);
            let cap = line.cap(self.market, slot).map_or(0, |cell| self.market.price_beside(self.taken, cell, 1));
            self.results[slot] + report + cap
        };
        let (cost, slot) = (0..self.results.len()).map(|slot| (price(slot), slot)).min()?;
        if cost >= NEVER || cost > otherwise {
            return None;
        }
        let slot = SlotIx::from_row(slot);
        let run = Run { analyser: None, slot, reported: slot };
        super::choice::run_uses(snapshot, line.line, run, true, &mut |cell, amount| self.taken.take(cell, amount));
        Some(Disposition::Run(run))
    }

    fn run(&mut self, row: usize, going: Going) -> Option<(Scaled, Run)> {
        let offer = &self.case.offers[going.picked?.offer];
        let site = self.way.as_ref()?.site;
        self.best_run(row, site, self.from..offer.until[row], Some(0))
    }

    fn retest(&mut self, row: usize, going: Going, day: &VisitDay) -> Option<(Scaled, Run)> {
        if !self.case.recallable {
            return None;
        }
        let known = self.case.sample.and_then(|sample| self.stage.planner.tubes[sample].recollection);
        let (site, from) = match (known, going.anew) {
            (Some(known), _) => (known.site, known.booked_in.row()),
            (None, Some(anew)) => (day.arrivals[anew.arrival].site, anew.from),
            (None, None) => return None,
        };
        let arrival = day.arrivals.iter().position(|arrival| arrival.site == site)?;
        let line = &self.case.lines[row];
        let until = day.until(arrival, line.test, line.specimen);
        self.best_run(row, site, from..until, None)
    }

    /// The cheapest test and report of a line at a site, beside what the patient has taken.
    fn best_run(
        &mut self,
        row: usize,
        site: SiteIx,
        within: std::ops::Range<usize>,
        container: Option<usize>,
    ) -> Option<(Scaled, Run)> {
        let line = &self.case.lines[row];
        let (market, snapshot) = (self.market, self.market.snapshot);
        if within.is_empty() || !snapshot.network.accepts(site, snapshot.bands[line.line]) {
            return None;
        }
        market.results(line.line, self.results);
        // From the last slot backwards: the cheapest report from each slot on.
        let mut out: (Scaled, usize) = (NEVER, 0);
        let mut best: Option<(Scaled, Run)> = None;
        for slot in (within.start..self.results.len()).rev() {
            let cell = snapshot.capacity.reporting(site, SlotIx::from_row(slot));
            let report = self.results[slot] + market.price_beside(self.taken, cell, 1);
            if report <= out.0 {
                out = (report, slot);
            }
            if slot >= within.end {
                continue;
            }
            for &analyser in market.menu.of(site, line.test) {
                if container.is_some_and(|container| !self.enough(line, analyser.0, container)) {
                    continue;
                }
                let price = |cell, amount| market.price_beside(self.taken, cell, amount);
                let cap = container.and_then(|_| line.cap(market, slot)).map_or(0, |cell| price(cell, 1));
                let cost = out.0 + cap + market.work(analyser, line.test, slot, price);
                if cost < NEVER && best.as_ref().is_none_or(|(least, _)| cost <= *least) {
                    let run = Run {
                        analyser: Some(analyser.0),
                        slot: SlotIx::from_row(slot),
                        reported: SlotIx::from_row(out.1),
                    };
                    best = Some((cost, run));
                }
            }
        }
        best
    }

    /// Whether the sample holds enough for one more test, with what the analyser loses.
    fn enough(&self, line: &LineCase, analyser: AnalyserIx, container: usize) -> bool {
        let snapshot = self.market.snapshot;
        let Some(sample) = self.case.sample else { return false };
        let loses = snapshot.network.analysers[analyser].dead_volume.get();
        let dead = self.dead[container].max(loses).saturating_add(self.dead[1 - container]);
        let needs = self.volume.saturating_add(snapshot.catalogue.tests[line.test].volume.get()).saturating_add(dead);
        needs <= snapshot.backlog.samples[sample].volume.get()
    }

    fn use_volume(&mut self, row: usize, run: Run, container: usize) {
        let snapshot = self.market.snapshot;
        let loses = run.analyser.map_or(0, |analyser| snapshot.network.analysers[analyser].dead_volume.get());
        self.dead[container] = self.dead[container].max(loses);
        self.volume = self.volume.saturating_add(snapshot.catalogue.tests[self.case.lines[row].test].volume.get());
    }

    fn take_run(&mut self, row: usize, run: Run) {
        let snapshot = self.market.snapshot;
        let (sample, line) = (self.case.sample, self.case.lines[row].line);
        if let (false, false, Some(way), Some(sample)) = (self.ran, self.booked, &self.way, sample) {
            steps_use(snapshot, sample, way.steps(), &mut |cell, amount| self.taken.take(cell, amount));
        }
        self.ran = true;
        super::choice::run_uses(snapshot, line, run, true, &mut |cell, amount| self.taken.take(cell, amount));
        self.use_volume(row, run, 0);
    }

    fn take_retest(&mut self, row: usize, run: Run) {
        let snapshot = self.market.snapshot;
        let line = self.case.lines[row].line;
        if let Some(new) = self.recollection
            && !self.retested
        {
            book_in_uses(snapshot, new.site, new.booked_in, &mut |cell, amount| self.taken.take(cell, amount));
        }
        self.retested = true;
        super::choice::run_uses(snapshot, line, run, false, &mut |cell, amount| self.taken.take(cell, amount));
    }

    /// Takes an aliquot to a second site for a line that found no place, if that costs less than
    /// leaving it out.
    fn second(&mut self, row: usize) -> Option<Disposition> {
        let otherwise = self.case.lines[row].left_out;
        if !self.ran || self.booked || self.case.lines[row].reported {
            return None;
        }
        if self.aliquot.is_some() {
            return self.follow_aliquot(row, otherwise);
        }
        let main = self.way.clone().filter(|way| self.case.divides(self.market, way))?;
        let (cost, way, run) = self.best_aliquot(row, &main)?;
        if cost >= otherwise {
            return None;
        }
        let (snapshot, sample) = (self.market.snapshot, self.case.sample?);
        let before = main.steps().len();
        let mut number = 0;
        // Only what the second container adds: the steps come in order, each with at most two uses.
        let taken = &mut *self.taken;
        let mut uses_before = 0;
        steps_use(snapshot, sample, main.steps(), &mut |_, _| uses_before += 1);
        steps_use(snapshot, sample, way.steps(), &mut |cell, amount| {
            number += 1;
            if number > uses_before {
                taken.take(cell, amount);
            }
        });
        debug_assert!(way.steps().len() > before);
        let from = way.slot.row();
        self.aliquot = Some((way, from));
        Some(self.take_second(row, run))
    }

    fn follow_aliquot(&mut self, row: usize, otherwise: Scaled) -> Option<Disposition> {
        let (way, from) = self.aliquot.as_ref()?;
        let (site, from, until) = (way.site, *from, runs_until(self.market, self.case.lines[row].line, &way.stays));
        let (cost, run) = self.best_run(row, site, from..until, Some(1))?;
        (cost < otherwise).then(|| self.take_second(row, run))
    }

    fn take_second(&mut self, row: usize, run: Run) -> Disposition {
        let line = self.case.lines[row].line;
        let taken = &mut *self.taken;
        super::choice::run_uses(self.market.snapshot, line, run, true, &mut |cell, amount| taken.take(cell, amount));
        self.use_volume(row, run, 1);
        Disposition::Run(run)
    }

    fn best_aliquot(&mut self, row: usize, main: &Way) -> Option<(Scaled, Way, Run)> {
        let (market, snapshot) = (self.market, self.market.snapshot);
        let slots = snapshot.grid.len();
        let mut way = main.clone();
        way.aliquot_where(snapshot, |from| {
            let cell = |slot| snapshot.capacity.aliquoting(main.site, SlotIx::from_row(slot));
            (from.row()..slots).find(|&slot| market.price(cell(slot), 1) < NEVER).map(SlotIx::from_row)
        })?;
        let prepared = Preparation { way, spin_there: false };
        let line = &self.case.lines[row];
        let mut found: Vec<Candidate> = Vec::new();
        let wanted = |site: SiteIx| site != main.site && market.menu.runs(site, line.test);
        candidates(market, self.stage.routes(), &prepared, 0, wanted, &mut found);
        let paid = super::ways::price_of(market, main);
        let mut best: Option<(Scaled, Way, Run)> = None;
        for candidate in found {
            let booked = (candidate.from..slots).map(|slot| (market.booking(candidate.way.site, slot), slot));
            let Some((booking, slot)) = booked.min() else { continue };
            let until = runs_until(market, line.line, &candidate.way.stays);
            let Some((cost, run)) = self.best_run(row, candidate.way.site, slot..until, Some(1)) else { continue };
            let cost = cost + booking + candidate.price - paid;
            if best.as_ref().is_none_or(|(least, ..)| cost < *least) {
                let mut way = candidate.way;
                way.book_in_at(snapshot, SlotIx::from_row(slot));
                best = Some((cost, way, run));
            }
        }
        best
    }

    /// The steps of the sample, its new tube, and how it is kept.
    fn finish(self) -> (Vec<Step>, Option<Recollection>, Vec<labtriage_core::viability::Stay>) {
        let snapshot = self.market.snapshot;
        let recollection = self.recollection.filter(|_| self.retested);
        let stays = match (&self.way, self.case.sample) {
            (Some(way), _) if self.ran || self.booked => way.stays.clone(),
            (_, Some(sample)) => match self.stage.standing(sample) {
                super::problem::Standing::Placed(places) => places.into_iter().next().map_or(Vec::new(), |(way, _)| way.stays),
                super::problem::Standing::Free => Way::start(snapshot, sample).stays,
            },
            (_, None) => Vec::new(),
        };
        let way = self.aliquot.map(|(way, _)| way).or(self.way);
        let steps = match way {
            Some(way) if self.ran && !self.booked => way.steps().to_vec(),
            _ => Vec::new(),
        };
        (steps, recollection, stays)
    }
}
