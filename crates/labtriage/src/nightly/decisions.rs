//! What have people decided since? Overrides of the ledger and answers to recalls, as a file that the plan can name.
//!
//! A plan is made from files, so that `check --plan` can make sure of it from files alone. What the ledger knows is
//! therefore written beside the plan, after the overrides of the extract, as overrides of the same kind. A line whose
//! practice has answered (the visit is booked or done, the patient declined or is another practice's), and a sample whose
//! discard is authorised or done, is held: it is neither run nor recalled nor proposed again. A sample whose discard was
//! rejected is kept: it is not proposed again, and its recalls stand. A booked visit that is still to come takes its place at the
//! collection point that was offered, so that no other patient is given it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use labtriage_core::catalogue::Catalogue;
use labtriage_core::network::Network;
use labtriage_core::overrides::Override;
use labtriage_core::policy::Policy;
use labtriage_core::time::{Day, Instant, Minutes};
use labtriage_formats::config::defaults::SourcedFile;
use labtriage_formats::config::{ConfigFile, overrides};
use labtriage_formats::digest;
use labtriage_ledger::records::{Notice, Override as Decided, Sample};
use labtriage_ledger::states::{NoticeState, SampleState};

use super::known::Known;
use crate::failure::Failure;

/// Where the file stands in the folder of a night.
pub(crate) const FILE: &str = "inputs/overrides.toml";

/// Who holds a line for an answer or a discard.
const LEDGER: &str = "ledger";

/// How long such a hold lasts; every night sets it anew.
const HOLD: Minutes = Minutes::from_days(62);

/// A line that a practice has answered.
pub(crate) type Answered = BTreeSet<(String, String)>;

/// The overrides of a night, and what of them comes from answers.
#[derive(Debug, Default)]
pub(crate) struct Decisions {
    /// All overrides as a file; none where nobody has decided anything.
    pub(crate) file: Option<SourcedFile>,
    /// Lines, by accession and test, that are held for an answer.
    pub(crate) answered: Answered,
    /// The line of the file at which those of the ledger begin.
    pub(crate) first_of_ledger: u32,
    /// The number of each override of the ledger, by its line in the file.
    pub(crate) numbers: Vec<(u32, String)>,
}

/// The nouns that overrides refer to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nouns<'a> {
    pub(crate) catalogue: &'a Catalogue,
    pub(crate) network: &'a Network,
    pub(crate) policy: &'a Policy,
}

/// Puts together the overrides of the extract, those of the ledger that are in force, and the holds for answers.
pub(crate) fn decisions(
    own: Option<&SourcedFile>,
    known: &Known,
    nouns: Nouns<'_>,
    now: Instant,
) -> Result<Decisions, Failure> {
    let mut text = own.map_or_else(String::new, |own| format!("{}\n", own.file.text.trim_end()));
    let first_of_ledger = lines(&text) + 1;
    let mut numbers = Vec::new();
    for decided in known.overrides.iter().filter(|decided| decided.until > now) {
        let _ = writeln!(text, "\n# Number {} of the ledger.", comment(&decided.id));
        numbers.push((lines(&text) + 1, decided.id.clone()));
        write_override(&mut text, decided);
    }
    let name = own.map_or("overrides of the ledger", |own| own.file.name.as_str());
    let people = overrides::overrides(&text, name, nouns.catalogue, nouns.network, nouns.policy)?;
    let decided_by_people = targets(&people);
    let free = |sample: &Sample| {
        !decided_by_people.contains(&sample.accession) && !decided_by_people.contains(&sample.request)
    };
    let mut answered = Answered::new();
    for (notice, why) in known.notices.iter().filter_map(|notice| Some((notice, words(notice.state)?))) {
        hold_lines(&mut text, notice, why, known, &free, now, &mut answered);
    }
    for sample in known.samples.values().filter(|sample| sample.state == SampleState::DiscardAuthorised && free(sample))
    {
        write_hold(&mut text, &sample.accession, None, "its discard is authorised", now);
    }
    let rejected = |sample: &&Sample| sample.state == SampleState::DiscardRejected && free(sample);
    for sample in known.samples.values().filter(rejected) {
        write_decision(&mut text, "keep", &sample.accession, None, "its discard was rejected", now);
    }
    for accession in known.disposed.iter().filter(|accession| !decided_by_people.contains(*accession)) {
        write_hold(&mut text, accession, None, "it was disposed of", now);
    }
    book_visits(&mut text, known, nouns.network, now);
    let file = (!text.is_empty()).then(|| SourcedFile {
        digest: digest::of_bytes(text.as_bytes()),
        file: ConfigFile { name: name.to_owned(), text },
        origin: FILE.to_owned(),
    });
    Ok(Decisions { file, answered, first_of_ledger, numbers })
}

