//! What can happen to one sample's tube? Prepared, sent, booked in, thawed or spun on arrival.

use std::collections::BTreeMap;

use labtriage_core::cost::{step_cost, unserved_cost};
use labtriage_core::duplicates::Repeat;
use labtriage_core::plan::{Disposition, Hold, Step};
use labtriage_core::table::{DepartureIx, Ix, LineIx, SampleIx, SiteIx, SlotIx, TestIx};
use labtriage_core::units::Cost;

use super::build::{Builder, BySlot, Uses};
use super::lines::AfterThaw;
use super::patient::Patient;
use super::prepare::{Preparation, Replay};
use super::{Sense, Var};
use crate::routes::Itinerary;
use crate::way::booked_in_from;

/// A way of preparing the tube, where it is chosen.
pub(super) struct Chosen {
    pub(super) variable: Var,
    pub(super) way: Preparation,
}

/// One sample in the model.
pub(super) struct Tube {
    pub(super) sample: SampleIx,
    /// Lines that are not decided beforehand, each with its test.
    pub(super) lines: Vec<(LineIx, TestIx)>,
    /// Prepared where it stands.
    pub(super) ways: Vec<Chosen>,
    /// Spun after a courier.
    pub(super) spun: Vec<Chosen>,
    /// Thawed in a slot, with the first slot in which it can be run then.
    pub(super) thawed: Vec<(usize, Var, usize)>,
    /// Until when each line can be run after thawing.
    pub(super) after_thaw: Vec<AfterThaw>,
    /// Per site: the container is booked in by a slot.
    pub(super) booked: BTreeMap<SiteIx, BySlot>,
    /// Per site: the second container is booked in by a slot.
    pub(super) rebooked: BTreeMap<SiteIx, BySlot>,
}

