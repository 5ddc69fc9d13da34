//! What would have saved a line? The line alone is planned again, site by site, with a little more
//! of nothing, then of one kind of thing, then of two, of three, at last of everything.
//!
//! Everything else of the plan stays as it is; but where the way that the tube has stands against
//! the line, the whole tube is planned again, and every line that was run from it must still be run.
//! Where even everything does not help, a law is named.

use labtriage_core::audit::{Law, audit};
use labtriage_core::capacity::{Resource, When};
use labtriage_core::catalogue::Phase;
use labtriage_core::plan::{Disposition, Plan, Run, SamplePlan, Step};
use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::{CellIx, Ix, LineIx, SampleIx, SiteIx, SlotIx, Table};

use super::{Change, Lacking, Obstacle, Place, Stop, left_over, opens};
use crate::greedy::{Planner, Tube};
use crate::place::Container;
use crate::uses;
use crate::way::Way;
use crate::within::Within;

/// Most lines named as having outranked another.
const OUTRANKED_BY_MAX: usize = 5;

/// How many kinds of things there are to have more of.
const KINDS: u32 = 10;

/// Up to so many kinds, every set of them is tried; beyond, only all of them together.
const TOGETHER_MAX: u32 = 3;

/// How many of the smallest changes are tried on the audit before none is named.
const AUDITED_MAX: usize = 3;

/// What stopped a line at each site that its tube can reach, and the smallest change that saves it.
pub(super) fn stopped(snapshot: &Snapshot, plan: &Plan, line: LineIx, left: Table<CellIx, u64>) -> Obstacle {
    let mut as_planned = Saving::new(snapshot, plan, line, left);
    let mut sites = as_planned.sites();
    let bare = as_planned.tube.placed.is_some().then(|| without_tube(plan, as_planned.sample, snapshot));
    let mut anew = bare.as_ref().map(|bare| Saving::anew(snapshot, plan, bare, line));
    if let Some(anew) = &anew {
        let more: Vec<SiteIx> = anew.sites().into_iter().filter(|site| !sites.contains(site)).collect();
        sites.extend(more);
    }
    let (mut stops, mut ways) = (Vec::new(), Vec::new());
    for site in sites {
        let way = as_planned.least(site).or_else(|| anew.as_mut()?.least(site));
        let lacking = way.as_ref().map(|way| Stop::Lacking(way.lacking.clone()));
        let stop = lacking.unwrap_or_else(|| Stop::Law(as_planned.law_against(site)));
        stops.push(Place { site, stop });
        ways.extend(way);
    }
    ways.sort_by_key(Replanned::rank);
    let verified = ways.into_iter().take(AUDITED_MAX).find(|way| lawful(snapshot, plan, line, way));
    let change = verified.map(|Replanned { run, others, steps, lacking }| {
        let used_by = users(snapshot, plan, &lacking);
        Change { lacking, run, others, steps, used_by }
    });
    Obstacle::Stopped { places: stops, change }
}

/// The plan without the way and the runs of a tube.
fn without_tube(plan: &Plan, sample: SampleIx, snapshot: &Snapshot) -> Plan {
    let mut bare = plan.clone();
    bare.samples[sample].steps = 0;
    for line in snapshot.backlog.samples[sample].lines().filter(|&line| runs(plan, line)) {
        bare.lines[line] = Disposition::Recall(None);
    }
    bare
}

/// Whether a line is run on an analyser.
fn runs(plan: &Plan, line: LineIx) -> bool {
    matches!(plan.lines[line], Disposition::Run(Run { analyser: Some(_), .. }))
}

/// A line planned again.
struct Replanned {
    run: Run,
    /// The other lines of the tube, where they are planned again with it.
    others: Vec<(LineIx, Run)>,
    /// All steps of its tube.
    steps: Vec<Step>,
    lacking: Vec<Lacking>,
}

impl Replanned {
    /// Fewer cells are less, then fewer other lines, then the sooner result, then fewer steps.
    fn rank(&self) -> (usize, usize, SlotIx, SlotIx, usize) {
        (self.lacking.len(), self.others.len(), self.run.reported, self.run.slot, self.steps.len())
    }
}

