//! How does a model look as an LP file? The format of CPLEX, for reading by people and most solvers.

use std::fmt::{self, Write};

use super::numbers::term;
use super::{Model, Sense};

/// Terms on one line: readers limit its length.
const ON_A_LINE: usize = 8;

/// Writes a model in CPLEX LP.
///
/// # Errors
/// Those of `out`.
pub fn write(model: &Model, out: &mut impl Write) -> fmt::Result {
    out.write_str("\\ Thousandths of a weighted day.\nMinimize\n cost:")?;
    let priced = model.variables.iter().filter(|variable| variable.cost.thousandths() != 0);
    for (number, variable) in priced.enumerate() {
        space(out, number)?;
        term(out, variable.cost.thousandths(), &variable.name)?;
    }
    out.write_str("\nSubject To\n")?;
    for row in model.rows.iter().filter(|row| !row.terms.is_empty()) {
        write!(out, " {}:", row.name)?;
        for (number, &(variable, amount)) in row.terms.iter().enumerate() {
            space(out, number)?;
            term(out, amount, &model.variables[variable as usize].name)?;
        }
        let sense = if row.sense == Sense::Exactly { "=" } else { "<=" };
        writeln!(out, " {sense} {}", row.limit)?;
    }
    out.write_str("Bounds\n")?;
    for variable in model.variables.iter().filter(|variable| !variable.integer) {
        writeln!(out, " 0 <= {} <= 1", variable.name)?;
    }
    out.write_str("Binaries\n")?;
    for variable in model.variables.iter().filter(|variable| variable.integer) {
        writeln!(out, " {}", variable.name)?;
    }
    out.write_str("End\n")
}

fn space(out: &mut impl Write, number: usize) -> fmt::Result {
    if number > 0 && number.is_multiple_of(ON_A_LINE) { out.write_str("\n  ") } else { Ok(()) }
}

/// A model in CPLEX LP.
pub fn text(model: &Model) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write(model, &mut text);
    text
}
