"""Runs a graph in this process like `in_process`, but publishes outputs as the runner does: staged, synced, moved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from airloom.execution.spec import make_spec
from airloom.graph.model import Definition, PipelineGraph, Step
from airloom.graph.results import OutputRef
from airloom.runner.outputs import OutputStager
from airloom.storage.content_cache import ContentCache
from tests.support.in_process import DATASTORE, InProcessRun, Script, Workbench

Hook = Callable[[str], None]
"""Called with the id of a step at one moment of its attempt. It may do anything, raising included."""


def nothing(step_id: str) -> None:
    """The hook that does nothing."""


class PublishingRun(InProcessRun):
    """One run whose outputs go through the runner's OutputStager.

    `started` is called before a step's script reads, `written` when its outputs are complete but not published, and
    `published` when they are published but not recorded.
    """

    def __init__(
        self,
        bench: Workbench,
        graph: PipelineGraph,
        scripts: Mapping[str, Script],
        *,
        started: Hook = nothing,
        written: Hook = nothing,
        published: Hook = nothing,
        **options: Any,
    ) -> None:
        super().__init__(bench, graph, scripts, **options)
        self._hooks = (started, written, published)
        self._definition = Definition(
            workspace=bench.storage.workspace,
            experiment=self.info.experiment,
            store=f"file://{bench.store}",
            default_datastore=DATASTORE,
            graph=graph,
        )

    def _compute(self, step: Step, attempt: str) -> dict[str, OutputRef]:
        started, written, published = self._hooks
        self.executed.append(step.id)
        started(step.id)
        spec = make_spec(step, self._definition, self.info, attempt, self.results)
        storage, root = self._bench.storage, self._bench.root
        cache = ContentCache(root / "content", storage.cache)
        stager = OutputStager(storage, cache, spec, root / "outputs", root / "work", lambda line: None)
        try:
            outputs = [stager.prepare(output) for output in spec.outputs]
            text = self._scripts[step.id]({port.name: self._read(step, port.name) for port in step.inputs})
            for output in outputs:
                write_output(output.path, text)
            written(step.id)
            references = stager.publish(outputs)
            published(step.id)
            return references
        finally:
            stager.discard()

    def _read(self, step: Step, port_name: str) -> str:
        return read_output(self._bench.data / self._location(step, port_name))


def write_output(path: Path, text: str) -> None:
    """Write a text as a script would: into one file, or over two files of an output folder that has been made."""
    if path.is_dir():
        half = len(text) // 2
        (path / "deep").mkdir()
        (path / "1.txt").write_text(text[:half])
        (path / "deep" / "2.txt").write_text(text[half:])
    else:
        path.write_text(text)


def read_output(path: Path) -> str:
    """What `write_output` has written, or the text of a plain file."""
    if path.is_dir():
        return "".join(file.read_text() for file in sorted(path.rglob("*")) if file.is_file())
    return path.read_text()
