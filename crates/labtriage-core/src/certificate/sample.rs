//! What is the least that the lines of one sample can cost, at given prices?
//!
//! A sample is handled in one of a few ways, goes to a site, is booked in there from some slot on,
//! and each of its lines is run from that slot on, re-tested from a new tube, or left out, whichever
//! costs the line least. Nothing else that the laws demand is looked at, so that the least found
//! here is never more than what a lawful plan pays.

use crate::certificate::facts::VisitDay;
use crate::certificate::runs::Runs;
use crate::certificate::tables::Tables;
use crate::certificate::volume::Wanted;
use crate::certificate::window::{Handled, Keeping};
use crate::certificate::{NEVER, Scaled, scaled};
use crate::cost::unserved_cost;
use crate::duplicates::Repeat;
use crate::plan::Hold;
use crate::snapshot::Snapshot;
use crate::table::{Ix, LineIx, SampleIx, SiteIx, TestIx};
use crate::viability::Stay;

/// One line of a sample, with what it costs to leave it out.
#[derive(Clone, Copy, Debug)]
pub(super) struct LineCase {
    pub(super) line: LineIx,
    pub(super) test: TestIx,
    /// Held or waiting, its patient not recalled for it.
    pub(super) held: Scaled,
    /// Left out in the cheapest way, its patient recalled.
    pub(super) left_out: Scaled,
    /// Per way of handling: the slots in which a run can end in time, from the first.
    pub(super) until: [usize; 4],
    /// Without and with freezing: the slots in which it can be spun in time, from the first.
    pub(super) spun_until: [usize; 2],
    /// The result is there: not being left out means that it is reported at the sample's site.
    pub(super) reported: bool,
    /// Run or re-tested anywhere, whatever it takes to get there.
    pub(super) lowest: Scaled,
    /// Test and specimen, as [`crate::certificate::facts::Facts::pair`] numbers them.
    pub(super) pair: u32,
    /// What a test takes, in microlitres.
    pub(super) volume: u32,
    /// The sites, one bit each, at which there is enough for this test and what is lost besides.
    pub(super) enough: u64,
}

/// The bit of a site; sites beyond the bits there are share the last.
pub(super) fn bit(site: SiteIx) -> u64 {
    1 << site.row().min(63)
}

/// Where the lines of a sample are run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ran {
    /// Nowhere.
    Nothing,
    /// At one site, booked in in this slot.
    OneSite { way: Handling, site: SiteIx, from: usize },
    /// From two containers at two sites, each booked in in its slot.
    TwoSites { first: (Handling, SiteIx, usize), second: (Handling, SiteIx, usize) },
}

/// How a sample is handled: as [`Handled`] numbers it, and in which slots it is spun.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Handling {
    pub(super) handled: usize,
    /// Spun in one of these slots; lines that must be spun earlier are not run.
    pub(super) spun: (usize, usize),
    /// Spun after a courier has brought it somewhere.
    pub(super) away: bool,
    /// The number of the window that this leaves to its lines.
    pub(super) window: usize,
    /// The sites, one bit each, for which this is of use: to one of these, and first to one of these. Elsewhere another
    /// way costs no more.
    pub(super) to: u64,
    pub(super) first_to: u64,
}

/// The bits of all sites.
pub(super) const ANYWHERE: u64 = u64::MAX;

impl Handling {
    /// Whether no courier takes it before the first slot has ended: it is spun where it stands first.
    pub(super) fn later(self) -> bool {
        self.spun.1 > 0 && !self.away
    }

    /// Whether it is frozen on the way.
    pub(super) fn frozen(self) -> bool {
        Handled::ALL[self.handled].frozen
    }

    /// The same without freezing.
    pub(super) fn unfrozen(self) -> Self {
        Self { handled: self.handled % 2, ..self }
    }

    /// Until which slot a line can be run, handled so.
    pub(super) fn until(self, line: &LineCase) -> usize {
        let in_time = self.spun.1 == 0 || line.spun_until[self.handled / 2] >= self.spun.1;
        if in_time { line.until[self.handled] } else { 0 }
    }
}

/// Adds to the total of each slot by how much a line costs less than otherwise if it may be run then or later; the
/// least that it costs.
pub(super) fn add_savings(total: &mut [Scaled], tested: &[Scaled], otherwise: Scaled) -> Scaled {
    let mut best = otherwise;
    for (total, tested) in total.iter_mut().zip(tested).rev() {
        best = best.min(*tested);
        *total += best - otherwise;
    }
    best
}

/// The least cost of running lines of a sample, and where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Least {
    pub(super) cost: Scaled,
    pub(super) ran: Ran,
}

