//! What happens to a line that cannot be run from its tube? Recalls, re-tests, holds and discards.

use labtriage_core::cost::{burden, result_cost, unserved_cost};
use labtriage_core::plan::{Disposition, Hold, Recollection, Run, Visit};
use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::{CollectionPointIx, Ix, LineIx, PatientIx, SampleIx, SiteIx, SlotIx};
use labtriage_core::time::{Day, Instant};
use labtriage_core::viability::fresh_clock;

use crate::greedy::Planner;
use crate::remaining::{ANY_VOLUME, RunRequest};
use crate::way::booked_in_from;

/// Visits given so far, and when each collection point's tubes arrive.
#[derive(Clone)]
pub(crate) struct Visits {
    list: Vec<Visit>,
    of_patient: Vec<Option<u32>>,
    /// Per collection point: the first day that still has visits, counted from the first day of the horizon.
    first_open: Vec<usize>,
    /// Per collection point and day of the horizon.
    days: Vec<Vec<CollectionDay>>,
}

/// When a day's fresh tubes start their clock, and where and when they arrive.
#[derive(Clone)]
struct CollectionDay {
    collected: Instant,
    arrivals: Vec<(SiteIx, Instant)>,
}

impl Visits {
    pub(crate) fn new(snapshot: &Snapshot) -> Self {
        let zone = snapshot.network.zone;
        let deliveries = |point: CollectionPointIx, n: usize| {
            let facts = &snapshot.network.collection_points[point];
            let day = day_at(snapshot, n);
            let arrivals = facts.delivers.iter().map(|delivery| (delivery.site, zone.at(day, delivery.arrives)));
            CollectionDay { collected: zone.at(day, facts.opens), arrivals: arrivals.collect() }
        };
        let points = || snapshot.network.collection_points.indices();
        let first_day = snapshot.grid.first_day();
        let first_open = |point| usize::try_from(snapshot.first_visit[point].days_since(first_day)).unwrap_or(0);
        Self {
            list: Vec::new(),
            of_patient: vec![None; snapshot.backlog.patients.len()],
            first_open: points().map(first_open).collect(),
            days: points()
                .map(|point| (0..snapshot.grid.day_count()).map(|n| deliveries(point, n)).collect())
                .collect(),
        }
    }

    pub(crate) fn of(&self, patient: PatientIx) -> Option<Visit> {
        self.of_patient[patient.row()].map(|at| self.list[at as usize])
    }

    /// The visits so far, in order of patient.
    pub(crate) fn sorted(&self) -> Vec<Visit> {
        let mut list = self.list.clone();
        list.sort_unstable();
        list
    }

    pub(crate) fn give(&mut self, visit: Visit) {
        self.of_patient[visit.patient.row()] = u32::try_from(self.list.len()).ok();
        self.list.push(visit);
    }

    pub(crate) fn into_list(self) -> Vec<Visit> {
        self.list
    }
}

fn day_at(snapshot: &Snapshot, n: usize) -> Day {
    snapshot.grid.first_day().plus_days(i32::try_from(n).unwrap_or(0))
}

/// A re-test that fits.
struct Retest {
    visit: Visit,
    recollection: Recollection,
    request: RunRequest,
    run: Run,
}

