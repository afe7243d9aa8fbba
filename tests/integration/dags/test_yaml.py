"""dags/automobile.yml by `airloom submit`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airloom.core import Workspace
from airloom.pipeline.core import PipelineRun
from tests.integration.dags.conftest import STEPS, script_of
from tests.support.server import RunningServer
from tests.support.small_pipeline import executed

pytestmark = pytest.mark.integration


def test_it_runs_and_then_only_what_has_changed(airloom_server: RunningServer, ws: Workspace, project: Path) -> None:
    def submit() -> set[str]:
        told = airloom_server.cli("submit", str(project / "dags" / "automobile.yml"), "--wait", "--json")
        run = json.loads(told.stdout)
        assert (run["status"], run["experiment"]) == ("Finished", "automobile")
        return executed(PipelineRun.get(ws, run["id"]))

    assert submit() == set(STEPS)
    assert submit() == set()
    script = script_of(project, "train_ridge")
    script.write_text(script.read_text().replace("ALPHA = 1.0", "ALPHA = 25.0"))
    assert submit() == {"train_ridge", "compare"}
