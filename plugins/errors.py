"""Errors that only the server knows, beside those of `airloom.errors`."""

from __future__ import annotations

from collections.abc import Sequence

from airloom.errors import AirloomError, InvalidGraph
from airloom.graph.validate import GraphProblem


class BadRequest(AirloomError):
    """The request itself is malformed."""

    code = "BadRequest"


class Conflict(AirloomError):
    """The thing is in a state in which this cannot be done to it."""

    code = "Conflict"


class Denied(AirloomError):
    """The user lacks the right, which could be told only after reading the request."""

    code = "Forbidden"


class DagNotReady(AirloomError):
    """Airflow did not take the submitted pipeline in."""

    code = "DagNotReady"


class RejectedGraph(InvalidGraph):
    """A pipeline with one problem or more; each is listed."""

    def __init__(self, problems: Sequence[GraphProblem]) -> None:
        first = problems[0]
        more = f" (and {len(problems) - 1} more problems)" if len(problems) > 1 else ""
        super().__init__(first.message + more, hint=first.hint, target=first.target)
        self.problems = problems
