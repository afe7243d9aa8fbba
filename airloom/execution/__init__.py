"""Executes one step of one run: reuse it or run it, record it, and end with the run if another step failed.

The operators put this on Airflow; nothing here knows it.
"""

from airloom.execution.step import Busy, RunInfo, StepExecution, utc_now

__all__ = ["Busy", "RunInfo", "StepExecution", "utc_now"]
