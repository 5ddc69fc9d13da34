//! What is the best plan for a few items together, all else unchanged?
//!
//! A neighbourhood frees some items, lists good options of each, and solves the choice among them as
//! a program in 0 and 1. An option whose reduced cost (cost + Σ price × use − the least of the item)
//! exceeds what can be gained at all is in no better plan and left out. What the solver answers is
//! counted again in whole numbers before it is believed.

use std::collections::BTreeMap;

use super::super::Problem;
use super::super::options::Options;
use super::super::rng::Random;
use super::super::scratch::worth;
use super::super::solver::{LinearSolver, Program, Row};
use super::super::state::State;

/// Options per item that are found by closing what is scarce.
const CLOSED: usize = 10;
/// Options per item that are found at prices moved at random.
const MOVED: usize = 4;
/// How far such prices move, as factors.
const MOVE: (f64, f64) = (0.6, 1.4);
/// Items on which plans differ that are freed together.
const MERGED_MAX: usize = 200;
/// Columns of a program; those with the largest reduced costs are left out beyond that.
const COLUMNS_MAX: usize = 400;

/// One option of one freed item.
struct Column<C> {
    /// Position among the freed items.
    row: usize,
    choice: C,
    /// Whether the item has this option now.
    current: bool,
    cost: i64,
    /// Cost + Σ price × use.
    priced: f64,
    uses: Vec<(usize, u64)>,
}

/// A better choice for some items.
pub(super) struct Better<C> {
    pub(super) items: Vec<usize>,
    pub(super) choices: Vec<C>,
}

/// Re-solves some items exactly among their good options. Nothing if nothing better is found.
pub(super) fn resolve<P: Problem>(
    state: &State<'_, P>,
    freed: &[usize],
    prices: &[f64],
    solver: &dyn LinearSolver,
    nodes: u64,
    random: &mut Random,
    scratch: &mut P::Scratch,
) -> Option<Better<P::Choice>> {
    let room = room(state, freed);
    let columns = columns(state, freed, prices, &room, random, scratch);
    best(columns, freed, prices, &room, solver, nodes)
}

