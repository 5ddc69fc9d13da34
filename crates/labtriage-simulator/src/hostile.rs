//! What can be wrong with a row? Every kind of bad row that one row can be.

use labtriage_core::finding::Code;

use crate::clock::{Almanac, DAY, Reading};
use crate::dice::Dice;
use crate::row::{Column, ExtractRow};

macro_rules! spoils {
    ($($name:ident $code:expr, $doc:literal;)+) => {
        /// A way to spoil a row.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub enum Spoil {
            $(#[doc = $doc] $name,)+
        }

        impl Spoil {
            /// Every way, in order.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The finding to expect, perhaps among others; none where the row may be kept and only the
            /// outputs must be careful.
            pub const fn code(self) -> Option<Code> {
                match self { $(Self::$name => $code,)+ }
            }

            /// What is wrong, in words.
            pub const fn about(self) -> &'static str {
                match self { $(Self::$name => $doc,)+ }
            }
        }
    };
}

spoils! {
    UnknownTest Some(Code::UnknownTest), "a test that no catalogue has";
    OneUnknownTest Some(Code::UnknownTest), "an unknown test among known ones";
    UnknownSpecimen Some(Code::UnknownSpecimen), "an unknown specimen type";
    UnknownSite Some(Code::UnknownSite), "an unknown site";
    UnknownRequester Some(Code::UnknownRequester), "an unknown ODS code";
    UnknownBand Some(Code::UnknownBand), "an unknown band";
    UnknownFlag Some(Code::UnknownFlag), "a flag that no policy knows";
    NoAccession Some(Code::MissingValue), "no accession";
    NoRequest Some(Code::MissingValue), "no request";
    NoPatient Some(Code::MissingValue), "no patient";
    NoRequester Some(Code::MissingValue), "no requester";
    NoSpecimen Some(Code::MissingValue), "no specimen type";
    NoSite Some(Code::MissingValue), "no site";
    NoTests Some(Code::MissingValue), "no tests";
    NoTimes Some(Code::MissingValue), "no time at all";
    NoCollection Some(Code::TimeAssumed), "no collection time";
    BadTime Some(Code::BadTime), "a time that is no time";
    OtherTimeFormat Some(Code::BadTime), "a time in another format";
    MissingHour Some(Code::MissingHour), "a collection in the hour that the clock change skips";
    DoubledHour Some(Code::DoubledHour), "a collection in the hour that the clock change repeats";
    FutureReceipt Some(Code::FutureTime), "received the day after tomorrow";
    FutureCollection Some(Code::FutureTime), "collected in a year";
    CollectedAfterReceived Some(Code::TimesOutOfOrder), "collected after it was received";
    SeparatedBeforeCollected Some(Code::TimesOutOfOrder), "separated before it was collected";
    DuplicateAccession Some(Code::DuplicateAccession), "the accession of the row before, on another tube of its request";
    RepeatedRow Some(Code::RepeatedRow), "the row before, once more";
    TubeOfTwoRequests Some(Code::TubeOfTwoRequests), "the tube of the row before, claimed by another request";
    RequestOfTwoPatients Some(Code::RequestConflict), "the request of the row before, for another patient";
    NhsNumber Some(Code::LooksLikeIdentity), "an NHS number in place of a pseudonym";
    SpacedNhsNumber Some(Code::LooksLikeIdentity), "an NHS number with spaces in place of a pseudonym";
    WrongSpecimen Some(Code::WrongSpecimen), "a test that cannot be done on this tube";
    BadCondition Some(Code::BadHistory), "a condition that is none";
    BadHistory Some(Code::BadHistory), "a storage history that cannot be read";
    BadVolume Some(Code::BadVolume), "a volume that is no number";
    NegativeVolume Some(Code::BadVolume), "a volume below nothing";
    HugeVolume Some(Code::BadVolume), "a volume of twenty digits";
    RepeatedTest Some(Code::RepeatedTest), "a test named twice";
    Formula None, "an accession that a spreadsheet would run";
    FormulaRequest None, "a request that a spreadsheet would run";
    ControlCharacters Some(Code::BadCode), "an accession with terminal controls";
    ZeroByte Some(Code::BadCode), "a request with a zero byte";
    LineBreak Some(Code::BadCode), "an accession with a line break";
    RightToLeft None, "an accession with a mark that turns the direction of text";
    StrayQuote None, "a quote in the middle of an accession";
    UnclosedQuote Some(Code::FieldCount), "a quote that opens and never closes";
    NotUtf8 Some(Code::RowNotUtf8), "a field that is not UTF-8";
    Latin1 Some(Code::RowNotUtf8), "a line in another encoding";
    FieldTooLong Some(Code::RowTooLong), "a field of 2,000 characters";
    LongField Some(Code::RowTooLong), "a field of 70,000 characters";
    HugeRow Some(Code::RowTooLong), "a row of 10 MB, once; then a field of 70,000 characters";
    TooFewFields Some(Code::FieldCount), "a line cut off in the middle";
    TooManyFields Some(Code::FieldCount), "a line with three fields too many";
    NothingButCommas Some(Code::MissingValue), "a line of empty fields";
}

