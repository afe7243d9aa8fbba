"""An S3 server for tests: moto's, as a process of its own, on a free port, ended with the session."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest

LISTENS = re.compile(r"Running on http://127\.0\.0\.1:(\d+)")


@dataclass(frozen=True)
class MotoS3:
    """A running server. Every bucket that a test asks for is new and empty."""

    port: int

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def options(self) -> dict[str, str]:
        """What a datastore must know beside its address; nothing of it is secret."""
        return {"endpoint_url": self.endpoint, "region_name": "us-east-1"}

    @property
    def client(self) -> Any:
        """A client that is not ours."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=self.options["region_name"],
            aws_access_key_id="another",
            aws_secret_access_key="another's secret",
        )

    def new_bucket(self) -> str:
        name = f"test-{uuid4().hex}"
        self.client.create_bucket(Bucket=name)
        return name


@pytest.fixture(scope="session")
def moto_s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MotoS3]:
    """One server for the whole session; it keeps everything in memory."""
    log = tmp_path_factory.mktemp("moto") / "log"
    with log.open("w") as output:  # a pipe that nobody empties would stop it after some requests
        server = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"],
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield MotoS3(_port_of(server, log))
    finally:
        server.terminate()
        server.wait(timeout=30)


def _port_of(server: subprocess.Popen[bytes], log: Path) -> int:
    """The port, once the server has written it."""
    while server.poll() is None:
        if found := LISTENS.search(log.read_text()):
            return int(found.group(1))
        time.sleep(0.05)
    raise RuntimeError(f"The S3 server did not start:\n{log.read_text()}")
