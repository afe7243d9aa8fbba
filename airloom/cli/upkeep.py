"""`airloom gc` and `airloom verify`: free what is not needed any more, and check that all is what it was."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from airloom.cli.connection import HomeOption, WorkspaceOption, connect
from airloom.cli.output import JsonOption, console, print_json, print_table
from airloom.storage import disk_space

if TYPE_CHECKING:
    from airloom.client import OnProgress

_SECONDS = {"h": 3600, "d": 24 * 3600, "w": 7 * 24 * 3600}
_SHOWN_FINDINGS = 50


def gc(
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="AGE", help="Keep what was used within this time: 12h, 90d, 8w.")
    ] = "90d",
    max_size: Annotated[
        str | None,
        typer.Option(
            "--max-size",
            metavar="SIZE",
            show_default="no limit",
            help="Keep at most so much, such as 500MB or 50GB: what was used least recently goes first.",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be freed.")] = False,
    environments: Annotated[
        bool,
        typer.Option("--environments", help="Also free environments of steps in the cache folder of this machine."),
    ] = False,
    home: HomeOption = None,
    workspace: WorkspaceOption = None,
    json_output: JsonOption = False,
) -> None:
    """Free what was not used for long and what nothing refers to; safe beside running pipelines."""
    age = parse_age(older_than)
    body = {"older_than_seconds": age, "max_bytes": parse_size(max_size) if max_size else None, "dry_run": dry_run}
    with connect(home, workspace) as target, _progress() as show:
        report = target.client.collect_garbage(target.workspace, body, show)
    if environments:
        report["freed"]["environments"] = _free_environments(age, dry_run)
    if json_output:
        print_json(report)
    else:
        _tell_freed(report)


def verify(
    quarantine: Annotated[
        bool, typer.Option("--quarantine", help="Put aside what is damaged, and mend what can be mended.")
    ] = False,
    home: HomeOption = None,
    workspace: WorkspaceOption = None,
    json_output: JsonOption = False,
) -> None:
    """Read all records, outputs and pipelines again and check them against their digests; exit with 1 on damage."""
    with connect(home, workspace) as target, _progress() as show:
        report = target.client.verify(target.workspace, {"quarantine": quarantine}, show)
    if json_output:
        print_json(report)
    else:
        _tell_findings(report)
    if report["findings"]:
        raise typer.Exit(1)


# --- what people write ------------------------------------------------------------------------------------------


def parse_age(text: str) -> int:
    """Seconds in an age such as `90d`."""
    match = re.fullmatch(r"(\d+)([hdw])", text.strip())
    if match is None:
        raise typer.BadParameter(
            f"{text!r} is not an age. Write a whole number and h, d or w, such as 90d.", param_hint="--older-than"
        )
    seconds = int(match[1]) * _SECONDS[match[2]]
    if seconds < 2 * _SECONDS["h"]:
        raise typer.BadParameter("Nothing younger than 2h is ever taken.", param_hint="--older-than")
    return seconds


def parse_size(text: str) -> int:
    """Bytes in a size such as `50GB`; K, M, G and T are powers of a thousand, Ki to Ti of 1024."""
    try:
        return disk_space.parse_size(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--max-size") from None


# --- what people read -------------------------------------------------------------------------------------------


@contextmanager
def _progress() -> Iterator[OnProgress]:
    """A bar on standard error, if that is a terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    screen = console(err=True)
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task("asking the server", total=None)

        def show(progress: dict[str, Any]) -> None:
            bar.update(task, description=progress["phase"], completed=progress["done"], total=progress["total"])

        yield show


def _free_environments(age: int, dry_run: bool) -> dict[str, int]:
    from airloom.runner.environments import cache_folder
    from airloom.upkeep.environments import free_environments

    return free_environments(cache_folder(), age, dry_run=dry_run).model_dump()


def _tell_freed(report: dict[str, Any]) -> None:
    kinds = [
        kind
        for kind in {**report["kept"], **report["freed"]}
        if kind in report["freed"] or report["kept"][kind]["count"]
    ]
    rows = []
    for kind in kinds:
        freed, kept = report["freed"].get(kind), report["kept"].get(kind)
        rows.append((kind, *_tally(freed), *_tally(kept)))
    verb = "would be freed" if report["dry_run"] else "freed"
    if rows:
        print_table(("what", verb, "", "kept", ""), rows)
    total = sum(tally["bytes"] for tally in report["freed"].values())
    left = sum(tally["bytes"] for tally in report["kept"].values())
    typer.echo(f"{size(total)} {verb}, {size(left)} kept; the limit of age was {report['unused_since']}.")
    if report["max_bytes"] is not None and left > report["max_bytes"]:
        typer.echo(f"More than {size(report['max_bytes'])} are in use, or are younger than two hours.")
    for problem in report["problems"]:
        typer.secho("Left alone: ", fg=typer.colors.YELLOW, nl=False, err=True)
        typer.echo(problem, err=True)


def _tally(tally: dict[str, int] | None) -> tuple[str, str]:
    return (str(tally["count"]), size(tally["bytes"])) if tally else ("", "")


def _tell_findings(report: dict[str, Any]) -> None:
    print_table(("checked", "number", "size"), [(kind, *_tally(tally)) for kind, tally in report["checked"].items()])
    for finding in report["findings"][:_SHOWN_FINDINGS]:
        typer.secho(f"\n{finding['kind']} {finding['where']}", fg=typer.colors.RED, bold=True)
        for text in (finding["what"], finding["means"], finding["done"].capitalize() or finding["mend"]):
            typer.echo(f"  {text}")
    more = len(report["findings"]) - _SHOWN_FINDINGS
    if more > 0:
        typer.echo(f"\n... and {more} more; --json has all of them.")
    typer.echo()
    if report["findings"]:
        typer.secho(f"{len(report['findings'])} things are not as they were stored.", fg=typer.colors.RED)
    else:
        typer.secho("All is as it was stored.", fg=typer.colors.GREEN)


def size(count: int) -> str:
    """Bytes as people read them."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
