"""The SDK's main package: workspace, datastores, compute targets, environments, experiments and runs.

Names are those of `azureml.core`. They are imported on first use, so importing this package is cheap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airloom._lazy import lazy_exports

if TYPE_CHECKING:
    from airloom.core.compute import ComputeTarget
    from airloom.core.container_registry import ContainerRegistry
    from airloom.core.dataset import Dataset
    from airloom.core.datastore import Datastore
    from airloom.core.environment import Environment
    from airloom.core.experiment import Experiment
    from airloom.core.run import Run, get_run
    from airloom.core.runconfig import RunConfiguration
    from airloom.core.script_run_config import ScriptRunConfig
    from airloom.core.workspace import Workspace

__all__ = [
    "ComputeTarget",
    "ContainerRegistry",
    "Dataset",
    "Datastore",
    "Environment",
    "Experiment",
    "Run",
    "RunConfiguration",
    "ScriptRunConfig",
    "Workspace",
    "get_run",
]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "ComputeTarget": "airloom.core.compute",
        "ContainerRegistry": "airloom.core.container_registry",
        "Dataset": "airloom.core.dataset",
        "Datastore": "airloom.core.datastore",
        "Environment": "airloom.core.environment",
        "Experiment": "airloom.core.experiment",
        "Run": "airloom.core.run",
        "RunConfiguration": "airloom.core.runconfig",
        "ScriptRunConfig": "airloom.core.script_run_config",
        "Workspace": "airloom.core.workspace",
        "get_run": "airloom.core.run",
    },
)
