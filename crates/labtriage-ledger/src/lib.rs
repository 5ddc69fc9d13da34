//! What happened, and what did people decide? An append-only ledger in SQLite or PostgreSQL.
//!
//! Everything that is recorded is an **entry**; corrections are new entries, and each chains a digest
//! of the one before. Beside the entries stand **projections** (the present state of every subject,
//! and which exports name whom), written in the same transaction and always to be rebuilt from them.
//! Patients are pseudonyms here; an NHS number, a name or a date of birth is never recorded.
//!
//! ```no_run
//! # use labtriage_core::time::Instant;
//! # use labtriage_ledger::{Address, Ledger, LedgerError, Lookup};
//! # use labtriage_ledger::records::{Published, Run, Sample};
//! # fn night(run: Run, plan: Published, samples: Vec<Sample>) -> Result<(), LedgerError> {
//! let mut ledger = Ledger::create(&Address::parse("night.ledger")?)?;
//! ledger.write(Instant::from_epoch_minutes(29_000_000), |writer| {
//!     if writer.run(&run)? {
//!         writer.samples(samples)?;
//!         writer.published(&plan)?;
//!     }
//!     Ok::<_, LedgerError>(())
//! })?;
//! let found = ledger.samples(&Lookup::Request("RQ0000042".to_owned()), None)?;
//! # Ok(())
//! # }
//! ```
//!
//! Reading order: [`states`], [`transitions`] (what may follow what) · [`records`] (what an entry
//! says) · `entry`, [`verify`] (the chain) · `store` (the database) · [`Writer`], `read`, `rows`, `names` (in and out) ·
//! `check`, [`dump`], `vacuum` (care).

mod address;
mod check;
mod decide;
pub mod dump;
mod entry;
mod error;
mod minutes;
mod names;
mod pseudonym;
mod read;
mod recalls;
pub mod records;
mod rows;
mod samples;
mod scribe;
pub mod states;
mod store;
pub mod transitions;
mod vacuum;
pub mod verify;
mod writer;

pub use address::Address;
pub use entry::Head;
pub use error::{Code, LedgerError};
pub use names::Names;
pub use pseudonym::OwnedPseudonym;
pub use read::{Known, Lookup, Night};
pub use recalls::Answered;
pub use samples::Recorded;
pub use vacuum::Vacuum;
pub use verify::{Fault, Verified};
pub use writer::Writer;

use std::fmt;

use labtriage_core::time::Instant;

use crate::store::Store;

/// An open ledger. One program writes at a time; others wait up to 5 seconds, readers never.
pub struct Ledger {
    store: Store,
}

impl Ledger {
    /// Opens a ledger that is there, and brings an older schema up to date.
    ///
    /// # Errors
    /// When nothing is there, or something else, or a ledger of a newer version; when it cannot be
    /// reached, read or, for a new schema, written.
    pub fn open(address: &Address) -> Result<Self, LedgerError> {
        Store::open(address, false).map(|store| Self { store })
    }

    /// Opens a ledger, and makes an empty one where nothing is. In PostgreSQL the database must be
    /// there; other tables in it are left alone.
    ///
    /// # Errors
    /// As [`Ledger::open`], but that nothing is there.
    pub fn create(address: &Address) -> Result<Self, LedgerError> {
        Store::open(address, true).map(|store| Self { store })
    }

    /// Where it is.
    pub const fn address(&self) -> &Address {
        &self.store.address
    }

    /// The last entry.
    ///
    /// # Errors
    /// Those of the database.
    pub fn head(&mut self) -> Result<Head, LedgerError> {
        self.store.reading()?.head()
    }

    /// Records what `work` gives the writer, in one transaction, as of a moment. When `work` fails,
    /// or the program dies, nothing of it is recorded.
    ///
    /// # Errors
    /// Those of the database, and the one that `work` gives.
    pub fn write<T, E: From<LedgerError>>(
        &mut self,
        at: Instant,
        work: impl FnOnce(&mut Writer<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let (open, head) = self.store.writing()?;
        Writer::write(open, head, at, work)
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ledger({})", self.store.address)
    }
}

impl fmt::Debug for Writer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Writer(at {})", self.at())
    }
}
