"""Store, records, planner and execution against a model (tests/support/reuse_model.py), in sequences that nobody wrote.

Hypothesis chooses what happens: edits and their reversal, damage to outputs and records, runs that crash, that race,
that wait, in all modes. After each run the same questions are asked. Did exactly the steps run that the model says?
Is each result the attempt that the model says? Do its bytes equal what running everything now would give?

Files count as settled after 30 ms here and not after two seconds, so that the digest cache is used within a test; the
clock of timestamps has ticks of at most 10 ms. A restart now and then loses the cache or keeps it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Hashable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from airloom.errors import NotFound
from airloom.execution import Busy
from airloom.graph.canonical import digest_value
from airloom.graph.model import OutputPort, ParameterDef, ParameterValue, PipelineGraph, PythonScriptSettings, Step
from airloom.graph.results import OutputRef
from airloom.reuse.records import Record
from airloom.storage import file_digests
from airloom.storage.envelope import seal, unseal
from airloom.storage.stat_cache import null_cache, shared_cache
from airloom.storage.tree import scan_tree
from tests.support.builders import a_graph, a_step
from tests.support.in_process import DATASTORE, InProcessRun, Script, Workbench
from tests.support.publishing import PublishingRun, nothing, read_output
from tests.support.reuse_model import SHAPES, USES_RATE, Attempt, Entry, Event, ModelRun, ReuseModel, Stopped, World

SETTLED_NS = 30_000_000
MEMORY = Path("/dev/shm")  # nothing here is about durability, so no run need wait for a disk to sync
FOLDERS = {"b", "d"}  # steps whose output is a folder

STEPS = st.sampled_from("abcd")
MODES = st.sampled_from(["auto", "auto", "auto", "off", "refresh"])
RAW = st.sampled_from(["Data 0", "dATA 0", "Data 1", "dAtA 1"])  # of one length
INDEX = st.integers(0, 30)
RUNS = st.sampled_from([True, True, False])  # does a run follow at once?
BYTES_DAMAGE = st.sampled_from(["flip", "truncate", "extend", "delete"])


class Crash(Exception):
    """Stands for the death of a process, after which nothing of it runs but what another process does."""


class Reuse(RuleBasedStateMachine):
    """The system beside its model."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="airloom-state-", dir=MEMORY if MEMORY.is_dir() else None))
        os.environ["AIRLOOM_CACHE_DIR"] = str(self.root / "cache")
        self.world = World()
        self.model = ReuseModel()
        self.attempts: list[Attempt] = []
        self.open()

    def open(self) -> None:
        shared_cache.cache_clear()
        self.bench = Workbench(self.root)

    def teardown(self) -> None:
        shutil.rmtree(self.root)

    @initialize(shape=st.sampled_from(sorted(SHAPES)))
    def choose_shape(self, shape: str) -> None:
        self.world.shape = shape
        self.bench.write("raw.txt", self.world.raw)
        self.compare("auto")

    # --- what an author does ----------------------------------------------------------------------------------

    @rule(step=STEPS, code=st.integers(0, 3), runs=RUNS)
    def edit_code(self, step: str, code: int, runs: bool) -> None:
        self.world.code[step] = code
        self.then(runs)

    @rule(step=STEPS, version=st.integers(0, 1), runs=RUNS)
    def change_version(self, step: str, version: int, runs: bool) -> None:
        self.world.version[step] = version
        self.then(runs)

    @rule(rate=st.integers(0, 2), runs=RUNS)
    def change_parameter(self, rate: int, runs: bool) -> None:
        self.world.rate = rate
        self.then(runs)

    @rule(steps=st.frozensets(STEPS, max_size=1))
    def refuse_reuse(self, steps: frozenset[str]) -> None:
        self.world.refuses = steps

    @rule(text=RAW, runs=RUNS)
    def change_input(self, text: str, runs: bool) -> None:
        """Equal length, and the old time of change put back."""
        self.world.raw = text
        path = self.bench.data / "raw.txt"
        before = path.stat()
        path.write_text(text)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        self.then(runs)

    def then(self, runs: bool) -> None:
        if runs:
            self.compare("auto")

    # --- runs -------------------------------------------------------------------------------------------------

    @rule(mode=MODES)
    def run(self, mode: str) -> None:
        self.compare(mode)

    @rule()
    def run_twice(self) -> None:
        """The second of two runs runs nothing, but for steps that refuse reuse."""
        self.compare("auto")
        again, _ = self.compare("auto")
        assert set(again.executed) <= self.world.refuses

    @rule(step=STEPS, mode=MODES, moment=st.sampled_from(["started", "written", "published"]))
    def crash(self, step: str, mode: str, moment: str) -> None:
        """A run dies while a step runs: nothing of the step may be seen afterwards, but what came before counts."""

        def die(_: str) -> None:
            raise Crash

        self.compare(mode, step, **{moment: die}, model_ends=stop)

    @rule(step=STEPS)
    def wait_for_a_live_run(self, step: str) -> None:
        """While a run computes a step, another comes to the same step: it gets there, and is told to wait."""

        def other(_: str) -> None:
            with pytest.raises(Busy):
                self.real_run("auto").plan_and_execute()

        def model_other(_: str) -> None:
            with pytest.raises(Stopped):
                self.model.run(self.world, "auto", ModelRun(), _only(step, stop), nothing)

        if step not in self.world.refuses:
            self.compare("auto", step, started=other, model_starts=model_other)

    @rule(step=STEPS, mode=MODES)
    def lose_the_lease(self, step: str, mode: str) -> None:
        """A run is taken for dead, and another computes its step meanwhile: the first record counts for both."""

        def other(_: str) -> None:
            self.void_all_leases()
            second.plan_and_execute()

        second = self.real_run("auto")
        model_second = ModelRun()

        def model_other(_: str) -> None:
            self.model.run(self.world, "auto", model_second, nothing, nothing)

        self.compare(mode, step, started=other, model_starts=model_other)
        self.same(second, model_second)

    @rule(step=STEPS, mode=MODES, text=RAW)
    def change_input_while_it_is_read(self, step: str, mode: str, text: str) -> None:
        """The script has read the old bytes; nobody may find its outputs under either key."""

        def change(_: str) -> None:
            self.world.raw = text

        self.compare(
            mode, step, written=lambda _: self.bench.write("raw.txt", text), model_ends=change, compare_truth=False
        )

    @rule(forget=st.booleans())
    def restart(self, forget: bool) -> None:
        """A new process: nothing is left but the disk, with or without the cache of digests."""
        if forget:
            shutil.rmtree(self.root / "cache", ignore_errors=True)
        self.open()

    # --- damage -----------------------------------------------------------------------------------------------

    def intact(self) -> list[Attempt]:
        return [attempt for attempt in self.attempts if attempt.intact]

    @precondition(lambda self: self.intact())
    @rule(
        index=INDEX,
        how=st.sampled_from(["flip", "truncate", "extend", "delete", "more files", "delete all"]),
        runs=RUNS,
    )
    def damage_output(self, index: int, how: str, runs: bool) -> None:
        attempt = self.intact()[index % len(self.intact())]
        path = self.bench.data / attempt.real.outputs["out"].path
        if how == "more files" and path.is_dir():
            (path / "more").write_text("")
        elif how == "delete all":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        else:
            files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
            damage(files[index % len(files)], how)
        attempt.intact = False
        self.then(runs)

    @precondition(lambda self: self.model.records)
    @rule(index=INDEX, how=BYTES_DAMAGE, runs=RUNS)
    def damage_record(self, index: int, how: str, runs: bool) -> None:
        entry = _pick(self.model.records, index)
        damage(self.record_path(entry), how)
        entry.intact = False
        self.then(runs)

    @precondition(lambda self: self.model.pipelines)
    @rule(index=INDEX, how=BYTES_DAMAGE, runs=RUNS)
    def damage_pipeline_record(self, index: int, how: str, runs: bool) -> None:
        for path in self.files("pipelines"):
            damage(path, how)
        for entry in self.model.pipelines.values():
            entry.intact = False
        self.then(runs)

    @precondition(lambda self: self.model.records)
    @rule(one=INDEX, other=INDEX, runs=RUNS)
    def exchange_records(self, one: int, other: int, runs: bool) -> None:
        entries = _pick(self.model.records, one), _pick(self.model.records, other)
        first, second = (self.record_path(entry) for entry in entries)
        if first == second or not all(entry.believed() for entry in entries):
            return
        data = first.read_bytes(), second.read_bytes()
        second.write_bytes(data[0])
        first.write_bytes(data[1])
        for entry in entries:
            entry.intact = False
        self.then(runs)

    @rule()
    def delete_history(self) -> None:
        shutil.rmtree(self.root / "store" / self.bench.storage.key("reuse", "history"), ignore_errors=True)

    # --- the comparison ---------------------------------------------------------------------------------------

    def compare(
        self,
        mode: str,
        at: str | None = None,
        *,
        model_starts: Event = nothing,
        model_ends: Event = nothing,
        compare_truth: bool = True,
        **hooks: Event,
    ) -> tuple[InProcessRun, ModelRun]:
        """Run both; the hooks and model events happen while step `at` runs."""
        expected = ModelRun()
        run = self.real_run(mode, **{name: _only(at, hook) for name, hook in hooks.items()})
        crashed = stopped = False
        try:
            run.plan_and_execute()
        except Crash:
            crashed = True
        try:
            self.model.run(self.world, mode, expected, _only(at, model_starts), _only(at, model_ends))
        except Stopped:
            stopped = True
        assert crashed == stopped
        self.same(run, expected)
        if compare_truth and not crashed:
            truth = self.world.truth()
            assert {step: attempt.text for step, attempt in expected.results.items()} == {
                step: truth[step] for step in SHAPES[self.world.shape]
            }
        return run, expected

    def same(self, run: InProcessRun, expected: ModelRun) -> None:
        """The run did what the model says, and its results are the bytes of the attempts that the model says."""
        assert run.executed == expected.executed
        assert set(run.results) == set(expected.results)
        for step, attempt in expected.results.items():
            result = run.results[step]
            if attempt.real is None:
                attempt.real = result
                self.attempts.append(attempt)
            assert result.attempt == attempt.real.attempt
            assert result.outputs == attempt.real.outputs
            assert read_output(self.bench.data / result.outputs["out"].path) == attempt.text
            assert digest_now(self.bench, result.outputs["out"]) == result.outputs["out"].digest
            assert result.explanation is not None
            assert result.explanation.action == result.status

    def real_run(self, mode: Any, **hooks: Event) -> PublishingRun:
        scripts = {step: script_of(self.world, step) for step in SHAPES[self.world.shape]}
        graph = graph_of(self.world)
        return PublishingRun(self.bench, graph, scripts, reuse=mode, parameters={"rate": self.world.rate}, **hooks)

    @invariant()
    def a_visible_record_has_whole_outputs_or_is_refused(self) -> None:
        """Without the planner and without its cache: records that prove themselves name outputs that are whole."""
        damaged = {self.record_path(entry) for entry in self.model.records.values() if not entry.believed()}
        for path in self.files("records"):
            if path not in damaged:
                record = Record.model_validate(unseal(path.read_bytes(), path.name))
                assert {digest_now(self.bench, output) == output.digest for output in record.outputs.values()} == {True}

    def record_path(self, entry: Entry) -> Path:
        (attempt,) = entry.attempts.values()
        key = attempt.real.key
        return self.root / "store" / self.bench.storage.key("reuse", "records", key[:2], f"{key}.json")

    def files(self, kind: str) -> list[Path]:
        return sorted((self.root / "store" / self.bench.storage.key("reuse", kind)).rglob("*.json"))

    def void_all_leases(self) -> None:
        """Make all leases those of processes that have ended."""
        for path in (self.root / "store" / self.bench.storage.key("reuse", "leases")).glob("*"):
            lease = unseal(path.read_bytes(), path.name)
            lease["owner"]["started"] = "before the last boot"
            path.write_bytes(seal(lease))