impl Builder<'_> {
    /// Adds a sample with its lines.
    pub(super) fn sample(&mut self, sample: SampleIx, patient: &mut Patient) {
        let lines = self.open_lines(sample);
        if lines.is_empty() {
            return;
        }
        let indices: Vec<LineIx> = lines.iter().map(|(line, _)| *line).collect();
        let snapshot = self.snapshot;
        let mut replay = Replay::new(snapshot, sample, &indices);
        let preparations = replay.preparations();
        let mut tube = Tube {
            sample,
            lines,
            ways: Vec::new(),
            spun: Vec::new(),
            thawed: Vec::new(),
            after_thaw: Vec::new(),
            booked: BTreeMap::new(),
            rebooked: BTreeMap::new(),
        };
        self.prepare(&mut tube, preparations);
        self.thaw(&mut tube, &mut replay);
        let gone = self.send(&mut tube);
        self.spin_there(&mut tube, &mut replay, &gone);
        self.stay(&mut tube, &gone);
        self.second(&mut tube);
        self.lines(&tube, patient);
    }

    /// The lines of a sample that are neither cancelled nor held whatever is done.
    fn open_lines(&mut self, sample: SampleIx) -> Vec<(LineIx, TestIx)> {
        let snapshot = self.snapshot;
        let mut open = Vec::new();
        for line in snapshot.backlog.samples[sample].lines() {
            if snapshot.repeats[line] != Repeat::Survives {
                continue;
            }
            let forced = snapshot.overrides.force_discard(line).is_some();
            match snapshot.must_hold(line) {
                Some(hold) if !forced || matches!(hold, Hold::Override(_)) => {
                    let moved = labtriage_core::cost::moved_cost(snapshot, line, Disposition::Hold(hold));
                    self.pay(unserved_cost(snapshot, line) + moved);
                }
                _ => open.push((line, snapshot.backlog.lines[line].test)),
            }
        }
        open
    }

    /// One way of preparing it; doing nothing is one.
    fn prepare(&mut self, tube: &mut Tube, preparations: Vec<Preparation>) {
        for (number, way) in preparations.into_iter().enumerate() {
            let numbers = [tube.sample.row(), number];
            if let Some(variable) = self.decision("way", &numbers, way.cost, &way.uses) {
                tube.ways.push(Chosen { variable, way });
            }
        }
        let terms = tube.ways.iter().map(|chosen| (chosen.variable, 1)).collect();
        self.row("one_way", &[tube.sample.row()], terms, Sense::Exactly, 1);
    }

    /// A frozen tube may be thawed in any later slot.
    fn thaw(&mut self, tube: &mut Tube, replay: &mut Replay<'_>) {
        let frozen: Vec<&Chosen> = tube.ways.iter().filter(|chosen| chosen.way.frozen()).collect();
        if frozen.is_empty() {
            return;
        }
        let sample = tube.sample.row();
        let (mut thawed, mut after_thaw) = (Vec::new(), Vec::new());
        for slot in 0..self.slots {
            let ways: Vec<_> =
                frozen.iter().map(|chosen| (chosen.variable, replay.thawed(&chosen.way, slot))).collect();
            let Some(first) = ways.iter().find_map(|(_, way)| way.as_ref().map(|way| way.first)) else { continue };
            let variable = self.free("thaw", &[sample, slot], Cost::ZERO);
            thawed.push((slot, variable, first));
            let not = ways.iter().filter(|(_, way)| way.is_none()).map(|(variable, _)| *variable);
            self.at_most_one("thaw_after", &[sample, slot], not.chain([variable]));
            after_thaw.extend((0..tube.lines.len()).map(|row| thawed_keeps(row, slot, variable, &ways)));
        }
        let frozen: Vec<Var> = frozen.iter().map(|chosen| chosen.variable).collect();
        self.only_if("thaw_frozen", &[sample], thawed.iter().map(|(_, variable, _)| *variable), frozen);
        (tube.thawed, tube.after_thaw) = (thawed, after_thaw);
    }

    /// The itineraries to sites that can run one of its lines, by site, each with its variable.
    fn send(&mut self, tube: &mut Tube) -> BTreeMap<SiteIx, Vec<(Itinerary, Var)>> {
        let from = self.snapshot.backlog.samples[tube.sample].site;
        let mut gone: BTreeMap<SiteIx, Vec<(Itinerary, Var)>> = BTreeMap::new();
        let mut number = 0;
        for to in self.routes.destinations(from).to_vec() {
            if !self.wanted(tube, to) {
                continue;
            }
            for itinerary in self.routes.between(from, to).to_vec() {
                let carried = |chosen: &Chosen| rides(&chosen.way, &itinerary);
                let in_time = |way: &Preparation| {
                    way.until.iter().any(|&until| until > 0 && self.arrives_in_slot(to, &itinerary) < until)
                };
                let serves = |chosen: &Chosen| carried(chosen) && (self.may_be_spun(tube) || in_time(&chosen.way));
                if !tube.ways.iter().any(serves) {
                    continue;
                }
                let (cost, uses) = self.riding(&itinerary);
                let numbers = [tube.sample.row(), to.row(), number];
                number += 1;
                if let Some(variable) = self.decision("go", &numbers, cost, &uses) {
                    gone.entry(to).or_default().push((itinerary, variable));
                }
            }
        }
        self.ready_before(tube, &gone);
        for (to, itineraries) in &gone {
            self.book_arrivals(tube, *to, itineraries);
        }
        gone
    }

    /// Whether a site runs one of the open lines.
    pub(super) fn wanted(&self, tube: &Tube, site: SiteIx) -> bool {
        let at = |&(line, test): &(LineIx, TestIx)| {
            let analysers = self.analysers(line, test);
            analysers.iter().any(|(analyser, _)| self.snapshot.network.analysers[*analyser].site == site)
        };
        tube.lines.iter().any(at)
    }

    /// What the couriers of an itinerary cost and use.
    pub(super) fn riding(&self, itinerary: &Itinerary) -> (Cost, Uses) {
        let legs: Vec<DepartureIx> = itinerary.legs().collect();
        let cost = legs.iter().map(|&leg| step_cost(self.snapshot, Step::Send(leg))).sum();
        (cost, legs.into_iter().map(|leg| (self.snapshot.capacity.courier(leg), 1)).collect())
    }

    /// A tube leaves once it is prepared, in a condition that all its couriers carry.
    fn ready_before(&mut self, tube: &Tube, gone: &BTreeMap<SiteIx, Vec<(Itinerary, Var)>>) {
        let mut alike: BTreeMap<Vec<usize>, Vec<Var>> = BTreeMap::new();
        for &(itinerary, variable) in gone.values().flatten() {
            let ready = tube.ways.iter().enumerate().filter(|(_, chosen)| rides(&chosen.way, &itinerary));
            alike.entry(ready.map(|(number, _)| number).collect()).or_default().push(variable);
        }
        // By how many ways: each set holds the one before when couriers carry the same.
        let mut sets: Vec<(Vec<usize>, Vec<Var>)> = alike.into_iter().collect();
        sets.sort_by_key(|(ways, _)| ways.len());
        let mut known: Vec<(Vec<usize>, Var)> = Vec::new();
        for (number, (ways, these)) in sets.into_iter().enumerate() {
            let numbers = [tube.sample.row(), number];
            let within =
                known.iter().rev().find(|(smaller, _)| smaller.iter().all(|way| ways.binary_search(way).is_ok()));
            let smaller = within.map_or(&[][..], |(smaller, _)| smaller);
            let more =
                ways.iter().filter(|way| smaller.binary_search(way).is_err()).map(|&way| tube.ways[way].variable);
            let mut terms: Vec<(Var, i64)> = more.map(|way| (way, -1)).collect();
            terms.extend(within.map(|(_, sum)| (*sum, -1)));
            let ready = self.derived("ready", &numbers);
            terms.push((ready, 1));
            self.row("ready", &numbers, terms, Sense::Exactly, 0);
            self.only_if("leaves", &numbers, these, [ready]);
            known.push((ways, ready));
        }
    }

    /// The first slot in which a tube of this itinerary can be booked in; beyond the last when none.
    pub(super) fn arrives_in_slot(&self, site: SiteIx, itinerary: &Itinerary) -> usize {
        booked_in_from(self.snapshot, site, itinerary.arrives, true).map_or(self.slots, Ix::row)
    }

    /// What has arrived at a site can be booked in there.
    fn book_arrivals(&mut self, tube: &mut Tube, site: SiteIx, itineraries: &[(Itinerary, Var)]) {
        let arrivals: Vec<_> = itineraries
            .iter()
            .map(|(itinerary, variable)| (*variable, self.arrives_in_slot(site, itinerary), self.slots))
            .collect();
        let numbers = [tube.sample.row(), site.row()];
        let arrived = self.by_slot("arrived_by", &numbers, &arrivals);
        let booked = self.book("book", tube.sample, site, &arrived);
        self.follow("booked_after", &numbers, &booked, &arrived);
        tube.booked.insert(site, booked);
    }

    /// Booked in at a site from the first slot on in which something is there.
    pub(super) fn book(&mut self, word: &str, sample: SampleIx, site: SiteIx, there: &BySlot) -> BySlot {
        let mut bookings = Vec::new();
        for slot in (0..self.slots).filter(|&slot| there[slot].is_some()) {
            let uses = self.booking(site, slot);
            let booking = self.decision(word, &[sample.row(), site.row(), slot], Cost::ZERO, &uses);
            bookings.extend(booking.map(|booking| (booking, slot, self.slots)));
        }
        self.by_slot(&format!("{word}ed_by"), &[sample.row(), site.row()], &bookings)
    }

    /// What is done by a slot is at most what made it possible by then.
    pub(super) fn follow(&mut self, word: &str, numbers: &[usize], done: &BySlot, possible: &BySlot) {
        let mut last = (None, None);
        for slot in 0..self.slots {
            let pair = (done[slot], possible[slot]);
            if pair != last {
                self.only_if(word, &[numbers, &[slot]].concat(), done[slot], possible[slot]);
                last = pair;
            }
        }
    }

    /// A tube that stays can be booked in where it stands in any slot.
    fn stay(&mut self, tube: &mut Tube, gone: &BTreeMap<SiteIx, Vec<(Itinerary, Var)>>) {
        let site = self.snapshot.backlog.samples[tube.sample].site;
        let mut places: Vec<Var> = gone.values().flatten().map(|(_, variable)| *variable).collect();
        if self.wanted(tube, site) {
            let bookings: Vec<_> = (0..self.slots)
                .filter_map(|slot| {
                    let uses = self.booking(site, slot);
                    let booking = self.decision("book", &[tube.sample.row(), site.row(), slot], Cost::ZERO, &uses);
                    booking.map(|booking| (booking, slot, self.slots))
                })
                .collect();
            places.extend(bookings.iter().map(|(booking, ..)| *booking));
            let booked = self.by_slot("booked_by", &[tube.sample.row(), site.row()], &bookings);
            tube.booked.insert(site, booked);
        }
        self.at_most_one("one_place", &[tube.sample.row()], places.iter().copied());
        let thaws = tube.thawed.iter().map(|(_, variable, _)| *variable);
        let gone = gone.values().flatten().map(|(_, variable)| *variable);
        if !tube.thawed.is_empty() {
            self.at_most_one("thaw_or_go", &[tube.sample.row()], thaws.chain(gone));
        }
    }

    /// Whether it is spun after a courier, for want of any centrifuge where it stands.
    fn may_be_spun(&self, tube: &Tube) -> bool {
        let (snapshot, site) = (self.snapshot, self.snapshot.backlog.samples[tube.sample].site);
        let here = |slot| snapshot.capacity.limit(snapshot.capacity.centrifuge(site, SlotIx::from_row(slot))) > 0;
        !(0..self.slots).any(here)
    }

    fn spin_there(&mut self, tube: &mut Tube, replay: &mut Replay<'_>, gone: &BTreeMap<SiteIx, Vec<(Itinerary, Var)>>) {
        if !self.may_be_spun(tube) {
            return;
        }
        for (&site, itineraries) in gone {
            for base in 0..tube.ways.len() {
                self.spin_at(tube, replay, site, itineraries, base);
            }
        }
        let all: Vec<Var> = tube.spun.iter().map(|chosen| chosen.variable).collect();
        self.at_most_one("spun_once", &[tube.sample.row()], all);
    }

    /// Spun at a site after one way of preparing it: alike are arrivals after which it is kept alike.
    fn spin_at(
        &mut self,
        tube: &mut Tube,
        replay: &mut Replay<'_>,
        site: SiteIx,
        itineraries: &[(Itinerary, Var)],
        base: usize,
    ) {
        let mut alike: Vec<(Preparation, usize, Vec<Var>)> = Vec::new();
        for (itinerary, variable) in itineraries.iter().filter(|(itinerary, _)| rides(&tube.ways[base].way, itinerary))
        {
            let mut steps = tube.ways[base].way.steps.clone();
            steps.extend(itinerary.legs().map(Step::Send));
            let before = steps.len();
            for way in replay.spun_there(&steps, site) {
                let same = |other: &&mut (Preparation, usize, Vec<Var>)| {
                    other.0.steps[other.1..] == way.steps[before..]
                        && other.0.until == way.until
                        && other.0.keeps == way.keeps
                };
                match alike.iter_mut().find(same) {
                    Some((.., after)) => after.push(*variable),
                    None => alike.push((way, before, vec![*variable])),
                }
            }
        }
        let mut ways = Vec::new();
        for (number, (way, before, after)) in alike.into_iter().enumerate() {
            let cost = way.steps[before..].iter().map(|&step| step_cost(self.snapshot, step)).sum();
            let numbers = [tube.sample.row(), base, site.row(), number];
            let Some(variable) = self.decision("spin", &numbers, cost, &way.uses) else { continue };
            self.only_if("spun_after", &numbers, [variable], after);
            ways.push(variable);
            tube.spun.push(Chosen { variable, way });
        }
        let numbers = [tube.sample.row(), base, site.row()];
        self.only_if("spun_of", &numbers, ways, [tube.ways[base].variable]);
    }
}

/// Whether a tube prepared so can catch an itinerary.
pub(super) fn rides(way: &Preparation, itinerary: &Itinerary) -> bool {
    way.latest <= itinerary.leaves && itinerary.carries(way.state.condition())
}

/// Until when a line can be run after each way of freezing and a thawing.
fn thawed_keeps(row: usize, slot: usize, thaw: Var, ways: &[(Var, Option<Preparation>)]) -> AfterThaw {
    let mut after = AfterThaw { row, slot, thaw, limits: BTreeMap::new(), waits: Vec::new() };
    for (variable, way) in ways {
        let until = way.as_ref().map_or(0, |way| way.until[row]);
        after.limits.entry(until).or_default().push(*variable);
        if !way.as_ref().is_some_and(|way| way.keeps[row]) {
            after.waits.push(*variable);
        }
    }
    after
}
