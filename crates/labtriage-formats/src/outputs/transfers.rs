//! Which container travels with which courier? The manifests, in order of departure.

use labtriage_core::catalogue::State;
use labtriage_core::plan::Step;
use labtriage_core::table::{DepartureIx, Ix, SampleIx};
use labtriage_core::time::Instant;

use super::Outputs;
use super::cells::{LocalTimes, Sheet};
use super::codes::Codes;
use super::folder::{OutputError, OutputFolder};
use super::way::moments;

const HEADER: [&str; 9] =
    ["departs", "courier", "from", "to", "accession", "container", "specimen", "condition", "arrives"];

/// What a container is called.
pub(super) const CONTAINERS: [&str; 2] = ["tube", "aliquot"];

/// Writes `transfers.csv`.
pub(super) fn write(folder: &OutputFolder, outputs: &Outputs<'_>) -> Result<(), OutputError> {
    let snapshot = outputs.snapshot;
    let mut sent: Vec<(Instant, DepartureIx, SampleIx, usize, State)> = Vec::new();
    for sample in snapshot.backlog.samples.indices() {
        if !outputs.plan.steps_of(sample).iter().any(|step| matches!(step, Step::Send(_))) {
            continue;
        }
        moments(snapshot, outputs.plan, sample, |moment| {
            if let Step::Send(departure) = moment.step {
                sent.push((snapshot.departures[departure].leaves, departure, sample, moment.container, moment.state));
            }
        });
    }
    sent.sort_unstable();
    let codes = Codes::new(snapshot);
    let mut times = LocalTimes::new(snapshot.network.zone);
    let texts: Vec<_> =
        snapshot.departures.iter().map(|facts| (times.text(facts.leaves), times.text(facts.arrives))).collect();
    let mut sheet = Sheet::create(folder, "transfers.csv", &HEADER)?;
    for (_, departure, sample, container, state) in sent {
        let courier = snapshot.departures[departure].courier;
        let facts = &snapshot.network.couriers[courier];
        let (departs, arrives) = &texts[departure.row()];
        sheet.cell(departs)?;
        sheet.cell(&codes.couriers[courier.row()])?;
        sheet.cell(&codes.sites[facts.from.row()])?;
        sheet.cell(&codes.sites[facts.to.row()])?;
        sheet.text(snapshot.backlog.accession(sample))?;
        sheet.word(CONTAINERS[container])?;
        sheet.cell(&codes.specimens[snapshot.backlog.samples[sample].specimen.row()])?;
        sheet.word(state.condition().text())?;
        sheet.cell(arrives)?;
        sheet.end()?;
    }
    sheet.finish()
}
