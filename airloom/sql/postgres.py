"""PostgreSQL, through ADBC: rows come and go in its binary form, without a Python object for each value."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airloom.errors import NotFound, StepFailed, StoreUnavailable
from airloom.graph.step_settings import SqlRows
from airloom.sql.fields import POSTGRES_TYPE, arrow_type, is_kept
from airloom.storage.datastore_config import SqlConfig
from airloom.storage.secrets import Connection, Secrets

if TYPE_CHECKING:
    import pyarrow as pa

    from airloom.sql.postgres_load import PostgresLoad

_VIEW = "airloom_rows"
_BATCH_BYTES = 16 * 1024 * 1024
_NO_VIEWS = ("42501", "25006")
"""What PostgreSQL says when no view can be made: no right to, or a standby."""

_EARLIEST_DAY = -2_440_588
_EARLIEST_INSTANT = _EARLIEST_DAY * 86_400_000_000
"""Where PostgreSQL's calendar begins, in days and in microseconds from 1970: 24 November 4714 BC."""


class PostgresDatabase:
    """A database of a PostgreSQL server."""

    def __init__(self, config: SqlConfig, secrets: Secrets) -> None:
        self.config = config
        self._connection = Connection() if config.connection is None else secrets.connection(config.connection)

    @contextmanager
    def connected(self) -> Iterator[Any]:
        """A connection, in a transaction that ends with the block, undone unless it was committed."""
        from adbc_driver_manager import Error
        from adbc_driver_postgresql import dbapi

        connection = None
        try:
            connection = dbapi.connect(self._address())
            yield connection
        except Error as error:
            raise self._meaning(error) from None
        finally:
            if connection is not None:
                connection.close()

    @contextmanager
    def read(self, rows: SqlRows, *, as_text: bool = False) -> Iterator[PostgresRows]:
        """Open a table or query for reading, as of one moment. Nothing can be written by it."""
        query = f"SELECT * FROM {quoted(rows.table)}" if rows.table else str(rows.query).strip().rstrip(";")
        with self.connected() as connection, connection.cursor() as cursor:
            types = _types_of(connection, query)
            cursor.execute("SET TRANSACTION READ ONLY")
            cursor.adbc_statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": str(_BATCH_BYTES)})
            cursor.execute(_selection(types, as_text) if types else query)
            yield PostgresRows(cursor.fetch_record_batch(), types)

    def columns(self, table: str) -> dict[str, str]:
        """The types of a table's columns, by name; empty if there is no such table."""
        with self.connected() as connection:
            return columns_of(connection, quoted(table))

    @contextmanager
    def load(self, table: str, schema: pa.Schema, stem: str, plan: str) -> Iterator[PostgresLoad]:
        """Open a table for replacing what it holds; it is made if there is none."""
        from adbc_driver_manager import Error

        from airloom.sql.postgres_load import PostgresLoad

        with self.connected() as connection:
            load = PostgresLoad(connection, table, schema, stem, plan)
            try:
                yield load
            except Error as error:
                if not _is_unreachable(error):  # else the staged pieces serve whoever tries again
                    with suppress(Error):
                        load.discard()
                raise

    def _address(self) -> str:
        config, who = self.config, self._connection
        login = quote(who.login, safe="")
        password = f":{quote(who.password, safe='')}" if who.password else ""
        at = f"{login}{password}@" if login else ""
        options = f"sslmode={'require' if config.ssl else 'prefer'}&connect_timeout=15&application_name=airloom"
        return f"postgresql://{at}{config.host}:{config.port}/{quote(config.database, safe='')}?{options}"

    def _meaning(self, error: Any) -> Exception:
        """What went wrong, in Airloom's words."""
        name, state = self.config.name, error.sqlstate
        text = _told(str(error), self._connection.password)
        if _is_unreachable(error):
            return StoreUnavailable(
                f"The database of the datastore {name!r} ({self.config.place}) cannot be used: {text}",
                hint="Check its address, and login and password in its connection.",
                target=name,
            )
        if state in ("42P01", "3F000"):
            return NotFound(f"The datastore {name!r} has no such table: {text}", hint="Check its name.", target=name)
        refused = state == "42501" or "permission denied" in text
        hint = "Give the login of its connection the right to do this." if refused else ""
        return StepFailed(f"The database of the datastore {name!r} refuses: {text}", hint=hint, target=name)


