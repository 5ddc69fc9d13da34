//! What is the least that the lines of one sample can cost, at given prices?
//!
//! A sample is handled in one of a few ways, goes to a site, is booked in there from some slot on,
//! and each of its lines is run from that slot on, re-tested from a new tube, or left out, whichever
//! costs the line least. Nothing else that the laws demand is looked at, so that the least found
//! here is never more than what a lawful plan pays.

use crate::certificate::tables::{Tables, VisitDay};
use crate::certificate::window::{Handled, Keeping};
use crate::certificate::{NEVER, Scaled, scaled};
use crate::catalogue::Phase;
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
    until: [usize; 4],
    /// The result is there: not being left out means that it is reported at the sample's site.
    pub(super) reported: bool,
    /// Run or re-tested anywhere, whatever it takes to get there.
    pub(super) lowest: Scaled,
    /// Test and specimen, as [`crate::certificate::tables::Facts::pair`] numbers them.
    pub(super) pair: u32,
    /// What a test takes, in microlitres.
    volume: u32,
}

/// Where the lines of a sample are run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ran {
    /// Nowhere.
    Nothing,
    /// At one site, booked in in this slot.
    OneSite { handled: usize, site: SiteIx, from: usize },
    /// From two containers at two sites, booked in in these slots or later.
    TwoSites { handled: usize, first: (SiteIx, usize), second: (SiteIx, usize) },
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
    tested: Vec<Scaled>,
    /// Per line and slot: the cost of a result that is out at the end of the slot.
    results: Vec<Scaled>,
    stays: Vec<Stay>,
    best: Vec<Scaled>,
    shared: Vec<Scaled>,
    fresh: Vec<usize>,
    /// Not all of its lines can be run from what there is.
    scant: bool,
    /// Re-tests aside; worked out once.
    alone: Option<Least>,
    order: Vec<(Scaled, u32)>,
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
        for line in facts.lines().filter(in_stage) {
            match settled(snapshot, line) {
                Settled::At(cost) => self.fixed += cost,
                Settled::Reported => self.add_reported(tables, line, facts.site),
                Settled::Open => self.add(tables, line, never),
            }
        }
        self.test(tables);
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
        }
        self.lines.push(case);
    }

    fn case(tables: &Tables<'_>, line: LineIx, test: TestIx, held: Scaled, left_out: Scaled) -> LineCase {
        let snapshot = tables.facts.snapshot;
        let specimen = snapshot.backlog.samples[snapshot.backlog.lines[line].sample].specimen;
        LineCase {
            line,
            test,
            held,
            left_out,
            until: [0; 4],
            reported: false,
            lowest: NEVER,
            pair: tables.facts.pair(test, specimen),
            volume: snapshot.catalogue.tests[test].volume.get(),
        }
    }

    /// Works out what each line costs at each site and slot.
    fn test(&mut self, tables: &Tables<'_>) {
        let (facts, slots) = (tables.facts, tables.facts.slots);
        let sites = facts.snapshot.network.sites.len();
        self.tested.clear();
        self.tested.resize(self.lines.len() * sites * slots, NEVER);
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
                let mut out = NEVER;
                for slot in (0..slots).rev() {
                    out = out.min(report[slot] + self.results[slot]);
                    let cost = NEVER.min(run[slot] + out);
                    self.tested[first + slot] = cost;
                    case.lowest = case.lowest.min(cost);
                }
            }
        }
    }

    fn tested(&self, tables: &Tables<'_>, row: usize, site: SiteIx) -> &[Scaled] {
        let (sites, slots) = (tables.facts.snapshot.network.sites.len(), tables.facts.slots);
        let first = (row * sites + site.row()) * slots;
        &self.tested[first..first + slots]
    }

    /// Whether any line can be run from the sample.
    pub(super) fn has_open(&self) -> bool {
        self.lines.iter().any(LineCase::open)
    }

    /// The least cost of its lines when each may also be left out at its price in `otherwise`.
    pub(super) fn least(&mut self, tables: &Tables<'_>, otherwise: &[Scaled]) -> Least {
        let mut least = Least { cost: otherwise.iter().sum::<Scaled>().min(NEVER), ran: Ran::Nothing };
        for handled in 0..Handled::ALL.len() {
            // Freezing that keeps nothing longer only costs more.
            let longer = |line: &LineCase| line.until[handled] > if handled >= 2 { line.until[handled - 2] } else { 0 };
            if !self.lines.iter().any(longer) {
                continue;
            }
            let handling = self.handling(tables, handled);
            for site in tables.facts.snapshot.network.sites.indices() {
                self.at_one_site(tables, otherwise, handled, site, handling, &mut least);
            }
            self.at_two_sites(tables, otherwise, handled, handling, &mut least);
        }
        least
    }

    fn placed(&self, tables: &Tables<'_>) -> bool {
        self.sample.is_some_and(|sample| tables.before.placed[sample.row()])
    }

    /// The price of handling it so, wherever and whenever that is cheapest.
    fn handling(&self, tables: &Tables<'_>, handled: usize) -> Scaled {
        if self.placed(tables) {
            return 0;
        }
        let spin = tables.spin.last().copied().unwrap_or(NEVER);
        let Handled { spun, frozen } = Handled::ALL[handled];
        let of = |done: bool, price: Scaled| if done { price } else { 0 };
        of(spun, spin) + of(frozen, tables.freeze)
    }

    fn at_one_site(
        &mut self,
        tables: &Tables<'_>,
        otherwise: &[Scaled],
        handled: usize,
        site: SiteIx,
        handling: Scaled,
        least: &mut Least,
    ) {
        let Some(until) = self.last_run(tables, handled, site) else { return };
        let free = self.placed(tables);
        let sample = self.sample.map_or(site, |sample| tables.facts.snapshot.backlog.samples[sample].site);
        let reach = tables.reach(sample, site);
        let book = tables.of_site(&tables.book, site);
        let mut best = std::mem::take(&mut self.best);
        best.clear();
        best.extend_from_slice(otherwise);
        for from in (0..until).rev() {
            let way = if free { 0 } else { reach[from] + book[from] };
            let mut total = handling + way;
            for (row, best) in best.iter_mut().enumerate() {
                if from < self.lines[row].until[handled] {
                    *best = self.tested(tables, row, site)[from].min(*best);
                }
                total += *best;
            }
            if total < least.cost && self.scant {
                total += self.short_of_volume(tables, &best, otherwise, Some(site));
            }
            if total < least.cost {
                *least = Least { cost: total, ran: Ran::OneSite { handled, site, from } };
            }
            // Nothing reaches the site any earlier.
            if !free && reach[from] >= NEVER {
                break;
            }
        }
        self.best = best;
    }

    /// What it costs at the least to leave out as many of the lines that are run as there is too
    /// little volume for: the cheapest per volume first, the last one in part (the relaxed knapsack).
    fn short_of_volume(
        &mut self,
        tables: &Tables<'_>,
        best: &[Scaled],
        otherwise: &[Scaled],
        site: Option<SiteIx>,
    ) -> Scaled {
        let Some(sample) = self.sample else { return 0 };
        let facts = tables.facts;
        self.order.clear();
        let (mut needed, mut dead) = (0, u32::MAX);
        for (row, line) in self.lines.iter().enumerate().filter(|(row, _)| best[*row] < otherwise[*row]) {
            needed += line.volume;
            dead = dead.min(match site {
                Some(site) => facts.dead(site, line.test),
                // Each of two containers loses something.
                None => facts.dead_anywhere(line.test).saturating_mul(2),
            });
            self.order.push((otherwise[row] - best[row], line.volume.max(1)));
        }
        let there = facts.snapshot.backlog.samples[sample].volume.get();
        let mut short = if needed == 0 { 0 } else { needed.saturating_add(dead).saturating_sub(there) };
        if short == 0 {
            return 0;
        }
        // By loss per volume, compared across so that nothing is rounded.
        let across = |a: &(Scaled, u32), b: &(Scaled, u32)| i128::from(a.0) * i128::from(b.1);
        self.order.sort_unstable_by(|a, b| across(a, b).cmp(&across(b, a)));
        let mut lost = 0;
        for &(loss, volume) in &self.order {
            let part = short.min(volume);
            lost += if part == volume { loss } else { loss / Scaled::from(volume) * Scaled::from(part) };
            short -= part;
            if short == 0 {
                break;
            }
        }
        lost
    }

    /// Until which slot any line can be run at a site; none when none can.
    fn last_run(&self, tables: &Tables<'_>, handled: usize, site: SiteIx) -> Option<usize> {
        let here = self.lines.iter().filter(|line| line.until[handled] > 0 && tables.facts.runs(site, line.test));
        here.map(|line| line.until[handled]).max()
    }

    /// Two containers: the first goes to a site, the second is split off there and sent on. Each has
    /// at least one line and so at most one less than all of them; a line carries its share of the
    /// booking in of its container.
    fn at_two_sites(
        &mut self,
        tables: &Tables<'_>,
        otherwise: &[Scaled],
        handled: usize,
        handling: Scaled,
        least: &mut Least,
    ) {
        let snapshot = tables.facts.snapshot;
        let Some(sample) = self.sample else { return };
        let facts = &snapshot.backlog.samples[sample];
        let lines = self.lines.iter().filter(|line| line.until[handled] > 0).count();
        let separated = snapshot.backlog.state(sample).phase() == Phase::Separated || Handled::ALL[handled].spun;
        let lowest = |(line, &otherwise): (&LineCase, &Scaled)| line.lowest.min(otherwise);
        let at_best: Scaled = self.lines.iter().zip(otherwise).map(lowest).sum();
        let hopeless = handling + tables.cheapest_aliquot() + at_best >= least.cost && !self.placed(tables);
        if lines < 2 || !separated || hopeless || !snapshot.catalogue.specimens[facts.specimen].aliquots {
            return;
        }
        self.share(tables, handled, lines);
        for first in snapshot.network.sites.indices() {
            for second in snapshot.network.sites.indices() {
                self.at_pair(tables, otherwise, handled, handling, (facts.site, first, second), least);
            }
        }
    }

    /// Per line, site and slot: run at the site, booked in in that slot or later, with a share of that.
    fn share(&mut self, tables: &Tables<'_>, handled: usize, lines: usize) {
        let share = Scaled::try_from(lines - 1).unwrap_or(1);
        let (slots, free) = (tables.facts.slots, self.placed(tables));
        let sites = tables.facts.snapshot.network.sites.len();
        let mut shared = std::mem::take(&mut self.shared);
        shared.clear();
        shared.resize(self.lines.len() * sites * slots, NEVER);
        for (row, line) in self.lines.iter().enumerate() {
            for site in tables.facts.snapshot.network.sites.indices() {
                if !tables.facts.runs(site, line.test) {
                    continue;
                }
                let (tested, book) = (self.tested(tables, row, site), tables.of_site(&tables.book, site));
                let first = (row * sites + site.row()) * slots;
                let (mut best, mut least) = (NEVER, NEVER);
                for slot in (0..line.until[handled]).rev() {
                    best = best.min(tested[slot]);
                    let booked = if free || book[slot] == 0 { 0 } else { book[slot] / share };
                    least = least.min(best + booked);
                    shared[first + slot] = least;
                }
            }
        }
        self.shared = shared;
    }

    fn at_pair(
        &mut self,
        tables: &Tables<'_>,
        otherwise: &[Scaled],
        handled: usize,
        handling: Scaled,
        (from, first, second): (SiteIx, SiteIx, SiteIx),
        least: &mut Least,
    ) {
        let (sites, slots, free) =
            (tables.facts.snapshot.network.sites.len(), tables.facts.slots, self.placed(tables));
        let reach = tables.reach(from, first);
        let Some((aliquot, second_from)) = tables.aliquot(first, second) else { return };
        let there = reach.last().copied().unwrap_or(NEVER);
        let first_from = reach.partition_point(|&price| price >= NEVER);
        if there >= NEVER && !free || first_from >= slots || second_from >= slots {
            return;
        }
        let (mut total, mut first_from) = (handling + if free { 0 } else { there + aliquot }, first_from);
        let mut second_from = second_from;
        if free {
            (first_from, second_from) = (0, 0);
        }
        let mut best = std::mem::take(&mut self.best);
        best.clear();
        for (row, &otherwise) in otherwise.iter().enumerate() {
            let of = |site: SiteIx, from: usize| self.shared[(row * sites + site.row()) * slots + from];
            let cost = of(first, first_from).min(of(second, second_from)).min(otherwise);
            total += cost;
            best.push(cost);
        }
        if self.scant && total < least.cost {
            total += self.short_of_volume(tables, &best, otherwise, None);
        }
        self.best = best;
        if total < least.cost {
            let ran = Ran::TwoSites { handled, first: (first, first_from), second: (second, second_from) };
            *least = Least { cost: total, ran };
        }
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
        for (arrival, tube) in day.arrivals.iter().enumerate() {
            let book = tables.of_site(&tables.book, tube.site);
            self.fresh.clear();
            self.fresh.extend(self.lines.iter().map(|line| day.until(arrival, line.pair)));
            let last = self.fresh.iter().copied().max().unwrap_or(0);
            self.best.clear();
            self.best.extend_from_slice(otherwise);
            for from in (tube.from..last).rev() {
                let mut total = if free { 0 } else { book[from] };
                for (row, _) in self.lines.iter().enumerate().filter(|(_, line)| wanted(line)) {
                    if from < self.fresh[row] {
                        self.best[row] = self.tested(tables, row, tube.site)[from].min(self.best[row]);
                    }
                    total += self.best[row];
                }
                if total < least.0 {
                    least = (total, Some(Anew { arrival, from }));
                }
            }
        }
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
    pub(super) fn until_of(&self, row: usize, handled: usize) -> usize {
        self.lines[row].until[handled]
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
