"""Measure: `python -m benchmarks [NAME...]`. Without names, everything.

Writes one result file per run (default: below `.cache/benchmarks`) and prints the figures as a table.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, markdown

NAMES = (
    "chain",
    "unchanged",
    "peers_chain",
    "plan",
    "submit",
    "published",
    "many_pipelines",
    "sources",
    "digests",
    "memory",
    "blob_transfer",
    "tabular",
)
"""The modules to measure with, in the order of the table; each has `measure() -> Iterator[Figure]`."""

_RESULTS = Path(__file__).parents[1] / ".cache" / "benchmarks"


def main() -> None:
    """Measure, print, and keep the result."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"what to measure: {', '.join(NAMES)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the result")
    args = parser.parse_args()
    unknown = [name for name in args.names if name not in NAMES]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}; there are {', '.join(NAMES)}")
    started = datetime.now(UTC)
    file = args.json or _RESULTS / f"{started:%Y-%m-%dT%H-%M-%S}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    groups: dict[str, list[Figure]] = {}
    for name in args.names or NAMES:
        print(f"\n== {name}", file=sys.stderr, flush=True)
        groups[name] = list(_told(importlib.import_module(f"benchmarks.{name}").measure))
        file.write_text(json.dumps(_result(started, groups), indent=1) + "\n")
    print(markdown(figure for figures in groups.values() for figure in figures))
    print(f"written to {file}", file=sys.stderr)


def _told(measure: Callable[[], Iterator[Figure]]) -> Iterator[Figure]:
    """The figures, each said as soon as it is there: all of them take a quarter of an hour."""
    for figure in measure():
        print(markdown([figure]).splitlines()[-1], file=sys.stderr, flush=True)
        yield figure


def _result(started: datetime, groups: dict[str, list[Figure]]) -> dict[str, Any]:
    return {
        "measured_at": started.isoformat(timespec="seconds"),
        "machine": {"cores": os.cpu_count(), "memory_gb": _memory_gb(), "system": platform.platform(terse=True)},
        "versions": {
            "airloom": version("airloom"),
            "apache-airflow": version("apache-airflow"),
            "python": platform.python_version(),
            "commit": _commit(),
        },
        "figures": {name: [figure.as_json() for figure in figures] for name, figures in groups.items()},
    }


def _memory_gb() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9)


def _commit() -> str | None:
    asked = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return asked.stdout.strip() or None


if __name__ == "__main__":
    main()