impl Planner<'_> {
    /// What happens to a line that is not run: re-tested from a new tube if that is the cheapest
    /// lawful answer, else it waits, is held for a person, or is recalled without a date.
    pub(crate) fn not_run(&mut self, line: LineIx) -> Disposition {
        let sample = self.snapshot.backlog.lines[line].sample;
        let forced = self.forced_discard(sample).is_some();
        if let Some(hold) = self.never_recalled(line) {
            return Disposition::Hold(if !forced && self.keeps_beyond(line) { Hold::Waiting } else { hold });
        }
        let patient = self.snapshot.backlog.patient_of(line);
        let retest = self.find_retest(line, sample, patient);
        let waits = !forced && self.keeps_beyond(line);
        if waits && self.waiting_is_cheaper(line, patient, retest.as_ref()) {
            return Disposition::Hold(Hold::Waiting);
        }
        let run = retest.map(|retest| self.take_retest(sample, &retest));
        Disposition::Recall(run)
    }

    /// What becomes of a waiting line whose sample turned out not to keep.
    pub(crate) fn without_waiting(&self, line: LineIx) -> Disposition {
        self.never_recalled(line).map_or(Disposition::Recall(None), Disposition::Hold)
    }

    fn never_recalled(&self, line: LineIx) -> Option<Hold> {
        let backlog = &self.snapshot.backlog;
        if backlog.samples[backlog.lines[line].sample].irreplaceable {
            return Some(Hold::Irreplaceable);
        }
        backlog.patients[backlog.patient_of(line)].never_recalled().then_some(Hold::NotRecallable)
    }

    /// Whether a line can still be tested after the horizon, on the way its tube has.
    pub(crate) fn keeps_beyond(&self, line: LineIx) -> bool {
        if self.snapshot.backlog.lines[line].result_held {
            return true;
        }
        let sample = self.snapshot.backlog.lines[line].sample;
        let end = self.snapshot.grid.horizon_end();
        let lost_already = self.snapshot.clocks[line].closes().is_none();
        !lost_already && self.snapshot.clock_in(line, &self.stays(sample)).closes().is_some_and(|closes| closes > end)
    }

    fn waiting_is_cheaper(&self, line: LineIx, patient: PatientIx, retest: Option<&Retest>) -> bool {
        let Some(retest) = retest else { return true };
        let (waiting, lateness) = result_cost(self.snapshot, line, self.snapshot.grid.end(retest.run.reported));
        let visit = if self.visits.of(patient).is_some() { Default::default() } else { burden(self.snapshot, patient) };
        unserved_cost(self.snapshot, line) <= waiting + lateness + visit
    }

    fn find_retest(&mut self, line: LineIx, sample: SampleIx, patient: PatientIx) -> Option<Retest> {
        if let Some(visit) = self.visits.of(patient) {
            return self.retest_after(line, sample, visit);
        }
        let request = &self.snapshot.backlog.requests[self.snapshot.backlog.request_of(line)];
        let point = self.snapshot.network.requesters[request.requester].collection_point;
        let capacity = &self.snapshot.capacity;
        for n in self.visits.first_open[point.row()]..self.snapshot.grid.day_count() {
            let day = day_at(self.snapshot, n);
            let cells = [capacity.visits(point, day), capacity.recall_cap(day)];
            if cells.iter().any(|cell| cell.is_none_or(|cell| self.remaining.left(cell) == 0)) {
                if n == self.visits.first_open[point.row()] {
                    self.visits.first_open[point.row()] += 1;
                }
                continue;
            }
            let found = self.retest_after(line, sample, Visit { patient, point, day });
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// The first re-test after a visit: where the tube already goes, or at the best of the point's sites.
    fn retest_after(&mut self, line: LineIx, sample: SampleIx, visit: Visit) -> Option<Retest> {
        let n = usize::try_from(visit.day.days_since(self.snapshot.grid.first_day())).ok()?;
        let deliveries = self.visits.days[visit.point.row()].get(n)?.arrivals.len();
        let known = self.tubes[sample].recollection;
        let mut best: Option<Retest> = None;
        for position in 0..deliveries {
            let CollectionDay { collected, ref arrivals } = self.visits.days[visit.point.row()][n];
            let (site, arrives) = arrivals[position];
            if known.is_some_and(|known| known.site != site) {
                continue;
            }
            let Some(booked_in) =
                known.map_or_else(|| self.fresh_book_in(site, arrives), |known| Some(known.booked_in))
            else {
                continue;
            };
            let Some(request) = self.fresh_request(line, site, booked_in, collected, arrives) else { continue };
            let Some(run) = self.remaining.find_run(&request) else { continue };
            if best.as_ref().is_none_or(|best| run.reported < best.run.reported) {
                best = Some(Retest { visit, recollection: Recollection { site, booked_in }, request, run });
            }
        }
        best
    }

    fn fresh_book_in(&mut self, site: SiteIx, arrives: Instant) -> Option<SlotIx> {
        let from = booked_in_from(self.snapshot, site, arrives, true)?;
        self.remaining.book_in_slot(site, from)
    }

    fn fresh_request(
        &self,
        line: LineIx,
        site: SiteIx,
        booked_in: SlotIx,
        collected: Instant,
        arrives: Instant,
    ) -> Option<RunRequest> {
        let snapshot = self.snapshot;
        let test = snapshot.backlog.lines[line].test;
        if !snapshot.network.accepts(site, snapshot.bands[line]) || !self.remaining.runs(site, test) {
            return None;
        }
        let run_in = snapshot.catalogue.tests[test].run_in;
        let clock = fresh_clock(snapshot.limits_of(line), run_in, collected, arrives, snapshot.policy.safety_margin);
        let closes = clock.closes()?;
        Some(RunRequest {
            line,
            site,
            from: booked_in,
            closes,
            analyser: None,
            dead_volume_max: ANY_VOLUME,
            capped: false,
        })
    }

    fn take_retest(&mut self, sample: SampleIx, retest: &Retest) -> Run {
        let visit = retest.visit;
        if self.visits.of(visit.patient).is_none() {
            let capacity = &self.snapshot.capacity;
            for cell in [capacity.visits(visit.point, visit.day), capacity.recall_cap(visit.day)].into_iter().flatten()
            {
                self.remaining.take(cell, 1);
            }
            self.visits.give(visit);
        }
        if self.tubes[sample].recollection.is_none() {
            self.remaining.take_book_in(retest.recollection.site, retest.recollection.booked_in);
            self.tubes[sample].recollection = Some(retest.recollection);
        }
        self.remaining.take_run(&retest.request, retest.run);
        retest.run
    }
}
