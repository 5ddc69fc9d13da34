//! Does the ledger still say what was recorded? The chain, and the present state that follows from it.
//!
//! The chain shows every change, gap and insertion up to its last entry. That the last entries were
//! not cut off, or all digests not worked out anew, only a head shows that was written down
//! elsewhere: give it as an anchor.
//!
//! A body that is gone must be one that a vacuum may drop, before the moment of a later vacuum, and all of them
//! together as many as the vacuums have recorded.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::entry::{BEGINNING, Entry, Head};
use crate::error::Code;
use crate::records::{Kind, Vacuumed};

/// What does not hold: the first of its kind, by number of entry.
#[derive(Clone, PartialEq, Eq, Error, Debug)]
pub enum Fault {
    /// Its digest is not made of what stands there, and the entries after it hold. Who rewrites an entry
    /// together with its digest is found here too, one entry later: nothing tells the two apart.
    #[error("entry {seq} was changed, or the one before it was rewritten together with its digest")]
    Altered {
        /// Its number.
        seq: i64,
    },
    /// It is not there.
    #[error("entry {seq} is missing")]
    Missing {
        /// Its number.
        seq: i64,
    },
    /// Without it the chain would hold.
    #[error("entry {seq} was inserted")]
    Inserted {
        /// Its number.
        seq: i64,
    },
    /// It does not follow from the one before, and more than one explanation is left.
    #[error(
        "entry {seq} does not follow from the one before: one of the two was rewritten, or others between them were taken out"
    )]
    Broken {
        /// Its number.
        seq: i64,
    },
    /// The ledger's own note of its last entry differs from the last entry there.
    #[error("the last entry should be {head}, but it is {found}: the end was changed or cut off")]
    End {
        /// The number noted.
        head: i64,
        /// The number of the last entry.
        found: i64,
    },
    /// An anchor from elsewhere is not in the chain.
    #[error("entry {seq} is not the one that the anchor names: the ledger was rewritten or cut off")]
    Anchor {
        /// The number in the anchor.
        seq: i64,
    },
    /// Its body is gone, and no vacuum can have dropped it.
    #[error("the body of entry {seq} is gone, a {kind} record: no vacuum has dropped it")]
    Blanked {
        /// Its number.
        seq: i64,
        /// Its kind.
        kind: String,
    },
    /// More or fewer bodies are gone than vacuums have dropped.
    #[error("{found} bodies are gone, but the vacuums have dropped {recorded}")]
    Dropped {
        /// How many are gone.
        found: u64,
        /// How many the vacuums have recorded.
        recorded: u64,
    },
    /// A body that is no record of its kind.
    #[error("entry {seq} is no {kind} record")]
    Unreadable {
        /// Its number.
        seq: i64,
        /// Its kind.
        kind: String,
    },
    /// The present state differs from the entries.
    #[error("the present state of {kind} {subject} does not follow from entry {seq}")]
    Present {
        /// The kind.
        kind: String,
        /// The subject; never a patient.
        subject: String,
        /// The entry it should follow from.
        seq: i64,
    },
    /// Which exports name a patient differs from the exports.
    #[error("the patients named by export entry {seq} differ from the index of patients")]
    Named {
        /// The number of the export's entry.
        seq: i64,
    },
}

impl Fault {
    /// Its code.
    pub const fn code(&self) -> Code {
        match self {
            Self::Present { .. } | Self::Named { .. } => Code::Projection,
            _ => Code::Changed,
        }
    }
}

/// What was checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verified {
    /// The last entry: write it down elsewhere, as the anchor of a later check.
    pub head: Head,
    /// Entries whose body was dropped by `vacuum`.
    pub dropped: u64,
    /// Subjects with a present state.
    pub present: i64,
}

/// Follows the chain entry by entry, and finds out which one is to blame.
pub(crate) struct Chain {
    before: String,
    head: Head,
    suspect: Option<i64>,
    gone: Gone,
    anchor: Option<Head>,
}

impl Chain {
    pub(crate) fn new(anchor: Option<Head>) -> Self {
        Self { before: BEGINNING.to_owned(), head: Head::beginning(), suspect: None, gone: Gone::default(), anchor }
    }

    /// The next entry.
    pub(crate) fn next(&mut self, entry: &Entry) -> Result<(), Fault> {
        let expected = self.head.seq + 1;
        let holds = entry.digest_after(&self.head.digest) == entry.digest;
        if let Some(seq) = self.suspect {
            // Its successor was made from the digest that stands there: only its content differs.
            return Err(if holds && entry.seq == expected { Fault::Altered { seq } } else { Fault::Broken { seq } });
        }
        match entry.seq - expected {
            0 => {}
            1.. => return Err(Fault::Missing { seq: expected }),
            _ => return Err(Fault::Inserted { seq: entry.seq }),
        }
        if !holds {
            if self.without_the_last(entry) {
                return Err(Fault::Inserted { seq: self.head.seq });
            }
            self.suspect = Some(entry.seq);
        } else {
            self.gone.next(entry)?;
        }
        self.before = std::mem::replace(&mut self.head, entry.head()).digest;
        self.anchored()
    }

    /// Whether the last entry did not follow from the one before.
    pub(crate) const fn suspects(&self) -> bool {
        self.suspect.is_some()
    }

    /// Whether the entry would follow if the one before had been pushed in and all later ones renumbered.
    fn without_the_last(&self, entry: &Entry) -> bool {
        let original = Entry { seq: entry.seq - 1, ..entry.clone() };
        self.head.seq > 0 && original.digest_after(&self.before) == entry.digest
    }