/// Rows in a thousand that are spoilt.
const SPOILT: u32 = 20;

/// Longer than any field of an extract.
const LONG: usize = 70_000;

/// The first row of this kind has so many bytes.
const HUGE: usize = 10_000_000;

/// The NHS number that official examples use.
const EXAMPLE_NHS_NUMBER: &str = "9434765919";

/// Spoils some rows, each kind in its turn. Other rows stay as they are, so a hostile backlog is
/// the tame one of its seed with rows replaced.
pub(crate) struct Spoiler {
    dice: Dice,
    now: Reading,
    /// The last row that was not spoilt.
    before: ExtractRow,
    has_before: bool,
    counts: Vec<u32>,
    turn: usize,
}

impl Spoiler {
    pub(crate) fn new(seed: u64, now: Reading) -> Self {
        Self {
            // Any other stream than that of the tame rows.
            dice: Dice::new(!seed),
            now,
            before: ExtractRow::default(),
            has_before: false,
            counts: vec![0; Spoil::ALL.len()],
            turn: 0,
        }
    }

    /// Lets a row pass, or spoils it.
    pub(crate) fn pass<'a>(&mut self, row: &'a mut ExtractRow, almanac: &Almanac) -> &'a ExtractRow {
        if self.has_before && self.dice.chance(SPOILT) {
            let kind = Spoil::ALL[self.turn];
            self.spoil(kind, row, almanac);
            self.counts[self.turn] += 1;
            self.turn = (self.turn + 1) % Spoil::ALL.len();
            // A row is spoilt by one other at most, so that it shows that one kind.
            self.has_before = false;
        } else {
            self.before.copy_from(row);
            self.has_before = true;
        }
        row
    }

    /// How many rows were spoilt in each way.
    pub(crate) fn counts(self) -> Vec<(Spoil, u32)> {
        Spoil::ALL.iter().copied().zip(self.counts).collect()
    }

    fn spoil(&self, kind: Spoil, row: &mut ExtractRow, almanac: &Almanac) {
        spoil_code(kind, row);
        spoil_value(kind, row);
        self.spoil_time(kind, row, almanac);
        self.spoil_identity(kind, row);
        self.spoil_bytes(kind, row);
    }

    fn spoil_time(&self, kind: Spoil, row: &mut ExtractRow, almanac: &Almanac) {
        let set = |row: &mut ExtractRow, column, at| row.set(column, almanac.text(at));
        match kind {
            Spoil::NoTimes => {
                for column in [Column::RequestedAt, Column::CollectedAt, Column::ReceivedAt, Column::SeparatedAt] {
                    row.set(column, "");
                }
            }
            Spoil::NoCollection => row.set(Column::CollectedAt, ""),
            Spoil::BadTime => row.set(Column::CollectedAt, "2024-02-30T25:61"),
            Spoil::OtherTimeFormat => row.set(Column::ReceivedAt, "yesterday, ten past three"),
            // Both clock changes lie before every scenario.
            Spoil::MissingHour => long_ago(row, "2023-03-26T01:30"),
            Spoil::DoubledHour => long_ago(row, "2022-10-30T01:30"),
            Spoil::FutureReceipt => set(row, Column::ReceivedAt, self.now + 2 * DAY),
            Spoil::FutureCollection => set(row, Column::CollectedAt, self.now + 365 * DAY),
            Spoil::CollectedAfterReceived => {
                set(row, Column::CollectedAt, self.now - 1);
                set(row, Column::ReceivedAt, self.now - 600);
                row.set(Column::SeparatedAt, "");
            }
            Spoil::SeparatedBeforeCollected => {
                set(row, Column::CollectedAt, self.now - 600);
                set(row, Column::ReceivedAt, self.now - 300);
                set(row, Column::SeparatedAt, self.now - 900);
            }
            _ => {}
        }
    }

    fn spoil_identity(&self, kind: Spoil, row: &mut ExtractRow) {
        let before = &self.before;
        match kind {
            Spoil::DuplicateAccession => {
                for column in [Column::Accession, Column::Request, Column::Patient, Column::Requester] {
                    row.set(column, before.get(column));
                }
                row.set(Column::Volume, if before.get(Column::Volume) == b"1234" { "4321" } else { "1234" });
            }
            Spoil::RepeatedRow => row.copy_from(before),
            Spoil::TubeOfTwoRequests => {
                // A request of its own, so that the request itself is beyond reproach.
                row.set(Column::Request, [b"RQ-", row.get(Column::Accession)].concat());
                row.set(Column::Accession, before.get(Column::Accession));
            }
            Spoil::RequestOfTwoPatients => {
                row.set(Column::Request, before.get(Column::Request));
                row.set(Column::Patient, "PTANOTHERONE");
            }
            Spoil::NhsNumber => row.set(Column::Patient, EXAMPLE_NHS_NUMBER),
            Spoil::SpacedNhsNumber => row.set(Column::Patient, "943 476 5919"),
            _ => {}
        }
    }

    fn spoil_bytes(&self, kind: Spoil, row: &mut ExtractRow) {
        match kind {
            Spoil::NotUtf8 => row.field(Column::Request).extend_from_slice(&[0xff, 0xfe, 0xc0]),
            Spoil::Latin1 => {
                row.field(Column::Site).extend_from_slice(b"\xb5L \xa3");
                let line = joined(row);
                row.set_raw(line);
            }
            Spoil::HugeRow if self.counts[kind as usize] == 0 => row.set(Column::Tests, vec![b'X'; HUGE]),
            Spoil::FieldTooLong => row.set(Column::ClinicalFlags, [b'x'; 2000]),
            Spoil::LongField | Spoil::HugeRow => row.set(Column::ClinicalFlags, vec![b'x'; LONG]),
            Spoil::StrayQuote => {
                row.field(Column::Accession).insert(3, b'"');
                let line = joined(row);
                row.set_raw(line);
            }
            Spoil::UnclosedQuote => {
                row.field(Column::Accession).insert(0, b'"');
                let line = joined(row);
                row.set_raw(line);
            }
            Spoil::TooFewFields => {
                let mut line = joined(row);
                let comma = line.iter().enumerate().filter(|(_, byte)| **byte == b',').nth(8);
                line.truncate(comma.map_or(0, |(at, _)| at));
                row.set_raw(line);
            }
            Spoil::TooManyFields => {
                let mut line = joined(row);
                line.extend_from_slice(b",more,and,more");
                row.set_raw(line);
            }
            Spoil::NothingButCommas => row.set_raw(vec![b','; 16]),
            _ => {}
        }
    }
}

