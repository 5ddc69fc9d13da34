//! What are things called in a cell? Codes and names made safe once, and the figures behind a limit.

use labtriage_core::catalogue::{Basis, Limit, State};
use labtriage_core::plan::Hold;
use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::{SpecimenIx, TestIx};
use labtriage_core::time::Minutes;
use rustc_hash::FxHashMap;

use super::cells::guarded;
use crate::plan_json::push_number;

/// Title of the column that holds a limit; it says what every reader must know.
pub(super) const LIMIT_TITLE: &str = "limit_hours (example figure: replace by your laboratory's own)";

/// Codes and names of a snapshot, safe for a cell, by row of their table.
pub(super) struct Codes {
    pub(super) tests: Vec<Vec<u8>>,
    pub(super) test_names: Vec<Vec<u8>>,
    pub(super) specimens: Vec<Vec<u8>>,
    pub(super) sites: Vec<Vec<u8>>,
    pub(super) analysers: Vec<Vec<u8>>,
    pub(super) bands: Vec<Vec<u8>>,
    pub(super) couriers: Vec<Vec<u8>>,
}

impl Codes {
    pub(super) fn new(snapshot: &Snapshot) -> Self {
        fn cells<'a>(texts: impl Iterator<Item = &'a String>) -> Vec<Vec<u8>> {
            texts.map(|text| guarded(text)).collect()
        }
        let (catalogue, network) = (&snapshot.catalogue, &snapshot.network);
        Self {
            tests: cells(catalogue.tests.iter().map(|test| &test.code)),
            test_names: cells(catalogue.tests.iter().map(|test| &test.name)),
            specimens: cells(catalogue.specimens.iter().map(|specimen| &specimen.code)),
            sites: cells(network.sites.iter().map(|site| &site.code)),
            analysers: cells(network.analysers.iter().map(|analyser| &analyser.code)),
            bands: cells(snapshot.policy.bands.iter().map(|band| &band.code)),
            couriers: cells(network.couriers.iter().map(|courier| &courier.code)),
        }
    }
}

/// A limit as shown, with what it rests on.
#[derive(Clone, Default)]
pub(super) struct LimitCells {
    /// Hours, `forbidden`, or nothing when unknown.
    pub(super) hours: Vec<u8>,
    /// Short names of the sources.
    pub(super) sources: Vec<u8>,
    /// How firm the figure is.
    pub(super) basis: &'static str,
}

/// Limits as shown, worked out once each.
#[derive(Default)]
pub(super) struct LimitBook {
    known: FxHashMap<(TestIx, SpecimenIx, State), LimitCells>,
}

impl LimitBook {
    /// The limit of a test on a specimen in a state.
    pub(super) fn of(&mut self, snapshot: &Snapshot, test: TestIx, specimen: SpecimenIx, state: State) -> &LimitCells {
        self.known.entry((test, specimen, state)).or_insert_with(|| limit_cells(snapshot, test, specimen, state))
    }
}

fn limit_cells(snapshot: &Snapshot, test: TestIx, specimen: SpecimenIx, state: State) -> LimitCells {
    let hours = match snapshot.limits.get(test, specimen).of(state) {
        Limit::Unknown => Vec::new(),
        Limit::Forbidden => b"forbidden".to_vec(),
        Limit::Within(limit) => hours(limit),
    };
    let Some((_, figure)) = snapshot.catalogue.deciding_figure(test, specimen, snapshot.policy.profile, state) else {
        let basis = if hours.is_empty() { "unknown" } else { "assumed by the policy" };
        return LimitCells { hours, sources: Vec::new(), basis };
    };
    let sources: Vec<&str> =
        figure.sources.iter().map(|&source| snapshot.catalogue.sources[source].id.as_str()).collect();
    let basis = match figure.basis {
        Basis::Sourced => "sourced",
        Basis::Judgement => "judgement",
        Basis::AddOn => "add-on limit",
    };
    LimitCells { hours, sources: guarded(&sources.join(" ")), basis }
}

/// Hours with at most two decimals: `6`, `0.5`.
fn hours(length: Minutes) -> Vec<u8> {
    let minutes = u64::try_from(length.get()).unwrap_or(0);
    let mut out = Vec::new();
    push_number(&mut out, minutes / 60);
    let hundredths = minutes % 60 * 100 / 60;
    if hundredths > 0 {
        out.push(b'.');
        out.push(b'0' + u8::try_from(hundredths / 10).unwrap_or(0));
        if !hundredths.is_multiple_of(10) {
            out.push(b'0' + u8::try_from(hundredths % 10).unwrap_or(0));
        }
    }
    out
}

/// Why a line is held, and what a person must do about it.
pub(super) fn hold_words(hold: Hold) -> (&'static str, &'static str) {
    match hold {
        Hold::UnknownStability => (
            "no stability limit is known for this test as the sample is stored",
            "find the limit and add it to the catalogue, or decide by hand",
        ),
        Hold::UnknownTime => {
            ("the collection time is unknown", "find out when the sample was collected and correct the extract")
        }
        Hold::Override(_) => ("a person's override holds it", "lift the override, or let it run out"),
        Hold::Waiting => {
            ("no capacity within the horizon; the sample keeps", "nothing tonight: it is planned again in the next run")
        }
        Hold::Irreplaceable => {
            ("the sample cannot be collected again", "a senior person decides what happens to the sample")
        }
        Hold::NotRecallable => {
            ("the patient must not be recalled", "a person decides together with whoever asked for the test")
        }
    }
}
