//! Is every row of an extract either in the backlog or in the quarantine, with all its reasons?

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up should stop")]

use std::cell::Cell;
use std::io::Read;

use labtriage_core::backlog::Backlog;
use labtriage_core::finding::{Code, Finding};
use labtriage_core::fixture::Fixture;
use labtriage_core::network::Network;
use labtriage_core::policy::{Policy, UnknownRule};
use labtriage_core::time::Minutes;
use labtriage_formats::extract::{COLUMNS, Context, Extract, check_quarantine, read_extract};
use labtriage_formats::import::Import;
use labtriage_formats::results::read_results;
use proptest::prelude::*;

/// A row that is in order; `now` is 2024-06-03T08:00 in London.
const BASE: [(&str, &str); 17] = [
    ("accession", "A1"),
    ("request", "R1"),
    ("patient", "P1"),
    ("requester", "G1"),
    ("band", ""),
    ("clinical_flags", ""),
    ("requested_at", ""),
    ("collected_at", "2024-06-03T05:00"),
    ("received_at", "2024-06-03T06:00"),
    ("separated_at", ""),
    ("specimen", "SST"),
    ("site", "HUB"),
    ("condition", "ambient"),
    ("history", ""),
    ("volume_ul", ""),
    ("tests", "K"),
    ("sample_flags", ""),
];

fn row(changes: &[(&str, &str)]) -> String {
    let value = |(column, value): &(&str, &str)| {
        changes.iter().find(|(changed, _)| changed == column).map_or(*value, |(_, value)| value).to_owned()
    };
    BASE.iter().map(value).collect::<Vec<_>>().join(",")
}

fn file(rows: &[String]) -> String {
    format!("{}\n{}\n", COLUMNS.join(","), rows.join("\n"))
}

fn with_context<T>(import: &Import, unknown_time: UnknownRule, act: impl FnOnce(&Context<'_>) -> T) -> T {
    let mut fixture = Fixture::new();
    fixture.policy.unknown_time = unknown_time;
    let (network, policy) = (Network::new(fixture.network).unwrap(), Policy::new(fixture.policy).unwrap());
    let (catalogue, now) = (&fixture.catalogue, fixture.now);
    act(&Context { import, catalogue, network: &network, policy: &policy, now, progress: None })
}

fn read(input: impl Read) -> Result<Extract, Vec<Finding>> {
    with_context(&Import::default(), UnknownRule::Assume(Minutes::from_hours(6)), |context| {
        read_extract(input, "backlog.csv", context)
    })
}

fn read_rows(rows: &[String]) -> Extract {
    read(file(rows).as_bytes()).unwrap()
}

/// Line and codes of each row set aside.
fn aside(extract: &Extract) -> Vec<String> {
    let codes = |row: &labtriage_formats::extract::QuarantinedRow| {
        let codes: Vec<&str> = row.findings.iter().map(|finding| finding.code.text()).collect();
        format!("{} {}", row.line, codes.join(" "))
    };
    extract.quarantine.iter().map(codes).collect()
}

fn warned(extract: &Extract) -> Vec<&'static str> {
    extract.warnings.iter().map(|(code, _)| code.text()).collect()
}

/// Everything of a backlog but row numbers, in words.
fn words(backlog: &Backlog) -> Vec<String> {
    let sample = |(index, sample): (_, &labtriage_core::backlog::Sample)| {
        let request = &backlog.requests[sample.request];
        let tests: Vec<_> =
            sample.lines().map(|line| (backlog.lines[line].test, backlog.lines[line].result_held)).collect();
        format!(
            "{} {} {} {:?} {:?} {:?} {} {:?} {:?} {:?} {:?} {} {:?} {tests:?}",
            backlog.accession(index),
            backlog.request_code(sample.request),
            backlog.pseudonym(request.patient).expose(),
            (request.requester, request.stated_band),
            (request.flags, backlog.patients[request.patient].flags),
            (request.requested, sample.collected, sample.collected_unknown),
            backlog.samples.len(),
            sample.received,
            sample.specimen,
            sample.site,
            sample.volume,
            sample.irreplaceable,
            backlog.history(index),
        )
    };
    backlog.samples.enumerate().map(sample).collect()
}

