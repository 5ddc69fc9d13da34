//! Each law alone, without a planner: a plan made by hand is lawful; with one thing changed, exactly that law is broken.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up should stop")]

use labtriage_core::audit::{Law, VIOLATIONS_MAX, audit};
use labtriage_core::catalogue::State;
use labtriage_core::fixture::{Fixture, line_of, plan_of_one, sample_of};
use labtriage_core::flags::FlagSet;
use labtriage_core::network::Stock;
use labtriage_core::overrides::Action;
use labtriage_core::plan::{
    Cancel, Discard, Disposition, Hold, Impossible, Plan, Recollection, Run, SamplePlan, Step, Visit,
};
use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::{CollectionPointIx, DepartureIx, Ix, LineIx, OverrideIx, PatientIx, SlotIx, Table};
use labtriage_core::time::{Day, Minutes};
use labtriage_core::units::Percent;

// Slots 0 to 11 are Monday 08:00 to 20:00 by the hour, 12 is 20:00 to midnight, 13 to 18 are
// Tuesday by four hours, 19 and 20 Wednesday until 08:00, 21 the rest of it, then days.
const TUESDAY_0: usize = 13;
const TUESDAY_16: usize = 17;
const WEDNESDAY_0: usize = 19;

fn slot(n: usize) -> SlotIx {
    SlotIx::from_row(n)
}

fn spin(n: usize) -> Step {
    Step::Spin(slot(n))
}

fn book(n: usize) -> Step {
    Step::BookIn(slot(n))
}

/// A plan made by hand: every line recalled without a date until something else is said.
struct Hand {
    snapshot: Snapshot,
    plan: Plan,
}

impl Hand {
    fn new(fixture: &Fixture) -> Self {
        let snapshot = fixture.snapshot();
        let plan = plan_of_one(&snapshot, Disposition::Recall(None));
        Self { snapshot, plan }
    }

    /// Ends a chain.
    fn done(&mut self) {}

    fn line(&self, accession: &str, test: &str) -> LineIx {
        line_of(&self.snapshot, accession, test)
    }

    fn sample(&mut self, accession: &str) -> &mut SamplePlan {
        let sample = sample_of(&self.snapshot, accession);
        &mut self.plan.samples[sample]
    }

    /// Gives a sample its steps, once.
    fn steps(&mut self, accession: &str, steps: &[Step]) -> &mut Self {
        let first_step = u32::try_from(self.plan.steps.len()).unwrap();
        self.plan.steps.extend_from_slice(steps);
        let sample = self.sample(accession);
        (sample.first_step, sample.steps) = (first_step, u8::try_from(steps.len()).unwrap());
        self
    }

    fn decide(&mut self, accession: &str, test: &str, disposition: Disposition) -> &mut Self {
        let line = self.line(accession, test);
        self.plan.lines[line] = disposition;
        self
    }

    fn a_run(&self, analyser: &str, at: usize) -> Run {
        Run { analyser: Some(self.snapshot.network.analyser(analyser).unwrap()), slot: slot(at), reported: slot(at) }
    }

    /// Run and reported in a slot.
    fn run(&mut self, accession: &str, test: &str, analyser: &str, at: usize) -> &mut Self {
        let run = self.a_run(analyser, at);
        self.decide(accession, test, Disposition::Run(run))
    }

    fn report(&mut self, accession: &str, test: &str, at: usize) -> &mut Self {
        self.decide(accession, test, Disposition::Run(Run { analyser: None, slot: slot(at), reported: slot(at) }))
    }

    fn hold(&mut self, accession: &str, test: &str, hold: Hold) -> &mut Self {
        self.decide(accession, test, Disposition::Hold(hold))
    }

    fn discard(&mut self, accession: &str, discard: Discard) -> &mut Self {
        self.sample(accession).discard = Some(discard);
        self
    }

    /// A visit so many days from today.
    fn visit(&mut self, patient: &str, ahead: i32) -> &mut Self {
        let patient = self.snapshot.backlog.find_patient(patient).unwrap();
        let day = self.snapshot.grid.first_day().plus_days(ahead);
        self.plan.visits.push(Visit { patient, point: CollectionPointIx::from_row(0), day });
        self
    }

    /// Re-tested from a new tube at a site, on an analyser.
    fn retest(&mut self, accession: &str, test: &str, new: (&str, usize), run: (&str, usize)) -> &mut Self {
        let site = self.snapshot.network.site(new.0).unwrap();
        self.sample(accession).recollection = Some(Recollection { site, booked_in: slot(new.1) });
        let run = self.a_run(run.0, run.1);
        self.decide(accession, test, Disposition::Recall(Some(run)))
    }

    fn impossible(&mut self, accession: &str, test: &str, about: usize) -> &mut Self {
        let line = self.line(accession, test);
        let override_ = OverrideIx::from_row(about);
        self.plan.impossible.push(Impossible { override_, line, reason: "no capacity".to_owned() });
        self
    }

    /// The departure of a courier on a day, by its order on that day.
    fn send(&self, courier: &str, ahead: i32, nth: usize) -> Step {
        let day = self.snapshot.grid.first_day().plus_days(ahead);
        let of_day = |(_, facts): &(DepartureIx, &labtriage_core::capacity::Departure)| {
            self.snapshot.network.couriers[facts.courier].code == courier
                && self.snapshot.network.zone.day(facts.leaves) == day
        };
        Step::Send(self.snapshot.departures.enumerate().filter(of_day).nth(nth).unwrap().0)
    }
}

/// The laws that a plan made by hand breaks are these, each named once.
fn check(fixture: &Fixture, make: impl FnOnce(&mut Hand), expected: &[Law]) {
    let mut hand = Hand::new(fixture);
    make(&mut hand);
    let violations = audit(&hand.snapshot, &hand.plan);
    let mut laws: Vec<Law> = violations.iter().map(|violation| violation.law).collect();
    laws.dedup();
    assert_eq!(laws, expected, "{violations:#?}");
    for violation in &violations {
        let pseudonyms = hand.snapshot.backlog.patients.indices().map(|p| hand.snapshot.backlog.pseudonym(p).expose());
        assert!(pseudonyms.into_iter().all(|pseudonym| !violation.message.contains(pseudonym)), "{violation}");
    }
}

