//! Which lines ask what another line or a result already answers?
//!
//! Lines of one patient and test whose tubes were collected within the test's retest interval are
//! one question. The line that can answer it best survives and carries the largest weight; the
//! others are cancelled. A result that is already there cancels all of them.

use crate::backlog::Backlog;
use crate::catalogue::Catalogue;
use crate::table::{LineIx, Table, TestIx};
use crate::time::{Instant, Minutes};
use crate::viability::Clock;

/// What a line repeats.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Repeat {
    /// Nothing: it is the only one, or the one that survives.
    Survives,
    /// The line that answers the same question.
    Of(LineIx),
    /// A result that is already there.
    Resulted,
}

/// A result that is already there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ResultRow {
    /// Of this tube; of any tube of the patient when absent.
    pub accession: Option<String>,
    /// The patient's pseudonym, when no accession is given.
    pub patient: Option<String>,
    /// The test.
    pub test: TestIx,
    /// When the result was out.
    pub resulted: Instant,
    /// Line in its file, from 1.
    pub line: u32,
}

/// What each line repeats. `results` are the lines' own results or those of their patients.
pub fn repeats(
    catalogue: &Catalogue,
    backlog: &Backlog,
    clocks: &Table<LineIx, Clock>,
    resulted: &[bool],
) -> Table<LineIx, Repeat> {
    let mut repeats = Table::filled(Repeat::Survives, backlog.lines.len());
    let mut lines: Vec<LineIx> = backlog.lines.indices().collect();
    let question = |line: LineIx| {
        let facts = &backlog.lines[line];
        (backlog.patient_of(line), facts.test, backlog.samples[facts.sample].collected, line)
    };
    lines.sort_by_cached_key(|&line| question(line));
    for asked in lines.chunk_by(|&a, &b| (question(a).0, question(a).1) == (question(b).0, question(b).1)) {
        let interval =
            catalogue.tests[question(asked[0]).1].retest_interval.map_or(Minutes::ZERO, |(interval, _)| interval);
        let mut rest = asked;
        while let Some(&first) = rest.first() {
            let until = question(first).2.plus(interval);
            let together = rest.partition_point(|&line| question(line).2 <= until);
            let (group, later) = rest.split_at(together);
            settle(group, backlog, clocks, resulted, &mut repeats);
            rest = later;
        }
    }
    repeats
}

fn settle(
    group: &[LineIx],
    backlog: &Backlog,
    clocks: &Table<LineIx, Clock>,
    resulted: &[bool],
    repeats: &mut Table<LineIx, Repeat>,
) {
    use crate::table::Ix;
    if group.iter().any(|line| resulted[line.row()]) {
        for &line in group {
            repeats[line] = Repeat::Resulted;
        }
        return;
    }
    // Best: a result that only waits to be reported, then the window that closes last, then the latest tube.
    let merit = |line: LineIx| {
        let facts = &backlog.lines[line];
        let collected = backlog.samples[facts.sample].collected;
        (facts.result_held, clocks[line].closes(), collected, std::cmp::Reverse(line))
    };
    let Some(survivor) = group.iter().copied().max_by_key(|&line| merit(line)) else { return };
    for &line in group.iter().filter(|&&line| line != survivor) {
        repeats[line] = Repeat::Of(survivor);
    }
}

/// Marks the lines that a result answers, and returns the results that belong to none.
pub fn mark_resulted<'a>(
    catalogue: &Catalogue,
    backlog: &Backlog,
    results: &'a [ResultRow],
) -> (Vec<bool>, Vec<&'a ResultRow>) {
    use crate::table::Ix;
    let mut resulted = vec![false; backlog.lines.len()];
    let mut by_patient: Vec<(crate::table::PatientIx, TestIx, &ResultRow)> = Vec::new();
    let mut unmatched = Vec::new();
    for result in results {
        let sample = result.accession.as_deref().and_then(|accession| backlog.find_sample(accession));
        let patient = result.patient.as_deref().and_then(|pseudonym| backlog.find_patient(pseudonym));
        match (sample, patient) {
            (Some(sample), _) => {
                let answers = |line: &LineIx| {
                    let facts = &backlog.lines[*line];
                    facts.test == result.test || facts.split_from == Some(result.test)
                };
                let answered: Vec<LineIx> = backlog.samples[sample].lines().filter(answers).collect();
                if answered.is_empty() {
                    unmatched.push(result);
                }
                for line in answered {
                    resulted[line.row()] = true;
                }
            }
            (None, Some(patient)) => by_patient.push((patient, result.test, result)),
            (None, None) => unmatched.push(result),
        }
    }
    by_patient.sort_by_key(|(patient, test, result)| (*patient, *test, result.resulted));
    for line in backlog.lines.indices() {
        let facts = &backlog.lines[line];
        let patient = backlog.patient_of(line);
        let interval = catalogue.tests[facts.test].retest_interval.map_or(Minutes::ZERO, |(interval, _)| interval);
        let collected = backlog.samples[facts.sample].collected;
        let tests = [Some(facts.test), facts.split_from];
        for test in tests.into_iter().flatten() {
            let from = by_patient.partition_point(|(p, t, _)| (*p, *t) < (patient, test));
            let same = by_patient[from..].iter().take_while(|(p, t, _)| (*p, *t) == (patient, test));
            if same.into_iter().any(|(_, _, result)| result.resulted >= collected.minus(interval)) {
                resulted[line.row()] = true;
            }
        }
    }
    (resulted, unmatched)
}
