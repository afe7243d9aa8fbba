"""Tables in files: Parquet and CSV, written from rows as they come, and read as pieces of a fixed number of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airloom.errors import StepFailed
from airloom.graph.step_settings import TableFormat

if TYPE_CHECKING:
    import pyarrow as pa

    from airloom.sql.database import Rows

ROWS = 100_000
"""How many rows a piece of a table has."""

_SUFFIXES: dict[str, TableFormat] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".txt": "csv",
}


def format_of(name: str, given: TableFormat | None) -> TableFormat:
    """In which form a table is written to a file of this name: as asked for, else as its suffix says, else Parquet."""
    return given or _SUFFIXES.get(Path(name).suffix.lower(), "parquet")


def write_rows(rows: Rows, path: Path, kind: TableFormat, check: Callable[[], None]) -> int:
    """Write rows to a new file, as they come; returns how many they are."""
    count = 0
    with _writer(rows.schema, path, kind) as write:
        for batch in rows:
            write(batch)
            count += batch.num_rows
            check()
    return count


@contextmanager
def _writer(schema: pa.Schema, path: Path, kind: TableFormat) -> Iterator[Callable[[pa.RecordBatch], object]]:
    if kind == "csv":
        from pyarrow import csv

        with csv.CSVWriter(path, schema) as table:
            yield table.write_batch
    else:
        from pyarrow import parquet

        with parquet.ParquetWriter(path, schema, compression="zstd") as table:
            yield table.write_batch


class TableFiles:
    """Files that together are one table, in the order given."""

    def __init__(self, files: Sequence[tuple[str, Path]], given: TableFormat | None, text: bool) -> None:
        self._files = [(name, path, _found_format(name, path, given)) for name, path in files]
        self._text = text
        name, path, kind = self._files[0]
        self.schema = self._schema_of(name, path, kind)

    def pieces(self) -> Iterator[pa.RecordBatch]:
        """All rows, `ROWS` at a time. StepFailed names a file that cannot be read or has other columns."""
        for name, path, kind in self._files:
            found = self._schema_of(name, path, kind)
            if found != self.schema:
                first = self._files[0][0]
                raise StepFailed(
                    f"The columns of {name!r} are not those of {first!r}: {_difference(self.schema, found)}.",
                    hint="Load files of different columns into tables of their own.",
                    target=name,
                )
            with _told(name, kind):
                yield from self._batches(path, kind)

    def _schema_of(self, name: str, path: Path, kind: TableFormat) -> pa.Schema:
        with _told(name, kind):
            if kind == "csv":
                with _open_csv(path, self._text) as reader:
                    return reader.schema
            from pyarrow import parquet

            return parquet.read_schema(path).remove_metadata()

    def _batches(self, path: Path, kind: TableFormat) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        if kind == "parquet":
            from pyarrow import parquet

            with parquet.ParquetFile(path) as table:
                for batch in table.iter_batches(batch_size=ROWS):
                    yield pa.record_batch(batch.columns, schema=self.schema)
        else:
            with _open_csv(path, self._text) as reader:
                yield from reader


def _found_format(name: str, path: Path, given: TableFormat | None) -> TableFormat:
    known = given or _SUFFIXES.get(Path(name).suffix.lower())
    if known:
        return known
    with path.open("rb") as file:
        return "parquet" if file.read(4) == b"PAR1" else "csv"


def _open_csv(path: Path, text: bool) -> Any:
    """A reader of a CSV file. With `text`, its values stay as they are written, for the database to read."""
    import pyarrow as pa
    from pyarrow import csv

    names: dict[str, pa.DataType] = {}
    if text:
        with path.open("rb") as file:
            first = file.readline()
        header = csv.read_csv(pa.BufferReader(first))
        names = dict.fromkeys(header.column_names, pa.string())
    return csv.open_csv(
        path,
        read_options=csv.ReadOptions(block_size=8 * 1024 * 1024),
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types=names, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
        ),
    )


@contextmanager
def _told(name: str, kind: TableFormat) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except pa.ArrowInvalid as error:
        raise StepFailed(
            f"The file {name!r} cannot be read as {'CSV' if kind == 'csv' else 'Parquet'}: {error}",
            hint="Check the file, and set file_format if its name misleads.",
            target=name,
        ) from None


def _difference(wanted: pa.Schema, found: pa.Schema) -> str:
    ours, theirs = ({f"{field.name} ({field.type})" for field in schema} for schema in (wanted, found))
    parts = [f"without {', '.join(sorted(ours - theirs))}"] if ours - theirs else []
    parts += [f"with {', '.join(sorted(theirs - ours))}"] if theirs - ours else []
    return " and ".join(parts) or "in another order"
