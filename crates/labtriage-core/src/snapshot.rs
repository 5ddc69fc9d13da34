//! What do we know, at this moment, for sure? The only input of planning.
//!
//! A [`Snapshot`] cross-checks network, catalogue, policy, backlog, overrides and `now`. Once it
//! exists, nothing in it can be wrong, and everything that planning and audit read about a line
//! (clock, weight, band, due time, what it repeats) has been worked out once.

use crate::backlog::{Backlog, TestLine};
use crate::capacity::{Capacity, Departure, departures, first_visit_day};
use crate::catalogue::{Catalogue, LimitTable, Limits};
use crate::duplicates::{Repeat, ResultRow, mark_resulted, repeats};
use crate::finding::{Code, Finding};
use crate::grid::Grid;
use crate::network::Network;
use crate::overrides::{Action, Override, Overrides};
use crate::plan::Hold;
use crate::policy::{Policy, UnknownRule};
use crate::published::PublishedRun;
use crate::table::{BandIx, CollectionPointIx, DepartureIx, Ix, LineIx, OverrideIx, SampleIx, SlotIx, Table};
use crate::time::{Day, Instant};
use crate::units::Weight;
use crate::viability::{Clock, LostBy, Stay, clock};

/// What a snapshot is made of.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// The moment of planning.
    pub now: Instant,
    /// Tests and stability.
    pub catalogue: Catalogue,
    /// Laboratories.
    pub network: Network,
    /// Weights.
    pub policy: Policy,
    /// What is waiting.
    pub backlog: Backlog,
    /// People's decisions, in order of their file.
    pub overrides: Vec<Override>,
    /// Results that are already there.
    pub results: Vec<ResultRow>,
}

/// The parts of a snapshot, all read-only once it exists.
#[derive(Clone, Debug)]
pub struct SnapshotParts {
    /// The moment of planning.
    pub now: Instant,
    /// Tests and stability.
    pub catalogue: Catalogue,
    /// Laboratories.
    pub network: Network,
    /// Weights.
    pub policy: Policy,
    /// What is waiting; panels of which a part is lost are split.
    pub backlog: Backlog,
    /// People's decisions that are in force.
    pub overrides: Overrides,
    /// Limits of every test on every specimen, under the policy.
    pub limits: LimitTable,
    /// Slots.
    pub grid: Grid,
    /// Courier departures.
    pub departures: Table<DepartureIx, Departure>,
    /// Cells and their limits.
    pub capacity: Capacity,
    /// First day on which each collection point may see a recalled patient.
    pub first_visit: Table<CollectionPointIx, Day>,
    /// Until when each line may be tested if its sample stays as it is.
    pub clocks: Table<LineIx, Clock>,
    /// What each line repeats.
    pub repeats: Table<LineIx, Repeat>,
    /// Band of each line; a survivor has the most pressing band of what it answers.
    pub bands: Table<LineIx, BandIx>,
    /// Weight of each line; a survivor carries the largest of what it answers.
    pub weights: Table<LineIx, Weight>,
    /// When the band's target is reached, never before now.
    pub due: Table<LineIx, Instant>,
    /// What an earlier plan has published for each line; empty when there is none.
    pub published: Table<LineIx, Option<PublishedRun>>,
}

/// A cross-checked input; it reads like its [`SnapshotParts`].
#[derive(Clone, Debug)]
pub struct Snapshot(SnapshotParts);

impl std::ops::Deref for Snapshot {
    type Target = SnapshotParts;
    fn deref(&self) -> &SnapshotParts {
        &self.0
    }
}

