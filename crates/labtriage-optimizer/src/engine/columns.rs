//! Which options of each item are known, and what does a mix of them use?
//!
//! An option that the oracle has named once is a column: its cost and uses are kept, so that it can be
//! priced again in nanoseconds. Amounts are kept as `f32`: columns guide, and are counted in whole
//! numbers before anything is believed of them.

use super::Problem;
use super::scratch::Pool;

/// One known option of an item.
pub(super) struct Column<C> {
    /// None when it is the relaxed option of a minimum.
    pub(super) choice: Option<C>,
    pub(super) cost: f64,
    /// Each resource once, in order.
    pub(super) uses: Box<[(u32, f32)]>,
    /// Its share in the mix of the item's columns; shares sum to 1.
    share: f32,
    /// When the oracle named it last.
    named: u32,
}

/// The known options of all items, with a mix of each item's.
pub(super) struct Columns<C> {
    of: Vec<Vec<Column<C>>>,
    /// What the mix uses of each resource.
    used: Vec<f64>,
    /// How much there is of each resource for all items, and for the share of them that is known.
    whole: Vec<f64>,
    limits: Vec<f64>,
    /// What the answers use that nobody has heard yet, and those heard, which are of such a share of all items.
    answers: Vec<f64>,
    heard: Vec<f64>,
    heard_share: f64,
    /// Columns of an item, at the most, unless all have a share in the mix.
    keep: usize,
    /// How often items were asked.
    asked: u32,
}

/// Prices that follow the use: `centre` where use meets the limit, higher above and lower below it.
pub(super) struct Steering<'s> {
    /// Cost per unit of each resource.
    pub(super) centre: &'s [f64],
    /// By how much a price rises with each unit of use beyond the limit.
    pub(super) slope: &'s [f64],
    /// How far at the most a price goes from the centre.
    pub(super) reach: &'s [f64],
}

impl Steering<'_> {
    fn price(&self, resource: usize, excess: f64) -> f64 {
        let reach = self.reach[resource];
        (self.centre[resource] + (self.slope[resource] * excess).clamp(-reach, reach)).max(0.0)
    }
}

/// What items are asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// Their cheapest options.
    Cheapest,
    /// The relaxed options that their minima come from.
    Minimum,
}

impl Ask {
    fn of<P: Problem>(
        self,
        problem: &P,
        item: usize,
        prices: &[f64],
        scratch: &mut P::Scratch,
    ) -> Option<Column<P::Choice>> {
        let mut uses: Vec<(u32, f32)> = Vec::new();
        let mut add = |resource: usize, amount: u64| {
            uses.push((u32::try_from(resource).unwrap_or(u32::MAX), amount as f32));
        };
        let (choice, cost) = match self {
            Self::Cheapest => {
                let choice = problem.cheapest(item, prices, None, scratch)?;
                problem.uses(item, &choice, &mut add);
                let cost = problem.cost(item, &choice) as f64;
                (Some(choice), cost)
            }
            Self::Minimum => (None, problem.minimum(item, prices, scratch, &mut add)),
        };
        let mut column = Column::new(choice, cost, uses);
        if self == Self::Minimum {
            // What is left of a minimum without what it pays.
            column.cost -= column.priced(prices) - column.cost;
        }
        column.cost.is_finite().then_some(column)
    }
}

impl<C> Column<C> {
    fn new(choice: Option<C>, cost: f64, mut uses: Vec<(u32, f32)>) -> Self {
        uses.sort_unstable_by_key(|(resource, _)| *resource);
        uses.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            kept.1 += if same { next.1 } else { 0.0 };
            same
        });
        Self { choice, cost, uses: uses.into(), share: 0.0, named: 0 }
    }

    /// Cost and Σ price × use.
    pub(super) fn priced(&self, prices: &[f64]) -> f64 {
        self.uses.iter().fold(self.cost, |sum, &(resource, amount)| sum + prices[resource as usize] * f64::from(amount))
    }

    fn use_all(&self, used: &mut [f64], sign: f64) {
        for &(resource, amount) in &self.uses {
            used[resource as usize] += sign * f64::from(amount);
        }
    }
}

impl<C: Send> Columns<C> {
    /// Nothing known yet.
    pub(super) fn new<P: Problem<Choice = C>>(problem: &P, keep: usize) -> Self {
        let limit =
            |(resource, limit): (usize, &u64)| if problem.steers(resource) { *limit as f64 } else { f64::INFINITY };
        let whole: Vec<f64> = problem.limits().iter().enumerate().map(limit).collect();
        Self {
            of: (0..problem.items()).map(|_| Vec::new()).collect(),
            used: vec![0.0; problem.limits().len()],
            limits: whole.clone(),
            answers: vec![0.0; problem.limits().len()],
            heard: vec![0.0; problem.limits().len()],
            heard_share: 0.0,
            whole,
            keep,
            asked: 0,
        }
    }

