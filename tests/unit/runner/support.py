"""Builders for tests of the runner: a store on disk, steps with real scripts, and processes to watch."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airloom.graph.model import DataLocation, InputPath, LiteralValue, OutputPath
from airloom.runner import StagedInput, StagedOutput, StepOutcome, StepRunner, StepSpec
from airloom.storage.datastore_config import LocalConfig
from airloom.storage.object_store import open_store
from airloom.storage.snapshot import collect, store_snapshot
from airloom.storage.workspace import WorkspaceStore


@dataclass
class Host:
    """A deployment's store with one workspace and one datastore `data`, and folders for the runner."""

    root: Path
    address: str = ""
    lines: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.address = self.address or f"file://{self.root / 'store'}"
        self.store = WorkspaceStore(open_store(self.address), "default")
        self.data = self.root / "data"
        self.data.mkdir()
        self.store.put_datastore(LocalConfig(name="data", root=str(self.data)))
        self.work = self.root / "work"
        self.cache = self.root / "cache"

    def step(self, script: str, *, files: dict[str, str] | None = None, **settings: Any) -> StepSpec:
        """A step that runs `script`; `files` are further files of its source folder."""
        source = self.root / f"source-{time.monotonic_ns()}"
        for name, content in {"main.py": script, **(files or {})}.items():
            path = source / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(content), encoding="utf-8")
        defaults: dict[str, Any] = {
            "store": self.address,
            "workspace": "default",
            "experiment": "tests",
            "run_id": "run-1",
            "step_id": "step-1",
            "step_name": "train",
            "attempt": "1",
            "snapshot": store_snapshot(self.store, collect(source), source),
            "script_name": "main.py",
        }
        return StepSpec(**{**defaults, **settings})

    def runner(self, spec: StepSpec) -> StepRunner:
        """A runner whose lines are collected in `lines`."""
        return StepRunner(
            spec, on_line=lambda *line: self.lines.append(line), work_root=self.work, cache_dir=self.cache
        )

    def run(self, spec: StepSpec) -> StepOutcome:
        """Run a step to its end."""
        return self.runner(spec).run()

    def stream(self, name: str) -> list[str]:
        """The collected lines of one stream."""
        return [line for stream, line in self.lines if stream == name]

    def artifact(self, name: str) -> str:
        """The text of an artifact of the step."""
        with self.store.open_artifact("run-1", "step-1", "1", name) as file:
            return file.read().decode()

    def artifacts(self) -> list[str]:
        """Names of the artifacts of the step."""
        return self.store.list_artifacts("run-1", "step-1", "1")

    def put(self, path: str, content: str) -> None:
        """Put a file on the datastore."""
        target = self.data / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content, encoding="utf-8")

    def visible(self) -> list[str]:
        """All files on the datastore that a listing shows."""
        return [info.path for info in self.store.datastore("data").list()]

    def everything(self) -> list[str]:
        """All files and folders on the datastore's disk, hidden ones too."""
        return sorted(path.relative_to(self.data).as_posix() for path in self.data.rglob("*"))


def an_input(name: str, *paths: str, **settings: Any) -> StagedInput:
    """An input from paths on the datastore `data`."""
    locations = tuple(DataLocation(datastore="data", path=path) for path in paths)
    return StagedInput(**{"name": name, "paths": locations, "digest": "d" * 64, **settings})


def an_output(name: str, path: str | None = None, **settings: Any) -> StagedOutput:
    """An output to a path on the datastore `data`."""
    return StagedOutput(**{"name": name, "datastore": "data", "path": path or f"results/{name}", **settings})


def literal(*values: Any) -> tuple[LiteralValue, ...]:
    """Literal arguments."""
    return tuple(LiteralValue(value=value) for value in values)


def input_path(name: str) -> InputPath:
    """The argument that stands for an input."""
    return InputPath(port=name)


def output_path(name: str) -> OutputPath:
    """The argument that stands for an output."""
    return OutputPath(port=name)


def wait_for(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Wait until a condition holds; its value."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {condition}")


def is_alive(pid: int) -> bool:
    """True if a process runs; a zombie does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def read_pids(folder: Path, *names: str) -> list[int]:
    """Process ids that a script has written to files, once all are there."""

    def read() -> list[int] | None:
        texts = [path.read_text() if path.exists() else "" for path in (folder / name for name in names)]
        return [int(text) for text in texts] if all(text.endswith("\n") for text in texts) else None

    return wait_for(read)  # type: ignore[no-any-return]


def other_pythons() -> dict[str, str]:
    """Interpreters of other minor versions (3.8 or later) that can be found, by version."""
    candidates = [shutil.which(f"python3.{minor}") for minor in range(8, 16)]
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    candidates += [str(path) for path in sorted(versions.glob("3.*/bin/python"))]
    found: dict[str, str] = {}
    for candidate in filter(None, candidates):
        question = [candidate, "-I", "-S", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        answer = subprocess.run(question, capture_output=True, text=True, check=False)
        if answer.returncode == 0 and int(answer.stdout.split(".")[1]) >= 8:
            found.setdefault(answer.stdout.strip(), candidate)
    found.pop(f"{sys.version_info.major}.{sys.version_info.minor}", None)
    return found


def a_pid_file(path: Path, expression: str) -> str:
    """A statement for a script: write a process id for `read_pids`."""
    return f'open({str(path)!r}, "w").write("%d\\n" % {expression})'
