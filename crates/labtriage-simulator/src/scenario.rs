//! Which incidents can be simulated, and what do they leave of a network's capacity?

use std::fmt::Write as _;

use labtriage_core::network::{Network, SiteKind};

use crate::clock::{Reading, reading};

/// An incident, or none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Scenario {
    /// The first week after the computers of a whole network were attacked.
    SynnovisWeek1,
    /// An announced reduction, as around the start of a new computer system.
    PlannedReduction,
    /// One failed line.
    AnalyserDown,
    /// Nothing wrong.
    NormalNight,
}

impl Scenario {
    /// All scenarios.
    pub const ALL: [Self; 4] = [Self::SynnovisWeek1, Self::PlannedReduction, Self::AnalyserDown, Self::NormalNight];

    /// The word used on the command line and in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SynnovisWeek1 => "synnovis-week-1",
            Self::PlannedReduction => "planned-reduction",
            Self::AnalyserDown => "analyser-down",
            Self::NormalNight => "normal-night",
        }
    }

    /// The scenario of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scenario| scenario.name() == name)
    }

    /// What it is, in a few sentences, with what of it was published and what is invented.
    pub const fn about(self) -> &'static str {
        match self {
            Self::SynnovisWeek1 => {
                "Monday 10 June 2024, 20:00, a week after an attack on the computers of South East London \
                 pathology. Analysers work but cannot identify samples; each sample is logged and each result typed by \
                 hand. Published: about 8,000 refrigerated serum samples from primary care, 3,000 blood counts \
                 analysed but not reportable, 400 of 10,000 samples a day in the first week, about 10 % of normal \
                 overall by 14 June, then mutual aid. Invented: everything else, each row included."
            }
            Self::PlannedReduction => {
                "Thursday 5 October 2023, 20:00, the first evening of an announced reduction while a new computer \
                 system starts. The hub's analysers and reception work at half speed for three days and at 80 % for a \
                 week. Published: that there was such a period, until 13 October. Invented: the percentages and each \
                 row."
            }
            Self::AnalyserDown => {
                "Wednesday 18 November 2026, 19:00: most of the hub's chemistry has failed, a quarter is left for 48 \
                 hours, all else works. Invented."
            }
            Self::NormalNight => {
                "Thursday 19 November 2026, 20:00: an ordinary evening, a day's tubes in progress. The number of \
                 tubes a day is published, each row is invented."
            }
        }
    }

    /// The moment of planning.
    pub(crate) const fn now(self) -> Reading {
        match self {
            Self::SynnovisWeek1 => reading(2024, 6, 10, 20, 0),
            Self::PlannedReduction => reading(2023, 10, 5, 20, 0),
            Self::AnalyserDown => reading(2026, 11, 18, 19, 0),
            Self::NormalNight => reading(2026, 11, 19, 20, 0),
        }
    }

    /// The number of samples that belongs to the network at its full size.
    const fn samples_at_full_size(self) -> u32 {
        match self {
            Self::SynnovisWeek1 => 11_000,
            Self::PlannedReduction | Self::NormalNight => 30_000,
            Self::AnalyserDown => 20_000,
        }
    }

    /// How large the network must be for so many samples, so that capacity is as scarce at every
    /// size; at least 1.
    pub fn capacity_percent(self, samples: u32) -> u32 {
        let full = u64::from(self.samples_at_full_size());
        let percent = (u64::from(samples) * 100 + full / 2) / full;
        u32::try_from(percent.max(1)).unwrap_or(u32::MAX)
    }

    /// What the incident leaves, as `[[disruption]]` tables for `network.toml`; empty when nothing
    /// is wrong.
    pub fn disruptions(self, network: &Network) -> String {
        let mut text = String::new();
        for cut in self.cuts() {
            for site in network.sites.iter().filter(|site| site.kind == cut.kind) {
                cut.write(&site.code, &mut text);
            }
        }
        text
    }

    const fn cuts(self) -> &'static [Cut] {
        match self {
            Self::SynnovisWeek1 => WEEK_1,
            Self::PlannedReduction => REDUCTION,
            Self::AnalyserDown => CHEMISTRY,
            Self::NormalNight => &[],
        }
    }
}

/// A cut at every site of one kind.
struct Cut {
    name: &'static str,
    kind: SiteKind,
    discipline: Option<&'static str>,
    limits: &'static [&'static str],
    /// From when (local) so many percent are left.
    steps: &'static [(&'static str, u32)],
}

