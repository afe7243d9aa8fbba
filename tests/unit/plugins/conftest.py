"""A store that Airflow's configuration names, and definitions to be built."""

from __future__ import annotations

import pytest
from airflow import settings
from airflow.models.base import Base

from airloom.graph.model import Definition


@pytest.fixture
def store(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of an empty deployment store, which Airflow's configuration names."""
    address = (tmp_path_factory.mktemp("store")).as_uri()
    monkeypatch.setenv("AIRFLOW__AIRLOOM__STORE", address)
    return address


@pytest.fixture(scope="session")
def airflow_database() -> None:
    """Airflow's tables, empty, in the database of the session's Airflow home."""
    Base.metadata.create_all(settings.get_engine())


def a_definition(**changes: object) -> Definition:
    """A definition; what a test does not care about has a default."""
    fields: dict[str, object] = {
        "workspace": "default",
        "experiment": "cars",
        "store": "file:///store",
        "default_datastore": "workspaceblobstore",
        **changes,
    }
    return Definition.model_validate(fields)
