"""Pipelines as YAML, in the form of Azure ML SDK v1, for steps of types PythonScriptStep and DataTransferStep.

Beyond v1's keys, a step may have `run_after` (keys of other steps), `reuse`, `timeout_seconds`, `retries` with its
pauses, `environment` (in place of a `runconfig` file) and `snapshot` (in place of a `source_directory`), and the file a
`schedule` beside its `pipeline`, which counts where the file itself is a DAG. An argument may also be
`{source: PARAMETER}` (a pipeline parameter) or `{value: TEXT}` (text that would else be read as `input:NAME`).
Errors are InvalidGraph, and begin with `file:line:`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from airloom.errors import AirloomError, InvalidGraph
from airloom.graph._yaml_nodes import Node, compose_file
from airloom.graph._yaml_ports import Names, check_process_count, read_argument, read_input, read_output, read_params
from airloom.graph._yaml_schedule import Schedule, read_schedule
from airloom.graph._yaml_sources import read_environment, read_parameter, read_reference
from airloom.graph._yaml_transfer import TRANSFER_KEYS, TRANSFER_TYPE, read_transfer
from airloom.graph._yaml_write import write_pipeline
from airloom.graph.ids import assign_ids
from airloom.graph.model import DataSource, EnvironmentSpec, PipelineGraph, PythonScriptSettings, Retries, Step
from airloom.graph.suggest import did_you_mean

__all__ = [
    "PipelineFile",
    "RunConfig",
    "Schedule",
    "YamlContext",
    "read_file",
    "read_pipeline",
    "write_pipeline",
]

STEP_TYPE = "PythonScriptStep"
OTHER_TYPES = (
    "AdlaStep",
    "AzureBatchStep",
    "DatabricksStep",
    "ModuleStep",
    "ParallelRunStep",
)
_PIPELINE_KEYS = (
    "name",
    "description",
    "parameters",
    "data_references",
    "default_compute",
    "continue_on_step_failure",
    "steps",
)
_KEYS_OF_ALL = (
    "type",
    "name",
    "compute",
    "compute_target",
    "inputs",
    "outputs",
    "allow_reuse",
    "reuse",
    "version",
    "timeout_seconds",
    "retries",
    "retry_delay_seconds",
    "retry_backoff",
    "retry_max_delay_seconds",
    "run_after",
)
_SCRIPT_KEYS = (
    "script_name",
    "source_directory",
    "snapshot",
    "runconfig",
    "runconfig_parameters",
    "environment",
    "parameters",
    "arguments",
    "hash_paths",
)
_KEYS = {STEP_TYPE: (*_KEYS_OF_ALL, *_SCRIPT_KEYS), TRANSFER_TYPE: (*_KEYS_OF_ALL, *TRANSFER_KEYS)}


@dataclass(frozen=True)
class RunConfig:
    """What a run configuration file contributes to a step."""

    environment: EnvironmentSpec
    timeout_seconds: int | None = None
    target: str | None = None


class YamlContext(Protocol):
    """What a YAML file refers to but does not hold. Methods raise an exception whose text says what is wrong."""

    def snapshot(self, folder: Path | None, script_name: str, hash_paths: tuple[str, ...]) -> PythonScriptSettings:
        """Script, digest and counting paths of a source folder; None stands for the default folder."""

    def run_config(self, file: Path) -> RunConfig:
        """The content of a run configuration file."""

    def dataset(self, reference: dict[str, Any]) -> DataSource:
        """A registered dataset, by `dataset_name` (and `dataset_version`) or `dataset_id`."""


@dataclass(frozen=True)
class PipelineFile:
    """What a pipeline file holds; `name` is empty if it has none, and `schedule` is for DAGs made from files."""

    name: str
    graph: PipelineGraph
    schedule: Schedule | None


def read_pipeline(file: str | Path, context: YamlContext) -> PipelineGraph:
    """The graph in a pipeline file; see `read_file`."""
    return read_file(file, context).graph


def read_file(file: str | Path, context: YamlContext) -> PipelineFile:
    """Read a pipeline from a YAML file. Step ids come from the keys under `steps`; names default to them.

    Relative paths of source folders and run configurations start at the file's folder, or at the working directory if
    there is nothing in the former. Raises InvalidGraph.
    """
    try:
        reader = _Reader(Path(file), compose_file(file, "pipeline"), context)
        return PipelineFile(reader.name(), reader.graph(), reader.schedule)
    except RecursionError:
        raise InvalidGraph(f"{file}: A part of the file contains itself.", target=str(file)) from None


class _Reader:
    def __init__(self, path: Path, document: Node, context: YamlContext) -> None:
        self._folder = path.parent
        self._context = context
        top = document.items("The file")
        if "pipeline" not in top:
            document.fail("The file has no key 'pipeline'.", "A pipeline file begins with 'pipeline:'.")
        self.schedule = read_schedule(top["schedule"]) if "schedule" in top else None
        self._node = top["pipeline"]
        self._fields = self._node.fields("The pipeline", _PIPELINE_KEYS)

    def name(self) -> str:
        return _text(self._fields, "name", "the pipeline") or ""

    def graph(self) -> PipelineGraph:
        fields = self._fields
        parameters = tuple(read_parameter(name, node) for name, node in self._items("parameters").items())
        references = {
            name: read_reference(name, node, self._dataset) for name, node in self._items("data_references").items()
        }
        steps = self._items("steps")
        if not steps:
            (fields.get("steps") or self._node).fail("The pipeline has no steps.")
        ids = dict(zip(steps, assign_ids(steps), strict=True))
        names = Names.of(parameters, references, steps, ids)
        description = fields.get("description")
        going_on = fields.get("continue_on_step_failure")
        return PipelineGraph(
            description="" if description is None or description.is_null() else description.text("The description"),
            parameters=parameters,
            sources={name: reference.source for name, reference in references.items()},
            steps=tuple(self._step(key, node, names) for key, node in steps.items()),
            continue_on_step_failure=going_on is not None and going_on.flag("continue_on_step_failure"),
        )

    def _items(self, key: str) -> dict[str, Node]:
        return self._fields[key].items(f"'{key}'") if key in self._fields else {}

    def _dataset(self, node: Node, reference: dict[str, Any]) -> DataSource:
        with _located(node):
            return self._context.dataset(reference)

    def _step(self, key: str, node: Node, names: Names) -> Step:
        what = f"Step '{key}'"
        kind = _type_of(node, what)
        fields = node.fields(what, _KEYS[kind])
        config = self._run_config(fields, what)
        names = names.of_step(fields, what)
        for name, value in _under(fields, "runconfig_parameters", what).items():
            check_process_count(name, value, names, what)
        return Step(
            id=names.ids[key],
            name=_text(fields, "name", what) or key,
            settings=read_transfer(fields, what) if kind == TRANSFER_TYPE else self._settings(fields, what, config),
            inputs=tuple(read_input(n, v, names, what) for n, v in _under(fields, "inputs", what).items()),
            outputs=tuple(read_output(n, v, what) for n, v in _under(fields, "outputs", what).items()),
            arguments=tuple(read_argument(item, names, what) for item in _listed(fields, "arguments", what)),
            params=read_params(_under(fields, "parameters", what), names, what),
            compute_target=self._compute(fields, what) or config.target,
            run_after=tuple(names.step_id(item, what) for item in _listed(fields, "run_after", what)),
            allow_reuse=fields["allow_reuse"].flag(f"allow_reuse of {what}") if "allow_reuse" in fields else True,
            reuse=_reuse(fields, what),
            version=_text(fields, "version", what),
            timeout_seconds=_timeout(fields, what) or config.timeout_seconds,
            retries=_retries(fields, what),
        )

    def _run_config(self, fields: dict[str, Node], what: str) -> RunConfig:
        node, inline = fields.get("runconfig"), fields.get("environment")
        if node is not None and inline is not None:
            inline.fail(f"{what} has both 'runconfig' and 'environment'.", "Remove one of them.")
        if inline is not None:
            return RunConfig(read_environment(inline, what))
        if node is None or node.is_null():
            return RunConfig(EnvironmentSpec())
        file = self._path(node.text(f"runconfig of {what}"))
        with _located(node):
            return self._context.run_config(file)

    def _settings(self, fields: dict[str, Node], what: str, config: RunConfig) -> PythonScriptSettings:
        if "script_name" not in fields:
            next(iter(fields.values())).fail(f"{what} has no script_name.")
        script_node = fields["script_name"]
        script = script_node.text(f"script_name of {what}")
        hash_paths = tuple(item.text("A hash path") for item in _listed(fields, "hash_paths", what))
        snapshot, folder = _text(fields, "snapshot", what), _text(fields, "source_directory", what)
        if snapshot is not None and folder is None:
            return PythonScriptSettings(
                script_name=script, snapshot=snapshot, hash_paths=hash_paths, environment=config.environment
            )
        with _located(fields.get("source_directory", script_node)):
            source = self._context.snapshot(self._source(folder, script), script, hash_paths)
        return source.model_copy(update={"environment": config.environment})

    def _source(self, folder: str | None, script: str) -> Path | None:
        if folder is not None:
            return self._path(folder)
        return self._folder if (self._folder / script).exists() else None

    def _path(self, text: str) -> Path:
        given = Path(text)
        forward = Path(text.replace("\\", "/"))
        candidates = [self._folder / given, given, self._folder / forward, forward]
        return next((path for path in candidates if path.exists()), candidates[0])

    def _compute(self, fields: dict[str, Node], what: str) -> str | None:
        own = _text(fields, "compute_target", what) or _text(fields, "compute", what)
        return own or _text(self._fields, "default_compute", "The pipeline")


def _type_of(node: Node, what: str) -> str:
    fields = node.items(what)
    if "type" not in fields:
        node.fail(f"{what} has no type.", f"Add 'type: {STEP_TYPE}'.")
    kind = fields["type"].text(f"The type of {what}")
    if kind in OTHER_TYPES:
        fields["type"].fail(
            f"{what} is of type {kind}, which is not available in this version of Airloom.",
            f"Files with steps of the types {' and '.join(_KEYS)} can be loaded.",
        )
    if kind not in _KEYS:
        hint = did_you_mean(kind, [*_KEYS, *OTHER_TYPES])
        fields["type"].fail(f"{what} has the unknown type '{kind}'.", hint)
    return kind


def _text(fields: dict[str, Node], key: str, what: str) -> str | None:
    node = fields.get(key)
    return None if node is None or node.is_null() else node.text(f"{key} of {what}")


def _under(fields: dict[str, Node], key: str, what: str) -> dict[str, Node]:
    return fields[key].items(f"{key} of {what}") if key in fields else {}


def _listed(fields: dict[str, Node], key: str, what: str) -> list[Node]:
    return list(fields[key].elements(f"{key} of {what}")) if key in fields else []


def _reuse(fields: dict[str, Node], what: str) -> Any:
    return fields["reuse"].choice(f"reuse of {what}", ("auto", "off", "refresh")) if "reuse" in fields else "auto"


def _timeout(fields: dict[str, Node], what: str) -> int | None:
    node = fields.get("timeout_seconds")
    if node is None or node.is_null():
        return None
    seconds = node.whole_number(f"timeout_seconds of {what}")
    return seconds if seconds > 0 else node.fail(f"timeout_seconds of {what} must be above 0, not {seconds}.")


def _retries(fields: dict[str, Node], what: str) -> Retries | None:
    pauses = {
        to: fields[key].number(f"{key} of {what}")
        for key, to in (
            ("retry_delay_seconds", "delay_seconds"),
            ("retry_backoff", "backoff"),
            ("retry_max_delay_seconds", "max_delay_seconds"),
        )
        if key in fields and not fields[key].is_null()
    }
    node = fields.get("retries")
    count = 0 if node is None or node.is_null() else node.whole_number(f"retries of {what}")
    return Retries(count=count, **pauses) if count else None


@contextmanager
def _located(node: Node) -> Iterator[None]:
    """Put file and line in front of what goes wrong outside of the file."""
    try:
        yield
    except AirloomError as error:
        node.fail(error.message, error.hint)
    except Exception as error:
        node.fail(str(error))
