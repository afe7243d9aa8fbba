"""Checks of arguments that several classes of this package share."""

from __future__ import annotations

from collections.abc import Collection

from airloom.exceptions import UserErrorException
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


class _Anything(frozenset[str]):
    """Holds every name."""

    def __contains__(self, name: object) -> bool:
        return True


ANY = _Anything()
"""In place of the names of datastores and compute targets, where only the server knows them."""
