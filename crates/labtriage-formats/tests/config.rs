//! Does the configuration read as written, and is everything wrong with it said at once?

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use labtriage_core::catalogue::{Basis, Catalogue, Limit, Phase, State};
use labtriage_core::finding::{Code, Finding};
use labtriage_core::network::{Network, RequesterKind, SiteKind};
use labtriage_core::overrides::{Action, Override};
use labtriage_core::policy::{GroupBy, Policy, UnknownRule};
use labtriage_core::table::{BandIx, Ix, TestIx};
use labtriage_core::time::Minutes;
use labtriage_core::units::{AnalyserTime, Cost, Microlitres, Percent, Weight};
use labtriage_formats::config::ConfigFile;
use labtriage_formats::config::defaults::{Configuration, load};
use labtriage_formats::config::{catalogue::catalogue, network::network, overrides::overrides, policy::policy};

const CATALOGUE: &str = include_str!("config/catalogue.toml");
const POLICY: &str = include_str!("config/policy.toml");
const NETWORK: &str = include_str!("config/network.toml");
const OVERRIDES: &str = include_str!("config/overrides.toml");

fn file(name: &str, text: &str) -> ConfigFile {
    ConfigFile { name: name.to_owned(), text: text.to_owned() }
}

fn good() -> (Catalogue, Policy, Network) {
    let catalogue = catalogue(&file("catalogue.toml", CATALOGUE)).expect("no findings");
    let policy = policy(&file("policy.toml", POLICY), &catalogue).expect("no findings");
    let network = network(&file("network.toml", NETWORK), &catalogue, &policy).expect("no findings");
    (catalogue, policy, network)
}

fn good_overrides(text: &str) -> Result<Vec<Override>, Vec<Finding>> {
    let (catalogue, policy, network) = good();
    overrides(text, "overrides.toml", &catalogue, &network, &policy)
}

fn edited(text: &str, edits: &[(&str, &str)]) -> String {
    edits.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "nothing to edit: {from}");
        text.replacen(from, to, 1)
    })
}

fn rendered<T>(result: Result<T, Vec<Finding>>) -> String {
    let findings = result.err().unwrap_or_default();
    findings.iter().map(|finding| format!("{finding}\n")).collect::<String>()
}

fn check_rendered(edits: &[(&str, &str)], found: &str, expected: &str) {
    assert_eq!(found.trim_end(), expected.trim(), "after {edits:?}");
}

fn check_catalogue(edits: &[(&str, &str)], expected: &str) {
    let found = rendered(catalogue(&file("c.toml", &edited(CATALOGUE, edits))));
    check_rendered(edits, &found, expected);
}

fn check_policy(edits: &[(&str, &str)], expected: &str) {
    let (catalogue, ..) = good();
    let found = rendered(policy(&file("p.toml", &edited(POLICY, edits)), &catalogue));
    check_rendered(edits, &found, expected);
}

fn check_network(edits: &[(&str, &str)], expected: &str) {
    let (catalogue, policy, _) = good();
    let found = rendered(network(&file("n.toml", &edited(NETWORK, edits)), &catalogue, &policy));
    check_rendered(edits, &found, expected);
}

fn check_overrides(edits: &[(&str, &str)], expected: &str) {
    check_rendered(edits, &rendered(good_overrides(&edited(OVERRIDES, edits))), expected);
}

fn shipped() -> Configuration {
    load(None, None).expect("the defaults are built in")
}

fn repository(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

#[test]
fn the_shipped_files_load_without_findings() {
    let (catalogue, network, policy) =
        shipped().read().unwrap_or_else(|found| panic!("{}", rendered::<()>(Err(found))));
    let singles = catalogue.tests.iter().filter(|test| test.members.is_empty()).count();
    assert!(singles >= 90, "{singles} tests");
    assert_eq!(catalogue.disciplines.len(), 10);
    assert_eq!(network.sites.len(), 9);
    assert_eq!(network.sites.iter().filter(|site| site.kind == SiteKind::Partner).count(), 3);
    let practices = network.requesters.iter().filter(|requester| requester.kind == RequesterKind::Practice);
    let boroughs: BTreeSet<&str> = practices.clone().map(|practice| practice.borough.as_str()).collect();
    assert_eq!((practices.count(), boroughs.len()), (200, 6));
    assert_eq!(policy.bands.len(), 5);
    assert_eq!(network.tests_without_analyser(&catalogue), Vec::<TestIx>::new());
}

#[test]
fn every_shipped_figure_that_is_sourced_names_its_sources() {
    let (catalogue, ..) = shipped().read().unwrap();
    for test in catalogue.tests.iter() {
        for figure in &test.figures {
            let state = State::of(figure.phase, figure.condition).text();
            assert!(figure.basis == Basis::Judgement || !figure.sources.is_empty(), "{} {state}", test.code);
        }
    }
}

#[test]
fn the_sources_of_the_catalogue_are_those_of_the_document() {
    let text = fs::read_to_string(repository("docs/sources.md")).unwrap();
    let first_cell = |line: &str| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned());
    let documented: BTreeSet<String> = text.lines().filter_map(first_cell).collect();
    let (catalogue, ..) = shipped().read().unwrap();
    let known: BTreeSet<String> = catalogue.sources.iter().map(|source| source.id.clone()).collect();
    assert_eq!(known, documented);
    let cited: BTreeSet<usize> = catalogue
        .tests
        .iter()
        .flat_map(|test| {
            let figures = test.figures.iter().flat_map(|figure| &figure.sources);
            figures.chain(test.retest_interval.iter().map(|(_, source)| source)).map(|source| source.row())
        })
        .collect();
    assert_eq!(cited.len(), catalogue.sources.len(), "every source is cited");
}

