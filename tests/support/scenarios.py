"""What is interrupted by crashes and by losses of power: sequences of writes, and what may be seen after each of them.

`prepare` makes the state before, `act` does the work and is safe to be done again, `check` looks at what is left after
an interruption and fails unless it is allowed. With `finished`, `act` had returned, so its result must be there;
`acknowledged` operations of it had returned, where a scenario says so of each.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar, Protocol

from airloom.graph.canonical import digest_bytes
from airloom.graph.model import Definition, OutputPort, PipelineGraph
from airloom.reuse.leases import LeaseStore, Owner
from airloom.reuse.records import Record
from airloom.storage.datastore_config import LocalConfig
from airloom.storage.definitions import SHARDS, DefinitionStore
from airloom.storage.durable import is_private
from airloom.storage.envelope import unseal
from airloom.storage.local import LocalStore
from airloom.storage.local_datastore import LocalDatastore
from airloom.storage.snapshot import collect, store_snapshot
from airloom.storage.stat_cache import null_cache
from airloom.storage.tree import scan_tree
from airloom.storage.workspace import WorkspaceStore
from tests.support.builders import a_graph, a_step
from tests.support.hand_over_scenario import HandOver
from tests.support.in_process import DATASTORE, Workbench
from tests.support.power_loss import DONE
from tests.support.publishing import PublishingRun, read_output

Files = dict[str, bytes]
Operation = Callable[[Path], object]


class Scenario(Protocol):
    """See the module."""

    def prepare(self, root: Path) -> None: ...

    def act(self, root: Path) -> None: ...

    def check(self, root: Path, *, finished: bool, acknowledged: int = 0) -> None: ...


def visible(root: Path) -> Files:
    """All files below a folder that a reader can see, with their bytes."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not any(map(is_private, path.relative_to(root).parts))
    }


def acknowledge() -> None:
    """Say, in a way that shows among the calls, that an operation has returned."""
    Path(DONE).unlink(missing_ok=True)


class Atomic:
    """Operations of which each is done or not done: after an interruption one of the states between them is seen.

    Each is durable when it returns, so no operation can be seen without those before it.
    """

    def __init__(self, before: list[Operation], operations: list[Operation]) -> None:
        self._before = before
        self._operations = operations
        self.states: list[Files] = []

    def prepare(self, root: Path) -> None:
        """Make the state before, and note the states on the way by going it in a copy."""
        seen = root / "seen"
        seen.mkdir(parents=True)
        for operation in self._before:
            operation(seen)
        rehearsal = root.with_name("rehearsal")
        shutil.copytree(seen, rehearsal)
        self.states = [visible(rehearsal)]
        for operation in self._operations:
            operation(rehearsal)
            self.states.append(visible(rehearsal))
        shutil.rmtree(rehearsal)

    def act(self, root: Path) -> None:
        for operation in self._operations:
            operation(root / "seen")
            acknowledge()

    def check(self, root: Path, *, finished: bool, acknowledged: int = 0) -> None:
        found = visible(root / "seen")
        assert found in (self.states[-1:] if finished else self.states[acknowledged:]), sorted(found)


# --- the object store and datastores ----------------------------------------------------------------------------


def _put(key: str, data: bytes) -> Operation:
    return lambda root: LocalStore(root).put(key, data)


def _objects() -> list[Operation]:
    return [
        _put("new/folder/of/a", b"1" * 10_000),
        _put("old", b"2" * 10_000),
        lambda root: LocalStore(root).put_if_absent("once/a", b"3"),
        lambda root: LocalStore(root).put_if_absent("once/a", b"not this"),
        lambda root: LocalStore(root).update("index", lambda old: b"4"),
        lambda root: LocalStore(root).put_file("new/b", Path(__file__)),
        lambda root: LocalStore(root).delete("gone"),
    ]


def datastore(root: Path) -> LocalDatastore:
    return LocalDatastore(LocalConfig(name="data", root=str(root)), null_cache())


def _write(path: str, data: bytes, *, overwrite: bool = True) -> Operation:
    return lambda root: datastore(root).write(path, io.BytesIO(data), overwrite=overwrite)


