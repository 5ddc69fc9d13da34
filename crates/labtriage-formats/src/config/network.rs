//! What does `network.toml` say? Calendars, sites, analysers, couriers, collection points,
//! requesters and disruptions.

use labtriage_core::calendar::Calendar;
use labtriage_core::catalogue::{Catalogue, Condition};
use labtriage_core::finding::{Code, Finding};
use labtriage_core::network::{
    CollectionPoint, Courier, Delivery, Departs, Disrupted, Disruption, Network, NetworkParts, Partner, Requester,
    Site, SiteKind,
};
use labtriage_core::policy::Policy;
use labtriage_core::table::{
    AnalyserIx, BandIx, CalendarIx, CollectionPointIx, CourierIx, DisciplineIx, RequesterIx, SiteIx, Table, TestIx,
};
use labtriage_core::time::{Instant, Minutes, Zone};
use labtriage_core::units::Percent;

use super::ConfigFile;
use super::analyser::analyser;
use super::names::{Names, disciplines_of, tests_of};
use super::policy::REQUESTERS;
use super::quantity::{clock, hours, on_weekdays, weekday_name};
use super::toml_file::{Cursor, TomlFile, Value, all};

const SITE_KINDS: [(&str, SiteKind); 3] =
    [("hub", SiteKind::Hub), ("hospital", SiteKind::Hospital), ("partner", SiteKind::Partner)];
const DISRUPTED: [(&str, Disrupted); 4] = [
    ("analyser", Disrupted::Analyser),
    ("reception", Disrupted::Reception),
    ("centrifuge", Disrupted::Centrifuge),
    ("reporting", Disrupted::Reporting),
];

/// The largest number of things per hour, day or box.
const AMOUNT_MAX: u32 = 10_000_000;
/// The largest factor of capacity.
const PERCENT_MAX: u32 = 1000;
/// The largest `capacity_percent` of a whole network: ten thousand times the file's own.
const SCALE_MAX: u32 = 1_000_000;
/// The most requesters: more than there are in a country.
const REQUESTERS_MAX: usize = 1_000_000;

/// Reads a network whose tests stand in a catalogue and whose bands stand in a policy.
///
/// # Errors
/// Everything that is wrong with the file, in order of place.
pub fn network(file: &ConfigFile, catalogue: &Catalogue, policy: &Policy) -> Result<Network, Vec<Finding>> {
    let toml = TomlFile::parse(&file.name, &file.text);
    let network = read(toml.root(), Some(catalogue), Some(policy));
    toml.finish(network)
}

/// What can be said of a network without a catalogue or a policy: names that would stand there are
/// not looked up.
pub(super) fn check(file: &ConfigFile, catalogue: Option<&Catalogue>, policy: Option<&Policy>) -> Vec<Finding> {
    let toml = TomlFile::parse(&file.name, &file.text);
    read(toml.root(), catalogue, policy);
    toml.into_findings()
}

/// The names that entries of the file refer to.
pub(super) struct Known<'c> {
    pub(super) catalogue: Option<&'c Catalogue>,
    pub(super) tests: Names<TestIx>,
    pub(super) disciplines: Names<DisciplineIx>,
    pub(super) calendars: Names<CalendarIx>,
    pub(super) sites: Names<SiteIx>,
    bands: Names<BandIx>,
    analysers: Names<AnalyserIx>,
    collection_points: Names<CollectionPointIx>,
    zone: Zone,
}

fn read(mut root: Cursor<'_>, catalogue: Option<&Catalogue>, policy: Option<&Policy>) -> Option<Network> {
    const MOST: usize = u16::MAX as usize;
    let name = root.required("name", Value::text);
    let zone = root.required("time_zone", |value| value.parsed("a time zone such as `Europe/London`", Zone::from_name));
    let capacity = root.or("capacity_percent", Percent::ALL, |value| value.percent(0..=SCALE_MAX));
    let (calendars, sites) = (root.some_tables("calendar"), root.some_tables("site"));
    let (analysers, couriers) = (root.some_tables("analyser"), root.tables("courier"));
    let (points, requesters) = (root.some_tables("collection_point"), root.some_tables("requester"));
    let disruptions = root.tables("disruption");
    root.finish();
    let known = Known {
        catalogue,
        tests: tests_of(catalogue),
        disciplines: disciplines_of(catalogue),
        calendars: Names::declare("calendar", &calendars, "name", MOST),
        sites: Names::declare("site", &sites, "code", MOST),
        bands: Names::known("band", policy.map(|known| known.bands.iter().map(|band| band.code.as_str()))),
        analysers: Names::declare("analyser", &analysers, "code", MOST),
        collection_points: Names::declare("collection point", &points, "code", MOST),
        zone: zone.unwrap_or(Zone::LONDON),
    };
    Names::<CourierIx>::declare("courier", &couriers, "code", MOST);
    Names::<RequesterIx>::declare("requester", &requesters, "ods", REQUESTERS_MAX);
    let calendars = all(calendars.into_iter().map(calendar));
    let sites = all(sites.into_iter().map(|entry| site(entry, &known)));
    let analysers = all(analysers.into_iter().map(|entry| analyser(entry, &known)));
    let timetables = couriers.clone();
    let couriers = all(couriers.into_iter().map(|entry| courier(entry, &known)));
    let points = all(points.into_iter().map(|entry| collection_point(entry, &known)));
    let requesters = all(requesters.into_iter().map(|entry| requester(entry, &known)));
    let disruptions = all(disruptions.into_iter().map(|entry| disruption(entry, &known)));
    let parts = NetworkParts {
        name: name?,
        zone: zone?,
        capacity: capacity?,
        calendars: Table::new(calendars?),
        sites: Table::new(sites?),
        analysers: Table::new(analysers?),
        couriers: Table::new(couriers?),
        collection_points: Table::new(points?),
        requesters: Table::new(requesters?),
        disruptions: disruptions?,
    };
    let timeless = parts.couriers.iter().position(|courier| courier.transit <= Minutes::ZERO);
    let place = timeless.and_then(|row| timetables.get(row)).unwrap_or(&root);
    Network::new(parts)
        .map_err(|error| {
            let hint = "give each of these couriers the time it is on the road";
            place.report(Finding::new(Code::CourierCycle, error.to_string()).hint(hint));
        })
        .ok()
}

