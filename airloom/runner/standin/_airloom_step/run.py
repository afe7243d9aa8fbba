"""`Run` as a step's script sees it."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from typing import Any, BinaryIO

from .data import staged_dataset
from .errors import RunEnvironmentException, UserErrorException, not_offered
from .journal import RUN_DIR, Journal, OfflineJournal, files_below
from .labels import Labels
from .metrics import MetricLog
from .workspace import Experiment, Workspace

CONTEXT = "context.json"


class Run(MetricLog, Labels):
    """The run of the current step, its parent, or a child of it. Get it by `Run.get_context()`."""

    def __init__(self, experiment: Any, run_id: str, outputs: Any = None, **kwargs: Any) -> None:
        context = kwargs.get("_context")
        if context is None:
            raise UserErrorException(
                "Other runs cannot be reached from inside a step of Airloom; use Run.get_context() for the current one."
            )
        self._context: dict[str, Any] = context
        self._journal: Journal = kwargs["_journal"]
        self._parent: Run | None = kwargs.get("_parent")
        self._children = 0
        self._experiment = experiment
        self.id = run_id
        self.name = self.display_name = kwargs.get("_name", "")
        self.type = "azureml.StepRun"

    @staticmethod
    def get_context(allow_offline: bool = True, **kwargs: Any) -> Run:
        """The run of this step. Outside of a step: an offline run, which records nothing, unless forbidden."""
        folder = os.environ.get(RUN_DIR)
        if folder:
            return _step_run(folder)
        if not allow_offline:
            raise RunEnvironmentException("This script does not run as a step of a pipeline, so it has no run.")
        return Run(None, f"OfflineRun_{uuid.uuid4()}", _context={}, _journal=OfflineJournal())

    def __getattr__(self, name: str) -> Any:
        raise not_offered("Run", name)

    def __repr__(self) -> str:
        return f"Run(id={self.id!r})"

    def __enter__(self) -> Run:
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        if kind is None:
            self.complete()
        else:
            self.fail(error_details=str(error))

    # --- what the run is ---------------------------------------------------------------------------------------

    @property
    def experiment(self) -> Any:
        """The experiment, by name."""
        if self._experiment is None:
            raise RunEnvironmentException("An offline run belongs to no experiment.")
        return self._experiment

    @property
    def parent(self) -> Run | None:
        """The run of the whole pipeline; for a child run, the step's run."""
        return self._parent

    @property
    def status(self) -> str:
        """Running: nobody else sees the run through this object."""
        return "Running"

    def get_status(self) -> str:
        """The same as `status`."""
        return self.status

    @property
    def input_datasets(self) -> dict[str, Any]:
        """Inputs by name: the path for mount and download, the dataset itself for direct and for tables."""
        direct = {staged["name"]: _input_value(staged) for staged in self._inputs()}
        return _Ports("input", direct)

    @property
    def output_datasets(self) -> dict[str, str]:
        """The paths to write outputs to, by name."""
        return _Ports("output", self._context.get("outputs", {}))

    def _inputs(self) -> list[dict[str, Any]]:
        return list(self._context.get("inputs", []))

    # --- files -------------------------------------------------------------------------------------------------

    def upload_file(self, name: str, path_or_stream: str | BinaryIO, datastore_name: str | None = None) -> None:
        """Keep a file as an artifact of the run, under this name."""
        self._journal.save(name, path_or_stream)

    def upload_files(self, names: list[str], paths: list[str], **kwargs: Any) -> None:
        """Keep several files as artifacts of the run."""
        if len(names) != len(paths):
            raise UserErrorException("upload_files needs as many names as paths.")
        for name, path in zip(names, paths):
            self.upload_file(name, path)

    def upload_folder(self, name: str, path: str, datastore_name: str | None = None) -> None:
        """Keep all files below a folder as artifacts of the run, under this name."""
        for relative, file in files_below(path).items():
            self.upload_file(f"{name}/{relative}", file)

    def get_file_names(self) -> list[str]:
        """Names of the artifacts so far: uploaded ones, and what lies in ./outputs and ./logs."""
        return sorted(self._artifacts())

    def download_file(self, name: str, output_file_path: str | None = None, **kwargs: Any) -> None:
        """Copy an artifact of this run to a local file."""
        try:
            source = self._artifacts()[name]
        except KeyError:
            raise UserErrorException(f"The run has no artifact {name!r}.") from None
        shutil.copyfile(source, output_file_path or os.path.basename(name))

    def _artifacts(self) -> dict[str, str]:
        found = self._journal.saved()
        for folder in ("outputs", "logs"):
            root = os.path.join(self._context.get("working_directory", os.getcwd()), folder)
            for relative, path in files_below(root).items():
                found[f"{folder}/{relative}"] = path
        return found

    # --- status -------------------------------------------------------------------------------------------------

    def flush(self, timeout_seconds: int = 300) -> None:
        """Nothing is ever held back, so there is nothing to wait for."""

    def complete(self, **kwargs: Any) -> None:
        """Note that the run is done. The step ends when its script does."""
        self._event("complete", None)

    def fail(self, error_details: Any = None, error_code: Any = None, **kwargs: Any) -> None:
        """Mark the run as failed: the step fails when its script ends, whatever its exit code."""
        self._event("fail", {"details": error_details, "code": error_code})

    def child_run(self, name: str | None = None, run_id: str | None = None, outputs: Any = None) -> Run:
        """A run below this one, to log metrics of a part of the work separately."""
        self._children += 1
        child = run_id or f"{self.id}_{os.getpid()}_{self._children}"
        return Run(
            self._experiment,
            child,
            _context=self._context,
            _journal=self._journal,
            _parent=self,
            _name=name or "",
        )


class _Ports(dict):  # type: ignore[type-arg]  # Python 3.8 has no dict[...]
    """Ports by name; a wrong name is answered with the right ones."""

    def __init__(self, kind: str, ports: dict[str, Any]) -> None:
        super().__init__(ports)
        self._kind = kind

    def __missing__(self, name: str) -> Any:
        known = ", ".join(sorted(self)) or "none"
        raise KeyError(f"The step has no {self._kind} {name!r}; it has: {known}.")


def _step_run(folder: str) -> Run:
    with open(os.path.join(folder, CONTEXT), encoding="utf-8") as file:
        context = json.load(file)
    workspace = Workspace(context["subscription_id"], context["resource_group"], context["workspace"])
    experiment = Experiment(workspace, context["experiment"])
    shared = {"_context": context, "_journal": Journal(folder)}
    pipeline = Run(experiment, context["root_run_id"], _name="", **shared)
    return Run(experiment, context["run_id"], _parent=pipeline, _name=context["step_name"], **shared)


def _input_value(staged: dict[str, Any]) -> Any:
    if staged["mode"] == "direct" or staged["kind"] == "tabular":
        return staged_dataset(staged)
    return staged["path"]
