"""Fixtures of the runner's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airloom.storage.stat_cache import shared_cache
from tests.unit.runner.support import Host


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """A store, a datastore and folders of this test's own."""
    monkeypatch.setenv("AIRLOOM_CACHE_DIR", str(tmp_path / "user-cache"))
    shared_cache.cache_clear()
    yield Host(tmp_path)
    shared_cache.cache_clear()
