//! Which words stand for what? The vocabulary that writing and reading share.

use std::collections::BTreeMap;

use labtriage_core::catalogue::Catalogue;
use labtriage_core::overrides::{Override, Overrides};
use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::{LineIx, SampleIx, TestIx};

/// The steps of a container.
pub(super) const STEPS: [&str; 7] = ["spin", "refrigerate", "freeze", "thaw", "send", "book-in", "aliquot"];

/// What happens to a line.
pub(super) const DECISIONS: [&str; 4] = ["run", "recall", "cancel", "hold"];

/// Why a line is cancelled.
pub(super) const CANCELS: [&str; 2] = ["duplicate", "superseded"];

/// Why a line is held.
pub(super) const HOLDS: [&str; 6] =
    ["unknown-stability", "unknown-time", "override", "waiting", "irreplaceable", "not-recallable"];

/// Why a sample should be discarded.
pub(super) const DISCARDS: [&str; 3] = ["EX", "RR", "override"];

/// How many lines before this one on its sample have the same test: nearly always none, but a
/// panel that was split may stand beside one of its own tests.
pub(super) fn lines_before(snapshot: &Snapshot, line: LineIx) -> u16 {
    let facts = &snapshot.backlog.lines[line];
    let lines = snapshot.backlog.samples[facts.sample].lines();
    let before =
        lines.take_while(|other| *other < line).filter(|other| snapshot.backlog.lines[*other].test == facts.test);
    u16::try_from(before.count()).unwrap_or(u16::MAX)
}

/// The line of a test on a sample that has so many of the same test before it.
pub(super) fn line_at(snapshot: &Snapshot, sample: SampleIx, test: TestIx, before: u16) -> Option<LineIx> {
    let lines = snapshot.backlog.samples[sample].lines();
    lines.filter(|line| snapshot.backlog.lines[*line].test == test).nth(usize::from(before))
}

/// The name of each override: its line in the file, and how many before it stand on the same line
/// (none, unless they were not read from a file).
pub(super) fn override_names(overrides: &Overrides) -> Vec<(u32, u32)> {
    let mut seen: BTreeMap<u32, u32> = BTreeMap::new();
    let name = |about: &Override| {
        let before = seen.entry(about.line).or_default();
        *before += 1;
        (about.line, *before - 1)
    };
    overrides.all.iter().map(name).collect()
}

/// The codes of a catalogue's tests, each as a JSON text.
pub(super) fn quoted_tests(catalogue: &Catalogue) -> Vec<Vec<u8>> {
    catalogue.tests.iter().map(|test| quoted(&test.code)).collect()
}

/// A text as JSON, with its quotation marks.
pub(super) fn quoted(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 2);
    push_quoted(&mut out, text);
    out
}

/// Adds a text as JSON, with its quotation marks.
pub(super) fn push_quoted(out: &mut Vec<u8>, text: &str) {
    let plain = text.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\');
    if plain {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        // Writing to memory cannot fail, and a text is always valid JSON.
        let _ = serde_json::to_writer(out, text);
    }
}

/// Adds a number.
pub(crate) fn push_number(out: &mut Vec<u8>, number: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut rest = number;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}
