//! What does the laboratory's own system hold? Tubes that arrive, results that come back, extracts of a night.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::scene::{Scene, day, dice, name, rows};

/// Columns of an extract, in order.
const COLUMNS: [&str; 17] = [
    "accession",
    "request",
    "patient",
    "requester",
    "band",
    "clinical_flags",
    "requested_at",
    "collected_at",
    "received_at",
    "separated_at",
    "specimen",
    "site",
    "condition",
    "history",
    "volume_ul",
    "tests",
    "sample_flags",
];

/// A row of the extract, by column.
type Tube = BTreeMap<String, String>;

/// What the system holds.
#[derive(Default)]
pub(crate) struct Laboratory {
    /// Tubes that are there, by accession.
    tubes: BTreeMap<String, Tube>,
    /// When results were sent, by accession and test.
    results: BTreeMap<(String, String), String>,
    /// Results that name their patient only.
    of_patients: Vec<Tube>,
    /// New tubes of recalled patients, until they arrive.
    bled_again: Vec<Tube>,
    again: u32,
}

impl Laboratory {
    /// What arrives by an evening: tubes of the simulator, and those of patients who were called back.
    pub(crate) fn arrivals(&mut self, scene: &Scene, night: u32, samples: u32) {
        let (samples, night_text, out) = (samples.to_string(), night.to_string(), format!("arrivals/{night}"));
        scene.data(&[
            "generate",
            "--scenario",
            "synnovis-week-1",
            "--samples",
            &samples,
            "--seed",
            "1",
            "--night",
            &night_text,
            "--out",
            &out,
            "--quiet",
        ]);
        for tube in rows(&scene.path(&out).join("backlog.csv")).into_iter().chain(self.bled_again.drain(..)) {
            let taken = self.tubes.insert(tube["accession"].clone(), tube);
            assert!(taken.is_none(), "an accession number comes twice");
        }
        let known = scene.path(&out).join("results.csv");
        for result in if known.exists() { rows(&known) } else { Vec::new() } {
            if result["accession"].is_empty() {
                self.of_patients.push(result);
            } else {
                let key = (result["accession"].clone(), result["test"].clone());
                self.results.insert(key, result["resulted_at"].clone());
            }
        }
    }

    /// The results that the plan of the night before says are out by now; a few never come.
    pub(crate) fn results(&mut self, scene: &Scene, night: u32) {
        let Some(before) = night.checked_sub(1) else { return };
        let now = format!("{} 20:00", day(night));
        for entry in fs::read_dir(scene.path("plans").join(name(before)).join("worklists")).unwrap() {
            for row in rows(&entry.unwrap().path()) {
                let (accession, test) = (row["accession"].clone(), row["test"].clone());
                let comes =
                    !accession.is_empty() && row["reported"] <= now && dice(&format!("{accession}{test}"), 20) > 0;
                if comes && self.tubes.contains_key(&accession) {
                    self.results.insert((accession, test), row["reported"].replace(' ', "T"));
                }
            }
        }
        let results = &self.results;
        let waits = |tube: &Tube| {
            tests(&tube["tests"]).any(|test| !results.contains_key(&(tube["accession"].clone(), test.to_owned())))
        };
        self.tubes.retain(|_, tube| waits(tube));
    }

    /// Tubes that were thrown away leave the system.
    pub(crate) fn without(&mut self, disposed: &BTreeSet<String>) {
        self.tubes.retain(|accession, _| !disposed.contains(accession));
    }

    /// A patient was bled again in the place of some tubes: new ones arrive with the next evening.
    pub(crate) fn bled_again(&mut self, patient: &str, wanted: &BTreeMap<String, BTreeSet<String>>, day: &str) {
        for (accession, tests) in wanted {
            let Some(old) = self.tubes.get(accession).filter(|old| old["patient"] == patient) else { continue };
            let mut new = old.clone();
            self.again += 1;
            let mut set = |column: &str, value: String| new.insert(column.to_owned(), value);
            set("accession", format!("24R{:07}", self.again));
            set("collected_at", format!("{day}T09:30"));
            set("received_at", format!("{day}T13:00"));
            set("tests", tests.iter().cloned().collect::<Vec<_>>().join(";"));
            set("condition", "ambient".to_owned());
            for column in ["separated_at", "history", "volume_ul", "sample_flags"] {
                set(column, String::new());
            }
            self.bled_again.push(new);
        }
    }

    /// Writes and seals the extract of an evening.
    pub(crate) fn extract(&self, scene: &Scene, night: u32) {
        let folder = scene.path("inbox").join(name(night));
        fs::create_dir(&folder).unwrap();
        let mut backlog = csv::Writer::from_path(folder.join("backlog.csv")).unwrap();
        backlog.write_record(COLUMNS).unwrap();
        for tube in self.tubes.values() {
            backlog.write_record(COLUMNS.map(|column| tube[column].as_str())).unwrap();
        }
        backlog.flush().unwrap();
        let mut results = csv::Writer::from_path(folder.join("results.csv")).unwrap();
        results.write_record(["accession", "patient", "test", "resulted_at"]).unwrap();
        for ((accession, test), at) in &self.results {
            results.write_record([accession.as_str(), "", test, at]).unwrap();
        }
        for row in &self.of_patients {
            results.write_record(["", &row["patient"], &row["test"], &row["resulted_at"]]).unwrap();
        }
        results.flush().unwrap();
        fs::copy(scene.path("arrivals/0/network.toml"), folder.join("network.toml")).unwrap();
        let (folder, taken) = (format!("inbox/{}", name(night)), format!("{}T18:45Z", day(night)));
        scene.data(&["manifest", &folder, "--taken", &taken, "--quiet"]);
    }
}

/// The tests of a tube; a star marks a result that is there already.
pub(crate) fn tests(field: &str) -> impl Iterator<Item = &str> {
    field.split(';').map(|test| test.trim_end_matches('*'))
}
