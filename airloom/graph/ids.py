"""Step ids from the names that authors give."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from airloom.graph.names import ROOT_TASK

_LONGEST = 100
_OUTSIDE = re.compile(r"[^A-Za-z0-9_.-]+")


def slug(name: str) -> str:
    """The name in the characters that task ids may hold; accents are dropped, other runs become '-'. Never empty."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii")
    return _OUTSIDE.sub("-", plain)[:_LONGEST].strip("-.") or "step"


def assign_ids(names: Iterable[str]) -> list[str]:
    """An id for each name, in order. Equal ones get -2, -3 and so on; the same names give the same ids everywhere.

    Ids differ in more than case, since they name folders too, and none is the id of the planning task.
    """
    taken = {ROOT_TASK}
    ids = []
    for name in names:
        base = chosen = slug(name)
        number = 1
        while chosen.casefold() in taken:
            number += 1
            chosen = f"{base}-{number}"
        taken.add(chosen.casefold())
        ids.append(chosen)
    return ids
