//! Which prices does the linear relaxation of a sample have?
//!
//! Column generation (Dantzig and Wolfe, 1960): a restricted master program over the options seen so
//! far is solved as a linear program; its dual values are prices; the oracle names each item's
//! cheapest option under them, which becomes a new column. The master is elastic: a resource may be
//! overdrawn at a charge, which is raised while the answer makes use of it.

use std::collections::BTreeSet;

use super::super::Problem;
use super::super::rng::{Random, Stride};
use super::super::scratch::Pool;
use super::super::solver::{Answer, LinearSolver, Program, Row};
use super::{bound_of, sane};

/// Columns up to which the master is solved again.
const COLUMNS_MAX: usize = 20_000;
/// A bound this near to the master's objective, relatively, ends the rounds.
const NEAR: f64 = 1e-7;
/// A bound this near to it needs no ascent.
const EXACT: f64 = 1e-4;
/// A price beside which cost hardly counts.
const DEAR: f64 = 1e7;
/// How often the charges are raised, tenfold.
const RAISES_MAX: usize = 8;

/// What the relaxation of a sample says.
pub(super) struct Start {
    /// The best prices found.
    pub(super) prices: Vec<f64>,
    /// A typical price of each resource, above 0: the scale of steps.
    pub(super) scale: Vec<f64>,
    /// Items with more than one option in the relaxation's answer.
    pub(super) split: Vec<usize>,
    /// Whether these prices are those of the sample's linear relaxation.
    pub(super) exact: bool,
}

impl Start {
    /// Begins with the problem's own prices, of which it knows the size.
    pub(super) fn offer(&mut self, first: &[f64]) {
        for ((price, scale), first) in self.prices.iter_mut().zip(&mut self.scale).zip(first) {
            *price = *first;
            *scale = scale.max(*first);
        }
    }
}

/// `count` of the items, spread evenly, in ascending order.
pub(super) fn sample(items: usize, count: usize, random: &mut Random) -> Vec<usize> {
    let mut sample = Stride::new(items, random).stretch(0, count);
    sample.sort_unstable();
    sample
}

/// One option of one item, as the master sees it.
#[derive(Clone, Debug)]
struct Column {
    /// Position in the sample.
    row: usize,
    cost: f64,
    uses: Vec<(usize, u64)>,
}

/// The restricted master program.
struct Master<'s> {
    sample: &'s [usize],
    /// How much of each resource the sample may use.
    limits: Vec<f64>,
    columns: Vec<Column>,
    known: BTreeSet<(usize, Vec<(usize, u64)>)>,
    /// The charge for overdrawing each resource by one unit.
    charge: Vec<f64>,
}

/// What the master says.
struct Relaxed {
    objective: f64,
    prices: Vec<f64>,
    /// Items of the sample with more than one option.
    split: Vec<usize>,
    /// Resources that are overdrawn.
    overdrawn: Vec<usize>,
}

/// Solves the linear relaxation of a sample with limits scaled to match. At most `rounds`
/// programs and sweeps of the sample; `stop` is asked between them.
pub(super) fn relax<P: Problem>(
    pool: &Pool<'_, P>,
    sample: &[usize],
    rounds: usize,
    solver: &dyn LinearSolver,
    stop: &(dyn Fn() -> bool + Sync),
) -> Start {
    let limits = pool.problem.limits();
    let share = sample.len() as f64 / pool.problem.items().max(1) as f64;
    let mut master = Master::new(sample, limits.iter().map(|limit| *limit as f64 * share).collect());
    let mut best = (f64::NEG_INFINITY, vec![0.0; limits.len()]);
    let mut last =
        Relaxed { objective: f64::INFINITY, prices: best.1.clone(), split: Vec::new(), overdrawn: Vec::new() };
    master.add(frugal(pool, sample));
    let mut raises = 0;
    for round in 0..=rounds {
        let (minima, columns) = price(pool, sample, &last.prices);
        let bound = bound_of(minima, &last.prices, limits, share);
        if bound > best.0 {
            best = (bound, last.prices.clone());
        }
        let fresh = master.add(columns);
        if round == 0 {
            master.set_charges();
        }
        if round > 0 && !fresh || near(last.objective, best.0, NEAR) {
            if last.overdrawn.is_empty() || raises == RAISES_MAX {
                break;
            }
            raises += 1;
            master.raise(&last.overdrawn);
        }
        if stop() || master.columns.len() > COLUMNS_MAX {
            break;
        }
        let Some(relaxed) = master.solve(solver) else { break };
        last = relaxed;
    }
    let exact = last.overdrawn.is_empty() && near(last.objective, best.0, EXACT);
    Start { scale: master.scale(&best.1), prices: best.1, split: last.split, exact }
}

