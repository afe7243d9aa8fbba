"""`airloom submit`: run a pipeline that is written as YAML."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from airloom.cli.connection import HomeOption, Target, WorkspaceOption, connect
from airloom.cli.follow import wait_for_run
from airloom.cli.output import JsonOption, between, duration, print_json

if TYPE_CHECKING:
    from airloom.graph.model import PipelineGraph


class Reuse(StrEnum):
    """What to do about steps whose outputs exist already."""

    auto = "auto"
    off = "off"
    refresh = "refresh"


def submit(
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="The pipeline, as YAML.")],
    experiment: Annotated[
        str | None,
        typer.Option("--experiment", "-e", show_default="the file's name", help="The experiment that the run is of."),
    ] = None,
    param: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", metavar="NAME=VALUE", help="Set a pipeline parameter; may be given repeatedly."),
    ] = None,
    reuse: Annotated[
        Reuse,
        typer.Option(
            "--reuse",
            help="`auto` reuses unchanged steps, `off` runs all, `refresh` runs all and replaces what is kept.",
        ),
    ] = Reuse.auto,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the end; exit with 1 unless it is Finished.")] = False,
    home: HomeOption = None,
    workspace: WorkspaceOption = None,
    json_output: JsonOption = False,
) -> None:
    """Submit a pipeline to the server and print the run."""
    values = dict(_split(entry) for entry in param or ())
    with connect(home, workspace) as target:
        run = _submit(target, file, experiment or file.stem, values, reuse)
        if wait:
            run = wait_for_run(target, run["id"])
    if json_output:
        print_json(run)
    else:
        _tell(run, wait)
    if wait and run["status"] != "Finished":
        raise typer.Exit(1)


def _split(entry: str) -> tuple[str, str]:
    name, equals, value = entry.partition("=")
    if not (name and equals):
        raise typer.BadParameter(f"{entry!r} is not of the form NAME=VALUE.", param_hint="--param")
    return name, value


def _submit(target: Target, file: Path, experiment: str, values: dict[str, str], reuse: Reuse) -> dict[str, Any]:
    from airloom.core.experiment import Experiment
    from airloom.core.workspace import Workspace
    from airloom.pipeline.core import Pipeline

    # What the SDK says of its progress is not the command's result.
    with redirect_stdout(sys.stderr):
        workspace = Workspace._opened(target.connection, None, target.workspace)
        pipeline = Pipeline.load_yaml(workspace, str(file))
        parameters = _typed(values, pipeline.graph.definition) if values else {}
        run = Experiment(workspace, experiment).submit(pipeline, pipeline_parameters=parameters, reuse=reuse.value)
    return target.client.get_run(target.workspace, run.id)


def _typed(values: dict[str, str], graph: PipelineGraph) -> dict[str, Any]:
    """The values as YAML reads them, so that 3 is a number; for parameters of type string, as they are."""
    import yaml

    strings = {parameter.name for parameter in graph.parameters if parameter.type == "string"}
    return {name: value if name in strings else yaml.safe_load(value) for name, value in values.items()}


def _tell(run: dict[str, Any], ended: bool) -> None:
    if not ended:
        typer.echo(f"run {run['id']} of experiment {run['experiment']}: {run['status']}")
        typer.echo(f"follow it with `airloom logs {run['id']} --follow`, or at {run['url']}")
        return
    took = duration(between(run["started_at"], run["ended_at"]))
    typer.echo(f"run {run['id']} is {run['status']} after {took}")
    if run["error"]:
        typer.echo(run["error"]["message"], err=True)
