"""The commands put together, and how errors reach the user."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

import airloom
from airloom.cli import (
    datasets,
    datastores,
    doctor,
    drafts,
    endpoints,
    pipelines,
    publish,
    runs,
    schedules,
    server,
    submit,
    upkeep,
)

DEBUG_VARIABLE = "AIRLOOM_DEBUG"

app = typer.Typer(
    name="airloom",
    help="Machine-learning pipelines on Apache Airflow. Start with `airloom up`.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(airloom.__version__)
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Machine-learning pipelines on Apache Airflow. Start with `airloom up`."""
    if debug:
        os.environ[DEBUG_VARIABLE] = "1"


SERVER = "Server"
PIPELINES = "Pipelines"
PUBLISHED = "Published pipelines"
DATA = "Data"
UPKEEP = "Upkeep"

app.command(rich_help_panel=SERVER)(server.up)
app.command(rich_help_panel=SERVER)(server.down)
app.command(rich_help_panel=SERVER)(server.status)
app.command(rich_help_panel=SERVER)(doctor.doctor)
app.command(rich_help_panel=PIPELINES)(submit.submit)
app.command(rich_help_panel=PIPELINES)(publish.publish)
app.command(rich_help_panel=PIPELINES)(publish.run)
app.command(rich_help_panel=PIPELINES)(runs.runs)
app.command(rich_help_panel=PIPELINES)(runs.logs)
app.command(rich_help_panel=PIPELINES)(runs.explain)
app.command(rich_help_panel=PIPELINES)(runs.resume)
app.add_typer(pipelines.app, name="pipelines", rich_help_panel=PUBLISHED)
app.add_typer(endpoints.app, name="endpoints", rich_help_panel=PUBLISHED)
app.add_typer(schedules.app, name="schedules", rich_help_panel=PUBLISHED)
app.add_typer(drafts.app, name="drafts", rich_help_panel=PUBLISHED)
app.add_typer(datastores.app, name="datastores", rich_help_panel=DATA)
app.add_typer(datasets.app, name="datasets", rich_help_panel=DATA)
app.command(rich_help_panel=UPKEEP)(upkeep.gc)
app.command(rich_help_panel=UPKEEP)(upkeep.verify)


def main() -> None:
    """Entry point: an error is one clear line and a hint, not a traceback."""
    try:
        app()
    except BrokenPipeError:
        # The reader (`| head`) has seen enough. Python must not complain about it at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if os.environ.get(DEBUG_VARIABLE):
            raise
        _tell(error)
        sys.exit(1)


def _tell(error: Exception) -> None:
    from airloom.errors import AirloomError
    from airloom.exceptions import AzureMLException

    hint = ""
    if isinstance(error, AirloomError):
        text, hint = error.message, error.hint
    elif isinstance(error, AzureMLException):
        text = error.message
    else:
        text, hint = f"{type(error).__name__}: {error}", "This should not happen; --debug shows where it did."
    typer.secho("Error: ", fg=typer.colors.RED, bold=True, nl=False, err=True)
    typer.echo(text, err=True)
    if hint:
        typer.echo(f"Hint: {hint.strip()}", err=True)
