//! `labtriage nightly`: from the newest extract to a published plan, and what the ledger knows of it.
//!
//! The order of steps is what makes a kill harmless; see `nightly::nights`. Nothing that was published before is touched
//! until the new night is whole and recorded.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use labtriage_core::finding::{Code, Finding};
use labtriage_ledger::{Address, Ledger, LedgerError};
use serde_json::json;

use crate::args::{LogFormat, NightlyArguments};
use crate::failure::Failure;
use crate::inputs::{Now, Sources};
use crate::nightly::decisions::{self, Decisions, Nouns, decisions};
use crate::nightly::inbox::{self, Extract};
use crate::nightly::journal::{Journal, Phase};
use crate::nightly::known::People;
use crate::nightly::nights::{Facts, Nights};
use crate::nightly::planning::Planning;
use crate::terminal;

/// Runs a night; returns the exit code.
pub(crate) fn nightly(arguments: &NightlyArguments) -> Result<u8, Failure> {
    if arguments.log == LogFormat::Json {
        terminal::log_as_json();
    }
    let health = arguments.health.clone().unwrap_or_else(|| arguments.out.join("health.json"));
    let mut journal = Journal::new(health, arguments.quiet);
    // Kept until the health file is written, so that no other night writes it meanwhile.
    let mut nights = None;
    let ended = catch_unwind(AssertUnwindSafe(|| run(arguments, &mut nights, &mut journal)));
    let told = match &ended {
        Ok(ended) => journal.close(ended),
        Err(_) => journal.close(&Err(Failure::Bug(String::new()))),
    };
    match (ended, told) {
        (Err(panic), _) => resume_unwind(panic),
        // What went wrong first is what must be said.
        (Ok(Err(failure)), _) | (Ok(Ok(_)), Err(failure)) => Err(failure),
        (Ok(Ok(code)), Ok(())) => Ok(code),
    }
}

fn run(arguments: &NightlyArguments, lock: &mut Option<Nights>, journal: &mut Journal) -> Result<u8, Failure> {
    let nights = &*lock.insert(Nights::open(&arguments.out)?);
    journal.phase(Phase::Complete);
    let mut ledger = ledger(&Address::parse(&arguments.ledger)?, nights)?;
    let before = before(&mut ledger, nights, journal)?;
    journal.phase(Phase::Choose);
    let extract = inbox::newest(&arguments.inbox)?;
    let sources = Sources::find(&extract.folder, arguments.config.as_deref())?;
    let (catalogue, network, policy) = sources.configuration.read()?;
    let now = sources.now(&Now::Typed(arguments.now.as_deref()), network.zone)?;
    extract.is_fresh(now, arguments.max_age)?;
    if let Some(before) = &before
        && is_the_same(&extract, before)?
    {
        return unchanged(before, journal);
    }
    nights.is_free(&extract.night)?;
    extract.is_whole()?;
    let nouns = Nouns { catalogue: &catalogue, network: &network, policy: &policy };
    let decisions = decisions(sources.overrides.as_ref(), People::of(&mut ledger, now)?, nouns, now)?;
    let texts = sources.texts();
    let sources = after(sources, before.as_ref(), &decisions, nights, &extract);
    let planning = Planning { arguments, nights, extract: &extract, sources: &sources, texts, now, decisions };
    planning.night(&mut ledger, before.as_ref(), journal)
}

/// Opens the ledger. One is begun only where no night was ever published: a wrong `--ledger` would otherwise make
/// everything that people have decided unknown.
fn ledger(address: &Address, nights: &Nights) -> Result<Ledger, Failure> {
    if !nights.has_published() {
        return Ok(Ledger::create(address)?);
    }
    match Ledger::open(address) {
        Err(LedgerError::Missing { address }) => Err(nights.is_unknown_to(&address).into()),
        opened => Ok(opened?),
    }
}

/// The night that is published, completed if a killed run left it half way.
fn before(ledger: &mut Ledger, nights: &Nights, journal: &mut Journal) -> Result<Option<Facts>, Failure> {
    let published = ledger.published()?.map(|known| known.record);
    if published.is_none() && nights.has_published() {
        return Err(nights.is_unknown_to(&ledger.address().to_string()).into());
    }
    let (completed, swept) = nights.complete(published.as_ref())?;
    if let Some(published) = published.as_ref().filter(|_| completed) {
        let words = format!("completed the night of {}, which a killed run had recorded", published.folder);
        journal.says("completed", &words, json!({ "completed": published.folder }));
    }
    if swept > 0 {
        journal.says("swept", &format!("deleted {swept} unfinished folders of killed runs"), json!({ "swept": swept }));
    }
    published.map(|published| nights.facts(&published.folder)).transpose()
}

/// Whether the newest extract is that of the published night; an older or a replaced one is refused.
fn is_the_same(extract: &Extract, before: &Facts) -> Result<bool, Finding> {
    let message = if extract.night < before.night {
        format!("the night of {} is published already", before.night)
    } else if extract.night == before.night && extract.digest != before.extract {
        "this night is published already, from another extract of the same name".to_owned()
    } else {
        return Ok(extract.night == before.night);
    };
    let finding = Finding::new(Code::ExtractNotNewer, message).at(&extract.folder.display().to_string(), 0, 0);
    Err(finding.hint("give a newer extract; to plan again, give it under a later name"))
}

fn unchanged(before: &Facts, journal: &mut Journal) -> Result<u8, Failure> {
    let words = format!("the night of {} is published already: nothing has changed", before.night);
    journal.phase(Phase::Done);
    journal.says("unchanged", &words, json!({ "night": before.night, "run": before.run, "changed": false }));
    Ok(before.exit)
}

/// The sources with the published plan, and with what the ledger says people have decided.
fn after(
    sources: Sources,
    before: Option<&Facts>,
    decisions: &Decisions,
    nights: &Nights,
    extract: &Extract,
) -> Sources {
    let previous = before.map(|before| nights.folder(&before.night));
    let mut sources = sources.after(previous.as_deref());
    sources.overrides = decisions.file.clone().map(|mut file| {
        file.origin = nights.folder(&extract.night).join(decisions::FILE).display().to_string();
        file
    });
    sources
}
