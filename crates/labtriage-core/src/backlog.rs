//! What is waiting? Samples, requests, patients and test lines, in flat tables.
//!
//! Rows come in any order and may contradict each other; [`BacklogBuilder::finish`] puts them in
//! order of accession, sets aside what contradicts, and keeps the rest.

use std::fmt;

use crate::catalogue::State;
use crate::finding::{Code, Finding};
use crate::flags::FlagSet;
use crate::table::{
    BandIx, Ix, LineIx, PatientIx, RequestIx, RequesterIx, SampleIx, SiteIx, SpecimenIx, Table, TestIx,
};
use crate::time::Instant;
use crate::units::Microlitres;

/// A patient's pseudonym. It has no `Display`, and its `Debug` says nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pseudonym<'a>(&'a str);

impl<'a> Pseudonym<'a> {
    /// A pseudonym of this text.
    pub const fn new(text: &'a str) -> Self {
        Self(text)
    }
    /// The text, for the files that are meant to hold pseudonyms.
    pub const fn expose(self) -> &'a str {
        self.0
    }
}

impl fmt::Debug for Pseudonym<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pseudonym(redacted)")
    }
}

/// Many short texts in one allocation.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct TextPool {
    text: String,
    ends: Vec<u32>,
}

/// A text in a [`TextPool`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TextRef(u32);

impl TextPool {
    /// Adds a text. Beyond 4 GiB of text an empty one is stored; readers limit what they accept.
    pub fn push(&mut self, text: &str) -> TextRef {
        if u32::try_from(self.text.len() + text.len()).is_ok() {
            self.text.push_str(text);
        }
        self.ends.push(u32::try_from(self.text.len()).unwrap_or(u32::MAX));
        TextRef(u32::try_from(self.ends.len() - 1).unwrap_or(u32::MAX))
    }

    /// A text that was added.
    pub fn get(&self, text: TextRef) -> &str {
        let at = text.0 as usize;
        let start = if at == 0 { 0 } else { self.ends[at - 1] as usize };
        &self.text[start..self.ends[at] as usize]
    }
}

impl fmt::Debug for TextPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TextPool({} texts)", self.ends.len())
    }
}

/// From when a sample has been in a state.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct HistoryStep {
    /// From when.
    pub from: Instant,
    /// In which state; the last one lasts until now.
    pub state: State,
}

/// One row of an extract, its codes already found.
#[derive(Clone, Debug)]
pub struct SampleRow<'a> {
    /// Line in the extract, from 1.
    pub line: u32,
    /// Accession number.
    pub accession: &'a str,
    /// Request code.
    pub request: &'a str,
    /// Patient.
    pub patient: Pseudonym<'a>,
    /// Who asked.
    pub requester: RequesterIx,
    /// Band stated in the extract.
    pub band: Option<BandIx>,
    /// Clinical and patient flags.
    pub flags: FlagSet,
    /// When it was asked for.
    pub requested: Instant,
    /// When it was collected, or the assumption in its place.
    pub collected: Instant,
    /// Whether `collected` is an assumption or unknown.
    pub collected_unknown: bool,
    /// When it was received.
    pub received: Option<Instant>,
    /// Specimen type.
    pub specimen: SpecimenIx,
    /// Where it stands.
    pub site: SiteIx,
    /// Storage since collection, at least one step, in order; the first is at collection.
    pub history: &'a [HistoryStep],
    /// Usable volume.
    pub volume: Microlitres,
    /// Cannot be collected again.
    pub irreplaceable: bool,
    /// Tests, each with whether its result exists but could not be reported. At least one.
    pub tests: &'a [(TestIx, bool)],
}

/// One container.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sample {
    accession: TextRef,
    /// The request it was collected for.
    pub request: RequestIx,
    /// Specimen type.
    pub specimen: SpecimenIx,
    /// Where it stands.
    pub site: SiteIx,
    /// When it was collected, or the assumption in its place.
    pub collected: Instant,
    /// Whether `collected` is an assumption or unknown.
    pub collected_unknown: bool,
    /// When it was received.
    pub received: Option<Instant>,
    /// Usable volume.
    pub volume: Microlitres,
    /// Cannot be collected again, by its own flag or that of one of its tests.
    pub irreplaceable: bool,
    first_history: u32,
    histories: u16,
    first_line: u32,
    lines: u16,
    /// Line in the extract, from 1.
    pub row: u32,
}

