//! Where are the lines of a sample run at the least cost? At one site, or from two containers at two.
//!
//! Sites that cannot be the best even if nothing were booked in are passed over.

use super::sample::{Handling, Least, LineCase, Ran, SampleCase, add_savings, bit};
use super::tables::Tables;
use super::travel::{Pair, Travel};
use super::volume::{Wanted, left_out_at_least};
use super::window::Handled;
use super::{NEVER, Scaled};
use crate::catalogue::Phase;
use crate::table::{Ix, SiteIx};

/// Every two sites at which two containers may stand, whatever brought them there.
fn everywhere(sites: usize) -> Vec<Pair> {
    let at = |site: usize| (SiteIx::from_row(site), 0);
    let pair = |pair: usize| Pair { first: at(pair / sites), second: at(pair % sites), there: 0, sent: 0 };
    (0..sites * sites).map(pair).filter(|pair| pair.first != pair.second).collect()
}

impl SampleCase {
    /// The least cost of its lines when each may also be left out at its price in `otherwise`.
    pub(super) fn least(&mut self, tables: &Tables<'_>, otherwise: &[Scaled]) -> Least {
        let mut least = Least { cost: otherwise.iter().sum::<Scaled>().min(NEVER), ran: Ran::Nothing };
        for handled in 0..Handled::ALL.len() {
            // Freezing that keeps nothing longer only costs more, if it does not travel by couriers of its own.
            let freezing = handled >= 2 && !tables.facts.dry_ice;
            let longer = |line: &LineCase| line.until[handled] > if freezing { line.until[handled - 2] } else { 0 };
            if !self.lines.iter().any(longer) {
                continue;
            }
            if !Handled::ALL[handled].spun || self.placed(tables) {
                let way = Handling { handled, spun: (0, 0), away: false };
                self.handled(tables, otherwise, way, &mut least);
                continue;
            }
            // Spun after the last moment for some lines and by that of the others.
            let mut last = 0;
            while let Some(next) = self.next_spin(handled, last) {
                for away in [false, true] {
                    // And by when that becomes cheaper, as nothing is run before.
                    let mut from = last;
                    while from < next {
                        let until = tables.cheaper_spin(self.origin(tables), away, from..next);
                        let way = Handling { handled, spun: (from, until), away };
                        self.handled(tables, otherwise, way, &mut least);
                        from = until;
                    }
                }
                last = next;
            }
        }
        least
    }

    /// The next number of slots by which some line must be spun.
    fn next_spin(&self, handled: usize, last: usize) -> Option<usize> {
        let open = self.lines.iter().filter(|line| line.until[handled] > 0);
        open.map(|line| line.spun_until[handled / 2]).filter(|until| *until > last).min()
    }

    fn handled(&mut self, tables: &Tables<'_>, otherwise: &[Scaled], way: Handling, least: &mut Least) {
        for site in tables.facts.snapshot.network.sites.indices() {
            self.at_one_site(tables, otherwise, way, site, least);
        }
        self.at_two_sites(tables, otherwise, way, least);
    }

    pub(super) fn placed(&self, tables: &Tables<'_>) -> bool {
        self.sample.is_some_and(|sample| tables.before.placed[sample.row()])
    }

    /// The price of handling it so on its way to a site, wherever and whenever that is cheapest.
    fn handling(&self, tables: &Tables<'_>, way: Handling, from: SiteIx, to: SiteIx) -> Scaled {
        if self.placed(tables) {
            return 0;
        }
        let slots = way.spun.0..way.spun.1;
        let spun = match (slots.is_empty(), way.away) {
            (true, _) => 0,
            (false, false) => tables.spun_here(from, slots).0,
            (false, true) => tables.spun_away(from, to, slots),
        };
        spun + if way.frozen() { tables.freeze } else { 0 }
    }

    /// How it travels, handled so.
    pub(super) fn travel<'t>(&self, tables: &'t Tables<'_>, way: Handling) -> &'t Travel {
        tables.travel(self.frozen[way.handled / 2])
    }

    /// Where it stands.
    pub(super) fn origin(&self, tables: &Tables<'_>) -> SiteIx {
        let samples = &tables.facts.snapshot.backlog.samples;
        self.sample.map_or(SiteIx::from_row(0), |sample| samples[sample].site)
    }

