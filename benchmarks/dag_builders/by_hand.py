"""`python by_hand.py COUNT STEPS`: a plain loop in a DAG file, with all that Airloom gives a DAG and its tasks.

With the word `bare` behind them, only ids and dependencies.
"""

from __future__ import annotations

import gc
import sys
import time
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, Param

COMMAND = "python main.py"


def full_dag(number: int) -> dict[str, Any]:
    """What a DAG has besides its id."""
    return {
        "dag_display_name": f"pipeline {number}",
        "description": "a chain of steps",
        "params": {"airloom.reuse": Param("auto", enum=["auto", "off", "refresh"], title="Reuse", description="mode")},
        "tags": ["airloom", "experiment:many", "workspace:default"],
        "doc_md": "a chain of steps\n\n| step | script |\n|---|---|\n" + "| step | main.py |\n" * 9,
        "is_paused_upon_creation": False,
    }


def full_task(number: int) -> dict[str, Any]:
    """What a task has besides its id and its command."""
    return {
        "task_display_name": f"step {number}",
        "doc_md": "Runs main.py; reads out; writes out.",
        "pool": "default_pool",
        "trigger_rule": "none_failed",
        "retries": 2,
        "retry_delay": timedelta(seconds=5),
    }


def build(count: int, steps: int, bare: bool) -> dict[str, DAG]:
    """The DAGs, by name."""
    dags = {}
    for number in range(count):
        with DAG(f"many.{number:016x}", schedule=None, catchup=False, **({} if bare else full_dag(number))) as dag:
            before = None
            for step in range(steps):
                fields = {} if bare else full_task(step)
                task = BashOperator(task_id=f"step{step}", bash_command=COMMAND, **fields)
                if before is not None:
                    before >> task
                before = task
        dags[dag.dag_id] = dag
    return dags


if __name__ == "__main__":
    count, steps, bare = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:] == ["bare"]
    build(10, steps, bare)
    gc.collect()
    started = time.process_time()
    assert len(build(count, steps, bare)) == count
    sys.stdout.write(f"{time.process_time() - started}\n")
