"""Which steps run again when all data lie in Azure Blob Storage."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from airloom.reuse.workspace import ReuseWorkspace
from airloom.storage.azure_account import AzureAddress
from airloom.storage.azure_datastore import AzureBlobDatastore
from airloom.storage.stat_cache import null_cache
from airloom.storage.workspace import WorkspaceStore
from airloom.upkeep import verify
from tests.integration.staging.conftest import config
from tests.support.azurite import ACCOUNT, Azurite
from tests.support.in_process import DATASTORE, Workbench
from tests.unit.reuse.test_runs import SCRIPTS, chain
from tests.unit.upkeep.deployment import finish

pytestmark = [pytest.mark.integration, pytest.mark.azurite]


class BlobBench(Workbench):
    """A workspace whose records and data are in one container."""

    def __init__(self, root: Path, azurite: Azurite) -> None:
        address = azurite.new_store("/store")
        container = AzureAddress.parse(address).container
        super().__init__(root, null_cache(), address=address)
        self.storage = WorkspaceStore(self.storage.store, "default", null_cache())
        self.storage.put_datastore(config(azurite, container, DATASTORE, prefix="data"))
        self.workspace = ReuseWorkspace(self.storage)
        datastore = self.storage.datastore(DATASTORE)
        assert isinstance(datastore, AzureBlobDatastore)
        self.datastore = datastore

    def write(self, path: str, text: str) -> None:
        self.datastore.write(path, io.BytesIO(text.encode()))

    def read(self, path: str) -> str:
        with self.datastore.open_read(path) as stream:
            return stream.read().decode()

    def write_as_others_do(self, path: str, text: str) -> None:
        """With another program, which leaves no digest."""
        self.datastore.container.blob(path).upload_blob(text.encode(), overwrite=True)


@pytest.fixture
def bench(tmp_path: Path, azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> BlobBench:
    """A bench on which a chain of three steps ran once."""
    monkeypatch.setenv("AIRFLOW_CONN_BLOBS", json.dumps({"login": ACCOUNT, "password": azurite.key}))
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.connection_string)
    bench = BlobBench(tmp_path, azurite)
    bench.write("raw.txt", "Some Data")
    assert bench.run(chain(), SCRIPTS).executed == ["clean", "train", "score"]
    return bench


def test_what_is_unchanged_is_reused_and_what_is_written_again_with_the_same_bytes(bench: BlobBench) -> None:
    assert bench.run(chain(), SCRIPTS).executed == []
    bench.write("raw.txt", "Some Data")
    assert bench.run(chain(), SCRIPTS).executed == []


def test_changed_data_run_what_reads_them_as_far_as_anything_changes(bench: BlobBench) -> None:
    bench.write("raw.txt", "SOME DATA")
    assert bench.run(chain(), SCRIPTS).executed == ["clean"], "it wrote the same, so nobody after it runs"
    bench.write("raw.txt", "Other Data")
    assert bench.run(chain(), SCRIPTS).executed == ["clean", "train", "score"]


def test_what_others_write_is_known_by_its_version(bench: BlobBench) -> None:
    bench.write_as_others_do("raw.txt", "Some Data")
    assert bench.run(chain(), SCRIPTS).executed == ["clean"], "nobody can tell that these are the same bytes"
    assert bench.run(chain(), SCRIPTS).executed == []
    bench.write_as_others_do("raw.txt", "Some Data")
    assert bench.run(chain(), SCRIPTS).executed == ["clean"]


@pytest.mark.parametrize("harm", ["altered", "gone"])
def test_an_output_that_is_not_what_it_was_is_computed_again(bench: BlobBench, harm: str) -> None:
    path = bench.run(chain(), SCRIPTS).results["train"].outputs["out"].path
    if harm == "gone":
        bench.datastore.delete(path)
    else:
        bench.write_as_others_do(path, "model of other data")
    again = bench.run(chain(), SCRIPTS)
    assert again.executed == ["train"]
    assert bench.read(again.results["train"].outputs["out"].path) == "model of some data"


def test_all_is_sound_and_what_is_altered_is_found(bench: BlobBench) -> None:
    assert finish(verify(bench.storage)).findings == ()
    path = bench.run(chain(), SCRIPTS).results["train"].outputs["out"].path
    blob = bench.datastore.container.blob(path)
    metadata = blob.get_blob_properties().metadata
    blob.upload_blob(b"model of evil data", overwrite=True, metadata=metadata)
    [finding] = finish(verify(bench.storage)).findings
    assert (finding.kind, finding.where) == ("output", f"{DATASTORE}:{path}")
    assert "written was" in finding.what
