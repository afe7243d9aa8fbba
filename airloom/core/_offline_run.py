"""What `Run.get_context()` gives outside a step, so that scripts can be tried out by hand."""

from __future__ import annotations

import uuid
from typing import Any

from airloom.core._console import say


class OfflineRun:
    """Stands for a run where there is none: metrics and tags are printed, nothing is sent."""

    def __init__(self) -> None:
        self.id = f"OfflineRun_{uuid.uuid4()}"
        self.input_datasets: dict[str, Any] = {}
        self.output_datasets: dict[str, Any] = {}
        self._tags: dict[str, str] = {}
        self._metrics: dict[str, list[Any]] = {}

    @property
    def run_id(self) -> str:
        """Id of the run; begins with `OfflineRun`."""
        return self.id

    def log(self, name: str, value: Any, description: str = "", step: int | None = None) -> None:
        """A value of a metric."""
        self._note("metric", name, value)

    def log_list(self, name: str, value: list[Any], description: str = "") -> None:
        """A list of values of a metric."""
        self._note("list", name, value)

    def log_row(self, name: str, description: str | None = None, **kwargs: Any) -> None:
        """A row of a table; the columns are the keywords."""
        self._note("row", name, kwargs)

    def log_table(self, name: str, value: dict[str, Any], description: str = "") -> None:
        """A table, as columns by name."""
        self._note("table", name, value)

    def log_image(self, name: str, path: str | None = None, plot: Any = None, description: str = "") -> None:
        """A picture, from a file or a matplotlib plot."""
        self._note("image", name, path or plot)

    def get_metrics(self, name: str | None = None) -> dict[str, Any]:
        """What was logged: a value, or a list of them if there were several under one name."""
        found = {key: values[0] if len(values) == 1 else values for key, values in self._metrics.items()}
        return found if name is None else {key: value for key, value in found.items() if key == name}

    def tag(self, key: str, value: str | None = None) -> None:
        """Add one tag."""
        self._tags[key] = "" if value is None else str(value)
        say(f"Tag {key}: {self._tags[key]}")

    def set_tags(self, tags: dict[str, str]) -> None:
        """Add tags."""
        for key, value in tags.items():
            self.tag(key, value)

    def get_tags(self) -> dict[str, str]:
        """The tags that were added."""
        return dict(self._tags)

    @property
    def tags(self) -> dict[str, str]:
        """The tags that were added."""
        return dict(self._tags)

    def flush(self, timeout_seconds: float = 300) -> None:
        """Everything is out already."""

    def complete(self) -> None:
        """The end of the script is the end of the run."""

    def _note(self, kind: str, name: str, value: Any) -> None:
        self._metrics.setdefault(name, []).append(value)
        say(f"Logged {kind} {name}: {value}")
