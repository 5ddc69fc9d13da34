//! Until when could a line be run at the very latest, however its sample is kept?
//!
//! Within a phase `Σ time ÷ limit ≤ 1`, so what is left of a phase lasts at most the share of life
//! that is left times the longest limit among the states that the sample can still be brought
//! into. Every rounding here lengthens the window: a bound may allow too much, never too little.

use crate::catalogue::{Handling, Limit, Limits, Phase, State};
use crate::grid::Grid;
use crate::overrides::Overrides;
use crate::policy::UnknownRule;
use crate::snapshot::Snapshot;
use crate::table::{Ix, LineIx, SampleIx};
use crate::time::{Instant, Minutes};
use crate::viability::Stay;

/// One whole life, as [`crate::viability::clock`] counts it.
const LIFE: i64 = 1_000_000_000;

/// A set of states, one bit each.
type States = u8;

/// How a sample could be handled on its way to a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Handled {
    /// Centrifuged on the way.
    pub(super) spun: bool,
    /// Frozen on the way.
    pub(super) frozen: bool,
}

impl Handled {
    /// Every way there is of handling a sample.
    pub(super) const ALL: [Self; 4] = [
        Self { spun: false, frozen: false },
        Self { spun: true, frozen: false },
        Self { spun: false, frozen: true },
        Self { spun: true, frozen: true },
    ];
}

/// The states of a protocol that can be reached from each state, without and with freezing.
pub(super) struct Reachable {
    /// By protocol, state, and whether freezing is allowed.
    states: Vec<[[States; 2]; 7]>,
}

impl Reachable {
    pub(super) fn new(snapshot: &Snapshot) -> Self {
        let of = |protocol: &crate::catalogue::Protocol| {
            State::ALL.map(|from| [false, true].map(|freezing| closure(protocol, from, freezing)))
        };
        Self { states: snapshot.catalogue.protocols.iter().map(of).collect() }
    }

    fn of(&self, snapshot: &Snapshot, sample: SampleIx, frozen: bool) -> States {
        let specimen = snapshot.backlog.samples[sample].specimen;
        let protocol = snapshot.catalogue.specimens[specimen].protocol;
        self.states[protocol.row()][snapshot.backlog.state(sample) as usize][usize::from(frozen)]
    }

    /// Whether a sample could be handled like this at all.
    pub(super) fn allows(&self, snapshot: &Snapshot, sample: SampleIx, handled: Handled) -> bool {
        let thawed_or_frozen = |states: States| {
            states & (1 << State::PrimaryFrozen as u8 | 1 << State::SeparatedFrozen as u8) != 0
        };
        let states = self.of(snapshot, sample, handled.frozen);
        let separated = snapshot.backlog.state(sample).phase() == Phase::Separated;
        let spins = !separated && states & in_phase(Phase::Separated) != 0;
        let freezes = thawed_or_frozen(states & !self.of(snapshot, sample, false));
        (!handled.spun || spins) && (!handled.frozen || freezes)
    }
}

fn closure(protocol: &crate::catalogue::Protocol, from: State, freezing: bool) -> States {
    let mut states: States = 1 << from as u8;
    // A protocol is acyclic: after as many rounds as there are states nothing new comes.
    for _ in State::ALL {
        for step in protocol.steps().iter().filter(|step| freezing || step.handling != Handling::Freeze) {
            if states & (1 << step.from as u8) != 0 {
                states |= 1 << step.to as u8;
            }
        }
    }
    states
}

fn in_phase(phase: Phase) -> States {
    State::ALL.into_iter().filter(|state| state.phase() == phase).fold(0, |states, state| states | 1 << state as u8)
}

/// How much of its present phase a sample has left for a test.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct LifeLeft {
    phase: Phase,
    /// Billionths of a life.
    left: i64,
}

/// What is left at `now`, if anything; rounded up.
fn life_left(limits: &Limits, stays: &[Stay], now: Instant) -> Option<LifeLeft> {
    let (mut phase, mut spent) = (Phase::Primary, 0i64);
    for stay in stays {
        if stay.state.phase() != phase {
            (phase, spent) = (stay.state.phase(), 0);
        }
        let until = stay.until.min(now);
        if until <= stay.from {
            continue;
        }
        let Limit::Within(limit) = limits.of(stay.state) else { return None };
        spent += i64::from(until.since(stay.from).get()) * LIFE / i64::from(limit.get().max(1));
        if spent > LIFE {
            return None;
        }
    }
    Some(LifeLeft { phase, left: LIFE - spent })
}