impl Snapshot {
    /// Cross-checks the inputs.
    ///
    /// Returns the snapshot with warnings, in order of place.
    ///
    /// # Errors
    /// All fatal findings at once, with the warnings among them.
    pub fn new(inputs: Inputs) -> Result<(Self, Vec<Finding>), Vec<Finding>> {
        let Inputs { now, catalogue, network, policy, mut backlog, overrides, results } = inputs;
        let mut findings = Vec::new();
        for test in network.tests_without_analyser(&catalogue) {
            let code = &catalogue.tests[test].code;
            findings.push(Finding::new(Code::NotOnAnyMenu, format!("no analyser has test `{code}` on its menu")));
        }
        let assumed = match policy.unknown_stability {
            UnknownRule::Assume(figure) => Some(figure),
            UnknownRule::Hold | UnknownRule::Exclude => None,
        };
        let limits = LimitTable::new(&catalogue, policy.profile, assumed);
        split_lost_panels(&mut backlog, &catalogue, &limits, &policy, now);
        let clocks: Table<LineIx, Clock> =
            backlog.lines.iter().map(|line| clock_of(&backlog, &catalogue, &limits, &policy, line, now)).collect();
        let (resulted, unmatched) = mark_resulted(&catalogue, &backlog, &results);
        for result in unmatched {
            let message = "a result belongs to no patient, tube and test of this run";
            findings.push(Finding::new(Code::ResultUnmatched, message).at("results.csv", result.line, 0));
        }
        let repeats = if policy.cancel_duplicates {
            repeats(&catalogue, &backlog, &clocks, &resulted)
        } else {
            resulted.iter().map(|&done| if done { Repeat::Resulted } else { Repeat::Survives }).collect()
        };
        let overrides = resolve(&backlog, &catalogue, &network, overrides, now, &mut findings);
        let grid = Grid::new(now, network.zone, &policy);
        let departures = departures(&network, &grid);
        let capacity = Capacity::new(&catalogue, &network, &policy, &grid, &departures, &overrides);
        let first_visit = network
            .collection_points
            .indices()
            .map(|point| first_visit_day(&network, point, grid.first_day()))
            .collect();
        let mut this = Self(SnapshotParts {
            now,
            limits,
            grid,
            departures,
            capacity,
            first_visit,
            bands: Table::default(),
            weights: Table::default(),
            due: Table::default(),
            published: Table::default(),
            catalogue,
            network,
            policy,
            backlog,
            overrides,
            clocks,
            repeats,
        });
        this.weigh();
        this.check_overrides(&mut findings);
        findings.sort();
        if findings.iter().any(|finding| finding.code.severity() == crate::finding::Severity::Fatal) {
            return Err(findings);
        }
        Ok((this, findings))
    }

    /// Works out band, weight and due time of every line, and lets survivors carry the largest.
    fn weigh(&mut self) {
        let lines = self.backlog.lines.len();
        let (mut bands, mut weights, mut due) =
            (Vec::with_capacity(lines), Vec::with_capacity(lines), Vec::with_capacity(lines));
        let request_bands = self.request_bands();
        for line in self.backlog.lines.indices() {
            let request = self.backlog.request_of(line);
            let facts = &self.backlog.requests[request];
            let band =
                self.overrides.of(line).fold(request_bands[request.row()], |band, (_, about)| match about.action {
                    Action::SetBand(set) => set,
                    _ => band,
                });
            let flags = facts.flags.with(self.backlog.patients[facts.patient].flags);
            let kind = self.network.requesters[facts.requester].kind;
            let criticality = self.catalogue.tests[self.backlog.lines[line].test].criticality;
            bands.push(band);
            weights.push(self.policy.weight(band, flags, kind, criticality, self.now.since(facts.requested)));
            due.push(facts.requested.plus(self.policy.bands[band].target).max(self.now));
        }
        for (row, repeat) in self.0.repeats.iter().enumerate() {
            if let Repeat::Of(survivor) = *repeat {
                bands[survivor.row()] = bands[survivor.row()].min(bands[row]);
                weights[survivor.row()] = weights[survivor.row()].max(weights[row]);
                due[survivor.row()] = due[survivor.row()].min(due[row]);
            }
        }
        self.0.bands = Table::new(bands);
        self.0.weights = Table::new(weights);
        self.0.due = Table::new(due);
    }

