"""The names of the bundle's loader files: the bundle writes them, and submits ask Airflow to parse them."""

from __future__ import annotations


def loader_file(shard: int) -> str:
    """The name, in the bundle, of the file that holds the DAGs of the pipelines of a shard."""
    return f"airloom_shard_{shard:02x}.py"


def schedule_file(shard: int) -> str:
    """The name of the file that holds the DAGs of the schedules of a shard.

    Schedules have files of their own, so that one that changes has only schedules parsed with it, and a worker knows
    by the file what a DAG's id stands for.
    """
    return f"airloom_schedules_{shard:02x}.py"
