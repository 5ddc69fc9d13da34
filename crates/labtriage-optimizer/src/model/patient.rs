//! Who is called back? The visit of a patient, the new tubes, and the re-tests from them.

use std::collections::BTreeMap;

use labtriage_core::cost::{burden, moved_cost};
use labtriage_core::plan::Disposition;
use labtriage_core::table::{CollectionPointIx, Ix, LineIx, PatientIx, SampleIx, SiteIx, SlotIx};
use labtriage_core::time::{Day, Instant};
use labtriage_core::units::Cost;
use labtriage_core::viability::fresh_clock;

use super::build::{Builder, BySlot, Uses};
use super::lines::OpenLine;
use super::sample::Tube;
use super::{Sense, Var};

/// A visit that a patient may have.
struct Visit {
    point: CollectionPointIx,
    day: Day,
    variable: Var,
}

/// One patient in the model.
pub(super) struct Patient {
    row: usize,
    /// Recalled at all; none who must not be recalled.
    burden: Option<Var>,
    visits: Vec<Visit>,
    /// Per site: visits whose tubes can be booked in by a slot.
    delivered: BTreeMap<SiteIx, BySlot>,
    /// Per collection point: what recalls lines of its requesters.
    recalls: BTreeMap<CollectionPointIx, Vec<Var>>,
}

impl Patient {
    /// A patient with its visits.
    pub(super) fn new(builder: &mut Builder<'_>, patient: PatientIx, samples: &[SampleIx]) -> Self {
        let snapshot = builder.snapshot;
        let backlog = &snapshot.backlog;
        let mut this = Self {
            row: patient.row(),
            burden: None,
            visits: Vec::new(),
            delivered: BTreeMap::new(),
            recalls: BTreeMap::new(),
        };
        let open = |sample: &SampleIx| backlog.samples[*sample].lines().any(|line| is_open(builder, line));
        let recallable =
            samples.iter().filter(|&&sample| !backlog.samples[sample].irreplaceable).filter(|sample| open(sample));
        let point = |&sample: &SampleIx| {
            let request = &backlog.requests[backlog.samples[sample].request];
            snapshot.network.requesters[request.requester].collection_point
        };
        let mut points: Vec<CollectionPointIx> = recallable.map(point).collect();
        points.sort_unstable();
        points.dedup();
        if points.is_empty() || backlog.patients[patient].never_recalled() {
            return this;
        }
        this.burden = Some(builder.free("burden", &[this.row], burden(snapshot, patient)));
        points.into_iter().for_each(|point| this.add_visits(builder, point));
        this.deliver(builder);
        this
    }

    fn add_visits(&mut self, builder: &mut Builder<'_>, point: CollectionPointIx) {
        let snapshot = builder.snapshot;
        let facts = &snapshot.network.collection_points[point];
        for number in 0..snapshot.grid.day_count() {
            let day = snapshot.grid.first_day().plus_days(i32::try_from(number).unwrap_or(i32::MAX));
            if day < snapshot.first_visit[point] || !snapshot.network.calendars[facts.calendar].opens_on(day) {
                continue;
            }
            let cells = [snapshot.capacity.visits(point, day), snapshot.capacity.recall_cap(day)];
            let uses: Uses = cells.into_iter().flatten().map(|cell| (cell, 1)).collect();
            let numbers = [self.row, point.row(), number];
            if let Some(variable) = builder.decision("visit", &numbers, Cost::ZERO, &uses) {
                self.visits.push(Visit { point, day, variable });
            }
        }
    }

    /// When tubes of its visits can be booked in, by site.
    fn deliver(&mut self, builder: &mut Builder<'_>) {
        let mut arrivals: BTreeMap<SiteIx, Vec<(Var, usize, usize)>> = BTreeMap::new();
        for visit in &self.visits {
            for delivery in &builder.snapshot.network.collection_points[visit.point].delivers {
                if let Some((_, from)) = arrival(builder, visit, delivery.site) {
                    arrivals.entry(delivery.site).or_default().push((visit.variable, from, builder.slots));
                }
            }
        }
        for (site, arrivals) in arrivals {
            let delivered = builder.by_slot("delivered_by", &[self.row, site.row()], &arrivals);
            self.delivered.insert(site, delivered);
        }
    }

    /// Whether lines of a tube may be recalled.
    pub(super) fn recallable(&self, builder: &Builder<'_>, tube: &Tube) -> bool {
        self.burden.is_some() && !builder.snapshot.backlog.samples[tube.sample].irreplaceable
    }

    /// The new tube of a sample, booked in by a slot, by site.
    pub(super) fn recollect(&self, builder: &mut Builder<'_>, tube: &Tube) -> BTreeMap<SiteIx, BySlot> {
        let mut tubes = BTreeMap::new();
        if !self.recallable(builder, tube) {
            return tubes;
        }
        for (&site, delivered) in &self.delivered {
            if builder.wanted(tube, site) {
                let booked = builder.book("tube", tube.sample, site, delivered);
                builder.follow("tube_after", &[tube.sample.row(), site.row()], &booked, delivered);
                tubes.insert(site, booked);
            }
        }
        let all = last(&tubes);
        builder.at_most_one("one_tube", &[tube.sample.row()], all);
        tubes
    }

