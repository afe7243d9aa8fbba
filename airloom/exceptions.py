"""The exceptions that users of the SDK catch, under the names of `azureml.exceptions`.

The tree, one class per decision a caller may take::

    AzureMLException
    ├── UserErrorException              the call is wrong: an argument, a name, a missing or existing thing
    │   ├── NotFoundException           the server knows nothing by that name
    │   └── AlreadyExistsException      the name is taken and may not be replaced
    ├── AuthenticationException         no credentials, or the server refuses them
    ├── ServiceException                the server cannot be reached, or failed
    ├── WorkspaceException              the workspace is not there or cannot be made
    │   └── WorkspacePrivateEndpointException
    ├── ComputeTargetException          the compute target is not there or cannot be used
    ├── RunConfigurationException       a run configuration contradicts itself
    ├── ExperimentExecutionException    an experiment could not be submitted
    ├── ActivityFailedException         a run ended in failure
    ├── ProjectSystemException          a project folder or a configuration file is missing or broken
    ├── SnapshotException               the source folder cannot be uploaded
    ├── TrainingException               a training configuration is wrong
    │   └── ParallelRunException        a parallel run step failed
    ├── WebserviceException             a web service failed
    │   ├── ModelNotFoundException
    │   └── ModelPathNotFoundException
    ├── AzureMLAggregatedException      several failures of one call
    ├── DatasetTimestampMissingError    a time series operation on a table without a time column
    ├── DiscoveryUrlNotFoundException   the environment lacks a service address
    └── RunEnvironmentException         not inside a run
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = [
    "ActivityFailedException",
    "AlreadyExistsException",
    "AuthenticationException",
    "AzureMLAggregatedException",
    "AzureMLException",
    "ComputeTargetException",
    "DatasetTimestampMissingError",
    "DiscoveryUrlNotFoundException",
    "ExperimentExecutionException",
    "ModelNotFoundException",
    "ModelPathNotFoundException",
    "NotFoundException",
    "ParallelRunException",
    "ProjectSystemException",
    "RunConfigurationException",
    "RunEnvironmentException",
    "ServiceException",
    "SnapshotException",
    "TrainingException",
    "UserErrorException",
    "WebserviceException",
    "WorkspaceException",
    "WorkspacePrivateEndpointException",
]


class AzureMLException(Exception):
    """Base of all exceptions of the SDK.

    `message` is the whole sentence shown to the user; `inner_exception` is the error that caused this one, if any.
    With `message_format`, the message is that format filled with `message_parameters`.
    """

    def __init__(
        self,
        exception_message: str = "",
        inner_exception: BaseException | None = None,
        target: str | None = None,
        details: Sequence[Any] | None = None,
        message_format: str | None = None,
        message_parameters: Mapping[str, Any] | None = None,
        reference_code: str | None = None,
        **kwargs: Any,
    ) -> None:
        message = exception_message
        if message_format is not None:
            message = message_format.format(**(message_parameters or {}))
        super().__init__(message)
        self._message = message
        self._inner_exception = inner_exception
        self.target = target
        self.details = list(details or [])
        self.reference_code = reference_code
        if inner_exception is not None:
            self.__cause__ = inner_exception

    def __str__(self) -> str:
        return self._message

    @property
    def message(self) -> str:
        """What was wrong, where, and what to do about it."""
        return self._message

    @message.setter
    def message(self, value: str) -> None:
        self._message = value

    @property
    def inner_exception(self) -> BaseException | None:
        """The error that caused this one."""
        return self._inner_exception

    @inner_exception.setter
    def inner_exception(self, value: BaseException | None) -> None:
        self._inner_exception = value

    def print_stacktrace(self) -> None:
        """Print the stack of this exception, and of the one that caused it, to standard error."""
        traceback.print_exception(type(self), self, self.__traceback__)


class UserErrorException(AzureMLException):
    """The call itself is wrong: an argument, a name, or a thing that is not there."""


class NotFoundException(UserErrorException):
    """The server knows nothing by that name."""


class AlreadyExistsException(UserErrorException):
    """The name is taken, and what bears it may not be replaced."""


class AuthenticationException(AzureMLException):
    """There are no credentials, or the server refuses them."""


class ServiceException(AzureMLException):
    """The server cannot be reached, or answered with a failure of its own.

    `status_code` is the HTTP status, None when there was no answer at all.
    """

    def __init__(self, error_response_exception: Any = "", *, status_code: int | None = None, **kwargs: Any) -> None:
        if isinstance(error_response_exception, BaseException):
            kwargs.setdefault("inner_exception", error_response_exception)
        super().__init__(str(error_response_exception), **kwargs)
        self.status_code = status_code


class WorkspaceException(AzureMLException):
    """The workspace is not there, or there are several, or it cannot be made."""

    def __init__(self, exception_message: str = "", found_multiple: bool = False, **kwargs: Any) -> None:
        super().__init__(exception_message, **kwargs)
        self.found_multiple = found_multiple


class WorkspacePrivateEndpointException(WorkspaceException):
    """A private endpoint of a workspace failed. Airloom has none; the name is here for code that catches it."""


class ComputeTargetException(AzureMLException):
    """The compute target is not there, or its configuration cannot be used."""


class RunConfigurationException(AzureMLException):
    """A run configuration is incomplete or contradicts itself."""


class ExperimentExecutionException(AzureMLException):
    """A run could not be submitted to an experiment."""


class ActivityFailedException(AzureMLException):
    """A run that was waited for ended in failure; `error_details` is the run's own account of it."""

    def __init__(self, error_details: str = "", **kwargs: Any) -> None:
        super().__init__(error_details, **kwargs)
        self.error_details = error_details