class PostgresRows:
    """The rows of a query. Numbers of a fixed precision become decimals, and each column names its type."""

    def __init__(self, reader: Any, types: dict[str, str]) -> None:
        import pyarrow as pa

        self._reader = reader
        self.schema = pa.schema([_field(field, types.get(field.name)) for field in reader.schema])

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        for batch in self._reader:
            columns = [_column(array, field) for array, field in zip(batch.columns, self.schema, strict=True)]
            yield pa.record_batch(columns, schema=self.schema)


def _is_unreachable(error: Any) -> bool:
    """True if nothing is wrong with what was asked: no connection, wrong credentials, or a server that goes away."""
    from adbc_driver_manager import AdbcStatusCode

    if error.sqlstate:
        return error.sqlstate[:2] in ("08", "28", "3D", "53", "57")
    return bool(error.status_code == AdbcStatusCode.IO)


def quoted(table: str) -> str:
    """A table's name in a statement: `sales`, `public.sales`, or quoted in part, such as `public."Big Sales"`."""
    parts = re.findall(r'"((?:[^"]|"")+)"|([^."]+)', table)
    names = [(inside.replace('""', '"') or plain) for inside, plain in parts]
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def _types_of(connection: Any, query: str) -> dict[str, str]:
    """The full types of a query's columns, by name; empty if they cannot be asked for.

    A view of the session's own tells them, which nobody else sees, and which goes with the transaction.
    """
    from adbc_driver_manager import Error

    with connection.cursor() as cursor:
        try:
            cursor.execute(f"CREATE TEMPORARY VIEW {_VIEW} AS {query}")
        except Error as error:
            if error.sqlstate not in _NO_VIEWS:
                raise
            connection.rollback()
            return {}
        cursor.execute(
            "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute "
            f"WHERE attrelid = 'pg_temp.{_VIEW}'::regclass ORDER BY attnum"
        )
        return dict(cursor.fetchall())


def _selection(types: dict[str, str], as_text: bool) -> str:
    """All columns of the view; those of types without a counterpart in Arrow as PostgreSQL writes them."""
    columns = []
    for name, sql_type in types.items():
        column = quoted_name(name)
        columns.append(column if is_kept(sql_type, as_text=as_text) else f"{column}::text AS {column}")
    return f"SELECT {', '.join(columns)} FROM pg_temp.{_VIEW}"


def columns_of(connection: Any, table: str) -> dict[str, str]:
    """The types of the columns of a table, whose name is quoted already; empty if there is none."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute "
            "WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
            (table,),
        )
        return dict(cursor.fetchall())


def quoted_name(name: str) -> str:
    """A column's name in a statement."""
    return '"' + name.replace('"', '""') + '"'


def _field(field: pa.Field, sql_type: str | None) -> pa.Field:
    import pyarrow as pa

    known = sql_type or str((field.metadata or {}).get(b"POSTGRESQL:type", b"").decode())
    storage = arrow_type(field.type, known)
    if sql_type is None and isinstance(field.type, pa.OpaqueType) and known != "numeric":
        raise StepFailed(
            f"The column {field.name!r} is of the type {known!r}, which no file has.",
            hint=f'Cast it in the query: "{field.name}"::text.',
            target=field.name,
        )
    return pa.field(field.name, storage, metadata={POSTGRES_TYPE: known.encode()} if known else None)


def _column(array: Any, field: pa.Field) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    plain = array.storage if isinstance(array, pa.ExtensionArray) else array
    _check_times(plain, field.name)
    if plain.type == field.type:
        return plain
    try:
        return pc.cast(plain, field.type)
    except pa.ArrowInvalid as error:
        raise StepFailed(
            f"The column {field.name!r} has a value that {field.type} cannot hold: {error}.",
            hint=f'Cast it in the query: "{field.name}"::text.',
            target=field.name,
        ) from None


def _check_times(array: Any, column: str) -> None:
    """StepFailed for an instant that Arrow cannot hold, such as infinity: the driver lets it wrap around."""
    import pyarrow as pa
    import pyarrow.compute as pc

    values = array.flatten() if pa.types.is_list(array.type) else array
    if pa.types.is_timestamp(values.type):
        least, earliest = pc.min(values.view(pa.int64())).as_py(), _EARLIEST_INSTANT
    elif pa.types.is_date32(values.type):
        least, earliest = pc.min(values.view(pa.int32())).as_py(), _EARLIEST_DAY
    else:
        return
    if least is not None and least < earliest:
        raise StepFailed(
            f"The column {column!r} has a date or time, such as infinity, that no file can hold.",
            hint=f'Leave the row out, or cast it in the query: "{column}"::text.',
            target=column,
        )


def _told(text: str, password: str) -> str:
    """The words of an error, on one line and without the password."""
    line = " ".join(text.split())
    return line.replace(password, "***") if password else line
