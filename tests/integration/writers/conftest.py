"""Eight processes, forked from one that has imported what they need."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import crew

WRITERS = 8

crew.preload("tests.integration.writers.store_roles", "airloom.storage.azure_blob")


@pytest.fixture
def writers() -> Iterator[crew.Crew]:
    """New ones for each test: after a failure they may still be at work."""
    with crew.Crew(WRITERS) as eight:
        yield eight
