//! Which items should be freed together?
//!
//! Items that compete: users of a few scarce resources, those first that lose most against their
//! cheapest option at the prices, and those that the relaxation could not decide.

use super::super::Problem;
use super::super::rng::Random;
use super::super::state::State;

/// What selection looks at.
pub(super) struct Field<'a> {
    /// Who uses each resource.
    pub(super) users: &'a [Vec<usize>],
    /// Resources with a price.
    pub(super) scarce: &'a [usize],
    /// What each item loses against its cheapest option at the prices.
    pub(super) losses: &'a [f64],
    /// Items that the relaxation could not decide, and items without a choice.
    pub(super) undecided: &'a [usize],
}

/// At most `size` items, ascending. O(resources tried × users).
pub(super) fn select<P: Problem>(
    state: &State<'_, P>,
    field: &Field<'_>,
    size: usize,
    random: &mut Random,
) -> Vec<usize> {
    let mut picked: Vec<usize> = Vec::with_capacity(size + 1);
    if !field.undecided.is_empty() {
        let seeds = 1 + random.below(size / 3 + 1);
        for _ in 0..seeds {
            picked.push(field.undecided[random.below(field.undecided.len())]);
        }
    }
    let resources = 2 + random.below(4);
    for _ in 0..resources {
        if field.scarce.is_empty() {
            break;
        }
        let resource = field.scarce[random.below(field.scarce.len())];
        picked.extend(competitors(field, resource, size / resources + 1, random));
    }
    while picked.len() < size {
        picked.push(random.below(state.problem.items()));
    }
    picked.sort_unstable();
    picked.dedup();
    while picked.len() > size {
        picked.remove(random.below(picked.len()));
    }
    picked
}

/// Users of a resource by tournament: of three at random the one that loses most.
fn competitors(field: &Field<'_>, resource: usize, count: usize, random: &mut Random) -> Vec<usize> {
    let users = &field.users[resource];
    if users.is_empty() {
        return Vec::new();
    }
    let mut tournament = || {
        let entrants = [(); 3].map(|()| users[random.below(users.len())]);
        entrants
            .into_iter()
            .max_by(|one, other| field.losses[*one].total_cmp(&field.losses[*other]))
            .unwrap_or(users[0])
    };
    (0..count).map(|_| tournament()).collect()
}
