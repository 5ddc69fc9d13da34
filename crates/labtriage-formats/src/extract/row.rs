//! What does one row of a backlog say? Every field checked, everything wrong said at once.

use csv::{ByteRecord, StringRecord};
use labtriage_core::backlog::{BacklogBuilder, HistoryStep, Pseudonym, SampleRow};
use labtriage_core::catalogue::{Condition, Phase, State};
use labtriage_core::finding::Code;
use labtriage_core::flags::FlagSet;
use labtriage_core::policy::UnknownRule;
use labtriage_core::table::{Ix, SpecimenIx, TestIx};
use labtriage_core::time::Instant;
use labtriage_core::units::Microlitres;

use super::codes::{Codes, Lookup, RowFlag};
use super::header::Layout;
use super::quarantine::Notes;
use super::shown::{cut, looks_like_identity};
use super::times::TimeRead;
use super::{Column, Context};

/// The most bytes of a field that is read.
pub(crate) const FIELD_BYTES_MAX: usize = 1024;
/// The most characters of an accession, request or pseudonym.
const CODE_CHARS_MAX: usize = 64;
/// The most characters of a header in messages.
const NAME_CHARS_MAX: usize = 32;
/// More microlitres than any container holds.
const VOLUME_MAX: f64 = 10_000_000.0;

/// Reads rows, one at a time.
pub(crate) struct RowReader<'c> {
    context: &'c Context<'c>,
    codes: Codes,
    layout: Layout,
    /// The header of each column in the laboratory's file, cut short for messages.
    names: Vec<String>,
    /// Whether a test can be done on a specimen: a row of specimens per test.
    fits: Vec<bool>,
    tests: Vec<(TestIx, bool)>,
    history: Vec<HistoryStep>,
}

/// What is known about when.
struct Times {
    requested: Instant,
    collected: Instant,
    collected_unknown: bool,
    received: Option<Instant>,
}

/// The fields of a row by column.
#[derive(Clone, Copy)]
struct Fields<'r> {
    record: &'r StringRecord,
    layout: &'r Layout,
    names: &'r [String],
}

impl<'r> Fields<'r> {
    fn get(self, column: Column) -> &'r str {
        self.layout.field(self.record, column as usize)
    }

    /// The header of a column in the laboratory's file, for messages.
    fn name(self, column: Column) -> &'r str {
        &self.names[column as usize]
    }
}

impl<'c> RowReader<'c> {
    pub(crate) fn new(context: &'c Context<'c>, codes: Codes, layout: Layout) -> Self {
        let catalogue = context.catalogue;
        let mut fits = Vec::with_capacity(catalogue.tests.len() * catalogue.specimens.len());
        for test in catalogue.tests.iter() {
            fits.extend(catalogue.specimens.indices().map(|specimen| test.specimens.contains(&specimen)));
        }
        let names = context.import.columns.iter().map(|header| cut(header, NAME_CHARS_MAX).to_owned()).collect();
        Self { context, codes, layout, names, fits, tests: Vec::new(), history: Vec::new() }
    }

    /// Reads a row into the builder, or says in the notes what is wrong with it.
    pub(crate) fn read(&mut self, record: &StringRecord, notes: &mut Notes, builder: &mut BacklogBuilder) {
        if record.len() != self.layout.fields {
            let message = format!("{} fields where the header has {}", record.len(), self.layout.fields);
            return notes.refuse(Code::FieldCount, message);
        }
        let (mut tests, mut history) = (std::mem::take(&mut self.tests), std::mem::take(&mut self.history));
        let fields = Fields { record, layout: &self.layout, names: &self.names };
        if let Some(row) = self.row(fields, notes, &mut tests, &mut history)
            && notes.is_clean()
        {
            builder.push(&row);
            notes.keep();
        }
        (self.tests, self.history) = (tests, history);
    }

