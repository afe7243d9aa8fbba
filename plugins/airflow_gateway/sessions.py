"""Sessions of Airflow's database, in which our own tables are too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow.utils.session import create_session
from sqlalchemy.orm import Session

__all__ = ["Session", "open_session"]


@contextmanager
def open_session() -> Iterator[Session]:
    """A database session of its own: committed at the end of the block, rolled back on an exception."""
    with create_session(scoped=False) as session:
        yield session