    /// What all lines cost if each were run at the best of these sites, whenever, or left out.
    fn at_best(&self, tables: &Tables<'_>, otherwise: &[Scaled], at: &[SiteIx]) -> Scaled {
        let sites = tables.facts.snapshot.network.sites.len();
        let lowest = |row: usize| at.iter().map(move |site| self.lowest[row * sites + site.row()]).min();
        let each = otherwise.iter().enumerate();
        each.map(|(row, &otherwise)| lowest(row).unwrap_or(NEVER).min(otherwise)).sum()
    }

    fn at_one_site(
        &mut self,
        tables: &Tables<'_>,
        otherwise: &[Scaled],
        way: Handling,
        site: SiteIx,
        least: &mut Least,
    ) {
        let (free, origin) = (self.placed(tables), self.origin(tables));
        let reach = self.travel(tables, way).reach(origin, site, way.later());
        let there = if free { 0 } else { reach.last().copied().unwrap_or(NEVER) };
        if there + self.at_best(tables, otherwise, &[site]) >= least.cost {
            return;
        }
        let handling = self.handling(tables, way, origin, site);
        if handling + there + self.at_best(tables, otherwise, &[site]) >= least.cost {
            return;
        }
        if self.scant {
            return self.scant_at_one_site(tables, otherwise, way, site, handling, least);
        }
        let Some(until) = self.last_run(way, site) else { return };
        let book = tables.of_site(&tables.book, site);
        let base = handling + otherwise.iter().sum::<Scaled>();
        let mut total = std::mem::take(&mut self.best);
        total.clear();
        total.extend((0..until).map(|slot| base + if free { 0 } else { reach[slot] + book[slot] }));
        for (row, &otherwise) in otherwise.iter().enumerate() {
            self.run_from(tables, way, (row, otherwise), (site, 0), &mut total);
        }
        // Of equals the latest, as it hinders nobody.
        for (from, &total) in total.iter().enumerate().rev() {
            if total < least.cost {
                *least = Least { cost: total, ran: Ran::OneSite { way, site, from } };
            }
        }
        self.best = total;
    }

    /// Adds to the total of each slot, the first of which is given with the site, by how much a line costs less
    /// than otherwise if it may be run at the site from that slot on.
    fn run_from(
        &self,
        tables: &Tables<'_>,
        way: Handling,
        (row, otherwise): (usize, Scaled),
        (site, first): (SiteIx, usize),
        total: &mut [Scaled],
    ) {
        let until = way.until(&self.lines[row]).min(first + total.len());
        if until <= first || self.lines[row].enough & bit(site) == 0 {
            return;
        }
        // Nothing is run before the tube is spun.
        let spun = way.spun.0.clamp(first, until);
        let tested = &self.tested(tables, row, site)[spun..until];
        let best = add_savings(&mut total[spun - first..], tested, otherwise);
        total[..spun - first].iter_mut().for_each(|total| *total += best - otherwise);
    }

    /// Until which slot any line can be run at a site; none when none can.
    fn last_run(&self, way: Handling, site: SiteIx) -> Option<usize> {
        let here = self.lines.iter().filter(|line| line.enough & bit(site) != 0);
        here.map(|line| way.until(line)).max().filter(|until| *until > 0)
    }

    /// The same where there is too little for all lines: slot by slot, with what has to be left out.
    fn scant_at_one_site(
        &mut self,
        tables: &Tables<'_>,
        otherwise: &[Scaled],
        way: Handling,
        site: SiteIx,
        handling: Scaled,
        least: &mut Least,
    ) {
        let Some(until) = self.last_run(way, site) else { return };
        let free = self.placed(tables);
        let reach = self.travel(tables, way).reach(self.origin(tables), site, way.later());
        let book = tables.of_site(&tables.book, site);
        let mut best = std::mem::take(&mut self.best);
        best.clear();
        best.extend_from_slice(otherwise);
        for from in (0..until).rev() {
            let mut total = handling + if free { 0 } else { reach[from] + book[from] };
            for (row, best) in best.iter_mut().enumerate() {
                if (way.spun.0..way.until(&self.lines[row])).contains(&from) && self.lines[row].enough & bit(site) != 0
                {
                    *best = self.tested(tables, row, site)[from].min(*best);
                }
                total += *best;
            }
            if total < least.cost {
                total += self.short_of_volume(tables, &best, otherwise, Some(site));
            }
            if total < least.cost {
                *least = Least { cost: total, ran: Ran::OneSite { way, site, from } };
            }
        }
        self.best = best;
    }

