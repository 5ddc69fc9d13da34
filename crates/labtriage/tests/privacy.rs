//! Does an identity ever leave where it must not? Planted in every input, and looked for in everything else.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Everything that a planted person may be found by, in small letters.
const PLANTED: [&str; 27] = [
    "9434765919",
    "943 476 5919",
    "943-476-5919",
    "1950-02-28",
    "28/02/1950",
    "28.02.1950",
    "byron",
    "9727710638",
    "972 771 0638",
    "972-771-0638",
    "1961-04-03",
    "03/04/1961",
    "turing",
    "9434765918",
    "943 476 5918",
    "0123456789",
    "012 345 6789",
    "1948-12-05",
    "05/12/1948",
    "hopper",
    "9990000018",
    "1933-01-01",
    "1934-01-01",
    "lamarr",
    "=cmd",
    "9990000026",
    "ritchie",
];

const HEADER: &str = "accession,request,patient,requester,band,clinical_flags,requested_at,collected_at,received_at,\
                      separated_at,specimen,site,condition,history,volume_ul,tests,sample_flags,nhs_number,\
                      date_of_birth,name\n";

/// Good rows: two people of two practices to call back, one with a result, one to be tested, one without a number.
const GOOD: &str = "\
A1,R1,,Z00001,,two_week_wait,2026-11-23T08:00,2026-11-23T09:00,2026-11-23T13:00,2026-11-23T14:00,SST,HUB,refrigerated,,,UE;CRP,,943 476 5919,1950-02-28,\"BYRON, Ada\"
A3,R3,,Z00002,,monitoring_due,2026-11-18T08:00,2026-11-18T09:00,2026-11-18T13:00,,SST,HUB,refrigerated,,,UE;CRP,,972-771-0638,03/04/1961,Alan Turing
A4,R4,,Z00001,,monitoring_due,2026-11-18T08:00,2026-11-18T09:00,2026-11-18T13:00,,SST,HUB,refrigerated,,,UE;CRP,,9434765919,28/02/1950,Ada Byron
A5,R5,,Z00002,,monitoring_due,2026-11-18T08:00,2026-11-18T09:00,2026-11-18T13:00,,SST,HUB,refrigerated,,,UE;CRP,,0123456789,1948-12-05,\"=cmd|' /C calc'!A0 Hopper\"
A6,R6,,Z00002,,monitoring_due,2026-11-18T08:00,2026-11-18T09:00,2026-11-18T13:00,,SST,HUB,refrigerated,,,TSH,,972 771 0638,1961-04-03,TURING Alan
A7,R7,PTX,Z00002,,monitoring_due,2026-11-18T08:00,2026-11-18T09:00,2026-11-18T13:00,,SST,HUB,refrigerated,,,UE,,,,
";

/// Bad rows: a wrong check digit, an identity in each of three other columns, a row out of step, one that is not
/// UTF-8, and two people under one number.
const BAD: &[u8] = b"\
B1,RB1,,Z00001,,,2026-11-23T08:00,2026-11-23T09:00,2026-11-23T13:00,,EDTA,HUB,ambient,,,FBC,,943 476 5918,1950-02-28,Ada Byron
9434765919,RB2,,Z00001,,,2026-11-23T08:00,2026-11-23T09:00,2026-11-23T13:00,,EDTA,HUB,ambient,,,FBC,,9434765919,1950-02-28,Ada Byron
B3,RB3,,Z00001,,Ada Byron,2026-11-23T08:00,2026-11-23T09:00,2026-11-23T13:00,,EDTA,HUB,ambient,,,FBC,,9434765919,1950-02-28,Ada Byron
B4,RB4,,Z00001,,born 28.02.1950,2026-11-23T08:00,2026-11-23T09:00,2026-11-23T13:00,,EDTA,HUB,ambient,,,FBC,,9434765919,1950-02-28,Ada Byron
Ada Byron,RB5,9434765919,1950-02-28
B6\xff,RB6,,Z00001,,,2026-11-23T08:00,2026-11-23T09:00,2026-11-23T13:00,,EDTA,HUB,ambient,,,FBC,,9434765919,1950-02-28,Ada Byron
B7,RB7,,Z00001,,,2026-11-23T08:00,2026-11-23T09:00,2026-11-23T13:00,,EDTA,HUB,ambient,,,FBC,,9990000018,1933-01-01,Hedy Lamarr
B8,RB8,,Z00001,,,2026-11-23T08:00,2026-11-23T09:00,2026-11-23T13:00,,EDTA,HUB,ambient,,,FBC,,9990000018,1934-01-01,Hedy Lamarr
B9,RB9,Dennis Ritchie,Z00001,,,2026-11-23T08:00,2026-11-23T09:00,2026-11-23T13:00,,EDTA,HUB,ambient,,,FBC,,,,Ritchie Dennis
\"9990000026 Ritchie
";

const RESULTS: &str = "accession,patient,test,resulted_at,nhs_number,date_of_birth,name
A6,,TSH,2026-11-23T12:00,972 771 0638,1961-04-03,Alan Turing
,,TSH,2026-11-23T12:00,943 476 5918,1950-02-28,Ada Byron
";

