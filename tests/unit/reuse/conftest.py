from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.in_process import Workbench


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workbench:
    monkeypatch.setenv("AIRLOOM_CACHE_DIR", str(tmp_path / "cache"))
    return Workbench(tmp_path)
