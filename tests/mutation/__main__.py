"""Changes the code of keys, reuse and storage in thousands of small ways, and counts those that no test sees.

`make mutation` runs it. The mutants are made and tried by mutmut in copies of the repository, against the tests of
these packages only: one copy for what lies in folders, one for what lies in Azure Blob Storage, whose tests need an
emulator each. The scores go to standard output and, with the names of the survivors, to .cache/mutation/scores.json.
Functions with a decorator (properties, context managers, validators) are not mutated.
Arguments are those of `mutmut run`: names of mutants, with wildcards, to try again.
"""

from __future__ import annotations

import configparser
import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from fnmatch import fnmatch
from pathlib import Path

CACHE = Path(".cache").absolute()
HOME = CACHE / "mutation"
CODE = (
    "airloom",
    *("tests/__init__.py", "tests/conftest.py", "tests/mutation", "tests/support", "tests/unit"),
    *("tests/integration/__init__.py", "tests/integration/azure"),
)
NOT_NEEDED = ("airloom/operators", "airloom/plugins")
PARTS = {"local": "mutmut", "azure": "mutmut:azure"}
"""The copies, and the section of setup.cfg that says what is changed in each and which tests are to see it."""

GROUPS = {"hashing": ("reuse/hashing", "graph/canonical"), "reuse": ("reuse/",), "storage": ("storage/",)}
KILLED = (1, 3)  # exit codes of pytest: a test failed, or it could not even start
TIMED_OUT = (-24, 24, 36, 152, 255)


def copy_code(part: str) -> None:
    """Lay the code and its tests out anew, so that a run never sees files that are being edited.

    What is known of the mutants stays, but for those of changed functions.
    """
    copy = HOME / part
    for name in CODE:
        source, target = Path(name), copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, target)
    for name in NOT_NEEDED:
        (copy / name).unlink()
    for emulator in CACHE.glob("azurite-*"):
        link = copy / "mutants/.cache" / emulator.name
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.exists():
            link.symlink_to(emulator)
    write_settings(part)


def write_settings(part: str) -> None:
    """Mutmut reads one section: that of the copy, with all else from the first."""
    settings = configparser.ConfigParser(interpolation=None)
    settings.read("setup.cfg")
    settings["mutmut"].update(settings[PARTS[part]])
    with (HOME / part / "setup.cfg").open("w") as file:
        settings.write(file)


def run(part: str, arguments: list[str], children: int) -> None:
    """Make the mutants and try those that were not tried yet, or those that are named."""
    environment = {**os.environ, "PATH": f"{HOME / 'bin'}:{os.environ['PATH']}"}
    command = ["nice", "-n", "19", "mutmut", "run", "--max-children", str(children), *arguments]
    mutmut = subprocess.Popen(command, cwd=HOME / part, env=environment, start_new_session=True)
    try:
        if mutmut.wait() != 0:
            sys.exit(f"mutmut ended with {mutmut.returncode}.")
    finally:
        end(mutmut.pid)


def end(group: int) -> None:
    """End what a mutant has left running when its time was over."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def exit_codes(part: str) -> dict[str, int | None]:
    """How the tests of each mutant ended, by its name."""
    files = sorted((HOME / part / "mutants/airloom").rglob("*.meta"))
    return {name: code for file in files for name, code in json.loads(file.read_text())["exit_code_by_key"].items()}


def try_part(part: str, patterns: list[str]) -> None:
    """Try the mutants of a part; those whose time was over once more, alone, as others may have slowed them down."""
    if not patterns:
        shutil.rmtree(HOME / part, ignore_errors=True)
    elif (known := exit_codes(part)) and not any(fnmatch(name, pattern) for name in known for pattern in patterns):
        return
    copy_code(part)
    run(part, patterns, os.cpu_count() or 2)
    late = [name for name, code in exit_codes(part).items() if code in TIMED_OUT]
    if late:
        run(part, late, 1)


def verdict(code: int | None) -> str:
    """What the exit code of its tests says about a mutant. One that no test calls has survived."""
    if code is None:
        return "not tried"
    return "killed" if code in KILLED else "timed out" if code in TIMED_OUT else "survived"


def module_of(mutant: str) -> str:
    """`reuse/plan` of the mutant `airloom.reuse.plan.x_make_plan__mutmut_3`."""
    return "/".join(mutant.removeprefix("airloom.").split(".")[:2])


def report(verdicts: dict[str, str]) -> None:
    """Print the score of each module and group, and write it with the survivors."""
    per_module: dict[str, Counter[str]] = {}
    for name, each in verdicts.items():
        per_module.setdefault(module_of(name), Counter())[each] += 1
    for group, prefixes in GROUPS.items():
        per_module[group] = sum((c for name, c in per_module.items() if name.startswith(prefixes)), Counter())
    scores = {}
    for name, counts in per_module.items():
        tried = counts.total() - counts["not tried"]
        seen = counts["killed"] + counts["timed out"]
        scores[name] = {**counts, "percent": round(100 * seen / tried, 1) if tried else None}
        sys.stdout.write(
            f"{name:24} {tried:5} tried {counts['killed']:5} killed {counts['timed out']:3} timed out "
            f"{counts['survived']:4} survived  {scores[name]['percent']} %\n"
        )
    survivors = [name for name, each in verdicts.items() if each == "survived"]
    late = [name for name, each in verdicts.items() if each == "timed out"]
    found = {"scores": scores, "survivors": survivors, "timed out": late}
    (HOME / "scores.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    for part in PARTS:
        try_part(part, sys.argv[1:])
    report({name: verdict(code) for part in PARTS for name, code in exit_codes(part).items()})
