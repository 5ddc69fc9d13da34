//! What are the options of one sample, and which costs least?
//!
//! For each line, site and slot the cost of a test is worked out once: the cheapest analyser, then
//! the cheapest slot to report in. Each way of the sample then only looks up sums.

use labtriage_core::catalogue::State;
use labtriage_core::certificate::Scaled;
use labtriage_core::cost::unserved_cost;
use labtriage_core::duplicates::Repeat;
use labtriage_core::table::{Ix, LineIx, SampleIx, SiteIx, SlotIx, SpecimenIx, TestIx};

use super::least::Least;
use super::market::{Market, NEVER, scaled};
use super::memo::{Memo, Span};
use super::offers::Offer;
use super::problem::Stage;
use super::split::Splits;
use super::ways::Candidate;
use crate::way::Way;

/// One line of a sample, with what it costs to leave it out.
#[derive(Clone, Copy, Debug)]
pub(super) struct LineCase {
    pub(super) line: LineIx,
    pub(super) test: TestIx,
    /// Held or waiting, its patient not recalled for it; [`NEVER`] when it cannot.
    pub(super) held: Scaled,
    /// Left out in the cheapest way, its patient recalled.
    pub(super) left_out: Scaled,
    pub(super) weight: u32,
    /// The result is there: reported at the sample's site.
    pub(super) reported: bool,
    /// Can be run from the sample in one of its ways.
    pub(super) open: bool,
    /// Its requester has a cap.
    capped: bool,
    pub(super) specimen: SpecimenIx,
    /// What a test takes, in microlitres.
    pub(super) volume: u32,
}

/// One sample with its lines of the stage; its buffers are used again from sample to sample.
#[derive(Default)]
pub(super) struct SampleCase {
    pub(super) sample: Option<SampleIx>,
    pub(super) lines: Vec<LineCase>,
    pub(super) recallable: bool,
    pub(super) offers: Vec<Offer>,
    pub(super) splits: Splits,
    tested: Vec<Scaled>,
    lowest: Vec<Scaled>,
    /// The same of lines that are run from the sample, before the last of their windows closes.
    lowest_run: Vec<Scaled>,
    results: Vec<Scaled>,
    pub(super) memo: Memo,
    pub(super) totals: Vec<Scaled>,
    pub(super) until: Vec<usize>,
    pub(super) found: Vec<Candidate>,
    /// What there is of it, in microlitres, and whether that may be too little for all of its lines.
    pub(super) there: u32,
    pub(super) scant: bool,
    pub(super) order: Vec<(Scaled, Scaled, u32, usize)>,
    pub(super) alone: Option<Least>,
}

impl SampleCase {
    /// Opens a sample for the lines that the stage decides; `false` when it has none.
    pub(super) fn open(&mut self, stage: &Stage<'_>, market: &Market<'_>, sample: SampleIx) -> bool {
        let snapshot = market.snapshot;
        let facts = &snapshot.backlog.samples[sample];
        self.sample = Some(sample);
        self.lines.clear();
        self.offers.clear();
        self.splits.clear();
        let patient = snapshot.backlog.requests[facts.request].patient;
        let never = snapshot.backlog.patients[patient].never_recalled();
        self.recallable = !facts.irreplaceable && !never;
        for line in facts.lines().filter(|&line| stage.decides(line)) {
            self.add(market, line, never);
        }
        if self.lines.is_empty() {
            return false;
        }
        self.test(market);
        self.memo.clear(market, self.lines.len());
        self.offer(stage, market, sample);
        self.find_lowest_run(market);
        self.there = facts.volume.get().saturating_sub(stage.planner.tubes[sample].used.get());
        self.scant = self.scant(market);
        self.alone = None;
        true
    }

    /// Whether what there is may be too little for all lines, wherever they are run.
    fn scant(&self, market: &Market<'_>) -> bool {
        let dead = market.snapshot.network.sites.indices().map(|site| self.most_dead(market, site)).max();
        self.volume().saturating_add(dead.unwrap_or(0)) > self.there
    }

