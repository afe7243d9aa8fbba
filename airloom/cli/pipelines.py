"""`airloom pipelines`: what is published."""

from __future__ import annotations

from typing import Any

import typer

from airloom.cli.connection import HomeOption, WorkspaceOption, connect
from airloom.cli.finding import PipelineArgument, find_pipeline
from airloom.cli.output import AllOption, JsonOption, LimitOption, group, moment, print_facts, print_json, print_table

app = group("Published pipelines: those of a workspace, and whether they may be run.")


@app.command("list")
def list_(
    everything: AllOption = False,
    limit: LimitOption = 100,
    home: HomeOption = None,
    workspace: WorkspaceOption = None,
    json_output: JsonOption = False,
) -> None:
    """List published pipelines, the newest first."""
    with connect(home, workspace) as target:
        found = target.client.list_pipelines(target.workspace, active_only=not everything, limit=limit)
    if json_output:
        print_json(found)
        return
    rows = [
        (each["name"], each["version"], each["status"], each["id"], each["total_steps"], moment(each["created_at"]))
        for each in found
    ]
    if rows:
        print_table(("pipeline", "version", "status", "id", "steps", "published"), rows)
    else:
        typer.echo("No published pipelines. Publish one with `airloom publish FILE --name NAME`.")


@app.command()
def show(
    pipeline: PipelineArgument,
    home: HomeOption = None,
    workspace: WorkspaceOption = None,
    json_output: JsonOption = False,
) -> None:
    """Show a published pipeline: its steps, its parameters, and where to POST to run it."""
    with connect(home, workspace) as target:
        found = find_pipeline(target, pipeline)
    if json_output:
        print_json(found)
        return
    print_facts(
        {
            "name": found["name"],
            "id": found["id"],
            "description": found["description"],
            "version": found["version"],
            "status": found["status"],
            "tags": _tags(found["tags"]),
            "published": f"{moment(found['created_at'])} by {found['created_by']}",
            "steps": ", ".join(found["steps"]),
            "endpoint": found["endpoint"],
            "page": found["url"],
        }
    )
    if found["parameters"]:
        typer.echo()
        rows = [(each["name"], each["type"], _default(each["default"])) for each in found["parameters"]]
        print_table(("parameter", "type", "default"), rows)


def _tags(tags: dict[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in tags.items())


def _default(value: Any) -> str:
    """A default as it is written on the command line."""
    if isinstance(value, dict) and value.get("kind") == "path":
        return f"{value['location']['datastore']}/{value['location']['path']}"
    return str(value)


@app.command()
def enable(
    pipeline: PipelineArgument,
    home: HomeOption = None,
    workspace: WorkspaceOption = None,
    json_output: JsonOption = False,
) -> None:
    """Let a published pipeline be run."""
    _set_status(pipeline, "Active", home, workspace, json_output)


@app.command()
def disable(
    pipeline: PipelineArgument,
    home: HomeOption = None,
    workspace: WorkspaceOption = None,
    json_output: JsonOption = False,
) -> None:
    """Refuse new runs of a published pipeline; those under way go on."""
    _set_status(pipeline, "Disabled", home, workspace, json_output)


def _set_status(pipeline: str, status: str, home: Any, workspace: str | None, json_output: bool) -> None:
    with connect(home, workspace) as target:
        found = find_pipeline(target, pipeline)
        changed = target.client.update_pipeline(target.workspace, found["id"], {"status": status})
    if json_output:
        print_json(changed)
    else:
        typer.echo(f"published pipeline {changed['name']}, id {changed['id']}: {changed['status']}")
