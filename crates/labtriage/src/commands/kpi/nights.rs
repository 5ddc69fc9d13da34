//! What do the nights' own figures say? Sums over groups; the last night also by band, discipline and requester.

use labtriage_core::time::Instant;
use labtriage_ledger::Night;
use labtriage_ledger::records::{Figures, Group, Measure};

use super::gather::{By, Kpi, Measures, Scope};

/// The lines of a backlog that somebody still waits for.
const OPEN: [Measure; 4] = [Measure::Scheduled, Measure::Waiting, Measure::Held, Measure::Recalled];

/// Puts the figures of nights, in order, into the table.
pub(super) fn count(kpi: &mut Kpi, nights: &[Night]) {
    let nights: Vec<(Instant, &Figures)> =
        nights.iter().filter_map(|night| Some((night.run.record.now, night.figures.as_ref()?))).collect();
    for (night, figures) in &nights {
        sum(kpi, *night, figures, By::All);
        kpi.set(Scope::of_night(*night, By::All, ""), "unfairness in millionths", figures.unfairness);
    }
    let Some((night, figures)) = nights.last() else { return };
    for by in [By::Band, By::Discipline, By::Requester] {
        sum(kpi, *night, figures, by);
    }
    for bench in &figures.benches {
        let scope = || Scope::of_night(*night, By::Bench, &format!("{} {}", bench.site, bench.analyser));
        kpi.set(scope(), "used", Some(bench.used));
        kpi.set(scope(), "limit", Some(bench.limit));
    }
    let days = days_of_backlog(&nights);
    kpi.set(Scope::of_night(*night, By::All, ""), "tenths of days of backlog", days);
}

fn sum(kpi: &mut Kpi, night: Instant, figures: &Figures, by: By) {
    let scope = |group: &str| Scope::of_night(night, by, group);
    if by == By::All {
        kpi.figures.insert(scope(""), empty(figures));
    }
    for group in &figures.groups {
        let here = kpi.figures.entry(scope(name(group, by))).or_insert_with(|| empty(figures));
        for (measure, count) in &group.counts {
            let Some(Some(sum)) = here.get_mut(measure.text()) else { continue };
            *sum = if *measure == Measure::OldestWaitingMinutes { *count.max(sum) } else { *sum + count };
        }
    }
}

/// What was counted begins at 0, the rest is unknown.
fn empty(figures: &Figures) -> Measures {
    let known = |measure: &Measure| figures.counted.contains(measure).then_some(0);
    Measure::ALL.iter().map(|measure| (measure.text().to_owned(), known(measure))).collect()
}

fn name(group: &Group, by: By) -> &str {
    match by {
        By::All | By::Bench => "",
        By::Band => &group.band,
        By::Discipline => &group.discipline,
        By::Requester => &group.requester,
    }
}

/// The open lines of the last night over the lines run in a mean night, in tenths, rounded up;
/// unknown where no night has counted what was run, or none was.
fn days_of_backlog(nights: &[(Instant, &Figures)]) -> Option<i64> {
    let total = |figures: &Figures, measure: Measure| -> i64 {
        figures.groups.iter().filter_map(|group| group.counts.get(&measure)).sum()
    };
    let (_, last) = nights.last()?;
    if !OPEN.iter().all(|measure| last.counted.contains(measure)) {
        return None;
    }
    let counted: Vec<i64> = nights
        .iter()
        .filter(|(_, figures)| figures.counted.contains(&Measure::Tested))
        .map(|(_, figures)| total(figures, Measure::Tested))
        .collect();
    let run: i64 = counted.iter().sum();
    let open: i64 = OPEN.iter().map(|&measure| total(last, measure)).sum();
    let nights = i64::try_from(counted.len()).ok()?;
    (run > 0).then(|| (open * nights * 10 + run - 1) / run)
}
