"""Rows of a real PostgreSQL to files and back, with their types."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pyarrow.parquet as pq
import pytest

from airloom.errors import AirloomError, NotFound, StepFailed, StoreUnavailable
from airloom.graph.step_settings import SqlRows, SqlTable
from airloom.storage.datastore_config import SqlConfig
from airloom.storage.secrets import Connection
from tests.support.postgres import SUPERUSER, PostgresServer
from tests.support.transfers import TransferBench

pytestmark = [pytest.mark.integration, pytest.mark.postgres]

EVERY_TYPE = r"""
    CREATE TYPE mood AS ENUM ('low', 'high');
    CREATE TABLE every_type AS SELECT
        1::smallint small, 2 whole, 3::bigint big, 1.5::real short_float, 0.1::float8 long_float,
        1234.5678::numeric(12,4) exact, 0.1::numeric any_exact, 'NaN'::numeric no_number, true truth,
        E'text, "quoted"\nand more ü'::text words, 'x'::varchar(7) limited, 'x'::char(3) padded,
        date '2020-02-29' a_day, time '01:02:03.5' moment, timetz '01:02:03+02' moment_there,
        timestamp '2020-01-02 03:04:05.123456' instant, timestamptz '2020-01-02 03:04:05+02' instant_there,
        timestamp(3) '2020-01-02 03:04:05.123' short_instant, interval '1 month 2 days 3 s' span,
        '6f1f5a0e-8f5c-4a3b-9a53-5e2f0c1d2e3f'::uuid id, '{"a": 1}'::json doc, '{"a": 1}'::jsonb binary_doc,
        '\x000102'::bytea bytes, array[1,null,3] numbers, array['a',null,''] texts, array[1.5]::numeric[] exacts,
        'low'::mood mood, inet '10.0.0.1' address, point '(1,2)' place, B'101' bits, int4range(1,3) span_of_numbers,
        ''::text empty;
    INSERT INTO every_type (small) VALUES (NULL);