/// One serum of an hour ago at the hub, of no strict band.
fn serum(tests: &[&str]) -> Fixture {
    let mut fixture = Fixture::new();
    fixture.sample("A1", "PSEUDO1", "SST", tests);
    fixture
}

/// Spun, booked in and run at once.
fn plain(hand: &mut Hand) {
    hand.steps("A1", &[spin(0), book(0)]).run("A1", "K", "HUB-CHEM", 0);
}

#[test]
fn shape() {
    let fixture = serum(&["K"]);
    check(&fixture, plain, &[]);
    let changes: [fn(&mut Hand); 9] = [
        |hand| hand.plan.lines = Table::default(),
        |hand| hand.plan.samples = Table::default(),
        |hand| hand.run("A1", "K", "HUB-CHEM", 999).done(),
        |hand| hand.sample("A1").steps = 3,
        |hand| hand.plan.steps.push(Step::Refrigerate),
        |hand| hand.plan.steps[0] = spin(999),
        |hand| hand.plan.steps[0] = Step::Send(DepartureIx::from_row(99_999)),
        |hand| hand.hold("A1", "K", Hold::Override(OverrideIx::from_row(7))).done(),
        |hand| {
            let point = CollectionPointIx::from_row(9);
            hand.plan.visits.push(Visit {
                patient: PatientIx::from_row(0),
                point,
                day: hand.snapshot.grid.first_day(),
            });
        },
    ];
    for change in changes {
        check(
            &fixture,
            |hand| {
                plain(hand);
                change(hand);
            },
            &[Law::Shape],
        );
    }
}

#[test]
fn shape_of_shared_steps() {
    let mut fixture = serum(&["K"]);
    fixture.sample("A2", "PSEUDO2", "SST", &["K"]);
    let both = |hand: &mut Hand| {
        plain(hand);
        hand.steps("A2", &[spin(0), book(0)]).run("A2", "K", "HUB-CHEM", 0);
    };
    check(&fixture, both, &[]);
    let shared = |hand: &mut Hand| {
        both(hand);
        hand.plan.steps.truncate(2);
        hand.sample("A2").first_step = 0;
    };
    check(&fixture, shared, &[Law::Shape]);
}

/// A serum at the hospital that can be sent to the hub at 10:00, there at 10:45.
fn travelling() -> Fixture {
    let mut fixture = Fixture::new();
    fixture.sample("A1", "PSEUDO1", "SST", &["K"]).site("HOSP");
    fixture
}

#[test]
fn steps() {
    let fixture = travelling();
    let sent = |hand: &mut Hand| {
        let send = hand.send("HOSP-HUB", 0, 0);
        hand.steps("A1", &[spin(1), Step::Refrigerate, send, book(2)]).run("A1", "K", "HUB-CHEM", 2);
    };
    check(&fixture, sent, &[]);
    let impossible: [fn(&Hand) -> Vec<Step>; 9] = [
        |hand| vec![spin(2), hand.send("HOSP-HUB", 0, 0), book(3)], // missed
        |hand| vec![spin(0), hand.send("HUB-HOSP", 0, 0), book(3)], // leaves elsewhere
        |_| vec![spin(0), spin(0), book(1)],
        |_| vec![book(1), spin(0)], // backwards
        |_| vec![book(1), book(2)],
        |hand| vec![spin(0), book(0), hand.send("HOSP-HUB", 0, 0)], // booked in already
        |_| vec![spin(0), Step::Freeze(slot(0)), Step::Thaw(slot(0))], // 20 + 30 + 60 min in an hour
        |hand| vec![spin(0), Step::Freeze(slot(0)), hand.send("HOSP-HUB", 0, 0)], // nothing frozen is carried
        |_| vec![Step::Aliquot(slot(0)), book(0)],                  // not separated
    ];
    for steps in impossible {
        check(
            &fixture,
            |hand| {
                let steps = steps(hand);
                hand.steps("A1", &steps);
            },
            &[Law::Steps],
        );
    }
}

#[test]
fn booked_in() {
    let fixture = serum(&["K"]);
    check(&fixture, |hand| hand.steps("A1", &[spin(0), book(1)]).run("A1", "K", "HUB-CHEM", 1).done(), &[]);
    for steps in [vec![spin(0), book(1)], vec![spin(0)]] {
        let early = |hand: &mut Hand| hand.steps("A1", &steps).run("A1", "K", "HUB-CHEM", 0).done();
        check(&fixture, early, &[Law::BookedIn]);
    }
    // Booked in before it was spun: the run waits for both.
    check(
        &fixture,
        |hand| hand.steps("A1", &[book(0), spin(2)]).run("A1", "K", "HUB-CHEM", 1).done(),
        &[Law::BookedIn],
    );
}

#[test]
fn open() {
    let mut fixture = Fixture::new();
    fixture.sample("A1", "PSEUDO1", "SST", &["TSH"]).site("PARTNER").band("urgent");
    let at = |n| move |hand: &mut Hand| hand.steps("A1", &[spin(0), book(0)]).run("A1", "TSH", "PART-CHEM", n).done();
    check(&fixture, at(TUESDAY_0), &[]);
    check(&fixture, at(1), &[Law::Open]); // Monday
    let weekdays = fixture.calendar("tue-thu");
    let analyser = fixture.analyser("HUB-CHEM");
    let mut fixture = serum(&["K"]);
    fixture.network.analysers[analyser].calendar = weekdays;
    // No analyser time on a day off either.
    check(&fixture, plain, &[Law::Open, Law::Capacity]);
}

#[test]
fn menu() {
    let mut fixture = Fixture::new();
    fixture.sample("A1", "PSEUDO1", "EDTA", &["FBC"]);
    let on = |analyser| move |hand: &mut Hand| hand.steps("A1", &[book(0)]).run("A1", "FBC", analyser, 0).done();
    check(&fixture, on("HUB-HAEM"), &[]);
    check(&fixture, on("HUB-CHEM"), &[Law::Menu]);
}

