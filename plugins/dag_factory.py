"""Turn a definition into an Airflow DAG: one task per step, and the root task that skips what has not changed.

The same definition gives a byte-identical serialised DAG in any process: Airflow makes a new DAG version whenever
the serialised form differs, so nothing here may depend on the order of sets, on addresses of objects or on time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Param
from airflow.sdk.definitions.param import ParamsDict
from airflow.timetables.base import Timetable

from airloom.execution.names import REUSE_PARAM, ROOT_TASK
from airloom.graph.lineage import reads, writes
from airloom.graph.model import (
    DataTransferSettings,
    Definition,
    ParameterDef,
    ParameterType,
    PathSource,
    PythonScriptSettings,
    Step,
    source_locations,
)
from airloom.operators.data_transfer import DataTransferOperator
from airloom.operators.firing import FiredWith
from airloom.operators.lineage import assets_of
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

_LONGEST_CELL = 200
_LONGEST_TAG = 100
"""What Airflow takes."""

_LOCATION = {
    "type": "object",
    "properties": {"datastore": {"type": "string", "minLength": 1}, "path": {"type": "string"}},
    "required": ["datastore"],
}
_LOCATIONS = {"type": "array", "items": _LOCATION, "minItems": 1}


def _source(kind: str, place: str, schema: dict[str, Any]) -> dict[str, Any]:
    """The JSON schema of a data source. It allows more fields, as Airflow checks values merged with the default."""
    properties = {"kind": {"const": kind}, place: schema}
    return {"type": "object", "properties": properties, "required": ["kind", place]}


_SCHEMAS: dict[ParameterType, dict[str, Any]] = {
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "string": {"type": "string"},
    "datapath": _source("path", "location", _LOCATION),
}
_DATASETS = {kind: _source(kind, "locations", _LOCATIONS) for kind in ("files", "tabular")}


def build_dag(
    definition: Definition,
    identifier: str | None = None,
    *,
    folders: Mapping[str, Path] | None = None,
    schedule: Timetable | None = None,
    fired_with: FiredWith | None = None,
) -> DAG:
    """The DAG that runs a definition. Without a `schedule`, whose runs get `fired_with`, all are made by submits.

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
    if fired_with is not None:
        for task in (root, *tasks.values()):
            task.fired_with = fired_with
    # Last, as each task that is made in a DAG with parameters gets copies of them all, which nothing here reads.
    dag.params = _params(definition)
    return dag


def _task(step: Step, definition: Definition, dag: DAG, folder: Path | None) -> StepOperator:
    settings = {
        "dag": dag,
        "task_display_name": step.name,
        "doc_md": _step_doc(step),
        "pool": definition.pools.get(step.compute_target or "", "default_pool"),
        "inlets": assets_of(reads(definition, step)),
        "outlets": assets_of(writes(definition, step)),
    }
    if isinstance(step.settings, DataTransferSettings):
        return DataTransferOperator.from_step(step, definition, **settings)
    return PythonScriptOperator.from_step(step, definition, source_directory=folder, **settings)


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
    if isinstance(default, str | int | float | bool):
        return Param(default, title=parameter.name, **_SCHEMAS[parameter.type])
    schema = _SCHEMAS["datapath"] if isinstance(default, PathSource) else _DATASETS[default.kind]
    return Param(default.model_dump(mode="json"), title=parameter.name, **schema)


def _tags(definition: Definition) -> list[str]:
    publication = definition.publication
    if publication is None:
        tags = [TAG, f"experiment:{definition.experiment}", f"workspace:{definition.workspace}"]
    else:
        own = [f"{name}:{value}" if value else name for name, value in sorted(publication.tags.items())]
        tags = [TAG, "published", f"pipeline:{publication.name}", f"workspace:{definition.workspace}", *own]
    return list(dict.fromkeys(map(_short, filter(None, tags))))


def _short(tag: str) -> str:
    return tag if len(tag) <= _LONGEST_TAG else f"{tag[: _LONGEST_TAG - 1]}…"


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
    published = definition.publication.description if definition.publication else ""
    return published or definition.graph.description or counted[:500]


def _doc(definition: Definition) -> str:
    """The definition in words: what it is, its parameters, its steps."""
    graph = definition.graph
    names = {step.id: step.name for step in graph.steps}
    steps = [
        (
            step.name,
            _what(step),
            ", ".join(names[step_id] for step_id in step.upstream()),
            step.compute_target or "",
        )
        for step in graph.steps
    ]
    parameters = [(each.name, each.type, _in_words(each)) for each in graph.parameters]
    parts = [
        *_published(definition),
        graph.description,
        _STATES_IN_WORDS,
        _table(("parameter", "type", "default"), parameters) if parameters else "",
        _table(("step", "script", "runs after", "compute"), steps),
    ]
    return "\n\n".join(dict.fromkeys(filter(None, parts)))


def _published(definition: Definition) -> tuple[str, ...]:
    publication = definition.publication
    if publication is None:
        return ()
    name = " · ".join(filter(None, (publication.name, publication.version)))
    return publication.description, f"Published pipeline **{_plain(name)}**, `{publication.id}`."


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    lines += [f"| {' | '.join(_plain(cell) or '-' for cell in row)} |" for row in rows]
    return "\n".join(lines)


def _in_words(parameter: ParameterDef) -> str:
    """The default of a parameter, short enough for a table."""
    default = parameter.default
    if isinstance(default, str | int | float | bool):
        text = json.dumps(default, ensure_ascii=False) if isinstance(default, bool) else str(default)
    else:
        text = ", ".join(f"{place.datastore}/{place.path}" for place in source_locations(default))
    return text if len(text) <= _LONGEST_CELL else f"{text[: _LONGEST_CELL - 1]}…"


def _step_doc(step: Step) -> str:
    """What a step is, for its page in Airflow's UI."""
    reads = ", ".join(port.name for port in step.inputs) or "nothing"
    writes = ", ".join(port.name for port in step.outputs) or "nothing"
    reuse = "Reused while nothing that counts for it changes." if step.allow_reuse else "Runs every time."
    return f"{_does(step)}; reads {_plain(reads)}; writes {_plain(writes)}.\n\n{reuse}\n\n{_STATES_IN_WORDS}"


def _what(step: Step) -> str:
    """What a step runs, for a table."""
    return step.settings.script_name if isinstance(step.settings, PythonScriptSettings) else "copies data"


def _does(step: Step) -> str:
    settings = step.settings
    return f"Runs {_plain(settings.script_name)}" if isinstance(settings, PythonScriptSettings) else "Copies data"


def _plain(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    return " ".join(text.split()).translate(_ESCAPED)
