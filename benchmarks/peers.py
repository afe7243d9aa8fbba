"""The peers that Airloom is measured against, each in an environment of its own below `.cache/peers`."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

from uv import find_uv_bin

ROOT = Path(__file__).parents[1]
_LOCKS = Path(__file__).parent / "peers"
_ENVIRONMENTS = ROOT / ".cache" / "peers"


@cache
def peer(name: str) -> Path:
    """The folder of a peer's commands. Its environment is made, at the versions of `peers/NAME.txt`, if need be."""
    lock = _LOCKS / f"{name}.txt"
    environment = _ENVIRONMENTS / name
    installed = environment / "installed.txt"
    if not installed.exists() or installed.read_bytes() != lock.read_bytes():
        uv = find_uv_bin()
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, environment], check=True)
        install = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", environment / "bin" / "python"]
        subprocess.run([*install, "--requirement", lock], check=True)
        installed.write_bytes(lock.read_bytes())
    return environment / "bin"