impl Sample {
    /// Its lines.
    pub fn lines(&self) -> impl DoubleEndedIterator<Item = LineIx> + ExactSizeIterator + use<> {
        let first = self.first_line as usize;
        (first..first + usize::from(self.lines)).map(LineIx::from_row)
    }
}

/// What a requester asked for one patient.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    code: TextRef,
    /// For whom.
    pub patient: PatientIx,
    /// Who asked.
    pub requester: RequesterIx,
    /// Most pressing band stated in the extract.
    pub stated_band: Option<BandIx>,
    /// Flags of all its rows.
    pub flags: FlagSet,
    /// Earliest time of request.
    pub requested: Instant,
}

/// A person, by pseudonym only.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Patient {
    pseudonym: TextRef,
    /// Flags of all the patient's requests.
    pub flags: FlagSet,
}

impl Patient {
    /// Whether the patient must not be recalled: deceased or deregistered.
    pub fn never_recalled(&self) -> bool {
        self.flags.meets(FlagSet::DECEASED.with(FlagSet::DEREGISTERED))
    }
}

/// One test of one request on one sample: the unit of decision.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TestLine {
    /// The container.
    pub sample: SampleIx,
    /// The test.
    pub test: TestIx,
    /// The panel this line was split from, because part of the panel was lost.
    pub split_from: Option<TestIx>,
    /// The result exists but could not be reported.
    pub result_held: bool,
}

/// Samples in order of accession, requests by code, patients by pseudonym, lines by sample and test.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Backlog {
    text: TextPool,
    /// Containers.
    pub samples: Table<SampleIx, Sample>,
    /// Requests.
    pub requests: Table<RequestIx, Request>,
    /// Patients.
    pub patients: Table<PatientIx, Patient>,
    /// Test lines.
    pub lines: Table<LineIx, TestLine>,
    histories: Vec<HistoryStep>,
}

impl Backlog {
    /// The accession number of a sample.
    pub fn accession(&self, sample: SampleIx) -> &str {
        self.text.get(self.samples[sample].accession)
    }

    /// The code of a request.
    pub fn request_code(&self, request: RequestIx) -> &str {
        self.text.get(self.requests[request].code)
    }

    /// The pseudonym of a patient.
    pub fn pseudonym(&self, patient: PatientIx) -> Pseudonym<'_> {
        Pseudonym(self.text.get(self.patients[patient].pseudonym))
    }

    /// The sample of an accession number.
    pub fn find_sample(&self, accession: &str) -> Option<SampleIx> {
        let samples = self.samples.as_slice();
        samples.binary_search_by(|sample| self.text.get(sample.accession).cmp(accession)).ok().map(SampleIx::from_row)
    }

    /// The request of a code.
    pub fn find_request(&self, code: &str) -> Option<RequestIx> {
        let requests = self.requests.as_slice();
        requests.binary_search_by(|request| self.text.get(request.code).cmp(code)).ok().map(RequestIx::from_row)
    }

    /// The patient of a pseudonym.
    pub fn find_patient(&self, pseudonym: &str) -> Option<PatientIx> {
        let patients = self.patients.as_slice();
        patients
            .binary_search_by(|patient| self.text.get(patient.pseudonym).cmp(pseudonym))
            .ok()
            .map(PatientIx::from_row)
    }

    /// Where a sample has been kept, in order of time; the last state lasts until now.
    pub fn history(&self, sample: SampleIx) -> &[HistoryStep] {
        let sample = &self.samples[sample];
        let first = sample.first_history as usize;
        &self.histories[first..first + usize::from(sample.histories)]
    }

    /// The state a sample is in now.
    pub fn state(&self, sample: SampleIx) -> State {
        self.history(sample).last().map_or(State::PrimaryAmbient, |step| step.state)
    }

    /// The request of a line.
    pub fn request_of(&self, line: LineIx) -> RequestIx {
        self.samples[self.lines[line].sample].request
    }

    /// The patient of a line.
    pub fn patient_of(&self, line: LineIx) -> PatientIx {
        self.requests[self.request_of(line)].patient
    }

    /// Replaces lines by their parts; `parts` gives the lines to put in place of one (itself when
    /// it stays), in order.
    pub(crate) fn split_lines(&mut self, mut parts: impl FnMut(&Self, LineIx, &mut Vec<TestLine>)) {
        let mut lines = Vec::with_capacity(self.lines.len());
        let mut bounds = Vec::with_capacity(self.samples.len());
        for sample in self.samples.iter() {
            let first = lines.len();
            for line in sample.lines() {
                parts(self, line, &mut lines);
            }
            bounds.push((first, lines.len() - first));
        }
        for (sample, (first, count)) in self.samples.as_mut_slice().iter_mut().zip(bounds) {
            sample.first_line = u32::try_from(first).unwrap_or(u32::MAX);
            sample.lines = u16::try_from(count).unwrap_or(u16::MAX);
        }
        self.lines = Table::new(lines);
    }
}