fn spoil_code(kind: Spoil, row: &mut ExtractRow) {
    let append = |row: &mut ExtractRow, column, text: &str| row.field(column).extend_from_slice(text.as_bytes());
    match kind {
        Spoil::UnknownTest => row.set(Column::Tests, "FBX"),
        Spoil::OneUnknownTest => append(row, Column::Tests, ";NO-SUCH-TEST"),
        Spoil::UnknownSpecimen => row.set(Column::Specimen, "SSTT"),
        Spoil::UnknownSite => row.set(Column::Site, "HUBB"),
        Spoil::UnknownRequester => row.set(Column::Requester, "Q99999"),
        Spoil::UnknownBand => row.set(Column::Band, "P0"),
        Spoil::UnknownFlag => row.set(Column::ClinicalFlags, "symptomatic;no_such_flag"),
        Spoil::Formula => row.set(Column::Accession, "=HYPERLINK(\"http://example.invalid\";\"1\")"),
        Spoil::FormulaRequest => row.set(Column::Request, "@SUM(1+9)*cmd|' /C calc'!A0"),
        Spoil::ControlCharacters => append(row, Column::Accession, "\u{7}\u{1b}[31m"),
        Spoil::ZeroByte => append(row, Column::Request, "\0"),
        Spoil::LineBreak => append(row, Column::Accession, "\r\n1"),
        Spoil::RightToLeft => append(row, Column::Accession, "\u{202e}"),
        _ => {}
    }
}

