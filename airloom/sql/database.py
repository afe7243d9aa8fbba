"""What can be done with a database, of whatever kind it is, and how one is opened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from airloom.errors import InvalidGraph
from airloom.graph.step_settings import SqlRows
from airloom.storage.datastore_config import DatastoreConfig, SqlConfig
from airloom.storage.secrets import Secrets

if TYPE_CHECKING:
    import pyarrow as pa


class Rows(Protocol):
    """The rows of one query: their columns, and then the rows, some at a time and once only.

    A column's metadata names the type that it has in the database, as `airloom.sql.fields` tells.
    """

    schema: pa.Schema

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """The rows."""


class TableLoad(Protocol):
    """New rows for a table, staged where nobody looks until they take the place of the old ones."""

    @property
    def staged(self) -> int:
        """How many pieces are staged already, by this process or by one that was killed."""

    def stage(self, rows: pa.RecordBatch) -> None:
        """Stage the next piece, for good: once it returns, the piece need not be staged again."""

    def publish(self) -> int:
        """Let the staged rows take the place of those in the table, in one transaction; returns how many they are."""

    def discard(self) -> None:
        """Forget what is staged."""


class Database(Protocol):
    """A database that a datastore stands for."""

    def read(self, rows: SqlRows, *, as_text: bool = False) -> AbstractContextManager[Rows]:
        """Open a table or query for reading, as of one moment.

        With `as_text`, columns of types that a text file has no form of its own for come as the database writes them.
        """

    def columns(self, table: str) -> dict[str, str]:
        """The types of a table's columns, by name; empty if there is no such table."""

    def load(self, table: str, schema: pa.Schema, stem: str, plan: str) -> AbstractContextManager[TableLoad]:
        """Open a table for replacing what it holds; it is made if there is none.

        `plan` identifies the rows and the pieces in which they come: what was staged under another plan, but of the
        same `stem`, is dropped.
        """


def open_database(config: DatastoreConfig, secrets: Secrets) -> Database:
    """The database that a datastore stands for. InvalidGraph if it is none, or of a kind that is not supported."""
    if not isinstance(config, SqlConfig):
        raise InvalidGraph(
            f"The datastore {config.name!r} of type {config.type} holds files and no tables.",
            hint="Name a datastore that is a database.",
            target=config.name,
        )
    if config.type != "azure_postgre_sql":
        raise InvalidGraph(
            f"The datastore {config.name!r} is of type {config.type}; only PostgreSQL can be read and written yet.",
            hint="Read it in a script step, with the driver of your choice.",
            target=config.name,
        )
    from airloom.sql.postgres import PostgresDatabase

    return PostgresDatabase(config, secrets)
