//! A small laboratory for tests: an extract with identities, its plan, and a ledger that has recorded the plan.

#![expect(dead_code, reason = "not every test needs all of it")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use labtriage_core::time::{Instant, Minutes};
use labtriage_ledger::records::{Collected, Discard, HistoryStep, Limit, Line, Notice, RecallAction, Sample, Wanted};
use labtriage_ledger::states::{LineState, NoticeState, SampleState};
use labtriage_ledger::{Address, Ledger, LedgerError, OwnedPseudonym, Writer};

/// The moment of the plan, in UTC as in local time.
pub(crate) const NOW: &str = "2026-11-23T20:00";

const HEADER: &str = "accession,request,patient,requester,band,clinical_flags,requested_at,collected_at,received_at,\
                      separated_at,specimen,site,condition,history,volume_ul,tests,sample_flags,nhs_number,\
                      date_of_birth,name\n";

/// A tube to test, and four that are too old: two of Byron (one of them by another practice's laboratory day), two others.
const ROWS: &str = "\
A1,R1,,Z00001,,two_week_wait,2026-11-23T08:00,2026-11-23T09:00,2026-11-23T13:00,2026-11-23T14:00,SST,HUB,refrigerated,,,CRP,,943 476 5919,1950-02-28,\"BYRON, Ada\"
A3,R3,,Z00002,,monitoring_due,2026-11-10T08:00,2026-11-10T09:00,2026-11-10T13:00,,SST,HUB,refrigerated,,,UE,,972-771-0638,03/04/1961,Alan Turing
A4,R4,,Z00001,,monitoring_due,2026-11-10T08:00,2026-11-10T09:00,2026-11-10T13:00,,SST,HUB,refrigerated,,,UE,,9434765919,28/02/1950,Ada Byron
A5,R5,,Z00002,,monitoring_due,2026-11-10T08:00,2026-11-10T09:00,2026-11-10T13:00,,SST,HUB,refrigerated,,,UE,,0123456789,1948-12-05,\"=cmd|' /C calc'!A0 Hopper\"
";

/// Everything that a planted person may be found by, in small letters.
pub(crate) const PLANTED: [&str; 15] = [
    "9434765919",
    "943 476 5919",
    "1950-02-28",
    "28/02/1950",
    "byron",
    "9727710638",
    "972-771-0638",
    "972 771 0638",
    "1961-04-03",
    "turing",
    "0123456789",
    "012 345 6789",
    "1948-12-05",
    "hopper",
    "=cmd",
];

/// Nothing planted stands in these bytes.
#[track_caller]
pub(crate) fn silent(what: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).to_lowercase();
    for planted in PLANTED {
        assert!(!text.contains(planted), "{what} holds {planted:?}:\n{text}");
    }
}

/// Every file below a folder.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// A moment some minutes after the plan.
pub(crate) fn after(minutes: i32) -> Instant {
    Instant::from_utc("2026-11-23T20:00:00Z".parse().unwrap()).unwrap().plus(Minutes::new(minutes))
}