impl Decisions {
    /// The ledger's number of an override, by its line in the file.
    pub(crate) fn number_at(&self, line: u32) -> Option<&str> {
        self.numbers.iter().find(|(at, _)| *at == line).map(|(_, id)| id.as_str())
    }
}

/// Accessions and requests that people have decided about. A hold beside such a decision could contradict it.
fn targets(people: &[Override]) -> BTreeSet<String> {
    people.iter().flat_map(|about| [&about.target.accession, &about.target.request]).flatten().cloned().collect()
}

/// Why the lines of an answered notice are held.
const fn words(state: NoticeState) -> Option<&'static str> {
    match state {
        NoticeState::Booked => Some("the practice has booked a visit"),
        NoticeState::Done => Some("the patient has been bled again"),
        NoticeState::Declined => Some("the recall was declined"),
        NoticeState::NotOurs => Some("the patient is not of the practice that was asked"),
        NoticeState::Open | NoticeState::Withdrawn => None,
    }
}

/// The visits that are booked from today on, by collection point and day. Of a point that the network does not have
/// nobody knows how many it sees.
fn book_visits(text: &mut String, known: &Known, network: &Network, now: Instant) {
    let day = |at: Instant| network.zone.day(at);
    let mut booked: BTreeMap<(&str, Day), u32> = BTreeMap::new();
    for notice in known.notices.iter().filter(|notice| notice.state == NoticeState::Booked) {
        let visit = notice.answer.as_ref().and_then(|answer| answer.visit).or(notice.visit);
        let point =
            notice.point.as_deref().filter(|code| network.collection_points.iter().any(|one| one.code == *code));
        if let (Some(visit), Some(point)) = (visit.map(day).filter(|visit| *visit >= day(now)), point) {
            *booked.entry((point, visit)).or_default() += 1;
        }
    }
    for ((point, day), visits) in booked {
        text.push_str("\n[[override]]\naction = \"visits\"\n");
        write_text(text, "point", point);
        write_text(text, "day", &day.date().to_string());
        let _ = writeln!(text, "visits = {visits}");
        write_reason(text, "practices have booked them", now);
    }
}

fn hold_lines(
    text: &mut String,
    notice: &Notice,
    why: &str,
    known: &Known,
    free: &dyn Fn(&Sample) -> bool,
    now: Instant,
    answered: &mut Answered,
) {
    for wanted in &notice.wanted {
        // A sample that has gone needs no hold.
        if known.samples.get(&wanted.accession).is_some_and(free)
            && answered.insert((wanted.accession.clone(), wanted.test.clone()))
        {
            write_hold(text, &wanted.accession, Some(&wanted.test), why, now);
        }
    }
}

fn write_hold(text: &mut String, accession: &str, test: Option<&str>, why: &str, now: Instant) {
    write_decision(text, "hold", accession, test, why, now);
}

fn write_decision(text: &mut String, action: &str, accession: &str, test: Option<&str>, why: &str, now: Instant) {
    text.push_str("\n[[override]]\n");
    write_text(text, "action", action);
    write_text(text, "accession", accession);
    if let Some(test) = test {
        write_text(text, "test", test);
    }
    write_reason(text, why, now);
}

fn write_reason(text: &mut String, why: &str, now: Instant) {
    write_text(text, "who", LEDGER);
    write_text(text, "why", why);
    write_text(text, "until", &now.plus(HOLD).to_string());
}

fn write_override(text: &mut String, decided: &Decided) {
    text.push_str("[[override]]\n");
    write_text(text, "action", &decided.action);
    for (key, value) in &decided.details {
        // The one key of an override that is a number.
        if key == "lines_per_day" {
            let _ = writeln!(text, "{key} = {}", value.parse::<u32>().unwrap_or(0));
        } else {
            write_text(text, key, value);
        }
    }
    write_text(text, "who", &decided.who);
    write_text(text, "why", &decided.why);
    if let Some(second) = &decided.second {
        write_text(text, "second", second);
    }
    write_text(text, "until", &decided.until.to_string());
}

fn write_text(text: &mut String, key: &str, value: &str) {
    let _ = writeln!(text, "{key} = {}", toml::Value::String(value.to_owned()));
}

/// A number as it may stand in a comment: on one line.
fn comment(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

fn lines(text: &str) -> u32 {
    u32::try_from(text.matches('\n').count()).unwrap_or(u32::MAX)
}
