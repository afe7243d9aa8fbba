"""Eight processes that create the same thing at once, on each database: it comes into being once, and whole.

Whoever comes second is told so, by the one error that is documented, or gets what is there if that is what he asked.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from airloom.client import Client
from airloom.storage.object_store import open_store
from airloom.storage.workspace import WorkspaceStore
from tests.integration.api.bench import WORKSPACE, Bench
from tests.integration.api.server import ApiServer
from tests.integration.api.test_workspaces import airflow_pool
from tests.support.azurite import Azurite

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(1800)]

WRITERS = 8
Rounds = Callable[[int, int], int]
Race = Callable[..., list[tuple[str, ...]]]


@pytest.fixture(scope="module")
def race(server: ApiServer) -> Iterator[Race]:
    """Runs a role of racing_processes; gives for each round what came of it in each process.

    Keyword arguments are variables of the environment, beside those of the server.
    """
    helper = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "tests.integration.api.racing_processes", str(WRITERS)],
        env=server.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert helper.stdin is not None and helper.stdout is not None
    into, out = helper.stdin, helper.stdout

    def run(role: str, *arguments: Any, **environment: str) -> list[tuple[str, ...]]:
        into.write(json.dumps([role, arguments, environment]) + "\n")
        into.flush()
        line = next(line for line in out if line.startswith("answer "))
        answer = json.loads(line.removeprefix("answer "))
        assert "error" not in answer, answer["error"]
        return list(zip(*answer["outcomes"], strict=True))

    yield run
    helper.communicate()


def new_names(count: int) -> list[str]:
    return [f"n{uuid4().hex[:12]}" for _ in range(count)]


def once(outcomes: tuple[str, ...]) -> bool:
    """True if one process made it and all others were told that it exists."""
    return outcomes.count("AlreadyExists") == WRITERS - 1 and sum(each.startswith("made") for each in outcomes) == 1


def the_same(outcomes: tuple[str, ...]) -> bool:
    """True if all processes got the one that there is."""
    return len(set(outcomes)) == 1 and outcomes[0].startswith("made")


def test_a_workspace_is_created_once_and_whole(race: Race, admin: Client, server: ApiServer, rounds: Rounds) -> None:
    names = new_names(rounds(4, 200))
    assert [round_of for round_of in race("create_workspaces", names, False) if not once(round_of)] == []
    listed = [workspace["name"] for workspace in admin.list_workspaces()]
    for name in names:
        assert listed.count(name) == 1
        registered = {store["name"] for store in admin.list_datastores(name)}
        configured = {path.stem for path in (server.store / "workspaces" / name / "datastores").iterdir()}
        assert registered == configured == {"workspaceblobstore", "workspacefilestore"}


@pytest.mark.azurite
def test_a_workspace_is_created_once_in_a_container(
    race: Race, admin: Client, azurite: Azurite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rounds: Rounds
) -> None:
    names = new_names(rounds(2, 25))
    credentials = {"AZURE_STORAGE_CONNECTION_STRING": azurite.connection_string}
    address = azurite.new_store()
    places = {"AIRFLOW__AIRLOOM__STORE": address, "AIRFLOW__AIRLOOM__DATA_ROOT": str(tmp_path)}
    told = race("create_workspaces", names, False, **credentials, **places)
    assert [round_of for round_of in told if not once(round_of)] == []
    monkeypatch.setenv(*credentials.popitem())
    for name in names:
        configured = WorkspaceStore(open_store(address), name).datastores()
        assert {store["name"]: store["root"] for store in admin.list_datastores(name)} == {
            datastore: config.root for datastore, config in configured.items()
        }
        assert configured["workspaceblobstore"].root == str(tmp_path / name / "workspaceblobstore")


def test_all_who_may_share_a_workspace_get_the_same(race: Race, admin: Client, rounds: Rounds) -> None:
    names = new_names(rounds(4, 200))
    assert [round_of for round_of in race("create_workspaces", names, True) if not the_same(round_of)] == []
    assert all(len(admin.list_datastores(name)) == 2 for name in names)


def test_a_datastore_is_registered_once(race: Race, admin: Client, workspace: str, rounds: Rounds) -> None:
    names = new_names(rounds(4, 200))
    assert [round_of for round_of in race("register_datastores", workspace, names) if not once(round_of)] == []
    registered = {store["name"]: store["connection"] for store in admin.list_datastores(workspace)}
    assert {name: registered[name] for name in names} == {name: f"{workspace}.{name}" for name in names}


@pytest.mark.parametrize("exist_ok", [False, True])
def test_a_compute_target_is_created_once_with_its_pool(
    race: Race, admin: Client, server: ApiServer, workspace: str, rounds: Rounds, exist_ok: bool
) -> None:
    names = new_names(rounds(4, 200))
    expected = the_same if exist_ok else once
    told = race("create_computes", workspace, names, exist_ok)
    assert [round_of for round_of in told if not expected(round_of)] == []
    for name in names:
        compute = admin.get_compute(workspace, name)
        pool = airflow_pool(server, f"{workspace}.{name}")
        assert pool is not None
        assert pool["slots"] == compute["provisioning"]["max_nodes"]


def test_no_change_of_a_compute_target_is_lost(
    race: Race, admin: Client, server: ApiServer, workspace: str, rounds: Rounds
) -> None:
    count = rounds(8, 80)
    admin.create_compute(workspace, {"name": "cpu", "provisioning": {"max_nodes": 100}})
    race("resize_compute", workspace, "cpu", count)
    sizes = admin.get_compute(workspace, "cpu")["provisioning"]
    assert (sizes["min_nodes"], sizes["max_nodes"]) == (count, 100 + count)
    pool = airflow_pool(server, f"{workspace}.cpu")
    assert pool is not None
    assert pool["slots"] == 100 + count


def test_an_experiment_comes_into_being_once(race: Race, admin: Client, workspace: str, rounds: Rounds) -> None:
    names = new_names(rounds(4, 200))
    assert [round_of for round_of in race("ensure_experiments", workspace, names) if not the_same(round_of)] == []
    assert sorted(each["name"] for each in admin.list_experiments(workspace)) == sorted(names)


def test_runs_that_are_the_first_of_their_experiment_are_all_registered(
    race: Race, bench: Bench, rounds: Rounds
) -> None:
    names = new_names(rounds(2, 25))
    told = race("register_runs", WORKSPACE, names, bench.dag_id)
    for name, round_of in zip(names, told, strict=True):
        runs = bench.client.list_runs(WORKSPACE, experiment=name)
        assert sorted(run["id"] for run in runs) == sorted(outcome.removeprefix("made ") for outcome in round_of)
        assert {run["status"] for run in runs} <= {"NotStarted", "Queued"}, "Airflow has each of them"


def test_a_run_is_registered_once_with_that_of_airflow(race: Race, bench: Bench, rounds: Rounds) -> None:
    run_ids = [str(uuid4()) for _ in range(rounds(2, 25))]
    told = race("register_same_run", WORKSPACE, run_ids, bench.dag_id)
    assert [round_of for round_of in told if not once(round_of)] == []
    assert all(bench.run(run_id)["status"] in ("NotStarted", "Queued") for run_id in run_ids)
