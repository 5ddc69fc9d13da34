//! How are the figures told to a person? Headline, tables, trend; what is unknown is said so.

use std::fmt::Write as _;

use labtriage_core::time::Instant;
use labtriage_ledger::records::Measure;

use super::gather::{By, Kpi, Scope, Section};

/// Requesters named at most, those with most lines; CSV and JSON have all.
const REQUESTERS_SHOWN: usize = 20;

/// The columns of a night's tables.
const COLUMNS: [(&str, &str); 11] = [
    ("backlog", "backlog"),
    ("saved", "saved"),
    ("lost", "lost"),
    ("waiting", "waiting"),
    ("held", "held"),
    ("recalled", "recalled"),
    ("at risk", "critical at risk"),
    ("expired", "expired not actioned"),
    ("< 4 h", "expiring in 4 h"),
    ("< 24 h", "expiring in 24 h"),
    ("< 72 h", "expiring in 72 h"),
];

/// The columns of the trend.
const TREND: [(&str, &str); 9] = [
    ("backlog", "backlog"),
    ("arrived", "arrived"),
    ("reported", "reported"),
    ("saved", "saved"),
    ("lost", "lost"),
    ("at risk", "critical at risk"),
    ("expired", "expired not actioned"),
    ("recalls", "recalls sent"),
    ("discards", "discards proposed"),
];

/// Everything.
pub(super) fn text(kpi: &Kpi) -> String {
    let mut text = String::new();
    match kpi.nights {
        Some((first, last)) => {
            let _ = writeln!(text, "{} nights, {} to {}", kpi.count, moment(kpi, first), moment(kpi, last));
            headline(kpi, last, &mut text);
            for by in [By::Band, By::Discipline, By::Requester] {
                table(kpi, last, by, &mut text);
            }
        }
        None => text.push_str("no night of this period is in the ledger: figures of nights are unknown\n"),
    }
    now(kpi, &mut text);
    period(kpi, &mut text);
    if let Some((_, last)) = kpi.nights {
        benches(kpi, last, &mut text);
        trend(kpi, &mut text);
    }
    text
}

fn headline(kpi: &Kpi, night: Instant, text: &mut String) {
    let all = Scope::of_night(night, By::All, "");
    let _ = writeln!(text, "\nnight of {}", moment(kpi, night));
    for (words, measure) in [
        ("lines critical at risk", Measure::CriticalAtRisk),
        ("lines expired, not actioned", Measure::ExpiredNotActioned),
        ("lines of unknown stability", Measure::UnknownStability),
        ("lines of assumed collection time", Measure::AssumedTime),
        ("lines planned at another laboratory", Measure::Transferred),
        ("samples proposed for discard", Measure::DiscardsProposed),
    ] {
        let _ = writeln!(text, "{:>8} {words}", figure(kpi.get(&all, measure.text())));
    }
    let days = kpi.get(&all, "tenths of days of backlog");
    let days = days.map_or("unknown".to_owned(), |tenths| format!("{}.{}", tenths / 10, tenths % 10));
    let _ = writeln!(text, "{days:>8} days of backlog at the rate of these nights");
}

fn table(kpi: &Kpi, night: Instant, by: By, text: &mut String) {
    let mut groups: Vec<&str> = kpi
        .figures
        .keys()
        .filter(|scope| scope.section == Section::Night && scope.night == Some(night) && scope.by == by)
        .map(|scope| scope.group.as_str())
        .collect();
    let backlog = |group: &str| kpi.get(&Scope::of_night(night, by, group), "backlog").unwrap_or(0);
    match by {
        By::Band => groups.sort_by_key(|group| kpi.bands.iter().position(|band| band == group).unwrap_or(usize::MAX)),
        By::Requester => groups.sort_by_key(|group| std::cmp::Reverse(backlog(group))),
        By::All | By::Discipline | By::Bench => {}
    }
    let more = groups.len().saturating_sub(REQUESTERS_SHOWN);
    groups.truncate(REQUESTERS_SHOWN);
    heading(by.text(), COLUMNS.iter().map(|(head, _)| *head), "oldest", text);
    for group in groups {
        let scope = Scope::of_night(night, by, group);
        let _ = write!(text, "{:<24}", name(group));
        for (_, measure) in COLUMNS {
            let _ = write!(text, "{:>9}", figure(kpi.get(&scope, measure)));
        }
        let oldest = kpi.get(&scope, Measure::OldestWaitingMinutes.text());
        let _ = writeln!(text, "{:>12}", length(oldest));
    }
    if more > 0 {
        let _ = writeln!(text, "… and {more} more, in --csv and --json");
    }
}

fn heading<'a>(first: &str, columns: impl Iterator<Item = &'a str>, last: &str, text: &mut String) {
    let columns: String = columns.map(|head| format!("{head:>9}")).collect();
    let last = if last.is_empty() { String::new() } else { format!("{last:>12}") };
    let _ = writeln!(text, "\n{first:<24}{columns}{last}");
}

