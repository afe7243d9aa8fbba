"""One server with a SQLite database for all integration tests that do not need one of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airloom.core import Workspace
from tests.support.server import RunningServer, running_server

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What lies here starts real processes, whether it says so or not."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.integration)


@pytest.fixture(scope="session")
def airloom_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("airloom") / "home") as server:
        yield server


@pytest.fixture
def ws(airloom_server: RunningServer) -> Workspace:
    return airloom_server.workspace()