#[test]
fn phase() {
    let fixture = serum(&["K"]);
    check(&fixture, |hand| hand.steps("A1", &[book(0)]).run("A1", "K", "HUB-CHEM", 0).done(), &[Law::Phase]);
    let frozen = [spin(0), Step::Freeze(slot(0)), book(0)];
    check(&fixture, |hand| hand.steps("A1", &frozen).run("A1", "K", "HUB-CHEM", 1).done(), &[Law::Phase]);
    // Thawing takes an hour, the whole of the slot.
    let thawed = [spin(0), Step::Freeze(slot(0)), book(0), Step::Thaw(slot(1))];
    check(&fixture, |hand| hand.steps("A1", &thawed).run("A1", "K", "HUB-CHEM", 2).done(), &[]);
    check(&fixture, |hand| hand.steps("A1", &thawed).run("A1", "K", "HUB-CHEM", 1).done(), &[Law::BookedIn]);
}

#[test]
fn viability() {
    for (hours, expected) in [(5, vec![]), (6, vec![Law::Viability])] {
        let mut fixture = Fixture::new();
        fixture.sample("A1", "PSEUDO1", "SST", &["K"]).collected_hours_ago(hours);
        check(&fixture, plain, &expected);
    }
    let mut fixture = Fixture::new();
    fixture.sample("A1", "PSEUDO1", "EDTA", &["FBC"]).collected_hours_ago(23);
    let at = |n| move |hand: &mut Hand| hand.steps("A1", &[book(0)]).run("A1", "FBC", "HUB-HAEM", n).done();
    check(&fixture, at(0), &[]);
    check(&fixture, at(1), &[Law::Viability]);
}

#[test]
fn one_site() {
    let fixture = serum(&["K", "CRP"]);
    let at = |analyser| {
        move |hand: &mut Hand| {
            plain(hand);
            hand.run("A1", "CRP", analyser, 0);
        }
    };
    check(&fixture, at("HUB-CHEM"), &[]);
    check(&fixture, at("HOSP-CHEM"), &[Law::OneSite]);
    // An aliquot makes it lawful: booked in at the hub, the second container sent at 11:00.
    let split = |hand: &mut Hand| {
        let send = hand.send("HUB-HOSP", 0, 0);
        let steps = [spin(0), book(0), Step::Aliquot(slot(1)), send, book(3)];
        hand.steps("A1", &steps).run("A1", "K", "HUB-CHEM", 0).run("A1", "CRP", "HOSP-CHEM", 3);
    };
    check(&fixture, split, &[]);
}

#[test]
fn volume() {
    for (volume, expected) in [(70, vec![]), (69, vec![Law::Volume])] {
        let mut fixture = Fixture::new();
        fixture.sample("A1", "PSEUDO1", "SST", &["K", "CRP"]).volume(volume);
        let both = |hand: &mut Hand| {
            plain(hand);
            hand.run("A1", "CRP", "HUB-CHEM", 0);
        };
        check(&fixture, both, &expected);
    }
    // Each container has a dead volume of its own.
    for (volume, expected) in [(120, vec![]), (119, vec![Law::Volume])] {
        let mut fixture = Fixture::new();
        fixture.sample("A1", "PSEUDO1", "SST", &["K", "CRP"]).volume(volume);
        let split = |hand: &mut Hand| {
            let send = hand.send("HUB-HOSP", 0, 0);
            let steps = [spin(0), book(0), Step::Aliquot(slot(1)), send, book(3)];
            hand.steps("A1", &steps).run("A1", "K", "HUB-CHEM", 0).run("A1", "CRP", "HOSP-CHEM", 3);
        };
        check(&fixture, split, &expected);
    }
}

/// Two sera that are both spun, split, frozen or sent, booked in, run and reported together.
fn twins(test: &str) -> Fixture {
    let mut fixture = Fixture::new();
    fixture.sample("A1", "PSEUDO1", "SST", &[test]);
    fixture.sample("A2", "PSEUDO2", "SST", &[test]);
    fixture
}

/// What both do is lawful by default and over the limit with less capacity.
fn check_capacity(fixture: &Fixture, cut: impl Fn(&mut Fixture), make: impl Fn(&mut Hand, &str)) {
    let both = |hand: &mut Hand| {
        make(hand, "A1");
        make(hand, "A2");
    };
    check(fixture, both, &[]);
    let mut less = fixture.clone();
    cut(&mut less);
    check(&less, both, &[Law::Capacity]);
}

#[test]
fn capacity_of_a_laboratory() {
    let fixture = twins("K");
    let hub = fixture.site("HUB");
    let chemistry = fixture.analyser("HUB-CHEM");
    let run = |hand: &mut Hand, accession: &str| {
        hand.steps(accession, &[spin(0), book(0)]).run(accession, "K", "HUB-CHEM", 0);
    };
    check_capacity(&fixture, |less| less.network.sites[hub].reception_per_hour = 1, run);
    check_capacity(&fixture, |less| less.network.sites[hub].centrifuge_per_hour = 1, run);
    check_capacity(&fixture, |less| less.network.sites[hub].report_per_hour = 1, run);
    check_capacity(&fixture, |less| less.network.analysers[chemistry].rate_permille = 1, run);
    let potassium = fixture.test("K");
    let one_left =
        |less: &mut Fixture| less.network.analysers[chemistry].stock = vec![Stock { test: potassium, tests: 1 }];
    check_capacity(&fixture, one_left, run);
    check_capacity(&fixture, |less| less.network.capacity = Percent::new(1), run);
    let requester = fixture.requester("G1");
    let cap = |less: &mut Fixture| {
        less.override_("", Action::Cap { requester, lines_per_day: 1 });
    };
    check_capacity(&fixture, cap, run);
}

#[test]
fn capacity_of_handling() {
    let fixture = twins("K");
    let hub = fixture.site("HUB");
    let freeze = |hand: &mut Hand, accession: &str| hand.steps(accession, &[spin(0), Step::Freeze(slot(0))]).done();
    check_capacity(&fixture, |less| less.network.sites[hub].aliquot_per_hour = 1, freeze);
    check_capacity(&fixture, |less| less.network.sites[hub].freezer_places = 1, freeze);
    let split = |hand: &mut Hand, accession: &str| hand.steps(accession, &[spin(0), Step::Aliquot(slot(0))]).done();
    check_capacity(&fixture, |less| less.network.sites[hub].aliquot_per_hour = 1, split);
    let send = |hand: &mut Hand, accession: &str| {
        let send = hand.send("HUB-PARTNER", 0, 0);
        hand.steps(accession, &[spin(0), send, book(5)]);
    };
    let courier = fixture.network.couriers.position(|courier| courier.code == "HUB-PARTNER").unwrap();
    check_capacity(&fixture, |less| less.network.couriers[courier].tubes = 1, send);
    let partner = fixture.site("PARTNER");
    let quota = |less: &mut Fixture| less.network.sites[partner].partner.as_mut().unwrap().quota_per_day = 1;
    check_capacity(&fixture, quota, send);
}

