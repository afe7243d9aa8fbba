"""Submission: check the graph, bring the source folders to the server, start the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from airloom.core._compat import ignored, unknown_keywords
from airloom.core._console import say
from airloom.core._progress import transfer_progress
from airloom.data.data_reference import DataReference
from airloom.errors import AirloomError
from airloom.exceptions import NotFoundException, SnapshotException, UserErrorException
from airloom.graph.model import PipelineGraph, ReuseMode, Step
from airloom.graph.validate import check_parameters, raise_problems, validate_graph
from airloom.pipeline.core._checks import ANY, check_choice
from airloom.pipeline.core._data import DATA_TYPES, data_source
from airloom.pipeline.core._snapshots import Snapshots
from airloom.storage.file_digests import digest_file
from airloom.storage.tree import TreeManifest

if TYPE_CHECKING:
    from airloom.core.experiment import Experiment
    from airloom.core.workspace import Workspace
    from airloom.pipeline.core.run import PipelineRun

_SHOW_FROM_BYTES = 5 * 1024 * 1024


@dataclass(frozen=True)
class SubmitOptions:
    """How a pipeline is to be run."""

    parameters: Mapping[str, Any] = field(default_factory=dict)
    continue_on_step_failure: bool | None = None
    reuse: ReuseMode = "auto"
    tags: Mapping[str, str] = field(default_factory=dict)
    display_name: str = ""

    @staticmethod
    def of(options: dict[str, Any], owner: str = "Pipeline.submit") -> SubmitOptions:
        """From the keyword arguments of v1's submit and our own. Raises UserErrorException for unknown ones."""
        given = dict(options)
        if given.pop("parent_run_id", None) is not None:
            ignored("parent_run_id", "runs of pipelines have no parent here.")
        if given.pop("credential_passthrough", None):
            ignored("credential_passthrough", "steps run as the workers' own user.")
        if given.pop("enable_email_notification", None):
            ignored("enable_email_notification", "Airloom sends no mail; Airflow's notifiers do.")
        chosen = SubmitOptions(
            parameters=given.pop("pipeline_parameters", None) or {},
            continue_on_step_failure=_optional_flag(given.pop("continue_on_step_failure", None)),
            reuse=_reuse(bool(given.pop("regenerate_outputs", None)), given.pop("reuse", None)),
            tags={str(key): str(value) for key, value in (given.pop("tags", None) or {}).items()},
            display_name=given.pop("display_name", None) or "",
        )
        unknown_keywords(owner, given)
        if not isinstance(chosen.parameters, Mapping):
            raise UserErrorException("pipeline_parameters must be a dict of names and values.")
        return chosen


def _optional_flag(value: Any) -> bool | None:
    return None if value is None else bool(value)


def _reuse(regenerate_outputs: bool, reuse: str | None) -> ReuseMode:
    if reuse is None:
        return "refresh" if regenerate_outputs else "auto"
    check_choice(reuse, ("auto", "off", "refresh"), "reuse")
    if regenerate_outputs and reuse != "refresh":
        raise UserErrorException(f"regenerate_outputs=True contradicts reuse='{reuse}'. Pass only one of them.")
    return cast(ReuseMode, reuse)


def submit(experiment: Experiment, graph: PipelineGraph, snapshots: Snapshots, options: SubmitOptions) -> PipelineRun:
    """Start a run. Names of datastores and compute targets are checked by the server, which knows them best."""
    parameters = check_graph(graph, options.parameters)
    workspace = experiment.workspace
    upload_snapshots(workspace, snapshots)
    body = {
        "graph": graph.model_dump(mode="json"),
        "parameters": parameters,
        "tags": dict(options.tags),
        "reuse": options.reuse,
        "display_name": options.display_name,
        "description": graph.description,
        "continue_on_step_failure": options.continue_on_step_failure,
    }
    document = workspace._client.submit_run(workspace.name, experiment.name, body)
    for step in graph.steps:
        say(f"Created step {step.name} [{step.id}], ({_outlook(step, options.reuse)})")
    return started(experiment, document)