    /// The band of every request, overrides aside; rules see all its tests, panels as requested.
    fn request_bands(&self) -> Vec<BandIx> {
        let mut tests: Vec<Vec<crate::table::TestIx>> = Vec::new();
        let needs_rules = |request: &crate::backlog::Request| request.stated_band.is_none();
        tests.resize_with(self.backlog.requests.len(), Vec::new);
        for sample in self.backlog.samples.iter().filter(|sample| needs_rules(&self.backlog.requests[sample.request])) {
            let asked = sample.lines().flat_map(|line| {
                let facts = &self.backlog.lines[line];
                [Some(facts.test), facts.split_from].into_iter().flatten()
            });
            tests[sample.request.row()].extend(asked);
        }
        let requests = self.backlog.requests.iter().zip(&tests);
        requests
            .map(|(request, tests)| {
                let kind = self.network.requesters[request.requester].kind;
                self.policy.band_of(request.stated_band, request.flags, tests, kind)
            })
            .collect()
    }

    /// Overrides that contradict each other or the network are refused.
    fn check_overrides(&self, findings: &mut Vec<Finding>) {
        let place = |line: u32, finding: Finding| finding.at("overrides.toml", line, 1);
        let mut seen = None;
        let request_bands = if self.overrides.by_line.is_empty() { Vec::new() } else { self.request_bands() };
        for group in self.overrides.by_line.chunk_by(|a, b| a.0 == b.0) {
            let line = group[0].0;
            let abouts = || group.iter().map(|(_, index)| &self.overrides.all[*index]);
            let pairs = abouts().enumerate().flat_map(|(n, one)| abouts().skip(n + 1).map(move |other| (one, other)));
            for (one, other) in pairs.filter(|(one, other)| one.action.clashes(&other.action, &self.network)) {
                let (keeps, acts) = if is_milder(&other.action, &one.action) { (other, one) } else { (one, other) };
                let pair = (keeps.line, acts.line);
                if seen != Some(pair) {
                    seen = Some(pair);
                    let message = format!(
                        "a `{}` (line {}) and a `{}` (line {}) are about the same line",
                        keeps.action.text(),
                        keeps.line,
                        acts.action.text(),
                        acts.line
                    );
                    findings.push(place(
                        acts.line,
                        Finding::new(Code::OverrideImpossible, message).hint("remove one of the two"),
                    ));
                }
            }
            for about in abouts().filter(|about| !about.has_second()) {
                let irreplaceable = self.backlog.samples[self.backlog.lines[line].sample].irreplaceable;
                if about.needs_second(irreplaceable, request_bands[self.backlog.request_of(line).row()]) {
                    let message = format!("a `{}` of this kind needs a second person", about.action.text());
                    findings.push(place(
                        about.line,
                        Finding::new(Code::SecondPersonMissing, message).hint("add `second = \"...\"`"),
                    ));
                }
            }
        }
        findings.sort();
        findings.dedup();
    }

    /// The limits of a line's test on its specimen.
    pub fn limits_of(&self, line: LineIx) -> &Limits {
        let facts = &self.backlog.lines[line];
        self.limits.get(facts.test, self.backlog.samples[facts.sample].specimen)
    }

    /// Where a sample has been kept until now, as stays; the last is open-ended.
    pub fn stays(&self, sample: SampleIx, stays: &mut Vec<Stay>) {
        stays_of(&self.backlog, sample, stays);
    }

    /// Until when a line may be tested if its sample is kept as the stays say.
    pub fn clock_in(&self, line: LineIx, stays: &[Stay]) -> Clock {
        let run_in = self.catalogue.tests[self.backlog.lines[line].test].run_in;
        clock(self.limits_of(line), run_in, stays, self.policy.safety_margin)
    }

    /// Why a line must wait for a person, whatever capacity there is.
    pub fn must_hold(&self, line: LineIx) -> Option<Hold> {
        let facts = &self.backlog.lines[line];
        if let Some(by) = self.overrides.hold(line) {
            return Some(Hold::Override(by));
        }
        if facts.result_held || self.overrides.caution(line).is_some() {
            return None;
        }
        if self.backlog.samples[facts.sample].collected_unknown && self.policy.unknown_time == UnknownRule::Hold {
            return Some(Hold::UnknownTime);
        }
        let unknown = matches!(self.clocks[line], Clock::Unknown(_));
        (unknown && self.policy.unknown_stability == UnknownRule::Hold).then_some(Hold::UnknownStability)
    }

