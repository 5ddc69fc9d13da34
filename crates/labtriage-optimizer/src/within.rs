//! Where, on what and when may a line be run? What a person, a published plan or nobody has said.

use labtriage_core::overrides::Pin;
use labtriage_core::published::PublishedSlots;
use labtriage_core::snapshot::Snapshot;
use labtriage_core::table::{AnalyserIx, Ix, LineIx, SiteIx, SlotIx};
use labtriage_core::time::Instant;

/// The bounds of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Within {
    /// Only at this site.
    pub(crate) site: Option<SiteIx>,
    /// Only on this analyser.
    pub(crate) analyser: Option<AnalyserIx>,
    /// Not before this slot.
    pub(crate) from: SlotIx,
    /// Ended by then.
    pub(crate) by: Option<Instant>,
}

impl Within {
    /// Anywhere, at any time.
    pub(crate) fn anywhere() -> Self {
        Self { site: None, analyser: None, from: SlotIx::from_row(0), by: None }
    }

    /// At a site, at any time.
    pub(crate) fn at(site: SiteIx) -> Self {
        Self { site: Some(site), ..Self::anywhere() }
    }

    /// As published: on the analyser, in one of the slots.
    pub(crate) fn published(snapshot: &Snapshot, run: PublishedSlots) -> Self {
        Self {
            site: Some(snapshot.network.analysers[run.analyser].site),
            analyser: Some(run.analyser),
            from: run.first,
            by: Some(snapshot.grid.end(run.last)),
        }
    }

    /// All pins of a line as one; none when nobody has pinned it.
    pub(crate) fn pins(snapshot: &Snapshot, line: LineIx) -> Option<Self> {
        let both = |a: Pin, b: Pin| Pin {
            site: a.site.or(b.site),
            analyser: a.analyser.or(b.analyser),
            by: [a.by, b.by].into_iter().flatten().min(),
        };
        let Pin { site, analyser, by } = snapshot.overrides.pins(line).map(|(_, pin)| pin).reduce(both)?;
        Some(Self { site, analyser, by, ..Self::anywhere() })
    }
}
