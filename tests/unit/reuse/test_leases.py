"""One live run computes a key; the others wait for its record. A dead owner holds nobody off."""

from __future__ import annotations

import dataclasses
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airloom.errors import StoreUnavailable
from airloom.execution import Busy
from airloom.graph.results import Reason
from airloom.reuse import leases as leases_module
from airloom.reuse.leases import LEASE_SECONDS, LeaseStore, Owner
from airloom.storage.envelope import seal, unseal
from airloom.storage.local import LocalStore
from airloom.storage.object_store import ObjectStore
from tests.support.builders import a_graph, a_step
from tests.support.in_process import DATASTORE, InProcessRun, Workbench


@pytest.fixture
def store(any_store: ObjectStore) -> ObjectStore:
    return any_store


@pytest.fixture
def leases(store: ObjectStore) -> LeaseStore:
    return LeaseStore(store, "reuse")


def an_owner(run_id: str = "run-1") -> Owner:
    return Owner.of_this_process(run_id, "train", "1-a")


def test_a_held_lease_is_refused_to_others_until_released(leases: LeaseStore) -> None:
    lease = leases.acquire("k", an_owner())
    assert lease is not None
    with lease:
        assert leases.holder("k") == an_owner()
        assert leases.acquire("k", an_owner("run-2")) is None
    assert leases.holder("k") is None
    assert leases.acquire("k", an_owner("run-2")) is not None


def test_the_lease_of_a_dead_process_is_void_at_once(leases: LeaseStore) -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    owner = an_owner().model_copy(update={"pid": process.pid, "started": _start_time(process.pid)})
    assert leases.acquire("k", owner) is not None
    assert leases.acquire("k", an_owner("run-2")) is None
    process.kill()
    process.wait()
    assert leases.holder("k") is None
    assert leases.acquire("k", an_owner("run-2")) is not None


