"""The demo, with its server's store and every datastore on Blob."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from examples.automobile.run_demo import EXPECTED
from tests.support.azurite import Azurite

pytestmark = [pytest.mark.integration, pytest.mark.azurite, pytest.mark.thorough, pytest.mark.timeout(1800)]


@pytest.mark.usefixtures("only_thorough")
def test_the_demo_does_on_blob_what_it_does_on_disk(azurite: Azurite, tmp_path: Path) -> None:
    home = tmp_path / "home"
    address = azurite.new_store()
    surroundings = {"AIRLOOM_STORE": address, "AZURE_STORAGE_CONNECTION_STRING": azurite.connection_string}
    done = subprocess.run(
        [sys.executable, "-m", "examples.automobile.run_demo", "--home", str(home)],
        env={**os.environ, **surroundings},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((home / "demo-report.json").read_text())
    assert [run["steps"] for run in report["runs"]] == EXPECTED
    assert (home / "comparison").is_dir()
    assert [file for file in (home / "store").rglob("*") if file.is_file()] == []
    container = azurite.client().get_container_client(address.rpartition("/")[2])
    outputs = [blob.name for blob in container.list_blobs("workspaces/default/data/workspaceblobstore/azureml/")]
    assert any(name.endswith("/comparison.png") for name in outputs)