def _publish(path: str, files: dict[str, bytes]) -> Operation:
    """Publish files; the name "" stands for a single file and not a folder."""

    def publish(root: Path) -> None:
        staged = root / f".airloom-staging-test/{path.replace('/', '-')}"
        shutil.rmtree(staged.parent, ignore_errors=True)
        for name, data in files.items():
            file = staged / name if name else staged
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        datastore(root).publish(staged, path, overwrite=True)

    return publish


def _delete(path: str) -> Operation:
    return lambda root: datastore(root).delete(path)


OLD = {"1": b"old 1", "deep/2": b"old 2", "deep/3": b"old 3"}
NEW = {"1": b"new 1!", "deep/4": b"new 4" * 2000}
SCENARIOS: dict[str, Scenario] = {
    "objects": Atomic([_put("old", b"old"), _put("index", b"old"), _put("gone", b"old")], _objects()),
    "files": Atomic(
        [_write("old", b"old"), _write("gone", b"old")],
        [
            _write("new/folder/a", b"1" * 10_000),
            _write("old", b"2" * 10_000),
            _publish("old", {"": b"3"}),
            _delete("gone"),
        ],
    ),
    "folders": Atomic(
        [_publish("runs/old", OLD), _publish("runs/gone", OLD), _publish("file", {"": b"old"})],
        [
            _publish("runs/new", NEW),
            _publish("runs/old", NEW),
            _publish("runs/old", OLD),
            _delete("runs/gone"),
            _publish("file", NEW),
            _publish("file", {"": b"new"}),
        ],
    ),
}


# --- definitions, snapshots, leases -----------------------------------------------------------------------------


class Definitions:
    """A second definition is stored; what is listed can be read, and the first stays."""

    names = ("first", "second")

    def prepare(self, root: Path) -> None:
        DefinitionStore(LocalStore(root)).put(self._definition(self.names[0]))

    def act(self, root: Path) -> None:
        DefinitionStore(LocalStore(root)).put(self._definition(self.names[1]))

    def check(self, root: Path, *, finished: bool, acknowledged: int = 0) -> None:
        definitions = DefinitionStore(LocalStore(root))
        listed = [digest for shard in range(SHARDS) for digest in definitions.shard(shard)]
        found = {definitions.get(digest).experiment for digest in listed}
        assert found in ([set(self.names)] if finished else [set(self.names[:1]), set(self.names)])

    def _definition(self, name: str) -> Definition:
        graph = a_graph(a_step("train"))
        return Definition(workspace="default", experiment=name, store="file:///s", default_datastore="d", graph=graph)


class Snapshots:
    """A source folder is stored by several threads; a manifest that is there has all its files."""

    files: ClassVar = {"main.py": b"main" * 3000, "lib/a.py": b"a", "lib/b.py": b"b"}

    def prepare(self, root: Path) -> None:
        for name, data in self.files.items():
            path = root / "source" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

    def act(self, root: Path) -> None:
        store_snapshot(self._store(root), collect(root / "source", cache=null_cache()), root / "source")

    def check(self, root: Path, *, finished: bool, acknowledged: int = 0) -> None:
        store = self._store(root)
        for key in store.store.list(store.key("blobs", "")):
            assert digest_bytes(store.store.get(key)) == key.rpartition("/")[2]
        manifests = list(store.store.list(store.key("snapshots", "")))
        assert manifests or not finished
        for key in manifests:
            manifest = store.snapshot(key.rpartition("/")[2].removesuffix(".json"))
            assert [entry.path for entry in manifest.entries] == sorted(self.files)
            assert store.missing_blobs(entry.digest for entry in manifest.entries) == []

    def _store(self, root: Path) -> WorkspaceStore:
        return WorkspaceStore(LocalStore(root / "store"), "lab", null_cache())


class Leases:
    """A lease is taken and given up. Whoever died with it holds nobody off."""

    def prepare(self, root: Path) -> None:
        LocalStore(root).put("reuse/other", b"")

    def act(self, root: Path) -> None:
        leases = LeaseStore(LocalStore(root), "reuse")
        owner = Owner.of_this_process("run", "step", "1")
        lease = leases.acquire("key", owner)
        assert lease is not None
        assert leases.renew("key", owner)
        leases.release("key", owner)

    def check(self, root: Path, *, finished: bool, acknowledged: int = 0) -> None:
        store = LocalStore(root)
        assert LeaseStore(store, "reuse").holder("key") is None
        assert store.exists("reuse/leases/key") is False or not finished


