//! How near does the engine come on public instances of generalized assignment?
//!
//! ```sh
//! LABTRIAGE_INSTANCES=folder cargo run --release -p labtriage-examples --example generalized_assignment
//! ```
//!
//! The folder holds the files of OR-Library (Beasley, 1990) and `best_known.csv`
//! (`instance,bound,best_known`). Without it a tiny instance is solved.
#![expect(clippy::print_stdout, reason = "an example talks")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use labtriage_optimizer::engine::table::{Offer, Table};
use labtriage_optimizer::engine::{Settings, Solution, solve};

/// The variable that names the folder.
const FOLDER: &str = "LABTRIAGE_INSTANCES";
/// Per instance.
const TIME_MAX: Duration = Duration::from_secs(10);

/// What is known of an instance.
struct Known {
    name: String,
    best: i64,
}

/// What came out, gaps in percent.
struct Row {
    to_bound: f64,
    to_best: f64,
    seconds: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    match std::env::var_os(FOLDER) {
        Some(folder) => public_instances(&PathBuf::from(folder)),
        None => tiny_instance(),
    }
}

fn tiny_instance() -> Result<(), Box<dyn Error>> {
    println!("{FOLDER} is not set: the public instances are left out");
    let table = parse("2 3  4 1 3  2 3 4  2 2 1  1 2 2  3 3")?;
    let solution = run(&table, &Settings::default());
    println!("a tiny instance costs {}, bound {:.2}", solution.cost, solution.bound);
    assert_eq!((solution.open, solution.cost), (0, 6), "the optimum is known");
    Ok(())
}

fn public_instances(folder: &Path) -> Result<(), Box<dyn Error>> {
    let only = std::env::args().nth(1).unwrap_or_default();
    println!("{:<8} {:>7} {:>10} {:>9} {:>9} {:>6}", "instance", "cost", "bound", "to bound", "to best", "s");
    let mut rows = Vec::new();
    for known in read_known(&folder.join("best_known.csv"))? {
        if known.name.starts_with(&only) {
            let table = parse(&std::fs::read_to_string(folder.join(&known.name))?)?;
            rows.push(measure(&known, &table));
        }
    }
    let mean = |value: fn(&Row) -> f64| rows.iter().map(value).sum::<f64>() / rows.len() as f64;
    let worst = rows.iter().map(|row| row.to_best).fold(0.0, f64::max);
    let (to_bound, to_best) = (mean(|row| row.to_bound), mean(|row| row.to_best));
    println!("{:<8} {:>7} {:>10} {to_bound:>8.3}% {to_best:>8.3}% {:>6.2}", "mean", "", "", mean(|row| row.seconds));
    println!("worst to best known: {worst:.3}%");
    Ok(())
}

fn measure(known: &Known, table: &Table) -> Row {
    let began = Instant::now();
    let settings = Settings { gap: 0.0, neighbourhoods: 100_000, ..Settings::default() };
    let solution = run(table, &settings);
    let seconds = began.elapsed().as_secs_f64();
    let above = |least: f64| 100.0 * (solution.cost as f64 - least) / least;
    let row = Row { to_bound: above(solution.bound), to_best: above(known.best as f64), seconds };
    let (cost, bound) = (solution.cost, solution.bound);
    let open = if solution.open > 0 { format!(" {} jobs without an agent", solution.open) } else { String::new() };
    println!(
        "{:<8} {cost:>7} {bound:>10.2} {:>8.3}% {:>8.3}% {seconds:>6.2}{open}",
        known.name, row.to_bound, row.to_best
    );
    row
}

fn run(table: &Table, settings: &Settings) -> Solution<usize> {
    let began = Instant::now();
    solve(table, settings, &|| began.elapsed().as_secs_f64() / TIME_MAX.as_secs_f64(), &|_| ())
}

fn read_known(path: &Path) -> Result<Vec<Known>, Box<dyn Error>> {
    let mut reader = csv::Reader::from_path(path)?;
    let known = |record: Result<csv::StringRecord, csv::Error>| {
        let record = record?;
        Ok(Known { name: record[0].to_owned(), best: record[2].parse()? })
    };
    reader.records().map(known).collect()
}

/// `m n`, then m rows of n costs, m rows of n amounts, m capacities.
fn parse(text: &str) -> Result<Table, Box<dyn Error>> {
    let numbers: Vec<u64> = text.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    let [agents, jobs] = [numbers.first(), numbers.get(1)].map(|number| number.map_or(0, |number| *number as usize));
    let expected = 2 + agents * (2 * jobs + 1);
    if numbers.len() < expected {
        return Err(format!("{} numbers, expected {expected}", numbers.len()).into());
    }
    let (costs, rest) = numbers[2..].split_at(agents * jobs);
    let (amounts, limits) = rest.split_at(agents * jobs);
    let offer = |agent: usize, job: usize| Offer {
        cost: costs[agent * jobs + job].cast_signed(),
        uses: vec![(agent, amounts[agent * jobs + job])],
    };
    let offers = (0..jobs).map(|job| (0..agents).map(|agent| offer(agent, job)).collect()).collect();
    Ok(Table { offers, limits: limits[..agents].to_vec() })
}
