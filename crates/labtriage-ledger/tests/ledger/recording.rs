//! Is what was recorded there, once, with its history, and is what may not be refused?

use std::collections::BTreeMap;

use crate::common::{at, file, on_both, patient, published, record, run, sample, with_lines};
use labtriage_ledger::records::{Codes, Figures, Group, Line, Measure, Override, Query, Sample};
use labtriage_ledger::states::{LineState, OverrideState, SampleState};
use labtriage_ledger::{Code, Ledger, LedgerError, Lookup, Recorded};

#[test]
fn a_night_is_recorded_once_and_found_by_every_key() {
    on_both("night", |place| {
        let mut ledger = place.create();
        let night = |ledger: &mut Ledger| {
            record(ledger, 0, |writer| {
                let new = writer.run(&run("run-1"))?;
                if new {
                    writer.samples([sample("24A1"), sample("24A2")])?;
                    writer.published(&published("run-1"))?;
                }
                Ok(new)
            })
        };
        assert!(night(&mut ledger).unwrap());
        let head = ledger.head().unwrap();
        assert_eq!(head.seq, 4);
        assert!(!night(&mut ledger).unwrap());
        assert_eq!(ledger.head().unwrap(), head);

        let mut ledger = place.open();
        for lookup in
            [Lookup::Sample("24A1".to_owned()), Lookup::Request("RQ1".to_owned()), Lookup::Patient(patient("1"))]
        {
            let found = ledger.samples(&lookup, None).unwrap();
            assert_eq!(found.len(), 1, "{lookup:?}");
            assert_eq!((found[0].seq, found[0].at, &found[0].record), (2, at(0), &sample("24A1")));
            assert_eq!(ledger.samples(&lookup, Some("G85001")).unwrap().len(), 1);
            assert!(ledger.samples(&lookup, Some("G85002")).unwrap().is_empty(), "another practice's patient is shown");
        }
        assert_eq!(ledger.samples(&Lookup::Practice("G85001".to_owned()), None).unwrap().len(), 2);
        assert_eq!(ledger.samples(&Lookup::State(SampleState::Waiting), None).unwrap().len(), 2);
        assert_eq!(ledger.samples(&Lookup::State(SampleState::Held), None).unwrap(), []);
        assert_eq!(ledger.published().unwrap().unwrap().record, published("run-1"));
        assert_eq!(ledger.runs().unwrap()[0].record, run("run-1"));
        assert_eq!(ledger.run("run-2").unwrap(), None);
        let mut all = Vec::new();
        ledger
            .each_sample(|known| {
                all.push(known.record.accession);
                Ok::<_, LedgerError>(())
            })
            .unwrap();
        assert_eq!(all, ["24A1", "24A2"]);
        assert_eq!(ledger.counts().unwrap().into_iter().collect::<Vec<_>>(), [("waiting".to_owned(), 2)]);
    });
}

#[test]
fn only_what_changed_is_recorded_and_the_past_stays() {
    on_both("changed", |place| {
        let mut ledger = place.create();
        let many: Vec<Sample> = (0..1203).map(|number| sample(&format!("24A{number:04}"))).collect();
        let first = record(&mut ledger, 0, |writer| writer.samples(many.clone())).unwrap();
        assert_eq!(first, Recorded { new: 1203, changed: 0, unchanged: 0 });
        let mut next = many;
        next[700] = with_lines(next[700].clone(), SampleState::Scheduled, LineState::Scheduled);
        let second = record(&mut ledger, 10, |writer| writer.samples(next.clone())).unwrap();
        assert_eq!(second, Recorded { new: 0, changed: 1, unchanged: 1202 });
        let history = ledger.history::<Sample>("24A0700").unwrap();
        let states: Vec<_> = history.iter().map(|known| (known.at, known.record.as_ref().unwrap().state)).collect();
        assert_eq!(states, [(at(0), SampleState::Waiting), (at(10), SampleState::Scheduled)]);
        assert_eq!(ledger.sample("24A0700").unwrap().unwrap().record, next[700]);
        assert_eq!(ledger.verify(None).unwrap().present, 1203);
    });
}