const OVERRIDES: &str = "[[override]]
accession = \"A1\"
action = \"hold\"
who = \"manager\"
why = \"Ada Byron (943 476 5919, born 28/02/1950) rang, NHS9727710638\"
until = \"2026-11-28T09:00\"
";

struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    /// A folder with an extract, new keys, and nothing else.
    fn new() -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(bench.path("extract")).unwrap();
        let backlog = [HEADER.as_bytes(), GOOD.as_bytes(), BAD].concat();
        bench.write("extract/backlog.csv", &backlog);
        bench.write("extract/results.csv", RESULTS.as_bytes());
        bench.write("extract/overrides.toml", OVERRIDES.as_bytes());
        bench.write("extract/scenario.toml", b"name = \"test\"\nnow = \"2026-11-23 20:00\"\n");
        bench.done("identities keys --out keys");
        bench
    }

    /// The same, imported and planned.
    fn planned() -> Self {
        let bench = Self::new();
        bench.done(&format!("{IMPORT} --out tonight"));
        bench.done("plan tonight --quiet");
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    fn read(&self, name: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.path(name)).unwrap()).into_owned()
    }

    /// Exit code, output and words of a command of words without blanks.
    fn run(&self, line: &str) -> (i32, String) {
        self.run_with(line, &[])
    }

    /// The same with these variables in the environment.
    fn run_with(&self, line: &str, variables: &[(&str, &str)]) -> (i32, String) {
        let run = Command::new(env!("CARGO_BIN_EXE_labtriage"))
            .args(line.split_whitespace())
            .env_remove("LABTRIAGE_PSEUDONYM_KEYS")
            .env_remove("LABTRIAGE_STORE_PASSPHRASE")
            .envs(variables.iter().copied())
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        let text = [run.stdout, run.stderr].concat();
        (run.status.code().unwrap(), String::from_utf8_lossy(&text).into_owned())
    }

    /// A command that must do its work.
    fn done(&self, line: &str) -> String {
        let (code, text) = self.run(line);
        assert!(code <= 1, "{line}: {code}\n{text}");
        text
    }

    /// A command that must be refused with these words.
    fn refused(&self, line: &str, expected: &str) {
        let (code, text) = self.run(line);
        assert_eq!(code, 2, "{line}\n{text}");
        assert!(text.contains(expected), "{text:?} lacks {expected:?}");
        silent(line, text.as_bytes());
    }
}

const IMPORT: &str =
    "import extract --keys keys/pseudonym.keys --lock keys/store.recipients --store store.age --max-quarantine 100";
const EXPORT: &str = "recalls export --plan tonight/plan --store store.age --unlock keys/store.secret";

/// Nothing planted stands in these bytes.
fn silent(what: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).to_lowercase();
    for planted in PLANTED {
        assert!(!text.contains(planted), "{what} holds {planted:?}:\n{text}");
    }
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn what_is_planted_is_in_the_exports_and_nowhere_else() {
    let bench = Bench::new();
    let mut said = vec![
        bench.done(&format!("{IMPORT} --out tonight")),
        bench.done("plan tonight"),
        bench.done("plan tonight --json --rule edf --out greedy"),
        bench.done("check tonight"),
        bench.done("check --plan tonight/plan"),
    ];
    for accession in ["A1", "A3", "A4", "A5", "A6", "R7"] {
        said.push(bench.done(&format!("explain {accession} --plan tonight/plan")));
        said.push(bench.done(&format!("explain {accession} --plan tonight/plan --json")));
    }
    for profile in ["generic", "accurx-emis", "accurx-systmone", "no-header"] {
        said.push(bench.done(&format!("{EXPORT} --all --profile {profile} --out exports/{profile}")));
        said.push(bench.done(&format!("{EXPORT} --all --profile {profile} --json --out exports/{profile}-json")));
    }
    let back = "nhs_number,name,answer,answer_day\n943 476 5919,Ada Byron,booked,2026-11-25\n943 476 5918,Ada Byron,done,28/02/1950\n";
    bench.write("back.csv", back.as_bytes());
    let acknowledge = "recalls acknowledge back.csv --plan tonight/plan --practice Z00001 --keys keys/pseudonym.keys";
    said.push(bench.done(&format!("{acknowledge} --now 2026-11-24T09:00 --rejects rejects.csv")));
    said.push(bench.done(&format!("{acknowledge} --now 2026-11-24T09:00 --json")));
    said.push(bench.run("plan extract").1);
    said.push(bench.run("check extract").1);
    for text in &said {
        silent("what was printed", text.as_bytes());
    }
    let inputs = [bench.path("extract"), bench.path("back.csv")];
    let mut looked_at = 0;
    let mut exported = String::new();
    for path in files(bench.folder.path()) {
        let bytes = fs::read(&path).unwrap();
        if path.components().any(|part| part.as_os_str() == "practices") {
            exported.push_str(&String::from_utf8(bytes).unwrap().to_lowercase());
        } else if !inputs.iter().any(|input| path.starts_with(input)) {
            silent(&path.display().to_string(), &bytes);
            looked_at += 1;
        }
    }
    assert!(looked_at > 30, "only {looked_at} files were looked at");
    // What is looked for can be found: it stands where it belongs.
    for planted in
        ["943 476 5919", "9434765919", "9727710638", "0123456789", "28/02/1950", "1961-04-03", "byron", "hopper"]
    {
        assert!(exported.contains(planted), "{planted} is on no list:\n{exported}");
    }
}

