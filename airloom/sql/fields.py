"""The types of columns, between a database, Arrow and back.

A column that was read from a database says in the metadata of its field what type it had there, so that a table made
from it is of the same types. Parquet files keep these metadata.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airloom.errors import InvalidGraph

if TYPE_CHECKING:
    import pyarrow as pa

POSTGRES_TYPE = b"airloom:postgresql_type"

_SCALARS = (
    "boolean|smallint|integer|bigint|real|double precision|text|character varying|character|bytea|date"
    "|time without time zone|timestamp without time zone|timestamp with time zone"
)
_MODIFIED = r"(?:\([0-9,]+\))?"
_KEPT = re.compile(rf"(?:{_SCALARS}){_MODIFIED}(?: with(?:out)? time zone)?(\[\])?|numeric(?:\([0-9]+,[0-9]+\))?")
_TIMES = re.compile(rf"(?:time|timestamp){_MODIFIED} with(?:out)? time zone(\[\])?")
_NUMERIC = re.compile(r"numeric\((\d+),(\d+)\)")
_BINARY = re.compile(r"bytea(\[\])?")


def is_kept(sql_type: str, *, as_text: bool) -> bool:
    """True if a column of a type of PostgreSQL's comes as a type of Arrow's, and not as PostgreSQL writes it."""
    if sql_type.startswith("time") and sql_type.replace("[]", "").endswith("with time zone"):
        found = sql_type.startswith("timestamp")
    else:
        found = bool(_KEPT.fullmatch(sql_type) or _TIMES.fullmatch(sql_type))
    return found and not (as_text and (sql_type.endswith("[]") or _BINARY.fullmatch(sql_type)))


def arrow_type(found: pa.DataType, sql_type: str) -> pa.DataType:
    """The type that a column gets in files, from that in which the driver hands it out."""
    import pyarrow as pa

    numeric = _NUMERIC.fullmatch(sql_type)
    if numeric and int(numeric[1]) <= 76:
        precision, scale = int(numeric[1]), int(numeric[2])
        return pa.decimal128(precision, scale) if precision <= 38 else pa.decimal256(precision, scale)
    return found.storage_type if isinstance(found, pa.BaseExtensionType) else found


def postgres_type(field: pa.Field) -> str:
    """The type that a new table's column gets for a field: the one that it came with, or the nearest to Arrow's."""
    known = (field.metadata or {}).get(POSTGRES_TYPE)
    if known is not None and _is_name_of_type(known.decode()):
        return str(known.decode())
    return _nearest(field.name, field.type)


def _is_name_of_type(text: str) -> bool:
    """Metadata come with a file, from whoever wrote it, and become part of a statement."""
    return re.fullmatch(r'[A-Za-z_"][A-Za-z0-9_ ."]*(\([0-9, ]+\))?( with(out)? time zone)?(\[\])*', text) is not None


def _nearest(name: str, kind: pa.DataType) -> str:
    import pyarrow as pa

    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return f"{_nearest(name, kind.value_type)}[]"
    if pa.types.is_decimal(kind):
        return f"numeric({kind.precision},{kind.scale})"
    if pa.types.is_timestamp(kind):
        return "timestamp with time zone" if kind.tz else "timestamp without time zone"
    for test, sql_type in _NEAREST:
        if getattr(pa.types, test)(kind):
            return sql_type
    raise InvalidGraph(
        f"The column {name!r} is of type {kind}, for which there is no type in PostgreSQL.",
        hint="Leave it out, or write it as text.",
        target=name,
    )


_NEAREST = (
    ("is_boolean", "boolean"),
    ("is_int8", "smallint"),
    ("is_int16", "smallint"),
    ("is_uint8", "smallint"),
    ("is_int32", "integer"),
    ("is_uint16", "integer"),
    ("is_int64", "bigint"),
    ("is_uint32", "bigint"),
    ("is_uint64", "numeric(20,0)"),
    ("is_float16", "real"),
    ("is_float32", "real"),
    ("is_float64", "double precision"),
    ("is_date", "date"),
    ("is_time", "time without time zone"),
    ("is_duration", "interval"),
    ("is_string", "text"),
    ("is_large_string", "text"),
    ("is_string_view", "text"),
    ("is_dictionary", "text"),
    ("is_null", "text"),
    ("is_binary", "bytea"),
    ("is_large_binary", "bytea"),
    ("is_fixed_size_binary", "bytea"),
)


def loadable(field: pa.Field) -> pa.DataType:
    """The type in which a column is sent to PostgreSQL."""
    import pyarrow as pa

    kind = field.type
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    for test, wider in (
        ("is_uint8", pa.int16()),
        ("is_int8", pa.int16()),
        ("is_uint16", pa.int32()),
        ("is_uint32", pa.int64()),
        ("is_uint64", pa.decimal128(20, 0)),
        ("is_float16", pa.float32()),
        ("is_date", pa.date32()),
        ("is_time", pa.time64("us")),
        ("is_null", pa.string()),
        ("is_string_view", pa.string()),
        ("is_dictionary", pa.string()),
        ("is_fixed_size_binary", pa.binary()),
    ):
        if getattr(pa.types, test)(kind):
            return wider
    return pa.timestamp("us", kind.tz) if pa.types.is_timestamp(kind) else kind
