"""NAME=VALUE on the command line: parameters of pipelines, and tags."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Annotated, Any

import typer


class Reuse(StrEnum):
    """What to do about steps whose outputs exist already."""

    auto = "auto"
    off = "off"
    refresh = "refresh"


ParamOption = Annotated[
    list[str] | None,
    typer.Option("--param", "-p", metavar="NAME=VALUE", help="Set a pipeline parameter; may be given repeatedly."),
]
TagOption = Annotated[
    list[str] | None, typer.Option("--tag", "-t", metavar="NAME=VALUE", help="Add a tag; may be given repeatedly.")
]
ReuseOption = Annotated[
    Reuse,
    typer.Option(
        "--reuse", help="`auto` reuses unchanged steps, `off` runs all, `refresh` runs all and replaces what is kept."
    ),
]
WaitOption = Annotated[bool, typer.Option("--wait", help="Wait for the end; exit with 1 unless it is Finished.")]
GoOnOption = Annotated[
    bool | None,
    typer.Option(
        "--continue-on-step-failure/--stop-on-step-failure",
        show_default="as the pipeline has it",
        help="After a failed step, go on with those that do not depend on it, or end.",
    ),
]


def pairs(entries: Iterable[str] | None, option: str = "--param") -> dict[str, str]:
    """Names and values of options of the form NAME=VALUE."""
    return dict(_split(entry, option) for entry in entries or ())


def _split(entry: str, option: str) -> tuple[str, str]:
    name, equals, value = entry.partition("=")
    if not (name and equals):
        raise typer.BadParameter(f"{entry!r} is not of the form NAME=VALUE.", param_hint=option)
    return name, value


def typed(values: Mapping[str, str], types: Mapping[str, str]) -> dict[str, Any]:
    """Values as their parameters' types ask: text as it is, paths as DATASTORE/PATH, the rest as YAML reads it.

    `types` maps names of parameters to their types. A text that begins with `@` stays: schedules work it out.
    """
    return {name: _typed(value, types.get(name)) for name, value in values.items()}


def _typed(value: str, kind: str | None) -> Any:
    import yaml

    if kind == "string" or value.startswith("@"):
        return value
    if kind == "datapath" and not value.lstrip().startswith("{"):
        datastore, _, path = value.partition("/")
        return {"kind": "path", "location": {"datastore": datastore, "path": path}}
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise typer.BadParameter(f"{value!r} is not a value that YAML can read: {error}") from error


def types_of(pipeline: Mapping[str, Any]) -> dict[str, str]:
    """The types of the parameters of a published pipeline, by name."""
    return {parameter["name"]: parameter["type"] for parameter in pipeline["parameters"]}
