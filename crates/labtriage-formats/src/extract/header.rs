//! Which column of the file is which of ours?

use csv::StringRecord;
use labtriage_core::finding::{Code, Finding, nearest};

use super::shown::shown;
use crate::import::Import;

/// The most findings about one header.
const FINDINGS_MAX: usize = 50;

/// A column of ours and the header it has in the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) canonical: &'static str,
    pub(crate) header: &'a str,
}

/// Where in a row each of our columns stands.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    positions: Vec<Option<usize>>,
    /// How many fields a row has.
    pub(crate) fields: usize,
    /// Whether accessions and requests may be ten digits.
    pub(crate) ten_digit_codes: bool,
}

impl Layout {
    /// Finds the columns. Of each group of `obligatory` columns at least one must be there.
    pub(crate) fn new(
        header: &StringRecord,
        wanted: &[Wanted<'_>],
        import: &Import,
        obligatory: &[&[usize]],
    ) -> Result<Self, Vec<Finding>> {
        let found: Vec<&str> = header.iter().map(str::trim).collect();
        let positions: Vec<Option<usize>> =
            wanted.iter().map(|column| found.iter().position(|name| *name == column.header)).collect();
        if positions.iter().all(Option::is_none) {
            // It may be a row of patients' data: nothing of it is shown.
            let message = format!("none of the {} columns of the first row is known", found.len());
            let hint = "is the header missing, or is the delimiter another one than `[file] delimiter` says?";
            return Err(vec![Finding::new(Code::UnknownColumn, message).hint(hint)]);
        }
        let mut findings = Vec::new();
        unknown_columns(&found, wanted, import, &mut findings);
        for group in obligatory.iter().filter(|group| group.iter().all(|column| positions[*column].is_none())) {
            findings.push(missing(group, wanted));
        }
        findings.truncate(FINDINGS_MAX);
        if !findings.is_empty() {
            return Err(findings);
        }
        Ok(Self { positions, fields: found.len(), ten_digit_codes: import.ten_digit_codes })
    }

    /// The field of a column, trimmed; empty when the file does not have the column.
    pub(crate) fn field<'r>(&self, record: &'r StringRecord, column: usize) -> &'r str {
        self.positions[column].and_then(|at| record.get(at)).map_or("", str::trim)
    }

    /// Where a column stands.
    pub(crate) fn position(&self, column: usize) -> Option<usize> {
        self.positions[column]
    }
}

fn unknown_columns(found: &[&str], wanted: &[Wanted<'_>], import: &Import, findings: &mut Vec<Finding>) {
    for (n, name) in found.iter().enumerate() {
        let known = wanted.iter().any(|column| column.header == *name);
        let finding = |message: String| Finding::new(Code::UnknownColumn, message);
        if known && found[..n].contains(name) {
            findings.push(finding(format!("column {} stands twice", shown(name))));
        } else if !known && name.is_empty() {
            findings.push(finding(format!("column {} has no name", n + 1)).hint("name it and ignore it, or remove it"));
        } else if !known && !import.ignore.iter().any(|ignored| ignored == name) {
            if import.identity_columns.iter().any(|column| column == name) {
                let message = format!("column {} names patients", shown(name));
                findings
                    .push(finding(message).hint("`labtriage import` makes pseudonyms of a file that names patients"));
                continue;
            }
            let near =
                nearest(name, wanted.iter().map(|column| column.header).filter(|header| !found.contains(header)));
            let hint = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => "map it in `[columns]` of import.toml, or name it in `ignore` there".to_owned(),
            };
            findings.push(finding(format!("unknown column {}", shown(name))).hint(hint));
        }
    }
}

fn missing(group: &[usize], wanted: &[Wanted<'_>]) -> Finding {
    let name = |column: &usize| {
        let Wanted { canonical, header } = wanted[*column];
        if canonical == header { format!("`{header}`") } else { format!("`{header}` (our `{canonical}`)") }
    };
    let names: Vec<String> = group.iter().map(name).collect();
    Finding::new(Code::MissingColumn, format!("missing column {}", names.join(" or ")))
        .hint("name the laboratory's own header in `[columns]` of import.toml")
}
