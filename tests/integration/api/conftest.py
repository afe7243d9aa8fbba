"""One server for all tests of the API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast
from uuid import uuid4

import pytest

from airloom.client import Client
from tests.integration.api.bench import Bench, set_up
from tests.integration.api.server import ApiServer
from tests.support.postgres import PostgresServer


@pytest.fixture(scope="session")
def sqlite_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """A running server on SQLite, for what does not depend on the database."""
    home = tmp_path_factory.mktemp("airflow")
    yield from run(ApiServer(home, f"sqlite:///{home / 'airflow.db'}"))


@pytest.fixture(scope="session")
def server_on_postgres(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer
) -> Iterator[ApiServer]:
    """A running server on PostgreSQL."""
    address = postgres_server.address(postgres_server.new_database(), "postgresql+psycopg2")
    yield from run(ApiServer(tmp_path_factory.mktemp("airflow"), address))


@pytest.fixture(scope="session", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def server(request: pytest.FixtureRequest) -> ApiServer:
    """A running server on each database; a test that changes something makes a workspace of its own."""
    name = "sqlite_server" if request.param == "sqlite" else "server_on_postgres"
    return cast(ApiServer, request.getfixturevalue(name))


def run(server: ApiServer) -> Iterator[ApiServer]:
    """The server while it is needed."""
    try:
        server.prepare()
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def admin(server: ApiServer) -> Client:
    """A client that may do everything."""
    return server.client("admin")


@pytest.fixture(scope="session")
def bench(server: ApiServer) -> Bench:
    """A workspace with one pipeline, whose runs a test moves on."""
    return set_up(server)


@pytest.fixture
def workspace(admin: Client) -> str:
    """The name of a new workspace."""
    name = f"ws-{uuid4().hex[:12]}"
    admin.create_workspace({"name": name})
    return name