class ProjectSystemException(AzureMLException):
    """A project folder, or a configuration file in it, is missing or broken."""


class SnapshotException(AzureMLException):
    """The source folder cannot be uploaded: too large, or a file in it cannot be read."""


class TrainingException(AzureMLException):
    """A training configuration is wrong."""


class ParallelRunException(TrainingException):
    """A parallel run step failed; `code` and `delay_seconds` say whether and when to try again."""

    def __init__(
        self, exception_message: str = "", code: str | None = None, delay_seconds: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(exception_message, **kwargs)
        self.code = code
        self.delay_seconds = delay_seconds


class WebserviceException(AzureMLException):
    """A web service could not be deployed, called or changed; `status_code` is the HTTP status if there was one."""

    def __init__(
        self, exception_message: str = "", status_code: int | None = None, logger: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(exception_message, **kwargs)
        self.status_code = status_code
        if logger is not None:
            logger.error(exception_message)


class ModelNotFoundException(WebserviceException):
    """No registered model has this name or id."""

    def __init__(self, exception_message: str = "", logger: Any = None, **kwargs: Any) -> None:
        super().__init__(exception_message, logger=logger, **kwargs)


class ModelPathNotFoundException(WebserviceException):
    """The model's files are not at the given path."""

    def __init__(self, exception_message: str = "", logger: Any = None, **kwargs: Any) -> None:
        super().__init__(exception_message, logger=logger, **kwargs)


class AzureMLAggregatedException(AzureMLException):
    """Several failures of one call; `exceptions_list` holds them all."""

    def __init__(self, exceptions_list: Sequence[BaseException], **kwargs: Any) -> None:
        super().__init__("\n".join(str(error) for error in exceptions_list), **kwargs)
        self.exceptions_list = list(exceptions_list)


class DatasetTimestampMissingError(AzureMLException):
    """A time series operation was asked of a tabular dataset that has no timestamp column."""

    def __init__(self, error_details: str = "", **kwargs: Any) -> None:
        super().__init__(error_details, **kwargs)


class DiscoveryUrlNotFoundException(AzureMLException):
    """The environment variable that should hold a service address is not set."""

    def __init__(self, discovery_key: str, **kwargs: Any) -> None:
        super().__init__(f"The environment variable {discovery_key} is not set.", **kwargs)


class RunEnvironmentException(AzureMLException):
    """The call works only inside a run, and this process is not one."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            "This process is not a run of Airloom. Submit the script as a step of a pipeline, "
            "or pass allow_offline=True to Run.get_context().",
            **kwargs,
        )
