"""How a script fails, in words that help its author."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from airloom.errors import AttemptLost, StepFailed
from airloom.runner.process import Ended

FailureReason = Literal["failed", "timeout", "cancelled"]

_KILLED = 137  # 128 + SIGKILL, as a shell reports it
_OUT_OF_MEMORY = (
    "Killed from outside: mostly that means that the machine ran out of memory. Read less data at a time, or use a "
    "larger machine."
)


class ScriptFailed(StepFailed):
    """The step's script did not end well. `reason` says in which way, `exit_code` is as a shell would report it.

    `last_lines` is the end of what it wrote to stderr.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: FailureReason,
        exit_code: int | None = None,
        last_lines: Iterable[str] = (),
        hint: str = "",
        target: str = "",
    ) -> None:
        super().__init__(message, hint=hint, target=target)
        self.reason = reason
        self.exit_code = exit_code
        self.last_lines = tuple(last_lines)

    def __str__(self) -> str:
        if not self.last_lines:
            return super().__str__()
        return "\n".join([super().__str__(), "Last lines on stderr:", *self.last_lines])


def exit_code_of(ended: Ended) -> int | None:
    """The exit code as a shell reports it: 128 plus the number of the signal that killed the command."""
    code = ended.returncode
    return code if code is None or code >= 0 else 128 - code


def cancelled(step: str) -> ScriptFailed:
    """The error of a step that was cancelled."""
    return ScriptFailed(f"Step {step!r} was cancelled.", reason="cancelled", target=step)


def check_ended(ended: Ended, *, step: str, timeout: float | None, last_lines: Iterable[str]) -> None:
    """Return if the script ended well. Raises ScriptFailed otherwise, or AttemptLost."""
    if ended.reason == "cancelled":
        raise cancelled(step)
    if ended.reason == "lost":
        raise AttemptLost(f"The process that watches the script of step {step!r} was killed.", target=step)
    if ended.reason == "timeout":
        raise ScriptFailed(
            f"Step {step!r} was ended: it ran longer than its limit of {timeout:g} seconds.",
            reason="timeout",
            exit_code=exit_code_of(ended),
            last_lines=last_lines,
            hint="Raise the step's timeout_seconds if it needs more time.",
            target=step,
        )
    if ended.returncode is None:
        raise ScriptFailed(
            f"The script of step {step!r} could not be started: {ended.error}.",
            reason="failed",
            hint="Check the interpreter, and the number and length of the arguments.",
            target=step,
        )
    if ended.returncode != 0:
        raise _bad_exit(ended, step, last_lines)


def _bad_exit(ended: Ended, step: str, last_lines: Iterable[str]) -> ScriptFailed:
    code = exit_code_of(ended)
    how = f"was killed by {ended.signal_name} (exit code {code})" if ended.signal_name else f"exited with code {code}"
    return ScriptFailed(
        f"The script of step {step!r} {how}.",
        reason="failed",
        exit_code=code,
        last_lines=last_lines,
        hint=_OUT_OF_MEMORY if code == _KILLED else "",
        target=step,
    )
