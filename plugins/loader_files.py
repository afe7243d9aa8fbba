"""Loader files of bundles: bundles write them, and submits ask Airflow by name to parse them."""

from __future__ import annotations

import os
from pathlib import Path


def loader_file(shard: int) -> str:
    """The name, in the bundle, of the file that holds the DAGs of the pipelines of a shard."""
    return f"airloom_shard_{shard:02x}.py"


def schedule_file(shard: int) -> str:
    """The name of the file that holds the DAGs of the schedules of a shard.

    Schedules have files of their own, so that one that changes has only schedules parsed with it, and a worker knows
    by the file what a DAG's id stands for.
    """
    return f"airloom_schedules_{shard:02x}.py"


def write_if_changed(path: Path, text: str) -> None:
    """Write a loader, whole at every instant, unless it is there as it should be: Airflow parses what was written."""
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
