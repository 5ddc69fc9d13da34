//! Can an item get a better option if another makes room for it?
//!
//! Ejection chains (Glover, 1996): an item takes an option that does not fit, one item that stands in
//! its way is ejected, and that one looks for a place in turn. A chain is kept only if the whole of
//! it costs less.

use super::super::Problem;
use super::super::options::Options;
use super::super::scratch::Pool;
use super::super::state::State;

/// Items that may be ejected one after the other.
const DEPTH: usize = 3;
/// Options that an item tries to get by ejection, by how many may still be ejected.
const OPTIONS: [usize; DEPTH + 1] = [0, 2, 3, 6];
/// Items that are tried for ejection per option, likewise.
const VICTIMS: [usize; DEPTH + 1] = [0, 12, 24, 64];

/// What an open item may cost to place: anything.
pub(super) const ANYTHING: i64 = i64::MAX / 4;

/// A search for chains, with its limits.
pub(super) struct Chains<'a, 'p, P: Problem> {
    pub(super) state: &'a mut State<'p, P>,
    prices: &'a [f64],
    free: Vec<f64>,
    options: Options,
    /// Items that used a resource when the search began.
    pub(super) users: Vec<Vec<usize>>,
    /// Items of the chain.
    path: Vec<usize>,
    /// Calls of the oracle that are left, about.
    calls: u64,
}

/// Tries each item once, in order; the calls of the oracle that are left. Never costs more.
pub(super) fn chains<P: Problem>(
    pool: &Pool<'_, P>,
    state: &mut State<'_, P>,
    prices: &[f64],
    order: &[usize],
    calls: u64,
    stop: &(dyn Fn() -> bool + Sync),
) -> u64 {
    let mut chains = Chains::new(state, prices, calls);
    for item in order {
        if stop() || chains.calls == 0 {
            break;
        }
        pool.with(|scratch| chains.start(*item, DEPTH, scratch));
    }
    chains.calls
}

/// Who uses each resource.
pub(super) fn users<P: Problem>(state: &State<'_, P>) -> Vec<Vec<usize>> {
    let mut users = vec![Vec::new(); state.left().len()];
    for item in 0..state.problem.items() {
        if let Some(choice) = state.choice(item) {
            state.problem.uses(item, choice, &mut |resource, _| users[resource].push(item));
        }
    }
    users
}

impl<'a, 'p, P: Problem> Chains<'a, 'p, P> {
    pub(super) fn new(state: &'a mut State<'p, P>, prices: &'a [f64], calls: u64) -> Self {
        let (users, options) = (users(state), Options::new(state.problem.limits()));
        Self { state, prices, free: vec![0.0; prices.len()], options, users, path: Vec::new(), calls }
    }

    /// Looks for a chain that begins with an item.
    pub(super) fn start(&mut self, item: usize, depth: usize, scratch: &mut P::Scratch) {
        let old = self.state.take(item);
        let most = old.as_ref().map_or(ANYTHING, |choice| self.state.problem.cost(item, choice));
        if !self.settle(item, most, depth, scratch)
            && let Some(choice) = old
        {
            self.state.put(item, choice);
        }
    }

    /// The last of an item's `count` best options at the prices that is not its own.
    pub(super) fn another(&mut self, item: usize, count: usize, scratch: &mut P::Scratch) -> Option<P::Choice> {
        let mut options = self.options.of(self.state.problem, item, self.prices, count + 1, scratch);
        options.retain(|option| self.state.choice(item) != Some(option));
        options.truncate(count);
        options.pop()
    }

    /// Places an item that has no choice, and whoever it ejects, for less than `most` in all; or
    /// nothing changes.
    pub(super) fn settle(&mut self, item: usize, most: i64, depth: usize, scratch: &mut P::Scratch) -> bool {
        self.calls = self.calls.saturating_sub(1);
        let problem = self.state.problem;
        if let Some(choice) = problem.cheapest(item, &self.free, Some(self.state.left()), scratch)
            && problem.cost(item, &choice) < most
        {
            return self.state.put(item, choice);
        }
        if depth == 0 || self.calls == 0 {
            return false;
        }
        self.path.push(item);
        let options = self.options.of(problem, item, self.prices, OPTIONS[depth], scratch);
        self.calls = self.calls.saturating_sub(options.len() as u64);
        let settled = options.into_iter().any(|option| self.force(item, &option, most, depth, scratch));
        self.path.pop();
        settled
    }

    /// Places an item at an option that one other item stands in the way of.
    fn force(&mut self, item: usize, option: &P::Choice, most: i64, depth: usize, scratch: &mut P::Scratch) -> bool {
        let lacks = self.state.lacks(item, option);
        let Some((scarcest, _)) = lacks.first().copied() else { return false };
        let rest = most - self.state.problem.cost(item, option);
        for victim in self.victims(&lacks, scarcest, VICTIMS[depth], item) {
            let Some(choice) = self.state.take(victim) else { continue };
            let most = rest.saturating_add(self.state.problem.cost(victim, &choice));
            if self.state.put(item, option.clone()) {
                if self.settle(victim, most, depth - 1, scratch) {
                    return true;
                }
                self.state.take(item);
            }
            self.state.put(victim, choice);
        }
        false
    }

    /// Items whose leaving makes enough room; where the list begins depends on who asks, so that
    /// not the same few are tried every time.
    fn victims(&self, lacks: &[(usize, u64)], scarcest: usize, count: usize, item: usize) -> Vec<usize> {
        let users = &self.users[scarcest];
        let begin = if users.is_empty() { 0 } else { item.wrapping_mul(31) % users.len() };
        let around = users[begin..].iter().chain(&users[..begin]).copied();
        let enough = |user: &usize| lacks.iter().all(|(resource, lack)| self.state.used(*user, *resource) >= *lack);
        around.take(count * 4).filter(|user| !self.path.contains(user)).filter(enough).take(count).collect()
    }
}