#[test]
fn a_failed_night_leaves_nothing() {
    on_both("failed", |place| {
        let mut ledger = place.create();
        record(&mut ledger, 0, |writer| {
            writer.samples([with_lines(sample("24A1"), SampleState::Reported, LineState::Reported)])
        })
        .unwrap();
        let head = ledger.head().unwrap();
        let error = record(&mut ledger, 1, |writer| {
            writer.run(&run("run-1"))?;
            writer.samples((0..600).map(|number| sample(&format!("24B{number:04}"))))?;
            writer.samples([sample("24A1")])
        });
        assert_eq!(
            error.unwrap_err().to_string(),
            "sample 24A1: reported cannot become waiting: what has been reported is opened again only for a reason"
        );
        assert_eq!(ledger.head().unwrap(), head);
        assert_eq!(ledger.run("run-1").unwrap(), None);
        assert_eq!(ledger.sample("24B0001").unwrap(), None);
        ledger.verify(None).unwrap();
    });
}

#[test]
fn illegal_changes_are_refused_and_reasons_allow_corrections() {
    let place = file();
    let mut ledger = place.create();
    let expired = with_lines(sample("24A1"), SampleState::Expired, LineState::Expired);
    record(&mut ledger, 0, |writer| writer.samples([expired.clone()])).unwrap();
    let mut run_late = with_lines(expired.clone(), SampleState::Scheduled, LineState::Scheduled);
    run_late.because = Some("forced by the duty biochemist".to_owned());
    run_late.lines[0].caution = Some("potassium may be raised".to_owned());
    let error = record(&mut ledger, 1, |writer| writer.samples([run_late.clone()])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "sample 24A1, test TSH: expired cannot become scheduled: \
         what has expired is run only with a caution, or because a limit was corrected"
    );
    assert_eq!(error.code(), Code::Transition);
    run_late.lines[1].because = Some("the limit was corrected".to_owned());
    record(&mut ledger, 1, |writer| writer.samples([run_late.clone()])).unwrap();

    let shorter = Sample { lines: vec![Line::new("K", LineState::Scheduled)], ..run_late.clone() };
    let error = record(&mut ledger, 2, |writer| writer.samples([shorter])).unwrap_err();
    assert!(error.to_string().contains("test TSH: scheduled cannot become nothing"), "{error}");
    let empty = Sample { lines: Vec::new(), ..sample("24A9") };
    assert_eq!(record(&mut ledger, 2, |writer| writer.samples([empty])).unwrap_err().code(), Code::Contradiction);
    let unfounded = Sample { state: SampleState::DiscardProposed, ..sample("24A9") };
    assert_eq!(record(&mut ledger, 2, |writer| writer.samples([unfounded])).unwrap_err().code(), Code::Contradiction);
}

#[test]
fn one_accession_twice_in_a_night_follows_itself() {
    let place = file();
    let mut ledger = place.create();
    let twice = [sample("24A1"), with_lines(sample("24A1"), SampleState::Scheduled, LineState::Scheduled)];
    let recorded = record(&mut ledger, 0, |writer| writer.samples(twice)).unwrap();
    assert_eq!(recorded, Recorded { new: 1, changed: 1, unchanged: 0 });
    ledger.verify(None).unwrap();
    assert_eq!(ledger.sample("24A1").unwrap().unwrap().record.state, SampleState::Scheduled);
}

fn hold(id: &str, until: i32) -> Override {
    Override {
        id: id.to_owned(),
        action: "hold".to_owned(),
        details: vec![("accession".to_owned(), "24A1".to_owned())],
        who: "A. Manager".to_owned(),
        why: "waiting for the clinician".to_owned(),
        second: None,
        set: at(0),
        until: at(until),
        state: OverrideState::InForce,
        ended: None,
    }
}

