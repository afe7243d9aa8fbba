"""The rows of a query as input of a step."""

from __future__ import annotations

from pathlib import Path

import pytest

from airloom.errors import NotFound
from airloom.graph.model import DataLocation, TabularSource
from airloom.graph.tables import ColumnType, ReadOptions, Take
from airloom.reuse.workspace import ReuseWorkspace
from airloom.runner import ScriptFailed, StagedInput, TabularOptions
from airloom.storage.datastore_config import SqlConfig
from tests.support.postgres import SUPERUSER, PostgresServer
from tests.unit.runner.support import Host

pytestmark = [pytest.mark.integration, pytest.mark.postgres]

SCRIPT = """
from azureml.core import Run
rows = Run.get_context().input_datasets["rows"]
print(rows.filter(rows["n"] > 1).to_pandas_dataframe().to_dict("list"))
"""


@pytest.fixture
def host(tmp_path: Path, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A worker that knows the credentials of the datastore `db`."""
    monkeypatch.setenv("AIRFLOW_CONN_DB_LOGIN", f"postgres://{SUPERUSER}@127.0.0.1")
    host = Host(tmp_path)
    database = postgres_server.new_database()
    host.store.put_datastore(
        SqlConfig(
            name="db",
            type="azure_postgre_sql",
            host="127.0.0.1",
            port=postgres_server.port,
            database=database,
            ssl=False,
            connection="db_login",
        )
    )
    return host


def rows_of(query: str) -> StagedInput:
    """The first two rows of a query, as an input."""
    options = ReadOptions(query=query, column_types={"t": ColumnType(type="string")})
    table = TabularOptions(format="sql", options=options, transforms=(Take(count=2),))
    return StagedInput(
        name="rows",
        mode="direct",
        kind="tabular",
        paths=(DataLocation(datastore="db"),),
        digest="d" * 64,
        tabular=table,
    )


def test_a_script_gets_the_rows_of_a_query(host: Host) -> None:
    query = "SELECT n, n * 10 AS t FROM generate_series(1, 3) AS n ORDER BY n"
    host.run(host.step(SCRIPT, inputs=(rows_of(query),)))
    assert host.stream("stdout") == ["{'n': [2], 't': ['20']}"]


def test_a_query_that_is_wrong_fails_the_step_before_its_script(host: Host) -> None:
    with pytest.raises(NotFound, match="no_such"):
        host.run(host.step(SCRIPT, inputs=(rows_of("SELECT * FROM no_such"),)))
    assert host.stream("stdout") == []
    with pytest.raises(ScriptFailed, match="has no column 'n'"):
        host.run(host.step(SCRIPT, inputs=(rows_of("SELECT 1 AS m"),)))


def test_a_step_that_reads_a_query_has_no_key(host: Host) -> None:
    source = TabularSource(locations=(DataLocation(datastore="db"),), format="sql", options=ReadOptions(query="x"))
    with pytest.raises(NotFound, match="always runs"):
        ReuseWorkspace(host.store).source_digest(source)
