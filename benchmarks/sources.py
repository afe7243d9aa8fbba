"""A source folder of 2,000 files and 200 MB: its first submit beside `dvc add` and `git add`, and the second one.

Measured is what a caller of `Experiment.submit` waits for until the run itself is posted: building the graph, reading
the folder, asking the server what it lacks, and sending that. A server takes part; DVC and Git copy on one disk.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from airloom.core import Experiment, Workspace
from airloom.pipeline.core import Pipeline
from airloom.pipeline.steps import PythonScriptStep
from airloom.storage.file_digests import RACY_NS
from benchmarks.figures import Figure, at_most, medians, seconds
from benchmarks.peers import peer
from tests.support.server import running_server

FILES = 2000
FILE_BYTES = 100_000
REPEATS = 3


def measure() -> Iterator[Figure]:
    """First submits and their peers in turn, each with bytes that were never seen; then second submits."""
    with tempfile.TemporaryDirectory(prefix="airloom-bench-") as name, running_server(Path(name, "home")) as server:
        folder, ws = Path(name), server.workspace()
        ours, dvc, git = medians(
            REPEATS,
            lambda: timed_submit(ws, new_folder(folder)),
            lambda: _dvc_add(new_folder(folder)),
            lambda: _git_add(new_folder(folder)),
        )
        what = (
            f"first submit of a folder of {FILES:,} files and {FILES * FILE_BYTES // 10**6} MB, until the run is posted"
        )
        yield Figure(what, ours, "s", "`dvc add` of such a folder", dvc)
        yield Figure(what, ours, "s", "`git add` of such a folder", git)
        yield _second(ws, new_folder(folder))


def _second(ws: Workspace, source: Path) -> Figure:
    time.sleep(RACY_NS / 1e9)
    timed_submit(ws, source)

    def with_one_changed() -> float:
        (source / "main.py").write_text(f"# {uuid.uuid4()}\n")
        return timed_submit(ws, source)

    (again,) = medians(7, with_one_changed)
    return Figure("second submit of that folder with one file changed", again, "s", goal=at_most(1.0))


def new_folder(parent: Path) -> Path:
    """A folder of random files, in forty folders, with a script at the top."""
    folder = parent / uuid.uuid4().hex
    for number in range(FILES - 1):
        file = folder / f"part_{number % 40}" / f"{number}.bin"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(os.urandom(FILE_BYTES))
    (folder / "main.py").write_text(f"# {uuid.uuid4()}\n")
    os.sync()  # what is measured next does not pay for this
    return folder


def timed_submit(ws: Workspace, source: Path) -> float:
    """Seconds from the building of a pipeline until its run is posted, which does not happen."""

    def post(*_: object) -> None:
        raise _Posted(time.perf_counter() - started)

    ws._client.submit_run = post  # type: ignore[method-assign, assignment]
    started = time.perf_counter()
    try:
        step = PythonScriptStep("main.py", source_directory=str(source))
        Experiment(ws, "sources").submit(Pipeline(ws, [step]))
    except _Posted as posted:
        return posted.after
    finally:
        del ws._client.submit_run
    raise RuntimeError("submit returned without posting a run")


class _Posted(Exception):
    """The run would be posted now."""

    def __init__(self, after: float) -> None:
        super().__init__()
        self.after = after


def _dvc_add(folder: Path) -> float:
    dvc = peer("dvc") / "dvc"
    _run(folder.parent, dvc, "init", "--no-scm", "--quiet", "--force")
    return seconds(lambda: _run(folder.parent, dvc, "add", "--quiet", folder.name))


def _git_add(folder: Path) -> float:
    _run(folder, "git", "init", "--quiet")
    return seconds(lambda: _run(folder, "git", "add", "."))


def _run(folder: Path, *command: str | Path) -> None:
    subprocess.run(command, cwd=folder, env={**os.environ, "DVC_NO_ANALYTICS": "1"}, check=True)
