"""`airloom drafts`: pipelines kept on the server while they are edited and tried."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from airloom.cli.connection import HomeOption, Target, WorkspaceOption, complete_run, connect, find_run
from airloom.cli.finding import DraftArgument, complete_pipeline, find_draft, find_pipeline
from airloom.cli.follow import wait_for_run
from airloom.cli.output import JsonOption, conclude, group, moment, print_facts, print_json, print_table
from airloom.cli.parameters import ParamOption, TagOption, WaitOption, pairs, typed
from airloom.cli.publish import pipeline_of_file

app = group("Drafts: pipelines kept on the server while they are edited and tried.")

FileOption = Annotated[
    Path | None,
    typer.Option("--file", "-f", exists=True, dir_okay=False, help="Its pipeline, from a YAML file."),
]


@app.command("list")
def list_(
    tag: TagOption = None,
    home: HomeOption = None,
    workspace: WorkspaceOption = None,
    json_output: JsonOption = False,
) -> None:
    """List the drafts that have all the tags, the newest first."""
    wanted = [f"{name}:{value}" for name, value in pairs(tag, "--tag").items()]
    with connect(home, workspace) as target:
        found = target.client.list_drafts(target.workspace, wanted)
    if json_output:
        print_json(found)
        return
    rows = [(each["name"], each["experiment"], moment(each["modified_at"]), each["id"]) for each in found]
    if rows:
        print_table(("draft", "experiment", "changed", "id"), rows)
    else:
        typer.echo("No drafts. Make one with `airloom drafts create NAME --file FILE --experiment NAME`.")


@app.command()
def show(
    draft: DraftArgument, home: HomeOption = None, workspace: WorkspaceOption = None, json_output: JsonOption = False
) -> None:
    """Show a draft: where it comes from, its parameters, and its last run."""
    with connect(home, workspace) as target:
        found = find_draft(target, draft)
    if json_output:
        print_json(found)
        return
    parents = (found["parent_pipeline_id"], found["parent_run_id"], found["parent_draft_id"])
    print_facts(
        {
            "name": found["name"],
            "id": found["id"],
            "description": found["description"],
            "experiment": found["experiment"],
            "parameters": ", ".join(f"{name}={value}" for name, value in found["parameters"].items()),
            "tags": ", ".join(f"{name}={value}" for name, value in found["tags"].items()),
            "made from": " ".join(parent for parent in parents if parent),
            "last run": found["last_submitted_run_id"] or "",
            "changed": moment(found["modified_at"]),
        }
    )


@app.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of the draft.")],
    file: FileOption = None,
    pipeline: Annotated[
        str | None,
        typer.Option("--pipeline", autocompletion=complete_pipeline, help="Make it from a published pipeline."),
    ] = None,
    run: Annotated[
        str | None, typer.Option("--run", autocompletion=complete_run, help="Make it from a run, or `last`.")
    ] = None,
    draft: Annotated[str | None, typer.Option("--draft", help="Make it from another draft.")] = None,
    experiment: Annotated[str | None, typer.Option("--experiment", "-e", help="The experiment of its runs.")] = None,
    description: Annotated[str | None, typer.Option("--description", help="What it is for.")] = None,
    param: ParamOption = None,
    tag: TagOption = None,
    home: HomeOption = None,
    workspace: WorkspaceOption = None,
    json_output: JsonOption = False,
) -> None:
    """Create a draft from a file, a published pipeline, a run or another draft."""
    if [file, pipeline, run, draft].count(None) != 3:
        raise typer.BadParameter("Give one of --file, --pipeline, --run and --draft: what the draft is made from.")
    if file and not experiment:
        raise typer.BadParameter("A draft from a file needs an --experiment.")
    with connect(home, workspace) as target:
        body = _source(target, file, pipeline, run, draft)
        body |= _given(name, description, experiment, tag)
        made = target.client.create_draft(target.workspace, body)
        if param:
            values = {"parameters": _parameters(target, made["id"], param)}
            made = target.client.update_draft(target.workspace, made["id"], values)
    _tell(made, json_output)


def _source(
    target: Target, file: Path | None, pipeline: str | None, run: str | None, draft: str | None
) -> dict[str, Any]:
    if file:
        return {"graph": pipeline_of_file(target, file)}
    if pipeline:
        return {"pipeline_id": find_pipeline(target, pipeline)["id"]}
    if run:
        return {"run_id": find_run(target, run)["id"]}
    return {"draft_id": find_draft(target, str(draft))["id"]}


def _given(name: str | None, description: str | None, experiment: str | None, tag: list[str] | None) -> dict[str, Any]:
    tags = pairs(tag, "--tag") or None
    fields = {"name": name, "description": description, "experiment": experiment, "tags": tags}
    return {key: value for key, value in fields.items() if value is not None}


def _parameters(target: Target, draft_id: str, param: list[str]) -> dict[str, Any]:
    """The values, typed as the draft's own graph asks."""
    graph = target.client.get_draft_graph(target.workspace, draft_id)
    return typed(pairs(param), {each["name"]: each["type"] for each in graph.get("parameters", ())})


