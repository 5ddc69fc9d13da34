//! Which option of a patient costs least, on what is left?
//!
//! Not recalled, recalled without a date, or recalled to a visit on one day: each is priced from
//! sums that the samples work out, then the best is put together line by line, on what is left
//! beside what the patient itself takes.

use labtriage_core::certificate::Scaled;
use labtriage_core::cost::burden;
use labtriage_core::plan::{Disposition, Hold, Visit};
use labtriage_core::table::{CollectionPointIx, Ix, LineIx, PatientIx};

use super::bench::Bench;
use super::choice::{Choice, SampleChoice};
use super::least::{Least, Picked};
use super::market::{Market, NEVER, NOTHING_SHARED, Taken, scaled};
use super::problem::{Stage, VisitDay};
use super::sample::SampleCase;

/// Working memory of one thread.
#[derive(Default)]
pub(crate) struct Chooser {
    cases: Vec<SampleCase>,
    opened: usize,
    otherwise: Vec<Scaled>,
    ever: Vec<Scaled>,
    days: Vec<OnDay>,
    /// Per sample: its open lines at the least, run or re-tested on whatever day.
    rest: Vec<Least>,
    /// Where each sample goes on the days looked at closely, one day after the other.
    found: Vec<Option<Picked>>,
    taken: Taken,
    results: Vec<Scaled>,
    /// Not at this point.
    elsewhere: Option<CollectionPointIx>,
    /// Not all lines find a place without a recall.
    must_recall: bool,
    left: Vec<u64>,
}

/// A visit with what everything costs then.
#[derive(Clone, Copy, Debug)]
struct OnDay {
    point: CollectionPointIx,
    day: usize,
    visit: Scaled,
    given: bool,
    cost: Scaled,
    /// Once nothing is left out of the cost: where among all that was found that of its samples begins.
    exact: Option<usize>,
}

/// What a patient does.
#[derive(Clone, Copy, Debug)]
enum Doing {
    NotRecalled,
    WithoutDate,
    Visit(OnDay),
}

impl Chooser {
    /// The cheapest choice of a patient, if that seems to cost less than `below`; otherwise none only when nothing is
    /// for the stage to decide.
    pub(super) fn choose(
        &mut self,
        stage: &Stage<'_>,
        market: &Market<'_>,
        patient: PatientIx,
        below: Scaled,
    ) -> Option<Choice> {
        self.open(stage, market, patient);
        if self.opened == 0 {
            return None;
        }
        (self.elsewhere, self.must_recall) = (None, false);
        let mut doing = self.best(stage, market, patient, below)?;
        let mut choice = self.assemble_or_again(stage, market, patient, doing);
        if let (Doing::NotRecalled, None) = (doing, &choice) {
            self.must_recall = true;
            doing = self.best(stage, market, patient, below)?;
            choice = self.assemble_or_again(stage, market, patient, doing);
        }
        if let (Doing::Visit(on), None) = (doing, &choice) {
            // Nobody is recalled for a request whose patients are bled there: somewhere else, then.
            self.elsewhere = Some(on.point);
            let doing = self.best(stage, market, patient, below)?;
            let other = self.assemble_or_again(stage, market, patient, doing);
            return other.or_else(|| self.assemble_or_again(stage, market, patient, Doing::WithoutDate));
        }
        choice.or_else(|| self.assemble_or_again(stage, market, patient, Doing::WithoutDate))
    }

    fn open(&mut self, stage: &Stage<'_>, market: &Market<'_>, patient: PatientIx) {
        self.opened = 0;
        for &sample in stage.samples_of(patient) {
            if self.cases.len() == self.opened {
                self.cases.push(SampleCase::default());
            }
            self.opened += usize::from(self.cases[self.opened].open(stage, market, sample));
        }
    }

    /// Puts a choice together; when its samples are in each other's way, one sample after the other,
    /// each on what those before it have left.
    fn assemble_or_again(
        &mut self,
        stage: &Stage<'_>,
        market: &Market<'_>,
        patient: PatientIx,
        doing: Doing,
    ) -> Option<Choice> {
        let choice = self.assemble(stage, market, patient, doing)?;
        if self.taken.fits(market) {
            return Some(choice);
        }
        let mut left = std::mem::take(&mut self.left);
        left.clear();
        left.extend_from_slice(market.left);
        let choice = self.assemble_apart(stage, market, patient, doing, &mut left);
        self.left = left;
        choice
    }

