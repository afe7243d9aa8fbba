"""The types that columns of a table can be given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airloom.exceptions import UserErrorException
from airloom.graph.tables import ColumnType


class DataType:
    """A type for a column: `set_column_types={"when": DataType.to_datetime("%d.%m.%Y")}`."""

    def __init__(self, column_type: ColumnType) -> None:
        self._column_type = column_type

    @staticmethod
    def to_string() -> DataType:
        """Text."""
        return DataType(ColumnType(type="string"))

    @staticmethod
    def to_long() -> DataType:
        """Whole numbers."""
        return DataType(ColumnType(type="int"))

    @staticmethod
    def to_float(decimal_mark: str = ".") -> DataType:
        """Numbers. The decimal mark can only be a point."""
        if decimal_mark != ".":
            raise UserErrorException("Numbers are written with a decimal point. Read the column as text instead.")
        return DataType(ColumnType(type="float"))

    @staticmethod
    def to_bool() -> DataType:
        """True and false, in any case."""
        return DataType(ColumnType(type="bool"))

    @staticmethod
    def to_datetime(formats: str | Sequence[str] | None = None) -> DataType:
        """Times, in formats as those of `datetime.strptime`; by default ISO and month/day/year are understood."""
        listed = (formats,) if isinstance(formats, str) else tuple(formats or ())
        return DataType(ColumnType(type="datetime", formats=listed))

    @staticmethod
    def to_stream(workspace: Any = None, escaped: bool = False) -> DataType:
        """Paths of files, which `TabularDataset.download` fetches: `AmlDatastore://datastore/path`, or `/path`."""
        return DataType(ColumnType(type="stream"))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DataType) and self._column_type == other._column_type

    def __hash__(self) -> int:
        return hash((self._column_type.type, self._column_type.formats))

    def __repr__(self) -> str:
        formats = f", {list(self._column_type.formats)}" if self._column_type.formats else ""
        return f"DataType({self._column_type.type!r}{formats})"


def column_types(given: Mapping[str, DataType] | None) -> dict[str, ColumnType]:
    """The argument `set_column_types` as the graph writes it down."""
    for name, wanted in (given or {}).items():
        if not isinstance(wanted, DataType):
            raise UserErrorException(
                f"set_column_types has {wanted!r} for the column {name!r}. Use DataType.to_string() and the like."
            )
    return {name: wanted._column_type for name, wanted in (given or {}).items()}