/// A row that was set aside.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rejected {
    /// Line in the extract, from 1.
    pub line: u32,
    /// Accession, when it could be read.
    pub accession: String,
    /// Why, without a place.
    pub finding: Finding,
}

/// A row as kept until all rows are there.
#[derive(Clone, Copy)]
struct Row {
    line: u32,
    accession: TextRef,
    request: TextRef,
    patient: TextRef,
    requester: RequesterIx,
    band: Option<BandIx>,
    flags: FlagSet,
    requested: Instant,
    collected: Instant,
    collected_unknown: bool,
    received: Option<Instant>,
    specimen: SpecimenIx,
    site: SiteIx,
    volume: Microlitres,
    irreplaceable: bool,
    history: (u32, u16),
    tests: (u32, u16),
}

/// Gathers rows.
#[derive(Default)]
pub struct BacklogBuilder {
    text: TextPool,
    rows: Vec<Row>,
    histories: Vec<HistoryStep>,
    tests: Vec<(TestIx, bool)>,
}

/// A backlog with what was set aside on the way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finished {
    /// What can be planned.
    pub backlog: Backlog,
    /// Rows set aside, in order of line.
    pub rejected: Vec<Rejected>,
    /// Remarks on rows that were kept, with their line.
    pub remarks: Vec<(u32, Finding)>,
}

impl BacklogBuilder {
    /// How many rows have been pushed.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether no row has been pushed.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Adds a row.
    pub fn push(&mut self, row: &SampleRow<'_>) {
        let position = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
        let count = |len: usize| u16::try_from(len).unwrap_or(u16::MAX);
        let history = (position(self.histories.len()), count(row.history.len()));
        let tests = (position(self.tests.len()), count(row.tests.len()));
        self.histories.extend_from_slice(&row.history[..usize::from(history.1)]);
        self.tests.extend_from_slice(&row.tests[..usize::from(tests.1)]);
        let texts = [row.accession, row.request, row.patient.expose()].map(|text| self.text.push(text));
        self.rows.push(Row {
            line: row.line,
            accession: texts[0],
            request: texts[1],
            patient: texts[2],
            requester: row.requester,
            band: row.band,
            flags: row.flags,
            requested: row.requested,
            collected: row.collected,
            collected_unknown: row.collected_unknown,
            received: row.received,
            specimen: row.specimen,
            site: row.site,
            volume: row.volume,
            irreplaceable: row.irreplaceable,
            history,
            tests,
        });
    }

    /// Orders the rows, sets aside those that contradict each other, and builds the tables.
    ///
    /// The result does not depend on the order in which rows were pushed, line numbers aside.
    pub fn finish(mut self) -> Finished {
        let mut rejected = Vec::new();
        let mut remarks = Vec::new();
        self.refuse_contradicting_requests(&mut rejected);
        self.refuse_contradicting_accessions(&mut rejected, &mut remarks);
        rejected.sort_by_key(|a| (a.line, a.finding.code));
        remarks.sort();
        Finished { backlog: self.build(), rejected, remarks }
    }