/// A folder with keys, an imported and planned night, and a ledger.
pub(crate) struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    /// With the plan's samples and recalls in the ledger.
    pub(crate) fn new() -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(bench.path("extract")).unwrap();
        bench.write("extract/backlog.csv", &format!("{HEADER}{ROWS}"));
        bench.write("extract/scenario.toml", "name = \"test\"\nnow = \"2026-11-23 20:00\"\n");
        bench.done("identities keys --out keys", 0);
        bench.done(
            "import extract --keys keys/pseudonym.keys --lock keys/store.recipients --store store.age --out tonight",
            0,
        );
        bench.done("plan tonight --quiet --rule band-edf", 0);
        let (samples, notices) = (bench.samples(), bench.notices());
        Ledger::create(&bench.address()).unwrap();
        bench.record(0, |writer| {
            writer.samples(samples)?;
            writer.notices(&notices)
        });
        bench
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.path(name)).unwrap()).into_owned()
    }

    pub(crate) fn address(&self) -> Address {
        Address::File(self.path("lab.ledger"))
    }

    pub(crate) fn ledger(&self) -> Ledger {
        Ledger::open(&self.address()).unwrap()
    }

    /// Records through the ledger's API, some minutes after the plan.
    pub(crate) fn record<T>(&self, minutes: i32, work: impl FnOnce(&mut Writer<'_>) -> Result<T, LedgerError>) -> T {
        self.ledger().write(after(minutes), work).unwrap()
    }

    /// Exit code, output and words; arguments are parted by blanks, `_` within one stands for a blank.
    pub(crate) fn run(&self, line: &str) -> (i32, String) {
        self.run_with(line, "")
    }

    /// The same with a text on standard input.
    pub(crate) fn run_with(&self, line: &str, input: &str) -> (i32, String) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_labtriage"))
            .args(line.split_whitespace().map(|word| word.replace('_', " ")))
            .env_remove("LABTRIAGE_PSEUDONYM_KEYS")
            .env_remove("LABTRIAGE_STORE_PASSPHRASE")
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A program that does not read its input has closed it.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let run = child.wait_with_output().unwrap();
        let text = [run.stdout, run.stderr].concat();
        (run.status.code().unwrap(), String::from_utf8_lossy(&text).into_owned())
    }

    /// A command that must end with this code.
    #[track_caller]
    pub(crate) fn done(&self, line: &str, expected: i32) -> String {
        let (code, text) = self.run(line);
        assert_eq!(code, expected, "{line}\n{text}");
        text
    }

    /// A command that must be refused with all of these words, and leave the ledger as it was.
    #[track_caller]
    pub(crate) fn refused(&self, line: &str, expected: &[&str]) -> String {
        let before = self.ledger().head().unwrap();
        let (code, text) = self.run(line);
        assert_eq!(code, 2, "{line}\n{text}");
        expected.iter().for_each(|words| assert!(text.contains(words), "{text:?} lacks {words:?}"));
        assert_eq!(self.ledger().head().unwrap(), before, "{line} recorded something");
        text
    }

    fn rows(&self, name: &str) -> Vec<BTreeMap<String, String>> {
        csv::Reader::from_path(self.path(name)).unwrap().deserialize().map(Result::unwrap).collect()
    }

    /// The plan's samples: those in `discards.csv` are proposed, all others wait.
    fn samples(&self) -> Vec<Sample> {
        let discards = self.rows("tonight/plan/discards.csv");
        let of = |row: BTreeMap<String, String>| {
            let discard = discards.iter().find(|discard| discard["accession"] == row["accession"]);
            let state = if discard.is_some() { LineState::Recalled } else { LineState::Waiting };
            Sample {
                accession: row["accession"].clone(),
                request: row["request"].clone(),
                patient: OwnedPseudonym::new(&row["patient"]),
                requester: row["requester"].clone(),
                specimen: row["specimen"].clone(),
                site: row["site"].clone(),
                band: "soon".to_owned(),
                state: if discard.is_some() { SampleState::DiscardProposed } else { SampleState::Waiting },
                irreplaceable: false,
                received: Some(after(-19_000)),
                because: None,
                lines: row["tests"].split(';').map(|test| Line::new(test, state)).collect(),
                discard: discard.map(|discard| Box::new(proposal(discard))),
            }
        };
        self.rows("tonight/backlog.csv").into_iter().map(of).collect()
    }

    /// The plan's recalls, from its lists.
    pub(crate) fn notices(&self) -> Vec<Notice> {
        let requests: BTreeMap<String, String> = self
            .rows("tonight/backlog.csv")
            .into_iter()
            .map(|row| (row["request"].clone(), row["accession"].clone()))
            .collect();
        let mut notices = Vec::new();
        for ods in ["Z00001", "Z00002"] {
            for row in self.rows(&format!("tonight/plan/recalls/{ods}.csv")) {
                let accession = requests[&row["requests"]].clone();
                notices.push(Notice {
                    id: format!("N-{}", row["requests"]),
                    patient: OwnedPseudonym::new(&row["patient"]),
                    requester: ods.to_owned(),
                    band: row["band"].clone(),
                    wanted: vec![Wanted { accession, test: "UE".to_owned(), specimen: "SST".to_owned() }],
                    book_by: None,
                    visit: None,
                    point: None,
                    reason: row["reason"].clone(),
                    state: NoticeState::Open,
                    answer: None,
                });
            }
        }
        notices
    }
}

fn proposal(row: &BTreeMap<String, String>) -> Discard {
    Discard {
        id: format!("D-{}", row["accession"]),
        run: "11".repeat(32),
        container: row["specimen"].clone(),
        collected: Collected { at: after(-19_380), assumed: row["collected_is"] == "assumed" },
        history: vec![HistoryStep { from: after(-19_380), state: "primary refrigerated".to_owned() }],
        limit: Some(Limit {
            test: row["limit_test"].clone(),
            state: row["limit_state"].clone(),
            minutes: 0,
            source: row["limit_sources"].clone(),
            catalogue: row["catalogue_version"].clone(),
        }),
        expired: Some(after(-19_380)),
        keep_until: Some(after(-15_000)),
        proposed: after(0),
        reason_code: row["reason_code (HL7 table 0490)"].clone(),
        reason: row["reason"].clone(),
        proposed_by: "system".to_owned(),
        override_id: None,
        recall: RecallAction::Required,
        decided_by: None,
        second: None,
        decided: None,
        decided_because: None,
        notified: None,
        notified_via: None,
        disposed: None,
        disposed_by: None,
        report_issued: false,
    }
}
