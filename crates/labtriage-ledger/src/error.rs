//! What went wrong with the ledger? Errors as data, each with its code and a hint.

use labtriage_core::time::Instant;
use thiserror::Error;

macro_rules! codes {
    ($($name:ident $code:literal $title:literal;)+) => {
        /// The kind of a ledger error. Each code stands in `docs/errors.md` with cause and action.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Code {
            $(#[doc = $title] $name,)+
        }

        impl Code {
            /// Every code there is, in order.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The code as shown: `L003`.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// One line saying what the code means.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)+ }
            }
        }
    };
}

codes! {
    BadAddress "L001" "the address of the ledger cannot be read";
    Missing "L002" "there is no ledger at this address";
    NotALedger "L003" "what is there is no ledger";
    Newer "L004" "the ledger was written by a newer version of the program";
    Locked "L005" "another program is writing to the ledger";
    ReadOnly "L006" "the ledger cannot be written";
    Full "L007" "there is no room left for the ledger";
    Unreachable "L008" "the server of the ledger does not answer, or does not let this user in";
    Damaged "L009" "the ledger is damaged";
    Backend "L010" "the database refused a statement";
    Changed "L011" "the chain of entries does not hold";
    Projection "L012" "the present state does not follow from the entries";
    Dump "L013" "the backup cannot be read or written";
    NotEmpty "L014" "a backup is only restored into an empty ledger";
    Transition "L015" "a state that may not follow the one before";
    SecondPerson "L016" "a decision needs a second, different person";
    HoldNotOver "L017" "the minimum hold is not over";
    Unknown "L018" "the ledger knows nothing of this name";
    Identity "L019" "a text holds what looks like an NHS number";
    Contradiction "L020" "a record contradicts itself or one that is there";
}

