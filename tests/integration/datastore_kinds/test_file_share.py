"""What is particular to Azure Files: others who write in place, names that differ by case alone, refusals."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from airloom.errors import IntegrityError, InvalidName, StoreUnavailable
from airloom.storage.datastore_config import AzureFileShareConfig
from airloom.storage.datastores import DatastoreHandle, Download
from airloom.storage.open_datastore import open_datastore
from airloom.storage.secrets import Connection
from airloom.storage.stat_cache import null_cache
from airloom.storage.tree import scan_tree
from tests.support.azure_files import ACCOUNT, AzureFiles, Refusal
from tests.support.datastores import Known, share_config

pytestmark = pytest.mark.integration


@pytest.fixture
def config(azure_files: AzureFiles) -> AzureFileShareConfig:
    return share_config(azure_files)


@pytest.fixture
def keys(azure_files: AzureFiles) -> Known:
    return Known(share=Connection(login=ACCOUNT, password=azure_files.key))


@pytest.fixture
def data(config: AzureFileShareConfig, keys: Known) -> DatastoreHandle:
    return open_datastore(config, null_cache(), keys)


def test_a_digest_does_not_outlive_the_content_that_had_it(
    data: DatastoreHandle, config: AzureFileShareConfig, azure_files: AzureFiles, tmp_path: Path
) -> None:
    data.write("in/f", io.BytesIO(b"ours"))
    before, survey = data.digest("in"), data.survey("in")
    (info,) = data.list("in")
    assert info.digest is not None
    azure_files.write_in_place(config.share, "in/f", b"rous")
    assert data.list("in")[0].digest is None
    assert data.digest("in") != before
    assert data.survey("in") != survey
    with pytest.raises(IntegrityError, match=r"was replaced or removed while it was read"):
        data.fetch([Download(info, tmp_path / "f")], lambda info: None)
    data.fetch([Download(info, tmp_path / "f") for info in data.list("in")], lambda info: None)
    assert (tmp_path / "f").read_bytes() == b"rous"


def test_long_folders_are_listed_page_by_page(data: DatastoreHandle, tmp_path: Path) -> None:
    staged = tmp_path / "staged"
    for number in range(40):
        folder = staged / f"{number % 9}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.txt").write_text(str(number))
    expected = scan_tree(staged, null_cache())
    data.publish(staged, "out")
    assert data.scan("out") == expected


def test_folders_go_with_their_last_file(
    data: DatastoreHandle, config: AzureFileShareConfig, azure_files: AzureFiles
) -> None:
    data.write("a/b/c/f", io.BytesIO(b"1"))
    data.write("a/g", io.BytesIO(b"2"))
    data.delete("a/b")
    assert sorted(azure_files.shares[config.share]) == ["a", "a/g"]
    data.delete("a")
    assert azure_files.shares[config.share] == {}


@pytest.mark.parametrize("name", ["a:b", "a\\b", "what?", "end.", "end ", "x/end./y", "bell\x07"])
def test_names_that_a_share_cannot_keep_are_refused(data: DatastoreHandle, name: str) -> None:
    with pytest.raises(InvalidName, match=r"Azure Files cannot keep .*of its characters"):
        data.write(name, io.BytesIO(b""))
    assert not data.exists(name)


def test_names_that_a_share_cannot_tell_apart_are_refused(data: DatastoreHandle, tmp_path: Path) -> None:
    (tmp_path / "staged").mkdir()
    (tmp_path / "staged" / "Data.csv").write_text("1")
    (tmp_path / "staged" / "data.csv").write_text("2")
    with pytest.raises(InvalidName, match=r"it takes it for 'out/(D|d)ata\.csv'"):
        data.publish(tmp_path / "staged", "out")
    assert not data.exists("out")


def test_what_cannot_be_written_leaves_nothing(
    data: DatastoreHandle, config: AzureFileShareConfig, azure_files: AzureFiles, tmp_path: Path
) -> None:
    """The file shrinks between its digest and its upload."""
    source = tmp_path / "f"
    source.write_bytes(b"x" * 100)
    manifest = scan_tree(source, null_cache())
    source.write_bytes(b"y" * 100)
    with pytest.raises(IntegrityError, match="has changed since it was complete"):
        data.publish(source, "out/f", manifest=manifest)
    assert azure_files.shares[config.share] == {}


def test_a_service_that_is_busy_is_asked_again(data: DatastoreHandle, azure_files: AzureFiles) -> None:
    azure_files.refuse_next.append(Refusal(503, "ServerBusy"))
    data.write("f", io.BytesIO(b"1"))
    azure_files.refuse_next.append(Refusal(500, "InternalError"))
    assert [info.path for info in data.list()] == ["f"]


def operations(data: DatastoreHandle) -> list[Callable[[], object]]:
    return [
        data.list,
        lambda: data.exists("f"),
        lambda: data.open_read("f"),
        lambda: data.write("f", io.BytesIO(b"1")),
        lambda: data.delete("f"),
        data.survey,
    ]


def test_a_share_that_is_not_there_is_named(config: AzureFileShareConfig, keys: Known) -> None:
    gone = config.model_copy(update={"share": "no-such-share"})
    for operation in operations(open_datastore(gone, null_cache(), keys)):
        with pytest.raises(StoreUnavailable, match=r"has no share 'no-such-share'\. Make it \(az storage share create"):
            operation()


def test_a_wrong_key_is_refused_and_not_repeated(config: AzureFileShareConfig) -> None:
    wrong = base64.b64encode(b"another key" * 5).decode()
    data = open_datastore(config, null_cache(), Known(share=Connection(login=ACCOUNT, password=wrong)))
    for operation in operations(data):
        with pytest.raises(StoreUnavailable, match=r"refuses the credentials \(AuthenticationFailed\)") as caught:
            operation()
        assert wrong not in str(caught.value)