    /// Whether a run of a line that ends at `end` is inside its window, if its sample is kept as
    /// the stays say. Forced tests always are; lines of unknown collection time that the policy
    /// excludes never are.
    pub fn viable(&self, line: LineIx, stays: &[Stay], end: Instant) -> bool {
        if self.overrides.caution(line).is_some() {
            return true;
        }
        !self.excludes(line) && self.clock_in(line, stays).allows(end)
    }

    /// Whether the policy excludes a line, because nobody knows when its sample was collected.
    pub fn excludes(&self, line: LineIx) -> bool {
        let sample = self.backlog.lines[line].sample;
        self.backlog.samples[sample].collected_unknown && self.policy.unknown_time == UnknownRule::Exclude
    }

    /// The first slot.
    pub fn first_slot(&self) -> SlotIx {
        SlotIx::from_row(0)
    }

    /// How long a line that is not served within the horizon is taken to wait.
    pub fn beyond(&self) -> Instant {
        self.grid.horizon_end().plus(self.policy.tail)
    }

    /// Whether a line is in a strict band.
    pub fn strict(&self, line: LineIx) -> bool {
        self.policy.bands[self.bands[line]].strict
    }

    /// The same snapshot with what an earlier plan has published for some of its lines. Lines are
    /// known only once panels have been split, so this comes last.
    ///
    /// # Panics
    /// When a line is not of this snapshot.
    #[must_use]
    pub fn with_published(mut self, runs: impl IntoIterator<Item = (LineIx, PublishedRun)>) -> Self {
        self.0.published = Table::filled(None, self.backlog.lines.len());
        for (line, run) in runs {
            self.0.published[line] = Some(run);
        }
        self
    }

    /// The same snapshot with other weights of its lines, for searching: what a plan costs is asked of
    /// the snapshot as it was.
    ///
    /// # Panics
    /// When there is not one weight per line.
    #[must_use]
    pub fn with_weights(mut self, weights: Table<LineIx, Weight>) -> Self {
        assert_eq!(weights.len(), self.backlog.lines.len(), "one weight per line");
        self.0.weights = weights;
        self
    }

    /// The same snapshot with more capacity in one cell, for asking what it would be worth.
    #[must_use]
    pub fn with_extra_capacity(mut self, cell: crate::table::CellIx, extra: u64) -> Self {
        self.0.capacity = self.0.capacity.with_extra(cell, extra);
        self
    }
}

/// Where a sample has been kept until now; the last stay is open-ended.
fn stays_of(backlog: &Backlog, sample: SampleIx, stays: &mut Vec<Stay>) {
    let history = backlog.history(sample);
    stays.clear();
    for (n, step) in history.iter().enumerate() {
        let until = history.get(n + 1).map_or(Instant::FAR, |next| next.from);
        stays.push(Stay { from: step.from, until, state: step.state });
    }
}

fn clock_of(
    backlog: &Backlog,
    catalogue: &Catalogue,
    limits: &LimitTable,
    policy: &Policy,
    line: &TestLine,
    now: Instant,
) -> Clock {
    let mut stays = Vec::with_capacity(4);
    stays_of(backlog, line.sample, &mut stays);
    let limits = limits.get(line.test, backlog.samples[line.sample].specimen);
    match clock(limits, catalogue.tests[line.test].run_in, &stays, policy.safety_margin) {
        Clock::Until(closes) if closes <= now => Clock::Lost(closes, LostBy::Expiry(backlog.state(line.sample))),
        clock => clock,
    }
}

