//! What is wrong with an input? Findings as data; words are put together here, shown at the edge.

use std::fmt;

macro_rules! codes {
    ($($name:ident $code:literal $severity:ident $title:literal;)+) => {
        /// The kind of a finding. Each code stands in `docs/errors.md` with cause and action.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Code {
            $(#[doc = $title] $name,)+
        }

        impl Code {
            /// Every code there is, in order.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The code as shown: `B007`.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// One line saying what the code means.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)+ }
            }

            /// Whether it stops the run, takes the row out, or only deserves a look.
            pub const fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)+ }
            }
        }
    };
}

/// What a finding does to the run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Severity {
    /// The run stops before planning.
    Fatal,
    /// The row is set aside in the quarantine; the run goes on.
    Quarantine,
    /// The run goes on; a person should look.
    Warning,
}

codes! {
    Syntax "C001" Fatal "the file is not valid TOML";
    UnknownKey "C002" Fatal "a key that this file does not have";
    WrongValue "C003" Fatal "a value of the wrong kind or out of range";
    MissingKey "C004" Fatal "a key that must be there is not";
    DuplicateCode "C005" Fatal "a code is defined twice";
    UnknownReference "C006" Fatal "a name that nothing in the configuration defines";
    ProtocolCycle "C007" Fatal "the steps of a protocol form a cycle";
    CourierCycle "C008" Fatal "couriers without transit time form a cycle";
    BandOrder "C009" Fatal "bands are not in a lawful order";
    HorizonInvalid "C010" Fatal "the planning horizon cannot be laid out";
    PanelInconsistent "C011" Fatal "the tests of a panel cannot be run together";
    FileUnreadable "C012" Fatal "a file is missing or cannot be read";
    NotUtf8 "C013" Fatal "the file is not UTF-8";
    TooMany "C014" Fatal "more entries than this version can hold";
    OverrideImpossible "C015" Fatal "an override contradicts the rest of the input";
    OverrideNotKept "C021" Warning "an override cannot be kept in this plan";
    OverrideUnmatched "C020" Warning "an override is about nothing in the backlog and is ignored";
    OverrideExpired "C016" Warning "an override has run out and is ignored";
    SecondPersonMissing "C017" Fatal "an override needs a second person";
    NotOnAnyMenu "C018" Warning "no analyser has this test on its menu";
    SlotsCutShort "C019" Warning "a timetable or step lies outside the horizon";
    EmptyFile "B001" Fatal "the extract holds no rows";
    UnknownColumn "B002" Fatal "a column that the import does not know";
    MissingColumn "B003" Fatal "a column that must be there is not";
    RowNotUtf8 "B004" Quarantine "the row is not UTF-8";
    RowTooLong "B005" Quarantine "the row or a value in it is too long";
    FieldCount "B006" Quarantine "the row has more or fewer fields than the header";
    MissingValue "B007" Quarantine "a value that must be there is empty";
    UnknownTest "B008" Quarantine "a test that the catalogue does not have";
    UnknownSpecimen "B009" Quarantine "a specimen type that the catalogue does not have";
    UnknownSite "B010" Quarantine "a site that the network does not have";
    UnknownRequester "B011" Quarantine "a requester that the network does not have";
    UnknownBand "B012" Quarantine "a band that the policy does not have";
    BadTime "B013" Quarantine "a time that cannot be read";
    MissingHour "B014" Quarantine "a time in the hour that the clock change skips";
    DoubledHour "B015" Warning "a time in the hour that the clock change repeats: the earlier is taken";
    FutureTime "B016" Quarantine "a time after the moment of planning";
    TimesOutOfOrder "B017" Quarantine "collected, received, separated are out of order";
    DuplicateAccession "B018" Quarantine "an accession stands in several rows that differ";
    RepeatedRow "B019" Warning "the same row stands several times: one is kept";
    TubeOfTwoRequests "B020" Quarantine "one tube is claimed by two requests";
    RequestConflict "B021" Quarantine "rows of one request name different patients or requesters";
    LooksLikeIdentity "B022" Quarantine "an accession, request or pseudonym looks like an NHS number";
    UnknownFlag "B023" Warning "a flag that the policy does not know";
    WrongSpecimen "B024" Quarantine "a test cannot be done on this specimen type";
    BadHistory "B025" Quarantine "a storage history or condition that cannot be read";
    BadVolume "B026" Quarantine "a volume that cannot be read";
    TimeAssumed "B027" Warning "the collection time is unknown: the policy's assumption is used";
    StabilityUnknown "B028" Warning "no stability limit is known for a test as stored";
    TooManyQuarantined "B029" Fatal "too large a share of the extract is unusable";
    BadCode "B030" Quarantine "a code with characters that codes do not have";
    ResultUnmatched "B031" Warning "a result that belongs to no patient or test of this run";
    RepeatedTest "B032" Warning "a test is named twice on one tube: one line is kept";
    BadNhsNumber "B033" Quarantine "an NHS number that is none";
    BadDateOfBirth "B034" Warning "a date of birth that cannot be read or believed: it is left out";
    IdentityConflict "B035" Quarantine "rows of one NHS number state different dates of birth";
    IdentityElsewhere "B036" Quarantine "a column that is not for it holds an identity";
    StalePlanInput "P001" Fatal "an input has changed since the plan was made";
    PlanUnreadable "P002" Fatal "the plan file cannot be read";
    PlanMismatch "P003" Fatal "the plan does not fit its inputs";
    NotInPlan "P004" Fatal "no sample, request or patient of this name is in the plan";
    BoundDiffers "P005" Fatal "the prices of the plan prove another bound than it states";
    BoundAboveCost "P006" Fatal "the plan costs less than the bound that its prices prove";
    FairnessDiffers "P007" Fatal "the groups of the plan wait otherwise than it states";
    NoExtract "N001" Fatal "the inbox holds no extract";
    ExtractUnfinished "N002" Fatal "the newest extract is not whole";
    ExtractStale "N003" Fatal "the newest extract is too old";
    ExtractNotNewer "N004" Fatal "the newest extract is not newer than the published night";
    ExtractDiffers "N005" Fatal "the extract is not what its manifest says";
    ExtractShrunk "N006" Fatal "the extract holds far fewer samples than the night before";
    NightBusy "N007" Fatal "another nightly is running";
    NightUnwritable "N008" Fatal "the night could not be written";
    NoRoom "N009" Fatal "no room is left on the disk";
    NightLost "N010" Fatal "the published night is not where the ledger says, or the ledger knows of none";
    NightInTheWay "N011" Fatal "a folder that the ledger does not know is in the way of the night";
}