#[test]
fn every_row_is_written_or_set_aside_with_its_reason() {
    let bench = Bench::planned();
    let aside = bench.read("tonight/import-quarantine.csv");
    let codes: Vec<&str> = aside.lines().skip(1).map(|row| row.split(',').nth(3).unwrap()).collect();
    assert_eq!(
        codes,
        ["B033", "B036", "B036", "B036", "B006", "B004", "B035", "B035", "B036", "B006", "B033"],
        "{aside}"
    );
    let backlog = bench.read("tonight/backlog.csv");
    let accessions: Vec<&str> = backlog.lines().skip(1).map(|row| row.split(',').next().unwrap()).collect();
    assert_eq!(accessions, ["A1", "A3", "A4", "A5", "A6", "A7"]);
    assert!(!backlog.contains("nhs_number"), "{backlog}");
    let pseudonym = |accession: &str| {
        let row = backlog.lines().find(|row| row.starts_with(accession)).unwrap();
        row.split(',').nth(2).unwrap().to_owned()
    };
    // Any spelling of a number is one patient; a row without a number keeps the pseudonym it has.
    assert_eq!(pseudonym("A1"), pseudonym("A4"));
    assert_eq!(pseudonym("A3"), pseudonym("A6"));
    assert_ne!(pseudonym("A1"), pseudonym("A3"));
    assert!(pseudonym("A1").starts_with("k1-"));
    assert_eq!(pseudonym("A7"), "PTX");
    let results = bench.read("tonight/results.csv");
    assert_eq!(results.lines().count(), 2, "{results}");
    assert!(results.contains(&format!("A6,{}", pseudonym("A6"))), "{results}");
    let overrides = bench.read("tonight/overrides.toml");
    let why = "why = \"[taken out] ([number taken out], born [taken out]) rang, NHS[number taken out]\"";
    assert!(overrides.contains(why) && overrides.contains("until = \"2026-11-28T09:00\""), "{overrides}");
}

/// A row as it stands in an extract: its accession, and how it names its patient.
fn row(accession: &str, named: &str) -> String {
    let times = "2026-11-23T08:00,2026-11-23T09:00,2026-11-23T13:00,";
    format!("{accession},R{accession},,Z00001,,,{times},EDTA,HUB,ambient,,,FBC,,{named}\n")
}

#[test]
fn whoever_a_row_names_is_taken_out_of_the_decisions_whatever_became_of_the_row() {
    let bench = Bench::new();
    let mut backlog = format!("{HEADER}{}", row("A1", "9434765919,1950-02-28,Ada Byron")).into_bytes();
    backlog.extend(row("A2", "9727710638,1961-04-03,Alan Turing").bytes());
    backlog.extend(row("A3", "9727710638,1962-04-03,Turing Alan").bytes());
    backlog.extend(row("A4", "943 476 5918,1948-12-05,\"HOPPER, Grace Brewster\"").bytes());
    backlog.extend(b"A5,RA5,9990000018,1933-01-01,Hedy Lamarr\n");
    backlog.extend(row("A6", "9990000026,05/12/1944,Rose XDIAZ").replace('X', "\u{ff}").bytes().filter(|b| *b != 0xc3));
    let named = row("A7", ",1934-01-01,Dennis Ritchie").replace("RA7,", "RA7,PT7");
    backlog.extend(named.bytes());
    bench.write("extract/backlog.csv", &backlog);
    let results = "accession,patient,test,resulted_at,nhs_number,date_of_birth,name\n,,TSH,2026-11-23T12:00,0123456789,1912-06-23,Mary Seacole\n";
    bench.write("extract/results.csv", results.as_bytes());
    let decision = |accession: &str, why: &str, until: &str| {
        format!(
            "[[override]]\naccession = \"{accession}\"\naction = \"hold\"\nwho = \"M\"\nwhy = \"{why}\"\nuntil = \"{until}\"\n"
        )
    };
    let decisions = [
        decision("A1", "Turing, Alan (04/04/1961? 1962-04-03) or 9434765918", "2026-11-28T09:00"),
        decision("A9434765919", "Grace Brewster Hopper, Hedy Lamarr 01.01.1933", "1950-02-28T09:00"),
        decision(
            "A1234567881",
            "Dennis Ritchie 1 Jan 1934; Seacole Mary 23/06/1912; Rose \u{bf}Diaz",
            "2026-11-28T09:00",
        ),
        decision("A2", "rang 2026-11-23 12:30, A1, room 1234567882", "2026-11-28T09:00"),
    ];
    bench.write("extract/overrides.toml", decisions.concat().as_bytes());
    bench.done(&format!("{IMPORT} --out tonight"));
    let expected = [
        decision("A1", "[taken out] (04/04/1961? [taken out]) or [number taken out]", "2026-11-28T09:00"),
        decision("A[number taken out]", "[taken out], [taken out] [taken out]", "1950-02-28T09:00"),
        decision("A1234567881", "[taken out] [taken out]; [taken out] [taken out]; [taken out]", "2026-11-28T09:00"),
        decision("A2", "rang 2026-11-23 12:30, A1, room 1234567882", "2026-11-28T09:00"),
    ];
    assert_eq!(bench.read("tonight/overrides.toml"), expected.concat());
    // The store knows people of earlier nights.
    bench
        .write("extract/backlog.csv", format!("{HEADER}{}", row("B1", "9727710638,1961-04-03,Alan Turing")).as_bytes());
    bench.write("extract/overrides.toml", decision("B1", "as Ada Byron, NHS9434765919", "2026-11-28T09:00").as_bytes());
    bench.done(&format!("{IMPORT} --unlock keys/store.secret --out tomorrow"));
    let expected = decision("B1", "as [taken out], NHS[number taken out]", "2026-11-28T09:00");
    assert_eq!(bench.read("tomorrow/overrides.toml"), expected);
}