/// The patient comes tomorrow, the new tube is at the hub at 17:00, booked in and run in that slot.
fn retested(hand: &mut Hand, accession: &str, patient: &str) {
    hand.visit(patient, 1).retest(accession, "CRP", ("HUB", TUESDAY_16), ("HUB-CHEM", TUESDAY_16));
}

#[test]
fn capacity_of_recalls() {
    let fixture = twins("CRP");
    let recall = |hand: &mut Hand, accession: &str| {
        retested(hand, accession, if accession == "A1" { "PSEUDO1" } else { "PSEUDO2" })
    };
    let point = CollectionPointIx::from_row(0);
    check_capacity(&fixture, |less| less.network.collection_points[point].visits_per_day = 1, recall);
    check_capacity(&fixture, |less| less.policy.recalls_per_day = 1, recall);
    let hub = fixture.site("HUB");
    // The slot is four hours long, so a cut to nothing is needed to go below two.
    check_capacity(&fixture, |less| less.network.sites[hub].reception_per_hour = 0, recall);
}

#[test]
fn partner_bands() {
    for (band, expected) in [("urgent", vec![]), ("routine", vec![Law::PartnerBands])] {
        let mut fixture = Fixture::new();
        fixture.sample("A1", "PSEUDO1", "SST", &["K"]).band(band);
        let send = |hand: &mut Hand| {
            let send = hand.send("HUB-PARTNER", 0, 0);
            hand.steps("A1", &[spin(0), send, book(5)]).run("A1", "K", "PART-CHEM", 5);
        };
        check(&fixture, send, &expected);
    }
}

#[test]
fn cut_off() {
    let mut fixture = Fixture::new();
    fixture.sample("A1", "PSEUDO1", "SST", &["K"]).band("urgent");
    let partner = fixture.site("PARTNER");
    let at = |n| {
        move |hand: &mut Hand| {
            let send = hand.send("HUB-PARTNER", 0, 0);
            hand.steps("A1", &[spin(0), send, book(n)]).run("A1", "K", "PART-CHEM", n);
        }
    };
    for (cut_off, n, expected) in
        [(13 * 60, 5, vec![]), (13 * 60 - 1, 5, vec![Law::CutOff]), (13 * 60 - 1, TUESDAY_0, vec![])]
    {
        fixture.network.sites[partner].partner.as_mut().unwrap().cut_off = cut_off;
        check(&fixture, at(n), &expected);
    }
}

#[test]
fn reporting() {
    let fixture = serum(&["K"]);
    let reported = |n| {
        move |hand: &mut Hand| {
            plain(hand);
            let run = Run { reported: slot(n), ..hand.a_run("HUB-CHEM", 1) };
            hand.decide("A1", "K", Disposition::Run(run));
        }
    };
    check(&fixture, reported(1), &[]);
    check(&fixture, reported(4), &[]);
    check(&fixture, reported(0), &[Law::Reporting]);
}

#[test]
fn result_held() {
    let mut held = Fixture::new();
    held.sample("A1", "PSEUDO1", "SST", &["K"]).result_held("K");
    check(&held, |hand| hand.report("A1", "K", 0).done(), &[]);
    check(&held, plain, &[Law::ResultHeld]);
    check(&serum(&["K"]), |hand| hand.report("A1", "K", 0).done(), &[Law::ResultHeld]);
}

#[test]
fn cancels() {
    let mut fixture = Fixture::new();
    fixture.sample("A1", "PSEUDO1", "SST", &["TSH"]).collected_hours_ago(5);
    fixture.sample("A2", "PSEUDO1", "SST", &["TSH"]).collected_hours_ago(1);
    fixture.sample("A3", "PSEUDO1", "SST", &["K"]);
    let cancel = |hand: &mut Hand, accession: &str, of: (&str, &str)| {
        let of = hand.line(of.0, of.1);
        hand.decide(accession, "TSH", Disposition::Cancel(Cancel::Duplicate(of)));
    };
    check(&fixture, |hand| cancel(hand, "A1", ("A2", "TSH")), &[]);
    check(&fixture, |hand| cancel(hand, "A1", ("A3", "K")), &[Law::Cancels]);
    check(&fixture, |hand| cancel(hand, "A2", ("A1", "TSH")), &[Law::Cancels]); // the survivor
    let both = |hand: &mut Hand| {
        cancel(hand, "A1", ("A2", "TSH"));
        hand.decide("A2", "TSH", Disposition::Cancel(Cancel::Superseded));
    };
    check(&fixture, both, &[Law::Cancels]);
}

#[test]
fn superseded() {
    let mut fixture = serum(&["K"]);
    fixture.result("A1", "K");
    check(&fixture, |hand| hand.decide("A1", "K", Disposition::Cancel(Cancel::Superseded)).done(), &[]);
    check(&fixture, plain, &[Law::Superseded]);
    fixture.override_("A1", Action::ForceTest { caution: "again".to_owned() });
    check(&fixture, plain, &[]);
}

#[test]
fn holds() {
    let fixture = serum(&["K", "CRP"]);
    let waits = [spin(0), Step::Refrigerate];
    check(&fixture, |hand| hand.steps("A1", &waits).hold("A1", "K", Hold::Waiting).done(), &[]);
    let false_reasons = [
        Hold::Waiting, // unspun, it keeps for hours
        Hold::UnknownStability,
        Hold::UnknownTime,
        Hold::Irreplaceable,
        Hold::NotRecallable,
    ];
    for hold in false_reasons {
        check(&fixture, |hand| hand.hold("A1", "K", hold).done(), &[Law::Holds]);
    }
    let mut fixture = Fixture::new();
    fixture.sample("A1", "PSEUDO1", "SST", &["K"]).flags(FlagSet::DECEASED);
    check(&fixture, |hand| hand.hold("A1", "K", Hold::NotRecallable).done(), &[]);
    fixture.sample("A2", "PSEUDO2", "CSF", &["CSFC"]);
    fixture.override_("A2", Action::Hold);
    let of_another = |hand: &mut Hand| {
        let about = Hold::Override(OverrideIx::from_row(0));
        hand.hold("A2", "CSFC", about).hold("A1", "K", about);
    };
    check(&fixture, of_another, &[Law::Holds]);
    let true_reasons = |hand: &mut Hand| {
        hand.hold("A2", "CSFC", Hold::Irreplaceable).hold("A1", "K", Hold::NotRecallable);
    };
    check(&fixture, true_reasons, &[]);
}

