"""A runner that is killed while data travel: the next attempt gets all of it right, and nothing stays for ever."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from airloom.runner import StepSpec
from airloom.storage.azure_datastore import AzureBlobDatastore
from airloom.upkeep import Limits, collect
from tests.integration.staging.conftest import BlobHost
from tests.integration.staging.test_steps import blob_input
from tests.unit.runner.support import an_output, input_path, output_path
from tests.unit.upkeep.deployment import RunTable, finish

pytestmark = [pytest.mark.integration, pytest.mark.azurite]

COPY = """
import os, shutil, sys
source, target = sys.argv[1:]
for folder, _, names in os.walk(source):
    for name in names:
        path = os.path.relpath(os.path.join(folder, name), source)
        os.makedirs(os.path.dirname(os.path.join(target, path)), exist_ok=True)
        shutil.copyfile(os.path.join(source, path), os.path.join(target, path))
        os.utime(os.path.join(target, path))
with open(os.path.join(target, "mark"), "w") as file:
    file.write("done")
"""


def files(seed: int) -> dict[str, bytes]:
    """Many small files and one of several blocks."""
    chance = random.Random(seed)
    small = {f"some/{number:03d}": chance.randbytes(3000) for number in range(40)}
    return {**small, "large": chance.randbytes(12_000_000)}


def copier(host: BlobHost, attempt: str) -> StepSpec:
    """A step that copies its input to its output, both in the container."""
    output = an_output("out", f"azureml/run-1/step-1/{attempt}/out", datastore="blobs", is_directory=True)
    return host.step(
        COPY,
        inputs=(blob_input("source", mode="mount"),),
        outputs=(output,),
        arguments=(input_path("raw"), output_path("out")),
        attempt=attempt,
    )


def killed(host: BlobHost, spec: StepSpec, when: Callable[[], bool]) -> bool:
    """Run a step in another process, and kill that as soon as something holds. False if it ended before."""
    path = host.root / f"spec-{spec.attempt}.json"
    path.write_text(spec.model_dump_json())
    command = [sys.executable, "-m", "airloom.runner", str(path), "--work-root", str(host.work)]
    with subprocess.Popen([*command, "--cache-dir", str(host.cache)], stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            if when():
                process.send_signal(signal.SIGKILL)
                return True
            time.sleep(0.001)
    return False


def uploaded(host: BlobHost, attempt: str) -> int:
    """How many blobs there are below an attempt's output, visible or not."""
    datastore = host.store.datastore("blobs")
    assert isinstance(datastore, AzureBlobDatastore)
    return len(list(datastore.container.blobs(f"azureml/run-1/step-1/{attempt}/")))


def downloaded(host: BlobHost) -> int:
    """How many files the cache has."""
    return sum(path.is_file() for path in (host.cache / "content/files").rglob("*"))


@pytest.fixture
def source(host: BlobHost) -> dict[str, bytes]:
    """What the input holds."""
    content = files(1)
    for path, data in content.items():
        place = host.root / "made" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    host.store.datastore("blobs").publish(host.root / "made", "source")
    return content


def check_result(host: BlobHost, source: dict[str, bytes], attempt: str) -> None:
    """The output of an attempt is whole, and that of no other is seen."""
    prefix = f"azureml/run-1/step-1/{attempt}/out/"
    found = {path: data for path, data in host.blobs().items() if path.startswith(prefix)}
    assert found == {**{prefix + path: data for path, data in source.items()}, f"{prefix}mark": b"done"}


def test_a_kill_while_inputs_come_and_while_outputs_go(
    host: BlobHost, source: dict[str, bytes], rounds: Callable[[int, int], int]
) -> None:
    kills = {"in": 0, "out": 0}
    for turn in range(rounds(2, 12)):
        first = f"in-{turn}"
        at = 1 + turn * 37 % len(source)
        kills["in"] += killed(host, copier(host, first), lambda at=at: downloaded(host) >= at)  # type: ignore[misc]
        assert uploaded(host, first) == 0
        second = f"out-{turn}"
        few = 1 + turn * 41 % len(source)
        went = killed(host, copier(host, second), lambda few=few, name=second: uploaded(host, name) >= few)  # type: ignore[misc]
        kills["out"] += went
        shown = host.store.datastore("blobs").list(f"azureml/run-1/step-1/{second}")
        assert len(shown) in ((0, len(source) + 1) if went else (len(source) + 1,)), "all of it or nothing"
        last = f"last-{turn}"
        reference = host.run(copier(host, last)).outputs["out"]
        assert reference.digest == host.store.datastore("blobs").digest(f"azureml/run-1/step-1/{last}/out")
        check_result(host, source, last)
    assert kills["in"] and kills["out"], kills
    assert not list(host.work.rglob("*")), "the work folders of the killed are gone"
    left = [path for name in ("incoming", "claims") for path in (host.cache / "content" / name).rglob("*")]
    host.put_blob("more", b"x" * 10)
    host.run(host.step("", inputs=(blob_input("more"),)))
    gone = [path for path in left if not path.exists()]
    assert gone == left, "what is asked for next removes what killed downloads have left"


def test_what_a_killed_upload_left_is_freed_by_the_collector(host: BlobHost, source: dict[str, bytes]) -> None:
    assert killed(host, copier(host, "1"), lambda: uploaded(host, "1") > 9)
    datastore = host.store.datastore("blobs")
    assert datastore.list("azureml") == []
    table = RunTable(host.root / "runs")
    wait_for_the_lease(host)
    report = finish(collect(host.store, table, Limits(), now=datetime.now(UTC) + timedelta(days=100)))
    assert report.freed["leftovers"].bytes > 0 and report.problems == ()
    assert uploaded(host, "1") == 0
    assert len(datastore.list()) == len(source)


def wait_for_the_lease(host: BlobHost) -> None:
    """End the lease of the killed publisher, which would take a minute."""
    from azure.storage.blob import BlobLeaseClient

    datastore = host.store.datastore("blobs")
    assert isinstance(datastore, AzureBlobDatastore)
    for blob in datastore.container.blobs("azureml/"):
        if blob.name.endswith(".airloom-unfinished"):
            key = datastore.container.key(blob.name)
            BlobLeaseClient(datastore.container.blob(key)).break_lease(0)
