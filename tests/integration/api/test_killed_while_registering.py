"""A server that is killed between any two of its writes leaves a datastore with its secrets, or neither."""

from __future__ import annotations

from typing import Any

import pytest

from airloom.client import Client
from tests.integration.api.server import ApiServer
from tests.integration.api.test_killed_while_publishing import Do, do, until_it_lives

__all__ = ["do"]

pytestmark = pytest.mark.timeout(900)

FIELDS = {"host": "db.example.com", "port": 5432, "database": "sales"}
CREDENTIALS = {"username": "me", "password": "first-secret"}


def asked(workspace: str, name: str, **more: Any) -> dict[str, Any]:
    place = {"type": "azure_postgre_sql", "fields": FIELDS, "credentials": CREDENTIALS}
    return {"workspace": workspace, "name": name, **place, **more}


class Found:
    """What there is of the datastores of a workspace: rows, connections, and files for the workers."""

    def __init__(self, server: ApiServer, admin: Client, workspace: str) -> None:
        self.rows = {store["name"]: store for store in admin.list_datastores(workspace)}
        listed = server.http("admin").get(f"{server.url}/api/v2/connections?limit=1000").json()["connections"]
        own = [each for each in listed if each["connection_id"].startswith(f"{workspace}.")]
        self.connections = {each["connection_id"].removeprefix(f"{workspace}."): each for each in own}
        self.files = {file.stem for file in (server.store / "workspaces" / workspace / "datastores").glob("*.json")}

    @property
    def with_secrets(self) -> set[str]:
        """The datastores whose rows say that there are secrets."""
        return {name for name, row in self.rows.items() if row["connection"]}


def test_a_datastore_has_its_secrets_or_is_not_there(server: ApiServer, admin: Client, workspace: str, do: Do) -> None:
    deaths = until_it_lives(do, "register", lambda number: asked(workspace, f"d{number}"))
    found = Found(server, admin, workspace)
    assert deaths >= 4
    assert found.with_secrets == set(found.connections)
    assert f"d{deaths + 1}" in found.with_secrets
    assert set(found.rows) <= found.files


def test_one_that_is_replaced_has_the_old_secrets_or_the_new(
    server: ApiServer, admin: Client, workspace: str, do: Do
) -> None:
    assert do("register", **asked(workspace, "d")) == 0

    def again(number: int) -> dict[str, Any]:
        changed = {"credentials": {"username": f"user-{number}", "password": "other"}, "description": f"user-{number}"}
        return asked(workspace, "d", overwrite=True, **changed)

    states = []
    for number in range(1, 30):
        code = do("register", number, **again(number))
        found = Found(server, admin, workspace)
        states.append((found.rows["d"]["description"], found.connections["d"]["login"]))
        if code == 0:
            break
    assert states[-1] == (f"user-{len(states)}",) * 2 and len(states) >= 4
    assert {state for state in states[:-1] if state[0] != state[1]} <= {("", "me")}


def test_one_that_is_unregistered_goes_with_its_secrets(
    server: ApiServer, admin: Client, workspace: str, do: Do
) -> None:
    names = [f"d{number}" for number in range(1, 12)]
    for name in names:
        assert do("register", **asked(workspace, name)) == 0
    deaths = until_it_lives(do, "unregister", lambda number: {"workspace": workspace, "name": f"d{number}"})
    found = Found(server, admin, workspace)
    assert deaths >= 3
    assert found.with_secrets == set(found.connections)
    assert f"d{deaths + 1}" not in found.rows and f"d{deaths + 1}" not in found.files
    assert set(found.rows) <= found.files