#[test]
fn must_hold() {
    let mut fixture = Fixture::new();
    fixture.sample("A1", "PSEUDO1", "SST", &["K"]).collected_unknown();
    check(&fixture, |hand| hand.hold("A1", "K", Hold::UnknownTime).done(), &[]);
    check(&fixture, plain, &[Law::MustHold]);
    let mut fixture = Fixture::new();
    fixture.sample("A1", "PSEUDO1", "SST", &["TSH"]).state(State::PrimaryFrozen);
    check(&fixture, |hand| hand.hold("A1", "TSH", Hold::UnknownStability).done(), &[]);
    check(&fixture, |_| (), &[Law::MustHold]);
    let mut fixture = serum(&["K"]);
    fixture.override_("A1", Action::Hold);
    check(&fixture, |hand| hand.hold("A1", "K", Hold::Override(OverrideIx::from_row(0))).done(), &[]);
    check(&fixture, plain, &[Law::MustHold]);
}

#[test]
fn pins() {
    let mut fixture = serum(&["K"]);
    let hub = fixture.site("HUB");
    let by = fixture.now.plus(Minutes::from_hours(1));
    fixture.override_("A1", Action::Pin { site: Some(hub), analyser: None, by: Some(by) });
    check(&fixture, plain, &[]);
    let late = |hand: &mut Hand| {
        plain(hand);
        hand.run("A1", "K", "HUB-CHEM", 1);
    };
    check(&fixture, late, &[Law::Pins]);
    check(&fixture, |_| (), &[Law::Pins]);
    let reported = |hand: &mut Hand| {
        late(hand);
        hand.impossible("A1", "K", 0);
    };
    check(&fixture, reported, &[]);
    let without_reason = |hand: &mut Hand| {
        reported(hand);
        hand.plan.impossible[0].reason.clear();
    };
    check(&fixture, without_reason, &[Law::Pins]);
}

#[test]
fn routes_and_forced_tests() {
    let mut fixture = Fixture::new();
    fixture.sample("A1", "PSEUDO1", "SST", &["K"]).collected_hours_ago(30).band("urgent");
    fixture.override_("A1", Action::ForceTest { caution: "old".to_owned() });
    check(&fixture, plain, &[]);
    check(&fixture, |_| (), &[Law::Pins]);
    let partner = fixture.site("PARTNER");
    fixture.override_("A1", Action::Route(partner));
    check(&fixture, plain, &[Law::Pins]);
    let sent = |hand: &mut Hand| {
        let send = hand.send("HUB-PARTNER", 0, 0);
        hand.steps("A1", &[spin(0), send, book(5)]).run("A1", "K", "PART-CHEM", 5);
    };
    check(&fixture, sent, &[]);
}

#[test]
fn forced_discards() {
    let mut fixture = serum(&["K"]);
    fixture.override_("A1", Action::ForceDiscard);
    let by = Discard::Override(OverrideIx::from_row(0));
    check(&fixture, |hand| hand.discard("A1", by).done(), &[]);
    check(&fixture, plain, &[Law::ForcedDiscards]);
    check(&fixture, |hand| hand.impossible("A1", "K", 0).done(), &[]);
    fixture.sample("A2", "PSEUDO2", "SST", &["K"]);
    check(&fixture, |hand| hand.discard("A1", by).discard("A2", by).done(), &[Law::ForcedDiscards]);
}

#[test]
fn discards() {
    // Potassium is lost after six hours; the policy keeps what is lost for two days.
    for (hours, expected) in [(54, vec![]), (53, vec![Law::Discards]), (1, vec![Law::Discards])] {
        let mut fixture = Fixture::new();
        fixture.sample("A1", "PSEUDO1", "SST", &["K"]).collected_hours_ago(hours);
        check(&fixture, |hand| hand.discard("A1", Discard::Expired).done(), &expected);
    }
    let mut fixture = Fixture::new();
    fixture.sample("A1", "PSEUDO1", "SST", &["K"]).collected_hours_ago(60).state(State::PrimaryRefrigerated);
    check(&fixture, |hand| hand.discard("A1", Discard::ImproperStorage).done(), &[]);
    // A person keeps it.
    fixture.override_("A1", Action::Keep);
    check(&fixture, |hand| hand.discard("A1", Discard::ImproperStorage).done(), &[Law::Discards]);
    check(&fixture, |_| (), &[]);
    // Another line of it can still be run.
    let mut fixture = Fixture::new();
    fixture.sample("A1", "PSEUDO1", "SST", &["K", "CRP"]).collected_hours_ago(60);
    let run = |hand: &mut Hand| {
        hand.steps("A1", &[spin(0), book(0)]).run("A1", "CRP", "HUB-CHEM", 0);
    };
    check(&fixture, run, &[]);
    let discarded = |hand: &mut Hand| {
        run(hand);
        hand.discard("A1", Discard::Expired);
    };
    check(&fixture, discarded, &[Law::Discards]);
}

#[test]
fn irreplaceable_samples_are_discarded_by_people_only() {
    let mut fixture = Fixture::new();
    fixture.sample("A1", "PSEUDO1", "CSF", &["CSFC"]).collected_hours_ago(90);
    let held = |hand: &mut Hand| hand.hold("A1", "CSFC", Hold::Irreplaceable).done();
    check(&fixture, held, &[]);
    let discarded = |hand: &mut Hand| {
        held(hand);
        hand.discard("A1", Discard::Expired);
    };
    check(&fixture, discarded, &[Law::Discards]);
    fixture.override_("A1", Action::ForceDiscard);
    let forced = |hand: &mut Hand| {
        held(hand);
        hand.discard("A1", Discard::Override(OverrideIx::from_row(0)));
    };
    check(&fixture, forced, &[]);
}