"""


@pytest.fixture
def database(postgres_server: PostgresServer) -> str:
    return postgres_server.new_database()


@pytest.fixture
def bench(tmp_path: Path, postgres_server: PostgresServer, database: str) -> TransferBench:
    """A bench with the datastore `db`."""
    return bench_with(tmp_path, postgres_server.port, database)


def bench_with(folder: Path, port: int, database: str, login: str = SUPERUSER, password: str = "") -> TransferBench:
    bench = TransferBench(folder, {"db_login": Connection(login=login, password=password)})
    bench.add(
        SqlConfig(
            name="db",
            type="azure_postgre_sql",
            host="127.0.0.1",
            port=port,
            database=database,
            ssl=False,
            connection="db_login",
        )
    )
    return bench


@pytest.fixture
def ask(postgres_server: PostgresServer, database: str) -> Any:
    """Executes a statement in the database; the rows, if it has any."""

    def execute(statement: str) -> list[tuple[Any, ...]]:
        with closing(psycopg2.connect(postgres_server.address(database))) as connection:
            connection.autocommit = True
            cursor = connection.cursor()
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []

    return execute


def rows_of(table: str = "", query: str = "") -> SqlRows:
    return SqlRows(datastore="db", table=table or None, query=query or None)


def table_named(name: str) -> SqlTable:
    return SqlTable(datastore="db", table=name)


def types_of(ask: Any, table: str) -> list[tuple[str, str]]:
    query = "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped"
    return [(name, kind) for name, kind in ask(f"{query} AND attrelid = '{table}'::regclass ORDER BY attnum")]


def test_every_type_survives_the_way_to_parquet_and_back(bench: TransferBench, ask: Any) -> None:
    ask(EVERY_TYPE)
    ref = bench.run(None, "there/every.parquet", rows=rows_of("every_type"))
    assert ref is not None
    assert (ref.path, ref.is_file) == ("every.parquet", True)
    bench.run("there/every.parquet", None, table=table_named("copied"))
    assert types_of(ask, "copied") == types_of(ask, "every_type")
    assert ask("SELECT copied::text FROM copied") == ask("SELECT every_type::text FROM every_type")
    schema = pq.read_schema(bench.folder / "there" / "every.parquet")
    assert {name: str(schema.field(name).type) for name in ("exact", "numbers", "instant_there", "bytes", "whole")} == {
        "exact": "decimal128(12, 4)",
        "numbers": "list<element: int32>",
        "instant_there": "timestamp[us, tz=UTC]",
        "bytes": "binary",
        "whole": "int32",
    }


def test_every_type_survives_the_way_to_csv_and_back_into_a_table_of_these_types(
    bench: TransferBench, ask: Any
) -> None:
    ask(EVERY_TYPE)
    ask("CREATE TABLE copied (LIKE every_type)")
    bench.run(None, "there/every.csv", rows=rows_of("every_type"))
    bench.run("there/every.csv", None, table=table_named("copied"))
    assert ask("SELECT copied::text FROM copied") == ask("SELECT every_type::text FROM every_type")


def test_the_rows_of_a_query_go_to_another_table(bench: TransferBench, ask: Any) -> None:
    ask("CREATE TABLE numbers AS SELECT i, i * 0.5 AS half FROM generate_series(1, 1000) i")
    bench.run(None, None, rows=rows_of(query="SELECT i, half FROM numbers WHERE i > 900;"), table=table_named("few"))
    assert ask("SELECT count(*), min(i), sum(half) FROM few") == [(100, 901, 47525)]


def test_what_a_table_held_is_replaced_and_its_rules_stay(bench: TransferBench, ask: Any) -> None:
    ask("CREATE TABLE target (i int PRIMARY KEY CHECK (i > 0), note text DEFAULT 'none')")
    ask("INSERT INTO target VALUES (1, 'old')")
    bench.write("good.csv", b"i\n2\n3\n")
    bench.run("here/good.csv", None, table=table_named("public.target"))
    assert ask("SELECT * FROM target ORDER BY i") == [(2, "none"), (3, "none")]
    for bad, said in ((b"i\n4\n4\n", "duplicate key"), (b"i\n-1\n", "check constraint"), (b"i\nx\n", "invalid input")):
        bench.write("bad.csv", bad)
        with pytest.raises(StepFailed, match=said):
            bench.run("here/bad.csv", None, table=table_named("target"))
        assert ask("SELECT * FROM target ORDER BY i") == [(2, "none"), (3, "none")]
    assert ask("SELECT relname FROM pg_class WHERE relname LIKE 'airloom%'") == []


def test_names_that_need_quotes(bench: TransferBench, ask: Any) -> None:
    ask('CREATE SCHEMA "My Schema"')
    ask('CREATE TABLE "My Schema"."Big ""Table""" AS SELECT 1 AS "Name with ""quotes"" and. dots"')
    bench.run(None, "there/x.parquet", rows=rows_of('"My Schema"."Big ""Table"""'))
    bench.run("there/x.parquet", None, table=table_named('"My Schema".Copy'))
    assert ask('SELECT * FROM "My Schema"."Copy"') == [(1,)]


@pytest.mark.parametrize(
    ("rows", "error", "said"),
    [
        (rows_of("missing"), NotFound, "no such table.*missing"),
        (rows_of(query="SELECT nonsense"), StepFailed, "refuses.*nonsense"),
        (rows_of(query="SELEC 1"), StepFailed, "syntax error"),
        (rows_of(query="DELETE FROM numbers RETURNING i"), StepFailed, "refuses"),
        (rows_of(query="SELECT 1 AS a, 2 AS a"), StepFailed, "specified more than once"),
        (rows_of(query="SELECT 1/0 AS a"), StepFailed, "division by zero"),
        (rows_of(query="SELECT timestamp 'infinity' AS forever"), StepFailed, "'forever' has a date or time"),
        (rows_of(query="SELECT array[timestamptz '294276-12-31'] AS late"), StepFailed, "'late' has a date or time"),
        (rows_of(query="SELECT date 'infinity' AS forever"), StepFailed, "'forever' has a date or time"),
    ],
)
def test_what_a_database_refuses_is_told_and_leaves_nothing(
    bench: TransferBench, ask: Any, rows: SqlRows, error: type[AirloomError], said: str
) -> None:
    ask("CREATE TABLE numbers AS SELECT 1 AS i")
    with pytest.raises(error, match=said):
        bench.run(None, "there/x.parquet", rows=rows)
    assert not (bench.folder / "there" / "x.parquet").exists()
    assert ask("SELECT count(*) FROM numbers") == [(1,)]


