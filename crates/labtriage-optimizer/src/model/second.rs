//! Where could a second container go? An aliquot at the site of the first, sent to another one.

use std::collections::BTreeMap;

use labtriage_core::cost::step_cost;
use labtriage_core::plan::Step;
use labtriage_core::table::{Ix, SiteIx, SlotIx};

use super::Var;
use super::build::{Builder, BySlot};
use super::sample::{Chosen, Tube};
use crate::routes::Itinerary;

impl Builder<'_> {
    /// A sample of two or more lines may be split once it is booked in.
    pub(super) fn second(&mut self, tube: &mut Tube) {
        let specimen = self.snapshot.backlog.samples[tube.sample].specimen;
        let divides = tube.ways.iter().chain(&tube.spun).any(|chosen| chosen.way.divisible());
        if tube.lines.len() < 2 || !divides || !self.snapshot.catalogue.specimens[specimen].aliquots {
            return;
        }
        let mut taken = Vec::new();
        let mut onward: BTreeMap<SiteIx, Vec<(Itinerary, Var)>> = BTreeMap::new();
        for (site, booked) in tube.booked.clone() {
            self.split_at(tube, site, &booked, &mut taken, &mut onward);
        }
        self.at_most_one("split_once", &[tube.sample.row()], taken);
        for (site, itineraries) in onward {
            self.rebook(tube, site, &itineraries);
        }
        self.one_site_each(tube);
    }

    /// An aliquot at a site, after its container is booked in and separated there.
    fn split_at(
        &mut self,
        tube: &Tube,
        site: SiteIx,
        booked: &BySlot,
        taken: &mut Vec<Var>,
        onward: &mut BTreeMap<SiteIx, Vec<(Itinerary, Var)>>,
    ) {
        let sample = tube.sample.row();
        let onward_from = self.onward_from(tube, site);
        if onward_from.is_empty() {
            return;
        }
        let liquid = tube.ways.iter().chain(&tube.spun).filter(|chosen| chosen.way.divisible());
        let liquid: Vec<_> = liquid.map(|chosen| (chosen.variable, chosen.way.first, self.slots)).collect();
        let liquid = self.by_slot("liquid_by", &[sample, site.row()], &liquid);
        let mut splits = Vec::new();
        for slot in (0..self.slots).filter(|&slot| booked[slot].is_some() && liquid[slot].is_some()) {
            let index = SlotIx::from_row(slot);
            let uses = vec![(self.snapshot.capacity.aliquoting(site, index), 1)];
            let cost = step_cost(self.snapshot, Step::Aliquot(index));
            let split = self.decision("split", &[sample, site.row(), slot], cost, &uses);
            splits.extend(split.map(|split| (split, slot, self.slots)));
        }
        taken.extend(splits.iter().map(|(split, ..)| *split));
        let split = self.by_slot("split_by", &[sample, site.row()], &splits);
        self.follow("split_booked", &[sample, site.row()], &split, booked);
        self.follow("split_liquid", &[sample, site.row()], &split, &liquid);
        self.send_onward(tube, site, &split, onward_from, onward);
    }

    /// The itineraries from a site to others that run one of the lines.
    fn onward_from(&self, tube: &Tube, site: SiteIx) -> Vec<(SiteIx, Itinerary)> {
        let destinations = self.routes.destinations(site).iter().filter(|&&to| self.wanted(tube, to));
        destinations
            .flat_map(|&to| self.routes.between(site, to).iter().map(move |itinerary| (to, *itinerary)))
            .collect()
    }

    fn send_onward(
        &mut self,
        tube: &Tube,
        site: SiteIx,
        split: &BySlot,
        itineraries: Vec<(SiteIx, Itinerary)>,
        onward: &mut BTreeMap<SiteIx, Vec<(Itinerary, Var)>>,
    ) {
        let sample = tube.sample.row();
        let liquid = || tube.ways.iter().chain(&tube.spun).filter(|chosen| chosen.way.divisible());
        let mut sent: BTreeMap<(usize, Vec<Var>), Vec<Var>> = BTreeMap::new();
        for (number, (to, itinerary)) in itineraries.into_iter().enumerate() {
            // Whatever slot has ended by the time that the courier leaves.
            let ended = self.snapshot.grid.ended_by(itinerary.leaves);
            let arrives = self.arrives_in_slot(to, &itinerary);
            let in_time = |chosen: &Chosen| chosen.way.until.iter().any(|&until| arrives < until);
            if ended == 0 || split[ended - 1].is_none() || !liquid().any(in_time) {
                continue;
            }
            let (cost, uses) = self.riding(&itinerary);
            let numbers = [sample, site.row(), to.row(), number];
            let Some(variable) = self.decision("onward", &numbers, cost, &uses) else { continue };
            onward.entry(to).or_default().push((itinerary, variable));
            let uncarried = liquid().filter(|chosen| !itinerary.carries(chosen.way.state.condition()));
            let uncarried = uncarried.map(|chosen| chosen.variable).collect();
            sent.entry((ended - 1, uncarried)).or_default().push(variable);
        }
        for (number, ((slot, uncarried), these)) in sent.into_iter().enumerate() {
            let numbers = [sample, site.row(), number];
            let once = these.iter().copied().chain(uncarried);
            self.at_most_one("onward_carried", &numbers, once);
            self.only_if("onward_split", &numbers, these, split[slot]);
        }
    }

    fn rebook(&mut self, tube: &mut Tube, site: SiteIx, itineraries: &[(Itinerary, Var)]) {
        let arrivals: Vec<_> = itineraries
            .iter()
            .map(|(itinerary, variable)| (*variable, self.arrives_in_slot(site, itinerary), self.slots))
            .collect();
        let numbers = [tube.sample.row(), site.row()];
        let arrived = self.by_slot("onward_by", &numbers, &arrivals);
        let booked = self.book("rebook", tube.sample, site, &arrived);
        self.follow("rebooked_after", &numbers, &booked, &arrived);
        tube.rebooked.insert(site, booked);
    }

    /// The second container goes to another site than the first, and to one only.
    fn one_site_each(&mut self, tube: &Tube) {
        let last = |booked: &BySlot| booked.last().copied().flatten();
        let all: Vec<Var> = tube.rebooked.values().filter_map(last).collect();
        self.at_most_one("rebooked_once", &[tube.sample.row()], all);
        for (site, rebooked) in &tube.rebooked {
            let main = tube.booked.get(site).and_then(last);
            let both = [last(rebooked), main].into_iter().flatten();
            self.at_most_one("another_site", &[tube.sample.row(), site.row()], both);
        }
    }
}
