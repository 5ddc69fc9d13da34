//! What have people decided since? Overrides of the ledger and answers to recalls, as a file that the plan can name.
//!
//! A plan is made from files, so that `check --plan` can make sure of it from files alone. What the ledger knows is
//! therefore written beside the plan, after the overrides of the extract, as overrides of the same kind. A line whose
//! practice has answered (the visit is booked or done, the patient declined or is another practice's), and a sample whose
//! discard is authorised or done, is held: it is neither run nor recalled nor proposed again. A sample whose discard was
//! rejected is kept: it is not proposed again, and its recalls stand. A booked visit that is still to come takes its place at
//! the collection point that was offered, so that no other patient is given it.

use std::collections::BTreeMap;

use labtriage_core::catalogue::Catalogue;
use labtriage_core::network::Network;
use labtriage_core::overrides::{Action, Override};
use labtriage_core::policy::Policy;
use labtriage_core::table::TestIx;
use labtriage_core::time::{Day, Instant, Minutes};
use labtriage_formats::config::ConfigFile;
use labtriage_formats::config::defaults::SourcedFile;
use labtriage_formats::config::overrides::{Entry, overrides, overrides_toml};
use labtriage_formats::digest;
use labtriage_ledger::states::NoticeState;

use super::known::{Answered, People, Tube};
use crate::commands::overrides::as_toml;
use crate::failure::Failure;

/// Where the file stands in the folder of a night.
pub(crate) const FILE: &str = "inputs/overrides.toml";

/// Who holds a line for an answer or a discard.
const LEDGER: &str = "ledger";

/// How long such a hold lasts; every night sets it anew.
const HOLD: Minutes = Minutes::from_days(62);

/// The overrides of a night, and what of them comes from answers.
#[derive(Debug, Default)]
pub(crate) struct Decisions {
    /// All overrides as a file; none where nobody has decided anything.
    pub(crate) file: Option<SourcedFile>,
    /// Lines whose answers the plan knows: held, unless a person wants something else.
    pub(crate) answered: Answered,
    /// The line of the file at which the holds for answers and discards begin.
    pub(crate) first_hold: u32,
    /// The number of each override of the ledger, by its line in the file.
    pub(crate) numbers: Vec<(u32, String)>,
}

/// The nouns that overrides refer to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nouns<'a> {
    pub(crate) catalogue: &'a Catalogue,
    pub(crate) network: &'a Network,
    pub(crate) policy: &'a Policy,
}

/// Puts together the overrides of the extract, those of the ledger that are in force, and the holds for answers.
pub(crate) fn decisions(
    own: Option<&SourcedFile>,
    people: People,
    nouns: Nouns<'_>,
    now: Instant,
) -> Result<Decisions, Failure> {
    let mut text = own.map_or_else(String::new, |own| format!("{}\n", own.file.text.trim_end()));
    let mut numbers = Vec::new();
    for decided in &people.overrides {
        numbers.push((next_line(&text), decided.id.clone()));
        text.push_str(&as_toml(std::slice::from_ref(decided)));
    }
    let name = own.map_or("overrides of the ledger", |own| own.file.name.as_str());
    let decided = overrides(&text, name, nouns.catalogue, nouns.network, nouns.policy)?;
    let first_hold = next_line(&text);
    let against = |action: Action| Actions::against(&action, &decided, nouns, now);
    let (holding, keeping) = (against(Action::Hold), against(Action::Keep));
    let mut holds = Holds { text, holding, keeping, until: now.plus(HOLD).to_string() };
    for (accession, test, state) in people.answered.lines() {
        // A sample that was disposed of is held whole.
        if let (Some(request), Some(why)) = (people.requests.get(accession), why_held(state)) {
            holds.line(accession, request, test, why);
        }
    }
    people.authorised.iter().for_each(|tube| holds.sample(tube, "its discard is authorised"));
    people.disposed.iter().for_each(|tube| holds.sample(tube, "it was disposed of"));
    people.rejected.iter().for_each(|tube| holds.keep(tube));
    holds.book(&people.booked, nouns.network, now);
    let text = holds.text;
    let file = (!text.is_empty()).then(|| SourcedFile {
        digest: digest::of_bytes(text.as_bytes()),
        file: ConfigFile { name: name.to_owned(), text },
        origin: FILE.to_owned(),
    });
    Ok(Decisions { file, answered: people.answered, first_hold, numbers })
}

