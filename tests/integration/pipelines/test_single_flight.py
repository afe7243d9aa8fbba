"""Two runs of the same pipeline at once: every step is computed by one of them and reused by the other."""

from __future__ import annotations

from pathlib import Path

from airloom.core import Workspace
from tests.support.small_pipeline import SmallPipeline, executed


def test_two_runs_submitted_at_once_compute_each_step_once(ws: Workspace, tmp_path: Path) -> None:
    pipeline = SmallPipeline(ws, tmp_path)
    pipeline.prepare()
    script = pipeline.script("clean")
    script.write_text(script.read_text() + "import time; time.sleep(3)\n")
    runs = [pipeline.start(), pipeline.start()]
    for run in runs:
        run.wait_for_completion(show_output=False)
    one, other = (executed(run) for run in runs)
    assert one | other == {"clean", "train", "score"}
    assert one & other == set()
    outputs = [run.find_step_run("score")[0].get_output_data("score").path_on_datastore for run in runs]
    assert outputs[0] == outputs[1]
    reasons = {explanation.reason for run in runs for explanation in run.explain() if explanation.action == "reused"}
    assert reasons <= {"shared", "early_cutoff", "unchanged"}
    assert "shared" in reasons


def test_a_run_that_waits_computes_itself_when_the_other_one_fails(ws: Workspace, tmp_path: Path) -> None:
    """The first process to run the script fails, the second succeeds."""
    pipeline = SmallPipeline(ws, tmp_path)
    pipeline.prepare()
    flag = tmp_path / "failed-once"
    script = pipeline.script("clean")
    fail_once = f"""
import os, time
time.sleep(2)
try:
    os.close(os.open({str(flag)!r}, os.O_CREAT | os.O_EXCL))
    raise SystemExit("the first one fails")
except FileExistsError:
    pass
"""
    script.write_text(fail_once + script.read_text())
    runs = [pipeline.start(), pipeline.start()]
    for run in runs:
        run.wait_for_completion(show_output=False, raise_on_error=False)
    assert sorted(run.get_status() for run in runs) == ["Failed", "Finished"]
