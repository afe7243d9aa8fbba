"""The numbers that the original service writes for states and kinds."""

from __future__ import annotations

from airloom.plugins.api.schemas import RunStatus, StepStatus

RUN_STATUS: dict[RunStatus, int] = {"NotStarted": 0, "Running": 1, "Failed": 2, "Finished": 3, "Canceled": 4}
STEP_STATUS: dict[StepStatus, int] = {
    "NotStarted": 0,
    "Queued": 1,
    "Running": 2,
    "Failed": 3,
    "Finished": 4,
    "Canceled": 5,
}
ENTITY_STATUS = {"Active": 0, "Deprecated": 1, "Disabled": 2}
FREQUENCY = {"Month": 0, "Week": 1, "Day": 2, "Hour": 3, "Minute": 4}
PROVISIONING = {"Provisioning": 0, "Completed": 1, "Failed": 2}
BY_RECURRENCE, BY_DATA = 0, 1
"""Types of schedules."""
RUN_TYPE = {"HTTP": 0, "SDK": 1, "Schedule": 2, "Portal": 3}
"""What kind of caller made a run."""
UPLOADED = 1
"""State of the graph of a run: it is always there."""


def source_of(named: str | None) -> str:
    """The kind of a caller who names himself. Whoever is none of the kinds that there are came by HTTP."""
    return next((kind for kind in ("SDK", "Portal") if named and kind.lower() == named.lower()), "HTTP")
