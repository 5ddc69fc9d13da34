//! Do both formats of the exact model say what the model says? Each file is read back from its text.
//!
//! The readers know the formats, not the writers: words may stand on any line, a number may be left
//! out where it is 1, and bounds are those of the format until the file names others.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use labtriage_core::fixture::Fixture;
use labtriage_core::flags::FlagSet;
use labtriage_core::policy::SlotStretch;
use labtriage_core::time::Minutes;
use labtriage_core::units::Percent;
use labtriage_optimizer::model::{Model, Sense, VARIABLES_MAX, lp, mps};

/// A variable as a file has it.
#[derive(Clone, PartialEq, Debug)]
struct Column {
    cost: f64,
    whole: bool,
    bounds: (f64, f64),
}

/// A row as a file has it: its entries by variable, `<=` or `=`, its limit.
#[derive(Clone, PartialEq, Debug)]
struct Line {
    entries: BTreeMap<String, f64>,
    sense: &'static str,
    limit: f64,
}

/// What a file asks a solver to minimise.
#[derive(Clone, Default, PartialEq, Debug)]
struct Problem {
    columns: BTreeMap<String, Column>,
    rows: BTreeMap<String, Line>,
}

impl Problem {
    fn column(&mut self, name: &str) -> &mut Column {
        let free = || Column { cost: 0.0, whole: false, bounds: (0.0, f64::INFINITY) };
        self.columns.entry(name.to_owned()).or_insert_with(free)
    }

    fn enter(&mut self, row: &str, variable: &str, amount: f64) {
        self.column(variable);
        let twice = self.rows.get_mut(row).unwrap().entries.insert(variable.to_owned(), amount);
        assert_eq!(twice, None, "{row} names {variable} twice");
    }

    fn new_row(&mut self, name: &str, sense: &'static str) {
        let twice = self.rows.insert(name.to_owned(), Line { entries: BTreeMap::new(), sense, limit: 0.0 });
        assert_eq!(twice, None, "two rows are named {name}");
    }
}

/// What the model itself says.
fn of_model(model: &Model) -> Problem {
    let column = |cost: i64, whole| Column { cost: cost as f64, whole, bounds: (0.0, 1.0) };
    let columns = model.variables.iter().map(|of| (of.name.clone(), column(of.cost.thousandths(), of.integer)));
    let rows = model.rows.iter().map(|row| {
        let name = |variable: u32| model.variables[variable as usize].name.clone();
        let entries = row.terms.iter().map(|&(variable, amount)| (name(variable), amount as f64)).collect();
        let sense = if row.sense == Sense::Exactly { "=" } else { "<=" };
        (row.name.clone(), Line { entries, sense, limit: row.limit as f64 })
    });
    Problem { columns: columns.collect(), rows: rows.collect() }
}

/// Reads free MPS.
fn of_mps(text: &str) -> Problem {
    let (mut problem, mut section, mut whole) = (Problem::default(), "", false);
    let mut objective = "";
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if !line.starts_with(' ') {
            section = words[0];
            continue;
        }
        match (section, words.as_slice()) {
            ("ROWS", ["N", name]) => objective = name,
            ("ROWS", ["E", name]) => problem.new_row(name, "="),
            ("ROWS", ["L", name]) => problem.new_row(name, "<="),
            ("COLUMNS", [_, "'MARKER'", "'INTORG'"]) => whole = true,
            ("COLUMNS", [_, "'MARKER'", "'INTEND'"]) => whole = false,
            ("COLUMNS", [variable, row, amount]) => {
                let amount = amount.parse().unwrap();
                problem.column(variable).whole = whole;
                if *row == objective {
                    problem.column(variable).cost = amount;
                } else {
                    problem.enter(row, variable, amount);
                }
            }
            ("RHS", [_, row, limit]) => problem.rows.get_mut(*row).unwrap().limit = limit.parse().unwrap(),
            ("BOUNDS", ["UP", _, variable, most]) => {
                problem.columns.get_mut(*variable).unwrap().bounds.1 = most.parse().unwrap();
            }
            _ => panic!("`{line}` does not belong into {section}"),
        }
    }
    assert_eq!((section, whole), ("ENDATA", false));
    problem
}

/// The words of an LP file without its comments; `Subject To` is one.
fn words_of_lp(text: &str) -> Vec<&str> {
    let longest = text.lines().map(str::len).max().unwrap();
    assert!(longest <= 510, "a line of {longest} characters: CPLEX reads 510");
    let spoken = text.lines().map(|line| line.split('\\').next().unwrap());
    spoken
        .flat_map(|line| if line.trim() == "Subject To" { vec![line] } else { line.split_whitespace().collect() })
        .collect()
}

/// Reads a sum: sign, size where it is not 1, variable, until another kind of word comes.
fn sum_of_lp<'a>(words: &mut &[&'a str]) -> Vec<(&'a str, f64)> {
    let mut sum = Vec::new();
    while let [sign @ ("+" | "-"), rest @ ..] = *words {
        let size = rest[0].parse::<f64>().ok();
        let name = rest[usize::from(size.is_some())];
        let sign = if *sign == "-" { -1.0 } else { 1.0 };
        sum.push((name, sign * size.unwrap_or(1.0)));
        *words = &rest[1 + usize::from(size.is_some())..];
    }
    sum
}

