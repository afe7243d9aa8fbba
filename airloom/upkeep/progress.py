"""What upkeep tells while it works and when it is done. These values travel through REST as they are."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

from pydantic import Field

from airloom.graph.model import Model

Result = TypeVar("Result")


class Progress(Model):
    """How far the work is. `total` is None while it is not known."""

    phase: str
    done: int = 0
    total: int | None = None


Work = Generator[Progress, None, Result]
"""Work in small pieces: it goes on as long as somebody takes its progress, and returns its result."""


class Tally(Model):
    """How many things of one kind, and their bytes together."""

    count: int = 0
    bytes: int = 0

    def plus(self, size: int) -> Tally:
        """The tally with one more thing."""
        return Tally(count=self.count + 1, bytes=self.bytes + size)


class GcReport(Model):
    """What was freed (in a dry run: what would be) and what is kept, by kind.

    `unused_since` is the time since which everything freed was not used; it is later than the age limit asks for
    when `max_bytes` was the stronger limit. `problems` says what was left alone because it could not be read.
    """

    workspace: str
    dry_run: bool
    unused_since: str
    max_bytes: int | None = None
    freed: dict[str, Tally] = Field(default_factory=dict)
    kept: dict[str, Tally] = Field(default_factory=dict)
    problems: tuple[str, ...] = ()

    @property
    def freed_bytes(self) -> int:
        """Bytes of all that was freed."""
        return sum(tally.bytes for tally in self.freed.values())

    @property
    def kept_bytes(self) -> int:
        """Bytes of all that counts for the size limit and is kept."""
        return sum(tally.bytes for tally in self.kept.values())


class Finding(Model):
    """Something that is not as it was stored.

    `where` is a key of the store, or datastore and path; `means` says what follows from it for users, `mend` what
    they can do; `done` what quarantining did about it, empty if nothing was changed.
    """

    kind: str
    where: str
    what: str
    means: str
    mend: str
    done: str = ""


class VerifyReport(Model):
    """All findings, and how much was checked, by kind."""

    workspace: str
    quarantine: str | None
    checked: dict[str, Tally] = Field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
