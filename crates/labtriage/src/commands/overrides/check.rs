//! May this override be set? The shape that `overrides.toml` asks for, and what the ledger knows of the tubes.

use std::collections::BTreeMap;

use labtriage_core::finding::{Code, Finding};
use labtriage_core::nhs;
use labtriage_core::overrides::{Action, Override as Planned, Target};
use labtriage_core::policy::Policy;
use labtriage_core::table::BandIx;
use labtriage_ledger::records::{Override, Sample};
use labtriage_ledger::states::OverrideState;
use labtriage_ledger::{Ledger, LedgerError, Lookup};

use super::{in_force, read};
use crate::args::SetArguments;
use crate::desk::Desk;
use crate::failure::Failure;
use crate::inputs::moment;

/// The override that is asked for, with the next number.
///
/// # Errors
/// What is wrong with it, all at once: its shape, that the ledger knows no such tube, that it needs a second person,
/// that no analyser it names runs the test, or that it contradicts another one in force.
pub(super) fn checked(desk: &mut Desk, arguments: &SetArguments) -> Result<Override, Failure> {
    let decided = decided(desk, arguments)?;
    let planned = of_one(desk, &decided)?;
    let samples = samples(&mut desk.ledger, &planned)?;
    let mut findings: Vec<Finding> = judged(desk, &planned, &samples).collect();
    for other in in_force(&mut desk.ledger, desk.at)? {
        let known = of_one(desk, &other)?;
        if known.action.clashes(&planned.action, &desk.network) && meet(&mut desk.ledger, &known, &planned, &samples)? {
            let message = format!("a `{}` contradicts override {} (`{}`)", decided.action, other.id, other.action);
            findings.push(Finding::new(Code::OverrideImpossible, message).hint("end that one first"));
        }
    }
    if findings.is_empty() { Ok(decided) } else { Err(findings.into()) }
}

fn decided(desk: &mut Desk, arguments: &SetArguments) -> Result<Override, Failure> {
    let zone = desk.zone();
    let time = |option: &str, typed: &str| moment(Some(typed), zone).map_err(|_| no_time(option));
    let until = time("--until", &arguments.until)?;
    let run_by = arguments.run_by.as_deref().map(|typed| time("--run-by", typed)).transpose()?;
    Ok(Override {
        id: next_number(&mut desk.ledger)?,
        action: arguments.action.text().to_owned(),
        details: details(arguments, run_by.map(|by| by.to_string())),
        who: arguments.by.clone(),
        why: arguments.why.trim().to_owned(),
        second: arguments.second.clone(),
        set: desk.at,
        until,
        state: OverrideState::InForce,
        ended: None,
    })
}

fn no_time(option: &str) -> Failure {
    let finding = Finding::new(Code::WrongValue, format!("what `{option}` says is no time, or is in a clock change"));
    finding.hint("write 2024-06-10T20:00 or 2024-06-10T19:00Z").into()
}

/// Numbers are given once: two that are set at the same time cannot both have one.
fn next_number(ledger: &mut Ledger) -> Result<String, LedgerError> {
    let count = ledger.overrides(OverrideState::InForce)?.len() + ledger.overrides(OverrideState::Ended)?.len();
    Ok(format!("O-{}", count + 1))
}

/// By the keys of `overrides.toml`, in their order.
fn details(arguments: &SetArguments, run_by: Option<String>) -> Vec<(String, String)> {
    let texts = [
        ("accession", arguments.accession.clone()),
        ("analyser", arguments.analyser.clone()),
        ("band", arguments.band.clone()),
        ("by", run_by),
        ("caution", arguments.caution.clone()),
        ("lines_per_day", arguments.lines_per_day.map(|lines| lines.to_string())),
        ("request", arguments.request.clone()),
        ("requester", arguments.requester.clone()),
        ("site", arguments.site.clone()),
        ("test", arguments.test.clone()),
    ];
    texts.into_iter().filter_map(|(key, text)| Some((key.to_owned(), text?))).collect()
}

