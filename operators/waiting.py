"""How tasks wait: for other runs, first in their worker slot, which is quick, then off it, which is cheap.

Airflow may take a task that goes off its worker and comes back within moments for a crashed one: the end of its first
process is then seen while it is queued again. So a task stays away for long enough when it goes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from airflow.sdk.exceptions import AirflowRescheduleException

IN_SLOT_SECONDS = 30.0
POLL_SECONDS = 0.25
AWAY_SECONDS = 20.0

LOST_WORKER_RETRIES = 2
"""Tries after the first, for tasks whose worker was lost; failures of the pipeline itself are never tried again."""

RETRY_DELAY = timedelta(seconds=5)

T = TypeVar("T")


def wait_for(attempt: Callable[[], T | None]) -> T:
    """The first result of `attempt` that is not None. Gives the worker slot up when it takes long."""
    deadline = time.monotonic() + IN_SLOT_SECONDS
    while (result := attempt()) is None:
        if time.monotonic() > deadline:
            raise AirflowRescheduleException(datetime.now(UTC) + timedelta(seconds=AWAY_SECONDS))
        time.sleep(POLL_SECONDS)
    return result
