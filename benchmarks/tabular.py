"""A table of ten million rows filtered, sampled and written to Parquet: Airloom, polars by hand, and plain pandas.

Each way runs in processes of its own, so that the greatest memory of each is its own. `BENCH_ROWS` makes the table
smaller. Two forms of the same table are read: delimited text and Parquet.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.figures import Figure, ratio_at_most

ROWS = int(os.environ.get("BENCH_ROWS", "10_000_000"))
REPEATS = 3
_CHUNK = 1_000_000

# What is asked: the rows of one land with a price above 50, a tenth of them, without one column.
_AIRLOOM = """
from pathlib import Path
from airloom.graph.tables import *
from airloom.tabular import Part, Table
both = Call(function="and", arguments=(
    Call(function="gt", arguments=(ColumnValue(name="price"), Constant(value=50.0))),
    Call(function="eq", arguments=(ColumnValue(name="land"), Constant(value="de")))))
done = (Filter(condition=both), Sample(probability=0.1, seed=1), DropColumns(columns=("note",)))
form = "parquet" if source.endswith(".parquet") else "delimited"
with Table([Part(Path(source), source)], TableReading(format=form, transforms=done)) as table:
    table.write_parquet(Path(target))
"""
_POLARS = """
import polars as pl
if source.endswith(".parquet"):
    scan = pl.scan_parquet(source)
else:  # faster than to let the reader find the times, which it does before it filters
    scan = pl.scan_csv(source).with_columns(pl.col("sold").str.to_datetime("%Y-%m-%dT%H:%M:%S"))
chosen = scan.filter((pl.col("price") > 50) & (pl.col("land") == "de")).drop("note")
chosen = chosen.with_row_index("row").filter(pl.col("row").hash(1) < 2**64 // 10).drop("row")
chosen.sink_parquet(target)
"""
_PANDAS = """
import pandas
if source.endswith(".parquet"):
    frame = pandas.read_parquet(source)
else:
    frame = pandas.read_csv(source, parse_dates=["sold"])
frame = frame[(frame["price"] > 50) & (frame["land"] == "de")].sample(frac=0.1, random_state=1)
frame.drop(columns="note").to_parquet(target)
"""
_PROGRAM = """
import json, resource, sys, time
from tests.support.peak_memory import peak_bytes
source, target = sys.argv[1:]
start = time.perf_counter()
{work}
seconds = time.perf_counter() - start
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps([seconds, used.ru_utime + used.ru_stime, peak_bytes() / 1e6]))
"""
_MAKE = """
import sys
import polars as pl
rows, chunk, target = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
with open(target + ".csv", "wb") as stream:
    for start in range(0, rows, chunk):
        mixed = (pl.col("id") * 7919) % 100_003
        land = pl.when(mixed % 3 == 0).then(pl.lit("de")).otherwise(pl.lit("fr"))
        sold = pl.datetime(2020, 1, 1) + pl.duration(minutes=pl.col("id") % 500_000)
        frame = pl.DataFrame({"id": range(start, min(start + chunk, rows))}).select(
            "id",
            (mixed / 1000.0).alias("price"),
            land.alias("land"),
            sold.dt.strftime("%Y-%m-%dT%H:%M:%S").alias("sold"),
            pl.format("note {} of a sale", mixed).alias("note"),
        )
        frame.write_csv(stream, include_header=start == 0)
pl.scan_csv(target + ".csv", try_parse_dates=True).sink_parquet(target + ".parquet")
"""


class Cost(NamedTuple):
    """What a way takes: wall-clock time, time on processors, and the greatest memory of its process, with modules."""

    seconds: float
    processor: float
    megabytes: float


def measure() -> Iterator[Figure]:
    """From delimited text, then from Parquet."""
    with tempfile.TemporaryDirectory(prefix="airloom-bench-") as folder:
        table = Path(folder, "table")
        subprocess.run([sys.executable, "-c", _MAKE, str(ROWS), str(_CHUNK), str(table)], check=True)
        for form, goal in (("csv", 1.3), ("parquet", 1.3)):
            yield from _compare(Path(f"{table}.{form}"), goal)


def _compare(source: Path, goal: float) -> Iterator[Figure]:
    ways = {"Airloom": _AIRLOOM, "polars": _POLARS, "pandas": _PANDAS}
    costs: dict[str, list[Cost]] = {name: [] for name in ways}
    for _ in range(REPEATS):
        for name, work in ways.items():
            costs[name].append(_run(work, source))
    best = {
        name: Cost(*(statistics.median(values) for values in zip(*each, strict=True))) for name, each in costs.items()
    }
    what = f"{ROWS:,} rows of {source.suffix[1:]} filtered, sampled, written to Parquet"
    ours = best["Airloom"]
    for name, limit in (("polars", goal), ("pandas", 1.0)):
        other = best[name]
        yield Figure(f"{what}: time", ours.seconds, "s", f"plain {name}", other.seconds, ratio_at_most(limit))
        yield Figure(f"{what}: processor", ours.processor, "s", f"plain {name}", other.processor)
        yield Figure(f"{what}: memory", ours.megabytes, "MB", f"plain {name}", other.megabytes, ratio_at_most(limit))


def _run(work: str, source: Path) -> Cost:
    """One process; the result is checked to have about the rows that it should, and removed."""
    target = source.with_name("result.parquet")
    program = _PROGRAM.format(work=textwrap.dedent(work))
    done = subprocess.run(
        [sys.executable, "-c", program, str(source), str(target)], capture_output=True, text=True, check=True
    )
    import polars as pl

    rows = pl.scan_parquet(target).select(pl.len()).collect().item()
    target.unlink()
    if not 0.8 < rows / (ROWS / 3 / 2 / 10) < 1.2:
        raise RuntimeError(f"a way wrote {rows} rows")
    return Cost(*json.loads(done.stdout))
