//! Which ledger is asked, and when? What every command shares at which a person decides or looks something up.

use labtriage_core::catalogue::Catalogue;
use labtriage_core::network::Network;
use labtriage_core::policy::Policy;
use labtriage_core::time::{Instant, Minutes, Zone};
use labtriage_formats::config::defaults;
use labtriage_ledger::records::Codes;
use labtriage_ledger::{Address, Ledger};

use crate::args::LookArguments;
use crate::failure::Failure;
use crate::inputs::moment;

/// The laboratory's time zone: as its last night has recorded it, else as the configuration has it.
pub(crate) fn zone(codes: Option<&Codes>, configured: Zone) -> Zone {
    codes.and_then(|codes| Zone::from_name(&codes.zone)).unwrap_or(configured)
}

/// An open ledger, the laboratory's configuration and the moment.
pub(crate) struct Desk {
    pub(crate) ledger: Ledger,
    pub(crate) catalogue: Catalogue,
    pub(crate) network: Network,
    pub(crate) policy: Policy,
    pub(crate) at: Instant,
    zone: Zone,
}

impl Desk {
    /// Opens the ledger that is named; there must be one.
    pub(crate) fn open(arguments: &LookArguments) -> Result<Self, Failure> {
        let (catalogue, network, policy) = defaults::load(arguments.config.as_deref(), None)?.read()?;
        let mut ledger = Ledger::open(&Address::parse(&arguments.ledger)?)?;
        let zone = zone(ledger.codes()?.as_ref(), network.zone);
        let at = moment(arguments.now.as_deref(), zone)?;
        Ok(Self { ledger, catalogue, network, policy, at, zone })
    }

    /// The laboratory's time zone.
    pub(crate) fn zone(&self) -> Zone {
        self.zone
    }

    /// How long ago something was: `2 d 4 h`.
    pub(crate) fn age(&self, since: Instant) -> Minutes {
        self.at.since(since)
    }

    /// A moment by the clock on the wall.
    pub(crate) fn local(&self, at: Instant) -> String {
        self.zone().local(at).format("%Y-%m-%d %H:%M").to_string()
    }
}
