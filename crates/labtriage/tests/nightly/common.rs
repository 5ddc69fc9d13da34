//! An inbox, a folder of plans and a ledger of a test's own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use labtriage_core::time::Instant;
use labtriage_ledger::records::{Published, Sample};
use labtriage_ledger::{Address, Ledger, LedgerError};
use sqlx::Connection;

const HEADER: &str = "accession,request,patient,requester,band,clinical_flags,requested_at,collected_at,received_at,\
                      separated_at,specimen,site,condition,history,volume_ul,tests,sample_flags\n";

/// A sound tube of a patient of its own, by number.
pub(crate) fn sound(n: usize) -> String {
    format!(
        "A{n},R{n},PT{n},Z00001,,symptomatic,2026-11-23T08:00,2026-11-23T09:00,2026-11-23T13:00,2026-11-23T14:00,\
         SST,HUB,refrigerated,,,UE;CRP,\n"
    )
}

/// A tube that is too old for its test: its patient is recalled.
pub(crate) fn too_old(n: usize) -> String {
    format!(
        "A{n},R{n},PT{n},Z00001,,monitoring_due,2026-11-18T08:00,2026-11-18T09:00,2026-11-18T13:00,,\
         EDTA,HUB,ambient,,,FBC,\n"
    )
}

/// The night of a minute after 20:00, as its folder is named.
pub(crate) fn night(minute: usize) -> String {
    format!("2026-11-23T{:02}{:02}", 20 + minute / 60, minute % 60)
}

/// The moment of that night; in November local time is UTC.
pub(crate) fn moment(minute: usize) -> Instant {
    let minutes = i32::try_from(minute).unwrap();
    // 2026-11-23T20:00Z.
    Instant::from_epoch_minutes(29_924_400 + minutes)
}

