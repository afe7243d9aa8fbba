"""Looking for rows by their tags, on every database."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement
from sqlalchemy.orm import InstrumentedAttribute

from airloom.plugins.db.models import JsonDict
from airloom.plugins.errors import BadRequest

_SEARCHABLE = re.compile(r"[A-Za-z0-9 _.\-]+")
"""Names that every database finds in JSON; SQLite does not find those that are written with escapes there."""


@dataclass(frozen=True)
class Tag:
    """A tag to look for; with `value` None, whatever its value is."""

    name: str
    value: str | None

    @staticmethod
    def parse(text: str) -> Tag:
        """From `name:value`, or `name` alone. Raises BadRequest."""
        name, colon, value = text.partition(":")
        if not name:
            raise BadRequest(
                f"{text[:80]!r} is not a tag to look for.", hint="Write name:value, or a name alone.", target="tag"
            )
        return Tag(name, value if colon else None)

    def among(self, tags: Mapping[str, str]) -> bool:
        """True if the tag is one of these."""
        return self.name in tags and self.value in (None, tags[self.name])

    def condition(self, column: InstrumentedAttribute[JsonDict]) -> ColumnElement[bool] | None:
        """What a database can be asked, if it can: to fetch fewer rows, among which `among` then decides."""
        if not _SEARCHABLE.fullmatch(self.name):
            return None
        found = column[self.name].as_string()
        return found.is_not(None) if self.value is None else found == self.value


def conditions(tags: Iterable[Tag], column: InstrumentedAttribute[JsonDict]) -> list[ColumnElement[bool]]:
    """What a database can be asked of several tags."""
    found = (tag.condition(column) for tag in tags)
    return [condition for condition in found if condition is not None]