def graph_of(world: World) -> PipelineGraph:
    """The pipeline that an author would submit now."""
    steps = [step_of(world, step) for step in SHAPES[world.shape]]
    rate = ParameterDef(name="rate", type="int", default=0)
    return a_graph(*steps, sources={"raw": f"{DATASTORE}/raw.txt"}, parameters=(rate,))


def step_of(world: World, name: str) -> Step:
    reads = [read if read == "raw" else f"{read}.out" for read in world.reads(name)]
    step = a_step(name, reads=reads, outputs=(OutputPort(name="out", is_directory=name in FOLDERS),))
    snapshot = digest_value([name, world.code[name]])
    changes: dict[str, Any] = {
        "settings": PythonScriptSettings(script_name="main.py", snapshot=snapshot),
        "version": str(world.version[name]),
        "allow_reuse": name not in world.refuses,
    }
    if name == USES_RATE:
        changes["arguments"] = (*step.arguments, ParameterValue(parameter="rate"))
    return step.model_copy(update=changes)


def script_of(world: World, name: str) -> Script:
    return lambda texts: world.script(name, {port.removesuffix("_out"): text for port, text in texts.items()})


def digest_now(bench: Workbench, output: OutputRef) -> str | None:
    """The digest of what lies there, read without any cache; None if there is nothing."""
    try:
        return scan_tree(bench.data / output.path, null_cache()).digest
    except NotFound:
        return None


