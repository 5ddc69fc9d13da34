//! `labtriage recalls export`: each practice's own list, with the identities of its patients.

use std::collections::BTreeMap;
use std::io::Write;

use labtriage_core::audit::audit;
use labtriage_core::duplicates::mark_resulted;
use labtriage_core::finding::{Code, Finding};
use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::{Ix, RequesterIx};
use labtriage_core::time::Instant;
use labtriage_formats::digest::{of_bytes, of_file};
use labtriage_formats::outputs::{FolderKind, OutputError, OutputFolder, file_names, write_left_out};
use labtriage_formats::plan_json;
use labtriage_formats::recalls::exported::ExportedList;
use labtriage_formats::recalls::profile::{Contact, Profile, list};
use labtriage_formats::recalls::{LeftOut, LeftOutBecause, Notice, left_out, notices};
use labtriage_identity::{Lock, Name, Vault};
use serde_json::json;

use super::register::Register;
use super::{plan_folder, requester};
use crate::args::ExportArguments;
use crate::commands::check::{Opened, open};
use crate::failure::Failure;
use crate::inputs::{Now, Sources};
use crate::{secrets, terminal};

/// Exports recall lists; returns the exit code.
pub(super) fn export(arguments: &ExportArguments) -> Result<u8, Failure> {
    let mut register = Register::open(&arguments.record)?;
    let (folder, exported) = prepare(arguments, register.as_mut())?;
    // What leaves is registered before anybody can see it: a file that is out and not known must never be.
    if let Some(register) = &mut register {
        register.note(&exported)?;
    }
    folder.finish()?;
    show(arguments, &exported);
    Ok(0)
}

/// What leaves, and what does not.
pub(super) struct Exported {
    pub(super) snapshot: Snapshot,
    /// Digest of the plan file.
    pub(super) plan: String,
    /// When.
    pub(super) at: Instant,
    pub(super) lists: Vec<ExportedList>,
    left_out: Vec<LeftOut>,
}

/// Writes everything beside its place.
fn prepare(arguments: &ExportArguments, register: Option<&mut Register>) -> Result<(OutputFolder, Exported), Failure> {
    let hint = "give `--unlock FILE` with the store's age secret, or set LABTRIAGE_STORE_PASSPHRASE";
    let unlock = secrets::unlock(&arguments.unlock, hint)?;
    let Opened { header, night, plan } = open(&plan_folder(&arguments.plan))?;
    let snapshot = night.snapshot;
    let broken = audit(&snapshot, &plan);
    if !broken.is_empty() {
        return Err(Failure::Unlawful(broken));
    }
    let only = arguments.practice.as_deref().map(|ods| requester(&snapshot, ods)).transpose()?;
    let locks = locks(arguments, &snapshot)?;
    let sources = Sources::of_plan(&plan_folder(&arguments.plan), &header)?;
    let at = sources.now(&Now::Typed(arguments.now.as_deref()), snapshot.network.zone)?;
    let resulted = resulted(arguments, &snapshot, &sources, at)?;
    let vault = Vault::open(&arguments.store, &unlock)?;
    let wanted = |requester: RequesterIx| only.is_none_or(|only| only == requester);
    let all = notices(&snapshot, &plan, &resulted).into_iter().filter(|notice| wanted(notice.requester));
    let known = |notice: &Notice| vault.find(snapshot.backlog.pseudonym(notice.patient).expose()).is_some();
    let (mut called, unknown): (Vec<Notice>, Vec<Notice>) = all.partition(known);
    let mut others: Vec<_> =
        unknown.iter().flat_map(|notice| &notice.lines).map(|&line| (LeftOutBecause::NotInStore, line)).collect();
    let digest = plan_digest(arguments)?;
    if let Some(register) = register {
        others.extend(register.leave_out(&snapshot, &digest, at, &mut called)?);
    }
    let mut left = left_out(&snapshot, &plan, &resulted, &others);
    left.retain(|one| wanted(one.requester));
    let folder = OutputFolder::create(&arguments.out, FolderKind::RecallExport)?;
    let writer = Writer { arguments, snapshot: &snapshot, vault: &vault, locks: &locks, folder: &folder };
    let lists = writer.lists(&called)?;
    write_left_out(&folder, &snapshot, &left)?;
    Ok((folder, Exported { snapshot, plan: digest, at, lists, left_out: left }))
}

/// The digest of the plan file, by which its lists belong together.
fn plan_digest(arguments: &ExportArguments) -> Result<String, Failure> {
    let path = plan_folder(&arguments.plan).join(plan_json::FILE);
    of_file(&path).map_err(|error| {
        let finding = Finding::new(Code::FileUnreadable, format!("cannot read this plan: {}", error.kind()));
        finding.at(&path.display().to_string(), 0, 0).into()
    })
}

/// The marks of lines whose result has come since the plan was made.
fn resulted(
    arguments: &ExportArguments,
    snapshot: &Snapshot,
    sources: &Sources,
    at: Instant,
) -> Result<Vec<bool>, Failure> {
    let Some(path) = &arguments.results else { return Ok(Vec::new()) };
    let read = sources.results_at(path, snapshot, at)?;
    let name = path.display().to_string();
    // A row that cannot be read leaves a patient on the list whose result may be there.
    let aside: Vec<Finding> =
        read.quarantine.iter().flat_map(|row| row.findings_at(&name).collect::<Vec<_>>()).collect();
    terminal::findings(&aside);
    Ok(mark_resulted(&snapshot.catalogue, &snapshot.backlog, &read.rows).0)
}