/// A new tube: which arrival of its day, booked in in this slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Anew {
    pub(super) arrival: usize,
    pub(super) from: usize,
}

/// The lines of one sample before the prices; its buffers are used again from sample to sample.
#[derive(Default)]
pub(super) struct SampleCase {
    pub(super) sample: Option<SampleIx>,
    pub(super) lines: Vec<LineCase>,
    /// What lines cost that need no tube: held results, lines that must be held.
    pub(super) fixed: Scaled,
    pub(super) recallable: bool,
    /// Per line, site and slot: run there then and reported as cheaply as can be.
    pub(super) tested: Vec<Scaled>,
    /// Per line and site: the least of these before its last window closes.
    pub(super) lowest: Vec<Scaled>,
    /// Per line and slot: the cost of a result that is out at the end of the slot.
    results: Vec<Scaled>,
    stays: Vec<Stay>,
    /// Whether it can ever be frozen when it is not frozen on purpose, and when it is.
    pub(super) frozen: [bool; 2],
    pub(super) best: Vec<Scaled>,
    pub(super) run: Vec<Scaled>,
    pub(super) total: Vec<Scaled>,
    /// How it may be handled, and what its lines cost then.
    pub(super) ways: Vec<Handling>,
    pub(super) runs: Runs,
    /// Not all of its lines can be run from what there is.
    pub(super) scant: bool,
    /// Re-tests aside; worked out once.
    alone: Option<Least>,
    /// Lines that would be run, where there may be too little for all of them.
    pub(super) wanted: Vec<Wanted>,
}

/// The lines that no tube decides.
pub(super) enum Settled {
    /// They cost this, whatever is done.
    At(Scaled),
    /// The result is there and is only reported, at the sample's site.
    Reported,
    /// It is decided by what happens to the sample.
    Open,
}

impl SampleCase {
    /// Opens a sample for the lines of the stage; `false` when it has none.
    pub(super) fn open(&mut self, tables: &Tables<'_>, sample: SampleIx, stage: usize) -> bool {
        let snapshot = tables.facts.snapshot;
        let facts = &snapshot.backlog.samples[sample];
        self.sample = Some(sample);
        self.lines.clear();
        self.fixed = 0;
        let patient = snapshot.backlog.requests[facts.request].patient;
        let never = snapshot.backlog.patients[patient].never_recalled();
        self.recallable = !facts.irreplaceable && !never;
        let in_stage = |line: &LineIx| super::stage::of_line(snapshot, *line) == stage;
        if !facts.lines().any(|line| in_stage(&line)) {
            return false;
        }
        snapshot.stays(sample, &mut self.stays);
        self.frozen = [false, true].map(|freezing| tables.facts.reachable.may_be_frozen(snapshot, sample, freezing));
        for line in facts.lines().filter(in_stage) {
            match settled(snapshot, line) {
                Settled::At(cost) => self.fixed += cost,
                Settled::Reported => self.add_reported(tables, line, facts.site),
                Settled::Open => self.add(tables, line, never),
            }
        }
        self.test(tables);
        self.list_ways(tables);
        self.alone = None;
        self.scant = self.scant(tables, sample);
        true
    }

    /// Whether not all of its lines can be run from what there is.
    fn scant(&self, tables: &Tables<'_>, sample: SampleIx) -> bool {
        let facts = tables.facts;
        let all: u32 = self.lines.iter().filter(|line| line.open()).map(|line| line.volume).sum();
        let loses = |line: &LineCase| {
            facts.snapshot.network.sites.indices().map(|site| facts.dead(site, line.test)).max().unwrap_or(0)
        };
        let dead = self.lines.iter().map(loses).max().unwrap_or(0);
        all + dead > facts.snapshot.backlog.samples[sample].volume.get()
    }

    /// The least cost of its lines when each may also be left out, its patient recalled.
    pub(super) fn alone(&mut self, tables: &Tables<'_>) -> Least {
        if let Some(alone) = self.alone {
            return alone;
        }
        let otherwise: Vec<Scaled> = self.lines.iter().map(|line| line.left_out).collect();
        let alone = self.least(tables, &otherwise);
        self.alone = Some(alone);
        alone
    }