/// The row with these changes is set aside for these codes.
fn check(changes: &[(&str, &str)], expected: &str) {
    let extract = read_rows(&[row(changes), row(&[("accession", "Z9"), ("request", "R9")])]);
    assert_eq!(aside(&extract), [format!("2 {expected}")], "{changes:?}");
    assert_eq!((extract.rows_read, extract.backlog.samples.len()), (2, 1));
}

/// The row with these changes is kept, with these warnings.
fn check_kept(changes: &[(&str, &str)], expected: &[&str]) -> Extract {
    let extract = read_rows(&[row(changes)]);
    assert_eq!(aside(&extract), Vec::<String>::new(), "{changes:?}");
    assert_eq!(warned(&extract), expected, "{changes:?}");
    assert_eq!(extract.backlog.samples.len(), 1);
    extract
}

/// The file is refused with these findings.
fn check_refused(text: &[u8], expected: &[&str]) {
    let findings: Vec<String> = read(text).unwrap_err().iter().map(ToString::to_string).collect();
    assert_eq!(findings.len(), expected.len(), "{findings:?}");
    for (found, expected) in findings.iter().zip(expected) {
        assert!(found.contains(expected), "{found:?} does not contain {expected:?}");
    }
}

#[test]
fn a_row_in_order_is_kept() {
    let extract = check_kept(&[], &[]);
    let sample = extract.backlog.samples.iter().next().unwrap();
    assert_eq!(sample.collected.to_string(), "2024-06-03T04:00Z");
    assert_eq!(sample.volume.get(), 2000);
    assert_eq!(sample.row, 2);
    let digest = labtriage_formats::digest::of_bytes(file(&[row(&[])]).as_bytes());
    assert_eq!((extract.rows_read, extract.digest), (1, digest));
    check_kept(&[("band", "urgent"), ("clinical_flags", "critical; hard_to_bleed"), ("tests", "K;NA*;CRP")], &[]);
    check_kept(&[("requested_at", "03/06/2024 04:00"), ("volume_ul", "350.5"), ("sample_flags", "irreplaceable")], &[]);
}

#[test]
fn unknown_codes_are_set_aside() {
    check(&[("tests", "KK")], "B008");
    check(&[("tests", "")], "B007");
    check(&[("tests", ";;")], "B007");
    check(&[("specimen", "GOLD")], "B009");
    check(&[("site", "MOON")], "B010");
    check(&[("site", "")], "B007");
    check(&[("requester", "G99")], "B011");
    check(&[("band", "now")], "B012");
    check(&[("tests", "K;FBC")], "B024");
    check(&[("condition", "warm")], "B025");
}

#[test]
fn times_are_checked() {
    check(&[("collected_at", "yesterday")], "B013");
    check(&[("collected_at", "2024-03-31T01:30"), ("received_at", "2024-03-31T04:00")], "B014");
    check(&[("collected_at", "2024-06-03T09:00"), ("received_at", "")], "B016");
    check(&[("requested_at", "2024-06-04T09:00")], "B016");
    check(&[("collected_at", "2024-06-03T07:00")], "B017");
    check(&[("separated_at", "2024-06-03T04:00")], "B017");
    check(&[("collected_at", ""), ("received_at", "")], "B007");
    check(&[("collected_at", ""), ("received_at", "soon")], "B013");
    check_kept(&[("collected_at", "2023-10-29T01:30")], &["B015"]);
}

#[test]
fn identities_are_refused_and_never_shown() {
    for column in ["accession", "request", "patient"] {
        check(&[(column, "9434765919")], "B022");
        check(&[(column, "943 476 5919")], "B022");
        check(&[(column, "1234567890")], "B022");
    }
    let rows = [
        row(&[
            ("accession", "943 476 5919"),
            ("tests", "9434765919"),
            ("requester", "943 476 5919"),
            ("band", "J. Smith!"),
        ]),
        row(&[("request", "9434765919"), ("clinical_flags", "Smith=John")]),
        row(&[
            ("patient", "9434765919"),
            ("site", "943-476-5919"),
            ("history", "9434765919"),
            ("volume_ul", "9434765919"),
        ]),
    ];
    let extract = read_rows(&rows);
    let shown = format!("{:?} {:?}", extract.quarantine, extract.warnings);
    for hidden in ["9434765919", "943 476", "943-476", "Smith"] {
        assert!(!shown.contains(hidden), "{hidden} in {shown}");
    }
    assert_eq!(extract.quarantine[0].accession, "");
    assert_eq!(extract.quarantine[1].accession, "A1");
}

