"""What is particular to object stores: what others have put there, refusals, and addresses."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from airloom.errors import AlreadyExists, IntegrityError, InvalidGraph, InvalidName, StoreUnavailable, UnsafePath
from airloom.storage.datastore_config import ObjectStoreConfig
from airloom.storage.datastores import DatastoreHandle, Download
from airloom.storage.open_datastore import open_datastore
from airloom.storage.remote_files import version_digest
from airloom.storage.secrets import Connection
from airloom.storage.stat_cache import StatCache, null_cache
from airloom.storage.tree import scan_tree
from tests.support.datastores import SECRET, Known, s3_config
from tests.support.moto_s3 import MotoS3

pytestmark = pytest.mark.integration

KEYS = Known(s3=Connection(login="AKIAEXAMPLE", password=SECRET))


@pytest.fixture
def config(moto_s3: MotoS3) -> ObjectStoreConfig:
    return s3_config(moto_s3)


@pytest.fixture
def data(config: ObjectStoreConfig, tmp_path: Path) -> DatastoreHandle:
    return open_datastore(config, StatCache(tmp_path / "cache"), KEYS)


class Others:
    """Any other program that has access to the same bucket."""

    def __init__(self, moto: MotoS3, url: str) -> None:
        self._bucket, _, self._prefix = url.removeprefix("s3://").partition("/")
        self._client = moto.client

    def put(self, key: str, content: bytes, **more: Any) -> None:
        self._client.put_object(Bucket=self._bucket, Key=f"{self._prefix}/{key}", Body=content, **more)


@pytest.fixture
def others(config: ObjectStoreConfig, moto_s3: MotoS3) -> Others:
    return Others(moto_s3, config.url)


def test_what_others_put_is_known_by_its_version(data: DatastoreHandle, others: Others, tmp_path: Path) -> None:
    others.put("in/a.csv", b"theirs")
    (info,) = data.list("in")
    assert info.digest is None
    assert info.etag is not None
    (entry,) = data.scan("in").entries
    assert entry.digest == version_digest(info.etag, 6)
    data.fetch([Download(info, tmp_path / "a.csv")], lambda info: None)
    assert (tmp_path / "a.csv").read_bytes() == b"theirs"
    before = data.digest("in")
    others.put("in/a.csv", b"THEIRS")
    assert data.digest("in") != before


def test_what_is_remembered_of_a_version_does_not_outlive_it(data: DatastoreHandle, others: Others) -> None:
    data.write("f", io.BytesIO(b"ours"))
    time.sleep(2.1)  # now it may be remembered
    first = [data.scan().entries[0].digest for _ in range(3)]
    assert len(set(first)) == 1
    others.put("f", b"rous")
    assert data.scan().entries[0].digest not in first
    assert data.list()[0].digest is None


def test_objects_that_consoles_make_for_folders_are_no_files(data: DatastoreHandle, others: Others) -> None:
    others.put("in/", b"")
    others.put("in/sub/", b"")
    others.put("in/sub/f", b"1")
    others.put("in/empty", b"")
    assert [info.path for info in data.list()] == ["in/empty", "in/sub/f"]
    assert sorted(data.survey().marks) == ["in/empty", "in/sub/f"]


@pytest.mark.parametrize("key", ["in//f", "in/../f", "in/./f"])
def test_keys_that_no_folder_could_hold_are_told_of(data: DatastoreHandle, others: Others, key: str) -> None:
    others.put(key, b"x")
    with pytest.raises(UnsafePath, match=r"has an object whose key .* is no path of files\. Rename the object"):
        data.list()


def test_an_object_with_the_name_of_a_folder_is_told_of(data: DatastoreHandle, others: Others) -> None:
    others.put("in", b"1")
    others.put("in/f", b"2")
    with pytest.raises(UnsafePath, match=r"has a file 'in/f', which no folder could hold"):
        data.scan()


def test_a_prefix_is_the_root(data: DatastoreHandle, config: ObjectStoreConfig) -> None:
    data.write("f", io.BytesIO(b"1"))
    above = config.model_copy(update={"url": config.url.removesuffix("/prefix")})
    assert [info.path for info in open_datastore(above, null_cache(), KEYS).list()] == ["prefix/f"]


def test_content_that_is_not_what_was_written_does_not_arrive(
    data: DatastoreHandle, others: Others, tmp_path: Path
) -> None:
    """Another has kept our digest, and put other bytes of the same length beside it."""
    data.write("f", io.BytesIO(b"ours"))
    others.put("f", b"rous", Metadata={"airloom_digest": str(data.list()[0].digest)})
    with pytest.raises(IntegrityError, match=r"'f' of s3://.* arrived with other content than was written"):
        data.fetch([Download(info, tmp_path / "f") for info in data.list()], lambda info: None)
    assert not (tmp_path / "f").exists()


# --- refusals -------------------------------------------------------------------------------------------------------


def operations(data: DatastoreHandle) -> list[Callable[[], object]]:
    return [
        data.list,
        lambda: data.exists("f"),
        lambda: data.open_read("f"),
        lambda: data.write("f", io.BytesIO(b"1")),
        lambda: data.delete("f"),
        data.survey,
    ]


def test_a_bucket_that_is_not_there_is_named(config: ObjectStoreConfig) -> None:
    gone = config.model_copy(update={"url": "s3://no-such-bucket-here/x"})
    data = open_datastore(gone, null_cache(), KEYS)
    for operation in (data.list, lambda: data.exists("f"), lambda: data.write("f", io.BytesIO(b"1"))):
        with pytest.raises(StoreUnavailable, match=r"there is no bucket 'no-such-bucket-here'. Make it, or correct"):
            operation()


def test_an_address_at_which_nobody_answers(config: ObjectStoreConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airloom.storage.obstore_files._RETRY", {"max_retries": 0})
    nobody = config.model_copy(update={"options": {**config.options, "endpoint_url": "http://127.0.0.1:1"}})
    for operation in operations(open_datastore(nobody, null_cache(), KEYS)):
        with pytest.raises(StoreUnavailable, match=r"s3://.* cannot be used: it cannot be reached") as caught:
            operation()
        assert SECRET not in str(caught.value)


def test_credentials_that_are_refused(config: ObjectStoreConfig, moto_s3: MotoS3) -> None:
    data = open_datastore(config, null_cache(), KEYS)
    httpx.post(f"{moto_s3.endpoint}/moto-api/reset-auth", content="0").raise_for_status()
    try:
        for operation in operations(data):
            with pytest.raises(StoreUnavailable, match=r"refuses the credentials .*Check the connection") as caught:
                operation()
            assert SECRET not in str(caught.value)
    finally:
        httpx.post(f"{moto_s3.endpoint}/moto-api/reset-auth", content="Infinity").raise_for_status()


def test_options_that_make_no_sense(config: ObjectStoreConfig) -> None:
    odd = config.model_copy(update={"options": {**config.options, "colour": "green"}})
    with pytest.raises(InvalidGraph, match="'colour' is no option of s3"):
        open_datastore(odd, null_cache(), KEYS)


@pytest.mark.parametrize("url", ["s3://key:secret@bucket", "s3://bucket?token=1", "bucket", "s3:///prefix"])
def test_addresses_that_are_none_or_hold_secrets(config: ObjectStoreConfig, url: str) -> None:
    with pytest.raises(InvalidName, match=r"may hold no credentials|is not the address of an object store") as caught:
        open_datastore(config.model_copy(update={"url": url}), null_cache(), KEYS)
    assert "secret@" not in str(caught.value)


def test_names_too_long_for_a_key_are_refused(data: DatastoreHandle) -> None:
    with pytest.raises(InvalidName, match="too long for the key of an object"):
        data.write("/".join(["d" * 200] * 6), io.BytesIO(b""))


# --- being killed ---------------------------------------------------------------------------------------------------

PUBLISH = """
import sys
from pathlib import Path
from typing import Any
from airloom.storage.datastore_config import ObjectStoreConfig
from airloom.storage.open_datastore import open_datastore
from airloom.storage.secrets import EnvironmentSecrets
from airloom.storage.stat_cache import null_cache

