"""The table of a run's steps, kept up to date while it runs."""

from __future__ import annotations

import importlib
import sys
import threading
from typing import Any

from airloom.core._compat import ignored
from airloom.core._console import say
from airloom.exceptions import UserErrorException
from airloom.pipeline.core._progress_table import Row, html_table, row_of, text_table
from airloom.pipeline.core._step_run import StepRun
from airloom.pipeline.core._watch import display, watch
from airloom.pipeline.core.run import PipelineRun

__all__ = ["RunDetails"]


class RunDetails:
    """Shows how a run goes. For the run of a step, its pipeline's run is shown."""

    def __init__(self, run_instance: Any) -> None:
        run = run_instance.parent if isinstance(run_instance, StepRun) else run_instance
        if not isinstance(run, PipelineRun):
            raise UserErrorException(f"RunDetails needs the run of a pipeline, not {type(run_instance).__name__}.")
        self._run = run

    def show(self, render_lib: Any = None, widget_settings: dict[str, Any] | None = None) -> None:
        """Show the table of steps.

        In a notebook it appears at once and is kept up to date until the run ends, while other cells can be executed.
        On a terminal it is live, and this call returns when the run has ended; Ctrl-C ends the display, not the run.
        Elsewhere (a log file, a pipe) the present state is written once.
        """
        if render_lib is not None or widget_settings:
            ignored("RunDetails.show(render_lib=..., widget_settings=...)", "there is one form of display.")
        if _in_notebook():
            self._show_in_notebook()
        elif sys.stdout.isatty():
            try:
                with display(show_output=True) as shown:
                    watch(self._run, shown)
            except KeyboardInterrupt:
                say(f"Run {self._run.id} goes on.")
        else:
            say(str(self))

    def get_widget_data(self) -> dict[str, Any]:
        """The run and its steps, as the server describes them now."""
        return {"run": self._run._refresh(), "steps": self._run._read_steps()}

    def _show_in_notebook(self) -> None:
        # Present in notebooks only, and never a requirement of Airloom's.
        notebook = importlib.import_module("IPython.display")
        place = notebook.display(notebook.HTML(self._repr_html_()), display_id=True)

        def update(run: dict[str, Any], steps: list[dict[str, Any]]) -> None:
            place.update(notebook.HTML(html_table(run, _rows(steps))))

        # A daemon: the notebook must be able to end while a run goes on.
        threading.Thread(target=watch, args=(self._run, update), daemon=True).start()

    def _repr_html_(self) -> str:
        state = self.get_widget_data()
        return html_table(state["run"], _rows(state["steps"]))

    def __str__(self) -> str:
        state = self.get_widget_data()
        return text_table(state["run"], _rows(state["steps"]))


def _rows(steps: list[dict[str, Any]]) -> list[Row]:
    return [row_of(step) for step in steps]


def _in_notebook() -> bool:
    """True inside a Jupyter kernel: a terminal IPython is a terminal."""
    shell = sys.modules.get("IPython")
    running = shell.get_ipython() if shell is not None else None
    return running is not None and hasattr(running, "kernel")