    /// A line whose result is there: reported at the sample's site, held, or re-tested like any other.
    fn add_reported(&mut self, tables: &Tables<'_>, line: LineIx, site: SiteIx) {
        let snapshot = tables.facts.snapshot;
        let unserved = scaled(unserved_cost(snapshot, line));
        self.results.clear();
        push_results(tables, line, &mut self.results);
        let report = tables.of_site(&tables.report, site);
        let least = self.results.iter().zip(report).map(|(result, report)| result + report).min();
        let held = least.unwrap_or(NEVER).min(unserved);
        let test = snapshot.backlog.lines[line].test;
        self.lines.push(LineCase { reported: true, ..Self::case(tables, line, test, held, held) });
    }

    fn add(&mut self, tables: &Tables<'_>, line: LineIx, never_recalled: bool) {
        let snapshot = tables.facts.snapshot;
        let facts = &snapshot.backlog.lines[line];
        let unserved = scaled(unserved_cost(snapshot, line));
        let irreplaceable = snapshot.backlog.samples[facts.sample].irreplaceable;
        let keeping = Keeping::new(snapshot, &tables.facts.reachable, line, &self.stays);
        let must_hold = snapshot.must_hold(line).is_some();
        let held = if never_recalled || must_hold || keeping.may_wait() {
            unserved
        } else if irreplaceable {
            unserved + scaled(snapshot.policy.irreplaceable_loss)
        } else {
            NEVER
        };
        let left_out = if self.recallable { unserved } else { held };
        let mut case = Self::case(tables, line, facts.test, held, left_out);
        if !must_hold {
            case.until = Handled::ALL.map(|handled| keeping.closes(handled).map_or(0, |at| snapshot.grid.ended_by(at)));
            case.spun_until = [Handled::ALL[1], Handled::ALL[3]].map(|handled| keeping.spins_until(handled));
        }
        self.lines.push(case);
    }

    fn case(tables: &Tables<'_>, line: LineIx, test: TestIx, held: Scaled, left_out: Scaled) -> LineCase {
        let snapshot = tables.facts.snapshot;
        let specimen = snapshot.backlog.samples[snapshot.backlog.lines[line].sample].specimen;
        let volume = snapshot.catalogue.tests[test].volume.get();
        let there = snapshot.backlog.samples[snapshot.backlog.lines[line].sample].volume.get();
        let fits = |site: &SiteIx| site.row() >= 63 || volume.saturating_add(tables.facts.dead(*site, test)) <= there;
        LineCase {
            line,
            test,
            held,
            left_out,
            until: [0; 4],
            spun_until: [0; 2],
            reported: false,
            lowest: NEVER,
            pair: tables.facts.pair(test, specimen),
            volume,
            enough: snapshot.network.sites.indices().filter(fits).fold(0, |sites, site| sites | bit(site)),
        }
    }

    /// Works out what each line costs at each site and slot.
    fn test(&mut self, tables: &Tables<'_>) {
        let (facts, slots) = (tables.facts, tables.facts.slots);
        let sites = facts.snapshot.network.sites.len();
        self.tested.clear();
        self.tested.resize(self.lines.len() * sites * slots, NEVER);
        self.lowest.clear();
        self.lowest.resize(self.lines.len() * sites, NEVER);
        let placed = self.placed(tables);
        let Some(sample) = self.sample else { return };
        let origin = facts.snapshot.backlog.samples[sample].site;
        for (row, case) in self.lines.iter_mut().enumerate() {
            self.results.clear();
            push_results(tables, case.line, &mut self.results);
            let band = facts.snapshot.bands[case.line];
            for site in facts.snapshot.network.sites.indices() {
                if !facts.runs(site, case.test) || !facts.snapshot.network.accepts(site, band) {
                    continue;
                }
                let first = (row * sites + site.row()) * slots;
                let report = tables.of_site(&tables.report, site);
                let run = tables.run(site, case.test);
                let tested = &mut self.tested[first..first + slots];
                let mut out = NEVER;
                for (((tested, run), report), result) in tested.iter_mut().zip(run).zip(report).zip(&self.results).rev()
                {
                    out = out.min(report + result);
                    *tested = NEVER.min(run + out);
                }
                let least = |slots: &[Scaled]| slots.iter().copied().min().unwrap_or(NEVER);
                case.lowest = case.lowest.min(least(tested));
                if case.enough & bit(site) != 0 {
                    let until = case.until.into_iter().max().unwrap_or(0);
                    let from = if placed { 0 } else { tables.travel(true).first_reached(origin, site) };
                    self.lowest[row * sites + site.row()] = tested.get(from..until).map_or(NEVER, least);
                }
            }
        }
    }

    pub(super) fn tested(&self, tables: &Tables<'_>, row: usize, site: SiteIx) -> &[Scaled] {
        let (sites, slots) = (tables.facts.snapshot.network.sites.len(), tables.facts.slots);
        let first = (row * sites + site.row()) * slots;
        &self.tested[first..first + slots]
    }