    /// What it costs at the least to leave out as many of the lines that are run as there is too little volume for.
    fn short_of_volume(
        &mut self,
        tables: &Tables<'_>,
        best: &[Scaled],
        otherwise: &[Scaled],
        site: Option<SiteIx>,
    ) -> Scaled {
        let Some(sample) = self.sample else { return 0 };
        let facts = tables.facts;
        let run = || self.lines.iter().enumerate().filter(|(row, _)| best[*row] < otherwise[*row]);
        // Each of two containers loses something, if only what the line loses that loses least.
        let twice = run().map(|(_, line)| facts.dead_anywhere(line.test).saturating_mul(2)).min().unwrap_or(0);
        let wanted = |(row, line): (usize, &LineCase)| Wanted {
            loss: otherwise[row] - best[row],
            volume: line.volume,
            dead: site.map_or(twice, |site| facts.dead(site, line.test)),
        };
        let mut all = std::mem::take(&mut self.wanted);
        all.clear();
        all.extend(run().map(wanted));
        let lost = left_out_at_least(&mut all, facts.snapshot.backlog.samples[sample].volume.get());
        self.wanted = all;
        lost
    }

    /// Two containers: the first goes to a site and is booked in there, the second is split off there and sent on.
    fn at_two_sites(&mut self, tables: &Tables<'_>, otherwise: &[Scaled], second: Handling, least: &mut Least) {
        self.in_two(tables, otherwise, [second, second], least);
        // What is frozen is not split: the second alone is frozen, or both are frozen and thawed before.
        if second.frozen() {
            self.in_two(tables, otherwise, [second.unfrozen(), second], least);
        }
    }

    /// Two containers, each with how it is handled.
    fn in_two(&mut self, tables: &Tables<'_>, otherwise: &[Scaled], ways: [Handling; 2], least: &mut Least) {
        let snapshot = tables.facts.snapshot;
        let Some(sample) = self.sample else { return };
        let facts = &snapshot.backlog.samples[sample];
        let [first, second] = ways;
        let lines = self.lines.iter().filter(|line| ways.iter().any(|way| way.until(line) > 0)).count();
        let separated = snapshot.backlog.state(sample).phase() == Phase::Separated || Handled::ALL[second.handled].spun;
        if lines < 2 || !separated || !snapshot.catalogue.specimens[facts.specimen].aliquots {
            return;
        }
        let free = self.placed(tables);
        let mut known = false;
        let standing = if free { everywhere(snapshot.network.sites.len()) } else { Vec::new() };
        let pairs = self.travel(tables, second).pairs(facts.site, second.later());
        for &pair in if free { &standing } else { pairs } {
            let at_best = pair.there + pair.sent + self.at_best(tables, otherwise, &[pair.first.0, pair.second.0]);
            if at_best >= least.cost {
                continue;
            }
            // The first container is spun before the second is split off.
            let handling = self.handling(tables, second, facts.site, pair.first.0);
            if handling + at_best >= least.cost {
                continue;
            }
            if !known {
                self.run_each_from(tables, 0, second);
                if first != second {
                    self.run_each_from(tables, 1, first);
                }
                known = true;
            }
            self.at_pair(tables, otherwise, (ways, handling), &pair, least);
        }
    }

    /// Per site, slot and line: run at the site in that slot or later from one of two containers.
    fn run_each_from(&mut self, tables: &Tables<'_>, container: usize, way: Handling) {
        let slots = tables.facts.slots;
        let (sites, lines) = (tables.facts.snapshot.network.sites.indices(), self.lines.len());
        let mut each_from = std::mem::take(&mut self.each_from[container]);
        each_from.clear();
        each_from.resize(sites.len() * slots * lines, NEVER);
        for site in sites {
            let here = &mut each_from[site.row() * slots * lines..(site.row() + 1) * slots * lines];
            for (row, line) in self.lines.iter().enumerate() {
                if !tables.facts.runs(site, line.test) || line.enough & bit(site) == 0 {
                    continue;
                }
                // Nothing is run before the tube is spun.
                let tested = self.tested(tables, row, site);
                let mut best = NEVER;
                for slot in (0..way.until(line)).rev() {
                    best = if slot < way.spun.0 { best } else { best.min(tested[slot]) };
                    here[slot * lines + row] = best;
                }
            }
        }
        self.each_from[container] = each_from;
    }

    /// What each line costs at a site if it may be run there from a slot on from a container.
    fn each_from(&self, tables: &Tables<'_>, container: usize, site: SiteIx, slot: usize) -> &[Scaled] {
        let lines = self.lines.len();
        let first = (site.row() * tables.facts.slots + slot) * lines;
        &self.each_from[container][first..first + lines]
    }

