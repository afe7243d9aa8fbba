"""Delimited text: columns from headers, types from a sample, and one lazy frame of all files."""

from __future__ import annotations

import codecs
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from airloom.errors import InvalidGraph
from airloom.graph.tables import ColumnType, TableReading
from airloom.tabular.failures import UnreadableTable, describe
from airloom.tabular.parts import Part
from airloom.tabular.types import TEXT, from_text, infer, native

if TYPE_CHECKING:
    import polars as pl

SAMPLE_ROWS = 10_000
"""Rows of the first file by which types are told."""

SAMPLE_FILES, ROWS_OF_OTHERS = 20, 500
"""Further files that are looked at for types, spread over all, and the rows of each."""

MARK = "__airloom_wrong__"
"""Begins the name of the column that tells which values of another one were not of its type."""

_READ_BLOCK = 1 << 20


@dataclass(frozen=True)
class Layout:
    """The columns of each file in the order in which it has them, and the type of each column of the table."""

    columns: tuple[tuple[str, ...], ...]
    types: Mapping[str, ColumnType]


class DelimitedFiles:
    """Delimited files with their columns and types, which are found out once.

    `strict` refuses rows with too many values, which otherwise lose those that are too many.
    """

    def __init__(self, parts: Sequence[Part], reading: TableReading, *, strict: bool) -> None:
        with_bytes = [part for part in parts if part.path.stat().st_size]
        self.parts = with_bytes or list(parts[:1])
        self._reading = reading
        self._strict = strict
        self.layout = self._layout()

    def frame(self, numbers: Sequence[int], *, marks: bool = False) -> pl.LazyFrame:
        """Some files that have the same columns, as one. With `marks`, values that are not of their type are marked.

        Numbers are made by the reader itself where nobody asks which of them were wrong.
        """
        import polars as pl

        types = {name: self.layout.types[name] for name in self.layout.columns[numbers[0]]}
        as_text = self._strict or marks
        late = {name: to for name, to in types.items() if native(to) != pl.String() and (as_text or not native(to))}
        frame = self._scan(numbers, {**types, **dict.fromkeys(late, TEXT)})
        made = [from_text(name, wanted, strict=self._strict) for name, wanted in late.items()]
        wrong = [_mark(name, wanted) for name, wanted in late.items()] if marks else []
        return frame.with_columns([*made, *wrong]) if made else frame

    def alike(self) -> bool:
        """True if all files have the same columns in the same order, and none has a header that others lack."""
        return len(set(self.layout.columns)) == 1 and self._reading.options.headers != "first"

    def _scan(self, numbers: Sequence[int], types: Mapping[str, ColumnType]) -> pl.LazyFrame:
        import polars as pl

        empty_as_string = self._reading.options.empty_as_string
        return pl.scan_csv(
            [self.parts[number].path for number in numbers],
            has_header=self._has_header(numbers[0]),
            separator=self._reading.separator,
            schema={name: native(wanted) or pl.String() for name, wanted in types.items()},
            null_values=None if empty_as_string else [""],
            empty_string_is_null=not empty_as_string,
            ignore_errors=not self._strict,
            truncate_ragged_lines=not self._strict,
            raise_if_empty=False,
            glob=False,
        )

    def _has_header(self, number: int) -> bool:
        return self._reading.header and (number == 0 or self._reading.options.headers != "first")

    def _layout(self) -> Layout:
        others = range(1, len(self.parts))
        first = self._columns(0)
        if not first:
            raise UnreadableTable(
                f"{describe(self.parts)} is empty: there is no column.", hint="Was the file written to its end?"
            )
        if not self._reading.header or self._reading.options.headers == "first":
            columns = [first] * len(self.parts)
        else:
            columns = [first, *(self._columns(number) for number in others)]
            if self._reading.options.headers == "each":
                self._check_same(columns)
        return Layout(tuple(columns), self._types(tuple(columns)))

    def _columns(self, number: int) -> tuple[str, ...]:
        names = self._peek(number, 0 if self._has_header(number) else 1).columns
        if not self._has_header(number):
            return tuple(f"Column{position}" for position in range(1, len(names) + 1))
        return tuple(name or f"Column{position}" for position, name in enumerate(names, start=1))

    def _check_same(self, columns: Sequence[tuple[str, ...]]) -> None:
        for part, own in zip(self.parts, columns, strict=True):
            if set(own) != set(columns[0]):
                raise UnreadableTable(
                    f"{part.name} has the columns {', '.join(own)}, but {self.parts[0].name} has "
                    f"{', '.join(columns[0])}.",
                    hint="Read them with header=PromoteHeadersBehavior.COMBINE_ALL_FILES_HEADERS, or apart.",
                    target=part.name,
                )

    def _types(self, columns: tuple[tuple[str, ...], ...]) -> dict[str, ColumnType]:
        names = dict.fromkeys(name for own in columns for name in own)
        types: dict[str, ColumnType] = dict.fromkeys(names, TEXT)
        if self._reading.options.infer_types:
            types.update(infer(self._sample(columns)))
        types.update({name: to for name, to in self._reading.options.column_types.items() if name in names})
        return types

    def _sample(self, columns: tuple[tuple[str, ...], ...]) -> pl.DataFrame:
        import polars as pl

        step = max(1, (len(self.parts) - 1) // SAMPLE_FILES)
        chosen = [0, *range(1, len(self.parts), step)][: SAMPLE_FILES + 1]
        samples = []
        for number in chosen:
            sample = self._peek(number, ROWS_OF_OTHERS if number else SAMPLE_ROWS)
            names = dict(zip(sample.columns, columns[number], strict=False))
            samples.append(sample.select(list(names)).rename(names))
        return pl.concat(samples, how="diagonal")

    def _peek(self, number: int, rows: int) -> pl.DataFrame:
        import polars as pl

        return pl.read_csv(
            self.parts[number].path,
            has_header=self._has_header(number),
            separator=self._reading.separator,
            n_rows=rows,
            infer_schema=False,
            null_values=[""],
            ignore_errors=True,
            truncate_ragged_lines=True,
            raise_if_empty=False,
            glob=False,
        )


def _mark(name: str, wanted: ColumnType) -> pl.Expr:
    import polars as pl

    return (pl.col(name).is_not_null() & from_text(name, wanted).is_null()).alias(MARK + name)


def is_utf8(encoding: str) -> bool:
    """True if text in this encoding is read as it is."""
    try:
        return codecs.lookup(encoding).name in ("utf-8", "utf-8-sig", "ascii")
    except LookupError:
        raise InvalidGraph(f"There is no encoding {encoding!r}.", hint="Use utf8, latin1, utf16 or the like.") from None


def as_utf8(parts: Sequence[Part], encoding: str, folder: Path) -> list[Part]:
    """Copies of text files in UTF-8. Raises UnreadableTable for bytes that are no text in the encoding."""
    return [part._replace(path=_copy(part, encoding, folder / f"{number}")) for number, part in enumerate(parts)]


def _copy(part: Part, encoding: str, target: Path) -> Path:
    try:
        with (
            part.path.open(encoding=encoding, newline="") as source,
            target.open("w", encoding="utf-8", newline="") as copy,
        ):
            while block := source.read(_READ_BLOCK):
                copy.write(block)
    except UnicodeError as error:
        raise UnreadableTable(
            f"{part.name} is not text in the encoding {encoding}: {error}.",
            hint="Say the right encoding.",
            target=part.name,
        ) from None
    return target
