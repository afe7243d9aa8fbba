"""The kinds of steps that a pipeline can be made of."""

from __future__ import annotations

from airloom.pipeline.steps.data_transfer_step import DataTransferStep
from airloom.pipeline.steps.python_script_step import PythonScriptStep

__all__ = ["DataTransferStep", "PythonScriptStep"]
