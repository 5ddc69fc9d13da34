//! `labtriage kpi`: how do the nights go? Figures of the ledger; `docs/kpi.md` defines each.

mod gather;
mod nights;
mod period;
mod rows;
mod words;

use labtriage_core::time::Instant;
use labtriage_ledger::{Address, Ledger};

use crate::args::KpiArguments;
use crate::failure::Failure;
use crate::terminal;

use gather::Kpi;

/// Prints the figures; returns the exit code.
pub(crate) fn kpi(arguments: &KpiArguments) -> Result<u8, Failure> {
    let mut ledger = Ledger::open(&Address::parse(&arguments.ledger.ledger)?)?;
    let kpi = Kpi::of(&mut ledger, arguments.from, arguments.to)?;
    if arguments.csv {
        let text = rows::csv(&kpi).map_err(|error| Failure::Bug(error.to_string()))?;
        terminal::data(&text);
    } else if arguments.ledger.output.json {
        terminal::data(&format!("{}\n", rows::json(&kpi)));
    } else if !arguments.ledger.output.quiet {
        terminal::data(&words::text(&kpi));
    }
    Ok(0)
}

/// A stretch of time, half-open; without an end where none was asked for.
#[derive(Clone, Copy, Debug)]
struct Period {
    from: Option<Instant>,
    until: Option<Instant>,
}

impl Period {
    fn holds(self, at: Instant) -> bool {
        self.from.is_none_or(|from| from <= at) && self.until.is_none_or(|until| at < until)
    }

    /// Whether all time is meant.
    const fn is_all(self) -> bool {
        self.from.is_none() && self.until.is_none()
    }
}
