//! What must be known of a discard, and what does its requester read? One record each, and a report in plain words.
//!
//! The record has the fields that traceability and the handling of compromised samples ask for (ISO 15189:2022, 7.2.6
//! and 7.5, as this project reads them). It comes from the ledger: what a plan proposes is in its `discards.csv`.

mod sheet;

use labtriage_core::time::{Instant, Zone};

pub use sheet::records_csv;

use super::cells::{LocalTimes, free_text};
use super::folder::{OutputError, OutputFolder, file_names};

/// The file of the records in a folder.
const RECORDS: &str = "records.csv";

/// The ledger's word for a discard that a person has rejected.
const REJECTED: &str = "discard rejected";

/// Everything that is kept of a discard. Codes are those of the laboratory's files.
#[derive(Clone, PartialEq, Eq)]
pub struct DiscardRecord {
    /// Its number, the same from proposal to disposal.
    pub id: String,
    /// Digest of the run that proposed it.
    pub run: String,
    /// Accession number.
    pub accession: String,
    /// Request code.
    pub request: String,
    /// What has become of it, in the ledger's word.
    pub state: String,
    /// Test codes and what became of each.
    pub lines: Vec<(String, String)>,
    /// Specimen type.
    pub specimen: String,
    /// The kind of container.
    pub container: String,
    /// It cannot be collected again.
    pub irreplaceable: bool,
    /// When it was collected.
    pub collected: Instant,
    /// Whether that is an assumption of the policy.
    pub collected_assumed: bool,
    /// When it was received.
    pub received: Option<Instant>,
    /// From when it was kept in which state, in order of time.
    pub history: Vec<(Instant, String)>,
    /// The limit that the last fit line has passed.
    pub limit: Option<LimitApplied>,
    /// When its last fit line was lost.
    pub expired: Option<Instant>,
    /// Until when it must be kept.
    pub hold_until: Option<Instant>,
    /// When it was proposed.
    pub proposed: Instant,
    /// HL7 table 0490.
    pub reason_code: String,
    /// The reason in words.
    pub reason: String,
    /// `system`, or the user who forced it.
    pub proposed_by: String,
    /// The override that forced it.
    pub override_id: Option<String>,
    /// When it was authorised or rejected.
    pub decided: Option<Instant>,
    /// Who authorised or rejected it.
    pub decided_by: Option<String>,
    /// The second person.
    pub second: Option<String>,
    /// What the person gave as a reason.
    pub decision_reason: Option<String>,
    /// Who asked: ODS code.
    pub requester: String,
    /// Whose it is, as a pseudonym.
    pub patient: String,
    /// Why the patient is not called back; none when the patient is.
    pub no_recall_because: Option<String>,
    /// When the requester was told.
    pub notified: Option<Instant>,
    /// How the requester was told.
    pub notified_via: Option<String>,
    /// When it was thrown away.
    pub disposed: Option<Instant>,
    /// Who threw it away.
    pub disposed_by: Option<String>,
    /// Whether the report to the requester was written.
    pub report_issued: bool,
}

impl std::fmt::Debug for DiscardRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DiscardRecord({})", self.accession)
    }
}

/// A stability limit as it was applied.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LimitApplied {
    /// Of which test.
    pub test: String,
    /// In which state of the container.
    pub state: String,
    /// How long, in minutes.
    pub minutes: i32,
    /// Where the figure comes from.
    pub source: String,
    /// The version of the catalogue.
    pub catalogue: String,
}

impl LimitApplied {
    /// The limit in hours: `72`, or `1.5`.
    fn hours(&self) -> String {
        match self.minutes % 60 {
            0 => (self.minutes / 60).to_string(),
            _ => format!("{:.1}", f64::from(self.minutes) / 60.0),
        }
    }
}

/// Writes `records.csv` and one report per requester, `reports/<ODS>.txt`, with that requester's samples only.
///
/// # Errors
/// [`OutputError`] when the system refuses.
pub fn write_discard_records(folder: &OutputFolder, records: &[DiscardRecord], zone: Zone) -> Result<(), OutputError> {
    let write = |name: &str, bytes: &[u8]| {
        use std::io::Write;
        folder.file(name)?.write_all(bytes).map_err(OutputError::io("write", name.as_ref()))
    };
    write(RECORDS, &records_csv(records, zone))?;
    let mut of_requester: Vec<&DiscardRecord> = records.iter().collect();
    of_requester.sort_by(|a, b| (&a.requester, &a.accession).cmp(&(&b.requester, &b.accession)));
    let groups: Vec<&[&DiscardRecord]> = of_requester.chunk_by(|a, b| a.requester == b.requester).collect();
    let names = file_names(groups.iter().map(|group| group[0].requester.as_str()));
    for (group, name) in groups.into_iter().zip(names) {
        let reports: Vec<String> = group.iter().map(|record| report(record, zone)).collect();
        write(&format!("reports/{name}.txt"), reports.join("\n").as_bytes())?;
    }
    Ok(())
}

/// What the requester reads about one sample: what happened to it, why, and what to do. It names no patient; the
/// request does for whom it belongs to.
pub fn report(record: &DiscardRecord, zone: Zone) -> String {
    let mut times = LocalTimes::new(zone);
    let mut at = |instant: Instant| String::from_utf8_lossy(&times.text(instant)).into_owned();
    let received = record.received.map_or_else(String::new, |received| format!(", received {}", at(received)));
    let assumed = if record.collected_assumed { " (assumed)" } else { "" };
    let mut text = format!(
        "To {}: sample {} of request {}\n  {} in {}, collected {}{assumed}{received}\n",
        record.requester,
        record.accession,
        record.request,
        record.specimen,
        record.container,
        at(record.collected)
    );
    let named: Vec<&str> = record.lines.iter().map(|(test, _)| test.as_str()).collect();
    text.push_str(&format!("  Tests asked for: {}.\n", named.join(", ")));
    text.push_str(&format!("  {}\n", fate(record, &mut at)));
    if let Some(why) = &record.decision_reason {
        text.push_str(&format!("  It was decided so because: {}.\n", free_text(why)));
    }
    let code = if record.reason_code.is_empty() {
        String::new()
    } else {
        format!(" (HL7 table 0490: {})", record.reason_code)
    };
    text.push_str(&format!("  Reason: {}{code}.\n", free_text(&record.reason)));
    if let Some(limit) = &record.limit {
        text.push_str(&format!(
            "  The limit applied: {} keeps {} h, {} (catalogue {}, source {}).\n",
            limit.test,
            limit.hours(),
            limit.state,
            limit.catalogue,
            limit.source
        ));
    }
    text.push_str(&match &record.no_recall_because {
        None => "  What to do: a new sample is needed. The patient is on your recall list.\n".to_owned(),
        Some(why) => format!("  What to do: nobody is called back for it: {}.\n", free_text(why)),
    });
    text
}

/// Where the sample is now.
fn fate(record: &DiscardRecord, at: &mut impl FnMut(Instant) -> String) -> String {
    match (record.state.as_str(), record.disposed, record.decided) {
        (_, Some(disposed), _) => {
            format!("The sample was not fit for these tests any more and was disposed of on {}.", at(disposed))
        }
        ("discard authorised", _, Some(decided)) => {
            format!(
                "It was decided on {} that the sample will be disposed of; nothing more is tested on it.",
                at(decided)
            )
        }
        (REJECTED, _, Some(decided)) => {
            format!("It was proposed to dispose of the sample; on {} that was rejected, and it is kept.", at(decided))
        }
        _ => "It is proposed to dispose of the sample; nobody has decided yet, and it is kept.".to_owned(),
    }
}
