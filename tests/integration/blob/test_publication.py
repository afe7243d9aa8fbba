"""Folders on Blob while they are published: nobody sees a part, one publisher at a time, and kills leave nothing."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from azure.storage.blob import BlobLeaseClient

from airloom.errors import AlreadyExists, IntegrityError, NotFound, StoreUnavailable, UnsafePath
from airloom.graph.canonical import digest_bytes
from airloom.storage import azure_marker
from airloom.storage.azure_datastore import AzureBlobDatastore
from airloom.storage.azure_listing import UNFINISHED
from airloom.storage.azure_marker import Marker
from airloom.storage.tree import TreeEntry, TreeManifest
from tests.integration.blob.conftest import OpenDatastore
from tests.integration.blob.faulty_proxy import FaultyProxy
from tests.integration.blob.test_datastore import fetch_all, make_tree
from tests.support.azurite import Azurite

pytestmark = [pytest.mark.integration, pytest.mark.azurite]


def names(datastore: AzureBlobDatastore, path: str = "") -> list[str]:
    return [info.path for info in datastore.list(path)]


def test_an_unfinished_folder_is_not_there(blobs: AzureBlobDatastore) -> None:
    for path in ("whole/x", "part/x", "part/deep/y"):
        blobs.write(path, io.BytesIO(b"1"))
    assert blobs.exists("part/deep")
    blobs.container.blob(f"part/{UNFINISHED}").upload_blob(b"")
    assert names(blobs) == names(blobs, "whole") == names(blobs, "*/*") == ["whole/x"]
    for path in ("part", "part/x", "part/deep", "part/deep/y", "part/*"):
        assert names(blobs, path) == []
        assert not blobs.exists(path)
        assert blobs.survey(path).marks == {}
        with pytest.raises(NotFound):
            blobs.scan(path)
        with pytest.raises(NotFound):
            blobs.open_read(path)
    blobs.delete("part")
    assert [blob.name for blob in blobs.container.blobs("")] == ["data/of us/whole/x"]


def test_what_a_killed_publisher_left_is_removed(blobs: AzureBlobDatastore, tmp_path: Path) -> None:
    blobs.write("out/old", io.BytesIO(b"1"))
    blobs.container.blob(f"out/{UNFINISHED}").upload_blob(b"")
    blobs.publish(make_tree(tmp_path / "tree", {"new": b"2"}), "out")
    assert names(blobs) == ["out/new"]


def test_a_second_publisher_waits_for_the_first(
    blobs: AzureBlobDatastore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(azure_marker, "_LOOK_SECONDS", 0.05)
    first = Marker(blobs.container, "out")
    assert first.take()
    with ThreadPoolExecutor(2) as pool:
        trees = [make_tree(tmp_path / who, {who: b"1"}) for who in ("a", "b")]
        both = [pool.submit(blobs.publish, tree, "out") for tree in trees]
        assert not any(publisher.done() for publisher in both)
        first.remove()
        errors = [publisher.exception() for publisher in both]
    assert [type(error) for error in errors].count(AlreadyExists) == 1
    assert names(blobs) in (["out/a"], ["out/b"])


def test_who_lost_the_marker_does_not_show_the_folder(blobs: AzureBlobDatastore) -> None:
    late = Marker(blobs.container, "out")
    late.take()
    late.leave()
    assert not Marker(blobs.container, "out").take()
    with pytest.raises(StoreUnavailable, match=r"'out' .*could not be held while it was published"):
        late.remove()
    assert not blobs.exists("out")


def test_a_publication_that_fails_leaves_what_was_there(blobs: AzureBlobDatastore, tmp_path: Path) -> None:
    blobs.publish(make_tree(tmp_path / "1", {"x": b"1"}), "out")
    lies = TreeManifest(entries=(TreeEntry(path="x", size=1, digest=digest_bytes(b"other")),))
    tree = make_tree(tmp_path / "2", {"x": b"2"})
    with pytest.raises(IntegrityError, match="'x' was changed, made or removed while its folder was published to"):
        blobs.publish(tree, "out", overwrite=True, manifest=lies)
    assert fetch_all(blobs, "out", tmp_path / "back") == {"out/x": b"1"}
    with pytest.raises(IntegrityError):
        blobs.publish(tree, "new", manifest=lies)
    assert names(blobs) == ["out/x"]
    blobs.publish(tree, "new")
    assert names(blobs) == ["new/x", "out/x"]


def test_links_and_empty_folders(blobs: AzureBlobDatastore, tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "tree", {"real": b"1"})
    (tree / "link").symlink_to(tree / "real")
    blobs.publish(tree, "links")
    assert names(blobs, "links") == ["links/link", "links/real"]
    (tmp_path / "leaving").mkdir()
    (tmp_path / "leaving" / "link").symlink_to("/etc/hostname")
    with pytest.raises(UnsafePath, match="leads to /etc/hostname"):
        blobs.publish(tmp_path / "leaving", "leaving")
    (tmp_path / "alone").symlink_to("leaving")
    with pytest.raises(UnsafePath, match="is a symbolic link"):
        blobs.publish(tmp_path / "alone", "alone")
    (tmp_path / "empty").mkdir()
    blobs.publish(tmp_path / "empty", "empty")
    assert blobs.exists("empty")
    assert blobs.scan("empty").entries == ()
    blobs.publish(make_tree(tmp_path / "full", {"x": b""}), "empty", overwrite=True)
    assert names(blobs, "empty") == ["empty/x"]
    blobs.delete("empty")
    assert not blobs.exists("empty")


def test_folders_of_a_data_lake_are_no_files(open_blob: OpenDatastore) -> None:
    lake = open_blob(type="azure_data_lake_gen2")
    for name in ("in", "in/deep", "in/hollow"):
        lake.container.blob(name).upload_blob(b"", metadata={"hdi_isfolder": "true"})
    lake.write("in/deep/x", io.BytesIO(b"1"))
    assert names(lake) == names(lake, "in") == ["in/deep/x"]
    assert lake.exists("in/hollow")
    assert lake.list("in/hollow") == []
    lake.delete("in")
    assert list(lake.container.blobs("")) == []


KILLED = """
import sys
from pathlib import Path
from airloom.storage.datastore_config import AzureBlobConfig
from airloom.storage.open_datastore import open_datastore
from airloom.storage.secrets import EnvironmentSecrets
from airloom.storage.stat_cache import StatCache

