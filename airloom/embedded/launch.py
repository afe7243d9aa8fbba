"""Runs an `airflow` command: `python -m airloom.embedded.launch ARGUMENTS...`.

Airflow makes some millions of objects at its start, none of which is garbage, and Python's collector looks through all
of them again and again: a third of the time in which the API server starts. So it is called more rarely.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import runpy
import sys

# Python's defaults are (700, 10, 10). Measured: 5.3 s of CPU until the API server answers become 4.2 s.
THRESHOLDS = (50_000, 20, 50)

# What every task, or every parse, would import for itself: so they inherit it from the process that forks them.
PRELOADED = {
    # Airflow loads jinja2.ext, whatever a task is, when it makes the environment that renders templates.
    "scheduler": ("airloom.plugins.dag_bundle", "airloom.plugins.local_executor", "airloom.operators", "jinja2.ext"),
    "dag-processor": ("airloom.plugins.dag_bundle", "airloom.operators"),
}


def main() -> None:
    """Run Airflow's own entry point in this process."""
    gc.set_threshold(*THRESHOLDS)
    # And the last collection, of what the end of the process frees anyhow, takes the API server two more seconds.
    atexit.register(gc.freeze)
    for module in PRELOADED.get(sys.argv[1], ()):
        importlib.import_module(module)
    runpy.run_module("airflow", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
