//! How does a model look as a free MPS file? Read by HiGHS, CBC, SCIP and OR-Tools.

use std::fmt::{self, Write};

use super::{Model, Sense};

/// Writes a model in free MPS.
///
/// # Errors
/// Those of `out`.
pub fn write(model: &Model, out: &mut impl Write) -> fmt::Result {
    out.write_str("NAME labtriage\nROWS\n N cost\n")?;
    for row in &model.rows {
        let sense = if row.sense == Sense::Exactly { 'E' } else { 'L' };
        writeln!(out, " {sense} {}", row.name)?;
    }
    columns(model, out)?;
    out.write_str("RHS\n")?;
    for row in model.rows.iter().filter(|row| row.limit != 0) {
        writeln!(out, " rhs {} {}", row.name, row.limit)?;
    }
    out.write_str("BOUNDS\n")?;
    for variable in &model.variables {
        writeln!(out, " UP bound {} 1", variable.name)?;
    }
    out.write_str("ENDATA\n")
}

/// The entries of each variable, with markers around those that must be whole.
fn columns(model: &Model, out: &mut impl Write) -> fmt::Result {
    let mut first = vec![0usize; model.variables.len() + 1];
    for (variable, _) in model.rows.iter().flat_map(|row| &row.terms) {
        first[*variable as usize + 1] += 1;
    }
    for at in 1..first.len() {
        first[at] += first[at - 1];
    }
    let mut entries = vec![(0usize, 0i64); model.entries()];
    let mut next = first.clone();
    for (number, row) in model.rows.iter().enumerate() {
        for &(variable, amount) in &row.terms {
            let at = &mut next[variable as usize];
            entries[*at] = (number, amount);
            *at += 1;
        }
    }
    out.write_str("COLUMNS\n")?;
    let (mut inside, mut markers) = (false, 0);
    for (number, variable) in model.variables.iter().enumerate() {
        if variable.integer != inside {
            marker(out, &mut markers, variable.integer)?;
            inside = variable.integer;
        }
        // A variable without entries must be named all the same.
        writeln!(out, " {} cost {}", variable.name, variable.cost.thousandths())?;
        for &(row, amount) in &entries[first[number]..first[number + 1]] {
            writeln!(out, " {} {} {amount}", variable.name, model.rows[row].name)?;
        }
    }
    if inside { marker(out, &mut markers, false) } else { Ok(()) }
}

fn marker(out: &mut impl Write, number: &mut usize, begins: bool) -> fmt::Result {
    *number += 1;
    let what = if begins { "INTORG" } else { "INTEND" };
    writeln!(out, " marker_{number} 'MARKER' '{what}'")
}

/// A model in free MPS.
pub fn text(model: &Model) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write(model, &mut text);
    text
}
