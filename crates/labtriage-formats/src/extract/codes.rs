//! What do the codes of an extract stand for? Looked up in tables that are built once.

use std::cell::RefCell;

use labtriage_core::catalogue::Condition;
use labtriage_core::finding::{Code, Finding, nearest};
use labtriage_core::flags::FlagSet;
use labtriage_core::table::{BandIx, RequesterIx, SiteIx, SpecimenIx, TestIx};
use rustc_hash::FxHashMap;

use super::Context;
use super::shown::{may_be_shown, shown};
use crate::import::{CodeKind, Import};

/// So many different unknown codes of a kind are looked at for what may have been meant.
const HINTS_MAX: usize = 500;

/// One kind of code.
#[derive(Debug)]
pub(crate) struct Lookup<T> {
    what: &'static str,
    known: FxHashMap<Box<str>, T>,
    /// The same codes in order, for hints.
    names: Vec<Box<str>>,
    said: RefCell<FxHashMap<Box<str>, Box<str>>>,
}

impl<T: Copy> Lookup<T> {
    /// Our codes and the laboratory's; its mappings to what we do not have become findings.
    fn new<'a>(
        kind: CodeKind,
        ours: impl Iterator<Item = (&'a str, T)>,
        import: &Import,
        findings: &mut Vec<Finding>,
    ) -> Self {
        let (names, values): (Vec<&str>, Vec<T>) = ours.unzip();
        let by_name: FxHashMap<&str, T> = names.iter().copied().zip(values).collect();
        let mut known: FxHashMap<Box<str>, T> = by_name.iter().map(|(&name, &value)| (name.into(), value)).collect();
        let mut all: Vec<Box<str>> = names.iter().map(|&name| name.into()).collect();
        for mapped in import.mapped(kind) {
            if let Some(&value) = by_name.get(mapped.ours.as_str()) {
                known.insert(mapped.theirs.as_str().into(), value);
                all.push(mapped.theirs.as_str().into());
                continue;
            }
            let message = format!("{} `{}` is not one of ours", kind.word(), mapped.ours);
            let finding = Finding::new(Code::UnknownReference, message).at(import.name(), mapped.line, mapped.column);
            findings.push(match nearest(&mapped.ours, names.iter().copied()) {
                Some(near) => finding.hint(format!("did you mean `{near}`?")),
                None => finding,
            });
        }
        Self { what: kind.word(), known, names: all, said: RefCell::default() }
    }

    pub(crate) fn find(&self, code: &str) -> Option<T> {
        self.known.get(code).copied()
    }

    /// Words about a code that is not known.
    pub(crate) fn unknown(&self, code: &str) -> Box<str> {
        let mut said = self.said.borrow_mut();
        if let Some(words) = said.get(code) {
            return words.clone();
        }
        let plain = format!("unknown {} {}", self.what, shown(code));
        if said.len() >= HINTS_MAX {
            return plain.into();
        }
        let near = nearest(code, self.names.iter().map(|name| &**name)).filter(|_| may_be_shown(code));
        let words: Box<str> = near.map_or_else(|| plain.clone(), |near| format!("{plain}, perhaps `{near}`")).into();
        said.insert(code.into(), words.clone());
        words
    }
}

/// A flag of a row.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RowFlag {
    /// Of the policy's vocabulary.
    Clinical(FlagSet),
    /// The tube cannot be collected again.
    Irreplaceable,
}

/// Every kind of code, and which test can be done on which specimen.
#[derive(Debug)]
pub(crate) struct Codes {
    pub(crate) tests: Lookup<TestIx>,
    pub(crate) specimens: Lookup<SpecimenIx>,
    pub(crate) sites: Lookup<SiteIx>,
    pub(crate) requesters: Lookup<RequesterIx>,
    pub(crate) bands: Lookup<BandIx>,
    pub(crate) flags: Lookup<RowFlag>,
    pub(crate) conditions: Lookup<Condition>,
}

impl Codes {
    /// The tables of a context.
    ///
    /// # Errors
    /// A finding for each mapping of the import to a code that we do not have.
    pub(crate) fn new(context: &Context<'_>) -> Result<Self, Vec<Finding>> {
        let Context { import, catalogue, network, policy, .. } = *context;
        let mut findings = Vec::new();
        let tests = catalogue.tests.enumerate().map(|(index, test)| (test.code.as_str(), index));
        let specimens = catalogue.specimens.enumerate().map(|(index, specimen)| (specimen.code.as_str(), index));
        let sites = network.sites.enumerate().map(|(index, site)| (site.code.as_str(), index));
        let requesters = network.requesters.enumerate().map(|(index, requester)| (requester.ods.as_str(), index));
        let bands = policy.bands.enumerate().map(|(index, band)| (band.code.as_str(), index));
        let clinical =
            policy.flags.names().filter_map(|name| Some((name, RowFlag::Clinical(policy.flags.find(name)?))));
        let flags = clinical.chain([("irreplaceable", RowFlag::Irreplaceable)]);
        let conditions = Condition::ALL.into_iter().map(|condition| (condition.text(), condition));
        let codes = Self {
            tests: Lookup::new(CodeKind::Test, tests, import, &mut findings),
            specimens: Lookup::new(CodeKind::Specimen, specimens, import, &mut findings),
            sites: Lookup::new(CodeKind::Site, sites, import, &mut findings),
            requesters: Lookup::new(CodeKind::Requester, requesters, import, &mut findings),
            bands: Lookup::new(CodeKind::Band, bands, import, &mut findings),
            flags: Lookup::new(CodeKind::Flag, flags, import, &mut findings),
            conditions: Lookup::new(CodeKind::Condition, conditions, import, &mut findings),
        };
        findings.sort();
        if findings.is_empty() { Ok(codes) } else { Err(findings) }
    }
}
