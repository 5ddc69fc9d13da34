//! Where does each figure come from? The nights' own figures, the samples and notices as they are, and their entries.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use labtriage_core::time::{Day, Instant, Zone};
use labtriage_ledger::records::{Codes, Figures};
use labtriage_ledger::{Known, Ledger, LedgerError};

use super::{Period, codes, nights, period};

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
    /// Local day of the night; `None` outside of nights.
    pub(super) night: Option<NaiveDate>,
    pub(super) by: By,
    /// Code of the group; empty for all.
    pub(super) group: String,
}

impl Scope {
    pub(super) fn new(section: Section, by: By, group: &str) -> Self {
        Self { section, night: None, by, group: group.to_owned() }
    }
}

/// Figures of a scope, by the name of each; `None` is unknown. A figure of a group that is not
/// there is 0 where the same figure of all is known.
pub(super) type Measures = BTreeMap<String, Option<i64>>;

/// All figures.
pub(super) struct Kpi {
    /// First and last night of the period that there is, by local day.
    pub(super) nights: Option<(NaiveDate, NaiveDate)>,
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
        let mut all = ledger.figures()?;
        let (zone, codes) = codes(all.last().and_then(|known| known.record.codes.clone()));
        let midnight = |day: Day| zone.at(day, 0);
        let span = Period {
            from: from.map(|day| midnight(Day::from_date(day))),
            until: to.map(|day| midnight(Day::from_date(day).plus_days(1))),
        };
        let as_of = ledger.runs()?.last().map(|run| run.record.now);
        let moments: BTreeMap<String, Instant> =
            ledger.runs()?.into_iter().map(|run| (run.record.digest, run.record.now)).collect();
        let moment = |known: &Known<Figures>| moments.get(&known.record.run).copied().unwrap_or(known.at);
        all.retain(|known| span.holds(moment(known)));
        let dated: Vec<(NaiveDate, Figures)> =
            all.into_iter().map(|known| (zone.local(moment(&known)).date(), known.record)).collect();
        let mut kpi = Self {
            nights: dated.first().zip(dated.last()).map(|(first, last)| (first.0, last.0)),
            count: dated.len(),
            as_of,
            zone,
            bands: codes.bands.iter().map(|band| band.band.clone()).collect(),
            figures: BTreeMap::new(),
        };
        nights::count(&mut kpi, &dated);
        kpi.costs(ledger, zone, span)?;
        kpi.samples_and_notices(ledger, span, &codes)?;
        Ok(kpi)
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

    fn costs(&mut self, ledger: &mut Ledger, zone: Zone, span: Period) -> Result<(), LedgerError> {
        for run in ledger.runs()?.into_iter().filter(|run| span.holds(run.record.now)) {
            let night = Some(zone.local(run.record.now).date());
            let scope = || Scope { night, ..Scope::new(Section::Night, By::All, "") };
            self.set(scope(), "cost", Some(run.record.cost));
            self.set(scope(), "bound", run.record.bound);
            let count = |count: u64| i64::try_from(count).ok();
            self.set(scope(), "samples", count(run.record.samples));
            self.set(scope(), "quarantined", count(run.record.quarantined));
        }
        Ok(())
    }

    fn samples_and_notices(&mut self, ledger: &mut Ledger, span: Period, codes: &Codes) -> Result<(), LedgerError> {
        let nights: Vec<Instant> = ledger.runs()?.into_iter().map(|run| run.record.now).collect();
        let mut counter = period::Counter::new(span, &nights, codes);
        ledger.each_sample(|known| {
            counter.sample(&known.record);
            Ok::<_, LedgerError>(())
        })?;
        counter.decisions(&ledger.entries()?);
        counter.notices(&ledger.entries()?);
        counter.finish(self);
        Ok(())
    }
}
