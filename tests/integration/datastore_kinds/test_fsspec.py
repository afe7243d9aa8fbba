"""Places that only fsspec reaches: a bucket through s3fs stands for them, and addresses that lead nowhere."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from airloom.errors import AlreadyExists, InvalidName, StoreUnavailable
from airloom.storage.datastore_config import ObjectStoreConfig
from airloom.storage.datastores import Download
from airloom.storage.open_datastore import open_datastore
from airloom.storage.stat_cache import null_cache
from airloom.storage.tree import scan_tree
from tests.support.datastores import Known, s3_config, through_fsspec
from tests.support.moto_s3 import MotoS3

pytestmark = pytest.mark.integration


def test_what_is_published_through_fsspec_is_found_again(moto_s3: MotoS3, tmp_path: Path) -> None:
    config = s3_config(moto_s3)
    data = through_fsspec(config)
    staged = tmp_path / "staged"
    (staged / "sub").mkdir(parents=True)
    (staged / "a.csv").write_text("1")
    (staged / "sub" / "b.csv").write_bytes(b"2" * (9 << 20))
    expected = scan_tree(staged, null_cache())
    data.publish(staged, "out")
    assert data.scan("out") == expected
    assert through_fsspec(config).digest("out") == expected.digest
    with pytest.raises(AlreadyExists, match="already has 'out'"):
        data.publish(_file(tmp_path), "out")
    here = tmp_path / "here"
    data.fetch([Download(info, here / info.path) for info in data.list("out")], lambda info: None)
    assert scan_tree(here / "out", null_cache()) == expected
    before = data.survey("out").marks
    moto_s3.client.put_object(Bucket=config.url.split("/")[2], Key="some/prefix/out/a.csv", Body=b"3")
    assert {path for path, mark in data.survey("out").marks.items() if before.get(path) != mark} == {"out/a.csv"}
    assert data.digest("out") != expected.digest
    data.delete("out")
    assert not data.exists("out")


def _file(folder: Path) -> Path:
    path = folder / "file"
    path.write_text("x")
    return path


def test_what_cannot_be_written_through_fsspec_leaves_nothing(moto_s3: MotoS3) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError("connection lost")

    data = through_fsspec(s3_config(moto_s3))
    with pytest.raises(OSError, match="connection lost"):
        data.write("f", Broken())
    assert data.list() == []


@pytest.mark.parametrize(
    ("url", "error", "message"),
    [
        ("nowhere://x/y", InvalidName, "nowhere://x/y is not an address that fsspec reaches"),
        ("file:///srv/data", InvalidName, "'file:///srv/data' is a folder. Register a local datastore"),
        ("hdfs://host/data", StoreUnavailable, "hdfs://host/data c?annot|hdfs://host/data needs"),
    ],
)
def test_addresses_that_lead_nowhere(url: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        open_datastore(ObjectStoreConfig(name="raw", url=url), null_cache(), Known())
