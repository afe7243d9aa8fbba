"""The main path on PostgreSQL: what runs and what is reused, two runs at once, cancelling.

The tests come from the SQLite suite; only the server is another.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from airloom.core import Workspace
from tests.integration.pipelines.test_runs import (
    compute,
    test_a_run_tells_its_steps_logs_and_outputs,
    test_cancel_ends_the_script_and_everything_that_it_started,
    test_parameters_reach_the_script_with_the_values_of_the_run,
)
from tests.integration.pipelines.test_single_flight import test_two_runs_submitted_at_once_compute_each_step_once
from tests.integration.pipelines.test_what_runs_again import edit
from tests.support.small_pipeline import SmallPipeline, executed

pytestmark = [pytest.mark.integration, pytest.mark.postgres]

__all__ = [
    "compute",
    "test_a_run_tells_its_steps_logs_and_outputs",
    "test_cancel_ends_the_script_and_everything_that_it_started",
    "test_parameters_reach_the_script_with_the_values_of_the_run",
    "test_two_runs_submitted_at_once_compute_each_step_once",
]


def test_a_first_run_then_an_unchanged_one_then_an_edited_script(ws: Workspace, tmp_path: Path) -> None:
    pipeline = SmallPipeline(ws, tmp_path)
    pipeline.prepare()
    assert executed(pipeline.run()) == {"clean", "train", "score"}
    assert executed(pipeline.run()) == set()
    edit(pipeline.script("train"), "model of", "a model of")
    assert executed(pipeline.run()) == {"train", "score"}