struct Saving<'a> {
    snapshot: &'a Snapshot,
    line: LineIx,
    sample: SampleIx,
    planner: Planner<'a>,
    /// Lines that must be run from the tube as well, the most pressing first.
    others: Vec<LineIx>,
    /// The tube as the plan has it.
    tube: Tube,
    left: Table<CellIx, u64>,
    /// What each cell is given more of, and how much; nothing where it would be of no use.
    more: Table<CellIx, Option<(u32, u64)>>,
}

impl<'a> Saving<'a> {
    fn new(snapshot: &'a Snapshot, plan: &Plan, line: LineIx, left: Table<CellIx, u64>) -> Self {
        let sample = snapshot.backlog.lines[line].sample;
        let planner = Planner::resume(snapshot, plan, sample);
        let more = left.indices().map(|cell| more(snapshot, line, cell)).collect();
        let tube = planner.tubes[sample];
        Self { snapshot, line, sample, planner, others: Vec::new(), tube, left, more }
    }

    /// The tube goes its way anew: the line first, then every line that the plan runs from it.
    fn anew(snapshot: &'a Snapshot, plan: &Plan, bare: &Plan, line: LineIx) -> Self {
        let mut this = Self::new(snapshot, bare, line, left_over(snapshot, bare));
        this.others = snapshot.backlog.samples[this.sample].lines().filter(|&other| runs(plan, other)).collect();
        this.others.sort_by_key(|&other| (snapshot.bands[other], other));
        this
    }

    /// Where the tube stands or is run, then where couriers take it from there.
    fn sites(&self) -> Vec<SiteIx> {
        let stands = self.snapshot.backlog.samples[self.sample].site;
        if self.snapshot.backlog.lines[self.line].result_held {
            return vec![stands];
        }
        let from = self.tube.placed.map_or(stands, |(site, _)| site);
        let mut sites = vec![from];
        sites.extend(self.tube.second.map(|(site, _)| site));
        sites.extend(
            self.planner
                .routes
                .destinations(from)
                .iter()
                .filter(|site| !sites.contains(site))
                .copied()
                .collect::<Vec<_>>(),
        );
        sites
    }

    /// The line at a site with more of the fewest kinds of things.
    fn least(&mut self, site: SiteIx) -> Option<Replanned> {
        let everything = self.with(site, (1 << KINDS) - 1)?;
        for size in 0..=TOGETHER_MAX {
            let kinds = (0..1 << KINDS).filter(|kinds: &u32| kinds.count_ones() == size);
            let found: Vec<Replanned> = kinds.filter_map(|kinds| self.with(site, kinds)).collect();
            if let Some(least) = found.into_iter().min_by_key(Replanned::rank) {
                return Some(least);
            }
        }
        Some(everything)
    }

    /// The line planned again at a site with more of these kinds of things.
    fn with(&mut self, site: SiteIx, kinds: u32) -> Option<Replanned> {
        let room = self.refill(kinds);
        let run = if self.snapshot.backlog.lines[self.line].result_held {
            self.planner.remaining.report_held(self.line, self.sample)?
        } else {
            self.planner.run_within(self.line, self.sample, Within::at(site))?
        };
        let others = self.run_others()?;
        let lacking = room.enumerate().filter_map(|(cell, &room)| {
            let used = room - self.planner.remaining.left(cell);
            let amount = used.saturating_sub(self.left[cell]);
            (amount > 0).then_some(Lacking { cell, amount })
        });
        Some(Replanned { run, others, lacking: lacking.collect(), steps: self.planner.steps_of(self.sample).to_vec() })
    }

    /// Runs the other lines of the tube, those that are published and frozen as they were; none
    /// when not all of them can be run.
    fn run_others(&mut self) -> Option<Vec<(LineIx, Run)>> {
        let mut runs = Vec::with_capacity(self.others.len());
        for &other in &self.others {
            let run = match self.snapshot.frozen_run(other) {
                Some(frozen) => self.planner.run_within(other, self.sample, Within::published(self.snapshot, frozen)),
                None => self.planner.run(other),
            };
            runs.push((other, run?));
        }
        Some(runs)
    }

