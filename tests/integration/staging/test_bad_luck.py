"""A disk that is full, files that change while they are read, datastores that refuse: clear errors, no half files."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from airloom.errors import IntegrityError, NotFound, StoreUnavailable
from airloom.storage.content_cache import ContentCache
from airloom.storage.content_shelf import Content
from airloom.storage.stat_cache import null_cache
from tests.integration.staging.conftest import BlobHost
from tests.integration.staging.test_steps import blob_input, seen
from tests.support.azurite import ACCOUNT

pytestmark = [pytest.mark.integration, pytest.mark.azurite]

ON_SMALL_DISK = """
import sys
from pathlib import Path
from airloom.errors import AirloomError
from airloom.runner import StepRunner, StepSpec
from airloom.storage.datastores import Download
from airloom.storage.object_store import open_store
from airloom.storage.workspace import WorkspaceStore

disk, address, *specs = sys.argv[1:]
datastore = WorkspaceStore(open_store(address), "default").datastore("blobs")
files = [Download(info, Path(disk, f"copy-{at}")) for at, info in enumerate(datastore.list("parts"))]
try:
    datastore.fetch(files, lambda info: None)
except OSError as error:
    print(error.strerror)
print([file.info.size for file in files if file.target.exists() and file.target.stat().st_size != file.info.size])
print([path.name for path in Path(disk).iterdir() if not path.name.startswith("copy-")])
for file in files:
    file.target.unlink(missing_ok=True)
for path in specs:
    spec = StepSpec.model_validate_json(Path(path).read_text())
    try:
        StepRunner(spec, on_line=lambda *line: None, cache_dir=Path(disk, "cache")).run()
        print("done")
    except AirloomError as error:
        print(error.code, error)
"""


def test_a_full_disk(host: BlobHost) -> None:
    """On a real small disk, in a name space of its own."""
    for number in range(4):
        host.put_blob(f"parts/{number}", bytes([number]) * 3_000_000)
    host.put_blob("large", b"l" * 20_000_000)
    host.put_blob("small", b"s" * 3_000_000)
    specs = []
    for name in ("small", "large", "small"):
        path = host.root / f"{len(specs)}.json"
        path.write_text(host.step("", inputs=(blob_input(name),)).model_dump_json())
        specs.append(str(path))
    disk = host.root / "disk"
    disk.mkdir()
    mount = 'mount -t tmpfs -o size=10m none "$1" && shift && exec "$@"'
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c", mount, "sh", str(disk)]
    python = [sys.executable, "-c", ON_SMALL_DISK, str(disk), host.address, *specs]
    environment = {**os.environ, "AIRLOOM_CACHE_SIZE": "1GB"}
    done = subprocess.run([*command, *python], capture_output=True, text=True, check=False, env=environment)
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"THIS MACHINE LETS NOBODY MOUNT A SMALL DISK: {done.stderr}")
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert said[:3] == ["No space left on device", "[]", "[]"], "no file is cut, and nothing else is left"
    assert said[3] == said[5] == "done"
    assert said[4].startswith(f"DiskFull The disk of {disk}/cache/content is full: 20000000 bytes are to be written")


def test_a_file_that_is_replaced_while_it_is_read(host: BlobHost, tmp_path: Path) -> None:
    for name in ("a", "b"):
        host.put_blob(f"two/{name}", name.encode() * 9_000_000)
    datastore = host.store.datastore("blobs")
    contents = [Content.of(datastore, info) for info in datastore.list("two")]
    cache = ContentCache(tmp_path / "content", null_cache())

    def replace() -> None:
        datastore.write("two/b", io.BytesIO(b"B" * 9_000_000))

    with pytest.raises(IntegrityError, match="'two/b' of the datastore 'blobs' was changed or removed while"):
        cache.in_use(contents, replace).__enter__()
    kept = [path.stat().st_size for path in (tmp_path / "content/files").rglob("*") if path.is_file()]
    assert kept == [9_000_000], "what came before is whole"
    assert seen(host, blob_input("two"))["files"] == {"a": "a" * 9_000_000, "b": "B" * 9_000_000}


def test_wrong_keys_and_missing_containers_are_named(host: BlobHost, monkeypatch: pytest.MonkeyPatch) -> None:
    host.put_blob("x", "1")
    config = host.store.datastore("blobs").config
    host.store.put_datastore(config.model_copy(update={"container": "none-such"}))
    with pytest.raises((NotFound, StoreUnavailable), match="none-such"):
        seen(host, blob_input("x"))
    host.store.put_datastore(config)
    monkeypatch.setenv("AIRFLOW_CONN_BLOBS", json.dumps({"login": ACCOUNT, "password": "d3Jvbmc="}))
    with pytest.raises(StoreUnavailable, match="'blobs'") as caught:
        seen(host, blob_input("x"))
    assert "d3Jvbmc=" not in str(caught.value)
    monkeypatch.delenv("AIRFLOW_CONN_BLOBS")
    with pytest.raises(NotFound, match="There is no connection 'blobs'"):
        seen(host, blob_input("x"))


@pytest.mark.parametrize("path", ["../x", "/x", "a/../../x"])
def test_a_path_that_climbs_out_is_refused(host: BlobHost, path: str) -> None:
    from airloom.errors import UnsafePath

    with pytest.raises(UnsafePath):
        seen(host, blob_input(path))
