//! What was worked out about a sample since it was opened? What its lines cost at a site from a slot on, and what
//! booking in costs there. Many options ask for the same.

use labtriage_core::certificate::Scaled;
use labtriage_core::table::{Ix, SiteIx};

use super::market::{Market, NEVER};

/// The number of a span: per line, until which slot it can be run.
pub(super) type Span = usize;

/// The least cost of each line per site, span and slot; its buffers are used again from sample to sample.
#[derive(Default)]
pub(super) struct Memo {
    lines: usize,
    slots: usize,
    /// Per span and line: until which slot it can be run, from the first.
    until: Vec<usize>,
    /// Site and span of each part of `least`.
    known: Vec<(SiteIx, Span)>,
    /// Per known site and span, slot and line: run there in that slot or later.
    least: Vec<Scaled>,
    /// Per site: where its booking in begins, once it is known, and the least of it.
    booked: Vec<Option<(usize, Scaled)>>,
    bookings: Vec<Scaled>,
}

/// What lines cost at a site in a span.
#[derive(Clone, Copy)]
pub(super) struct RunsAt<'m> {
    lines: usize,
    /// Until which slot any line can be run, from the first.
    pub(super) until: usize,
    least: &'m [Scaled],
}

impl<'m> RunsAt<'m> {
    /// Per line: run in a slot or later.
    pub(super) fn from(&self, slot: usize) -> &'m [Scaled] {
        &self.least[slot * self.lines..(slot + 1) * self.lines]
    }
}

/// What booking in costs at a site.
#[derive(Clone, Copy)]
pub(super) struct Bookings<'m> {
    /// Per slot.
    pub(super) each: &'m [Scaled],
    pub(super) least: Scaled,
}

impl Memo {
    /// Begins with another sample, of so many lines.
    pub(super) fn clear(&mut self, market: &Market<'_>, lines: usize) {
        (self.lines, self.slots) = (lines, market.snapshot.grid.len());
        self.until.clear();
        self.known.clear();
        self.least.clear();
        self.booked.clear();
        self.booked.resize(market.snapshot.network.sites.len(), None);
        self.bookings.clear();
    }

    /// The number of a span, given until which slot each line can be run.
    pub(super) fn span(&mut self, until: &[usize]) -> Span {
        let known = self.until.chunks(self.lines.max(1)).position(|known| known == until);
        known.unwrap_or_else(|| {
            self.until.extend_from_slice(until);
            self.until.len() / self.lines.max(1) - 1
        })
    }

    /// Per line: until which slot it can be run in a span, from the first.
    pub(super) fn until(&self, span: Span) -> &[usize] {
        &self.until[span * self.lines..(span + 1) * self.lines]
    }

    /// Until which slot a line can be run in any span, from the first.
    pub(super) fn longest(&self, row: usize) -> usize {
        self.until.iter().skip(row).step_by(self.lines.max(1)).copied().max().unwrap_or(0)
    }

    /// Works out what lines cost at a site in a span, given what a test of each costs there per slot.
    pub(super) fn work_out<'t>(&mut self, at: (SiteIx, Span), tested: impl Fn(usize) -> &'t [Scaled]) -> usize {
        if let Some(known) = self.known.iter().position(|known| *known == at) {
            return known;
        }
        self.known.push(at);
        let first = self.least.len();
        self.least.resize(first + self.slots * self.lines, NEVER);
        let here = &mut self.least[first..];
        for row in 0..self.lines {
            let (tested, mut best) = (tested(row), NEVER);
            for slot in (0..self.until[at.1 * self.lines + row]).rev() {
                best = best.min(tested[slot]);
                here[slot * self.lines + row] = best;
            }
        }
        self.known.len() - 1
    }

    /// What was worked out, by its number.
    pub(super) fn runs(&self, known: usize) -> RunsAt<'_> {
        let size = self.slots * self.lines;
        RunsAt {
            lines: self.lines,
            until: self.until(self.known[known].1).iter().copied().max().unwrap_or(0),
            least: &self.least[known * size..(known + 1) * size],
        }
    }

    /// Works out what booking in costs at a site.
    pub(super) fn work_out_booking(&mut self, market: &Market<'_>, site: SiteIx) {
        if self.booked[site.row()].is_none() {
            let first = self.bookings.len();
            self.bookings.extend((0..self.slots).map(|slot| market.booking(site, slot)));
            let least = self.bookings[first..].iter().copied().min().unwrap_or(NEVER);
            self.booked[site.row()] = Some((first, least));
        }
    }

    /// What was worked out of booking in at a site.
    pub(super) fn bookings(&self, site: SiteIx) -> Bookings<'_> {
        let (first, least) = self.booked[site.row()].unwrap_or((0, NEVER));
        Bookings { each: &self.bookings[first..first + self.slots], least }
    }
}