#[test]
fn overrides_are_kept_and_fall_away() {
    on_both("overrides", |place| {
        let mut ledger = place.create();
        record(&mut ledger, 0, |writer| {
            writer.set_override(&hold("O1", 100))?;
            writer.set_override(&hold("O2", 200))?;
            writer.set_override(&hold("O3", 300))
        })
        .unwrap();
        for wrong in [hold("O1", 500), hold("O4", 0), Override { why: " ".to_owned(), ..hold("O4", 9) }] {
            assert_eq!(
                record(&mut ledger, 0, |writer| writer.set_override(&wrong)).unwrap_err().code(),
                Code::Contradiction
            );
        }
        let over = record(&mut ledger, 100, |writer| writer.end_overrides_that_ran_out()).unwrap();
        assert_eq!(over, [hold("O1", 100)]);
        record(&mut ledger, 110, |writer| writer.end_override("O3", "by B. Manager: answered")).unwrap();
        let error = record(&mut ledger, 111, |writer| writer.end_override("O3", "again")).unwrap_err();
        assert_eq!(error.code(), Code::Unknown);
        let left: Vec<_> =
            ledger.overrides(OverrideState::InForce).unwrap().into_iter().map(|known| known.record.id).collect();
        assert_eq!(left, ["O2"]);
        assert_eq!(ledger.overrides(OverrideState::Ended).unwrap().len(), 2);
        assert_eq!(ledger.history::<Override>("O3").unwrap().len(), 2);
        ledger.verify(None).unwrap();
    });
}

#[test]
fn figures_of_all_nights_come_back_in_order() {
    on_both("figures", |place| {
        let mut ledger = place.create();
        assert_eq!(ledger.codes().unwrap(), None);
        let codes = Codes {
            zone: "Europe/London".to_owned(),
            bands: Vec::new(),
            disciplines: BTreeMap::new(),
            panels: BTreeMap::new(),
            list_sizes: BTreeMap::new(),
        };
        for (night, (digest, zone)) in [("run-b", "Europe/London"), ("run-a", "Europe/Paris")].into_iter().enumerate() {
            let group = Group {
                band: "soon".to_owned(),
                discipline: "chemistry".to_owned(),
                requester: "G85001".to_owned(),
                counts: [(Measure::Backlog, 10 + night as i64), (Measure::CriticalAtRisk, 1)].into(),
            };
            let figures = Figures {
                run: digest.to_owned(),
                counted: [Measure::Backlog, Measure::CriticalAtRisk].into(),
                groups: vec![group],
                benches: Vec::new(),
                unfairness: None,
                codes: Some(Codes { zone: zone.to_owned(), ..codes.clone() }),
            };
            record(&mut ledger, night as i32, |writer| {
                writer.run(&run(digest))?;
                writer.figures(&figures)
            })
            .unwrap();
        }
        let last = Codes { zone: "Europe/Paris".to_owned(), ..codes };
        assert_eq!(ledger.codes().unwrap(), Some(last));
        record(&mut ledger, 2, |writer| writer.run(&run("run-c"))).unwrap();
        assert_eq!(ledger.codes().unwrap().unwrap().zone, "Europe/Paris", "a night without figures changes nothing");
        let nights: Vec<_> = ledger
            .nights()
            .unwrap()
            .into_iter()
            .map(|night| {
                let backlog = night.figures.map(|figures| figures.groups[0].counts[&Measure::Backlog]);
                (night.run.record.digest, backlog)
            })
            .collect();
        let expected = [("run-b", Some(10)), ("run-a", Some(11)), ("run-c", None)];
        assert_eq!(nights, expected.map(|(run, backlog)| (run.to_owned(), backlog)));
    });
}