fn now(kpi: &Kpi, text: &mut String) {
    let scope = Scope::new(Section::Now, By::All, "");
    let Some(measures) = kpi.figures.get(&scope) else { return };
    let of = |measure: &str| kpi.get(&scope, measure);
    let as_of = kpi.as_of.map_or("no night is recorded".to_owned(), |at| format!("last night {}", moment(kpi, at)));
    let _ = writeln!(
        text,
        "\nthe ledger now ({as_of}): {} samples, {} lines, {} recall notices",
        figure(of("samples")),
        figure(of("lines")),
        figure(of("recalls"))
    );
    for prefix in ["samples ", "lines ", "recalls "] {
        let states = measures.iter().filter_map(|(measure, count)| {
            let state = measure.strip_prefix(prefix)?;
            (count.unwrap_or(0) > 0).then(|| format!("{} {state}", figure(*count)))
        });
        let states = states.collect::<Vec<_>>().join(", ");
        if !states.is_empty() {
            let _ = writeln!(text, "  {prefix:<8} {states}");
        }
    }
}

fn period(kpi: &Kpi, text: &mut String) {
    let all = Scope::new(Section::Period, By::All, "");
    let of = |measure: &str| figure(kpi.get(&all, measure));
    let _ = writeln!(
        text,
        "\nin this period\n  recalls: {} sent, {} booked, {} done, {} declined, {} not ours, {} withdrawn",
        of("recalls sent"),
        of("recalls booked"),
        of("recalls done"),
        of("recalls declined"),
        of("recalls not ours"),
        of("recalls withdrawn")
    );
    let _ = writeln!(
        text,
        "  discards: {} proposed, {} authorised, {} rejected, {} disposed of",
        of("discards proposed"),
        of("discards authorised"),
        of("discards rejected"),
        of("discards disposed")
    );
    let ratio = kpi.get(&all, "highest over lowest in thousandths");
    let ratio = ratio.map_or("unknown".to_owned(), |ratio| format!("{}.{:03}", ratio / 1000, ratio % 1000));
    let _ = writeln!(
        text,
        "  fairness: {} to {} lines reported per 10,000 patients of a practice, highest over lowest {ratio}",
        of("lowest reported per 10,000 patients"),
        of("highest reported per 10,000 patients")
    );
    turnaround(kpi, text);
}

/// Reported lines of each band against its target.
fn turnaround(kpi: &Kpi, text: &mut String) {
    let columns = ["reported", "timed", "in target", "share", "mean", "longest"];
    heading("turnaround from receipt", columns.into_iter(), "", text);
    let bands = kpi.bands.iter().map(|band| (By::Band, band.as_str())).chain([(By::All, "")]);
    for (by, group) in bands {
        let scope = Scope::new(Section::Period, by, group);
        let of = |measure: &str| kpi.get(&scope, measure);
        if by == By::Band && of("reported").is_none() {
            continue;
        }
        // A band of which nothing was in time has no such row, where the same figure of all is known.
        let known = kpi.get(&Scope::new(Section::Period, By::All, ""), "reported in target").is_some();
        let in_target = of("reported in target").or(known.then_some(0));
        let share = in_target.zip(of("timed")).and_then(|(good, timed)| (good * 1000).checked_div(timed));
        let share = share.map_or("unknown".to_owned(), |share| format!("{}.{} %", share / 10, share % 10));
        let _ = writeln!(
            text,
            "{:<24}{:>9}{:>9}{:>9}{share:>9}{:>9}{:>9}",
            if by == By::All { "all" } else { group },
            figure(of("reported")),
            figure(of("timed").or(Some(0))),
            figure(in_target),
            length(of("mean turnaround minutes")),
            length(of("longest turnaround minutes"))
        );
    }
}

fn benches(kpi: &Kpi, night: Instant, text: &mut String) {
    let scopes = kpi.figures.keys().filter(|scope| scope.by == By::Bench && scope.night == Some(night));
    let _ = writeln!(text, "\nuse of benches over the horizon of the last night");
    for scope in scopes {
        let share = kpi.get(scope, "used").zip(kpi.get(scope, "limit"));
        let share = share.and_then(|(used, limit)| (i128::from(used) * 1000).checked_div(i128::from(limit)));
        let share = share.map_or("none there".to_owned(), |share| format!("{}.{} %", share / 10, share % 10));
        let _ = writeln!(text, "  {:<28}{share:>10}", scope.group);
    }
}

fn trend(kpi: &Kpi, text: &mut String) {
    heading("trend", TREND.iter().map(|(head, _)| *head), "", text);
    let nights = kpi.figures.iter().filter(|(scope, measures)| {
        scope.section == Section::Night && scope.by == By::All && measures.contains_key("backlog")
    });
    for (scope, _) in nights {
        let night = scope.night.map(|night| moment(kpi, night)).unwrap_or_default();
        let _ = write!(text, "{night:<24}");
        for (_, measure) in TREND {
            let _ = write!(text, "{:>9}", figure(kpi.get(scope, measure)));
        }
        text.push('\n');
    }
}

fn name(group: &str) -> &str {
    if group.is_empty() { "unknown" } else { group }
}

fn figure(value: Option<i64>) -> String {
    value.map_or_else(|| "unknown".to_owned(), |value| value.to_string())
}

/// `3 d 4 h`, `2 h 5 min`.
fn length(minutes: Option<i64>) -> String {
    match minutes {
        None => "unknown".to_owned(),
        Some(minutes) if minutes >= 1440 => format!("{} d {} h", minutes / 1440, minutes % 1440 / 60),
        Some(minutes) if minutes >= 60 => format!("{} h {:02}", minutes / 60, minutes % 60),
        Some(minutes) => format!("{minutes} min"),
    }
}

/// `Mon 10 Jun 2024 20:00`, by the clock on the laboratory's wall: a day may have several nights.
fn moment(kpi: &Kpi, night: Instant) -> String {
    kpi.zone.local(night).format("%a %-d %b %Y %H:%M").to_string()
}
