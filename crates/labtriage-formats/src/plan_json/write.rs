//! How is a plan written? Straight from its flat tables into a buffer, a line of text per sample.

use std::io::{self, Write};

use labtriage_core::plan::{Cancel, Discard, Disposition, Hold, Plan, Run, Step};
use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::{Ix, LineIx, OverrideIx, SampleIx, SlotIx};

use super::header::RawHeader;
use super::words::{
    CANCELS, DECISIONS, DISCARDS, HOLDS, STEPS, lines_before, override_names, push_number, push_quoted, quoted,
    quoted_tests,
};
use super::{Document, FORMAT, VERSION};

/// The buffer is handed on once it is this full.
const BUFFER: usize = 1 << 16;

/// Writes a plan. The same plan gives the same bytes.
///
/// # Errors
/// What writing to `out` gives.
pub fn write_plan(out: &mut impl Write, document: &Document, snapshot: &Snapshot, plan: &Plan) -> io::Result<()> {
    let mut writer = Writer::new(snapshot, plan, out);
    writer.header(document)?;
    writer.impossible();
    writer.visits()?;
    writer.buffer.extend_from_slice(b",\n\"samples\":[");
    for sample in snapshot.backlog.samples.indices() {
        writer.buffer.extend_from_slice(if sample.row() == 0 { b"\n" } else { b",\n" });
        writer.sample(sample);
        writer.spill()?;
    }
    writer.buffer.extend_from_slice(b"\n]}\n");
    writer.out.write_all(&writer.buffer)?;
    writer.out.flush()
}

struct Writer<'a, W> {
    snapshot: &'a Snapshot,
    plan: &'a Plan,
    out: &'a mut W,
    buffer: Vec<u8>,
    tests: Vec<Vec<u8>>,
    analysers: Vec<Vec<u8>>,
    sites: Vec<Vec<u8>>,
    /// Courier and time of each departure.
    departures: Vec<Vec<u8>>,
    overrides: Vec<(u32, u32)>,
}

impl<'a, W: Write> Writer<'a, W> {
    fn new(snapshot: &'a Snapshot, plan: &'a Plan, out: &'a mut W) -> Self {
        let network = &snapshot.network;
        let departures = snapshot.departures.iter().map(|departure| {
            let mut text = quoted(&network.couriers[departure.courier].code);
            text.push(b',');
            push_quoted(&mut text, &departure.leaves.to_string());
            text
        });
        Self {
            snapshot,
            plan,
            out,
            buffer: Vec::with_capacity(2 * BUFFER),
            tests: quoted_tests(&snapshot.catalogue),
            analysers: network.analysers.iter().map(|analyser| quoted(&analyser.code)).collect(),
            sites: network.sites.iter().map(|site| quoted(&site.code)).collect(),
            departures: departures.collect(),
            overrides: override_names(&snapshot.overrides),
        }
    }

