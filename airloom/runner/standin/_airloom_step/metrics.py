"""Metrics: logging them, and putting them together as the SDK returns them."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterable
from io import BytesIO
from typing import Any

from .errors import UserErrorException
from .journal import METRICS, Journal, number


class MetricLog:
    """The side of a run that logs metrics."""

    id: str
    _journal: Journal

    def log(self, name: str, value: Any, description: str = "", step: int | None = None) -> None:
        """Log a number or text; several of one name make a series."""
        self._log("scalar", name, value, description, step=step)

    def log_list(self, name: str, value: Iterable[Any], description: str = "") -> None:
        """Log a list of numbers or texts."""
        self._log("list", name, list(value), description)

    def log_row(self, name: str, description: str | None = None, **kwargs: Any) -> None:
        """Log one row of a table; the keyword arguments are its cells."""
        self._log("row", name, kwargs, description)

    def log_table(self, name: str, value: dict[str, Any], description: str = "") -> None:
        """Log a whole table: column names and their values."""
        self._log("table", name, value, description)

    def log_confusion_matrix(self, name: str, value: Any, description: str = "") -> None:
        """Log a confusion matrix in the SDK's JSON form."""
        self._log("confusion_matrix", name, _document(value), description)

    def log_accuracy_table(self, name: str, value: Any, description: str = "") -> None:
        """Log an accuracy table in the SDK's JSON form."""
        self._log("accuracy_table", name, _document(value), description)

    def log_residuals(self, name: str, value: Any, description: str = "") -> None:
        """Log a histogram of residuals in the SDK's JSON form."""
        self._log("residuals", name, _document(value), description)

    def log_predictions(self, name: str, value: Any, description: str = "") -> None:
        """Log predictions in the SDK's JSON form."""
        self._log("predictions", name, _document(value), description)

    def log_image(self, name: str, path: str | None = None, plot: Any = None, description: str = "") -> None:
        """Log an image file, or a figure of matplotlib."""
        if (path is None) == (plot is None):
            raise UserErrorException("log_image takes either path or plot.")
        suffix = ".png" if path is None else os.path.splitext(path)[1]
        artifact = "images/{}_{}{}".format(name.replace("/", "_"), uuid.uuid4().hex[:12], suffix)
        if path is not None:
            self._journal.save(artifact, path)
        else:
            picture = BytesIO()
            plot.savefig(picture, format="png")
            picture.seek(0)
            self._journal.save(artifact, picture)
        self._log("image", name, artifact, description)

    def get_metrics(self, name: str | None = None, **kwargs: Any) -> dict[str, Any]:
        """What was logged on this run so far."""
        metrics = collect(entry for entry in self._journal.read(METRICS) if entry["run"] == self.id)
        return metrics if name is None else {key: value for key, value in metrics.items() if key == name}

    def _log(self, kind: str, name: str, value: Any, description: str | None, step: int | None = None) -> None:
        entry = {"run": self.id, "type": kind, "name": name, "value": value}
        if step is not None:
            entry["step"] = step
        if description:
            entry["description"] = description
        self._journal.append(METRICS, entry)


def collect(entries: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Metrics by name: a single value as such, a repeated one as a list, rows as columns."""
    logged: dict[str, list[dict[str, Any]]] = {}
    for entry in entries:
        logged.setdefault(entry["name"], []).append(entry)
    return {name: _combine(same) for name, same in logged.items()}


def _combine(entries: list[dict[str, Any]]) -> Any:
    values = [number(entry["value"]) for entry in entries]
    kind = entries[-1]["type"]
    if kind == "list":
        return [item for value in values if isinstance(value, list) for item in value]
    if kind == "row" and len(values) > 1:
        columns: dict[str, list[Any]] = {}
        for row in values:
            for column, cell in row.items():
                columns.setdefault(column, []).append(cell)
        return columns
    return values[0] if len(values) == 1 else values


def _document(value: Any) -> Any:
    """The SDK takes these metrics as a dictionary or as its JSON."""
    return json.loads(value) if isinstance(value, str) else value
