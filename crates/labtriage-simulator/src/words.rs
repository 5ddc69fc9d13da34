//! Which codes does a backlog use? Tests, specimens and flags as bits, so that a tube is small.
//!
//! Codes are looked up in the world once; what a world does not have is never drawn.

use labtriage_core::catalogue::Catalogue;
use labtriage_core::policy::Policy;

/// A set of words of one of the vocabularies below.
pub(crate) type Words = u64;

macro_rules! vocabulary {
    ($(#[$meta:meta])* $module:ident: $($name:ident $text:literal)+) => {
        $(#[$meta])*
        pub(crate) mod $module {
            use super::{Words, word};
            $(pub(crate) const $name: Words = word($text, TEXTS);)+
            /// The words as files have them, in order of bit.
            pub(crate) const TEXTS: &[&str] = &[$($text,)+];
        }
    };
}

/// The bit of a text in its vocabulary, worked out by the compiler.
const fn word(text: &str, texts: &[&str]) -> Words {
    let mut row = 0;
    while !same(text.as_bytes(), texts[row].as_bytes()) {
        row += 1;
    }
    1 << row
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    let mut at = 0;
    while at < a.len() && at < b.len() && a[at] == b[at] {
        at += 1;
    }
    at == a.len() && at == b.len()
}

vocabulary! {
    /// Tests and panels.
    test:
    UE "UE" LFT "LFT" LIPID "LIPID" BONE "BONE" CRP "CRP" TFT "TFT" HAEMAT "HAEMAT" VITD "VITD" MG "MG"
    TROP "TROP" AMY "AMY" URATE "URATE" PSA "PSA" CA125 "CA125" HCG "HCG" NTBNP "NTBNP" GONAD "GONAD"
    TESTO "TESTO" TTG "TTG" ANA "ANA" RF "RF" MYELOMA "MYELOMA" LITH "LITH" DIG "DIG" VANC "VANC"
    BBV "BBV" ANTENATAL "ANTENATAL" RUB "RUB" CK "CK" IRON "IRON"
    FBC "FBC" HBA1C "HBA1C" ESR "ESR" RETIC "RETIC" GS "GS" HBPATH "HBPATH" PTH "PTH"
    COAG "COAG" PT "PT" DDIM "DDIM" GLUC "GLUC" LACT "LACT" ACR "ACR" UMCS "UMCS-B" CSF "CSF-CELL"
}

vocabulary! {
    /// Clinical and patient flags.
    flag:
    CRITICAL "critical" SEPSIS "sepsis" EMERGENCY "emergency" INPATIENT "inpatient"
    TWO_WEEK_WAIT "two_week_wait" PRE_CHEMOTHERAPY "pre_chemotherapy" INR "inr" DMARD "dmard"
    LITHIUM "lithium" CLOZAPINE "clozapine" OVERDUE "monitoring_overdue" AVOID_ADMISSION "avoid_admission"
    ANTENATAL "antenatal" UNWELL_BABY "unwell_baby" SYMPTOMATIC "symptomatic" DUE "monitoring_due"
    SCREENING "screening" ANNUAL_REVIEW "annual_review" WELLNESS "wellness" ALLERGY "allergy"
    INFERTILITY "infertility" PREGNANT "pregnant" CHILD "child" FRAIL "frail"
    HARD_TO_BLEED "hard_to_bleed" HOUSEBOUND "housebound" DECEASED "deceased" DEREGISTERED "deregistered"
}

/// A kind of tube.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tube {
    Serum,
    Edta,
    Citrate,
    Fluoride,
    Boric,
    Csf,
}

impl Tube {
    const ALL: [Self; 6] = [Self::Serum, Self::Edta, Self::Citrate, Self::Fluoride, Self::Boric, Self::Csf];

    /// The specimen code that files have.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Serum => "SST",
            Self::Edta => "EDTA",
            Self::Citrate => "CITRATE",
            Self::Fluoride => "FLUORIDE",
            Self::Boric => "BORIC",
            Self::Csf => "CSF",
        }
    }
}

/// The words that a world knows.
pub(crate) struct Known {
    tests: [Words; 6],
    /// Flags of the policy.
    pub(crate) flags: Words,
}

impl Known {
    /// Looks every word up.
    pub(crate) fn new(catalogue: &Catalogue, policy: &Policy) -> Self {
        let on = |tube: Tube| {
            let Some(specimen) = catalogue.specimen(tube.text()) else { return 0 };
            let fits = |code: &str| {
                catalogue.test(code).is_some_and(|found| catalogue.tests[found].specimens.contains(&specimen))
            };
            set_of(test::TEXTS, fits)
        };
        Self { tests: Tube::ALL.map(on), flags: set_of(flag::TEXTS, |name| policy.flags.find(name).is_some()) }
    }

    /// The tests that can be done on a kind of tube.
    pub(crate) const fn tests_on(&self, tube: Tube) -> Words {
        self.tests[tube as usize]
    }
}

fn set_of(texts: &[&str], fits: impl Fn(&str) -> bool) -> Words {
    texts.iter().enumerate().filter(|(_, text)| fits(text)).fold(0, |set, (row, _)| set | 1 << row)
}

/// Appends the words of a set, separated by `;`, each followed by `*` when it is in `starred`.
pub(crate) fn write(set: Words, starred: Words, texts: &[&str], text: &mut Vec<u8>) {
    let mut left = set;
    while left != 0 {
        let row = left.trailing_zeros();
        text.extend_from_slice(texts[row as usize].as_bytes());
        if starred & (1 << row) != 0 {
            text.push(b'*');
        }
        left &= left - 1;
        if left != 0 {
            text.push(b';');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_vocabulary_fits_into_a_set() {
        assert!(test::TEXTS.len() <= 64 && flag::TEXTS.len() <= 64);
        assert_eq!(test::TEXTS[test::CSF.trailing_zeros() as usize], "CSF-CELL");
        assert_eq!(flag::TEXTS[flag::DEREGISTERED.trailing_zeros() as usize], "deregistered");
    }

    #[test]
    fn sets_are_written_in_order_and_held_results_are_starred() {
        let check = |set, starred, expected: &str| {
            let mut text = Vec::new();
            write(set, starred, test::TEXTS, &mut text);
            assert_eq!(String::from_utf8(text).unwrap(), expected);
        };
        check(0, 0, "");
        check(test::HBA1C | test::FBC, test::FBC, "FBC*;HBA1C");
        check(test::LIPID | test::UE | test::LFT, 0, "UE;LFT;LIPID");
    }
}
