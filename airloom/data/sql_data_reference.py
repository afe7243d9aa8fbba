"""References to tables and queries of databases, as source or destination of a DataTransferStep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airloom.core._compat import not_yet
from airloom.data.data_reference import DataReference, generated_name
from airloom.exceptions import UserErrorException
from airloom.graph.model import PathSource
from airloom.graph.step_settings import SqlRows


class SqlDataReference(DataReference):
    """A table, or the rows of a query, on a datastore that is a database. Give one of both.

    Without `data_reference_name` it gets a name made from the datastore and the table or query.
    """

    def __init__(
        self,
        datastore: Any,
        data_reference_name: str | None = None,
        sql_table: str | None = None,
        sql_query: str | None = None,
        sql_stored_procedure: str | None = None,
        sql_stored_procedure_params: Sequence[Any] | None = None,
    ) -> None:
        if sql_stored_procedure is not None or sql_stored_procedure_params:
            raise not_yet("A SqlDataReference to a stored procedure", "Give a sql_query that calls a function.")
        given = [text for text in (sql_table, sql_query) if isinstance(text, str) and text.strip()]
        if len(given) != 1 or (sql_table is not None and sql_query is not None):
            raise UserErrorException(
                "A SqlDataReference needs either a sql_table or a sql_query: text that is not empty."
            )
        name = data_reference_name
        if name is None and isinstance(getattr(datastore, "name", None), str):
            name = generated_name(datastore.name, given[0])
        super().__init__(datastore, name)
        self.sql_table = sql_table
        self.sql_query = sql_query

    def path(self, path: str | None = None, data_reference_name: str | None = None) -> DataReference:
        """Raises UserErrorException: rows have no paths."""
        raise UserErrorException(f"{self!r} is a table or query, which has no paths.")

    def _with_mode(self, mode: str, path_on_compute: str | None, overwrite: bool) -> DataReference:
        raise UserErrorException(f"{self!r} is no file: only a DataTransferStep reads or writes it.")

    def _to_source(self) -> PathSource:
        raise UserErrorException(
            f"{self!r} is no file. Copy its rows to a file with a DataTransferStep, and read what it gives by "
            "get_output()."
        )

    def _to_rows(self) -> SqlRows:
        return SqlRows(datastore=self.datastore.name, table=self.sql_table, query=self.sql_query)

    def __repr__(self) -> str:
        what = f"table {self.sql_table!r}" if self.sql_table else f"query {str(self.sql_query)[:60]!r}"
        return f"SqlDataReference({self.datastore.name}, {what})"
