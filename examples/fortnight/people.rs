//! What do people decide in the morning? Discards, overrides, and practices' answers, each also noted by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use labtriage_ledger::OwnedPseudonym;
use labtriage_ledger::records::Notice;
use labtriage_ledger::states::NoticeState;
use serde_json::Value;

use crate::count::tubes;
use crate::laboratory::Laboratory;
use crate::scene::{Scene, day, dice, name, rows};

/// Practices that answer on one morning, at most.
const ANSWERS: usize = 12;

/// A list that names a patient: night and practice.
type List = (u32, String);

/// An answer: patient, word, day.
type Answer = (String, &'static str, String);

/// What people have done so far.
#[derive(Default)]
pub(crate) struct People {
    authorised: BTreeSet<String>,
    decided: BTreeSet<String>,
    disposed: BTreeSet<String>,
    /// The visit of each patient who has one booked, and on which list that was.
    booked: BTreeMap<String, (String, List)>,
    /// What was done, in order: the notes that the figures are held against.
    notes: Vec<[String; 3]>,
    today: String,
}

impl People {
    /// Everything that is done on the morning after a night.
    pub(crate) fn work(&mut self, scene: &Scene, laboratory: &mut Laboratory, night: u32) {
        self.today = day(night + 1);
        let now = format!("{}T09:00", self.today);
        self.dispose(scene, &now);
        laboratory.without(&self.disposed);
        self.decide(scene, night, &now);
        self.decide_planning(scene, night, &now);
        self.visits(scene, laboratory, night, &now);
        self.answers(scene, night, &now);
        self.asks(scene, night, &now);
        self.write(scene);
    }

    fn note(&mut self, what: &str, about: &str) {
        self.notes.push([what.to_owned(), about.to_owned(), self.today.clone()]);
    }

    /// What was authorised the morning before is thrown away.
    fn dispose(&mut self, scene: &Scene, now: &str) {
        let tubes = std::mem::take(&mut self.authorised);
        discards(scene, "dispose", &tubes, now, &["--by", "C. Porter"]);
        tubes.iter().for_each(|accession| self.note("disposed", accession));
        self.disposed.extend(tubes);
    }

    /// Proposals whose minimum hold is over are authorised by two people, but one in nine is rejected.
    fn decide(&mut self, scene: &Scene, night: u32, now: &str) {
        let proposals = rows(&scene.path("plans").join(name(night)).join("discards.csv"));
        let over = proposals.iter().filter(|row| row["hold_ended"].replace(' ', "T").as_str() <= now);
        let tubes: BTreeSet<String> = over.map(|row| row["accession"].clone()).collect();
        let tubes: BTreeSet<String> = tubes.difference(&self.decided).cloned().collect();
        let (rejected, authorised): (BTreeSet<String>, BTreeSet<String>) =
            tubes.iter().cloned().partition(|accession| dice(accession, 9) == 0);
        discards(scene, "authorise", &authorised, now, &["--by", "A. Manager", "--second", "B. Scientist"]);
        discards(scene, "reject", &rejected, now, &["--by", "A. Manager", "--why", "kept for research"]);
        authorised.iter().for_each(|accession| self.note("authorised", accession));
        rejected.iter().for_each(|accession| self.note("rejected", accession));
        self.authorised = authorised;
        self.decided.extend(tubes);
    }

    /// On some mornings a tube is held for a day and a half, or a request becomes more pressing.
    fn decide_planning(&mut self, scene: &Scene, night: u32, now: &str) {
        let extract = rows(&scene.path("inbox").join(name(night)).join("backlog.csv"));
        let row = &extract[usize::try_from(dice(now, extract.len() as u64)).unwrap()];
        let what: &[&str] = match night {
            1 | 7 => &["hold", "--accession", &row["accession"]],
            2 | 8 => &["band", "--band", "immediate", "--request", &row["request"]],
            _ => return,
        };
        let until = format!("{}T21:00", day(night + 2));
        let who = ["--by", "D. Biochemist", "--why", "telephoned", "--until", &until];
        let fixed = ["overrides", "set", "--ledger", &scene.ledger, "--now", now, "--quiet", "--action"];
        scene.data(&[&fixed[..], what, &who].concat());
        self.note("override", what[0]);
    }

    /// Patients whose visit was due have been bled again, but one in eight has not come.
    fn visits(&mut self, scene: &Scene, laboratory: &mut Laboratory, night: u32, now: &str) {
        let today = day(night + 1);
        let mut lists: BTreeMap<List, Vec<Answer>> = BTreeMap::new();
        for (patient, (visit, list)) in self.booked.extract_if(.., |_, (visit, _)| *visit <= today) {
            // The laboratory has called the visit off: the result came after all.
            let Some(notice) = open_notice(scene, &patient) else { continue };
            if dice(&patient, 8) == 0 {
                lists.entry(list).or_default().push((patient, "declined", String::new()));
            } else {
                laboratory.bled_again(&patient, &wanted(&notice), &visit);
                lists.entry(list).or_default().push((patient, "done", visit));
            }
        }
        for (list, answers) in lists {
            for (patient, word, _) in acknowledge(scene, &list, now, &answers) {
                self.note(word, &patient);
            }
        }
    }

    /// Some practices answer their lists of the night.
    fn answers(&mut self, scene: &Scene, night: u32, now: &str) {
        let folder = scene.path("plans").join(name(night)).join("recalls");
        let lists = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        let practice = |list: &std::path::PathBuf| list.file_stem().unwrap().to_str().unwrap().to_owned();
        let mut practices: Vec<String> = lists.map(|list| practice(&list)).collect();
        practices.sort_by_key(|practice| dice(&format!("{night}{practice}"), u64::MAX));
        for practice in practices.into_iter().take(ANSWERS) {
            let patients = rows(&folder.join(format!("{practice}.csv")));
            // Where two practices have the patient, one of them calls.
            let ours = |patient: &str| {
                open_notice(scene, patient)
                    .is_some_and(|notice| notice.state == NoticeState::Open && notice.requester == practice)
            };
            let answers: Vec<Answer> = patients
                .iter()
                .filter(|row| ours(&row["patient"]))
                .filter_map(|row| said(&row["patient"], &row["visit_day"]))
                .collect();
            let list = (night, practice);
            for (patient, word, visit) in acknowledge(scene, &list, now, &answers) {
                self.note(word, &patient);
                if word == "booked" {
                    self.booked.insert(patient, (visit, list.clone()));
                }
            }
        }
    }

    /// A practice asks what became of its samples: it hears of all that have ever arrived, and of nobody else's.
    fn asks(&mut self, scene: &Scene, night: u32, now: &str) {
        let extract = rows(&scene.path("inbox").join(name(night)).join("backlog.csv"));
        let practice =
            &extract[usize::try_from(dice(&format!("asks {now}"), extract.len() as u64)).unwrap()]["requester"];
        let fixed = ["status", "--ledger", &scene.ledger, "--by", "F. Receptionist", "--now", now, "--json"];
        let told = scene.data(&[&fixed[..], &["--practice", practice]].concat());
        let told: Value = serde_json::from_str(&told).unwrap();
        let samples = told["samples"].as_array().unwrap();
        let known: BTreeSet<&str> = samples.iter().map(|sample| sample["accession"].as_str().unwrap()).collect();
        let tubes = tubes(scene, night + 1);
        let ours = tubes.values().filter(|tube| tube["requester"] == *practice);
        assert_eq!(known, ours.map(|tube| tube["accession"].as_str()).collect(), "{practice} on the morning of {now}");
        let notices = told["notices"].as_array().unwrap();
        assert!(notices.iter().all(|notice| notice["requester"] == practice.as_str()));
        self.note("asked", practice);
    }

    fn write(&self, scene: &Scene) {
        let mut file = csv::Writer::from_path(scene.path("people.csv")).unwrap();
        file.write_record(["what", "about", "day"]).unwrap();
        for note in &self.notes {
            file.write_record(note).unwrap();
        }
        file.flush().unwrap();
    }
}

fn discards(scene: &Scene, what: &str, tubes: &BTreeSet<String>, now: &str, who: &[&str]) {
    if tubes.is_empty() {
        return;
    }
    let tubes: Vec<&str> = tubes.iter().map(String::as_str).collect();
    let fixed = ["discards", what, "--ledger", &scene.ledger, "--now", now, "--quiet"];
    scene.data(&[&fixed[..], who, &tubes].concat());
}

/// What a practice says of a patient; nothing where no visit is offered.
fn said(patient: &str, visit: &str) -> Option<Answer> {
    let (word, visit) = match dice(patient, 20) {
        0 => ("not ours", ""),
        1 | 2 => ("declined", ""),
        _ if visit.is_empty() => return None,
        _ => ("booked", visit),
    };
    Some((patient.to_owned(), word, visit.to_owned()))
}

/// Sends a practice's answers; returns those that were taken.
fn acknowledge(scene: &Scene, (night, practice): &List, now: &str, answers: &[Answer]) -> Vec<Answer> {
    if answers.is_empty() {
        return Vec::new();
    }
    let mut file = csv::Writer::from_path(scene.path("answers.csv")).unwrap();
    file.write_record(["patient", "answer", "answer_day"]).unwrap();
    for (patient, word, visit) in answers {
        file.write_record([patient.as_str(), word, visit]).unwrap();
    }
    file.flush().unwrap();
    let plan = format!("plans/{}", name(*night));
    let told = scene.data(&[
        "recalls",
        "acknowledge",
        "answers.csv",
        "--plan",
        &plan,
        "--practice",
        practice,
        "--ledger",
        &scene.ledger,
        "--by",
        "E. Clerk",
        "--now",
        now,
        "--json",
    ]);
    let told: Value = serde_json::from_str(&told).unwrap();
    let lines = told["accepted"].as_array().unwrap().iter().map(|row| row["line"].as_u64().unwrap());
    // The header is line 1.
    lines.map(|line| answers[usize::try_from(line).unwrap() - 2].clone()).collect()
}

fn open_notice(scene: &Scene, patient: &str) -> Option<Notice> {
    let notices = scene.open().notices_of(&OwnedPseudonym::new(patient)).unwrap();
    notices.into_iter().map(|known| known.record).find(|notice| notice.state.is_open())
}

/// The tests to take again, by the tube that was lost.
fn wanted(notice: &Notice) -> BTreeMap<String, BTreeSet<String>> {
    let mut wanted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for one in &notice.wanted {
        wanted.entry(one.accession.clone()).or_default().insert(one.test.clone());
    }
    wanted
}
