//! What does each laboratory run, on what, and when? One list per site, in the order of the work:
//! the tubes that are there or on their way, and the new tubes of recalled patients.

use labtriage_core::catalogue::{State, TestFlags};
use labtriage_core::plan::{Disposition, Run, Visit};
use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::{BandIx, DepartureIx, Ix, LineIx, PatientIx, SampleIx, SlotIx, Table};
use labtriage_core::time::Instant;
use labtriage_core::viability::{Clock, fresh_clock, fresh_state};

use super::Outputs;
use super::cells::{LocalTimes, Sheet, free_text, guarded, push_day};
use super::codes::{Codes, LIMIT_TITLE, LimitBook};
use super::folder::{OutputError, OutputFolder, file_names};
use super::way::Walk;

/// What stands for the analyser where a result only waits to be reported.
const REPORT_ONLY: &str = "report only";

const HEADER: [&str; 21] = [
    "analyser",
    "start",
    "end",
    "accession",
    "specimen",
    "test",
    "name",
    "band",
    "comes_from",
    "arrives",
    "window_closes",
    LIMIT_TITLE,
    "limit_state",
    "limit_sources",
    "limit_basis",
    "volume_ul",
    "keep",
    "caution",
    "reported",
    // A re-test of a recalled patient: the visit at which its tube is collected, and the tube that
    // it takes the place of. The new tube has no accession number yet.
    "new_tube",
    "replaces",
];

/// How a container gets to where it is run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Origin {
    /// It stands there.
    Here,
    /// By courier.
    Sent(DepartureIx),
    /// It is collected anew at the patient's visit, and delivered.
    Anew,
}

/// A line to run, in the order of the list.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    /// Analyser (report only last), slot.
    place: (u32, SlotIx),
    band: BandIx,
    line: LineIx,
    reported: SlotIx,
    origin: Origin,
    /// When the window closes, as planned; `FAR` when nothing is known.
    closes: Instant,
    state: State,
}

/// Writes `worklists/<site>.csv` for every site.
pub(super) fn write(folder: &OutputFolder, outputs: &Outputs<'_>) -> Result<(), OutputError> {
    let snapshot = outputs.snapshot;
    let visits = Visits::of(outputs);
    let mut by_site = entries(outputs, &visits);
    let names = file_names(snapshot.network.sites.iter().map(|site| site.code.as_str()));
    let mut writer = Writer {
        visits,
        snapshot,
        codes: Codes::new(snapshot),
        limits: LimitBook::default(),
        times: LocalTimes::new(snapshot.network.zone),
        slots: LocalTimes::new(snapshot.network.zone).slots(snapshot),
        points: snapshot.network.collection_points.iter().map(|point| guarded(&point.code)).collect(),
        arrivals: Vec::new(),
        scratch: Vec::new(),
    };
    writer.arrivals = snapshot.departures.iter().map(|departure| writer.times.text(departure.arrives)).collect();
    for (entries, name) in by_site.iter_mut().zip(names) {
        entries.sort_unstable();
        let mut sheet = Sheet::create(folder, &format!("worklists/{name}.csv"), &HEADER)?;
        for entry in entries.iter() {
            writer.row(&mut sheet, entry)?;
        }
        sheet.finish()?;
        *entries = Vec::new();
    }
    Ok(())
}

fn entries(outputs: &Outputs<'_>, visits: &Visits<'_>) -> Vec<Vec<Entry>> {
    let snapshot = outputs.snapshot;
    let mut by_site: Vec<Vec<Entry>> = vec![Vec::new(); snapshot.network.sites.len()];
    let mut walk = Walk::new(snapshot);
    for (sample, facts) in snapshot.backlog.samples.enumerate() {
        let runs = |line: &LineIx| matches!(outputs.plan.lines[*line], Disposition::Run(_));
        if facts.lines().any(|line| runs(&line)) {
            walk.walk(outputs.plan, sample);
        }
        for line in facts.lines() {
            let (run, entry) = match outputs.plan.lines[line] {
                Disposition::Run(run) => (run, Some(planned(snapshot, &walk, line, run))),
                Disposition::Recall(Some(run)) => (run, retest(visits, line, run)),
                _ => continue,
            };
            let site = run.analyser.map_or(facts.site, |analyser| snapshot.network.analysers[analyser].site);
            by_site[site.row()].extend(entry);
        }
    }
    by_site
}

