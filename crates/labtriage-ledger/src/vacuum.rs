//! Which old bodies may be forgotten? Those that a later entry has replaced, and questions; their digests stay.

use labtriage_core::time::Instant;
use sqlx::Row;

use crate::Ledger;
use crate::entry::digest_of;
use crate::error::LedgerError;
use crate::records::{Kind, Vacuumed};
use crate::store::own_sql;
use crate::writer::Writer;

/// Bodies looked at together.
const BATCH: i64 = 1000;

/// What a vacuum has done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Vacuum {
    /// How many bodies it has dropped.
    pub dropped: u64,
    /// Why the database has not freed their room, if it has not. They are forgotten all the same, and the next
    /// vacuum frees it.
    pub room_kept: Option<LedgerError>,
}

impl Ledger {
    /// Drops bodies of entries before a moment, and frees their room. Of samples, overrides, recall notices, open or
    /// not, and new pseudonyms, the latest entry stays, which is their present state; of questions nothing stays but that one was asked;
    /// runs, published plans, authorisations, exports, figures and earlier vacuums stay whole.
    ///
    /// # Errors
    /// Those of the database; nothing was dropped then.
    pub fn vacuum(&mut self, before: Instant, now: Instant, who: &str) -> Result<Vacuum, LedgerError> {
        let dropped = self.write(now, |writer| {
            let dropped = writer.drop_bodies(before)?;
            writer.record(&Vacuumed { before, dropped, who: who.to_owned() })?;
            Ok::<_, LedgerError>(dropped)
        })?;
        Ok(Vacuum { dropped, room_kept: self.store.free_room().err() })
    }
}

impl Writer<'_> {
    fn drop_bodies(&mut self, before: Instant) -> Result<u64, LedgerError> {
        let kinds: Vec<_> =
            Kind::ALL.iter().filter(|kind| kind.may_be_dropped()).map(|kind| format!("'{}'", kind.text())).collect();
        let select = format!(
            "SELECT e.seq, e.body FROM entry e LEFT JOIN present p ON p.seq = e.seq AND p.kind = e.kind AND \
             p.subject = e.subject WHERE e.seq > $1 AND e.at < $2 AND e.body IS NOT NULL AND p.seq IS NULL \
             AND e.kind IN ({}) ORDER BY e.seq LIMIT $3",
            kinds.join(", ")
        );
        let (mut last, mut dropped) = (0, 0);
        loop {
            let batch = self.old_bodies(&select, last, before)?;
            let Some((seq, _)) = batch.last() else { return Ok(dropped) };
            last = *seq;
            dropped += batch.len() as u64;
            self.forget(batch)?;
        }
    }

    fn old_bodies(&mut self, select: &str, after: i64, before: Instant) -> Result<Vec<(i64, String)>, LedgerError> {
        let sql = own_sql(select.to_owned());
        self.open().run(async |connection| {
            let query = sqlx::query(sql).bind(after).bind(i64::from(before.epoch_minutes())).bind(BATCH);
            let rows = query.fetch_all(connection).await?;
            rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
        })
    }

    fn forget(&mut self, batch: Vec<(i64, String)>) -> Result<(), LedgerError> {
        let sql = "UPDATE entry SET body = NULL, body_digest = $1 WHERE seq = $2";
        self.open().run(async |connection| {
            for (seq, body) in batch {
                sqlx::query(sql).bind(digest_of(&body)).bind(seq).execute(&mut *connection).await?;
            }
            Ok(())
        })
    }
}