/// Re-solves the items on which plans differ exactly, among what the plans chose.
pub(super) fn merge<P: Problem>(
    state: &State<'_, P>,
    others: &[State<'_, P>],
    prices: &[f64],
    solver: &dyn LinearSolver,
    nodes: u64,
) -> Option<Better<P::Choice>> {
    let differs = |item: &usize| others.iter().any(|other| other.choice(*item) != state.choice(*item));
    let freed: Vec<usize> = (0..state.problem.items()).filter(differs).take(MERGED_MAX).collect();
    let mut columns = Vec::new();
    for (row, item) in freed.iter().enumerate() {
        let mut choices: Vec<&P::Choice> = Vec::new();
        for choice in [state].into_iter().chain(others).filter_map(|plan| plan.choice(*item)) {
            if !choices.contains(&choice) {
                choices.push(choice);
            }
        }
        columns.extend(choices.into_iter().map(|choice| column(state, row, *item, choice.clone(), prices)));
    }
    best(columns, &freed, prices, &room(state, &freed), solver, nodes)
}

/// The best choice among columns, as far as the solver finds it.
fn best<C: Clone>(
    columns: Vec<Column<C>>,
    freed: &[usize],
    prices: &[f64],
    room: &[u64],
    solver: &dyn LinearSolver,
    nodes: u64,
) -> Option<Better<C>> {
    let columns = promising(columns, freed.len(), prices, room);
    if columns.len() <= freed.len() {
        return None;
    }
    let program = program(&columns, freed.len(), room);
    let start: Vec<f64> = columns.iter().map(|column| f64::from(u8::from(column.current))).collect();
    let values = solver.whole(&program, &start, nodes)?;
    Some(Better { items: freed.to_vec(), choices: read(columns, &values, freed.len())? })
}

/// What is left when the freed items have no choice.
fn room<P: Problem>(state: &State<'_, P>, freed: &[usize]) -> Vec<u64> {
    let mut room = state.left().to_vec();
    for item in freed {
        if let Some(choice) = state.choice(*item) {
            state.problem.uses(*item, choice, &mut |resource, amount| room[resource] += amount);
        }
    }
    room
}

fn columns<P: Problem>(
    state: &State<'_, P>,
    freed: &[usize],
    prices: &[f64],
    room: &[u64],
    random: &mut Random,
    scratch: &mut P::Scratch,
) -> Vec<Column<P::Choice>> {
    let moved: Vec<Vec<f64>> =
        (0..MOVED).map(|_| prices.iter().map(|price| price * random.between(MOVE.0, MOVE.1)).collect()).collect();
    let mut options = Options::new(room);
    let mut columns = Vec::new();
    for (row, item) in freed.iter().enumerate() {
        let mut choices: Vec<P::Choice> = state.choice(*item).cloned().into_iter().collect();
        let more = options.of(state.problem, *item, prices, CLOSED, scratch);
        let at_moved = moved.iter().filter_map(|prices| state.problem.cheapest(*item, prices, Some(room), scratch));
        for choice in more.into_iter().chain(at_moved) {
            if !choices.contains(&choice) {
                choices.push(choice);
            }
        }
        columns.extend(choices.into_iter().map(|choice| column(state, row, *item, choice, prices)));
    }
    columns
}

fn column<P: Problem>(
    state: &State<'_, P>,
    row: usize,
    item: usize,
    choice: P::Choice,
    prices: &[f64],
) -> Column<P::Choice> {
    let mut uses: Vec<(usize, u64)> = Vec::new();
    state.problem.uses(item, &choice, &mut |resource, amount| match uses.iter_mut().find(|use_| use_.0 == resource) {
        Some(use_) => use_.1 += amount,
        None => uses.push((resource, amount)),
    });
    let cost = state.problem.cost(item, &choice);
    let (priced, current) = (state.priced(item, &choice, prices), state.choice(item) == Some(&choice));
    Column { row, current, cost, priced, choice, uses }
}

/// The least priced cost of each freed item.
fn least<C>(columns: &[Column<C>], rows: usize) -> Vec<f64> {
    let mut least = vec![f64::INFINITY; rows];
    for column in columns {
        least[column.row] = least[column.row].min(column.priced);
    }
    least
}

/// Columns that a plan at least one cheaper can have: those whose reduced cost is no more than the
/// plan's distance to the bound that the prices prove here, less one. All, while an item is open.
fn promising<C>(mut columns: Vec<Column<C>>, rows: usize, prices: &[f64], room: &[u64]) -> Vec<Column<C>> {
    let least = least(&columns, rows);
    let current = columns.iter().filter(|column| column.current);
    let (placed, cost) = current.fold((0, 0), |(placed, cost), column| (placed + 1, cost + column.cost));
    let bound = least.iter().sum::<f64>() - worth(prices, room);
    let gain_max = if placed < rows { f64::INFINITY } else { cost as f64 - bound };
    let reduced = |column: &Column<C>| if column.current { 0.0 } else { column.priced - least[column.row] };
    columns.retain(|column| column.current || reduced(column) <= gain_max - 1.0 + 1e-6);
    // Stable, and the order of the rows does not matter to the program.
    columns.sort_by(|one, other| reduced(one).total_cmp(&reduced(other)));
    columns.truncate(COLUMNS_MAX.max(rows));
    columns
}

/// One row per freed item, then one per resource that the columns can exhaust.
fn program<C>(columns: &[Column<C>], rows: usize, room: &[u64]) -> Program {
    let mut cheapest = vec![i64::MAX; rows];
    let mut items: Vec<Row> = (0..rows).map(|_| Row { terms: Vec::new(), limit: 1.0, equal: true }).collect();
    let mut scarce: BTreeMap<usize, Vec<(usize, u64)>> = BTreeMap::new();
    for (variable, column) in columns.iter().enumerate() {
        items[column.row].terms.push((variable, 1.0));
        cheapest[column.row] = cheapest[column.row].min(column.cost);
        for (resource, amount) in &column.uses {
            scarce.entry(*resource).or_default().push((variable, *amount));
        }
    }
    scarce.retain(|resource, terms| exhausts(columns, terms, room[*resource]));
    let scarce = scarce.into_iter().map(|(resource, terms)| Row {
        terms: terms.into_iter().map(|(variable, amount)| (variable, amount as f64)).collect(),
        limit: room[resource] as f64,
        equal: false,
    });
    items.extend(scarce);
    items.extend(cheaper(columns, &cheapest));
    // Differences are small numbers, whatever the costs are.
    let costs = columns.iter().map(|column| (column.cost - cheapest[column.row]) as f64);
    Program { costs: costs.collect(), rows: items }
}

/// Only what costs less than now is asked for, which cuts most of the search off.
fn cheaper<C>(columns: &[Column<C>], cheapest: &[i64]) -> Option<Row> {
    let extra = |column: &Column<C>| column.cost - cheapest[column.row];
    let current: Vec<i64> = columns.iter().filter(|column| column.current).map(extra).collect();
    let terms = columns.iter().enumerate().map(|(variable, column)| (variable, extra(column) as f64));
    let limit = current.iter().sum::<i64>() as f64 - 1.0;
    (current.len() == cheapest.len()).then(|| Row {
        terms: terms.filter(|(_, extra)| *extra > 0.0).collect(),
        limit,
        equal: false,
    })
}

/// Whether the largest use of each item together is more than there is.
fn exhausts<C>(columns: &[Column<C>], terms: &[(usize, u64)], room: u64) -> bool {
    let mut largest: BTreeMap<usize, u64> = BTreeMap::new();
    for (variable, amount) in terms {
        let seen = largest.entry(columns[*variable].row).or_insert(0);
        *seen = (*seen).max(*amount);
    }
    largest.values().sum::<u64>() > room
}

/// The choice of each item; none if the answer does not name one for each.
fn read<C: Clone>(columns: Vec<Column<C>>, values: &[f64], rows: usize) -> Option<Vec<C>> {
    if values.len() != columns.len() {
        return None;
    }
    let mut chosen: Vec<Option<(f64, C)>> = (0..rows).map(|_| None).collect();
    for (column, value) in columns.into_iter().zip(values) {
        let best = &mut chosen[column.row];
        if value.is_finite() && *value > 0.5 && best.as_ref().is_none_or(|(most, _)| value > most) {
            *best = Some((*value, column.choice));
        }
    }
    chosen.into_iter().map(|best| best.map(|(_, choice)| choice)).collect()
}

/// Takes a better choice over if it fits and costs less; otherwise nothing changes.
pub(super) fn accept<P: Problem>(state: &mut State<'_, P>, better: Better<P::Choice>) -> bool {
    let before = state.rank();
    let old: Vec<Option<P::Choice>> = better.items.iter().map(|item| state.take(*item)).collect();
    let items = better.items.iter().copied();
    let fits = items.clone().zip(better.choices).all(|(item, choice)| state.put(item, choice));
    if fits && state.rank() < before {
        return true;
    }
    for item in items.clone() {
        state.take(item);
    }
    for (item, choice) in items.zip(old) {
        if let Some(choice) = choice {
            state.put(item, choice);
        }
    }
    false
}
