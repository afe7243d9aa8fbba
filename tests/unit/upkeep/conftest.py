from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.upkeep.deployment import Deployment

MEMORY = "/dev/shm"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder in memory where there is such a place: what is synced thousands of times is tested elsewhere."""
    memory = MEMORY if os.access(MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="airloom-upkeep-", dir=memory) as name:
        yield Path(name)


@pytest.fixture
def deployment(folder: Path) -> Deployment:
    return Deployment(folder / "deployment")
