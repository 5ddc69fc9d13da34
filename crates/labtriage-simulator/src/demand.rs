//! What is asked for, and why? Reasons, flags and tests of one request.
//!
//! Published for general practice: full blood count, urea and electrolytes, liver profile and
//! lipids are 80 % of tests; requests are made for symptoms (43 %), monitoring (30 %) and medicines
//! (10 %). A published hub has 2.7 to 3.2 tests per tube. What each reason asks for is invented
//! so that these come out.

use crate::dice::Dice;
use crate::words::{Tube, Words, flag, test};

/// The tests asked for on one tube.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Ask {
    pub(crate) tube: Tube,
    pub(crate) tests: Words,
}

/// What one request asks for.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Order {
    /// Clinical and patient flags.
    pub(crate) flags: Words,
    /// One entry per tube.
    pub(crate) tubes: Vec<Ask>,
}

/// Words, each with how many times in a thousand it is there.
type Shares = [(u32, Words)];

/// What practices ask for, for one reason.
struct Reason {
    /// Exactly one of these, by weight.
    because: &'static Shares,
    /// Any of these as well.
    and: &'static Shares,
    serum: &'static Shares,
    blood: &'static Shares,
    other: &'static [(u32, Ask)],
}

const SYMPTOMS: Reason = Reason {
    because: &[(1000, flag::SYMPTOMATIC)],
    and: &[
        (45, flag::TWO_WEEK_WAIT),
        (25, flag::AVOID_ADMISSION),
        (6, flag::CRITICAL),
        (2, flag::SEPSIS),
        (3, flag::UNWELL_BABY),
    ],
    serum: &[
        (990, test::UE),
        (985, test::LFT),
        (860, test::LIPID),
        (270, test::CRP),
        (200, test::TFT),
        (170, test::HAEMAT),
        (110, test::BONE),
        (40, test::VITD),
        (20, test::PSA),
        (15, test::TTG),
        (12, test::NTBNP),
        (10, test::ANA | test::RF),
        (10, test::MYELOMA),
        (8, test::CA125),
        (8, test::URATE),
        (6, test::AMY),
        (5, test::HCG),
    ],
    blood: &[(990, test::FBC), (200, test::HBA1C), (90, test::ESR)],
    other: &[(20, Ask { tube: Tube::Boric, tests: test::UMCS }), (3, Ask { tube: Tube::Citrate, tests: test::DDIM })],
};

const MONITORING: Reason = Reason {
    because: &[(620, flag::DUE), (330, flag::ANNUAL_REVIEW), (50, flag::OVERDUE)],
    and: &[(2, flag::CRITICAL)],
    serum: &[
        (995, test::UE),
        (960, test::LFT),
        (975, test::LIPID),
        (190, test::TFT),
        (90, test::BONE),
        (70, test::HAEMAT),
        (30, test::VITD),
        (15, test::PSA),
        (10, test::IRON),
    ],
    blood: &[(975, test::FBC), (520, test::HBA1C), (5, test::PTH)],
    other: &[(30, Ask { tube: Tube::Boric, tests: test::ACR }), (12, Ask { tube: Tube::Fluoride, tests: test::GLUC })],
};

const MEDICINES: Reason = Reason {
    because: &[
        (380, flag::DMARD),
        (420, flag::DUE),
        (110, flag::OVERDUE),
        (50, flag::PRE_CHEMOTHERAPY),
        (40, flag::CLOZAPINE),
    ],
    and: &[(4, flag::CRITICAL)],
    serum: &[
        (990, test::UE),
        (990, test::LFT),
        (860, test::LIPID),
        (250, test::CRP),
        (80, test::TFT),
        (60, test::BONE),
        (20, test::CK),
        (15, test::DIG),
    ],
    blood: &[(995, test::FBC), (60, test::HBA1C)],
    other: &[],
};

const WELLNESS: Reason = Reason {
    because: &[(550, flag::WELLNESS), (200, flag::SCREENING), (50, flag::ALLERGY), (200, 0)],
    and: &[],
    serum: &[
        (960, test::UE),
        (960, test::LFT),
        (950, test::LIPID),
        (220, test::TFT),
        (170, test::VITD),
        (120, test::HAEMAT),
        (25, test::PSA),
        (15, test::BBV),
    ],
    blood: &[(985, test::FBC), (260, test::HBA1C)],
    other: &[],
};

const INFERTILITY: Reason = Reason {
    because: &[(1000, flag::INFERTILITY)],
    and: &[],
    serum: &[(980, test::GONAD), (600, test::TFT), (400, test::RUB), (300, test::TESTO)],
    blood: &[(900, test::FBC)],
    other: &[],
};

const PREGNANCY: Reason = Reason {
    because: &[(1000, flag::ANTENATAL | flag::PREGNANT)],
    and: &[],
    serum: &[(980, test::ANTENATAL), (150, test::TFT), (120, test::UE | test::LFT)],
    blood: &[(980, test::FBC), (600, test::GS), (500, test::HBPATH)],
    other: &[(300, Ask { tube: Tube::Boric, tests: test::UMCS })],
};

const WARFARIN: Reason = Reason {
    because: &[(1000, flag::INR)],
    and: &[],
    serum: &[],
    blood: &[],
    other: &[(1000, Ask { tube: Tube::Citrate, tests: test::PT })],
};

const LITHIUM: Reason = Reason {
    because: &[(1000, flag::LITHIUM)],
    and: &[],
    serum: &[(1000, test::LITH | test::UE), (400, test::TFT)],
    blood: &[],
    other: &[],
};

