"""One server for all chaos: it has to come back from everything, so every test finds it whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.chaos.scene import Scene
from tests.integration.chaos.stage import Stage, a_stage


@pytest.fixture(scope="package")
def whole_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with a_stage(tmp_path_factory.mktemp("chaos")) as stage:
        yield stage


@pytest.fixture
def stage(whole_stage: Stage) -> Stage:
    """The server, all of whose components are well."""
    whole_stage.wait_until_whole()
    return whole_stage


@pytest.fixture
def only_thorough(request: pytest.FixtureRequest) -> None:
    """For tests that take long and of which others, which always run, cover the greater part."""
    if not request.config.getoption("--thorough"):
        pytest.skip("takes long, and much of it is covered by the others here: run with --thorough")


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """A pipeline that has never run."""
    return Scene(tmp_path)
