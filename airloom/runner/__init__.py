"""Runs one step, anywhere: data in, environment, process, data out. Knows neither Airflow nor other steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airloom._lazy import lazy_exports

if TYPE_CHECKING:
    from airloom.runner.failures import ScriptFailed
    from airloom.runner.run import StepRunner, run_step
    from airloom.runner.spec import StagedInput, StagedOutput, StepOutcome, StepSpec, TabularOptions

__all__ = [
    "ScriptFailed",
    "StagedInput",
    "StagedOutput",
    "StepOutcome",
    "StepRunner",
    "StepSpec",
    "TabularOptions",
    "run_step",
]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "ScriptFailed": "airloom.runner.failures",
        "StagedInput": "airloom.runner.spec",
        "StagedOutput": "airloom.runner.spec",
        "StepOutcome": "airloom.runner.spec",
        "StepRunner": "airloom.runner.run",
        "StepSpec": "airloom.runner.spec",
        "TabularOptions": "airloom.runner.spec",
        "run_step": "airloom.runner.run",
    },
)
