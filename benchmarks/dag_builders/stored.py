"""`python -m benchmarks.dag_builders.stored COUNT`: Airloom's loaders over the store that Airflow's settings name.

With a DAG id in place of the count: what a worker does to build that one DAG.
"""

from __future__ import annotations

import gc
import os
import sys
import time

from airflow.sdk.definitions.context import _AIRFLOW_PARSING_CONTEXT_DAG_ID

from airloom.plugins.dag_bundle import load_shard
from airloom.storage.definitions import SHARDS, digest16_of_dag_id, shard_of

REPEATS_OF_ONE = 50


def all_shards() -> int:
    """Build the DAGs of all loaders, as the DAG processor does; how many there are."""
    return len([dag for shard in range(SHARDS) for dag in load_shard(shard).values()])


def main() -> None:
    """Build, and print the seconds of CPU."""
    if sys.argv[1].isdigit():
        load_shard(0)
        gc.collect()
        started = time.process_time()
        assert all_shards() == int(sys.argv[1])
        sys.stdout.write(f"{time.process_time() - started}\n")
        return
    os.environ[_AIRFLOW_PARSING_CONTEXT_DAG_ID] = sys.argv[1]
    shard = shard_of(digest16_of_dag_id(sys.argv[1]))
    load_shard(shard)
    started = time.process_time()
    for _ in range(REPEATS_OF_ONE):
        assert len(load_shard(shard)) == 1
    sys.stdout.write(f"{(time.process_time() - started) / REPEATS_OF_ONE}\n")


if __name__ == "__main__":
    main()
