//! Where are the lines of a sample run at the least cost? At one site, or from two containers at two.
//!
//! Sites that cannot be the best even if nothing were booked in are passed over.

use super::runs::{Runs, RunsAt};
use super::sample::{ANYWHERE, Handling, Least, LineCase, Ran, SampleCase, bit};
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

/// What all lines cost, each otherwise or run.
fn or_run(otherwise: &[Scaled], run: &[Scaled]) -> Scaled {
    otherwise.iter().zip(run).map(|(other, run)| *other.min(run)).sum()
}

/// What all lines cost, each otherwise or run from the first or the second of two containers.
fn or_either(otherwise: &[Scaled], first: &[Scaled], second: &[Scaled]) -> Scaled {
    otherwise.iter().zip(first).zip(second).map(|((other, first), second)| *other.min(first).min(second)).sum()
}

impl SampleCase {
    /// The least cost of its lines when each may also be left out at its price in `otherwise`.
    pub(super) fn least(&mut self, tables: &Tables<'_>, otherwise: &[Scaled]) -> Least {
        self.least_below(tables, otherwise, NEVER)
    }

    /// The same where that is below a limit; otherwise the limit.
    pub(super) fn least_below(&mut self, tables: &Tables<'_>, otherwise: &[Scaled], limit: Scaled) -> Least {
        let mut least = Least { cost: otherwise.iter().sum::<Scaled>().min(limit), ran: Ran::Nothing };
        let (ways, mut runs) = (std::mem::take(&mut self.ways), std::mem::take(&mut self.runs));
        for &way in &ways {
            for site in tables.facts.snapshot.network.sites.indices() {
                self.at_one_site(tables, &mut runs, otherwise, (way, site), &mut least);
            }
        }
        // One container is looked at before two: what it costs shows most pairs to be of no use.
        for &way in &ways {
            self.at_two_sites(tables, &mut runs, otherwise, way, &mut least);
        }
        (self.ways, self.runs) = (ways, runs);
        least
    }

    /// What its lines cost when they are run where the least of them at other prices was found.
    pub(super) fn cost_of(&mut self, tables: &Tables<'_>, otherwise: &[Scaled], ran: Ran) -> Scaled {
        let (free, origin) = (self.placed(tables), self.origin(tables));
        let runs = std::mem::take(&mut self.runs);
        let at = |(way, site): (Handling, SiteIx), slot| runs.at((way.window, site.row()), way.spun.0).from(slot);
        let reached = |(way, site): (Handling, SiteIx), slot: usize| {
            let reach = self.travel(tables, way).reach(origin, site, way.later())[slot];
            if free { 0 } else { reach + tables.of_site(&tables.book, site)[slot] }
        };
        let cost = match ran {
            Ran::Nothing => otherwise.iter().sum(),
            Ran::OneSite { way, site, from } => {
                let run = at((way, site), from);
                let base = self.handling(tables, way, origin, site) + reached((way, site), from);
                let short = if self.scant { self.first_short(tables, otherwise, run, site) } else { 0 };
                base + or_run(otherwise, run) + short
            }
            Ran::TwoSites { first: (one, first, from), second: (other, second, sent) } => {
                let split = self.travel(tables, other).split(origin, first, second)[sent];
                let split = if free { 0 } else { split + tables.of_site(&tables.book, second)[sent] };
                let base = self.handling(tables, other, origin, first) + reached((one, first), from) + split;
                let mut each = std::mem::take(&mut self.best);
                each.clear();
                each.extend(otherwise.iter().zip(at((one, first), from)).map(|(other, run)| *other.min(run)));
                let run = at((other, second), sent);
                let short = if self.scant { self.second_short(tables, otherwise, &each, run) } else { 0 };
                let cost = base + or_run(&each, run) + short;
                self.best = each;
                cost
            }
        };
        self.runs = runs;
        cost
    }