    fn anchored(&self) -> Result<(), Fault> {
        match &self.anchor {
            Some(anchor) if anchor.seq == self.head.seq && anchor.digest != self.head.digest => {
                Err(Fault::Anchor { seq: anchor.seq })
            }
            _ => Ok(()),
        }
    }

    /// All entries have been seen; returns the number of those without a body.
    pub(crate) fn finish(&self, noted: &Head) -> Result<u64, Fault> {
        if let Some(seq) = self.suspect {
            return Err(Fault::Altered { seq });
        }
        if *noted != self.head {
            return Err(Fault::End { head: noted.seq, found: self.head.seq });
        }
        match &self.anchor {
            Some(anchor) if anchor.seq > self.head.seq => Err(Fault::Anchor { seq: anchor.seq }),
            _ => self.gone.finish(),
        }
    }
}

/// The bodies that are gone, held against what vacuums have recorded.
#[derive(Default)]
struct Gone {
    found: u64,
    recorded: u64,
    /// Moments of entries that no vacuum so far accounts for, with the first entry of each.
    unexplained: BTreeMap<i64, (i64, String)>,
}

impl Gone {
    fn next(&mut self, entry: &Entry) -> Result<(), Fault> {
        let kind = Kind::from_text(&entry.kind);
        let Some(body) = entry.body.text() else {
            if !kind.is_some_and(Kind::may_be_dropped) {
                return Err(Fault::Blanked { seq: entry.seq, kind: entry.kind.clone() });
            }
            self.found += 1;
            self.unexplained.entry(entry.at).or_insert_with(|| (entry.seq, entry.kind.clone()));
            return Ok(());
        };
        if kind == Some(Kind::Vacuumed) {
            let unreadable = |_| Fault::Unreadable { seq: entry.seq, kind: entry.kind.clone() };
            let vacuumed: Vacuumed = serde_json::from_str(body).map_err(unreadable)?;
            self.recorded += vacuumed.dropped;
            self.unexplained.retain(|at, _| *at >= i64::from(vacuumed.before.epoch_minutes()));
        }
        Ok(())
    }

    fn finish(&self) -> Result<u64, Fault> {
        if let Some((seq, kind)) = self.unexplained.values().min() {
            return Err(Fault::Blanked { seq: *seq, kind: kind.clone() });
        }
        if self.found != self.recorded {
            return Err(Fault::Dropped { found: self.found, recorded: self.recorded });
        }
        Ok(self.found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Kind;

    fn chain(count: i64) -> Vec<Entry> {
        let mut head = Head::beginning();
        let mut entries = Vec::new();
        for at in 0..count {
            let entry = Entry::after(&head, at, Kind::Sample, format!("24A{at}"), format!("{{\"n\":{at}}}"));
            head = entry.head();
            entries.push(entry);
        }
        entries
    }

    fn follow(entries: &[Entry], noted: &Head, anchor: Option<Head>) -> Result<u64, Fault> {
        let mut chain = Chain::new(anchor);
        for entry in entries {
            chain.next(entry)?;
        }
        chain.finish(noted)
    }

    #[track_caller]
    fn check(spoil: impl Fn(&mut Vec<Entry>), expected: &Fault) {
        let mut entries = chain(6);
        let head = entries[5].head();
        assert_eq!(follow(&entries, &head, Some(entries[2].head())), Ok(0));
        spoil(&mut entries);
        assert_eq!(follow(&entries, &head, None).as_ref(), Err(expected));
    }

    fn renumber(entries: &mut [Entry]) {
        for (entry, seq) in entries.iter_mut().zip(1..) {
            entry.seq = seq;
        }
    }

    #[test]
    fn the_first_spoilt_entry_is_named() {
        use crate::entry::Body;
        check(|entries| entries[2].body = Body::Kept("{}".to_owned()), &Fault::Altered { seq: 3 });
        check(|entries| entries[5].at = 99, &Fault::Altered { seq: 6 });
        check(|entries| drop(entries.remove(3)), &Fault::Missing { seq: 4 });
        check(|entries| drop(entries.remove(0)), &Fault::Missing { seq: 1 });
        check(|entries| drop(entries.pop()), &Fault::End { head: 6, found: 5 });
        check(
            |entries| {
                let pushed_in = Entry::after(&entries[1].head(), 7, Kind::Query, String::new(), "{}".to_owned());
                entries.insert(2, pushed_in);
                renumber(entries);
            },
            &Fault::Inserted { seq: 3 },
        );
        check(
            |entries| {
                entries.remove(2);
                renumber(entries);
            },
            &Fault::Broken { seq: 3 },
        );
        check(
            |entries| {
                // Rewritten with a digest that fits: its successor gives it away.
                entries[2] = Entry::after(&entries[1].head(), 2, Kind::Sample, "24A2".to_owned(), "{}".to_owned());
            },
            &Fault::Altered { seq: 4 },
        );
    }

    #[test]
    fn only_an_anchor_shows_that_all_was_rewritten() {
        let entries = chain(6);
        let other = chain(3);
        let mut forged = other.clone();
        forged[1] = Entry::after(&other[0].head(), 1, Kind::Sample, "24A1".to_owned(), "{}".to_owned());
        forged[2] = Entry::after(&forged[1].head(), 2, Kind::Sample, "24A2".to_owned(), "{\"n\":2}".to_owned());
        let head = forged[2].head();
        assert_eq!(follow(&forged, &head, None), Ok(0));
        assert_eq!(follow(&forged, &head, Some(entries[2].head())), Err(Fault::Anchor { seq: 3 }));
        assert_eq!(follow(&forged, &head, Some(entries[5].head())), Err(Fault::Anchor { seq: 6 }));
    }
}
