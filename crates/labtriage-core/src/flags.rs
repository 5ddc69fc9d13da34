//! Which clinical facts travel with a request? A small vocabulary and sets of its words.

/// Flags whose meaning the laws themselves use; they stand first in every vocabulary.
pub const BUILT_IN: [&str; 4] = ["critical", "deceased", "deregistered", "hard_to_bleed"];

/// The most flags a vocabulary can hold.
pub const FLAGS_MAX: usize = 64;

/// A set of flags of one vocabulary.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct FlagSet(u64);

impl FlagSet {
    /// No flag.
    pub const EMPTY: Self = Self(0);
    /// The clinician's own `critical`: it only ever raises a band.
    pub const CRITICAL: Self = Self(1);
    /// The patient has died: never recalled.
    pub const DECEASED: Self = Self(1 << 1);
    /// The patient has left the practice: never recalled.
    pub const DEREGISTERED: Self = Self(1 << 2);
    /// The patient is hard to bleed.
    pub const HARD_TO_BLEED: Self = Self(1 << 3);

    /// Both sets together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the sets share a flag.
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether no flag is set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// The flags a policy knows, in a fixed order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FlagVocabulary {
    names: Vec<String>,
}

impl Default for FlagVocabulary {
    fn default() -> Self {
        Self { names: BUILT_IN.map(str::to_owned).to_vec() }
    }
}

impl FlagVocabulary {
    /// The set of one flag, learning its name when it is new; `None` once the vocabulary is full.
    pub fn learn(&mut self, name: &str) -> Option<FlagSet> {
        if let Some(known) = self.find(name) {
            return Some(known);
        }
        if self.names.len() == FLAGS_MAX {
            return None;
        }
        self.names.push(name.to_owned());
        self.find(name)
    }

    /// The set of one known flag.
    pub fn find(&self, name: &str) -> Option<FlagSet> {
        self.names.iter().position(|known| known == name).map(|bit| FlagSet(1 << bit))
    }

    /// The known names in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// The names in a set, in order.
    pub fn in_set(&self, set: FlagSet) -> impl Iterator<Item = &str> {
        self.names().enumerate().filter(move |(bit, _)| set.0 & (1 << bit) != 0).map(|(_, name)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_flags_have_fixed_bits() {
        let vocabulary = FlagVocabulary::default();
        assert_eq!(vocabulary.find("critical"), Some(FlagSet::CRITICAL));
        assert_eq!(vocabulary.find("deceased"), Some(FlagSet::DECEASED));
        assert_eq!(vocabulary.find("deregistered"), Some(FlagSet::DEREGISTERED));
        assert_eq!(vocabulary.find("hard_to_bleed"), Some(FlagSet::HARD_TO_BLEED));
    }

    #[test]
    fn a_full_vocabulary_learns_nothing_more() {
        let mut vocabulary = FlagVocabulary::default();
        for n in BUILT_IN.len()..FLAGS_MAX {
            assert!(vocabulary.learn(&format!("flag_{n}")).is_some());
        }
        assert_eq!(vocabulary.learn("one_too_many"), None);
        assert!(vocabulary.learn("deceased").is_some());
    }
}
