"""`airloom datasets`: names for data, with versions that pin their content."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from airloom.cli.connection import HomeOption, WorkspaceOption, connect
from airloom.cli.output import JsonOption, group, moment, print_facts, print_json, print_table
from airloom.cli.parameters import TagOption, pairs

app = group("Register data under names, and tell whether it has changed since.")

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The name of the dataset.")]
VersionOption = Annotated[str, typer.Option("--version", help="A number.", show_default="the latest")]
PathsArgument = Annotated[
    list[str], typer.Argument(metavar="DATASTORE/PATH...", help="Files, folders or patterns such as blob/raw/*.csv.")
]
LATEST = "latest"


@app.command("list")
def list_datasets(home: HomeOption = None, workspace: WorkspaceOption = None, json_output: JsonOption = False) -> None:
    """List the registered datasets, by name."""
    with connect(home, workspace) as target:
        _show_many(target.client.list_datasets(target.workspace), json_output)


@app.command()
def versions(
    name: NameArgument, home: HomeOption = None, workspace: WorkspaceOption = None, json_output: JsonOption = False
) -> None:
    """List the versions of a dataset, the newest first."""
    with connect(home, workspace) as target:
        _show_many(target.client.list_dataset_versions(target.workspace, name), json_output)


@app.command()
def show(
    name: NameArgument,
    version: VersionOption = LATEST,
    home: HomeOption = None,
    workspace: WorkspaceOption = None,
    json_output: JsonOption = False,
) -> None:
    """Show a version of a dataset: where its data lies, and what it consisted of."""
    with connect(home, workspace) as target:
        found = target.client.get_dataset_version(target.workspace, name, version)
    if json_output:
        print_json(found)
        return
    content = found["content"]
    made = f"run {found['run_id']}, step {found['step_id']}" if found["run_id"] else found["created_by"]
    facts = {
        "name": found["name"],
        "version": found["version"],
        "id": found["id"],
        "description": found["description"],
        "tags": ", ".join(f"{tag}={value}" for tag, value in found["tags"].items()),
        "kind": found["source"]["kind"],
        "paths": _paths(found),
        "files": f"{content['files']}, {content['size']} bytes",
        "digest": content["digest"],
        "registered": f"{moment(found['created_at'])} by {made}",
    }
    print_facts(facts)


@app.command()
def register(
    name: NameArgument,
    paths: PathsArgument,
    description: Annotated[str | None, typer.Option("--description", help="What it is.")] = None,
    tag: TagOption = None,
    new_version: Annotated[
        bool, typer.Option("--new-version", help="Add a version to a name that stands for other data.")
    ] = False,
    home: HomeOption = None,
    workspace: WorkspaceOption = None,
    json_output: JsonOption = False,
) -> None:
    """Register the files at some places on datastores under a name."""
    body = {
        "source": {"kind": "files", "locations": [_location(path) for path in paths]},
        "description": description,
        "tags": pairs(tag, "--tag") if tag else None,
        "create_new_version": new_version,
    }
    with connect(home, workspace) as target:
        made = target.client.register_dataset(target.workspace, name, body)
    if json_output:
        print_json(made)
        return
    typer.echo(f"dataset {made['name']}, version {made['version']}, id {made['id']}")
    typer.echo(f"{made['content']['files']} files, {made['content']['size']} bytes")


@app.command()
def check(
    name: NameArgument,
    version: VersionOption = LATEST,
    home: HomeOption = None,
    workspace: WorkspaceOption = None,
    json_output: JsonOption = False,
) -> None:
    """Tell whether the content of a dataset is still what was registered; exit with 1 if not."""
    with connect(home, workspace) as target:
        found = target.client.get_dataset_content(target.workspace, name, version)
    if json_output:
        print_json(found)
    else:
        typer.echo(f"{name}: {found['state']}")
        for what in ("added", "removed", "changed"):
            for path in found[what]:
                typer.echo(f"{what}  {path}")
    if found["state"] != "unchanged":
        raise typer.Exit(1)


@app.command()
def unregister(
    name: NameArgument,
    version: Annotated[
        str | None, typer.Option("--version", help="Only this version.", show_default="all versions")
    ] = None,
    home: HomeOption = None,
    workspace: WorkspaceOption = None,
    json_output: JsonOption = False,
) -> None:
    """Forget a dataset, or one version of it; the data stays."""
    with connect(home, workspace) as target:
        if version is None:
            target.client.unregister_dataset(target.workspace, name)
        else:
            target.client.unregister_dataset_version(target.workspace, name, version)
    if json_output:
        print_json({"name": name, "version": version})
    else:
        typer.echo(f"unregistered {name}" + (f", version {version}" if version is not None else ""))


def _show_many(found: list[dict[str, Any]], json_output: bool) -> None:
    if json_output:
        print_json(found)
        return
    rows = [
        (
            each["name"],
            each["version"],
            each["source"]["kind"],
            each["content"]["files"],
            each["content"]["size"],
            moment(each["created_at"]),
            _paths(each),
        )
        for each in found
    ]
    print_table(("dataset", "version", "kind", "files", "bytes", "registered", "paths"), rows)


def _paths(dataset: Mapping[str, Any]) -> str:
    return ", ".join(f"{place['datastore']}/{place['path']}" for place in dataset["source"]["locations"])


def _location(text: str) -> dict[str, str]:
    datastore, _, path = text.partition("/")
    return {"datastore": datastore, "path": path}
