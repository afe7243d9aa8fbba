"""Exceptions under their SDK names, and the answers to what a step's script cannot have."""

from __future__ import annotations

from typing import Any


class AzureMLException(Exception):
    """Base of the SDK's exceptions."""

    def __init__(self, exception_message: str, **kwargs: Any) -> None:
        super().__init__(exception_message)
        self.message = exception_message


class UserErrorException(AzureMLException):
    """The script asked for something that cannot be done."""


class RunEnvironmentException(AzureMLException):
    """There is no run: the script does not run as a step."""


def not_offered(owner: str, name: str, instead: str = "") -> AttributeError:
    """The error for a part of the SDK that a step's script does not have."""
    hint = instead or "Do it in the program that submits the pipeline, or pass what is needed as an input or argument."
    return AttributeError(f"{owner}.{name} is not offered inside a step by Airloom. {hint}")


class _Unavailable(type):
    """Type of the classes that can be imported but not used; an import alone need not break a script."""

    def __getattr__(cls, name: str) -> Any:
        raise not_offered(cls.__name__, name)

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        raise UserErrorException(str(not_offered("azureml.core", cls.__name__)))


def unavailable(name: str) -> type:
    """A class of this name, any use of which raises an error that says so."""
    return _Unavailable(name, (), {"__doc__": name + " of the SDK, not offered inside a step."})