#[test]
fn codes_volumes_and_histories_are_checked() {
    check(&[("request", "R\u{7}1")], "B030");
    check(&[("accession", &"A".repeat(65))], "B030");
    check(&[("patient", "")], "B007");
    for volume in ["-5", "much", "1e3", "0", "NaN", "99999999", "1,5"] {
        check(&[("volume_ul", &format!("\"{volume}\""))], "B026");
    }
    let begins = "2024-06-03T05:00 primary ambient";
    check(&[("history", "2024-06-03T05:00 primary")], "B025");
    check(&[("history", "soon primary ambient")], "B013");
    check(&[("history", "2024-06-03T04:00 primary ambient")], "B025");
    check(&[("history", &format!("{begins} > 2024-06-03T04:30 separated ambient"))], "B025");
    check(
        &[("history", &format!("{begins} > 2024-06-03T06:00 separated ambient > 2024-06-03T07:00 primary ambient"))],
        "B025",
    );
    check(&[("history", &format!("{begins} > 2024-06-03T06:00 separated thawed"))], "B025");
    check(&[("history", &format!("{begins} > 2024-06-05T06:00 separated ambient"))], "B016");
}

#[test]
fn a_row_with_several_problems_has_all_of_them() {
    check(
        &[("accession", ""), ("requester", "X"), ("tests", "KK;LL;K"), ("site", "MOON"), ("volume_ul", "x")],
        "B007 B011 B010 B008 B008 B026",
    );
    let extract = read_rows(&[row(&[("tests", "NB;KK")])]);
    let text = extract.quarantine[0].text();
    assert_eq!(text, "B008 unknown test `NB`, perhaps `NA`; B008 unknown test `KK`, perhaps `K`");
    let found: Vec<String> = extract.quarantine[0].findings_at("b.csv").map(|finding| finding.to_string()).collect();
    assert_eq!(found[0], "b.csv:2: B008 unknown test `NB`, perhaps `NA`");
}

#[test]
fn messages_of_a_row_stay_short() {
    let many: Vec<String> = (0..200).map(|n| format!("X{n}")).collect();
    let extract = read_rows(&[row(&[("tests", &many.join(";")), ("site", "MOON"), ("volume_ul", "x")])]);
    let row = &extract.quarantine[0];
    assert!(row.findings.len() <= 16, "{}", row.findings.len());
    assert!(row.findings.iter().map(|finding| finding.message.len()).sum::<usize>() <= 120);
    for code in [Code::UnknownTest, Code::UnknownSite, Code::BadVolume] {
        assert!(row.findings.iter().any(|finding| finding.code == code), "{code:?}");
    }
}

#[test]
fn warnings_keep_the_row_and_are_counted() {
    check_kept(&[("clinical_flags", "fasting"), ("sample_flags", "haemolysed")], &["B023"]);
    let extract = check_kept(&[("tests", "K;NA;K*")], &["B032"]);
    let held: Vec<bool> = extract.backlog.lines.iter().map(|line| line.result_held).collect();
    assert_eq!(held, [true, false]);
    let rows: Vec<String> = (0..50)
        .map(|n| row(&[("accession", &format!("A{n}")), ("request", &format!("R{n}")), ("clinical_flags", "fasting")]))
        .collect();
    let extract = read_rows(&rows);
    let (code, counted) = extract.warnings.iter().next().unwrap();
    assert_eq!((code, counted.count, counted.first.len()), (Code::UnknownFlag, 50, 20));
    assert_eq!(counted.first[0].to_string(), "backlog.csv:2: B023 unknown flag `fasting`, left out");
}

