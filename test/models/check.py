#!/usr/bin/env python3
"""Runs the Spin model of approvals and compares its moves with the program's state table.

Usage: check.py [SOURCE_DIR]. Exit 0: every claim holds, both have the same moves.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent.parent


def moves_of_model(text):
    return {m for m in re.findall(r"MOVE\((\w+), (\w+), (\w+)\)", text) if m != ("from", "event", "to")}


def moves_of_program(text):
    return set(re.findall(r"Row\{State::(\w+), Event::(\w+), State::(\w+)\}", text))


def verify(model, claims):
    with tempfile.TemporaryDirectory() as work:
        run = lambda *args: subprocess.run(args, cwd=work, capture_output=True, text=True, timeout=300)
        made = run("spin", "-a", str(model))
        if made.returncode:
            return [made.stdout + made.stderr]
        built = run("cc", "-O1", "-w", "-DNOREDUCE", "-DNFAIR=4", "-o", "pan", "pan.c")
        if built.returncode:
            return [built.stderr]
        bad = []
        for claim in claims:
            # Fairness matters for the one claim about progress only, and is dear.
            fair = ["-f"] if claim == "ends" else []
            done = run("./pan", "-a", *fair, "-m100000", "-N", claim)
            # A claim named never_… says that something good cannot happen: Spin has to refute it.
            wanted = "errors: 1" if claim.startswith("never_") else "errors: 0"
            ok = wanted in done.stdout and "max search depth too small" not in done.stdout
            print(f"{'ok  ' if ok else 'FAIL'} {claim}")
            if not ok:
                bad.append(f"{claim}:\n{done.stdout}{done.stderr}")
        return bad


def main():
    model = HERE / "approval.pml"
    text = model.read_text()
    ours, theirs = moves_of_model(text), moves_of_program((SOURCE / "src/approvals/include/approvals/state.h").read_text())
    problems = [f"only in the model: {m}" for m in sorted(ours - theirs)]
    problems += [f"only in the program: {m}" for m in sorted(theirs - ours)]
    if not theirs:
        problems.append("no rows found in state.h")
    problems += verify(model, re.findall(r"^ltl (\w+)", text, re.M))
    for p in problems:
        print(p)
    print(f"{len(theirs)} moves, {len(problems)} problems")
    return 1 if problems else 0


sys.exit(main())
