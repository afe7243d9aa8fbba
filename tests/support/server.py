"""A real server for tests: `airloom up` in a folder of its own, on a free port, and `airloom down` at the end."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from airloom.core import Workspace

AIRLOOM = str(Path(sys.executable).parent / "airloom")


@dataclass(frozen=True)
class RunningServer:
    """A server that is up, and what its tests need to know of it."""

    home: Path
    url: str

    @property
    def store(self) -> Path:
        """The deployment's store on disk."""
        return self.home / "store"

    def workspace(self) -> Workspace:
        """The default workspace, as a client finds it."""
        return Workspace.from_config(str(self.home / "config.json"))

    def cli(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run the `airloom` command against this server."""
        command = [AIRLOOM, *arguments, "--home", str(self.home)]
        return subprocess.run(command, check=check, capture_output=True, text=True, timeout=300)


@contextmanager
def running_server(home: Path, *options: str) -> Iterator[RunningServer]:
    """Start a server in `home`; every process of it has ended when the block is left."""
    up = subprocess.run(
        [AIRLOOM, "up", "--home", str(home), "--port", "0", "--detach", "--json", *options],
        capture_output=True,
        text=True,
        timeout=300,
    )
    try:
        if up.returncode:
            raise RuntimeError(f"airloom up failed:\n{up.stdout}\n{up.stderr}\n{_log_tails(home)}")
        yield RunningServer(home, json.loads(up.stdout)["url"])
    finally:
        subprocess.run([AIRLOOM, "down", "--home", str(home)], check=True, capture_output=True, timeout=120)


def _log_tails(home: Path) -> str:
    return "\n".join(f"--- {log.name}\n{log.read_text()[-2000:]}" for log in sorted((home / "logs").glob("*.log")))