/// Weights per thousand requests of practices.
const REASONS: [(u32, &Reason); 8] = [
    (435, &SYMPTOMS),
    (301, &MONITORING),
    (83, &MEDICINES),
    (14, &WARFARIN),
    (6, &LITHIUM),
    (143, &WELLNESS),
    (5, &INFERTILITY),
    (13, &PREGNANCY),
];

/// Flags of patients, whatever the reason.
const PATIENTS: &Shares = &[
    (8, flag::PREGNANT),
    (35, flag::CHILD),
    (50, flag::FRAIL),
    (20, flag::HARD_TO_BLEED),
    (28, flag::HOUSEBOUND),
    (3, flag::DECEASED),
    (4, flag::DEREGISTERED),
];

/// What wards and emergency departments ask for.
const WARD: Reason = Reason {
    because: &[(600, flag::INPATIENT), (400, flag::EMERGENCY)],
    and: &[(30, flag::SEPSIS), (40, flag::CRITICAL)],
    serum: &[
        (990, test::UE),
        (760, test::CRP),
        (740, test::LFT),
        (420, test::BONE),
        (220, test::MG),
        (140, test::TROP),
        (40, test::AMY),
        (15, test::VANC),
    ],
    blood: &[(990, test::FBC), (70, test::GS), (30, test::RETIC)],
    other: &[
        (180, Ask { tube: Tube::Citrate, tests: test::COAG }),
        (45, Ask { tube: Tube::Fluoride, tests: test::LACT }),
        (25, Ask { tube: Tube::Csf, tests: test::CSF }),
    ],
};

impl Order {
    /// Draws what a practice asks for. Eight serum tubes come with three of blood.
    pub(crate) fn practice(&mut self, dice: &mut Dice) {
        let reason = dice.pick(&REASONS);
        let (serum, blood) = dice.pick(&[(645, (true, false)), (312, (true, true)), (43, (false, true))]);
        self.draw(reason, serum, blood, dice);
    }

    /// Draws what a ward asks for: nearly always blood and serum together.
    pub(crate) fn ward(&mut self, dice: &mut Dice) {
        let (serum, blood) = dice.pick(&[(150, (true, false)), (800, (true, true)), (50, (false, true))]);
        self.draw(&WARD, serum, blood, dice);
    }

    fn draw(&mut self, reason: &Reason, serum: bool, blood: bool, dice: &mut Dice) {
        self.flags = dice.pick(reason.because) | some_of(reason.and, dice) | some_of(PATIENTS, dice);
        self.tubes.clear();
        let (on_serum, on_blood) = (some_of(reason.serum, dice), some_of(reason.blood, dice));
        if serum && on_serum != 0 {
            self.tubes.push(Ask { tube: Tube::Serum, tests: on_serum });
        }
        if blood && on_blood != 0 {
            self.tubes.push(Ask { tube: Tube::Edta, tests: on_blood });
        }
        for &(share, ask) in reason.other {
            if dice.chance(share) {
                self.tubes.push(ask);
            }
        }
    }

    /// Takes over another order, in the buffers of this one.
    pub(crate) fn copy_from(&mut self, other: &Self) {
        self.flags = other.flags;
        self.tubes.clone_from(&other.tubes);
    }
}

fn some_of(shares: &Shares, dice: &mut Dice) -> Words {
    shares.iter().fold(0, |set, &(share, words)| if dice.chance(share) { set | words } else { set })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOP_FOUR: Words = test::FBC | test::UE | test::LFT | test::LIPID;

    /// Tubes, lines, lines of the four most common tests, serum tubes and blood tubes of many requests.
    fn count(draw: impl Fn(&mut Order, &mut Dice)) -> [f64; 5] {
        let (mut order, mut dice) = (Order::default(), Dice::new(21));
        let mut counts = [0u32; 5];
        for _ in 0..40_000 {
            draw(&mut order, &mut dice);
            for ask in &order.tubes {
                counts[0] += 1;
                counts[1] += ask.tests.count_ones();
                counts[2] += (ask.tests & TOP_FOUR).count_ones();
                counts[3] += u32::from(ask.tube == Tube::Serum);
                counts[4] += u32::from(ask.tube == Tube::Edta);
            }
        }
        counts.map(f64::from)
    }

    #[test]
    fn practices_ask_for_what_was_published() {
        let [tubes, lines, top_four, serum, blood] = count(Order::practice);
        assert!((2.75..3.1).contains(&(lines / tubes)), "{} lines per tube", lines / tubes);
        assert!((0.78..0.83).contains(&(top_four / lines)), "{} of all lines", top_four / lines);
        assert!((0.35..0.40).contains(&(blood / serum)), "{} blood per serum", blood / serum);
        assert!((1.2..1.6).contains(&(tubes / 40_000.0)), "{} tubes per request", tubes / 40_000.0);
    }

    #[test]
    fn wards_ask_for_less_per_tube() {
        let [tubes, lines, ..] = count(Order::ward);
        assert!((2.0..2.6).contains(&(lines / tubes)), "{} lines per tube", lines / tubes);
    }

    #[test]
    fn reasons_and_single_choices_are_weighed_per_thousand() {
        assert_eq!(REASONS.iter().map(|(weight, _)| weight).sum::<u32>(), 1000);
        for (_, reason) in REASONS.into_iter().chain([(0, &WARD)]) {
            assert_eq!(reason.because.iter().map(|(weight, _)| weight).sum::<u32>(), 1000);
        }
    }
}
