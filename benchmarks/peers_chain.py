"""The unchanged run of a 100-step chain, as a user starts it from the shell, beside the tools that do the same.

Each step copies a few bytes. The peers have no scheduler, no database and no server; Airloom's command talks to one
that runs. `make`, which looks at times only, is not among them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from benchmarks.figures import Figure, medians, ratio_at_most, seconds
from benchmarks.peers import peer
from benchmarks.servers import Bench, Chain, bench
from tests.support.server import AIRLOOM

LENGTH = 100
REPEATS = 5

_SNAKEFILE = """\
rule all:
    input: "{last}"

"""
_RULE = """\
rule step_{number}:
    input: "{source}"
    output: "{target}"
    shell: "cp {{input}} {{output}}"

"""
_REDUN = """\
from redun import File, task

redun_namespace = "bench"


@task()
def copy(source: File, target: str) -> File:
    made = File(target)
    made.write(source.read())
    return made


@task()
def main() -> File:
    file = File("f0.txt")
    for number in range(1, {length} + 1):
        file = copy(file, f"f{{number}}.txt")
    return file
"""
_DODO = """\
def task_copy():
    for number in range({length}):
        source, target = f"f{{number}}.txt", f"f{{number + 1}}.txt"
        yield {{
            "name": target,
            "actions": [f"cp {{source}} {{target}}"],
            "file_dep": [source],
            "targets": [target],
        }}
"""


def measure() -> Iterator[Figure]:
    """Airloom's command and each peer in turn."""
    with bench() as server:
        unchanged = _airloom(server)
        for name, prepare, goal in (
            ("Snakemake", _snakemake, ratio_at_most(1.0)),
            ("DVC", _dvc, ratio_at_most(1.0)),
            ("redun", _redun, ratio_at_most(1.0)),
            ("doit", _doit, None),
        ):
            folder = server.folder / name
            folder.mkdir()
            (folder / "f0.txt").write_text("bytes\n")
            command = prepare(folder)
            command()  # cold
            command()
            ours, theirs = medians(REPEATS, partial(seconds, unchanged), partial(seconds, command))
            what = f"unchanged run of {LENGTH} steps by the command `airloom submit --wait`"
            yield Figure(what, ours, "s", f"the same by {name}", theirs, goal)


def _airloom(server: Bench) -> Callable[[], object]:
    file = server.folder / "chain.yml"
    Chain(server, LENGTH).pipeline().save(file)
    submit = [AIRLOOM, "submit", str(file), "--wait", "--home", str(server.home)]
    for _ in range(3):
        _run(submit, server.folder)
    return lambda: _run(submit, server.folder)


def _snakemake(folder: Path) -> Callable[[], object]:
    rules = [
        _RULE.format(number=number, source=f"f{number}.txt", target=f"f{number + 1}.txt") for number in range(LENGTH)
    ]
    (folder / "Snakefile").write_text(_SNAKEFILE.format(last=f"f{LENGTH}.txt") + "".join(rules))
    return lambda: _run([peer("snakemake") / "snakemake", "--cores", "1", "--quiet"], folder)


def _dvc(folder: Path) -> Callable[[], object]:
    dvc = peer("dvc") / "dvc"
    _run([dvc, "init", "--no-scm", "--quiet"], folder)
    stages = [
        f"  step_{number}:\n    cmd: cp f{number}.txt f{number + 1}.txt\n"
        f"    deps: [f{number}.txt]\n    outs: [f{number + 1}.txt]\n"
        for number in range(LENGTH)
    ]
    (folder / "dvc.yaml").write_text("stages:\n" + "".join(stages))
    return lambda: _run([dvc, "repro", "--quiet"], folder)


def _redun(folder: Path) -> Callable[[], object]:
    (folder / "workflow.py").write_text(_REDUN.format(length=LENGTH))
    return lambda: _run([peer("redun") / "redun", "run", "workflow.py", "main"], folder)


def _doit(folder: Path) -> Callable[[], object]:
    (folder / "dodo.py").write_text(_DODO.format(length=LENGTH))
    return lambda: _run([peer("doit") / "doit"], folder)


def _run(command: list[str | Path], folder: Path) -> None:
    """Run a command to its good end. A peer must find its own programs first, and tell nobody that it was used."""
    program = Path(command[0])
    variables = {**os.environ, "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}", "DVC_NO_ANALYTICS": "1"}
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{program.name} failed:\n{done.stdout}\n{done.stderr}")