    /// Every slot in which the first container may be booked in, with every slot after it in which the second
    /// may: it is split off once the first is booked in, and leaves when that slot has ended.
    fn at_pair(
        &mut self,
        tables: &Tables<'_>,
        otherwise: &[Scaled],
        (ways, handling): ([Handling; 2], Scaled),
        pair: &Pair,
        least: &mut Least,
    ) {
        let ((first, reached), second) = (pair.first, pair.second.0);
        // It is split off once it is spun.
        let sent = pair.second.1.max(ways[1].spun.0);
        let until = [self.last_run(ways[0], first), self.last_run(ways[1], second)].map(|until| until.unwrap_or(0));
        if reached >= until[0] || sent >= until[1] {
            return;
        }
        let of_first = usize::from(ways[0] != ways[1]);
        let soonest =
            self.each_from(tables, of_first, first, reached).iter().zip(self.each_from(tables, 0, second, sent));
        let at_best = otherwise.iter().zip(soonest).map(|(other, (first, second))| *other.min(first).min(second));
        if handling + pair.there + pair.sent + at_best.sum::<Scaled>() >= least.cost {
            return;
        }
        let free = self.placed(tables);
        let reach = self.travel(tables, ways[0]).reach(self.origin(tables), first, ways[0].later());
        let book = tables.of_site(&tables.book, first);
        let mut each = std::mem::take(&mut self.best);
        let mut cheapest = NEVER;
        for from in reached..until[0] {
            // Whoever is booked in later runs nothing sooner, and so must pay less than everybody before.
            let booked = if free { 0 } else { reach[from] + book[from] };
            if booked >= cheapest {
                continue;
            }
            cheapest = booked;
            each.clear();
            let runs = self.each_from(tables, of_first, first, from);
            each.extend(otherwise.iter().zip(runs).map(|(other, run)| *other.min(run)));
            let slots = sent.max(if free { 0 } else { from + 1 })..until[1];
            let there = handling + booked;
            if let Some(slot) =
                self.with_second(tables, otherwise, (ways[1], pair), (&each, there), slots, &mut least.cost)
            {
                least.ran = Ran::TwoSites { first: (ways[0], first, from), second: (ways[1], second, slot) };
            }
            // Nothing later costs less.
            if booked <= pair.there {
                break;
            }
        }
        self.best = each;
    }

    /// In which slot the second container is booked in at less than the least cost, if in any; given what each line
    /// costs otherwise or from the first container, and what it costs to get that there.
    fn with_second(
        &mut self,
        tables: &Tables<'_>,
        otherwise: &[Scaled],
        (way, pair): (Handling, &Pair),
        (first, there): (&[Scaled], Scaled),
        slots: std::ops::Range<usize>,
        least: &mut Scaled,
    ) -> Option<usize> {
        let second = pair.second.0;
        if slots.is_empty() || there + pair.sent + self.or_second(tables, first, second, slots.start) >= *least {
            return None;
        }
        let free = self.placed(tables);
        let split = self.travel(tables, way).split(self.origin(tables), pair.first.0, second);
        let book = tables.of_site(&tables.book, second);
        let (mut cheapest, mut found) = (NEVER, None);
        for slot in slots {
            let booked = if free { 0 } else { split[slot] + book[slot] };
            if booked >= cheapest {
                continue;
            }
            cheapest = booked;
            let mut total = there + booked + self.or_second(tables, first, second, slot);
            if self.scant && total < *least {
                total += self.second_short(tables, otherwise, (second, slot), first);
            }
            if total < *least {
                (*least, found) = (total, Some(slot));
            }
            // Nothing later costs less.
            if booked <= pair.sent {
                break;
            }
        }
        found
    }

    /// What all lines cost, each at what the first container makes of it or from the second, booked in in a slot.
    fn or_second(&self, tables: &Tables<'_>, first: &[Scaled], second: SiteIx, from: usize) -> Scaled {
        first.iter().zip(self.each_from(tables, 0, second, from)).map(|(first, run)| *first.min(run)).sum()
    }

    /// What the lack of volume costs when the second container is booked in in a slot, its lines run from then on
    /// or from the first for less.
    fn second_short(
        &mut self,
        tables: &Tables<'_>,
        otherwise: &[Scaled],
        (second, from): (SiteIx, usize),
        first: &[Scaled],
    ) -> Scaled {
        let mut best = std::mem::take(&mut self.run);
        best.clear();
        best.extend(first.iter().zip(self.each_from(tables, 0, second, from)).map(|(first, run)| *first.min(run)));
        let short = self.short_of_volume(tables, &best, otherwise, None);
        self.run = best;
        short
    }
}
