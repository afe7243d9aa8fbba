"""Checks of a step that copies data: one source, one destination, and what may go from one to the other."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from airloom.graph._check_values import GraphProblem, problem
from airloom.graph.model import DataTransferSettings, Step
from airloom.graph.suggest import did_you_mean


def check_transfer(step: Step, settings: DataTransferSettings, datastores: Collection[str]) -> Iterator[GraphProblem]:
    """All problems of what a transfer reads and writes, beside those of its ports."""
    rows, table = settings.rows, settings.table
    yield from _check_one(step, "source", "rows", len(step.inputs), rows is not None)
    yield from _check_one(step, "destination", "table", len(step.outputs), table is not None)
    for place in (rows, table):
        if place is not None:
            yield from _check_datastore(step, place.datastore, datastores)
    if rows is not None and len([text for text in (rows.table, rows.query) if text and text.strip()]) != 1:
        message = f"Step '{step.id}' must read either a table or the rows of a query."
        yield problem("BadTransfer", message, step, "rows", "Give one of them.")
    if table is not None and not table.table.strip():
        message = f"Step '{step.id}' writes to a table without a name."
        yield problem("BadTransfer", message, step, "table", "Name it, such as 'sales' or 'public.sales'.")
    for port in step.outputs:
        if not port.destination:
            message = f"Step '{step.id}' does not say where its output '{port.name}' goes."
            hint = "Give the path on the datastore; its root cannot be replaced."
            yield problem("BadTransfer", message, step, f"output {port.name}", hint)


def _check_one(step: Step, what: str, key: str, ports: int, in_database: bool) -> Iterator[GraphProblem]:
    if ports + in_database != 1:
        message = f"Step '{step.id}' has {ports + in_database} {what}s, but copies from one place to one."
        port = "input" if what == "source" else "output"
        yield problem("BadTransfer", message, step, what, f"Give one {port}, or '{key}' of a database.")


def _check_datastore(step: Step, name: str, datastores: Collection[str]) -> Iterator[GraphProblem]:
    if name not in datastores:
        message = f"Step '{step.id}' uses the datastore '{name}', which the workspace does not have."
        yield problem("UnknownDatastore", message, step, "", did_you_mean(name, datastores))
