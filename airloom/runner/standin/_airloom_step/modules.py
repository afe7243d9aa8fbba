"""Which modules the stand-in has, and what is in them. One table serves both package names."""

from __future__ import annotations

import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from .data import Dataset
from .errors import AzureMLException, RunEnvironmentException, UserErrorException, unavailable
from .run import Run
from .staged import FileDataset
from .tables import TabularDataset
from .workspace import Experiment, Workspace

_UNAVAILABLE = {
    name: unavailable(name)
    for name in (
        "ComputeTarget",
        "Datastore",
        "Environment",
        "Keyvault",
        "Model",
        "RunConfiguration",
        "ScriptRunConfig",
        "Webservice",
    )
}

MODULES: dict[str, dict[str, Any]] = {
    "core": {"Run": Run, "Experiment": Experiment, "Workspace": Workspace, "Dataset": Dataset, **_UNAVAILABLE},
    "core.dataset": {"Dataset": Dataset},
    "core.datastore": {"Datastore": _UNAVAILABLE["Datastore"]},
    "core.environment": {"Environment": _UNAVAILABLE["Environment"]},
    "core.experiment": {"Experiment": Experiment},
    "core.model": {"Model": _UNAVAILABLE["Model"]},
    "core.run": {"Run": Run},
    "core.workspace": {"Workspace": Workspace},
    "data": {"FileDataset": FileDataset, "TabularDataset": TabularDataset},
    "data.file_dataset": {"FileDataset": FileDataset},
    "data.tabular_dataset": {"TabularDataset": TabularDataset},
    "exceptions": {
        "AzureMLException": AzureMLException,
        "RunEnvironmentException": RunEnvironmentException,
        "UserErrorException": UserErrorException,
    },
}


class _Finder(MetaPathFinder, Loader):
    """Makes the modules of one package out of the table."""

    def __init__(self, package: str) -> None:
        self._package = package

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        package, _, name = fullname.partition(".")
        if package != self._package or not name:
            return None
        if name not in MODULES:
            raise ModuleNotFoundError(
                "No module named {!r}. Inside a step Airloom offers: {}.".format(
                    fullname, ", ".join(f"{package}.{known}" for known in sorted(MODULES))
                ),
                name=fullname,
            )
        is_package = any(known.startswith(name + ".") for known in MODULES)
        return ModuleSpec(fullname, self, origin=__file__, is_package=is_package)

    def exec_module(self, module: ModuleType) -> None:
        content = MODULES[module.__name__.partition(".")[2]]
        module.__dict__.update(content, __all__=sorted(content))


def install(package: str) -> None:
    """Make the modules of the stand-in importable below `package`.

    Asked first: an editable install of the SDK in the script's environment has a finder for the same names.
    """
    sys.meta_path.insert(0, _Finder(package))
