"""Runs one attempt of one step, in a work folder that goes when the attempt ends."""

from __future__ import annotations

import os
import time
from pathlib import Path

from airloom.errors import AirloomError
from airloom.graph.results import OutputRef
from airloom.runner.artifacts import Artifacts
from airloom.runner.attempt import Attempt
from airloom.runner.commands import Commands
from airloom.runner.environments import cache_folder
from airloom.runner.process import OnLine
from airloom.runner.spec import StepOutcome, StepSpec
from airloom.runner.work_folder import WorkFolder
from airloom.storage.object_store import open_store
from airloom.storage.secrets import Secrets
from airloom.storage.workspace import WorkspaceStore

KEEP_WORK = "AIRLOOM_KEEP_WORK"
"""Set to 1, the work folder of a failed attempt is kept for inspection."""


def run_step(
    spec: StepSpec,
    *,
    on_line: OnLine,
    work_root: Path | None = None,
    cache_dir: Path | None = None,
    secrets: Secrets | None = None,
) -> StepOutcome:
    """Run a step to its end. See StepRunner."""
    return StepRunner(spec, on_line=on_line, work_root=work_root, cache_dir=cache_dir, secrets=secrets).run()


class StepRunner:
    """One attempt of a step.

    `on_line` gets each line of the streams `stdout` and `stderr` (the script) and `job` (what the runner does), in
    the thread that calls `run`. `work_root` is where the attempt's folder is made (default: the machine's folder for
    temporary files), `cache_dir` where environments are kept (default: AIRLOOM_CACHE_DIR, else the user's cache).
    `secrets` knows the connections of datastores (default: those in the environment).
    """

    def __init__(
        self,
        spec: StepSpec,
        *,
        on_line: OnLine,
        work_root: Path | None = None,
        cache_dir: Path | None = None,
        secrets: Secrets | None = None,
    ) -> None:
        self._spec = spec
        self._on_line = on_line
        self._work_root = work_root
        self._cache_dir = cache_dir or cache_folder()
        self._store = WorkspaceStore(open_store(spec.store), spec.workspace, secrets=secrets)
        self._commands = Commands(spec.step_name)

    def cancel(self) -> None:
        """End the step: its script is asked to stop, and killed with all it started if it has not after five seconds.

        Returns at once; `run` then raises ScriptFailed. May be called from any thread or signal handler.
        """
        self._commands.cancel()

    def run(self) -> StepOutcome:
        """Run the step. Raises ScriptFailed if its script fails, another AirloomError if it cannot be run."""
        started = time.monotonic()
        work = WorkFolder(self._spec.step_name, self._work_root)
        failed = True
        try:
            outputs = self._run_logged(work.path)
            failed = False
        finally:
            work.release(keep=failed and _keeps_work())
        return StepOutcome(outputs=outputs, seconds=time.monotonic() - started)

    def _run_logged(self, work: Path) -> dict[str, OutputRef]:
        """The attempt within its logs: whatever goes wrong is told there, too."""
        with Artifacts(self._store, self._spec, work) as artifacts:

            def on_line(stream: str, line: str) -> None:
                artifacts.write(stream, line)
                self._on_line(stream, line)

            attempt = Attempt(self._spec, self._store, self._commands, artifacts, on_line, work, self._cache_dir)
            try:
                outputs = attempt.run()
            except BaseException as error:
                attempt.say(f"failed: {error}" if isinstance(error, AirloomError) else f"failed: {error!r}")
                if _keeps_work():
                    attempt.say(f"the work folder is kept: {work}")
                raise
            attempt.say("done")
            return outputs


def _keeps_work() -> bool:
    return os.environ.get(KEEP_WORK) == "1"
