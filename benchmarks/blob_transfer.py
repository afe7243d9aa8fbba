"""Transfers to and from Blob Storage: one large file, and many small ones, beside the clients used directly.

The service is Azurite, one for each transfer. It works in one thread, so it is what limits most of them: goals are
ratios. `BENCH_GB` and `BENCH_FILES` make the data smaller.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.blob_clients import CLIENTS
from benchmarks.figures import Figure, Goal, Unit, ratio_at_least
from benchmarks.peers import ROOT, peer
from tests.support.azurite import ACCOUNT, Azurite, running_azurite

GIGABYTES = float(os.environ.get("BENCH_GB", "1"))
FILES = int(os.environ.get("BENCH_FILES", "10000"))
FILE_BYTES = 10_000
REPEATS = 3
LIMIT_MB = 256


class Took(NamedTuple):
    """What one transfer took."""

    seconds: float
    peak_mb: float


class Kind(NamedTuple):
    """What is moved, how its speed is told, and what Airloom's must be beside each other client's."""

    what: str
    amount: float
    unit: Unit
    goals: dict[str, Goal]


def measure() -> Iterator[Figure]:
    """The large file, then the small ones; the clients take turns."""
    large = {"azure-storage-blob": ratio_at_least(0.9)}
    small = {client: ratio_at_least(1) for client in ("azure-storage-blob", "obstore", "adlfs")}
    with tempfile.TemporaryDirectory(prefix="airloom-bench-") as name:
        folder = Path(name)
        _make(folder)
        yield from _compare(folder, "one", Kind(f"a file of {GIGABYTES:g} GB", GIGABYTES, "GB/s", large))
        yield from _compare(folder, "many", Kind(f"{FILES:,} files of 10 kB", FILES, "files/s", small))


def _make(folder: Path) -> None:
    block = os.urandom(1 << 20)
    with (folder / "one").open("wb") as file:
        for start in range(0, int(GIGABYTES * 1e9), len(block)):
            file.write(block[: int(GIGABYTES * 1e9) - start])
    (folder / "many").mkdir()
    for number in range(FILES):
        (folder / "many" / f"{number:06}.bin").write_bytes(block[number : number + FILE_BYTES])


def _compare(folder: Path, what: str, kind: Kind) -> Iterator[Figure]:
    rounds = [{client: _both_ways(folder, client, what) for client in CLIENTS} for _ in range(REPEATS)]
    for way, direction in enumerate(("upload", "download")):
        speed = {
            client: kind.amount / statistics.median(each[client][way].seconds for each in rounds) for client in CLIENTS
        }
        peak = {client: max(each[client][way].peak_mb for each in rounds) for client in CLIENTS}
        name = f"{direction} of {kind.what}"
        for client in CLIENTS:
            if client != "airloom":
                yield Figure(name, speed["airloom"], kind.unit, client, speed[client], kind.goals.get(client))
        for client in CLIENTS:
            if client != "airloom":
                limit = Goal("value", "<=", LIMIT_MB)
                yield Figure(f"{name}: peak memory", peak["airloom"], "MB", client, peak[client], limit)


def _both_ways(folder: Path, client: str, what: str) -> tuple[Took, Took]:
    """There and back, with an emulator that has seen nothing else."""
    shutil.rmtree(folder / "back", ignore_errors=True)
    kept = folder / "kept"
    (shutil.copytree if what == "many" else shutil.copy)(folder / what, kept)
    try:
        with running_azurite() as emulator:
            container = "benchmark"
            emulator.client().create_container(container)
            return tuple(  # type: ignore[return-value]
                _run(emulator, container, folder, client, f"{direction} {what}") for direction in ("upload", "download")
            )
    finally:
        if not (folder / what).exists():  # Airloom publishes by moving
            kept.rename(folder / what)
        shutil.rmtree(kept, ignore_errors=True)
        kept.unlink(missing_ok=True)


def _run(emulator: Azurite, container: str, folder: Path, client: str, action: str) -> Took:
    python = peer("adlfs") / "python" if client == "adlfs" else sys.executable
    spec = {
        "client": client,
        "action": action,
        "account": ACCOUNT,
        "key": emulator.key,
        "endpoint": emulator.endpoint,
        "container": container,
        "folder": str(folder),
    }
    command = [str(python), "-m", "benchmarks.blob_clients", json.dumps(spec)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return Took(**json.loads(done.stdout.splitlines()[-1]))
