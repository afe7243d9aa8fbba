"""The pipeline of these tests: six real scripts, a chain and two branches that meet, and a journal of what they did.

Every script writes a line to the journal when it starts and when it is done, with its process id. The journal lies
outside of everything that Airloom manages, so it tells what really ran, whatever the records say.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airloom.core import Experiment, RunConfiguration, Workspace
from airloom.pipeline.core import Pipeline, PipelineData, PipelineRun
from airloom.pipeline.steps import PythonScriptStep

FILE = "text.txt"
SCRIPT = f"""\
import os, pathlib, sys, time

name, seconds, journal, out, *inputs = sys.argv[1:]


def note(event):
    line = f"{{event}} {{name}} {{os.getpid()}} {{time.time():.3f}}\\n"
    file = os.open(journal, os.O_WRONLY | os.O_APPEND)
    os.write(file, line.encode())
    os.close(file)


for line in open(journal):
    event, step, pid, _ = line.split()
    if (event, step) == ("start", name) and os.path.exists("/proc/" + pid):
        note("overlap")
note("start")
place = pathlib.Path(out)
(place / "half.txt").write_text("not finished")
(place / {FILE!r}).write_text("wrong until the end")
time.sleep(float(seconds))
text = ",".join(pathlib.Path(each, {FILE!r}).read_text() for each in inputs)
(place / {FILE!r}).write_text(f"{{name}}({{text}})")
(place / "half.txt").unlink()
note("end")
"""

# step -> (what it reads, how long it takes): the longest way through takes 5 s.
STEPS: dict[str, tuple[tuple[str, ...], float]] = {
    "a": ((), 1.0),
    "b": (("a",), 2.0),
    "c": (("b",), 1.0),
    "p": (("a",), 2.5),
    "q": (("a",), 1.0),
    "d": (("c", "p", "q"), 1.0),
}


@dataclass(frozen=True)
class Entry:
    """A line of the journal: a script that began (`start`) or was done (`end`), or found an earlier one (`overlap`)."""

    event: str
    step: str
    pid: int
    at: float


@dataclass(frozen=True)
class Scene:
    """One pipeline that no other test has, so all its steps run at its first run."""

    folder: Path
    mark: str = field(default_factory=lambda: uuid.uuid4().hex[:8])

    def __post_init__(self) -> None:
        self.source.mkdir(parents=True, exist_ok=True)
        (self.source / "step.py").write_text(f"# {self.mark}\n{SCRIPT}")
        self.journal_file.touch()

    @property
    def source(self) -> Path:
        """The source folder of all steps."""
        return self.folder / self.mark / "source"

    @property
    def journal_file(self) -> Path:
        """Where the scripts write what they do."""
        return self.folder / self.mark / "journal.txt"

    @property
    def experiment(self) -> str:
        """The experiment of all runs of this scene, and of no others."""
        return f"chaos_{self.mark}"

    def step_name(self, step: str) -> str:
        """The name of a step, which no other test's step has."""
        return f"{step}_{self.mark}"

    def pipeline(self, ws: Workspace) -> Pipeline:
        """The pipeline, for the client of a workspace."""
        outputs: dict[str, Any] = {}
        steps = []
        for name, (reads, seconds) in STEPS.items():
            outputs[name] = PipelineData(f"out_{name}", datastore=ws.get_default_datastore(), is_directory=True)
            inputs = [outputs[each] for each in reads]
            arguments = [name, seconds, str(self.journal_file), outputs[name], *inputs]
            steps.append(
                PythonScriptStep(
                    name=self.step_name(name),
                    script_name="step.py",
                    source_directory=str(self.source),
                    arguments=arguments,
                    inputs=inputs,
                    outputs=[outputs[name]],
                    runconfig=RunConfiguration(),
                )
            )
        return Pipeline(ws, steps=steps)

    def submit(self, ws: Workspace) -> PipelineRun:
        """Start a run."""
        return Experiment(ws, self.experiment).submit(self.pipeline(ws))

    def journal(self, event: str | None = None, step: str | None = None) -> list[Entry]:
        """What happened so far, in order."""
        lines = [line.split() for line in self.journal_file.read_text().splitlines()]
        entries = [Entry(event, step, int(pid), float(at)) for event, step, pid, at in lines]
        return [entry for entry in entries if event in (None, entry.event) and step in (None, entry.step)]

    def wait_for_start(self, step: str, seconds: float = 120) -> Entry:
        """The newest start of a step, once it has started."""
        eventually(lambda: self.journal("start", step), f"the start of step {step}", seconds)
        return self.journal("start", step)[-1]


def expected_text(step: str) -> str:
    """What the output of a step must hold."""
    return f"{step}({','.join(expected_text(each) for each in STEPS[step][0])})"


def eventually(condition: Callable[[], object], what: str, seconds: float = 180) -> None:
    """Return once the condition is true; `what` is named if it does not come true."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:.0f} s for {what}")
        time.sleep(0.05)
