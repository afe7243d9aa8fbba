"""The tables: made, compared, migrated and dropped by Airflow's own commands, on SQLite and PostgreSQL."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect

from airloom.plugins.db import datasets, published  # noqa: F401  # their tables are part of the metadata
from airloom.plugins.db.models import Base
from tests.integration.api.server import DB_MANAGER, ApiServer

VERSION_TABLE = "airloom_alembic_version"
TABLES = {*Base.metadata.tables, VERSION_TABLE}
PUBLISHED = {f"airloom_{name}" for name in ("pipeline", "endpoint", "endpoint_version", "schedule", "draft")}
DATASETS = {f"airloom_{name}" for name in ("dataset", "dataset_version", "dataset_registration")}
Airflow = Callable[..., str]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest, sqlite_server: ApiServer, tmp_path: Path) -> Iterator[str]:
    """A database that `airflow db migrate` has made."""
    if request.param == "sqlite":
        # A copy of the server's: it was made by the very same command.
        shutil.copy(sqlite_server.home / "airflow.db", tmp_path / "airflow.db")
        yield f"sqlite:///{tmp_path / 'airflow.db'}"
        return
    address = request.getfixturevalue("postgres_database")
    sqlite_server.airflow("db", "migrate", database=address)
    yield address


def our_tables(database: str) -> set[str]:
    engine = create_engine(database)
    try:
        return {name for name in inspect(engine).get_table_names() if name.startswith("airloom_")}
    finally:
        engine.dispose()


def differences(database: str) -> list[Any]:
    """What alembic would change to make the database what the models say; Airflow's tables are not its business."""
    engine = create_engine(database)
    options = {
        "version_table": VERSION_TABLE,
        "compare_type": True,
        "include_object": lambda _, name, kind, *rest: kind != "table" or name in Base.metadata.tables,
    }
    try:
        with engine.connect() as connection:
            return list(compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata))
    finally:
        engine.dispose()


def test_life_of_the_tables(sqlite_server: ApiServer, database: str) -> None:
    """Made from the models, dropped by downgrade, made again by the migrations: the same tables both times."""
    assert our_tables(database) == TABLES
    assert differences(database) == []
    sqlite_server.airflow("db", "check-migrations", "--migration-wait-timeout", "1", database=database)
    sqlite_server.airflow("db-manager", "downgrade", DB_MANAGER, "--to-revision", "base", "--yes", database=database)
    assert our_tables(database) == {VERSION_TABLE}
    sqlite_server.airflow("db-manager", "migrate", DB_MANAGER, "--to-revision", "0003", database=database)
    assert our_tables(database) == TABLES
    assert differences(database) == []
    sqlite_server.airflow("db", "reset", "--skip-init", "--yes", database=database)
    assert our_tables(database) == set()


def test_runs_survive_the_migration_to_published_pipelines_and_back(sqlite_server: ApiServer, database: str) -> None:
    sqlite_server.airflow("db-manager", "downgrade", DB_MANAGER, "--to-revision", "0001", "--yes", database=database)
    engine = create_engine(database)
    now = "'2026-07-01 08:00:00'"
    with engine.begin() as connection:
        for statement in (
            "INSERT INTO airloom_workspace (id, name, friendly_name, description, tags, default_datastore, created_at,"
            f" created_by) VALUES (7000077, 'old', '', '', '{{}}', 'd', {now}, '')",
            "INSERT INTO airloom_experiment (id, workspace_id, name, description, tags, created_at, archived)"
            f" VALUES (7000077, 7000077, 'first', '', '{{}}', {now}, false)",
            "INSERT INTO airloom_run (id, workspace_id, experiment_id, dag_id, definition, display_name, description,"
            " tags, properties, parameters, reuse, created_at, created_by)"
            f" VALUES ('r1', 7000077, 7000077, 'd.1', '1', '', '', '{{}}', '{{}}', '{{}}', 'auto', {now}, '')",
        ):
            connection.exec_driver_sql(statement)
    sqlite_server.airflow("db-manager", "migrate", DB_MANAGER, "--to-revision", "0002", database=database)
    query = "SELECT id, airflow_run_id, source FROM airloom_run WHERE workspace_id = 7000077"
    with engine.connect() as connection:
        assert connection.exec_driver_sql(query).all() == [("r1", "r1", "SDK")]
    sqlite_server.airflow("db-manager", "downgrade", DB_MANAGER, "--to-revision", "0001", "--yes", database=database)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT id FROM airloom_run WHERE workspace_id = 7000077").all() == [("r1",)]
    engine.dispose()
    assert our_tables(database) == TABLES - PUBLISHED - DATASETS


def test_names_do_not_meet_those_of_airflow() -> None:
    """All tables share a database with Airflow's."""
    assert all(name.startswith("airloom_") for name in TABLES)
