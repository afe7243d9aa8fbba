"""Transfers through a proxy that breaks connections: each ends right or fails cleanly, and none is silently wrong."""

from __future__ import annotations

import io
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airloom.errors import AirloomError
from airloom.storage import azure_container, azure_marker
from airloom.storage.azure_access import BLOCK
from airloom.storage.azure_copies import copy_within_account
from airloom.storage.azure_datastore import AzureBlobDatastore
from airloom.storage.datastores import Download
from tests.integration.blob.conftest import OpenDatastore
from tests.integration.blob.faulty_proxy import FAULTS, FaultyProxy
from tests.support.azurite import Azurite

pytestmark = [
    pytest.mark.integration,
    pytest.mark.azurite,
    pytest.mark.thorough,
    pytest.mark.timeout(1800),
]

RATE = 0.3
PAUSES = (0.0, 0.01, 0.02)
"""Fewer repetitions than usual, so that some transfers fail."""

Tree = dict[str, bytes]


@pytest.fixture
def proxy(azurite: Azurite) -> Iterator[FaultyProxy]:
    with FaultyProxy(azurite.port, rate=RATE, seed=5) as proxy:
        yield proxy


@pytest.fixture
def through(
    open_blob: OpenDatastore, azurite: Azurite, proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch
) -> AzureBlobDatastore:
    """A datastore behind the proxy, which gives up early, and whose markers are free soon."""
    monkeypatch.setattr(azure_marker, "LEASE_SECONDS", 15)
    endpoint = azurite.endpoint.replace(f":{azurite.port}/", f":{proxy.port}/")
    datastore = open_blob(endpoint=endpoint)
    datastore.container.pauses = PAUSES
    return datastore


class Transfers:
    """What the datastore should hold, by what was done to it; each transfer checks what it can, and tells its end."""

    def __init__(self, through: AzureBlobDatastore, direct: AzureBlobDatastore, folder: Path) -> None:
        self.through, self.direct, self.folder = through, direct, folder
        self.random = random.Random(7)
        self.expected: dict[str, Tree] = {}
        self.ends: Counter[str] = Counter()

    def content(self, size: int) -> bytes:
        return self.random.randbytes(size)

    def tree(self) -> Tree:
        files = {f"deep/{number}.bin": self.content(self.random.randrange(0, 20_000)) for number in range(12)}
        return {**files, "large": self.content(BLOCK + self.random.randrange(BLOCK))}

    def one(self, number: int) -> None:
        kinds: list[Callable[[str], None]] = [self.publish, self.replace, self.fetch, self.read, self.write, self.copy]
        kind = kinds[number % len(kinds)] if self.expected else self.publish
        path = f"{kind.__name__}/{number}" if kind in (self.publish, self.write, self.copy) else ""
        path = path or self.random.choice(sorted(self.expected))
        try:
            kind(path)
            self.ends[f"{kind.__name__} done"] += 1
        except AirloomError:
            self.ends[f"{kind.__name__} failed"] += 1

    def publish(self, path: str) -> None:
        self._publish(path, self.tree(), overwrite=False)

    def replace(self, path: str) -> None:
        self._publish(path, self.tree(), overwrite=True)

    def _publish(self, path: str, tree: Tree, *, overwrite: bool) -> None:
        staged = self.folder / "staged"
        shutil.rmtree(staged, ignore_errors=True)
        for name, data in tree.items():
            (staged / name).parent.mkdir(parents=True, exist_ok=True)
            (staged / name).write_bytes(data)
        old = self.expected.get(path)
        try:
            self.through.publish(staged, path, overwrite=overwrite)
        except AirloomError:
            now = self.held(path)
            assert now in ({}, old, tree), "a part of a folder is visible"
            self.expected.pop(path, None)
            if now:
                self.expected[path] = now
            raise
        self.expected[path] = tree
        assert self.held(path) == tree

    def fetch(self, path: str) -> None:
        target = self.folder / "fetched"
        shutil.rmtree(target, ignore_errors=True)
        infos = self.through.list(path)
        expected = self.expected[path]
        assert {info.path.removeprefix(f"{path}/") for info in infos} == set(expected)
        downloads = [Download(info, target / info.path.removeprefix(f"{path}/")) for info in infos]
        try:
            self.through.fetch(downloads, lambda info: None)
        finally:
            here = [file for file in target.rglob("*") if file.is_file()]
            assert all(expected[str(file.relative_to(target))] == file.read_bytes() for file in here)
        assert len(here) == len(expected)

    def read(self, path: str) -> None:
        with self.through.open_read(f"{path}/large") as stream:
            assert stream.read() == self.expected[path]["large"]

    def write(self, path: str) -> None:
        data = self.content(self.random.choice([0, 5_000, 2 * BLOCK + 1]))
        try:
            self.through.write(f"{path}/large", io.BytesIO(data), overwrite=self.random.random() < 0.5)
        except AirloomError:
            assert self.held(path) in ({}, {"large": data})
            raise
        self.expected[path] = {"large": data}
        assert self.held(path) == {"large": data}

    def copy(self, path: str) -> None:
        source = self.random.choice(sorted(self.expected))
        tree = self.expected[source]
        try:
            copy_within_account(self.through, source, self.through, path)
        except AirloomError:
            assert self.held(path) in ({}, tree)
            raise
        self.expected[path] = tree
        assert self.held(path) == tree

    def held(self, path: str) -> Tree:
        """What a reader with a good connection sees."""
        target = self.folder / "held"
        shutil.rmtree(target, ignore_errors=True)
        infos = self.direct.list(path)
        self.direct.fetch([Download(info, target / info.path) for info in infos], lambda info: None)
        return {info.path.removeprefix(f"{path}/"): (target / info.path).read_bytes() for info in infos}


def test_no_transfer_is_silently_wrong(
    through: AzureBlobDatastore,
    open_blob: OpenDatastore,
    proxy: FaultyProxy,
    tmp_path: Path,
    rounds: Callable[[int, int], int],
) -> None:
    transfers = Transfers(through, open_blob(), tmp_path)
    count = rounds(40, 200)
    for number in range(count):
        transfers.one(number)
    assert transfers.ends.total() == count
    assert set(proxy.met) == set(FAULTS)
    assert any(end.endswith("failed") for end in transfers.ends)
    assert sum(count for end, count in transfers.ends.items() if end.endswith("done")) > count / 2
    for path, tree in transfers.expected.items():
        assert transfers.held(path) == tree


def test_the_usual_patience_brings_every_transfer_to_its_end(
    through: AzureBlobDatastore, open_blob: OpenDatastore, proxy: FaultyProxy, tmp_path: Path
) -> None:
    through.container.pauses = azure_container.PAUSES
    transfers = Transfers(through, open_blob(), tmp_path)
    for number in range(6):
        transfers.one(number)
    assert {end.split()[1] for end in transfers.ends} == {"done"}
    assert proxy.met.total() > 0