    /// Undoes what was tried, and gives every cell of these kinds more. Returns what there is now.
    fn refill(&mut self, kinds: u32) -> Table<CellIx, u64> {
        let more = |cell| self.more[cell].filter(|(kind, _)| kinds & kind != 0).map_or(0, |(_, amount)| amount);
        let room: Table<CellIx, u64> = self.left.enumerate().map(|(cell, left)| left + more(cell)).collect();
        self.planner.remaining.refill(&room);
        self.planner.tubes[self.sample] = self.tube;
        self.planner.steps.truncate(usize::from(self.tube.steps));
        // A tube is not spun while another of its lines needs it as collected.
        for other in &self.others {
            self.planner.decided[other.row()] = false;
        }
        room
    }

    /// The law that forbids the line's run at a site, whatever capacity there is.
    fn law_against(&mut self, site: SiteIx) -> Law {
        self.refill((1 << KINDS) - 1);
        if self.snapshot.backlog.lines[self.line].result_held {
            return Law::Reporting;
        }
        if !self.planner.remaining.runs(site, self.snapshot.backlog.lines[self.line].test) {
            return Law::Menu;
        }
        if !self.snapshot.network.accepts(site, self.snapshot.bands[self.line]) {
            return Law::PartnerBands;
        }
        if self.tube.placed.is_some() {
            return self.law_of_tube(site);
        }
        if !self.volume_suffices(site, Container::Main) {
            return Law::Volume;
        }
        if self.reaches(site) { Law::Viability } else { Law::Steps }
    }

    /// The law that binds a tube which has its way already.
    fn law_of_tube(&self, site: SiteIx) -> Law {
        let at = |place: Option<(SiteIx, SlotIx)>| place.is_some_and(|(here, _)| here == site);
        let container = if at(self.tube.placed) { Container::Main } else { Container::Second };
        if !self.volume_suffices(site, container) {
            return Law::Volume;
        }
        let run_in = self.snapshot.catalogue.tests[self.snapshot.backlog.lines[self.line].test].run_in;
        let main = self.planner.main_steps(self.sample);
        let separated = Way::replay(self.snapshot, self.sample, main).separated();
        if separated != (run_in == Phase::Separated) {
            return Law::Phase;
        }
        let divisible = {
            let specimen = self.snapshot.backlog.samples[self.sample].specimen;
            separated && self.tube.second.is_none() && self.snapshot.catalogue.specimens[specimen].aliquots
        };
        let there = at(self.tube.placed) || at(self.tube.second) || divisible;
        if there { Law::Viability } else { Law::OneSite }
    }

    fn volume_suffices(&self, site: SiteIx, container: Container) -> bool {
        let Some(most) = self.planner.dead_volume_max(self.line, container) else { return false };
        let test = self.snapshot.backlog.lines[self.line].test;
        self.snapshot.network.analysers.iter().any(|facts| {
            facts.site == site && facts.dead_volume <= most && facts.menu.iter().any(|(on_menu, _)| *on_menu == test)
        })
    }

    /// Whether the tube can be booked in at a site at all.
    fn reaches(&mut self, site: SiteIx) -> bool {
        let start = Way::start(self.snapshot, self.sample);
        let run_in = self.snapshot.catalogue.tests[self.snapshot.backlog.lines[self.line].test].run_in;
        let spins = run_in == Phase::Separated && !start.separated();
        [false, true].into_iter().any(|cold| self.planner.prepared(&start, site, spins, cold).is_some())
    }
}

/// What a cell is given more of, as a bit, and how much. Nobody works outside opening hours, and
/// what a site does not have at all is no small change.
fn more(snapshot: &Snapshot, line: LineIx, cell: CellIx) -> Option<(u32, u64)> {
    let network = &snapshot.network;
    let (resource, when) = snapshot.capacity.describe(cell);
    let open = |calendar| match when {
        When::Slot(slot) => opens(snapshot, &network.calendars[calendar], slot),
        _ => true,
    };
    let site = |site: SiteIx, rate: u32| rate > 0 && open(network.sites[site].calendar);
    let work = u64::from(snapshot.catalogue.tests[snapshot.backlog.lines[line].test].analyser_time.millis());
    let (kind, there, amount) = match resource {
        Resource::AnalyserTime(analyser) => (0, open(network.analysers[analyser].calendar), work),
        Resource::Reception(at) => (1, site(at, network.sites[at].reception_per_hour), 1),
        Resource::Centrifuge(at) => (2, site(at, network.sites[at].centrifuge_per_hour), 1),
        Resource::Aliquoting(at) => (3, site(at, network.sites[at].aliquot_per_hour), 1),
        Resource::Reporting(at) => (4, site(at, network.sites[at].report_per_hour), 1),
        Resource::Freezer(at) => (5, network.sites[at].freezer_places > 0, 1),
        Resource::Courier(departure) => (6, network.couriers[snapshot.departures[departure].courier].tubes > 0, 1),
        Resource::Quota(_) => (7, true, 1),
        Resource::Stock(..) => (8, true, 1),
        Resource::RequesterCap(_) => (9, true, 1),
        Resource::Visits(_) | Resource::RecallCap => return None,
    };
    there.then_some((1 << kind, amount))
}

