//! What does a law see? One sample with its lines, its decisions and its way, and what is looked up often.

use crate::calendar::Calendar;
use crate::plan::{Disposition, Plan, Run, SamplePlan, Visit};
use crate::snapshot::Snapshot;
use crate::table::{
    AnalyserIx, CalendarIx, Ix, LineIx, OverrideIx, PatientIx, SampleIx, SiteIx, SlotIx, Table, TestIx,
};
use crate::trace::{Broken, Trace, Way};

/// A line as messages name it: by test and accession, never by patient.
pub(super) fn name(snapshot: &Snapshot, line: LineIx) -> String {
    let facts = &snapshot.backlog.lines[line];
    let test = &snapshot.catalogue.tests[facts.test].code;
    format!("test `{test}` of sample `{}`", snapshot.backlog.accession(facts.sample))
}

/// What is worked out once for all samples.
pub(super) struct Known {
    /// Per analyser and test: whether it is on the menu, and the calendar of its run days.
    menu: Vec<Option<Option<CalendarIx>>>,
    tests: usize,
    /// Per calendar and slot: whether it is open at all.
    open: Vec<bool>,
    slots: usize,
    /// Per patient: the row of the first visit.
    visits: Table<PatientIx, u32>,
    /// Overrides reported as impossible, in order.
    impossible: Vec<(LineIx, OverrideIx)>,
}

const NO_VISIT: u32 = u32::MAX;

impl Known {
    pub(super) fn new(snapshot: &Snapshot, plan: &Plan) -> Self {
        let (network, grid) = (&snapshot.network, &snapshot.grid);
        let tests = snapshot.catalogue.tests.len();
        let mut menu = vec![None; network.analysers.len() * tests];
        for (analyser, facts) in network.analysers.enumerate() {
            for &(test, run_days) in &facts.menu {
                menu[analyser.row() * tests + test.row()] = Some(run_days);
            }
        }
        let opens =
            |calendar: &Calendar, slot| calendar.open_between(network.zone, grid.start(slot), grid.end(slot)).get() > 0;
        let open = network.calendars.iter().flat_map(|calendar| grid.slots().map(move |slot| opens(calendar, slot)));
        let open = open.collect();
        let mut visits = Table::filled(NO_VISIT, snapshot.backlog.patients.len());
        for (row, visit) in plan.visits.iter().enumerate().rev() {
            visits[visit.patient] = u32::try_from(row).unwrap_or(NO_VISIT);
        }
        let mut impossible: Vec<_> = plan.impossible.iter().map(|entry| (entry.line, entry.override_)).collect();
        impossible.sort_unstable();
        Self { menu, tests, open, slots: grid.len(), visits, impossible }
    }

    /// Whether an override about a line is reported as impossible.
    pub(super) fn impossible(&self, line: LineIx, about: OverrideIx) -> bool {
        self.impossible.binary_search(&(line, about)).is_ok()
    }

    /// Whether a test is on the menu of an analyser, and the calendar of its run days.
    pub(super) fn menu(&self, analyser: AnalyserIx, test: TestIx) -> Option<Option<CalendarIx>> {
        self.menu[analyser.row() * self.tests + test.row()]
    }

    fn open(&self, calendar: CalendarIx, slot: SlotIx) -> bool {
        self.open[calendar.row() * self.slots + slot.row()]
    }

    /// Whether an analyser works in a slot, and a test on its menu is run then.
    pub(super) fn runs(&self, snapshot: &Snapshot, analyser: AnalyserIx, test: TestIx, slot: SlotIx) -> bool {
        let run_days = self.menu(analyser, test).flatten();
        self.open(snapshot.network.analysers[analyser].calendar, slot)
            && run_days.is_none_or(|run_days| self.open(run_days, slot))
    }

    /// The row of a patient's first visit.
    pub(super) fn visit_row(&self, patient: PatientIx) -> Option<usize> {
        Some(self.visits[patient]).filter(|&row| row != NO_VISIT).map(|row| row as usize)
    }
}

/// One sample before the laws.
pub(super) struct Case<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) plan: &'a Plan,
    pub(super) known: &'a Known,
    pub(super) sample: SampleIx,
    pub(super) decided: &'a SamplePlan,
    trace: &'a Trace,
    pub(super) broken: Option<Broken>,
}

impl<'a> Case<'a> {
    pub(super) fn open(
        snapshot: &'a Snapshot,
        plan: &'a Plan,
        known: &'a Known,
        sample: SampleIx,
        trace: &'a mut Trace,
    ) -> Self {
        let broken = trace.replay(snapshot, sample, plan.steps_of(sample)).err();
        Self { snapshot, plan, known, sample, decided: &plan.samples[sample], trace, broken }
    }

    /// The lines of the sample.
    pub(super) fn lines(&self) -> impl Iterator<Item = LineIx> + use<> {
        self.snapshot.backlog.samples[self.sample].lines()
    }

    /// The lines of the sample with what was decided.
    pub(super) fn decisions(&self) -> impl Iterator<Item = (LineIx, Disposition)> {
        self.lines().map(|line| (line, self.plan.lines[line]))
    }

    /// The lines tested from the sample.
    pub(super) fn runs(&self) -> impl Iterator<Item = (LineIx, Run, AnalyserIx)> {
        self.decisions().filter_map(|(line, disposition)| match disposition {
            Disposition::Run(run) => run.analyser.map(|analyser| (line, run, analyser)),
            _ => None,
        })
    }

    /// The lines re-tested from a new tube.
    pub(super) fn retests(&self) -> impl Iterator<Item = (LineIx, Run)> {
        self.decisions().filter_map(|(line, disposition)| match disposition {
            Disposition::Recall(Some(run)) => Some((line, run)),
            _ => None,
        })
    }

    /// Every test an analyser makes: of the sample and of a new tube.
    pub(super) fn tests(&self) -> impl Iterator<Item = (LineIx, Run, AnalyserIx)> {
        let retests = self.retests().filter_map(|(line, run)| run.analyser.map(|analyser| (line, run, analyser)));
        self.runs().chain(retests)
    }

    /// Where an analyser stands.
    pub(super) fn site(&self, analyser: AnalyserIx) -> SiteIx {
        self.snapshot.network.analysers[analyser].site
    }

    /// The container booked in at a site; none when the steps are impossible.
    pub(super) fn container(&self, site: SiteIx) -> Option<&'a Way> {
        self.ways().iter().find(|way| way.site == site && way.booked_in.is_some())
    }

    /// The containers of the sample; none when its steps are impossible.
    pub(super) fn ways(&self) -> &'a [Way] {
        if self.broken.is_some() { &[] } else { self.trace.ways() }
    }

    /// The visit of the sample's patient.
    pub(super) fn visit(&self) -> Option<Visit> {
        let patient = self.snapshot.backlog.requests[self.snapshot.backlog.samples[self.sample].request].patient;
        self.known.visit_row(patient).map(|row| self.plan.visits[row])
    }

    /// A line as messages name it.
    pub(super) fn name(&self, line: LineIx) -> String {
        name(self.snapshot, line)
    }

    /// The sample as messages name it.
    pub(super) fn sample_name(&self) -> String {
        format!("sample `{}`", self.snapshot.backlog.accession(self.sample))
    }
}
