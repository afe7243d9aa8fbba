"""The files of dags/ in a place of their own, with scripts that the tests may edit."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from airloom.core import Workspace
from examples.automobile.pipeline import upload_data
from tests.support.airflow_api import AirflowApi
from tests.support.server import RunningServer

ROOT = Path(__file__).parents[3]
STEPS = ("prepare", "train_ridge", "train_forest", "compare")


@pytest.fixture(scope="module")
def airflow(airloom_server: RunningServer) -> Iterator[AirflowApi]:
    with AirflowApi(airloom_server) as api:
        yield api


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, airloom_server: RunningServer) -> Path:
    """A copy of dags/ and the example, as no other test has it: nothing of it has ever run. The data is uploaded."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(ROOT / "dags", folder / "dags", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "examples" / "automobile", folder / "examples" / "automobile")
    for step in STEPS:
        script = script_of(folder, step)
        script.write_text(f"# {uuid.uuid4()}\n{script.read_text()}")
    upload_data(Workspace.from_config(str(airloom_server.home / "config.json")))
    return folder


def script_of(project: Path, step: str) -> Path:
    return project / "examples" / "automobile" / step / f"{step}.py"