/// Reads CPLEX LP.
fn of_lp(text: &str) -> Problem {
    let mut problem = Problem::default();
    let words = words_of_lp(text);
    let ["Minimize", "cost:", words @ ..] = words.as_slice() else { panic!("no objective") };
    let mut words = words;
    for (variable, cost) in sum_of_lp(&mut words) {
        problem.column(variable).cost = cost;
    }
    let mut section = "";
    while let [word, rest @ ..] = words {
        words = rest;
        match (section, *word, rest) {
            (_, "Subject To" | "Bounds" | "Binaries" | "End", _) => section = word,
            ("Subject To", name, _) => row_of_lp(&mut problem, name.strip_suffix(':').unwrap(), &mut words),
            ("Bounds", least, ["<=", variable, "<=", most, rest @ ..]) => {
                problem.column(variable).bounds = (least.parse().unwrap(), most.parse().unwrap());
                words = rest;
            }
            ("Binaries", variable, _) => {
                let column = problem.column(variable);
                (column.whole, column.bounds) = (true, (0.0, 1.0));
            }
            _ => panic!("`{word}` does not belong into {section}"),
        }
    }
    assert_eq!(section, "End");
    problem
}

fn row_of_lp(problem: &mut Problem, name: &str, words: &mut &[&str]) {
    let sum = sum_of_lp(words);
    let [sense, limit, rest @ ..] = *words else { panic!("{name} has no limit") };
    *words = rest;
    problem.new_row(name, if *sense == "=" { "=" } else { "<=" });
    assert!(matches!(*sense, "=" | "<="), "{name} has the sense {sense}");
    sum.into_iter().for_each(|(variable, amount)| problem.enter(name, variable, amount));
    problem.rows.get_mut(name).unwrap().limit = limit.parse().unwrap();
}

/// Whether a name begins like a number, or is one of the words, to a reader of LP files.
fn misread_in_lp(name: &str) -> bool {
    let words = ["st", "st.", "s.t.", "free", "inf", "infinity", "bound", "bounds", "bin", "binary", "general", "end"];
    name.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '.' | 'e' | 'E')) || words.contains(&name)
}

/// Both formats and the model are one problem.
fn check(fixture: &Fixture) -> Problem {
    let model = Model::of(&fixture.snapshot(), VARIABLES_MAX).unwrap();
    let problem = of_model(&model);
    assert_eq!(problem.columns.len(), model.variables.len(), "two variables have one name");
    for (name, of) in [("mps", of_mps(&mps::text(&model))), ("lp", of_lp(&lp::text(&model)))] {
        for (variable, column) in &problem.columns {
            assert_eq!(of.columns.get(variable), Some(column), "{variable} in {name}");
        }
        for (row, line) in &problem.rows {
            assert_eq!(of.rows.get(row), Some(line), "{row} in {name}");
        }
        assert_eq!(of, problem, "{name}");
    }
    let misread = problem.columns.keys().chain(problem.rows.keys()).find(|name| misread_in_lp(name));
    assert_eq!(misread, None);
    problem
}

/// Two days in four slots.
fn night() -> Fixture {
    let mut fixture = Fixture::new();
    let stretch =
        |until, length| SlotStretch { until: Minutes::from_hours(until), length: Minutes::from_hours(length) };
    fixture.policy.slots = vec![stretch(24, 8), stretch(48, 24)];
    fixture
}

#[test]
fn one_tube_in_both_formats() {
    let mut fixture = night();
    fixture.sample("A1", "P1", "EDTA", &["FBC"]);
    check(&fixture);
}

#[test]
fn couriers_aliquots_visits_and_holds_in_both_formats() {
    let mut fixture = night();
    fixture.network.capacity = Percent::new(1);
    fixture.sample("A1", "P1", "SST", &["CRP", "TSH"]).band("urgent").volume(105);
    fixture.sample("A2", "P1", "EDTA", &["FBC"]).site("HOSP").collected_hours_ago(30);
    fixture.sample("A3", "P2", "CSF", &["CSFC"]).flags(FlagSet::DECEASED);
    fixture.sample("A4", "P3", "SST", &["K"]).result_held("K");
    fixture.sample("A5", "P4", "SST", &["K"]).collected_unknown();
    let problem = check(&fixture);
    // Everything that a file can say is said: free and whole, sums and rows of both kinds, signs and sizes.
    let some = |what: &str, wanted: fn(&Line) -> bool| assert!(problem.rows.values().any(wanted), "{what}");
    some("a sum", |row| row.sense == "=" && row.limit == 0.0);
    some("a limit", |row| row.sense == "<=" && row.limit > 1.0);
    some("what is less", |row| row.entries.values().any(|amount| *amount < 0.0));
    some("a size", |row| row.entries.values().any(|amount| *amount > 1.0));
    some("more than a line", |row| row.entries.len() > 8);
    assert!(problem.columns.values().any(|column| column.whole && column.cost > 0.0));
    assert!(!problem.columns["fixed"].whole && problem.columns["fixed"].cost > 0.0);
}

#[test]
fn an_empty_backlog_in_both_formats() {
    assert_eq!(check(&night()), Problem::default());
}
