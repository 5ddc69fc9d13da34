//! What is the simplest problem? One whose options are all written out.

use super::Problem;

/// One option, written out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// What it costs.
    pub cost: i64,
    /// What it uses, as (resource, amount), each resource at most once.
    pub uses: Vec<(usize, u64)>,
}

/// A problem whose options are all written out; a choice is the position of an offer.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// The offers of each item, at least one.
    pub offers: Vec<Vec<Offer>>,
    /// How much of each resource there is.
    pub limits: Vec<u64>,
}

impl Offer {
    fn fits(&self, left: &[u64]) -> bool {
        self.uses.iter().all(|(resource, amount)| left[*resource] >= *amount)
    }

    fn priced(&self, prices: &[f64]) -> f64 {
        let used = self.uses.iter().map(|(resource, amount)| prices[*resource] * *amount as f64);
        self.cost as f64 + used.sum::<f64>()
    }
}

impl Problem for Table {
    type Choice = usize;
    type Scratch = ();

    fn scratch(&self) {}

    fn items(&self) -> usize {
        self.offers.len()
    }

    fn limits(&self) -> &[u64] {
        &self.limits
    }

    /// O(offers of the item).
    fn cheapest(&self, item: usize, prices: &[f64], left: Option<&[u64]>, (): &mut ()) -> Option<usize> {
        let offers = self.offers[item].iter().enumerate();
        let fitting = offers.filter(|(_, offer)| left.is_none_or(|left| offer.fits(left)));
        let priced = fitting.map(|(choice, offer)| (choice, offer.priced(prices)));
        priced.min_by(|(_, one), (_, other)| one.total_cmp(other)).map(|(choice, _)| choice)
    }

    fn cost(&self, item: usize, choice: &usize) -> i64 {
        self.offers[item][*choice].cost
    }

    fn uses(&self, item: usize, choice: &usize, add: &mut dyn FnMut(usize, u64)) {
        for (resource, amount) in &self.offers[item][*choice].uses {
            add(*resource, *amount);
        }
    }
}