/// A line that is run, or only reported, from the tube there is.
fn planned(snapshot: &Snapshot, walk: &Walk<'_>, line: LineIx, run: Run) -> Entry {
    let (container, came_by) = walk.container_for(run);
    let closes = closes(walk.clock(line, container));
    let origin = run.analyser.and(came_by).map_or(Origin::Here, Origin::Sent);
    entry(snapshot, line, run, origin, closes, container.state)
}

/// A line that is tested again from a new tube; none without the visit that the audit asks for.
fn retest(visits: &Visits<'_>, line: LineIx, run: Run) -> Option<Entry> {
    let snapshot = visits.outputs.snapshot;
    let (visit, arrives) = visits.delivery(line)?;
    let opens = snapshot.network.collection_points[visit.point].opens;
    let collected = snapshot.network.zone.at(visit.day, opens);
    let run_in = snapshot.catalogue.tests[snapshot.backlog.lines[line].test].run_in;
    let limits = snapshot.limits_of(line);
    let clock = fresh_clock(limits, run_in, collected, arrives, snapshot.policy.safety_margin);
    Some(entry(snapshot, line, run, Origin::Anew, closes(clock), fresh_state(limits, run_in)))
}

/// The visits of a plan by patient: each line of a long list asks for one.
struct Visits<'a> {
    outputs: &'a Outputs<'a>,
    of_patient: Table<PatientIx, Option<Visit>>,
}

impl<'a> Visits<'a> {
    fn of(outputs: &'a Outputs<'a>) -> Self {
        let mut of_patient = Table::filled(None, outputs.snapshot.backlog.patients.len());
        outputs.plan.visits.iter().for_each(|visit| of_patient[visit.patient] = Some(*visit));
        Self { outputs, of_patient }
    }

    /// The visit at which a line's new tube is collected, and when the tube arrives where it is run.
    fn delivery(&self, line: LineIx) -> Option<(Visit, Instant)> {
        let (backlog, network) = (&self.outputs.snapshot.backlog, &self.outputs.snapshot.network);
        let visit = self.of_patient[backlog.patient_of(line)]?;
        let site = self.outputs.plan.samples[backlog.lines[line].sample].recollection?.site;
        let delivers = &network.collection_points[visit.point].delivers;
        let delivery = delivers.iter().find(|delivery| delivery.site == site)?;
        Some((visit, network.zone.at(visit.day, delivery.arrives)))
    }
}

/// When a window closes or closed; never when nothing is known.
fn closes(clock: Clock) -> Instant {
    match clock {
        Clock::Until(closes) | Clock::Lost(closes, _) => closes,
        Clock::Unknown(_) => Instant::FAR,
    }
}

fn entry(snapshot: &Snapshot, line: LineIx, run: Run, origin: Origin, closes: Instant, state: State) -> Entry {
    let analyser = run.analyser.map_or(u32::MAX, |analyser| u32::try_from(analyser.row()).unwrap_or(0));
    Entry {
        place: (analyser, run.slot),
        band: snapshot.bands[line],
        line,
        reported: run.reported,
        origin,
        closes,
        state,
    }
}

struct Writer<'a> {
    visits: Visits<'a>,
    snapshot: &'a Snapshot,
    codes: Codes,
    limits: LimitBook,
    times: LocalTimes,
    slots: Vec<(Vec<u8>, Vec<u8>)>,
    /// Codes of the collection points.
    points: Vec<Vec<u8>>,
    /// Local arrival of each departure.
    arrivals: Vec<Vec<u8>>,
    scratch: Vec<u8>,
}

