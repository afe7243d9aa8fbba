"""What objects that stand for something kept on the server have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from airloom.core.workspace import Workspace


class ServerEntity:
    """Something that a workspace keeps under an id, as it was when it was last read."""

    _workspace: Workspace
    _document: dict[str, Any]

    @classmethod
    def _of(cls, workspace: Workspace, document: dict[str, Any]) -> Self:
        entity = cls.__new__(cls)
        entity._workspace, entity._document = workspace, document
        return entity

    @property
    def id(self) -> str:
        """Its id, a UUID."""
        return str(self._document["id"])

    @property
    def name(self) -> str:
        """Its name."""
        return str(self._document["name"] or "")

    @property
    def description(self) -> str:
        """What its author says of it."""
        return str(self._document["description"] or "")


class SwitchableEntity(ServerEntity):
    """One that can be disabled."""

    @property
    def status(self) -> str:
        """Active, Disabled or, of endpoints, Archived, when it was last read."""
        return str(self._document["status"])
