//! What does each laboratory run, on what, and when? One list per site, in the order of the work.

use labtriage_core::catalogue::{State, TestFlags};
use labtriage_core::plan::Disposition;
use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::{BandIx, DepartureIx, Ix, LineIx, SlotIx};
use labtriage_core::time::Instant;
use labtriage_core::viability::Clock;

use super::Outputs;
use super::cells::{LocalTimes, Sheet, free_text};
use super::codes::{Codes, LIMIT_TITLE, LimitBook};
use super::folder::{OutputError, OutputFolder, file_names};
use super::way::Walk;

/// What stands for the analyser where a result only waits to be reported.
const REPORT_ONLY: &str = "report only";

const HEADER: [&str; 19] = [
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
];

/// A line to run, in the order of the list.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    /// Analyser (report only last), slot.
    place: (u32, SlotIx),
    band: BandIx,
    line: LineIx,
    reported: SlotIx,
    came_by: Option<DepartureIx>,
    /// When the window closes, as planned; `FAR` when nothing is known.
    closes: Instant,
    state: State,
}

/// Writes `worklists/<site>.csv` for every site.
pub(super) fn write(folder: &OutputFolder, outputs: &Outputs<'_>) -> Result<(), OutputError> {
    let snapshot = outputs.snapshot;
    let mut by_site = entries(outputs);
    let names = file_names(snapshot.network.sites.iter().map(|site| site.code.as_str()));
    let mut writer = Writer {
        snapshot,
        codes: Codes::new(snapshot),
        limits: LimitBook::default(),
        times: LocalTimes::new(snapshot.network.zone),
        slots: LocalTimes::new(snapshot.network.zone).slots(snapshot),
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

fn entries(outputs: &Outputs<'_>) -> Vec<Vec<Entry>> {
    let snapshot = outputs.snapshot;
    let mut by_site: Vec<Vec<Entry>> = vec![Vec::new(); snapshot.network.sites.len()];
    let mut walk = Walk::new(snapshot);
    for (sample, facts) in snapshot.backlog.samples.enumerate() {
        let runs = |line: &LineIx| matches!(outputs.plan.lines[*line], Disposition::Run(_));
        if !facts.lines().any(|line| runs(&line)) {
            continue;
        }
        walk.walk(outputs.plan, sample);
        for line in facts.lines() {
            let Disposition::Run(run) = outputs.plan.lines[line] else { continue };
            let (container, came_by) = walk.container_for(run);
            let closes = match walk.clock(line, container) {
                Clock::Until(closes) | Clock::Lost(closes, _) => closes,
                Clock::Unknown(_) => Instant::FAR,
            };
            let site = run.analyser.map_or(facts.site, |analyser| snapshot.network.analysers[analyser].site);
            by_site[site.row()].push(Entry {
                place: (run.analyser.map_or(u32::MAX, |analyser| u32::try_from(analyser.row()).unwrap_or(0)), run.slot),
                band: snapshot.bands[line],
                line,
                reported: run.reported,
                came_by: run.analyser.and(came_by),
                closes,
                state: container.state,
            });
        }
    }
    by_site
}

struct Writer<'a> {
    snapshot: &'a Snapshot,
    codes: Codes,
    limits: LimitBook,
    times: LocalTimes,
    slots: Vec<(Vec<u8>, Vec<u8>)>,
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
        match self.codes.analysers.get(analyser as usize) {
            Some(code) => sheet.cell(code)?,
            None => sheet.word(REPORT_ONLY)?,
        }
        let (start, end) = &self.slots[slot.row()];
        sheet.cell(start)?;
        sheet.cell(end)?;
        sheet.text(snapshot.backlog.accession(line.sample))?;
        sheet.cell(&self.codes.specimens[sample.specimen.row()])?;
        sheet.cell(&self.codes.tests[line.test.row()])?;
        sheet.cell(&self.codes.test_names[line.test.row()])?;
        sheet.cell(&self.codes.bands[entry.band.row()])?;
        match entry.came_by {
            Some(departure) => {
                let from = snapshot.network.couriers[snapshot.departures[departure].courier].from;
                sheet.cell(&self.codes.sites[from.row()])?;
                sheet.cell(&self.arrivals[departure.row()])?;
            }
            None => {
                sheet.word("here")?;
                sheet.word("")?;
            }
        }
        if report_only {
            (0..6).try_for_each(|_| sheet.word(""))?;
        } else {
            self.limit(sheet, entry)?;
            sheet.number(u64::from(snapshot.catalogue.tests[line.test].volume.get()))?;
        }
        sheet.word(keep(snapshot.catalogue.tests[line.test].flags))?;
        match snapshot.overrides.caution(entry.line) {
            Some(caution) => sheet.word(&free_text(caution))?,
            None => sheet.word("")?,
        }
        sheet.cell(&self.slots[entry.reported.row()].1)?;
        sheet.end()
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
