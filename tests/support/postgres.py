"""A PostgreSQL server for the tests: installed if it can be, started in a temporary folder, ended with the session."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

SUPERUSER = "airloom"
# Members of this role must give their password; all others are trusted.
GUARDED = "guarded"
# PostgreSQL refuses to run as root; the first of these accounts that exists runs it instead.
UNPRIVILEGED = ("postgres", "nobody")


@dataclass(frozen=True)
class PostgresServer:
    """A running server. Every database that a test asks for is new and empty."""

    port: int

    def address(self, database: str, driver: str = "postgresql") -> str:
        """The SQLAlchemy address of a database; `driver` is like "postgresql+psycopg2"."""
        return f"{driver}://{SUPERUSER}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """Create an empty database and return its name."""
        name = f"test_{uuid4().hex}"
        self.execute(f'CREATE DATABASE "{name}"')
        return name

    def guarded_address(self, database: str, password: str) -> str:
        """The address of a database for a new user, who has no rights in it but to connect, with this password."""
        user = f"user_{uuid4().hex}"
        self.execute(f"CREATE USER {user} IN ROLE {GUARDED} PASSWORD '{password}'")
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str) -> None:
        """Do something as the superuser."""
        import psycopg2

        with closing(psycopg2.connect(self.address("postgres"))) as connection:
            connection.autocommit = True
            connection.cursor().execute(statement)


@dataclass(frozen=True)
class MortalPostgresServer(PostgresServer):
    """A server of a test's own that keeps what it has committed, so it may be killed and started again."""

    binaries: Path
    folder: Path

    def kill(self) -> None:
        """SIGKILL to the postmaster, and to the processes that serve its clients."""
        postmaster = psutil.Process(int((self.folder / "data" / "postmaster.pid").read_text().split()[0]))
        family = [postmaster, *postmaster.children(recursive=True)]
        for process in family:
            process.kill()
        psutil.wait_procs(family)

    def start_again(self) -> None:
        """Start it on the same data and port; it recovers what was committed before it was killed."""
        _start(self.binaries, self.folder, self.port, durable=True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One PostgreSQL server for the whole session, on a free port of 127.0.0.1."""
    with _cluster() as (binaries, folder, port):
        _start(binaries, folder, port, durable=False)
        server = PostgresServer(port)
        server.execute(f"CREATE ROLE {GUARDED}")
        yield server


@contextmanager
def mortal_postgres() -> Iterator[MortalPostgresServer]:
    """A PostgreSQL server with fsync, which the caller may kill."""
    with _cluster() as (binaries, folder, port):
        _start(binaries, folder, port, durable=True)
        yield MortalPostgresServer(port, binaries, folder)


@contextmanager
def _cluster() -> Iterator[tuple[Path, Path, int]]:
    """The programs, an initialised folder, and a free port. What runs in the folder at the end is stopped."""
    binaries = _find_binaries() or _install_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed: install the `postgresql` package, or run the tests as root")
    folder = Path(tempfile.mkdtemp(prefix="airloom-postgres-"))
    try:
        account = _account()
        if account is not None:
            os.chown(folder, account.pw_uid, account.pw_gid)
        _initialize(binaries, folder)
        yield binaries, folder, _free_port()
    finally:
        _run(binaries / "pg_ctl", "stop", "--pgdata", folder / "data", "--mode", "immediate", check=False)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_database(postgres_server: PostgresServer) -> str:
    """The SQLAlchemy address of an empty PostgreSQL database."""
    return postgres_server.address(postgres_server.new_database(), "postgresql+psycopg2")


def _find_binaries() -> Path | None:
    """The folder that holds initdb, pg_ctl and postgres; Debian keeps it off the PATH, one per version."""
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version, reverse=True):
        if (folder / "initdb").exists():
            return folder
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


def _version(folder: Path) -> int:
    return int(folder.parent.name) if folder.parent.name.isdigit() else 0


def _install_binaries() -> Path | None:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return None
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "--quiet", "--yes", "--no-install-recommends", "postgresql"]
    for command in (["apt-get", "update", "--quiet"], install):
        if subprocess.run(command, env=environment, capture_output=True, check=False).returncode != 0:
            return None
    return _find_binaries()


def _account() -> pwd.struct_passwd | None:
    """The account that runs the server, or None for the present one."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    return next(known[name] for name in UNPRIVILEGED if name in known)


def _initialize(binaries: Path, folder: Path) -> None:
    data = folder / "data"
    _run(binaries / "initdb", "--pgdata", data, "--username", SUPERUSER, "--auth", "trust", "--encoding", "UTF8")
    rules = data / "pg_hba.conf"
    rules.write_text(f"host all +{GUARDED} 127.0.0.1/32 scram-sha-256\n{rules.read_text()}")


def _start(binaries: Path, folder: Path, port: int, *, durable: bool) -> None:
    # Durability is of no use to a database that is thrown away.
    fast = "" if durable else " -c fsync=off -c synchronous_commit=off"
    options = f"-c listen_addresses=127.0.0.1 -p {port} -k {folder}{fast}"
    start = ("start", "--pgdata", folder / "data", "--wait", "--log", folder / "log", "--options", options)
    _run(binaries / "pg_ctl", *start)


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _run(*command: str | Path, check: bool = True) -> None:
    account = _account()
    # Neither the working folder nor the environment of root is fit for the other account.
    done = subprocess.run(
        [str(part) for part in command],
        user=account.pw_uid if account else None,
        group=account.pw_gid if account else None,
        extra_groups=[] if account else None,
        cwd="/",
        env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=120,
    )
    if check and done.returncode != 0:
        raise RuntimeError(f"{command[0]} failed with {done.returncode}:\n{done.stdout}")
