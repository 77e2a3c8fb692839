#!/usr/bin/env python3
"""Runs a Spin model: every claim holds, every claim named never_… is refuted (something good can happen), and every
mutant that the model names breaks what it says it breaks. Of approvals it also compares the moves with the program's
state table.

Usage: check.py MODEL [SOURCE_DIR]. Exit 0: all of that.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
NAME = sys.argv[1]
SOURCE = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else HERE.parent.parent


def moves_of_model(text):
    return {m for m in re.findall(r"MOVE\((\w+), (\w+), (\w+)\)", text) if m != ("from", "event", "to")}


def moves_of_program(text):
    return set(re.findall(r"Row\{State::(\w+), Event::(\w+), State::(\w+)\}", text))


def compare_moves(text):
    ours, theirs = moves_of_model(text), moves_of_program((SOURCE / "src/approvals/include/approvals/state.h").read_text())
    problems = [f"only in the model: {m}" for m in sorted(ours - theirs)]
    problems += [f"only in the program: {m}" for m in sorted(theirs - ours)]
    if not theirs:
        problems.append("no rows found in state.h")
    print(f"{len(theirs)} moves")
    return problems


def verify(model, claims, mutant=None):
    """claims: which hold, by name, or do not."""
    with tempfile.TemporaryDirectory() as work:
        run = lambda *args: subprocess.run(args, cwd=work, capture_output=True, text=True, timeout=300)
        made = run("spin", *([f"-D{mutant}"] if mutant else []), "-a", str(model))
        if made.returncode:
            return [made.stdout + made.stderr]
        built = run("cc", "-O1", "-w", "-DNOREDUCE", "-DNFAIR=5", "-o", "pan", "pan.c")
        if built.returncode:
            return [built.stderr]
        bad = []
        for claim, holds in claims.items():
            # Fairness matters for the one claim about progress only, and is dear.
            fair = ["-f"] if claim == "ends" else []
            done = run("./pan", "-a", *fair, "-m200000", "-N", claim)
            wanted = "errors: 0" if holds else "errors: 1"
            ok = wanted in done.stdout and "max search depth too small" not in done.stdout
            print(f"{'ok  ' if ok else 'FAIL'} {claim}{f' broken by {mutant}' if mutant else ''}")
            if not ok:
                bad.append(f"{claim}:\n{done.stdout}{done.stderr}")
        return bad


def main():
    model = HERE / f"{NAME}.pml"
    text = model.read_text()
    problems = compare_moves(text) if NAME == "approval" else []
    claims = re.findall(r"^ltl (\w+)", text, re.M)
    if not claims:
        problems.append("no claims found")
    problems += verify(model, {claim: not claim.startswith("never_") for claim in claims})
    for mutant, claim in re.findall(r"mutant (\w+) breaks (\w+)", text):
        problems += verify(model, {claim: False}, mutant)
    for p in problems:
        print(p)
    print(f"{len(claims)} claims, {len(problems)} problems")
    return 1 if problems else 0


sys.exit(main())
