//! Why was this decided, what stood in the way, and what would have changed it?
//!
//! An explanation is data; the words are put together at the edge. A change that is said to have
//! saved a line has been tried: the plan with the line run, on the snapshot with the change, has
//! passed the audit.

use labtriage_core::audit::audit;
use labtriage_core::catalogue::{Handling, Phase, State};
use labtriage_core::cost::{burden, result_cost, unserved_cost};
use labtriage_core::duplicates::Repeat;
use labtriage_core::plan::{Disposition, Plan, Run, SamplePlan, Step};
use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::{AnalyserIx, CellIx, Ix, LineIx, SampleIx, SiteIx, SlotIx, Table};
use labtriage_core::time::Instant;
use labtriage_core::trace::Trace;
use labtriage_core::units::Cost;
use labtriage_core::usage::usage;
use labtriage_core::viability::Clock;

/// Most lines named as having outranked another.
const OUTRANKED_BY_MAX: usize = 5;

/// Something else that could have been done with a line, on what the plan leaves free.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Alternative {
    /// Run later or elsewhere.
    Run(Run),
    /// Left for after the horizon.
    AfterHorizon,
}

/// More of one resource, by so much.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lacking {
    /// The cell.
    pub cell: CellIx,
    /// How much more it would have to hold, in the cell's unit.
    pub amount: u64,
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
    /// No analyser it can reach runs the test for its band.
    NoAnalyser,
    /// Every slot in which it could have been run lacks these; the run is where least is lacking.
    Full {
        /// Where least is lacking.
        run: Run,
        /// What is lacking there.
        lacking: Vec<Lacking>,
        /// Whether the plan with the line run there, given what is lacking, passes the audit.
        verified: bool,
        /// Lines that use what it lacks, the least pressing first.
        used_by: Vec<LineIx>,
    },
    /// It needs steps (spinning, freezing, transport) for which time or material does not suffice.
    Handling,
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
/// Complexity: that of one audit, when a change is to be verified.
pub fn explain(snapshot: &Snapshot, plan: &Plan, line: LineIx) -> Explanation {
    let disposition = plan.lines[line];
    let cost = line_cost(snapshot, line, disposition);
    let left = left_over(snapshot, plan);
    let search = Search { snapshot, plan, line, left };
    let next_best = match disposition {
        Disposition::Run(run) => search.next_run(run).map(|(alternative, other)| (alternative, other - cost)),
        Disposition::Recall(Some(_)) => {
            let visit = burden(snapshot, snapshot.backlog.patient_of(line));
            Some((Alternative::AfterHorizon, unserved_cost(snapshot, line) + visit - cost - visit))
        }
        _ => None,
    };
    let obstacle = (!matches!(disposition, Disposition::Run(_))).then(|| search.obstacle());
    Explanation { line, disposition, clock: snapshot.clocks[line], cost, next_best, obstacle }
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

/// A line in a plan, with what the plan leaves free.
struct Search<'a> {
    snapshot: &'a Snapshot,
    plan: &'a Plan,
    line: LineIx,
    left: Table<CellIx, u64>,
}

/// A place and slot in which the line could be run if there were room.
struct Opening {
    run: Run,
    steps: Vec<Step>,
    lacking: Vec<Lacking>,
}

