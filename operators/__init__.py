"""Airflow operators: each step type of a pipeline as a task, and the sensor that skips what has not changed."""

from __future__ import annotations

from airloom.operators.data_transfer import DataTransferOperator
from airloom.operators.python_script import PythonScriptOperator
from airloom.operators.skip_if_unchanged import SkipIfUnchangedSensor

__all__ = ["DataTransferOperator", "PythonScriptOperator", "SkipIfUnchangedSensor"]
