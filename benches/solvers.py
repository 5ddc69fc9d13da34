#!/usr/bin/env python3
"""What do general solvers make of an exported model?

    pip install highspy ortools
    labtriage model --format mps tonight --out tonight.mps
    python3 benches/solvers.py tonight.mps --seconds 60

Runs HiGHS and OR-Tools CP-SAT on an MPS file of `labtriage model`, each in a process of its own (the two
libraries bring clashing copies of the same code), and prints one Markdown row a solver. Costs are in
thousandths of a weighted day. Solvers work on the model as it is unless `--presolve` is given: HiGHS spends
more than a minute and a half on simplifying the model of ten samples. A solver that cannot be run is named with the reason.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time

SOLVERS = ("highs", "cp-sat")


def number(value):
    """A number, or none for whatever a library says when it has none."""
    try:
        return float(value) if abs(float(value)) < 1e30 else None
    except (TypeError, ValueError):
        return None


def highs(path, seconds, threads, presolve):
    import highspy

    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", threads)
    solver.setOptionValue("time_limit", float(seconds))
    solver.setOptionValue("mip_rel_gap", 0.0)
    solver.setOptionValue("presolve", "on" if presolve else "off")
    began = time.monotonic()
    if solver.readModel(path) == highspy.HighsStatus.kError:
        raise RuntimeError("HiGHS cannot read this file")
    read = time.monotonic() - began
    solver.run()
    info = solver.getInfo()
    found = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
    return {
        "status": solver.modelStatusToString(solver.getModelStatus()),
        "cost": info.objective_function_value if found else None,
        "bound": number(info.mip_dual_bound),
        "read": read,
        "seconds": time.monotonic() - began - read,
    }


def cp_sat(path, seconds, threads, presolve):
    from ortools.linear_solver.python import model_builder

    began = time.monotonic()
    model = model_builder.Model()
    if not model.import_from_mps_file(path):
        raise RuntimeError("OR-Tools cannot read this file")
    read = time.monotonic() - began
    solver = model_builder.Solver("sat")
    if not solver.solver_is_supported():
        raise RuntimeError("this build of OR-Tools has no CP-SAT behind its model builder")
    # CP-SAT knows whole numbers only; the other variables lie between 0 and 1 and are whole as soon as these are.
    for variable in model.get_variables():
        variable.is_integral = True
    solver.set_time_limit_in_seconds(float(seconds))
    solver.set_solver_specific_parameters(f"num_workers:{threads} cp_model_presolve:{str(presolve).lower()}")
    status = solver.solve(model)
    found = status in (model_builder.SolveStatus.OPTIMAL, model_builder.SolveStatus.FEASIBLE)
    return {
        "status": str(status).rsplit(".", 1)[-1].lower().replace("_", " "),
        "cost": number(solver.objective_value) if found else None,
        "bound": number(solver.best_objective_bound),
        "read": read,
        "seconds": time.monotonic() - began - read,
    }


def one(name, path, seconds, threads, presolve):
    """Runs one solver in this process and prints what came of it as JSON."""
    try:
        answer = {"highs": highs, "cp-sat": cp_sat}[name](path, seconds, threads, presolve)
    except ImportError as error:
        answer = {"status": f"not run: {error} (pip install highspy ortools)"}
    except (RuntimeError, MemoryError, ValueError) as error:
        answer = {"status": f"failed: {error or type(error).__name__}"}
    answer["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(answer))


def apart(name, arguments):
    """Runs one solver in a process of its own, with time to read the file and to end."""
    command = [sys.executable, os.path.abspath(__file__), arguments.model, "--one", name]
    command += ["--seconds", str(arguments.seconds), "--threads", str(arguments.threads)]
    command += ["--presolve"] if arguments.presolve else []
    patience = 4 * arguments.seconds + 300
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=patience)
    except subprocess.TimeoutExpired:
        return {"status": f"failed: did not stop within {patience:.0f} s"}
    try:
        return json.loads(ran.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError):
        last = (ran.stderr.strip().splitlines() or ["no words; often for want of memory"])[-1]
        return {"status": f"failed: ended with code {ran.returncode}: {last}"}


def figure(value, digits=0):
    return "none" if value is None else f"{value:,.{digits}f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("model", help="an MPS file of `labtriage model`")
    parser.add_argument("--seconds", type=float, default=60, help="time limit of each solver [60]")
    parser.add_argument("--threads", type=int, default=2, help="threads of each solver [2]")
    parser.add_argument("--presolve", action="store_true", help="let solvers simplify the model first")
    parser.add_argument("--solver", choices=SOLVERS, action="append", help="only this one; may be repeated")
    parser.add_argument("--one", choices=SOLVERS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not os.path.isfile(arguments.model):
        parser.error(f"no such file: {arguments.model}")
    if arguments.one:
        one(arguments.one, arguments.model, arguments.seconds, arguments.threads, arguments.presolve)
        return
    print("| solver | status | cost | bound | seconds | reading | peak memory |")
    print("|---|---|---:|---:|---:|---:|---:|")
    for name in arguments.solver or SOLVERS:
        of = apart(name, arguments)
        cells = [name, of["status"], figure(of.get("cost")), figure(of.get("bound"))]
        cells += [figure(of.get("seconds"), 1), figure(of.get("read"), 1)]
        cells.append("none" if "peak" not in of else f"{of['peak']:.0f} MB")
        print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
