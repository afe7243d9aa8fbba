"""Sessions of Airflow's database, in which our own tables are too."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from airflow.configuration import conf
from airflow.utils.session import create_session
from sqlalchemy.orm import Session

__all__ = ["Session", "open_session", "open_session_in_turn"]

_turn = threading.Lock()


@contextmanager
def open_session() -> Iterator[Session]:
    """A database session of its own: committed at the end of the block, rolled back on an exception."""
    with create_session(scoped=False) as session:
        yield session


@contextmanager
def open_session_in_turn() -> Iterator[Session]:
    """A session for a short transaction that writes, of which many may be wanted at once.

    Who waits for SQLite's lock sleeps and tries again, and of many some wait for many seconds. So there the writers of
    this process form a queue before it. Nothing else may be waited for meanwhile, such as another session.
    """
    on_sqlite = conf.get("database", "sql_alchemy_conn").startswith("sqlite")
    with _turn if on_sqlite else nullcontext(), open_session() as session:
        yield session