/// Accessions of ten digits that pass Modulus 11 read as NHS numbers.
#[test]
fn a_laboratory_whose_accessions_have_ten_digits_can_work() {
    let bench = Bench::new();
    fs::remove_file(bench.path("extract/overrides.toml")).unwrap();
    fs::remove_file(bench.path("extract/results.csv")).unwrap();
    let rows = [
        row("1234567881", "9434765919,1950-02-28,Ada Byron"),
        row("2406030024", "9434765919,1950-02-28,Ada Byron"),
        row("2406030016", "9434765919,1950-02-28,Ada Byron"),
        // Another patient's number is no accession, whatever the laboratory's look like.
        row("9434765919", "9727710638,1961-04-03,Alan Turing"),
        row("2406030025", "9434765919,1950-02-28,Ada Byron"),
        // Out of step: a code in it is nobody's number.
        "2406030025,2406030017,,\n".to_owned(),
    ];
    bench.write("extract/backlog.csv", format!("{HEADER}{}", rows.concat()).as_bytes());
    let words = bench.done(&format!("{IMPORT} --out strict"));
    assert!(words.contains("6 rows, 6 set aside"), "{words}");
    fs::remove_file(bench.path("store.age")).unwrap();
    bench.write("extract/import.toml", b"[file]\nten_digit_codes = true\n");
    fs::create_dir(bench.path("inbox")).unwrap();
    let words = bench.done(&format!("{IMPORT} --out inbox/2026-11-23"));
    assert!(words.contains("6 rows, 2 set aside"), "{words}");
    silent("the folder", bench.read("inbox/2026-11-23/backlog.csv").as_bytes());
    bench.done("manifest inbox/2026-11-23");
    // Two of the tubes are answered by the third: their accessions stand in reasons that the ledger records.
    bench.done("nightly --inbox inbox --out plans --ledger lab.ledger --rule band-edf");
    for accession in ["1234567881", "2406030024", "2406030016"] {
        let words = bench.done(&format!("status --ledger lab.ledger --sample {accession} --by B"));
        assert!(words.contains(accession), "{words}");
    }
    let (code, words) = bench.run("status --ledger lab.ledger --sample 9434765919 --by B");
    assert!(code == 2 && words.contains("L019"), "{words}");
    let hold = "overrides set --action hold --by B --why ask --until 2026-11-25T08:00 --ledger lab.ledger";
    bench.done(&format!("{hold} --accession 1234567881 --now 2026-11-23T21:00"));
}

#[test]
fn an_extract_that_names_patients_is_not_planned() {
    let bench = Bench::new();
    bench.refused("plan extract", "B002 column `nhs_number` names patients");
    bench.refused("plan extract", "hint: `labtriage import` makes pseudonyms");
    bench.refused("check extract", "B002");
    assert!(!bench.path("extract/plan").exists());
    let bare = GOOD.lines().map(|row| row.rsplitn(4, ',').last().unwrap()).collect::<Vec<_>>().join("\n");
    let header = HEADER.replace(",nhs_number,date_of_birth,name", "");
    bench.write("extract/backlog.csv", format!("{header}{bare}\n").as_bytes());
    bench.refused(&format!("{IMPORT} --out tonight"), "B003 missing column `nhs_number`");
    assert!(!bench.path("tonight").exists() && !bench.path("store.age").exists());
}

#[test]
fn a_date_of_birth_that_cannot_be_believed_costs_no_tube() {
    let bench = Bench::new();
    let row = GOOD.lines().nth(1).unwrap();
    let rows =
        [row.replace("03/04/1961", "03/04/2061"), row.replace("A3,R3", "A8,R8").replace("03/04/1961", "April 61")];
    bench.write("extract/backlog.csv", format!("{HEADER}{}\n", rows.join("\n")).as_bytes());
    let words = bench.done(&format!("{IMPORT} --out tonight"));
    assert!(words.contains("B034") && words.contains("(2 rows, the first:"), "{words}");
    assert!(words.contains("4 rows, 1 set aside, 1 persons"), "{words}");
    silent("the import", words.replace("2061", "").as_bytes());
}