    fn history(&self, row: &Row) -> &[HistoryStep] {
        &self.histories[row.history.0 as usize..row.history.0 as usize + usize::from(row.history.1)]
    }

    fn tests(&self, row: &Row) -> &[(TestIx, bool)] {
        &self.tests[row.tests.0 as usize..row.tests.0 as usize + usize::from(row.tests.1)]
    }

    fn sort_by_text(&mut self, key: impl Fn(&Row) -> TextRef) {
        let order = self.order_by_text(key);
        self.rows = order.into_iter().map(|row| self.rows[row as usize]).collect();
    }

    /// Row numbers in order of a text column, then of line. The first bytes of a text decide nearly
    /// every comparison, so they are sorted beside the row number instead of being looked up.
    fn order_by_text(&self, key: impl Fn(&Row) -> TextRef) -> Vec<u32> {
        let text = |row: u32| self.text.get(key(&self.rows[row as usize]));
        let rows = 0..u32::try_from(self.rows.len()).unwrap_or(u32::MAX);
        let mut order: Vec<(u128, u32)> = rows.map(|row| (first_bytes(text(row)), row)).collect();
        order.sort_unstable_by(|a, b| {
            let line = |row: u32| self.rows[row as usize].line;
            a.0.cmp(&b.0).then_with(|| text(a.1).cmp(text(b.1))).then_with(|| line(a.1).cmp(&line(b.1)))
        });
        order.into_iter().map(|(_, row)| row).collect()
    }

    fn reject(&self, row: &Row, code: Code, message: String) -> Rejected {
        Rejected {
            line: row.line,
            accession: self.text.get(row.accession).to_owned(),
            finding: Finding::new(code, message),
        }
    }

    /// A request names one patient and one requester; otherwise all its rows are set aside.
    fn refuse_contradicting_requests(&mut self, rejected: &mut Vec<Rejected>) {
        self.sort_by_text(|row| row.request);
        let text = &self.text;
        let mut keep = vec![true; self.rows.len()];
        let mut from = 0;
        for group in self.rows.chunk_by(|a, b| text.get(a.request) == text.get(b.request)) {
            let first = &group[0];
            let differs =
                |row: &Row| text.get(row.patient) != text.get(first.patient) || row.requester != first.requester;
            if let Some(other) = group.iter().find(|row| differs(row)) {
                let lines = format!("lines {} and {}", first.line.min(other.line), first.line.max(other.line));
                for (n, row) in group.iter().enumerate() {
                    keep[from + n] = false;
                    let message = format!("the rows of this request name different patients or requesters ({lines})");
                    rejected.push(self.reject(row, Code::RequestConflict, message));
                }
            }
            from += group.len();
        }
        retain_kept(&mut self.rows, &keep);
    }

    /// An accession stands once. Rows that repeat it word for word are merged, others are all set aside.
    fn refuse_contradicting_accessions(&mut self, rejected: &mut Vec<Rejected>, remarks: &mut Vec<(u32, Finding)>) {
        self.sort_by_text(|row| row.accession);
        let text = &self.text;
        let mut keep = vec![true; self.rows.len()];
        let mut from = 0;
        for group in self.rows.chunk_by(|a, b| text.get(a.accession) == text.get(b.accession)) {
            let first = &group[0];
            let two_requests = group.iter().any(|row| text.get(row.request) != text.get(first.request));
            let all_same = group.iter().all(|row| self.same_content(first, row));
            for (n, row) in group.iter().enumerate().filter(|_| group.len() > 1) {
                keep[from + n] = all_same && n == 0;
                let lines = format!("lines {} and {}", first.line, group[group.len() - 1].line);
                if two_requests {
                    let message = format!("this tube is claimed by two requests ({lines})");
                    rejected.push(self.reject(row, Code::TubeOfTwoRequests, message));
                } else if !all_same {
                    let message = format!("this accession stands in several rows that differ ({lines})");
                    rejected.push(self.reject(row, Code::DuplicateAccession, message));
                } else if n > 0 {
                    remarks.push((
                        row.line,
                        Finding::new(Code::RepeatedRow, format!("the row repeats line {}", first.line)),
                    ));
                }
            }
            from += group.len();
        }
        retain_kept(&mut self.rows, &keep);
    }

