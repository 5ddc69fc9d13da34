//! How is a number written fast and without an allocation? For models of millions of entries.

use std::fmt::{self, Write};

/// A name made of a word and the numbers of what it is about.
pub(super) fn name(word: &str, numbers: &[usize]) -> String {
    let mut name = String::with_capacity(word.len() + 5 * numbers.len());
    name.push_str(word);
    for number in numbers {
        // Writing to a string does not fail.
        let _ = write!(name, "_{number}");
    }
    name
}

/// A signed coefficient before a name, as LP files have it: `+ 3 x`.
pub(super) fn term(out: &mut impl Write, coefficient: i64, name: &str) -> fmt::Result {
    let sign = if coefficient < 0 { '-' } else { '+' };
    match coefficient.unsigned_abs() {
        1 => write!(out, " {sign} {name}"),
        size => write!(out, " {sign} {size} {name}"),
    }
}
