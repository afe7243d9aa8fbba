"""Freeing environments of steps that this machine's cache has and no step has used for long."""

from __future__ import annotations

import time
from pathlib import Path

from airloom.runner.environments import discard_unused, stored_environments
from airloom.upkeep.leftovers import measured
from airloom.upkeep.progress import Tally


def free_environments(cache: Path, older_than_seconds: float, *, dry_run: bool = False) -> Tally:
    """Remove the environments that were not used for so long; never one that a step is using now."""
    freed = Tally()
    before = time.time() - older_than_seconds
    for folder in stored_environments(cache):
        found = measured(folder)
        if found is not None and discard_unused(folder, before, dry_run=dry_run):
            freed = freed.plus(found.size)
    return freed
