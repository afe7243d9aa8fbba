"""Which names are allowed for the things a workspace holds."""

from __future__ import annotations

import re
from typing import NamedTuple

from airloom.exceptions import AzureMLException, ComputeTargetException, UserErrorException


class NameRule(NamedTuple):
    """A kind of thing, the pattern its names must match, and the same rule in words."""

    kind: str
    pattern: re.Pattern[str]
    words: str
    error: type[AzureMLException] = UserErrorException


EXPERIMENT = NameRule(
    "experiment",
    re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,255}"),
    "1 to 256 letters, digits, '-' and '_', starting with a letter or a digit",
)
DATASTORE = NameRule(
    "datastore",
    re.compile(r"[A-Za-z0-9_]{1,255}"),
    "1 to 255 letters, digits and '_'",
)
COMPUTE = NameRule(
    "compute target",
    re.compile(r"[A-Za-z](?:[A-Za-z0-9-]{0,22}[A-Za-z0-9])"),
    "2 to 24 letters, digits and '-', starting with a letter and not ending with '-'",
    ComputeTargetException,
)
WORKSPACE = NameRule(
    "workspace",
    re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{1,32}"),
    "2 to 33 letters, digits, '-' and '_', starting with a letter or a digit",
)
DATA_INPUT = NameRule(
    "data input",
    re.compile(r"[A-Za-z_][A-Za-z0-9_]*"),
    "letters, digits and '_', not starting with a digit",
)
DATA_REFERENCE = NameRule(
    "data reference",
    re.compile(r"[A-Za-z0-9_]+"),
    "letters, digits and '_'",
)


def check_name(name: object, rule: NameRule) -> str:
    """The name itself if the rule allows it; else an error that states the rule."""
    if not isinstance(name, str):
        raise rule.error(f"The name of the {rule.kind} must be a string, not {type(name).__name__}.")
    if not rule.pattern.fullmatch(name):
        raise rule.error(f"{name!r} cannot be the name of the {rule.kind}. Allowed are {rule.words}.")
    return name
