//! What does a plan file say? Its words as they stand, packed small; whether they fit the inputs
//! is asked later, by [`RawPlan::resolve`].
//!
//! Nothing that was read is ever repeated in a finding: a broken or foreign file may hold anything.

use std::fmt;
use std::io::Read;

use labtriage_core::backlog::{TextPool, TextRef};
use labtriage_core::finding::{Code, Finding};
use labtriage_core::plan::Rule;
use labtriage_core::time::Instant;
use rustc_hash::FxHashMap;
use serde::Deserializer as _;
use serde::de::{Error, MapAccess, Visitor};

use super::header::RawHeader;
use super::parse::{ImpossibleItem, List, OneOf, SampleItem, VisitItem};
use super::{FILE, FORMAT, Header, VERSION};

/// A code or other short text that many places share.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Word(pub(super) u32);

/// Every distinct word once.
#[derive(Default)]
pub(super) struct Words {
    known: FxHashMap<Box<str>, u32>,
    pub(super) list: Vec<Box<str>>,
}

impl Words {
    pub(super) fn learn(&mut self, text: &str) -> Word {
        if let Some(&word) = self.known.get(text) {
            return Word(word);
        }
        let word = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        self.known.insert(text.into(), word);
        self.list.push(text.into());
        Word(word)
    }
}

/// An override by its line in the file and how many before it stand on the same line.
pub(super) type OverrideName = (u32, u32);

/// A line by accession, test, and how many of the same test stand before it on the sample.
#[derive(Clone, Copy)]
pub(super) struct LineName {
    pub(super) accession: TextRef,
    pub(super) test: Word,
    pub(super) before: u16,
}

#[derive(Clone, Copy)]
pub(super) struct RawRun {
    pub(super) analyser: Option<Word>,
    pub(super) slot: u16,
    pub(super) reported: u16,
}

#[derive(Clone, Copy)]
pub(super) enum RawHold {
    /// One of the words that need no more.
    Plain(u8),
    Override(OverrideName),
}

#[derive(Clone, Copy)]
pub(super) enum RawDecision {
    Run(RawRun),
    Recall(Option<RawRun>),
    Duplicate(LineName),
    Superseded,
    Hold(RawHold),
}

#[derive(Clone, Copy)]
pub(super) enum RawStep {
    Spin(u16),
    Refrigerate,
    Freeze(u16),
    Thaw(u16),
    Send(Word, Word),
    BookIn(u16),
    Aliquot(u16),
}

#[derive(Clone, Copy)]
pub(super) enum RawDiscard {
    Expired,
    ImproperStorage,
    Override(OverrideName),
}

/// A sample, with where its steps and lines end; they begin where those of the one before end.
#[derive(Clone, Copy)]
pub(super) struct RawSample {
    pub(super) accession: TextRef,
    pub(super) steps_end: u32,
    pub(super) lines_end: u32,
    pub(super) discard: Option<RawDiscard>,
    pub(super) recollection: Option<(Word, u16)>,
}

pub(super) struct RawVisit {
    pub(super) patient: TextRef,
    pub(super) point: Word,
    pub(super) day: Word,
}

pub(super) struct RawImpossible {
    pub(super) override_: OverrideName,
    pub(super) line: LineName,
    pub(super) reason: String,
}

/// The decisions of a plan file, not yet held against the inputs.
pub struct RawPlan {
    pub(super) rule: Rule,
    pub(super) slots: Vec<Instant>,
    pub(super) body: Body,
}

impl fmt::Debug for RawPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawPlan({} samples)", self.body.samples.len())
    }
}

#[derive(Default)]
pub(super) struct Body {
    pub(super) words: Words,
    pub(super) texts: TextPool,
    pub(super) samples: Vec<RawSample>,
    pub(super) steps: Vec<RawStep>,
    pub(super) lines: Vec<(Word, RawDecision)>,
    pub(super) visits: Vec<RawVisit>,
    pub(super) impossible: Vec<RawImpossible>,
}

/// Reads a plan file. The reader needs no buffer of its own.
///
/// # Errors
/// One finding `P002` with its place, when the file is not a plan that this version can read.
pub fn read_plan(reader: impl Read) -> Result<(Header, RawPlan), Vec<Finding>> {
    let mut deserializer = serde_json::Deserializer::from_reader(std::io::BufReader::with_capacity(1 << 18, reader));
    let mut document = Parts::default();
    let read = deserializer.deserialize_map(TopVisitor(&mut document)).and_then(|()| deserializer.end());
    read.map_err(|error| vec![finding(&error)])?;
    let header = document.header.finish().map_err(|message| vec![unreadable(message).at(FILE, 0, 0)])?;
    let plan = RawPlan { rule: header.rule, slots: header.slots.clone(), body: document.body };
    Ok((header, plan))
}