/// Whether the master's objective and the bound agree. An objective below the bound is a lie.
fn near(objective: f64, bound: f64, tolerance: f64) -> bool {
    objective.is_finite() && (objective - bound).abs() <= tolerance * bound.abs().max(1.0)
}

/// Each item's cheapest option under prices, and the sum of what they cost there.
fn price<P: Problem>(pool: &Pool<'_, P>, sample: &[usize], prices: &[f64]) -> (f64, Vec<Column>) {
    let column = |item, scratch: &mut P::Scratch| {
        let mut uses = Vec::new();
        let minimum =
            pool.problem.minimum(item, prices, scratch, &mut |resource, amount| uses.push((resource, amount)));
        (minimum, uses)
    };
    let options = pool.each(sample, column);
    let minima = options.iter().map(|(minimum, _)| minimum).sum();
    let unpriced = |(row, (minimum, uses)): (usize, (f64, Vec<(usize, u64)>))| {
        let uses = merged(uses);
        let paid: f64 = uses.iter().map(|(resource, amount)| prices[*resource] * *amount as f64).sum();
        Column { row, cost: minimum - paid, uses }
    };
    (minima, options.into_iter().enumerate().map(unpriced).collect())
}

/// Each item's option that uses least.
fn frugal<P: Problem>(pool: &Pool<'_, P>, sample: &[usize]) -> Vec<Column> {
    let dear = vec![DEAR; pool.problem.limits().len()];
    let option = |item, scratch: &mut P::Scratch| {
        let choice = pool.problem.cheapest(item, &dear, None, scratch)?;
        let mut uses = Vec::new();
        pool.problem.uses(item, &choice, &mut |resource, amount| uses.push((resource, amount)));
        Some((pool.problem.cost(item, &choice) as f64, merged(uses)))
    };
    let options = pool.each(sample, option).into_iter().enumerate();
    options.filter_map(|(row, option)| option.map(|(cost, uses)| Column { row, cost, uses })).collect()
}

/// Each resource once, in order.
fn merged(mut uses: Vec<(usize, u64)>) -> Vec<(usize, u64)> {
    uses.sort_unstable();
    uses.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 = kept.1.saturating_add(next.1);
        }
        same
    });
    uses.retain(|(_, amount)| *amount > 0);
    uses
}

impl<'s> Master<'s> {
    fn new(sample: &'s [usize], limits: Vec<f64>) -> Self {
        Self { sample, limits, columns: Vec::new(), known: BTreeSet::new(), charge: Vec::new() }
    }

    /// Whether any of the columns is new.
    fn add(&mut self, columns: Vec<Column>) -> bool {
        let before = self.columns.len();
        for column in columns {
            if column.cost.is_finite() && self.known.insert((column.row, column.uses.clone())) {
                self.columns.push(column);
            }
        }
        self.columns.len() > before
    }

    /// Charges no less than what any item loses per unit by giving up its cheapest option for the one
    /// that uses least.
    fn set_charges(&mut self) {
        let span = self.spans();
        let amounts = |column: &Column| column.uses.iter().map(|(_, amount)| *amount).sum::<u64>();
        let regret = |column: &Column| (span[column.row].1 - column.cost) / amounts(column).max(1) as f64;
        let most = self.columns.iter().map(regret).fold(0.0, f64::max);
        self.charge = vec![2.0 * most.max(1e-3); self.limits.len()];
    }

    /// The least and the largest cost of each item's columns.
    fn spans(&self) -> Vec<(f64, f64)> {
        let mut spans = vec![(f64::INFINITY, f64::NEG_INFINITY); self.sample.len()];
        for column in &self.columns {
            let (least, most) = &mut spans[column.row];
            (*least, *most) = (least.min(column.cost), most.max(column.cost));
        }
        spans
    }

    fn raise(&mut self, overdrawn: &[usize]) {
        for resource in overdrawn {
            self.charge[*resource] *= 10.0;
        }
    }

