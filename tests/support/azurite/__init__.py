"""Azurite, the emulator of Azure Blob Storage: installed with npm, started on a free port, ended with the session."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest
from azure.storage.blob import BlobServiceClient

FILES = ("package.json", "package-lock.json")
HERE = Path(__file__).parent
CACHE = HERE.parents[2] / ".cache"
ACCOUNT = "airloomtests"
LISTENS = re.compile(r"listens on http://127\.0\.0\.1:(\d+)")


@dataclass(frozen=True)
class Azurite:
    """A running emulator with one account. Every container that a test asks for is new and empty."""

    port: int
    key: str = field(repr=False)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}/{ACCOUNT}"

    @property
    def connection_string(self) -> str:
        return self.connection_string_through(self.endpoint)

    def connection_string_through(self, endpoint: str) -> str:
        """The credentials for another way to the emulator, such as a proxy."""
        return f"AccountName={ACCOUNT};AccountKey={self.key};BlobEndpoint={endpoint};"

    def client(self) -> BlobServiceClient:
        return BlobServiceClient.from_connection_string(self.connection_string)

    def new_store(self, prefix: str = "") -> str:
        """The address of an empty store, in a container of its own."""
        name = f"test-{uuid4().hex}"
        self.client().create_container(name)
        return f"azure://{ACCOUNT}/{name}{prefix}"


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    """One emulator for the whole session."""
    npm = shutil.which("npm") or _install_npm()
    if npm is None:
        pytest.skip("npm is not installed: install nodejs and npm, or run the tests as root")
    with running_azurite(npm) as emulator:
        yield emulator


@contextmanager
def running_azurite(npm: str = "npm") -> Iterator[Azurite]:
    """An emulator of one's own; it keeps everything in memory."""
    key = base64.b64encode(secrets.token_bytes(64)).decode()
    server = subprocess.Popen(
        [
            "node",
            str(_installed(npm) / "node_modules/azurite/dist/src/blob/main.js"),
            *("--blobHost", "127.0.0.1", "--blobPort", "0"),
            *("--inMemoryPersistence", "--skipApiVersionCheck", "--silent", "--disableTelemetry"),
        ],
        env={**os.environ, "AZURITE_ACCOUNTS": f"{ACCOUNT}:{key}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield Azurite(_port_of(server), key)
    finally:
        server.terminate()
        server.communicate(timeout=30)


def _port_of(server: subprocess.Popen[str]) -> int:
    """The port, once the emulator has printed it."""
    assert server.stdout is not None
    printed = []
    for line in server.stdout:
        printed.append(line)
        if found := LISTENS.search(line):
            return int(found.group(1))
    raise RuntimeError(f"Azurite did not start:\n{''.join(printed)}")


def _installed(npm: str) -> Path:
    """The folder in which the emulator is installed, at the versions of the lock file; made by the first session."""
    digest = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in FILES)).hexdigest()
    folder = CACHE / f"azurite-{digest[:12]}"
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "azurite.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():
            return folder
        new = CACHE / "azurite-new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir()
        for name in FILES:
            shutil.copy(HERE / name, new)
        command = [npm, "ci", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=new, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"npm could not install Azurite:\n{done.stderr}")
        return new.rename(folder)


def _install_npm() -> str | None:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return None
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "--quiet", "--yes", "--no-install-recommends", "nodejs", "npm"]
    for command in (["apt-get", "update", "--quiet"], install):
        if subprocess.run(command, env=environment, capture_output=True, check=False).returncode != 0:
            return None
    return shutil.which("npm")