/// The longest limit among some states of a phase, in minutes; none when no state of it keeps the test.
fn longest(limits: &Limits, states: States, phase: Phase) -> Option<i64> {
    let kept = State::ALL.into_iter().filter(|state| state.phase() == phase && states & (1 << *state as u8) != 0);
    kept.filter_map(|state| match limits.of(state) {
        Limit::Within(limit) => Some(i64::from(limit.get().max(1))),
        Limit::Unknown | Limit::Forbidden => None,
    })
    .max()
}

fn lasts(left: i64, longest: i64) -> Minutes {
    // A minute more than the quotient: the clock rounds each stay down, this must not.
    Minutes::new(i32::try_from(left * longest / LIFE + 1).unwrap_or(i32::MAX))
}

/// The latest moment at which a run of a line could end, handled so; none when it cannot be run.
pub(super) fn closes(
    snapshot: &Snapshot,
    reachable: &Reachable,
    line: LineIx,
    stays: &[Stay],
    handled: Handled,
) -> Option<Instant> {
    if forced(&snapshot.overrides, line) {
        return Some(Instant::FAR);
    }
    let facts = &snapshot.backlog.lines[line];
    let sample = &snapshot.backlog.samples[facts.sample];
    if sample.collected_unknown && snapshot.policy.unknown_time == UnknownRule::Exclude {
        return None;
    }
    let run_in = snapshot.catalogue.tests[facts.test].run_in;
    let limits = snapshot.limits_of(line);
    let life = life_left(limits, stays, snapshot.now)?;
    let states = reachable.of(snapshot, facts.sample, handled.frozen);
    let closes = match (life.phase, run_in, handled.spun) {
        (Phase::Primary, Phase::Primary, false) | (Phase::Separated, Phase::Separated, false) => {
            snapshot.now.plus(lasts(life.left, longest(limits, states, life.phase)?))
        }
        (Phase::Primary, Phase::Separated, true) => {
            let spin_by = snapshot.now.plus(lasts(life.left, longest(limits, states, Phase::Primary)?));
            let begins = last_beginning(&snapshot.grid, spin_by)?;
            begins.plus(lasts(LIFE, longest(limits, states, Phase::Separated)?))
        }
        _ => return None,
    };
    Some(closes.minus(snapshot.policy.safety_margin))
}

/// Whether a line could still be tested after the horizon, however its sample is kept.
pub(super) fn may_wait(snapshot: &Snapshot, reachable: &Reachable, line: LineIx, stays: &[Stay]) -> bool {
    let facts = &snapshot.backlog.lines[line];
    if facts.result_held || forced(&snapshot.overrides, line) {
        return true;
    }
    let run_in = snapshot.catalogue.tests[facts.test].run_in;
    let end = snapshot.grid.horizon_end();
    let keeps = |handled| closes(snapshot, reachable, line, stays, handled).is_some_and(|closes| closes >= end);
    Handled::ALL.into_iter().any(keeps)
        // A tube that waits to be spun need only keep as collected.
        || (run_in == Phase::Separated && keeps_unspun(snapshot, reachable, line, stays, end))
}

fn keeps_unspun(snapshot: &Snapshot, reachable: &Reachable, line: LineIx, stays: &[Stay], end: Instant) -> bool {
    let facts = &snapshot.backlog.lines[line];
    let limits = snapshot.limits_of(line);
    let excluded = snapshot.backlog.samples[facts.sample].collected_unknown
        && snapshot.policy.unknown_time == UnknownRule::Exclude;
    let Some(life) = life_left(limits, stays, snapshot.now).filter(|life| life.phase == Phase::Primary && !excluded)
    else {
        return false;
    };
    let states = reachable.of(snapshot, facts.sample, true);
    longest(limits, states, Phase::Primary).is_some_and(|limit| {
        snapshot.now.plus(lasts(life.left, limit)).minus(snapshot.policy.safety_margin) >= end
    })
}

/// The latest beginning of the separated phase when the tube must be spun by then: within the last
/// slot that ends by then.
fn last_beginning(grid: &Grid, spin_by: Instant) -> Option<Instant> {
    let ended = grid.slots().take_while(|&slot| grid.end(slot) <= spin_by).last()?;
    Some(grid.end(ended))
}

fn forced(overrides: &Overrides, line: LineIx) -> bool {
    overrides.caution(line).is_some()
}