    fn same_content(&self, a: &Row, b: &Row) -> bool {
        let text = |row: &Row| [row.request, row.patient].map(|text| self.text.get(text));
        let facts = |row: &Row| {
            (
                (row.requester, row.band, row.flags, row.requested, row.collected, row.collected_unknown),
                (row.received, row.specimen, row.site, row.volume, row.irreplaceable),
            )
        };
        text(a) == text(b)
            && facts(a) == facts(b)
            && self.history(a) == self.history(b)
            && self.tests(a) == self.tests(b)
    }

    /// Ranks of a text column: the distinct texts in order, and the rank of each row.
    fn ranks(&self, key: impl Fn(&Row) -> TextRef) -> (Vec<TextRef>, Vec<u32>) {
        let order = self.order_by_text(&key);
        let mut distinct: Vec<TextRef> = Vec::new();
        let mut ranks = vec![0; self.rows.len()];
        for row in order {
            let this = key(&self.rows[row as usize]);
            if distinct.last().is_none_or(|last| self.text.get(*last) != self.text.get(this)) {
                distinct.push(this);
            }
            ranks[row as usize] = u32::try_from(distinct.len() - 1).unwrap_or(u32::MAX);
        }
        (distinct, ranks)
    }

    fn build(mut self) -> Backlog {
        let (request_codes, request_of) = self.ranks(|row| row.request);
        let (pseudonyms, patient_of) = self.ranks(|row| row.patient);
        let mut backlog = Backlog {
            patients: pseudonyms.into_iter().map(|pseudonym| Patient { pseudonym, flags: FlagSet::EMPTY }).collect(),
            ..Backlog::default()
        };
        let mut requests: Vec<Option<Request>> = vec![None; request_codes.len()];
        for (n, row) in self.rows.iter().enumerate() {
            let patient = PatientIx::from_row(patient_of[n] as usize);
            let flags = &mut backlog.patients[patient].flags;
            *flags = flags.with(row.flags);
            let request = requests[request_of[n] as usize].get_or_insert_with(|| Request {
                code: request_codes[request_of[n] as usize],
                patient,
                requester: row.requester,
                stated_band: row.band,
                flags: FlagSet::EMPTY,
                requested: row.requested,
            });
            request.flags = request.flags.with(row.flags);
            request.requested = request.requested.min(row.requested);
            request.stated_band = [request.stated_band, row.band].into_iter().flatten().min();
        }
        backlog.requests = requests.into_iter().flatten().collect();
        for (n, row) in self.rows.iter().enumerate() {
            let sample = SampleIx::from_row(n);
            let mut tests = self.tests(row).to_vec();
            tests.sort_unstable();
            let first_line = u32::try_from(backlog.lines.len()).unwrap_or(u32::MAX);
            for &(test, result_held) in &tests {
                backlog.lines.push(TestLine { sample, test, split_from: None, result_held });
            }
            backlog.samples.push(Sample {
                accession: row.accession,
                request: RequestIx::from_row(request_of[n] as usize),
                specimen: row.specimen,
                site: row.site,
                collected: row.collected,
                collected_unknown: row.collected_unknown,
                received: row.received,
                volume: row.volume,
                irreplaceable: row.irreplaceable,
                first_history: row.history.0,
                histories: row.history.1,
                first_line,
                lines: row.tests.1,
                row: row.line,
            });
        }
        backlog.text = std::mem::take(&mut self.text);
        backlog.histories = std::mem::take(&mut self.histories);
        backlog
    }
}

/// The first sixteen bytes of a text as a number: in the same order as the texts, where they differ.
fn first_bytes(text: &str) -> u128 {
    let mut bytes = [0; 16];
    let count = text.len().min(bytes.len());
    bytes[..count].copy_from_slice(&text.as_bytes()[..count]);
    u128::from_be_bytes(bytes)
}