def _start_time(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


def test_a_lease_of_another_host_runs_out(leases: LeaseStore, store: ObjectStore) -> None:
    elsewhere = an_owner().model_copy(update={"host": "elsewhere"})
    assert leases.acquire("k", elsewhere) is not None
    assert leases.acquire("k", an_owner("run-2")) is None
    lease = unseal(store.get("reuse/leases/k"), "The lease")
    assert LEASE_SECONDS / 2 < lease["expires_at"] - time.time() <= LEASE_SECONDS
    store.put("reuse/leases/k", seal({**lease, "expires_at": time.time() - 1}))
    assert leases.acquire("k", an_owner("run-2")) is not None


def test_a_lease_that_ran_out_and_went_to_another_is_not_released(leases: LeaseStore, store: ObjectStore) -> None:
    """Also when it goes to the other at the last moment: after its owner has looked, before he deletes it."""
    assert leases.acquire("k", an_owner()) is not None
    lease = unseal(store.get("reuse/leases/k"), "The lease")
    store.put("reuse/leases/k", seal({**lease, "expires_at": time.time() - 1}))
    late = LeaseStore(TakenOverWhileRead(store, leases), "reuse")
    late.release("k", an_owner())
    assert leases.holder("k") == an_owner("run-2")


class TakenOverWhileRead:
    """A store in which somebody else takes the lease between two requests of a slow process."""

    def __init__(self, store: ObjectStore, leases: LeaseStore) -> None:
        self._store, self._leases = store, leases

    def get(self, key: str) -> bytes:
        data = self._store.get(key)
        assert self._leases.acquire("k", an_owner("run-2")) is not None
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


@pytest.mark.parametrize("damage", [b"", b"{", b'{"owner": 1}', seal({"owner": 1})])
def test_an_unreadable_lease_holds_nobody_off(leases: LeaseStore, store: ObjectStore, damage: bytes) -> None:
    store.put("reuse/leases/k", damage)
    assert leases.holder("k") is None
    assert leases.acquire("k", an_owner()) is not None


def test_a_lease_in_the_place_of_another_holds_nobody_off(leases: LeaseStore, store: ObjectStore) -> None:
    assert leases.acquire("k", an_owner()) is not None
    store.put("reuse/leases/other", store.get("reuse/leases/k"))
    assert leases.holder("other") is None
    assert leases.acquire("other", an_owner("run-2")) is not None


# --- owners ---------------------------------------------------------------------------------------------------------


def test_an_owner_is_this_process() -> None:
    owner = Owner.of_this_process("run-1", "train", "1-a")
    assert (owner.run_id, owner.step_id, owner.attempt) == ("run-1", "train", "1-a")
    assert (owner.host, owner.pid) == (socket.gethostname(), os.getpid())
    assert owner.started == _start_time(os.getpid())
    assert not owner.is_dead()


@pytest.mark.parametrize(
    ("changes", "dead"),
    [
        ({"pid": 2**22 + 1}, True),
        ({"started": "0"}, True),
        ({"pid": 2**22 + 1, "started": ""}, False),  # where nothing tells when a process has begun
        ({"pid": 2**22 + 1, "host": "elsewhere"}, False),
    ],
)
def test_an_owner_is_dead_if_its_process_on_this_host_is_gone(changes: dict[str, Any], dead: bool) -> None:
    """A process that has got the same number since is not taken for it."""
    assert an_owner().model_copy(update=changes).is_dead() is dead


# --- renewing -------------------------------------------------------------------------------------------------------


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> LocalStore:
    """A store for leases that are renewed at once."""
    monkeypatch.setattr(leases_module, "RENEW_SECONDS", 0.01)
    return LocalStore(tmp_path / "hasty")


def test_a_held_lease_is_renewed_until_it_is_released(hasty: LocalStore) -> None:
    def expires() -> float:
        return float(unseal(hasty.get("reuse/leases/k"), "The lease")["expires_at"])

    lease = LeaseStore(hasty, "reuse").acquire("k", an_owner())
    assert lease is not None
    before = expires()
    with lease:
        eventually(lambda: expires() > before)
        thread = next(thread for thread in threading.enumerate() if thread.name == "lease-k")
        assert thread.daemon
    assert not thread.is_alive()
    assert not hasty.exists("reuse/leases/k")


def test_a_lease_that_was_lost_is_no_longer_renewed(hasty: LocalStore, caplog: pytest.LogCaptureFixture) -> None:
    leases = LeaseStore(hasty, "reuse")
    lease = leases.acquire("k", an_owner())
    assert lease is not None
    with lease:
        hasty.delete("reuse/leases/k")
        while leases.acquire("k", an_owner("run-2")) is None:
            hasty.delete("reuse/leases/k")
        eventually(lambda: not any(thread.name == "lease-k" for thread in threading.enumerate()))
    assert leases.holder("k") == an_owner("run-2")
    assert caplog.messages == ["The lease of key k was lost; another run may compute it as well."]


@pytest.mark.parametrize("error", [StoreUnavailable("It is away."), OSError(5, "Input/output error")])
def test_a_store_that_is_away_for_a_while_costs_no_lease(
    hasty: LocalStore, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    away = Away(hasty, error)
    lease = LeaseStore(away, "reuse").acquire("k", an_owner())
    assert lease is not None
    with lease:
        away.left = 2
        eventually(lambda: away.left < 0)
    assert caplog.messages == [f"Renewing the lease of key k failed, will try again: {error}"] * 2


class Away:
    """A store that fails so many times."""

    def __init__(self, store: LocalStore, error: Exception) -> None:
        self._store, self._error = store, error
        self.left = 0

    def update(self, key: str, change: Callable[[bytes | None], bytes]) -> None:
        self.left -= 1
        if self.left >= 0:
            raise self._error
        self._store.update(key, change)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def test_a_run_waits_for_the_live_run_that_computes_the_same_step(bench: Workbench) -> None:
    bench.write("raw.txt", "data")
    graph = a_graph(a_step("train", reads=["raw"]), sources={"raw": f"{DATASTORE}/raw.txt"})
    step = graph.step("train")
    other = InProcessRun(bench, graph, {"train": lambda texts: "model"})

    def train(texts: dict[str, str]) -> str:
        with pytest.raises(Busy, match=f"Run {first.info.run_id} is computing the same step"):
            other.execute(step)
        return "model"

    first = InProcessRun(bench, graph, {"train": train})
    first.plan_and_execute()
    other.plan_and_execute()
    assert other.executed == []

    late = InProcessRun(bench, graph, {})
    late.info = dataclasses.replace(late.info, started_at="2000-01-01")
    result = late.execute(step)
    assert result.explanation is not None
    assert result.explanation.reason == Reason.SHARED


def test_the_plan_waits_when_all_that_could_start_is_being_computed(bench: Workbench) -> None:
    bench.write("raw.txt", "data")
    graph = a_graph(a_step("train", reads=["raw"]), sources={"raw": f"{DATASTORE}/raw.txt"})
    seen: list[bool] = []

    def train(texts: dict[str, str]) -> str:
        other = InProcessRun(bench, graph, {"train": lambda texts: "model"})
        other.make_plan()
        seen.append(other.plan.must_wait)
        return "model"

    bench.run(graph, {"train": train})
    assert seen == [True]


def test_the_loser_of_a_race_discards_its_work_and_takes_the_winners(bench: Workbench) -> None:
    """Both compute, as after a lost lease: the record is put if absent, so one result counts for both."""
    bench.write("raw.txt", "data")
    graph = a_graph(a_step("train", reads=["raw"]), sources={"raw": f"{DATASTORE}/raw.txt"})
    winner = InProcessRun(bench, graph, {"train": lambda texts: "the winner's model"})

    def train(texts: dict[str, str]) -> str:
        for lease in bench.storage.store.list(bench.storage.key("reuse", "leases")):
            bench.storage.store.delete(lease)
        winner.plan_and_execute()
        return "the loser's model"

    loser = bench.run(graph, {"train": train})
    assert winner.executed == loser.executed == ["train"]
    assert loser.results["train"].outputs == winner.results["train"].outputs
    assert loser.results["train"].status == "reused"
    assert list((bench.data / "azureml" / loser.info.run_id).rglob("out")) == []
