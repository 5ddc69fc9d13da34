//! Who puts variables and rows together? The model in the making, with the rows of all capacity cells.

use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::{AnalyserIx, CalendarIx, CellIx, Ix, LineIx, PatientIx, SampleIx, SiteIx, SlotIx, TestIx};
use labtriage_core::units::Cost;

use super::numbers::name;
use super::patient::Patient;
use super::{Model, Row, Sense, TooLarge, Var, Variable};
use crate::routes::Routes;

/// What a variable uses of capacity cells.
pub(super) type Uses = Vec<(CellIx, u64)>;

/// The sum of some variables up to each slot: one variable stands for it, none for nothing.
pub(super) type BySlot = Vec<Option<Var>>;

/// A model in the making.
pub(super) struct Builder<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) routes: Routes,
    pub(super) slots: usize,
    /// Per calendar and slot: whether it is open at all.
    open: Vec<Vec<bool>>,
    model: Model,
    /// Per cell: what uses it.
    cells: Vec<Vec<(Var, i64)>>,
    /// What is decided whatever is done.
    fixed: Cost,
}

/// Builds the model of a snapshot.
pub(super) fn build(snapshot: &Snapshot, limit: usize) -> Result<Model, TooLarge> {
    let mut builder = Builder::new(snapshot);
    let backlog = &snapshot.backlog;
    let mut of_patient: Vec<Vec<SampleIx>> = vec![Vec::new(); backlog.patients.len()];
    for (sample, facts) in backlog.samples.enumerate() {
        of_patient[backlog.requests[facts.request].patient.row()].push(sample);
    }
    let mut reached = 0;
    for (row, samples) in of_patient.iter().enumerate() {
        let mut patient = Patient::new(&mut builder, PatientIx::from_row(row), samples);
        for &sample in samples {
            builder.sample(sample, &mut patient);
            reached += 1;
            if builder.model.variables.len() > limit {
                return Err(TooLarge { limit, reached, samples: backlog.samples.len() });
            }
        }
        patient.finish(&mut builder);
    }
    Ok(builder.finish())
}

impl<'a> Builder<'a> {
    fn new(snapshot: &'a Snapshot) -> Self {
        let (network, grid) = (&snapshot.network, &snapshot.grid);
        let opens = |calendar: &labtriage_core::calendar::Calendar| {
            let open = |slot| calendar.open_between(network.zone, grid.start(slot), grid.end(slot)).get() > 0;
            grid.slots().map(open).collect()
        };
        Self {
            snapshot,
            routes: Routes::new(snapshot),
            slots: grid.len(),
            open: network.calendars.iter().map(opens).collect(),
            model: Model::default(),
            cells: vec![Vec::new(); snapshot.capacity.len()],
            fixed: Cost::ZERO,
        }
    }

    /// A cost that no decision changes.
    pub(super) fn pay(&mut self, cost: Cost) {
        self.fixed += cost;
    }

    fn variable(&mut self, word: &str, numbers: &[usize], cost: Cost, integer: bool) -> Var {
        let index = Var::try_from(self.model.variables.len()).unwrap_or(Var::MAX);
        self.model.variables.push(Variable { name: name(word, numbers), cost, integer });
        index
    }

    /// A decision, unless it uses more than there is of a cell.
    pub(super) fn decision(&mut self, word: &str, numbers: &[usize], cost: Cost, uses: &Uses) -> Option<Var> {
        if uses.iter().any(|&(cell, amount)| amount > self.snapshot.capacity.limit(cell)) {
            return None;
        }
        let variable = self.variable(word, numbers, cost, true);
        for &(cell, amount) in uses {
            self.cells[cell.row()].push((variable, whole(amount)));
        }
        Some(variable)
    }

    /// A decision that uses nothing.
    pub(super) fn free(&mut self, word: &str, numbers: &[usize], cost: Cost) -> Var {
        self.variable(word, numbers, cost, true)
    }

    /// A variable that others decide.
    pub(super) fn derived(&mut self, word: &str, numbers: &[usize]) -> Var {
        self.variable(word, numbers, Cost::ZERO, false)
    }

    pub(super) fn row(&mut self, word: &str, numbers: &[usize], terms: Vec<(Var, i64)>, sense: Sense, limit: i64) {
        self.model.rows.push(Row { name: name(word, numbers), terms, sense, limit });
    }

    /// At most one of these.
    pub(super) fn at_most_one(&mut self, word: &str, numbers: &[usize], of: impl IntoIterator<Item = Var>) {
        let terms: Vec<_> = of.into_iter().map(|variable| (variable, 1)).collect();
        if terms.len() > 1 {
            self.row(word, numbers, terms, Sense::AtMost, 1);
        }
    }

    /// The sum of some is at most the sum of others.
    pub(super) fn only_if(
        &mut self,
        word: &str,
        numbers: &[usize],
        these: impl IntoIterator<Item = Var>,
        those: impl IntoIterator<Item = Var>,
    ) {
        let mut terms: Vec<_> = these.into_iter().map(|variable| (variable, 1)).collect();
        if !terms.is_empty() {
            terms.extend(those.into_iter().map(|variable| (variable, -1)));
            self.row(word, numbers, terms, Sense::AtMost, 0);
        }
    }