fn retain_kept<T>(rows: &mut Vec<T>, keep: &[bool]) {
    let mut kept = keep.iter();
    rows.retain(|_| kept.next().copied().unwrap_or(true));
}

#[cfg(test)]
mod tests {
    use super::*;

    const HISTORY: [HistoryStep; 1] =
        [HistoryStep { from: Instant::from_epoch_minutes(0), state: State::PrimaryAmbient }];

    fn row<'a>(
        line: u32,
        accession: &'a str,
        request: &'a str,
        patient: &'a str,
        tests: &'a [(TestIx, bool)],
    ) -> SampleRow<'a> {
        SampleRow {
            line,
            accession,
            request,
            patient: Pseudonym::new(patient),
            requester: RequesterIx::from_row(0),
            band: None,
            flags: FlagSet::EMPTY,
            requested: Instant::from_epoch_minutes(0),
            collected: Instant::from_epoch_minutes(0),
            collected_unknown: false,
            received: None,
            specimen: SpecimenIx::from_row(0),
            site: SiteIx::from_row(0),
            history: &HISTORY,
            volume: Microlitres::new(1000),
            irreplaceable: false,
            tests,
        }
    }

    fn finish(rows: &[SampleRow<'_>]) -> Finished {
        let mut builder = BacklogBuilder::default();
        for row in rows {
            builder.push(row);
        }
        builder.finish()
    }

    fn codes(finished: &Finished) -> Vec<(u32, &'static str)> {
        finished.rejected.iter().map(|rejected| (rejected.line, rejected.finding.code.text())).collect()
    }

    #[test]
    fn order_of_rows_does_not_matter() {
        let tests = [(TestIx::from_row(2), false), (TestIx::from_row(1), false)];
        let rows = [row(2, "B", "R1", "P1", &tests), row(3, "A", "R2", "P2", &tests), row(4, "C", "R1", "P1", &tests)];
        let mut turned = rows.clone();
        turned.reverse();
        let (a, b) = (finish(&rows).backlog, finish(&turned).backlog);
        let accessions =
            |backlog: &Backlog| backlog.samples.indices().map(|s| backlog.accession(s).to_owned()).collect::<Vec<_>>();
        assert_eq!(accessions(&a), ["A", "B", "C"]);
        assert_eq!(accessions(&a), accessions(&b));
        assert_eq!(a.lines, b.lines);
        assert_eq!(a.find_sample("B").map(|sample| a.request_code(a.samples[sample].request)), Some("R1"));
    }

    #[test]
    fn contradicting_accessions_are_all_set_aside() {
        let (one, two) = ([(TestIx::from_row(1), false)], [(TestIx::from_row(2), false)]);
        let finished =
            finish(&[row(2, "A", "R1", "P1", &one), row(3, "A", "R1", "P1", &two), row(4, "B", "R1", "P1", &one)]);
        assert_eq!(codes(&finished), [(2, "B018"), (3, "B018")]);
        assert_eq!(finished.backlog.samples.len(), 1);
    }

    #[test]
    fn a_repeated_row_is_kept_once() {
        let tests = [(TestIx::from_row(1), false)];
        let finished = finish(&[row(2, "A", "R1", "P1", &tests), row(3, "A", "R1", "P1", &tests)]);
        assert_eq!(finished.backlog.samples.len(), 1);
        assert_eq!(finished.remarks[0].1.code, Code::RepeatedRow);
    }

    #[test]
    fn a_tube_of_two_requests_and_a_request_of_two_patients_are_set_aside() {
        let tests = [(TestIx::from_row(1), false)];
        let finished = finish(&[
            row(2, "A", "R1", "P1", &tests),
            row(3, "A", "R2", "P1", &tests),
            row(4, "B", "R3", "P1", &tests),
            row(5, "C", "R3", "P2", &tests),
        ]);
        assert_eq!(codes(&finished), [(2, "B020"), (3, "B020"), (4, "B021"), (5, "B021")]);
        assert!(finished.backlog.samples.is_empty());
    }

    #[test]
    fn debug_of_a_pseudonym_says_nothing() {
        assert_eq!(format!("{:?}", Pseudonym::new("9434765919")), "Pseudonym(redacted)");
    }
}
