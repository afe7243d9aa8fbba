"""The server of these tests keeps everything in PostgreSQL; the tests themselves are those of the SQLite suite."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.postgres import PostgresServer
from tests.support.server import RunningServer, running_server

PASSWORD = "hush-hush-8-r"


@pytest.fixture(scope="package")
def database(postgres_server: PostgresServer) -> str:
    """The address of the server's database, as a user would write it, with a password that may appear nowhere."""
    return postgres_server.address(postgres_server.new_database()).replace("@", f":{PASSWORD}@")


@pytest.fixture(scope="package")
def airloom_server(tmp_path_factory: pytest.TempPathFactory, database: str) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("postgres") / "home", "--database", database) as server:
        yield server
