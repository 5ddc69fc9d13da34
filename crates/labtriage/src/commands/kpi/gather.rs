//! Where does each figure come from? The nights' own figures, the samples and notices as they are, and their entries.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use labtriage_core::time::{Day, Instant, Zone};
use labtriage_ledger::records::Run;
use labtriage_ledger::{Ledger, LedgerError, Night};

use super::{Period, nights, period};
use crate::desk;

/// Where the figures of a row come from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum Section {
    /// A night's plan, and what happened since the night before.
    Night,
    /// Samples and notices as they are at the ledger's last entry.
    Now,
    /// What happened within the period.
    Period,
}

impl Section {
    /// The word used in files.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Night => "night",
            Self::Now => "now",
            Self::Period => "period",
        }
    }
}

/// By what lines are grouped.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum By {
    /// Not at all.
    All,
    /// By band.
    Band,
    /// By discipline.
    Discipline,
    /// By requester.
    Requester,
    /// By analyser.
    Bench,
}

impl By {
    /// The word used in files.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Band => "band",
            Self::Discipline => "discipline",
            Self::Requester => "requester",
            Self::Bench => "bench",
        }
    }
}

/// What a figure is about.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct Scope {
    pub(super) section: Section,
    /// The moment of planning of the night: a day may have several. `None` outside of nights.
    pub(super) night: Option<Instant>,
    pub(super) by: By,
    /// Code of the group; empty for all.
    pub(super) group: String,
}

impl Scope {
    pub(super) fn new(section: Section, by: By, group: &str) -> Self {
        Self { section, night: None, by, group: group.to_owned() }
    }

    pub(super) fn of_night(night: Instant, by: By, group: &str) -> Self {
        Self { night: Some(night), ..Self::new(Section::Night, by, group) }
    }
}

/// Figures of a scope, by the name of each; `None` is unknown. A figure of a group that is not
/// there is 0 where the same figure of all is known.
pub(super) type Measures = BTreeMap<String, Option<i64>>;

/// All figures.
pub(super) struct Kpi {
    /// First and last night of the period with figures, by moment of planning.
    pub(super) nights: Option<(Instant, Instant)>,
    /// How many nights.
    pub(super) count: usize,
    /// The moment of the last night of all.
    pub(super) as_of: Option<Instant>,
    /// The laboratory's.
    pub(super) zone: Zone,
    /// Bands, the most pressing first.
    pub(super) bands: Vec<String>,
    /// The figures.
    pub(super) figures: BTreeMap<Scope, Measures>,
}

impl Kpi {
    /// The figures of the nights from one local day to another, both included.
    pub(super) fn of(ledger: &mut Ledger, from: Option<NaiveDate>, to: Option<NaiveDate>) -> Result<Self, LedgerError> {
        let mut all = ledger.nights()?;
        let last = all.iter().rev().find_map(|night| night.figures.as_ref());
        let codes = last.and_then(|figures| figures.codes.clone()).unwrap_or_default();
        let zone = desk::zone(Some(&codes), Zone::LONDON);
        let midnight = |day: Day| zone.at(day, 0);
        let span = Period {
            from: from.map(|day| midnight(Day::from_date(day))),
            until: to.map(|day| midnight(Day::from_date(day).plus_days(1))),
        };
        let as_of = all.last().map(|night| night.run.record.now);
        let moments: Vec<Instant> = all.iter().map(|night| night.run.record.now).collect();
        all.retain(|night| span.holds(night.run.record.now));
        let counted = || all.iter().filter(|night| night.figures.is_some()).map(|night| night.run.record.now);
        let mut kpi = Self {
            nights: counted().next().zip(counted().next_back()),
            count: counted().count(),
            as_of,
            zone,
            bands: codes.bands.iter().map(|band| band.band.clone()).collect(),
            figures: BTreeMap::new(),
        };
        nights::count(&mut kpi, &all);
        all.iter().for_each(|Night { run, .. }| kpi.costs(&run.record));
        let decisions = ledger.entries()?;
        let mut counter = period::Counter::new(span, moments, &codes, &decisions);
        ledger.each_counted(|sample| counter.sample(&sample))?;
        counter.notices(&ledger.entries()?);
        counter.finish(&mut kpi);
        Ok(kpi)
    }

    /// A night by the clock on the laboratory's wall, to the minute.
    pub(super) fn local(&self, night: Instant) -> String {
        self.zone.local(night).format("%Y-%m-%dT%H:%M").to_string()
    }

    /// One figure; `None` when it is unknown.
    pub(super) fn get(&self, scope: &Scope, measure: &str) -> Option<i64> {
        self.figures.get(scope)?.get(measure).copied().flatten()
    }

    /// Adds to a count.
    pub(super) fn add(&mut self, scope: Scope, measure: &str, more: i64) {
        let count = self.figures.entry(scope).or_default().entry(measure.to_owned()).or_insert(Some(0));
        *count = count.map(|count| count + more);
    }

    /// Says a figure, or that it is unknown.
    pub(super) fn set(&mut self, scope: Scope, measure: &str, value: Option<i64>) {
        self.figures.entry(scope).or_default().insert(measure.to_owned(), value);
    }

    fn costs(&mut self, run: &Run) {
        let mut set =
            |measure: &str, value: Option<i64>| self.set(Scope::of_night(run.now, By::All, ""), measure, value);
        set("cost", Some(run.cost));
        set("bound", run.bound);
        set("samples", i64::try_from(run.samples).ok());
        set("quarantined", i64::try_from(run.quarantined).ok());
    }
}
