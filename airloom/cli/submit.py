"""`airloom submit`: run a pipeline that is written as YAML."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated, Any

import typer

from airloom.cli.connection import HomeOption, Target, WorkspaceOption, connect
from airloom.cli.follow import wait_for_run
from airloom.cli.output import JsonOption, conclude
from airloom.cli.parameters import ParamOption, Reuse, ReuseOption, WaitOption, pairs, typed


def submit(
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="The pipeline, as YAML.")],
    experiment: Annotated[
        str | None,
        typer.Option("--experiment", "-e", show_default="the file's name", help="The experiment that the run is of."),
    ] = None,
    param: ParamOption = None,
    reuse: ReuseOption = Reuse.auto,
    wait: WaitOption = False,
    home: HomeOption = None,
    workspace: WorkspaceOption = None,
    json_output: JsonOption = False,
) -> None:
    """Submit a pipeline to the server and print the run."""
    values = pairs(param)
    with connect(home, workspace) as target:
        run = _submit(target, file, experiment or file.stem, values, reuse)
        if wait:
            run = wait_for_run(target, run["id"])
    conclude(run, wait, json_output)


def _submit(target: Target, file: Path, experiment: str, values: dict[str, str], reuse: Reuse) -> dict[str, Any]:
    from airloom.core.experiment import Experiment
    from airloom.core.workspace import Workspace
    from airloom.pipeline.core import Pipeline

    # What the SDK says of its progress is not the command's result.
    with redirect_stdout(sys.stderr):
        workspace = Workspace._opened(target.connection, None, target.workspace)
        pipeline = Pipeline.load_yaml(workspace, str(file))
        definitions = pipeline.graph.definition.parameters if values else ()
        parameters = typed(values, {parameter.name: parameter.type for parameter in definitions})
        run = Experiment(workspace, experiment).submit(pipeline, pipeline_parameters=parameters, reuse=reuse.value)
    return target.client.get_run(target.workspace, run.id)
