"""The runs that the tests look at, made once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from airloom.core import Workspace
from airloom.pipeline.core import PipelineRun
from tests.support.browser import browser
from tests.support.server import RunningServer
from tests.support.small_pipeline import SmallPipeline

__all__ = ["browser"]

HOSTILE = "<script>window.hacked = 1</script>"


@dataclass(frozen=True)
class Runs:
    """A first run, and a second one whose training step has a new argument, which happens to be HTML."""

    first: PipelineRun
    second: PipelineRun

    @property
    def dag_id(self) -> str:
        """The DAG of the second run."""
        return self.second.get_portal_url().split("/dags/")[1].split("/")[0]


@pytest.fixture(scope="session")
def runs(airloom_server: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    ws: Workspace = airloom_server.workspace()
    pipeline = SmallPipeline(ws, tmp_path_factory.mktemp("pages"), description=HOSTILE)
    pipeline.prepare()
    first = pipeline.run()
    script = pipeline.script("train")
    script.write_text(script.read_text() + "# edited\n")
    return Runs(first, pipeline.run(train={"more_arguments": [HOSTILE]}))


@pytest.fixture(scope="session")
def token(airloom_server: RunningServer) -> str:
    """What a signed-in user has."""
    password = json.loads((airloom_server.home / "airflow" / "passwords.json").read_text())["admin"]
    body = {"username": "admin", "password": password}
    answer = httpx.post(f"{airloom_server.url}/auth/token", json=body, timeout=60)
    return str(answer.raise_for_status().json()["access_token"])


@pytest.fixture(scope="session")
def web(airloom_server: RunningServer, token: str) -> Iterator[httpx.Client]:
    """A signed-in person's browser as far as HTTP goes: a cookie, and a wish for HTML."""
    headers = {"accept": "text/html", "cookie": f"_token={token}"}
    with httpx.Client(base_url=airloom_server.url, headers=headers, timeout=60) as client:
        yield client


@pytest.fixture(scope="session")
def stranger(airloom_server: RunningServer) -> Iterator[httpx.Client]:
    """The same of a person who is not signed in."""
    with httpx.Client(base_url=airloom_server.url, headers={"accept": "text/html"}, timeout=60) as client:
        yield client
