"""`airloom schedules`: what runs by the clock and as data arrives."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from airloom.cli.connection import HomeOption, Target, WorkspaceOption, connect
from airloom.cli.finding import (
    ScheduleArgument,
    complete_endpoint,
    complete_pipeline,
    find_endpoint,
    find_pipeline,
    find_schedule,
)
from airloom.cli.output import (
    AllOption,
    JsonOption,
    LimitOption,
    group,
    moment,
    print_facts,
    print_json,
    print_runs,
    print_table,
)
from airloom.cli.parameters import GoOnOption, ParamOption, pairs, typed, types_of

app = group("Schedules: published pipelines that run by the clock, or as data arrives.")

PipelineOption = Annotated[
    str | None,
    typer.Option("--pipeline", autocompletion=complete_pipeline, help="The published pipeline, by name or id."),
]
EndpointOption = Annotated[
    str | None, typer.Option("--endpoint", autocompletion=complete_endpoint, help="The endpoint, by name or id.")
]


class Frequency(StrEnum):
    """The units of a recurrence."""

    minute = "Minute"
    hour = "Hour"
    day = "Day"
    week = "Week"
    month = "Month"


class RunPer(StrEnum):
    """What one run of a schedule of data is for."""

    batch = "batch"
    file = "file"


@app.command("list")
def list_(
    pipeline: PipelineOption = None,
    endpoint: EndpointOption = None,
    everything: AllOption = False,
    limit: LimitOption = 100,
    home: HomeOption = None,
    workspace: WorkspaceOption = None,
    json_output: JsonOption = False,
) -> None:
    """List schedules."""
    with connect(home, workspace) as target:
        found = target.client.list_schedules(
            target.workspace,
            active_only=not everything,
            pipeline_id=find_pipeline(target, pipeline)["id"] if pipeline else None,
            endpoint_id=find_endpoint(target, endpoint)["id"] if endpoint else None,
            limit=limit,
        )
    if json_output:
        print_json(found)
        return
    rows = [(e["name"], e["status"], _when(e), moment(e["next_run_at"]), e["id"]) for e in found]
    if rows:
        print_table(("schedule", "status", "when", "next run", "id"), rows)
    else:
        typer.echo("No schedules. Make one with `airloom schedules create NAME --pipeline PIPELINE --every Day`.")


def _when(schedule: dict[str, Any]) -> str:
    """In words, when it fires."""
    data, rule = schedule["data"], schedule["recurrence"]
    if data:
        return f"changes on {data['datastore']}/{data['path']}, looked for every {data['polling_interval']:g} min"
    times = [f"at {rule['time_of_day']}"] if rule.get("time_of_day") else []
    times += [f"{field} {_joined(rule[field])}" for field in ("week_days", "hours", "minutes") if rule.get(field)]
    every = rule["frequency"] if rule["interval"] == 1 else f"{rule['interval']} {rule['frequency']}s"
    zone = f" ({rule['time_zone']})" if rule.get("time_zone") else ""
    return f"every {every.lower()}{''.join(f', {each}' for each in times)}{zone}"


def _joined(values: list[Any]) -> str:
    return " ".join(str(value) for value in values)


@app.command()
def show(
    schedule: ScheduleArgument,
    home: HomeOption = None,
    workspace: WorkspaceOption = None,
    json_output: JsonOption = False,
) -> None:
    """Show a schedule: what it runs, when it fires next, and what the last look at its data found."""
    with connect(home, workspace) as target:
        found = find_schedule(target, schedule)
    if json_output:
        print_json(found)
        return
    check = found["last_check"]
    print_facts(
        {
            "name": found["name"],
            "id": found["id"],
            "description": found["description"],
            "status": found["status"],
            "pipeline": found["pipeline_id"] or "",
            "endpoint": found["endpoint_id"] or "",
            "experiment": found["experiment"],
            "parameters": ", ".join(f"{name}={value}" for name, value in found["parameters"].items()),
            "when": _when(found),
            "next run": moment(found["next_run_at"]),
            "last check": f"{moment(check['at'])}: {check['outcome']}. {check['message']}" if check else "",
            "page": found["url"],
        }
    )


@app.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of the schedule.")],
    pipeline: PipelineOption = None,
    endpoint: EndpointOption = None,
    experiment: Annotated[
        str | None, typer.Option("--experiment", "-e", show_default="NAME", help="The experiment of its runs.")
    ] = None,
    description: Annotated[str | None, typer.Option("--description", help="What it is for.")] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file", "-f", exists=True, dir_okay=False, help="Take the rest from YAML, in the form of SDK v1."
        ),
    ] = None,
    every: Annotated[Frequency | None, typer.Option("--every", help="Fire by the clock, in these units.")] = None,
    interval: Annotated[int, typer.Option("--interval", min=1, help="Fire at every so many of the units.")] = 1,
    start: Annotated[
        str | None, typer.Option("--start", show_default="at once", help="The first time, such as 2026-07-01T22:30.")
    ] = None,
    zone: Annotated[
        str | None,
        typer.Option("--time-zone", show_default="UTC", help="Whose clocks count: a name of IANA or of Windows."),
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", metavar="HH:MM", help="The time of day; with units Day and Week.")
    ] = None,
    week_day: Annotated[
        list[str] | None, typer.Option("--on", metavar="DAY", help="A day of the week; may be given repeatedly.")
    ] = None,
    datastore: Annotated[
        str | None, typer.Option("--datastore", help="Fire as files on this datastore are added or changed.")
    ] = None,
    path: Annotated[str | None, typer.Option("--path", help="The folder that is watched, with all below it.")] = None,
    polling: Annotated[float, typer.Option("--polling-interval", help="Minutes between two looks.")] = 5,
    parameter: Annotated[
        str | None, typer.Option("--path-parameter", help="The DataPath parameter that gets the changed path.")
    ] = None,
    one_run_per: Annotated[
        RunPer, typer.Option("--one-run-per", help="A run for all changes that one look finds, or for each file.")
    ] = RunPer.batch,
    param: ParamOption = None,
    go_on: GoOnOption = None,
    home: HomeOption = None,
    workspace: WorkspaceOption = None,
    json_output: JsonOption = False,
) -> None:
    """Create a schedule of a published pipeline or an endpoint, by the clock, by data, or from a file."""
    if (pipeline is None) == (endpoint is None):
        raise typer.BadParameter("Give either --pipeline or --endpoint.")
    if [file, every, datastore].count(None) != 2:
        raise typer.BadParameter("Give one of --every, --datastore and --file: what makes the schedule fire.")
    clock = {"start_time": start, "time_zone": zone, "time_of_day": at, "week_days": week_day or None}
    data = {"path_on_datastore": path, "data_path_parameter_name": parameter}
    _check_fit(every, datastore, clock, data)
    with connect(home, workspace) as target:
        given: dict[str, Any] = {"description": description, "continue_on_step_failure": go_on}
        if every:
            given["recurrence"] = {"frequency": every.value, "interval": interval, **clock}
        if datastore:
            given |= {"datastore": datastore, "polling_interval": polling, "one_run_per": one_run_per.value, **data}
        made = _create(target, name, (pipeline, endpoint), experiment or name, given, file, pairs(param))
    if json_output:
        print_json(made)
        return
    typer.echo(f"schedule {made['name']}, id {made['id']}: {_when(made)}")
    if made["next_run_at"]:
        typer.echo(f"it fires next at {moment(made['next_run_at'])}")


def _check_fit(every: Frequency | None, datastore: str | None, clock: dict[str, Any], data: dict[str, Any]) -> None:
    """Options of a trigger other than the one that was asked for are mistakes."""
    names = {"start_time": "--start", "time_zone": "--time-zone", "time_of_day": "--at", "week_days": "--on"}
    names |= {"path_on_datastore": "--path", "data_path_parameter_name": "--path-parameter"}
    surplus = [names[key] for key, value in clock.items() if value is not None and not every]
    surplus += [names[key] for key, value in data.items() if value is not None and not datastore]
    if surplus:
        needed = "--every" if surplus[0] in list(names.values())[:4] else "--datastore"
        raise typer.BadParameter(f"{surplus[0]} goes with {needed} only.")


def _create(
    target: Target,
    name: str,
    of: tuple[str | None, str | None],
    experiment: str,
    given: dict[str, Any],
    file: Path | None,
    values: dict[str, str],
) -> dict[str, Any]:
    from airloom.core.workspace import Workspace
    from airloom.pipeline.core import Schedule, ScheduleRecurrence

    workspace = Workspace._opened(target.connection, None, target.workspace)
    arguments = Schedule.load_yaml(workspace, file) if file else {}
    arguments |= {key: value for key, value in given.items() if value is not None}
    if isinstance(arguments.get("recurrence"), dict):
        arguments["recurrence"] = ScheduleRecurrence(**arguments["recurrence"])
    make: Callable[..., Schedule]
    pipeline, endpoint = of
    if pipeline is not None:
        found = find_pipeline(target, pipeline)
        types = types_of(found)
        make, target_id = Schedule.create, {"pipeline_id": found["id"]}
    else:
        found = find_endpoint(target, str(endpoint))
        default = {each["version"]: each["pipeline_id"] for each in found["versions"]}[found["default_version"]]
        types = types_of(target.client.get_pipeline(target.workspace, default))
        make, target_id = Schedule.create_for_pipeline_endpoint, {"pipeline_endpoint_id": found["id"]}
    arguments["pipeline_parameters"] = {**arguments.get("pipeline_parameters", {}), **typed(values, types)}
    made = make(workspace, name=name, experiment_name=experiment, **target_id, **arguments)
    return target.client.get_schedule(target.workspace, made.id)


@app.command()
def enable(
    schedule: ScheduleArgument,
    home: HomeOption = None,
    workspace: WorkspaceOption = None,
    json_output: JsonOption = False,
) -> None:
    """Let a schedule fire, from now on."""
    _set_status(schedule, "Active", home, workspace, json_output)


@app.command()
def disable(
    schedule: ScheduleArgument,
    home: HomeOption = None,
    workspace: WorkspaceOption = None,
    json_output: JsonOption = False,
) -> None:
    """Let a schedule fire no more; runs that it has started go on."""
    _set_status(schedule, "Disabled", home, workspace, json_output)


def _set_status(schedule: str, status: str, home: Path | None, workspace: str | None, json_output: bool) -> None:
    with connect(home, workspace) as target:
        found = find_schedule(target, schedule)
        changed = target.client.update_schedule(target.workspace, found["id"], {"status": status})
    if json_output:
        print_json(changed)
    else:
        typer.echo(f"schedule {changed['name']}, id {changed['id']}: {changed['status']}")


@app.command()
def runs(
    schedule: ScheduleArgument,
    limit: LimitOption = 20,
    home: HomeOption = None,
    workspace: WorkspaceOption = None,
    json_output: JsonOption = False,
) -> None:
    """List the runs that a schedule has started, the newest first."""
    with connect(home, workspace) as target:
        found = find_schedule(target, schedule)
        started = target.client.list_schedule_runs(target.workspace, found["id"], limit)
    if json_output:
        print_json(started)
    elif started:
        print_runs(started)
    else:
        typer.echo(f"The schedule {found['name']} has started no runs.")
