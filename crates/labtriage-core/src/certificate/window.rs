//! Until when could a line be run at the very latest, however its sample is kept?
//!
//! Within a phase `Σ time ÷ limit ≤ 1`, so what is left of a phase lasts at most the share of life
//! that is left times the longest limit among the states that the sample can still be brought
//! into. Every rounding here lengthens the window: a bound may allow too much, never too little.

use crate::catalogue::{Condition, Handling, Limit, Limits, Phase, State};
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
    shortest_slot: Minutes,
}

impl Reachable {
    pub(super) fn new(snapshot: &Snapshot) -> Self {
        let of = |protocol: &crate::catalogue::Protocol| {
            State::ALL.map(|from| [false, true].map(|freezing| closure(protocol, from, freezing)))
        };
        let length = |slot| snapshot.grid.end(slot).since(snapshot.grid.start(slot));
        let shortest_slot = snapshot.grid.slots().map(length).min().unwrap_or(Minutes::ZERO);
        Self { states: snapshot.catalogue.protocols.iter().map(of).collect(), shortest_slot }
    }

    fn of(&self, snapshot: &Snapshot, sample: SampleIx, frozen: bool) -> States {
        let specimen = snapshot.backlog.samples[sample].specimen;
        let protocol = snapshot.catalogue.specimens[specimen].protocol;
        self.states[protocol.row()][snapshot.backlog.state(sample) as usize][usize::from(frozen)]
    }

    /// Whether a sample is frozen or can be, without and with freezing it on the way.
    pub(super) fn may_be_frozen(&self, snapshot: &Snapshot, sample: SampleIx, freezing: bool) -> bool {
        frozen(self.of(snapshot, sample, freezing))
    }

    /// Whether a sample could be handled like this at all.
    pub(super) fn allows(&self, snapshot: &Snapshot, sample: SampleIx, handled: Handled) -> bool {
        let states = self.of(snapshot, sample, handled.frozen);
        let separated = snapshot.backlog.state(sample).phase() == Phase::Separated;
        let spins = !separated && states & in_phase(Phase::Separated) != 0;
        let freezes = frozen(states & !self.of(snapshot, sample, false));
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

fn frozen(states: States) -> bool {
    states & (1 << State::PrimaryFrozen as u8 | 1 << State::SeparatedFrozen as u8) != 0
}

fn in_phase(phase: Phase) -> States {
    State::ALL.into_iter().filter(|state| state.phase() == phase).fold(0, |states, state| states | 1 << state as u8)
}

/// How much of its present phase a sample has left for a test.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct LifeLeft {
    phase: Phase,
    /// Billionths of a life that are left at `now`, as the clock counts them when the present stay
    /// ends then.
    left: i64,
    /// The limit of the present state, and until when the clock allows it to last; none when it began
    /// at `now`.
    stays: Option<(i64, Instant)>,
}

/// What is left at `now`, if anything.
fn life_left(limits: &Limits, stays: &[Stay], now: Instant) -> Option<LifeLeft> {
    let mut life = LifeLeft { phase: Phase::Primary, left: LIFE, stays: None };
    for stay in stays {
        if stay.state.phase() != life.phase {
            life = LifeLeft { phase: stay.state.phase(), left: LIFE, stays: None };
        }
        let until = stay.until.min(now);
        life.stays = None;
        if until <= stay.from {
            continue;
        }
        let Limit::Within(limit) = limits.of(stay.state) else { return None };
        let limit = i64::from(limit.get().max(1));
        let closes = stay.from.plus(minutes(life.left.max(0) * limit / LIFE));
        if until > closes {
            return None;
        }
        // As the clock does: what is spent is rounded up.
        life.left -= (i64::from(until.since(stay.from).get()) * LIFE + limit - 1) / limit;
        life.stays = Some((limit, closes));
    }
    Some(life)
}

fn minutes(minutes: i64) -> Minutes {
    Minutes::new(i32::try_from(minutes).unwrap_or(i32::MAX))
}

impl LifeLeft {
    /// The latest moment that the phase can last to, kept in whatever states at most this long.
    ///
    /// Whoever changes to the longest limit does best to do so now; every stay before it and every
    /// rounding only shortens. Limits so near to each other that a rounding could outweigh the
    /// difference get a minute more.
    fn lasts(self, now: Instant, longest: i64) -> Instant {
        let changed = now.plus(minutes(self.left.max(0) * longest / LIFE));
        match self.stays {
            None => changed,
            Some((limit, closes)) => {
                let near = longest > limit && (longest - limit) * LIFE < longest.saturating_mul(limit);
                changed.max(closes).plus(Minutes::new(i32::from(near)))
            }
        }
    }
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

/// How long one line keeps at most, however its sample is kept.
pub(super) struct Keeping<'a> {
    snapshot: &'a Snapshot,
    reachable: &'a Reachable,
    sample: SampleIx,
    limits: &'a Limits,
    run_in: Phase,
    forced: bool,
    life: Option<LifeLeft>,
}

impl<'a> Keeping<'a> {
    /// What is left of a line whose sample was kept as the stays say.
    pub(super) fn new(snapshot: &'a Snapshot, reachable: &'a Reachable, line: LineIx, stays: &[Stay]) -> Self {
        let facts = &snapshot.backlog.lines[line];
        let limits = snapshot.limits_of(line);
        let excluded = snapshot.backlog.samples[facts.sample].collected_unknown
            && snapshot.policy.unknown_time == UnknownRule::Exclude;
        Self {
            snapshot,
            reachable,
            sample: facts.sample,
            limits,
            run_in: snapshot.catalogue.tests[facts.test].run_in,
            forced: snapshot.overrides.caution(line).is_some(),
            life: life_left(limits, stays, snapshot.now).filter(|_| !excluded),
        }
    }

