"""Recorded outputs are damaged in every way; the plan never hands one out.

One plan decides about a pipeline of thousands of steps, each with an output of its own that has a damage of its own.
The time of change of every damaged file is set back to what it was: whoever looks at size and time sees nothing.
"""

from __future__ import annotations

import json
import logging
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from airloom.graph.model import OutputPort, PipelineGraph, Step
from airloom.graph.results import Origin, OutputRef, Reason
from airloom.reuse.plan import Decision, make_plan
from airloom.reuse.records import Record
from tests.support.builders import a_step
from tests.support.in_process import DATASTORE, Workbench
from tests.unit.corruption.damage import spread
from tests.unit.corruption.outputs import HARMLESS, SHAPES, Change, changes, write

log = logging.getLogger(__name__)


class Outputs:
    """A pipeline of steps without inputs, each of which has a record and an output of its own."""

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self._steps: list[Step] = []
        self._records: list[Record] = []
        self.changes: dict[str, tuple[str, Change]] = {}

    def add(self, what: str, files: dict[str, bytes], change: Change) -> None:
        """Make a step whose recorded output holds these files."""
        number = len(self._steps)
        step = a_step(f"s{number}", writes=()).model_copy(
            update={"outputs": (OutputPort(name="out"),), "version": str(number)}
        )
        path = f"outputs/{number}/out"
        write(files, self._bench.data / path)
        tree = self._bench.storage.datastore(DATASTORE).scan(path)
        output = OutputRef(
            datastore=DATASTORE, path=path, digest=tree.digest, size=tree.total_size, is_file=tree.is_file
        )
        key = self._bench.workspace.key_of(step, self.graph, {}, {})
        origin = Origin(run_id="first", step_id=step.id, attempt="1")
        self._records.append(
            Record(
                key=key.key,
                parts=key.parts,
                outputs={"out": output},
                origin=origin,
                step_name=step.id,
                created_at="2026",
            )
        )
        self._bench.workspace.records.add(self._records[-1])
        self._steps.append(step)
        self.changes[step.id] = (what, change)

    @property
    def graph(self) -> PipelineGraph:
        return PipelineGraph(steps=tuple(self._steps))

    def plan(self) -> dict[str, Decision]:
        """What the plan of a run decides about each step."""
        return make_plan(self.graph, self._bench.workspace, run_id="now", parameters={}, reuse="auto").decisions

    def path(self, step_id: str) -> Path:
        return self._bench.data / "outputs" / step_id.removeprefix("s") / "out"

    def records_left(self) -> set[str]:
        """The steps whose records are still in the store."""
        return {
            record.step_name
            for record in self._records
            if self._bench.storage.store.exists(
                self._bench.storage.key("reuse", "records", record.key[:2], f"{record.key}.json")
            )
        }


@pytest.mark.thorough
@pytest.mark.parametrize("settled", [False, True], ids=["at once", "digests remembered"])
def test_a_damaged_output_is_never_handed_out(
    bench: Workbench, rounds: Callable[[int, int], int], settled: bool
) -> None:
    """`settled`: the digests of all outputs are in the cache, and all changes are too old to be read for their age."""
    outputs = Outputs(bench)
    for shape, files in SHAPES.items():
        for kind, change in changes(files, lambda size: spread(size, rounds(12, size))):
            outputs.add(f"{shape}, {kind}", files, change)
    damaged = set(outputs.changes)
    for shape, files in SHAPES.items():
        for kind, change in HARMLESS.items():
            outputs.add(f"{shape}, {kind}", files, change)
    if settled:
        time.sleep(2.1)
    assert {decision.action for decision in outputs.plan().values()} == {"reuse"}
    for step_id, (_, change) in outputs.changes.items():
        change(outputs.path(step_id))
    if settled:
        time.sleep(2.1)

    decisions = outputs.plan()
    believed = [outputs.changes[step_id][0] for step_id in damaged if decisions[step_id].action != "run"]
    log.info("%d of %d damaged outputs were seen", len(damaged) - len(believed), len(damaged))
    assert len(damaged) > 500
    assert believed == []
    assert {decisions[step_id].explanation.reason for step_id in damaged} == {Reason.OUTPUT_LOST}  # type: ignore[union-attr]
    intact = set(outputs.changes) - damaged
    assert {decisions[step_id].action for step_id in intact} == {"reuse"}
    assert outputs.records_left() == intact


def as_another_user(work: Callable[[], object]) -> object:
    """What `work` returns in a process without the rights of root, as JSON."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        if os.getuid() == 0:
            os.setgid(65534)
            os.setuid(65534)
        os.write(writing, json.dumps(work()).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return json.loads(text)


@pytest.mark.parametrize(
    ("what", "message", "kept"),
    [("out", "cannot be read: .*Permission denied", False), ("record", "The reuse record cannot be read", True)],
)
def test_what_may_not_be_read_is_a_miss(bench: Workbench, folder: Path, what: str, message: str, kept: bool) -> None:
    """A record that cannot be read may be good, and stays; the output that cannot be read makes its record useless."""
    outputs = Outputs(bench)
    outputs.add("file", SHAPES["file"], HARMLESS["nothing"])
    record = next((folder / "store").rglob("reuse/records/*/*.json"))
    closed = record if what == "record" else outputs.path("s0")
    for path in [folder, *folder.rglob("*")]:
        if os.getuid() == 0:
            os.chown(path, 65534, 65534)
    closed.chmod(0)
    explained = as_another_user(lambda: outputs.plan()["s0"].model_dump(mode="json"))
    assert isinstance(explained, dict)
    assert explained["action"] == "run"
    assert re.search(message, explained["message"])
    assert record.exists() == kept
