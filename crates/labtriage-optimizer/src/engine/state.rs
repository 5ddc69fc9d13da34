//! What is chosen so far, and what is left of each resource?
//!
//! All in whole numbers. Nothing can be put in that does not fit.

use super::Problem;

/// A choice for each item, or none yet.
pub(super) struct State<'p, P: Problem> {
    pub(super) problem: &'p P,
    choices: Vec<Option<P::Choice>>,
    left: Vec<u64>,
    cost: i64,
    open: usize,
    /// What was done since the last mark, if anybody wants to know.
    journal: Option<Vec<Step<P::Choice>>>,
}

/// One change of a state.
#[derive(Clone)]
enum Step<C> {
    Put(usize),
    Took(usize, C),
}

impl<P: Problem> Clone for State<'_, P> {
    fn clone(&self) -> Self {
        Self {
            problem: self.problem,
            choices: self.choices.clone(),
            left: self.left.clone(),
            cost: self.cost,
            open: self.open,
            journal: self.journal.clone(),
        }
    }
}

impl<'p, P: Problem> State<'p, P> {
    /// Nothing chosen, everything left.
    pub(super) fn new(problem: &'p P) -> Self {
        let items = problem.items();
        Self {
            problem,
            choices: vec![None; items],
            left: problem.limits().to_vec(),
            cost: 0,
            open: items,
            journal: None,
        }
    }

    /// The given choices, as far as they fit.
    pub(super) fn from(problem: &'p P, choices: Vec<P::Choice>) -> Self {
        let mut state = Self::new(problem);
        for (item, choice) in choices.into_iter().enumerate().take(problem.items()) {
            state.put(item, choice);
        }
        state
    }

    pub(super) fn choice(&self, item: usize) -> Option<&P::Choice> {
        self.choices[item].as_ref()
    }

    pub(super) fn left(&self) -> &[u64] {
        &self.left
    }

    /// Σ cost of what is chosen.
    pub(super) fn cost(&self) -> i64 {
        self.cost
    }

    /// Items without a choice.
    pub(super) fn open(&self) -> usize {
        self.open
    }

    /// Less is better: items without a choice, then cost.
    pub(super) fn rank(&self) -> (usize, i64) {
        (self.open, self.cost)
    }

    pub(super) fn into_choices(self) -> Vec<Option<P::Choice>> {
        self.choices
    }

    /// Chooses for an item that has no choice, if that fits; otherwise nothing changes.
    pub(super) fn put(&mut self, item: usize, choice: P::Choice) -> bool {
        if self.choices[item].is_some() || !self.draw(item, &choice) {
            return false;
        }
        self.cost += self.problem.cost(item, &choice);
        self.open -= 1;
        self.choices[item] = Some(choice);
        self.note(|| Step::Put(item));
        true
    }

    /// Takes an item's choice back.
    pub(super) fn take(&mut self, item: usize) -> Option<P::Choice> {
        let choice = self.choices[item].take()?;
        self.problem.uses(item, &choice, &mut |resource, amount| self.left[resource] += amount);
        self.cost -= self.problem.cost(item, &choice);
        self.open += 1;
        self.note(|| Step::Took(item, choice.clone()));
        Some(choice)
    }

    fn note(&mut self, step: impl FnOnce() -> Step<P::Choice>) {
        if let Some(journal) = &mut self.journal {
            journal.push(step());
        }
    }

    /// What follows can be undone.
    pub(super) fn mark(&mut self) {
        let journal = self.journal.get_or_insert_default();
        journal.clear();
    }

    /// Undoes everything since the mark.
    pub(super) fn undo(&mut self) {
        for step in self.journal.take().unwrap_or_default().into_iter().rev() {
            match step {
                Step::Put(item) => drop(self.take(item)),
                Step::Took(item, choice) => drop(self.put(item, choice)),
            }
        }
    }

    /// Takes what an option uses, whole or not at all.
    fn draw(&mut self, item: usize, choice: &P::Choice) -> bool {
        let mut drawn: usize = 0;
        let mut short = false;
        self.problem.uses(item, choice, &mut |resource, amount| {
            short |= self.left[resource] < amount;
            if !short {
                self.left[resource] -= amount;
                drawn += 1;
            }
        });
        if short {
            self.problem.uses(item, choice, &mut |resource, amount| {
                self.left[resource] += if drawn > 0 { amount } else { 0 };
                drawn = drawn.saturating_sub(1);
            });
        }
        !short
    }

    /// Resources of which an option wants more than is left, with how much more.
    pub(super) fn lacks(&self, item: usize, choice: &P::Choice) -> Vec<(usize, u64)> {
        let mut lacks = Vec::new();
        self.problem.uses(item, choice, &mut |resource, amount| {
            if amount > self.left[resource] {
                lacks.push((resource, amount - self.left[resource]));
            }
        });
        lacks
    }

    /// How much of a resource an item uses.
    pub(super) fn used(&self, item: usize, resource: usize) -> u64 {
        let mut used = 0;
        if let Some(choice) = self.choice(item) {
            self.problem.uses(item, choice, &mut |other, amount| used += if other == resource { amount } else { 0 });
        }
        used
    }

    /// Cost and Σ price × use of an option.
    pub(super) fn priced(&self, item: usize, choice: &P::Choice, prices: &[f64]) -> f64 {
        let mut priced = self.problem.cost(item, choice) as f64;
        self.problem.uses(item, choice, &mut |resource, amount| priced += prices[resource] * amount as f64);
        priced
    }
}