impl Cut {
    fn write(&self, site: &str, text: &mut String) {
        let limits = self.limits.join("\", \"");
        let steps: Vec<String> = self
            .steps
            .iter()
            .map(|(from, left)| format!("  {{ from = \"{from}\", capacity_percent = {left} }},\n"))
            .collect();
        let discipline = self.discipline.map(|name| format!("discipline = \"{name}\"\n")).unwrap_or_default();
        // Writing to a `String` cannot fail.
        let _ = writeln!(
            text,
            "[[disruption]]\nname = \"{} ({site})\"\nsite = \"{site}\"\n{discipline}limits = [\"{limits}\"]\nsteps = [\n{}]\n",
            self.name,
            steps.concat()
        );
    }
}

/// Reporting is the bottleneck: results are typed. 400 samples of about 2.8 lines a day are 1,100
/// results, about 1 % of what the hub reports in normal times. Hospital figures are what their own
/// new work leaves. Partners have nothing to spare until the mutual aid of 14 June.
const WEEK_1: &[Cut] = &[
    Cut {
        name: "computers down: booking in by hand, analysers cannot identify samples",
        kind: SiteKind::Hub,
        discipline: None,
        limits: &["analyser", "reception"],
        steps: &[
            ("2024-06-03 00:00", 4),
            ("2024-06-14 00:00", 10),
            ("2024-07-25 00:00", 40),
            ("2024-09-19 00:00", 100),
        ],
    },
    Cut {
        name: "computers down: results typed by hand",
        kind: SiteKind::Hub,
        discipline: None,
        limits: &["reporting"],
        steps: &[("2024-06-03 00:00", 1), ("2024-06-14 00:00", 2), ("2024-07-25 00:00", 40), ("2024-09-19 00:00", 100)],
    },
    Cut {
        name: "computers down: booking in by hand, analysers cannot identify samples",
        kind: SiteKind::Hospital,
        discipline: None,
        limits: &["analyser", "reception"],
        steps: &[("2024-06-03 00:00", 10), ("2024-06-14 00:00", 20), ("2024-07-25 00:00", 100)],
    },
    Cut {
        name: "computers down: results typed by hand",
        kind: SiteKind::Hospital,
        discipline: None,
        limits: &["reporting"],
        steps: &[("2024-06-03 00:00", 2), ("2024-06-14 00:00", 4), ("2024-07-25 00:00", 100)],
    },
    Cut {
        name: "mutual aid being set up",
        kind: SiteKind::Partner,
        discipline: None,
        limits: &["analyser", "reception", "reporting"],
        steps: &[("2024-06-03 00:00", 0), ("2024-06-14 00:00", 25), ("2024-07-01 00:00", 100)],
    },
];

const REDUCTION: &[Cut] = &[Cut {
    name: "planned reduction",
    kind: SiteKind::Hub,
    discipline: None,
    limits: &["analyser", "reception"],
    steps: &[("2023-10-05 00:00", 50), ("2023-10-08 00:00", 80), ("2023-10-15 00:00", 100)],
}];

const CHEMISTRY: &[Cut] = &[Cut {
    name: "chemistry down",
    kind: SiteKind::Hub,
    discipline: Some("chemistry"),
    limits: &["analyser"],
    steps: &[("2026-11-18 15:00", 25), ("2026-11-20 15:00", 100)],
}];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_their_scenarios() {
        for scenario in Scenario::ALL {
            assert_eq!(Scenario::from_name(scenario.name()), Some(scenario));
        }
        assert_eq!(Scenario::from_name("synnovis"), None);
    }

    #[test]
    fn capacity_follows_the_size() {
        let check = |scenario: Scenario, samples, expected| assert_eq!(scenario.capacity_percent(samples), expected);
        check(Scenario::SynnovisWeek1, 11_000, 100);
        check(Scenario::SynnovisWeek1, 5_500, 50);
        check(Scenario::SynnovisWeek1, 10, 1);
        check(Scenario::SynnovisWeek1, 1_000_000, 9_091);
        check(Scenario::NormalNight, 30_000, 100);
        check(Scenario::NormalNight, u32::MAX, 14_316_558);
    }

    #[test]
    fn a_cut_is_written_as_toml() {
        let mut text = String::new();
        CHEMISTRY[0].write("HUB", &mut text);
        let expected = "[[disruption]]\nname = \"chemistry down (HUB)\"\nsite = \"HUB\"\ndiscipline = \"chemistry\"\n\
            limits = [\"analyser\"]\nsteps = [\n  { from = \"2026-11-18 15:00\", capacity_percent = 25 },\n  \
            { from = \"2026-11-20 15:00\", capacity_percent = 100 },\n]\n\n";
        assert_eq!(text, expected);
    }
}
