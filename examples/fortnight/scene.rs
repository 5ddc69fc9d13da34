//! Where does the fortnight take place? A folder, a ledger, and the program as it is run by hand.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use labtriage_ledger::{Address, Ledger};

/// The evening of 10 June 2024 is the first of so many.
pub(crate) const NIGHTS: u32 = 14;

/// The laboratory's folder, and the program.
pub(crate) struct Scene {
    pub(crate) folder: PathBuf,
    pub(crate) ledger: String,
    program: PathBuf,
}

impl Scene {
    pub(crate) fn new(folder: &Path, ledger: &str, program: &Path) -> Self {
        fs::create_dir_all(folder.join("inbox")).unwrap();
        Self { folder: folder.to_owned(), ledger: ledger.to_owned(), program: program.to_owned() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn open(&self) -> Ledger {
        Ledger::open(&Address::parse(&self.ledger).unwrap()).unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).current_dir(&self.folder);
        command
    }

    /// Runs the program; returns what it said and how it ended.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs the program, which must succeed; returns its data.
    pub(crate) fn data(&self, arguments: &[&str]) -> String {
        let done = self.run(arguments);
        assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    }

    fn nightly_arguments<'a>(&'a self, now: &'a str) -> [&'a str; 14] {
        let fixed = ["nightly", "--inbox", "inbox", "--out", "plans", "--rule", "band-edf", "--quiet", "--log", "json"];
        let [a, b, c, d, e, f, g, h, i, j] = fixed;
        [a, b, c, d, e, f, g, h, i, j, "--ledger", &self.ledger, "--now", now]
    }

    /// Plans a night; returns the exit code and what was said.
    pub(crate) fn nightly(&self, now: &str) -> (i32, String) {
        let done = self.run(&self.nightly_arguments(now));
        (done.status.code().unwrap_or(-1), String::from_utf8_lossy(&done.stderr).into_owned())
    }

    /// Plans a night, and kills it (`kill -9`) once a phase is over.
    pub(crate) fn nightly_killed_after(&self, now: &str, phase: &str) {
        let mut child = self.command(&self.nightly_arguments(now)).stderr(Stdio::piped()).spawn().unwrap();
        let over = format!("\"phase\":\"{phase}\"");
        let said = BufReader::new(child.stderr.take().unwrap());
        let seen = said.lines().any(|line| line.is_ok_and(|line| line.contains(&over)));
        child.kill().unwrap();
        let ended = child.wait().unwrap();
        assert!(seen, "the phase `{phase}` never ended");
        assert_eq!(ended.code(), None, "nightly had ended before it was killed");
    }

    /// The night that people work by.
    pub(crate) fn current(&self) -> Option<PathBuf> {
        fs::read_link(self.path("plans/current")).ok()
    }

    /// Number and digest of the ledger's last entry.
    pub(crate) fn head(&self) -> (i64, String) {
        let head = self.open().head().unwrap();
        (head.seq, head.digest)
    }
}

/// The day of a night or of the morning after it: `2024-06-10`.
pub(crate) fn day(night: u32) -> String {
    format!("2024-06-{:02}", 10 + night)
}

/// A night as its folder is named.
pub(crate) fn name(night: u32) -> String {
    format!("{}T2000", day(night))
}

/// A number that a text always has, below a limit: the dice of the fortnight.
pub(crate) fn dice(text: &str, below: u64) -> u64 {
    let mixed = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    (mixed >> 20) % below
}

/// The rows of a CSV, each by the names of its columns.
pub(crate) fn rows(path: &Path) -> Vec<std::collections::BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    reader.deserialize().map(Result::unwrap).collect()
}