#[test]
fn the_order_of_the_rows_changes_no_pseudonym_and_no_person() {
    let bench = Bench::new();
    let export = |name: &str| {
        bench.done(&format!("{IMPORT} --out {name}").replace("store.age", &format!("{name}.age")));
        bench.done(&format!("plan {name} --quiet --rule edf"));
        let lists = "recalls export --all --profile generic --unlock keys/store.secret";
        bench.done(&format!("{lists} --plan {name}/plan --store {name}.age --out {name}-lists"));
        [format!("{name}-lists/practices/Z00001.csv"), format!("{name}-lists/practices/Z00002.csv")]
            .map(|path| bench.read(&path))
    };
    let one = export("one");
    let mut rows: Vec<&str> = GOOD.lines().collect();
    rows.reverse();
    bench.write("extract/backlog.csv", format!("{HEADER}{}\n", rows.join("\n")).as_bytes());
    assert_eq!(export("other"), one);
}

#[test]
fn a_practice_gets_its_own_patients_and_what_is_left_out_is_said() {
    let bench = Bench::planned();
    let words = bench.done(&format!("{EXPORT} --practice Z00002 --profile generic --out one"));
    assert!(words.contains("Z00002: 2 patients in practices/Z00002.csv"), "{words}");
    assert_eq!(files(&bench.path("one/practices")).len(), 1);
    let list = bench.read("one/practices/Z00002.csv");
    assert!(list.contains("Alan Turing") && !list.contains("Byron"), "{list}");
    // No name runs in a spreadsheet, and no number loses its leading nought.
    assert!(list.contains("012 345 6789,'=cmd|' /C calc'!A0 Hopper,1948-12-05"), "{list}");
    let left = bench.read("one/left-out.csv");
    assert!(left.contains("Z00002,R6,"), "{left}");
    assert!(left.contains("a result was already there"), "{left}");
    assert!(left.contains("Z00002,R7,") && left.contains("the identity store does not know the patient"), "{left}");
    assert!(!left.contains("Z00001"), "{left}");
    // Who has a result by now is not called.
    bench.write("new.csv", b"accession,patient,test,resulted_at\nA5,,UE,2026-11-24T08:00\nA5,,TSX,2026-11-24T08:00\n");
    let newer = "--results new.csv --now 2026-11-24T09:00 --out two";
    let words = bench.done(&format!("{EXPORT} --practice Z00002 --profile generic {newer}"));
    assert!(words.contains("new.csv:3: B008"), "a row that was not read is named: {words}");
    let list = bench.read("two/practices/Z00002.csv");
    assert!(list.contains("Turing") && !list.contains("Hopper"), "{list}");
    let left = bench.read("two/left-out.csv");
    assert_eq!(left.matches("a result has come since the plan was made").count(), 1, "{left}");
}

#[test]
fn a_list_is_locked_for_its_practice_alone() {
    let bench = Bench::planned();
    bench.done("identities keys --id p --out practice");
    let recipient = bench.read("practice/store.recipients").trim().to_owned();
    bench.write("recipients.txt", format!("# practices\nZ00001 {recipient}\n").as_bytes());
    bench.done(&format!("{EXPORT} --all --profile generic --recipients recipients.txt --out lists"));
    let names: Vec<_> = files(&bench.path("lists/practices")).into_iter().collect();
    assert!(names.iter().any(|path| path.ends_with("Z00001.csv.age")), "{names:?}");
    assert!(names.iter().any(|path| path.ends_with("Z00002.csv")), "{names:?}");
    let locked = fs::read(bench.path("lists/practices/Z00001.csv.age")).unwrap();
    silent("a locked list", &locked);
    let opened = labtriage_identity::Unlock::from_file(&bench.path("practice/store.secret")).unwrap().open(&locked);
    assert!(String::from_utf8_lossy(&opened.unwrap()).contains("943 476 5919"));
    bench.refused(&format!("{EXPORT} --all --profile generic --recipient Z0001={recipient} --out x"), "did you mean");
    bench.refused(&format!("{EXPORT} --all --profile generic --recipient Z00001=age1x --out x"), "no age recipient");
    assert!(!bench.path("x").exists());
}

#[test]
fn wrong_missing_and_damaged_keys_and_stores_are_said_plainly() {
    let bench = Bench::planned();
    let export = |more: &str, expected: &str| {
        let line = format!("recalls export --plan tonight/plan --all --profile generic --out lists {more}");
        bench.refused(&line, expected);
        assert!(!bench.path("lists").exists());
    };
    bench.done("identities keys --out other");
    export("--store store.age", "nothing was given to unlock the identity store with");
    export("--store store.age --unlock other/store.secret", "it was locked for another");
    export("--store nowhere.age --unlock keys/store.secret", "cannot read the identity store `nowhere.age`");
    export("--store store.age --unlock keys/pseudonym.keys", "`keys/pseudonym.keys` holds no age identity");
    export("--store tonight/backlog.csv --unlock keys/store.secret", "this is no identity store");
    let whole = fs::read(bench.path("store.age")).unwrap();
    bench.write("cut.age", &whole[..whole.len() - 1]);
    export("--store cut.age --unlock keys/store.secret", "it was cut off or changed");
    let import = |line: &str, expected: &str| {
        bench.refused(&format!("import extract --out again {line}"), expected);
        assert!(!bench.path("again").exists());
    };
    import("--store new.age --lock keys/store.recipients", "there is no pseudonym key in `--keys`");
    import("--store new.age --keys keys/store.secret --lock keys/store.recipients", "is no pseudonym key");
    import("--store new.age --keys keys/pseudonym.keys", "nothing was given to lock the identity store with");
    import(
        "--store store.age --keys keys/pseudonym.keys --lock keys/store.recipients",
        "the store is there already: give `--unlock FILE`",
    );
    assert_eq!(fs::read(bench.path("store.age")).unwrap(), whole, "a refused import left the store as it was");
    bench.refused("identities keys --out keys", "cannot write `keys/pseudonym.keys`");
}