impl Search<'_> {
    fn sample(&self) -> SampleIx {
        self.snapshot.backlog.lines[self.line].sample
    }

    /// Where the tube is run if it has a way, else where it stands; from which slot on; and
    /// whether it is booked in there.
    fn place(&self) -> (SiteIx, SlotIx, bool) {
        let mut trace = Trace::default();
        // The steps of a lawful plan are possible; of any other, what is possible counts.
        let _ = trace.replay(self.snapshot, self.sample(), self.plan.steps_of(self.sample()));
        let way = trace.main();
        (way.site, way.last_slot.unwrap_or(self.snapshot.first_slot()), way.booked_in.is_some())
    }

    fn analysers(&self, site: SiteIx) -> impl Iterator<Item = (AnalyserIx, Option<labtriage_core::table::CalendarIx>)> {
        let test = self.snapshot.backlog.lines[self.line].test;
        self.snapshot.network.analysers.enumerate().filter(move |(_, facts)| facts.site == site).filter_map(
            move |(analyser, facts)| {
                let at = facts.menu.binary_search_by_key(&test, |(on_menu, _)| *on_menu).ok()?;
                Some((analyser, facts.menu[at].1))
            },
        )
    }

    /// The next run of a line that is run, on what is left.
    fn next_run(&self, current: Run) -> Option<(Alternative, Cost)> {
        let site = self.snapshot.network.analysers[current.analyser?].site;
        let closes = self.closes()?;
        let mut best: Option<Run> = None;
        for opening in self.openings(site, current.slot, true, closes) {
            let other = opening.run.slot != current.slot || opening.run.analyser != current.analyser;
            let sooner = best.is_none_or(|best| opening.run.reported < best.reported);
            if other && opening.lacking.is_empty() && sooner {
                best = Some(opening.run);
            }
        }
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

    /// Every analyser and slot at a site inside the window, with what is lacking there.
    fn openings(&self, site: SiteIx, from: SlotIx, booked_in: bool, closes: Instant) -> Vec<Opening> {
        let snapshot = self.snapshot;
        let mut found = Vec::new();
        let steps_before = self.spin_first();
        for (analyser, run_days) in self.analysers(site) {
            for slot in snapshot.grid.slots().skip(from.row()).take_while(|slot| snapshot.grid.end(*slot) <= closes) {
                let open = |calendar: labtriage_core::table::CalendarIx| {
                    let (starts, ends) = (snapshot.grid.start(slot), snapshot.grid.end(slot));
                    snapshot.network.calendars[calendar].open_between(snapshot.network.zone, starts, ends).get() > 0
                };
                if !open(snapshot.network.analysers[analyser].calendar) || !run_days.is_none_or(open) {
                    continue;
                }
                found.push(self.opening(site, analyser, slot, booked_in, steps_before));
            }
        }
        found
    }

    fn spin_first(&self) -> bool {
        let test = self.snapshot.backlog.lines[self.line].test;
        let state = self.snapshot.backlog.state(self.sample());
        let spun = self.plan.steps_of(self.sample()).iter().any(|step| matches!(step, Step::Spin(_)));
        self.snapshot.catalogue.tests[test].run_in == Phase::Separated && state.phase() == Phase::Primary && !spun
    }

    fn opening(&self, site: SiteIx, analyser: AnalyserIx, slot: SlotIx, booked_in: bool, spin: bool) -> Opening {
        let (snapshot, capacity) = (self.snapshot, &self.snapshot.capacity);
        let test = snapshot.backlog.lines[self.line].test;
        let work = u64::from(snapshot.catalogue.tests[test].analyser_time.millis());
        let reported =
            snapshot.grid.slots().skip(slot.row()).find(|&slot| self.left[capacity.reporting(site, slot)] > 0);
        let mut needs = vec![(capacity.analyser_time(analyser, slot), work)];
        let mut steps = Vec::new();
        if spin {
            needs.push((capacity.centrifuge(site, slot), 1));
            steps.push(Step::Spin(slot));
        }
        if !booked_in {
            needs.push((capacity.reception(site, slot), 1));
            needs.extend(capacity.quota(site, snapshot.grid.day(slot)).map(|cell| (cell, 1)));
            steps.push(Step::BookIn(slot));
        }
        if reported.is_none() {
            needs.push((capacity.reporting(site, slot), 1));
        }
        needs.extend(capacity.stock(analyser, test).map(|cell| (cell, 1)));
        let lacking = needs.into_iter().filter(|&(cell, amount)| self.left[cell] < amount);
        let lacking = lacking.map(|(cell, amount)| Lacking { cell, amount: amount - self.left[cell] }).collect();
        Opening { run: Run { analyser: Some(analyser), slot, reported: reported.unwrap_or(slot) }, steps, lacking }
    }

    fn obstacle(&self) -> Obstacle {
        let snapshot = self.snapshot;
        if snapshot.repeats[self.line] != Repeat::Survives || snapshot.must_hold(self.line).is_some() {
            return Obstacle::Settled;
        }
        match snapshot.clocks[self.line] {
            Clock::Lost(..) => return Obstacle::Lost,
            Clock::Unknown(_) => return Obstacle::Unknown,
            Clock::Until(_) => {}
        }
        let (site, from, booked_in) = self.place();
        if self.analysers(site).next().is_none() || !snapshot.network.accepts(site, snapshot.bands[self.line]) {
            return Obstacle::NoAnalyser;
        }
        let Some(closes) = self.window_at(site) else { return Obstacle::Handling };
        let openings = self.openings(site, from, booked_in, closes).into_iter();
        let least = openings
            .filter(|opening| !opening.lacking.is_empty())
            .min_by_key(|opening| (opening.lacking.len(), opening.run.slot, opening.run.analyser));
        let Some(opening) = least else { return Obstacle::Handling };
        let verified = self.verify(&opening);
        let used_by = self.users(&opening.lacking);
        Obstacle::Full { run: opening.run, lacking: opening.lacking, verified, used_by }
    }

    /// Until when the line could be run where the tube is, spun first if it must be.
    fn window_at(&self, site: SiteIx) -> Option<Instant> {
        if !self.spin_first() {
            return self.closes();
        }
        let sample = &self.snapshot.backlog.samples[self.sample()];
        let protocol = self.snapshot.catalogue.specimens[sample.specimen].protocol;
        let protocol = &self.snapshot.catalogue.protocols[protocol];
        let spins = protocol.step(Handling::Spin, self.snapshot.backlog.state(self.sample()));
        (sample.site == site && spins.is_some_and(|step| step.to == State::SeparatedAmbient)).then_some(())?;
        self.snapshot.clocks[self.line].closes()
    }

    /// Gives the plan what is lacking, runs the line, and asks the audit.
    fn verify(&self, opening: &Opening) -> bool {
        let mut snapshot = self.snapshot.clone();
        for lacking in &opening.lacking {
            snapshot = snapshot.with_extra_capacity(lacking.cell, lacking.amount);
        }
        let mut plan = self.plan.clone();
        plan.lines[self.line] = Disposition::Run(opening.run);
        let sample = self.sample();
        let mut steps = plan.steps_of(sample).to_vec();
        steps.extend_from_slice(&opening.steps);
        let first_step = u32::try_from(plan.steps.len()).unwrap_or(u32::MAX);
        let own = plan.samples[sample];
        let steps_len = u8::try_from(steps.len()).unwrap_or(u8::MAX);
        plan.steps.extend_from_slice(&steps);
        let still_recalled = snapshot.backlog.samples[sample]
            .lines()
            .any(|line| matches!(plan.lines[line], Disposition::Recall(Some(_))));
        let recollection = own.recollection.filter(|_| still_recalled);
        plan.samples[sample] = SamplePlan { first_step, steps: steps_len, discard: None, recollection };
        let patient = snapshot.backlog.patient_of(self.line);
        let visited = |line: LineIx| {
            snapshot.backlog.patient_of(line) == patient && matches!(plan.lines[line], Disposition::Recall(Some(_)))
        };
        if !snapshot.backlog.lines.indices().any(visited) {
            plan.visits.retain(|visit| visit.patient != patient);
        }
        audit(&snapshot, &plan).is_empty()
    }

    /// Lines that use what is lacking, the least pressing first.
    fn users(&self, lacking: &[Lacking]) -> Vec<LineIx> {
        let snapshot = self.snapshot;
        let uses = |line: &LineIx| {
            let Disposition::Run(run) = self.plan.lines[*line] else { return false };
            let test = snapshot.backlog.lines[*line].test;
            let site = match run.analyser {
                Some(analyser) => snapshot.network.analysers[analyser].site,
                None => snapshot.backlog.samples[snapshot.backlog.lines[*line].sample].site,
            };
            let booked_in =
                self.plan.steps_of(snapshot.backlog.lines[*line].sample).iter().filter_map(|step| match step {
                    Step::BookIn(slot) => Some(*slot),
                    _ => None,
                });
            let cells = [
                run.analyser.map(|analyser| snapshot.capacity.analyser_time(analyser, run.slot)),
                Some(snapshot.capacity.reporting(site, run.reported)),
            ];
            let stock = run.analyser.into_iter().flat_map(|analyser| snapshot.capacity.stock(analyser, test));
            let cells = cells
                .into_iter()
                .flatten()
                .chain(stock)
                .chain(booked_in.map(|slot| snapshot.capacity.reception(site, slot)));
            cells.into_iter().any(|cell| lacking.iter().any(|lacks| lacks.cell == cell))
        };
        let mut users: Vec<LineIx> = self.plan.lines.indices().filter(uses).collect();
        users.sort_by_key(|&line| (std::cmp::Reverse(snapshot.bands[line]), snapshot.weights[line], line));
        users.truncate(OUTRANKED_BY_MAX);
        users
    }
}
