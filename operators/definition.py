"""The pipeline of a DAG whose source folders lie on the workers: put together when one of its tasks runs.

That of a hand-written DAG is collected from its Airloom tasks; that of a YAML file lacks only the snapshots.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowFailException

from airloom.errors import AirloomError, InvalidGraph
from airloom.graph.model import Definition, ParameterDef, ParameterType, PipelineGraph, Step, StepSettings
from airloom.graph.validate import raise_problems, validate_graph
from airloom.operators.run_context import run_info
from airloom.operators.secrets import TaskSecrets
from airloom.reuse.hashing import parameters_used
from airloom.storage.object_store import open_store
from airloom.storage.snapshot import collect, store_snapshot
from airloom.storage.workspace import WorkspaceStore

if TYPE_CHECKING:
    from airflow.sdk import DAG, Context

    from airloom.execution import RunInfo
    from airloom.operators.skip_if_unchanged import SkipIfUnchangedSensor
    from airloom.operators.step import StepOperator

WORKSPACE = "default"
DATASTORE = "workspaceblobstore"
_PARAMETER_TYPES: dict[type, ParameterType] = {bool: "bool", int: "int", float: "float", str: "string"}


def store_address() -> str:
    """The deployment's store, from Airflow's configuration. Raises InvalidGraph if none is set."""
    address = conf.get("airloom", "store", fallback="")
    if not address:
        raise InvalidGraph(
            "No store is configured for Airloom.",
            hint="Set [airloom] store in airflow.cfg, or AIRFLOW__AIRLOOM__STORE, to an address like file:///data/airloom.",
        )
    return str(address)


def definition_and_run(task: SkipIfUnchangedSensor | StepOperator, context: Context) -> tuple[Definition, RunInfo]:
    """What a task belongs to.

    A fault in the pipeline or the run fails the task for good, since trying again mends neither.
    """
    try:
        definition = _definition(task)
        run = run_info(context, definition)
        return definition, task.fired_with.applied_to(run, definition.graph, context) if task.fired_with else run
    except AirloomError as error:
        raise AirflowFailException(str(error)) from error


def _definition(task: SkipIfUnchangedSensor | StepOperator) -> Definition:
    if task.definition is None:
        return definition_of(task.dag)
    folders = {step.task_id: step.source_directory for step in _steps(task.dag) if step.source_directory is not None}
    return with_snapshots(task.definition, folders) if folders else task.definition


def with_snapshots(definition: Definition, folders: Mapping[str, str | Path]) -> Definition:
    """A definition with the source folders of its steps as they are now on this host, given by step id.

    Raises an AirloomError if it cannot run in its workspace.
    """
    workspace = WorkspaceStore(open_store(definition.store), definition.workspace, secrets=TaskSecrets())
    snapshots = _Snapshots(workspace)
    steps = tuple(
        step.model_copy(update={"settings": snapshots.settings(step, folders[step.id])}) if step.id in folders else step
        for step in definition.graph.steps
    )
    graph = definition.graph.model_copy(update={"steps": steps})
    raise_problems(validate_graph(graph, datastores=list(workspace.datastores()), computes=list(definition.pools)))
    return definition.model_copy(update={"graph": graph})


class _Snapshots:
    """Freezes each source folder into the store once."""

    def __init__(self, workspace: WorkspaceStore) -> None:
        self._workspace = workspace
        self._digests: dict[str | Path, str] = {}

    def settings(self, step: Step, folder: str | Path) -> StepSettings:
        """The settings of a step, with the snapshot of its folder."""
        if folder not in self._digests:
            manifest = collect(Path(folder))
            store_snapshot(self._workspace, manifest, Path(folder))
            self._digests[folder] = manifest.digest
        return step.settings.model_copy(update={"snapshot": self._digests[folder]})


def definition_of(dag: DAG) -> Definition:
    """The definition of a hand-written DAG, with the source folders as they are now on this host.

    Raises an AirloomError if the DAG's Airloom tasks make no pipeline that can run.
    """
    tasks = _steps(dag)
    store = store_address()
    workspace = WorkspaceStore(open_store(store), WORKSPACE, secrets=TaskSecrets())
    snapshots = _Snapshots(workspace)
    steps = tuple(_step(task, snapshots) for task in tasks)
    used = dict.fromkeys(name for step in steps for name in parameters_used(step) if name in dag.params)
    graph = PipelineGraph(
        description=dag.description or "",
        parameters=tuple(_parameter(name, dag.params.dump()[name]) for name in used),
        sources={name: source for task in tasks for name, source in task.sources.items()},
        steps=steps,
    )
    raise_problems(validate_graph(graph, datastores=list(workspace.datastores()), computes=()))
    return Definition(workspace=WORKSPACE, experiment=dag.dag_id, store=store, default_datastore=DATASTORE, graph=graph)


def steps_after_other_tasks(sensor: SkipIfUnchangedSensor) -> set[str]:
    """The steps that run after tasks of other kinds which the sensor does not wait for.

    Such a task may still change what these steps read, so nothing can be said of them before it has run.
    """
    if sensor.definition is not None:
        return set()
    settled = sensor.get_flat_relative_ids(upstream=True) | {sensor.task_id}
    steps = {task.task_id: task for task in _steps(sensor.dag)}
    return {
        task_id for task_id, task in steps.items() if task.get_flat_relative_ids(upstream=True) - steps.keys() - settled
    }


def _steps(dag: DAG) -> list[StepOperator]:
    from airloom.operators.step import StepOperator

    return [task for task in dag.tasks if isinstance(task, StepOperator)]


def _step(task: StepOperator, snapshots: _Snapshots) -> Step:
    folder, settings = task.source_directory, task.step.settings
    if task.step.script is not None:
        if folder is None:
            raise InvalidGraph(f"Task {task.task_id!r} needs a source_directory.", target=task.task_id)
        settings = snapshots.settings(task.step, folder)
    before = task.upstream_task_ids & {step.task_id for step in _steps(task.dag)}
    return task.step.model_copy(update={"settings": settings, "run_after": tuple(sorted(before))})


def _parameter(name: str, value: Any) -> ParameterDef:
    kind = _PARAMETER_TYPES.get(type(value))
    if kind is None:
        raise InvalidGraph(
            f"DAG param {name!r} is an argument of a step, so its default must be a number, a text, true or false, "
            f"not {value!r}.",
            hint="Give it such a default, or pass it to another kind of task.",
            target=name,
        )
    return ParameterDef(name=name, type=kind, default=value)