    fn spill(&mut self) -> io::Result<()> {
        if self.buffer.len() >= BUFFER {
            self.out.write_all(&self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }

    fn text(&mut self, text: &str) {
        self.buffer.extend_from_slice(text.as_bytes());
    }

    fn word(&mut self, word: &str) {
        self.buffer.push(b'"');
        self.text(word);
        self.buffer.push(b'"');
    }

    fn slot(&mut self, slot: SlotIx) {
        push_number(&mut self.buffer, slot.row() as u64);
    }

    fn key(&mut self, key: &str, value: &impl serde::Serialize) -> io::Result<()> {
        self.text(",\n\"");
        self.text(key);
        self.text("\":");
        Ok(serde_json::to_writer(&mut self.buffer, value)?)
    }

    fn header(&mut self, document: &Document) -> io::Result<()> {
        let header = RawHeader::of(document, self.snapshot, self.plan);
        self.text("{\"format\":");
        push_quoted(&mut self.buffer, FORMAT);
        self.key("version", &VERSION)?;
        self.key("program", &header.program)?;
        self.key("now", &header.now)?;
        self.key("zone", &header.zone)?;
        self.key("rule", &header.rule)?;
        self.key("options", &header.options)?;
        self.key("inputs", &header.inputs)?;
        self.key("cost", &header.cost)?;
        self.key("floor", &header.floor)?;
        self.key("bound", &header.bound)?;
        if let Some(fairness) = &header.fairness {
            self.key("fairness", fairness)?;
        }
        self.key("stopped", &header.stopped)?;
        self.key("slots", &header.slots)?;
        self.key("counts", &header.counts)?;
        self.key("quarantined", &header.quarantined)
    }

    fn impossible(&mut self) {
        self.text(",\n\"impossible\":[");
        for (n, about) in self.plan.impossible.iter().enumerate() {
            self.text(if n == 0 { "\n{\"override\":[" } else { ",\n{\"override\":[" });
            self.override_(about.override_);
            self.text("],\"line\":[");
            self.line_name(about.line);
            self.text("],\"reason\":");
            push_quoted(&mut self.buffer, &about.reason);
            self.text("}");
        }
        self.text("\n]");
    }

    fn visits(&mut self) -> io::Result<()> {
        let points: Vec<Vec<u8>> =
            self.snapshot.network.collection_points.iter().map(|point| quoted(&point.code)).collect();
        self.text(",\n\"visits\":[");
        for (n, visit) in self.plan.visits.iter().enumerate() {
            self.text(if n == 0 { "\n{\"patient\":" } else { ",\n{\"patient\":" });
            push_quoted(&mut self.buffer, self.snapshot.backlog.pseudonym(visit.patient).expose());
            self.text(",\"point\":");
            self.buffer.extend_from_slice(&points[visit.point.row()]);
            write!(self.buffer, ",\"day\":\"{}\"}}", visit.day)?;
            self.spill()?;
        }
        self.text("\n]");
        Ok(())
    }

    fn sample(&mut self, sample: SampleIx) {
        let (snapshot, facts) = (self.snapshot, self.plan.samples[sample]);
        self.text("{\"sample\":");
        push_quoted(&mut self.buffer, snapshot.backlog.accession(sample));
        let steps = self.plan.steps_of(sample);
        if !steps.is_empty() {
            self.text(",\"steps\":[");
            for (n, &step) in steps.iter().enumerate() {
                self.text(if n == 0 { "[" } else { ",[" });
                self.step(step);
                self.text("]");
            }
            self.text("]");
        }
        if let Some(discard) = facts.discard {
            self.text(",\"discard\":");
            self.discard(discard);
        }
        if let Some(anew) = facts.recollection {
            self.text(",\"recollection\":[");
            self.buffer.extend_from_slice(&self.sites[anew.site.row()]);
            self.text(",");
            self.slot(anew.booked_in);
            self.text("]");
        }
        self.text(",\"lines\":[");
        for (n, line) in snapshot.backlog.samples[sample].lines().enumerate() {
            self.text(if n == 0 { "[" } else { ",[" });
            self.line(line);
            self.text("]");
        }
        self.text("]}");
    }

    fn step(&mut self, step: Step) {
        let (word, slot) = match step {
            Step::Spin(slot) => (STEPS[0], Some(slot)),
            Step::Refrigerate => (STEPS[1], None),
            Step::Freeze(slot) => (STEPS[2], Some(slot)),
            Step::Thaw(slot) => (STEPS[3], Some(slot)),
            Step::Send(_) => (STEPS[4], None),
            Step::BookIn(slot) => (STEPS[5], Some(slot)),
            Step::Aliquot(slot) => (STEPS[6], Some(slot)),
        };
        self.word(word);
        if let Some(slot) = slot {
            self.text(",");
            self.slot(slot);
        }
        if let Step::Send(departure) = step {
            self.text(",");
            self.buffer.extend_from_slice(&self.departures[departure.row()]);
        }
    }

    fn discard(&mut self, discard: Discard) {
        match discard {
            Discard::Expired => self.word(DISCARDS[0]),
            Discard::ImproperStorage => self.word(DISCARDS[1]),
            Discard::Override(by) => {
                self.text("[");
                self.word(DISCARDS[2]);
                self.text(",");
                self.override_(by);
                self.text("]");
            }
        }
    }

    fn line(&mut self, line: LineIx) {
        self.buffer.extend_from_slice(&self.tests[self.snapshot.backlog.lines[line].test.row()]);
        self.text(",");
        match self.plan.lines[line] {
            Disposition::Run(run) => {
                self.word(DECISIONS[0]);
                self.run(run);
            }
            Disposition::Recall(run) => {
                self.word(DECISIONS[1]);
                match run {
                    Some(run) => self.run(run),
                    None => self.text(",null"),
                }
            }
            Disposition::Cancel(cancel) => {
                self.word(DECISIONS[2]);
                self.text(",");
                self.cancel(cancel);
            }
            Disposition::Hold(hold) => {
                self.word(DECISIONS[3]);
                self.text(",");
                self.hold(hold);
            }
        }
    }

    fn run(&mut self, run: Run) {
        self.text(",[");
        match run.analyser {
            Some(analyser) => self.buffer.extend_from_slice(&self.analysers[analyser.row()]),
            None => self.text("null"),
        }
        self.text(",");
        self.slot(run.slot);
        self.text(",");
        self.slot(run.reported);
        self.text("]");
    }

    fn cancel(&mut self, cancel: Cancel) {
        match cancel {
            Cancel::Duplicate(of) => {
                self.word(CANCELS[0]);
                self.text(",");
                self.line_name(of);
            }
            Cancel::Superseded => self.word(CANCELS[1]),
        }
    }

    fn hold(&mut self, hold: Hold) {
        let word = match hold {
            Hold::UnknownStability => HOLDS[0],
            Hold::UnknownTime => HOLDS[1],
            Hold::Override(_) => HOLDS[2],
            Hold::Waiting => HOLDS[3],
            Hold::Irreplaceable => HOLDS[4],
            Hold::NotRecallable => HOLDS[5],
        };
        self.word(word);
        if let Hold::Override(by) = hold {
            self.text(",");
            self.override_(by);
        }
    }

    /// Accession and test, and how many of the same test stand before it on the sample, if any.
    fn line_name(&mut self, line: LineIx) {
        let facts = &self.snapshot.backlog.lines[line];
        push_quoted(&mut self.buffer, self.snapshot.backlog.accession(facts.sample));
        self.text(",");
        self.buffer.extend_from_slice(&self.tests[facts.test.row()]);
        let before = lines_before(self.snapshot, line);
        if before > 0 {
            self.text(",");
            push_number(&mut self.buffer, u64::from(before));
        }
    }

    /// The line in the file of overrides, and how many of the same line stand before it, if any.
    fn override_(&mut self, by: OverrideIx) {
        let (line, before) = self.overrides[by.row()];
        push_number(&mut self.buffer, u64::from(line));
        if before > 0 {
            self.text(",");
            push_number(&mut self.buffer, u64::from(before));
        }
    }
}