/// Gives the plan what is lacking, runs the line, and asks the audit.
fn lawful(snapshot: &Snapshot, plan: &Plan, line: LineIx, way: &Replanned) -> bool {
    let extra = |snapshot: Snapshot, lacking: &Lacking| snapshot.with_extra_capacity(lacking.cell, lacking.amount);
    let snapshot = way.lacking.iter().fold(snapshot.clone(), extra);
    let mut plan = plan.clone();
    for &(line, run) in way.others.iter().chain([&(line, way.run)]) {
        plan.lines[line] = Disposition::Run(run);
    }
    let sample = snapshot.backlog.lines[line].sample;
    let retested = |line: LineIx| matches!(plan.lines[line], Disposition::Recall(Some(_)));
    let own = plan.samples[sample];
    let still_recalled = snapshot.backlog.samples[sample].lines().any(retested);
    let patient = snapshot.backlog.patient_of(line);
    let visited =
        snapshot.backlog.lines.indices().any(|line| retested(line) && snapshot.backlog.patient_of(line) == patient);
    let recollection = own.recollection.filter(|_| still_recalled);
    plan.samples[sample] = SamplePlan { discard: None, recollection, ..own };
    replace_steps(&mut plan, sample, &way.steps);
    if !visited {
        plan.visits.retain(|visit| visit.patient != patient);
    }
    audit(&snapshot, &plan).is_empty()
}

/// Gives a sample other steps, and leaves none behind that belong to nobody.
fn replace_steps(plan: &mut Plan, sample: SampleIx, steps: &[Step]) {
    let own = plan.samples[sample];
    let first = if own.steps == 0 { plan.steps.len() } else { own.first_step as usize };
    plan.steps.splice(first..first + usize::from(own.steps), steps.iter().copied());
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    for other in
        plan.samples.as_mut_slice().iter_mut().filter(|other| other.steps > 0 && other.first_step as usize > first)
    {
        other.first_step = number(other.first_step as usize + steps.len() - usize::from(own.steps));
    }
    plan.samples[sample].first_step = number(first);
    plan.samples[sample].steps = u8::try_from(steps.len()).unwrap_or(u8::MAX);
}

/// Lines that use what is lacking, the least pressing first.
fn users(snapshot: &Snapshot, plan: &Plan, lacking: &[Lacking]) -> Vec<LineIx> {
    let lacks = |cell: CellIx| lacking.iter().any(|lacks| lacks.cell == cell);
    let mut users = Vec::new();
    for (sample, facts) in snapshot.backlog.samples.enumerate() {
        let mut by_tube = false;
        uses::of_steps(snapshot, sample, plan.steps_of(sample), &mut |cell, _| by_tube |= lacks(cell));
        let by_run = |line, run, capped| {
            let mut uses = false;
            uses::of_run(snapshot, line, run, capped, &mut |cell, _| uses |= lacks(cell));
            uses
        };
        users.extend(facts.lines().filter(|&line| match plan.lines[line] {
            Disposition::Run(run) => by_tube || by_run(line, run, true),
            Disposition::Recall(Some(run)) => by_run(line, run, false),
            _ => false,
        }));
    }
    users.sort_by_key(|&line| (std::cmp::Reverse(snapshot.bands[line]), snapshot.weights[line], line));
    users.truncate(OUTRANKED_BY_MAX);
    users
}