#[test]
fn rows_that_contradict_each_other_join_the_quarantine() {
    let extract = read_rows(&[
        row(&[("accession", "A2"), ("request", "R2"), ("tests", "bad")]),
        row(&[]),
        row(&[("tests", "NA")]),
        row(&[("accession", "A3"), ("request", "R3")]),
        row(&[("accession", "A3"), ("request", "R3")]),
    ]);
    assert_eq!(aside(&extract), ["2 B008", "3 B018", "4 B018"]);
    assert_eq!(warned(&extract), ["B019"]);
    assert_eq!(extract.backlog.samples.len(), 1);
}

fn history_of(changes: &[(&str, &str)]) -> String {
    let extract = check_kept(changes, &[]);
    let (sample, _) = extract.backlog.samples.enumerate().next().unwrap();
    let steps: Vec<String> = extract
        .backlog
        .history(sample)
        .iter()
        .map(|step| format!("{} {}", &step.from.to_string()[11..], step.state.text()))
        .collect();
    steps.join(" > ")
}

#[test]
fn the_history_follows_from_the_times_unless_it_is_stated() {
    assert_eq!(history_of(&[]), "04:00Z primary ambient");
    assert_eq!(history_of(&[("condition", "refrigerated")]), "04:00Z primary ambient > 05:00Z primary refrigerated");
    assert_eq!(history_of(&[("condition", "refrigerated"), ("received_at", "")]), "04:00Z primary refrigerated");
    assert_eq!(history_of(&[("condition", "")]), "04:00Z primary ambient");
    let spun = [("condition", "frozen"), ("separated_at", "2024-06-03T05:30")];
    assert_eq!(history_of(&spun), "04:00Z primary ambient > 04:30Z separated frozen");
    let stated = "2024-06-03T05:00 primary refrigerated > 2024-06-03 05:10 separated refrigerated";
    let expected = "04:00Z primary refrigerated > 04:10Z separated refrigerated";
    assert_eq!(history_of(&[("history", stated), ("condition", "frozen")]), expected);
    assert_eq!(history_of(&[("history", stated), ("collected_at", ""), ("received_at", "")]), expected);
}

#[test]
fn an_unknown_time_of_collection_follows_the_policy() {
    let text = file(&[row(&[("collected_at", ""), ("separated_at", "2024-06-03T05:30")])]);
    for (rule, expected, warnings) in [
        (UnknownRule::Assume(Minutes::from_hours(6)), "2024-06-02T22:30Z", 1),
        (UnknownRule::Hold, "2024-06-03T04:30Z", 0),
        (UnknownRule::Exclude, "2024-06-03T04:30Z", 0),
    ] {
        let import = Import::default();
        let extract = with_context(&import, rule, |context| read_extract(text.as_bytes(), "b", context)).unwrap();
        let sample = extract.backlog.samples.iter().next().unwrap();
        assert_eq!((sample.collected.to_string().as_str(), sample.collected_unknown), (expected, true));
        assert_eq!(extract.warnings.count(Code::TimeAssumed), warnings);
    }
}

#[test]
fn an_irreplaceable_test_makes_the_sample_irreplaceable() {
    let extract = check_kept(&[("specimen", "CSF"), ("tests", "CSFC")], &[]);
    assert!(extract.backlog.samples.iter().next().unwrap().irreplaceable);
}

#[test]
fn headers_are_checked() {
    check_refused(b"", &["B001 the file is empty"]);
    check_refused(b"\xEF\xBB\xBF", &["B001 the file is empty"]);
    check_refused(b"\r\n\r\n", &["B001 the file is empty"]);
    check_refused(format!("{}\n", COLUMNS.join(",")).as_bytes(), &["B001 the file holds a header and no rows"]);
    check_refused(b"\xFF\xFEa\0c\0\n", &["C013 the header is not UTF-8"]);
    check_refused(b"943 476 5919,Smith\n1,2\n", &["B002 none of the 2 columns of the first row is known"]);
    let header = COLUMNS.join(",").replace("specimen", "specimn").replace("band", "tests");
    check_refused(
        format!("{header}\n").as_bytes(),
        &[
            "backlog.csv:1: B002 unknown column `specimn`\n  hint: did you mean `specimen`?",
            "B002 column `tests` stands twice",
            "B003 missing column `specimen`",
        ],
    );
    let header = COLUMNS.join(",").replace("collected_at,received_at,", "");
    check_refused(format!("{header}\n").as_bytes(), &["B003 missing column `collected_at` or `received_at`"]);
    check_refused(format!("{},\n", COLUMNS.join(",")).as_bytes(), &["B002 column 18 has no name"]);
    check_refused(b"accession,\"request\n1,2\n", &["B002 no columns: the header is too long or opens a quote"]);
    assert_eq!(check_columns("accession,request,patient,requester,specimen,site,tests,received_at"), 1);
}