    /// Re-tests of a line from the new tube, while that keeps.
    pub(super) fn retest(
        &self,
        builder: &mut Builder<'_>,
        tube: &Tube,
        open: &mut OpenLine,
        tubes: &BTreeMap<SiteIx, BySlot>,
    ) {
        for (&site, booked) in tubes {
            let fresh = self.fresh(builder, tube, open, site);
            let there = |analyser| builder.snapshot.network.analysers[analyser].site == site;
            let analysers: Vec<_> = open.analysers.iter().copied().filter(|(analyser, _)| there(*analyser)).collect();
            for slot in 0..builder.slots {
                let (Some(booked), Some(fresh)) = (booked[slot], fresh[slot]) else { continue };
                let mut retests = Vec::new();
                for &(analyser, days) in &analysers {
                    if !builder.works((analyser, days), slot) {
                        continue;
                    }
                    let cost = moved_cost(builder.snapshot, open.line, Disposition::Recall(None));
                    let uses = builder.testing(open.test, analyser, slot);
                    let numbers = [open.line.row(), analyser.row(), slot];
                    let Some(test) = builder.decision("retest", &numbers, cost, &uses) else { continue };
                    open.retested(site, slot, builder.slots, test);
                    retests.push(test);
                }
                let numbers = [open.line.row(), site.row(), slot];
                builder.only_if("retest_booked", &numbers, retests.iter().copied(), [booked]);
                builder.only_if("retest_fresh", &numbers, retests, [fresh]);
            }
        }
    }

    /// Per slot: the visits whose tube a line can be re-tested from in it.
    fn fresh(&self, builder: &mut Builder<'_>, tube: &Tube, open: &OpenLine, site: SiteIx) -> BySlot {
        let snapshot = builder.snapshot;
        let run_in = snapshot.catalogue.tests[open.test].run_in;
        let limits = snapshot.limits.get(open.test, snapshot.backlog.samples[tube.sample].specimen);
        let mut windows = Vec::new();
        for visit in &self.visits {
            let Some((arrives, from)) = arrival(builder, visit, site) else { continue };
            let opens = snapshot.network.collection_points[visit.point].opens;
            let collected = snapshot.network.zone.at(visit.day, opens);
            let clock = fresh_clock(limits, run_in, collected, arrives, snapshot.policy.safety_margin);
            let until = clock.closes().map_or(0, |closes| snapshot.grid.ended_by(closes));
            windows.push((visit.variable, from, until));
        }
        builder.by_slot("fresh_by", &[open.line.row(), site.row()], &windows)
    }

    /// Who has a line recalled is recalled.
    pub(super) fn recalled(&mut self, builder: &mut Builder<'_>, line: LineIx, recalls: &[Var]) {
        builder.only_if("recalled", &[line.row()], recalls.iter().copied(), self.burden);
        let request = &builder.snapshot.backlog.requests[builder.snapshot.backlog.request_of(line)];
        let point = builder.snapshot.network.requesters[request.requester].collection_point;
        self.recalls.entry(point).or_default().extend(recalls);
    }

    /// A new tube is booked in only for a re-test.
    pub(super) fn needed(
        &self,
        builder: &mut Builder<'_>,
        tube: &Tube,
        tubes: &BTreeMap<SiteIx, BySlot>,
        recalls: impl Iterator<Item = Var>,
    ) {
        let all = last(tubes);
        builder.only_if("tube_needed", &[tube.sample.row()], all, recalls);
    }

    /// One visit at the most, of a recalled patient, where a requester of a recalled line has its patients bled.
    pub(super) fn finish(self, builder: &mut Builder<'_>) {
        builder.only_if("one_visit", &[self.row], self.visits.iter().map(|visit| visit.variable), self.burden);
        for (point, recalls) in self.recalls {
            let visits = self.visits.iter().filter(|visit| visit.point == point).map(|visit| (visit.variable, 1));
            let mut terms: Vec<(Var, i64)> = visits.collect();
            if !terms.is_empty() {
                terms.extend(recalls.into_iter().map(|recall| (recall, -1)));
                builder.row("visit_point", &[self.row, point.row()], terms, Sense::AtMost, 0);
            }
        }
    }
}

fn last(tubes: &BTreeMap<SiteIx, BySlot>) -> Vec<Var> {
    tubes.values().filter_map(|booked| booked.last().copied().flatten()).collect()
}

fn is_open(builder: &Builder<'_>, line: LineIx) -> bool {
    let snapshot = builder.snapshot;
    let forced = snapshot.overrides.force_discard(line).is_some();
    snapshot.repeats[line] == labtriage_core::duplicates::Repeat::Survives
        && (forced || snapshot.must_hold(line).is_none())
}

/// When a visit's tube is at a site, and the first slot in which it can be booked in there.
fn arrival(builder: &Builder<'_>, visit: &Visit, site: SiteIx) -> Option<(Instant, usize)> {
    let (snapshot, grid) = (builder.snapshot, &builder.snapshot.grid);
    let point = &snapshot.network.collection_points[visit.point];
    let delivery = point.delivers.iter().find(|delivery| delivery.site == site)?;
    let zone = snapshot.network.zone;
    let arrives = zone.at(visit.day, delivery.arrives);
    let partner = snapshot.network.sites[site].partner.as_ref();
    let late = partner.is_some_and(|partner| zone.minute_of_day(arrives) > partner.cut_off);
    let bookable = |slot: &usize| {
        let day = grid.day(SlotIx::from_row(*slot));
        day >= visit.day && !(late && day <= zone.day(arrives))
    };
    (grid.ended_by(arrives)..builder.slots).find(bookable).map(|from| (arrives, from))
}
