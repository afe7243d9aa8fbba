"""The demo: one pipeline, run three times: first, unchanged, and with one training script edited.

Starts a server of its own in `--home`, prints what ran and what was reused, writes `demo-report.json` there, and
stops the server. Exits with 1 if any run did not do what was expected of it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from airloom.core import Experiment, Workspace
from airloom.pipeline.core import PipelineRun, StepRun
from examples.automobile.pipeline import HERE, build_pipeline, upload_data

EXPECTED = [
    {"prepare": "executed", "train_ridge": "executed", "train_forest": "executed", "compare": "executed"},
    {"prepare": "reused", "train_ridge": "reused", "train_forest": "reused", "compare": "reused"},
    {"prepare": "reused", "train_ridge": "executed", "train_forest": "reused", "compare": "executed"},
]
console = Console()


@dataclass
class DemoRun:
    """One finished run and how long it took from the submit call to its end."""

    title: str
    run: PipelineRun
    seconds: float

    def steps(self) -> dict[str, str]:
        """Step name -> executed, reused, or its status if it did not finish."""
        return {step.name: _outcome(step) for step in self.run.get_steps()}


def main() -> int:
    """Run the demo; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=Path(".airloom-demo"), help="folder of the server and the report")
    parser.add_argument("--port", type=int, default=0, help="port of the server; 0 takes a free one")
    args = parser.parse_args()
    home = args.home.absolute()
    with server(home, args.port):
        ws = Workspace.from_config(str(home / "config.json"))
        runs = run_three_times(ws, home)
        plot = fetch_comparison(runs[-1].run, home)
        for demo_run in runs:
            print_run(demo_run)
        console.print(f"\nThe plot of the last run:  {plot}", soft_wrap=True)
        console.print(f"The runs in Airflow's UI:  {runs[-1].run.get_portal_url()}", soft_wrap=True)
        outcome = write_report(runs, home)
    console.print("The server has been stopped; `make up` keeps one running.")
    return outcome


@contextmanager
def server(home: Path, port: int) -> Iterator[None]:
    """A server of the demo's own, in a fresh home."""
    airloom = [str(Path(sys.executable).parent / "airloom")]
    if home.exists():
        subprocess.run([*airloom, "down", "--home", str(home)], check=False, stdout=subprocess.DEVNULL)
        shutil.rmtree(home)
    subprocess.run([*airloom, "up", "--home", str(home), "--port", str(port), "--detach"], check=True)
    try:
        yield
    finally:
        subprocess.run([*airloom, "down", "--home", str(home)], check=True)


def run_three_times(ws: Workspace, home: Path) -> list[DemoRun]:
    """Submit the pipeline as it is, again, and with the ridge model's script edited."""
    sources = home / "sources"
    for folder in ("prepare", "train_ridge", "train_forest", "compare"):
        shutil.copytree(HERE / folder, sources / folder)
    upload_data(ws)
    runs = [submit(ws, "first run", sources), submit(ws, "unchanged", sources)]
    script = sources / "train_ridge" / "train_ridge.py"
    script.write_text(script.read_text().replace("ALPHA = 1.0", "ALPHA = 25.0"))
    return [*runs, submit(ws, "train_ridge.py edited", sources)]


def submit(ws: Workspace, title: str, sources: Path) -> DemoRun:
    """Submit the pipeline and wait for its end."""
    console.rule(f"[bold]{title}")
    start = time.monotonic()
    run = Experiment(ws, "automobile-prices").submit(build_pipeline(ws, sources))
    run.wait_for_completion(show_output=True)
    return DemoRun(title, run, time.monotonic() - start)


def fetch_comparison(run: PipelineRun, home: Path) -> Path:
    """Download the output of the compare step; returns the path of the plot."""
    target = home / "comparison"
    run.find_step_run("compare")[0].get_output_data("comparison").download(str(target), overwrite=True)
    (plot,) = target.rglob("comparison.png")
    return plot


def print_run(demo_run: DemoRun) -> None:
    """One table per run: step, what happened, how long it took, and where its result came from."""
    table = Table(title=f"{demo_run.title}: {demo_run.seconds:.1f} s", title_justify="left")
    for column in ("step", "outcome", "seconds", "reused from run"):
        table.add_column(column)
    for step in demo_run.run.get_steps():
        seconds = "" if step.is_reused or step.seconds is None else f"{step.seconds:.1f}"
        origin = step.reused_from.pipeline_run_id if step.reused_from is not None else ""
        table.add_row(step.name, _outcome(step), seconds, origin)
    console.print(table)


def write_report(runs: list[DemoRun], home: Path) -> int:
    """Write demo-report.json; 0 if every run did what was expected, else 1."""
    report = {
        "runs": [{"run_id": r.run.id, "seconds": round(r.seconds, 2), "steps": r.steps()} for r in runs],
    }
    path = home / "demo-report.json"
    path.write_text(json.dumps(report, indent=2))
    console.print(f"The report:                {path}", soft_wrap=True)
    unexpected = [r.title for r, steps in zip(runs, EXPECTED, strict=True) if r.steps() != steps]
    if unexpected:
        console.print(f"[red]Not as expected: {', '.join(unexpected)}")
    return 1 if unexpected else 0


def _outcome(step: StepRun) -> str:
    status = step.get_status()
    if status != "Finished":
        return status
    return "reused" if step.is_reused else "executed"


if __name__ == "__main__":
    sys.exit(main())
