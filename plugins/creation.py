"""Creating what has a unique name, when others may be creating it at the same moment.

The row is made in a transaction of its own. Of racing callers the database lets one through; the others meet its
constraint, whose error says nothing to a user, and go on with the row that is there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import update
from sqlalchemy.exc import IntegrityError, InvalidRequestError

from airloom.plugins.airflow_gateway import Session, open_session
from airloom.plugins.db.models import OfWorkspace, WorkspaceRow
from airloom.plugins.db.published import WithUuid
from airloom.plugins.errors import Conflict

Row = TypeVar("Row", bound=OfWorkspace | WorkspaceRow)


def create_once(find: Callable[[], Row | None], make: Callable[[Session], object], what: str) -> tuple[Row, bool]:
    """The row that `find` finds, and whether this call has made it: `make` is called if there is none.

    The caller's session must have written nothing: on SQLite its lock would keep the new transaction waiting.
    """
    existing = find()
    if existing is not None:
        return existing, False
    try:
        with open_session() as own:
            make(own)
        made = True
    except IntegrityError:
        made = False
    row = find()
    if row is None:
        raise Conflict(
            f"The {what} cannot be created: it, or its workspace, was deleted at the same moment.", hint="Try again."
        )
    return row, made


def lock(session: Session, row: OfWorkspace | WithUuid) -> None:
    """Read a row again, and let nobody else change it until the session's transaction ends.

    An UPDATE does so on every database; SQLite knows no SELECT FOR UPDATE.
    """
    kind: Any = type(row)
    session.execute(update(kind).where(kind.id == row.id).values(name=kind.name))
    try:
        session.refresh(row)
    except InvalidRequestError:
        raise Conflict(f"{row.name!r} was deleted at the same moment.", target=row.name) from None