#[test]
fn keys_and_a_passphrase_may_stand_in_the_environment() {
    let bench = Bench::planned();
    let keys = bench.read("keys/pseudonym.keys");
    let variables = [("LABTRIAGE_PSEUDONYM_KEYS", keys.as_str()), ("LABTRIAGE_STORE_PASSPHRASE", "open sesame")];
    let import = "import extract --store other.age --max-quarantine 100 --out again";
    let (code, words) = bench.run_with(import, &variables);
    assert_eq!(code, 0, "{words}");
    assert_eq!(bench.read("again/backlog.csv"), bench.read("tonight/backlog.csv"));
    let export = "recalls export --plan tonight/plan --all --profile generic --store other.age --out lists";
    bench.refused(export, "nothing was given to unlock the identity store with");
    let (code, words) = bench.run_with(export, &[("LABTRIAGE_STORE_PASSPHRASE", "shut sesame")]);
    assert!(code == 2 && words.contains("it was locked for another") && !words.contains("sesame"), "{words}");
    let (code, words) = bench.run_with(export, &variables);
    assert!(code == 0 && bench.path("lists/practices/Z00001.csv").exists(), "{words}");
    let bad = [("LABTRIAGE_PSEUDONYM_KEYS", "k1 0123456789abcdef"), variables[1]];
    let (code, words) = bench.run_with(&import.replace("again", "bad").replace("other", "bad"), &bad);
    let expected = "line 1 of LABTRIAGE_PSEUDONYM_KEYS is no pseudonym key";
    assert!(code == 2 && words.contains(expected) && !words.contains("abcdef"), "{words}");
}

#[test]
fn after_a_rotation_an_old_plan_still_names_its_patients() {
    let bench = Bench::planned();
    bench.done(&format!("{EXPORT} --all --profile generic --out before"));
    bench.done("identities keys --id k2 --out new");
    let ring = format!("{}{}", bench.read("new/pseudonym.keys"), bench.read("keys/pseudonym.keys"));
    bench.write("ring.keys", ring.as_bytes());
    let rotate = "identities rotate --store store.age --unlock keys/store.secret --lock keys/store.recipients";
    let words = bench.done(&format!("{rotate} --keys ring.keys"));
    assert!(words.contains("3 of 3 persons have a new pseudonym, under key k2"), "{words}");
    bench.done(&format!("{EXPORT} --all --profile generic --out after"));
    for name in ["practices/Z00001.csv", "practices/Z00002.csv"] {
        assert_eq!(bench.read(&format!("before/{name}")), bench.read(&format!("after/{name}")));
    }
    // A new import writes under the new key, into the same store; both nights' plans name their patients.
    let import = IMPORT.replace("keys/pseudonym.keys", "ring.keys");
    bench.done(&format!("{import} --unlock keys/store.secret --out tomorrow"));
    assert!(bench.read("tomorrow/backlog.csv").contains("A1,R1,k2-"));
    bench.done("plan tomorrow --quiet");
    bench.done(&format!("{EXPORT} --all --profile generic --out again").replace("tonight", "tomorrow"));
    assert_eq!(bench.read("before/practices/Z00001.csv"), bench.read("again/practices/Z00001.csv"));
    bench.done(&format!("{rotate} --keys new/pseudonym.keys --forget-old"));
    bench.done(&format!("{EXPORT} --all --profile generic --out last"));
    assert!(!bench.path("last/practices").exists(), "a forgotten pseudonym named somebody");
}

