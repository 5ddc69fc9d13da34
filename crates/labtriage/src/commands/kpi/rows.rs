//! How do machines read the figures? One row each, as CSV or JSON; an unknown one is `unknown` or `null`.

use serde_json::{Value, json};

use super::gather::{Kpi, Scope};

/// All figures as CSV: section, night, by, group, measure, value.
pub(super) fn csv(kpi: &Kpi) -> Result<String, csv::Error> {
    let mut out = csv::Writer::from_writer(Vec::new());
    out.write_record(["section", "night", "by", "group", "measure", "value"])?;
    for (scope, measure, value) in rows(kpi) {
        let night = scope.night.map(|night| kpi.local(night)).unwrap_or_default();
        let value = value.map_or_else(|| "unknown".to_owned(), |value| value.to_string());
        out.write_record([scope.section.text(), &night, scope.by.text(), &scope.group, measure, &value])?;
    }
    let bytes = out.into_inner().map_err(|error| csv::Error::from(error.into_error()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// All figures as JSON.
pub(super) fn json(kpi: &Kpi) -> Value {
    let row = |(scope, measure, value): (&Scope, &str, Option<i64>)| {
        json!({
            "section": scope.section.text(),
            "night": scope.night.map(|night| kpi.local(night)),
            "by": scope.by.text(),
            "group": scope.group,
            "measure": measure,
            "value": value,
        })
    };
    json!({
        "first_night": kpi.nights.map(|(first, _)| kpi.local(first)),
        "last_night": kpi.nights.map(|(_, last)| kpi.local(last)),
        "nights": kpi.count,
        "as_of": kpi.as_of.map(|at| at.to_string()),
        "figures": rows(kpi).map(row).collect::<Vec<_>>(),
    })
}

fn rows(kpi: &Kpi) -> impl Iterator<Item = (&Scope, &str, Option<i64>)> {
    kpi.figures
        .iter()
        .flat_map(|(scope, measures)| measures.iter().map(move |(measure, value)| (scope, measure.as_str(), *value)))
}
