from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.upkeep.deployment import Deployment, FarDeployment

MEMORY = "/dev/shm"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder in memory where there is such a place: what is synced thousands of times is tested elsewhere."""
    memory = MEMORY if os.access(MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="airloom-upkeep-", dir=memory) as name:
        yield Path(name)


@pytest.fixture
def near(folder: Path) -> Deployment:
    """A deployment whose datastore is a folder of this machine."""
    return Deployment(folder / "deployment")


@pytest.fixture
def far(folder: Path) -> FarDeployment:
    """A deployment whose datastore is remote."""
    return FarDeployment(folder / "deployment")


@pytest.fixture
def deployment(near: Deployment) -> Deployment:
    """The usual one. Modules of which each test holds for both have a fixture of this name of their own."""
    return near


@pytest.fixture(params=["near", "far"])
def each_deployment(request: pytest.FixtureRequest) -> Deployment:
    """One of each kind."""
    made: Deployment = request.getfixturevalue(request.param)
    return made
