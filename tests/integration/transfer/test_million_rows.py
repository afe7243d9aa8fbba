"""A million rows from PostgreSQL to Parquet and back, with their types, and the memory that it takes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from tests.support.postgres import PostgresServer

pytestmark = [pytest.mark.integration, pytest.mark.postgres, pytest.mark.thorough]

MAKE = """
    CREATE TYPE colour AS ENUM ('red', 'green', 'blue');
    CREATE TABLE original AS SELECT
        i AS id,
        (i * 1.25)::numeric(14,4) AS price,
        i / 7.0::float8 AS ratio,
        i % 2 = 0 AS even,
        timestamptz '2020-01-01 00:00+00' + i * interval '1 second' AS at,
        date '2000-01-01' + i % 10000 AS day,
        md5(i::text)::uuid AS key,
        jsonb_build_object('i', i % 100) AS doc,
        (enum_range(NULL::colour))[1 + i % 3] AS colour,
        CASE WHEN i % 10 = 0 THEN NULL ELSE 'text of row ' || i END AS words,
        array[i, NULL, -i] AS numbers
    FROM generate_series(1, {rows}) i
"""

COPY = """
import json, sys, time
from pathlib import Path
from tests.integration.transfer.test_sql import bench_with, rows_of, table_named
from tests.support.peak_memory import peak_bytes

bench = bench_with(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
took = {}
for name, addresses, settings in (
    ("down", (None, "there/rows.parquet"), {"rows": rows_of("original")}),
    ("up", ("there/rows.parquet", None), {"table": table_named("copy")}),
):
    started = time.monotonic()
    bench.run(*addresses, **settings)
    took[name] = round(time.monotonic() - started, 1)
took["peak_mb"] = peak_bytes() // 1_000_000
took["file_mb"] = round((bench.folder / "there" / "rows.parquet").stat().st_size / 1e6, 1)
print(json.dumps(took))
"""

DIFFERENT = """
    SELECT count(*) FROM original o FULL JOIN copy c ON o.id = c.id
    WHERE o IS DISTINCT FROM c OR o::text IS DISTINCT FROM c::text
"""

TYPES = """
    SELECT array_agg(attname || ' ' || format_type(atttypid, atttypmod) ORDER BY attnum)
    FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped AND attrelid = '{}'::regclass
"""


def test_a_million_rows_keep_their_values_and_types_both_ways(
    postgres_server: PostgresServer,
    tmp_path: Path,
    rounds: Callable[[int, int], int],
    record_property: Callable[..., None],
) -> None:
    count = rounds(100_000, 1_000_000)
    database = postgres_server.new_database()
    with closing(psycopg2.connect(postgres_server.address(database))) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute(MAKE.format(rows=count))
        command = [sys.executable, "-c", COPY, str(tmp_path), str(postgres_server.port), database]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        took = json.loads(done.stdout)
        record_property("took", took)
        answers = []
        for query in (TYPES.format("original"), TYPES.format("copy"), DIFFERENT, "SELECT count(*) FROM copy"):
            cursor.execute(query)
            answers.append(cursor.fetchone()[0])
    assert answers[0] == answers[1]
    assert answers[2:] == [0, count]
    assert took["peak_mb"] < 700