#[test]
fn never_recalled() {
    check(&serum(&["K"]), |_| (), &[]);
    for flags in [FlagSet::DECEASED, FlagSet::DEREGISTERED] {
        let mut fixture = Fixture::new();
        fixture.sample("A1", "PSEUDO1", "SST", &["K"]).flags(flags);
        check(&fixture, |_| (), &[Law::NeverRecalled]);
    }
    let mut fixture = Fixture::new();
    fixture.sample("A1", "PSEUDO1", "CSF", &["CSFC"]);
    check(&fixture, |_| (), &[Law::NeverRecalled]);
}

#[test]
fn visits() {
    let mut fixture = serum(&["K"]);
    fixture.sample("A2", "PSEUDO2", "SST", &["K"]);
    check(&fixture, |hand| hand.visit("PSEUDO1", 1).visit("PSEUDO2", 1).done(), &[]);
    check(&fixture, |hand| hand.visit("PSEUDO2", 1).visit("PSEUDO1", 1).done(), &[Law::Visits]);
    check(&fixture, |hand| hand.visit("PSEUDO1", 1).visit("PSEUDO1", 2).done(), &[Law::Visits]);
    let of_nobody = |hand: &mut Hand| {
        plain(hand);
        hand.visit("PSEUDO1", 1);
    };
    check(&fixture, of_nobody, &[Law::Visits]);
}

#[test]
fn booked_visits_take_their_place() {
    // The point sees twenty patients a day.
    for (visits, expected) in [(18, vec![]), (19, vec![Law::Capacity]), (99, vec![Law::Capacity])] {
        let mut fixture = Fixture::new();
        fixture.sample("A1", "PSEUDO1", "SST", &["K"]).collected_hours_ago(30);
        fixture.sample("A2", "PSEUDO2", "SST", &["K"]).collected_hours_ago(30);
        let day = fixture.snapshot().grid.first_day().plus_days(1);
        fixture.override_("", Action::Visits { point: CollectionPointIx::from_row(0), day, visits });
        check(&fixture, |hand| hand.visit("PSEUDO1", 1).visit("PSEUDO2", 1).done(), &expected);
        check(
            &fixture,
            |hand| hand.visit("PSEUDO1", 1).visit("PSEUDO2", 2).done(),
            &expected[..usize::from(visits == 99)],
        );
    }
}

#[test]
fn visit_places() {
    let mut fixture = serum(&["K"]);
    let mut other = fixture.network.collection_points[CollectionPointIx::from_row(0)].clone();
    other.code = "OTHER".to_owned();
    fixture.network.collection_points.push(other);
    check(&fixture, |hand| hand.visit("PSEUDO1", 1).done(), &[]);
    check(&fixture, |hand| hand.visit("PSEUDO1", 0).done(), &[Law::VisitPlaces]); // lead time
    check(&fixture, |hand| hand.visit("PSEUDO1", 9).done(), &[Law::VisitPlaces]); // beyond the horizon
    let elsewhere = |hand: &mut Hand| {
        hand.visit("PSEUDO1", 1).plan.visits[0].point = CollectionPointIx::from_row(1);
    };
    check(&fixture, elsewhere, &[Law::VisitPlaces]);
    // On a Saturday nobody is bled, and the point has no visits.
    check(&fixture, |hand| hand.visit("PSEUDO1", 5).done(), &[Law::Capacity, Law::VisitPlaces]);
}

#[test]
fn retests() {
    let fixture = serum(&["CRP"]);
    check(&fixture, |hand| retested(hand, "A1", "PSEUDO1"), &[]);
    let at = |new, run| move |hand: &mut Hand| hand.visit("PSEUDO1", 1).retest("A1", "CRP", new, run).done();
    // Before its delivery at 17:00.
    check(&fixture, at(("HUB", TUESDAY_16 - 1), ("HUB-CHEM", TUESDAY_16)), &[Law::Retests]);
    // Run before it is booked in, at another site, where nothing is delivered.
    check(&fixture, at(("HUB", TUESDAY_16 + 1), ("HUB-CHEM", TUESDAY_16)), &[Law::Retests]);
    check(&fixture, at(("HUB", TUESDAY_16), ("HOSP-CHEM", TUESDAY_16)), &[Law::Retests]);
    check(&fixture, at(("HOSP", TUESDAY_16), ("HOSP-CHEM", TUESDAY_16)), &[Law::Retests]);
    // Unspun, potassium keeps for six hours: a tube of 09:00 is lost before it is delivered.
    let late = |hand: &mut Hand| {
        hand.visit("PSEUDO1", 1).retest("A1", "K", ("HUB", TUESDAY_16), ("HUB-CHEM", TUESDAY_16));
    };
    check(&serum(&["K"]), late, &[Law::Retests]);
    // No visit, no tube, no test of the tube.
    let no_visit = |hand: &mut Hand| {
        hand.retest("A1", "CRP", ("HUB", TUESDAY_16), ("HUB-CHEM", TUESDAY_16));
    };
    check(&fixture, no_visit, &[Law::Retests]);
    let no_tube = |hand: &mut Hand| {
        retested(hand, "A1", "PSEUDO1");
        hand.sample("A1").recollection = None;
    };
    check(&fixture, no_tube, &[Law::Retests]);
    let no_test = |hand: &mut Hand| {
        retested(hand, "A1", "PSEUDO1");
        hand.decide("A1", "CRP", Disposition::Recall(None));
    };
    check(&fixture, no_test, &[Law::Retests]);
}

#[test]
fn retests_keep_within_the_cut_off() {
    let mut fixture = Fixture::new();
    fixture.sample("A1", "PSEUDO1", "SST", &["CRP"]).collected_hours_ago(90).band("urgent");
    let partner = fixture.site("PARTNER");
    fixture.network.collection_points[CollectionPointIx::from_row(0)].delivers[0].site = partner;
    let at = |n| {
        move |hand: &mut Hand| {
            hand.visit("PSEUDO1", 1).retest("A1", "CRP", ("PARTNER", n), ("PART-CHEM", n));
        }
    };
    check(&fixture, at(TUESDAY_16), &[Law::CutOff]);
    check(&fixture, at(WEDNESDAY_0), &[]);
}