    /// The latest moment at which a run could end, handled so; none when it cannot be run.
    pub(super) fn closes(&self, handled: Handled) -> Option<Instant> {
        if !self.reachable.allows(self.snapshot, self.sample, handled) {
            return None;
        }
        if self.forced {
            return Some(Instant::FAR);
        }
        let life = self.life?;
        let states = self.reachable.of(self.snapshot, self.sample, handled.frozen);
        // A container is kept in one way for all of its lines.
        if handled.frozen && !(self.survives_freezing(states) && self.thaws(life, handled)) {
            return None;
        }
        let closes = match (life.phase, self.run_in, handled.spun) {
            (Phase::Primary, Phase::Primary, false) | (Phase::Separated, Phase::Separated, false) => {
                life.lasts(self.snapshot.now, longest(self.limits, states, life.phase)?)
            }
            (Phase::Primary, Phase::Separated, true) => {
                let begins = self.spun_by(handled)?;
                begins.plus(minutes(longest(self.limits, states, Phase::Separated)?))
            }
            _ => return None,
        };
        Some(closes.minus(self.snapshot.policy.safety_margin))
    }

    /// The end of the last slot in which it can still be spun, handled so.
    fn spun_by(&self, handled: Handled) -> Option<Instant> {
        let spins = self.spins_until(handled);
        (spins > 0).then(|| self.snapshot.grid.end(crate::table::SlotIx::from_row(spins - 1)))
    }

    /// How many slots from the first there are in which it can be spun and still be run, handled so.
    pub(super) fn spins_until(&self, handled: Handled) -> usize {
        if self.forced {
            return self.snapshot.grid.len();
        }
        let Some(life) = self.life.filter(|life| life.phase == Phase::Primary) else { return 0 };
        let states = self.reachable.of(self.snapshot, self.sample, handled.frozen);
        longest(self.limits, states, Phase::Primary)
            .map_or(0, |limit| self.snapshot.grid.ended_by(life.lasts(self.snapshot.now, limit)))
    }

    /// Whether a figure is known for it in any frozen state of these.
    fn survives_freezing(&self, states: States) -> bool {
        let frozen = |state: &State| state.condition() == Condition::Frozen && states & (1 << *state as u8) != 0;
        State::ALL.into_iter().filter(frozen).any(|state| matches!(self.limits.of(state), Limit::Within(_)))
    }

    /// Whether enough can be left after freezing to thaw it and run it within the margin: what is
    /// frozen ages until the first slot ends, and thaws for as long as that takes.
    fn thaws(&self, life: LifeLeft, handled: Handled) -> bool {
        if self.run_in == Phase::Primary {
            return true;
        }
        let snapshot = self.snapshot;
        let specimen = snapshot.backlog.samples[self.sample].specimen;
        let protocol = &snapshot.catalogue.protocols[snapshot.catalogue.specimens[specimen].protocol];
        let thaw = protocol.steps().iter().filter(|step| step.handling == Handling::Thaw).map(|step| step.time).min();
        let Some(thaw) = thaw else { return false };
        let Limit::Within(thawed) = self.limits.of(State::SeparatedThawed) else { return false };
        let mut left = LIFE;
        if life.phase == Phase::Separated {
            let unfrozen = self.reachable.of(snapshot, self.sample, false);
            let Some(longest) = longest(self.limits, unfrozen, Phase::Separated) else { return false };
            let until = snapshot.grid.end(snapshot.first_slot()).since(snapshot.now);
            left = life.left - i64::from(until.get()) * LIFE / longest;
        }
        debug_assert!(handled.frozen);
        // A step may be longer than its slot; it then ends with it.
        let thaw = thaw.min(self.reachable.shortest_slot);
        let least = i64::from(thaw.plus(snapshot.policy.safety_margin).get());
        // A minute more than the quotient: the clock rounds each stay down, this must not.
        left * i64::from(thawed.get()) / LIFE + 1 >= least
    }

    /// Whether it could still be tested after the horizon.
    pub(super) fn may_wait(&self) -> bool {
        let end = self.snapshot.grid.horizon_end();
        let keeps = |handled| self.closes(handled).is_some_and(|closes| closes >= end);
        self.forced || Handled::ALL.into_iter().any(keeps) || self.keeps_unspun(end)
    }

    /// A tube that waits to be spun need only keep as collected.
    fn keeps_unspun(&self, end: Instant) -> bool {
        let Some(life) = self.life.filter(|life| life.phase == Phase::Primary) else { return false };
        let states = self.reachable.of(self.snapshot, self.sample, true);
        longest(self.limits, states, Phase::Primary).is_some_and(|limit| {
            let closes = life.lasts(self.snapshot.now, limit);
            closes.minus(self.snapshot.policy.safety_margin) >= end
        })
    }
}