    /// Works out how it may be handled.
    pub(super) fn list_ways(&mut self, tables: &Tables<'_>) {
        let (sites, slots) = (tables.facts.snapshot.network.sites.len(), tables.facts.slots);
        let (mut ways, mut runs) = (std::mem::take(&mut self.ways), std::mem::take(&mut self.runs));
        ways.clear();
        runs.clear((sites, slots, self.lines.len()));
        let (placed, origin) = (self.placed(tables), self.origin(tables));
        let mut add = |handled: usize, spun: (usize, usize), away: bool, (to, first_to): (u64, u64)| {
            ways.push(Handling { handled, spun, away, window: runs.window(self.window(handled, spun)), to, first_to });
        };
        for handled in 0..Handled::ALL.len() {
            if !self.lines.iter().any(|line| line.until[handled] > 0) {
                continue;
            }
            // Freezing that keeps nothing longer only costs more, where no courier of its own is of use.
            let to = if handled < 2 || self.keeps_longer(handled) { ANYWHERE } else { tables.iced_to(origin) };
            if to == 0 || placed && handled >= 2 && to != ANYWHERE {
                continue;
            }
            if !Handled::ALL[handled].spun || placed {
                add(handled, (0, 0), false, (to, ANYWHERE));
                continue;
            }
            // Spun after the last moment for some lines and by that of the others.
            let mut last = 0;
            while let Some(next) = self.next_spin(handled, last) {
                for away in [false, true] {
                    // And by when that becomes cheaper, as nothing is run before.
                    let mut from = last;
                    while from < next {
                        let until = tables.cheaper_spin(origin, away, from..next);
                        let first_to = if away { tables.spun_away_to(origin, from..until) } else { ANYWHERE };
                        if first_to != 0 {
                            add(handled, (from, until), away, (to, first_to));
                        }
                        from = until;
                    }
                }
                last = next;
            }
        }
        (self.ways, self.runs) = (ways, runs);
    }

    /// Whether freezing lets any line be run or its tube be spun later.
    fn keeps_longer(&self, handled: usize) -> bool {
        let longer =
            |line: &LineCase| line.until[handled] > line.until[handled - 2] || line.spun_until[1] > line.spun_until[0];
        self.lines.iter().any(longer)
    }

    /// The next number of slots by which some line must be spun.
    fn next_spin(&self, handled: usize, last: usize) -> Option<usize> {
        let open = self.lines.iter().filter(|line| line.until[handled] > 0);
        open.map(|line| line.spun_until[handled / 2]).filter(|until| *until > last).min()
    }

