//! Who stands in the way of what an item would rather have?
//!
//! Ruin and recreate (Schrimpf, Schneider, Stamm-Wilbrandt and Dueck, 2000): an item that costs more at the
//! prices than its cheapest option, and some users of what that option lacks, are taken out and put back
//! one after the other, each where it costs least on what is left. Found side by side from the same plan,
//! taken over one after the other where they still fit.

use rayon::prelude::*;

use super::super::Problem;
use super::super::rng::Random;
use super::super::state::State;
use super::exact::{Better, accept};
use super::{Ground, chains};

/// Ruins that are tried from the same plan, whatever the number of threads: so many at the least, and one for so many
/// items. Between them every item is looked at.
const SIDE_BY_SIDE: (usize, usize) = (16, 50);
/// Items of a ruin, at the least and at the most.
const FREED: (usize, usize) = (2, 8);
/// What is scarce keeps its price, a part of it or none while items are put back.
const SHARES: [f64; 3] = [0.0, 0.3, 1.0];
/// Items of a plan, at the most: a few thousand calls are nothing to more.
const ITEMS_MAX: usize = 20_000;

/// What an item would rather have, and what that costs at the prices.
struct Wish<C> {
    choice: C,
    priced: f64,
}

/// Items in the order in which they are put back, and which of the lowered prices they pay then.
struct Ruin {
    items: Vec<usize>,
    share: usize,
}

/// Items of which wishes are heard between two looks at `stop`.
const PIECE: usize = 256;

/// Ruins within the calls of the settings, until the plan is near enough to the bound or long nothing is gained.
pub(in crate::engine) fn by_ruins<P: Problem>(ground: &Ground<'_, '_, P>, state: &mut State<'_, P>) {
    let mut calls = ground.settings.ruin_calls;
    let most_barren = calls / 4;
    if calls == 0 || state.problem.items() > ITEMS_MAX || ground.done(state) {
        return;
    }
    let Some(wishes) = wishes(ground) else { return };
    let lowered = SHARES.map(|share| ground.prices.iter().map(|price| price * share).collect::<Vec<f64>>());
    let mut random = Random::new(ground.settings.seed ^ 0x2417);
    let mut barren = 0;
    while calls > 0 && barren <= most_barren && !ground.done(state) {
        let users = chains::users(state);
        let regrets = regrets(ground, state, &wishes);
        let one = |_| ruin(state, &wishes, (&users, &regrets), &mut random);
        let side_by_side = SIDE_BY_SIDE.0.max(state.problem.items() / SIDE_BY_SIDE.1);
        let ruins: Vec<Ruin> = (0..side_by_side).filter_map(one).collect();
        let tried: usize = ruins.iter().map(|ruin| ruin.items.len()).sum();
        if tried == 0 {
            return;
        }
        let seen = &*state;
        let found: Vec<_> = ruins.par_iter().map(|ruin| recreate(ground, seen, ruin, &lowered[ruin.share])).collect();
        let gained = found.into_iter().flatten().fold(false, |any, better| accept(state, better) | any);
        calls = calls.saturating_sub(tried);
        barren = if gained { 0 } else { barren + tried };
    }
}

/// Each item's cheapest option at the prices, of those that are known where any are; none when stopped. At most one
/// call of the oracle per item.
fn wishes<P: Problem>(ground: &Ground<'_, '_, P>) -> Option<Vec<Option<Wish<P::Choice>>>> {
    let problem = ground.pool.problem;
    if let Some(columns) = ground.columns {
        let cheapest = |item: usize| {
            let (choice, priced) = columns.cheapest(item, ground.prices)?;
            Some(Wish { choice: choice.clone(), priced })
        };
        return Some((0..problem.items()).map(cheapest).collect());
    }
    let items: Vec<usize> = (0..problem.items()).collect();
    let mut wishes = Vec::with_capacity(items.len());
    for piece in items.chunks(PIECE) {
        if (ground.stop)() {
            return None;
        }
        wishes.extend(ground.pool.each(piece, |item, scratch| {
            let choice = problem.cheapest(item, ground.prices, None, scratch)?;
            let mut priced = problem.cost(item, &choice) as f64;
            problem.uses(item, &choice, &mut |resource, amount| priced += ground.prices[resource] * amount as f64);
            Some(Wish { choice, priced })
        }));
    }
    Some(wishes)
}

/// Up to each item: by how much the options chosen so far cost more at the prices than what was wished, summed up.
fn regrets<P: Problem>(
    ground: &Ground<'_, '_, P>,
    state: &State<'_, P>,
    wishes: &[Option<Wish<P::Choice>>],
) -> Vec<f64> {
    let regret = |(item, wish): (usize, &Option<Wish<P::Choice>>)| match (wish, state.choice(item)) {
        (Some(wish), Some(choice)) => (state.priced(item, choice, ground.prices) - wish.priced).max(0.0),
        (Some(wish), None) => wish.priced.abs(),
        (None, _) => 0.0,
    };
    let sum = |sum: &mut f64, regret: f64| {
        *sum += regret;
        Some(*sum)
    };
    wishes.iter().enumerate().map(regret).scan(0.0, sum).collect()
}

/// An item, the more likely the more it regrets, with some that use what it would need.
fn ruin<P: Problem>(
    state: &State<'_, P>,
    wishes: &[Option<Wish<P::Choice>>],
    (users, regrets): (&[Vec<usize>], &[f64]),
    random: &mut Random,
) -> Option<Ruin> {
    let all = regrets.last().copied().filter(|all| *all > 0.0)?;
    let drawn = random.between(0.0, all);
    let first = regrets.partition_point(|sum| *sum <= drawn).min(regrets.len() - 1);
    let wish = wishes[first].as_ref()?;
    let lacks = state.lacks(first, &wish.choice);
    let wanted = FREED.0 + random.below(FREED.1 - FREED.0 + 1);
    let mut items = vec![first];
    for _ in 0..2 * wanted {
        if items.len() == wanted || lacks.is_empty() {
            break;
        }
        let users = &users[lacks[random.below(lacks.len())].0];
        let item = if users.is_empty() { first } else { users[random.below(users.len())] };
        if !items.contains(&item) {
            items.push(item);
        }
    }
    // The first chooses first, the others in any order.
    for place in (2..items.len()).rev() {
        items.swap(place, 1 + random.below(place));
    }
    Some(Ruin { items, share: random.below(SHARES.len()) })
}

/// Puts the items of a ruin back at these prices; none when that costs no less.
fn recreate<P: Problem>(
    ground: &Ground<'_, '_, P>,
    state: &State<'_, P>,
    ruin: &Ruin,
    prices: &[f64],
) -> Option<Better<P::Choice>> {
    let problem = state.problem;
    let mut left = state.left().to_vec();
    let (mut before, mut open) = (0, false);
    for &item in &ruin.items {
        let Some(choice) = state.choice(item) else {
            open = true;
            continue;
        };
        before += problem.cost(item, choice);
        problem.uses(item, choice, &mut |resource, amount| left[resource] += amount);
    }
    let mut after = 0;
    let mut back = |item: &usize, scratch: &mut P::Scratch| {
        let choice = problem.cheapest(*item, prices, Some(&left), scratch)?;
        problem.uses(*item, &choice, &mut |resource, amount| left[resource] = left[resource].saturating_sub(amount));
        after += problem.cost(*item, &choice);
        Some(choice)
    };
    let choices =
        ground.pool.with(|scratch| ruin.items.iter().map(|item| back(item, scratch)).collect::<Option<_>>())?;
    (open || after < before).then(|| Better { items: ruin.items.clone(), choices })
}