    /// The accession of a row that is set aside; empty when it is unusable.
    pub(crate) fn accession<'r>(&self, record: &'r ByteRecord) -> &'r str {
        usable_code(&self.layout, record, Column::Accession as usize)
    }

    fn row<'r>(
        &self,
        fields: Fields<'r>,
        notes: &mut Notes,
        tests: &'r mut Vec<(TestIx, bool)>,
        history: &'r mut Vec<HistoryStep>,
    ) -> Option<SampleRow<'r>> {
        check_lengths(fields, notes);
        let [accession, request, patient] =
            [Column::Accession, Column::Request, Column::Patient].map(|column| identifier(fields, column, notes));
        let requester = obligatory(fields, Column::Requester, &self.codes.requesters, Code::UnknownRequester, notes);
        let site = obligatory(fields, Column::Site, &self.codes.sites, Code::UnknownSite, notes);
        let specimen = obligatory(fields, Column::Specimen, &self.codes.specimens, Code::UnknownSpecimen, notes);
        let band = optional(fields, Column::Band, &self.codes.bands, Code::UnknownBand, notes);
        let condition = optional(fields, Column::Condition, &self.codes.conditions, Code::BadHistory, notes)
            .unwrap_or(self.context.import.default_condition);
        let (flags, flagged) = self.flags(fields, notes);
        self.tests(fields, specimen, tests, notes);
        let times = self.times(fields, condition, history, notes);
        let volume = self.volume(fields, specimen, notes);
        let irreplaceable =
            flagged || tests.iter().any(|(test, _)| self.context.catalogue.tests[*test].flags.irreplaceable);
        let times = times?;
        Some(SampleRow {
            line: notes.line,
            accession,
            request,
            patient: Pseudonym::new(patient),
            requester: requester?,
            band,
            flags,
            requested: times.requested,
            collected: times.collected,
            collected_unknown: times.collected_unknown,
            received: times.received,
            specimen: specimen?,
            site: site?,
            history,
            volume: volume?,
            irreplaceable,
            tests,
        })
    }

    /// Flags of either column, and whether the tube is irreplaceable. An unknown flag is left out.
    fn flags(&self, fields: Fields<'_>, notes: &mut Notes) -> (FlagSet, bool) {
        let (mut flags, mut irreplaceable) = (FlagSet::EMPTY, false);
        let separator = self.context.import.separator;
        for column in [Column::ClinicalFlags, Column::SampleFlags] {
            for name in list(fields.get(column), separator) {
                match self.codes.flags.find(name) {
                    Some(RowFlag::Clinical(flag)) => flags = flags.with(flag),
                    Some(RowFlag::Irreplaceable) => irreplaceable = true,
                    None => notes.remark(Code::UnknownFlag, || format!("{}, left out", self.codes.flags.unknown(name))),
                }
            }
        }
        (flags, irreplaceable)
    }

    /// The tests of a row, each once, in order.
    fn tests(
        &self,
        fields: Fields<'_>,
        specimen: Option<SpecimenIx>,
        tests: &mut Vec<(TestIx, bool)>,
        notes: &mut Notes,
    ) {
        tests.clear();
        let import = self.context.import;
        let mut named = false;
        for text in list(fields.get(Column::Tests), import.separator) {
            named = true;
            let (code, held) = match text.strip_suffix(&*import.held_mark) {
                Some(code) => (code.trim_end(), true),
                None => (text, false),
            };
            match self.codes.tests.find(code) {
                Some(test) => tests.push((test, held)),
                None => notes.refuse(Code::UnknownTest, self.codes.tests.unknown(code)),
            }
        }
        if !named {
            notes.refuse(Code::MissingValue, format!("`{}` is empty", fields.name(Column::Tests)));
        }
        let catalogue = self.context.catalogue;
        // Of a test named twice, the one whose result is there stands first and stays.
        tests.sort_unstable_by_key(|&(test, held)| (test, !held));
        tests.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same {
                let code = || catalogue.tests[later.0].code.clone();
                notes.remark(Code::RepeatedTest, || format!("test `{}` is named twice on one tube", code()));
            }
            same
        });
        let Some(specimen) = specimen else { return };
        for &(test, _) in tests.iter() {
            if !self.fits[test.row() * catalogue.specimens.len() + specimen.row()] {
                let (test, specimen) = (&catalogue.tests[test].code, &catalogue.specimens[specimen].code);
                notes.refuse(Code::WrongSpecimen, format!("test `{test}` cannot be done on specimen `{specimen}`"));
            }
        }
    }

    fn volume(&self, fields: Fields<'_>, specimen: Option<SpecimenIx>, notes: &mut Notes) -> Option<Microlitres> {
        let text = fields.get(Column::Volume);
        if text.is_empty() {
            return Some(self.context.catalogue.specimens[specimen?].volume);
        }
        let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        match text.parse::<f64>().ok().filter(|number| plain && (1.0..=VOLUME_MAX).contains(number)) {
            // In range, and rounded down: the cast is exact.
            Some(number) => Some(Microlitres::new(number as u32)),
            None => {
                let name = fields.name(Column::Volume);
                notes.refuse(Code::BadVolume, format!("`{name}` is no number of microlitres from 1 to 10,000,000"));
                None
            }
        }
    }

    /// The times of a row; its history goes where it is kept.
    fn times(
        &self,
        fields: Fields<'_>,
        condition: Condition,
        history: &mut Vec<HistoryStep>,
        notes: &mut Notes,
    ) -> Option<Times> {
        let [requested, collected, received, separated] =
            [Column::RequestedAt, Column::CollectedAt, Column::ReceivedAt, Column::SeparatedAt].map(|column| {
                let text = fields.get(column);
                if text.is_empty() { None } else { instant(self.context, text, fields.name(column), notes) }
            });
        self.stated_history(fields, history, notes);
        let begins = history.first().map(|step| step.from);
        if collected.zip(begins).is_some_and(|(collected, begins)| collected != begins) {
            let name = fields.name(Column::CollectedAt);
            notes.refuse(Code::BadHistory, format!("the history does not begin at `{name}`"));
        }
        let known = collected.or(begins);
        let stated = !fields.get(Column::CollectedAt).is_empty();
        let collected = match known {
            Some(collected) => collected,
            None if stated => return None,
            None => self.assumed(fields, received, separated, notes)?,
        };
        for (column, later) in [(Column::ReceivedAt, received), (Column::SeparatedAt, separated)] {
            if later.is_some_and(|later| later < collected) {
                let (first, then) = (fields.name(Column::CollectedAt), fields.name(column));
                notes.refuse(Code::TimesOutOfOrder, format!("`{first}` is after `{then}`"));
            }
        }
        if history.is_empty() {
            derive_history(collected, received, separated, condition, history);
        }
        let requested = requested.unwrap_or(collected);
        Some(Times { requested, collected, collected_unknown: known.is_none(), received })
    }

    /// What is taken for the time of collection when the extract has none.
    fn assumed(
        &self,
        fields: Fields<'_>,
        received: Option<Instant>,
        separated: Option<Instant>,
        notes: &mut Notes,
    ) -> Option<Instant> {
        let Some(received) = received else {
            if fields.get(Column::ReceivedAt).is_empty() {
                let names = [Column::CollectedAt, Column::ReceivedAt].map(|column| fields.name(column));
                notes.refuse(Code::MissingValue, format!("`{}` and `{}` are both empty", names[0], names[1]));
            }
            return None;
        };
        // A tube that was spun before it was received was collected before that.
        let latest = separated.map_or(received, |separated| separated.min(received));
        match self.context.policy.unknown_time {
            UnknownRule::Assume(allowance) => {
                notes.remark(Code::TimeAssumed, || {
                    format!("no time of collection: taken as {allowance} before receipt or separation")
                });
                Some(latest.minus(allowance))
            }
            UnknownRule::Hold | UnknownRule::Exclude => Some(latest),
        }
    }

    /// Reads `09:00 primary ambient > 14:00 separated refrigerated`; empty when any of it is wrong.
    fn stated_history(&self, fields: Fields<'_>, history: &mut Vec<HistoryStep>, notes: &mut Notes) {
        history.clear();
        let text = fields.get(Column::History);
        if text.is_empty() {
            return;
        }
        let name = fields.name(Column::History);
        for (n, step) in text.split('>').enumerate() {
            let Some((time, state)) = split_step(step) else {
                notes.refuse(Code::BadHistory, format!("step {} of `{name}` is no time, phase and condition", n + 1));
                return history.clear();
            };
            let Some(from) = instant(self.context, time, name, notes) else { return history.clear() };
            history.push(HistoryStep { from, state });
        }
        let backwards = |pair: &[HistoryStep]| {
            pair[1].from < pair[0].from
                || pair[1].state.phase() < pair[0].state.phase()
                || pair[1].state == State::SeparatedThawed && pair[0].state != State::SeparatedFrozen
        };
        if history.windows(2).any(backwards) || history.first().is_some_and(|step| step.state == State::SeparatedThawed)
        {
            notes.refuse(Code::BadHistory, format!("the steps of `{name}` are not in a possible order"));
            history.clear();
        }
    }
}

