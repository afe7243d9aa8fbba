"""Airflow in this process, in a folder of its own: nothing of it may come from, or go to, the user's."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

import pytest

from airloom.graph.model import Definition

# Airflow reads these when it is first imported, which the test modules do.
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airloom-airflow-")
atexit.register(shutil.rmtree, os.environ["AIRFLOW_HOME"], ignore_errors=True)
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"


@pytest.fixture
def store(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of an empty deployment store, which Airflow's configuration names."""
    address = (tmp_path_factory.mktemp("store")).as_uri()
    monkeypatch.setenv("AIRFLOW__AIRLOOM__STORE", address)
    return address


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