@app.command()
def update(
    draft: DraftArgument,
    file: FileOption = None,
    name: Annotated[str | None, typer.Option("--name", help="Another name.")] = None,
    experiment: Annotated[str | None, typer.Option("--experiment", "-e", help="Another experiment.")] = None,
    description: Annotated[str | None, typer.Option("--description", help="Another description.")] = None,
    param: ParamOption = None,
    tag: TagOption = None,
    home: HomeOption = None,
    workspace: WorkspaceOption = None,
    json_output: JsonOption = False,
) -> None:
    """Change what is given: parameters and tags as a whole, its pipeline with --file; the rest stays."""
    with connect(home, workspace) as target:
        draft_id = find_draft(target, draft)["id"]
        changes = _given(name, description, experiment, tag)
        if file:
            changes["graph"] = pipeline_of_file(target, file)
        changed = target.client.update_draft(target.workspace, draft_id, changes)
        if param:
            values = {"parameters": _parameters(target, draft_id, param)}
            changed = target.client.update_draft(target.workspace, draft_id, values)
    _tell(changed, json_output)


@app.command()
def run(
    draft: DraftArgument,
    wait: WaitOption = False,
    home: HomeOption = None,
    workspace: WorkspaceOption = None,
    json_output: JsonOption = False,
) -> None:
    """Run a draft as it is now, and print the run."""
    with connect(home, workspace) as target:
        started = target.client.run_draft(target.workspace, find_draft(target, draft)["id"])
        if wait:
            started = wait_for_run(target, started["id"])
    conclude(started, wait, json_output)


@app.command()
def publish(
    draft: DraftArgument, home: HomeOption = None, workspace: WorkspaceOption = None, json_output: JsonOption = False
) -> None:
    """Publish a draft as it is now, under its name."""
    with connect(home, workspace) as target:
        made = target.client.publish_draft(target.workspace, find_draft(target, draft)["id"])
    if json_output:
        print_json(made)
    else:
        typer.echo(f"published pipeline {made['name']}, id {made['id']}")
        typer.echo(f"run it with `airloom run {made['name']}`, or POST to {made['endpoint']}")


@app.command()
def delete(
    draft: DraftArgument, home: HomeOption = None, workspace: WorkspaceOption = None, json_output: JsonOption = False
) -> None:
    """Remove a draft; what was submitted and published from it stays."""
    with connect(home, workspace) as target:
        found = find_draft(target, draft)
        target.client.delete_draft(target.workspace, found["id"])
    if json_output:
        print_json({"deleted": found["id"]})
    else:
        typer.echo(f"draft {found['name']}, id {found['id']}: deleted")


def _tell(draft: dict[str, Any], json_output: bool) -> None:
    if json_output:
        print_json(draft)
    else:
        typer.echo(f"draft {draft['name']}, id {draft['id']}")
        typer.echo(f"try it with `airloom drafts run {draft['name']}`")
