//! How good are the rules and the optimizer, side by side? One Markdown table a scenario.
//!
//! ```text
//! cargo bench -p labtriage-benches --bench compare -- --scenario synnovis-week-1 --samples 3000 --seed 1
//! ```
//!
//! `--scenario` and `--samples` may be repeated; `--unlimited` adds the optimizer with no limit on time, which
//! takes minutes on a thousand samples. Every row is made by a process of its own, so that
//! its peak memory is that of the row: snapshot and planning, without the making of the backlog.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::Command;
use std::time::{Duration, Instant};

use labtriage_core::audit::audit;
use labtriage_core::certificate::bounds;
use labtriage_core::cost::cost;
use labtriage_core::plan::{Disposition, Plan, Rule};
use labtriage_core::snapshot::Snapshot;
use labtriage_core::summary::Summary;
use labtriage_core::units::Cost;
use labtriage_optimizer::optimise::optimise;
use labtriage_optimizer::optimise::settings;
use labtriage_simulator::{Request, Scenario};

mod backlog;

/// The rows of a table; the last one's bound is what all are compared with.
const ROWS: [&str; 6] = ["fifo", "edf", "band-edf", "LabTriage, 1 s", "LabTriage, 10 s", UNLIMITED];

/// The row of the optimizer that stops by itself.
const UNLIMITED: &str = "LabTriage";

/// The argument that makes this program one row of a table.
const ONE_ROW: &str = "--one-row";

/// Samples when nobody says how many: quick, yet not everything fits.
const SAMPLES: u32 = 1_000;

fn main() {
    let arguments = Arguments::read(std::env::args().skip(1));
    if let Some(row) = &arguments.row {
        let (scenario, samples) = (arguments.scenarios[0], arguments.samples[0]);
        print(&one_row(row, Request { scenario, samples, seed: arguments.seed, night: 0, hostile: false }));
        return;
    }
    for &scenario in &arguments.scenarios {
        for &samples in &arguments.samples {
            table(Request { scenario, samples, seed: arguments.seed, night: 0, hostile: false }, &arguments.rows());
        }
    }
}

/// What was asked for.
struct Arguments {
    scenarios: Vec<Scenario>,
    samples: Vec<u32>,
    seed: u64,
    row: Option<String>,
    /// Run by `cargo bench`, and not as a test.
    measure: bool,
    /// With the row that no clock stops.
    unlimited: bool,
}

impl Arguments {
    fn read(arguments: impl Iterator<Item = String>) -> Self {
        let (scenarios, samples) = (Vec::new(), Vec::new());
        let mut this = Self { scenarios, samples, seed: 1, row: None, measure: false, unlimited: false };
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().unwrap_or_else(|| panic!("`{argument}` needs a value"));
            match argument.as_str() {
                "--scenario" => this.scenarios.push(scenario(&value())),
                "--samples" => this.samples.push(value().parse().expect("a number of samples")),
                "--seed" => this.seed = value().parse().expect("a seed"),
                ONE_ROW => this.row = Some(value()),
                "--bench" => this.measure = true,
                "--unlimited" => this.unlimited = true,
                "--test" => this.measure = false,
                _ => panic!("unknown argument `{argument}`; there are --scenario, --samples, --seed and --unlimited"),
            }
        }
        if this.scenarios.is_empty() {
            this.scenarios = Scenario::ALL.to_vec();
        }
        if this.samples.is_empty() {
            this.samples = vec![if this.measure { SAMPLES } else { 50 }];
        }
        this
    }

    /// A test only sees that rows can be made.
    fn rows(&self) -> Vec<&'static str> {
        let rows = if self.measure { &ROWS[..] } else { &ROWS[..1] };
        rows.iter().copied().filter(|&row| row != UNLIMITED || self.unlimited).collect()
    }
}

fn scenario(name: &str) -> Scenario {
    let known = || Scenario::ALL.map(Scenario::name).join(", ");
    Scenario::from_name(name).unwrap_or_else(|| panic!("no scenario `{name}`; there are {}", known()))
}

fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    // A reader that has gone away is no error.
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Prints a table, row by row as each is made.
fn table(request: Request, rows: &[&str]) {
    let Request { scenario, samples, seed, .. } = request;
    let made: Vec<(&str, Measured)> = rows.iter().map(|&row| (row, Measured::of(row, request))).collect();
    let Some((_, last)) = made.last() else { return };
    print(&format!("## {}, {samples} samples, seed {seed}\n", scenario.name()));
    let bands: Vec<&str> = last.run.keys().map(String::as_str).collect();
    print(&format!("| by | cost | cost ÷ bound | run: {} | recalled | seconds | peak memory |", bands.join(" / ")));
    print("|---|---:|---:|---:|---:|---:|---:|");
    for (row, of) in &made {
        let run: Vec<String> = of.run.values().map(ToString::to_string).collect();
        let ratio = last
            .bound
            .filter(|bound| *bound > 0)
            .map_or_else(|| "no bound".to_owned(), |bound| format!("{:.4}", of.cost as f64 / bound as f64));
        let memory = of.peak_kilobytes.map_or_else(|| "not measured".to_owned(), |kb| format!("{} MB", kb / 1024));
        let (cost, run, patients) = (Cost::from_thousandths(of.cost), run.join(" / "), of.patients);
        let unlawful = if of.broken > 0 { format!(" (unlawful: breaks {} laws)", of.broken) } else { String::new() };
        print(&format!("| {row}{unlawful} | {cost} | {ratio} | {run} | {patients} | {:.2} | {memory} |", of.seconds));
    }
    print(
        "\nCost in weighted days; bound: that of the last row, which holds for every plan that decides the stages \
         before each stage as that row does; run: lines tested or reported, by band; recalled: patients.\n",
    );
}