#[test]
fn a_plan_is_published_only_for_a_run_that_is_there() {
    let mut ledger = file().create();
    let error = record(&mut ledger, 0, |writer| writer.published(&published("run-1"))).unwrap_err();
    assert_eq!(error.code(), Code::Unknown);
}

/// Ten digits that pass Modulus 11: an NHS number, unless the ledger holds a sample of that accession.
#[test]
fn times_and_accessions_of_ten_digits_are_no_nhs_numbers() {
    let place = file();
    let mut ledger = place.create();
    let code = "9434765919";
    let mut timed = sample("24A1");
    timed.lines[0].because = Some("call again at 2026-11-23 12:30, or 23-11-2026 08:15".to_owned());
    let mut twin = sample("24A2");
    twin.lines[0].because = Some(Line::answered_by(code));
    let mut decided = hold("O1", 10);
    decided.details = vec![("accession".to_owned(), code.to_owned())];
    let asked = |found| Query {
        who: "B".to_owned(),
        sample: Some(code.to_owned()),
        request: None,
        patient: None,
        practice: None,
        found,
    };
    // Before anybody knows the sample.
    assert_eq!(record(&mut ledger, 0, |writer| writer.set_override(&decided)).unwrap_err().code(), Code::Identity);
    assert_eq!(record(&mut ledger, 0, |writer| writer.query(&asked(0))).unwrap_err().code(), Code::Identity);
    record(&mut ledger, 0, |writer| writer.samples([timed, twin, sample(code)])).unwrap();
    record(&mut ledger, 0, |writer| writer.set_override(&decided)).unwrap();
    record(&mut ledger, 0, |writer| writer.query(&asked(1))).unwrap();
    for text in ["sample 943 476 5919 answers the same question", "943.476.5919", "943\u{a0}476\u{a0}5919"] {
        let mut typed = sample("24A3");
        typed.lines[0].because = Some(text.to_owned());
        assert_eq!(
            record(&mut ledger, 0, |writer| writer.samples([typed])).unwrap_err().code(),
            Code::Identity,
            "{text}"
        );
    }
}

#[test]
fn identities_are_refused_and_never_shown() {
    let place = file();
    let mut ledger = place.create();
    let nhs = "943 476 5919";
    let mut named = sample("24A1");
    named.patient = labtriage_ledger::OwnedPseudonym::new("9434765919");
    let mut reasoned = sample("24A1");
    reasoned.lines[0].because = Some(format!("patient {nhs} called"));
    for wrong in [named, reasoned] {
        let error = record(&mut ledger, 0, |writer| writer.samples([wrong])).unwrap_err();
        assert_eq!(error.code(), Code::Identity);
        for shown in [error.to_string(), format!("{error:?}"), error.hint().to_owned()] {
            assert!(!shown.contains("5919"), "{shown}");
        }
    }
    let mut decided = hold("O1", 10);
    decided.why = format!("call {nhs}");
    assert_eq!(record(&mut ledger, 0, |writer| writer.set_override(&decided)).unwrap_err().code(), Code::Identity);
    let query = Query {
        who: "B".to_owned(),
        sample: Some(nhs.to_owned()),
        request: None,
        patient: None,
        practice: None,
        found: 0,
    };
    assert_eq!(record(&mut ledger, 0, |writer| writer.query(&query)).unwrap_err().code(), Code::Identity);
    assert_eq!(ledger.head().unwrap().seq, 0);

    let shown =
        format!("{:?} {:?} {:?}", sample("24A1"), crate::common::notice("N1", "24A1"), Lookup::Patient(patient("1")));
    assert!(shown.contains("redacted") && !shown.contains("pseudo-"), "{shown}");
    record(&mut ledger, 0, |writer| writer.samples([sample("24A1")])).unwrap();
    let shown = format!("{:?} {ledger:?}", ledger.sample("24A1").unwrap());
    assert!(!shown.contains("pseudo-"), "{shown}");
}