/// A rotation gives everybody a new pseudonym; what the ledger holds under the old one goes on.
#[test]
fn after_a_rotation_answers_nights_and_questions_find_what_was_recorded_before() {
    let bench = Bench::new();
    fs::create_dir(bench.path("inbox")).unwrap();
    let nightly = "nightly --inbox inbox --out plans --ledger lab.ledger --rule band-edf --max-quarantine 100";
    bench.done(&format!("{IMPORT} --out inbox/2026-11-23"));
    bench.done("manifest inbox/2026-11-23");
    bench.done(nightly);
    let export = "recalls export --all --profile generic --store store.age --unlock keys/store.secret --ledger lab.ledger --by A";
    bench.done(&format!("{export} --plan plans/2026-11-23 --now 2026-11-23T21:00 --out lists"));
    let before = notices(&bench);
    // `PTX` is the extract's own pseudonym of somebody without a number, whom no key has named.
    let of_key = |patient: &str| patient.starts_with("k1-") || patient == "PTX";
    assert!(before.len() > 2 && before.iter().all(|(_, state, patient)| state == "open" && of_key(patient)));

    bench.done("identities keys --id k2 --out new");
    let ring = format!("{}{}", bench.read("new/pseudonym.keys"), bench.read("keys/pseudonym.keys"));
    bench.write("ring.keys", ring.as_bytes());
    let rotate = "identities rotate --store store.age --unlock keys/store.secret --lock keys/store.recipients";
    let told = bench.done(&format!("{rotate} --keys ring.keys --ledger lab.ledger --by A --now 2026-11-24T08:00"));
    assert!(told.contains("under key k2") && !told.contains("no ledger was told"), "{told}");
    let import = IMPORT.replace("keys/pseudonym.keys", "ring.keys");
    let later = b"name = \"test\"\nnow = \"2026-11-24 20:00\"\n";
    bench.write("extract/scenario.toml", later);
    bench.done(&format!("{import} --unlock keys/store.secret --out inbox/2026-11-24"));
    let backlog = bench.read("inbox/2026-11-24/backlog.csv");
    let row = backlog.lines().find(|row| row.starts_with("A3,")).unwrap();
    let turing = row.split(',').nth(2).unwrap().to_owned();
    assert!(turing.starts_with("k2-"), "{row}");
    // Before the next night, by the new pseudonym and by the old list.
    let status = bench.done(&format!("status --ledger lab.ledger --patient {turing} --by B"));
    assert!(status.contains("A3"), "{status}");
    let back = |answer: &str| bench.write("back.csv", format!("nhs_number,answer,answer_day\n{answer}\n").as_bytes());
    let acknowledge = "recalls acknowledge back.csv --practice Z00002 --keys ring.keys --ledger lab.ledger --by C";
    back("972 771 0638,booked,2026-11-26");
    let words = bench.done(&format!("{acknowledge} --plan plans/2026-11-23 --now 2026-11-24T09:00"));
    assert!(words.contains("1 answers recorded"), "{words}");

    bench.done("manifest inbox/2026-11-24");
    bench.done(nightly);
    let after = notices(&bench);
    let ids = |all: &[(String, String, String)]| all.iter().map(|(id, ..)| id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&after), ids(&before), "nobody is called a second time");
    assert_eq!(after.iter().filter(|(_, state, _)| state == "booked").count(), 1, "{after:?}");
    let called = bench.done(&format!("{export} --plan plans/2026-11-24 --now 2026-11-24T21:00 --out again"));
    assert!(called.contains("0 lists"), "{called}");
    assert!(bench.read("again/left-out.csv").contains("an earlier list has called"));
    // The new plan and the old one answer for the same notice.
    back("012 345 6789,declined,");
    for (plan, expected) in [("2026-11-23", "1 answers recorded, 0"), ("2026-11-24", "0 answers recorded, 1")] {
        let words = bench.done(&format!("{acknowledge} --plan plans/{plan} --now 2026-11-25T09:00"));
        assert!(words.contains(expected), "{plan}: {words}");
    }
    let old = before.iter().map(|(.., patient)| patient.as_str());
    for patient in old.chain([turing.as_str()]) {
        let status = bench.done(&format!("status --ledger lab.ledger --patient {patient} --by B"));
        assert!(status.contains("sample A"), "{status}");
    }
    // A practice sees what became of its own sample under both.
    let answer = bench.done("status --ledger lab.ledger --sample A5 --as-practice Z00002 --by B --json");
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    let history = answer["samples"][0]["history"].as_array().unwrap();
    assert!(history.len() > 1, "{answer}");
    bench.done("ledger verify --ledger lab.ledger");
}

/// Number, state and pseudonym of every notice, in order of number.
fn notices(bench: &Bench) -> Vec<(String, String, String)> {
    use labtriage_ledger::states::NoticeState;
    let mut ledger =
        labtriage_ledger::Ledger::open(&labtriage_ledger::Address::File(bench.path("lab.ledger"))).unwrap();
    let mut all = Vec::new();
    for &state in NoticeState::ALL {
        let found = ledger.notices(state, None).unwrap().into_iter().map(|known| known.record);
        all.extend(found.map(|one| (one.id, one.state.text().to_owned(), one.patient.expose().to_owned())));
    }
    all.sort();
    all
}

#[test]
fn two_imports_into_one_store_do_not_lose_each_others_patients() {
    let bench = Bench::planned();
    let whole = fs::read(bench.path("store.age")).unwrap();
    let held = fs::File::options().write(true).open(bench.path("store.age.lock")).unwrap();
    held.try_lock().unwrap();
    let busy = "another program is changing the identity store `store.age`";
    bench.refused(&format!("{IMPORT} --unlock keys/store.secret --out again"), busy);
    let rotate = "identities rotate --store store.age --unlock keys/store.secret --lock keys/store.recipients";
    bench.refused(&format!("{rotate} --keys keys/pseudonym.keys"), busy);
    assert!(!bench.path("again").exists() && fs::read(bench.path("store.age")).unwrap() == whole);
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("store.age", bench.path("link.age")).unwrap();
        let linked = IMPORT.replace("store.age", "link.age");
        bench.refused(&format!("{linked} --unlock keys/store.secret --out again"), "another program is changing");
        drop(held);
        bench.done(&format!("{linked} --unlock keys/store.secret --out again"));
        assert!(bench.path("link.age").is_symlink() && fs::read(bench.path("store.age")).unwrap() != whole);
        std::os::unix::fs::symlink("nowhere.age", bench.path("broken.age")).unwrap();
        bench.refused(
            &format!("{} --out more", IMPORT.replace("store.age", "broken.age")),
            "cannot open the identity store",
        );
    }
}

