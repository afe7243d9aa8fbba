"""Checks of arguments that several classes of this package share."""

from __future__ import annotations

from collections.abc import Collection

from airloom.exceptions import UserErrorException
from airloom.graph.model import Retries
from airloom.graph.names import port_fault
from airloom.graph.suggest import did_you_mean


def check_port_name(name: object, what: str) -> str:
    """The name if it may name a port, which is part of an environment variable. Else UserErrorException."""
    if not isinstance(name, str) or not name:
        raise UserErrorException(f"{what} needs a name: text that is not empty, not {name!r}.")
    fault = port_fault(name)
    if fault:
        raise UserErrorException(f"The name '{name}' of {what} {fault}.")
    return name


def check_choice(value: object, choices: Collection[str], what: str) -> str:
    """The value if it is one of the choices. Else UserErrorException with the closest one."""
    if not isinstance(value, str) or value not in choices:
        raise UserErrorException(f"{what} cannot be {value!r}. {did_you_mean(str(value), choices)}")
    return value


def datastore_name(datastore: object, what: str) -> str | None:
    """The name of a datastore that is given as an object or by name; None stays None, which means the default."""
    if datastore is None or isinstance(datastore, str):
        return datastore
    name = getattr(datastore, "name", None)
    if not isinstance(name, str):
        raise UserErrorException(
            f"The datastore of {what} must be a Datastore or its name, not {type(datastore).__name__}."
        )
    return name


def make_retries(
    count: int, delay_seconds: float, backoff: float, max_delay_seconds: float, what: str
) -> Retries | None:
    """The retries of a step; None for none. The bounds of the values are checked with the whole pipeline."""
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise UserErrorException(f"retries of {what} must be a whole number, 0 or more, not {count!r}.")
    pauses = {
        "retry_delay_seconds": delay_seconds,
        "retry_backoff": backoff,
        "retry_max_delay_seconds": max_delay_seconds,
    }
    for name, value in pauses.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise UserErrorException(f"{name} of {what} must be a number, not {value!r}.")
    if not count:
        return None
    return Retries(count=count, delay_seconds=delay_seconds, backoff=backoff, max_delay_seconds=max_delay_seconds)


class _Anything(frozenset[str]):
    """Holds every name."""

    def __contains__(self, name: object) -> bool:
        return True


ANY = _Anything()
"""In place of the names of datastores and compute targets, where only the server knows them."""
