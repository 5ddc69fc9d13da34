//! Which lines are left out at the least cost when a container holds too little for all?

use super::Scaled;

/// Lines up to which every choice among them is looked at; for more the last one is left out in part.
const WHOLE_MAX: usize = 14;

/// A line that would be run: what it costs to leave it out, and what it takes, in microlitres.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) loss: Scaled,
    pub(super) volume: u32,
    /// What at least is lost besides when it is run, once for all lines: the largest counts.
    pub(super) dead: u32,
}

/// The least cost of leaving lines out so that the others find enough: the 0-1 knapsack problem, by branch and
/// bound over the lines in order of loss per volume (Kolesar, 1967); its linear relaxation for very many lines.
pub(super) fn left_out_at_least(lines: &mut [Wanted], there: u32) -> Scaled {
    let there = u64::from(there);
    let volume: u64 = lines.iter().map(|line| u64::from(line.volume)).sum();
    let dead = |lines: &[Wanted]| lines.iter().map(|line| u64::from(line.dead)).max().unwrap_or(0);
    if lines.is_empty() || volume + dead(lines) <= there {
        return 0;
    }
    // By loss per volume, compared across so that nothing is rounded.
    let across = |a: &Wanted, b: &Wanted| i128::from(a.loss) * i128::from(b.volume);
    lines.sort_unstable_by(|a, b| across(b, a).cmp(&across(a, b)));
    if lines.len() > WHOLE_MAX {
        let dead = lines.iter().map(|line| u64::from(line.dead)).min().unwrap_or(0);
        return in_part(lines, (volume + dead).saturating_sub(there));
    }
    let mut least = lines.iter().map(|line| line.loss).sum();
    branch(lines, there, (0, 0, 0), &mut least);
    least
}

/// Keeps or leaves out line after line, given what is kept so far, what is lost with it and what that costs.
fn branch(lines: &[Wanted], there: u64, (kept, dead, lost): (u64, u64, Scaled), least: &mut Scaled) {
    if lost >= *least {
        return;
    }
    let Some((line, rest)) = lines.split_first() else {
        *least = lost;
        return;
    };
    let with = (kept + u64::from(line.volume), dead.max(u64::from(line.dead)), lost);
    if with.0 + with.1 <= there {
        branch(rest, there, with, least);
    }
    branch(rest, there, (kept, dead, lost + line.loss), least);
}

/// The same when the last line may be left out in part: the cheapest per volume first.
fn in_part(lines: &[Wanted], mut short: u64) -> Scaled {
    let mut lost = 0;
    for line in lines.iter().rev() {
        if short == 0 {
            break;
        }
        let part = short.min(u64::from(line.volume));
        // Rounded once, so that it never falls when losses rise.
        let lost_of_it = i128::from(line.loss) * i128::from(part) / i128::from(line.volume.max(1));
        lost += Scaled::try_from(lost_of_it).unwrap_or(line.loss);
        short -= part;
    }
    lost
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(loss: Scaled, volume: u32, dead: u32) -> Wanted {
        Wanted { loss, volume, dead }
    }

    #[test]
    fn the_line_that_costs_least_is_left_out_whole() {
        // 100 for all three, 90 there: the last may not be left out in part.
        assert_eq!(left_out_at_least(&mut [line(50, 40, 10), line(30, 30, 10), line(20, 20, 10)], 100), 0);
        assert_eq!(left_out_at_least(&mut [line(50, 40, 10), line(30, 30, 10), line(20, 20, 10)], 90), 20);
        // What is lost besides counts for the lines that are kept.
        assert_eq!(left_out_at_least(&mut [line(50, 40, 10), line(30, 30, 60)], 90), 30);
        assert_eq!(left_out_at_least(&mut [line(50, 40, 10)], 20), 50);
    }

    proptest! {
        #[test]
        fn dearer_losses_never_cost_less(
            lines in proptest::collection::vec((20i64..60, 20u32..50, 0u32..30), 1..20),
            there in 0u32..500, dearer in 0usize..20, by in 1i64..20
        ) {
            let lines: Vec<Wanted> = lines.into_iter().map(|(loss, volume, dead)| line(loss, volume, dead)).collect();
            let mut more = lines.clone();
            more[dearer % lines.len()].loss += by;
            let (before, after) = (left_out_at_least(&mut lines.clone(), there), left_out_at_least(&mut more, there));
            prop_assert!(before <= after, "{before}, and {after} with a dearer line");
        }

        #[test]
        fn nothing_cheaper_exists(
            lines in proptest::collection::vec((1i64..1000, 0u32..50, 0u32..30), 0..9), there in 0u32..300
        ) {
            let mut lines: Vec<Wanted> = lines.into_iter().map(|(loss, volume, dead)| line(loss, volume, dead)).collect();
            let kept = |set: u32| lines.iter().enumerate().filter(move |(row, _)| set >> row & 1 == 1).map(|(_, line)| line);
            let all: Scaled = lines.iter().map(|line| line.loss).sum();
            let fits = |set: &u32| {
                let dead = kept(*set).map(|line| line.dead).max().unwrap_or(0);
                kept(*set).map(|line| line.volume).sum::<u32>() + dead <= there
            };
            let cost = |set: u32| all - kept(set).map(|line| line.loss).sum::<Scaled>();
            let least = (0..1u32 << lines.len()).filter(fits).map(cost).min().unwrap();
            let relaxed = {
                let mut sorted = lines.clone();
                sorted.sort_by(|a, b| (b.loss * i64::from(a.volume)).cmp(&(a.loss * i64::from(b.volume))));
                let dead = lines.iter().map(|line| u64::from(line.dead)).min().unwrap_or(0);
                let volume: u64 = lines.iter().map(|line| u64::from(line.volume)).sum();
                in_part(&sorted, (volume + dead).saturating_sub(u64::from(there)))
            };
            prop_assert_eq!(left_out_at_least(&mut lines, there), least);
            prop_assert!(relaxed <= least);
        }
    }
}
