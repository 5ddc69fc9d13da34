//! Does the ledger keep its promises, the same in SQLite and in PostgreSQL?
//!
//! PostgreSQL is named by `LABTRIAGE_TEST_POSTGRES`; without one its half is left out, and said so.

#[cfg(test)]
mod care;
#[cfg(test)]
mod common;
#[cfg(test)]
mod discards;
#[cfg(test)]
mod names;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod recalls;
#[cfg(test)]
mod recording;
#[cfg(test)]
mod refusals;
