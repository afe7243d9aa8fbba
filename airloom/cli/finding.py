"""Which published pipeline, endpoint, schedule or draft is meant, and their names for the shell's completion."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Annotated, Any

import typer

from airloom.cli.connection import LENGTH_OF_ID, SHORTEST_PREFIX, Target, connect

JsonObject = dict[str, Any]
Listing = Callable[[Target], list[JsonObject]]


def all_pipelines(target: Target) -> list[JsonObject]:
    """The published pipelines, the newest first, also disabled ones."""
    return target.client.list_pipelines(target.workspace, active_only=False)


def all_endpoints(target: Target) -> list[JsonObject]:
    """The endpoints, also disabled ones."""
    return target.client.list_endpoints(target.workspace, active_only=False)


def all_schedules(target: Target) -> list[JsonObject]:
    """The schedules, also disabled ones."""
    return target.client.list_schedules(target.workspace, active_only=False)


def all_drafts(target: Target) -> list[JsonObject]:
    """The drafts, the newest first."""
    return target.client.list_drafts(target.workspace)


def find_pipeline(target: Target, asked: str) -> JsonObject:
    """The published pipeline with this id, or whose id begins so, or the newest one of this name, active if any is."""
    if _is_id(asked):
        return target.client.get_pipeline(target.workspace, asked)
    found = sorted(all_pipelines(target), key=lambda each: each["status"] != "Active")
    return _choose(found, asked, "published pipeline", "airloom pipelines list --all")


def find_endpoint(target: Target, asked: str) -> JsonObject:
    """The endpoint with this id, or whose id begins so, or of this name."""
    if _is_id(asked):
        return target.client.get_endpoint(target.workspace, asked)
    return _choose(all_endpoints(target), asked, "endpoint", "airloom endpoints list --all")


def find_schedule(target: Target, asked: str) -> JsonObject:
    """The schedule with this id, or whose id begins so, or of this name."""
    if _is_id(asked):
        return target.client.get_schedule(target.workspace, asked)
    return _choose(all_schedules(target), asked, "schedule", "airloom schedules list --all")


def find_draft(target: Target, asked: str) -> JsonObject:
    """The draft with this id, or whose id begins so, or the newest one of this name."""
    if _is_id(asked):
        return target.client.get_draft(target.workspace, asked)
    return _choose(all_drafts(target), asked, "draft", "airloom drafts list")


def _is_id(asked: str) -> bool:
    return len(asked) == LENGTH_OF_ID and asked.count("-") == 4


def _choose(things: list[JsonObject], asked: str, what: str, lister: str) -> JsonObject:
    for thing in things:
        if thing["name"] == asked:
            return thing
    beginning = [thing for thing in things if len(asked) >= SHORTEST_PREFIX and thing["id"].startswith(asked)]
    if len(beginning) == 1:
        return beginning[0]
    from airloom.errors import NotFound
    from airloom.graph.suggest import did_you_mean

    if beginning:
        raise NotFound(
            f"{len(beginning)} {what}s have an id that begins with {asked!r}.", hint=f"`{lister}` shows them."
        )
    near = did_you_mean(asked, [thing["name"] for thing in things])
    raise NotFound(f"There is no {what} {asked!r}.", hint=f"{near} `{lister}` shows them all.", target=asked)


def _completion(listing: Listing) -> Callable[[str], list[tuple[str, str]]]:
    """What a shell offers: names that begin so, with a word on each; nothing if the server cannot be asked."""

    def complete(incomplete: str) -> list[tuple[str, str]]:
        try:
            with connect(None, os.environ.get("AIRLOOM_WORKSPACE")) as target:
                things = listing(target)
        except Exception:
            return []
        words = {thing["name"]: thing.get("description") or thing.get("status") or "" for thing in reversed(things)}
        return [(name, word) for name, word in words.items() if name.startswith(incomplete)]

    return complete


complete_pipeline = _completion(all_pipelines)
complete_endpoint = _completion(all_endpoints)
complete_schedule = _completion(all_schedules)


def _argument(metavar: str, what: str, listing: Listing) -> Any:
    return typer.Argument(
        metavar=metavar,
        autocompletion=_completion(listing),
        help=f"{what}: its name, its id, or the beginning of that.",
    )


PipelineArgument = Annotated[str, _argument("PIPELINE", "A published pipeline", all_pipelines)]
EndpointArgument = Annotated[str, _argument("ENDPOINT", "An endpoint", all_endpoints)]
ScheduleArgument = Annotated[str, _argument("SCHEDULE", "A schedule", all_schedules)]
DraftArgument = Annotated[str, _argument("DRAFT", "A draft", all_drafts)]