pub(crate) struct Bench {
    folder: tempfile::TempDir,
    /// As it is named on the command line.
    ledger: String,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with_ledger("lab.ledger".to_owned())
    }

    /// With a ledger in a schema of its own on a PostgreSQL server; the schema is left there: the gate counts them.
    pub(crate) fn on_server(server: &str, test: &str) -> Self {
        let schema = format!("labtriage_test_nightly_{test}_{}", std::process::id());
        sqlx::any::install_default_drivers();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut connection = sqlx::AnyConnection::connect(server).await.unwrap();
            let create = sqlx::AssertSqlSafe(format!("CREATE SCHEMA {schema}"));
            sqlx::raw_sql(create).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        });
        let separator = if server.contains('?') { '&' } else { '?' };
        Self::with_ledger(format!("{server}{separator}options=-c%20search_path%3D{schema}"))
    }

    fn with_ledger(ledger: String) -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap(), ledger };
        fs::create_dir(bench.path("inbox")).unwrap();
        bench
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts an extract into the inbox, without its manifest.
    pub(crate) fn unsealed(&self, minute: usize, rows: &[String]) -> PathBuf {
        let folder = self.path("inbox").join(night(minute));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("backlog.csv"), format!("{HEADER}{}", rows.concat())).unwrap();
        let now = format!("2026-11-23 {:02}:{:02}", 20 + minute / 60, minute % 60);
        fs::write(folder.join("scenario.toml"), format!("name = \"test\"\nnow = \"{now}\"\n")).unwrap();
        folder
    }

    /// Seals an extract.
    pub(crate) fn seal(&self, folder: &Path) {
        let run = self.command(&["manifest", folder.to_str().unwrap()]).output().unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    }

    /// Puts a whole extract into the inbox.
    pub(crate) fn extract(&self, minute: usize, rows: &[String]) -> PathBuf {
        let folder = self.unsealed(minute, rows);
        self.seal(&folder);
        folder
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_labtriage"));
        command.args(arguments).current_dir(self.folder.path());
        command
    }

    fn nightly(&self, more: &[&str]) -> Command {
        let mut command = self.command(&["nightly", "--inbox", "inbox", "--rule", "band-edf"]);
        for [option, value] in [["--out", "plans"], ["--ledger", &self.ledger]] {
            if !more.contains(&option) {
                command.args([option, value]);
            }
        }
        command.args(more);
        command
    }

    /// Runs a night to its end: exit code and words.
    pub(crate) fn run(&self, more: &[&str]) -> (i32, String) {
        let Output { status, stderr, .. } = self.nightly(more).output().unwrap();
        (status.code().unwrap(), String::from_utf8_lossy(&stderr).into_owned())
    }

    /// Begins a night, to be killed.
    pub(crate) fn spawn(&self) -> Child {
        self.nightly(&[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Waits for a night to be planned and written, which somebody else keeps from being recorded.
    pub(crate) fn wait_until_prepared(&self, minute: usize) {
        let prepared = self.path("plans").join(format!(".{}.prepared", night(minute)));
        let since = std::time::Instant::now();
        while !prepared.exists() {
            assert!(since.elapsed().as_secs() < 60, "the night was not prepared");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }

    /// Begins a night and kills it once a phase is over.
    #[track_caller]
    pub(crate) fn killed_after(&self, phase: &str) {
        let mut child = self.nightly(&["--log", "json"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let over = format!("\"phase\":\"{phase}\"");
        let said = BufReader::new(child.stderr.take().unwrap());
        let seen = said.lines().any(|line| line.is_ok_and(|line| line.contains(&over)));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(seen, "the phase `{phase}` never ended");
    }

    #[track_caller]
    pub(crate) fn check_published(&self, minute: usize) {
        let (code, words) = self.run(&[]);
        assert!(matches!(code, 0 | 1), "{words}");
        assert_eq!(self.current(), night(minute));
    }

    #[track_caller]
    pub(crate) fn check_refused(&self, more: &[&str], expected: &str) {
        let before = self.everything();
        let (code, words) = self.run(more);
        assert_eq!(code, 2, "{words}");
        assert!(words.contains(expected), "expected {expected}: {words}");
        assert_eq!(self.everything(), before, "a refused night has changed something");
    }

    /// The night that `current` points to.
    pub(crate) fn current(&self) -> String {
        let facts: serde_json::Value =
            serde_json::from_slice(&fs::read(self.path("plans/current/night.json")).unwrap()).unwrap();
        facts["night"].as_str().unwrap().to_owned()
    }

    /// Every published file, with its bytes, but for the health file.
    pub(crate) fn everything(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        let mut open = vec![self.path("plans")];
        while let Some(next) = open.pop() {
            let Ok(entries) = fs::read_dir(next) else { continue };
            for path in entries.map(|entry| entry.unwrap().path()) {
                if path.file_name().is_some_and(|name| name == "health.json" || name == ".nightly.lock") {
                    continue;
                }
                if path.is_dir() && !path.is_symlink() {
                    open.push(path);
                } else if let Ok(bytes) = fs::read(&path) {
                    found.insert(path, bytes);
                }
            }
        }
        found
    }

    pub(crate) fn health(&self) -> serde_json::Value {
        serde_json::from_slice(&fs::read(self.path("plans/health.json")).unwrap()).unwrap()
    }

    pub(crate) fn ledger(&self) -> Ledger {
        let address = match Address::parse(&self.ledger).unwrap() {
            Address::File(file) => Address::File(self.folder.path().join(file)),
            server @ Address::Postgres(_) => server,
        };
        Ledger::open(&address).unwrap()
    }

    pub(crate) fn sample(&self, accession: &str) -> Sample {
        self.ledger().sample(accession).unwrap().unwrap().record
    }

    /// The ledger is whole, knows these samples and no other, each once, and each of these nights once.
    #[track_caller]
    pub(crate) fn check_ledger(&self, samples: &BTreeSet<String>, nights: usize) {
        let mut ledger = self.ledger();
        ledger.verify(None).unwrap();
        let mut found = Vec::new();
        let read: Result<(), LedgerError> = ledger.each_sample(|known| {
            found.push(known.record.accession);
            Ok(())
        });
        read.unwrap();
        found.sort();
        assert_eq!(found, samples.iter().cloned().collect::<Vec<_>>());
        assert_eq!(ledger.runs().unwrap().len(), nights);
        assert_eq!(ledger.history::<Published>("plan").unwrap().len(), nights);
    }
}
