//! What if a few competing items chose again, in another order?
//!
//! Ruin and recreate (Schrimpf, Schneider, Stamm-Wilbrandt and Dueck, 2000): items that use the same
//! scarce resource are taken out and put back one after the other, each where it costs least on what is
//! left. Found side by side from the same plan, taken over one after the other where they still fit.

use rayon::prelude::*;

use super::super::Problem;
use super::super::rng::Random;
use super::super::state::State;
use super::exact::{Better, accept};
use super::{Ground, chains};

/// Ruins that are tried from the same plan, whatever the number of threads.
const SIDE_BY_SIDE: usize = 16;
/// Items of a ruin, at the least and at the most.
const FREED: (usize, usize) = (2, 8);
/// What is scarce keeps its price, a part of it or none while items are put back.
const SHARES: [f64; 3] = [0.0, 0.3, 1.0];

/// Items in the order in which they are put back, and the share of the prices that they pay then.
struct Ruin {
    items: Vec<usize>,
    share: f64,
}

/// Ruins within the calls of the settings, until the plan is near enough to the bound or long nothing is gained.
pub(in crate::engine) fn by_ruins<P: Problem>(ground: &Ground<'_, '_, P>, state: &mut State<'_, P>) {
    let items = state.problem.items();
    let mut random = Random::new(ground.settings.seed ^ 0x2417);
    let mut calls = ground.settings.ruin_calls;
    let mut barren = 0;
    while calls > 0 && barren < items.max(ground.settings.ruin_calls / 4) && !ground.done(state) {
        let users = chains::users(state);
        let ruins: Vec<Ruin> = (0..SIDE_BY_SIDE).map(|_| ruin(ground, state, &users, &mut random)).collect();
        let tried: usize = ruins.iter().map(|ruin| ruin.items.len()).sum();
        let seen = &*state;
        let found: Vec<_> = ruins.par_iter().map(|ruin| recreate(ground, seen, ruin)).collect();
        let gained = found.into_iter().flatten().fold(false, |any, better| accept(state, better) | any);
        calls = calls.saturating_sub(tried);
        barren = if gained { 0 } else { barren + tried };
    }
}

/// Some items that use a resource with a price, which one of them was picked for.
fn ruin<P: Problem>(
    ground: &Ground<'_, '_, P>,
    state: &State<'_, P>,
    users: &[Vec<usize>],
    random: &mut Random,
) -> Ruin {
    let first = random.below(state.problem.items());
    let mut scarce = Vec::new();
    if let Some(choice) = state.choice(first) {
        state.problem.uses(first, choice, &mut |resource, _| {
            if ground.prices[resource] > 0.0 && users[resource].len() > 1 {
                scarce.push(resource);
            }
        });
    }
    let wanted = FREED.0 + random.below(FREED.1 - FREED.0 + 1);
    let mut items = vec![first];
    for _ in 0..2 * wanted {
        if items.len() == wanted {
            break;
        }
        let item = match scarce.is_empty() {
            true => random.below(state.problem.items()),
            false => {
                let users = &users[scarce[random.below(scarce.len())]];
                users[random.below(users.len())]
            }
        };
        if !items.contains(&item) {
            items.push(item);
        }
    }
    for place in (1..items.len()).rev() {
        items.swap(place, random.below(place + 1));
    }
    Ruin { items, share: SHARES[random.below(SHARES.len())] }
}

/// Puts the items of a ruin back; none when that costs no less.
fn recreate<P: Problem>(ground: &Ground<'_, '_, P>, state: &State<'_, P>, ruin: &Ruin) -> Option<Better<P::Choice>> {
    let problem = state.problem;
    let prices: Vec<f64> = ground.prices.iter().map(|price| price * ruin.share).collect();
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
    let mut choices = Vec::with_capacity(ruin.items.len());
    for &item in &ruin.items {
        let choice = ground.pool.with(|scratch| problem.cheapest(item, &prices, Some(&left), scratch))?;
        let mut fits = true;
        problem.uses(item, &choice, &mut |resource, amount| {
            fits &= left[resource] >= amount;
            left[resource] = left[resource].saturating_sub(amount);
        });
        after += problem.cost(item, &choice);
        if !fits {
            return None;
        }
        choices.push(choice);
    }
    (open || after < before).then(|| Better { items: ruin.items.clone(), choices })
}