config = ObjectStoreConfig.model_validate_json(sys.argv[1])
open_datastore(config, null_cache(), EnvironmentSecrets()).publish(Path(sys.argv[2]), "out", overwrite=True)
"""


def test_a_publisher_that_is_killed_leaves_nothing_to_see_and_the_next_one_mends_it(
    data: DatastoreHandle, config: ObjectStoreConfig, tmp_path: Path, rounds: Callable[[int, int], int]
) -> None:
    old = _tree(tmp_path / "old", "old", 3)
    kept = scan_tree(old, null_cache())
    data.publish(old, "out")
    environment = {**os.environ, "AIRFLOW_CONN_S3": f"aws://AKIAEXAMPLE:{SECRET}@"}
    seen = set()
    for attempt in range(rounds(3, 20)):
        new = _tree(tmp_path / f"new-{attempt}", f"new {attempt}", 150)
        process = subprocess.Popen([sys.executable, "-c", PUBLISH, config.model_dump_json(), new], env=environment)
        moment = ("marked", "half", "hidden")[attempt % 3]
        while process.poll() is None and not _reached(data, moment):
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
        seen.add(data.exists("out"))
        if data.exists("out"):
            assert data.scan("out") in (kept, scan_tree(new, null_cache()))
        again = _tree(tmp_path / f"again-{attempt}", f"again {attempt}", 5)
        kept = scan_tree(again, null_cache())
        data.publish(again, "out", overwrite=True)
        assert data.scan("out") == kept
    assert False in seen, "no publisher was killed in the middle"


def _tree(root: Path, text: str, count: int) -> Path:
    root.mkdir()
    for number in range(count):
        (root / f"{number}.txt").write_text(f"{text} {number}")
    return root


def _reached(data: DatastoreHandle, moment: str) -> bool:
    if moment == "half":
        return _raw_count(data) > 60
    return not data.exists("out")


def _raw_count(data: DatastoreHandle) -> int:
    """All objects that lie there, whether readers see them or not."""
    return sum(1 for _ in data._files.find("out"))  # type: ignore[attr-defined]


def test_without_leave_to_overwrite_a_finished_folder_stays(data: DatastoreHandle, tmp_path: Path) -> None:
    data.publish(_tree(tmp_path / "one", "one", 2), "out")
    before = data.digest("out")
    with pytest.raises(AlreadyExists, match="already has 'out'"):
        data.publish(_tree(tmp_path / "two", "two", 2), "out")
    assert data.digest("out") == before
