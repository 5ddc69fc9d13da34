//! `labtriage identities`: keys of pseudonyms, and the store under a new key.

use std::path::Path;

use labtriage_core::time::Zone;
use labtriage_identity::{IdentityError, KeyRing, Rotated, Vault, new_identity};
use labtriage_ledger::{Address, Ledger, OwnedPseudonym};

use crate::args::{IdentitiesCommand, RotateArguments};
use crate::desk;
use crate::failure::Failure;
use crate::inputs::moment;
use crate::{secrets, terminal};

/// Does what was asked; returns the exit code.
pub(crate) fn identities(command: &IdentitiesCommand) -> Result<u8, Failure> {
    match command {
        IdentitiesCommand::Keys { id, out } => keys(id, out),
        IdentitiesCommand::Rotate(arguments) => rotate(arguments),
    }
}

fn keys(id: &str, out: &Path) -> Result<u8, Failure> {
    let io = |what, path: &Path| {
        let path = path.to_owned();
        move |source| IdentityError::Io { what, path, source }
    };
    std::fs::create_dir_all(out).map_err(io("create", out))?;
    let (secret, recipient) = new_identity();
    let recipient = format!("{recipient}\n");
    let line = KeyRing::new_line(id)?;
    let files = [("pseudonym.keys", line.as_str()), ("store.secret", &secret), ("store.recipients", &recipient)];
    for path in files.iter().map(|(name, _)| out.join(name)) {
        if path.symlink_metadata().is_ok() {
            // A key that is written over is a store that nobody opens any more.
            return Err(io("write", &path)(std::io::ErrorKind::AlreadyExists.into()).into());
        }
    }
    for (name, text) in files {
        secrets::write(&out.join(name), text.as_bytes())?;
    }
    let place = out.display();
    terminal::words(&format!(
        "{place}/pseudonym.keys makes pseudonyms: for the import only\n\
         {place}/store.recipients locks the store: for the import, no secret\n\
         {place}/store.secret opens the store: keep it away from the planner, and keep a copy in a safe place"
    ));
    Ok(0)
}

fn rotate(arguments: &RotateArguments) -> Result<u8, Failure> {
    let ring = secrets::keys(&arguments.keys)?;
    let hint = "give `--unlock FILE` with the store's age secret, or set LABTRIAGE_STORE_PASSPHRASE";
    let unlock = secrets::unlock(&arguments.unlock, hint)?;
    let lock = secrets::lock(&arguments.lock)?;
    let store = secrets::hold(&arguments.store)?;
    let mut vault = Vault::open(&store.path, &unlock)?;
    let rotated = vault.rotate(&ring, arguments.forget_old);
    // First the ledger: a pseudonym that it knows and nobody has does no harm, and a second rotation tells it again.
    let told = match (&arguments.record.ledger, &arguments.record.by) {
        (Some(address), Some(by)) => {
            let mut ledger = Ledger::open(&Address::parse(address)?)?;
            let zone = desk::zone(ledger.codes()?.as_ref(), Zone::LONDON);
            let at = moment(arguments.now.as_deref(), zone)?;
            ledger.write(at, |writer| writer.renamed(&of_ledger(&rotated), by.trim()))?;
            true
        }
        _ => false,
    };
    secrets::write(&store.path, &vault.sealed(&lock)?)?;
    let (all, id, new) = (vault.len(), ring.writing_id(), rotated.new);
    terminal::words(&format!("{new} of {all} persons have a new pseudonym, under key {id}"));
    if !told {
        terminal::words("no ledger was told: what it holds under old pseudonyms is not found under new ones");
    }
    Ok(0)
}

fn of_ledger(rotated: &Rotated) -> Vec<(OwnedPseudonym, OwnedPseudonym)> {
    let pair = |(before, now): &(_, _)| (of_identity(before), of_identity(now));
    rotated.renamed.iter().map(pair).collect()
}

fn of_identity(pseudonym: &labtriage_identity::OwnedPseudonym) -> OwnedPseudonym {
    OwnedPseudonym::new(pseudonym.expose())
}
