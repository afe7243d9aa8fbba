"""`airloom endpoints`: stable names in front of published pipelines."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from airloom.cli.connection import HomeOption, Target, WorkspaceOption, connect
from airloom.cli.finding import EndpointArgument, PipelineArgument, find_endpoint, find_pipeline
from airloom.cli.output import AllOption, JsonOption, LimitOption, group, print_facts, print_json, print_table

app = group("Endpoints: stable names in front of published pipelines, their versions.")

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The name of the endpoint.")]


@app.command("list")
def list_(
    everything: AllOption = False,
    limit: LimitOption = 100,
    home: HomeOption = None,
    workspace: WorkspaceOption = None,
    json_output: JsonOption = False,
) -> None:
    """List endpoints, by name."""
    with connect(home, workspace) as target:
        found = target.client.list_endpoints(target.workspace, active_only=not everything, limit=limit)
    if json_output:
        print_json(found)
        return
    rows = [(e["name"], e["status"], e["default_version"], len(e["versions"]), e["id"]) for e in found]
    if rows:
        print_table(("endpoint", "status", "default", "versions", "id"), rows)
    else:
        typer.echo("No endpoints. Make one with `airloom endpoints create NAME PIPELINE`.")


@app.command()
def show(
    endpoint: EndpointArgument,
    home: HomeOption = None,
    workspace: WorkspaceOption = None,
    json_output: JsonOption = False,
) -> None:
    """Show an endpoint: its versions, and where to POST to run it."""
    with connect(home, workspace) as target:
        found = find_endpoint(target, endpoint)
        pipelines = [] if json_output else [_pipeline(target, each["pipeline_id"]) for each in found["versions"]]
    if json_output:
        print_json(found)
        return
    facts = {key: found[key] for key in ("name", "id", "description", "status", "endpoint")}
    print_facts(facts)
    typer.echo()
    rows = [
        (
            each["version"],
            "default" if each["version"] == found["default_version"] else "",
            pipeline["name"],
            pipeline["version"],
            pipeline["status"],
            pipeline["id"],
        )
        for each, pipeline in zip(found["versions"], pipelines, strict=True)
    ]
    print_table(("version", "", "pipeline", "its version", "status", "id"), rows)


def _pipeline(target: Target, pipeline_id: str) -> dict[str, Any]:
    return target.client.get_pipeline(target.workspace, pipeline_id)


@app.command()
def create(
    name: NameArgument,
    pipeline: PipelineArgument,
    description: Annotated[str, typer.Option("--description", help="What it is for.")] = "",
    home: HomeOption = None,
    workspace: WorkspaceOption = None,
    json_output: JsonOption = False,
) -> None:
    """Create an endpoint whose version 0, the default, is a published pipeline."""
    with connect(home, workspace) as target:
        body = {"name": name, "description": description, "pipeline_id": find_pipeline(target, pipeline)["id"]}
        _tell(target.client.create_endpoint(target.workspace, body), json_output)


@app.command()
def add(
    endpoint: EndpointArgument,
    pipeline: PipelineArgument,
    default: Annotated[bool, typer.Option("--default", help="Make it the default version.")] = False,
    home: HomeOption = None,
    workspace: WorkspaceOption = None,
    json_output: JsonOption = False,
) -> None:
    """Append a version to an endpoint."""
    with connect(home, workspace) as target:
        found = find_endpoint(target, endpoint)
        body = {"pipeline_id": find_pipeline(target, pipeline)["id"], "default": default}
        _tell(target.client.add_endpoint_version(target.workspace, found["id"], body), json_output)


@app.command("default")
def set_default(
    endpoint: EndpointArgument,
    version: Annotated[str, typer.Argument(metavar="VERSION", help="A version that the endpoint has.")],
    home: HomeOption = None,
    workspace: WorkspaceOption = None,
    json_output: JsonOption = False,
) -> None:
    """Make a version the default: callers and schedules take it from now on."""
    _change(endpoint, {"default_version": version}, home, workspace, json_output)


@app.command()
def rename(
    endpoint: EndpointArgument,
    name: NameArgument,
    home: HomeOption = None,
    workspace: WorkspaceOption = None,
    json_output: JsonOption = False,
) -> None:
    """Give an endpoint another name; its id and address stay."""
    _change(endpoint, {"name": name}, home, workspace, json_output)


@app.command()
def enable(
    endpoint: EndpointArgument,
    home: HomeOption = None,
    workspace: WorkspaceOption = None,
    json_output: JsonOption = False,
) -> None:
    """Let an endpoint be run."""
    _change(endpoint, {"status": "Active"}, home, workspace, json_output)


@app.command()
def disable(
    endpoint: EndpointArgument,
    home: HomeOption = None,
    workspace: WorkspaceOption = None,
    json_output: JsonOption = False,
) -> None:
    """Refuse new runs of an endpoint; those under way go on."""
    _change(endpoint, {"status": "Disabled"}, home, workspace, json_output)


@app.command()
def archive(
    endpoint: EndpointArgument,
    home: HomeOption = None,
    workspace: WorkspaceOption = None,
    json_output: JsonOption = False,
) -> None:
    """Disable an endpoint and free its name; `reactivate` takes this back, by the id."""
    with connect(home, workspace) as target:
        found = find_endpoint(target, endpoint)
        _tell(target.client.archive_endpoint(target.workspace, found["id"]), json_output)


@app.command()
def reactivate(
    endpoint: EndpointArgument,
    name: NameArgument,
    home: HomeOption = None,
    workspace: WorkspaceOption = None,
    json_output: JsonOption = False,
) -> None:
    """Let an archived endpoint be run again, under a name that is free."""
    with connect(home, workspace) as target:
        found = find_endpoint(target, endpoint)
        _tell(target.client.reactivate_endpoint(target.workspace, found["id"], name), json_output)


def _change(endpoint: str, changes: dict[str, str], home: Any, workspace: str | None, json_output: bool) -> None:
    with connect(home, workspace) as target:
        found = find_endpoint(target, endpoint)
        _tell(target.client.update_endpoint(target.workspace, found["id"], changes), json_output)


def _tell(endpoint: dict[str, Any], json_output: bool) -> None:
    if json_output:
        print_json(endpoint)
        return
    versions = ", ".join(each["version"] for each in endpoint["versions"])
    typer.echo(f"endpoint {endpoint['name']}, id {endpoint['id']}: {endpoint['status']}")
    typer.echo(f"versions {versions}; the default is {endpoint['default_version']}")
    typer.echo(f"POST to {endpoint['endpoint']}")