impl Decisions {
    /// The ledger's number of an override, by its line in the file.
    pub(crate) fn number_at(&self, line: u32) -> Option<&str> {
        self.numbers.iter().find(|(at, _)| *at == line).map(|(_, id)| id.as_str())
    }
}

/// What people want done that no hold, or no keeping, leaves room for. One beside it would be a contradiction, for which
/// the whole night would be refused; every other override (of a band, another hold) goes with it.
struct Actions<'a> {
    clashing: Vec<&'a Override>,
    catalogue: &'a Catalogue,
}

impl<'a> Actions<'a> {
    fn against(action: &Action, people: &'a [Override], nouns: Nouns<'a>, now: Instant) -> Self {
        // One that has run out is ignored by the plan, too.
        let clashes = |about: &&Override| about.until > now && about.action.clashes(action, nouns.network);
        let clashing = people.iter().filter(clashes).collect();
        Self { clashing, catalogue: nouns.catalogue }
    }

    fn about(&self, accession: &str, request: &str) -> impl Iterator<Item = &Override> {
        let is = |named: &Option<String>, own: &str| named.as_deref() == Some(own);
        let is_about =
            move |about: &&Override| is(&about.target.accession, accession) || is(&about.target.request, request);
        self.clashing.iter().copied().filter(is_about)
    }

    /// Whether something else is wanted of a test of a sample.
    fn want(&self, accession: &str, request: &str, test: &str) -> bool {
        self.about(accession, request).any(|about| match about.target.test {
            // A tube is discarded whole, whatever test is named.
            Some(wanted) if about.action != Action::ForceDiscard => self.overlap(wanted, test),
            _ => true,
        })
    }

    fn knows(&self, test: &str) -> bool {
        self.catalogue.tests.iter().any(|facts| facts.code == test)
    }

    /// Whether a test is meant by another: the same, or one of the other's panel.
    fn overlap(&self, wanted: TestIx, test: &str) -> bool {
        let tests = &self.catalogue.tests;
        let named = |index: TestIx| tests[index].code == test;
        let panel = tests.iter().find(|facts| facts.code == test);
        named(wanted)
            || tests[wanted].members.iter().any(|&member| named(member))
            || panel.is_some_and(|panel| panel.members.contains(&wanted))
    }
}

/// The holds for answers and discards, as they are written after everything that people have decided.
struct Holds<'a> {
    text: String,
    holding: Actions<'a>,
    keeping: Actions<'a>,
    until: String,
}

impl Holds<'_> {
    /// Holds a line, unless a person wants something else of it, or its test is no longer in the catalogue.
    fn line(&mut self, accession: &str, request: &str, test: &str, why: &str) {
        if self.holding.knows(test) && !self.holding.want(accession, request, test) {
            self.hold(accession, Some(test), why);
        }
    }

    /// Holds a whole sample, or those lines of it of which nobody wants anything else.
    fn sample(&mut self, Tube { accession, request, tests }: &Tube, why: &str) {
        if self.holding.about(accession, request).next().is_none() {
            self.hold(accession, None, why);
        } else {
            tests.iter().for_each(|test| self.line(accession, request, test, why));
        }
    }

    /// Keeps a sample from being proposed for discard again, unless a person wants it discarded.
    fn keep(&mut self, Tube { accession, request, .. }: &Tube) {
        if self.keeping.about(accession, request).next().is_none() {
            self.write("keep", &[("accession", accession)], "its discard was rejected");
        }
    }

    /// The visits that are booked from today on, by collection point and day. Of a point that the network does not
    /// have nobody knows how many it sees.
    fn book(&mut self, booked: &[(String, Instant)], network: &Network, now: Instant) {
        let day = |at: Instant| network.zone.day(at);
        let mut visits: BTreeMap<(&str, Day), u32> = BTreeMap::new();
        for (point, visit) in booked.iter().filter(|(_, visit)| day(*visit) >= day(now)) {
            if network.collection_points.iter().any(|one| one.code == *point) {
                *visits.entry((point, day(*visit))).or_default() += 1;
            }
        }
        for ((point, day), visits) in visits {
            let (day, visits) = (day.date().to_string(), visits.to_string());
            let details = [("point", point), ("day", day.as_str()), ("visits", visits.as_str())];
            self.write("visits", &details, "practices have booked them");
        }
    }

    fn hold(&mut self, accession: &str, test: Option<&str>, why: &str) {
        let details: Vec<_> =
            [Some(("accession", accession)), test.map(|test| ("test", test))].into_iter().flatten().collect();
        self.write("hold", &details, why);
    }

    fn write(&mut self, action: &str, details: &[(&str, &str)], why: &str) {
        let details: Vec<_> = details.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let entry = Entry {
            action,
            details: &details,
            who: LEDGER,
            why,
            until: &self.until,
            second: None,
            comment: "for what the ledger knows",
        };
        self.text.push_str(&overrides_toml(&[entry]));
    }
}

