"""The names of the bundle's loader files: the bundle writes them, and submits ask Airflow to parse them."""

from __future__ import annotations


def loader_file(shard: int) -> str:
    """The name, in the bundle, of the file that holds the DAGs of a shard."""
    return f"airloom_shard_{shard:02x}.py"
