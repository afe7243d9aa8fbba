"""A server of these tests' own, whose OpenLineage provider writes to a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.airflow_api import AirflowApi
from tests.support.server import RunningServer, running_server


@pytest.fixture(scope="package")
def events_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lineage") / "events"


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory, events_file: Path) -> Iterator[RunningServer]:
    """A server of its own, whose OpenLineage provider writes to a file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__OPENLINEAGE__DISABLED", "False")
        patch.setenv("OPENLINEAGE__TRANSPORT__TYPE", "file")
        patch.setenv("OPENLINEAGE__TRANSPORT__LOG_FILE_PATH", str(events_file))
        patch.setenv("OPENLINEAGE__TRANSPORT__APPEND", "true")
        with running_server(tmp_path_factory.mktemp("airloom") / "home") as running:
            yield running


@pytest.fixture(scope="package")
def airflow(server: RunningServer) -> Iterator[AirflowApi]:
    with AirflowApi(server) as api:
        yield api
