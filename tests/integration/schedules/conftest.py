"""A server of these tests' own, with two schedulers, which PostgreSQL allows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.schedules.desk import Desk
from tests.support.postgres import PostgresServer
from tests.support.server import running_server


@pytest.fixture(scope="package")
def desk(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Iterator[Desk]:
    home = tmp_path_factory.mktemp("schedules") / "home"
    database = postgres_server.address(postgres_server.new_database())
    with running_server(home, "--database", database, "--schedulers", "2") as server:
        desk = Desk(server)
        yield desk
        desk.http.close()