/// A panel stays one line while all of it can be run; once part of it is lost, its tests go their own ways.
fn split_lost_panels(backlog: &mut Backlog, catalogue: &Catalogue, limits: &LimitTable, policy: &Policy, now: Instant) {
    let open = |backlog: &Backlog, line: &TestLine| clock_of(backlog, catalogue, limits, policy, line, now).allows(now);
    backlog.split_lines(|backlog, index, lines| {
        let line = backlog.lines[index];
        let members = &catalogue.tests[line.test].members;
        let part = |&test: &crate::table::TestIx| TestLine { test, split_from: Some(line.test), ..line };
        let split =
            !line.result_held && !open(backlog, &line) && members.iter().any(|member| open(backlog, &part(member)));
        if split {
            lines.extend(members.iter().map(part));
        } else {
            lines.push(line);
        }
    });
}

/// Finds the lines each override is about; those that have run out fall away with a finding.
fn resolve(
    backlog: &Backlog,
    catalogue: &Catalogue,
    network: &Network,
    overrides: Vec<Override>,
    now: Instant,
    findings: &mut Vec<Finding>,
) -> Overrides {
    let mut found = Overrides::default();
    for about in overrides {
        let place = |finding: Finding| finding.at("overrides.toml", about.line, 1);
        if about.until <= now {
            let message = format!("this `{}` ran out at {} and is ignored", about.action.text(), about.until);
            findings.push(place(Finding::new(Code::OverrideExpired, message)));
            continue;
        }
        let lines = targets(backlog, &about);
        if lines.is_empty() && !about.action.is_of_no_sample() {
            let message = format!("this `{}` is about nothing in the backlog and is ignored", about.action.text());
            findings.push(place(Finding::new(Code::OverrideUnmatched, message)));
            continue;
        }
        refuse_impossible_pin(backlog, catalogue, network, &about, &lines, findings);
        let index: OverrideIx = found.all.push(about);
        found.by_line.extend(lines.into_iter().map(|line| (line, index)));
    }
    found.by_line.sort_unstable();
    found
}

fn targets(backlog: &Backlog, about: &Override) -> Vec<LineIx> {
    let samples: Vec<SampleIx> = match (&about.target.accession, &about.target.request) {
        (Some(accession), _) => backlog.find_sample(accession).into_iter().collect(),
        (None, Some(code)) => {
            let request = backlog.find_request(code);
            backlog
                .samples
                .enumerate()
                .filter(|(_, sample)| Some(sample.request) == request)
                .map(|(index, _)| index)
                .collect()
        }
        (None, None) => Vec::new(),
    };
    let wanted = |line: &LineIx| {
        let facts = &backlog.lines[*line];
        // A tube is discarded or kept whole, whatever test an override names.
        about.action.is_of_the_tube()
            || about.target.test.is_none_or(|test| facts.test == test || facts.split_from == Some(test))
    };
    samples.into_iter().flat_map(|sample| backlog.samples[sample].lines()).filter(wanted).collect()
}

/// Whether the first of two that clash is the hold.
fn is_milder(one: &Action, other: &Action) -> bool {
    *one == Action::Hold && *other != Action::Hold
}

/// A pin to a place that does not run the test is refused before planning, with the places that do.
fn refuse_impossible_pin(
    backlog: &Backlog,
    catalogue: &Catalogue,
    network: &Network,
    about: &Override,
    lines: &[LineIx],
    findings: &mut Vec<Finding>,
) {
    for &line in lines.iter().filter(|line| !backlog.lines[**line].result_held) {
        let test = backlog.lines[line].test;
        if !about.action.can_run(test, network) {
            let elsewhere =
                network.analysers.iter().find(|facts| facts.menu.iter().any(|(on_menu, _)| *on_menu == test));
            let message = format!(
                "test `{}` cannot be run where this `{}` wants it",
                catalogue.tests[test].code,
                about.action.text()
            );
            let finding = Finding::new(Code::OverrideImpossible, message).at("overrides.toml", about.line, 1);
            findings.push(match elsewhere {
                Some(other) => finding.hint(format!("analyser `{}` runs it", other.code)),
                None => finding,
            });
        }
    }
}
