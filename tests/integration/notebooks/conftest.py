"""What the notebooks find around them: a configuration, scripts in a folder, and data on the default datastore."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import RunningServer

SOURCE = "sample_scripts"
SCRIPTS = {
    "train.py": "import sys\nprint('train', sys.argv[1:])\n",
    "extract.py": "import sys\nprint('extract', sys.argv[1:])\n",
    "compare.py": "import sys\nprint('compare', sys.argv[1:])\n",
    "train_with_datapath.py": (
        "import os, sys\n_, arg1, path = sys.argv[1], sys.argv[2], sys.argv[4]\nprint(arg1, sorted(os.listdir(path)))\n"
    ),
}


@pytest.fixture(autouse=True)
def notebook_folder(airloom_server: RunningServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with the scripts of the notebooks; AIRLOOM_HOME names the server, as for any user."""
    monkeypatch.setenv("AIRLOOM_HOME", str(airloom_server.home))
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / SOURCE
    folder.mkdir()
    for name, text in SCRIPTS.items():
        (folder / name).write_text(f"# {tmp_path}\n{text}")
    return tmp_path


def eventually(read: Callable[[], Sequence[Any]], seconds: float = 90) -> Sequence[Any]:
    """What is read as soon as it is not empty."""
    until = time.monotonic() + seconds
    while not (found := read()):
        assert time.monotonic() < until, "nothing came"
        time.sleep(0.5)
    return found