def test_a_wrong_password_is_told_without_showing_it(
    tmp_path: Path, postgres_server: PostgresServer, database: str
) -> None:
    address = postgres_server.guarded_address(database, "right-password")
    user = address.partition("://")[2].partition(":")[0]
    bench = bench_with(tmp_path, postgres_server.port, database, user, "wrong-password")
    with pytest.raises(StoreUnavailable, match="password authentication failed") as caught:
        bench.run(None, "there/x.parquet", rows=rows_of(query="SELECT 1 AS a"))
    assert "wrong-password" not in str(caught.value)
    bench = bench_with(tmp_path, postgres_server.port, database, user, "right-password")
    bench.run(None, "there/x.parquet", rows=rows_of(query="SELECT 1 AS a"))
    with pytest.raises(StepFailed, match="permission denied") as refused:
        bench.run("there/x.parquet", None, table=table_named("made"))
    assert "Give the login" in str(refused.value)


def test_a_server_that_does_not_answer(tmp_path: Path) -> None:
    bench = bench_with(tmp_path, 1, "none")
    with pytest.raises(StoreUnavailable, match="cannot be used"):
        bench.run(None, "there/x.parquet", rows=rows_of("t"))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.parquet", b"no parquet at all", "cannot be read as Parquet"),
        ("x.csv", b'a,b\n1,2\n1,2,3\n"open', "cannot be read as CSV"),
        ("x.csv", b"", "cannot be read as CSV"),
    ],
)
def test_a_file_that_is_no_table(bench: TransferBench, ask: Any, name: str, content: bytes, said: str) -> None:
    bench.write(name, content)
    with pytest.raises(StepFailed, match=said):
        bench.run(f"here/{name}", None, table=table_named("t"))
    assert ask("SELECT relname FROM pg_class WHERE relname LIKE 'airloom%' OR relname = 't'") == []


def test_files_of_other_columns_are_refused(bench: TransferBench) -> None:
    bench.write("d/1.csv", b"a,b\n1,2\n")
    bench.write("d/2.csv", b"a,c\n1,2\n")
    with pytest.raises(StepFailed, match=r"without b .*with c"):
        bench.run("here/d", None, table=table_named("t"))


KILLED = """
import os, signal, sys
from pathlib import Path
from airloom.sql.postgres_load import PostgresLoad
from tests.integration.transfer.test_sql import bench_with, table_named

stage = PostgresLoad.stage

def dying(self, rows):
    if self.staged == int(sys.argv[4]):
        os.kill(os.getpid(), signal.SIGKILL)
    stage(self, rows)

PostgresLoad.stage = dying
bench_with(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]).run("there/big.parquet", None, table=table_named("target"))
"""


def test_whoever_loads_again_after_a_kill_sends_only_what_lacks(
    bench: TransferBench, postgres_server: PostgresServer, database: str, ask: Any
) -> None:
    rows = rows_of(query="SELECT i, md5(i::text) AS text FROM generate_series(1, 450000) i")
    bench.run(None, "there/big.parquet", rows=rows)
    ask("CREATE TABLE target AS SELECT 0 AS i, 'old' AS text")
    arguments = [str(bench.folder), str(postgres_server.port), database, "3"]
    killed = subprocess.run([sys.executable, "-c", KILLED, *arguments], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert ask("SELECT * FROM target") == [(0, "old")]
    bench.run("there/big.parquet", None, table=table_named("target"))
    assert "3 pieces of the table are staged already, by an attempt before this one" in bench.lines
    assert ask("SELECT count(*), count(DISTINCT i), sum(i) FROM target") == [(450000, 450000, 101250225000)]
    assert ask("SELECT bool_and(text = md5(i::text)) FROM target") == [(True,)]
    assert ask("SELECT relname FROM pg_class WHERE relname LIKE 'airloom%'") == []