def submit_published(
    experiment: Experiment, run: Callable[[dict[str, Any]], Any], options: SubmitOptions
) -> PipelineRun:
    """Start a run of what is published: `run` sends the body. The server checks the values of the parameters."""
    body = {
        "experiment": experiment.name,
        "parameters": plain_values(options.parameters),
        "tags": dict(options.tags),
        "reuse": options.reuse,
        "display_name": options.display_name,
        "continue_on_step_failure": options.continue_on_step_failure,
    }
    return started(experiment, run(body))


def started(experiment: Experiment, document: dict[str, Any]) -> PipelineRun:
    """The run that the server has started; says where it can be seen."""
    from airloom.pipeline.core.run import PipelineRun

    say(f"Submitted PipelineRun {document['id']}")
    say(f"Link to Airloom Portal: {document['url']}")
    return PipelineRun(experiment, document["id"], _document=document)


def check_graph(graph: PipelineGraph, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Refuse what cannot run before anything travels; returns the values that were given, as JSON."""
    try:
        raise_problems(validate_graph(graph, datastores=ANY, computes=ANY))
        return _given_values(graph, parameters)
    except AirloomError as error:
        raise UserErrorException(str(error), inner_exception=error) from error


def _outlook(step: Step, reuse: ReuseMode) -> str:
    may_reuse = step.allow_reuse and reuse == "auto" and step.reuse == "auto"
    if may_reuse:
        return "This step is eligible to reuse a previous run's output"
    return "This step will run and generate new outputs"


def _given_values(graph: PipelineGraph, given: Mapping[str, Any]) -> dict[str, Any]:
    """The values that were given, checked and as JSON; the server adds the defaults of the others."""
    checked = check_parameters(graph, plain_values(given))
    return {name: checked[name] for name in given}


def plain_values(given: Mapping[str, Any]) -> dict[str, Any]:
    """Values of parameters as JSON; nothing is checked but that data can be written down."""
    if not isinstance(given, Mapping):
        raise UserErrorException("pipeline_parameters must be a dict of names and values.")
    return {name: _plain(value) for name, value in given.items()}


def _plain(value: Any) -> Any:
    is_data = isinstance(value, (*DATA_TYPES, DataReference))
    return data_source(value).model_dump(mode="json") if is_data else value


# --- source folders -----------------------------------------------------------------------------------------------


def upload_snapshots(workspace: Workspace, snapshots: Snapshots) -> None:
    """Bring every source folder to the server; only files that it lacks travel."""
    wanted = {
        manifest.digest: (folder, manifest)
        for folder, manifest in snapshots.manifests.items()
        if not _is_stored(workspace, manifest)
    }
    files = {entry.digest: folder / entry.path for folder, manifest in wanted.values() for entry in manifest.entries}
    missing = workspace._client.missing_blobs(workspace.name, list(files)) if files else []
    _send(workspace, {digest: files[digest] for digest in missing})
    for digest, (_, manifest) in wanted.items():
        workspace._client.put_snapshot(workspace.name, digest, manifest.model_dump(mode="json"))


def _is_stored(workspace: Workspace, manifest: TreeManifest) -> bool:
    try:
        workspace._client.get_snapshot(workspace.name, manifest.digest)
    except NotFoundException:
        return False
    return True


def _send(workspace: Workspace, files: Mapping[str, Path]) -> None:
    if not files:
        return
    sizes = {digest: path.stat().st_size for digest, path in files.items()}
    total = sum(sizes.values())
    with transfer_progress("Uploaded", len(files), total, show=total >= _SHOW_FROM_BYTES) as progress:
        for sent in workspace._client.upload_blobs(workspace.name, _checked(files)):
            progress.advance(sent)


def _checked(files: Mapping[str, Path]) -> Iterator[tuple[str, Path | bytes]]:
    """The files with their digests. One that was changed since the folder was read is refused before it travels."""
    for digest, path in files.items():
        try:
            current = digest_file(path)
        except (AirloomError, OSError) as error:
            raise SnapshotException(f"The file {path} cannot be read: {error}. Submit again.") from error
        if current != digest:
            raise SnapshotException(f"The file {path} was changed while the pipeline was submitted. Submit again.")
        yield digest, path