fn unreadable(message: impl Into<String>) -> Finding {
    Finding::new(Code::PlanUnreadable, message).hint("make the plan again, or give the folder that holds it unchanged")
}

fn finding(error: &serde_json::Error) -> Finding {
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    unreadable(harmless(error)).at(FILE, count(error.line()), count(error.column()))
}

/// The words of an error, without any value that it repeats from the file.
fn harmless(error: &serde_json::Error) -> String {
    use serde_json::error::Category;
    match error.classify() {
        Category::Io => "the file cannot be read to its end".to_owned(),
        Category::Eof => "the file ends in the middle of the plan".to_owned(),
        Category::Syntax => "not valid JSON".to_owned(),
        Category::Data => {
            let words = error.to_string();
            let words = words.rsplit_once(" at line ").map_or(words.as_str(), |(words, _)| words);
            let repeats = ["invalid type: ", "invalid value: ", "unknown field ", "unknown variant "];
            match repeats.into_iter().find(|start| words.starts_with(start)) {
                Some(start) => {
                    let expected = words.rsplit_once(", expected ").map_or("something else", |(_, expected)| expected);
                    format!("{}, expected {expected}", start.trim_end_matches([' ', ':']))
                }
                None => words.to_owned(),
            }
        }
    }
}

#[derive(Default)]
struct Parts {
    header: RawHeader,
    body: Body,
}

/// Fills a part of the head, once.
fn once<'de, A: MapAccess<'de>, T: serde::Deserialize<'de>>(
    map: &mut A,
    key: &'static str,
    part: &mut Option<T>,
) -> Result<(), A::Error> {
    if part.is_some() {
        return Err(A::Error::duplicate_field(key));
    }
    *part = Some(map.next_value()?);
    Ok(())
}

const KEYS: [&str; 19] = [
    "format",
    "version",
    "program",
    "now",
    "zone",
    "rule",
    "options",
    "inputs",
    "cost",
    "floor",
    "bound",
    "fairness",
    "stopped",
    "slots",
    "counts",
    "quarantined",
    "impossible",
    "visits",
    "samples",
];

struct TopVisitor<'a>(&'a mut Parts);

impl<'de> Visitor<'de> for TopVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a plan")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Parts { header, body } = self.0;
        let (mut format, mut version, mut lists) = (None::<String>, None::<u32>, [false; 3]);
        while let Some(key) = map.next_key_seed(OneOf(&KEYS))? {
            // The shape is checked as soon as it is known, so that a later version is named as such.
            match KEYS[key] {
                "format" => {
                    once(&mut map, "format", &mut format)?;
                    if format.as_deref() != Some(FORMAT) {
                        return Err(A::Error::custom("the file is no plan of this program"));
                    }
                }
                "version" => {
                    once(&mut map, "version", &mut version)?;
                    if version != Some(VERSION) {
                        return Err(A::Error::custom(format_args!("the plan is not of version {VERSION}")));
                    }
                }
                "program" => once(&mut map, "program", &mut header.program)?,
                "now" => once(&mut map, "now", &mut header.now)?,
                "zone" => once(&mut map, "zone", &mut header.zone)?,
                "rule" => once(&mut map, "rule", &mut header.rule)?,
                "options" => once(&mut map, "options", &mut header.options)?,
                "inputs" => once(&mut map, "inputs", &mut header.inputs)?,
                "cost" => once(&mut map, "cost", &mut header.cost)?,
                "floor" => once(&mut map, "floor", &mut header.floor)?,
                "bound" => once(&mut map, "bound", &mut header.bound)?,
                "fairness" => once(&mut map, "fairness", &mut header.fairness)?,
                "stopped" => once(&mut map, "stopped", &mut header.stopped)?,
                "slots" => once(&mut map, "slots", &mut header.slots)?,
                "counts" => once(&mut map, "counts", &mut header.counts)?,
                "quarantined" => once(&mut map, "quarantined", &mut header.quarantined)?,
                list => {
                    let seen = &mut lists[key - (KEYS.len() - 3)];
                    if std::mem::replace(seen, true) {
                        return Err(A::Error::duplicate_field(KEYS[key]));
                    }
                    match list {
                        "impossible" => map.next_value_seed(List(ImpossibleItem(body)))?,
                        "visits" => map.next_value_seed(List(VisitItem(body)))?,
                        _ => map.next_value_seed(List(SampleItem(body)))?,
                    }
                }
            }
        }
        if format.is_none() || version.is_none() {
            return Err(A::Error::custom("the file is no plan of this program: `format` or `version` is missing"));
        }
        match lists.iter().position(|seen| !seen) {
            Some(missing) => Err(A::Error::missing_field(KEYS[KEYS.len() - 3 + missing])),
            None => Ok(()),
        }
    }
}
