"""However much data a step reads and writes, the runner's memory stays bounded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.staging.conftest import BlobHost
from tests.integration.staging.test_steps import blob_input
from tests.unit.runner.support import an_output, input_path, output_path

pytestmark = [pytest.mark.integration, pytest.mark.azurite]

LIMIT = 256 << 20

COPY = """
import os, sys
source, target = sys.argv[1:]
for name in os.listdir(source):
    os.link(os.path.realpath(os.path.join(source, name)), os.path.join(target, name))
"""

MEASURED = """
import runpy, sys
from tests.support.peak_memory import peak_bytes
try:
    runpy.run_module("airloom.runner", run_name="__main__", alter_sys=True)
finally:
    with open(sys.argv[-1] + ".peak", "w") as file:
        file.write(str(peak_bytes()))
"""


def make_tree(folder: Path, megabytes: int, small: int) -> int:
    """Small files of 10 kB, files of 1 MB, and one large file with half of it all; the number of files."""
    folder.mkdir()
    block = os.urandom(1 << 20)
    for number in range(small):
        (folder / f"small-{number}").write_bytes(number.to_bytes(8, "big") + block[: 10_000 - 8])
    for number in range(megabytes // 3):
        (folder / f"middle-{number}").write_bytes(number.to_bytes(8, "big") + block[8:])
    with (folder / "large").open("wb") as file:
        for number in range(megabytes // 2):
            file.write(number.to_bytes(8, "big") + block[8:])
    return small + megabytes // 3 + 1


@pytest.mark.thorough
def test_a_tree_passes_through_less_memory_than_it_has(host: BlobHost, rounds: Callable[[int, int], int]) -> None:
    count = make_tree(host.root / "tree", rounds(300, 5120), rounds(200, 10_000))
    digest = host.store.datastore("data").digest  # of the same content on a disk
    (host.root / "tree").rename(host.data / "tree")
    expected = digest("tree")
    result = run_measured(host, "up", "data", "blobs")
    assert result["outputs"]["out"]["digest"] == expected
    for path in (host.data / "tree", host.cache / "content"):
        subprocess.run(["rm", "-r", str(path)], check=True)
    result = run_measured(host, "down", "blobs", "data")
    assert result["outputs"]["out"]["digest"] == expected
    assert len(host.store.datastore("blobs").list("tree")) == count


def run_measured(host: BlobHost, attempt: str, source: str, target: str) -> dict[str, dict[str, dict[str, str]]]:
    """Copy the tree from one datastore to the other by a step; the peak of the runner's own memory is limited."""
    given = blob_input("tree", mode="mount" if source == "data" else "download")
    given = given.model_copy(update={"paths": (given.paths[0].model_copy(update={"datastore": source}),)})
    output = an_output("out", "tree", datastore=target, is_directory=True)
    arguments = (input_path("raw"), output_path("out"))
    spec = host.step(COPY, inputs=(given,), outputs=(output,), arguments=arguments, attempt=attempt)
    path, answer = host.root / f"{attempt}.json", host.root / f"{attempt}-result.json"
    path.write_text(spec.model_dump_json())
    command = [sys.executable, "-c", MEASURED, str(path), "--result", str(answer)]
    command += ["--work-root", str(host.root / "work"), "--cache-dir", str(host.cache)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    peak = int(Path(f"{host.cache}.peak").read_text())
    assert peak < LIMIT, f"{attempt}: {peak >> 20} MiB"
    sys.stderr.write(f"peak of the runner, data going {attempt}: {peak >> 20} MiB\n")
    outcome: dict[str, dict[str, dict[str, str]]] = json.loads(answer.read_text())["outcome"]
    return outcome
