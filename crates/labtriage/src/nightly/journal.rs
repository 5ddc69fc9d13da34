//! What is a machine told of a night? Events on stderr, and a health file that says how the last one went.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use labtriage_core::finding::Code;
use labtriage_formats::outputs::{Readers, write_whole};
use serde_json::{Map, Value, json};

use super::nights::refused;
use crate::failure::Failure;
use crate::terminal;

/// How far a night is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// Taking the lock.
    Lock,
    /// Opening the ledger, and completing what a killed run has left.
    Complete,
    /// Choosing the extract, and checking it.
    Choose,
    /// Reading it.
    Read,
    /// Planning.
    Plan,
    /// Writing the hidden folder.
    Write,
    /// Recording in the ledger.
    Record,
    /// Putting the folder in its place.
    Publish,
    /// Nothing is left to do.
    Done,
}

impl Phase {
    /// The word in log and health file.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Lock => "lock",
            Self::Complete => "complete",
            Self::Choose => "choose",
            Self::Read => "read",
            Self::Plan => "plan",
            Self::Write => "write",
            Self::Record => "record",
            Self::Publish => "publish",
            Self::Done => "done",
        }
    }
}

/// What has happened so far.
#[derive(Debug)]
pub(crate) struct Journal {
    health: PathBuf,
    quiet: bool,
    phase: Phase,
    since: Instant,
    /// What the health file says beside how it ended.
    facts: Map<String, Value>,
}

impl Journal {
    pub(crate) fn new(health: PathBuf, quiet: bool) -> Self {
        Self { health, quiet, phase: Phase::Lock, since: Instant::now(), facts: Map::new() }
    }

    /// A phase begins; how long the one before took is logged.
    pub(crate) fn phase(&mut self, phase: Phase) {
        let seconds = self.since.elapsed().as_secs_f64();
        terminal::event(&json!({ "level": "info", "event": "phase", "phase": self.phase.text(), "seconds": seconds }));
        self.phase = phase;
        self.since = Instant::now();
    }

    /// Something worth a line; `facts` also go into the health file.
    pub(crate) fn says(&mut self, event: &str, words: &str, facts: Value) {
        let mut said = json!({ "level": "info", "event": event, "message": words });
        if let (Value::Object(facts), Value::Object(said)) = (facts, &mut said) {
            said.extend(facts.clone());
            self.facts.extend(facts);
        }
        if terminal::logs_json() {
            terminal::event(&said);
        } else if !self.quiet {
            terminal::words(words);
        }
    }

    /// Writes the health file: how it ended, and when it last ended well.
    pub(crate) fn close(&self, ended: &Result<u8, Failure>) -> Result<(), Failure> {
        let at = chrono::Utc::now().format("%Y-%m-%dT%H:%M:%SZ").to_string();
        let code = match ended {
            Ok(code) => *code,
            Err(failure) => failure.exit_code(),
        };
        let codes: Vec<&str> = ended.as_ref().err().map_or_else(Vec::new, codes);
        if codes.contains(&Code::NightBusy.text()) {
            // The one that holds the lock will say how it went.
            return Ok(());
        }
        let last_success = if ended.is_ok() { Value::String(at.clone()) } else { last_success(&self.health) };
        let mut health = json!({
            "status": if ended.is_ok() { "published" } else { "refused" },
            "code": code,
            "at": at,
            "last_success": last_success,
            "phase": self.phase.text(),
            "findings": codes,
        });
        if let Value::Object(health) = &mut health {
            health.extend(self.facts.clone());
        }
        let written = write_whole(&self.health, Readers::Anybody, format!("{health}\n").as_bytes());
        Ok(written.map_err(refused("write", &self.health))?)
    }
}

/// The codes of a failure, each once.
fn codes(failure: &Failure) -> Vec<&'static str> {
    let mut codes: Vec<&str> = match failure {
        Failure::Findings(findings) => findings.iter().map(|finding| finding.code.text()).collect(),
        Failure::Ledger(error) => vec![error.code().text()],
        _ => Vec::new(),
    };
    codes.sort_unstable();
    codes.dedup();
    codes
}

fn last_success(health: &Path) -> Value {
    let before = fs::read(health).ok().and_then(|read| serde_json::from_slice::<Value>(&read).ok());
    before.map_or(Value::Null, |before| before["last_success"].clone())
}