    /// A typical price of each resource: its own, or else a share of its users' regret per unit.
    fn scale(&self, prices: &[f64]) -> Vec<f64> {
        let spans = self.spans();
        let mut regrets = vec![(0.0, 0.0); self.limits.len()];
        for column in &self.columns {
            let regret = (spans[column.row].1 - column.cost) / column.uses.len().max(1) as f64;
            for (resource, amount) in &column.uses {
                let (sum, used) = &mut regrets[*resource];
                (*sum, *used) = (*sum + regret, *used + *amount as f64);
            }
        }
        let all = regrets.iter().fold((0.0, 0.0), |all, one| (all.0 + one.0, all.1 + one.1));
        let per_unit = |(sum, used): (f64, f64)| if used > 0.0 { sum / used } else { 0.0 };
        let scale = |(price, regret): (&f64, &(f64, f64))| {
            let regret = if regret.1 > 0.0 { per_unit(*regret) } else { per_unit(all) };
            price.max(0.1 * regret).max(1e-9)
        };
        prices.iter().zip(&regrets).map(scale).collect()
    }

    /// The resources that the columns can exhaust.
    fn binding(&self) -> Vec<usize> {
        let mut most = vec![0.0; self.limits.len()];
        let mut largest: std::collections::BTreeMap<(usize, usize), u64> = std::collections::BTreeMap::new();
        for column in &self.columns {
            for (resource, amount) in &column.uses {
                let seen = largest.entry((column.row, *resource)).or_insert(0);
                *seen = (*seen).max(*amount);
            }
        }
        for ((_, resource), amount) in largest {
            most[resource] += amount as f64;
        }
        (0..most.len()).filter(|resource| most[*resource] > self.limits[*resource]).collect()
    }

    /// One variable per column, then one per binding resource for what is overdrawn; one row per
    /// item, then one per binding resource.
    fn program(&self, binding: &[usize]) -> Program {
        let mut position = vec![usize::MAX; self.limits.len()];
        for (place, resource) in binding.iter().enumerate() {
            position[*resource] = place;
        }
        let mut items: Vec<Row> =
            self.sample.iter().map(|_| Row { terms: Vec::new(), limit: 1.0, equal: true }).collect();
        let limit = |resource: &usize| Row { terms: Vec::new(), limit: self.limits[*resource], equal: false };
        let mut scarce: Vec<Row> = binding.iter().map(limit).collect();
        for (variable, column) in self.columns.iter().enumerate() {
            items[column.row].terms.push((variable, 1.0));
            for (resource, amount) in column.uses.iter().filter(|(resource, _)| position[*resource] != usize::MAX) {
                scarce[position[*resource]].terms.push((variable, *amount as f64));
            }
        }
        for (place, row) in scarce.iter_mut().enumerate() {
            row.terms.push((self.columns.len() + place, -1.0));
        }
        items.extend(scarce);
        let charges = binding.iter().map(|resource| self.charge[*resource]);
        Program { costs: self.columns.iter().map(|column| column.cost).chain(charges).collect(), rows: items }
    }

    fn solve(&self, solver: &dyn LinearSolver) -> Option<Relaxed> {
        let binding = self.binding();
        let program = self.program(&binding);
        let Answer { values, duals } = solver.relaxed(&program)?;
        let whole = values.len() == program.costs.len() && duals.len() == program.rows.len();
        if !whole || values.iter().chain(&duals).any(|number| !number.is_finite()) {
            return None;
        }
        let mut prices = vec![0.0; self.limits.len()];
        for (resource, dual) in binding.iter().zip(&duals[self.sample.len()..]) {
            prices[*resource] = sane(-dual);
        }
        let overdraft = binding.iter().zip(&values[self.columns.len()..]);
        let overdrawn = overdraft.filter(|(resource, value)| **value > 1e-6 * self.limits[**resource].max(1.0));
        Some(Relaxed {
            objective: program.costs.iter().zip(&values).map(|(cost, value)| cost * value).sum(),
            prices,
            split: self.split(&values),
            overdrawn: overdrawn.map(|(resource, _)| *resource).collect(),
        })
    }

    fn split(&self, values: &[f64]) -> Vec<usize> {
        let parts = self.columns.iter().zip(values).filter(|(_, value)| (0.02..0.98).contains(*value));
        let rows: BTreeSet<usize> = parts.map(|(column, _)| column.row).collect();
        rows.into_iter().map(|row| self.sample[row]).collect()
    }
}