# --- steps ------------------------------------------------------------------------------------------------------

_PORTS = (OutputPort(name="file"), OutputPort(name="folder", is_directory=True))


class Steps:
    """Two steps run and are recorded, and then the whole pipeline is. A record that is seen has whole outputs."""

    texts: ClassVar = {"prepare": "the table of Raw", "train": "the model of the table of Rawthe table of Raw"}

    def prepare(self, root: Path) -> None:
        bench = Workbench(root)
        bench.write("raw.txt", "Raw")
        bench.storage.store.put("prepared", b"")

    def act(self, root: Path) -> None:
        for _ in range(2):
            self._run(root)

    def check(self, root: Path, *, finished: bool, acknowledged: int = 0) -> None:
        bench = Workbench(root)
        records = {record.step_name: record for record in recorded(bench)}
        for record in records.values():
            for output in record.outputs.values():
                assert scan_tree(bench.data / output.path, null_cache()).digest == output.digest
        for path in published(bench):
            assert read_output(path) == self.texts[path.parts[-3]]
        assert set(records) == set(self.texts) or not finished
        again = self._run(root)
        assert again.executed == [step for step in self.texts if step not in records]

    def _run(self, root: Path) -> PublishingRun:
        bench = Workbench(root)
        run = PublishingRun(
            bench,
            self._graph(),
            {
                "prepare": lambda texts: "the table of " + texts["raw"],
                "train": lambda texts: "the model of " + "".join(texts.values()),
            },
        )
        run.plan_and_execute()
        for step, text in self.texts.items():
            for output in run.results[step].outputs.values():
                assert read_output(bench.data / output.path) == text
        return run

    def _graph(self) -> PipelineGraph:
        return a_graph(
            a_step("prepare", reads=["raw"], outputs=_PORTS),
            a_step("train", reads=["prepare.file", "prepare.folder"], outputs=_PORTS),
            sources={"raw": f"{DATASTORE}/raw.txt"},
        )


class Refresh:
    """A step refreshes an output folder at a place of the author's choice: the old one or the new one is there."""

    old, new = "the old model, trained long ago", "the new one"

    def prepare(self, root: Path) -> None:
        self._run(root, self.old)

    def act(self, root: Path) -> None:
        self._run(root, self.new, reuse="refresh")

    def check(self, root: Path, *, finished: bool, acknowledged: int = 0) -> None:
        bench = Workbench(root)
        found = read_output(bench.data / "models" / "best")
        assert found == self.new or (found == self.old and not finished)
        assert len(list(recorded(bench))) == 1
        again = self._run(root, found)
        assert again.executed in ([[]] if finished else [[], ["train"]])
        (output,) = again.results["train"].outputs.values()
        assert read_output(bench.data / output.path) == found
        assert scan_tree(bench.data / output.path, null_cache()).digest == output.digest

    def _run(self, root: Path, text: str, **options: str) -> PublishingRun:
        port = OutputPort(name="best", is_directory=True, destination="models/{output-name}")
        run = PublishingRun(
            Workbench(root), a_graph(a_step("train", outputs=(port,))), {"train": lambda texts: text}, **options
        )
        run.plan_and_execute()
        return run


def recorded(bench: Workbench) -> Iterator[Record]:
    """All records of steps. Fails if one is not whole."""
    store = bench.storage.store
    for key in store.list(bench.storage.key("reuse", "records", "")):
        yield Record.model_validate(unseal(store.get(key), key))


def published(bench: Workbench) -> list[Path]:
    """All outputs that can be seen at places that Airloom chose, azureml/RUN/STEP/ATTEMPT/OUTPUT."""
    found = (bench.data / "azureml").glob("*/*/*/*")
    return sorted(path for path in found if not any(map(is_private, path.parts)))


SCENARIOS |= {
    "definitions": Definitions(),
    "snapshots": Snapshots(),
    "leases": Leases(),
    "steps": Steps(),
    "refresh": Refresh(),
    "hand-over": HandOver(),
}
