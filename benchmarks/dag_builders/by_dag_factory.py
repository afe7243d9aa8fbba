"""`python by_dag_factory.py FOLDER COUNT`: dag-factory's loader over a folder of YAML files, in its own environment."""

from __future__ import annotations

import gc
import logging
import sys
import time
from typing import Any

from dagfactory import load_yaml_dags

if __name__ == "__main__":
    folder, count = sys.argv[1], int(sys.argv[2])
    logging.disable(logging.INFO)
    found: dict[str, Any] = {}
    gc.collect()
    started = time.process_time()
    load_yaml_dags(globals_dict=found, dags_folder=folder)
    seconds = time.process_time() - started
    dags = [value for value in found.values() if type(value).__name__ == "DAG"]
    assert len(dags) == count, len(dags)
    sys.stdout.write(f"{seconds}\n")
