"""The errors of Airloom's own layers (graph, storage, reuse, runner).

Every error names the thing, the cause and the mend. The tree, one class per decision a caller may take::

    AirloomError
    ├── InvalidGraph          the pipeline itself is wrong; nothing was run or stored
    ├── InvalidSchedule       when or with what to run makes no sense; nothing was stored
    ├── InvalidName           a name that v1 (or we) refuse
    ├── LimitExceeded         too large or too many; the limit is configurable
    ├── NotFound              the named thing does not exist
    ├── AlreadyExists         the named thing exists and may not be replaced
    ├── UnsafePath            a path that leaves the folder it is confined to
    ├── IntegrityError        stored bytes are not what was recorded
    ├── StoreUnavailable      the store does not answer, or refuses; it may be tried again
    │   └── DiskFull          this machine's disk has no room for the data; another's may have
    ├── EnvironmentFailed     the step's Python environment could not be made
    ├── StepFailed            the step's script failed, was cancelled or timed out
    └── AttemptLost           a process that Airloom needs for the step was killed
"""

from __future__ import annotations


class AirloomError(Exception):
    """Base of all errors raised below the SDK.

    `message` says what was wrong and where, `hint` what to do about it, `target` names the thing at fault.
    """

    code = "Error"

    def __init__(self, message: str, *, hint: str = "", target: str = "") -> None:
        super().__init__(f"{message} {hint}".strip())
        self.message = message
        self.hint = hint
        self.target = target


class InvalidGraph(AirloomError):
    """The pipeline is malformed; raised before anything runs or is stored."""

    code = "InvalidGraph"


class InvalidSchedule(AirloomError):
    """A recurrence, a trigger or an expression of a schedule is malformed; raised before anything is stored."""

    code = "InvalidSchedule"


class InvalidName(AirloomError):
    """A name that cannot be used for the kind of thing it should name."""

    code = "InvalidName"


class LimitExceeded(AirloomError):
    """Something is larger, or more numerous, than the configured limit."""

    code = "LimitExceeded"


class NotFound(AirloomError):
    """The named thing does not exist."""

    code = "NotFound"


class AlreadyExists(AirloomError):
    """The named thing exists already and may not be replaced."""

    code = "AlreadyExists"


class UnsafePath(AirloomError):
    """A path leads out of the folder it has to stay in."""

    code = "UnsafePath"


class IntegrityError(AirloomError):
    """Stored bytes differ from what was recorded about them."""

    code = "IntegrityError"


class StoreUnavailable(AirloomError):
    """The store could not be asked: unreachable, wrong credentials, or no such container."""

    code = "StoreUnavailable"


class DiskFull(StoreUnavailable):
    """The disk of this machine has no room for what is to be written. Later, or on another machine, it may fit."""

    code = "DiskFull"


class EnvironmentFailed(AirloomError):
    """The Python environment of a step could not be made."""

    code = "EnvironmentFailed"


class StepFailed(AirloomError):
    """The step's script failed, was cancelled, or ran out of time."""

    code = "StepFailed"


class AttemptLost(AirloomError):
    """What runs the script was killed. That says nothing of the step, which may be tried again."""

    code = "AttemptLost"
