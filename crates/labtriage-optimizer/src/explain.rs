//! Why was this decided, what stood in the way, and what would have changed it?
//!
//! An explanation is data; the words are put together at the edge. A change that is said to have
//! saved a line has been tried: the plan with the line run, on the snapshot with the change, has
//! passed the audit.

mod saving;

use labtriage_core::audit::Law;
use labtriage_core::calendar::Calendar;
use labtriage_core::cost::{burden, result_cost, unserved_cost};
use labtriage_core::duplicates::Repeat;
use labtriage_core::plan::{Disposition, Plan, Run, Step};
use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::{AnalyserIx, CalendarIx, CellIx, LineIx, SampleIx, SiteIx, SlotIx, Table};
use labtriage_core::time::Instant;
use labtriage_core::trace::Trace;
use labtriage_core::units::Cost;
use labtriage_core::usage::usage;
use labtriage_core::viability::Clock;

/// Something else that could have been done with a line, on what the plan leaves free.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Alternative {
    /// Run later or elsewhere.
    Run(Run),
    /// Left for after the horizon.
    AfterHorizon,
}

/// More of one resource, by so much.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Lacking {
    /// The cell.
    pub cell: CellIx,
    /// How much more it would have to hold, in the cell's unit.
    pub amount: u64,
}

/// What kept a line from being run at one site.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Stop {
    /// A law, whatever capacity there is.
    Law(Law),
    /// These cells lack so much; nothing when the plan leaves enough room.
    Lacking(Vec<Lacking>),
}

/// A site where a line could have been run, and what stopped it there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// The site.
    pub site: SiteIx,
    /// What stopped it.
    pub stop: Stop,
}

/// The smallest change found that would have saved a line: the plan with the line run, on the
/// snapshot with what is lacking, has passed the audit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// What is lacking; empty when the plan leaves enough room.
    pub lacking: Vec<Lacking>,
    /// The run that is then possible.
    pub run: Run,
    /// The other lines of its tube, planned again with it; empty when the tube keeps its way.
    pub others: Vec<(LineIx, Run)>,
    /// The way its tube then goes.
    pub steps: Vec<Step>,
    /// Lines that use what is lacking, the least pressing first.
    pub used_by: Vec<LineIx>,
}

/// What kept a line from being run from its tube.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Obstacle {
    /// Its clock: lost before the plan began.
    Lost,
    /// No limit is known and the policy forbids a guess.
    Unknown,
    /// A rule about duplicates, holds or the patient settled it.
    Settled,
    /// A law or lacking capacity at every site that its tube can reach.
    Stopped {
        /// Each site, in order: where the tube stands, then where couriers take it.
        places: Vec<Place>,
        /// The smallest change that would have saved it, tried on the audit; none when none was found.
        change: Option<Change>,
    },
}

/// Why a line was decided as it was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Explanation {
    /// The line.
    pub line: LineIx,
    /// What was decided.
    pub disposition: Disposition,
    /// Its clock as the sample is kept now.
    pub clock: Clock,
    /// What the decision costs for this line, recall burden aside.
    pub cost: Cost,
    /// The next best choice and its cost above this one.
    pub next_best: Option<(Alternative, Cost)>,
    /// What kept it from being run; none when it is run.
    pub obstacle: Option<Obstacle>,
}

/// Explains one line of a plan.
///
/// Complexity: that of a few audits at most, when a change is to be verified.
pub fn explain(snapshot: &Snapshot, plan: &Plan, line: LineIx) -> Explanation {
    let disposition = plan.lines[line];
    let cost = line_cost(snapshot, line, disposition);
    let left = left_over(snapshot, plan);
    let next_best = match disposition {
        Disposition::Run(run) => {
            let other = Search { snapshot, plan, line, left: &left }.next_run(run);
            other.map(|(alternative, other)| (alternative, other - cost))
        }
        Disposition::Recall(Some(_)) => {
            let visit = burden(snapshot, snapshot.backlog.patient_of(line));
            Some((Alternative::AfterHorizon, unserved_cost(snapshot, line) + visit - cost - visit))
        }
        _ => None,
    };
    let obstacle = (!matches!(disposition, Disposition::Run(_))).then(|| obstacle(snapshot, plan, line, left));
    Explanation { line, disposition, clock: snapshot.clocks[line], cost, next_best, obstacle }
}

fn obstacle(snapshot: &Snapshot, plan: &Plan, line: LineIx, left: Table<CellIx, u64>) -> Obstacle {
    let settled = snapshot.repeats[line] != Repeat::Survives
        || snapshot.must_hold(line).is_some()
        || snapshot.overrides.force_discard(line).is_some();
    if settled {
        return Obstacle::Settled;
    }
    // What is there already, and what a person forces, has no clock.
    if !snapshot.backlog.lines[line].result_held && snapshot.overrides.caution(line).is_none() {
        match snapshot.clocks[line] {
            Clock::Lost(..) => return Obstacle::Lost,
            Clock::Unknown(_) => return Obstacle::Unknown,
            Clock::Until(_) => {}
        }
    }
    saving::stopped(snapshot, plan, line, left)
}

