"""What a DataTransferStep runs on. Airloom copies data itself; in Azure this was a Data Factory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from airloom.core._compat import ignored
from airloom.core.compute.amlcompute import DEFAULT_MAX_NODES
from airloom.core.compute.compute import ComputeTarget
from airloom.exceptions import ComputeTargetException

if TYPE_CHECKING:
    from airloom.core.workspace import Workspace

_NO_FACTORY = "data is copied by the workers that the Airloom server has."


@dataclass(frozen=True)
class DataFactoryConfiguration:
    """What `ComputeTarget.create` and `ComputeTarget.attach` take for it. No Data Factory is made or used."""

    def validate_configuration(self) -> None:
        """Nothing in it can contradict anything else."""

    def _fields(self) -> dict[str, Any]:
        return {"type": "DataFactory", "provisioning": {"max_nodes": DEFAULT_MAX_NODES}}


class DataFactoryCompute(ComputeTarget):
    """A compute target for DataTransferStep: four transfers run on it at a time."""

    _compute_type: ClassVar[str | None] = "DataFactory"

    @staticmethod
    def provisioning_configuration(location: str | None = None) -> DataFactoryConfiguration:
        """What to give to `ComputeTarget.create`. `location` has no effect."""
        if location is not None:
            ignored("DataFactoryCompute.provisioning_configuration(location=...)", _NO_FACTORY)
        return DataFactoryConfiguration()

    @staticmethod
    def attach_configuration(
        resource_group: str | None = None, factory_name: str | None = None, resource_id: str | None = None
    ) -> DataFactoryConfiguration:
        """What to give to `ComputeTarget.attach`. The factory that it names is not used.

        Raises ComputeTargetException unless it is named by its resource_id, or by both of the others.
        """
        if (resource_id is None) == (resource_group is None and factory_name is None):
            raise ComputeTargetException("Give either resource_id, or resource_group and factory_name.")
        if resource_id is None and (resource_group is None or factory_name is None):
            raise ComputeTargetException("Give resource_group and factory_name together.")
        ignored("DataFactoryCompute.attach_configuration", _NO_FACTORY)
        return DataFactoryConfiguration()

    @staticmethod
    def attach(workspace: Workspace, name: str, resource_id: str) -> ComputeTarget:
        """Make one of this name, as earlier versions of v1 attached a factory."""
        return ComputeTarget.create(workspace, name, DataFactoryCompute.attach_configuration(resource_id=resource_id))

    def detach(self) -> None:
        """Remove it from the workspace."""
        self.delete()