    /// Goes on with a share of all items, which has that share of all limits.
    pub(super) fn share(&mut self, share: f64) {
        self.limits = self.whole.iter().map(|limit| limit * share).collect();
    }

    /// Forgets what the latest answers used.
    pub(super) fn forget(&mut self) {
        self.answers.fill(0.0);
        self.heard.fill(0.0);
        self.heard_share = 0.0;
    }

    /// Takes note of the latest answers, of a share of all items, and keeps so much of those before.
    pub(super) fn hear(&mut self, kept: f64, share: f64) {
        for (heard, answer) in self.heard.iter_mut().zip(&mut self.answers) {
            *heard = *heard * kept + std::mem::take(answer);
        }
        self.heard_share = self.heard_share * kept + share;
    }

    /// Whether the latest answers want more of a resource than there is where the mix does, and less where
    /// the mix does.
    pub(super) fn agree(&self, resource: usize) -> bool {
        let wanted = self.heard[resource] - self.heard_share * self.whole[resource];
        wanted * (self.used[resource] - self.limits[resource]) >= 0.0
    }

    /// Asks items for options under prices, adds what is new, and tells Σ cost + price × use. One call
    /// of the oracle per item.
    pub(super) fn ask<P: Problem<Choice = C>>(
        &mut self,
        pool: &Pool<'_, P>,
        ask: Ask,
        items: &[usize],
        prices: &[f64],
    ) -> f64 {
        self.asked += 1;
        let found = pool.each(items, |item, scratch| ask.of(pool.problem, item, prices, scratch));
        let mut priced = 0.0;
        for (&item, column) in items.iter().zip(found) {
            if let Some(column) = column {
                priced += column.priced(prices);
                column.use_all(&mut self.answers, 1.0);
                self.add(item, column);
            }
        }
        priced
    }

    fn add(&mut self, item: usize, mut column: Column<C>) {
        column.named = self.asked;
        let known = &mut self.of[item];
        if let Some(same) = known.iter_mut().find(|known| known.uses == column.uses && known.cost == column.cost) {
            same.named = self.asked;
            return;
        }
        if known.is_empty() {
            column.share = 1.0;
            column.use_all(&mut self.used, 1.0);
        }
        if known.len() >= self.keep {
            let idle = known.iter().enumerate().filter(|(_, column)| column.share == 0.0);
            if let Some((oldest, _)) = idle.min_by_key(|(_, column)| column.named) {
                known.swap_remove(oldest);
            }
        }
        known.push(column);
    }

    /// Σ cost of the mix.
    pub(super) fn cost(&self) -> f64 {
        self.of.iter().flatten().map(|column| column.cost * f64::from(column.share)).sum()
    }

    /// What the mix uses beyond the limits, at prices.
    pub(super) fn overdrawn(&self, prices: &[f64]) -> f64 {
        let each = self.used.iter().zip(&self.limits).zip(prices);
        each.map(|((used, limit), price)| (used - limit).max(0.0) * price).sum()
    }

    /// Mixes the columns of items anew, one item after the other, at prices that follow the use; the prices at the
    /// end. This minimises Σ cost + Σ ∫ price over the use: the subproblem of the method of multipliers, solved by
    /// moving shares from the dearest to the cheapest column of an item, as far as pays. O(uses of the columns).
    pub(super) fn mix(&mut self, steering: &Steering<'_>, items: impl Iterator<Item = usize>) -> Vec<f64> {
        let excess = self.used.iter().zip(&self.limits).map(|(used, limit)| used - limit);
        let mut prices: Vec<f64> =
            excess.enumerate().map(|(resource, excess)| steering.price(resource, excess)).collect();
        for item in items {
            if self.of[item].len() > 1 {
                shift(&mut self.of[item], steering, &mut self.used, &self.limits, &mut prices);
            }
        }
        prices
    }

