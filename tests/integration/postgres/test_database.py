"""`airloom up --database`: tables made in an empty database, kept over restarts, and clear words when it cannot be."""

from __future__ import annotations

import json
import stat
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from airloom.embedded import database as home_database
from airloom.embedded import postgres
from airloom.embedded.home import Home
from tests.integration.postgres.conftest import PASSWORD
from tests.support.postgres import PostgresServer
from tests.support.server import AIRLOOM, RunningServer
from tests.support.small_pipeline import SmallPipeline

pytestmark = [pytest.mark.integration, pytest.mark.postgres]

OURS = {"airloom_workspace", "airloom_datastore", "airloom_compute", "airloom_experiment", "airloom_run"}


@contextmanager
def cursor(address: str) -> Iterator[Any]:
    with closing(psycopg2.connect(address)) as connection, connection.cursor() as cursor:
        yield cursor


def tables(address: str) -> set[str]:
    with cursor(address) as sql:
        sql.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return {name for (name,) in sql.fetchall()}


def up(home: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [AIRLOOM, "up", "--home", str(home), "--port", "0", "--detach", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_the_server_keeps_everything_there(airloom_server: RunningServer, database: str) -> None:
    assert {"dag_run", "airloom_alembic_version", *OURS} <= tables(database)
    with cursor(database) as sql:
        sql.execute("SELECT name FROM airloom_workspace")
        assert ("default",) in sql.fetchall()
    assert not (airloom_server.home / "airflow" / "airflow.db").exists()


def test_a_restart_uses_it_again_without_being_told(
    airloom_server: RunningServer, database: str, tmp_path: Path
) -> None:
    """Also when it is migrated once more: that changes nothing, and what was there before is there afterwards."""
    pipeline = SmallPipeline(airloom_server.workspace(), tmp_path)
    pipeline.prepare()
    run = pipeline.start()
    run.wait_for_completion(show_output=False)
    before = tables(database), postgres.revisions(database)
    home = Home(airloom_server.home.resolve())
    assert not home_database.needs_migration(home)
    airloom_server.cli("down")
    (home.airflow / "migrated.json").unlink()
    again = airloom_server.cli("up", "--detach", "--json")
    assert "preparing the database" in again.stderr
    assert json.loads(again.stdout)["url"] == airloom_server.url
    assert (tables(database), postgres.revisions(database)) == before
    assert run.id in {listed["id"] for listed in json.loads(airloom_server.cli("runs", "--json").stdout)}


def test_a_database_that_was_emptied_is_migrated_again(postgres_server: PostgresServer, tmp_path: Path) -> None:
    home = Home(tmp_path.resolve())
    home.create()
    address = postgres_server.address(postgres_server.new_database())
    home_database.choose(home, address)
    assert home_database.needs_migration(home)
    with closing(psycopg2.connect(address)) as connection:
        connection.autocommit = True
        with connection.cursor() as sql:
            sql.execute("CREATE TABLE alembic_version (version_num text); INSERT INTO alembic_version VALUES ('1')")
            home_database.note_migrated(home)
            assert not home_database.needs_migration(home)
            sql.execute("DROP TABLE alembic_version")
    assert home_database.needs_migration(home)


def test_a_wrong_password_is_told_before_anything_starts(postgres_server: PostgresServer, tmp_path: Path) -> None:
    address = postgres_server.guarded_address(postgres_server.new_database(), "another one")
    told = up(tmp_path / "home", "--database", address.replace("another one", PASSWORD))
    assert told.returncode == 1
    assert "cannot be used" in told.stderr
    assert "password authentication failed" in told.stderr
    assert PASSWORD not in told.stderr + told.stdout
    assert list((tmp_path / "home" / "logs").iterdir()) == []
    assert not (tmp_path / "home" / "database.json").exists()


def test_a_database_in_which_the_user_may_make_no_tables(postgres_server: PostgresServer, tmp_path: Path) -> None:
    address = postgres_server.guarded_address(postgres_server.new_database(), PASSWORD)
    told = up(tmp_path / "home", "--database", address)
    assert told.returncode == 1
    assert "may not make tables" in told.stderr
    assert "GRANT CREATE ON SCHEMA public" in told.stderr


def test_the_password_is_for_the_owner_only_and_in_no_log(airloom_server: RunningServer) -> None:
    kept = airloom_server.home / "database.json"
    assert PASSWORD in kept.read_text()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    told = airloom_server.cli("doctor", "--json").stdout
    (checked,) = [check for check in json.loads(told) if check["name"] == "database"]
    assert checked["verdict"] == "ok"
    assert ":***@" in checked["finding"]
    logs = b"".join(file.read_bytes() for file in airloom_server.home.glob("logs/**/*.log"))
    assert PASSWORD.encode() not in logs + told.encode()