/// One override as the core plans with it.
fn of_one(desk: &Desk, decided: &Override) -> Result<Planned, Failure> {
    let found = read(desk, std::slice::from_ref(decided)).map_err(|failure| match failure {
        Failure::Findings(findings) => Failure::Findings(findings.into_iter().map(|one| typed(one, decided)).collect()),
        other => other,
    })?;
    found.into_iter().next().ok_or_else(|| Failure::Bug("an override has no words".to_owned()))
}

/// A finding about an override that was typed: no file and no line, but its number. What was typed may hold what must
/// not be repeated.
fn typed(mut finding: Finding, decided: &Override) -> Finding {
    finding.place = None;
    finding.message = format!("override {}: {}", decided.id, nhs::without(&finding.message));
    finding
}

/// The samples that an override is about, as the ledger knows them; none for a cap.
fn samples(ledger: &mut Ledger, planned: &Planned) -> Result<Vec<Sample>, Failure> {
    let Some((what, name, lookup)) = looked_up(&planned.target) else { return Ok(Vec::new()) };
    let found: Vec<Sample> = ledger.samples(&lookup, None)?.into_iter().map(|known| known.record).collect();
    if found.is_empty() { Err(LedgerError::Unknown { what, name }.into()) } else { Ok(found) }
}

fn looked_up(target: &Target) -> Option<(&'static str, String, Lookup)> {
    let accession = target.accession.clone().map(|name| ("sample", name.clone(), Lookup::Sample(name)));
    accession.or_else(|| target.request.clone().map(|name| ("request", name.clone(), Lookup::Request(name))))
}

/// What is wrong with an override for the samples that it is about.
fn judged<'a>(desk: &'a Desk, planned: &'a Planned, samples: &'a [Sample]) -> impl Iterator<Item = Finding> + 'a {
    let bands = bands(&desk.policy);
    let alone = !planned.has_second()
        && samples.iter().any(|sample| match bands.get(sample.band.as_str()) {
            Some(&band) => planned.needs_second(sample.irreplaceable, band),
            // Against a band that the policy does not know, nobody can say that this one is not lower.
            None => sample.irreplaceable || matches!(planned.action, Action::SetBand(_)),
        });
    let second = alone.then(|| {
        let message = format!("a `{}` of this kind needs a second person", planned.action.text());
        Finding::new(Code::SecondPersonMissing, message).hint("name a second, different person with `--second`")
    });
    let tests: std::collections::BTreeSet<&str> =
        samples.iter().flat_map(|sample| tests(desk, planned, sample)).collect();
    let elsewhere = tests.into_iter().map(|test| {
        let message = format!("test `{test}` cannot be run where this `{}` wants it", planned.action.text());
        Finding::new(Code::OverrideImpossible, message).hint("name a site or an analyser that has it on its menu")
    });
    second.into_iter().chain(elsewhere)
}

/// The tests of a sample that cannot be run where an override wants them.
fn tests<'a>(desk: &'a Desk, planned: &'a Planned, sample: &'a Sample) -> impl Iterator<Item = &'a str> {
    sample.lines.iter().filter_map(move |line| {
        let (test, _) = desk.catalogue.tests.enumerate().find(|(_, facts)| facts.code == line.test)?;
        let meant = planned.target.test.is_none_or(|only| only == test);
        (meant && !planned.action.can_run(test, &desk.network)).then_some(line.test.as_str())
    })
}

fn bands(policy: &Policy) -> BTreeMap<&str, BandIx> {
    policy.bands.enumerate().map(|(band, facts)| (facts.code.as_str(), band)).collect()
}

/// Whether two overrides are about one line.
fn meet(ledger: &mut Ledger, one: &Planned, other: &Planned, of_other: &[Sample]) -> Result<bool, LedgerError> {
    let whole = |planned: &Planned| planned.action.is_of_the_tube() || planned.target.test.is_none();
    let Some((_, _, lookup)) = looked_up(&one.target) else { return Ok(false) };
    if !(whole(one) || whole(other) || one.target.test == other.target.test) {
        return Ok(false);
    }
    let of_one = ledger.samples(&lookup, None)?;
    Ok(of_one.iter().any(|known| of_other.iter().any(|sample| sample.accession == known.record.accession)))
}