    /// One whole column per item: from the mix, each item in turn takes what costs least at prices that
    /// follow the use of all others by a slope, `growth` times as steep from sweep to sweep. None for an
    /// item of which nothing is known. O(sweeps × uses of all columns).
    pub(super) fn whole(&self, prices: &[f64], slope: &[f64], (sweeps, growth): (usize, f64)) -> Vec<Option<usize>> {
        let most = |columns: &Vec<Column<C>>| {
            (0..columns.len()).max_by(|&one, &other| columns[one].share.total_cmp(&columns[other].share))
        };
        let mut chosen: Vec<Option<usize>> = self.of.iter().map(most).collect();
        let mut used = vec![0.0; self.used.len()];
        for (columns, chosen) in self.of.iter().zip(&chosen) {
            chosen.iter().for_each(|&chosen| columns[chosen].use_all(&mut used, 1.0));
        }
        let mut steep = 1.0;
        for _ in 0..sweeps {
            for (columns, chosen) in self.of.iter().zip(&mut chosen).filter(|(columns, _)| columns.len() > 1) {
                chosen.iter().for_each(|&chosen| columns[chosen].use_all(&mut used, -1.0));
                let price = |resource: usize, at: f64| {
                    let excess = at - self.limits[resource];
                    (prices[resource] + steep * slope[resource] * excess).max(0.0)
                };
                // Half way between before and after is what the use costs in all, where prices are straight.
                let priced = |column: &Column<C>| {
                    column.uses.iter().fold(column.cost, |sum, &(resource, amount)| {
                        let (resource, amount) = (resource as usize, f64::from(amount));
                        let before = used[resource];
                        sum + amount * 0.5 * (price(resource, before) + price(resource, before + amount))
                    })
                };
                let all = columns.iter().map(priced).enumerate();
                *chosen = all.min_by(|one, other| one.1.total_cmp(&other.1)).map(|(least, _)| least);
                chosen.iter().for_each(|&chosen| columns[chosen].use_all(&mut used, 1.0));
            }
            steep *= growth;
        }
        chosen
    }

    /// The cheapest known option of an item at prices, with what it costs at them.
    pub(super) fn cheapest(&self, item: usize, prices: &[f64]) -> Option<(&C, f64)> {
        let priced = self.of[item].iter().map(|column| (column.choice.as_ref(), column.priced(prices)));
        let known = priced.filter_map(|(choice, priced)| choice.map(|choice| (choice, priced)));
        known.min_by(|one, other| one.1.total_cmp(&other.1))
    }

    /// The columns of an item.
    pub(super) fn of(&self, item: usize) -> &[Column<C>] {
        &self.of[item]
    }
}

/// Moves share from the dearest column that has one to the cheapest, as far as pays.
fn shift<C>(columns: &mut [Column<C>], steering: &Steering<'_>, used: &mut [f64], limits: &[f64], prices: &mut [f64]) {
    let (mut least, mut most) = ((f64::INFINITY, 0), (f64::NEG_INFINITY, 0));
    for (n, column) in columns.iter().enumerate() {
        let priced = column.priced(prices);
        if priced < least.0 {
            least = (priced, n);
        }
        if column.share > 0.0 && priced > most.0 {
            most = (priced, n);
        }
    }
    let gap = most.0 - least.0;
    if gap <= 0.0 {
        return;
    }
    let mut curve = 0.0;
    difference(&columns[least.1].uses, &columns[most.1].uses, |resource, change| {
        curve += steering.slope[resource] * change * change;
    });
    let share = columns[most.1].share;
    let moved = if curve > 0.0 { (gap / curve) as f32 } else { share };
    // All of it rather than a crumb less: shares that are nothing keep columns from being given up.
    let moved = if moved >= share * 0.9999 { share } else { moved };
    columns[most.1].share -= moved;
    columns[least.1].share += moved;
    difference(&columns[least.1].uses, &columns[most.1].uses, |resource, change| {
        used[resource] += change * f64::from(moved);
        prices[resource] = steering.price(resource, used[resource] - limits[resource]);
    });
}

/// Tells by how much the uses of one option differ from those of another; both in order of resource.
fn difference(plus: &[(u32, f32)], minus: &[(u32, f32)], mut tell: impl FnMut(usize, f64)) {
    let (mut plus, mut minus) = (plus.iter().peekable(), minus.iter().peekable());
    loop {
        let resources = (plus.peek().map(|(resource, _)| *resource), minus.peek().map(|(resource, _)| *resource));
        let resource = match resources {
            (Some(one), Some(other)) => one.min(other),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => return,
        };
        let amount = |next: Option<&(u32, f32)>| next.map_or(0.0, |(_, amount)| f64::from(*amount));
        let more = amount(plus.next_if(|(other, _)| *other == resource));
        let less = amount(minus.next_if(|(other, _)| *other == resource));
        if more != less {
            tell(resource as usize, more - less);
        }
    }
}
