"""Replacing what a table of PostgreSQL holds: rows are staged piece by piece beside it, and then take its place.

The staging table's comment counts the pieces, and changes in the transaction that adds one. So whoever is killed has
left whole pieces, and a number that tells how many.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airloom.errors import IntegrityError, StepFailed
from airloom.sql.fields import loadable, postgres_type
from airloom.sql.postgres import columns_of, quoted, quoted_name

if TYPE_CHECKING:
    import pyarrow as pa

_PREFIX = "airloom_staging_"


class PostgresLoad:
    """New rows for a table, in a staging table of the same schema."""

    def __init__(self, connection: Any, table: str, schema: pa.Schema, stem: str, plan: str) -> None:
        import pyarrow as pa

        self._connection = connection
        self._columns = schema
        self._sent_as = pa.schema([pa.field(field.name, loadable(field)) for field in schema])
        self._table = quoted(table)
        self._schema = _schema_of(connection, self._table)
        self._name = f"{_PREFIX}{stem[:16]}_{plan[:16]}"
        self._staging = f"{quoted_name(self._schema)}.{self._name}"
        self._check_columns()
        self._drop_others(stem)
        self.staged, self._rows = self._found()
        connection.commit()

    def stage(self, rows: pa.RecordBatch) -> None:
        """Stage the next piece, in one transaction."""
        import pyarrow as pa

        columns = [_cast(array, field) for array, field in zip(rows.columns, self._sent_as, strict=True)]
        with self._connection.cursor() as cursor:
            cursor.adbc_ingest(
                self._name, pa.record_batch(columns, schema=self._sent_as), mode="append", db_schema_name=self._schema
            )
            count, total = self.staged + 1, self._rows + rows.num_rows
            cursor.execute(f"COMMENT ON TABLE {self._staging} IS 'pieces {count} rows {total}'")
        self._connection.commit()
        self.staged, self._rows = count, total

    def publish(self) -> int:
        """Let the staged rows take the place of those in the table, in one transaction; returns how many they are.

        Others read the old rows until it is committed. The table keeps its columns, indexes, rights and triggers.
        """
        with self._connection.cursor() as cursor:
            types = columns_of(self._connection, self._table)
            if not types:
                columns = (f"{quoted_name(field.name)} {postgres_type(field)}" for field in self._columns)
                cursor.execute(f"CREATE TABLE {self._table} ({', '.join(columns)})")
                types = columns_of(self._connection, self._table)
            cursor.execute(f"DELETE FROM {self._table}")
            names = ", ".join(quoted_name(name) for name in self._columns.names)
            values = ", ".join(f"{quoted_name(name)}::{types[name]}" for name in self._columns.names)
            cursor.execute(f"INSERT INTO {self._table} ({names}) SELECT {values} FROM {self._staging}")
            found = self._count(cursor)
            cursor.execute(f"DROP TABLE {self._staging}")
        if found != self._rows:
            raise IntegrityError(
                f"The rows staged for the table {self._table} are {found}, and not {self._rows} as was noted.",
                hint="Run the step again; its staging table is made anew.",
                target=self._table,
            )
        self._connection.commit()
        return self._rows

    def discard(self) -> None:
        """Forget what is staged."""
        self._connection.rollback()
        with self._connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE IF EXISTS {self._staging}")
        self._connection.commit()

    def _check_columns(self) -> None:
        types = columns_of(self._connection, self._table)
        lacking = [name for name in self._columns.names if name not in types] if types else []
        if lacking:
            raise StepFailed(
                f"The table {self._table} has no column {lacking[0]!r}.",
                hint=f"It has: {', '.join(types)}. Leave the column out of the data, or add it to the table.",
                target=self._table,
            )
        for field in self._columns:  # before hours of work, and not after
            postgres_type(field)

    def _drop_others(self, stem: str) -> None:
        """Drop what attempts with other rows have left."""
        with self._connection.cursor() as cursor:
            cursor.execute(
                "SELECT relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
                "WHERE nspname = $1 AND starts_with(relname::text, $2)",
                (self._schema, f"{_PREFIX}{stem[:16]}_"),
            )
            for (name,) in cursor.fetchall():
                if name != self._name:
                    cursor.execute(f"DROP TABLE {quoted_name(self._schema)}.{quoted_name(name)}")

    def _found(self) -> tuple[int, int]:
        """The staged pieces and rows; the staging table is made if there is none."""
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT obj_description(to_regclass($1), 'pg_class')", (self._staging,))
            words = str(cursor.fetchone()[0] or "").split()
            if len(words) == 4:
                return int(words[1]), int(words[3])
            cursor.execute(f"DROP TABLE IF EXISTS {self._staging}")
            empty = self._sent_as.empty_table()
            cursor.adbc_ingest(self._name, empty, mode="create", db_schema_name=self._schema)
            cursor.execute(f"COMMENT ON TABLE {self._staging} IS 'pieces 0 rows 0'")
        return 0, 0

    def _count(self, cursor: Any) -> int:
        cursor.execute(f"SELECT count(*) FROM {self._staging}")
        return int(cursor.fetchone()[0])


def _schema_of(connection: Any, table: str) -> str:
    """The schema in which a table lies, or would be made."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce((SELECT nspname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE c.oid = to_regclass($1)), current_schema()::text)",
            (table,),
        )
        found = str(cursor.fetchone()[0])
    named = table.rpartition('."')[0].strip('"')
    return named or found


def _cast(array: Any, field: pa.Field) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    plain = array.storage if isinstance(array, pa.ExtensionArray) else array
    try:
        return plain if plain.type == field.type else pc.cast(plain, field.type)
    except pa.ArrowInvalid as error:
        raise StepFailed(
            f"The column {field.name!r} has a value that cannot be sent as {field.type}: {error}.",
            hint="Write the column as text or with less precision.",
            target=field.name,
        ) from None
