//! Which options of an item are worth a look?

use super::Problem;

/// Names several good options of an item, by closing what the last one paid for and asking again.
pub(super) struct Options {
    open: Vec<u64>,
}

impl Options {
    /// Nothing closed: `open` is what an option may use.
    pub(super) fn new(open: &[u64]) -> Self {
        Self { open: open.to_vec() }
    }

    /// At most `count` options, cheapest at these prices first, each without the scarce resources of
    /// those before it. `count` calls of the oracle.
    pub(super) fn of<P: Problem>(
        &mut self,
        problem: &P,
        item: usize,
        prices: &[f64],
        count: usize,
        scratch: &mut P::Scratch,
    ) -> Vec<P::Choice> {
        let mut options = Vec::with_capacity(count);
        let mut closed: Vec<(usize, u64)> = Vec::new();
        while options.len() < count {
            let Some(choice) = problem.cheapest(item, prices, Some(&self.open), scratch) else { break };
            let before = closed.len();
            problem.uses(item, &choice, &mut |resource, amount| {
                if amount > 0 && prices[resource] > 0.0 && self.open[resource] > 0 {
                    closed.push((resource, self.open[resource]));
                    self.open[resource] = 0;
                }
            });
            options.push(choice);
            if closed.len() == before {
                break;
            }
        }
        for (resource, amount) in closed {
            self.open[resource] = amount;
        }
        options
    }
}
