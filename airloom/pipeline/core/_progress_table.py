"""The state of a pipeline run as a table: for terminals, for plain text, for notebooks."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from rich.table import Table

HEADINGS = ("Step", "Status", "Seconds", "Why")
_COLOURS = {"Finished": "green", "Reused": "cyan", "Failed": "red", "Running": "yellow", "Canceled": "magenta"}
_HTML_COLOURS = {"Finished": "#2e7d32", "Reused": "#00838f", "Failed": "#c62828", "Running": "#b26a00"}


class Row(NamedTuple):
    """One step. `status` is Reused for a step whose earlier outputs are used; `note` says why it ran or did not."""

    name: str
    status: str
    seconds: str
    note: str


def row_of(step: Mapping[str, Any], now: datetime | None = None) -> Row:
    """The row of a step as the server describes it."""
    reused = bool(step["reused"]) and step["status"] == "Finished"
    note = str(step.get("reason") or "")
    origin = step.get("reused_from")
    if reused and origin and origin["run_id"] not in note:
        note = f"Reused from run {origin['run_id']}. {note}".strip()
    return Row(str(step["name"]), "Reused" if reused else str(step["status"]), _seconds(step, now), note)


def _seconds(step: Mapping[str, Any], now: datetime | None) -> str:
    if step["reused"]:
        return ""
    seconds = step.get("seconds")
    if seconds is None and step.get("started_at") and step["status"] == "Running":
        started = datetime.fromisoformat(str(step["started_at"]))
        seconds = max(0.0, ((now or datetime.now(UTC)) - started).total_seconds())
    return "" if seconds is None else f"{float(seconds):.1f}"


def summary(run: Mapping[str, Any]) -> str:
    """One line about the run."""
    return f"Run {run['id']}: {run['status']}"


def text_table(run: Mapping[str, Any], rows: Sequence[Row]) -> str:
    """The table in plain text, without colours."""
    widths = [max(len(row[column]) for row in [HEADINGS, *rows]) for column in range(3)]
    lines = [summary(run)]
    for row in [HEADINGS, *rows]:
        cells = [cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True)]
        lines.append("  ".join([*cells, row[3]]).rstrip())
    return "\n".join(lines)


def rich_table(run: Mapping[str, Any], rows: Sequence[Row]) -> Table:
    """The table for a terminal."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=summary(run), title_justify="left", expand=False)
    for heading in HEADINGS:
        table.add_column(heading, justify="right" if heading == "Seconds" else "left")
    for row in rows:
        # Text, not markup: names and messages come from users and may hold brackets.
        table.add_row(Text(row.name), Text(row.status, _COLOURS.get(row.status, "")), row.seconds, Text(row.note))
    return table


def html_table(run: Mapping[str, Any], rows: Sequence[Row]) -> str:
    """The table for a notebook. Everything in it is escaped."""
    head = "".join(f"<th style='text-align:left'>{heading}</th>" for heading in HEADINGS)
    body = "".join(f"<tr>{_html_cells(row)}</tr>" for row in rows)
    url = str(run.get("url") or "")
    link = f" <a href='{html.escape(url)}' target='_blank'>Open in Airflow</a>" if _is_web(url) else ""
    title = f"<b>{html.escape(summary(run))}</b>{link}"
    return f"<div>{title}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def _html_cells(row: Row) -> str:
    colour = _HTML_COLOURS.get(row.status, "inherit")
    name, status, seconds, note = (html.escape(cell) for cell in row)
    return (
        f"<td style='text-align:left'>{name}</td><td style='text-align:left;color:{colour}'>{status}</td>"
        f"<td>{seconds}</td><td style='text-align:left'>{note}</td>"
    )


def _is_web(url: str) -> bool:
    return url.startswith(("http://", "https://"))