#[test]
fn exports_replace_nothing_and_are_for_their_owner_only() {
    let bench = Bench::planned();
    bench.done(&format!("{EXPORT} --all --profile generic --out lists"));
    bench.refused(&format!("{EXPORT} --all --profile generic --out lists"), "must not be replaced");
    bench.refused(&format!("{EXPORT} --all --profile generic --out tonight/plan"), "must not be replaced");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |name: &str| fs::metadata(bench.path(name)).unwrap().permissions().mode() & 0o077;
        assert_eq!([mode("lists"), mode("store.age"), mode("keys/pseudonym.keys"), mode("keys/store.secret")], [0; 4]);
    }
    let plan = bench.read("tonight/plan/plan.json");
    bench.write("tonight/plan/plan.json", plan.replacen("\"recall\"", "\"run\"", 1).as_bytes());
    let (code, _) = bench.run(&format!("{EXPORT} --all --profile generic --out edited"));
    assert!(code == 2 && !bench.path("edited").exists(), "a plan that was edited must not name anybody");
}

#[test]
fn answers_of_a_practice_are_checked_and_bad_ones_given_back() {
    let bench = Bench::planned();
    bench.done(&format!("{EXPORT} --all --profile generic --out lists"));
    let list = bench.read("lists/practices/Z00002.csv");
    let answers = ["booked,25/11/2026", "not ours,"];
    let rows: Vec<String> = list
        .lines()
        .skip(1)
        .zip(answers)
        .map(|(row, answer)| format!("{}{answer}", row.strip_suffix(',').unwrap()))
        .collect();
    let header = list.lines().next().unwrap();
    let other = "x,,,R4,,,,,,,,declined,\n,,,R3,,,,,,,,done,2026-11-30\n,,,R3,,,,,,,,booked,\n,,,R3,,,,,,,,perhaps,\n,,,,,,,,,,,done,2026-11-24\n";
    bench.write("back.csv", format!("{header}\n{}\n{other}", rows.join("\n")).as_bytes());
    let line = "recalls acknowledge back.csv --plan tonight/plan/plan.json --practice Z00002 --now 2026-11-25T09:00";
    let words = bench.done(&format!("{line} --rejects back-rejects.csv"));
    assert!(
        words.contains("7 rows: 0 booked, 0 done, 0 declined, 0 not ours"),
        "without keys numbers name nobody: {words}"
    );
    let words = bench.done(&format!("{line} --keys keys/pseudonym.keys --rejects back-rejects.csv"));
    assert!(
        words.contains("7 rows: 1 booked, 0 done, 0 declined, 1 not ours, 0 without an answer, 5 given back"),
        "{words}"
    );
    let rejects = bench.read("back-rejects.csv");
    for expected in [
        "4,\"the row names nobody who",
        "5,\"the day is before",
        "6,\"`booked` and",
        "7,\"the answer is",
        "8,\"the row names nobody:",
    ] {
        assert!(rejects.contains(expected), "{rejects} lacks {expected}");
    }
    silent("rejects", rejects.as_bytes());
    bench.write("empty.csv", b"patient\nx\n");
    bench
        .refused("recalls acknowledge empty.csv --plan tonight/plan --practice Z00002", "B003 missing column `answer`");
    bench.refused("recalls acknowledge back.csv --plan tonight/plan --practice Z0000", "did you mean");
}

#[test]
fn a_night_says_nothing_of_what_is_planted_and_its_log_no_pseudonym() {
    let bench = Bench::new();
    fs::create_dir(bench.path("inbox")).unwrap();
    let nightly = "nightly --inbox inbox --out plans --ledger lab.ledger --rule band-edf --max-quarantine 100";
    bench.done(&format!("{IMPORT} --out inbox/2026-11-23"));
    let sealed = bench.done("manifest inbox/2026-11-23");
    let log = bench.done(&format!("{nightly} --log json"));
    let plan = bench.read("plans/current/plan.json");
    fs::rename(bench.path("extract"), bench.path("inbox/2026-11-24")).unwrap();
    bench.done("manifest inbox/2026-11-24");
    let (code, refused) = bench.run(nightly);
    assert_eq!(code, 2, "{refused}");
    fs::remove_dir_all(bench.path("inbox/2026-11-24")).unwrap();
    for path in files(bench.folder.path()).iter().filter(|path| !path.starts_with(bench.path("keys"))) {
        silent(&path.display().to_string(), &fs::read(path).unwrap());
    }
    let patients = bench.read("inbox/2026-11-23/backlog.csv");
    let mut rows = patients.lines().filter_map(|row| row.split(',').nth(2));
    assert_eq!(rows.next(), Some("patient"));
    let pseudonyms: Vec<&str> = rows.filter(|pseudonym| pseudonym.len() > 8).collect();
    assert!(pseudonyms.iter().any(|pseudonym| plan.contains(pseudonym)), "what is looked for can be found");
    let kept = ["plans/health.json", "plans/current/night.json", "plans/current/inputs/overrides.toml"];
    for said in [sealed, log, refused].into_iter().chain(kept.map(|name| bench.read(name))) {
        silent("what was said", said.as_bytes());
        assert!(!pseudonyms.iter().any(|pseudonym| said.contains(pseudonym)), "{said}");
    }
}