/// One time, not after now; `what` names it in messages.
pub(crate) fn instant(context: &Context<'_>, text: &str, what: &str, notes: &mut Notes) -> Option<Instant> {
    let instant = match context.import.times.read(text) {
        TimeRead::At(instant) => instant,
        TimeRead::Doubled(instant) => {
            notes.remark(Code::DoubledHour, || {
                format!("`{what}` is in the hour that the clock change repeats: the earlier is taken")
            });
            instant
        }
        TimeRead::MissingHour => {
            notes.refuse(Code::MissingHour, format!("`{what}` is in the hour that the clock change skips"));
            return None;
        }
        TimeRead::Unreadable => {
            notes.refuse(Code::BadTime, format!("`{what}` is a time in none of the formats of the import"));
            return None;
        }
    };
    if instant > context.now {
        notes.refuse(Code::FutureTime, format!("`{what}` is after the moment of planning"));
    }
    Some(instant)
}

fn split_step(step: &str) -> Option<(&str, State)> {
    let (rest, condition) = step.trim().rsplit_once(' ')?;
    let (time, phase) = rest.trim_end().rsplit_once(' ')?;
    let state = State::ALL
        .into_iter()
        .find(|state| state.text().split_once(' ').is_some_and(|words| words == (phase, condition)))?;
    Some((time.trim_end(), state))
}

