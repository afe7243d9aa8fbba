"""How the failure of one step ends the others of its run, unless the pipeline asked to continue.

Airflow's own `fail_fast` cannot serve: it skips the steps that have not started, and a run whose last steps are all
skipped counts as a success. So the step that fails leaves a mark in the store; steps that are about to start look for
it, and those that run watch for it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from airloom.errors import IntegrityError, NotFound, StoreUnavailable
from airloom.execution.step import RunInfo
from airloom.storage.envelope import seal, unseal
from airloom.storage.paths import slug
from airloom.storage.workspace import WorkspaceStore

WATCH_SECONDS = 0.5
UNKNOWN_STEP = "(unknown)"
"""Stands for the failed step where the mark of a run cannot be read."""

log = logging.getLogger(__name__)


class RunStop:
    """The mark of one run. A run that is started again, by clearing its tasks, has a mark of its own."""

    def __init__(self, workspace: WorkspaceStore, run: RunInfo, *, enabled: bool) -> None:
        self._store = workspace.store
        self._key = workspace.key("runs", run.run_id, f"stopped-{slug(run.started_at)}")
        self._enabled = enabled

    def announce(self, step_id: str) -> None:
        """Let the other steps of the run end, because this one failed."""
        if self._enabled:
            self._store.put_if_absent(self._key, seal({"mark": self._key, "step": step_id}))

    def announced_by(self) -> str | None:
        """The id of the step whose failure ends the run, or None. A damaged mark still ends the run."""
        if not self._enabled:
            return None
        try:
            body = unseal(self._store.get(self._key), "The mark")
        except NotFound:
            return None
        except IntegrityError:
            return UNKNOWN_STEP
        return str(body["step"]) if body.get("mark") == self._key else UNKNOWN_STEP

    @contextmanager
    def watched(self, on_stop: Callable[[], None]) -> Iterator[None]:
        """Call `on_stop`, once and from another thread, if the run is stopped while the block lasts."""
        done = threading.Event()

        def watch() -> None:
            while not done.wait(WATCH_SECONDS):
                try:
                    stopped = self.announced_by() is not None
                except (OSError, StoreUnavailable) as error:
                    log.warning("Whether the run was stopped cannot be told now: %s", error)
                    continue
                if stopped:
                    on_stop()
                    return

        thread = threading.Thread(target=watch, name="run-stop", daemon=True)
        if self._enabled:
            thread.start()
        try:
            yield
        finally:
            done.set()
