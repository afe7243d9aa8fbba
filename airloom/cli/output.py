"""How commands show things: tables and colours for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

AllOption = Annotated[bool, typer.Option("--all", "-a", help="Also those that are disabled.")]
LimitOption = Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="At most so many.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text for people.")]

PIPE_WIDTH = 1000
STYLES = {
    "Finished": "green",
    "Reused": "cyan",
    "Active": "green",
    "Disabled": "yellow",
    "Failed": "red",
    "Canceled": "yellow",
    "Running": "blue",
    "ok": "green",
    "warning": "yellow",
    "problem": "red",
    "healthy": "green",
    "starting": "yellow",
    "down": "red",
}


def print_json(data: Any) -> None:
    """Print data for programs."""
    typer.echo(json.dumps(data, indent=2, default=str, ensure_ascii=False))


def console(*, err: bool = False) -> Console:
    """The terminal. Nothing is read as markup, since what is shown comes from users."""
    from rich.console import Console

    screen = Console(stderr=err, markup=False, highlight=False, soft_wrap=True)
    if not screen.is_terminal:
        # What goes into a file or a pipe has no edge at which it would be cut.
        screen.width = PIPE_WIDTH
    return screen


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table without lines; words that are states get their colour. Long words are wrapped, never cut."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        cells = [str(cell) for cell in row]
        table.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in cells))
    console().print(table)


def print_facts(facts: Mapping[str, object]) -> None:
    """Print names and values below each other; those without a value are left out."""
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        if value != "":
            typer.echo(f"{name:<{width}}  {value}")


def print_runs(runs: Iterable[Mapping[str, Any]]) -> None:
    """Print a table of runs."""
    rows = [
        (
            run["id"],
            run["experiment"],
            run["status"],
            moment(run["created_at"]),
            duration(between(run["started_at"], run["ended_at"])),
        )
        for run in runs
    ]
    print_table(("run", "experiment", "status", "created", "duration"), rows)


def conclude(run: Mapping[str, Any], ended: bool, as_json: bool) -> None:
    """End a command that has started a run and perhaps waited for it: exit code 1 if the run did not finish well."""
    if as_json:
        print_json(run)
    else:
        _tell_run(run, ended)
    if ended and run["status"] != "Finished":
        raise typer.Exit(1)


def _tell_run(run: Mapping[str, Any], ended: bool) -> None:
    """Say what has become of a run."""
    if not ended:
        typer.echo(f"run {run['id']} of experiment {run['experiment']}: {run['status']}")
        typer.echo(f"follow it with `airloom logs {run['id']} --follow`, or at {run['url']}")
        return
    took = duration(between(run["started_at"], run["ended_at"]))
    typer.echo(f"run {run['id']} is {run['status']} after {took}")
    if run["error"]:
        typer.echo(run["error"]["message"], err=True)


def working(what: str) -> AbstractContextManager[object]:
    """Show on a terminal that something goes on that takes a moment."""
    return console(err=True).status(f"{what} ...")


def group(text: str) -> typer.Typer:
    """A command that has commands below it."""
    return typer.Typer(help=text, no_args_is_help=True, context_settings={"help_option_names": ["-h", "--help"]})


def moment(value: str | datetime | None) -> str:
    """A time as the user's clock shows it."""
    when = parse_time(value)
    return when.astimezone().strftime("%Y-%m-%d %H:%M:%S") if when else ""


def parse_time(value: str | datetime | None) -> datetime | None:
    """A time from JSON; one without a zone is UTC."""
    if not value:
        return None
    when = datetime.fromisoformat(value) if isinstance(value, str) else value
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def duration(seconds: float | None) -> str:
    """A duration for people: 0.4 s, 12 s, 3 min 5 s, 2 h 10 min."""
    if seconds is None:
        return ""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def between(start: str | None, end: str | None) -> float | None:
    """Seconds from start to end, or to now while there is no end."""
    begun = parse_time(start)
    if begun is None:
        return None
    return ((parse_time(end) or datetime.now(UTC)) - begun).total_seconds()