fn calendar(mut entry: Cursor<'_>) -> Option<Calendar> {
    let name = entry.required("name", Value::word);
    let mut windows: [Vec<(i32, i32)>; 7] = Default::default();
    let open = entry.required("open", |value| value.list(|value| open(value, &mut windows)));
    let mut closed = entry.list("closed", Value::date);
    entry.finish();
    if let Some(days) = &mut closed {
        days.sort_unstable();
        days.dedup();
    }
    open?;
    windows.iter_mut().for_each(|day| day.sort_unstable());
    Some(Calendar { name: name?, windows, closed: closed? })
}

/// Adds one opening to its days; openings of one day do not overlap.
fn open(value: Value<'_>, windows: &mut [Vec<(i32, i32)>; 7]) -> Option<()> {
    let expected = "days and hours such as `mon-fri 08:00-18:00`";
    let (days, (from, until)) = value.parsed(expected, |text| on_weekdays(text, hours))?;
    for day in days {
        let of_day = &mut windows[usize::from(day)];
        if of_day.iter().any(|&(opens, closes)| opens < until && from < closes) {
            let message = format!("two openings of this calendar overlap on {}", weekday_name(day));
            value.report(Finding::new(Code::WrongValue, message).hint("join the two, or correct their hours"));
            return None;
        }
        of_day.push((from, until));
    }
    Some(())
}

fn amount(entry: &mut Cursor<'_>, key: &'static str) -> Option<u32> {
    entry.required(key, |value| value.whole(0..=AMOUNT_MAX))
}

fn site(mut entry: Cursor<'_>, known: &Known<'_>) -> Option<Site> {
    let code = entry.required("code", Value::code);
    let name = entry.required("name", Value::text);
    let kind = entry.required("kind", |value| value.choice(&SITE_KINDS));
    let calendar = entry.required("calendar", |value| known.calendars.find(value));
    let reception_per_hour = amount(&mut entry, "reception_per_hour");
    let centrifuge_per_hour = amount(&mut entry, "centrifuge_per_hour");
    let aliquot_per_hour = amount(&mut entry, "aliquot_per_hour");
    let report_per_hour = amount(&mut entry, "report_per_hour");
    let freezer_places = amount(&mut entry, "freezer_places");
    let partner = entry.optional("partner", |value| partner(value, known));
    entry.finish();
    let (kind, partner) = (kind?, partner?);
    let hint = "a partner, and only a partner, has a table `[site.partner]`";
    match (kind, &partner) {
        (SiteKind::Partner, None) => {
            entry.report(Finding::new(Code::MissingKey, "missing key `partner` in `site`").hint(hint));
        }
        (SiteKind::Hub | SiteKind::Hospital, Some(_)) => {
            entry.report(Finding::new(Code::WrongValue, "this site is no partner but has `partner`").hint(hint));
        }
        _ => {}
    }
    Some(Site {
        code: code?,
        name: name?,
        kind,
        calendar: calendar?,
        reception_per_hour: reception_per_hour?,
        centrifuge_per_hour: centrifuge_per_hour?,
        aliquot_per_hour: aliquot_per_hour?,
        report_per_hour: report_per_hour?,
        freezer_places: freezer_places?,
        partner,
    })
}

fn partner(value: Value<'_>, known: &Known<'_>) -> Option<Partner> {
    let mut entry = value.table()?;
    let bands = entry.required("bands", |value| known.bands.find_all(value));
    let quota_per_day = amount(&mut entry, "quota_per_day");
    let cut_off = entry.required("cut_off", Value::clock);
    entry.finish();
    Some(Partner { bands: bands?, quota_per_day: quota_per_day?, cut_off: cut_off? })
}