    /// Per slot: the sum of the variables that begin in it or before and end after it, each with its first
    /// slot and the slot before which it ends.
    pub(super) fn by_slot(&mut self, word: &str, numbers: &[usize], of: &[(Var, usize, usize)]) -> BySlot {
        let mut events: Vec<(usize, Var, i64)> = Vec::new();
        for &(variable, from, until) in of.iter().filter(|(_, from, until)| from < until && *from < self.slots) {
            events.push((from, variable, -1));
            if until < self.slots {
                events.push((until, variable, 1));
            }
        }
        events.sort_unstable();
        let mut sums: BySlot = Vec::with_capacity(self.slots);
        let (mut sum, mut next) = (None, 0);
        for slot in 0..self.slots {
            let begins = next;
            while events.get(next).is_some_and(|event| event.0 == slot) {
                next += 1;
            }
            sum = match (&events[begins..next], sum) {
                ([], sum) => sum,
                (&[(_, variable, -1)], None) => Some(variable),
                (&[(_, variable, 1)], Some(sum)) if variable == sum => None,
                (changes, before) => {
                    let after = self.derived(word, &[numbers, &[slot]].concat());
                    let mut terms = vec![(after, 1)];
                    // A variable that alone was the sum until here and ends now is in neither.
                    let ends = |before: &Var| changes.iter().any(|&(_, variable, _)| variable == *before);
                    terms.extend(before.filter(|before| !ends(before)).map(|before| (before, -1)));
                    let changes = changes.iter().filter(|(_, variable, _)| before != Some(*variable));
                    terms.extend(changes.map(|&(_, variable, sign)| (variable, sign)));
                    self.row(word, &[numbers, &[slot]].concat(), terms, Sense::Exactly, 0);
                    Some(after)
                }
            };
            sums.push(sum);
        }
        sums
    }

    /// Per slot: the sum of the variables of it and all later slots.
    pub(super) fn later_by_slot(&mut self, word: &str, numbers: &[usize], of: &[(Var, usize)]) -> BySlot {
        let mut in_slot: Vec<Vec<(Var, i64)>> = vec![Vec::new(); self.slots];
        of.iter().for_each(|&(variable, slot)| in_slot[slot].push((variable, -1)));
        let mut sums: BySlot = vec![None; self.slots];
        let mut sum = None;
        for (slot, mut terms) in in_slot.into_iter().enumerate().rev() {
            if !terms.is_empty() {
                terms.extend(sum.map(|later| (later, -1)));
                let numbers = [numbers, &[slot]].concat();
                let here = self.derived(word, &numbers);
                terms.push((here, 1));
                self.row(word, &numbers, terms, Sense::Exactly, 0);
                sum = Some(here);
            }
            sums[slot] = sum;
        }
        sums
    }

    /// The analysers that have a test on their menu, each with the calendar of its run days, at sites that
    /// take the line's band.
    pub(super) fn analysers(&self, line: LineIx, test: TestIx) -> Vec<(AnalyserIx, Option<CalendarIx>)> {
        let network = &self.snapshot.network;
        let on_menu = |(analyser, facts): (AnalyserIx, &labtriage_core::network::Analyser)| {
            let entry = facts.menu.binary_search_by_key(&test, |(on_menu, _)| *on_menu).ok()?;
            let accepts = network.accepts(facts.site, self.snapshot.bands[line]);
            accepts.then_some((analyser, facts.menu[entry].1))
        };
        network.analysers.enumerate().filter_map(on_menu).collect()
    }

    /// Whether an analyser works in a slot, on a run day.
    pub(super) fn works(&self, (analyser, days): (AnalyserIx, Option<CalendarIx>), slot: usize) -> bool {
        let calendar = self.snapshot.network.analysers[analyser].calendar;
        self.open[calendar.row()][slot] && days.is_none_or(|days| self.open[days.row()][slot])
    }

    /// What booking a tube in uses.
    pub(super) fn booking(&self, site: SiteIx, slot: usize) -> Uses {
        let (capacity, slot) = (&self.snapshot.capacity, SlotIx::from_row(slot));
        let quota = capacity.quota(site, self.snapshot.grid.day(slot)).map(|cell| (cell, 1));
        [(capacity.reception(site, slot), 1)].into_iter().chain(quota).collect()
    }

    /// Adds the rows of all cells that everything together could overfill.
    fn finish(mut self) -> Model {
        for (cell, terms) in std::mem::take(&mut self.cells).into_iter().enumerate() {
            let limit = whole(self.snapshot.capacity.limit(CellIx::from_row(cell)));
            let all: i64 = terms.iter().map(|(_, amount)| amount).sum();
            if all > limit {
                self.row("cell", &[cell], terms, Sense::AtMost, limit);
            }
        }
        if self.fixed > Cost::ZERO {
            let fixed = self.variable("fixed", &[], self.fixed, false);
            self.row("fixed", &[], vec![(fixed, 1)], Sense::Exactly, 1);
        }
        self.model
    }
}

fn whole(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}