def damage(path: Path, how: str) -> None:
    """Damage a file in a way that no second damage undoes."""
    data = path.read_bytes() if path.exists() else b""
    middle = len(data) // 2
    if how == "delete" or not data:
        path.unlink(missing_ok=True)
    elif how == "flip":
        path.write_bytes(data[:middle] + bytes([(data[middle] + 1) % 256]) + data[middle + 1 :])
    else:
        path.write_bytes(data[:middle] if how == "truncate" else data + b"x")


def stop(_: str) -> None:
    raise Stopped


def _only(step: str | None, event: Event) -> Event:
    """The event, for one step alone."""
    return lambda name: event(name) if name == step else None


def _pick(entries: dict[Hashable, Entry], index: int) -> Entry:
    return list(entries.values())[index % len(entries)]


@pytest.fixture(autouse=True)
def _quickly_settled(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(file_digests, "RACY_NS", SETTLED_NS)
    monkeypatch.setenv("AIRLOOM_CACHE_DIR", "")  # each machine sets its own; this puts the variable back at the end
    yield
    shared_cache.cache_clear()


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.timeout(3600)
def test_reuse_behaves_like_its_model(rounds: Callable[[int, int], int]) -> None:
    run_state_machine_as_test(
        Reuse,
        settings=settings(
            max_examples=rounds(20, 500),
            stateful_step_count=rounds(20, 50),
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
