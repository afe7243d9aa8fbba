"""`airloom runs`, `logs`, `explain` and `resume`: what was run, what it printed, why, and what is still to be done."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from airloom.cli.connection import HomeOption, RunArgument, Target, WorkspaceOption, connect, find_run, find_step
from airloom.cli.finding import complete_pipeline, complete_schedule, find_pipeline, find_schedule
from airloom.cli.follow import ENDED, LogReader, Stream, follow_logs, step_state, wait_for_run
from airloom.cli.output import JsonOption, conclude, print_json, print_runs
from airloom.cli.parameters import WaitOption


def runs(
    experiment: Annotated[str | None, typer.Option("--experiment", "-e", help="Only runs of this experiment.")] = None,
    status: Annotated[
        str | None, typer.Option("--status", help="Only runs in this state: NotStarted, Running, Finished, ...")
    ] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option("--tag", metavar="NAME[=VALUE]", help="Only runs with this tag; may be given repeatedly."),
    ] = None,
    pipeline: Annotated[
        str | None,
        typer.Option("--pipeline", autocompletion=complete_pipeline, help="Only runs of this published pipeline."),
    ] = None,
    schedule: Annotated[
        str | None,
        typer.Option("--schedule", autocompletion=complete_schedule, help="Only runs that this schedule has made."),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="At most so many.")] = 20,
    home: HomeOption = None,
    workspace: WorkspaceOption = None,
    json_output: JsonOption = False,
) -> None:
    """List runs, the newest first."""
    with connect(home, workspace) as target:
        found = target.client.list_runs(
            target.workspace,
            experiment=experiment,
            status=status,
            pipeline_id=find_pipeline(target, pipeline)["id"] if pipeline else None,
            schedule_id=find_schedule(target, schedule)["id"] if schedule else None,
            tags=[each.replace("=", ":", 1) for each in tag or ()],
            limit=limit,
        )
    if json_output:
        print_json(found)
        return
    if found:
        print_runs(found)
    else:
        typer.echo("No runs. Start one with `airloom submit FILE.yml`.")


def resume(
    run: RunArgument,
    wait: WaitOption = False,
    home: HomeOption = None,
    workspace: WorkspaceOption = None,
    json_output: JsonOption = False,
) -> None:
    """Let a run that failed or was canceled go on: steps that ended well are kept, the others run."""
    with connect(home, workspace) as target:
        resumed = target.client.resume_run(target.workspace, find_run(target, run)["id"])
        if wait:
            resumed = wait_for_run(target, resumed["id"])
    conclude(resumed, wait, json_output)


def logs(
    run: RunArgument,
    step: Annotated[str | None, typer.Argument(metavar="STEP", help="A step's name or id; all without it.")] = None,
    stream: Annotated[
        Stream, typer.Option("--stream", "-s", help="What the script printed, or `job`: what Airloom did around it.")
    ] = Stream.stdout,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the run, or the step, has ended.")
    ] = False,
    home: HomeOption = None,
    workspace: WorkspaceOption = None,
    json_output: JsonOption = False,
) -> None:
    """Print what a run's steps have printed; a reused step shows the log of the run that computed it."""
    if follow and json_output:
        raise typer.BadParameter("--follow prints lines as they come, which --json cannot: give one of the two.")
    with connect(home, workspace) as target:
        run_id = find_run(target, run)["id"]
        steps = target.client.list_steps(target.workspace, run_id)
        wanted = [find_step(steps, step)] if step else steps
        readers = [LogReader(target, run_id, one["step_id"], one["name"], stream) for one in wanted]
        if follow:
            follow_logs(target, run_id, readers, titled=step is None)
        elif json_output:
            texts = {reader.name: reader.rest() for reader in readers}
            print_json({"run": run_id, "stream": stream.value, "logs": texts})
        else:
            _print_logs(readers, titled=step is None)


def _print_logs(readers: list[LogReader], *, titled: bool) -> None:
    for reader in readers:
        if titled:
            typer.secho(f"--- {reader.name}", fg=typer.colors.CYAN)
        text = reader.rest()
        typer.echo(text, nl=not text.endswith("\n") and bool(text))


def explain(
    run: RunArgument,
    step: Annotated[str | None, typer.Option("--step", "-s", help="Only this step, by name or id.")] = None,
    home: HomeOption = None,
    workspace: WorkspaceOption = None,
    json_output: JsonOption = False,
) -> None:
    """Say of each step why it was reused or run: from which run, or what has changed since."""
    with connect(home, workspace) as target:
        found = find_run(target, run)
        explanations = target.client.explain(target.workspace, found["id"], step=step)
        if json_output:
            print_json({"run": found["id"], "steps": explanations})
            return
        for explanation in explanations:
            _print_explanation(explanation)
        if step is None:
            _print_undecided(target, found, {explanation["step_id"] for explanation in explanations})


def _print_explanation(explanation: dict[str, Any]) -> None:
    reused = explanation["action"] == "reused"
    typer.secho(explanation["name"], bold=True, nl=False)
    typer.secho(f"  {explanation['action']}", fg=typer.colors.CYAN if reused else typer.colors.GREEN)
    typer.echo(f"  {explanation['message']}")
    for change in explanation.get("changed", ()):
        typer.echo(f"    {change['part']}: {_short(change['before'])} -> {_short(change['now'])}")
    origin = explanation.get("compared_to")
    if origin and not reused:
        typer.echo(f"    compared to run {origin['run_id']}")


def _short(value: object) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _print_undecided(target: Target, run: dict[str, Any], explained: set[str]) -> None:
    """Name the steps that have no explanation: they wait, or the run ended before their turn."""
    for one in target.client.list_steps(target.workspace, run["id"]):
        if one["step_id"] not in explained:
            typer.secho(one["name"], bold=True, nl=False)
            waits = "" if run["status"] in ENDED else ", not decided yet"
            typer.echo(f"  {step_state(one)}{waits}")
