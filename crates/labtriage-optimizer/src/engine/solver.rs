//! Who solves a linear program? A backend behind [`LinearSolver`], named, and never believed.

use std::panic::{AssertUnwindSafe, catch_unwind};

use good_lp::{
    Constraint, DualValues as _, Expression, ProblemVariables, ResolutionError, Solution as _, SolutionWithDual,
    SolverModel, Variable, variable,
};

/// One row of a program: Σ coefficient × variable ≤ limit, or = limit.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// (variable, coefficient), each variable at most once.
    pub terms: Vec<(usize, f64)>,
    /// The right-hand side.
    pub limit: f64,
    /// Whether the row holds with equality.
    pub equal: bool,
}

/// Minimise Σ cost × variable over variables that are at least 0, under rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Program {
    /// The cost of each variable.
    pub costs: Vec<f64>,
    /// What must hold.
    pub rows: Vec<Row>,
}

/// What a solver says of a linear program.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The value of each variable.
    pub values: Vec<f64>,
    /// Per row: by how much the objective would change for one more unit on the right-hand side.
    pub duals: Vec<f64>,
}

/// Solves small programs. It may fail, be late or be wrong: that costs quality, never correctness.
pub trait LinearSolver: Sync {
    /// The program with variables of any fraction, with dual values.
    fn relaxed(&self, program: &Program) -> Option<Answer>;

    /// The program with variables that are 0 or 1, after at most `nodes` nodes of branch and bound;
    /// `start` is a known lawful answer. The value of each variable.
    fn whole(&self, program: &Program, start: &[f64], nodes: u64) -> Option<Vec<f64>>;
}

/// The backends of this build, through good_lp: Clarabel for relaxations and microlp for whole
/// numbers; HiGHS for both with the feature `highs`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Backend;

impl LinearSolver for Backend {
    fn relaxed(&self, program: &Program) -> Option<Answer> {
        guarded(|| relaxed(program))
    }

    fn whole(&self, program: &Program, start: &[f64], nodes: u64) -> Option<Vec<f64>> {
        guarded(|| whole(program, start, nodes))
    }
}

/// A backend that panics has no answer.
fn guarded<T>(solve: impl FnOnce() -> Option<T>) -> Option<T> {
    catch_unwind(AssertUnwindSafe(solve)).ok().flatten()
}

fn relaxed(program: &Program) -> Option<Answer> {
    let (variables, columns) = variables(program, false);
    let problem = variables.minimise(objective(program, &columns));
    #[cfg(feature = "highs")]
    return duals(problem.using(good_lp::solvers::highs::highs).set_threads(1), program, &columns);
    #[cfg(not(feature = "highs"))]
    duals(problem.using(good_lp::solvers::clarabel::clarabel), program, &columns)
}

fn duals<M>(mut model: M, program: &Program, columns: &[Variable]) -> Option<Answer>
where
    M: SolverModel<Error = ResolutionError>,
    M::Solution: for<'a> SolutionWithDual<'a>,
{
    let rows: Vec<_> = program.rows.iter().map(|row| model.add_constraint(constraint(row, columns))).collect();
    let mut solution = model.solve().ok()?;
    let values = columns.iter().map(|column| solution.value(*column)).collect();
    let prices = solution.compute_dual();
    Some(Answer { values, duals: rows.into_iter().map(|row| prices.dual(row)).collect() })
}

#[cfg(feature = "highs")]
fn whole(program: &Program, start: &[f64], nodes: u64) -> Option<Vec<f64>> {
    use good_lp::WithInitialSolution as _;
    let (variables, columns) = variables(program, true);
    let problem = variables.minimise(objective(program, &columns));
    let nodes = i32::try_from(nodes).unwrap_or(i32::MAX);
    let mut model = problem.using(good_lp::solvers::highs::highs).set_threads(1).set_option("mip_max_nodes", nodes);
    for row in &program.rows {
        model.add_constraint(constraint(row, &columns));
    }
    let solution = model.with_initial_solution(columns.iter().copied().zip(start.iter().copied())).solve().ok()?;
    Some(columns.iter().map(|column| solution.value(*column)).collect())
}

/// good_lp offers microlp's limit on time only, which would make answers depend on the machine; so
/// its model is handed to microlp with a limit on nodes. microlp needs no start.
#[cfg(not(feature = "highs"))]
fn whole(program: &Program, _start: &[f64], nodes: u64) -> Option<Vec<f64>> {
    let (variables, columns) = variables(program, true);
    let mut model = variables.minimise(objective(program, &columns)).using(good_lp::solvers::microlp::microlp);
    for row in &program.rows {
        model.add_constraint(constraint(row, &columns));
    }
    let mut options = microlp::SolveOptions::default();
    options.node_limit = Some(nodes);
    let solution = model.as_inner().solve_with(options).ok()?.into_solution().ok()?;
    Some(solution.iter().map(|(_, value)| value).collect())
}

fn variables(program: &Program, whole: bool) -> (ProblemVariables, Vec<Variable>) {
    let mut variables = ProblemVariables::new();
    let kind = if whole { variable().binary() } else { variable().min(0.0) };
    let columns = variables.add_vector(kind, program.costs.len());
    (variables, columns)
}

fn objective(program: &Program, columns: &[Variable]) -> Expression {
    let mut objective = Expression::with_capacity(columns.len());
    for (column, cost) in columns.iter().zip(&program.costs) {
        objective.add_mul(*cost, *column);
    }
    objective
}

fn constraint(row: &Row, columns: &[Variable]) -> Constraint {
    let mut sum = Expression::with_capacity(row.terms.len());
    for (column, coefficient) in &row.terms {
        sum.add_mul(*coefficient, columns[*column]);
    }
    if row.equal { sum.eq(row.limit) } else { sum.leq(row.limit) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program() -> Program {
        // Two items of worth 3 and 2 that want 2 and 1 of a resource of 2.
        let row = |terms: &[(usize, f64)], limit| Row { terms: terms.to_vec(), limit, equal: false };
        let rows = vec![row(&[(0, 2.0), (1, 1.0)], 2.0), row(&[(0, 1.0)], 1.0), row(&[(1, 1.0)], 1.0)];
        Program { costs: vec![-3.0, -2.0], rows }
    }

    #[test]
    fn duals_tell_what_a_unit_is_worth() {
        let answer = Backend.relaxed(&program()).unwrap();
        assert!((answer.values[0] - 0.5).abs() < 1e-6);
        assert!((answer.duals[0] + 1.5).abs() < 1e-6);
    }

    #[test]
    fn whole_numbers_are_whole() {
        let values = Backend.whole(&program(), &[0.0, 0.0], 100).unwrap();
        assert!((values[0] - 1.0).abs() < 1e-6 && values[1].abs() < 1e-6);
    }
}