config = AzureBlobConfig.model_validate_json(sys.argv[1])
open_datastore(config, StatCache(Path(sys.argv[2]) / "digests.db"), EnvironmentSecrets()).publish(
    Path(sys.argv[2]) / "tree", "out", overwrite=True)
"""


def end_lease(datastore: AzureBlobDatastore, path: str) -> None:
    """What time does to the lease of a killed publisher."""
    blob = datastore.container.blob(f"{path}/{UNFINISHED}")
    if blob.exists() and blob.get_blob_properties().lease.state == "leased":
        BlobLeaseClient(blob).break_lease(lease_break_period=0)


@pytest.mark.thorough
def test_a_publisher_that_is_killed_leaves_the_old_folder_or_none(
    open_blob: OpenDatastore, azurite: Azurite, tmp_path: Path, rounds: Callable[[int, int], int]
) -> None:
    """It is killed at its so-and-so-many-th request; then it is tried again."""
    direct = open_blob()
    new = {f"{number}.bin": b"%d" % number * 100 for number in range(5)}
    old = {"0.bin": b"old", "gone": b"old"}
    seen = []
    with FaultyProxy(azurite.port) as proxy:
        endpoint = azurite.endpoint.replace(f":{azurite.port}/", f":{proxy.port}/")
        config = direct.config.model_copy(update={"endpoint": endpoint}).model_dump_json()
        for count in rounds(1, 0) * [4, 12, 17] or range(1, 20):
            direct.publish(make_tree(tmp_path / "old", old), "out", overwrite=True)
            make_tree(tmp_path / "tree", new)
            publisher = subprocess.Popen([sys.executable, "-c", KILLED, config, str(tmp_path)])
            proxy.after(count, publisher.kill)
            publisher.wait(timeout=60)
            held = fetch_all(direct, "out", tmp_path / "held")
            assert {name.removeprefix("out/"): data for name, data in held.items()} in (old, new, {})
            seen.append(len(held))
            end_lease(direct, "out")
            direct.publish(make_tree(tmp_path / "tree", new), "out", overwrite=True)
            assert names(direct, "out") == [f"out/{name}" for name in new]
    assert {len(old), 0} <= set(seen)