/// Where in an input something was found.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Place {
    /// The file, as the user named it.
    pub file: String,
    /// The line, from 1; 0 when the whole file is meant.
    pub line: u32,
    /// The column in characters, from 1; 0 when the whole line is meant.
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if self.line > 0 && self.column > 0 {
            write!(f, ":{}", self.column)?;
        }
        Ok(())
    }
}

/// Something wrong with an input: code, place, what was found and expected, and a hint.
///
/// Ordered by place, so a list of findings reads from the top of a file to its end.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Finding {
    /// Where.
    pub place: Option<Place>,
    /// What kind.
    pub code: Code,
    /// What was found and what was expected; never an identity.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Finding {
    /// A finding without a place yet.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { place: None, code, message: message.into(), hint: None }
    }

    /// The same finding, at a place.
    #[must_use]
    pub fn at(mut self, file: &str, line: u32, column: u32) -> Self {
        self.place = Some(Place { file: file.to_owned(), line, column });
        self
    }

    /// The same finding, with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        write!(f, "{} {}", self.code.text(), self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

/// The values an input may name, shortened to those nearest to what was found.
pub fn nearest<'a>(found: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let lower = found.to_lowercase();
    known
        .map(|name| (distance(&lower, &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= 1 + name.len().min(lower.len()) / 3)
        .min()
        .map(|(_, name)| name)
}

/// Levenshtein distance in characters; words beyond 64 characters count as far away.
fn distance(a: &str, b: &str) -> usize {
    if a.len() > 64 || b.len() > 64 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.chars().enumerate() {
            let replaced = diagonal + usize::from(left != right);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.chars().count()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_names_place_code_and_hint() {
        let finding =
            Finding::new(Code::UnknownTest, "unknown test `FBX`").at("backlog.csv", 7, 41).hint("did you mean `FBC`?");
        assert_eq!(finding.to_string(), "backlog.csv:7:41: B008 unknown test `FBX`\n  hint: did you mean `FBC`?");
    }

    #[test]
    fn codes_are_unique() {
        let mut texts: Vec<_> = Code::ALL.iter().map(|code| code.text()).collect();
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), Code::ALL.len());
    }

    #[test]
    fn the_nearest_name_is_offered_only_when_near() {
        let known = ["FBC", "UE", "LFT"];
        assert_eq!(nearest("FBX", known.into_iter()), Some("FBC"));
        assert_eq!(nearest("histology", known.into_iter()), None);
    }
}