    /// In which slots its lines can be run, handled so and spun within some slots: how, and by when at the latest.
    fn window(&self, handled: usize, spun: (usize, usize)) -> (usize, usize) {
        let until = self.lines.iter().map(|line| line.spun_until[handled / 2]);
        (handled, if spun.1 == 0 { 0 } else { until.filter(|until| *until >= spun.1).min().unwrap_or(usize::MAX) })
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

    /// What all lines cost if each were run at the best site, whenever, or left out.
    fn at_best_anywhere(&self, tables: &Tables<'_>, otherwise: &[Scaled]) -> Scaled {
        let sites = tables.facts.snapshot.network.sites.len().max(1);
        let each = otherwise.iter().zip(self.lowest.chunks(sites));
        each.map(|(&otherwise, sites)| sites.iter().copied().min().unwrap_or(NEVER).min(otherwise)).sum()
    }

    /// What its lines cost at a site, handled so.
    fn runs_at<'r>(&self, tables: &Tables<'_>, runs: &'r mut Runs, way: Handling, site: SiteIx) -> RunsAt<'r> {
        let at = (way.window, site.row());
        runs.work_out(at, &self.lines, |row| {
            let line = &self.lines[row];
            let here = line.enough & bit(site) != 0 && tables.facts.runs(site, line.test);
            here.then(|| (self.tested(tables, row, site), way.until(line)))
        });
        runs.at(at, way.spun.0)
    }

    fn at_one_site(
        &mut self,
        tables: &Tables<'_>,
        runs: &mut Runs,
        otherwise: &[Scaled],
        (way, site): (Handling, SiteIx),
        least: &mut Least,
    ) {
        if way.to & way.first_to & bit(site) == 0 {
            return;
        }
        let (free, origin) = (self.placed(tables), self.origin(tables));
        let there = if free { 0 } else { self.travel(tables, way).there(origin, site, way.later()) };
        let at_best = there + self.at_best(tables, otherwise, &[site]);
        if at_best >= least.cost {
            return;
        }
        let handling = self.handling(tables, way, origin, site);
        if handling + at_best >= least.cost {
            return;
        }
        let here = self.runs_at(tables, runs, way, site);
        let reach = self.travel(tables, way).reach(origin, site, way.later());
        let book = tables.of_site(&tables.book, site);
        let (mut cheapest, mut found) = (NEVER, None);
        for from in 0..here.until {
            // Whoever is booked in later runs nothing sooner, and so must pay less than everybody before.
            let booked = if free { 0 } else { reach[from] + book[from] };
            if booked >= cheapest {
                continue;
            }
            cheapest = booked;
            let run = or_run(otherwise, here.from(from));
            // Later nothing costs less.
            if handling + there + run >= least.cost {
                break;
            }
            let mut total = handling + booked + run;
            if self.scant && total < least.cost {
                total += self.first_short(tables, otherwise, here.from(from), site);
            }
            if total < least.cost {
                (least.cost, found) = (total, Some(from));
            }
            if booked <= there {
                break;
            }
        }
        let Some(soonest) = found else { return };
        // Of equals the latest, as it hinders nobody.
        let same = |from: &usize| {
            let booked = if free { 0 } else { reach[*from] + book[*from] };
            handling + booked + or_run(otherwise, here.from(*from)) == least.cost
        };
        let latest = if self.scant { None } else { (soonest..here.until).rev().find(same) };
        least.ran = Ran::OneSite { way, site, from: latest.unwrap_or(soonest) };
    }

    /// What the lack of volume costs when lines are run at a site for so much.
    fn first_short(&mut self, tables: &Tables<'_>, otherwise: &[Scaled], run: &[Scaled], site: SiteIx) -> Scaled {
        let mut best = std::mem::take(&mut self.best);
        best.clear();
        best.extend(otherwise.iter().zip(run).map(|(other, run)| *other.min(run)));
        let short = self.short_of_volume(tables, &best, otherwise, Some(site));
        self.best = best;
        short
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
    fn at_two_sites(
        &mut self,
        tables: &Tables<'_>,
        runs: &mut Runs,
        otherwise: &[Scaled],
        second: Handling,
        least: &mut Least,
    ) {
        self.in_two(tables, runs, otherwise, [second, second], least);
        // What is frozen is not split: the second alone is frozen, or both are frozen and thawed before.
        if second.frozen() {
            let first = second.unfrozen();
            let first = Handling { window: runs.window(self.window(first.handled, first.spun)), ..first };
            self.in_two(tables, runs, otherwise, [first, second], least);
        }
    }

    /// Two containers, each with how it is handled.
    fn in_two(
        &mut self,
        tables: &Tables<'_>,
        runs: &mut Runs,
        otherwise: &[Scaled],
        ways: [Handling; 2],
        least: &mut Least,
    ) {
        let snapshot = tables.facts.snapshot;
        let Some(sample) = self.sample else { return };
        let facts = &snapshot.backlog.samples[sample];
        let [_, second] = ways;
        let lines = self.lines.iter().filter(|line| ways.iter().any(|way| way.until(line) > 0)).count();
        let separated = snapshot.backlog.state(sample).phase() == Phase::Separated || Handled::ALL[second.handled].spun;
        if lines < 2 || !separated || !snapshot.catalogue.specimens[facts.specimen].aliquots {
            return;
        }
        let free = self.placed(tables);
        let standing = if free { everywhere(snapshot.network.sites.len()) } else { Vec::new() };
        let pairs = self.travel(tables, second).pairs(facts.site, second.later());
        let anywhere = self.at_best_anywhere(tables, otherwise);
        for &pair in if free { &standing } else { pairs } {
            // Those that cost least come first.
            if pair.there + pair.sent + anywhere >= least.cost {
                break;
            }
            let (first, other) = (bit(pair.first.0), bit(pair.second.0));
            if second.to & (first | other) == 0 || second.first_to & first == 0 {
                continue;
            }
            let at_best = pair.there + pair.sent + self.at_best(tables, otherwise, &[pair.first.0, pair.second.0]);
            if at_best >= least.cost {
                continue;
            }
            // The first container is spun before the second is split off.
            let handling = self.handling(tables, second, facts.site, pair.first.0);
            if handling + at_best < least.cost {
                self.at_pair(tables, runs, otherwise, (ways, handling), &pair, least);
            }
        }
    }

    /// Every slot in which the first container may be booked in, with every slot after it in which the second
    /// may: it is split off once the first is booked in, and leaves when that slot has ended.
    fn at_pair(
        &mut self,
        tables: &Tables<'_>,
        runs: &mut Runs,
        otherwise: &[Scaled],
        (ways, handling): ([Handling; 2], Scaled),
        pair: &Pair,
        least: &mut Least,
    ) {
        let ((first, reached), second) = (pair.first, pair.second.0);
        // It is split off once it is spun.
        let sent = pair.second.1.max(ways[1].spun.0);
        self.runs_at(tables, runs, ways[0], first);
        self.runs_at(tables, runs, ways[1], second);
        let at_first = runs.at((ways[0].window, first.row()), ways[0].spun.0);
        let at_second = runs.at((ways[1].window, second.row()), ways[1].spun.0);
        let free = self.placed(tables);
        let reach = self.travel(tables, ways[0]).reach(self.origin(tables), first, ways[0].later());
        let book = tables.of_site(&tables.book, first);
        let base = handling + pair.there + pair.sent;
        let mut each = std::mem::take(&mut self.best);
        let mut cheapest = NEVER;
        for from in reached..at_first.until {
            let sent = sent.max(if free { 0 } else { from + 1 });
            if sent >= at_second.until {
                break;
            }
            // Whoever is booked in later runs nothing sooner, and so must pay less than everybody before.
            let booked = if free { 0 } else { reach[from] + book[from] };
            if booked >= cheapest {
                continue;
            }
            cheapest = booked;
            let at_best = base + or_either(otherwise, at_first.from(from), at_second.from(sent));
            // Later nothing costs less.
            if at_best >= least.cost {
                break;
            }
            if at_best - pair.there + booked >= least.cost {
                continue;
            }
            each.clear();
            each.extend(otherwise.iter().zip(at_first.from(from)).map(|(other, run)| *other.min(run)));
            let there = handling + booked;
            if let Some(slot) = self.with_second(
                tables,
                otherwise,
                (ways[1], pair, at_second),
                (&each, there),
                sent..at_second.until,
                &mut least.cost,
            ) {
                least.ran = Ran::TwoSites { first: (ways[0], first, from), second: (ways[1], second, slot) };
            }
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
        (way, pair, runs): (Handling, &Pair, RunsAt<'_>),
        (first, there): (&[Scaled], Scaled),
        slots: std::ops::Range<usize>,
        least: &mut Scaled,
    ) -> Option<usize> {
        let second = pair.second.0;
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
            let run = or_run(first, runs.from(slot));
            // Later nothing costs less.
            if there + pair.sent + run >= *least {
                break;
            }
            let mut total = there + booked + run;
            if self.scant && total < *least {
                total += self.second_short(tables, otherwise, first, runs.from(slot));
            }
            if total < *least {
                (*least, found) = (total, Some(slot));
            }
            if booked <= pair.sent {
                break;
            }
        }
        found
    }

    /// What the lack of volume costs when lines are run from the second container for so much, or from the first for
    /// less.
    fn second_short(
        &mut self,
        tables: &Tables<'_>,
        otherwise: &[Scaled],
        first: &[Scaled],
        second: &[Scaled],
    ) -> Scaled {
        let mut best = std::mem::take(&mut self.run);
        best.clear();
        best.extend(first.iter().zip(second).map(|(first, run)| *first.min(run)));
        let short = self.short_of_volume(tables, &best, otherwise, None);
        self.run = best;
        short
    }
}