fn courier(mut entry: Cursor<'_>, known: &Known<'_>) -> Option<Courier> {
    let code = entry.required("code", Value::code);
    let from = entry.required("from", |value| known.sites.find(value));
    let to = entry.required("to", |value| known.sites.find(value));
    let departs = entry.required("departs", departs);
    let transit = entry.required("transit", Value::duration);
    let boxes = entry.required("boxes", |value| value.whole(0..=10_000));
    let tubes_per_box = entry.required("tubes_per_box", |value| value.whole(1..=10_000));
    let conditions = Condition::ALL.map(|condition| (condition.text(), condition));
    let carries = entry.some_list("carries", |value| value.choice(&conditions));
    entry.finish();
    if from.is_some() && from == to {
        entry.report(Finding::new(Code::WrongValue, "a courier leads from one site to another, not back to it"));
    }
    Some(Courier {
        code: code?,
        from: from?,
        to: to?,
        departs: departs?,
        transit: transit?,
        tubes: boxes? * tubes_per_box?,
        carries: carries?,
    })
}

/// Weekly departures, in order; one that stands twice is reported.
fn departs(value: Value<'_>) -> Option<Vec<Departs>> {
    let mut departures: Vec<Departs> = Vec::new();
    value.list(|value| {
        let of_day = |text: &str| clock(text).filter(|minutes| *minutes < 1440);
        let expected = "days and a time such as `mon-fri 09:30`";
        let (days, time) = value.parsed(expected, |text| on_weekdays(text, of_day))?;
        for day in days {
            if departures.contains(&(day, time)) {
                let message = format!("this courier departs twice at one time on {}", weekday_name(day));
                value.report(Finding::new(Code::DuplicateCode, message));
            }
            departures.push((day, time));
        }
        Some(())
    })?;
    departures.sort_unstable();
    Some(departures)
}

fn collection_point(mut entry: Cursor<'_>, known: &Known<'_>) -> Option<CollectionPoint> {
    let code = entry.required("code", Value::code);
    let name = entry.required("name", Value::text);
    // The kind is for people; planning asks only for visits, days and deliveries.
    let kind = entry.required("kind", |value| value.choice(&[("practice", ()), ("hub", ()), ("ward", ())]));
    let visits_per_day = amount(&mut entry, "visits_per_day");
    let calendar = entry.required("calendar", |value| known.calendars.find(value));
    let lead_time_days = entry.required("lead_time_days", |value| value.whole(0..=60));
    let opens = entry.required("opens", Value::clock);
    let delivers = entry.some_list("delivers", |value| {
        let mut delivery = value.table()?;
        let site = delivery.required("site", |value| known.sites.find(value));
        let arrives = delivery.required("arrives", |value| {
            let time = value.clock()?;
            if opens.is_some_and(|opens| time <= opens) {
                value.wrong("a time after the point `opens`")
            } else {
                Some(time)
            }
        });
        delivery.finish();
        Some(Delivery { site: site?, arrives: arrives? })
    });
    entry.finish();
    kind?;
    Some(CollectionPoint {
        code: code?,
        name: name?,
        visits_per_day: visits_per_day?,
        calendar: calendar?,
        lead_time_days: lead_time_days?,
        opens: opens?,
        delivers: delivers?,
    })
}

fn requester(mut entry: Cursor<'_>, known: &Known<'_>) -> Option<Requester> {
    let ods = entry.required("ods", Value::code);
    let name = entry.required("name", Value::text);
    let kind = entry.required("kind", |value| value.choice(&REQUESTERS));
    let borough = entry.required("borough", Value::text);
    let list_size = entry.or("list_size", 0, |value| value.whole(0..=AMOUNT_MAX));
    let collection_point = entry.required("collection_point", |value| known.collection_points.find(value));
    entry.finish();
    Some(Requester {
        ods: ods?,
        name: name?,
        kind: kind?,
        borough: borough?,
        list_size: list_size?,
        collection_point: collection_point?,
    })
}

fn disruption(mut entry: Cursor<'_>, known: &Known<'_>) -> Option<Disruption> {
    let name = entry.required("name", Value::text);
    let site = entry.optional("site", |value| known.sites.find(value));
    let discipline = entry.optional("discipline", |value| known.disciplines.find(value));
    let analyser = entry.optional("analyser", |value| known.analysers.find(value));
    let limits = entry.or("limits", vec![Disrupted::Analyser], |value| value.list(|value| value.choice(&DISRUPTED)));
    let mut last = None;
    let steps = entry.some_list("steps", |value| step(value, known.zone, &mut last));
    entry.finish();
    Some(Disruption {
        name: name?,
        site: site?,
        discipline: discipline?,
        analyser: analyser?,
        limits: limits?,
        steps: steps?,
    })
}

/// One step of a disruption, later than the step before.
fn step(value: Value<'_>, zone: Zone, last: &mut Option<Instant>) -> Option<(Instant, Percent)> {
    let mut entry = value.table()?;
    let from = entry.required("from", |value| {
        let from = value.instant(zone)?;
        if last.is_some_and(|last| from <= last) {
            return value.wrong("a time later than that of the step before");
        }
        Some(from)
    });
    let left = entry.required("capacity_percent", |value| value.percent(0..=PERCENT_MAX));
    entry.finish();
    *last = from.or(*last);
    Some((from?, left?))
}
