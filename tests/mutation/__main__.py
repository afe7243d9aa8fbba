"""Changes the code of keys, reuse and storage in thousands of small ways, and counts those that no test sees.

`make mutation` runs it. The mutants are made and tried by mutmut in a copy of the repository, against the unit tests of
these packages only. The scores go to standard output and, with the names of the survivors, to
.cache/mutation/scores.json. Functions with a decorator (properties, context managers, validators) are not mutated.
Arguments are those of `mutmut run`: names of mutants, with wildcards, to try again.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

HOME = Path(".cache/mutation").absolute()
COPY = HOME / "work"
CODE = ("airloom", "tests/__init__.py", "tests/conftest.py", "tests/support", "tests/unit", "setup.cfg")
NOT_NEEDED = ("airloom/operators", "airloom/plugins")
GROUPS = {"hashing": ("reuse/hashing", "graph/canonical"), "reuse": ("reuse/",), "storage": ("storage/",)}
KILLED = (1, 3)  # exit codes of pytest: a test failed, or it could not even start
TIMED_OUT = (-24, 24, 36, 152, 255)


def copy_code() -> None:
    """Lay the code and its tests out anew, so that a run never sees files that are being edited."""
    shutil.rmtree(COPY, ignore_errors=True)
    for name in CODE:
        source, target = Path(name), COPY / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, target)
    for name in NOT_NEEDED:
        (COPY / name).unlink()


def run(arguments: list[str]) -> None:
    """Make the mutants and try those that were not tried yet."""
    environment = {**os.environ, "PATH": f"{HOME / 'bin'}:{os.environ['PATH']}"}
    subprocess.run(["nice", "mutmut", "run", "--max-children", "2", *arguments], cwd=COPY, env=environment, check=True)


def verdicts() -> dict[str, str]:
    """What became of each mutant, by name."""
    found = {}
    for file in sorted((COPY / "mutants").rglob("*.meta")):
        for name, code in json.loads(file.read_text())["exit_code_by_key"].items():
            killed = code in KILLED or code in TIMED_OUT
            found[name] = "killed" if killed else "not tried" if code is None else "survived"
    return found


def module_of(mutant: str) -> str:
    """`reuse/plan` of the mutant `airloom.reuse.plan.x_make_plan__mutmut_3`."""
    return "/".join(mutant.removeprefix("airloom.").split(".")[:2])


def report(found: dict[str, str]) -> None:
    """Print the score of each module and group, and write it with the survivors."""
    per_module: dict[str, Counter[str]] = {}
    for name, verdict in found.items():
        per_module.setdefault(module_of(name), Counter())[verdict] += 1
    for group, prefixes in GROUPS.items():
        per_module[group] = sum((c for name, c in per_module.items() if name.startswith(prefixes)), Counter())
    scores = {}
    for name, counts in per_module.items():
        tried = counts["killed"] + counts["survived"]
        scores[name] = {**counts, "percent": round(100 * counts["killed"] / tried, 1) if tried else None}
        sys.stdout.write(f"{name:24} {counts['killed']:5} of {tried:5} killed  {scores[name]['percent']} %\n")
    survivors = [name for name, verdict in found.items() if verdict == "survived"]
    (HOME / "scores.json").write_text(json.dumps({"scores": scores, "survivors": survivors}, indent=1) + "\n")


if __name__ == "__main__":
    if not sys.argv[1:] or not COPY.exists():
        copy_code()
    run(sys.argv[1:])
    report(verdicts())
