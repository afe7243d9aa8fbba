"""Steps of type DataTransferStep in pipeline YAML: their keys, read and written."""

from __future__ import annotations

from typing import Any, cast

from airloom.graph._yaml_nodes import Node
from airloom.graph.model import DataTransferSettings
from airloom.graph.step_settings import ReferenceType, SqlRows, SqlTable, TableFormat

TRANSFER_TYPE = "DataTransferStep"
TRANSFER_KEYS = (
    "source_reference_type",
    "destination_reference_type",
    "source_rows",
    "destination_table",
    "file_format",
)


def read_transfer(fields: dict[str, Node], what: str) -> DataTransferSettings:
    """The settings of a step that copies data. Files are its `inputs` and `outputs`, as of any step."""
    source, destination = fields.get("source_rows"), fields.get("destination_table")
    return DataTransferSettings(
        source_type=cast(ReferenceType | None, _choice(fields, "source_reference_type", ("file", "directory"), what)),
        destination_type=cast(
            ReferenceType | None, _choice(fields, "destination_reference_type", ("file", "directory"), what)
        ),
        rows=None if source is None else _rows(source, f"source_rows of {what}"),
        table=None if destination is None else _table(destination, f"destination_table of {what}"),
        file_format=cast(TableFormat | None, _choice(fields, "file_format", ("parquet", "csv"), what)),
    )


def write_transfer(settings: DataTransferSettings) -> dict[str, Any]:
    """The keys of a step that `read_transfer` makes these settings of."""
    rows, table = settings.rows, settings.table
    return {
        "source_reference_type": settings.source_type,
        "destination_reference_type": settings.destination_type,
        "source_rows": None if rows is None else _written(rows.datastore, rows.table, rows.query),
        "destination_table": None if table is None else _written(table.datastore, table.table, None),
        "file_format": settings.file_format,
    }


def _written(datastore: str, table: str | None, query: str | None) -> dict[str, str]:
    return {"datastore": datastore, **({"sql_table": table} if table else {"sql_query": str(query)})}


def _choice(fields: dict[str, Node], key: str, choices: tuple[str, ...], what: str) -> str | None:
    node = fields.get(key)
    return None if node is None or node.is_null() else node.choice(f"{key} of {what}", choices)


def _rows(node: Node, what: str) -> SqlRows:
    fields = node.fields(what, ("datastore", "sql_table", "sql_query"))
    if ("sql_table" in fields) == ("sql_query" in fields):
        node.fail(f"{what} needs either sql_table or sql_query.")
    return SqlRows(
        datastore=_required(node, fields, "datastore", what),
        table=fields["sql_table"].text(f"sql_table of {what}") if "sql_table" in fields else None,
        query=fields["sql_query"].text(f"sql_query of {what}") if "sql_query" in fields else None,
    )


def _table(node: Node, what: str) -> SqlTable:
    fields = node.fields(what, ("datastore", "sql_table"))
    return SqlTable(
        datastore=_required(node, fields, "datastore", what), table=_required(node, fields, "sql_table", what)
    )


def _required(node: Node, fields: dict[str, Node], key: str, what: str) -> str:
    if key not in fields:
        node.fail(f"{what} has no {key}.")
    return fields[key].text(f"{key} of {what}")
