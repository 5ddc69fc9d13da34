//! What does `overrides.toml` say? People's decisions, each with who, why and until when.

use std::ops::Range;

use labtriage_core::catalogue::Catalogue;
use labtriage_core::finding::{Code, Finding};
use labtriage_core::network::Network;
use labtriage_core::overrides::{Action, Override, Target};
use labtriage_core::policy::Policy;
use labtriage_core::table::{AnalyserIx, BandIx, CollectionPointIx, RequesterIx, SiteIx, TestIx};

use toml::de::{DeTable, DeValue};

use super::names::{Names, tests_of};
use super::toml_file::{Cursor, TomlFile, Value, all};

/// The words for what an override can ask for.
#[derive(Clone, Copy)]
enum Word {
    Pin,
    Hold,
    ForceTest,
    ForceDiscard,
    Keep,
    Band,
    Route,
    Cap,
    Visits,
}

const WORDS: [(&str, Word); 9] = [
    ("pin", Word::Pin),
    ("hold", Word::Hold),
    ("force-test", Word::ForceTest),
    ("force-discard", Word::ForceDiscard),
    ("keep", Word::Keep),
    ("band", Word::Band),
    ("route", Word::Route),
    ("cap", Word::Cap),
    ("visits", Word::Visits),
];

/// An override that is kept elsewhere than in a file, by the keys of `overrides.toml`.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// What it asks for: the word of the file, such as `hold`.
    pub action: &'a str,
    /// Whatever else belongs to the action and its target, by key.
    pub details: &'a [(String, String)],
    /// Who decided.
    pub who: &'a str,
    /// Why.
    pub why: &'a str,
    /// Until when it holds: a time with its offset, or a local one.
    pub until: &'a str,
    /// The second person.
    pub second: Option<&'a str>,
    /// Said of it in a comment, such as its number.
    pub comment: &'a str,
}

/// The keys whose values are numbers.
const NUMBERS: [&str; 2] = ["lines_per_day", "visits"];

/// Writes overrides as the `overrides.toml` that [`overrides`] reads, so that both are checked by one code.
pub fn overrides_toml(entries: &[Entry<'_>]) -> String {
    let mut text = String::new();
    for entry in entries {
        let comment: String = entry.comment.chars().filter(|c| !c.is_control()).collect();
        text.push_str(&format!("[[override]] # {comment}\n"));
        let own = [("action", entry.action), ("who", entry.who), ("why", entry.why), ("until", entry.until)];
        let details = entry.details.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        for (key, value) in own.into_iter().chain(entry.second.map(|second| ("second", second))).chain(details) {
            let number = NUMBERS.contains(&key).then(|| value.parse::<u32>().ok()).flatten();
            let value = number.map_or_else(|| toml::Value::from(value), |number| toml::Value::from(i64::from(number)));
            text.push_str(&format!("{key} = {value}\n"));
        }
    }
    text
}

/// A value of an override, and where it stands in a text.
pub(crate) struct Written {
    key: String,
    /// Its bytes, quotes included.
    pub(crate) place: Range<usize>,
    /// What it says, escapes resolved; none when it is no text.
    pub(crate) text: Option<String>,
}

impl Written {
    /// Whether it is a day or time and nothing else, as its key says.
    pub(crate) fn is_time(&self) -> bool {
        let part_of_time = |c: char| c.is_ascii_digit() || " -/.:+TZtz".contains(c);
        matches!(self.key.as_str(), "until" | "by" | "day")
            && self.text.as_ref().is_none_or(|text| text.chars().all(part_of_time))
    }

    /// Whether it names a sample or request.
    pub(crate) fn is_code(&self) -> bool {
        matches!(self.key.as_str(), "accession" | "request")
    }
}

/// The values of all overrides, as far as a text can be read.
pub(crate) fn written(text: &str) -> Vec<Written> {
    let (root, _) = DeTable::parse_recoverable(text);
    let entries = root.get_ref().iter().filter(|(key, _)| key.get_ref().as_ref() == "override");
    let tables = entries.flat_map(|(_, value)| match value.get_ref() {
        DeValue::Array(all) => all.iter().filter_map(|one| one.get_ref().as_table()).collect(),
        DeValue::Table(one) => vec![one],
        _ => Vec::new(),
    });
    let values = tables.flat_map(|table| table.iter()).map(|(key, value)| {
        let text = value.get_ref().as_str().map(str::to_owned);
        Written { key: key.get_ref().as_ref().to_owned(), place: value.span(), text }
    });
    values.collect()
}

/// Reads overrides, in order of the file. Whether they fit the backlog is the snapshot's to say.
///
/// # Errors
/// Everything that is wrong with the file, in order of place.
pub fn overrides(
    text: &str,
    name: &str,
    catalogue: &Catalogue,
    network: &Network,
    policy: &Policy,
) -> Result<Vec<Override>, Vec<Finding>> {
    let toml = TomlFile::parse(name, text);
    let known = Known {
        network,
        tests: tests_of(Some(catalogue)),
        bands: Names::known("band", Some(policy.bands.iter().map(|band| band.code.as_str()))),
        sites: Names::known("site", Some(network.sites.iter().map(|site| site.code.as_str()))),
        analysers: Names::known("analyser", Some(network.analysers.iter().map(|analyser| analyser.code.as_str()))),
        points: Names::known(
            "collection point",
            Some(network.collection_points.iter().map(|point| point.code.as_str())),
        ),
        requesters: Names::known("requester", Some(network.requesters.iter().map(|requester| requester.ods.as_str()))),
    };
    let mut root = toml.root();
    let entries = root.tables("override");
    root.finish();
    let overrides = all(entries.into_iter().map(|entry| read(entry, &known)));
    toml.finish(overrides)
}

/// The names that overrides refer to.
struct Known<'n> {
    network: &'n Network,
    tests: Names<TestIx>,
    bands: Names<BandIx>,
    sites: Names<SiteIx>,
    analysers: Names<AnalyserIx>,
    requesters: Names<RequesterIx>,
    points: Names<CollectionPointIx>,
}