/// Why the ledger did not do what was asked. Nothing was recorded.
///
/// Messages name accessions, numbers of entries and states, never a patient; what a database says
/// is reduced to its code, for its words could quote a row.
#[derive(Clone, PartialEq, Eq, Error, Debug)]
pub enum LedgerError {
    /// The address cannot be read.
    #[error("the ledger's address {0}")]
    BadAddress(&'static str),
    /// There is none.
    #[error("there is no ledger at {address}")]
    Missing {
        /// Where, without user and password.
        address: String,
    },
    /// Something else is there.
    #[error("{address} is no ledger: {found}")]
    NotALedger {
        /// Where, without user and password.
        address: String,
        /// What is there.
        found: &'static str,
    },
    /// A newer version wrote it.
    #[error("{address} has schema {found}, this version knows schemas up to {known}")]
    Newer {
        /// Where, without user and password.
        address: String,
        /// Its schema.
        found: i64,
        /// The newest that this version knows.
        known: i64,
    },
    /// Somebody else writes.
    #[error("{address} is being written by another program")]
    Locked {
        /// Where, without user and password.
        address: String,
    },
    /// No right to write.
    #[error("{address} cannot be written")]
    ReadOnly {
        /// Where, without user and password.
        address: String,
    },
    /// No room.
    #[error("no room is left for {address}")]
    Full {
        /// Where, without user and password.
        address: String,
    },
    /// No server.
    #[error("{address} cannot be reached: {what}")]
    Unreachable {
        /// Where, without user and password.
        address: String,
        /// What happened.
        what: String,
    },
    /// Pages or rows that cannot be.
    #[error("{address} is damaged: {what}")]
    Damaged {
        /// Where, without user and password.
        address: String,
        /// What cannot be.
        what: String,
    },
    /// Anything else that the database says.
    #[error("{address}: the database refused a statement (code {code})")]
    Backend {
        /// Where, without user and password.
        address: String,
        /// The database's own code.
        code: String,
    },
    /// The backup file.
    #[error("{file}: {what}")]
    Dump {
        /// The file.
        file: String,
        /// What is wrong with it.
        what: String,
    },
    /// The chain of a backup, or a present state in it, does not hold.
    #[error("{0}")]
    Fault(#[from] crate::verify::Fault),
    /// Restored over something.
    #[error("{address} holds {entries} entries already")]
    NotEmpty {
        /// Where, without user and password.
        address: String,
        /// How many entries it holds.
        entries: i64,
    },
    /// A state that may not follow.
    #[error("sample {accession}{}: {from} cannot become {to}: {why}", named(test))]
    Transition {
        /// The container.
        accession: String,
        /// The line, when it is about one.
        test: Option<String>,
        /// The state before, or `nothing`.
        from: String,
        /// The state that was to follow.
        to: String,
        /// Why it may not.
        why: String,
    },
    /// A recall notice cannot become that.
    #[error("recall notice {id}: {from} cannot become {to}: {why}")]
    Notice {
        /// The notice.
        id: String,
        /// The state before, or `nothing`.
        from: &'static str,
        /// The state that was to follow.
        to: &'static str,
        /// Why it may not.
        why: &'static str,
    },
    /// A patient is called back by one notice at a time.
    #[error("recall notice {id}: its patient has another open notice, {other}")]
    SecondNotice {
        /// The notice.
        id: String,
        /// The one that is open.
        other: String,
    },
    /// One person is not enough.
    #[error("sample {accession} cannot be collected again: its discard needs two different people, found {found}")]
    SecondPerson {
        /// The container.
        accession: String,
        /// What was found.
        found: &'static str,
    },
    /// Too early.
    #[error("sample {accession} must be kept until {until}, it is {at}")]
    HoldNotOver {
        /// The container.
        accession: String,
        /// Until when.
        until: Instant,
        /// The moment of the decision.
        at: Instant,
    },
    /// Nothing of this name.
    #[error("the ledger knows no {what} {name}")]
    Unknown {
        /// What was looked for.
        what: &'static str,
        /// Its name; never that of a patient.
        name: String,
    },
    /// An identity where none may be.
    #[error("a {kind} entry about {subject} holds what looks like an NHS number")]
    Identity {
        /// The kind of entry.
        kind: &'static str,
        /// What it is about.
        subject: String,
    },
    /// Records that cannot both be true.
    #[error("{subject}: {what}")]
    Contradiction {
        /// What it is about.
        subject: String,
        /// What contradicts.
        what: &'static str,
    },
}

fn named(test: &Option<String>) -> String {
    test.as_ref().map_or_else(String::new, |test| format!(", test {test}"))
}

impl LedgerError {
    /// Its code.
    pub const fn code(&self) -> Code {
        match self {
            Self::BadAddress(_) => Code::BadAddress,
            Self::Missing { .. } => Code::Missing,
            Self::NotALedger { .. } => Code::NotALedger,
            Self::Newer { .. } => Code::Newer,
            Self::Locked { .. } => Code::Locked,
            Self::ReadOnly { .. } => Code::ReadOnly,
            Self::Full { .. } => Code::Full,
            Self::Unreachable { .. } => Code::Unreachable,
            Self::Damaged { .. } => Code::Damaged,
            Self::Backend { .. } => Code::Backend,
            Self::Fault(fault) => fault.code(),
            Self::Dump { .. } => Code::Dump,
            Self::NotEmpty { .. } => Code::NotEmpty,
            Self::Transition { .. } | Self::Notice { .. } => Code::Transition,
            Self::SecondPerson { .. } => Code::SecondPerson,
            Self::HoldNotOver { .. } => Code::HoldNotOver,
            Self::Unknown { .. } => Code::Unknown,
            Self::Identity { .. } => Code::Identity,
            Self::SecondNotice { .. } | Self::Contradiction { .. } => Code::Contradiction,
        }
    }

    /// What to try.
    pub const fn hint(&self) -> &'static str {
        match self.code() {
            Code::BadAddress => "give a file, or a URL that begins with postgres://",
            Code::Missing => "check the path; the first `nightly` or a `ledger restore` makes a ledger",
            Code::NotALedger => "check the path or the database; give a ledger that LabTriage has made",
            Code::Newer => "use the version of LabTriage that wrote it, or a newer one",
            Code::Locked => "wait until it has ended and try again; only one program writes at a time",
            Code::ReadOnly => "check who owns the file and its folder, or the rights of the database user",
            Code::Full => "make room on the disk or for the database; what was recorded before is safe",
            Code::Unreachable => "check host, port, database, user and password, and whether the server runs",
            Code::Damaged => "run `labtriage ledger verify`, and restore the last backup if it fails",
            Code::Backend => "look the code up in the database's manual; what was recorded before is safe",
            Code::Changed => "keep this file as evidence, find out who can write to it, restore the last backup",
            Code::Projection => "back up and restore into a new ledger: the present state is rebuilt from entries",
            Code::Dump => "check the path and the room on the disk; make the backup again",
            Code::NotEmpty => "give the address of a ledger that does not exist yet, or an empty database",
            Code::Transition => "look at `labtriage status`; give a reason where one is needed",
            Code::SecondPerson => "have a second person agree, and name both",
            Code::HoldNotOver => "wait, or shorten `minimum_hold` of the policy for the nights to come",
            Code::Unknown => "check the spelling; the ledger knows what a night has recorded",
            Code::Identity => "leave the number out; patients are pseudonyms in the ledger",
            Code::Contradiction => "correct the record; nothing of it was recorded",
        }
    }
}
