"""Upkeep where the datastore is remote: what is different from a folder of this machine."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from airloom.storage.datastore_config import (
    AzureBlobConfig,
    AzureFileShareConfig,
    DatastoreConfig,
    LocalConfig,
    ObjectStoreConfig,
    SqlConfig,
)
from airloom.upkeep import verify
from airloom.upkeep.places import Places, remote_root
from tests.support.in_process import DATASTORE
from tests.support.remote_datastore import FarWorkspace, RemoteFolder
from tests.unit.upkeep.deployment import FarDeployment, Pipe, finish

CHAIN = Pipe("chain", "one", (("a", ()), ("b", ("a",)), ("c", ("b",))))
DAY = timedelta(days=1)
LATER = timedelta(hours=3)


def begun(deployment: FarDeployment, path: str) -> Path:
    """The folder of an output of which a publisher that was killed had sent the first file."""
    folder = deployment.data / path
    folder.mkdir(parents=True)
    (folder / "part").write_text("12345")
    (folder / ".airloom-unfinished").touch()
    return folder


def test_what_a_killed_publisher_left_goes_once_its_run_has_ended(far: FarDeployment) -> None:
    with far.live_run(CHAIN) as run:
        run.finish()
        attempt = next(path for path in (far.data / "azureml" / run.info.run_id / "a").iterdir())
        left = begun(far, f"azureml/{run.info.run_id}/a/{attempt.name}/second")
        far.gc(now=datetime.now(UTC) + LATER)
        assert left.exists()
    assert "leftovers" not in far.gc().freed, "it is too young"
    assert far.gc(now=datetime.now(UTC) + LATER, dry_run=True).freed["leftovers"].bytes == 5
    assert left.exists()
    assert far.gc(now=datetime.now(UTC) + LATER).freed["leftovers"].bytes == 5
    assert not left.exists()
    assert far.run_pipe(CHAIN).executed == []


def test_what_another_workspace_may_be_publishing_has_longer(far: FarDeployment) -> None:
    left = begun(far, "azureml/another-run/step/attempt/out")
    far.gc(now=datetime.now(UTC) + 80 * DAY)
    assert left.exists()
    far.gc(now=datetime.now(UTC) + 100 * DAY)
    assert not left.exists()


def test_what_users_publish_at_places_of_their_own_is_theirs(far: FarDeployment) -> None:
    places = [begun(far, path) for path in ("mine/out", "azureml/mine", "azureml/a/b/c")]
    far.gc(now=datetime.now(UTC) + 100 * DAY)
    assert all(place.exists() for place in places)


def test_an_output_needed_through_one_datastore_is_not_taken_through_another(far: FarDeployment) -> None:
    """As when a container is registered by its account, and by another address of it; or a folder of it."""
    config = AzureBlobConfig(name="same", account="other", container=far.data.name, endpoint="http://elsewhere")
    second = RemoteFolder(far.data, "same")
    second.config = config
    assert isinstance(far.storage, FarWorkspace)
    far.storage.far["same"] = second
    far.storage.put_datastore(config)
    far.run_pipe(CHAIN)
    report = far.gc(dry_run=True)
    assert "outputs" not in report.freed and report.problems == ()
    far.age(100 * DAY)
    far.gc()
    assert list(far.data.rglob("*")) == []


def test_a_database_among_the_datastores_is_no_hindrance(far: FarDeployment) -> None:
    far.storage.put_datastore(SqlConfig(name="sql", type="azure_my_sql", host="h", port=1, database="d"))
    far.run_pipe(CHAIN)
    far.age(100 * DAY)
    report = far.gc()
    assert report.freed["outputs"].count == 3 and report.problems == ()


def test_bytes_that_rotted_behind_an_unchanged_listing_are_found(far: FarDeployment) -> None:
    run = far.run_pipe(CHAIN)
    assert finish(verify(far.storage)).findings == ()
    path = run.results["a"].outputs["out"].path
    far.far.rot(path)
    [finding] = finish(verify(far.storage)).findings
    assert (finding.kind, finding.where) == ("output", f"{DATASTORE}:{path}")
    assert "has the digest" in finding.what and "written was" in finding.what


def test_a_datastore_that_does_not_answer_costs_nothing(far: FarDeployment) -> None:
    far.run_pipe(CHAIN)
    far.age(100 * DAY)
    far.data.rename(far.root / "away")
    report = far.gc()
    assert "outputs" not in report.freed and "source folders" not in report.freed
    assert any("does not answer" in problem for problem in report.problems)
    os.rename(far.root / "away", far.data)
    assert far.gc().freed["outputs"].count == 3


@pytest.mark.parametrize(
    ("config", "place"),
    [
        (AzureBlobConfig(name="x", account="acc", container="con", prefix="p/q"), "azure:/con/p/q"),
        (AzureBlobConfig(name="x", account="bcc", container="con", endpoint="http://h"), "azure:/con"),
        (ObjectStoreConfig(name="x", url="abfss://con@bcc.dfs.core.windows.net/p/q/"), "azure:/con/p/q"),
        (ObjectStoreConfig(name="x", url="az://con/p"), "azure:/con/p"),
        (ObjectStoreConfig(name="x", url="s3a://bucket/p"), "s3:/bucket/p"),
        (ObjectStoreConfig(name="x", url="s3://bucket/p/"), "s3:/bucket/p"),
        (ObjectStoreConfig(name="x", url="gcs://bucket"), "gs:/bucket"),
        (ObjectStoreConfig(name="x", url="file:///tmp"), "/tmp"),
        (AzureFileShareConfig(name="x", account="acc", share="sha"), "azurefile:/sha"),
    ],
)
def test_a_place_is_the_same_however_it_is_reached(far: FarDeployment, config: DatastoreConfig, place: str) -> None:
    handle = RemoteFolder(far.data)
    handle.config = config  # type: ignore[assignment]
    assert remote_root(handle) == place


def test_places_on_disks_are_compared_with_remote_ones_by_name_only(far: FarDeployment) -> None:
    far.storage.put_datastore(LocalConfig(name="near", root=str(far.root)))
    places = Places(far.storage)
    assert places.place(DATASTORE, "a/*.csv") == f"azure:/{far.data.name}/a"
    assert places.place("near", "a") == str(far.root.resolve() / "a")
    assert places.place("none", "a") is None
    assert len(places.distinct()) == 2
