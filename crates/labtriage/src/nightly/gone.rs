//! What has become of what the extract does not have any more?

use labtriage_core::catalogue::Catalogue;
use labtriage_core::table::TestIx;
use labtriage_core::time::Instant;
use labtriage_ledger::records::{Line, Sample};
use labtriage_ledger::states::{LineState, SampleState};
use labtriage_ledger::transitions::{self, Rule};

use super::record::Recorder;

const GONE: &str = "gone from the extract without a result";

impl Recorder<'_> {
    /// A line that the extract does not have any more.
    pub(super) fn left(&self, accession: &str, was: &Line) -> Line {
        if let Some(at) = self.result_of(accession, &was.test)
            && matches!(transitions::line(Some(was.state), LineState::Reported), Rule::Free)
        {
            return Line { state: LineState::Reported, at: Some(at), because: None, place: None, ..was.clone() };
        }
        let open = matches!(
            was.state,
            LineState::Received
                | LineState::Waiting
                | LineState::Scheduled
                | LineState::Transferred
                | LineState::Tested
                | LineState::ProcessedNotReportable
        );
        if open {
            return Line {
                state: LineState::Held,
                at: None,
                place: None,
                because: Some(GONE.to_owned()),
                ..was.clone()
            };
        }
        was.clone()
    }

    /// When the result of a test on a tube came: its own, or the last of all members of the panel.
    fn result_of(&self, accession: &str, test: &str) -> Option<Instant> {
        let results = self.results.get(accession)?;
        let catalogue = &self.snapshot.catalogue;
        let test = find_test(catalogue, test)?;
        let members = &catalogue.tests[test].members;
        let of_panel = || {
            let each = members.iter().map(|member| results.get(member).copied());
            each.collect::<Option<Vec<_>>>()?.into_iter().max()
        };
        results.get(&test).copied().or_else(of_panel)
    }

    /// A sample that has gone from the extract: reported where every line is answered, else missing. One whose discard
    /// is authorised is about to be thrown away, which is recorded only of what is still authorised.
    pub(super) fn gone(&self, before: &Sample) -> Sample {
        if before.state == SampleState::DiscardAuthorised {
            return before.clone();
        }
        let lines: Vec<Line> = before.lines.iter().map(|was| self.left(&before.accession, was)).collect();
        let answered =
            |line: &Line| matches!(line.state, LineState::Reported | LineState::Cancelled | LineState::ReBled);
        let reported = lines.iter().all(answered);
        let state = if reported { SampleState::Reported } else { SampleState::Missing };
        let because = (!reported).then(|| GONE.to_owned());
        Sample { state, because, lines, ..before.clone() }
    }
}

fn find_test(catalogue: &Catalogue, code: &str) -> Option<TestIx> {
    catalogue.tests.enumerate().find(|(_, test)| test.code == code).map(|(test, _)| test)
}
