"""Runs one attempt of a transfer, with its log and its end: done, failed, canceled or out of time."""

from __future__ import annotations

import tempfile
import threading
import time
from pathlib import Path

from airloom.errors import AirloomError, StepFailed
from airloom.graph.results import OutputRef
from airloom.runner.artifacts import Artifacts
from airloom.storage.workspace import WorkspaceStore
from airloom.transfer.engine import Say
from airloom.transfer.transfer import Transfer, TransferSpec


class TransferRun:
    """One attempt. `on_line` gets each line of its log."""

    def __init__(self, workspace: WorkspaceStore, spec: TransferSpec, on_line: Say) -> None:
        self._workspace, self._spec, self._on_line = workspace, spec, on_line
        self._canceled = threading.Event()
        self._started = time.monotonic()

    def cancel(self) -> None:
        """End the transfer soon; `run` then raises StepFailed. Returns at once, may come from any thread or signal."""
        self._canceled.set()

    def run(self) -> dict[str, OutputRef]:
        """Move the data; the outputs by port. Raises StepFailed, or another AirloomError."""
        with (
            tempfile.TemporaryDirectory(prefix="airloom-transfer-") as folder,
            Artifacts(self._workspace, self._spec, Path(folder)) as artifacts,
        ):

            def say(text: str) -> None:
                for line in text.splitlines():
                    artifacts.write("job", line)
                    self._on_line(line)

            say(f"step {self._spec.step_name!r} ({self._spec.step_id}), attempt {self._spec.attempt}")
            try:
                outputs = Transfer(self._workspace, self._spec, self._check, say).run()
            except BaseException as error:
                say(f"failed: {error}" if isinstance(error, AirloomError) else f"failed: {error!r}")
                raise
            say("done")
            return outputs

    def _check(self) -> None:
        name, limit = self._spec.step_name, self._spec.timeout_seconds
        if self._canceled.is_set():
            raise StepFailed(f"Step {name!r} was canceled.", target=name)
        if limit is not None and time.monotonic() - self._started > limit:
            raise StepFailed(
                f"Step {name!r} took longer than its {limit} seconds.",
                hint="Raise timeout_seconds. A further attempt goes on where this one ended.",
                target=name,
            )