#[test]
fn only_deferrable_tests_defer_a_shipped_request() {
    let (catalogue, _, policy) = shipped().read().unwrap();
    let check = |flags: &[&str], tests: &[&str], expected: &str| {
        let flags = flags.iter().fold(Default::default(), |set: labtriage_core::flags::FlagSet, name| {
            set.with(policy.flags.find(name).unwrap())
        });
        let asked: Vec<TestIx> = tests.iter().map(|code| catalogue.test(code).unwrap()).collect();
        let band = policy.assign(flags, &asked, RequesterKind::Practice);
        assert_eq!(policy.bands[band].code, expected, "{tests:?}");
    };
    check(&[], &["VITD"], "defer");
    check(&[], &["VITD", "FBC"], "routine");
    check(&[], &["LIPID"], "routine");
    check(&["wellness"], &["VITD", "LIPID", "HBA1C"], "defer");
    check(&["wellness"], &["LIPID", "UE"], "routine");
    check(&["infertility"], &["GONAD", "PRL"], "defer");
    check(&["wellness", "two_week_wait"], &["VITD"], "urgent");
    check(&[], &["UE", "PT"], "urgent");
}

#[test]
fn a_catalogue_reads_as_written() {
    let (catalogue, ..) = good();
    let potassium = &catalogue.tests[catalogue.test("K").unwrap()];
    assert_eq!(potassium.volume, Microlitres::new(10));
    assert_eq!(potassium.analyser_time, AnalyserTime::from_millis(1800));
    assert_eq!(potassium.retest_interval.map(|(interval, _)| interval), Some(Minutes::from_hours(12)));
    assert!(potassium.flags.ice && !potassium.flags.irreplaceable);
    let limits: Vec<Limit> = potassium.figures.iter().map(|figure| figure.limit).collect();
    assert_eq!(limits, [Limit::Within(Minutes::from_hours(6)), Limit::Forbidden]);
    assert_eq!(potassium.criticality, Percent::ALL);
    let panel = catalogue.test("SALTS").unwrap();
    assert_eq!(panel.row(), catalogue.tests.len() - 1, "panels come last");
    assert_eq!(catalogue.tests[panel].volume, Microlitres::new(20));
    assert_eq!(catalogue.disciplines.as_slice(), ["chemistry", "haematology"]);
    assert_eq!(catalogue.tests[catalogue.test("HB").unwrap()].run_in, Phase::Primary);
    assert_eq!(catalogue.specimens[catalogue.specimen("SST").unwrap()].volume, Microlitres::new(2000));
}

#[test]
fn a_policy_reads_as_written() {
    let (catalogue, policy, _) = good();
    assert_eq!(policy.bands[BandIx::from_row(0)].weight, Weight::from_thousandths(250_500));
    assert_eq!(policy.default_band, BandIx::from_row(1));
    assert_eq!(policy.rules[0].only_tests, [catalogue.test("K").unwrap(), catalogue.test("NA").unwrap()]);
    let flags: Vec<&str> = policy.flags.names().collect();
    assert_eq!(flags[labtriage_core::flags::BUILT_IN.len()..], ["sepsis", "child", "frail"]);
    assert_eq!(policy.unknown_time, UnknownRule::Assume(Minutes::from_hours(6)));
    assert_eq!(policy.unknown_stability, UnknownRule::Hold);
    assert_eq!(policy.prices.spin, Cost::from_thousandths(10));
    assert_eq!((policy.reserves[0].from, policy.reserves[0].until), (480, 1200));
    assert_eq!(policy.horizon(), Minutes::from_hours(72));
}

