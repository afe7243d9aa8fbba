"""To, from and within Azure Blob Storage, on Azurite."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from airloom.errors import AlreadyExists, IntegrityError
from airloom.storage.datastore_config import AzureBlobConfig
from airloom.storage.secrets import Connection
from airloom.transfer import plan as plan_module
from airloom.transfer.azure_target import AzureTarget
from tests.support.azurite import Azurite
from tests.support.transfers import TransferBench

pytestmark = [pytest.mark.integration, pytest.mark.azurite]

ACCOUNT = "airloomtests"


@pytest.fixture
def bench(tmp_path: Path, azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> TransferBench:
    """A bench with the datastores `blob` and `other` in one account, whose pieces have 100 kB."""
    monkeypatch.setattr(plan_module, "PIECE", 100_000)
    containers = [azurite.new_store().rpartition("/")[2] for _ in range(2)]
    return bench_with(tmp_path, azurite.connection_string, azurite.endpoint, *containers)


def bench_with(folder: Path, connection_string: str, endpoint: str, *containers: str) -> TransferBench:
    bench = TransferBench(folder, {"account": Connection(extra={"connection_string": connection_string})})
    for name, container in zip(("blob", "other"), containers, strict=True):
        bench.add(
            AzureBlobConfig(
                name=name, account=ACCOUNT, container=container, prefix="pre", endpoint=endpoint, connection="account"
            )
        )
    return bench


def digests(bench: TransferBench, datastore: str, path: str) -> str:
    return bench.workspace.datastore(datastore).digest(path)


def foreign(bench: TransferBench, path: str, data: bytes) -> None:
    """A blob that somebody else has uploaded: without a digest."""
    from airloom.storage.azure_datastore import AzureBlobDatastore

    handle = bench.workspace.datastore("blob")
    assert isinstance(handle, AzureBlobDatastore)
    handle.container.blob(path).upload_blob(data, overwrite=True)


def test_a_folder_goes_up_and_comes_back(bench: TransferBench) -> None:
    files = {"a.txt": b"a", "sub/b.bin": os.urandom(250_000), "sub/empty": b""}
    for name, content in files.items():
        bench.write(f"d/{name}", content)
    up = bench.run("here/d", "blob/up/d")
    assert up is not None
    assert up.digest == digests(bench, "here", "d") == digests(bench, "blob", "up/d")
    back = bench.run("blob/up/d", "there/back")
    assert back is not None
    assert back.digest == up.digest
    assert bench.there() == {f"back/{name}": content for name, content in files.items()}


def test_a_folder_that_is_replaced_has_only_the_new_files(bench: TransferBench) -> None:
    bench.write("one/a", b"a" * 150_000)
    bench.write("one/b", b"b")
    bench.write("two/a", b"new")
    bench.run("here/one", "blob/d")
    bench.run("here/two", "blob/d")
    assert [info.path for info in bench.workspace.datastore("blob").list("d")] == ["d/a"]
    bench.run("here/two/a", "blob/d", destination_type="directory")
    assert "the destination has this content already; nothing is copied" in bench.lines
    with pytest.raises(AlreadyExists):
        bench.run("here/two/a", "blob/d", destination_type="file")


def test_within_an_account_azure_copies(bench: TransferBench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.write("d/a", os.urandom(250_000))
    bench.write("d/sub/b", b"b")
    bench.run("here/d", "blob/d")
    monkeypatch.delattr(AzureTarget, "put")  # no byte comes through this machine
    for source, destination in (("blob/d", "other/copy"), ("blob/d/a", "other/file")):
        copied = bench.run(source, destination)
        assert copied is not None
        assert copied.digest == digests(bench, *source.split("/", 1))
    assert bench.lines.count("copied by the storage account itself") == 2


def test_blobs_that_others_have_uploaded_come_down_whole(bench: TransferBench) -> None:
    content = os.urandom(250_000)
    foreign(bench, "theirs/a.bin", content)
    bench.run("blob/theirs", "there/d")
    assert bench.there() == {"d/a.bin": content}


def test_a_blob_that_changes_while_it_is_read_leaves_nothing(bench: TransferBench) -> None:
    foreign(bench, "theirs/a.bin", b"a" * 250_000)

    class Meddler(list[str]):
        def append(self, line: str) -> None:
            super().append(line)
            if "pieces" in line:
                foreign(bench, "theirs/a.bin", b"b" * 250_000)

    bench.lines = Meddler()
    with pytest.raises(IntegrityError, match="was changed"):
        bench.run("blob/theirs/a.bin", "there/b.bin")
    assert bench.there() == {}


KILLED = """
import os, signal, sys, threading
from pathlib import Path
from airloom.storage import azure_marker
from airloom.transfer import plan
from airloom.transfer.azure_target import AzureTarget
from tests.integration.transfer.test_blob import bench_with

