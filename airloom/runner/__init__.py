"""Runs one step, anywhere: data in, environment, process, data out. Knows neither Airflow nor other steps."""

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