fn check_columns(header: &str) -> usize {
    let text = format!("{header}\nA1,R1,P1,G1,SST,HUB,K,2024-06-03T06:00\n");
    read(text.as_bytes()).unwrap().backlog.samples.len()
}

#[test]
fn damaged_rows_cost_only_themselves() {
    let good = |n: usize| row(&[("accession", &format!("A{n}")), ("request", &format!("R{n}"))]);
    let mut bytes = file(&[good(1)]).into_bytes();
    bytes.extend(format!("{}\r\n", good(2).replace("P1", "\"P1\"")).into_bytes());
    bytes.extend(b"A3,R3,P\xE91,G1,,,,,,,SST,HUB,,,,K,\n");
    bytes.extend(b"A4,R4\n");
    bytes.extend(format!("{},more\n", good(5)).into_bytes());
    bytes.extend(format!("{}\n", good(6).replace("SST", &"S".repeat(1025))).into_bytes());
    bytes.extend(format!("{}\n\n", good(7)).into_bytes());
    bytes.extend(format!("{}\n", good(8).replace("P1", "\"P1")).into_bytes());
    bytes.extend(format!("{}\n", good(9)).into_bytes());
    let extract = read(&bytes[..]).unwrap();
    assert_eq!(aside(&extract), ["4 B004", "5 B006", "6 B006", "7 B005 B009", "10 B006"]);
    assert_eq!(extract.backlog.samples.len(), 4);
    assert_eq!((extract.rows_read, extract.quarantine[0].accession.as_str()), (9, "A3"));
}

#[test]
fn a_row_of_ten_megabytes_is_skipped() {
    let good = |n: usize| row(&[("accession", &format!("A{n}")), ("request", &format!("R{n}"))]);
    for long in
        ["x".repeat(10_000_000), format!("\"{}\"", "x,".repeat(5_000_000)), format!("\"\n{}", "x".repeat(10_000_000))]
    {
        let lines = u32::try_from(long.lines().count()).unwrap();
        let extract = read_rows(&[good(1), long, good(2)]);
        assert_eq!((extract.quarantine[0].line, extract.quarantine[0].findings[0].code), (3, Code::RowTooLong));
        assert_eq!(extract.backlog.samples.len(), 2);
        assert_eq!(extract.backlog.samples.iter().map(|sample| sample.row).max(), Some(3 + lines));
    }
}

#[test]
fn bad_rows_without_end_stay_small() {
    const ROWS: usize = 50_000;
    let rows: Vec<String> =
        (0..ROWS).map(|n| row(&[("accession", &format!("A{n}")), ("tests", &format!("X{n}"))])).collect();
    let extract = read_rows(&rows);
    assert_eq!((extract.rows_read, extract.quarantine.len()), (ROWS as u64, ROWS));
    let row_bytes = |row: &labtriage_formats::extract::QuarantinedRow| {
        let findings: usize = row.findings.iter().map(|finding| size_of_val(finding) + finding.message.len()).sum();
        size_of_val(row) + row.accession.capacity() + findings
    };
    let bytes: usize = extract.quarantine.iter().map(row_bytes).sum();
    assert!(bytes <= 200 * ROWS, "{} bytes a row", bytes / ROWS);
    let finding = check_quarantine(&extract, 5.0).unwrap();
    assert_eq!(finding.message, "50000 of 50000 rows (100.0 %) were set aside, more than 5 %");
    assert!(finding.hint.unwrap().contains("B008 (50000 times)"));
    assert_eq!(check_quarantine(&extract, 100.0), None);
    assert!(check_quarantine(&extract, f64::NAN).is_some());
}

