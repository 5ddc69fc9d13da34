//! Which number has a name? Codes that come a million times over are counted by number, and named once.

use std::collections::BTreeMap;

/// The number of a name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct NameIx(usize);

/// Names, each once, numbered as they come.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Names {
    by_name: BTreeMap<String, NameIx>,
    all: Vec<String>,
}

impl Names {
    /// The number of a name; a new one where it is new.
    pub(crate) fn of(&mut self, name: &str) -> NameIx {
        if let Some(&known) = self.by_name.get(name) {
            return known;
        }
        let new = NameIx(self.all.len());
        self.all.push(name.to_owned());
        self.by_name.insert(name.to_owned(), new);
        new
    }

    /// The name of a number.
    pub(crate) fn text(&self, name: NameIx) -> &str {
        &self.all[name.0]
    }
}