    fn assemble_apart(
        &mut self,
        stage: &Stage<'_>,
        market: &Market<'_>,
        patient: PatientIx,
        doing: Doing,
        left: &mut [u64],
    ) -> Option<Choice> {
        let recalled = !matches!(doing, Doing::NotRecalled) || stage.before.recalled[patient.row()];
        let mut samples = Vec::with_capacity(self.opened);
        for number in 0..self.opened {
            self.taken.clear();
            let beside = Market { left, shared: &NOTHING_SHARED, ..*market };
            let sample = self.cases[number].sample?;
            self.cases[number].open(stage, &beside, sample);
            let going = self.going(stage, &beside, (number, false), doing, recalled);
            let choice = self.assemble_sample(stage, &beside, number, doing, going, recalled)?;
            choice.uses(market.snapshot, &mut |cell, amount| {
                left[cell.row()] = left[cell.row()].saturating_sub(amount);
            });
            samples.push(choice);
        }
        complete(stage, market, patient, doing, samples)
    }

    /// What costs least, if that is below a limit.
    fn best(&mut self, stage: &Stage<'_>, market: &Market<'_>, patient: PatientIx, below: Scaled) -> Option<Doing> {
        let recalled = stage.before.recalled[patient.row()];
        // A line that is neither open nor kept has its patient recalled.
        let lost = |case: &SampleCase| case.lines.iter().any(|line| line.held >= NEVER && !line.open);
        let lost = self.cases[..self.opened].iter().any(lost);
        let not = if recalled || lost || self.must_recall { NEVER } else { self.run_or_held(market) };
        let recallable = self.cases[..self.opened].iter().any(|case| case.recallable);
        let burden = if recalled { 0 } else { scaled(burden(market.snapshot, patient)) };
        let lowest: Scaled = self.cases[..self.opened].iter().map(SampleCase::lowest).sum();
        if !recallable || !recalled && not <= burden + lowest {
            return (not < below).then_some(Doing::NotRecalled);
        }
        let alone = |case: &mut SampleCase| case.alone(market).cost;
        let without = burden + self.cases[..self.opened].iter_mut().map(alone).sum::<Scaled>().min(NEVER);
        let least = if without < not { (without, Doing::WithoutDate) } else { (not, Doing::NotRecalled) };
        let mut least = if least.0 < below { (least.0, Some(least.1)) } else { (below, None) };
        self.visits(stage, market, patient, (burden, lowest), &mut least);
        least.1
    }

    fn run_or_held(&mut self, market: &Market<'_>) -> Scaled {
        let mut total: Scaled = 0;
        for case in &mut self.cases[..self.opened] {
            self.otherwise.clear();
            self.otherwise.extend(case.lines.iter().map(|line| line.held));
            total += case.least(market, &self.otherwise, NEVER).cost;
        }
        total.min(NEVER)
    }

    /// Tries every visit; a visit is looked at closely only when it may be the best.
    fn visits(
        &mut self,
        stage: &Stage<'_>,
        market: &Market<'_>,
        patient: PatientIx,
        (burden, lowest): (Scaled, Scaled),
        least: &mut (Scaled, Option<Doing>),
    ) {
        self.possible_visits(stage, market, patient);
        let mut days = std::mem::take(&mut self.days);
        days.retain(|on| burden + on.visit + lowest < least.0);
        self.run_or_ever_anew(stage, market, &days);
        for on in &mut days {
            on.cost = burden + on.visit;
            let day = on.facts(stage);
            for (case, &rest) in self.cases[..self.opened].iter_mut().zip(&self.rest) {
                on.cost += of_sample(market, case, day, &mut self.otherwise, |_, _, _| rest).0;
            }
        }
        self.found.clear();
        while let Some(on) = days.iter_mut().min_by_key(|on| on.cost) {
            if on.cost >= least.0 {
                break;
            }
            if on.exact.is_some() {
                *least = (on.cost, Some(Doing::Visit(*on)));
                break;
            }
            on.cost = burden + on.visit;
            on.exact = Some(self.found.len());
            let day = on.facts(stage);
            for (case, rest) in self.cases[..self.opened].iter_mut().zip(&self.rest) {
                let (cost, going) = of_sample(market, case, day, &mut self.otherwise, |case, otherwise, limit| {
                    open_or_anew(market, case, day, otherwise, (limit, Some(rest)))
                });
                on.cost += cost;
                self.found.push(going);
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
            if !points.contains(&point)
                && self.elsewhere != Some(point)
                && given.is_none_or(|given| given.point == point)
            {
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
                    self.days.push(OnDay { point, day, visit, given, cost: NEVER, exact: None });
                }
            }
        }
    }