/// A recipient with its text, by practice.
type Locks = BTreeMap<RequesterIx, (String, Lock)>;

/// Whose lists are locked. A practice that the network does not have is refused: with its code mistyped, a list would
/// leave unlocked.
fn locks(arguments: &ExportArguments, snapshot: &Snapshot) -> Result<Locks, Failure> {
    let mut pairs = arguments.recipient.clone();
    if let Some(path) = &arguments.recipients {
        let text = secrets::read(path, "read the recipients in")?;
        for (n, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let Some((ods, recipient)) = line.split_once(char::is_whitespace) else {
                let finding = Finding::new(Code::WrongValue, "this is no line `ODS age1…`");
                return Err(finding.at(&path.display().to_string(), u32::try_from(n + 1).unwrap_or(0), 0).into());
            };
            pairs.push((ods.to_owned(), recipient.trim().to_owned()));
        }
    }
    let mut locks = Locks::new();
    for (ods, recipient) in pairs {
        let lock = Lock::recipient(&recipient)?;
        if locks.insert(requester(snapshot, &ods)?, (recipient, lock)).is_some() {
            let message = format!("practice `{ods}` has two recipients, expected one");
            return Err(Finding::new(Code::DuplicateCode, message).into());
        }
    }
    Ok(locks)
}

/// Lists on their way into the folder.
struct Writer<'a> {
    arguments: &'a ExportArguments,
    snapshot: &'a Snapshot,
    vault: &'a Vault,
    locks: &'a Locks,
    folder: &'a OutputFolder,
}

impl Writer<'_> {
    /// One list per requester, of notices in order of requester.
    fn lists(&self, called: &[Notice]) -> Result<Vec<ExportedList>, Failure> {
        // All requesters are named, so that a file has the same name whoever is called.
        let requesters = &self.snapshot.network.requesters;
        let names = file_names(requesters.iter().map(|requester| requester.ods.as_str()));
        let groups = called.chunk_by(|a, b| a.requester == b.requester);
        groups.map(|group| self.list(group, &names[group[0].requester.row()])).collect()
    }

    fn list(&self, group: &[Notice], name: &str) -> Result<ExportedList, Failure> {
        let profile = self.arguments.profile.profile();
        let rows: Vec<(Contact<'_>, &Notice)> =
            group.iter().filter_map(|notice| Some((self.contact(notice)?, notice))).collect();
        let plain = list(profile, self.arguments.bom, self.snapshot, &rows);
        let requester = group[0].requester;
        let lock = self.locks.get(&requester);
        let path = format!("practices/{name}.csv{}", if lock.is_some() { ".age" } else { "" });
        let plain_digest = of_bytes(&plain);
        let bytes = match lock {
            Some((_, lock)) => lock.seal(&plain)?,
            None => plain,
        };
        let written = self.folder.file(&path)?.write_all(&bytes);
        written.map_err(|source| OutputError::Io { what: "write", path: path.clone().into(), source })?;
        let recipient = lock.map(|(recipient, _)| recipient.clone());
        let mut patients: Vec<_> = group.iter().map(|notice| notice.patient).collect();
        patients.sort_unstable();
        Ok(ExportedList { requester, path, profile, digest: of_bytes(&bytes), plain_digest, recipient, patients })
    }

    fn contact(&self, notice: &Notice) -> Option<Contact<'_>> {
        let person = self.vault.find(self.snapshot.backlog.pseudonym(notice.patient).expose())?;
        Some(Contact {
            nhs_number: person.nhs_number.expose_digits(),
            date_of_birth: person.date_of_birth.map(|date| date.expose_date()),
            name: person.name.as_ref().map_or("", Name::expose_text),
        })
    }
}

fn show(arguments: &ExportArguments, exported: &Exported) {
    if arguments.output.quiet {
        return;
    }
    let Exported { snapshot, lists, left_out, .. } = exported;
    let ods = |requester: RequesterIx| snapshot.network.requesters[requester].ods.as_str();
    if arguments.output.json {
        let lists: Vec<_> = lists
            .iter()
            .map(|one| {
                json!({ "practice": ods(one.requester), "file": one.path, "profile": one.profile.text(),
                    "sha256": one.digest, "plain_sha256": one.plain_digest, "recipient": one.recipient,
                    "patients": one.patients.len() })
            })
            .collect();
        terminal::data(&format!("{}\n", json!({ "lists": lists, "left_out": left_out.len() })));
    } else {
        for one in lists {
            let locked = if one.recipient.is_some() { ", locked for the practice" } else { "" };
            terminal::data(&format!(
                "{}: {} patients in {}{locked}\n",
                ods(one.requester),
                one.patients.len(),
                one.path
            ));
        }
        terminal::data(&format!("{} lists, {} requests left out\n", lists.len(), left_out.len()));
    }
    if lists.iter().any(|one| one.recipient.is_none()) && arguments.profile.profile() != Profile::Generic {
        terminal::words("a list of this profile says whom to call, not what to take: export `generic` too");
    }
    if arguments.record.ledger.is_none() {
        terminal::words("nothing was registered: without --ledger nobody can say later whom these files name");
    }
    terminal::words(&format!("the lists are in {}: they name patients", arguments.out.display()));
}