/// Collected at room temperature; from separation, or else from receipt, kept as it is kept now.
fn derive_history(
    collected: Instant,
    received: Option<Instant>,
    separated: Option<Instant>,
    condition: Condition,
    history: &mut Vec<HistoryStep>,
) {
    let now = match separated {
        Some(from) => HistoryStep { from, state: State::of(Phase::Separated, condition) },
        None => HistoryStep { from: received.unwrap_or(collected), state: State::of(Phase::Primary, condition) },
    };
    if now.from > collected && now.state != State::PrimaryAmbient {
        history.push(HistoryStep { from: collected, state: State::PrimaryAmbient });
        history.push(now);
    } else {
        history.push(HistoryStep { from: collected, ..now });
    }
}

fn check_lengths(fields: Fields<'_>, notes: &mut Notes) {
    if fields.record.as_slice().len() <= FIELD_BYTES_MAX {
        return;
    }
    for column in Column::ALL.into_iter().filter(|column| fields.get(*column).len() > FIELD_BYTES_MAX) {
        notes.refuse(Code::RowTooLong, format!("`{}` is longer than 1,024 bytes", fields.name(column)));
    }
}

/// An accession, request or pseudonym that must be there; never shown.
fn identifier<'r>(fields: Fields<'r>, column: Column, notes: &mut Notes) -> &'r str {
    let (text, name) = (fields.get(column), fields.name(column));
    if text.is_empty() {
        notes.refuse(Code::MissingValue, format!("`{name}` is empty"));
    }
    check_identifier(text, name, column != Column::Patient && fields.layout.ten_digit_codes, notes);
    text
}

/// Checks an accession, request or pseudonym that may be empty, and may be ten digits only where it is told.
pub(crate) fn check_identifier(text: &str, name: &str, ten_digits: bool, notes: &mut Notes) {
    if !text.is_empty() && !is_code(text) {
        notes.refuse(Code::BadCode, format!("`{name}` has control characters or more than 64 characters"));
    } else if looks_like_identity(text, ten_digits) {
        notes.refuse(Code::LooksLikeIdentity, format!("`{name}` holds what looks like an NHS number"));
    }
}

/// The accession of a row that is set aside; empty when it is not text, no code, or looks like an identity.
pub(crate) fn usable_code<'r>(layout: &Layout, record: &'r ByteRecord, column: usize) -> &'r str {
    let field = layout.position(column).and_then(|at| record.get(at));
    let text = field.and_then(|bytes| std::str::from_utf8(bytes).ok()).map_or("", str::trim);
    if is_code(text) && !looks_like_identity(text, layout.ten_digit_codes) { text } else { "" }
}

/// Whether a text can be a code: 1 to 64 characters, none of them a control character.
fn is_code(text: &str) -> bool {
    let short = text.len() <= CODE_CHARS_MAX || text.chars().count() <= CODE_CHARS_MAX;
    !text.is_empty() && short && !text.contains(char::is_control)
}

fn obligatory<T: Copy>(
    fields: Fields<'_>,
    column: Column,
    known: &Lookup<T>,
    unknown: Code,
    notes: &mut Notes,
) -> Option<T> {
    if fields.get(column).is_empty() {
        notes.refuse(Code::MissingValue, format!("`{}` is empty", fields.name(column)));
        return None;
    }
    optional(fields, column, known, unknown, notes)
}

fn optional<T: Copy>(
    fields: Fields<'_>,
    column: Column,
    known: &Lookup<T>,
    unknown: Code,
    notes: &mut Notes,
) -> Option<T> {
    let text = fields.get(column);
    if text.is_empty() {
        return None;
    }
    let found = known.find(text);
    if found.is_none() {
        notes.refuse(unknown, known.unknown(text));
    }
    found
}

/// The entries of a list, trimmed; empty ones are passed over.
fn list(text: &str, separator: char) -> impl Iterator<Item = &str> {
    text.split(separator).map(str::trim).filter(|entry| !entry.is_empty())
}
