"""`airloom publish` and `airloom run`: a pipeline is published once, and then run by its name."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated, Any

import typer

from airloom.cli.connection import HomeOption, Target, WorkspaceOption, complete_run, connect, find_run
from airloom.cli.finding import all_endpoints, complete_endpoint, complete_pipeline, find_endpoint, find_pipeline
from airloom.cli.follow import wait_for_run
from airloom.cli.output import JsonOption, conclude, print_json, working
from airloom.cli.parameters import (
    GoOnOption,
    ParamOption,
    Reuse,
    ReuseOption,
    TagOption,
    WaitOption,
    pairs,
    typed,
    types_of,
)
from airloom.exceptions import UserErrorException


def _complete_source(incomplete: str) -> list[tuple[str, str]]:
    files = [(str(path), "a pipeline as YAML") for path in Path().glob(f"{incomplete}*.y*ml")]
    return [*files, *complete_run(incomplete)]


def publish(
    source: Annotated[
        str,
        typer.Argument(
            metavar="FILE|RUN",
            autocompletion=_complete_source,
            help="The pipeline: a YAML file, or a run by its id, the beginning of it, or `last`.",
        ),
    ],
    name: Annotated[str, typer.Option("--name", help="What the published pipeline is called.")],
    description: Annotated[str, typer.Option("--description", help="What it does.")] = "",
    version: Annotated[str, typer.Option("--version", help="Its version, any text.")] = "",
    endpoint: Annotated[
        str | None,
        typer.Option(
            "--endpoint",
            autocompletion=complete_endpoint,
            help="Make it the default version of this endpoint, which is created if there is none.",
        ),
    ] = None,
    go_on: GoOnOption = None,
    tag: TagOption = None,
    home: HomeOption = None,
    workspace: WorkspaceOption = None,
    json_output: JsonOption = False,
) -> None:
    """Publish a pipeline, so that it can be run by its name, by REST, and by schedules."""
    labels = {"name": name, "description": description, "version": version, "tags": pairs(tag, "--tag")}
    body = {**labels, "continue_on_step_failure": go_on}
    with connect(home, workspace) as target:
        with working(f"Publishing {name}"):
            made = target.client.publish_pipeline(target.workspace, {**body, **_source(target, source)})
        added = _put_behind(target, endpoint, made) if endpoint else None
    if json_output:
        print_json({**made, "pipeline_endpoint": added} if added else made)
        return
    typer.echo(f"published pipeline {made['name']}, id {made['id']}")
    if added:
        typer.echo(f"version {added['default_version']}, the default, of endpoint {added['name']}: {added['endpoint']}")
    typer.echo(f"run it with `airloom run {made['name']}`, or POST to {made['endpoint']}")


def _source(target: Target, source: str) -> dict[str, Any]:
    """The part of the body that says what is published."""
    if not Path(source).is_file():
        if source.endswith((".yml", ".yaml")):
            raise UserErrorException(f"There is no file {source!r}.")
        return {"run_id": find_run(target, source)["id"]}
    return {"graph": pipeline_of_file(target, Path(source))}


def pipeline_of_file(target: Target, file: Path) -> dict[str, Any]:
    """The graph that a YAML file describes, with its source folders on the server."""
    from airloom.core.workspace import Workspace
    from airloom.pipeline.core import Pipeline

    # What the SDK says of its progress is not the command's result.
    with redirect_stdout(sys.stderr):
        workspace = Workspace._opened(target.connection, None, target.workspace)
        return Pipeline.load_yaml(workspace, str(file))._uploaded()


def _put_behind(target: Target, endpoint: str, pipeline: dict[str, Any]) -> dict[str, Any]:
    client, workspace = target.client, target.workspace
    for found in client.list_endpoints(workspace, active_only=False, name=endpoint):
        body = {"pipeline_id": pipeline["id"], "default": True}
        return client.add_endpoint_version(workspace, found["id"], body)
    return client.create_endpoint(workspace, {"name": endpoint, "pipeline_id": pipeline["id"]})


def _complete_name(incomplete: str) -> list[tuple[str, str]]:
    return [*complete_pipeline(incomplete), *complete_endpoint(incomplete)]


def run(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", autocompletion=_complete_name, help="A published pipeline, or an endpoint: its name or id."
        ),
    ],
    endpoint: Annotated[bool, typer.Option("--endpoint", help="NAME is that of an endpoint.")] = False,
    version: Annotated[
        str | None,
        typer.Option("--version", show_default="the default one", help="The version of the endpoint NAME."),
    ] = None,
    experiment: Annotated[
        str | None, typer.Option("--experiment", "-e", show_default="NAME", help="The experiment that the run is of.")
    ] = None,
    param: ParamOption = None,
    reuse: ReuseOption = Reuse.auto,
    go_on: GoOnOption = None,
    tag: TagOption = None,
    idempotency_key: Annotated[
        str | None,
        typer.Option("--idempotency-key", help="A command with the same key again starts no second run."),
    ] = None,
    wait: WaitOption = False,
    home: HomeOption = None,
    workspace: WorkspaceOption = None,
    json_output: JsonOption = False,
) -> None:
    """Run a published pipeline, or a version of an endpoint, and print the run."""
    body: dict[str, Any] = {"reuse": reuse.value, "continue_on_step_failure": go_on, "tags": pairs(tag, "--tag")}
    values = pairs(param)
    with connect(home, workspace) as target:
        if endpoint or version is not None:
            started = _run_endpoint(target, name, version, experiment, values, body, idempotency_key)
        else:
            started = _run_pipeline(target, name, experiment, values, body, idempotency_key)
        if wait:
            started = wait_for_run(target, started["id"])
    conclude(started, wait, json_output)


def _run_pipeline(
    target: Target, name: str, experiment: str | None, values: dict[str, str], body: dict[str, Any], key: str | None
) -> dict[str, Any]:
    from airloom.errors import NotFound

    try:
        pipeline = find_pipeline(target, name)
    except NotFound as error:
        if any(each["name"] == name for each in all_endpoints(target)):
            raise NotFound(error.message, hint=f"{name!r} is an endpoint: add --endpoint.", target=name) from None
        raise
    body = {**body, "experiment": experiment or pipeline["name"], "parameters": typed(values, types_of(pipeline))}
    return target.client.run_pipeline(target.workspace, pipeline["id"], body, key)


def _run_endpoint(
    target: Target,
    name: str,
    version: str | None,
    experiment: str | None,
    values: dict[str, str],
    body: dict[str, Any],
    key: str | None,
) -> dict[str, Any]:
    found = find_endpoint(target, name)
    types = _types_of_version(target, found, version) if values else {}
    body = {**body, "experiment": experiment or found["name"], "parameters": typed(values, types), "version": version}
    return target.client.run_endpoint(target.workspace, found["id"], body, key)


def _types_of_version(target: Target, endpoint: dict[str, Any], version: str | None) -> dict[str, str]:
    wanted = endpoint["default_version"] if version is None else version
    for each in endpoint["versions"]:
        if each["version"] == wanted:
            return types_of(target.client.get_pipeline(target.workspace, each["pipeline_id"]))
    return {}  # the server says that there is no such version