#[test]
fn a_network_reads_as_written() {
    let (catalogue, _, network) = good();
    let menu = |code: &str| -> Vec<(String, Option<String>)> {
        let analyser = &network.analysers[network.analyser(code).unwrap()];
        let name = |calendar| network.calendars[calendar].name.clone();
        let entries = analyser.menu.iter();
        entries.map(|(test, days)| (catalogue.tests[*test].code.clone(), days.map(name))).collect()
    };
    let on_tuesdays = Some("tuesdays".to_owned());
    let expected = [("K".into(), None), ("NA".into(), on_tuesdays.clone()), ("SALTS".into(), on_tuesdays)];
    assert_eq!(menu("HUB-CHEM"), expected);
    // Without potassium the panel is not on the menu either.
    assert_eq!(menu("AID-MIX"), [("NA".into(), None), ("HB".into(), None)]);
    let analyser = &network.analysers[network.analyser("HUB-CHEM").unwrap()];
    assert_eq!((analyser.rate_permille, analyser.stock[0].tests, analyser.disciplines.len()), (2500, 400, 1));
    let calendar = network.calendars.as_slice().last().unwrap();
    assert_eq!(calendar.windows[1], [(540, 720), (780, 1020)], "in order of time");
    assert!(calendar.closed.is_sorted());
    let courier = &network.couriers.as_slice()[0];
    assert_eq!(courier.departs, [(0, 570), (0, 960), (1, 960)]);
    assert_eq!(courier.tubes, 200);
    let partner = network.sites[network.site("AID").unwrap()].partner.as_ref().unwrap();
    assert_eq!((partner.bands.len(), partner.cut_off, partner.quota_per_day), (1, 960, 60));
    assert_eq!(network.disruptions[0].steps[0].0.to_string(), "2026-11-23T00:00Z");
    assert_eq!(network.collection_points.as_slice()[0].delivers[0].arrives, 1020);
}

#[test]
fn overrides_read_as_written() {
    let found = good_overrides(OVERRIDES).unwrap();
    let (catalogue, _, network) = good();
    assert!(matches!(found[0].action, Action::Pin { site: None, analyser: Some(_), by: Some(_) }));
    assert_eq!(found[0].target.test, catalogue.test("K"));
    assert_eq!(found[1].action, Action::SetBand(BandIx::from_row(1)));
    assert_eq!(found[1].until.to_string(), "2026-06-30T07:00Z", "summer time");
    assert_eq!(found[1].second.as_deref(), Some("deputy"));
    assert!(matches!(found[2].action, Action::Cap { lines_per_day: 40, .. }));
    assert_eq!(found[3].action, Action::Route(network.site("AID").unwrap()));
    assert_eq!(found.iter().map(|about| about.line).collect::<Vec<_>>(), [1, 11, 20, 28]);
    assert_eq!(good_overrides("# nobody has decided anything\n").unwrap(), []);
}

#[test]
fn a_moment_in_the_doubled_hour_can_be_given_in_utc() {
    let edits = [("until = \"2026-06-30 08:00\"", "until = \"2026-10-25 00:30Z\"")];
    let found = good_overrides(&edited(OVERRIDES, &edits)).unwrap();
    assert_eq!(found[1].until.to_string(), "2026-10-25T00:30Z");
}

#[test]
fn a_file_takes_the_place_of_the_same_file_further_away() {
    let (dir, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(dir.path().join("catalogue.toml"), CATALOGUE).unwrap();
    fs::write(dir.path().join("policy.toml"), "# further away\n").unwrap();
    fs::write(folder.path().join("policy.toml"), POLICY).unwrap();
    let found = load(Some(dir.path()), Some(folder.path())).unwrap();
    assert_eq!(found.catalogue.origin, dir.path().join("catalogue.toml").display().to_string());
    assert_eq!(found.policy.file.text, POLICY);
    assert_eq!(found.network, shipped().network);
    assert_eq!((found.network.origin.as_str(), found.network.file.name.as_str()), ("built in", "network.toml"));
    assert_eq!(found.policy.digest, labtriage_formats::digest::of_bytes(POLICY.as_bytes()));
}

#[test]
fn files_that_cannot_be_read_are_all_reported() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("catalogue.toml"), b"# fine\n# \xff\n").unwrap();
    fs::create_dir(dir.path().join("policy.toml")).unwrap();
    let missing = dir.path().join("nowhere");
    let found = load(Some(dir.path()), Some(&missing)).unwrap_err();
    let codes: Vec<Code> = found.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, [Code::FileUnreadable, Code::NotUtf8, Code::FileUnreadable]);
    assert_eq!(found[1].place.as_ref().unwrap().line, 2);
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(load(Some(empty.path()), None).unwrap_err().len(), 1, "a directory without any of the files");
    assert!(load(None, Some(empty.path())).is_ok(), "a scenario folder need not hold any");
}

#[test]
fn a_broken_catalogue_does_not_hide_what_is_wrong_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
    put("catalogue.toml", edited(CATALOGUE, &[("volume = \"2 mL\"", "volume = 2")]));
    put("policy.toml", edited(POLICY, &[("cancel = true", "cancel = 1")]));
    put("network.toml", edited(NETWORK, &[("rate = 2.5", "rate = \"fast\"")]));
    let found = load(None, Some(folder.path())).unwrap().read().unwrap_err();
    let places = found.iter().filter_map(|finding| finding.place.as_ref());
    let places: Vec<String> = places.map(|place| place.file.rsplit('/').next().unwrap().to_owned()).collect();
    assert_eq!(places, ["catalogue.toml", "network.toml", "policy.toml"]);
    assert!(found.iter().all(|finding| finding.code == Code::WrongValue));
}

