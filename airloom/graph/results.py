"""What running a step yields: references to outputs, the result of a step, and why it ran or was reused.

These values travel through XCom and REST, so they hold references and words only, never data.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

from airloom.graph.model import Model


class OutputRef(Model):
    """Where one output lies, and what it held when it was written.

    `digest` is that of the tree manifest; `size` is in bytes; `is_file` tells a single file from a folder.
    """

    datastore: str
    path: str
    digest: str
    size: int
    is_file: bool


class Origin(Model):
    """The attempt of a step that computed a result."""

    run_id: str
    step_id: str
    attempt: str


class Reason(StrEnum):
    """Why a step ran or was reused. One of these is the answer to every question about reuse."""

    UNCHANGED = "unchanged"
    """Reused: an earlier attempt had the same key, and its outputs are still what they were."""

    EARLY_CUTOFF = "early_cutoff"
    """Reused at run time: an upstream step ran, but gave the same bytes as before."""

    SHARED = "shared"
    """Reused: another live run computed the same key while this one waited."""

    FIRST_RUN = "first_run"
    """Executed: no earlier attempt of this step is on record."""

    CHANGED = "changed"
    """Executed: the key differs from that of every earlier attempt; the changed parts are listed."""

    RECORD_LOST = "record_lost"
    """Executed: the record of the same key is missing, truncated or altered."""

    OUTPUT_LOST = "output_lost"
    """Executed: an output of the recorded attempt is missing or was altered."""

    REUSE_OFF = "reuse_off"
    """Executed: the step or the run does not allow reuse."""

    REFRESH = "refresh"
    """Executed: the step or the run asked to compute everything anew."""

    NO_KEY = "no_key"
    """Executed: the key could not be computed, and then nothing is ever reused."""


class Change(Model):
    """One named part of a key that differs from the record compared to. None: the part is absent on that side."""

    part: str
    before: Any = None
    now: Any = None


class Explanation(Model):
    """The whole answer to "why did this step run?" or "why was it reused?"."""

    step_id: str
    name: str
    action: Literal["reused", "executed"]
    reason: Reason
    message: str
    changed: tuple[Change, ...] = ()
    compared_to: Origin | None = None


class StepResult(Model):
    """The result of a step in one run. `reused_from` is set when another attempt computed it."""

    status: Literal["executed", "reused"]
    outputs: dict[str, OutputRef]
    key: str | None
    attempt: str
    reused_from: Origin | None = None
    explanation: Explanation | None = None