/// A separated urgent serum and a separated routine one, with analyser time for one of them.
fn rivals() -> Fixture {
    let mut fixture = Fixture::new();
    fixture.sample("A1", "PSEUDO1", "SST", &["K"]).state(State::SeparatedAmbient).band("urgent");
    fixture.sample("A2", "PSEUDO2", "SST", &["K"]).state(State::SeparatedAmbient);
    let (hub, chemistry) = (fixture.site("HUB"), fixture.analyser("HUB-CHEM"));
    let potassium = fixture.test("K");
    fixture.network.analysers[chemistry].stock = vec![Stock { test: potassium, tests: 1 }];
    fixture.network.sites[hub].reception_per_hour = 5;
    fixture
}

#[test]
fn strict_bands() {
    let fixture = rivals();
    let run = |accession: &'static str| {
        move |hand: &mut Hand| hand.steps(accession, &[book(0)]).run(accession, "K", "HUB-CHEM", 0).done()
    };
    check(&fixture, run("A1"), &[]);
    check(&fixture, run("A2"), &[Law::StrictBands]);
    check(&fixture, |_| (), &[Law::StrictBands]); // nobody took it
    // Among equals the one that is left out has no claim.
    let mut equals = Fixture::new();
    for (accession, patient) in [("A1", "PSEUDO1"), ("A2", "PSEUDO2")] {
        equals.sample(accession, patient, "SST", &["K"]).state(State::SeparatedAmbient).band("urgent");
    }
    equals.network = fixture.network.clone();
    check(&equals, run("A2"), &[]);
    // Unspun material, a person's discard and a full day of the requester are no claim either.
    let mut unspun = Fixture::new();
    unspun.sample("A1", "PSEUDO1", "SST", &["K"]).band("urgent");
    check(&unspun, |_| (), &[]);
    let mut capped = rivals();
    let requester = capped.requester("G1");
    capped.override_("", Action::Cap { requester, lines_per_day: 0 });
    check(&capped, |_| (), &[]);
}

#[test]
fn strict_bands_of_results_that_are_there() {
    let mut fixture = Fixture::new();
    fixture.sample("A1", "PSEUDO1", "EDTA", &["FBC"]).result_held("FBC").band("immediate");
    check(&fixture, |hand| hand.report("A1", "FBC", 3).done(), &[]);
    check(&fixture, |_| (), &[Law::StrictBands]);
    let hub = fixture.site("HUB");
    fixture.network.sites[hub].report_per_hour = 0;
    check(&fixture, |_| (), &[]);
}

/// A separated serum whose potassium was published for 09:00, inside a window of four hours.
fn promised() -> Fixture {
    let mut fixture = Fixture::new();
    fixture.sample("A1", "PSEUDO1", "SST", &["K"]).state(State::SeparatedAmbient);
    fixture.published("A1", "K", "HUB-CHEM", (60, 120));
    fixture.policy.frozen_window = Minutes::from_hours(4);
    fixture
}

#[test]
fn frozen() {
    let fixture = promised();
    let at = |n: usize| move |hand: &mut Hand| hand.steps("A1", &[book(0)]).run("A1", "K", "HUB-CHEM", n).done();
    check(&fixture, at(1), &[]);
    check(&fixture, at(0), &[Law::Frozen]); // sooner is moved too
    check(&fixture, at(2), &[Law::Frozen]);
    check(&fixture, |_| (), &[Law::Frozen]);
    let mut beyond = promised();
    beyond.policy.frozen_window = Minutes::from_hours(1);
    check(&beyond, at(2), &[]);
    // Published in a slot of two hours: either hour keeps it.
    let mut wide = promised();
    wide.published("A1", "K", "HUB-CHEM", (60, 180));
    check(&wide, at(2), &[]);
    check(&wide, at(3), &[Law::Frozen]);
}

#[test]
fn what_is_frozen_gives_way_to_what_is_impossible() {
    let at = |n: usize| move |hand: &mut Hand| hand.steps("A1", &[book(0)]).run("A1", "K", "HUB-CHEM", n).done();
    let mut full = promised();
    full.sample("A2", "PSEUDO2", "SST", &["K"]).state(State::SeparatedAmbient);
    full.published("A2", "K", "HUB-CHEM", (60, 120));
    let chemistry = full.analyser("HUB-CHEM");
    full.network.analysers[chemistry].rate_permille = 1; // one potassium an hour
    let both = |first: usize, second: usize| {
        move |hand: &mut Hand| {
            hand.steps("A1", &[book(0)]).run("A1", "K", "HUB-CHEM", first);
            hand.steps("A2", &[book(0)]).run("A2", "K", "HUB-CHEM", second);
        }
    };
    check(&full, both(1, 2), &[]);
    check(&full, both(0, 2), &[Law::Frozen]);
    // A tube that must be spun first is the planner's duty.
    let mut unspun = Fixture::new();
    unspun.sample("A1", "PSEUDO1", "SST", &["K"]);
    unspun.published("A1", "K", "HUB-CHEM", (60, 120));
    unspun.policy.frozen_window = Minutes::from_hours(4);
    check(&unspun, |_| (), &[]);
    // So is one that has gone elsewhere; a hold is a person's decision.
    let mut elsewhere = promised();
    elsewhere.published("A1", "K", "HOSP-CHEM", (60, 120));
    check(&elsewhere, at(2), &[]);
    let mut held = promised();
    held.override_("A1", Action::Hold);
    check(&held, |hand| hand.hold("A1", "K", Hold::Override(OverrideIx::from_row(0))).done(), &[]);
}

#[test]
fn frozen_runs_come_before_strict_bands() {
    let mut fixture = rivals();
    fixture.published("A2", "K", "HUB-CHEM", (0, 60));
    fixture.policy.frozen_window = Minutes::from_hours(4);
    let run = |accession: &'static str| {
        move |hand: &mut Hand| hand.steps(accession, &[book(0)]).run(accession, "K", "HUB-CHEM", 0).done()
    };
    check(&fixture, run("A2"), &[]);
    check(&fixture, run("A1"), &[Law::Frozen]);
}