fn read(mut entry: Cursor<'_>, known: &Known<'_>) -> Option<Override> {
    // Which keys there are depends on the action: without it nothing else can be judged.
    let word = entry.required("action", |value| value.choice(&WORDS))?;
    let action = action(word, &mut entry, known);
    let target = match word {
        Word::Cap | Word::Visits => Some(Target::default()),
        _ => target(&mut entry, known),
    };
    let who = entry.required("who", Value::text);
    let why = entry.required("why", Value::text);
    let until = entry.required("until", |value| value.instant(known.network.zone));
    let second = entry.optional("second", Value::text);
    entry.finish();
    Some(Override {
        action: action?,
        target: target?,
        who: who?,
        why: why?,
        until: until?,
        second: second?,
        line: entry.line(),
    })
}

fn action(word: Word, entry: &mut Cursor<'_>, known: &Known<'_>) -> Option<Action> {
    match word {
        Word::Pin => pin(entry, known),
        Word::Hold => Some(Action::Hold),
        Word::ForceTest => entry.required("caution", Value::text).map(|caution| Action::ForceTest { caution }),
        Word::ForceDiscard => Some(Action::ForceDiscard),
        Word::Keep => Some(Action::Keep),
        Word::Band => entry.required("band", |value| known.bands.find(value)).map(Action::SetBand),
        Word::Route => entry.required("site", |value| partner(value, known)).map(Action::Route),
        Word::Cap => {
            let requester = entry.required("requester", |value| known.requesters.find(value));
            let lines_per_day = entry.required("lines_per_day", |value| value.whole(0..=u32::MAX));
            Some(Action::Cap { requester: requester?, lines_per_day: lines_per_day? })
        }
        Word::Visits => {
            let point = entry.required("point", |value| known.points.find(value));
            let day = entry.required("day", Value::date);
            let visits = entry.required("visits", |value| value.whole(1..=u32::MAX));
            Some(Action::Visits { point: point?, day: day?, visits: visits? })
        }
    }
}

fn pin(entry: &mut Cursor<'_>, known: &Known<'_>) -> Option<Action> {
    let site = entry.optional("site", |value| known.sites.find(value));
    let analyser = entry.optional("analyser", |value| known.analysers.find(value));
    let by = entry.optional("by", |value| value.instant(known.network.zone));
    let (site, analyser, by) = (site?, analyser?, by?);
    if site.is_none() && analyser.is_none() && by.is_none() {
        let finding = Finding::new(Code::MissingKey, "this `pin` says neither where nor by when");
        entry.report(finding.hint("add `site`, `analyser` or `by`"));
    }
    let stands_at = analyser.map(|analyser| known.network.analysers[analyser].site);
    if site.is_some() && stands_at.is_some() && site != stands_at {
        let message = "this `pin` names a site and an analyser that stands at another site";
        entry.report(Finding::new(Code::OverrideImpossible, message).hint("leave out one of the two"));
    }
    Some(Action::Pin { site, analyser, by })
}

/// Samples are routed to partners; to the network's own sites they are pinned.
fn partner(value: Value<'_>, known: &Known<'_>) -> Option<SiteIx> {
    let site = known.sites.find(value)?;
    if known.network.sites[site].partner.is_none() {
        let message = format!("site `{}` is no partner", known.network.sites[site].code);
        let hint = "for a site of the network itself use `action = \"pin\"`";
        value.report(Finding::new(Code::OverrideImpossible, message).hint(hint));
        return None;
    }
    Some(site)
}

/// One sample or all of one request, and one test of it or all.
fn target(entry: &mut Cursor<'_>, known: &Known<'_>) -> Option<Target> {
    let accession = entry.optional("accession", Value::text);
    let request = entry.optional("request", Value::text);
    let test = entry.optional("test", |value| known.tests.find(value));
    let (accession, request) = (accession?, request?);
    match (&accession, &request) {
        (None, None) => {
            let finding = Finding::new(Code::MissingKey, "this override says not what it is about");
            entry.report(finding.hint("add `accession` or `request`"));
        }
        (Some(_), Some(_)) => {
            let message = "this override names an `accession` and a `request`, expected one of them";
            entry.report(Finding::new(Code::WrongValue, message));
        }
        _ => {}
    }
    Some(Target { accession, request, test: test? })
}