plan.PIECE = 100_000
azure_marker.LEASE_SECONDS = 15  # the least that Azure knows
folder, string, endpoint, one, other, method, count, *addresses = sys.argv[1:]
original, lock, done = getattr(AzureTarget, method), threading.Lock(), []

def dying(self, *args):
    with lock:
        done.append(args)
        if len(done) > int(count):
            os.kill(os.getpid(), signal.SIGKILL)
    return original(self, *args)

setattr(AzureTarget, method, dying)
bench_with(Path(folder), string, endpoint, one, other).run(*addresses)
"""


@pytest.mark.parametrize(("files", "size"), [(1, 2_500_000), (5, 400_000)])
def test_whoever_uploads_again_after_a_kill_sends_only_what_lacks(
    bench: TransferBench, azurite: Azurite, monkeypatch: pytest.MonkeyPatch, files: int, size: int
) -> None:
    for number in range(files):
        bench.write(f"d/{number}", os.urandom(size))
    source, destination = ("here/d/0", "blob/up") if files == 1 else ("here/d", "blob/up")
    pieces = files * size // 100_000
    kill(bench, azurite, "put", 12, source, destination)
    assert not bench.workspace.datastore("blob").exists("up")
    sent: list[Any] = []
    put = AzureTarget.put
    monkeypatch.setattr(AzureTarget, "put", lambda self, *args: (sent.append(args[:2]), put(self, *args)))
    ref = bench.run(source, destination)
    assert ref is not None
    assert ref.digest == digests(bench, *source.split("/", 1)) == digests(bench, "blob", "up")
    assert pieces - 12 <= len(sent) <= pieces - 12 + 8  # those under way were lost, and no other
    bench.run("blob/up", "there/back")
    assert content_of(bench.folder / "there" / "back") == content_of(bench.folder / source)


def test_whoever_is_killed_while_the_files_are_made_visible_leaves_a_hidden_folder(
    bench: TransferBench, azurite: Azurite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one waits until Azure has forgotten the lease of the first, and sends nothing again."""
    for number in range(20):
        bench.write(f"d/{number}", os.urandom(1000))
    kill(bench, azurite, "_commit", 9, "here/d", "blob/up")
    assert not bench.workspace.datastore("blob").exists("up")
    monkeypatch.delattr(AzureTarget, "put")
    ref = bench.run("here/d", "blob/up")
    assert ref is not None
    assert ref.digest == digests(bench, "here", "d") == digests(bench, "blob", "up")


def kill(bench: TransferBench, azurite: Azurite, method: str, count: int, *addresses: str) -> None:
    configs = bench.workspace.datastores()
    containers = [config.container for config in configs.values() if isinstance(config, AzureBlobConfig)]
    arguments = [str(bench.folder), azurite.connection_string, azurite.endpoint, *containers, method, str(count)]
    killed = subprocess.run([sys.executable, "-c", KILLED, *arguments, *addresses], check=False)
    assert killed.returncode == -signal.SIGKILL


def content_of(path: Path) -> dict[str, str]:
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    return {
        str(file.relative_to(path)) if path.is_dir() else "": hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files
    }
