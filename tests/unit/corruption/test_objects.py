"""Every kind of object in the store is damaged in every way; none is ever believed with another content.

The outcome must be a refusal (a miss, or an error that names the object and the mend), or exactly what was stored.
Only damage that leaves the content of an object equal, such as a line feed after it, may go unnoticed.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from airloom.errors import IntegrityError, NotFound
from airloom.execution.stop import UNKNOWN_STEP, RunStop
from airloom.graph.model import Definition, PipelineGraph
from airloom.graph.recurrence import Recurrence
from airloom.reuse.decide import look_up
from airloom.reuse.leases import Owner
from airloom.reuse.records import Record
from airloom.storage.datastore_config import LocalConfig
from airloom.storage.definitions import DefinitionStore, shard_of
from airloom.storage.schedules import ClockTrigger, ScheduleDocument, ScheduledPipeline, ScheduleStore
from airloom.storage.snapshot import collect, materialize, store_snapshot
from tests.support.builders import a_graph, a_step
from tests.support.in_process import DATASTORE, InProcessRun, Workbench
from tests.unit.corruption.damage import Damage, damages, mend

log = logging.getLogger(__name__)

REFUSED = "refused"


@dataclass(frozen=True)
class Target:
    """A stored object: its file, whole objects of the same kind, and what reading it gives.

    `gone` is what reading gives if there is no object; one that is `made_anew` is always right after it was read.
    """

    path: Path
    others: list[bytes]
    read: Callable[[], object]
    gone: object = REFUSED
    made_anew: bool = False


def object_path(bench: Workbench, *parts: str) -> Path:
    path = bench.storage.store.local_path(bench.storage.key(*parts))
    assert path is not None
    return path


def chain() -> PipelineGraph:
    steps = (a_step("clean", reads=["raw"]), a_step("train", reads=["clean.out"]))
    return a_graph(*steps, sources={"raw": f"{DATASTORE}/raw.txt"})


@pytest.fixture
def run(bench: Workbench) -> InProcessRun:
    bench.write("raw.txt", "some data")
    run = bench.run(chain(), {"clean": lambda texts: "cleaned", "train": lambda texts: "a model"})
    assert bench.run(chain(), {}).executed == []  # leaves a record of the whole pipeline
    return run


def a_record(bench: Workbench, run: InProcessRun) -> Target:
    keys = {step: run.results[step].key or "" for step in ("clean", "train")}
    path, other = (object_path(bench, "reuse", "records", key[:2], f"{key}.json") for key in keys.values())
    step = chain().step("clean")
    key = bench.workspace.key_of(step, chain(), {}, {})

    def read() -> object:
        found = look_up(bench.workspace, step, key)
        return found if isinstance(found, Record) else REFUSED

    return Target(path, [other.read_bytes()], read)


def a_pipeline_record(bench: Workbench, run: InProcessRun) -> Target:
    path = next(object_path(bench, "reuse", "pipelines").rglob("*.json"))
    another = a_graph(chain().step("clean"), sources={"raw": f"{DATASTORE}/raw.txt"})
    bench.run(another, {})
    other = next(file for file in object_path(bench, "reuse", "pipelines").rglob("*.json") if file != path)

    def read() -> object:
        return bench.workspace.records.find_pipeline(path.stem, bench.workspace.digest_of) or REFUSED

    return Target(path, [other.read_bytes()], read)


def a_history_entry(bench: Workbench, run: InProcessRun) -> Target:
    names = {file.parent.name: file for file in object_path(bench, "reuse", "history").rglob("*.json")}
    mine = next(bench.workspace.records.history("clean", ""))
    path = next(file for file in names.values() if file.name.endswith(f"{mine.key[:16]}.json"))
    others = [file.read_bytes() for file in names.values() if file != path]
    return Target(path, others, lambda: list(bench.workspace.records.history("clean", "")) or REFUSED)


def a_lease(bench: Workbench, run: InProcessRun) -> Target:
    leases = bench.workspace.leases
    for key in ("a", "b"):
        leases.acquire(key, Owner.of_this_process(f"run-{key}", "train", "1").model_copy(update={"host": "elsewhere"}))
    other = object_path(bench, "reuse", "leases", "b").read_bytes()
    return Target(object_path(bench, "reuse", "leases", "a"), [other], lambda: leases.holder("a") or REFUSED)


def a_stop_mark(bench: Workbench, run: InProcessRun) -> Target:
    marks = [
        RunStop(bench.storage, replace(run.info, run_id=run_id), enabled=True)
        for run_id in (run.info.run_id, "another-run")
    ]
    for mark in marks:
        mark.announce("clean")
    path, other = (
        next(object_path(bench, "runs", run_id).glob("stopped-*")) for run_id in (run.info.run_id, "another-run")
    )

    def read() -> object:
        """A damaged mark still stops the run."""
        return REFUSED if marks[0].announced_by() == UNKNOWN_STEP else marks[0].announced_by()

    return Target(path, [other.read_bytes()], read, gone=None)


def a_datastore_config(bench: Workbench, run: InProcessRun) -> Target:
    bench.storage.put_datastore(LocalConfig(name="other", root="/srv/other"))
    other = object_path(bench, "datastores", "other.json").read_bytes()
    path = object_path(bench, "datastores", f"{DATASTORE}.json")
    return Target(path, [other], lambda: bench.storage.datastore(DATASTORE).config)


def a_snapshot(bench: Workbench, name: str) -> tuple[str, Path]:
    source = bench.data.parent / name
    (source / "lib").mkdir(parents=True)
    (source / "main.py").write_text(f"print({name!r})\n")
    (source / "lib" / "tools.py").write_text("")
    digest = store_snapshot(bench.storage, collect(source, cache=bench.storage.cache), source)
    return digest, source


def a_manifest(bench: Workbench, run: InProcessRun) -> Target:
    (mine, _), (other, _) = a_snapshot(bench, "one"), a_snapshot(bench, "two")
    path, other_path = (object_path(bench, "snapshots", f"{digest}.json") for digest in (mine, other))
    return Target(path, [other_path.read_bytes()], lambda: bench.storage.snapshot(mine))


def a_blob(bench: Workbench, run: InProcessRun) -> Target:
    (mine, source), (other, _) = a_snapshot(bench, "one"), a_snapshot(bench, "two")
    digests = [bench.workspace.files_of(digest)["main.py"] for digest in (mine, other)]
    path, other_path = (object_path(bench, "blobs", digest[:2], digest) for digest in digests)
    target = source.with_name("laid-out")

    def read() -> object:
        shutil.rmtree(target, ignore_errors=True)
        try:
            materialize(bench.storage, mine, target)
        except IntegrityError:
            assert not target.exists(), "nothing of a damaged snapshot is laid out"
            raise
        return (target / "main.py").read_bytes()

    return Target(path, [other_path.read_bytes()], read)


def definitions_of_two_shards(bench: Workbench) -> tuple[DefinitionStore, tuple[str, str]]:
    definitions = DefinitionStore(bench.storage.store)
    made = [
        Definition(workspace="lab", experiment=f"e{number}", store="file:///s", default_datastore="d", graph=chain())
        for number in range(8)
    ]
    first, *others = map(definitions.put, made)
    return definitions, (first, next(digest for digest in others if shard_of(digest) != shard_of(first)))


def a_definition(bench: Workbench, run: InProcessRun) -> Target:
    definitions, (mine, other) = definitions_of_two_shards(bench)
    folder = bench.data.parent / "store" / "definitions"
    return Target(folder / f"{mine}.json", [(folder / f"{other}.json").read_bytes()], lambda: definitions.get(mine))


def a_shard_index(bench: Workbench, run: InProcessRun) -> Target:
    definitions, (mine, other) = definitions_of_two_shards(bench)
    folder = bench.data.parent / "store" / "index"
    path, other_path = (folder / f"{shard_of(digest):02x}.json" for digest in (mine, other))
    return Target(path, [other_path.read_bytes()], lambda: definitions.shard(shard_of(mine)), made_anew=True)


def a_schedule(bench: Workbench, run: InProcessRun) -> Target:
    schedules = ScheduleStore(bench.storage.store)
    now = datetime(2026, 7, 1, tzinfo=UTC)
    clock = ClockTrigger(recurrence=Recurrence(frequency="Day"), anchor=now, at_once=True, since=now)
    for number in (1, 2):
        document = ScheduleDocument(
            id=f"{number:08}-1111-4222-8333-444444444444",
            dag_id=f"s.{number:08}11114222",
            workspace="lab",
            name="s",
            status="Active",
            pipeline=ScheduledPipeline(id="p", dag_id="p.0123456789abcdef"),
            experiment="e",
            clock=clock,
        )
        schedules.put(document)
    folder = bench.data.parent / "store" / "schedules"
    mine, other = sorted(folder.iterdir())
    return Target(mine, [other.read_bytes()], lambda: schedules.get(mine.stem))


KINDS = {
    "reuse record": a_record,
    "pipeline record": a_pipeline_record,
    "history entry": a_history_entry,
    "lease": a_lease,
    "stop mark": a_stop_mark,
    "datastore configuration": a_datastore_config,
    "snapshot manifest": a_manifest,
    "snapshot blob": a_blob,
    "definition": a_definition,
    "shard index": a_shard_index,
    "schedule": a_schedule,
}


def is_equal_json(intact: bytes, data: bytes | None) -> bool:
    """True for damage that changes no value: a line feed at the end, or a digit beyond the precision of a number."""
    return data is not None and bool(json.loads(data) == json.loads(intact))


def reaction(target: Target, damage: Damage) -> object:
    """What reading gives; an error must name the object at fault and say what to do."""
    try:
        return target.read()
    except (IntegrityError, NotFound) as error:
        assert error.target, damage.kind
        assert error.hint or damage.leaves_nothing, damage.kind
        return REFUSED


@pytest.mark.thorough
@pytest.mark.parametrize("kind", KINDS)
def test_damage_is_always_seen(
    bench: Workbench, run: InProcessRun, positions: Callable[[int], list[int]], kind: str
) -> None:
    target = KINDS[kind](bench, run)
    intact = target.path.read_bytes()
    good = target.read()
    assert good not in (REFUSED, target.gone)
    seen, equal = 0, []
    for damage in damages(intact, positions(len(intact)), target.others):
        damage.do_to(target.path)
        found = reaction(target, damage)
        if found == good and not target.made_anew:
            assert is_equal_json(intact, damage.data), f"{damage.kind}: it was not seen"
            equal.append(damage.kind)
        elif target.made_anew:
            assert found == good, damage.kind
            assert damage.folder or is_equal_json(intact, target.path.read_bytes()), damage.kind
            seen += 1
        else:
            assert found == (target.gone if damage.leaves_nothing else REFUSED), f"{damage.kind}: {found} was believed"
            seen += 1
        mend(target.path, intact)
    assert target.read() == good
    log.info("%s: %d damages, all seen but %s, which leave it equal", kind, seen + len(equal), equal)
    assert seen > 100
