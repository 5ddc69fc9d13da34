//! `labtriage ledger`: is what was recorded whole, and where is its copy?

use labtriage_core::time::Instant;
use labtriage_ledger::{Address, Head, Ledger, Vacuum, dump};
use serde_json::{Value, json};

use crate::args::{
    BackupArguments, LedgerArguments, LedgerCommand, OutputArguments, RestoreArguments, VacuumArguments,
    VerifyArguments,
};
use crate::failure::Failure;
use crate::terminal;

/// Does what is asked of the ledger; returns the exit code.
pub(crate) fn ledger(command: &LedgerCommand) -> Result<u8, Failure> {
    match command {
        LedgerCommand::Verify(arguments) => verify(arguments),
        LedgerCommand::Backup(arguments) => backup(arguments),
        LedgerCommand::Restore(arguments) => restore(arguments),
        LedgerCommand::Vacuum(arguments) => vacuum(arguments),
    }
}

fn verify(arguments: &VerifyArguments) -> Result<u8, Failure> {
    let verified = open(&arguments.ledger)?.verify(arguments.anchor.clone())?;
    let (head, dropped, present) = (&verified.head, verified.dropped, verified.present);
    show(
        &arguments.ledger.output,
        &format!(
            "the chain of {} entries holds, and {present} present states follow from it; {dropped} bodies were dropped by vacuums",
            head.seq
        ),
        head,
        &json!({ "entries": head.seq, "present": present, "dropped": dropped }),
    );
    Ok(0)
}

fn backup(arguments: &BackupArguments) -> Result<u8, Failure> {
    let head = open(&arguments.ledger)?.backup(&arguments.out)?;
    let words = format!("{} entries are saved in {}", head.seq, arguments.out.display());
    show(&arguments.ledger.output, &words, &head, &json!({ "entries": head.seq }));
    Ok(0)
}

fn restore(arguments: &RestoreArguments) -> Result<u8, Failure> {
    let address = Address::parse(&arguments.ledger.ledger)?;
    let verified = dump::restore(&arguments.backup, &address)?;
    let head = &verified.head;
    let words = format!("{} entries are restored and verified in {address}", head.seq);
    show(&arguments.ledger.output, &words, head, &json!({ "entries": head.seq, "present": verified.present }));
    Ok(0)
}

fn vacuum(arguments: &VacuumArguments) -> Result<u8, Failure> {
    let now = Instant::from_utc(std::time::SystemTime::now().into())
        .ok_or_else(|| Failure::Bug("the clock is outside the years 1970 ± 4000".to_owned()))?;
    let mut ledger = open(&arguments.ledger)?;
    let Vacuum { dropped, room_kept } = ledger.vacuum(arguments.before, now, &arguments.by)?;
    if let Some(error) = room_kept {
        terminal::words(&format!("their room is not free yet: {} {error}", error.code().text()));
        terminal::words("  hint: they are forgotten all the same; the next vacuum frees the room");
    }
    let words = format!("{dropped} bodies of entries before {} were dropped", arguments.before);
    show(&arguments.ledger.output, &words, &ledger.head()?, &json!({ "dropped": dropped }));
    Ok(0)
}

fn open(arguments: &LedgerArguments) -> Result<Ledger, Failure> {
    Ok(Ledger::open(&Address::parse(&arguments.ledger)?)?)
}

/// What was done, and the head to write down: it proves later that nothing was cut off.
fn show(output: &OutputArguments, words: &str, head: &Head, data: &Value) {
    let head = format!("{}:{}", head.seq, head.digest);
    if output.json {
        let mut data = data.clone();
        data["head"] = Value::String(head);
        terminal::data(&format!("{data}\n"));
    } else if !output.quiet {
        terminal::data(&format!("{words}\nhead {head}\n"));
    }
}