    /// What all lines take that can be run from it, in microlitres.
    pub(super) fn volume(&self) -> u32 {
        self.lines.iter().filter(|line| line.open).map(|line| line.volume).sum()
    }

    /// What is lost at the most when any of the lines is run at a site, in microlitres.
    pub(super) fn most_dead(&self, market: &Market<'_>, site: SiteIx) -> u32 {
        let open = self.lines.iter().filter(|line| line.open);
        open.flat_map(|line| market.menu.of(site, line.test)).map(|runs| runs.dead_volume).max().unwrap_or(0)
    }

    /// What is lost at the least when any of the lines is run at a site, in microlitres.
    pub(super) fn dead(&self, market: &Market<'_>, site: SiteIx) -> u32 {
        let open = self.lines.iter().filter(|line| line.open);
        let runs = open.flat_map(|line| market.menu.of(site, line.test));
        runs.map(|runs| runs.dead_volume).min().unwrap_or(0)
    }

    /// Its lines, those first that choose first.
    pub(super) fn in_order_of_claim(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.lines.len()).collect();
        let scant = self.scant;
        order.sort_by_key(|&row| (std::cmp::Reverse(self.lines[row].claim(scant)), row));
        order
    }

    fn add(&mut self, market: &Market<'_>, line: LineIx, never: bool) {
        let snapshot = market.snapshot;
        debug_assert_eq!(snapshot.repeats[line], Repeat::Survives);
        let facts = &snapshot.backlog.lines[line];
        let sample = &snapshot.backlog.samples[facts.sample];
        let unserved = scaled(unserved_cost(snapshot, line));
        let (mut held, mut left_out) = (NEVER, unserved);
        if facts.result_held {
            held = self.reported(market, line, sample.site).min(unserved);
            left_out = held;
        } else if never || self.keeps_as_it_is(market, line) {
            held = unserved;
        } else if sample.irreplaceable {
            held = unserved + scaled(snapshot.policy.irreplaceable_loss);
        }
        if !self.recallable {
            left_out = held;
        }
        let requester = snapshot.backlog.requests[sample.request].requester;
        let capped = snapshot.capacity.requester_cap(requester, snapshot.grid.first_day()).is_some();
        self.lines.push(LineCase {
            line,
            test: facts.test,
            held,
            left_out,
            weight: snapshot.weights[line].thousandths(),
            reported: facts.result_held,
            open: false,
            capped,
            specimen: sample.specimen,
            volume: snapshot.catalogue.tests[facts.test].volume.get(),
        });
    }

    fn keeps_as_it_is(&self, market: &Market<'_>, line: LineIx) -> bool {
        let snapshot = market.snapshot;
        let end = snapshot.grid.horizon_end();
        snapshot.clocks[line].closes().is_some_and(|closes| closes > end)
    }

    fn reported(&mut self, market: &Market<'_>, line: LineIx, site: SiteIx) -> Scaled {
        market.results(line, &mut self.results);
        let capacity = &market.snapshot.capacity;
        let price = |slot| market.price(capacity.reporting(site, SlotIx::from_row(slot)), 1);
        (0..self.results.len()).map(|slot| self.results[slot] + price(slot)).min().unwrap_or(NEVER)
    }

    /// Works out what a test of each line costs at each site and slot.
    fn test(&mut self, market: &Market<'_>) {
        let snapshot = market.snapshot;
        let (sites, slots) = (snapshot.network.sites.len(), snapshot.grid.len());
        self.tested.clear();
        self.tested.resize(self.lines.len() * sites * slots, NEVER);
        self.lowest.clear();
        self.lowest.resize(self.lines.len() * sites, NEVER);
        for (row, case) in self.lines.iter().enumerate() {
            market.results(case.line, &mut self.results);
            let band = snapshot.bands[case.line];
            for site in snapshot.network.sites.indices() {
                if case.reported && !self.recallable || !snapshot.network.accepts(site, band) {
                    continue;
                }
                let first = (row * sites + site.row()) * slots;
                let tested = &mut self.tested[first..first + slots];
                if !market.menu.runs(site, case.test) {
                    continue;
                }
                market.work_by_slot(site, case.test, tested);
                let (mut out, mut lowest) = (NEVER, NEVER);
                for ((tested, report), result) in tested.iter_mut().zip(market.reporting(site)).zip(&self.results).rev()
                {
                    out = out.min(result + report);
                    *tested = NEVER.min(*tested + out);
                    lowest = lowest.min(*tested);
                }
                self.lowest[row * sites + site.row()] = lowest;
            }
        }
    }

    /// Works out what lines that are run from the sample cost at the least at each site.
    fn find_lowest_run(&mut self, market: &Market<'_>) {
        let mut lowest = std::mem::take(&mut self.lowest_run);
        lowest.clear();
        for row in 0..self.lines.len() {
            let longest = self.memo.longest(row);
            let least = |site| self.tested(market, row, site)[..longest].iter().copied().min().unwrap_or(NEVER);
            lowest.extend(market.snapshot.network.sites.indices().map(least));
        }
        self.lowest_run = lowest;
    }

    /// The least that a line costs when it is run from the sample at any site.
    pub(super) fn lowest_run_of(&self, row: usize) -> Scaled {
        self.lowest_run().nth(row).and_then(|sites| sites.iter().min()).map_or(NEVER, |&lowest| lowest)
    }

    /// What a test costs a line at a site, per slot.
    pub(super) fn tested(&self, market: &Market<'_>, row: usize, site: SiteIx) -> &[Scaled] {
        let (sites, slots) = (market.snapshot.network.sites.len(), market.snapshot.grid.len());
        let first = (row * sites + site.row()) * slots;
        &self.tested[first..first + slots]
    }

    /// The least that a line costs at each site, run from the sample in any of its ways.
    pub(super) fn lowest_run(&self) -> impl Iterator<Item = &[Scaled]> {
        self.lowest_run.chunks((self.lowest_run.len() / self.lines.len().max(1)).max(1))
    }

    /// The least that its lines can cost, wherever and whenever, run or re-tested.
    pub(super) fn lowest(&self) -> Scaled {
        let each = self.lines.iter().zip(self.lowest.chunks((self.lowest.len() / self.lines.len().max(1)).max(1)));
        each.map(|(line, sites)| sites.iter().copied().min().unwrap_or(NEVER).min(line.left_out)).sum()
    }

    /// Until which slot a line can be run in a span, from the first.
    pub(super) fn until(&self, span: Span, row: usize) -> usize {
        self.memo.until(span)[row]
    }

    pub(super) fn has_open(&self) -> bool {
        self.lines.iter().any(|line| line.open)
    }

    /// Whether the sample may go with an aliquot to a second site on a way.
    pub(super) fn divides(&self, market: &Market<'_>, way: &Way) -> bool {
        let Some(sample) = self.sample else { return false };
        let specimen = market.snapshot.backlog.samples[sample].specimen;
        market.snapshot.catalogue.specimens[specimen].aliquots
            && way.separated()
            && !matches!(way.state(), State::SeparatedThawed | State::SeparatedFrozen)
    }
}

impl LineCase {
    /// Who chooses first: by weight, and where volume is scant by weight for what a test takes.
    fn claim(&self, scant: bool) -> u64 {
        let per = if scant { u64::from(self.volume.max(1)) } else { 1 };
        u64::from(self.weight) * 1000 / per
    }

    /// The cell of its requester's cap in a slot.
    pub(super) fn cap(&self, market: &Market<'_>, slot: usize) -> Option<labtriage_core::table::CellIx> {
        let snapshot = market.snapshot;
        let requester = snapshot.backlog.requests[snapshot.backlog.request_of(self.line)].requester;
        let day = snapshot.grid.day(SlotIx::from_row(slot));
        snapshot.capacity.requester_cap(requester, day).filter(|_| self.capped)
    }
}