#[test]
fn the_order_of_rows_does_not_matter() {
    let mut rows: Vec<String> = (0..300)
        .map(|n| {
            let codes = [format!("A{n:03}"), format!("R{}", n / 3), format!("P{}", n / 6)];
            let tests = ["K;NA", "CRP;K*;NA", "TSH", "UE"][n % 4];
            row(&[("accession", &codes[0]), ("request", &codes[1]), ("patient", &codes[2]), ("tests", tests)])
        })
        .collect();
    let straight = read_rows(&rows);
    assert_eq!(straight.backlog.samples.len(), 300);
    rows.sort_by_key(|row| row.bytes().fold(7_u32, |hash, byte| hash.wrapping_mul(31) ^ u32::from(byte)));
    assert_eq!(words(&straight.backlog), words(&read_rows(&rows).backlog));
}

#[test]
fn a_foreign_extract_gives_the_same_backlog() {
    let import = r##"
        [file]
        delimiter = ";"
        [times]
        formats = ["%d-%b-%Y %H:%M", "%d.%m.%Y %H:%M"]
        [lists]
        separator = " "
        held_mark = "(held)"
        [defaults]
        condition = "refrigerated"
        [columns]
        accession = "Lab No"
        request = "Episode"
        patient = "Pseudo"
        requester = "Source"
        band = "Prio"
        clinical_flags = "Notes"
        collected_at = "Taken"
        received_at = "Booked in"
        specimen = "Tube"
        site = "Area"
        tests = "Sets"
        ignore = ["Comment"]
        [codes.tests]
        "Pot+" = "K"
        Sod = "NA"
        [codes.specimens]
        YELLOW = "SST"
        [codes.sites]
        MAIN = "HUB"
        [codes.bands]
        "1" = "urgent"
        [codes.flags]
        "HTB" = "hard_to_bleed"
        "?" = "irreplaceable"
        [codes.requesters]
        GP1 = "G1"
    "##;
    let import = Import::read("import.toml", import).unwrap();
    let foreign = format!(
        "\u{FEFF}{}\r\n{}\r\n{}\r\n",
        "Comment;Lab No;Episode;Pseudo;Source;Prio;Notes;Taken;Booked in;Tube;Area;Sets",
        "\"a; \"\"b\"\"\r\nc\";A1;R1;P1;GP1;1;HTB ?;03-Jun-2024 05:00;03.06.2024 06:00;YELLOW;MAIN;Pot+ Sod(held)",
        ";A2;R2;P2;G1;;;03-Jun-2024 04:00:30;03.06.2024 06:00;SST;HUB;K CRP",
    );
    let read_foreign = |context: &Context<'_>| read_extract(foreign.as_bytes(), "foreign.csv", context);
    let foreign = with_context(&import, UnknownRule::Hold, read_foreign).unwrap();
    let cold = ("condition", "refrigerated");
    let ours = read_rows(&[
        row(&[
            cold,
            ("band", "urgent"),
            ("clinical_flags", "hard_to_bleed"),
            ("sample_flags", "irreplaceable"),
            ("tests", "K;NA*"),
        ]),
        row(&[
            cold,
            ("accession", "A2"),
            ("request", "R2"),
            ("patient", "P2"),
            ("collected_at", "2024-06-03T04:00"),
            ("tests", "K;CRP"),
        ]),
    ]);
    assert_eq!(aside(&foreign), Vec::<String>::new());
    assert_eq!(words(&foreign.backlog), words(&ours.backlog));
    assert_eq!(foreign.backlog.samples.iter().map(|sample| sample.row).collect::<Vec<_>>(), [2, 4]);
}

#[test]
fn a_mapping_to_a_code_that_is_not_ours_stops_the_run() {
    let import = Import::read("import.toml", "[codes.tests]\nPOT = \"KA\"\n[codes.sites]\nMAIN = \"HUBB\"").unwrap();
    let read_it = |context: &Context<'_>| read_extract(file(&[row(&[])]).as_bytes(), "b.csv", context);
    let findings: Vec<String> =
        with_context(&import, UnknownRule::Hold, read_it).unwrap_err().iter().map(ToString::to_string).collect();
    assert_eq!(findings[0], "import.toml:2:7: C006 test `KA` is not one of ours\n  hint: did you mean `K`?");
    assert_eq!(findings[1], "import.toml:4:8: C006 site `HUBB` is not one of ours\n  hint: did you mean `HUB`?");
}

