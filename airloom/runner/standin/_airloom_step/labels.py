"""Tags and properties of a run."""

from __future__ import annotations

from typing import Any

from .errors import UserErrorException
from .journal import EVENTS, Journal


class Labels:
    """The side of a run that holds tags and properties. A step's script sees those that it has set itself."""

    id: str
    _journal: Journal

    def tag(self, key: str, value: Any = None) -> None:
        """Set one tag."""
        self._event("tag", {key: value})

    def set_tags(self, tags: dict[str, Any]) -> None:
        """Set several tags; others stay."""
        self._event("tag", dict(tags))

    def remove_tags(self, tags: str | list[str]) -> None:
        """Remove tags by name."""
        self._event("untag", [tags] if isinstance(tags, str) else list(tags))

    def get_tags(self) -> dict[str, Any]:
        """The tags that this script has set."""
        tags: dict[str, Any] = {}
        for entry in self._events():
            if entry["event"] == "tag":
                tags.update(entry["value"])
            elif entry["event"] == "untag":
                for key in entry["value"]:
                    tags.pop(key, None)
        return tags

    @property
    def tags(self) -> dict[str, Any]:
        """The tags that this script has set."""
        return self.get_tags()

    def add_properties(self, properties: dict[str, Any]) -> None:
        """Add properties. They cannot be changed or removed afterwards."""
        known = self.get_properties()
        for key in properties:
            if key in known:
                raise UserErrorException(f"The property {key!r} is set already and cannot be changed.")
        self._event("properties", dict(properties))

    def get_properties(self) -> dict[str, Any]:
        """The properties that this script has set."""
        found: dict[str, Any] = {}
        for entry in self._events():
            if entry["event"] == "properties":
                found.update(entry["value"])
        return found

    @property
    def properties(self) -> dict[str, Any]:
        """The properties that this script has set."""
        return self.get_properties()

    def _event(self, kind: str, value: Any) -> None:
        self._journal.append(EVENTS, {"run": self.id, "event": kind, "value": value})

    def _events(self) -> list[dict[str, Any]]:
        return [entry for entry in self._journal.read(EVENTS) if entry["run"] == self.id]