#[test]
fn more_entries_than_can_be_held_are_refused() {
    let specimen = "[[specimen]]\ncode = \"EDTA\"";
    let many: String = (0..260)
        .map(|n| {
            let facts = "name = \"More\"\nprotocol = \"serum\"\naliquots = true\nvolume = \"1 mL\"\n";
            format!("[[specimen]]\ncode = \"S{n}\"\n{facts}\n")
        })
        .collect();
    let edits = [(specimen, format!("{many}{specimen}"))];
    let edits: Vec<(&str, &str)> = edits.iter().map(|(from, to)| (*from, to.as_str())).collect();
    let found = catalogue(&file("c.toml", &edited(CATALOGUE, &edits))).unwrap_err();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].code, Code::TooMany);
    assert_eq!(found[0].message, "there are more than 255 entries `specimen`, the most there can be");
}

#[test]
fn no_prefix_of_a_file_panics() {
    let (catalogue_, policy_, _) = good();
    for end in (0..CATALOGUE.len()).filter(|end| CATALOGUE.is_char_boundary(*end)) {
        let _ = catalogue(&file("c.toml", &CATALOGUE[..end]));
    }
    for end in (0..NETWORK.len()).step_by(3) {
        let _ = network(&file("n.toml", &NETWORK[..end]), &catalogue_, &policy_);
    }
    for end in (0..OVERRIDES.len()).step_by(3) {
        let _ = good_overrides(&OVERRIDES[..end]);
    }
}

#[test]
fn a_file_of_nothing_but_errors_gives_a_bounded_answer() {
    let text: String = (0..5000).map(|n| format!("key_{n} = 1\n")).collect();
    let found = catalogue(&file("c.toml", &text)).unwrap_err();
    assert_eq!(found.len(), 1000);
    assert_eq!(found[999].hint.as_deref(), Some("4005 more findings in this file are not shown"));
    let found = catalogue(&file("c.toml", &"= ] [ \u{0} \"\n".repeat(2000))).unwrap_err();
    assert!(found.iter().all(|finding| finding.code == Code::Syntax));
}