/// Why the lines of an answered notice are held.
const fn why_held(state: NoticeState) -> Option<&'static str> {
    match state {
        NoticeState::Booked => Some("the practice has booked a visit"),
        NoticeState::Done => Some("the patient has been bled again"),
        NoticeState::Declined => Some("the recall was declined"),
        NoticeState::NotOurs => Some("the patient is not of the practice that was asked"),
        NoticeState::Open | NoticeState::Withdrawn => None,
    }
}

/// The line at which what is added to a text begins.
fn next_line(text: &str) -> u32 {
    u32::try_from(text.matches('\n').count() + 1).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use labtriage_core::fixture::Fixture;
    use labtriage_core::snapshot::Snapshot;
    use labtriage_ledger::OwnedPseudonym;
    use labtriage_ledger::records::{Notice, Override as Decided, Wanted};
    use labtriage_ledger::states::OverrideState;

    use super::*;

    /// Both lines of a sample are answered.
    fn answered() -> People {
        let wanted = ["CRP", "K"].map(|test| Wanted {
            accession: "A1".to_owned(),
            test: test.to_owned(),
            specimen: "SST".to_owned(),
        });
        let notice = Notice {
            id: "N1".to_owned(),
            patient: OwnedPseudonym::new("P1"),
            requester: "G1".to_owned(),
            band: "routine".to_owned(),
            wanted: wanted.to_vec(),
            book_by: None,
            visit: None,
            point: None,
            reason: "too old".to_owned(),
            state: NoticeState::Declined,
            answer: None,
        };
        let mut people = People { requests: [("A1".to_owned(), "R1".to_owned())].into(), ..People::default() };
        people.answered.insert(&notice);
        people
    }

    fn decided(now: Instant, action: &str, details: &[(&str, &str)]) -> Decided {
        Decided {
            id: "O-1".to_owned(),
            action: action.to_owned(),
            details: details.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            who: "A. Manager".to_owned(),
            why: "asked".to_owned(),
            second: Some("B. Manager".to_owned()),
            set: now,
            until: now.plus(Minutes::from_days(1)),
            state: OverrideState::InForce,
            ended: None,
        }
    }

    fn decide(snapshot: &Snapshot, people: People) -> Result<Decisions, Failure> {
        let nouns = Nouns { catalogue: &snapshot.catalogue, network: &snapshot.network, policy: &snapshot.policy };
        decisions(None, people, nouns, snapshot.now)
    }

    /// The tests that are held beside an override (`*` for the whole sample).
    #[track_caller]
    fn check(mut people: People, action: &str, details: &[(&str, &str)], expected: &[&str]) {
        let snapshot = Fixture::new().snapshot();
        people.overrides = vec![decided(snapshot.now, action, details)];
        let decisions = decide(&snapshot, people).unwrap();
        let text = decisions.file.unwrap().file.text;
        let nouns = (&snapshot.catalogue, &snapshot.network, &snapshot.policy);
        let all = overrides(&text, "test", nouns.0, nouns.1, nouns.2).unwrap();
        let holds = all.iter().filter(|one| one.who == LEDGER);
        assert!(holds.clone().all(|hold| hold.line >= decisions.first_hold && hold.action == Action::Hold));
        assert!(all[0].line < decisions.first_hold, "an override of a person is no hold of ours");
        let test =
            |hold: &Override| hold.target.test.map_or("*", |test| &snapshot.catalogue.tests[test].code).to_owned();
        assert_eq!(holds.map(test).collect::<Vec<_>>(), expected, "{action} {details:?}");
    }

    #[test]
    fn only_what_clashes_with_a_hold_takes_its_place() {
        check(answered(), "hold", &[("request", "R1")], &["CRP", "K"]);
        check(answered(), "band", &[("accession", "A1"), ("band", "immediate")], &["CRP", "K"]);
        check(answered(), "force-test", &[("accession", "A1"), ("caution", "old")], &[]);
        check(answered(), "force-test", &[("request", "R1"), ("caution", "old")], &[]);
        check(answered(), "force-test", &[("request", "R2"), ("caution", "old")], &["CRP", "K"]);
        check(answered(), "force-test", &[("request", "R1"), ("test", "K"), ("caution", "old")], &["CRP"]);
        check(answered(), "force-discard", &[("request", "R1"), ("test", "K")], &[]);
    }

    #[test]
    fn a_discard_is_held_for_unless_somebody_wants_something_else_of_the_sample() {
        for disposed in [true, false] {
            let known = || {
                let tests = ["CRP", "K"].map(str::to_owned).to_vec();
                let tube = vec![Tube { accession: "A1".to_owned(), request: "R1".to_owned(), tests }];
                let (authorised, disposed) = if disposed { (Vec::new(), tube) } else { (tube, Vec::new()) };
                People { authorised, disposed, ..People::default() }
            };
            check(known(), "hold", &[("request", "R1")], &["*"]);
            check(known(), "force-test", &[("request", "R1"), ("caution", "old")], &[]);
            check(known(), "force-test", &[("accession", "A1"), ("test", "K"), ("caution", "old")], &["CRP"]);
        }
    }

    #[test]
    fn what_has_run_out_takes_no_holds_place() {
        let snapshot = Fixture::new().snapshot();
        let mut old = decided(snapshot.now, "force-test", &[("accession", "A1"), ("caution", "old")]);
        old.until = snapshot.now;
        let text = as_toml(&[old]);
        let file = ConfigFile { name: "overrides.toml".to_owned(), text };
        let own = SourcedFile { digest: String::new(), file, origin: FILE.to_owned() };
        let nouns = Nouns { catalogue: &snapshot.catalogue, network: &snapshot.network, policy: &snapshot.policy };
        let decisions = decisions(Some(&own), answered(), nouns, snapshot.now).unwrap();
        assert_eq!(decisions.file.unwrap().file.text.matches("action = \"hold\"").count(), 2);
    }

    #[test]
    fn a_test_that_the_catalogue_has_no_more_is_not_held() {
        let snapshot = Fixture::new().snapshot();
        let mut people = answered();
        let wanted = |test: &str| Some((test.to_owned(), NoticeState::Declined));
        people.answered.0.insert("A1".to_owned(), ["CRP", "GONE"].into_iter().filter_map(wanted).collect());
        let text = decide(&snapshot, people).unwrap().file.unwrap().file.text;
        assert!(text.contains("test = \"CRP\"") && !text.contains("GONE"), "{text}");
    }

    #[test]
    fn a_number_that_cannot_be_read_is_an_error() {
        let snapshot = Fixture::new().snapshot();
        let cap = decided(snapshot.now, "cap", &[("requester", "W1"), ("lines_per_day", "many")]);
        let people = People { overrides: vec![cap], ..People::default() };
        let Err(Failure::Findings(findings)) = decide(&snapshot, people) else { panic!("it was taken") };
        assert!(findings[0].to_string().contains("lines_per_day"), "{findings:?}");
    }
}