#[test]
fn violations_are_in_order_and_capped() {
    let mut fixture = Fixture::new();
    for n in 0..=VIOLATIONS_MAX {
        fixture.sample(&format!("A{n:05}"), &format!("PSEUDO{n:05}"), "CSF", &["CSFC"]);
    }
    let hand = Hand::new(&fixture);
    let violations = audit(&hand.snapshot, &hand.plan);
    assert_eq!(violations.len(), VIOLATIONS_MAX);
    assert!(violations.is_sorted());
    assert_eq!(violations[0].line, Some(LineIx::from_row(0)));
    assert_eq!(
        violations[0].to_string(),
        "A022: test `CSFC` of sample `A00000` is recalled, but it cannot be collected again"
    );
}

mod garbage {
    //! A plan read from a file may contain anything: the audit judges it and never panics.

    use std::sync::LazyLock;

    use proptest::collection::vec;
    use proptest::prelude::{ProptestConfig, any, proptest};

    use super::*;

    /// A backlog with something of everything.
    fn fixture() -> Fixture {
        let mut fixture = Fixture::new();
        fixture.sample("A1", "PSEUDO1", "SST", &["K", "CRP", "TSH"]).band("urgent");
        fixture.sample("A2", "PSEUDO1", "SST", &["TSH", "UE"]).site("HOSP").band("immediate");
        fixture.sample("A3", "PSEUDO2", "EDTA", &["FBC"]).result_held("FBC").flags(FlagSet::DECEASED);
        fixture.sample("A4", "PSEUDO3", "CSF", &["CSFC"]);
        fixture.sample("A5", "PSEUDO4", "SST", &["K"]).state(State::SeparatedFrozen).collected_unknown();
        fixture.override_("A4", Action::ForceDiscard);
        let site = fixture.site("PARTNER");
        fixture.override_("A1", Action::Route(site));
        fixture.published("A2", "TSH", "HUB-CHEM", (120, 180));
        fixture.policy.frozen_window = Minutes::from_hours(4);
        fixture
    }

    static EMPTY: LazyLock<Hand> = LazyLock::new(|| Hand::new(&fixture()));

    /// Numbers read as indices: within range, or nearly, or far out of it.
    struct Numbers<'a> {
        rest: std::slice::Iter<'a, u16>,
        wild: bool,
    }

    impl Numbers<'_> {
        fn below(&mut self, limit: usize) -> usize {
            let number = usize::from(*self.rest.next().unwrap_or(&0));
            if self.wild && number > 60_000 { number } else { number % limit.max(1) }
        }

        fn index<I: Ix>(&mut self, limit: usize) -> I {
            I::from_row(self.below(limit))
        }
    }

    fn run(snapshot: &Snapshot, numbers: &mut Numbers<'_>) -> Run {
        let analyser = (numbers.below(5) > 0).then(|| numbers.index(snapshot.network.analysers.len()));
        let slots = snapshot.grid.len();
        Run { analyser, slot: numbers.index(slots), reported: numbers.index(slots) }
    }

    fn disposition(snapshot: &Snapshot, numbers: &mut Numbers<'_>) -> Disposition {
        let about = snapshot.overrides.all.len();
        match numbers.below(12) {
            0..=4 => Disposition::Run(run(snapshot, numbers)),
            5 => Disposition::Recall(None),
            6 | 7 => Disposition::Recall(Some(run(snapshot, numbers))),
            8 => Disposition::Cancel(Cancel::Duplicate(numbers.index(snapshot.backlog.lines.len()))),
            9 => Disposition::Cancel(Cancel::Superseded),
            10 => Disposition::Hold(Hold::Override(numbers.index(about))),
            _ => Disposition::Hold([Hold::Waiting, Hold::UnknownTime, Hold::Irreplaceable][numbers.below(3) % 3]),
        }
    }

    fn step(snapshot: &Snapshot, numbers: &mut Numbers<'_>) -> Step {
        let slots = snapshot.grid.len();
        match numbers.below(7) {
            0 => Step::Spin(numbers.index(slots)),
            1 => Step::Freeze(numbers.index(slots)),
            2 => Step::Thaw(numbers.index(slots)),
            3 => Step::Aliquot(numbers.index(slots)),
            4 => Step::Send(numbers.index(snapshot.departures.len())),
            5 => Step::Refrigerate,
            _ => Step::BookIn(numbers.index(slots)),
        }
    }

    fn plan(snapshot: &Snapshot, numbers: &mut Numbers<'_>) -> Plan {
        let backlog = &snapshot.backlog;
        let mut plan = EMPTY.plan.clone();
        for line in backlog.lines.indices() {
            plan.lines[line] = disposition(snapshot, numbers);
        }
        for sample in backlog.samples.indices() {
            let first_step = u32::try_from(plan.steps.len() + numbers.below(1)).unwrap();
            let steps = numbers.below(6);
            plan.steps.extend((0..steps).map(|_| step(snapshot, numbers)).take(9));
            let discard = [None, None, Some(Discard::Expired), Some(Discard::Override(numbers.index(2)))];
            let booked_in = numbers.index(snapshot.grid.len());
            let site = numbers.index(snapshot.network.sites.len());
            plan.samples[sample] = SamplePlan {
                first_step,
                steps: u8::try_from(steps.min(9)).unwrap(),
                discard: discard[numbers.below(4) % 4],
                recollection: (numbers.below(2) > 0).then_some(Recollection { site, booked_in }),
            };
        }
        for _ in 0..numbers.below(4) % 9 {
            let day = Day::from_date(snapshot.grid.first_day().date());
            plan.visits.push(Visit {
                patient: numbers.index(backlog.patients.len()),
                point: numbers.index(snapshot.network.collection_points.len()),
                day: day.plus_days([1, 2, 3, -5, 400, i32::MAX, i32::MIN][numbers.below(7) % 7]),
            });
        }
        let (override_, line) = (numbers.index(2), numbers.index(backlog.lines.len()));
        plan.impossible.push(Impossible { override_, line, reason: String::new() });
        plan
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn never_panics(numbers in vec(any::<u16>(), 160), wild in any::<bool>()) {
            let snapshot = &EMPTY.snapshot;
            let plan = plan(snapshot, &mut Numbers { rest: numbers.iter(), wild });
            let violations = audit(snapshot, &plan);
            assert!(!violations.is_empty(), "an override is reported as impossible without a reason");
            assert!(violations.is_sorted());
        }
    }
}
