"""Turn a definition into an Airflow DAG: one task per step, and the root task that skips what has not changed.

The same definition gives a byte-identical serialised DAG in any process: Airflow makes a new DAG version whenever
the serialised form differs, so nothing here may depend on the order of sets, on addresses of objects or on time.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Param
from airflow.sdk.definitions.param import ParamsDict
from airflow.timetables.base import Timetable

from airloom.execution.names import REUSE_PARAM, ROOT_TASK
from airloom.graph.model import Definition, ParameterDef, ParameterType, Step
from airloom.operators.python_script import PythonScriptOperator
from airloom.operators.run_context import REUSE_MODES
from airloom.operators.skip_if_unchanged import SkipIfUnchangedSensor
from airloom.operators.step import StepOperator
from airloom.storage.definitions import dag_id, digest16_of_dag_id, is_dag_of_definition

ROOT_DISPLAY_NAME = "reuse unchanged"
TAG = "airloom"

_STATES_IN_WORDS = (
    "**Skipped** means *reused*: the step was not run, as an earlier run has computed the same. "
    "**Success** means that it ran. The tab *Steps and reuse* of a run tells why, step by step."
)
_ROOT_DOC = f"Finds the steps that have not changed and skips them all at once.\n\n{_STATES_IN_WORDS}"

_ESCAPED = str.maketrans({character: f"\\{character}" for character in r"\`*_{}[]<>()#+!|~-"})
"""What means something in Markdown."""

_JSON_TYPES: dict[ParameterType, str] = {
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "string": "string",
    "datapath": "object",
    "dataset": "object",
}


def build_dag(
    definition: Definition,
    identifier: str | None = None,
    *,
    folders: Mapping[str, Path] | None = None,
    schedule: Timetable | None = None,
) -> DAG:
    """The DAG that runs a definition. Without a `schedule` all runs are made by submits.

    `identifier` is the DAG's id where it is known already; to digest the definition again takes time. `folders` are
    the source folders, by step id, of a pipeline that was not submitted: tasks take them as they are when they run.
    """
    graph = definition.graph
    identifier = identifier or dag_id(definition)
    dag = DAG(
        dag_id=identifier,
        dag_display_name=_display_name(definition, identifier),
        description=_description(definition),
        schedule=schedule,
        catchup=False,
        tags=_tags(definition),
        default_args={"owner": definition.publication.owner} if definition.publication else {},
        is_paused_upon_creation=False,
        render_template_as_native_obj=False,
        doc_md=_doc(definition),
    )
    # The DAG is named to each task: the stack on which `with dag:` puts it belongs to all threads of a server.
    root = SkipIfUnchangedSensor(
        task_id=ROOT_TASK, definition=definition, dag=dag, task_display_name=ROOT_DISPLAY_NAME, doc_md=_ROOT_DOC
    )
    tasks = {step.id: _task(step, definition, dag, (folders or {}).get(step.id)) for step in graph.steps}
    for step in graph.steps:
        tasks[step.id].set_upstream([tasks[step_id] for step_id in step.upstream()] or [root])
    # Last, as each task that is made in a DAG with parameters gets copies of them all, which nothing here reads.
    dag.params = _params(definition)
    return dag


def _task(step: Step, definition: Definition, dag: DAG, folder: Path | None) -> StepOperator:
    return PythonScriptOperator.from_step(
        step,
        definition,
        source_directory=folder,
        dag=dag,
        task_display_name=step.name,
        doc_md=_step_doc(step),
        pool=definition.pools.get(step.compute_target or "", "default_pool"),
    )


def _params(definition: Definition) -> ParamsDict:
    params = {parameter.name: _param(parameter) for parameter in definition.graph.parameters}
    params[REUSE_PARAM] = Param(
        "auto",
        enum=list(REUSE_MODES),
        title="Reuse",
        description="auto: skip what has not changed; off: run all steps; refresh: run all and replace the records.",
    )
    return ParamsDict(params)


def _param(parameter: ParameterDef) -> Param:
    default: Any = parameter.default
    if not isinstance(default, str | int | float | bool):
        default = default.model_dump(mode="json")
    return Param(default, type=_JSON_TYPES[parameter.type], title=parameter.name)


def _tags(definition: Definition) -> list[str]:
    publication = definition.publication
    if publication is None:
        return [TAG, f"experiment:{definition.experiment}", f"workspace:{definition.workspace}"]
    own = [f"{name}:{value}" if value else name for name, value in sorted(publication.tags.items())]
    return [TAG, "published", f"pipeline:{publication.name}", f"workspace:{definition.workspace}", *own]


def _display_name(definition: Definition, identifier: str) -> str:
    """The experiment, and the beginning of the digest: several pipelines of one experiment must be told apart."""
    if definition.publication is not None:
        return " · ".join(filter(None, (definition.publication.name, definition.publication.version)))
    if is_dag_of_definition(identifier):
        return f"{definition.experiment} · {digest16_of_dag_id(identifier)[:6]}"
    return definition.experiment


def _description(definition: Definition) -> str:
    names = [step.name for step in definition.graph.steps]
    counted = f"{len(names)} step{'s' if len(names) != 1 else ''}: {', '.join(names)}"
    return definition.graph.description or counted[:500]


def _doc(definition: Definition) -> str:
    graph = definition.graph
    names = {step.id: step.name for step in graph.steps}
    lines = [
        graph.description,
        "",
        _STATES_IN_WORDS,
        "",
        "| step | script | runs after | compute |",
        "|---|---|---|---|",
    ]
    for step in graph.steps:
        after = ", ".join(names[step_id] for step_id in step.upstream())
        cells = [step.name, step.settings.script_name, after, step.compute_target or ""]
        lines.append(f"| {' | '.join(_plain(cell) or '-' for cell in cells)} |")
    return "\n".join(lines).strip()


def _step_doc(step: Step) -> str:
    """What a step is, for its page in Airflow's UI."""
    reads = ", ".join(port.name for port in step.inputs) or "nothing"
    writes = ", ".join(port.name for port in step.outputs) or "nothing"
    reuse = "Reused while nothing that counts for it changes." if step.allow_reuse else "Runs every time."
    script = _plain(step.settings.script_name)
    return f"Runs {script}; reads {_plain(reads)}; writes {_plain(writes)}.\n\n{reuse}\n\n{_STATES_IN_WORDS}"


def _plain(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    return " ".join(text.split()).translate(_ESCAPED)