#[test]
fn progress_reaches_the_last_byte() {
    let text = file(&(0..20_000).map(|n| row(&[("accession", &format!("A{n}"))])).collect::<Vec<_>>());
    let (last, calls) = (Cell::new(0), Cell::new(0));
    let progress = |bytes| {
        assert!(bytes >= last.get());
        last.set(bytes);
        calls.set(calls.get() + 1);
    };
    let import = Import::default();
    let extract = with_context(&import, UnknownRule::Hold, |context| {
        read_extract(text.as_bytes(), "b.csv", &Context { progress: Some(&progress), ..*context })
    });
    assert_eq!(extract.unwrap().backlog.samples.len(), 20_000);
    assert_eq!(last.get(), text.len() as u64);
    assert!(calls.get() > 3);
}

#[test]
fn a_reader_that_fails_stops_the_run() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the disk is gone"))
        }
    }
    let text = file(&[row(&[])]);
    let findings = read(text.as_bytes().chain(Broken)).unwrap_err();
    assert_eq!(findings[0].code, Code::FileUnreadable);
}

fn results(text: &str) -> (Vec<String>, Vec<String>) {
    let results = with_context(&Import::default(), UnknownRule::Hold, |context| {
        read_results(text.as_bytes(), "results.csv", context).unwrap()
    });
    let row = |row: &labtriage_core::duplicates::ResultRow| {
        format!("{} {:?} {:?} {}", row.line, row.accession, row.patient.is_some(), row.resulted)
    };
    let aside = |row: &labtriage_formats::extract::QuarantinedRow| format!("{} {}", row.line, row.text());
    (results.rows.iter().map(row).collect(), results.quarantine.iter().map(aside).collect())
}

#[test]
fn results_are_read() {
    let (rows, aside) = results(
        "accession,patient,test,resulted_at\n\
         A1,,K,2024-06-03T07:00\n\
         ,P1,K,2024-06-03T07:00Z\n\
         ,,K,2024-06-03T06:00\n\
         A1,,X,later\n\
         ,9434765919,K,2024-06-03T06:00\n\
         A1,,,\n\
         A1\n",
    );
    assert_eq!(rows, ["2 Some(\"A1\") false 2024-06-03T06:00Z", "3 None true 2024-06-03T07:00Z"]);
    assert_eq!(
        aside,
        [
            "4 B007 `accession` and `patient` are both empty",
            "5 B008 unknown test `X`, perhaps `K`; B013 `resulted_at` is a time in none of the formats of the import",
            "6 B022 `patient` holds what looks like an NHS number",
            "7 B007 `test` is empty; B007 `resulted_at` is empty",
            "8 B006 1 fields where the header has 4",
        ]
    );
    assert_eq!(results("patient,test,resulted_at\n"), (Vec::new(), Vec::new()));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let _ = read(&bytes[..]);
    }

    #[test]
    fn arbitrary_rows_are_kept_or_set_aside(rows in prop::collection::vec("[-A-Z0-9 ,\";*>:T/.+\r\u{e9}\u{0}]{0,80}", 0..20)) {
        let text = file(&rows);
        if let Ok(extract) = read(text.as_bytes()) {
            let repeated = extract.warnings.count(Code::RepeatedRow);
            let found = extract.backlog.samples.len() as u64 + extract.quarantine.len() as u64 + repeated;
            prop_assert_eq!(found, extract.rows_read);
        }
    }

    #[test]
    fn arbitrary_fields_never_panic(column in 0usize..17, value in "\\PC{0,40}") {
        let (name, _) = BASE[column];
        let value = format!("\"{}\"", value.replace('"', "\"\""));
        let extract = read(file(&[row(&[(name, &value)])]).as_bytes()).unwrap();
        prop_assert_eq!(extract.backlog.samples.len() + extract.quarantine.len(), 1);
    }

    #[test]
    fn arbitrary_configuration_never_panics(text in "\\PC{0,200}") {
        let _ = Import::read("import.toml", &text);
    }
}