/// What one row has come to.
struct Measured {
    cost: i64,
    /// How often the plan breaks a law; its cost then says nothing.
    broken: i64,
    bound: Option<i64>,
    /// Lines run by band, in order of its number.
    run: BTreeMap<String, u64>,
    patients: usize,
    seconds: f64,
    peak_kilobytes: Option<u64>,
}

impl Measured {
    /// Makes a row in a process of its own.
    fn of(row: &str, request: Request) -> Self {
        let program = std::env::current_exe().expect("this program");
        let (samples, seed) = (request.samples.to_string(), request.seed.to_string());
        let arguments = ["--scenario", request.scenario.name(), "--samples", &samples, "--seed", &seed, ONE_ROW, row];
        let ran = Command::new(program).args(arguments).output().expect("this program starts");
        let words = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "the row `{row}` failed: {words}");
        Self::read(&String::from_utf8_lossy(&ran.stdout))
    }

    fn read(text: &str) -> Self {
        let facts: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.split_once(' ')).collect();
        let number = |name: &str| facts.get(name).and_then(|value| value.parse::<i64>().ok());
        let bands = facts.iter().filter_map(|(name, value)| Some((name.strip_prefix("run-")?, value.parse().ok()?)));
        Self {
            cost: number("cost").expect("a cost"),
            broken: number("broken").unwrap_or(0),
            bound: number("bound"),
            run: bands.map(|(band, lines)| (band.to_owned(), lines)).collect(),
            patients: number("patients").and_then(|patients| usize::try_from(patients).ok()).unwrap_or(0),
            seconds: facts.get("seconds").and_then(|seconds| seconds.parse().ok()).unwrap_or(f64::NAN),
            peak_kilobytes: number("peak").and_then(|peak| u64::try_from(peak).ok()),
        }
    }
}

/// Makes the plan of a row and says what it has come to, one fact a line.
fn one_row(row: &str, request: Request) -> String {
    let snapshot = backlog::Night::of(request).snapshot();
    forget_peak();
    let began = Instant::now();
    let (plan, bound) = plan(&snapshot, row, began);
    let seconds = began.elapsed().as_secs_f64();
    let peak = peak();
    let broken = audit(&snapshot, &plan);
    let split = cost(&snapshot, &plan);
    let summary = Summary::of(&snapshot, &plan, split, None);
    let mut facts = vec![
        format!("cost {}", split.total().thousandths()),
        format!("broken {}", broken.len()),
        format!("seconds {seconds}"),
        format!("patients {}", recalled(&snapshot, &plan)),
    ];
    facts.extend(bound.map(|bound| format!("bound {}", bound.thousandths())));
    facts.extend(peak.map(|peak| format!("peak {peak}")));
    for (number, (band, lines)) in snapshot.policy.bands.iter().zip(summary.bands.iter()).enumerate() {
        facts.push(format!("run-{}-{} {}", number + 1, band.code, lines.run + lines.report_only));
    }
    facts.join("\n")
}

/// The plan of a row; of the optimizer also what its prices prove.
fn plan(snapshot: &Snapshot, row: &str, began: Instant) -> (Plan, Option<Cost>) {
    if let Some(rule) = Rule::ALL.into_iter().find(|rule| rule.text() == row) {
        return (labtriage_optimizer::plan(snapshot, rule, &|_, _| {}), None);
    }
    let limit = match row {
        "LabTriage, 1 s" => Some(Duration::from_secs(1)),
        "LabTriage, 10 s" => Some(Duration::from_secs(10)),
        _ => None,
    };
    let gone = || limit.map_or(0.0, |limit| began.elapsed().as_secs_f64() / limit.as_secs_f64());
    let made = optimise(snapshot, &settings(0.001), &gone, &|_| {});
    let bound = bounds(snapshot, &made.plan, &made.certificate).into_iter().sum();
    (made.plan, Some(bound))
}

fn recalled(snapshot: &Snapshot, plan: &Plan) -> usize {
    let lines = plan.lines.enumerate().filter(|(_, disposition)| matches!(disposition, Disposition::Recall(_)));
    let mut patients: Vec<_> = lines.map(|(line, _)| snapshot.backlog.patient_of(line)).collect();
    patients.sort_unstable();
    patients.dedup();
    patients.len()
}

/// Lets the peak begin again at what is held now, where the system can do that.
fn forget_peak() {
    if cfg!(target_os = "linux") {
        // Where it cannot, the peak includes the making of the backlog.
        let _ = std::fs::write("/proc/self/clear_refs", "5");
    }
}

/// The most memory this process has held, in kilobytes; none where that is not known.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}
