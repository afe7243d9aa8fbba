"""Compute targets of any kind."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from airloom.core._compat import not_yet
from airloom.core._console import say
from airloom.core._names import COMPUTE, check_name
from airloom.exceptions import AlreadyExistsException, ComputeTargetException, NotFoundException
from airloom.graph.suggest import did_you_mean

if TYPE_CHECKING:
    from airloom.client import Client
    from airloom.core.workspace import Workspace

POLL_SECONDS = 1.0


class ProvisioningConfiguration(Protocol):
    """What `ComputeTarget.create` takes; made by `AmlCompute.provisioning_configuration`."""

    def validate_configuration(self) -> None:
        """Raise ComputeTargetException if the configuration contradicts itself."""

    def _fields(self) -> dict[str, Any]:
        """What is sent to the server."""


class ComputeTarget:
    """Where steps run. `ComputeTarget(workspace, name)` finds an existing one, of the class of its kind.

    Raises ComputeTargetException if the workspace has none of that name. A compute target here is a number of slots:
    so many steps run on it at a time, on the workers that the server has.
    """

    _compute_type: ClassVar[str | None] = None
    _classes: ClassVar[dict[str, type[ComputeTarget]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Make the class findable by its type."""
        super().__init_subclass__(**kwargs)
        if cls._compute_type is not None:
            ComputeTarget._classes[cls._compute_type] = cls

    def __new__(cls, workspace: Workspace, name: str) -> ComputeTarget:
        """Fetch the compute target; its class follows from its type."""
        document = _fetch(workspace, name)
        found = cls._classes.get(document["type"], ComputeTarget)
        if not issubclass(found, cls):
            raise ComputeTargetException(
                f"The compute target {name!r} is of type {document['type']}, not {cls._compute_type}."
            )
        target = super().__new__(found)
        target._document = document
        return target

    def __init__(self, workspace: Workspace, name: str) -> None:
        self.workspace = workspace
        self._document: dict[str, Any]

    @staticmethod
    def create(workspace: Workspace, name: str, provisioning_configuration: ProvisioningConfiguration) -> ComputeTarget:
        """Make a compute target. It can be used at once; `wait_for_completion` is there for code that waits."""
        check_name(name, COMPUTE)
        provisioning_configuration.validate_configuration()
        try:
            workspace._client.create_compute(workspace.name, {"name": name, **provisioning_configuration._fields()})
        except AlreadyExistsException as error:
            raise ComputeTargetException(
                f"The workspace {workspace.name!r} has a compute target {name!r} already. "
                f"Use it with ComputeTarget(workspace, {name!r}), change it with update(), or delete() it first."
            ) from error
        return ComputeTarget(workspace, name)

    @staticmethod
    def attach(workspace: Workspace, name: str, attach_configuration: Any) -> ComputeTarget:
        """Make a DataFactoryCompute. Raises UserErrorException for other kinds: no machines can be attached."""
        from airloom.core.compute.datafactory import DataFactoryConfiguration

        if isinstance(attach_configuration, DataFactoryConfiguration):
            return ComputeTarget.create(workspace, name, attach_configuration)
        raise not_yet(
            f"Attaching {name!r} as a compute target",
            "Make one with ComputeTarget.create(workspace, name, AmlCompute.provisioning_configuration(...)).",
        )

    @staticmethod
    def list(workspace: Workspace) -> list[ComputeTarget]:
        """All compute targets of the workspace, by name."""
        return [_of(workspace, document) for document in workspace._client.list_computes(workspace.name)]

    @property
    def name(self) -> str:
        """Name of the compute target."""
        return str(self._document["name"])

    @property
    def type(self) -> str:
        """Kind of the compute target, such as "AmlCompute"."""
        return str(self._document["type"])

    @property
    def provisioning_state(self) -> str:
        """It is "Succeeded" when the target can be used."""
        return str(self._document["state"])

    @property
    def provisioning_errors(self) -> None:
        """None: making a compute target here does not fail later."""
        return None

    @property
    def description(self) -> str:
        """What was said about it when it was made."""
        return str(self._document.get("description") or "")

    @property
    def tags(self) -> dict[str, str]:
        """Its tags."""
        return dict(self._document.get("tags") or {})

    @property
    def _client(self) -> Client:
        return self.workspace._client

    def wait_for_completion(self, show_output: bool = False, is_delete_operation: bool = False) -> None:
        """Wait until it can be used, or until it is gone if `is_delete_operation`."""
        self._wait(show_output, is_delete_operation, timeout_in_minutes=None)

    def refresh_state(self) -> None:
        """Read it anew from the server. Raises ComputeTargetException if it is gone."""
        self._document = _fetch(self.workspace, self.name)

    def get_status(self) -> Any:
        """The provisioning state."""
        self.refresh_state()
        return self.provisioning_state

    def delete(self) -> None:
        """Remove it. Steps that name it can no longer be submitted."""
        self._client.delete_compute(self.workspace.name, self.name)

    def detach(self) -> None:
        """Raises ComputeTargetException: what Airloom has made is deleted, not detached."""
        raise ComputeTargetException(f"{self.name!r} was not attached but created; use delete().")

    def serialize(self) -> dict[str, Any]:
        """All that the server says of it, as plain values."""
        return dict(self._document)

    def _wait(self, show_output: bool, is_delete_operation: bool, timeout_in_minutes: float | None) -> None:
        deadline = None if timeout_in_minutes is None else time.monotonic() + 60 * timeout_in_minutes
        while not self._settled(is_delete_operation):
            if deadline is not None and time.monotonic() > deadline:
                raise ComputeTargetException(
                    f"The compute target {self.name!r} is still {self.provisioning_state!r} "
                    f"after {timeout_in_minutes} minutes."
                )
            time.sleep(POLL_SECONDS)
        if show_output:
            say("Deleted" if is_delete_operation else self.provisioning_state)
        if not is_delete_operation and self.provisioning_state == "Failed":
            raise ComputeTargetException(f"The compute target {self.name!r} could not be made.")

    def _settled(self, is_delete_operation: bool) -> bool:
        try:
            self._document = self._client.get_compute(self.workspace.name, self.name)
        except NotFoundException as error:
            if is_delete_operation:
                return True
            raise ComputeTargetException(f"The compute target {self.name!r} is gone.") from error
        return not is_delete_operation and self.provisioning_state in ("Succeeded", "Failed")

    def __repr__(self) -> str:
        return f"{type(self).__name__}(workspace={self.workspace.name!r}, name={self.name!r})"


def _fetch(workspace: Workspace, name: str) -> dict[str, Any]:
    check_name(name, COMPUTE)
    try:
        document: dict[str, Any] = workspace._client.get_compute(workspace.name, name)
    except NotFoundException as error:
        known = [entry["name"] for entry in workspace._client.list_computes(workspace.name)]
        # The first words are v1's: code exists that looks for them.
        raise ComputeTargetException(
            f"ComputeTargetNotFound: Compute Target with name {name} not found in workspace {workspace.name!r}. "
            f"{did_you_mean(name, known)} ComputeTarget.create(workspace, {name!r}, "
            "AmlCompute.provisioning_configuration(max_nodes=4)) makes one."
        ) from error
    return document


def _of(workspace: Workspace, document: dict[str, Any]) -> ComputeTarget:
    found = ComputeTarget._classes.get(document["type"], ComputeTarget)
    target = object.__new__(found)
    target._document = document
    target.workspace = workspace
    return target