    /// Whether any line can be run from the sample.
    pub(super) fn has_open(&self) -> bool {
        self.lines.iter().any(LineCase::open)
    }

    /// The least cost of re-testing lines from one new tube of a day, each at most at its price in
    /// `otherwise`, over the lines that `wanted` names.
    pub(super) fn anew(
        &mut self,
        tables: &Tables<'_>,
        day: &VisitDay,
        otherwise: &[Scaled],
        wanted: impl Fn(&LineCase) -> bool,
    ) -> (Scaled, Option<Anew>) {
        let free = self.sample.is_some_and(|sample| tables.before.recollected[sample.row()]);
        let mut least = (NEVER, None);
        let mut total = std::mem::take(&mut self.total);
        for (arrival, tube) in day.arrivals.iter().enumerate() {
            let book = tables.of_site(&tables.book, tube.site);
            let until = |line: &LineCase| day.until(arrival, line.pair);
            let last = self.lines.iter().map(until).max().unwrap_or(0);
            if last <= tube.from {
                continue;
            }
            total.clear();
            total.extend(book[tube.from..last].iter().map(|book| if free { 0 } else { *book }));
            for (row, (line, &otherwise)) in self.lines.iter().zip(otherwise).enumerate() {
                if !wanted(line) {
                    continue;
                }
                total.iter_mut().for_each(|total| *total += otherwise);
                let Some(tested) = self.tested(tables, row, tube.site).get(tube.from..until(line)) else { continue };
                add_savings(&mut total, tested, otherwise);
            }
            for (from, &total) in (tube.from..last).zip(&total).rev() {
                if total < least.0 {
                    least = (total, Some(Anew { arrival, from }));
                }
            }
        }
        self.total = total;
        least
    }

    /// The least cost of re-testing each line on a day, whatever the others do and without booking in.
    pub(super) fn each_anew(&self, tables: &Tables<'_>, day: &VisitDay, least: &mut [Scaled]) {
        for (arrival, tube) in day.arrivals.iter().enumerate() {
            for (row, line) in self.lines.iter().enumerate() {
                let until = day.until(arrival, line.pair);
                if let Some(slots) = self.tested(tables, row, tube.site).get(tube.from..until) {
                    least[row] = slots.iter().copied().min().unwrap_or(NEVER).min(least[row]);
                }
            }
        }
    }

    /// The slot and cost in which a line is run at a site from a slot on, and before another.
    pub(super) fn slot_of(
        &self,
        tables: &Tables<'_>,
        row: usize,
        site: SiteIx,
        within: std::ops::Range<usize>,
    ) -> Option<(Scaled, usize)> {
        let slots = self.tested(tables, row, site);
        within.filter_map(|slot| slots.get(slot).map(|&cost| (cost, slot))).min()
    }

    /// Until which slot a line can be run, handled so.
    pub(super) fn until_of(&self, row: usize, way: Handling) -> usize {
        way.until(&self.lines[row])
    }
}

impl LineCase {
    /// Whether it can be run from its sample at all.
    pub(super) fn open(&self) -> bool {
        self.until.iter().any(|&until| until > 0)
    }
}

/// What is decided about a line whatever happens to its sample.
fn settled(snapshot: &Snapshot, line: LineIx) -> Settled {
    if snapshot.repeats[line] != Repeat::Survives {
        return Settled::At(0);
    }
    let forced = snapshot.overrides.force_discard(line).is_some();
    match snapshot.must_hold(line) {
        Some(Hold::Override(_)) => Settled::At(scaled(unserved_cost(snapshot, line))),
        Some(_) if !forced => Settled::At(scaled(unserved_cost(snapshot, line))),
        _ if snapshot.backlog.lines[line].result_held && !forced => Settled::Reported,
        _ => Settled::Open,
    }
}

/// The cost of a result of a line that is out at the end of each slot.
pub(super) fn push_results(tables: &Tables<'_>, line: LineIx, results: &mut Vec<Scaled>) {
    let snapshot = tables.facts.snapshot;
    let weight = i64::from(snapshot.weights[line].thousandths());
    let due = i64::from(snapshot.due[line].since(snapshot.now).get());
    let lateness = snapshot.policy.bands[snapshot.bands[line]].lateness.get().saturating_sub(100);
    results.extend(tables.facts.minutes.iter().map(|&minutes| {
        let late = weight * (minutes - due).max(0) / 1440;
        (weight * minutes / 1440 + late * i64::from(lateness) / 100) << super::SHIFT
    }));
}