fn line_cost(snapshot: &Snapshot, line: LineIx, disposition: Disposition) -> Cost {
    match disposition {
        Disposition::Run(run) | Disposition::Recall(Some(run)) => run_cost(snapshot, line, run),
        Disposition::Recall(None) | Disposition::Hold(_) => unserved_cost(snapshot, line),
        Disposition::Cancel(_) => Cost::ZERO,
    }
}

fn run_cost(snapshot: &Snapshot, line: LineIx, run: Run) -> Cost {
    let (waiting, lateness) = result_cost(snapshot, line, snapshot.grid.end(run.reported));
    waiting + lateness
}

fn left_over(snapshot: &Snapshot, plan: &Plan) -> Table<CellIx, u64> {
    let used = usage(snapshot, plan);
    snapshot.capacity.limits().enumerate().map(|(cell, limit)| limit.saturating_sub(used[cell])).collect()
}

/// A line that is run, with what the plan leaves free.
struct Search<'a> {
    snapshot: &'a Snapshot,
    plan: &'a Plan,
    line: LineIx,
    left: &'a Table<CellIx, u64>,
}

impl Search<'_> {
    fn sample(&self) -> SampleIx {
        self.snapshot.backlog.lines[self.line].sample
    }

    fn analysers(&self, site: SiteIx) -> impl Iterator<Item = (AnalyserIx, Option<CalendarIx>)> {
        let test = self.snapshot.backlog.lines[self.line].test;
        self.snapshot.network.analysers.enumerate().filter(move |(_, facts)| facts.site == site).filter_map(
            move |(analyser, facts)| {
                let at = facts.menu.binary_search_by_key(&test, |(on_menu, _)| *on_menu).ok()?;
                Some((analyser, facts.menu[at].1))
            },
        )
    }

    /// The next run of the line at its site, on what is left.
    fn next_run(&self, current: Run) -> Option<(Alternative, Cost)> {
        let site = self.snapshot.network.analysers[current.analyser?].site;
        let closes = self.closes()?;
        let others = self.runs(site, current.slot, closes);
        let other = |run: &Run| run.slot != current.slot || run.analyser != current.analyser;
        let best = others.into_iter().filter(other).min_by_key(|run| run.reported);
        Some(match best {
            Some(run) => (Alternative::Run(run), run_cost(self.snapshot, self.line, run)),
            None => (Alternative::AfterHorizon, unserved_cost(self.snapshot, self.line)),
        })
    }

    fn closes(&self) -> Option<Instant> {
        if self.snapshot.overrides.caution(self.line).is_some() {
            return Some(Instant::FAR);
        }
        let mut trace = Trace::default();
        trace.replay(self.snapshot, self.sample(), self.plan.steps_of(self.sample())).ok()?;
        self.snapshot.clock_in(self.line, &trace.main().stays).closes()
    }

    /// Every run at a site from a slot on that ends inside the window and has room.
    fn runs(&self, site: SiteIx, from: SlotIx, closes: Instant) -> Vec<Run> {
        let grid = &self.snapshot.grid;
        let mut found = Vec::new();
        for (analyser, run_days) in self.analysers(site) {
            let calendars = [Some(self.snapshot.network.analysers[analyser].calendar), run_days];
            let slots = grid.slots().filter(|slot| *slot >= from && grid.end(*slot) <= closes);
            let open = |slot: &SlotIx| {
                calendars
                    .iter()
                    .flatten()
                    .all(|&calendar| opens(self.snapshot, &self.snapshot.network.calendars[calendar], *slot))
            };
            found.extend(slots.filter(open).filter_map(|slot| self.with_room(site, analyser, slot)));
        }
        found
    }

    /// The run on an analyser in a slot, if there is room for it and its report.
    fn with_room(&self, site: SiteIx, analyser: AnalyserIx, slot: SlotIx) -> Option<Run> {
        let (snapshot, capacity) = (self.snapshot, &self.snapshot.capacity);
        let test = snapshot.backlog.lines[self.line].test;
        let work = u64::from(snapshot.catalogue.tests[test].analyser_time.millis());
        let room = self.left[capacity.analyser_time(analyser, slot)] >= work
            && capacity.stock(analyser, test).all(|cell| self.left[cell] > 0);
        let mut later = snapshot.grid.slots().filter(|later| *later >= slot);
        let reported = later.find(|later| self.left[capacity.reporting(site, *later)] > 0).filter(|_| room)?;
        Some(Run { analyser: Some(analyser), slot, reported })
    }
}

/// Whether a calendar is open at all in a slot.
fn opens(snapshot: &Snapshot, calendar: &Calendar, slot: SlotIx) -> bool {
    let (starts, ends) = (snapshot.grid.start(slot), snapshot.grid.end(slot));
    calendar.open_between(snapshot.network.zone, starts, ends).get() > 0
}
