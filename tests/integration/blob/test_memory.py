"""However much data travels, a process holds a few blocks of it at a time."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from airloom.storage.azure_access import BLOCK
from tests.integration.blob.conftest import OpenDatastore

pytestmark = [pytest.mark.integration, pytest.mark.azurite, pytest.mark.thorough, pytest.mark.timeout(1800)]

LIMIT_MB = 256

THERE_AND_BACK = """
import json, sys
from pathlib import Path
from airloom.storage.datastore_config import AzureBlobConfig
from airloom.storage.datastores import Download
from airloom.storage.open_datastore import open_datastore
from airloom.storage.secrets import EnvironmentSecrets
from airloom.storage.stat_cache import null_cache
from tests.support.peak_memory import peak_bytes

config, folder, sizes = AzureBlobConfig.model_validate_json(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
store = open_datastore(config, null_cache(), EnvironmentSecrets())
for round, sizes in enumerate(sizes):
    tree = folder / "tree"
    tree.mkdir()
    for number, size in enumerate(sizes):
        with (tree / str(number)).open("wb") as file:
            file.truncate(size)
    store.publish(tree, "out", overwrite=True)
    store.fetch([Download(info, folder / str(round) / info.path) for info in store.list("out")], lambda info: None)
    store.delete("out")
print(peak_bytes() / 1e6)
"""


def test_files_of_any_size_take_a_bounded_part_of_memory(
    open_blob: OpenDatastore, tmp_path: Path, rounds: Callable[[int, int], int]
) -> None:
    """A large file, many of nearly a block, many of nearly the largest that travel many at a time."""
    times = rounds(1, 12)
    trees = [[times * 14 * BLOCK], [BLOCK - 1] * 14 * times, [1024 * 1024] * 32 * times]
    command = [sys.executable, "-c", THERE_AND_BACK, open_blob().config.model_dump_json(), str(tmp_path)]
    done = subprocess.run([*command, json.dumps(trees)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) <= LIMIT_MB