fn spoil_value(kind: Spoil, row: &mut ExtractRow) {
    match kind {
        Spoil::NoAccession => row.set(Column::Accession, ""),
        Spoil::NoRequest => row.set(Column::Request, ""),
        Spoil::NoPatient => row.set(Column::Patient, ""),
        Spoil::NoRequester => row.set(Column::Requester, ""),
        Spoil::NoSpecimen => row.set(Column::Specimen, ""),
        Spoil::NoSite => row.set(Column::Site, ""),
        Spoil::NoTests => row.set(Column::Tests, ""),
        Spoil::WrongSpecimen => {
            row.set(Column::Specimen, "CSF");
            row.set(Column::Tests, "FBC");
        }
        Spoil::BadCondition => row.set(Column::Condition, "lukewarm"),
        Spoil::BadHistory => row.set(Column::History, "in the blue box since Tuesday"),
        Spoil::BadVolume => row.set(Column::Volume, "half a tube"),
        Spoil::NegativeVolume => row.set(Column::Volume, "-500"),
        Spoil::HugeVolume => row.set(Column::Volume, "99999999999999999999"),
        Spoil::RepeatedTest => {
            let tests = row.field(Column::Tests);
            let end = tests.iter().position(|byte| *byte == b';' || *byte == b'*').unwrap_or(tests.len());
            let first = tests[..end].to_vec();
            tests.push(b';');
            tests.extend_from_slice(&first);
        }
        _ => {}
    }
}

/// Collected at a reading of long ago, and not spun since.
fn long_ago(row: &mut ExtractRow, at: &str) {
    row.set(Column::RequestedAt, "2022-10-01T09:00");
    row.set(Column::CollectedAt, at);
}

/// The fields as one line. Fields that were not spoilt hold nothing that needs quotes.
fn joined(row: &ExtractRow) -> Vec<u8> {
    row.fields().join(&b","[..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::COLUMNS;

    /// A row with a word in every column.
    fn sample() -> ExtractRow {
        let mut row = ExtractRow::default();
        for (column, text) in Column::ALL.into_iter().zip(COLUMNS) {
            row.set(column, text);
        }
        row.set(Column::Tests, "UE;LFT");
        row
    }

    fn spoilt(kind: Spoil) -> ExtractRow {
        let spoiler = Spoiler::new(1, 0);
        let mut row = sample();
        spoiler.spoil(kind, &mut row, &Almanac::new(0, 1, 1));
        row
    }

    #[test]
    fn every_kind_changes_the_row() {
        for &kind in Spoil::ALL {
            let row = spoilt(kind);
            assert!(row.raw().is_some() || row.fields() != sample().fields(), "{kind:?}");
        }
    }

    #[test]
    fn some_kinds_in_detail() {
        let tests = |kind| String::from_utf8(spoilt(kind).get(Column::Tests).to_vec()).unwrap();
        assert_eq!(tests(Spoil::RepeatedTest), "UE;LFT;UE");
        assert_eq!(tests(Spoil::OneUnknownTest), "UE;LFT;NO-SUCH-TEST");
        assert_eq!(spoilt(Spoil::HugeRow).get(Column::Tests).len(), HUGE);
        assert!(std::str::from_utf8(spoilt(Spoil::NotUtf8).get(Column::Request)).is_err());
        let commas = |kind| spoilt(kind).raw().map(|line| line.iter().filter(|byte| **byte == b',').count());
        assert_eq!(commas(Spoil::TooFewFields), Some(8));
        assert_eq!(commas(Spoil::TooManyFields), Some(19));
        assert_eq!(commas(Spoil::NothingButCommas), Some(16));
    }

    #[test]
    fn only_what_one_row_can_show_is_expected() {
        for &kind in Spoil::ALL {
            assert!(kind.code().is_none_or(|code| code.text().starts_with('B')), "{kind:?}");
        }
    }
}