impl Writer<'_> {
    fn row(&mut self, sheet: &mut Sheet, entry: &Entry) -> Result<(), OutputError> {
        let snapshot = self.snapshot;
        let line = &snapshot.backlog.lines[entry.line];
        let sample = &snapshot.backlog.samples[line.sample];
        let (analyser, slot) = entry.place;
        let report_only = analyser == u32::MAX;
        let anew = entry.origin == Origin::Anew;
        match self.codes.analysers.get(analyser as usize) {
            Some(code) => sheet.cell(code)?,
            None => sheet.word(REPORT_ONLY)?,
        }
        let (start, end) = &self.slots[slot.row()];
        sheet.cell(start)?;
        sheet.cell(end)?;
        sheet.text(if anew { "" } else { snapshot.backlog.accession(line.sample) })?;
        sheet.cell(&self.codes.specimens[sample.specimen.row()])?;
        sheet.cell(&self.codes.tests[line.test.row()])?;
        sheet.cell(&self.codes.test_names[line.test.row()])?;
        sheet.cell(&self.codes.bands[entry.band.row()])?;
        let delivery = if anew { self.visits.delivery(entry.line) } else { None };
        self.origin(sheet, entry.origin, delivery)?;
        if report_only {
            (0..6).try_for_each(|_| sheet.word(""))?;
        } else {
            self.limit(sheet, entry)?;
            sheet.number(u64::from(snapshot.catalogue.tests[line.test].volume.get()))?;
        }
        sheet.word(keep(snapshot.catalogue.tests[line.test].flags))?;
        // A caution is about the tube there is, not about the new one.
        match snapshot.overrides.caution(entry.line).filter(|_| !anew) {
            Some(caution) => sheet.word(&free_text(caution))?,
            None => sheet.word("")?,
        }
        sheet.cell(&self.slots[entry.reported.row()].1)?;
        self.new_tube(sheet, delivery, line.sample)?;
        sheet.end()
    }

    /// Where a container comes from, and when it arrives.
    fn origin(
        &mut self,
        sheet: &mut Sheet,
        origin: Origin,
        delivery: Option<(Visit, Instant)>,
    ) -> Result<(), OutputError> {
        if let Origin::Sent(departure) = origin {
            let from = self.snapshot.network.couriers[self.snapshot.departures[departure].courier].from;
            sheet.cell(&self.codes.sites[from.row()])?;
            return sheet.cell(&self.arrivals[departure.row()]);
        }
        let Some((visit, arrives)) = delivery else {
            sheet.word("here")?;
            return sheet.word("");
        };
        sheet.cell(&self.points[visit.point.row()])?;
        self.scratch.clear();
        self.times.push(&mut self.scratch, arrives);
        sheet.cell(&self.scratch)
    }

    /// The visit at which a new tube is collected, and the accession number that it takes the place of.
    fn new_tube(
        &mut self,
        sheet: &mut Sheet,
        delivery: Option<(Visit, Instant)>,
        replaces: SampleIx,
    ) -> Result<(), OutputError> {
        let Some((visit, _)) = delivery else { return (0..2).try_for_each(|_| sheet.word("")) };
        self.scratch.clear();
        self.scratch.extend_from_slice(b"visit ");
        push_day(&mut self.scratch, visit.day);
        sheet.cell(&self.scratch)?;
        sheet.text(self.snapshot.backlog.accession(replaces))
    }

    /// Window, hours, state, sources and basis of the limit that decides.
    fn limit(&mut self, sheet: &mut Sheet, entry: &Entry) -> Result<(), OutputError> {
        let line = &self.snapshot.backlog.lines[entry.line];
        let specimen = self.snapshot.backlog.samples[line.sample].specimen;
        self.scratch.clear();
        self.times.push(&mut self.scratch, entry.closes);
        sheet.cell(&self.scratch)?;
        let limit = self.limits.of(self.snapshot, line.test, specimen, entry.state);
        sheet.cell(&limit.hours)?;
        sheet.word(entry.state.text())?;
        sheet.cell(&limit.sources)?;
        sheet.word(limit.basis)
    }
}

/// How a sample must be kept on the bench.
fn keep(flags: TestFlags) -> &'static str {
    match (flags.light_sensitive, flags.ice) {
        (true, true) => "dark, on ice",
        (true, false) => "dark",
        (false, true) => "on ice",
        (false, false) => "",
    }
}