#[test]
fn catalogue_syntax() {
    check_catalogue(
        &[(r#"name = "Serum""#, "name = "), (r#"code = "SST""#, r#"code = "SST"#)],
        r#"
c.toml:16:12: C001 invalid basic string, expected `"`
c.toml:17:8: C001 string values must be quoted, expected literal string
"#,
    );
    check_catalogue(
        &[(r#"name = "Serum""#, "name = "), (r#"volume = "10 uL""#, r#"volume = "10 litres""#)],
        r#"
c.toml:17:8: C001 string values must be quoted, expected literal string
c.toml:35:10: C003 `volume` is "10 litres", expected a volume of whole microlitres such as `300 uL` or `1.5 mL`
"#,
    );
}

#[test]
fn catalogue_keys_and_kinds() {
    check_catalogue(
        &[(
            "aliquots = true",
            "aliqots = true
aliquots = true
shelf = 2",
        )],
        "
c.toml:19:1: C002 unknown key `aliqots` in `specimen`
  hint: did you mean `aliquots`?
c.toml:21:1: C002 unknown key `shelf` in `specimen`
  hint: known keys: code, name, protocol, aliquots, volume, snomed
",
    );
    check_catalogue(
        &[
            (
                r#"name = "Potassium"
"#,
                "",
            ),
            (r#"version = "t""#, ""),
        ],
        "
c.toml:1:1: C004 missing key `version`
c.toml:29:1: C004 missing key `name` in `test`
",
    );
    check_catalogue(
        &[
            ("aliquots = true", r#"aliquots = "yes""#),
            (r#"volume = "2 mL""#, "volume = 2000"),
            (r#"code = "K""#, r#"code = "k+""#),
            (r#"analyser_time = "1.8s""#, r#"analyser_time = "0s""#),
        ],
        r#"
c.toml:19:12: C003 `aliquots` is "yes", expected `true` or `false`
c.toml:20:10: C003 `volume` is a whole number, expected a volume of whole microlitres such as `300 uL` or `1.5 mL`, in quotes
c.toml:30:8: C003 `code` is "k+", expected a code of at most 24 upper-case letters, digits, `-` and `_`
c.toml:36:17: C003 `analyser_time` is "0s", expected a time longer than nothing such as `1.8s` or `30 min`
c.toml:66:16: C006 unknown test `K`
  hint: did you mean `k+`?
"#,
    );
    check_catalogue(
        &[(r#"specimens = ["EDTA"]"#, r#"specimens = "EDTA""#), (r#"specimens = ["SST"]"#, "specimens = []")],
        "
c.toml:33:13: C003 `specimens` is a list, expected at least one specimen
c.toml:58:13: C003 `specimens` is text, expected a list in square brackets
",
    );
    check_catalogue(
        &[
            (r#"discipline = "haematology""#, r#"discipline = "hematology""#),
            (r#"flags = ["ice"]"#, r#"flags = ["iced"]"#),
        ],
        r#"
c.toml:39:10: C003 `flags` is "iced", expected one of `irreplaceable`, `light_sensitive`, `ice`, `stabilised`, `gestation_window`, `container_rule`, `time_critical`
  hint: did you mean `ice`?
c.toml:57:14: C003 `discipline` is "hematology", expected one of `chemistry`, `immunoassay`, `haematology`, `coagulation`, `transfusion`, `virology`, `microbiology`, `immunology`, `specialist`, `cellular`
  hint: did you mean `haematology`?
"#,
    );
}

#[test]
fn catalogue_names() {
    check_catalogue(
        &[(r#"code = "EDTA""#, r#"code = "SST""#), (r#"code = "SALTS""#, r#"code = "K""#)],
        "
c.toml:23:8: C005 specimen `SST` is defined twice, first at c.toml:16:8
  hint: rename or remove one of the two
c.toml:49:21: C006 unknown specimen `EDTA`
c.toml:58:14: C006 unknown specimen `EDTA`
c.toml:64:8: C005 test `K` is defined twice, first at c.toml:30:8
  hint: rename or remove one of the two
",
    );
    check_catalogue(
        &[
            (
                r#"protocol = "serum"
aliquots = true"#,
                r#"protocol = "serom"
aliquots = true"#,
            ),
            (r#"specimens = ["SST", "EDTA"]"#, r#"specimens = ["SST", "SSTT", "XXXXXX"]"#),
        ],
        "
c.toml:18:12: C006 unknown protocol `serom`
  hint: did you mean `serum`?
c.toml:49:21: C006 unknown specimen `SSTT`
  hint: did you mean `SST`?
c.toml:49:29: C006 unknown specimen `XXXXXX`
",
    );
    check_catalogue(
        &[(r#"specimens = ["SST", "EDTA"]"#, r#"specimens = ["SST", "SST"]"#)],
        "
c.toml:49:21: C005 specimen `SST` stands twice in this list
",
    );
}

#[test]
fn catalogue_protocols() {
    check_catalogue(
        &[(
            r#"  { step = "thaw""#,
            r#"  { step = "freeze", from = "separated thawed", to = "separated frozen", time = "30 min" },
  { step = "thaw""#,
        )],
        "
c.toml:7:1: C007 the steps of protocol `serum` form a cycle: separated frozen -> separated thawed
  hint: a tube goes one way: remove the step that leads back
",
    );
    check_catalogue(
        &[(r#"to = "separated ambient", time = "20 min""#, r#"to = "primary refrigerated", time = "20 min""#)],
        "
c.toml:10:3: C003 step `spin` cannot lead from `primary ambient` to `primary refrigerated`
",
    );
}

#[test]
fn catalogue_panels() {
    check_catalogue(
        &[(r#"tests = ["NA", "K"]"#, r#"tests = ["NA", "HB"]"#)],
        "
c.toml:63:1: C011 tests `NA` and `HB` of panel `SALTS` differ in discipline
  hint: request and run these tests apart, or correct the test that differs
",
    );
    check_catalogue(
        &[(r#"tests = ["NA", "K"]"#, r#"tests = ["NA", "SALTS"]"#)],
        "
c.toml:66:9: C011 a panel cannot be part of a panel
",
    );
    check_catalogue(
        &[(r#"tests = ["NA", "K"]"#, "tests = []")],
        "
c.toml:63:1: C011 panel `SALTS` has no tests
  hint: request and run these tests apart, or correct the test that differs
",
    );
}

#[test]
fn catalogue_figures() {
    check_catalogue(
        &[(
            r#"retest_source = "W"
"#,
            "",
        )],
        "
c.toml:29:1: C004 `retest_interval` and `retest_source` stand together or not at all
  hint: every figure names its source
",
    );
    check_catalogue(
        &[
            (r#"limit = "6h", sources = ["W"]"#, r#"limit = "6 hours ago", sources = ["V"]"#),
            (r#"in = "primary refrigerated""#, r#"in = "primary cold""#),
        ],
        r#"
c.toml:41:37: C003 `limit` is "6 hours ago", expected `forbidden` or a duration such as `36h` or `8 weeks`
c.toml:41:63: C006 unknown source `V`
  hint: did you mean `W`?
c.toml:42:10: C003 `in` is "primary cold", expected one of `primary ambient`, `primary refrigerated`, `primary frozen`, `separated ambient`, `separated refrigerated`, `separated frozen`
  hint: did you mean `primary frozen`?
"#,
    );
    check_catalogue(
        &[
            (r#"limit = "6h", sources = ["W"]"#, r#"limit = "6h", sources = []"#),
            (r#"in = "primary refrigerated""#, r#"in = "primary ambient""#),
        ],
        "
c.toml:29:1: C005 the stability of this test in `primary ambient` is stated twice
  hint: keep the one that counts
c.toml:41:3: C004 a figure that is no judgement names at least one source
",
    );
    check_catalogue(
        &[(r#"limit = "6h","#, r#"limit = "6h", specimens = ["EDTA"],"#)],
        "
c.toml:41:55: C003 `specimens` names a specimen that this test is not done on
  hint: add it to the test, or remove it here
",
    );
}

/// Found by fuzzing: the reader looked for the band out of order by its code, found its namesake,
/// and never came to an end.
#[test]
fn a_band_that_stands_twice_and_out_of_order_comes_to_an_end() {
    let routine = "[[band]]
code = \"routine\"
name = \"Routine\"
weight = 15
target = \"7 days\"
strict = false
lateness_percent = 100
source = \"example\"
";
    let twice = format!("{routine}{}", routine.replace("strict = false", "strict = true"));
    let text = POLICY.replacen(routine, &twice, 1);
    let codes: Vec<Code> =
        policy(&file("p.toml", &text), &good().0).unwrap_err().iter().map(|finding| finding.code).collect();
    assert!(codes.contains(&Code::DuplicateCode) && codes.contains(&Code::BandOrder), "{codes:?}");
}

#[test]
fn policy_order_and_horizon() {
    check_policy(
        &[
            ("strict = true", "strict = false"),
            (
                "strict = false
lateness_percent = 100",
                "strict = true
lateness_percent = 100",
            ),
        ],
        "
p.toml:16:1: C009 strict band `routine` stands below band `urgent`, which is not strict
  hint: strict bands come first: move it up, or set `strict = false`
",
    );
    check_policy(
        &[(r#"until = "72h""#, r#"until = "12h""#)],
        "
p.toml:3:1: C010 each stretch of slots must end after the one before
",
    );
    check_policy(
        &[(r#"length = "4h""#, r#"length = "7h""#)],
        "
p.toml:3:1: C010 a slot must be at least 15 min long and divide a day evenly
",
    );
}

#[test]
fn policy_names_and_numbers() {
    check_policy(
        &[
            (r#"default_band = "routine""#, r#"default_band = "rutine""#),
            (r#"tests = ["K"]"#, r#"tests = ["KK"]"#),
            (r#"discipline = "chemistry""#, r#"discipline = "chemestry""#),
        ],
        "
p.toml:26:16: C006 unknown band `rutine`
  hint: did you mean `routine`?
p.toml:31:10: C006 unknown test `KK`
  hint: did you mean `K`?
p.toml:58:14: C006 unknown discipline `chemestry`
  hint: did you mean `chemistry`?
",
    );
    check_policy(
        &[
            ("weight = 250.5", "weight = -1"),
            ("weight = 15", "weight = 15.00001"),
            (
                "percent = 10
",
                "percent = 101
",
            ),
            ("spin = 0.01", r#"spin = "cheap""#),
        ],
        r#"
p.toml:10:10: C003 `weight` is -1, expected a number from 0 to 100000 with at most three decimals
p.toml:19:10: C003 `weight` is 15.00001, expected a number from 0 to 100000 with at most three decimals
p.toml:60:11: C003 `percent` is 101, expected a whole number from 0 to 100
p.toml:67:8: C003 `spin` is "cheap", expected a number from 0 to 1000000000 with at most three decimals
"#,
    );
}

#[test]
fn policy_sections_and_rules() {
    check_policy(
        &[
            (
                "[duplicates]
cancel = true
",
                "",
            ),
            ("[churn]", "[churns]"),
        ],
        "
p.toml:1:1: C004 missing key `churn`
p.toml:1:1: C004 missing key `duplicates`
p.toml:60:2: C002 unknown key `churns`
  hint: did you mean `churn`?
",
    );
    check_policy(
        &[(
            r#"flags = ["sepsis"]
tests = ["K"]
only_tests = ["K", "NA"]
requesters = ["ward"]
"#,
            "",
        )],
        "
p.toml:28:1: C003 this rule has no condition, so it would match every request
  hint: list `flags`, `tests`, `only_tests` or `requesters`; or set `default_band`
",
    );
    check_policy(
        &[
            ("08:00-20:00", "20:00-08:00"),
            (r#"unknown_time = "6h""#, r#"unknown_time = "never""#),
            ("requesters_percent = { ward = 120 }", "requesters_percent = { clinic = 120 }"),
        ],
        r#"
p.toml:37:24: C002 unknown key `clinic` in `requesters_percent`
  hint: known keys: practice, ward
p.toml:48:16: C003 `unknown_time` is "never", expected `hold`, `exclude` or a duration such as `6h`
p.toml:59:9: C003 `hours` is "20:00-08:00", expected hours of one day such as `08:00-20:00`
"#,
    );
}

#[test]
fn policy_fairness() {
    let limit = |section: &str| {
        let (catalogue, ..) = good();
        let text = format!("{POLICY}\n[fairness]\n{section}");
        policy(&file("p.toml", &text), &catalogue)
    };
    let least = limit("by = \"borough\"\nmax_above_percent = 20").unwrap().fairness.clone().unwrap();
    let every_band = [0, 1].map(BandIx::from_row).to_vec();
    assert_eq!((least.by, least.max_above.get(), least.min_lines), (GroupBy::Borough, 20, 20));
    assert_eq!(least.bands, every_band);
    let whole = "by = \"practice\"\nmax_above_percent = 0\nmin_lines = 1\nbands = [\"routine\", \"urgent\"]";
    let whole = limit(whole).unwrap().fairness.clone().unwrap();
    assert_eq!((whole.by, whole.min_lines, whole.bands), (GroupBy::Practice, 1, every_band));
    assert_eq!(good().1.fairness, None);
    let check = |section: &str, expected: &str| {
        let found: Vec<String> = limit(section).unwrap_err().iter().map(|found| format!("{found}\n")).collect();
        assert_eq!(found.concat(), expected, "{section}");
    };
    check(
        "bands = []\nmin_line = 3",
        "\
p.toml:73:1: C004 missing key `by` in `fairness`
p.toml:73:1: C004 missing key `max_above_percent` in `fairness`
p.toml:74:9: C003 `bands` is a list, expected at least one band
p.toml:75:1: C002 unknown key `min_line` in `fairness`
  hint: did you mean `min_lines`?
",
    );
    check(
        "by = \"town\"\nmax_above_percent = -1\nmin_lines = 0\nbands = [\"urgent\", \"rutine\", \"urgent\"]",
        "\
p.toml:74:6: C003 `by` is \"town\", expected one of `borough`, `practice`, `kind`
p.toml:75:21: C003 `max_above_percent` is -1, expected a whole number from 0 to 10000
p.toml:76:13: C003 `min_lines` is 0, expected a whole number from 1 to 4294967295
p.toml:77:20: C006 unknown band `rutine`
  hint: did you mean `routine`?
p.toml:77:30: C005 band `urgent` stands twice in this list
",
    );
}

#[test]
fn network_names() {
    check_network(
        &[
            (
                r#"site = "HUB"
name = "Chemistry""#,
                r#"site = "HUBB"
name = "Chemistry""#,
            ),
            (r#"calendar = "tuesdays""#, r#"calendar = "tuesday""#),
            (r#"bands = ["urgent"]"#, r#"bands = ["urgency"]"#),
            (r#"collection_point = "PHLEB""#, r#"collection_point = "PHLEBS""#),
        ],
        "
n.toml:35:10: C006 unknown band `urgency`
  hint: did you mean `urgent`?
n.toml:41:8: C006 unknown site `HUBB`
  hint: did you mean `HUB`?
n.toml:47:42: C006 unknown calendar `tuesday`
  hint: did you mean `tuesdays`?
n.toml:87:20: C006 unknown collection point `PHLEBS`
  hint: did you mean `PHLEB`?
",
    );
}

#[test]
fn network_couriers() {
    check_network(
        &[
            (r#"transit = "75 min""#, r#"transit = "0 min""#),
            (
                "[[collection_point]]",
                r#"[[courier]]
code = "BACK"
from = "AID"
to = "HUB"
departs = []
transit = "0 min"
boxes = 1
tubes_per_box = 1
carries = ["ambient"]

[[collection_point]]"#,
            ),
        ],
        "
n.toml:61:1: C008 couriers without transit time lead in a circle: HUB -> AID
  hint: give each of these couriers the time it is on the road
",
    );
    check_network(
        &[
            (r#"to = "AID""#, r#"to = "HUB""#),
            (r#"departs = ["mon-tue 16:00", "mon 09:30"]"#, r#"departs = ["mon-tue 16:00", "tue 16:00", "wed 24:00"]"#),
        ],
        r#"
n.toml:61:1: C003 a courier leads from one site to another, not back to it
n.toml:65:29: C005 this courier departs twice at one time on tue
n.toml:65:42: C003 `departs` is "wed 24:00", expected days and a time such as `mon-fri 09:30`
"#,
    );
}

#[test]
fn network_menus() {
    check_network(
        &[
            (r#"stock = [{ test = "K""#, r#"stock = [{ test = "HB""#),
            (
                r#"disciplines = ["chemistry"]
tests = ["HB"]
except = ["K"]"#,
                r#"tests = ["HB"]
except = ["HB"]"#,
            ),
        ],
        "
n.toml:48:19: C006 test `HB` is not on the menu of this analyser
  hint: add it to `tests`, or remove it here
n.toml:50:1: C003 there is no test on the menu of this analyser
",
    );
    check_network(
        &[(r#"calendar = "tuesdays" }"#, r#"calendar = "tuesdays" }, { tests = ["K"], calendar = "always" }"#)],
        "
n.toml:39:1: C011 the tests of panel `SALTS` have different run days here
  hint: give them one calendar, or take one of them off this menu with `except`
",
    );
}

#[test]
fn network_places() {
    check_network(
        &[
            (
                r#"kind = "hub"
calendar"#,
                r#"kind = "partner"
calendar"#,
            ),
            (
                r#"kind = "partner"
calendar = "always"
reception_per_hour = 100
centrifuge_per_hour = 100
aliquot_per_hour = 10
report_per_hour = 500
freezer_places = 0"#,
                r#"kind = "hospital"
calendar = "always"
reception_per_hour = 100
centrifuge_per_hour = 100
aliquot_per_hour = 10
report_per_hour = 500
freezer_places = 0"#,
            ),
        ],
        "
n.toml:13:1: C004 missing key `partner` in `site`
  hint: a partner, and only a partner, has a table `[site.partner]`
n.toml:24:1: C003 this site is no partner but has `partner`
  hint: a partner, and only a partner, has a table `[site.partner]`
",
    );
    check_network(
        &[(r#""tue 09:00-12:00""#, r#""tue 09:00-14:00", "someday""#), (r#""2026-12-29""#, r#""29.12.2026""#)],
        r#"
n.toml:10:28: C003 two openings of this calendar overlap on tue
  hint: join the two, or correct their hours
n.toml:10:47: C003 `open` is "someday", expected days and hours such as `mon-fri 08:00-18:00`
n.toml:11:11: C003 `closed` is "29.12.2026", expected a date such as `2026-12-25`
"#,
    );
    check_network(
        &[
            (r#"arrives = "17:00""#, r#"arrives = "08:00""#),
            (
                r#"kind = "hub"
visits"#,
                r#"kind = "clinic"
visits"#,
            ),
        ],
        r#"
n.toml:74:8: C003 `kind` is "clinic", expected one of `practice`, `hub`, `ward`
n.toml:79:39: C003 `arrives` is "08:00", expected a time after the point `opens`
"#,
    );
}

#[test]
fn network_times() {
    check_network(
        &[("2026-11-23 00:00", "2026-10-25 01:30"), ("2026-12-07 00:00", "2027-03-28 01:30")],
        "
n.toml:92:19: C003 2026-10-25 01:30 is in the hour that the clock change of Europe/London repeats
  hint: give it in UTC, with a `Z` at its end
n.toml:92:73: C003 2027-03-28 01:30 is in the hour that the clock change of Europe/London skips
  hint: give it in UTC, with a `Z` at its end
",
    );
    check_network(
        &[("2026-12-07 00:00", "2026-11-07 00:00")],
        r#"
n.toml:92:73: C003 `from` is "2026-11-07 00:00", expected a time later than that of the step before
"#,
    );
    check_network(
        &[("Europe/London", "Europe/Londres"), ("rate = 2.5", "rate = 0")],
        r#"
n.toml:2:13: C003 `time_zone` is "Europe/Londres", expected a time zone such as `Europe/London`
n.toml:44:8: C003 `rate` is 0, expected a number above 0
"#,
    );
}

#[test]
fn overrides_actions() {
    check_overrides(
        &[
            (r#"action = "pin""#, r#"action = "pn""#),
            (
                r#"band = "routine"
"#,
                "",
            ),
        ],
        r#"
overrides.toml:2:10: C003 `action` is "pn", expected one of `pin`, `hold`, `force-test`, `force-discard`, `keep`, `band`, `route`, `cap`, `visits`
  hint: did you mean `pin`?
overrides.toml:11:1: C004 missing key `band` in `override`
"#,
    );
    check_overrides(
        &[
            (
                r#"analyser = "HUB-CHEM"
by = "2026-11-24 12:00"
"#,
                "",
            ),
            (
                r#"action = "band"
request = "R1""#,
                r#"action = "band"
request = "R1"
accession = "A9""#,
            ),
        ],
        "
overrides.toml:1:1: C004 this `pin` says neither where nor by when
  hint: add `site`, `analyser` or `by`
overrides.toml:9:1: C003 this override names an `accession` and a `request`, expected one of them
",
    );
    check_overrides(
        &[
            (
                r#"analyser = "HUB-CHEM""#,
                r#"analyser = "HUB-CHEM"
site = "AID""#,
            ),
            (
                r#"site = "AID"
who"#,
                r#"site = "HUB"
who"#,
            ),
        ],
        r#"
overrides.toml:1:1: C015 this `pin` names a site and an analyser that stands at another site
  hint: leave out one of the two
overrides.toml:32:8: C015 site `HUB` is no partner
  hint: for a site of the network itself use `action = "pin"`
"#,
    );
}

#[test]
fn overrides_targets_and_times() {
    check_overrides(
        &[
            (
                r#"accession = "A1"
"#,
                "",
            ),
            (
                r#"requester = "Z00001""#,
                r#"requester = "Z00001"
accession = "A1""#,
            ),
        ],
        "
overrides.toml:1:1: C004 this override says not what it is about
  hint: add `accession` or `request`
overrides.toml:22:1: C002 unknown key `accession` in `override`
  hint: known keys: action, requester, lines_per_day, who, why, until, second
",
    );
    check_overrides(
        &[
            (
                r#"until = "2026-11-30 08:00"
"#,
                "",
            ),
            (r#"until = "2026-06-30 08:00""#, r#"until = "tomorrow""#),
        ],
        r#"
overrides.toml:1:1: C004 missing key `until` in `override`
overrides.toml:16:9: C003 `until` is "tomorrow", expected a local time such as `2026-11-23 08:00`
"#,
    );
    check_overrides(
        &[(r#"accession = "A1""#, "accession = 9434765919"), (r#"who = "manager""#, r#"who = """#)],
        "
overrides.toml:3:13: C003 `accession` is a whole number, expected text in quotes
overrides.toml:7:7: C003 `who` is text, expected 1 to 2000 characters, none of them a control character
",
    );
}
