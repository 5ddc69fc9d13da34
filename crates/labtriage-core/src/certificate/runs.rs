//! What does each line cost at a site, run from a slot on? Worked out once per sample, site and window, whatever
//! else the lines could do instead.

use super::sample::LineCase;
use super::{NEVER, Scaled};

/// In which slots each line can be run: how it is handled, and by which slot it has been spun.
type Window = (usize, usize);

/// The least cost of each line per window, site and slot; its buffers are used again from sample to sample.
#[derive(Default)]
pub(super) struct Runs {
    windows: Vec<Window>,
    sites: usize,
    slots: usize,
    lines: usize,
    /// Per window and site: until which slot any line can be run, from the first; none when not worked out yet.
    until: Vec<Option<usize>>,
    /// Per window, site, slot and line: run there in that slot or later.
    least: Vec<Scaled>,
}

/// What lines cost at one site.
#[derive(Clone, Copy)]
pub(super) struct RunsAt<'r> {
    /// Until which slot any line can be run, from the first.
    pub(super) until: usize,
    /// Nothing is run before this slot.
    spun: usize,
    lines: usize,
    least: &'r [Scaled],
}

impl<'r> RunsAt<'r> {
    /// Per line: run in a slot before the last or later.
    pub(super) fn from(&self, slot: usize) -> &'r [Scaled] {
        let first = slot.max(self.spun) * self.lines;
        &self.least[first..first + self.lines]
    }
}

impl Runs {
    /// Begins with another sample of so many lines.
    pub(super) fn clear(&mut self, (sites, slots, lines): (usize, usize, usize)) {
        self.windows.clear();
        self.until.clear();
        (self.sites, self.slots, self.lines) = (sites, slots, lines);
    }

    /// The number of a window.
    pub(super) fn window(&mut self, window: Window) -> usize {
        self.windows.iter().position(|known| *known == window).unwrap_or_else(|| {
            self.windows.push(window);
            self.until.resize(self.windows.len() * self.sites, None);
            let size = self.windows.len() * self.sites * self.slots * self.lines;
            self.least.resize(self.least.len().max(size), NEVER);
            self.windows.len() - 1
        })
    }

    /// Works a window and site out, where that has not been done: what each line that can be run there costs in each
    /// slot, and until which slot it can be run.
    pub(super) fn work_out<'c>(
        &mut self,
        (window, site): (usize, usize),
        lines: &[LineCase],
        tested: impl Fn(usize) -> Option<(&'c [Scaled], usize)>,
    ) {
        let number = window * self.sites + site;
        if self.until[number].is_some() {
            return;
        }
        let mut last = 0;
        let size = self.slots * self.lines;
        let here = &mut self.least[number * size..(number + 1) * size];
        for row in 0..lines.len() {
            let (tested, until) = tested(row).unwrap_or((&[], 0));
            let mut best = NEVER;
            last = last.max(until);
            for slot in (0..self.slots).rev() {
                best = if slot < until { best.min(tested[slot]) } else { NEVER };
                here[slot * self.lines + row] = best;
            }
        }
        self.until[number] = Some(last);
    }

    /// What was worked out for a window and site; nothing is run before it is spun.
    pub(super) fn at(&self, (window, site): (usize, usize), spun: usize) -> RunsAt<'_> {
        let number = window * self.sites + site;
        let size = self.slots * self.lines;
        RunsAt {
            until: self.until[number].unwrap_or(0),
            spun,
            lines: self.lines,
            least: &self.least[number * size..(number + 1) * size],
        }
    }
}