    fn run_or_ever_anew(&mut self, stage: &Stage<'_>, market: &Market<'_>, days: &[OnDay]) {
        self.rest.clear();
        for case in &mut self.cases[..self.opened] {
            if days.is_empty() || !case.recallable || !case.has_open() {
                self.rest.push(Least { cost: 0, picked: None });
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
            self.rest.push(case.least(market, &self.otherwise, NEVER));
        }
    }

    /// Puts a choice together; none when a line that may not be left out finds no place.
    fn assemble(&mut self, stage: &Stage<'_>, market: &Market<'_>, patient: PatientIx, doing: Doing) -> Option<Choice> {
        self.taken.clear();
        let mut samples = Vec::with_capacity(self.opened);
        let recalled = !matches!(doing, Doing::NotRecalled) || stage.before.recalled[patient.row()];
        for number in 0..self.opened {
            let going = self.going(stage, market, (number, true), doing, recalled);
            samples.push(self.assemble_sample(stage, market, number, doing, going, recalled)?);
        }
        complete(stage, market, patient, doing, samples)
    }

    /// Where a sample goes; `known` says that it is as it was when that was worked out.
    fn going(
        &mut self,
        stage: &Stage<'_>,
        market: &Market<'_>,
        (number, known): (usize, bool),
        doing: Doing,
        recalled: bool,
    ) -> Option<Picked> {
        let case = &mut self.cases[number];
        if let Doing::Visit(on) = doing {
            let found = on.exact.and_then(|found| self.found.get(found + number)).filter(|_| known);
            let going = found.copied().unwrap_or_else(|| {
                let day = on.facts(stage);
                let open = |case: &mut SampleCase, otherwise: &mut Vec<Scaled>, limit| {
                    open_or_anew(market, case, day, otherwise, (limit, None))
                };
                of_sample(market, case, day, &mut self.otherwise, open).1
            });
            return going;
        }
        if recalled {
            return case.alone(market).picked;
        }
        self.otherwise.clear();
        self.otherwise.extend(case.lines.iter().map(|line| line.held));
        case.least(market, &self.otherwise, NEVER).picked
    }

    fn assemble_sample(
        &mut self,
        stage: &Stage<'_>,
        market: &Market<'_>,
        number: usize,
        doing: Doing,
        going: Option<Picked>,
        recalled: bool,
    ) -> Option<SampleChoice> {
        let day = match doing {
            Doing::Visit(on) => Some(on.facts(stage)),
            _ => None,
        };
        let case = &mut self.cases[number];
        let sample = case.sample?;
        let mut each = vec![NEVER; case.lines.len()];
        if let Some(day) = day.filter(|_| case.recallable) {
            case.each_anew(market, day, &mut each);
        }
        let otherwise = |case: &SampleCase, row: usize| {
            let line = &case.lines[row];
            if recalled { line.left_out } else { line.held }
        };
        let mut lines: Vec<(LineIx, Disposition)> =
            case.lines.iter().map(|line| (line.line, Disposition::Recall(None))).collect();
        let mut left = case.in_order_of_claim();
        let mut bench = Bench::new(stage, market, &mut self.taken, &mut self.results);
        bench.open(case, sample, going);
        left.retain(|&row| {
            let run = bench.run_or_report(case, row, going, otherwise(case, row).min(each[row]));
            run.inspect(|run| lines[row].1 = Disposition::Run(*run)).is_none()
        });
        left.retain(|&row| {
            let run = bench.second(case, row, otherwise(case, row).min(each[row]));
            run.inspect(|run| lines[row].1 = Disposition::Run(*run)).is_none()
        });
        if let Some(day) = day {
            bench.collect_anew(case, day, &left);
            left.retain(|&row| {
                let run = bench.retest(case, row, day, otherwise(case, row));
                run.inspect(|run| lines[row].1 = Disposition::Recall(Some(*run))).is_none()
            });
        }
        let (steps, recollection, stays) = bench.finish(case);
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

/// The choice of these samples, with its visit; none when nobody is recalled where that would be.
fn complete(
    stage: &Stage<'_>,
    market: &Market<'_>,
    patient: PatientIx,
    doing: Doing,
    samples: Vec<SampleChoice>,
) -> Option<Choice> {
    let mut choice = Choice { visit: None, samples: samples.into_boxed_slice() };
    let retests = choice.samples.iter().any(|sample| sample.recollection.is_some());
    if let Doing::Visit(on) = doing
        && retests
        && !on.given
    {
        if !bled_at(market, &choice, on.point) {
            return None;
        }
        choice.visit = Some(Visit { patient, point: on.point, day: on.facts(stage).day });
    }
    Some(choice)
}

/// Whether a recalled line is of a requester whose patients are bled at a point.
fn bled_at(market: &Market<'_>, choice: &Choice, point: CollectionPointIx) -> bool {
    let snapshot = market.snapshot;
    let recalled = |sample: &SampleChoice| sample.lines.iter().any(|(_, line)| matches!(line, Disposition::Recall(_)));
    choice.samples.iter().filter(|sample| recalled(sample)).any(|sample| {
        let request = &snapshot.backlog.requests[snapshot.backlog.samples[sample.sample].request];
        snapshot.network.requesters[request.requester].collection_point == point
    })
}

impl OnDay {
    fn facts<'s>(&self, stage: &'s Stage<'_>) -> &'s VisitDay {
        &stage.days(self.point)[self.day]
    }
}

/// The least cost of a sample with a visit, and where its lines go; `open` says how the open ones cost least, if that is
/// below a limit.
fn of_sample(
    market: &Market<'_>,
    case: &mut SampleCase,
    day: &VisitDay,
    otherwise: &mut Vec<Scaled>,
    open: impl FnOnce(&mut SampleCase, &mut Vec<Scaled>, Scaled) -> Least,
) -> (Scaled, Option<Picked>) {
    otherwise.clear();
    otherwise.extend(case.lines.iter().map(|line| line.left_out));
    let run = case.alone(market);
    let mut least = (run.cost, run.picked);
    if !case.recallable {
        return least;
    }
    let (all, _) = case.anew(market, day, otherwise, |_| true);
    if all < least.0 {
        least = (all, None);
    }
    if case.has_open() {
        let (lost, _) = case.anew(market, day, otherwise, |line| !line.open);
        if lost < least.0 {
            let open = open(case, otherwise, least.0 - lost);
            if lost + open.cost < least.0 {
                least = (lost + open.cost, open.picked);
            }
        }
    }
    least
}

/// The least cost of the open lines, each run or re-tested on a day as it comes cheapest, if that is below a limit;
/// given what they cost at the least on whatever day, if that is known.
fn open_or_anew(
    market: &Market<'_>,
    case: &mut SampleCase,
    day: &VisitDay,
    otherwise: &mut Vec<Scaled>,
    (limit, ever): (Scaled, Option<&Least>),
) -> Least {
    if let Some(ever) = ever.filter(|ever| ever.cost >= limit) {
        return Least { cost: limit, ..*ever };
    }
    let mut each = vec![NEVER; case.lines.len()];
    case.each_anew(market, day, &mut each);
    otherwise.clear();
    otherwise
        .extend(case.lines.iter().zip(each).map(|(line, anew)| if line.open { anew.min(line.left_out) } else { 0 }));
    let Some(ever) = ever else { return case.least(market, otherwise, limit) };
    // What is best on whatever day mostly is on this one.
    let same = case.cost_of(market, otherwise, ever.picked);
    if same <= ever.cost {
        return Least { cost: same, ..*ever };
    }
    case.least(market, otherwise, limit.min(same + 1))
}
